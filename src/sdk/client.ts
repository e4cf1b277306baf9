import type { Block, Provider, Signer, TransactionReceipt, TransactionResponse } from "ethers";

import { Exchange__factory } from "../../types/factories/contracts/Exchange__factory.ts";
import { IClearingHouse__factory } from "../../types/factories/contracts/interfaces/IClearingHouse__factory.ts";
import { IInsuranceFund__factory } from "../../types/factories/contracts/interfaces/IInsuranceFund__factory.ts";
import { IPriceOracle__factory } from "../../types/factories/contracts/interfaces/IPriceOracle__factory.ts";
import { IRiskEngine__factory } from "../../types/factories/contracts/interfaces/IRiskEngine__factory.ts";
import type { Exchange } from "../../types/contracts/Exchange.ts";
import type { IClearingHouse } from "../../types/contracts/interfaces/IClearingHouse.ts";
import type { IInsuranceFund } from "../../types/contracts/interfaces/IInsuranceFund.ts";
import type { IPriceOracle } from "../../types/contracts/interfaces/IPriceOracle.ts";
import type { IRiskEngine } from "../../types/contracts/interfaces/IRiskEngine.ts";
import { assessAccount, freeCollateral, leverage, marginRatio, marginState } from "../risk/account.ts";
import { liquidationPrices } from "../risk/liquidationPrice.ts";
import type { LiquidationPrices } from "../risk/liquidationPrice.ts";
import { gather } from "../risk/portfolio.ts";
import { positive, PPM, WAD } from "../risk/fixed.ts";
import { liquidity } from "../risk/lending.ts";
import type { AccountState, Assessment, HouseState, LendingState, MarginState } from "../risk/types.ts";
import { whatIf } from "../risk/whatIf.ts";
import type { WhatIf } from "../risk/whatIf.ts";
import { PlimsollError } from "../risk/plimsollError.ts";
import { priceOf, marketOf } from "../risk/house.ts";
import { accountId, ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import {
  ALL,
  allowPayeeCall,
  approveCall,
  assetOf,
  batchCall,
  cancelCall,
  claimCall,
  depositCall,
  flagCall,
  fullTerms,
  grantKeyCall,
  lendCall,
  liquidateCall,
  lockDownCall,
  permitCall,
  recallCall,
  removePayeeCall,
  requestExitCall,
  revokeAllCall,
  revokeKeyCall,
  setGuardCall,
  settleEachCall,
  settleForFeeCall,
  settleOrdersCall,
  setExposureCapCall,
  trackFlowsCall,
  transferCall,
  unlockCall,
  withdrawCall,
} from "./calls.ts";
import type { Call, GuardTerms, LiquidationTerms, Match } from "./calls.ts";
import { decodeError, withTypedErrors } from "./errors.ts";
import { fundDepositCall } from "./fund.ts";
import { bracket, buildOrder, signOrder } from "./orders.ts";
import type { BracketTerms, Order, OrderFields, SignedOrder } from "./orders.ts";
import { signPermit, signPermit2 } from "./permits.ts";
import { buildGrant } from "./sessionKeys.ts";
import type { GrantTerms, KeyName } from "./sessionKeys.ts";
import { parseAmount, parsePrice, parseWad } from "./units.ts";
import { readAccount, readAllowance, readHouse, readLending } from "./read.ts";

/** The client was given a runner of another chain than its address book's. */
export class WrongChain extends PlimsollError {
  override readonly name = "WrongChain";
  /** id of the chain that the runner is on */
  readonly connected: number;
  /** id of the chain that the address book is of */
  readonly expected: number;

  /**
   * @param connected id of the chain that the runner is on
   * @param expected id of the chain that the address book is of
   */
  constructor(connected: number, expected: number) {
    super(`connected to chain ${connected}, but the address book is of chain ${expected}`);
    this.connected = connected;
    this.expected = expected;
  }
}

/** An action that needs a signer was asked of a client with a provider only. */
export class NoSigner extends PlimsollError {
  override readonly name = "NoSigner";

  constructor() {
    super("this action sends or signs: connect the client with a signer instead of a provider");
  }
}

/** A runner that is not connected to a chain. */
export class NoProvider extends PlimsollError {
  override readonly name = "NoProvider";

  constructor() {
    super("the runner has no provider: connect the signer to one first");
  }
}

/** A node gave neither a receipt nor a block where there has to be one. */
export class NodeIncomplete extends PlimsollError {
  override readonly name = "NodeIncomplete";
  /** what the node did not have */
  readonly missing: string;

  /** @param missing what the node did not have */
  constructor(missing: string) {
    super(`the node has no ${missing}: is it still syncing?`);
    this.missing = missing;
  }
}

/** An account and everything its assessment depends on, at one block. */
export interface View {
  /** number of the block */
  readonly block: number;
  /** what the account owns and owes */
  readonly account: AccountState;
  /** prices, markets, parameters, lending pool */
  readonly house: HouseState;
}

const STATES: readonly MarginState[] = ["healthy", "marginCall", "liquidatable", "bankrupt"];
const YEAR = 365n * 24n * 3600n; // [s]
const PERMIT_LIFE = 600n; // [s] for a transaction to be mined

/** How an account stands; amounts in WAD. */
export interface Health extends Assessment {
  /** number of the block that it was computed at */
  readonly block: number;
  /** row of the health table */
  readonly state: MarginState;
  /** E / MM, `undefined` where MM is zero */
  readonly ratio: bigint | undefined;
  /** cash that could leave now without borrowing */
  readonly freeCollateral: bigint;
  /** gross notional over equity, `undefined` where equity is not positive */
  readonly leverage: bigint | undefined;
}

/** How an account stands as the clearinghouse itself says; amounts in WAD. */
export interface ChainHealth extends Assessment {
  /** row of the health table */
  readonly state: MarginState;
  /** E / MM, `undefined` where MM is zero */
  readonly ratio: bigint | undefined;
  /** USD that may leave, what is borrowed for it included */
  readonly freeCollateral: bigint;
}

/** Lent cash and debt of an account [wad] with interest, and its shares in them. */
export interface AccountLoans {
  /** lent cash */
  readonly lent: bigint;
  /** borrowed cash */
  readonly debt: bigint;
  /** shares in all that is lent */
  readonly lentShares: bigint;
  /** shares in all that is borrowed */
  readonly debtShares: bigint;
}

/** The lending pool with interest up to a block. */
export interface LendingMarket extends LendingState {
  /** [wad] what can be borrowed or called back */
  readonly liquid: bigint;
  /** [wad] borrowed / lent */
  readonly utilisation: bigint;
  /** [wad per year] paid on debt */
  readonly borrowRate: bigint;
  /** [wad per year] earned on lent cash */
  readonly supplyRate: bigint;
}

/** What a liquidation would do. Amounts are [wad]. */
export interface LiquidationPreview {
  /** of the portfolio that moves */
  readonly fraction: bigint;
  /** cash that the taker pays, negative: receives */
  readonly payment: bigint;
  /** the account afterwards */
  readonly after: Assessment;
}

/** What closing in one market takes to be healthy again. */
export interface ClosingCure {
  /** number of the block of the margin call */
  readonly block: number;
  /** id of the market */
  readonly market: number;
  /** [wad] change of the position */
  readonly size: bigint;
}

/** What an account below IM needs. Amounts are [wad]. */
export interface MarginCallInfo {
  /** cash that brings E to IM now */
  readonly deposit: bigint;
  /** What closing in one market takes, as its last margin call said; `undefined` where that cures nothing or nobody has called. */
  readonly closing: ClosingCure | undefined;
}

/** What the client needs to know of an order; the rest has the defaults of {@link buildOrder}. */
export interface OrderTerms extends Partial<Omit<OrderFields, "account" | "market" | "size" | "limitPrice" | "nonce">> {
  /** account that trades */
  account: AccountId;
  /** id of the market */
  market: number;
  /** such as "-2.5"; positive buys */
  size: string;
  /** worst price in USD per unit, such as "1999.5" */
  limitPrice: string;
  /** orders of one nonce share one size; a nonce that is cancelled or filled is used up */
  nonce: bigint;
}

/** A hypothetical trade of an account: human size (positive buys) and price, the index price if left out. */
export interface HypotheticalTrade {
  /** id of the market */
  market: number;
  /** such as "-2.5"; positive buys */
  size: string;
  /** USD per unit, such as "1999.5"; the index price if left out */
  price?: string;
  /** whether it pays the maker's fee instead of the taker's */
  maker?: boolean;
}

/**
 * A client of one house. Amounts, sizes and prices are human decimal numbers going in; results are in WAD. What a contract refuses
 * is thrown as {@link ContractError}, what the client itself refuses as another {@link PlimsollError}.
 *
 * @example
 * ```ts
 * const house = await Plimsoll.connect(addressBook, alice);
 * const account = accountId(alice.address);
 * await house.deposit(account, "USDC", "1000");
 * await house.lend(account, "2500");
 * const { state, equity } = await house.health(account);
 * console.log(state, formatWad(equity)); // → healthy 10990
 * ```
 */
export class Plimsoll {
  /** where the house is deployed */
  readonly addressBook: AddressBook;
  /** the ledger */
  readonly clearingHouse: IClearingHouse;
  /** settles signed orders and intents */
  readonly exchange: Exchange;
  /** judges portfolios */
  readonly riskEngine: IRiskEngine;
  /** guarded prices */
  readonly priceOracle: IPriceOracle;
  /** backstop capital */
  readonly insuranceFund: IInsuranceFund;
  /** the node that it reads from */
  readonly provider: Provider;
  readonly #signer: Signer | undefined;

  private constructor(addressBook: AddressBook, provider: Provider, signer: Signer | undefined) {
    const { contracts } = addressBook;
    const runner = signer ?? provider;
    this.addressBook = addressBook;
    this.clearingHouse = IClearingHouse__factory.connect(contracts.clearingHouse, runner);
    this.exchange = Exchange__factory.connect(contracts.exchange, runner);
    this.riskEngine = IRiskEngine__factory.connect(contracts.riskEngine, runner);
    this.priceOracle = IPriceOracle__factory.connect(contracts.priceOracle, runner);
    this.insuranceFund = IInsuranceFund__factory.connect(contracts.insuranceFund, runner);
    this.provider = provider;
    this.#signer = signer;
  }

  /**
   * Connects to the house of an address book; with a provider the client can only read.
   *
   * @param addressBook where the house is deployed
   * @param runner provider, or signer that has one
   * @returns the client
   * @throws {@link NoProvider} if the signer is not connected to a chain
   * @throws {@link WrongChain} if it is on another chain than the address book
   *
   * @example
   * ```ts
   * const reader = await Plimsoll.connect(addressBook, provider);
   * console.log((await reader.health(account)).state); // → healthy
   * ```
   */
  static async connect(addressBook: AddressBook, runner: Provider | Signer): Promise<Plimsoll> {
    const provider = runner.provider;
    if (provider === null) throw new NoProvider();
    const chainId = Number((await provider.getNetwork()).chainId);
    if (chainId !== addressBook.chainId) throw new WrongChain(chainId, addressBook.chainId);
    return new Plimsoll(addressBook, provider, "signTypedData" in runner ? runner : undefined);
  }

  // ---------------------------------------------------------------- actions

  /**
   * Deposits cash or collateral, approving the vault first where its allowance is too small.
   *
   * @param account where it goes
   * @param symbol of the asset, such as "USDC"
   * @param amount such as "2.5"
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link UnknownSymbol} if the asset is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.deposit(account, "WETH", "2.5");
   * ```
   */
  async deposit(account: AccountId, symbol: string, amount: string): Promise<TransactionReceipt> {
    await this.#approve(symbol, amount, this.addressBook.contracts.vault);
    return this.send(depositCall(this.addressBook, account, symbol, amount));
  }

  /**
   * Deposits cash or collateral in one transaction, with a signed permit instead of an approval: the token's own, or one of Permit2, which
   * the signer has approved for the token.
   *
   * @param account where it goes
   * @param symbol of the asset, such as "USDC"
   * @param amount such as "2.5"
   * @param by whose permit is signed
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoPermit} if the token has no permit that is known how to sign
   * @throws {@link UnknownSymbol} if the asset is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * await house.depositWithPermit(account, "USDC", "250");
   * ```
   */
  async depositWithPermit(
    account: AccountId,
    symbol: string,
    amount: string,
    by: "token" | "permit2" = "token",
  ): Promise<TransactionReceipt> {
    return this.send(await this.permittedDeposit(account, symbol, amount, by));
  }

  /**
   * Signs a permit and returns it in one call with the deposit that it is for, to be rehearsed and sent by the signer; see
   * {@link Plimsoll.depositWithPermit}. Good for ten minutes.
   *
   * @param account where it goes
   * @param symbol of the asset, such as "USDC"
   * @param amount such as "2.5"
   * @param by whose permit is signed
   * @returns the call
   * @throws {@link NoPermit} if the token has no permit that is known how to sign
   * @throws {@link UnknownSymbol} if the asset is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * const call = await house.permittedDeposit(account, "USDC", "250");
   * await house.rehearse(call);
   * await house.send(call);
   * console.log(formatWad((await house.health(account)).equity)); // → 10240
   * ```
   */
  async permittedDeposit(
    account: AccountId,
    symbol: string,
    amount: string,
    by: "token" | "permit2" = "token",
  ): Promise<Call> {
    const signer = this.#requireSigner();
    const { token, decimals } = assetOf(this.addressBook, symbol);
    const { timestamp } = await this.#latestBlock();
    const terms = {
      token,
      spender: this.addressBook.contracts.vault,
      amount: parseAmount(amount, decimals),
      deadline: BigInt(timestamp) + PERMIT_LIFE,
    };
    const permit = await (by === "token" ? signPermit : signPermit2)(signer, terms);
    return batchCall(this.addressBook, [
      permitCall(this.addressBook, await signer.getAddress(), symbol, amount, permit),
      depositCall(this.addressBook, account, symbol, amount),
    ]);
  }

  /**
   * Withdraws cash or collateral.
   *
   * @param account of the signer
   * @param symbol of the asset, such as "USDC"
   * @param amount such as "2.5", or {@link ALL}
   * @param to who gets it; the account's owner if left out
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link UnknownSymbol} if the asset is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.withdraw(account, "USDC", "100");
   * ```
   */
  withdraw(account: AccountId, symbol: string, amount: string, to = ownerOf(account)): Promise<TransactionReceipt> {
    return this.send(withdrawCall(this.addressBook, account, symbol, amount, to));
  }

  /**
   * Moves cash or collateral between two accounts of the signer.
   *
   * @param from account that gives
   * @param to account that gets
   * @param symbol of the asset, such as "USDC"
   * @param amount such as "2.5", or {@link ALL}
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link UnknownSymbol} if the asset is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.transfer(account, accountId(alice.address, 1), "USDC", "100");
   * ```
   */
  transfer(from: AccountId, to: AccountId, symbol: string, amount: string): Promise<TransactionReceipt> {
    return this.send(transferCall(this.addressBook, from, to, symbol, amount));
  }

  /**
   * Lends cash of an account to borrowers. It earns interest and counts in full.
   *
   * @param account that lends
   * @param amount such as "2.5"
   * @returns the receipt
   * @throws {@link ContractError} `UnsettledLoss`, `InsufficientCash` or `InsufficientMargin`
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.lend(account, "2500");
   * ```
   */
  lend(account: AccountId, amount: string): Promise<TransactionReceipt> {
    return this.send(lendCall(this.addressBook, account, amount));
  }

  /**
   * Brings lent cash back into an account. What leaves it later is called back without this.
   *
   * @param account that has lent
   * @param amount such as "2.5"
   * @returns the receipt
   * @throws {@link ContractError} `InsufficientLiquidity` while borrowers hold it
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.lend(account, "2500");
   * await house.recall(account, "1000");
   * ```
   */
  recall(account: AccountId, amount: string): Promise<TransactionReceipt> {
    return this.send(recallCall(this.addressBook, account, amount));
  }

  /**
   * Takes profit out of a market's pool, in cash. While bad debt of the market stands, this gives up `amount` of profit for
   * `amount` · pool / (pool + bad debt); without, the pool pays as far as it can.
   *
   * @param account of the signer
   * @param market id of the market
   * @param amount of profit, such as "250"
   * @returns the receipt
   * @throws {@link ContractError} `NothingToClaim` if the profit is smaller
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await setPrice("ETH", "2100");
   * await house.send(settleCall(addressBook, 0, [accountId(bob.address)])); // Bob's loss fills the pool
   * await house.claim(account, 0, "250");
   * console.log(formatWad((await house.view(account)).account.cash)); // → 10250
   * ```
   */
  claim(account: AccountId, market: number, amount: string): Promise<TransactionReceipt> {
    return this.send(claimCall(this.addressBook, account, market, amount));
  }

  /**
   * Brings the signer's cash into the insurance fund for shares, approving the fund first where its allowance is too small. The fund pays
   * for deficits: shares can lose. What leaves it has to be asked for, see {@link fundExitCall}.
   *
   * @param amount such as "1000"
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.fundDeposit("1000");
   * console.log(formatWad((await fundShareOf(house, alice.address)).value)); // → 1000
   * ```
   */
  async fundDeposit(amount: string): Promise<TransactionReceipt> {
    const { cash, contracts } = this.addressBook;
    const receiver = await this.#requireSigner().getAddress();
    await this.#approve(cash.symbol, amount, contracts.insuranceFund);
    return this.send(fundDepositCall(this.addressBook, receiver, amount));
  }

  /**
   * Settles matches of signed orders.
   *
   * @param orders that the matches refer to
   * @param matches in the order of settlement
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const terms = { market: 0, limitPrice: "2000", nonce: 7n };
   * const bobs = await Plimsoll.connect(addressBook, bob);
   * const ask = await bobs.order({ ...terms, account: accountId(bob.address), size: "-1", resting: true });
   * const bid = await house.order({ ...terms, account, size: "1" });
   * await house.settleOrders([ask, bid], [{ maker: 0, taker: 1 }]);
   * ```
   */
  settleOrders(orders: readonly SignedOrder[], matches: readonly Match[]): Promise<TransactionReceipt> {
    return this.send(settleOrdersCall(this.addressBook, orders, matches));
  }

  /**
   * Settles matches of signed orders each by itself: what fails is left out and told by the event `MatchSkipped`.
   *
   * @param orders that the matches refer to
   * @param matches in the order of settlement
   * @returns the receipt
   * @throws {@link ContractError} `NothingSettled` if all of them fail
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const terms = { market: 0, limitPrice: "2000", nonce: 7n };
   * const bobs = await Plimsoll.connect(addressBook, bob);
   * const ask = await bobs.order({ ...terms, account: accountId(bob.address), size: "-1", resting: true });
   * const bid = await house.order({ ...terms, account, size: "1" });
   * const late = await house.order({ ...terms, account, size: "1", expiry: 1n, nonce: 8n });
   * await house.settleEach([ask, bid, late], [1, 2].map((taker) => ({ maker: 0, taker })));
   * console.log(formatWad((await house.clearingHouse.position(account, 0)).size)); // → 11
   * ```
   */
  settleEach(orders: readonly SignedOrder[], matches: readonly Match[]): Promise<TransactionReceipt> {
    return this.send(settleEachCall(this.addressBook, orders, matches));
  }

  /**
   * Settles matches of signed orders and takes their execution fees into an account.
   *
   * @param orders that the matches refer to
   * @param matches in the order of settlement
   * @param feeTo account that gets the fees
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses, `OrderNotTriggered` while a trigger is not reached
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const exit = { account, market: 0, size: "10", stop: "1900", target: "2300", executionFee: "5", nonce: 7n };
   * const [stop] = await house.bracket(exit);
   * await setPrice("ETH", "1899");
   * const [bobs, his] = [await Plimsoll.connect(addressBook, bob), accountId(bob.address)];
   * const bid = await bobs.order({ account: his, market: 0, size: "10", limitPrice: "1899", nonce: 7n, resting: true });
   * await bobs.settleForFee([bid, stop], [{ maker: 0, taker: 1 }], his);
   * console.log((await house.clearingHouse.position(account, 0)).size); // → 0n
   * ```
   */
  settleForFee(
    orders: readonly SignedOrder[],
    matches: readonly Match[],
    feeTo: AccountId,
  ): Promise<TransactionReceipt> {
    return this.send(settleForFeeCall(this.addressBook, orders, matches, feeTo));
  }

  /**
   * Cancels orders by their nonces. The signer owns the account or is a key of its owner's that may cancel.
   *
   * @param account whose orders they are
   * @param nonces of the orders
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.cancel(account, [7n, 8n]);
   * ```
   */
  cancel(account: AccountId, nonces: readonly bigint[]): Promise<TransactionReceipt> {
    return this.send(cancelCall(this.addressBook, account, nonces));
  }

  /**
   * Allows a key to act for an owner: the signer, or who has granted the signer the right to.
   *
   * @param name owner and key
   * @param terms what the key may do
   * @returns the receipt
   * @throws {@link ContractError} `GrantTooWide` or `KeyTaken`
   * @throws {@link InvalidGrant} if the grant can be made to nobody
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const name = { owner: alice.address, key: bob.address };
   * await house.grantKey(name, { scopes: ["trade", "cancel"], markets: [0], dailyNotional: 250_000, lossLimit: 500 });
   * ```
   */
  grantKey(name: KeyName, terms: GrantTerms): Promise<TransactionReceipt> {
    return this.send(grantKeyCall(this.addressBook, name, buildGrant(terms)));
  }

  /**
   * Ends a key and those below it.
   *
   * @param name owner and key
   * @returns the receipt
   * @throws {@link ContractError} `UnknownKey`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const name = { owner: alice.address, key: bob.address };
   * await house.grantKey(name, { scopes: ["trade"] });
   * await house.revokeKey(name);
   * ```
   */
  revokeKey(name: KeyName): Promise<TransactionReceipt> {
    return this.send(revokeKeyCall(this.addressBook, name));
  }

  /**
   * Ends every order and every session key of the signer.
   *
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.revokeAll();
   * ```
   */
  revokeAll(): Promise<TransactionReceipt> {
    return this.send(revokeAllCall(this.addressBook));
  }

  /**
   * Sets what stands between the signer's accounts and a thief of his key. What loosens waits for the delay in force.
   *
   * @param terms of the guard
   * @returns the receipt
   * @throws {@link ContractError} `LockedDown` or `ParameterOutOfBounds`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.allowPayee(bob.address); // before the guard: good at once
   * await house.setGuard({ guardian: bob.address, delay: 86_400, restricted: true });
   * await house.withdraw(account, "USDC", "100", bob.address);
   * ```
   */
  setGuard(terms: GuardTerms): Promise<TransactionReceipt> {
    return this.send(setGuardCall(this.addressBook, terms));
  }

  /**
   * Puts an address on the signer's list of payees, good after the delay of his guard.
   *
   * @param payee address that may be paid
   * @returns the receipt
   * @throws {@link ContractError} `LockedDown` or `AlreadySet`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.setGuard({ delay: 86_400, restricted: true });
   * await house.allowPayee(bob.address);
   * const early = await house.withdraw(account, "USDC", "100", bob.address).catch((error: unknown) => error);
   * console.log(early instanceof ContractError && early.name); // → PayeeNotAllowed
   * await passTime(86_400);
   * await house.withdraw(account, "USDC", "100", bob.address);
   * ```
   */
  allowPayee(payee: string): Promise<TransactionReceipt> {
    return this.send(allowPayeeCall(this.addressBook, payee));
  }

  /**
   * Takes an address off an owner's list of payees. The signer is the owner or his guardian.
   *
   * @param owner whose list it is
   * @param payee address that may not be paid any more
   * @returns the receipt
   * @throws {@link ContractError} `NotGuardian` or `PayeeNotAllowed`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.allowPayee(bob.address);
   * await house.removePayee(alice.address, bob.address);
   * ```
   */
  removePayee(owner: string, payee: string): Promise<TransactionReceipt> {
    return this.send(removePayeeCall(this.addressBook, owner, payee));
  }

  /**
   * Lockdown: ends all that an owner has signed and leaves him deposits, repayment, reduce-only orders and withdrawals to payees of old.
   * The signer is the owner or his guardian.
   *
   * @param owner who is locked down
   * @returns the receipt
   * @throws {@link ContractError} `NotGuardian`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.setGuard({ guardian: bob.address, delay: 86_400, restricted: false });
   * const guardian = await Plimsoll.connect(addressBook, bob);
   * await guardian.lockDown(alice.address);
   * const theft = await house.withdraw(account, "USDC", "100").catch((error: unknown) => error);
   * console.log(theft instanceof ContractError && theft.name); // → PayeeNotAllowed
   * ```
   */
  lockDown(owner: string): Promise<TransactionReceipt> {
    return this.send(lockDownCall(this.addressBook, owner));
  }

  /**
   * Ends a lockdown as the guardian; as the owner asks for its end, and ends it when his delay, at least a day, is over.
   *
   * @param owner who is locked down
   * @returns the receipt
   * @throws {@link ContractError} `NotGuardian`, `NotLockedDown` or `UnlockTooEarly`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.lockDown(alice.address);
   * await house.unlock(alice.address); // asks
   * await passTime(86_400);
   * await house.unlock(alice.address); // ends
   * await house.withdraw(account, "USDC", "100");
   * ```
   */
  unlock(owner: string): Promise<TransactionReceipt> {
    return this.send(unlockCall(this.addressBook, owner));
  }

  /**
   * Announces that a flat account leaves: from 24 hours later, for 24 hours, no limit on outflow holds up what it holds now.
   *
   * @param account of the signer
   * @returns the receipt
   * @throws {@link ContractError} `NotOwner` or `NotFlat`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const savings = accountId(alice.address, 1);
   * await house.transfer(account, savings, "USDC", "5000");
   * await house.requestExit(savings);
   * await passTime(86_400);
   * await house.withdraw(savings, "USDC", ALL);
   * ```
   */
  requestExit(account: AccountId): Promise<TransactionReceipt> {
    return this.send(requestExitCall(this.addressBook, account));
  }

  /**
   * Counts what goes into and out of an account from now on, from zero, or no longer. Keys with a floor on equity need it.
   *
   * @param account of the signer
   * @param on whether it is counted
   * @returns the receipt
   * @throws {@link ContractError} `NotOwner`
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.trackFlows(account);
   * await house.grantKey({ owner: alice.address, key: bob.address }, { scopes: ["trade"], equityFloor: 9_000 });
   * ```
   */
  trackFlows(account: AccountId, on = true): Promise<TransactionReceipt> {
    return this.send(trackFlowsCall(this.addressBook, account, on));
  }

  /**
   * Caps how much of an underlying an account may open, long less short over its markets: by trades, those of keys too, and by
   * liquidations that it takes over. What it holds already may stay and shrink.
   *
   * @param account of the signer
   * @param underlying id of the underlying
   * @param cap in units of the underlying, such as "2.5"; `undefined` lifts it
   * @returns the receipt
   * @throws {@link ContractError} `NotOwner`; `LockedDown` if a lockdown forbids to raise it
   * @throws {@link InvalidAmount} if the cap is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await house.setExposureCap(account, 0, "2.5");
   * const { cap } = await house.clearingHouse.exposure(account, 0);
   * console.log(formatWad(cap)); // → 2.5
   * ```
   */
  setExposureCap(account: AccountId, underlying: number, cap?: string): Promise<TransactionReceipt> {
    return this.send(setExposureCapCall(this.addressBook, account, underlying, cap));
  }

  /**
   * Opens an isolated position in one transaction: moves the margin over from the owner's main account and settles the orders. The margin
   * is the most that the position can lose.
   *
   * @param account isolated account of the signer
   * @param margin of cash, such as "1000"
   * @param orders that the matches refer to
   * @param matches in the order of settlement
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const isolated = isolatedAccountId(alice.address, 0);
   * const terms = { market: 0, limitPrice: "2000", nonce: 7n };
   * const bobs = await Plimsoll.connect(addressBook, bob);
   * const ask = await bobs.order({ ...terms, account: accountId(bob.address), size: "-5", resting: true });
   * const bid = await house.order({ ...terms, account: isolated, size: "5" });
   * await house.openIsolated(isolated, "1000", [ask, bid], [{ maker: 0, taker: 1 }]);
   * console.log(formatWad(maximumLoss(await house.view(isolated)))); // → 995
   * ```
   */
  openIsolated(
    account: AccountId,
    margin: string,
    orders: readonly SignedOrder[],
    matches: readonly Match[],
  ): Promise<TransactionReceipt> {
    const { cash } = this.addressBook;
    return this.batch([
      transferCall(this.addressBook, accountId(ownerOf(account)), account, cash.symbol, margin),
      settleOrdersCall(this.addressBook, orders, matches),
    ]);
  }

  /**
   * Closes an isolated position whole in one transaction: settles the orders and moves what is left in cash to the owner's main account.
   * Profit that no loser has paid yet stays for {@link settleCall}.
   *
   * @param account isolated account of the signer
   * @param orders that the matches refer to
   * @param matches in the order of settlement
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const isolated = isolatedAccountId(alice.address, 0);
   * const [bobs, his] = [await Plimsoll.connect(addressBook, bob), accountId(bob.address)];
   * const terms = { market: 0, limitPrice: "2000" };
   * const opening = [
   *   await bobs.order({ ...terms, account: his, size: "-5", nonce: 7n, resting: true }),
   *   await house.order({ ...terms, account: isolated, size: "5", nonce: 7n }),
   * ];
   * await house.openIsolated(isolated, "1000", opening, [{ maker: 0, taker: 1 }]);
   * const closing = [
   *   await bobs.order({ ...terms, account: his, size: "5", nonce: 8n, resting: true }),
   *   await house.order({ ...terms, account: isolated, size: "-5", nonce: 8n, reduceOnly: true }),
   * ];
   * await house.closeIsolated(isolated, closing, [{ maker: 0, taker: 1 }]);
   * console.log((await house.health(isolated)).equity); // → 0n
   * ```
   */
  closeIsolated(
    account: AccountId,
    orders: readonly SignedOrder[],
    matches: readonly Match[],
  ): Promise<TransactionReceipt> {
    const main = accountId(ownerOf(account));
    return this.batch([
      settleOrdersCall(this.addressBook, orders, matches),
      transferCall(this.addressBook, account, main, this.addressBook.cash.symbol, ALL),
    ]);
  }

  /**
   * Takes over a slice of an account.
   *
   * @param account that is liquidatable
   * @param taker account of the signer that gets the slice
   * @param terms worst that the signer accepts; anything goes unless said otherwise
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await setPrice("ETH", "1030"); // Alice's 9,990 of equity on 10 ETH bought at 2,000 has sunk below her maintenance margin
   * const liquidator = await Plimsoll.connect(addressBook, bob);
   * await liquidator.liquidate(account, accountId(bob.address), { minGain: 1n });
   * console.log((await liquidator.health(account)).state); // → healthy
   * ```
   */
  liquidate(account: AccountId, taker: AccountId, terms?: Partial<LiquidationTerms>): Promise<TransactionReceipt> {
    return this.send(liquidateCall(this.addressBook, account, taker, terms));
  }

  /**
   * Observes an account: starts, advances or clears its auction; between MM and IM it calls for margin.
   *
   * @param account that is observed
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * await setPrice("ETH", "1030");
   * await (await Plimsoll.connect(addressBook, bob)).flag(account);
   * console.log((await house.clearingHouse.auction(account)).flagger === bob.address); // → true
   * ```
   */
  flag(account: AccountId): Promise<TransactionReceipt> {
    return this.send(flagCall(this.addressBook, account));
  }

  /**
   * Sends several calls as one transaction with the margin checks at its end. Deposits in it need an approval beforehand.
   *
   * @param calls of the clearinghouse and the exchange, in their order
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const second = accountId(alice.address, 1);
   * await house.batch([transferCall(addressBook, account, second, "USDC", "100"), lendCall(addressBook, second, "100")]);
   * ```
   */
  batch(calls: readonly Call[]): Promise<TransactionReceipt> {
    return this.send(batchCall(this.addressBook, calls));
  }

  /**
   * Sends one call and waits until it is mined.
   *
   * @param call what to send
   * @returns the receipt
   * @throws {@link ContractError} if the contract refuses
   * @throws {@link NoSigner} if the client has only a provider
   * @throws {@link NodeIncomplete} if the node has no receipt of what was mined
   *
   * @example
   * ```ts
   * await house.send(settleCall(addressBook, 0, [account]));
   * ```
   */
  async send(call: Call): Promise<TransactionReceipt> {
    return this.#mined(await withTypedErrors(() => this.#submit(call)));
  }

  /**
   * Runs one call in the signer's name without sending it.
   *
   * @param call what would be sent
   * @throws {@link ContractError} what it would be refused with
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const refused = await house.rehearse(absorbCall(addressBook, account)).catch((error: unknown) => error);
   * console.log(refused instanceof ContractError && refused.name); // → NotAbsorbable
   * ```
   */
  async rehearse(call: Call): Promise<void> {
    const { target, data } = call;
    const from = await this.#requireSigner().getAddress();
    await withTypedErrors(() => this.provider.call({ to: target, from, data }));
  }

  /**
   * Builds and signs an order of the signer, or as a session key of the account's owner, in the owner's present epoch.
   *
   * @param fields what the order says
   * @returns the order and its signature
   * @throws {@link InvalidOrder} for what the exchange refuses by the order alone
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link PriceNotPositive} if the price is zero or negative
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const signed = await house.order({ account, market: 0, size: "1.5", limitPrice: "1990", nonce: 7n, postOnly: true });
   * console.log(verifyOrder(addressBook, signed)); // → true
   * ```
   */
  async order(fields: OrderTerms): Promise<SignedOrder> {
    const { epoch } = await this.exchange.ownerState(ownerOf(fields.account));
    const order = buildOrder({
      epoch,
      ...fields,
      market: BigInt(fields.market),
      size: parseWad(fields.size),
      limitPrice: parsePrice(fields.limitPrice),
    });
    return this.#sign(order);
  }

  /**
   * Builds and signs a stop-loss and a take-profit for a position, of which one ends the other, in the owner's present epoch.
   *
   * @param terms when and at what prices they close
   * @returns the orders and their signatures
   * @throws {@link InvalidOrder} for what the exchange refuses by the order alone
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link PriceNotPositive} if a price is zero or negative
   * @throws {@link NoSigner} if the client has only a provider
   *
   * @example
   * ```ts
   * const [stop, target] = await house.bracket({ account, market: 0, size: "10", stop: "1900", target: "2300", nonce: 7n });
   * console.log(verifyOrder(addressBook, stop), formatWad(target.order.triggerAbove)); // → true 2300
   * ```
   */
  async bracket(terms: BracketTerms): Promise<[stopLoss: SignedOrder, takeProfit: SignedOrder]> {
    const { epoch } = await this.exchange.ownerState(ownerOf(terms.account));
    const [stop, target] = bracket({ epoch, ...terms });
    return [await this.#sign(stop), await this.#sign(target)];
  }

  // ---------------------------------------------------------------- reading

  /**
   * An account and everything its assessment depends on, all read at one block: what `@plimsoll/sdk/risk` computes with.
   *
   * @param id account that is asked about
   * @returns the account and the house
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * const { account: state } = await house.view(account);
   * console.log(formatWad(state.positions.get(0)?.size ?? 0n)); // → 10
   * ```
   */
  async view(id: AccountId): Promise<View> {
    const block = await this.#latestBlock();
    const [account, house] = await Promise.all([
      readAccount(this, id, block.number),
      readHouse(this, this.addressBook, block),
    ]);
    return { block: block.number, account, house };
  }

  /**
   * How an account stands, computed from its own data; E, IM and MM equal `ClearingHouse.assess` at that block to the wei.
   *
   * @param id account that is asked about
   * @returns equity, requirements and what follows from them
   * @throws {@link MissingPrice} if something that the account holds has no usable price
   * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * const { state, equity, maintenanceMargin } = await house.health(account);
   * console.log(state, formatWad(equity), formatWad(maintenanceMargin)); // → healthy 9990 600.16
   * ```
   */
  async health(id: AccountId): Promise<Health> {
    const { block, account, house } = await this.view(id);
    const assessment = assessAccount(account, house);
    return {
      ...assessment,
      block,
      state: marginState(assessment),
      ratio: marginRatio(assessment),
      freeCollateral: freeCollateral(account, house),
      leverage: leverage(account, house),
    };
  }

  /**
   * How an account stands, asked of the clearinghouse at the latest block.
   *
   * @param id account that is asked about
   * @returns equity, requirements and what follows from them
   * @throws {@link ContractError} if something that the account holds has no usable price
   *
   * @example
   * ```ts
   * const { equity } = await house.healthOnChain(account);
   * console.log(equity === (await house.health(account)).equity); // → true
   * ```
   */
  async healthOnChain(id: AccountId): Promise<ChainHealth> {
    const h = await withTypedErrors(() => this.clearingHouse.health(id));
    const { equity, initialMargin, maintenanceMargin, freeCollateral } = h;
    const ratio = maintenanceMargin === 0n ? undefined : h.ratio;
    return {
      equity,
      initialMargin,
      maintenanceMargin,
      freeCollateral,
      ratio,
      state: STATES[Number(h.state)] ?? "healthy",
    };
  }

  /**
   * Lent cash and debt of an account with interest up to the latest block.
   *
   * @param id account that is asked about
   * @returns amounts and shares
   *
   * @example
   * ```ts
   * await house.lend(account, "2500");
   * console.log(formatWad((await house.loans(account)).lent)); // → 2500
   * ```
   */
  async loans(id: AccountId): Promise<AccountLoans> {
    const { lent, debt, shares } = await this.clearingHouse.loans(id);
    return { lent, debt, lentShares: shares.lentShares, debtShares: shares.debtShares };
  }

  /**
   * The lending pool at the latest block: what is lent and borrowed, what is liquid, and the yearly rates.
   *
   * @returns the pool
   *
   * @example
   * ```ts
   * await house.lend(account, "2500");
   * const { supplyRate, liquid } = await house.lending();
   * console.log(formatWad(supplyRate), formatWad(liquid)); // → 0 2500
   * ```
   */
  async lending(): Promise<LendingMarket> {
    const pool = await readLending(this, await this.provider.getBlockNumber());
    const borrowRate = pool.rate * YEAR;
    const utilisation = pool.lent === 0n ? 0n : (pool.borrowed * WAD) / pool.lent;
    const earning = pool.lent === 0n ? 0n : (positive(pool.borrowed - pool.flaggedDeficit) * WAD) / pool.lent;
    const supplyRate = (borrowRate * earning * (PPM - pool.params.reserveFactor)) / (WAD * PPM);
    return { ...pool, liquid: liquidity(pool), utilisation, borrowRate, supplyRate };
  }

  /**
   * E, IM and MM of an account after a trade as the taker, or why it would be refused: the clearinghouse runs it and undoes it.
   *
   * @param id account that is asked about
   * @param trade what is traded; the counterparty is left out
   * @returns the assessment afterwards
   * @throws {@link ContractError} if the clearinghouse would refuse
   * @throws {@link MissingPrice} if no price is given and the index has none
   * @throws {@link UnknownMarket} if the market is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link PriceNotPositive} if the price is zero or negative
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * const after = await house.previewTrade(account, { market: 0, size: "-10", price: "2000" });
   * console.log(formatWad(after.equity), after.maintenanceMargin); // → 9980 0n
   * ```
   */
  async previewTrade(id: AccountId, trade: Omit<HypotheticalTrade, "maker">): Promise<Assessment> {
    const { market, size, price } = trade;
    const at = price === undefined ? await this.indexPrice(market) : parsePrice(price);
    const { previewTrade } = this.#reader;
    return plain(await withTypedErrors(() => previewTrade.staticCall(id, market, parseWad(size), at)));
  }

  /**
   * E, IM and MM of an account after a withdrawal of cash or collateral by its owner, or why it would be refused.
   *
   * @param id account that is asked about
   * @param symbol of the asset, such as "USDC"
   * @param amount such as "2.5"
   * @returns the assessment afterwards
   * @throws {@link ContractError} if the clearinghouse would refuse
   * @throws {@link UnknownSymbol} if the asset is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   *
   * @example
   * ```ts
   * const after = await house.previewWithdraw(account, "USDC", "1000");
   * console.log(formatWad(after.equity)); // → 8990
   * ```
   */
  async previewWithdraw(id: AccountId, symbol: string, amount: string): Promise<Assessment> {
    const { token, decimals } = assetOf(this.addressBook, symbol);
    const { previewWithdraw } = this.#reader;
    const from = ownerOf(id);
    return plain(
      await withTypedErrors(() => previewWithdraw.staticCall(id, token, parseAmount(amount, decimals), { from })),
    );
  }

  /**
   * What `liquidate` would do for the owner of `taker`, or why it would be refused.
   *
   * @param id account that is asked about
   * @param taker account that would get the slice
   * @param terms worst that its owner accepts; anything goes unless said otherwise
   * @returns what would move
   * @throws {@link ContractError} if the clearinghouse would refuse
   *
   * @example
   * ```ts
   * await setPrice("ETH", "1030");
   * const { fraction } = await house.previewLiquidation(account, accountId(bob.address));
   * console.log(fraction > 0n && fraction < WAD); // → true
   * ```
   */
  async previewLiquidation(
    id: AccountId,
    taker: AccountId,
    terms: Partial<LiquidationTerms> = {},
  ): Promise<LiquidationPreview> {
    const { previewLiquidation } = this.#reader;
    const from = ownerOf(taker);
    const { fraction, payment, after_ } = await withTypedErrors(() =>
      previewLiquidation.staticCall(id, taker, fullTerms(terms), { from }),
    );
    return { fraction, payment, after: plain(after_) };
  }

  /**
   * What an account in a margin call needs to be healthy again.
   *
   * @param id account that is asked about
   * @returns the cure, `undefined` if the account is not in a margin call
   * @throws {@link ContractError} if something that the account holds has no usable price
   *
   * @example
   * ```ts
   * await setPrice("ETH", "1040");
   * const call = await house.marginCall(account);
   * if (call !== undefined) await house.deposit(account, "USDC", formatAmount(call.deposit / 10n ** 12n + 1n, 6));
   * console.log((await house.health(account)).state); // → healthy
   * ```
   */
  async marginCall(id: AccountId): Promise<MarginCallInfo | undefined> {
    const { state, equity, initialMargin } = await this.healthOnChain(id);
    if (state !== "marginCall") return undefined;
    const filter = this.clearingHouse.filters.MarginCall(id);
    const last = (await this.clearingHouse.queryFilter(filter, this.addressBook.deployBlock)).at(-1);
    const size = last?.args.cure.size ?? 0n;
    const closing =
      last === undefined || size === 0n
        ? undefined
        : { block: last.blockNumber, market: Number(last.args.cure.market), size };
    return { deposit: initialMargin - equity, closing };
  }

  /**
   * What a trade would make of an account, computed from its own data.
   *
   * @param id account that is asked about
   * @param trade what is traded
   * @returns the account after it
   * @throws {@link MissingPrice} if something that the account holds has no usable price
   * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
   * @throws {@link UnknownMarket} if the market is not listed
   * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
   * @throws {@link PriceNotPositive} if the price is zero or negative
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * const { fee, accepted } = await house.whatIf(account, { market: 0, size: "5", price: "2000" });
   * console.log(formatWad(fee), accepted); // → 5 true
   * ```
   */
  async whatIf(id: AccountId, trade: HypotheticalTrade): Promise<WhatIf> {
    const [{ account, house }, [params]] = await Promise.all([this.view(id), this.clearingHouse.market(trade.market)]);
    const index = priceOf(house, marketOf(house, trade.market).underlying).price;
    return whatIf(account, house, {
      market: trade.market,
      size: parseWad(trade.size),
      price: trade.price === undefined ? index : parsePrice(trade.price),
      feeRate: trade.maker === true ? params.makerFee : params.takerFee,
    });
  }

  /**
   * The prices at which an account becomes liquidatable, for each underlying it holds, all else unchanged.
   *
   * @param id account that is asked about
   * @returns prices by id of the underlying
   * @throws {@link MissingPrice} if something that the account holds has no usable price
   * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * const down = (await house.liquidationPrices(account)).get(0)?.down ?? 0n;
   * console.log(down / WAD); // → 1031n
   * ```
   */
  async liquidationPrices(id: AccountId): Promise<Map<number, LiquidationPrices>> {
    const { account, house } = await this.view(id);
    const held = gather(account, house).underlyings.map((u) => u.id);
    return new Map(held.map((underlying) => [underlying, liquidationPrices(account, house, underlying)]));
  }

  /**
   * Everything outside accounts that assessments depend on, at the latest block.
   *
   * @returns prices, markets, parameters, lending pool
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * const { prices } = await house.state();
   * console.log(formatWad(prices.get(0)?.price ?? 0n)); // → 2000
   * ```
   */
  async state(): Promise<HouseState> {
    return readHouse(this, this.addressBook, await this.#latestBlock());
  }

  /**
   * The index price of a market.
   *
   * @param market id of the market
   * @returns the price [wad]
   * @throws {@link UnknownMarket} if the market is not listed
   * @throws {@link MissingPrice} if the index has none
   * @throws {@link NodeIncomplete} if the node has no latest block
   *
   * @example
   * ```ts
   * console.log(formatWad(await house.indexPrice(0))); // → 2000
   * ```
   */
  async indexPrice(market: number): Promise<bigint> {
    const house = await this.state();
    return priceOf(house, marketOf(house, market).underlying).price;
  }

  // ---------------------------------------------------------------- internals

  /** The clearinghouse for static calls in anybody's name. */
  get #reader(): IClearingHouse {
    return this.clearingHouse.connect(this.provider);
  }

  async #latestBlock(): Promise<Block> {
    const block = await this.provider.getBlock("latest");
    if (block === null) throw new NodeIncomplete("latest block");
    return block;
  }

  async #sign(order: Order): Promise<SignedOrder> {
    return { order, signature: await signOrder(this.#requireSigner(), this.addressBook, order) };
  }

  #requireSigner(): Signer {
    if (this.#signer === undefined) throw new NoSigner();
    return this.#signer;
  }

  async #approve(symbol: string, amount: string, spender: string): Promise<void> {
    const { token, decimals } = assetOf(this.addressBook, symbol);
    const units = parseAmount(amount, decimals);
    const owner = await this.#requireSigner().getAddress();
    const allowance = await readAllowance(this.provider, token, owner, spender);
    if (allowance < units) await this.send(approveCall(this.addressBook, symbol, amount, spender));
  }

  /** An estimate is of the block before: what follows the clock may need a little more gas. */
  async #submit({ target, data }: Call): Promise<TransactionResponse> {
    const signer = this.#requireSigner();
    const estimate = await signer.estimateGas({ to: target, data });
    return signer.sendTransaction({ to: target, data, gasLimit: estimate + estimate / 4n });
  }

  /** Waits for a transaction; one that failed when it was mined is run again to learn why. */
  async #mined(sent: TransactionResponse): Promise<TransactionReceipt> {
    try {
      const receipt = await sent.wait();
      if (receipt !== null) return receipt;
    } catch (error) {
      throw decodeError(error) ?? (await this.#replay(sent.hash)) ?? error;
    }
    throw new NodeIncomplete(`receipt of ${sent.hash}`);
  }

  async #replay(hash: string): Promise<unknown> {
    const transaction = await this.provider.getTransaction(hash);
    if (typeof transaction?.blockNumber !== "number") return undefined;
    const { to, from, data, value, blockNumber } = transaction;
    try {
      await this.provider.call({ to, from, data, value, blockTag: blockNumber - 1 });
    } catch (error) {
      return decodeError(error);
    }
    return undefined;
  }
}

/**
 * The most that an account can lose from here: what it is worth. Nothing outside an isolated account can be drawn into its loss.
 *
 * @param view of the account
 * @returns USD [wad]
 * @throws {@link MissingPrice} if something that the account holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * console.log(formatWad(maximumLoss(await house.view(account)))); // → 9990
 * ```
 */
export function maximumLoss(view: View): bigint {
  const { account, house } = view;
  return positive(assessAccount(account, house).equity);
}

/** The amounts of an answer, without what ethers puts around them. */
function plain({ equity, initialMargin, maintenanceMargin }: Assessment): Assessment {
  return { equity, initialMargin, maintenanceMargin };
}
