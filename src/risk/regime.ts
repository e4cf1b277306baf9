import { max, min, positive } from "./fixed.ts";
import type { PriceSnapshot, RegimeState } from "./types.ts";

const HOUR = 3600n; // [s]

/** μ(t) [ppm] at `time` [s]: from its last value towards the target, a silence counting as one heartbeat at most. */
export function factorAt(regime: RegimeState, time: bigint): bigint {
  const elapsed = min(time - regime.time, regime.heartbeat);
  const step = (regime.maxStep * elapsed) / HOUR;
  return regime.factor < regime.target
    ? min(regime.target, regime.factor + step)
    : max(regime.target, positive(regime.factor - step));
}

/** The snapshot of a price [wad] at `time` [s]: the initial requirement meets a rise at once. */
export function snapshotAt(price: bigint, regime: RegimeState, time: bigint): PriceSnapshot {
  const maintenanceFactor = factorAt(regime, time);
  return { price, initialFactor: max(regime.target, maintenanceFactor), maintenanceFactor };
}
