import type { Logger } from "pino";

import type { Database } from "../keeper/database.ts";
import type { NodeProvider } from "../keeper/endpoints.ts";
import type { Outcome } from "../keeper/lane.ts";
import { pause } from "../keeper/pause.ts";
import { Sender, shortMessage } from "../keeper/sender.ts";
import type { SenderOptions, SenderPolicy } from "../keeper/sender.ts";
import type { KeeperSigner } from "../keeper/signer.ts";
import { formatAmount } from "../sdk/units.ts";
import { Aggregator } from "./aggregator.ts";
import type { AggregatorState } from "./aggregator.ts";
import { isDue, judge } from "./judge.ts";
import type { FeedPolicy, Judgement, Source } from "./judge.ts";
import { createPusherMetrics } from "./metrics.ts";
import type { PusherMetrics } from "./metrics.ts";
import { askSources } from "./sources.ts";

const LONGEST_PAUSE = 60_000; // [ms] after failures

/** A feed that is kept up. */
export interface Feed extends FeedPolicy {
  /** FluxAggregator that has the signer among its oracles */
  readonly aggregator: string;
  readonly sources: readonly Source[];
}

/** What a pusher needs. */
export interface PusherOptions {
  readonly provider: NodeProvider;
  /** Pays gas; an oracle of every aggregator. */
  readonly signer: KeeperSigner;
  readonly database: Database;
  readonly feeds: readonly Feed[];
  readonly policy: PusherPolicy;
  readonly logger: Logger;
  readonly metrics?: PusherMetrics;
  readonly gasModel?: SenderOptions["gasModel"];
  /** [ms] */
  readonly now?: () => number;
}

/** When the pusher looks, and how it sends. */
export interface PusherPolicy extends SenderPolicy {
  /** [ms] for which a source may take to answer */
  readonly sourceTimeout: number;
}

/** What came of a look at a feed. */
export interface FeedReport {
  readonly pair: string;
  /**
   * unchanged: no answer is due. waiting: the other oracles have not ended the round. noQuorum: too few prices are believed. failed: no
   * node answers. Else what became of the transaction.
   */
  readonly result: Outcome["result"] | "unchanged" | "waiting" | "noQuorum";
  readonly median?: bigint;
  readonly reason?: string;
  readonly hash?: string;
}

/** How a pusher stands. */
export interface PusherStatus {
  /** [ms] when its last look ended; `undefined` before the first */
  readonly lastLook: number | undefined;
  /** what is wrong, by pair */
  readonly problems: ReadonlyMap<string, string>;
  /** [s] */
  readonly gasRunway: number;
}

/**
 * Keeps feeds up: asks their sources, and submits the median of the prices that it believes when the last answer has grown old or the
 * price has moved. Where too few are believed it submits nothing, so that the feed grows stale and the house stops what needs it.
 *
 *     const pusher = await Pusher.create({ provider, signer, database, feeds, policy, logger: pino() });
 *     await pusher.tick(); // one look, and what came of it
 *     await pusher.run(signal); // until it aborts
 */
export class Pusher {
  readonly metrics: PusherMetrics;
  readonly #options: PusherOptions;
  readonly #sender: Sender;
  readonly #now: () => number;
  readonly #feeds: readonly (readonly [Feed, Aggregator])[];
  #reports: readonly FeedReport[] = [];
  #lastLook: number | undefined; // [ms]
  #balance = 0n; // [wei]

  private constructor(options: PusherOptions, sender: Sender) {
    this.#options = options;
    this.#sender = sender;
    this.#now = options.now ?? Date.now;
    this.metrics = options.metrics ?? createPusherMetrics();
    this.#feeds = options.feeds.map((feed) => [feed, new Aggregator(feed.aggregator, options.provider)]);
  }

  /** @throws UnusableAggregator, DatabaseError, or whatever the node throws */
  static async create(options: PusherOptions): Promise<Pusher> {
    const { provider, signer, database, policy, gasModel } = options;
    const model = gasModel === undefined ? {} : { gasModel };
    const pusher = new Pusher(options, await Sender.open({ provider, signer, database, policy, ...model }));
    for (const [{ pair, decimals }, aggregator] of pusher.#feeds) {
      await aggregator.verify(pair, decimals, signer.address);
    }
    return pusher;
  }

