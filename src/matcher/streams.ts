import type { FillView, OrderView } from "../sdk/matcher.ts";
import { formatWad } from "../sdk/units.ts";
import type { OrderBook } from "./book.ts";
import { accountKey, openOrders } from "./bookOrder.ts";
import type { Applied } from "./engine.ts";
import { ascending, BTree, descending } from "./ladder.ts";
import type { Tree } from "./ladder.ts";
import { Tape } from "./tape.ts";
import { orderView } from "./views.ts";

const SNAPSHOT_FILLS = 100;
const MAX_LEVELS = 1000; // of a side in a snapshot

/** Price and size of a level; size "0" means that the level is gone. */
export type LevelView = readonly [price: string, size: string];

/** Somebody who follows a channel. */
export type Listener = (text: string) => void;

interface Channel {
  sequence: number;
  readonly listeners: Set<Listener>;
}

/** Sizes by price [wad], best price first. */
interface Sides {
  readonly bids: Tree<bigint, bigint>;
  readonly asks: Tree<bigint, bigint>;
}

interface Change {
  readonly market: number;
  readonly buys: boolean;
  readonly price: bigint;
  readonly size: bigint;
}

/**
 * What clients see: the state as it stands on the disk. Each channel numbers its messages; a snapshot carries the number of the last
 * one that is in it, so that who follows notices a gap and asks for another.
 */
export class Streams {
  readonly #book: OrderBook;
  readonly #channels = new Map<string, Channel>();
  readonly #levels = new Map<number, Sides>();
  readonly #tape: Tape;

  /** @param fills the last ones of every market */
  constructor(book: OrderBook, fills: readonly FillView[]) {
    this.#book = book;
    this.#tape = new Tape(fills);
    for (const { id, bids, asks } of book.markets.values()) {
      const sides = this.#sidesOf(id);
      for (const { price, size } of bids.depth(Infinity)) sides.bids.set(price, size);
      for (const { price, size } of asks.depth(Infinity)) sides.asks.set(price, size);
    }
  }

  /** Notes what a command has done; the function returned tells everybody and is to be called once the command is on the disk. */
  capture({ events, fills }: Applied): () => void {
    const changes = this.#changedLevels();
    const orders = new Map<string, OrderView>();
    const note = (hash: string) => {
      const order = this.#book.orders.get(hash);
      if (order !== undefined && this.#channels.has(`orders.${order.account.key}`)) orders.set(hash, orderView(order));
    };
    for (const event of events) {
      if (event.type === "filled" || event.type === "settled" || event.type === "failed") {
        note(event.maker);
        note(event.taker);
      } else note(event.order);
    }
    if (changes.length + fills.length + orders.size === 0) return () => undefined;
    return () => {
      this.#publishLevels(changes);
      this.#publishFills(fills);
      for (const view of orders.values()) {
        this.#publish(`orders.${accountKey(BigInt(view.account))}`, { orders: [view] });
      }
    };
  }

  /** The best levels of a market as they stand on the disk, best first. */
  depth(market: number, count: number): { bids: LevelView[]; asks: LevelView[] } {
    const { bids, asks } = this.#sidesOf(market);
    const best = (side: Tree<bigint, bigint>): LevelView[] => {
      const views: LevelView[] = [];
      for (const [price, size] of side.entries()) {
        if (views.length === count) break;
        views.push([formatWad(price), formatWad(size)]);
      }
      return views;
    };
    return { bids: best(bids), asks: best(asks) };
  }

  /** The last fills of a market, newest last. */
  recentFills(market: number, count: number): FillView[] {
    return this.#tape.recent(market, count);
  }

  /** Number of the last message of a channel; 0 if nobody follows it. */
  sequenceOf(channel: string): number {
    return this.#channels.get(channel)?.sequence ?? 0;
  }

  /**
   * Lets somebody follow `book.<market>`, `fills.<market>` or `orders.<account>`, the account as 64 hexadecimal digits. Answers with
   * the function that sends the snapshot and begins: it has to be called once all that was carried out so far is on the disk.
   */
  follow(channel: string, listener: Listener): () => void {
    const [kind = "", id = ""] = channel.split(".");
    const live = kind === "orders" ? this.#openOrders(id) : undefined;
    const open = this.#channels.get(channel) ?? { sequence: 0, listeners: new Set() };
    this.#channels.set(channel, open);
    return () => {
      this.#channels.set(channel, open);
      open.listeners.add(listener);
      const { sequence } = open;
      listener(JSON.stringify({ channel, type: "snapshot", sequence, ...(live ?? this.#state(kind, Number(id))) }));
    };
  }

  /** Who follows a channel. */
  listenersOf(channel: string): ReadonlySet<Listener> {
    return this.#channels.get(channel)?.listeners ?? new Set();
  }

  leave(channel: string, listener: Listener): void {
    const open = this.#channels.get(channel);
    open?.listeners.delete(listener);
    if (open?.listeners.size === 0) this.#channels.delete(channel);
  }

  // ---------------------------------------------------------------- internals

  #state(kind: string, market: number): object {
    return kind === "book" ? this.depth(market, MAX_LEVELS) : { fills: this.recentFills(market, SNAPSHOT_FILLS) };
  }

  #openOrders(key: string): object {
    const account = this.#book.accounts.get(BigInt(`0x${key}`));
    return { orders: account === undefined ? [] : openOrders(account).map(orderView) };
  }

  #changedLevels(): Change[] {
    const changes = new Map<string, Change>();
    for (const { ladder, price } of this.#book.touched) {
      const { market, buys } = ladder;
      const key = `${market}${buys ? "b" : "a"}${price.toString()}`;
      if (!changes.has(key)) changes.set(key, { market, buys, price, size: ladder.at(price)?.size ?? 0n });
    }
    return [...changes.values()];
  }

  #publishLevels(changes: readonly Change[]): void {
    const byMarket = new Map<number, { bids: LevelView[]; asks: LevelView[] }>();
    for (const { market, buys, price, size } of changes) {
      const side = this.#sidesOf(market)[buys ? "bids" : "asks"];
      if (size === 0n) side.delete(price);
      else side.set(price, size);
      if (!this.#channels.has(`book.${market}`)) continue;
      let views = byMarket.get(market);
      if (views === undefined) byMarket.set(market, (views = { bids: [], asks: [] }));
      views[buys ? "bids" : "asks"].push([formatWad(price), formatWad(size)]);
    }
    for (const [market, views] of byMarket) this.#publish(`book.${market}`, views);
  }

  #publishFills(fills: readonly FillView[]): void {
    for (const fill of fills) {
      this.#tape.put(fill);
      this.#publish(`fills.${fill.market}`, { fills: [fill] });
    }
  }

  #publish(channel: string, content: object): void {
    const open = this.#channels.get(channel);
    if (open === undefined) return;
    open.sequence += 1;
    const text = JSON.stringify({ channel, type: "delta", sequence: open.sequence, ...content });
    for (const listener of open.listeners) listener(text);
  }

  #sidesOf(market: number): Sides {
    let sides = this.#levels.get(market);
    if (sides === undefined) {
      sides = { bids: new BTree(undefined, descending), asks: new BTree(undefined, ascending) };
      this.#levels.set(market, sides);
    }
    return sides;
  }
}
