import type { Command } from "commander";

import type { AccountId } from "../../sdk/accountId.ts";
import { cancelBelowCall, cancelCall } from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import type { Cancellation } from "../../sdk/matcher.ts";
import { InvalidValue } from "../errors.ts";
import { parseMarket, parseNonce } from "../names.ts";
import { paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";

interface Where {
  readonly onChain?: boolean;
}

const NOTE = `
Without --matcher this cancels on the chain, which binds everybody; with one, at that matcher, which is free and at
once, but binds only it: whoever has the signed order can still settle it. --on-chain does both.`;

export function cancelCommands(program: Command, perform: Perform): void {
  const group = program.command("cancel").description("cancel orders at the matcher, on the chain, or both");
  const add = (name: string, what: string) =>
    group.command(name).description(what).option("--on-chain", "on the chain too").addHelpText("after", NOTE);
  add("order <hashes...>", "orders by their hashes, which the matcher knows").action(perform(cancelOrders));
  add("nonce <nonces...>", "orders of --account by their nonces, even those nobody has seen").action(
    perform(cancelNonces),
  );
  add("below <nonce>", "every order of the owner, in all accounts, with a lower nonce").action(perform(cancelBelow));
  add("all", "every order of the owner")
    .option("--market <market>", "of this market only, at the matcher")
    .option("--only-account", "of --account only, at the matcher")
    .action(perform(cancelAll));
}

async function cancelOrders(session: Session, hashes: readonly string[], { onChain }: Where): Promise<Report> {
  const matcher = session.matcher();
  const signer = await session.signer();
  const orders = await Promise.all(hashes.map((hash) => matcher.order(hash)));
  const cancelled: string[] = [];
  for (const { hash, state } of orders) {
    if (state === "open" || state === "held") cancelled.push(...(await matcher.cancel(signer, hash)));
  }
  const byAccount = Map.groupBy(orders, (order) => order.account);
  const calls = [...byAccount].map(([account, own]) =>
    cancelCall(
      session.book,
      BigInt(account),
      own.map(({ nonce }) => BigInt(nonce)),
    ),
  );
  return combined(session, cancelled, onChain === true ? calls : []);
}

async function cancelNonces(session: Session, texts: readonly string[], { onChain }: Where): Promise<Report> {
  const nonces = texts.map((text) => parseNonce(text));
  const id = await session.account();
  const cancelled = session.config.matcher === undefined ? [] : await atMatcher(session, id, nonces);
  return combined(session, cancelled, isOnChain(session, onChain) ? [cancelCall(session.book, id, nonces)] : []);
}

/** Cancels those open orders of an account that carry these nonces. */
async function atMatcher(session: Session, id: AccountId, nonces: readonly bigint[]): Promise<string[]> {
  const matcher = session.matcher();
  const signer = await session.signer();
  const open = await matcher.openOrders(id);
  const cancelled: string[] = [];
  for (const { hash, nonce } of open) {
    if (nonces.includes(BigInt(nonce))) cancelled.push(...(await matcher.cancel(signer, hash)));
  }
  return cancelled;
}

async function cancelBelow(session: Session, text: string, { onChain }: Where): Promise<Report> {
  const belowNonce = parseNonce(text);
  const cancelled = await many(session, { owner: await session.owner(), belowNonce });
  return combined(session, cancelled, isOnChain(session, onChain) ? [cancelBelowCall(session.book, belowNonce)] : []);
}

interface AllOptions extends Where {
  readonly market?: string;
  readonly onlyAccount?: boolean;
}

async function cancelAll(session: Session, { onChain, market, onlyAccount }: AllOptions): Promise<Report> {
  const limited = market !== undefined || onlyAccount === true;
  if (limited && isOnChain(session, onChain)) {
    const said = market === undefined ? "--only-account" : "--market";
    throw new InvalidValue(
      "option",
      said,
      "the chain cancels by nonce only: use it with a matcher, without --on-chain",
    );
  }
  const owner = await session.owner();
  const cancelled = await many(session, {
    owner,
    ...(market !== undefined && { market: parseMarket(market, session.book).id }),
    ...(onlyAccount === true && { account: await session.account() }),
  });
  if (!isOnChain(session, onChain)) return combined(session, cancelled, []);
  const { lowestNonce } = await (await session.house()).exchange.ownerState(owner);
  const now = BigInt(Date.now());
  return combined(session, cancelled, [cancelBelowCall(session.book, (now > lowestNonce ? now : lowestNonce) + 1n)]);
}

function many(session: Session, which: Cancellation): Promise<readonly string[]> {
  if (session.config.matcher === undefined) return Promise.resolve([]);
  return session.signer().then((signer) => session.matcher().cancelMany(signer, which));
}

function isOnChain({ config }: Session, onChain: boolean | undefined): boolean {
  return onChain === true || config.matcher === undefined;
}

/** Sends what is to be cancelled on the chain, and reports both places. Taking rights away need not be confirmed. */
async function combined(session: Session, cancelled: readonly string[], calls: readonly Call[]): Promise<Report> {
  const reports: Report[] = [];
  for (const call of calls) {
    const house = await session.signingHouse();
    reports.push(await transact(session, house, { title: "cancel on the chain", call, confirm: false }));
  }
  const count = `${cancelled.length} order${cancelled.length === 1 ? "" : "s"} cancelled at the matcher`;
  const atMatcherText = session.config.matcher === undefined ? "" : [count, ...cancelled].join("\n  ");
  return {
    data: { cancelled, onChain: reports.map(({ data }) => data) },
    text: paragraphs(atMatcherText, ...reports.map(({ text }) => text)),
  };
}
