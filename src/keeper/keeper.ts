import { setImmediate as immediate } from "node:timers/promises";

import type { Logger } from "pino";

import { IClearingHouse__factory } from "../../types/index.ts";
import type { MarketTerms } from "../risk/cure.ts";
import { max, min, positive, WAD } from "../risk/fixed.ts";
import { takeOver } from "../risk/liquidation.ts";
import type { LiquidationPlan } from "../risk/liquidation.ts";
import { saleablePrice } from "../risk/prices.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { hexOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { absorbCall, batchCall, flagCall, liquidateCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import { explain } from "../sdk/explain.ts";
import type { Explanation } from "../sdk/explain.ts";
import { answeredAt } from "../sdk/feeds.ts";
import { readMarketTerms } from "../sdk/read.ts";
import { formatWad } from "../sdk/units.ts";
import { ActLog } from "./actLog.ts";
import type { Moment } from "./actLog.ts";
import { nameOfAct } from "./acts.ts";
import type { Act } from "./acts.ts";
import { DEFAULT_POLICY } from "./config.ts";
import type { KeeperPolicy } from "./config.ts";
import type { Database } from "./database.ts";
import { decide, observe } from "./decide.ts";
import type { Candidate, Observation, Slice } from "./decide.ts";
import { Endpoints, verifyDeployment } from "./endpoints.ts";
import type { NodeProvider } from "./endpoints.ts";
import { Heads } from "./follow.ts";
import type { Head } from "./follow.ts";
import { excessesOf, NoHedge } from "./hedge.ts";
import type { Excess, HedgeVenue } from "./hedge.ts";
import type { Leases } from "./leases.ts";
import { EMPTY_ACCOUNT } from "./ledger.ts";
import type { LedgerAccount } from "./ledger.ts";
import { countHouse, createMetrics } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { Mirror } from "./mirror.ts";
import type { NoticeDesk } from "./notices.ts";
import { ownFundsJobs, readPurse } from "./ownFunds.ts";
import type { Purse } from "./ownFunds.ts";
import { MirrorMismatch } from "./reconcile.ts";
import { Sender, shortMessage } from "./sender.ts";
import type { Outcome, SenderOptions, Terms } from "./sender.ts";
import { LiquidationReports } from "./reports.ts";
import type { KeeperStatus } from "./server.ts";
import type { KeeperSigner } from "./signer.ts";
import { SqliteDatabase } from "./sqlite.ts";
import { openTakerKey } from "./takerKey.ts";
import { dueUpkeep } from "./upkeep.ts";
import type { UpkeepTerms } from "./upkeep.ts";
import { Watch } from "./watch.ts";
import type { Watched } from "./watch.ts";
import { pause } from "./pause.ts";

const LONGEST_PAUSE = 5_000; // [ms] after failures: what stops them may end at any time
const MAX_SILENCE = 30_000; // [ms] for which a connection may announce no block
const SLICES_PER_CALL = 8; // of small ones: some 900,000 gas
/** What says of a batch that one of its calls may have failed, and nothing of the others. */
const ONE_BY_ONE: readonly Outcome["result"][] = ["refused", "outcompeted", "declined"];
const SWEEP_TIME = 5; // [ms] of each pass for what moves many accounts at once
const BEHIND = 20; // [ms] after which a node is asked again for a block that another one has announced
const PATIENCE = 50; // times that it is
const GAS_MARGIN = 2n; // times what the last slices have used
const UPKEEP_ROUND = 500; // accounts of each pass
const CARE_INTERVAL = 10_000; // [ms] between two comparisons with the chain, savings of the mirror and looks at the balance

const ANOTHER_KEEPER: Outcome = { result: "declined", reason: "another keeper is at it" };

/** A slice that is to be taken, and how. */
interface Take {
  readonly candidate: Candidate;
  readonly slice: Slice;
  readonly act: Omit<Act, "result">;
  readonly call: Call;
}

