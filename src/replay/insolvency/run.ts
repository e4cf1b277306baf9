import { OptionInvalid } from "../errors.ts";
import { loadTracks } from "./path.ts";
import type { Regime, Regimes } from "./regime.ts";
import { claimsOf, report } from "./report.ts";
import type { Row } from "./report.ts";
import { search } from "./search.ts";
import type { Effort } from "./search.ts";
import type { Strategy } from "./strategy.ts";
import { defaultRegimes, defaultTerms, OPEN_INTEREST } from "./terms.ts";

const LINES = 4; // of progress for each delay
const FULL: Effort = { moves: 20, random: 1500, climbs: 12, steps: 150 };

/** What the command line says. */
export interface InsolvencyOptions {
  prices: string;
  seed: string;
  delays: string;
  effort: string;
  referenceVolatility?: string;
  averaging?: string;
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
  const effort = number("effort", options.effort);
  const files = options.prices.split(",").map((file) => file.trim());
  const tracks = loadTracks(files, regimesOf(options));
  const terms = defaultTerms();
  output.write(`${tracks.source}: ${tracks.minutes} minutes\n`);
  const started = performance.now();
  const rows: Row[] = [];
  for (const delay of delays.sort((x, y) => x - y)) {
    const setting = { terms, tracks, openInterest: OPEN_INTEREST, delay, wicks: options.wicks === true };
    rows.push({ delay, ...search(setting, scaled(effort), seed, rows.flatMap(startsOf), progress(output, delay)) });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  output.write(`${report(rows)}\n${seconds} s\n`);
  return claimsOf(rows).every(({ holds }) => holds);
}

/** The default regimes, or what was asked for instead. */
function regimesOf({ referenceVolatility, averaging }: InsolvencyOptions): Regimes {
  const regimes = defaultRegimes();
  const instead = (regime: Regime | undefined): Regime | undefined => {
    if (regime === undefined) return undefined;
    const share = referenceVolatility === undefined ? undefined : number("reference-volatility", referenceVolatility);
    if (share === 0) return undefined;
    const hours = averaging === undefined ? undefined : number("averaging", averaging);
    return {
      ...regime,
      referenceVolatility: share === undefined ? regime.referenceVolatility : BigInt(Math.round(share * 1e6)),
      averaging: hours === undefined ? regime.averaging : BigInt(Math.round(hours * 3600)),
    };
  };
  return { ETH: instead(regimes.ETH), BTC: instead(regimes.BTC) };
}

/** What gains from a prompt taker gains from a late one too: the attacker takes when the prompt one would have. */
function startsOf({ delay, best, steepest }: Row): Strategy[] {
  return [best, steepest].flatMap((found) => {
    if (found === undefined) return [];
    const { strategy } = found;
    return [strategy.takesAfter < 0 ? { ...strategy, takesAfter: delay } : strategy];
  });
}

function scaled(effort: number): Effort {
  const times = (n: number) => Math.max(1, Math.round(n * effort));
  return { moves: times(FULL.moves), random: times(FULL.random), climbs: times(FULL.climbs), steps: FULL.steps };
}

function number(option: string, text: string, pattern = /^\d*\.?\d+$/): number {
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
