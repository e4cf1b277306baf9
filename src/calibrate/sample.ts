import { mean } from "simple-statistics";

import { PPM } from "../risk/fixed.ts";
import { regimeOf, variancesOf, YEAR } from "../replay/insolvency/regime.ts";
import type { Regime } from "../replay/insolvency/regime.ts";
import { MINUTE } from "../replay/path.ts";
import { HistoryTooShort } from "./errors.ts";
import type { Window } from "./history.ts";

/** What is fitted to, and what the fit is tested on. */
export type Part = "fit" | "test";

/** Windows cut in two by time: their first minutes, which start the average of the variance, belong to neither part. */
export interface Sample {
  readonly windows: readonly Cut[];
  /** [s] of the average of the variance */
  readonly averaging: bigint;
}

interface Cut {
  readonly window: Window;
  readonly prices: readonly number[];
  /** σ by minute [per square root of a year] */
  readonly volatility: readonly number[];
  readonly from: number;
  readonly cut: number;
}

/** What prices and trade did from one minute on over a horizon. */
export interface Move {
  /** of the price, as a share of it */
  readonly change: number;
  /** [USD] traded meanwhile */
  readonly volume: number;
  /** σ when it began [per square root of a year] */
  readonly volatility: number;
  /** μ of the initial and of the maintenance requirement when it began */
  readonly initial: number;
  readonly maintenance: number;
}

/**
 * Cuts windows of one asset in two.
 * @param share of all minutes that is fitted to
 * @param longest [minutes] horizon that both parts must have room for
 * @throws HistoryTooShort
 */
export function cut(windows: readonly Window[], averaging: bigint, share: number, longest: number): Sample {
  const from = Math.ceil(Number(averaging) / MINUTE);
  const total = windows.reduce((sum, { closes }) => sum + Math.max(closes.length - from, 0), 0);
  let left = Math.round(total * share);
  const cuts = windows.map((window) => {
    const fitted = Math.min(left, Math.max(window.closes.length - from, 0));
    left -= fitted;
    const prices = window.closes.map(Number);
    return { window, prices, volatility: volatilityOf(prices, averaging, from), from, cut: from + fitted };
  });
  const sample = { windows: cuts, averaging };
  for (const part of ["fit", "test"] as const) {
    const room = Math.max(0, ...cuts.map((one) => rangeOf(one, part)).map(([first, end]) => end - first));
    if (room <= longest) throw new HistoryTooShort(windows[0]?.asset ?? "", room, longest + 1);
  }
  return sample;
}

/** σ as the oracle averages it; the first `from` minutes say where it begins. */
function volatilityOf(prices: readonly number[], averaging: bigint, from: number): number[] {
  const squares = prices.slice(1, from + 1).map((price, i) => Math.log(price / (prices[i] ?? price)) ** 2 / MINUTE);
  const first = squares.length === 0 ? 0 : mean(squares);
  const later = variancesOf(prices.slice(from), averaging, first);
  return [...prices.slice(0, from).map(() => first), ...later].map((variance) => Math.sqrt(variance * YEAR));
}

function rangeOf({ from, cut: end, prices }: Cut, part: Part): [first: number, end: number] {
  return part === "fit" ? [from, end] : [end, prices.length];
}

/** σ at every minute that is fitted to. */
export function volatilities({ windows }: Sample): number[] {
  return windows.flatMap((one) => one.volatility.slice(...rangeOf(one, "fit")));
}

/** The last close [USD], and σ then. */
export function latest({ windows }: Sample): { price: number; volatility: number } {
  const last = windows.at(-1);
  return { price: (last?.prices.at(-1) ?? 0) / 1e8, volatility: last?.volatility.at(-1) ?? 0 };
}

/**
 * Moves over `minutes` under a regime: to fit to, from every minute; to test on, one after the other, so that no two share a minute.
 */
export function movesOf(sample: Sample, part: Part, minutes: number, regime: Regime): Move[] {
  return sample.windows.flatMap((one) => {
    const { prices, window, volatility } = one;
    const factors = regimeOf(window.closes, regime.referenceVolatility === 0n ? undefined : regime);
    const [first, end] = rangeOf(one, part);
    const moves: Move[] = [];
    for (let i = first; i + minutes < end; i += part === "fit" ? 1 : minutes) {
      moves.push({
        change: (prices[i + minutes] ?? 0) / (prices[i] ?? 0) - 1,
        volume: window.volumes.slice(i + 1, i + minutes + 1).reduce((sum, usd) => sum + usd, 0),
        volatility: volatility[i] ?? 0,
        initial: Number(factors[i]?.initialFactor) / Number(PPM),
        maintenance: Number(factors[i]?.maintenanceFactor) / Number(PPM),
      });
    }
    return moves;
  });
}
