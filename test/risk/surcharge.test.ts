import { expect } from "chai";
import fc from "fast-check";

import { WAD } from "../../src/risk/fixed.ts";
import { openingSurcharge } from "../../src/risk/surcharge.ts";
import type { PriceSnapshot, RiskParameters } from "../../src/risk/types.ts";
import type { RiskEngine } from "../../types/index.ts";
import { magnitude, ownerOfCollateral, randomParameters } from "./arbitraries.ts";
import { deployEngine, underlyingRisk, wad } from "./engine.ts";
import { calm } from "./house.ts";

const MILLION = 1_000_000n;

const pack = (s: PriceSnapshot): bigint => s.price | (s.initialFactor << 128n) | (s.maintenanceFactor << 160n);

describe("opening surcharge", () => {
  // κ 10 %, φ 2: an initial rate of 20 %
  const risk: RiskParameters = {
    underlyings: new Map([[0, underlyingRisk({ shock: 100_000n, initialFactor: 2_000_000_000n })]]),
    collaterals: new Map(),
  };
  let engine: RiskEngine;

  before(async () => {
    ({ engine } = await deployEngine(risk, new Map()));
  });

  async function surcharge(s: PriceSnapshot, notional: bigint, openInterest: bigint, soft: bigint, hard: bigint) {
    const mirrored = openingSurcharge(risk, 0, s, notional, { notional: openInterest, softCap: soft, hardCap: hard });
    expect(await engine.openingSurcharge(0, pack(s), notional, openInterest, soft, hard)).to.equal(mirrored);
    return mirrored;
  }

  // dYdX, H6: base 20 %, caps of 25 and 50 million
  for (const { openInterest, percent } of [
    { openInterest: 10, percent: 20n },
    { openInterest: 25, percent: 20n },
    { openInterest: 37.5, percent: 60n },
    { openInterest: 50, percent: 100n },
    { openInterest: 60, percent: 100n },
  ]) {
    it(`MM-4 H6 at an open interest of ${openInterest} million the initial rate is ${percent} %`, async () => {
      const notional = wad(1234);
      const added = await surcharge(
        calm(wad(2000)),
        notional,
        wad(openInterest) * MILLION,
        25n * MILLION,
        50n * MILLION,
      );
      expect(added).to.equal((notional * (percent - 20n)) / 100n);
    });
  }

  it("MM-4 a volatile regime raises the base, not the end: at μ 3 it rises from 60 % to 100 %", async () => {
    const s = { price: wad(2000), initialFactor: 3n * MILLION, maintenanceFactor: MILLION };
    expect(await surcharge(s, wad(1000), wad(30), 20n, 40n)).to.equal(wad(200)); // halfway
    expect(await surcharge(s, wad(1000), wad(40), 20n, 40n)).to.equal(wad(400));
    // an engine asked for a factor that no regime has
    expect(await surcharge({ ...s, initialFactor: 6n * MILLION }, wad(1000), wad(40), 20n, 40n)).to.equal(0n);
  });

  it("MM-4 is rounded up, and equal caps make a step", async () => {
    expect(await surcharge(calm(wad(1)), 1n, wad(21), 20n, 40n)).to.equal(1n);
    expect(await surcharge(calm(wad(1)), wad(1), wad(20), 20n, 20n)).to.equal(0n);
    expect(await surcharge(calm(wad(1)), wad(1), wad(20) + 1n, 20n, 20n)).to.equal(wad(0.8));
  });

  it("an unknown underlying is refused", async () => {
    await expect(engine.openingSurcharge(5, 0, 0, 0, 0, 0)).to.be.revertedWithCustomError(engine, "UnknownUnderlying");
    expect(() => openingSurcharge(risk, 5, calm(1n), 0n, { notional: 0n, softCap: 0n, hardCap: 0n })).to.throw(
      "no risk parameters",
    );
  });

  it("MM-4 MMS-5 is on chain what it is here, to the wei, and rises with open interest", async () => {
    const parameters = randomParameters(7);
    const { engine: other } = await deployEngine(parameters, ownerOfCollateral);
    const cases = fc.sample(
      fc.record({
        underlying: fc.integer({ min: 0, max: 11 }),
        factor: fc.bigInt({ min: MILLION, max: 3n * MILLION }),
        notional: magnitude(2n ** 116n),
        openInterest: magnitude(2n ** 116n),
        softCap: magnitude(2n ** 48n - 1n),
        range: magnitude(2n ** 47n),
      }),
      { seed: 11, numRuns: 300 },
    );
    for (const c of cases) {
      const s = { price: WAD, initialFactor: c.factor, maintenanceFactor: MILLION };
      const caps = { softCap: c.softCap, hardCap: c.softCap + c.range };
      const at = (notional: bigint): bigint =>
        openingSurcharge(parameters, c.underlying, s, c.notional, { notional, ...caps });
      expect(
        await other.openingSurcharge(c.underlying, pack(s), c.notional, c.openInterest, caps.softCap, caps.hardCap),
      ).to.equal(at(c.openInterest));
      expect(at(c.openInterest + WAD) >= at(c.openInterest)).to.equal(true);
    }
  });
});
