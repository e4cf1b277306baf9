import { readFileSync } from "node:fs";

import { Command } from "commander";
import { JsonRpcProvider, Wallet } from "ethers";
import pino from "pino";

import { InvalidMatcherConfig, MATCHER_SETTINGS, parseMatcherConfig, SECRETS } from "../src/matcher/config.ts";
import type { MatcherConfig } from "../src/matcher/config.ts";
import { LogCorrupt, LogDiverged } from "../src/matcher/log.ts";
import { Matcher } from "../src/matcher/matcher.ts";
import { MatcherServer } from "../src/matcher/server.ts";
import { InvalidAddressBook } from "../src/sdk/addressBook.ts";
import { loadAddressBook } from "../src/sdk/node.ts";

/** Settings from the command line (`--batch-interval 500`) before those of the environment (`BATCH_INTERVAL`). */
function readConfig(): MatcherConfig {
  const command = new Command("matcher").description("Takes signed orders, matches them and settles them on-chain.");
  command.addHelpText(
    "after",
    "\nEvery option may be set in the environment instead: BATCH_INTERVAL for --batch-interval.",
  );
  command.addHelpText("after", `${SECRETS.join(" and ")} are read from the environment only.`);
  const given = new Map<string, string>();
  for (const name of MATCHER_SETTINGS) {
    if (SECRETS.includes(name)) continue;
    const flag = name.toLowerCase().replaceAll("_", "-");
    command.option(`--${flag} <value>`, "", (value: string) => given.set(name, value));
  }
  command.parse();
  return parseMatcherConfig({ ...process.env, ...Object.fromEntries(given) });
}

async function keyOf({ key }: MatcherConfig): Promise<string> {
  if ("privateKey" in key) return key.privateKey;
  const wallet = await Wallet.fromEncryptedJson(readFileSync(key.keystore, "utf8"), key.password);
  return wallet.privateKey;
}

async function main(): Promise<void> {
  const config = readConfig();
  const addressBook = loadAddressBook(config.addressBook);
  const logger = pino({ level: config.logLevel });
  const provider = new JsonRpcProvider(config.rpcUrl, addressBook.chainId, {
    ...{ staticNetwork: true, pollingInterval: Math.min(config.policy.pollInterval, 1000), cacheTimeout: -1 },
  });
  try {
    const { dataFolder: folder, policy } = config;
    const key = await keyOf(config);
    const matcher = await Matcher.open({ provider, addressBook, key, folder, policy, logger });
    const server = new MatcherServer(matcher, config.server, logger);
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, () => {
        matcher.halt();
      });
    }
    const port = await server.listen();
    logger.info({ port, settler: matcher.settlement.address, sequence: matcher.engine.sequence }, "started");
    try {
      await matcher.run();
    } finally {
      await server.close();
      await matcher.stop();
    }
    logger.info("stopped");
  } finally {
    provider.destroy();
  }
}

try {
  await main();
} catch (error) {
  const known = [InvalidMatcherConfig, InvalidAddressBook, LogCorrupt, LogDiverged].some(
    (kind) => error instanceof kind,
  );
  if (!known) throw error;
  console.error((error as Error).message);
  process.exitCode = 1;
}
