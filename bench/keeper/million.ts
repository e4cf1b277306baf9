import { ZeroAddress } from "ethers";

import { Checkpoint } from "../../src/keeper/checkpoint.ts";
import { decide } from "../../src/keeper/decide.ts";
import { NoHedge } from "../../src/keeper/hedge.ts";
import { DEFAULT_POLICY } from "../../src/keeper/config.ts";
import { EMPTY_ACCOUNT } from "../../src/keeper/ledger.ts";
import type { LedgerAccount } from "../../src/keeper/ledger.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { Watch } from "../../src/keeper/watch.ts";
import { generator } from "../../src/replay/synthetic.ts";
import { WAD } from "../../src/risk/fixed.ts";
import type { AccountState, HouseState } from "../../src/risk/types.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import type { AccountId } from "../../src/sdk/accountId.ts";
import { AccountMap } from "../../src/sdk/accountMap.ts";
import type { AddressBook } from "../../src/sdk/addressBook.ts";
import { calm, collateral, lendingPool, market } from "../../test/risk/house.ts";

export const SAVED = "keeper.sqlite";
const HEADS = 500;
const BLOCK_TIME = 12n; // [s]
const LARGEST_MOVE = 0.0001; // of a price, from one head to the next, beside the fall
const FALL = 0.00005; // of a price at every head: some accounts are always reached
const PRICES = [2000n, 60_000n]; // by underlying [USD]
const TIME = 1_700_000_000n;
const BOOK = {
  ...{ chainId: 1, deployBlock: 1, contracts: { clearingHouse: ZeroAddress } },
} as unknown as AddressBook;

const UNDERLYING = {
  ...{ shock: 30_000n, slope: 20_000n, basis: 10_000n, basisInitial: 30_000n, maxTracking: 0n, maxTrackingInitial: 0n },
  ...{ initialFactor: 1_666_666_667n, depth: 50_000_000n },
};
const COLLATERAL = {
  ...{ haircut: 20_000n, haircutInitial: 40_000n, tracking: 0n, trackingInitial: 0n },
  ...{ depegThreshold: 0n, depegFactor: 0n },
};

/** Two underlyings, a market and a collateral of each. */
const HOUSE: HouseState = {
  time: TIME,
  risk: {
    underlyings: new Map(PRICES.map((_, id) => [id, UNDERLYING])),
    collaterals: new Map(PRICES.map((_, id) => [id, COLLATERAL])),
  },
  markets: new Map(PRICES.map((price, id) => [id, market(id, { price: price * WAD, time: TIME })])),
  collaterals: new Map(PRICES.map((_, id) => [id, collateral(id)])),
  prices: new Map(PRICES.map((price, id) => [id, calm(price * WAD)])),
  lastGood: new Map(PRICES.map((price, id) => [id, calm(price * WAD)])),
  lending: lendingPool({ time: TIME }),
};

/** Of times [ms]. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Accounts of 1,000 to 100,000 USD with 3.6 % to 100 % of it in cash: every third holds both markets, every fifth a collateral. */
function* population(count: number): Generator<[AccountId, LedgerAccount]> {
  const next = generator(1);
  for (let i = 0; i < count; ++i) {
    const owner = `0x${Math.floor(next() * 2 ** 48)
      .toString(16)
      .padStart(12, "0")}${i.toString(16).padStart(28, "0")}`;
    const id = next() < 0.5 ? 0 : 1;
    const worth = BigInt(1000 + Math.floor(next() * 99_000)) * WAD;
    const sign = next() < 0.5 ? 1n : -1n;
    const positions = new Map([[id, open(id, sign * worth)]]);
    if (next() < 1 / 3) positions.set(1 - id, open(1 - id, (sign * worth) / 10n));
    const collaterals = next() < 0.2 ? new Map([[id, worth / (10n * (PRICES[id] ?? 1n))]]) : EMPTY_ACCOUNT.collaterals;
    const cash = (worth * BigInt(36_000 + Math.floor(next() * 964_000))) / 1_000_000n;
    yield [accountId(owner), { ...EMPTY_ACCOUNT, cash, positions, collaterals }];
  }
}

/** A position of `worth` [wad USD] at the first price. */
function open(id: number, worth: bigint) {
  const size = worth / (PRICES[id] ?? 1n);
  return { size, quote: -size * (PRICES[id] ?? 1n) };
}

/** From a new head's prices to the slices of all that they bring below MM; who is taken is well afterwards. Times are [ms]. */
export function decisions(count: number): Record<string, number> {
  const next = generator(2);
  const watch = new Watch();
  const taker = { ...EMPTY_ACCOUNT, cash: 10n ** 9n * WAD };
  const venue = new NoHedge();
  watch.advance(HOUSE, population(count));
  let house = HOUSE;
  let taken = watch.liquidatable.map(({ id, account }) => cured(id, account));
  const times: number[] = [];
  let [most, sum] = [0, 0];
  for (let head = 0; head <= HEADS; ++head) {
    const prices = new Map(
      [...house.prices].map(([id, snapshot]) => [id, { ...snapshot, price: moved(snapshot.price, next()) }]),
    );
    house = { ...house, time: house.time + BLOCK_TIME, prices };
    const began = performance.now();
    watch.advance(house, taken);
    for (const { id, account, assessment } of watch.liquidatable) {
      if (assessment === undefined) continue;
      const candidate = { id, account, assessment, auction: undefined, takerId: 1n, taker, fund: EMPTY_ACCOUNT, venue };
      decide(candidate, house, DEFAULT_POLICY);
    }
    if (head > 0) times.push(performance.now() - began); // the first one is about those who began below MM
    watch.work(1000); // beside the decision
    const found = watch.liquidatable.length;
    if (head > 0) [most, sum] = [Math.max(most, found), sum + found];
    taken = watch.liquidatable.map(({ id, account }) => cured(id, account));
  }
  return { ...quantiles(times), most, mean: sum / HEADS, memory: process.resourceUsage().maxRSS * 1024 };
}

function cured(id: AccountId, account: AccountState): [AccountId, AccountState] {
  return [id, { ...account, cash: account.cash + 100_000n * WAD }];
}

function moved(price: bigint, chance: number): bigint {
  return (price * BigInt(Math.round((1 - FALL + (2 * chance - 1) * LARGEST_MOVE) * 1e9))) / 1_000_000_000n;
}

/** Writes a checkpoint. */
export async function saveAccounts(file: string, count: number): Promise<Record<string, number>> {
  const began = performance.now();
  const database = new SqliteDatabase(file);
  const checkpoint = await Checkpoint.open(database, BOOK);
  const totals = { fees: new Map(), insuranceFund: 0n, treasury: 0n, collateralOf: new Map() };
  const accounts = new AccountMap(population(count));
  await checkpoint.save({ block: { number: 1, hash: "0x" }, totals, accounts }, undefined);
  await database.close();
  return { seconds: (performance.now() - began) / 1000 };
}

/** From an empty process to a watch of every account of a checkpoint. */
export async function restart(file: string): Promise<Record<string, number>> {
  const began = performance.now();
  const database = new SqliteDatabase(file);
  const saved = await (await Checkpoint.open(database, BOOK)).load();
  const watch = new Watch();
  watch.advance(HOUSE, saved?.accounts ?? []);
  const seconds = (performance.now() - began) / 1000;
  await database.close();
  return { seconds, memory: process.resourceUsage().maxRSS * 1024 };
}
