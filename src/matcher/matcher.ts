import { setTimeout as sleep } from "node:timers/promises";

import type { JsonRpcProvider } from "ethers";
import type { Logger } from "pino";

import type { AddressBook } from "../sdk/addressBook.ts";
import type { Instruction } from "../sdk/instructions.ts";
import type { OrderView } from "../sdk/matcher.ts";
import type { SignedOrder } from "../sdk/orders.ts";
import { Admission, rejection } from "./admission.ts";
import type { AdmissionPolicy } from "./admission.ts";
import type { BookLimits } from "./book.ts";
import { openOrders } from "./bookOrder.ts";
import type { BookOrder } from "./bookOrder.ts";
import { ChainMirror } from "./chain.ts";
import type { ChainNews } from "./chain.ts";
import type { Applied, Engine } from "./engine.ts";
import { keyFact } from "./keys.ts";
import { CommandLog } from "./log.ts";
import { createMatcherMetrics } from "./metrics.ts";
import type { MatcherMetrics } from "./metrics.ts";
import { Refusal } from "./refusals.ts";
import { Settlement } from "./settlement.ts";
import type { SettlementPolicy } from "./settlement.ts";
import { Signing } from "./signing.ts";
import { Streams } from "./streams.ts";
import { encode } from "./types.ts";
import type { Command, OwnerFact, PositionFact, SettledFact, SlotFact } from "./types.ts";
import { orderView } from "./views.ts";

const TICK = 100; // [ms] between two looks at what has to end
const REVIEWED = 200; // accounts whose margin is looked at after each block
const MAX_BACKOFF = 30_000; // [ms]

/** How a matcher works. */
export interface MatcherPolicy {
  readonly book: BookLimits;
  readonly admission: AdmissionPolicy;
  readonly settlement: SettlementPolicy;
  /** [ms] Between two settlements. */
  readonly batchInterval: number;
  /** [ms] Between two looks at the chain. */
  readonly pollInterval: number;
  /** [ms] Age of the last look at the chain from which on nothing is admitted. */
  readonly maxChainAge: number;
  /** Most commands that wait for the disk. */
  readonly maxWaiting: number;
  /** [bytes] of the log after which a new segment begins. */
  readonly segmentBytes: number;
  /** Blocks of the exchange's events that are read at the start. */
  readonly lookback: number;
  /** Most nonces whose filled amounts are remembered. */
  readonly maxSlots: number;
}

/** What a matcher needs. */
export interface MatcherOptions {
  readonly provider: JsonRpcProvider;
  readonly addressBook: AddressBook;
  /** Private key that pays for settlements. */
  readonly key: string;
  /** Folder of the log. */
  readonly folder: string;
  readonly policy: MatcherPolicy;
  readonly logger: Logger;
  readonly metrics?: MatcherMetrics;
}

/** What became of an order when it came in. */
export interface Placed {
  readonly order: OrderView;
  /** Number of the command in the log, and the running hash after it: a receipt of the place in the queue. */
  readonly sequence: number;
  readonly logHash: string;
}

/** Takes orders, matches them, writes them down and has them settled. */
export class Matcher {
  readonly engine: Engine;
  readonly chain: ChainMirror;
  readonly streams: Streams;
  readonly metrics: MatcherMetrics;
  readonly settlement: Settlement;
  readonly #log: CommandLog;
  readonly #admission: Admission;
  readonly #policy: MatcherPolicy;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  #synced = 0; // [ms]
  #reviewed = 0;
  #failure: unknown;

  private constructor(o: MatcherOptions, engine: Engine, log: CommandLog) {
    const { provider, addressBook: book, key, policy, logger } = o;
    this.engine = engine;
    this.#log = log;
    this.#policy = policy;
    this.#logger = logger;
    this.metrics = o.metrics ?? createMatcherMetrics();
    this.chain = new ChainMirror(provider, book, policy.lookback, policy.maxSlots);
    this.#admission = new Admission(engine, this.chain, new Signing(book), policy.admission);
    this.streams = new Streams(engine.book, engine.recentFills);
    const ports = {
      engine,
      submit: (command: Command) => this.submit(command),
      sync: () => this.sync(),
      head: () => this.chain.head,
      now: () => this.now(),
    };
    this.settlement = new Settlement(ports, { book, provider, key, policy: policy.settlement, logger });
  }

  /**
   * Rebuilds the state from the log and reads the chain.
   * @throws LogCorrupt, LogDiverged, or whatever the node throws
   */
  static async open(options: MatcherOptions): Promise<Matcher> {
    const { folder, policy, logger } = options;
    const { log, recovery } = CommandLog.open(folder, policy.book, policy.segmentBytes);
    const { engine, replayed, torn } = recovery;
    logger.info({ replayed, torn, sequence: engine.sequence, hash: engine.hash.toString("hex") }, "log recovered");
    const matcher = new Matcher(options, engine, log);
    await matcher.sync();
    return matcher;
  }

