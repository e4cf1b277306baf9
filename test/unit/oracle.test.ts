import { expect } from "chai";
import { AbiCoder, encodeBytes32String, ZeroAddress } from "ethers";
import type { AddressLike, ContractTransactionResponse } from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { parseAmount, parseWad as wad } from "../../src/sdk/units.ts";
import {
  AccessManager__factory,
  EACAggregatorProxy__factory,
  MockFeed__factory,
  MockV3Aggregator__factory,
  PriceOracle__factory,
} from "../../types/index.ts";
import type { MockV3Aggregator, PriceOracle } from "../../types/index.ts";

const ETH = 0;
const WSTETH = 2;
const HOUR = 3_600;
const DAY = 86_400;
const YEAR = 31_536_000;
const ONE = 1_000_000n; // μ = 1 [ppm]
const BOUNDS = { minPrice: wad("100"), maxPrice: wad("100000") };
const FEED = { heartbeat: HOUR, decimals: 99, ...BOUNDS }; // the decimals given are ignored
const SECOND = { heartbeat: 2 * HOUR, decimals: 99, maxDeviation: 20_000 }; // 2 %
const REGIME = { referenceVolatility: 1_000_000, averaging: DAY, maxFactor: 3_000_000, maxStep: 250_000 };

/** An answer of a feed of 8 decimals. */
const answer = (price: string): bigint => parseAmount(price, 8);

/** A snapshot: price | factor of IM << 128 | factor of MM << 160. */
const snapshot = (price: string, initial = ONE, maintenance = ONE) =>
  wad(price) | (initial << 128n) | (maintenance << 160n);

/** The two factors of a snapshot [ppm]. */
const factors = (word: bigint) => ({
  initial: (word >> 128n) & 0xffffffffn,
  maintenance: (word >> 160n) & 0xffffffffn,
});

/** A round of a feed, as the five words of `latestRoundData`. */
const round = (...words: bigint[]) => AbiCoder.defaultAbiCoder().encode(Array(words.length).fill("int256"), words);

/** σ² per second after rounds of [price, seconds since the one before], in doubles. */
function variance(rounds: [price: number, elapsed: number][], averaging = DAY): number {
  let [v, last] = [0, rounds[0]![0]];
  for (const [price, elapsed] of rounds.slice(1)) {
    const r = Math.log(price / last);
    const kept = Math.exp(-elapsed / averaging);
    v = elapsed === 0 ? v + r ** 2 / averaging : v * kept + (r ** 2 / elapsed) * (1 - kept);
    last = price;
  }
  return v;
}

/** σ / σ_ref for σ_ref = 100 % a year [ppm]. */
const sigma = (v: number): number => Math.sqrt(v * YEAR) * 1e6;

/** Asserts that two numbers are no further apart than `tolerance`. */
function near(value: number | bigint, expected: number, tolerance: number): void {
  expect(Math.abs(Number(value) - expected), `${value.toString()} !~ ${expected}`).to.be.at.most(tolerance);
}

/** Asserts fields of a struct. */
function has<T extends object>(struct: T, fields: Partial<T>): void {
  for (const key of Object.keys(fields) as (keyof T)[]) expect(struct[key], String(key)).to.equal(fields[key]);
}

let shared: Promise<NetworkConnection> | undefined;

/** An oracle with one feed of 8 decimals for ETH, at 2,000. */
async function deployOracle(connection: NetworkConnection) {
  const { ethers, networkHelpers } = connection;
  const [deployer, stranger] = await ethers.getSigners();
  const manager = await new AccessManager__factory(deployer).deploy(deployer!);
  const uptime = await new MockV3Aggregator__factory(deployer).deploy(0, 0);
  const oracle = await new PriceOracle__factory(deployer).deploy(manager, ZeroAddress, 0);
  const onRollup = await new PriceOracle__factory(deployer).deploy(manager, uptime, HOUR);
  const feed = await new MockV3Aggregator__factory(deployer).deploy(8, answer("2000"));
  await oracle.setFeed(ETH, { aggregator: feed, ...FEED });
  await onRollup.setFeed(ETH, { aggregator: feed, ...FEED });
  const time = networkHelpers.time;

  /** A feed of 8 decimals with an answer. */
  const newFeed = (price: string) => new MockV3Aggregator__factory(deployer).deploy(8, answer(price));

  /** A feed that can be told to answer anything. */
  const anyFeed = async () => {
    const odd = await new MockFeed__factory(deployer).deploy();
    return { odd, address: await odd.getAddress() };
  };

  /** A new round at `price`, `elapsed` seconds after the feed's last one, or in the next block if that is later. */
  async function publish(price: string | number, elapsed = 1, to: MockV3Aggregator = feed) {
    const [due, next] = [Number(await to.latestTimestamp()) + elapsed, (await time.latest()) + 1];
    await time.setNextBlockTimestamp(Math.max(due, next));
    await to.updateAnswer(answer(String(price)));
  }

  /** Asserts that the price of ETH is refused. */
  async function refuses(error: string, args: unknown[], of: PriceOracle = oracle) {
    await expect(of.latest(ETH))
      .to.be.revertedWithCustomError(of, error)
      .withArgs(...args);
  }

  return {
    ethers,
    time,
    deployer,
    stranger,
    manager,
    uptime,
    oracle,
    onRollup,
    feed,
    newFeed,
    anyFeed,
    publish,
    refuses,
  };
}

async function freshOracle() {
  return (await (shared ??= network.create())).networkHelpers.loadFixture(deployOracle);
}

/** An oracle with the default regime, its first round observed and its estimator empty. */
async function withRegime() {
  const h = await freshOracle();
  await h.oracle.setRegime(ETH, REGIME);
  await h.publish("2000");
  await h.oracle.observe(ETH, 10);
  return h;
}

