import { abs, min, PPM } from "../risk/fixed.ts";
import type { SignedOrder } from "../sdk/orders.ts";
import { BTree, Ladder } from "./ladder.ts";
import type { Level, Tree } from "./ladder.ts";
import type { CancelReason, EngineEvent, FailedFact, MarketTerms, PlaceCommand, RejectReason } from "./types.ts";

/** What the exchange counts as the filled amount of a cancelled nonce. */
export const CANCELLED = (1n << 256n) - 1n;

/** Filled amounts are kept in these units on the chain [wad]. */
const LOT = 10n ** 9n;
const MAX_FAILURES = 3; // refused settlements after which an order is taken out, whoever is to blame

/** What bounds the work and the memory that orders can cause. */
export interface BookLimits {
  /** Most resting orders that one order meets. */
  readonly maxFills: number;
  /** Most fills of a fill-or-kill order: they have to fit into one settlement. */
  readonly maxWholeFills: number;
  /** Most orders that have ended and can still be asked for. */
  readonly maxClosed: number;
}

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
  chain: bigint; // [wad] filled amount on the chain
  pending: bigint; // [wad] filled here and not settled yet
  fills: number; // that are not settled yet
  orders: BookOrder[]; // those that are live
}

/** Size of a position [wad]: on the chain, and what fills that are not settled yet add to it. */
export interface Size {
  chain: bigint;
  pending: bigint;
}

/** What the book knows of an account. */
export interface AccountOrders {
  readonly id: bigint;
  readonly key: string; // 64 hexadecimal digits: maps hash only the low 64 bits of a bigint, and those of an id are mostly zero
  readonly owner: OwnerOrders;
  readonly slots: Map<bigint, Slot>;
  readonly live: Set<BookOrder>;
  readonly fills: Set<Fill>; // that are not settled yet
  readonly positions: Map<number, Size>;
  reducing: number; // live orders that are reduce-only
}

/** What the book knows of an owner. */
export interface OwnerOrders {
  readonly address: string; // lower case
  readonly accounts: Set<AccountOrders>;
}

/** An order in the book, or one that was. Amounts are [wad]. */
export interface BookOrder {
  readonly hash: string;
  readonly signed: SignedOrder;
  readonly account: AccountOrders;
  readonly slot: Slot;
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
}

export type OrderState = "open" | "filled" | "cancelled" | "expired";

/** A fill that waits for its settlement. */
export interface Fill {
  readonly id: number;
  readonly market: number;
  readonly maker: BookOrder;
  readonly taker: BookOrder;
  readonly size: bigint; // [wad]
  readonly price: bigint; // [wad]
  readonly time: number; // [ms]
}

/** What happens when two orders meet. */
type Step =
  | { readonly maker: BookOrder; readonly size: bigint; readonly price: bigint }
  | { readonly maker: BookOrder; readonly drop: CancelReason };

/** What an order would do to the book: nothing has changed yet. */
interface Plan {
  readonly steps: Step[];
  fills: number;
  left: bigint; // [wad] of the order
  stop: CancelReason | undefined; // why what is left must not rest
}

/** An account as a key: 64 hexadecimal digits. */
export function accountKey(account: bigint): string {
  return account.toString(16).padStart(64, "0");
}

/**
 * Every market's order book: price first, then time. Deterministic: the same calls lead to the same state and events. The price of a
 * fill is the resting order's limit, or the mid of both limits where both orders rest, as the exchange has it.
 */
export class OrderBook {
  readonly markets = new Map<number, MarketBook>();
  /** Live orders by hash. */
  readonly orders = new Map<string, BookOrder>();
  /** Orders that have ended lately, by hash; bounded. */
  readonly closed = new Map<string, BookOrder>();
  readonly accounts = new Map<string, AccountOrders>();
  readonly owners = new Map<string, OwnerOrders>();
  /** Fills that wait for their settlement, in order. */
  readonly fills = new Map<number, Fill>();
  /** What happened since somebody has emptied it. */
  events: EngineEvent[] = [];
  /** Levels that changed since somebody has emptied it. */
  touched: { readonly market: number; readonly buys: boolean; readonly price: bigint }[] = [];
  arrivals = 0;
  fillCount = 0;
  readonly limits: BookLimits;
  #ended: string[] = []; // a ring: taking the first key of a map again and again would step over all that was deleted
  #oldest = 0;
  readonly #expiries: Tree<number, Set<BookOrder>> = new BTree<number, Set<BookOrder>>();

