import { writeFileSync } from "node:fs";

import { format } from "prettier";

import { accounts, parameters } from "./cases.ts";
import { judge, type Account, type Parameters } from "./model.ts";

/** An account and what the model says of it: E rounded down, IM and MM rounded up to 18 decimals. */
export interface Vector {
  readonly name: string;
  readonly account: Account;
  readonly equity: string;
  readonly initialMargin: string;
  readonly maintenanceMargin: string;
}

/** The file of shared vectors. */
export interface Vectors {
  readonly parameters: Parameters;
  readonly vectors: readonly Vector[];
}

/** The vectors as the model makes them. */
export function generate(): Vectors {
  const vectors = accounts().map(({ name, account }): Vector => {
    const { equity, initialMargin, maintenanceMargin } = judge(account, parameters);
    return {
      name,
      account,
      equity: equity.toDecimal("down"),
      initialMargin: initialMargin.toDecimal("up"),
      maintenanceMargin: maintenanceMargin.toDecimal("up"),
    };
  });
  return { parameters, vectors };
}

if (import.meta.main) {
  const vectors = generate();
  const text = await format(JSON.stringify(vectors), { parser: "json", printWidth: 120 });
  writeFileSync(new URL("vectors.json", import.meta.url), text);
  console.log(`${vectors.vectors.length} vectors written to bench/model/vectors.json`);
}
