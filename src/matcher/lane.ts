import { setTimeout as sleep } from "node:timers/promises";

import type { FeeData, Provider, Signer, TransactionReceipt, TransactionRequest } from "ethers";

import { shortMessage } from "../keeper/sender.ts";
import type { SenderPolicy } from "../keeper/sender.ts";
import { divUp, max, min } from "../risk/fixed.ts";
import type { Call } from "../sdk/calls.ts";
import { ContractError, withTypedErrors } from "../sdk/errors.ts";

const BUMP = 1125n; // [‰ of the last fees] nodes replace a transaction by one that pays an eighth more
const FIRST_POLL = 4; // [ms] after sending; each later one waits twice as long
const LONGEST_POLL = 250; // [ms]
const OFFER_LIFETIME = 2000; // [ms] for which a node's advice on fees is taken

/** What became of a call. */
export interface Outcome {
  /**
   * done: mined. refused: the simulation reverted. declined: the caller thought it too dear. lost: it reverted on the chain because
   * somebody else was first. failed: it could not be sent or was not mined in time.
   */
  readonly result: "done" | "refused" | "declined" | "lost" | "failed";
  readonly reason?: string;
  readonly hash?: string;
}

/** What a transaction offers for a unit of gas [wei]. */
type Fees = { readonly gasPrice: bigint } | { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint };

/** When a transaction is waited for, and what it offers. */
export type LanePolicy = Pick<SenderPolicy, "confirmTimeout" | "pollInterval" | "replaceAfter" | "maxGasPrice">;

/**
 * Simulates calls and sends them one after the other, each with the nonce that follows the last one's. One that is not mined within
 * some blocks is replaced by one that pays more; one that is given up is replaced by the next call.
 */
export class SingleLane {
  readonly #signer: Signer;
  readonly #provider: Provider;
  readonly #policy: LanePolicy;
  #nonce: number | undefined;
  #advice: { readonly fees: Fees; readonly until: number } | undefined;
  /** The nonce and the fees of a transaction that was sent and is not known to be mined. */
  #open: { readonly nonce: number; readonly fees: Fees } | undefined;

  constructor(signer: Signer, provider: Provider, policy: LanePolicy) {
    this.#signer = signer;
    this.#provider = provider;
    this.#policy = policy;
  }

  /**
   * Simulates a call and sends it if it goes through and `accept` agrees to its gas.
   * @throws whatever the node throws while nothing was sent yet
   */
  async attempt({ target, data }: Call, accept: (gas: bigint) => Promise<boolean>): Promise<Outcome> {
    const request = { to: target, data };
    let gas: bigint;
    try {
      gas = await withTypedErrors(() => this.#signer.estimateGas(request));
    } catch (error) {
      if (error instanceof ContractError) return { result: "refused", reason: error.message };
      throw error;
    }
    if (!(await accept(gas))) return { result: "declined", reason: "gas costs more than it brings" };
    try {
      return await this.#send({ ...request, gasLimit: gas + gas / 4n });
    } catch (error) {
      this.#nonce = undefined;
      return { result: "failed", reason: shortMessage(error) };
    }
  }

  async #send(request: TransactionRequest): Promise<Outcome> {
    const { nonce, fees } = await this.#place();
    const receipt = await this.#mined(request, nonce, fees);
    if (receipt === undefined) {
      this.#nonce = undefined;
      return { result: "failed", reason: `not mined within ${this.#policy.confirmTimeout} ms` };
    }
    this.#open = undefined;
    this.#nonce = nonce + 1;
    const { hash } = receipt;
    return receipt.status === 1
      ? { result: "done", hash }
      : { result: "lost", reason: "reverted when it was mined", hash };
  }

  /** The next nonce and its fees: those of a transaction that was given up and is still there, which has to be outbid. */
  async #place(): Promise<{ nonce: number; fees: Fees }> {
    const offer = await this.#offer();
    const open = this.#open;
    if (open !== undefined && (await this.#signer.getNonce("latest")) <= open.nonce) {
      return { nonce: open.nonce, fees: this.#dearer(open.fees, offer) ?? open.fees };
    }
    return { nonce: this.#nonce ?? (await this.#signer.getNonce("pending")), fees: offer };
  }

  /** Sends a transaction, and dearer ones in its place, until one of them is mined; `undefined` when time is up. */
  async #mined(request: TransactionRequest, nonce: number, first: Fees): Promise<TransactionReceipt | undefined> {
    const deadline = Date.now() + this.#policy.confirmTimeout;
    const hashes = [await this.#broadcast(request, nonce, first)];
    let fees = first;
    let sentAt: number | undefined;
    let pause = FIRST_POLL;
    for (;;) {
      for (const hash of hashes) {
        const receipt = await this.#provider.getTransactionReceipt(hash);
        if (receipt !== null) return receipt;
      }
      if (Date.now() >= deadline) return undefined;
      const block = await this.#provider.getBlockNumber();
      sentAt ??= block;
      if (block - sentAt < this.#policy.replaceAfter) {
        await sleep(pause);
        pause = Math.min(2 * pause, this.#policy.pollInterval, LONGEST_POLL);
        continue;
      }
      const more = this.#dearer(fees, await this.#offer());
      sentAt = block;
      if (more === undefined) continue;
      fees = more;
      try {
        hashes.push(await this.#broadcast(request, nonce, fees));
      } catch {
        // mined just now, or not dear enough for this node: the next turn shows
      }
    }
  }

  async #broadcast(request: TransactionRequest, nonce: number, fees: Fees): Promise<string> {
    const { hash } = await this.#signer.sendTransaction({ ...request, nonce, ...fees });
    this.#open = { nonce, fees };
    return hash;
  }

  /** Fees that a node accepts in the place of `last`, not below `offer`; `undefined` if the bound does not allow them. */
  #dearer(last: Fees, offer: Fees): Fees | undefined {
    const most = this.#policy.maxGasPrice;
    const raise = (fee: bigint, now: bigint) => max(divUp(fee * BUMP, 1000n), now);
    if ("gasPrice" in last) {
      const gasPrice = raise(last.gasPrice, "gasPrice" in offer ? offer.gasPrice : 0n);
      return gasPrice > most ? undefined : { gasPrice };
    }
    const now = "gasPrice" in offer ? { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n } : offer;
    const maxFeePerGas = raise(last.maxFeePerGas, now.maxFeePerGas);
    const maxPriorityFeePerGas = raise(last.maxPriorityFeePerGas, now.maxPriorityFeePerGas);
    return max(maxFeePerGas, maxPriorityFeePerGas) > most ? undefined : { maxFeePerGas, maxPriorityFeePerGas };
  }

  /** What the node advises to offer, within the bound. */
  async #offer(): Promise<Fees> {
    const now = Date.now();
    if (this.#advice === undefined || this.#advice.until <= now) {
      const fees = bounded(await this.#provider.getFeeData(), this.#policy.maxGasPrice);
      this.#advice = { fees, until: now + OFFER_LIFETIME };
    }
    return this.#advice.fees;
  }
}

function bounded({ gasPrice, maxFeePerGas, maxPriorityFeePerGas }: FeeData, most: bigint): Fees {
  if (maxFeePerGas === null || maxPriorityFeePerGas === null) return { gasPrice: min(gasPrice ?? 0n, most) };
  return { maxFeePerGas: min(maxFeePerGas, most), maxPriorityFeePerGas: min(maxPriorityFeePerGas, most) };
}
