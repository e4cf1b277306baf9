import type { Command } from "commander";

import { ALL } from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import {
  fundDepositCall,
  fundExitCall,
  fundRedeemCall,
  fundShareOf,
  fundState,
  fundWithdrawCall,
  shareDecimals,
} from "../../sdk/fund.ts";
import type { FundShare } from "../../sdk/fund.ts";
import { formatAmount, parseAmount, toWadDown } from "../../sdk/units.ts";
import { NoKey } from "../errors.ts";
import { decimal, size, time, usd } from "../format.ts";
import { facts, paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";
import type { Transaction } from "../transact.ts";
import { parsePositive, requireTokens } from "./funds.ts";

const NOTE = `
The fund earns a share of fees and penalties and pays for deficits, so shares can lose. To leave, request first: shares
can be redeemed from the end of the cooldown until the window closes, at the price of that time.`;

export function fundCommands(program: Command, perform: Perform): void {
  const group = program
    .command("fund")
    .description("the insurance fund: shares of it, and leaving it")
    .addHelpText("after", NOTE);
  group.command("show").description("its cash, and what an owner has in it").action(perform(show));
  group.command("deposit <amount>").description("bring the signer's own cash in for shares").action(perform(deposit));
  group
    .command("request <shares>")
    .description('ask to redeem shares, or "all"; replaces an earlier request, 0 takes it back')
    .action(perform(request));
  group
    .command("redeem <shares>")
    .description('redeem shares that were requested, or "all" of them')
    .action(perform(redeem));
  group
    .command("withdraw <amount>")
    .description("withdraw cash for as many of the requested shares as it takes")
    .action(perform(withdraw));
}

async function show(session: Session): Promise<Report> {
  const house = await session.house();
  const owner = await session.owner().catch((error: unknown) => {
    if (error instanceof NoKey) return undefined; // the fund itself is everybody's
    throw error;
  });
  const state = await fundState(house);
  const share = owner === undefined ? undefined : await shareReport(session, house, owner);
  return {
    data: {
      assets: decimal(state.assets),
      flaggedDeficit: decimal(state.flaggedDeficit),
      shares: shares(session, state.shares),
      cooldown: Number(state.cooldown),
      exitWindow: Number(state.exitWindow),
      ...(share?.data as object | undefined),
    },
    text: paragraphs(
      "Insurance fund",
      facts([
        ["cash", usd(state.assets)],
        ["flagged deficits", usd(state.flaggedDeficit)],
        ["shares", sharesText(session, state.shares)],
        ["leaving", `${days(state.cooldown)} after a request, for ${days(state.exitWindow)}`],
      ]),
      share?.text ?? "",
    ),
  };
}

async function deposit(session: Session, amount: string): Promise<Report> {
  const { cash } = session.book;
  const units = parsePositive(amount, cash);
  const house = await session.signingHouse();
  const { address } = await session.signer();
  await requireTokens(house, cash, address, units);
  const expected = await house.insuranceFund.previewDeposit(units);
  return reported(session, house, {
    title: `deposit ${amount} ${cash.symbol} into the insurance fund`,
    details: [
      ["from", address],
      ["shares", sharesText(session, expected)],
    ],
    call: fundDepositCall(session.book, address, amount),
    send: (client) => client.fundDeposit(amount),
    rehearse: false,
  });
}

async function request(session: Session, text: string): Promise<Report> {
  const house = await session.signingHouse();
  const { address } = await session.signer();
  const own = await fundShareOf(house, address);
  const amount = text === ALL ? shares(session, own.shares) : text;
  const units = parseAmount(amount, shareDecimals(session.book));
  const { cooldown } = await fundState(house);
  return reported(session, house, {
    title: units === 0n ? "take the request to leave the insurance fund back" : `ask to redeem ${amount} shares`,
    details: [
      ["owner", address],
      ["worth now", usd(await valueOf(house, units))],
      ...(units === 0n ? [] : [["can be redeemed", `in ${days(cooldown)}`] as const]),
      ...(own.requested === 0n ? [] : [["instead of", `${sharesText(session, own.requested)} shares`] as const]),
    ],
    call: fundExitCall(session.book, amount),
  });
}

async function redeem(session: Session, text: string): Promise<Report> {
  const house = await session.signingHouse();
  const { address } = await session.signer();
  const { requested } = await fundShareOf(house, address);
  const amount = text === ALL ? shares(session, requested) : text;
  const units = parsePositive(amount, { decimals: shareDecimals(session.book) });
  const details: [string, string][] = [["pays", `${usd(await valueOf(house, units))} ${session.book.cash.symbol}`]];
  return leaving(session, house, `redeem ${amount} shares`, details, fundRedeemCall(session.book, address, amount));
}

async function withdraw(session: Session, amount: string): Promise<Report> {
  const { cash } = session.book;
  const units = parsePositive(amount, cash);
  const house = await session.signingHouse();
  const { address } = await session.signer();
  const details: [string, string][] = [
    ["shares", sharesText(session, await house.insuranceFund.previewWithdraw(units))],
  ];
  const title = `withdraw ${amount} ${cash.symbol} from the insurance fund`;
  return leaving(session, house, title, details, fundWithdrawCall(session.book, address, amount));
}

async function leaving(
  session: Session,
  house: Plimsoll,
  title: string,
  details: readonly [string, string][],
  call: Call,
): Promise<Report> {
  const { address } = await session.signer();
  return reported(session, house, { title, details: [["to", address], ...details], call });
}

/** Sends something and tells what the signer has in the fund then. */
async function reported(session: Session, house: Plimsoll, transaction: Transaction): Promise<Report> {
  const { data, text } = await transact(session, house, transaction);
  const share = await shareReport(session, house, (await session.signer()).address);
  return { data: { ...(data as object), ...(share.data as object) }, text: paragraphs(text, share.text) };
}

async function shareReport(session: Session, house: Plimsoll, owner: string): Promise<Report> {
  const share = await fundShareOf(house, owner);
  const asked = share.requested !== 0n;
  return {
    data: {
      owner: {
        ...{ address: owner, shares: shares(session, share.shares), value: decimal(share.value) },
        request: asked
          ? {
              shares: shares(session, share.requested),
              from: Number(share.availableAt),
              until: Number(share.expiresAt),
            }
          : null,
        redeemable: shares(session, share.redeemable),
      },
    },
    text: paragraphs(`${owner} has`, facts(shareFacts(session, share))),
  };
}

function shareFacts(session: Session, share: FundShare): [name: string, value: string][] {
  const { requested, availableAt, expiresAt, redeemable } = share;
  return [
    ["shares", `${sharesText(session, share.shares)}, worth ${usd(share.value)}`],
    [
      "request",
      requested === 0n
        ? "none"
        : `${sharesText(session, requested)}, good from ${time(availableAt)} to ${time(expiresAt)}`,
    ],
    ["redeemable now", sharesText(session, redeemable)],
  ];
}

async function valueOf({ insuranceFund, addressBook }: Plimsoll, units: bigint): Promise<bigint> {
  return toWadDown(await insuranceFund.previewRedeem(units), addressBook.cash.decimals);
}

/** Shares as a decimal number. */
function shares({ book }: Session, units: bigint): string {
  return formatAmount(units, shareDecimals(book));
}

/** The same for people. */
function sharesText({ book }: Session, units: bigint): string {
  return size(toWadDown(units, shareDecimals(book)));
}

function days(seconds: bigint): string {
  return `${formatAmount((seconds * 100n) / 86_400n, 2)} days`;
}
