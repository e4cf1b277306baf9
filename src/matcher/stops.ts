import { PPM } from "../risk/fixed.ts";
import type { Order } from "../sdk/orders.ts";
import type { BookOrder } from "./bookOrder.ts";
import { ascending, BTree, descending } from "./ladder.ts";
import type { Tree } from "./ladder.ts";
import type { MarketTerms } from "./types.ts";

// Orders with a trigger are held outside the book: nobody sees them as depth, and they take what rests once the index price lets them.

/** Where an order stands in a queue: by a price [wad] of its own, then by its arrival. */
type Place = readonly [price: bigint, arrival: number];

/** Whether an order fills at some index prices only. */
export function isConditional({ triggerAbove, triggerBelow }: Order): boolean {
  return triggerAbove !== 0n || triggerBelow !== 0n;
}

/** Whether the index price [wad] lets an order fill; 0 = no usable price. */
export function isTriggered({ triggerAbove, triggerBelow }: Order, index: bigint): boolean {
  return index !== 0n && index >= triggerAbove && (triggerBelow === 0n || index <= triggerBelow);
}

/** Whether the best price of a side is so poor for who takes it that the exchange allows it no more; what follows is poorer. */
export function isTooPoor(price: bigint, ofBids: boolean, { index, priceBand }: MarketTerms): boolean {
  return ofBids ? price * PPM < index * (PPM - priceBand) : price * PPM > index * (PPM + priceBand);
}

/** Held orders by a price of theirs: O(log n) to go in and out, and to find the next one that another price reaches. */
class Queue {
  readonly #priceOf: (order: BookOrder) => bigint;
  readonly #compare: (a: bigint, b: bigint) => number;
  readonly #orders: Tree<Place, BookOrder>;

  /** @param compare of prices: what reaches one reaches all those before it */
  constructor(compare: (a: bigint, b: bigint) => number, priceOf: (order: BookOrder) => bigint) {
    this.#priceOf = priceOf;
    this.#compare = compare;
    this.#orders = new BTree<Place, BookOrder>(undefined, ([p, a], [q, b]) => compare(p, q) || a - b);
  }

  add(order: BookOrder): void {
    this.#orders.set(this.#placeOf(order), order);
  }

  remove(order: BookOrder): void {
    this.#orders.delete(this.#placeOf(order));
  }

  /** The first order, or the first one behind `last`, that a price reaches. */
  next(price: bigint, last?: BookOrder): BookOrder | undefined {
    const pair = this.#orders.nextHigherPair(last === undefined ? undefined : this.#placeOf(last));
    return pair !== undefined && this.#compare(pair[0][0], price) <= 0 ? pair[1] : undefined;
  }

  #placeOf(order: BookOrder): Place {
    return [this.#priceOf(order), order.arrival];
  }
}

/** The held orders of a market: those that wait for an index price, and those that it has released and that found too little to take. */
export class Stops {
  readonly #above = new Queue(ascending, ({ signed }) => signed.order.triggerAbove);
  readonly #below = new Queue(descending, ({ signed }) => signed.order.triggerBelow);
  readonly #buys = new Queue(descending, ({ price }) => price);
  readonly #sells = new Queue(ascending, ({ price }) => price);
  readonly #places = new Map<BookOrder, Queue>();

  /** Number of held orders. */
  get size(): number {
    return this.#places.size;
  }

  has(order: BookOrder): boolean {
    return this.#places.has(order);
  }

  /** Lets an order wait for the next index price that reaches its trigger; the one now [wad] says from which side that has to come. */
  wait(order: BookOrder, index: bigint): void {
    const { triggerAbove, triggerBelow } = order.signed.order;
    this.#put(order, index < triggerAbove || triggerBelow === 0n ? this.#above : this.#below);
  }

  /** Lets a released order wait for something to take. */
  ready(order: BookOrder): void {
    this.#put(order, order.buys ? this.#buys : this.#sells);
  }

  remove(order: BookOrder): void {
    this.#places.get(order)?.remove(order);
    this.#places.delete(order);
  }

  /** Takes out the waiting orders that an index price releases, first come first. */
  release(index: bigint): BookOrder[] {
    const released: BookOrder[] = [];
    if (index === 0n) return released;
    for (const queue of [this.#above, this.#below]) {
      for (let order = queue.next(index); order !== undefined; order = queue.next(index)) {
        this.remove(order);
        if (isTriggered(order.signed.order, index)) released.push(order);
        else this.wait(order, index); // the price has jumped from one side of it to the other
      }
    }
    return released.sort((a, b) => a.arrival - b.arrival);
  }

  /** The first released order of a side, or the first one behind `last`, that takes at a price [wad]. */
  next(buys: boolean, price: bigint, last?: BookOrder): BookOrder | undefined {
    return (buys ? this.#buys : this.#sells).next(price, last);
  }

  #put(order: BookOrder, queue: Queue): void {
    queue.add(order);
    this.#places.set(order, queue);
  }
}
