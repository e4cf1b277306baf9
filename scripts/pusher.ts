import { Command } from "commander";
import pino from "pino";

import { SECRET_SETTINGS } from "../src/keeper/config.ts";
import { DatabaseError, UnknownDatabase } from "../src/keeper/database.ts";
import { NoEndpoint } from "../src/keeper/endpoints.ts";
import { UnusableSigner } from "../src/keeper/signer.ts";
import { UnusableAggregator } from "../src/pusher/aggregator.ts";
import { InvalidPusherConfig, parsePusherConfig, PUSHER_SETTINGS } from "../src/pusher/config.ts";
import type { PusherConfig } from "../src/pusher/config.ts";
import { runPusher } from "../src/pusher/start.ts";
import { WrongChain } from "../src/sdk/client.ts";

/** What the operator can mend: the message says how. */
const MENDABLE = [
  ...[InvalidPusherConfig, UnusableSigner, UnusableAggregator, DatabaseError, UnknownDatabase],
  ...[NoEndpoint, WrongChain],
];

/** Settings from the command line (`--poll-interval 1000`) before those of the environment (`POLL_INTERVAL`); secrets from there only. */
function readConfig(): PusherConfig {
  const command = new Command("pusher").description(
    "Pushes the median of signed prices into Chainlink's FluxAggregator.",
  );
  command.addHelpText(
    "after",
    "\nEvery option may be set in the environment instead: POLL_INTERVAL for --poll-interval.",
  );
  command.addHelpText("after", "Secrets are read from the environment only: PRIVATE_KEY, KEYSTORE_PASSWORD.");
  const secrets = new Set<string>(SECRET_SETTINGS);
  const given = new Map<string, string>();
  for (const name of PUSHER_SETTINGS) {
    if (secrets.has(name)) continue;
    const flag = name.toLowerCase().replaceAll("_", "-");
    command.option(`--${flag} <value>`, "", (value: string) => given.set(name, value));
  }
  command.parse();
  return parsePusherConfig({ ...process.env, ...Object.fromEntries(given) });
}

async function main(): Promise<void> {
  const config = readConfig();
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      stop.abort();
    });
  }
  await runPusher(config, pino({ level: config.logLevel }), stop.signal);
}

try {
  await main();
} catch (error) {
  if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
  console.error((error as Error).message);
  process.exitCode = 1;
}
