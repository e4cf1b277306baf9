import { createHash } from "node:crypto";

import { ZeroAddress } from "ethers";
import type { Provider, TransactionReceipt, TransactionResponse } from "ethers";

import { IClearingHouse__factory, PriceOracle__factory, RiskEngine__factory } from "../../types/index.ts";
import type { IClearingHouse } from "../../types/index.ts";
import type { LiquidatedEvent } from "../../types/contracts/interfaces/IClearingHouse.ts";
import { judge } from "../risk/assess.ts";
import { advance, discount } from "../risk/auction.ts";
import type { Auction } from "../risk/auction.ts";
import { RiskError } from "../risk/errors.ts";
import { abs, WAD } from "../risk/fixed.ts";
import { loansOf } from "../risk/lending.ts";
import { planCashCall, planLiquidation } from "../risk/liquidation.ts";
import type { Deal } from "../risk/liquidation.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import { readAccount, readAuction, readHouse } from "../sdk/read.ts";
import type { Readable } from "../sdk/read.ts";
import type { Database } from "./database.ts";

const ROUNDING = 10n; // [wei] of one operation

/** What a liquidation is recomputed from: the account and its house just before it. */
export interface LiquidationInputs {
  readonly account: AccountState;
  /** What the account depends on, at the end of the block before; time and prices of the block itself. */
  readonly house: HouseState;
  /** as stored, `undefined` if it was not flagged */
  readonly auction: Auction | undefined;
  /** [s] plus one: observed time for which its loss had waited, of a cash call */
  readonly cashCallClock: bigint;
  /** [wad] the most that the taker would take */
  readonly maxFraction: bigint;
  readonly acceptClaims: boolean;
}

/** What it did, as the events tell it. Amounts are [wad]. */
export interface LiquidationOutcome extends Assessment {
  readonly fraction: bigint;
  readonly cost: bigint;
  /** cash to the account, negative: from it */
  readonly payment: bigint;
  readonly toFund: bigint;
  readonly toFlagger: bigint;
  /** cost − toFund − toFlagger: what the taker keeps */
  readonly gain: bigint;
  /** what the fund paid the taker besides */
  readonly rescue: bigint;
  /** by market, the size that moved to the taker */
  readonly sizes: ReadonlyMap<number, bigint>;
  /** by collateral asset, the amount that moved to the taker */
  readonly collaterals: ReadonlyMap<number, bigint>;
}

/** One liquidation or cash call, by whomever, with all that is needed to verify it. */
export interface LiquidationReport {
  /** transaction and place in the block */
  readonly id: string;
  readonly chainId: number;
  readonly block: number;
  readonly transaction: string;
  readonly cashCall: boolean;
  readonly account: AccountId;
  readonly taker: AccountId;
  /** who was paid for the flag, the zero address if nobody was */
  readonly flagger: string;
  readonly inputs: LiquidationInputs;
  /** [s] reading of the auction's clock, and d [wad] */
  readonly clock: bigint;
  readonly discount: bigint;
  readonly outcome: LiquidationOutcome;
  readonly gasUsed: bigint;
  /** [wei] */
  readonly gasPrice: bigint;
  /** [wad] USD per unit of what gas is paid in */
  readonly gasAssetPrice: bigint;
  /** [wad] the taker's gain and rescue less gas, negative: a loss */
  readonly profit: bigint;
  /** SHA-256 of all the rest as it is written down */
  readonly digest: string;
}

/** A line that is no report. */
export class MalformedReport extends Error {
  constructor() {
    super("this line is no report of a liquidation: give one that a keeper has written, whole and unchanged");
    this.name = "MalformedReport";
  }
}

// ---------------------------------------------------------------- verification

/**
 * Recomputes a liquidation from its inputs by `src/risk`.
 * @returns the names of the numbers that differ; empty if all are equal
 */
export function verifyReport(report: LiquidationReport): string[] {
  const differing = report.digest === digestOf(report) ? [] : ["digest"];
  if (report.profit !== profitOf(report)) differing.push("profit");
  try {
    const { rescue, ...found } = recompute(report);
    if (report.outcome.rescue < 0n || report.outcome.rescue > rescue) differing.push("rescue"); // caps may have cut it
    const tolerance = toleranceOf(report.inputs);
    const [told, expected] = [numbersOf({ ...report, ...report.outcome }), numbersOf(found)];
    for (const name of new Set([...told.keys(), ...expected.keys()])) {
      if (abs((told.get(name) ?? 0n) - (expected.get(name) ?? 0n)) > tolerance) differing.push(name);
    }
  } catch (error) {
    if (!(error instanceof RiskError)) throw error;
    differing.push(`inputs (${error.name})`);
  }
  return differing;
}

