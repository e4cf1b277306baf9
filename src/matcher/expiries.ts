import { lastSecondOf } from "./bookOrder.ts";
import type { BookOrder } from "./bookOrder.ts";
import { BTree } from "./ladder.ts";

/** Resting orders by their last second. An order remembers its place among those of its second, so that it leaves without a search. */
export class Expiries {
  readonly #seconds = new BTree<number, BookOrder[]>(undefined, (a, b) => a - b);

  /** The earliest last second [s]; `undefined` without orders. */
  get next(): number | undefined {
    return this.#seconds.minKey();
  }

  /** The orders of a last second, first come first. */
  at(second: number): BookOrder[] {
    return [...(this.#seconds.get(second) ?? [])].sort((a, b) => a.arrival - b.arrival);
  }

  add(order: BookOrder): void {
    order.lastSecond = lastSecondOf(order);
    const same = this.#seconds.get(order.lastSecond);
    order.placeInSecond = same?.length ?? 0;
    if (same === undefined) this.#seconds.set(order.lastSecond, [order]);
    else same.push(order);
  }

  remove(order: BookOrder): void {
    const same = this.#seconds.get(order.lastSecond);
    const last = same?.pop();
    if (same === undefined || last === undefined) return;
    if (last !== order) {
      same[order.placeInSecond] = last;
      last.placeInSecond = order.placeInSecond;
    }
    if (same.length === 0) this.#seconds.delete(order.lastSecond);
  }
}
