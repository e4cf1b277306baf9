import type { TransactionReceipt } from "ethers";

import type { AccountId } from "../sdk/accountId.ts";
import type { Call } from "../sdk/calls.ts";
import type { Plimsoll } from "../sdk/client.ts";
import { accountNames } from "./names.ts";
import { facts, paragraphs } from "./output.ts";
import type { Report } from "./output.ts";
import type { Session } from "./session.ts";
import { assess, effectJson, effectTable, standingFacts, standingJson } from "./standing.ts";
import type { Effect } from "./standing.ts";

/** Something that is sent to the chain after it was shown and confirmed. */
export interface Transaction {
  /** What it does, in the infinitive: "withdraw 500 USDC from main". */
  readonly title: string;
  readonly details?: readonly (readonly [name: string, value: string])[];
  readonly effects?: readonly Effect[];
  /** Whose standing is shown afterwards. */
  readonly accounts?: readonly AccountId[];
  readonly call: Call;
  /** Sends it; `Plimsoll.send` of the call unless more belongs to it. */
  readonly send?: (house: Plimsoll) => Promise<TransactionReceipt>;
  /** Whether the contract is asked beforehand; not where an approval has to come first. */
  readonly rehearse?: boolean;
  /** Whether it has to be confirmed; what only takes rights away need not. */
  readonly confirm?: boolean;
}

/**
 * Rehearses a transaction, shows what it would do, asks, sends it and reports how the accounts stand afterwards.
 * @throws ContractError, ConfirmationRequired, Declined
 */
export async function transact(session: Session, house: Plimsoll, t: Transaction): Promise<Report> {
  if (t.rehearse !== false) await house.rehearse(t.call);
  if (t.confirm !== false) await session.confirm(describe(session, t), "Send it?");
  const receipt = await (t.send?.(house) ?? house.send(t.call));
  const ids = t.accounts ?? [];
  const names = accountNames(ids, session.book);
  const after = await Promise.all(ids.map((id, i) => standingAfter(session, house, id, names[i])));
  return {
    data: {
      action: t.title,
      transaction: receiptJson(receipt),
      ...(t.effects !== undefined && { whatIf: t.effects.map((effect) => effectJson(effect, session.book)) }),
      ...(after.length !== 0 && { accounts: after.map(({ data }) => data) }),
    },
    text: paragraphs(`Done: ${t.title}.\n${receiptText(receipt)}`, ...after.map(({ text }) => text)),
  };
}

/** What is about to happen, for people. */
function describe(session: Session, { title, details = [], effects = [] }: Omit<Transaction, "call">): string {
  const names = accountNames(
    effects.map(({ account }) => account),
    session.book,
  );
  return paragraphs(
    `To ${title}`,
    details.length === 0 ? "" : facts(details),
    ...effects.map((effect, i) => effectTable(effect, session.book, names[i])),
  );
}

function receiptJson({ hash, blockNumber, gasUsed }: TransactionReceipt): object {
  return { hash, block: blockNumber, gasUsed };
}

function receiptText({ hash, blockNumber, gasUsed }: TransactionReceipt): string {
  return `Transaction ${hash}, block ${blockNumber}, ${gasUsed.toString()} gas`;
}

async function standingAfter(session: Session, house: Plimsoll, id: AccountId, title?: string): Promise<Report> {
  const { account, house: state } = await house.view(id);
  const standing = assess(account, state);
  const name = session.accountName(id);
  return {
    data: { account: name, id, ...standingJson(standing, session.book) },
    text: `${title ?? name}\n${facts(standingFacts(standing, session.book))}`,
  };
}
