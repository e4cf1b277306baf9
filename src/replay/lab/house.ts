import { keccak256, MaxUint256, toUtf8Bytes, Wallet } from "ethers";
import type { Result } from "ethers";
import secp256k1 from "secp256k1";

import { deployPlimsoll } from "../../../deploy/plimsoll.ts";
import {
  Exchange__factory,
  IClearingHouse__factory,
  InsuranceFund__factory,
  MockERC20__factory,
  MockV3Aggregator__factory,
  RiskEngine__factory,
} from "../../../types/index.ts";
import { Signing } from "../../matcher/signing.ts";
import { accountId } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { batchCall } from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import { buildOrder } from "../../sdk/orders.ts";
import type { Order, SignedOrder } from "../../sdk/orders.ts";
import { ASSETS } from "../path.ts";
import type { Asset } from "../path.ts";
import { baseSize, marketOf, priceOf, readRateFeeds } from "../venue.ts";
import type { Answers, RateFeed } from "../venue.ts";
import { LabChain } from "./chain.ts";
import type { Transaction } from "./chain.ts";
import { parametersOf } from "./parameters.ts";
import { CLOSE_FACTORS } from "./policies.ts";
import { ASSET_OF, drawPopulation, termsOf, TOKENS, wad } from "./population.ts";
import type { Scenario, Trader } from "./scenario.ts";

/** [s] before the first minute at which the chain begins. */
export const SETUP = 3600;
const PER_OWNER = 100; // accounts, and calls or fills of one transaction
const PER_BLOCK = 20; // transactions while the house is opened
const MAKER_CASH = 1_000_000_000; // [USD] whoever makes the market never wants for margin
const ORDER_LIFETIME = 3600n; // [s]

const ledger = IClearingHouse__factory.createInterface();
const erc20 = MockERC20__factory.createInterface();
const exchange = Exchange__factory.createInterface();
const fund = InsuranceFund__factory.createInterface();

/** Somebody who takes part, with the key that signs for him. */
export interface Party {
  readonly owner: string;
  readonly id: AccountId;
}

/** One fill to be: `account` buys `size` [wad] (negative: sells) of a market at `price` [wad] from the market maker. */
export interface Fill {
  readonly account: AccountId;
  readonly owner: string;
  readonly market: number;
  readonly size: bigint;
  readonly price: bigint;
}

/** A deployed house with everybody in it, on a chain of its own. */
export class LabHouse {
  readonly chain: LabChain;
  readonly book: AddressBook;
  /** Accounts as they were opened, and what they began with; the same place in both lists is the same account. */
  readonly accounts: Party[] = [];
  readonly traders: readonly Trader[];
  readonly takers: readonly Party[];
  /** Trades with everybody, and never wants for margin. */
  readonly maker: Party;
  /** Who does the house's upkeep. */
  readonly upkeep: Party;
  readonly #deployer: string;
  readonly #keys = new Map<string, Buffer>();
  readonly #signing: Signing;
  #rates: readonly RateFeed[] = [];

