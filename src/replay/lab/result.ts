import type { Asset } from "../path.ts";

/**
 * What one run of the lab has shown. It follows from scenario, path and seed alone: the same run gives the same bytes. Amounts are
 * USD, rounded to cents; times are seconds.
 */
export interface RunResult {
  /** What tells it from others beside it, such as "slices, 2 min". */
  readonly name: string;
  /** Of the scenario in canonical JSON, keccak256: with path and seed all that a run follows from. */
  readonly scenarioHash: string;
  /** The liquidation policy: a name of `POLICIES`. */
  readonly policy: string;
  readonly latency: number; // [s] from the block that a taker sees to the first one that has what it sends
  readonly seed: number;
  readonly accounts: number; // that trade, takers and market makers not counted
  readonly source: string; // of the prices
  readonly totals: Totals;
  readonly series: Series;
}

/** What it came to in the end. */
export interface Totals {
  readonly blocks: number;
  readonly transactions: number;
  /** Accounts that were liquidated at least once, and how often in all; a sale goes on until the account is above MM again. */
  readonly liquidatedAccounts: number;
  readonly liquidations: number;
  readonly slices: number;
  readonly liquidatedNotional: number;
  /** What would have been enough: of each liquidation the smallest part that brings the account back to IM, when MM was breached. */
  readonly minimumNotional: number;
  readonly penalties: number;
  readonly penaltiesToFund: number;
  readonly fundStart: number;
  readonly fundEnd: number;
  /** What bankrupt accounts could not pay, and what those are below zero that nobody has taken by the end … */
  readonly deficits: number;
  readonly fromFund: number; // later repayments of bad debt included
  readonly rescues: number; // paid by the fund to takers of accounts that are worth nothing, besides
  readonly socialised: number; // charged to the other side of the market
  readonly fromLenders: number;
  readonly badDebt: number; // that nobody has paid at the end
  readonly openDeficits: number; // of accounts below zero that nobody has taken by the end, such as are not worth the gas
  readonly openBeyondFund: number; // what of these others than the fund would pay if somebody took them now
  /** From the block in which an account sank below MM to its first slice. */
  readonly breachToSlice: Quantiles;
  /** From the block in which an account sank below MM to the one in which it was above it again. */
  readonly breachToCure: Quantiles;
  /** Owners whose accounts sank below IM, each at most once an hour. */
  readonly marginCalls: number;
  /** How often a called owner brought in cash or reduced. */
  readonly reactions: number;
  readonly marginTest: MarginTest;
  readonly peakUtilisation: number; // of the lending pool, 0 to 1
  /** What takers made: their share of penalties and what the fund paid them, less what hedging cost and their gas, that of hedges left aside. */
  readonly takersProfit: number;
  readonly takersGas: number; // of flags, slices and write-offs, those that came too late included
  /** Transactions of takers that came too late. */
  readonly outrun: number;
  /** Largest fall of a price that liquidated volume has caused, 0 to 1. */
  readonly peakImpact: number;
}

export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * What accounts that had MM lost within the horizon, and whether that was more than MM more often than the confidence allows: Kupiec's
 * test of the proportion of failures.
 */
export interface MarginTest {
  readonly horizon: number; // [s]
  readonly confidence: number; // 0 to 1
  readonly windows: number;
  readonly breaches: number;
  readonly ratio: number;
  readonly pValue: number;
  /** The loss that 99 % of windows do not exceed, and the mean of those that reach it, as shares of MM. */
  readonly valueAtRisk: number;
  readonly expectedShortfall: number;
}

/** How it went, at the end of each minute; all of the same length. */
export interface Series {
  readonly time: readonly number[]; // [s]
  /** The path, moved by what liquidations have pushed it. */
  readonly price: Readonly<Record<Asset, readonly number[]>>;
  /** What the feed says. */
  readonly feed: Readonly<Record<Asset, readonly number[]>>;
  readonly belowMaintenance: readonly number[]; // accounts
  readonly belowInitial: readonly number[]; // accounts, those below MM included
  readonly liquidatedNotional: readonly number[]; // so far
  readonly penalties: readonly number[]; // so far
  readonly fund: readonly number[];
  readonly deficits: readonly number[]; // so far
  readonly openInterest: readonly number[];
  readonly utilisation: readonly number[];
}

/** Several runs over the same path, population and seed. */
export interface Comparison {
  readonly title: string;
  readonly runs: readonly RunResult[];
}
