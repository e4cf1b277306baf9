import canonicalize from "canonicalize";

import { ASSETS } from "../path.ts";
import type { Comparison, Quantiles, RunResult, Series, Totals } from "./result.ts";

/** A row of the comparison: what it measures of a run, and which of two runs did better where that is clear. */
interface Measure {
  readonly name: string;
  readonly of: (totals: Totals, run: RunResult) => number | undefined;
  readonly write: (value: number) => string;
  readonly better?: "lower" | "higher";
}

/** A row as it is shown: a cell a run. */
export interface Row {
  readonly name: string;
  readonly cells: readonly { readonly text: string; readonly best: boolean }[];
}

/** Rows that belong together. */
export interface Group {
  readonly title: string;
  readonly rows: readonly Row[];
}

const NONE = "–";
const MINUTE = 60; // [s]
const HOUR = 60 * MINUTE;
const LEAST_P_VALUE = 0.001; // below that its size says nothing more

const lower = { better: "lower" } as const;

const MEASURES: Readonly<Record<string, readonly Measure[]>> = {
  losses: [
    { name: "deficits of bankrupt accounts", of: (t) => t.deficits, write: money, ...lower },
    { name: "of these paid by the fund", of: (t) => t.fromFund, write: money, ...lower },
    { name: "socialised to the other side", of: (t) => t.socialised, write: money, ...lower },
    { name: "borne by lenders", of: (t) => t.fromLenders, write: money, ...lower },
    { name: "bad debt at the end", of: (t) => t.badDebt, write: money, ...lower },
    { name: "not taken at the end", of: (t) => t.openDeficits, write: money, ...lower },
    { name: "of these more than the fund would pay", of: (t) => t.openBeyondFund, write: money, ...lower },
    { name: "beyond the fund in all", of: beyondFund, write: money, ...lower },
    { name: "paid by the fund for rescues besides", of: (t) => t.rescues, write: money, ...lower },
    { name: "fund at the start", of: (t) => t.fundStart, write: money },
    { name: "fund at its lowest", of: lowestFund, write: money, better: "higher" },
    { name: "fund at the end", of: (t) => t.fundEnd, write: money },
  ],
  liquidations: [
    { name: "accounts liquidated", of: (t) => t.liquidatedAccounts, write: count, ...lower },
    { name: "liquidations", of: (t) => t.liquidations, write: count },
    { name: "slices", of: (t) => t.slices, write: count },
    { name: "liquidated notional", of: (t) => t.liquidatedNotional, write: money, ...lower },
    { name: "minimum that was enough", of: (t) => t.minimumNotional, write: money },
    { name: "liquidated against the minimum", of: overMinimum, write: (v) => `${decimals(v, 2)} ×`, ...lower },
    { name: "penalties paid", of: (t) => t.penalties, write: money, ...lower },
    { name: "of these to the fund", of: (t) => t.penaltiesToFund, write: money },
    { name: "margin calls", of: (t) => t.marginCalls, write: count },
    { name: "calls that owners answered", of: (t) => t.reactions, write: count },
    { name: "largest fall of a price by liquidations", of: (t) => t.peakImpact, write: percent, ...lower },
    { name: "peak use of the lending pool", of: (t) => t.peakUtilisation, write: percent },
  ],
  timing: [
    ...quantiles("breach to first slice", (t) => t.breachToSlice),
    ...quantiles("breach to above MM", (t) => t.breachToCure),
  ],
  takers: [
    { name: "takers' profit", of: (t) => t.takersProfit, write: money },
    { name: "takers' gas", of: (t) => t.takersGas, write: money },
    { name: "transactions that came too late", of: (t) => t.outrun, write: count, ...lower },
  ],
  "margin test": [
    { name: "horizon", of: (t) => t.marginTest.horizon, write: duration },
    { name: "confidence", of: (t) => t.marginTest.confidence, write: percent },
    { name: "windows", of: (t) => t.marginTest.windows, write: count },
    { name: "losses greater than MM", of: (t) => t.marginTest.breaches, write: count, ...lower },
    { name: "as many as the confidence allows", of: allowedBreaches, write: (v) => decimals(v, 1) },
    { name: "Kupiec's likelihood ratio", of: (t) => tested(t, t.marginTest.ratio), write: (v) => decimals(v, 2) },
    { name: "its p-value", of: (t) => tested(t, t.marginTest.pValue), write: pValue },
    { name: "value at risk, 99 %, of MM", of: (t) => tested(t, t.marginTest.valueAtRisk), write: percent, ...lower },
    {
      name: "expected shortfall, 99 %, of MM",
      of: (t) => tested(t, t.marginTest.expectedShortfall),
      write: percent,
      ...lower,
    },
  ],
};

