import { Interface } from "ethers";
import type { Provider } from "ethers";

import type { IClearingHouse } from "../../types/contracts/interfaces/IClearingHouse.ts";
import type { IPriceOracle } from "../../types/contracts/interfaces/IPriceOracle.ts";
import type { IRiskEngine } from "../../types/contracts/interfaces/IRiskEngine.ts";
import type {
  AccountState,
  CollateralRisk,
  CollateralState,
  HouseState,
  LendingState,
  MarketState,
  Position,
  PriceSnapshot,
  UnderlyingRisk,
} from "../risk/types.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import { decodeError } from "./errors.ts";

/** The contracts that are read. */
export interface Readable {
  clearingHouse: IClearingHouse;
  riskEngine: Pick<IRiskEngine, "collateralRisk" | "underlyingRisk">;
  priceOracle: Pick<IPriceOracle, "lastGood" | "lastGoodRate" | "latest" | "latestRate">;
}

/** A house, and since when its last good prices and rates are known. */
export interface ObservedHouse extends HouseState {
  /** [s] When the last good price of an underlying was observed, 0 = never. */
  readonly priceObserved: ReadonlyMap<number, bigint>;
  /** [s] The same of the rate of a collateral asset that has one. */
  readonly rateObserved: ReadonlyMap<number, bigint>;
}

const WORD_32 = (1n << 32n) - 1n;
const WORD_128 = (1n << 128n) - 1n;
const WAD = 10n ** 18n;
const FLAG_LOANS = 2n;

const erc20 = new Interface(["function allowance(address owner, address spender) view returns (uint256)"]);

/** An account as it stands at the end of a block. */
export async function readAccount({ clearingHouse }: Readable, id: AccountId, blockTag: number): Promise<AccountState> {
  const { cash, markets, collaterals, flags } = await clearingHouse.account(id, { blockTag });
  const [shares, positions, balances] = await Promise.all([
    (flags & FLAG_LOANS) === 0n ? undefined : clearingHouse.loans(id, { blockTag }).then((loans) => loans.shares),
    Promise.all(
      bits(markets).map(async (market): Promise<[number, Position]> => {
        const { size, quote } = await clearingHouse.position(id, market, { blockTag });
        return [market, { size, quote }];
      }),
    ),
    Promise.all(
      bits(collaterals).map(async (collateral): Promise<[number, bigint]> => [
        collateral,
        await clearingHouse.collateralBalance(id, collateral, { blockTag }),
      ]),
    ),
  ]);
  return {
    cash,
    lentShares: shares?.lentShares ?? 0n,
    debtShares: shares?.debtShares ?? 0n,
    positions: new Map(positions),
    collaterals: new Map(balances),
  };
}

/** Everything outside an account that its assessment depends on, at a block. Unusable prices and rates are left out. */
export async function readHouse(
  contracts: Readable,
  book: AddressBook,
  block: { number: number; timestamp: number },
): Promise<ObservedHouse> {
  const blockTag = block.number;
  const [markets, collaterals, underlyings, prices, good, lending] = await Promise.all([
    entries(book.markets, (id) => readMarket(contracts, id, blockTag)),
    entries(book.collaterals, (id) => readCollateral(contracts, id, blockTag)),
    entries(book.underlyings, (id) => readUnderlyingRisk(contracts, id, blockTag)),
    entries(book.underlyings, (id) => readPrice(contracts, id, blockTag)),
    entries(book.underlyings, (id) => contracts.priceOracle.lastGood(id, { blockTag })),
    readLending(contracts, blockTag),
  ]);
  return {
    time: BigInt(block.timestamp),
    risk: {
      underlyings: new Map(underlyings),
      collaterals: new Map(collaterals.map(([id, { risk }]) => [id, risk])),
    },
    markets: new Map(markets),
    collaterals: new Map(collaterals.map(([id, { state }]) => [id, state])),
    prices: new Map(prices.filter((entry): entry is [number, PriceSnapshot] => entry[1] !== undefined)),
    lastGood: new Map(good.filter(([, { time }]) => time !== 0n).map(([id, { snapshot }]) => [id, unpack(snapshot)])),
    lending,
    priceObserved: new Map(good.map(([id, { time }]) => [id, time])),
    rateObserved: new Map(
      collaterals.flatMap(([id, { observed }]) => (observed === undefined ? [] : [[id, observed]])),
    ),
  };
}

