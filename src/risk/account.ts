import { judge } from "./assess.ts";
import { divFloor, min, positive, WAD } from "./fixed.ts";
import { currentLending, lentOf, liquidity } from "./lending.ts";
import { collectGains } from "./pools.ts";
import { gather, isFlat, snapshotOf } from "./portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState } from "./types.ts";

/**
 * E, IM and MM of an account, as `ClearingHouse.assess`; a flat account needs no margin.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @returns E, IM and MM [wad]
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const { equity, maintenanceMargin } = assessAccount(account, house);
 * console.log(formatWad(equity), formatWad(maintenanceMargin)); // → 9990 600.16
 * ```
 */
export function assessAccount(account: AccountState, house: HouseState): Assessment {
  return judge(snapshotOf(account, house), house.risk);
}

/**
 * E, IM and MM as a flag or a liquidation finds them: what has no usable price counts at its last good one, moved in the owner's
 * favour.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @returns E, IM and MM [wad]
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 *
 * @example
 * ```ts
 * const unpriced = { ...house, prices: new Map(), lastGood: house.prices };
 * console.log(assessForLiquidation(account, unpriced).equity > assessAccount(account, house).equity); // → true
 * ```
 */
export function assessForLiquidation(account: AccountState, house: HouseState): Assessment {
  return judge(snapshotOf(account, house, "kindest"), house.risk);
}

/**
 * E / MM.
 *
 * @param assessment E, IM and MM
 * @returns the ratio [wad], floored; `undefined` where MM is zero
 *
 * @example
 * ```ts
 * console.log(marginRatio({ equity: 900n, initialMargin: 500n, maintenanceMargin: 300n })); // → 3000000000000000000n
 * ```
 */
export function marginRatio({ equity, maintenanceMargin }: Assessment): bigint | undefined {
  return maintenanceMargin === 0n ? undefined : divFloor(equity * WAD, maintenanceMargin);
}

/**
 * The row of the health table. Equality is on the safe side.
 *
 * @param assessment E, IM and MM
 * @returns the state
 *
 * @example
 * ```ts
 * console.log(marginState({ equity: 400n, initialMargin: 500n, maintenanceMargin: 300n })); // → marginCall
 * ```
 */
export function marginState({ equity, initialMargin, maintenanceMargin }: Assessment): MarginState {
  if (equity < 0n) return "bankrupt";
  if (equity < maintenanceMargin) return "liquidatable";
  return equity < initialMargin ? "marginCall" : "healthy";
}

/**
 * Cash that could leave now without borrowing: E without the profit that pools cannot pay less IM, but no more than cash and
 * lent cash beyond the losses that wait for them. A flat account can take all of it. The surcharge on openings of the last hour
 * is left aside.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @returns cash [wad]
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * console.log(freeCollateral(account, house) / WAD); // → 8989n
 * ```
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
 * Gross notional of an account over its equity.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @returns the leverage [wad]; `undefined` where equity is not positive
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * console.log(formatWad(leverage(account, house) ?? 0n)); // → 2.002002002002002002
 * ```
 */
export function leverage(account: AccountState, house: HouseState): bigint | undefined {
  const { equity } = assessAccount(account, house);
  if (equity <= 0n) return undefined;
  const notional = gather(account, house).underlyings.reduce((sum, u) => sum + (u.gross * u.price) / WAD, 0n);
  return (notional * WAD) / equity;
}
