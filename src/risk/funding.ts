import { abs, clamp, max, min, PPM, WAD } from "./fixed.ts";
import { expWad } from "./expWad.ts";
import type { MarketState } from "./types.ts";

/** [s] The period that a funding rate refers to. */
export const PERIOD = 8n * 3600n;
/** [1e-12 per 8 h] 0.05 %: no premium counts with more. */
export const RATE_CAP = 500_000_000n;
const MAX_FUNDING = 2n ** 142n; // [ray36] where the index saturates
const AVERAGING = 3600n; // [s] τ, time constant of the premium's average
const FULL_WEIGHT = 10n; // a trade of 1 / FULL_WEIGHT of open interest replaces the last premium
const MIN_NOTIONAL = 100n * WAD; // smaller trades carry no weight
const PREMIUM_UNIT = 10n ** 12n;

/** F [ray36] of a market at `time` [s], socialised losses left aside. */
export function current(market: MarketState, time: bigint): bigint {
  return advance(market.funding, market.premium, market.lastPremium, market.price, time - market.time);
}

/**
 * F [ray36] after `elapsed` [s] on `price` [wad] while the rate moves from `from` towards `to` [1e-12 per 8 h]: the exact integral
 * of the exponential average.
 */
export function advance(funding: bigint, from: bigint, to: bigint, price: bigint, elapsed: bigint): bigint {
  const integral = to * elapsed * WAD + (from - to) * AVERAGING * (WAD - kept(elapsed)); // [1e-12 · wad · s]
  return clamp(funding + (integral * price) / (PERIOD * PREMIUM_UNIT), -MAX_FUNDING, MAX_FUNDING);
}

/** An exponential average that has moved from `from` towards `to` for `elapsed` [s]. */
export function average(from: bigint, to: bigint, elapsed: bigint): bigint {
  return to + ((from - to) * kept(elapsed)) / WAD;
}

/** The funding rate [1e-12 per 8 h] at `time` [s], paid by longs. */
export function rateOf(market: MarketState, time: bigint): bigint {
  return average(market.premium, market.lastPremium, time - market.time);
}

/** How much of its cap the funding rate of a market, or what it moves towards, takes up [ppm]; at 1e6 the cap binds. */
export function capUse(market: MarketState, time: bigint): bigint {
  return (max(abs(rateOf(market, time)), abs(market.lastPremium)) * PPM) / RATE_CAP;
}

/** A market brought up to `time` [s]; from then on the funding runs on `price` [wad]. */
export function accrue(market: MarketState, price: bigint, time: bigint): MarketState {
  const funding = current(market, time);
  const premium = rateOf(market, time);
  return { ...market, funding, premium, price, time };
}

/** What funding would do if prices stood still. */
export interface Forecast {
  /** [1e-12 per 8 h] at the end, paid by longs */
  readonly rate: bigint;
  /** [ray36] what a long of one unit has paid by then */
  readonly paid: bigint;
}

/**
 * Funding of a market for `elapsed` [s] from `time` [s] on, the index price at `index` [wad].
 * @param mark [wad] at which all that matters trades; the last trades' premium stays if left out
 */
export function forecast(market: MarketState, index: bigint, time: bigint, elapsed: bigint, mark?: bigint): Forecast {
  const now = accrue(market, index, time);
  const then = mark === undefined ? now : { ...now, lastPremium: premiumOf(mark, index) };
  return { rate: rateOf(then, time + elapsed), paid: current(then, time + elapsed) - now.funding };
}

/**
 * The last premium [1e-12] after a trade of `size` [wad] at `price` [wad], given the index price and open interest [wad]. No trade
 * counts with more than the cap.
 */
export function observe(
  lastPremium: bigint,
  indexPrice: bigint,
  price: bigint,
  size: bigint,
  openInterest: bigint,
): bigint {
  if ((size * price) / WAD < MIN_NOTIONAL) return lastPremium;
  const premium = premiumOf(price, indexPrice);
  const weight = openInterest === 0n ? PPM : min(PPM, (size * FULL_WEIGHT * PPM) / openInterest);
  return lastPremium + ((premium - lastPremium) * weight) / PPM;
}

/** [1e-12] of a price against the index price, within the cap. */
function premiumOf(price: bigint, indexPrice: bigint): bigint {
  return clamp(((price - indexPrice) * PREMIUM_UNIT) / indexPrice, -RATE_CAP, RATE_CAP);
}

/** e^(−elapsed / τ) [wad] */
function kept(elapsed: bigint): bigint {
  return expWad(-((elapsed * WAD) / AVERAGING));
}
