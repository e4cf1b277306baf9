import { judge } from "./assess.ts";
import { divFloor, min, positive, WAD } from "./fixed.ts";
import { currentLending, lentOf, liquidity } from "./lending.ts";
import { collectGains } from "./pools.ts";
import { gather, isFlat, snapshotOf } from "./portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState } from "./types.ts";

/**
 * E, IM and MM [wad] of an account, as `ClearingHouse.assess`; a flat account needs no margin.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice, MissingRate
 */
export function assessAccount(account: AccountState, house: HouseState): Assessment {
  return judge(snapshotOf(account, house), house.risk);
}

/**
 * E, IM and MM [wad] as a flag or a liquidation finds them: what has no usable price counts at its last good one, moved in the
 * owner's favour.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
 */
export function assessForLiquidation(account: AccountState, house: HouseState): Assessment {
  return judge(snapshotOf(account, house, "kindest"), house.risk);
}

/** E / MM [wad], floored; `undefined` where MM is zero. */
export function marginRatio({ equity, maintenanceMargin }: Assessment): bigint | undefined {
  return maintenanceMargin === 0n ? undefined : divFloor(equity * WAD, maintenanceMargin);
}

/** The row of the health table. Equality is on the safe side. */
export function marginState({ equity, initialMargin, maintenanceMargin }: Assessment): MarginState {
  if (equity < 0n) return "bankrupt";
  if (equity < maintenanceMargin) return "liquidatable";
  return equity < initialMargin ? "marginCall" : "healthy";
}

/**
 * Cash [wad] that could leave now without borrowing: E without the profit that pools cannot pay less IM, but no more than cash and
 * lent cash beyond the losses that wait for them. A flat account can take all of it. The surcharge on openings of the last hour
 * is left aside.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice, MissingRate
 */
export function freeCollateral(account: AccountState, house: HouseState): bigint {
  const pool = currentLending(house.lending, house.time);
  const own = account.cash + min(lentOf(pool, account.lentShares), liquidity(pool));
  if (isFlat(account)) return own;
  const { equity, initialMargin } = assessAccount(account, house);
  const { loss } = snapshotOf(account, house);
  const collected = collectGains({ account, house });
  const unpaid = snapshotOf(collected.account, collected.house).profit;
  return positive(min(own - loss, equity - unpaid - initialMargin));
}

/**
 * Gross notional of an account over its equity [wad]; `undefined` where equity is not positive.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
 */
export function leverage(account: AccountState, house: HouseState): bigint | undefined {
  const { equity } = assessAccount(account, house);
  if (equity <= 0n) return undefined;
  const notional = gather(account, house).underlyings.reduce((sum, u) => sum + (u.gross * u.price) / WAD, 0n);
  return (notional * WAD) / equity;
}