/** Everything that runs are compared by, in groups. */
export function comparisonGroups({ runs }: Comparison): readonly Group[] {
  return Object.entries(MEASURES).map(([title, measures]) => ({
    title,
    rows: measures.map((measure) => rowOf(measure, runs)),
  }));
}

/**
 * The comparison for `table` of the command line: titles and rows.
 *
 *     const { head, rows } = comparisonTable(comparison);
 *     console.log(table(head, rows));
 */
export function comparisonTable(comparison: Comparison): { head: string[]; rows: string[][] } {
  const rows = comparisonGroups(comparison).flatMap(({ title, rows: own }) =>
    own.map(({ name, cells }, i) => [i === 0 ? title : "", name, ...cells.map((cell) => cell.text)]),
  );
  return { head: ["", "", ...comparison.runs.map((run) => `>${run.name}`)], rows };
}

/** The comparison as a table in Markdown, the best of each row in bold. */
export function comparisonMarkdown(comparison: Comparison): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rows = comparisonGroups(comparison).flatMap(({ title, rows: own }) =>
    own.map(({ name, cells }, i) =>
      line([i === 0 ? title : "", name, ...cells.map(({ text, best }) => (best ? `**${text}**` : text))]),
    ),
  );
  const names = comparison.runs.map((run) => run.name);
  return [line(["", "", ...names]), line(["---", "---", ...names.map(() => "---:")]), ...rows, ""].join("\n");
}

/** One line a run with what it follows from and all its totals; columns in alphabetical order after the first seven. */
export function comparisonCsv({ runs }: Comparison): string {
  const lines = runs.map(({ name, policy, latency, seed, accounts, source, scenarioHash, totals }) => ({
    ...{ name, policy, latency, seed, accounts, source, scenarioHash },
    ...Object.fromEntries(flat(totals).sort(([a], [b]) => (a < b ? -1 : 1))),
  }));
  return csv([Object.keys(lines[0] ?? {}), ...lines.map((line) => Object.values(line))]);
}

/** How a run went: a line a minute. */
export function seriesCsv({ series }: RunResult): string {
  const columns: [string, readonly number[]][] = [
    ["time", series.time],
    ...ASSETS.map((asset): [string, readonly number[]] => [`price.${asset}`, series.price[asset]]),
    ...ASSETS.map((asset): [string, readonly number[]] => [`feed.${asset}`, series.feed[asset]]),
    ...PLAIN_SERIES.map((name): [string, readonly number[]] => [name, series[name]]),
  ];
  const lines = series.time.map((_, i) => columns.map(([, values]) => values[i] ?? NaN));
  return csv([columns.map(([name]) => name), ...lines]);
}

const PLAIN_SERIES = [
  ...(["belowMaintenance", "belowInitial", "liquidatedNotional", "penalties"] as const),
  ...(["fund", "deficits", "openInterest", "utilisation"] as const),
] satisfies readonly (keyof Series)[];

/** Canonical JSON (RFC 8785): the same runs give the same bytes. */
export function comparisonJson(comparison: Comparison): string {
  return `${canonicalize(comparison) ?? ""}\n`;
}

/** USD that others than the bankrupt and the fund have paid, or nobody, or would for what is not taken at the end. */
export function beyondFund({ socialised, fromLenders, badDebt, openBeyondFund }: Totals): number {
  return socialised + fromLenders + badDebt + openBeyondFund;
}

