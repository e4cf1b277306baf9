import { readFileSync } from "node:fs";

import { JsonRpcProvider, Wallet } from "ethers";
import type { Logger } from "pino";

import type { AddressBook } from "../sdk/addressBook.ts";
import type { MatcherConfig } from "./config.ts";
import { Matcher } from "./matcher.ts";
import { MatcherServer } from "./server.ts";

/**
 * Runs a matcher as it is configured until `signal` aborts.
 * @throws LogCorrupt, LogDiverged
 */
export async function runMatcher(
  config: MatcherConfig,
  addressBook: AddressBook,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const provider = new JsonRpcProvider(config.rpcUrl, addressBook.chainId, {
    ...{ staticNetwork: true, pollingInterval: Math.min(config.policy.pollInterval, 1000), cacheTimeout: -1 },
  });
  try {
    const { dataFolder: folder, policy } = config;
    const key = await keyOf(config);
    const matcher = await Matcher.open({ provider, addressBook, key, folder, policy, logger });
    const server = new MatcherServer(matcher, config.server, logger);
    const port = await server.listen();
    logger.info({ port, settler: matcher.settlement.address, sequence: matcher.engine.sequence }, "started");
    signal.addEventListener("abort", () => {
      matcher.halt();
    });
    if (signal.aborted) matcher.halt();
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

async function keyOf({ key }: MatcherConfig): Promise<string> {
  if ("privateKey" in key) return key.privateKey;
  const wallet = await Wallet.fromEncryptedJson(readFileSync(key.keystore, "utf8"), key.password);
  return wallet.privateKey;
}
