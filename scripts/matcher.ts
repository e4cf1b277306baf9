import { InvalidMatcherConfig, MATCHER_SETTINGS, parseMatcherConfig, SECRETS } from "../src/matcher/config.ts";
import { LogCorrupt, LogDiverged } from "../src/matcher/log.ts";
import { runMatcher } from "../src/matcher/start.ts";
import { InvalidAddressBook } from "../src/sdk/addressBook.ts";
import { loadAddressBook } from "../src/sdk/node.ts";
import { runProgram } from "./program.ts";

await runProgram({
  name: "matcher",
  description: "Takes signed orders, matches them and settles them on-chain.",
  settings: MATCHER_SETTINGS,
  secrets: SECRETS,
  configure: parseMatcherConfig,
  run: (config, logger, signal) => runMatcher(config, loadAddressBook(config.addressBook), logger, signal),
  mendable: [InvalidMatcherConfig, InvalidAddressBook, LogCorrupt, LogDiverged],
});
