import { abs, positive, PPM, WAD } from "../risk/fixed.ts";
import { collateralOf, marketOf, priceOf } from "../risk/house.ts";
import type { LiquidationPlan } from "../risk/liquidation.ts";
import { saleablePrice } from "../risk/prices.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import type { HedgeVenue } from "./hedge.ts";

/** What holding more costs, and how much may be held. */
export interface InventoryPolicy {
  /** [ppm] of the house's shock κ · μ that holding one more USD of an underlying costs. */
  readonly inventoryRisk: bigint;
  /** [wad USD] of notional in one market above which the taker hedges; no limit if left out. */
  readonly maxInventory?: bigint;
}

/** What a slice costs its taker besides cash and gas [wad USD]. */
export interface Burden {
  /** against the index price, fees included, for what is traded at once */
  readonly hedge: bigint;
  /** for what is kept */
  readonly risk: bigint;
}

/** A market in which a slice changes what the taker holds. */
interface Leg {
  readonly market: number;
  readonly underlying: number;
  readonly price: bigint; // [wad]
  readonly before: bigint; // [wad] units
  readonly moved: bigint; // [wad] units, of the whole slice
}

/** An underlying in which it does, collateral included. */
interface Stake {
  readonly charge: bigint; // [ppm · ppm] share of κ · μ
  readonly before: bigint; // [wad USD]
  readonly moved: bigint; // [wad USD] of the whole slice
}

/** What a slice adds to what its taker holds, and what that costs him. */
export class Load {
  readonly #legs: readonly Leg[];
  readonly #stakes: ReadonlyMap<number, Stake>; // by underlying
  readonly #venue: HedgeVenue;
  readonly #limit: bigint | undefined;

  /** @throws UnknownMarket, UnknownCollateral, MissingPrice */
  constructor(
    { legs, collaterals }: Pick<LiquidationPlan, "legs" | "collaterals">,
    taker: AccountState,
    house: HouseState,
    { inventoryRisk, maxInventory }: InventoryPolicy,
    venue: HedgeVenue,
  ) {
    this.#venue = venue;
    this.#limit = maxInventory;
    this.#legs = legs.filter(({ size }) => size !== 0n).map(({ market, size }) => legOf(market, size, taker, house));
    const moved = new Map<number, bigint>();
    const add = (underlying: number, value: bigint) => moved.set(underlying, (moved.get(underlying) ?? 0n) + value);
    for (const leg of this.#legs) add(leg.underlying, (leg.moved * leg.price) / WAD);
    for (const { id, amount } of collaterals) {
      add(collateralOf(house, id).underlying, (amount * saleablePrice(house, id)) / WAD);
    }
    this.#stakes = new Map(
      [...moved].map(([underlying, value]) => {
        const shock = house.risk.underlyings.get(underlying)?.shock ?? 0n;
        const charge = (shock * priceOf(house, underlying).initialFactor * inventoryRisk) / PPM;
        return [underlying, { charge, before: exposureOf(taker, house, underlying), moved: value }];
      }),
    );
  }

  /** What `part` of `whole` of the slice costs; `undefined` if more would be kept than is allowed. */
  burden(part: bigint, whole: bigint): Burden | undefined {
    let hedge = 0n;
    const hedged = new Map<number, bigint>();
    for (const leg of this.#legs) {
      const excess = this.#excess(leg, leg.before + (leg.moved * part) / whole);
      if (excess === 0n) continue;
      const { traded, cost } = this.#venue.quote(leg.market, -excess, leg.price);
      if (traded < abs(excess)) return undefined;
      hedge += cost;
      hedged.set(leg.underlying, (hedged.get(leg.underlying) ?? 0n) + (excess * leg.price) / WAD);
    }
    let risk = 0n;
    for (const [underlying, { before, moved, charge }] of this.#stakes) {
      const after = before + (moved * part) / whole - (hedged.get(underlying) ?? 0n);
      risk += (positive(abs(after) - abs(before)) * charge) / (PPM * PPM);
    }
    return { hedge, risk };
  }

  /** [wad] What of a position has to be hedged: what it has grown by beyond the limit. */
  #excess({ price, before }: Leg, after: bigint): bigint {
    if (this.#limit === undefined) return 0n;
    const allowed = (this.#limit * WAD) / price;
    const isGrown = before > 0n === after > 0n && abs(before) > allowed;
    const excess = positive(abs(after) - (isGrown ? abs(before) : allowed));
    return after > 0n ? excess : -excess;
  }
}

function legOf(market: number, moved: bigint, { positions }: AccountState, house: HouseState): Leg {
  const { underlying } = marketOf(house, market);
  const before = positions.get(market)?.size ?? 0n;
  return { market, underlying, price: priceOf(house, underlying).price, before, moved };
}

/** [wad USD] What an account gains if the price of an underlying doubles. */
function exposureOf({ positions, collaterals }: AccountState, house: HouseState, underlying: number): bigint {
  let [units, value] = [0n, 0n];
  for (const [market, { size }] of positions) if (marketOf(house, market).underlying === underlying) units += size;
  for (const [id, balance] of collaterals) {
    if (collateralOf(house, id).underlying === underlying) value += (balance * saleablePrice(house, id)) / WAD;
  }
  return value + (units * priceOf(house, underlying).price) / WAD;
}
