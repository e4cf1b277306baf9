import { setTimeout as sleep } from "node:timers/promises";

import type { Provider } from "ethers";
import type { Logger } from "pino";

import { marginRatio } from "../risk/account.ts";
import { min, positive, WAD } from "../risk/fixed.ts";
import { saleablePrice } from "../risk/prices.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { accountParts } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { absorbCall, flagCall, liquidateCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import { WrongChain } from "../sdk/client.ts";
import { formatWad } from "../sdk/units.ts";
import { DEFAULT_POLICY } from "./config.ts";
import type { KeeperPolicy } from "./config.ts";
import type { Database } from "./database.ts";
import { decide, observe } from "./decide.ts";
import type { Candidate, Observation, Slice } from "./decide.ts";
import type { LedgerAccount } from "./ledger.ts";
import { createMetrics } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { Mirror } from "./mirror.ts";
import { Sender, shortMessage } from "./sender.ts";
import type { Outcome } from "./sender.ts";
import type { KeeperSigner } from "./signer.ts";
import { SqliteDatabase } from "./sqlite.ts";
import { dueUpkeep } from "./upkeep.ts";
import type { Job } from "./upkeep.ts";
import { Watch } from "./watch.ts";

const MAX_BACKOFF = 60_000; // [ms]
const SWEEP_TIME = 5; // [ms] of each pass for what moves many accounts at once
const UPKEEP_ROUND = 500; // accounts of each pass

/** What a keeper needs. */
export interface KeeperOptions {
  readonly provider: Provider;
  /** Pays gas and owns the taker's account. */
  readonly signer: KeeperSigner;
  /** Keeps what was sent, so that nothing is done twice after a restart; in memory if left out. */
  readonly database?: Database;
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
  /** [wad] What was paid for gas, in its asset. */
  readonly cost?: bigint;
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
  readonly watch = new Watch();
  readonly metrics: Metrics;
  readonly #provider: Provider;
  readonly #book: AddressBook;
  readonly #taker: AccountId;
  readonly #policy: KeeperPolicy;
  readonly #logger: Logger;
  readonly #sender: Sender;
  /** Accounts in a margin call that was made. */
  readonly #called = new AccountMap<true>();
  /** Accounts that were looked at and may have to be called, or their auctions ended. */
  #looked = new AccountMap<true>();
  #turn: Iterator<[AccountId, LedgerAccount]> | undefined;
  #acts: Act[] = [];
  #gasAssetPrice: bigint | undefined;
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

  private constructor(options: KeeperOptions, policy: KeeperPolicy, sender: Sender) {
    const { provider, addressBook, takerAccount, logger, metrics } = options;
    this.#provider = provider;
    this.#book = addressBook;
    this.#taker = takerAccount;
    this.#policy = policy;
    this.#logger = logger;
    this.#sender = sender;
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
    const { address } = options.signer;
    const { owner, isolatedMarket } = accountParts(options.takerAccount);
    if (owner !== address || isolatedMarket !== undefined) throw new UnusableTaker(options.takerAccount, address);
    const policy = { ...DEFAULT_POLICY, ...options.config };
    const { provider, signer, database = new SqliteDatabase(":memory:") } = options;
    const keeper = new Keeper(options, policy, await Sender.open({ provider, signer, database, policy }));
    await keeper.#sync();
    for (const [id, { cure }] of keeper.mirror.accounts) if (cure !== undefined) keeper.#called.set(id, true);
    return keeper;
  }

  /**
   * One pass: reads the chain up to its head, attends to the accounts below MM, worst ratio first, then to margin calls, then does the
   * upkeep. Returns what was done. Not to be called while `run` is under way.
   * @throws whatever the node throws
   */
  async tick(): Promise<readonly Act[]> {
    this.#acts = [];
    await this.#sender.look();
    await this.#sync();
    for (const { id } of this.watch.liquidatable) await this.#attend(id);
    const looked = this.#looked;
    this.#looked = new AccountMap();
    for (const id of looked.keys()) await this.#observeAbove(id);
    let changed = false;
    for (const job of dueUpkeep(this.mirror, this.#round(), this.#book, this.#taker, this.#policy)) {
      const result = await this.#maintain(job);
      changed ||= job.action !== "observe" && (result === "done" || result === "outcompeted");
    }
    if (changed) await this.#sync();
    for (const [state, count] of Object.entries(this.watch.counts)) this.metrics.accounts.set({ state }, count);
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

  /** Reads the chain up to its head and looks at the accounts that it may have moved. */
  async #sync(): Promise<void> {
    const { touched } = await this.mirror.sync();
    const { accounts, house } = this.mirror;
    const now = touched.map((id): [AccountId, AccountState] => [id, accounts.get(id) ?? NOBODY]);
    for (const { id } of this.watch.advance(house, now)) this.#looked.set(id, true);
    for (const { id } of this.watch.work(SWEEP_TIME)) this.#looked.set(id, true);
  }

  /** The next accounts to do upkeep for, all of them in turn. */
  #round(): [AccountId, LedgerAccount][] {
    const round: [AccountId, LedgerAccount][] = [];
    this.#turn ??= this.mirror.accounts[Symbol.iterator]();
    while (round.length < UPKEEP_ROUND) {
      const next = this.#turn.next();
      if (next.done === true) {
        this.#turn = undefined;
        break;
      }
      round.push(next.value);
    }
    return round;
  }