/** What is compared, by name. */
function numbersOf(sale: Omit<Recomputed, "rescue">): Map<string, bigint> {
  const { sizes, collaterals } = sale;
  return new Map([
    ...COMPARED.map((name) => [name, sale[name]] as const),
    ...[...sizes].map(([market, size]) => [`size in market ${market}`, size] as const),
    ...[...collaterals].map(([id, amount]) => [`collateral ${id}`, amount] as const),
  ]);
}

const COMPARED = [
  ...(["equity", "initialMargin", "maintenanceMargin", "clock", "discount"] as const),
  ...(["fraction", "cost", "payment", "toFund", "toFlagger", "gain"] as const),
] as const;

type Recomputed = LiquidationOutcome & Pick<LiquidationReport, "clock" | "discount">;

type Question = Pick<LiquidationReport, "inputs" | "cashCall" | "account" | "taker" | "flagger">;

/** The same liquidation by `src/risk`; its rescue before the fund's caps. @throws RiskError */
function recompute(question: Question): Recomputed {
  const { inputs, cashCall, account: id, taker } = question;
  const { account, house, maxFraction, acceptClaims, cashCallClock } = inputs;
  if (cashCall) {
    const plan = planCashCall(account, house, { cashCallClock, maxFraction, acceptClaims });
    return { ...outcomeOf(plan, plan.assessment, 0n), clock: 0n, discount: 0n };
  }
  const auction = auctionAt(question, assessmentOf(question));
  const request = { auction, owner: ownerOf(id), taker: ownerOf(taker), maxFraction, acceptClaims };
  const plan = planLiquidation(account, house, request);
  return { ...outcomeOf(plan, plan.assessment, plan.rescue), clock: auction.clock, discount: plan.discount };
}

function outcomeOf(deal: Deal, assessment: Assessment, rescue: bigint): LiquidationOutcome {
  const { fraction, cost, payment, toFund, toFlagger, gain } = deal;
  const sizes = new Map(deal.legs.map(({ market, size }) => [market, size]));
  const collaterals = new Map(deal.collaterals.map(({ id, amount }) => [id, amount]));
  return { ...assessment, fraction, cost, payment, toFund, toFlagger, gain, rescue, sizes, collaterals };
}

/** E, IM and MM as the call finds them. */
function assessmentOf({ inputs, cashCall }: Pick<Question, "inputs" | "cashCall">): Assessment {
  const { account, house } = inputs;
  return judge(snapshotOf(account, house, cashCall ? "cautious" : "kindest"), house.risk);
}

/** The auction as the call finds it; a first flag is the taker's, unless somebody else was paid for it. */
function auctionAt({ inputs, taker, flagger }: Question, assessment: Assessment): Auction {
  const first = flagger === ZeroAddress ? ownerOf(taker) : flagger;
  return advance(inputs.auction, assessment, first, inputs.house.time);
}

/** Interest up to the block before is rounded once more than by the ledger, by two parts in 1e18 of what is lent or owed. */
function toleranceOf({ account, house }: LiquidationInputs): bigint {
  const { lent, debt } = loansOf(account, house.lending, house.time);
  return lent + debt === 0n ? 0n : ROUNDING + (2n * (lent + debt)) / WAD;
}

function profitOf({ outcome, gasUsed, gasPrice, gasAssetPrice }: Omit<LiquidationReport, "digest">): bigint {
  return outcome.gain + outcome.rescue - (gasUsed * gasPrice * gasAssetPrice) / WAD;
}

// ---------------------------------------------------------------- as a line

/** One line of JSON: bigints as "12n", maps as lists of entries. */
export function encodeReport(report: object): string {
  return JSON.stringify(report, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return value instanceof Map ? { entries: [...(value as Map<unknown, unknown>)] } : value;
  });
}

/** @throws MalformedReport */
export function decodeReport(line: string): LiquidationReport {
  let report: unknown;
  try {
    report = JSON.parse(line, (_, value: unknown) => {
      if (typeof value === "string" && /^-?\d+n$/.test(value)) return BigInt(value.slice(0, -1));
      const isMap = typeof value === "object" && value !== null && Object.hasOwn(value, "entries");
      return isMap ? new Map((value as { entries: [unknown, unknown][] }).entries) : value;
    });
  } catch {
    throw new MalformedReport();
  }
  if (typeof report !== "object" || report === null || !("digest" in report)) throw new MalformedReport();
  return report as LiquidationReport;
}

