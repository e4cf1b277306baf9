import { existsSync, lstatSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";

import type { Command } from "commander";

import type { PathOptions } from "../../replay/demo.ts";
import type { RunResult } from "../../replay/lab/result.ts";
import type { Scenario, Trader } from "../../replay/lab/scenario.ts";
import type { PricePath } from "../../replay/path.ts";
import { FileUnusable, InvalidValue } from "../errors.ts";
import { paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";

const PROGRESS_STEPS = 20; // words on how far a run has come
const AXES = ["latency", "policy", "scenario"] as const;

const NOTE = `
Candles are by the minute (timestamp,open,high,low,close,volume), in files named ETH-USD….csv and BTC-USD….csv; without any, prices
crash as a seed says. They are played through the real contracts on a chain in this process: nothing leaves this machine. A scenario
is a JSON file; {} stands for the default one, and the options here are put over it. The same scenario and prices give the same bytes.

With --state a run can be stopped (Ctrl-C) and gone on with by the same command; of several, what is finished is not run again.`;

interface ReplayOptions extends Omit<PathOptions, "seed"> {
  readonly seed?: string;
  readonly scenario?: string;
  readonly accounts?: string;
  readonly latency?: string;
  readonly policy?: string;
  readonly population?: string;
  readonly runs?: string;
  readonly state?: string;
  readonly out?: string;
  readonly csv?: string;
  readonly html?: string;
}

/** One run of several. */
interface Planned {
  readonly name?: string;
  readonly scenario: Scenario;
  readonly state?: string;
}

export function replayCommands(program: Command, perform: Perform): void {
  program
    .command("replay")
    .description("what would have happened: prices through the real contracts, with accounts, feeds and takers")
    .option("--prices <files>", "minute candles: ETH-USD….csv, BTC-USD….csv or both with a comma")
    .option("--minutes <number>", "how much of them to play, or length of the crash")
    .option("--drop <percent>", "by how much ETH falls where there are no candles")
    .option("--scenario <file>", "accounts, takers, feeds, parameters and policy as JSON")
    .option("--accounts <number>", "how many are drawn (2000)")
    .option("--seed <number>", "that they are drawn by (1)")
    .option("--latency <seconds>", "of every taker (60)")
    .option("--policy <name>", 'slices, "whole account" or half (slices)')
    .option(
      "--population <file>",
      "the accounts one by one: read if the file is there, else written as they were drawn",
    )
    .option(
      "--runs <axis=values>",
      'several runs side by side: latency=60,300 or policy="slices,whole account,half" or scenario=a.json,b.json',
    )
    .option("--state <file>", "keeps where the run is, so that it can be stopped; with --runs a folder")
    .option("--out <file>", "everything as JSON")
    .option("--csv <file>", "the run minute by minute; with --runs a line for each")
    .option("--html <file>", "a page with tables and plots")
    .addHelpText("after", NOTE)
    .action(perform(runReplay));
}

async function runReplay(session: Session, given: ReplayOptions): Promise<Report> {
  const { runs } = given;
  return runs === undefined ? runOne(session, given) : runSeveral(session, { ...given, runs });
}

async function runOne(session: Session, given: ReplayOptions): Promise<Report> {
  const { scenario, prices } = await read(given);
  const planned: Planned = { scenario, ...(given.state !== undefined && { state: given.state }) };
  return play(session, prices, [planned], given);
}

async function runSeveral(session: Session, given: ReplayOptions & { readonly runs: string }): Promise<Report> {
  const [axis = "", list = ""] = given.runs.split(/=(.*)/s);
  const values = list.split(",").filter((value) => value !== "");
  if (!AXES.some((known) => known === axis) || values.length === 0) {
    throw new InvalidValue("--runs", given.runs, `give ${AXES.join("=…, ")}=… with values, separated by commas`);
  }
  if (given.state !== undefined) makeFolder(given.state);
  const { prices } = await read(given);
  const planned = values.map(async (value): Promise<Planned> => {
    const { scenario } = await read({ ...given, [axis]: value });
    const file = `${axis}-${value.replaceAll(/[^\w.-]+/g, "-")}.sqlite`;
    const name = axis === "latency" ? `${value} s` : path.basename(value, ".json");
    return { scenario, name, ...(given.state !== undefined && { state: path.join(given.state, file) }) };
  });
  return play(session, prices, await Promise.all(planned), given);
}

/**
 * The scenario and the prices that the options ask for. A population that is drawn is written down and read again, so that the same
 * command asks for the same run from then on, and all of several runs have the same accounts.
 * @throws ScenarioInvalid, OptionInvalid, FileUnusable, and the errors of candles
 */
async function read(given: ReplayOptions): Promise<{ scenario: Scenario; prices: PricePath }> {
  // The chain and Hardhat are only loaded by who needs them.
  const [{ parseScenario, readPopulation, readScenario }, { choosePath, integer }] = await Promise.all([
    import("../../replay/lab/scenario.ts"),
    import("../../replay/demo.ts"),
  ]);
  const { accounts, seed, latency, policy, population } = given;
  const base = given.scenario === undefined ? {} : readScenario(given.scenario);
  const whole = (option: string, text: string | undefined) =>
    text === undefined ? undefined : integer(option, text, 0);
  const over = {
    ...{ accounts: whole("accounts", accounts), seed: whole("seed", seed), policy },
    population: population !== undefined && existsSync(population) ? readPopulation(population) : undefined,
  };
  const asked = { ...base, ...Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined)) };
  const complete = parseScenario(asked, given.scenario ?? "the scenario");
  const late = whole("latency", latency);
  const scenario =
    late === undefined
      ? complete
      : { ...complete, takers: complete.takers.map((taker) => ({ ...taker, latency: late })) };
  const prices = choosePath({ ...given, seed: String(scenario.seed) });
  if (population === undefined || existsSync(population)) return { scenario, prices };
  write(population, `${JSON.stringify(await traders(scenario, prices), null, 2)}\n`);
  return read(given);
}

