import { isOver } from "../../src/matcher/bookOrder.ts";
import type { MarketTerms, PlaceCommand } from "../../src/matcher/types.ts";

const PPM = 10n ** 6n;
const READY = "nothingToTake";

interface Resting {
  command: PlaceCommand;
  arrival: number;
  filled: bigint;
  level: boolean; // it rests, the one that has just come does not yet
  held?: string; // why it is outside the book
}

const abs = (x: bigint): bigint => (x < 0n ? -x : x);
const owner = (account: bigint): bigint => account >> 96n;

/** The book's rules once more, as plainly as they can be written: lists that are sorted anew each time. */
export class NaiveBook {
  orders: Resting[] = [];
  log: string[] = [];
  readonly used = new Map<string, bigint>();
  readonly positions = new Map<string, bigint>();
  readonly terms: Map<number, MarketTerms>;
  readonly seen = new Set<string>();
  arrivals = 0;

  constructor(terms: readonly MarketTerms[]) {
    this.terms = new Map(terms.map((t) => [t.market, t]));
  }

  place(command: PlaceCommand): void {
    const { order } = command.signed;
    const terms = this.terms.get(Number(order.market))!;
    const slot = slotOf(command);
    if (this.seen.has(command.hash)) {
      this.say(`rejected ${command.hash} duplicate`);
      return;
    }
    if (isOver(lastSecond(command), command.time)) {
      this.say(`rejected ${command.hash} expired`);
      return;
    }
    if (abs(order.size) < terms.minFill && !order.reduceOnly) {
      this.say(`rejected ${command.hash} belowMinFill`);
      return;
    }
    const taker: Resting = { command, arrival: ++this.arrivals, filled: 0n, level: false };
    if ((this.used.get(slot) ?? 0n) >= abs(order.size)) {
      this.say(`rejected ${command.hash} alreadyFilled`);
      return;
    }
    if (order.reduceOnly && this.open(taker) === 0n) {
      this.say(`rejected ${command.hash} nothingToReduce`);
      return;
    }
    if (order.postOnly && this.facing(taker).length > 0) {
      this.say(`rejected ${command.hash} wouldCross`);
      return;
    }
    this.seen.add(command.hash);
    this.say(`accepted ${command.hash}`);
    if (order.triggerAbove + order.triggerBelow > 0n) {
      this.orders.push(taker);
      if (this.isTriggered(taker)) this.release(taker);
      else this.hold(taker, "untriggered");
      return;
    }
    if (order.fillOrKill && !this.fillsWhole(taker)) {
      this.say(`cancelled ${command.hash} fillOrKill ${abs(order.size)}`);
      return;
    }
    this.orders.push(taker);
    const stop = this.match(taker);
    const left = this.open(taker);
    if (left === 0n) this.spent(taker);
    else if (stop !== undefined) this.end(taker, stop);
    else if (order.resting) {
      taker.level = true;
      this.say(`rested ${command.hash} ${left}`);
      this.serve(Number(order.market), order.size < 0n);
    } else this.end(taker, "immediateOrCancel");
  }

  /** The index price changes, which releases orders that wait for it. */
  setIndex(market: number, index: bigint): void {
    this.terms.set(market, { ...this.terms.get(market)!, index });
    this.serve(market, true);
    this.serve(market, false);
    const waiting = this.orders.filter(
      ({ command, held }) => held !== undefined && held !== READY && Number(command.signed.order.market) === market,
    );
    waiting.sort((a, b) => a.arrival - b.arrival);
    for (const one of waiting.filter((held) => this.isTriggered(held))) this.release(one);
  }

  private isTriggered({ command }: Resting): boolean {
    const { market, triggerAbove, triggerBelow } = command.signed.order;
    const { index } = this.terms.get(Number(market))!;
    if (index === 0n || index < triggerAbove) return false;
    return triggerBelow === 0n || triggerBelow >= index;
  }

  private release(one: Resting): void {
    this.say(`released ${one.command.hash}`);
    this.takeHeld(one);
  }

  private hold(one: Resting, reason: string): void {
    one.held = reason;
    this.say(`held ${one.command.hash} ${reason} ${abs(one.command.signed.order.size) - one.filled}`);
  }

