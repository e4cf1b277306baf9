import type { Command } from "commander";
import { z } from "zod";

import { WAD } from "../../risk/fixed.ts";
import { distance } from "../../risk/liquidationPrice.ts";
import type { LiquidationPrices } from "../../risk/liquidationPrice.ts";
import { hexOf, ownerOf } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { cureText, explain, explanationJson, stuckNote, verdictOf } from "../../sdk/explain.ts";
import type { Explanation, LastDecision, UnderlyingStake } from "../../sdk/explain.ts";
import { readAuction, readMarketTerms } from "../../sdk/read.ts";
import { KeeperUnreachable } from "../errors.ts";
import { multiple, percent, percentOfPpm, price, shortAddress, usd, usdUp } from "../format.ts";
import { underlyingName } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { stateName } from "../standing.ts";

const TIMEOUT = 10_000; // [ms] for a keeper's answer

interface WhyOptions {
  readonly keeper?: string;
}

export function whyCommands(program: Command, perform: Perform): void {
  program
    .command("why <account>")
    .description("why an account is or is not being liquidated, and at what prices it would be")
    .option("--keeper <url>", "a running keeper, to be asked what it decided")
    .action(perform(why));
}

async function why(session: Session, name: string, options: WhyOptions): Promise<Report> {
  const house = await session.house();
  const id = await session.account(name);
  const view = await house.view(id);
  const [auction, terms, decision] = await Promise.all([
    readAuction(house, id, view.block),
    readMarketTerms(house, session.book, view.block),
    options.keeper === undefined ? undefined : decisionOf(options.keeper, hexOf(id)),
  ]);
  const explanation = explain({ id, ...view, auction, terms }, decision);
  return { data: explanationJson(explanation, session.book), text: inWords(explanation, session) };
}

const answer = z.object({
  decision: z
    .object({ block: z.number(), action: z.string(), result: z.string(), reason: z.string().optional() })
    .nullable(),
});

/** What a running keeper last decided about an account. @throws KeeperUnreachable */
async function decisionOf(keeper: string, account: string): Promise<LastDecision | undefined> {
  try {
    const response = await fetch(new URL(`/why/${account}`, keeper), { signal: AbortSignal.timeout(TIMEOUT) });
    const { decision } = answer.parse(await response.json());
    if (decision === null) return undefined;
    const { reason, ...rest } = decision;
    return { ...rest, ...(reason !== undefined && { reason }) };
  } catch {
    throw new KeeperUnreachable(keeper);
  }
}

function inWords(e: Explanation, session: Session): string {
  const { book } = session;
  return paragraphs(
    `${session.accountName(e.id)} of ${ownerOf(e.id)}, block ${e.block}`,
    verdictOf(e),
    stuckNote(e, book) ?? "",
    facts([
      ["state", stateName(e.state)],
      ["equity", usd(e.equity)],
      ["initial margin", usdUp(e.initialMargin)],
      ["maintenance margin", usdUp(e.maintenanceMargin)],
      ["margin ratio E / MM", multiple(e.ratio)],
      ...auctionFacts(e),
      ...sliceFacts(e),
      ...cureFacts(e, book),
      ...decisionFacts(e),
    ]),
    e.underlyings.length === 0 ? "" : stakeTable(e, book),
  );
}

type Fact = [name: string, value: string];

function auctionFacts({ auction, discount }: Explanation): Fact[] {
  if (auction === undefined || discount === undefined) return [];
  return [
    ["auction", `clock at ${auction.clock} s, first flagged by ${shortAddress(auction.flagger)}`],
    ["discount now", `${percent(discount)} of MM`],
  ];
}

function sliceFacts({ slice }: Explanation): Fact[] {
  if (slice === undefined) return [];
  return [
    ["slice now", `${percent(slice.fraction)} of the account, costs it ${usdUp(slice.cost)} USD`],
    ["a taker gains", `${usd(slice.gain + slice.rescue)} USD, of which rescue ${usd(slice.rescue)}`],
  ];
}

function cureFacts({ cure }: Explanation, book: AddressBook): Fact[] {
  if (cure === undefined) return [];
  const { deposits, closing } = cureText(cure, book);
  const facts: Fact[] = [["cured by depositing", deposits.map((d) => `${d.amount} ${d.asset}`).join(" or ")]];
  if (closing !== null) facts.push(["or by trading", `${closing.size} ${closing.market}`]);
  return facts;
}

function decisionFacts({ decision }: Explanation): Fact[] {
  if (decision === undefined) return [];
  const { action, result, block, reason } = decision;
  return [["keeper", `${action} (${result}) at block ${block}${reason === undefined ? "" : `: ${reason}`}`]];
}

function stakeTable({ underlyings, maintenanceMargin }: Explanation, book: AddressBook): string {
  const share = (part: bigint) => (maintenanceMargin === 0n ? "–" : percent((part * WAD) / maintenanceMargin));
  return table(
    ["underlying", ">price", ">of MM", ">margin call ↓", ">liquidation ↓", ">margin call ↑", ">liquidation ↑"],
    underlyings.map((stake) => [
      underlyingName(stake.underlying, book),
      `${price(stake.price)}${stake.stuck ? " (not usable)" : ""}`,
      share(stake.maintenanceMargin),
      ...[away(stake, "marginCall", "down"), away(stake, "liquidation", "down")],
      ...[away(stake, "marginCall", "up"), away(stake, "liquidation", "up")],
    ]),
  );
}

/** A price with its distance from the present one. */
function away(stake: UnderlyingStake, which: "marginCall" | "liquidation", side: keyof LiquidationPrices): string {
  const to = stake[which][side];
  return to === undefined ? "–" : `${price(to)} (${percentOfPpm((distance(stake.price, to) / 100n) * 100n)})`;
}
