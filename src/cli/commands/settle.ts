import { abs, min } from "../../risk/fixed.ts";
import { moveIn, moveOut } from "../../risk/moves.ts";
import type { Books } from "../../risk/types.ts";
import { applyFill } from "../../risk/whatIf.ts";
import type { HypotheticalFill } from "../../risk/whatIf.ts";
import { accountId, ownerOf } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import { batchCall, settleOrdersCall, transferCall } from "../../sdk/calls.ts";
import type { Call, Match } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import type { Order, SignedOrder } from "../../sdk/orders.ts";
import { parseWad } from "../../sdk/units.ts";
import { InvalidValue, OptionConflict } from "../errors.ts";
import { readOrders } from "../files.ts";
import { conditionFacts, orderKind, price, size } from "../format.ts";
import { marketName } from "../names.ts";
import type { Report } from "../output.ts";
import type { Session } from "../session.ts";
import { assess, effectOf } from "../standing.ts";
import type { Effect } from "../standing.ts";
import { transact } from "../transact.ts";
import { parsePositive } from "./funds.ts";

interface SettleOptions {
  readonly match?: readonly string[];
  readonly fund?: string;
}

/** Settles signed orders of files, as `order settle` says. */
export async function settle(session: Session, files: readonly string[], options: SettleOptions): Promise<Report> {
  const { book } = session;
  const given = chosen(session, files, options.match);
  const { orders, matches } = used(given.orders, given.matches);
  const house = await session.signingHouse();
  const fund = options.fund === undefined ? undefined : await fundingOf(session, options.fund);
  const fills = settleOrdersCall(book, orders, matches);
  const call = fund === undefined ? fills : batchCall(book, [fund.call, fills]);
  await house.rehearse(call);
  const effects = await effectsOf(house, orders, matches, fund);
  const count = `${matches.length} match${matches.length === 1 ? "" : "es"} of ${orders.length} orders`;
  return transact(session, house, {
    title: `settle ${count}${fund === undefined ? "" : `, with ${options.fund ?? ""} ${book.cash.symbol} from main`}`,
    details: orderDetails(session, given.orders, given.matches),
    effects,
    accounts: effects.map(({ account }) => account),
    call,
    rehearse: false,
  });
}

/** Cash that goes from the main account into --account before the fills. */
interface Funding {
  readonly from: AccountId;
  readonly into: AccountId;
  readonly amount: bigint; // [wad]
  readonly call: Call;
}

async function fundingOf(session: Session, amount: string): Promise<Funding> {
  const { book } = session;
  const into = await session.account();
  const from = accountId(ownerOf(into));
  parsePositive(amount, book.cash);
  return { from, into, amount: parseWad(amount), call: transferCall(book, from, into, book.cash.symbol, amount) };
}

/** What matches do to every account in them, each fill as large as both orders leave it. */
export async function effectsOf(
  house: Plimsoll,
  orders: readonly SignedOrder[],
  matches: readonly Match[],
  fund?: Funding,
): Promise<Effect[]> {
  const ids = new Set([...(fund === undefined ? [] : [fund.from, fund.into]), ...orders.map((o) => o.order.account)]);
  const views = await Promise.all([...ids].map(async (id) => ({ id, ...(await house.view(id)) })));
  const fills = await fillsOf(house, orders, matches);
  return views.map(({ id, account, house: state }) => {
    const funded = fundedBooks({ account, house: state }, id, fund).account;
    const after = fills.filter((fill) => fill.account === id).reduce((a, fill) => applyFill(a, state, fill), funded);
    return effectOf(id, assess(account, state), assess(after, state), assess(funded, state));
  });
}

function fundedBooks(books: Books, id: AccountId, fund: Funding | undefined): Books {
  if (fund?.from === id) return moveOut(books, "cash", fund.amount);
  return fund?.into === id ? moveIn(books, "cash", fund.amount) : books;
}

type AccountFill = HypotheticalFill & { readonly account: AccountId };

