import { expect } from "chai";

import { MockV3Aggregator__factory } from "../../types/index.ts";
import { BTC, ETH, freshHouse, wad, WBTC, WETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import {
  after,
  ANY_TERMS,
  cashOf,
  deal,
  main,
  marketParams,
  positionOf,
  refused,
  underlyingParams,
  usdc,
} from "../helpers/unit.ts";

const HOUR = 3_600;
const TENTH = { ...ANY_TERMS, maxFraction: wad("0.1") };
const NOT_POSITIVE: [error: string, args: unknown[]] = ["PriceNotPositive", [ETH, 0n]];

/** Takes the price of an underlying away; somebody has just observed it. */
async function blind(h: Fixture, underlying: 0 | 1): Promise<number> {
  await h.priceOracle.observe(underlying, 10);
  const time = await h.networkHelpers.time.latest();
  await h.feeds[underlying].updateAnswer(0n);
  return time;
}

/** Alice is long 5 ETH from 2,000 on 10,000, fee 5, Bob short; then ETH has no price, 2,000 being the last good one. */
async function blinded(): Promise<Fixture & { seen: number }> {
  const h = await freshHouse();
  for (const who of [h.alice, h.bob, h.carol]) await h.fund(who, { cash: "10000" });
  await deal(h, [h.bob, h.alice], "5", "2000");
  return { ...h, seen: await blind(h, ETH) };
}

/**
 * Alice is long 1 ETH from 2,000 and 1 BTC from 30,000 on 3,000, fees 1 + 15; Carol can take. With BTC at B and ETH at 2,000:
 * E = 2,984 + B − 30,000; MM = 60.0016 + B · 3 % + B · 2 % · B/100,000,000. Without a price for ETH it counts at its kindest,
 * 2,000 · (1 + 0.5 % + 3 % · 3): 190 more.
 */
async function mixed(btc: string): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "3000" });
  for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
  await deal(h, [h.bob, h.alice], "1", "2000");
  await deal(h, [h.bob, h.alice], "1", "30000", { market: BTC });
  await h.setPrice(BTC, btc);
  return h;
}

