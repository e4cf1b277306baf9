import { Command } from "commander";
import pino from "pino";

import { MissingTransport } from "../src/keeper/channels.ts";
import { InvalidKeeperConfig, KEEPER_SETTINGS, parseKeeperConfig, SECRET_SETTINGS } from "../src/keeper/config.ts";
import type { KeeperConfig } from "../src/keeper/config.ts";
import { ForeignCheckpoint } from "../src/keeper/checkpoint.ts";
import { DatabaseError, UnknownDatabase } from "../src/keeper/database.ts";
import { NoEndpoint, NotDeployed } from "../src/keeper/endpoints.ts";
import { UnusableSigner } from "../src/keeper/signer.ts";
import { runKeeper } from "../src/keeper/start.ts";
import { TakerKeyTooWide, UnusableTaker } from "../src/keeper/takerKey.ts";
import { InvalidAddressBook } from "../src/sdk/addressBook.ts";
import { WrongChain } from "../src/sdk/client.ts";
import { loadAddressBook } from "../src/sdk/node.ts";

const MOST_UNWRITTEN = 16 * 1024 * 1024; // [bytes] of log; later lines are dropped

/** What the operator can mend: the message says how. */
const MENDABLE = [
  ...[InvalidKeeperConfig, InvalidAddressBook, UnusableSigner, MissingTransport, UnusableTaker, TakerKeyTooWide],
  ...[DatabaseError, UnknownDatabase, ForeignCheckpoint, NoEndpoint, NotDeployed, WrongChain],
];

/** Settings from the command line (`--min-profit 5`) before those of the environment (`MIN_PROFIT`); secrets from there only. */
function readConfig(): KeeperConfig {
  const command = new Command("keeper").description("Liquidates, settles and keeps the books of a house current.");
  command.addHelpText("after", "\nEvery option may be set in the environment instead: MIN_PROFIT for --min-profit.");
  command.addHelpText("after", `Secrets are read from the environment only: ${SECRET_SETTINGS.join(", ")}.`);
  const secrets = new Set<string>(SECRET_SETTINGS);
  const given = new Map<string, string>();
  for (const name of KEEPER_SETTINGS) {
    if (secrets.has(name)) continue;
    const flag = name.toLowerCase().replaceAll("_", "-");
    command.option(`--${flag} <value>`, "", (value: string) => given.set(name, value));
  }
  command.parse();
  return parseKeeperConfig({ ...process.env, ...Object.fromEntries(given) });
}

async function main(): Promise<void> {
  const config = readConfig();
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      stop.abort();
    });
  }
  const logger = pino({ level: config.logLevel }, openLog());
  await runKeeper(config, loadAddressBook(config.addressBook), logger, stop.signal);
}

/** Standard output. What cannot be written to a full disk waits there for room, and ends nothing. */
function openLog() {
  const log = pino.destination({ dest: 1, sync: true, maxLength: MOST_UNWRITTEN });
  log.on("error", () => undefined);
  return log;
}

try {
  await main();
} catch (error) {
  if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
  console.error((error as Error).message);
  process.exitCode = 1;
}
