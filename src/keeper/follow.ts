import { WebSocket } from "ws";
import type { RawData } from "ws";
import { z } from "zod";

import type { BlockRef } from "./ledger.ts";
import { pause } from "./pause.ts";

const FIRST_PAUSE = 100; // [ms] before the next attempt to connect; it doubles
const ASK_CHAIN = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] });
const SUBSCRIBE = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "eth_subscribe", params: ["newHeads"] });

/** A block as its node announces it. */
export interface Head extends BlockRef {
  readonly parentHash: string;
  /** [s] */
  readonly timestamp: number;
}

const quantity = z.string().transform(Number).pipe(z.int().nonnegative());
const header = z.object({ number: quantity, hash: z.string(), parentHash: z.string(), timestamp: quantity });
/** What a node sends: its chain, that a subscription has begun, or a block. */
const message = z.union([
  z.object({ id: z.literal(1), result: quantity }).transform(({ result }) => ({ chainId: result, head: undefined })),
  z.object({ id: z.literal(2), result: z.string() }).transform(() => ({ chainId: undefined, head: undefined })),
  z.object({ params: z.object({ result: header }) }).transform(({ params }) => {
    return { chainId: undefined, head: params.result };
  }),
]);

/** How to hear of new blocks. Times are [ms]. */
export interface FollowOptions {
  /** Node that announces blocks; they are polled for if left out. */
  readonly webSocketUrl?: string;
  /** A node of another one is not listened to. */
  readonly chainId: number;
  /** Between two looks at the chain while nobody announces blocks. */
  readonly pollInterval: number;
  /** Longest pause between two attempts to connect. */
  readonly maxPause: number;
  /** For how long a connection may announce nothing before it is given up. */
  readonly maxSilence: number;
}

/**
 * Says when to look at the chain: at every block that a node announces, and while none does at every poll interval. What happened while
 * the connection was lost is found by that look, so nothing is missed.
 *
 *     const heads = new Heads(options);
 *     for (let head; !signal.aborted; head = await heads.next(signal)) await mirror.sync(head);
 *     await heads.close();
 */
export class Heads {
  readonly #options: FollowOptions;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #isConnected = false;
  #isNew = false; // there may be a block that nobody was told of
  #head: Head | undefined; // the last one announced, unless somebody was told of it
  #bell = new AbortController();

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#ended = this.#stayConnected();
  }

  /** Whether blocks are announced. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /**
   * Resolves when there may be a new block, to the one that was announced if it was, or when `signal` aborts. What was announced since
   * the last time counts.
   */
  async next(signal: AbortSignal): Promise<Head | undefined> {
    const { maxSilence, pollInterval } = this.#options;
    const wake = AbortSignal.any([signal, this.#bell.signal]);
    if (!this.#isNew) await pause(this.#isConnected ? maxSilence : pollInterval, wake);
    this.#isNew = false;
    const head = this.#head;
    this.#head = undefined;
    return head;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #stayConnected(): Promise<void> {
    const { webSocketUrl, maxPause } = this.#options;
    if (webSocketUrl === undefined) return;
    let ms = FIRST_PAUSE;
    while (!this.#closing.signal.aborted) {
      const wasConnected = await this.#listen(webSocketUrl);
      ms = wasConnected ? FIRST_PAUSE : Math.min(2 * ms, maxPause);
      await pause(ms, this.#closing.signal);
    }
  }

  /** Listens until the connection ends; answers whether it was of any use. */
  async #listen(url: string): Promise<boolean> {
    const { maxSilence, chainId } = this.#options;
    const socket = new WebSocket(url, { handshakeTimeout: maxSilence });
    const giveUp = () => {
      socket.terminate();
    };
    const silence = setTimeout(giveUp, maxSilence);
    this.#closing.signal.addEventListener("abort", giveUp);
    socket.on("open", () => {
      socket.send(ASK_CHAIN);
    });
    socket.on("error", giveUp); // it closes
    socket.on("message", (data: RawData) => {
      const told = read(data);
      if (told === undefined || (told.chainId ?? chainId) !== chainId) {
        giveUp();
        return;
      }
      if (told.chainId !== undefined) {
        socket.send(SUBSCRIBE);
        return;
      }
      this.#head = told.head ?? this.#head;
      silence.refresh();
      this.#isConnected = true;
      this.#ring();
    });
    await new Promise((resolve) => socket.once("close", resolve)); // `once` of node:events would throw the error
    clearTimeout(silence);
    this.#closing.signal.removeEventListener("abort", giveUp);
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    this.#ring(); // whoever waits for a block polls from now on
    return wasConnected;
  }

  #ring(): void {
    this.#isNew = true;
    this.#bell.abort();
    this.#bell = new AbortController();
  }
}

function read(data: RawData) {
  try {
    return message.safeParse(JSON.parse((data as Buffer).toString())).data;
  } catch {
    return undefined;
  }
}
