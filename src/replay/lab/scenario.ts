import { readFileSync } from "node:fs";

import canonicalize from "canonicalize";
import { keccak256, toUtf8Bytes } from "ethers";
import { z } from "zod";

import { MINUTE } from "../path.ts";
import { ScenarioInvalid } from "./errors.ts";

/** How an account below MM is sold: in the smallest slices that land at IM, as a whole, or half of it at a time. */
export const POLICIES = ["slices", "whole account", "half"] as const;
export type Policy = (typeof POLICIES)[number];

const MOST_ACCOUNTS = 20_000;
const SIMPLE_PART = z.number().min(0, "give a share from 0 to 1").max(1, "give a share from 0 to 1");

const share = (byDefault: number) => SIMPLE_PART.default(byDefault);
const usd = (byDefault: number) => z.number().min(0, "give USD, zero or more").max(1e12).default(byDefault);
const seconds = (byDefault: number) => z.int("give whole seconds").min(0, "give whole seconds").default(byDefault);
const positive = (byDefault: number) => z.number().positive("give a number above zero").default(byDefault);
const signed = z.number().min(-1e9).max(1e9).default(0);

/** [USD] of collateral, at the first prices. */
const collateral = z.strictObject({ WETH: usd(0), WBTC: usd(0), wstETH: usd(0) });

const reaction = z.strictObject({
  /** what a margin call moves the owner to */
  how: z.enum(["top up", "reduce", "nothing"]).default("nothing"),
  /** [s] from the call until he acts */
  delay: seconds(900),
});

/** An account as it begins. Amounts are USD at the first prices. */
const trader = z.strictObject({
  cash: usd(0),
  lent: usd(0),
  borrowed: usd(0),
  collateral: collateral.prefault({}),
  /** negative: short */
  position: z.strictObject({ ETH: signed, BTC: signed }).prefault({}),
  reaction: reaction.prefault({}),
});

const population = z.array(trader, "list accounts").min(1, "list an account at least").max(MOST_ACCOUNTS);

const range = (min: number, max: number) =>
  z
    .strictObject({ min: positive(min), max: positive(max) })
    .refine((r) => r.min <= r.max, "min must not be above max")
    .prefault({});

const distributions = z.strictObject({
  /** share of positions that are long */
  long: share(0.6),
  /** share of positions in ETH, the others are in BTC */
  eth: share(0.5),
  /** notional over equity: min + (max − min) · u^shape of a uniform u; more where IM leaves no choice */
  leverage: z
    .strictObject({ min: positive(1.5), max: positive(18), shape: positive(2) })
    .refine((r) => r.min <= r.max, "min must not be above max")
    .prefault({}),
  /** [USD] notional, a Pareto distribution with exponent `alpha`, cut off at `max` */
  size: z
    .strictObject({ min: positive(5_000), max: positive(2_000_000), alpha: positive(1.2) })
    .refine((r) => r.min <= r.max, "min must not be above max")
    .prefault({}),
  /** how often which margin is posted, relative to each other */
  margin: z.strictObject({ cash: usd(70), WETH: usd(15), WBTC: usd(10), wstETH: usd(5) }).prefault({}),
  /** share of accounts that hold a coin against a short position of the same worth, half of it borrowed against */
  hedged: share(0.1),
  /** share that only lends cash, and share that only borrows it against collateral */
  lenders: share(0.03),
  borrowers: share(0.05),
  /** borrowed over lent at the beginning */
  utilisation: SIMPLE_PART.max(0.95, "give a share up to 0.95").default(0.5),
  /** debt over collateral of borrowers */
  loanToValue: range(0.3, 0.8),
  /** share of owners that a margin call moves, how many of these bring cash (the others reduce), and after how long [s] */
  reaction: z.strictObject({ share: share(0.3), topUp: share(0.5), delay: range(300, 3600) }).prefault({}),
});

const taker = z.strictObject({
  /** [USD] cash of its account */
  capital: usd(5_000_000),
  /** [s] from what it sees to what of it lands in a block */
  latency: seconds(60),
  /** of the going gas price: who pays more comes first in a block */
  bid: positive(1),
  /** [USD] after gas and hedging, below which it takes nothing */
  leastProfit: usd(1),
});

/** Overrides of parameters in deploy/networks/local.ts, under their names and in their notation, such as { "shock": "4%" }. */
const overrides = z.record(z.string(), z.record(z.string(), z.json()));

