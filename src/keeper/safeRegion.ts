import { margins, measure } from "../risk/assess.ts";
import { PERIOD, RATE_CAP } from "../risk/funding.ts";
import { PPM, WAD } from "../risk/fixed.ts";
import { loansOf } from "../risk/lending.ts";
import type { Snapshot } from "../risk/portfolio.ts";
import { DELISTING_RAMP } from "../risk/prices.ts";
import type { AccountState, Assessment, Exposure, HouseState, RiskParameters } from "../risk/types.ts";

const YEAR = 365 * 24 * 3600; // [s]
const MAX_STEP = 1 / 3600; // [1/s] μ grows by at most 100 % per hour
const TIME_SHARE = 1 / 8; // of the surplus: what time may use up before the account is looked at again, prices the rest
const LONGEST = 24 * 3600; // [s]
const RECOVERY = 600; // [s] until it is noticed that time alone has brought an account above IM again
const PRECISION = 1e-9; // of E and the requirement: what double precision and the wei that the engine rounds may hide

/** Where an account certainly stays on its side of a requirement: as long as every price is between its bounds, and until a time. */
export interface SafeRegion {
  readonly bounds: readonly PriceBounds[];
  /** [s] */
  readonly until: number;
}

/** Bounds [wad] on the price of one underlying; none of them belongs to the region. */
export interface PriceBounds {
  readonly underlying: number;
  readonly low: number;
  readonly high: number;
}

/** What one underlying adds to a requirement; amounts in wei of USD. */
interface Part {
  readonly linear: number; // proportional to the price
  readonly charge: number; // the size charge: grows at most with the price's square, falls at least in proportion
  readonly down: number; // what a fall costs E − requirement at most, per relative change
  readonly up: number; // what a small rise costs it at most, per relative change
}

/** What one underlying does to E − IM and E − MM. */
interface Leg {
  readonly exposure: Exposure;
  readonly initial: Part;
  readonly maintenance: Part;
}

type Requirement = "initial" | "maintenance";

/** Where an account stays in its row of the health table. */
export interface SafeRegions {
  /** Where it certainly stays at or above MM. */
  readonly aboveMaintenance: SafeRegion;
  /** Where it certainly stays on its side of IM, regimes and time aside if it is below. */
  readonly initial: SafeRegion;
}

/**
 * The regions around the present prices and time in which an account at or above MM stays where it is.
 *
 * E and each underlying's part of a requirement are proportional to its price, but for the size charge, so E − requirement is a sum
 * of functions of one price each. Its surplus is divided: a part for time, in which funding, interest, the volatility regime and
 * delistings move at their fastest, the rest among the prices, so that the same relative change uses up each part. Computed in double
 * precision: a region is a little smaller than it could be, never larger.
 */
export function safeRegions(
  account: AccountState,
  snapshot: Snapshot,
  { equity, initialMargin }: Assessment,
  house: HouseState,
): SafeRegions {
  const legs = snapshot.portfolio.underlyings.map((exposure) => legOf(exposure, house.risk));
  const drift = driftOf(account, snapshot, house);
  const latest = nextDelisting(account, house);
  const ramp = rampOf(legs, house.risk); // IM has met a rise already
  const above = (requirement: Requirement, speed: number) =>
    regionAbove(legs, requirement, equity, house, { drift: speed, latest });
  const initial =
    equity >= initialMargin
      ? above("initial", drift)
      : { bounds: boundsBelow(legs, initialMargin - equity), until: Number(house.time) + RECOVERY };
  return { aboveMaintenance: above("maintenance", drift + ramp), initial };
}

/** How fast time lowers E − requirement at most [wei of USD per second], and when it has to be looked at again anyway [s]. */
interface Clock {
  readonly drift: number;
  readonly latest: number;
}

function regionAbove(
  legs: readonly Leg[],
  requirement: Requirement,
  equity: bigint,
  { risk, time }: HouseState,
  { drift, latest }: Clock,
): SafeRegion {
  const required = legs.reduce((sum, { [requirement]: part }) => sum + part.linear + part.charge, 0);
  const surplus = Number(equity) - required - PRECISION * (Math.abs(Number(equity)) + required);
  const now = Number(time);
  if (surplus <= 0) return { bounds: [], until: now };
  const hurtOf = ({ [requirement]: { down, up } }: Leg) => Math.max(down, up, 0);
  const hurts = legs.reduce((sum, leg) => sum + hurtOf(leg), 0);
  const forPrices = surplus * (1 - TIME_SHARE);
  const bounds = legs.map((leg) => {
    const hurt = hurtOf(leg);
    const share = hurt === 0 ? forPrices / (legs.length + 1) : (forPrices * hurt) / hurts;
    const floor = requirement === "initial" ? depegFloor(leg.exposure, risk) : 0;
    return boundsOf(leg.exposure, leg[requirement], share, floor);
  });
  const until = now + Math.min(LONGEST, (surplus * TIME_SHARE) / Math.max(drift, 1));
  return { bounds, until: Math.min(until, latest) };
}

