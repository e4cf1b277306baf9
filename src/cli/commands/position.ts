import type { Command } from "commander";

import { parseWad } from "../../sdk/units.ts";
import { accountsOf } from "../../sdk/history.ts";
import { InvalidValue, NoPosition } from "../errors.ts";
import { parseMarket } from "../names.ts";
import { paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { placeOrder, withOrderOptions } from "./order.ts";
import type { OrderOptions } from "./order.ts";
import { positionJson, positionsOf, positionTable } from "./account.ts";

export function positionCommands(program: Command, perform: Perform): void {
  const group = program.command("position").description("open positions, and closing them");
  group.command("list").description("positions of all accounts of an owner").action(perform(listPositions));
  withOrderOptions(group.command("close <market>"))
    .description("a reduce-only order against the position of --account, whole or in part")
    .option("--size <size>", "how much of it; all")
    .action(perform(close));
}

async function listPositions(session: Session): Promise<Report> {
  const house = await session.house();
  const owner = await session.owner();
  const ids = await accountsOf(house, owner);
  const lists = await Promise.all(
    ids.map(async (id) => positionsOf(session, await house.view(id), session.accountName(id))),
  );
  const positions = lists.flat();
  return {
    data: { owner, positions: positions.map(positionJson) },
    text: paragraphs(`Positions of ${owner}`, positionTable(positions)),
  };
}

interface CloseOptions extends OrderOptions {
  readonly size?: string;
}

async function close(session: Session, marketText: string, options: CloseOptions): Promise<Report> {
  const market = parseMarket(marketText, session.book);
  const house = await session.house();
  const id = await session.account();
  const { size } = await house.clearingHouse.position(id, market.id);
  if (size === 0n) throw new NoPosition(session.accountName(id), market.name);
  const whole = size > 0n ? size : -size;
  const amount = options.size === undefined ? whole : parseWad(options.size);
  if (amount <= 0n || amount > whole) {
    throw new InvalidValue("size", options.size ?? "", "give a positive decimal number, at most the position's");
  }
  return placeOrder(session, market.id, size > 0n ? -amount : amount, { ...options, reduceOnly: true });
}
