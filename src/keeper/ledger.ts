import { divUp } from "../risk/fixed.ts";
import type { AccountState, Position } from "../risk/types.ts";
import { accountId } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { ReadonlyAccountMap } from "../sdk/accountMap.ts";
import type { Fields, LedgerEvent } from "./decode.ts";

/** An account as the events of the clearinghouse tell it. It never changes: an event puts another one in its place. */
export interface LedgerAccount extends AccountState {
  /** A flag has started an auction that is not over. */
  readonly flagged: boolean;
  /** [s] plus one: observed time for which a loss has waited for cash when it was last seen, 0 = none waits. */
  readonly cashCallClock: bigint;
  /** What cured its last margin call; `undefined` if it was never called. */
  readonly cure: Cure | undefined;
}

/** The cheapest ways out of a margin call, as `LedgerTypes.Cure`. */
export interface Cure {
  readonly deposit: bigint; // [wad] cash that brings E to IM
  readonly market: number; // in which closing cures with the least notional
  readonly size: bigint; // [wad] change of size there; zero if closing in no single market cures
}

/** What events tell of the house as a whole. It never changes either. */
export interface Totals {
  readonly insuranceFund: AccountId;
  readonly treasury: AccountId;
  /** [wad] unswept trading fees by market */
  readonly fees: ReadonlyMap<number, bigint>;
  /** collateral assets by the addresses of their tokens in lower case */
  readonly collateralOf: ReadonlyMap<string, number>;
}

/** Names a block. */
export interface BlockRef {
  readonly number: number;
  readonly hash: string;
}

/** The end of a block, and what stood in the ledger then. */
export interface LedgerState {
  readonly block: BlockRef;
  readonly totals: Totals;
  readonly accounts: AccountMap<LedgerAccount>;
}

/** An account before and after a block. */
export interface Change {
  readonly before: LedgerAccount | undefined;
  readonly after: LedgerAccount;
}

/** What a block has changed. */
export interface BlockChanges extends BlockRef {
  readonly accounts: AccountMap<Change>;
  readonly before: Totals;
  readonly after: Totals;
}

const LENDING = 64n; // stands for the lending pool where losses are kept by market
const FEE_UNIT = 10n ** 9n; // [wad] granularity of fees
const NO_POSITIONS: ReadonlyMap<number, Position> = new Map(); // one for all accounts: most hold nothing
const NO_COLLATERALS: ReadonlyMap<number, bigint> = new Map();
const FLAT: Position = { size: 0n, quote: 0n };

/** An account of which nothing was ever heard. */
export const EMPTY_ACCOUNT: LedgerAccount = {
  cash: 0n,
  lentShares: 0n,
  debtShares: 0n,
  positions: NO_POSITIONS,
  collaterals: NO_COLLATERALS,
  flagged: false,
  cashCallClock: 0n,
  cure: undefined,
};

/** A house of which nothing was ever heard. */
export const NO_TOTALS: Totals = { insuranceFund: 0n, treasury: 0n, fees: new Map(), collateralOf: new Map() };

/** A balance moved in a token that no event has listed. */
export class UnlistedToken extends Error {
  readonly token: string;

  constructor(token: string) {
    super(`token ${token} was never listed: the events read do not begin at the deployment of the house`);
    this.name = "UnlistedToken";
    this.token = token;
  }
}