describe("PriceOracle: guards", () => {
  it("reads a price in 18 decimals, whatever the feed's", async () => {
    const { oracle, deployer } = await freshOracle();
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000"));
    for (const decimals of [0, 6, 18, 24, 36]) {
      const feed = await new MockV3Aggregator__factory(deployer).deploy(decimals, 1234n * 10n ** BigInt(decimals));
      await expect(oracle.setFeed(5, { aggregator: feed, ...FEED })).to.emit(oracle, "FeedSet");
      const set = [await feed.getAddress(), BigInt(HOUR), BigInt(decimals), ...Object.values(BOUNDS)];
      expect(await oracle.feedOf(5)).to.deep.equal(set);
      expect(await oracle.latest(5)).to.equal(snapshot("1234"));
    }
    await expect(oracle.latest(9)).to.be.revertedWithCustomError(oracle, "UnknownFeed").withArgs(9);
  });

  it("OR-1 OR-5 a frozen feed is stale one second after its own heartbeat", async () => {
    const { oracle, feed, time, refuses } = await freshOracle();
    const updatedAt = await feed.latestTimestamp();
    await time.increaseTo(updatedAt + BigInt(HOUR));
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000")); // as old as its heartbeat
    await time.increase(1);
    await refuses("PriceStale", [ETH, updatedAt, HOUR]);
    await time.increase(DAY);
    await refuses("PriceStale", [ETH, updatedAt, HOUR]);
  });

  it("OR-1 OR-5 refuses zero, negative, incomplete and future rounds and round zero", async () => {
    const { feed, time, refuses } = await freshOracle();
    for (const bad of [0n, -1n, -(2n ** 191n), -(2n ** 255n)]) {
      await feed.updateAnswer(bad);
      await refuses("PriceNotPositive", [ETH, bad]);
    }
    await feed.updateRoundData(7, answer("2000"), 0, 1);
    await refuses("PriceRoundIncomplete", [ETH, 7, 0]);
    await feed.updateRoundData(0, answer("2000"), 1, 1);
    await refuses("PriceRoundIncomplete", [ETH, 0, 1]);
    const future = (await time.latest()) + DAY;
    await feed.updateRoundData(8, answer("2000"), future, 1);
    await refuses("PriceRoundIncomplete", [ETH, 8, future]);
  });

  it("OR-1 OR-5 refuses a jump out of the sanity bounds, both inclusive", async () => {
    const { oracle, publish, feed, refuses } = await freshOracle();
    const bounds = Object.values(BOUNDS);
    for (const price of ["100", "100000"]) {
      await publish(price);
      expect(await oracle.latest(ETH)).to.equal(snapshot(price));
    }
    for (const price of ["99.99999999", "100000.00000001", "200000000"]) {
      await publish(price);
      await refuses("PriceOutOfBounds", [ETH, wad(price), ...bounds]);
    }
    await feed.updateAnswer(2n ** 255n - 1n); // too large to be scaled: as it is
    await refuses("PriceOutOfBounds", [ETH, 2n ** 255n - 1n, ...bounds]);
  });

  it("OR-5 refuses feeds that revert, answer too little, or are no contract", async () => {
    const { oracle, anyFeed, time, refuses } = await freshOracle();
    const { odd, address } = await anyFeed();
    await oracle.setFeed(ETH, { aggregator: address, ...FEED });
    await refuses("FeedUnreadable", [ETH, address]); // answers nothing
    await odd.fail();
    await refuses("FeedUnreadable", [ETH, address]);
    const now = BigInt(await time.latest());
    await odd.setAnswer(round(1n, answer("2000"), now, now)); // a word too few
    await refuses("FeedUnreadable", [ETH, address]);
    await odd.setAnswer(round(2n ** 80n, answer("2000"), now, now, 1n)); // no round id of Chainlink's
    await refuses("PriceRoundIncomplete", [ETH, 2n ** 80n, now]);
    await odd.setAnswer(round(1n, answer("2000"), now, 2n ** 256n - 1n - 2n ** 255n, 1n)); // the largest number there is
    await refuses("PriceRoundIncomplete", [ETH, 1n, 2n ** 255n - 1n]);
    await odd.setAnswer(round(2n ** 80n - 1n, answer("2000"), now, now, 1n, 1n)); // a word too many does no harm
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000"));
    for (const nobody of [ZeroAddress, "0x00000000000000000000000000000000000000A1"]) {
      await expect(oracle.setFeed(ETH, { aggregator: nobody, ...FEED }))
        .to.be.revertedWithCustomError(oracle, "FeedUnreadable")
        .withArgs(ETH, nobody);
    }
  });

  it("OR-5 a feed that burns all gas costs no more than its share", async () => {
    const { oracle, anyFeed, refuses } = await freshOracle();
    const { odd, address } = await anyFeed();
    await oracle.setFeed(ETH, { aggregator: address, ...FEED });
    await odd.burn();
    await refuses("FeedUnreadable", [ETH, address]);
    const receipt = await (await oracle.observe(ETH, 10, { gasLimit: 10_000_000 })).wait();
    expect(receipt!.gasUsed).to.be.lessThan(600_000n);
  });

  it("OR-5 changed decimals are caught by the sanity bounds, and refused by observe", async () => {
    const { oracle, anyFeed, time, refuses } = await freshOracle();
    const { odd, address } = await anyFeed();
    await oracle.setFeed(ETH, { aggregator: address, ...FEED });
    await oracle.setRegime(ETH, REGIME);
    const now = BigInt(await time.latest());
    await odd.setAnswer(round(1n, answer("2000"), now, now, 1n));
    await oracle.observe(ETH, 1);
    const before = await oracle.volatilityOf(ETH);
    await odd.setDecimals(18);
    await odd.setAnswer(round(2n, wad("2000"), now, now, 2n));
    await refuses("PriceOutOfBounds", [ETH, wad("20000000000000"), ...Object.values(BOUNDS)]); // 2000e18 with 8 decimals
    await expect(oracle.observe(ETH, 1)).to.be.revertedWithCustomError(oracle, "FeedUnreadable").withArgs(ETH, address);
    expect(await oracle.volatilityOf(ETH)).to.deep.equal(before);
    expect((await oracle.lastGood(ETH)).snapshot).to.equal(snapshot("2000"));
    await oracle.setFeed(ETH, { aggregator: address, ...FEED }); // the remedy
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000"));
  });

  it("reads Chainlink's own proxy and follows it to a new aggregator", async () => {
    const { oracle, feed, newFeed, deployer, publish, refuses } = await freshOracle();
    const proxy = await new EACAggregatorProxy__factory(deployer).deploy(feed, ZeroAddress);
    await oracle.setFeed(ETH, { aggregator: proxy, ...FEED });
    await publish("2100");
    const next = await newFeed("2200");
    await proxy.proposeAggregator(next);
    expect(await oracle.latest(ETH)).to.equal(snapshot("2100"));
    await proxy.confirmAggregator(next);
    expect(await oracle.latest(ETH)).to.equal(snapshot("2200"));
    await next.updateAnswer(0);
    await refuses("PriceNotPositive", [ETH, 0]);
  });

  it("OR-1 holds the price against a second source, to the ppm", async () => {
    const { oracle, newFeed, publish, refuses, deployer } = await freshOracle();
    const second = await newFeed("2000");
    await expect(oracle.setSecondSource(ETH, { aggregator: second, ...SECOND })).to.emit(oracle, "SecondSourceSet");
    expect((await oracle.secondSourceOf(ETH)).decimals).to.equal(8);
    for (const price of ["1960", "2040"]) {
      await publish(price);
      expect(await oracle.latest(ETH)).to.equal(snapshot(price)); // 2 % of 2,000
    }
    for (const price of ["1959.99999999", "2040.00000001"]) {
      await publish(price);
      await refuses("PriceDeviates", [ETH, wad(price), wad("2000"), SECOND.maxDeviation]);
    }
    await publish("2000");
    for (const bad of [0n, -1n]) {
      await second.updateAnswer(bad);
      await refuses("PriceDeviates", [ETH, wad("2000"), 0, SECOND.maxDeviation]);
    }
    await second.updateAnswer(2n ** 255n - 1n);
    await refuses("PriceDeviates", [ETH, wad("2000"), 2n ** 255n - 1n, SECOND.maxDeviation]);
    const fine = await new MockV3Aggregator__factory(deployer).deploy(18, wad("2000"));
    await oracle.setSecondSource(ETH, { aggregator: fine, ...SECOND });
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000"));
    // A new feed keeps its second source; without an address it is removed.
    await oracle.setFeed(ETH, { aggregator: second, ...FEED });
    await second.updateAnswer(answer("3000"));
    await refuses("PriceDeviates", [ETH, wad("3000"), wad("2000"), SECOND.maxDeviation]);
    await oracle.setSecondSource(ETH, { aggregator: ZeroAddress, ...SECOND });
    expect(await oracle.latest(ETH)).to.equal(snapshot("3000"));
    expect((await oracle.secondSourceOf(ETH)).heartbeat).to.equal(0);
  });

  it("OR-1 an unusable second source is a deviation: unreadable, incomplete, stale", async () => {
    const { oracle, feed, anyFeed, time, refuses } = await freshOracle();
    const { odd, address } = await anyFeed();
    await oracle.setSecondSource(ETH, { aggregator: address, ...SECOND });
    const unusable = [ETH, wad("2000"), 0, SECOND.maxDeviation];
    await refuses("PriceDeviates", unusable);
    await odd.fail();
    await refuses("PriceDeviates", unusable);
    const now = BigInt(await time.latest());
    for (const words of [
      [1n, answer("2000"), now, 0n, 1n],
      [0n, answer("2000"), now, now, 1n],
      [1n, answer("2000"), now],
    ]) {
      await odd.setAnswer(round(...words));
      await refuses("PriceDeviates", unusable);
    }
    await odd.setAnswer(round(1n, answer("2000"), now, now, 1n));
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000"));
    await time.setNextBlockTimestamp(now + BigInt(2 * HOUR)); // as old as its own heartbeat
    await feed.updateAnswer(answer("2000"));
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000"));
    await feed.updateAnswer(answer("2000"));
    await refuses("PriceDeviates", unusable);
  });

  it("OR-1 waits for the sequencer and its grace period", async () => {
    const { onRollup, uptime, time, publish, refuses } = await freshOracle();
    expect(await onRollup.sequencerFeed()).to.equal(await uptime.getAddress());
    expect(await onRollup.gracePeriod()).to.equal(HOUR);
    const start = await uptime.latestTimestamp(); // up since then
    await time.increaseTo(start + BigInt(HOUR) - 1n);
    await refuses("SequencerGracePeriod", [start, HOUR], onRollup);
    await publish("2000");
    expect(await onRollup.latest(ETH)).to.equal(snapshot("2000"));
    await uptime.updateAnswer(1);
    const since = await uptime.latestTimestamp();
    await time.increase(DAY);
    await publish("2000");
    await refuses("SequencerDown", [since], onRollup);
    await uptime.updateAnswer(0);
    await refuses("SequencerGracePeriod", [await uptime.latestTimestamp(), HOUR], onRollup);
    await uptime.updateRoundData(9, 0, 1, 0); // not initialised
    await refuses("SequencerDown", [0], onRollup);
    const future = (await time.latest()) + DAY;
    await uptime.updateRoundData(10, 0, future, future);
    await refuses("SequencerGracePeriod", [future, HOUR], onRollup);
  });

  it("OR-1 an uptime feed that cannot be read is a sequencer that is down", async () => {
    const { manager, anyFeed, deployer, feed, refuses } = await freshOracle();
    const { odd, address } = await anyFeed();
    const oracle = await new PriceOracle__factory(deployer).deploy(manager, address, 0);
    await oracle.setFeed(ETH, { aggregator: feed, ...FEED });
    await refuses("SequencerDown", [0], oracle);
    await odd.setAnswer(round(1n, 0n, 1n, 1n, 1n));
    expect(await oracle.latest(ETH)).to.equal(snapshot("2000"));
    await odd.fail();
    await refuses("SequencerDown", [0], oracle);
  });
});

