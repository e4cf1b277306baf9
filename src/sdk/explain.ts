import { ZeroAddress } from "ethers";

import { marginRatio, marginState } from "../risk/account.ts";
import { assess, judge } from "../risk/assess.ts";
import { advance, discount } from "../risk/auction.ts";
import type { Auction } from "../risk/auction.ts";
import { cureOf } from "../risk/cure.ts";
import type { Cure, MarketTerms } from "../risk/cure.ts";
import { RiskError } from "../risk/errors.ts";
import { divUp } from "../risk/fixed.ts";
import { planLiquidation } from "../risk/liquidation.ts";
import type { LiquidationPlan } from "../risk/liquidation.ts";
import { distance, liquidationPrices, marginCallPrices } from "../risk/liquidationPrice.ts";
import type { LiquidationPrices } from "../risk/liquidationPrice.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import type { Snapshot } from "../risk/portfolio.ts";
import type { AccountState, Assessment, HouseState, MarginState } from "../risk/types.ts";
import { hexOf, ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import { formatWad, WAD_DECIMALS } from "./units.ts";

const WAD_PER_PPM = 10n ** 12n;
const SIZE_UNIT = 10n ** 9n; // [wad] granularity of an order's size
const CENTS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

/** An account and all that decides what becomes of it, at one block. */
export interface Subject {
  readonly id: AccountId;
  readonly block: number;
  readonly account: AccountState;
  readonly house: HouseState;
  /** as stored, `undefined` if it is not flagged */
  readonly auction: Auction | undefined;
  /** of the markets, for what closing would cost */
  readonly terms: ReadonlyMap<number, MarketTerms>;
}

/** What a running keeper decided about an account when it last looked. */
export interface LastDecision {
  readonly block: number;
  readonly action: string;
  readonly result: string;
  readonly reason?: string;
}

/** What one underlying means to an account; amounts and prices are [wad]. */
export interface UnderlyingStake {
  readonly underlying: number;
  /** the index price; the last good one if `stuck` */
  readonly price: bigint;
  /** it has no usable price: its sizes and collateral stay outside a slice */
  readonly stuck: boolean;
  /** what it alone asks of MM */
  readonly maintenanceMargin: bigint;
  /** where E meets IM, all else unchanged; none are known while it is stuck */
  readonly marginCall: LiquidationPrices;
  /** where E meets MM */
  readonly liquidation: LiquidationPrices;
}

/** The slice that anyone could take now; amounts are [wad]. */
export type SliceNow = Pick<
  LiquidationPlan,
  "fraction" | "cost" | "gain" | "toFund" | "toFlagger" | "paid" | "rescue" | "deficit"
>;

/** Why an account is or is not being liquidated, and at what prices it would be. Amounts are [wad]. */
export interface Explanation extends Assessment {
  readonly id: AccountId;
  readonly block: number;
  /** [s] */
  readonly time: bigint;
  readonly state: MarginState;
  /** E / MM, `undefined` where MM is zero */
  readonly ratio: bigint | undefined;
  /** something that it holds has no usable price and counts at its last good one, moved in the owner's favour */
  readonly degraded: boolean;
  /** what asks for most of MM first */
  readonly underlyings: readonly UnderlyingStake[];
  /** collateral assets without a usable price */
  readonly stuckCollaterals: readonly number[];
  /** its auction as a call now would find it; `undefined` if it is not flagged and not liquidatable */
  readonly auction: Auction | undefined;
  /** d that a taker would get now, `undefined` without an auction */
  readonly discount: bigint | undefined;
  /** `undefined` if there is none to take, and `refusal` says why */
  readonly slice: SliceNow | undefined;
  readonly refusal: RiskError | undefined;
  /** what brings it back to E ≥ IM, of an account below it */
  readonly cure: Cure | undefined;
  readonly decision: LastDecision | undefined;
}

/**
 * Why an account is or is not being liquidated, as a liquidation now would find it.
 * @param decision of a running keeper
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral; MissingPrice where there has never been a price
 */
export function explain(subject: Subject, decision?: LastDecision): Explanation {
  const { id, block, account, house, terms } = subject;
  const s = snapshotOf(account, house, "kindest");
  const assessment = judge(s, house.risk);
  const { equity, initialMargin, maintenanceMargin } = assessment;
  const auction = auctionNow(subject, assessment);
  const sale = equity < maintenanceMargin && auction !== undefined ? sliceNow(subject, auction) : undefined;
  return {
    ...{ id, block, time: house.time, ...assessment },
    ...{ state: marginState(assessment), ratio: marginRatio(assessment), degraded: s.degraded },
    underlyings: stakesOf(account, house, s),
    stuckCollaterals: s.portfolio.underlyings.flatMap(({ collaterals }) =>
      collaterals.filter(({ stuck }) => stuck === true).map((c) => c.id),
    ),
    auction,
    discount: auction === undefined ? undefined : discount(auction.clock),
    slice: sale instanceof RiskError ? undefined : sale,
    refusal: sale instanceof RiskError ? sale : undefined,
    cure: equity < initialMargin ? cureOf(account, house, terms) : undefined,
    decision,
  };
}

/** What asks for most of MM first. */
function stakesOf(account: AccountState, house: HouseState, { portfolio, flat }: Snapshot): UnderlyingStake[] {
  const stakes = portfolio.underlyings.map((u): UnderlyingStake => {
    const stuck = u.stuck === true;
    const alone = assess({ base: 0n, underlyings: [u] }, house.risk).maintenanceMargin;
    return {
      ...{ underlying: u.id, price: u.price, stuck, maintenanceMargin: flat ? 0n : alone },
      marginCall: stuck ? {} : marginCallPrices(account, house, u.id, "kindest"),
      liquidation: stuck ? {} : liquidationPrices(account, house, u.id, "kindest"),
    };
  });
  return stakes.sort((a, b) => (a.maintenanceMargin > b.maintenanceMargin ? -1 : 1));
}

/** The clock only advances by calls that find E < MM. */
function auctionNow({ auction, house }: Subject, assessment: Assessment): Auction | undefined {
  if (assessment.equity >= assessment.maintenanceMargin) return auction;
  return advance(auction, assessment, ZeroAddress, house.time);
}

/** The slice for a taker who is not the flagger, or why there is none. */
function sliceNow({ id, account, house }: Subject, auction: Auction): SliceNow | RiskError {
  try {
    return planLiquidation(account, house, { auction, owner: ownerOf(id), taker: ZeroAddress });
  } catch (error) {
    if (error instanceof RiskError) return error;
    throw error;
  }
}

// ---------------------------------------------------------------- in words

/** The answer in a sentence or two. */
export function verdictOf(e: Explanation): string {
  const { equity, initialMargin, maintenanceMargin } = e;
  if (maintenanceMargin === 0n && equity >= 0n) return "Not liquidated: nothing in it needs margin.";
  if (e.state === "healthy") return `Not liquidated: E is ${inUsd(equity - maintenanceMargin)} above MM and covers IM.`;
  if (e.state === "marginCall") {
    const room = `E is ${inUsd(equity - maintenanceMargin)} above MM but lacks ${inUsd(initialMargin - equity)} to IM`;
    return `Not liquidated yet: ${room}. Anyone may liquidate it as soon as E < MM.`;
  }
  if (e.refusal !== undefined) return `Liquidatable, but there is nothing to take: ${e.refusal.message}.`;
  const share = Number(formatWad((e.slice?.fraction ?? 0n) * 100n)).toFixed(2);
  return `Liquidatable: E lacks ${inUsd(maintenanceMargin - equity)} to MM. Anyone may take over ${share} % of it now.`;
}

/** An amount [wad] as people read it, to the cent. */
export function inUsd(amount: bigint): string {
  return `${Number(formatWad(amount)).toLocaleString("en-US", CENTS)} USD`;
}

/** What has no usable price, in words; `undefined` if all has one. */
export function stuckNote(e: Explanation, book: AddressBook): string | undefined {
  if (!e.degraded) return undefined;
  const names = [
    ...e.underlyings.filter(({ stuck }) => stuck).map(({ underlying }) => nameOf(book.underlyings, underlying)),
    ...e.stuckCollaterals.map((id) => tokenOf(book, id).symbol),
  ];
  const left = "it counts at the last good price moved in the owner's favour and stays outside any slice";
  const clock = e.equity >= e.maintenanceMargin ? "; the auction clock stands still" : "";
  return `No usable price of ${[...new Set(names)].join(", ")}: ${left}${clock}.`;
}

// ---------------------------------------------------------------- for machines

/** An explanation as JSON: names of the address book, amounts as exact decimal texts, distances as shares of the price. */
export function explanationJson(e: Explanation, book: AddressBook): object {
  return {
    ...{ account: hexOf(e.id), owner: ownerOf(e.id), block: e.block, time: Number(e.time), verdict: verdictOf(e) },
    ...{ state: e.state, equity: formatWad(e.equity), initialMargin: formatWad(e.initialMargin) },
    ...{ maintenanceMargin: formatWad(e.maintenanceMargin), marginRatio: decimal(e.ratio) },
    underlyings: e.underlyings.map((stake) => stakeJson(stake, e.maintenanceMargin, book)),
    stuck: stuckNote(e, book) ?? null,
    auction: e.auction === undefined ? null : auctionJson(e.auction, e.discount),
    slice: e.slice === undefined ? null : amountsJson(e.slice),
    refusal: e.refusal === undefined ? null : { error: e.refusal.name, message: e.refusal.message },
    cure: e.cure === undefined ? null : cureText(e.cure, book),
    decision: e.decision ?? null,
  };
}

/** Prices with their distance from `from`, as a share of it. */
export function pricesJson({ down, up }: LiquidationPrices, from: bigint): object {
  const one = (to: bigint | undefined) =>
    to === undefined ? null : { price: formatWad(to), distance: formatWad(distance(from, to) * WAD_PER_PPM) };
  return { down: one(down), up: one(up) };
}

/** A cure in the units that an owner can send, rounded up to them. */
export interface CureText {
  readonly deposits: readonly { readonly asset: string; readonly amount: string }[];
  readonly closing: { readonly market: string; readonly size: string } | null;
}

export function cureText({ deposits, closing }: Cure, book: AddressBook): CureText {
  return {
    deposits: deposits.map(({ asset, amount }) => {
      const { symbol, decimals } = asset === "cash" ? book.cash : tokenOf(book, asset);
      return { asset: symbol, amount: formatWad(wholeUp(amount, 10n ** BigInt(Math.max(0, WAD_DECIMALS - decimals)))) };
    }),
    closing:
      closing === undefined
        ? null
        : { market: nameOf(book.markets, closing.market), size: formatWad(wholeUp(closing.size, SIZE_UNIT)) },
  };
}

/** Away from zero to the next multiple of `unit`. */
function wholeUp(amount: bigint, unit: bigint): bigint {
  return amount < 0n ? -divUp(-amount, unit) * unit : divUp(amount, unit) * unit;
}

export function nameOf(list: readonly { readonly id: number; readonly name: string }[], id: number): string {
  return list.find((entry) => entry.id === id)?.name ?? id.toString();
}

function stakeJson(stake: UnderlyingStake, maintenanceMargin: bigint, book: AddressBook): object {
  const { price, stuck } = stake;
  const share = maintenanceMargin === 0n ? 0n : (stake.maintenanceMargin * 10n ** 18n) / maintenanceMargin;
  return {
    ...{ underlying: nameOf(book.underlyings, stake.underlying), price: formatWad(price), stuck },
    ...{ maintenanceMargin: formatWad(stake.maintenanceMargin), shareOfMaintenanceMargin: formatWad(share) },
    ...{ marginCall: pricesJson(stake.marginCall, price), liquidation: pricesJson(stake.liquidation, price) },
  };
}

function auctionJson({ flagger, clock, lastCall }: Auction, d: bigint | undefined): object {
  return { flagger, clock: Number(clock), lastCall: Number(lastCall), discount: decimal(d) };
}

function amountsJson({ fraction, cost, gain, toFund, toFlagger, paid, rescue, deficit }: SliceNow): object {
  const amounts = { fraction, cost, gain, toFund, toFlagger, paid, rescue, deficit };
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, formatWad(amount)]));
}

function tokenOf(book: AddressBook, collateral: number): { readonly symbol: string; readonly decimals: number } {
  const known = book.collaterals.find(({ id }) => id === collateral);
  return known ?? { symbol: collateral.toString(), decimals: WAD_DECIMALS };
}

function decimal(amount: bigint | undefined): string | null {
  return amount === undefined ? null : formatWad(amount);
}