  constructor(limits: BookLimits) {
    this.limits = limits;
  }

  // ---------------------------------------------------------------- markets and time

  /** Lists a market or changes its terms. */
  setTerms(terms: MarketTerms): void {
    const known = this.markets.get(terms.market);
    if (known !== undefined) known.terms = terms;
    else {
      const sides = { bids: new Ladder("bids"), asks: new Ladder("asks") };
      this.markets.set(terms.market, { id: terms.market, terms, ...sides });
    }
  }

  /** Second at which the next order expires; `undefined` without orders. */
  get nextExpiry(): number | undefined {
    return this.#expiries.minKey();
  }

  /** Ends every order whose last second is over at `time` [ms]. */
  expire(time: number): void {
    for (let second = this.nextExpiry; second !== undefined && isOver(second, time); second = this.nextExpiry) {
      for (const order of [...(this.#expiries.get(second) ?? [])]) this.#close(order, "expired");
    }
  }

  // ---------------------------------------------------------------- orders

  /** Takes an order: matches it, then rests what is left or kills it. Returns why not, if it does not take it. */
  place({ hash, signed, filled, position, time }: PlaceCommand): RejectReason | undefined {
    const { order } = signed;
    if (this.orders.has(hash) || this.closed.has(hash)) return "duplicate";
    const market = this.markets.get(Number(order.market));
    if (market === undefined) return "unknownMarket";
    if (isOver(Number(order.expiry), time)) return "expired";
    if (abs(order.size) < market.terms.minFill && !order.reduceOnly) return "belowMinFill";
    const slot = this.openSlot(order.account, order.nonce, filled);
    positionOf(slot.account, market.id).chain = position;
    const placed = newOrder(hash, signed, slot, market, time, ++this.arrivals);
    const refusal = this.#refusal(placed);
    if (refusal !== undefined) {
      this.#release(slot);
      return refusal;
    }
    this.events.push({ type: "accepted", order: hash });
    this.#enter(placed);
    return undefined;
  }

  /** Cancels a live order; false if there is none of that hash. */
  cancel(hash: string, reason: CancelReason): boolean {
    const order = this.orders.get(hash);
    if (order === undefined) return false;
    this.#close(order, "cancelled", reason);
    return true;
  }

  /** Cancels the live orders of an owner that `which` holds for. */
  cancelOf(owner: string, reason: CancelReason, which: (order: BookOrder) => boolean = () => true): void {
    const accounts = this.owners.get(owner)?.accounts ?? [];
    for (const order of [...accounts].flatMap(({ live }) => [...live])) {
      if (which(order)) this.#close(order, "cancelled", reason);
    }
  }

  // ---------------------------------------------------------------- what the chain says

  /** A fill has been settled with `size` [wad]. The nonces' new amounts have to follow, then `refreshAccount`. */
  settle(id: number, size: bigint, transaction: string): Fill | undefined {
    const fill = this.#unhold(id);
    if (fill === undefined) return undefined;
    for (const order of [fill.maker, fill.taker]) {
      order.filled += size - fill.size;
      order.settled += size;
    }
    const { maker, taker } = fill;
    this.events.push({ type: "settled", fill: id, maker: maker.hash, taker: taker.hash, size, transaction });
    return fill;
  }

  /** Brings every live order of an account in line with its nonces' filled amounts and its positions. */
  refreshAccount(account: AccountOrders): void {
    for (const order of [...account.live]) this.#refresh(order);
    for (const slot of [...account.slots.values()]) this.#release(slot);
  }

  /**
   * The chain refuses a fill. Who is to blame is taken out; the other one continues: what rests gets its size and place back, what
   * takes is matched again with the size that failed.
   */
  fail({ fill: id, reason, fault }: FailedFact): void {
    const fill = this.#unhold(id);
    if (fill === undefined) return;
    const { maker, taker } = fill;
    this.events.push({ type: "failed", fill: id, maker: maker.hash, taker: taker.hash, reason });
    const parties = [maker, taker];
    for (const order of parties) {
      order.filled -= fill.size;
      order.failures += 1;
    }
    const isBlamed = (order: BookOrder) =>
      fault === "both" || fault === (order === maker ? "maker" : "taker") || order.failures >= MAX_FAILURES;
    for (const order of parties) if (isBlamed(order)) this.#blame(order, reason);
    for (const order of parties) if (!isBlamed(order)) this.#restore(order, fill.size);
    for (const { account } of parties) this.refreshAccount(account);
  }

  #blame(order: BookOrder, detail: string): void {
    if (order.state === "open") this.#close(order, "cancelled", "settlementFailed", detail);
    else if (canReturn(order)) {
      order.state = "cancelled";
      order.reason = "settlementFailed";
      order.detail = detail;
      const remaining = order.size - order.filled;
      this.events.push({ type: "cancelled", order: order.hash, reason: "settlementFailed", remaining, detail });
    }
  }

  #restore(order: BookOrder, size: bigint): void {
    const { resting, fillOrKill } = order.signed.order;
    if (!canReturn(order)) return; // a live one gets back what it lost when its account is refreshed
    if (fillOrKill) {
      this.#blame(order, "another part of the fill-or-kill order failed");
      return;
    }
    if (!resting) order.killed = max0(order.size - used(order.slot) - size);
    this.closed.delete(order.hash);
    this.#enter(order);
  }

  // ---------------------------------------------------------------- matching

  #refusal(order: BookOrder): RejectReason | undefined {
    const { reduceOnly, postOnly } = order.signed.order;
    if (used(order.slot) >= order.size) return "alreadyFilled";
    if (reduceOnly && order.open === 0n) return "nothingToReduce";
    const best = this.#opposite(order).best;
    return postOnly && best !== undefined && crosses(order, best.price) ? "wouldCross" : undefined;
  }

