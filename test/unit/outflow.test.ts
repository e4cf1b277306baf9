import { expect } from "chai";

import { accountId } from "../../src/sdk/accountId.ts";
import { freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { call, cashOf, deal, main, refused, usdc } from "../helpers/unit.ts";

const DAY = 86_400;

/** Alice has 5,000 of cash and 10 WETH, Bob 5,000 of cash; from now on at most 1,000 USDC and 2 WETH net may leave. */
async function house() {
  const h = await freshHouse();
  for (const token of [h.usdc, h.weth]) await h.clearingHouse.setOutflowCap(token, 0n);
  await h.fund(h.alice, { cash: "5000", weth: "10" });
  await h.fund(h.bob, { cash: "5000" });
  await h.clearingHouse.setOutflowCap(h.usdc, 1_000n);
  await h.clearingHouse.setOutflowCap(h.weth, 2n);
  return { ...h, token: await h.usdc.getAddress() };
}

type House = Awaited<ReturnType<typeof house>>;

const out =
  (h: House, who: House["alice"], amount: string, id = main(who)) =>
  () =>
    h.clearingHouse.connect(who).withdraw(id, h.usdc, usdc(amount), who);

/** Calls of one block: withdrawals (positive) and deposits of USDC in Alice's main account. */
async function flows(h: House, ...amounts: string[]) {
  await h.usdc.mint(h.alice, usdc("100000"));
  await h.usdc.connect(h.alice).approve(h.vault, usdc("100000"));
  const { interface: i } = h.clearingHouse;
  const id = main(h.alice);
  const calls = amounts.map((amount) =>
    amount.startsWith("-")
      ? call(h.clearingHouse, i.encodeFunctionData("deposit", [id, h.token, usdc(amount.slice(1))]))
      : call(h.clearingHouse, i.encodeFunctionData("withdraw", [id, h.token, usdc(amount), h.alice.address])),
  );
  return () => h.clearingHouse.connect(h.alice).batch(calls);
}

const levelOf = async (h: Fixture) => (await h.clearingHouse.outflow(h.usdc)).level;

describe("outflow", () => {
  it("OR-4 AUTH-5 MAS-3 no more than the cap leaves at once, net of what comes in", async () => {
    const h = await house();
    await refused(h, await flows(h, "600", "400.000001"), "OutflowLimited", [h.token, wad("400"), wad("400.000001")]);
    await (
      await flows(h, "600", "400")
    )();
    expect((await h.clearingHouse.outflow(h.usdc)).cap).to.equal(wad("1000"));
    await refused(h, out(h, h.bob, "1"), "OutflowLimited");
    // Each token has a limit of its own.
    await h.clearingHouse.connect(h.alice).withdraw(main(h.alice), h.weth, wad("2"), h.alice);
    const more = () => h.clearingHouse.connect(h.alice).withdraw(main(h.alice), h.weth, wad("1"), h.alice);
    await refused(h, more, "OutflowLimited");
    // What comes in makes room again, for anybody.
    await h.fund(h.alice, { cash: "300" });
    await out(h, h.bob, "300")();
  });

  it("AUTH-5 ATTACK-27 going in and out uses nothing up, whoever does it and however large", async () => {
    const h = await house();
    await (
      await flows(h, "700")
    )();
    for (let i = 0; i < 5; ++i) await (await flows(h, "-9000", "9000", "-0.5", "0.5"))();
    const level = await levelOf(h);
    // 700 a few dozen seconds later: between e^(-100/86400) and 1 of it
    expect(level).to.be.within(wad("699"), wad("700"));
    await out(h, h.bob, "300")();
  });

  it("OR-4 AUTH-5 decays e-fold in 24 hours, however often it is looked at", async () => {
    const h = await house();
    await (
      await flows(h, "1000")
    )();
    const start = await h.networkHelpers.time.latest();
    for (let i = 1; i <= 4; ++i) {
      await h.networkHelpers.time.setNextBlockTimestamp(start + (i * DAY) / 4);
      await h.fund(h.keeper, {});
      await h.clearingHouse.setOutflowCap(h.usdc, 1_000n);
    }
    // 1,000 · e^(-1) = 367.879441171442321595…, up to a few roundings up of one wei and of the exponential
    expect((await levelOf(h)) - 367_879_441_171_442_321_596n).to.be.within(-1_000n, 1_000n);
    expect(await h.networkHelpers.time.latest()).to.equal(start + DAY);
  });

  it("FSA-5 a flat account that has announced its exit waits for 24 hours, and no longer", async () => {
    const h = await house();
    const [ch, id] = [h.clearingHouse.connect(h.alice), main(h.alice)];
    const leave = out(h, h.alice, "5000");
    await refused(h, leave, "OutflowLimited", [h.token, wad("1000"), wad("5000")]);
    const foreign = () => h.clearingHouse.connect(h.bob).requestExit(id);
    await refused(h, foreign, "NotOwner", [id, h.bob.address]);
    await ch.requestExit(id);
    const from = (await h.networkHelpers.time.latest()) + DAY;
    expect(await ch.exitRequest(id)).to.deep.equal([wad("5000"), from, from + DAY]);
    await h.networkHelpers.time.increaseTo(from - 2);
    await refused(h, leave, "OutflowLimited");
    const ripe = await h.networkHelpers.takeSnapshot();
    await h.networkHelpers.time.setNextBlockTimestamp(from);
    await leave();
    await ch.withdraw(id, h.weth, wad("10"), h.alice);
    // It counts: others have no room until it has decayed.
    await refused(h, out(h, h.bob, "1"), "OutflowLimited", [h.token, 0n, wad("1")]);
    await ripe.restore();
    await h.networkHelpers.time.setNextBlockTimestamp(from + DAY);
    await leave();
    await ripe.restore();
    await h.networkHelpers.time.increaseTo(from + DAY);
    await refused(h, leave, "OutflowLimited", [h.token, wad("1000"), wad("5000")]);
  });

  it("FSA-5 ATTACK-27 it covers the cash of its request only, lent cash included, and each unit once", async () => {
    const h = await house();
    const [ch, id, second] = [h.clearingHouse.connect(h.alice), main(h.alice), accountId(h.alice.address, 1n)];
    await ch.lend(id, usdc("1500"));
    await ch.requestExit(id);
    await out(h, h.alice, "500")();
    await ch.transfer(id, second, h.usdc, usdc("800"));
    await ch.transfer(second, id, h.usdc, usdc("800"));
    await h.fund(h.bob, { cash: "2000" }, id); // anybody can add cash, which voids nothing and is not covered
    await h.pass(DAY);
    // 5,000 − 500 − 800 = 3,700 of the 6,500 that are there
    expect((await ch.exitRequest(id)).cash).to.equal(wad("3700"));
    await refused(h, out(h, h.alice, "5000"), "OutflowLimited");
    await out(h, h.alice, "3700")();
    expect((await ch.exitRequest(id)).cash).to.equal(0n);
    await refused(h, out(h, h.alice, "1"), "OutflowLimited");
    expect((await ch.loans(id)).lent + (await cashOf(h, id))).to.be.within(wad("2800"), wad("2800.001"));
  });

  it("FSA-5 collateral that comes in later voids it, and an account that is not flat has none", async () => {
    const h = await house();
    const [ch, id] = [h.clearingHouse.connect(h.alice), main(h.alice)];
    await ch.requestExit(id);
    await h.weth.mint(h.alice, wad("1"));
    await h.weth.connect(h.alice).approve(h.vault, wad("1"));
    await expect(ch.deposit(id, h.weth, wad("1")))
      .to.emit(h.clearingHouse, "ExitVoided")
      .withArgs(id);
    expect(await ch.exitRequest(id)).to.deep.equal([0n, 0n, 0n]);
    await h.pass(DAY);
    const take = () => ch.withdraw(id, h.weth, wad("10"), h.alice);
    await refused(h, take, "OutflowLimited");
    await ch.requestExit(id);
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.pass(DAY);
    await refused(h, take, "OutflowLimited");
    await refused(h, () => ch.requestExit(id), "NotFlat", [id]);
    await deal(h, [h.bob, h.alice], "-1", "2000");
    await take();
  });

  it("ADL-2 the insurance fund makes its stakers wait by itself", async () => {
    const h = await house();
    await h.usdc.mint(h.dave, usdc("5000"));
    await h.usdc.connect(h.dave).approve(h.insuranceFund, usdc("5000"));
    const fund = h.insuranceFund.connect(h.dave);
    await fund.deposit(usdc("5000"), h.dave);
    await fund.requestExit(await fund.balanceOf(h.dave));
    const { availableAt } = await fund.exitRequest(h.dave);
    await h.networkHelpers.time.increaseTo(availableAt);
    await (
      await flows(h, "1000")
    )();
    await fund.redeem(await fund.maxRedeem(h.dave), h.dave, h.dave);
    expect(await h.usdc.balanceOf(h.dave)).to.equal(usdc("5000"));
  });

  it("AUTH-5 knows listed tokens only, and zero is no limit", async () => {
    const h = await house();
    await refused(h, () => h.clearingHouse.setOutflowCap(h.alice, 1n), "UnknownAsset", [h.alice.address]);
    await expect(h.clearingHouse.setOutflowCap(h.usdc, 0n))
      .to.emit(h.clearingHouse, "OutflowCapSet")
      .withArgs(h.token, 0n);
    await out(h, h.alice, "5000")();
    expect(await levelOf(h)).to.equal(0n);
  });
});
