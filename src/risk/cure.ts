import { assess, judge } from "./assess.ts";
import { abs, divUp, max, min, positive, PPM, WAD } from "./fixed.ts";
import { marketOf } from "./house.ts";
import { moveIn } from "./moves.ts";
import type { Movable } from "./moves.ts";
import { snapshotOf } from "./portfolio.ts";
import { saleablePrice } from "./prices.ts";
import type { AccountState, Assessment, Exposure, HouseState, Portfolio } from "./types.ts";

const FEE_UNIT = 10n ** 9n; // [wad] granularity of fees, rounded up
const DOUBLINGS = 128; // more than any balance has bits

/** What closing in a market costs and the least that can be closed. */
export interface MarketTerms {
  /** [ppm of notional] */
  readonly takerFee: bigint;
  /** [wad] */
  readonly minFill: bigint;
}

/** What of one asset brings an account back to E ≥ IM. */
export interface DepositCure {
  /** cash, or a collateral asset by its id */
  readonly asset: Movable;
  /** [wad] */
  readonly amount: bigint;
}

/** What closing in one market brings an account back to E ≥ IM. */
export interface ClosingCure {
  readonly market: number;
  /** [wad] change of size */
  readonly size: bigint;
}

/** The ways out of a margin call. */
export interface Cure {
  /** any one of them is enough, cash first; those that cannot cure are left out */
  readonly deposits: readonly DepositCure[];
  /** in the market in which closing takes the least notional; left out if closing in no single one is enough */
  readonly closing?: ClosingCure;
}

/**
 * What brings an account below IM back to E ≥ IM at the present prices: a deposit of one asset, or closing in one market.
 * @param terms of the markets that it holds
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
 */
export function cureOf(account: AccountState, house: HouseState, terms: ReadonlyMap<number, MarketTerms>): Cure {
  const closing = closingCure(account, house, terms);
  return { deposits: depositCures(account, house), ...(closing !== undefined && { closing }) };
}

// ---------------------------------------------------------------- deposits

function depositCures(account: AccountState, house: HouseState): DepositCure[] {
  const { equity, initialMargin } = judged(account, house);
  const cures: DepositCure[] = [{ asset: "cash", amount: positive(initialMargin - equity) }];
  for (const [id, { decimals, delistingEnd }] of house.collaterals) {
    if (delistingEnd !== 0n || saleablePrice(house, id) === 0n) continue;
    const amount = leastDeposit(account, house, id, 10n ** BigInt(18 - Math.min(18, decimals)));
    if (amount !== undefined) cures.push({ asset: id, amount });
  }
  return cures;
}

/** The least amount [wad] of a collateral asset, in whole `unit`s [wad], that cures; `undefined` if none does. */
function leastDeposit(account: AccountState, house: HouseState, id: number, unit: bigint): bigint | undefined {
  const cures = (units: bigint): boolean => {
    const { equity, initialMargin } = judged(moveIn({ account, house }, id, units * unit).account, house);
    return equity >= initialMargin;
  };
  let enough = 1n;
  for (let i = 0; !cures(enough); ++i, enough *= 2n) if (i === DOUBLINGS) return undefined;
  let tooLittle = enough / 2n;
  while (enough - tooLittle > 1n) {
    const middle = (tooLittle + enough) / 2n;
    if (cures(middle)) enough = middle;
    else tooLittle = middle;
  }
  return enough * unit;
}

function judged(account: AccountState, house: HouseState): Assessment {
  return judge(snapshotOf(account, house, "kindest"), house.risk);
}

// ---------------------------------------------------------------- closing

/** As `Reports.callMargin`, to the wei. */
function closingCure(
  account: AccountState,
  house: HouseState,
  terms: ReadonlyMap<number, MarketTerms>,
): ClosingCure | undefined {
  const { portfolio, degraded } = snapshotOf(account, house, "kindest");
  const { equity, initialMargin } = assess(portfolio, house.risk);
  if (degraded || equity < 0n || equity >= initialMargin) return undefined; // who is bankrupt cannot trade
  let best: (ClosingCure & { readonly notional: bigint }) | undefined;
  for (const [market, { size }] of [...account.positions].sort(([a], [b]) => a - b)) {
    const { underlying } = marketOf(house, market);
    const held = portfolio.underlyings.find(({ id }) => id === underlying);
    const charged = terms.get(market);
    if (size === 0n || held === undefined || charged === undefined) continue;
    const found = closingIn(portfolio, house, held, size, charged, initialMargin - equity);
    if (found !== undefined && (best === undefined || found.notional < best.notional)) best = { market, ...found };
  }
  return best === undefined ? undefined : { market: best.market, size: best.size };
}

/**
 * The change of size in one market that cures at the mark, taker fee paid, and its notional [wad]. In proportion to what closing all
 * of it would take off IM; all of it where the requirement is not in proportion.
 */
function closingIn(
  portfolio: Portfolio,
  { risk }: HouseState,
  held: Exposure,
  size: bigint,
  terms: MarketTerms,
  shortfall: bigint,
): { size: bigint; notional: bigint } | undefined {
  const after = (change: bigint, notional: bigint): bigint => {
    const { equity, initialMargin } = assess(resized(portfolio, held, change, feeOf(notional, terms)), risk);
    return equity - initialMargin;
  };
  const all = divUp(abs(size) * held.price, WAD);
  const surplus = after(-size, all);
  if (surplus < 0n) return undefined;
  const share = divUp(abs(size) * shortfall, shortfall + surplus) + 1n;
  const part = min(max(share, terms.minFill), abs(size));
  const change = size > 0n ? -part : part;
  const notional = divUp(part * held.price, WAD);
  return after(change, notional) < 0n ? { size: -size, notional: all } : { size: change, notional };
}

/** A portfolio with `change` of one size, towards zero, made at the mark for `fee` [wad]. */
function resized(portfolio: Portfolio, held: Exposure, change: bigint, fee: bigint): Portfolio {
  const underlyings = portfolio.underlyings.map((u) =>
    u === held ? { ...u, net: u.net + change, gross: u.gross - abs(change) } : u,
  );
  return { base: portfolio.base - fee, underlyings };
}

function feeOf(notional: bigint, { takerFee }: MarketTerms): bigint {
  return divUp(notional * takerFee, PPM) + FEE_UNIT;
}
