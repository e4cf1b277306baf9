import { Interface, MaxUint256, ZeroAddress } from "ethers";

import { Exchange__factory } from "../../types/factories/contracts/Exchange__factory.ts";
import { IClearingHouse__factory } from "../../types/factories/contracts/interfaces/IClearingHouse__factory.ts";
import { IPriceOracle__factory } from "../../types/factories/contracts/interfaces/IPriceOracle__factory.ts";
import { IVault__factory } from "../../types/factories/contracts/interfaces/IVault__factory.ts";
import { PlimsollError } from "../risk/plimsollError.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import type { Authorisation, Intent } from "./intents.ts";
import type { SignedOrder } from "./orders.ts";
import type { Permit } from "./permits.ts";
import type { Grant, KeyName } from "./sessionKeys.ts";
import { parseAmount, parseWad } from "./units.ts";

/** A call of a contract of the house: sent alone or, of the clearinghouse and the exchange, as a part of `ClearingHouse.batch`. */
export interface Call {
  /** address of the contract */
  readonly target: string;
  /** the function and its arguments, encoded */
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
  /** index of the order that rests */
  readonly maker: number;
  /** index of the order that takes */
  readonly taker: number;
}

/** Worst terms a liquidator accepts [wad]; anything goes unless said otherwise. */
export interface LiquidationTerms {
  /** [wad] largest part of the portfolio to take */
  maxFraction: bigint;
  /** [wad] most cash to pay; negative: least to get */
  maxPayment: bigint;
  /** [wad] least that the slice is worth beyond its payment */
  minGain: bigint;
  /** whether claims on the pools of markets are taken for cash that the account does not have */
  acceptClaims: boolean;
}

/** A token of the house. */
export interface Asset {
  /** such as "USDC" */
  symbol: string;
  /** address of the ERC-20 token */
  token: string;
  /** of the token */
  decimals: number;
}

/** A symbol that is neither the cash nor a listed collateral. */
export class UnknownSymbol extends PlimsollError {
  override readonly name = "UnknownSymbol";
  /** what was asked for */
  readonly symbol: string;

  /**
   * @param symbol what was asked for
   * @param known what is listed
   */
  constructor(symbol: string, known: readonly string[]) {
    super(`${symbol} is not listed; known are ${known.join(", ")}`);
    this.symbol = symbol;
  }
}

const ledger = IClearingHouse__factory.createInterface();
const exchange = Exchange__factory.createInterface();
const vault = IVault__factory.createInterface();
const oracle = IPriceOracle__factory.createInterface();
const erc20 = new Interface(["function approve(address spender, uint256 amount) returns (bool)"]);

const ANY_TERMS: LiquidationTerms = {
  maxFraction: 10n ** 18n,
  maxPayment: (1n << 255n) - 1n,
  minGain: 0n,
  acceptClaims: false,
};

/**
 * Cash or collateral by its symbol.
 *
 * @param book where the house is deployed
 * @param symbol such as "USDC"
 * @returns the asset
 * @throws {@link UnknownSymbol} if the asset is not listed
 *
 * @example
 * ```ts
 * console.log(assetOf(addressBook, "USDC").decimals); // → 6
 * ```
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
 * Brings a human `amount` of an asset into an account. The vault must be approved for it beforehand.
 *
 * @param book where the house is deployed
 * @param account where it goes
 * @param symbol of the asset
 * @param amount such as "2.5"
 * @returns the call, to be sent or batched
 * @throws {@link UnknownSymbol} if the asset is not listed
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.send(approveCall(addressBook, "WETH", "2.5"));
 * await house.send(depositCall(addressBook, account, "WETH", "2.5"));
 * ```
 */
export function depositCall(book: AddressBook, account: AccountId, symbol: string, amount: string): Call {
  const { token, decimals } = assetOf(book, symbol);
  return toLedger(book, ledger.encodeFunctionData("deposit", [account, token, parseAmount(amount, decimals)]));
}

