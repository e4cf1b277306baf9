import { expect } from "chai";

import { assessAccount } from "../../src/risk/account.ts";
import { loansOf } from "../../src/risk/lending.ts";
import { planCashCall, takeOver } from "../../src/risk/liquidation.ts";
import { settleLoss, totalLoss, legs } from "../../src/risk/pools.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, USDT, wad, WETH, WSTETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { expectPlanned, nonZero, readAccount, readHouse } from "./chain.ts";

const usdc = (amount: string): bigint => wad(amount) / 10n ** 12n;
const DAY = 86_400;

/** Expects E, IM, MM, lent cash and debt of an account to be those of the clearinghouse, to the wei. */
async function expectAlike(f: Fixture, id: bigint): Promise<void> {
  const time = BigInt(await f.networkHelpers.time.latest());
  const [house, account] = [await readHouse(f, time), await readAccount(f, id)];
  const at = { blockTag: "latest" };
  const [equity, initialMargin, maintenanceMargin] = await f.clearingHouse.assess(id, at);
  expect(assessAccount(account, house)).to.deep.equal({ equity, initialMargin, maintenanceMargin });
  const [lent, debt] = await f.clearingHouse.loans(id, at);
  expect(loansOf(account, house.lending, time)).to.deep.equal({ lent, debt });
}

/** Bob lends 100,000 and makes the market; Alice holds 8 WETH and 4 wstETH, is short 12 ETH and has borrowed `debt`. */
async function borrower(f: Fixture, debt: string): Promise<bigint> {
  await f.fund(f.bob, { cash: "400000" });
  await f.clearingHouse.connect(f.bob).lend(accountId(f.bob.address), usdc("100000"));
  const alice = await f.fund(f.alice, { weth: "8", wsteth: "4" });
  await f.trade(f.bob, f.alice, ETH, "-12", "2000");
  await f.clearingHouse.connect(f.alice).withdraw(alice, f.usdc, usdc(debt), f.alice);
  await f.pass(DAY / 2);
  return alice;
}

