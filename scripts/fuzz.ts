/** Long run of one suite of invariants: batches of random calls, each with a fresh seed, on all cores, until `--calls` are made. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";

import { Command, Option } from "commander";

const DEPTH = 200; // calls of one run, which begins with a new house
const RUNS = 500; // of one batch
const SUITES = {
  ledger: "test/contracts/Invariants.t.sol",
  authority: "test/contracts/AuthorityInvariants.t.sol",
} as const;
type Suite = keyof typeof SUITES;

const options = new Command("fuzz:invariants")
  .description("Fuzzes invariants for long; stops at the first breach and says how to see it again.")
  .addOption(
    new Option("--suite <name>", "the ledger's books, or who may do what")
      .choices(Object.keys(SUITES))
      .default("ledger"),
  )
  .option("--calls <n>", "how many calls of the handler", "10000000")
  .option("--workers <n>", "processes at the same time", String(availableParallelism()))
  .parse()
  .opts<{ suite: Suite; calls: string; workers: string }>();

/** Runs one batch; resolves to what is to be said about its failure, if it failed. */
function batch(seed: string): Promise<string | undefined> {
  const env = { ...process.env, FUZZ_SEED: seed, INVARIANT_RUNS: String(RUNS), INVARIANT_DEPTH: String(DEPTH) };
  const args = ["test", "solidity", SUITES[options.suite], "--no-compile", "--grep", "invariant"];
  return new Promise((done) => {
    const child = spawn("hardhat", args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("close", (status) => {
      const passed = status === 0 && output.includes("passing");
      const settings = `FUZZ_SEED=${seed} INVARIANT_RUNS=${RUNS} INVARIANT_DEPTH=${DEPTH}`;
      done(passed ? undefined : `${output}\n${settings} npx hardhat ${args.slice(0, 3).join(" ")}`);
    });
  });
}

const calls = Number(options.calls);
const start = Date.now();
let made = 0;
let begun = 0;
let failure: string | undefined;
async function work(): Promise<void> {
  while (begun < calls && failure === undefined) {
    begun += RUNS * DEPTH;
    const seed = `0x${randomBytes(8).toString("hex")}`;
    failure ??= await batch(seed);
    made += RUNS * DEPTH;
    const seconds = (Date.now() - start) / 1000;
    console.log(`seed ${seed}: ${made} of ${calls} calls, ${(made / seconds).toFixed(0)} a second`);
  }
}
await Promise.all(Array.from({ length: Number(options.workers) }, work));
if (failure !== undefined) {
  console.error(failure);
  process.exitCode = 1;
}
