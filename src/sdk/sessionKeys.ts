import type { Signer } from "ethers";

import { PlimsollError } from "../risk/plimsollError.ts";
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
  /** bring in the owner's tokens */
  deposit: 8n,
  /** move between the owner's accounts */
  transfer: 16n,
  /** take out, to the owner */
  withdraw: 32n,
  /** lend cash and bring it back */
  lend: 64n,
  /** grant a part of its own rights to further keys */
  grant: 128n,
} as const;

const PPM = 1_000_000;
const DAY = 86_400; // [s]
// Bounds of the exchange on what a grant says.
const MAX_EXPIRY = 2 ** 32 - 1; // [s]
const MAX_DAILY_NOTIONAL = 10e9; // [whole USD]
const MAX_LOSS_LIMIT = 100e6; // [whole USD]
const MAX_EQUITY_FLOOR = 2 ** 48 - 1; // [whole USD]
const NO_LIMIT = (1n << 256n) - 1n; // in what is left

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
  /** [s] last second at which the key works, below 2^32 */
  expiry: bigint;
  /** [ppm] largest distance of its fills from the index price */
  priceBand: bigint;
  /** [whole USD] most that it may trade in a day (UTC), up to 10 billion or `UNLIMITED` */
  dailyNotional: bigint;
  /** [whole USD] most that its fills may lose against the index, fees included, up to 100 million or `UNLIMITED` */
  lossLimit: bigint;
  /** [whole USD] least equity, net of what went in and out since `trackFlows`, that its fills leave an account; zero for none */
  equityFloor: bigint;
}

/** A grant in words: what is left out is not limited, but a key trades with the main account and lives for a day unless said otherwise. */
export interface GrantTerms {
  /** what the key may do */
  scopes: readonly (keyof typeof SCOPES)[];
  /** market ids; all if left out */
  markets?: readonly number[];
  /** serial numbers of accounts, 31 standing for all from there on; the main account if left out */
  accounts?: readonly number[];
  /** [s] last second, below 2^32; a day from now if left out */
  expiry?: number;
  /** [ppm] of the index price; the market's own band if left out */
  priceBand?: number;
  /** [whole USD] most that it may trade in a day (UTC), up to 10 billion; not limited if left out */
  dailyNotional?: number;
  /** [whole USD] most that its fills may lose against the index, fees included, up to 100 million; not limited if left out */
  lossLimit?: number;
  /** [whole USD] least equity, net of what went in and out, that its fills leave an account; none if left out */
  equityFloor?: number;
}

/** A grant that the exchange would refuse whatever the chain's state. */
export class InvalidGrant extends PlimsollError {
  override readonly name = "InvalidGrant";
  /** which part of the grant is wrong */
  readonly field: string;

  /**
   * @param field which part of the grant is wrong
   * @param reason why
   */
  constructor(field: string, reason: string) {
    super(`the grant cannot be made: ${field} ${reason}`);
    this.field = field;
  }
}

/**
 * Completes a grant.
 *
 * @param terms the grant in words
 * @returns the grant as the exchange takes it
 * @throws {@link InvalidGrant} for what the exchange would refuse whatever its state
 *
 * @example
 * ```ts
 * const grant = buildGrant({ scopes: ["trade", "cancel"], markets: [0], dailyNotional: 250_000, lossLimit: 500 });
 * console.log(grant.scopes, grant.markets); // → 5n 1n
 * ```
 */
export function buildGrant(terms: GrantTerms): Grant {
  if (terms.scopes.length === 0) throw new InvalidGrant("scopes", "are empty");
  const expiry = terms.expiry ?? Math.floor(Date.now() / 1000) + DAY;
  return {
    scopes: terms.scopes.reduce((sum, scope) => sum | SCOPES[scope], 0n),
    markets: terms.markets === undefined ? (1n << 64n) - 1n : bitmap("markets", terms.markets, 63),
    accounts: bitmap("accounts", terms.accounts ?? [0], 31),
    expiry: whole("expiry", expiry, MAX_EXPIRY),
    priceBand: whole("priceBand", terms.priceBand ?? PPM, PPM),
    dailyNotional: limit("dailyNotional", terms.dailyNotional, MAX_DAILY_NOTIONAL),
    lossLimit: limit("lossLimit", terms.lossLimit, MAX_LOSS_LIMIT),
    equityFloor: whole("equityFloor", terms.equityFloor ?? 0, MAX_EQUITY_FLOOR),
  };
}

