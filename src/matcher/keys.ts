import { UNLIMITED } from "../sdk/sessionKeys.ts";
import type { Grant } from "../sdk/sessionKeys.ts";
import type { KeyFact } from "./types.ts";

const NOTIONAL_UNITS = 100n; // [0.01 USD] of a USD
const LOSS_UNITS = 10_000n; // [0.0001 USD] of a USD

/** What is left of the limits of a key; `undefined`: no limit. */
export interface KeyLeft {
  readonly notionalLeft: bigint | undefined; // [0.01 USD] on `day`, on any other all of the grant's
  readonly day: number; // [days since 1970]
  readonly lossLeft: bigint | undefined; // [0.0001 USD]
}

/** A session key as the chain has it. */
export interface SessionKey extends KeyLeft {
  readonly address: string; // lower case
  readonly grant: Grant;
  readonly version: number; // how often it has been granted or revoked
  readonly revoked: boolean;
  readonly parent: { readonly address: string; readonly version: number } | undefined; // that granted it; the owner if there is none
}

/** Who granted what to which key. Addresses are in lower case. */
export interface KeyGrant {
  readonly owner: string;
  readonly key: string;
  readonly parent: string | undefined;
  readonly grant: Grant;
}

/** All session keys that were granted since their owners last revoked all, as the exchange tells of them. */
export class SessionKeys {
  readonly #owners = new Map<string, Map<string, SessionKey>>();

  /** A key of an owner's, dead or alive; `undefined` if he has not granted it anything since he last revoked all. */
  get(owner: string, key: string): SessionKey | undefined {
    return this.#owners.get(owner)?.get(key);
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

  granted({ owner, key, parent, grant }: KeyGrant): void {
    const above = parent === undefined ? undefined : this.get(owner, parent);
    this.#set(owner, key, {
      ...{ address: key, grant, revoked: false, ...wholeOf(grant) },
      version: (this.get(owner, key)?.version ?? 0) + 1,
      parent: above === undefined ? undefined : { address: above.address, version: above.version },
    });
  }

  revoked(owner: string, key: string): void {
    const known = this.get(owner, key);
    if (known !== undefined) this.#set(owner, key, { ...known, revoked: true, version: known.version + 1 });
  }

  /** An owner has revoked all: nobody knows his keys any more. */
  revokedAll(owner: string): void {
    this.#owners.delete(owner);
  }

  left(owner: string, key: string, left: KeyLeft): void {
    const known = this.get(owner, key);
    if (known !== undefined) this.#set(owner, key, { ...known, ...left });
  }

  #set(owner: string, address: string, key: SessionKey): void {
    let keys = this.#owners.get(owner);
    if (keys === undefined) this.#owners.set(owner, (keys = new Map<string, SessionKey>()));
    keys.set(address, key);
  }
}

/** [0.01 USD] What a key may still trade on a day [days since 1970]; `undefined`: no limit. */
export function notionalLeftOn(day: number, key: SessionKey): bigint | undefined {
  return (key.day === day ? key : wholeOf(key.grant)).notionalLeft;
}

/** The limits of a grant of which nothing was used. */
function wholeOf({ dailyNotional, lossLimit }: Grant): KeyLeft {
  return {
    notionalLeft: dailyNotional === UNLIMITED ? undefined : dailyNotional * NOTIONAL_UNITS,
    day: 0,
    lossLeft: lossLimit === UNLIMITED ? undefined : lossLimit * LOSS_UNITS,
  };
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