describe("PriceOracle: rates", () => {
  async function withRates() {
    const h = await freshOracle();
    const [rate, market] = [await h.newFeed("1.15"), await h.newFeed("1.149")];
    const feeds = {
      rate,
      rateHeartbeat: DAY,
      rateDecimals: 99,
      market,
      marketHeartbeat: HOUR,
      marketDecimals: 99,
      maxRate: wad("1.5"),
    };
    await expect(h.oracle.setRateFeeds(WSTETH, feeds)).to.emit(h.oracle, "RateFeedsSet");
    return { ...h, rate, market, feeds };
  }

  it("XAC-1 a liquid-staking token is worth the lower of rate and market", async () => {
    const { oracle, rate, market, feeds } = await withRates();
    const set = await oracle.rateFeedsOf(WSTETH);
    expect([set.rateDecimals, set.marketDecimals, set.maxRate]).to.deep.equal([8n, 8n, wad("1.5")]);
    expect(await oracle.latestRate(WSTETH)).to.equal(wad("1.149"));
    await market.updateAnswer(answer("1.16"));
    expect(await oracle.latestRate(WSTETH)).to.equal(wad("1.15"));
    await rate.updateAnswer(answer("0.00000001"));
    expect(await oracle.latestRate(WSTETH)).to.equal(wad("0.00000001"));
    await rate.updateAnswer(answer("1.5"));
    await oracle.setRateFeeds(WSTETH, { ...feeds, market: ZeroAddress });
    expect(await oracle.latestRate(WSTETH)).to.equal(wad("1.5"));
    await expect(oracle.latestRate(3)).to.be.revertedWithCustomError(oracle, "UnknownRate").withArgs(3);
  });

  it("OR-1 OR-5 refuses a rate if either feed is unusable", async () => {
    const { oracle, rate, market, feeds, time, anyFeed } = await withRates();
    const refuses = async (feed: AddressLike, value: bigint, updatedAt: bigint | number) =>
      expect(oracle.latestRate(WSTETH))
        .to.be.revertedWithCustomError(oracle, "RateUnusable")
        .withArgs(WSTETH, feed, value, updatedAt);
    for (const feed of [rate, market]) {
      const good = await feed.latestAnswer();
      for (const bad of [0n, -1n, answer("1.50000001"), 2n ** 255n - 1n]) {
        await feed.updateAnswer(bad);
        await refuses(feed, bad, await feed.latestTimestamp());
      }
      await feed.updateRoundData(50, good, 0, 0);
      await refuses(feed, good, 0);
      await feed.updateAnswer(good);
      expect(await oracle.latestRate(WSTETH)).to.equal(wad("1.149"));
    }
    const updatedAt = await market.latestTimestamp();
    await time.increaseTo(updatedAt + BigInt(HOUR) + 1n);
    await refuses(market, answer("1.149"), updatedAt); // the rate's own heartbeat is a day
    const { odd, address } = await anyFeed();
    await oracle.setRateFeeds(WSTETH, { ...feeds, market: address });
    await refuses(address, 0n, 0);
    await odd.fail();
    await refuses(address, 0n, 0);
    const [sub, now] = [await anyFeed(), BigInt(await time.latest())];
    await sub.odd.setDecimals(24);
    await oracle.setRateFeeds(WSTETH, { ...feeds, rate: sub.address });
    await sub.odd.setAnswer(round(1n, 999_999n, now, now, 1n)); // rounds to nothing
    await refuses(sub.address, 999_999n, now);
  });

  it("OR-3 keeps the last good rate", async () => {
    const { oracle, market, time, anyFeed, feeds } = await withRates();
    expect(await oracle.lastGoodRate(WSTETH)).to.deep.equal([0n, 0n]);
    await oracle.observeRate(WSTETH);
    const seen = [wad("1.149"), BigInt(await time.latest())];
    expect(await oracle.lastGoodRate(WSTETH)).to.deep.equal(seen);
    await market.updateAnswer(0);
    await expect(oracle.observeRate(WSTETH)).to.be.revertedWithCustomError(oracle, "RateUnusable");
    expect(await oracle.lastGoodRate(WSTETH)).to.deep.equal(seen);
    await market.updateAnswer(answer("1.1"));
    await oracle.observeRate(WSTETH);
    expect(await oracle.lastGoodRate(WSTETH)).to.deep.equal([wad("1.1"), BigInt(await time.latest())]);
    for (const side of ["rate", "market"]) {
      const { odd, address } = await anyFeed();
      const now = BigInt(await time.latest());
      await odd.setAnswer(round(1n, answer("1.2"), now, now, 1n));
      await oracle.setRateFeeds(WSTETH, { ...feeds, [side]: address });
      await oracle.observeRate(WSTETH);
      await odd.setDecimals(9);
      await expect(oracle.observeRate(WSTETH))
        .to.be.revertedWithCustomError(oracle, "FeedUnreadable")
        .withArgs(WSTETH, address);
    }
  });
});