/** Bounds between which the prices certainly leave an account below IM, for `deficit` = IM − E [wad]. */
function boundsBelow(legs: readonly Leg[], deficit: bigint): PriceBounds[] {
  const helpOf = ({ initial: { down, up } }: Leg) => Math.max(down, up, 0);
  const helps = legs.reduce((sum, leg) => sum + helpOf(leg), 0);
  return legs.map((leg) => {
    const { down, up } = leg.initial;
    const share = (Number(deficit) * helpOf(leg)) / helps;
    const price = Number(leg.exposure.price);
    const [low, high] = [up > 0 ? price * (1 - share / up) : 0, down > 0 ? price * (1 + share / down) : Infinity];
    return { underlying: leg.exposure.id, low, high };
  });
}

function legOf(exposure: Exposure, risk: RiskParameters): Leg {
  const m = measure({ base: 0n, underlyings: [exposure] }, risk);
  const whole = margins(m, WAD);
  const delta = Number((exposure.net * exposure.price) / WAD + m.equity); // E changes by this times the relative change of the price
  const initial = partOf(delta, Number(m.initial), Number(whole.initialMargin));
  return {
    exposure,
    initial: { ...initial, down: initial.down + depegOf(exposure, risk) },
    maintenance: partOf(delta, Number(m.maintenance), Number(whole.maintenanceMargin)),
  };
}

function partOf(delta: number, linear: number, whole: number): Part {
  const charge = whole - linear;
  return { linear, charge, down: delta - whole, up: linear + 2 * charge - delta };
}

/** How far one price may move until it has used up `share` of the surplus, but not below `floor` [wad]. */
function boundsOf({ id, price: p }: Exposure, { charge, down, up }: Part, share: number, floor: number): PriceBounds {
  const price = Number(p);
  const fall = down > 0 ? Math.min(1, share / down) : 1;
  const rise = charge > 0 ? root(charge, up, share) : up > 0 ? share / up : Infinity;
  return { underlying: id, low: Math.max(price * (1 - fall), floor), high: price * (1 + rise) };
}

/** The positive solution of a·x² + b·x = c. */
function root(a: number, b: number, c: number): number {
  const s = Math.sqrt(b * b + 4 * a * c);
  return b > 0 ? (2 * c) / (b + s) : (s - b) / (2 * a);
}

/** The highest threshold of a stablecoin below the price [wad]: from there on its initial haircut grows, and on that nothing was counted. */
function depegFloor({ collaterals, price }: Exposure, { collaterals: risks }: RiskParameters): number {
  const thresholds = collaterals.map(({ id }) => (risks.get(id)?.depegThreshold ?? 0n) * (WAD / PPM));
  return Math.max(0, ...thresholds.filter((threshold) => threshold < price).map(Number));
}

/** What the initial haircuts of stablecoins at or below their thresholds grow by per relative fall of the price. */
function depegOf({ collaterals, price }: Exposure, { collaterals: risks }: RiskParameters): number {
  return collaterals.reduce((sum, { id, value }) => {
    const { depegThreshold, depegFactor } = risks.get(id) ?? { depegThreshold: 0n, depegFactor: 0n };
    const grows = depegThreshold * (WAD / PPM) >= price;
    return grows ? sum + (Number(value) * Number(depegFactor) * Number(price)) / (1e6 * 1e18) : sum;
  }, 0);
}

/** How fast regimes that are rising can raise MM at most [wei of USD per second]. */
function rampOf(legs: readonly Leg[], { underlyings }: RiskParameters): number {
  return legs.reduce((sum, { exposure: u }) => {
    if (u.maintenanceFactor >= u.initialFactor) return sum;
    const value = u.collaterals.reduce((total, c) => total + Number(c.value), 0);
    const gross = (Number(u.gross) * Number(u.price)) / 1e18;
    const shock = Number(underlyings.get(u.id)?.shock ?? 0n) / 1e6;
    return sum + (gross + value) * shock * MAX_STEP;
  }, 0);
}

/** How fast funding, interest and delistings can lower E − requirement at most [wei of USD per second]. */
function driftOf(account: AccountState, { portfolio }: Snapshot, house: HouseState): number {
  let drift = 0;
  for (const [market, { size }] of account.positions) {
    const state = house.markets.get(market);
    if (state === undefined) continue;
    const price = house.prices.get(state.underlying)?.price ?? 0n;
    const highest = Number(price > state.price ? price : state.price);
    drift += (Math.abs(Number(size)) * highest * Number(RATE_CAP)) / (1e30 * Number(PERIOD));
  }
  for (const { collaterals } of portfolio.underlyings) {
    for (const { id, value } of collaterals) {
      if ((house.collaterals.get(id)?.delistingEnd ?? 0n) !== 0n) drift += Number(value) / Number(DELISTING_RAMP);
    }
  }
  const { lowSlope, highSlope } = house.lending.params;
  const { debt } = loansOf(account, house.lending, house.time);
  return drift + (Number(debt) * Number(lowSlope + highSlope)) / (1e6 * YEAR);
}

/** [s] The end of the first delisting among what an account holds: then it counts zero. */
function nextDelisting(account: AccountState, { collaterals, time }: HouseState): number {
  const ends = [...account.collaterals.keys()].map((id) => collaterals.get(id)?.delistingEnd ?? 0n);
  return Math.min(Infinity, ...ends.filter((end) => end > time).map(Number));
}
