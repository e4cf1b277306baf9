import { assessAccount, freeCollateral, leverage, marginRatio, marginState } from "./account.ts";
import { WAD } from "./fixed.ts";
import { priceOf } from "./house.ts";
import { liquidationPrices, marginCallPrices } from "./liquidationPrice.ts";
import type { LiquidationPrices } from "./liquidationPrice.ts";
import { gather } from "./portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState } from "./types.ts";

/** The prices of one underlying at which an account's state changes, all else unchanged. */
export interface PriceBounds {
  readonly underlying: number;
  readonly price: bigint; // [wad] now
  readonly marginCall: LiquidationPrices;
  readonly liquidation: LiquidationPrices;
}

/** How an account stands; amounts are [wad]. */
export interface Standing extends Assessment {
  readonly state: MarginState;
  readonly ratio: bigint | undefined; // E / MM
  readonly freeCollateral: bigint; // cash that could leave without borrowing
  readonly leverage: bigint | undefined;
  readonly bounds: readonly PriceBounds[]; // one for each underlying it holds
}

/** An account at shocked prices. */
export interface Shocked extends Assessment {
  readonly factor: bigint; // [wad] of the present prices
  readonly state: MarginState;
  readonly ratio: bigint | undefined;
}

/**
 * Everything an owner asks of an account before and after he acts.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice, MissingRate
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
 * An account with the prices of `underlyings` (all it holds if left out) multiplied by each of `factors` [wad], all else unchanged.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice, MissingRate
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