describe("a market without a price", () => {
  it("OR-3 fills only what reduces both sides, at exactly the last good price", async () => {
    const h = await blinded();
    const id = main(h.alice);
    const more = () => deal(h, [h.bob, h.alice], "1", "2000");
    await refused(h, more, "NotReducing", [main(h.bob), ETH, wad("-5"), wad("-6")]);
    const toCarol = () => deal(h, [h.carol, h.alice], "-1", "2000");
    await refused(h, toCarol, "NotReducing", [main(h.carol), ETH, 0n, wad("1")]);
    const fromCarol = () => deal(h, [h.alice, h.carol], "1", "2000");
    await refused(h, fromCarol, "NotReducing", [main(h.carol), ETH, 0n, wad("1")]);
    const across = () => deal(h, [h.bob, h.alice], "-6", "2000");
    await refused(h, across, "NotReducing", [main(h.bob), ETH, wad("-5"), wad("1")]);
    for (const price of ["2000.01", "1999.99"]) {
      const off = () => deal(h, [h.bob, h.alice], "-1", price);
      await refused(h, off, "PriceOutOfBand", [ETH, wad(price), wad("2000"), 0n]);
    }
    await deal(h, [h.bob, h.alice], "-1", "2000"); // fee 1
    expect(await positionOf(h, id, ETH)).to.deep.equal({ size: wad("4"), quote: wad("-8006") });
    await deal(h, [h.bob, h.alice], "-4", "2000"); // fee 4
    expect(await positionOf(h, id, ETH)).to.deep.equal({ size: 0n, quote: wad("-10") });
    expect(await cashOf(h, id)).to.equal(wad("10000")); // closed, and not settled
  });

  it("OR-3 a last good price is good for 12 hours, and has to have been observed", async () => {
    const h = await blinded();
    const reduce = () => deal(h, [h.bob, h.alice], "-1", "2000");
    const copy = await h.networkHelpers.takeSnapshot();
    await h.networkHelpers.time.setNextBlockTimestamp(h.seen + 12 * HOUR);
    await reduce();
    await copy.restore();
    await h.networkHelpers.time.increaseTo(h.seen + 12 * HOUR + 1);
    await refused(h, reduce, ...NOT_POSITIVE, h.priceOracle);
  });

  it("OR-3 has a last good price from its listing on: both can reduce at it, at no other, and neither can open", async () => {
    const h = await freshHouse();
    for (const who of [h.alice, h.bob]) await h.fund(who, { cash: "10000" });
    const feed = await new MockV3Aggregator__factory(h.deployer).deploy(8, 2_000n * 10n ** 8n);
    const guards = { heartbeat: 24 * HOUR, decimals: 0, minPrice: wad("1"), maxPrice: wad("100000") };
    await h.priceOracle.setFeed(7, { aggregator: feed, ...guards });
    await h.riskEngine.setUnderlyingRisk(7, await underlyingParams(h, ETH));
    await h.clearingHouse.setMarket(2, { ...(await marketParams(h, ETH)), underlying: 7 });
    await deal(h, [h.bob, h.alice], "5", "2000", { market: 2 });
    await feed.updateAnswer(0n);
    await refused(h, () => deal(h, [h.bob, h.alice], "-1", "2001", { market: 2 }), "PriceOutOfBand");
    await refused(h, () => deal(h, [h.bob, h.alice], "1", "2000", { market: 2 }), "NotReducing");
    await deal(h, [h.bob, h.alice], "-1", "2000", { market: 2 });
    expect((await positionOf(h, main(h.alice), 2)).size).to.equal(wad("4"));
  });

  it("OR-3 is not settled, and nothing accrues in it", async () => {
    const h = await blinded();
    const ch = h.clearingHouse;
    await refused(h, () => ch.settle(ETH, [main(h.alice)]), ...NOT_POSITIVE, h.priceOracle);
    await refused(h, () => ch.accrueFunding(ETH), ...NOT_POSITIVE, h.priceOracle);
    await refused(h, () => ch.connect(h.alice).claim(main(h.alice), ETH, 1n), ...NOT_POSITIVE, h.priceOracle);
    // In other markets all goes on, for those who hold nothing in this one.
    await h.fund(h.dave, { cash: "10000" });
    await deal(h, [h.carol, h.dave], "0.01", "30000", { market: BTC });
    await ch.settle(BTC, [main(h.carol), main(h.dave)]);
    expect(await cashOf(h, main(h.dave))).to.equal(wad("9999.85")); // the fee
  });

  it("OR-3 who has a position in it can bring in and not take out; who is flat leaves", async () => {
    const h = await blinded();
    const a = h.clearingHouse.connect(h.alice);
    const id = main(h.alice);
    await h.fund(h.alice, { cash: "5", weth: "1" });
    await refused(h, () => a.withdraw(id, h.usdc, 1n, h.alice), ...NOT_POSITIVE, h.priceOracle);
    await refused(h, () => a.withdraw(id, h.weth, wad("1"), h.alice), ...NOT_POSITIVE, h.priceOracle);
    await refused(h, () => a.transfer(id, id + 1n, h.usdc, 1n), ...NOT_POSITIVE, h.priceOracle);
    await refused(h, () => a.lend(id, 1n), ...NOT_POSITIVE, h.priceOracle);
    const elsewhere = () => deal(h, [h.carol, h.alice], "0.01", "30000", { market: BTC });
    await refused(h, elsewhere, "InsufficientMargin"); // opening is worse than not opening
    const c = h.clearingHouse.connect(h.carol);
    await h.fund(h.carol, { weth: "1" });
    await c.withdraw(main(h.carol), h.weth, wad("1"), h.carol);
    await c.withdraw(main(h.carol), h.usdc, usdc("10000"), h.carol);
    // Once Alice has closed at 2,000, what she owes needs no price any more.
    await deal(h, [h.bob, h.alice], "-5", "2000");
    await a.withdraw(id, h.usdc, usdc("9000"), h.alice);
    expect(await h.clearingHouse.positionPnl(id, ETH)).to.equal(wad("-10")); // two fees
    expect(await cashOf(h, id)).to.equal(wad("1005"));
  });
});

