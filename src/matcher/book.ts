import { LOT } from "../sdk/orders.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import {
  CANCELLED,
  crosses,
  isDust,
  isOver,
  isSignedBelow,
  lastSecondOf,
  max0,
  newAccount,
  newOrder,
  newOwner,
  openOf,
  openOrders,
  ownerKey,
  positionOf,
  used,
} from "./bookOrder.ts";
import type { AccountOrders, BookOrder, Fill, MarketBook, OrderState, OwnerOrders, SigningKey } from "./bookOrder.ts";
import { Expiries } from "./expiries.ts";
import { Ladder } from "./ladder.ts";
import type { Level } from "./ladder.ts";
import { planOf } from "./matching.ts";
import type { Step } from "./matching.ts";
import { Orders } from "./orders.ts";
import { Slot, Slots } from "./slots.ts";
import { isConditional, isTooPoor, isTriggered, Stops } from "./stops.ts";
import type {
  CancelReason,
  EngineEvent,
  FailedFact,
  HoldReason,
  KeyEnd,
  KeyFact,
  MarketTerms,
  PlaceCommand,
  RejectReason,
} from "./types.ts";

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

/**
 * Every market's order book: price first, then time. Deterministic: the same calls lead to the same state and events. The price of a
 * fill is the resting order's limit; of two that rest that of the only post-only one, which is the maker then, or the mid of both, as
 * the exchange has it.
 */
export class OrderBook {
  readonly markets = new Map<number, MarketBook>();
  readonly orders: Orders;
  readonly slots = new Slots();
  readonly accounts = new AccountMap<AccountOrders>();
  readonly owners = new Map<string, OwnerOrders>();
  /** Fills that wait for their settlement, in order. */
  readonly fills = new Map<number, Fill>();
  /** What happened since somebody has emptied it. */
  events: EngineEvent[] = [];
  /** Levels that changed since somebody has emptied it. */
  touched: Level[] = [];
  arrivals = 0;
  fillCount = 0;
  readonly limits: BookLimits;
  readonly #expiries = new Expiries();
  #openCount = 0;

  constructor(limits: BookLimits) {
    this.limits = limits;
    this.orders = new Orders(limits.maxClosed);
  }

  /** Number of live orders. */
  get openCount(): number {
    return this.#openCount;
  }

  // ---------------------------------------------------------------- markets and time

  /** Lists a market or changes its terms. */
  setTerms(terms: MarketTerms): void {
    const known = this.markets.get(terms.market);
    if (known !== undefined) known.terms = terms;
    else {
      const sides = { bids: new Ladder(terms.market, true), asks: new Ladder(terms.market, false) };
      this.markets.set(terms.market, { id: terms.market, terms, ...sides, stops: new Stops() });
    }
  }

  /** Second at which the next order expires; `undefined` without orders. */
  get nextExpiry(): number | undefined {
    return this.#expiries.next;
  }

  /** Ends every order whose last second is over at `time` [ms]. */
  expire(time: number): void {
    for (let second = this.nextExpiry; second !== undefined && isOver(second, time); second = this.nextExpiry) {
      for (const order of this.#expiries.at(second)) this.#lapse(order, time);
    }
  }

  #lapse(order: BookOrder, time: number): void {
    if (isOver(order.expiry, time)) this.#close(order, "expired");
    else
      this.#close(order, "cancelled", isOver(order.key?.terms.expiry ?? Infinity, time) ? "keyExpired" : "ownerSilent");
  }

  // ---------------------------------------------------------------- owners and their keys

  /** Says after which second [s] all orders of an owner are void; 0 = never. */
  setDeadMan(owner: OwnerOrders, deadMan: number): void {
    if (owner.deadMan === deadMan) return;
    owner.deadMan = deadMan;
    this.#reschedule(owner);
  }

  /** Says what an owner has granted to a key. */
  setKey(owner: OwnerOrders, { key: address, ...terms }: KeyFact): SigningKey {
    const known = owner.keys.get(address);
    if (known === undefined) {
      const key = { address, terms };
      owner.keys.set(address, key);
      return key;
    }
    const isMoved = known.terms.expiry !== terms.expiry;
    known.terms = terms;
    if (isMoved) this.#reschedule(owner);
    return known;
  }