describe("PriceOracle: last good price", () => {
  it("OR-3 is the last one observed that passed every guard", async () => {
    const { oracle, publish, feed, newFeed, time } = await freshOracle();
    expect(await oracle.lastGood(ETH)).to.deep.equal([0n, 0n]);
    await oracle.observe(ETH, 0);
    const seen = [snapshot("2000"), BigInt(await time.latest())];
    expect(await oracle.lastGood(ETH)).to.deep.equal(seen);
    expect(await oracle.lastGood(7)).to.deep.equal([0n, 0n]);
    await publish("2100");
    expect(await oracle.lastGood(ETH)).to.deep.equal(seen); // nobody has seen it
    for (const price of ["0", "99", "100001"]) {
      await publish(price);
      await oracle.observe(ETH, 5);
      expect(await oracle.lastGood(ETH)).to.deep.equal(seen);
    }
    await publish("2100");
    await oracle.setSecondSource(ETH, { aggregator: await newFeed("2000"), ...SECOND });
    await oracle.observe(ETH, 5);
    expect(await oracle.lastGood(ETH)).to.deep.equal(seen);
    await oracle.setSecondSource(ETH, { aggregator: ZeroAddress, ...SECOND });
    await time.increase(HOUR);
    await oracle.observe(ETH, 5); // stale
    await feed.updateRoundData(90, answer("2100"), 0, 0);
    await oracle.observe(ETH, 5); // incomplete
    expect(await oracle.lastGood(ETH)).to.deep.equal(seen);
    await publish("2100");
    await oracle.observe(ETH, 5);
    expect(await oracle.lastGood(ETH)).to.deep.equal([snapshot("2100"), BigInt(await time.latest())]);
  });

  it("OR-3 is not kept while the sequencer is down", async () => {
    const { onRollup, time, publish } = await freshOracle();
    await onRollup.observe(ETH, 5);
    expect(await onRollup.lastGood(ETH)).to.deep.equal([0n, 0n]);
    await time.increase(HOUR);
    await publish("2000");
    await onRollup.observe(ETH, 5);
    expect((await onRollup.lastGood(ETH)).snapshot).to.equal(snapshot("2000"));
  });

  it("MM-2 carries the factors of the regime as they stand now", async () => {
    const { oracle, publish, time } = await withRegime();
    await publish("2200", 600);
    await oracle.observe(ETH, 5);
    const { target } = await oracle.volatilityOf(ETH);
    expect((await oracle.lastGood(ETH)).snapshot).to.equal(snapshot("2200", target));
    await time.increase(HOUR);
    expect((await oracle.lastGood(ETH)).snapshot).to.equal(snapshot("2200", target, 1_250_000n));
  });
});

