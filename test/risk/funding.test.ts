import { network } from "hardhat";
import { expect } from "chai";
import fc from "fast-check";

import { accrue, advance, average, current, forecast, observe } from "../../src/risk/funding.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { pnl } from "../../src/risk/positions.ts";
import type { FundingHarness } from "../../types/index.ts";
import { wad } from "./engine.ts";
import { market } from "./house.ts";

const RAY36 = 10n ** 36n;
const CAP = 500_000_000n; // 0.05 % [1e-12]
const HOUR = 3600n;

/** [1e-12 per 8 h] of a rate given in parts per million per hour. */
const perHour = (ppm: number): bigint => BigInt(ppm * 8) * 1_000_000n;

const premium = fc.bigInt({ min: -CAP, max: CAP });
const abs = (a: bigint): bigint => (a < 0n ? -a : a);

describe("funding", () => {
  let harness: FundingHarness;

  before(async () => {
    const { ethers } = await network.getOrCreate();
    harness = await ethers.deployContract("FundingHarness");
  });

  // H8: 0.01 % for 1 h on 2000, −0.005 % for half an hour on 2100, 0.02 % for a quarter on 1900
  //   = 0.2 − 0.0525 + 0.095 = 0.2425 per unit, so a long of 3 pays 0.7275. The rates stand still: premium and last premium agree.
  const steps = [
    { rate: perHour(100), price: wad(2000), elapsed: 3600n },
    { rate: perHour(-50), price: wad(2100), elapsed: 1800n },
    { rate: perHour(200), price: wad(1900), elapsed: 900n },
  ];
  const cumulative = (2425n * RAY36) / 10_000n;

  it("F-4 H8 cumulative index .2425 exactly, a long of 3 pays .7275", () => {
    const funding = steps.reduce((f, s) => advance(f, s.rate, s.rate, s.price, s.elapsed), 0n);
    expect(funding).to.equal(cumulative);
    expect(pnl({ size: wad(3), quote: 0n }, 0n, { long: funding, short: funding })).to.equal(-wad(0.7275));
  });

  it("F-4 H8 the simulator's index is the same, and a position pays by it what the example says", () => {
    const paid = steps.map(({ rate, price, elapsed }) => {
      const steady = market(0, { premium: rate, lastPremium: rate, price, time: 1000n });
      const { rate: after, paid } = forecast(steady, price, 1000n, elapsed);
      expect(after).to.equal(rate);
      return paid;
    });
    expect(paid.reduce((sum, each) => sum + each)).to.equal(cumulative);
    // Hyperliquid's example: .95 % per 8 h, 10 BTC at 10,000: 118.75 an hour. At a mark of 10,100 the premium of 1 % is capped here,
    // so that in the long run an hour costs 6.25.
    const dear = market(0, { premium: 9_500_000_000n, lastPremium: 9_500_000_000n, price: wad(10_000), time: 1000n });
    expect(10n * forecast(dear, wad(10_000), 1000n, HOUR).paid).to.equal((11_875n * RAY36) / 100n);
    const capped = (hours: bigint) => forecast(market(0), wad(10_000), 0n, hours * HOUR, wad(10_100));
    expect(capped(100n).rate).to.equal(CAP);
    expect(10n * (capped(101n).paid - capped(100n).paid)).to.equal((625n * RAY36) / 100n);
  });

  it("F-4 H8 the contract's index is the same", async () => {
    let funding = 0n;
    for (const s of steps) funding = await harness.advance(funding, s.rate, s.rate, s.price, s.elapsed);
    expect(funding).to.equal(cumulative);
  });

  // Hyperliquid's example: .95 % per 8 h on 10,000 for an hour, on a size of 10. How it comes to .95 % is a rule of its own
  // (premium of the book's impact prices, 1 %, plus the interest rate's distance from it within ±.05 %). Here the premium is the
  // rate, and until there are impact prices it is at most .05 %: a nineteenth of that.
  it("F-4 H8 at .95 % per 8 h on 10000 a long of 10 pays 118.75 an hour, at the cap 6.25", async () => {
    for (const [rate, paid] of [
      [9_500_000_000n, 118.75],
      [CAP, 6.25],
    ] as const) {
      const funding = advance(0n, rate, rate, wad(10_000), HOUR);
      expect(await harness.advance(0, rate, rate, wad(10_000), HOUR)).to.equal(funding);
      expect(pnl({ size: wad(10), quote: 0n }, 0n, { long: funding, short: funding })).to.equal(-wad(paid));
    }
  });

  it("F-1 a rate on its way from zero to the cap charges the mean of its exponential average", async () => {
    // ∫ over one time constant = cap · (1 h − 1 h · (1 − 1/e)) = cap · 1 h / e, over 8 h and on 2000:
    // 0.0005 · 2000 / 8 · 0.36787944117144232159 = 0.04598493014643029
    const funding = await harness.advance(0, 0, CAP, wad(2000), HOUR);
    expect(funding).to.equal(advance(0n, 0n, CAP, wad(2000), HOUR));
    // e^-1 is floored at 18 decimals, so the index is off by less than a unit of 1e-18 of 0.125
    expect(abs(funding - 45984930146430290199n * 10n ** 15n) < 10n ** 18n).to.equal(true);
  });

  it("FSA-4 accruals without a trade or a new price change nothing but the rounding of the stored premium", () => {
    fc.assert(
      fc.property(
        premium,
        premium,
        fc.bigInt({ min: WAD / 1000n, max: 10n ** 24n }),
        fc.array(fc.bigInt({ min: 0n, max: 50_000n }), { minLength: 1, maxLength: 40 }),
        (from, to, price, gaps) => {
          const start = market(0, { premium: from, lastPremium: to, price });
          const end = gaps.reduce((sum, gap) => sum + gap, 0n);
          let [m, time] = [start, 0n];
          for (const gap of gaps) m = accrue(m, price, (time += gap));
          // Each accrual leaves the average less than 2e-12 from where it would be; the distance counts for τ / 8 h at most.
          const bound = BigInt(gaps.length) * ((2n * price * 10n ** 6n * HOUR) / 28_800n + 2n);
          expect(abs(m.funding - current(start, end)) <= bound, `${m.funding} ${current(start, end)}`).to.equal(true);
          expect(abs(m.premium - average(from, to, end)) <= 2n * BigInt(gaps.length)).to.equal(true);
        },
      ),
      { seed: 3, numRuns: 2_000 },
    );
  });

  it("F-3 no silence charges more than the cap times its length", () => {
    fc.assert(
      fc.property(premium, premium, fc.bigInt({ min: 0n, max: 10n ** 9n }), (from, to, elapsed) => {
        const funding = advance(0n, from, to, wad(2000), elapsed);
        expect(abs(funding) <= (5n * 2000n * elapsed * RAY36) / (10_000n * 28_800n)).to.equal(true);
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });

  it("F-4 averages and advances as the contract does: after one time constant 1/e of the distance is left", async () => {
    // e^-1 = 0.367879441171442321..., floored at 18 decimals
    expect(average(10n ** 18n, 0n, HOUR)).to.equal(367879441171442321n);
    expect(average(CAP, -CAP, 40n * HOUR)).to.equal(-CAP); // e^-40 is below 1e-12
    const cases = fc.sample(
      fc.tuple(premium, premium, fc.bigInt({ min: 0n, max: 200_000n }), fc.bigInt(1n, 10n ** 24n)),
      {
        seed: 1,
        numRuns: 300,
      },
    );
    for (const [from, to, elapsed, price] of cases) {
      expect(await harness.average(from, to, elapsed)).to.equal(average(from, to, elapsed));
      expect(await harness.advance(-price, from, to, price, elapsed)).to.equal(
        advance(-price, from, to, price, elapsed),
      );
    }
  });

  it("F-1 weighs a trade's premium by its notional over open interest, none above the cap", async () => {
    const cases = [
      // .03 % over the index = 300,000,000; a tenth of open interest counts in full, a hundredth for a tenth
      { last: 0n, price: 2000.6, size: wad(10), openInterest: wad(100), expected: 300_000_000n },
      { last: 0n, price: 2000.6, size: wad(1), openInterest: wad(100), expected: 30_000_000n },
      { last: 5n, price: 2000.6, size: WAD / 100n, openInterest: wad(100), expected: 5n }, // 20 USD carry no weight
      { last: 5n, price: 2000.6, size: WAD / 21n, openInterest: 0n, expected: 5n }, // nor do 95
      { last: 5n, price: 2000, size: WAD / 20n, openInterest: 0n, expected: 0n }, // 100 do
      { last: 0n, price: 1980, size: WAD, openInterest: 0n, expected: -CAP }, // −1 %
      // .5 % counts as .05 %: halfway from −.03 % to there with half the weight
      { last: -300_000_000n, price: 2010, size: wad(5), openInterest: wad(100), expected: 100_000_000n },
    ];
    for (const { last, price, size, openInterest, expected } of cases) {
      expect(observe(last, wad(2000), wad(price), size, openInterest)).to.equal(expected);
      expect(await harness.observe(last, wad(2000), wad(price), size, openInterest)).to.equal(expected);
    }
  });
});
