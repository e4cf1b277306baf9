import { abs, positive, PPM, WAD } from "../risk/fixed.ts";
import { marketOf, priceOf } from "../risk/house.ts";
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
  moved: bigint; // [wad USD] of the whole slice
}

/** What a slice adds to what its taker holds, and what that costs him. */
export class Load {
  readonly #legs: readonly Leg[];
  readonly #stakes = new Map<number, Stake>();
  readonly #venue: HedgeVenue;
  readonly #limit: bigint | undefined;

  /** @throws UnknownMarket, MissingPrice */
  constructor(
    { legs, collaterals }: Pick<LiquidationPlan, "legs" | "collaterals">,
    taker: AccountState,
    house: HouseState,
    { inventoryRisk, maxInventory }: InventoryPolicy,
    venue: HedgeVenue,
  ) {
    this.#venue = venue;
    this.#limit = maxInventory;
    const add = (underlying: number, value: bigint): void => {
      let stake = this.#stakes.get(underlying);
      if (stake === undefined) {
        const shock = house.risk.underlyings.get(underlying)?.shock ?? 0n;
        const charge = (shock * priceOf(house, underlying).initialFactor * inventoryRisk) / PPM;
        stake = { charge, before: exposureOf(taker, house, underlying), moved: 0n };
        this.#stakes.set(underlying, stake);
      }
      stake.moved += value;
    };
    this.#legs = legs
      .filter(({ size }) => size !== 0n)
      .map(({ market, size }) => {
        const { underlying } = marketOf(house, market);
        const { price } = priceOf(house, underlying);
        add(underlying, (size * price) / WAD);
        return { market, underlying, price, before: taker.positions.get(market)?.size ?? 0n, moved: size };
      });
    for (const { id, amount } of collaterals) {
      add(house.collaterals.get(id)?.underlying ?? 0, (amount * saleablePrice(house, id)) / WAD);
    }
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

/** [wad USD] What an account gains if the price of an underlying doubles. */
function exposureOf({ positions, collaterals }: AccountState, house: HouseState, underlying: number): bigint {
  let [units, value] = [0n, 0n];
  for (const [market, { size }] of positions) if (marketOf(house, market).underlying === underlying) units += size;
  for (const [id, balance] of collaterals) {
    if (house.collaterals.get(id)?.underlying === underlying) value += (balance * saleablePrice(house, id)) / WAD;
  }
  return value + (units * priceOf(house, underlying).price) / WAD;
}
