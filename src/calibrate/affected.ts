import { assessForLiquidation, marginState } from "../risk/account.ts";
import { max, positive, WAD } from "../risk/fixed.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import { targetFactor } from "../risk/regime.ts";
import type { AccountState, HouseState, MarginState, PriceSnapshot, RiskParameters } from "../risk/types.ts";
import type { Regime } from "../replay/insolvency/regime.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { Change } from "./proposal.ts";

const STATES: readonly MarginState[] = ["healthy", "marginCall", "liquidatable", "bankrupt"];

/** What the oracle knows of an underlying. */
export interface Observed {
  /** [wad per second] */
  readonly variance: bigint;
  /** μ [ppm] that μ(t) is going to without a change */
  readonly target: bigint;
  /** as it is proposed, or stands */
  readonly regime: Regime;
}

/** A house as a change would leave it, and as it would be without one. */
export interface Changed {
  /** μ of maintenance margin still where it stands */
  readonly atOnce: HouseState;
  /** μ(t) has come to its new target */
  readonly settled: HouseState;
  /** nothing is changed, and μ(t) has come to the target that it has */
  readonly otherwise: HouseState;
}

/** An account that a change would call for margin or make liquidatable. */
export interface AffectedAccount {
  readonly account: AccountId;
  readonly before: MarginState;
  readonly atOnce: MarginState;
  readonly settled: MarginState;
  /** without the change, when μ(t) has come to its target */
  readonly otherwise: MarginState;
  /** [wad] USD of its positions and collateral */
  readonly notional: bigint;
  /** [wad] cash without which it will not be healthy */
  readonly deposit: bigint;
}

/** What the risk engine keeps, once changes are made. */
export function changedRisk(risk: RiskParameters, changes: readonly Change[]): RiskParameters {
  const [underlyings, collaterals] = [new Map(risk.underlyings), new Map(risk.collaterals)];
  for (const { kind, id, values } of changes) {
    const [underlying, collateral] = [underlyings.get(id), collaterals.get(id)];
    if (kind === "risk" && underlying !== undefined) underlyings.set(id, { ...underlying, ...values });
    if (kind === "haircuts" && collateral !== undefined) collaterals.set(id, { ...collateral, ...values });
  }
  return { underlyings, collaterals };
}

/**
 * A house under changed parameters.
 * @param observed by underlying
 */
export function changedHouse(
  house: HouseState,
  changes: readonly Change[],
  observed: ReadonlyMap<number, Observed>,
): Changed {
  const risk = changedRisk(house.risk, changes);
  const withFactors = (factorsOf: (seen: Observed, snapshot: PriceSnapshot) => Omit<PriceSnapshot, "price">) => {
    const move = (snapshots: HouseState["prices"]) =>
      new Map(
        [...snapshots].map(([id, snapshot]) => {
          const seen = observed.get(id);
          return [id, seen === undefined ? snapshot : { ...snapshot, ...factorsOf(seen, snapshot) }];
        }),
      );
    return { ...house, prices: move(house.prices), lastGood: move(house.lastGood) };
  };
  const settledAt = (factor: bigint) => ({ maintenanceFactor: factor, initialFactor: factor });
  const targetOf = ({ variance, regime }: Observed) => targetFactor(variance, regime);
  const atOnce = withFactors((seen, { maintenanceFactor }) => ({
    maintenanceFactor,
    initialFactor: max(targetOf(seen), maintenanceFactor),
  }));
  return {
    atOnce: { ...atOnce, risk },
    settled: { ...withFactors((seen) => settledAt(targetOf(seen))), risk },
    otherwise: withFactors(({ target }) => settledAt(target)),
  };
}

/**
 * The accounts that a change would put into a worse state, at once or when μ(t) has come to its target, than they would be in without it;
 * most deposit first.
 */
export function affectedAccounts(
  accounts: Iterable<[AccountId, AccountState]>,
  house: HouseState,
  { atOnce, settled, otherwise }: Changed,
): AffectedAccount[] {
  const affected: AffectedAccount[] = [];
  for (const [id, account] of accounts) {
    const [before, now, later] = [house, atOnce, settled].map((state) => assessForLiquidation(account, state));
    if (before === undefined || now === undefined || later === undefined) continue;
    const states = {
      ...{ before: marginState(before), atOnce: marginState(now), settled: marginState(later) },
      otherwise: marginState(assessForLiquidation(account, otherwise)),
    };
    if (!isWorse(states.atOnce, states.before) && !isWorse(states.settled, states.otherwise)) continue;
    const required = max(now.initialMargin, later.initialMargin);
    const deposit = positive(required - before.equity);
    affected.push({ account: id, ...states, notional: notionalOf(account, house), deposit });
  }
  return affected.sort((a, b) => (a.deposit > b.deposit ? -1 : 1));
}

function isWorse(a: MarginState, b: MarginState): boolean {
  return STATES.indexOf(a) > STATES.indexOf(b);
}

function notionalOf(account: AccountState, house: HouseState): bigint {
  return snapshotOf(account, house, "kindest").portfolio.underlyings.reduce(
    (sum, { gross, price, collaterals }) =>
      sum + (gross * price) / WAD + collaterals.reduce((held, { value }) => held + value, 0n),
    0n,
  );
}
