import { PHI_UNIT } from "../risk/assess.ts";
import { divUp, max, positive, PPM } from "../risk/fixed.ts";
import type { CollateralRisk, UnderlyingRisk } from "../risk/types.ts";
import type { Regime } from "../replay/insolvency/regime.ts";
import { ParameterOutOfBounds } from "./errors.ts";

// The hard bounds of `RiskEngine.sol`, `PriceOracle.sol` and `Listing.sol`, under the names that their errors have.

/** Least shock and basis [ppm]: wider than any price band. */
export const MIN_CHARGE = 5_001n;
/** Least σ_ref [ppm per square root of a year]. */
export const MIN_REFERENCE = 100_000n;
const MAX_REFERENCE = 10_000_000n;
const MAX_REGIME = 3n; // largest μ
const MAX_USD = 2n ** 48n - 1n; // [whole USD]
const MAX_UNITS = 2n ** 64n - 1n; // [whole units]

type Bound = readonly [parameter: string, value: bigint, min: bigint, max: bigint];

function expectWithin(of: string, bounds: readonly Bound[]): void {
  const broken = bounds.find(([, value, min, max]) => value < min || value > max);
  if (broken !== undefined) throw new ParameterOutOfBounds(of, ...broken);
}

/** @throws ParameterOutOfBounds as `RiskEngine.setUnderlyingRisk` */
export function expectUnderlyingRisk(of: string, r: UnderlyingRisk): void {
  const worst = divUp((MAX_REGIME * r.shock + 2n * r.slope) * r.initialFactor, PHI_UNIT) + r.maxTrackingInitial;
  const initialLegs = (2n * r.shock * r.initialFactor) / PHI_UNIT;
  expectWithin(of, [
    ["shock", r.shock, MIN_CHARGE, 500_000n],
    ["slope", r.slope, 0n, 200_000n],
    ["initialFactor", r.initialFactor, PHI_UNIT + 1n, 4n * PHI_UNIT],
    ["depth", r.depth, 1n, MAX_USD],
    ["basis", r.basis, MIN_CHARGE, positive(2n * r.shock - r.maxTracking)],
    ["shock and slope", worst, 0n, PPM],
    ["basisInitial", r.basisInitial, r.basis, positive(initialLegs - r.maxTrackingInitial)],
  ]);
}

/** @throws ParameterOutOfBounds as `RiskEngine.setCollateralRisk`, of what calibration changes */
export function expectCollateralRisk(of: string, c: CollateralRisk): void {
  expectWithin(of, [
    ["haircut", c.haircut, 0n, PPM],
    ["haircutInitial", c.haircutInitial, max(c.haircut, 1n), PPM],
    ["tracking", c.tracking, 0n, c.haircut],
    ["trackingInitial", c.trackingInitial, c.tracking, c.haircutInitial],
  ]);
}

/** @throws ParameterOutOfBounds as `PriceOracle.setRegime` */
export function expectRegime(of: string, r: Regime): void {
  expectWithin(of, [
    ["referenceVolatility", r.referenceVolatility, MIN_REFERENCE, MAX_REFERENCE],
    ["averaging", r.averaging, 600n, 2_592_000n],
    ["maxFactor", r.maxFactor, PPM, MAX_REGIME * PPM],
    ["maxStep", r.maxStep, 10_000n, PPM],
  ]);
}

/** @throws ParameterOutOfBounds as `ClearingHouse.setMarket`, of what calibration changes */
export function expectOpenInterestCaps(of: string, softCap: bigint, hardCap: bigint): void {
  expectWithin(of, [
    ["hardCap", hardCap, 1n, MAX_USD],
    ["softCap", softCap, 0n, hardCap],
  ]);
}

/** @throws ParameterOutOfBounds where `ClearingHouse.setCollateral` has no room for a cap, or nothing could be brought in */
export function expectCollateralCaps(of: string, accountCap: bigint, cap: bigint): void {
  expectWithin(of, [
    ["cap", cap, 1n, MAX_UNITS],
    ["accountCap", accountCap, 1n, MAX_UNITS],
  ]);
}
