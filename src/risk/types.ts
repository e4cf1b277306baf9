// Units as in contracts/types: [wad] 18-decimal fixed point, [ray36] 36 decimals, [ppm], [s]. Prices are USD [wad] per unit.

/** Risk parameters of an underlying, as `IRiskEngine.UnderlyingRisk`. */
export interface UnderlyingRisk {
  /** κ [ppm] */
  readonly shock: bigint;
  /** [ppm] */
  readonly slope: bigint;
  /** β [ppm] */
  readonly basis: bigint;
  /** β_i [ppm] */
  readonly basisInitial: bigint;
  /** [ppm] */
  readonly maxTracking: bigint;
  /** [ppm] */
  readonly maxTrackingInitial: bigint;
  /** φ [1e-9] */
  readonly initialFactor: bigint;
  /** [whole USD] */
  readonly depth: bigint;
}

/** Risk parameters of a collateral asset, as `IRiskEngine.CollateralRisk`. */
export interface CollateralRisk {
  /** h [ppm] */
  readonly haircut: bigint;
  /** h_i [ppm] */
  readonly haircutInitial: bigint;
  /** τ [ppm] */
  readonly tracking: bigint;
  /** τ_i [ppm] */
  readonly trackingInitial: bigint;
  /** p0 [ppm of one USD] of a stablecoin; 0 = no stablecoin */
  readonly depegThreshold: bigint;
  /** [ppm] growth of h_i per unit that the price is below p0 */
  readonly depegFactor: bigint;
}

/** What the risk engine keeps. */
export interface RiskParameters {
  /** by underlying */
  readonly underlyings: ReadonlyMap<number, UnderlyingRisk>;
  /** by collateral asset */
  readonly collaterals: ReadonlyMap<number, CollateralRisk>;
  /** how a replaced engine cuts slices; as `RiskEngine.slice` if left out */
  readonly slice?: SliceRule;
}

/**
 * What part [wad] of a portfolio a liquidation sells.
 * @param portfolio what is liquidated
 * @param risk parameters of the house
 * @param discount d, the penalty as a fraction of MM [wad]
 * @param dust [wad] USD of gross exposure and collateral below which nothing is left behind
 */
export type SliceRule = (portfolio: Portfolio, risk: RiskParameters, discount: bigint, dust: bigint) => bigint;

/** Index price [wad] and volatility regime [ppm] of an underlying. */
export interface PriceSnapshot {
  /** [wad] */
  readonly price: bigint;
  /** μ of the initial requirement */
  readonly initialFactor: bigint;
  /** μ of the maintenance requirement */
  readonly maintenanceFactor: bigint;
}

/** What an account holds of one collateral asset. */
export interface CollateralValue {
  /** of the collateral asset */
  readonly id: number;
  /** of its delisting [ppm] */
  readonly ramp: bigint;
  /** V_j [wad] */
  readonly value: bigint;
  /** it has no usable price: it counts, but a slice cannot move it */
  readonly stuck?: boolean;
}

/** What an account holds of one underlying. */
export interface Exposure extends PriceSnapshot {
  /** of the underlying */
  readonly id: number;
  /** Σ p_m [wad] */
  readonly net: bigint;
  /** Σ |p_m| [wad] */
  readonly gross: bigint;
  /** the underlying has no usable price: sizes count, but a slice cannot move them */
  readonly stuck?: boolean;
  /** what follows its price */
  readonly collaterals: readonly CollateralValue[];
}

/** What the risk engine judges. */
export interface Portfolio {
  /** cash + lent − debt + Σ PnL [wad] */
  readonly base: bigint;
  /** all that has a price, by underlying */
  readonly underlyings: readonly Exposure[];
}

/** Equity and requirements [wad]. */
export interface Assessment {
  /** E */
  readonly equity: bigint;
  /** IM: below it nothing may leave or be opened */
  readonly initialMargin: bigint;
  /** MM: below it the account is liquidatable */
  readonly maintenanceMargin: bigint;
}

/** A perpetual position [wad]; positive size is long. */
export interface Position {
  /** positive: long */
  readonly size: bigint;
  /** what was paid (negative) or received for it, settlements included */
  readonly quote: bigint;
}

/** What an account owns and owes. */
export interface AccountState {
  /** [wad] */
  readonly cash: bigint;
  /** shares in all that is lent */
  readonly lentShares: bigint;
  /** shares in all that is borrowed */
  readonly debtShares: bigint;
  /** by market */
  readonly positions: ReadonlyMap<number, Position>;
  /** [wad] balances by collateral asset */
  readonly collaterals: ReadonlyMap<number, bigint>;
}

