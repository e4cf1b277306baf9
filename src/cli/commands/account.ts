import type { Command } from "commander";
import { MaxUint256 } from "ethers";

import { rateOf } from "../../risk/funding.ts";
import { loansOf } from "../../risk/lending.ts";
import { pnlOf } from "../../risk/pools.ts";
import { collateralPrice } from "../../risk/prices.ts";
import { accountParts, ownerOf } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { Plimsoll, View } from "../../sdk/client.ts";
import { requestExitCall, setExposureCapCall, trackFlowsCall } from "../../sdk/calls.ts";
import { accountsOf, keysOf, statementOf } from "../../sdk/history.ts";
import type { KnownKey, StatementEntry } from "../../sdk/history.ts";
import { InvalidValue } from "../errors.ts";
import { decimal, multiple, price, shortAddress, shortHash, size, time, usd, usdUp } from "../format.ts";
import { collateralName, marketName, parseUnderlying, symbolOf } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { assess, standingFacts, standingJson, stateName } from "../standing.ts";
import { transact } from "../transact.ts";

const LAST_SERIAL = 31n; // a grant's bit 31 stands for all accounts from there on

export function accountCommands(program: Command, perform: Perform): void {
  const group = program.command("account").description("accounts of an owner, how they stand, what happened to them");
  group
    .command("list")
    .description("every account of an owner, with its margin and keys")
    .addHelpText(
      "after",
      "\nAn account with a number above 31 that only others have ever paid into is not found; --account names it all the same.",
    )
    .action(perform(listAccounts));
  group.command("show").description("what an account holds and how it stands").action(perform(showAccount));
  group.command("statement").description("what has happened to an account").action(perform(showStatement));
  group
    .command("exit")
    .description("announce that a flat account leaves: a day later no limit on outflow holds it up")
    .action(perform(requestExit));
  group
    .command("track <on|off>")
    .description("count what goes in and out, from zero: session keys with a floor on equity need it")
    .action(perform(trackFlows));
  group
    .command("cap <underlying> [size]")
    .description(
      "the most that may be opened of an underlying, long less short; none lifts it; without a size: show it",
    )
    .action(perform(capExposure));
}

async function requestExit(session: Session): Promise<Report> {
  const house = await session.signingHouse();
  const id = await session.account();
  const title = `announce the exit of ${session.accountName(id)}`;
  const { text, data } = await transact(session, house, { title, call: requestExitCall(session.book, id) });
  const [cash, from, until] = await house.clearingHouse.exitRequest(id);
  return {
    data: { ...(data as object), cash: decimal(cash), from: Number(from), until: Number(until) },
    text: paragraphs(text, `Good for ${usd(cash)} of cash and the collateral from ${time(from)} to ${time(until)}.`),
  };
}

async function trackFlows(session: Session, text: string): Promise<Report> {
  if (text !== "on" && text !== "off") throw new InvalidValue("track", text, "on or off");
  const house = await session.signingHouse();
  const id = await session.account();
  const title = `count what goes in and out of ${session.accountName(id)}: ${text}`;
  return transact(session, house, { title, call: trackFlowsCall(session.book, id, text === "on") });
}

async function capExposure(session: Session, name: string, cap?: string): Promise<Report> {
  const underlying = parseUnderlying(name, session.book);
  const id = await session.account();
  if (cap === undefined) return showExposure(session, id, underlying);
  const house = await session.signingHouse();
  const title = `cap what ${session.accountName(id)} may open of ${underlying.name} at ${cap}`;
  const call = setExposureCapCall(session.book, id, underlying.id, cap === "none" ? undefined : cap);
  return transact(session, house, { title, call });
}

async function showExposure(
  session: Session,
  id: AccountId,
  underlying: { readonly id: number; readonly name: string },
): Promise<Report> {
  const house = await session.house();
  const [held, most] = await house.clearingHouse.exposure(id, underlying.id);
  const cap = most === MaxUint256 ? undefined : most;
  const account = session.accountName(id);
  return {
    data: { account, underlying: underlying.name, held: decimal(held), cap: decimal(cap) },
    text: `${account} holds ${size(held)} ${underlying.name}; cap: ${cap === undefined ? "none" : size(cap)}.`,
  };
}

