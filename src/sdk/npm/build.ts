import { execFile } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";

const HERE = import.meta.dirname;
const ROOT = path.join(HERE, "../../..");
const TSC = createRequire(import.meta.url).resolve("typescript/bin/tsc");

/** Where the package is built. */
export const PACKAGE = path.join(ROOT, "dist/sdk");

/** Builds the npm package of the SDK from `src/sdk`, `src/risk` and the TypeChain bindings that they use. */
export async function buildSdk(): Promise<void> {
  rmSync(PACKAGE, { recursive: true, force: true });
  await Promise.all(["tsconfig.json", "tsconfig.cjs.json"].map(compile));
  dropCreationCode();
  writeFileSync(path.join(PACKAGE, "cjs/package.json"), '{ "type": "commonjs", "sideEffects": false }\n');
  for (const file of ["package.json", "README.md"]) copyFileSync(path.join(HERE, file), path.join(PACKAGE, file));
  copyFileSync(path.join(ROOT, "LICENSE"), path.join(PACKAGE, "LICENSE"));
}

async function compile(config: string): Promise<void> {
  await promisify(execFile)(process.execPath, [TSC, "-p", path.join(HERE, config)]);
}

/** Takes the contracts' creation code out of the bindings: a client deploys nothing. */
function dropCreationCode(): void {
  for (const entry of readdirSync(PACKAGE, { recursive: true, withFileTypes: true })) {
    if (!entry.name.includes("__factory.")) continue;
    const file = path.join(entry.parentPath, entry.name);
    writeFileSync(file, readFileSync(file, "utf8").replace(/0x[0-9a-f]{1000,}/g, "0x"));
  }
}
