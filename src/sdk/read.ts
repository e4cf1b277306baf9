import { Interface, ZeroAddress } from "ethers";
import type { ContractRunner, Provider } from "ethers";

import { IClearingHouse__factory } from "../../types/factories/contracts/interfaces/IClearingHouse__factory.ts";
import { IPriceOracle__factory } from "../../types/factories/contracts/interfaces/IPriceOracle__factory.ts";
import { IRiskEngine__factory } from "../../types/factories/contracts/interfaces/IRiskEngine__factory.ts";
import type { IClearingHouse } from "../../types/contracts/interfaces/IClearingHouse.ts";
import type { IPriceOracle } from "../../types/contracts/interfaces/IPriceOracle.ts";
import type { IRiskEngine } from "../../types/contracts/interfaces/IRiskEngine.ts";
import type { Auction } from "../risk/auction.ts";
import type { MarketTerms } from "../risk/cure.ts";
import type {
  AccountState,
  CollateralRisk,
  CollateralState,
  HouseState,
  LendingState,
  MarketState,
  Position,
  PriceSnapshot,
  RiskParameters,
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

/** The contracts of a house that is only read. */
export function readable({ contracts }: AddressBook, runner: ContractRunner): Readable {
  return {
    clearingHouse: IClearingHouse__factory.connect(contracts.clearingHouse, runner),
    riskEngine: IRiskEngine__factory.connect(contracts.riskEngine, runner),
    priceOracle: IPriceOracle__factory.connect(contracts.priceOracle, runner),
  };
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
const UNIT_RATE = { rate: WAD, lastGoodRate: WAD };
const UNKNOWN_RATE = { rate: undefined, lastGoodRate: 0n };

const erc20 = new Interface(["function allowance(address owner, address spender) view returns (uint256)"]);

/** An account as it stands at the end of a block. */
export async function readAccount(
  { clearingHouse }: Pick<Readable, "clearingHouse">,
  id: AccountId,
  blockTag: number,
): Promise<AccountState> {
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

/** The auction of an account as it is stored, `undefined` if it is not flagged. */
export async function readAuction(
  { clearingHouse }: Readable,
  id: AccountId,
  blockTag: number,
): Promise<Auction | undefined> {
  const { flagger, maintenanceAtFlag, clock, rescueClock, lastCall } = await clearingHouse.auction(id, { blockTag });
  return flagger === ZeroAddress ? undefined : { flagger, maintenanceAtFlag, clock, rescueClock, lastCall };
}

/** What closing costs in each market of the book. */
export async function readMarketTerms(
  { clearingHouse }: Pick<Readable, "clearingHouse">,
  { markets }: AddressBook,
  blockTag: number,
): Promise<Map<number, MarketTerms>> {
  const read = async (id: number): Promise<MarketTerms> => {
    const [{ takerFee, minFill }] = await clearingHouse.market(id, { blockTag });
    return { takerFee, minFill };
  };
  return new Map(await entries(markets, read));
}

/** What of a house changes only with an event of its clearinghouse, as it is stored. */
export interface HouseTerms {
  readonly markets: ReadonlyMap<number, MarketState>;
  readonly collaterals: ReadonlyMap<number, CollateralTerms>;
}

/** What of a house moves with feeds and with time. */
export interface Quotes {
  /** by underlying, those that are usable */
  readonly prices: ReadonlyMap<number, PriceSnapshot>;
  /** by underlying, the last usable ones that somebody observed */
  readonly lastGood: ReadonlyMap<number, PriceSnapshot>;
  readonly priceObserved: ReadonlyMap<number, bigint>;
  /** by collateral asset, of those that have one */
  readonly rates: ReadonlyMap<number, Rate>;
  /** with interest up to the block */
  readonly lending: LendingState;
}

/** What is listed of a collateral asset; names as in `CollateralState`. */
export interface CollateralTerms extends Omit<CollateralState, "rate" | "lastGoodRate"> {
  readonly hasRate: boolean;
}

/** The rate of a collateral asset [wad], `undefined` where it is unusable, and the last good one with its time [s]. */
interface Rate {
  readonly rate: bigint | undefined;
  readonly lastGoodRate: bigint;
  readonly observed: bigint;
}

/** Everything outside an account that its assessment depends on, at a block. Unusable prices and rates are left out. */
export async function readHouse(
  contracts: Readable,
  book: AddressBook,
  block: { number: number; timestamp: number },
): Promise<ObservedHouse> {
  const reading = readTerms(contracts, book, block.number);
  const [terms, risk, quotes] = await Promise.all([
    reading,
    readRisk(contracts, book, block.number),
    reading.then(({ collaterals }) => readQuotes(contracts, book, collaterals, block.number)),
  ]);
  return joinHouse(BigInt(block.timestamp), terms, risk, quotes);
}

/** A house from its parts. */
export function joinHouse(
  time: bigint,
  { markets, collaterals }: HouseTerms,
  risk: RiskParameters,
  { prices, lastGood, priceObserved, rates, lending }: Quotes,
): ObservedHouse {
  const withRate = ([id, { hasRate, ...terms }]: [number, CollateralTerms]): [number, CollateralState] => {
    const { rate, lastGoodRate } = hasRate ? (rates.get(id) ?? UNKNOWN_RATE) : UNIT_RATE;
    return [id, { ...terms, rate, lastGoodRate }];
  };
  return {
    ...{ time, risk, markets, prices, lastGood, lending, priceObserved },
    collaterals: new Map([...collaterals].map(withRate)),
    rateObserved: new Map([...rates].map(([id, { observed }]) => [id, observed])),
  };
}

/** Markets and collateral assets at a block. */
export async function readTerms(contracts: Readable, book: AddressBook, blockTag: number): Promise<HouseTerms> {
  const [markets, collaterals] = await Promise.all([
    entries(book.markets, (id) => readMarket(contracts, id, blockTag)),
    entries(book.collaterals, (id) => readCollateral(contracts, id, blockTag)),
  ]);
  return { markets: new Map(markets), collaterals: new Map(collaterals) };
}

/** What the risk engine keeps, at a block. */
export async function readRisk(contracts: Readable, book: AddressBook, blockTag: number): Promise<RiskParameters> {
  const [underlyings, collaterals] = await Promise.all([
    entries(book.underlyings, (id) => readUnderlyingRisk(contracts, id, blockTag)),
    entries(book.collaterals, (id) => readCollateralRisk(contracts, id, blockTag)),
  ]);
  return { underlyings: new Map(underlyings), collaterals: new Map(collaterals) };
}

/** Prices, rates and the lending pool at a block, all asked for at once. */
export async function readQuotes(
  contracts: Readable,
  book: AddressBook,
  collaterals: ReadonlyMap<number, CollateralTerms>,
  blockTag: number,
): Promise<Quotes> {
  const rated = book.collaterals.filter(({ id }) => collaterals.get(id)?.hasRate);
  const [prices, good, rates, lending] = await Promise.all([
    entries(book.underlyings, (id) => readPrice(contracts, id, blockTag)),
    entries(book.underlyings, (id) => contracts.priceOracle.lastGood(id, { blockTag })),
    entries(rated, (id) => readRate(contracts, id, blockTag)),
    readLending(contracts, blockTag),
  ]);
  return {
    prices: new Map(prices.filter((entry): entry is [number, PriceSnapshot] => entry[1] !== undefined)),
    lastGood: new Map(good.filter(([, { time }]) => time !== 0n).map(([id, { snapshot }]) => [id, unpack(snapshot)])),
    priceObserved: new Map(good.map(([id, { time }]) => [id, time])),
    rates: new Map(rates),
    lending,
  };
}

/** The lending pool with interest up to a block, its parameters, and the deficits that flags have recorded in it. */
export async function readLending(
  { clearingHouse }: Pick<Readable, "clearingHouse">,
  blockTag: number,
): Promise<LendingState> {
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

async function readCollateral({ clearingHouse }: Readable, id: number, blockTag: number): Promise<CollateralTerms> {
  const c = await clearingHouse.collateral(id, { blockTag });
  const { minBalance, delistingEnd, hasRate } = c;
  return { underlying: Number(c.underlying), decimals: Number(c.decimals), minBalance, delistingEnd, hasRate };
}

async function readRate({ priceOracle }: Readable, id: number, blockTag: number): Promise<Rate> {
  const [rate, good] = await Promise.all([
    unlessRefused(priceOracle.latestRate(id, { blockTag })),
    priceOracle.lastGoodRate(id, { blockTag }),
  ]);
  return { rate, lastGoodRate: good.rate, observed: good.time };
}

async function readCollateralRisk({ riskEngine }: Readable, id: number, blockTag: number): Promise<CollateralRisk> {
  const r = await riskEngine.collateralRisk(id, { blockTag });
  const { haircut, haircutInitial, tracking, trackingInitial, depegThreshold, depegFactor } = r;
  return { haircut, haircutInitial, tracking, trackingInitial, depegThreshold, depegFactor };
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
