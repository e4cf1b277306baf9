import { SECRET_SETTINGS } from "../src/keeper/config.ts";
import { DatabaseError, UnknownDatabase } from "../src/keeper/database.ts";
import { NoEndpoint } from "../src/keeper/endpoints.ts";
import { UnusableSigner } from "../src/keeper/signer.ts";
import { UnusableAggregator } from "../src/pusher/aggregator.ts";
import { InvalidPusherConfig, parsePusherConfig, PUSHER_SETTINGS } from "../src/pusher/config.ts";
import { runPusher } from "../src/pusher/start.ts";
import { WrongChain } from "../src/sdk/client.ts";
import { runProgram } from "./program.ts";

await runProgram({
  name: "pusher",
  description: "Pushes the median of signed prices into Chainlink's FluxAggregator.",
  settings: PUSHER_SETTINGS,
  secrets: PUSHER_SETTINGS.filter((name) => SECRET_SETTINGS.some((secret) => secret === name)),
  configure: parsePusherConfig,
  run: runPusher,
  mendable: [
    ...[InvalidPusherConfig, UnusableSigner, UnusableAggregator, DatabaseError, UnknownDatabase],
    ...[NoEndpoint, WrongChain],
  ],
});
