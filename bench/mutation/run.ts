import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import Table from "cli-table3";
import { Command, InvalidArgumentError } from "commander";

import { generator } from "../../src/replay/synthetic.ts";
import { BuildFailed, buildHouse, copyHouse, runForge, runMocha } from "./house.ts";
import type { Outcome } from "./house.ts";
import { sumoMutants } from "./mutants.ts";
import { plant } from "./plant.ts";
import type { Mutant } from "./schemata.ts";

interface Tests {
  /** TypeScript test files, those that kill most first. */
  readonly mocha: readonly string[];
  /** Solidity test contracts, as a regular expression. */
  readonly forge: string;
}

interface Result extends Mutant {
  readonly outcome: "killed" | "survived" | "stillborn";
  readonly by: string;
  readonly seconds: number;
}

const FOLDER = "out/mutation";
const MUTANTS = join(FOLDER, "mutants.json");
const RESULTS = join(FOLDER, "results.json");
const LIMIT = 100_000; // [ms] for the tests of one mutant in one language
const LIMIT_OF_ALL = 900_000; // [ms] for all tests without a mutant
const unit = (names: string): string[] => names.split(" ").map((name) => `test/unit/${name}.test.ts`);
const risk = (names: string): string[] => names.split(" ").map((name) => `test/risk/${name}.test.ts`);
const LEDGER = "Attacks|Bypass|Details|EdgeCases|Guards|HealthTable";
const library = (name: string): string => `contracts/libraries/${name}.sol`;

/** Whose mutants are tested with what. */
const TESTS: Record<string, Tests> = {
  "contracts/RiskEngine.sol": {
    mocha: [...unit("engine"), ...risk("vectors oracles surcharge")],
    forge: "Attacks|Guards",
  },
  [library("Auctions")]: { mocha: unit("liquidation margincall observed"), forge: LEDGER },
  [library("Funding")]: { mocha: [...unit("trade"), ...risk("funding ledger")], forge: LEDGER },
  [library("Health")]: { mocha: unit("health withdraw batch trade surcharge"), forge: LEDGER },
  [library("Ledger")]: {
    mocha: [...unit("trade batch lending outflow"), ...risk("ledger")],
    forge: `${LEDGER}|Outflows`,
  },
  [library("Lending")]: { mocha: [...unit("lending"), ...risk("lending borrowing")], forge: LEDGER },
  [library("Liquidation")]: { mocha: unit("liquidation observed"), forge: LEDGER },
  [library("Margin")]: { mocha: unit("health collateral degraded stale outflow"), forge: LEDGER },
  [library("Pools")]: { mocha: [...unit("settle liquidation"), ...risk("ledger")], forge: LEDGER },
  [library("Positions")]: { mocha: [...unit("trade settle"), ...risk("ledger")], forge: LEDGER },
  [library("Trading")]: { mocha: unit("trade stale degraded fund surcharge"), forge: LEDGER },
  [library("Waterfall")]: { mocha: unit("liquidation settle"), forge: LEDGER },
};
const TARGETS = Object.keys(TESTS);

function testsOf(file: string): Tests {
  return TESTS[file] ?? { mocha: [], forge: LEDGER };
}

function sample(mutants: readonly Mutant[], size: number, seed: number): Mutant[] {
  const next = generator(seed);
  const drawn = mutants.map((mutant) => ({ mutant, at: next() })).sort((a, b) => a.at - b.at);
  return drawn.slice(0, size).map((d) => d.mutant);
}

/** The first test run that notices mutant `id`, if any does. */
async function killer(house: string, id: number, tests: Tests, limit: number): Promise<string | undefined> {
  const runs: [string, () => Promise<Outcome>][] = [
    ["Solidity", () => runForge(house, id, tests.forge, limit)],
    ["TypeScript", () => runMocha(house, id, tests.mocha, limit)],
  ];
  for (const [name, test] of runs) {
    const outcome = await test();
    if (outcome !== "passed") return outcome === "failed" ? name : `${name}, timed out`;
  }
  return undefined;
}

