import type { HouseState, PriceSnapshot } from "../risk/types.ts";
import { BoundHeap } from "./boundHeap.ts";
import type { IsOutdated } from "./boundHeap.ts";
import type { SafeRegion } from "./safeRegion.ts";

/** Regions by slot, in the order in which prices and time leave them. A newer version of a slot outdates what was put before. */
export class RegionIndex {
  readonly #isOutdated: IsOutdated;
  readonly #lows = new Map<number, BoundHeap>(); // by underlying, keys negated
  readonly #highs = new Map<number, BoundHeap>();
  readonly #stuck = new Map<number, BoundHeap>(); // put while the underlying had no usable price
  readonly #times: BoundHeap;

  constructor(isOutdated: IsOutdated) {
    this.#isOutdated = isOutdated;
    this.#times = new BoundHeap(isOutdated);
  }

  put({ slot, version }: { slot: number; version: number }, { bounds, until }: SafeRegion, house: HouseState): void {
    for (const { underlying, low, high } of bounds) {
      if (!house.prices.has(underlying)) this.#heapOf(this.#stuck, underlying).push(0, slot, version);
      if (low > 0) this.#heapOf(this.#lows, underlying).push(-low, slot, version);
      if (high < Infinity) this.#heapOf(this.#highs, underlying).push(high, slot, version);
    }
    this.#times.push(until, slot, version);
  }

  /** Takes out those whose regions a head has left; one may come twice. */
  left(house: HouseState): number[] {
    const slots: number[] = [];
    const take = (slot: number) => slots.push(slot);
    for (const [underlying, { price }] of snapshotsOf(house)) {
      this.#lows.get(underlying)?.popUpTo(-Number(price), take);
      this.#highs.get(underlying)?.popUpTo(Number(price), take);
      if (house.prices.has(underlying)) this.#stuck.get(underlying)?.popUpTo(0, take);
    }
    this.#times.popUpTo(Number(house.time), take);
    return slots;
  }

  #heapOf(heaps: Map<number, BoundHeap>, underlying: number): BoundHeap {
    const known = heaps.get(underlying);
    if (known !== undefined) return known;
    const heap = new BoundHeap(this.#isOutdated);
    heaps.set(underlying, heap);
    return heap;
  }
}

/** Prices and regimes that accounts are assessed at: the last good one of what has no usable price, which then counts in their favour. */
export function snapshotsOf({ prices, lastGood }: HouseState): ReadonlyMap<number, PriceSnapshot> {
  return new Map([...lastGood, ...prices]);
}