/** The accounts that a scenario draws at the first prices of a path. */
async function traders(scenario: Scenario, prices: PricePath): Promise<Trader[]> {
  const [{ drawPopulation, termsOf }, { parametersOf }, { firstOf }] = await Promise.all([
    import("../../replay/lab/population.ts"),
    import("../../replay/lab/parameters.ts"),
    import("../../replay/path.ts"),
  ]);
  return drawPopulation(scenario, termsOf(parametersOf(scenario, firstOf(prices))));
}

async function play(
  session: Session,
  prices: PricePath,
  planned: readonly Planned[],
  { out, csv, html }: ReplayOptions,
): Promise<Report> {
  const [{ runScenario }, shown] = await Promise.all([
    import("../../replay/lab/run.ts"),
    import("../../replay/lab/comparison.ts"),
  ]);
  const stop = new AbortController();
  const onSignal = () => {
    session.shell.err("stopping at the end of this minute …\n");
    stop.abort();
  };
  const isKept = planned.some(({ state }) => state !== undefined);
  if (isKept) process.on("SIGINT", onSignal);
  const runs: RunResult[] = [];
  const speeds: string[] = [];
  try {
    for (const { scenario, ...run } of planned) {
      const began = performance.now();
      const onMinute = progressOf(session, run.name);
      const result = await runScenario(scenario, prices, { ...run, onMinute, signal: stop.signal });
      runs.push(result);
      speeds.push(speedOf(result, (performance.now() - began) / 1000));
    }
  } finally {
    process.off("SIGINT", onSignal);
  }
  const comparison = { title: titleOf(prices, runs), runs };
  const [only] = runs;
  if (out !== undefined) write(out, shown.comparisonJson(comparison));
  if (csv !== undefined && only !== undefined) {
    write(csv, runs.length === 1 ? shown.seriesCsv(only) : shown.comparisonCsv(comparison));
  }
  if (html !== undefined) write(html, (await import("../../replay/lab/page.ts")).comparisonPage(comparison));
  const { head, rows } = shown.comparisonTable(comparison);
  return {
    data: { title: comparison.title, runs: runs.map(({ series: _, ...run }) => run) },
    text: paragraphs(comparison.title, table(head, rows), shown.verdict(comparison), speeds.join("\n")),
  };
}

function titleOf({ source }: PricePath, runs: readonly RunResult[]): string {
  return `${source}: ${(runs[0]?.accounts ?? 0).toLocaleString("en")} accounts`;
}

function speedOf({ name, accounts, totals, series }: RunResult, seconds: number): string {
  const count = (n: number) => n.toLocaleString("en");
  const minutes = series.time.length;
  return `${name}: ${count(accounts)} accounts, ${count(minutes)} minutes, ${count(totals.blocks)} blocks in ${seconds.toFixed(1)} s`;
}

/** Tells people how far it has come; machines are told nothing. */
function progressOf({ shell, options: { json } }: Session, name = "the run") {
  const share = (minute: number, minutes: number) => Math.floor((minute * PROGRESS_STEPS) / minutes);
  const began = performance.now();
  let first: number | undefined;
  return ({ minute, minutes, below }: { minute: number; minutes: number; below: number }): void => {
    first ??= minute - 1;
    if (json === true || share(minute, minutes) === share(minute - 1, minutes)) return;
    const speed = (minute - first) / ((performance.now() - began) / 1000);
    shell.err(
      `${name}: minute ${minute} of ${minutes}, ${below} accounts below MM, ${speed.toFixed(1)} minutes a second\n`,
    );
  };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new FileUnusable(folder, error instanceof Error ? error.message : String(error));
  }
}

/** Writes a file that is there whole or not at all; what is no plain file, such as a pipe or a link, is written to. */
function write(file: string, text: string): void {
  makeFolder(path.dirname(path.resolve(file)));
  try {
    const isPlain = lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? true;
    writeFileSync(isPlain ? `${file}.new` : file, text, { flush: isPlain });
    if (isPlain) renameSync(`${file}.new`, file);
  } catch (error) {
    throw new FileUnusable(file, error instanceof Error ? error.message : String(error));
  }
}
