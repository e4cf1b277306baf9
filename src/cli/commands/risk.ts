import type { Command } from "commander";

import { breakdownOf } from "../../risk/breakdown.ts";
import type { Contribution, CountedCollateral } from "../../risk/breakdown.ts";
import { abs, WAD } from "../../risk/fixed.ts";
import { standingOf, stressTest } from "../../risk/standing.ts";
import type { Shocked } from "../../risk/standing.ts";
import { whatIf as whatIfFill } from "../../risk/whatIf.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { parsePrice, parseWad } from "../../sdk/units.ts";
import { InvalidValue } from "../errors.ts";
import { decimal, multiple, percent, percentOfPpm, price, rounded, usd, usdUp } from "../format.ts";
import { collateralName, parseMarket, parseUnderlying, underlyingName } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import { list } from "../program.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import {
  assess,
  effectJson,
  effectOf,
  effectTable,
  pairJson,
  standingFacts,
  standingJson,
  stateName,
} from "../standing.ts";
import { distance } from "../../risk/liquidationPrice.ts";
import type { PriceBounds } from "../../risk/standing.ts";

/** Shocks of the stress table, of the present prices. */
const SHOCKS = ["0.3", "0.5", "0.7", "0.8", "0.9", "0.95", "1", "1.05", "1.1", "1.2", "1.5", "2", "3"];

export function riskCommands(program: Command, perform: Perform): void {
  const group = program.command("risk").description("margin, what-if, liquidation prices, stress");
  group.command("health").description("state, equity and margins of an account").action(perform(health));
  group
    .command("what-if <side> <size> <market>")
    .description("the account after a trade (buy or sell), and whether it would be accepted")
    .option("--price <price>", "price of the fill; the index price")
    .option("--maker", "as the maker, who pays the maker's fee")
    .action(perform(whatIf));
  group
    .command("prices")
    .description("margin-call and liquidation prices on both sides of the present one")
    .action(perform(prices));
  group
    .command("breakdown")
    .description(
      "which price asks for which margin, what each collateral counts, and the smallest moves that liquidate",
    )
    .option("--move <share>", "warn of what would lose the equity by this move alone", "0.3")
    .action(perform(breakdown));
  group
    .command("stress")
    .description("the account under shocks of the prices")
    .option("--shock <factors>", "factors of the present prices", list)
    .option("--underlying <names>", "which prices move; all that it holds", list)
    .action(perform(stress));
}

async function health(session: Session): Promise<Report> {
  const house = await session.house();
  const id = await session.account();
  const { block, account, house: state } = await house.view(id);
  const standing = assess(account, state);
  const call = standing instanceof Error ? undefined : await house.marginCall(id);
  const cure = call === undefined ? "" : `Deposit ${usdUp(call.deposit)} USD to be healthy again.`;
  return {
    data: {
      ...{ account: session.accountName(id), id, block, ...standingJson(standing, session.book) },
      ...(call !== undefined && { cure: decimal(call.deposit) }),
    },
    text: paragraphs(
      `${session.accountName(id)} of ${ownerOf(id)}, block ${block}`,
      facts(standingFacts(standing, session.book)),
      cure,
    ),
  };
}

interface WhatIfOptions {
  readonly price?: string;
  readonly maker?: boolean;
}

async function whatIf(
  session: Session,
  side: string,
  units: string,
  marketText: string,
  options: WhatIfOptions,
): Promise<Report> {
  if (side !== "buy" && side !== "sell") throw new InvalidValue("side", side, "give buy or sell");
  const market = parseMarket(marketText, session.book);
  const amount = parseWad(units);
  if (amount <= 0n) throw new InvalidValue("size", units, "give a positive decimal number");
  const house = await session.house();
  const id = await session.account();
  const [{ account, house: state }, [params], index] = await Promise.all([
    house.view(id),
    house.clearingHouse.market(market.id),
    house.indexPrice(market.id),
  ]);
  const after = whatIfFill(account, state, {
    market: market.id,
    size: side === "buy" ? amount : -amount,
    price: options.price === undefined ? index : parsePrice(options.price),
    feeRate: options.maker === true ? params.makerFee : params.takerFee,
  });
  const { accepted } = after;
  const effect = { ...effectOf(id, assess(account, state), assess(after.account, state)), accepted };

  const at = price(options.price === undefined ? index : parsePrice(options.price));
  return {
    data: {
      ...effectJson(effect, session.book),
      ...{ fee: decimal(after.fee), surcharge: decimal(after.surcharge) },
    },
    text: paragraphs(
      `If ${session.accountName(id)} ${side === "buy" ? "buys" : "sells"} ${units} ${market.name} at ${at}`,
      effectTable(effect, session.book),
      facts([
        ["fee", usdUp(after.fee)],
        ["opening surcharge", usdUp(after.surcharge)],
      ]),
    ),
  };
}

