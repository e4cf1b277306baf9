import canonicalize from "canonicalize";
import { keccak256, toUtf8Bytes } from "ethers";

import { DEFAULT_POLICY } from "../../keeper/config.ts";
import { hasAssets } from "../../keeper/liquidator.ts";
import { dueUpkeep } from "../../keeper/upkeep.ts";
import { WAD } from "../../risk/fixed.ts";
import { saleablePrice } from "../../risk/prices.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import { absorbCall, liquidateCall } from "../../sdk/calls.ts";
import { checkInvariants, LIVENESS, readBooks } from "../invariants.ts";
import type { Finding } from "../invariants.ts";
import { readChronicle } from "../chronicle.ts";
import { answerToNumber, toNumber } from "../format.ts";
import { ASSETS, firstOf, hold, MINUTE } from "../path.ts";
import type { Asset, PricePath } from "../path.ts";
import { marketOf, wholeLots } from "../venue.ts";
import type { Answers } from "../venue.ts";
import { BackTest, newBackTest } from "./backTest.ts";
import type { BackTestState } from "./backTest.ts";
import type { Receipt, Transaction } from "./chain.ts";
import { InvariantsBroken, ReplayStopped } from "./errors.ts";
import type { Fill, LabHouse, Party } from "./house.ts";
import { Impact, noImpact } from "./impact.ts";
import type { ImpactState } from "./impact.ts";
import { Journal } from "./journal.ts";
import { openHouse, SETUP } from "./opening.ts";
import { firstAnswers, Oracle } from "./oracle.ts";
import type { OracleState } from "./oracle.ts";
import { calmOwners, Owners } from "./owners.ts";
import type { Cure, OwnersState } from "./owners.ts";
import { depthsOf, feeOf } from "./parameters.ts";
import { Bookkeeper, newRecord } from "./record.ts";
import type { RecordState } from "./record.ts";
import type { RunResult } from "./result.ts";
import { hashScenario } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import { newTaker, TAKE_GAS, Taker } from "./takers.ts";
import type { Sent, TakerState } from "./takers.ts";
import { View } from "./view.ts";

const AFTERMATH = 30; // minutes at the last prices, in which what they began comes to its end
const SAVE_EVERY = 10; // minutes
const UPKEEP_EVERY = 10; // minutes, as often as the keeper observes
const RATES_EVERY = 720; // minutes, half of the heartbeat of rates
const VOLATILITY_OVER = 60; // minutes
const MINUTES_A_YEAR = 365 * 24 * 60;
const FIRST_NONCE = 1_000_000n; // those of the opening are below
const GWEI = 1e-9; // [ETH]

/** How far a run is. */
export interface Progress {
  readonly minute: number;
  readonly minutes: number;
  /** accounts below MM */
  readonly below: number;
  readonly blocks: number;
}

export interface RunOptions {
  /** What tells it from runs beside it; made of policy and latency if left out. */
  readonly name?: string;
  readonly onMinute?: (progress: Progress) => void;
  /** File that keeps where the run is; it goes on from there. */
  readonly state?: string;
  /** Stops it at the end of a minute. */
  readonly signal?: AbortSignal;
}

/** All that a run remembers besides its chain. */
interface LabState {
  nonce: bigint;
  waiting: Sent[];
  readonly oracle: OracleState;
  readonly impact: ImpactState;
  readonly takers: readonly TakerState[];
  readonly owners: OwnersState;
  readonly record: RecordState;
  readonly backTest: BackTestState;
}

/** The time of one block. */
interface Slot {
  readonly minute: number;
  readonly time: number; // [s]
  /** in its minute */
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly isCongested: boolean;
}

/** Transactions of one block, and what to do when their receipts are there. */
interface Work {
  readonly transactions: readonly Transaction[];
  readonly done?: (receipts: readonly Receipt[]) => void;
}

/**
 * Plays a price path through the real contracts on a chain in this process, with a population of accounts, feeds and takers as the
 * scenario says. The same scenario and path give the same result, whether a run was stopped in between or not.
 *
 *     const result = await runScenario(parseScenario({ policy: "half" }), loadCandles(files, FIRST_PRICES));
 *
 * @throws OpeningFailed, ScenarioInvalid, StateForeign, StateBroken, ReplayStopped, InvariantsBroken
 */
