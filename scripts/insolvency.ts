import { Command } from "commander";

import { insolvency } from "../src/replay/insolvency/run.ts";
import type { InsolvencyOptions } from "../src/replay/insolvency/run.ts";

const options = new Command("insolvency")
  .description("Searches a window of real prices for a way to gain by trading with oneself into insolvency.")
  .requiredOption("--prices <files>", "minute candles, ETH-USD….csv, BTC-USD….csv or both separated by a comma")
  .option("--delays <minutes>", "delays of the honest taker after E < MM", "0,1,2,5,10,20")
  .option("--seed <number>", "seed of the search", "1")
  .option("--effort <factor>", "how much to search", "1")
  .option("--reference-volatility <share>", "σ_ref instead of the default, a share per year; 0: μ = 1 for ever")
  .option("--averaging <hours>", "time constant of the volatility instead of the default")
  .option("--wicks", "takers meet the worst price of their minute, not its close")
  .parse()
  .opts<InsolvencyOptions>();

try {
  if (!insolvency(options)) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
}
