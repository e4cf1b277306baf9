import { marginRatio, marginState } from "../risk/account.ts";
import { judge } from "../risk/assess.ts";
import { RiskError } from "../risk/errors.ts";
import { lentOf } from "../risk/lending.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState, PriceSnapshot } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import { BoundHeap } from "./boundHeap.ts";
import { callBounds, safeRegion } from "./safeRegion.ts";
import type { SafeRegion } from "./safeRegion.ts";

const RECHECK = 60; // [s] between two looks at an account without any price that was ever good
const RECOVERY = 600; // [s] until it is noticed that time alone has brought an account above IM again
const SWEEP_CHUNK = 64; // accounts between two looks at the clock
const SHARES = 10n ** 30n; // whose worth tells whether suppliers have lost

/** Why an account stands where it does: a row of the health table, or "unpriced" for want of any price that was ever good. */
export type WatchState = MarginState | "unpriced";

/** An account as it was last assessed. */
export interface Watched {
  readonly id: AccountId;
  readonly account: AccountState;
  readonly state: WatchState;
  /** E, IM and MM at the prices of the last look; `undefined` if it is unpriced. */
  readonly assessment: Assessment | undefined;
  /** Something in it counts at a last good price, moved in the owner's favour, for want of a usable one. */
  readonly degraded: boolean;
}

/** An entry of the index: what is outside sees `Watched`. */
interface Entry extends Watched {
  account: AccountState;
  state: WatchState;
  assessment: Assessment | undefined;
  degraded: boolean;
  readonly slot: number;
  version: number; // of its bounds in the heaps
}

/** A way round all accounts that looks at those whom it concerns. */
interface Sweep {
  readonly concerns: (account: AccountState) => boolean;
  readonly next: number; // slot
  readonly left: number;
}

/** What of a house moves many accounts at once without a price or time doing so. */
interface Levels {
  readonly risk: string;
  readonly losses: ReadonlyMap<number, string>; // by market
  readonly initialFactors: ReadonlyMap<number, bigint>; // by underlying
  readonly collaterals: ReadonlyMap<number, string>;
  readonly lentWorth: bigint;
  readonly lendingTerms: string;
}

/**
 * Every account in the order in which prices and time can make it change its row of the health table. Around each one lies a region of
 * prices and time in which it certainly stays where it is, so a new head costs O(log n) and one assessment for each account whose
 * region has been left. What moves many at once (risk parameters, a rise of the volatility regime, a socialised loss, a rate) is
 * swept through beside that.
 */
