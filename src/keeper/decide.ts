import { assessAccount } from "../risk/account.ts";
import { advance, clockAt, discount, MAX_DISCOUNT } from "../risk/auction.ts";
import type { Auction } from "../risk/auction.ts";
import { RiskError } from "../risk/errors.ts";
import { divUp, min, WAD } from "../risk/fixed.ts";
import { planLiquidation, takeOver } from "../risk/liquidation.ts";
import type { LiquidationPlan } from "../risk/liquidation.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { KeeperPolicy } from "./config.ts";
import type { HedgeVenue } from "./hedge.ts";
import { Load } from "./load.ts";

const PARTS = 32n; // of the slice that is needed: a taker who cannot carry all of it takes some of them
const FULL_CLOCK = 180n; // [s]
const INDEX_BITS = 96n; // of an id; its owner is above them
const FUND_SHARE_OF_RESCUE = 10n; // the fund pays at most a tenth of itself per market and day

/** What there is to know about an account below MM and about who would take it. */
export interface Candidate {
  readonly id: AccountId;
  readonly account: AccountState;
  readonly assessment: Assessment;
  /** As stored, `undefined` if it is not flagged. */
  readonly auction: Auction | undefined;
  readonly takerId: AccountId;
  readonly taker: AccountState;
  readonly fund: AccountState;
  /** Where the taker gets rid of what it may not keep. */
  readonly venue: HedgeVenue;
}

/** The slice to ask for. */
export interface Slice {
  readonly plan: LiquidationPlan;
  /** [wad] what to pass as the largest fraction: everything, or a part that the taker can carry. */
  readonly maxFraction: bigint;
  /** [wad] the taker's gain and what the fund can be expected to add. */
  readonly gain: bigint;
  /** [wad] of that, what is left after hedging and for the risk of what is kept; gas is still to be paid. */
  readonly profit: bigint;
  /** Why this much, and now. */
  readonly reason: string;
}

/** Not taken, for a reason: flagged to move the clock, or left alone. */
export interface Observation {
  readonly action: "flag" | "wait";
  readonly reason: string;
}

export type Decision = { readonly action: "take"; readonly slice: Slice } | Observation;

/** What to do about an account below MM, gas left aside. */
export function decide(candidate: Candidate, house: HouseState, policy: KeeperPolicy): Decision {
  if (candidate.id >> INDEX_BITS === candidate.takerId >> INDEX_BITS) return { action: "wait", reason: "own account" };
  const found = known(() => findSlice(candidate, house, policy));
  return typeof found === "string" ? observe(candidate, house, policy, found) : { action: "take", slice: found };
}

/** Flags the account if that moves one of its clocks by enough, for the reason that it is not taken. */
export function observe(candidate: Candidate, house: HouseState, policy: KeeperPolicy, reason: string): Observation {
  const { auction, assessment } = candidate;
  if (auction === undefined) return { action: "flag", reason };
  const sinks = assessment.equity <= (MAX_DISCOUNT * assessment.maintenanceMargin) / WAD;
  const stopped = auction.clock >= FULL_CLOCK && (auction.rescueClock > FULL_CLOCK || !sinks);
  const due = house.time - auction.lastCall >= policy.flagInterval;
  return { action: due && !stopped ? "flag" : "wait", reason };
}

/** The slice that brings most among those that the taker can carry, or why none is taken. */
function findSlice(candidate: Candidate, house: HouseState, policy: KeeperPolicy): Slice | string {
  const offer = offerOf(candidate, house, policy);
  const best = bestPart(offer);
  if (best === undefined) return "more than MAX_INVENTORY allows to hold and the venue would hedge";
  if (best.profit < policy.minProfit) return notYet(offer, best);
  const slice = largestCarried(offer, best.part);
  if (slice === undefined) return "more than the taker can carry";
  if (slice.profit < policy.minProfit)
    return `${slice.reason}: less than MIN_PROFIT for as much as the taker can carry`;
  const { whole, auction } = offer;
  if (isSunk(whole) || auction.clock >= policy.patience) return slice;
  return `${slice.reason}; waits for ${percent(discount(policy.patience))} in ${policy.patience - auction.clock} s`;
}

/** Everything that an account has for sale, and who is asked to take it. */
interface Offer {
  readonly candidate: Candidate;
  readonly house: HouseState;
  readonly policy: KeeperPolicy;
  readonly auction: Auction; // its clocks advanced
  readonly whole: LiquidationPlan;
  readonly gain: bigint; // [wad] of who takes all of it
  readonly load: Load;
}

/** @throws RiskError */
function offerOf(candidate: Candidate, house: HouseState, policy: KeeperPolicy): Offer {
  const { assessment, takerId, taker, fund, venue } = candidate;
  const auction = advance(candidate.auction, assessment, ownerOf(takerId), house.time);
  const whole = planOf({ candidate, house, auction }, WAD);
  const load = new Load(whole, taker, house, policy, venue);
  return { candidate, house, policy, auction, whole, gain: gainOf(whole, fund), load };
}

