import { Contract } from "ethers";
import type { Provider } from "ethers";

import type { PriceSnapshot } from "../risk/types.ts";
import { UnknownUnderlying } from "../risk/errors.ts";
import { NodeIncomplete } from "./client.ts";
import type { Plimsoll } from "./client.ts";
import { ContractError, withTypedErrors } from "./errors.ts";
import { unpack } from "./read.ts";

const AGGREGATOR = ["function latestRoundData() view returns (uint80, int256, uint256, uint256 updatedAt, uint80)"];

/** The feed of an underlying, and whether the house uses its price. */
export interface FeedStatus {
  /** address of the aggregator */
  readonly feed: string;
  /** [s] between its last answer and the latest block; `undefined` if it does not answer */
  readonly age: number | undefined;
  /** [s] age above which an answer is stale */
  readonly heartbeat: number;
  /** index price and regime in use; `undefined` if a guard refuses it */
  readonly snapshot: PriceSnapshot | undefined;
  /** why there is no usable price */
  readonly refusal: ContractError | undefined;
  /** the last usable price that somebody observed; `undefined` if there is none */
  readonly lastGood: LastGoodPrice | undefined;
}

/** A usable price that somebody observed. */
export interface LastGoodPrice {
  /** [wad] */
  readonly price: bigint;
  /** [s] since then */
  readonly age: number;
}

/**
 * The feed of an underlying: its age, the price in use, and why there is none.
 *
 * @param house client of the house
 * @param underlying id of the underlying
 * @returns its status at the latest block
 * @throws {@link UnknownUnderlying} if it has no feed
 * @throws {@link NodeIncomplete} if the node has no latest block
 *
 * @example
 * ```ts
 * const { age, heartbeat, refusal } = await feedStatus(house, 0);
 * console.log((age ?? 0) < heartbeat, refusal); // → true undefined
 * ```
 */
export async function feedStatus(house: Plimsoll, underlying: number): Promise<FeedStatus> {
  const { priceOracle, provider } = house;
  const { aggregator, heartbeat } = await priceOracle.feedOf(underlying);
  if (BigInt(aggregator) === 0n) throw new UnknownUnderlying(underlying);
  const [latest, good, answered, block] = await Promise.all([
    withTypedErrors(() => priceOracle.latest(underlying)).then(
      (word) => ({ snapshot: unpack(word), refusal: undefined }),
      (error: unknown) => ({ snapshot: undefined, refusal: refusalOf(error) }),
    ),
    priceOracle.lastGood(underlying),
    answeredAt(provider, aggregator),
    provider.getBlock("latest"),
  ]);
  if (block === null) throw new NodeIncomplete("latest block");
  const ageOf = (time: number) => block.timestamp - time;
  return {
    ...{ feed: aggregator, heartbeat: Number(heartbeat) },
    ...latest,
    age: answered === undefined ? undefined : ageOf(answered),
    lastGood: good.time === 0n ? undefined : { price: unpack(good.snapshot).price, age: ageOf(Number(good.time)) },
  };
}

/** Why a price is refused; what no contract has said is thrown on. */
function refusalOf(error: unknown): ContractError {
  if (error instanceof ContractError) return error;
  throw error;
}

/** When a feed has last answered [s]; `undefined` if it does not. */
export async function answeredAt(provider: Provider, feed: string): Promise<number | undefined> {
  try {
    const aggregator = new Contract(feed, AGGREGATOR, provider);
    const { updatedAt } = (await aggregator.getFunction("latestRoundData")()) as { updatedAt: bigint };
    return Number(updatedAt);
  } catch {
    return undefined;
  }
}
