import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Command } from "commander";

import { DEFENCES } from "./defences.ts";
import type { Removal } from "./defences.ts";
import { BuildFailed, buildHouse, copyHouse, runForge, runMocha } from "./house.ts";
import type { Outcome } from "./house.ts";
import { PlantingFailed, plant } from "./plant.ts";
import type { Mutant } from "./schemata.ts";

const HOUSE = "out/mutation/attacks";
const LIMIT = 600_000; // [ms] for one run of tests

function mutantOf(id: number, name: string, { file, text, put, after }: Removal): Mutant {
  const source = readFileSync(file, "utf8");
  const start = source.indexOf(text, after === undefined ? 0 : source.indexOf(after));
  const line = source.slice(0, start).split("\n").length;
  return { id, hash: name, file, operator: "removed", line, start, end: start + text.length, replacement: put };
}

/** A copy of the house with every defence in it, each gone while its number, from 1, is the block's coinbase. */
function plantAll(): void {
  const mutants = DEFENCES.flatMap(({ name, removals }, i) => removals.map((r) => mutantOf(i + 1, name, r)));
  copyHouse(HOUSE);
  for (const file of new Set(mutants.map((m) => m.file))) {
    const { text, refused } = plant(
      file,
      mutants.filter((m) => m.file === file),
    );
    if (refused.length !== 0) throw new PlantingFailed(file, refused.map((m) => m.hash).join(", "));
    writeFileSync(join(HOUSE, file), text);
  }
  buildHouse(HOUSE);
}

const isTypeScript = (test: string) => test.includes(".ts: ");

/** Runs tests, all of one kind, while defence `id` is gone (0: none). */
function run(id: number, tests: readonly string[]): Promise<Outcome> {
  const parts = tests.map((test) => test.split(isTypeScript(test) ? ": " : "."));
  const [places, names] = [0, 1].map((at) => [...new Set(parts.map((part) => part[at] ?? ""))]) as [string[], string[]];
  if (tests.every(isTypeScript)) {
    const titles = names.map((title) => title.replaceAll(/\W/g, "."));
    return runMocha(HOUSE, id, places, LIMIT, titles.join("|"));
  }
  return runForge(HOUSE, id, `^(${places.join("|")})$`, LIMIT, `^(${names.join("|")})\\(`);
}

const { built } = new Command("attacks")
  .description(
    "Removes every defence that docs/security.md names, one at a time, and runs the test that must then fail.",
  )
  .option("--built", "in the house that the last run built", false)
  .parse()
  .opts<{ built: boolean }>();

if (!built) plantAll();
const tests = Map.groupBy(new Set(DEFENCES.map(({ test }) => test)), isTypeScript);
for (const some of tests.values()) {
  if ((await run(0, some)) !== "passed") throw new BuildFailed(`with every defence in place: ${some.join(", ")}`);
}
let survivors = 0;
for (const [i, { name, test }] of DEFENCES.entries()) {
  const outcome = await run(i + 1, [test]);
  if (outcome === "passed") ++survivors;
  console.log(`${outcome === "passed" ? "NOT NOTICED" : "noticed"}  ${name}: ${test}`);
}
console.log(`${DEFENCES.length - survivors} of ${DEFENCES.length} removals noticed`);
process.exitCode = survivors === 0 ? 0 : 1;
