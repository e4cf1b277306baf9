import { expect } from "chai";
import { MaxInt256, MaxUint256 } from "ethers";

import { BTC, ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { ANY_TERMS, cashOf, deal, loansOf, main, marketParams, positionOf, refused, usdc } from "../helpers/unit.ts";

const FREE = { kink: 800_000, lowSlope: 0, highSlope: 0, reserveFactor: 0 };
const TENTH = { ...ANY_TERMS, maxFraction: wad("0.1") };

/**
 * Alice is long 5 ETH from 2,000 on 1,000 of cash, fee 5, Bob short. With a price P:
 * E = 995 + 5 · (P − 2,000); MM = 5P · 3 % + 5P · 2 % · 5P / 50,000,000, IM = φ · MM.
 */
async function levered(price = "2000"): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "1000" });
  for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
  await deal(h, [h.bob, h.alice], "5", "2000");
  await h.setPrice(ETH, price);
  return h;
}

/** The margin call that flagging an account emits. */
async function marginCall(h: Fixture, id: bigint) {
  const receipt = await (await h.clearingHouse.flag(id)).wait();
  for (const log of receipt?.logs ?? []) {
    const event = h.clearingHouse.interface.parseLog(log);
    if (event?.name !== "MarginCall") continue;
    const [account, equity, initial, maintenance, cure] = event.args as unknown as [
      bigint,
      bigint,
      bigint,
      bigint,
      [bigint, bigint, bigint],
    ];
    return { account, equity, initial, maintenance, deposit: cure[0], market: cure[1], size: cure[2] };
  }
  return undefined;
}

describe("margin call", () => {
  it("LIQ-1 MM-7 flag tells the owner E, IM, MM and the shortfall; exactly that much cash cures, a unit less does not", async () => {
    const h = await levered("1880");
    const id = main(h.alice);
    // MM = 282 + 9,400 · 2 % · 9,400/50,000,000; IM = 282.035344 · 1.666666667
    const call = await marginCall(h, id);
    expect(call).to.include({ equity: wad("395"), maintenance: wad("282.035344") });
    expect(call).to.include({ initial: wad("470.058906760678448"), deposit: wad("75.058906760678448"), market: 0n });
    expect((await h.clearingHouse.account(id)).flags).to.equal(0n); // no auction
    await h.fund(h.alice, { cash: "75.058906" });
    expect(await h.clearingHouse.marginState(id)).to.equal(1n);
    await h.fund(h.alice, { cash: "0.000001" });
    expect(await h.clearingHouse.marginState(id)).to.equal(0n);
    await refused(h, () => h.clearingHouse.flag(id), "NotLiquidatable", [id, wad("470.058907"), wad("282.035344")]);
  });

  it("MM-7 closing what it says cures, a hundredth less does not", async () => {
    const h = await levered("1880");
    const id = main(h.alice);
    // Closing all 5 costs a fee of 4.7 and leaves 390.3 to spare, so about 5 · 75.06 / (75.06 + 390.3) = 0.80646 are enough.
    const size = (await marginCall(h, id))!.size;
    expect(size).to.be.closeTo(-wad("0.80646"), wad("0.0001"));
    const unit = 10n ** 9n; // of an order's size
    const most = -(size / unit) * unit + unit;
    const sell = async (amount: bigint) => {
      const terms = { market: 0n, limitPrice: wad("1880") };
      const sold = await h.order(h.alice, { ...terms, size: -amount });
      const bought = await h.order(h.bob, { ...terms, size: amount, resting: true });
      await h.exchange.settle([bought, sold], [{ maker: 0, taker: 1 }]);
    };
    const copy = await h.networkHelpers.takeSnapshot();
    await sell(((most * 99n) / 100n / unit) * unit);
    expect(await h.clearingHouse.marginState(id)).to.equal(1n);
    await copy.restore();
    await sell(most);
    expect(await h.clearingHouse.marginState(id)).to.equal(0n);
  });

  it("MM-7 names the market in which closing costs least", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "1000" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "2.5", "2000"); // fee 2.5
    await deal(h, [h.bob, h.alice], "0.16", "30000", { market: BTC }); // fee 2.4
    await h.setPrice(ETH, "1800");
    await h.setPrice(BTC, "29500");
    const id = main(h.alice);
    // E = 995.1 − 500 − 80 = 415.1; IM = φ · (135 + 0.0081) + φ · (141.6 + 0.00445568) = 461.02
    // Missing 45.92: each frees 5 % of what is closed, ETH a hair more for its smaller depth, and costs 0.05 %: 927.7 USD.
    const first = await marginCall(h, id);
    expect(first?.market).to.equal(0n);
    expect(first?.deposit).to.be.closeTo(wad("45.92"), wad("0.005"));
    expect(first?.size).to.be.closeTo(-wad("0.5154"), wad("0.0002")); // 927.7 / 1,800
    // With a fee of 1 % on ETH, BTC is cheaper.
    await h.clearingHouse.setMarket(ETH, { ...(await marketParams(h, ETH)), takerFee: 10_000 });
    const second = await marginCall(h, id);
    expect(second?.market).to.equal(1n);
    expect(second?.size).to.be.closeTo(-wad("0.03145"), wad("0.00002")); // 927.7 / 29,500
  });

  it("MM-7 names no market where closing in no single one is enough", async () => {
    const h = await freshHouse();
    await h.clearingHouse.setMarket(2, await marketParams(h, ETH));
    await h.fund(h.alice, { cash: "760" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "2.5", "2000");
    await deal(h, [h.bob, h.alice], "2.5", "2000", { market: 2 });
    await deal(h, [h.bob, h.alice], "0.16", "30000", { market: BTC });
    await h.setPrice(ETH, "1944");
    // E = 760 − 7.4 − 280 = 472.6, IM = 486.06 + 240.01; without one of ETH 243 + 240, without BTC 486
    const call = await marginCall(h, main(h.alice));
    expect(call).to.include({ market: 0n, size: 0n, equity: wad("472.6") });
    expect(call?.deposit).to.be.closeTo(wad("253.47"), wad("0.005"));
  });
});