export class Watch {
  readonly #byId = new AccountMap<Entry>();
  readonly #entries: Entry[] = [];
  readonly #lows = new Map<number, BoundHeap>(); // by underlying, keys negated
  readonly #highs = new Map<number, BoundHeap>();
  readonly #stuck = new Map<number, BoundHeap>(); // looked at while the underlying had no usable price
  readonly #times: BoundHeap;
  readonly #below = new Map<Entry, undefined>(); // those below MM
  readonly #counts: Record<WatchState, number> = {
    healthy: 0,
    marginCall: 0,
    liquidatable: 0,
    bankrupt: 0,
    unpriced: 0,
  };
  #levels: Levels | undefined;
  #sweep: Sweep | undefined;
  #house: HouseState | undefined;

  constructor() {
    this.#times = new BoundHeap(this.#isOutdated);
  }

  /** How many accounts are in each state; those whose sweep is under way as they were before it. */
  get counts(): Readonly<Record<WatchState, number>> {
    return this.#counts;
  }

  /** Whether everything that has moved many accounts at once has been looked at. */
  get isSettled(): boolean {
    return this.#sweep === undefined;
  }

  /** An account as it was last assessed; one that was never seen is empty. */
  get(id: AccountId): Watched {
    return this.#byId.get(id) ?? { id, account: NOBODY, state: "healthy", assessment: undefined, degraded: false };
  }

  /** Those below MM as they were last assessed, the worst ratio first. */
  get liquidatable(): Watched[] {
    return [...this.#below.keys()].sort(byRatio);
  }

  /**
   * Moves on to a new head.
   * @param touched accounts that are new or have changed since the last head, as they are now
   * @returns those that were looked at: whose state may have changed, and all below MM
   */
  advance(house: HouseState, touched: Iterable<readonly [AccountId, AccountState]>): Watched[] {
    const levels = levelsOf(house);
    if (this.#levels !== undefined) this.#begin(this.#levels, levels, house);
    this.#levels = levels;
    this.#house = house;
    const hit = new Set<Entry>(this.#below.keys());
    for (const [id, account] of touched) {
      const entry = this.#open(id);
      entry.account = account;
      hit.add(entry);
    }
    const take = (slot: number) => {
      const entry = this.#entries[slot];
      if (entry !== undefined) hit.add(entry);
    };
    for (const [underlying, { price }] of snapshotsOf(house)) {
      this.#lows.get(underlying)?.popUpTo(-Number(price), take);
      this.#highs.get(underlying)?.popUpTo(Number(price), take);
      if (house.prices.has(underlying)) this.#stuck.get(underlying)?.popUpTo(0, take);
    }
    this.#times.popUpTo(Number(house.time), take);
    for (const entry of hit) this.#assess(entry, house);
    return [...hit];
  }

  /**
   * Goes on with a sweep for about `budget` [ms] at the last head.
   * @returns as `advance`
   */
  work(budget: number): Watched[] {
    const looked: Watched[] = [];
    const end = performance.now() + budget;
    while (this.#sweep !== undefined && this.#house !== undefined) {
      const { concerns, next, left } = this.#sweep;
      const count = Math.min(SWEEP_CHUNK, left, this.#entries.length - next);
      for (const entry of this.#entries.slice(next, next + count)) {
        if (!concerns(entry.account)) continue;
        this.#assess(entry, this.#house);
        looked.push(entry);
      }
      const after = { concerns, next: (next + count) % this.#entries.length, left: left - count };
      this.#sweep = after.left === 0 ? undefined : after;
      if (performance.now() >= end) break;
    }
    return looked;
  }

  #open(id: AccountId): Entry {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const entry: Entry = {
      ...{ id, account: NOBODY, state: "healthy", assessment: undefined, degraded: false },
      ...{ slot: this.#entries.length, version: 0 },
    };
    this.#counts.healthy += 1;
    this.#entries.push(entry);
    this.#byId.set(id, entry);
    return entry;
  }

  /** Looks at an account anew. */
  #assess(entry: Entry, house: HouseState): void {
    this.#counts[entry.state] -= 1;
    const region = this.#judge(entry, house);
    this.#counts[entry.state] += 1;
    entry.version += 1;
    const isBelow = entry.state === "liquidatable" || entry.state === "bankrupt";
    if (isBelow) this.#below.set(entry, undefined);
    else this.#below.delete(entry);
    if (region !== undefined) this.#index(entry, region, house);
  }

  /** Assesses an account and says in which region it stays where it is; `undefined` if always or if it is looked at anyway. */
  #judge(entry: Entry, house: HouseState): SafeRegion | undefined {
    const { account } = entry;
    try {
      const snapshot = snapshotOf(account, house, "kindest");
      const assessment = judge(snapshot, house.risk);
      entry.assessment = assessment;
      entry.degraded = snapshot.degraded;
      entry.state = marginState(assessment);
      if (snapshot.flat && entry.state === "healthy") return undefined;
      const { equity } = assessment;
      if (entry.state === "healthy") return safeRegion(account, snapshot, equity, "initialMargin", house);
      if (entry.state !== "marginCall") return undefined;
      const region = safeRegion(account, snapshot, equity, "maintenanceMargin", house);
      const called = callBounds(snapshot, assessment.initialMargin - equity, house);
      return { bounds: [...region.bounds, ...called], until: Math.min(region.until, Number(house.time) + RECOVERY) };
    } catch (error) {
      if (!(error instanceof RiskError)) throw error;
      entry.assessment = undefined;
      entry.degraded = true;
      entry.state = "unpriced";
      return { bounds: [], until: Number(house.time) + RECHECK };
    }
  }

  #index({ slot, version }: Entry, { bounds, until }: SafeRegion, house: HouseState): void {
    for (const { underlying, low, high } of bounds) {
      if (house.prices.get(underlying) === undefined) this.#heapOf(this.#stuck, underlying).push(0, slot, version);
      if (low > 0) this.#heapOf(this.#lows, underlying).push(-low, slot, version);
      if (high < Infinity) this.#heapOf(this.#highs, underlying).push(high, slot, version);
    }
    this.#times.push(until, slot, version);
  }

  #heapOf(heaps: Map<number, BoundHeap>, underlying: number): BoundHeap {
    const known = heaps.get(underlying);
    if (known !== undefined) return known;
    const heap = new BoundHeap(this.#isOutdated);
    heaps.set(underlying, heap);
    return heap;
  }

  readonly #isOutdated = (slot: number, version: number): boolean => this.#entries[slot]?.version !== version;

  /** Begins a sweep of those whom a change of the house concerns; one that is under way goes on from where it is, once round for both. */
  #begin(old: Levels, now: Levels, house: HouseState): void {
    const concerns = concernsOf(old, now, house);
    if (concerns === undefined || this.#entries.length === 0) return;
    const under = this.#sweep;
    this.#sweep = {
      concerns: under === undefined ? concerns : (account) => under.concerns(account) || concerns(account),
      next: under?.next ?? 0,
      left: this.#entries.length,
    };
  }
}