  private constructor(chain: LabChain, book: AddressBook, deployer: string, scenario: Scenario, traders: Trader[]) {
    [this.chain, this.book, this.#deployer, this.traders] = [chain, book, deployer, traders];
    this.#signing = new Signing(book);
    this.maker = this.#enlist("market maker");
    this.upkeep = this.#enlist("upkeep");
    this.takers = scenario.takers.map((_, i) => this.#enlist(`taker ${i}`));
  }

  /**
   * Deploys a house on a chain of its own and opens everybody's accounts, with the first prices of a path as its feeds' answers.
   * @param time [s] of the first minute
   * @throws OpeningFailed, ScenarioInvalid
   */
  static async open(scenario: Scenario, answers: Answers, time: number): Promise<LabHouse> {
    const parameters = parametersOf(scenario, answers);
    const [chain, { book, deployer }] = await LabChain.start(time - SETUP, async (connection) => {
      const { addressBook } = await deployPlimsoll(connection, parameters);
      const [signer] = await connection.ethers.getSigners();
      const deployed = { book: addressBook, deployer: signer?.address ?? "" };
      const closeFactor = CLOSE_FACTORS[scenario.policy];
      if (closeFactor === undefined) return deployed;
      return { ...deployed, book: await replaceEngine(addressBook, connection, closeFactor) };
    });
    try {
      const traders = drawPopulation(scenario, termsOf(parameters));
      const house = new LabHouse(chain, book, deployer, scenario, traders);
      await house.#begin(scenario, answers);
      return house;
    } catch (error) {
      await chain.close();
      throw error;
    }
  }

  // ---------------------------------------------------------------- transactions

  /** Gives the feed of an asset another answer. */
  answer(asset: Asset, answer: bigint): Transaction {
    const feed = this.book.underlyings.find(({ name }) => name === asset)?.feed ?? "";
    const data = MockV3Aggregator__factory.createInterface().encodeFunctionData("updateAnswer", [answer]);
    return { from: this.#deployer, to: feed, data };
  }

  /** Gives the rates between tokens and what they follow a new round. */
  refreshRates(): Transaction[] {
    const abi = MockV3Aggregator__factory.createInterface();
    return this.#rates.map(({ feed, answer }) => {
      return { from: this.#deployer, to: feed, data: abi.encodeFunctionData("updateAnswer", [answer]) };
    });
  }

  /** Fills of one market, all of the same side and at one price, by orders that both sides have signed. */
  trade(fills: readonly Fill[], nonce: bigint, time: number): Transaction {
    const [first] = fills;
    const terms = { market: BigInt(first?.market ?? 0), limitPrice: first?.price ?? 0n };
    const good = { ...terms, nonce, expiry: BigInt(time) + ORDER_LIFETIME };
    const total = fills.reduce((sum, { size }) => sum + size, 0n);
    const resting = this.#sign(
      this.maker.owner,
      buildOrder({ ...good, account: this.maker.id, size: -total, resting: true }),
    );
    const taking = fills.map(({ account, owner, size }) => this.#sign(owner, buildOrder({ ...good, account, size })));
    const matches = fills.map((_, i) => ({ maker: 0, taker: i + 1 }));
    const data = exchange.encodeFunctionData("settle", [[resting, ...taking], matches]);
    return { from: this.#deployer, to: this.book.contracts.exchange, data };
  }

  /** Brings new cash [wad] into an account. */
  deposit({ owner, id }: Party, cash: bigint): Transaction[] {
    const { token, decimals } = this.book.cash;
    const amount = cash / 10n ** BigInt(18 - decimals);
    return [
      this.#mint(token, owner, amount),
      this.call(owner, this.#toLedger(ledger.encodeFunctionData("deposit", [id, token, amount]))),
    ];
  }

  /** Sells a collateral balance somewhere else for so much cash [wad]. */
  sell({ owner, id }: Party, collateral: number, balance: bigint, cash: bigint): Transaction[] {
    const { token, decimals } = this.book.collaterals[collateral] ?? this.book.cash;
    const [mint, deposit] = this.deposit({ owner, id }, cash);
    if (mint === undefined || deposit === undefined) return [];
    const amount = balance / 10n ** BigInt(18 - decimals);
    const withdraw = this.#toLedger(ledger.encodeFunctionData("withdraw", [id, token, amount, owner]));
    return [mint, this.call(owner, batchCall(this.book, [{ target: deposit.to, data: deposit.data }, withdraw]))];
  }

  /** A call of the house by somebody. */
  call(from: string, { target, data }: Call): Transaction {
    return { from, to: target, data };
  }

  // ---------------------------------------------------------------- how it begins

  async #begin(scenario: Scenario, answers: Answers): Promise<void> {
    this.#rates = await readRateFeeds(this);
    const owners = Array.from({ length: Math.ceil(this.traders.length / PER_OWNER) }, (_, i) => i);
    for (const i of owners) {
      const { owner } = this.#enlist(`owner ${i}`);
      const count = Math.min(PER_OWNER, this.traders.length - i * PER_OWNER);
      for (let n = 0; n < count; ++n) this.accounts.push({ owner, id: accountId(owner, n) });
    }
    if (scenario.fund !== 0) await this.chain.must("seeding the insurance fund", this.#seed(scenario.fund));
    const rich = [this.maker, ...this.takers];
    const capital = [MAKER_CASH, ...scenario.takers.map((taker) => taker.capital)];
    const deposits = rich.flatMap((party, i) => [
      this.#approve(this.book.cash.token, party.owner),
      ...((capital[i] ?? 0) === 0 ? [] : this.deposit(party, wad(capital[i] ?? 0))),
    ]);
    await this.chain.must("the capital of the takers", deposits);
    await this.#inBlocks(
      "opening the accounts",
      owners.flatMap((i) => this.#fill(i, answers)),
    );
    await this.#inBlocks(
      "lending",
      owners.flatMap((i) => this.#batch(i, (n) => this.#lend(n))),
    );
    await this.#inBlocks("the first trades", this.#firstTrades(answers));
    await this.#inBlocks(
      "borrowing",
      owners.flatMap((i) => this.#batch(i, (n) => this.#borrow(n))),
    );
  }

  async #inBlocks(what: string, transactions: readonly Transaction[]): Promise<void> {
    for (let at = 0; at < transactions.length; at += PER_BLOCK) {
      await this.chain.must(what, transactions.slice(at, at + PER_BLOCK));
    }
  }

  #seed(usd: number): Transaction[] {
    const { contracts, cash } = this.book;
    const [from, amount] = [this.#deployer, wad(usd) / 10n ** BigInt(18 - cash.decimals)];
    const approve = erc20.encodeFunctionData("approve", [contracts.insuranceFund, amount]);
    const deposit = fund.encodeFunctionData("deposit", [amount, from]);
    return [
      this.#mint(cash.token, from, amount),
      { from, to: cash.token, data: approve },
      { from, to: contracts.insuranceFund, data: deposit },
    ];
  }

  /** Mints and deposits what the accounts of one owner begin with. */
  #fill(i: number, answers: Answers): Transaction[] {
    const totals = new Map<string, bigint>();
    const deposits = this.#batch(i, (n) => {
      return this.#beginnings(n, answers).map(([token, amount]) => {
        totals.set(token, (totals.get(token) ?? 0n) + amount);
        return this.#toLedger(ledger.encodeFunctionData("deposit", [this.accounts[n]?.id ?? 0n, token, amount]));
      });
    });
    const owner = this.accounts[i * PER_OWNER]?.owner ?? "";
    const mints = [...totals].flatMap(([token, amount]) => [
      this.#mint(token, owner, amount),
      this.#approve(token, owner),
    ]);
    // Every owner approves cash, for those who bring some in later.
    return [this.#approve(this.book.cash.token, owner), ...mints, ...deposits];
  }

  /** Tokens and amounts, in their own units, that an account begins with. */
  #beginnings(n: number, answers: Answers): [token: string, amount: bigint][] {
    const { cash, lent, collateral } = this.traders[n] ?? NOBODY;
    const own: [string, bigint][] = [
      [this.book.cash.token, wad(cash + lent) / 10n ** BigInt(18 - this.book.cash.decimals)],
    ];
    for (const symbol of TOKENS) {
      const listed = this.book.collaterals.find((c) => c.symbol === symbol);
      if (listed === undefined) continue;
      const units = (wad(collateral[symbol]) * 10n ** 18n) / priceOf(answers[ASSET_OF[symbol]]);
      own.push([listed.token, units / 10n ** BigInt(18 - listed.decimals)]);
    }
    return own.filter(([, amount]) => amount !== 0n);
  }

  #lend(n: number): Call[] {
    const lent = this.traders[n]?.lent ?? 0;
    const amount = wad(lent) / 10n ** BigInt(18 - this.book.cash.decimals);
    return lent === 0 ? [] : [this.#toLedger(ledger.encodeFunctionData("lend", [this.accounts[n]?.id ?? 0n, amount]))];
  }

  #borrow(n: number): Call[] {
    const { borrowed } = this.traders[n] ?? NOBODY;
    const { owner, id } = this.accounts[n] ?? this.maker;
    const amount = wad(borrowed) / 10n ** BigInt(18 - this.book.cash.decimals);
    return borrowed === 0
      ? []
      : [this.#toLedger(ledger.encodeFunctionData("withdraw", [id, this.book.cash.token, amount, owner]))];
  }

  /** What the accounts of one owner do, in one transaction. */
  #batch(i: number, of: (n: number) => Call[]): Transaction[] {
    const end = Math.min((i + 1) * PER_OWNER, this.traders.length);
    const calls = Array.from({ length: end - i * PER_OWNER }, (_, n) => of(i * PER_OWNER + n)).flat();
    const owner = this.accounts[i * PER_OWNER]?.owner ?? "";
    return calls.length === 0 ? [] : [this.call(owner, batchCall(this.book, calls))];
  }

  #firstTrades(answers: Answers): Transaction[] {
    const transactions: Transaction[] = [];
    for (const asset of ASSETS) {
      for (const side of [1n, -1n]) {
        const fills = this.accounts.flatMap(({ id, owner }, n): Fill[] => {
          const size = baseSize(this.traders[n]?.position[asset] ?? 0, asset, answers);
          const price = priceOf(answers[asset]);
          return size * side > 0n ? [{ account: id, owner, market: marketOf(this.book, asset), size, price }] : [];
        });
        for (let at = 0; at < fills.length; at += PER_OWNER) {
          transactions.push(this.trade(fills.slice(at, at + PER_OWNER), BigInt(transactions.length), this.chain.time));
        }
      }
    }
    return transactions;
  }

  // ---------------------------------------------------------------- parts

  #enlist(name: string): Party {
    const key = keccak256(toUtf8Bytes(`plimsoll replay lab: ${name}`));
    const owner = new Wallet(key).address;
    this.#keys.set(owner, Buffer.from(key.slice(2), "hex"));
    return { owner, id: accountId(owner) };
  }

  #sign(owner: string, order: Order): SignedOrder {
    const key = this.#keys.get(owner) ?? Buffer.alloc(0);
    const { signature, recid } = secp256k1.ecdsaSign(this.#signing.hashOrder(order), key);
    return { order, signature: `0x${Buffer.from(signature).toString("hex")}${recid === 0 ? "1b" : "1c"}` };
  }

  #mint(token: string, to: string, amount: bigint): Transaction {
    return { from: to, to: token, data: erc20.encodeFunctionData("mint", [to, amount]) };
  }

  #approve(token: string, owner: string): Transaction {
    return {
      ...{ from: owner, to: token },
      data: erc20.encodeFunctionData("approve", [this.book.contracts.vault, MaxUint256]),
    };
  }

  #toLedger(data: string): Call {
    return { target: this.book.contracts.clearingHouse, data };
  }
}

