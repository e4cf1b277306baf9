import { setTimeout as sleep } from "node:timers/promises";

import type { Provider, Signer } from "ethers";
import type { Logger } from "pino";

import { marginRatio, marginState } from "../risk/account.ts";
import { judge } from "../risk/assess.ts";
import { RiskError } from "../risk/errors.ts";
import { min, positive, WAD } from "../risk/fixed.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import { saleablePrice } from "../risk/prices.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { accountParts } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { absorbCall, flagCall, liquidateCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import { WrongChain } from "../sdk/client.ts";
import { formatWad } from "../sdk/units.ts";
import { DEFAULT_POLICY } from "./config.ts";
import type { KeeperPolicy } from "./config.ts";
import { decide, observe } from "./decide.ts";
import type { Candidate, Observation, Slice } from "./decide.ts";
import type { LedgerAccount } from "./ledger.ts";
import { createMetrics } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { Mirror } from "./mirror.ts";
import { Sender, shortMessage } from "./sender.ts";
import type { Outcome } from "./sender.ts";
import { dueUpkeep } from "./upkeep.ts";
import type { Job } from "./upkeep.ts";

const MAX_BACKOFF = 60_000; // [ms]

/** What a keeper needs. */
export interface KeeperOptions {
  readonly provider: Provider;
  /** Pays gas and owns the taker's account. */
  readonly signer: Signer;
  readonly addressBook: AddressBook;
  /** The account that takes over slices; not an isolated one. */
  readonly takerAccount: AccountId;
  /** What differs from `DEFAULT_POLICY`. */
  readonly config?: Partial<KeeperPolicy>;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

/** One thing a keeper did or decided not to do. Amounts are [wad]. */
export interface Act {
  readonly action: "take" | "flag" | "wait" | "clear" | "call" | "absorb" | Job["action"];
  readonly result: Outcome["result"] | "none";
  readonly account?: AccountId;
  readonly underlying?: number;
  readonly collateral?: number;
  readonly market?: number;
  readonly assessment?: Assessment;
  readonly fraction?: bigint;
  readonly expectedGain?: bigint;
  readonly reason?: string;
  readonly hash?: string;
}

/** The account that shall take over slices is isolated or belongs to somebody else than the signer. */
export class UnusableTaker extends Error {
  readonly account: AccountId;

  constructor(account: AccountId, signer: string) {
    super(
      `account 0x${account.toString(16)} cannot take over slices: name an account of ${signer} that is not isolated`,
    );
    this.name = "UnusableTaker";
    this.account = account;
  }
}

/** An account with its assessment; `degraded` if something in it counts at a last good price for want of a usable one. */
interface Assessed {
  readonly id: AccountId;
  readonly account: LedgerAccount;
  readonly assessment: Assessment;
  readonly degraded: boolean;
}

const NOBODY: AccountState = {
  cash: 0n,
  lentShares: 0n,
  debtShares: 0n,
  positions: new Map(),
  collaterals: new Map(),
};

/**
 * Watches every account of a house, takes over slices of those below MM where that pays, calls those below IM for margin, and does
 * the upkeep that is due.
 *
 *     const keeper = await Keeper.create({ provider, signer, addressBook, takerAccount, logger: pino() });
 *     await keeper.tick(); // one pass
 *     await keeper.run(); // until stop()
 */
export class Keeper {
  readonly mirror: Mirror;
  readonly metrics: Metrics;
  readonly #provider: Provider;
  readonly #book: AddressBook;
  readonly #taker: AccountId;
  readonly #policy: KeeperPolicy;
  readonly #logger: Logger;
  readonly #sender: Sender;
  /** Accounts in a margin call that was made. */
  readonly #called = new Set<AccountId>();
  #acts: Act[] = [];
  #gasAssetPrice: bigint | undefined;
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

  private constructor(options: KeeperOptions) {
    const { provider, signer, addressBook, takerAccount, config, logger, metrics } = options;
    this.#provider = provider;
    this.#book = addressBook;
    this.#taker = takerAccount;
    this.#policy = { ...DEFAULT_POLICY, ...config };
    this.#logger = logger;
    this.#sender = new Sender(signer, provider, this.#policy);
    this.mirror = new Mirror(provider, addressBook);
    this.metrics = metrics ?? createMetrics();
  }

  /**
   * Creates a keeper and reads the history of the house.
   * @throws WrongChain, UnusableTaker, NodeIncomplete
   */
  static async create(options: KeeperOptions): Promise<Keeper> {
    const chainId = Number((await options.provider.getNetwork()).chainId);
    if (chainId !== options.addressBook.chainId) throw new WrongChain(chainId, options.addressBook.chainId);
    const address = await options.signer.getAddress();
    const { owner, isolatedMarket } = accountParts(options.takerAccount);
    if (owner !== address || isolatedMarket !== undefined) throw new UnusableTaker(options.takerAccount, address);
    const keeper = new Keeper(options);
    await keeper.mirror.sync();
    for (const [id, { cure }] of keeper.mirror.accounts) if (cure !== undefined) keeper.#called.add(id);
    return keeper;
  }

  /**
   * One pass: reads the chain up to its head, attends to the accounts below MM, worst ratio first, then to margin calls, then does the
   * upkeep. Returns what was done. Not to be called while `run` is under way.
   * @throws whatever the node throws
   */
  async tick(): Promise<readonly Act[]> {
    this.#acts = [];
    await this.mirror.sync();
    const assessed = this.#assessAll();
    for (const { id } of worstFirst(assessed)) await this.#attend(id);
    for (const each of assessed) if (!each.degraded) await this.#observeAbove(each);
    let changed = false;
    for (const job of dueUpkeep(this.mirror, this.#book, this.#taker, this.#policy)) {
      const result = await this.#maintain(job);
      changed ||= job.action !== "observe" && (result === "done" || result === "lost");
    }
    if (changed) await this.mirror.sync();
    this.metrics.block.set(this.mirror.head);
    this.metrics.lag.set(Math.max(0, Date.now() / 1000 - Number(this.mirror.house.time)));
    return this.#acts;
  }

  /** Ticks at every block, or every poll interval, until `signal` aborts or `stop` is called. No error ends it. */
  async run(signal?: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const ended = this.#loop(signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]));
    this.#running = { stop, ended };
    await ended;
  }

  /** Ends `run` after the pass that is under way. */
  async stop(): Promise<void> {
    this.#running?.stop.abort();
    await this.#running?.ended;
  }

  // ---------------------------------------------------------------- the loop

  async #loop(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.tick();
        failures = 0;
      } catch (error) {
        failures += 1;
        this.metrics.errors.inc();
        this.#logger.error({ failures, reason: shortMessage(error) }, "pass failed");
      }
      await this.#pause(Math.min(this.#policy.pollInterval * 2 ** failures, MAX_BACKOFF), failures === 0, signal);
    }
  }

  /** Waits for `ms`, or less if a block is announced and `orBlock` is set. */
  async #pause(ms: number, orBlock: boolean, signal: AbortSignal): Promise<void> {
    const wake = new AbortController();
    const onBlock = () => {
      wake.abort();
    };
    if (orBlock) await this.#provider.once("block", onBlock);
    try {
      await sleep(ms, undefined, { signal: AbortSignal.any([wake.signal, signal]) });
    } catch {
      // woken
    } finally {
      if (orBlock) await this.#provider.off("block", onBlock);
    }
  }

  // ---------------------------------------------------------------- accounts

  /** Every account that can be assessed. */
  #assessAll(): Assessed[] {
    const assessed: Assessed[] = [];
    const counts = { healthy: 0, marginCall: 0, liquidatable: 0, bankrupt: 0, unpriced: 0 };
    for (const [id, account] of this.mirror.accounts) {
      const one = this.#assess(id, account);
      counts[one === undefined || one.degraded ? "unpriced" : marginState(one.assessment)] += 1;
      if (one !== undefined) assessed.push(one);
    }
    for (const [state, count] of Object.entries(counts)) this.metrics.accounts.set({ state }, count);
    return assessed;
  }

  /** E, IM and MM, for want of usable prices at the last good ones moved in the owner's favour; `undefined` without these. */
  #assess(id: AccountId, account: LedgerAccount): Assessed | undefined {
    const { house } = this.mirror;
    try {
      const s = snapshotOf(account, house, "kindest");
      return { id, account, assessment: judge(s, house.risk), degraded: s.degraded };
    } catch (error) {
      if (error instanceof RiskError) return undefined;
      throw error;
    }
  }

  async #attend(id: AccountId): Promise<void> {
    const account = this.mirror.accounts.get(id);
    const assessed = account === undefined ? undefined : this.#assess(id, account);
    if (assessed === undefined) return;
    const { assessment, degraded } = assessed;
    if (assessment.equity >= assessment.maintenanceMargin) return;
    if (!degraded && !hasAssets(assessed.account, this.mirror.house)) {
      await this.#do({ action: "absorb", account: id, assessment }, absorbCall(this.#book, id));
      return;
    }
    const candidate = this.#candidate(assessed);
    const decision = decide(candidate, this.mirror.house, this.#policy);
    if (decision.action !== "take") return this.#observe(candidate, decision);
    const result = await this.#take(candidate, decision.slice);
    if (result === "done") return;
    await this.#observe(candidate, observe(candidate, this.mirror.house, this.#policy, result));
  }

  /** Ends the auction of an account that has recovered, and makes the margin call of one between MM and IM, once per call. */
  async #observeAbove({ id, account, assessment }: Assessed): Promise<void> {
    const { equity, initialMargin, maintenanceMargin } = assessment;
    if (equity >= initialMargin) {
      this.#called.delete(id);
      if (account.flagged) await this.#do({ action: "clear", account: id, assessment }, flagCall(this.#book, id));
      return;
    }
    if (equity < maintenanceMargin || this.#called.has(id) || initialMargin < this.#policy.callThreshold) return;
    const result = await this.#do({ action: "call", account: id, assessment }, flagCall(this.#book, id));
    if (result !== "done") return;
    this.#called.add(id);
    this.metrics.marginCalls.inc();
    const { deposit, market, size } = this.mirror.accounts.get(id)?.cure ?? { deposit: 0n, market: 0, size: 0n };
    const closing = size === 0n ? {} : { market, size: formatWad(size) };
    this.#logger.warn({ account: hex(id), deposit: formatWad(deposit), ...closing }, "margin call");
  }

  #candidate({ id, account, assessment }: Assessed): Candidate {
    const { insuranceFund, accounts } = this.mirror;
    return {
      id,
      account,
      assessment,
      auction: this.mirror.auctions.get(id),
      takerId: this.#taker,
      taker: accounts.get(this.#taker) ?? NOBODY,
      fund: insuranceFund,
    };
  }

  /** Takes over a slice; returns what came of it. */
  async #take(candidate: Candidate, slice: Slice): Promise<Outcome["result"]> {
    const call = liquidateCall(this.#book, candidate.id, this.#taker, {
      maxFraction: slice.maxFraction,
      ...(this.#policy.maxSpend !== undefined && { maxPayment: this.#policy.maxSpend }),
      minGain: positive(min(slice.plan.gain, this.#policy.minProfit)),
    });
    const { id: account, assessment } = candidate;
    const details = { account, assessment, fraction: slice.plan.fraction, expectedGain: slice.gain };
    return this.#do({ action: "take", ...details }, call);
  }

  /** Flags an account that is not taken, or lets it be. */
  async #observe({ id, assessment }: Candidate, { action, reason }: Observation): Promise<void> {
    if (action === "flag") await this.#do({ action, account: id, assessment, reason }, flagCall(this.#book, id));
    else this.#record({ action, result: "none", account: id, assessment, reason });
  }

  /** Does a piece of upkeep; the chain is read after the last one. */
  async #maintain({ call, gain, ...job }: Job): Promise<Outcome["result"]> {
    return this.#attempt({ ...job, ...(gain !== undefined && { expectedGain: gain }) }, call);
  }

  // ---------------------------------------------------------------- sending and reporting

  /** Attempts a call, reports it and, if it was mined, reads the chain. */
  async #do(act: Omit<Act, "result">, call: Call): Promise<Outcome["result"]> {
    const result = await this.#attempt(act, call);
    if (result === "done" || result === "lost") await this.mirror.sync();
    return result;
  }

  /** Attempts a call and reports it. What has an expected gain must bring it after gas. */
  async #attempt(act: Omit<Act, "result">, call: Call): Promise<Outcome["result"]> {
    const { expectedGain } = act;
    const outcome = await this.#sender.attempt(call, (gas) => this.#pays(expectedGain, gas));
    this.#record({ ...act, ...outcome });
    return outcome.result;
  }

  async #pays(gain: bigint | undefined, gas: bigint): Promise<boolean> {
    if (gain === undefined) return true;
    const { gasPrice, maxFeePerGas } = await this.#provider.getFeeData();
    const price = this.#priceOfGasAsset();
    if (price === undefined) return false;
    return gain - (gas * (gasPrice ?? maxFeePerGas ?? 0n) * price) / WAD >= this.#policy.minProfit;
  }

  /** [wad] USD; the last usable price if there is none now. */
  #priceOfGasAsset(): bigint | undefined {
    const asset = this.#book.underlyings.find(({ name }) => name === this.#policy.gasUnderlying);
    const now = asset === undefined ? undefined : this.mirror.house.prices.get(asset.id)?.price;
    return (this.#gasAssetPrice = now ?? this.#gasAssetPrice);
  }

  #record(act: Act): void {
    this.#acts.push(act);
    this.metrics.actions.inc({ action: act.action, result: act.result });
    const level = act.action === "wait" ? "debug" : act.result === "done" ? "info" : "warn";
    this.#logger[level](line(act), act.action);
  }
}

