import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";

const root = path.join(import.meta.dirname, "../..");
const run = (script: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
  promisify(execFile)(process.execPath, ["--import", "tsx", script, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
  });

describe("the README's example", () => {
  let anvil: Anvil;
  let folder: string;

  before(async () => {
    anvil = await startAnvil();
    folder = mkdtempSync(path.join(tmpdir(), "plimsoll-"));
  });

  after(async () => {
    await anvil.stop();
    rmSync(folder, { recursive: true });
    rmSync(path.join(root, "deploy/deployments", path.basename(folder)), { recursive: true, force: true });
  });

  it("is the script in scripts/, and runs against a fresh deployment", async () => {
    const script = readFileSync(path.join(root, "scripts/example.ts"), "utf8");
    expect(readFileSync(path.join(root, "README.md"), "utf8")).to.include(script);

    const addressBook = path.join(folder, "book.json");
    const id = path.basename(folder);
    await run("deploy/deploy.ts", ["--url", anvil.url, "--deployment-id", id, "--address-book", addressBook]);
    const { stdout } = await run("scripts/example.ts", [], { ADDRESS_BOOK: addressBook, RPC_URL: anvil.url });
    // 10,000 − 5 bp of 20,000 = 9,990. MM = 20,000 · 3 % + concentration 20,000² · 2 % / 50 M = 600.16, IM = 5/3 of that.
    expect(stdout).to.match(/^Bob is healthy: equity 9990, initial margin 1000\.266\d*, maintenance margin 600\.16\n/i);
    // 9,990 + 10·(P − 2,000) = 10·P·3 % + (10·P)² · 4e-10 gives P = 1,031.963…
    expect(stdout).to.match(/liquidatable below an ETH price of 1031\.963/);
  });
});
