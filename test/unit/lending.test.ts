import { expect } from "chai";
import { encodeBytes32String } from "ethers";
import type { ContractTransactionResponse, Interface } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import { ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { after, ANY_TERMS, call, cashOf, deal, equityOf, lendingPool, loansOf } from "../helpers/unit.ts";
import { main, marketOf, positionOf, refused, usdc } from "../helpers/unit.ts";
import type { Signer } from "../helpers/unit.ts";

const YEAR = 31_536_000n;
const LENDING = 64n;
const SHARES = 10n ** 6n; // per wei of cash at the start
const FREE = { kink: 800_000, lowSlope: 0, highSlope: 0, reserveFactor: 0 };
const TENTH = { ...ANY_TERMS, maxFraction: wad("0.1") };

/** Carol has lent `lent`, nobody pays interest, and Alice holds WETH but no cash. */
async function poolOf(lent: string, weth: string, params: typeof FREE = FREE): Promise<Fixture> {
  const h = await freshHouse();
  await h.clearingHouse.setLendingParams(params);
  await h.fund(h.alice, { weth });
  await h.fund(h.bob, { cash: "100000" });
  if (lent === "0") return h;
  await h.fund(h.carol, { cash: lent });
  await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc(lent));
  return h;
}

/** Takes cash out of the owner's main account. */
const take = (h: Fixture, owner: Signer, amount: string) =>
  h.clearingHouse.connect(owner).withdraw(main(owner), h.usdc, usdc(amount), owner);

