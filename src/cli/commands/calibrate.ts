import type { Command } from "commander";

import type { AffectedAccount } from "../../calibrate/affected.ts";
import type { Terms } from "../../calibrate/fit.ts";
import { readHistory } from "../../calibrate/history.ts";
import { propose } from "../../calibrate/propose.ts";
import type { RegimeNow } from "../../calibrate/propose.ts";
import { readProposal, seal } from "../../calibrate/proposal.ts";
import type { Proposal, ProposalFile } from "../../calibrate/proposal.ts";
import { review } from "../../calibrate/review.ts";
import type { Review } from "../../calibrate/review.ts";
import { MINUTE } from "../../replay/path.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { Call } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { InvalidValue } from "../errors.ts";
import { decimal, shortAddress, usd, usdUp } from "../format.ts";
import { accountName, parseDuration } from "../names.ts";
import { writeSigned } from "../files.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import { formatParameter, readParameters } from "../parameters.ts";
import { list } from "../program.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";

const SHOWN = 20; // affected accounts that people are shown
const SIGNIFICANT = 0.05; // Kupiec's p below which a number of breaches is no chance

const NOTE = `
Candles are by the minute (timestamp,open,high,low,close,volume), in files named ETH-USD….csv or BTC-USD….csv; several files of
one asset are windows apart from each other. What comes first is fitted to, the rest is what the fit is tested on, in windows
that share no minute. The hash is keccak256 of the proposal's canonical JSON (RFC 8785), for a governance proposal to refer to.`;

interface ProposeOptions {
  readonly prices: readonly string[];
  readonly confidence: string;
  readonly horizon: string;
  readonly sale: string;
  readonly fit: string;
  readonly out?: string;
  readonly sign?: boolean;
}

export function calibrateCommands(program: Command, perform: Perform): void {
  const group = program.command("calibrate").description("risk parameters from price histories, and whom they affect");
  group
    .command("propose")
    .description("fit parameters to candles, test them out of sample, list whom they would call for margin")
    .requiredOption("--prices <files>", "minute candles, with commas or given again", list)
    .option("--confidence <share>", "of moves that margins are to cover", "0.99")
    .option("--horizon <duration>", "in which an account below MM is taken", "10m")
    .option("--sale <duration>", "in which a taker sells collateral", "1h")
    .option("--fit <share>", "of the minutes that is fitted to", "0.5")
    .option("--out <file>", "a new file for the proposal")
    .option("--sign", "sign the hash (EIP-191) with --keystore, or PRIVATE_KEY in the environment")
    .addHelpText("after", NOTE)
    .action(perform(runPropose));
  group
    .command("check <file>")
    .description("verify a proposal's hash, signature and bounds, and list whom it would call for margin now")
    .action(perform(runCheck));
}

async function runPropose(session: Session, options: ProposeOptions): Promise<Report> {
  const terms = parseTerms(options);
  const history = readHistory(options.prices);
  const house = await session.house();
  const { proposal, regimes } = await propose(house, history, terms);
  const reviewed = await review(house, proposal);
  const sealed = await seal(proposal, options.sign === true ? await session.signer() : undefined);
  const report = await reportOf(session, house, sealed, reviewed);
  if (options.out !== undefined) writeSigned(options.out, sealed);
  return {
    data: { ...report.data, regimes },
    text: paragraphs(report.text, regimeTable(regimes), options.out === undefined ? "" : `saved in ${options.out}`),
  };
}

async function runCheck(session: Session, file: string): Promise<Report> {
  const sealed = readProposal(file);
  const house = await session.house();
  return reportOf(session, house, sealed, await review(house, sealed.proposal));
}

/** @throws InvalidValue */
function parseTerms({ confidence, horizon, sale, fit }: ProposeOptions): Terms {
  const minutes = (what: string, text: string) => {
    const seconds = parseDuration(what, text);
    if (seconds > 0 && seconds % MINUTE === 0) return seconds / MINUTE;
    throw new InvalidValue(what, text, "give whole minutes");
  };
  const share = (what: string, text: string, least: number) => {
    const value = Number(text);
    if (value > least && value < 1) return value;
    throw new InvalidValue(what, text, `give a share above ${least} and below 1`);
  };
  return {
    ...{ confidence: share("confidence", confidence, 0.5), fit: share("fit", fit, 0) },
    ...{ horizon: minutes("horizon", horizon), sale: minutes("sale", sale) },
  };
}

// ---------------------------------------------------------------- what is told

/** Parameters that change together: as they are written, and the transaction that changes them. */
export interface Shown {
  readonly of: string;
  readonly changes: readonly { readonly name: string; readonly present: string; readonly proposed: string }[];
  readonly call: Call;
}

/** What a proposal changes of what stands. */
export function changesOf(house: Plimsoll, { changes: proposed }: Proposal): Promise<Shown[]> {
  return Promise.all(
    proposed.map(async ({ kind, of, id, values }): Promise<Shown> => {
      const set = await readParameters(house, kind, id);
      const written = (name: string, value: bigint) => formatParameter(set, name, value);
      const changes = Object.entries<bigint>(values).map(([name, value]) => {
        return { name, present: written(name, set.values[name] ?? 0n), proposed: written(name, value) };
      });
      return { of, changes, call: set.change(values) };
    }),
  );
}