async function prices(session: Session): Promise<Report> {
  const house = await session.house();
  const id = await session.account();
  const { account, house: state } = await house.view(id);
  const standing = assess(account, state);
  if (standing instanceof Error) throw standing;
  const { bounds } = standing;
  const row = (b: PriceBounds) => [
    ...[underlyingName(b.underlying, session.book), price(b.price)],
    ...[b.marginCall.down, b.liquidation.down, b.marginCall.up, b.liquidation.up].map((at) => away(b.price, at)),
  ];
  const head = ["underlying", ">index", ">margin call ↓", ">liquidation ↓", ">margin call ↑", ">liquidation ↑"];
  return {
    data: {
      ...{ account: session.accountName(id), id },
      prices: bounds.map((b) => ({
        ...{ underlying: underlyingName(b.underlying, session.book), index: decimal(b.price) },
        ...{ marginCall: pairJson(b.marginCall), liquidation: pairJson(b.liquidation) },
      })),
    },
    text: paragraphs(
      `${session.accountName(id)} of ${ownerOf(id)}`,
      bounds.length === 0 ? "depends on no price" : table(head, bounds.map(row)),
    ),
  };
}

interface BreakdownOptions {
  readonly move: string;
}

async function breakdown(session: Session, options: BreakdownOptions): Promise<Report> {
  const move = parseWad(options.move);
  if (move <= 0n || move > WAD) throw new InvalidValue("move", options.move, "give a share such as 0.3, at most 1");
  const { book } = session;
  const house = await session.house();
  const id = await session.account();
  const { account, house: state } = await house.view(id);
  const { bounds, equity } = standingOf(account, state);
  const { underlyings, collaterals, jointMove } = breakdownOf(account, state);
  const parts = underlyings.map((part, i): Part => {
    const loss = (abs(part.delta) * move) / WAD;
    return { ...part, name: underlyingName(part.underlying, book), move: nearest(bounds[i]), loss };
  });
  const takesAll = parts.filter(({ loss }) => loss > 0n && loss >= equity);
  return {
    data: {
      ...{ account: session.accountName(id), id, equity: decimal(equity) },
      underlyings: parts.map(partJson),
      collaterals: collaterals.map((c) => countedJson(c, book)),
      jointMove: share(jointMove),
      takesAll: takesAll.map(({ name }) => name),
    },
    text: paragraphs(
      `${session.accountName(id)} of ${ownerOf(id)}, equity ${usd(equity)} USD`,
      parts.length === 0 ? "depends on no price" : partTable(parts, move),
      collaterals.length === 0 ? "" : countedTable(collaterals, book),
      parts.length < 2 ? "" : `All prices together, each against the account: ${jointText(jointMove)}.`,
      takesAll.map((p) => `${p.name} alone can take all: ${usdUp(p.loss)} of ${usd(equity)} USD.`).join("\n"),
    ),
  };
}

/** What an underlying brings to the account, by its name. */
interface Part extends Contribution {
  readonly name: string;
  readonly move: bigint | undefined; // [ppm] of the price, to the nearer liquidation price
  readonly loss: bigint; // [wad] by the move that was asked for
}

function partTable(parts: readonly Part[], move: bigint): string {
  const loss = `>loss by ${percent(move)} against it`;
  return table(
    ["underlying", ">net [USD]", ">IM", ">MM", ">liquidated by a move of", loss],
    parts.map((p) => [
      ...[p.name, usd(p.delta), usdUp(p.initialMargin), usdUp(p.maintenanceMargin), moveText(p.move), usdUp(p.loss)],
    ]),
  );
}

