import { assess } from "./assess.ts";
import { divFloor, min, positive, WAD } from "./fixed.ts";
import { collectGains, legs, totalLoss, totalProfit } from "./pools.ts";
import { gather } from "./portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState } from "./types.ts";

/**
 * E, IM and MM [wad] of an account, as `ClearingHouse.assess`; a flat account needs no margin.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
 */
export function assessAccount(account: AccountState, house: HouseState): Assessment {
  const assessment = assess(gather(account, house), house.risk);
  return isFlat(account) ? { equity: assessment.equity, initialMargin: 0n, maintenanceMargin: 0n } : assessment;
}

/** No size and no negative quote. */
export function isFlat(account: AccountState): boolean {
  for (const { size, quote } of account.positions.values()) {
    if (size !== 0n || quote < 0n) return false;
  }
  return true;
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
 * Cash [wad] that could leave now: E without the profit that pools cannot pay less IM, and never the cash that unsettled losses
 * wait for. A flat account can take all of it.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
 */
export function freeCollateral(account: AccountState, house: HouseState): bigint {
  if (isFlat(account)) return account.cash;
  const { equity, initialMargin } = assessAccount(account, house);
  const unpaid = totalProfit(legs(collectGains(account, house), house));
  return positive(min(account.cash - totalLoss(legs(account, house)), equity - unpaid - initialMargin));
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
