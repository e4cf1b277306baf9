import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

import { backTest } from "../../src/calibrate/backTest.ts";
import { expectUnderlyingRisk } from "../../src/calibrate/bounds.ts";
import { HistoryTooShort, ParameterOutOfBounds, WindowsOverlap } from "../../src/calibrate/errors.ts";
import { fit } from "../../src/calibrate/fit.ts";
import type { Present, Terms } from "../../src/calibrate/fit.ts";
import { readHistory } from "../../src/calibrate/history.ts";
import type { Window } from "../../src/calibrate/history.ts";
import { kupiec } from "../../src/calibrate/kupiec.ts";
import { cut } from "../../src/calibrate/sample.ts";
import { CandlesMissing } from "../../src/replay/errors.ts";

const HEADER = "timestamp,open,high,low,close,volume";
const AVERAGING = 600n; // [s]: the first ten minutes start the average
const STEP = 0.01; // every minute's log return, up or down: σ never changes, and μ = 1
const STEPS: Record<string, number> = { U: STEP, D: -STEP, u: 2 * STEP, d: -2 * STEP };
const START = 1_767_225_600; // [s]
const COINS = 1000; // traded a minute

/** The default parameters of ETH, without tracking. */
const PRESENT: Present = {
  risk: {
    ...{ shock: 30_000n, slope: 20_000n, basis: 10_000n, basisInitial: 30_000n, depth: 50_000_000n },
    ...{ maxTracking: 0n, maxTrackingInitial: 0n, initialFactor: 1_666_666_667n },
  },
  regime: { referenceVolatility: 800_000n, averaging: AVERAGING, maxFactor: 3_000_000n, maxStep: 250_000n },
};

/** Prices from 100 USD that go up and down as letters say: U and D by a step, u and d by two. */
function window(...parts: string[]): Window {
  let exponent = 0;
  const ways = parts.join("");
  const closes = Array.from({ length: ways.length }, (_, i) => {
    exponent += STEPS[ways.charAt(i)] ?? 0;
    return BigInt(Math.round(100e8 * Math.exp(exponent)));
  });
  const volumes = closes.map((close) => (COINS * Number(close)) / 1e8);
  return { file: "ETH-USD.csv", asset: "ETH", digest: "0x", from: START, closes, volumes };
}

function expectNear(actual: number, expected: number, tolerance: number): void {
  expect(Math.abs(actual - expected), `${actual} instead of ${expected}`).to.be.lessThan(tolerance);
}

describe("Kupiec's test", () => {
  /** Regions in which a model is not rejected at 95 %, from Kupiec's table of 1995. */
  const regions: [windows: number, probability: number, above: number, below: number][] = [
    [510, 0.01, 1, 11],
    [1000, 0.01, 4, 17],
    [255, 0.025, 2, 12],
    [510, 0.025, 6, 21],
    [1000, 0.025, 15, 36],
    [255, 0.05, 6, 21],
    [510, 0.05, 16, 36],
    [1000, 0.05, 37, 65],
  ];

  it("MBS-3 rejects where Kupiec's table does, and nowhere else", () => {
    for (const [windows, probability, above, below] of regions) {
      const p = (breaches: number) => kupiec(windows, breaches, probability).pValue;
      for (const breaches of [above, below]) expect(p(breaches), `${windows} ${breaches}`).to.be.lessThan(0.05);
      for (const breaches of [above + 1, below - 1]) expect(p(breaches), `${windows} ${breaches}`).to.be.above(0.05);
    }
    expect(kupiec(255, 6, 0.01).pValue).to.be.above(0.05); // N < 7
    expect(kupiec(255, 7, 0.01).pValue).to.be.lessThan(0.05);
  });

  it("MBS-3 gives the ratio and the p-value that arithmetic gives", () => {
    // None of 255: −2 · 255 · ln 0.99 = 5.125671
    expectNear(kupiec(255, 0, 0.01).ratio, 5.125671, 1e-6);
    // J. P. Morgan, 20 of 252 at 5 % (Jorion, Value at Risk): 3.91
    expectNear(kupiec(252, 20, 0.05).ratio, 3.91, 5e-3);
    // As many as promised
    expect(kupiec(1000, 10, 0.01)).to.deep.include({ pValue: 1 });
    expectNear(kupiec(10, 10, 0.01).ratio, -20 * Math.log(0.01), 1e-9);
  });
});