describe("state", () => {
  it("MAM-1 health reports state, E, IM, MM, ratio and what is free", async () => {
    const h = await levered();
    const id = main(h.alice);
    const ch = h.clearingHouse;
    // IM = φ · 300.04 = 500.06666676668; E / MM, floored
    const free = wad("995") - wad("500.06666676668");
    const ratio = (wad("995") * wad("1")) / wad("300.04");
    const report = [0n, wad("995"), wad("500.06666676668"), wad("300.04"), ratio, free];
    expect(await ch.health(id)).to.deep.equal(report);
    expect(await ch.freeCollateral(id)).to.equal(free);
    expect(await ch.marginRatio(id)).to.equal(ratio);
    await h.setPrice(ETH, "1880");
    expect((await ch.health(id)).state).to.equal(1n);
    expect(await ch.freeCollateral(id)).to.equal(0n);
    await h.setPrice(ETH, "1700");
    expect((await ch.health(id)).state).to.equal(3n);
    // −505 / (8,500 · 3 % + 8,500 · 2 % · 8,500/50,000,000), floored
    expect(await ch.marginRatio(id)).to.equal(-((wad("505") * wad("1")) / wad("255.0289")) - 1n);
    expect(await ch.health(main(h.dave))).to.deep.equal([0n, 0n, 0n, 0n, MaxInt256, 0n]);
    expect(await ch.freeCollateral(main(h.carol))).to.equal(wad("100000"));
  });

  it("MAM-7 exactly what is free can be withdrawn, and no unit more", async () => {
    const h = await levered();
    const id = main(h.alice);
    const house = h.clearingHouse.connect(h.alice);
    const units = (await house.freeCollateral(id)) / 10n ** 12n; // 494.933333
    await refused(h, () => house.withdraw(id, h.usdc, units + 1n, h.alice), "InsufficientMargin");
    await house.withdraw(id, h.usdc, units, h.alice);
  });

  it("CM-1 profit that nobody has paid in is not free", async () => {
    const h = await levered("2200");
    const id = main(h.alice);
    // E = 1,995, of which 995 are profit (1,000 less the fee); IM = φ · (330 + 0.0484)
    const free = wad("1000") - (wad("330.0484") * 1_666_666_667n) / 10n ** 9n;
    expect(await h.clearingHouse.freeCollateral(id)).to.be.closeTo(free, 10n ** 12n);
    await h.clearingHouse.settle(ETH, [main(h.bob), id]);
    expect(await h.clearingHouse.freeCollateral(id)).to.be.closeTo(free + wad("995"), 10n ** 12n);
  });
});

