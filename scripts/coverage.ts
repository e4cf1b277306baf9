/**
 * Coverage of the contracts by the Solidity tests, from forge's report: lines and branches per file, and those not reached. Lines of
 * assembly are left out: forge does not see them.
 */
import { readFileSync } from "node:fs";

import Table from "cli-table3";

const [report = "out/coverage.info", leastLines = "98", leastBranches = "95"] = process.argv.slice(2);

/** How often each line, or each branch by its line, was reached. */
type Hits = readonly { readonly line: string; readonly hit: boolean }[];

function hits(record: string, pattern: RegExp): Hits {
  return [...record.matchAll(pattern)].map(([, line = "", count = "0"]) => ({
    line,
    hit: count !== "0" && count !== "-",
  }));
}

const reached = (list: Hits): number => list.filter(({ hit }) => hit).length;
const missed = (list: Hits): string => list.flatMap(({ line, hit }) => (hit ? [] : [line])).join(" ");
const percent = (list: Hits): number => (list.length === 0 ? 100 : (100 * reached(list)) / list.length);
const cells = (list: Hits): string[] => [`${reached(list)} of ${list.length}`, percent(list).toFixed(1)];

/** Numbers of the lines inside assembly blocks. */
function assembly(file: string): Set<string> {
  const inside = new Set<string>();
  let end: string | undefined;
  for (const [i, text] of readFileSync(file, "utf8").split("\n").entries()) {
    if (end === undefined) {
      if (/^\s*assembly\b.*\{$/.test(text)) end = `${/^\s*/.exec(text)?.[0] ?? ""}}`;
    } else if (text === end) end = undefined;
    else inside.add(String(i + 1));
  }
  return inside;
}

const table = new Table({ head: ["file", "lines", "%", "branches", "%", "lines not reached", "branches not reached"] });
const all: { lines: Hits; branches: Hits } = { lines: [], branches: [] };
for (const record of readFileSync(report, "utf8").split("end_of_record")) {
  const file = /^SF:(.*)$/m.exec(record)?.[1] ?? "";
  if (!file.startsWith("contracts/") || file.startsWith("contracts/mocks/")) continue;
  const unseen = assembly(file);
  const lines = hits(record, /^DA:(\d+),(\d+)/gm).filter(({ line }) => !unseen.has(line));
  const branches = hits(record, /^BRDA:(\d+),\d+,\d+,(\S+)$/gm);
  table.push([file, ...cells(lines), ...cells(branches), missed(lines), missed(branches)]);
  all.lines = [...all.lines, ...lines];
  all.branches = [...all.branches, ...branches];
}
table.push(["all", ...cells(all.lines), ...cells(all.branches), "", ""]);
console.log(table.toString());
if (percent(all.lines) < Number(leastLines) || percent(all.branches) < Number(leastBranches)) process.exitCode = 1;
