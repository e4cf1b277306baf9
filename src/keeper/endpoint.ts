import type { JsonRpcError, JsonRpcPayload, JsonRpcResult } from "ethers";
import { z } from "zod";

import { WrongChain } from "../sdk/client.ts";

const WEIGHT = 0.2; // of the newest observation in a moving average
const BLOCK_PENALTY = 250; // [ms] of latency that a block of lag counts for
const ASIDE = 60_000; // [ms] for which an endpoint that is not believed is left alone
const FIRST_REST = 250; // [ms] after a failure; twice as long after each further one
const LONGEST_REST = 30_000; // [ms]
const RATE_REST = 1000; // [ms] after a 429 that does not say how long
const LONGEST_RATE_REST = 60_000; // [ms] whatever a 429 says
const UNABLE_NOW = -32005; // of JSON-RPC: limit exceeded
const UNKNOWN_METHOD = -32601; // likewise: method not found
/** Codes by which a node says that it cannot answer now, or not this. */
const UNABLE = [UNABLE_NOW, UNKNOWN_METHOD, 429];
/** What nodes say that have not got so far, or do not keep so much. */
const UNABLE_TEXT = /header not found|missing trie node|rate limit|too many requests/i;

/** How an endpoint does. */
export interface EndpointHealth {
  /** Its host: the rest of the address may hold a secret. */
  readonly name: string;
  readonly state: "unchecked" | "healthy" | "resting" | "aside" | "wrongChain";
  /** share of requests that were answered, the newest count most */
  readonly success: number;
  /** [ms] moving average */
  readonly latency: number;
  /** the last block that it has told of, −1 before that */
  readonly head: number;
  /** blocks that it is behind the best */
  readonly lag: number;
}

/** What a node answers to one request. */
export type Answer = JsonRpcResult | JsonRpcError;

/** In the place of an answer that a node has left out. */
export const NO_ANSWER: Answer = { id: 0, error: { code: UNABLE_NOW, message: "no answer" } };

/** A node, what is known of it, and one way to it. */
export class Endpoint {
  readonly name: string;
  head = -1;
  wrongChain: number | undefined;
  readonly #url: string;
  readonly #timeout: number;
  #isRationed = false;
  #verified: Promise<void> | undefined;
  #isVerified = false;
  #success = 1;
  #latency: number | undefined; // [ms]
  #failures = 0; // in a row
  #restUntil = 0; // [ms] of performance.now()
  #asideUntil = 0; // [ms] of performance.now()

  constructor(url: string, timeout: number) {
    this.#url = url;
    this.name = new URL(url).host;
    this.#timeout = timeout;
  }

  get isUsable(): boolean {
    return this.wrongChain === undefined && this.#asideUntil <= performance.now();
  }

  /** [ms] */
  get restsFor(): number {
    return this.#restUntil - performance.now();
  }

  /** Rests because it was asked too often: it must not be asked before its time. */
  get isLimited(): boolean {
    return this.#isRationed && this.restsFor > 0;
  }

  get state(): EndpointHealth["state"] {
    if (this.wrongChain !== undefined) return "wrongChain";
    if (!this.isUsable) return "aside";
    if (this.restsFor > 0) return "resting";
    return this.#isVerified ? "healthy" : "unchecked";
  }

  health(best: number): EndpointHealth {
    const { name, state, head } = this;
    return { name, state, success: this.#success, latency: this.#latency ?? 0, head, lag: this.#lag(best) };
  }

  /** [ms] Less is better. */
  score(best: number): number {
    return (this.#latency ?? 0) / Math.max(this.#success, 0.01) ** 2 + this.#lag(best) * BLOCK_PENALTY + 1;
  }

  putAside(): void {
    this.#asideUntil = performance.now() + ASIDE;
    this.head = -1;
  }

  /** Asks for its chain before anything else, once. @throws WrongChain if it is of another one than that */
  async verify(chainId: number | undefined): Promise<void> {
    if (chainId === undefined) return;
    this.#verified ??= this.#askChain(chainId).catch((error: unknown) => {
      this.#verified = undefined;
      throw error;
    });
    await this.#verified;
  }

