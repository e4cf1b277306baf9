import { divUp, min, positive } from "./fixed.ts";
import { marketOf, priceOf } from "./house.ts";
import { pnl, sides } from "./positions.ts";
import type { AccountState, HouseState, MarketState, Position } from "./types.ts";

/** An account's stake in one market at the current price [wad]. */
export interface Leg {
  readonly market: number;
  readonly size: bigint;
  readonly pnl: bigint;
}

/**
 * All markets that an account holds, in ascending order; a price is needed only where there is size.
 * @throws UnknownMarket, MissingPrice
 */
export function legs(account: AccountState, house: HouseState): Leg[] {
  return [...account.positions]
    .filter(([, { size, quote }]) => size !== 0n || quote !== 0n)
    .sort(([a], [b]) => a - b)
    .map(([market, position]) => ({ market, size: position.size, pnl: pnlOf(position, market, house) }));
}

/**
 * PnL [wad] of a position in a market at the prices and time of `house`.
 * @throws UnknownMarket, MissingPrice
 */
export function pnlOf(position: Position, market: number, house: HouseState): bigint {
  if (position.size === 0n) return position.quote;
  const state = marketOf(house, market);
  return pnl(position, priceOf(house, state.underlying).price, sides(state, house.time));
}

export function totalLoss(list: readonly Leg[]): bigint {
  return list.reduce((sum, leg) => sum + positive(-leg.pnl), 0n);
}

export function totalProfit(list: readonly Leg[]): bigint {
  return list.reduce((sum, leg) => sum + positive(leg.pnl), 0n);
}

/** Spreads an amount [wad] over the losing markets in proportion to what was lost in each; the parts add up exactly. */
export function split(list: readonly Leg[], amount: bigint): bigint[] {
  const loss = totalLoss(list);
  let left = amount;
  return list.map((leg) => {
    if (left === 0n) return 0n;
    const part = min(left, divUp(amount * positive(-leg.pnl), loss));
    left -= part;
    return part;
  });
}

/**
 * The account after settling all that it can pay and be paid: gains first, they may pay losses elsewhere. E is unchanged.
 * @throws UnknownMarket, MissingPrice
 */
export function settleAll(account: AccountState, house: HouseState): AccountState {
  return payLosses(collectGains(account, house), house);
}

/**
 * The account after being paid its profits as far as the pools hold them.
 * @throws UnknownMarket, MissingPrice
 */
export function collectGains(account: AccountState, house: HouseState): AccountState {
  const gains = legs(account, house).map(({ market, pnl }) => ({
    market,
    amount: pnl > 0n ? -min(pnl, available(marketOf(house, market))) : 0n,
  }));
  return settle(account, gains);
}

/**
 * The account after paying its losses from its cash; pro rata if that is not enough.
 * @throws UnknownMarket, MissingPrice
 */
export function payLosses(account: AccountState, house: HouseState): AccountState {
  const list = legs(account, house);
  const parts = split(list, min(account.cash, totalLoss(list)));
  return settle(
    account,
    list.map((leg, i) => ({ market: leg.market, amount: parts[i] ?? 0n })),
  );
}

/**
 * The account after paying a loss [wad] in one market: from cash if that covers all of its losses, else all of them pro rata.
 * @throws UnknownMarket, MissingPrice
 */
export function settleLoss(account: AccountState, house: HouseState, market: number, loss: bigint): AccountState {
  const covered = account.cash >= totalLoss(legs(account, house));
  return covered ? settle(account, [{ market, amount: loss }]) : payLosses(account, house);
}

/** What the pool of a market can pay out [wad]: nothing while bad debt stands. */
export function available(market: MarketState): bigint {
  return market.badDebt !== 0n ? 0n : positive(market.pool - market.flaggedDeficit);
}

/** Moves amounts [wad] from cash into quotes. */
function settle(account: AccountState, moves: readonly { market: number; amount: bigint }[]): AccountState {
  const positions = new Map(account.positions);
  let cash = account.cash;
  for (const { market, amount } of moves) {
    const position = positions.get(market);
    if (amount === 0n || position === undefined) continue;
    cash -= amount;
    positions.set(market, { size: position.size, quote: position.quote + amount });
  }
  return { ...account, cash, positions };
}