/** An owner's key. */
export interface KeyName {
  /** address of who grants */
  owner: string;
  /** address of who may act for him */
  key: string;
}

/** The state in which a signed grant or revocation works: once. */
export interface GrantState {
  /** of the key, by `Exchange.sessionKey`: a grant or a revocation raises it by one */
  version: bigint;
  /** of the owner, by `Exchange.ownerState` */
  epoch: bigint;
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
    { name: "equityFloor", type: "uint48" },
    { name: "version", type: "uint256" },
    { name: "epoch", type: "uint256" },
  ],
};

const REVOKE_TYPES = {
  Revoke: [
    { name: "owner", type: "address" },
    { name: "key", type: "address" },
    { name: "version", type: "uint256" },
    { name: "epoch", type: "uint256" },
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
 *
 * @param owner who grants
 * @param venue exchange that it is for
 * @param name owner and key
 * @param grant what the key may do
 * @param at state in which the grant works
 * @returns the signature
 *
 * @example
 * ```ts
 * const name = { owner: alice.address, key: bob.address };
 * const grant = buildGrant({ scopes: ["trade"] });
 * const { version } = await house.exchange.sessionKey(name.owner, name.key);
 * const { epoch } = await house.exchange.ownerState(name.owner);
 * const signature = await signGrant(alice, addressBook, name, grant, { version, epoch });
 * await (await Plimsoll.connect(addressBook, bob)).send(grantKeyForCall(addressBook, name, grant, signature));
 * ```
 */
export function signGrant(
  owner: Signer,
  venue: OrderVenue,
  name: KeyName,
  grant: Grant,
  at: GrantState,
): Promise<string> {
  return owner.signTypedData(orderDomain(venue), GRANT_TYPES, { ...name, ...grant, ...at });
}

/**
 * Signs a revocation that anyone can bring to `Exchange.revokeFor`, now or on the day it is needed.
 *
 * @param owner who grants
 * @param venue exchange that it is for
 * @param name owner and key
 * @param at state in which the revocation works; the one after a grant, if it is signed with that
 * @returns the signature
 *
 * @example
 * ```ts
 * const name = { owner: alice.address, key: bob.address };
 * await house.grantKey(name, { scopes: ["trade"] });
 * const signature = await signRevoke(alice, addressBook, name, { version: 1n, epoch: 0n });
 * await (await Plimsoll.connect(addressBook, bob)).send(revokeKeyForCall(addressBook, name, signature));
 * ```
 */
export function signRevoke(owner: Signer, venue: OrderVenue, name: KeyName, at: GrantState): Promise<string> {
  return owner.signTypedData(orderDomain(venue), REVOKE_TYPES, { ...name, ...at });
}

/**
 * Signs what ends all keys and orders of an epoch of the owner's; anyone can bring it to `Exchange.revokeAllFor`.
 *
 * @param owner who signs
 * @param venue exchange that it is for
 * @param of address of the owner
 * @param epoch that it ends
 * @returns the signature
 *
 * @example
 * ```ts
 * const signature = await signRevokeAll(alice, addressBook, alice.address, 0n);
 * await (await Plimsoll.connect(addressBook, bob)).send(revokeAllForCall(addressBook, alice.address, signature));
 * ```
 */
export async function signRevokeAll(owner: Signer, venue: OrderVenue, of: string, epoch: bigint): Promise<string> {
  return owner.signTypedData(orderDomain(venue), REVOKE_ALL_TYPES, { owner: of, epoch });
}

/** What the exchange says is left of a limit; `undefined` if there is none. */
export function limitedTo(left: bigint): bigint | undefined {
  return left === NO_LIMIT ? undefined : left;
}

function whole(field: string, value: number, most: number): bigint {
  if (Number.isInteger(value) && value >= 0 && value <= most) return BigInt(value);
  throw new InvalidGrant(field, `is ${value.toString()}, not a whole number from 0 to ${most.toString()}`);
}

function limit(field: string, value: number | undefined, most: number): bigint {
  return value === undefined ? UNLIMITED : whole(field, value, most);
}

function bitmap(field: string, bits: readonly number[], most: number): bigint {
  if (bits.length === 0) throw new InvalidGrant(field, "are empty");
  return bits.reduce((map, bit) => map | (1n << whole(field, bit, most)), 0n);
}