describe("liquidation without all prices", () => {
  it("OR-2 OR-3 who is below MM even at the kindest price is liquidated, but for what has no price", async () => {
    const h = await mixed("27100");
    await blind(h, ETH);
    const id = main(h.alice);
    // E = 84 + 190 = 274; MM = 60.0016 + 813 + 0.146882
    const flagged = h.clearingHouse.connect(h.carol).flag(id);
    await expect(flagged)
      .to.emit(h.clearingHouse, "Flagged")
      .withArgs(id, h.carol.address, wad("274"), initial("27100"), wad("873.148482"), 0n);
    // The rest adds 813.146882 to MM: a tenth at 5 % costs 4.06573441 and a little for a second on the clock.
    const discount = wad("0.05") + wad("0.55") / 180n;
    const cost = (discount * 813_146_882n + 10n ** 7n - 1n) / 10n ** 7n;
    await after(h, 1, () => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), TENTH));
    expect(await positionOf(h, id, ETH)).to.deep.equal({ size: wad("1"), quote: wad("-2001") });
    expect((await positionOf(h, id, BTC)).size).to.equal(wad("0.9"));
    expect((await positionOf(h, main(h.carol), ETH)).size).to.equal(0n);
    expect((await positionOf(h, main(h.carol), BTC)).size).to.equal(wad("0.1"));
    // The loss of 2,915 in BTC was settled from the 3,000, and the cost came out of the rest.
    expect(await cashOf(h, id)).to.equal(wad("85") - cost);
    // The auction goes on: nobody knows whether the account has recovered.
    expect((await h.clearingHouse.auction(id)).clock).to.equal(1n);
  });

  it("OR-3 a slice of the rest is as large as is needed to land at IM", async () => {
    const h = await mixed("27100");
    await blind(h, ETH);
    const id = main(h.alice);
    // After f of BTC: E = 274 − f · 5 % · 813.15 ≥ φ · (60.0016 + 813.15 · (1 − f)) at f = (φ · 873.15 − 274) / (φ · 813.15 − 40.66)
    // = (1,455.25 − 274) / (1,355.25 − 40.66) = 0.8986, found to 1/4096
    await h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    const sold = (await positionOf(h, main(h.carol), BTC)).size;
    expect(sold).to.be.within(wad("0.898"), wad("0.899"));
  });

  it("OR-3 who is not is not, and his clock stands still", async () => {
    const h = await mixed("27500"); // E = 484, MM = 60.0016 + 825 + 0.15125
    const id = main(h.alice);
    const flag = () => h.clearingHouse.flag(id);
    await flag();
    await after(h, 30, flag);
    await blind(h, ETH);
    await h.setPrice(BTC, "27800"); // E = 784 + 190 = 974 ≥ MM = 60.0016 + 834 + 0.154568; without the kindness it is below
    const args = [id, wad("974"), wad("894.156168")];
    await h.networkHelpers.time.increase(45);
    await refused(h, flag, "NotLiquidatable", args);
    const take = () => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    await refused(h, take, "NotLiquidatable", args);
    expect((await h.clearingHouse.auction(id)).clock).to.equal(30n);
    // The price is back: the clock goes on by 60 s at most, and d with it.
    await h.setPrice(ETH, "2000");
    await after(h, 500, flag);
    expect((await h.clearingHouse.auction(id)).clock).to.equal(90n);
  });

  it("OR-3 if nothing has a price, nothing can be sold", async () => {
    const h = await blinded();
    await h.setPrice(ETH, "1");
    await h.setPrice(ETH, "0"); // the last good price is 2,000
    const id = main(h.alice);
    const take = () => h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    await refused(h, take, "NotLiquidatable", [id, wad("10945"), wad("300.04")]); // 9,995 + 5 · 190
  });
});

