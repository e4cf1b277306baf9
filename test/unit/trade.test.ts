import { expect } from "chai";

import { accountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import {
  deal,
  main,
  marketOf,
  marketParams,
  positionOf,
  refused,
  sign,
  underlyingParams,
  usdc,
} from "../helpers/unit.ts";

/** Alice and Bob with 100,000 of cash each; the ETH index is 2,000. */
async function funded(): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "100000" });
  await h.fund(h.bob, { cash: "100000" });
  return h;
}

describe("trade", () => {
  it("F-2 CRA-2 books size and quote: PnL = size · (mark − F) + quote, and PnL and fees add up to zero", async () => {
    const h = await funded();
    // fee = 2 · 2,001 · 0.05 % = 2.001; Alice: −2 · 2,001 − 2.001 = −4,004.001; Bob, the maker: +4,002
    await expect(deal(h, [h.bob, h.alice], "2", "2001"))
      .to.emit(h.clearingHouse, "Trade")
      .withArgs(
        ETH,
        main(h.bob),
        main(h.alice),
        wad("2"),
        wad("2001"),
        wad("4002"),
        wad("-4004.001"),
        0n,
        wad("2.001"),
      );
    expect(await positionOf(h, main(h.alice), ETH)).to.deep.equal({ size: wad("2"), quote: wad("-4004.001") });
    expect(await positionOf(h, main(h.bob), ETH)).to.deep.equal({ size: wad("-2"), quote: wad("4002") });
    await h.setPrice(ETH, "2100");
    // 2 · 2,100 − 4,004.001 = 195.999; −2 · 2,100 + 4,002 = −198, but for the funding of a few seconds; with the fee of 2.001
    // that is 0, each rounded down
    const [alice, bob] = await Promise.all([h.alice, h.bob].map((w) => h.clearingHouse.positionPnl(main(w), ETH)));
    expect(alice).to.be.closeTo(wad("195.999"), wad("0.0000001"));
    expect(bob).to.be.closeTo(wad("-198"), wad("0.0000001"));
    expect(alice! + bob! + wad("2.001")).to.be.within(-2n, 0n);
    const { rate, index } = await marketOf(h, ETH);
    expect(rate.fees).to.equal(2_001_000_000n);
    expect(index.openInterest).to.equal(wad("2"));
  });

  it("rounds fees up to 10^-9 USD", async () => {
    const h = await funded();
    // 0.01 · 2,000.00000001 · 0.05 % = 0.01000000000005
    await deal(h, [h.bob, h.alice], "0.01", "2000.00000001");
    expect((await positionOf(h, main(h.alice), ETH)).quote).to.equal(-wad("20.0000000001") - wad("0.010000001"));
  });

  it("closes on the old side first and opens on the new when a trade crosses zero", async () => {
    const h = await funded();
    await deal(h, [h.bob, h.alice], "1", "2000");
    await deal(h, [h.bob, h.alice], "-3", "2002");
    // −2,000 − 1 + 3 · 2,002 − 3 · 2,002 · 0.05 % = 4,001.997 on −2
    expect(await positionOf(h, main(h.alice), ETH)).to.deep.equal({ size: wad("-2"), quote: wad("4001.997") });
    // 2,000 − 6,006 = −4,006 on +2
    expect(await positionOf(h, main(h.bob), ETH)).to.deep.equal({ size: wad("2"), quote: wad("-4006") });
    expect((await marketOf(h, ETH)).index.openInterest).to.equal(wad("2"));
  });

  it("settles a position that is closed whole at once, the loser first", async () => {
    const h = await funded();
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "2100");
    await deal(h, [h.bob, h.alice], "-1", "2100");
    // Alice: 100 − 1 − 1.05 = 97.95; Bob: −100; the pool keeps the fees of 2.05.
    expect((await h.clearingHouse.account(main(h.alice))).cash).to.equal(wad("100097.95"));
    expect((await h.clearingHouse.account(main(h.bob))).cash).to.equal(wad("99900"));
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("2.05"));
    expect((await h.clearingHouse.account(main(h.alice))).markets).to.equal(0n);
  });

  it("two resting orders trade at the mid of their limits and pay the mean of both fees", async () => {
    const h = await funded();
    const orders = [
      await sign(h, { owner: h.bob, size: "-1", price: "1999", resting: true }),
      await sign(h, { owner: h.alice, size: "1", price: "2001", resting: true }),
    ];
    await h.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
    // (0.05 % + 0 %) / 2 of 2,000 = 0.5
    expect((await positionOf(h, main(h.alice), ETH)).quote).to.equal(wad("-2000.5"));
    expect((await positionOf(h, main(h.bob), ETH)).quote).to.equal(wad("1999.5"));
  });

  it("refuses fills outside the band of 0.5 % around the index", async () => {
    const h = await funded();
    for (const price of ["2010.000000000000000001", "1989.999999999999999999", "1", "1000000"]) {
      const call = () => deal(h, [h.bob, h.alice], "1", price);
      await refused(h, call, "PriceOutOfBand", [ETH, wad(price), wad("2000"), 5_000n]);
    }
    await deal(h, [h.bob, h.alice], "1", "2010");
    await deal(h, [h.bob, h.alice], "1", "1990");
  });

  it("refuses fills below the minimum, unless they close a position", async () => {
    const h = await funded();
    const small = () => deal(h, [h.bob, h.alice], "0.009", "2000");
    await refused(h, small, "FillTooSmall", [ETH, wad("0.009"), wad("0.01")]);
    await deal(h, [h.bob, h.alice], "0.015", "2000");
    await deal(h, [h.bob, h.alice], "-0.01", "2000");
    await deal(h, [h.bob, h.alice], "-0.005", "2000");
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(0n);
  });

  it("CRE-1 opens nothing beyond the cap that an account's owner has set", async () => {
    const h = await funded();
    const [ch, id] = [h.clearingHouse, main(h.alice)];
    await expect(ch.connect(h.alice).setExposureCap(id, ETH, wad("5")))
      .to.emit(ch, "ExposureCapSet")
      .withArgs(id, ETH, wad("5"));
    const tooMuch = () => deal(h, [h.bob, h.alice], "5.01", "2000");
    await refused(h, tooMuch, "ExposureCap", [id, ETH, wad("5.01"), wad("5")]);
    await deal(h, [h.bob, h.alice], "-5", "2000");
    await deal(h, [h.bob, h.alice], "10", "2000"); // from −5 to 5
    expect(await ch.exposure(id, ETH)).to.deep.equal([wad("5"), wad("5")]);
  });

  it("MM-3 caps open interest where it rises, and only there", async () => {
    const h = await funded();
    await h.fund(h.carol, { cash: "100000" });
    await h.clearingHouse.setMarket(ETH, { ...(await marketParams(h, ETH)), softCap: 0n, hardCap: 10_000n });
    const tooMuch = () => deal(h, [h.bob, h.alice], "5.01", "2000");
    await refused(h, tooMuch, "OpenInterestCap", [ETH, wad("10020"), wad("10000")]);
    await deal(h, [h.bob, h.alice], "5", "2000");
    await h.setPrice(ETH, "3000"); // open interest is worth 15,000 now
    await deal(h, [h.carol, h.alice], "-1", "3000"); // hands a position on
    await deal(h, [h.bob, h.alice], "-1", "3000"); // closes one
    expect((await marketOf(h, ETH)).index.openInterest).to.equal(wad("4"));
  });

  it("refuses sizes beyond 2^96", async () => {
    const h = await freshHouse();
    await h.setPrice(ETH, "1");
    await h.clearingHouse.setMarket(ETH, { ...(await marketParams(h, ETH)), hardCap: 2n ** 48n - 1n });
    await h.fund(h.alice, { cash: "100000000000000" });
    await h.fund(h.bob, { cash: "100000000000000" });
    const largest = "18446744073.709551614"; // (2^64 − 2) · 10^9, the largest order
    for (let i = 0; i < 4; i++) await deal(h, [h.bob, h.alice], largest, "1");
    // 4 · 18,446,744,073.709551614 + 6,000,000,000 > 2^96 / 10^18 = 79,228,162,514.26…
    const more = () => deal(h, [h.bob, h.alice], "6000000000", "1");
    await refused(h, more, "SizeTooLarge", [ETH, -4n * wad(largest) - wad("6000000000"), 2n ** 96n]);
  });

  it("MMS-2 refuses unknown markets, trades with oneself and a seventeenth market", async () => {
    const h = await funded();
    const unknown = () => deal(h, [h.bob, h.alice], "1", "2000", { market: 2 });
    await refused(h, unknown, "UnknownMarket", [2n]);
    await refused(h, () => deal(h, [h.alice, h.alice], "1", "2000"), "SameAccount", [main(h.alice)]);
    const params = await marketParams(h, ETH);
    for (let market = 2; market <= 16; market++) await h.clearingHouse.setMarket(market, params);
    await deal(h, [h.bob, h.alice], "0.01", "30000", { market: BTC });
    await deal(h, [h.bob, h.alice], "0.01", "2000");
    for (let market = 2; market < 16; market++) await deal(h, [h.bob, h.alice], "0.01", "2000", { market });
    const oneMore = () => deal(h, [h.bob, h.alice], "0.01", "2000", { market: 16 });
    await refused(h, oneMore, "TooManyMarkets", [main(h.bob), 16n]);
  });

  it("MAM-3 MBS-1 opens nothing without the initial margin, on either side", async () => {
    const h = await funded();
    const poor = accountId(h.alice.address, 1);
    await h.fund(h.alice, { cash: "100" }, poor);
    // E = 100 − 1 < IM = 1.666666667 · 60.0016
    const args = [poor, wad("99"), wad("100.0026666866672")];
    const taking = () => deal(h, [h.bob, h.alice], "1", "2000", { taker: { account: poor } });
    await refused(h, taking, "InsufficientMargin", args);
    const making = () => deal(h, [h.alice, h.bob], "1", "2000", { maker: { account: poor } });
    await refused(h, making, "InsufficientMargin", [poor, wad("100"), args[2]]);
    await h.fund(h.alice, { cash: "1.01" }, poor);
    await deal(h, [h.bob, h.alice], "1", "2000", { taker: { account: poor } });
  });

  it("F-3 FSA-4 funding: the premium is averaged, clamped to 0.05 % per 8 h and paid per second, long to short", async () => {
    const h = await funded();
    // A premium of 10 / 2,000 = 0.5 % counts as the cap, 0.05 %; with no open interest before it the trade has full weight.
    await deal(h, [h.bob, h.alice], "1", "2010");
    expect((await marketOf(h, ETH)).rate.lastPremium).to.equal(500_000_000n);
    const start = await h.networkHelpers.time.latest();
    const at = (time: number) => h.networkHelpers.time.setNextBlockTimestamp(start + time);
    // At the price of the last accrual there is nothing to store.
    await at(1_800);
    await expect(h.clearingHouse.accrueFunding(ETH)).not.to.emit(h.clearingHouse, "FundingAccrued");
    await at(3_599);
    await h.setPrice(ETH, "2100");
    // An hour after the trade the average is 500,000,000 · (1 − e^-1) = 316,060,279.4; until then 2,000 was the price.
    await at(3_600);
    await expect(h.clearingHouse.accrueFunding(ETH)).to.emit(h.clearingHouse, "FundingAccrued");
    expect((await marketOf(h, ETH)).rate.premium).to.equal(316_060_280n);
    // ∫ = L · (3,600 − 3,600 · (1 − e^-1)) on 2,000, then L · (28,800 − e^-1 · 3,600 · (1 − e^-8)) on 2,100, L = 0.05 % per 8 h
    const first = (2_000 * 0.0005 * 3_600 * Math.exp(-1)) / 28_800;
    const second = (2_100 * 0.0005 * (28_800 - Math.exp(-1) * 3_600 * (1 - Math.exp(-8)))) / 28_800;
    const near = (usd: number) => [BigInt(Math.round(usd * 1e12)) * 10n ** 24n, 10n ** 27n] as const;
    expect((await marketOf(h, ETH)).index.funding).to.be.closeTo(...near(first));
    await h.networkHelpers.time.increaseTo(start + 32_400);
    const [long, short] = await h.clearingHouse.fundingIndices(ETH);
    expect(long).to.equal(short);
    expect(long).to.be.closeTo(...near(first + second));
    // Alice: 2,100 − F − 2,010 − fee 1.005; what she has paid Bob has got, each rounded down
    const alice = await h.clearingHouse.positionPnl(main(h.alice), ETH);
    expect(alice).to.equal(wad("88.995") - (long + 10n ** 18n - 1n) / 10n ** 18n);
    expect(await h.clearingHouse.positionPnl(main(h.bob), ETH)).to.be.within(
      -alice - wad("1.005") - 1n,
      -alice - wad("1.005"),
    );
  });

  it("MAM-3 funding that nobody has accrued counts against what leaves", async () => {
    const h = await funded();
    const id = accountId(h.alice.address, 1);
    await h.fund(h.alice, { cash: "500" }, id);
    await deal(h, [h.bob, h.alice], "1", "2010", { taker: { account: id } });
    // E = 500 − 10 − fee 1.005; 100 days are 300 times 0.05 % of 2,000, less the hour (of 8) that the average needed: 299.875.
    // What is left, 189.12, and φ · 60.0016 = 100.0027 are 89.1173 apart.
    await h.pass(100 * 86_400);
    const out = (amount: string) => () => h.clearingHouse.connect(h.alice).withdraw(id, h.usdc, usdc(amount), h.alice);
    await refused(h, out("89.12"), "InsufficientMargin");
    await out("89.11")();
  });

  it("MM-3 MBS-1 with the size charge growing to its depth and standing beyond it, what is opened needs exactly its rate", async () => {
    const h = await funded();
    const risk = await underlyingParams(h, ETH);
    await h.riskEngine.setUnderlyingRisk(ETH, { ...risk, initialFactor: 2_000_000_000n, depth: 20_000n });
    // φ · (3 % + 2 % · min(1, N / 20,000)): below the depth, at it, above it; leverage 12.5, 10 and 10 ×
    for (const [serial, size, needed] of [
      [1, "5", "800"], // 8 % of 10,000
      [2, "10", "2000"], // 10 % of 20,000
      [3, "20", "4000"],
    ] as const) {
      const account = accountId(h.alice.address, serial);
      await h.fund(h.alice, { cash: (Number(needed) + Number(size) - 0.000001).toFixed(6) }, account); // a fee of 1 per ETH
      const open = () => deal(h, [h.bob, h.alice], size, "2000", { taker: { account } });
      await refused(h, open, "InsufficientMargin", [account, wad(needed) - wad("0.000001"), wad(needed)]);
      await h.fund(h.alice, { cash: "0.000001" }, account);
      await open();
    }
  });

  it("F-1 a trade moves the premium by its notional relative to open interest, and below 100 USD not at all", async () => {
    const h = await funded();
    await deal(h, [h.bob, h.alice], "100", "2000");
    expect((await marketOf(h, ETH)).rate.lastPremium).to.equal(0n);
    // 1 ETH against an open interest of 100: a weight of 10 · 1/100 = 10 % of the cap, 5e8 · 1e-12
    await deal(h, [h.bob, h.alice], "1", "2010");
    expect((await marketOf(h, ETH)).rate.lastPremium).to.equal(50_000_000n);
    await deal(h, [h.bob, h.alice], "0.0502", "1990"); // 99.898 USD
    expect((await marketOf(h, ETH)).rate.lastPremium).to.equal(50_000_000n);
  });
});
