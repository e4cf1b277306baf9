import type { Signer } from "ethers";

import { ALL, signInstruction } from "../matcher/signing.ts";
import type { CancelManyInstruction } from "../matcher/signing.ts";
import type { FillView, OrderView } from "../matcher/views.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { OrderVenue, SignedOrder } from "../sdk/orders.ts";
import { MatcherUnreachable, RefusedByMatcher } from "./errors.ts";
import { json } from "./output.ts";

const TIMEOUT = 15_000; // [ms]

/** Depth: price and size of each level as decimal numbers, best first. */
export interface Depth {
  readonly market: number;
  readonly bids: readonly (readonly [price: string, size: string])[];
  readonly asks: readonly (readonly [price: string, size: string])[];
}

/** What the matcher made of an order. */
export interface Placed {
  readonly order: OrderView;
  readonly sequence: number;
  readonly logHash: string;
}

/** Which orders of an owner a mass cancellation names; what is left out names no limit. */
export interface Cancellation {
  readonly owner: string;
  readonly account?: AccountId;
  readonly market?: number;
  readonly belowNonce?: bigint;
}

/** The matcher's HTTP interface. */
export class MatcherClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  place(signed: SignedOrder): Promise<Placed> {
    return this.#post("/orders", signed);
  }

  order(hash: string): Promise<OrderView> {
    return this.#ask(`/orders/${hash}`);
  }

  async openOrders(account: AccountId): Promise<readonly OrderView[]> {
    return (await this.#ask<{ orders: OrderView[] }>(`/accounts/${account.toString()}/orders`)).orders;
  }

  depth(market: number, levels: number): Promise<Depth> {
    return this.#ask(`/markets/${market}/book?depth=${levels}`);
  }

  async fills(market: number, limit: number): Promise<readonly FillView[]> {
    return (await this.#ask<{ fills: FillView[] }>(`/markets/${market}/fills?limit=${limit}`)).fills;
  }

  /** Cancels an order by its hash; returns the hashes of those that ended. */
  async cancel(signer: Signer, venue: OrderVenue, order: string): Promise<readonly string[]> {
    const signature = await signInstruction(signer, venue, { kind: "cancel", order });
    return (await this.#post<{ cancelled: string[] }>("/cancel", { order, signature })).cancelled;
  }

  /** Cancels many orders of an owner; returns the hashes of those that ended. */
  async cancelMany(signer: Signer, venue: OrderVenue, which: Cancellation): Promise<readonly string[]> {
    const instruction: CancelManyInstruction = {
      owner: which.owner,
      account: which.account ?? ALL,
      market: which.market === undefined ? ALL : BigInt(which.market),
      belowNonce: which.belowNonce ?? ALL,
      stamp: Date.now(),
    };
    const signature = await signInstruction(signer, venue, { kind: "cancelMany", ...instruction });
    return (await this.#post<{ cancelled: string[] }>("/cancel-many", { ...instruction, signature })).cancelled;
  }

  #post<T>(path: string, body: unknown): Promise<T> {
    return this.#ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: json(body) });
  }

  async #ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    let answer: unknown;
    let status: number;
    try {
      const response = await fetch(this.#url + path, { ...init, signal: AbortSignal.timeout(TIMEOUT) });
      status = response.status;
      answer = await response.json();
    } catch (error) {
      throw new MatcherUnreachable(this.#url, reasonOf(error));
    }
    if (status >= 200 && status < 300) return answer as T;
    throw refusal(this.#url, status, answer);
  }
}

function refusal(url: string, status: number, answer: unknown): Error {
  if (typeof answer !== "object" || answer === null) return new MatcherUnreachable(url, `it answers ${status}`);
  const { error, message, ...fields } = answer as Record<string, unknown>;
  if (typeof error !== "string") return new MatcherUnreachable(url, `it answers ${status}`);
  return new RefusedByMatcher(status, error, typeof message === "string" ? message : error, fields);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}
