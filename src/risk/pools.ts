import { judge } from "./assess.ts";
import { divUp, min, positive } from "./fixed.ts";
import { marketOf, priceOf } from "./house.ts";
import { currentLending, liquidity, loansOf, raiseCash, repay } from "./lending.ts";
import { snapshotOf, valueOf } from "./portfolio.ts";
import { pnl, sides } from "./positions.ts";
import { saleablePrice } from "./prices.ts";
import type { AccountState, Books, HouseState, MarketState, Position } from "./types.ts";

/** An account's stake in one market at the current price [wad]. */
export interface Leg {
  readonly market: number;
  readonly size: bigint;
  readonly pnl: bigint; // zero if it is stuck
  readonly stuck: boolean; // it has size and no usable price
}

/**
 * All markets that an account holds, in ascending order.
 * @throws UnknownMarket
 */
export function legs(account: AccountState, house: HouseState): Leg[] {
  return [...account.positions]
    .filter(([, { size, quote }]) => size !== 0n || quote !== 0n)
    .sort(([a], [b]) => a - b)
    .map(([market, position]) => {
      const stuck = position.size !== 0n && !isPriced(house, market);
      return { market, size: position.size, pnl: stuck ? 0n : pnlOf(position, market, house), stuck };
    });
}

/**
 * PnL of a position in a market at the prices and time of a house; a price is needed only where there is size.
 *
 * @param position size and quote
 * @param market id of the market
 * @param house prices, markets, parameters and the lending pool
 * @returns PnL [wad]
 * @throws {@link UnknownMarket} if the market is not in `house`
 * @throws {@link MissingPrice} if there is size and the underlying has no usable price
 *
 * @example
 * ```ts
 * console.log(formatWad(pnlOf({ size: WAD, quote: -1_900n * WAD }, 0, house))); // → 100
 * ```
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

/**
 * Spreads an amount [wad] over the losing markets, in proportion to what was lost in each, and an uncovered debt [wad]; the parts
 * add up exactly.
 */
export function split(list: readonly Leg[], debt: bigint, amount: bigint): { parts: bigint[]; ofDebt: bigint } {
  if (amount === 0n) return { parts: list.map(() => 0n), ofDebt: 0n };
  const all = totalLoss(list) + debt;
  const ofDebt = min(amount, divUp(amount * debt, all));
  let left = amount - ofDebt;
  const parts = list.map((leg) => {
    if (left === 0n) return 0n;
    const part = min(left, divUp(amount * positive(-leg.pnl), all));
    left -= part;
    return part;
  });
  return { parts, ofDebt };
}

/**
 * Debt [wad] of an account beyond the value of its collateral; who has debt has no cash.
 * @throws UnknownCollateral
 */
export function uncoveredDebt({ account, house }: Books): bigint {
  const { debt } = loansOf(account, house.lending, house.time);
  return debt === 0n ? 0n : positive(debt - collateralValue(account, house));
}

/**
 * What an account's collateral is worth [wad]; what has no usable price counts zero.
 * @throws UnknownCollateral
 */
export function collateralValue(account: AccountState, house: HouseState): bigint {
  let value = 0n;
  for (const [id, balance] of account.collaterals) {
    if (balance !== 0n) value += valueOf(balance, saleablePrice(house, id));
  }
  return value;
}

/**
 * The books after settling all that an account can pay and be paid: gains first, they may pay losses elsewhere. E is unchanged.
 * @throws UnknownMarket, UnknownCollateral, UnknownUnderlying, MissingPrice
 */
export function settleAll(books: Books): Books {
  return payLosses(collectGains(books));
}

/**
 * The books after an account was paid its profits as far as the pools hold them.
 * @throws UnknownMarket
 */
export function collectGains(books: Books): Books {
  let now = books;
  for (const { market, pnl } of legs(books.account, books.house)) {
    if (pnl > 0n && isPriced(books.house, market)) {
      const paid = min(pnl, available(marketOf(now.house, market)));
      if (paid !== 0n) now = credit(move(now, market, -paid), paid);
    }
  }
  return now;
}

/**
 * The books after an account has paid its losses from its cash, its lent cash and by borrowing; pro rata if that is not enough.
 * @throws UnknownMarket, UnknownCollateral, UnknownUnderlying, MissingPrice
 */
export function payLosses(books: Books): Books {
  const list = legs(books.account, books.house);
  const loss = totalLoss(list);
  if (loss === 0n) return books;
  let now = raise(books, loss);
  const { parts } = split(list, 0n, min(now.account.cash, loss));
  list.forEach(({ market }, i) => {
    now = payLoss(now, market, parts[i] ?? 0n);
  });
  return now;
}

/**
 * The books after an account has paid a loss [wad] in one market: from cash if that covers all of its losses, else all of them pro
 * rata. Markets without a usable price are left out.
 * @throws UnknownMarket, UnknownCollateral, UnknownUnderlying, MissingPrice
 */
export function settleLoss(books: Books, market: number, loss: bigint): Books {
  const list = legs(books.account, books.house);
  if (list.every((leg) => leg.market === market)) {
    const raised = raise(books, loss);
    return payLoss(raised, market, min(raised.account.cash, loss));
  }
  return books.account.cash >= totalLoss(list) ? payLoss(books, market, loss) : payLosses(books);
}

/**
 * The books after bringing an account's cash up to `amount` [wad] from its lent cash and, only while it is worth MM without
 * unsettled profit, by borrowing, as far as the lending pool is liquid.
 * @throws UnknownMarket, UnknownCollateral, UnknownUnderlying, MissingPrice
 */
export function raise(books: Books, amount: bigint): Books {
  if (books.account.cash >= amount) return books;
  const called = raiseCash(books, amount - books.account.cash, false);
  const { account, house } = called;
  const missing = amount - account.cash;
  if (missing === 0n || liquidity(currentLending(house.lending, house.time)) === 0n) return called;
  const s = snapshotOf(account, house, "cautious");
  if (s.unpriced) return called;
  const { equity, maintenanceMargin } = judge(s, house.risk);
  return equity - s.profit < maintenanceMargin ? called : raiseCash(called, missing, true);
}

/** What the pool of a market can pay out [wad]: nothing while bad debt stands. */
export function available(market: MarketState): bigint {
  return market.badDebt !== 0n ? 0n : positive(market.pool - market.flaggedDeficit);
}

/** The books after `amount` [wad] has come into an account: it repays debt first. */
export function credit({ account, house }: Books, amount: bigint): Books {
  return repay({ account: { ...account, cash: account.cash + amount }, house });
}

/** Whether the underlying of a market has a usable price. */
function isPriced(house: HouseState, market: number): boolean {
  return house.prices.has(marketOf(house, market).underlying);
}

/** Moves `amount` [wad] of a loss from cash into the pool. */
function payLoss(books: Books, market: number, amount: bigint): Books {
  const { account } = books;
  return amount === 0n
    ? books
    : move({ ...books, account: { ...account, cash: account.cash - amount } }, market, amount);
}

/** Adds `amount` [wad] to a quote and to the pool of its market. */
function move({ account, house }: Books, market: number, amount: bigint): Books {
  const { size, quote } = account.positions.get(market) ?? { size: 0n, quote: 0n };
  const state = marketOf(house, market);
  return {
    account: { ...account, positions: new Map(account.positions).set(market, { size, quote: quote + amount }) },
    house: { ...house, markets: new Map(house.markets).set(market, { ...state, pool: state.pool + amount }) },
  };
}
