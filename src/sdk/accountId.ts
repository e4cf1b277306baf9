import { getAddress } from "ethers";

const INDEX_BITS = 96n;
const ISOLATED = 1n << 95n;
const MARKET_SHIFT = 80n;
const MAX_MARKET = (1n << 15n) - 1n;
const MAX_SERIAL = (1n << 80n) - 1n;

/** A segregated account: owner address and index, packed as the contracts do. */
export type AccountId = bigint;

/** The parts of an account id. `isolatedMarket` is set for isolated accounts only. */
export interface AccountParts {
  owner: string;
  serial: bigint;
  isolatedMarket: bigint | undefined;
}

/** A serial number or market that does not fit into an account id. */
export class AccountIndexTooLarge extends Error {
  readonly field: "serial" | "market";
  readonly value: bigint;
  readonly maximum: bigint;

  constructor(field: "serial" | "market", value: bigint, maximum: bigint) {
    super(`the ${field} ${value.toString()} of an account must lie between 0 and ${maximum.toString()}`);
    this.name = "AccountIndexTooLarge";
    this.field = field;
    this.value = value;
    this.maximum = maximum;
  }
}

/**
 * The account number `serial` of `owner`; number 0 is the main account.
 * @throws AccountIndexTooLarge if the serial number does not fit into 80 bits
 */
export function accountId(owner: string, serial: bigint | number = 0n): AccountId {
  const number = inRange("serial", BigInt(serial), MAX_SERIAL);
  return (BigInt(getAddress(owner)) << INDEX_BITS) | number;
}

/**
 * The isolated account number `serial` of `owner` in `market`.
 * @throws AccountIndexTooLarge if the market does not fit into 15 bits or the serial number into 80
 */
export function isolatedAccountId(owner: string, market: bigint | number, serial: bigint | number = 0n): AccountId {
  const id = inRange("market", BigInt(market), MAX_MARKET);
  return accountId(owner, serial) | ISOLATED | (id << MARKET_SHIFT);
}

/** Owner, serial number and isolated market of an account. */
export function accountParts(id: AccountId): AccountParts {
  const isolated = (id & ISOLATED) !== 0n;
  return {
    owner: ownerOf(id),
    serial: id & MAX_SERIAL,
    isolatedMarket: isolated ? (id >> MARKET_SHIFT) & MAX_MARKET : undefined,
  };
}

/** The owner of an account, as a checksummed address. */
export function ownerOf(id: AccountId): string {
  return getAddress(`0x${(id >> INDEX_BITS).toString(16).padStart(40, "0")}`);
}

function inRange(field: "serial" | "market", value: bigint, maximum: bigint): bigint {
  if (value < 0n || value > maximum) throw new AccountIndexTooLarge(field, value, maximum);
  return value;
}
