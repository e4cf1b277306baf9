import type { Signer } from "ethers";

import { orderDomain } from "./orders.ts";
import type { OrderVenue } from "./orders.ts";

/** Scopes of a session key, to be added up. */
export const SCOPES = {
  /** any order */
  trade: 1n,
  /** reduce-only orders */
  reduce: 2n,
  /** cancel orders */
  cancel: 4n,
  /** grant a part of its own rights to further keys */
  grant: 128n,
} as const;

/** No limit on a day's notional, or on losses. */
export const UNLIMITED = (1n << 48n) - 1n;

/** What an owner allows a key to do, as the exchange's `Grant`. */
export interface Grant {
  /** sum of `SCOPES` */
  scopes: bigint;
  /** bitmap of market ids */
  markets: bigint;
  /** bitmap of the accounts' serial numbers; bit 31 stands for 31 and above */
  accounts: bigint;
  /** [s] last second at which the key works */
  expiry: bigint;
  /** [ppm] largest distance of its fills from the index price */
  priceBand: bigint;
  /** [whole USD] most that it may trade in a day (UTC) */
  dailyNotional: bigint;
  /** [whole USD] most that its fills may lose against the index, fees included */
  lossLimit: bigint;
}

/** An owner's key. */
export interface KeyName {
  owner: string;
  key: string;
}

const GRANT_TYPES = {
  Grant: [
    { name: "owner", type: "address" },
    { name: "key", type: "address" },
    { name: "scopes", type: "uint8" },
    { name: "markets", type: "uint64" },
    { name: "accounts", type: "uint32" },
    { name: "expiry", type: "uint40" },
    { name: "priceBand", type: "uint24" },
    { name: "dailyNotional", type: "uint48" },
    { name: "lossLimit", type: "uint48" },
    { name: "version", type: "uint256" },
    { name: "epoch", type: "uint256" },
  ],
};

const REVOKE_TYPES = {
  Revoke: [
    { name: "owner", type: "address" },
    { name: "key", type: "address" },
    { name: "version", type: "uint256" },
  ],
};

const REVOKE_ALL_TYPES = {
  RevokeAll: [
    { name: "owner", type: "address" },
    { name: "epoch", type: "uint256" },
  ],
};

/**
 * Signs a grant that anyone can bring to `Exchange.grantFor`.
 * @param at the key's version (`Exchange.sessionKey`) and the owner's epoch (`Exchange.ownerState`) as they are: the grant works once
 */
export function signGrant(
  owner: Signer,
  venue: OrderVenue,
  name: KeyName,
  grant: Grant,
  at: { version: bigint; epoch: bigint },
): Promise<string> {
  return owner.signTypedData(orderDomain(venue), GRANT_TYPES, { ...name, ...grant, ...at });
}

/**
 * Signs a revocation that anyone can bring to `Exchange.revokeFor`, now or on the day it is needed.
 * @param version of the key that it ends: a grant raises it by one
 */
export function signRevoke(owner: Signer, venue: OrderVenue, name: KeyName, version: bigint): Promise<string> {
  return owner.signTypedData(orderDomain(venue), REVOKE_TYPES, { ...name, version });
}

/** Signs what ends all keys and orders of an epoch of the owner's; anyone can bring it to `Exchange.revokeAllFor`. */
export async function signRevokeAll(owner: Signer, venue: OrderVenue, of: string, epoch: bigint): Promise<string> {
  return owner.signTypedData(orderDomain(venue), REVOKE_ALL_TYPES, { owner: of, epoch });
}
