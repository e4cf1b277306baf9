import type { LogDescription } from "ethers";

import type {
  BadDebtRepaidEvent,
  ClaimedEvent,
  DeficitAbsorbedEvent,
  DepositedEvent,
  FeesSweptEvent,
  LoansChangedEvent,
  ReservesSweptEvent,
  SettledEvent,
  WithdrawnEvent,
} from "../../types/contracts/interfaces/IClearingHouse.ts";

export const LENDING = 64n; // stands for the lending pool where losses are kept by market

interface Events {
  Deposited: DepositedEvent.OutputObject;
  Withdrawn: WithdrawnEvent.OutputObject;
  Settled: SettledEvent.OutputObject;
  Claimed: ClaimedEvent.OutputObject;
  FeesSwept: FeesSweptEvent.OutputObject;
  DeficitAbsorbed: DeficitAbsorbedEvent.OutputObject;
  BadDebtRepaid: BadDebtRepaidEvent.OutputObject;
  LoansChanged: LoansChangedEvent.OutputObject;
  ReservesSwept: ReservesSweptEvent.OutputObject;
}

/** What each event moves between accounts, pools and the vault. */
const EFFECTS: { readonly [Name in keyof Events]: (flows: Flows, event: Events[Name]) => void } = {
  Deposited: ({ tokens }, e) => {
    tokens.add(e.token, e.amount);
  },
  Withdrawn: ({ tokens }, e) => {
    tokens.add(e.token, -e.amount);
  },
  Settled: ({ pools }, e) => {
    pools.add(e.market, -e.amount);
  },
  Claimed: ({ pools, badDebts }, e) => {
    pools.add(e.market, -e.paid);
    badDebts.add(e.market, -(e.claimed - e.paid));
  },
  FeesSwept: ({ pools, badDebts }, e) => {
    pools.add(e.market, -(e.toFund + e.toTreasury));
    badDebts.add(e.market, -e.againstBadDebt);
  },
  DeficitAbsorbed: ({ pools, badDebts }, e) => {
    pools.add(e.market, e.fromFund);
    badDebts.add(e.market, e.badDebt);
  },
  BadDebtRepaid: ({ pools, badDebts }, e) => {
    pools.add(e.market, e.amount);
    badDebts.add(e.market, -e.amount);
  },
  LoansChanged: ({ pools }, e) => {
    pools.add(LENDING, -e.cash);
  },
  ReservesSwept: ({ pools }, e) => {
    pools.add(LENDING, -e.amount);
  },
};

/** Amounts by key; what was never added to is zero. */
class Sums<K> {
  readonly #sums = new Map<K, bigint>();

  add(key: K, amount: bigint): void {
    this.#sums.set(key, this.get(key) + amount);
  }

  get(key: K): bigint {
    return this.#sums.get(key) ?? 0n;
  }
}

/** What belongs to no account [wad], rebuilt from the clearinghouse's events alone. */
export class Flows {
  /** Deposited less withdrawn, by the token's address. */
  readonly tokens = new Sums<string>();
  /** Settled losses that winners are paid from, by market; what is lent and reserved, and not borrowed, for `LENDING`. */
  readonly pools = new Sums<bigint>();
  /** What no fund and no side has paid, by market. */
  readonly badDebts = new Sums<bigint>();

  /** Applies the next event; `null` is one that the clearinghouse's interface does not know. */
  apply(event: LogDescription | null): void {
    if (event === null || !Object.hasOwn(EFFECTS, event.name)) return;
    const effect = EFFECTS[event.name as keyof Events] as (flows: Flows, event: unknown) => void;
    effect(this, event.args.toObject(true));
  }
}
