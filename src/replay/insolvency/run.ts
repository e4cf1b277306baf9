import { OptionInvalid } from "../errors.ts";
import { loadTracks } from "./path.ts";
import { claimsOf, report } from "./report.ts";
import type { Row } from "./report.ts";
import { search } from "./search.ts";
import type { Effort } from "./search.ts";
import { defaultTerms, OPEN_INTEREST, REGIME } from "./terms.ts";

const LINES = 4; // of progress for each delay
const FULL: Effort = { moves: 20, random: 1500, climbs: 12, steps: 150 };

/** What the command line says. */
export interface InsolvencyOptions {
  prices: string;
  seed: string;
  delays: string;
  effort: string;
  calm?: boolean;
  wicks?: boolean;
}

/**
 * Searches one window of prices for the strategy that gains most by trading with oneself into insolvency, and prints what it
 * found. Returns whether every claim holds.
 * @throws OptionInvalid and the errors of `loadCandles`
 */
export function insolvency(options: InsolvencyOptions, output: NodeJS.WritableStream = process.stdout): boolean {
  const delays = options.delays.split(",").map((text) => number("delays", text, /^\d+$/));
  const seed = number("seed", options.seed, /^\d+$/);
  const effort = number("effort", options.effort, /^\d*\.?\d+$/);
  const files = options.prices.split(",").map((file) => file.trim());
  const tracks = loadTracks(files, options.calm === true ? undefined : REGIME);
  const terms = defaultTerms();
  output.write(`${tracks.source}: ${tracks.minutes} minutes\n`);
  const started = performance.now();
  const rows = delays.map((delay): Row => {
    const setting = { terms, tracks, openInterest: OPEN_INTEREST, delay, wicks: options.wicks === true };
    const tell = progress(output, delay);
    return { delay, ...search(setting, scaled(effort), seed, tell) };
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  output.write(`${report(rows)}\n${seconds} s\n`);
  return claimsOf(rows).every(({ holds }) => holds);
}

function scaled(effort: number): Effort {
  const times = (n: number) => Math.max(1, Math.round(n * effort));
  return { moves: times(FULL.moves), random: times(FULL.random), climbs: times(FULL.climbs), steps: FULL.steps };
}

function number(option: string, text: string, pattern: RegExp): number {
  if (!pattern.test(text.trim())) throw new OptionInvalid(option, text, "a number");
  return Number(text);
}

/** A line every so often. */
function progress(output: NodeJS.WritableStream, delay: number): (share: number) => void {
  let told = 0;
  return (share) => {
    if (Math.floor(share * LINES) === told) return;
    told = Math.floor(share * LINES);
    output.write(`taker after ${delay} min: ${Math.round((100 * told) / LINES)} % searched\n`);
  };
}