  /** One answer to each. @throws whatever is in the way of them */
  async request(payloads: readonly JsonRpcPayload[]): Promise<Answer[]> {
    const begun = performance.now();
    try {
      const answers = await this.#post(payloads);
      this.#count(answers.every(isAble));
      return answers;
    } catch (error) {
      this.#count(false);
      throw error;
    } finally {
      this.#latency = average(this.#latency, performance.now() - begun);
    }
  }

  async #askChain(expected: number): Promise<void> {
    const [answer = NO_ANSWER] = await this.request([{ jsonrpc: "2.0", id: 0, method: "eth_chainId", params: [] }]);
    if ("error" in answer) throw new BadAnswer("does not say which chain it is of");
    const chainId = Number(answer.result);
    if (chainId !== expected) this.wrongChain = chainId;
    if (chainId !== expected) throw new WrongChain(chainId, expected);
    this.#isVerified = true;
  }

  async #post(payloads: readonly JsonRpcPayload[]): Promise<Answer[]> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(payloads.length === 1 ? payloads[0] : payloads),
      signal: AbortSignal.timeout(this.#timeout),
    });
    if (response.status === 429) this.#rest(retryAfter(response), true);
    if (!response.ok && response.status !== 400) throw new BadAnswer(`HTTP ${response.status}`);
    const { data } = answersSchema.safeParse(await response.json());
    const byId = new Map(data?.map((answer) => [answer.id, answer]));
    return payloads.map(({ id }) => {
      const answer = byId.get(id);
      if (answer === undefined) throw new BadAnswer("no JSON-RPC");
      return answer;
    });
  }

  #count(isGood: boolean): void {
    this.#success = average(this.#success, isGood ? 1 : 0);
    this.#failures = isGood ? 0 : this.#failures + 1;
    if (isGood) this.#rest(0, false);
    else if (this.restsFor <= 0) this.#rest(Math.min(FIRST_REST * 2 ** (this.#failures - 1), LONGEST_REST), false);
  }

  #rest(time: number, isRationed: boolean): void {
    this.#restUntil = performance.now() + time;
    this.#isRationed = isRationed;
  }

  #lag(best: number): number {
    return this.head < 0 ? 0 : Math.max(0, best - this.head);
  }
}

/** What a node has sent is no answer. */
export class BadAnswer extends Error {
  override readonly name = "BadAnswer";
}

const answerSchema = z.union([
  z.object({ id: z.number(), result: z.unknown().refine((result) => result !== undefined) }),
  z.object({ id: z.number(), error: z.looseObject({ code: z.number(), message: z.string().default("") }) }),
]);

/** To one request or to a batch, in any order. */
const answersSchema = z.union([z.array(answerSchema), answerSchema.transform((answer) => [answer])]);

/** Whether a node has answered what was asked, be it by an error. */
export function isAble(answer: Answer): boolean {
  return !("error" in answer) || !(UNABLE.includes(answer.error.code) || UNABLE_TEXT.test(messageOf(answer)));
}

/** Whether a node says that it does not know what it was asked for. */
export function isUnknownMethod(answer: Answer): boolean {
  return "error" in answer && answer.error.code === UNKNOWN_METHOD;
}

/** What a node says against a request; empty if nothing. */
export function messageOf(answer: Answer): string {
  return "error" in answer ? (answer.error.message ?? "") : "";
}

/** [ms] From `Retry-After`, which is in seconds or a date by the node's own clock. */
function retryAfter(response: Response): number {
  const text = response.headers.get("retry-after");
  if (text === null) return RATE_REST;
  const now = Date.parse(response.headers.get("date") ?? "");
  const time = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(time) ? Math.min(Math.max(time, 0), LONGEST_RATE_REST) : RATE_REST;
}

function average(before: number | undefined, now: number): number {
  return before === undefined ? now : before + (now - before) * WEIGHT;
}