  /** [ms] now; never runs backwards. */
  now(): number {
    return Math.max(this.engine.time, Date.now());
  }

  /** What stands in the way of taking orders; `undefined` if nothing does. */
  get trouble(): string | undefined {
    if (this.#failure !== undefined) return "the log cannot be written";
    const age = Date.now() - this.#synced;
    return age > this.#policy.maxChainAge ? `the chain was last read ${age} ms ago` : undefined;
  }

  // ---------------------------------------------------------------- requests

  /**
   * Takes a signed order: resolves once it is on the disk.
   * @throws Refusal
   */
  async place(signed: SignedOrder): Promise<Placed> {
    this.#requireReady();
    const admitted = this.#admission.admit(signed, this.now());
    const command = admitted instanceof Promise ? await admitted : admitted;
    const durable = this.submit(command);
    const logHash = `0x${this.engine.hash.toString("hex")}`;
    const order = this.find(command.hash);
    const view = order === undefined ? undefined : orderView(order);
    const { sequence, rejected } = await durable;
    if (rejected !== undefined || view === undefined) throw rejection(rejected ?? "duplicate", signed.order);
    return { order: view, sequence, logHash };
  }

  /**
   * Carries out a signed instruction: resolves once it is on the disk.
   * @throws Refusal
   */
  async instruct(instruction: Instruction, signature: string): Promise<Applied> {
    this.#requireReady();
    return this.submit(await this.#admission.instruct(instruction, signature, this.now()));
  }

  /** An order that is open, or has ended not too long ago. */
  find(hash: string): BookOrder | undefined {
    return this.engine.book.orders.get(hash);
  }

  /** Resolves once everything carried out so far is on the disk. */
  async barrier(): Promise<void> {
    await this.#last;
  }

  /**
   * Carries out a command at once and resolves when it is on the disk; only then anybody is told.
   * @throws whatever the disk throws; the matcher takes nothing more then
   */
  submit(command: Command): Promise<Applied> {
    const text = encode(command);
    const applied = this.engine.apply(command, text);
    const publish = this.streams.capture(applied);
    const began = performance.now();
    const durable = this.#log.append(text, this.engine).then(
      () => {
        publish();
        this.#count(command, applied, began);
        return applied;
      },
      (error: unknown) => {
        this.#fail(error);
        throw error;
      },
    );
    this.#last = durable.catch(() => undefined);
    return durable;
  }

  #count({ type }: Command, { events }: Applied, began: number): void {
    this.metrics.commands.inc({ type });
    for (const event of events) this.metrics.events.inc({ type: event.type });
    this.metrics.durable.observe((performance.now() - began) / 1000);
    this.metrics.openOrders.set(this.engine.book.openCount);
    this.metrics.heldOrders.set(this.engine.book.heldCount);
    this.metrics.waitingFills.set(this.engine.book.fills.size);
  }

