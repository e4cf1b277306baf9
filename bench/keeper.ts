/** How fast the keeper is: on a real node with 20,000 accounts, and by itself with a million. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import Table from "cli-table3";

import { decisions, restart, SAVED, saveAccounts } from "./keeper/million.ts";
import { reactions } from "./keeper/node.ts";

const ACCOUNTS = Number(process.env.BENCH_ACCOUNTS ?? 1_000_000);
const ON_CHAIN = Number(process.env.BENCH_ON_CHAIN ?? 20_000);

const table = new Table({ head: ["what", "accounts", "p50", "p99", "peak memory"] });
const ms = (value: number) => `${value.toFixed(1)} ms`;

/** Runs a part in a process of its own, so that its memory is its own; answers what it prints last. */
function apart(...args: string[]): Record<string, number> {
  const flags = ["--max-old-space-size=4096", "--import", "tsx", import.meta.filename];
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Record<string, number>;
}

const [part, folder = ""] = process.argv.slice(2);
if (part === "decide") console.log(JSON.stringify(decisions(ACCOUNTS)));
else if (part === "save") console.log(JSON.stringify(await saveAccounts(folder, ACCOUNTS)));
else if (part === "restart") console.log(JSON.stringify(await restart(folder)));
else {
  const count = (n: number) => n.toLocaleString("en");
  const memory = (bytes = 0) => `${(bytes / 1e9).toFixed(2)} GB`;
  const decided = apart("decide");
  table.push([
    ...[
      `decision at a new price: ${(decided.mean ?? 0).toFixed(0)} accounts become liquidatable, at most ${decided.most ?? 0}`,
      count(ACCOUNTS),
    ],
    ...[ms(decided.p50 ?? 0), ms(decided.p99 ?? 0), memory(decided.memory)],
  ]);
  const saved = mkdtempSync(path.join(tmpdir(), "bench-"));
  try {
    apart("save", path.join(saved, SAVED));
    const { seconds = 0, memory: used } = apart("restart", path.join(saved, SAVED));
    table.push([
      "restart from a checkpoint, until all are watched",
      count(ACCOUNTS),
      `${seconds.toFixed(1)} s`,
      "",
      memory(used),
    ]);
  } finally {
    rmSync(saved, { recursive: true, force: true });
  }
  const { sent, taken, liquidations, memory: used } = await reactions(ON_CHAIN);
  const what = `block with a price on anvil to the liquidation that it calls for: ${liquidations} of them`;
  table.push([`${what}, sent`, count(ON_CHAIN), ms(sent.p50), ms(sent.p99), memory(used)]);
  table.push([
    "the same, until the node has answered that it has it",
    count(ON_CHAIN),
    ms(taken.p50),
    ms(taken.p99),
    "",
  ]);
  console.log(table.toString());
  process.exit();
}
