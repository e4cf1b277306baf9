import { PPM } from "../../risk/fixed.ts";
import { snapshotAt } from "../../risk/regime.ts";
import type { PriceSnapshot } from "../../risk/types.ts";
import { MINUTE } from "../path.ts";

const YEAR = 365 * 86_400; // [s]

/** How volatility moves requirements. */
export interface Regime {
  readonly referenceVolatility: number; // σ_ref per square root of a year
  readonly averaging: number; // [s] time constant of the variance's exponential average
  readonly maxFactor: number; // μ_max
  readonly maxStep: bigint; // [ppm per hour] largest change of μ(t)
}

/**
 * The price of every minute with the factors that stand when its close [wad] has been observed, from a calm market: variance at σ_ref,
 * μ = 1. Without a regime they are 1 for ever.
 */
export function regimeOf(closes: readonly bigint[], regime: Regime | undefined): PriceSnapshot[] {
  if (regime === undefined) return closes.map((price) => ({ price, initialFactor: PPM, maintenanceFactor: PPM }));
  const { referenceVolatility, averaging, maxFactor, maxStep } = regime;
  const weight = 1 - Math.exp(-MINUTE / averaging);
  let variance = referenceVolatility ** 2 / YEAR; // per second
  let state = { factor: PPM, target: PPM, time: 0n, heartbeat: BigInt(MINUTE), maxStep };
  return closes.map((price, minute) => {
    const time = BigInt(minute * MINUTE);
    const change = Math.log(Number(price) / Number(closes[minute - 1] ?? price));
    variance += weight * (change ** 2 / MINUTE - variance);
    const ratio = Math.sqrt(variance * YEAR) / referenceVolatility;
    const target = BigInt(Math.floor(Math.min(maxFactor, Math.max(1, ratio)) * Number(PPM)));
    state = { ...state, factor: snapshotAt(price, state, time).maintenanceFactor, target, time };
    return snapshotAt(price, state, time);
  });
}