describe("a collateral without a price", () => {
  it("OR-2 XAC-3 counts zero for opening and withdrawing, and may leave", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { cash: "500", wbtc: "1" });
    await h.fund(h.bob, { cash: "100000" });
    await blind(h, BTC);
    await deal(h, [h.bob, h.alice], "1", "2000"); // IM = φ · 60.0016
    const a = h.clearingHouse.connect(h.alice);
    // 4 more need φ · (300 + 0.04) of 500 − 5 − fee
    const open = () => deal(h, [h.bob, h.alice], "4", "2000");
    await refused(h, open, "InsufficientMargin", [id, wad("495"), wad("500.06666676668")]);
    const out = (amount: string) => () => a.withdraw(id, h.usdc, usdc(amount), h.alice);
    await refused(h, out("398.997334"), "InsufficientMargin", [id, wad("100.002666"), wad("100.0026666866672")]);
    await out("398.997333")();
    await a.withdraw(id, h.wbtc, 100_000_000n, h.alice);
    expect(await h.wbtc.balanceOf(h.alice)).to.equal(100_000_000n);
  });

  it("XAC-3 a speck of it protects nobody: it counts at its kindest and stays", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { cash: "1000", wbtc: "0.001" });
    for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "5", "2000");
    await blind(h, BTC);
    await h.setPrice(ETH, "1850");
    // E = 245 + 30 · 1.09 = 277.7; MM = 277.534225 + 32.7 · (3 % + 7 %) + 32.7 · 2 % · 32.7/100,000,000
    await expect(h.clearingHouse.flag(id))
      .to.emit(h.clearingHouse, "Flagged")
      .withArgs(id, h.deployer.address, wad("277.7"), initialWithSpeck(), wad("280.804225213858"), 0n);
    await h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    expect(await h.clearingHouse.collateralBalance(id, WBTC)).to.equal(wad("0.001"));
    expect(await h.clearingHouse.collateralBalance(main(h.carol), WBTC)).to.equal(0n);
    expect((await positionOf(h, id, ETH)).size).to.be.lessThan(wad("5"));
  });

  it("XAC-3 saves who is above MM with it, until it has a price again", async () => {
    const h = await freshHouse();
    const id = await h.fund(h.alice, { cash: "1000", wbtc: "0.01" }); // 300
    for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "5", "2000");
    await blind(h, BTC);
    await h.setPrice(ETH, "1850");
    // E = 245 + 327 = 572 ≥ MM = 277.534225 + 327 · 10 % + 327 · 2 % · 327/100,000,000
    await refused(h, () => h.clearingHouse.flag(id), "NotLiquidatable", [id, wad("572"), wad("310.2342463858")]);
    await h.setPrice(BTC, "3000");
    // E = 245 + 30 = 275 < MM = 277.534225 + 3 + …
    await expect(h.clearingHouse.flag(id)).to.emit(h.clearingHouse, "Flagged");
    expect(await h.clearingHouse.collateralBalance(id, WETH)).to.equal(0n);
  });
});

/** φ · (60.0016 + B · 3 % + B · 2 % · B/100,000,000), each part rounded up. */
function initial(btc: string): bigint {
  const phi = 1_666_666_667n;
  const scale = 10n ** 9n;
  const up = (x: bigint) => (x * phi + scale - 1n) / scale;
  const b = wad(btc);
  return up(wad("60") + (b * 3n) / 100n) + up(wad("0.0016")) + up((b * b * 2n) / (100n * wad("100000000")));
}

/** φ · (277.5 + 0.981) + 32.7 · 10 %, and φ of both charges for size: 0.034225 and 0.000000213858. */
function initialWithSpeck(): bigint {
  const phi = 1_666_666_667n;
  const up = (x: bigint) => (x * phi + 10n ** 9n - 1n) / 10n ** 9n;
  return up(wad("278.481")) + wad("3.27") + up(wad("0.034225")) + up(wad("0.000000213858"));
}
