import type { Command } from "commander";

import { abs, PPM } from "../../risk/fixed.ts";
import { whatIf } from "../../risk/whatIf.ts";
import type { FillView, OrderView } from "../../matcher/views.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { buildOrder, hashOrder, signOrder } from "../../sdk/orders.ts";
import type { Order, SignedOrder } from "../../sdk/orders.ts";
import { parsePrice, parseWad } from "../../sdk/units.ts";
import { InvalidValue, OptionConflict } from "../errors.ts";
import { venueOf, writeSigned } from "../files.ts";
import { orderKind, price, shortHash, size, time } from "../format.ts";
import { marketName, parseDuration, parseMarket, parseNonce, parsePercent } from "../names.ts";
import { facts, json, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import { list } from "../program.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { assess, effectJson, effectOf, effectTable } from "../standing.ts";
import type { Effect } from "../standing.ts";
import { settle } from "./settle.ts";

const DEFAULT_SLIPPAGE = "0.5%";
const DEPTH = "20";

/** How an order is described on the command line. */
export interface OrderOptions {
  readonly price?: string;
  readonly slippage?: string;
  readonly lifetime: string;
  readonly nonce?: string;
  readonly immediate?: boolean;
  readonly postOnly?: boolean;
  readonly reduceOnly?: boolean;
  readonly fillOrKill?: boolean;
  readonly out?: string;
}

export function orderCommands(program: Command, perform: Perform): void {
  const group = program.command("order").description("sign, place and settle orders; what became of them");
  withOrderOptions(group.command("place <side> <size> <market>"))
    .description("sign an order (buy or sell) and give it to the matcher; without a matcher print or save it")
    .action(perform(place));
  group
    .command("settle <files...>")
    .description("settle signed orders on the chain, a resting one with a taking one")
    .option("--match <maker:taker>", "which meet, as positions of the files from 0; needed for more than two", list)
    .option("--fund <amount>", "brings cash from the main account into --account in the same transaction")
    .action(perform(settle));
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

/** The options that say what an order is like. */
export function withOrderOptions(command: Command): Command {
  return command
    .option("--price <price>", "worst price; without one a market order: near the index, never resting")
    .option("--slippage <percent>", `distance of a market order's worst price from the index (${DEFAULT_SLIPPAGE})`)
    .option("--lifetime <duration>", "how long it is good", "24h")
    .option("--nonce <number>", "names the order; the time in milliseconds unless given")
    .option("--immediate", "does not rest: what cannot fill at once is cancelled")
    .option("--post-only", "only ever makes")
    .option("--reduce-only", "only ever shrinks the position")
    .option("--fill-or-kill", "fills whole or not at all")
    .option("--out <file>", "saves the signed order instead of placing or printing it");
}

async function place(
  session: Session,
  side: string,
  units: string,
  marketText: string,
  options: OrderOptions,
): Promise<Report> {
  const sign = sideOf(side);
  const market = parseMarket(marketText, session.book);
  const amount = parseWad(units);
  if (amount <= 0n) throw new InvalidValue("size", units, "give a positive decimal number");
  return placeOrder(session, market.id, sign * amount, options);
}

/** Signs an order of a signed size [wad] for --account and gives it to where it is to go. */
export async function placeOrder(
  session: Session,
  market: number,
  signedSize: bigint,
  options: OrderOptions,
): Promise<Report> {
  const { book } = session;
  const house = await session.house();
  const [id, signer] = await Promise.all([session.account(), session.signer()]);
  const order = await orderOf(house, id, market, signedSize, options);
  const effect = await effectOfFill(house, order);
  const about = paragraphs(
    `To sign (EIP-712, exchange ${book.contracts.exchange}, chain ${book.chainId})`,
    facts(payload(session, order)),
    "If it fills whole at its limit price",
    effectTable(effect, book),
  );
  await session.confirm(about, "Sign it?");
  const signed = { order, signature: await signOrder(signer, book, order) };
  return deliver(session, signed, effect, options.out);
}

/** Where a signed order goes: into a file, to the matcher, or to the user. */
async function deliver(session: Session, signed: SignedOrder, effect: Effect, out?: string): Promise<Report> {
  const { book, config } = session;
  const hash = hashOrder(book, signed.order);
  const file = { kind: "order", ...venueOf(book), hash, ...signed };
  if (out !== undefined) {
    writeSigned(out, file);
    return { data: { file: out, ...file }, text: `Signed order ${hash}\nsaved in ${out}` };
  }
  if (config.matcher === undefined) return { data: file, text: json(file).trimEnd() };
  const { order, sequence, logHash } = await session.matcher().place(signed);
  return {
    data: { order, sequence, logHash, whatIf: [effectJson(effect, book)] },
    text: paragraphs(`Order ${hash}`, facts(orderFacts(session, order))),
  };
}

async function orderOf(
  house: Plimsoll,
  id: AccountId,
  market: number,
  signedSize: bigint,
  options: OrderOptions,
): Promise<Order> {
  const { epoch, lowestNonce } = await house.exchange.ownerState(ownerOf(id));
  if (options.price !== undefined && options.slippage !== undefined) {
    throw new OptionConflict("--price says the worst price, --slippage how to find one: give one of them");
  }
  const atMarket = options.price === undefined;
  if (atMarket && options.postOnly === true) throw new OptionConflict("a post-only order needs a --price");
  const now = BigInt(Date.now());
  return buildOrder({
    ...{ account: id, market: BigInt(market), size: signedSize, epoch },
    limitPrice: atMarket ? await worstPrice(house, market, signedSize, options.slippage) : parsePrice(options.price),
    expiry: BigInt(Math.floor(Date.now() / 1000) + parseDuration("lifetime", options.lifetime)),
    nonce: options.nonce === undefined ? (now > lowestNonce ? now : lowestNonce) : parseNonce(options.nonce),
    resting: !atMarket && options.immediate !== true && options.fillOrKill !== true,
    postOnly: options.postOnly ?? false,
    reduceOnly: options.reduceOnly ?? false,
    fillOrKill: options.fillOrKill ?? false,
  });
}

/** The index price moved against the order, in whole units of 1e-8 USD. */
async function worstPrice(
  house: Plimsoll,
  market: number,
  signedSize: bigint,
  slippage = DEFAULT_SLIPPAGE,
): Promise<bigint> {
  const distance = BigInt(parsePercent("slippage", slippage));
  const index = await house.indexPrice(market);
  const unit = 10n ** 10n;
  const moved = (index * (signedSize > 0n ? PPM + distance : PPM - distance)) / PPM;
  return (moved / unit) * unit;
}

/** The account if the order fills whole at its limit: as the maker if it is post-only, else as the taker, who pays more. */
async function effectOfFill(house: Plimsoll, order: Order): Promise<Effect> {
  const market = Number(order.market);
  const [{ account, house: state }, [params]] = await Promise.all([
    house.view(order.account),
    house.clearingHouse.market(market),
  ]);
  const feeRate = order.postOnly ? params.makerFee : params.takerFee;
  const fill = { market, size: order.size, price: order.limitPrice, feeRate };
  const { account: after, accepted } = whatIf(account, state, fill);
  return { ...effectOf(order.account, assess(account, state), assess(after, state)), accepted };
}

/** What the owner signs, in words. */
function payload(session: Session, order: Order): [name: string, value: string][] {
  return [
    ["owner", ownerOf(order.account)],
    ["account", `${session.accountName(order.account)} (${order.account.toString()})`],
    [order.size > 0n ? "buy" : "sell", `${size(abs(order.size))} ${marketName(Number(order.market), session.book)}`],
    ["limit price", `${price(order.limitPrice)} or better`],
    ["kind", orderKind(order)],
    ["good until", time(order.expiry)],
    ["nonce, epoch", `${order.nonce.toString()}, ${order.epoch.toString()}`],
  ];
}

function sideOf(text: string): bigint {
  if (text === "buy") return 1n;
  if (text === "sell") return -1n;
  throw new InvalidValue("side", text, "give buy or sell");
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
    ...[number(o.filled), orderKind(o), time(o.expiry), o.nonce],
  ]);
  const head = ["order", "market", "side", ">size", ">limit", ">filled", "kind", "good until", ">nonce"];
  return {
    data: { account: session.accountName(id), id, orders },
    text: orders.length === 0 ? `no open orders of ${session.accountName(id)}` : table(head, rows),
  };
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

/** An order of the matcher as names and values. */
function orderFacts(session: Session, o: OrderView): [name: string, value: string][] {
  return [
    [
      "state",
      o.reason === undefined ? o.state : `${o.state}: ${o.reason}${o.detail === undefined ? "" : `, ${o.detail}`}`,
    ],
    ["account", session.accountName(BigInt(o.account))],
    [o.side, `${number(o.size)} ${marketName(o.market, session.book)} at ${number(o.limitPrice)}`],
    ["kind", orderKind(o)],
    ["filled", `${number(o.filled)}, of that ${number(o.settled)} settled on the chain`],
    ["open", number(o.open)],
    ["good until", time(o.expiry)],
    ["nonce", o.nonce],
  ];
}

/** A decimal number of the matcher, thousands apart. */
function number(text: string): string {
  return size(parseWad(text));
}

function parseCount(what: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw new InvalidValue(what, text, "give a whole number from 1 to 1000");
  }
  return count;
}
