import type { BookOrder } from "./bookOrder.ts";
import { HashTable, hashOf } from "./hashTable.ts";

/** Orders by hash: those that are live, and a bounded number of those that have ended. */
export class Orders {
  readonly #table = new HashTable<BookOrder>();
  readonly #maxEnded: number;
  #ended: (BookOrder | undefined)[] = []; // a ring; nothing stands where an order is live again
  #next = 0;

  /** @param maxEnded most orders that have ended and can still be asked for */
  constructor(maxEnded: number) {
    this.#maxEnded = maxEnded;
  }

  get(hash: string): BookOrder | undefined {
    let order = this.#table.first(hashCodeOf(hash));
    while (order !== undefined && order.hash !== hash) order = order.twin;
    return order;
  }

  /** Adds a live order, which may have ended before. */
  add(order: BookOrder): void {
    if (order.placeAmongEnded === undefined) this.#table.add(order);
    else {
      this.#ended[order.placeAmongEnded] = undefined;
      order.placeAmongEnded = undefined;
    }
  }

  /** Keeps an order that has ended until `maxEnded` others have ended after it. */
  end(order: BookOrder): void {
    const oldest = this.#ended[this.#next];
    if (oldest !== undefined) {
      this.#table.remove(oldest);
      oldest.placeAmongEnded = undefined;
    }
    this.#ended[this.#next] = order;
    order.placeAmongEnded = this.#next;
    this.#next = (this.#next + 1) % this.#maxEnded;
  }

  /** All of them, first come first. */
  values(): BookOrder[] {
    return this.#table.values().sort((a, b) => a.arrival - b.arrival);
  }

  /** Those that have ended, the oldest first, and nothing where one is live again. */
  get ended(): readonly (BookOrder | undefined)[] {
    return [...this.#ended.slice(this.#next), ...this.#ended.slice(0, this.#next)];
  }

  /** Fills an empty ring with what `ended` has answered; for snapshots. */
  set ended(orders: readonly (BookOrder | undefined)[]) {
    this.#ended = orders.slice(-this.#maxEnded);
    this.#next = this.#ended.length % this.#maxEnded;
    for (const [place, order] of this.#ended.entries()) {
      if (order === undefined) continue;
      this.#table.add(order);
      order.placeAmongEnded = place;
    }
  }
}

/** Hash code of an order's hash: of its last six digits, more than there are buckets. */
export function hashCodeOf(hash: string): number {
  let bits = 0;
  for (let i = hash.length - 6; i < hash.length; ++i) {
    const digit = hash.charCodeAt(i);
    bits = (bits << 4) | ((digit & 15) + (digit > 57 ? 9 : 0)); // letters stand behind "9"
  }
  return hashOf(bits);
}
