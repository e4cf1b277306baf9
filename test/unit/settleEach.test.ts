import { expect } from "chai";

import { accountId } from "../../src/sdk/accountId.ts";
import { SCOPES, UNLIMITED } from "../../src/sdk/sessionKeys.ts";
import type { SignedOrder } from "../../src/sdk/orders.ts";
import { CallbackToken__factory, MockWallet__factory } from "../../types/index.ts";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { deal, listCollateral, main, positionOf, refused, sign } from "../helpers/unit.ts";
import type { Signer } from "../helpers/unit.ts";

/** Alice and Bob have 100,000 of cash, Carol 50. */
async function funded(): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "100000" });
  await h.fund(h.bob, { cash: "100000" });
  await h.fund(h.carol, { cash: "50" });
  return h;
}

const ask = (h: Fixture, size: string, owner: Signer = h.bob, fields: object = {}) =>
  sign(h, { owner, size: `-${size}`, price: "2000", resting: true, ...fields });

const bid = (h: Fixture, size: string, fields: object = {}) =>
  sign(h, { owner: h.alice, size, price: "2000", ...fields });

/** The last order meets all others, one after another. */
const each = (orders: SignedOrder[]) => orders.slice(1).map((_, maker) => ({ maker, taker: orders.length - 1 }));

