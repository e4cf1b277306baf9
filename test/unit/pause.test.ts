import { expect } from "chai";

import { freshHouse, wad } from "../helpers/fixture.ts";
import { call, deal, main, refused, usdc } from "../helpers/unit.ts";

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
});
