import { MaxUint256 } from "ethers";
import type { TransactionReceipt } from "ethers";

import { max } from "../risk/fixed.ts";
import type { Call } from "../sdk/calls.ts";
import type { Fees } from "./fees.ts";

/** Of a transaction that only uses up its nonce. */
export const CANCEL_GAS = 21_000n;

/** A signed transaction, written down before it leaves. */
export interface SentTransaction extends Fees {
  readonly hash: string;
  readonly raw: string;
  /** cancel: sends nothing to its own sender, only to use up the nonce. */
  readonly kind: "call" | "cancel";
  /** [wei] Most that it can cost. */
  readonly cost: bigint;
  /** [ms since 1970] When it was signed. */
  readonly time: number;
}

/** The block that a transaction of a lane is in, and what it took. */
export interface Mined {
  readonly hash: string;
  readonly block: number;
  readonly blockHash: string;
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  /** [wei] */
  readonly gasPrice: bigint;
  /** [wei] */
  readonly cost: bigint;
}

/** Why a lane's call is to have no effect any more. */
export interface GivenUp {
  readonly result: "outcompeted" | "failed" | "dropped";
  readonly reason: string;
}

/** A nonce and what is sent with it: a call, dearer ones in its place, a cancellation. At most one of them is ever mined. */
export interface Lane {
  readonly nonce: number;
  /** Empty for a nonce that somebody else has used, or that has to be used up. */
  readonly purpose: string;
  readonly call: Call;
  readonly gasLimit: bigint;
  /** [wei] What the call brings before gas. */
  readonly expectedGain: bigint | undefined;
  readonly sent: SentTransaction[];
  givenUp: GivenUp | undefined;
  mined: Mined | undefined;
  /** Nothing will change any more. */
  final: boolean;
  /** [s] The chain's time when the nonce was seen to be used up. */
  settledAt: number | undefined;
}

/** What became of a call. */
export interface Outcome {
  /**
   * done: mined. refused: the simulation reverted. declined: too dear, or over the spending limit. outcompeted: somebody else was
   * first, seen in the simulation or by a revert on the chain. failed: it could not be sent. dropped: not mined in time, its nonce is
   * used up by a cancellation.
   */
  readonly result: "done" | "refused" | "declined" | "outcompeted" | "failed" | "dropped";
  readonly reason?: string;
  readonly hash?: string;
  /** Number of the block that it was mined in. */
  readonly block?: number;
  readonly gasUsed?: bigint;
  /** [wei] of a unit of gas */
  readonly gasPrice?: bigint;
  /** [wei] All that was paid, the fee for data included. */
  readonly cost?: bigint;
}

/** A lane in which nothing was sent yet. */
export function newLane(
  nonce: number,
  of: Pick<Lane, "purpose" | "call" | "gasLimit"> & { expectedGain?: bigint | undefined },
): Lane {
  const nothing = { givenUp: undefined, mined: undefined, final: false, settledAt: undefined };
  return { nonce, expectedGain: undefined, ...of, sent: [], ...nothing };
}

/** Whether it is not known yet what has used up its nonce. */
export function isOpen({ mined, final }: Lane): boolean {
  return mined === undefined && !final;
}

/** Whether the purpose of a lane may be tried again: nothing that was sent for it has an effect, or can have one. */
export function isFree(lane: Lane): boolean {
  return !isOpen(lane) && outcomeOf(lane)?.result !== "done";
}

/** [wei] Most that a lane can cost. */
export function committed({ sent }: Lane): bigint {
  return sent.reduce((most, { cost }) => max(most, cost), 0n);
}

/** [wei] Most that a unit of gas may cost for a call to bring more than it costs. */
export function worth({ expectedGain, gasLimit, sent }: Lane): bigint {
  const last = sent.at(-1);
  if (expectedGain === undefined || last === undefined) return MaxUint256;
  const dataFee = last.cost - gasLimit * last.maxFeePerGas;
  return (expectedGain - dataFee) / gasLimit;
}

/** What became of a lane; `undefined` while its nonce is not used up. */
export function outcomeOf({ mined, final, givenUp, sent }: Lane): Outcome | undefined {
  if (mined === undefined) return final ? givenUp : undefined;
  const { hash, block, gasUsed, gasPrice, cost } = mined;
  const spent = { hash, block, gasUsed, gasPrice, cost };
  const isCall = sent.find((one) => one.hash === hash)?.kind === "call";
  if (isCall && mined.succeeded) return { result: "done", ...spent };
  if (isCall) return { result: "outcompeted", reason: "reverted when it was mined", ...spent };
  return { ...(givenUp ?? { result: "dropped", reason: "cancelled" }), ...spent };
}

/** What a receipt tells of one of the transactions of a lane. */
export function minedOf(receipt: TransactionReceipt, { sent, gasLimit }: Lane): Mined {
  const { hash, blockNumber: block, blockHash, status, gasUsed, gasPrice } = receipt;
  const one = sent.find((each) => each.hash === hash);
  const limit = one?.kind === "cancel" ? CANCEL_GAS : gasLimit;
  const dataFee = one === undefined ? 0n : one.cost - limit * one.maxFeePerGas;
  return { hash, block, blockHash, succeeded: status === 1, gasUsed, gasPrice, cost: gasUsed * gasPrice + dataFee };
}

/** What tells one outcome from another. */
export function signature(outcome: Outcome | undefined): string {
  return outcome === undefined ? "" : `${outcome.result} ${outcome.hash ?? ""}`;
}
