import type { Logger } from "pino";

import { min, WAD } from "../risk/fixed.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { LastDecision } from "../sdk/explain.ts";
import { lineOf } from "./acts.ts";
import type { Act, PlannedAct } from "./acts.ts";
import type { Outcome } from "./lane.ts";
import type { Metrics } from "./metrics.ts";

/** When an act was recorded. */
export interface Moment {
  readonly block: number;
  /** [wad] USD per unit of what gas is paid in */
  readonly gasAssetPrice: bigint;
}

/** What became of an act. */
export type Fate = Pick<Act, "result" | "reason" | "hash" | "cost">;

interface Entry {
  readonly act: PlannedAct;
  readonly fate: Fate;
  readonly at: Moment;
}

/** What a keeper has done: a line in its log, its metrics, its last decisions. What a reorganisation takes back is taken back there. */
export class ActLog {
  readonly metrics: Metrics;
  readonly decisions = new AccountMap<LastDecision>();
  readonly #logger: Logger;
  #acts: Act[] = [];
  /** What may still be taken back, by purpose. */
  readonly #open = new Map<string, Entry>();
  /** [wei] Counted as spent for transactions that were taken back since: a counter never falls. */
  #credit = 0n;

  constructor(logger: Logger, metrics: Metrics) {
    this.#logger = logger;
    this.metrics = metrics;
  }

  /** The acts since the last call. */
  drain(): readonly Act[] {
    const acts = this.#acts;
    this.#acts = [];
    return acts;
  }

  /** @param purpose of what may have been sent for it */
  record(act: PlannedAct, fate: Fate, at: Moment, purpose?: string): void {
    const entry = { act, fate, at };
    this.#count(entry);
    if (purpose !== undefined) this.#open.set(purpose, entry);
  }

  /** Follows what has become of a recorded act: another outcome, or none while a reorganisation has taken its transaction back. */
  change(purpose: string, outcome: Outcome | undefined): void {
    const { act, fate, at } = this.#open.get(purpose) ?? unknown(purpose);
    this.#discount({ act, fate, at });
    const { hash } = fate;
    const takenBack = { result: "takenBack", reason: "a reorganisation has dropped its transaction" } as const;
    this.record(act, outcome ?? { ...takenBack, ...(hash !== undefined && { hash }) }, at, purpose);
  }

  /** Forgets what nothing can take back any more. */
  settle(unsettled: readonly string[]): void {
    const kept = new Set(unsettled);
    for (const purpose of this.#open.keys()) if (!kept.has(purpose)) this.#open.delete(purpose);
  }

  #count(entry: Entry): void {
    const act = { ...entry.act, ...partOf(entry.fate) };
    const { account, accounts = account === undefined ? [] : [account], action, result, reason, cost = 0n } = act;
    const { metrics } = this;
    this.#acts.push(act);
    metrics.actions.inc({ action, result });
    const counted = min(this.#credit, cost);
    this.#credit -= counted;
    metrics.gasSpent.inc(Number(cost - counted));
    metrics.profit.inc(profitOf(entry));
    const decision = { block: entry.at.block, action, result };
    for (const id of accounts) this.decisions.set(id, reason === undefined ? decision : { ...decision, reason });
    const level = action === "wait" ? "debug" : result === "done" ? "info" : "warn";
    this.#logger[level](lineOf(act), action);
  }

  #discount(entry: Entry): void {
    const { cost = 0n } = entry.fate;
    this.#credit += cost;
    this.metrics.profit.dec(profitOf(entry));
  }
}

/** What of an outcome an act tells. */
function partOf({ result, reason, hash, cost }: Fate): Fate {
  return {
    result,
    ...(reason !== undefined && { reason }),
    ...(hash !== undefined && { hash }),
    ...(cost !== undefined && { cost }),
  };
}

/** USD */
function profitOf({ act, fate: { result, cost = 0n }, at }: Entry): number {
  const gained = result === "done" ? (act.expectedGain ?? 0n) : 0n;
  return Number(gained - (cost * at.gasAssetPrice) / WAD) / 1e18;
}

/** Of what was sent before a restart only the purpose is known, which begins with the action. */
function unknown(purpose: string): Entry {
  const action = purpose.split(":")[0] as Act["action"];
  return { act: { action }, fate: { result: "none" }, at: { block: 0, gasAssetPrice: 0n } };
}