/**
 * Brings an owner's permit for a human `amount` of an asset to the vault; in a batch together with the deposit.
 *
 * @param book where the house is deployed
 * @param owner who has signed
 * @param symbol of the asset
 * @param amount that is signed, such as "2.5"
 * @param permit of the owner, by {@link signPermit} or {@link signPermit2}
 * @returns the call, to be sent or batched
 * @throws {@link UnknownSymbol} if the asset is not listed
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * const deadline = BigInt(Math.floor(Date.now() / 1000) + 600);
 * const terms = { token: addressBook.cash.token, spender: addressBook.contracts.vault, amount: 25_000_000n, deadline };
 * const permit = await signPermit(alice, terms);
 * const bobs = await Plimsoll.connect(addressBook, bob); // who pays the gas
 * await bobs.send(permitCall(addressBook, alice.address, "USDC", "25", permit));
 * ```
 */
export function permitCall(book: AddressBook, owner: string, symbol: string, amount: string, permit: Permit): Call {
  const { token, decimals } = assetOf(book, symbol);
  const { deadline, v, r, s } = permit;
  const data = vault.encodeFunctionData("permit", [token, owner, parseAmount(amount, decimals), deadline, v, r, s]);
  return { target: book.contracts.vault, data };
}

/**
 * Allows the vault, or another contract of the house, to take a human `amount` of an asset out of the sender's wallet.
 *
 * @param book where the house is deployed
 * @param symbol of the asset
 * @param amount such as "2.5"
 * @param spender who takes it; the vault if left out
 * @returns the call, to be sent before a deposit
 * @throws {@link UnknownSymbol} if the asset is not listed
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.send(approveCall(addressBook, "USDC", "1000"));
 * await house.batch([
 *   depositCall(addressBook, account, "USDC", "600"),
 *   depositCall(addressBook, accountId(alice.address, 1), "USDC", "400"),
 * ]);
 * ```
 */
export function approveCall(book: AddressBook, symbol: string, amount: string, spender = book.contracts.vault): Call {
  const { token, decimals } = assetOf(book, symbol);
  const data = erc20.encodeFunctionData("approve", [spender, parseAmount(amount, decimals)]);
  return { target: token, data };
}

/**
 * Takes a human `amount` of an asset out of an account.
 *
 * @param book where the house is deployed
 * @param account of the sender
 * @param symbol of the asset
 * @param amount such as "2.5", or {@link ALL}
 * @param to address that gets it
 * @returns the call, to be sent or batched
 * @throws {@link UnknownSymbol} if the asset is not listed
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.send(withdrawCall(addressBook, account, "USDC", "100", alice.address));
 * ```
 */
export function withdrawCall(book: AddressBook, account: AccountId, symbol: string, amount: string, to: string): Call {
  const { token, decimals } = assetOf(book, symbol);
  return toLedger(book, ledger.encodeFunctionData("withdraw", [account, token, units(amount, decimals), to]));
}

/**
 * Moves a human `amount` of an asset between two accounts of one owner.
 *
 * @param book where the house is deployed
 * @param from account that gives
 * @param to account that gets
 * @param symbol of the asset
 * @param amount such as "2.5", or {@link ALL}
 * @returns the call, to be sent or batched
 * @throws {@link UnknownSymbol} if the asset is not listed
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.send(transferCall(addressBook, account, accountId(alice.address, 1), "USDC", "100"));
 * ```
 */
export function transferCall(book: AddressBook, from: AccountId, to: AccountId, symbol: string, amount: string): Call {
  const { token, decimals } = assetOf(book, symbol);
  return toLedger(book, ledger.encodeFunctionData("transfer", [from, to, token, units(amount, decimals)]));
}

/**
 * Lends a human `amount` of an account's cash to borrowers.
 *
 * @param book where the house is deployed
 * @param account that lends
 * @param amount such as "2500"
 * @returns the call, to be sent or batched
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.send(lendCall(addressBook, account, "2500"));
 * ```
 */
export function lendCall(book: AddressBook, account: AccountId, amount: string): Call {
  return toLedger(book, ledger.encodeFunctionData("lend", [account, parseAmount(amount, book.cash.decimals)]));
}

/**
 * Brings a human `amount` of lent cash back into an account.
 *
 * @param book where the house is deployed
 * @param account that has lent
 * @param amount such as "2500"
 * @returns the call, to be sent or batched
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.send(lendCall(addressBook, account, "2500"));
 * await house.send(recallCall(addressBook, account, "1000"));
 * ```
 */
export function recallCall(book: AddressBook, account: AccountId, amount: string): Call {
  return toLedger(book, ledger.encodeFunctionData("recall", [account, parseAmount(amount, book.cash.decimals)]));
}