describe("src/risk against the ledger: lent cash and debt", () => {
  it("MMS-5 lent cash, debt, liquid-staking tokens and their interest count as they do on chain", async () => {
    const f = await freshHouse();
    const alice = await borrower(f, "9000");
    await expectAlike(f, alice);
    await expectAlike(f, accountId(f.bob.address));
    await f.setPrice(ETH, "2113.13");
    await f.setRate("1.16", "1.1433");
    await f.pass(DAY / 3);
    await expectAlike(f, alice);
    await expectAlike(f, accountId(f.bob.address));
  });

  it("XAC-5 HC-3 a delisting ramp and a stablecoin off its peg", async () => {
    const f = await freshHouse();
    const alice = await f.fund(f.alice, { cash: "2000", weth: "3", wsteth: "2", usdt: "5000" });
    await f.fund(f.bob, { cash: "100000" });
    await f.trade(f.bob, f.alice, ETH, "-4", "2000");
    await f.clearingHouse.delistCollateral(WSTETH);
    await f.setPrice(2, "0.973");
    for (let day = 0; day < 4; ++day) {
      await expectAlike(f, alice);
      await f.pass(DAY * 4); // 14 days to the end of the ramp
    }
    await expectAlike(f, alice);
  });

  it("settling a loss calls lent cash back and borrows as the ledger does", async () => {
    const f = await freshHouse();
    const alice = await borrower(f, "1");
    const funded = await f.fund(f.alice, { cash: "700" });
    expect(funded).to.equal(alice);
    await f.clearingHouse.connect(f.alice).lend(alice, usdc("600"));
    await f.setPrice(ETH, "2150"); // a loss of 1,800
    const time = BigInt(await f.networkHelpers.time.latest()) + 7n;
    const [house, account] = [await readHouse(f, time), await readAccount(f, alice)];
    const settled = settleLoss({ account, house }, ETH, totalLoss(legs(account, house)));
    expect(account.lentShares > 0n && settled.account.lentShares === 0n).to.equal(true);
    expect(settled.account.debtShares > 0n).to.equal(true);
    await f.networkHelpers.time.setNextBlockTimestamp(time);
    await f.clearingHouse.settle(ETH, [alice]);
    expect(await readAccount(f, alice)).to.deep.equal(nonZero(settled.account));
    const after = await readHouse(f, time);
    expect(after.lending).to.deep.equal(settled.house.lending);
    expect(after.markets.get(ETH)).to.deep.equal(settled.house.markets.get(ETH));
  });

  it("LIQ-2 a slice of a borrower takes its part of the debt", async () => {
    const f = await freshHouse();
    const alice = await borrower(f, "21000");
    await f.fund(f.carol, { cash: "100000" });
    await f.setRate("0.67"); // the hedge comes off, the debt stands
    const plan = await expectPlanned(f, alice);
    expect(plan.debtShares > 0n && plan.fraction < wad("1")).to.equal(true);
  });

  it("LIQ-2 a taker who has lent all his cash pays with it, and his new debt is repaid at once", async () => {
    const f = await freshHouse();
    const alice = await borrower(f, "21000");
    const carol = await f.fund(f.carol, { cash: "60000" });
    await f.clearingHouse.connect(f.carol).lend(carol, usdc("59900"));
    await f.setRate("0.67");
    await expectPlanned(f, alice);
  });

  it("LIQ-2 a taker without cash borrows against what he takes over", async () => {
    const f = await freshHouse();
    const alice = await borrower(f, "21000");
    await f.fund(f.carol, { weth: "40" });
    await f.setRate("0.67");
    await expectPlanned(f, alice);
    expect((await readAccount(f, accountId(f.carol.address))).debtShares > 0n).to.equal(true);
  });

  it("ADL-2 a bankrupt borrower: the debt beyond his collateral is written off before the slice moves", async () => {
    const f = await freshHouse();
    const alice = await borrower(f, "21000");
    await f.fund(f.carol, { cash: "100000" });
    await f.setRate("0.2");
    const plan = await expectPlanned(f, alice);
    expect(plan.deficit > 0n && plan.fraction === wad("1")).to.equal(true);
  });

  it("LIQ-2 an account pays its taker from lent cash where it has no other", async () => {
    const f = await freshHouse();
    const alice = await f.fund(f.alice, { cash: "4000" });
    await f.fund(f.bob, { cash: "400000" });
    await f.fund(f.carol, { cash: "100000" });
    await f.trade(f.bob, f.alice, ETH, "20", "2000");
    await f.clearingHouse.connect(f.alice).lend(alice, usdc("1000"));
    await f.setPrice(ETH, "1855");
    await f.pass(60);
    await f.clearingHouse.settle(ETH, [alice]); // takes all cash and most of what is lent
    await expectPlanned(f, alice);
  });

  for (const { name, debt } of [
    { name: "without debt", debt: "0" },
    { name: "of a borrower whom nobody lends more", debt: "1000" },
  ]) {
    it(`LIQ-1 a cash call ${name}: the plan is what the ledger does to both accounts, to the wei`, async () => {
      const f = await freshHouse();
      const bob = await f.fund(f.bob, { cash: "300000" });
      const alice = await f.fund(f.alice, { weth: "10" });
      const carol = await f.fund(f.carol, { cash: "100000" });
      if (debt !== "0") {
        await f.clearingHouse.connect(f.bob).lend(bob, usdc(debt));
        await f.clearingHouse.connect(f.alice).withdraw(alice, f.usdc, usdc(debt), f.alice);
      }
      await f.trade(f.bob, f.alice, ETH, "5", "2000");
      await f.setPrice(ETH, "1801.07");
      for (let hour = 0; hour < 26; ++hour) {
        await f.pass(3600);
        await f.clearingHouse.settle(ETH, [alice]);
      }
      const time = BigInt(await f.networkHelpers.time.latest()) + 9n;
      const [house, account, before] = [
        await readHouse(f, time),
        await readAccount(f, alice),
        await readAccount(f, carol),
      ];
      const { cashCallClock } = await f.clearingHouse.auction(alice);
      const plan = planCashCall(account, house, { cashCallClock });
      // f is the loss over the collateral less the debt
      const share = Number(plan.fraction) / 1e18;
      expect(Math.abs(share - Number(plan.loss) / (18_010.7e18 - Number(debt) * 1e18))).to.be.lessThan(0.001);
      const terms = { maxFraction: wad("1"), maxPayment: plan.paid, minGain: plan.gain, acceptClaims: false };
      await f.networkHelpers.time.setNextBlockTimestamp(time);
      await f.clearingHouse.connect(f.carol).cashCall(alice, carol, terms);
      expect(await readAccount(f, alice)).to.deep.equal(nonZero(plan.after));
      expect(await readAccount(f, carol)).to.deep.equal(nonZero(takeOver(before, plan)));
    });
  }

  for (const { name, stale } of [
    { name: "a position", stale: BTC },
    { name: "a collateral", stale: 2 as const },
  ]) {
    it(`OR-3 an account with ${name} without a price: what the rest needs is sold, to the wei`, async () => {
      const f = await freshHouse();
      const alice = await f.fund(f.alice, { cash: "2500", weth: "2", usdt: "600" });
      await f.fund(f.bob, { cash: "500000" });
      await f.fund(f.carol, { cash: "200000" });
      await f.trade(f.bob, f.alice, ETH, "40", "2000");
      await f.trade(f.bob, f.alice, BTC, "-0.05", "30000");
      for (const underlying of [ETH, BTC, 2]) await f.priceOracle.observe(underlying, 10);
      await f.networkHelpers.time.increase(DAY + 1);
      for (const underlying of [ETH, BTC, 2] as const) {
        if (underlying !== stale) await f.setPrice(underlying, ["1889", "30000", "1"][underlying]!);
      }
      const time = BigInt(await f.networkHelpers.time.latest());
      const house = await readHouse(f, time);
      expect(house.prices.has(stale)).to.equal(false);
      const plan = await expectPlanned(f, alice);
      expect(plan.fraction > 0n && plan.needed === plan.fraction).to.equal(true);
      expect(plan.collaterals.map((c) => c.id)).to.deep.equal(stale === 2 ? [WETH] : [WETH, USDT]);
      expect(plan.legs.find((leg) => leg.market === BTC)?.size === 0n).to.equal(stale === BTC);
    });
  }
});
