import { ClearingHouse__factory } from "../../types/index.ts";
import { assessAccount } from "../risk/account.ts";
import { MissingPrice } from "../risk/errors.ts";
import { min, positive, WAD } from "../risk/fixed.ts";
import { available, legs, settleAll, totalLoss } from "../risk/pools.ts";
import { gather } from "../risk/portfolio.ts";
import type { AccountState, HouseState, MarketState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { KeeperPolicy } from "./config.ts";
import type { LedgerAccount } from "./ledger.ts";
import type { Mirror } from "./mirror.ts";

const ACCOUNTS_PER_CALL = 50;
const CASH_CALL_DELAY = 24n * 3600n; // [s]
const CASH_CALL_GAIN = 25n; // the taker keeps 80 % of a discount of 5 %: 1 / 25 of MM

/** A piece of work for the house: calldata of the clearinghouse. */
export interface Job {
  readonly action: "accrue" | "settle" | "sweep" | "cashCall";
  readonly data: string;
  readonly market?: number;
  readonly account?: AccountId;
  /** [wad] What it earns the keeper; nothing if left out. */
  readonly gain?: bigint;
}

type Accounts = ReadonlyMap<AccountId, LedgerAccount>;

const ledger = ClearingHouse__factory.createInterface();

/** The upkeep that is due: funding, settlement, fees and cash calls. */
export function dueUpkeep(mirror: Mirror, taker: AccountId, policy: KeeperPolicy): Job[] {
  const { house, accounts } = mirror;
  const jobs: Job[] = [];
  for (const [market, state] of house.markets) {
    if (!house.prices.has(state.underlying)) continue;
    if (house.time - state.time >= policy.accrueInterval) {
      jobs.push({ action: "accrue", market, data: ledger.encodeFunctionData("accrueFunding", [market]) });
    }
    jobs.push(...settlements(accounts, house, market, policy.settleThreshold));
    if (sweepable(state, mirror.fees(market)) >= policy.sweepThreshold) {
      jobs.push({ action: "sweep", market, data: ledger.encodeFunctionData("sweepFees", [market]) });
    }
  }
  return [...jobs, ...cashCalls(accounts, house, taker, policy)];
}

/** Losers first: they may be whom the winners are paid from. */
function settlements(accounts: Accounts, house: HouseState, market: number, threshold: bigint): Job[] {
  const losers: AccountId[] = [];
  const winners: AccountId[] = [];
  const state = house.markets.get(market);
  let payable = state === undefined ? 0n : available(state);
  for (const [id, account] of accounts) {
    const pnl = pnlIn(account, house, market);
    const paid = min(-pnl, account.cash);
    const unnoticed = account.cash === 0n && account.unsettledSince === 0n;
    if (paid >= threshold || (unnoticed && -pnl >= threshold)) {
      losers.push(id);
      payable += positive(paid);
    } else if (pnl >= threshold) {
      winners.push(id);
    }
  }
  const paidOut = state?.badDebt === 0n && payable >= threshold ? winners : [];
  const all = [...losers, ...paidOut];
  const jobs: Job[] = [];
  for (let at = 0; at < all.length; at += ACCOUNTS_PER_CALL) {
    const data = ledger.encodeFunctionData("settle", [market, all.slice(at, at + ACCOUNTS_PER_CALL)]);
    jobs.push({ action: "settle", market, data });
  }
  return jobs;
}

/** PnL [wad] of an account in a market; zero if it cannot be settled for want of a price. */
function pnlIn(account: AccountState, house: HouseState, market: number): bigint {
  if (!account.positions.has(market)) return 0n;
  return priced(() => legs(account, house).find((leg) => leg.market === market)?.pnl) ?? 0n;
}

/** Fees [wad] that a sweep would pay out or set against bad debt. */
function sweepable(market: MarketState, fees: bigint): bigint {
  return market.badDebt !== 0n ? min(fees, market.badDebt) : min(fees, available(market));
}

function cashCalls(accounts: Accounts, house: HouseState, taker: AccountId, policy: KeeperPolicy): Job[] {
  const jobs: Job[] = [];
  for (const [account, state] of accounts) {
    if (state.unsettledSince === 0n || house.time < state.unsettledSince + CASH_CALL_DELAY) continue;
    const gain = priced(() => cashCallGain(state, house)) ?? 0n;
    if (gain < policy.minProfit) continue;
    const maxPayment = policy.maxSpend ?? (1n << 255n) - 1n;
    const terms = { maxFraction: WAD, maxPayment, minGain: positive(policy.minProfit), acceptClaims: false };
    const data = ledger.encodeFunctionData("cashCall", [account, taker, terms]);
    jobs.push({ action: "cashCall", account, gain, data });
  }
  return jobs;
}

/** What the taker of a cash call keeps [wad]; zero for an account that is liquidated instead. */
function cashCallGain(account: AccountState, house: HouseState): bigint {
  const { equity, maintenanceMargin } = assessAccount(account, house);
  const loss = totalLoss(legs(settleAll(account, house), house));
  const collaterals = gather(account, house).underlyings.flatMap((u) => u.collaterals);
  const value = collaterals.reduce((sum, c) => sum + c.value, 0n);
  if (equity < maintenanceMargin || value === 0n) return 0n;
  return (min(WAD, (loss * WAD) / value) * maintenanceMargin) / (CASH_CALL_GAIN * WAD);
}

function priced<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof MissingPrice) return undefined;
    throw error;
  }
}