describe("liquidation prices", () => {
  /** The smaller root of a·P² − b·P + c = 0 in USD, to what doubles can hold. */
  const root = (a: number, b: number, c: number) => (2 * c) / (b + Math.sqrt(b * b - 4 * a * c));
  const near = (usd: number) => [BigInt(Math.round(usd * 1e9)) * 10n ** 9n, wad("0.0000001")] as const;

  it("MAM-7 long below, short above: where E = MM, and not liquidatable a hair nearer", async () => {
    const h = await levered();
    // 995 + 5P − 10,000 = 0.15P + 1e-8·P²
    const [down, none] = await h.clearingHouse.liquidationPrices(main(h.alice), ETH);
    expect(down).to.be.closeTo(...near(root(1e-8, 4.85, 9_005)));
    expect(none).to.equal(MaxUint256);
    const answer = down / 10n ** 10n;
    await h.feeds[ETH].updateAnswer(answer + 1n);
    expect(await h.clearingHouse.marginState(main(h.alice))).to.equal(1n);
    await h.feeds[ETH].updateAnswer(answer);
    expect(await h.clearingHouse.marginState(main(h.alice))).to.equal(2n);
    const price = answer * 10n ** 10n;
    expect(await h.clearingHouse.liquidationPrices(main(h.alice), ETH)).to.deep.equal([price, price]);
    // Bob: 100,000 + 10,000 − 5P = 0.15P + 1e-8·P²
    const [nothing, up] = await h.clearingHouse.liquidationPrices(main(h.bob), ETH);
    expect(nothing).to.equal(0n);
    expect(up).to.be.closeTo(...near(root(-1e-8, 5.15, 110_000)));
  });

  it("DN-3 a hedged account falls at the upper price: the hedge's charge grows, its equity does not", async () => {
    const h = await freshHouse();
    await h.clearingHouse.setLendingParams(FREE);
    const id = await h.fund(h.alice, { weth: "10" });
    for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
    await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc("20000"));
    await deal(h, [h.alice, h.bob], "10", "2000"); // Alice, the maker, is short 10
    await h.clearingHouse.connect(h.alice).withdraw(id, h.usdc, usdc("19000"), h.alice);
    // E = 10P − 10 · (P − 2,000) − 19,000 = 1,000; MM = 10P · 1 %
    const [down, up] = await h.clearingHouse.liquidationPrices(id, ETH);
    expect(down).to.equal(0n);
    expect(up).to.be.closeTo(wad("10000"), wad("0.0000001"));
    expect(await h.clearingHouse.liquidationPrices(id, BTC)).to.deep.equal([0n, MaxUint256]);
  });

  it("a flat account has none", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { weth: "1" });
    expect(await h.clearingHouse.liquidationPrices(id, ETH)).to.deep.equal([0n, MaxUint256]);
  });
});

