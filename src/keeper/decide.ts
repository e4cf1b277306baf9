import { assessAccount } from "../risk/account.ts";
import { advance } from "../risk/auction.ts";
import type { Auction } from "../risk/auction.ts";
import { RiskError } from "../risk/errors.ts";
import { min, WAD } from "../risk/fixed.ts";
import { planLiquidation, takeOver } from "../risk/liquidation.ts";
import type { LiquidationPlan } from "../risk/liquidation.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { KeeperPolicy } from "./config.ts";

const SMALLEST_SHARE = 32n; // of the slice that is needed: smaller ones are not worth a transaction
const FULL_CLOCK = 180n; // [s]
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
}

/** The slice to ask for. */
export interface Slice {
  readonly plan: LiquidationPlan;
  /** [wad] what to pass as the largest fraction: everything, or a part that the taker can carry. */
  readonly maxFraction: bigint;
  /** [wad] the taker's gain and what the fund can be expected to add. */
  readonly gain: bigint;
}

/** Not taken, for a reason: flagged to move the clock, or left alone. */
export interface Observation {
  readonly action: "flag" | "wait";
  readonly reason: string;
}

export type Decision = { readonly action: "take"; readonly slice: Slice } | Observation;

/** What to do about an account below MM, gas left aside. */
export function decide(candidate: Candidate, house: HouseState, policy: KeeperPolicy): Decision {
  const owner = ownerOf(candidate.takerId);
  if (ownerOf(candidate.id) === owner) return { action: "wait", reason: "own account" };
  const found = findSlice(candidate, house, policy);
  return typeof found === "string" ? observe(candidate, house, policy, found) : { action: "take", slice: found };
}

/** Flags the account if that moves its clock by enough, for the reason that it is not taken. */
export function observe({ auction }: Candidate, house: HouseState, policy: KeeperPolicy, reason: string): Observation {
  if (auction === undefined) return { action: "flag", reason };
  const stopped = auction.clock >= FULL_CLOCK && auction.rescueClock > FULL_CLOCK;
  const due = house.time - auction.lastCall >= policy.flagInterval;
  return { action: due && !stopped ? "flag" : "wait", reason };
}

/** The largest slice that pays and that the taker can carry, or why there is none. */
function findSlice(candidate: Candidate, house: HouseState, policy: KeeperPolicy): Slice | string {
  let maxFraction = WAD;
  for (let share = 1n; share <= SMALLEST_SHARE; share *= 2n) {
    const plan = tryPlan(candidate, house, maxFraction);
    if (typeof plan === "string") return plan;
    const gain = plan.gain + expectedRescue(plan, candidate.fund);
    if (gain < policy.minProfit) return "not profitable yet";
    if (canCarry(candidate.taker, plan, house, policy)) return { plan, maxFraction, gain };
    maxFraction = plan.fraction / 2n;
  }
  return "more than the taker can carry";
}

function tryPlan(
  { id, account, assessment, auction, takerId }: Candidate,
  house: HouseState,
  maxFraction: bigint,
): LiquidationPlan | string {
  const taker = ownerOf(takerId);
  try {
    const running = advance(auction, assessment, taker, house.time);
    return planLiquidation(account, house, { auction: running, owner: ownerOf(id), taker, maxFraction });
  } catch (error) {
    if (error instanceof RiskError) return error.message;
    throw error;
  }
}

/** The rescue reward [wad] within what the fund can pay for one market. */
function expectedRescue({ rescue }: LiquidationPlan, fund: AccountState): bigint {
  return min(rescue, fund.cash / FUND_SHARE_OF_RESCUE);
}

/** Whether the taker has the cash, so that he need not borrow, and satisfies IM afterwards. */
function canCarry(taker: AccountState, plan: LiquidationPlan, house: HouseState, { maxSpend }: KeeperPolicy): boolean {
  if (plan.paid > taker.cash) return false;
  try {
    const after = takeOver(taker, plan);
    if (after.debtShares > taker.debtShares) return false;
    if (maxSpend !== undefined && taker.cash - after.cash > maxSpend) return false;
    const { equity, initialMargin } = assessAccount(after, house);
    return equity >= initialMargin;
  } catch (error) {
    if (error instanceof RiskError) return false;
    throw error;
  }
}
