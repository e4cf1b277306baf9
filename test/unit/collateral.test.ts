import { expect } from "chai";

import { MockERC20__factory } from "../../types/index.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, USDT_INDEX, wad, WETH, WSTETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { ANY_TERMS, call, collateralParams, deal, equityOf, listCollateral, loansOf } from "../helpers/unit.ts";
import { main, refused, usdc } from "../helpers/unit.ts";
import type { Signer } from "../helpers/unit.ts";

const DAY = 86_400;
const LENDING = 64n;
const FREE = { kink: 800_000, lowSlope: 0, highSlope: 0, reserveFactor: 0 };

/** Carol lends at no interest, so that others can owe. */
async function withLender(): Promise<Fixture> {
  const h = await freshHouse();
  await h.clearingHouse.setLendingParams(FREE);
  await h.fund(h.bob, { cash: "100000" });
  await h.fund(h.carol, { cash: "50000" });
  await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc("50000"));
  return h;
}

/** Gives somebody WETH that the vault may take, and returns his deposits. */
async function holder(h: Fixture, owner: Signer) {
  await h.weth.mint(owner, wad("100"));
  await h.weth.connect(owner).approve(h.vault, wad("100"));
  return (amount: string) => h.clearingHouse.connect(owner).deposit(main(owner), h.weth, wad(amount));
}

const borrow = (h: Fixture, amount: string) =>
  h.clearingHouse.connect(h.alice).withdraw(main(h.alice), h.usdc, usdc(amount), h.alice);

describe("caps", () => {
  it("XAC-2 bound what one account and all accounts bring in, and nothing else", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    await ch.setCollateral(WETH, { ...(await collateralParams(h, WETH)), cap: 100, accountCap: 40 });
    await h.fund(h.alice, { weth: "40" });
    const more = await holder(h, h.alice);
    await refused(h, () => more("0.005"), "CollateralCap", [WETH, wad("40.005"), wad("40")]);
    await h.fund(h.bob, { weth: "40" });
    const last = await holder(h, h.carol);
    await refused(h, () => last("20.005"), "CollateralCap", [WETH, wad("100.005"), wad("100")]);
    await last("20");
    expect(await ch.collateralTotal(WETH)).to.equal(wad("100"));
    // What leaves makes room; a transfer is within the cap of all, but not of the account it goes to.
    const a = ch.connect(h.alice);
    const other = accountId(h.alice.address, 1);
    await a.transfer(main(h.alice), other, h.weth, wad("30"));
    expect(await ch.collateralTotal(WETH)).to.equal(wad("100"));
    await ch.setCollateral(WETH, { ...(await collateralParams(h, WETH)), accountCap: 35 });
    const back = () => a.transfer(main(h.alice), other, h.weth, wad("6"));
    await refused(h, back, "CollateralCap", [WETH, wad("36"), wad("35")]);
    await a.withdraw(main(h.alice), h.weth, wad("10"), h.alice);
    expect(await ch.collateralTotal(WETH)).to.equal(wad("90"));
    await h.fund(h.dave, { weth: "10" });
    // Nor does a cap that has come down since: a transfer brings nothing in.
    await ch.setCollateral(WETH, { ...(await collateralParams(h, WETH)), cap: 0 });
    await a.transfer(other, main(h.alice), h.weth, wad("5"));
    expect(await ch.collateralBalance(main(h.alice), WETH)).to.equal(wad("5"));
    expect(await ch.collateralTotal(WETH)).to.equal(wad("100"));
    await refused(h, () => more("0.005"), "CollateralCap", [WETH, wad("100.005"), 0n]);
  });

  it("XAC-2 never block a slice", async () => {
    const h = await withLender();
    await h.fund(h.alice, { weth: "10" });
    await borrow(h, "12000");
    await h.clearingHouse.setCollateral(WETH, { ...(await collateralParams(h, WETH)), cap: 0, accountCap: 0 });
    await h.setPrice(ETH, "1300");
    const terms = { ...ANY_TERMS, maxFraction: wad("0.1") };
    await h.clearingHouse.connect(h.bob).liquidate(main(h.alice), main(h.bob), terms);
    expect(await h.clearingHouse.collateralBalance(main(h.bob), WETH)).to.equal(wad("1"));
    expect(await h.clearingHouse.collateralTotal(WETH)).to.equal(wad("10"));
  });
});

