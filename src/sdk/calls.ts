import { MaxUint256, ZeroAddress } from "ethers";

import {
  IClearingHouse__factory,
  IVault__factory,
  Exchange__factory,
  PriceOracle__factory,
} from "../../types/index.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import type { Authorisation, IntentOf } from "./intents.ts";
import type { SignedOrder } from "./orders.ts";
import type { Permit } from "./permits.ts";
import type { Grant, KeyName } from "./sessionKeys.ts";
import { parseAmount } from "./units.ts";

/** A call of a contract of the house: sent alone or, of the clearinghouse and the exchange, as a part of `ClearingHouse.batch`. */
export interface Call {
  readonly target: string;
  readonly data: string;
}

/** The amount of a withdrawal or transfer that takes all there is: of cash what is lent too, and nothing borrowed. */
export const ALL = "all";

/** What an owner puts between his accounts and a thief of his key. */
export interface GuardTerms {
  /** may lock down, unlock and take payees off the list; nobody if left out */
  guardian?: string;
  /** [s] how long what loosens and new payees wait; at most 30 days */
  delay: number;
  /** whether withdrawals go to payees only */
  restricted: boolean;
}

/** Which resting order meets which taking one, as indices into the orders of one settlement. */
export interface Match {
  readonly maker: number;
  readonly taker: number;
}

/** Worst terms a liquidator accepts [wad]; anything goes unless said otherwise. */
export interface LiquidationTerms {
  maxFraction: bigint;
  maxPayment: bigint;
  minGain: bigint;
  acceptClaims: boolean;
}

/** A token of the house. */
export interface Asset {
  symbol: string;
  token: string;
  decimals: number;
}

/** A symbol that is neither the cash nor a listed collateral. */
export class UnknownSymbol extends Error {
  readonly symbol: string;

  constructor(symbol: string, known: readonly string[]) {
    super(`${symbol} is not listed; known are ${known.join(", ")}`);
    this.name = "UnknownSymbol";
    this.symbol = symbol;
  }
}

const ledger = IClearingHouse__factory.createInterface();
const exchange = Exchange__factory.createInterface();
const vault = IVault__factory.createInterface();
const oracle = PriceOracle__factory.createInterface();

const ANY_TERMS: LiquidationTerms = {
  maxFraction: 10n ** 18n,
  maxPayment: (1n << 255n) - 1n,
  minGain: 0n,
  acceptClaims: false,
};

/**
 * Cash or collateral by its symbol.
 * @throws UnknownSymbol
 */
export function assetOf(book: AddressBook, symbol: string): Asset {
  const assets = [book.cash, ...book.collaterals];
  const asset = assets.find((a) => a.symbol === symbol);
  if (asset === undefined) {
    throw new UnknownSymbol(
      symbol,
      assets.map((a) => a.symbol),
    );
  }
  return asset;
}

/**
 * Brings a human `amount` of an asset into an account; the vault must be approved for it.
 * @throws UnknownSymbol, InvalidAmount
 */
export function depositCall(book: AddressBook, account: AccountId, symbol: string, amount: string): Call {
  const { token, decimals } = assetOf(book, symbol);
  return toLedger(book, ledger.encodeFunctionData("deposit", [account, token, parseAmount(amount, decimals)]));
}

/**
 * Brings an owner's permit for a human `amount` of an asset to the vault; in a batch together with the deposit.
 * @throws UnknownSymbol, InvalidAmount
 */
export function permitCall(
  book: AddressBook,
  owner: string,
  symbol: string,
  amount: string,
  { deadline, v, r, s }: Permit,
): Call {
  const { token, decimals } = assetOf(book, symbol);
  const data = vault.encodeFunctionData("permit", [token, owner, parseAmount(amount, decimals), deadline, v, r, s]);
  return { target: book.contracts.vault, data };
}

/**
 * Takes a human `amount` of an asset, or `ALL`, out of an account.
 * @throws UnknownSymbol, InvalidAmount
 */
export function withdrawCall(book: AddressBook, account: AccountId, symbol: string, amount: string, to: string): Call {
  const { token, decimals } = assetOf(book, symbol);
  return toLedger(book, ledger.encodeFunctionData("withdraw", [account, token, units(amount, decimals), to]));
}

/**
 * Moves a human `amount` of an asset, or `ALL`, between two accounts of one owner.
 * @throws UnknownSymbol, InvalidAmount
 */
export function transferCall(book: AddressBook, from: AccountId, to: AccountId, symbol: string, amount: string): Call {
  const { token, decimals } = assetOf(book, symbol);
  return toLedger(book, ledger.encodeFunctionData("transfer", [from, to, token, units(amount, decimals)]));
}

/**
 * Lends a human `amount` of an account's cash to borrowers.
 * @throws InvalidAmount
 */
