import type { Command } from "commander";

import type { FillView, OrderView } from "../../sdk/matcher.ts";
import { InvalidValue } from "../errors.ts";
import { orderKind, shortHash, time } from "../format.ts";
import { marketName, parseMarket } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import { list } from "../program.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { execute } from "./execute.ts";
import { exitCommands } from "./exit.ts";
import { number, orderFacts, place, viewConditions, withOrderOptions } from "./place.ts";
import { settle } from "./settle.ts";

const DEPTH = "20";

const EXECUTE_NOTE = `
Without --fee-to a match that fails is left out and the rest settles, for no fee. With it every match has to settle. An
order with a trigger (order stop-loss, take-profit, bracket, place --trigger-…) takes, so a resting order has to meet it.`;

export function orderCommands(program: Command, perform: Perform): void {
  const group = program.command("order").description("sign, place and settle orders; what became of them");
  withOrderOptions(group.command("place <side> <size> <market>"))
    .description("sign an order (buy or sell) and give it to the matcher; without a matcher print or save it")
    .action(perform(place));
  exitCommands(group, perform);
  const match = [
    "--match <maker:taker>",
    "which meet, as positions of the orders from 0; needed for more than two",
  ] as const;
  group
    .command("settle <files...>")
    .description("settle signed orders on the chain, a resting one with a taking one, all or nothing")
    .option(...match, list)
    .option("--fund <amount>", "brings cash from the main account into --account in the same transaction")
    .action(perform(settle));
  group
    .command("execute <files...>")
    .description("settle others' signed orders, each match by itself, or all or nothing for their execution fees")
    .option(...match, list)
    .option("--fee-to <account>", "takes the fees into this account of the signer, named as in --account")
    .addHelpText("after", EXECUTE_NOTE)
    .action(perform(execute));
  group.command("status <hash>").description("state of an order at the matcher, with reason").action(perform(status));
  group.command("list").description("open orders of an account at the matcher").action(perform(listOrders));
  group
    .command("book <market>")
    .description("depth at the matcher")
    .option("--depth <levels>", "levels of each side", DEPTH)
    .action(perform(showBook));
  group
    .command("fills <market>")
    .description("recent fills at the matcher, newest first")
    .option("--limit <count>", "how many", DEPTH)
    .action(perform(showFills));
}

// ---------------------------------------------------------------- at the matcher

async function status(session: Session, hash: string): Promise<Report> {
  if (!/^0x[0-9a-f]{64}$/.test(hash)) throw new InvalidValue("order", hash, "give its hash: 0x and 64 digits");
  const order = await session.matcher().order(hash);
  return { data: order, text: paragraphs(`Order ${hash}`, facts(orderFacts(session, order))) };
}

async function listOrders(session: Session): Promise<Report> {
  const id = await session.account();
  const orders = await session.matcher().openOrders(id);
  const rows = orders.map((o) => [
    ...[shortHash(o.hash), marketName(o.market, session.book), o.side, number(o.size), number(o.limitPrice)],
    ...[number(o.filled), kindOf(o), time(o.expiry), o.nonce],
  ]);
  const head = ["order", "market", "side", ">size", ">limit", ">filled", "kind", "good until", ">nonce"];
  return {
    data: { account: session.accountName(id), id, orders },
    text: orders.length === 0 ? `no open orders of ${session.accountName(id)}` : table(head, rows),
  };
}

function kindOf(order: OrderView): string {
  return [orderKind(order), ...viewConditions(order).map(([name, value]) => `${name} ${value}`)].join(", ");
}

async function showBook(session: Session, marketText: string, options: { depth: string }): Promise<Report> {
  const market = parseMarket(marketText, session.book);
  const depth = await session.matcher().depth(market.id, parseCount("depth", options.depth));
  const asks = depth.asks.map(([at, amount]) => ["ask", number(at), number(amount)]).reverse();
  const bids = depth.bids.map(([at, amount]) => ["bid", number(at), number(amount)]);
  return { data: depth, text: paragraphs(market.name, table(["side", ">price", ">size"], [...asks, ...bids])) };
}

async function showFills(session: Session, marketText: string, options: { limit: string }): Promise<Report> {
  const market = parseMarket(marketText, session.book);
  const fills = [...(await session.matcher().fills(market.id, parseCount("limit", options.limit)))].reverse();
  const row = (f: FillView) => [
    ...[time(Math.floor(f.time / 1000)), f.side, number(f.size), number(f.price), f.state],
    f.transaction === undefined ? (f.reason ?? "") : shortHash(f.transaction),
  ];
  const head = ["time", "taker", ">size", ">price", "state", "transaction or reason"];
  return { data: { market: market.name, fills }, text: paragraphs(market.name, table(head, fills.map(row))) };
}

function parseCount(what: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw new InvalidValue(what, text, "give a whole number from 1 to 1000");
  }
  return count;
}