describe("liquid-staking token", () => {
  it("XAC-1 is valued at the lower of its own rate and the market's", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { wsteth: "10" });
    expect(await equityOf(h, id)).to.equal(wad("22980")); // 10 · 1.149 · 2,000
    await h.setRate("1.16", "1.2");
    expect(await equityOf(h, id)).to.equal(wad("23200"));
    await h.setRate("1.16", "0.9");
    expect(await equityOf(h, id)).to.equal(wad("18000"));
    await h.setPrice(ETH, "1000");
    expect(await equityOf(h, id)).to.equal(wad("9000"));
  });

  it("DN-2 shares the hedge with what else belongs to the underlying, in proportion to value", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { weth: "1", wsteth: "1" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.alice, h.bob], "1", "2000"); // the maker is short 1 and pays no fee
    // V = 2,000 + 2,298, c = 2.149, x = 1.149, s = 2,000/4,298: W = 2,298 · 3 % = 68.94, A = 2,298 · 2 % · 2,298/50,000,000
    // = 0.0021123216, B = 20; H = ((140 + 160.86) · 2,298 + 2,298 · 2 % · 2,000) / 4,298 = 783,296.28 / 4,298
    const liquidity = (wad("783296.28") + 4_297n) / 4_298n;
    const [equity, , maintenance] = await h.clearingHouse.assess(id);
    expect(equity).to.equal(wad("4298"));
    expect(maintenance).to.equal(wad("88.9421123216") + liquidity);
  });

  it("DN-1 is in the net delta of its underlying with the units that it is worth", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { weth: "2", wsteth: "10", cash: "50000" });
    await h.fund(h.bob, { cash: "100000" });
    const delta = (underlying: number) => h.clearingHouse.netDelta(id, underlying);
    await deal(h, [h.bob, h.alice], "-20", "2000");
    expect(await delta(ETH)).to.equal(wad("-6.51")); // 2 + 10 · 1.149 − 20
    await deal(h, [h.bob, h.alice], "0.5", "30000", { market: BTC });
    expect(await delta(BTC)).to.equal(wad("0.5"));
    expect(await delta(ETH)).to.equal(wad("-6.51"));
    await h.networkHelpers.time.increase(DAY); // needs no price, but a rate
    expect(await delta(BTC)).to.equal(wad("0.5"));
    await refused(h, () => delta(ETH), "RateUnusable", undefined, h.priceOracle);
  });

  it("OR-1 XAC-3 without a rate counts zero for opening and withdrawing, and leaves a flat account", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { wsteth: "10" });
    await h.fund(h.bob, { cash: "100000" });
    await h.networkHelpers.time.increase(DAY);
    await h.setPrice(ETH, "2000");
    const [, answer, , updatedAt] = await h.rates.rate.latestRoundData();
    const unusable = [WSTETH, await h.rates.rate.getAddress(), answer, updatedAt];
    await refused(h, () => h.clearingHouse.assess(id), "RateUnusable", unusable, h.priceOracle);
    // φ · 60.0016 against nothing but a fee of 1
    const open = () => deal(h, [h.bob, h.alice], "1", "2000");
    await refused(h, open, "InsufficientMargin", [id, wad("-1"), wad("100.0026666866672")]);
    await h.fund(h.alice, { cash: "200" });
    await open();
    const out = (units: bigint) => () => h.clearingHouse.connect(h.alice).withdraw(id, h.usdc, units, h.alice);
    await refused(h, out(usdc("98.997334")), "InsufficientMargin"); // 200 − 1 − 98.997334 < IM
    await out(usdc("98.997333"))();
    await deal(h, [h.bob, h.alice], "-1", "2000");
    await h.clearingHouse.settle(ETH, [id]);
    await h.clearingHouse.connect(h.alice).withdraw(id, h.wsteth, wad("10"), h.alice);
    expect(await h.wsteth.balanceOf(h.alice)).to.equal(wad("10"));
  });
});

