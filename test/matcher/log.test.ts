import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

import type { Engine } from "../../src/matcher/engine.ts";
import { CommandLog, LogCorrupt, LogDiverged, readLog } from "../../src/matcher/log.ts";
import { encode } from "../../src/matcher/types.ts";
import { parsePrice } from "../../src/sdk/units.ts";
import { facts, LIMITS, place, TERMS } from "./support.ts";

describe("log of commands", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "log-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const file = () => path.join(folder, "log-0000000000000000.bin");

  /** Carries out and writes `count` orders, each in a frame of its own unless `together`. */
  async function write(count: number, { together = false, segmentBytes = 1 << 28 } = {}): Promise<Engine> {
    const { log, recovery } = CommandLog.open(folder, LIMITS, segmentBytes);
    const { engine } = recovery;
    const commands = [
      facts({ markets: TERMS }),
      ...Array.from({ length: count }, (_, i) => (i % 10 === 9 ? moved(i) : i % 5 === 3 ? stop(i) : rest(i))),
    ];
    const waits = [];
    for (const command of commands) {
      const text = encode(command);
      engine.apply(command, text);
      waits.push(log.append(text, engine));
      if (!together) await waits.at(-1);
    }
    await Promise.all(waits);
    if (together) expect(log.syncs, "one sync for all that wait").to.be.lessThan(4);
    await log.close();
    return engine;
  }

  const rest = (i: number) => place(i, "1", `${1990 + i}`);
  /** It waits until the price has moved on by two steps, and then for something to take. */
  const stop = (i: number) => place(i, "-5", "1900", { resting: false, triggerAbove: parsePrice(`${2000 + i + 10}`) });
  const moved = (i: number) => facts({ markets: [{ ...TERMS[0]!, index: parsePrice(`${2000 + i}`) }] });

  const hex = ({ hash }: Engine) => hash.toString("hex");

  it("OB-4 rebuilds the same state, syncing groups at once", async () => {
    const engine = await write(100, { together: true });
    const { recovery } = readLog(folder, LIMITS);
    expect(hex(recovery.engine)).to.equal(hex(engine));
    expect(recovery.engine.dump()).to.equal(engine.dump());
    expect(recovery).to.include({ replayed: 101, torn: 0 });
    const { heldCount, fills } = recovery.engine.book;
    expect([heldCount > 0, fills.size > 0], "some are held, some were released").to.deep.equal([true, true]);
  });

  it("cuts off a torn end, wherever it is torn, and goes on", async () => {
    await write(5);
    const whole = readFileSync(file());
    const before = readLog(folder, LIMITS).recovery.engine.sequence;
    const added = await write(1);
    const longer = readFileSync(file());
    expect(added.sequence).to.equal(before + 2);
    for (let size = whole.length; size < longer.length; size += 7) {
      writeFileSync(file(), longer.subarray(0, size));
      const { log, recovery } = CommandLog.open(folder, LIMITS);
      await log.close();
      expect(recovery.engine.sequence).to.be.oneOf([before, before + 1]);
      expect(recovery.torn + statSync(file()).size).to.equal(size);
    }
    appendFileSync(file(), Buffer.alloc(1000, 0xff));
    expect(readLog(folder, LIMITS).recovery.torn).to.equal(1000);
    await write(3);
    expect(readLog(folder, LIMITS).recovery.torn).to.equal(0);
  });

  it("refuses a log that is damaged in the middle, and changes nothing of it", async () => {
    await write(5);
    const data = readFileSync(file());
    data[data.length >> 1]! ^= 1;
    writeFileSync(file(), data);
    expect(() => CommandLog.open(folder, LIMITS)).to.throw(LogCorrupt);
    expect(readFileSync(file()).equals(data)).to.equal(true);
  });

  it("notices that commands lead elsewhere than when they were written", async () => {
    await write(5);
    expect(() => readLog(folder, { ...LIMITS, maxClosed: 1 })).to.not.throw();
    const { log, recovery } = CommandLog.open(folder, LIMITS);
    const command = place(9, "1", "1995");
    recovery.engine.apply(command);
    recovery.engine.apply({ ...command, time: command.time + 1 }); // not written
    await log.append(encode(command), recovery.engine);
    await log.close();
    expect(() => readLog(folder, LIMITS)).to.throw(LogDiverged);
  });

  it("begins new segments with a snapshot and keeps a bounded number of them", async () => {
    let engine = await write(200, { segmentBytes: 4000 });
    for (let i = 0; i < 3; ++i) engine = await write(100, { segmentBytes: 4000 });
    const names = readdirSync(folder);
    expect(names.filter((name) => name.startsWith("snapshot-"))).to.have.length.within(2, 8);
    const { recovery } = readLog(folder, LIMITS);
    expect(recovery.replayed).to.be.lessThan(100);
    expect(hex(recovery.engine)).to.equal(hex(engine));
    expect(recovery.engine.dump()).to.equal(engine.dump());
    expect(recovery.engine.book.heldCount).to.be.greaterThan(0);
    // A snapshot that is being written when the matcher dies is not there yet.
    writeFileSync(path.join(folder, "snapshot-9999999999999999.json.new"), "half");
    expect(hex(readLog(folder, LIMITS).recovery.engine)).to.equal(hex(engine));
    truncateSync(path.join(folder, names.filter((name) => name.startsWith("snapshot-")).at(-1)!), 10);
    expect(() => readLog(folder, LIMITS)).to.throw(LogCorrupt);
  });
});
