import { barChart, escape, lineChart } from "./chart.ts";
import type { Mark } from "./chart.ts";
import { answerToNumber, toNumber, usd, utc, wholeUsd } from "./format.ts";
import { header, htmlPage, section } from "./pageAssets.ts";
import { ASSETS } from "./path.ts";
import type { Asset } from "./path.ts";
import { stateOf, totalsOf } from "./report.ts";
import type { Fate, Replay, Track } from "./replay.ts";

const WIDE = 1120;
const NARROW = 380;
const BUCKETS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400]; // [s] that one bar can stand for
const MOST_BARS = 120;

const COLORS: Readonly<Record<Asset, string>> = { ETH: "--eth", BTC: "--btc" };

const STORIES: Readonly<Record<string, string>> = {
  long: "Long one market on cash",
  short: "Short one market on cash",
  cross: "Both markets on one account",
  isolated: "One market, sealed off from its owner's other account",
  hedged: "Spot against a short perpetual",
  "wrong-way": "A long on nothing but its own underlying",
  "several collaterals": "Cash, WETH and WBTC behind both markets",
  borrower: "Spot bought on debt",
  staker: "Staked ether with a perpetual",
  lender: "Lends cash, and may trade on it",
  "market maker": "Takes the other side of everybody",
  keeper: "Takes over slices and hedges them",
};

/** A replay as one HTML page that needs nothing but itself. */
export function page(replay: Replay): string {
  const parts = [top, cards, overview, tracks, invariants, totals, accounts].map((part) => part(replay));
  return htmlPage(`Plimsoll replay: ${replay.path.source}`, parts.join("\n"));
}

function top({ path, fates, findings, blocks }: Replay): string {
  const from = utc(path.times[0] ?? 0);
  const to = utc(path.times.at(-1) ?? 0);
  const broken = findings.filter((f) => !f.holds).length;
  const facts = `${path.source} · ${from} to ${to} UTC · ${path.times.length.toLocaleString("en-US")} minutes · ${fates.length} accounts · ${blocks.toLocaleString("en-US")} blocks`;
  const verdict =
    broken === 0 ? `all ${findings.length} invariants hold` : `${broken} of ${findings.length} invariants broken`;
  return header("Plimsoll replay", facts, broken === 0, verdict);
}

function cards(replay: Replay): string {
  const { chronicle, fates, fundStart, fundEnd, path } = replay;
  const penalties = chronicle.slices.reduce((sum, s) => sum + s.cost, 0n);
  const liquidations = fates.reduce((sum, f) => sum + f.liquidations, 0);
  const change = fundEnd - fundStart;
  const fall = (asset: Asset) => {
    const prices = path.prices[asset].map(answerToNumber);
    const [first = 1] = prices;
    const low = prices.reduce((a, b) => Math.min(a, b), first);
    const text = `${((low / first - 1) * 100).toFixed(1)} %`;
    return card(`${asset} at its low`, text, `$${number(first)} → $${number(low)}`);
  };
  return `<section class="cards">${[
    ...ASSETS.map(fall),
    card(
      "liquidations",
      `${liquidations}`,
      `${chronicle.marginCalls} margin calls, ${chronicle.slices.length} slices, ${fates.filter((f) => f.soldWhole).length} accounts sold whole`,
    ),
    card("penalties", `$${wholeUsd(penalties)}`, `$${wholeUsd(chronicle.penaltiesToFund)} of it to the fund`),
    card(
      "insurance fund",
      `${change < 0n ? "−" : "+"}$${wholeUsd(change < 0n ? -change : change)}`,
      `$${wholeUsd(fundStart)} → $${wholeUsd(fundEnd)}`,
    ),
    card(
      "bad debt",
      `$${wholeUsd(replay.badDebt)}`,
      `$${wholeUsd(chronicle.deficits)} of deficits, $${wholeUsd(chronicle.socialised)} socialised`,
    ),
  ].join("")}</section>`;
}

function card(label: string, value: string, note: string): string {
  return `<div class="card"><span>${label}</span><strong>${value}</strong><small>${note}</small></div>`;
}

