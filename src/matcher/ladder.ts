import sortedBtree from "sorted-btree";

import type { BookOrder } from "./bookOrder.ts";

export const BTree = sortedBtree.default;
export type Tree<K, V> = InstanceType<typeof BTree<K, V>>;

/** The resting orders of one price, first come first served. */
export interface Level {
  readonly ladder: Ladder;
  readonly price: bigint; // [wad]
  size: bigint; // [wad] what is open of all of them
  count: number;
  first: BookOrder | undefined;
  last: BookOrder | undefined;
}

/** Order of prices of which the lowest is best. */
export const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
/** Order of prices of which the highest is best. */
export const descending = (a: bigint, b: bigint): number => (a > b ? -1 : a < b ? 1 : 0);

/**
 * One side of a market: levels by price in a map and, best price first, in a B-tree; orders of a level in a linked list. So an order
 * goes in and out in O(1), a level in O(log levels). Prices and sizes stay bigints [wad]: a size needs up to 94 bits and a price up to
 * 80, both beyond what a number holds exactly.
 */
export class Ladder {
  readonly market: number;
  readonly buys: boolean;
  readonly #levels = new Map<bigint, Level>();
  readonly #sorted: Tree<bigint, Level>;
  #best: Level | undefined;

  constructor(market: number, buys: boolean) {
    this.market = market;
    this.buys = buys;
    this.#sorted = new BTree<bigint, Level>(undefined, buys ? descending : ascending);
  }

  get best(): Level | undefined {
    return this.#best;
  }

  at(price: bigint): Level | undefined {
    return this.#levels.get(price);
  }

  /** The next worse level. */
  after(level: Level): Level | undefined {
    return this.#sorted.nextHigherPair(level.price)?.[1];
  }

  /** The best `count` levels. */
  depth(count: number): Level[] {
    const levels: Level[] = [];
    for (let level = this.#best; level !== undefined && levels.length < count; level = this.after(level)) {
      levels.push(level);
    }
    return levels;
  }

  /** Puts an order behind those of its price that came before it. */
  insert(order: BookOrder): void {
    const level = this.#levels.get(order.price) ?? this.#open(order.price);
    let before = level.last;
    while (before !== undefined && before.arrival > order.arrival) before = before.previous;
    order.previous = before;
    order.next = before === undefined ? level.first : before.next;
    if (order.next === undefined) level.last = order;
    else order.next.previous = order;
    if (before === undefined) level.first = order;
    else before.next = order;
    level.size += order.open;
    level.count += 1;
    order.level = level;
  }

  remove(order: BookOrder): void {
    const { level, previous, next } = order;
    if (level === undefined) return;
    if (previous === undefined) level.first = next;
    else previous.next = next;
    if (next === undefined) level.last = previous;
    else next.previous = previous;
    order.level = order.previous = order.next = undefined;
    level.size -= order.open;
    level.count -= 1;
    if (level.count === 0) this.#drop(level);
  }

  #open(price: bigint): Level {
    const level: Level = { ladder: this, price, size: 0n, count: 0, first: undefined, last: undefined };
    this.#levels.set(price, level);
    this.#sorted.set(price, level);
    const best = this.#best?.price;
    if (best === undefined || (this.buys ? price > best : price < best)) this.#best = level;
    return level;
  }

  #drop(level: Level): void {
    this.#levels.delete(level.price);
    this.#sorted.delete(level.price);
    if (level !== this.#best) return;
    const best = this.#sorted.minKey();
    this.#best = best === undefined ? undefined : this.#levels.get(best);
  }
}