describe("PriceOracle: volatility", () => {
  it("MM-1 is an average over time of squared log returns, over every round", async () => {
    const { oracle, publish } = await withRegime();
    const path: [number, number][] = [
      [2000, 0],
      [2020, 60],
      [2010, 3600],
      [1980, 10],
      [1980, 1200],
      [2100, 7200],
    ];
    const first = await oracle.volatilityOf(ETH);
    expect([first.variance, first.round, first.roundPrice]).to.deep.equal([0n, 2n, wad("2000")]);
    for (const [price, elapsed] of path.slice(1)) await publish(price, elapsed);
    await oracle.observe(ETH, 10);
    const state = await oracle.volatilityOf(ETH);
    near(state.variance, variance(path) * 1e18, 1e4); // of 4e11
    expect([state.round, state.roundPrice]).to.deep.equal([7n, wad("2100")]);
    near(state.target, sigma(variance(path)), 2);
  });

  it("MM-1 one round at a time, all at once or in any portions: the same variance", async () => {
    const { oracle, onRollup, publish } = await withRegime();
    await onRollup.setRegime(ETH, REGIME);
    await onRollup.observe(ETH, 1);
    for (const [i, price] of [2010, 1990, 2030, 1950, 2000, 2001].entries()) {
      await publish(price, 100 * (i + 1));
      await oracle.observe(ETH, 1);
    }
    for (const portion of [2, 3, 9]) await onRollup.observe(ETH, portion);
    const [single, portions] = [await oracle.volatilityOf(ETH), await onRollup.volatilityOf(ETH)];
    expect(single.variance).to.be.greaterThan(0n);
    for (const key of ["variance", "round", "roundPrice", "roundTime", "target"] as const) {
      expect(portions[key]).to.equal(single[key]);
    }
  });

  it("MM-1 two rounds of one second lose no movement", async () => {
    const { oracle, feed, time } = await withRegime();
    const [now, id] = [await time.latest(), Number(await feed.latestRound())];
    const times = [now, now, now];
    for (const [i, at] of times.entries()) {
      await feed.updateRoundData(id + 1 + i, answer(["2000", "2200", "2000"][i]!), at, at);
    }
    await oracle.observe(ETH, 10);
    // 2 · ln(1.1)² / 86,400
    const { variance: v } = await oracle.volatilityOf(ETH);
    near(v, (2 * Math.log(1.1) ** 2 * 1e18) / DAY, 10);
  });

  it("ATTACK-23 a zigzag of 1 % every ten minutes cannot be hidden by the choice of samples", async () => {
    const { oracle, onRollup, publish } = await withRegime();
    await onRollup.setRegime(ETH, REGIME);
    await onRollup.observe(ETH, 1);
    const rounds = 216; // 36 hours
    for (let i = 1; i <= rounds; ++i) {
      await publish(i % 2 === 1 ? 2020 : 2000, 600);
      if (i % 2 === 0) await onRollup.observe(ETH, 1_000); // only ever when the price is 2,000
    }
    await oracle.observe(ETH, 1_000);
    // ln(1.01)² / 600 · (1 − e^(−1.5)) · 31,536,000 = 2.01²
    const expected = (Math.log(1.01) ** 2 / 600) * (1 - Math.exp(-1.5)) * 1e18;
    near(Math.sqrt((expected * YEAR) / 1e18), 2.01, 0.001);
    for (const o of [oracle, onRollup]) {
      const v = Number((await o.volatilityOf(ETH)).variance);
      near(v, expected, expected / 1e4);
      near(Math.sqrt((v * YEAR) / 1e18), 2.01, 0.001);
    }
  });

  it("skips rounds that are missing, not positive, out of bounds, or older than the last", async () => {
    const { oracle, feed, time } = await withRegime();
    const [now, id] = [await time.latest(), Number(await feed.latestRound())];
    const put = (offset: number, price: string, at: number) => feed.updateRoundData(id + offset, answer(price), at, at);
    await time.increase(HOUR);
    await put(1, "2020", now + 60);
    await put(2, "0", now + 120);
    await put(3, "-2000", now + 120);
    await put(4, "99", now + 120);
    await put(5, "100001", now + 120);
    await put(6, "2000", now + 59); // a second older than round 1
    await put(7, "2000", 0); // never answered
    await put(9, "2040", now + 660); // round 8 does not exist
    await put(10, "2040", now + 10 * DAY); // in the future: waits
    expect(await oracle.observe.staticCall(ETH, 100)).to.equal(0);
    await put(10, "2040", now + 660);
    expect(await oracle.observe.staticCall(ETH, 100)).to.equal(3);
    for (let i = 0; i < 10; ++i) await oracle.observe(ETH, 1); // one by one it gets past all of them
    const state = await oracle.volatilityOf(ETH);
    expect([state.round, state.roundPrice]).to.deep.equal([BigInt(id + 10), wad("2040")]);
    const path: [number, number][] = [
      [2000, 0],
      [2020, 61],
      [2040, 600],
      [2040, 0],
    ];
    near(state.variance, variance(path) * 1e18, 1e4);
  });

  it("a feed whose rounds go backwards, or that cannot be read, moves nothing", async () => {
    const { oracle, feed, time, anyFeed } = await withRegime();
    const before = await oracle.volatilityOf(ETH);
    const now = await time.latest();
    await feed.updateRoundData(1, answer("4000"), now, now);
    await oracle.observe(ETH, 10);
    expect(await oracle.volatilityOf(ETH)).to.deep.equal(before);
    const { odd, address } = await anyFeed();
    await oracle.setFeed(ETH, { aggregator: address, ...FEED });
    await odd.fail();
    await oracle.observe(ETH, 10);
    has(await oracle.volatilityOf(ETH), { variance: before.variance, round: 0n, roundPrice: 0n });
    await expect(oracle.observe(9, 1)).to.be.revertedWithCustomError(oracle, "UnknownFeed").withArgs(9);
  });

  it("follows Chainlink's proxy through its phases", async () => {
    const { oracle, feed, newFeed, deployer, publish, time } = await withRegime();
    const proxy = await new EACAggregatorProxy__factory(deployer).deploy(feed, ZeroAddress);
    const phase = (n: number, id: number) => (BigInt(n) << 64n) | BigInt(id);
    await oracle.setFeed(ETH, { aggregator: proxy, ...FEED });
    await oracle.observe(ETH, 1);
    const anchor = await oracle.volatilityOf(ETH);
    expect(anchor.round).to.equal(phase(1, 2));
    const start = Number(anchor.roundTime);
    await publish("2020", 600); // phase 1, round 3
    // The next aggregator runs in parallel before it takes over: its first rounds are old by then.
    const next = await newFeed("5000");
    await publish("5000", 60, next);
    await publish("2000", 600); // phase 1, round 4
    const taken = Number(await feed.latestTimestamp());
    await proxy.proposeAggregator(next);
    await proxy.confirmAggregator(next);
    await publish("2020", 600, next); // phase 2, round 3
    // A phase that nobody ever saw an answer of.
    const silent = await new MockFeed__factory(deployer).deploy();
    await proxy.proposeAggregator(silent);
    await proxy.confirmAggregator(silent);
    const last = await newFeed("2000"); // phase 4, round 1
    await proxy.proposeAggregator(last);
    await proxy.confirmAggregator(last);

    expect(await oracle.observe.staticCall(ETH, 100)).to.equal(4);
    for (let i = 0; i < 20; ++i) await oracle.observe(ETH, 1);
    const state = await oracle.volatilityOf(ETH);
    expect([state.round, state.roundPrice]).to.deep.equal([phase(4, 1), wad("2000")]);
    const [third, fourth] = [Number(await next.latestTimestamp()), Number(await last.latestTimestamp())];
    const first = Number(await feed.getTimestamp(3));
    const path: [number, number][] = [
      [2000, 0],
      [2020, first - start],
      [2000, taken - first],
      [2020, third - taken],
      [2000, fourth - third],
    ];
    near(state.variance, variance(path) * 1e18, 1e4);
    expect(await time.latest()).to.be.greaterThan(fourth);
  });
});

