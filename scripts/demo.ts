import { Command } from "commander";

import { demo } from "../src/replay/demo.ts";
import type { DemoOptions } from "../src/replay/demo.ts";

const options = new Command("demo")
  .description("Replays a crash through the real contracts on a local chain while a keeper works.")
  .option(
    "--prices <files>",
    "minute candles, ETH-USD….csv, BTC-USD….csv or both separated by a comma; a synthetic crash if left out",
  )
  .option("--seed <number>", "seed of the synthetic crash", "1")
  .option(
    "--minutes <number>",
    "length of the synthetic crash (1440 if left out), or how much of the candles to replay",
  )
  .option("--out <file>", "where the page goes", "out/demo.html")
  .parse()
  .opts<DemoOptions>();

try {
  if (!(await demo(options))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
}