/**
 * Settles matches of signed orders.
 *
 * @param book where the house is deployed
 * @param orders that the matches refer to
 * @param matches in the order of settlement
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const terms = { market: 0, limitPrice: "2000", nonce: 7n };
 * const bobs = await Plimsoll.connect(addressBook, bob);
 * const ask = await bobs.order({ ...terms, account: accountId(bob.address), size: "-1", resting: true });
 * const bid = await house.order({ ...terms, account, size: "1" });
 * await house.send(settleOrdersCall(addressBook, [ask, bid], [{ maker: 0, taker: 1 }]));
 * ```
 */
export function settleOrdersCall(book: AddressBook, orders: readonly SignedOrder[], matches: readonly Match[]): Call {
  return toExchange(book, exchange.encodeFunctionData("settle", [[...orders], [...matches]]));
}

/**
 * Settles matches of signed orders each by itself: what fails is left out. To be sent on its own.
 *
 * @param book where the house is deployed
 * @param orders that the matches refer to
 * @param matches in the order of settlement
 * @returns the call, to be sent on its own
 *
 * @example
 * ```ts
 * const terms = { market: 0, limitPrice: "2000", nonce: 7n };
 * const bobs = await Plimsoll.connect(addressBook, bob);
 * const ask = await bobs.order({ ...terms, account: accountId(bob.address), size: "-1", resting: true });
 * const bid = await house.order({ ...terms, account, size: "1" });
 * const late = await house.order({ ...terms, account, size: "1", expiry: 1n, nonce: 8n });
 * const matches = [1, 2].map((taker) => ({ maker: 0, taker }));
 * await house.send(settleEachCall(addressBook, [ask, bid, late], matches)); // the second match fails
 * ```
 */
export function settleEachCall(book: AddressBook, orders: readonly SignedOrder[], matches: readonly Match[]): Call {
  return toExchange(book, exchange.encodeFunctionData("settleEach", [[...orders], [...matches]]));
}

/**
 * Settles matches of signed orders and takes their execution fees into an account. To be sent on its own.
 *
 * @param book where the house is deployed
 * @param orders that the matches refer to
 * @param matches in the order of settlement
 * @param feeTo account that gets the fees
 * @returns the call, to be sent on its own
 *
 * @example
 * ```ts
 * const [stop] = await house.bracket({ account, market: 0, size: "10", stop: "1900", target: "2300", executionFee: "5", nonce: 7n });
 * await setPrice("ETH", "1899");
 * const bobs = await Plimsoll.connect(addressBook, bob);
 * const bid = await bobs.order({ account: accountId(bob.address), market: 0, size: "10", limitPrice: "1899", nonce: 7n, resting: true });
 * await bobs.send(settleForFeeCall(addressBook, [bid, stop], [{ maker: 0, taker: 1 }], accountId(bob.address)));
 * ```
 */
export function settleForFeeCall(
  book: AddressBook,
  orders: readonly SignedOrder[],
  matches: readonly Match[],
  feeTo: AccountId,
): Call {
  return toExchange(book, exchange.encodeFunctionData("settleForFee", [[...orders], [...matches], feeTo]));
}

/**
 * Cancels orders of an account by their nonces, whether they have been seen or not.
 *
 * @param book where the house is deployed
 * @param account whose orders they are
 * @param nonces of the orders
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(cancelCall(addressBook, account, [7n, 8n]));
 * ```
 */
export function cancelCall(book: AddressBook, account: AccountId, nonces: readonly bigint[]): Call {
  return toExchange(book, exchange.encodeFunctionData("cancel", [account, [...nonces]]));
}

/**
 * Cancels all orders of the sender, in all accounts, whose nonce is lower.
 *
 * @param book where the house is deployed
 * @param lowestNonce that remains good
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(cancelBelowCall(addressBook, 100n));
 * ```
 */
export function cancelBelowCall(book: AddressBook, lowestNonce: bigint): Call {
  return toExchange(book, exchange.encodeFunctionData("cancelBelow", [lowestNonce]));
}

/**
 * Ends every order and every session key of the sender.
 *
 * @param book where the house is deployed
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(revokeAllCall(addressBook));
 * ```
 */
export function revokeAllCall(book: AddressBook): Call {
  return toExchange(book, exchange.encodeFunctionData("revokeAll"));
}

