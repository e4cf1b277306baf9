import type { Command } from "commander";

import { abs, PPM } from "../../risk/fixed.ts";
import { marketOf } from "../../risk/house.ts";
import type { HouseState } from "../../risk/types.ts";
import { whatIf } from "../../risk/whatIf.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import type { OrderView } from "../../sdk/matcher.ts";
import { buildOrder, hashOrder, signOrder } from "../../sdk/orders.ts";
import type { Order, SignedOrder } from "../../sdk/orders.ts";
import { parsePrice, parseWad } from "../../sdk/units.ts";
import { InvalidValue, OptionConflict } from "../errors.ts";
import { venueOf, writeSigned } from "../files.ts";
import { conditionFacts, orderKind, price, size, time } from "../format.ts";
import { marketName, parseDuration, parseMarket, parseNonce, parsePercent } from "../names.ts";
import { facts, json, paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Session } from "../session.ts";
import { assess, effectJson, effectOf, effectTable } from "../standing.ts";
import type { Effect } from "../standing.ts";

const DEFAULT_SLIPPAGE = "0.5%";
const DEFAULT_LIFETIME = "24h";
const TRIGGER_SLIPPAGE = "5%"; // the price may run on while somebody settles it

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
  readonly triggerAbove?: string;
  readonly triggerBelow?: string;
  readonly executionFee?: string;
  readonly out?: string;
}

/** The options that say what an order is like. */
export function withOrderOptions(command: Command): Command {
  const slippage = `distance of a market order's worst price from the index (${DEFAULT_SLIPPAGE}) or its trigger (${TRIGGER_SLIPPAGE})`;
  return withSigningOptions(command)
    .option("--price <price>", "worst price; without one a market order: near the index, never resting")
    .option("--slippage <percent>", slippage)
    .option("--immediate", "does not rest: what cannot fill at once is cancelled")
    .option("--post-only", "only ever makes")
    .option("--reduce-only", "only ever shrinks the position")
    .option("--fill-or-kill", "fills whole or not at all")
    .option("--trigger-above <price>", "fills only while the index price is there or above; never rests")
    .option("--trigger-below <price>", "fills only while the index price is there or below; never rests");
}

/** The options of everything that is signed for an exchange. */
export function withSigningOptions(command: Command): Command {
  return command
    .option("--lifetime <duration>", "how long it is good", DEFAULT_LIFETIME)
    .option("--nonce <number>", "names the order; the time in milliseconds unless given")
    .option("--execution-fee <usd>", "for who settles the whole of it, pro rata; at most 1 % of what it trades")
    .option("--out <file>", "saves what is signed instead of placing or printing it");
}

/** Signs an order of a side, size and market in words, and gives it to where it is to go. */
export async function place(
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
  const house = await session.house();
  const id = await session.account();
  return signOrders(session, house, [await orderOf(house, id, market, signedSize, options)], options.out);
}

/** Shows orders and what they would do, asks once, signs them and gives them to where they are to go. */
export async function signOrders(
  session: Session,
  house: Plimsoll,
  orders: readonly Order[],
  out: string | undefined,
): Promise<Report> {
  const { book } = session;
  const signer = await session.signer();
  const effects = await Promise.all(orders.map((order) => effectOfFill(house, order)));
  const parts = orders.flatMap((order, i) => [
    facts(payload(session, order)),
    isTriggered(order)
      ? "If the index price reaches its trigger and it fills whole at its limit price"
      : "If it fills whole at its limit price",
    ...effects.slice(i, i + 1).map((effect) => effectTable(effect, book)),
  ]);
  const head = `To sign (EIP-712, exchange ${book.contracts.exchange}, chain ${book.chainId})`;
  await session.confirm(paragraphs(head, ...parts), orders.length === 1 ? "Sign it?" : "Sign them?");
  const signed: SignedOrder[] = [];
  for (const order of orders) signed.push({ order, signature: await signOrder(signer, book, order) });
  return deliver(session, signed, effects, out);
}

