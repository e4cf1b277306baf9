import { expect } from "chai";
import { MinInt256, Signature, toBeHex, ZeroAddress } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import { hashOrder, signOrder } from "../../src/sdk/orders.ts";
import type { Order, SignedOrder } from "../../src/sdk/orders.ts";
import { SCOPES, UNLIMITED } from "../../src/sdk/sessionKeys.ts";
import { MockWallet__factory } from "../../types/index.ts";
import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { deal, main, positionOf, refused, sign } from "../helpers/unit.ts";
import type { Signer } from "../helpers/unit.ts";

const LOT = 10n ** 9n;
const CANCELLED = 2n ** 64n - 1n; // lots that a cancelled order counts as filled

/** Bob sells, Alice buys; both have cash. */
async function funded(): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "100000" });
  await h.fund(h.bob, { cash: "100000" });
  return h;
}

/** `order` with `changes`, signed again, without the checks of the SDK. */
async function changed(h: Fixture, owner: Signer, order: Order, changes: Partial<Order>): Promise<SignedOrder> {
  const next = { ...order, ...changes };
  return { order: next, signature: await signOrder(owner, h.addressBook, next) };
}

const settle = (h: Fixture, ...orders: SignedOrder[]) => h.exchange.settle(orders, [{ maker: 0, taker: 1 }]);