  /** One look at every feed, and what came of it. Never throws. */
  async tick(): Promise<readonly FeedReport[]> {
    try {
      await this.#sender.look();
      this.#balance = await this.#options.provider.getBalance(this.#options.signer.address);
    } catch (error) {
      this.#options.logger.error({ reason: shortMessage(error) }, "the chain could not be read");
    }
    this.#reports = await Promise.all(this.#feeds.map(([feed, aggregator]) => this.#look(feed, aggregator)));
    this.#lastLook = this.#now();
    this.metrics.gasBalance.set(Number(this.#balance));
    this.metrics.gasRunway.set(this.#gasRunway);
    return this.#reports;
  }

  /** A look at every poll interval until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      failures = (await this.tick()).some(({ result }) => result === "failed") ? failures + 1 : 0;
      const ms = Math.min(this.#options.policy.pollInterval * 2 ** failures, LONGEST_PAUSE);
      await pause(ms, signal);
    }
  }

  get status(): PusherStatus {
    const fine: readonly FeedReport["result"][] = ["done", "unchanged", "waiting", "outcompeted"];
    const wrong = this.#reports.filter(({ result }) => !fine.includes(result));
    return {
      lastLook: this.#lastLook,
      problems: new Map(wrong.map(({ pair, result, reason }) => [pair, reason ?? result])),
      gasRunway: this.#gasRunway,
    };
  }

  get #gasRunway(): number {
    return this.#sender.runway(this.#balance);
  }

  async #look(feed: Feed, aggregator: Aggregator): Promise<FeedReport> {
    const { pair } = feed;
    let report: FeedReport;
    try {
      report = { pair, ...(await this.#keepUp(feed, aggregator)) };
    } catch (error) {
      this.metrics.errors.inc({ pair });
      report = { pair, result: "failed", reason: shortMessage(error) };
    }
    this.metrics.results.inc({ pair, result: report.result });
    this.#log(feed, report);
    return report;
  }

  async #keepUp(feed: Feed, aggregator: Aggregator): Promise<Omit<FeedReport, "pair">> {
    const { signer, policy } = this.#options;
    const [answers, state] = await Promise.all([
      askSources(feed.sources, policy.sourceTimeout),
      aggregator.state(signer.address),
    ]);
    const now = BigInt(Math.floor(this.#now() / 1000));
    const judgement = judge(answers, feed, state.last?.answer, now);
    this.#measure(feed, judgement, state, now);
    const { median } = judgement;
    if (median === undefined) return { result: "noQuorum", reason: whyNot(feed, judgement) };
    if (!state.eligible) return { result: "waiting", median };
    if (!state.isOpen && !isDue(median, state.last, feed, now)) return { result: "unchanged", median };
    const { result, reason, hash } = await this.#sender.attempt(aggregator.submitCall(state.round, median), {
      purpose: `push:${aggregator.address}:${state.round}`,
    });
    return { result, median, ...(reason !== undefined && { reason }), ...(hash !== undefined && { hash }) };
  }

  #measure({ pair, decimals }: Feed, { refusals }: Judgement, { last }: AggregatorState, now: bigint): void {
    for (const [source, reason] of refusals) {
      this.metrics.believed.set({ pair, source }, reason === undefined ? 1 : 0);
      if (reason !== undefined) this.metrics.refusals.inc({ pair, source, reason });
    }
    if (last === undefined) return;
    this.metrics.answer.set({ pair }, Number(last.answer) / 10 ** decimals);
    this.metrics.age.set({ pair }, Math.max(0, Number(now - last.time)));
  }

  #log({ decimals }: Feed, { median, ...report }: FeedReport): void {
    const line = { ...report, ...(median !== undefined && { median: formatAmount(median, decimals) }) };
    const quiet = report.result === "unchanged" || report.result === "waiting";
    this.#options.logger[quiet ? "debug" : report.result === "done" ? "info" : "warn"](line, "look");
  }
}

function whyNot({ quorum, sources }: Feed, { refusals }: Judgement): string {
  const refused = [...refusals].filter(([, reason]) => reason !== undefined);
  const left = sources.length - refused.length;
  const each = refused.map(([source, reason]) => `${source}: ${reason}`).join(", ");
  return `${left} of ${sources.length} prices are believed, ${quorum} are needed (${each})`;
}
