import { WAD } from "../../src/risk/fixed.ts";
import type {
  AccountState,
  CollateralState,
  HouseState,
  LendingState,
  MarketState,
  PriceSnapshot,
  RiskParameters,
} from "../../src/risk/types.ts";

/** A market without funding, losses or pool. */
export function market(underlying: number, state: Partial<MarketState> = {}): MarketState {
  return {
    underlying,
    funding: 0n,
    price: 0n,
    time: 0n,
    premium: 0n,
    lastPremium: 0n,
    longIndex: 0n,
    shortIndex: 0n,
    pool: 0n,
    flaggedDeficit: 0n,
    badDebt: 0n,
    openInterest: 0n,
    priceBand: 5_000n,
    softCap: 10n ** 12n,
    hardCap: 10n ** 13n,
    ...state,
  };
}

/** A price snapshot in a calm market. */
export function calm(price: bigint): PriceSnapshot {
  return { price, initialFactor: 1_000_000n, maintenanceFactor: 1_000_000n };
}

/** A collateral asset of 18 decimals that is listed to stay and worth a unit of its underlying. */
export function collateral(underlying: number, state: Partial<CollateralState> = {}): CollateralState {
  return { underlying, decimals: 18, minBalance: 0n, delistingEnd: 0n, rate: WAD, lastGoodRate: WAD, ...state };
}

/** A lending pool that nobody has used, at the default rates. */
export function lendingPool(state: Partial<LendingState> = {}): LendingState {
  return {
    lent: 0n,
    borrowed: 0n,
    lentShares: 0n,
    debtShares: 0n,
    reserves: 0n,
    rate: 0n,
    time: 0n,
    flaggedDeficit: 0n,
    params: { kink: 800_000n, lowSlope: 40_000n, highSlope: 750_000n, reserveFactor: 100_000n },
    ...state,
  };
}

/** An account that owns nothing, unless told otherwise. */
export function emptyAccount(state: Partial<AccountState> = {}): AccountState {
  return { cash: 0n, lentShares: 0n, debtShares: 0n, positions: new Map(), collaterals: new Map(), ...state };
}

/** Underlying 0 with market 0 and collateral 0. */
export function oneUnderlying(risk: RiskParameters, price: bigint): HouseState {
  return {
    time: 0n,
    risk,
    markets: new Map([[0, market(0)]]),
    collaterals: new Map([[0, collateral(0)]]),
    prices: new Map([[0, calm(price)]]),
    lastGood: new Map([[0, calm(price)]]),
    lending: lendingPool(),
  };
}

/** An account of cash, one position entered at `price` in market 0, and a balance of collateral 0 [wad]. */
export function accountOf(cash: bigint, size: bigint, price: bigint, balance = 0n): AccountState {
  return emptyAccount({
    cash,
    positions: new Map([[0, { size, quote: -(size * price) / 10n ** 18n }]]),
    collaterals: new Map([[0, balance]]),
  });
}