function digestOf(report: Omit<LiquidationReport, "digest">): string {
  return createHash("sha256")
    .update(encodeReport({ ...report, digest: undefined }))
    .digest("hex");
}

// ---------------------------------------------------------------- from the chain

export interface LiquidationReportsOptions {
  readonly provider: Provider;
  readonly addressBook: AddressBook;
  readonly database: Database;
  /** Symbol of the underlying that gas is paid in. */
  readonly gasUnderlying: string;
}

/** A log as a node tells it. */
export interface RawLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly transactionHash: string;
  readonly blockNumber: number;
  readonly index: number;
}

/** The event, with the chain's transaction around it. */
interface Sale {
  readonly event: LiquidatedEvent.OutputObject;
  readonly log: RawLog;
  readonly transaction: TransactionResponse;
  readonly receipt: TransactionReceipt;
}

/**
 * Reports of all liquidations, one line each, kept in the database.
 *
 *     const reports = await LiquidationReports.open({ provider, addressBook, database, gasUnderlying: "ETH" });
 *     await reports.record(log); // of every `Liquidated`, by whomever; beside the keeper's loop
 *     for await (const report of reports.all()) console.log(report.id, verifyReport(report));
 */
export class LiquidationReports {
  readonly #options: LiquidationReportsOptions;
  readonly #contracts: Readable & { readonly clearingHouse: IClearingHouse };

