import { min, positive } from "../risk/fixed.ts";
import { takeOver } from "../risk/liquidation.ts";
import type { LiquidationPlan } from "../risk/liquidation.ts";
import { saleablePrice } from "../risk/prices.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { absorbCall, batchCall, flagCall, liquidateCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import type { PlannedAct } from "./acts.ts";
import type { KeeperPolicy } from "./config.ts";
import { decide, observe } from "./decide.ts";
import type { Candidate, Observation, Slice } from "./decide.ts";
import { ANOTHER_KEEPER } from "./dispatcher.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { HedgeVenue } from "./hedge.ts";
import type { Outcome } from "./lane.ts";
import { EMPTY_ACCOUNT } from "./ledger.ts";
import type { Mirror } from "./mirror.ts";
import { Races } from "./races.ts";
import { SliceGas } from "./sliceGas.ts";
import type { Watched } from "./watch.ts";

const SLICES_PER_CALL = 8; // of small ones: some 900,000 gas
/** What says of a batch that one of its calls may have failed, and nothing of the others. */
const ONE_BY_ONE: readonly Outcome["result"][] = ["refused", "outcompeted", "declined"];

/** A slice that is to be taken, and how. */
interface Take {
  readonly candidate: Candidate;
  readonly slice: Slice;
  readonly act: PlannedAct;
  readonly call: Call;
}

/** What a liquidator needs. */
export interface LiquidatorOptions {
  readonly mirror: Pick<Mirror, "head" | "house" | "accounts" | "auctions" | "insuranceFund">;
  readonly dispatcher: Dispatcher;
  readonly addressBook: AddressBook;
  /** The account that takes over slices. */
  readonly takerAccount: AccountId;
  /** Address that sends. */
  readonly signer: string;
  readonly policy: KeeperPolicy;
  /** What the taker would get rid of its inventory at. */
  readonly venue: HedgeVenue;
}

/** Attends to accounts below MM: takes over a slice where that pays, moves the auction on where it does not pay yet. */
export class Liquidator {
  readonly #options: LiquidatorOptions;
  /** The block at which an account was first seen below MM. */
  readonly #since = new AccountMap<number>();
  /** Slices that are on their way to the taker. */
  readonly #coming = new AccountMap<LiquidationPlan>();
  /** The taker's account with all that is on its way. */
  #taker: AccountState = EMPTY_ACCOUNT;
  readonly #gas = new SliceGas();
  readonly #races: Races;
  /** Slices that are to be taken together. */
  #small: Take[] = [];

  constructor(options: LiquidatorOptions) {
    this.#options = options;
    this.#races = new Races(options);
  }

  /** Whether slices are on their way to the taker. */
  get isTaking(): boolean {
    return this.#coming.size !== 0;
  }

