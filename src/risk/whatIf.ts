import { assessAccount, leverage, marginState } from "./account.ts";
import { abs, divUp, PPM, WAD } from "./fixed.ts";
import { mayStand } from "./health.ts";
import { marketOf } from "./house.ts";
import { liquidationPrices, type LiquidationPrices } from "./liquidationPrice.ts";
import { settleLoss } from "./pools.ts";
import { change, sides } from "./positions.ts";
import { surchargeOf } from "./surcharge.ts";
import type { AccountState, Assessment, Books, HouseState, MarginState } from "./types.ts";

const FEE_UNIT = 10n ** 9n; // [wad] granularity of fees, rounded up

/** A hypothetical fill from the view of one account. */
export interface HypotheticalFill {
  /** id of the market */
  readonly market: number;
  /** [wad] change of the account's size */
  readonly size: bigint;
  /** [wad] */
  readonly price: bigint;
  /** [ppm of notional] */
  readonly feeRate: bigint;
}

/** An account after a hypothetical fill. */
export interface WhatIf {
  /** what it then owns and owes */
  readonly account: AccountState;
  /** [wad] */
  readonly fee: bigint;
  /** E, IM and MM */
  readonly assessment: Assessment;
  /** row of the health table */
  readonly state: MarginState;
  /** [wad] gross notional over equity */
  readonly leverage: bigint | undefined;
  /** of the market's underlying */
  readonly liquidationPrices: LiquidationPrices;
  /** [wad] what an opening must carry beyond IM, at the open interest as it is */
  readonly surcharge: bigint;
  /** whether the ledger would let the account stand */
  readonly accepted: boolean;
}

/**
 * What a fill would make of an account: E, IM, MM, margin state, leverage and liquidation prices after it.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @param fill what is traded
 * @returns the account after the fill
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const fill = { market: 0, size: 5n * WAD, price: 2000n * WAD, feeRate: 500n };
 * const { fee, assessment, accepted } = whatIf(account, house, fill);
 * console.log(formatWad(fee), formatWad(assessment.equity), accepted); // → 5 9985 true
 * ```
 */
export function whatIf(account: AccountState, house: HouseState, fill: HypotheticalFill): WhatIf {
  const fee = tradingFee(fill.size, fill.price, fill.feeRate);
  const books = fillBooks(account, house, fill);
  const after = books.account;
  const assessment = assessAccount(after, house);
  const surcharge = opens(account, after, fill.market) ? surchargeOf(after, house, fill.market) : 0n;
  return {
    account: after,
    fee,
    assessment,
    state: marginState(assessment),
    leverage: leverage(after, house),
    liquidationPrices: liquidationPrices(after, house, marketOf(house, fill.market).underlying),
    surcharge,
    accepted: mayStand(account, books, { leaves: false, surcharge }),
  };
}

/**
 * The account after a fill. A position that it closes whole at a loss is settled at once.
 *
 * @param account what it owns and owes
 * @param house prices, markets, parameters and the lending pool
 * @param fill what is traded
 * @returns what it then owns and owes
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 *
 * @example
 * ```ts
 * const after = applyFill(account, house, { market: 0, size: -4n * WAD, price: 2000n * WAD, feeRate: 500n });
 * console.log(formatWad(after.positions.get(0)?.size ?? 0n)); // → 6
 * ```
 */
export function applyFill(account: AccountState, house: HouseState, fill: HypotheticalFill): AccountState {
  return fillBooks(account, house, fill).account;
}

function fillBooks(account: AccountState, house: HouseState, fill: HypotheticalFill): Books {
  const s = sides(marketOf(house, fill.market), house.time);
  const fee = tradingFee(fill.size, fill.price, fill.feeRate);
  const position = change(account.positions.get(fill.market), fill.size, fill.price, s, -fee);
  const after = { ...account, positions: new Map(account.positions).set(fill.market, position) };
  const closed = position.size === 0n && position.quote < 0n;
  return closed ? settleLoss({ account: after, house }, fill.market, -position.quote) : { account: after, house };
}

/** Whether a fill raises |size|. */
function opens(before: AccountState, after: AccountState, market: number): boolean {
  return abs(after.positions.get(market)?.size ?? 0n) > abs(before.positions.get(market)?.size ?? 0n);
}

/**
 * Fee on a fill, rounded up to 1e-9 USD.
 *
 * @param size of the fill [wad]
 * @param price of the fill [wad]
 * @param feeRate [ppm of notional]
 * @returns the fee [wad]
 *
 * @example
 * ```ts
 * console.log(formatWad(tradingFee(5n * WAD, 2000n * WAD, 500n))); // → 5
 * ```
 */
export function tradingFee(size: bigint, price: bigint, feeRate: bigint): bigint {
  return divUp(abs(size) * price * feeRate, PPM * WAD * FEE_UNIT) * FEE_UNIT;
}
