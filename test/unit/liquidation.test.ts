import { expect } from "chai";
import { ZeroAddress } from "ethers";

import { LIMITS } from "../../bench/snapshot.ts";
import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, wad, WBTC, WETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import {
  after,
  ANY_TERMS,
  cashOf,
  deal,
  equityOf,
  main,
  marketOf,
  positionOf,
  refused,
  usdc,
} from "../helpers/unit.ts";

const TENTH = { ...ANY_TERMS, maxFraction: wad("0.1") };

/**
 * Alice is long 5 ETH from 2,000 on 1,000 of cash, Bob short. With a price P:
 * E = 1,000 − fee 5 + 5 · (P − 2,000); MM = 5P · 3 % + 5P · 2 % · 5P / 50,000,000. Carol can take.
 */
async function levered(price: string, fund?: string): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "1000" });
  await h.fund(h.bob, { cash: "100000" });
  await h.fund(h.carol, { cash: "100000" });
  if (fund !== undefined) {
    await h.usdc.mint(h.deployer, usdc(fund));
    await h.usdc.approve(h.insuranceFund, usdc(fund));
    await h.insuranceFund.deposit(usdc(fund), h.deployer);
  }
  await deal(h, [h.bob, h.alice], "5", "2000");
  await h.setPrice(ETH, price);
  return h;
}

/** Settles an account every hour for a day, so that its cash call's clock reads 86,401. */
async function observeDay(h: Fixture, id: bigint, market: number): Promise<void> {
  for (let hour = 0; hour < 24; hour++) {
    await h.pass(3_600);
    await h.clearingHouse.settle(market, [id]);
  }
}

/** Carol and, behind her in the same block, Dave take a slice of the account. Their receipts. */
async function twoTakers(h: Fixture, id: bigint) {
  const { provider } = h.ethers;
  const take = (who: Fixture["alice"], tip: bigint) =>
    h.clearingHouse.connect(who).liquidate(id, main(who), ANY_TERMS, {
      gasLimit: 1_000_000,
      maxPriorityFeePerGas: tip,
      maxFeePerGas: 10n ** 11n,
    });
  await provider.send("evm_setAutomine", [false]);
  try {
    const [late, first] = [await take(h.dave, 1n), await take(h.carol, 10n ** 9n)];
    await h.networkHelpers.mine();
    return await Promise.all([first, late].map(({ hash }) => provider.getTransactionReceipt(hash)));
  } finally {
    await provider.send("evm_setAutomine", [true]);
  }
}

const fundCash = async (h: Fixture) => cashOf(h, await h.insuranceFund.account());

