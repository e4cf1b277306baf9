import { escape, lineChart } from "../chart.ts";
import type { ChartOptions, Line } from "../chart.ts";
import { ASSETS } from "../path.ts";
import type { Asset } from "../path.ts";
import { count, money, percent } from "./comparison.ts";
import type { RunResult } from "./result.ts";

const WIDTH = 560;
const HEIGHT = 220;

/** What an axis measures, and how its values are told to readers who cannot see the lines. */
const AXES = {
  usd: { axis: "USD", write: money },
  count: { axis: "accounts", write: count },
  share: { axis: "of what is lent", write: (value: number) => percent(value / 100) },
} as const;

/** Each `[light, dark]`; a thirteenth run begins again. */
const COLORS = [
  ["#1d6fb8", "#5ab0f5"],
  ["#d97706", "#f5a742"],
  ["#15803d", "#4ade80"],
  ["#dc2626", "#f87171"],
  ["#7c3aed", "#b69cff"],
  ["#0d9488", "#2dd4bf"],
  ["#db2777", "#f472b6"],
  ["#92400e", "#d6a16b"],
  ["#64748b", "#94a3b8"],
  ["#65a30d", "#a3e635"],
  ["#0891b2", "#22d3ee"],
  ["#3730a3", "#818cf8"],
] as const;

/** What is drawn of a run in one plot, and with dashes beside it. */
interface Plot {
  readonly title: string;
  readonly unit: keyof typeof AXES;
  readonly values: (run: RunResult) => readonly number[];
  readonly beside?: { readonly name: string; readonly values: (run: RunResult) => readonly number[] };
  readonly fromZero: boolean;
}

const PLOTS: readonly Plot[] = [
  ...ASSETS.map(priceOf),
  { title: "Accounts below MM", unit: "count", values: ({ series }) => series.belowMaintenance, fromZero: true },
  {
    title: "Liquidated notional so far (dashed: the minimum)",
    unit: "usd",
    values: ({ series }) => series.liquidatedNotional,
    beside: { name: "minimum", values: ({ series, totals }) => series.time.map(() => totals.minimumNotional) },
    fromZero: true,
  },
  { title: "Penalties so far", unit: "usd", values: ({ series }) => series.penalties, fromZero: true },
  {
    title: "Insurance fund, change since the start",
    unit: "usd",
    values: ({ series, totals }) => series.fund.map((cash) => cash - totals.fundStart),
    fromZero: true,
  },
  {
    title: "Deficits so far, and of accounts below zero",
    unit: "usd",
    values: ({ series }) => series.deficits,
    fromZero: true,
  },
  {
    title: "Use of the lending pool",
    unit: "share",
    values: ({ series }) => series.utilisation.map((share) => share * 100),
    fromZero: true,
  },
];

/** How the runs went, all in each plot. */
export function plots(runs: readonly RunResult[]): string {
  return PLOTS.map(
    (plot) => `<div class="panel"><h3>${escape(plot.title)}</h3>${lineChart(chartOf(plot, runs))}</div>`,
  ).join("\n");
}

/** Name of the run's lines, and id of the checkbox that shows them. */
export function runId(index: number): string {
  return `run-${index}`;
}

/** CSS variable of a run's colour. */
export function runColor(index: number): string {
  return `--color-${index % COLORS.length}`;
}

/** The colours of the runs, light and dark, and what hides the lines of those that are not ticked. */
export function plotStyle(runs: readonly RunResult[]): string {
  const colors = (shade: 0 | 1) => COLORS.map((pair, i) => `${runColor(i)}:${pair[shade]}`).join(";");
  const hide = runs.map((_, i) => `main:has(#${runId(i)}:not(:checked)) .${runId(i)}{display:none}`).join("\n");
  return `:root{${colors(0)}}\n@media (prefers-color-scheme:dark){:root{${colors(1)}}}\n${hide}\n`;
}

function priceOf(asset: Asset): Plot {
  return {
    title: `Price of ${asset} (dashed: what the feed says)`,
    unit: "usd",
    values: ({ series }) => series.price[asset],
    beside: { name: "feed", values: ({ series }) => series.feed[asset] },
    fromZero: false,
  };
}

function chartOf({ title, unit, values, beside, fromZero }: Plot, runs: readonly RunResult[]): ChartOptions {
  const lines = runs.flatMap((run, i): Line[] => {
    const own = { color: runColor(i), group: runId(i) };
    const line = { ...own, name: run.name, values: values(run) };
    if (beside === undefined) return [line];
    return [line, { ...own, name: `${run.name}, ${beside.name}`, values: beside.values(run), dashed: true }];
  });
  return {
    ...{
      title: `${title}: ${runs.map((run) => `${run.name} ${span(values(run), unit)}`).join("; ")}`,
      axis: AXES[unit].axis,
    },
    ...{ times: runs[0]?.series.time ?? [], lines, unit, width: WIDTH, height: HEIGHT },
    ...{ fromZero, zooms: fromZero },
  };
}

/** For readers who cannot see the line. */
function span(values: readonly number[], unit: keyof typeof AXES): string {
  const { write } = AXES[unit];
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return `between ${write(low)} and ${write(high)}`;
}
