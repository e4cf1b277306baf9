import Table from "cli-table3";

import type { Sighting, Verdict } from "../drill/observer.ts";
import { usd } from "./format.ts";
import type { Finding } from "./invariants.ts";
import type { Fate, Replay } from "./replay.ts";

const PLAIN = { head: [], border: [] };

/** Everything that the terminal shows at the end of a replay. */
export function report(replay: Replay): string {
  return [accounts(replay.fates), totals(replay), invariants(replay.findings)].join("\n");
}

/** What is said about a replay as a whole, in the order in which it is shown. Amounts are USD. */
export function totalsOf({ chronicle: c, fates, ...replay }: Replay): [string, string][] {
  const penalties = c.slices.reduce((sum, slice) => sum + slice.cost, 0n);
  return [
    ["accounts", `${fates.length}`],
    ["fills through signed orders", `${c.trades}`],
    ["accounts that fell below MM", `${replay.sightings.length}`],
    ["of these taken in the pass after it paid, late, missed", verdictsOf(replay.sightings)],
    ["liquidations", `${fates.reduce((sum, f) => sum + f.liquidations, 0)}`],
    ["margin calls", `${c.marginCalls}`],
    ["slices", `${c.slices.length}`],
    ["accounts sold whole", `${fates.filter((f) => f.soldWhole).length}`],
    ["penalties paid", usd(penalties)],
    ["of these to the fund", usd(c.penaltiesToFund)],
    ["trading fees", usd(c.fees)],
    ["of these to fund, treasury, not swept", [c.feesToFund, c.feesToTreasury, replay.openFees].map(usd).join(", ")],
    ["lent and borrowed at the end", [replay.lending.lent, replay.lending.borrowed].map(usd).join(", ")],
    ["interest to the fund: swept, not swept", [c.interestToFund, replay.lending.reserves].map(usd).join(", ")],
    ["fund before", usd(replay.fundStart)],
    ["fund after", usd(replay.fundEnd)],
    ["deficits of bankrupt accounts", usd(c.deficits)],
    ["of these paid by the fund", usd(c.fromFund)],
    ["of these socialised", usd(c.socialised)],
    ["of these borne by lenders", usd(c.fromLenders)],
    ["of these recorded as bad debt", usd(c.badDebtRecorded)],
    ["bad debt at the end", usd(replay.badDebt)],
    ["rescue rewards", usd(c.rescues)],
  ];
}

function verdictsOf(sightings: readonly Sighting[]): string {
  const count = (verdict: Verdict) => sightings.filter(({ verdicts }) => verdicts.includes(verdict)).length;
  return `${count("on time")}, ${count("late")}, ${count("missed")}`;
}

/** How an account ends: what the health table calls it, or that nothing is left of it. */
export function stateOf({ final, soldWhole }: Fate): string {
  const { equity, initialMargin, maintenanceMargin } = final;
  if (soldWhole && maintenanceMargin === 0n) return "sold whole";
  if (equity < 0n) return "bankrupt";
  if (equity < maintenanceMargin) return "liquidatable";
  return equity < initialMargin ? "margin call" : "healthy";
}

function accounts(fates: readonly Fate[]): string {
  const right = { hAlign: "right" } as const;
  const table = new Table({
    head: ["account", "kind", "start equity", "end equity", "liquidations", "slices", "penalties", "state"],
    colAligns: ["left", "left", "right", "right", "right", "right", "right", "left"],
    style: { ...PLAIN, compact: true },
  });
  for (const f of fates) {
    table.push([f.name, f.kind, usd(f.start), usd(f.end), f.liquidations, f.slices, usd(f.penalties), stateOf(f)]);
  }
  const total = (pick: (fate: Fate) => bigint) => usd(fates.reduce((sum, f) => sum + pick(f), 0n));
  const count = (pick: (fate: Fate) => number) => fates.reduce((sum, f) => sum + pick(f), 0);
  table.push([
    { content: "total", colSpan: 2 },
    { content: total((f) => f.start), ...right },
    { content: total((f) => f.end), ...right },
    { content: count((f) => f.liquidations), ...right },
    { content: count((f) => f.slices), ...right },
    { content: total((f) => f.penalties), ...right },
    "",
  ]);
  return table.toString();
}

function totals(replay: Replay): string {
  const table = new Table({ colAligns: ["left", "right"], style: { ...PLAIN, compact: true } });
  table.push(...totalsOf(replay));
  return table.toString();
}

function invariants(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map((f) => f.name.length));
  return findings.map((f) => `${f.holds ? "ok    " : "BROKEN"}  ${f.name.padEnd(width)}  ${f.numbers}`).join("\n");
}
