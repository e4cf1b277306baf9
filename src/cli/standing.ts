import { RiskError } from "../risk/errors.ts";
import { positive } from "../risk/fixed.ts";
import type { LiquidationPrices } from "../risk/liquidationPrice.ts";
import { standingOf } from "../risk/standing.ts";
import type { Standing } from "../risk/standing.ts";
import type { AccountState, HouseState, MarginState } from "../risk/types.ts";
import { accountParts } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { decimal, multiple, price, usd, usdUp } from "./format.ts";
import { accountName, underlyingName } from "./names.ts";
import { table } from "./output.ts";

/** How an account stands, or why nobody can say: something it holds has no usable price. */
export type Assessed = Standing | RiskError;

/** An account before and after an action. */
export interface Effect {
  readonly account: AccountId;
  readonly before: Assessed;
  readonly after: Assessed;
  /** [wad] most that an isolated account can lose: all that is in it */
  readonly maximumLoss?: bigint;
  /** Whether the ledger would let the account stand after a trade. */
  readonly accepted?: boolean;
}

/** @throws UnknownMarket, UnknownCollateral, … but not for want of a price */
export function assess(account: AccountState, house: HouseState): Assessed {
  try {
    return standingOf(account, house);
  } catch (error) {
    if (error instanceof RiskError) return error;
    throw error;
  }
}

/**
 * What an action does to an account.
 * @param staked the account when all that is at risk is in it: before a trade, after money has come in
 */
export function effectOf(account: AccountId, before: Assessed, after: Assessed, staked = before): Effect {
  const isolated = accountParts(account).isolatedMarket !== undefined;
  const loss = !isolated || staked instanceof RiskError ? undefined : { maximumLoss: positive(staked.equity) };
  return { account, before, after, ...loss };
}

/** An effect as a table of two columns under the account's name, with the maximum loss of an isolated one below. */
export function effectTable(
  { account, before, after, maximumLoss, accepted }: Effect,
  book: AddressBook,
  name = accountName(account, book),
): string {
  const notes = [table([name, ">now", ">after"], joined(linesOf(before, book), linesOf(after, book)))];
  if (maximumLoss !== undefined) notes.push(`Maximum loss of ${name}: ${usdUp(maximumLoss)} USD`);
  if (accepted === false) notes.push("The ledger would refuse this: the account would not have the margin.");
  return notes.join("\n");
}

/** A standing as names and values. */
export function standingFacts(standing: Assessed, book: AddressBook): [name: string, value: string][] {
  return [...linesOf(standing, book)];
}

export function effectJson({ account, before, after, maximumLoss, accepted }: Effect, book: AddressBook): object {
  return {
    account: accountName(account, book),
    id: account,
    before: standingJson(before, book),
    after: standingJson(after, book),
    ...(maximumLoss !== undefined && { maximumLoss: decimal(maximumLoss) }),
    ...(accepted !== undefined && { accepted }),
  };
}

export function standingJson(s: Assessed, book: AddressBook): object {
  if (s instanceof RiskError) return { error: s.name, message: s.message };
  return {
    state: s.state,
    equity: decimal(s.equity),
    initialMargin: decimal(s.initialMargin),
    maintenanceMargin: decimal(s.maintenanceMargin),
    marginRatio: decimal(s.ratio),
    freeCollateral: decimal(s.freeCollateral),
    leverage: decimal(s.leverage),
    prices: Object.fromEntries(
      s.bounds.map(({ underlying, price: index, marginCall, liquidation }) => [
        underlyingName(underlying, book),
        { index: decimal(index), marginCall: pairJson(marginCall), liquidation: pairJson(liquidation) },
      ]),
    ),
  };
}

/** The word for a row of the health table. */
export function stateName(state: MarginState): string {
  return state === "marginCall" ? "margin call" : state;
}

/**
 * The prices at which an account falls below a requirement or, if it is below it now, is no longer, the lower one first.
 * @param below whether it is below it now
 */
function pair({ down, up }: LiquidationPrices, below: boolean): string {
  const both = [down === undefined ? "" : `↓ ${price(down)}`, up === undefined ? "" : `↑ ${price(up)}`];
  const text = both.filter((part) => part !== "").join("  ");
  if (text === "") return below ? "now" : "none";
  return below ? `now, until ${text}` : text;
}

export function pairJson({ down, up }: LiquidationPrices): object {
  return { down: decimal(down), up: decimal(up) };
}

function linesOf(s: Assessed, book: AddressBook): Map<string, string> {
  if (s instanceof RiskError) return new Map([["state", `cannot be assessed: ${s.message}`]]);
  return new Map([
    ["state", stateName(s.state)],
    ["equity", usd(s.equity)],
    ["initial margin", usdUp(s.initialMargin)],
    ["maintenance margin", usdUp(s.maintenanceMargin)],
    ["margin ratio E / MM", multiple(s.ratio)],
    ["free collateral", usd(s.freeCollateral)],
    ["leverage", multiple(s.leverage)],
    ...boundFacts(s, book),
  ]);
}

/** Margin-call and liquidation price of each underlying that an account holds. */
export function boundFacts(s: Standing, book: AddressBook): [name: string, value: string][] {
  return s.bounds.flatMap(({ underlying, marginCall, liquidation }): [string, string][] => {
    const name = underlyingName(underlying, book);
    return [
      [`${name} margin-call price`, pair(marginCall, s.equity < s.initialMargin)],
      [`${name} liquidation price`, pair(liquidation, s.equity < s.maintenanceMargin)],
    ];
  });
}

/** Rows with the values of both, in the order of the first; what one does not have is left empty. */
function joined(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[][] {
  return [...new Set([...a.keys(), ...b.keys()])].map((name) => [name, a.get(name) ?? "", b.get(name) ?? ""]);
}
