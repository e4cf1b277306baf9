import { abs, min } from "../risk/fixed.ts";
import type { Order, SignedOrder } from "../sdk/orders.ts";
import type { Hashed } from "./hashTable.ts";
import type { Ladder, Level } from "./ladder.ts";
import { hashCodeOf } from "./orders.ts";
import type { Slot } from "./slots.ts";
import type { Stops } from "./stops.ts";
import type { CancelReason, HoldReason, KeyFact, MarketTerms } from "./types.ts";

// What the order book is made of. Amounts and prices are [wad].

/** What the exchange counts as the filled amount of a cancelled nonce. */
export const CANCELLED = (1n << 256n) - 1n;

/** One market: its two sides and what the exchange allows in it. */
export interface MarketBook {
  readonly id: number;
  terms: MarketTerms;
  readonly bids: Ladder;
  readonly asks: Ladder;
  readonly stops: Stops;
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
  readonly salt: number; // so that nobody can choose nonces that share a hash code with those of others
  readonly slots: Slot[]; // in no order
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
export interface BookOrder extends Hashed<BookOrder> {
  readonly hash: string;
  readonly signed: SignedOrder;
  readonly account: AccountOrders;
  readonly slot: Slot;
  readonly key: SigningKey | undefined; // that signed it; its owner has if there is none
  readonly market: MarketBook;
  readonly buys: boolean;
  readonly size: bigint; // without its sign
  readonly price: bigint;
  readonly reduceOnly: boolean;
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
  held: HoldReason | undefined; // it is live, but outside the book
  level: Level | undefined;
  previous: BookOrder | undefined;
  next: BookOrder | undefined;
  sibling: BookOrder | undefined; // the next one of its nonce
  placeAmongEnded: number | undefined;
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

/** The owner of an account, in lower case. */
export function ownerKey(account: bigint): string {
  return `0x${accountKey(account).slice(0, 40)}`;
}

/** An order that is in no book yet. */
export function newOrder(
  { hash, signed }: Pick<BookOrder, "hash" | "signed">,
  slot: Slot,
  key: SigningKey | undefined,
  market: MarketBook,
  placed: number,
  arrival: number,
): BookOrder {
  const { size, limitPrice, reduceOnly, expiry } = signed.order;
  const order: BookOrder = {
    hashCode: hashCodeOf(hash),
    twin: undefined,
    // What changes together stands together: an old order is rarely in the processor's cache.
    previous: undefined,
    next: undefined,
    level: undefined,
    arrival,
    open: 0n,
    state: "open",
    held: undefined,
    lastSecond: 0,
    placeInSecond: 0,
    placeAmongEnded: undefined,
    slot,
    sibling: undefined,
    account: slot.account,
    reduceOnly,
    reason: undefined,
    detail: undefined,
    hash,
    filled: 0n,
    size: abs(size),
    killed: 0n,
    buys: size > 0n,
    price: limitPrice,
    market,
    key,
    signed,
    expiry: Number(expiry),
    placed,
    settled: 0n,
    failures: 0,
  };
  order.open = openOf(order);
  return order;
}

/** Whether a session key has signed an order, or one above the key that has. */
export function isSignedBelow({ key: signer }: BookOrder, key: string): boolean {
  return signer !== undefined && (signer.address === key || signer.terms.above.includes(key));
}

/** Whether an order is good while its owner is in lockdown. */
export function isGoodInLockdown({ reduceOnly, executionFee }: Order): boolean {
  return reduceOnly && executionFee === 0n;
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

/** The live orders of an account, first come first. */
export function openOrders({ slots }: AccountOrders): BookOrder[] {
  const orders: BookOrder[] = [];
  for (const { first } of slots) {
    for (let order = first; order !== undefined; order = order.sibling) orders.push(order);
  }
  return orders.sort((a, b) => a.arrival - b.arrival);
}

/** An account of which the book knows nothing yet. */
export function newAccount(id: bigint, owner: OwnerOrders): AccountOrders {
  const salt = Math.floor(Math.random() * 2 ** 30);
  const empty = { slots: [], fills: new Set<Fill>(), positions: new Map<number, Size>(), open: 0, reducing: 0 };
  return { id, key: accountKey(id), owner, salt, ...empty };
}

/** An owner of whom the book knows nothing yet. */
export function newOwner(address: string): OwnerOrders {
  return { address, accounts: new Set(), keys: new Map(), deadMan: 0 };
}

/** Filled amount of a nonce, settled or not. */
export function used(slot: Slot): bigint {
  return slot.pending === 0n ? slot.chain : slot.chain + slot.pending;
}

/** What of an order can fill, were `taken` more of its nonce filled and its position moved by `moved`. */
export function openOf(order: BookOrder, taken = 0n, moved = 0n): bigint {
  const gone = used(order.slot) + order.killed + taken;
  const rest = gone === 0n ? order.size : order.size - gone; // the common case makes no new bigint
  if (rest <= 0n) return 0n;
  if (!order.reduceOnly) return rest;
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
  return open > 0n && open < order.market.terms.minFill && !order.reduceOnly;
}