/** The words of a market, and of its parameters, that the arithmetic needs; names as in `LedgerTypes.sol`. */
export interface MarketState {
  /** id of the underlying */
  readonly underlying: number;
  /** [ray36] at `time` */
  readonly funding: bigint;
  /** [wad] index price at `time` */
  readonly price: bigint;
  /** [s] last accrual */
  readonly time: bigint;
  /** [1e-12 per 8 h] at `time` */
  readonly premium: bigint;
  /** [1e-12 per 8 h] what the premium moves towards */
  readonly lastPremium: bigint;
  /** [ray36] socialised loss of longs */
  readonly longIndex: bigint;
  /** [ray36] socialised loss of shorts */
  readonly shortIndex: bigint;
  /** [wad] settled losses that winners can be paid from */
  readonly pool: bigint;
  /** [wad] */
  readonly flaggedDeficit: bigint;
  /** [wad] */
  readonly badDebt: bigint;
  /** [wad] */
  readonly openInterest: bigint;
  /** [ppm] */
  readonly priceBand: bigint;
  /** [whole USD] */
  readonly softCap: bigint;
  /** [whole USD] */
  readonly hardCap: bigint;
}

/** A listed collateral asset. */
export interface CollateralState {
  /** id of the underlying */
  readonly underlying: number;
  /** of the token */
  readonly decimals: number;
  /** [wad] dust threshold */
  readonly minBalance: bigint;
  /** [s] end of the ramp of its haircut to 100 %; 0 = listed */
  readonly delistingEnd: bigint;
  /** [wad] units of the underlying that a unit is worth, 1e18 without a rate feed; undefined = unusable */
  readonly rate: bigint | undefined;
  /** [wad] the last usable rate that somebody observed, 1e18 without a rate feed */
  readonly lastGoodRate: bigint;
}

/** Interest rate as a function of utilisation, as `LedgerTypes.LendingParams`. */
export interface LendingParameters {
  /** [ppm] */
  readonly kink: bigint;
  /** [ppm per year] */
  readonly lowSlope: bigint;
  /** [ppm per year] */
  readonly highSlope: bigint;
  /** [ppm] */
  readonly reserveFactor: bigint;
}

/** The market in the settlement asset as it is stored, as `LedgerTypes.LendingPool`. */
export interface LendingState {
  /** [wad] at `time` */
  readonly lent: bigint;
  /** [wad] at `time` */
  readonly borrowed: bigint;
  /** in `lent` */
  readonly lentShares: bigint;
  /** in `borrowed` */
  readonly debtShares: bigint;
  /** [wad] */
  readonly reserves: bigint;
  /** [wad per second] */
  readonly rate: bigint;
  /** [s] */
  readonly time: bigint;
  /** [wad] that flags have recorded of borrowers: it earns nothing, and lent cash counts without it */
  readonly flaggedDeficit: bigint;
  /** rate as a function of utilisation */
  readonly params: LendingParameters;
}

/** The volatility regime of an underlying as the oracle has stored it, with what moves it. */
export interface RegimeState {
  /** μ [ppm] at `time` */
  readonly factor: bigint;
  /** [ppm] */
  readonly target: bigint;
  /** [s] */
  readonly time: bigint;
  /** [s] of the feed */
  readonly heartbeat: bigint;
  /** [ppm per hour] */
  readonly maxStep: bigint;
}

/** Everything outside an account that its assessment depends on. */
export interface HouseState {
  /** [s] block timestamp */
  readonly time: bigint;
  /** what the risk engine keeps */
  readonly risk: RiskParameters;
  /** by id */
  readonly markets: ReadonlyMap<number, MarketState>;
  /** by id */
  readonly collaterals: ReadonlyMap<number, CollateralState>;
  /** by underlying, those that are usable */
  readonly prices: ReadonlyMap<number, PriceSnapshot>;
  /** by underlying, the last usable ones that somebody observed */
  readonly lastGood: ReadonlyMap<number, PriceSnapshot>;
  /** the lending pool */
  readonly lending: LendingState;
}

/** An account and its house, where both change together. */
export interface Books {
  /** the account */
  readonly account: AccountState;
  /** its house */
  readonly house: HouseState;
}

/** The row of the health table an account is in. */
export type MarginState = "healthy" | "marginCall" | "liquidatable" | "bankrupt";
