import { clamp, divUp, max, min, positive, PPM, sqrt } from "./fixed.ts";
import type { PriceSnapshot, RegimeState } from "./types.ts";

const HOUR = 3600n; // [s]
const YEAR = 365n * 24n * HOUR; // [s]

/**
 * clamp(σ / σ_ref, 1, μ_max) [ppm], rounded up, as `Regimes.target`; 1 without a reference.
 * @param variance [wad per second]
 */
export function targetFactor(
  variance: bigint,
  { referenceVolatility, maxFactor }: { readonly referenceVolatility: bigint; readonly maxFactor: bigint },
): bigint {
  if (referenceVolatility === 0n) return PPM;
  const sigma = sqrt(variance * YEAR * PPM); // [1e-12]: sqrt(1e-18 · 1e-6)
  return clamp(divUp(sigma, referenceVolatility), PPM, maxFactor);
}

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
