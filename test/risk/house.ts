import type {
  AccountState,
  CollateralState,
  HouseState,
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
    ...state,
  };
}

/** A price snapshot in a calm market. */
export function calm(price: bigint): PriceSnapshot {
  return { price, initialFactor: 1_000_000n, maintenanceFactor: 1_000_000n };
}

/** Underlying 0 with market 0 and collateral 0. */
export function oneUnderlying(risk: RiskParameters, price: bigint): HouseState {
  return {
    time: 0n,
    risk,
    markets: new Map([[0, market(0)]]),
    collaterals: new Map<number, CollateralState>([[0, { underlying: 0, decimals: 18, minBalance: 0n }]]),
    prices: new Map([[0, calm(price)]]),
  };
}

/** An account of cash, one position entered at `price` in market 0, and a balance of collateral 0 [wad]. */
export function accountOf(cash: bigint, size: bigint, price: bigint, balance = 0n): AccountState {
  return {
    cash,
    positions: new Map([[0, { size, quote: -(size * price) / 10n ** 18n }]]),
    collaterals: new Map([[0, balance]]),
  };
}
