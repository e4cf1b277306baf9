import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import type { Logger } from "pino";

import { accountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { channelsOf, subscriptionsSchema } from "./channels.ts";
import { InvalidKeeperConfig } from "./config.ts";
import type { KeeperConfig } from "./config.ts";
import type { Database } from "./database.ts";
import { Endpoints } from "./endpoints.ts";
import { gasModelOf } from "./fees.ts";
import { MatcherHedge } from "./hedge.ts";
import { Keeper } from "./keeper.ts";
import { Leases } from "./leases.ts";
import { createMetrics } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { NoticeDesk } from "./notices.ts";
import { openDatabase } from "./openDatabase.ts";
import { shortMessage } from "./sender.ts";
import { KeeperServer } from "./server.ts";
import type { ServerPolicy } from "./server.ts";
import { openSigner } from "./signer.ts";

/** What is closed when a keeper ends, the last opened first. */
type Closers = (() => Promise<void> | void)[];

/**
 * Runs a keeper as it is configured until `signal` aborts.
 * @throws InvalidKeeperConfig, UnusableSigner, MissingTransport, DatabaseError, UnknownDatabase, NotDeployed, WrongChain, UnusableTaker,
 * TakerKeyTooWide
 */
export async function runKeeper(
  config: KeeperConfig,
  addressBook: AddressBook,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const closers: Closers = [];
  try {
    const keeper = await openKeeper(config, addressBook, logger, closers);
    const { mirror } = keeper;
    logger.info({ block: mirror.head, accounts: mirror.accounts.size }, "started");
    await keeper.run(signal);
    await keeper.save();
    logger.info("stopped");
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

async function openKeeper(
  config: KeeperConfig,
  addressBook: AddressBook,
  logger: Logger,
  closers: Closers,
): Promise<Keeper> {
  const signer = await openSigner(config.signer);
  const { rpcUrls: urls, relay, leaseLifetime, webSocketUrl, policy } = config;
  const { pollInterval } = policy;
  const provider = new Endpoints({
    ...{ urls, chainId: addressBook.chainId, pollingInterval: Math.min(pollInterval, 1000) },
    ...(relay !== undefined && { relay }),
  });
  closers.push(() => {
    provider.destroy();
  });
  const database = await openDatabase(config.database);
  closers.push(() => database.close());
  const metrics = createMetrics();
  const desk = await openDesk(config, { database, addressBook, metrics, logger });
  if (desk !== undefined) closers.push(() => desk.close());
  const lifetime = leaseLifetime;
  const takerAccount = accountId(config.takerOwner ?? signer.address, config.takerIndex);
  const { hedge, bidding } = config;
  const keeper = await Keeper.create({
    ...{ provider, signer, addressBook, logger, metrics, database, config: policy },
    takerAccount,
    gas: { gasModel: gasModelOf(config.gasModel, provider), bidding },
    ...(hedge !== undefined && {
      venue: new MatcherHedge({ ...hedge, provider, signer, addressBook, account: takerAccount }),
    }),
    ...(desk !== undefined && { desk }),
    ...(webSocketUrl !== undefined && { webSocketUrl }),
    ...(lifetime !== undefined && { leases: await Leases.open(database, { holder: randomUUID(), lifetime }) }),
  });
  if (config.server !== undefined) {
    const server = new KeeperServer({
      ...{ policy: config.server, metrics, database, addressBook, logger },
      status: () => keeper.status,
      why: (id) => Promise.resolve(keeper.why(id)),
      reports: keeper.reports,
    });
    closers.push(() => server.close());
    await listen(server, config.server);
  }
  return keeper;
}

async function listen(server: KeeperServer, { host, port }: ServerPolicy): Promise<void> {
  try {
    await server.listen();
  } catch (error) {
    const reason = shortMessage(error);
    throw new InvalidKeeperConfig([
      `PORT: cannot listen on ${host}:${port} (${reason}); give a free port of this machine`,
    ]);
  }
}

interface DeskNeeds {
  readonly database: Database;
  readonly addressBook: AddressBook;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

async function openDesk(config: KeeperConfig, needs: DeskNeeds): Promise<NoticeDesk | undefined> {
  const { subscriptions, transports, notices } = config;
  if (subscriptions === undefined) return undefined;
  return NoticeDesk.open({
    ...needs,
    policy: notices,
    channels: channelsOf(readSubscriptions(subscriptions), transports),
  });
}

function readSubscriptions(file: string) {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new InvalidKeeperConfig([`SUBSCRIPTIONS: ${file} is no readable file of JSON`]);
  }
  const result = subscriptionsSchema.safeParse(content);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `SUBSCRIPTIONS: ${path.join(".")}: ${message}`);
  throw new InvalidKeeperConfig(problems);
}
