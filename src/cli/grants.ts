import type { AddressBook } from "../sdk/addressBook.ts";
import type { KnownKey } from "../sdk/history.ts";
import { SCOPES, UNLIMITED } from "../sdk/sessionKeys.ts";
import type { Grant } from "../sdk/sessionKeys.ts";
import { formatAmount } from "../sdk/units.ts";
import { percentOfPpm, rounded, time } from "./format.ts";
import { marketName } from "./names.ts";

const MAX_BAND = 1_000_000n; // [ppm]
const ALL_SCOPES = (1n << 8n) - 1n;
const ALL_MARKETS = (1n << 64n) - 1n;
const LAST_SERIAL = 31;
const USD = 10n ** 18n;

/** What a key may do now: its grant, cut down to those of the keys above it, and what is left of the limits. */
export interface Rights extends Grant {
  /** [0.01 USD] that it may still trade today; `undefined`: no limit */
  readonly notionalLeft: bigint | undefined;
  /** [0.0001 USD] that it may still lose; `undefined`: no limit */
  readonly lossLeft: bigint | undefined;
}

/** Names of the scopes of a bitmap, in words. */
export function scopeNames(scopes: bigint): string[] {
  return scopes === ALL_SCOPES ? ["everything"] : scopesOf(scopes);
}

/** The effective rights of a key among all keys of its owner; what a key uses counts against those above it. */
export function rightsOf(key: KnownKey, keys: readonly KnownKey[]): Rights {
  const own: Rights = { ...key.grant, notionalLeft: key.notionalLeft, lossLeft: key.lossLeft };
  const parent = keys.find((k) => k.key === key.parent);
  if (parent === undefined) return own;
  const above = rightsOf(parent, keys);
  return {
    scopes: own.scopes & above.scopes,
    markets: own.markets & above.markets,
    accounts: own.accounts & above.accounts,
    expiry: least(own.expiry, above.expiry),
    priceBand: least(own.priceBand, above.priceBand),
    dailyNotional: least(own.dailyNotional, above.dailyNotional),
    lossLimit: least(own.lossLimit, above.lossLimit),
    equityFloor: own.equityFloor > above.equityFloor ? own.equityFloor : above.equityFloor,
    notionalLeft: leastLeft(own.notionalLeft, above.notionalLeft),
    lossLeft: leastLeft(own.lossLeft, above.lossLeft),
  };
}

/** A grant in words. */
export function grantFacts(grant: Grant, book: AddressBook): [name: string, value: string][] {
  return [
    ["may", scopeNames(grant.scopes).join(", ")],
    ["markets", marketsText(grant.markets, book)],
    ["accounts", accountsText(grant.accounts)],
    ["until", time(grant.expiry)],
    ["price band", grant.priceBand === MAX_BAND ? "the market's" : `${percentOfPpm(grant.priceBand)} of the index`],
    ["daily notional", limitText(grant.dailyNotional)],
    ["loss limit", limitText(grant.lossLimit)],
    ["equity floor", grant.equityFloor === 0n ? "none" : usd(grant.equityFloor, 0)],
  ];
}

/** What is left of the limits of a key, in words. */
export function leftFacts({ notionalLeft: notional, lossLeft: loss }: Rights): [name: string, value: string][] {
  return [
    ["left to trade today", notional === undefined ? "no limit" : usd(notional, 2)],
    ["left to lose", loss === undefined ? "no limit" : usd(loss, 4)],
  ];
}

export function grantJson(grant: Grant, book: AddressBook): object {
  return {
    scopes: scopesOf(grant.scopes),
    markets: grant.markets === ALL_MARKETS ? "all" : bitsOf(grant.markets).map((id) => marketName(id, book)),
    accounts: bitsOf(grant.accounts),
    expiry: Number(grant.expiry),
    priceBand: grant.priceBand === MAX_BAND ? null : formatAmount(grant.priceBand, 6),
    dailyNotional: grant.dailyNotional === UNLIMITED ? null : grant.dailyNotional,
    lossLimit: grant.lossLimit === UNLIMITED ? null : grant.lossLimit,
    equityFloor: grant.equityFloor === 0n ? null : grant.equityFloor,
  };
}

export function leftJson({ notionalLeft: notional, lossLeft: loss }: Rights): object {
  return {
    notionalLeft: notional === undefined ? null : formatAmount(notional, 2),
    lossLeft: loss === undefined ? null : formatAmount(loss, 4),
  };
}

function scopesOf(scopes: bigint): string[] {
  return Object.entries(SCOPES).flatMap(([name, bit]) => ((scopes & bit) === 0n ? [] : [name]));
}

function marketsText(markets: bigint, book: AddressBook): string {
  return markets === ALL_MARKETS
    ? "all"
    : bitsOf(markets)
        .map((id) => marketName(id, book))
        .join(", ");
}

function accountsText(accounts: bigint): string {
  return bitsOf(accounts)
    .map((serial) => (serial === LAST_SERIAL ? "31 and above" : serial === 0 ? "0 (main)" : serial.toString()))
    .join(", ");
}

function limitText(limit: bigint): string {
  return limit === UNLIMITED ? "no limit" : `${rounded(limit * USD, 0)} USD`;
}

function usd(amount: bigint, decimals: number): string {
  return rounded(amount * 10n ** BigInt(18 - decimals), 2);
}

/** Positions of the bits set in a bitmap, ascending. */
function bitsOf(bitmap: bigint): number[] {
  return Array.from({ length: 64 }, (_, i) => i).filter((i) => ((bitmap >> BigInt(i)) & 1n) === 1n);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function leastLeft(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return least(a, b);
}
