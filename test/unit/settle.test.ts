import { expect } from "chai";

import { accountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { ANY_TERMS, cashOf, deal, main, marketOf, positionOf, refused, usdc } from "../helpers/unit.ts";

/** Alice is long 1 ETH from 2,000 and has paid a fee of 1, Bob is short. */
async function traded(alice: string, bob: string, size = "1"): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: alice });
  await h.fund(h.bob, { cash: bob });
  await deal(h, [h.bob, h.alice], size, "2000");
  return h;
}

describe("settle", () => {
  it("FSA-5 moves losses from cash into the pool and profits out of it, for anybody, once", async () => {
    const h = await traded("1000", "1000");
    await h.setPrice(ETH, "2100");
    const settle = (...who: Fixture["alice"][]) => h.clearingHouse.connect(h.keeper).settle(ETH, who.map(main));
    // The pool is empty: a winner gets nothing until the loser has paid his 100.
    await settle(h.alice);
    expect(await cashOf(h, main(h.alice))).to.equal(wad("1000"));
    const tx = settle(h.bob, h.alice);
    await expect(tx).to.emit(h.clearingHouse, "Settled").withArgs(main(h.bob), ETH, wad("-100"));
    await expect(tx).to.emit(h.clearingHouse, "Settled").withArgs(main(h.alice), ETH, wad("99"));
    expect(await cashOf(h, main(h.alice))).to.equal(wad("1099"));
    expect(await cashOf(h, main(h.bob))).to.equal(wad("900"));
    expect(await positionOf(h, main(h.alice), ETH)).to.deep.equal({ size: wad("1"), quote: wad("-2100") });
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("1")); // what the fee claims
    await settle(h.bob, h.alice, h.carol);
    expect(await cashOf(h, main(h.alice))).to.equal(wad("1099"));
  });

  it("refuses unknown markets everywhere", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    for (const call of [
      () => ch.settle(2, [main(h.alice)]),
      () => ch.accrueFunding(2),
      () => ch.sweepFees(2),
      () => ch.settle(2n ** 256n - 1n, []),
    ]) {
      await refused(h, call, "UnknownMarket");
    }
  });

  it("spreads cash that does not cover all losses over the markets, whatever is settled first", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "1000", weth: "10" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "-5", "2000"); // fee 5
    await deal(h, [h.bob, h.alice], "0.5", "30000", { market: BTC }); // fee 7.5
    await h.setPrice(ETH, "2300");
    await h.setPrice(BTC, "27015");
    // ETH −1,505, BTC −1,500: of 1,000 the first gets 1,000 · 1,505/3,005, rounded up, and the second the rest
    await h.clearingHouse.settle(BTC, [main(h.alice)]);
    const first = (wad("1000") * 1505n + 3004n) / 3005n;
    expect((await marketOf(h, ETH)).pool.cash).to.be.closeTo(first, 1n);
    expect((await marketOf(h, BTC)).pool.cash).to.be.closeTo(wad("1000") - first, 1n);
    expect(await cashOf(h, main(h.alice))).to.equal(0n);
  });

  it("FSA-5 holds back what flags have recorded as deficit", async () => {
    const h = await traded("150", "10000");
    await h.fund(h.carol, { cash: "10000" });
    await deal(h, [h.bob, h.carol], "1", "2000");
    await h.setPrice(ETH, "1551");
    // Alice: 150 − 1 − 449 = −300, flagged; Carol pays 450, of which 300 stay.
    await h.clearingHouse.flag(main(h.alice));
    await h.clearingHouse.settle(ETH, [main(h.carol), main(h.bob)]);
    expect(await cashOf(h, main(h.bob))).to.equal(wad("10150"));
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("300"));
  });

  it("OR-3 settles what has a price: an account's other market without one does not shield it", async () => {
    const h = await traded("1000", "1000");
    await deal(h, [h.bob, h.alice], "0.01", "30000", { market: BTC });
    await h.fund(h.carol, { cash: "1000" });
    await deal(h, [h.bob, h.carol], "0.1", "2000");
    await h.setPrice(ETH, "1990");
    await h.feeds[BTC].updateAnswer(0n);
    await h.clearingHouse.settle(ETH, [main(h.alice), main(h.carol)]);
    expect(await cashOf(h, main(h.alice))).to.equal(wad("989")); // 1 · 10 + fee 1
    expect(await cashOf(h, main(h.carol))).to.equal(wad("998.9")); // 0.1 · 10 + fee 0.1
  });
});

