import { MissingPrice, MissingRate, UnknownUnderlying } from "./errors.ts";
import { positive, PPM, WAD } from "./fixed.ts";
import { collateralOf, marketOf } from "./house.ts";
import type { CollateralState, HouseState, PriceSnapshot } from "./types.ts";

const MAX_REGIME = 3n; // largest μ
/** [s] A haircut takes this long to reach 100 %. */
export const DELISTING_RAMP = 14n * 24n * 3600n;

/**
 * How a missing price is met. Strict: it is an error. Cautious: positions count at the last good price, collateral at zero. Last
 * good: both at the last good price. Kindest: both at that price moved in the owner's favour.
 */
export type MissingPrices = "strict" | "cautious" | "lastGood" | "kindest";

/** USD per unit [wad] of a collateral asset, floored; zero if it has no usable price. */
export function collateralPrice(house: HouseState, collateral: number): bigint {
  const { underlying, rate } = collateralOf(house, collateral);
  return ((house.prices.get(underlying)?.price ?? 0n) * (rate ?? 0n)) / WAD;
}

/**
 * USD per unit [wad] of a collateral asset, floored.
 * @throws UnknownCollateral, MissingPrice, MissingRate
 */
export function requireCollateralPrice(house: HouseState, collateral: number): bigint {
  const { underlying, rate } = collateralOf(house, collateral);
  const snapshot = house.prices.get(underlying);
  if (snapshot === undefined) throw new MissingPrice(underlying);
  if (rate === undefined) throw new MissingRate(collateral);
  return (snapshot.price * rate) / WAD;
}

/** USD per unit [wad] at which a collateral asset can be sold; zero also when its delisting has ended. */
export function saleablePrice(house: HouseState, collateral: number): bigint {
  const ended = delistingRamp(collateralOf(house, collateral), house.time) === PPM;
  return ended ? 0n : collateralPrice(house, collateral);
}

/** How far a collateral's haircut is on its way to 100 % [ppm] at `time` [s]; at the end it counts zero and can only be withdrawn. */
export function delistingRamp({ delistingEnd }: CollateralState, time: bigint): bigint {
  return delistingEnd === 0n ? 0n : PPM - (positive(delistingEnd - time) * PPM) / DELISTING_RAMP;
}

/**
 * The last good snapshot of an underlying.
 * @throws MissingPrice if there is none
 */
export function lastGoodOf(house: HouseState, underlying: number): PriceSnapshot {
  const snapshot = house.lastGood.get(underlying);
  if (snapshot === undefined) throw new MissingPrice(underlying);
  return snapshot;
}

/** A last good price [wad] moved by the market's band and κ · μ_max in favour of a position. */
export function kindest(house: HouseState, market: number, price: bigint, long: boolean): bigint {
  const { underlying, priceBand } = marketOf(house, market);
  const distance = priceBand + reach(house, underlying);
  return (price * (long ? PPM + distance : positive(PPM - distance))) / PPM;
}

/** The last good price [wad] of a collateral asset, moved up by κ · μ_max if `kind`; zero if there has never been one. */
export function lastGoodOfCollateral(house: HouseState, collateral: number, kind: boolean): bigint {
  const { underlying, rate, lastGoodRate } = collateralOf(house, collateral);
  const price = (house.prices.get(underlying) ?? house.lastGood.get(underlying))?.price ?? 0n;
  const moved = kind ? (price * (PPM + reach(house, underlying))) / PPM : price;
  return (moved * (rate ?? lastGoodRate)) / WAD;
}

/** κ · μ_max [ppm] */
function reach(house: HouseState, underlying: number): bigint {
  const risk = house.risk.underlyings.get(underlying);
  if (risk === undefined) throw new UnknownUnderlying(underlying);
  return MAX_REGIME * risk.shock;
}