describe("settleEach", () => {
  it("OB-2 leaves out every maker who fails, says why, and settles the rest", async () => {
    const h = await funded();
    const ex = h.exchange;
    const now = BigInt(await h.networkHelpers.time.latest());
    const key = { scopes: SCOPES.trade, markets: 1n, accounts: 1n, expiry: 2n ** 32n - 1n, priceBand: 5_000n };
    await ex
      .connect(h.bob)
      .grant(h.bob, h.dave, { ...key, dailyNotional: 1_000n, lossLimit: UNLIMITED, equityFloor: 0n });
    const cancelled = await ask(h, "1");
    await ex.connect(h.bob).cancel(main(h.bob), [cancelled.order.nonce]);
    const forged = { ...(await ask(h, "1")), signature: `0x${"00".repeat(65)}` };
    const makers = [
      await ask(h, "1", h.bob, { expiry: now - 1n }),
      cancelled,
      forged,
      await ask(h, "1", h.bob),
      await ask(h, "1", h.carol), // 50 against an IM of 100
      await ask(h, "1", h.dave, { account: main(h.bob) }), // 2,000 of 1,000 a day
      await ask(h, "1", h.carol, { reduceOnly: true }),
      await ask(h, "250000"), // 500 million of open interest, beyond the cap of 400
      await ask(h, "2", h.bob),
    ];
    const whole = await bid(h, "3");
    const orders = [...makers, whole];
    // The one that is too large for the cap would be clipped to what is left of the taker: it meets an order as large as itself.
    const large = await bid(h, "250000");
    const matches = each(orders).map((m) => (m.maker === 7 ? { maker: 7, taker: orders.length } : m));
    const sent = [...orders, large] as const;
    const settled = await ex.settleEach.staticCall([...sent], matches);
    expect(settled).to.deep.equal([false, false, false, true, false, false, false, false, true]);
    const tx = await ex.connect(h.keeper).settleEach([...sent], matches);
    const skipped = await ex.queryFilter(ex.filters.MatchSkipped(), tx.blockNumber ?? 0);
    const names = skipped.map(({ args }): [bigint, string | undefined] => [
      args.index,
      (ex.interface.parseError(args.reason) ?? h.clearingHouse.interface.parseError(args.reason))?.name,
    ]);
    expect(names).to.deep.equal([
      [0n, "OrderExpired"],
      [1n, "OrderCancelledOrFilled"],
      [2n, "InvalidSignature"],
      [4n, "InsufficientMargin"],
      [5n, "KeyNotionalLimit"],
      [6n, "OrderNothingToReduce"],
      [7n, "OpenInterestCap"],
    ]);
    // 1 and 2 of 3.
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("3"));
    expect(await ex.filled(main(h.alice), whole.order.nonce)).to.equal(wad("3"));
    for (const { order } of [makers[4]!, makers[5]!, large]) {
      expect(await ex.filled(order.account, order.nonce)).to.equal(0n);
    }
    const { grant, notionalLeft } = await ex.sessionKey(h.bob, h.dave);
    expect(notionalLeft).to.equal(grant.dailyNotional * 100n);
  });

  it("OB-2 reverts if nothing settles, with the reason of the last match, and if there is nothing to settle", async () => {
    const h = await funded();
    const ex = h.exchange;
    const orders = [await ask(h, "1", h.carol), await ask(h, "1", h.carol, { reduceOnly: true }), await bid(h, "2")];
    const reason = ex.interface.encodeErrorResult("OrderNothingToReduce", [main(h.carol), ETH, 0n]);
    await refused(h, () => ex.settleEach(orders, each(orders)), "NothingSettled", [reason], ex);
    await refused(h, () => ex.settleEach(orders, []), "NoMatches", [], ex);
    const outside = ex.settleEach(orders, [{ maker: 0, taker: 3 }]);
    await expect(outside).to.be.revertedWithPanic(0x32);
  });

  it("OB-2 fills a fill-or-kill order by one match or not at all", async () => {
    const h = await funded();
    const ex = h.exchange;
    const all = await bid(h, "2", { fillOrKill: true });
    const orders = [await ask(h, "1"), await ask(h, "1"), all];
    const args = [main(h.alice), all.order.nonce, wad("1"), wad("2")];
    const reason = ex.interface.encodeErrorResult("OrderNotFilledWhole", args);
    await refused(h, () => ex.settleEach(orders, each(orders)), "NothingSettled", [reason], ex);
    await ex.settleEach(
      [await ask(h, "3"), ...orders],
      [
        { maker: 1, taker: 3 },
        { maker: 0, taker: 3 },
      ],
    );
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("2"));
  });

  it("OB-2 sees positions and filled amounts as the matches before have left them", async () => {
    const h = await funded();
    const ex = h.exchange;
    await deal(h, [h.bob, h.alice], "3", "2000");
    // Two orders of one nonce, reduce-only, beyond the position together: 3, 2 of it by the first, 1 by the second.
    const bids = [await sign(h, { owner: h.bob, size: "2", price: "2000", resting: true })];
    bids.push(await sign(h, { owner: h.bob, size: "9", price: "2000", resting: true }));
    const first = await bid(h, "-2", { reduceOnly: true });
    const second = await bid(h, "-8", { reduceOnly: true, nonce: first.order.nonce });
    const matches = [
      { maker: 0, taker: 2 },
      { maker: 1, taker: 3 },
      { maker: 1, taker: 3 },
    ];
    const settled = await ex.settleEach.staticCall([...bids, first, second], matches);
    expect(settled).to.deep.equal([true, true, false]);
    await ex.settleEach([...bids, first, second], matches);
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(0n);
    expect(await ex.filled(main(h.alice), first.order.nonce)).to.equal(wad("3"));
  });

  it("OB-2 survives a contract wallet that burns all its gas", async () => {
    const h = await funded();
    const wallet = await new MockWallet__factory(h.deployer).deploy(h.keeper);
    const id = accountId(await wallet.getAddress());
    await h.fund(h.carol, { cash: "10000" }, id);
    await wallet.setAnswer(3);
    const orders = [await ask(h, "1", h.keeper, { account: id }), await ask(h, "1"), await bid(h, "2")];
    const tx = await h.exchange.settleEach(orders, each(orders), { gasLimit: 1_000_000n });
    const reason = h.exchange.interface.encodeErrorResult("InvalidSignature", [id, orders[0]!.order.nonce]);
    await expect(tx).to.emit(h.exchange, "MatchSkipped").withArgs(0n, reason);
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("1"));
  });

  it("OB-2 settles nothing while the ledger is busy", async () => {
    const h = await funded();
    const token = await new CallbackToken__factory(h.deployer).deploy(18);
    await listCollateral(h, 4, token);
    await token.mint(h.alice, wad("1"));
    await token.connect(h.alice).approve(h.vault, wad("1"));
    const orders = [await ask(h, "1"), await bid(h, "1")];
    for (const [name, args] of [
      ["settleEach", [orders, each(orders)]],
      ["settleForFee", [orders, each(orders), main(h.alice)]],
    ] as const) {
      await token.setCallback(h.exchange, h.exchange.interface.encodeFunctionData(name as "settleEach", args as never));
      const tx = h.clearingHouse.connect(h.alice).deposit(main(h.alice), token, wad("0.1"));
      const busy = h.clearingHouse.interface.encodeErrorResult("Reentrancy", []);
      const none = h.exchange.interface.encodeErrorResult("NothingSettled", [busy]);
      await expect(tx)
        .to.emit(token, "CalledBack")
        .withArgs(false, name === "settleEach" ? none : busy);
    }
    await h.exchange.settleEach(orders, each(orders));
  });
});