function partJson(p: Part): object {
  return {
    ...{ underlying: p.name, net: decimal(p.delta), initialMargin: decimal(p.initialMargin) },
    ...{ maintenanceMargin: decimal(p.maintenanceMargin), liquidatingMove: share(p.move), loss: decimal(p.loss) },
  };
}

function countedTable(collaterals: readonly CountedCollateral[], book: AddressBook): string {
  return table(
    ["collateral", ">value [USD]", ">counted (initial)", ">counted (maintenance)"],
    collaterals.map((c) => [collateralName(c.id, book), usd(c.value), usd(c.initial), usd(c.maintenance)]),
  );
}

function countedJson({ id, value, initial, maintenance }: CountedCollateral, book: AddressBook): object {
  const counted = { initial: decimal(initial), maintenance: decimal(maintenance) };
  return { collateral: collateralName(id, book), value: decimal(value), ...counted };
}

/** [ppm] The smaller of the moves, down or up, to a liquidation price. */
function nearest(bounds: PriceBounds | undefined): bigint | undefined {
  if (bounds === undefined) return undefined;
  const { price: from, liquidation } = bounds;
  const moves = [liquidation.down, liquidation.up].flatMap((to) => (to === undefined ? [] : [distance(from, to)]));
  return moves.sort((a, b) => (abs(a) < abs(b) ? -1 : 1))[0];
}

function moveText(ppm: bigint | undefined): string {
  return ppm === undefined ? "–" : `${ppm > 0n ? "+" : ""}${hundredths(ppm)}`;
}

function jointText(ppm: bigint | undefined): string {
  return ppm === undefined ? "no move up to 100 % liquidates it" : `liquidated by a move of ${hundredths(ppm)}`;
}

/** A share [ppm] in hundredths of a percent. */
function hundredths(ppm: bigint): string {
  return percentOfPpm((ppm / 100n) * 100n);
}

function share(ppm: bigint | undefined): string | null {
  return decimal(ppm === undefined ? undefined : ppm * 10n ** 12n);
}

/** A price with its distance from the present one. */
function away(from: bigint, to: bigint | undefined): string {
  return to === undefined ? "–" : `${price(to)} (${hundredths(distance(from, to))})`;
}

interface StressOptions {
  readonly shock?: readonly string[];
  readonly underlying?: readonly string[];
}

async function stress(session: Session, options: StressOptions): Promise<Report> {
  const factors = (options.shock ?? SHOCKS).map(parseFactor);
  const underlyings = options.underlying?.map((name) => parseUnderlying(name, session.book).id);
  const house = await session.house();
  const id = await session.account();
  const { account, house: state } = await house.view(id);
  const rows = stressTest(account, state, factors, underlyings);
  const row = (s: Shocked) => [
    ...[`×${rounded(s.factor, 2)}`, usd(s.equity), usdUp(s.initialMargin), usdUp(s.maintenanceMargin)],
    ...[multiple(s.ratio), stateName(s.state)],
  ];
  const which = options.underlying === undefined ? "all prices" : options.underlying.join(", ");
  return {
    data: {
      ...{ account: session.accountName(id), id },
      shocks: rows.map((s) => ({
        ...{ factor: decimal(s.factor), state: s.state, equity: decimal(s.equity) },
        ...{ initialMargin: decimal(s.initialMargin), maintenanceMargin: decimal(s.maintenanceMargin) },
        marginRatio: decimal(s.ratio),
      })),
    },
    text: paragraphs(
      `${session.accountName(id)} of ${ownerOf(id)}, ${which} multiplied, all else unchanged and nobody liquidated on the way`,
      table(["shock", ">equity", ">IM", ">MM", ">E / MM", "state"], rows.map(row)),
    ),
  };
}

function parseFactor(text: string): bigint {
  const factor = parseWad(text);
  if (factor <= 0n || factor > 10n ** 20n)
    throw new InvalidValue("shock", text, "give a factor such as 0.7, at most 100");
  return factor;
}
