import { createHash } from "node:crypto";

import { ZeroAddress } from "ethers";

import { judge } from "../risk/assess.ts";
import { advance } from "../risk/auction.ts";
import type { Auction } from "../risk/auction.ts";
import { RiskError } from "../risk/errors.ts";
import { abs, WAD } from "../risk/fixed.ts";
import { loansOf } from "../risk/lending.ts";
import { planCashCall, planLiquidation } from "../risk/liquidation.ts";
import type { Deal } from "../risk/liquidation.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { hexOf, ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { nameOf } from "../sdk/explain.ts";
import { formatWad } from "../sdk/units.ts";

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

/** How a report is asked for: by its transaction, or by its id. */
export const REPORT_NAME = /^0x[0-9a-f]{64}(?::\d{1,9})?$/i;

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
export function assessmentOf({ inputs, cashCall }: Pick<Question, "inputs" | "cashCall">): Assessment {
  const { account, house } = inputs;
  return judge(snapshotOf(account, house, cashCall ? "cautious" : "kindest"), house.risk);
}

/** The auction as the call finds it; a first flag is the taker's, unless somebody else was paid for it. */
export function auctionAt({ inputs, taker, flagger }: Question, assessment: Assessment): Auction {
  const first = flagger === ZeroAddress ? ownerOf(taker) : flagger;
  return advance(inputs.auction, assessment, first, inputs.house.time);
}

/** Interest up to the block before is rounded once more than by the ledger, by two parts in 1e18 of what is lent or owed. */
function toleranceOf({ account, house }: LiquidationInputs): bigint {
  const { lent, debt } = loansOf(account, house.lending, house.time);
  return lent + debt === 0n ? 0n : ROUNDING + (2n * (lent + debt)) / WAD;
}

/** [wad] What the taker keeps after gas. */
export function profitOf({ outcome, gasUsed, gasPrice, gasAssetPrice }: Omit<LiquidationReport, "digest">): bigint {
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

/** SHA-256 of a report without its digest. */
export function digestOf(report: Omit<LiquidationReport, "digest">): string {
  return createHash("sha256")
    .update(encodeReport({ ...report, digest: undefined }))
    .digest("hex");
}

// ---------------------------------------------------------------- in human units

/** A report as an owner or an operator reads it, its inputs left out. */
export function reportJson(report: LiquidationReport, book: AddressBook): object {
  const { id, block, transaction, cashCall, account, taker, flagger, inputs, outcome, profit } = report;
  const { sizes, collaterals, ...amounts } = outcome;
  const assets = book.collaterals.map((asset) => ({ id: asset.id, name: asset.symbol }));
  const prices = [...inputs.house.prices].map(([underlying, { price }]): [number, bigint] => [underlying, price]);
  return {
    ...{ id, kind: cashCall ? "cash call" : "liquidation", block, time: Number(inputs.house.time), transaction },
    ...{ account: hexOf(account), owner: ownerOf(account), taker: hexOf(taker) },
    ...{ flagger: flagger === ZeroAddress ? null : flagger, clock: Number(report.clock) },
    ...{ discount: formatWad(report.discount), ...named(Object.entries(amounts)), profit: formatWad(profit) },
    prices: named(prices, book.underlyings),
    sizes: named(sizes, book.markets),
    collaterals: named(collaterals, assets),
    ...{ gasUsed: Number(report.gasUsed), gasPrice: report.gasPrice.toString(), digest: report.digest },
  };
}

/** Amounts as decimal texts by name. */
function named(
  amounts: Iterable<readonly [number | string, bigint]>,
  list: readonly { readonly id: number; readonly name: string }[] = [],
): Record<string, string> {
  const nameIt = (key: number | string) => (typeof key === "string" ? key : nameOf(list, key));
  return Object.fromEntries([...amounts].map(([key, amount]) => [nameIt(key), formatWad(amount)]));
}