describe("lend and recall", () => {
  it("CMA-1 lend moves cash into the pool and recall brings it back, in shares, as the events say", async () => {
    const h = await poolOf("0", "1");
    const ch = h.clearingHouse.connect(h.bob);
    const id = main(h.bob);
    const lent = ch.lend(id, usdc("1000"));
    await expect(lent)
      .to.emit(ch, "LoansChanged")
      .withArgs(id, wad("-1000"), wad("1000") * SHARES, 0n);
    await expect(lent).to.emit(ch, "LendingChanged").withArgs(wad("1000"), 0n, 0n, 0n);
    expect(await cashOf(h, id)).to.equal(wad("99000"));
    expect(await equityOf(h, id)).to.equal(wad("100000"));
    expect((await ch.account(id)).flags).to.equal(2n);
    const back = ch.recall(id, usdc("400"));
    await expect(back)
      .to.emit(ch, "LoansChanged")
      .withArgs(id, wad("400"), wad("600") * SHARES, 0n);
    await expect(back).to.emit(ch, "LendingChanged").withArgs(wad("600"), 0n, 0n, 0n);
    await ch.recall(id, usdc("600"));
    expect(await cashOf(h, id)).to.equal(wad("100000"));
    expect((await ch.account(id)).flags).to.equal(0n);
    expect(await loansOf(h, id)).to.deep.equal({ lent: 0n, debt: 0n, lentShares: 0n, debtShares: 0n });
  });

  it("CMA-1 refuses strangers, nothing, more than there is, and an account that owes a loss or has no margin", async () => {
    const h = await poolOf("1000", "10");
    const [a, c] = [h.clearingHouse.connect(h.alice), h.clearingHouse.connect(h.carol)];
    const [alice, carol] = [main(h.alice), main(h.carol)];
    await refused(h, () => a.lend(carol, 1n), "NotOwner", [carol, h.alice.address]);
    await refused(h, () => a.recall(carol, 1n), "NotOwner", [carol, h.alice.address]);
    await refused(h, () => c.lend(carol, 0n), "ZeroAmount", []);
    await refused(h, () => c.recall(carol, 0n), "ZeroAmount", []);
    await refused(h, () => c.lend(carol, 1n), "InsufficientCash", [carol, 0n, wad("0.000001")]);
    await refused(h, () => c.recall(carol, usdc("1001")), "InsufficientLiquidity", [carol, wad("1000"), wad("1001")]);
    // Alice owes 101 on 10 of cash, and there is nothing to borrow.
    await c.recall(carol, usdc("1000"));
    await h.fund(h.alice, { cash: "10" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "1900");
    await refused(h, () => a.lend(alice, usdc("1")), "UnsettledLoss", [alice, 0n, wad("91")]);
  });

  it("MAM-3 below IM nothing is lent", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "1000" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "5", "2000");
    await h.setPrice(ETH, "1880");
    // E = 1,000 − 5 − 600 = 395, IM = φ · (9,400 · 3 % + 9,400 · 2 % · 9,400/50,000,000) = φ · 282.035344
    const lend = () => h.clearingHouse.connect(h.alice).lend(main(h.alice), usdc("1"));
    await refused(h, lend, "InsufficientMargin", [main(h.alice), wad("395"), wad("470.058906760678448")]);
  });

  it("CMA-5 nobody can inflate the first share", async () => {
    const h = await poolOf("0", "1");
    const [mallory, victim] = [h.dave, h.bob];
    await h.fund(mallory, { cash: "10" });
    const m = h.clearingHouse.connect(mallory);
    for (let i = 0; i < 3; i++) {
      await m.lend(main(mallory), 1n);
      if (i !== 2) await m.recall(main(mallory), 1n);
    }
    // What he sends to the vault belongs to nobody: the index moves by interest alone.
    await h.usdc.mint(h.vault, usdc("10000"));
    await h.clearingHouse.connect(victim).lend(main(victim), usdc("1000"));
    expect((await loansOf(h, main(victim))).lent).to.be.within(wad("1000") - 1n, wad("1000"));
    expect((await loansOf(h, main(mallory))).lent).to.be.at.most(wad("0.000001"));
  });

  it("CMA-5 nobody can inflate the first share with interest", async () => {
    const { ethers, networkHelpers } = await freshHouse();
    const libraries = { Lending: await ethers.deployContract("Lending") };
    const dearest = { kink: 100_000, lowSlope: 1_000_000, highSlope: 10_000_000, reserveFactor: 0 };
    const pool = await ethers.deployContract("LendingHarness", [dearest], { libraries });
    // Mallory lends a wei and borrows it: 1,100 % a year. Growth saturates at e^10 a movement, so five make it e^50 wei = 5,184.7 USD.
    await pool.credit(1n, 1n);
    await pool.lend(1n, 1n);
    await pool.raise(2n, 1n, true);
    for (let i = 0; i < 5; i++) {
      await networkHelpers.time.increase(YEAR);
      await pool.flag(0n); // accrues
    }
    // One share is worth 5,184.7 / (his 10^6 + 10^6 virtual ones) = 0.0026 USD: whoever lends loses less than two of them.
    const victims = [1n, 1000n, 5000n].map((dollars, i) => ({ id: BigInt(i) + 3n, amount: dollars * 10n ** 18n }));
    for (const { id, amount } of victims) {
      await pool.credit(id, amount);
      await pool.lend(id, amount);
      expect((await pool.balances(id)).lent).to.be.greaterThan(amount - wad("0.0052"));
    }
  });

  it("CMA-3 what borrowers hold cannot be recalled", async () => {
    const h = await poolOf("1000", "10");
    await take(h, h.alice, "900");
    const recall = (amount: string) => h.clearingHouse.connect(h.carol).recall(main(h.carol), usdc(amount));
    await refused(h, () => recall("100.000001"), "InsufficientLiquidity", [
      main(h.carol),
      wad("100"),
      wad("100.000001"),
    ]);
    await recall("100");
    expect((await loansOf(h, main(h.carol))).lent).to.equal(wad("900"));
  });

  it("while deficits are flagged, who recalls bears his share of them", async () => {
    const h = await poolOf("1000", "1");
    await h.fund(h.dave, { cash: "1000" });
    await h.clearingHouse.connect(h.dave).lend(main(h.dave), usdc("1000"));
    await take(h, h.alice, "1600");
    await h.setPrice(ETH, "1500");
    const id = main(h.alice); // E = 1,500 − 1,600
    await expect(h.clearingHouse.flag(id)).to.emit(h.clearingHouse, "DeficitRecorded").withArgs(id, wad("100"));
    expect((await h.clearingHouse.lending())[0].flaggedDeficit).to.equal(wad("100"));
    // The pool's 2,000 are worth 1,900: for 380 Carol gives up 400.
    await h.clearingHouse.connect(h.carol).recall(main(h.carol), usdc("380"));
    expect((await loansOf(h, main(h.carol))).lentShares).to.be.closeTo(wad("600") * SHARES, SHARES);
    // Bob takes 1 WETH and a debt of 1,500; there is no fund, so the suppliers bear the 100: 1,620 − 100 = 1,520 on 1,600 shares.
    await expect(h.clearingHouse.connect(h.bob).liquidate(id, main(h.bob), ANY_TERMS))
      .to.emit(h.clearingHouse, "DeficitAbsorbed")
      .withArgs(id, LENDING, wad("100"), 0n, wad("100"), 0n);
    expect((await loansOf(h, main(h.carol))).lent).to.be.closeTo(wad("570"), 2n); // 950 with what she took
    expect((await loansOf(h, main(h.dave))).lent).to.be.closeTo(wad("950"), 2n);
    expect((await h.clearingHouse.lending())[0].flaggedDeficit).to.equal(0n);
    expect(await cashOf(h, main(h.bob))).to.equal(wad("98500"));
    expect((await h.clearingHouse.account(id)).flags).to.equal(0n);
  });
});

