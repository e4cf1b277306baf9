import { getAddress, isAddress } from "ethers";

import { accountId, accountParts, isolatedAccountId, ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { assetOf } from "../sdk/calls.ts";
import type { Asset } from "../sdk/calls.ts";
import { InvalidValue } from "./errors.ts";
import { shortAddress } from "./format.ts";

const MAX_ID = (1n << 256n) - 1n;
const INDEX_BITS = 96n;

/** The account whose full id a text is. */
function fullId(text: string): AccountId | undefined {
  if (!/^(?:0x[0-9a-fA-F]{41,64}|\d{29,78})$/.test(text)) return undefined;
  const id = BigInt(text);
  if (id > MAX_ID || id >> INDEX_BITS === 0n) return undefined;
  return id;
}

/** Whether a name of an account says whose it is. */
export function namesOwner(text: string): boolean {
  return fullId(text) !== undefined;
}

/**
 * An account by its name: `main`, its number, `isolated:MARKET[:NUMBER]`, or its full id.
 * @throws InvalidValue
 */
export function parseAccount(text: string, owner: string, book: AddressBook): AccountId {
  const id = fullId(text);
  if (id !== undefined) return id;
  if (text === "main") return accountId(owner);
  if (/^\d{1,24}$/.test(text)) return accountId(owner, BigInt(text));
  const isolated = /^isolated:([^:]+)(?::(\d{1,24}))?$/.exec(text);
  if (isolated?.[1] !== undefined) {
    return isolatedAccountId(owner, parseMarket(isolated[1], book).id, BigInt(isolated[2] ?? "0"));
  }
  throw new InvalidValue("account", text, "give main, a number, isolated:MARKET[:NUMBER] or a full id");
}

/** What `parseAccount` reads. */
export function accountName(id: AccountId, book: AddressBook): string {
  const { serial, isolatedMarket } = accountParts(id);
  if (isolatedMarket === undefined) return serial === 0n ? "main" : serial.toString();
  const name = `isolated:${marketName(Number(isolatedMarket), book)}`;
  return serial === 0n ? name : `${name}:${serial.toString()}`;
}

/** The names of accounts, with their owners where there are several. */
export function accountNames(ids: readonly AccountId[], book: AddressBook): string[] {
  const several = new Set(ids.map(ownerOf)).size > 1;
  return ids.map((id) => accountName(id, book) + (several ? ` of ${shortAddress(ownerOf(id))}` : ""));
}

/**
 * A market by its id or name, in upper or lower case.
 * @throws InvalidValue
 */
export function parseMarket(text: string, book: AddressBook): AddressBook["markets"][number] {
  const found = book.markets.find((m) => m.name.toLowerCase() === text.toLowerCase() || String(m.id) === text);
  if (found === undefined) {
    throw new InvalidValue("market", text, `give one of ${book.markets.map((m) => m.name).join(", ")}, or its id`);
  }
  return found;
}

export function marketName(id: number, book: AddressBook): string {
  return book.markets.find((m) => m.id === id)?.name ?? id.toString();
}

/**
 * An underlying by its id or name.
 * @throws InvalidValue
 */
export function parseUnderlying(text: string, book: AddressBook): AddressBook["underlyings"][number] {
  const found = book.underlyings.find((u) => u.name.toLowerCase() === text.toLowerCase() || String(u.id) === text);
  if (found === undefined) {
    throw new InvalidValue("underlying", text, `give one of ${book.underlyings.map((u) => u.name).join(", ")}`);
  }
  return found;
}

export function underlyingName(id: number, book: AddressBook): string {
  return book.underlyings.find((u) => u.id === id)?.name ?? id.toString();
}

/**
 * Cash or a collateral asset by its symbol, in upper or lower case; cash if none is given.
 * @throws UnknownSymbol
 */
export function parseAsset(text: string | undefined, book: AddressBook): Asset {
  const symbols = [book.cash, ...book.collaterals].map((a) => a.symbol);
  const wanted = text ?? book.cash.symbol;
  return assetOf(book, symbols.find((s) => s.toLowerCase() === wanted.toLowerCase()) ?? wanted);
}

/** The symbol of a token. */
export function symbolOf(token: string, book: AddressBook): string {
  return [book.cash, ...book.collaterals].find((a) => a.token === token)?.symbol ?? token;
}

export function collateralName(id: number, book: AddressBook): string {
  return book.collaterals.find((c) => c.id === id)?.symbol ?? id.toString();
}

/**
 * A checksummed address.
 * @throws InvalidValue
 */
export function parseAddress(what: string, text: string): string {
  if (!isAddress(text)) throw new InvalidValue(what, text, "give an address: 0x and 40 hexadecimal digits");
  return getAddress(text);
}

/**
 * A whole number of 64 bits or, of intents, more.
 * @throws InvalidValue
 */
export function parseNonce(text: string, bits = 64n): bigint {
  if (!/^\d{1,78}$/.test(text) || BigInt(text) >= 1n << bits) {
    throw new InvalidValue("nonce", text, `give a whole number below 2^${bits.toString()}`);
  }
  return BigInt(text);
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/**
 * A duration such as 90s, 15m, 24h or 7d, in seconds.
 * @throws InvalidValue
 */
export function parseDuration(what: string, text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  if (match === null) throw new InvalidValue(what, text, "give a duration such as 90s, 15m, 24h or 7d");
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
}

/**
 * A percentage such as 0.5%, in ppm.
 * @throws InvalidValue
 */
export function parsePercent(what: string, text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,4})?)%?$/.exec(text);
  if (match === null) throw new InvalidValue(what, text, "give a percentage such as 0.5%");
  return Math.round(Number(match[1]) * 10_000);
}
