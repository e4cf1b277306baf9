import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const root = path.join(import.meta.dirname, "../..");

/** A ```ts block of a documentation comment or of the package's README. */
export interface Example {
  /** What it is an example of, such as `calls.depositCall`. */
  name: string;
  code: string;
  /** What its lines ending in `// → …` say that they print. */
  printed: string[];
}

/** The examples in the documentation comments of a folder. */
export function examplesOf(folder: string): Example[] {
  const files = readdirSync(path.join(root, folder)).filter((file) => file.endsWith(".ts"));
  return files.flatMap((file) => {
    const text = readFileSync(path.join(root, folder, file), "utf8");
    return [...text.matchAll(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*([^\n]*)/g)].flatMap(([comment, line]) =>
      blocks(comment.replace(/^ *\* ?/gm, ""), `${path.parse(file).name}.${nameIn(line ?? "")}`),
    );
  });
}

/** The examples in a Markdown file. */
export function examplesIn(file: string): Example[] {
  return blocks(readFileSync(path.join(root, file), "utf8"), path.basename(file));
}

function blocks(text: string, name: string): Example[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = ""]) => {
    const printed = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line = ""]) => line);
    return { name, code, printed };
  });
}

/** "export async function foo<T>(" and "  async foo(" both name `foo`. */
function nameIn(line: string): string {
  return /^\s*(?:export |static |async |abstract |function |class |type |const )*(\w+)/.exec(line)?.[1] ?? line;
}

/**
 * A module that runs an example: names of the package are imported, what is in the context need not be declared.
 * @param exported names that each entry exports
 * @param context name and members of its context in `context.ts`
 */
export function moduleOf(
  { code }: Example,
  exported: ReadonlyMap<string, readonly string[]>,
  context: { name: string; members: readonly string[] },
): string {
  const own = [...code.matchAll(/^import .*$/gm)].map(([line]) => line);
  const body = code.replace(/^import .*$\n/gm, "");
  const taken = new Set(own.flatMap((line) => line.match(/\w+/g) ?? []));
  const imports = [...exported].map(([entry, names]) => {
    const used = names.filter((name) => !taken.has(name) && new RegExp(`\\b${name}\\b`).test(body));
    for (const name of used) taken.add(name);
    return used.length === 0 ? "" : `import { ${used.join(", ")} } from "${entry}";`;
  });
  return `${[...own, ...imports].join("\n")}
import type { ${context.name} } from "./context.ts";

export default async ({ ${context.members.join(", ")} }: ${context.name}): Promise<void> => {
  {
${body}  }
};
`;
}