/**
 * Voids all orders of an owner after a time unless it is renewed. After a lapse `lowestNonce` has to rise.
 *
 * @param book where the house is deployed
 * @param owner whose orders they are
 * @param time [s] after which they are void; 0 = never
 * @param lowestNonce below which orders are cancelled
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const inAnHour = BigInt(Math.floor(Date.now() / 1000) + 3600);
 * await house.send(setDeadManCall(addressBook, alice.address, inAnHour, 100n));
 * ```
 */
export function setDeadManCall(book: AddressBook, owner: string, time: bigint, lowestNonce: bigint): Call {
  return toExchange(book, exchange.encodeFunctionData("setDeadMan", [owner, time, lowestNonce]));
}

/**
 * Allows a key to act for an owner. Brought by the owner or, for a part of its own rights, by a key of his.
 *
 * @param book where the house is deployed
 * @param name owner and key
 * @param grant what the key may do
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const name = { owner: alice.address, key: bob.address };
 * await house.send(grantKeyCall(addressBook, name, buildGrant({ scopes: ["trade"] })));
 * ```
 */
export function grantKeyCall(book: AddressBook, { owner, key }: KeyName, grant: Grant): Call {
  return toExchange(book, exchange.encodeFunctionData("grant", [owner, key, grant]));
}

/**
 * Allows a key to act for an owner, who has signed it; brought by anybody.
 *
 * @param book where the house is deployed
 * @param name owner and key
 * @param grant what the key may do
 * @param signature of the owner, by {@link signGrant}
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const name = { owner: alice.address, key: bob.address };
 * const grant = buildGrant({ scopes: ["trade"] });
 * const signature = await signGrant(alice, addressBook, name, grant, { version: 0n, epoch: 0n });
 * await (await Plimsoll.connect(addressBook, bob)).send(grantKeyForCall(addressBook, name, grant, signature));
 * ```
 */
export function grantKeyForCall(book: AddressBook, { owner, key }: KeyName, grant: Grant, signature: string): Call {
  return toExchange(book, exchange.encodeFunctionData("grantFor", [owner, key, grant, signature]));
}

/**
 * Ends a key and those below it; brought by the owner, the key itself or a key above it.
 *
 * @param book where the house is deployed
 * @param name owner and key
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const name = { owner: alice.address, key: bob.address };
 * await house.grantKey(name, { scopes: ["trade"] });
 * await house.send(revokeKeyCall(addressBook, name));
 * ```
 */
export function revokeKeyCall(book: AddressBook, { owner, key }: KeyName): Call {
  return toExchange(book, exchange.encodeFunctionData("revoke", [owner, key]));
}

/**
 * Ends a key and those below it, as its owner has signed; brought by anybody.
 *
 * @param book where the house is deployed
 * @param name owner and key
 * @param signature of the owner, by {@link signRevoke}
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const name = { owner: alice.address, key: bob.address };
 * await house.grantKey(name, { scopes: ["trade"] });
 * const { version } = await house.exchange.sessionKey(name.owner, name.key);
 * const { epoch } = await house.exchange.ownerState(name.owner);
 * const signature = await signRevoke(alice, addressBook, name, { version, epoch });
 * await (await Plimsoll.connect(addressBook, bob)).send(revokeKeyForCall(addressBook, name, signature));
 * ```
 */
export function revokeKeyForCall(book: AddressBook, { owner, key }: KeyName, signature: string): Call {
  return toExchange(book, exchange.encodeFunctionData("revokeFor", [owner, key, signature]));
}

/**
 * Ends every order and every key of an owner, who has signed it; brought by anybody.
 *
 * @param book where the house is deployed
 * @param owner who has signed
 * @param signature of the owner, by {@link signRevokeAll}
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const signature = await signRevokeAll(alice, addressBook, alice.address, 0n);
 * await (await Plimsoll.connect(addressBook, bob)).send(revokeAllForCall(addressBook, alice.address, signature));
 * ```
 */
export function revokeAllForCall(book: AddressBook, owner: string, signature: string): Call {
  return toExchange(book, exchange.encodeFunctionData("revokeAllFor", [owner, signature]));
}