  #enter(order: BookOrder): void {
    const { resting, fillOrKill } = order.signed.order;
    order.state = "open";
    order.reason = order.detail = undefined;
    order.open = openOf(order);
    this.#register(order);
    const stop = this.#take(order);
    if (order.open === 0n) this.#closeSpent(order);
    else if (stop !== undefined) this.#close(order, "cancelled", stop);
    else if (resting) this.#rest(order);
    else this.#close(order, "cancelled", fillOrKill ? "fillOrKill" : "immediateOrCancel");
  }

  /** Matches an order; returns why what is left of it must not rest. */
  #take(order: BookOrder): CancelReason | undefined {
    const best = this.#opposite(order).best;
    if (best === undefined || order.open === 0n || !crosses(order, best.price)) return undefined;
    const plan = this.#plan(order);
    if (order.signed.order.fillOrKill && (plan.left !== 0n || plan.fills > this.limits.maxWholeFills)) {
      return "fillOrKill";
    }
    for (const step of plan.steps) this.#perform(order, step);
    return plan.stop;
  }

  /** What an order would do, computed before anything changes, so that fill-or-kill needs no way back. */
  #plan(taker: BookOrder): Plan {
    const plan: Plan = { steps: [], fills: 0, left: taker.open, stop: undefined };
    const taken = new Map<Slot, bigint>(); // [wad] of nonces with several orders
    const moved = new Map<AccountOrders, bigint>(); // [wad] positions of accounts with reduce-only orders
    const ladder = this.#opposite(taker);
    for (let level = ladder.best; level !== undefined && crosses(taker, level.price); level = ladder.after(level)) {
      for (let maker = level.first; maker !== undefined; maker = maker.next) {
        if (plan.left === 0n) return plan;
        const { slot, account } = maker;
        const step = meet(taker, plan.left, maker, openOf(maker, taken.get(slot), moved.get(account)));
        plan.stop = "stop" in step ? step.stop : plan.steps.length >= this.limits.maxFills ? "tooManyFills" : undefined;
        if ("stop" in step || plan.stop !== undefined) return plan;
        plan.steps.push(step);
        if ("drop" in step) continue;
        plan.left -= step.size;
        plan.fills += 1;
        if (slot.orders.length > 1) taken.set(slot, (taken.get(slot) ?? 0n) + step.size);
        if (account.reducing > 0) {
          moved.set(account, (moved.get(account) ?? 0n) + (maker.buys ? step.size : -step.size));
        }
        if (isDust(taker, plan.left)) plan.stop = "belowMinFill";
        if (plan.stop !== undefined) return plan;
      }
    }
    return plan;
  }

  #perform(taker: BookOrder, step: Step): void {
    const { maker } = step;
    if (maker.state !== "open") return; // a fill before it has ended it already
    if ("drop" in step) this.#close(maker, "cancelled", step.drop);
    else this.#fill(maker, taker, step.size, step.price);
  }

  #fill(maker: BookOrder, taker: BookOrder, size: bigint, price: bigint): void {
    const id = ++this.fillCount;
    const market = maker.market.id;
    const fill: Fill = { id, market, maker, taker, size, price, time: Math.max(maker.placed, taker.placed) };
    this.events.push({
      type: "filled",
      fill: id,
      market,
      maker: maker.hash,
      taker: taker.hash,
      takerBuys: taker.buys,
      size,
      price,
    });
    maker.filled += size;
    taker.filled += size;
    this.hold(fill);
    for (const { slot, account } of [maker, taker]) {
      for (const order of slot.orders.length === 1 ? slot.orders : [...slot.orders]) this.#refresh(order);
      if (account.reducing > 0) this.#refreshReducing(account, maker.market);
    }
    if (maker.state === "open" && isDust(maker, maker.open)) this.#close(maker, "cancelled", "belowMinFill");
  }

  /** Counts a fill that is not settled yet on both orders' nonces and accounts. */
  hold(fill: Fill): void {
    this.fills.set(fill.id, fill);
    for (const { slot, account, buys } of [fill.maker, fill.taker]) {
      slot.pending += fill.size;
      slot.fills += 1;
      account.fills.add(fill);
      positionOf(account, fill.market).pending += buys ? fill.size : -fill.size;
    }
  }

  #unhold(id: number): Fill | undefined {
    const fill = this.fills.get(id);
    if (fill === undefined) return undefined;
    this.fills.delete(id);
    for (const { slot, account, buys } of [fill.maker, fill.taker]) {
      slot.pending -= fill.size;
      slot.fills -= 1;
      account.fills.delete(fill);
      positionOf(account, fill.market).pending -= buys ? fill.size : -fill.size;
    }
    return fill;
  }

  // ---------------------------------------------------------------- internals

  #opposite(order: BookOrder): Ladder {
    return order.buys ? order.market.asks : order.market.bids;
  }

  #side(order: BookOrder): Ladder {
    return order.buys ? order.market.bids : order.market.asks;
  }

  #register(order: BookOrder): void {
    const { slot, account } = order;
    this.orders.set(order.hash, order);
    slot.orders.push(order);
    account.live.add(order);
    if (order.signed.order.reduceOnly) account.reducing += 1;
  }

  #rest(order: BookOrder): void {
    this.#insert(order);
    this.events.push({ type: "rested", order: order.hash, remaining: order.open });
  }

  #insert(order: BookOrder): void {
    this.#side(order).insert(order);
    this.#touch(order);
    const known = this.#expiries.get(order.expiry);
    if (known === undefined) this.#expiries.set(order.expiry, new Set([order]));
    else known.add(order);
  }

  /** Puts an order back that a snapshot has kept. */
  revive(order: BookOrder): void {
    this.#register(order);
    this.#insert(order);
  }

  #refreshReducing(account: AccountOrders, market: MarketBook): void {
    for (const order of [...account.live]) {
      if (order.market === market && order.signed.order.reduceOnly) this.#refresh(order);
    }
  }

  /** Recomputes what of a live order is open; ends a resting one where that is nothing. */
  #refresh(order: BookOrder): void {
    const open = openOf(order);
    if (order.state !== "open") return;
    if (open !== order.open && order.level !== undefined) {
      order.level.size += open - order.open;
      this.#touch(order);
    }
    order.open = open;
    if (open === 0n && order.level !== undefined) this.#closeSpent(order);
  }

  #closeSpent(order: BookOrder): void {
    const { slot, size, filled, killed } = order;
    if (size - filled < LOT) this.#close(order, "filled");
    else if (slot.chain === CANCELLED) this.#close(order, "cancelled", "cancelledOnChain");
    else if (used(slot) < size - killed) this.#close(order, "cancelled", "nothingToReduce");
    else this.#close(order, "cancelled", "nonceFilled");
  }

  #close(order: BookOrder, state: OrderState, reason?: CancelReason, detail?: string): void {
    if (order.state !== "open") return;
    const { account, slot, hash } = order;
    if (order.level !== undefined) {
      this.#touch(order);
      this.#side(order).remove(order);
      this.#forgetExpiry(order);
    }
    this.orders.delete(hash);
    slot.orders.splice(slot.orders.indexOf(order), 1);
    account.live.delete(order);
    if (order.signed.order.reduceOnly) account.reducing -= 1;
    if (reason === "immediateOrCancel") order.killed += order.open;
    order.state = state;
    order.reason = reason;
    order.detail = detail;
    order.open = 0n;
    const remaining = order.size - order.filled;
    if (state === "expired") this.events.push({ type: "expired", order: hash, remaining });
    else if (reason !== undefined) {
      const event = { type: "cancelled", order: hash, reason, remaining } as const;
      this.events.push(detail === undefined ? event : { ...event, detail });
    }
    this.#keepClosed(order);
    this.#release(slot);
  }

  #keepClosed(order: BookOrder): void {
    this.closed.set(order.hash, order);
    if (this.#ended.length < this.limits.maxClosed) {
      this.#ended.push(order.hash);
      return;
    }
    const oldest = this.#ended[this.#oldest];
    if (oldest !== undefined) this.closed.delete(oldest);
    this.#ended[this.#oldest] = order.hash;
    this.#oldest = (this.#oldest + 1) % this.limits.maxClosed;
  }

  /** Hashes of the orders that have ended, the oldest first. */
  get ended(): string[] {
    return [...this.#ended.slice(this.#oldest), ...this.#ended.slice(0, this.#oldest)];
  }

  /** Sets what `ended` has answered; for snapshots. */
  set ended(hashes: readonly string[]) {
    this.#ended = hashes.slice(-this.limits.maxClosed);
    this.#oldest = 0;
  }

  #forgetExpiry(order: BookOrder): void {
    const same = this.#expiries.get(order.expiry);
    same?.delete(order);
    if (same?.size === 0) this.#expiries.delete(order.expiry);
  }

  #touch({ market, buys, price }: BookOrder): void {
    this.touched.push({ market: market.id, buys, price });
  }

  #account(id: bigint): AccountOrders {
    const key = accountKey(id);
    const known = this.accounts.get(key);
    if (known !== undefined) return known;
    const address = `0x${key.slice(0, 40)}`;
    let owner = this.owners.get(address);
    if (owner === undefined) this.owners.set(address, (owner = { address, accounts: new Set() }));
    const account: AccountOrders = {
      ...{ id, key, owner, slots: new Map(), live: new Set(), fills: new Set(), positions: new Map(), reducing: 0 },
    };
    owner.accounts.add(account);
    this.accounts.set(key, account);
    return account;
  }

  /** The slot of an account's nonce, of which `chain` [wad] are filled on the chain. */
  openSlot(accountId: bigint, nonce: bigint, chain: bigint): Slot {
    const account = this.#account(accountId);
    let slot = account.slots.get(nonce);
    if (slot === undefined) {
      slot = { account, nonce, chain, pending: 0n, fills: 0, orders: [] };
      account.slots.set(nonce, slot);
    }
    slot.chain = chain;
    return slot;
  }

  /** Forgets a slot that nothing needs any more, and its account and owner with it. */
  #release(slot: Slot): void {
    const { account } = slot;
    if (slot.orders.length > 0 || slot.fills > 0) return;
    account.slots.delete(slot.nonce);
    if (account.slots.size > 0) return;
    this.accounts.delete(account.key);
    account.owner.accounts.delete(account);
    if (account.owner.accounts.size === 0) this.owners.delete(account.owner.address);
  }
}

