import { expect } from "chai";

import { isolatedAccountId } from "../../src/sdk/accountId.ts";
import { maximumLoss, Plimsoll } from "../../src/sdk/client.ts";
import { ContractError } from "../../src/sdk/errors.ts";
import { BTC, ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { ANY_TERMS, cashOf, deal, equityOf, main, marketOf, positionOf, refused, sign, usdc } from "../helpers/unit.ts";

/**
 * Alice is long (`size` > 0) or short ETH from 2,000 in an isolated account of 1,000; her main account holds 2,000, 1 WETH and
 * 0.1 BTC. Bob is on the other side of both, Dave of nothing.
 */
async function isolated(size: string): Promise<Fixture & { id: bigint }> {
  const h = await freshHouse();
  const id = isolatedAccountId(h.alice.address, ETH);
  await h.fund(h.alice, { cash: "2000", weth: "1" });
  await h.fund(h.alice, { cash: "1000" }, id);
  for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "1000000" });
  await h.fund(h.dave, { cash: "500", weth: "2" });
  await deal(h, [h.bob, h.alice], "0.1", "30000", { market: BTC });
  await deal(h, [h.bob, h.alice], size, "2000", { taker: { account: id } });
  return { ...h, id };
}

/** All that an account has, but for the value of its WETH: its words, positions and balances. */
async function holdings(h: Fixture, id: bigint): Promise<unknown> {
  const ch = h.clearingHouse;
  const positions = await Promise.all([ETH, BTC].map((market) => positionOf(h, id, market)));
  return [await ch.account(id), positions, await ch.collateralBalance(id, WETH), (await ch.loans(id)).shares];
}

/** Bob's resting order and Alice's taking one for `size` in an account of hers. */
async function deals(h: Fixture, size: string, account: bigint, price = "2000") {
  const opposite = size.startsWith("-") ? size.slice(1) : `-${size}`;
  return [
    await sign(h, { owner: h.bob, size: opposite, price, resting: true }),
    await sign(h, { owner: h.alice, size, price, account }),
  ];
}