/** What a keeper needs. */
export interface KeeperOptions {
  readonly provider: NodeProvider;
  /** Pays gas; owns the taker's account or is allowed by its owner to take over slices into it. */
  readonly signer: KeeperSigner;
  readonly addressBook: AddressBook;
  /** The account that takes over slices; not an isolated one. */
  readonly takerAccount: AccountId;
  /** What differs from `DEFAULT_POLICY`. */
  readonly config?: Partial<KeeperPolicy>;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Keeps what must outlive the keeper; in memory if left out. */
  readonly database?: Database;
  /** Of a node that announces blocks; they are polled for if left out. */
  readonly webSocketUrl?: string;
  /** Tells owners of margin calls. */
  readonly desk?: NoticeDesk;
  /** Shares the work among keepers of one database. */
  readonly leases?: Leases;
  /** Where the taker gets rid of what it holds beyond `maxInventory`; it keeps that if left out. */
  readonly venue?: HedgeVenue;
  /** How gas is paid for, and what is offered for it. */
  readonly gas?: Pick<SenderOptions, "gasModel" | "bidding">;
}

/** What it acts and keeps with. */
interface Parts {
  readonly sender: Sender;
  /** Makes of a call the one that the signer sends. */
  readonly asTaker: (call: Call) => Call;
  readonly log: ActLog;
  /** What calls were about that a reorganisation has taken back: the sender brings them in again. */
  readonly undone: ReadonlySet<string>;
  readonly reports: LiquidationReports;
}

/** Gas of a call that need not be simulated. */
type KnownGas = Pick<Terms, "gas" | "gasLimit">;

/**
 * Watches every account of a house, takes over slices of those below MM where that pays, calls those below IM for margin, and does
 * the upkeep that is due. Several calls are under way at once, no two of them for the same.
 *
 *     const keeper = await Keeper.create({ provider, signer, addressBook, takerAccount, logger: pino() });
 *     await keeper.tick(); // one pass, and what came of it
 *     await keeper.run(); // until stop()
 */
export class Keeper {
  readonly mirror: Mirror;
  readonly watch = new Watch();
  readonly metrics: Metrics;
  /** Of all liquidations, by whomever. */
  readonly reports: LiquidationReports;
  readonly #options: KeeperOptions;
  readonly #policy: KeeperPolicy;
  readonly #sender: Sender;
  readonly #asTaker: Parts["asTaker"];
  readonly #log: ActLog;
  readonly #undone: Parts["undone"];
  readonly #venue: HedgeVenue;
  /** Accounts in a margin call that was made. */
  readonly #called = new AccountMap<true>();
  /** The block at which an account was first seen below MM. */
  readonly #since = new AccountMap<number>();
  /** What goes on beside the passes. */
  readonly #beside = new Set<Promise<void>>();
  /** Calls that have not ended, by what they are about. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** The blocks that calls have ended in, by what they were about, until the mirror has read them. */
  readonly #ended = new Map<string, number>();
  /** Slices that are on their way to the taker. */
  readonly #plans = new AccountMap<LiquidationPlan>();
  /** Slices of this pass that are taken together. */
  #small: Take[] = [];
  /** Most gas that a slice has used, by the shape of its account: such a one need not be simulated. */
  readonly #gasUsed = new Map<string, bigint>();
  /** Accounts whose slices have reverted on the chain: the next one is simulated whatever it is. */
  readonly #doubted = new AccountMap<true>();
  /** Accounts that were looked at and may have to be called, or their auctions ended. */
  #looked = new AccountMap<true>();
  #turn: Iterator<[AccountId, LedgerAccount]> | undefined;
  #gasAssetPrice: bigint | undefined;
  #passBegan = 0; // [ms]
  #cared = -Infinity; // [ms]
  #mismatch: MirrorMismatch | undefined;
  #balance = 0n; // [wei] of the signer
  #purse: Purse | undefined;
  #terms: ReadonlyMap<number, MarketTerms> = new Map();
  #lastPass: number | undefined; // [ms]
  /** The newest block, and since when it is known [ms]. */
  #newest = { head: -1, since: 0 };
  /** Reports that are being written, and the last block up to which they were, or were to be. */
  #reporting: Promise<void> | undefined;
  #reported = -1;
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