/** The lending pool with interest up to a block, its parameters, and the deficits that flags have recorded in it. */
export async function readLending({ clearingHouse }: Readable, blockTag: number): Promise<LendingState> {
  const [pool, params] = await clearingHouse.lending({ blockTag });
  const { lent, borrowed, lentShares, debtShares, reserves, rate, time, flaggedDeficit } = pool;
  const { kink, lowSlope, highSlope, reserveFactor } = params;
  return {
    ...{ lent, borrowed, lentShares, debtShares, reserves, rate, time, flaggedDeficit },
    params: { kink, lowSlope, highSlope, reserveFactor },
  };
}

/** What a spender may take out of a wallet, in the token's own units. */
export async function readAllowance(
  provider: Provider,
  token: string,
  owner: string,
  spender: string,
): Promise<bigint> {
  const data = erc20.encodeFunctionData("allowance", [owner, spender]);
  const [allowance] = erc20.decodeFunctionResult("allowance", await provider.call({ to: token, data }));
  return allowance as bigint;
}

/** A market at a block. */
export async function readMarket({ clearingHouse }: Readable, id: number, blockTag: number): Promise<MarketState> {
  const [params, index, rate, pool, loss] = await clearingHouse.market(id, { blockTag });
  return {
    underlying: Number(rate.underlying),
    funding: index.funding,
    price: rate.price,
    time: rate.time,
    premium: rate.premium,
    lastPremium: rate.lastPremium,
    longIndex: loss.longIndex,
    shortIndex: loss.shortIndex,
    pool: pool.cash,
    flaggedDeficit: pool.flaggedDeficit,
    badDebt: loss.badDebt,
    openInterest: index.openInterest,
    priceBand: params.priceBand,
    softCap: params.softCap,
    hardCap: params.hardCap,
  };
}

/** A collateral asset; `observed` [s] is when the last good rate of one that has a rate was observed. */
async function readCollateral(
  contracts: Readable,
  id: number,
  blockTag: number,
): Promise<{ state: CollateralState; risk: CollateralRisk; observed: bigint | undefined }> {
  const { clearingHouse, riskEngine, priceOracle } = contracts;
  const [{ underlying, decimals, minBalance, delistingEnd, hasRate }, risk] = await Promise.all([
    clearingHouse.collateral(id, { blockTag }),
    riskEngine.collateralRisk(id, { blockTag }),
  ]);
  const [rate, good] = hasRate
    ? await Promise.all([
        unlessRefused(priceOracle.latestRate(id, { blockTag })),
        priceOracle.lastGoodRate(id, { blockTag }),
      ])
    : [WAD, undefined];
  const { haircut, haircutInitial, tracking, trackingInitial, depegThreshold, depegFactor } = risk;
  return {
    state: {
      ...{ underlying: Number(underlying), decimals: Number(decimals), minBalance, delistingEnd },
      ...{ rate, lastGoodRate: good?.rate ?? WAD },
    },
    risk: { haircut, haircutInitial, tracking, trackingInitial, depegThreshold, depegFactor },
    observed: good?.time,
  };
}

async function readUnderlyingRisk({ riskEngine }: Readable, id: number, blockTag: number): Promise<UnderlyingRisk> {
  const r = await riskEngine.underlyingRisk(id, { blockTag });
  const { shock, slope, basis, basisInitial, maxTracking, maxTrackingInitial, initialFactor, depth } = r;
  return { shock, slope, basis, basisInitial, maxTracking, maxTrackingInitial, initialFactor, depth };
}

/** The oracle's snapshot, `undefined` where one of its guards fails. */
async function readPrice({ priceOracle }: Readable, id: number, blockTag: number): Promise<PriceSnapshot | undefined> {
  const word = await unlessRefused(priceOracle.latest(id, { blockTag }));
  return word === undefined ? undefined : unpack(word);
}

/** A snapshot from the word that `types/Portfolio.sol` describes. */
export function unpack(word: bigint): PriceSnapshot {
  return {
    price: word & WORD_128,
    initialFactor: (word >> 128n) & WORD_32,
    maintenanceFactor: (word >> 160n) & WORD_32,
  };
}

/** What a view answers, `undefined` where a contract refuses to. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (decodeError(error) !== undefined) return undefined;
    throw error;
  }
}

async function entries<T>(list: readonly { id: number }[], read: (id: number) => Promise<T>): Promise<[number, T][]> {
  return Promise.all(list.map(async ({ id }): Promise<[number, T]> => [id, await read(id)]));
}

/** Positions of the bits set in a bitmap, ascending. */
function bits(bitmap: bigint): number[] {
  const set: number[] = [];
  for (let i = 0; bitmap >> BigInt(i) !== 0n; ++i) if (((bitmap >> BigInt(i)) & 1n) === 1n) set.push(i);
  return set;
}