describe("stablecoin", () => {
  it("HC-3 below its threshold needs more: 1,000 USDT at 0.98 have h_i = 5 % + 4 · (0.99 − 0.98)", async () => {
    const h = await withLender();
    const id = await h.fund(h.alice, { usdt: "1000" });
    await borrow(h, "100");
    // W = 1,000 · 2 % = 20, A = 1,000 · 0.5 % · 1,000/500,000,000 = 0.00001, H = 20, H_i = 50; φ · 20.00001 = 33.33335000666667
    const calm = [wad("900"), wad("83.33335000666667"), wad("40.00001")];
    expect(await h.clearingHouse.assess(id)).to.deep.equal(calm);
    // at p0 nothing is added: W = 19.8, A = 0.000009801, H = 19.8, H_i = 49.5; φ · 19.800009801 = 33.000016341600003267
    await h.setPrice(USDT_INDEX, "0.99");
    const edge = [wad("890"), wad("82.500016341600003267"), wad("39.600009801")];
    expect(await h.clearingHouse.assess(id)).to.deep.equal(edge);
    // W = 19.6, A = 980 · 0.5 % · 980/500,000,000 = 0.000009604, H = 19.6, H_i = 980 · 9 % = 88.2
    await h.setPrice(USDT_INDEX, "0.98");
    const depegged = [wad("880"), wad("120.866682679866669868"), wad("39.200009604")];
    expect(await h.clearingHouse.assess(id)).to.deep.equal(depegged);
  });
});

describe("delisting", () => {
  /** Alice holds 10 WETH against a debt of 1,000; WETH is delisted. */
  async function delisted() {
    const h = await withLender();
    const id = await h.fund(h.alice, { weth: "10" });
    await h.fund(h.dave, { weth: "1" });
    await borrow(h, "1000");
    await h.networkHelpers.time.setNextBlockTimestamp((await h.networkHelpers.time.latest()) + 10);
    await h.clearingHouse.delistCollateral(WETH);
    const start = await h.networkHelpers.time.latest();
    const at = async (days: number) => {
      await h.networkHelpers.time.setNextBlockTimestamp(start + days * DAY);
      await h.setPrice(ETH, "2000");
    };
    return { h, id, start, at };
  }

  it("XAC-5 ramps haircuts to 100 % within 14 days, then counts zero", async () => {
    const { h, id, at } = await delisted();
    const assess = () => h.clearingHouse.assess(id);
    // W = 600, A = 20,000 · 2 % · 20,000/50,000,000 = 0.16, H = 1,400, H_i = 2,000; φ · 600.16 = 1,000.26666686672
    expect(await assess()).to.deep.equal([wad("19000"), wad("3000.26666686672"), wad("2000.16")]);
    // Half-way each half of the value has its haircut and the clamp, 1 − (3 % + 4 % + 2 %) and 1 − φ · 7 % − 3 %:
    // 700 + 9,100 and 1,000 + 8,533.3333331
    await at(7);
    expect(await assess()).to.deep.equal([wad("19000"), wad("10533.59999996672"), wad("10400.16")]);
    await at(14);
    expect(await assess()).to.deep.equal([wad("-1000"), 0n, 0n]);
    await at(20);
    expect(await assess()).to.deep.equal([wad("-1000"), 0n, 0n]);
  });

  it("XAC-5 HC-4 no more comes in, what is there leaves, for good", async () => {
    const { h, start, at } = await delisted();
    const end = BigInt(start + 14 * DAY);
    const ch = h.clearingHouse;
    await refused(h, () => ch.delistCollateral(WETH), "AlreadySet", []);
    const deposit = await holder(h, h.dave);
    await refused(h, () => deposit("1"), "Delisted", [WETH, end]);
    const [from, to] = [main(h.dave), accountId(h.dave.address, 1)];
    const move = () => ch.connect(h.dave).transfer(from, to, h.weth, wad("1"));
    await refused(h, move, "Delisted", [WETH, end]);
    await at(15);
    await refused(h, () => deposit("1"), "Delisted", [WETH, end]);
    await ch.connect(h.dave).withdraw(from, h.weth, wad("0.5"), h.dave);
    await ch.setCollateral(WETH, await collateralParams(h, WETH));
    expect((await ch.collateral(WETH)).delistingEnd).to.equal(end);
    await ch.connect(h.dave).withdraw(from, h.weth, wad("0.5"), h.dave);
    expect(await ch.collateralTotal(WETH)).to.equal(wad("10"));
  });

  it("HC-4 at the end of the ramp it neither saves an account nor leaves one below IM without its value in cash", async () => {
    const { h, at } = await delisted();
    const id = main(h.dave); // 1 WETH and cash
    const ch = h.clearingHouse.connect(h.dave);
    await h.fund(h.dave, { cash: "200" });
    await at(14);
    await deal(h, [h.bob, h.dave], "1", "2000"); // fee 1
    // E = 200 − 1 − 120 = 79 without the WETH; MM = 1,880 · 3 % + … = 56.401414, IM = φ · MM = 94
    await h.setPrice(ETH, "1880");
    expect(await h.clearingHouse.marginState(id)).to.equal(1n);
    const withdrawal = ch.interface.encodeFunctionData("withdraw", [
      id,
      await h.weth.getAddress(),
      wad("1"),
      h.dave.address,
    ]);
    await refused(h, () => ch.withdraw(id, h.weth, wad("1"), h.dave), "InsufficientMargin");
    await refused(h, () => ch.batch([call(ch, withdrawal)]), "InsufficientMargin");
    await h.setPrice(ETH, "2000");
    await ch.withdraw(id, h.weth, wad("1"), h.dave);
  });

  it("ADL-2 a debt with nothing left to sell is absorbed: first the fund, then the suppliers", async () => {
    const { h, id, at } = await delisted();
    await h.usdc.mint(h.deployer, usdc("5000"));
    await h.usdc.approve(h.insuranceFund, usdc("5000"));
    await h.insuranceFund.deposit(usdc("5000"), h.deployer);
    await at(14);
    const take = () => h.clearingHouse.connect(h.bob).cashCall(id, main(h.bob), ANY_TERMS);
    await refused(h, take, "NoCashCall");
    await expect(h.clearingHouse.absorb(id))
      .to.emit(h.clearingHouse, "DeficitAbsorbed")
      .withArgs(id, LENDING, wad("1000"), wad("500"), wad("500"), 0n);
    expect((await loansOf(h, main(h.carol))).lent).to.be.closeTo(wad("49500"), 2n);
    expect(await equityOf(h, id)).to.equal(0n);
  });
});

