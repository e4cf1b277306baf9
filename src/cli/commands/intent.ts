import type { Command } from "commander";

import { ownerOf } from "../../sdk/accountId.ts";
import { cancelIntentCall, intentCall } from "../../sdk/calls.ts";
import { signIntent } from "../../sdk/intents.ts";
import type { Intent } from "../../sdk/intents.ts";
import { formatAmount } from "../../sdk/units.ts";
import { freshTerms } from "../authority.ts";
import { readSigned, SIGNED, venueOf, writeSigned } from "../files.ts";
import { time } from "../format.ts";
import { parseAddress, parseAsset, parseDuration, parseNonce, symbolOf } from "../names.ts";
import { facts } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";
import { parsePositive } from "./funds.ts";

const INTENT_NONCE_BITS = 256n;

interface SignOptions {
  readonly out: string;
  readonly lifetime: string;
  readonly nonce?: string;
  readonly to?: string;
}

export function intentCommands(program: Command, perform: Perform): void {
  const group = program
    .command("intent")
    .description("sign deposit, withdraw, transfer, lend or recall into a file that anybody may bring");
  const sign = (usage: string, what: string) =>
    group
      .command(usage)
      .description(what)
      .requiredOption("--out <file>", "where the signed intent goes")
      .option("--lifetime <duration>", "how long it is good", "1h")
      .option("--nonce <number>", "any that was not used; the time in milliseconds unless given");
  sign("deposit <amount> [asset]", "the owner's tokens into --account").action(perform(signDeposit));
  sign("withdraw <amount> [asset]", "out of --account")
    .option("--to <address>", "recipient; the owner")
    .action(perform(signWithdraw));
  sign("transfer <amount> [asset]", "to another account of the owner")
    .requiredOption("--to <account>", "receiving account")
    .action(perform(signTransfer));
  sign("lend <amount>", "cash of --account to borrowers").action(perform(signLoan("Lend")));
  sign("recall <amount>", "lent cash back").action(perform(signLoan("Recall")));
  group.command("show <file>").description("what a file says").action(perform(show));
  group.command("relay <file>").description("bring a signed intent; the signer pays the gas").action(perform(relay));
  group.command("void <nonce>").description("make a nonce of the signer's intents useless").action(perform(cancel));
}

async function signDeposit(session: Session, amount: string, symbol: string | undefined, o: SignOptions) {
  const asset = parseAsset(symbol, session.book);
  const units = parsePositive(amount, asset);
  return sign(session, { name: "Deposit", account: await session.account(), token: asset.token, amount: units }, o);
}

async function signWithdraw(session: Session, amount: string, symbol: string | undefined, o: SignOptions) {
  const asset = parseAsset(symbol, session.book);
  const units = parsePositive(amount, asset);
  const account = await session.account();
  const to = o.to === undefined ? ownerOf(account) : parseAddress("recipient", o.to);
  return sign(session, { name: "Withdraw", account, token: asset.token, amount: units, to }, o);
}

async function signTransfer(session: Session, amount: string, symbol: string | undefined, o: SignOptions) {
  const asset = parseAsset(symbol, session.book);
  const units = parsePositive(amount, asset);
  const [from, to] = await Promise.all([session.account(), session.account(o.to)]);
  return sign(session, { name: "Transfer", from, to, token: asset.token, amount: units }, o);
}

function signLoan(name: "Lend" | "Recall") {
  return async (session: Session, amount: string, o: SignOptions) => {
    const units = parsePositive(amount, session.book.cash);
    return sign(session, { name, account: await session.account(), amount: units }, o);
  };
}

/** Shows an intent, asks, and writes it signed into a file. */
async function sign(session: Session, intent: Intent, { out, lifetime, nonce }: SignOptions): Promise<Report> {
  const { book } = session;
  const signer = await session.signer();
  const fresh = await freshTerms(await session.house(), ownerOfIntent(intent));
  const terms = {
    epoch: fresh.epoch,
    nonce: nonce === undefined ? fresh.nonce : parseNonce(nonce, INTENT_NONCE_BITS),
    deadline: BigInt(Math.floor(Date.now() / 1000) + parseDuration("lifetime", lifetime)),
  };
  const about = facts(intentFacts(session, intent, terms));
  await session.confirm(
    `To sign (EIP-712, exchange ${book.contracts.exchange}, chain ${book.chainId})\n\n${about}`,
    "Sign it?",
  );
  const authorisation = await signIntent(signer, book, intent, terms);
  const file = { kind: "intent", ...venueOf(book), intent, authorisation };
  writeSigned(out, file);
  return {
    data: { file: out, ...file },
    text: `Signed and saved in ${out}; anybody may bring it: plimsoll intent relay ${out}`,
  };
}

async function show(session: Session, file: string): Promise<Report> {
  const signed = readSigned(file, SIGNED.intent, session.book);
  const house = await session.house();
  const { intent, authorisation } = signed;
  const used = await house.exchange.isIntentUsed(ownerOfIntent(intent), authorisation.nonce);
  const rows = [...intentFacts(session, intent, authorisation), ["used or voided", used ? "yes" : "no"] as const];
  return { data: { ...signed, used }, text: facts(rows) };
}

async function relay(session: Session, file: string): Promise<Report> {
  const { intent, authorisation } = readSigned(file, SIGNED.intent, session.book);
  const house = await session.signingHouse();
  return transact(session, house, {
    title: `bring what ${ownerOfIntent(intent)} has signed`,
    details: intentFacts(session, intent, authorisation),
    accounts: intent.name === "Transfer" ? [intent.from, intent.to] : [intent.account],
    call: intentCall(session.book, intent, authorisation),
  });
}

async function cancel(session: Session, text: string): Promise<Report> {
  const nonce = parseNonce(text, INTENT_NONCE_BITS);
  const house = await session.signingHouse();
  const title = `void the nonce ${nonce.toString()} of the signer's intents`;
  return transact(session, house, { title, call: cancelIntentCall(session.book, nonce), confirm: false });
}

function ownerOfIntent(intent: Intent): string {
  return ownerOf(intent.name === "Transfer" ? intent.from : intent.account);
}

/** An intent in words: what its signer agrees to. */
function intentFacts(
  session: Session,
  intent: Intent,
  { nonce, deadline }: { nonce: bigint; deadline: bigint },
): [name: string, value: string][] {
  const { book } = session;
  const token = "token" in intent ? intent.token : book.cash.token;
  const symbol = symbolOf(token, book);
  const { decimals } = parseAsset(symbol, book);
  const rows: [string, string][] = [
    [intent.name.toLowerCase(), `${formatAmount(intent.amount, decimals)} ${symbol}`],
    ["owner", ownerOfIntent(intent)],
    ["account", session.accountName(intent.name === "Transfer" ? intent.from : intent.account)],
  ];
  if (intent.name === "Transfer") rows.push(["to", session.accountName(intent.to)]);
  if (intent.name === "Withdraw") rows.push(["to", intent.to]);
  return [...rows, ["good until", time(deadline)], ["nonce", nonce.toString()]];
}
