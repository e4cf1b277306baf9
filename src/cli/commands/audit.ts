import type { Command } from "commander";

import { audit } from "../../keeper/audit.ts";
import type { Audit, AuditEntry, Progress } from "../../keeper/audit.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { BooksDiffer, InvalidValue } from "../errors.ts";
import { decimal } from "../format.ts";
import { paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";

const NOTE = `
Rebuilds every balance from the clearinghouse's events alone and compares it to the wei: with storage, and token by token
with what the vault holds. Tokens that somebody sent to the vault without a deposit belong to nobody and are told apart.
A past block needs a node that still has its state.`;

const PROGRESS_INTERVAL = 2000; // [ms] between two words on how far it has come

export function auditCommands(program: Command, perform: Perform): void {
  program
    .command("audit")
    .description("compare events, storage and tokens of the whole house")
    .option("--block <number>", "the last block that counts (latest)")
    .addHelpText("after", NOTE)
    .action(perform(auditHouse));
}

async function auditHouse(session: Session, { block }: { block?: string }): Promise<Report> {
  const house = await session.house();
  const last = await parseBlock(house, block);
  const found = await audit(house.provider, session.book, last, progressOf(session));
  const text = describe(found);
  const data = toJson(session, found);
  if (found.differences.length === 0) return { data, text: paragraphs(text, "No difference.") };
  if (session.options.json !== true) session.shell.err(`${text}\n\n`);
  throw new BooksDiffer(
    last,
    found.differences.map((entry) => inWords(session, entry)),
    data,
  );
}

async function parseBlock({ provider, addressBook }: Plimsoll, text: string | undefined): Promise<number> {
  const latest = await provider.getBlockNumber();
  if (text === undefined) return latest;
  const { deployBlock } = addressBook;
  const block = Number(text);
  if (/^\d+$/.test(text) && block >= deployBlock && block <= latest) return block;
  throw new InvalidValue("block", text, `give a number from ${deployBlock} to ${latest}`);
}

/** Tells how far long work has come; machines are told nothing. */
function progressOf({ shell, options }: Session): Progress {
  let next = Date.now() + PROGRESS_INTERVAL;
  return (what, done, total) => {
    if (options.json === true || Date.now() < next) return;
    next = Date.now() + PROGRESS_INTERVAL;
    shell.err(`${what}: ${done} of ${total}\n`);
  };
}

function describe({ block, accounts, totals, unclaimed }: Audit): string {
  const sent = [...unclaimed].filter(([, amount]) => amount !== 0n);
  return paragraphs(
    `Audit of block ${block}: ${accounts} accounts, each compared with storage`,
    table(
      ["all accounts", "of", ">events", ">storage", ">vault"],
      totals.map(({ what, of, events, storage, vault }) => [
        ...[what, of, exact(events), exact(storage)],
        vault === undefined ? "" : exact(vault),
      ]),
    ),
    sent.map(([of, amount]) => `Sent to the vault without a deposit: ${exact(amount)} ${of}`).join("\n"),
  );
}

function toJson(session: Session, { block, accounts, totals, unclaimed, differences }: Audit) {
  const entries = (list: readonly AuditEntry[]) => list.map((entry) => entryJson(session, entry));
  return {
    ...{ block, accounts, totals: entries(totals) },
    unclaimed: Object.fromEntries([...unclaimed].map(([of, amount]) => [of, exact(amount)])),
    differences: entries(differences),
  };
}

function entryJson(session: Session, { account, what, of, events, storage, vault }: AuditEntry): object {
  return {
    ...(account !== undefined && { account: session.accountName(account), owner: ownerOf(account), id: account }),
    ...{ what, of, events: exact(events), storage: exact(storage) },
    ...(vault !== undefined && { vault: exact(vault) }),
  };
}

function inWords(session: Session, { account, what, of, events, storage, vault }: AuditEntry): string {
  const whose = account === undefined ? "" : ` of ${session.accountName(account)} of ${ownerOf(account)}`;
  const held = vault === undefined ? "" : `, vault ${exact(vault)}`;
  return `${what} ${of}${whose}: events ${exact(events)}, storage ${exact(storage)}${held}`;
}

function exact(amount: bigint): string {
  return decimal(amount) ?? "";
}