/** An order that is in no book yet. */
export function newOrder(
  hash: string,
  signed: SignedOrder,
  slot: Slot,
  market: MarketBook,
  time: number,
  arrival: number,
): BookOrder {
  const { size, limitPrice, expiry } = signed.order;
  const order: BookOrder = {
    hash,
    signed,
    account: slot.account,
    slot,
    market,
    buys: size > 0n,
    size: abs(size),
    price: limitPrice,
    expiry: Number(expiry),
    placed: time,
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
  };
  order.open = openOf(order);
  return order;
}

/** Whether the last second [s] at which an order can fill is over at `time` [ms]. */
export function isOver(expiry: number, time: number): boolean {
  return Math.floor(time / 1000) > expiry;
}

/** The size of an account's position in a market. */
export function positionOf(account: AccountOrders, market: number): Size {
  let size = account.positions.get(market);
  if (size === undefined) account.positions.set(market, (size = { chain: 0n, pending: 0n }));
  return size;
}

/** Filled amount of a nonce [wad], settled or not. */
export function used(slot: Slot): bigint {
  return slot.chain + slot.pending;
}

/** What of an order can fill [wad], were `taken` [wad] more of its nonce filled and its position moved by `moved` [wad]. */
function openOf(order: BookOrder, taken = 0n, moved = 0n): bigint {
  const rest = order.size - used(order.slot) - order.killed - taken;
  if (rest <= 0n) return 0n;
  if (!order.signed.order.reduceOnly) return rest;
  const { chain, pending } = positionOf(order.account, order.market.id);
  const size = chain + pending + moved;
  return min(rest, max0(order.buys ? -size : size));
}

