import type { Logger } from "pino";

import { Endpoints } from "../keeper/endpoints.ts";
import { gasModelOf } from "../keeper/fees.ts";
import { openDatabase } from "../keeper/openDatabase.ts";
import { openSigner } from "../keeper/signer.ts";
import type { PusherConfig } from "./config.ts";
import { Pusher } from "./pusher.ts";
import { PusherServer } from "./server.ts";

/**
 * Runs a pusher as it is configured until `signal` aborts.
 * @throws UnusableSigner, UnusableAggregator, DatabaseError, UnknownDatabase, NoEndpoint, WrongChain
 */
export async function runPusher(config: PusherConfig, logger: Logger, signal: AbortSignal): Promise<void> {
  const signer = await openSigner(config.signer);
  const { rpcUrls: urls, chainId, feeds, policy } = config;
  const provider = new Endpoints({ urls, chainId, pollingInterval: Math.min(policy.pollInterval, 1000) });
  const database = await openDatabase(config.database);
  const gasModel = gasModelOf(config.gasModel, provider);
  let server: PusherServer | undefined;
  try {
    const pusher = await Pusher.create({ provider, signer, database, feeds, policy, logger, gasModel });
    if (config.server !== undefined) {
      const { metrics } = pusher;
      server = new PusherServer({ policy: config.server, metrics, status: () => pusher.status });
      await server.listen();
    }
    logger.info({ oracle: signer.address, pairs: feeds.map(({ pair }) => pair) }, "started");
    await pusher.run(signal);
    logger.info("stopped");
  } finally {
    await server?.close();
    await database.close();
    provider.destroy();
  }
}