describe("decimals", () => {
  it("XAC-1 slices of tokens without decimals are whole tokens, rounded up; with 24 they are exact", async () => {
    for (const [decimals, taken, equity] of [
      // 15 % of 10 at 1,300 against a debt of 12,000: cost = 15 % · 5 % · 1,300.0676 = 9.750507 whatever moves
      [0, "2", "990.249493"],
      [24, "1.5", "990.249493"],
    ] as const) {
      const h = await withLender();
      const token = await new MockERC20__factory(h.deployer).deploy("T", "T", decimals);
      await listCollateral(h, 4, token);
      const units = 10n * 10n ** BigInt(decimals);
      await token.mint(h.alice, units);
      await token.connect(h.alice).approve(h.vault, units);
      const id = main(h.alice);
      await h.clearingHouse.connect(h.alice).deposit(id, token, units);
      await borrow(h, "12000");
      await h.setPrice(ETH, "1300");
      const terms = { ...ANY_TERMS, maxFraction: wad("0.15") };
      await h.clearingHouse.connect(h.bob).liquidate(id, main(h.bob), terms);
      expect(await h.clearingHouse.collateralBalance(main(h.bob), 4)).to.equal(wad(taken));
      expect(await equityOf(h, id)).to.equal(wad(equity));
      await h.clearingHouse.connect(h.bob).withdraw(main(h.bob), token, (wad(taken) * units) / wad("10"), h.bob);
      expect(await token.balanceOf(h.bob)).to.equal((wad(taken) * units) / wad("10"));
    }
  });
});