describe("liquidation", () => {
  it("LIQ-6 MAM-2 a healthy account is refused early; E = MM is not liquidatable, a hair less is", async () => {
    const h = await freshHouse();
    // At 1,900: MM = 9,500 · 3 % + 9,500 · 2 % · 9,500/50,000,000 = 285.0361 = 785.0361 − 5 · 100
    await h.fund(h.alice, { cash: "785.0361" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.alice, h.bob], "-5", "2000");
    const id = main(h.alice);
    const take = () => h.clearingHouse.connect(h.bob).liquidate(id, main(h.bob), ANY_TERMS);
    await refused(h, take, "NotLiquidatable", [id, wad("785.0361"), wad("300.04")]);
    await h.setPrice(ETH, "1900");
    await refused(h, take, "NotLiquidatable", [id, wad("285.0361"), wad("285.0361")]);
    expect(await h.clearingHouse.marginRatio(id)).to.equal(wad("1"));
    expect(await h.clearingHouse.marginState(id)).to.equal(1n);
    await h.setPrice(ETH, "1899.99999999");
    expect(await h.clearingHouse.marginState(id)).to.equal(2n);
    await take();
  });

  it("LIQ-6 of two takers in one block the second is refused and loses nothing", async () => {
    const h = await levered("1850");
    const id = main(h.alice);
    await h.fund(h.dave, { cash: "100000" });
    const receipts = await twoTakers(h, id);
    expect(receipts.map((r) => r?.status)).to.deep.equal([1, 0]);
    expect(receipts[1]?.blockNumber).to.equal(receipts[0]?.blockNumber);
    expect(await equityOf(h, main(h.dave))).to.equal(wad("100000"));
    const sizes = await Promise.all([id, main(h.carol)].map(async (who) => (await positionOf(h, who, ETH)).size));
    expect(sizes[0]! + sizes[1]!).to.equal(wad("5"));
    expect((await positionOf(h, main(h.dave), ETH)).size).to.equal(0n);
  });

  it("LIQ-6 the second has spent the gas of an early refusal", async () => {
    const h = await levered("1850");
    const [, late] = await twoTakers(h, main(h.alice));
    expect(late?.status).to.equal(0);
    expect(late?.gasUsed).to.be.lessThan(LIMITS["liquidation call on a healthy account"]);
  });

  it("refuses oneself, isolated and foreign takers, and who cannot carry the slice", async () => {
    const h = await levered("1850");
    const id = main(h.alice);
    const own = accountId(h.alice.address, 1);
    await h.fund(h.alice, { cash: "10000" }, own);
    const by = (who: Fixture["alice"], taker: bigint) => () =>
      h.clearingHouse.connect(who).liquidate(id, taker, ANY_TERMS);
    await refused(h, by(h.alice, own), "SelfLiquidation", [id, own]);
    const isolated = isolatedAccountId(h.carol.address, ETH);
    await refused(h, by(h.carol, isolated), "IsolatedTaker", [isolated]);
    await refused(h, by(h.carol, main(h.bob)), "NotOwner", [main(h.bob), h.carol.address]);
    await refused(h, by(h.dave, main(h.dave)), "InsufficientMargin");
  });

  it("LIQ-3 keeps to the taker's terms", async () => {
    const h = await levered("1850");
    const id = main(h.alice);
    const take = (terms: Partial<typeof ANY_TERMS>) => () =>
      h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), { ...TENTH, ...terms });
    // cost = 0.1 · 5 % · 277.534225 = 1.387671125, 20 % of it the fund's; the account pays it from its cash
    const gain = wad("1.1101369");
    await refused(h, take({ maxPayment: -gain - 1n }), "PaymentTooHigh", [-gain, -gain - 1n]);
    await refused(h, take({ minGain: gain + 1n }), "GainTooLow", [gain, gain + 1n]);
    await refused(h, take({ maxFraction: 0n }), "FractionTooSmall");
    await refused(h, take({ maxFraction: wad("0.001") }), "FractionTooSmall"); // 9.25 USD are dust
    await expect(take({ maxPayment: -gain, minGain: gain })())
      .to.emit(h.clearingHouse, "Liquidated")
      .withArgs(
        id,
        main(h.carol),
        ZeroAddress,
        false,
        wad("0.1"),
        wad("245"),
        wad("277.534225"),
        wad("1.387671125"),
        wad("-1.387671125"),
        wad("0.277534225"),
        0n,
      );
    expect(await equityOf(h, id)).to.equal(wad("245") - wad("1.387671125"));
    expect(await equityOf(h, main(h.carol))).to.equal(wad("100000") + gain);
    expect((await positionOf(h, main(h.carol), ETH)).size).to.equal(wad("0.5"));
    expect(await fundCash(h)).to.equal(wad("0.277534225"));
  });

  it("LIQ-1 LIQ-2 MAM-4 MMS-4 a slice lands at IM and raises E/MM; the flagger gets his tenth", async () => {
    const h = await levered("1850");
    const id = main(h.alice);
    await expect(h.clearingHouse.connect(h.keeper).flag(id))
      .to.emit(h.clearingHouse, "Flagged")
      .withArgs(id, h.keeper.address, wad("245"), wad("462.557041759178075"), wad("277.534225"), 0n);
    const ratio = await h.clearingHouse.marginRatio(id);
    const take = () => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    await expect(take()).to.emit(h.clearingHouse, "AuctionCleared").withArgs(id);
    const [equity, initialMargin] = await h.clearingHouse.assess(id);
    expect(equity).to.be.within(initialMargin, (initialMargin * 1001n) / 1000n);
    expect(await h.clearingHouse.marginRatio(id)).to.be.greaterThan(ratio);
    // 245 − f · d · 277.53 = 462.56 · (1 − f) with d near 5 %: f = 217.56 / 448.7
    const sold = (await positionOf(h, main(h.carol), ETH)).size;
    expect(sold).to.be.closeTo(wad("2.425"), wad("0.01"));
    // All of the cost came off the account; a tenth of it went to the flagger, a fifth to the fund.
    const cost = wad("245") - equity;
    expect(await cashOf(h, main(h.keeper))).to.be.closeTo(cost / 10n, 1n);
    expect(await fundCash(h)).to.be.closeTo(cost / 5n, 1n);
    await refused(h, take, "NotLiquidatable");
  });

  it("CM-3 XAC-4 MMS-4 a slice is the same part of every position, collateral and debt, and none is for sale at IM", async () => {
    const h = await freshHouse();
    await h.clearingHouse.setLendingParams({ kink: 800_000, lowSlope: 0, highSlope: 0, reserveFactor: 0 });
    for (const who of [h.bob, h.carol, h.dave]) await h.fund(who, { cash: "100000" });
    await h.clearingHouse.connect(h.dave).lend(main(h.dave), usdc("50000"));
    const id = await h.fund(h.alice, { weth: "10", wbtc: "0.2" });
    await deal(h, [h.alice, h.bob], "4", "2000"); // Alice, the maker, is short 4 ETH and 0.1 BTC and pays no fee
    await deal(h, [h.alice, h.bob], "0.1", "30000", { market: BTC });
    await h.clearingHouse.connect(h.alice).withdraw(id, h.usdc, usdc("22000"), h.alice);
    // ETH at 1,790: E = 17,900 + 6,000 + 840 − 22,000 = 2,740. It falls to 1,540: E = 15,400 + 6,000 + 1,840 − 22,000 = 1,240.
    // x = 6 ETH and 0.1 BTC, g = 4 ETH and 0.1 BTC, s = 0.4 and 0.5:
    // MM = 9,240 · 3 % + 6,160 · 1 % + 9,240 · 7 % + 3,000 · 3 % + 3,000 · 1 % + 3,000 · 7 % + a little for size = 1,315.6 + 0.03
    await h.setPrice(ETH, "1540");
    const take = (terms: typeof ANY_TERMS) => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), terms);
    const copy = await h.networkHelpers.takeSnapshot();
    await take(TENTH);
    for (const [owner, part] of [
      [id, 9n],
      [main(h.carol), 1n],
    ] as const) {
      expect((await positionOf(h, owner, ETH)).size).to.equal((wad("-4") * part) / 10n);
      expect((await positionOf(h, owner, BTC)).size).to.equal((wad("-0.1") * part) / 10n);
      expect(await h.clearingHouse.collateralBalance(owner, WETH)).to.equal(wad("1") * part);
      expect(await h.clearingHouse.collateralBalance(owner, WBTC)).to.equal(wad("0.02") * part);
    }
    await copy.restore();
    await take(ANY_TERMS);
    const { equity, initialMargin } = await h.clearingHouse.assess(id);
    expect(equity).to.be.within(initialMargin, (initialMargin * 1001n) / 1000n);
    await refused(h, () => take(ANY_TERMS), "NotLiquidatable");
  });

  it("CRE-3 without a deficit it changes nobody's E, IM and MM but the taker's", async () => {
    const h = await levered("1850", "1000");
    await h.fund(h.alice, { cash: "100", weth: "1" }, accountId(h.alice.address, 1));
    await h.fund(h.dave, { cash: "1000" });
    await deal(h, [h.bob, h.dave], "1", "1850");
    const others = [main(h.bob), accountId(h.alice.address, 1), main(h.dave)];
    const state = () => Promise.all(others.map((id) => h.clearingHouse.assess(id)));
    const before = await state();
    await h.clearingHouse.connect(h.carol).liquidate(main(h.alice), main(h.carol), ANY_TERMS);
    expect(await state()).to.deep.equal(before);
  });

  it("LIQ-1 LIQ-3 the clock adds at most 60 s per call, stands still above MM, and is cleared at IM", async () => {
    const h = await levered("1850");
    const id = main(h.alice);
    const flag = () => h.clearingHouse.flag(id);
    const clock = async () => (await h.clearingHouse.auction(id)).clock;
    await flag();
    await after(h, 30, flag);
    expect(await clock()).to.equal(30n);
    await after(h, 5_000, flag);
    expect(await clock()).to.equal(90n);
    await h.setPrice(ETH, "1860"); // E = 295 lies between MM = 279 and IM
    await after(h, 60, flag);
    expect(await clock()).to.equal(90n);
    await h.setPrice(ETH, "1850");
    // d = 5 % + 55 % · 150/180 = 50.8333…333 % after another 60 s; a tenth of d · 277.534225, rounded up to a wei
    await after(h, 60, () => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), TENTH));
    const discount = wad("0.05") + (wad("0.55") * 150n) / 180n;
    const cost = (discount * 277534225n + 10n ** 7n - 1n) / 10n ** 7n;
    expect(await equityOf(h, id)).to.equal(wad("245") - cost);
    await h.setPrice(ETH, "2000");
    await expect(flag()).to.emit(h.clearingHouse, "AuctionCleared").withArgs(id);
    expect((await h.clearingHouse.auction(id)).clock).to.equal(0n);
    await refused(h, flag, "NotLiquidatable");
  });

  it("LIQ-4 MMS-4 sells the whole account where E ≤ d · MM; the penalty is no more than its equity", async () => {
    const h = await levered("1803");
    const id = main(h.alice);
    // E = 995 − 985 = 10 < 5 % of MM = 9,015 · 3 % + …
    const take = (terms: typeof ANY_TERMS) => () =>
      h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), terms);
    const half = { ...ANY_TERMS, maxFraction: wad("0.5") };
    await refused(h, take(half), "FractionTooSmall", [wad("0.5"), wad("1")]);
    await take(ANY_TERMS)();
    expect(await h.clearingHouse.account(id)).to.deep.equal([0n, 0n, 0n, 0n]);
    expect(await equityOf(h, main(h.carol))).to.equal(wad("100008"));
    expect(await fundCash(h)).to.equal(wad("2"));
    expect((await positionOf(h, main(h.carol), ETH)).size).to.equal(wad("5"));
    expect((await marketOf(h, ETH)).index.openInterest).to.equal(wad("5"));
  });

  it("MAS-2 ADL-2 waterfall, first the fund: a deficit within a tenth of it is the fund's", async () => {
    const h = await levered("1700", "10000");
    const id = main(h.alice);
    // E = 995 − 1,500 = −505
    await expect(h.clearingHouse.flag(id)).to.emit(h.clearingHouse, "DeficitRecorded").withArgs(id, wad("505"));
    expect((await marketOf(h, ETH)).pool.flaggedDeficit).to.equal(wad("505"));
    const take = h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    await expect(take).to.emit(h.clearingHouse, "DeficitAbsorbed").withArgs(id, ETH, wad("505"), wad("505"), 0n, 0n);
    await expect(take).to.emit(h.clearingHouse, "DeficitRecorded").withArgs(id, 0n);
    // Of the rescue reward, half of MM = 255.0289 after 180 s, one second's worth is due.
    const rescue = (wad("255.0289") * (wad("0.5") / 180n)) / wad("1");
    expect(await fundCash(h)).to.equal(wad("9495") - rescue);
    // The pool holds what Alice had and what the fund paid: Bob's profit of 1,500 and the fee of 5.
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("1505"));
    expect(await h.clearingHouse.totalFlaggedDeficit()).to.equal(0n);
    expect(await equityOf(h, id)).to.equal(0n);
  });

  it("LIQ-1 ADL-4 waterfall, then the other side pro rata to its size", async () => {
    const h = await levered("1798");
    const id = main(h.alice);
    // E = 995 − 1,010 = −15, no fund: 3 for each of the 5 ETH that are short
    const take = h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    await expect(take).to.emit(h.clearingHouse, "DeficitAbsorbed").withArgs(id, ETH, wad("15"), 0n, wad("15"), 0n);
    await expect(take)
      .to.emit(h.clearingHouse, "LossSocialised")
      .withArgs(ETH, false, wad("15"), 3n * 10n ** 36n);
    expect(await h.clearingHouse.fundingIndices(ETH)).to.deep.equal([0n, -3n * 10n ** 36n]);
    // Bob: 10,000 − 5 · 1,798 − 15; Carol, who is long now, is not charged.
    expect(await h.clearingHouse.positionPnl(main(h.bob), ETH)).to.equal(wad("995"));
    expect(await equityOf(h, main(h.carol))).to.equal(wad("100000"));
    // A trade across zero closes on the short side's F and opens on the long's: Bob buys 6.
    await deal(h, [h.carol, h.bob], "6", "1798");
    // fee 6 · 1,798 · 0.05 % = 5.394
    const pnl = wad("995") - wad("5.394");
    expect(await h.clearingHouse.positionPnl(main(h.bob), ETH)).to.equal(pnl);
  });

  it("MAS-2 ADL-4 waterfall, at last recorded bad debt: fund and sides each within its cap", async () => {
    const h = await levered("1700", "1000");
    const id = main(h.alice);
    // 505: a tenth of the fund = 100; 0.25 % of the mark, 1,700, on 5 ETH = 21.25; the rest
    await expect(h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS))
      .to.emit(h.clearingHouse, "DeficitAbsorbed")
      .withArgs(id, ETH, wad("505"), wad("100"), wad("21.25"), wad("383.75"));
    expect((await marketOf(h, ETH)).loss.badDebt).to.equal(wad("383.75"));
    expect(await h.clearingHouse.positionPnl(main(h.bob), ETH)).to.equal(wad("1478.75"));
    // Σ PnL + fees = 1,478.75 + 5 = pool 1,100 + bad debt 383.75
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("1100"));
    // More than 27 h later the caps are fresh, and the fund's share of a penalty repays bad debt.
    await h.pass(28 * 3600);
    const second = accountId(h.alice.address, 1);
    await h.fund(h.alice, { cash: "1000" }, second);
    await deal(h, [h.bob, h.alice], "5", "1700", { taker: { account: second } });
    await h.setPrice(ETH, "1540");
    // MM = 7,700 · 3 % + 7,700 · 2 % · 7,700/50,000,000 = 231.023716; a tenth of it at 5 % costs 1.15511858
    await expect(h.clearingHouse.connect(h.carol).liquidate(second, main(h.carol), TENTH))
      .to.emit(h.clearingHouse, "BadDebtRepaid")
      .withArgs(ETH, wad("0.231023716"));
    expect(await fundCash(h)).to.equal(wad("900"));
  });

  it("LIQ-1 ADL-2 the rescue reward starts from zero, grows to half of MM and is the fund's alone", async () => {
    const h = await levered("1798", "10000");
    const id = main(h.alice);
    await h.clearingHouse.flag(id);
    for (let i = 0; i < 2; i++) await after(h, 60, () => h.clearingHouse.flag(id));
    const take = () => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    // 50 % of MM = 8,990 · 3 % + 8,990 · 2 % · 8,990/50,000,000 = 269.73232804
    await expect(after(h, 60, take))
      .to.emit(h.clearingHouse, "RescuePaid")
      .withArgs(id, main(h.carol), wad("134.86616402"));
    expect(await fundCash(h)).to.equal(wad("10000") - wad("15") - wad("134.86616402"));
    expect(await equityOf(h, main(h.carol))).to.equal(wad("100134.86616402"));
  });

  it("ADL-2 absorbs nobody who is solvent or has something to sell", async () => {
    const h = await levered("1700");
    const absorb = (id: bigint) => () => h.clearingHouse.absorb(id);
    await refused(h, absorb(main(h.carol)), "NotAbsorbable", [main(h.carol), wad("100000")]);
    await refused(h, absorb(main(h.alice)), "NotAbsorbable", [main(h.alice), wad("-505")]);
  });

  it("pays in claims on a pool only a taker who accepts them", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "300" });
    await h.fund(h.bob, { cash: "100000" });
    await h.fund(h.carol, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await deal(h, [h.bob, h.alice], "0.1", "30000", { market: BTC });
    await h.setPrice(ETH, "2500"); // + 499, which Bob has not paid in
    await h.setPrice(BTC, "23000"); // − 701.5, of which cash pays 300
    const id = main(h.alice);
    // MM = 2,500 · 3 % + 0.0025 + 2,300 · 3 % + 2,300 · 2 % · 2,300/100,000,000 = 144.003558; 0.1 · 5 % of it
    const cost = wad("0.72001779");
    const take = (acceptClaims: boolean) => () =>
      h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), { ...TENTH, acceptClaims });
    await refused(h, take(false), "ClaimsNotAccepted", [id, cost]);
    await take(true)();
    expect(await equityOf(h, id)).to.equal(wad("97.5") - cost);
    expect((await positionOf(h, id, ETH)).size).to.equal(wad("0.9"));
    // Carol got 0.1 ETH at the mark and the claim; the fund its share of the cost from her cash.
    expect(await equityOf(h, main(h.carol))).to.equal(wad("100000") + (cost * 4n) / 5n);
  });

  it("LIQ-1 cash call: a loss that cash could not settle for 24 h is raised by a slice, whatever the health", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { weth: "10" });
    await h.fund(h.bob, { cash: "100000" });
    await h.fund(h.carol, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "1900"); // PnL = −101
    const id = main(h.alice);
    const callCash = () => h.clearingHouse.connect(h.carol).cashCall(id, main(h.carol), ANY_TERMS);
    await refused(h, callCash, "NoCashCall", [id, wad("101"), 0n]);
    await expect(h.clearingHouse.settle(ETH, [id]))
      .to.emit(h.clearingHouse, "UnsettledLossSeen")
      .withArgs(id, wad("101"), 1n);
    await observeDay(h, id, ETH);
    const self = () => h.clearingHouse.connect(h.alice).cashCall(id, main(h.alice), ANY_TERMS);
    await refused(h, self, "SelfLiquidation");
    // f = 101 / 19,000 of 10 WETH, rounded up to a wei, and of 1 ETH; MM = 20,900 · 3 % + 20,900 · 2 % ·
    // 20,900/50,000,000 + 19,000 · 7 % = 1,957.174724, and 5 % of it is 97.8587362
    const fraction = (101n * 10n ** 18n) / 19_000n;
    const cost = (fraction * wad("97.8587362") + wad("1") - 1n) / wad("1");
    const tx = callCash();
    await expect(tx)
      .to.emit(h.clearingHouse, "CollateralTaken")
      .withArgs(id, main(h.carol), WETH, fraction * 10n);
    await expect(tx).to.emit(h.clearingHouse, "PositionTaken");
    // Nobody is paid for having flagged; the fund has its fifth of the cost.
    const money = [cost, () => true, (cost + 4n) / 5n, 0n] as const;
    await expect(tx)
      .to.emit(h.clearingHouse, "Liquidated")
      .withArgs(id, main(h.carol), ZeroAddress, true, fraction, wad("18899"), wad("1957.174724"), ...money);
    expect(await equityOf(h, id)).to.be.closeTo(wad("18899") - cost, 10n ** 4n);
    // What it brought went straight into the pool, all but the share of the loss that moved and the cost.
    const { cash } = (await marketOf(h, ETH)).pool;
    expect(cash).to.be.closeTo(wad("101") - (wad("101") * fraction) / wad("1") - cost, 10n ** 4n);
    await refused(h, callCash, "NoCashCall");
  });

  it("LIQ-1 cash call: an account without collateral has nothing to sell", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "300" });
    await h.fund(h.bob, { cash: "100000" });
    await h.fund(h.carol, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await deal(h, [h.bob, h.alice], "0.1", "30000", { market: BTC });
    await h.setPrice(ETH, "2900"); // + 899, unpaid
    await h.setPrice(BTC, "23000"); // − 701.5
    const id = main(h.alice);
    await h.clearingHouse.settle(BTC, [id]);
    await observeDay(h, id, BTC);
    const callCash = () => h.clearingHouse.connect(h.carol).cashCall(id, main(h.carol), ANY_TERMS);
    // Settling pays the loss from the profit as soon as there is some; here the pool of ETH is empty.
    await refused(h, callCash, "NothingToSell", [id]);
    await h.clearingHouse.settle(ETH, [main(h.bob), id]);
    await refused(h, callCash, "NoCashCall");
  });
});
