import { PlimsollError } from "./plimsollError.ts";

/** Any failure of the risk engine. */
export abstract class RiskError extends PlimsollError {}

/** No risk parameters are known for an underlying. */
export class UnknownUnderlying extends RiskError {
  override readonly name = "UnknownUnderlying";
  /** id of the underlying */
  readonly underlying: number;

  /** @param underlying id of the underlying */
  constructor(underlying: number) {
    super(`no risk parameters for underlying ${underlying}: add them to HouseState.risk.underlyings`);
    this.underlying = underlying;
  }
}

/** A collateral asset has no risk parameters or is not listed. */
export class UnknownCollateral extends RiskError {
  override readonly name = "UnknownCollateral";
  /** id of the collateral asset */
  readonly collateral: number;

  /** @param collateral id of the collateral asset */
  constructor(collateral: number) {
    super(`collateral ${collateral} is not listed or has no risk parameters`);
    this.collateral = collateral;
  }
}

/** A market is not listed. */
export class UnknownMarket extends RiskError {
  override readonly name = "UnknownMarket";
  /** id of the market */
  readonly market: number;

  /** @param market id of the market */
  constructor(market: number) {
    super(`market ${market} is not listed`);
    this.market = market;
  }
}

/** An underlying that the account holds has no price. */
export class MissingPrice extends RiskError {
  override readonly name = "MissingPrice";
  /** id of the underlying */
  readonly underlying: number;

  /** @param underlying id of the underlying */
  constructor(underlying: number) {
    super(`no price for underlying ${underlying}: read it from the oracle first`);
    this.underlying = underlying;
  }
}

/** A collateral asset that the account holds has no usable rate to its underlying. */
export class MissingRate extends RiskError {
  override readonly name = "MissingRate";
  /** id of the collateral asset */
  readonly collateral: number;

  /** @param collateral id of the collateral asset */
  constructor(collateral: number) {
    super(`no rate for collateral ${collateral}: read it from the oracle first`);
    this.collateral = collateral;
  }
}

/** An account with E ≥ MM cannot be liquidated. */
export class NotLiquidatable extends RiskError {
  override readonly name = "NotLiquidatable";
  /** [wad] */
  readonly equity: bigint;
  /** [wad] */
  readonly maintenanceMargin: bigint;

  /**
   * @param equity [wad]
   * @param maintenanceMargin [wad]
   */
  constructor(equity: bigint, maintenanceMargin: bigint) {
    super(`equity ${equity.toString()} covers the maintenance margin ${maintenanceMargin.toString()}`);
    this.equity = equity;
    this.maintenanceMargin = maintenanceMargin;
  }
}

/** A liquidator's largest fraction is zero, or less than the whole of an account that must be sold whole. */
export class FractionTooSmall extends RiskError {
  override readonly name = "FractionTooSmall";
  /** [wad] what was accepted */
  readonly maxFraction: bigint;
  /** [wad] */
  readonly needed: bigint;

  /**
   * @param maxFraction [wad] what was accepted
   * @param needed [wad]
   */
  constructor(maxFraction: bigint, needed: bigint) {
    super(`a slice of at most ${maxFraction.toString()} was accepted, ${needed.toString()} is needed`);
    this.maxFraction = maxFraction;
    this.needed = needed;
  }
}

/** The account can pay a liquidator only with claims on market pools, which he does not accept or which do not suffice. */
export class ClaimsNotAccepted extends RiskError {
  override readonly name = "ClaimsNotAccepted";
  /** [wad] */
  readonly claims: bigint;

  /** @param claims [wad] */
  constructor(claims: bigint) {
    super(`${claims.toString()} would have to be paid in claims on pools`);
    this.claims = claims;
  }
}

/** An account below MM has nothing that can be sold now. */
export class NothingToSell extends RiskError {
  override readonly name = "NothingToSell";

  constructor() {
    super("nothing of the account has a usable price");
  }
}

/** An account has no loss that has waited for cash long enough, or is worth too little for a cash call. */
export class NoCashCall extends RiskError {
  override readonly name = "NoCashCall";
  /** [wad] */
  readonly loss: bigint;
  /** [s] of observed time */
  readonly clock: bigint;

  /**
   * @param loss [wad]
   * @param clock [s] of observed time
   */
  constructor(loss: bigint, clock: bigint) {
    super(`no cash call: a loss of ${loss.toString()} has waited for ${clock.toString()} s`);
    this.loss = loss;
    this.clock = clock;
  }
}

/** A taker can pay neither from cash, nor from lent cash, nor by borrowing. */
export class InsufficientCash extends RiskError {
  override readonly name = "InsufficientCash";
  /** [wad] */
  readonly available: bigint;
  /** [wad] */
  readonly needed: bigint;

  /**
   * @param available [wad]
   * @param needed [wad]
   */
  constructor(available: bigint, needed: bigint) {
    super(`${available.toString()} of cash can be raised, ${needed.toString()} is needed`);
    this.available = available;
    this.needed = needed;
  }
}