describe("money calls back and borrows on its own", () => {
  it("CMA-1 what leaves beyond cash calls back own lent cash first, then borrows as far as the pool is liquid", async () => {
    const h = await poolOf("1000", "10");
    await h.fund(h.dave, { cash: "100", weth: "1" });
    const id = main(h.dave);
    const ch = h.clearingHouse;
    await ch.connect(h.dave).lend(id, usdc("60"));
    await expect(take(h, h.dave, "70"))
      .to.emit(ch, "LoansChanged")
      .withArgs(id, wad("30"), wad("30") * SHARES, 0n);
    expect(await cashOf(h, id)).to.equal(0n);
    await expect(take(h, h.dave, "130"))
      .to.emit(ch, "LoansChanged")
      .withArgs(id, wad("130"), 0n, wad("100") * SHARES);
    expect(await loansOf(h, id)).to.deep.equal({
      lent: 0n,
      debt: wad("100"),
      lentShares: 0n,
      debtShares: wad("100") * SHARES,
    });
    expect(await equityOf(h, id)).to.equal(wad("1900"));
    // 900 are left.
    const tooMuch = () => take(h, h.alice, "900.000001");
    await refused(h, tooMuch, "InsufficientCash", [main(h.alice), wad("900"), wad("900.000001")]);
    await take(h, h.alice, "900");
    expect(await lendingPool(h)).to.include({ lent: wad("1000"), borrowed: wad("1000"), reserves: 0n });
  });

  it("CM-1 borrowing is bounded by IM, to the last unit of USDC", async () => {
    const h = await poolOf("5000", "1");
    // E = 2,000 − debt; IM = φ · (2,000 · 3 % + 0.0016) + 2,000 · 10 % = 300.0026666866672
    await refused(h, () => take(h, h.alice, "1699.997334"), "InsufficientMargin", [
      main(h.alice),
      wad("300.002666"),
      wad("300.0026666866672"),
    ]);
    await take(h, h.alice, "1699.997333");
  });

  it("a transfer borrows too, and repays where it arrives", async () => {
    const h = await poolOf("1000", "10");
    const [from, to] = [main(h.alice), accountId(h.alice.address, 1)];
    await h.fund(h.alice, { weth: "1" }, to);
    const ch = h.clearingHouse.connect(h.alice);
    await ch.withdraw(to, h.usdc, usdc("80"), h.alice);
    const tx = ch.transfer(from, to, h.usdc, usdc("100"));
    await expect(tx)
      .to.emit(ch, "LoansChanged")
      .withArgs(from, wad("100"), 0n, wad("100") * SHARES);
    await expect(tx).to.emit(ch, "LoansChanged").withArgs(to, wad("-80"), 0n, 0n);
    expect(await cashOf(h, to)).to.equal(wad("20"));
    expect((await lendingPool(h)).borrowed).to.equal(wad("100"));
  });

  it("CMA-2 what comes in repays first: deposits by anybody, profits when they are settled", async () => {
    const h = await poolOf("1000", "10");
    const id = main(h.alice);
    const ch = h.clearingHouse;
    await deal(h, [h.bob, h.alice], "1", "2000"); // fee 1
    await take(h, h.alice, "400"); // which pays the fee first: the debt is 401
    await h.usdc.mint(h.bob, usdc("400"));
    await h.usdc.connect(h.bob).approve(h.vault, usdc("400"));
    await expect(ch.connect(h.bob).deposit(id, h.usdc, usdc("100")))
      .to.emit(ch, "LoansChanged")
      .withArgs(id, wad("-100"), 0n, wad("301") * SHARES);
    await h.setPrice(ETH, "2100");
    await expect(ch.settle(ETH, [main(h.bob), id]))
      .to.emit(ch, "LoansChanged")
      .withArgs(id, wad("-100"), 0n, wad("201") * SHARES);
    expect(await cashOf(h, id)).to.equal(0n);
    await ch.connect(h.bob).deposit(id, h.usdc, usdc("300"));
    expect(await cashOf(h, id)).to.equal(wad("99"));
    expect((await loansOf(h, id)).debt).to.equal(0n);
    expect(await lendingPool(h)).to.deep.equal({
      lent: wad("1000"),
      borrowed: 0n,
      lentShares: wad("1000") * SHARES,
      debtShares: 0n,
      reserves: 0n,
      rate: 0n,
    });
  });

  it("FSA-5 settlement borrows a loss while E ≥ MM, as far as the pool is liquid, and then not at all", async () => {
    const h = await poolOf("150", "1");
    const id = main(h.alice);
    const ch = h.clearingHouse;
    await deal(h, [h.bob, h.alice], "4", "2000"); // fee 4
    await h.setPrice(ETH, "1975"); // − 104
    await expect(ch.settle(ETH, [id]))
      .to.emit(ch, "LoansChanged")
      .withArgs(id, wad("104"), 0n, wad("104") * SHARES);
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("104"));
    await h.setPrice(ETH, "1950"); // − 100 more, 46 are liquid
    await expect(ch.settle(ETH, [id]))
      .to.emit(ch, "UnsettledLossSeen")
      .withArgs(id, wad("54"), 1n);
    expect((await loansOf(h, id)).debt).to.equal(wad("150"));
    // E = 1,600 − 1,600 − 4 < 0: no lender pays for that.
    await h.fund(h.carol, { cash: "1000" });
    await ch.connect(h.carol).lend(main(h.carol), usdc("1000"));
    await h.setPrice(ETH, "1600");
    await ch.settle(ETH, [id]);
    expect((await loansOf(h, id)).debt).to.equal(wad("150"));
    // E = 1,680 − 1,280 − 4 = 396 ≥ MM = 8,400 · 3 % + 8,400 · 2 % · 8,400/50,000,000 + 1,680 · 7 % = 369.628224
    await h.setPrice(ETH, "1680");
    await ch.settle(ETH, [id]);
    expect((await loansOf(h, id)).debt).to.equal(wad("1150")); // of 1,284 − 150 all that is liquid
    expect((await ch.auction(id)).cashCallClock).to.be.greaterThan(1n);
  });

  it("with debt an account is not flat: without a price nothing leaves it", async () => {
    const h = await poolOf("1000", "10");
    await take(h, h.alice, "100");
    await h.feeds[ETH].updateAnswer(0n);
    const ch = h.clearingHouse.connect(h.alice);
    const out = () => ch.withdraw(main(h.alice), h.weth, wad("1"), h.alice);
    await refused(h, out, "InsufficientMargin"); // WETH counts zero, the debt does not
    await h.fund(h.alice, { cash: "100" });
    await out();
    expect(await h.clearingHouse.collateralBalance(main(h.alice), WETH)).to.equal(wad("9"));
    await h.networkHelpers.mine();
    // A lender without debt is flat and leaves with his money.
    await h.clearingHouse.connect(h.carol).withdraw(main(h.carol), h.usdc, usdc("1000"), h.carol);
  });
});

