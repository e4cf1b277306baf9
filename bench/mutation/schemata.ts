import { parse } from "@solidity-parser/parser";

/** One small change of one file: what stands in [start, end) is replaced. */
export interface Mutant {
  /** From 1; the block's coinbase when it is under test. */
  readonly id: number;
  readonly hash: string;
  readonly file: string;
  readonly operator: string;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

/** A mutant at one place: a mutant of a constant has one edit for each use of the constant. */
export interface Edit {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

/** A stretch of source that can be had in several versions, chosen while it runs. */
export interface Site {
  readonly start: number;
  readonly end: number;
  readonly kind: "expression" | "statement";
}

interface Node {
  readonly type: string;
  readonly range: readonly [number, number];
  readonly name?: string;
  readonly operator?: string;
  readonly typeName?: { readonly name?: string };
  readonly expression?: Node | null;
  readonly isDeclaredConst?: boolean;
}

interface Constant {
  readonly name: string;
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

const ASSIGNMENTS = new Set(["=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "<<=", ">>="]);
const STATEMENTS = new Set([
  "ExpressionStatement",
  "ReturnStatement",
  "IfStatement",
  "ForStatement",
  "WhileStatement",
  "EmitStatement",
  "RevertStatement",
  "ContinueStatement",
  "BreakStatement",
]);
const VALUES = new Set(["Conditional", "BooleanLiteral", "FunctionCall", "TupleExpression", "MemberAccess"]);

/** Where versions can stand in a source, and the constants that it declares. */
export class Outline {
  readonly #source: string;
  readonly #sites: Site[] = [];
  readonly #constants: Constant[] = [];
  readonly #uses = new Map<string, Site[]>();

  constructor(source: string) {
    this.#source = source;
    this.#visit(parse(source, { range: true }), false);
  }

  /** The places that a mutant changes. */
  edits(mutant: Mutant): Edit[] {
    const constant = this.#constants.find((c) => c.start <= mutant.start && mutant.end <= c.end);
    if (constant === undefined) return [mutant];
    const value = splice(this.#source, constant, mutant);
    const uses = this.#uses.get(constant.name) ?? [];
    return uses.map(({ start, end }) => ({ id: mutant.id, start, end, replacement: `${constant.type}(${value})` }));
  }

  /** The narrowest site around an edit, `level` narrower ones passed over. */
  site(edit: Edit, level: number): Site | undefined {
    const around = [...this.#sites, ...[...this.#uses.values()].flat()].filter(
      (s) => s.start <= edit.start && edit.end <= s.end,
    );
    return around.sort((a, b) => a.end - a.start - (b.end - b.start))[level];
  }

  #visit(value: unknown, inFunction: boolean): void {
    if (Array.isArray(value)) for (const item of value) this.#visit(item, inFunction);
    if (!isNode(value) || value.type === "InlineAssemblyStatement") return;
    const { type, name = "" } = value;
    const span = { start: value.range[0], end: value.range[1] + 1 };
    if (type === "VariableDeclaration" && value.isDeclaredConst === true && value.expression) {
      const [start, last] = value.expression.range;
      this.#constants.push({ name, type: value.typeName?.name ?? "", start, end: last + 1 });
    }
    const kind = inFunction ? kindOf(value) : undefined;
    if (kind !== undefined) this.#sites.push({ ...span, kind });
    if (inFunction && type === "Identifier" && this.#constants.some((c) => c.name === name)) {
      this.#uses.set(name, [...(this.#uses.get(name) ?? []), { ...span, kind: "expression" }]);
    }
    const inside = type === "FunctionDefinition" || (inFunction && type !== "ModifierInvocation");
    const isLog = type === "EmitStatement" || type === "RevertStatement"; // their calls are no expressions
    for (const child of Object.values(value)) {
      if (isLog && isNode(child)) for (const part of Object.values(child)) this.#visit(part, inside);
      else this.#visit(child, inside);
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "range" in value;
}

function kindOf({ type, operator = "" }: Node): Site["kind"] | undefined {
  if (STATEMENTS.has(type)) return "statement";
  if (type === "BinaryOperation") return ASSIGNMENTS.has(operator) ? undefined : "expression";
  if (type === "UnaryOperation") return ["-", "!", "~"].includes(operator) ? "expression" : undefined;
  return VALUES.has(type) ? "expression" : undefined;
}

/** What stands in [start, end) of the source, with an edit within it carried out. */
function splice(source: string, { start, end }: { start: number; end: number }, edit: Edit): string {
  return source.slice(start, edit.start) + edit.replacement + source.slice(edit.end, end);
}

/** The source with all edits in it, each asleep until its id is the block's coinbase. */
export function schemata(source: string, placed: ReadonlyMap<Edit, Site>): string {
  const sites = [...new Set(placed.values())].sort((a, b) => a.start - b.start || b.end - a.end);
  const render = (start: number, end: number, inside: readonly Site[]): string => {
    let text = "";
    let cursor = start;
    for (const site of inside) {
      if (site.start < cursor) continue; // within the one before
      text += source.slice(cursor, site.start) + choose(site);
      cursor = site.end;
    }
    return text + source.slice(cursor, end);
  };
  const choose = (site: Site): string => {
    const inner = sites.filter((s) => s !== site && site.start <= s.start && s.end <= site.end);
    const base = render(site.start, site.end, inner);
    const versions = [...placed]
      .filter(([, s]) => s === site)
      .map(([e]) => ({ id: e.id, text: splice(source, site, e) }));
    return site.kind === "expression"
      ? `(${versions.map((v) => `isMutant(${v.id}) ? (${v.text}) : `).join("")}(${base}))`
      : `${versions.map((v) => `if (isMutant(${v.id})) { ${v.text} } else `).join("")}{ ${base} }`;
  };
  return render(0, source.length, sites);
}