async function reportOf(session: Session, house: Plimsoll, sealed: ProposalFile, reviewed: Review) {
  const { proposal, hash, signature } = sealed;
  const shown = await changesOf(house, proposal);
  const { block, accounts, affected } = reviewed;
  return {
    data: {
      ...{ hash, signer: signature?.signer ?? null, terms: proposal.terms, prices: proposal.prices, parameters: shown },
      ...{ backTest: proposal.backTest, block, accounts, affected: affected.map((one) => affectedJson(one, session)) },
    },
    text: paragraphs(
      headline(sealed),
      table(
        ["of", "parameter", ">present", ">proposed"],
        shown.flatMap(({ of, changes }) => changes.map(({ name, ...c }) => [of, name, c.present, c.proposed])),
      ),
      checkTable(sealed),
      failureText(sealed),
      silenceText(sealed),
      affectedText(session, reviewed),
      facts([
        ["hash", hash],
        ["signed by", signature?.signer ?? "nobody"],
      ]),
    ),
  };
}

function headline({ proposal: { terms, prices } }: ProposalFile): string {
  const { confidence, horizon, sale, fit } = terms;
  return (
    `Confidence ${percentOf(confidence)}, horizon ${horizon} min, sale ${sale} min, fitted to the first ${percentOf(fit)} of\n` +
    prices.map(({ file, minutes }) => `  ${file}, ${minutes} minutes`).join("\n")
  );
}

function checkTable({ proposal }: ProposalFile): string {
  return table(
    [
      "out of sample",
      "margin",
      ">minutes",
      "parameters",
      ">windows",
      ">breaches",
      ">expected",
      ">Kupiec p",
      ">mean loss",
    ],
    proposal.backTest.map(({ of, rule, horizon, parameters, windows, breaches, expected, pValue, shortfall }) => [
      ...[of, rule, horizon.toString(), parameters, windows.toString(), breaches.toString(), expected.toFixed(1)],
      ...[pValue.toFixed(3), breaches === 0 ? "–" : percentOf(shortfall)],
    ]),
  );
}

/** Which of the proposed margins were breached more often than they may be. */
function failureText({ proposal: { backTest } }: ProposalFile): string {
  const failed = backTest.filter(
    ({ parameters, breaches, expected, pValue }) =>
      parameters === "proposed" && breaches > expected && pValue < SIGNIFICANT,
  );
  if (failed.length === 0) return "";
  const names = failed.map(({ of, rule }) => `${rule} of ${of}`).join(", ");
  return `Does not hold out of sample (p < ${SIGNIFICANT}): ${names}. Fit to more candles, worse days among them.`;
}

/** Which of the proposed margins are tested on so few windows that no breach says nothing. */
function silenceText({ proposal: { backTest } }: ProposalFile): string {
  const few = backTest.filter(
    ({ parameters, breaches, expected }) => parameters === "proposed" && breaches === 0 && expected < 1,
  );
  if (few.length === 0) return "";
  const names = few.map(({ of, rule }) => `${rule} of ${of}`).join(", ");
  return `Less than one breach is expected, so that none says nothing: ${names}. Test on more candles.`;
}

function affectedText({ book }: Session, { affected, accounts, block }: Review): string {
  const row = (when: string, state: "atOnce" | "settled", without: "before" | "otherwise") => {
    const [called, liquidatable] = (["marginCall", "liquidatable"] as const).map((into) => {
      const these = affected.filter((one) => one[state] === into && one[without] !== into);
      return [these.length.toString(), usdUp(these.reduce((sum, { notional }) => sum + notional, 0n))];
    });
    return [when, ...(called ?? []), ...(liquidatable ?? [])];
  };
  const names = affected
    .slice(0, SHOWN)
    .map((one) => [
      `${accountName(one.account, book)} of ${shortAddress(ownerOf(one.account))}`,
      ...[one.before, one.atOnce, one.settled, usd(one.notional), usdUp(one.deposit)],
    ]);
  return paragraphs(
    `Of ${accounts} accounts at block ${block}`,
    table(
      ["", ">called", ">notional [USD]", ">liquidatable", ">notional [USD]"],
      [row("at once", "atOnce", "before"), row("when μ(t) has settled", "settled", "otherwise")],
    ),
    names.length === 0 ? "" : table(["account", "now", "at once", "settled", ">notional", ">to deposit"], names),
    affected.length > SHOWN ? `and ${affected.length - SHOWN} more (--json has all)` : "",
  );
}

function affectedJson({ account, notional, deposit, ...states }: AffectedAccount, session: Session): object {
  return {
    ...{ account: session.accountName(account), owner: ownerOf(account), id: account, ...states },
    ...{ notional: decimal(notional), deposit: decimal(deposit) },
  };
}

function regimeTable(regimes: readonly RegimeNow[]): string {
  const factor = (ppm: bigint) => `×${(Number(ppm) / 1e6).toFixed(2)}`;
  return table(
    ["regime", ">σ at the end", ">μ, present", ">μ, proposed", ">μ(t) on chain", ">its target"],
    regimes.map((r) => [
      r.of,
      percentOf(Number(r.volatility) / 1e6),
      ...[r.present, r.proposed, r.factor, r.target].map(factor),
    ]),
  );
}

function percentOf(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}