/** Those below MM, worst ratio first; an account without MM is below zero and comes before all. */
function worstFirst<T extends { assessment: Assessment }>(assessed: readonly T[]): T[] {
  const ratio = ({ assessment }: T) => marginRatio(assessment);
  return assessed
    .filter(({ assessment: { equity, maintenanceMargin } }) => equity < maintenanceMargin)
    .sort((a, b) => compare(ratio(a), ratio(b)));
}

function compare(a: bigint | undefined, b: bigint | undefined): number {
  if (a === b) return 0;
  return a === undefined || (b !== undefined && a < b) ? -1 : 1;
}

function hasAssets({ positions, collaterals }: AccountState, house: HouseState): boolean {
  if ([...positions.values()].some(({ size }) => size !== 0n)) return true;
  return [...collaterals].some(([id, balance]) => balance !== 0n && saleablePrice(house, id) !== 0n);
}

function hex(account: AccountId): string {
  return `0x${account.toString(16)}`;
}

/** An act as a log line holds it: human numbers. */
function line({ account, assessment, fraction, expectedGain, ...act }: Act): Record<string, unknown> {
  const ratio = assessment === undefined ? undefined : marginRatio(assessment);
  return {
    ...act,
    ...(account !== undefined && { account: hex(account) }),
    ...(assessment !== undefined && {
      E: formatWad(assessment.equity),
      MM: formatWad(assessment.maintenanceMargin),
    }),
    ...(ratio !== undefined && { ratio: formatWad(ratio) }),
    ...(fraction !== undefined && { fraction: formatWad(fraction) }),
    ...(expectedGain !== undefined && { expectedGain: formatWad(expectedGain) }),
  };
}
