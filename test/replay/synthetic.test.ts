import { expect } from "chai";

import { syntheticCrash } from "../../src/replay/synthetic.ts";

describe("Synthetic crash", () => {
  it("is the same for the same seed, and another for another", () => {
    const { prices } = syntheticCrash(7, 300);
    expect(syntheticCrash(7, 300).prices).to.deep.equal(prices);
    expect(syntheticCrash(8, 300).prices.ETH).not.to.deep.equal(prices.ETH);
  });

  for (const [seed, minutes] of [
    [1, 1440],
    [2, 60],
  ] as const) {
    it(`falls by 35 % within ${minutes} minutes (seed ${seed})`, () => {
      const { times, prices } = syntheticCrash(seed, minutes);
      expect(times).to.have.length(minutes);
      expect(times.every((t, i) => i === 0 || t - times[i - 1]! === 60)).to.equal(true);
      expect(prices.ETH[0]).to.equal(2000n * 10n ** 8n);
      expect(prices.BTC[0]).to.equal(30_000n * 10n ** 8n);
      const low = Math.round((minutes - 1) * 0.65);
      expect(prices.ETH[low]).to.be.closeTo(1_300n * 10n ** 8n, 100n); // 2,000 · 0.65
      expect(prices.BTC[low]).to.be.closeTo(22_200n * 10n ** 8n, 100n); // 30,000 · 0.74
    });
  }

  it("falls as deep as it is told, BTC three quarters of that", () => {
    const { prices } = syntheticCrash(1, 101, 0.14);
    expect(prices.ETH[65]).to.be.closeTo(1_720n * 10n ** 8n, 100n); // 2,000 · 0.86
    expect(prices.BTC[65]).to.be.closeTo(26_880n * 10n ** 8n, 100n); // 30,000 · (1 − 0.14 · 26 / 35)
  });

  it("is never without a price, however short", () => {
    const { prices } = syntheticCrash(3, 2);
    expect([...prices.ETH, ...prices.BTC].every((p) => p > 0n)).to.equal(true);
  });
});