export async function runScenario(scenario: Scenario, path: PricePath, options: RunOptions = {}): Promise<RunResult> {
  const journal =
    options.state === undefined ? undefined : new Journal<LabState>(options.state, runHash(scenario, path));
  try {
    const known = journal?.result;
    if (known !== undefined) return { ...known, name: options.name ?? known.name };
    const lab = await Lab.open(scenario, path, journal);
    try {
      const result = await lab.run(options);
      journal?.finish(result);
      return result;
    } finally {
      await lab.close();
    }
  } finally {
    journal?.close();
  }
}

/** Names all that a run follows from. */
function runHash(scenario: Scenario, { source, times, prices }: PricePath): string {
  const path = { source, times: [...times], ETH: prices.ETH.map(String), BTC: prices.BTC.map(String) };
  return keccak256(toUtf8Bytes(`${hashScenario(scenario)} ${canonicalize(path) ?? ""}`));
}

/** What tells a run from others by itself. */
export function nameOf({ policy, takers }: Scenario): string {
  return takers.length === 0 ? `${policy}, no takers` : `${policy}, ${latencyOf(takers)} s`;
}

/** The shortest [s]. */
function latencyOf(takers: Scenario["takers"]): number {
  return takers.length === 0 ? 0 : Math.min(...takers.map(({ latency }) => latency));
}

class Lab {
  readonly #scenario: Scenario;
  readonly #path: PricePath;
  readonly #house: LabHouse;
  readonly #ids: readonly AccountId[];
  readonly #view: View;
  readonly #journal: Journal<LabState> | undefined;
  readonly #state: LabState;
  readonly #oracle: Oracle;
  readonly #impact: Impact;
  readonly #takers: readonly Taker[];
  readonly #owners: Owners;
  readonly #record: Bookkeeper;
  readonly #backTest: BackTest;
  readonly #cost: Readonly<Record<Asset, number>>; // of hedging, as a share
  #next: number; // minute