export function lendCall(book: AddressBook, account: AccountId, amount: string): Call {
  return toLedger(book, ledger.encodeFunctionData("lend", [account, parseAmount(amount, book.cash.decimals)]));
}

/**
 * Brings a human `amount` of lent cash back into an account.
 * @throws InvalidAmount
 */
export function recallCall(book: AddressBook, account: AccountId, amount: string): Call {
  return toLedger(book, ledger.encodeFunctionData("recall", [account, parseAmount(amount, book.cash.decimals)]));
}

/** Settles matches of signed orders. */
export function settleOrdersCall(book: AddressBook, orders: readonly SignedOrder[], matches: readonly Match[]): Call {
  return toExchange(book, exchange.encodeFunctionData("settle", [[...orders], [...matches]]));
}

/** The same, each match by itself: what fails is left out. No part of a batch. */
export function settleEachCall(book: AddressBook, orders: readonly SignedOrder[], matches: readonly Match[]): Call {
  return toExchange(book, exchange.encodeFunctionData("settleEach", [[...orders], [...matches]]));
}

/** Settles matches of signed orders and takes their execution fees into an account. No part of a batch. */
export function settleForFeeCall(
  book: AddressBook,
  orders: readonly SignedOrder[],
  matches: readonly Match[],
  feeTo: AccountId,
): Call {
  return toExchange(book, exchange.encodeFunctionData("settleForFee", [[...orders], [...matches], feeTo]));
}

/** Cancels orders of an account by their nonces, whether they have been seen or not. */
export function cancelCall(book: AddressBook, account: AccountId, nonces: readonly bigint[]): Call {
  return toExchange(book, exchange.encodeFunctionData("cancel", [account, [...nonces]]));
}

/** Cancels all orders of the caller, in all accounts, whose nonce is lower. */
export function cancelBelowCall(book: AddressBook, lowestNonce: bigint): Call {
  return toExchange(book, exchange.encodeFunctionData("cancelBelow", [lowestNonce]));
}

/** Ends every order and every session key of the caller. */
export function revokeAllCall(book: AddressBook): Call {
  return toExchange(book, exchange.encodeFunctionData("revokeAll"));
}

/** Voids all orders of an owner after `time` [s] unless it is renewed; 0 = never. After a lapse `lowestNonce` has to rise. */
export function setDeadManCall(book: AddressBook, owner: string, time: bigint, lowestNonce: bigint): Call {
  return toExchange(book, exchange.encodeFunctionData("setDeadMan", [owner, time, lowestNonce]));
}

/** Allows a key to act for an owner; brought by the owner or, for a part of its own rights, by a key of his. */
export function grantKeyCall(book: AddressBook, { owner, key }: KeyName, grant: Grant): Call {
  return toExchange(book, exchange.encodeFunctionData("grant", [owner, key, grant]));
}

/** The same, signed by the owner (`signGrant`) and brought by anybody. */
export function grantKeyForCall(book: AddressBook, { owner, key }: KeyName, grant: Grant, signature: string): Call {
  return toExchange(book, exchange.encodeFunctionData("grantFor", [owner, key, grant, signature]));
}

/** Ends a key and those below it; brought by the owner, the key itself or a key above it. */
export function revokeKeyCall(book: AddressBook, { owner, key }: KeyName): Call {
  return toExchange(book, exchange.encodeFunctionData("revoke", [owner, key]));
}

/** The same, signed by the owner (`signRevoke`) and brought by anybody. */
export function revokeKeyForCall(book: AddressBook, { owner, key }: KeyName, signature: string): Call {
  return toExchange(book, exchange.encodeFunctionData("revokeFor", [owner, key, signature]));
}

/** Ends every order and every key of an owner, who has signed it (`signRevokeAll`); brought by anybody. */
export function revokeAllForCall(book: AddressBook, owner: string, signature: string): Call {
  return toExchange(book, exchange.encodeFunctionData("revokeAllFor", [owner, signature]));
}

/** Brings an intent that the owner or a key of his has signed (`signIntent`); brought by anybody. */
export function intentCall(book: AddressBook, intent: IntentOf, authorisation: Authorisation): Call {
  const a = authorisation;
  switch (intent.name) {
    case "Deposit":
      return toExchange(
        book,
        exchange.encodeFunctionData("depositFor", [intent.account, intent.token, intent.amount, a]),
      );
    case "Withdraw": {
      const { account, token, amount, to } = intent;
      return toExchange(book, exchange.encodeFunctionData("withdrawFor", [account, token, amount, to, a]));
    }
    case "Transfer": {
      const { from, to, token, amount } = intent;
      return toExchange(book, exchange.encodeFunctionData("transferFor", [from, to, token, amount, a]));
    }
    case "Lend":
      return toExchange(book, exchange.encodeFunctionData("lendFor", [intent.account, intent.amount, a]));
    case "Recall":
      return toExchange(book, exchange.encodeFunctionData("recallFor", [intent.account, intent.amount, a]));
  }
}

