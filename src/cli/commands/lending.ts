import type { Command } from "commander";

import { lend as lendCash, raiseCash } from "../../risk/lending.ts";
import { positive } from "../../risk/fixed.ts";
import { mostCash, ownCash } from "../../risk/moves.ts";
import type { Books } from "../../risk/types.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import { lendCall, recallCall } from "../../sdk/calls.ts";
import type { LendingMarket } from "../../sdk/client.ts";
import { interestSoFar } from "../../sdk/history.ts";
import { parseWad } from "../../sdk/units.ts";
import { ownOrIntent } from "../authority.ts";
import { decimal, multiple, percent, usd, usdUp } from "../format.ts";
import { underlyingName } from "../names.ts";
import { facts, paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { assess, boundFacts, effectOf, pairJson } from "../standing.ts";
import { transact } from "../transact.ts";
import { hypothetical, parsePositive } from "./funds.ts";

export function lendingCommands(program: Command, perform: Perform): void {
  program
    .command("lend <amount>")
    .description("lend cash of an account to borrowers, at interest")
    .action(perform((session, amount: string) => loan(session, "lend", amount)));
  program
    .command("recall <amount>")
    .description("bring lent cash back")
    .action(perform((session, amount: string) => loan(session, "recall", amount)));
  program
    .command("borrow")
    .description("what an account owes, what it costs, and how much more it could borrow")
    .addHelpText(
      "after",
      "\nNothing is borrowed by this command: an account borrows when more cash leaves it than it has, by withdraw, transfer\n" +
        "or the settlement of a loss, and repays with whatever cash comes in.",
    )
    .action(perform(showLoans));
}

async function loan(session: Session, verb: "lend" | "recall", amount: string): Promise<Report> {
  const { book } = session;
  const units = parsePositive(amount, book.cash);
  const house = await session.signingHouse();
  const id = await session.account();
  const own = verb === "lend" ? lendCall(book, id, amount) : recallCall(book, id, amount);
  const name = verb === "lend" ? "Lend" : "Recall";
  const call = await ownOrIntent(session, house, own, { name, account: id, amount: units });
  await house.rehearse(call);
  const { account, house: state } = await house.view(id);
  const move = (books: Books) =>
    verb === "lend" ? lendCash(books, parseWad(amount)) : raiseCash(books, parseWad(amount), false);
  const { supplyRate } = await house.lending();
  return transact(session, house, {
    title: `${verb} ${amount} ${book.cash.symbol} of ${session.accountName(id)}`,
    details: [
      ["account", `${session.accountName(id)} of ${ownerOf(id)}`],
      ["supply rate", `${percent(supplyRate)} a year now`],
    ],
    effects: [effectOf(id, assess(account, state), hypothetical({ account, house: state }, move))],
    accounts: [id],
    call,
    rehearse: false,
  });
}

async function showLoans(session: Session): Promise<Report> {
  const house = await session.house();
  const id = await session.account();
  const [loans, pool, interest, view] = await Promise.all([
    house.loans(id),
    house.lending(),
    interestSoFar(house, id),
    house.view(id),
  ]);
  const room = positive(mostCash(view) - ownCash(view));
  const standing = assess(view.account, view.house);
  const known = standing instanceof Error ? undefined : standing;
  const bounds = known?.bounds ?? [];
  return {
    data: {
      account: session.accountName(id),
      id,
      debt: decimal(loans.debt),
      lent: decimal(loans.lent),
      interestSoFar: decimal(interest),
      borrowable: decimal(room),
      leverage: decimal(known?.leverage),
      prices: Object.fromEntries(
        bounds.map((b) => [
          underlyingName(b.underlying, session.book),
          { marginCall: pairJson(b.marginCall), liquidation: pairJson(b.liquidation) },
        ]),
      ),
      pool: poolJson(pool),
    },
    text: paragraphs(
      `Loans of ${session.accountName(id)} of ${ownerOf(id)}`,
      facts([
        ["debt", usdUp(loans.debt)],
        ["lent", usd(loans.lent)],
        ["interest so far", interest < 0n ? `${usd(-interest)} earned` : `${usdUp(interest)} paid`],
        ["can borrow", `${usd(room)} more`],
        ["leverage", multiple(known?.leverage)],
        ...(known === undefined ? [] : boundFacts(known, session.book)),
      ]),
      `Pool\n${facts(poolFacts(pool))}`,
    ),
  };
}

/** The lending pool as names and values. */
export function poolFacts(pool: LendingMarket): [name: string, value: string][] {
  return [
    ["lent", usd(pool.lent)],
    ["borrowed", usd(pool.borrowed)],
    ["liquid", usd(pool.liquid)],
    ["utilisation", percent(pool.utilisation)],
    ["borrow APR", percent(pool.borrowRate)],
    ["supply APR", percent(pool.supplyRate)],
  ];
}

export function poolJson(pool: LendingMarket): object {
  return {
    lent: decimal(pool.lent),
    borrowed: decimal(pool.borrowed),
    liquid: decimal(pool.liquid),
    utilisation: decimal(pool.utilisation),
    borrowApr: decimal(pool.borrowRate),
    supplyApr: decimal(pool.supplyRate),
  };
}
