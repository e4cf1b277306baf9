import { getAddress } from "ethers";

import { PlimsollError } from "../risk/plimsollError.ts";

const INDEX_BITS = 96n;
const ISOLATED = 1n << 95n;
const MARKET_SHIFT = 80n;
const MAX_MARKET = (1n << 15n) - 1n;
const MAX_SERIAL = (1n << 80n) - 1n;

/** A segregated account: owner address and index, packed as the contracts do. */
export type AccountId = bigint;

/** The parts of an account id. */
export interface AccountParts {
  /** checksummed address */
  owner: string;
  /** number of the account among those of its kind; 0 is the main one */
  serial: bigint;
  /** id of the only market that an isolated account trades */
  isolatedMarket: bigint | undefined;
}

/** A serial number or market that does not fit into an account id. */
export class AccountIndexTooLarge extends PlimsollError {
  override readonly name = "AccountIndexTooLarge";
  /** which of them */
  readonly field: "serial" | "market";
  /** what it is */
  readonly value: bigint;
  /** what it may be at most */
  readonly maximum: bigint;

  /**
   * @param field which of them
   * @param value what it is
   * @param maximum what it may be at most
   */
  constructor(field: "serial" | "market", value: bigint, maximum: bigint) {
    super(`the ${field} ${value.toString()} of an account must lie between 0 and ${maximum.toString()}`);
    this.field = field;
    this.value = value;
    this.maximum = maximum;
  }
}

/**
 * An account of an owner. Nothing has to be created: every number is an account.
 *
 * @param owner address of the owner
 * @param serial number of the account; 0 is the main one
 * @returns the account
 * @throws {@link AccountIndexTooLarge} if the serial number does not fit into 80 bits
 *
 * @example
 * ```ts
 * const main = accountId(alice.address);
 * const second = accountId(alice.address, 1);
 * console.log(second - main); // → 1n
 * ```
 */
export function accountId(owner: string, serial: bigint | number = 0n): AccountId {
  const number = inRange("serial", BigInt(serial), MAX_SERIAL);
  return (BigInt(getAddress(owner)) << INDEX_BITS) | number;
}

/**
 * An isolated account: it trades one market, and a loss in it reaches no other account of its owner.
 *
 * @param owner address of the owner
 * @param market id of the only market that it trades
 * @param serial number of the account; 0 is the main one
 * @returns the account
 * @throws {@link AccountIndexTooLarge} if the market does not fit into 15 bits or the serial number into 80
 *
 * @example
 * ```ts
 * const isolated = isolatedAccountId(alice.address, 0);
 * await house.transfer(account, isolated, "USDC", "500");
 * console.log(accountParts(isolated).isolatedMarket); // → 0n
 * ```
 */
export function isolatedAccountId(owner: string, market: bigint | number, serial: bigint | number = 0n): AccountId {
  const id = inRange("market", BigInt(market), MAX_MARKET);
  return accountId(owner, serial) | ISOLATED | (id << MARKET_SHIFT);
}

/**
 * Owner, serial number and isolated market of an account.
 *
 * @param id account that is taken apart
 * @returns its parts
 *
 * @example
 * ```ts
 * const { serial, isolatedMarket } = accountParts(accountId(alice.address, 3));
 * console.log(serial, isolatedMarket); // → 3n undefined
 * ```
 */
export function accountParts(id: AccountId): AccountParts {
  const isolated = (id & ISOLATED) !== 0n;
  return {
    owner: ownerOf(id),
    serial: id & MAX_SERIAL,
    isolatedMarket: isolated ? (id >> MARKET_SHIFT) & MAX_MARKET : undefined,
  };
}

/** An account id as texts and addresses of other programs hold it: 0x and hexadecimal digits. */
export function hexOf(id: AccountId): string {
  return `0x${id.toString(16)}`;
}

/**
 * The owner of an account.
 *
 * @param id account whose owner is asked for
 * @returns checksummed address
 *
 * @example
 * ```ts
 * console.log(ownerOf(account) === alice.address); // → true
 * ```
 */
export function ownerOf(id: AccountId): string {
  return getAddress(`0x${(id >> INDEX_BITS).toString(16).padStart(40, "0")}`);
}

function inRange(field: "serial" | "market", value: bigint, maximum: bigint): bigint {
  if (value < 0n || value > maximum) throw new AccountIndexTooLarge(field, value, maximum);
  return value;
}