  #requireReady(): void {
    const { trouble } = this;
    if (trouble !== undefined) throw new Refusal("NotReady", trouble);
    const { waiting } = this.#log;
    const maximum = this.#policy.maxWaiting;
    if (waiting >= maximum) throw new Refusal("Overloaded", "too much waits for the disk", { waiting, maximum });
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#logger.fatal({ err: error }, "the log cannot be written; the matcher stops");
    this.#stop.abort();
  }

  // ---------------------------------------------------------------- chain

  /** Reads the chain up to what is its latest block now, and tells the engine what of it matters; one look at a time. */
  async sync(): Promise<void> {
    const before = this.#syncing;
    const after = before
      .catch(() => undefined) // whoever began it hears of it
      .then(() => this.#sync());
    this.#syncing = after;
    await after;
  }

  async #sync(): Promise<void> {
    const first = this.#synced === 0;
    const news = await this.chain.sync();
    const { book } = this.engine;
    const concerned = first || news.reorganised ? [...book.owners.keys()] : [...news.owners];
    if (news.reorganised) {
      this.#logger.warn({ block: news.cursor.block }, "the chain was reorganised");
      this.settlement.reorganised();
    }
    const { markets, slots, positions, settled } = this.#facts(news);
    const owners = concerned.flatMap((owner) => this.#ownerFact(owner) ?? []);
    const command: Command = {
      ...{ type: "chain", time: this.now(), block: news.cursor.block, blockHash: news.cursor.hash },
      ...{ markets, slots, positions, owners, settled },
    };
    this.#synced = Date.now();
    this.metrics.block.set(news.cursor.block);
    const facts = [markets, slots, positions, owners, settled];
    const done = facts.some((list) => list.length > 0) ? this.submit(command) : undefined;
    await Promise.all([done, ...concerned.flatMap((owner) => this.#reviewKeys(owner))]);
    await this.#review();
  }

  /** What the chain says of an owner who has orders in the book. */
  #ownerFact(owner: string): OwnerFact | undefined {
    const known = this.engine.book.owners.get(owner);
    if (known === undefined) return undefined;
    const { keys } = this.chain;
    const facts = [...known.keys.keys()].flatMap((key) => keyFact(keys.lineOf(owner, key)) ?? []);
    return { owner, ...this.chain.owner(owner), keys: facts };
  }

  /** Cancels an owner's orders whose keys can no longer have them settled. */
  #reviewKeys(owner: string): Promise<unknown>[] {
    const { book } = this.engine;
    return [...(book.owners.get(owner)?.accounts ?? [])].flatMap(openOrders).flatMap(({ hash }) => {
      const reason = this.#admission.lossOfAuthority(hash, this.now());
      return reason === undefined ? [] : this.submit({ type: "cancel", time: this.now(), hash, reason });
    });
  }

  /** What of the news concerns the engine's markets, nonces and positions; after a reorganisation every nonce is news. */
  #facts({ matched, slots, reorganised }: ChainNews) {
    const { book, sent } = this.engine;
    const { chain } = this;
    const changedTerms = [...chain.terms.values()].filter((terms) => {
      const known = book.markets.get(terms.market)?.terms;
      return known === undefined || encode(known) !== encode(terms);
    });
    const news = new Map(slots.map((slot) => [`${slot.account.toString()}:${slot.nonce.toString()}`, slot.filled]));
    const changedSlots: SlotFact[] = [];
    const positions: PositionFact[] = [];
    for (const account of book.accounts.values()) {
      for (const { nonce, chain: known } of account.slots.values()) {
        const told = news.get(`${account.id.toString()}:${nonce.toString()}`);
        const filled = told ?? (reorganised ? chain.filled(account.id, nonce) : known);
        if (filled !== known) changedSlots.push({ account: account.id, nonce, filled });
      }
      for (const [market, { chain: known }] of account.positions) {
        const size = chain.account(account.id).positions.get(market)?.size ?? 0n;
        if (size !== known) positions.push({ account: account.id, market, size });
      }
    }
    const settled: SettledFact[] = [];
    for (const { transaction, fills } of sent) {
      const sizes = matched.filter((event) => event.transaction === transaction);
      fills.forEach((fill, i) => {
        const size = sizes[i]?.size;
        if (size !== undefined && book.fills.has(fill)) settled.push({ fill, size, transaction });
      });
    }
    return { markets: changedTerms, slots: changedSlots, positions, settled };
  }

  /** Cancels orders that their accounts can no longer margin, the newest first; some accounts after each block, in turn. */
  async #review(): Promise<void> {
    const accounts = [...this.engine.book.accounts.values()].filter(({ open }) => open > 0);
    const done: Promise<unknown>[] = [];
    for (let i = 0; i < Math.min(REVIEWED, accounts.length); ++i) {
      const account = accounts[(this.#reviewed + i) % accounts.length];
      if (account === undefined) continue;
      const orders = openOrders(account).filter(({ signed }) => !signed.order.reduceOnly);
      orders.sort((a, b) => b.arrival - a.arrival);
      for (const { hash } of orders) {
        if (this.#admission.isCovered(account.id)) break;
        done.push(this.submit({ type: "cancel", time: this.now(), hash, reason: "margin" }));
      }
    }
    this.#reviewed += REVIEWED;
    await Promise.all(done);
  }

  // ---------------------------------------------------------------- running

  /** Follows the chain and settles until `stop`. */
  async run(): Promise<void> {
    const ticking = setInterval(() => {
      this.#tick();
    }, TICK);
    try {
      await Promise.all([
        this.#repeat(this.#policy.pollInterval, () => this.sync()),
        this.#repeat(this.#policy.batchInterval, () => this.#settle()),
      ]);
    } finally {
      clearInterval(ticking);
    }
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  /** Ends `run` after what it is at, and brings everything to the disk. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#failure === undefined) await this.#log.close();
  }

  /** Lets `run` come to its end; `stop` has to follow. */
  halt(): void {
    this.#stop.abort();
  }

  #tick(): void {
    if (this.engine.nextDue > this.now() || this.#failure !== undefined) return;
    this.submit({ type: "tick", time: this.now() }).catch(() => undefined); // `submit` has reported it
  }

  async #settle(): Promise<void> {
    for (;;) {
      const { result } = await this.settlement.pass();
      if (result !== "idle") this.metrics.settlements.inc({ result });
      if ((result !== "settled" && result !== "refused") || this.#stop.signal.aborted) return;
    }
  }

  /** Does something again and again; waits longer while the node fails. */
  async #repeat(interval: number, action: () => Promise<void>): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        await action();
        failures = 0;
      } catch (error) {
        failures += 1;
        this.metrics.chainErrors.inc();
        this.#logger.error({ err: error }, "the chain could not be reached");
      }
      const pause = Math.min(interval * 2 ** Math.min(failures, 16), Math.max(MAX_BACKOFF, interval));
      await sleep(failures === 0 ? interval : pause, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}