describe("interest", () => {
  const PARAMS = { kink: 800_000, lowSlope: 40_000, highSlope: 750_000, reserveFactor: 100_000 };
  const perSecond = (yearly: string) => wad(yearly) / YEAR;

  it("CMA-4 H8 kinked rate: 2 % at .4, 4 % at .8, 41.5 % at .9, 79 % at 1", async () => {
    const h = await poolOf("1000", "10", PARAMS);
    const rate = async () => (await lendingPool(h)).rate;
    expect(await rate()).to.equal(0n);
    for (const [more, yearly] of [
      ["400", "0.02"], // 4 % · .4/.8
      ["400", "0.04"],
      ["100", "0.415"], // 4 % + 75 % · .1/.2
      ["100", "0.79"],
    ] as const) {
      await take(h, h.alice, more);
      expect(await rate()).to.equal(perSecond(yearly));
    }
  });

  it("CMA-4 H8 1,000 at 5 % for a year are 1,051.271096376, whoever accrues in between", async () => {
    const flat = { kink: 500_000, lowSlope: 50_000, highSlope: 0, reserveFactor: 0 };
    const h = await poolOf("2000", "10", flat);
    await take(h, h.alice, "1000");
    const start = await h.networkHelpers.time.latest();
    const copy = await h.networkHelpers.takeSnapshot();
    const yearLater = async () => {
      await h.networkHelpers.time.increaseTo(start + Number(YEAR));
      return loansOf(h, main(h.alice));
    };
    // e^0.05 = 1.05127109637602403969…; the rate is a whole number of wei a second, 1.2e-10 of it less at most
    const { debt } = await yearLater();
    expect(debt).to.be.closeTo(wad("1051.271096376024039697"), wad("0.00000001"));
    // The suppliers' gain is the borrowers': 2,000 + 51.27
    expect((await loansOf(h, main(h.carol))).lent).to.be.closeTo(wad("1000") + debt, 10n);
    await copy.restore();
    for (const day of [1, 30, 31, 200]) {
      await h.networkHelpers.time.increaseTo(start + day * 86_400);
      await h.clearingHouse.sweepReserves();
    }
    expect((await yearLater()).debt).to.be.closeTo(debt, 10_000n);
  });

  it("MAM-3 interest that nobody has accrued counts against what leaves", async () => {
    const flat = { kink: 500_000, lowSlope: 50_000, highSlope: 0, reserveFactor: 0 };
    const h = await poolOf("2000", "1", flat);
    await take(h, h.alice, "1000");
    // E − IM = 2,000 − 1,000 − 300.0026666866672 = 699.997, and 51.2711 less after a year at 5 %: 648.7262
    expect(await h.clearingHouse.freeCollateral(main(h.alice))).to.be.closeTo(wad("699.9973"), wad("0.0001"));
    await h.pass(Number(YEAR));
    await refused(h, () => take(h, h.alice, "648.73"), "InsufficientMargin");
    await take(h, h.alice, "648.72");
  });

  it("CMA-2 SEG-2 the reserve factor's share of interest is the fund's, once it is swept and liquid", async () => {
    const h = await poolOf("2000", "10", PARAMS);
    await take(h, h.alice, "800"); // 4 % · .4/.8
    const start = await h.networkHelpers.time.latest();
    const copy = await h.networkHelpers.takeSnapshot();
    await h.networkHelpers.time.setNextBlockTimestamp(start + Number(YEAR));
    // 800 · (e^0.02 − 1) = 16.161072021405…; a tenth of it, less what a rate in whole wei a second loses
    const tx = await h.clearingHouse.connect(h.keeper).sweepReserves();
    const fund = await cashOf(h, await h.insuranceFund.account());
    expect(fund).to.be.closeTo(wad("1.616107202140"), wad("0.000000002"));
    await expect(tx).to.emit(h.clearingHouse, "ReservesSwept").withArgs(fund);
    expect((await lendingPool(h)).lent).to.be.closeTo(wad("2014.544964819265"), wad("0.00000002"));
    expect((await lendingPool(h)).reserves).to.equal(0n);
    // All lent out: what reserves there are stay where they are.
    await copy.restore();
    await take(h, h.alice, "1200");
    await after(h, 86_400, () => h.clearingHouse.sweepReserves());
    expect(await cashOf(h, await h.insuranceFund.account())).to.equal(0n);
    expect((await lendingPool(h)).reserves).to.be.greaterThan(0n);
  });

  it("the debt of the bankrupt earns its lenders nothing", async () => {
    const h = await poolOf("2000", "1", PARAMS);
    await take(h, h.alice, "1600"); // 4 %
    await h.setPrice(ETH, "1500");
    await h.clearingHouse.flag(main(h.alice));
    const start = await h.networkHelpers.time.latest();
    const [{ borrowed, flaggedDeficit: flagged }] = await h.clearingHouse.lending();
    expect(flagged).to.be.closeTo(wad("100"), wad("0.0001"));
    await h.networkHelpers.time.increaseTo(start + Number(YEAR));
    // e^0.04 − 1 = 0.04081077419238…
    const interest = ((borrowed - flagged) * wad("0.040810774192388")) / wad("1");
    expect((await lendingPool(h)).borrowed).to.be.closeTo(borrowed + interest, wad("0.000001"));
  });

  it("bounds the parameters", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    for (const [change, name, ...bounds] of [
      [{ kink: 99_999 }, "kink", 99_999n, 100_000n, 990_000n],
      [{ kink: 990_001 }, "kink", 990_001n, 100_000n, 990_000n],
      [{ lowSlope: 1_000_001 }, "lowSlope", 1_000_001n, 0n, 1_000_000n],
      [{ highSlope: 10_000_001 }, "highSlope", 10_000_001n, 0n, 10_000_000n],
      [{ reserveFactor: 500_001 }, "reserveFactor", 500_001n, 0n, 500_000n],
    ] as const) {
      const set = () => ch.setLendingParams({ ...PARAMS, ...change });
      await refused(h, set, "ParameterOutOfBounds", [encodeBytes32String(name), ...bounds]);
    }
    await expect(ch.setLendingParams(PARAMS)).to.emit(ch, "LendingParamsSet");
  });
});