describe("isolated account", () => {
  for (const { size, price, deficit } of [
    { size: "5", price: "1", deficit: "9000" }, // the lowest price that its feed may say: 995 − 5 · 1,999
    { size: "5", price: "1500", deficit: "1505" },
    { size: "-5", price: "2500", deficit: "1505" },
    { size: "-5", price: "20000", deficit: "89005" }, // 995 − 5 · 18,000
  ]) {
    it(`ISO-1 ISO-3 CRE-3 ${size} ETH and a gap to ${price}: the waterfall bears ${deficit}, the owner's other accounts nothing`, async () => {
      const h = await isolated(size);
      await h.setPrice(ETH, price);
      expect(await equityOf(h, h.id)).to.equal(-wad(deficit));
      const others = [main(h.alice), main(h.dave)];
      const state = () =>
        Promise.all(others.map(async (id) => [await holdings(h, id), await h.clearingHouse.assess(id)]));
      const before = await state();
      await expect(h.clearingHouse.connect(h.carol).liquidate(h.id, main(h.carol), ANY_TERMS)).to.emit(
        h.clearingHouse,
        "DeficitAbsorbed",
      );
      expect(await state()).to.deep.equal(before);
      // No fund: β/4 of the mark on the 5 ETH of the other side, the rest is bad debt.
      const { loss } = await marketOf(h, ETH);
      expect(loss.badDebt).to.equal(wad(deficit) - (5n * wad(price)) / 400n);
      expect(await h.clearingHouse.account(h.id)).to.deep.equal([0n, 0n, 0n, 0n]);
      expect(await equityOf(h, h.id)).to.equal(0n);
    });
  }

  it("ISO-2 margin goes in at any time and out down to IM, profit only once it is paid in, and nothing out below IM", async () => {
    const h = await isolated("5"); // E = 995, IM = φ · 300.04 = 500.06666676668
    const house = h.clearingHouse.connect(h.alice);
    const out = (amount: string) => () => house.transfer(h.id, main(h.alice), h.usdc, usdc(amount));
    await refused(h, out("494.933334"), "InsufficientMargin");
    const copy = await h.networkHelpers.takeSnapshot();
    await out("494.933333")();
    await copy.restore();
    // + 500 at 2,100, IM = φ · (315 + 0.0441) = 525.07: of 1,495 only the 1,000 of cash count until Bob has paid
    await h.setPrice(ETH, "2100");
    await refused(h, out("475"), "InsufficientMargin");
    await h.clearingHouse.settle(ETH, [main(h.bob), h.id]);
    await refused(h, out("970"), "InsufficientMargin");
    await out("969")();
    // E = 526 + 500 − 750 = 276 is below MM = 5 · 1,950 · 3 % + 0.038
    await h.setPrice(ETH, "1950");
    await house.transfer(main(h.alice), h.id, h.usdc, usdc("500"));
    expect(await h.clearingHouse.marginState(h.id)).to.equal(2n);
    await refused(h, out("1"), "InsufficientMargin");
    await house.transfer(main(h.alice), h.id, h.usdc, usdc("300"));
    expect(await h.clearingHouse.marginState(h.id)).to.equal(0n);
  });

  it("CM-2 ISO-4 a position goes over to the main account by a trade with oneself, if both can carry what they then hold", async () => {
    const h = await isolated("5");
    const phi = (amount: string) => (wad(amount) * 1_666_666_667n) / 10n ** 9n;
    const over = (size: string) => () =>
      deal(h, [h.alice, h.alice], size, "2000", { maker: { account: h.id }, taker: { account: main(h.alice) } });
    // The isolated account would be short 20: φ · (40,000 · 3 % + 40,000 · 2 % · 40,000/50,000,000) on 995.
    await refused(h, over("25"), "InsufficientMargin", [h.id, wad("995"), phi("1200.64")]);
    // The main account, with 300 of cash, would be long 5 and 0.1 BTC: φ · (300.04 + 90.0018) on 300 less fees of 1.5 and 5.
    const house = h.clearingHouse.connect(h.alice);
    await house.withdraw(main(h.alice), h.weth, wad("1"), h.alice);
    await house.withdraw(main(h.alice), h.usdc, usdc("1700"), h.alice);
    await refused(h, over("5"), "InsufficientMargin", [main(h.alice), wad("293.5"), phi("390.0418")]);
    await h.fund(h.alice, { cash: "1000" });
    await over("3")();
    expect((await positionOf(h, h.id, ETH)).size).to.equal(wad("2"));
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("3"));
    await over("2")();
    expect((await positionOf(h, h.id, ETH)).size).to.equal(0n);
    // What is left there is hers again.
    expect(await cashOf(h, h.id)).to.equal(wad("995"));
    await house.transfer(h.id, main(h.alice), h.usdc, usdc("995"));
    expect(await equityOf(h, h.id)).to.equal(0n);
  });

  for (const price of ["1", "20000"]) {
    it(`ISO-5 ISO-6 opened in one transaction, it loses its margin and no more at ${price}: the number that was shown`, async () => {
      const h = await freshHouse();
      const id = isolatedAccountId(h.alice.address, ETH);
      await h.fund(h.alice, { cash: "3000", weth: "1" });
      for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "1000000" });
      const client = await Plimsoll.connect(h.addressBook, h.alice);
      const long = price === "1";
      const orders = await deals(h, long ? "5" : "-5", id);
      const main_ = () => holdings(h, main(h.alice));
      await client.openIsolated(id, "1000", orders, [{ maker: 0, taker: 1 }]);
      const before = await main_();
      expect(await cashOf(h, main(h.alice))).to.equal(wad("2000"));
      // 1,000 of margin less the fee of 5 · 2,000 · 0.05 %
      expect(maximumLoss(await client.view(id))).to.equal(wad("995"));
      await h.setPrice(ETH, price);
      await h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
      expect(await equityOf(h, id)).to.equal(0n);
      expect(await main_()).to.deep.equal(before);
    });
  }

  it("ISO-5 opens whole or not at all, and closes in one transaction with what is left going home", async () => {
    const h = await freshHouse();
    const id = isolatedAccountId(h.alice.address, ETH);
    await h.fund(h.alice, { cash: "3000" });
    await h.fund(h.bob, { cash: "1000000" });
    const client = await Plimsoll.connect(h.addressBook, h.alice);
    const match = [{ maker: 0, taker: 1 }];
    const thin = await client.openIsolated(id, "500", await deals(h, "5", id), match).catch((e: unknown) => e);
    expect(thin).to.be.instanceOf(ContractError).with.property("name", "InsufficientMargin");
    expect(await cashOf(h, main(h.alice))).to.equal(wad("3000"));
    await client.openIsolated(id, "1000", await deals(h, "5", id), match);
    await h.setPrice(ETH, "2010");
    await client.closeIsolated(id, await deals(h, "-5", id, "2010"), match);
    // 3,000 + 5 · 10 − 0.05 % of 10,000 and of 10,050
    expect(await cashOf(h, main(h.alice))).to.equal(wad("3039.975"));
    expect(await h.clearingHouse.account(id)).to.deep.equal([0n, 0n, 0n, 0n]);
  });
});
