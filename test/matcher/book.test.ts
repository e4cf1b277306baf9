import { expect } from "chai";

import { AccountMap } from "../../src/sdk/accountMap.ts";
import { hashCodeOf, Orders } from "../../src/matcher/orders.ts";
import { faultOf, nextBatch } from "../../src/matcher/settlement.ts";
import { InvalidMatcherConfig, parseMatcherConfig } from "../../src/matcher/config.ts";
import { formatWad, parsePrice, parseWad } from "../../src/sdk/units.ts";
import { accountOf, checkBook, facts, newEngine, NOW, ownerOf, place, SECOND, TERMS } from "./support.ts";

describe("order book", () => {
  let engine: ReturnType<typeof newEngine>;
  beforeEach(() => {
    engine = newEngine();
  });
  afterEach(() => {
    checkBook(engine.book);
  });

  /** Places and tells in short what happened. */
  function put(...args: Parameters<typeof place>): { hash: string; story: string[] } {
    const command = place(...args);
    const { events } = engine.apply(command);
    const story = events.map((event) => {
      if (event.type === "filled") return `filled ${formatWad(event.size)} at ${formatWad(event.price)}`;
      return "reason" in event ? `${event.type} ${event.reason}` : event.type;
    });
    return { hash: command.hash, story };
  }

  it("OB-4 serves the best price first, then who came first, at the resting order's limit", () => {
    put(0, "-1", "2001");
    put(1, "-1", "2000");
    put(2, "-1", "2000");
    const { story } = put(3, "2.5", "2002", { resting: false });
    expect(story).to.deep.equal(["accepted", "filled 1 at 2000", "filled 1 at 2000", "filled 0.5 at 2001"]);
    expect([...engine.book.fills.values()].map(({ maker }) => maker.account.id)).to.deep.equal(
      [1, 2, 0].map((i) => accountOf(i)),
    );
  });

  it("OB-4 two resting orders trade at the mid of their limits, as on the chain", () => {
    put(0, "-1", "2000");
    expect(put(1, "1", "2001").story).to.deep.equal(["accepted", "filled 1 at 2000.5"]);
  });

  it("OB-1 what takes does not rest; fill-or-kill all or nothing; post-only never takes", () => {
    put(0, "-1", "2000");
    expect(put(1, "2", "2000", { resting: false, fillOrKill: true }).story).to.deep.equal([
      "accepted",
      "cancelled fillOrKill",
    ]);
    expect(put(1, "1", "2000", { postOnly: true }).story).to.deep.equal(["rejected wouldCross"]);
    expect(put(1, "2", "2000", { resting: false }).story.at(-1)).to.equal("cancelled immediateOrCancel");
  });

  it("OB-1 the only post-only one of two resting orders is the maker at its limit, as on the chain", () => {
    put(0, "-1", "2000", { postOnly: true });
    expect(put(1, "1", "2001", { postOnly: true }).story).to.deep.equal(["rejected wouldCross"]);
    expect(put(1, "0.4", "2001").story).to.deep.equal(["accepted", "filled 0.4 at 2000"]);
    expect(put(1, "0.6", "2001", { resting: false }).story).to.deep.equal(["accepted", "filled 0.6 at 2000"]);
  });

  it("OB-1 a post-only order that comes back from a refused fill makes for what came meanwhile, and meets no other one", () => {
    const bid = put(0, "2", "2001", { postOnly: true });
    put(1, "-1", "2001", { resting: false });
    put(1, "-1", "2001", { resting: false });
    const ask = put(2, "-1", "2000");
    engine.apply({ type: "fail", time: NOW, fills: [{ fill: 1, reason: "Refused()", fault: "taker" }] });
    const [, fill] = [...engine.book.fills.values()];
    expect([fill!.maker.hash, fill!.taker.hash, formatWad(fill!.price)]).to.deep.equal([bid.hash, ask.hash, "2001"]);
    put(2, "-1", "2000", { postOnly: true });
    engine.apply({ type: "fail", time: NOW, fills: [{ fill: 2, reason: "Refused()", fault: "taker" }] });
    expect(engine.book.orders.get(bid.hash)).to.deep.include({ state: "cancelled", reason: "meetsPostOnly" });
  });

  it("OB-4 an owner never trades with himself: the resting order gives way", () => {
    put(0, "-1", "2000");
    put(1, "-1", "2001");
    const { story } = put(0, "1", "2001", { resting: false, account: accountOf(0, 5) });
    expect(story).to.deep.equal(["accepted", "cancelled selfTrade", "filled 1 at 2001"]);
  });

  it("OB-4 orders of one nonce share one size: one cancels the other", () => {
    const one = put(0, "-2", "2000", { nonce: 7_000_001n });
    const two = put(0, "-2", "2001", { nonce: 7_000_001n, account: accountOf(0) });
    put(1, "1", "2000", { resting: false });
    expect(engine.book.orders.get(two.hash)?.open).to.equal(parseWad("1"));
    put(1, "1", "2000", { resting: false });
    expect(engine.book.orders.get(one.hash)?.state).to.equal("filled");
    expect(engine.book.orders.get(two.hash)?.reason).to.equal("nonceFilled");
  });

  it("OB-3 does not trade outside the price band: stale makers go, takers stop", () => {
    put(0, "-1", "1980");
    put(0, "-1", "2020");
    expect(put(1, "2", "2020", { resting: false }).story).to.deep.equal([
      "accepted",
      "cancelled priceBand",
      "cancelled priceBand",
    ]);
    engine.apply(facts({ markets: [{ ...TERMS[0]!, index: 0n }] }));
    expect(put(1, "2", "2020", { resting: false }).story.at(-1)).to.equal("cancelled noPrice");
  });

  it("refuses what is too small, expired, filled, or has nothing to reduce", () => {
    expect(put(0, "0.009", "2000").story).to.deep.equal(["rejected belowMinFill"]);
    expect(put(0, "1", "2000", { expiry: BigInt(SECOND - 1) }).story).to.deep.equal(["rejected expired"]);
    expect(put(0, "1", "2000", { market: 9n }).story).to.deep.equal(["rejected unknownMarket"]);
    expect(put(0, "1", "2000", {}, { filled: "1" }).story).to.deep.equal(["rejected alreadyFilled"]);
    expect(put(0, "1", "2000", { reduceOnly: true }, { position: "1" }).story).to.deep.equal([
      "rejected nothingToReduce",
    ]);
    const { hash } = put(0, "1", "2000");
    const again = engine.book.orders.get(hash)!;
    const { rejected } = engine.apply({
      type: "place",
      time: NOW,
      hash,
      signed: again.signed,
      filled: 0n,
      position: 0n,
      deadMan: 0,
    });
    expect(rejected).to.equal("duplicate");
  });

  it("OB-1 expires with the second, and dies with its owner's heartbeat", () => {
    const { hash } = put(0, "1", "1999", { expiry: BigInt(SECOND + 1) });
    engine.apply({ type: "tick", time: NOW + 1999 });
    expect(engine.book.orders.get(hash)?.state).to.equal("open");
    expect(engine.nextDue).to.equal(NOW + 2000);
    engine.apply({ type: "tick", time: NOW + 2000 });
    expect(engine.book.orders.get(hash)?.state).to.equal("expired");
    const kept = put(0, "1", "1999");
    engine.apply({ type: "heartbeat", time: NOW + 3000, owner: ownerOf(0), timeout: 1000, stamp: 1 });
    engine.apply({ type: "heartbeat", time: NOW + 3900, owner: ownerOf(0), timeout: 1000, stamp: 2 });
    engine.apply({ type: "tick", time: NOW + 4899 });
    expect(engine.book.orders.get(kept.hash)?.state).to.equal("open");
    engine.apply({ type: "tick", time: NOW + 4900 });
    expect(engine.book.orders.get(kept.hash)?.reason).to.equal("deadMan");
  });

  it("OB-2 a refused fill takes out who is to blame and matches the taker again", () => {
    const bad = put(0, "-1", "2000");
    put(1, "-1", "2001");
    const taker = put(2, "1", "2001", { resting: false });
    engine.apply({ type: "fail", time: NOW, fills: [{ fill: 1, reason: "InsufficientMargin()", fault: "maker" }] });
    expect(engine.book.orders.get(bad.hash)).to.deep.include({
      reason: "settlementFailed",
      detail: "InsufficientMargin()",
    });
    expect(engine.book.orders.get(taker.hash)).to.deep.include({ state: "filled", filled: parseWad("1") });
    expect([...engine.book.fills.values()].map(({ price }) => price)).to.deep.equal([parsePrice("2001")]);
  });

  it("OB-1 splits batches where the exchange would look at old amounts, and keeps fill-or-kill orders whole", () => {
    put(0, "-1", "2000", { nonce: 8_000_001n });
    put(1, "1", "2000", { resting: false });
    put(0, "-2", "2000", { nonce: 8_000_001n });
    put(1, "1", "2000", { resting: false });
    put(2, "-1", "2000");
    put(3, "-1", "2000");
    put(4, "2", "2000", { resting: false, fillOrKill: true });
    const fills = [...engine.book.fills.values()];
    const batch = (from: number, maximum = 40) =>
      nextBatch(fills.slice(from), maximum).map((group) => group.map(({ id }) => id));
    expect(batch(0), "two orders of one nonce").to.deep.equal([[1]]);
    expect(batch(1)).to.deep.equal([[2], [3, 4]]);
    expect(batch(1, 2), "bounded").to.deep.equal([[2]]);
    put(0, "1", "2000", { reduceOnly: true, resting: false });
    put(2, "-1", "2000", {}, { position: "-1" });
    expect(put(0, "1", "2000", { reduceOnly: true, resting: false }).story.at(-1)).to.equal("filled 1 at 2000");
    expect(
      nextBatch([...engine.book.fills.values()].slice(1), 40)
        .flat()
        .map(({ id }) => id),
    ).to.deep.equal([2, 3, 4]);
  });

  it("OB-2 finds who is to blame from the contract's error", () => {
    put(0, "-1", "2000");
    put(1, "1", "2000", { resting: false });
    const [fill] = [...engine.book.fills.values()];
    const fault = (name: string, args: Record<string, unknown>) => faultOf({ name, args }, fill!);
    expect(fault("InsufficientMargin", { account: accountOf(0) })).to.equal("maker");
    expect(fault("InsufficientMargin", { account: accountOf(1) })).to.equal("taker");
    expect(fault("OrderExpired", { expiry: BigInt(SECOND + 3600) })).to.equal("both");
    expect(fault("OrderNonceTooLow", { nonce: fill!.taker.slot.nonce })).to.equal("taker");
    expect(fault("OrderEpochMismatch", { epoch: 0n })).to.equal("both");
    expect(fault("PriceOutOfBand", { market: 0n })).to.equal("neither");
    expect(fault("OpenInterestCap", { market: 0n })).to.equal("taker");
    expect(fault("NewRiskPaused", { until: 0n })).to.equal("pause");
  });

  it("OB-2 MM-5 a pause of new risk takes out who came last and is held against nobody", () => {
    const maker = put(0, "-1", "2000");
    for (let fill = 1; fill <= 5; ++fill) {
      const taker = put(1, "1", "2000", { resting: false });
      engine.apply({ type: "fail", time: NOW, fills: [{ fill, reason: "NewRiskPaused(1)", fault: "pause" }] });
      expect(engine.book.orders.get(taker.hash)).to.deep.include({
        reason: "settlementFailed",
        detail: "NewRiskPaused(1)",
      });
    }
    expect(engine.book.orders.get(maker.hash)).to.deep.include({ state: "open", filled: 0n, failures: 0 });
  });

  it("AUTH-5 a lockdown leaves its owner what reduces and pays no fee", () => {
    const [opens, pays, reduces, other] = [
      put(0, "1", "1999"),
      put(0, "1", "1999", { reduceOnly: true, executionFee: 1n }, { position: "-1" }),
      put(0, "1", "1999", { reduceOnly: true }, { position: "-1" }),
      put(1, "1", "1999"),
    ];
    const lock = { owner: ownerOf(0), epoch: 0n, lowestNonce: 0n, deadMan: 0, lockedDown: true, keys: [] };
    engine.apply(facts({ owners: [lock] }));
    const reasons = [opens, pays, reduces, other].map(({ hash }) => engine.book.orders.get(hash)?.reason);
    expect(reasons).to.deep.equal(["lockedDown", "lockedDown", undefined, undefined]);
  });

  it("tells accounts apart whose owners and serials have the same sum", () => {
    const ids = [accountOf(0, 3), accountOf(1, 2), accountOf(2, 1), accountOf(3), accountOf(0, 4)];
    const map = new AccountMap(ids.map((id, i) => [id, i] as const));
    map.delete(accountOf(1, 2));
    map.delete(accountOf(1, 3));
    expect(ids.map((id) => map.get(id))).to.deep.equal([0, undefined, 2, 3, 4]);
    expect([...map.values()]).to.deep.equal([0, 2, 3, 4]);
    expect([map.size, map.get(0n)]).to.deep.equal([4, undefined]);
  });

  it("keeps a bounded number of orders that have ended, apart from those that have returned", () => {
    // Two of six share a bucket for sure: their hashes end alike.
    const hashes = [0, 1, 2, 3, 4, 5].map((i) => `0x${String(i).repeat(56)}0000000${i % 3}`);
    const [a, b, c, d, e, f] = hashes.map((hash) => {
      const { hash: placed } = put(hashes.indexOf(hash), "1", "1999");
      return { ...engine.book.orders.get(placed)!, hash, hashCode: hashCodeOf(hash), twin: undefined };
    });
    const orders = new Orders(2);
    for (const order of [a, b, c, d, e, f]) orders.add(order!);
    const kept = () =>
      hashes
        .map((hash) => orders.get(hash)?.hash === hash)
        .map(Number)
        .join("");
    for (const order of [d, b]) orders.end(order!);
    expect(kept()).to.equal("111111");
    orders.add(d!); // live again
    for (const order of [a, c]) orders.end(order!);
    expect(kept(), "b is the oldest of three").to.equal("101111");
    expect(orders.ended).to.deep.equal([a, c]);
    orders.end(d!);
    expect(kept()).to.equal("001111");
    orders.add(c!);
    expect(orders.ended, "a place stays empty").to.deep.equal([undefined, d]);
    // An order carries the links of its table: a second table needs orders of its own.
    const [c2, d2, e2, f2] = [c, d, e, f].map((order) => ({ ...order!, twin: undefined, placeAmongEnded: undefined }));
    const copy = new Orders(2);
    for (const order of [c2, e2, f2]) copy.add(order!);
    copy.ended = [undefined, d2];
    const hashesOf = (list: readonly ({ hash: string } | undefined)[]) => list.map((order) => order?.hash);
    expect(hashesOf(copy.values())).to.deep.equal(hashesOf(orders.values()));
    expect(hashesOf(copy.ended)).to.deep.equal(hashesOf(orders.ended));
    copy.end(f2!);
    expect(copy.get(d!.hash), "the empty place goes first").to.equal(d2);
  });

  it("names what is wrong with a configuration, and never the key", () => {
    const key = `0x${"ab".repeat(31)}`;
    try {
      parseMatcherConfig({ PRIVATE_KEY: key, PORT: "x", MAX_BATCH: "0" });
      expect.fail("accepted");
    } catch (error) {
      expect(error).to.be.instanceOf(InvalidMatcherConfig);
      expect((error as InvalidMatcherConfig).problems).to.have.length(3);
      expect(String(error)).to.not.include("abab");
    }
  });
});