/** In a sentence whether losses reached beyond the insurance fund, in which runs and by how much. */
export function verdict({ runs }: Comparison): string {
  const reached = runs.filter(({ totals }) => beyondFund(totals) > 0);
  if (reached.length > 0) {
    const amounts = reached.map(({ name, totals }) => `${name} by ${money(beyondFund(totals))}`);
    return `${reached.length} of ${runs.length} runs reached beyond the insurance fund: ${amounts.join("; ")}.`;
  }
  if (runs.every(({ totals }) => totals.deficits === 0)) return "No account went bankrupt in any run.";
  const [most, amount] = runs
    .map(({ name, totals }) => [name, totals.fromFund + totals.rescues + totals.openDeficits] as const)
    .reduce((a, b) => (b[1] > a[1] ? b : a));
  return `No run reached beyond the insurance fund: it has paid, or has to, at most ${money(amount)} (${most}).`;
}

// ---------------------------------------------------------------- measures

function rowOf({ name, of, write, better }: Measure, runs: readonly RunResult[]): Row {
  const values = runs.map((run) => of(run.totals, run));
  const known = values.filter((value) => value !== undefined);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const best = better === "higher" ? most : least;
  const marked = better !== undefined && least !== most;
  return {
    name,
    cells: values.map((value) => ({
      text: value === undefined ? NONE : write(value),
      best: marked && value === best,
    })),
  };
}

function quantiles(name: string, of: (totals: Totals) => Quantiles): Measure[] {
  const at = (part: string, pick: (q: Quantiles) => number): Measure => ({
    name: `${name}, ${part}`,
    of: (totals) => (of(totals).count === 0 ? undefined : pick(of(totals))),
    write: duration,
    ...lower,
  });
  return [at("median", (q) => q.p50), at("90 %", (q) => q.p90), at("99 %", (q) => q.p99), at("longest", (q) => q.max)];
}

function lowestFund({ fundStart }: Totals, { series }: RunResult): number {
  return series.fund.reduce((a, b) => Math.min(a, b), fundStart);
}

function overMinimum({ liquidatedNotional, minimumNotional }: Totals): number | undefined {
  return minimumNotional === 0 ? undefined : liquidatedNotional / minimumNotional;
}

function allowedBreaches({ marginTest }: Totals): number {
  return marginTest.windows * (1 - marginTest.confidence);
}

/** Kupiec's test says nothing without windows. */
function tested({ marginTest }: Totals, value: number): number | undefined {
  return marginTest.windows === 0 ? undefined : value;
}

// ---------------------------------------------------------------- writing

/** USD, with cents where they matter. */
export function money(value: number): string {
  const size = Math.abs(value);
  return `${value < 0 ? "−" : ""}$${decimals(size, size > 0 && size < 100 ? 2 : 0)}`;
}

/** A number of things. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A share, 0 to 1. */
export function percent(value: number): string {
  return `${decimals(value * 100, 2)} %`;
}

function pValue(value: number): string {
  return value < LEAST_P_VALUE ? `< ${LEAST_P_VALUE}` : decimals(value, 3);
}

/** A time [s] in its two largest units. */
export function duration(value: number): string {
  const [hours, minutes] = [Math.floor(value / HOUR), Math.floor((value % HOUR) / MINUTE)];
  const parts: [number, string][] =
    hours > 0
      ? [
          [hours, "h"],
          [minutes, "min"],
        ]
      : [
          [minutes, "min"],
          [Math.round(value % MINUTE), "s"],
        ];
  const said = parts.filter(([size]) => size > 0).map(([size, unit]) => `${size} ${unit}`);
  return said.length === 0 ? "0 s" : said.join(" ");
}

function decimals(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Numbers of nested objects under names such as `marginTest.ratio`. */
function flat(object: object, prefix = ""): [string, number][] {
  return Object.entries(object).flatMap(([key, value]: [string, number | object]) =>
    typeof value === "object" ? flat(value, `${prefix}${key}.`) : [[prefix + key, value]],
  );
}

/** Lines of comma-separated values (RFC 4180, with line feeds); what is no number is left empty. */
function csv(lines: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number) => {
    if (typeof value === "number") return Number.isFinite(value) ? `${value}` : "";
    return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  };
  return lines.map((line) => `${line.map(cell).join(",")}\n`).join("");
}
