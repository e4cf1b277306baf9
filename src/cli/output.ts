import Table from "cli-table3";

/** What a command has found or done: for machines and for people. */
export interface Report {
  readonly data: unknown;
  readonly text: string;
}

/** A title that begins with this aligns its column to the right. */
const RIGHT = ">";

const NO_FRAME = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "", left: "", "left-mid": "", right: "", "right-mid": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "", middle: "  ", mid: "─", "mid-mid": "──" },
};

/**
 * A table with a line under its titles and no frame.
 *
 *     table(["market", ">index price"], [["ETH-PERP", "2,000.00"]])
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const drawn = new Table({
    head: head.map((title) => (title.startsWith(RIGHT) ? title.slice(RIGHT.length) : title)),
    colAligns: head.map((title) => (title.startsWith(RIGHT) ? "right" : "left")),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
    chars: NO_FRAME,
  });
  drawn.push(...rows.map((row) => [...row]));
  return drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Names and values, one a line. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join("\n");
}

/** Parts of a text with an empty line between them; empty ones are left out. */
export function paragraphs(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n\n");
}

/** One JSON document, bigints as decimal texts. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, (_, x: unknown) => (typeof x === "bigint" ? x.toString() : x), 2)}\n`;
}