describe("PriceOracle: regime", () => {
  /** A jump of 10 % within ten minutes: σ / σ_ref = 1.8, and the block in which it was observed. */
  async function jumped() {
    const h = await withRegime();
    await h.publish("2200", 600);
    await h.oracle.observe(ETH, 10);
    const { target } = await h.oracle.volatilityOf(ETH);
    // ln(1.1)² / 600 · (1 − e^(−600/86,400)) · 31,536,000 = 1.8177²
    near(target, 1_817_700, 100);
    return { ...h, target, seen: await h.time.latest() };
  }

  it("without a reference volatility every factor is 1", async () => {
    const { oracle, publish } = await freshOracle();
    await publish("4000");
    expect(await oracle.observe.staticCall(ETH, 10)).to.equal(0);
    await oracle.observe(ETH, 10);
    expect(await oracle.latest(ETH)).to.equal(snapshot("4000"));
    expect(await oracle.volatilityOf(ETH)).to.deep.equal([
      ONE,
      ONE,
      (await oracle.volatilityOf(ETH)).time,
      0n,
      0n,
      0n,
      0n,
    ]);
  });

  it("MM-2 a rise calls at once and takes no step of MM in its own block", async () => {
    const { oracle, target, seen, time } = await jumped();
    expect(await time.latest()).to.equal(seen);
    expect(await oracle.latest(ETH)).to.equal(snapshot("2200", target, ONE));
  });

  it("MM-2 MM moves by the stated step per hour of observed time, a silence counting as one heartbeat", async () => {
    const { oracle, target, seen, time, publish } = await jumped();
    await time.increaseTo(seen + 60);
    expect(factors(await oracle.latest(ETH)).maintenance).to.equal(ONE + 4_166n); // 250,000 / 60
    await time.increaseTo(seen + HOUR - 600);
    expect(factors(await oracle.latest(ETH)).maintenance).to.equal(ONE + 208_333n); // 50 minutes
    await publish("2200", 10 * HOUR);
    expect(await oracle.latest(ETH)).to.equal(snapshot("2200", target, 1_250_000n)); // not 2.5 hours
    await oracle.observe(ETH, 10);
    const calm = await oracle.volatilityOf(ETH);
    expect(calm.factor).to.equal(1_250_000n);
    expect(calm.target).to.be.lessThan(target);
  });

  it("MM-2 μ(t) stops at its target, up and down", async () => {
    const { oracle, target, publish, time } = await jumped();
    for (let hour = 0; hour < 5; ++hour) {
      await publish("2200", 1800);
      await oracle.observe(ETH, 10);
    }
    // Four times half an hour and five seconds of blocks: + 0.5; the target decays meanwhile.
    const rising = await oracle.volatilityOf(ETH);
    expect(rising.factor).to.be.lessThan(rising.target);
    expect(rising.target).to.be.lessThan(target);
    for (let i = 0; i < 4; ++i) {
      await publish("2200", 3000);
      await oracle.observe(ETH, 10);
    }
    const high = await oracle.volatilityOf(ETH);
    const { initial, maintenance } = factors(await oracle.latest(ETH));
    expect(maintenance).to.equal(high.factor);
    expect(initial).to.equal(high.factor > high.target ? high.factor : high.target);
    for (let i = 0; i < 30; ++i) {
      await publish("2200", DAY);
      await oracle.observe(ETH, 10);
    }
    await time.increase(HOUR);
    has(await oracle.volatilityOf(ETH), { factor: ONE, target: ONE });
  });

  it("ATTACK-13 IM never falls below MM while μ(t) comes down", async () => {
    const { oracle, publish, time } = await jumped();
    for (let i = 0; i < 8; ++i) {
      await publish("2200", 3000);
      await oracle.observe(ETH, 10);
    }
    await oracle.setRegime(ETH, { ...REGIME, referenceVolatility: 10_000_000 }); // target 1
    const { initial, maintenance } = factors(await oracle.latest(ETH));
    expect(initial).to.equal(maintenance);
    expect(maintenance).to.be.greaterThan(1_500_000n);
    await time.increase(1200);
    const later = factors(await oracle.latest(ETH));
    expect(later.initial).to.equal(later.maintenance);
    expect(maintenance - later.maintenance).to.equal(83_333n); // a third of the step
  });

  it("MM-2 observing without a new round changes nothing", async () => {
    const { oracle, time, seen } = await jumped();
    const state = await oracle.volatilityOf(ETH);
    for (let i = 0; i < 5; ++i) {
      await time.increase(300);
      await expect(oracle.observe(ETH, 10)).to.not.emit(oracle, "VolatilityObserved");
    }
    expect(await oracle.volatilityOf(ETH)).to.deep.equal(state);
    await time.increaseTo(seen + 1800);
    expect(factors(await oracle.latest(ETH)).maintenance).to.equal(1_125_000n);
  });

  it("ATTACK-23 ten hours of silence do not step in one block", async () => {
    const { oracle, publish } = await withRegime();
    await publish("3000", 10 * HOUR);
    await expect(oracle.observe(ETH, 10)).to.emit(oracle, "VolatilityObserved");
    expect(factors(await oracle.latest(ETH)).maintenance).to.equal(ONE);
    expect(factors(await oracle.latest(ETH)).initial).to.be.greaterThan(2_000_000n);
  });

  it("MM-1 the target is clamped at the largest factor", async () => {
    const { oracle, publish } = await withRegime();
    await publish("4000", 60);
    await expect(oracle.observe(ETH, 10))
      .to.emit(oracle, "VolatilityObserved")
      .withArgs(ETH, 3, (v: bigint) => v > 0n, ONE, 3_000_000);
    await oracle.setRegime(ETH, { ...REGIME, maxFactor: 2_000_000 });
    expect(await oracle.latest(ETH)).to.equal(snapshot("4000", 2_000_000n, (await oracle.volatilityOf(ETH)).factor));
  });

  it("MM-5 a new regime or feed goes on from where μ(t) stands", async () => {
    const { oracle, target, seen, time, newFeed } = await jumped();
    await time.setNextBlockTimestamp(seen + 1800);
    const regime = { ...REGIME, referenceVolatility: 900_000, maxStep: 1_000_000 };
    await expect(oracle.setRegime(ETH, regime)).to.emit(oracle, "RegimeSet");
    expect(await oracle.regimeOf(ETH)).to.deep.equal(Object.values(regime).map(BigInt));
    const state = await oracle.volatilityOf(ETH);
    expect(state.factor).to.equal(1_125_000n); // half an hour at the old step
    near(state.target, Number(target) / 0.9, 2);
    await time.setNextBlockTimestamp(seen + 1800 + 900);
    const other = await newFeed("50000"); // a quarter of an hour at the new step
    await oracle.setFeed(ETH, { aggregator: other, ...FEED, heartbeat: 2 * DAY });
    const restarted = await oracle.volatilityOf(ETH);
    near(restarted.factor, 1_375_000, 300); // one more second
    has(restarted, { target: state.target, variance: state.variance, round: 0n, roundPrice: 0n });
    // The jump from one feed to the other is no volatility.
    await oracle.observe(ETH, 10);
    const anchored = await oracle.volatilityOf(ETH);
    has(anchored, { variance: state.variance, round: 1n, roundPrice: wad("50000") });
  });

  it("MM-5 switched off it is 1 at once, and switched on it starts anew", async () => {
    const { oracle, publish, time } = await jumped();
    await time.increase(1800);
    await oracle.setRegime(ETH, { ...REGIME, referenceVolatility: 0 });
    await publish("2200");
    expect(await oracle.latest(ETH)).to.equal(snapshot("2200"));
    for (const price of ["3000", "2000", "3000"]) await publish(price, 60);
    await oracle.setRegime(ETH, REGIME);
    await oracle.observe(ETH, 100);
    has(await oracle.volatilityOf(ETH), { variance: 0n, roundPrice: wad("3000"), target: ONE });
  });
});

