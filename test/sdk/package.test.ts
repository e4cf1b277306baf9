import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";
import { publint } from "publint";

import { PACKAGE } from "../../src/sdk/npm/build.ts";
import { contractErrorsSource } from "../../src/sdk/npm/contractErrors.ts";
import { compile, copySource, installSdk } from "../helpers/sdkPackage.ts";
import type { Consumer } from "../helpers/sdkPackage.ts";

const root = path.join(import.meta.dirname, "../..");
const typedoc = path.join(root, "node_modules/typedoc/bin/typedoc");
const FORMATS = ["esm", "cjs"] as const;

describe("the SDK's package", () => {
  let consumer: Consumer;

  before(async () => {
    consumer = await installSdk();
  });

  it("holds code, declarations, maps, licence and README, and no contract's creation code", () => {
    const { files } = consumer;
    expect(files).to.include.members(["LICENSE", "README.md", "package.json", "cjs/package.json"]);
    for (const format of FORMATS) {
      for (const entry of ["src/sdk/index", "src/sdk/node", "src/risk/index"]) {
        expect(files).to.include.members([".js", ".d.ts", ".js.map"].map((end) => `${format}/${entry}${end}`));
      }
    }
    const extra = files.filter((file) => !/^(esm|cjs)\/(src\/(sdk|risk)|types)\/.*\.(js|d\.ts|js\.map)$/.test(file));
    expect(extra).to.have.members(["LICENSE", "README.md", "package.json", "cjs/package.json"]);
    for (const file of files) expect(readFileSync(path.join(PACKAGE, file), "utf8")).to.not.match(/0x[0-9a-f]{1000}/);
  });

  for (const format of FORMATS) {
    it(`imports ethers only, and the risk engine nothing (${format})`, () => {
      expect(foreign(`${format}/src/sdk/index.js`)).to.deep.equal(new Set(["ethers"]));
      expect(foreign(`${format}/src/risk/index.js`)).to.deep.equal(new Set());
      expect(foreign(`${format}/src/sdk/node.js`)).to.deep.equal(new Set(["ethers", "node:fs"]));
    });
  }

  it("has a manifest that publint has nothing to say about", async () => {
    const { messages } = await publint({ pkgDir: PACKAGE, strict: true, pack: false });
    expect(messages).to.deep.equal([]);
  });

  it("runs as ES modules and as CommonJS, and has for both the types that its users rely on", async () => {
    const sources = ["consumer.mts", "consumer.cts", "types.mts", "types.cts"];
    for (const file of sources) copySource(consumer, `${path.parse(file).name}.ts`, file);
    await compile(consumer, sources, ["--module", "node16"]);
    for (const file of ["out/consumer.mjs", "out/consumer.cjs"]) {
      const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: consumer.folder });
      expect(JSON.parse(stdout), file).to.deep.equal({
        amount: "-1.5",
        fee: "1", // 5 bp of 2,000
        oneClass: true,
        caught: "InvalidAddressBook",
        calldata: "0xa340fff4", // keccak256("revokeAll()")
      });
    }
  });

  it("has the same types for bundlers", () => {
    const options = ["--module", "esnext", "--moduleResolution", "bundler", "--skipLibCheck", "--noEmit"];
    return compile(consumer, [copySource(consumer, "types.ts")], options);
  });
});

describe("the SDK's API documentation", () => {
  it("is there for every export, parameter and field, without a broken link", () =>
    promisify(execFile)(process.execPath, [typedoc, "--options", "src/sdk/npm/typedoc.json", "--emit", "none"], {
      cwd: root,
    }));
});

describe("the SDK's contract errors", () => {
  it("are those of the contracts' ABIs (npm run errors writes them)", async () => {
    const written = readFileSync(path.join(root, "src/sdk/contractErrors.ts"), "utf8");
    expect(await contractErrorsSource()).to.equal(written);
  });
});

/** What a file of the package and all that it imports import from elsewhere. */
function foreign(file: string, seen = new Set<string>()): Set<string> {
  seen.add(file);
  const code = readFileSync(path.join(PACKAGE, file), "utf8");
  const imports = [...code.matchAll(/(?:^|\s)(?:from |import |require\()"([^"]+)"/gm)].map(([, name]) => name ?? "");
  const found = new Set(imports.filter((name) => !name.startsWith(".")));
  for (const name of imports.filter((i) => i.startsWith("."))) {
    const next = path.posix.join(path.posix.dirname(file), name);
    if (!seen.has(next)) for (const other of foreign(next, seen)) found.add(other);
  }
  return found;
}
