import type { Signer } from "ethers";

import { PlimsollError } from "../risk/plimsollError.ts";
import type { AccountId } from "./accountId.ts";
import { ANY, signInstruction } from "./instructions.ts";
import type { CancelManyInstruction } from "./instructions.ts";
import type { OrderVenue, SignedOrder } from "./orders.ts";
import { REFUSALS } from "./refusals.ts";
import type { RefusalName } from "./refusals.ts";

const TIMEOUT = 15_000; // [ms]

/** An order as a matcher tells of it: amounts are decimal numbers. */
export interface OrderView {
  /** that its owner has signed */
  readonly hash: string;
  /** account id as a decimal number */
  readonly account: string;
  /** id of the market */
  readonly market: number;
  /** what it does */
  readonly side: "buy" | "sell";
  /** units */
  readonly size: string;
  /** worst price in USD per unit */
  readonly limitPrice: string;
  /** index price at or above which it fills; 0 = any */
  readonly triggerAbove: string;
  /** index price at or below which it fills; 0 = any */
  readonly triggerBelow: string;
  /** USD for who settles the whole of it */
  readonly executionFee: string;
  /** [s] last second at which it can fill */
  readonly expiry: number;
  /** orders of one account and nonce share one size */
  readonly nonce: string;
  /** whether it rests in the book */
  readonly resting: boolean;
  /** whether it only ever makes */
  readonly postOnly: boolean;
  /** whether it only ever shrinks the position */
  readonly reduceOnly: boolean;
  /** whether it fills whole or not at all */
  readonly fillOrKill: boolean;
  /** [ms] when it was taken */
  readonly placed: number;
  /** how it stands; held: it is live, but waits outside the book for its trigger or for something to take */
  readonly state: "open" | "held" | "filled" | "cancelled" | "expired";
  /** units that can still fill */
  readonly open: string;
  /** units filled by the book */
  readonly filled: string;
  /** of these, settled on the chain */
  readonly settled: string;
  /** why it ended or is held */
  readonly reason?: string;
  /** the contract's error */
  readonly detail?: string;
}

/** A fill as a matcher tells of it: amounts are decimal numbers. */
export interface FillView {
  /** its number */
  readonly fill: number;
  /** id of the market */
  readonly market: number;
  /** hash of the resting order */
  readonly maker: string;
  /** hash of the taking order */
  readonly taker: string;
  /** of the taker */
  readonly side: "buy" | "sell";
  /** units */
  readonly size: string;
  /** USD per unit */
  readonly price: string;
  /** [ms] when it was made */
  readonly time: number;
  /** whether the chain has made it too */
  readonly state: "pending" | "settled" | "failed";
  /** hash of the transaction that settled it */
  readonly transaction?: string;
  /** why the chain refused it */
  readonly reason?: string;
}

/** Price and size of a level of the book as decimal numbers. */
export type Level = readonly [price: string, size: string];

/** Depth of a market, best levels first. */
export interface Depth {
  /** id of the market */
  readonly market: number;
  /** who buys */
  readonly bids: readonly Level[];
  /** who sells */
  readonly asks: readonly Level[];
}

/** What a matcher made of an order. */
export interface Placed {
  /** how it stands */
  readonly order: OrderView;
  /** its place in the matcher's log */
  readonly sequence: number;
  /** running hash of the log after it, which settlements carry to the chain */
  readonly logHash: string;
}

/** Which orders of an owner a mass cancellation names; what is left out names no limit. */
export interface Cancellation {
  /** whose orders they are */
  readonly owner: string;
  /** of this account only */
  readonly account?: AccountId;
  /** of this market only */
  readonly market?: number;
  /** of lower nonces only */
  readonly belowNonce?: bigint;
}

/** A matcher refused. */
export class MatcherRefusal extends PlimsollError {
  override readonly name = "MatcherRefusal";
  /** why */
  readonly reason: RefusalName;
  /** of the HTTP answer */
  readonly status: number;
  /** the numbers that belong to the reason */
  readonly fields: Readonly<Record<string, unknown>>;

  /**
   * @param reason why
   * @param status of the HTTP answer
   * @param message the same for people
   * @param fields the numbers that belong to the reason
   */
  constructor(reason: RefusalName, status: number, message: string, fields: Readonly<Record<string, unknown>>) {
    super(message);
    this.reason = reason;
    this.status = status;
    this.fields = fields;
  }
}

