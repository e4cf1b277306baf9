import type { Block, ContractTransactionReceipt, Provider, Signer, TransactionReceipt } from "ethers";

import {
  IClearingHouse__factory,
  Exchange__factory,
  MockERC20__factory,
  PriceOracle__factory,
  RiskEngine__factory,
} from "../../types/index.ts";
import type { IClearingHouse, Exchange, PriceOracle, RiskEngine } from "../../types/index.ts";
import { assessAccount, freeCollateral, leverage, marginRatio, marginState } from "../risk/account.ts";
import { liquidationPrices } from "../risk/liquidationPrice.ts";
import type { LiquidationPrices } from "../risk/liquidationPrice.ts";
import { gather } from "../risk/portfolio.ts";
import { positive, PPM, WAD } from "../risk/fixed.ts";
import { liquidity } from "../risk/lending.ts";
import type { AccountState, Assessment, HouseState, LendingState, MarginState } from "../risk/types.ts";
import { whatIf } from "../risk/whatIf.ts";
import type { WhatIf } from "../risk/whatIf.ts";
import { priceOf, marketOf } from "../risk/house.ts";
import { accountId, ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import {
  ALL,
  allowPayeeCall,
  assetOf,
  batchCall,
  cancelCall,
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
  trackFlowsCall,
  transferCall,
  unlockCall,
  withdrawCall,
} from "./calls.ts";
import type { Call, GuardTerms, LiquidationTerms, Match } from "./calls.ts";
import { decodeError, withTypedErrors } from "./errors.ts";
import { bracket, buildOrder, signOrder } from "./orders.ts";
import type { BracketTerms, Order, OrderFields, SignedOrder } from "./orders.ts";
import { signPermit, signPermit2 } from "./permits.ts";
import { buildGrant } from "./sessionKeys.ts";
import type { GrantTerms, KeyName } from "./sessionKeys.ts";
import { parseAmount, parsePrice, parseWad } from "./units.ts";
import { readAccount, readHouse, readLending } from "./read.ts";

/** The client was given a runner of another chain than its address book's. */
export class WrongChain extends Error {
  readonly connected: number;
  readonly expected: number;

  constructor(connected: number, expected: number) {
    super(`connected to chain ${connected}, but the address book is of chain ${expected}`);
    this.name = "WrongChain";
    this.connected = connected;
    this.expected = expected;
  }
}

/** An action that needs a signer was asked of a client with a provider only. */
export class NoSigner extends Error {
  constructor() {
    super("this action sends or signs: connect the client with a signer instead of a provider");
    this.name = "NoSigner";
  }
}

/** A runner that is not connected to a chain. */
export class NoProvider extends Error {
  constructor() {
    super("the runner has no provider: connect the signer to one first");
    this.name = "NoProvider";
  }
}

/** A node gave neither a receipt nor a block where there has to be one. */
export class NodeIncomplete extends Error {
  readonly missing: string;

  constructor(missing: string) {
    super(`the node has no ${missing}: is it still syncing?`);
    this.name = "NodeIncomplete";
    this.missing = missing;
  }
}

/** An account and everything its assessment depends on, at one block. */
export interface View {
  readonly block: number;
  readonly account: AccountState;
  readonly house: HouseState;
}

const STATES: readonly MarginState[] = ["healthy", "marginCall", "liquidatable", "bankrupt"];
const YEAR = 365n * 24n * 3600n; // [s]
const PERMIT_LIFE = 600n; // [s] for a transaction to be mined

/** How an account stands; amounts in WAD. */
export interface Health extends Assessment {
  readonly block: number;
  readonly state: MarginState;
  readonly ratio: bigint | undefined; // E / MM
  readonly freeCollateral: bigint; // cash that could leave now
  readonly leverage: bigint | undefined;
}

/** How an account stands as the clearinghouse itself says; amounts in WAD. */
export interface ChainHealth extends Assessment {
  readonly state: MarginState;
  readonly ratio: bigint | undefined; // E / MM, undefined where MM is zero
  readonly freeCollateral: bigint; // USD that may leave, what is borrowed for it included
}

/** Lent cash and debt of an account [wad] with interest, and its shares in them. */
export interface AccountLoans {
  readonly lent: bigint;
  readonly debt: bigint;
  readonly lentShares: bigint;
  readonly debtShares: bigint;
}

/** The lending pool with interest up to a block. */
export interface LendingMarket extends LendingState {
  readonly liquid: bigint; // [wad] what can be borrowed or called back
  readonly utilisation: bigint; // [wad] borrowed / lent
  readonly borrowRate: bigint; // [wad per year] paid on debt
  readonly supplyRate: bigint; // [wad per year] earned on lent cash
}

/** What a liquidation would do. Amounts are [wad]. */
export interface LiquidationPreview {
  readonly fraction: bigint; // of the portfolio that moves
  readonly payment: bigint; // cash that the taker pays, negative: receives
  readonly after: Assessment; // the account afterwards
}

/** What an account below IM needs. Amounts are [wad]. */
export interface MarginCallInfo {
  readonly deposit: bigint; // cash that brings E to IM now
  /** What closing in one market takes, as its last margin call said; `undefined` where that cures nothing or nobody has called. */
  readonly closing: { readonly block: number; readonly market: number; readonly size: bigint } | undefined;
}

/** A hypothetical trade of an account: human size (positive buys) and price, the index price if left out. */
export interface HypotheticalTrade {
  market: number;
  size: string;
  price?: string;
  maker?: boolean;
}

/**
 * A client of one house. Amounts, sizes and prices are human decimal numbers going in; results are in WAD. What a contract refuses
 * is thrown as `ContractError`.
 *
 *     const house = await Plimsoll.connect(loadAddressBook("deploy/addresses/31337.json"), signer);
 *     const account = accountId(await signer.getAddress());
 *     await house.deposit(account, "USDC", "10000");
 *     const order = await house.order({ account, market: 0, size: "1.5", limitPrice: "2000", nonce: 1n });
 *     await house.lend(account, "2500");
 *     const { state, freeCollateral } = await house.health(account);
 */
export class Plimsoll {
  readonly addressBook: AddressBook;
  readonly clearingHouse: IClearingHouse;
  readonly exchange: Exchange;
  readonly riskEngine: RiskEngine;
  readonly priceOracle: PriceOracle;
  readonly #provider: Provider;
  readonly #signer: Signer | undefined;

  private constructor(addressBook: AddressBook, provider: Provider, signer: Signer | undefined) {
    const { contracts } = addressBook;
    const runner = signer ?? provider;
    this.addressBook = addressBook;
    this.clearingHouse = IClearingHouse__factory.connect(contracts.clearingHouse, runner);
    this.exchange = Exchange__factory.connect(contracts.exchange, runner);
    this.riskEngine = RiskEngine__factory.connect(contracts.riskEngine, runner);
    this.priceOracle = PriceOracle__factory.connect(contracts.priceOracle, runner);
    this.#provider = provider;
    this.#signer = signer;
  }

  /**
   * Connects to the house of an address book; with a provider the client can only read.
   * @throws NoProvider, WrongChain
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
   * @throws ContractError, UnknownSymbol, InvalidAmount, NoSigner
   */
  async deposit(account: AccountId, symbol: string, amount: string): Promise<TransactionReceipt> {
    await this.#approve(symbol, amount);
    return this.send(depositCall(this.addressBook, account, symbol, amount));
  }

  /**
   * Deposits cash or collateral in one transaction, with a signed permit instead of an approval: the token's own, or one of Permit2, which
   * the signer has approved for the token.
   * @throws ContractError, NoPermit, UnknownSymbol, InvalidAmount, NoSigner
   */
  async depositWithPermit(
    account: AccountId,
    symbol: string,
    amount: string,
    by: "token" | "permit2" = "token",
  ): Promise<TransactionReceipt> {
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
    return this.batch([
      permitCall(this.addressBook, await signer.getAddress(), symbol, amount, permit),
      depositCall(this.addressBook, account, symbol, amount),
    ]);
  }

  /**
   * Withdraws cash or collateral, to the account's owner unless said otherwise; `ALL` for what there is, lent cash included.
   * @throws ContractError, UnknownSymbol, InvalidAmount, NoSigner
   */
  withdraw(account: AccountId, symbol: string, amount: string, to = ownerOf(account)): Promise<TransactionReceipt> {
    return this.send(withdrawCall(this.addressBook, account, symbol, amount, to));
  }

  /**
   * Moves cash or collateral between two accounts of the signer.
   * @throws ContractError, UnknownSymbol, InvalidAmount, NoSigner
   */
  transfer(from: AccountId, to: AccountId, symbol: string, amount: string): Promise<TransactionReceipt> {
    return this.send(transferCall(this.addressBook, from, to, symbol, amount));
  }

  /**
   * Lends cash of an account to borrowers, in units of cash such as "2500". It earns interest and counts in full.
   * @throws ContractError (UnsettledLoss, InsufficientCash, InsufficientMargin), InvalidAmount, NoSigner
   */
  lend(account: AccountId, amount: string): Promise<TransactionReceipt> {
    return this.send(lendCall(this.addressBook, account, amount));
  }

  /**
   * Brings lent cash back into an account. What leaves it later is called back without this.
   * @throws ContractError (InsufficientLiquidity while borrowers hold it), InvalidAmount, NoSigner
   */
  recall(account: AccountId, amount: string): Promise<TransactionReceipt> {
    return this.send(recallCall(this.addressBook, account, amount));
  }

  /**
   * Settles matches of signed orders.
   * @throws ContractError, NoSigner
   */
  settleOrders(orders: readonly SignedOrder[], matches: readonly Match[]): Promise<TransactionReceipt> {
    return this.send(settleOrdersCall(this.addressBook, orders, matches));
  }

  /**
   * Settles matches of signed orders each by itself: what fails is left out and told by the event `MatchSkipped`.
   * @throws ContractError (NothingSettled), NoSigner
   */
  settleEach(orders: readonly SignedOrder[], matches: readonly Match[]): Promise<TransactionReceipt> {
    return this.send(settleEachCall(this.addressBook, orders, matches));
  }

  /**
   * Settles matches of signed orders and takes their execution fees into `feeTo`.
   * @throws ContractError (OrderNotTriggered, InsufficientMargin), NoSigner
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
   * @throws ContractError, NoSigner
   */
  cancel(account: AccountId, nonces: readonly bigint[]): Promise<TransactionReceipt> {
    return this.send(cancelCall(this.addressBook, account, nonces));
  }

  /**
   * Allows a key to act for `owner`: the signer, or who has granted the signer the right to.
   * @throws ContractError (GrantTooWide, KeyTaken), InvalidGrant, NoSigner
   */
  grantKey(name: KeyName, terms: GrantTerms): Promise<TransactionReceipt> {
    return this.send(grantKeyCall(this.addressBook, name, buildGrant(terms)));
  }

  /**
   * Ends a key and those below it.
   * @throws ContractError (UnknownKey), NoSigner
   */
  revokeKey(name: KeyName): Promise<TransactionReceipt> {
    return this.send(revokeKeyCall(this.addressBook, name));
  }

  /**
   * Ends every order and every session key of the signer.
   * @throws ContractError, NoSigner
   */
  revokeAll(): Promise<TransactionReceipt> {
    return this.send(revokeAllCall(this.addressBook));
  }

  /**
   * Sets what stands between the signer's accounts and a thief of his key; what loosens waits for the delay in force.
   *
   *     await house.allowPayee(coldWallet);
   *     await house.setGuard({ guardian, delay: 86_400, restricted: true });
   *
   * @throws ContractError (LockedDown, ParameterOutOfBounds), NoSigner
   */
  setGuard(terms: GuardTerms): Promise<TransactionReceipt> {
    return this.send(setGuardCall(this.addressBook, terms));
  }

  /**
   * Puts an address on the signer's list of payees, good after the delay of his guard.
   * @throws ContractError (LockedDown, AlreadySet), NoSigner
   */
  allowPayee(payee: string): Promise<TransactionReceipt> {
    return this.send(allowPayeeCall(this.addressBook, payee));
  }

  /**
   * Takes an address off an owner's list of payees. The signer is the owner or his guardian.
   * @throws ContractError (NotGuardian, PayeeNotAllowed), NoSigner
   */
  removePayee(owner: string, payee: string): Promise<TransactionReceipt> {
    return this.send(removePayeeCall(this.addressBook, owner, payee));
  }

  /**
   * Lockdown: ends all that an owner has signed and leaves him deposits, repayment, reduce-only orders and withdrawals to payees of old.
   * The signer is the owner or his guardian.
   * @throws ContractError (NotGuardian), NoSigner
   */
  lockDown(owner: string): Promise<TransactionReceipt> {
    return this.send(lockDownCall(this.addressBook, owner));
  }

  /**
   * Ends a lockdown as the guardian; as the owner asks for its end, and ends it when his delay, at least a day, is over.
   * @throws ContractError (NotGuardian, NotLockedDown, UnlockTooEarly), NoSigner
   */
  unlock(owner: string): Promise<TransactionReceipt> {
    return this.send(unlockCall(this.addressBook, owner));
  }

  /**
   * Announces that a flat account leaves: from 24 hours later, for 24 hours, no limit on outflow holds up what it holds now.
   * @throws ContractError (NotOwner, NotFlat), NoSigner
   */
  requestExit(account: AccountId): Promise<TransactionReceipt> {
    return this.send(requestExitCall(this.addressBook, account));
  }

  /**
   * Counts what goes into and out of an account from now on, from zero, or no longer: keys with a floor on equity need it.
   * @throws ContractError (NotOwner), NoSigner
   */
  trackFlows(account: AccountId, on = true): Promise<TransactionReceipt> {
    return this.send(trackFlowsCall(this.addressBook, account, on));
  }

  /**
   * Opens an isolated position in one transaction: moves the margin over from the owner's main account and settles the orders. The margin
   * is the most that the position can lose.
   *
   *     const account = isolatedAccountId(owner, 0);
   *     const bid = await house.order({ account, market: 0, size: "5", limitPrice: "2000", nonce: 7n });
   *     await house.openIsolated(account, "1000", [offer, bid], [{ maker: 0, taker: 1 }]);
   *
   * @throws ContractError, InvalidAmount, NoSigner
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
   * Profit that no loser has paid yet stays for `settle`.
   * @throws ContractError, NoSigner
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
   * Takes over a slice of an account into `taker`, an account of the signer.
   * @throws ContractError, NoSigner
   */
  liquidate(account: AccountId, taker: AccountId, terms?: Partial<LiquidationTerms>): Promise<TransactionReceipt> {
    return this.send(liquidateCall(this.addressBook, account, taker, terms));
  }

  /**
   * Observes an account: starts, advances or clears its auction; between MM and IM it calls for margin.
   * @throws ContractError, NoSigner
   */
  flag(account: AccountId): Promise<TransactionReceipt> {
    return this.send(flagCall(this.addressBook, account));
  }

  /**
   * Sends several calls as one transaction with the margin checks at its end. Deposits in it need an approval beforehand.
   * @throws ContractError, NoSigner
   */
  batch(calls: readonly Call[]): Promise<TransactionReceipt> {
    return this.send(batchCall(this.addressBook, calls));
  }

  /**
   * Sends one call and waits until it is mined.
   * @throws ContractError, NoSigner
   */
  async send({ target, data }: Call): Promise<TransactionReceipt> {
    return this.#mined(await withTypedErrors(() => this.#requireSigner().sendTransaction({ to: target, data })));
  }

  /**
   * Runs one call in the signer's name without sending it.
   * @throws ContractError for what it would be refused with, NoSigner
   */
  async rehearse({ target, data }: Call): Promise<void> {
    const from = await this.#requireSigner().getAddress();
    await withTypedErrors(() => this.#provider.call({ to: target, from, data }));
  }

  /**
   * Builds and signs an order of the signer, or as a session key of the account's owner, from a human size (positive buys) and limit
   * price, in the owner's present epoch.
   * @throws InvalidOrder, InvalidAmount, NoSigner
   */
  async order(
    fields: { account: AccountId; market: number; size: string; limitPrice: string; nonce: bigint } & Partial<
      Omit<OrderFields, "size" | "limitPrice" | "market">
    >,
  ): Promise<SignedOrder> {
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
   *     const [stop, target] = await house.bracket({ account, market: 0, size: "2", stop: "1900", target: "2300", nonce: 7n });
   *
   * @throws InvalidOrder, InvalidAmount, NoSigner
   */
  async bracket(terms: BracketTerms): Promise<[stopLoss: SignedOrder, takeProfit: SignedOrder]> {
    const { epoch } = await this.exchange.ownerState(ownerOf(terms.account));
    const [stop, target] = bracket({ epoch, ...terms });
    return [await this.#sign(stop), await this.#sign(target)];
  }

  // ---------------------------------------------------------------- reading

  /** An account and everything its assessment depends on, all read at one block. */
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
   * @throws MissingPrice if the account holds something whose price is unusable
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
   * @throws ContractError if the account holds something whose price is unusable
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

  /** Lent cash and debt of an account with interest up to the latest block. */
  async loans(id: AccountId): Promise<AccountLoans> {
    const { lent, debt, shares } = await this.clearingHouse.loans(id);
    return { lent, debt, lentShares: shares.lentShares, debtShares: shares.debtShares };
  }

  /**
   * The lending pool at the latest block: what is lent and borrowed, what is liquid, and the yearly rates.
   *
   *     const { supplyRate, liquid } = await house.lending();
   *     console.log(`lend at ${formatWad(supplyRate * 100n)} % a year, ${formatWad(liquid)} USD to borrow`);
   */
  async lending(): Promise<LendingMarket> {
    const pool = await readLending(this, await this.#provider.getBlockNumber());
    const borrowRate = pool.rate * YEAR;
    const utilisation = pool.lent === 0n ? 0n : (pool.borrowed * WAD) / pool.lent;
    const earning = pool.lent === 0n ? 0n : (positive(pool.borrowed - pool.flaggedDeficit) * WAD) / pool.lent;
    const supplyRate = (borrowRate * earning * (PPM - pool.params.reserveFactor)) / (WAD * PPM);
    return { ...pool, liquid: liquidity(pool), utilisation, borrowRate, supplyRate };
  }

  /**
   * E, IM and MM of an account after a trade as the taker, or why it would be refused: the clearinghouse runs it and undoes it.
   *
   *     const after = await house.previewTrade(account, { market: 0, size: "-2.5", price: "1999" });
   *
   * @throws ContractError, MissingPrice if no price is given and the index has none, UnknownMarket, InvalidAmount
   */
  async previewTrade(id: AccountId, { market, size, price }: Omit<HypotheticalTrade, "maker">): Promise<Assessment> {
    const at = price === undefined ? await this.indexPrice(market) : parsePrice(price);
    const { previewTrade } = this.#reader;
    return plain(await withTypedErrors(() => previewTrade.staticCall(id, market, parseWad(size), at)));
  }

  /**
   * E, IM and MM of an account after a withdrawal of cash or collateral by its owner, or why it would be refused.
   * @throws ContractError, UnknownSymbol, InvalidAmount
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
   * @throws ContractError
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
   * What an account in a margin call needs to be healthy again; `undefined` if it is not in one.
   *
   *     const call = await house.marginCall(account);
   *     if (call !== undefined) await house.deposit(account, "USDC", formatAmount(call.deposit / 10n ** 12n + 1n, 6));
   *
   * @throws ContractError if the account holds something whose price is unusable
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
   * @throws MissingPrice, UnknownMarket, InvalidAmount
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
   * @throws MissingPrice
   */
  async liquidationPrices(id: AccountId): Promise<Map<number, LiquidationPrices>> {
    const { account, house } = await this.view(id);
    const held = gather(account, house).underlyings.map((u) => u.id);
    return new Map(held.map((underlying) => [underlying, liquidationPrices(account, house, underlying)]));
  }

  /** Everything outside accounts that assessments depend on, at the latest block. */
  async state(): Promise<HouseState> {
    return readHouse(this, this.addressBook, await this.#latestBlock());
  }

  /**
   * The index price [wad] of a market.
   * @throws UnknownMarket, MissingPrice
   */
  async indexPrice(market: number): Promise<bigint> {
    const house = await this.state();
    return priceOf(house, marketOf(house, market).underlying).price;
  }

  /** The node that this client reads from. */
  get provider(): Provider {
    return this.#provider;
  }

  // ---------------------------------------------------------------- internals

  /** The clearinghouse for static calls in anybody's name. */
  get #reader(): IClearingHouse {
    return this.clearingHouse.connect(this.#provider);
  }

  async #latestBlock(): Promise<Block> {
    const block = await this.#provider.getBlock("latest");
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

  async #approve(symbol: string, amount: string): Promise<void> {
    const { token, decimals } = assetOf(this.addressBook, symbol);
    const units = parseAmount(amount, decimals);
    const { vault } = this.addressBook.contracts;
    const erc20 = MockERC20__factory.connect(token, this.#requireSigner());
    const allowance = await erc20.allowance(await this.#requireSigner().getAddress(), vault);
    if (allowance < units) await this.#mined(await withTypedErrors(() => erc20.approve(vault, units)));
  }

  /** Waits for a transaction; one that failed when it was mined is run again to learn why. */
  async #mined(sent: { hash: string; wait: () => Promise<ContractTransactionReceipt | TransactionReceipt | null> }) {
    try {
      const receipt = await sent.wait();
      if (receipt !== null) return receipt;
    } catch (error) {
      throw decodeError(error) ?? (await this.#replay(sent.hash)) ?? error;
    }
    throw new NodeIncomplete(`receipt of ${sent.hash}`);
  }

  async #replay(hash: string): Promise<unknown> {
    const transaction = await this.#provider.getTransaction(hash);
    if (typeof transaction?.blockNumber !== "number") return undefined;
    const { to, from, data, value, blockNumber } = transaction;
    try {
      await this.#provider.call({ to, from, data, value, blockTag: blockNumber - 1 });
    } catch (error) {
      return decodeError(error);
    }
    return undefined;
  }
}

/**
 * The most that an account can lose from here [wad]: what it is worth. Nothing outside an isolated account can be drawn into its loss.
 * @throws MissingPrice
 */
export function maximumLoss({ account, house }: View): bigint {
  return positive(assessAccount(account, house).equity);
}

/** The amounts of an answer, without what ethers puts around them. */
function plain({ equity, initialMargin, maintenanceMargin }: Assessment): Assessment {
  return { equity, initialMargin, maintenanceMargin };
}
