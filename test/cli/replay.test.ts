import { existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

import { run } from "../../src/cli/plimsoll.ts";
import type { Shell } from "../../src/cli/shell.ts";
import type { Comparison } from "../../src/replay/lab/result.ts";

const SMALL = ["--minutes", "20", "--drop", "10", "--accounts", "12", "--seed", "5"];

describe("plimsoll replay", function () {
  this.timeout(60_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "replay-"));
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const file = (name: string) => path.join(folder, name);

  /** Runs a command line; `onError` is told all that is written to stderr. */
  async function type(line: readonly string[], onError: (text: string) => void = () => undefined) {
    const [out, err]: [string[], string[]] = [[], []];
    const shell: Shell = {
      ...{ env: {}, interactive: false, ask: () => Promise.resolve(""), out: (text) => void out.push(text) },
      err: (text) => {
        err.push(text);
        onError(text);
      },
    };
    const code = await run(["replay", ...line], shell);
    return { code, out: out.join(""), err: err.join("") };
  }

  it("plays a crash, says how it went, and writes it as JSON, CSV and a page", async () => {
    writeFileSync(file("a.json"), "an older run");
    linkSync(file("a.json"), file("older.json"));
    const files = ["--out", file("a.json"), "--csv", file("a.csv"), "--html", file("a.html")];
    const { code, out, err } = await type([...SMALL, ...files, "--population", file("people.json")]);
    expect(code, err).to.equal(0);
    expect(out).to.match(/^synthetic crash, seed 5: 12 accounts\n/);
    expect(out).to.match(/\nslices, 60 s: 12 accounts, 50 minutes, \d+ blocks in \d+\.\d s\n$/);
    expect(err).to.include("minute 50 of 50");
    const { runs } = JSON.parse(readFileSync(file("a.json"), "utf8")) as Comparison;
    expect(runs.map(({ accounts, seed, latency, policy }) => [accounts, seed, latency, policy])).to.deep.equal([
      [12, 5, 60, "slices"],
    ]);
    expect(readFileSync(file("a.csv"), "utf8").trim().split("\n")).to.have.length(51);
    expect(readFileSync(file("a.html"), "utf8")).to.match(/^<!doctype html>/i);
    expect(JSON.parse(readFileSync(file("people.json"), "utf8"))).to.have.length(12);
    // put in the old one's place as a whole, not written over it
    expect(readFileSync(file("older.json"), "utf8")).to.equal("an older run");
    expect(readdirSync(folder).filter((name) => name.endsWith(".new"))).to.deep.equal([]);
  });

  it("stops at the next minute of Ctrl-C, says how to go on, and ends with the same bytes", async () => {
    const drawn = ["--population", file("others.json")]; // written by the first command, read by the second
    const kept = [...SMALL, ...drawn, "--state", file("state.sqlite"), "--out", file("b.json")];
    let isSent = false;
    const stopped = await type(kept, (text) => {
      if (!isSent && text.includes("minute 8 of 50")) isSent = process.emit("SIGINT");
    });
    expect(stopped.code).to.equal(130);
    expect(stopped.err).to.match(/ReplayStopped: stopped after minute 8 of 50: the same command goes on from there\n$/);
    expect(existsSync(file("b.json"))).to.equal(false);
    const { code, err } = await type(kept);
    expect(code, err).to.equal(0);
    expect(err).to.include("minute 10 of 50").and.not.include("minute 5 of 50");
    expect(readFileSync(file("b.json"), "utf8")).to.equal(readFileSync(file("a.json"), "utf8"));
  });

  it("plays several runs over the same accounts, read from a file, and does not run again what is finished", async () => {
    const kept = ["--state", file("runs"), "--out", file("c.json"), "--csv", file("c.csv")];
    const line = [...SMALL, "--population", file("people.json"), "--runs", "policy=slices,half", ...kept];
    const { code, out, err } = await type(line);
    expect(code, err).to.equal(0);
    expect(out).to.match(/ slices +half\n/);
    const first = readFileSync(file("c.json"), "utf8");
    const { runs } = JSON.parse(first) as Comparison;
    expect(runs.map(({ name, policy }) => [name, policy])).to.deep.equal([
      ["slices", "slices"],
      ["half", "half"],
    ]);
    expect(readFileSync(file("c.csv"), "utf8").trim().split("\n")).to.have.length(3);
    const again = await type(line);
    expect(again.err).to.equal("");
    expect(readFileSync(file("c.json"), "utf8")).to.equal(first);
  });

  it("says what is wrong with a command line", async () => {
    writeFileSync(file("none.json"), "{}");
    const wrong = [
      [["--accounts", "0"], "ScenarioInvalid"],
      [["--policy", "none"], "ScenarioInvalid"],
      [["--scenario", file("missing.json")], "ScenarioInvalid"],
      [["--latency", "soon"], "OptionInvalid"],
      [["--population", folder], "ScenarioInvalid"],
      [["--population", file("none.json")], "ScenarioInvalid"],
      [["--runs", "latency=60", "--state", file("none.json")], "FileUnusable"],
      [["--runs", "colour=red"], "InvalidValue"],
      [["--runs", "latency="], "InvalidValue"],
    ] as const;
    for (const [line, error] of wrong) {
      const { code, err } = await type(line);
      expect(code, line.join(" ")).to.equal(2);
      expect(err).to.match(new RegExp(`^${error}: .`));
    }
  });
});
