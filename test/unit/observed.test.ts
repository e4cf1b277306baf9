import { expect } from "chai";

import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { after, ANY_TERMS, deal, main, refused } from "../helpers/unit.ts";

const HOUR = 3_600;

describe("cash call: observed time", () => {
  /** Alice, all in WETH, owes 101 on 1 ETH and has no cash; nobody lends. */
  async function owing(): Promise<Fixture> {
    const h = await freshHouse();
    await h.fund(h.alice, { weth: "10" });
    for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "1900");
    return h;
  }

  const clockOf = async (h: Fixture) => (await h.clearingHouse.auction(main(h.alice))).cashCallClock;

  it("FSA-5 each settle counts the time since the last one, a gap one hour, and a slice needs more than 24 h", async () => {
    const h = await owing();
    const id = main(h.alice);
    const settle = () => h.clearingHouse.settle(ETH, [id]);
    const take = () => h.clearingHouse.connect(h.carol).cashCall(id, main(h.carol), ANY_TERMS);
    await settle();
    expect(await clockOf(h)).to.equal(1n);
    await after(h, 1_800, settle);
    expect(await clockOf(h)).to.equal(1_801n);
    await h.pass(20 * HOUR);
    await settle();
    expect(await clockOf(h)).to.equal(5_401n);
    for (let hour = 0; hour < 22; hour++) {
      if (hour === 10) await h.pass(1); // a new round of the feeds
      await after(h, HOUR, settle);
    }
    expect(await clockOf(h)).to.be.within(84_601n, 84_610n);
    await after(h, 1_780, settle);
    await refused(h, take, "NoCashCall", [id, wad("101"), await clockOf(h)]);
    await after(h, 60, settle);
    expect(await clockOf(h)).to.be.greaterThan(86_400n);
    await take();
    expect(await h.clearingHouse.collateralBalance(main(h.carol), 0)).to.be.greaterThan(0n);
  });

  it("FSA-5 a recovery, or cash for it, ends the count", async () => {
    const h = await owing();
    const id = main(h.alice);
    const settle = () => h.clearingHouse.settle(ETH, [id]);
    await settle();
    await after(h, HOUR, settle);
    expect(await clockOf(h)).to.equal(3_601n);
    await h.setPrice(ETH, "2001");
    await expect(settle()).to.emit(h.clearingHouse, "UnsettledLossSeen").withArgs(id, 0n, 0n);
    await h.setPrice(ETH, "1900");
    await settle();
    expect(await clockOf(h)).to.equal(1n);
    await h.fund(h.alice, { cash: "200" });
    await expect(settle()).to.emit(h.clearingHouse, "UnsettledLossSeen").withArgs(id, 0n, 0n);
    expect((await h.clearingHouse.account(id)).flags).to.equal(0n);
  });
});

describe("volatility regime", () => {
  /** Alice is long 5 ETH from 2,000 on `cash`, fee 5; the rounds up to now have been observed. */
  async function calm(cash: string): Promise<Fixture> {
    const h = await freshHouse();
    await h.fund(h.alice, { cash });
    for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "5", "2000");
    await h.priceOracle.observe(ETH, 10);
    return h;
  }

  /** Two rounds of ±20 %: r² = ln²(1.2) = 0.0332 each, over a time constant of a day: σ² = 2 · 0.0332/86,400 · 31,536,000 > 9. */
  async function burst(h: Fixture): Promise<void> {
    await h.setPrice(ETH, "2400");
    await h.setPrice(ETH, "2000");
    await h.priceOracle.observe(ETH, 10);
  }

  // μ = 3: W = 10,000 · 3 % · 3 = 900 and A = 0.04; IM = φ · 900.04
  const CALLED = wad("1500.06666696668");

  it("MM-2 a rise calls at once and liquidates nobody: MM follows by 25 % an hour", async () => {
    const h = await calm("800");
    const id = main(h.alice);
    const ch = h.clearingHouse;
    expect(await ch.assess(id)).to.deep.equal([wad("795"), wad("500.06666676668"), wad("300.04")]);
    await burst(h);
    const seen = await h.networkHelpers.time.latest();
    expect(await ch.assess(id)).to.deep.equal([wad("795"), CALLED, wad("300.04")]);
    const take = () => ch.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    await refused(h, take, "NotLiquidatable");
    await expect(ch.flag(id)).to.emit(ch, "MarginCall");
    await refused(h, () => deal(h, [h.bob, h.alice], "0.01", "2000"), "InsufficientMargin");
    for (const [hours, maintenance] of [
      [1, "375.04"], // 300 · 1.25 + 0.04
      [4, "600.04"],
      [6, "750.04"],
    ] as const) {
      await h.networkHelpers.time.increaseTo(seen + hours * HOUR);
      expect((await ch.assess(id)).maintenanceMargin).to.equal(wad(maintenance));
      expect(await ch.marginState(id)).to.equal(1n);
    }
    await h.networkHelpers.time.increaseTo(seen + 8 * HOUR);
    expect((await ch.assess(id)).maintenanceMargin).to.equal(wad("900.04"));
    await take();
  });

  it("MM-2 after any silence the step starts at nothing, and a gap counts as one heartbeat at most", async () => {
    const h = await calm("800");
    const id = main(h.alice);
    await h.networkHelpers.time.increase(30 * 24 * HOUR);
    await burst(h);
    expect((await h.clearingHouse.assess(id)).maintenanceMargin).to.equal(wad("300.04"));
    expect((await h.clearingHouse.assess(id)).initialMargin).to.equal(CALLED);
    await refused(h, () => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS), "NotLiquidatable");
  });
});
