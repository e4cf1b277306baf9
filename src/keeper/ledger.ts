import type { LogDescription } from "ethers";

import type {
  AuctionClearedEvent,
  BadDebtRepaidEvent,
  ClaimedEvent,
  CollateralSetEvent,
  CollateralTakenEvent,
  DeficitAbsorbedEvent,
  DepositedEvent,
  FeesSweptEvent,
  FlaggedEvent,
  InsuranceFundSetEvent,
  LiquidatedEvent,
  LoansChangedEvent,
  MarginCallEvent,
  PositionTakenEvent,
  ReservesSweptEvent,
  RescuePaidEvent,
  SettledEvent,
  TradeEvent,
  TransferredEvent,
  TreasurySetEvent,
  UnsettledLossSeenEvent,
  WithdrawnEvent,
} from "../../types/contracts/interfaces/IClearingHouse.ts";
import { divUp } from "../risk/fixed.ts";
import type { AccountState, Position } from "../risk/types.ts";
import { accountId } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";

/** An account as the events of the clearinghouse tell it. */
export interface LedgerAccount extends AccountState {
  cash: bigint;
  lentShares: bigint;
  debtShares: bigint;
  readonly positions: Map<number, Position>;
  readonly collaterals: Map<number, bigint>;
  /** A flag has started an auction that is not over. */
  flagged: boolean;
  /** [s] plus one: observed time for which a loss has waited for cash when it was last seen, 0 = none waits. */
  cashCallClock: bigint;
  /** What cured its last margin call; `undefined` if it was never called. */
  cure: Cure | undefined;
}

/** The cheapest ways out of a margin call, as `LedgerTypes.Cure`. */
export interface Cure {
  readonly deposit: bigint; // [wad] cash that brings E to IM
  readonly market: number; // in which closing cures with the least notional
  readonly size: bigint; // [wad] change of size there; zero if closing in no single market cures
}

const LENDING = 64n; // stands for the lending pool where losses are kept by market
const FEE_UNIT = 10n ** 9n; // [wad] granularity of fees

/** A balance moved in a token that no event has listed. */
export class UnlistedToken extends Error {
  readonly token: string;

  constructor(token: string) {
    super(`token ${token} was never listed: the events read do not begin at the deployment of the house`);
    this.name = "UnlistedToken";
    this.token = token;
  }
}

interface Events {
  Deposited: DepositedEvent.OutputObject;
  Withdrawn: WithdrawnEvent.OutputObject;
  Transferred: TransferredEvent.OutputObject;
  Trade: TradeEvent.OutputObject;
  Settled: SettledEvent.OutputObject;
  Claimed: ClaimedEvent.OutputObject;
  LoansChanged: LoansChangedEvent.OutputObject;
  ReservesSwept: ReservesSweptEvent.OutputObject;
  FeesSwept: FeesSweptEvent.OutputObject;
  Flagged: FlaggedEvent.OutputObject;
  MarginCall: MarginCallEvent.OutputObject;
  AuctionCleared: AuctionClearedEvent.OutputObject;
  Liquidated: LiquidatedEvent.OutputObject;
  PositionTaken: PositionTakenEvent.OutputObject;
  CollateralTaken: CollateralTakenEvent.OutputObject;
  RescuePaid: RescuePaidEvent.OutputObject;
  DeficitAbsorbed: DeficitAbsorbedEvent.OutputObject;
  BadDebtRepaid: BadDebtRepaidEvent.OutputObject;
  UnsettledLossSeen: UnsettledLossSeenEvent.OutputObject;
  CollateralSet: CollateralSetEvent.OutputObject;
  InsuranceFundSet: InsuranceFundSetEvent.OutputObject;
  TreasurySet: TreasurySetEvent.OutputObject;
}

