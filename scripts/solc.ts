#!/usr/bin/env node
/**
 * The npm package solc behind the command line that forge expects of a native compiler: `--version` and `--standard-json`. In one piece
 * the code of the house and its tests exceeds the memory of WebAssembly, so the files to be compiled are dealt to several runs, two at a time.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

interface Solc {
  version(): string;
  compile(input: string): string;
}

/** Outputs by file and contract, `*` for any. */
type Selection = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

interface Input {
  readonly sources: Readonly<Record<string, object>>;
  readonly settings: { readonly outputSelection: Selection };
}

interface Output {
  readonly errors?: readonly { readonly formattedMessage: string }[];
  readonly sources?: Readonly<Record<string, object>>;
  readonly contracts?: Readonly<Record<string, object>>;
}

/** What a part has given, each entry as JSON: all of them may be more than the heap can hold otherwise. */
interface Pieces {
  readonly errors: readonly { readonly formattedMessage: string }[];
  readonly sources: readonly string[];
  readonly contracts: readonly string[];
}

const PARTS = 6;
const AT_ONCE = 2; // each takes up to 4 GB
const PART = "--part";

const loadSolc = (): Solc => createRequire(import.meta.url)("solc") as Solc;

/** The same sources, with nothing asked for but the output of some files. */
function restrict({ sources, settings, ...input }: Input, files: readonly string[]): Input {
  const of = (file: string) => settings.outputSelection[file] ?? settings.outputSelection["*"] ?? {};
  const outputSelection = Object.fromEntries(files.map((file) => [file, of(file)]));
  return { ...input, sources, settings: { ...settings, outputSelection } };
}

/** Compiles a part; of what comes back only that of its own files counts. */
function compilePart(input: Input): Pieces {
  const { errors = [], sources, contracts } = JSON.parse(loadSolc().compile(JSON.stringify(input))) as Output;
  const own = input.settings.outputSelection;
  const entries = (of: Readonly<Record<string, object>> = {}) =>
    Object.entries(of)
      .filter(([file]) => Object.hasOwn(own, file))
      .map(([file, entry]) => `${JSON.stringify(file)}:${JSON.stringify(entry)}`);
  return { errors, sources: entries(sources), contracts: entries(contracts) };
}

/** In a process of its own: threads that compile at the same time bring V8 down. */
async function compileApart(input: Input): Promise<Pieces> {
  const child = fork(import.meta.filename, [PART], { serialization: "advanced" });
  const ended = once(child, "exit").then(([code, signal]) => {
    throw new Error(`a part of the compilation ended with ${String(code ?? signal)}`);
  });
  child.send(input);
  const [pieces] = (await Promise.race([once(child, "message"), ended])) as [Pieces];
  child.disconnect();
  return pieces;
}

/** ABIs alone, which forge wants before every run of tests, are little: each part would read all the sources for them again. */
const needsCode = ({ settings }: Input): boolean => JSON.stringify(settings.outputSelection).includes('"evm');

async function compile(input: Input): Promise<Pieces[]> {
  if (!needsCode(input)) return [compilePart(restrict(input, Object.keys(input.sources)))];
  const parts = Object.values(Object.groupBy(Object.keys(input.sources), (_, i) => i % PARTS));
  const waiting = parts.map((files = []) => restrict(input, files));
  const done: Pieces[] = [];
  const work = async (): Promise<void> => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) done.push(await compileApart(part));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return done;
}

/** Piece by piece: all of it may be more than a string can hold. */
function print(parts: readonly Pieces[]): void {
  const errors = new Map(parts.flatMap((part) => part.errors).map((error) => [error.formattedMessage, error]));
  process.stdout.write(`{"errors":${JSON.stringify([...errors.values()])}`);
  for (const name of ["sources", "contracts"] as const) {
    process.stdout.write(`,"${name}":{`);
    for (const [i, entry] of parts.flatMap((part) => part[name]).entries())
      process.stdout.write(`${i === 0 ? "" : ","}${entry}`);
    process.stdout.write("}");
  }
  process.stdout.write("}");
}

if (process.argv.includes(PART)) {
  process.once("message", (input) => process.send?.(compilePart(input as Input)));
} else if (process.argv.includes("--version")) {
  const [number = "", commit = ""] = loadSolc().version().split("+");
  const [kind, hash] = commit.split(".");
  process.stdout.write(`solc, the solidity compiler\nVersion: ${number}+${kind}.${hash}.Linux.g++\n`);
} else {
  print(await compile(JSON.parse(readFileSync(0, "utf8")) as Input));
}
