import { setImmediate as immediate } from "node:timers/promises";

import type { Logger } from "pino";

import { IClearingHouse__factory } from "../../types/index.ts";
import type { MarketTerms } from "../risk/cure.ts";
import type { AccountState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { explain } from "../sdk/explain.ts";
import type { Explanation } from "../sdk/explain.ts";
import { answeredAt } from "../sdk/feeds.ts";
import { readMarketTerms } from "../sdk/read.ts";
import { ActLog } from "./actLog.ts";
import type { Act } from "./acts.ts";
import { DEFAULT_POLICY, InvalidKeeperConfig } from "./config.ts";
import type { KeeperPolicy } from "./config.ts";
import type { Database } from "./database.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Endpoints, verifyDeployment } from "./endpoints.ts";
import type { NodeProvider } from "./endpoints.ts";
import { Heads } from "./follow.ts";
import type { Head } from "./follow.ts";
import { NoHedge } from "./hedge.ts";
import type { HedgeVenue } from "./hedge.ts";
import { Hedger } from "./hedger.ts";
import type { Leases } from "./leases.ts";
import { EMPTY_ACCOUNT } from "./ledger.ts";
import type { LedgerAccount } from "./ledger.ts";
import { Liquidator } from "./liquidator.ts";
import { MarginCalls } from "./marginCalls.ts";
import { countHouse, createMetrics } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { Mirror } from "./mirror.ts";
import type { NoticeDesk } from "./notices.ts";
import { OwnFunds } from "./ownFunds.ts";
import { pause } from "./pause.ts";
import { MirrorMismatch } from "./reconcile.ts";
import { LiquidationReports } from "./reports.ts";
import { shortMessage } from "./sender.ts";
import type { SenderOptions } from "./sender.ts";
import type { KeeperStatus } from "./server.ts";
import type { KeeperSigner } from "./signer.ts";
import { SqliteDatabase } from "./sqlite.ts";
import { dueUpkeep } from "./upkeep.ts";
import { Watch } from "./watch.ts";
import type { Watched } from "./watch.ts";

const LONGEST_PAUSE = 5_000; // [ms] after failures: what stops them may end at any time
const MAX_SILENCE = 30_000; // [ms] for which a connection may announce no block
const SWEEP_TIME = 5; // [ms] of each pass for what moves many accounts at once
const BEHIND = 20; // [ms] after which a node is asked again for a block that another one has announced
const PATIENCE = 50; // times that it is
const UPKEEP_ROUND = 500; // accounts of each pass
const CARE_INTERVAL = 10_000; // [ms] between two comparisons with the chain, savings of the mirror and looks at the balance

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

/** What it knows the house by, acts with and keeps. */
interface Parts {
  readonly policy: KeeperPolicy;
  readonly mirror: Mirror;
  readonly log: ActLog;
  readonly dispatcher: Dispatcher;
  readonly reports: LiquidationReports;
}

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
  readonly #log: ActLog;
  readonly #dispatcher: Dispatcher;
  readonly #liquidator: Liquidator;
  readonly #marginCalls: MarginCalls;
  readonly #hedger: Hedger;
  readonly #funds: OwnFunds;
  /** What goes on beside the passes. */
  readonly #beside = new Set<Promise<void>>();
  /** Where the round of upkeep is. */
  #turn: Iterator<[AccountId, LedgerAccount]> | undefined;
  #cared = -Infinity; // [ms]
  #caring: Promise<void> | undefined;
  #mismatch: MirrorMismatch | undefined;
  #balance = 0n; // [wei] of the signer
  #runway = 0; // [s] for which it lasts
  #terms: ReadonlyMap<number, MarketTerms> = new Map();
  #lastPass: number | undefined; // [ms]
  #passEnded = performance.now(); // [ms] of the last pass
  /** The newest block, and since when it is known [ms]. */
  #newest = { head: -1, since: 0 };
  /** Reports that are being written, and the last block up to which they were, or were to be. */
  #reporting: Promise<void> | undefined;
  #reported = -1;
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

  private constructor(options: KeeperOptions, { policy, mirror, log, dispatcher, reports }: Parts) {
    this.#options = options;
    this.#policy = policy;
    this.mirror = mirror;
    this.#log = log;
    this.metrics = log.metrics;
    this.#dispatcher = dispatcher;
    this.reports = reports;
    const { provider, addressBook, takerAccount, signer, logger, desk, venue = new NoHedge() } = options;
    const shared = { provider, mirror, dispatcher, addressBook, takerAccount, policy, venue, logger };
    this.#liquidator = new Liquidator({ ...shared, signer: signer.address });
    this.#hedger = new Hedger(shared);
    this.#funds = new OwnFunds({ ...shared, owner: signer.address });
    const { watch, metrics } = this;
    this.#marginCalls = new MarginCalls({ ...shared, watch, metrics, desk, why: (id) => this.why(id) });
  }

  /**
   * Creates a keeper: asks what became of what was sent before, and reads the house from the last checkpoint on.
   * @throws InvalidKeeperConfig, WrongChain, NotDeployed, UnusableTaker, TakerKeyTooWide, NodeIncomplete, DatabaseError
   */
  static async create(options: KeeperOptions): Promise<Keeper> {
    const { provider, signer, addressBook, takerAccount, leases, gas, logger, metrics = createMetrics() } = options;
    await verifyDeployment(provider, addressBook);
    const policy = { ...DEFAULT_POLICY, ...options.config };
    const { confirmations, gasUnderlying } = policy;
    expectUnderlying(gasUnderlying, addressBook);
    const database = options.database ?? new SqliteDatabase(":memory:");
    const mirror = new Mirror(provider, addressBook, { confirmations });
    const log = new ActLog(logger, metrics);
    const dispatcher = await Dispatcher.open({
      ...{ provider, signer, addressBook, takerAccount, database, policy, mirror, log, logger, leases, gas },
    });
    const reports = await LiquidationReports.open({ provider, addressBook, database, logger, gasUnderlying });
    const keeper = new Keeper(options, { policy, mirror, log, dispatcher, reports });
    await mirror.resume(database);
    await keeper.#sync();
    await keeper.#care();
    dispatcher.resume();
    return keeper;
  }

  /**
   * One pass and what came of it: reads the chain up to its head, attends to the accounts below MM, worst ratio first, then to margin
   * calls, then does the upkeep. Not to be called while `run` is under way.
   * @throws whatever the node throws
   */
  async tick(): Promise<readonly Act[]> {
    this.#log.drain();
    await Promise.all([this.#dispatcher.look(), this.#pass()]);
    if (this.#isCareDue) await this.#care();
    while (!this.#dispatcher.isIdle) await this.#dispatcher.ended();
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

  /** Saves the mirror, unless it differs from the chain: then what was saved before is the better one to begin with. */
  async save(): Promise<void> {
    if (this.#mismatch === undefined) await this.mirror.save();
  }

  /** How it stands, for its server. */
  get status(): KeeperStatus {
    const { house } = this.mirror;
    const { underlyings } = this.#options.addressBook;
    return {
      lastPass: this.#lastPass,
      passAge: (performance.now() - this.#passEnded) / 1000,
      headTime: Number(house.time),
      headAge: this.#headAge,
      unusablePrices: underlyings.filter(({ id }) => !house.prices.has(id)).map(({ name }) => name),
      unreconciled: this.#mismatch?.message,
      gasRunway: this.#runway,
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
    const { webSocketUrl, addressBook } = this.#options;
    const { pollInterval } = this.#policy;
    const heads = new Heads({
      ...{ pollInterval, maxPause: LONGEST_PAUSE, maxSilence: MAX_SILENCE, chainId: addressBook.chainId },
      ...(webSocketUrl !== undefined && { webSocketUrl }),
    });
    let head: Head | undefined;
    for (let failures = 0; !signal.aborted;) {
      this.metrics.announced.set(webSocketUrl === undefined || heads.isConnected ? 1 : 0);
      failures = (await this.#tryPass(head, signal)) ? 0 : failures + 1;
      if (failures === 0) head = await heads.next(signal);
      else await pause(Math.min(pollInterval * 2 ** failures, LONGEST_PAUSE), signal);
    }
    await heads.close();
    await Promise.all([this.#dispatcher.ended(), ...this.#beside, this.#reporting]);
  }

  /** One pass, or as many as it takes until a block that was announced has been read. */
  async #tryPass(head: Head | undefined, signal: AbortSignal): Promise<boolean> {
    try {
      this.#log.drain();
      await this.#pass(head);
      this.#goesOn(this.#dispatcher.look());
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
    this.#measure(); // how far behind it is now
    this.#options.logger.error({ reason: shortMessage(error) }, "pass failed");
  }

  async #pass(head?: Head): Promise<void> {
    const began = performance.now();
    this.#dispatcher.beginPass();
    const attended = new Set<AccountId>();
    const attend = (watched: readonly Watched[]) => {
      if (!this.#isTrusted) return;
      this.#liquidator.attend(watched.filter(({ id }) => !attended.has(id)));
      for (const { id } of watched) attended.add(id);
    };
    await this.#sync(head);
    attend(this.watch.liquidatable);
    this.metrics.decision.observe((performance.now() - began) / 1000);
    await immediate(); // what was begun leaves before anything else is looked at
    const swept = this.watch.work(SWEEP_TIME);
    for (const each of swept) this.#note(each);
    attend(swept.filter(({ state }) => state === "liquidatable" || state === "bankrupt"));
    if (this.#isTrusted) {
      this.#marginCalls.attend();
      this.#keepUp();
      this.#hedger.hedge();
      if (!this.#liquidator.isTaking) this.#funds.keep();
    }
    this.#measure();
    [this.#lastPass, this.#passEnded] = [Date.now(), performance.now()];
    this.#report();
  }

  /** Whether the mirror agrees with the chain and is not behind: nothing is done on the word of one that does not or is. */
  get #isTrusted(): boolean {
    return this.#mismatch === undefined && this.#headAge <= this.#policy.maxHeadAge;
  }

  /** [s] Since the newest block has come. */
  get #headAge(): number {
    return (performance.now() - this.#newest.since) / 1000;
  }

  /** Reports liquidations while there is nothing else to do. */
  #report(): void {
    const { head } = this.mirror;
    const isIdle = () => this.#dispatcher.isIdle;
    if (this.#reporting !== undefined || this.#reported === head || !isIdle()) return;
    this.#reported = head;
    this.#reporting = this.reports
      .follow(head, head - this.#policy.confirmations, isIdle)
      .catch((error: unknown) => {
        this.#options.logger.warn({ reason: shortMessage(error) }, "reports of liquidations wait");
      })
      .then(() => (this.#reporting = undefined));
  }

  /** Begins the upkeep that is due. */
  #keepUp(): void {
    const { addressBook: book, takerAccount: taker } = this.#options;
    const terms = { book, taker, policy: this.#policy };
    for (const { call, gain, gasRoom, ...job } of dueUpkeep(this.mirror, this.#round(), terms)) {
      const act = { ...job, ...(gain !== undefined && { expectedGain: gain }) };
      this.#dispatcher.begin(act, call, undefined, gasRoom === undefined ? {} : { gasRoom });
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

  get #isCareDue(): boolean {
    if (this.#caring !== undefined) return false;
    return this.#funds.hasMoved || performance.now() - this.#cared >= CARE_INTERVAL;
  }

  /** Compares the mirror with the chain, saves it, and looks at the balance; not again while that is under way. */
  #care(): Promise<void> {
    this.#caring ??= this.#takeCare().finally(() => (this.#caring = undefined));
    return this.#caring;
  }

  async #takeCare(): Promise<void> {
    const { provider, signer, addressBook } = this.#options;
    this.#cared = performance.now();
    const clearingHouse = IClearingHouse__factory.connect(addressBook.contracts.clearingHouse, provider);
    const [, balance, terms] = await Promise.all([
      this.#reconcile(), // first, while the mirror stands at one block
      provider.getBalance(signer.address),
      readMarketTerms({ clearingHouse }, addressBook, this.mirror.head),
      this.#funds.refresh(),
      ...addressBook.underlyings.map((underlying) => this.#measureFeed(underlying)),
    ]);
    [this.#balance, this.#terms] = [balance, terms];
    this.#runway = this.#dispatcher.runway(balance);
    this.#dispatcher.settle();
    await this.#options.leases?.tidy();
    await this.save();
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
      await this.#dispatcher.look(); // what was taken back is not begun again
    }
    const { accounts, house, head } = this.mirror;
    if (head !== this.#newest.head) this.#newest = { head, since: performance.now() };
    this.#dispatcher.forgetRead();
    const now = touched.map((id): [AccountId, AccountState] => [id, accounts.get(id) ?? EMPTY_ACCOUNT]);
    for (const each of this.watch.advance(house, now)) this.#note(each);
  }

  /** Takes note of an account that was looked at. */
  #note(watched: Watched): void {
    this.#liquidator.note(watched);
    this.#marginCalls.note(watched.id);
  }

  #measure(): void {
    const { metrics, mirror } = this;
    for (const [state, count] of Object.entries(this.watch.counts)) metrics.accounts.set({ state }, count);
    countHouse(metrics, mirror.house, this.#options.addressBook);
    const { provider } = this.#options;
    const endpoints = provider instanceof Endpoints ? provider.health : [];
    for (const { name, state } of endpoints) {
      metrics.endpoints.set({ endpoint: name }, state === "healthy" || state === "unchecked" ? 1 : 0);
    }
    metrics.mirrorLag.set(Math.max(mirror.head, ...endpoints.map(({ head }) => head)) - mirror.head);
    metrics.block.set(mirror.head);
    metrics.lag.set(Math.max(0, mirror.lag));
    metrics.gasBalance.set(Number(this.#balance));
    metrics.gasRunway.set(this.#runway);
  }
}

/** Without the price of what gas is paid in nothing would ever seem to pay. @throws InvalidKeeperConfig */
function expectUnderlying(name: string, { underlyings }: AddressBook): void {
  const names = underlyings.map((underlying) => underlying.name);
  if (names.includes(name)) return;
  throw new InvalidKeeperConfig([`GAS_UNDERLYING: the house has no ${name}: give one of ${names.join(", ")}`]);
}
