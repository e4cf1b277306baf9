import { assessAccount, freeCollateral, leverage, marginRatio, marginState } from "./account.ts";
import { WAD } from "./fixed.ts";
import { priceOf } from "./house.ts";
import { liquidationPrices, marginCallPrices } from "./liquidationPrice.ts";
import type { LiquidationPrices } from "./liquidationPrice.ts";
import { gather } from "./portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState } from "./types.ts";

/** The prices of one underlying at which an account's state changes, all else unchanged. */
export interface PriceBounds {
  /** id of the underlying */
  readonly underlying: number;
  /** [wad] now */
  readonly price: bigint;
  /** where E meets IM */
  readonly marginCall: LiquidationPrices;
  /** where E meets MM */
  readonly liquidation: LiquidationPrices;
}

/** How an account stands; amounts are [wad]. */
export interface Standing extends Assessment {
  /** row of the health table */
  readonly state: MarginState;
  /** E / MM, `undefined` where MM is zero */
  readonly ratio: bigint | undefined;
  /** cash that could leave without borrowing */
  readonly freeCollateral: bigint;
  /** gross notional over equity, `undefined` where equity is not positive */
  readonly leverage: bigint | undefined;
  /** one for each underlying it holds */
  readonly bounds: readonly PriceBounds[];
}

/** An account at shocked prices. */
export interface Shocked extends Assessment {
  /** [wad] of the present prices */
  readonly factor: bigint;
  /** row of the health table */
  readonly state: MarginState;
  /** E / MM, `undefined` where MM is zero */
  readonly ratio: bigint | undefined;
}

/**
 * Everything an owner asks of an account before and after he acts.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @returns how it stands
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const { state, ratio, bounds } = standingOf(account, house);
 * console.log(state, (ratio ?? 0n) / WAD, bounds.length); // → healthy 16n 1
 * ```
 */
export function standingOf(account: AccountState, house: HouseState): Standing {
  const assessment = assessAccount(account, house);
  return {
    ...assessment,
    state: marginState(assessment),
    ratio: marginRatio(assessment),
    freeCollateral: freeCollateral(account, house),
    leverage: leverage(account, house),
    bounds: gather(account, house).underlyings.map(({ id, price }) => ({
      ...{ underlying: id, price },
      marginCall: marginCallPrices(account, house, id),
      liquidation: liquidationPrices(account, house, id),
    })),
  };
}

/**
 * An account at shocked prices, all else unchanged.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @param factors [wad] by which prices are multiplied, one after the other
 * @param underlyings whose prices move; all it holds if left out
 * @returns the account at each of `factors`
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const [half, double] = stressTest(account, house, [WAD / 2n, 2n * WAD]);
 * console.log(half?.state, double?.state); // → bankrupt healthy
 * ```
 */
export function stressTest(
  account: AccountState,
  house: HouseState,
  factors: readonly bigint[],
  underlyings: readonly number[] = gather(account, house).underlyings.map((u) => u.id),
): Shocked[] {
  return factors.map((factor) => {
    const prices = new Map(house.prices);
    for (const id of underlyings) {
      const snapshot = priceOf(house, id);
      prices.set(id, { ...snapshot, price: (snapshot.price * factor) / WAD });
    }
    const assessment = assessAccount(account, { ...house, prices });
    return { factor, ...assessment, state: marginState(assessment), ratio: marginRatio(assessment) };
  });
}