  private takeHeld(one: Resting): void {
    const { held, filled } = one;
    const { order } = one.command.signed;
    const open = this.open(one);
    const { minFill } = this.terms.get(Number(order.market))!;
    const canFill = open >= minFill || (order.reduceOnly && open > 0n);
    delete one.held;
    if (canFill && (!order.fillOrKill || this.fillsWhole(one))) this.match(one);
    if (one.filled === abs(order.size)) this.orders.splice(this.orders.indexOf(one), 1);
    else if (canFill && order.fillOrKill && this.open(one) > 0n) this.end(one, "fillOrKill");
    else if (held !== READY || one.filled > filled) this.hold(one, READY);
    else one.held = held;
  }

  /** Orders that were released and found too little take what rests now, the best limit first, then who came first. */
  private serve(market: number, buys: boolean): void {
    const ready = this.orders.filter(
      ({ command: { signed }, held }) =>
        held === READY && Number(signed.order.market) === market && signed.order.size > 0n === buys,
    );
    const rank = ({ command }: Resting) => (buys ? -command.signed.order.limitPrice : command.signed.order.limitPrice);
    ready.sort((a, b) => (rank(a) === rank(b) ? a.arrival - b.arrival : rank(a) < rank(b) ? -1 : 1));
    const { index, priceBand } = this.terms.get(market)!;
    for (const one of ready) {
      const [best] = this.facing(one);
      if (best === undefined) return;
      const price = best.command.signed.order.limitPrice;
      if (buys ? price * PPM > index * (PPM + priceBand) : price * PPM < index * (PPM - priceBand)) return;
      if (this.isTriggered(one)) this.takeHeld(one);
      else this.hold(one, "untriggered");
    }
  }

  /** Takes what crosses, best price first, first come first. Returns why it had to stop. */
  private match(taker: Resting): string | undefined {
    const { order } = taker.command.signed;
    const { index, priceBand, minFill } = this.terms.get(Number(order.market))!;
    for (;;) {
      const left = this.open(taker);
      if (left === 0n) return undefined;
      if (taker.filled > 0n && left < minFill && !order.reduceOnly) return "belowMinFill";
      const [maker] = this.facing(taker);
      if (maker === undefined) return undefined;
      const other = maker.command.signed.order;
      if (owner(other.account) === owner(order.account)) {
        this.end(maker, "selfTrade");
        continue;
      }
      if (index === 0n) return "noPrice";
      const isMid = order.resting && !other.postOnly;
      const price = isMid ? (order.limitPrice + other.limitPrice) / 2n : other.limitPrice;
      const low = price * PPM < index * (PPM - priceBand);
      const high = price * PPM > index * (PPM + priceBand);
      if (low || high) {
        if (low === other.size > 0n) return "priceBand";
        this.end(maker, "priceBand");
        continue;
      }
      const distance = abs(price - index) * PPM;
      if (distance > index * (maker.command.key?.priceBand ?? PPM)) {
        this.end(maker, "keyPriceBand");
        continue;
      }
      if (distance > index * (taker.command.key?.priceBand ?? PPM)) return "keyPriceBand";
      const open = this.open(maker);
      const size = left < open ? left : open;
      const closing = [maker, taker].some(
        ({ command: { signed } }) => signed.order.reduceOnly && size === abs(this.position(signed.order)),
      );
      if (size < minFill && !closing) {
        if (open > left) return "belowMinFill";
        this.end(maker, "belowMinFill");
        continue;
      }
      this.fill(maker, taker, size, price);
    }
  }

  private fill(maker: Resting, taker: Resting, size: bigint, price: bigint): void {
    this.say(`filled ${maker.command.hash} ${taker.command.hash} ${size} ${price}`);
    for (const one of [maker, taker]) {
      const { order } = one.command.signed;
      one.filled += size;
      this.used.set(slotOf(one.command), (this.used.get(slotOf(one.command)) ?? 0n) + size);
      const key = `${order.account}:${order.market}`;
      this.positions.set(key, (this.positions.get(key) ?? 0n) + (order.size > 0n ? size : -size));
      for (const other of [...this.orders]) if (other.level && this.open(other) === 0n) this.spent(other);
    }
    const { order } = maker.command.signed;
    const open = this.open(maker);
    const { minFill } = this.terms.get(Number(order.market))!;
    if (this.orders.includes(maker) && open < minFill && !order.reduceOnly) this.end(maker, "belowMinFill");
  }

