import { hash } from "node:crypto";

import type { FillView } from "../sdk/matcher.ts";
import type { SignedOrder } from "../sdk/orders.ts";
import { OrderBook } from "./book.ts";
import type { BookLimits } from "./book.ts";
import {
  CANCELLED,
  isGoodInLockdown,
  newAccount,
  newOrder,
  newOwner,
  openOrders,
  ownerKey,
  positionOf,
} from "./bookOrder.ts";
import type { AccountOrders, BookOrder, Fill, OrderState, SigningKey } from "./bookOrder.ts";
import { Slot } from "./slots.ts";
import { Tape } from "./tape.ts";
import { decode, encode } from "./types.ts";
import type {
  CancelReason,
  Command,
  EngineEvent,
  HoldReason,
  MarketTerms,
  OwnerFact,
  RejectReason,
  Sent,
  SlotFact,
} from "./types.ts";

const STAMP_LIFETIME = 300_000; // [ms] for which an owner's last instruction is remembered; older ones are refused anyway
const SNAPSHOT_VERSION = 3;

/** What a command did. */
export interface Applied {
  /** Number of the command. */
  readonly sequence: number;
  /** Number of its first event; the others follow. */
  readonly firstEvent: number;
  readonly events: readonly EngineEvent[];
  /** Fills that are new or have changed. */
  readonly fills: readonly FillView[];
  readonly rejected: RejectReason | undefined;
}

/** The block up to which the chain's events are in. */
export interface Cursor {
  readonly block: number;
  readonly hash: string;
}

/** A snapshot that this version cannot read. */
export class UnknownSnapshot extends Error {
  readonly version: unknown;

  constructor(version: unknown) {
    super(`a snapshot of version ${String(version)} cannot be read: only ${SNAPSHOT_VERSION} can`);
    this.name = "UnknownSnapshot";
    this.version = version;
  }
}

interface OrderRecord {
  readonly hash: string;
  readonly signed: SignedOrder;
  readonly key?: string;
  readonly placed: number;
  readonly arrival: number;
  readonly filled: bigint;
  readonly settled: bigint;
  readonly killed: bigint;
  readonly failures: number;
  readonly state: OrderState;
  readonly reason?: CancelReason;
  readonly detail?: string;
  readonly held?: HoldReason;
}

interface Snapshot {
  readonly version: number;
  readonly sequence: number;
  readonly eventCount: number;
  readonly hash: string;
  readonly time: number;
  readonly cursor?: Cursor;
  readonly arrivals: number;
  readonly fillCount: number;
  readonly markets: readonly MarketTerms[];
  readonly slots: readonly SlotFact[];
  readonly owners: readonly Omit<OwnerFact, "epoch" | "lowestNonce" | "lockedDown">[];
  readonly positions: readonly { readonly account: bigint; readonly market: number; readonly size: bigint }[];
  readonly orders: readonly OrderRecord[]; // live ones first
  readonly closed: readonly string[];
  readonly fills: readonly (Omit<Fill, "maker" | "taker"> & { readonly maker: string; readonly taker: string })[];
  readonly tape: readonly FillView[];
  readonly deadlines: readonly (readonly [string, number, number])[];
  readonly stamps: readonly (readonly [string, number])[];
  readonly sent: readonly Sent[];
}

/**
 * The matcher's state, changed by commands alone: the same commands lead to the same state, the same events and the same running
 * hash. The hash covers every command and every event since the beginning, so it commits to the order in which orders came and to
 * what was made of them.
 */
export class Engine {
  readonly book: OrderBook;
  #tape = new Tape();
  #sequence = 0;
  #eventCount = 0;
  #hash: Buffer = Buffer.alloc(32);
  #time = 0;
  #cursor: Cursor | undefined;
  #deadlines = new Map<string, { readonly timeout: number; readonly at: number }>();
  #nextDeadline = Infinity;
  #stamps = new Map<string, number>();
  #sent: Sent[] = [];

  constructor(limits: BookLimits) {
    this.book = new OrderBook(limits);
  }

  /** Number of the last command. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Number of the last event. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** The running hash over all commands and events: SHA-256 of the one before, the command and its events. */
  get hash(): Buffer {
    return this.#hash;
  }

