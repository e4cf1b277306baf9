import { DEFAULT_POLICY } from "../../keeper/config.ts";
import type { KeeperPolicy } from "../../keeper/config.ts";
import { decide } from "../../keeper/decide.ts";
import type { Candidate } from "../../keeper/decide.ts";
import type { HedgeVenue, Quote } from "../../keeper/hedge.ts";
import { hasAssets } from "../../keeper/liquidator.ts";
import type { Watched } from "../../keeper/watch.ts";
import { RiskError } from "../../risk/errors.ts";
import { abs, min, WAD } from "../../risk/fixed.ts";
import { takeOver } from "../../risk/liquidation.ts";
import type { LiquidationPlan } from "../../risk/liquidation.ts";
import type { AccountState } from "../../risk/types.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import { absorbCall, flagCall, liquidateCall } from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import type { LabHouse, Party } from "./house.ts";
import { wad } from "./population.ts";
import type { TakerTerms } from "./scenario.ts";
import type { View } from "./view.ts";

const FLAG_INTERVAL = 60; // [s] a clock moves by at most 60 s per flag
const PPB = 1e9;

/** Gas that a taker reckons with before it sends. */
export const TAKE_GAS = 600_000;

/** A transaction of a taker on its way. */
export interface Sent {
  readonly taker: number;
  readonly kind: "take" | "flag" | "absorb";
  readonly account: AccountId;
  /** [s] from when on it can be in a block */
  readonly lands: number;
  readonly bid: number;
  readonly call: Call;
}

/** All that a `Taker` remembers. */
export interface TakerState {
  /** What it has sent for, by account. */
  readonly coming: Map<AccountId, LiquidationPlan>;
  /** When it last flagged an account or wrote it off [s]. */
  readonly observed: Map<AccountId, number>;
}

export function newTaker(): TakerState {
  return { coming: new Map(), observed: new Map() };
}

/** Market makers that take any size at the index, give or take their spread and the fee of the market. */
class Desk implements HedgeVenue {
  readonly #cost: bigint; // [1e-9]

  /** @param cost as a share of what is traded */
  constructor(cost: number) {
    this.#cost = BigInt(Math.round(cost * PPB));
  }

  quote(_market: number, size: bigint, index: bigint): Quote {
    const traded = abs(size);
    return { traded, cost: (((traded * index) / WAD) * this.#cost) / BigInt(PPB) };
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  trade(): Promise<bigint> {
    return Promise.resolve(0n);
  }
}

/** Looks at every block and sends for what pays, as the keeper decides. What it sends lands some seconds later. */
export class Taker {
  readonly terms: TakerTerms;
  readonly party: Party;
  readonly #index: number;
  readonly #house: LabHouse;
  readonly #state: TakerState;
  readonly #desk: Desk;

  /** @param cost of hedging, as a share of what is traded */
  constructor(index: number, terms: TakerTerms, house: LabHouse, cost: number, state: TakerState) {
    [this.#index, this.terms, this.#house, this.#state] = [index, terms, house, state];
    const party = house.takers[index];
    if (party === undefined) throw new RangeError(`no taker ${index}`);
    this.party = party;
    this.#desk = new Desk(cost);
  }

  /** @param gasCost [USD] of one slice now */
  look(view: View, gasCost: number): Sent[] {
    const policy: KeeperPolicy = {
      ...DEFAULT_POLICY,
      ...{ minProfit: wad(this.terms.leastProfit + gasCost * this.terms.bid), maxInventory: 0n },
      flagInterval: BigInt(FLAG_INTERVAL),
    };
    let taker: AccountState = view.account(this.party.id);
    for (const plan of this.#state.coming.values()) taker = carry(taker, plan);
    const sent: Sent[] = [];
    for (const watched of view.below) {
      const found = this.#attend(watched, taker, view, policy);
      if (found === undefined) continue;
      sent.push(found);
      const plan = this.#state.coming.get(found.account);
      if (found.kind === "take" && plan !== undefined) taker = carry(taker, plan);
    }
    return sent;
  }

  /** One of its transactions was in a block, whatever became of it. */
  landed({ kind, account }: Sent): void {
    if (kind === "take") this.#state.coming.delete(account);
  }

  #attend(watched: Watched, taker: AccountState, view: View, policy: KeeperPolicy): Sent | undefined {
    const { id, account, assessment } = watched;
    if (assessment === undefined || this.#state.coming.has(id)) return undefined;
    const { book } = this.#house;
    if (!hasAssets(account, view.house)) return this.#observe("absorb", id, view.time);
    const candidate: Candidate = {
      ...{ id, account, assessment, taker, takerId: this.party.id, venue: this.#desk },
      ...{ auction: view.mirror.auctions.get(id), fund: view.mirror.insuranceFund },
    };
    const decision = decide(candidate, view.house, policy);
    if (decision.action === "take") {
      const { plan, maxFraction } = decision.slice;
      this.#state.coming.set(id, storable(plan));
      const terms = { maxFraction, minGain: min(plan.gain, policy.minProfit) };
      return this.#send("take", id, liquidateCall(book, id, this.party.id, terms), view.time);
    }
    return decision.action === "wait" ? undefined : this.#observe("flag", id, view.time);
  }

  #observe(kind: "flag" | "absorb", id: AccountId, time: number): Sent | undefined {
    if (time - (this.#state.observed.get(id) ?? -Infinity) < FLAG_INTERVAL) return undefined;
    this.#state.observed.set(id, time);
    const { book } = this.#house;
    return this.#send(kind, id, kind === "flag" ? flagCall(book, id) : absorbCall(book, id), time);
  }

  #send(kind: Sent["kind"], account: AccountId, call: Call, time: number): Sent {
    const { latency, bid } = this.terms;
    return { taker: this.#index, kind, account, lands: time + latency, bid, call };
  }
}

/** A plan without the rule by which it was cut: that is a function, which no checkpoint holds. */
function storable(plan: LiquidationPlan): LiquidationPlan {
  const { account, house } = plan.opened;
  const { underlyings, collaterals } = house.risk;
  return { ...plan, opened: { account, house: { ...house, risk: { underlyings, collaterals } } } };
}

/** A taker's account with what it has sent for, as far as it can carry it. */
function carry(taker: AccountState, plan: LiquidationPlan): AccountState {
  try {
    return takeOver(taker, plan);
  } catch (error) {
    if (error instanceof RiskError) return taker; // somebody else may be faster anyway
    throw error;
  }
}
