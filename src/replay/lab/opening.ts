import type { Result } from "ethers";

import { deployPlimsoll } from "../../../deploy/plimsoll.ts";
import {
  IClearingHouse__factory,
  InsuranceFund__factory,
  MockERC20__factory,
  RiskEngine__factory,
} from "../../../types/index.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { batchCall } from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import { ASSETS } from "../path.ts";
import { baseSize, marketOf, priceOf, readRateFeeds } from "../venue.ts";
import type { Answers } from "../venue.ts";
import { LabChain } from "./chain.ts";
import type { Transaction } from "./chain.ts";
import { LabHouse, PER_OWNER } from "./house.ts";
import type { Fill } from "./house.ts";
import { parametersOf } from "./parameters.ts";
import { CLOSE_FACTORS } from "./policies.ts";
import { ASSET_OF, drawPopulation, termsOf, TOKENS, wad } from "./population.ts";
import type { Scenario, Trader } from "./scenario.ts";

/** [s] before the first minute at which the chain begins. */
export const SETUP = 3600;
const PER_BLOCK = 20; // transactions
const PER_TRADE = 100; // fills
const MAKER_CASH = 1_000_000_000; // [USD] whoever makes the market never wants for margin

const ledger = IClearingHouse__factory.createInterface();
const erc20 = MockERC20__factory.createInterface();
const fund = InsuranceFund__factory.createInterface();

/**
 * Deploys a house on a chain of its own and opens everybody's accounts, with the first prices of a path as its feeds' answers.
 * @param time [s] of the first minute
 * @throws OpeningFailed, ScenarioInvalid
 */
export async function openHouse(scenario: Scenario, answers: Answers, time: number): Promise<LabHouse> {
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
    const rates = await readRateFeeds({ chain, book });
    const traders = drawPopulation(scenario, termsOf(parameters));
    const house = new LabHouse({ chain, book, deployer, rates }, scenario.takers.length, traders);
    await new Opening(house, scenario, answers).run();
    return house;
  } catch (error) {
    await chain.close();
    throw error;
  }
}

/** What everybody does before the first minute. */
class Opening {
  readonly #house: LabHouse;
  readonly #scenario: Scenario;
  readonly #answers: Answers;

