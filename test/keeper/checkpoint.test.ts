import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";

import { Checkpoint } from "../../src/keeper/checkpoint.ts";
import type { LedgerState } from "../../src/keeper/ledger.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { book, stateAt } from "./checkpointStates.ts";

const WRITER = path.join(import.meta.dirname, "checkpointWriter.ts");
const KILLS = 15;

/** A state as something that can be compared. */
function plain({ block, totals, accounts }: LedgerState): object {
  return { block, totals, accounts: new Map([...accounts].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

describe("checkpoint", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "checkpoint-"));
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function loaded(file: string): Promise<LedgerState | undefined> {
    const database = new SqliteDatabase(file);
    try {
      return await (await Checkpoint.open(database, book)).load();
    } finally {
      await database.close();
    }
  }

  it("MAM-6 is whole whenever its writer is killed", async function () {
    this.timeout(120_000);
    const file = path.join(folder, "killed.sqlite");
    let block = 0;
    for (let kill = 0; kill < KILLS; ++kill) {
      const child = spawn(process.execPath, ["--import", "tsx", WRITER, file], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = once(child, "exit");
      await once(child.stdout, "data"); // it is at it
      await sleep(Math.random() * 50);
      child.kill("SIGKILL");
      await exited;
      const state = await loaded(file);
      expect(state?.block.number).to.be.greaterThan(block);
      block = state?.block.number ?? 0;
      expect(plain(state!)).to.deep.equal(plain(stateAt(block)));
    }
  });

  it("MAM-6 is not set back by a keeper that is behind, nor extended by one that left a gap", async () => {
    const file = path.join(folder, "shared.sqlite");
    const database = new SqliteDatabase(file);
    const checkpoint = await Checkpoint.open(database, book);
    expect(await checkpoint.load()).to.equal(undefined);
    expect(await checkpoint.save(stateAt(3), undefined)).to.equal(true);
    expect(await checkpoint.save(stateAt(4, true), { number: 3, hash: "0x3" })).to.equal(true);
    expect(await checkpoint.save(stateAt(3, true), { number: 2, hash: "0x2" })).to.equal(false); // 4 is there
    expect(await checkpoint.save(stateAt(6, true), { number: 5, hash: "0x5" })).to.equal(false); // 5 is missing
    expect((await checkpoint.load())?.block).to.deep.equal({ number: 4, hash: "0x4" });
    expect(plain((await checkpoint.load())!)).to.deep.equal(plain(stateAt(4)));
    await database.close();
  });
});