/** The mutants that have no result yet, one after another from the same list by several workers. */
async function hunt(house: string, mutants: readonly Mutant[], results: Result[], workers: number): Promise<void> {
  const known = new Set(results.map((r) => r.hash));
  const queue = mutants.filter((m) => !known.has(m.hash));
  const work = async (): Promise<void> => {
    for (let m = queue.shift(); m !== undefined; m = queue.shift()) {
      const start = Date.now();
      const by = await killer(house, m.id, testsOf(m.file), LIMIT);
      const seconds = (Date.now() - start) / 1000;
      results.push({ ...m, outcome: by === undefined ? "survived" : "killed", by: by ?? "", seconds });
      writeFileSync(RESULTS, JSON.stringify(results, null, 1));
      console.log(`${results.length}/${mutants.length} ${describe(m)}: ${by ?? "SURVIVED"} (${seconds.toFixed(0)} s)`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
}

function describe(m: Mutant): string {
  const original = readFileSync(m.file, "utf8").slice(m.start, m.end);
  const shorten = (text: string): string => text.replace(/\s+/g, " ").slice(0, 60);
  return `${m.hash} ${m.file}:${m.line} ${m.operator} "${shorten(original)}" → "${shorten(m.replacement)}"`;
}

function report(results: readonly Result[]): void {
  const table = new Table({ head: ["file", "mutants", "stillborn", "killed", "survived", "killed of the living"] });
  const row = (name: string, of: readonly Result[]): void => {
    const count = (outcome: Result["outcome"]): number => of.filter((r) => r.outcome === outcome).length;
    const [killed, survived] = [count("killed"), count("survived")];
    const score = `${((100 * killed) / Math.max(1, killed + survived)).toFixed(1)} %`;
    table.push([name, of.length, count("stillborn"), killed, survived, score]);
  };
  for (const file of TARGETS)
    row(
      file,
      results.filter((r) => r.file === file),
    );
  row("all", results);
  console.log(table.toString());
  for (const r of results) if (r.outcome === "survived") console.log(describe(r));
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("a whole number");
  return value;
}

const options = new Command("mutation")
  .description("Mutation testing of the risk engine, the ledger's arithmetic and liquidation with SuMo's mutants.")
  .option("--sample <n>", "how many mutants, drawn at random", whole, 200)
  .option("--seed <n>", "of the draw", whole, 1)
  .option("--workers <n>", "mutants tested at the same time", whole, 2)
  .option("--survivors", "test those again that survived, in the house that is built", false)
  .option("--resume", "go on in the house that the last run built", false)
  .parse()
  .opts<{ sample: number; seed: number; workers: number; survivors: boolean; resume: boolean }>();

const house = join(FOLDER, "house");
if (!options.resume && !options.survivors) {
  const drawn = sample(sumoMutants(join(FOLDER, "sumo"), TARGETS), options.sample, options.seed);
  copyHouse(house);
  const stillborn: Mutant[] = [];
  for (const file of TARGETS) {
    const { text, refused } = plant(
      file,
      drawn.filter((m) => m.file === file),
    );
    writeFileSync(join(house, file), text);
    stillborn.push(...refused);
  }
  buildHouse(house);
  const results = stillborn.map((m): Result => ({ ...m, outcome: "stillborn", by: "compiler", seconds: 0 }));
  writeFileSync(MUTANTS, JSON.stringify(drawn, null, 1));
  writeFileSync(RESULTS, JSON.stringify(results, null, 1));
}
const mutants = JSON.parse(readFileSync(MUTANTS, "utf8")) as Mutant[];
const before = JSON.parse(readFileSync(RESULTS, "utf8")) as Result[];
const results = options.survivors ? before.filter((r) => r.outcome !== "survived") : before;
const everything = { mocha: [...new Set(Object.values(TESTS).flatMap((t) => t.mocha))], forge: LEDGER };
const noticed = await killer(house, 0, everything, LIMIT_OF_ALL);
if (noticed !== undefined) throw new BuildFailed(`${noticed} tests fail without any mutant`);
await hunt(house, mutants, results, options.workers);
report(results);
