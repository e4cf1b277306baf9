#!/usr/bin/env node
/** The npm package solc behind the command line that forge expects of a native compiler: `--version` and `--standard-json`. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc") as { version: () => string; compile: (input: string) => string };

if (process.argv.includes("--version")) {
  const [number = "", commit = ""] = solc.version().split("+");
  const [kind, hash] = commit.split(".");
  process.stdout.write(`solc, the solidity compiler\nVersion: ${number}+${kind}.${hash}.Linux.g++\n`);
} else {
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
}