  private constructor(
    scenario: Scenario,
    path: PricePath,
    house: LabHouse,
    journal: Journal<LabState> | undefined,
    state: LabState,
    next: number,
  ) {
    [this.#scenario, this.#path, this.#house, this.#journal] = [scenario, path, house, journal];
    [this.#state, this.#next] = [state, next];
    this.#ids = house.accounts.map(({ id }) => id);
    this.#view = new View(house, scenario.policy);
    this.#oracle = new Oracle(scenario.oracle, state.oracle);
    this.#impact = new Impact(scenario.impact, depthsOf(scenario), state.impact);
    const cost = (asset: Asset) => scenario.spread + feeOf(scenario, asset);
    this.#cost = { ETH: cost("ETH"), BTC: cost("BTC") };
    const dearest = Math.max(...Object.values(this.#cost));
    this.#takers = scenario.takers.map(
      (terms, i) => new Taker(i, terms, house, dearest, state.takers[i] ?? newTaker()),
    );
    this.#owners = new Owners(house, state.owners);
    this.#record = new Bookkeeper(house, state.record);
    this.#backTest = new BackTest(scenario.seed, state.backTest);
  }

  /** Opens the house, and goes on from a checkpoint if there is one. */
  static async open(scenario: Scenario, prices: PricePath, journal: Journal<LabState> | undefined): Promise<Lab> {
    const path = hold(prices, AFTERMATH);
    const [answers, time] = [firstOf(path), path.times[0] ?? 0];
    const house = await openHouse(scenario, answers, time);
    try {
      const saved = journal?.checkpoint;
      const state = saved?.state ?? newState(scenario, answers, time);
      const lab = new Lab(scenario, path, house, journal, state, saved?.minute ?? 0);
      if (journal !== undefined && saved !== undefined) await lab.#repeat(journal, saved.hash);
      const looked = await lab.#view.look();
      if (saved === undefined) lab.#begin(looked);
      return lab;
    } catch (error) {
      await house.chain.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#house.chain.close();
  }

  /** Plays what is left of the path. */
  async run({ name, onMinute, signal }: RunOptions): Promise<RunResult> {
    const minutes = this.#path.times.length;
    for (; this.#next < minutes;) {
      await this.#minute(this.#next);
      this.#next += 1;
      const { blocks } = this.#state.record.counts;
      onMinute?.({ minute: this.#next, minutes, below: this.#view.below.length, blocks });
      const isStopped = signal?.aborted === true && this.#next < minutes;
      if (isStopped || this.#next % SAVE_EVERY === 0) await this.#save();
      if (isStopped) throw new ReplayStopped(this.#next, minutes);
    }
    return this.#result(name ?? nameOf(this.#scenario));
  }

  async #save(): Promise<void> {
    if (this.#journal === undefined) return;
    this.#journal.save({ minute: this.#next, hash: await this.#house.chain.head(), state: this.#state });
  }

  /** Mines the blocks of a run again, without deciding anything. @throws StateBroken */
  async #repeat(journal: Journal<LabState>, hash: string): Promise<void> {
    const { chain } = this.#house;
    for (const { time, transactions } of journal.blocks()) await chain.mine(time, transactions);
    const head = await chain.head();
    if (head !== hash) throw journal.broken(`its blocks lead to ${head} instead of ${hash}`);
  }

  #begin(looked: Parameters<Owners["note"]>[0]): void {
    const { record } = this.#state;
    record.counts.fundStart = toNumber(this.#view.mirror.insuranceFund.cash);
    record.counts.marginCalls += this.#owners.note(looked, this.#view.time);
  }

  // ---------------------------------------------------------------- a minute

  async #minute(minute: number): Promise<void> {
    const { blockTime } = this.#scenario;
    const [start, slots] = [this.#path.times[minute] ?? 0, MINUTE / blockTime];
    const isCongested = this.#volatility(minute) > this.#scenario.congestion.volatility;
    for (let slot = 0; slot < slots; ++slot) {
      const [isFirst, isLast] = [slot === 0, slot === slots - 1];
      await this.#slot({ minute, time: start + slot * blockTime, isFirst, isLast, isCongested });
    }
    const time = start + MINUTE - blockTime;
    const feed = (asset: Asset) => answerToNumber(this.#oracle.answerOf(asset));
    const price = (asset: Asset) => answerToNumber(this.#price(asset, minute, time));
    const both = (of: (asset: Asset) => number) => ({ ETH: of("ETH"), BTC: of("BTC") });
    this.#record.minute(time, both(price), both(feed), this.#view);
    if (minute >= this.#path.times.length - AFTERMATH) return; // prices that stand still test nothing
    this.#backTest.see(time, this.#view.house, this.#ids, (id) => this.#view.account(id));
  }

  /** Without anything to do there is none, except at the end of a minute. */
  async #slot({ minute, time, isFirst, isLast, isCongested }: Slot): Promise<void> {
    const works = [
      ...this.#hedges(time),
      ...this.#cures(time),
      ...this.#answers(minute, time),
      ...(isFirst ? this.#upkeep(minute) : []),
      ...this.#calls(time, isCongested),
    ];
    if (works.length === 0 && !isLast) return;
    const transactions = works.flatMap((work) => work.transactions);
    const receipts = await this.#house.chain.mine(time, transactions);
    this.#journal?.add({ time, transactions });
    let at = 0;
    for (const { transactions: own, done } of works) done?.(receipts.slice(at, (at += own.length)));
    await this.#look(receipts, isCongested);
  }

  /** Everybody looks at the block. */
  async #look(receipts: readonly Receipt[], isCongested: boolean): Promise<void> {
    const looked = await this.#view.look();
    this.#record.block(receipts, this.#view);
    this.#record.count("marginCalls", this.#owners.note(looked, this.#view.time));
    this.#record.standing(this.#view, (id) => this.#owners.has(id));
    if (this.#view.below.length === 0) return;
    const cost = this.#gasCost(TAKE_GAS, isCongested);
    for (const taker of this.#takers) this.#state.waiting.push(...taker.look(this.#view, cost));
  }

  // ---------------------------------------------------------------- what goes into a block, in this order

  /** Takers hand what they took over to market makers and sell the coins, before anything else moves. */
  #hedges(time: number): Work[] {
    return this.#takers.flatMap(({ party }) => {
      const { positions, collaterals } = this.#view.account(party.id);
      const trades = [...positions].map(([market, { size }]) => this.#hedge(party, market, size, time));
      const sales = [...collaterals].map(([id, balance]) => this.#sale(party, id, balance, time));
      return [...trades, ...sales].filter((work) => work !== undefined);
    });
  }

  #hedge(party: Party, market: number, size: bigint, time: number): Work | undefined {
    const trade = this.#trade(party, market, -size, time);
    if (trade === undefined) return undefined;
    const { transaction, asset, notional } = trade;
    const done = ([receipt]: readonly Receipt[]) => {
      if (receipt?.isDone === true) this.#hedged(asset, -notional, Math.abs(notional) * this.#cost[asset], time);
    };
    return { transactions: [transaction], done };
  }

  /** Buys `size` [wad] (negative: sells) from market makers, as far as it is whole lots: so many USD of `notional`. */
  #trade({ id, owner }: Party, market: number, size: bigint, time: number) {
    const asset = this.#assetOf(market);
    const lots = wholeLots(size, asset);
    if (lots === 0n) return undefined;
    const index = this.#view.priceOf(market);
    const distance = (index * BigInt(Math.round(this.#scenario.spread * 1e6))) / 1_000_000n;
    const price = lots > 0n ? index + distance : index - distance;
    const fill: Fill = { account: id, owner, market, size: lots, price };
    const transaction = this.#house.trade([fill], this.#state.nonce++, time);
    return { transaction, asset, notional: toNumber((lots * index) / WAD) };
  }

  #sale(party: Party, collateral: number, balance: bigint, time: number): Work | undefined {
    const house = this.#view.house;
    const worth = toNumber((balance * saleablePrice(house, collateral)) / WAD);
    if (worth < 1) return undefined;
    const asset = this.#nameOf(house.collaterals.get(collateral)?.underlying ?? -1);
    const cost = worth * this.#scenario.spread;
    const done = ([, sold]: readonly Receipt[]) => {
      if (sold?.isDone === true) this.#hedged(asset, worth, cost, time);
    };
    const cash = BigInt(Math.floor((worth - cost) * 1e6)) * (WAD / 1_000_000n);
    return { transactions: this.#house.sell(party, collateral, balance, cash), done };
  }

  /** `notional` USD of what was liquidated has been sold (negative: bought) at a cost. */
  #hedged(asset: Asset, notional: number, cost: number, time: number): void {
    this.#impact.sell(asset, notional, time);
    this.#record.count("hedging", cost);
    const { counts } = this.#state.record;
    counts.peakImpact = Math.max(counts.peakImpact, -this.#impact.offsetAt(asset, time));
  }

  /** Owners who were called bring cash or reduce. */
  #cures(time: number): Work[] {
    const done = (receipts: readonly Receipt[]) => {
      if (receipts.every(({ isDone }) => isDone)) this.#record.count("reactions");
    };
    const send = (party: Party, cure: Cure): Transaction[] => {
      if (cure.how === "top up") return this.#house.deposit(party, cure.cash);
      const trade = this.#trade(party, cure.market, cure.size, time);
      return trade === undefined ? [] : [trade.transaction];
    };
    return this.#owners.act(this.#view, time).flatMap(({ place, cures }) => {
      const party = this.#house.accounts[place];
      const transactions = party === undefined ? [] : cures.flatMap((cure) => send(party, cure));
      return transactions.length === 0 ? [] : [{ transactions, done }];
    });
  }

  /** Feeds answer. */
  #answers(minute: number, time: number): Work[] {
    return ASSETS.flatMap((asset) => {
      const found = this.#oracle.see(asset, this.#price(asset, minute, time), time);
      return found === undefined ? [] : [{ transactions: [this.#house.answer(asset, found.answer)] }];
    });
  }

  /** Somebody observes prices, settles, accrues and sweeps as the keeper does. */
  #upkeep(minute: number): Work[] {
    const rates = minute % RATES_EVERY === 0 ? [{ transactions: this.#house.refreshRates() }] : [];
    if (minute % UPKEEP_EVERY !== 0) return rates;
    const { book, upkeep } = this.#house;
    const { mirror } = this.#view;
    const jobs = dueUpkeep(mirror, [...mirror.accounts], { book, taker: upkeep.id, policy: DEFAULT_POLICY });
    return [...rates, ...jobs.map(({ call }) => ({ transactions: [this.#house.call(upkeep.owner, call)] }))];
  }

  /**
   * What takers have sent arrives: who pays more comes first, and a congested block has room for some only. Slices wait for the next
   * one, before others of the same price; a flag that finds no room is not worth the wait.
   */
  #calls(time: number, isCongested: boolean): Work[] {
    const room = isCongested ? this.#scenario.congestion.liquidationsPerBlock : Infinity;
    const urgency = ({ kind }: Sent) => (kind === "take" ? 1 : 0);
    const { ready = [], coming = [] } = Object.groupBy(this.#state.waiting, ({ lands }) =>
      lands <= time ? "ready" : "coming",
    );
    ready.sort((a, b) => b.bid - a.bid || urgency(b) - urgency(a));
    const late = ready.slice(room).filter(({ kind }) => kind === "take");
    this.#state.waiting = [...late, ...coming];
    return ready.slice(0, room).map((sent) => {
      const taker = this.#takers[sent.taker];
      const done = ([receipt]: readonly Receipt[]) => {
        taker?.landed(sent);
        this.#record.count("gas", this.#gasCost(receipt?.gasUsed ?? 0, isCongested) * sent.bid);
        if (receipt?.isDone !== true) this.#record.count("outrun");
      };
      return { transactions: [this.#house.call(taker?.party.owner ?? "", sent.call)], done };
    });
  }

  // ---------------------------------------------------------------- prices

  /** In a feed's 8 decimals. */
  #price(asset: Asset, minute: number, time: number): bigint {
    return this.#impact.move(asset, this.#path.prices[asset][minute] ?? 0n, time);
  }

  /** [USD] of gas at the going price. */
  #gasCost(gas: number, isCongested: boolean): number {
    const { gasPrice, congestion } = this.#scenario;
    const eth = answerToNumber(this.#oracle.answerOf("ETH"));
    return gas * gasPrice * (isCongested ? congestion.gasMultiple : 1) * GWEI * eth;
  }

  /** Of ETH over the last hour of the path, per year. */
  #volatility(minute: number): number {
    const from = Math.max(0, minute - VOLATILITY_OVER);
    const closes = this.#path.prices.ETH.slice(from, minute + 1).map(Number);
    if (closes.length < 2) return 0;
    const squares = closes.slice(1).reduce((sum, close, i) => sum + Math.log(close / (closes[i] ?? close)) ** 2, 0);
    return Math.sqrt((squares / (closes.length - 1)) * MINUTES_A_YEAR);
  }

  #assetOf(market: number): Asset {
    return ASSETS.find((asset) => marketOf(this.#house.book, asset) === market) ?? "ETH";
  }

  #nameOf(underlying: number): Asset {
    return ASSETS.find((asset) => this.#house.book.underlyings[underlying]?.name === asset) ?? "ETH";
  }

  // ---------------------------------------------------------------- the end

  /** @throws InvariantsBroken */
  async #result(name: string): Promise<RunResult> {
    const chronicle = await readChronicle(this.#house);
    const books = await readBooks(this.#house, chronicle.accounts);
    const findings = await checkInvariants(this.#house, books, chronicle);
    expectSound(findings);
    const cleared = await this.#clear(); // last of all: it moves the books
    return {
      ...{ name, scenarioHash: hashScenario(this.#scenario), policy: this.#scenario.policy },
      ...{ latency: latencyOf(this.#scenario.takers), seed: this.#scenario.seed },
      ...{ accounts: this.#house.accounts.length, source: this.#path.source },
      totals: this.#record.totals(this.#view, chronicle, this.#backTest.result, cleared),
      series: this.#state.record.series,
    };
  }

  /** Has the market maker take all accounts below zero, whatever that brings, so that the ledger says who pays for them. */
  #clear(): Promise<Receipt[]> {
    const { chain, book, maker } = this.#house;
    const calls = this.#view.below
      .filter(({ assessment }) => (assessment?.equity ?? 0n) < 0n)
      .map(({ id, account }) =>
        hasAssets(account, this.#view.house) ? liquidateCall(book, id, maker.id) : absorbCall(book, id),
      );
    const transactions = calls.map((call) => this.#house.call(maker.owner, call));
    return chain.mine(chain.time + 1, transactions);
  }
}

/**
 * Makes sure that the books add up.
 * @throws InvariantsBroken
 */
export function expectSound(findings: readonly Finding[]): void {
  const broken = findings.filter(({ name, holds }) => !holds && name !== LIVENESS); // slow takers break no books
  if (broken.length !== 0) throw new InvariantsBroken(broken.map(({ name, numbers }) => `${name}: ${numbers}`));
}

function newState(scenario: Scenario, answers: Answers, time: number): LabState {
  return {
    ...{ nonce: FIRST_NONCE, waiting: [], oracle: firstAnswers(answers, time - SETUP), impact: noImpact(time) },
    ...{ takers: scenario.takers.map(newTaker), owners: calmOwners(), record: newRecord(), backTest: newBackTest() },
  };
}
