import type { ClearingHouse, PriceOracle, RiskEngine } from "../../types/index.ts";
import type {
  AccountState,
  CollateralRisk,
  CollateralState,
  HouseState,
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
  clearingHouse: ClearingHouse;
  riskEngine: RiskEngine;
  priceOracle: PriceOracle;
}

const WORD_32 = (1n << 32n) - 1n;
const WORD_128 = (1n << 128n) - 1n;

/** An account as it stands at the end of a block. */
export async function readAccount({ clearingHouse }: Readable, id: AccountId, blockTag: number): Promise<AccountState> {
  const { cash, markets, collaterals } = await clearingHouse.account(id, { blockTag });
  const [positions, balances] = await Promise.all([
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
  return { cash, positions: new Map(positions), collaterals: new Map(balances) };
}

/** Everything outside an account that its assessment depends on, at a block. Unusable prices are left out. */
export async function readHouse(
  contracts: Readable,
  book: AddressBook,
  block: { number: number; timestamp: number },
): Promise<HouseState> {
  const blockTag = block.number;
  const [markets, collaterals, underlyings, prices] = await Promise.all([
    entries(book.markets, (id) => readMarket(contracts, id, blockTag)),
    entries(book.collaterals, (id) => readCollateral(contracts, id, blockTag)),
    entries(book.underlyings, (id) => readUnderlyingRisk(contracts, id, blockTag)),
    entries(book.underlyings, (id) => readPrice(contracts, id, blockTag)),
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
  };
}

async function readMarket({ clearingHouse }: Readable, id: number, blockTag: number): Promise<MarketState> {
  const [, index, rate, pool, loss] = await clearingHouse.market(id, { blockTag });
  return {
    underlying: Number(rate.underlying),
    funding: index.funding,
    price: rate.price,
    time: rate.time,
    premium: rate.premium,
    longIndex: loss.longIndex,
    shortIndex: loss.shortIndex,
    pool: pool.cash,
    flaggedDeficit: pool.flaggedDeficit,
    badDebt: loss.badDebt,
  };
}

async function readCollateral(
  { clearingHouse, riskEngine }: Readable,
  id: number,
  blockTag: number,
): Promise<{ state: CollateralState; risk: CollateralRisk }> {
  const [{ underlying, decimals, minBalance }, risk] = await Promise.all([
    clearingHouse.collateral(id, { blockTag }),
    riskEngine.collateralRisk(id, { blockTag }),
  ]);
  const { haircut, haircutInitial, tracking, trackingInitial } = risk;
  return {
    state: { underlying: Number(underlying), decimals: Number(decimals), minBalance },
    risk: { haircut, haircutInitial, tracking, trackingInitial },
  };
}

async function readUnderlyingRisk({ riskEngine }: Readable, id: number, blockTag: number): Promise<UnderlyingRisk> {
  const r = await riskEngine.underlyingRisk(id, { blockTag });
  const { shock, slope, basis, basisInitial, maxTracking, maxTrackingInitial, initialFactor, depth } = r;
  return { shock, slope, basis, basisInitial, maxTracking, maxTrackingInitial, initialFactor, depth };
}

/** The oracle's snapshot, `undefined` where one of its guards fails. */
async function readPrice({ priceOracle }: Readable, id: number, blockTag: number): Promise<PriceSnapshot | undefined> {
  try {
    const word = await priceOracle.read(id, { blockTag });
    return {
      price: word & WORD_128,
      initialFactor: (word >> 128n) & WORD_32,
      maintenanceFactor: (word >> 160n) & WORD_32,
    };
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