/** Makes a nonce of the caller's intents useless. */
export function cancelIntentCall(book: AddressBook, nonce: bigint): Call {
  return toExchange(book, exchange.encodeFunctionData("cancelIntent", [nonce]));
}

/** Takes over a slice of `account` into `taker`. */
export function liquidateCall(
  book: AddressBook,
  account: AccountId,
  taker: AccountId,
  terms: Partial<LiquidationTerms> = {},
): Call {
  return toLedger(book, ledger.encodeFunctionData("liquidate", [account, taker, fullTerms(terms)]));
}

/** Takes over a slice of an account whose loss has waited for cash for longer than 24 hours of observed time. */
export function cashCallCall(
  book: AddressBook,
  account: AccountId,
  taker: AccountId,
  terms: Partial<LiquidationTerms> = {},
): Call {
  return toLedger(book, ledger.encodeFunctionData("cashCall", [account, taker, fullTerms(terms)]));
}

/** Writes off an account below zero that has nothing to sell. */
export function absorbCall(book: AddressBook, account: AccountId): Call {
  return toLedger(book, ledger.encodeFunctionData("absorb", [account]));
}

/** Settles the PnL of accounts in a market. */
export function settleCall(book: AddressBook, market: number, accounts: readonly AccountId[]): Call {
  return toLedger(book, ledger.encodeFunctionData("settle", [market, [...accounts]]));
}

/** Keeps the last good price of an underlying and takes up to `maxRounds` rounds of its feed into its volatility. */
export function observeCall(book: AddressBook, underlying: number, maxRounds: number): Call {
  const data = oracle.encodeFunctionData("observe", [underlying, maxRounds]);
  return { target: book.contracts.priceOracle, data };
}

/** Keeps the last good rate of a collateral asset that has one. */
export function observeRateCall(book: AddressBook, collateral: number): Call {
  return { target: book.contracts.priceOracle, data: oracle.encodeFunctionData("observeRate", [collateral]) };
}

/** Observes an account: starts, advances or clears its auction, or calls for margin. */
export function flagCall(book: AddressBook, account: AccountId): Call {
  return toLedger(book, ledger.encodeFunctionData("flag", [account]));
}

/** Several calls in one, with the margin checks at its end. */
export function batchCall(book: AddressBook, calls: readonly Call[]): Call {
  return toLedger(book, ledger.encodeFunctionData("batch", [[...calls]]));
}

/** Terms under which anything goes that is not said otherwise. */
export function fullTerms(terms: Partial<LiquidationTerms>): LiquidationTerms {
  return { ...ANY_TERMS, ...terms };
}

function units(amount: string, decimals: number): bigint {
  return amount === ALL ? MaxUint256 : parseAmount(amount, decimals);
}

function toLedger(book: AddressBook, data: string): Call {
  return { target: book.contracts.clearingHouse, data };
}

function toExchange(book: AddressBook, data: string): Call {
  return { target: book.contracts.exchange, data };
}

/** Sets the guard of who sends it; what loosens waits for the delay in force. */
export function setGuardCall(book: AddressBook, { guardian = ZeroAddress, delay, restricted }: GuardTerms): Call {
  return toLedger(book, ledger.encodeFunctionData("setGuard", [guardian, delay, restricted]));
}

/** Puts an address on the list of payees of who sends it. */
export function allowPayeeCall(book: AddressBook, payee: string): Call {
  return toLedger(book, ledger.encodeFunctionData("allowPayee", [payee]));
}

/** Takes an address off an owner's list of payees. */
export function removePayeeCall(book: AddressBook, owner: string, payee: string): Call {
  return toLedger(book, ledger.encodeFunctionData("removePayee", [owner, payee]));
}

/** Ends all that an owner has signed and leaves him only what saves him. */
export function lockDownCall(book: AddressBook, owner: string): Call {
  return toLedger(book, ledger.encodeFunctionData("lockDown", [owner]));
}

/** Ends a lockdown, or asks for its end. */
export function unlockCall(book: AddressBook, owner: string): Call {
  return toLedger(book, ledger.encodeFunctionData("unlock", [owner]));
}

/** Announces that a flat account leaves, so that no limit on outflow holds it up for longer than 24 hours. */
export function requestExitCall(book: AddressBook, account: AccountId): Call {
  return toLedger(book, ledger.encodeFunctionData("requestExit", [account]));
}

/** Counts what goes into and out of an account from now on, from zero, or no longer: keys with a floor on equity need it. */
export function trackFlowsCall(book: AddressBook, account: AccountId, on: boolean): Call {
  return toLedger(book, ledger.encodeFunctionData("trackFlows", [account, on]));
}
