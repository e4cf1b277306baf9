import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { buildSdk, PACKAGE } from "../../src/sdk/npm/build.ts";

const run = promisify(execFile);
const root = path.join(import.meta.dirname, "../..");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

const consumers = path.join(root, "src/sdk/npm/consumers");

/** A folder outside of the repository in which the packed package is installed, and ethers beside it. */
export interface Consumer {
  folder: string;
  /** Files of the package, relative to it. */
  files: string[];
}

let consumer: Promise<Consumer> | undefined;

/** Builds, packs and installs the package, once in a run. */
export function installSdk(): Promise<Consumer> {
  return (consumer ??= install());
}

async function install(): Promise<Consumer> {
  await buildSdk();
  const folder = mkdtempSync(path.join(tmpdir(), "plimsoll-consumer-"));
  process.once("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: PACKAGE });
  const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
  const modules = path.join(folder, "node_modules");
  mkdirSync(path.join(modules, "@plimsoll/sdk"), { recursive: true });
  const unpack = ["-xzf", path.join(folder, packed!.filename), "--strip-components=1", "-C"];
  await run("tar", [...unpack, path.join(modules, "@plimsoll/sdk")]);
  symlinkSync(path.join(root, "node_modules/ethers"), path.join(modules, "ethers"));
  writeFileSync(path.join(folder, "package.json"), '{ "type": "module", "private": true }\n');
  return { folder, files: packed!.files.map((file) => file.path) };
}

/** Copies a consumer's source into the folder under another name. */
export function copySource({ folder }: Consumer, name: string, as = name): string {
  copyFileSync(path.join(consumers, name), path.join(folder, as));
  return as;
}

/** Compiles files of a consumer's folder into its `out/`, strictly, declarations of the package included. */
export async function compile({ folder }: Consumer, files: readonly string[], options: readonly string[]) {
  const strict = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"];
  const target = ["--target", "ES2022", "--lib", "ES2022,DOM", "--outDir", "out", "--rootDir", "."];
  try {
    await run(process.execPath, [tsc, ...strict, ...target, ...options, ...files], { cwd: folder });
  } catch (error) {
    throw new Error(`tsc: ${(error as { stdout: string }).stdout}`, { cause: error });
  }
}