/** Where signed orders go: into a file, to the matcher, or to the user. */
async function deliver(
  session: Session,
  signed: readonly SignedOrder[],
  effects: readonly Effect[],
  out?: string,
): Promise<Report> {
  const { book, config } = session;
  const named = signed.map((one) => ({ hash: hashOrder(book, one.order), ...one }));
  const [only, ...others] = named;
  const file = {
    ...venueOf(book),
    ...(others.length === 0 ? { kind: "order", ...only } : { kind: "orders", orders: named }),
  };
  if (out !== undefined) {
    writeSigned(out, file);
    const hashes = named.map(({ hash }) => `Signed order ${hash}`).join("\n");
    return { data: { file: out, ...file }, text: `${hashes}\nsaved in ${out}` };
  }
  if (config.matcher === undefined) return { data: file, text: json(file).trimEnd() };
  const matcher = session.matcher();
  const placed = [];
  for (const one of signed) placed.push(await matcher.place(one));
  const [first, ...rest] = placed;
  const whatIfs = effects.map((effect) => effectJson(effect, book));
  return {
    data: { ...(rest.length === 0 ? first : { orders: placed }), whatIf: whatIfs },
    text: paragraphs(
      ...placed.map(({ order }) => paragraphs(`Order ${order.hash}`, facts(orderFacts(session, order)))),
    ),
  };
}

async function orderOf(
  house: Plimsoll,
  id: AccountId,
  market: number,
  signedSize: bigint,
  options: OrderOptions,
): Promise<Order> {
  if (options.price !== undefined && options.slippage !== undefined) {
    throw new OptionConflict("--price says the worst price, --slippage how to find one: give one of them");
  }
  const atMarket = options.price === undefined;
  if (atMarket && options.postOnly === true) throw new OptionConflict("a post-only order needs a --price");
  const triggers = triggersOf(options);
  if (isTriggered(triggers) && options.postOnly === true) {
    throw new OptionConflict("an order with a trigger takes what rests: it cannot be --post-only");
  }
  return buildOrder({
    ...{ account: id, market: BigInt(market), size: signedSize, ...triggers },
    limitPrice: atMarket
      ? await worstPrice(house, market, signedSize, triggers, options.slippage)
      : parsePrice(options.price),
    ...(await signingFields(house, id, options)),
    resting: !atMarket && options.immediate !== true && options.fillOrKill !== true && !isTriggered(triggers),
    postOnly: options.postOnly ?? false,
    reduceOnly: options.reduceOnly ?? false,
    fillOrKill: options.fillOrKill ?? false,
  });
}

/** Expiry, nonce, epoch and fee of what is signed now. */
export async function signingFields(
  house: Plimsoll,
  id: AccountId,
  { lifetime, nonce, executionFee = "0" }: Pick<OrderOptions, "lifetime" | "nonce" | "executionFee">,
): Promise<Pick<Order, "expiry" | "nonce" | "epoch" | "executionFee">> {
  const { epoch, lowestNonce } = await house.exchange.ownerState(ownerOf(id));
  const now = BigInt(Date.now());
  return {
    expiry: BigInt(Math.floor(Date.now() / 1000) + parseDuration("lifetime", lifetime)),
    nonce: nonce === undefined ? (now > lowestNonce ? now : lowestNonce) : parseNonce(nonce),
    epoch,
    executionFee: parseWad(executionFee),
  };
}

type Triggers = Pick<Order, "triggerAbove" | "triggerBelow">;

function triggersOf({ triggerAbove, triggerBelow }: OrderOptions): Triggers {
  return {
    triggerAbove: triggerAbove === undefined ? 0n : parsePrice(triggerAbove),
    triggerBelow: triggerBelow === undefined ? 0n : parsePrice(triggerBelow),
  };
}

function isTriggered({ triggerAbove, triggerBelow }: Triggers): boolean {
  return triggerAbove !== 0n || triggerBelow !== 0n;
}

/** Of the prices at which an order may fill the one that is worst for it; `undefined` where there is no trigger on that side. */
function triggerPrice({ triggerAbove, triggerBelow }: Triggers, buys: boolean): bigint | undefined {
  const [first, second] = buys ? [triggerBelow, triggerAbove] : [triggerAbove, triggerBelow];
  return first !== 0n ? first : second !== 0n ? second : undefined;
}