function max0(amount: bigint): bigint {
  return amount > 0n ? amount : 0n;
}

/** Whether an order that has ended comes back when one of its fills fails. */
function canReturn({ state, reason }: BookOrder): boolean {
  return state === "filled" || reason === "immediateOrCancel";
}

function crosses(taker: BookOrder, price: bigint): boolean {
  return taker.buys ? taker.price >= price : taker.price <= price;
}

/** Too little left for a fill of its own; what closes a position may be smaller. */
function isDust(order: BookOrder, open: bigint): boolean {
  return open > 0n && open < order.market.terms.minFill && !order.signed.order.reduceOnly;
}

/**
 * What happens between an order and the best one on the other side. Orders of one owner do not trade with each other: the resting
 * one is cancelled, because the one that has just come is what its owner wants now.
 */
function meet(taker: BookOrder, left: bigint, maker: BookOrder, open: bigint): Step | { readonly stop: CancelReason } {
  const { index, priceBand, minFill } = maker.market.terms;
  const both = taker.signed.order.resting;
  if (maker.account.owner === taker.account.owner) return { maker, drop: "selfTrade" };
  if (open === 0n) return { maker, drop: maker.signed.order.reduceOnly ? "nothingToReduce" : "nonceFilled" };
  if (index === 0n) return { stop: "noPrice" };
  if (both && maker.signed.order.postOnly) return { stop: "meetsPostOnly" };
  const price = both ? (maker.price + taker.price) / 2n : maker.price;
  // Beyond the band on the side that would hurt the maker, his order is stale; on the other side nothing better can follow.
  if (price * PPM < index * (PPM - priceBand)) return maker.buys ? { stop: "priceBand" } : { maker, drop: "priceBand" };
  if (price * PPM > index * (PPM + priceBand)) return maker.buys ? { maker, drop: "priceBand" } : { stop: "priceBand" };
  const size = min(left, open);
  if (size < minFill && !closes(maker, size) && !closes(taker, size)) {
    return open <= left ? { maker, drop: "belowMinFill" } : { stop: "belowMinFill" };
  }
  return { maker, size, price };
}

/** Whether a fill of this size closes the position of a reduce-only order whole. */
function closes(order: BookOrder, size: bigint): boolean {
  if (!order.signed.order.reduceOnly) return false;
  const { chain, pending } = positionOf(order.account, order.market.id);
  return size === abs(chain + pending);
}
