import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import type { Mutant } from "./schemata.ts";

const SUMO = "@morenabarboni/sumo@1.2.1";
const CONFIG = `module.exports = { buildDir: "build", contractsDir: "contracts", testDir: "test", skipContracts: [], skipTests: [],
  testingTimeOutInSec: 300, network: "none", testingFramework: "custom", minimal: true, tce: false };`;
const ROW = /^(m[0-9a-f]+)\$([^$\n]+)\$([A-Z]+)\$(\d+)\$(\d+)\$(\d+)\$\d+\$/gm;

/** All mutants that SuMo's minimal operators make of `files` (paths from the project's root), in a folder of its own. */
export function sumoMutants(folder: string, files: readonly string[]): Mutant[] {
  rmSync(join(folder, "contracts"), { recursive: true, force: true });
  for (const sub of ["contracts", "test", "build"]) mkdirSync(join(folder, sub), { recursive: true });
  for (const file of files) cpSync(file, join(folder, "contracts", basename(file)));
  writeFileSync(join(folder, "test", "none.js"), "");
  writeFileSync(join(folder, "package.json"), `{ "name": "mutants", "private": true }`);
  writeFileSync(join(folder, "sumo-config.js"), CONFIG);
  if (!existsSync(join(folder, "node_modules"))) run(folder, "npm", ["install", "--silent", "--ignore-scripts", SUMO]);
  run(folder, "node", ["node_modules/@morenabarboni/sumo/index.js", "mutate"]);

  const results = join(folder, ".sumo", "results");
  const byName = new Map(files.map((f) => [basename(f), f]));
  const rows = [...readFileSync(join(results, "generated.csv"), "utf8").matchAll(ROW)];
  return rows.map(([, hash = "", path = "", operator = "", from, to, line], i) => {
    const file = byName.get(basename(path)) ?? path;
    const [start, end] = [Number(from), Number(to)];
    const mutated = readFileSync(join(results, "mutants", `${basename(path)}-${hash}.sol`), "utf8");
    const tail = readFileSync(file, "utf8").length - end;
    const replacement = mutated.slice(start, mutated.length - tail);
    return { id: i + 1, hash, file, operator, line: Number(line), start, end, replacement };
  });
}

/** SuMo, or its installation, did not end well. */
export class SumoFailed extends Error {
  readonly output: string;

  constructor(command: string, output: string) {
    super(`${command} failed:\n${output}`);
    this.name = "SumoFailed";
    this.output = output;
  }
}

function run(cwd: string, command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new SumoFailed(`${command} ${args.join(" ")}`, stderr);
}
