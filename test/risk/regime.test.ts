import { network } from "hardhat";
import { expect } from "chai";
import { parseUnits, ZeroAddress } from "ethers";

import { factorAt, snapshotAt } from "../../src/risk/regime.ts";
import type { RegimeState } from "../../src/risk/types.ts";
import { wad } from "./engine.ts";

const HOUR = 3600n;
const ONE = 1_000_000n; // μ = 1 [ppm]

describe("volatility regime", () => {
  // a quarter an hour towards 2, observed at least once an hour
  const rising: RegimeState = { factor: ONE, target: 2n * ONE, time: 1_000n, heartbeat: HOUR, maxStep: 250_000n };

  it("MM-2 IM meets a rise at once, MM starts with no step and moves by at most the step an hour", () => {
    expect(snapshotAt(wad(2000), rising, 1_000n)).to.deep.equal({
      price: wad(2000),
      initialFactor: 2n * ONE,
      maintenanceFactor: ONE,
    });
    expect(factorAt(rising, 1_000n + HOUR / 2n)).to.equal(1_125_000n);
    expect(factorAt(rising, 1_000n + HOUR)).to.equal(1_250_000n);
    expect(factorAt(rising, 1_000n + 100n * HOUR)).to.equal(1_250_000n); // a silence counts as one heartbeat
  });

  it("MM-2 a fall takes as long, for both requirements, and ends at the target", () => {
    const falling = { ...rising, factor: 2n * ONE, target: 1_900_000n };
    expect(snapshotAt(wad(2000), falling, 1_000n)).to.deep.equal({
      price: wad(2000),
      initialFactor: 2n * ONE,
      maintenanceFactor: 2n * ONE,
    });
    expect(factorAt(falling, 1_000n + HOUR / 5n)).to.equal(1_950_000n);
    expect(factorAt(falling, 1_000n + HOUR)).to.equal(1_900_000n);
  });

  it("MM-2 μ(t) is the oracle's, after jumps up and down and whatever passes in between", async () => {
    const { ethers, networkHelpers } = await network.getOrCreate();
    const [admin] = await ethers.getSigners();
    const manager = await ethers.deployContract("AccessManager", [admin!.address]);
    const oracle = await ethers.deployContract("PriceOracle", [manager, ZeroAddress, 0]);
    const feed = await ethers.deployContract("MockV3Aggregator", [8, parseUnits("2000", 8)]);
    const bounds = { minPrice: wad(100), maxPrice: wad(100_000) };
    await oracle.setFeed(0, { aggregator: feed, heartbeat: HOUR, decimals: 8, ...bounds });
    const regime = { referenceVolatility: 1_000_000, averaging: HOUR, maxFactor: 3_000_000, maxStep: 250_007 };
    await oracle.setRegime(0, regime);
    let moved = 0;
    for (const [price, pause] of [
      ["2000", 300],
      ["2050", 61],
      ["1900", 977],
      ["2200", 1_801],
      ["2201", 3_599],
      ["2202", 10_000],
      ["2202", 3_600],
      ["2202", 20],
    ] as const) {
      await networkHelpers.time.increase(pause);
      await feed.updateAnswer(parseUnits(price, 8));
      await oracle.observe(0, 10);
      const { factor, target, time } = await oracle.volatilityOf(0);
      const state = { factor, target, time, heartbeat: HOUR, maxStep: 250_007n };
      for (const wait of [0, 13, 1_000, 2_000]) {
        if (wait !== 0) await networkHelpers.time.increase(wait);
        const now = BigInt(await networkHelpers.time.latest());
        const word = await oracle.latest(0);
        const snapshot = snapshotAt(wad(Number(price)), state, now);
        expect(word).to.equal(
          snapshot.price | (snapshot.initialFactor << 128n) | (snapshot.maintenanceFactor << 160n),
          `${price} + ${wait}`,
        );
        if (snapshot.maintenanceFactor !== factor) moved += 1;
      }
    }
    expect(moved).to.be.greaterThan(10);
  });
});