/** Nobody answers as a matcher does at an address. */
export class MatcherUnreachable extends PlimsollError {
  override readonly name = "MatcherUnreachable";
  /** where nobody answers */
  readonly url: string;

  /**
   * @param url where nobody answers
   * @param reason what came instead of an answer
   */
  constructor(url: string, reason: string) {
    super(`no matcher answers at ${url} (${reason})`);
    this.url = url;
  }
}

/**
 * A client of a matcher. What the matcher refuses is thrown as {@link MatcherRefusal}; its answers are read as they come, so use a matcher
 * that you trust, or compare hashes: it can delay an order, and tell untruths, but neither alter an order nor overfill it.
 *
 * @example
 * ```ts
 * const matcher = new MatcherClient(matcherUrl, addressBook);
 * const ask = await house.order({ account, market: 0, size: "-4", limitPrice: "2000", nonce: 7n, resting: true });
 * const { order } = await matcher.place(ask);
 * console.log(order.state, order.open); // → open 4
 * try {
 *   await matcher.place(ask);
 * } catch (error) {
 *   if (error instanceof MatcherRefusal) console.log(error.reason); // → Duplicate
 * }
 * ```
 */
export class MatcherClient {
  readonly #url: string;
  readonly #venue: OrderVenue;
  #stamp = 0;

  /**
   * @param url where the matcher serves, such as "http://127.0.0.1:8080"
   * @param venue exchange that it settles at
   */
  constructor(url: string, venue: OrderVenue) {
    this.#url = url.replace(/\/$/, "");
    this.#venue = venue;
  }

  /**
   * Places an order.
   *
   * @param signed order and signature
   * @returns the order, and its place in the matcher's log
   * @throws {@link MatcherRefusal} if the matcher refuses
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * const terms = { account, market: 0, limitPrice: "1990", resting: true, postOnly: true };
   * const { order } = await matcher.place(await house.order({ ...terms, size: "1", nonce: 7n }));
   * console.log(order.side, order.state); // → buy open
   * ```
   */
  place(signed: SignedOrder): Promise<Placed> {
    return this.#post("/orders", signed);
  }

  /**
   * An order that is open or has ended lately.
   *
   * @param hash of the order
   * @returns how it stands
   * @throws {@link MatcherRefusal} if the matcher does not know it
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * const bid = await house.order({ account, market: 0, size: "1", limitPrice: "1990", nonce: 7n });
   * await matcher.place(bid);
   * const { state, reason } = await matcher.order(hashOrder(addressBook, bid.order));
   * console.log(state, reason); // → cancelled immediateOrCancel
   * ```
   */
  order(hash: string): Promise<OrderView> {
    return this.#ask(`/orders/${hash}`);
  }

