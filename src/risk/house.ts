import { MissingPrice, UnknownCollateral, UnknownMarket } from "./errors.ts";
import type { CollateralState, HouseState, MarketState, PriceSnapshot } from "./types.ts";

/**
 * A listed market.
 * @throws UnknownMarket
 */
export function marketOf(house: HouseState, market: number): MarketState {
  const state = house.markets.get(market);
  if (state === undefined) throw new UnknownMarket(market);
  return state;
}

/**
 * A listed collateral asset.
 * @throws UnknownCollateral
 */
export function collateralOf(house: HouseState, collateral: number): CollateralState {
  const state = house.collaterals.get(collateral);
  if (state === undefined) throw new UnknownCollateral(collateral);
  return state;
}

/**
 * The price snapshot of an underlying.
 * @throws MissingPrice
 */
export function priceOf(house: HouseState, underlying: number): PriceSnapshot {
  const snapshot = house.prices.get(underlying);
  if (snapshot === undefined) throw new MissingPrice(underlying);
  return snapshot;
}
