import { marginRatio, marginState } from "../risk/account.ts";
import { judge } from "../risk/assess.ts";
import { RiskError } from "../risk/errors.ts";
import { lentOf } from "../risk/lending.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import { EMPTY_ACCOUNT } from "./ledger.ts";
import { RegionIndex, snapshotsOf } from "./regionIndex.ts";
import { safeRegions } from "./safeRegion.ts";
import type { SafeRegions } from "./safeRegion.ts";

const RECHECK = 60; // [s] between two looks at an account without any price that was ever good
const CHUNK = 64; // accounts between two looks at the clock
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
  readonly #aboveMaintenance = new RegionIndex((slot, version) => this.#entries[slot]?.version !== version);
  readonly #initial = new RegionIndex((slot, version) => this.#entries[slot]?.version !== version);
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
  /** Those that may have crossed IM and are looked at when there is time. */
  #later: { readonly entry: Entry; readonly version: number }[] = [];

  /** How many accounts are in each state; those whose sweep is under way as they were before it. */
  get counts(): Readonly<Record<WatchState, number>> {
    return this.#counts;
  }

  /** Whether everything that has moved many accounts at once has been looked at. */
  get isSettled(): boolean {
    return this.#sweep === undefined && this.#later.length === 0;
  }

  /** An account as it was last assessed; one that was never seen is empty. */
  get(id: AccountId): Watched {
    return (
      this.#byId.get(id) ?? { id, account: EMPTY_ACCOUNT, state: "healthy", assessment: undefined, degraded: false }
    );
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
    for (const slot of this.#aboveMaintenance.left(house)) {
      const entry = this.#entries[slot];
      if (entry !== undefined) hit.add(entry);
    }
    for (const entry of hit) this.#assess(entry, house);
    for (const slot of this.#initial.left(house)) {
      const entry = this.#entries[slot];
      if (entry !== undefined) this.#later.push({ entry, version: entry.version });
    }
    return [...hit];
  }

  /**
   * Looks for about `budget` [ms] at those that may have crossed IM, and goes on with a sweep, at the prices of the last head.
   * @returns those that were looked at
   */
  work(budget: number): Watched[] {
    const looked: Watched[] = [];
    const end = performance.now() + budget;
    while (!this.isSettled && this.#house !== undefined) {
      const chunk = this.#later.length === 0 ? this.#sweepOn() : this.#takeLater();
      for (const entry of chunk) this.#assess(entry, this.#house);
      looked.push(...chunk);
      if (performance.now() >= end) break;
    }
    return looked;
  }

  #takeLater(): Entry[] {
    const chunk = this.#later.splice(-CHUNK);
    return chunk.filter(({ entry, version }) => entry.version === version).map(({ entry }) => entry);
  }

  /** The next accounts of the sweep that it concerns. */
  #sweepOn(): Entry[] {
    if (this.#sweep === undefined) return [];
    const { concerns, next, left } = this.#sweep;
    const count = Math.min(CHUNK, left, this.#entries.length - next);
    const after = { concerns, next: (next + count) % this.#entries.length, left: left - count };
    this.#sweep = after.left === 0 ? undefined : after;
    return this.#entries.slice(next, next + count).filter(({ account }) => concerns(account));
  }

  #open(id: AccountId): Entry {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const entry: Entry = {
      ...{ id, account: EMPTY_ACCOUNT, state: "healthy", assessment: undefined, degraded: false },
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
    const regions = this.#judge(entry, house);
    this.#counts[entry.state] += 1;
    entry.version += 1;
    const isBelow = entry.state === "liquidatable" || entry.state === "bankrupt";
    if (isBelow) this.#below.set(entry, undefined);
    else this.#below.delete(entry);
    if (regions === undefined) return;
    this.#aboveMaintenance.put(entry, regions.aboveMaintenance, house);
    this.#initial.put(entry, regions.initial, house);
  }

  /** Assesses an account and says in which regions it stays where it is; `undefined` if always or if it is looked at anyway. */
  #judge(entry: Entry, house: HouseState): SafeRegions | undefined {
    const { account } = entry;
    try {
      const snapshot = snapshotOf(account, house, "kindest");
      const assessment = judge(snapshot, house.risk);
      entry.assessment = assessment;
      entry.degraded = snapshot.degraded;
      entry.state = marginState(assessment);
      if (snapshot.flat && entry.state === "healthy") return undefined;
      return assessment.equity < assessment.maintenanceMargin
        ? undefined
        : safeRegions(account, snapshot, assessment, house);
    } catch (error) {
      if (!(error instanceof RiskError)) throw error;
      entry.assessment = undefined;
      entry.degraded = true;
      entry.state = "unpriced";
      const region = { bounds: [], until: Number(house.time) + RECHECK };
      return { aboveMaintenance: region, initial: region };
    }
  }

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