describe("previews", () => {
  it("MMS-7 a trade's is what the account is afterwards, and is refused as the trade is", async () => {
    const h = await levered();
    const id = main(h.alice);
    const preview = (size: string, price = "2000", market = ETH) =>
      h.clearingHouse.previewTrade.staticCall(id, market, wad(size), wad(price));
    const [tooMuch, off, small] = [() => preview("6"), () => preview("1", "2010.01"), () => preview("0.009")];
    // 11 ETH: E = 995 − 6 < IM = φ · (660 + 22,000 · 2 % · 22,000/50,000,000)
    await refused(h, tooMuch, "InsufficientMargin", [id, wad("989"), (wad("660.1936") * 1_666_666_667n) / 10n ** 9n]);
    await refused(h, () => deal(h, [h.carol, h.alice], "6", "2000"), "InsufficientMargin");
    await refused(h, off, "PriceOutOfBand", [ETH, wad("2010.01"), wad("2000"), 5_000n]);
    await refused(h, small, "FillTooSmall", [ETH, wad("0.009"), wad("0.01")]);
    await refused(h, () => preview("1", "2000", 9), "UnknownMarket", [9n]);
    for (const size of ["1", "-2", "-4"]) {
      const copy = await h.networkHelpers.takeSnapshot();
      const before = await h.clearingHouse.assess(id);
      const expected = await preview(size, "2001");
      expect(await h.clearingHouse.assess(id)).to.deep.equal(before);
      await deal(h, [h.carol, h.alice], size, "2001");
      const [equity, initial, maintenance] = await h.clearingHouse.assess(id);
      // The premium of 2,001 has been running for a second.
      expect(equity).to.be.closeTo(expected[0], wad("0.000001"));
      expect([initial, maintenance]).to.deep.equal([expected[1], expected[2]]);
      await copy.restore();
    }
    const closed = await preview("-5");
    expect(closed).to.deep.equal([wad("990"), 0n, 0n]); // 995 − fee 5
  });

  it("MMS-7 a withdrawal's is what the account is afterwards, and is refused as the withdrawal is", async () => {
    const h = await levered();
    const id = main(h.alice);
    const house = h.clearingHouse.connect(h.alice);
    await h.fund(h.alice, { weth: "1" });
    const preview = (token: typeof h.usdc, units: bigint, who = h.alice) =>
      h.clearingHouse.connect(who).previewWithdraw.staticCall(id, token, units);
    await refused(h, () => preview(h.usdc, 1n, h.bob), "NotOwner", [id, h.bob.address]);
    await refused(h, () => preview(h.usdc, usdc("1001")), "InsufficientCash", [id, wad("1000"), wad("1001")]);
    await refused(h, () => preview(h.weth, wad("0.997")), "CollateralDust");
    await refused(h, () => preview(h.usdc, 0n), "ZeroAmount", []);
    await h.setPrice(ETH, "1950");
    await refused(h, () => preview(h.usdc, usdc("746")), "UnsettledLoss", [id, 0n, wad("1")]);
    const expected = await preview(h.usdc, usdc("500"));
    // E = 745 + 1,950 − 500; x = 6 ETH
    expect(expected[0]).to.equal(wad("2195"));
    await house.withdraw(id, h.usdc, usdc("500"), h.alice);
    expect(await house.assess(id)).to.deep.equal(expected);
    const all = await preview(h.weth, wad("0.5"));
    await house.withdraw(id, h.weth, wad("0.5"), h.alice);
    expect(await house.assess(id)).to.deep.equal(all);
  });

  it("LIQ-3 a liquidation's is what liquidating then returns, and is refused as it is", async () => {
    const h = await levered("1850");
    const id = main(h.alice);
    const house = h.clearingHouse.connect(h.carol);
    const preview = (terms: typeof ANY_TERMS, target = id, taker = main(h.carol)) =>
      house.previewLiquidation.staticCall(target, taker, terms);
    await refused(h, () => preview(ANY_TERMS, main(h.bob)), "NotLiquidatable");
    await refused(h, () => preview(ANY_TERMS, id, main(h.bob)), "NotOwner", [main(h.bob), h.carol.address]);
    await refused(h, () => preview({ ...TENTH, minGain: wad("2") }), "GainTooLow");
    await refused(h, () => preview({ ...TENTH, maxFraction: 0n }), "FractionTooSmall");
    for (const terms of [TENTH, ANY_TERMS]) {
      const copy = await h.networkHelpers.takeSnapshot();
      const [fraction, payment, assessment] = await preview(terms);
      if (terms === TENTH) expect(fraction).to.equal(wad("0.1"));
      const before = await cashOf(h, main(h.carol));
      await house.liquidate(id, main(h.carol), terms);
      expect(before - (await cashOf(h, main(h.carol)))).to.equal(payment);
      const sold = (await positionOf(h, main(h.carol), ETH)).size;
      expect(sold).to.equal((fraction * 5n * wad("1") + wad("1") - 1n) / wad("1"));
      expect(await house.assess(id)).to.deep.equal(assessment);
      await copy.restore();
    }
  });

  it("a simulation says what it found by reverting, so nothing can come of it", async () => {
    const h = await levered("2100");
    const ch = h.clearingHouse;
    const id = main(h.alice);
    // E = 1,495; IM = φ · MM, MM = 315 + 10,500 · 2 % · 10,500/50,000,000 = 315.0441
    const after = [wad("1495"), (wad("315.0441") * 1_666_666_667n) / 10n ** 9n, wad("315.0441")];
    const settle = ch.interface.encodeFunctionData("settle", [ETH, [id]]);
    await refused(h, () => ch.simulate(settle, id), "Simulated", ["0x", after]);
    const fills = [{ maker: main(h.bob), taker: id, market: ETH, size: wad("-5"), price: wad("2100"), flags: 0 }];
    // Bob, who pays first, loses 500: 1,495 − fee 5.25 are left, all of it cash.
    await refused(h, () => ch.simulateTrade(fills), "Simulated", ["0x", [wad("1489.75"), 0n, 0n]]);
    expect((await loansOf(h, id)).debt).to.equal(0n);
    expect(await ch.collateralBalance(id, WETH)).to.equal(0n);
  });
});