/** What each event of `IClearingHouse` does to balances; the others do nothing to them. */
const EFFECTS: { readonly [Name in keyof Events]: (ledger: EventLedger, event: Events[Name]) => void } = {
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
    const account = ledger.open(e.account);
    account.cash += e.cash;
    account.lentShares = e.lentShares;
    account.debtShares = e.debtShares;
  },
  ReservesSwept: (ledger, e) => {
    ledger.addCash(ledger.insuranceFund, e.amount);
  },
  FeesSwept: (ledger, e) => {
    ledger.addCash(ledger.insuranceFund, e.toFund);
    ledger.addCash(ledger.treasury, e.toTreasury);
    ledger.addFees(e.market, -(e.toFund + e.toTreasury + divUp(e.againstBadDebt, FEE_UNIT) * FEE_UNIT));
  },
  Flagged: (ledger, e) => {
    ledger.open(e.account).flagged = true;
  },
  MarginCall: (ledger, e) => {
    const { deposit, market, size } = e.cure;
    ledger.open(e.account).cure = { deposit, market: Number(market), size };
  },
  AuctionCleared: (ledger, e) => {
    ledger.open(e.account).flagged = false;
  },
  Liquidated: (ledger, e) => {
    ledger.addCash(e.account, e.payment);
    ledger.addCash(e.taker, -(e.payment + e.toFund + e.toFlagger));
    ledger.addCash(ledger.insuranceFund, e.toFund);
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
    ledger.addCash(ledger.insuranceFund, -e.amount);
    ledger.addCash(e.taker, e.amount);
  },
  DeficitAbsorbed: (ledger, e) => {
    ledger.addCash(ledger.insuranceFund, -e.fromFund);
    if (e.market !== LENDING) ledger.addPosition(e.account, e.market, 0n, e.part);
  },
  BadDebtRepaid: (ledger, e) => {
    ledger.addCash(ledger.insuranceFund, -e.amount); // out of income that `Liquidated` credits in full
  },
  UnsettledLossSeen: (ledger, e) => {
    ledger.open(e.account).cashCallClock = e.clock;
  },
  CollateralSet: (ledger, e) => {
    ledger.listToken(e.params.token, Number(e.collateral));
  },
  InsuranceFundSet: (ledger, e) => {
    ledger.insuranceFund = accountId(e.insuranceFund);
  },
  TreasurySet: (ledger, e) => {
    ledger.treasury = accountId(e.treasury);
  },
};

/** Every balance of the house, rebuilt from the clearinghouse's events alone. Amounts are [wad]. */
export class EventLedger {
  insuranceFund: AccountId = 0n;
  treasury: AccountId = 0n;
  readonly #cashToken: string;
  readonly #accounts = new Map<AccountId, LedgerAccount>();
  readonly #fees = new Map<bigint, bigint>();
  readonly #collateralOf = new Map<string, number>();

  constructor(cashToken: string) {
    this.#cashToken = cashToken;
  }

  get accounts(): ReadonlyMap<AccountId, LedgerAccount> {
    return this.#accounts;
  }

  /** Trading fees [wad] of a market that were not swept yet. */
  fees(market: number): bigint {
    return this.#fees.get(BigInt(market)) ?? 0n;
  }

  /**
   * Applies the next event.
   * @throws UnlistedToken
   */
  apply(event: LogDescription): void {
    if (!Object.hasOwn(EFFECTS, event.name)) return;
    const effect = EFFECTS[event.name as keyof Events] as (ledger: EventLedger, event: unknown) => void;
    effect(this, event.args.toObject(true));
  }

  /** The account, from now on kept. */
  open(id: AccountId): LedgerAccount {
    const known = this.#accounts.get(id);
    if (known !== undefined) return known;
    const account: LedgerAccount = {
      ...{ cash: 0n, lentShares: 0n, debtShares: 0n, positions: new Map(), collaterals: new Map() },
      ...{ flagged: false, cashCallClock: 0n, cure: undefined },
    };
    this.#accounts.set(id, account);
    return account;
  }

  addCash(id: AccountId, amount: bigint): void {
    this.open(id).cash += amount;
  }

  addCollateral(id: AccountId, collateral: number, amount: bigint): void {
    const { collaterals } = this.open(id);
    const balance = (collaterals.get(collateral) ?? 0n) + amount;
    if (balance === 0n) collaterals.delete(collateral);
    else collaterals.set(collateral, balance);
  }

  addToken(id: AccountId, token: string, amount: bigint): void {
    if (token === this.#cashToken) {
      this.addCash(id, amount);
      return;
    }
    const collateral = this.#collateralOf.get(token);
    if (collateral === undefined) throw new UnlistedToken(token);
    this.addCollateral(id, collateral, amount);
  }

  addPosition(id: AccountId, market: bigint, size: bigint, quote: bigint): void {
    const { positions } = this.open(id);
    const before = positions.get(Number(market)) ?? { size: 0n, quote: 0n };
    const after = { size: before.size + size, quote: before.quote + quote };
    if (after.size === 0n && after.quote === 0n) positions.delete(Number(market));
    else positions.set(Number(market), after);
  }

  addFees(market: bigint, amount: bigint): void {
    this.#fees.set(market, (this.#fees.get(market) ?? 0n) + amount);
  }

  listToken(token: string, collateral: number): void {
    this.#collateralOf.set(token, collateral);
  }
}
