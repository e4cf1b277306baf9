/** What stands in a `HashTable`. */
export interface Hashed<V> {
  /** From `hashOf`. */
  readonly hashCode: number;
  /** The next one of its bucket. */
  twin: V | undefined;
}

const SECRET = 2 * Math.floor(Math.random() * 2 ** 31) + 1; // nobody can choose what shares a bucket
const SMALLEST = 16; // buckets

/** A hash code of 30 bits. */
export function hashOf(bits: number): number {
  const product = Math.imul(bits, SECRET);
  return (product ^ (product >>> 16)) & 0x3fffffff;
}

/**
 * A hash table of objects that carry their links themselves. What a large book waits for is memory: a lookup in a map of V8 touches
 * several cache lines, one here that of its bucket and the object.
 */
export class HashTable<V extends Hashed<V>> {
  #buckets = newBuckets<V>(SMALLEST);
  #size = 0;

  /** The first one that may have this hash code; the others are its twins. */
  first(hashCode: number): V | undefined {
    return this.#buckets[hashCode & (this.#buckets.length - 1)];
  }

  add(value: V): void {
    if (2 * this.#size === this.#buckets.length) this.#grow(); // few meet a stranger on their way
    this.#size += 1;
    this.#link(value);
  }

  /** Takes out what is in the table. */
  remove(value: V): void {
    const bucket = value.hashCode & (this.#buckets.length - 1);
    let before = this.#buckets[bucket];
    if (before === value) this.#buckets[bucket] = value.twin;
    else {
      while (before !== undefined && before.twin !== value) before = before.twin;
      if (before !== undefined) before.twin = value.twin;
    }
    value.twin = undefined;
    this.#size -= 1;
  }

  /** In no order. */
  values(): V[] {
    const values: V[] = [];
    for (const first of this.#buckets) {
      for (let value = first; value !== undefined; value = value.twin) values.push(value);
    }
    return values;
  }

  #link(value: V): void {
    const bucket = value.hashCode & (this.#buckets.length - 1);
    value.twin = this.#buckets[bucket];
    this.#buckets[bucket] = value;
  }

  #grow(): void {
    const values = this.values();
    this.#buckets = newBuckets<V>(2 * this.#buckets.length);
    for (const value of values) this.#link(value);
  }
}

function newBuckets<V>(count: number): (V | undefined)[] {
  return Array<V | undefined>(count).fill(undefined);
}