function overview({ path, chronicle, fund, regime }: Replay): string {
  const { times } = path;
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const bucket = BUCKETS.find((b) => span / b <= MOST_BARS) ?? span;
  const prices = lineChart({
    title: "Prices of ETH and BTC against their first ones",
    axis: "change since the first minute",
    times,
    width: WIDE,
    height: 260,
    unit: "percent",
    lines: ASSETS.map((asset) => {
      const values = path.prices[asset].map(answerToNumber);
      const [first = 1] = values;
      return { name: asset, color: COLORS[asset], values: values.map((v) => (v / first - 1) * 100) };
    }),
  });
  const factors = lineChart({
    title: "Volatility regime of ETH and BTC",
    axis: "volatility regime: factor of the maintenance requirement",
    times,
    width: WIDE,
    height: 130,
    unit: "factor",
    lines: ASSETS.map((asset) => ({ name: asset, color: COLORS[asset], values: regime[asset] })),
  });
  const slices = barChart(
    {
      title: "Slices over time",
      axis: `slices sold in ${bucket / 60} minutes`,
      times,
      width: WIDE,
      height: 150,
      unit: "usd",
    },
    chronicle.slices.map((s) => s.time),
    bucket,
  );
  const cash = lineChart({
    title: "Cash of the insurance fund",
    axis: "cash of the insurance fund",
    times,
    width: WIDE,
    height: 170,
    unit: "usd",
    lines: [{ name: "fund", color: "--fund", values: fund.map(toNumber) }],
  });
  return section(
    "The crash",
    legend([
      ["--eth", "ETH"],
      ["--btc", "BTC"],
      ["--bar", "slices"],
      ["--fund", "insurance fund"],
    ]),
    `<div class="stack">${prices}${factors}${slices}${cash}</div>`,
  );
}

function tracks({ tracks: list, path, chronicle }: Replay): string {
  const panels = list.map((track) => {
    const { fate } = track;
    const marks: Mark[] = chronicle.slices
      .filter((s) => s.account === fate.id)
      .map((s) => ({
        time: s.time,
        label: `${utc(s.time)}: ${percent(s.fraction)} sold for a penalty of $${usd(s.cost)}`,
      }));
    return `<div class="panel"><h3><span>${escape(fate.kind)}</span><em>${escape(fate.name)}</em></h3><p>${STORIES[fate.kind] ?? ""}<br>${fateLine(fate)}</p>${trackChart(track, path.times, marks)}</div>`;
  });
  return section(
    "Equity against the maintenance line",
    legend([
      ["--equity", "equity E"],
      ["--line", "maintenance margin MM"],
      ["--mark", "slice sold"],
    ]),
    `<div class="panels">${panels.join("")}</div>`,
    "Of each kind the account that was sliced most. Where E meets MM, a slice is sold; each lands the rest of the account back at its initial margin.",
  );
}

function trackChart({ fate, equity, maintenance }: Track, times: readonly number[], marks: readonly Mark[]): string {
  return lineChart({
    title: `Equity and maintenance margin of ${fate.name}`,
    axis: "USD",
    times,
    width: NARROW,
    height: 210,
    unit: "usd",
    fromZero: true,
    marks,
    lines: [
      { name: "E", color: "--equity", values: equity.map(toNumber) },
      { name: "MM", color: "--line", values: maintenance.map(toNumber), filled: true },
    ],
  });
}

function fateLine(fate: Fate): string {
  const slices =
    fate.slices === 0 ? "never sliced" : `${fate.slices} slices, $${wholeUsd(fate.penalties)} of penalties`;
  return `$${wholeUsd(fate.start)} → $${wholeUsd(fate.end)}, ${slices}`;
}

function invariants({ findings }: Replay): string {
  const rows = findings.map(
    (f) =>
      `<tr><td><span class="verdict ${f.holds ? "good" : "bad"}">${f.holds ? "ok" : "BROKEN"}</span></td><td>${escape(f.name)}</td><td class="numbers">${escape(f.numbers)}</td></tr>`,
  );
  return section(
    "Invariants at the end",
    "",
    `<div class="scroll"><table><tbody>${rows.join("")}</tbody></table></div>`,
  );
}

function totals(replay: Replay): string {
  const rows = totalsOf(replay).map(([name, value]) => `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`);
  return section("Totals", "", `<dl>${rows.join("")}</dl>`, "Amounts in USD.");
}

function accounts({ fates }: Replay): string {
  const rows = fates.map((f) => {
    const cells = [usd(f.start), usd(f.end), `${f.liquidations}`, `${f.slices}`, usd(f.penalties)];
    const state = stateOf(f);
    return `<tr><td>${escape(f.name)}</td><td>${escape(f.kind)}</td>${cells.map((c) => `<td class="n">${c}</td>`).join("")}<td><span class="state ${state.replace(/ /g, "-")}">${state}</span></td></tr>`;
  });
  const head = ["account", "kind", "start equity", "end equity", "liquidations", "slices", "penalties", "state"];
  const cells = head.map((h, i) => `<th${i >= 2 && i <= 6 ? ' class="n"' : ""}>${h}</th>`).join("");
  return section(
    "Accounts",
    "",
    `<div class="scroll"><table><thead><tr>${cells}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`,
  );
}

function legend(entries: readonly (readonly [string, string])[]): string {
  return `<ul class="legend">${entries.map(([color, name]) => `<li><i style="background:var(${color})"></i>${name}</li>`).join("")}</ul>`;
}

function percent(fraction: bigint): string {
  return `${(toNumber(fraction) * 100).toFixed(1)} %`;
}

function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}
