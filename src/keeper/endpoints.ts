import { setTimeout as sleep } from "node:timers/promises";

import { JsonRpcProvider, keccak256 } from "ethers";
import type { JsonRpcPayload, Provider } from "ethers";
import { z } from "zod";

import type { AddressBook } from "../sdk/addressBook.ts";
import { WrongChain } from "../sdk/client.ts";
import { BadAnswer, Endpoint, isAble, isUnknownMethod, messageOf, NO_ANSWER } from "./endpoint.ts";
import type { Answer, EndpointHealth } from "./endpoint.ts";

const HYSTERESIS = 1.5; // how many times better another endpoint must be before reads move there
const MAX_LEAD = 50; // blocks that a head may be ahead of all others, or go back, before nobody believes it
const TRIES = 3; // of all endpoints for one answer, if none can give it now
const LARGEST_BATCH = 50; // requests in one; nodes refuse large ones
const KNOWN_TEXT = /already known|already imported|known transaction/i;

/** Where transactions go if not to the public nodes. */
export interface Relay {
  readonly url: string;
  readonly method: "eth_sendRawTransaction" | "eth_sendPrivateTransaction";
}

/** The nodes that a keeper uses. */
export interface EndpointOptions {
  readonly urls: readonly string[];
  readonly chainId: number;
  /** If there is one, no public node ever gets a transaction. */
  readonly relay?: Relay;
  /** [ms] after which a request counts as failed */
  readonly timeout?: number;
  /** [ms] between two looks at the heads of all; zero for none */
  readonly checkInterval?: number;
  /** [ms] between two questions for a new block while somebody listens */
  readonly pollingInterval?: number;
}

/** No endpoint has answered. */
export class NoEndpoint extends Error {
  readonly method: string;
  /** by the names of the endpoints */
  readonly problems: readonly string[];

  constructor(method: string, problems: readonly string[]) {
    super(`no endpoint answers ${method} (${problems.join("; ")}): check RPC_URL, or add another one`);
    this.name = "NoEndpoint";
    this.method = method;
    this.problems = problems;
  }
}

/** The address book names a contract where there is none. */
export class NotDeployed extends Error {
  readonly contract: string;
  readonly address: string;

  constructor(contract: string, address: string) {
    super(
      `there is no ${contract} at ${address}: is this the address book of this deployment, and is the node synced?`,
    );
    this.name = "NotDeployed";
    this.contract = contract;
    this.address = address;
  }
}

/** A read that waits for its answer. */
interface Read {
  readonly payload: JsonRpcPayload;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Checks that a node is on the right chain and that every contract of an address book is there. @throws WrongChain, NotDeployed */
export async function verifyDeployment(provider: Pick<Provider, "getCode"> & Sends, book: AddressBook): Promise<void> {
  const chainId = Number(await provider.send("eth_chainId", []));
  if (chainId !== book.chainId) throw new WrongChain(chainId, book.chainId);
  const tokens = [book.cash, ...book.collaterals].map(({ symbol, token }) => [symbol, token] as const);
  const feeds = book.underlyings.map(({ name, feed }) => [`feed of ${name}`, feed] as const);
  for (const [name, address] of [...Object.entries(book.contracts), ...tokens, ...feeds] as [string, string][]) {
    if ((await provider.getCode(address)) === "0x") throw new NotDeployed(name, address);
  }
}

/** A node by ethers, or by its own methods where ethers would ask more than is needed. */
export type NodeProvider = Provider & Sends;

interface Sends {
  send(method: string, params: unknown[]): Promise<unknown>;
}

/**
 * Several nodes as one provider. Reads go to the one that does best and, if it fails, to the next; transactions go to all, or to a
 * private relay only. A node of another chain is never used; one whose head cannot be true is put aside for a while. What is read at
 * the same time goes out at once, as one batch.
 */
export class Endpoints extends JsonRpcProvider {
  readonly #endpoints: readonly Endpoint[];
  readonly #relay: Endpoint | undefined;
  readonly #relayMethod: Relay["method"];
  readonly #chainId: number;
  readonly #timeout: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #current: Endpoint | undefined;
  #lastId = 0;
  #reads: Read[] = [];

  constructor(options: EndpointOptions) {
    const { urls, chainId, relay, timeout = 5000, checkInterval = 2000, pollingInterval = 1000 } = options;
    super(urls[0], chainId, { staticNetwork: true, cacheTimeout: -1, pollingInterval });
    this.#chainId = chainId;
    this.#timeout = timeout;
    this.#endpoints = urls.map((url) => new Endpoint(url, timeout));
    this.#relay = relay === undefined ? undefined : new Endpoint(relay.url, timeout);
    this.#relayMethod = relay?.method ?? "eth_sendRawTransaction";
    if (checkInterval > 0) this.#timer = setInterval(() => void this.check(), checkInterval).unref();
  }