  /**
   * The open orders of an account, held ones included.
   *
   * @param account whose orders
   * @returns all of them
   * @throws {@link MatcherRefusal} if the matcher refuses
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * console.log((await matcher.openOrders(account)).length); // → 0
   * ```
   */
  async openOrders(account: AccountId): Promise<readonly OrderView[]> {
    return (await this.#ask<{ orders: OrderView[] }>(`/accounts/${account.toString()}/orders`)).orders;
  }

  /**
   * Depth of a market.
   *
   * @param market id of the market
   * @param levels of each side, 1 to 1000
   * @returns prices and sizes
   * @throws {@link MatcherRefusal} if the matcher refuses
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * await matcher.place(await house.order({ account, market: 0, size: "-4", limitPrice: "2000", nonce: 7n, resting: true }));
   * const { asks } = await matcher.depth(0);
   * console.log(asks); // → [ [ '2000', '4' ] ]
   * ```
   */
  depth(market: number, levels = 50): Promise<Depth> {
    return this.#ask(`/markets/${market}/book?depth=${levels}`);
  }

  /**
   * Recent fills of a market.
   *
   * @param market id of the market
   * @param limit how many, 1 to 1000
   * @returns the fills, newest last
   * @throws {@link MatcherRefusal} if the matcher refuses
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * console.log(await matcher.fills(0)); // → []
   * ```
   */
  async fills(market: number, limit = 100): Promise<readonly FillView[]> {
    return (await this.#ask<{ fills: FillView[] }>(`/markets/${market}/fills?limit=${limit}`)).fills;
  }

  /**
   * Cancels an order at this matcher. Whoever has it can still settle it, until it is cancelled on the chain.
   *
   * @param signer owner of the order, or a key of his that may cancel
   * @param order its hash
   * @returns the hashes of the orders that ended
   * @throws {@link MatcherRefusal} if the matcher refuses
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * const bid = await house.order({ account, market: 0, size: "1", limitPrice: "1990", nonce: 7n, resting: true });
   * const { order } = await matcher.place(bid);
   * console.log((await matcher.cancel(alice, order.hash)).length); // → 1
   * ```
   */
  async cancel(signer: Signer, order: string): Promise<readonly string[]> {
    const signature = await signInstruction(signer, this.#venue, { kind: "cancel", order });
    return (await this.#post<{ cancelled: string[] }>("/cancel", { order, signature })).cancelled;
  }

  /**
   * Cancels many orders of an owner at this matcher.
   *
   * @param signer the owner, or a key of his that may cancel
   * @param which of his orders
   * @returns the hashes of the orders that ended
   * @throws {@link MatcherRefusal} if the matcher refuses
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * const terms = { account, market: 0, size: "1", limitPrice: "1990", resting: true };
   * for (const nonce of [7n, 8n, 9n]) await matcher.place(await house.order({ ...terms, nonce }));
   * const ended = await matcher.cancelMany(alice, { owner: alice.address, belowNonce: 9n });
   * console.log(ended.length); // → 2
   * ```
   */
  async cancelMany(signer: Signer, which: Cancellation): Promise<readonly string[]> {
    const instruction: CancelManyInstruction = {
      owner: which.owner,
      account: which.account ?? ANY,
      market: which.market === undefined ? ANY : BigInt(which.market),
      belowNonce: which.belowNonce ?? ANY,
      stamp: this.#nextStamp(),
    };
    const signature = await signInstruction(signer, this.#venue, { kind: "cancelMany", ...instruction });
    return (await this.#post<{ cancelled: string[] }>("/cancel-many", { ...instruction, signature })).cancelled;
  }

  /**
   * Asks this matcher to cancel all orders of an owner unless it hears from him again in time.
   *
   * @param signer the owner, or a key of his that may trade
   * @param owner whose orders
   * @param timeout [ms] after which they end; 0 asks for it no more
   * @returns [ms] when they will end, `null` if never
   * @throws {@link MatcherRefusal} if the matcher refuses
   * @throws {@link MatcherUnreachable} if no matcher answers
   *
   * @example
   * ```ts
   * const matcher = new MatcherClient(matcherUrl, addressBook);
   * const deadline = await matcher.heartbeat(alice, alice.address, 60_000);
   * console.log(deadline !== null && deadline > Date.now()); // → true
   * ```
   */
  async heartbeat(signer: Signer, owner: string, timeout: number): Promise<number | null> {
    const instruction = { owner, timeout, stamp: this.#nextStamp() };
    const signature = await signInstruction(signer, this.#venue, { kind: "heartbeat", ...instruction });
    return (await this.#post<{ deadline: number | null }>("/heartbeat", { ...instruction, signature })).deadline;
  }

  /** [ms] now, but later than the last one: a matcher refuses what is not newer. */
  #nextStamp(): number {
    return (this.#stamp = Math.max(Date.now(), this.#stamp + 1));
  }

  #post<T>(path: string, body: unknown): Promise<T> {
    const text = JSON.stringify(body, (_, x: unknown) => (typeof x === "bigint" ? x.toString() : x));
    return this.#ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: text });
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

function refusal(url: string, status: number, answer: unknown): PlimsollError {
  if (typeof answer !== "object" || answer === null) return new MatcherUnreachable(url, `it answers ${status}`);
  const { error, message, ...fields } = answer as Record<string, unknown>;
  if (!isRefusal(error)) return new MatcherUnreachable(url, `it answers ${status} ${String(error)}`);
  return new MatcherRefusal(error, status, typeof message === "string" ? message : error, fields);
}

function isRefusal(name: unknown): name is RefusalName {
  return typeof name === "string" && Object.hasOwn(REFUSALS, name);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}
