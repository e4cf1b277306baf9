import { setTimeout as sleep } from "node:timers/promises";

import type { Provider } from "ethers";

import { Exchange__factory, IClearingHouse__factory } from "../../types/index.ts";
import { abs, min, positive, PPM, WAD } from "../risk/fixed.ts";
import type { MarketTerms } from "../risk/cure.ts";
import { marketOf } from "../risk/house.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { MatcherClient } from "../sdk/matcher.ts";
import type { Depth, OrderView } from "../sdk/matcher.ts";
import { buildOrder, LOT, signOrder } from "../sdk/orders.ts";
import { readMarketTerms } from "../sdk/read.ts";
import { parseWad } from "../sdk/units.ts";
import type { KeeperSigner } from "./signer.ts";

const QUOTE_INTERVAL = 1000; // [ms] between two looks at the venue
const QUOTE_LIFETIME = 5000; // [ms] after which what was seen there counts for nothing
const ORDER_LIFETIME = 60n; // [s]
const SETTLEMENT_TIMEOUT = 30_000; // [ms]
const POLL = 100; // [ms] between two looks at an order

/** What a venue would do now with a size. */
export interface Quote {
  /** [wad] how much of it would be traded, without a sign */
  readonly traded: bigint;
  /** [wad] USD that this costs against the index price, fees included */
  readonly cost: bigint;
}

const NOTHING: Quote = { traded: 0n, cost: 0n };

/** Where the taker gets rid of what it has taken over. */
export interface HedgeVenue {
  /**
   * What trading `size` [wad, positive buys] would cost, by what was last seen of the venue: it never waits.
   * @param index price [wad]
   */
  quote(market: number, size: bigint, index: bigint): Quote;
  /** Looks at the venue if that is due. */
  refresh(): Promise<void>;
  /**
   * Shrinks the taker's position by `size` [wad, positive buys], as far as that is possible at once.
   * @param index price [wad]
   * @returns [wad] how much was traded, without a sign
   * @throws MatcherRefusal, MatcherUnreachable, or whatever the node or the signer throws
   */
  trade(market: number, size: bigint, index: bigint): Promise<bigint>;
}

/** What was taken over is kept. */
export class NoHedge implements HedgeVenue {
  quote(): Quote {
    return NOTHING;
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  trade(): Promise<bigint> {
    return Promise.resolve(0n);
  }
}

/** What hedging at a matcher needs. */
export interface MatcherHedgeOptions {
  /** Address of the matcher. */
  readonly url: string;
  /** [ppm] of the index price by which an order's worst price is worse. */
  readonly slippage: bigint;
  readonly provider: Provider;
  readonly signer: KeeperSigner;
  readonly addressBook: AddressBook;
  /** Whose position is hedged. */
  readonly account: AccountId;
  /** [ms] The process's own clock, unless another one is given. */
  readonly now?: () => number;
}

/** Hedges by reduce-only orders that never rest, at a Plimsoll matcher. */
export class MatcherHedge implements HedgeVenue {
  readonly #options: MatcherHedgeOptions;
  readonly #matcher: MatcherClient;
  readonly #now: () => number;
  readonly #depths = new Map<number, Depth>();
  #terms: ReadonlyMap<number, MarketTerms> = new Map();
  #asked = -Infinity; // [ms]
  #seen = -Infinity; // [ms]
  #lastNonce = 0n;

  constructor(options: MatcherHedgeOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#matcher = new MatcherClient(options.url, options.addressBook);
  }

  quote(market: number, size: bigint, index: bigint): Quote {
    const [depth, terms] = [this.#depths.get(market), this.#terms.get(market)];
    const isOld = this.#now() - this.#seen > QUOTE_LIFETIME;
    if (depth === undefined || terms === undefined || isOld || abs(size) < terms.minFill) return NOTHING;
    const [levels, worst] = [size > 0n ? depth.asks : depth.bids, this.#worst(size, index)];
    let [traded, cost] = [0n, 0n];
    for (const [priceText, sizeText] of levels) {
      const price = parseWad(priceText);
      if (size > 0n ? price > worst : price < worst) break;
      const part = min(parseWad(sizeText), abs(size) - traded);
      traded += part;
      cost += (part * positive(size > 0n ? price - index : index - price)) / WAD;
    }
    return { traded, cost: cost + (traded * index * terms.takerFee) / (WAD * PPM) };
  }

  async refresh(): Promise<void> {
    const now = this.#now();
    if (now - this.#asked < QUOTE_INTERVAL) return;
    this.#asked = now;
    const { markets } = this.#options.addressBook;
    if (this.#terms.size === 0) this.#terms = await this.#readTerms();
    const depths = await Promise.all(markets.map(({ id }) => this.#matcher.depth(id)));
    for (const depth of depths) this.#depths.set(depth.market, depth);
    this.#seen = now;
  }

  async trade(market: number, size: bigint, index: bigint): Promise<bigint> {
    const lots = size - (size % LOT);
    if (lots === 0n) return 0n;
    const { provider, signer, addressBook, account } = this.#options;
    const exchange = Exchange__factory.connect(addressBook.contracts.exchange, provider);
    const [{ epoch }, block] = await Promise.all([exchange.ownerState(ownerOf(account)), provider.getBlock("latest")]);
    const time = block?.timestamp ?? Math.floor(Date.now() / 1000);
    const terms = { size: lots, limitPrice: this.#worst(size, index), expiry: BigInt(time) + ORDER_LIFETIME };
    const order = buildOrder({
      ...{ ...terms, account, market: BigInt(market), nonce: this.#nextNonce(), epoch, reduceOnly: true },
    });
    const placed = await this.#matcher.place({ order, signature: await signOrder(signer, addressBook, order) });
    return this.#settled(placed.order);
  }

  /** Waits until what was filled is on the chain. */
  async #settled(view: OrderView): Promise<bigint> {
    const deadline = performance.now() + SETTLEMENT_TIMEOUT;
    let order = view;
    while (order.settled !== order.filled && performance.now() < deadline) {
      await sleep(POLL);
      order = await this.#matcher.order(order.hash);
    }
    return parseWad(order.settled);
  }

  #worst(size: bigint, index: bigint): bigint {
    const { slippage } = this.#options;
    return (index * (size > 0n ? PPM + slippage : PPM - slippage)) / PPM;
  }

  async #readTerms(): Promise<ReadonlyMap<number, MarketTerms>> {
    const { provider, addressBook } = this.#options;
    const clearingHouse = IClearingHouse__factory.connect(addressBook.contracts.clearingHouse, provider);
    return readMarketTerms({ clearingHouse }, addressBook, await provider.getBlockNumber());
  }

  /** Later than any of a process before this one. */
  #nextNonce(): bigint {
    const now = BigInt(Date.now());
    return (this.#lastNonce = now > this.#lastNonce ? now : this.#lastNonce + 1n);
  }
}

/** What a taker holds in a market beyond its limit. */
export interface Excess {
  readonly market: number;
  /** [wad] what to trade to be rid of it, positive buys */
  readonly size: bigint;
  /** [wad] */
  readonly index: bigint;
}

/**
 * Positions that are larger than `limit` [wad USD of notional], where there is a price.
 * @throws UnknownMarket
 */
export function excessesOf({ positions }: AccountState, house: HouseState, limit: bigint): Excess[] {
  return [...positions].flatMap(([market, { size }]) => {
    const index = house.prices.get(marketOf(house, market).underlying)?.price;
    if (index === undefined) return [];
    const excess = abs(size) - (limit * WAD) / index;
    return excess < LOT ? [] : [{ market, size: size > 0n ? -excess : excess, index }];
  });
}