  /** [ms] of the last command. */
  get time(): number {
    return this.#time;
  }

  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** The last fills of every market. */
  get recentFills(): FillView[] {
    return this.#tape.all();
  }

  /** Transactions whose outcome is not known, all of one nonce. */
  get sent(): readonly Sent[] {
    return this.#sent;
  }

  /** [ms] at which something ends by itself; infinite if nothing does. */
  get nextDue(): number {
    const second = this.book.nextExpiry;
    return Math.min(second === undefined ? Infinity : (second + 1) * 1000, this.#nextDeadline);
  }

  /** [ms] of the last instruction of an owner that was carried out; 0 if none is remembered. */
  stampOf(owner: string): number {
    return this.#stamps.get(owner) ?? 0;
  }

  /** [ms] at which an owner's orders die unless he gives another sign of life; `undefined` if he did not ask for that. */
  deadlineOf(owner: string): number | undefined {
    return this.#deadlines.get(owner)?.at;
  }

  /**
   * Carries out the next command.
   * @param text the command as `encode` writes it, where the caller has it already
   */
  apply(command: Command, text = encode(command)): Applied {
    const { book } = this;
    book.events = [];
    book.touched = [];
    this.#time = Math.max(this.#time, command.time);
    this.#advance();
    const rejected = this.#perform(command);
    const events = book.events;
    const firstEvent = this.#eventCount + 1;
    this.#sequence += 1;
    this.#eventCount += events.length;
    this.#hash = hash("sha256", Buffer.concat([this.#hash, Buffer.from(text + encode(events))]), "buffer");
    const fills = this.#tape.record(events, book);
    return { sequence: this.#sequence, firstEvent, events, fills, rejected };
  }

  #perform(command: Command): RejectReason | undefined {
    const { book } = this;
    switch (command.type) {
      case "place": {
        const reason = book.place({ ...command, time: this.#time });
        if (reason !== undefined) book.events.push({ type: "rejected", order: command.hash, reason });
        return reason;
      }
      case "cancel":
        book.cancel(command.hash, command.reason);
        return;
      case "cancelMany":
        this.#stamp(command.owner, command.stamp);
        this.#cancelMany(command);
        return;
      case "heartbeat":
        this.#stamp(command.owner, command.stamp);
        this.#beat(command.owner, command.timeout);
        return;
      case "tick":
        return;
      case "chain":
        this.#follow(command);
        return;
      case "send": {
        const { nonce, transaction, raw, maxFee, priorityFee, fills } = command;
        this.#sent.push({ nonce, transaction, raw, maxFee, priorityFee, fills });
        return;
      }
      case "unsend":
        this.#sent = [];
        return;
      case "fail":
        for (const failed of command.fills) book.fail(failed);
    }
    return undefined;
  }

  // ---------------------------------------------------------------- time

  #advance(): void {
    this.book.expire(this.#time);
    if (this.#nextDeadline > this.#time) return;
    for (const [owner, { at }] of this.#deadlines) {
      if (at > this.#time) continue;
      this.#deadlines.delete(owner);
      this.book.cancelOf(owner, "deadMan");
    }
    this.#findNextDeadline();
  }

  #beat(owner: string, timeout: number): void {
    if (timeout === 0) this.#deadlines.delete(owner);
    else this.#deadlines.set(owner, { timeout, at: this.#time + timeout });
    this.#findNextDeadline();
  }

  #findNextDeadline(): void {
    this.#nextDeadline = Infinity;
    for (const { at } of this.#deadlines.values()) this.#nextDeadline = Math.min(this.#nextDeadline, at);
  }

  /** Remembers when an owner's instruction was signed, so that nobody can repeat it. */
  #stamp(owner: string, stamp: number): void {
    this.#stamps.delete(owner);
    this.#stamps.set(owner, stamp);
    for (const [oldest, at] of this.#stamps) {
      if (at > this.#time - STAMP_LIFETIME) break;
      this.#stamps.delete(oldest);
    }
  }

  #cancelMany({ owner, account, market, belowNonce }: Extract<Command, { type: "cancelMany" }>): void {
    this.book.cancelOf(
      owner,
      "massCancelled",
      (order) =>
        (account === undefined || order.account.id === account) &&
        (market === undefined || order.market.id === market) &&
        (belowNonce === undefined || order.slot.nonce < belowNonce),
    );
  }

  // ---------------------------------------------------------------- chain

  #follow(command: Extract<Command, { type: "chain" }>): void {
    const { book } = this;
    this.#cursor = { block: command.block, hash: command.blockHash };
    for (const terms of command.markets) book.setTerms(terms);
    const moved = new Set<AccountOrders>();
    const move = (id: bigint, change: (account: AccountOrders) => void) => {
      const account = book.accounts.get(id);
      if (account === undefined) return;
      change(account);
      moved.add(account);
    };
    for (const { fill, size, transaction } of command.settled) {
      const parties = book.settle(fill, size, transaction);
      if (parties !== undefined) moved.add(parties.maker.account).add(parties.taker.account);
    }
    for (const { account, nonce, filled } of command.slots) {
      move(account, (known) => {
        const slot = book.slots.get(known, nonce);
        if (slot !== undefined) slot.chain = filled;
      });
    }
    for (const { account, market, size } of command.positions) {
      move(account, (known) => (positionOf(known, market).chain = size));
    }
    for (const account of moved) book.refreshAccount(account);
    for (const fact of command.owners) this.#followOwner(fact);
    book.expire(this.#time);
    for (const { market } of command.markets) book.release(market);
  }

  #followOwner({ owner: address, epoch, lowestNonce, deadMan, lockedDown, keys }: OwnerFact): void {
    const { book } = this;
    if (lockedDown) book.cancelOf(address, "lockedDown", ({ signed }) => !isGoodInLockdown(signed.order));
    book.cancelOf(address, "epochOver", ({ signed }) => signed.order.epoch !== epoch);
    book.cancelOf(address, "nonceTooLow", ({ signed }) => signed.order.nonce < lowestNonce);
    const owner = book.owners.get(address);
    if (owner === undefined) return;
    book.setDeadMan(owner, deadMan);
    for (const fact of keys) book.setKey(owner, fact);
  }

  // ---------------------------------------------------------------- snapshots

  /** The whole state as a text that `restore` reads. */
  dump(): string {
    const { book } = this;
    const accounts = [...book.owners.values()].flatMap((owner) => [...owner.accounts]);
    const waiting = [...book.fills.values()].flatMap(({ maker, taker }) => [maker, taker]);
    const { ended } = book.orders;
    const closed = ended.filter((order) => order !== undefined);
    const orders = new Set<BookOrder>([...accounts.flatMap(openOrders), ...waiting, ...closed]);
    const snapshot: Snapshot = {
      version: SNAPSHOT_VERSION,
      sequence: this.#sequence,
      eventCount: this.#eventCount,
      hash: this.#hash.toString("hex"),
      time: this.#time,
      ...(this.#cursor !== undefined && { cursor: this.#cursor }),
      arrivals: book.arrivals,
      fillCount: book.fillCount,
      markets: [...book.markets.values()].map(({ terms }) => terms),
      slots: accounts.flatMap(({ id, slots }) =>
        slots.map(({ nonce, chain }) => ({ account: id, nonce, filled: chain })),
      ),
      owners: [...book.owners.values()].map(({ address, deadMan, keys }) => ({
        ...{ owner: address, deadMan, keys: [...keys.values()].map((key) => ({ key: key.address, ...key.terms })) },
      })),
      positions: accounts.flatMap(({ id, positions }) =>
        [...positions]
          .flatMap(([market, { chain }]) => (chain === 0n ? [] : { account: id, market, size: chain }))
          .sort((a, b) => a.market - b.market),
      ),
      orders: [...orders].map(recordOf),
      closed: ended.map((order) => order?.hash ?? ""),
      fills: [...book.fills.values()].map(({ maker, taker, ...fill }) => ({
        ...{ ...fill, maker: maker.hash, taker: taker.hash },
      })),
      tape: this.recentFills,
      deadlines: [...this.#deadlines].map(([owner, { timeout, at }]) => [owner, timeout, at] as const),
      stamps: [...this.#stamps],
      sent: this.#sent,
    };
    return encode(snapshot);
  }

  /**
   * The engine that `dump` has written down.
   * @throws UnknownSnapshot
   */
  static restore(text: string, limits: BookLimits): Engine {
    const s = decode(text) as Snapshot;
    if (s.version !== SNAPSHOT_VERSION) throw new UnknownSnapshot(s.version);
    const engine = new Engine(limits);
    engine.#sequence = s.sequence;
    engine.#eventCount = s.eventCount;
    engine.#hash = Buffer.from(s.hash, "hex");
    engine.#time = s.time;
    engine.#cursor = s.cursor;
    engine.#deadlines = new Map(s.deadlines.map(([owner, timeout, at]) => [owner, { timeout, at }]));
    engine.#stamps = new Map(s.stamps);
    engine.#sent = [...s.sent];
    engine.#tape = new Tape(s.tape);
    engine.#findNextDeadline();
    restoreBook(engine.book, s);
    return engine;
  }
}

function restoreBook(book: OrderBook, s: Snapshot): void {
  book.arrivals = s.arrivals;
  book.fillCount = s.fillCount;
  for (const terms of s.markets) book.setTerms(terms);
  for (const { account, nonce, filled } of s.slots) book.openSlot(account, nonce, filled);
  for (const { owner: address, deadMan, keys } of s.owners) {
    const owner = book.owners.get(address);
    if (owner === undefined) continue;
    book.setDeadMan(owner, deadMan);
    for (const key of keys) book.setKey(owner, key);
  }
  for (const { account, market, size } of s.positions) {
    const known = book.accounts.get(account);
    if (known !== undefined) positionOf(known, market).chain = size;
  }
  const orders = new Map(s.orders.map((record) => [record.hash, orderOf(book, record)]));
  for (const { maker, taker, ...fill } of s.fills) {
    const parties = { maker: orders.get(maker), taker: orders.get(taker) };
    if (parties.maker !== undefined && parties.taker !== undefined) {
      book.hold({ ...fill, maker: parties.maker, taker: parties.taker });
    }
  }
  for (const order of orders.values()) if (order.state === "open") book.revive(order);
  for (const { account } of orders.values()) book.refreshAccount(account);
  book.orders.ended = s.closed
    .map((hash) => orders.get(hash))
    .map((order) => (order?.state === "open" ? undefined : order));
  book.events = [];
}

function recordOf(order: BookOrder): OrderRecord {
  const { hash, signed, key, placed, arrival, filled, settled, killed, failures, state, reason, detail, held } = order;
  return {
    ...{ hash, signed, placed, arrival, filled, settled, killed, failures, state },
    ...(key !== undefined && { key: key.address }),
    ...(reason !== undefined && { reason }),
    ...(detail !== undefined && { detail }),
    ...(held !== undefined && { held }),
  };
}

/** An order of a snapshot. One that has ended and waits for nothing gets a nonce of its own that the book does not know. */
function orderOf(book: OrderBook, record: OrderRecord): BookOrder {
  const { placed, arrival, filled, settled, killed, failures, state, reason, detail, held } = record;
  const { account, nonce, market: id } = record.signed.order;
  const known = book.accounts.get(account);
  const slot = (known && book.slots.get(known, nonce)) ?? looseSlot(account, nonce);
  const key = record.key === undefined ? undefined : keyOf(slot, record.key);
  const market = book.markets.get(Number(id));
  if (market === undefined) throw new UnknownSnapshot(`market ${id.toString()}`);
  const order = newOrder(record, slot, key, market, placed, arrival);
  return Object.assign(order, { filled, settled, killed, failures, state, reason, detail, held });
}

/** The key of an order that has ended and whose owner has no other orders grants nothing. */
function keyOf({ account }: Slot, address: string): SigningKey {
  return account.owner.keys.get(address) ?? { address, terms: { above: [], expiry: 0, priceBand: 0n } };
}

function looseSlot(id: bigint, nonce: bigint): Slot {
  return new Slot(newAccount(id, newOwner(ownerKey(id))), nonce, CANCELLED);
}