describe("debt and liquidation", () => {
  it("LIQ-2 a slice moves its part of the debt, and what it brings repays the rest", async () => {
    const h = await poolOf("20000", "10");
    const [id, bob] = [main(h.alice), main(h.bob)];
    await take(h, h.alice, "12000");
    await h.setPrice(ETH, "1300");
    // E = 13,000 − 12,000; MM = 13,000 · 3 % + 13,000 · 2 % · 13,000/50,000,000 + 13,000 · 7 % = 1,300.0676
    // A tenth costs 10 % · 5 % · MM = 6.500338; it pays 1,300 − 1,200 − 6.500338.
    await expect(h.clearingHouse.connect(h.bob).liquidate(id, bob, TENTH))
      .to.emit(h.clearingHouse, "LoansChanged")
      .withArgs(id, wad("-93.499662"), 0n, wad("10706.500338") * SHARES);
    expect(await equityOf(h, id)).to.equal(wad("993.499662"));
    expect(await h.clearingHouse.collateralBalance(bob, WETH)).to.equal(wad("1"));
    // Bob's cash has paid the debt that he took, the slice, and a fifth of the cost for the fund.
    expect(await cashOf(h, bob)).to.equal(wad("100000") - wad("1200") - wad("93.499662") - wad("1.3000676"));
    expect((await loansOf(h, bob)).debt).to.equal(0n);
  });

  it("LIQ-2 what an account owes its taker comes from cash, then lent cash, in shares", async () => {
    const h = await poolOf("0", "1");
    const [id, carol] = [main(h.dave), main(h.carol)];
    const ch = h.clearingHouse;
    await h.fund(h.dave, { cash: "1000" });
    await h.fund(h.carol, { cash: "100000" });
    await ch.connect(h.dave).lend(id, usdc("400"));
    await deal(h, [h.bob, h.dave], "5", "2000"); // fee 5
    await h.setPrice(ETH, "1850");
    // The loss of 755 takes 600 of cash and 155 of lent cash: 245 are left, lent. MM = 277.534225; a tenth costs 1.387671125.
    await ch.connect(h.carol).liquidate(id, carol, TENTH);
    expect(await equityOf(h, id)).to.be.closeTo(wad("245") - wad("1.387671125"), 2n);
    expect((await loansOf(h, carol)).lent).to.be.closeTo(wad("1.387671125"), 2n);
    expect(await cashOf(h, id)).to.equal(0n);
    expect((await positionOf(h, id, ETH)).size).to.equal(wad("4.5"));
  });

  it("ADL-2 a debt's part of a deficit is the fund's within its cap, then the suppliers'", async () => {
    const h = await poolOf("2000", "1");
    await h.usdc.mint(h.deployer, usdc("500"));
    await h.usdc.approve(h.insuranceFund, usdc("500"));
    await h.insuranceFund.deposit(usdc("500"), h.deployer);
    await take(h, h.alice, "1600");
    await h.setPrice(ETH, "1500");
    const id = main(h.alice);
    await expect(h.clearingHouse.connect(h.bob).liquidate(id, main(h.bob), ANY_TERMS))
      .to.emit(h.clearingHouse, "DeficitAbsorbed")
      .withArgs(id, LENDING, wad("100"), wad("50"), wad("50"), 0n);
    expect((await loansOf(h, main(h.carol))).lent).to.be.closeTo(wad("1950"), 1n);
    expect(await cashOf(h, await h.insuranceFund.account())).to.equal(wad("450"));
    expect((await lendingPool(h)).borrowed).to.be.at.most(1n);
  });
});

