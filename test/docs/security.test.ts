import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";

import { expect } from "chai";

import { DEFENCES } from "../../bench/mutation/defences.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");

describe("docs/security.md", () => {
  const text = read("docs/security.md");
  const rows = text.split("\n").filter((line) => line.startsWith("| "));

  it("every file that it points to exists, and every test that it names is in it", () => {
    const links = [...text.matchAll(/\[([^\]]+)\]\(\.\.\/([^)#]+)\)/g)];
    expect(links.length).to.be.greaterThan(100);
    for (const [, label = "", file = ""] of links) {
      expect(existsSync(path.join(ROOT, file)), file).to.equal(true);
      const name = /^`(.+)`$/.exec(label)?.[1];
      if (name === undefined || file.startsWith("bench/")) continue;
      // Functions of Solidity tests are named whole; titles and invariants may be named by how they begin.
      const found = /^(test|invariant)/.test(name)
        ? new RegExp(`function ${name}\\(`).test(read(file))
        : read(file).includes(`"${name}`) || read(file).includes(`\`${name}`);
      expect(found, `${name} in ${file}`).to.equal(true);
    }
  });

  it("every function of a contract that it names exists", () => {
    const sources = new Map(
      globSync("contracts/**/*.sol", { cwd: ROOT }).map((file) => [path.basename(file, ".sol"), read(file)]),
    );
    const named = [...text.matchAll(/`(\w+)\.(\w+)`/g)].filter(([, contract = ""]) => sources.has(contract));
    expect(named.length).to.be.greaterThan(DEFENCES.length - 1);
    for (const [, contract = "", name = ""] of named) {
      expect(sources.get(contract), `${contract}.${name}`).to.match(new RegExp(`function ${name}\\(`));
    }
  });

  it("names every removal once, beside the test that notices it", () => {
    for (const { name, test } of DEFENCES) {
      const [row, ...others] = rows.filter((line) => line.includes(`\`${name}\``));
      expect(others, name).to.deep.equal([]);
      const [file = "", title] = test.split(": ");
      expect(row, name).to.include(
        title === undefined ? `[\`${file.split(".")[1] ?? ""}\`]` : `[\`${title}\`](../${file})`,
      );
    }
    const table = rows.slice(rows.findIndex((line) => line.startsWith("| attack ")) + 1);
    const named = table
      .flatMap((line) => line.split(" | ")[3]?.replaceAll("`", "") ?? [])
      .filter((n) => n.includes("-"));
    expect(named.filter((n) => !/^-+$/.test(n))).to.deep.equal(DEFENCES.map(({ name }) => name));
  });

  it("what a removal takes out of the code is in the code, at one place", () => {
    for (const { name, removals } of DEFENCES) {
      for (const { file, text: removed, after } of removals) {
        const source = read(file);
        const from = after === undefined ? 0 : source.indexOf(after);
        expect(from, name).to.be.greaterThan(-1);
        const found = source.slice(from).split(removed).length - 1;
        if (after === undefined) expect(found, name).to.equal(1);
        else expect(found, name).to.be.greaterThan(0);
      }
    }
  });
});
