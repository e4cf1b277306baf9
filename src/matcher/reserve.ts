import { abs, clamp, divUp, MAX_PRICE, PPM } from "../risk/fixed.ts";
import { assessAccount } from "../risk/account.ts";
import { mayStand } from "../risk/health.ts";
import { surchargeOf } from "../risk/surcharge.ts";
import type { AccountState, Assessment, HouseState, MarketState } from "../risk/types.ts";
import { applyFill } from "../risk/whatIf.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { OrderBook } from "./book.ts";
import { openOrders } from "./bookOrder.ts";
import type { AccountOrders } from "./bookOrder.ts";
import type { ChainView } from "./chain.ts";

/** What an account's orders could make of it. Amounts are [wad]. */
export interface Reserve extends Assessment {
  readonly accepted: boolean; // whether the ledger would let the account stand
  readonly surcharge: bigint; // that openings must carry beyond IM
}

/** Part of an order that could fill [wad]; positive buys. */
export interface OpenSize {
  readonly market: number;
  readonly size: bigint;
  readonly price: bigint; // its limit
}

/**
 * Size [wad] and what it costs [wad · wad] of all that could be bought, or sold, in a market, each order at its limit, but not beyond the
 * worst price that the exchange allows now, nor better than the index.
 */
interface Side {
  size: bigint;
  cost: bigint;
  readonly lowest: bigint; // [wad]
  readonly highest: bigint; // [wad]
}

interface Sides {
  readonly buys: Side;
  readonly sells: Side;
}

/**
 * What becomes of an account if its fills that wait for settlement are settled, and in each market the worse side of its open orders
 * fills whole, each at its limit but within the price band and never better than the index. Reduce-only orders are left aside: they
 * can only make its positions smaller.
 * @param added an order that is not in the book yet; its side is the one that fills in its market
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice, MissingRate
 */
export function reserve(id: AccountId, book: OrderBook, chain: ChainView, added?: OpenSize): Reserve {
  const { house } = chain;
  const before = chain.account(id);
  const known = book.accounts.get(id);
  let account = known === undefined ? before : withWaitingFills(before, known, chain);
  const opened = new Set<number>();
  for (const [market, sides] of openSides(known, house, added)) {
    const forced = market === added?.market ? sideOf(added.size > 0n) : undefined;
    const side = forced ?? worseSide(account, chain, market, sides);
    const { size, cost } = sides[side];
    if (size === 0n) continue;
    const price = side === "buys" ? divUp(cost, size) : cost / size;
    const fill = { market, size: side === "buys" ? size : -size, price, feeRate: chain.feeOf(market) };
    account = applyFill(account, house, fill);
    opened.add(market);
  }
  let surcharge = 0n;
  for (const market of opened) if (opens(before, account, market)) surcharge += surchargeOf(account, house, market);
  return {
    ...assessAccount(account, house),
    surcharge,
    accepted: mayStand(before, { account, house }, { leaves: false, surcharge }),
  };
}

function withWaitingFills(before: AccountState, known: AccountOrders, chain: ChainView): AccountState {
  let account = before;
  for (const { maker, taker, market, size, price } of known.fills) {
    const { buys } = maker.account === known ? maker : taker;
    const fill = { market, size: buys ? size : -size, price, feeRate: chain.feeOf(market) };
    account = applyFill(account, chain.house, fill);
  }
  return account;
}

/** What could fill in each market: of the market of an order that is added, its side only. */
function openSides(known: AccountOrders | undefined, house: HouseState, added?: OpenSize): Map<number, Sides> {
  const open = new Map<number, Sides>();
  const add = (market: number, buys: boolean, size: bigint, price: bigint) => {
    let sides = open.get(market);
    if (sides === undefined) open.set(market, (sides = emptySides(house, market)));
    const side = sides[sideOf(buys)];
    side.size += size;
    side.cost += size * clamp(price, side.lowest, side.highest);
  };
  for (const { signed, market, buys, open: size, price } of known === undefined ? [] : openOrders(known)) {
    if (signed.order.reduceOnly || (market.id === added?.market && buys !== added.size > 0n)) continue;
    add(market.id, buys, size, price);
  }
  if (added !== undefined) add(added.market, added.size > 0n, abs(added.size), added.price);
  return open;
}

function sideOf(buys: boolean): keyof Sides {
  return buys ? "buys" : "sells";
}

function emptySides(house: HouseState, market: number): Sides {
  const state = house.markets.get(market);
  const index = state === undefined ? undefined : house.prices.get(state.underlying)?.price;
  const [low, high] = state === undefined || index === undefined ? [0n, MAX_PRICE] : bandOf(state, index);
  return {
    buys: { size: 0n, cost: 0n, lowest: index ?? low, highest: high },
    sells: { size: 0n, cost: 0n, lowest: low, highest: index ?? high },
  };
}

function bandOf({ priceBand }: MarketState, index: bigint): [bigint, bigint] {
  return [divUp(index * (PPM - priceBand), PPM), (index * (PPM + priceBand)) / PPM];
}

/** Which side of a market would leave the account with less beyond IM. */
function worseSide(account: AccountState, chain: ChainView, market: number, { buys, sells }: Sides): keyof Sides {
  if (sells.size === 0n || buys.size === 0n) return sells.size === 0n ? "buys" : "sells";
  const { house } = chain;
  const excess = (size: bigint, cost: bigint) => {
    const price = cost / abs(size);
    const after = applyFill(account, house, { market, size, price, feeRate: chain.feeOf(market) });
    const { equity, initialMargin } = assessAccount(after, house);
    return equity - initialMargin;
  };
  return excess(buys.size, buys.cost) < excess(-sells.size, sells.cost) ? "buys" : "sells";
}

function opens(before: AccountState, after: AccountState, market: number): boolean {
  return abs(after.positions.get(market)?.size ?? 0n) > abs(before.positions.get(market)?.size ?? 0n);
}
