import { expect } from "chai";

import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { ANY_TERMS, call, cashOf, deal, equityOf, main, positionOf, refused, usdc } from "../helpers/unit.ts";

/**
 * The rows of the health table. Alice holds 1,000 of cash and is long 5 ETH from 2,000, fee 5, so with a price P:
 * E = 995 + 5 · (P − 2,000); MM is 3 % and IM 5 % of 5P, and a little for size.
 */
const STATES = [
  { name: "healthy", price: "2000", state: 0n }, // E = 995, MM = 300.04, IM = 500.07
  { name: "margin call", price: "1880", state: 1n }, // E = 395, MM = 282.04, IM = 470.06
  { name: "liquidatable", price: "1850", state: 2n }, // E = 245, MM = 277.53, IM = 462.56
  { name: "bankrupt", price: "1700", state: 3n }, // E = −505
] as const;

async function inState(price: string): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "1000" });
  await h.fund(h.bob, { cash: "100000" });
  await h.fund(h.carol, { cash: "100000" });
  await deal(h, [h.bob, h.alice], "5", "2000");
  await h.setPrice(ETH, price);
  return h;
}

describe("health", () => {
  for (const { name, price, state } of STATES) {
    it(`MAM-2 MAM-3 MAS-3 ${name}: what is allowed and what is refused`, async () => {
      const h = await inState(price);
      const id = main(h.alice);
      const ch = h.clearingHouse;
      const healthy = state === 0n;
      const solvent = state !== 3n;
      expect(await ch.marginState(id)).to.equal(state);

      /** Tries an action on a copy of the state and expects it to pass, or to be refused with this error. */
      const tries = async (action: () => Promise<unknown>, allowed: boolean, error = "InsufficientMargin") => {
        const copy = await h.networkHelpers.takeSnapshot();
        if (allowed) await action();
        else await refused(h, action, error);
        await copy.restore();
      };
      const fill =
        (size: string, at = price) =>
        () =>
          deal(h, [h.bob, h.alice], size, at);

      // Cash comes in, in every state, from anybody.
      await tries(() => h.fund(h.carol, { cash: "10" }, id), true);
      // A cost-bearing reduction is accepted below IM, and nothing that opens, here or in another market.
      await tries(fill("-1"), solvent);
      await tries(fill("1"), healthy);
      await tries(() => deal(h, [h.bob, h.alice], "0.01", "30000", { market: BTC }), healthy);
      // What turns the position is no reduction, as large as it was before.
      await tries(fill("-10"), healthy);
      // Nothing leaves below IM: the loss stays covered, or the margin is short.
      const out = () => ch.connect(h.alice).withdraw(id, h.usdc, usdc("1"), h.alice);
      const away = () => ch.connect(h.alice).transfer(id, id + 1n, h.usdc, usdc("1"));
      const outError = solvent ? "InsufficientMargin" : "UnsettledLoss";
      await tries(out, healthy, outError);
      await tries(away, healthy, outError);
      await tries(() => ch.connect(h.alice).lend(id, usdc("1")), healthy, outError);
      // Liquidation exactly below MM.
      const take = () => ch.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
      await tries(take, state >= 2n, "NotLiquidatable");
      await tries(() => ch.flag(id), state >= 1n, "NotLiquidatable"); // a margin call says so
      // Settlement is nobody's to refuse.
      await tries(() => ch.settle(ETH, [id]), true);
    });
  }

  it("MAM-3 below IM a reduction may cost no more than it frees: E − IM, E − MM and E/MM must not fall", async () => {
    const h = await inState("1850");
    const id = main(h.alice);
    // 1 ETH at 1,841 instead of 1,850 costs 9 + 0.9205 of fee; it frees 3 % of 1,850 = 55 of MM and 92 of IM, and E/MM rises:
    // (245 − 9.9205) / (4/5 · 277.53) > 245 / 277.53
    await deal(h, [h.bob, h.alice], "-1", "1841");
    expect((await positionOf(h, id, ETH)).size).to.equal(wad("4"));
    expect(await equityOf(h, id)).to.equal(wad("245") - wad("9") - wad("0.9205"));
    // Close to E = 0 the same price would eat what is left: E = 995 − 985 = 10 at 1,803; 5 · (9 + 0.897) is more than that.
    const poor = await inState("1803");
    const sell = () => deal(poor, [poor.bob, poor.alice], "-5", "1794");
    await refused(poor, sell, "InsufficientMargin");
    // One ETH of five: (10 − 9.897) / (4/5 MM) < 10 / MM
    const one = () => deal(poor, [poor.bob, poor.alice], "-1", "1794");
    await refused(poor, one, "InsufficientMargin");
    await deal(poor, [poor.bob, poor.alice], "-1", "1803");
  });

  it("MAM-3 below IM collateral leaves only against its value in cash, in one batch", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "10", weth: "1" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "4", "2000"); // fee 4
    await h.setPrice(ETH, "1700");
    // E = 10 + 1,700 − 1,200 − 4 = 506; x = 5 ETH: MM = 8,500 · 3 % + 0.0289 + 1,700 · 7 % = 374.0289; IM = 425.05 + 170
    const id = main(h.alice);
    expect(await h.clearingHouse.marginState(id)).to.equal(1n);
    const ch = h.clearingHouse.connect(h.alice);
    const out = (amount: string) =>
      call(
        h.clearingHouse,
        ch.interface.encodeFunctionData("withdraw", [
          id,
          h.addressBook.collaterals[0]!.token,
          wad(amount),
          h.alice.address,
        ]),
      );
    const cash = (amount: string) =>
      call(h.clearingHouse, ch.interface.encodeFunctionData("deposit", [id, h.addressBook.cash.token, usdc(amount)]));
    await h.usdc.mint(h.alice, usdc("1000"));
    await h.usdc.connect(h.alice).approve(h.vault, usdc("1000"));
    await refused(h, () => ch.withdraw(id, h.weth, wad("0.1"), h.alice), "InsufficientMargin");
    await refused(h, () => ch.batch([out("0.1")]), "InsufficientMargin");
    // A tenth of a WETH is worth 170; with it gone IM = 416.55 + 153, still more than E.
    await refused(h, () => ch.batch([out("0.1"), cash("169.999999")]), "InsufficientMargin");
    await ch.batch([out("0.1"), cash("170")]);
    expect(await equityOf(h, id)).to.equal(wad("506"));
    expect(await h.weth.balanceOf(h.alice)).to.equal(wad("0.1"));
    expect(await h.clearingHouse.marginState(id)).to.equal(1n);
  });

  it("MAS-3 flat accounts leave without any price, whatever they are owed", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "1000", weth: "1", wbtc: "0.1" });
    await h.fund(h.bob, { cash: "1000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "2100");
    await deal(h, [h.bob, h.alice], "-1", "2100");
    for (const feed of h.feeds) await feed.updateAnswer(0n);
    const ch = h.clearingHouse.connect(h.alice);
    const id = main(h.alice);
    await ch.withdraw(id, h.weth, wad("1"), h.alice);
    await ch.transfer(id, id + 1n, h.wbtc, 10_000_000n);
    await ch.withdraw(id + 1n, h.wbtc, 10_000_000n, h.alice);
    await ch.withdraw(id, h.usdc, usdc("1097.95"), h.alice); // + 100 − fees 1 and 1.05
    expect(await h.clearingHouse.account(id)).to.deep.equal([0n, 0n, 0n, 0n]);
    // In a batch too, and one who is not flat does not.
    const batch = call(
      ch,
      ch.interface.encodeFunctionData("withdraw", [main(h.bob), h.addressBook.cash.token, usdc("900"), h.bob.address]),
    );
    await h.clearingHouse.connect(h.bob).batch([batch]);
    expect(await h.usdc.balanceOf(h.bob)).to.equal(usdc("900"));
  });

  it("CM-1 unbacked profit opens positions up to what closing would free, and never leaves", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "150" });
    await h.fund(h.bob, { cash: "0.1", weth: "20" }); // Bob cannot pay in cash
    await h.fund(h.carol, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "2500");
    const id = main(h.alice);
    const ch = h.clearingHouse.connect(h.alice);
    // E = 149 + 500, of which 499 are unbacked; IM of 1 ETH = 125.004; cash alone is 150.
    await refused(h, () => ch.withdraw(id, h.usdc, usdc("25"), h.alice), "InsufficientMargin");
    // 3 ETH need 375.04 of IM: cash 150 − fee 2.5 and of the profit all that there is, 499 − 2.5, but at most the IM of the
    // position itself; so that is enough.
    await deal(h, [h.carol, h.alice], "2", "2500");
    expect((await positionOf(h, id, ETH)).size).to.equal(wad("3"));
    // BTC cannot be opened on it: profit of ETH counts only as far as closing ETH would free margin.
    const other = () => deal(h, [h.carol, h.alice], "0.2", "30000", { market: BTC });
    await refused(h, other, "InsufficientMargin");
    expect(await cashOf(h, id)).to.equal(wad("150"));
  });

  it("MMS-3 a taker in a batch may fund himself at its end; a broken promise reverts everything", async () => {
    const h = await inState("1850");
    const id = main(h.alice);
    const ch = h.clearingHouse.connect(h.dave);
    await h.usdc.mint(h.dave, usdc("1000"));
    await h.usdc.connect(h.dave).approve(h.vault, usdc("1000"));
    const take = call(ch, ch.interface.encodeFunctionData("liquidate", [id, main(h.dave), ANY_TERMS]));
    const cash = call(
      ch,
      ch.interface.encodeFunctionData("deposit", [main(h.dave), h.addressBook.cash.token, usdc("1000")]),
    );
    await refused(h, () => ch.batch([take]), "InsufficientMargin");
    await ch.batch([take, cash]);
    expect(await cashOf(h, main(h.dave))).to.be.greaterThan(wad("1000"));
  });
});