describe("Calibration", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "calibrate-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("MBS-4 HC-5 fits what arithmetic says to a path with moves of known size", () => {
    // 10 minutes that start the average, 200 that are fitted to, 200 for the test
    const terms: Terms = { confidence: 0.99, horizon: 5, sale: 7, fit: 0.5 };
    const sample = cut([window("UD".repeat(205))], AVERAGING, 0.5, 20);
    const fitted = fit(sample, PRESENT, terms);
    // σ = 0.01 / √minute = 0.01 · √525,600 = 7.249828 a year
    expect(fitted.regime.referenceVolatility).to.equal(7_249_828n);
    // Over an odd number of minutes the price moves by e^0.01 − 1 = 1.005017 % or by e^−0.01 − 1: the larger
    expect(fitted.risk.shock).to.equal(10_051n);
    // Closes are 100 and 101.005017. Five minutes hold two of the higher at least: 1000 · (202.010033 + 300)
    expect(fitted.risk.depth).to.equal(502_010n);
    // Selling the depth costs σ·√5 minutes = 0.01 · 2.2360680 over the taker's 70 %
    expect(fitted.risk.slope).to.equal(31_944n);
    // A fall of 1 − e^−0.01 is less than κ: what remains is a quarter of the slope
    expect(fitted.haircuts).to.deep.equal({ haircut: 7_986n, haircutInitial: 7_986n });
    // The last close is 100; seven minutes hold three of the higher at least: 1000 · (303.015050 + 400)
    expect(fitted.collateral).to.deep.equal({ accountCap: 5020n, cap: 7030n });
    expect(fitted.market).to.deep.equal({ softCap: 351_507n, hardCap: 703_015n });
  });

  it("HC-6 selling any size up to an account's cap costs no more than haircut and size charge leave the taker", () => {
    const terms: Terms = { confidence: 0.99, horizon: 5, sale: 7, fit: 0.5 };
    const { risk, haircuts } = fit(cut([window("UD".repeat(205))], AVERAGING, 0.5, 20), PRESENT, terms);
    for (let share = 0.01; share <= 1; share += 0.01) {
      const cost = STEP * Math.sqrt(5) * Math.sqrt(share); // σ·√horizon·√(size / traded)
      const charge = (Number(risk.slope) * share + Number(haircuts.haircut)) / 1e6; // A and H, of the size
      expect(cost, `${share}`).to.be.at.most(0.7 * charge);
    }
  });

  it("MBS-4 HC-5 no more than one move in a hundred is beyond what covers 99 % of them, however many there are", () => {
    // Of 150 moves of a minute one and a half may be beyond, so one: κ is the second largest, depth the second least.
    const path = window("UD".repeat(50), "Ud", "UD".repeat(20), "uD", "UD".repeat(28));
    const volumes = path.volumes.with(50, 10_000).with(60, 20_000);
    const sample = cut([{ ...path, volumes }], AVERAGING, 151 / 190, 5);
    const regime = { ...PRESENT.regime, maxFactor: 1_000_000n };
    const { risk } = fit(sample, { ...PRESENT, regime }, { confidence: 0.99, horizon: 1, sale: 1, fit: 0.5 });
    expect(risk.shock).to.equal(19_802n); // 1 − e^−0.02 = 1.980133 %; the largest is e^0.02 − 1
    expect(risk.depth).to.equal(20_000n);
  });

  it("MM-6 what μ(t) has raised is not asked for twice: a move of twice the size in twice the volatility counts once", () => {
    // 400 minutes at σ_ref and 399 at twice that. μ(t) has come to 2 an hour later, with nine tenths of all moves behind or before it.
    const regime = { ...PRESENT.regime, maxStep: 1_000_000n };
    const path = window("UD".repeat(205), "ud".repeat(200), "UD".repeat(15));
    const sample = cut([path], AVERAGING, 799 / 830, 20);
    const terms: Terms = { confidence: 0.9, horizon: 5, sale: 7, fit: 0.5 };
    const { shock } = fit(sample, { ...PRESENT, regime }, terms).risk;
    // (e^0.02 − 1) / 2 = 1.010067 %, where μ is not quite 2 some ppm more
    expect(Number(shock)).to.be.within(10_101, 10_111);
    const without = fit(sample, { ...PRESENT, regime: { ...regime, maxFactor: 1_000_000n } }, terms).risk;
    expect(without.shock).to.equal(20_202n); // e^0.02 − 1 = 2.020134 %
  });

  it("MBS-4 a shock is never less than hedges need, and a reference never less than the oracle takes", () => {
    const flat: Window = { ...window("UD".repeat(205)), closes: Array<bigint>(410).fill(100n * 10n ** 8n) };
    const fitted = fit(cut([flat], AVERAGING, 0.5, 20), PRESENT, { confidence: 0.99, horizon: 5, sale: 7, fit: 0.5 });
    // β_i ≤ 2φκ: 30,000 / (2 · 1.666666667) = 8,999.999998
    expect(fitted.risk.shock).to.equal(9_000n);
    expect(fitted.regime.referenceVolatility).to.equal(100_000n);
    const tracked = { ...PRESENT, risk: { ...PRESENT.risk, maxTracking: 20_000n, maxTrackingInitial: 20_000n } };
    const withTracking = fit(cut([flat], AVERAGING, 0.5, 20), tracked, {
      ...{ confidence: 0.99, horizon: 5, sale: 7, fit: 0.5 },
    });
    // β + τ ≤ 2κ and (β_i + τ_i) ≤ 2φκ: 15,000, and 50,000 / 3.333333334 = 14,999.999997
    expect(withTracking.risk.shock).to.equal(15_000n);
  });

  it("MBS-3 HC-5 counts breaches out of sample only, in windows that share no minute", () => {
    // 10 minutes that start the average, 300 that are fitted to; then, from the close of one more on, 100 windows of 3 minutes, of
    // which two rise and two fall by three steps, the others by one.
    const wild: Record<number, string> = { 10: "UUU", 40: "DDD", 41: "UUU", 90: "DDD" };
    const windows = Array.from({ length: 100 }, (_, i) => wild[i] ?? (i % 2 === 0 ? "DUD" : "UDU"));
    const sample = cut([window("UD".repeat(155), "U", ...windows)], AVERAGING, 300 / 601, 10);
    const terms: Terms = { confidence: 0.99, horizon: 3, sale: 3, fit: 0.5 };
    const { risk, regime, haircuts } = fit(sample, PRESENT, terms);
    expect(risk.shock).to.equal(10_051n);
    const proposed = { risk: { ...PRESENT.risk, ...risk }, regime: { ...PRESENT.regime, ...regime }, haircuts };
    const [maintenance, , collateral] = backTest(sample, proposed, terms);
    // LR = 2 · (96 · ln(0.96 / 0.99) + 4 · ln 4) = 5.1822; mean of e^0.03 − 1 and 1 − e^−0.03 = sinh 0.03 = 0.0300045
    expect(maintenance).to.include({ rule: "maintenance shock", windows: 100, breaches: 4, expected: 1 });
    expectNear(maintenance?.pValue ?? 0, 0.0228, 5e-5);
    expectNear(maintenance?.shortfall ?? 0, 0.0300045, 1e-6);
    // κ + h = 1.01 % + 0.01 · √3 / 0.7 / 4 = 1.62 %: only the falls
    expect(collateral).to.include({ rule: "unhedged collateral", windows: 100, breaches: 2 });
    // The parameters that stand ask for 3 % at μ ≥ 1, and for a regime above σ_ref = 80 % the more.
    const [present] = backTest(sample, { ...PRESENT, haircuts: { haircut: 70_000n } }, terms);
    expect(present).to.include({ windows: 100, breaches: 0 });
  });

  it("HC-5 several files of an asset are windows apart; one minute twice, or too few, is refused", () => {
    const file = (name: string, from: number, minutes: number) => {
      const rows = Array.from({ length: minutes }, (_, i) => `${from + i * 60},1,1,1,${100 + (i % 2)},3`);
      const target = path.join(folder, name);
      writeFileSync(target, [HEADER, ...rows].join("\n"));
      return target;
    };
    const [late, early] = [file("ETH-USD_2.csv", 6000, 30), file("ETH-USD_1.csv", 0, 30)];
    const history = readHistory([late, early, file("BTC-USD_1.csv", 0, 30)]);
    expect(history.get("ETH")?.map((w) => w.file)).to.deep.equal(["ETH-USD_1.csv", "ETH-USD_2.csv"]);
    expect(history.get("BTC")).to.have.length(1);
    expect(history.get("ETH")?.[0]?.volumes.slice(0, 2)).to.deep.equal([300, 303]);
    // In whatever order they are named: the hash of a proposal does not depend on it.
    const names = ["ETH-USD_2.csv", "BTC-USD_1.csv", "ETH-USD_1.csv"];
    const orders = [names, names.toReversed()].map((order) =>
      readHistory(order.map((name) => path.join(folder, name))),
    );
    for (const one of orders) expect([...one]).to.deep.equal([...history]);
    expect(() => readHistory([early, file("ETH-USD_3.csv", 1740, 30)])).to.throw(WindowsOverlap, "ETH-USD_1.csv");
    expect(readHistory([early, file("ETH-USD_4.csv", 1800, 30)]).get("ETH")).to.have.length(2);
    // 20 minutes of each are left, 20 to fit to and 20 to test on: no move of 20 minutes fits in
    const windows = history.get("ETH") ?? [];
    expect(() => cut(windows, AVERAGING, 0.5, 20)).to.throw(HistoryTooShort, "20 minutes");
    expect(cut(windows, AVERAGING, 0.5, 19).windows).to.have.length(2);
    // A hole of more than an hour is no hour in which prices stood still.
    const holed = path.join(folder, "ETH-USD_5.csv");
    writeFileSync(holed, `${HEADER}\n0,1,1,1,100,3\n3660,1,1,1,100,3\n7380,1,1,1,100,3`);
    expect(() => readHistory([holed])).to.throw(CandlesMissing, "61 minutes after minute 3660");
  });

  it("MBS-4 where nothing is traded it says so: there is no depth", () => {
    const dead = { ...window("UD".repeat(205)), volumes: Array<number>(410).fill(0) };
    const { risk } = fit(cut([dead], AVERAGING, 0.5, 20), PRESENT, {
      ...{ confidence: 0.99, horizon: 5, sale: 7, fit: 0.5 },
    });
    expect(() => {
      expectUnderlyingRisk("ETH", { ...PRESENT.risk, ...risk });
    }).to.throw(ParameterOutOfBounds, "depth of ETH would be 0");
  });
});
