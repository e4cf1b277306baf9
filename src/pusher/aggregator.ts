import { Contract, Interface, isCallException, isError } from "ethers";
import type { Provider } from "ethers";

import type { Call } from "../sdk/calls.ts";
import type { LastAnswer } from "./judge.ts";

const ABI = new Interface([
  "function decimals() view returns (uint8)",
  "function getOracles() view returns (address[])",
  "function latestRoundData() view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)",
  "function oracleRoundState(address oracle, uint32 queriedRoundId) view returns (bool eligible, uint32 roundId, int256 latestSubmission, uint64 startedAt, uint64 timeout, uint128 availableFunds, uint8 oracleCount, uint128 paymentAmount)",
  "function submit(uint256 roundId, int256 submission)",
]);

/** The contract that answers are to be pushed into is not what the configuration says, or does not take them from the signer. */
export class UnusableAggregator extends Error {
  readonly pair: string;
  readonly address: string;

  constructor(pair: string, address: string, problem: string) {
    super(`the aggregator ${address} of ${pair} cannot be used: ${problem}`);
    this.name = "UnusableAggregator";
    this.pair = pair;
    this.address = address;
  }
}

/** How a feed stands for one of its oracles. */
export interface AggregatorState {
  /** `undefined` before the first, and if it is not a price */
  readonly last: LastAnswer | undefined;
  /** to which the oracle would submit next */
  readonly round: number;
  /** whether it may do so now */
  readonly eligible: boolean;
  /** whether another oracle has begun that round */
  readonly isOpen: boolean;
}

/** Chainlink's FluxAggregator, which takes the median of what its oracles submit; a pusher is one of them. */
export class Aggregator {
  readonly address: string;
  readonly #contract: Contract;

  constructor(address: string, provider: Provider) {
    this.address = address;
    this.#contract = new Contract(address, ABI, provider);
  }

  /** @throws UnusableAggregator, or whatever the node throws */
  async verify(pair: string, decimals: number, oracle: string): Promise<void> {
    const fail = (problem: string) => new UnusableAggregator(pair, this.address, problem);
    let found: [bigint, string[]];
    try {
      found = await Promise.all([this.#ask<bigint>("decimals"), this.#ask<string[]>("getOracles")]);
    } catch (error) {
      if (!isCallException(error) && !isError(error, "BAD_DATA")) throw error;
      throw fail("give the address of a FluxAggregator of Chainlink on this chain");
    }
    if (Number(found[0]) !== decimals) {
      throw fail(`its answers have ${found[0]} decimals and the configuration says ${decimals}`);
    }
    if (!found[1].includes(oracle)) throw fail(`its owner must add ${oracle} by changeOracles`);
  }

  /** @throws whatever the node throws */
  async state(oracle: string): Promise<AggregatorState> {
    const [last, next] = await Promise.all([
      this.#lastAnswer(),
      this.#ask<{ eligible: boolean; roundId: bigint; startedAt: bigint }>("oracleRoundState", oracle, 0),
    ]);
    return { last, round: Number(next.roundId), eligible: next.eligible, isOpen: next.startedAt !== 0n };
  }

  submitCall(round: number, answer: bigint): Call {
    return { target: this.address, data: ABI.encodeFunctionData("submit", [round, answer]) };
  }

  async #lastAnswer(): Promise<LastAnswer | undefined> {
    try {
      const { answer, updatedAt } = await this.#ask<{ answer: bigint; updatedAt: bigint }>("latestRoundData");
      return answer > 0n ? { answer, time: updatedAt } : undefined;
    } catch (error) {
      if (isCallException(error) && error.reason === NO_ANSWER) return undefined;
      throw error;
    }
  }

  async #ask<T>(name: string, ...args: readonly unknown[]): Promise<T> {
    return (await this.#contract.getFunction(name)(...args)) as T;
  }
}

const NO_ANSWER = "No data present"; // as the contract says it
