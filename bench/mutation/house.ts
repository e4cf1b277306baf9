import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

interface Built {
  readonly bytecode: Code;
  readonly deployedBytecode: Code;
}

interface Code {
  readonly object: string;
  readonly linkReferences: Record<string, unknown>;
}

/** What is read of one of Hardhat's. */
interface Artifact {
  readonly contractName: string;
  readonly sourceName: string;
  readonly bytecode: string;
}

/** Ways in which the tests of a mutant can end. */
export type Outcome = "passed" | "failed" | "timed out";

const COPIED = ["contracts", "test", "src", "deploy", "scripts", "types", "artifacts", "bench", "package.json"];

const SLOW = [
  ...["Invariants.t.sol", "AuthorityInvariants.t.sol", "Oracle.t.sol", "Properties.t.sol"],
  ...["support/Handler.sol", "support/AuthorityHandler.sol", "support/AuthorityModel.sol"],
];

/** A copy of the project in `folder`, whose contracts may be changed. */
export function copyHouse(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of [...COPIED, "foundry.toml", "hardhat.config.ts"]) {
    cpSync(name, join(folder, name), { recursive: true, preserveTimestamps: true });
  }
  for (const name of SLOW) rmSync(join(folder, "test/contracts", name));
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  cpSync("bench/mutation/Mutant.sol", join(folder, "contracts", "Mutant.sol"));
}

/** Compiles the copy with forge and gives its bytecode to Hardhat's artifacts and Typechain's factories. */
export function buildHouse(folder: string): void {
  const { stdout, stderr } = spawnSync("forge", ["build", "--offline"], { cwd: folder, encoding: "utf8" });
  if (!/Compiler run successful|No files changed/.test(stdout)) throw new BuildFailed(stdout + stderr);
  for (const path of globSync(join(folder, "artifacts/contracts/**/*.json"))) {
    const artifact = JSON.parse(readFileSync(path, "utf8")) as Artifact;
    const file = artifact.sourceName.split("/").at(-1) ?? "";
    const built = JSON.parse(
      readFileSync(join(folder, "out/forge", file, `${artifact.contractName}.json`), "utf8"),
    ) as Built;
    const patched = {
      ...artifact,
      bytecode: built.bytecode.object,
      deployedBytecode: built.deployedBytecode.object,
      linkReferences: inProject(built.bytecode.linkReferences),
      deployedLinkReferences: inProject(built.deployedBytecode.linkReferences),
    };
    writeFileSync(path, JSON.stringify(patched));
    // What is linked is deployed from artifacts only.
    if (Object.keys(built.bytecode.linkReferences).length === 0) replaceInFactory(folder, artifact, patched.bytecode);
  }
}

function replaceInFactory(folder: string, { sourceName, contractName, bytecode }: Artifact, put: string): void {
  const path = join(folder, "types/factories", dirname(sourceName), `${contractName}__factory.ts`);
  if (existsSync(path)) writeFileSync(path, readFileSync(path, "utf8").replace(`"${bytecode}"`, `"${put}"`));
}

/** Hardhat's names of our own source files. */
function inProject(references: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(references).map(([file, where]) => [`project/${file}`, where]));
}

/**
 * Runs TypeScript test files in the copy while mutant `id` is awake (0: none), up to the first failure: the tests whose titles match
 * `tests`, or all but those that bound gas.
 */
export function runMocha(
  folder: string,
  id: number,
  files: readonly string[],
  limit: number,
  tests?: string,
): Promise<Outcome> {
  const config = ["--config", "bench/mutation/hardhat.config.ts"];
  const args = [...config, "test", "mocha", "--no-compile", "--bail", ...files];
  const settings = { MUTANT: String(id), ...(tests === undefined ? {} : { TESTS: tests }) };
  return run(folder, "hardhat", args, settings, limit, (output, status) =>
    status === 0 && /\d+ passing/.test(output) ? "passed" : "failed",
  );
}

/** Runs the Solidity tests of the copy that match `contracts` and `tests`, likewise. */
export function runForge(folder: string, id: number, contracts: string, limit: number, tests = "."): Promise<Outcome> {
  const names = ["--match-contract", contracts, "--match-test", tests, "--no-match-test", "Gas"];
  const args = ["test", "--offline", "--fail-fast", ...names];
  const coinbase = `0x${id.toString(16).padStart(40, "0")}`;
  const settings = { FOUNDRY_BLOCK_COINBASE: coinbase, FOUNDRY_FUZZ_RUNS: "64", FOUNDRY_INVARIANT_RUNS: "4" };
  return run(folder, "forge", args, settings, limit, (output) => {
    const [, passed, failed] = /(\d+) tests? passed, (\d+) failed/.exec(output) ?? [];
    if (passed === undefined) return undefined;
    return failed === "0" ? "passed" : "failed";
  });
}

function run(
  cwd: string,
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  limit: number,
  judge: (output: string, status: number | null) => Outcome | undefined,
): Promise<Outcome> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own: the command may be a script around the program that does not end
    });
    let output = "";
    let late = false;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, limit);
    child.on("close", (status) => {
      clearTimeout(timer);
      const outcome = late ? "timed out" : judge(output, status);
      if (outcome === undefined) fail(new BuildFailed(output));
      else done(outcome);
    });
  });
}

/** The mutated house does not compile, or its tests do not start. */
export class BuildFailed extends Error {
  constructor(output: string) {
    super(`forge failed:\n${output.slice(-2000)}`);
    this.name = "BuildFailed";
  }
}
