const OWNER_SHIFT = 96n; // an account id ends in what its owner has chosen

/**
 * A map by account id. A plain one would put all main accounts into one bucket: V8 hashes only the low 64 bits of a bigint, and there
 * they are zero. Those of an owner's address are not, so accounts are kept by owner first.
 */
export class AccountMap<V> {
  readonly #owners = new Map<bigint, Map<bigint, V>>();
  #size = 0;

  constructor(entries: Iterable<readonly [bigint, V]> = []) {
    for (const [id, value] of entries) this.set(id, value);
  }

  get size(): number {
    return this.#size;
  }

  get(id: bigint): V | undefined {
    return this.#owners.get(id >> OWNER_SHIFT)?.get(id);
  }

  set(id: bigint, value: V): void {
    const owner = id >> OWNER_SHIFT;
    let accounts = this.#owners.get(owner);
    if (accounts === undefined) this.#owners.set(owner, (accounts = new Map<bigint, V>()));
    this.#size -= accounts.size;
    accounts.set(id, value);
    this.#size += accounts.size;
  }

  delete(id: bigint): void {
    const owner = id >> OWNER_SHIFT;
    const accounts = this.#owners.get(owner);
    if (accounts?.delete(id) !== true) return;
    this.#size -= 1;
    if (accounts.size === 0) this.#owners.delete(owner);
  }

  /** Owner by owner, in the order in which they came. */
  *values(): Generator<V> {
    for (const accounts of this.#owners.values()) yield* accounts.values();
  }
}