async function listAccounts(session: Session): Promise<Report> {
  const house = await session.house();
  const owner = await session.owner();
  const [ids, keys] = await Promise.all([accountsOf(house, owner), keysOf(house, owner)]);
  const rows = await Promise.all(ids.map((id) => rowOf(session, house, id, keys)));
  const head = ["account", "state", ">equity", ">IM", ">MM", ">E / MM", ">free", ">leverage", "keys"];
  return {
    data: { owner, accounts: rows.map((row) => row.data) },
    text: paragraphs(
      `Accounts of ${owner}`,
      table(
        head,
        rows.map((row) => row.cells),
      ),
    ),
  };
}

async function rowOf(session: Session, house: Plimsoll, id: AccountId, keys: readonly KnownKey[]) {
  const { account, house: state } = await house.view(id);
  const standing = assess(account, state);
  const own = keys.filter(({ live, grant }) => live && covers(grant.accounts, id)).map(({ key }) => key);
  const name = session.accountName(id);
  const data = { account: name, id, ...standingJson(standing, session.book), keys: own };
  const known = own.map(shortAddress).join(" ");
  if (standing instanceof Error) return { data, cells: [name, standing.name, "", "", "", "", "", "", known] };
  const { equity, initialMargin, maintenanceMargin, ratio, freeCollateral, leverage } = standing;
  const cells = [
    ...[name, stateName(standing.state), usd(equity), usdUp(initialMargin), usdUp(maintenanceMargin)],
    ...[multiple(ratio), usd(freeCollateral), multiple(leverage), known],
  ];
  return { data, cells };
}

/** Whether a bitmap of serial numbers names an account. */
function covers(accounts: bigint, id: AccountId): boolean {
  const { serial } = accountParts(id);
  return ((accounts >> (serial < LAST_SERIAL ? serial : LAST_SERIAL)) & 1n) === 1n;
}

async function showAccount(session: Session): Promise<Report> {
  const house = await session.house();
  const id = await session.account();
  const view = await house.view(id);
  const standing = assess(view.account, view.house);
  const holdings = holdingsOf(session, view);
  const name = session.accountName(id);
  return {
    data: {
      ...{ account: name, id, owner: ownerOf(id), block: view.block, ...standingJson(standing, session.book) },
      ...{ cash: decimal(holdings.cash), lent: decimal(holdings.lent), debt: decimal(holdings.debt) },
      collaterals: holdings.collaterals.map((c) => ({ ...c, balance: decimal(c.balance), value: decimal(c.value) })),
      positions: positionsOf(session, view).map(positionJson),
    },
    text: paragraphs(
      `${name} of ${ownerOf(id)}, block ${view.block}`,
      facts(standingFacts(standing, session.book)),
      holdingsTable(session, holdings),
      positionTable(positionsOf(session, view)),
    ),
  };
}

interface Holdings {
  readonly cash: bigint;
  readonly lent: bigint;
  readonly debt: bigint;
  readonly collaterals: readonly { readonly symbol: string; readonly balance: bigint; readonly value: bigint }[];
}

function holdingsOf({ book }: Session, { account, house }: View): Holdings {
  const collaterals = [...account.collaterals].map(([id, balance]) => {
    const value = (balance * collateralPrice(house, id)) / 10n ** 18n;
    return { symbol: collateralName(id, book), balance, value };
  });
  return { cash: account.cash, ...loansOf(account, house.lending, house.time), collaterals };
}

function holdingsTable({ book }: Session, { cash, lent, debt, collaterals }: Holdings): string {
  const rows = [["cash", book.cash.symbol, size(cash), usd(cash)]];
  if (lent !== 0n) rows.push(["lent", book.cash.symbol, size(lent), usd(lent)]);
  if (debt !== 0n) rows.push(["debt", book.cash.symbol, size(-debt), usd(-debt)]);
  for (const { symbol, balance, value } of collaterals) rows.push(["collateral", symbol, size(balance), usd(value)]);
  return table(["holds", "asset", ">balance", ">value [USD]"], rows);
}

