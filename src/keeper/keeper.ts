import { setTimeout as sleep } from "node:timers/promises";

import { ZeroAddress } from "ethers";
import type { Provider, Signer } from "ethers";
import type { Logger } from "pino";

import { ClearingHouse__factory } from "../../types/index.ts";
import type { ClearingHouse } from "../../types/index.ts";
import { assessAccount, marginRatio, marginState } from "../risk/account.ts";
import type { Auction } from "../risk/auction.ts";
import { MissingPrice } from "../risk/errors.ts";
import { min, positive, WAD } from "../risk/fixed.ts";
import type { AccountState, Assessment } from "../risk/types.ts";
import { accountParts } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { flagCall, liquidateCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import { WrongChain } from "../sdk/client.ts";
import { formatWad } from "../sdk/units.ts";
import { DEFAULT_POLICY } from "./config.ts";
import type { KeeperPolicy } from "./config.ts";
import { decide, observe } from "./decide.ts";
import type { Candidate, Observation, Slice } from "./decide.ts";
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
  readonly action: "take" | "flag" | "wait" | "clear" | "absorb" | Job["action"];
  readonly result: Outcome["result"] | "none";
  readonly account?: AccountId;
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

/**
 * Watches every account of a house, takes over slices of those below MM where that pays, and does the upkeep that is due.
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
  readonly #clearingHouse: ClearingHouse;
  readonly #taker: AccountId;
  readonly #policy: KeeperPolicy;
  readonly #logger: Logger;
  readonly #sender: Sender;
  #acts: Act[] = [];
  #gasAssetPrice: bigint | undefined;
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

  private constructor(options: KeeperOptions) {
    const { provider, signer, addressBook, takerAccount, config, logger, metrics } = options;
    this.#provider = provider;
    this.#book = addressBook;
    this.#clearingHouse = ClearingHouse__factory.connect(addressBook.contracts.clearingHouse, provider);
    this.#taker = takerAccount;
    this.#policy = { ...DEFAULT_POLICY, ...config };
    this.#logger = logger;
    this.#sender = new Sender(signer, this.#policy.confirmTimeout);
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
    return keeper;
  }

  /**
   * One pass: reads the chain up to its head, attends to the accounts below MM, worst ratio first, then does the upkeep. Returns what
   * was done. Not to be called while `run` is under way.
   * @throws whatever the node throws
   */
  async tick(): Promise<readonly Act[]> {
    this.#acts = [];
    await this.mirror.sync();
    const assessed = this.#assessAll();
    for (const { id } of worstFirst(assessed)) await this.#attend(id);
    for (const { id, state, assessment } of assessed) {
      if (state.flagged && assessment.equity >= assessment.initialMargin) await this.#clear(id, assessment);
    }
    for (const job of dueUpkeep(this.mirror, this.#taker, this.#policy)) await this.#maintain(job);
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

  /** Every account whose prices are known, assessed. */
  #assessAll() {
    const assessed: { id: AccountId; state: AccountState & { flagged: boolean }; assessment: Assessment }[] = [];
    const counts = { healthy: 0, marginCall: 0, liquidatable: 0, bankrupt: 0, unpriced: 0 };
    for (const [id, state] of this.mirror.accounts) {
      const assessment = this.#assess(state);
      counts[assessment === undefined ? "unpriced" : marginState(assessment)] += 1;
      if (assessment !== undefined) assessed.push({ id, state, assessment });
    }
    for (const [state, count] of Object.entries(counts)) this.metrics.accounts.set({ state }, count);
    return assessed;
  }

  /** E, IM and MM; `undefined` while a price it needs is unusable. */
  #assess(account: AccountState): Assessment | undefined {
    try {
      return assessAccount(account, this.mirror.house);
    } catch (error) {
      if (error instanceof MissingPrice) return undefined;
      throw error;
    }
  }

  async #attend(id: AccountId): Promise<void> {
    const account = this.mirror.accounts.get(id);
    const assessment = account === undefined ? undefined : this.#assess(account);
    if (account === undefined || assessment === undefined) return;
    if (assessment.equity >= assessment.maintenanceMargin) return;
    if (!hasAssets(account)) {
      const data = this.#clearingHouse.interface.encodeFunctionData("absorb", [id]);
      await this.#do({ action: "absorb", account: id, assessment }, { target: this.#ledgerAddress, data });
      return;
    }
    const candidate = await this.#candidate(id, account);
    const decision = decide(candidate, this.mirror.house, this.#policy);
    if (decision.action !== "take") return this.#observe(candidate, assessment, decision);
    const result = await this.#take(candidate, assessment, decision.slice);
    if (result === "done") return;
    await this.#observe(candidate, assessment, observe(candidate, this.mirror.house, this.#policy, result));
  }

  async #candidate(id: AccountId, account: AccountState): Promise<Candidate> {
    const { insuranceFund, accounts } = this.mirror;
    const empty: AccountState = { cash: 0n, positions: new Map(), collaterals: new Map() };
    return {
      id,
      account,
      auction: await this.#auctionOf(id),
      takerId: this.#taker,
      taker: accounts.get(this.#taker) ?? empty,
      fund: insuranceFund,
    };
  }

  async #auctionOf(id: AccountId): Promise<Auction | undefined> {
    const stored = await this.#clearingHouse.auction(id, { blockTag: this.mirror.head });
    const { flagger, maintenanceAtFlag, clock, rescueClock, lastCall } = stored; // a Result loses its names when it is spread
    return flagger === ZeroAddress ? undefined : { flagger, maintenanceAtFlag, clock, rescueClock, lastCall };
  }

  /** Takes over a slice; returns what came of it. */
  async #take(candidate: Candidate, assessment: Assessment, slice: Slice): Promise<Outcome["result"]> {
    const call = liquidateCall(this.#book, candidate.id, this.#taker, {
      maxFraction: slice.maxFraction,
      ...(this.#policy.maxSpend !== undefined && { maxPayment: this.#policy.maxSpend }),
      minGain: positive(min(slice.plan.gain, this.#policy.minProfit)),
    });
    const details = { account: candidate.id, assessment, fraction: slice.plan.fraction, expectedGain: slice.gain };
    return this.#do({ action: "take", ...details }, call);
  }

  /** Flags an account that is not taken, or lets it be. */
  async #observe({ id }: Candidate, assessment: Assessment, { action, reason }: Observation): Promise<void> {
    if (action === "flag") await this.#do({ action, account: id, assessment, reason }, flagCall(this.#book, id));
    else this.#record({ action, result: "none", account: id, assessment, reason });
  }

  /** Ends the auction of an account that has recovered. */
  async #clear(account: AccountId, assessment: Assessment): Promise<void> {
    await this.#do({ action: "clear", account, assessment }, flagCall(this.#book, account));
  }

  async #maintain({ data, gain, ...job }: Job): Promise<void> {
    const call = { target: this.#ledgerAddress, data };
    await this.#do({ ...job, ...(gain !== undefined && { expectedGain: gain }) }, call);
  }

  // ---------------------------------------------------------------- sending and reporting

  get #ledgerAddress(): string {
    return this.#book.contracts.clearingHouse;
  }

  /** Attempts a call, reports it and, if it was mined, reads the chain. What has an expected gain must bring it after gas. */
  async #do(act: Omit<Act, "result">, call: Call): Promise<Outcome["result"]> {
    const { expectedGain } = act;
    const outcome = await this.#sender.attempt(call, (gas) => this.#pays(expectedGain, gas));
    this.#record({ ...act, ...outcome });
    if (outcome.result === "done" || outcome.result === "lost") await this.mirror.sync();
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

function hasAssets({ positions, collaterals }: AccountState): boolean {
  return collaterals.size !== 0 || [...positions.values()].some(({ size }) => size !== 0n);
}

/** An act as a log line holds it: human numbers. */
function line({ account, assessment, fraction, expectedGain, ...act }: Act): Record<string, unknown> {
  const ratio = assessment === undefined ? undefined : marginRatio(assessment);
  return {
    ...act,
    ...(account !== undefined && { account: `0x${account.toString(16)}` }),
    ...(assessment !== undefined && {
      E: formatWad(assessment.equity),
      MM: formatWad(assessment.maintenanceMargin),
    }),
    ...(ratio !== undefined && { ratio: formatWad(ratio) }),
    ...(fraction !== undefined && { fraction: formatWad(fraction) }),
    ...(expectedGain !== undefined && { expectedGain: formatWad(expectedGain) }),
  };
}
