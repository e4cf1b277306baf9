import { expect } from "chai";
import { ZeroAddress } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import { signIntent } from "../../src/sdk/intents.ts";
import { freshHouse, wad } from "../helpers/fixture.ts";
import { after, ANY_TERMS, cashOf, deal, main, NEVER, refused, sign, usdc } from "../helpers/unit.ts";

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Alice has 1,000 of cash in her main account. */
async function house() {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "1000" });
  const ch = h.clearingHouse.connect(h.alice);
  const pay = (to: { address: string }) => () => ch.withdraw(main(h.alice), h.usdc, usdc("1"), to.address);
  const now = () => h.networkHelpers.time.latest();
  return { ...h, ch, pay, now };
}

/** The same with Carol as the guardian, an hour's delay, and Bob as a payee of long standing. */
async function guardedHouse() {
  const h = await house();
  await h.ch.allowPayee(h.bob);
  await h.ch.setGuard(h.carol, HOUR, true);
  return h;
}

describe("guard", () => {
  it("MAS-5 restricted, an owner is paid nowhere but at addresses on his list, by intents and keys too", async () => {
    const h = await house();
    await h.pay(h.dave)();
    let time = (await h.now()) + 60;
    await expect(after(h, 60, () => h.ch.setGuard(ZeroAddress, 0, true)))
      .to.emit(h.clearingHouse, "GuardSet")
      .withArgs(h.alice.address, ZeroAddress, 0n, true, time);
    for (const who of [h.alice, h.bob]) {
      await refused(h, h.pay(who), "PayeeNotAllowed", [h.alice.address, who.address, 0n]);
    }
    const token = await h.usdc.getAddress();
    const intent = { name: "Withdraw", account: main(h.alice), token, amount: 1n, to: h.alice.address } as const;
    const terms = { nonce: 1n, deadline: NEVER, epoch: 0n };
    const a = await signIntent(h.alice, h.addressBook, intent, terms);
    const bring = () => h.exchange.withdrawFor(intent.account, intent.token, 1n, h.alice, a);
    await refused(h, bring, "PayeeNotAllowed", [h.alice.address, h.alice.address, 0n]);
    time = (await h.now()) + 60;
    await expect(after(h, 60, () => h.ch.allowPayee(h.bob)))
      .to.emit(h.clearingHouse, "PayeeAllowed")
      .withArgs(h.alice.address, h.bob.address, time);
    await h.pay(h.bob)();
    await refused(h, h.pay(h.alice), "PayeeNotAllowed");
    await refused(h, () => h.ch.allowPayee(h.bob), "AlreadySet", []);
    await refused(h, () => h.ch.allowPayee(ZeroAddress), "ZeroAddress", []);
    // Bob's own guard is his own affair.
    await h.fund(h.bob, { cash: "1" });
    await h.clearingHouse.connect(h.bob).withdraw(main(h.bob), h.usdc, usdc("1"), h.dave);
  });

  it("MAS-5 a new payee waits for the delay", async () => {
    const h = await guardedHouse();
    await h.ch.allowPayee(h.dave);
    const since = (await h.now()) + HOUR;
    expect(await h.ch.payeeSince(h.alice, h.dave)).to.equal(since);
    await h.networkHelpers.time.setNextBlockTimestamp(since - 1);
    await expect(h.pay(h.dave)())
      .to.be.revertedWithCustomError(h.clearingHouse, "PayeeNotAllowed")
      .withArgs(h.alice.address, h.dave.address, since);
    await h.networkHelpers.time.increaseTo(since - 1);
    await h.pay(h.dave)();
    expect(await cashOf(h, main(h.alice))).to.equal(wad("999"));
  });

  for (const [what, guardian, delay, restricted] of [
    ["a shorter delay", "carol", HOUR - 1, true],
    ["no list", "carol", HOUR, false],
    ["another guardian", "dave", HOUR, true],
    ["no guardian", undefined, HOUR, true],
  ] as const) {
    it(`MAS-5 ${what} waits for the delay and can be taken back meanwhile`, async () => {
      const h = await guardedHouse();
      const wanted = guardian === undefined ? ZeroAddress : h[guardian].address;
      const inForce = async () => {
        const [g] = await h.ch.guardOf(h.alice);
        return [g.guardian, g.delay, g.restricted];
      };
      const old = [h.carol.address, BigInt(HOUR), true];
      const ask = () => h.ch.setGuard(wanted, delay, restricted);
      await ask();
      const time = (await h.now()) + HOUR;
      expect((await h.ch.guardOf(h.alice))[1]).to.deep.equal([wanted, BigInt(delay), BigInt(time), restricted]);
      await h.ch.setGuard(h.carol, HOUR, true);
      await h.networkHelpers.time.increase(HOUR);
      expect(await inForce()).to.deep.equal(old);
      await ask();
      await h.networkHelpers.time.increase(HOUR - 1);
      expect(await inForce()).to.deep.equal(old);
      await h.networkHelpers.time.increase(1);
      expect(await inForce()).to.deep.equal([wanted, BigInt(delay), restricted]);
      // What has come into force is what the next change starts from: to tighten needs no time.
      await after(h, 10, () => h.ch.setGuard(wanted, 2 * HOUR, true));
      expect(await inForce()).to.deep.equal([wanted, BigInt(2 * HOUR), true]);
    });
  }

  it("MAS-5 a change that has ripened is not lost when another one is asked for", async () => {
    const h = await guardedHouse();
    await h.ch.setGuard(h.carol, HOUR / 2, true);
    await h.networkHelpers.time.increase(HOUR);
    await h.ch.setGuard(h.carol, 0, false);
    expect((await h.ch.guardOf(h.alice))[0].delay).to.equal(HOUR / 2);
    await h.networkHelpers.time.increase(HOUR / 2);
    expect((await h.ch.guardOf(h.alice))[0].delay).to.equal(0);
    await h.pay(h.dave)();
  });

  it("MAS-5 payees leave the list at once, by the owner's or the guardian's hand, and a delay has a bound", async () => {
    const h = await guardedHouse();
    await h.ch.allowPayee(h.dave);
    const remove = (by: typeof h.alice, payee: typeof h.alice) => () =>
      h.clearingHouse.connect(by).removePayee(h.alice, payee);
    await refused(h, remove(h.bob, h.bob), "NotGuardian", [h.alice.address, h.bob.address]);
    await refused(h, remove(h.carol, h.keeper), "PayeeNotAllowed", [h.alice.address, h.keeper.address, 0n]);
    await expect(remove(h.carol, h.dave)())
      .to.emit(h.clearingHouse, "PayeeRemoved")
      .withArgs(h.alice.address, h.dave.address, h.carol.address);
    await remove(h.alice, h.bob)();
    await refused(h, h.pay(h.bob), "PayeeNotAllowed", [h.alice.address, h.bob.address, 0n]);
    const month = BigInt(30 * DAY);
    const name = "0x" + Buffer.from("delay").toString("hex").padEnd(64, "0");
    await refused(h, () => h.ch.setGuard(h.carol, month + 1n, true), "ParameterOutOfBounds", [
      name,
      month + 1n,
      0n,
      month,
    ]);
    await h.ch.setGuard(h.carol, month, true);
  });
});

