import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";

import { freePort } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import { Crash, started } from "./crash.ts";
import type { KeeperProcess } from "./crash.ts";

const ACCOUNTS = 12;

/** By how much a log is longer than any file may be. */
const LOG = 8 * 1024 * 1024; // [bytes]

describe("keeper without room on the disk", function () {
  this.timeout(120_000);
  let venue: Venue;
  let crash: Crash;
  let port: string;

  before(async () => {
    venue = await Venue.open();
  });
  after(async () => {
    await venue.close();
  });

  beforeEach(async () => {
    crash = await Crash.open(venue, ACCOUNTS);
    port = String(await freePort());
  });
  afterEach(async () => {
    await crash.close();
  });

  const start = (log?: string) =>
    crash.start({ env: { PORT: port, MIN_GAS_RUNWAY: "1" }, ...(log !== undefined && { log }) });

  async function ready(): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${port}/ready`);
    return { status: response.status, text: await response.text() };
  }

  /** No file of the keeper's may grow, until `makeRoom`. */
  function fill({ child }: KeeperProcess): void {
    const { size } = statSync(`${crash.database}-wal`);
    execFileSync("prlimit", ["--pid", String(child.pid), `--fsize=${size}:`]);
  }

  function makeRoom({ child }: KeeperProcess): void {
    execFileSync("prlimit", ["--pid", String(child.pid), "--fsize=unlimited:"]);
  }

  it("LIQ-5 sends nothing that it cannot write down, says so, is not ready, and goes on when there is room again", async () => {
    const keeper = start();
    await started(keeper);
    for (let i = 0; i < 5; ++i) await crash.step();
    await crash.calm();
    expect(await ready()).to.deep.include({ status: 200 });
    fill(keeper);
    await sleep(300); // what was written down before may leave
    const sent = await crash.sent("pending");
    for (let i = 0; i < 10; ++i) await crash.step();
    expect((await crash.sunk()).length).to.be.greaterThan(0);
    expect(await crash.sent("pending")).to.equal(sent);
    expect(keeper.output()).to.match(/"take".*the disk is full, or this user's share of it: make room/);
    const { status, text } = await ready();
    expect(status).to.equal(503);
    expect(text).to.include("the database cannot be written: look at its disk and connection");
    makeRoom(keeper);
    await crash.calm();
    expect(await ready()).to.deep.include({ status: 200 });
    await crash.stop(keeper);
    expect((await crash.expectWhole()).reverted).to.deep.equal([]);
  });

  it("LIQ-5 goes on although its log cannot be written", async () => {
    const log = path.join(venue.folder, "keeper.log");
    writeFileSync(log, " ".repeat(LOG));
    const keeper = start(log);
    await started(keeper);
    fill(keeper);
    for (let i = 0; i < 10; ++i) await crash.step();
    makeRoom(keeper);
    await crash.calm();
    expect(keeper.child.exitCode).to.equal(null);
    await crash.stop(keeper);
    await crash.expectWhole();
  });
});