  constructor(house: LabHouse, scenario: Scenario, answers: Answers) {
    [this.#house, this.#scenario, this.#answers] = [house, scenario, answers];
  }

  /** @throws OpeningFailed */
  async run(): Promise<void> {
    const [house, scenario] = [this.#house, this.#scenario];
    const owners = Array.from({ length: Math.ceil(house.accounts.length / PER_OWNER) }, (_, i) => i);
    if (scenario.fund !== 0) await house.chain.must("seeding the insurance fund", this.#seed(scenario.fund));
    const rich = [house.maker, ...house.takers];
    const capital = [MAKER_CASH, ...scenario.takers.map((taker) => taker.capital)];
    const deposits = rich.flatMap((party, i) => [
      house.approve(house.book.cash.token, party.owner),
      ...((capital[i] ?? 0) === 0 ? [] : house.deposit(party, wad(capital[i] ?? 0))),
    ]);
    await house.chain.must("the capital of the takers", deposits);
    await this.#inBlocks(
      "opening the accounts",
      owners.flatMap((i) => this.#fill(i)),
    );
    await this.#inBlocks(
      "lending",
      owners.flatMap((i) => this.#batch(i, (n) => this.#lend(n))),
    );
    await this.#inBlocks("the first trades", this.#firstTrades());
    await this.#inBlocks(
      "borrowing",
      owners.flatMap((i) => this.#batch(i, (n) => this.#borrow(n))),
    );
  }

  async #inBlocks(what: string, transactions: readonly Transaction[]): Promise<void> {
    for (let at = 0; at < transactions.length; at += PER_BLOCK) {
      await this.#house.chain.must(what, transactions.slice(at, at + PER_BLOCK));
    }
  }

  #seed(usd: number): Transaction[] {
    const { contracts, cash } = this.#house.book;
    const [from, amount] = [this.#house.deployer, wad(usd) / 10n ** BigInt(18 - cash.decimals)];
    const approve = erc20.encodeFunctionData("approve", [contracts.insuranceFund, amount]);
    const deposit = fund.encodeFunctionData("deposit", [amount, from]);
    return [
      this.#house.mint(cash.token, from, amount),
      { from, to: cash.token, data: approve },
      { from, to: contracts.insuranceFund, data: deposit },
    ];
  }

  /** Mints and deposits what the accounts of one owner begin with. */
  #fill(i: number): Transaction[] {
    const totals = new Map<string, bigint>();
    const deposits = this.#batch(i, (n) => {
      return this.#beginnings(n).map(([token, amount]) => {
        totals.set(token, (totals.get(token) ?? 0n) + amount);
        return this.#house.toLedger(
          ledger.encodeFunctionData("deposit", [this.#house.accounts[n]?.id ?? 0n, token, amount]),
        );
      });
    });
    const owner = this.#house.accounts[i * PER_OWNER]?.owner ?? "";
    const mints = [...totals].flatMap(([token, amount]) => [
      this.#house.mint(token, owner, amount),
      this.#house.approve(token, owner),
    ]);
    // Every owner approves cash, for those who bring some in later.
    return [this.#house.approve(this.#house.book.cash.token, owner), ...mints, ...deposits];
  }

  /** Tokens and amounts, in their own units, that an account begins with. */
  #beginnings(n: number): [token: string, amount: bigint][] {
    const { cash, lent, collateral } = this.#house.traders[n] ?? NOBODY;
    const own: [string, bigint][] = [
      [this.#house.book.cash.token, wad(cash + lent) / 10n ** BigInt(18 - this.#house.book.cash.decimals)],
    ];
    for (const symbol of TOKENS) {
      const listed = this.#house.book.collaterals.find((c) => c.symbol === symbol);
      if (listed === undefined) continue;
      const units = (wad(collateral[symbol]) * 10n ** 18n) / priceOf(this.#answers[ASSET_OF[symbol]]);
      own.push([listed.token, units / 10n ** BigInt(18 - listed.decimals)]);
    }
    return own.filter(([, amount]) => amount !== 0n);
  }

  #lend(n: number): Call[] {
    const lent = this.#house.traders[n]?.lent ?? 0;
    const amount = wad(lent) / 10n ** BigInt(18 - this.#house.book.cash.decimals);
    return lent === 0
      ? []
      : [this.#house.toLedger(ledger.encodeFunctionData("lend", [this.#house.accounts[n]?.id ?? 0n, amount]))];
  }

  #borrow(n: number): Call[] {
    const { borrowed } = this.#house.traders[n] ?? NOBODY;
    const { owner, id } = this.#house.accounts[n] ?? this.#house.maker;
    const amount = wad(borrowed) / 10n ** BigInt(18 - this.#house.book.cash.decimals);
    return borrowed === 0
      ? []
      : [this.#house.toLedger(ledger.encodeFunctionData("withdraw", [id, this.#house.book.cash.token, amount, owner]))];
  }

  /** What the accounts of one owner do, in one transaction. */
  #batch(i: number, of: (n: number) => Call[]): Transaction[] {
    const end = Math.min((i + 1) * PER_OWNER, this.#house.traders.length);
    const calls = Array.from({ length: end - i * PER_OWNER }, (_, n) => of(i * PER_OWNER + n)).flat();
    const owner = this.#house.accounts[i * PER_OWNER]?.owner ?? "";
    return calls.length === 0 ? [] : [this.#house.call(owner, batchCall(this.#house.book, calls))];
  }

  #firstTrades(): Transaction[] {
    const transactions: Transaction[] = [];
    for (const asset of ASSETS) {
      for (const side of [1n, -1n]) {
        const fills = this.#house.accounts.flatMap(({ id, owner }, n): Fill[] => {
          const size = baseSize(this.#house.traders[n]?.position[asset] ?? 0, asset, this.#answers);
          const price = priceOf(this.#answers[asset]);
          return size * side > 0n
            ? [{ account: id, owner, market: marketOf(this.#house.book, asset), size, price }]
            : [];
        });
        for (let at = 0; at < fills.length; at += PER_TRADE) {
          transactions.push(
            this.#house.trade(fills.slice(at, at + PER_TRADE), BigInt(transactions.length), this.#house.chain.time),
          );
        }
      }
    }
    return transactions;
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
