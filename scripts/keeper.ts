import { Command } from "commander";
import { JsonRpcProvider, Wallet } from "ethers";
import pino from "pino";
import type { Logger } from "pino";

import { InvalidKeeperConfig, KEEPER_SETTINGS, parseKeeperConfig } from "../src/keeper/config.ts";
import type { KeeperConfig } from "../src/keeper/config.ts";
import { Keeper } from "../src/keeper/keeper.ts";
import { createMetrics } from "../src/keeper/metrics.ts";
import type { Metrics } from "../src/keeper/metrics.ts";
import { openDatabase } from "../src/keeper/openDatabase.ts";
import { KeeperServer, serverPolicySchema } from "../src/keeper/server.ts";
import { accountId } from "../src/sdk/accountId.ts";
import type { AccountState } from "../src/risk/types.ts";
import { InvalidAddressBook } from "../src/sdk/addressBook.ts";
import type { AddressBook } from "../src/sdk/addressBook.ts";
import { explain } from "../src/sdk/explain.ts";
import { loadAddressBook } from "../src/sdk/node.ts";

/** Settings from the command line (`--min-profit 5`) before those of the environment (`MIN_PROFIT`); the key from there only. */
function readConfig(): KeeperConfig {
  const command = new Command("keeper").description("Liquidates, settles and keeps the books of a house current.");
  command.addHelpText("after", "\nEvery option may be set in the environment instead: MIN_PROFIT for --min-profit.");
  command.addHelpText("after", "PRIVATE_KEY, the key of the taker's owner, is read from the environment only.");
  const given = new Map<string, string>();
  for (const name of KEEPER_SETTINGS) {
    if (name === "PRIVATE_KEY") continue;
    const flag = name.toLowerCase().replaceAll("_", "-");
    command.option(`--${flag} <value>`, "", (value: string) => given.set(name, value));
  }
  command.parse();
  return parseKeeperConfig({ ...process.env, ...Object.fromEntries(given) });
}

async function serve(
  keeper: Keeper,
  port: number,
  metrics: Metrics,
  addressBook: AddressBook,
  logger: Logger,
): Promise<KeeperServer> {
  const { mirror } = keeper;
  const server = new KeeperServer({
    ...{ policy: serverPolicySchema.parse({ port }), metrics, addressBook, logger },
    database: await openDatabase(":memory:"),
    status: () => ({
      lastPass: Number(mirror.house.time) * 1000,
      headTime: Number(mirror.house.time),
      unusablePrices: addressBook.underlyings.filter(({ id }) => !mirror.house.prices.has(id)).map(({ name }) => name),
      unreconciled: undefined,
      gasRunway: Infinity,
    }),
    why: (id) => {
      const account = mirror.accounts.get(id) ?? NOBODY;
      const { head: block, house } = mirror;
      return Promise.resolve(explain({ id, block, account, house, auction: undefined, terms: new Map() }));
    },
  });
  await server.listen();
  return server;
}

const NOBODY: AccountState = {
  ...{ cash: 0n, lentShares: 0n, debtShares: 0n, positions: new Map(), collaterals: new Map() },
};

async function main(): Promise<void> {
  const config = readConfig();
  const addressBook = loadAddressBook(config.addressBook);
  const logger = pino({ level: config.logLevel });
  const provider = new JsonRpcProvider(config.rpcUrl, addressBook.chainId, {
    staticNetwork: true,
    pollingInterval: Math.min(config.policy.pollInterval, 1000),
    cacheTimeout: -1,
  });
  const signer = new Wallet(config.privateKey, provider);
  const takerAccount = accountId(signer.address, config.takerIndex);
  const metrics = createMetrics();
  let server: KeeperServer | undefined;
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      stop.abort();
    });
  }
  try {
    const keeper = await Keeper.create({
      provider,
      signer,
      addressBook,
      takerAccount,
      config: config.policy,
      logger,
      metrics,
    });
    logger.info({ taker: signer.address, block: keeper.mirror.head, accounts: keeper.mirror.accounts.size }, "started");
    if (config.metricsPort !== undefined)
      server = await serve(keeper, config.metricsPort, metrics, addressBook, logger);
    await keeper.run(stop.signal);
    logger.info("stopped");
  } finally {
    await server?.close();
    provider.destroy();
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof InvalidKeeperConfig || error instanceof InvalidAddressBook)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
