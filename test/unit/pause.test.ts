import { expect } from "chai";

import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import { call, deal, main, positionOf, refused, sign, usdc } from "../helpers/unit.ts";

const DAY = 86_400;

describe("pause of new risk", () => {
  it("MM-5 refuses by name what opens or borrows, tells until when, and waits before the next one", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    await h.fund(h.alice, { cash: "50000" });
    await h.fund(h.bob, { cash: "50000" });
    await refused(h, () => ch.endPause(), "NotPaused", []);
    const start = (await h.networkHelpers.time.latest()) + 60;
    await h.networkHelpers.time.setNextBlockTimestamp(start);
    await expect(ch.pauseNewRisk())
      .to.emit(ch, "NewRiskPauseSet")
      .withArgs(BigInt(start + 3 * DAY));
    expect(await ch.pausedUntil()).to.equal(BigInt(start + 3 * DAY));
    await refused(h, () => ch.pauseNewRisk(), "PauseTooEarly", [BigInt(start + 10 * DAY)]);
    const open = () => deal(h, [h.alice, h.bob], "1", "2000");
    await refused(h, open, "NewRiskPaused", [BigInt(start + 3 * DAY)]);
    await expect(ch.endPause()).to.emit(ch, "NewRiskPauseSet");
    await open();
  });

  it("MM-5 holds in a batch too, and only while it lasts", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    await h.fund(h.bob, { cash: "50000" });
    await ch.connect(h.bob).lend(main(h.bob), usdc("20000"));
    await h.fund(h.alice, { weth: "10" });
    await ch.pauseNewRisk();
    const until = await ch.pausedUntil();
    const data = ch.interface.encodeFunctionData("withdraw", [
      main(h.alice),
      await h.usdc.getAddress(),
      usdc("1"),
      h.alice.address,
    ]);
    const borrow = () => ch.connect(h.alice).batch([call(ch, data)]);
    await refused(h, borrow, "NewRiskPaused", [until]);
    await h.networkHelpers.time.increaseTo(until - 1n);
    await h.pass(1);
    await borrow();
    expect((await ch.loans(main(h.alice))).debt).to.be.within(wad("1"), wad("1.000001"));
  });

  it("MM-5 lets a stop-loss through whose execution fee has to be borrowed: it is a reduction", async () => {
    const h = await freshHouse();
    const id = main(h.alice);
    await h.fund(h.alice, { weth: "20" });
    for (const owner of [h.bob, h.carol]) await h.fund(owner, { cash: "100000" });
    await h.clearingHouse.connect(h.bob).lend(main(h.bob), usdc("50000"));
    await deal(h, [h.alice, h.bob], "-10", "2000"); // long 10 as the maker, without a fee
    await h.clearingHouse.pauseNewRisk();
    await h.setPrice(ETH, "1900");
    const bid = await sign(h, { owner: h.carol, size: "10", price: "1895", resting: true });
    const conditions = { triggerBelow: wad("1950"), reduceOnly: true, executionFee: wad("10") };
    const stop = await sign(h, { owner: h.alice, size: "-10", price: "1850", ...conditions });
    await h.exchange.connect(h.keeper).settleForFee([bid, stop], [{ maker: 0, taker: 1 }], main(h.keeper));
    expect((await positionOf(h, id, ETH)).size).to.equal(0n);
    // 10 · 105, 0.05 % of 18,950 and the fee of 10
    expect((await h.clearingHouse.loans(id)).debt).to.be.within(wad("1069.475"), wad("1069.475") + 10n);
  });
});
