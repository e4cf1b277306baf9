import { abs, min } from "../risk/fixed.ts";
import type { SignedOrder } from "../sdk/orders.ts";
import type { Ladder, Level } from "./ladder.ts";
import type { CancelReason, KeyFact, MarketTerms } from "./types.ts";

// What the order book is made of. Amounts and prices are [wad].

/** What the exchange counts as the filled amount of a cancelled nonce. */
export const CANCELLED = (1n << 256n) - 1n;

/** One market: its two sides and what the exchange allows in it. */
export interface MarketBook {
  readonly id: number;
  terms: MarketTerms;
  readonly bids: Ladder;
  readonly asks: Ladder;
}

/** All orders of one nonce of an account: they share one filled amount, so that one cancels the other. */
export interface Slot {
  readonly account: AccountOrders;
  readonly nonce: bigint;
  chain: bigint; // filled amount on the chain
  pending: bigint; // filled here and not settled yet
  fills: number; // that are not settled yet
  orders: readonly BookOrder[]; // those that are live; replaced when one comes or goes
}

/** Size of a position: on the chain, and what fills that are not settled yet add to it. */
export interface Size {
  chain: bigint;
  pending: bigint;
}

/** What the book knows of an account. */
export interface AccountOrders {
  readonly id: bigint;
  readonly key: string; // its id as 64 hexadecimal digits
  readonly owner: OwnerOrders;
  readonly slots: Map<bigint, Slot>;
  readonly fills: Set<Fill>; // that are not settled yet
  readonly positions: Map<number, Size>;
  open: number; // live orders
  reducing: number; // live orders that are reduce-only
}

/** What the book knows of an owner. */
export interface OwnerOrders {
  readonly address: string; // lower case
  readonly accounts: Set<AccountOrders>;
  readonly keys: Map<string, SigningKey>; // that have signed orders
  deadMan: number; // [s] his orders are void after it; 0 = never
}

/** A session key as the orders that it has signed share it: `KeyFact`. */
export interface SigningKey {
  readonly address: string;
  terms: Omit<KeyFact, "key">;
}

/** An order in the book, or one that was. */
export interface BookOrder {
  readonly hash: string;
  readonly signed: SignedOrder;
  readonly account: AccountOrders;
  readonly slot: Slot;
  readonly key: SigningKey | undefined; // that signed it; its owner has if there is none
  readonly market: MarketBook;
  readonly buys: boolean;
  readonly size: bigint; // without its sign
  readonly price: bigint;
  readonly expiry: number; // [s] last second at which it can fill
  readonly placed: number; // [ms]
  readonly arrival: number; // who comes first is served first
  open: bigint; // what can fill
  filled: bigint; // by this book
  settled: bigint; // of that, on the chain
  killed: bigint; // what an order that does not rest has given up
  failures: number; // settlements that the chain refused
  state: OrderState;
  reason: CancelReason | undefined;
  detail: string | undefined;
  level: Level | undefined;
  previous: BookOrder | undefined;
  next: BookOrder | undefined;
  lastSecond: number; // [s] under which it stands among the expiries
  placeInSecond: number;
}

export type OrderState = "open" | "filled" | "cancelled" | "expired";

/** A fill that waits for its settlement. */
export interface Fill {
  readonly id: number;
  readonly market: number;
  readonly maker: BookOrder;
  readonly taker: BookOrder;
  readonly size: bigint;
  readonly price: bigint;
  readonly time: number; // [ms]
}

/** An account id as 64 hexadecimal digits, of which the first 40 are its owner. */
export function accountKey(account: bigint): string {
  return account.toString(16).padStart(64, "0");
}

/** An order that is in no book yet. */
export function newOrder({
  hash,
  signed,
  slot,
  key,
  market,
  placed,
  arrival,
}: Pick<BookOrder, "hash" | "signed" | "slot" | "key" | "market" | "placed" | "arrival">): BookOrder {
  const { size, limitPrice, expiry } = signed.order;
  const order: BookOrder = {
    hash,
    signed,
    account: slot.account,
    slot,
    key,
    market,
    buys: size > 0n,
    size: abs(size),
    price: limitPrice,
    expiry: Number(expiry),
    placed,
    arrival,
    open: 0n,
    filled: 0n,
    settled: 0n,
    killed: 0n,
    failures: 0,
    state: "open",
    reason: undefined,
    detail: undefined,
    level: undefined,
    previous: undefined,
    next: undefined,
    lastSecond: 0,
    placeInSecond: 0,
  };
  order.open = openOf(order);
  return order;
}

/** Whether a last second [s] is over at `time` [ms]. */
export function isOver(second: number, time: number): boolean {
  return Math.floor(time / 1000) > second;
}

/** Last second [s] at which an order, the key that signed it and its owner's dead-man switch let it fill. */
export function lastSecondOf({ expiry, key, account }: BookOrder): number {
  const { deadMan } = account.owner;
  return Math.min(expiry, key?.terms.expiry ?? Infinity, deadMan === 0 ? Infinity : deadMan);
}

/** The size of an account's position in a market. */
export function positionOf(account: AccountOrders, market: number): Size {
  let size = account.positions.get(market);
  if (size === undefined) account.positions.set(market, (size = { chain: 0n, pending: 0n }));
  return size;
}

/** The live orders of an account. */
export function openOrders({ slots }: AccountOrders): BookOrder[] {
  const orders: BookOrder[] = [];
  for (const slot of slots.values()) orders.push(...slot.orders);
  return orders;
}

/** Filled amount of a nonce, settled or not. */
export function used(slot: Slot): bigint {
  return slot.chain + slot.pending;
}

/** What of an order can fill, were `taken` more of its nonce filled and its position moved by `moved`. */
export function openOf(order: BookOrder, taken = 0n, moved = 0n): bigint {
  const rest = order.size - used(order.slot) - order.killed - taken;
  if (rest <= 0n) return 0n;
  if (!order.signed.order.reduceOnly) return rest;
  const { chain, pending } = positionOf(order.account, order.market.id);
  const size = chain + pending + moved;
  return min(rest, max0(order.buys ? -size : size));
}

export function max0(amount: bigint): bigint {
  return amount > 0n ? amount : 0n;
}

/** Whether an order takes from a level of this price on the other side. */
export function crosses(taker: BookOrder, price: bigint): boolean {
  return taker.buys ? taker.price >= price : taker.price <= price;
}

/** Too little left for a fill of its own; what closes a position may be smaller. */
export function isDust(order: BookOrder, open: bigint): boolean {
  return open > 0n && open < order.market.terms.minFill && !order.signed.order.reduceOnly;
}
