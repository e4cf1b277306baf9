/**
 * The risk engine and the ledger's arithmetic as pure functions over `bigint`: no chain, no dependency, equal to the contracts to
 * the wei. Units: [wad] 18-decimal fixed point, [ray36] 36 decimals, [ppm], [s]; prices are USD [wad] per unit.
 *
 * @module
 */
export { assessAccount, assessForLiquidation, freeCollateral, leverage, marginRatio, marginState } from "./account.ts";
export { advance as advanceAuction, discount } from "./auction.ts";
export type { Auction } from "./auction.ts";
export { breakdownOf } from "./breakdown.ts";
export type { Breakdown, Contribution, CountedCollateral } from "./breakdown.ts";
export {
  ClaimsNotAccepted,
  FractionTooSmall,
  InsufficientCash,
  MissingPrice,
  MissingRate,
  NoCashCall,
  NotLiquidatable,
  NothingToSell,
  RiskError,
  UnknownCollateral,
  UnknownMarket,
  UnknownUnderlying,
} from "./errors.ts";
export { PPM, WAD } from "./fixed.ts";
export { mayStand } from "./health.ts";
export type { Change } from "./health.ts";
export { borrowRate, currentLending, liquidity, loansOf } from "./lending.ts";
export type { Loans } from "./lending.ts";
export { planCashCall, planLiquidation, takeOver } from "./liquidation.ts";
export type {
  CashCallPlan,
  CashCallRequest,
  Deal,
  LiquidationPlan,
  LiquidationRequest,
  MovedCollateral,
  MovedLeg,
} from "./liquidation.ts";
export { liquidationPrices, marginCallPrices } from "./liquidationPrice.ts";
export type { LiquidationPrices } from "./liquidationPrice.ts";
export { mostCash, moveIn, moveOut } from "./moves.ts";
export type { Movable } from "./moves.ts";
export { PlimsollError } from "./plimsollError.ts";
export { pnlOf } from "./pools.ts";
export { gather } from "./portfolio.ts";
export type { MissingPrices } from "./prices.ts";
export { standingOf, stressTest } from "./standing.ts";
export type { PriceBounds, Shocked, Standing } from "./standing.ts";
export type {
  AccountState,
  Assessment,
  Books,
  CollateralRisk,
  CollateralState,
  CollateralValue,
  Exposure,
  HouseState,
  LendingParameters,
  LendingState,
  MarginState,
  MarketState,
  Portfolio,
  Position,
  PriceSnapshot,
  RiskParameters,
  SliceRule,
  UnderlyingRisk,
} from "./types.ts";
export { applyFill, tradingFee, whatIf } from "./whatIf.ts";
export type { HypotheticalFill, WhatIf } from "./whatIf.ts";
