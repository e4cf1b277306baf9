import { abs, divUp, PPM, WAD } from "./fixed.ts";
import { collateralOf, marketOf } from "./house.ts";
import { loansOf } from "./lending.ts";
import { MissingPrice } from "./errors.ts";
import { pnl, sides } from "./positions.ts";
import {
  collateralPrice,
  delistingRamp,
  kindest,
  lastGoodOf,
  lastGoodOfCollateral,
  requireCollateralPrice,
  type MissingPrices,
} from "./prices.ts";
import type { AccountState, CollateralValue, Exposure, HouseState, Portfolio, Position } from "./types.ts";

const STUCK = 1n << 239n;

/** An account as it stands, as `Margin.Snapshot`. */
export interface Snapshot {
  readonly portfolio: Portfolio;
  readonly profit: bigint; // [wad] Σ over markets of max(PnL, 0)
  readonly loss: bigint; // [wad] Σ over markets of max(−PnL, 0)
  readonly flat: boolean; // no size, no debt and no negative quote
  readonly unpriced: boolean; // a position has no usable price
  readonly degraded: boolean; // something has no usable price
}

interface Group extends Exposure {
  net: bigint;
  gross: bigint;
  collaterals: CollateralValue[];
}

/** A snapshot while it is gathered. */
interface Gathering {
  readonly house: HouseState;
  readonly mode: MissingPrices;
  readonly groups: Map<number, Group>;
  profit: bigint;
  loss: bigint;
  unpriced: boolean;
  degraded: boolean;
}

/**
 * Collects an account at the prices of a house into what the risk engine judges.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @returns the portfolio
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const [eth] = gather(account, house).underlyings;
 * console.log(formatWad(eth?.net ?? 0n), formatWad(eth?.price ?? 0n)); // → 10 2000
 * ```
 */
export function gather(account: AccountState, house: HouseState): Portfolio {
  return snapshotOf(account, house).portfolio;
}

/**
 * Collects an account as `Margin.gather` does, meeting missing prices as `mode` says.
 * @throws UnknownMarket, UnknownCollateral, UnknownUnderlying, MissingPrice, MissingRate
 */
export function snapshotOf(account: AccountState, house: HouseState, mode: MissingPrices = "strict"): Snapshot {
  const g: Gathering = {
    house,
    mode,
    groups: new Map(),
    profit: 0n,
    loss: 0n,
    unpriced: false,
    degraded: false,
  };
  for (const [market, position] of ascending(account.positions)) gatherPosition(g, market, position);
  for (const [id, balance] of ascending(account.collaterals)) {
    if (balance !== 0n) gatherCollateral(g, id, balance);
  }
  const { lent, debt } = loansOf(account, house.lending, house.time);
  const { profit, loss, unpriced, degraded } = g;
  const base = account.cash + profit - loss + lent - debt;
  const portfolio = { base, underlyings: [...g.groups.values()] };
  return { portfolio, profit, loss, flat: isFlat(account), unpriced, degraded };
}

/** No size, no debt and no negative quote. */
export function isFlat(account: AccountState): boolean {
  if (account.debtShares !== 0n) return false;
  for (const { size, quote } of account.positions.values()) {
    if (size !== 0n || quote < 0n) return false;
  }
  return true;
}

/** Value [wad] of a balance [wad] at `price` [wad], floored. */
export function valueOf(balance: bigint, price: bigint): bigint {
  return (balance * price) / WAD;
}

/** A portfolio in which everything that is not stuck is scaled to `keep` [wad] of itself, rounded up. */
export function scale(portfolio: Portfolio, keep: bigint): Portfolio {
  const part = (amount: bigint): bigint => divUp(amount * keep, WAD);
  const underlyings = portfolio.underlyings.map((u) => ({
    ...u,
    ...(u.stuck === true ? {} : { net: u.net > 0n ? part(u.net) : -part(-u.net), gross: part(u.gross) }),
    collaterals: u.collaterals.map((c) => (c.stuck === true ? c : { ...c, value: part(c.value) })),
  }));
  return { base: portfolio.base, underlyings };
}

/** A portfolio in the words that `types/Portfolio.sol` describes, for `RiskEngine.assess` and `RiskEngine.slice`. */
export function pack(portfolio: Portfolio): bigint[] {
  const words = [BigInt.asUintN(256, portfolio.base)];
  for (const u of portfolio.underlyings) {
    const snapshot = u.price | (u.initialFactor << 128n) | (u.maintenanceFactor << 160n);
    words.push((BigInt(u.id) << 248n) | (BigInt(u.collaterals.length) << 240n) | stuckBit(u) | snapshot);
    words.push((BigInt.asUintN(128, u.net) << 128n) | u.gross);
    for (const c of u.collaterals) words.push((BigInt(c.id) << 248n) | stuckBit(c) | (c.ramp << 128n) | c.value);
  }
  return words;
}

function stuckBit({ stuck }: { readonly stuck?: boolean }): bigint {
  return stuck === true ? STUCK : 0n;
}

/** PnL being linear in the price, all markets of an underlying collapse to one size; the rest goes into the base. */
function gatherPosition(g: Gathering, market: number, position: Position): void {
  let amount = position.quote;
  if (position.size !== 0n) {
    const state = marketOf(g.house, market);
    const group = groupOf(g, state.underlying);
    group.net += position.size;
    group.gross += abs(position.size);
    let mark = group.price;
    if (group.stuck === true) {
      g.unpriced = true;
      if (g.mode === "kindest") mark = kindest(g.house, market, mark, position.size > 0n);
    }
    amount = pnl(position, mark, sides(state, g.house.time));
  }
  if (amount > 0n) g.profit += amount;
  else g.loss -= amount;
}

function gatherCollateral(g: Gathering, id: number, balance: bigint): void {
  const state = collateralOf(g.house, id);
  const ramp = delistingRamp(state, g.house.time);
  if (ramp === PPM) return;
  let price = collateralPrice(g.house, id);
  const stuck = price === 0n;
  if (stuck) {
    if (g.mode === "strict") price = requireCollateralPrice(g.house, id);
    g.degraded = true;
    if (g.mode === "lastGood" || g.mode === "kindest") price = lastGoodOfCollateral(g.house, id, g.mode === "kindest");
    if (price === 0n) return;
  }
  const value = { id, ramp, value: valueOf(balance, price) };
  groupOf(g, state.underlying).collaterals.push(stuck ? { ...value, stuck } : value);
}

/** The group of an underlying; a new one brings its price. Stuck if that is only the last good one. */
function groupOf(g: Gathering, id: number): Group {
  const known = g.groups.get(id);
  if (known !== undefined) return known;
  const usable = g.house.prices.get(id);
  if (usable === undefined && g.mode === "strict") throw new MissingPrice(id);
  if (usable === undefined) g.degraded = true;
  const price = usable === undefined ? { ...lastGoodOf(g.house, id), stuck: true } : usable;
  const group = { id, ...price, net: 0n, gross: 0n, collaterals: [] };
  g.groups.set(id, group);
  return group;
}

function ascending<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([a], [b]) => a - b);
}