/** A position as it is shown; `undefined` where there is no usable price. */
export interface PositionView {
  readonly account: string;
  readonly market: string;
  readonly size: bigint;
  readonly entry: bigint | undefined; // [wad] average price, funding and fees included
  readonly index: bigint | undefined;
  readonly notional: bigint | undefined;
  readonly pnl: bigint | undefined;
  readonly funding: bigint | undefined; // [wad] that it pays in a day at the present rate
}

/** Positions of an account, and profits or losses left over by closed ones. */
export function positionsOf({ book }: Session, { account, house }: View, name = ""): PositionView[] {
  return [...account.positions].map(([market, position]) => {
    const state = house.markets.get(market);
    const index = house.prices.get(state?.underlying ?? -1)?.price;
    const pnl = index === undefined && position.size !== 0n ? undefined : pnlOf(position, market, house);
    const notional = index === undefined ? undefined : (position.size * index) / 10n ** 18n;
    const open = position.size !== 0n && index !== undefined && pnl !== undefined;
    const entry = open ? index - (pnl * 10n ** 18n) / position.size : undefined;
    const rate = state === undefined ? 0n : rateOf(state, house.time); // [1e-12 per 8 h]
    const funding = notional === undefined ? undefined : (notional * rate * 3n) / 10n ** 12n;
    return {
      account: name,
      market: marketName(market, book),
      size: position.size,
      entry,
      index,
      notional,
      pnl,
      funding,
    };
  });
}

export function positionJson(p: PositionView): object {
  const { account, market, size: units, entry, index, notional, pnl, funding } = p;
  return {
    ...(account !== "" && { account }),
    ...{ market, size: decimal(units), entryPrice: decimal(entry), indexPrice: decimal(index) },
    ...{ notional: decimal(notional), pnl: decimal(pnl), fundingPerDay: decimal(funding) },
  };
}

export function positionTable(positions: readonly PositionView[]): string {
  if (positions.length === 0) return "no positions";
  const named = positions.some(({ account }) => account !== "");
  const head = ["market", ">size", ">entry", ">index", ">notional", ">PnL", ">funding a day"];
  const rows = positions.map((p) => [
    ...(named ? [p.account] : []),
    ...[p.market, size(p.size), price(p.entry), price(p.index), usd(p.notional), usd(p.pnl), usd(p.funding)],
  ]);
  return table(named ? ["account", ...head] : head, rows);
}

async function showStatement(session: Session): Promise<Report> {
  const house = await session.house();
  const id = await session.account();
  const entries = await statementOf(house, id);
  const times = new Map<number, number>();
  for (const block of new Set(entries.map((entry) => entry.block))) {
    times.set(block, (await house.provider.getBlock(block))?.timestamp ?? 0);
  }
  const timeOf = (entry: StatementEntry) => time(times.get(entry.block) ?? 0);
  return {
    data: {
      account: session.accountName(id),
      id,
      entries: entries.map((entry) => ({ ...entryJson(session, entry), time: timeOf(entry) })),
    },
    text: paragraphs(
      `Statement of ${session.accountName(id)} of ${ownerOf(id)}`,
      table(
        ["time", "what", ">amount", "of", ">price", ">cost", "transaction"],
        entries.map((e) => [
          ...[timeOf(e), e.what, size(e.amount), assetName(session, e)],
          ...[e.price === undefined ? "" : price(e.price), e.cost === undefined ? "" : usd(e.cost)],
          shortHash(e.transaction),
        ]),
      ),
    ),
  };
}

function entryJson(session: Session, entry: StatementEntry): object {
  const { block, transaction, what, amount, price: at, cost } = entry;
  return {
    ...{ block, transaction, what, amount: decimal(amount), of: assetName(session, entry) },
    ...(at !== undefined && { price: decimal(at) }),
    ...(cost !== undefined && { cost: decimal(cost) }),
  };
}

/** What an entry's amount counts: sizes of a market for fills, cash of one for settlements. */
function assetName({ book }: Session, { token, market, what }: StatementEntry): string {
  if (token !== undefined) return symbolOf(token, book);
  if (market === undefined) return book.cash.symbol;
  return what === "settlement" ? `${book.cash.symbol} (${marketName(market, book)})` : marketName(market, book);
}
