import { assessAccount } from "./account.ts";
import { assess, haircutsOf } from "./assess.ts";
import { PPM, WAD } from "./fixed.ts";
import { priceOf } from "./house.ts";
import { snapshotOf } from "./portfolio.ts";
import type { AccountState, Exposure, HouseState } from "./types.ts";

const NUDGE = 10_000n; // [ppm] of the price: which way hurts more

/** What one underlying brings to an account; amounts are [wad]. */
export interface Contribution {
  /** id of the underlying */
  readonly underlying: number;
  /** its index price */
  readonly price: bigint;
  /** net size of positions and collateral in USD: E changes by this times the relative change of the price */
  readonly delta: bigint;
  /** part of IM */
  readonly initialMargin: bigint;
  /** part of MM */
  readonly maintenanceMargin: bigint;
}

/** One collateral asset of an account; amounts are [wad] USD. */
export interface CountedCollateral {
  /** of the collateral asset */
  readonly id: number;
  /** V, at the index price */
  readonly value: bigint;
  /** V − H_i: what it carries when something leaves or opens */
  readonly initial: bigint;
  /** V − H: what it carries before a liquidation */
  readonly maintenance: bigint;
}

/** Where an account's requirements come from. */
export interface Breakdown {
  /** one for each underlying that it holds; the parts of MM, and of IM where that is above MM, add up to the whole */
  readonly underlyings: readonly Contribution[];
  /** one for each collateral asset that it holds */
  readonly collaterals: readonly CountedCollateral[];
  /** [ppm] smallest move of all prices at once, each against the account, after which it is liquidatable; `undefined` if none of 100 % is */
  readonly jointMove: bigint | undefined;
}

/**
 * Which underlying asks for which part of IM and MM, what each collateral asset counts, and how far all prices may move together.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @returns the parts
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const { underlyings, jointMove } = breakdownOf(account, house);
 * console.log(formatWad(underlyings[0]?.delta ?? 0n), jointMove); // → 20000 484019n
 * ```
 */
export function breakdownOf(account: AccountState, house: HouseState): Breakdown {
  const { portfolio, flat } = snapshotOf(account, house);
  return {
    underlyings: portfolio.underlyings.map((u) => contributionOf(u, house, flat)),
    collaterals: portfolio.underlyings.flatMap((u) => countedOf(u, house)),
    jointMove: jointMoveOf(account, house, portfolio.underlyings),
  };
}

function contributionOf(u: Exposure, house: HouseState, flat: boolean): Contribution {
  const value = u.collaterals.reduce((sum, c) => sum + c.value, 0n);
  const needed = assess({ base: 0n, underlyings: [u] }, house.risk);
  const { initialMargin, maintenanceMargin } = flat ? { initialMargin: 0n, maintenanceMargin: 0n } : needed;
  const delta = value + (u.net * u.price) / WAD;
  return { underlying: u.id, price: u.price, delta, initialMargin, maintenanceMargin };
}

function countedOf(u: Exposure, house: HouseState): CountedCollateral[] {
  const haircuts = haircutsOf(u, house.risk);
  return u.collaterals.map(({ id, value }) => {
    const { initial, maintenance } = haircuts.get(id) ?? { initial: 0n, maintenance: 0n };
    return { id, value, initial: value - initial, maintenance: value - maintenance };
  });
}

/** By bisection: E − MM is concave along such a move, but for the knee of the concentration charge. */
function jointMoveOf(account: AccountState, house: HouseState, held: readonly Exposure[]): bigint | undefined {
  const surplus = (moves: ReadonlyMap<number, bigint>): bigint => {
    const prices = new Map(house.prices);
    for (const [id, move] of moves) {
      const snapshot = priceOf(house, id);
      prices.set(id, { ...snapshot, price: (snapshot.price * (PPM + move)) / PPM || 1n });
    }
    const { equity, maintenanceMargin } = assessAccount(account, { ...house, prices });
    return equity - maintenanceMargin;
  };
  const against = held.map(({ id }): [number, bigint] => {
    const isLong = surplus(new Map([[id, -NUDGE]])) < surplus(new Map([[id, NUDGE]]));
    return [id, isLong ? -1n : 1n];
  });
  const sinks = (move: bigint) => surplus(new Map(against.map(([id, sign]) => [id, sign * move]))) < 0n;
  if (sinks(0n)) return 0n;
  if (!sinks(PPM)) return undefined;
  let [safe, sunk] = [0n, PPM];
  while (sunk - safe > 1n) {
    const middle = (safe + sunk) / 2n;
    if (sinks(middle)) sunk = middle;
    else safe = middle;
  }
  return sunk;
}