  #reschedule(owner: OwnerOrders): void {
    for (const order of [...owner.accounts].flatMap(openOrders)) {
      this.#expiries.remove(order);
      this.#expiries.add(order);
    }
  }

  // ---------------------------------------------------------------- orders

  /** Takes an order: matches it, then rests what is left or kills it. Returns why not, if it does not take it. */
  place(command: PlaceCommand): RejectReason | undefined {
    const { hash, filled, position, deadMan, key: fact, time } = command;
    const { order } = command.signed;
    if (this.orders.get(hash) !== undefined) return "duplicate";
    const market = this.markets.get(Number(order.market));
    if (market === undefined) return "unknownMarket";
    const slot = this.openSlot(order.account, order.nonce, filled);
    const { account } = slot;
    this.setDeadMan(account.owner, deadMan);
    if (order.reduceOnly) positionOf(account, market.id).chain = position; // no other order asks for it
    const key = fact === undefined ? undefined : this.setKey(account.owner, fact);
    const placed = newOrder(command, slot, key, market, time, ++this.arrivals);
    const refusal = isOver(lastSecondOf(placed), time) ? "expired" : this.#refusal(placed);
    if (refusal !== undefined) {
      this.#release(slot);
      return refusal;
    }
    this.events.push({ type: "accepted", order: hash });
    if (isConditional(order)) this.#enterHeld(placed);
    else this.#enter(placed);
    return undefined;
  }

  /** Cancels a live order; false if there is none of that hash. */
  cancel(hash: string, reason: CancelReason): boolean {
    const order = this.orders.get(hash);
    if (order?.state !== "open") return false;
    this.#close(order, "cancelled", reason);
    return true;
  }

  /** Cancels the live orders of an owner that `which` holds for. */
  cancelOf(owner: string, reason: CancelReason, which: (order: BookOrder) => boolean = () => true): void {
    const accounts = this.owners.get(owner)?.accounts ?? [];
    for (const order of [...accounts].flatMap(openOrders)) {
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
    for (const order of openOrders(account)) this.#refresh(order);
    for (const slot of [...account.slots]) this.#release(slot);
  }

  /**
   * The chain refuses a fill. Who is to blame is taken out; the other one continues: what rests gets its size and place back, what
   * takes is matched again with the size that failed. In a pause of new risk who came last gives way, and nothing is held against either.
   */
  fail({ fill: id, reason, fault, keyEnd }: FailedFact): void {
    const fill = this.#unhold(id);
    if (fill === undefined) return;
    const { maker, taker } = fill;
    this.events.push({ type: "failed", fill: id, maker: maker.hash, taker: taker.hash, reason });
    const parties = [maker, taker];
    for (const order of parties) {
      order.filled -= fill.size;
      if (fault !== "trigger" && fault !== "pause") order.failures += 1;
    }
    const givesWay = fault === "pause" ? "taker" : fault;
    const isBlamed = (order: BookOrder) =>
      givesWay === "both" || givesWay === (order === maker ? "maker" : "taker") || order.failures >= MAX_FAILURES;
    if (fault === "trigger") this.#holdAgain(taker, reason);
    else for (const order of parties.filter(isBlamed)) this.#takeOut(order, reason, keyEnd);
    for (const order of parties) if (!isBlamed(order)) this.#restore(order, fill.size);
    for (const { account } of parties) this.refreshAccount(account);
    this.#serve(taker.market, taker.buys);
  }

  /** Takes out who is to blame, and with him what a key has signed that has come to its end. */
  #takeOut(order: BookOrder, detail: string, keyEnd: KeyEnd | undefined): void {
    if (keyEnd === undefined || !isSignedBelow(order, keyEnd.key)) {
      this.#blame(order, detail, "settlementFailed");
      return;
    }
    const { key, account, reason } = keyEnd;
    this.#blame(order, detail, reason);
    for (const other of [...order.account.owner.accounts].flatMap(openOrders)) {
      const isIn = account === undefined || account === other.account.id;
      if (isIn && isSignedBelow(other, key)) this.#close(other, "cancelled", reason, detail);
    }
  }

  #blame(order: BookOrder, detail: string, reason: CancelReason): void {
    if (order.state === "open") this.#close(order, "cancelled", reason, detail);
    else if (canReturn(order)) {
      order.state = "cancelled";
      order.reason = reason;
      order.detail = detail;
      const remaining = order.size - order.filled;
      this.events.push({ type: "cancelled", order: order.hash, reason, remaining, detail });
    }
  }

  #restore(order: BookOrder, size: bigint): void {
    const { resting, fillOrKill } = order.signed.order;
    if (!canReturn(order)) return; // a live one gets back what it lost when its account is refreshed
    if (fillOrKill) {
      this.#blame(order, "another part of the fill-or-kill order failed", "settlementFailed");
      return;
    }
    if (isConditional(order.signed.order)) {
      this.#reopen(order);
      this.#hold(order, "nothingToTake");
      return;
    }
    if (!resting) order.killed = max0(order.size - used(order.slot) - size);
    order.open = openOf(order);
    this.#enter(order);
  }

  // ---------------------------------------------------------------- held orders

  /** Number of held orders. */
  get heldCount(): number {
    return [...this.markets.values()].reduce((count, { stops }) => count + stops.size, 0);
  }

  /** Lets the index price of a market release what waits for it. Those released earlier that found too little to take come first. */
  release(id: number): void {
    const market = this.markets.get(id);
    if (market === undefined) return;
    for (const buys of [true, false]) this.#serve(market, buys);
    for (const order of market.stops.release(market.terms.index)) {
      if (order.held !== undefined) this.#releaseOne(order); // none before it has ended it
    }
  }

  #enterHeld(order: BookOrder): void {
    this.#register(order);
    if (isTriggered(order.signed.order, order.market.terms.index)) this.#releaseOne(order);
    else this.#hold(order, "untriggered");
  }

  #releaseOne(order: BookOrder): void {
    this.events.push({ type: "released", order: order.hash });
    this.#takeOrHold(order);
  }

  /** Lets released orders of a side take what rests now: the one with the best limit first, then who came first. */
  #serve({ stops, terms, bids, asks }: MarketBook, buys: boolean): void {
    if (stops.size === 0) return;
    const ladder = buys ? asks : bids;
    let order: BookOrder | undefined;
    for (;;) {
      const { best } = ladder;
      if (best === undefined || isTooPoor(best.price, !buys, terms)) return;
      order = stops.next(buys, best.price, order);
      if (order === undefined) return;
      if (isTriggered(order.signed.order, terms.index)) this.#takeOrHold(order);
      else this.#hold(order, "untriggered");
    }
  }

  /** A released order takes what it can; what is left waits for more. */
  #takeOrHold(order: BookOrder): void {
    const { held, filled } = order;
    this.#letGo(order);
    order.open = openOf(order);
    const canFill = order.open > 0n && !isDust(order, order.open);
    if (canFill) this.#take(order);
    if (order.size - order.filled < LOT) this.#close(order, "filled");
    else if (canFill && order.open > 0n && order.signed.order.fillOrKill) this.#close(order, "cancelled", "fillOrKill");
    else if (held === "nothingToTake" && order.filled === filled) this.#setAside(order, held);
    else this.#hold(order, "nothingToTake");
  }

  /** The index price has left an order's trigger before its settlement. */
  #holdAgain(order: BookOrder, detail: string): void {
    if (order.held !== "priceWentBack") order.failures += 1; // once for all fills that fail together
    if (order.failures >= MAX_FAILURES) {
      this.#blame(order, detail, "priceWentBack");
      return;
    }
    if (canReturn(order)) this.#reopen(order);
    if (order.state === "open") this.#hold(order, "priceWentBack");
  }

  #reopen(order: BookOrder): void {
    order.state = "open";
    order.reason = order.detail = undefined;
    this.#register(order);
  }

  #hold(order: BookOrder, reason: HoldReason): void {
    this.#letGo(order);
    order.open = openOf(order);
    this.#setAside(order, reason);
    this.events.push({ type: "held", order: order.hash, reason, remaining: order.size - order.filled });
  }

  #setAside(order: BookOrder, reason: HoldReason): void {
    const { stops, terms } = order.market;
    order.held = reason;
    if (reason === "nothingToTake") stops.ready(order);
    else stops.wait(order, terms.index);
    this.#expiries.add(order);
  }

  #letGo(order: BookOrder): void {
    if (order.held === undefined) return;
    order.held = undefined;
    order.market.stops.remove(order);
    this.#expiries.remove(order);
  }

  /** Ends a held order that can fill no more. What waits for its settlement may fail, so it ends nothing. */
  #refreshHeld(order: BookOrder): void {
    const { open, slot, account, size } = order;
    if (open > 0n) {
      if (isDust(order, open) && slot.fills === 0) this.#close(order, "cancelled", "belowMinFill");
    } else if (account.fills.size === 0 || slot.chain >= size) this.#closeSpent(order);
  }

  // ---------------------------------------------------------------- matching

  #refusal(order: BookOrder): RejectReason | undefined {
    const { reduceOnly, signed } = order;
    if (isDust(order, order.size)) return "belowMinFill";
    if (used(order.slot) >= order.size) return "alreadyFilled";
    if (reduceOnly && order.open === 0n) return "nothingToReduce";
    const { best } = opposite(order);
    return signed.order.postOnly && best !== undefined && crosses(order, best.price) ? "wouldCross" : undefined;
  }

  #enter(order: BookOrder): void {
    const { resting, fillOrKill } = order.signed.order;
    this.#reopen(order);
    const stop = this.#take(order);
    if (order.open === 0n) this.#closeSpent(order);
    else if (stop !== undefined) this.#close(order, "cancelled", stop);
    else if (resting) this.#rest(order);
    else this.#close(order, "cancelled", fillOrKill ? "fillOrKill" : "immediateOrCancel");
  }

  /** Matches an order; returns why what is left of it must not rest. */
  #take(order: BookOrder): CancelReason | undefined {
    const ladder = opposite(order);
    if (ladder.best === undefined || !crosses(order, ladder.best.price)) return undefined;
    const plan = planOf(order, ladder, this.limits.maxFills);
    if (order.signed.order.fillOrKill && (plan.left !== 0n || plan.fills > this.limits.maxWholeFills)) {
      return "fillOrKill";
    }
    for (const step of plan.steps) this.#perform(order, step);
    return plan.stop;
  }

  #perform(taker: BookOrder, step: Step): void {
    const { maker } = step;
    if (maker.state !== "open") return; // a fill before it has ended it already
    if ("drop" in step) {
      this.#close(maker, "cancelled", step.drop);
      return;
    }
    const [makes, takes] = taker.signed.order.postOnly ? [taker, maker] : [maker, taker];
    this.#fill(makes, takes, step.size, step.price);
    if (isDust(maker, maker.open)) this.#close(maker, "cancelled", "belowMinFill");
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
      for (const order of slot.orders) this.#refresh(order);
      if (account.reducing > 0) this.#refreshReducing(account, maker.market);
    }
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

  #register(order: BookOrder): void {
    const { slot, account } = order;
    this.orders.add(order);
    this.#openCount += 1;
    slot.add(order);
    account.open += 1;
    if (order.reduceOnly) account.reducing += 1;
  }

  #rest(order: BookOrder): void {
    this.#insert(order);
    this.events.push({ type: "rested", order: order.hash, remaining: order.open });
    this.#serve(order.market, !order.buys);
  }

  #insert(order: BookOrder): void {
    sideOf(order).insert(order);
    if (order.level !== undefined) this.touched.push(order.level);
    this.#expiries.add(order);
  }

  /** Puts an order back that a snapshot has kept. */
  revive(order: BookOrder): void {
    this.#register(order);
    if (order.held === undefined) this.#insert(order);
    else this.#setAside(order, order.held);
  }

  #refreshReducing(account: AccountOrders, market: MarketBook): void {
    for (const order of openOrders(account)) {
      if (order.market === market && order.reduceOnly) this.#refresh(order);
    }
  }

  /** Recomputes what of a live order is open; ends a resting one where that is nothing. */
  #refresh(order: BookOrder): void {
    const open = openOf(order);
    if (order.state !== "open") return;
    if (open !== order.open && order.level !== undefined) {
      order.level.size += open - order.open;
      this.touched.push(order.level);
    }
    order.open = open;
    if (order.held !== undefined) this.#refreshHeld(order);
    else if (open === 0n && order.level !== undefined) this.#closeSpent(order);
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
    const { account, slot, level, hash } = order;
    if (level !== undefined) {
      this.touched.push(level);
      level.ladder.remove(order);
      this.#expiries.remove(order);
    }
    this.#letGo(order);
    this.#openCount -= 1;
    slot.remove(order);
    account.open -= 1;
    if (order.reduceOnly) account.reducing -= 1;
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
    this.orders.end(order);
    this.#release(slot);
  }

  #account(id: bigint): AccountOrders {
    const known = this.accounts.get(id);
    if (known !== undefined) return known;
    const address = ownerKey(id);
    let owner = this.owners.get(address);
    if (owner === undefined) this.owners.set(address, (owner = newOwner(address)));
    const account = newAccount(id, owner);
    owner.accounts.add(account);
    this.accounts.set(id, account);
    return account;
  }

  /** The slot of an account's nonce, of which `chain` [wad] are filled on the chain. */
  openSlot(accountId: bigint, nonce: bigint, chain: bigint): Slot {
    const account = this.#account(accountId);
    let slot = this.slots.get(account, nonce);
    if (slot === undefined) {
      slot = new Slot(account, nonce, chain);
      this.slots.add(slot);
    } else slot.chain = chain;
    return slot;
  }

  /** Forgets a slot that nothing needs any more, and its account and owner with it. */
  #release(slot: Slot): void {
    const { account } = slot;
    if (slot.first !== undefined || slot.fills > 0) return;
    this.slots.remove(slot);
    if (account.slots.length > 0) return;
    this.accounts.delete(account.id);
    account.owner.accounts.delete(account);
    if (account.owner.accounts.size === 0) this.owners.delete(account.owner.address);
  }
}

/** Whether an order that has ended comes back when one of its fills fails. */
function canReturn({ state, reason }: BookOrder): boolean {
  return state === "filled" || reason === "immediateOrCancel";
}

function sideOf({ buys, market }: BookOrder): Ladder {
  return buys ? market.bids : market.asks;
}

function opposite({ buys, market }: BookOrder): Ladder {
  return buys ? market.asks : market.bids;
}
