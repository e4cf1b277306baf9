import type { Command } from "commander";
import { z } from "zod";

import { DEFAULT_POLICY } from "../../keeper/config.ts";
import { decodeReport, MalformedReport, reportJson, REPORT_NAME, verifyReport } from "../../keeper/report.ts";
import type { LiquidationReport } from "../../keeper/report.ts";
import { ReportReader } from "../../keeper/reportReader.ts";
import { positive } from "../../risk/fixed.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { InvalidValue, KeeperUnreachable, NoReport, ReportDiffers } from "../errors.ts";
import { percent, price, shortAddress, size, time, usd, usdUp } from "../format.ts";
import { collateralName, marketName, underlyingName } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";

const TIMEOUT = 10_000; // [ms] for a keeper's answer
const VERIFIED = "Verified: recomputed from its inputs, every number is the same.";
const NOTE = `
Without --keeper it is read from the chain, for which the node must have the state of the block before.
--verify recomputes every number from the inputs: the account, its house, prices and parameters just before.`;

interface ReportOptions {
  readonly keeper?: string;
  readonly verify?: boolean;
}

export function reportCommands(program: Command, perform: Perform): void {
  program
    .command("report <transaction>")
    .description("what a liquidation took, what it cost the account and who got that; or the id of a report")
    .option("--keeper <url>", "a running keeper, whose report is wanted")
    .option("--verify", "recompute it")
    .addHelpText("after", NOTE)
    .action(perform(report));
}

async function report(session: Session, name: string, { keeper, verify }: ReportOptions): Promise<Report> {
  if (!REPORT_NAME.test(name)) throw new InvalidValue("transaction", name, "give its hash, or the id of a report");
  const found = keeper === undefined ? await fromChain(session, name) : await fromKeeper(keeper, name);
  if (found.length === 0) throw new NoReport(name);
  for (const each of verify === true ? found : []) {
    const differing = verifyReport(each);
    if (differing.length !== 0) throw new ReportDiffers(each.id, differing);
  }
  const verified = verify === true ? { verified: true } : {};
  return {
    data: found.map((each) => ({ ...reportJson(each, session.book), ...verified })),
    text: paragraphs(...found.map((each) => inWords(each, session)), verify === true ? VERIFIED : ""),
  };
}

async function fromChain(session: Session, name: string): Promise<LiquidationReport[]> {
  const { provider, addressBook } = await session.house();
  const { gasUnderlying } = DEFAULT_POLICY;
  const [hash = ""] = name.toLowerCase().split(":");
  const all = await new ReportReader({ provider, addressBook, gasUnderlying }).ofTransaction(hash);
  return all.filter(({ id, transaction }) => [id, transaction].includes(name.toLowerCase()));
}

const answer = z.object({ reports: z.array(z.looseObject({ digest: z.string() })) });

/** @throws KeeperUnreachable */
async function fromKeeper(keeper: string, name: string): Promise<LiquidationReport[]> {
  try {
    const response = await fetch(new URL(`/reports/${name}`, keeper), { signal: AbortSignal.timeout(TIMEOUT) });
    if (response.status === 404) return [];
    return answer.parse(await response.json()).reports.map((each) => decodeReport(JSON.stringify(each)));
  } catch (error) {
    if (error instanceof MalformedReport) throw error;
    throw new KeeperUnreachable(keeper);
  }
}

function inWords(each: LiquidationReport, session: Session): string {
  const { account, taker, cashCall, block, transaction, inputs, outcome, discount, clock, flagger, profit } = each;
  const { equity, initialMargin, maintenanceMargin, fraction, cost, toFund, toFlagger, gain, rescue } = outcome;
  return paragraphs(
    `${cashCall ? "Cash call" : "Liquidation"} of ${session.accountName(account)} of ${ownerOf(account)}\n` +
      `block ${block}, ${time(inputs.house.time)}, transaction ${transaction}`,
    facts([
      ["equity before", usd(equity)],
      ["initial margin", usdUp(initialMargin)],
      ["maintenance margin", usdUp(maintenanceMargin)],
      ["taken", `${percent(fraction)} of the account, by ${ownerOf(taker)}`],
      ["discount", cashCall ? "of a cash call" : `${percent(discount)} of MM, clock at ${clock} s`],
      ["cost to the account", usdUp(cost)],
      ["equity after", usd(positive(equity - cost))],
      ["of which fund", usd(toFund)],
      ["of which flagger", toFlagger === 0n ? "–" : `${usd(toFlagger)} to ${shortAddress(flagger)}`],
      ["of which taker", usd(gain)],
      ["rescue by the fund", usd(rescue)],
      ["taker after gas", usd(profit)],
    ]),
    takenTable(each, session.book),
  );
}

function takenTable({ outcome, inputs }: LiquidationReport, book: AddressBook): string {
  const { markets, collaterals, prices } = inputs.house;
  const at = (underlying: number | undefined) =>
    underlying === undefined ? "–" : `${underlyingName(underlying, book)} ${price(prices.get(underlying)?.price)}`;
  return table(
    ["taken", ">amount", ">price"],
    [
      ...[...outcome.sizes].map(([id, amount]) => [
        marketName(id, book),
        size(amount),
        at(markets.get(id)?.underlying),
      ]),
      ...[...outcome.collaterals].map(([id, amount]) => [
        ...[collateralName(id, book), size(amount), at(collaterals.get(id)?.underlying)],
      ]),
    ],
  );
}
