import type { Command } from "commander";

import { stressTest } from "../../risk/standing.ts";
import type { Shocked } from "../../risk/standing.ts";
import { whatIf as whatIfFill } from "../../risk/whatIf.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import { parsePrice, parseWad } from "../../sdk/units.ts";
import { InvalidValue } from "../errors.ts";
import { decimal, multiple, percentOfPpm, price, rounded, usd, usdUp } from "../format.ts";
import { parseMarket, parseUnderlying, underlyingName } from "../names.ts";
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

/** A price with its distance from the present one. */
function away(from: bigint, to: bigint | undefined): string {
  return to === undefined ? "–" : `${price(to)} (${percentOfPpm((distance(from, to) / 100n) * 100n)})`;
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
