import { abs, divFloor } from "./fixed.ts";
import { current } from "./funding.ts";
import type { MarketState, Position } from "./types.ts";

const RAY36 = 10n ** 36n;
const PRICE_TO_RAY36 = 10n ** 18n;

/** F of both sides of a market [ray36]. */
export interface Sides {
  readonly long: bigint;
  readonly short: bigint;
}

/** F_long and F_short of a market at `time` [s]. */
export function sides(market: MarketState, time: bigint): Sides {
  const funding = current(market, time);
  return { long: funding + market.longIndex, short: funding - market.shortIndex };
}

/** PnL = size · (mark − F_side) + quote [wad], floored. */
export function pnl(position: Position, mark: bigint, s: Sides): bigint {
  if (position.size === 0n) return position.quote;
  return value(position.size, mark, position.size > 0n ? s.long : s.short) + position.quote;
}

/**
 * What a change of size at `price` does to the quote [wad], floored. A change that crosses zero closes on the old side first
 * and opens on the new.
 */
export function quoteChange(size: bigint, delta: bigint, price: bigint, s: Sides): bigint {
  const closing = size > 0n === delta > 0n ? 0n : abs(delta) > abs(size) ? -size : delta;
  const opening = delta - closing;
  let result = 0n;
  if (closing !== 0n) result += value(-closing, price, size > 0n ? s.long : s.short);
  if (opening !== 0n) result += value(-opening, price, opening > 0n ? s.long : s.short);
  return result;
}

/** A position after a change of size at `price` and `credit` [wad] to its quote. */
export function change(
  position: Position | undefined,
  delta: bigint,
  price: bigint,
  s: Sides,
  credit: bigint,
): Position {
  const { size, quote } = position ?? { size: 0n, quote: 0n };
  return { size: size + delta, quote: quote + quoteChange(size, delta, price, s) + credit };
}

/** size · (price − F) [wad], floored. */
function value(size: bigint, price: bigint, f: bigint): bigint {
  return divFloor(size * (price * PRICE_TO_RAY36 - f), RAY36);
}
