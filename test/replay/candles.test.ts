import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

import { loadCandles, parseCandles } from "../../src/replay/candles.ts";
import { choosePath } from "../../src/replay/demo.ts";
import {
  AssetRepeated,
  CandleColumnsWrong,
  CandleFileEmpty,
  CandleFileUnreadable,
  CandleInvalid,
  CandlesMissing,
  NoCommonMinutes,
  OptionInvalid,
  UnknownAsset,
} from "../../src/replay/errors.ts";
import { hold, truncate } from "../../src/replay/path.ts";

const HEADER = "timestamp,open,high,low,close,volume";
const FLAT = { ETH: 2000n * 10n ** 8n, BTC: 30_000n * 10n ** 8n };

describe("Candles", () => {
  let folder: string;
  const file = (name: string, ...lines: string[]) => {
    const target = path.join(folder, name);
    writeFileSync(target, lines.join("\n"));
    return target;
  };

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "candles-"));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("reads closes exactly, to the feed's 8 decimals", () => {
    const text = `${HEADER}\n60,100,101,99,100.12345678,5\n120,100,101,99,100.123456789,5\r\n\n180,1,1,1,1,0\n`;
    expect(parseCandles(text, "x")).to.deep.equal([
      { time: 60, close: 10_012_345_678n, volume: 5 },
      { time: 120, close: 10_012_345_678n, volume: 5 },
      { time: 180, close: 100_000_000n, volume: 0 },
    ]);
  });

  it("keeps the last close through minutes without a row, and plays both assets on the minutes they share", () => {
    const eth = file("ETH-USD_x.csv", HEADER, "60,1,1,1,10,0", "240,1,1,1,13,0", "300,1,1,1,14,0");
    const btc = file("BTC-USD_x.csv", HEADER, "120,1,1,1,500,0", "360,1,1,1,600,0");
    const { times, prices } = loadCandles([eth, btc], FLAT);
    expect(times).to.deep.equal([180, 240, 300, 360]); // ends of the minutes that begin at 120 to 300
    expect(prices.ETH.map((p) => p / 10n ** 8n)).to.deep.equal([10n, 10n, 13n, 14n]);
    expect(prices.BTC.map((p) => p / 10n ** 8n)).to.deep.equal([500n, 500n, 500n, 500n]);
  });

  it("bears an hour without a row, and names the file and the minute of a longer hole", () => {
    const [first, second] = ["60,1,1,1,10,0", "120,1,1,1,11,0"];
    const hour = file("ETH-USD_h.csv", HEADER, first, second, `${120 + 61 * 60},1,1,1,12,0`);
    expect(loadCandles([hour], FLAT).times).to.have.length(63);
    const hole = file("BTC-USD_h.csv", HEADER, first, second, `${120 + 62 * 60},1,1,1,12,0`);
    expect(() => loadCandles([hole], FLAT))
      .to.throw(CandlesMissing, "BTC-USD_h.csv has nothing for 61 minutes after minute 120")
      .and.to.include({ file: hole, after: 120, minutes: 61 });
  });

  it("leaves an asset without a file at its flat price", () => {
    const eth = file("ETH-USD_y.csv", HEADER, "60,1,1,1,10,0", "120,1,1,1,11,0");
    expect(loadCandles([eth], FLAT).prices.BTC).to.deep.equal([FLAT.BTC, FLAT.BTC]);
  });

  it("truncates a path and holds its last prices", () => {
    const eth = file("ETH-USD_z.csv", HEADER, "60,1,1,1,10,0", "120,1,1,1,11,0", "180,1,1,1,12,0");
    const held = hold(truncate(loadCandles([eth], FLAT), 2), 2);
    expect(held.times).to.deep.equal([120, 180, 240, 300]);
    expect(held.prices.ETH.map((p) => p / 10n ** 8n)).to.deep.equal([10n, 11n, 11n, 11n]);
  });

  it("refuses what it cannot read, saying why", () => {
    const good = "60,1,1,1,10,0";
    expect(() => loadCandles([path.join(folder, "ETH-USD_missing.csv")], FLAT)).to.throw(CandleFileUnreadable);
    expect(() => loadCandles([file("DOGE-USD.csv", HEADER, good)], FLAT)).to.throw(UnknownAsset, "ETH-USD or BTC-USD");
    const twins = [file("ETH-USD_1.csv", HEADER, good), file("ETH-USD_2.csv", HEADER, good)];
    expect(() => loadCandles(twins, FLAT)).to.throw(AssetRepeated);
    const apart = [file("ETH-USD_3.csv", HEADER, good), file("BTC-USD_3.csv", HEADER, "600,1,1,1,10,0")];
    expect(() => loadCandles(apart, FLAT)).to.throw(NoCommonMinutes);
    expect(() => parseCandles("", "x")).to.throw(CandleFileEmpty);
    expect(() => parseCandles(`${HEADER}\n`, "x")).to.throw(CandleFileEmpty);
    expect(() => parseCandles(`time,price\n${good}`, "x")).to.throw(CandleColumnsWrong, "time,price");
  });

  for (const [what, line] of [
    ["a price that is no number", "60,1,1,1,NaN,0"],
    ["an infinite price", "60,1,1,1,Infinity,0"],
    ["a price of zero", "60,1,1,1,0,0"],
    ["a negative price", "60,1,1,-1,10,0"],
    ["a missing price", "60,1,1,1,,0"],
    ["a volume that is no number", "60,1,1,1,10,much"],
    ["a negative volume", "60,1,1,1,10,-1"],
    ["a missing column", "60,1,1,1,10"],
    ["a time that is no number", "noon,1,1,1,10,0"],
    ["a time within a minute", "61,1,1,1,10,0"],
    ["a minute that is there twice", "60,1,1,1,10,0\n60,1,1,1,10,0"],
  ] as const) {
    it(`refuses ${what}, naming the line`, () => {
      expect(() => parseCandles(`${HEADER}\n${line}`, "x.csv")).to.throw(CandleInvalid, /x\.csv, line [23]:/);
    });
  }

  it("refuses options that make no sense", () => {
    const options = { seed: "1", out: "x" };
    expect(() => choosePath({ ...options, seed: "one" })).to.throw(OptionInvalid, "--seed");
    expect(() => choosePath({ ...options, minutes: "0" })).to.throw(OptionInvalid, "--minutes");
    expect(() => choosePath({ ...options, minutes: "1.5" })).to.throw(OptionInvalid, "--minutes");
    expect(() => choosePath({ ...options, prices: "a.csv,,b.csv" })).to.throw(OptionInvalid, "--prices");
  });
});
