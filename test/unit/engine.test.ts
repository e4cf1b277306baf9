import { expect } from "chai";
import { encodeBytes32String } from "ethers";

import { freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { refused } from "../helpers/unit.ts";

const PPM = 1_000_000n;
const [ETH, BTC, WETH] = [0n, 1n, 0n];

/** The risk parameters of WETH. */
const ASSET = {
  haircut: 70_000,
  haircutInitial: 100_000,
  tracking: 0,
  trackingInitial: 0,
  underlying: 0,
  depegThreshold: 0,
  depegFactor: 0,
};

interface Block {
  underlying: bigint;
  price: string;
  net?: string;
  gross?: string;
  collaterals?: [id: bigint, value: string][];
  initialFactor?: bigint; // μ [ppm]
  maintenanceFactor?: bigint;
}

/** A portfolio as `types/Portfolio.sol` packs it. */
function portfolio(base: string, ...blocks: Block[]): bigint[] {
  const words = [BigInt.asUintN(256, wad(base))];
  for (const b of blocks) {
    const collaterals = b.collaterals ?? [];
    const factors = ((b.initialFactor ?? PPM) << 128n) | ((b.maintenanceFactor ?? PPM) << 160n);
    words.push((b.underlying << 248n) | (BigInt(collaterals.length) << 240n) | factors | wad(b.price));
    const net = wad(b.net ?? "0");
    const gross = b.gross === undefined ? (net < 0n ? -net : net) : wad(b.gross);
    words.push((BigInt.asUintN(128, net) << 128n) | gross);
    for (const [id, value] of collaterals) words.push((id << 248n) | wad(value));
  }
  return words;
}

const eth = (net: string, more: Partial<Block> = {}): Block => ({ underlying: ETH, price: "2000", net, ...more });

/** κ 3 %, slope 2 %, depth 50,000,000, φ 1.666666667, β 1 %, β_i 3 %, h 7 %, h_i 10 %: the parameters of ETH and WETH. */
async function assessed(h: Fixture, words: bigint[]) {
  const [equity, initial, maintenance] = await h.riskEngine.assess(words);
  return { equity, initial, maintenance };
}

const numbers = (equity: string, initial: string, maintenance: string) => ({
  equity: wad(equity),
  initial: wad(initial),
  maintenance: wad(maintenance),
});

describe("RiskEngine", () => {
  it("MMS-1 MM-3 judges by the formulas: shock, concentration, basis, liquidity", async () => {
    const h = await freshHouse();
    const weth = (value: string): Partial<Block> => ({ collaterals: [[WETH, value]] });
    const cases: [string, bigint[], ReturnType<typeof numbers>][] = [
      ["cash only", portfolio("-7.5"), numbers("-7.5", "0", "0")],
      // W = 2,000 · 3 % = 60, A = 2,000 · 2 % · 2,000/50,000,000 = 0.0016; IM = φ · 60.0016
      ["long 1", portfolio("500", eth("1")), numbers("500", "100.0026666866672", "60.0016")],
      ["short 1", portfolio("500", eth("-1")), numbers("500", "100.0026666866672", "60.0016")],
      // x = 0, g = 1: B = 2,000 · 1 %, B_i = 2,000 · 3 %; all of it hedged, so H = 0
      ["DN-2 hedged", portfolio("0", eth("-1", weth("2000"))), numbers("2000", "60", "20")],
      // x = 2: W = 120, A = 4,000 · 2 % · 4,000/50,000,000 = 0.0064, H = 140, H_i = 200; φ · 120.0064 = 200.0106667066688
      ["wrong way", portfolio("0", eth("1", weth("2000"))), numbers("2000", "400.0106667066688", "260.0064")],
      // x = 1, g = 1, s = 1/2: W + A = 60.0016, B = 20, H = 4,000 · 7 % · 1/2 = 140; B_i = 60, H_i = 200
      ["half hedged", portfolio("0", eth("-1", weth("4000"))), numbers("4000", "360.0026666866672", "220.0016")],
      // x = −2, g = (1 + 3 − 2)/2 = 1, s = 1: W + A = 120.0064, B = 20, B_i = 60
      ["over-hedged", portfolio("0", eth("-3", weth("2000"))), numbers("2000", "260.0106667066688", "140.0064")],
      // two markets of one underlying, +1 and −1: x = 0, g = (0 + 2 − 0)/2
      ["spread", portfolio("100", eth("0", { gross: "2" })), numbers("100", "60", "20")],
      // no credit across: 60.0016 + 3,000 · 3 % + 3,000 · 2 % · 3,000/100,000,000 = 60.0016 + 90.0018; φ · 150.0034
      [
        "CMP-6 two underlyings",
        portfolio("300", eth("1"), { underlying: BTC, price: "30000", net: "-0.1" }),
        numbers("300", "250.0056667166678", "150.0034"),
      ],
      // beyond the depth the concentration charge is the whole slope: 100,000,000 · (3 % + 2 %)
      ["MM-3 concentrated", portfolio("1", eth("50000")), numbers("1", "8333333.335", "5000000")],
      // μ 2 and 1.5 on the shock only: MM = 90 + 0.0016; IM = φ · (120 + 0.0016)
      [
        "volatile",
        portfolio("1", eth("1", { initialFactor: 2n * PPM, maintenanceFactor: 1_500_000n })),
        numbers("1", "200.0026667066672", "90.0016"),
      ],
    ];
    for (const [name, words, expected] of cases) expect(await assessed(h, words), name).to.deep.equal(expected);
  });

  it("HC-1 charges tracking on what is hedged, clamps haircuts, and never asks less initially than for maintenance", async () => {
    const h = await freshHouse();
    expect((await h.riskEngine.underlyingRisk(0)).maxTracking).to.equal(20_000n);
    expect((await h.riskEngine.underlyingRisk(0)).maxTrackingInitial).to.equal(30_000n);
    // wstETH has τ 2 %, τ_i 3 %; hedged 1: 20 + 40 and 60 + 60
    const hedge = portfolio("0", eth("-1", { collaterals: [[2n, "2000"]] }));
    expect(await assessed(h, hedge)).to.deep.equal(numbers("2000", "120", "60"));

    const total = { ...ASSET, haircut: 1_000_000, haircutInitial: 1_000_000 };
    await expect(h.riskEngine.setCollateralRisk(4, total)).to.emit(h.riskEngine, "CollateralRiskSet");
    // h = 1 − (3 % + 2 · 2 % + 2 %) = 91 %: MM = 60.0016 + 1,820. h_i = 1 − φ · 7 % − 3 %, rounded, = 85.3333 %: IM would
    // be 100.0027 + 1,706.666, less than MM. A unit still counts for its owner: 2,000 − MM > 0.
    const spot = portfolio("0", eth("0", { collaterals: [[4n, "2000"]] }));
    expect(await assessed(h, spot)).to.deep.equal(numbers("2000", "1880.0016", "1880.0016"));
  });

  it("LIQ-2 finds the slices of the published examples: 7,500 and 6,000 of 10,000", async () => {
    const h = await freshHouse();
    const risk = {
      shock: 50_000,
      slope: 0,
      basis: 10_000,
      basisInitial: 10_000,
      maxTracking: 0,
      maxTrackingInitial: 0,
      depth: 1,
    };
    await h.riskEngine.setUnderlyingRisk(7, { ...risk, initialFactor: 2_000_000_000 });
    await h.riskEngine.setUnderlyingRisk(8, { ...risk, initialFactor: 1_250_000_000 });
    const dust = wad("10");
    const of = (underlying: bigint, equity: string, discount: string) =>
      h.riskEngine.slice(portfolio(equity, { underlying, price: "2000", net: "5" }), wad(discount), dust);
    // N = 10,000, E = 400, target 10 %, penalty 40 % of MM = 2 %: 400 − 200 f = 1,000 · (1 − f) at f = 0.75; landing up to
    // 0.1 % above is 800 · δ ≤ 0.25
    const [first, assessment] = await of(7n, "400", "0.4");
    expect(first).to.be.within(wad("0.75"), wad("0.7503125"));
    expect(assessment).to.deep.equal([wad("400"), wad("1000"), wad("500")]);
    // target 6.25 %, penalty 50 % of MM = 2.5 %: 400 − 250 f = 625 · (1 − f) at f = 0.6; 375 · δ ≤ 0.25
    const [second] = await of(8n, "400", "0.5");
    expect(second).to.be.within(wad("0.6"), wad("0.600667"));
    expect((await of(7n, "1000", "0.4"))[0]).to.equal(0n); // E ≥ IM
    expect((await of(7n, "200", "0.4"))[0]).to.equal(wad("1")); // E ≤ d · MM
    const [whole] = await h.riskEngine.slice(
      portfolio("400", { underlying: 7n, price: "2000", net: "5" }),
      wad("0.4"),
      wad("2501"),
    );
    expect(whole).to.equal(wad("1")); // 2,500 left would be dust
  });

  it("LIQ-2 a slice leaves no dust, counted over both legs of a spread and over all underlyings", async () => {
    const h = await freshHouse();
    // +5 and −5 at 2,000: MM = 1 % and IM = 3 % of 10,000, penalty 50: 100 − 50 f = 300 · (1 − f) at f = 0.8 leaves a gross of 4,000;
    // landing up to 0.1 % above, 250 · δ ≤ 0.06, leaves 5 less
    const spread = portfolio("100", eth("0", { gross: "10" }));
    const slice = async (words: bigint[], dust: string) => (await h.riskEngine.slice(words, wad("0.5"), wad(dust)))[0];
    expect(await slice(spread, "3990")).to.be.within(wad("0.8"), wad("0.80024"));
    expect(await slice(spread, "4001")).to.equal(wad("1"));
    // beside it long 0.1 BTC at 60,000: 6,000 · 3 % = 180.0072 more MM, 300.012 more IM. 300 − 140.0036 f = 600.012 · (1 − f) at
    // f = 0.652209 leaves a gross of 26,000 · 0.347791 = 9,042.6; 460 · δ ≤ 0.21 leaves 12 less
    const two = portfolio("300", eth("0", { gross: "10" }), { underlying: BTC, price: "60000", net: "0.1" });
    expect(await slice(two, "9025")).to.be.within(wad("0.6521"), wad("0.6527"));
    expect(await slice(two, "9045")).to.equal(wad("1"));
  });

  it("LIQ-2 lands at IM where the charge is not proportional to the size, at most 0.1 % above", async () => {
    const h = await freshHouse();
    const steep = {
      shock: 6_000,
      slope: 100_000,
      basis: 5_001,
      basisInitial: 5_001,
      maxTracking: 0,
      maxTrackingInitial: 0,
    };
    await h.riskEngine.setUnderlyingRisk(7, { ...steep, initialFactor: 1_666_666_667, depth: 50_000_000 });
    for (const [underlying, equity, discount, penalty] of [
      // 50,000 at 2,000: MM = 5 % of 100,000,000, half of the size needs less than half
      [ETH, "2000000", "0.05", "250000"],
      // MM = 10.6 %, and E is one dollar more than the penalty on the whole: the search has to halve the interval
      [7n, "2120001", "0.2", "2120000"],
    ] as const) {
      const whole = portfolio(equity, { underlying, price: "2000", net: "50000" });
      const [fraction] = await h.riskEngine.slice(whole, wad(discount), wad("10"));
      const left = 50_000n * (wad("1") - fraction);
      const rest = portfolio("0", { underlying, price: "2000" });
      rest[2] = (left << 128n) | left; // net and gross
      const { initial } = await assessed(h, rest);
      expect(wad(equity) - (fraction * wad(penalty)) / wad("1")).to.be.within(initial, (initial * 1_001n) / 1_000n);
    }
  });

  it("refuses what it has no parameters for", async () => {
    const h = await freshHouse();
    const engine = h.riskEngine;
    const strange = portfolio("1", { underlying: 9n, price: "2000", net: "1" });
    for (const call of [() => engine.assess(strange), () => engine.slice(strange, 0n, 0n)]) {
      await refused(h, call, "UnknownUnderlying", [9n], engine);
    }
    const asset = portfolio("1", eth("1", { collaterals: [[9n, "1"]] }));
    await refused(h, () => engine.assess(asset), "UnknownCollateral", [9n], engine);
    const orphan = { ...ASSET, underlying: 9 };
    await refused(h, () => engine.setCollateralRisk(4, orphan), "UnknownUnderlying", [9n], engine);
  });

  it("MM-5 HC-1 bounds every parameter, alone and together", async () => {
    const h = await freshHouse();
    const engine = h.riskEngine;
    const risk = {
      shock: 30_000n,
      slope: 20_000n,
      basis: 10_000n,
      basisInitial: 30_000n,
      maxTracking: 0n,
      maxTrackingInitial: 0n,
      initialFactor: 1_666_666_667n,
      depth: 50_000_000n,
    };
    const phi = 10n ** 9n;
    const underlying: [bigint, Partial<typeof risk>, string, bigint, bigint, bigint][] = [
      [256n, {}, "underlying", 256n, 0n, 255n],
      [0n, { shock: 5_000n }, "shock", 5_000n, 5_001n, 500_000n],
      [0n, { shock: 500_001n }, "shock", 500_001n, 5_001n, 500_000n],
      [0n, { slope: 200_001n }, "slope", 200_001n, 0n, 200_000n],
      [0n, { initialFactor: phi }, "initialFactor", phi, phi + 1n, 4n * phi],
      [0n, { initialFactor: 4n * phi + 1n }, "initialFactor", 4n * phi + 1n, phi + 1n, 4n * phi],
      [0n, { depth: 0n }, "depth", 0n, 1n, 2n ** 48n - 1n],
      [0n, { basis: 5_000n }, "basis", 5_000n, 5_001n, 40_000n],
      [0n, { basis: 40_001n }, "basis", 40_001n, 5_001n, 40_000n], // 2κ − τ
      [0n, { basisInitial: 9_999n }, "basisInitial", 9_999n, 10_000n, 70_000n],
      [0n, { basisInitial: 70_001n }, "basisInitial", 70_001n, 10_000n, 70_000n], // 2φκ − τ_i
      // φ · (3 · 30 % + 2 · 2 %) + τ_i = 159.6667 % in the worst regime
      [0n, { shock: 300_000n }, "shock and slope", 1_596_667n, 0n, PPM],
    ];
    for (const [id, change, name, ...bounds] of underlying) {
      const args = [encodeBytes32String(name), ...bounds];
      await refused(
        h,
        () => engine.setUnderlyingRisk(id, { ...risk, ...change }),
        "ParameterOutOfBounds",
        args,
        engine,
      );
    }
    await expect(engine.setUnderlyingRisk(0, risk)).to.emit(engine, "UnderlyingRiskSet");

    const collateral: [bigint, Partial<Record<keyof typeof ASSET, bigint>>, string, bigint, bigint, bigint][] = [
      [256n, {}, "collateral", 256n, 0n, 255n],
      [0n, { underlying: 1n }, "underlying", 1n, 0n, 0n], // is listed with ETH's
      [0n, { haircut: PPM + 1n }, "haircut", PPM + 1n, 0n, PPM],
      [0n, { haircutInitial: 69_999n }, "haircutInitial", 69_999n, 70_000n, PPM],
      [0n, { haircutInitial: PPM + 1n }, "haircutInitial", PPM + 1n, 70_000n, PPM],
      [0n, { haircut: 0n, haircutInitial: 0n }, "haircutInitial", 0n, 1n, PPM],
      [0n, { tracking: 70_001n }, "tracking", 70_001n, 0n, 70_000n],
      [0n, { tracking: 2n, trackingInitial: 1n }, "trackingInitial", 1n, 2n, 100_000n],
      [0n, { trackingInitial: 100_001n }, "trackingInitial", 100_001n, 0n, 100_000n],
      // β + τ ≤ 2κ leaves 6 % − 6 % = 0 for a basis of 1 %
      [0n, { tracking: 60_000n, trackingInitial: 60_000n }, "basis", 10_000n, 5_001n, 0n],
      [0n, { depegThreshold: PPM + 1n }, "depegThreshold", PPM + 1n, 0n, PPM],
      [0n, { depegThreshold: 990_000n }, "depegFactor", 0n, 1n, 100n * PPM],
      [0n, { depegThreshold: 1n, depegFactor: 100n * PPM + 1n }, "depegFactor", 100n * PPM + 1n, 1n, 100n * PPM],
      [0n, { depegFactor: 1n }, "depegFactor", 1n, 0n, 0n],
    ];
    for (const [id, change, name, ...bounds] of collateral) {
      const args = [encodeBytes32String(name), ...bounds];
      await refused(
        h,
        () => engine.setCollateralRisk(id, { ...ASSET, ...change }),
        "ParameterOutOfBounds",
        args,
        engine,
      );
    }
    expect((await engine.collateralRisk(0)).haircut).to.equal(70_000n);
  });
});