const NOBODY: Pick<Trader, "cash" | "lent" | "borrowed" | "collateral"> = {
  ...{ cash: 0, lent: 0, borrowed: 0 },
  collateral: { WETH: 0, WBTC: 0, wstETH: 0 },
};

/** Puts an engine with a fixed close factor and the same parameters in the place of the house's own. */
async function replaceEngine(
  book: AddressBook,
  { ethers }: LabChain["connection"],
  closeFactor: bigint,
): Promise<AddressBook> {
  const { contracts, underlyings, collaterals } = book;
  const [deployer] = await ethers.getSigners();
  const deployed = await ethers.deployContract("CloseFactorEngine", [contracts.accessManager, closeFactor]);
  const riskEngine = await deployed.getAddress();
  const old = RiskEngine__factory.connect(contracts.riskEngine, deployer);
  const engine = RiskEngine__factory.connect(riskEngine, deployer);
  for (const { id } of underlyings) await engine.setUnderlyingRisk(id, copy(await old.underlyingRisk(id)));
  for (const { id } of collaterals) await engine.setCollateralRisk(id, copy(await old.collateralRisk(id)));
  await IClearingHouse__factory.connect(contracts.clearingHouse, deployer).setRiskEngine(riskEngine);
  return { ...book, contracts: { ...contracts, riskEngine } };
}

/** What a view has answered, by name, to be passed on. */
function copy<T>(answer: T): T {
  return (answer as Result).toObject() as T;
}
