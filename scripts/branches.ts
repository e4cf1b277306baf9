/** Branch coverage of the contracts by the Solidity tests, from forge's report: what is reached per file, and what is not. */
import { readFileSync } from "node:fs";

import Table from "cli-table3";

const [report = "out/branches.info", least = "95"] = process.argv.slice(2);

const table = new Table({ head: ["file", "branches", "reached", "%", "lines not reached"] });
const percent = (reached: number, all: number): string => (all === 0 ? "" : ((100 * reached) / all).toFixed(1));
let [sum, sumReached] = [0, 0];
for (const record of readFileSync(report, "utf8").split("end_of_record")) {
  const file = /^SF:(.*)$/m.exec(record)?.[1] ?? "";
  if (!file.startsWith("contracts/") || file.startsWith("contracts/mocks/")) continue;
  const branches = [...record.matchAll(/^BRDA:(\d+),\d+,\d+,(\S+)$/gm)].map(([, line = "", hits = ""]) => ({
    line,
    hits,
  }));
  const missed = branches.filter(({ hits }) => hits === "-" || hits === "0").map(({ line }) => line);
  const reached = branches.length - missed.length;
  if (branches.length > 0)
    table.push([file, branches.length, reached, percent(reached, branches.length), missed.join(" ")]);
  sum += branches.length;
  sumReached += reached;
}
table.push(["all", sum, sumReached, percent(sumReached, sum), ""]);
console.log(table.toString());
if (100 * sumReached < Number(least) * sum) process.exitCode = 1;
