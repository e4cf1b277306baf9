import { clamp, min, PPM, WAD } from "./fixed.ts";
import { expWad } from "./expWad.ts";
import type { MarketState } from "./types.ts";

/** [s] The period that a funding rate refers to. */
export const PERIOD = 8n * 3600n;
const RATE_CAP = 500_000n; // [ppb per 8 h] 0.05 %
const MAX_FUNDING = 2n ** 142n; // [ray36] where the index saturates
const AVERAGING = 3600n; // [s] time constant of the premium's average
const FULL_WEIGHT = 10n; // a trade of 1 / FULL_WEIGHT of open interest replaces the last premium
const MIN_NOTIONAL = 100n * WAD; // smaller trades carry no weight
const PPB = 10n ** 9n;

/** F [ray36] of a market at `time` [s], socialised losses left aside. */
export function current(market: MarketState, time: bigint): bigint {
  return advance(market.funding, rateOf(market.premium), market.price, time - market.time);
}

/** F [ray36] after `elapsed` [s] at `rate` [ppb per 8 h] on `price` [wad]. */
export function advance(funding: bigint, rate: bigint, price: bigint, elapsed: bigint): bigint {
  const perSecond = (rate * price * PPB) / PERIOD;
  return clamp(funding + perSecond * elapsed, -MAX_FUNDING, MAX_FUNDING);
}

/** The rate [ppb per 8 h] that applies for an average premium [ppb]. */
export function rateOf(premium: bigint): bigint {
  return clamp(premium, -RATE_CAP, RATE_CAP);
}

/** An exponential average that has moved from `from` towards `to` for `elapsed` [s]. */
export function average(from: bigint, to: bigint, elapsed: bigint): bigint {
  if (from === to) return to;
  const kept = expWad(-((elapsed * WAD) / AVERAGING));
  return to + ((from - to) * kept) / WAD;
}

/** The last premium [ppb] after a trade of `size` [wad] at `price` [wad], given the index price and open interest [wad]. */
export function observe(
  lastPremium: bigint,
  indexPrice: bigint,
  price: bigint,
  size: bigint,
  openInterest: bigint,
): bigint {
  if ((size * price) / WAD < MIN_NOTIONAL) return lastPremium;
  const premium = ((price - indexPrice) * PPB) / indexPrice;
  const weight = openInterest === 0n ? PPM : min(PPM, (size * FULL_WEIGHT * PPM) / openInterest);
  return lastPremium + ((premium - lastPremium) * weight) / PPM;
}
