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
  readonly market: number;
  readonly size: bigint; // [wad] change of the account's size
  readonly price: bigint; // [wad]
  readonly feeRate: bigint; // [ppm of notional]
}

/** An account after a hypothetical fill. */
export interface WhatIf {
  readonly account: AccountState;
  readonly fee: bigint; // [wad]
  readonly assessment: Assessment;
  readonly state: MarginState;
  readonly leverage: bigint | undefined; // [wad] gross notional over equity
  readonly liquidationPrices: LiquidationPrices; // of the market's underlying
  readonly surcharge: bigint; // [wad] what an opening must carry beyond IM, at the open interest as it is
  readonly accepted: boolean; // whether the ledger would let the account stand
}

/**
 * What a fill would make of an account: E, IM, MM, margin state, leverage and liquidation prices after it.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
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
 * @throws UnknownMarket, MissingPrice
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

/** Fee [wad] on a fill of `size` [wad] at `price` [wad], rounded up to 1e-9 USD. */
export function tradingFee(size: bigint, price: bigint, feeRate: bigint): bigint {
  return divUp(abs(size) * price * feeRate, PPM * WAD * FEE_UNIT) * FEE_UNIT;
}