  private constructor(options: KeeperOptions, policy: KeeperPolicy, { sender, asTaker, log, undone, reports }: Parts) {
    this.reports = reports;
    this.#asTaker = asTaker;
    this.#options = options;
    this.#policy = policy;
    this.#sender = sender;
    this.#log = log;
    this.#undone = undone;
    this.metrics = log.metrics;
    const { provider, addressBook, venue = new NoHedge() } = options;
    this.#venue = venue;
    this.mirror = new Mirror(provider, addressBook, { confirmations: policy.confirmations });
  }

  /**
   * Creates a keeper: asks what became of what was sent before, and reads the house from the last checkpoint on.
   * @throws WrongChain, NotDeployed, UnusableTaker, TakerKeyTooWide, NodeIncomplete, DatabaseError
   */
  static async create(options: KeeperOptions): Promise<Keeper> {
    const { provider, signer, addressBook, takerAccount, gas, logger, metrics = createMetrics() } = options;
    await verifyDeployment(provider, addressBook);
    const asTaker = await openTakerKey(provider, addressBook, takerAccount, signer.address);
    const policy = { ...DEFAULT_POLICY, ...options.config };
    const database = options.database ?? new SqliteDatabase(":memory:");
    const log = new ActLog(logger, metrics);
    const undone = new Set<string>();
    const onChange: SenderOptions["onChange"] = (purpose, outcome) => {
      log.change(purpose, outcome);
      if (outcome === undefined) undone.add(nameIn(purpose));
      else undone.delete(nameIn(purpose));
    };
    const sender = await Sender.open({ provider, signer, database, policy, onChange, ...gas });
    const { gasUnderlying } = policy;
    const reports = await LiquidationReports.open({ provider, addressBook, database, logger, gasUnderlying });
    const keeper = new Keeper(options, policy, { sender, asTaker, log, undone, reports });
    await keeper.mirror.resume(database);
    await keeper.#sync();
    await keeper.#care();
    for (const [id, { cure }] of keeper.mirror.accounts) if (cure !== undefined) keeper.#called.set(id, true);
    keeper.#resume();
    return keeper;
  }