/** A number of `PARTS` of an offer. */
interface Part {
  readonly part: bigint;
  readonly profit: bigint; // [wad] before gas
}

/** What a part of an offer brings before gas [wad]; `undefined` if it is more than may be held. */
function profitOf({ gain, load }: Offer, part: bigint): bigint | undefined {
  const burden = load.burden(part, PARTS);
  return burden === undefined ? undefined : (gain * part) / PARTS - burden.hedge - burden.risk;
}

/** The part that brings most: what a part costs grows faster than it does, so the first maximum is the only one. */
function bestPart(offer: Offer): Part | undefined {
  let best: Part | undefined;
  for (let part = PARTS; part >= leastPart(offer); --part) {
    const profit = profitOf(offer, part);
    if (best !== undefined && (profit ?? best.profit) <= best.profit) break;
    if (profit !== undefined) best = { part, profit };
  }
  return best;
}

/** An account with E ≤ d · MM is sold whole or not at all. */
function leastPart({ whole }: Offer): bigint {
  return isSunk(whole) ? PARTS : 1n;
}

function isSunk({ assessment, discount }: LiquidationPlan): boolean {
  return assessment.equity <= (discount * assessment.maintenanceMargin) / WAD;
}

/** The largest slice of at most `most` parts that the taker can carry. */
function largestCarried(offer: Offer, most: bigint): Slice | undefined {
  let found: Slice | undefined;
  let [low, high] = [leastPart(offer) - 1n, most];
  for (let part = most; low < high; part = (low + high + 1n) / 2n) {
    const slice = carried(offer, part);
    if (slice === undefined) high = part - 1n;
    else [low, found] = [part, slice];
  }
  return found;
}

/** So many parts of an offer as a slice; `undefined` if that cannot be taken. */
function carried(offer: Offer, part: bigint): Slice | undefined {
  const { candidate, house, policy, whole } = offer;
  const maxFraction = part === PARTS ? WAD : (whole.fraction * part) / PARTS;
  const plan = part === PARTS ? whole : known(() => planOf(offer, maxFraction));
  const profit = profitOf(offer, part);
  if (typeof plan === "string" || profit === undefined) return undefined;
  if (!canCarry(candidate.taker, plan, house, policy)) return undefined;
  const reason = `brings ${usd(profit)} USD at a discount of ${percent(plan.discount)}`;
  return { plan, maxFraction, gain: gainOf(plan, candidate.fund), profit, reason };
}

/** From which discount on the best part would pay, and when that is reached. */
function notYet({ whole, gain, auction, policy: { minProfit } }: Offer, { part, profit }: Part): string {
  const now = `brings ${usd(profit)} USD at a discount of ${percent(whole.discount)}, less than ${usd(minProfit)}`;
  if (isSunk(whole)) return `${now}; it is sold whole for its equity, and only a rescue by the fund can bring more`;
  const brought = (gain * part) / PARTS;
  const needed = brought === 0n ? MAX_DISCOUNT + 1n : divUp(whole.discount * (brought + minProfit - profit), brought);
  const clock = clockAt(needed);
  if (clock === undefined) return `${now}; no discount of this auction pays`;
  return `${now}; pays at a discount of ${percent(needed)}, reached in ${clock - auction.clock} s`;
}

/** @throws RiskError */
function planOf({ candidate, house, auction }: Pick<Offer, "candidate" | "house" | "auction">, maxFraction: bigint) {
  const { id, account, takerId } = candidate;
  return planLiquidation(account, house, { auction, owner: ownerOf(id), taker: ownerOf(takerId), maxFraction });
}

/** What can be computed, or why it cannot. */
function known<T>(compute: () => T): T | string {
  try {
    return compute();
  } catch (error) {
    if (error instanceof RiskError) return error.message;
    throw error;
  }
}

/** The taker's gain [wad], and of the rescue reward what the fund can pay for one market. */
function gainOf({ gain, rescue }: LiquidationPlan, fund: AccountState): bigint {
  return gain + min(rescue, fund.cash / FUND_SHARE_OF_RESCUE);
}

/** Whether the taker has the cash, so that he need not borrow, and satisfies IM afterwards. */
function canCarry(taker: AccountState, plan: LiquidationPlan, house: HouseState, { maxSpend }: KeeperPolicy): boolean {
  if (plan.paid > taker.cash) return false;
  const carried = known(() => {
    const after = takeOver(taker, plan);
    if (after.debtShares > taker.debtShares) return false;
    if (maxSpend !== undefined && taker.cash - after.cash > maxSpend) return false;
    const { equity, initialMargin } = assessAccount(after, house);
    return equity >= initialMargin;
  });
  return carried === true;
}

/** [wad] as USD and cents. */
function usd(amount: bigint): string {
  return (Number(amount) / 1e18).toFixed(2);
}

/** A share [wad] in per cent. */
function percent(share: bigint): string {
  return `${(Number(share) / 1e16).toFixed(1)} %`;
}