describe("books", () => {
  /** Sums up what the events of a transaction did to the cash of each account. */
  async function post(
    books: Map<bigint, bigint>,
    abi: Interface,
    tx: ContractTransactionResponse,
    token: string,
  ): Promise<bigint[] | undefined> {
    let pool: bigint[] | undefined;
    const add = (id: bigint, amount: bigint) => books.set(id, (books.get(id) ?? 0n) + amount);
    for (const log of (await tx.wait())?.logs ?? []) {
      const event = abi.parseLog(log);
      if (event === null) continue;
      const { name, args } = event;
      if (name === "LoansChanged") add(args.account as bigint, args.cash as bigint);
      if (name === "Settled") add(args.account as bigint, args.amount as bigint);
      if (name === "LendingChanged") pool = (args.toArray() as bigint[]).slice(0, 4);
      if (args.token !== token) continue;
      if (name === "Deposited") add(args.account as bigint, args.amount as bigint);
      if (name === "Withdrawn") add(args.account as bigint, -(args.amount as bigint));
      if (name === "Transferred") {
        add(args.from as bigint, -(args.amount as bigint));
        add(args.to as bigint, args.amount as bigint);
      }
    }
    return pool;
  }

  it("MAS-1 SEG-4 events reproduce every account's cash and the pool; the vault holds what is claimed", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    const token = await h.usdc.getAddress();
    const [a, c] = [ch.connect(h.alice), ch.connect(h.carol)];
    const [alice, other, bob, carol] = [main(h.alice), accountId(h.alice.address, 1), main(h.bob), main(h.carol)];
    for (const who of [h.alice, h.bob, h.carol]) {
      await h.usdc.mint(who, usdc("10000"));
      await h.usdc.connect(who).approve(h.vault, usdc("10000"));
    }
    await h.fund(h.alice, { weth: "10" });
    await deal(h, [h.bob, h.alice], "1", "2000").catch(() => undefined);
    const steps = [
      () => c.deposit(carol, token, usdc("5000")),
      () => ch.connect(h.bob).deposit(bob, token, usdc("3000")),
      () => c.lend(carol, usdc("4000")),
      () => a.withdraw(alice, token, usdc("1000"), h.alice),
      () => deal(h, [h.bob, h.alice], "1", "2000"),
      () => a.transfer(alice, other, token, usdc("500")),
      () => h.feeds[ETH].updateAnswer(1_900n * 10n ** 8n),
      () => ch.settle(ETH, [alice, bob]),
      () => after(h, 80_000, () => c.recall(carol, usdc("100"))),
      () => h.feeds[ETH].updateAnswer(2_150n * 10n ** 8n),
      () => ch.settle(ETH, [bob, alice]),
      () => c.deposit(alice, token, usdc("50")),
      () => deal(h, [h.bob, h.alice], "-1", "2150"),
      () => a.batch([call(ch, ch.interface.encodeFunctionData("deposit", [alice, token, usdc("1500")]))]),
      () => c.withdraw(carol, token, usdc("4500"), h.carol),
    ];
    const books = new Map<bigint, bigint>();
    let pool: bigint[] = [];
    for (const step of steps) pool = (await post(books, ch.interface, await step(), token)) ?? pool;
    for (const id of [alice, other, bob, carol]) expect(await cashOf(h, id)).to.equal(books.get(id) ?? 0n);
    const [stored] = await ch.lending();
    expect((await loansOf(h, alice)).debt).to.equal(0n);
    expect(pool).to.deep.equal([stored.lent, stored.borrowed, stored.reserves, stored.rate]);
    // vault = Σ cash + (lent + reserves − borrowed) + pools
    const cash = (await Promise.all([alice, other, bob, carol].map((id) => cashOf(h, id)))).reduce((x, y) => x + y);
    const { pool: market } = await marketOf(h, ETH);
    const owed = cash + stored.lent + stored.reserves - stored.borrowed + market.cash;
    expect((await h.usdc.balanceOf(h.vault)) * 10n ** 12n).to.equal(owed);
  });
});