  /** How every endpoint does, in the order in which they were given. */
  get health(): readonly EndpointHealth[] {
    const best = this.#bestHead();
    return this.#endpoints.map((endpoint) => endpoint.health(best));
  }

  /** Asks every endpoint for its head. */
  async check(): Promise<void> {
    const payload = { jsonrpc: "2.0", id: 0, method: "eth_blockNumber", params: [] } as const;
    const due = this.#endpoints.filter(({ isUsable, restsFor }) => isUsable && restsFor <= 0);
    await Promise.all(due.map((endpoint) => this.#ask(endpoint, [payload]).catch(() => undefined)));
  }

  override destroy(): void {
    clearInterval(this.#timer);
    super.destroy();
  }

  /** Without the pause in which ethers collects requests. */
  override async send(method: string, params: unknown[]): Promise<unknown> {
    const payload: JsonRpcPayload = { jsonrpc: "2.0", id: ++this.#lastId, method, params };
    const answer = await (method === "eth_sendRawTransaction" ? this.#broadcast(payload) : this.#read(payload));
    if ("error" in answer) throw this.getRpcError(payload, answer);
    return answer.result;
  }

  // ---------------------------------------------------------------- reads

  /** Reads together with what else is read before anything new happens. */
  #read(payload: JsonRpcPayload): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#reads.push({ payload, resolve, reject }) > 1) return;
      process.nextTick(() => {
        const reads = this.#reads;
        this.#reads = [];
        for (let at = 0; at < reads.length; at += LARGEST_BATCH)
          void this.#readAll(reads.slice(at, at + LARGEST_BATCH));
      });
    });
  }

  async #readAll(reads: Read[]): Promise<void> {
    const problems = new Map<string, string>();
    const deadline = performance.now() + this.#timeout;
    let open = reads;
    for (let tries = 1; ; ++tries) {
      const areLimited = this.#ranked().every(({ isLimited }) => isLimited);
      const hopeful = new Set(areLimited ? open : []);
      for (const endpoint of this.#ranked()) {
        if (endpoint.isLimited) continue;
        open = await this.#readFrom(endpoint, open, problems, hopeful);
        if (open.length === 0) return;
      }
      const rest = Math.max(1, Math.min(...this.#ranked().map(({ restsFor }) => restsFor)));
      const isTimeUp = performance.now() + rest >= deadline || (tries >= TRIES && !areLimited);
      for (const read of open) {
        if (isTimeUp || !hopeful.has(read)) read.reject(this.#failure(read.payload.method, problems));
      }
      open = isTimeUp ? [] : open.filter((read) => hopeful.has(read));
      if (open.length === 0) return;
      await sleep(rest);
    }
  }

  /** Answers the reads that an endpoint can answer, and returns the others; of them, those are hopeful that it knows how to answer. */
  async #readFrom(
    endpoint: Endpoint,
    reads: Read[],
    problems: Map<string, string>,
    hopeful: Set<Read>,
  ): Promise<Read[]> {
    try {
      const answers = await this.#ask(
        endpoint,
        reads.map(({ payload }) => payload),
      );
      return reads.filter((read, i) => {
        const answer = answers[i] ?? NO_ANSWER;
        if (isAble(answer)) {
          read.resolve(answer);
          return false;
        }
        problems.set(endpoint.name, messageOf(answer));
        if (!isUnknownMethod(answer)) hopeful.add(read);
        return true;
      });
    } catch (error) {
      for (const read of reads) hopeful.add(read);
      problems.set(endpoint.name, reasonOf(error));
      return reads;
    }
  }

  /** Those that may be asked, best first; what rests after failures comes last. */
  #ranked(): Endpoint[] {
    const best = this.#bestHead();
    const usable = this.#endpoints.filter(({ isUsable }) => isUsable);
    const score = (endpoint: Endpoint) => endpoint.score(best) / (endpoint === this.#current ? HYSTERESIS : 1);
    const ranked = usable.sort((a, b) => Number(a.restsFor > 0) - Number(b.restsFor > 0) || score(a) - score(b));
    this.#current = ranked[0];
    return ranked;
  }

  async #ask(endpoint: Endpoint, payloads: readonly JsonRpcPayload[]): Promise<Answer[]> {
    await endpoint.verify(this.#chainId);
    const answers = await endpoint.request(payloads);
    for (const [i, answer] of answers.entries()) {
      const head = headIn(payloads[i], answer);
      if (head !== undefined) this.#judge(endpoint, head);
      if (!endpoint.isUsable) throw new Unbelievable(head ?? -1);
    }
    return answers;
  }

  /**
   * Believes a head, or puts the endpoint aside: one that has gone far back, or has leapt far ahead of all others. Among three or more
   * it need not have leapt; of two it cannot be said whether one lies or the other stands still.
   */
  #judge(endpoint: Endpoint, head: number): void {
    const others = this.#known().filter((other) => other !== endpoint);
    const best = Math.max(...others.map((other) => other.head));
    const before = endpoint.head < 0 ? head : endpoint.head;
    const isBack = before - head > MAX_LEAD;
    const isAhead = head - before > MAX_LEAD && head - best > MAX_LEAD;
    if (others.length > 0 && (isBack || isAhead)) endpoint.putAside();
    else endpoint.head = head;
    const [first, second, third] = this.#known().sort((a, b) => b.head - a.head);
    if (third !== undefined && first !== undefined && first.head - (second?.head ?? 0) > MAX_LEAD) first.putAside();
  }

  /** Those that may be used and have told of their heads. */
  #known(): Endpoint[] {
    return this.#endpoints.filter(({ isUsable, head }) => isUsable && head >= 0);
  }

