import { expect } from "chai";
import { AbiCoder, ZeroAddress } from "ethers";

import { EACAggregatorProxy__factory, MockFeed__factory, MockV3Aggregator__factory } from "../../types/index.ts";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { deal, main, refused, usdc } from "../helpers/unit.ts";

const DAY = 86_400;
const NEUTRAL = 1_000_000n; // both factors [ppm]

/** A snapshot: price | factor of IM << 128 | factor of MM << 160. */
const snapshot = (price: string) => wad(price) | (NEUTRAL << 128n) | (NEUTRAL << 160n);

/** A round of a feed, as the five words of `latestRoundData`. */
const round = (...words: bigint[]) => AbiCoder.defaultAbiCoder().encode(Array(words.length).fill("int256"), words);

/** Everything that cannot do without the price of ETH is refused with the same error, and nothing changes. */
async function everybodyRefuses(h: Fixture, error: string, args?: unknown[]): Promise<void> {
  const [ch, oracle] = [h.clearingHouse, h.priceOracle];
  await refused(h, () => oracle.latest(ETH), error, args, oracle);
  await refused(h, () => ch.assess(main(h.alice)), error, args, oracle);
  await refused(h, () => ch.settle(ETH, [main(h.alice)]), error, args, oracle);
  await refused(h, () => ch.accrueFunding(ETH), error, args, oracle);
  await refused(h, () => ch.connect(h.alice).withdraw(main(h.alice), h.usdc, 1n, h.alice), error, args, oracle);
  await refused(h, () => ch.absorb(main(h.alice)), error, args, oracle);
  await refused(h, () => ch.health(main(h.alice)), error, args, oracle);
  await refused(h, () => ch.liquidationPrices(main(h.alice), ETH), error, args, oracle);
}

/** Alice is long 1 ETH with 10,000 of cash. */
async function traded(): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "10000" });
  await h.fund(h.bob, { cash: "10000" });
  await deal(h, [h.bob, h.alice], "1", "2000");
  return h;
}

