import type { Command } from "commander";
import type { TransactionReceipt } from "ethers";

import { min, WAD } from "../../risk/fixed.ts";
import { available, pnlOf } from "../../risk/pools.ts";
import { marketOf } from "../../risk/house.ts";
import type { MarketState } from "../../risk/types.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import { ALL, claimCall, settleCall } from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import type { Plimsoll, View } from "../../sdk/client.ts";
import { withTypedErrors } from "../../sdk/errors.ts";
import { formatWad, parseWad, WAD_DECIMALS } from "../../sdk/units.ts";
import { NothingPaid } from "../errors.ts";
import { decimal, percent, usd } from "../format.ts";
import { parseMarket } from "../names.ts";
import { paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";
import { parsePositive } from "./funds.ts";

const NOTE = `
Profit is paid from settled losses only: as far as the market's pool goes. While bad debt of the market stands, profit
is paid at its owner's request alone, and each dollar given up brings pool / (pool + bad debt) in cash.`;

export function claimCommands(program: Command, perform: Perform): void {
  program
    .command("claim <market> [amount]")
    .description('take profit of --account out of a market\'s pool, in cash; "all" of it unless an amount is named')
    .addHelpText("after", NOTE)
    .action(perform(claim));
}

async function claim(session: Session, marketText: string, amount = ALL): Promise<Report> {
  const market = parseMarket(marketText, session.book);
  if (amount !== ALL) parsePositive(amount, { decimals: WAD_DECIMALS });
  const house = await session.signingHouse();
  const id = await session.account();
  const view = await house.view(id);
  const state = marketOf(view.house, market.id);
  const profit = profitOf(view, market.id);
  if (amount === ALL && profit <= 0n) throw new NothingPaid(session.accountName(id), market.name, "has no profit");
  const claimed = amount === ALL ? profit : parseWad(amount);
  const { call, paid } = await planOf(house, id, market.id, claimed, amount === ALL && state.badDebt === 0n, state);
  if (paid === 0n) throw new NothingPaid(session.accountName(id), market.name, "waits for losers to pay in");
  let receipt: TransactionReceipt | undefined;
  const report = await transact(session, house, {
    title: `claim ${amount === ALL ? "all" : amount} of profit in ${market.name} for ${session.accountName(id)}`,
    details: [
      ["account", `${session.accountName(id)} of ${ownerOf(id)}`],
      ["profit", usd(profit)],
      ["pool, bad debt", `${usd(state.pool)}, ${usd(state.badDebt)}`],
      ...(state.badDebt === 0n ? [] : [["paid of each dollar", percent(shareOf(state))] as const]),
      ["pays now", usd(paid)],
    ],
    accounts: [id],
    call,
    send: async (client) => (receipt = await client.send(call)),
  });
  const got = receipt === undefined ? [] : paymentsIn(house, receipt, id);
  const total = (part: "claimed" | "paid") => got.reduce((sum, payment) => sum + payment[part], 0n);
  return {
    data: { ...(report.data as object), claimed: decimal(total("claimed")), paid: decimal(total("paid")) },
    text: paragraphs(`Paid ${usd(total("paid"))} USD for ${usd(total("claimed"))} of profit.`, report.text),
  };
}

/** The profit or loss of an account in a market [wad]. */
function profitOf({ account, house }: View, market: number): bigint {
  const position = account.positions.get(market);
  return position === undefined ? 0n : pnlOf(position, market, house);
}

/** What part of a claim is paid while bad debt stands [wad]. */
function shareOf({ pool, badDebt }: MarketState): bigint {
  return (pool * WAD) / (pool + badDebt);
}

/**
 * What to send, and what it would pay now [wad]. All profit is settled where no bad debt stands: a claim of it fails if the price has moved
 * a little meanwhile.
 */
async function planOf(
  house: Plimsoll,
  id: AccountId,
  market: number,
  claimed: bigint,
  whole: boolean,
  state: MarketState,
): Promise<{ call: Call; paid: bigint }> {
  const book = house.addressBook;
  if (whole) return { call: settleCall(book, market, [id]), paid: min(claimed, available(state)) };
  const { claim: rehearsed } = house.clearingHouse;
  const paid = await withTypedErrors(() => rehearsed.staticCall(id, market, claimed));
  return { call: claimCall(book, id, market, formatWad(claimed)), paid };
}

/** What an account was paid for its profit, as the events of a transaction tell. */
function paymentsIn({ clearingHouse }: Plimsoll, { logs }: TransactionReceipt, id: AccountId) {
  return logs.flatMap((log) => {
    const event = clearingHouse.interface.parseLog(log);
    if (event?.args.account !== id) return [];
    if (event.name === "Settled") return [{ claimed: event.args.amount as bigint, paid: event.args.amount as bigint }];
    if (event.name !== "Claimed") return [];
    return [{ claimed: event.args.claimed as bigint, paid: event.args.paid as bigint }];
  });
}
