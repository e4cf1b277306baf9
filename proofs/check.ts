/** solc's SMTChecker on one contract, with Debian's z3 as its solver. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/** Bounded model checking of one call, or Horn clauses over all sequences of calls. */
export type Engine = "bmc" | "chc";

/** What the SMTChecker says of the assertions of a contract. */
export type Verdict = "proved" | "refuted" | "undecided";

/** A change of one file's text. */
export interface Edit {
  file: string;
  from: string;
  to: string;
}

/** The text to be edited is not in its file, or is there more than once. */
export class EditMisses extends Error {
  override name = "EditMisses";
  readonly edit: Edit;
  readonly places: number;

  constructor(edit: Edit, places: number) {
    super(`${edit.file} contains "${edit.from}" ${places} times, not once: bring proofs/properties.ts up to date`);
    this.edit = edit;
    this.places = places;
  }
}

/** A contract to be proved does not compile. */
export class DoesNotCompile extends Error {
  override name = "DoesNotCompile";
  readonly output: string;

  constructor(output: string) {
    super(`a proof does not compile:\n${output}`);
    this.output = output;
  }
}

interface Diagnostic {
  severity: string;
  errorCode?: string;
  formattedMessage: string;
}
interface Callbacks {
  import: (file: string) => { contents: string } | { error: string };
  smtSolver: (query: string) => { contents: string } | { error: string };
}
const require = createRequire(import.meta.url);
const ROOT = path.join(import.meta.dirname, "..");

const SAFE = new Set(["9576", "2961"]); // an assertion is proved: CHC, BMC
const TIME_LIMIT = 60; // [s] for one question to z3

/** Whether z3 can be called. */
export function hasSolver(): boolean {
  return spawnSync("z3", ["--version"]).status === 0;
}

/** Judges all assertions of `contract` in `file`, after `edit` if there is one. */
export function check(file: string, contract: string, engine: Engine, edit?: Edit): Verdict {
  const solc = require("solc") as { compile: (input: string, callbacks: Callbacks) => string };
  const read = (name: string) => source(name, edit);
  const input = {
    language: "Solidity",
    sources: { [file]: { content: read(file) } },
    settings: {
      outputSelection: { "*": { "*": [] } },
      evmVersion: "cancun",
      modelChecker: {
        engine,
        solvers: ["smtlib2"],
        targets: ["assert"],
        contracts: { [file]: [contract] },
        showProvedSafe: true,
        showUnproved: true,
        timeout: TIME_LIMIT * 1000,
      },
    },
  };
  const output = JSON.parse(
    solc.compile(JSON.stringify(input), { import: (name) => ({ contents: read(name) }), smtSolver: solve }),
  ) as { errors?: Diagnostic[] };
  return judge(output.errors ?? []);
}

function judge(diagnostics: Diagnostic[]): Verdict {
  const broken = diagnostics.filter((d) => d.severity === "error");
  if (broken.length > 0) throw new DoesNotCompile(broken.map((d) => d.formattedMessage).join("\n"));
  const said = diagnostics.filter((d) => /\b(CHC|BMC): /.test(d.formattedMessage));
  if (said.some((d) => d.formattedMessage.includes("violation happens here"))) return "refuted";
  // A time limit, an answer not understood, an assertion that nobody looked at: none of these is a proof.
  return said.length > 0 && said.every((d) => SAFE.has(d.errorCode ?? "")) ? "proved" : "undecided";
}

function source(name: string, edit?: Edit): string {
  const inside = /^(contracts|proofs)\//.test(name);
  const text = readFileSync(path.join(ROOT, inside ? name : path.join("node_modules", name)), "utf8");
  if (edit?.file !== name) return text;
  const places = text.split(edit.from).length - 1;
  if (places !== 1) throw new EditMisses(edit, places);
  return text.replace(edit.from, () => edit.to);
}

function solve(query: string): { contents: string } | { error: string } {
  const { stdout, error } = spawnSync("z3", ["-smt2", "-in", `-T:${TIME_LIMIT}`], {
    input: query,
    encoding: "utf8",
    maxBuffer: 1e9,
  });
  return error === undefined ? { contents: stdout } : { error: error.message };
}
