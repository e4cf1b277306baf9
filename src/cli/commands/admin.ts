import type { Command } from "commander";

import { setTreasuryCall } from "../../sdk/governance.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { InvalidValue } from "../errors.ts";
import { parseAddress, parseMarket, parseUnderlying } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import { formatParameter, KINDS, parseChanges, readParameters } from "../parameters.ts";
import type { Kind, ParameterSet } from "../parameters.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";

export function adminCommands(program: Command, perform: Perform): void {
  const group = program.command("admin").description("addresses and parameters of a house, and changing them at once");
  group.command("addresses").description("contracts, tokens and feeds").action(perform(showAddresses));
  group.command("parameters").description("every parameter as it stands").action(perform(showParameters));
  group
    .command("set <kind> <assignments...>")
    .description(`change parameters: ${Object.keys(KINDS).join(", ")}`)
    .option("--of <name>", "the market, underlying or collateral that they belong to")
    .addHelpText("after", "\n  plimsoll admin set market takerFee=0.06% hardCap=500000000 --of ETH-PERP")
    .action(perform(set));
  group.command("set-treasury <address>").description("who receives the protocol's fees").action(perform(setTreasury));
}

async function showAddresses({ book }: Session): Promise<Report> {
  const rows: [string, string][] = [
    ["chain", book.chainId.toString()],
    ["deployed at block", book.deployBlock.toString()],
    ...Object.entries({ ...book.contracts }),
    ...[book.cash, ...book.collaterals].map(({ symbol, token }): [string, string] => [symbol, token]),
    ...book.underlyings.map(({ name, feed }): [string, string] => [`${name} / USD feed`, feed]),
  ];
  return Promise.resolve({ data: book, text: facts(rows) });
}

async function showParameters(session: Session): Promise<Report> {
  const { book } = session;
  const house = await session.house();
  const of = {
    market: book.markets,
    underlying: book.underlyings,
    collateral: book.collaterals.map(({ id, symbol }) => ({ id, name: symbol })),
  };
  const sections = await Promise.all(
    Object.entries(KINDS).map(async ([kind, owner]) => {
      const owners = owner === undefined ? [{ id: 0, name: "pool" }] : of[owner];
      return { kind, columns: await columnsOf(house, kind as Kind, owners) };
    }),
  );
  return {
    data: Object.fromEntries(sections.map(({ kind, columns }) => [kind, columnsJson(columns)])),
    text: paragraphs(...sections.map(({ kind, columns }) => parameterTable(kind, columns))),
  };
}

interface Column {
  readonly name: string;
  readonly set: ParameterSet;
}

function columnsOf(house: Plimsoll, kind: Kind, owners: readonly { id: number; name: string }[]): Promise<Column[]> {
  return Promise.all(owners.map(async ({ id, name }) => ({ name, set: await readParameters(house, kind, id) })));
}

function columnsJson(columns: readonly Column[]): object {
  return Object.fromEntries(columns.map(({ name, set }) => [name, written(set)]));
}

function written(set: ParameterSet): Record<string, string> {
  return Object.fromEntries(
    Object.entries(set.values).map(([name, value]) => [name, formatParameter(set, name, value)]),
  );
}

function parameterTable(kind: string, columns: readonly Column[]): string {
  const names = Object.keys(columns[0]?.set.units ?? {});
  const row = (name: string) => [name, ...columns.map(({ set }) => written(set)[name] ?? "")];
  return table([kind, ...columns.map(({ name }) => `>${name}`)], names.map(row));
}

async function set(
  session: Session,
  kindText: string,
  assignments: readonly string[],
  options: { of?: string },
): Promise<Report> {
  const kind = parseKind(kindText);
  const owner = ownerOfParameters(session, kind, options.of);
  const house = await session.signingHouse();
  const current = await readParameters(house, kind, owner.id);
  const changes = parseChanges(current, assignments);
  return transact(session, house, {
    title: `change ${kind} parameters${owner.name === "" ? "" : ` of ${owner.name}`}`,
    details: Object.entries(changes).map(([name, value]) => [
      name,
      `${formatParameter(current, name, current.values[name] ?? 0n)} → ${formatParameter(current, name, value)}`,
    ]),
    call: current.change(changes),
  });
}

async function setTreasury(session: Session, text: string): Promise<Report> {
  const treasury = parseAddress("treasury", text);
  const house = await session.signingHouse();
  const before = await house.clearingHouse.treasury();
  return transact(session, house, {
    title: "change the treasury",
    details: [["treasury", `${before} → ${treasury}`]],
    call: setTreasuryCall(session.book, treasury),
  });
}

/** @throws InvalidValue */
function parseKind(text: string): Kind {
  const kind = (Object.keys(KINDS) as Kind[]).find((k) => k === text);
  if (kind === undefined) throw new InvalidValue("kind", text, `give one of ${Object.keys(KINDS).join(", ")}`);
  return kind;
}

/** What parameters of a kind belong to. @throws InvalidValue */
function ownerOfParameters({ book }: Session, kind: Kind, name: string | undefined): { id: number; name: string } {
  const owner = KINDS[kind];
  if (owner === undefined) return { id: 0, name: "" };
  if (name === undefined) throw new InvalidValue("kind", kind, `name its ${owner} with --of`);
  if (owner === "market") return parseMarket(name, book);
  if (owner === "underlying") return parseUnderlying(name, book);
  const found = book.collaterals.find((c) => c.symbol.toLowerCase() === name.toLowerCase());
  if (found === undefined) {
    throw new InvalidValue("collateral", name, `give one of ${book.collaterals.map((c) => c.symbol).join(", ")}`);
  }
  return { id: found.id, name: found.symbol };
}
