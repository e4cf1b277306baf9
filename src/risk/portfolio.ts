import { abs, WAD } from "./fixed.ts";
import { collateralOf, marketOf, priceOf } from "./house.ts";
import { legs, totalLoss, totalProfit } from "./pools.ts";
import type { AccountState, CollateralValue, Exposure, HouseState, Portfolio } from "./types.ts";

interface Group extends Exposure {
  net: bigint;
  gross: bigint;
  collaterals: CollateralValue[];
}

/**
 * Collects an account at the prices of `house` into what the risk engine judges, as `Margin.gather` does.
 * @throws UnknownMarket, UnknownCollateral, MissingPrice
 */
export function gather(account: AccountState, house: HouseState): Portfolio {
  const groups = new Map<number, Group>();
  const list = legs(account, house);
  for (const { market, size } of list) {
    if (size === 0n) continue;
    const group = groupOf(groups, house, marketOf(house, market).underlying);
    group.net += size;
    group.gross += abs(size);
  }
  for (const [id, balance] of ascending(account.collaterals)) {
    if (balance === 0n) continue;
    const group = groupOf(groups, house, collateralOf(house, id).underlying);
    group.collaterals.push({ id, ramp: 0n, value: valueOf(balance, group.price) });
  }
  return { base: account.cash + totalProfit(list) - totalLoss(list), underlyings: [...groups.values()] };
}

/** Value [wad] of a balance [wad] at `price` [wad], floored. */
export function valueOf(balance: bigint, price: bigint): bigint {
  return (balance * price) / WAD;
}

/** A portfolio in the words that `types/Portfolio.sol` describes, for `RiskEngine.assess` and `RiskEngine.slice`. */
export function pack(portfolio: Portfolio): bigint[] {
  const words = [BigInt.asUintN(256, portfolio.base)];
  for (const u of portfolio.underlyings) {
    const snapshot = u.price | (u.initialFactor << 128n) | (u.maintenanceFactor << 160n);
    words.push((BigInt(u.id) << 248n) | (BigInt(u.collaterals.length) << 240n) | snapshot);
    words.push((BigInt.asUintN(128, u.net) << 128n) | u.gross);
    for (const { id, ramp, value } of u.collaterals) words.push((BigInt(id) << 248n) | (ramp << 128n) | value);
  }
  return words;
}

function groupOf(groups: Map<number, Group>, house: HouseState, id: number): Group {
  let group = groups.get(id);
  if (group === undefined) {
    group = { id, ...priceOf(house, id), net: 0n, gross: 0n, collaterals: [] };
    groups.set(id, group);
  }
  return group;
}

function ascending<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([a], [b]) => a - b);
}