/**
 * Brings an intent that its owner or a key of his has signed; brought by anybody.
 *
 * @param book where the house is deployed
 * @param intent that is signed
 * @param authorisation by {@link signIntent}
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const intent = { name: "Lend", account, amount: 25_000_000n } as const;
 * const terms = { nonce: 7n, deadline: BigInt(Math.floor(Date.now() / 1000) + 600), epoch: 0n };
 * const authorisation = await signIntent(alice, addressBook, intent, terms);
 * await (await Plimsoll.connect(addressBook, bob)).send(intentCall(addressBook, intent, authorisation));
 * ```
 */
export function intentCall(book: AddressBook, intent: Intent, authorisation: Authorisation): Call {
  return toExchange(book, intentData(intent, authorisation));
}

/**
 * Makes a nonce of the sender's intents useless.
 *
 * @param book where the house is deployed
 * @param nonce that no intent of his can use any more
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(cancelIntentCall(addressBook, 7n));
 * ```
 */
export function cancelIntentCall(book: AddressBook, nonce: bigint): Call {
  return toExchange(book, exchange.encodeFunctionData("cancelIntent", [nonce]));
}

/**
 * Sets the guard of the sender. What loosens it waits for the delay in force.
 *
 * @param book where the house is deployed
 * @param terms of the guard
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(setGuardCall(addressBook, { guardian: bob.address, delay: 86_400, restricted: true }));
 * ```
 */
export function setGuardCall(book: AddressBook, terms: GuardTerms): Call {
  const { guardian = ZeroAddress, delay, restricted } = terms;
  return toLedger(book, ledger.encodeFunctionData("setGuard", [guardian, delay, restricted]));
}

/**
 * Puts an address on the sender's list of payees, good after the delay of his guard.
 *
 * @param book where the house is deployed
 * @param payee address that may be paid
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(allowPayeeCall(addressBook, bob.address));
 * ```
 */
export function allowPayeeCall(book: AddressBook, payee: string): Call {
  return toLedger(book, ledger.encodeFunctionData("allowPayee", [payee]));
}

/**
 * Takes an address off an owner's list of payees; sent by the owner or his guardian.
 *
 * @param book where the house is deployed
 * @param owner whose list it is
 * @param payee address that may not be paid any more
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(allowPayeeCall(addressBook, bob.address));
 * await house.send(removePayeeCall(addressBook, alice.address, bob.address));
 * ```
 */
export function removePayeeCall(book: AddressBook, owner: string, payee: string): Call {
  return toLedger(book, ledger.encodeFunctionData("removePayee", [owner, payee]));
}

/**
 * Ends all that an owner has signed and leaves him only what saves him; sent by the owner or his guardian.
 *
 * @param book where the house is deployed
 * @param owner who is locked down
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(lockDownCall(addressBook, alice.address));
 * ```
 */
export function lockDownCall(book: AddressBook, owner: string): Call {
  return toLedger(book, ledger.encodeFunctionData("lockDown", [owner]));
}

/**
 * Ends a lockdown, sent by the guardian; sent by the owner it asks for the end, and later ends it.
 *
 * @param book where the house is deployed
 * @param owner who is locked down
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(lockDownCall(addressBook, alice.address));
 * await house.send(unlockCall(addressBook, alice.address)); // asks
 * await passTime(86_400);
 * await house.send(unlockCall(addressBook, alice.address)); // ends
 * ```
 */
export function unlockCall(book: AddressBook, owner: string): Call {
  return toLedger(book, ledger.encodeFunctionData("unlock", [owner]));
}

/**
 * Announces that a flat account leaves, so that no limit on outflow holds it up for longer than 24 hours.
 *
 * @param book where the house is deployed
 * @param account of the sender
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const savings = accountId(alice.address, 1);
 * await house.send(transferCall(addressBook, account, savings, "USDC", "5000"));
 * await house.send(requestExitCall(addressBook, savings));
 * ```
 */
export function requestExitCall(book: AddressBook, account: AccountId): Call {
  return toLedger(book, ledger.encodeFunctionData("requestExit", [account]));
}

/**
 * Counts what goes into and out of an account from now on, from zero, or no longer. Keys with a floor on equity need it.
 *
 * @param book where the house is deployed
 * @param account of the sender
 * @param on whether it is counted
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(trackFlowsCall(addressBook, account, true));
 * ```
 */
export function trackFlowsCall(book: AddressBook, account: AccountId, on: boolean): Call {
  return toLedger(book, ledger.encodeFunctionData("trackFlows", [account, on]));
}