describe("lockdown", () => {
  it("AUTH-5 is called by the owner or his guardian, and ends keys, orders and intents", async () => {
    const h = await guardedHouse();
    const order = await sign(h, { owner: h.alice, size: "-1", price: "2000", resting: true });
    const intent = { name: "Lend", account: main(h.alice), amount: usdc("1") } as const;
    const lend = await signIntent(h.alice, h.addressBook, intent, { nonce: 1n, deadline: NEVER, epoch: 0n });
    const stranger = () => h.clearingHouse.connect(h.bob).lockDown(h.alice);
    await refused(h, stranger, "NotGuardian", [h.alice.address, h.bob.address]);
    const lock = h.clearingHouse.connect(h.carol).lockDown(h.alice);
    await expect(lock)
      .to.emit(h.clearingHouse, "LockdownSet")
      .withArgs(h.alice.address, h.carol.address, true)
      .and.to.emit(h.exchange, "AllRevoked")
      .withArgs(h.alice.address, 1n);
    const taking = await sign(h, { owner: h.bob, size: "1", price: "2000" });
    const settle = () => h.exchange.settle([order, taking], [{ maker: 0, taker: 1 }]);
    await refused(h, settle, "OrderEpochMismatch", [0n, 1n], h.exchange);
    await refused(h, () => h.exchange.lendFor(main(h.alice), usdc("1"), lend), "InvalidIntent", undefined, h.exchange);
    // A second call changes nothing but the owner's wish to unlock.
    await h.ch.lockDown(h.alice);
    expect((await h.exchange.ownerState(h.alice)).epoch).to.equal(1n);
    for (const caller of [h.alice, h.carol, h.deployer]) {
      const poke = () => h.exchange.connect(caller).setLockdown(h.alice, false);
      await refused(h, poke, "NotClearingHouse", [caller.address], h.exchange);
    }
  });

  it("AUTH-5 REV-5 leaves deposits, recalling, reduce-only orders and payees of old, and refuses the rest of the ledger", async () => {
    const h = await guardedHouse();
    const id = main(h.alice);
    const [second, token] = [accountId(h.alice.address, 1n), await h.usdc.getAddress()];
    await h.fund(h.bob, { cash: "100000" });
    await h.fund(h.dave, { cash: "11000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await deal(h, [h.bob, h.dave], "100", "2000"); // Dave sinks below
    await h.ch.lend(id, usdc("100"));
    await h.ch.allowPayee(h.dave); // too late
    const good = (await h.now()) + HOUR;
    await h.clearingHouse.connect(h.carol).lockDown(h.alice);
    const since = await h.now();
    await h.networkHelpers.time.increase(2 * HOUR);
    await h.setPrice(0, "1930");

    const trade = (size: string, price: string, reduceOnly: boolean, executionFee = 0n) =>
      deal(h, [h.bob, h.alice], size, price, { taker: { reduceOnly, executionFee } });
    const locked = [h.alice.address, since];
    const refusals: Record<string, [() => Promise<unknown>, string, unknown[]]> = {
      transfer: [() => h.ch.transfer(id, second, token, 1n), "LockedDown", locked],
      lend: [() => h.ch.lend(id, 1n), "LockedDown", locked],
      liquidate: [() => h.ch.liquidate(main(h.dave), id, ANY_TERMS), "LockedDown", locked],
      cashCall: [() => h.ch.cashCall(main(h.dave), id, ANY_TERMS), "LockedDown", locked],
      setGuard: [() => h.ch.setGuard(h.carol, HOUR, true), "LockedDown", locked],
      allowPayee: [() => h.ch.allowPayee(h.keeper), "LockedDown", locked],
      withdraw: [h.pay(h.dave), "PayeeNotAllowed", [h.alice.address, h.dave.address, good]],
    };
    for (const [call, error, args] of Object.values(refusals)) await refused(h, call, error, args);
    const open = () => trade("-0.5", "1930", false);
    const withFee = () => trade("-0.5", "1930", true, 1n);
    for (const order of [open, withFee]) await refused(h, order, "OrderInLockdown", undefined, h.exchange);

    await trade("-0.5", "1930", true);
    await h.fund(h.alice, { cash: "5" });
    await h.ch.recall(id, usdc("50"));
    await h.ch.requestExit(second);
    await h.ch.removePayee(h.alice, h.dave);
    await h.pay(h.bob)();

    // Nothing that an owner can do about his account is missing above.
    const left = [
      "deposit",
      "recall",
      "requestExit",
      "removePayee",
      "lockDown",
      "unlock",
      "claim",
      "batch",
      "trackFlows",
      "setExposureCap",
    ];
    const open_ = ["trade", "payFee", "settle", "accrueFunding", "sweepFees", "sweepReserves", "flag", "absorb"]; // nobody's own
    const names: string[] = [];
    h.clearingHouse.interface.forEachFunction(({ name, stateMutability }) => {
      if (stateMutability !== "view" && !/^(preview|simulate|setAuthority)/.test(name)) names.push(name);
    });
    const restricted = names.filter((name) => /^(set(?!Guard|Exposure|tle)|delist|pauseNewRisk|endPause)/.test(name));
    const known = [...Object.keys(refusals), ...left, ...open_, ...restricted];
    expect(names.toSorted()).to.deep.equal(known.toSorted());
  });

  it("AUTH-5 takes back what waits: nothing that was asked for before ripens in it", async () => {
    const h = await guardedHouse();
    await h.ch.setGuard(ZeroAddress, 0, false);
    await h.networkHelpers.time.increase(HOUR - 2);
    await h.clearingHouse.connect(h.carol).lockDown(h.alice);
    await h.networkHelpers.time.increase(HOUR);
    const [g, pending] = await h.ch.guardOf(h.alice);
    expect([g.guardian, g.delay, g.restricted, pending.time]).to.deep.equal([h.carol.address, 3_600n, true, 0n]);
    await refused(h, h.pay(h.dave), "PayeeNotAllowed", [h.alice.address, h.dave.address, 0n]);
  });

  it("AUTH-5 ends by the guardian at once", async () => {
    const h = await guardedHouse();
    await h.ch.lockDown(h.alice);
    const unlock = (by: typeof h.alice) => () => h.clearingHouse.connect(by).unlock(h.alice);
    await refused(h, unlock(h.bob), "NotGuardian", [h.alice.address, h.bob.address]);
    await expect(unlock(h.carol)())
      .to.emit(h.clearingHouse, "LockdownSet")
      .withArgs(h.alice.address, h.carol.address, false);
    await refused(h, unlock(h.carol), "NotLockedDown", [h.alice.address]);
    // All is as before, but for what was signed.
    await h.ch.transfer(main(h.alice), accountId(h.alice.address, 1n), h.usdc, usdc("1"));
    await h.fund(h.bob, { cash: "1000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
  });

  it("AUTH-5 ends by the owner a day after he has asked, unless the guardian locks again", async () => {
    const h = await guardedHouse();
    await h.ch.lockDown(h.alice);
    const unlock = () => h.ch.unlock(h.alice);
    const asked = async () => {
      await expect(unlock()).to.emit(h.clearingHouse, "UnlockRequested");
      return (await h.now()) + DAY;
    };
    await asked();
    await h.networkHelpers.time.increase(DAY);
    await h.clearingHouse.connect(h.carol).lockDown(h.alice);
    const time = await asked(); // again from the beginning
    await h.networkHelpers.time.increaseTo(time - 2);
    await refused(h, unlock, "UnlockTooEarly", [h.alice.address, time]);
    await h.networkHelpers.time.setNextBlockTimestamp(time);
    await unlock();
    expect((await h.ch.guardOf(h.alice))[0].lockTime).to.equal(0n);
    // A longer delay of his own counts, and naming himself as the guardian makes it no shorter.
    await h.ch.setGuard(h.carol, 3 * DAY, true);
    await h.ch.setGuard(h.alice, 3 * DAY, true);
    await h.networkHelpers.time.increase(3 * DAY);
    await h.ch.lockDown(h.alice);
    await unlock();
    expect((await h.ch.guardOf(h.alice))[0].unlockTime).to.equal((await h.now()) + 3 * DAY);
  });
});
