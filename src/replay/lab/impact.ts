import type { Asset } from "../path.ts";
import type { Scenario } from "./scenario.ts";

/** By what share of itself the price of each asset is moved, and when that was last computed [s]: all that an `Impact` remembers. */
export type ImpactState = Record<Asset, { offset: number; time: number }>;

const FLOOR = -0.9; // a price never falls further
const UNIT = 1e9; // steps of an offset, so that prices stay integers

/** A market that nobody has moved at `time` [s]. */
export function noImpact(time: number): ImpactState {
  return { ETH: { offset: 0, time }, BTC: { offset: 0, time } };
}

/** How sales of what was liquidated move prices: by a fraction of notional over depth, decaying with a half-life. */
export class Impact {
  readonly #terms: Scenario["impact"];
  readonly #state: ImpactState;
  /** [USD] by asset */
  readonly #depth: Readonly<Record<Asset, number>>;

  constructor(terms: Scenario["impact"], depth: Readonly<Record<Asset, number>>, state: ImpactState) {
    this.#terms = terms;
    this.#depth = depth;
    this.#state = state;
  }

  /** Sells `notional` [USD] (negative: buys) at `time` [s]. */
  sell(asset: Asset, notional: number, time: number): void {
    if (this.#terms.fraction === 0) return;
    const moved = this.offsetAt(asset, time) - (this.#terms.fraction * notional) / this.#depth[asset];
    this.#state[asset] = { offset: Math.max(moved, FLOOR), time };
  }

  /** Share by which the price is moved at `time` [s]. */
  offsetAt(asset: Asset, time: number): number {
    const { offset, time: last } = this.#state[asset];
    if (offset === 0 || this.#terms.halfLife === 0) return time === last ? offset : 0;
    return offset * 2 ** ((last - time) / this.#terms.halfLife);
  }

  /** A price as it is moved. */
  move(asset: Asset, price: bigint, time: number): bigint {
    const offset = this.offsetAt(asset, time);
    return offset === 0 ? price : price + (price * BigInt(Math.round(offset * UNIT))) / BigInt(UNIT);
  }
}