describe("orders", () => {
  it("AUTH-1 hashes as the SDK does", async () => {
    const h = await funded();
    const { order } = await sign(h, { owner: h.alice, size: "1", price: "2000" });
    expect(await h.exchange.hashOrder(order)).to.equal(hashOrder(h.addressBook, order));
  });

  it("refuses an order that is expired or malformed", async () => {
    const h = await funded();
    const ask = await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true });
    const { order } = await sign(h, { owner: h.alice, size: "1", price: "2000" });
    const now = BigInt(await h.networkHelpers.time.latest());
    const largest = (CANCELLED - 1n) * LOT;
    const bad: [Partial<Order>, string, unknown[] | undefined][] = [
      [{ expiry: now - 1n }, "OrderExpired", undefined],
      [{ size: 0n }, "OrderSizeInvalid", [0n, LOT, largest]],
      [{ size: LOT + 1n }, "OrderSizeInvalid", [LOT + 1n, LOT, largest]],
      [{ size: largest + LOT }, "OrderSizeInvalid", [largest + LOT, LOT, largest]],
      [{ size: MinInt256 }, "OrderSizeInvalid", [MinInt256, LOT, largest]],
      [{ limitPrice: 0n }, "OrderPriceInvalid", [0n, wad("1000000")]],
      [{ limitPrice: wad("1000000") + 1n }, "OrderPriceInvalid", [wad("1000000") + 1n, wad("1000000")]],
      [{ postOnly: true }, "OrderFlagsInvalid", [false, true, false]],
      [{ fillOrKill: true, resting: true }, "OrderFlagsInvalid", [true, false, true]],
      [{ epoch: 1n }, "OrderEpochMismatch", [1n, 0n]],
      [{ nonce: 2n ** 64n }, "OrderNonceTooHigh", [2n ** 64n]],
    ];
    for (const [changes, error, args] of bad) {
      const bid = await changed(h, h.alice, order, changes);
      await refused(h, () => settle(h, ask, bid), error, args, h.exchange);
    }
    // An order can fill in the very second of its expiry.
    const lastSecond = await changed(h, h.alice, order, { expiry: now + 100n });
    await h.networkHelpers.time.setNextBlockTimestamp(now + 100n);
    await settle(h, ask, lastSecond);
  });

  it("AUTH-1 refuses wrong signers, chains and exchanges, altered orders and malleable signatures", async () => {
    const h = await funded();
    const ask = await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true });
    const bid = await sign(h, { owner: h.alice, size: "1", price: "2000" });
    const { order } = bid;
    const { contracts } = h.addressBook;
    const foreign = { ...h.addressBook, contracts: { ...contracts, exchange: contracts.clearingHouse } };
    const { r, s, yParity } = Signature.from(bid.signature);
    const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n; // order of secp256k1
    const highS = toBeHex(n - BigInt(s), 32);
    const forged: [string, Order, string][] = [
      ["wrong signer", order, await signOrder(h.carol, h.addressBook, order)],
      ["wrong chain", order, await signOrder(h.alice, { ...h.addressBook, chainId: 1 }, order)],
      ["other contract", order, await signOrder(h.alice, foreign, order)],
      ["altered price", { ...order, limitPrice: wad("2001") }, bid.signature],
      ["altered size", { ...order, size: wad("2") }, bid.signature],
      ["another's account", { ...order, account: main(h.carol) }, bid.signature],
      ["high s", order, `${r}${highS.slice(2)}${yParity === 0 ? "1c" : "1b"}`],
      ["zero", order, `0x${"00".repeat(65)}`],
      ["empty", order, "0x"],
    ];
    for (const [, altered, signature] of forged) {
      const call = () => settle(h, ask, { order: altered, signature });
      await refused(h, call, "InvalidSignature", [altered.account, altered.nonce], h.exchange);
    }
    await settle(h, ask, bid);
  });

  it("refuses an order that is replayed or filled beyond its size; keeps partial fills", async () => {
    const h = await funded();
    const ask = await sign(h, { owner: h.bob, size: "-10", price: "2000", resting: true });
    const bid = (size: string) => sign(h, { owner: h.alice, size, price: "2000" });
    const first = await bid("4");
    await expect(settle(h, ask, first))
      .to.emit(h.exchange, "OrdersMatched")
      .withArgs(main(h.bob), main(h.alice), ask.order.nonce, first.order.nonce, ZeroAddress, ZeroAddress);
    expect(await h.exchange.filled(main(h.bob), ask.order.nonce)).to.equal(wad("4"));
    const replay = () => settle(h, ask, first);
    await refused(h, replay, "OrderCancelledOrFilled", [main(h.alice), first.order.nonce, wad("4")], h.exchange);
    // 6 are left; a bid of 7 gets 6 and keeps 1.
    const second = await bid("7");
    await settle(h, ask, second);
    expect(await h.exchange.filled(main(h.alice), second.order.nonce)).to.equal(wad("6"));
    expect((await positionOf(h, main(h.bob), ETH)).size).to.equal(wad("-10"));
    const third = await bid("1");
    const overfill = () => settle(h, ask, third);
    await refused(h, overfill, "OrderCancelledOrFilled", [main(h.bob), ask.order.nonce, wad("10")], h.exchange);
    // The same within one settlement: the third bid finds nothing left of the second ask.
    const ask2 = await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true });
    const fourth = await bid("1");
    const orders = [ask2, third, fourth];
    const twice = () =>
      h.exchange.settle(orders, [
        { maker: 0, taker: 1 },
        { maker: 0, taker: 2 },
      ]);
    await refused(h, twice, "OrderCancelledOrFilled", [main(h.bob), ask2.order.nonce, wad("1")], h.exchange);
  });

  it("lets orders that share a nonce share one filled amount, and not meet in one settlement", async () => {
    const h = await funded();
    const large = await sign(h, { owner: h.alice, size: "10", price: "2000" });
    const small = await changed(h, h.alice, large.order, { size: wad("6") });
    const ask = async (size: string) => sign(h, { owner: h.bob, size, price: "2000", resting: true });
    await settle(h, await ask("-4"), large);
    await settle(h, await ask("-10"), small); // 6 − 4 are left
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("6"));
    expect(await h.exchange.filled(main(h.alice), large.order.nonce)).to.equal(wad("6"));
    const asks = [await ask("-1"), await ask("-1")];
    for (const other of [large, await changed(h, h.alice, large.order, { size: wad("9") })]) {
      const both = () =>
        h.exchange.settle(
          [...asks, large, other],
          [
            { maker: 0, taker: 2 },
            { maker: 1, taker: 3 },
          ],
        );
      await refused(h, both, "OrderRepeated", [main(h.alice), large.order.nonce], h.exchange);
    }
  });

  it("OB-1 matches only what crosses: sides, markets, limits, one maker, known indices", async () => {
    const h = await funded();
    const ask = await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true });
    const bid = (fields: object, market: number = ETH) =>
      sign(h, { owner: h.alice, size: "1", price: "2000", ...fields }, market);
    const cases: [SignedOrder, string, (o: Order) => unknown[]][] = [
      [await bid({ size: "-2" }), "OrderSideMismatch", () => [wad("-1"), wad("-2")]],
      [await bid({ price: "30000" }, BTC), "OrderMarketMismatch", () => [ETH, BTC]],
      [await bid({ price: "1999.99" }), "OrderNotCrossing", () => [wad("1999.99"), wad("2000")]],
      [await bid({ postOnly: true, resting: true }), "OrderWouldTake", (o) => [o.account, o.nonce]],
    ];
    for (const [signed, error, args] of cases) {
      await refused(h, () => settle(h, ask, signed), error, args(signed.order), h.exchange);
    }
    const takers = [await sign(h, { owner: h.bob, size: "-1", price: "2000" }), await bid({})];
    const nonces = takers.map(({ order }) => order.nonce);
    await refused(h, () => settle(h, ...takers), "OrderNoMaker", nonces, h.exchange);
    await refused(h, () => h.exchange.settle([ask], []), "NoMatches", [], h.exchange);
    const outside = h.exchange.settle([ask, takers[1]!], [{ maker: 0, taker: 2 }]);
    await expect(outside).to.be.revertedWithPanic(0x32);
  });

  it("OB-1 of two resting orders the only post-only one is the maker, at its own limit; two of them do not trade", async () => {
    const h = await funded();
    const ask = (fields: object) => sign(h, { owner: h.bob, size: "-1", price: "1998", resting: true, ...fields });
    const bid = (fields: object) => sign(h, { owner: h.alice, size: "1", price: "2002", resting: true, ...fields });
    const post = { postOnly: true };
    const would = async (maker: SignedOrder, taker: SignedOrder, { order }: SignedOrder) =>
      refused(h, () => settle(h, maker, taker), "OrderWouldTake", [order.account, order.nonce], h.exchange);
    const [postAsk, postBid, plainAsk, plainBid] = [await ask(post), await bid(post), await ask({}), await bid({})];
    await would(postAsk, postBid, postBid);
    await would(postBid, postAsk, postAsk);
    // Who settles cannot make it the taker.
    await would(plainBid, postAsk, postAsk);
    await would(plainAsk, postBid, postBid);
    const terms = async (...orders: SignedOrder[]) => {
      const tx = await settle(h, ...orders);
      const [trade] = await h.clearingHouse.queryFilter(h.clearingHouse.filters.Trade(), tx.blockNumber ?? 0);
      return [trade?.args.price, trade?.args.makerFee, trade?.args.takerFee];
    };
    // The other one pays a taker's fee, 0.05 %, at the post-only one's limit, be it the seller's or the buyer's.
    expect(await terms(postAsk, plainBid)).to.deep.equal([wad("1998"), 0n, wad("0.999")]);
    expect(await terms(postBid, plainAsk)).to.deep.equal([wad("2002"), 0n, wad("1.001")]);
    // Neither is post-only: the mid and the mean of both fees. Against a taker a post-only order is the maker.
    expect(await terms(await ask({}), await bid({}))).to.deep.equal([wad("2000"), wad("0.5"), wad("0.5")]);
    expect(await terms(await ask(post), await bid({ resting: false }))).to.deep.equal([wad("1998"), 0n, wad("0.999")]);
  });

  it("fills a fill-or-kill order whole or not at all", async () => {
    const h = await funded();
    const ask = (size: string) => sign(h, { owner: h.bob, size, price: "2000", resting: true });
    const [three, two] = [await ask("-3"), await ask("-2")];
    const all = await sign(h, { owner: h.alice, size: "5", price: "2000", fillOrKill: true });
    const part = () => settle(h, three, all);
    const args = [main(h.alice), all.order.nonce, wad("3"), wad("5")];
    await refused(h, part, "OrderNotFilledWhole", args, h.exchange);
    await h.exchange.settle(
      [three, two, all],
      [
        { maker: 0, taker: 2 },
        { maker: 1, taker: 2 },
      ],
    );
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("5"));
  });

  it("clips a reduce-only order to the position, and never lets it turn or grow", async () => {
    const h = await funded();
    const reduce = (size: string) => sign(h, { owner: h.alice, size, price: "2000", reduceOnly: true });
    const bid = (size: string) => sign(h, { owner: h.bob, size, price: "2000", resting: true });
    const id = main(h.alice);
    const sell = await reduce("-5");
    const none = async (size: bigint, signed: SignedOrder, against: SignedOrder) =>
      refused(h, () => settle(h, against, signed), "OrderNothingToReduce", [id, ETH, size], h.exchange);
    await none(0n, sell, await bid("5"));
    await deal(h, [h.bob, h.alice], "1", "2000");
    await none(wad("1"), await reduce("5"), await bid("-5"));
    await settle(h, await bid("5"), sell);
    expect((await positionOf(h, id, ETH)).size).to.equal(0n);
    expect(await h.exchange.filled(id, sell.order.nonce)).to.equal(wad("1"));
    // Two of them, each within the position, together beyond it: 1 → 0 → −1.
    await deal(h, [h.bob, h.alice], "1", "2000");
    const orders = [await bid("1"), await bid("1"), await reduce("-1"), await reduce("-1")];
    const both = () =>
      h.exchange.settle(orders, [
        { maker: 0, taker: 2 },
        { maker: 1, taker: 3 },
      ]);
    await refused(h, both, "NotReducing", [id, ETH, 0n, wad("-1")]);
  });

  it("cancels by order, by range of nonces and by epoch", async () => {
    const h = await funded();
    const ask = await sign(h, { owner: h.bob, size: "-10", price: "2000", resting: true });
    const bid = await sign(h, { owner: h.alice, size: "1", price: "2000" });
    const id = main(h.alice);
    const { nonce } = bid.order;
    const ex = h.exchange.connect(h.alice);
    const cancelBob = () => ex.cancel(main(h.bob), [nonce]);
    await refused(h, cancelBob, "NotOwner", [main(h.bob), h.alice.address], ex);
    await refused(h, () => ex.cancel(id, [2n ** 64n]), "OrderNonceTooHigh", [2n ** 64n], ex);
    await expect(ex.cancel(id, [nonce, 900n]))
      .to.emit(ex, "OrderCancelled")
      .withArgs(id, 900n);
    expect(await ex.filled(id, nonce)).to.equal(2n ** 256n - 1n);
    await refused(h, () => settle(h, ask, bid), "OrderCancelledOrFilled", [id, nonce, CANCELLED * LOT], ex);

    const next = await sign(h, { owner: h.alice, size: "1", price: "2000" });
    await expect(ex.cancelBelow(next.order.nonce + 1n))
      .to.emit(ex, "NoncesCancelled")
      .withArgs(h.alice.address, next.order.nonce + 1n);
    const low = [next.order.nonce, next.order.nonce + 1n];
    await refused(h, () => settle(h, ask, next), "OrderNonceTooLow", low, ex);
    await refused(h, () => ex.cancelBelow(low[1]!), "NonceNotIncreased", [low[1], low[1]], ex);
    await refused(h, () => ex.cancelBelow(2n ** 64n), "OrderNonceTooHigh", [2n ** 64n], ex);

    const last = await sign(h, { owner: h.alice, size: "1", price: "2000", nonce: 1_000_000n });
    await expect(ex.revokeAll()).to.emit(ex, "AllRevoked").withArgs(h.alice.address, 1n);
    await refused(h, () => settle(h, ask, last), "OrderEpochMismatch", [0n, 1n], ex);
    expect(await ex.ownerState(h.alice)).to.deep.equal([1n, low[1], 0n]);
    // An order of the new epoch, above the range, is good; so is one of another account.
    await settle(h, ask, await sign(h, { owner: h.alice, size: "1", price: "2000", nonce: 1_000_001n }));
  });

  it("MAS-6 OB-1 a dead-man switch voids every order unless it is renewed, and what has lapsed stays void", async () => {
    const h = await funded();
    const ex = h.exchange.connect(h.alice);
    const ask = await sign(h, { owner: h.bob, size: "-10", price: "2000", resting: true });
    const buy = (nonce?: bigint) =>
      sign(h, { owner: h.alice, size: "1", price: "2000", ...(nonce === undefined ? {} : { nonce }) });
    const now = BigInt(await h.networkHelpers.time.latest());
    const [, lowest] = await ex.ownerState(h.alice);
    await expect(ex.setDeadMan(h.alice, now + 60n, lowest))
      .to.emit(ex, "DeadManSet")
      .withArgs(h.alice.address, now + 60n);
    expect((await ex.ownerState(h.alice)).deadMan).to.equal(now + 60n);
    const [first, second, late] = [await buy(), await buy(), await buy()];
    await h.networkHelpers.time.setNextBlockTimestamp(now + 60n); // the last second
    await settle(h, ask, first);
    await refused(h, () => settle(h, ask, second), "OwnerSilent", undefined, ex);
    await refused(h, () => ex.setDeadMan(h.alice, now + 200n, lowest), "NonceNotIncreased", [lowest, lowest], ex);
    await ex.setDeadMan(h.alice, now + 200n, second.order.nonce);
    await settle(h, ask, second);
    // Renewed in time, by a key that trades, it leaves all as it is; only the owner can switch it off.
    const limits = { priceBand: 5_000n, dailyNotional: UNLIMITED, lossLimit: UNLIMITED, equityFloor: 0n };
    const grant = { scopes: SCOPES.trade, markets: 1n, accounts: 1n, expiry: now + 1_000n, ...limits };
    await ex.grant(h.alice, h.keeper, grant);
    const bot = h.exchange.connect(h.keeper);
    await bot.setDeadMan(h.alice, now + 300n, second.order.nonce);
    await refused(h, () => bot.setDeadMan(h.alice, 0n, second.order.nonce), "DeadManInvalid", [0n], ex);
    const raise = () => bot.setDeadMan(h.alice, now + 300n, second.order.nonce + 1n);
    await refused(h, raise, "KeyLacksScope", [h.keeper.address, SCOPES.trade, SCOPES.cancel], ex);
    await h.networkHelpers.time.increaseTo(now + 300n);
    await refused(h, () => settle(h, ask, late), "OwnerSilent", undefined, ex);
    // Nothing but a higher lowest nonce brings trading back, and the old order stays void.
    const same = () => ex.setDeadMan(h.alice, 0n, second.order.nonce);
    await refused(h, same, "NonceNotIncreased", [second.order.nonce, second.order.nonce], ex);
    await ex.setDeadMan(h.alice, 0n, late.order.nonce + 1n);
    const low = [late.order.nonce, late.order.nonce + 1n];
    await refused(h, () => settle(h, ask, late), "OrderNonceTooLow", low, ex);
    await settle(h, ask, await buy(late.order.nonce + 1n));
    await refused(h, () => ex.setDeadMan(h.alice, 2n ** 40n, 2n ** 63n), "DeadManInvalid", [2n ** 40n], ex);
    const stranger = () => h.exchange.connect(h.bob).setDeadMan(h.alice, 1n, 1n);
    await refused(h, stranger, "UnknownKey", [h.alice.address, h.bob.address], ex);
  });

  it("AUTH-1 asks a contract wallet through ERC-1271, with bounded gas, and believes only a good answer", async () => {
    const h = await funded();
    const wallet = await new MockWallet__factory(h.deployer).deploy(h.keeper);
    const id = accountId(await wallet.getAddress());
    await h.fund(h.carol, { cash: "10000" }, id);
    // The wallet is the maker, its owner's key signs.
    const ask = await sign(h, { owner: h.keeper, account: id, size: "-2", price: "2000", resting: true });
    const bid = await sign(h, { owner: h.alice, size: "1", price: "2000" });
    const foreign = { order: ask.order, signature: await signOrder(h.alice, h.addressBook, ask.order) };
    const args = [id, ask.order.nonce];
    await refused(h, () => settle(h, foreign, bid), "InvalidSignature", args, h.exchange);
    for (const answer of [1, 2, 3]) {
      await wallet.setAnswer(answer); // reverts, is too short, burns all its gas
      const call = () => h.exchange.settle([ask, bid], [{ maker: 0, taker: 1 }], { gasLimit: 1_000_000 });
      await refused(h, call, "InvalidSignature", args, h.exchange);
    }
    await wallet.setAnswer(0);
    await settle(h, ask, bid);
    expect((await positionOf(h, id, ETH)).size).to.equal(wad("-1"));
    // It owns its account like anybody: it takes its cash out, 10,000 less what stands behind the position.
    const out = h.clearingHouse.interface.encodeFunctionData("withdraw", [
      id,
      await h.usdc.getAddress(),
      9_000_000_000n,
      await wallet.getAddress(),
    ]);
    await wallet.execute(h.clearingHouse, out);
    expect(await h.usdc.balanceOf(wallet)).to.equal(9_000_000_000n);
  });
});
