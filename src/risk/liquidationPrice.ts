import { judge } from "./assess.ts";
import { abs, clamp, MAX_PRICE, min, PPM, WAD } from "./fixed.ts";
import { priceOf } from "./house.ts";
import { snapshotOf } from "./portfolio.ts";
import type { MissingPrices } from "./prices.ts";
import { UnknownUnderlying } from "./errors.ts";
import type { AccountState, Assessment, HouseState } from "./types.ts";

type Requirement = keyof Pick<Assessment, "initialMargin" | "maintenanceMargin">;

const SECANT_STEPS = 24; // after this many the search only halves the interval

/** The nearest prices [wad] below and above the present one at which an account changes sides of its maintenance margin. */
export interface LiquidationPrices {
  /** below the present one; left out if there is none */
  readonly down?: bigint;
  /** above the present one; left out if there is none */
  readonly up?: bigint;
}

/**
 * Where E − MM changes its sign when one underlying's price moves and all else stays: the first price at which a healthy account
 * is liquidatable, or one that is liquidatable now is not any more. A direction in which that never happens, up to the highest
 * price that the house accepts, is left out.
 *
 * E is linear in the price. MM is linear too, but for the concentration charge, which is quadratic until the exposure reaches
 * the depth. So between the knots (zero, the peak of E − MM, the depth, the highest price) the sign changes at most once, and
 * regula falsi on the engine's own arithmetic finds it to the wei.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @param underlying whose price moves
 * @param missing how prices that are missing are met; an error unless said otherwise
 * @returns prices [wad] at which it changes sides
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const { down, up } = liquidationPrices(account, house, 0);
 * console.log((down ?? 0n) / WAD, up); // → 1031n undefined
 * ```
 */
export function liquidationPrices(
  account: AccountState,
  house: HouseState,
  underlying: number,
  missing: MissingPrices = "strict",
): LiquidationPrices {
  return crossings(account, house, underlying, "maintenanceMargin", missing);
}

/**
 * As {@link liquidationPrices} for the initial margin: the first price at which a healthy account is called for margin, or one that
 * is below it now is healthy again.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @param underlying whose price moves
 * @param missing how prices that are missing are met; an error unless said otherwise
 * @returns prices [wad] at which it changes sides
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const { down, up } = marginCallPrices(account, house, 0);
 * console.log((down ?? 0n) / WAD, up); // → 1053n undefined
 * ```
 */
export function marginCallPrices(
  account: AccountState,
  house: HouseState,
  underlying: number,
  missing: MissingPrices = "strict",
): LiquidationPrices {
  return crossings(account, house, underlying, "initialMargin", missing);
}

function crossings(
  account: AccountState,
  house: HouseState,
  underlying: number,
  requirement: Requirement,
  missing: MissingPrices,
): LiquidationPrices {
  const present = priceOf(house, underlying).price;
  const surplus = (price: bigint): bigint => surplusAt(account, house, underlying, price, requirement, missing);
  const safe = surplus(present) >= 0n;
  const kink = priceAtDepth(account, house, underlying, missing);
  const knots = safe ? [1n, kink, MAX_PRICE] : [1n, peak(surplus, kink), kink, MAX_PRICE];
  const below = knots.filter((knot) => knot < present).reverse();
  const above = knots.filter((knot) => knot > present);
  const down = crossing(surplus, safe, present, below);
  const up = crossing(surplus, safe, present, above);
  return { ...(down === undefined ? {} : { down }), ...(up === undefined ? {} : { up }) };
}

/** (to − from) / from [ppm]. */
export function distance(from: bigint, to: bigint): bigint {
  return ((to - from) * PPM) / from;
}

/** E − MM or E − IM [wad] if the price of one underlying were `price` [wad]. */
function surplusAt(
  account: AccountState,
  house: HouseState,
  underlying: number,
  price: bigint,
  requirement: Requirement,
  missing: MissingPrices,
): bigint {
  const prices = new Map(house.prices).set(underlying, { ...priceOf(house, underlying), price });
  const assessment = judge(snapshotOf(account, { ...house, prices }, missing), house.risk);
  return assessment.equity - assessment[requirement];
}

/** The price [wad] at which |x|·P reaches the depth; the highest price if it does not. */
function priceAtDepth(account: AccountState, house: HouseState, underlying: number, missing: MissingPrices): bigint {
  const risk = house.risk.underlyings.get(underlying);
  if (risk === undefined) throw new UnknownUnderlying(underlying);
  const { portfolio } = snapshotOf(account, house, missing);
  const held = portfolio.underlyings.find((u) => u.id === underlying);
  if (held === undefined) return MAX_PRICE;
  const value = held.collaterals.reduce((sum, c) => sum + c.value, 0n);
  const exposure = abs(value + (held.net * held.price) / WAD);
  return exposure === 0n ? MAX_PRICE : min(MAX_PRICE, (risk.depth * WAD * held.price) / exposure + 1n);
}

/** Where a function that rises and then falls is highest between 1 and `end`. */
function peak(f: (price: bigint) => bigint, end: bigint): bigint {
  let [low, high] = [1n, end];
  while (high - low > 2n) {
    const third = (high - low) / 3n;
    if (f(low + third) < f(high - third)) low += third;
    else high -= third;
  }
  return (low + high) / 2n;
}

/** The price next to the change of sign between `from` and the first knot on the other side of zero. */
function crossing(
  surplus: (price: bigint) => bigint,
  safe: boolean,
  from: bigint,
  knots: readonly bigint[],
): bigint | undefined {
  let near = from;
  for (const knot of knots) {
    if (surplus(knot) >= 0n !== safe) return narrow(surplus, near, knot);
    near = knot;
  }
  return undefined;
}

/** The price next to `near`'s side of the change of sign between `near` and `far`: regula falsi (Illinois), then bisection. */
function narrow(surplus: (price: bigint) => bigint, near: bigint, far: bigint): bigint {
  let [gNear, gFar] = [surplus(near), surplus(far)];
  const safe = gNear >= 0n;
  let side = 0;
  for (let step = 0; abs(far - near) > 1n; ++step) {
    const middle = step < SECANT_STEPS ? interpolate(near, far, gNear, gFar) : (near + far) / 2n;
    const g = surplus(middle);
    if (g >= 0n === safe) {
      [near, gNear] = [middle, g];
      if (side > 0) gFar /= 2n;
      side = 1;
    } else {
      [far, gFar] = [middle, g];
      if (side < 0) gNear /= 2n;
      side = -1;
    }
  }
  return far;
}

/** Where the line through both ends is zero, but at least 1 away from either. */
function interpolate(near: bigint, far: bigint, gNear: bigint, gFar: bigint): bigint {
  const span = abs(far - near);
  const offset = gNear === gFar ? 1n : clamp((span * gNear) / (gNear - gFar), 1n, span - 1n);
  return far > near ? near + offset : near - offset;
}