/**
 * Caps how much of an underlying an account may open, long less short over its markets. What it holds already may stay and shrink.
 *
 * @param book where the house is deployed
 * @param account of the sender
 * @param underlying id of the underlying
 * @param cap in units of the underlying, such as "2.5"; `undefined` lifts it
 * @returns the call, to be sent or batched
 * @throws {@link InvalidAmount} if the cap is no decimal number, or has more than 18 decimals
 *
 * @example
 * ```ts
 * await house.send(setExposureCapCall(addressBook, account, 0, "2.5"));
 * ```
 */
export function setExposureCapCall(book: AddressBook, account: AccountId, underlying: number, cap?: string): Call {
  const most = cap === undefined ? MaxUint256 : parseWad(cap);
  return toLedger(book, ledger.encodeFunctionData("setExposureCap", [account, underlying, most]));
}

/**
 * Takes over a slice of an account.
 *
 * @param book where the house is deployed
 * @param account that is liquidatable
 * @param taker account of the sender that gets the slice
 * @param terms worst that the sender accepts; anything goes unless said otherwise
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await setPrice("ETH", "1030"); // Alice's 9,990 of equity on 10 ETH bought at 2,000 has sunk below her maintenance margin
 * const liquidator = await Plimsoll.connect(addressBook, bob);
 * await liquidator.send(liquidateCall(addressBook, account, accountId(bob.address), { minGain: 1n }));
 * ```
 */
export function liquidateCall(
  book: AddressBook,
  account: AccountId,
  taker: AccountId,
  terms: Partial<LiquidationTerms> = {},
): Call {
  return toLedger(book, ledger.encodeFunctionData("liquidate", [account, taker, fullTerms(terms)]));
}

/**
 * Lets a batch go on only while an account has exactly so much cash. Before {@link liquidateCall} it makes who comes second fail
 * for little gas: every slice moves the account's cash.
 *
 * @param book where the house is deployed
 * @param account that shall be as it was
 * @param cash [wad] that it must have
 * @returns the call, to be batched before those that move something
 *
 * @example
 * ```ts
 * await setPrice("ETH", "1030"); // Alice's 9,990 of equity on 10 ETH bought at 2,000 has sunk below her maintenance margin
 * const liquidator = await Plimsoll.connect(addressBook, bob);
 * const { cash } = await liquidator.clearingHouse.account(account);
 * const slice = liquidateCall(addressBook, account, accountId(bob.address));
 * await liquidator.batch([requireCashCall(addressBook, account, cash), slice]);
 * ```
 */
export function requireCashCall(book: AddressBook, account: AccountId, cash: bigint): Call {
  return toLedger(book, ledger.encodeFunctionData("requireCash", [account, cash]));
}

/**
 * Takes over a slice of an account whose loss has waited for cash for longer than 24 hours of observed time.
 *
 * @param book where the house is deployed
 * @param account that cannot pay its loss
 * @param taker account of the sender that gets the slice
 * @param terms worst that the sender accepts; anything goes unless said otherwise
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const call = cashCallCall(addressBook, account, accountId(bob.address));
 * const error = decodeError(await bob.call({ to: call.target, data: call.data }).catch((thrown: unknown) => thrown));
 * console.log(error?.name); // → NoCashCall
 * ```
 */
export function cashCallCall(
  book: AddressBook,
  account: AccountId,
  taker: AccountId,
  terms: Partial<LiquidationTerms> = {},
): Call {
  return toLedger(book, ledger.encodeFunctionData("cashCall", [account, taker, fullTerms(terms)]));
}

/**
 * Writes off an account below zero that has nothing to sell.
 *
 * @param book where the house is deployed
 * @param account that is bankrupt
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * const call = absorbCall(addressBook, account);
 * const error = decodeError(await bob.call({ to: call.target, data: call.data }).catch((thrown: unknown) => thrown));
 * console.log(error?.name); // → NotAbsorbable
 * ```
 */
export function absorbCall(book: AddressBook, account: AccountId): Call {
  return toLedger(book, ledger.encodeFunctionData("absorb", [account]));
}

/**
 * Settles the PnL of accounts in a market.
 *
 * @param book where the house is deployed
 * @param market id of the market
 * @param accounts that are settled
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await house.send(settleCall(addressBook, 0, [account]));
 * ```
 */
