import type { Grant } from "../sdk/sessionKeys.ts";
import type { KeyFact } from "./types.ts";

/** A session key as the chain has it. */
export interface SessionKey {
  readonly address: string; // lower case
  readonly grant: Grant;
  readonly version: number; // how often it has been granted or revoked
  readonly epoch: bigint; // the owner's when it was granted
  readonly revoked: boolean;
  readonly parent: { readonly address: string; readonly version: number } | undefined; // that granted it; the owner if there is none
  readonly traded: bigint; // [1e-6 USD] on the day of its last fill
  readonly day: number; // [days since 1970] of its last fill
  readonly loss: bigint; // [1e-9 USD]
}

/** Who granted what to which key, and in which epoch of the owner's. Addresses are in lower case. */
export interface KeyGrant {
  readonly owner: string;
  readonly key: string;
  readonly parent: string | undefined;
  readonly grant: Grant;
  readonly epoch: bigint;
}

/** What a key has used of its grant after a fill. */
export type KeyUse = Pick<SessionKey, "traded" | "day" | "loss">;

/** All session keys that were ever granted, as the exchange's events tell of them. */
export class SessionKeys {
  readonly #keys = new Map<string, SessionKey>();

  /** A key of an owner's, dead or alive; `undefined` if he never granted it anything. */
  get(owner: string, key: string): SessionKey | undefined {
    return this.#keys.get(owner + key);
  }

  /** A key and those that it comes from, each above the one before. One that is not what it was when it granted counts as revoked. */
  lineOf(owner: string, key: string): SessionKey[] {
    const line: SessionKey[] = [];
    let next = this.get(owner, key);
    while (next !== undefined) {
      line.push(next);
      const { parent } = next;
      next = parent === undefined ? undefined : this.get(owner, parent.address);
      if (next !== undefined && next.version !== parent?.version) next = { ...next, revoked: true, parent: undefined };
    }
    return line;
  }

  granted({ owner, key, parent, grant, epoch }: KeyGrant): void {
    const above = parent === undefined ? undefined : this.get(owner, parent);
    this.#keys.set(owner + key, {
      ...{ address: key, grant, epoch, revoked: false, traded: 0n, day: 0, loss: 0n },
      version: (this.get(owner, key)?.version ?? 0) + 1,
      parent: above === undefined ? undefined : { address: above.address, version: above.version },
    });
  }

  revoked(owner: string, key: string): void {
    const known = this.get(owner, key);
    if (known !== undefined) this.#keys.set(owner + key, { ...known, revoked: true, version: known.version + 1 });
  }

  used(owner: string, key: string, use: KeyUse): void {
    const known = this.get(owner, key);
    if (known !== undefined) this.#keys.set(owner + key, { ...known, ...use });
  }
}

/** What the book has to know of a key: the narrowest of what it and those above it are granted. */
export function keyFact([key, ...above]: readonly SessionKey[]): KeyFact | undefined {
  if (key === undefined) return undefined;
  const grants = [key, ...above].map(({ grant }) => grant);
  return {
    key: key.address,
    above: above.map(({ address }) => address),
    expiry: Math.min(...grants.map(({ expiry }) => Number(expiry))),
    priceBand: grants.map(({ priceBand }) => priceBand).reduce((a, b) => (a < b ? a : b)),
  };
}