const NOBODY: AccountState = {
  ...{ cash: 0n, lentShares: 0n, debtShares: 0n, positions: new Map(), collaterals: new Map() },
};

/** Prices and regimes that accounts are assessed at: the last good one of what has no usable price, which then counts in their favour. */
function snapshotsOf({ prices, lastGood }: HouseState): ReadonlyMap<number, PriceSnapshot> {
  return new Map([...lastGood, ...prices]);
}

function levelsOf(house: HouseState): Levels {
  const { markets, collaterals, lending, risk } = house;
  return {
    risk: text([[...risk.underlyings], [...risk.collaterals]]),
    losses: new Map([...markets].map(([id, { longIndex, shortIndex }]) => [id, `${longIndex} ${shortIndex}`])),
    initialFactors: new Map([...snapshotsOf(house)].map(([id, { initialFactor }]) => [id, initialFactor])),
    collaterals: new Map([...collaterals].map(([id, c]) => [id, text([c.rate, c.lastGoodRate, c.delistingEnd])])),
    lentWorth: lentOf(lending, SHARES),
    lendingTerms: text(lending.params),
  };
}

/** Whom the difference between two heads concerns beyond prices and time. */
function concernsOf(old: Levels, now: Levels, house: HouseState): Sweep["concerns"] | undefined {
  if (old.risk !== now.risk) return () => true;
  const markets = changed(old.losses, now.losses);
  const collaterals = changed(old.collaterals, now.collaterals);
  const risen = new Set(
    [...now.initialFactors].filter(([id, f]) => f > (old.initialFactors.get(id) ?? f)).map(([id]) => id),
  );
  for (const [id, { underlying }] of house.markets) if (risen.has(underlying)) markets.add(id);
  for (const [id, { underlying }] of house.collaterals) if (risen.has(underlying)) collaterals.add(id);
  const lenders = now.lentWorth < old.lentWorth;
  const borrowers = now.lendingTerms !== old.lendingTerms;
  if (markets.size + collaterals.size === 0 && !lenders && !borrowers) return undefined;
  return ({ positions, collaterals: held, lentShares, debtShares }) =>
    (lenders && lentShares !== 0n) ||
    (borrowers && debtShares !== 0n) ||
    hasAny(positions, markets) ||
    hasAny(held, collaterals);
}

function changed<T>(old: ReadonlyMap<number, T>, now: ReadonlyMap<number, T>): Set<number> {
  return new Set([...now].filter(([id, value]) => old.get(id) !== value).map(([id]) => id));
}

function hasAny(map: ReadonlyMap<number, unknown>, keys: ReadonlySet<number>): boolean {
  if (keys.size !== 0) for (const key of map.keys()) if (keys.has(key)) return true;
  return false;
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, x: unknown) => (typeof x === "bigint" ? `${x}` : x));
}

/** The worst ratio first; an account without MM is below zero and comes before all. */
function byRatio(a: Watched, b: Watched): number {
  const [x, y] = [a, b].map(({ assessment }) => assessment && marginRatio(assessment));
  if (x === y) return 0;
  return x === undefined || (y !== undefined && x < y) ? -1 : 1;
}
