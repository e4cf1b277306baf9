import type { TransactionReceipt } from "ethers";

import { ownerOf } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import { settleEachCall, settleForFeeCall } from "../../sdk/calls.ts";
import type { Match } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { withTypedErrors } from "../../sdk/errors.ts";
import type { SignedOrder } from "../../sdk/orders.ts";
import { settlementOf } from "../../sdk/settlements.ts";
import type { ExecutionFee, MatchOutcome, SettlementOutcome } from "../../sdk/settlements.ts";
import { describeFailure } from "../failure.ts";
import { decimal, price, size, usd } from "../format.ts";
import { marketName } from "../names.ts";
import { paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";
import { chosen, effectsOf, orderDetails, used } from "./settle.ts";

interface ExecuteOptions {
  readonly match?: readonly string[];
  readonly feeTo?: string;
}

/** Settles others' signed orders of files, as `order execute` says. */
export async function execute(session: Session, files: readonly string[], options: ExecuteOptions): Promise<Report> {
  const { book } = session;
  const { orders, matches } = chosen(session, files, options.match);
  const meeting = used(orders, matches);
  const house = await session.signingHouse();
  const feeTo = options.feeTo === undefined ? undefined : await session.account(options.feeTo);
  const call =
    feeTo === undefined
      ? settleEachCall(book, meeting.orders, meeting.matches)
      : settleForFeeCall(book, meeting.orders, meeting.matches, feeTo);
  const good = await settling(house, meeting.orders, meeting.matches, feeTo);
  const { address } = await session.signer();
  const effects = await effectsOf(
    house,
    orders,
    matches.filter((_, i) => good[i]),
  );
  let receipt: TransactionReceipt | undefined;
  const report = await transact(session, house, {
    title: `settle ${matches.length} match${matches.length === 1 ? "" : "es"}, ${feeTo === undefined ? "each by itself" : "all or nothing, for the fees"}`,
    details: [
      ...orderDetails(session, orders, matches),
      ...matches.map(({ maker, taker }, i): [string, string] => [
        `match ${i}`,
        `order ${maker} with order ${taker}: ${good[i] === true ? "would settle" : "would be left out"}`,
      ]),
      ...(feeTo === undefined ? [] : [["fees to", `${session.accountName(feeTo)} of ${ownerOf(feeTo)}`] as const]),
    ],
    effects: effects.filter(({ account }) => ownerOf(account) === address), // of strangers' accounts who settles need not know
    accounts: feeTo === undefined ? [] : [feeTo],
    call,
    rehearse: false,
    send: async (client) => (receipt = await client.send(call)),
  });
  const outcome = settlementOf(book, receipt ?? { logs: [] }, matches);
  const rows = outcome.matches.map((match, i) => ({ match, fee: feeOf(outcome, orders, i) }));
  return {
    data: {
      ...(report.data as object),
      matches: rows.map(({ match, fee }) => matchJson(session, orders, match, fee)),
      fees: decimal(total(outcome.fees)),
    },
    text: paragraphs(
      table(
        ["match", "market", ">size", ">price", "outcome", ">fee"],
        rows.map(({ match, fee }) => cells(session, orders, match, fee)),
      ),
      feeTo === undefined ? "" : `Fees: ${usd(total(outcome.fees))} USD into ${session.accountName(feeTo)}`,
      report.text,
    ),
  };
}

/** Which matches would settle now. @throws ContractError if none would, or for a fee not all */
async function settling(
  house: Plimsoll,
  orders: readonly SignedOrder[],
  matches: readonly Match[],
  feeTo: AccountId | undefined,
): Promise<readonly boolean[]> {
  const { settleEach, settleForFee } = house.exchange;
  if (feeTo === undefined) return withTypedErrors(() => settleEach.staticCall([...orders], [...matches]));
  await withTypedErrors(() => settleForFee.staticCall([...orders], [...matches], feeTo));
  return matches.map(() => true);
}

/** What the orders of a match have paid; an order pays once, and its fee stands at its first match. */
function feeOf({ matches, fees }: SettlementOutcome, orders: readonly SignedOrder[], i: number): bigint {
  const seen = new Set(matches.slice(0, i).flatMap(({ maker, taker }) => [maker, taker]));
  const { maker, taker } = matches[i] ?? { maker: -1, taker: -1 };
  const own = [maker, taker].flatMap((at) => (seen.has(at) ? [] : (orders[at]?.order ?? [])));
  return total(fees.filter((fee) => own.some(({ account, nonce }) => account === fee.account && nonce === fee.nonce)));
}

function total(fees: readonly ExecutionFee[]): bigint {
  return fees.reduce((sum, { fee }) => sum + fee, 0n);
}

function reasonOf(session: Session, match: MatchOutcome): string {
  if (match.settled) return "settled";
  if (match.reason === undefined) return "left out";
  const { error, message } = describeFailure(match.reason, session.book);
  return `left out: ${error}, ${message}`;
}

function marketOf(session: Session, orders: readonly SignedOrder[], { maker }: Match): string {
  return marketName(Number(orders[maker]?.order.market ?? -1n), session.book);
}

function cells(session: Session, orders: readonly SignedOrder[], match: MatchOutcome, fee: bigint): string[] {
  const { maker, taker, settled } = match;
  return [
    ...[`${maker}:${taker}`, marketOf(session, orders, match)],
    ...(settled ? [size(match.size), price(match.price)] : ["", ""]),
    ...[reasonOf(session, match), usd(fee)],
  ];
}

function matchJson(session: Session, orders: readonly SignedOrder[], match: MatchOutcome, fee: bigint): object {
  const { maker, taker, settled } = match;
  return {
    ...{ maker, taker, market: marketOf(session, orders, match), settled },
    ...(match.settled
      ? { size: decimal(match.size), price: decimal(match.price) }
      : { reason: match.reason?.name ?? null, message: reasonOf(session, match) }),
    fee: decimal(fee),
  };
}