  /** Takes note of where an account stands. */
  note({ id, state }: Watched): void {
    if (state !== "liquidatable" && state !== "bankrupt") this.#since.delete(id);
    else if (!this.#since.has(id)) this.#since.set(id, this.#options.mirror.head);
  }

  /** Takes slices of accounts below MM, moves their auctions on, or lets them be. */
  attend(watched: readonly Watched[]): void {
    const { mirror, takerAccount } = this.#options;
    this.#taker = mirror.accounts.get(takerAccount) ?? EMPTY_ACCOUNT;
    for (const plan of this.#coming.values()) this.#taker = takeOver(this.#taker, plan);
    for (const each of watched) this.#attend(each);
    this.#takeSmall();
  }

  #attend({ id, account, assessment, degraded }: Watched): void {
    const { mirror, dispatcher, addressBook, policy } = this.#options;
    if (assessment === undefined || this.#coming.has(id)) return;
    if (mirror.head - this.#sinceOf(id) < policy.backupBlocks) return;
    if (!degraded && !hasAssets(account, mirror.house)) {
      dispatcher.begin({ action: "absorb", account: id, assessment }, absorbCall(addressBook, id));
      return;
    }
    const candidate = this.#candidate(id, account, assessment);
    const decision = decide(candidate, mirror.house, policy);
    if (decision.action === "take") this.#take(candidate, decision.slice);
    else this.#observe(candidate, decision);
  }

  #sinceOf(id: AccountId): number {
    return this.#since.get(id) ?? this.#options.mirror.head;
  }

  #candidate(id: AccountId, account: AccountState, assessment: Assessment): Candidate {
    const { mirror, takerAccount, venue } = this.#options;
    const { insuranceFund: fund, auctions } = mirror;
    const auction = auctions.get(id);
    return { id, account, assessment, auction, takerId: takerAccount, taker: this.#taker, fund, venue };
  }

  // ---------------------------------------------------------------- slices

  /** Takes a slice at once, or, if it is small, together with others. */
  #take(candidate: Candidate, slice: Slice): void {
    const { batchBelow } = this.#options.policy;
    const { id, assessment } = candidate;
    const { plan, gain, profit, reason } = slice;
    const terms = { fraction: plan.fraction, expectedGain: gain, expectedProfit: profit, reason };
    const act = { action: "take", account: id, assessment, ...terms } as const;
    const call = this.#callOf(candidate, slice);
    if (this.#options.dispatcher.isBusy(act, call)) return;
    const take = { candidate, slice, act, call };
    this.#coming.set(id, plan);
    this.#taker = takeOver(this.#taker, plan);
    if (batchBelow !== undefined && profit < batchBelow) this.#small.push(take);
    else this.#takeAlone(take);
  }

  #callOf({ id }: Candidate, { plan, maxFraction }: Slice): Call {
    const { addressBook, takerAccount, policy } = this.#options;
    const { maxSpend, minProfit } = policy;
    return liquidateCall(addressBook, id, takerAccount, {
      maxFraction,
      ...(maxSpend !== undefined && { maxPayment: maxSpend }),
      minGain: positive(min(plan.gain, minProfit)),
    });
  }

  #takeAlone({ candidate, act, call }: Take): void {
    const { mirror, dispatcher, policy } = this.#options;
    const { id } = candidate;
    const since = this.#sinceOf(id);
    const guard = this.#races.guardOf(candidate, since);
    const after = (outcome: Outcome) => {
      const { result } = outcome;
      this.#coming.delete(id);
      this.#gas.learn(candidate, outcome);
      this.#races.learn(outcome);
      if (guard !== undefined && result === "outcompeted") this.#races.doubt(id, since);
      const isToBeSold = (result === "refused" || result === "declined") && outcome !== ANOTHER_KEEPER;
      if (isToBeSold) this.#observe(candidate, observe(candidate, mirror.house, policy, result));
    };
    const hasBegun = dispatcher.begin(act, this.#guarded([guard], [call]), after, this.#gas.of(candidate));
    if (!hasBegun) this.#coming.delete(id); // the sender brings it in again
  }

  /** Takes the small slices, several in one transaction. */
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
    const { dispatcher } = this.#options;
    const sum = (of: (slice: Slice) => bigint) => takes.reduce((total, { slice }) => total + of(slice), 0n);
    const together = {
      action: "take" as const,
      ...{ accounts: takes.map(({ candidate }) => candidate.id) },
      ...{ expectedGain: sum(({ gain }) => gain), expectedProfit: sum(({ profit }) => profit) },
      reason: `${takes.length} small slices in one transaction`,
    };
    const guards = takes.map(({ candidate }) => this.#races.guardOf(candidate, this.#sinceOf(candidate.id)));
    const calls = takes.map(({ call }) => call);
    const hasBegun = dispatcher.begin(together, this.#guarded(guards, calls), (outcome) => {
      this.#races.learn(outcome);
      for (const take of takes) {
        if (ONE_BY_ONE.includes(outcome.result)) this.#takeAlone(take);
        else {
          this.#coming.delete(take.candidate.id);
          dispatcher.endWith(take.act, take.call, outcome);
        }
      }
    });
    if (!hasBegun) for (const { candidate } of takes) this.#coming.delete(candidate.id); // likewise
  }

  /** One call of several, what guards them before what they move. */
  #guarded(guards: readonly (Call | undefined)[], calls: readonly Call[]): Call {
    const all = [...guards.filter((guard) => guard !== undefined), ...calls];
    const [only] = all;
    return only !== undefined && all.length === 1 ? only : batchCall(this.#options.addressBook, all);
  }

  /** Flags an account that is not taken, or lets it be. */
  #observe({ id, assessment }: Candidate, { action, reason }: Observation): void {
    const { dispatcher, addressBook } = this.#options;
    const act = { action, account: id, assessment, reason };
    if (action === "flag") dispatcher.begin(act, flagCall(addressBook, id));
    else dispatcher.leave(act);
  }
}

/** Whether an account has something that could be sold. */
export function hasAssets({ positions, collaterals }: AccountState, house: HouseState): boolean {
  if ([...positions.values()].some(({ size }) => size !== 0n)) return true;
  return [...collaterals].some(([id, balance]) => balance !== 0n && saleablePrice(house, id) !== 0n);
}