  async #attend(id: AccountId): Promise<void> {
    const { account, assessment, degraded } = this.watch.get(id);
    if (assessment === undefined || assessment.equity >= assessment.maintenanceMargin) return;
    if (!degraded && !hasAssets(account, this.mirror.house)) {
      await this.#do({ action: "absorb", account: id, assessment }, absorbCall(this.#book, id));
      return;
    }
    const candidate = this.#candidate(id, account, assessment);
    const decision = decide(candidate, this.mirror.house, this.#policy);
    if (decision.action !== "take") return this.#observe(candidate, decision);
    const result = await this.#take(candidate, decision.slice);
    if (result === "done") return;
    await this.#observe(candidate, observe(candidate, this.mirror.house, this.#policy, result));
  }

  /** Ends the auction of an account that has recovered, and makes the margin call of one between MM and IM, once per call. */
  async #observeAbove(id: AccountId): Promise<void> {
    const { assessment, degraded } = this.watch.get(id);
    if (assessment === undefined || degraded) return;
    const { equity, initialMargin, maintenanceMargin } = assessment;
    if (equity >= initialMargin) {
      this.#called.delete(id);
      const isFlagged = this.mirror.auctions.has(id);
      if (isFlagged) await this.#do({ action: "clear", account: id, assessment }, flagCall(this.#book, id));
      return;
    }
    if (equity < maintenanceMargin || this.#called.has(id) || initialMargin < this.#policy.callThreshold) return;
    const result = await this.#do({ action: "call", account: id, assessment }, flagCall(this.#book, id));
    if (result !== "done") {
      this.#looked.set(id, true);
      return;
    }
    this.#called.set(id, true);
    this.metrics.marginCalls.inc();
    const { deposit, market, size } = this.mirror.accounts.get(id)?.cure ?? { deposit: 0n, market: 0, size: 0n };
    const closing = size === 0n ? {} : { market, size: formatWad(size) };
    this.#logger.warn({ account: hex(id), deposit: formatWad(deposit), ...closing }, "margin call");
  }

  #candidate(id: AccountId, account: AccountState, assessment: Assessment): Candidate {
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
    if (result === "done" || result === "outcompeted") await this.#sync();
    return result;
  }

  /** Attempts a call and reports it. What has an expected gain must bring it after gas. */
  async #attempt(act: Omit<Act, "result">, call: Call): Promise<Outcome["result"]> {
    const { expectedGain } = act;
    const subject = act.account ?? act.underlying ?? act.collateral ?? act.market ?? "";
    const purpose = `${act.action}:${subject}:${this.mirror.head}`;
    const accept = (cost: bigint) => this.#pays(expectedGain, cost);
    const { result, reason, hash, cost } = await this.#sender.attempt(call, { purpose, accept });
    const details = { ...(reason !== undefined && { reason }), ...(hash !== undefined && { hash }) };
    this.#record({ ...act, ...details, result, ...(cost !== undefined && { cost }) });
    return result;
  }

  /** @param cost [wei] */
  #pays(gain: bigint | undefined, cost: bigint): boolean {
    if (gain === undefined) return true;
    const price = this.#priceOfGasAsset();
    return price !== undefined && gain - (cost * price) / WAD >= this.#policy.minProfit;
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

function hasAssets({ positions, collaterals }: AccountState, house: HouseState): boolean {
  if ([...positions.values()].some(({ size }) => size !== 0n)) return true;
  return [...collaterals].some(([id, balance]) => balance !== 0n && saleablePrice(house, id) !== 0n);
}

function hex(account: AccountId): string {
  return `0x${account.toString(16)}`;
}

/** An act as a log line holds it: human numbers. */
function line({ account, assessment, fraction, expectedGain, cost, ...act }: Act): Record<string, unknown> {
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
    ...(cost !== undefined && { cost: formatWad(cost) }),
  };
}
