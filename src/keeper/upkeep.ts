import { IClearingHouse__factory } from "../../types/index.ts";
import { assessAccount } from "../risk/account.ts";
import { RiskError } from "../risk/errors.ts";
import { min, positive, WAD } from "../risk/fixed.ts";
import { liquidity, loansOf } from "../risk/lending.ts";
import { available, collateralValue, legs, settleAll, settleLoss, totalLoss } from "../risk/pools.ts";
import type { AccountState, HouseState, MarketState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { cashCallCall, observeCall, observeRateCall, settleCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import type { KeeperPolicy } from "./config.ts";
import type { LedgerAccount } from "./ledger.ts";
import type { Mirror } from "./mirror.ts";

const ACCOUNTS_PER_CALL = 50;
const GAS_PER_ACCOUNT = 25_000n; // of a settlement that finds something to move, which it may not have in its simulation
const ROUNDS_PER_CALL = 50;
const RATE_INTERVAL = 3600n; // [s] rates move slowly
const CASH_CALL_DELAY = 24n * 3600n; // [s] of observed time
const CASH_CALL_LOOK = 3000n; // [s] between two looks at a loss that waits: one counts for an hour at most
const CASH_CALL_GAIN = 25n; // the taker keeps 80 % of a discount of 5 %: 1 / 25 of MM

/** A piece of work for the house. */
export interface Job {
  readonly action: "observe" | "accrue" | "settle" | "sweep" | "cashCall" | "approve" | "deposit" | "withdraw";
  readonly call: Call;
  readonly underlying?: number;
  readonly collateral?: number;
  readonly market?: number;
  readonly account?: AccountId;
  /** What the call may need beyond its simulation, because prices move until it is mined. */
  readonly gasRoom?: bigint;
  /** [wad] What it earns the keeper; nothing if left out. */
  readonly gain?: bigint;
}

/** Whose upkeep it is, who takes over what cash calls sell, and when something is worth a transaction. */
export interface UpkeepTerms {
  readonly book: AddressBook;
  readonly taker: AccountId;
  readonly policy: KeeperPolicy;
}

/** An account to settle if that is due. */
type Entry = readonly [AccountId, LedgerAccount];

const ledger = IClearingHouse__factory.createInterface();

/**
 * The upkeep that is due: observations of prices and rates, funding, settlement, fees, reserves and cash calls.
 * @param accounts whose PnL is to be settled if that is due: some of them at a time
 */
export function dueUpkeep(mirror: Mirror, accounts: readonly Entry[], { book, taker, policy }: UpkeepTerms): Job[] {
  const { house } = mirror;
  const target = book.contracts.clearingHouse;
  const jobs = observations(mirror, book, policy);
  for (const [market, state] of house.markets) {
    if (!house.prices.has(state.underlying)) continue;
    const price = house.prices.get(state.underlying)?.price;
    if (house.time - state.time >= policy.accrueInterval && price !== state.price) {
      jobs.push({
        action: "accrue",
        market,
        call: { target, data: ledger.encodeFunctionData("accrueFunding", [market]) },
      });
    }
    jobs.push(...settlements(accounts, house, book, market, policy.settleThreshold));
    if (sweepable(state, mirror.fees(market)) >= policy.sweepThreshold) {
      jobs.push({ action: "sweep", market, call: { target, data: ledger.encodeFunctionData("sweepFees", [market]) } });
    }
  }
  if (min(house.lending.reserves, liquidity(house.lending)) >= policy.sweepThreshold) {
    jobs.push({ action: "sweep", call: { target, data: ledger.encodeFunctionData("sweepReserves") } });
  }
  return [...jobs, ...looks(mirror, book), ...cashCalls(mirror, book, taker, policy)];
}

/** Prices and rates that are usable and whose last good ones have grown old. */
function observations({ house }: Mirror, book: AddressBook, policy: KeeperPolicy): Job[] {
  const jobs: Job[] = [];
  for (const [underlying, time] of house.priceObserved) {
    if (!house.prices.has(underlying) || house.time - time < policy.observeInterval) continue;
    jobs.push({ action: "observe", underlying, call: observeCall(book, underlying, ROUNDS_PER_CALL) });
  }
  for (const [collateral, time] of house.rateObserved) {
    if (house.collaterals.get(collateral)?.rate === undefined || house.time - time < RATE_INTERVAL) continue;
    jobs.push({ action: "observe", collateral, call: observeRateCall(book, collateral) });
  }
  return jobs;
}

/** Losers first: they may be whom the winners are paid from. */
function settlements(
  accounts: readonly Entry[],
  house: HouseState,
  book: AddressBook,
  market: number,
  threshold: bigint,
): Job[] {
  const losers: AccountId[] = [];
  const winners: AccountId[] = [];
  const state = house.markets.get(market);
  let payable = state === undefined ? 0n : available(state);
  for (const [id, account] of accounts) {
    const pnl = pnlIn(account, house, market);
    if (pnl >= threshold) winners.push(id);
    if (-pnl < threshold) continue;
    const paid = payableLoss(account, house, market, -pnl);
    const unnoticed = account.cashCallClock === 0n && -pnl - paid >= threshold;
    if (paid < threshold && !unnoticed) continue;
    losers.push(id);
    payable += paid;
  }
  const paidOut = state?.badDebt === 0n && payable >= threshold ? winners : [];
  return settleJobs(book, market, [...losers, ...paidOut]);
}

function settleJobs(book: AddressBook, market: number, accounts: readonly AccountId[]): Job[] {
  const jobs: Job[] = [];
  for (let at = 0; at < accounts.length; at += ACCOUNTS_PER_CALL) {
    const some = accounts.slice(at, at + ACCOUNTS_PER_CALL);
    const gasRoom = BigInt(some.length) * GAS_PER_ACCOUNT;
    jobs.push({ action: "settle", market, gasRoom, call: settleCall(book, market, some) });
  }
  return jobs;
}

/** PnL [wad] of an account in a market; zero if it cannot be settled for want of a price. */
function pnlIn(account: AccountState, house: HouseState, market: number): bigint {
  if (!account.positions.has(market)) return 0n;
  return known(() => legs(account, house).find((leg) => leg.market === market)?.pnl) ?? 0n;
}

/** What of a loss [wad] in a market an account could pay now from its cash, its lent cash and by borrowing [wad]. */
function payableLoss(account: AccountState, house: HouseState, market: number, loss: bigint): bigint {
  const after = known(() => settleLoss({ account, house }, market, loss).account);
  const quote = (state: AccountState | undefined) => state?.positions.get(market)?.quote ?? 0n;
  return after === undefined ? 0n : quote(after) - quote(account);
}

/** Fees [wad] that a sweep would pay out or set against bad debt. */
function sweepable(market: MarketState, fees: bigint): bigint {
  return market.badDebt !== 0n ? min(fees, market.badDebt) : min(fees, available(market));
}

/** Another look at every loss that waits for cash: the clock of its cash call counts at most an hour from one to the next. */
function looks({ accounts, house, waiting }: Mirror, book: AddressBook): Job[] {
  const byMarket = new Map<number, AccountId[]>();
  for (const [id, { seen }] of waiting) {
    const account = accounts.get(id);
    if (account === undefined || house.time - seen < CASH_CALL_LOOK) continue;
    const market = marketToLookAt(account, house);
    if (market !== undefined) byMarket.set(market, [...(byMarket.get(market) ?? []), id]);
  }
  return [...byMarket].flatMap(([market, ids]) => settleJobs(book, market, ids));
}

/** The market in which an account loses most, or any that can be settled if its loss is gone. */
function marketToLookAt(account: AccountState, house: HouseState): number | undefined {
  const held = known(() => legs(account, house)) ?? [];
  const [worst] = held.filter((leg) => !leg.stuck).sort((a, b) => (a.pnl < b.pnl ? -1 : 1));
  return worst?.market ?? [...house.markets.keys()].find((market) => !account.positions.has(market));
}

function cashCalls({ accounts, house, waiting }: Mirror, book: AddressBook, taker: AccountId, policy: KeeperPolicy) {
  const jobs: Job[] = [];
  for (const [account, { clock }] of waiting) {
    const state = accounts.get(account);
    if (state === undefined || clock <= CASH_CALL_DELAY) continue;
    const gain = known(() => cashCallGain(state, house)) ?? 0n;
    if (gain < policy.minProfit) continue;
    const terms = {
      ...(policy.maxSpend !== undefined && { maxPayment: policy.maxSpend }),
      minGain: positive(policy.minProfit),
    };
    jobs.push({ action: "cashCall", account, gain, call: cashCallCall(book, account, taker, terms) });
  }
  return jobs;
}

/** What the taker of a cash call keeps [wad]; zero for an account that is liquidated instead or has nothing to sell. */
function cashCallGain(account: AccountState, house: HouseState): bigint {
  const { equity, maintenanceMargin } = assessAccount(account, house);
  const settled = settleAll({ account, house });
  const loss = totalLoss(legs(settled.account, settled.house));
  const { debt } = loansOf(settled.account, settled.house.lending, house.time);
  const value = positive(collateralValue(account, house) - debt);
  if (equity < maintenanceMargin || value === 0n) return 0n;
  return (min(WAD, (loss * WAD) / value) * maintenanceMargin) / (CASH_CALL_GAIN * WAD);
}

/** What can be computed, `undefined` where a price or a rate is missing. */
function known<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof RiskError) return undefined;
    throw error;
  }
}