/** What each event does to balances. */
const EFFECTS: { readonly [Name in keyof Fields]: (ledger: EventLedger, event: Fields[Name]) => void } = {
  Deposited: (ledger, e) => {
    ledger.addToken(e.account, e.token, e.amount);
  },
  Withdrawn: (ledger, e) => {
    ledger.addToken(e.account, e.token, -e.amount);
  },
  Transferred: (ledger, e) => {
    ledger.addToken(e.from, e.token, -e.amount);
    ledger.addToken(e.to, e.token, e.amount);
  },
  Trade: (ledger, e) => {
    ledger.addPosition(e.maker, e.market, -e.size, e.makerQuote);
    ledger.addPosition(e.taker, e.market, e.size, e.takerQuote);
    ledger.addFees(e.market, e.makerFee + e.takerFee);
  },
  Settled: (ledger, e) => {
    ledger.addCash(e.account, e.amount);
    ledger.addPosition(e.account, e.market, 0n, -e.amount);
  },
  Claimed: (ledger, e) => {
    ledger.addCash(e.account, e.paid);
    ledger.addPosition(e.account, e.market, 0n, -e.claimed);
  },
  LoansChanged: (ledger, e) => {
    const cash = ledger.account(e.account).cash + e.cash;
    ledger.change(e.account, { cash, lentShares: e.lentShares, debtShares: e.debtShares });
  },
  ReservesSwept: (ledger, e) => {
    ledger.addCash(ledger.totals.insuranceFund, e.amount);
  },
  FeesSwept: (ledger, e) => {
    ledger.addCash(ledger.totals.insuranceFund, e.toFund);
    ledger.addCash(ledger.totals.treasury, e.toTreasury);
    ledger.addFees(e.market, -(e.toFund + e.toTreasury + divUp(e.againstBadDebt, FEE_UNIT) * FEE_UNIT));
  },
  Flagged: (ledger, e) => {
    ledger.change(e.account, { flagged: true });
  },
  MarginCall: (ledger, { account, cure: { deposit, market, size } }) => {
    ledger.change(account, { cure: { deposit, market: Number(market), size } });
  },
  AuctionCleared: (ledger, e) => {
    ledger.change(e.account, { flagged: false });
  },
  Liquidated: (ledger, e) => {
    ledger.addCash(e.account, e.payment);
    ledger.addCash(e.taker, -(e.payment + e.toFund + e.toFlagger));
    ledger.addCash(ledger.totals.insuranceFund, e.toFund);
    if (e.toFlagger !== 0n) ledger.addCash(accountId(e.flagger), e.toFlagger);
  },
  PositionTaken: (ledger, e) => {
    ledger.addPosition(e.account, e.market, -e.size, e.accountQuote);
    ledger.addPosition(e.taker, e.market, e.size, e.takerQuote);
  },
  CollateralTaken: (ledger, e) => {
    ledger.addCollateral(e.account, Number(e.collateral), -e.amount);
    ledger.addCollateral(e.taker, Number(e.collateral), e.amount);
  },
  RescuePaid: (ledger, e) => {
    ledger.addCash(ledger.totals.insuranceFund, -e.amount);
    ledger.addCash(e.taker, e.amount);
  },
  DeficitAbsorbed: (ledger, e) => {
    ledger.addCash(ledger.totals.insuranceFund, -e.fromFund);
    if (e.market !== LENDING) ledger.addPosition(e.account, e.market, 0n, e.part);
  },
  BadDebtRepaid: (ledger, e) => {
    ledger.addCash(ledger.totals.insuranceFund, -e.amount); // out of income that `Liquidated` credits in full
  },
  UnsettledLossSeen: (ledger, e) => {
    ledger.change(e.account, { cashCallClock: e.clock });
  },
  CollateralSet: (ledger, e) => {
    const collateralOf = new Map(ledger.totals.collateralOf).set(e.params.token, Number(e.collateral));
    ledger.changeTotals({ collateralOf });
  },
  InsuranceFundSet: (ledger, e) => {
    ledger.changeTotals({ insuranceFund: accountId(e.insuranceFund) });
  },
  TreasurySet: (ledger, e) => {
    ledger.changeTotals({ treasury: accountId(e.treasury) });
  },
};

/**
 * Every balance of the house, rebuilt from the clearinghouse's events alone, with a journal of what the last blocks have changed, so
 * that they can be taken back. Amounts are [wad].
 */
export class EventLedger {
  readonly #cashToken: string;
  readonly #accounts: AccountMap<LedgerAccount>;
  #totals: Totals;
  #base: BlockRef | undefined; // where the journal begins
  #journal: BlockChanges[] = []; // oldest first
  #changed = new AccountMap<Change>(); // by the block whose events are being applied

  /** @param state what to begin with, from the deployment if left out; its accounts are the ledger's from now on */
  constructor(cashToken: string, state?: LedgerState) {
    this.#cashToken = cashToken.toLowerCase();
    this.#accounts = state?.accounts ?? new AccountMap();
    this.#totals = state?.totals ?? NO_TOTALS;
    this.#base = state?.block;
  }