describe("the house without a usable price", () => {
  it("OR-1 OR-3 refuses a stale or frozen price: everything that needs it stops, cash and flat accounts move", async () => {
    const h = await traded();
    await h.fund(h.carol, { cash: "100", weth: "1" });
    const feed = h.feeds[ETH];
    const updatedAt = await feed.latestTimestamp();
    await h.networkHelpers.time.increaseTo(updatedAt + BigInt(DAY));
    expect(await h.priceOracle.latest(ETH)).to.equal(snapshot("2000")); // as old as its heartbeat
    await h.networkHelpers.time.increase(1);
    await everybodyRefuses(h, "PriceStale", [ETH, updatedAt, BigInt(DAY)]);
    // A feed that is frozen answers the same round for ever; asking for it again makes it no younger.
    await h.networkHelpers.time.increase(DAY);
    await everybodyRefuses(h, "PriceStale", [ETH, updatedAt, BigInt(DAY)]);
    await h.usdc.mint(h.bob, usdc("5"));
    await h.usdc.connect(h.bob).approve(h.vault, usdc("5"));
    await h.clearingHouse.connect(h.bob).deposit(main(h.alice), h.usdc, usdc("5"));
    const carol = h.clearingHouse.connect(h.carol);
    await carol.withdraw(main(h.carol), h.weth, wad("1"), h.carol);
    await carol.withdraw(main(h.carol), h.usdc, usdc("100"), h.carol);
    await h.pass(1);
    expect((await h.clearingHouse.assess(main(h.alice))).equity).to.equal(wad("10004")); // 10,000 − 1 + 5
  });

  it("OR-1 refuses zero, negative, incomplete and future rounds and prices out of bounds", async () => {
    const h = await traded();
    const feed = h.feeds[ETH];
    for (const answer of [0n, -1n, -(2n ** 191n)]) {
      await feed.updateAnswer(answer);
      await everybodyRefuses(h, "PriceNotPositive", [ETH, answer]);
    }
    await feed.updateAnswer(99_999_999n); // 0.99999999
    await everybodyRefuses(h, "PriceOutOfBounds", [ETH, wad("0.99999999"), wad("1"), wad("100000")]);
    await feed.updateAnswer(100_000n * 10n ** 8n + 1n);
    await everybodyRefuses(h, "PriceOutOfBounds", [ETH, wad("100000.00000001"), wad("1"), wad("100000")]);
    await feed.updateAnswer(2n ** 255n - 1n); // too large to be scaled: as it is
    await everybodyRefuses(h, "PriceOutOfBounds", [ETH, 2n ** 255n - 1n, wad("1"), wad("100000")]);
    await feed.updateRoundData(7, 2_000n * 10n ** 8n, 0, 1);
    await everybodyRefuses(h, "PriceRoundIncomplete", [ETH, 7n, 0n]);
    await feed.updateRoundData(0, 2_000n * 10n ** 8n, 1, 1);
    await everybodyRefuses(h, "PriceRoundIncomplete", [ETH, 0n, 1n]);
    const future = (await h.networkHelpers.time.latest()) + DAY;
    await feed.updateRoundData(8, 2_000n * 10n ** 8n, future, 1);
    await everybodyRefuses(h, "PriceRoundIncomplete", [ETH, 8n, BigInt(future)]);
  });

  it("OR-1 refuses feeds that revert, answer too little or no contract at all", async () => {
    const h = await traded();
    const feed = await new MockFeed__factory(h.deployer).deploy();
    const aggregator = await feed.getAddress();
    await h.priceOracle.setFeed(ETH, {
      aggregator,
      heartbeat: DAY,
      decimals: 8,
      minPrice: wad("1"),
      maxPrice: wad("100000"),
    });
    await everybodyRefuses(h, "FeedUnreadable", [ETH, aggregator]); // answers nothing
    await feed.fail();
    await everybodyRefuses(h, "FeedUnreadable", [ETH, aggregator]);
    const now = BigInt(await h.networkHelpers.time.latest());
    await feed.setAnswer(round(1n, 2_000n * 10n ** 8n, now, now)); // a word too few
    await everybodyRefuses(h, "FeedUnreadable", [ETH, aggregator]);
    await feed.setAnswer(round(1n, 2_000n * 10n ** 8n, now, now, 1n));
    expect(await h.priceOracle.latest(ETH)).to.equal(snapshot("2000"));
    await refused(h, () => h.priceOracle.latest(9), "UnknownFeed", [9n], h.priceOracle);
  });

  it("reads Chainlink's own proxy, follows it to a new aggregator and guards what comes through it", async () => {
    const h = await traded();
    const proxy = await new EACAggregatorProxy__factory(h.deployer).deploy(h.feeds[ETH], ZeroAddress);
    const guards = { heartbeat: DAY, decimals: 0, minPrice: wad("1"), maxPrice: wad("100000") };
    await h.priceOracle.setFeed(ETH, { aggregator: proxy, ...guards });
    expect((await h.priceOracle.feedOf(ETH)).decimals).to.equal(8n);
    expect(await h.priceOracle.latest(ETH)).to.equal(snapshot("2000"));
    await h.setPrice(ETH, "2100");
    await deal(h, [h.bob, h.alice], "-1", "2100");
    const next = await new MockV3Aggregator__factory(h.deployer).deploy(8, 2_200n * 10n ** 8n);
    await proxy.proposeAggregator(next);
    expect(await h.priceOracle.latest(ETH)).to.equal(snapshot("2100"));
    await proxy.confirmAggregator(next);
    expect(await h.priceOracle.latest(ETH)).to.equal(snapshot("2200"));
    await next.updateAnswer(0n);
    await refused(h, () => h.priceOracle.latest(ETH), "PriceNotPositive", [ETH, 0n], h.priceOracle);
  });
});
