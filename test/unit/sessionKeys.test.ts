import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { expect } from "chai";
import { ZeroAddress } from "ethers";

import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import type { SignedOrder } from "../../src/sdk/orders.ts";
import { SCOPES, signGrant, signRevoke, signRevokeAll, UNLIMITED } from "../../src/sdk/sessionKeys.ts";
import type { Grant } from "../../src/sdk/sessionKeys.ts";
import { MockWallet__factory } from "../../types/index.ts";
import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { deal, main, positionOf, refused, sign } from "../helpers/unit.ts";

const { trade: TRADE, reduce: REDUCE, cancel: CANCEL, grant: GRANT } = SCOPES;
const DAY = 86_400;

interface House extends Fixture {
  /** Keys: an account of its own each, without anything in it. */
  keys: HardhatEthersSigner[];
  now: number;
}

/** Alice and Bob have 100,000 of cash each. ETH is at 2,000; the taker pays 0.05 %. */
async function house(): Promise<House> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "100000" });
  await h.fund(h.bob, { cash: "100000" });
  const keys = (await h.ethers.getSigners()).slice(-4);
  return { ...h, keys, now: await h.networkHelpers.time.latest() };
}

/** Everything on ETH and BTC with the main account for ten days, 100,000 a day, losses of at most 10. */
const grantOf = (h: House, changes: Partial<Grant> = {}): Grant => ({
  scopes: TRADE | CANCEL,
  markets: 0b11n,
  accounts: 1n,
  expiry: BigInt(h.now + 10 * DAY),
  priceBand: 5_000n,
  dailyNotional: 100_000n,
  lossLimit: 10n,
  equityFloor: 0n,
  ...changes,
});

const give = (
  h: House,
  key: HardhatEthersSigner,
  changes: Partial<Grant> = {},
  granter: HardhatEthersSigner = h.alice,
) => h.exchange.connect(granter).grant(h.alice, key, grantOf(h, changes));

interface Terms {
  size: string;
  price?: string;
  account?: bigint;
  reduceOnly?: boolean;
}

/** An order of Alice's account, signed by a key, and a resting one of Bob's that it meets. */
async function meeting(h: House, key: HardhatEthersSigner, terms: Terms, market = ETH): Promise<SignedOrder[]> {
  const { size, price = market === ETH ? "2000" : "60000", account = main(h.alice), reduceOnly = false } = terms;
  const opposite = size.startsWith("-") ? size.slice(1) : `-${size}`;
  const { epoch } = await h.exchange.ownerState(h.alice);
  return [
    await sign(h, { owner: h.bob, size: opposite, price, resting: true }, market),
    await sign(h, { owner: key, account, size, price, reduceOnly, epoch }, market),
  ];
}

async function trade(h: House, key: HardhatEthersSigner, terms: Terms, market = ETH) {
  return h.exchange.settle(await meeting(h, key, terms, market), [{ maker: 0, taker: 1 }]);
}

async function tradeRefused(h: House, key: HardhatEthersSigner, terms: Terms, error: string, args: unknown[], m = ETH) {
  const orders = await meeting(h, key, terms, m);
  await refused(h, () => h.exchange.settle(orders, [{ maker: 0, taker: 1 }]), error, args, h.exchange);
}

/** What is left to a key of Alice's today: notional [0.01 USD] and losses [0.0001 USD]. */
async function leftOf(h: House, key: HardhatEthersSigner): Promise<[bigint, bigint]> {
  const { notionalLeft, lossLeft } = await h.exchange.sessionKey(h.alice, key);
  return [notionalLeft, lossLeft];
}

/** A key of before is nobody's. */
async function unknown(h: House, key: HardhatEthersSigner): Promise<void> {
  const orders = await meeting(h, key, { size: "1" });
  const settle = () => h.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
  await refused(h, settle, "InvalidSignature", [main(h.alice), orders[1]!.order.nonce], h.exchange);
}

