import { PPM } from "../risk/fixed.ts";
import { signerOf } from "./price.ts";
import type { SignedPrice } from "./price.ts";

/** Who gives prices: where, and by whose signature they are known. */
export interface Source {
  /** for logs and metrics */
  readonly name: string;
  readonly url: string;
  /** address that signs */
  readonly signer: string;
}

/** Which prices are believed, and when they are pushed. Shares are [ppm]. */
export interface FeedPolicy {
  /** such as "ETH/USD" */
  readonly pair: string;
  /** of the feed's answers and of every source's prices */
  readonly decimals: number;
  /** Least prices that must be left for an answer. */
  readonly quorum: number;
  /** [s] Age above which a price is stale. */
  readonly maxAge: bigint;
  /** [s] How far a source's clock may be ahead. */
  readonly maxLead: bigint;
  /** Largest distance of a price from the median of the others. */
  readonly maxDeviation: bigint;
  /** Largest distance of a price from the last answer, unless `jumpQuorum` prices have moved so far together. */
  readonly maxJump: bigint;
  readonly jumpQuorum: number;
  /** Distance from the last answer above which there is a new one. */
  readonly threshold: bigint;
  /** [s] Age of the last answer from which on there is a new one. */
  readonly heartbeat: bigint;
}

/** Why a source's price is not believed. */
export type Refusal =
  "silent" | "wrongPair" | "wrongDecimals" | "wrongSigner" | "notPositive" | "stale" | "future" | "outlier" | "jump";

/** What a source has answered: a price, or nothing that can be read. */
export interface Answer {
  readonly source: Source;
  readonly price: SignedPrice | undefined;
}

/** An answer of the feed. */
export interface LastAnswer {
  readonly answer: bigint;
  /** [s] */
  readonly time: bigint;
}

/** What is left of the sources' prices. */
export interface Judgement {
  /** by the sources' names; `undefined`: believed */
  readonly refusals: ReadonlyMap<string, Refusal | undefined>;
  /** of the prices believed; `undefined` if they are fewer than the quorum */
  readonly median: bigint | undefined;
}

interface Believed {
  readonly name: string;
  readonly price: bigint;
}

/**
 * Judges the prices of all sources.
 * @param last answer of the feed; `undefined` before the first
 * @param now [s]
 */
export function judge(
  answers: readonly Answer[],
  policy: FeedPolicy,
  last: bigint | undefined,
  now: bigint,
): Judgement {
  const refusals = new Map<string, Refusal | undefined>();
  let believed: Believed[] = [];
  for (const { source, price } of answers) {
    const refusal = refusalOf(source, price, policy, now);
    refusals.set(source.name, refusal);
    if (refusal === undefined && price !== undefined) believed.push({ name: source.name, price: price.price });
  }
  const refuse = (found: readonly Believed[], why: Refusal) => {
    for (const { name } of found) refusals.set(name, why);
    believed = believed.filter((one) => !found.includes(one));
  };
  for (;;) {
    const worst = outliers(believed, policy.maxDeviation);
    if (worst.length === 0) break;
    refuse(worst, "outlier");
  }
  const jumped = last === undefined ? [] : believed.filter(({ price }) => distance(price, last) > policy.maxJump);
  if (jumped.length < policy.jumpQuorum) refuse(jumped, "jump");
  return { refusals, median: believed.length < policy.quorum ? undefined : median(believed.map(({ price }) => price)) };
}

/** Whether the feed needs a new answer. @param now [s] */
export function isDue(median: bigint, last: LastAnswer | undefined, policy: FeedPolicy, now: bigint): boolean {
  if (last === undefined || now - last.time >= policy.heartbeat) return true;
  return distance(median, last.answer) > policy.threshold;
}

/** What is wrong with a price by itself. */
function refusalOf(
  { signer }: Source,
  price: SignedPrice | undefined,
  policy: FeedPolicy,
  now: bigint,
): Refusal | undefined {
  if (price === undefined) return "silent";
  if (price.pair !== policy.pair) return "wrongPair";
  if (signerOf(price) !== signer) return "wrongSigner";
  if (price.decimals !== policy.decimals) return "wrongDecimals";
  if (price.price <= 0n) return "notPositive";
  if (now - price.time > policy.maxAge) return "stale";
  return price.time - now > policy.maxLead ? "future" : undefined;
}

/** Those furthest from the median of the others, if that is too far. One at a time, since what lies also moves that median. */
function outliers(believed: readonly Believed[], maxDeviation: bigint): Believed[] {
  if (believed.length < 2) return [];
  const far = believed.map((one) => {
    const others = believed.filter((other) => other !== one).map(({ price }) => price);
    return distance(one.price, median(others));
  });
  const worst = far.reduce((a, b) => (a > b ? a : b));
  return worst > maxDeviation ? believed.filter((_, i) => far[i] === worst) : [];
}

/** [ppm of the smaller one, rounded up] The same both ways. */
function distance(a: bigint, b: bigint): bigint {
  const [low, high] = a < b ? [a, b] : [b, a];
  return ((high - low) * PPM + low - 1n) / low;
}

/** The middle one, or the mean of the two in the middle, rounded down. */
function median(prices: readonly bigint[]): bigint {
  const sorted = prices.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const [low, high] = [sorted[(sorted.length - 1) >> 1] ?? 0n, sorted[sorted.length >> 1] ?? 0n];
  return (low + high) / 2n;
}
