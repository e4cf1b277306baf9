import { isError } from "ethers";
import type { Signer, TransactionReceipt, TransactionRequest } from "ethers";

import type { Call } from "../sdk/calls.ts";
import { ContractError, withTypedErrors } from "../sdk/errors.ts";

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

/** Simulates calls and sends them one after the other, each with the nonce that follows the last one's. */
export class Sender {
  readonly #signer: Signer;
  readonly #timeout: number;
  #nonce: number | undefined;

  /** @param timeout [ms] how long to wait for a transaction to be mined */
  constructor(signer: Signer, timeout: number) {
    this.#signer = signer;
    this.#timeout = timeout;
  }

  /**
   * Simulates a call and sends it if it goes through and `accept` agrees to its gas.
   * @throws whatever the node throws while nothing was sent yet
   */
  async attempt({ target, data }: Call, accept: (gas: bigint) => Promise<boolean>): Promise<Outcome> {
    const request = { to: target, data };
    let gas: bigint;
    try {
      await withTypedErrors(() => this.#signer.call(request));
      gas = await withTypedErrors(() => this.#signer.estimateGas(request));
    } catch (error) {
      if (error instanceof ContractError) return { result: "refused", reason: error.message };
      throw error;
    }
    if (!(await accept(gas))) return { result: "declined", reason: "gas costs more than it brings" };
    return this.#send({ ...request, gasLimit: gas + gas / 4n });
  }

  async #send(request: TransactionRequest): Promise<Outcome> {
    try {
      const receipt = await this.#mined(request);
      return { result: "done", ...(receipt !== null && { hash: receipt.hash }) };
    } catch (error) {
      this.#nonce = undefined;
      if (isError(error, "CALL_EXCEPTION")) {
        const hash = error.receipt?.hash;
        return { result: "lost", reason: "reverted when it was mined", ...(hash !== undefined && { hash }) };
      }
      return { result: "failed", reason: shortMessage(error) };
    }
  }

  async #mined(request: TransactionRequest): Promise<TransactionReceipt | null> {
    this.#nonce ??= await this.#signer.getNonce("pending");
    const sent = await this.#signer.sendTransaction({ ...request, nonce: this.#nonce });
    this.#nonce += 1;
    return sent.wait(1, this.#timeout);
  }
}

/** What ethers says in one line, without the request that it appends. */
export function shortMessage(error: unknown): string {
  if (typeof error === "object" && error !== null && "shortMessage" in error) return String(error.shortMessage);
  return error instanceof Error ? error.message : String(error);
}