/** The index price, or that of the trigger, moved against the order, in whole units of 1e-8 USD. */
async function worstPrice(
  house: Plimsoll,
  market: number,
  signedSize: bigint,
  triggers: Triggers,
  slippage = isTriggered(triggers) ? TRIGGER_SLIPPAGE : DEFAULT_SLIPPAGE,
): Promise<bigint> {
  const distance = BigInt(parsePercent("slippage", slippage));
  const from = triggerPrice(triggers, signedSize > 0n) ?? (await house.indexPrice(market));
  const unit = 10n ** 10n;
  const moved = (from * (signedSize > 0n ? PPM + distance : PPM - distance)) / PPM;
  return (moved / unit) * unit;
}

/**
 * The account if the order fills whole at its limit: as the maker if it is post-only, else as the taker, who pays more. With a trigger at
 * the index price that it waits for.
 */
async function effectOfFill(house: Plimsoll, order: Order): Promise<Effect> {
  const market = Number(order.market);
  const [{ account, house: now }, [params]] = await Promise.all([
    house.view(order.account),
    house.clearingHouse.market(market),
  ]);
  const feeRate = order.postOnly ? params.makerFee : params.takerFee;
  const fill = { market, size: order.size, price: order.limitPrice, feeRate };
  const then = atTrigger(now, order);
  const { account: after, accepted } = whatIf(account, then, fill);
  return { ...effectOf(order.account, assess(account, now), assess(after, then)), accepted };
}

function atTrigger(house: HouseState, order: Order): HouseState {
  const { underlying } = marketOf(house, Number(order.market));
  const [known, at] = [house.prices.get(underlying), triggerPrice(order, order.size > 0n)];
  if (known === undefined || at === undefined) return house;
  return { ...house, prices: new Map(house.prices).set(underlying, { ...known, price: at }) };
}

/** What the owner signs, in words. */
function payload(session: Session, order: Order): [name: string, value: string][] {
  return [
    ["owner", ownerOf(order.account)],
    ["account", `${session.accountName(order.account)} (${order.account.toString()})`],
    [order.size > 0n ? "buy" : "sell", `${size(abs(order.size))} ${marketName(Number(order.market), session.book)}`],
    ["limit price", `${price(order.limitPrice)} or better`],
    ["kind", orderKind(order)],
    ...conditionFacts(order),
    ["good until", time(order.expiry)],
    ["nonce, epoch", `${order.nonce.toString()}, ${order.epoch.toString()}`],
  ];
}

function sideOf(text: string): bigint {
  if (text === "buy") return 1n;
  if (text === "sell") return -1n;
  throw new InvalidValue("side", text, "give buy or sell");
}

/** An order of the matcher as names and values. */
export function orderFacts(session: Session, o: OrderView): [name: string, value: string][] {
  return [
    [
      "state",
      o.reason === undefined ? o.state : `${o.state}: ${o.reason}${o.detail === undefined ? "" : `, ${o.detail}`}`,
    ],
    ["account", session.accountName(BigInt(o.account))],
    [o.side, `${number(o.size)} ${marketName(o.market, session.book)} at ${number(o.limitPrice)}`],
    ["kind", orderKind(o)],
    ...viewConditions(o),
    ["filled", `${number(o.filled)}, of that ${number(o.settled)} settled on the chain`],
    ["open", number(o.open)],
    ["good until", time(o.expiry)],
    ["nonce", o.nonce],
  ];
}

/** On what condition an order of the matcher fills, and what it pays for that, in words. */
export function viewConditions({
  triggerAbove,
  triggerBelow,
  executionFee,
}: OrderView): [name: string, value: string][] {
  return conditionFacts({
    triggerAbove: parseWad(triggerAbove),
    triggerBelow: parseWad(triggerBelow),
    executionFee: parseWad(executionFee),
  });
}

/** A decimal number of the matcher, thousands apart. */
export function number(text: string): string {
  return size(parseWad(text));
}