export function settleCall(book: AddressBook, market: number, accounts: readonly AccountId[]): Call {
  return toLedger(book, ledger.encodeFunctionData("settle", [market, [...accounts]]));
}

/**
 * Takes profit of an account out of a market's pool, in cash. While bad debt of the market stands, a human `amount` of profit is given up
 * for `amount` · pool / (pool + bad debt); without, the pool pays as far as it can.
 *
 * @param book where the house is deployed
 * @param account of the sender
 * @param market id of the market
 * @param amount of profit, such as "250"
 * @returns the call, to be sent or batched
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more than 18 decimals
 *
 * @example
 * ```ts
 * await setPrice("ETH", "2100");
 * await house.send(settleCall(addressBook, 0, [accountId(bob.address)])); // Bob's loss fills the pool
 * await house.send(claimCall(addressBook, account, 0, "250"));
 * ```
 */
export function claimCall(book: AddressBook, account: AccountId, market: number, amount: string): Call {
  return toLedger(book, ledger.encodeFunctionData("claim", [account, market, parseWad(amount)]));
}

/**
 * Keeps the last good price of an underlying and takes rounds of its feed into its volatility.
 *
 * @param book where the house is deployed
 * @param underlying id of the underlying
 * @param maxRounds most rounds to take in
 * @returns the call, to be sent on its own
 *
 * @example
 * ```ts
 * await house.send(observeCall(addressBook, 0, 10));
 * ```
 */
export function observeCall(book: AddressBook, underlying: number, maxRounds: number): Call {
  const data = oracle.encodeFunctionData("observe", [underlying, maxRounds]);
  return { target: book.contracts.priceOracle, data };
}

/**
 * Keeps the last good rate of a collateral asset that has one.
 *
 * @param book where the house is deployed
 * @param collateral id of the collateral asset
 * @returns the call, to be sent on its own
 *
 * @example
 * ```ts
 * const { id } = addressBook.collaterals.find(({ symbol }) => symbol === "wstETH")!;
 * await house.send(observeRateCall(addressBook, id));
 * ```
 */
export function observeRateCall(book: AddressBook, collateral: number): Call {
  return { target: book.contracts.priceOracle, data: oracle.encodeFunctionData("observeRate", [collateral]) };
}

/**
 * Observes an account: starts, advances or clears its auction, or calls for margin.
 *
 * @param book where the house is deployed
 * @param account that is observed
 * @returns the call, to be sent or batched
 *
 * @example
 * ```ts
 * await setPrice("ETH", "1030"); // Alice's 9,990 of equity on 10 ETH bought at 2,000 has sunk below her maintenance margin
 * const liquidator = await Plimsoll.connect(addressBook, bob);
 * await liquidator.send(flagCall(addressBook, account));
 * ```
 */
export function flagCall(book: AddressBook, account: AccountId): Call {
  return toLedger(book, ledger.encodeFunctionData("flag", [account]));
}

/**
 * Several calls of the clearinghouse and the exchange in one, with the margin checks at its end.
 *
 * @param book where the house is deployed
 * @param calls in their order
 * @returns the call, to be sent
 *
 * @example
 * ```ts
 * const second = accountId(alice.address, 1);
 * const move = transferCall(addressBook, account, second, "USDC", "100");
 * await house.send(batchCall(addressBook, [move, lendCall(addressBook, second, "100")]));
 * ```
 */
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

function intentData(intent: Intent, a: Authorisation): string {
  switch (intent.name) {
    case "Deposit":
      return exchange.encodeFunctionData("depositFor", [intent.account, intent.token, intent.amount, a]);
    case "Withdraw":
      return exchange.encodeFunctionData("withdrawFor", [intent.account, intent.token, intent.amount, intent.to, a]);
    case "Transfer":
      return exchange.encodeFunctionData("transferFor", [intent.from, intent.to, intent.token, intent.amount, a]);
    case "Lend":
      return exchange.encodeFunctionData("lendFor", [intent.account, intent.amount, a]);
    case "Recall":
      return exchange.encodeFunctionData("recallFor", [intent.account, intent.amount, a]);
  }
}

function toLedger(book: AddressBook, data: string): Call {
  return { target: book.contracts.clearingHouse, data };
}

function toExchange(book: AddressBook, data: string): Call {
  return { target: book.contracts.exchange, data };
}
