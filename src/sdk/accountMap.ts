const OWNER_SHIFT = 96n; // an account id ends in what its owner has chosen
const KEY_FACTOR = (1n << OWNER_SHIFT) + 1n;

/** A map by account id that is only read. */
export type ReadonlyAccountMap<V> = Omit<AccountMap<V>, "set" | "delete">;

/**
 * A map by account id. A plain one would put all main accounts into one bucket: V8 hashes only the low 64 bits of a bigint, and there
 * they are zero. Those of an owner's address are not, so it is added to the key.
 */
export class AccountMap<V> {
  readonly #entries = new Map<bigint, V>();

  constructor(entries: Iterable<readonly [bigint, V]> = []) {
    for (const [id, value] of entries) this.set(id, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: bigint): V | undefined {
    return this.#entries.get(keyOf(id));
  }

  has(id: bigint): boolean {
    return this.#entries.has(keyOf(id));
  }

  set(id: bigint, value: V): void {
    this.#entries.set(keyOf(id), value);
  }

  delete(id: bigint): void {
    this.#entries.delete(keyOf(id));
  }

  /** In the order in which they came. */
  *keys(): Generator<bigint, void> {
    for (const key of this.#entries.keys()) yield idOf(key);
  }

  /** In the order in which they came. */
  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  /** In the order in which they came. */
  *[Symbol.iterator](): Generator<[bigint, V], void> {
    for (const [key, value] of this.#entries) yield [idOf(key), value];
  }
}

/** Grows with the id, so that no two ids share a key. */
function keyOf(id: bigint): bigint {
  return id + (id >> OWNER_SHIFT);
}

/** owner · 2^96 + index has the key owner · (2^96 + 1) + index. */
function idOf(key: bigint): bigint {
  return key - key / KEY_FACTOR;
}
