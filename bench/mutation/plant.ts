import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";

import { Outline, schemata } from "./schemata.ts";
import type { Edit, Mutant, Site } from "./schemata.ts";

interface CompilerError {
  readonly severity: string;
  readonly message: string;
  readonly sourceLocation?: { readonly file: string; readonly start: number; readonly end: number };
}

const { compile } = createRequire(import.meta.url)("solc") as { compile: (input: string, callbacks: object) => string };
const SWITCH = "contracts/Mutant.sol";

/** What the compiler has against `text` as the content of `file`, without generating code. */
function errorsOf(file: string, text: string): CompilerError[] {
  const read = (path: string): { contents?: string; error?: string } => {
    const found = path === SWITCH ? "bench/mutation/Mutant.sol" : [path, join("node_modules", path)].find(existsSync);
    return found === undefined ? { error: `no ${path}` } : { contents: readFileSync(found, "utf8") };
  };
  const input = {
    language: "Solidity",
    sources: { [file]: { content: text } },
    settings: { evmVersion: "cancun", outputSelection: { [file]: { "*": ["abi"] } } },
  };
  const { errors = [] } = JSON.parse(compile(JSON.stringify(input), { import: read })) as { errors?: CompilerError[] };
  return errors.filter((e) => e.severity === "error");
}

/** The mutants that an error is about: those that begin within it, or else the last one that begins before it. */
function culprits(text: string, error: CompilerError): number[] {
  const { start = 0, end = 0 } = error.sourceLocation ?? {};
  const calls = [...text.matchAll(/isMutant\((\d+)\)/g)].map((m) => ({ at: m.index, id: Number(m[1]) }));
  const within = calls.filter((c) => c.at >= start && c.at < end);
  const before = calls.filter((c) => c.at < start).slice(-1);
  return (within.length > 0 ? within : before).map((c) => c.id);
}

/** The content of `file` with as many of its mutants asleep in it as the compiler takes; the others are refused. */
export function plant(file: string, mutants: readonly Mutant[]): { text: string; refused: Mutant[] } {
  const source = readFileSync(file, "utf8");
  const outline = new Outline(source);
  const edits = mutants.flatMap((m) => outline.edits(m));
  const level = new Map(edits.map((e) => [e, 0]));
  for (;;) {
    const placed = new Map<Edit, Site>();
    for (const [e, l] of level) {
      const site = outline.site(e, l);
      if (site !== undefined) placed.set(e, site);
    }
    const path = relative(dirname(file), SWITCH);
    const text = `${schemata(source, placed)}\nimport {isMutant} from "${path.startsWith(".") ? path : `./${path}`}";\n`;
    const errors = errorsOf(file, text);
    const planted = new Set([...placed.keys()].map((e) => e.id));
    if (errors.length === 0) return { text, refused: mutants.filter((m) => !planted.has(m.id)) };
    const blamed = new Set(errors.flatMap((e) => culprits(text, e)));
    if (blamed.size === 0) throw new PlantingFailed(file, errors[0]?.message ?? "");
    for (const [e, l] of level) if (blamed.has(e.id)) level.set(e, l + 1);
  }
}

/** The compiler refuses a file for a reason that no mutant explains. */
export class PlantingFailed extends Error {
  constructor(file: string, reason: string) {
    super(`${file}: ${reason}`);
    this.name = "PlantingFailed";
  }
}
