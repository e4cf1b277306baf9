import { clamp, PPM } from "../../risk/fixed.ts";
import { snapshotAt } from "../../risk/regime.ts";
import type { PriceSnapshot } from "../../risk/types.ts";
import { MINUTE } from "../path.ts";
import type { Asset } from "../path.ts";

export const YEAR = 365 * 86_400; // [s]

/** How volatility moves requirements, as `IPriceOracle.Regime`. */
export interface Regime {
  readonly referenceVolatility: bigint; // σ_ref [ppm per square root of a year]
  readonly averaging: bigint; // [s] time constant of the variance's exponential average
  readonly maxFactor: bigint; // μ_max [ppm]
  readonly maxStep: bigint; // [ppm per hour] largest change of μ(t)
}

/** What raises the requirements of each asset; nothing where it is left out. */
export type Regimes = Readonly<Record<Asset, Regime | undefined>>;

/**
 * The price of every minute with the factors that stand when its close [wad] has been observed, from a calm market: variance at σ_ref,
 * μ = 1. Without a regime they are 1 for ever.
 */
export function regimeOf(closes: readonly bigint[], regime: Regime | undefined): PriceSnapshot[] {
  if (regime === undefined) return closes.map((price) => ({ price, initialFactor: PPM, maintenanceFactor: PPM }));
  const { averaging, maxFactor, maxStep } = regime;
  const reference = Number(regime.referenceVolatility) / Number(PPM);
  const variances = variancesOf(closes.map(Number), averaging, reference ** 2 / YEAR);
  let state = { factor: PPM, target: PPM, time: 0n, heartbeat: BigInt(MINUTE), maxStep };
  return closes.map((price, minute) => {
    const time = BigInt(minute * MINUTE);
    const ratio = Math.sqrt((variances[minute] ?? 0) * YEAR) / reference;
    const target = clamp(BigInt(Math.floor(ratio * Number(PPM))), PPM, maxFactor);
    state = { ...state, factor: snapshotAt(price, state, time).maintenanceFactor, target, time };
    return snapshotAt(price, state, time);
  });
}

/** The oracle's exponential average of squared log returns [per second] after every minute, `first` after the first one. */
export function variancesOf(closes: readonly number[], averaging: bigint, first: number): number[] {
  const weight = 1 - Math.exp(-MINUTE / Number(averaging));
  let variance = first;
  return closes.map((price, minute) => {
    const before = closes[minute - 1];
    if (before !== undefined) variance += weight * (Math.log(price / before) ** 2 / MINUTE - variance);
    return variance;
  });
}
