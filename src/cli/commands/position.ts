import type { Command } from "commander";

import { accountsOf } from "../../sdk/history.ts";
import { paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { closeCommand } from "./exit.ts";
import { positionJson, positionsOf, positionTable } from "./account.ts";

export function positionCommands(program: Command, perform: Perform): void {
  const group = program.command("position").description("open positions, and closing them");
  group.command("list").description("positions of all accounts of an owner").action(perform(listPositions));
  closeCommand(group, perform);
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