describe("PriceOracle: parameters", () => {
  it("MM-5 bounds every one of them", async () => {
    const { oracle, feed, deployer, manager, uptime } = await freshOracle();
    const aggregator = await feed.getAddress();
    const wide = await new MockV3Aggregator__factory(deployer).deploy(37, 1n);
    const rates = {
      rate: feed,
      rateHeartbeat: 1,
      rateDecimals: 8,
      marketHeartbeat: 1,
      marketDecimals: 8,
      maxRate: wad("2"),
    };
    type Refusal = [
      call: () => Promise<ContractTransactionResponse>,
      name: string,
      value: bigint,
      min: bigint,
      max: bigint,
    ];
    const feeds =
      (change: object, id = 0) =>
      () =>
        oracle.setFeed(id, { aggregator, ...FEED, ...change });
    const seconds = (change: object) => () => oracle.setSecondSource(ETH, { aggregator, ...SECOND, ...change });
    const rate =
      (change: object, id = 0) =>
      () =>
        oracle.setRateFeeds(id, { ...rates, market: feed, ...change });
    const regime = (change: object) => () => oracle.setRegime(ETH, { ...REGIME, ...change });
    const refusals: Refusal[] = [
      [feeds({}, 256), "underlying", 256n, 0n, 255n],
      [feeds({ heartbeat: 0 }), "heartbeat", 0n, 1n, 172_800n],
      [feeds({ heartbeat: 172_801 }), "heartbeat", 172_801n, 1n, 172_800n],
      [feeds({ aggregator: wide }), "decimals", 37n, 0n, 36n],
      [feeds({ minPrice: 0n }), "minPrice", 0n, 1n, wad("100000")],
      [feeds({ minPrice: wad("100001") }), "minPrice", wad("100001"), 1n, wad("100000")],
      [feeds({ maxPrice: wad("1000001") }), "maxPrice", wad("1000001"), wad("100"), wad("1000000")],
      [seconds({ heartbeat: 0 }), "heartbeat", 0n, 1n, 172_800n],
      [seconds({ heartbeat: 172_801 }), "heartbeat", 172_801n, 1n, 172_800n],
      [seconds({ aggregator: wide }), "decimals", 37n, 0n, 36n],
      [seconds({ maxDeviation: 0 }), "maxDeviation", 0n, 1n, 100_000n],
      [seconds({ maxDeviation: 100_001 }), "maxDeviation", 100_001n, 1n, 100_000n],
      [rate({}, 64), "collateral", 64n, 0n, 63n],
      [rate({ rateHeartbeat: 0 }), "rateHeartbeat", 0n, 1n, 172_800n],
      [rate({ rateHeartbeat: 172_801 }), "rateHeartbeat", 172_801n, 1n, 172_800n],
      [rate({ marketHeartbeat: 0 }), "marketHeartbeat", 0n, 1n, 172_800n],
      [rate({ marketHeartbeat: 172_801 }), "marketHeartbeat", 172_801n, 1n, 172_800n],
      [rate({ rate: wide }), "decimals", 37n, 0n, 36n],
      [rate({ market: wide }), "decimals", 37n, 0n, 36n],
      [rate({ maxRate: 0n }), "maxRate", 0n, 1n, wad("100")],
      [rate({ maxRate: wad("100") + 1n }), "maxRate", wad("100") + 1n, 1n, wad("100")],
      [regime({ referenceVolatility: 99_999 }), "referenceVolatility", 99_999n, 100_000n, 10_000_000n],
      [regime({ referenceVolatility: 10_000_001 }), "referenceVolatility", 10_000_001n, 100_000n, 10_000_000n],
      [regime({ averaging: 599 }), "averaging", 599n, 600n, 2_592_000n],
      [regime({ averaging: 2_592_001 }), "averaging", 2_592_001n, 600n, 2_592_000n],
      [regime({ maxFactor: 999_999 }), "maxFactor", 999_999n, 1_000_000n, 3_000_000n],
      [regime({ maxFactor: 3_000_001 }), "maxFactor", 3_000_001n, 1_000_000n, 3_000_000n],
      [regime({ maxStep: 9_999 }), "maxStep", 9_999n, 10_000n, 1_000_000n],
      [regime({ maxStep: 1_000_001 }), "maxStep", 1_000_001n, 10_000n, 1_000_000n],
    ];
    for (const [call, name, ...numbers] of refusals) {
      await expect(call(), `${name} ${numbers[0]}`)
        .to.be.revertedWithCustomError(oracle, "FeedParameterOutOfBounds")
        .withArgs(encodeBytes32String(name), ...numbers);
    }
    await expect(new PriceOracle__factory(deployer).deploy(manager, uptime, DAY + 1))
      .to.be.revertedWithCustomError(oracle, "FeedParameterOutOfBounds")
      .withArgs(encodeBytes32String("gracePeriod"), DAY + 1, 0, DAY);
    // The bounds themselves are allowed.
    for (const [call] of [
      [feeds({ heartbeat: 172_800, minPrice: 1n, maxPrice: wad("1000000") }, 255)],
      [seconds({ heartbeat: 172_800, maxDeviation: 100_000 })],
      [rate({ rateHeartbeat: 172_800, marketHeartbeat: 172_800, maxRate: wad("100") }, 63)],
      [regime({ referenceVolatility: 100_000, averaging: 600, maxFactor: 1_000_000, maxStep: 10_000 })],
      [regime({ referenceVolatility: 10_000_000, averaging: 2_592_000, maxFactor: 3_000_000, maxStep: 1_000_000 })],
    ] as const) {
      await call();
    }
  });

  it("MM-5 refuses parameters of an unknown underlying, and feeds that cannot be read", async () => {
    const { oracle, feed } = await freshOracle();
    const nobody = "0x00000000000000000000000000000000000000A1";
    const rates = { rate: feed, rateHeartbeat: 1, rateDecimals: 8, marketHeartbeat: 1, marketDecimals: 8, maxRate: 1 };
    const refusals: [() => Promise<unknown>, string, unknown[]][] = [
      [() => oracle.setRegime(9, REGIME), "UnknownFeed", [9]],
      [() => oracle.setSecondSource(9, { aggregator: feed, ...SECOND }), "UnknownFeed", [9]],
      [() => oracle.setSecondSource(ETH, { aggregator: nobody, ...SECOND }), "FeedUnreadable", [ETH, nobody]],
      [() => oracle.setRateFeeds(1, { ...rates, market: nobody }), "FeedUnreadable", [1, nobody]],
      [() => oracle.setRateFeeds(1, { ...rates, rate: ZeroAddress, market: feed }), "FeedUnreadable", [1, ZeroAddress]],
    ];
    for (const [call, error, args] of refusals) {
      await expect(call())
        .to.be.revertedWithCustomError(oracle, error)
        .withArgs(...args);
    }
  });

  it("MM-5 lets only the authority set them, and anyone observe", async () => {
    const { oracle, stranger, feed } = await freshOracle();
    const byStranger = oracle.connect(stranger);
    const rates = {
      rate: feed,
      rateHeartbeat: 1,
      rateDecimals: 8,
      market: feed,
      marketHeartbeat: 1,
      marketDecimals: 8,
    };
    for (const call of [
      () => byStranger.setFeed(ETH, { aggregator: feed, ...FEED }),
      () => byStranger.setSecondSource(ETH, { aggregator: feed, ...SECOND }),
      () => byStranger.setRateFeeds(WSTETH, { ...rates, maxRate: 1 }),
      () => byStranger.setRegime(ETH, REGIME),
    ]) {
      await expect(call()).to.be.revertedWithCustomError(oracle, "AccessManagedUnauthorized").withArgs(stranger);
    }
    await byStranger.observe(ETH, 1);
    await oracle.setRateFeeds(WSTETH, { ...rates, maxRate: wad("100"), rateHeartbeat: DAY, marketHeartbeat: DAY });
    await feed.updateAnswer(answer("1.1"));
    await byStranger.observeRate(WSTETH);
  });
});