  get accounts(): ReadonlyAccountMap<LedgerAccount> {
    return this.#accounts;
  }

  get totals(): Totals {
    return this.#totals;
  }

  /** The last block that was applied. */
  get head(): BlockRef | undefined {
    return this.#journal.at(-1) ?? this.#base;
  }

  account(id: AccountId): LedgerAccount {
    return this.#accounts.get(id) ?? EMPTY_ACCOUNT;
  }

  // ---------------------------------------------------------------- blocks

  /**
   * Applies the events of the next block, or of a row of blocks that is taken back as one.
   * @throws UnlistedToken; nothing has changed then
   */
  apply({ number, hash }: BlockRef, events: Iterable<LedgerEvent>): BlockChanges {
    const before = this.#totals;
    this.#changed = new AccountMap();
    try {
      for (const event of events)
        (EFFECTS[event.name] as (ledger: EventLedger, event: LedgerEvent) => void)(this, event);
    } catch (error) {
      this.#restore(this.#changed, before);
      throw error;
    }
    const changes = { number, hash, accounts: this.#changed, before, after: this.#totals };
    this.#journal.push(changes);
    return changes;
  }

  /** Takes the newest block in the journal back. */
  undo(): BlockChanges | undefined {
    const changes = this.#journal.pop();
    if (changes !== undefined) this.#restore(changes.accounts, changes.before);
    return changes;
  }

  /** Strikes the blocks up to `number` off the journal, for they will never be taken back. Returns what they have changed. */
  finalise(number: number): BlockChanges[] {
    const kept = this.#journal.findIndex((changes) => changes.number > number);
    const struck = this.#journal.splice(0, kept === -1 ? this.#journal.length : kept);
    this.#base = struck.at(-1) ?? this.#base;
    return struck;
  }

  #restore(accounts: AccountMap<Change>, totals: Totals): void {
    for (const [id, { before }] of accounts) {
      if (before === undefined) this.#accounts.delete(id);
      else this.#accounts.set(id, before);
    }
    this.#totals = totals;
  }

  // ---------------------------------------------------------------- what events change

  change(id: AccountId, fields: Partial<LedgerAccount>): void {
    const now = this.#accounts.get(id);
    const after = { ...(now ?? EMPTY_ACCOUNT), ...fields };
    const known = this.#changed.get(id);
    this.#changed.set(id, { before: known === undefined ? now : known.before, after });
    this.#accounts.set(id, after);
  }

  changeTotals(fields: Partial<Totals>): void {
    this.#totals = { ...this.#totals, ...fields };
  }

  addCash(id: AccountId, amount: bigint): void {
    this.change(id, { cash: this.account(id).cash + amount });
  }

  addCollateral(id: AccountId, collateral: number, amount: bigint): void {
    const { collaterals } = this.account(id);
    const balance = (collaterals.get(collateral) ?? 0n) + amount;
    this.change(id, {
      collaterals: withEntry(collaterals, collateral, balance === 0n ? undefined : balance) ?? NO_COLLATERALS,
    });
  }

  addToken(id: AccountId, token: string, amount: bigint): void {
    if (token === this.#cashToken) {
      this.addCash(id, amount);
      return;
    }
    const collateral = this.#totals.collateralOf.get(token);
    if (collateral === undefined) throw new UnlistedToken(token);
    this.addCollateral(id, collateral, amount);
  }

  addPosition(id: AccountId, market: bigint, size: bigint, quote: bigint): void {
    const { positions } = this.account(id);
    const held = positions.get(Number(market)) ?? FLAT;
    const after = { size: held.size + size, quote: held.quote + quote };
    const isGone = after.size === 0n && after.quote === 0n;
    this.change(id, { positions: withEntry(positions, Number(market), isGone ? undefined : after) ?? NO_POSITIONS });
  }

  addFees(market: bigint, amount: bigint): void {
    const { fees } = this.#totals;
    this.changeTotals({ fees: new Map(fees).set(Number(market), (fees.get(Number(market)) ?? 0n) + amount) });
  }
}

/** A copy of a map with another value at a key, or with none there; `undefined` if it would be empty. */
function withEntry<V>(map: ReadonlyMap<number, V>, key: number, value: V | undefined): Map<number, V> | undefined {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy.size === 0 ? undefined : copy;
}
