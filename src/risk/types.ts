// Units as in contracts/types: [wad] 18-decimal fixed point, [ray36] 36 decimals, [ppm], [s]. Prices are USD [wad] per unit.

/** Risk parameters of an underlying, as `IRiskEngine.UnderlyingRisk`. */
export interface UnderlyingRisk {
  readonly shock: bigint; // κ [ppm]
  readonly slope: bigint; // [ppm]
  readonly basis: bigint; // β [ppm]
  readonly basisInitial: bigint; // β_i [ppm]
  readonly maxTracking: bigint; // [ppm]
  readonly maxTrackingInitial: bigint; // [ppm]
  readonly initialFactor: bigint; // φ [1e-9]
  readonly depth: bigint; // [whole USD]
}

/** Risk parameters of a collateral asset, as `IRiskEngine.CollateralRisk`. */
export interface CollateralRisk {
  readonly haircut: bigint; // h [ppm]
  readonly haircutInitial: bigint; // h_i [ppm]
  readonly tracking: bigint; // τ [ppm]
  readonly trackingInitial: bigint; // τ_i [ppm]
  readonly depegThreshold: bigint; // p0 [ppm of one USD] of a stablecoin; 0 = no stablecoin
  readonly depegFactor: bigint; // [ppm] growth of h_i per unit that the price is below p0
}

/** What the risk engine keeps. */
export interface RiskParameters {
  readonly underlyings: ReadonlyMap<number, UnderlyingRisk>;
  readonly collaterals: ReadonlyMap<number, CollateralRisk>;
}

/** Index price [wad] and volatility regime [ppm] of an underlying. */
export interface PriceSnapshot {
  readonly price: bigint;
  readonly initialFactor: bigint; // μ of the initial requirement
  readonly maintenanceFactor: bigint; // μ of the maintenance requirement
}

/** What an account holds of one collateral asset. */
export interface CollateralValue {
  readonly id: number;
  readonly ramp: bigint; // of its delisting [ppm]
  readonly value: bigint; // V_j [wad]
  readonly stuck?: boolean; // it has no usable price: it counts, but a slice cannot move it
}

/** What an account holds of one underlying. */
export interface Exposure extends PriceSnapshot {
  readonly id: number;
  readonly net: bigint; // Σ p_m [wad]
  readonly gross: bigint; // Σ |p_m| [wad]
  readonly stuck?: boolean; // the underlying has no usable price: sizes count, but a slice cannot move them
  readonly collaterals: readonly CollateralValue[];
}

/** What the risk engine judges. */
export interface Portfolio {
  readonly base: bigint; // cash + lent − debt + Σ PnL [wad]
  readonly underlyings: readonly Exposure[];
}

/** Equity and requirements [wad]. */
export interface Assessment {
  readonly equity: bigint;
  readonly initialMargin: bigint;
  readonly maintenanceMargin: bigint;
}

/** A perpetual position [wad]; positive size is long. */
export interface Position {
  readonly size: bigint;
  readonly quote: bigint;
}

/** What an account owns and owes: cash [wad], shares in lent cash and debt, positions by market, balances [wad] by collateral asset. */
export interface AccountState {
  readonly cash: bigint;
  readonly lentShares: bigint;
  readonly debtShares: bigint;
  readonly positions: ReadonlyMap<number, Position>;
  readonly collaterals: ReadonlyMap<number, bigint>;
}

/** The words of a market, and of its parameters, that the arithmetic needs; names as in `LedgerTypes.sol`. */
export interface MarketState {
  readonly underlying: number;
  readonly funding: bigint; // [ray36] at `time`
  readonly price: bigint; // [wad] index price at `time`
  readonly time: bigint; // [s] last accrual
  readonly premium: bigint; // [1e-12 per 8 h] at `time`
  readonly lastPremium: bigint; // [1e-12 per 8 h] what the premium moves towards
  readonly longIndex: bigint; // [ray36] socialised loss of longs
  readonly shortIndex: bigint; // [ray36] socialised loss of shorts
  readonly pool: bigint; // [wad] settled losses that winners can be paid from
  readonly flaggedDeficit: bigint; // [wad]
  readonly badDebt: bigint; // [wad]
  readonly openInterest: bigint; // [wad]
  readonly priceBand: bigint; // [ppm]
  readonly softCap: bigint; // [whole USD]
  readonly hardCap: bigint; // [whole USD]
}

/** A listed collateral asset. */
export interface CollateralState {
  readonly underlying: number;
  readonly decimals: number; // of the token
  readonly minBalance: bigint; // [wad] dust threshold
  readonly delistingEnd: bigint; // [s] end of the ramp of its haircut to 100 %; 0 = listed
  readonly rate: bigint | undefined; // [wad] units of the underlying that a unit is worth, 1e18 without a rate feed; undefined = unusable
  readonly lastGoodRate: bigint; // [wad] the last usable rate that somebody observed, 1e18 without a rate feed
}

/** Interest rate as a function of utilisation, as `LedgerTypes.LendingParams`. */
export interface LendingParameters {
  readonly kink: bigint; // [ppm]
  readonly lowSlope: bigint; // [ppm per year]
  readonly highSlope: bigint; // [ppm per year]
  readonly reserveFactor: bigint; // [ppm]
}

/** The market in the settlement asset as it is stored, as `LedgerTypes.LendingPool`. */
export interface LendingState {
  readonly lent: bigint; // [wad] at `time`
  readonly borrowed: bigint; // [wad] at `time`
  readonly lentShares: bigint;
  readonly debtShares: bigint;
  readonly reserves: bigint; // [wad]
  readonly rate: bigint; // [wad per second]
  readonly time: bigint; // [s]
  readonly flaggedDeficit: bigint; // [wad] that flags have recorded of borrowers: it earns nothing, and lent cash counts without it
  readonly params: LendingParameters;
}

/** The volatility regime of an underlying as the oracle has stored it, with what moves it. */
export interface RegimeState {
  readonly factor: bigint; // μ [ppm] at `time`
  readonly target: bigint; // [ppm]
  readonly time: bigint; // [s]
  readonly heartbeat: bigint; // [s] of the feed
  readonly maxStep: bigint; // [ppm per hour]
}

/** Everything outside an account that its assessment depends on. */
export interface HouseState {
  readonly time: bigint; // [s] block timestamp
  readonly risk: RiskParameters;
  readonly markets: ReadonlyMap<number, MarketState>;
  readonly collaterals: ReadonlyMap<number, CollateralState>;
  readonly prices: ReadonlyMap<number, PriceSnapshot>; // by underlying, those that are usable
  readonly lastGood: ReadonlyMap<number, PriceSnapshot>; // by underlying, the last usable ones that somebody observed
  readonly lending: LendingState;
}

/** An account and its house, where both change together. */
export interface Books {
  readonly account: AccountState;
  readonly house: HouseState;
}

/** The row of the health table an account is in. */
export type MarginState = "healthy" | "marginCall" | "liquidatable" | "bankrupt";