describe("session keys", () => {
  it("AUTH-2 trade in the owner's place, and what they use is taken off", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    await expect(give(h, key)).to.emit(h.exchange, "KeyGranted");
    // Bought at 2,001: traded 4,002 of 100,000; lost 2 · 1 and a fee of 4,002 · 0.05 % = 2.001, of 10.
    const bought = await meeting(h, key, { size: "2", price: "2001" });
    const nonces = bought.map(({ order }) => order.nonce);
    await expect(h.exchange.settle(bought, [{ maker: 0, taker: 1 }]))
      .to.emit(h.exchange, "OrdersMatched")
      .withArgs(main(h.bob), main(h.alice), ...nonces, ZeroAddress, key.address);
    expect(await leftOf(h, key)).to.deep.equal([95_998_00n, 5_9990n]);
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("2"));
    // Sold at 2,003 as the maker: 1 · 3 gained, no fee.
    const orders = [
      await sign(h, { owner: key, account: main(h.alice), size: "-1", price: "2003", resting: true }),
      await sign(h, { owner: h.bob, size: "1", price: "2003" }),
    ];
    await expect(h.exchange.settle(orders, [{ maker: 0, taker: 1 }]))
      .to.emit(h.exchange, "OrdersMatched")
      .withArgs(main(h.alice), main(h.bob), ...orders.map(({ order }) => order.nonce), key.address, ZeroAddress);
    expect(await leftOf(h, key)).to.deep.equal([93_995_00n, 8_9990n]);
    expect((await h.exchange.sessionKey(h.alice, key)).live).to.equal(true);
    await h.networkHelpers.time.increase(DAY);
    expect(await leftOf(h, key)).to.deep.equal([100_000_00n, 8_9990n]);
  });

  it("AUTH-2 an order that meets several is counted once, by its sum, and at the price furthest from the index", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    const prices = ["2006", "1998", "2001"];
    const orders = await Promise.all([
      ...prices.map((price) => sign(h, { owner: h.bob, size: "-1", price, resting: true, nonce: BigInt(price) })),
      sign(h, { owner: key, account: main(h.alice), size: "3", price: "2006" }),
    ]);
    const matches = prices.map((_, maker) => ({ maker, taker: 3 }));
    const settle = () => h.exchange.settle(orders, matches);
    // 6 away is 0.3 % of 2,000; of the others neither is further than 0.1 %.
    await give(h, key, { priceBand: 2_999n });
    const outside = [key.address, wad("2006"), wad("2000"), 2_999n];
    await refused(h, settle, "KeyPriceBand", outside, h.exchange);
    // 6,005 traded; 6 − 2 + 1 lost, and a fee of 0.05 %: 3.0025.
    await give(h, key, { priceBand: 3_000n, dailyNotional: 6_004n });
    await refused(h, settle, "KeyNotionalLimit", [key.address, 6_005_00n, 6_004_00n], h.exchange);
    await give(h, key, { priceBand: 3_000n, lossLimit: 8n });
    await refused(h, settle, "KeyLossLimit", [key.address, 8_0025n, 8_0000n], h.exchange);
    await give(h, key, { priceBand: 3_000n, lossLimit: 9n });
    await settle();
    expect(await leftOf(h, key)).to.deep.equal([93_995_00n, 9975n]);
  });

  it("AUTH-2 do nothing beyond their grant", async () => {
    const h = await house();
    const [key, stranger] = h.keys as [HardhatEthersSigner, HardhatEthersSigner];
    await give(h, key, { markets: 1n });
    await h.fund(h.alice, { cash: "10000" }, accountId(h.alice.address, 1n));
    const fifth = accountId(h.alice.address, 1n);
    await tradeRefused(h, key, { size: "1", account: fifth }, "KeyLacksAccount", [key.address, fifth]);
    await tradeRefused(h, key, { size: "0.1" }, "KeyLacksMarket", [key.address, BTC], BTC);
    const isolated = isolatedAccountId(h.alice.address, BTC, 40n);
    await tradeRefused(h, key, { size: "0.1", account: isolated }, "KeyLacksAccount", [key.address, isolated], BTC);
    // 50 · 2,000 fill the day; the fee of 50 alone would break the limit on losses.
    await give(h, key, { lossLimit: UNLIMITED });
    await trade(h, key, { size: "50" });
    await tradeRefused(h, key, { size: "0.01" }, "KeyNotionalLimit", [key.address, 20_00n, 0n]);
    await h.networkHelpers.time.increase(DAY);
    await h.setPrice(ETH, "2000");
    await trade(h, key, { size: "0.01" });
    // Its own band is narrower than the market's.
    await give(h, key, { priceBand: 500n });
    await trade(h, key, { size: "1", price: "2001" });
    const outside = [key.address, wad("2002"), wad("2000"), 500n];
    await tradeRefused(h, key, { size: "1", price: "2002" }, "KeyPriceBand", outside);
    // No other account of the house is its own, and nobody else's signature is good.
    const other = await meeting(h, stranger, { size: "1" });
    const nobody = () => h.exchange.settle(other, [{ maker: 0, taker: 1 }]);
    await refused(h, nobody, "InvalidSignature", [main(h.alice), other[1]!.order.nonce], h.exchange);
    const withdraw = () => h.clearingHouse.connect(key).withdraw(main(h.alice), h.usdc, 1n, key);
    await refused(h, withdraw, "NotOwner", [main(h.alice), key.address]);
  });

  it("AUTH-2 an expired, a revoked and an unknown key are refused, each by its name", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    const ex = h.exchange.connect(h.alice);
    await refused(h, () => ex.revoke(h.alice, key), "UnknownKey", [h.alice.address, key.address], ex);
    const expiry = BigInt(h.now + 3_600);
    await give(h, key, { expiry });
    const orders = await meeting(h, key, { size: "1" });
    const settle = () => h.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
    await h.networkHelpers.time.setNextBlockTimestamp(expiry);
    await settle();
    const later = await meeting(h, key, { size: "1" });
    await h.networkHelpers.time.setNextBlockTimestamp(expiry + 1n);
    await expect(h.exchange.settle(later, [{ maker: 0, taker: 1 }])).to.be.revertedWithCustomError(ex, "KeyExpired");
    await refused(h, () => give(h, key, { expiry }), "KeyExpired", undefined, ex);
    await give(h, key);
    const stranger = () => h.exchange.connect(h.bob).revoke(h.alice, key);
    await refused(h, stranger, "UnknownKey", [h.alice.address, h.bob.address], ex);
    // REV-1: in the same transaction. The key may end itself.
    await expect(h.exchange.connect(key).revoke(h.alice, key))
      .to.emit(ex, "KeyRevoked")
      .withArgs(h.alice.address, key.address, key.address);
    await tradeRefused(h, key, { size: "1" }, "KeyIsRevoked", [h.alice.address, key.address]);
  });

  it("REV-2 REV-3 one write ends all keys and orders, and nothing revives them", async () => {
    const h = await house();
    const [key, child] = h.keys as [HardhatEthersSigner, HardhatEthersSigner];
    await give(h, key, { scopes: TRADE | GRANT });
    await give(h, child, { scopes: TRADE }, key);
    const signed = await meeting(h, child, { size: "1" });
    await h.exchange.connect(h.alice).revokeAll();
    const settle = () => h.exchange.settle(signed, [{ maker: 0, taker: 1 }]);
    await refused(h, settle, "OrderEpochMismatch", [0n, 1n], h.exchange);
    await unknown(h, key);
    await unknown(h, child);
    // The parent is granted again: itself works, its child does not.
    await give(h, key, { scopes: TRADE | GRANT });
    await trade(h, key, { size: "1" });
    await unknown(h, child);
    // So it is after a grant in place of a living one.
    await give(h, child, { scopes: TRADE }, key);
    await trade(h, child, { size: "0.1" });
    await give(h, key, { scopes: TRADE | GRANT });
    await tradeRefused(h, child, { size: "0.1" }, "KeyIsRevoked", [h.alice.address, key.address]);
    expect((await h.exchange.sessionKey(h.alice, child)).live).to.equal(false);
  });

  it("REV-2 REV-3 what a revoked key has signed stays void: it is granted nothing anew before all is revoked", async () => {
    const h = await house();
    const [key, other] = h.keys as [HardhatEthersSigner, HardhatEthersSigner];
    await give(h, other, { scopes: TRADE | GRANT });
    await give(h, key);
    const signed = await meeting(h, key, { size: "1" });
    const settle = () => h.exchange.settle(signed, [{ maker: 0, taker: 1 }]);
    await h.exchange.connect(h.alice).revoke(h.alice, key);
    const dead = [h.alice.address, key.address];
    await refused(h, settle, "KeyIsRevoked", dead, h.exchange);
    for (const granter of [h.alice, other]) {
      await refused(h, () => give(h, key, { scopes: TRADE }, granter), "KeyIsRevoked", dead, h.exchange);
    }
    const name = { owner: h.alice.address, key: key.address };
    const paper = await signGrant(h.alice, h.addressBook, name, grantOf(h), { version: 2n, epoch: 0n });
    const bring = () => h.exchange.grantFor(h.alice, key, grantOf(h), paper);
    await refused(h, bring, "KeyIsRevoked", dead, h.exchange);
    await h.exchange.connect(h.alice).revokeAll();
    await give(h, key);
    await refused(h, settle, "OrderEpochMismatch", [0n, 1n], h.exchange);
    await trade(h, key, { size: "1" });
  });

  it("AUTH-3 a key grants at most a part of its own rights, and what its keys use is used by it", async () => {
    const h = await house();
    const [key, child, grandchild, last] = h.keys as [
      HardhatEthersSigner,
      HardhatEthersSigner,
      HardhatEthersSigner,
      HardhatEthersSigner,
    ];
    const ex = h.exchange;
    await give(h, key);
    const lacks = [key.address, TRADE | CANCEL, GRANT];
    await refused(h, () => give(h, child, {}, key), "KeyLacksScope", lacks, ex);
    const own = { scopes: TRADE | GRANT, markets: 1n };
    await give(h, key, own);
    const end = BigInt(h.now + 10 * DAY);
    const wider: [Partial<Grant>, string, bigint, bigint][] = [
      [{ scopes: TRADE | CANCEL }, "scopes", TRADE | CANCEL, TRADE | GRANT],
      [{ markets: 2n }, "markets", 2n, 1n],
      [{ accounts: 3n }, "accounts", 3n, 1n],
      [{ expiry: end + 1n }, "expiry", end + 1n, end],
      [{ priceBand: 5_001n }, "priceBand", 5_001n, 5_000n],
      [{ dailyNotional: 100_001n }, "dailyNotional", 100_001n, 100_000n],
      [{ lossLimit: 11n }, "lossLimit", 11n, 10n],
    ];
    for (const [changes, field, value, maximum] of wider) {
      const args = [h.ethers.encodeBytes32String(field), value, maximum];
      await refused(h, () => give(h, child, { ...own, ...changes }, key), "GrantTooWide", args, ex);
    }
    await give(h, key, { ...own, equityFloor: 5n });
    const lower = [h.ethers.encodeBytes32String("equityFloor"), 4n, 5n];
    await refused(h, () => give(h, child, { ...own, equityFloor: 4n }, key), "GrantTooWide", lower, ex);
    await give(h, key, own);
    await give(h, child, own, key);
    await give(h, grandchild, { ...own, lossLimit: 9n }, child);
    const deep = [h.ethers.encodeBytes32String("depth"), 3n, 2n];
    await refused(h, () => give(h, last, own, grandchild), "GrantTooWide", deep, ex);
    // A living key of the owner's own cannot be taken over.
    await give(h, last, { scopes: CANCEL });
    const taken = [h.alice.address, last.address, "0x0000000000000000000000000000000000000000"];
    await refused(h, () => give(h, last, own, key), "KeyTaken", taken, ex);
    // 6 of fees on 12,000 by the grandchild leave 4 of 10 to all above it; then 4.5 on 9,000 by its parent.
    await trade(h, grandchild, { size: "6" });
    const over = [key.address, 4_5000n, 4_0000n];
    await tradeRefused(h, child, { size: "4.5" }, "KeyLossLimit", [child.address, ...over.slice(1)]);
    await tradeRefused(h, key, { size: "4.5" }, "KeyLossLimit", over);
    // What is below a dead key grants nothing more.
    await give(h, key, own);
    const dead = [h.alice.address, child.address];
    await refused(h, () => give(h, grandchild, own, child), "KeyIsRevoked", dead, ex);
    await give(h, child, own, key);
    await give(h, grandchild, own, child);
    await trade(h, grandchild, { size: "0.1" });
    // Whoever is above ends what is below.
    await ex.connect(key).revoke(h.alice, grandchild);
    await tradeRefused(h, grandchild, { size: "1" }, "KeyIsRevoked", [h.alice.address, grandchild.address]);
  });

  it("ATTACK-25 a key that may only trade cannot hand the account to a friend inside the band", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    await give(h, key, { scopes: TRADE, dailyNotional: UNLIMITED, lossLimit: 1_000n });
    // Buys 100 ETH at 2,008 from the friend and sells them back at 1,992: 1,600 a round, and 200 of fees.
    const before = (await h.clearingHouse.assess(main(h.alice))).equity;
    await trade(h, key, { size: "80", price: "2008" }); // 640 and 80.32
    const sell = { size: "-80", price: "1992" }; // 640 and 79.68 more
    await tradeRefused(h, key, sell, "KeyLossLimit", [key.address, 719_6800n, 279_6800n]);
    // 320 and 40.16 more
    await tradeRefused(h, key, { size: "40", price: "2008" }, "KeyLossLimit", [key.address, 360_1600n, 279_6800n]);
    const lost = before - (await h.clearingHouse.assess(main(h.alice))).equity;
    expect(lost).to.equal(wad("720.32"));
  });

  it("AUTH-2 a key for reductions signs reduce-only orders, a key for cancelling cancels", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    await deal(h, [h.bob, h.alice], "2", "2000");
    await give(h, key, { scopes: REDUCE });
    const lacks = [key.address, REDUCE, TRADE];
    await tradeRefused(h, key, { size: "-1" }, "KeyLacksScope", lacks);
    await trade(h, key, { size: "-1", reduceOnly: true });
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("1"));
    const ex = h.exchange.connect(key);
    await refused(h, () => ex.cancel(main(h.alice), [7n]), "KeyLacksScope", [key.address, REDUCE, CANCEL], ex);
    await give(h, key, { scopes: CANCEL });
    await expect(ex.cancel(main(h.alice), [7n]))
      .to.emit(ex, "OrderCancelled")
      .withArgs(main(h.alice), 7n);
    await tradeRefused(h, key, { size: "-1", reduceOnly: true }, "KeyLacksScope", [
      key.address,
      CANCEL,
      TRADE | REDUCE,
    ]);
    await refused(h, () => ex.cancel(main(h.bob), [7n]), "NotOwner", [main(h.bob), key.address], ex);
  });

  it("AUTH-1 a grant names a key, some scope and a band that exist", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    const ex = h.exchange;
    const zero = "0x0000000000000000000000000000000000000000";
    for (const who of [zero, h.alice.address]) {
      const call = () => ex.connect(h.alice).grant(h.alice, who, grantOf(h));
      await refused(h, call, "UnknownKey", [h.alice.address, who], ex);
    }
    const field = (name: string) => h.ethers.encodeBytes32String(name);
    await refused(h, () => give(h, key, { scopes: 0n }), "GrantTooWide", [field("scopes"), 0n, 255n], ex);
    const beyond: [keyof Grant, bigint, bigint][] = [
      ["priceBand", 1_000_001n, 1_000_000n],
      ["expiry", 2n ** 32n, 2n ** 32n - 1n],
      ["dailyNotional", 10_000_000_001n, 10_000_000_000n],
      ["lossLimit", 100_000_001n, 100_000_000n],
    ];
    for (const [name, value, most] of beyond) {
      const call = () => give(h, key, { [name]: value });
      await refused(h, call, "GrantTooWide", [field(name), value, most], ex);
      await give(h, key, { [name]: most });
    }
    const stranger = () => ex.connect(h.bob).grant(h.alice, key, grantOf(h));
    await refused(h, stranger, "UnknownKey", [h.alice.address, h.bob.address], ex);
  });

  it("REV-1 REV-2 are granted and revoked by signature, brought by anybody, once", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    const ex = h.exchange.connect(h.keeper);
    const name = { owner: h.alice.address, key: key.address };
    const grant = grantOf(h);
    const at = { version: 0n, epoch: 0n };
    const signed = await signGrant(h.alice, h.addressBook, name, grant, at);
    const { contracts } = h.addressBook;
    const elsewhere = { ...h.addressBook, contracts: { ...contracts, exchange: contracts.clearingHouse } };
    const forged = [
      await signGrant(h.bob, h.addressBook, name, grant, at),
      await signGrant(h.alice, { ...h.addressBook, chainId: 1 }, name, grant, at),
      await signGrant(h.alice, elsewhere, name, grant, at),
      await signGrant(h.alice, h.addressBook, { ...name, key: h.bob.address }, grant, at),
      await signGrant(h.alice, h.addressBook, name, { ...grant, lossLimit: 9n }, at),
      await signGrant(h.alice, h.addressBook, name, grant, { ...at, version: 1n }),
      "0x",
    ];
    const args = [h.alice.address, 0n, 0n];
    for (const signature of forged) {
      await refused(h, () => ex.grantFor(h.alice, key, grant, signature), "InvalidAuthorisation", args, ex);
    }
    await ex.grantFor(h.alice, key, grant, signed);
    await trade(h, key, { size: "1" });
    const again = () => ex.grantFor(h.alice, key, grant, signed);
    await refused(h, again, "InvalidAuthorisation", [h.alice.address, 0n, 1n], ex);

    const end = await signRevoke(h.alice, h.addressBook, name, { version: 1n, epoch: 0n });
    const forgedEnd = await signRevoke(h.bob, h.addressBook, name, { version: 1n, epoch: 0n });
    const wrong = () => ex.revokeFor(h.alice, key, forgedEnd);
    await refused(h, wrong, "InvalidAuthorisation", [h.alice.address, 0n, 1n], ex);
    await ex.revokeFor(h.alice, key, end);
    await tradeRefused(h, key, { size: "1" }, "KeyIsRevoked", [h.alice.address, key.address]);
    const twice = () => ex.revokeFor(h.alice, key, end);
    await refused(h, twice, "InvalidAuthorisation", [h.alice.address, 0n, 2n], ex);

    // Signed before, brought on the day: one write, and a grant that was signed for the old epoch is dead (ATTACK-26).
    const all = await signRevokeAll(h.alice, h.addressBook, h.alice.address, 0n);
    const pending = await signGrant(h.alice, h.addressBook, name, grant, { version: 2n, epoch: 0n });
    await expect(ex.revokeAllFor(h.alice, all)).to.emit(ex, "AllRevoked").withArgs(h.alice.address, 1n);
    const late = () => ex.grantFor(h.alice, key, grant, pending);
    await refused(h, late, "InvalidAuthorisation", [h.alice.address, 1n, 0n], ex);
    const allAgain = () => ex.revokeAllFor(h.alice, all);
    await refused(h, allAgain, "InvalidAuthorisation", [h.alice.address, 1n, 0n], ex);
  });

  it("ATTACK-26 one signer behind two contract wallets signs for the one it names", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    const [first, second] = await Promise.all(
      [0, 1].map(async () => {
        const wallet = await new MockWallet__factory(h.deployer).deploy(h.keeper);
        return wallet.getAddress();
      }),
    );
    const grant = grantOf(h);
    const name = { owner: first!, key: key.address };
    const signed = await signGrant(h.keeper, h.addressBook, name, grant, { version: 0n, epoch: 0n });
    const other = () => h.exchange.grantFor(second!, key, grant, signed);
    await refused(h, other, "InvalidAuthorisation", [second, 0n, 0n], h.exchange);
    await h.exchange.grantFor(first!, key, grant, signed);
    expect((await h.exchange.sessionKey(first!, key)).live).to.equal(true);
    const all = await signRevokeAll(h.keeper, h.addressBook, first!, 0n);
    const wrong = () => h.exchange.revokeAllFor(second!, all);
    await refused(h, wrong, "InvalidAuthorisation", [second, 0n, 0n], h.exchange);
    await h.exchange.revokeAllFor(first!, all);
    expect((await h.exchange.sessionKey(first!, key)).live).to.equal(false);
  });

  it("AUTH-3 no key turns a signer of a contract wallet into a lesser key: the wallet is asked first", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    const wallet = await new MockWallet__factory(h.deployer).deploy(h.keeper);
    const owner = await wallet.getAddress();
    const id = accountId(owner);
    await h.fund(h.carol, { cash: "10000" }, id);
    const wide = grantOf(h, { scopes: TRADE | GRANT });
    await wallet.execute(h.exchange, h.exchange.interface.encodeFunctionData("grant", [owner, key.address, wide]));
    // The key grants the wallet's own signer next to nothing: he signs for the wallet as before.
    await h.exchange.connect(key).grant(owner, h.keeper, grantOf(h, { scopes: TRADE, markets: 2n, lossLimit: 0n }));
    const orders = [
      await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true }),
      await sign(h, { owner: h.keeper, account: id, size: "1", price: "2000" }),
    ];
    await h.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
    expect((await positionOf(h, id, ETH)).size).to.equal(wad("1"));
    // And the wallet's key signs for it where the wallet itself does not know the signature.
    const byKey = [
      await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true }),
      await sign(h, { owner: key, account: id, size: "1", price: "2000" }),
    ];
    await expect(h.exchange.settle(byKey, [{ maker: 0, taker: 1 }]))
      .to.emit(h.exchange, "OrdersMatched")
      .withArgs(main(h.bob), id, ...byKey.map(({ order }) => order.nonce), ZeroAddress, key.address);
  });

  it("AUTH-2 a floor on equity holds net of what goes in and out, and needs that to be counted", async () => {
    const h = await house();
    const [key] = h.keys as [HardhatEthersSigner];
    const [id, ch] = [main(h.alice), h.clearingHouse.connect(h.alice)];
    await give(h, key, { equityFloor: 99_995n, lossLimit: UNLIMITED });
    await tradeRefused(h, key, { size: "1" }, "FlowsNotTracked", [id]);
    await refused(h, () => h.clearingHouse.connect(h.bob).trackFlows(id, true), "NotOwner", [id, h.bob.address]);
    await expect(ch.trackFlows(id, true)).to.emit(h.clearingHouse, "FlowsTracked").withArgs(id, true);
    await ch.withdraw(id, h.usdc, 30_000n * 10n ** 6n, h.alice);
    await h.fund(h.alice, { cash: "5000" });
    await ch.transfer(id, accountId(h.alice.address, 1n), h.usdc, 1_000n * 10n ** 6n);
    expect(await ch.netFlow(id)).to.deep.equal([-wad("26000"), true]);
    // 100,000 less 0.05 % of 2,000 for each unit: 4 cost 4, and one more 5
    await trade(h, key, { size: "4" });
    await trade(h, key, { size: "1" });
    await tradeRefused(h, key, { size: "0.01" }, "KeyEquityFloor", [key.address, id, wad("99994.99"), wad("99995")]);
    // A profit of 5 · 10 makes room, which what is withdrawn of it does not take away.
    await h.setPrice(ETH, "2010");
    await h.clearingHouse.settle(ETH, [main(h.bob), id]);
    await ch.withdraw(id, h.usdc, 40n * 10n ** 6n, h.alice);
    await trade(h, key, { size: "1", price: "2010" });
    // Collateral that comes in has no price in this: it ends the counting, and the key with it.
    await h.fund(h.alice, { weth: "1" });
    expect(await ch.netFlow(id)).to.deep.equal([-wad("26040"), false]);
    await tradeRefused(h, key, { size: "1", price: "2010" }, "FlowsNotTracked", [id]);
    await ch.trackFlows(id, true);
    expect(await ch.netFlow(id)).to.deep.equal([0n, true]);
    await expect(ch.withdraw(id, h.weth, wad("1"), h.alice))
      .to.emit(ch, "FlowsTracked")
      .withArgs(id, false);
  });
});