  /**
   * One pass and what came of it: reads the chain up to its head, attends to the accounts below MM, worst ratio first, then to margin
   * calls, then does the upkeep. Not to be called while `run` is under way.
   * @throws whatever the node throws
   */
  async tick(): Promise<readonly Act[]> {
    this.#log.drain();
    await Promise.all([this.#sender.look(), this.#pass()]);
    if (this.#isCareDue) await this.#care();
    while (this.#underWay.size !== 0) await Promise.all(this.#underWay.values());
    const acts = this.#log.drain();
    if (acts.some(({ hash }) => hash !== undefined)) await this.#sync();
    return acts;
  }

  /** One pass at every block, or every poll interval, until `signal` aborts or `stop` is called. No error ends it. */
  async run(signal?: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const ended = this.#loop(signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]));
    this.#running = { stop, ended };
    await ended;
  }

  /** Ends `run` after what is under way. */
  async stop(): Promise<void> {
    this.#running?.stop.abort();
    await this.#running?.ended;
  }

  /** How it stands, for its server. */
  get status(): KeeperStatus {
    const { house } = this.mirror;
    const { underlyings } = this.#options.addressBook;
    return {
      lastPass: this.#lastPass,
      headTime: Number(house.time),
      headAge: (performance.now() - this.#newest.since) / 1000,
      unusablePrices: underlyings.filter(({ id }) => !house.prices.has(id)).map(({ name }) => name),
      unreconciled: this.#mismatch?.message,
      gasRunway: this.#log.runway.of(this.#balance),
    };
  }

  /**
   * Why an account is or is not being liquidated, and what was decided about it last.
   * @throws RiskError where something in it has never had a price
   */
  why(id: AccountId): Explanation {
    const { accounts, auctions, head: block, house } = this.mirror;
    const account = accounts.get(id) ?? EMPTY_ACCOUNT;
    const subject = { id, block, account, house, auction: auctions.get(id), terms: this.#terms };
    return explain(subject, this.#log.decisions.get(id));
  }

  // ---------------------------------------------------------------- the loop

  async #loop(signal: AbortSignal): Promise<void> {
    const { webSocketUrl } = this.#options;
    const { pollInterval } = this.#policy;
    const heads = new Heads({
      ...{ pollInterval, maxPause: LONGEST_PAUSE, maxSilence: MAX_SILENCE },
      ...(webSocketUrl !== undefined && { webSocketUrl }),
    });
    let head: Head | undefined;
    for (let failures = 0; !signal.aborted;) {
      failures = (await this.#tryPass(head, signal)) ? 0 : failures + 1;
      if (failures === 0) head = await heads.next(signal);
      else await pause(Math.min(pollInterval * 2 ** failures, LONGEST_PAUSE), signal);
    }
    await heads.close();
    await Promise.all([...this.#underWay.values(), ...this.#beside, this.#reporting]);
  }

  /** One pass, or as many as it takes until a block that was announced has been read. */
  async #tryPass(head: Head | undefined, signal: AbortSignal): Promise<boolean> {
    try {
      this.#log.drain();
      await this.#pass(head);
      this.#goesOn(this.#sender.look());
      if (this.#isCareDue) this.#goesOn(this.#care());
      for (let tries = 0; head !== undefined && head.number > this.mirror.head && tries < PATIENCE; ++tries) {
        await pause(BEHIND, signal);
        await this.#pass(head);
      }
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Lets something end beside the passes. */
  #goesOn(work: Promise<void>): void {
    const ended = work.catch((error: unknown) => {
      this.#failed(error);
    });
    this.#beside.add(ended);
    void ended.then(() => this.#beside.delete(ended));
  }

  #failed(error: unknown): void {
    this.metrics.errors.inc();
    this.#options.logger.error({ reason: shortMessage(error) }, "pass failed");
  }

  async #pass(head?: Head): Promise<void> {
    this.#passBegan = performance.now();
    const attended = new Set<AccountId>();
    const attend = (watched: readonly Watched[]) => {
      if (this.#mismatch !== undefined) return;
      for (const each of watched) if (!attended.has(each.id)) this.#attend(each);
      for (const { id } of watched) attended.add(id);
      this.#takeSmall();
    };
    await this.#sync(head);
    attend(this.watch.liquidatable);
    this.metrics.decision.observe((performance.now() - this.#passBegan) / 1000);
    await immediate(); // what was begun leaves before anything else is looked at
    const swept = this.watch.work(SWEEP_TIME);
    for (const each of swept) this.#note(each);
    attend(swept.filter(({ state }) => state === "liquidatable" || state === "bankrupt"));
    if (this.#mismatch === undefined) {
      this.#lookAbove();
      this.#keepUp();
      this.#hedge();
      this.#fund();
    }
    this.#measure();
    this.#lastPass = Date.now();
    this.#report();
  }

  /** Reports liquidations while there is nothing else to do. */
  #report(): void {
    const { head } = this.mirror;
    const isIdle = () => this.#underWay.size === 0;
    if (this.#reporting !== undefined || this.#reported === head || !isIdle()) return;
    this.#reported = head;
    this.#reporting = this.reports
      .follow(head, head - this.#policy.confirmations, isIdle)
      .catch((error: unknown) => {
        this.#options.logger.warn({ reason: shortMessage(error) }, "reports of liquidations wait");
      })
      .then(() => (this.#reporting = undefined));
  }

  #keepUp(): void {
    for (const { call, gain, ...job } of dueUpkeep(this.mirror, this.#round(), this.#upkeepTerms)) {
      this.#begin({ ...job, ...(gain !== undefined && { expectedGain: gain }) }, call);
    }
  }

  get #isCareDue(): boolean {
    return performance.now() - this.#cared >= CARE_INTERVAL;
  }

  /** Compares the mirror with the chain, saves it, and looks at the balance. */
  async #care(): Promise<void> {
    const { provider, signer, addressBook } = this.#options;
    this.#cared = performance.now();
    const clearingHouse = IClearingHouse__factory.connect(addressBook.contracts.clearingHouse, provider);
    const [, balance, purse, terms, head] = await Promise.all([
      this.#reconcile(), // first, while the mirror stands at one block
      provider.getBalance(signer.address),
      this.#policy.fundBelow === undefined ? undefined : readPurse(provider, addressBook, signer.address),
      readMarketTerms({ clearingHouse }, addressBook, this.mirror.head),
      provider.getBlockNumber(),
      ...addressBook.underlyings.map((underlying) => this.#measureFeed(underlying)),
    ]);
    [this.#balance, this.#purse, this.#terms] = [balance, purse, terms];
    this.metrics.mirrorLag.set(Math.max(0, head - this.mirror.head));
    this.#log.settle(this.#sender.unsettled);
    if (this.#mismatch === undefined) await this.mirror.save();
  }

  async #reconcile(): Promise<void> {
    try {
      await this.mirror.reconcile();
      this.#mismatch = undefined;
    } catch (error) {
      if (!(error instanceof MirrorMismatch)) throw error;
      this.#mismatch = error;
      const { message: reason } = error;
      this.#options.logger.error({ reason }, "the mirror differs from the chain: nothing is done until it agrees");
    }
  }

  async #measureFeed({ name, feed }: AddressBook["underlyings"][number]): Promise<void> {
    const answered = await answeredAt(this.#options.provider, feed);
    if (answered !== undefined) {
      this.metrics.oracleAge.set({ underlying: name }, Math.max(0, Number(this.mirror.house.time) - answered));
    }
  }

  /** Reads the chain up to its head and looks at the accounts that it may have moved. */
  async #sync(announced?: Head): Promise<void> {
    const { touched, reorganised } = await this.mirror.sync(announced);
    if (reorganised > 0) {
      this.metrics.reorganisations.inc();
      await this.#sender.look(); // what was taken back is not begun again
    }
    const { accounts, house, head } = this.mirror;
    if (head !== this.#newest.head) this.#newest = { head, since: performance.now() };
    for (const [name, block] of this.#ended) if (block <= head) this.#ended.delete(name);
    const now = touched.map((id): [AccountId, AccountState] => [id, accounts.get(id) ?? EMPTY_ACCOUNT]);
    for (const each of this.watch.advance(house, now)) this.#note(each);
  }

  /** Takes note of an account that was looked at. */
  #note({ id, state }: Watched): void {
    this.#looked.set(id, true);
    if (state !== "liquidatable" && state !== "bankrupt") this.#since.delete(id);
    else if (!this.#since.has(id)) this.#since.set(id, this.mirror.head);
  }

  #measure(): void {
    const { metrics, mirror } = this;
    for (const [state, count] of Object.entries(this.watch.counts)) metrics.accounts.set({ state }, count);
    countHouse(metrics, mirror.house, this.#options.addressBook);
    const { provider } = this.#options;
    for (const { name, state } of provider instanceof Endpoints ? provider.health : []) {
      metrics.endpoints.set({ endpoint: name }, state === "healthy" || state === "unchecked" ? 1 : 0);
    }
    metrics.block.set(mirror.head);
    metrics.lag.set(Math.max(0, mirror.lag));
    metrics.gasBalance.set(Number(this.#balance));
    metrics.gasRunway.set(this.#log.runway.of(this.#balance));
  }

  // ---------------------------------------------------------------- accounts

  /** Takes a slice of an account below MM, moves its auction on, or lets it be. */
  #attend({ id, account, assessment, degraded }: Watched): void {
    if (assessment === undefined || this.#plans.has(id)) return;
    const seen = this.mirror.head - (this.#since.get(id) ?? this.mirror.head);
    if (seen < this.#policy.backupBlocks) return;
    if (!degraded && !hasAssets(account, this.mirror.house)) {
      this.#begin({ action: "absorb", account: id, assessment }, absorbCall(this.#options.addressBook, id));
      return;
    }
    const candidate = this.#candidate(id, account, assessment);
    const decision = decide(candidate, this.mirror.house, this.#policy);
    if (decision.action === "take") this.#take(candidate, decision.slice);
    else this.#observe(candidate, decision);
  }

  /**
   * Ends the auctions of accounts that have recovered, makes the margin calls of those between MM and IM, once per call, and lets the
   * desk know of all that were looked at.
   */
  #lookAbove(): void {
    const looked = this.#looked;
    this.#looked = new AccountMap();
    for (const id of looked.keys()) {
      const { state, assessment, degraded } = this.watch.get(id);
      if (assessment === undefined || degraded) continue;
      this.#options.desk?.see(id, assessment, () => this.why(id));
      if (state === "healthy") {
        this.#called.delete(id);
        const flagged = this.mirror.auctions.has(id);
        if (flagged) this.#begin({ action: "clear", account: id, assessment }, flagCall(this.#options.addressBook, id));
      } else if (state === "marginCall") this.#call(id, assessment);
    }
  }

  #call(id: AccountId, assessment: Assessment): void {
    if (this.#called.has(id) || assessment.initialMargin < this.#policy.callThreshold) return;
    const { addressBook, logger } = this.#options;
    this.#begin({ action: "call", account: id, assessment }, flagCall(addressBook, id), ({ result }) => {
      if (result !== "done") {
        this.#looked.set(id, true);
        return;
      }
      this.#called.set(id, true);
      this.metrics.marginCalls.inc();
      logger.warn(
        { account: hexOf(id), lacks: formatWad(assessment.initialMargin - assessment.equity) },
        "margin call",
      );
    });
  }

  #candidate(id: AccountId, account: AccountState, assessment: Assessment): Candidate {
    const { insuranceFund, accounts, auctions } = this.mirror;
    const { takerAccount } = this.#options;
    let taker: AccountState = accounts.get(takerAccount) ?? EMPTY_ACCOUNT;
    for (const plan of this.#plans.values()) taker = takeOver(taker, plan);
    const auction = auctions.get(id);
    return { id, account, assessment, auction, takerId: takerAccount, taker, fund: insuranceFund, venue: this.#venue };
  }

  /** Takes a slice at once, or, if it is small, together with others. */
  #take(candidate: Candidate, slice: Slice): void {
    const { id, assessment } = candidate;
    const { plan, maxFraction, gain, profit, reason } = slice;
    const { addressBook, takerAccount } = this.#options;
    const { maxSpend, minProfit, batchBelow } = this.#policy;
    const call = liquidateCall(addressBook, id, takerAccount, {
      maxFraction,
      ...(maxSpend !== undefined && { maxPayment: maxSpend }),
      minGain: positive(min(plan.gain, minProfit)),
    });
    const terms = { fraction: plan.fraction, expectedGain: gain, expectedProfit: profit, reason };
    const act = { action: "take", account: id, assessment, ...terms } as const;
    if (this.#isBusy(nameOfAct(act, call))) return;
    this.#plans.set(id, plan);
    const take = { candidate, slice, act, call };
    if (batchBelow !== undefined && profit < batchBelow) this.#small.push(take);
    else this.#takeAlone(take);
  }

  #takeAlone({ candidate, act, call }: Take): void {
    const after = (outcome: Outcome) => {
      const { result } = outcome;
      this.#plans.delete(candidate.id);
      this.#learn(candidate, outcome);
      const isToBeSold = (result === "refused" || result === "declined") && outcome !== ANOTHER_KEEPER;
      if (isToBeSold) this.#observe(candidate, observe(candidate, this.mirror.house, this.#policy, result));
    };
    this.#begin(act, call, after, this.#gasOf(candidate));
  }

  /** What a slice is going to use, if such a one was taken before and the last one of this account went well. */
  #gasOf({ id, account }: Candidate): KnownGas {
    const gas = this.#doubted.has(id) ? undefined : this.#gasUsed.get(shapeOf(account));
    return gas === undefined ? {} : { gas, gasLimit: GAS_MARGIN * gas };
  }

  #learn({ id, account }: Candidate, { result, hash, gasUsed }: Outcome): void {
    const shape = shapeOf(account);
    if (result !== "done" && hash !== undefined) this.#doubted.set(id, true);
    if (result !== "done" || gasUsed === undefined) return;
    this.#doubted.delete(id);
    this.#gasUsed.set(shape, max(gasUsed, this.#gasUsed.get(shape) ?? 0n));
  }

  /** Takes the small slices of this pass, several in one transaction. */
  #takeSmall(): void {
    const small = this.#small;
    this.#small = [];
    for (let at = 0; at < small.length; at += SLICES_PER_CALL) {
      const takes = small.slice(at, at + SLICES_PER_CALL);
      const [first] = takes;
      if (first !== undefined && takes.length === 1) this.#takeAlone(first);
      else this.#takeTogether(takes);
    }
  }

  /** Takes several slices in one transaction, or each by itself if one of them does not go through. */
  #takeTogether(takes: readonly Take[]): void {
    const sum = (of: (slice: Slice) => bigint) => takes.reduce((total, { slice }) => total + of(slice), 0n);
    const act = {
      action: "take" as const,
      ...{ accounts: takes.map(({ candidate }) => candidate.id) },
      ...{ expectedGain: sum(({ gain }) => gain), expectedProfit: sum(({ profit }) => profit) },
      reason: `${takes.length} small slices in one transaction`,
    };
    const calls = takes.map(({ call }) => call);
    this.#begin(act, batchCall(this.#options.addressBook, calls), (outcome) => {
      for (const take of takes) {
        if (ONE_BY_ONE.includes(outcome.result)) this.#takeAlone(take);
        else {
          this.#plans.delete(take.candidate.id);
          this.#end(nameOfAct(take.act, take.call), outcome);
        }
      }
    });
  }

  /** Flags an account that is not taken, or lets it be. */
  #observe({ id, assessment }: Candidate, { action, reason }: Observation): void {
    const act = { action, account: id, assessment, reason };
    if (action === "flag") this.#begin({ ...act, action }, flagCall(this.#options.addressBook, id));
    else this.#log.record(act, { result: "none" }, this.#now);
  }

  // ---------------------------------------------------------------- upkeep

  get #upkeepTerms(): UpkeepTerms {
    const { addressBook: book, takerAccount: taker } = this.#options;
    return { book, taker, policy: this.#policy };
  }

  /** Sells, or buys back, what the taker holds beyond its limit. */
  #hedge(): void {
    const { maxInventory } = this.#policy;
    const { accounts, house } = this.mirror;
    if (maxInventory === undefined) return;
    void this.#venue.refresh().catch((error: unknown) => {
      this.#options.logger.warn({ reason: shortMessage(error) }, "the venue for hedges does not answer");
    });
    const account = this.#options.takerAccount;
    for (const excess of excessesOf(accounts.get(account) ?? EMPTY_ACCOUNT, house, maxInventory)) {
      const { market, size, index } = excess;
      const name = `hedge:${market}`;
      if (this.#underWay.has(name) || this.#venue.quote(market, size, index).traded === 0n) continue;
      const work = this.#leased(name, this.mirror.head, () => this.#trade(excess)).then((outcome) => {
        this.#underWay.delete(name);
        this.#log.record({ action: "hedge", account, market, size }, outcome, this.#now);
      });
      this.#underWay.set(name, work);
    }
  }

  async #trade({ market, size, index }: Excess): Promise<Outcome> {
    try {
      return { result: "done", reason: `${formatWad(await this.#venue.trade(market, size, index))} traded` };
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
  }

  /** Keeps the taker's cash between its bounds. */
  #fund(): void {
    const { addressBook: book, takerAccount: account, signer } = this.#options;
    const { accounts, house } = this.mirror;
    if (this.#plans.size !== 0) return;
    const funds = { book, account, signer: signer.address, purse: this.#purse };
    for (const { call, ...job } of ownFundsJobs(funds, accounts.get(account) ?? EMPTY_ACCOUNT, house, this.#policy)) {
      this.#begin(job, call, () => {
        this.#purse = undefined; // until it is read again
        this.#cared = -Infinity;
      });
    }
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

  // ---------------------------------------------------------------- sending and reporting

  /** Begins a call unless the same one is under way; `after` is told what came of it. What has an expected gain must bring it after gas. */
  #begin(act: Omit<Act, "result">, call: Call, after?: (outcome: Outcome) => void, gas?: KnownGas): void {
    const name = nameOfAct(act, call);
    if (this.#isBusy(name)) return;
    const { head } = this.mirror;
    const purpose = `${name}:${head}`;
    const lease = act.account === undefined ? name : hexOf(act.account);
    const work = this.#leased(lease, head, () => this.#attempt(act, call, { ...gas, purpose })).then((outcome) => {
      this.#end(name, outcome);
      this.#log.record(act, outcome, this.#now, purpose);
      after?.(outcome);
    });
    this.#underWay.set(name, work);
  }

  /** Waits for what was sent before the start, so that it is not begun again. */
  #resume(): void {
    for (const [purpose, ending] of this.#sender.underWay()) {
      const [action = "", about = "", head] = purpose.split(":");
      const name = `${action}:${about}`;
      this.#options.logger.info({ name, head }, "was sent before the start and is under way still");
      const work = ending.then((outcome) => {
        this.#end(name, outcome);
        if (action === "call" && outcome.result === "done") this.#called.set(BigInt(about), true);
      });
      this.#underWay.set(name, work);
    }
  }

  #end(name: string, { block }: Outcome): void {
    this.#underWay.delete(name);
    if (block !== undefined) this.#ended.set(name, block);
  }

  /** Whether the same is under way, for the first time or again, or has ended in a block that the mirror has not read yet. */
  #isBusy(name: string): boolean {
    return this.#underWay.has(name) || this.#undone.has(name) || this.#ended.has(name);
  }

  /** Does what no other keeper of the same database is at, or has done since `head`. */
  async #leased(name: string, head: number, work: () => Promise<Outcome>): Promise<Outcome> {
    const { leases } = this.#options;
    if (leases === undefined) return work();
    try {
      return (await leases.hold(name, head, work)) ?? ANOTHER_KEEPER;
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
  }

  async #attempt(act: Omit<Act, "result">, call: Call, terms: Terms): Promise<Outcome> {
    const profit = act.expectedProfit ?? act.expectedGain;
    const began = this.#passBegan;
    try {
      return await this.#sender.attempt(this.#asTaker(call), {
        ...terms,
        accept: (cost) => this.#pays(profit, cost),
        ...this.#worth(profit),
        onSent: () => {
          this.metrics.submission.observe((performance.now() - began) / 1000);
        },
      });
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
  }

  /** [wei] What gas may cost for a profit [wad USD] to be the least one. */
  #worth(profit: bigint | undefined): { expectedGain?: bigint } {
    const price = this.#priceOfGasAsset();
    if (profit === undefined || price === undefined) return {};
    return { expectedGain: (positive(profit - this.#policy.minProfit) * WAD) / price };
  }

  /** @param cost [wei] */
  #pays(gain: bigint | undefined, cost: bigint): boolean {
    if (gain === undefined) return true;
    const price = this.#priceOfGasAsset();
    return price !== undefined && gain - (cost * price) / WAD >= this.#policy.minProfit;
  }

  /** [wad] USD; the last usable price if there is none now. */
  #priceOfGasAsset(): bigint | undefined {
    const asset = this.#options.addressBook.underlyings.find(({ name }) => name === this.#policy.gasUnderlying);
    const now = asset === undefined ? undefined : this.mirror.house.prices.get(asset.id)?.price;
    return (this.#gasAssetPrice = now ?? this.#gasAssetPrice);
  }

  get #now(): Moment {
    return { block: this.mirror.head, gasAssetPrice: this.#gasAssetPrice ?? 0n };
  }
}

/** What the gas of a slice depends on. */
function shapeOf({ positions, collaterals, debtShares }: AccountState): string {
  return `${positions.size} ${collaterals.size} ${debtShares !== 0n}`;
}

function hasAssets({ positions, collaterals }: AccountState, house: HouseState): boolean {
  if ([...positions.values()].some(({ size }) => size !== 0n)) return true;
  return [...collaterals].some(([id, balance]) => balance !== 0n && saleablePrice(house, id) !== 0n);
}

/** What the call of a purpose is about: all but the block that it was decided at. */
function nameIn(purpose: string): string {
  return purpose.slice(0, purpose.lastIndexOf(":"));
}