  private constructor(options: LiquidationReportsOptions) {
    const { provider, addressBook } = options;
    const { clearingHouse, riskEngine, priceOracle } = addressBook.contracts;
    this.#options = options;
    this.#contracts = {
      clearingHouse: IClearingHouse__factory.connect(clearingHouse, provider),
      riskEngine: RiskEngine__factory.connect(riskEngine, provider),
      priceOracle: PriceOracle__factory.connect(priceOracle, provider),
    };
  }

  static async open(options: LiquidationReportsOptions): Promise<LiquidationReports> {
    await options.database.run(
      "CREATE TABLE IF NOT EXISTS liquidations (id TEXT PRIMARY KEY, block BIGINT NOT NULL, report TEXT NOT NULL)",
    );
    return new LiquidationReports(options);
  }

  /**
   * Writes the report of a `Liquidated` event down, once. The node must still know the state of the block before.
   * @throws NodeIncomplete
   */
  async record(log: RawLog): Promise<LiquidationReport> {
    const report = await this.#reportOf(await this.#saleOf(log));
    const insert = "INSERT INTO liquidations (id, block, report) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING";
    await this.#options.database.run(insert, report.id, report.block, encodeReport(report));
    return report;
  }

  /** Forgets what a reorganisation has taken back: reports of `block` and later ones. */
  async forget(block: number): Promise<void> {
    await this.#options.database.run("DELETE FROM liquidations WHERE block >= ?", block);
  }

  /** All reports in the order of their blocks. */
  async *all(): AsyncIterable<LiquidationReport> {
    for await (const { report } of this.#options.database.each("SELECT report FROM liquidations ORDER BY block, id")) {
      yield decodeReport(String(report));
    }
  }

  async #saleOf(log: RawLog): Promise<Sale> {
    const { provider } = this.#options;
    const event = this.#contracts.clearingHouse.interface.parseLog(log);
    const [transaction, receipt] = await Promise.all([
      provider.getTransaction(log.transactionHash),
      provider.getTransactionReceipt(log.transactionHash),
    ]);
    if (event?.name !== "Liquidated" || transaction === null || receipt === null) {
      throw new NodeIncomplete(`liquidation in transaction ${log.transactionHash}`);
    }
    return { event: event.args.toObject() as LiquidatedEvent.OutputObject, log, transaction, receipt };
  }

  async #reportOf(sale: Sale): Promise<LiquidationReport> {
    const { addressBook: book, gasUnderlying } = this.#options;
    const { event, log, receipt } = sale;
    const { account, taker, flagger, cashCall } = event;
    const { inputs, prices } = await this.#inputsOf(sale);
    const question = { inputs, cashCall, account, taker, flagger };
    const assessment = { ...assessmentOf(question), equity: event.equity, maintenanceMargin: event.maintenanceMargin };
    const clock = cashCall ? 0n : auctionAt(question, assessment).clock;
    const gasAsset = book.underlyings.find(({ name }) => name === gasUnderlying);
    const gasAssetPrice = gasAsset === undefined ? 0n : (prices.get(gasAsset.id)?.price ?? 0n);
    const report = {
      ...{ id: `${log.transactionHash}:${log.index}`, chainId: book.chainId, block: log.blockNumber },
      ...{ transaction: log.transactionHash, ...question, clock },
      discount: cashCall ? 0n : discount(clock),
      outcome: this.#outcomeOf(sale, assessment.initialMargin),
      ...{ gasUsed: receipt.gasUsed, gasPrice: receipt.gasPrice, gasAssetPrice },
    };
    const whole = { ...report, profit: profitOf({ ...report, profit: 0n }) };
    return { ...whole, digest: digestOf(whole) };
  }

  /** The account and its house before the block, at the time and the prices of the block. */
  async #inputsOf({
    event,
    log,
    transaction,
  }: Sale): Promise<{ inputs: LiquidationInputs; prices: HouseState["prices"] }> {
    const { provider, addressBook: book } = this.#options;
    const { account: id } = event;
    const [number, before] = [log.blockNumber, log.blockNumber - 1];
    const block = await provider.getBlock(number);
    if (block === null) throw new NodeIncomplete(`block ${number}`);
    const { timestamp } = block;
    const [account, auction, stored, earlier, now] = await Promise.all([
      readAccount(this.#contracts, id, before),
      readAuction(this.#contracts, id, before),
      this.#contracts.clearingHouse.auction(id, { blockTag: before }),
      readHouse(this.#contracts, book, { number: before, timestamp }),
      readHouse(this.#contracts, book, { number, timestamp }),
    ]);
    const { maxFraction, acceptClaims } = this.#termsOf(transaction, event.fraction);
    const { prices, collaterals } = now;
    const house = relevant(account, { ...earlier, prices, collaterals });
    const { cashCallClock } = stored;
    return { inputs: { account, house, auction, cashCallClock, maxFraction, acceptClaims }, prices };
  }

  /** What the taker asked for; of a call that is not made directly, what he got. */
  #termsOf({ data }: TransactionResponse, fraction: bigint): { maxFraction: bigint; acceptClaims: boolean } {
    const call = this.#contracts.clearingHouse.interface.parseTransaction({ data });
    if (call?.name !== "liquidate" && call?.name !== "cashCall") return { maxFraction: fraction, acceptClaims: true };
    const { maxFraction, acceptClaims } = call.args.terms as { maxFraction: bigint; acceptClaims: boolean };
    return { maxFraction, acceptClaims };
  }

  #outcomeOf({ event, log, receipt }: Sale, initialMargin: bigint): LiquidationOutcome {
    const { equity, maintenanceMargin, fraction, cost, payment, toFund, toFlagger, account } = event;
    const sizes = new Map<number, bigint>();
    const collaterals = new Map<number, bigint>();
    let rescue = 0n;
    for (const other of receipt.logs.filter(({ address }) => address === log.address)) {
      const parsed = this.#contracts.clearingHouse.interface.parseLog(other);
      if (parsed === null || parsed.args.account !== account) continue;
      const args = parsed.args.toObject() as Record<string, bigint>;
      if (parsed.name === "PositionTaken") add(sizes, args.market, args.size);
      if (parsed.name === "CollateralTaken") add(collaterals, args.collateral, args.amount);
      if (parsed.name === "RescuePaid") rescue += args.amount ?? 0n;
    }
    const gain = cost - toFund - toFlagger;
    const amounts = { fraction, cost, payment, toFund, toFlagger, gain, rescue };
    return { equity, initialMargin, maintenanceMargin, ...amounts, sizes, collaterals };
  }
}

/** What of a house an account depends on. */
function relevant(account: AccountState, { time, lending, ...house }: HouseState): HouseState {
  const of = <T>(all: ReadonlyMap<number, T>, held: ReadonlySet<number>) =>
    new Map([...all].filter(([id]) => held.has(id)));
  const markets = of(house.markets, new Set(account.positions.keys()));
  const collaterals = of(house.collaterals, new Set(account.collaterals.keys()));
  const held = new Set([...markets.values(), ...collaterals.values()].map(({ underlying }) => underlying));
  const risk = {
    underlyings: of(house.risk.underlyings, held),
    collaterals: of(house.risk.collaterals, new Set(collaterals.keys())),
  };
  return {
    time,
    lending,
    risk,
    markets,
    collaterals,
    prices: of(house.prices, held),
    lastGood: of(house.lastGood, held),
  };
}

function add(amounts: Map<number, bigint>, id: bigint | undefined, amount: bigint | undefined): void {
  if (id !== undefined && amount !== undefined && amount !== 0n) amounts.set(Number(id), amount);
}
