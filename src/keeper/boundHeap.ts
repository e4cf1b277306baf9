const SMALLEST = 64; // items

/** Whether what a key was pushed for has a newer key by now. */
export type IsOutdated = (slot: number, version: number) => boolean;

/**
 * A heap of numbers, the smallest first, each for a slot at some version. Nothing is ever searched for: what is outdated is skipped
 * when it comes up, and swept out when it has become the greater part.
 */
export class BoundHeap {
  readonly #isOutdated: IsOutdated;
  #keys = new Float64Array(SMALLEST);
  #slots = new Int32Array(SMALLEST);
  #versions = new Int32Array(SMALLEST);
  #size = 0;
  #current = 0; // how many were not outdated at the last sweep

  constructor(isOutdated: IsOutdated) {
    this.#isOutdated = isOutdated;
  }

  /** How many it holds, those that are outdated included. */
  get size(): number {
    return this.#size;
  }

  push(key: number, slot: number, version: number): void {
    if (this.#size === this.#keys.length) this.#makeRoom();
    this.#size += 1;
    this.#rise(this.#size - 1, key, slot, version);
  }

  /** Takes out all with a key of at most `limit` and calls `take` for those that are not outdated. */
  popUpTo(limit: number, take: (slot: number) => void): void {
    while (this.#size > 0 && (this.#keys[0] ?? Infinity) <= limit) {
      const [slot, version] = [this.#slots[0] ?? 0, this.#versions[0] ?? 0];
      this.#size -= 1;
      if (this.#size > 0) this.#sink(0, this.#size);
      if (!this.#isOutdated(slot, version)) take(slot);
    }
  }

  #makeRoom(): void {
    if (this.#size >= 2 * this.#current + SMALLEST) this.#sweep();
    if (2 * this.#size <= this.#keys.length) return;
    const [keys, slots, versions] = [this.#keys, this.#slots, this.#versions];
    this.#keys = new Float64Array(2 * keys.length);
    this.#slots = new Int32Array(2 * keys.length);
    this.#versions = new Int32Array(2 * keys.length);
    this.#keys.set(keys);
    this.#slots.set(slots);
    this.#versions.set(versions);
  }

  #sweep(): void {
    let kept = 0;
    for (let i = 0; i < this.#size; ++i) {
      if (this.#isOutdated(this.#slots[i] ?? 0, this.#versions[i] ?? 0)) continue;
      this.#put(kept, this.#keys[i] ?? 0, this.#slots[i] ?? 0, this.#versions[i] ?? 0);
      kept += 1;
    }
    this.#size = this.#current = kept;
    for (let i = (kept >> 1) - 1; i >= 0; --i) this.#sink(i, i);
  }

  /** Moves an item from the place `at` up to where it belongs. */
  #rise(at: number, key: number, slot: number, version: number): void {
    let place = at;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if ((this.#keys[parent] ?? 0) <= key) break;
      this.#copy(parent, place);
      place = parent;
    }
    this.#put(place, key, slot, version);
  }

  /** Moves the item that stands at `from` down from the place `at` to where it belongs. */
  #sink(at: number, from: number): void {
    const [key, slot, version] = [this.#keys[from] ?? 0, this.#slots[from] ?? 0, this.#versions[from] ?? 0];
    let place = at;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && (this.#keys[child + 1] ?? 0) < (this.#keys[child] ?? 0)) child += 1;
      if ((this.#keys[child] ?? 0) >= key) break;
      this.#copy(child, place);
      place = child;
    }
    this.#put(place, key, slot, version);
  }

  #copy(from: number, to: number): void {
    this.#put(to, this.#keys[from] ?? 0, this.#slots[from] ?? 0, this.#versions[from] ?? 0);
  }

  #put(at: number, key: number, slot: number, version: number): void {
    this.#keys[at] = key;
    this.#slots[at] = slot;
    this.#versions[at] = version;
  }
}
