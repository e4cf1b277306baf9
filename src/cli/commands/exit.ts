import type { Command } from "commander";

import { abs } from "../../risk/fixed.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { bracket, stopLoss, takeProfit } from "../../sdk/orders.ts";
import type { ExitTerms, Order } from "../../sdk/orders.ts";
import { formatWad, parseWad } from "../../sdk/units.ts";
import { InvalidValue, NoPosition } from "../errors.ts";
import { parseMarket, parsePercent } from "../names.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { placeOrder, signingFields, signOrders, withOrderOptions, withSigningOptions } from "./place.ts";
import type { OrderOptions } from "./place.ts";

const NOTE = `
Good once the index price has come there, against the position of --account. It takes what rests: whoever has it settles
it then by order execute, or a matcher does, and may take --execution-fee for it.`;

type ExitOptions = Pick<OrderOptions, "lifetime" | "nonce" | "executionFee" | "slippage" | "out"> & SizeOption;

interface SizeOption {
  readonly size?: string;
}

/** Orders that close a position once the index price has moved. */
export function exitCommands(order: Command, perform: Perform): void {
  const add = (usage: string, what: string) =>
    withSigningOptions(order.command(usage))
      .description(what)
      .option("--size <size>", "how much of the position; all")
      .option("--slippage <percent>", "distance of the worst price from the trigger (5%)")
      .addHelpText("after", NOTE);
  add("stop-loss <market> <price>", "close a position at a loss, once the index price is there").action(
    perform((session, market: string, trigger: string, options: ExitOptions) =>
      exit(session, market, options, (terms) => [stopLoss({ ...terms, trigger })]),
    ),
  );
  add("take-profit <market> <price>", "close a position with a profit, once the index price is there").action(
    perform((session, market: string, trigger: string, options: ExitOptions) =>
      exit(session, market, options, (terms) => [takeProfit({ ...terms, trigger })]),
    ),
  );
  add("bracket <market> <stop> <target>", "both, of which one ends the other").action(
    perform((session, market: string, stop: string, target: string, options: ExitOptions) =>
      exit(session, market, options, (terms) => bracket({ ...terms, stop, target })),
    ),
  );
}

/** A reduce-only order against a position, now. */
export function closeCommand(position: Command, perform: Perform): void {
  withOrderOptions(position.command("close <market>"))
    .description("a reduce-only order against the position of --account, whole or in part")
    .option("--size <size>", "how much of it; all")
    .action(perform(close));
}

async function close(session: Session, marketText: string, options: OrderOptions & SizeOption): Promise<Report> {
  const market = parseMarket(marketText, session.book);
  const part = await partOf(session, await session.house(), await session.account(), market, options);
  return placeOrder(session, market.id, -part, { ...options, reduceOnly: true });
}

async function exit(
  session: Session,
  marketText: string,
  options: ExitOptions,
  ordersOf: (terms: Omit<ExitTerms, "trigger">) => Order[],
): Promise<Report> {
  const market = parseMarket(marketText, session.book);
  const slippage =
    options.slippage === undefined ? {} : { slippage: BigInt(parsePercent("slippage", options.slippage)) };
  const [house, account] = [await session.house(), await session.account()];
  const part = await partOf(session, house, account, market, options);
  const { executionFee, ...fields } = await signingFields(house, account, options);
  const terms = { account, market: market.id, size: formatWad(part), executionFee: formatWad(executionFee), ...fields };
  return signOrders(session, house, ordersOf({ ...terms, ...slippage }), options.out);
}

/**
 * As much of a position as --size says [wad], signed as the position is.
 * @throws NoPosition, InvalidValue, InvalidAmount
 */
async function partOf(
  session: Session,
  house: Plimsoll,
  id: AccountId,
  market: AddressBook["markets"][number],
  { size: text }: SizeOption,
): Promise<bigint> {
  const { size } = await house.clearingHouse.position(id, market.id);
  if (size === 0n) throw new NoPosition(session.accountName(id), market.name);
  const amount = text === undefined ? abs(size) : parseWad(text);
  if (amount <= 0n || amount > abs(size)) {
    throw new InvalidValue("size", text ?? "", "give a positive decimal number, at most the position's");
  }
  return size > 0n ? amount : -amount;
}