  private fillsWhole(taker: Resting): boolean {
    const trial = new NaiveBook([...this.terms.values()]);
    trial.orders = this.orders.map((order) => ({ ...order }));
    for (const [key, value] of this.used) trial.used.set(key, value);
    for (const [key, value] of this.positions) trial.positions.set(key, value);
    const copy = { ...taker };
    const before = trial.open(copy);
    trial.orders.push(copy);
    trial.match(copy);
    return trial.open(copy) === 0n && copy.filled - taker.filled === before;
  }

  /** What rests on the other side and crosses, in the order in which it is served. */
  private facing({ command }: Resting): Resting[] {
    const { order } = command.signed;
    const buys = order.size > 0n;
    return this.side(Number(order.market), !buys).filter(({ command: { signed } }) =>
      buys ? signed.order.limitPrice <= order.limitPrice : signed.order.limitPrice >= order.limitPrice,
    );
  }

  side(market: number, buys: boolean): Resting[] {
    const rank = ({ command }: Resting) => (buys ? -command.signed.order.limitPrice : command.signed.order.limitPrice);
    return this.orders
      .filter(({ command: { signed }, level }) => level && Number(signed.order.market) === market)
      .filter(({ command: { signed } }) => signed.order.size > 0n === buys)
      .sort((a, b) => (rank(a) === rank(b) ? a.arrival - b.arrival : rank(a) < rank(b) ? -1 : 1));
  }

  open(one: Resting): bigint {
    const { order } = one.command.signed;
    const rest = abs(order.size) - (this.used.get(slotOf(one.command)) ?? 0n);
    if (rest <= 0n) return 0n;
    if (!order.reduceOnly) return rest;
    const size = this.position(order);
    const reducible = order.size > 0n ? -size : size;
    return reducible <= 0n ? 0n : reducible < rest ? reducible : rest;
  }

  private position(order: { account: bigint; market: bigint }): bigint {
    return this.positions.get(`${order.account}:${order.market}`) ?? 0n;
  }

  cancel(hash: string, reason: string): void {
    const one = this.orders.find(({ command }) => command.hash === hash);
    if (one !== undefined) this.end(one, reason);
  }

  cancelOwner(who: bigint, reason: string): void {
    for (const one of [...this.orders]) if (owner(one.command.signed.order.account) === who) this.end(one, reason);
  }

  expire(time: number): void {
    for (const one of [...this.orders]) {
      const { expiry, size } = one.command.signed.order;
      if (!isOver(lastSecond(one.command), time)) continue;
      if (!isOver(Number(expiry), time)) {
        const { key } = one.command;
        this.end(one, key !== undefined && isOver(key.expiry, time) ? "keyExpired" : "ownerSilent");
        continue;
      }
      this.orders.splice(this.orders.indexOf(one), 1);
      this.say(`expired ${one.command.hash} ${abs(size) - one.filled}`);
    }
  }

  private spent(one: Resting): void {
    const { order } = one.command.signed;
    const used = this.used.get(slotOf(one.command)) ?? 0n;
    if (one.filled === abs(order.size)) {
      this.orders.splice(this.orders.indexOf(one), 1);
    } else if (used < abs(order.size)) this.end(one, "nothingToReduce");
    else this.end(one, "nonceFilled");
  }

  private end(one: Resting, reason: string): void {
    this.orders.splice(this.orders.indexOf(one), 1);
    this.say(`cancelled ${one.command.hash} ${reason} ${abs(one.command.signed.order.size) - one.filled}`);
  }

  private say(what: string): void {
    this.log.push(what);
  }
}

/** [s] From when on an order, its key or its owner is no more. */
function lastSecond({ signed, key, deadMan }: PlaceCommand): number {
  const seconds = [Number(signed.order.expiry)];
  if (key !== undefined) seconds.push(key.expiry);
  if (deadMan !== 0) seconds.push(deadMan);
  return Math.min(...seconds);
}

function slotOf({ signed }: PlaceCommand): string {
  return `${signed.order.account}:${signed.order.nonce}`;
}