const common = z.strictObject({
  seed: z.int().min(0).max(0xffffffff).default(1),
  accounts: z.int().min(1).max(MOST_ACCOUNTS).default(2000),
  takers: z
    .array(taker)
    .max(50)
    .prefault([{}, { capital: 2_000_000 }, { capital: 1_000_000 }]),
  /** [s] */
  blockTime: z
    .int()
    .min(1)
    .max(MINUTE)
    .refine((s) => MINUTE % s === 0, "give a divisor of 60")
    .default(12),
  /** [gwei] the going price of gas */
  gasPrice: z.number().min(0).default(2),
  /** While the last hour's volatility (per year) is above `volatility`, gas costs a multiple, and blocks have less room. */
  congestion: z
    .strictObject({
      volatility: positive(3),
      gasMultiple: positive(5),
      liquidationsPerBlock: z.int().min(1).default(50),
    })
    .prefault({}),
  /** When a feed answers: at a deviation from its last answer, or after a heartbeat [s]; an answer lands after a delay [s]. */
  oracle: z
    .strictObject({ deviation: SIMPLE_PART.gt(0).default(0.005), heartbeat: seconds(3600), delay: seconds(12) })
    .prefault({}),
  /** By what part of (liquidated notional over the depth of the market) its sale moves the price, and how soon half of that is gone [s]. */
  impact: z.strictObject({ fraction: z.number().min(0).max(1000).default(0), halfLife: seconds(1800) }).prefault({}),
  /** What hedging costs a taker: the distance of market makers' prices from the index, beside the fee of the market. */
  spread: SIMPLE_PART.max(0.003, "give a share up to 0.003: fills further from the index are refused").default(0.0005),
  policy: z.enum(POLICIES).default("slices"),
  parameters: z
    .strictObject({
      underlyings: overrides.prefault({}),
      markets: overrides.prefault({}),
      collaterals: overrides.prefault({}),
    })
    .prefault({}),
  /** [USD] in the insurance fund when it begins */
  fund: usd(500_000),
});

/** Every account by itself … */
const listed = common.extend({ population });
/** … or distributions that they are drawn from. */
const drawn = common.extend({ population: distributions.prefault({}) });

/** Everything that a run follows from besides the path. */
export type Scenario = z.output<typeof listed> | z.output<typeof drawn>;
export type Trader = z.output<typeof trader>;
export type Distributions = z.output<typeof distributions>;
export type TakerTerms = z.output<typeof taker>;
export type Reaction = z.output<typeof reaction>;

/**
 * Completes a scenario.
 * @param source what to call it in an error
 * @throws ScenarioInvalid
 */
export function parseScenario(given: unknown, source = "the scenario"): Scenario {
  const result = (isListed(given) ? listed : drawn).safeParse(given);
  if (!result.success) throw new ScenarioInvalid(source, result.error.issues.map(describe));
  const { population } = result.data;
  return Array.isArray(population) ? { ...result.data, accounts: population.length } : result.data;
}

/**
 * What a scenario file says, not yet completed, so that options of a command line can be put over it.
 * @throws ScenarioInvalid
 */
export function readScenario(file: string): Record<string, unknown> {
  const given = z.record(z.string(), z.unknown()).safeParse(readJson(file));
  if (!given.success) throw new ScenarioInvalid(file, ["it must hold one JSON object, {} at least"]);
  return given.data;
}

/**
 * The accounts that a file lists one by one.
 * @throws ScenarioInvalid
 */
export function readPopulation(file: string): Trader[] {
  const given = population.safeParse(readJson(file));
  if (!given.success) throw new ScenarioInvalid(file, given.error.issues.map(describe));
  return given.data;
}

/** @throws ScenarioInvalid */
function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ScenarioInvalid(file, [error instanceof Error ? error.message : String(error)]);
  }
}

/** keccak256 of a scenario as canonical JSON (RFC 8785). */
export function hashScenario(complete: Scenario): string {
  return keccak256(toUtf8Bytes(canonicalize(complete) ?? ""));
}

function isListed(given: unknown): boolean {
  return typeof given === "object" && given !== null && "population" in given && Array.isArray(given.population);
}

function describe(issue: z.core.$ZodIssue): string {
  const field = issue.path.length === 0 ? "it" : issue.path.map(String).join(".");
  return `${field}: ${issue.message}`;
}