  #bestHead(): number {
    return Math.max(-1, ...this.#known().map(({ head }) => head));
  }

  // ---------------------------------------------------------------- transactions

  /** Resolves with the first node that takes a transaction; if none does, with what one says against it. */
  async #broadcast(payload: JsonRpcPayload): Promise<Answer> {
    const [raw] = payload.params as [string];
    const targets = this.#relay === undefined ? this.#ranked().filter(({ isLimited }) => !isLimited) : [this.#relay];
    const request = this.#relay === undefined ? payload : this.#forRelay(payload, raw);
    const problems = new Map<string, string>();
    const refusals: Answer[] = [];
    const takes = targets.map(async (endpoint) => {
      try {
        await endpoint.verify(this.#relay === undefined ? this.#chainId : undefined);
        const [answer = NO_ANSWER] = await endpoint.request([request]);
        if (!("error" in answer) || KNOWN_TEXT.test(messageOf(answer))) return;
        if (isAble(answer)) refusals.push(answer);
        problems.set(endpoint.name, messageOf(answer));
      } catch (error) {
        problems.set(endpoint.name, reasonOf(error));
      }
      throw new NoEndpoint(payload.method, []);
    });
    try {
      await Promise.any(takes);
      return { id: payload.id, result: keccak256(raw) };
    } catch {
      // Only if every one has refused it can it not be under way.
      const [refusal] = refusals.length === targets.length ? refusals : [];
      if (refusal !== undefined) return refusal;
      throw this.#failure(payload.method, problems);
    }
  }

  #forRelay(payload: JsonRpcPayload, raw: string): JsonRpcPayload {
    const params = this.#relayMethod === "eth_sendRawTransaction" ? [raw] : [{ tx: raw }];
    return { ...payload, method: this.#relayMethod, params };
  }

  #failure(method: string, problems: ReadonlyMap<string, string>): Error {
    const wrong = this.#endpoints.map(({ wrongChain }) => wrongChain).filter((id) => id !== undefined);
    if (wrong.length === this.#endpoints.length) return new WrongChain(wrong[0] ?? 0, this.#chainId);
    const others = this.#endpoints
      .filter(({ name }) => !problems.has(name))
      .map(({ name, state }) => `${name}: ${state}`);
    return new NoEndpoint(method, [...[...problems].map(([name, problem]) => `${name}: ${problem}`), ...others]);
  }
}

/** A head that cannot be true. */
class Unbelievable extends Error {
  readonly head: number;

  constructor(head: number) {
    super(`says that its head is ${head}, which cannot be`);
    this.name = "Unbelievable";
    this.head = head;
  }
}

/** The head that an answer tells of. */
function headIn(payload: JsonRpcPayload | undefined, answer: Answer): number | undefined {
  if (payload === undefined || "error" in answer) return undefined;
  const { method, params } = payload;
  if (method === "eth_blockNumber") return Number(answer.result);
  if (method !== "eth_getBlockByNumber" || !Array.isArray(params) || params[0] !== "latest") return undefined;
  const { data } = z.object({ number: z.string() }).safeParse(answer.result);
  return data === undefined ? undefined : Number(data.number);
}

/** In one line and without the address, which may hold a secret. */
function reasonOf(error: unknown): string {
  if (error instanceof BadAnswer || error instanceof Unbelievable || error instanceof WrongChain) return error.message;
  return error instanceof Error && error.name === "TimeoutError" ? "no answer in time" : "cannot be reached";
}
