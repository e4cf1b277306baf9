import { network } from "hardhat";
import { expect } from "chai";
import fc from "fast-check";

import { advance, average, observe, rateOf } from "../../src/risk/funding.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { pnl } from "../../src/risk/positions.ts";
import type { FundingHarness } from "../../types/index.ts";
import { wad } from "./engine.ts";

const RAY36 = 10n ** 36n;

/** [ppb per 8 h] of a rate given in parts per million per hour. */
const perHour = (ppm: number): bigint => BigInt(ppm * 8) * 1000n;

describe("funding", () => {
  let harness: FundingHarness;

  before(async () => {
    const { ethers } = await network.getOrCreate();
    harness = await ethers.deployContract("FundingHarness");
  });

  // H8: 0.01 % for 1 h on 2000, −0.005 % for half an hour on 2100, 0.02 % for a quarter on 1900
  //   = 0.2 − 0.0525 + 0.095 = 0.2425 per unit, so a long of 3 pays 0.7275.
  const steps = [
    { rate: perHour(100), price: wad(2000), elapsed: 3600n },
    { rate: perHour(-50), price: wad(2100), elapsed: 1800n },
    { rate: perHour(200), price: wad(1900), elapsed: 900n },
  ];
  const cumulative = (2425n * RAY36) / 10_000n;
  const truncation = 3600n + 1800n + 900n; // at most one unit of 1e-36 a second

  it("H8 cumulative index .2425, a long of 3 pays .7275", () => {
    const funding = steps.reduce((f, s) => advance(f, s.rate, s.price, s.elapsed), 0n);
    expect(funding <= cumulative && cumulative - funding <= truncation).to.equal(true);
    expect(pnl({ size: wad(3), quote: 0n }, 0n, { long: funding, short: funding })).to.equal(-wad(0.7275));
  });

  it("H8 the contract's index is the same", async () => {
    let funding = 0n;
    for (const s of steps) funding = await harness.advance(funding, s.rate, s.price, s.elapsed);
    expect(funding).to.equal(steps.reduce((f, s) => advance(f, s.rate, s.price, s.elapsed), 0n));
    expect(cumulative - funding <= truncation).to.equal(true);
  });

  it("H8 at .95 % per 8 h on 10000 a long of 10 pays 118.75 an hour", async () => {
    const rate = 9_500_000n;
    const funding = advance(0n, rate, wad(10_000), 3600n);
    expect(await harness.advance(0, rate, wad(10_000), 3600)).to.equal(funding);
    const paid = pnl({ size: wad(10), quote: 0n }, 0n, { long: funding, short: funding });
    expect(paid).to.equal(-wad(118.75));
  });

  it("an accrual at the same rate and price changes nothing", () => {
    const [rate, price] = [123_457n, wad(1987.123456789)];
    const once = advance(0n, rate, price, 86_400n);
    expect(advance(advance(0n, rate, price, 12_345n), rate, price, 86_400n - 12_345n)).to.equal(once);
  });

  it("caps the rate at .05 % per 8 h", async () => {
    for (const [premium, rate] of [
      [499_999n, 499_999n],
      [500_001n, 500_000n],
      [-7_000_000n, -500_000n],
    ] as const) {
      expect(rateOf(premium)).to.equal(rate);
      expect(await harness.rateOf(premium)).to.equal(rate);
    }
  });

  it("averages premiums as the contract does: after one time constant 1/e of the distance is left", async () => {
    // e^-1 = 0.367879441171442321..., floored at 18 decimals
    expect(average(10n ** 18n, 0n, 3600n)).to.equal(367879441171442321n);
    expect(average(500_000n, -500_000n, 40n * 3600n)).to.equal(-500_000n); // e^-40 is below one part per billion
    const cases = fc.sample(
      fc.tuple(
        fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n }),
        fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n }),
        fc.bigInt({ min: 0n, max: 200_000n }),
      ),
      { seed: 1, numRuns: 300 },
    );
    for (const [from, to, elapsed] of cases) {
      expect(average(from, to, elapsed)).to.equal(await harness.average(from, to, elapsed));
    }
  });

  it("weighs a trade's premium by its notional over open interest", () => {
    // 1 % over the index = 10,000,000 ppb; a tenth of open interest counts in full, a hundredth for a tenth.
    expect(observe(0n, wad(2000), wad(2020), wad(10), wad(100))).to.equal(10_000_000n);
    expect(observe(0n, wad(2000), wad(2020), wad(1), wad(100))).to.equal(1_000_000n);
    expect(observe(5n, wad(2000), wad(2020), WAD / 100n, wad(100))).to.equal(5n); // 20.20 USD carry no weight
    expect(observe(0n, wad(2000), wad(1980), WAD, 0n)).to.equal(-10_000_000n);
  });
});