/** The fills of both sides of each match. */
async function fillsOf(
  house: Plimsoll,
  orders: readonly SignedOrder[],
  matches: readonly Match[],
): Promise<AccountFill[]> {
  const open = await Promise.all(orders.map(({ order }) => openOf(house, order)));
  const fills: AccountFill[] = [];
  for (const match of matches) {
    const [maker, taker] = [orders[match.maker]?.order, orders[match.taker]?.order];
    if (maker === undefined || taker === undefined) continue; // `matchesOf` has checked both
    const units = min(open[match.maker] ?? 0n, open[match.taker] ?? 0n);
    for (const i of [match.maker, match.taker]) open[i] = (open[i] ?? 0n) - units;
    const [{ makerFee, takerFee }] = await house.clearingHouse.market(maker.market);
    const both = taker.resting && !maker.postOnly; // they trade at the mid, each at the mean of both fees
    const price = both ? (maker.limitPrice + taker.limitPrice) / 2n : maker.limitPrice;
    const fee = (own: bigint) => (both ? (makerFee + takerFee) / 2n : own);
    const side = (order: Order, own: bigint) => ({
      ...{ account: order.account, market: Number(order.market), price, feeRate: fee(own) },
      size: order.size > 0n ? units : -units,
    });
    fills.push(side(maker, makerFee), side(taker, takerFee));
  }
  return fills;
}

/** What of an order can still fill [wad]. */
async function openOf({ exchange, clearingHouse }: Plimsoll, order: Order): Promise<bigint> {
  const open = abs(order.size) - (await exchange.filled(order.account, order.nonce));
  if (!order.reduceOnly) return open;
  return min(open, abs((await clearingHouse.position(order.account, order.market)).size));
}

/** The orders that meet in words, by their numbers. */
export function orderDetails(
  session: Session,
  orders: readonly SignedOrder[],
  matches: readonly Match[],
): [name: string, value: string][] {
  const meeting = new Set(matches.flatMap(({ maker, taker }) => [maker, taker]));
  return orders.flatMap(({ order }, i) => (meeting.has(i) ? orderDetail(session, order, i) : []));
}

function orderDetail(session: Session, order: Order, i: number): [name: string, value: string][] {
  const market = marketName(Number(order.market), session.book);
  const side = order.size > 0n ? "buys" : "sells";
  const who = `${session.accountName(order.account)} of ${ownerOf(order.account)}`;
  const what = `${who} ${side} ${size(abs(order.size))} ${market} at ${price(order.limitPrice)}, ${orderKind(order)}`;
  return [
    [`order ${i}`, what],
    ...conditionFacts(order).map(([name, value]): [string, string] => ["", `${name}: ${value}`]),
  ];
}

/**
 * The orders of files that meet, and which meet: as said or, of two, one that rests makes.
 * @throws FileUnusable, WrongVenue, OptionConflict, InvalidValue
 */
export function chosen(
  { book }: Session,
  files: readonly string[],
  said: readonly string[] | undefined,
): { readonly orders: readonly SignedOrder[]; readonly matches: readonly Match[] } {
  const orders = readOrders(files, book);
  return { orders, matches: matchesOf(orders, said) };
}

/** The same without orders that meet nobody: the exchange would verify them too. */
export function used(
  orders: readonly SignedOrder[],
  matches: readonly Match[],
): { readonly orders: readonly SignedOrder[]; readonly matches: readonly Match[] } {
  const meeting = new Set(matches.flatMap(({ maker, taker }) => [maker, taker]));
  const kept = orders.map((_, i) => i).filter((i) => meeting.has(i));
  return {
    orders: kept.flatMap((i) => orders[i] ?? []),
    matches: matches.map(({ maker, taker }) => ({ maker: kept.indexOf(maker), taker: kept.indexOf(taker) })),
  };
}

/** @throws OptionConflict, InvalidValue */
function matchesOf(orders: readonly SignedOrder[], said: readonly string[] | undefined): Match[] {
  if (said !== undefined) return said.map((text) => matchOf(text, orders.length));
  if (orders.length !== 2) {
    throw new OptionConflict(`${orders.length} orders: say which meet, as --match maker:taker, by position from 0`);
  }
  const [first, second] = orders.map(({ order }) => order);
  const isFirst = first?.resting === true && second?.postOnly !== true;
  return isFirst ? [{ maker: 0, taker: 1 }] : [{ maker: 1, taker: 0 }];
}

function matchOf(text: string, count: number): Match {
  const [maker, taker] = (/^(\d+):(\d+)$/.exec(text) ?? []).slice(1).map(Number);
  if (maker === undefined || taker === undefined || maker >= count || taker >= count) {
    throw new InvalidValue("match", text, `give maker:taker, two positions from 0 to ${count - 1}`);
  }
  return { maker, taker };
}