describe("claim", () => {
  /** Alice lost 1,505 on 1,000 of cash, Carol took her 5 ETH at 1,700: 0.25 % of it on 5 ETH is the shorts' 21.25: bad debt 483.75, pool 1,000. */
  async function withBadDebt(): Promise<Fixture> {
    const h = await traded("1000", "100000", "5");
    await h.fund(h.carol, { cash: "100000" });
    await h.setPrice(ETH, "1700");
    await h.clearingHouse.connect(h.carol).liquidate(main(h.alice), main(h.carol), ANY_TERMS);
    const { pool, loss } = await marketOf(h, ETH);
    expect([pool.cash, loss.badDebt]).to.deep.equal([wad("1000"), wad("483.75")]);
    return h;
  }

  it("ADL-3 while bad debt stands pays s = pool / (pool + bad debt), at the winner's own request only", async () => {
    const h = await withBadDebt();
    const id = main(h.bob); // + 1,500 − 21.25
    await h.clearingHouse.settle(ETH, [id]);
    expect(await cashOf(h, id)).to.equal(wad("100000"));
    // 741.875 · 1,000 / 1,483.75 = 500; the other 241.875 come off the bad debt
    await expect(h.clearingHouse.connect(h.bob).claim(id, ETH, wad("741.875")))
      .to.emit(h.clearingHouse, "Claimed")
      .withArgs(id, ETH, wad("741.875"), wad("500"));
    expect(await cashOf(h, id)).to.equal(wad("100500"));
    expect(await h.clearingHouse.positionPnl(id, ETH)).to.equal(wad("736.875"));
    const { pool, loss } = await marketOf(h, ETH);
    expect([pool.cash, loss.badDebt]).to.deep.equal([wad("500"), wad("241.875")]);
  });

  it("refuses strangers, nothing, and more than the profit; without bad debt it pays like settle", async () => {
    const h = await withBadDebt();
    const id = main(h.bob);
    const claim = (amount: bigint) => () => h.clearingHouse.connect(h.bob).claim(id, ETH, amount);
    const theft = () => h.clearingHouse.connect(h.alice).claim(id, ETH, 1n);
    await refused(h, theft, "NotOwner", [id, h.alice.address]);
    await refused(h, claim(0n), "NothingToClaim", [id, ETH, 0n, wad("1478.75")]);
    await refused(h, claim(wad("1478.75") + 1n), "NothingToClaim", [id, ETH, wad("1478.75") + 1n, wad("1478.75")]);
    const loser = () => h.clearingHouse.connect(h.alice).claim(main(h.alice), ETH, 1n);
    await refused(h, loser, "NothingToClaim", [main(h.alice), ETH, 1n, 0n]);
    const fresh = await traded("1000", "1000");
    await fresh.setPrice(ETH, "2100");
    await fresh.clearingHouse.settle(ETH, [main(fresh.bob)]);
    await fresh.clearingHouse.connect(fresh.alice).claim(main(fresh.alice), ETH, wad("40"));
    expect(await cashOf(fresh, main(fresh.alice))).to.equal(wad("1040"));
  });

  it("fees cancel bad debt before anybody is paid from them", async () => {
    const h = await withBadDebt();
    await expect(h.clearingHouse.sweepFees(ETH)).to.emit(h.clearingHouse, "FeesSwept").withArgs(ETH, 0n, 0n, wad("5"));
    expect((await marketOf(h, ETH)).loss.badDebt).to.equal(wad("478.75"));
    expect((await marketOf(h, ETH)).rate.fees).to.equal(0n);
  });
});

describe("sweepFees", () => {
  it("SEG-2 pays fees once the pool holds them: half to the fund, half to the treasury", async () => {
    const h = await traded("1000", "1000");
    await expect(h.clearingHouse.sweepFees(ETH)).to.emit(h.clearingHouse, "FeesSwept").withArgs(ETH, 0n, 0n, 0n);
    await h.setPrice(ETH, "1990");
    await h.clearingHouse.settle(ETH, [main(h.alice)]);
    await expect(h.clearingHouse.connect(h.keeper).sweepFees(ETH))
      .to.emit(h.clearingHouse, "FeesSwept")
      .withArgs(ETH, wad("0.5"), wad("0.5"), 0n);
    expect(await cashOf(h, await h.insuranceFund.account())).to.equal(wad("0.5"));
    expect(await cashOf(h, accountId(h.deployer.address))).to.equal(wad("0.5"));
    // Nobody else's cash has paid for it, and no more than its own leaves the treasury.
    expect(await cashOf(h, main(h.alice))).to.equal(wad("989"));
    expect(await cashOf(h, main(h.bob))).to.equal(wad("1000"));
    const out = (units: bigint) => () => h.clearingHouse.withdraw(main(h.deployer), h.usdc, units, h.deployer);
    await refused(h, out(usdc("0.5") + 1n), "InsufficientCash", [main(h.deployer), wad("0.5"), wad("0.500001")]);
    // What came in as cash is there as tokens: MAS-1
    expect(await h.usdc.balanceOf(h.vault)).to.equal(usdc("2000"));
    await out(usdc("0.5"))();
    expect(await cashOf(h, main(h.bob))).to.equal(wad("1000"));
  });
});
