/** Proves every property with solc's SMTChecker and z3, and refutes it with its bug planted. */
import Table from "cli-table3";

import { check, hasSolver } from "../proofs/check.ts";
import { contractOf, PROPERTIES } from "../proofs/properties.ts";

if (!hasSolver()) {
  console.error("z3 is not installed: apt-get install z3");
  process.exit(1);
}
const table = new Table({ head: ["", "property", "engine", "result", "seconds", "with the bug", "seconds"] });
let failures = 0;
for (const [i, property] of PROPERTIES.entries()) {
  const { name, file, engine, bug } = property;
  const row: (string | number)[] = [`F${i + 1}`, name, engine];
  for (const [edit, expected] of [
    [undefined, "proved"],
    [bug, "refuted"],
  ] as const) {
    const start = Date.now();
    const verdict = check(file, contractOf(property), engine, edit);
    if (verdict !== expected) ++failures;
    row.push(verdict === expected ? verdict : `${verdict}!`, ((Date.now() - start) / 1000).toFixed(1));
  }
  console.error(row.join("  "));
  table.push(row);
}
console.log(table.toString());
if (failures > 0) console.error(`${failures} not as expected`);
process.exitCode = failures > 0 ? 1 : 0;
