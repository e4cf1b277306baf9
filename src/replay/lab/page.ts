import { escape } from "../chart.ts";
import { utc } from "../format.ts";
import { header, htmlPage, section } from "../pageAssets.ts";
import { beyondFund, comparisonGroups, duration, verdict } from "./comparison.ts";
import type { Group } from "./comparison.ts";
import { plotStyle, plots, runColor, runId } from "./plots.ts";
import type { Comparison, RunResult } from "./result.ts";

const STYLE = `
.lead{font-size:17px;margin:0 0 4px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:26px 28px;margin-top:10px}
.runs{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:2px 18px;margin:4px 0 0;padding:8px 0;border:0;border-bottom:1px solid var(--grid);background:var(--panel);font-size:13px}
.runs label{display:flex;align-items:center;gap:6px;cursor:pointer}
.runs label:has(input:not(:checked)){color:var(--soft);text-decoration:line-through}
.runs input{margin:0}
.swatch{display:inline-block;flex:none;width:14px;height:4px;border-radius:2px;margin-right:6px;vertical-align:middle}
.sides th,.sides td{padding-right:0;padding-left:18px}
.sides th:first-child{padding-left:0;position:sticky;left:0;background:var(--panel);font-weight:400;color:var(--ink);font-size:13.5px;white-space:normal;min-width:150px}
.sides thead th{text-align:right;vertical-align:bottom;white-space:normal}
.sides th.group{font-weight:600;padding-top:18px;border-bottom:1px solid var(--rule)}
.sides th.group::first-letter{text-transform:uppercase}
tbody tr:last-child th{border-bottom:0}
.best{color:var(--good);font-weight:600}
.scroll{position:relative}
.spoken{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.hash{overflow-wrap:anywhere;font:12px ui-monospace,monospace}
@media (max-width:640px){main{padding:20px 10px 40px}section{padding:16px 14px}.plots text,.plots text.axis{font-size:16px}.plots text[text-anchor=middle]{transform:translateY(6px)}}
`;

/**
 * Runs side by side as one HTML page that needs nothing but itself.
 *
 *     writeFileSync("comparison.html", comparisonPage({ title: "Three policies", runs }));
 */
export function comparisonPage(comparison: Comparison): string {
  const { title, runs } = comparison;
  const parts = [top(comparison), sides(comparison), overTime(runs), whatWasRun(runs)];
  return htmlPage(title, parts.join("\n"), STYLE + plotStyle(runs));
}

function top(comparison: Comparison): string {
  const { title, runs } = comparison;
  const times = runs[0]?.series.time ?? [];
  const facts = [
    ...said(runs, (run) => run.source),
    `${utc(times[0] ?? 0)} to ${utc(times.at(-1) ?? 0)} UTC`,
    ...said(runs, (run) => `${run.accounts.toLocaleString("en-US")} accounts`),
    ...said(runs, (run) => `seed ${run.seed}`),
  ];
  const reached = runs.filter(({ totals }) => beyondFund(totals) > 0).length;
  const word = reached === 0 ? "nothing beyond the fund" : `${reached} of ${runs.length} beyond the fund`;
  const lead = `<p class="lead">${escape(verdict(comparison))}</p>`;
  return `${header(title, facts.join(" · "), reached === 0, word)}\n${lead}`;
}

/** What the runs say, each different thing once. */
function said(runs: readonly RunResult[], what: (run: RunResult) => string): string[] {
  return [...new Set(runs.map(what))];
}

function sides(comparison: Comparison): string {
  const { runs } = comparison;
  const names = runs.map((run, i) => `<th scope="col">${swatch(i)}${escape(run.name)}</th>`).join("");
  const bodies = comparisonGroups(comparison).map((group) => groupBody(group, 1 + runs.length));
  return section(
    "Side by side",
    "",
    `<div class="scroll" tabindex="0" role="region" aria-label="Side by side"><table class="sides"><thead><tr><th scope="col"><span class="spoken">measure</span></th>${names}</tr></thead>${bodies.join("")}</table></div>`,
    'Amounts in USD. <span class="best">Green</span>: the best of the runs, where it is clear what is better.',
  );
}

function groupBody({ title, rows }: Group, columns: number): string {
  const lines = rows.map(({ name, cells }) => {
    const values = cells.map(({ text, best }) =>
      best
        ? `<td class="n best">${escape(text)}<span class="spoken"> (best)</span></td>`
        : `<td class="n">${escape(text)}</td>`,
    );
    return `<tr><th scope="row">${escape(name)}</th>${values.join("")}</tr>`;
  });
  return `<tbody><tr><th class="group" scope="rowgroup" colspan="${columns}">${escape(title)}</th></tr>${lines.join("")}</tbody>`;
}

function overTime(runs: readonly RunResult[]): string {
  const ticks = runs.map(
    (run, i) => `<label><input type="checkbox" id="${runId(i)}" checked>${swatch(i)}${escape(run.name)}</label>`,
  );
  return section(
    "Over time",
    "",
    `<fieldset class="runs"><legend class="spoken">Runs that the plots show</legend>${ticks.join("")}</fieldset><div class="plots">${plots(runs)}</div>`,
    "Untick a run to hide it; axes that begin at zero stretch to what is left. Lines are thinned: of each stretch of minutes they keep the first, the lowest and the highest value, and the cursor reads values some minutes apart. JSON and CSV hold every minute.",
  );
}

function whatWasRun(runs: readonly RunResult[]): string {
  const rows = runs.map(
    (run, i) =>
      `<tr><th scope="row">${swatch(i)}${escape(run.name)}</th><td>${escape(run.policy)}</td><td class="n">${duration(run.latency)}</td><td class="n">${run.totals.blocks.toLocaleString("en-US")}</td><td class="n">${run.totals.transactions.toLocaleString("en-US")}</td><td class="hash">${escape(run.scenarioHash)}</td></tr>`,
  );
  const head = `<tr><th scope="col">run</th><th scope="col">policy</th><th scope="col" class="n">latency</th><th scope="col" class="n">blocks</th><th scope="col" class="n">transactions</th><th scope="col">hash of the scenario</th></tr>`;
  return section(
    "What was run",
    "",
    `<div class="scroll" tabindex="0" role="region" aria-label="What was run"><table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table></div>`,
    "A run follows from its scenario, the prices and the seed alone: the same three give the same numbers.",
  );
}

function swatch(index: number): string {
  return `<i class="swatch" style="background:var(${runColor(index)})"></i>`;
}
