import { expect } from "chai";

import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { ANY_TERMS, deal, main, marketOf, marketParams, refused, usdc } from "../helpers/unit.ts";

const HOUR = 3_600;

/**
 * dYdX's numbers: an initial rate of κ 10 % · φ 2 = 20 %, caps of 25 and 50 million USD. Bob and Dave hold an open interest of `size`
 * ETH at 2,000; Carol has enough to be anybody's counterparty.
 */
async function crowded(size: string): Promise<Fixture> {
  const h = await freshHouse();
  const { maxTracking, maxTrackingInitial } = await h.riskEngine.underlyingRisk(ETH);
  const risk = {
    shock: 100_000,
    slope: 0,
    basis: 10_000,
    basisInitial: 30_000,
    depth: 1,
    initialFactor: 2_000_000_000,
  };
  await h.riskEngine.setUnderlyingRisk(ETH, { ...risk, maxTracking, maxTrackingInitial });
  await h.clearingHouse.setMarket(ETH, { ...(await marketParams(h, ETH)), softCap: 25_000_000, hardCap: 50_000_000 });
  for (const who of [h.bob, h.dave]) await h.fund(who, { cash: "100000000" });
  await h.fund(h.carol, { cash: "1000000" });
  await deal(h, [h.bob, h.dave], size, "2000");
  return h;
}

describe("opening surcharge", () => {
  // The initial rate of who opens the last ETH, on a notional of 2,000.
  for (const { open, openInterest, needed } of [
    { open: "4999", openInterest: "10,000,000", needed: "400" }, // 20 %
    { open: "12499", openInterest: "25,000,000", needed: "400" }, // 20 %
    { open: "18749", openInterest: "37,500,000", needed: "1200" }, // 60 %
    { open: "24999", openInterest: "50,000,000", needed: "2000" }, // 100 %
  ]) {
    it(`MM-4 MBS-1 H6 at an open interest of ${openInterest} opening needs ${needed} per 2,000`, async () => {
      const h = await crowded(open);
      const cash = wad(needed) + wad("1") - wad("0.000001"); // one for the fee
      const id = await h.fund(h.alice, { cash: (Number(needed) + 0.999999).toFixed(6) });
      const buy = () => deal(h, [h.carol, h.alice], "1", "2000");
      await refused(h, buy, "InsufficientMargin", [id, cash - wad("1"), wad(needed)]);
      await h.fund(h.alice, { cash: "0.000001" });
      await buy();
      // Her own health knows nothing of it, and nobody else's has changed.
      expect(await h.clearingHouse.assess(id)).to.deep.equal([wad(needed), wad("400"), wad("200")]);
    });
  }

  it("MM-3 MM-4 the hard cap refuses what would exceed it", async () => {
    const h = await crowded("25000");
    await h.fund(h.alice, { cash: "100000" });
    const buy = () => deal(h, [h.carol, h.alice], "0.01", "2000");
    await refused(h, buy, "OpenInterestCap", [ETH, wad("50000020"), wad("50000000")]);
  });

  it("MM-4 the growth of others calls and cuts nobody", async () => {
    const h = await crowded("10000");
    await h.fund(h.alice, { cash: "500" });
    await deal(h, [h.carol, h.alice], "1", "2000");
    const before = await h.clearingHouse.assess(main(h.alice));
    await deal(h, [h.bob, h.dave], "14000", "2000");
    expect(await h.clearingHouse.assess(main(h.alice))).to.deep.equal(before);
    await refused(h, () => h.clearingHouse.flag(main(h.alice)), "NotLiquidatable");
    // And she who opened before may take out what is free, and reduce.
    await h.clearingHouse.connect(h.alice).withdraw(main(h.alice), h.usdc, usdc("99"), h.alice);
    await deal(h, [h.carol, h.alice], "-0.5", "2000");
  });

  it("MM-4 what leaves within the hour is tested with it, and after the hour it is not", async () => {
    const h = await crowded("18749");
    const id = await h.fund(h.alice, { cash: "2001" });
    await deal(h, [h.carol, h.alice], "1", "2000");
    const opened = await h.networkHelpers.time.latest();
    const house = h.clearingHouse.connect(h.alice);
    const out = (amount: string) => () => house.withdraw(id, h.usdc, usdc(amount), h.alice);
    // E = 2,000; 1,200 have to stay
    expect(await house.freeCollateral(id)).to.equal(wad("800"));
    expect((await house.account(id)).flags).to.equal(4n);
    await refused(h, out("800.000001"), "InsufficientMargin", [id, wad("1199.999999"), wad("1200")]);
    await out("300")();
    const away = () => house.transfer(id, id + 1n, h.usdc, usdc("500.000001"));
    await refused(h, away, "InsufficientMargin");
    await h.networkHelpers.time.increaseTo(opened + HOUR - 2);
    await refused(h, out("500.000001"), "InsufficientMargin");
    expect(await house.freeCollateral(id)).to.equal(wad("500"));
    // Reducing in the meantime takes nothing more than it frees: half the notional needs 600.
    const copy = await h.networkHelpers.takeSnapshot();
    await deal(h, [h.carol, h.alice], "-0.5", "2000"); // fee 0.5
    expect(await house.freeCollateral(id)).to.be.greaterThan(wad("1099"));
    await copy.restore();
    await h.networkHelpers.time.setNextBlockTimestamp(opened + HOUR);
    await out("1300")(); // 400 stay
    expect((await house.account(id)).flags).to.equal(0n);
  });

  it("MM-4 a taker needs no surcharge: caps never block a slice", async () => {
    const h = await crowded("18749");
    const id = await h.fund(h.alice, { cash: "1201" });
    await deal(h, [h.carol, h.alice], "1", "2000");
    await h.networkHelpers.time.increase(HOUR);
    const house = h.clearingHouse.connect(h.alice);
    await house.withdraw(id, h.usdc, usdc("800"), h.alice); // E = 400 = IM
    await h.setPrice(ETH, "1700"); // E = 100 < MM = 170
    await h.clearingHouse.setMarket(ETH, { ...(await marketParams(h, ETH)), softCap: 0, hardCap: 1 });
    // Keeper takes about 0.7 of the 1 ETH: 20 % of it, not 100 %
    const taker = await h.fund(h.keeper, { cash: "350" });
    await h.clearingHouse.connect(h.keeper).liquidate(id, taker, ANY_TERMS);
    expect((await marketOf(h, ETH)).index.openInterest).to.equal(wad("18750"));
    expect(await h.clearingHouse.marginState(taker)).to.equal(0n);
  });

  it("MM-4 reduces and closes above the cap without it", async () => {
    const h = await crowded("24990");
    const id = await h.fund(h.alice, { cash: "2001" });
    await deal(h, [h.carol, h.alice], "1", "2000"); // just short of 100 %: 1,999.something
    await h.setPrice(ETH, "1500"); // E = 1,500, open interest below the hard cap again
    await deal(h, [h.carol, h.alice], "-0.4", "1500");
    await deal(h, [h.carol, h.alice], "-0.6", "1500");
    expect((await h.clearingHouse.account(id)).cash).to.equal(wad("2001") - wad("1") - wad("500") - wad("0.75"));
  });
});
