import { expect } from "chai";
import { AbiCoder, toBeHex, ZeroAddress, ZeroHash } from "ethers";
import type { TransactionReceipt } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import type { AccountUpkeep, HouseUpkeep } from "../../types/index.ts";
import {
  AccountUpkeep__factory,
  EACAggregatorProxy__factory,
  HouseUpkeep__factory,
  MockFeed__factory,
  MockV3Aggregator__factory,
} from "../../types/index.ts";
import { BTC, ETH, freshHouse, USDT_INDEX, wad, WETH, WSTETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import {
  ANY_TERMS,
  cashOf,
  deal,
  loansOf,
  main,
  marketOf,
  marketParams,
  positionOf,
  underlyingParams,
  usdc,
} from "../helpers/unit.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const PERFORM_GAS = 5_000_000n; // most that a registration can be given on the main network
const CHECK_GAS = 10_000_000n; // that a check is simulated with there
const HOUSE = { observeInterval: HOUR, accrueInterval: HOUR, sweepThreshold: wad("1") };
const FREE = { kink: 800_000, lowSlope: 0, highSlope: 0, reserveFactor: 0 };

const observe = (underlying: number) => BigInt(underlying);
const observeRate = (collateral: number) => 256n + BigInt(collateral);
const accrue = (market: number) => 512n + BigInt(market);
const sweepFees = (market: number) => 768n + BigInt(market);
const SWEEP_RESERVES = 1024n;

const coder = AbiCoder.defaultAbiCoder();
const encode = (jobs: readonly bigint[]) => coder.encode(["uint256[]"], [jobs]);
const page = (from: number, to: number) => coder.encode(["uint256", "uint256"], [from, to]);
const ascending = (a: bigint, b: bigint) => (a < b ? -1 : 1);

/** What `checkUpkeep` finds, in ascending order: it begins at another job in every block. */
async function due(upkeep: HouseUpkeep | AccountUpkeep, checkData = "0x"): Promise<bigint[]> {
  const [needed, performData] = await upkeep.checkUpkeep.staticCall(checkData);
  const [jobs] = coder.decode(["uint256[]"], performData) as unknown as [bigint[]];
  expect(needed).to.equal(jobs.length !== 0);
  return [...jobs].sort(ascending);
}

/** As Chainlink does: performs what the check returns, with the gas of a registration. */
async function perform(upkeep: HouseUpkeep | AccountUpkeep, checkData = "0x"): Promise<TransactionReceipt> {
  const [needed, performData] = await upkeep.checkUpkeep.staticCall(checkData);
  expect(needed).to.equal(true);
  const receipt = await (await upkeep.performUpkeep(performData, { gasLimit: PERFORM_GAS })).wait();
  return receipt!;
}

/** Performs until nothing is due any more. */
async function performAll(upkeep: HouseUpkeep | AccountUpkeep, checkData = "0x"): Promise<void> {
  while ((await due(upkeep, checkData)).length !== 0) await perform(upkeep, checkData);
}

/** Performs a list that somebody made up. An estimate of gas would be what the first job needs. */
const performList = (upkeep: HouseUpkeep | AccountUpkeep, jobs: readonly bigint[], gasLimit = 2n * PERFORM_GAS) =>
  upkeep.performUpkeep(encode(jobs), { gasLimit });

/** A house with its upkeep; whatever was due at first is done. */
async function keptHouse() {
  const h = await freshHouse();
  const upkeep = await new HouseUpkeep__factory(h.keeper).deploy(h.clearingHouse, HOUSE);
  await performAll(upkeep);
  return { h, upkeep };
}

const ratesOf = async (h: Fixture) => (await marketOf(h, ETH)).rate;

/** Replaces the feeds of underlyings by one that burns all the gas it is given. */
async function burn(h: Fixture, underlyings: readonly number[]): Promise<void> {
  const aggregator = await new MockFeed__factory(h.deployer).deploy();
  const { heartbeat, minPrice, maxPrice } = await h.priceOracle.feedOf(BTC);
  for (const id of underlyings) {
    await h.priceOracle.setFeed(id, { aggregator, heartbeat, decimals: 8, minPrice, maxPrice });
  }
  await aggregator.burn();
}

/** Lists `count` markets with underlyings of their own, at 2,000, behind Chainlink's proxy, from id 3 on. */
async function listMarkets(h: Fixture, count: number) {
  const [risk, market] = [await underlyingParams(h, ETH), await marketParams(h, ETH)];
  const { heartbeat, minPrice, maxPrice } = await h.priceOracle.feedOf(ETH);
  const { referenceVolatility, averaging, maxFactor, maxStep } = await h.priceOracle.regimeOf(ETH);
  const feeds = [];
  for (let id = 3; id < 3 + count; ++id) {
    const feed = await new MockV3Aggregator__factory(h.deployer).deploy(8, 2_000n * 10n ** 8n);
    const aggregator = await new EACAggregatorProxy__factory(h.deployer).deploy(feed, ZeroAddress);
    await h.priceOracle.setFeed(id, { aggregator, heartbeat, decimals: 8, minPrice, maxPrice });
    await h.priceOracle.setRegime(id, { referenceVolatility, averaging, maxFactor, maxStep });
    await h.riskEngine.setUnderlyingRisk(id, risk);
    await h.clearingHouse.setMarket(id, { ...market, underlying: id });
    feeds.push(feed);
  }
  return feeds;
}

describe("HouseUpkeep", () => {
  it("FSA-6 finds nothing due where nothing is, and says so if it is asked to perform all the same", async () => {
    const { upkeep } = await keptHouse();
    expect(await due(upkeep)).to.deep.equal([]);
    const every = [observe(ETH), observeRate(WSTETH), accrue(ETH), sweepFees(ETH), SWEEP_RESERVES];
    await expect(performList(upkeep, every)).to.be.revertedWithCustomError(upkeep, "NothingDue");
    for (const job of every) await expect(upkeep.perform(job)).to.be.revertedWithCustomError(upkeep, "NothingDue");
  });

  it("MM-1 observes rounds that wait, at once and only of the underlying that has them", async () => {
    const { h, upkeep } = await keptHouse();
    for (const price of ["2010", "2020", "2030"]) await h.setPrice(ETH, price);
    expect(await due(upkeep)).to.deep.equal([observe(ETH)]);
    const tx = perform(upkeep);
    await expect(tx.then(({ hash }) => h.ethers.provider.getTransaction(hash))).to.emit(
      h.priceOracle,
      "VolatilityObserved",
    );
    const { round, roundPrice } = await h.priceOracle.volatilityOf(ETH);
    expect([round, roundPrice]).to.deep.equal([await h.feeds[ETH].latestRound(), wad("2030")]);
    expect(await due(upkeep)).to.deep.equal([]);
  });

  it("FSA-6 takes a backlog of rounds in batches of 20, in order", async () => {
    const { h, upkeep } = await keptHouse();
    const { round } = await h.priceOracle.volatilityOf(ETH);
    for (let i = 0; i < 45; ++i) await h.setPrice(ETH, String(2000 + i));
    const seen: bigint[] = [];
    while ((await due(upkeep)).length !== 0) {
      await perform(upkeep);
      seen.push((await h.priceOracle.volatilityOf(ETH)).round - round);
    }
    expect(seen).to.deep.equal([20n, 40n, 45n]);
  });

  it("OR-5 keeps last good prices and rates younger than the interval", async () => {
    const { h, upkeep } = await keptHouse();
    await h.networkHelpers.time.increase(HOUR);
    const all = [observe(ETH), observe(BTC), observe(USDT_INDEX), observeRate(WSTETH)];
    expect(await due(upkeep)).to.deep.equal(all);
    const { blockNumber } = await perform(upkeep);
    const time = BigInt((await h.ethers.provider.getBlock(blockNumber))!.timestamp);
    expect((await h.priceOracle.lastGood(USDT_INDEX)).time).to.equal(time);
    expect((await h.priceOracle.lastGoodRate(WSTETH)).time).to.equal(time);
    expect(await due(upkeep)).to.deep.equal([]);
  });

  it("F-4 accrues funding when the interval has passed and the price is another one", async () => {
    const { h, upkeep } = await keptHouse();
    await h.networkHelpers.time.increase(HOUR);
    expect(await due(upkeep)).to.not.include(accrue(ETH)); // the same price: nothing to accrue
    await h.setPrice(ETH, "2001");
    expect(await due(upkeep)).to.include(accrue(ETH));
    expect(await due(upkeep)).to.not.include(accrue(BTC));
    await perform(upkeep);
    const { price, time } = await ratesOf(h);
    expect([price, time]).to.deep.equal([wad("2001"), BigInt(await h.networkHelpers.time.latest())]);
    await h.setPrice(ETH, "2002");
    expect(await due(upkeep)).to.deep.equal([observe(ETH)]); // an hour has not passed
  });

  it("FSA-6 sweeps fees once the pool can pay a threshold of them", async () => {
    const { h, upkeep } = await keptHouse();
    for (const who of [h.alice, h.bob]) await h.fund(who, { cash: "10000" });
    await deal(h, [h.bob, h.alice], "1.98", "2000"); // fee 1.98
    expect(await due(upkeep)).to.deep.equal([]); // the pool is empty
    await h.setPrice(ETH, "2000.5");
    await h.clearingHouse.settle(ETH, [main(h.bob)]); // pays 0.99
    await perform(upkeep);
    expect(await due(upkeep)).to.deep.equal([]);
    await h.clearingHouse.settle(ETH, [main(h.alice)]); // takes nothing, loses 0.99: 1.98 are in the pool
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("1.98"));
    expect(await due(upkeep)).to.deep.equal([sweepFees(ETH)]);
    await perform(upkeep);
    expect((await marketOf(h, ETH)).rate.fees).to.equal(0n);
  });

  it("FSA-6 sweeps reserves once a threshold of interest has come together", async () => {
    const { h, upkeep } = await keptHouse();
    await h.clearingHouse.setLendingParams({
      ...FREE,
      lowSlope: 1_000_000,
      highSlope: 1_000_000,
      reserveFactor: 100_000,
    });
    await h.fund(h.carol, { cash: "10000" });
    await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc("10000"));
    await h.fund(h.alice, { weth: "10" });
    await h.clearingHouse.connect(h.alice).withdraw(main(h.alice), h.usdc, usdc("8000"), h.alice);
    // 8,000 at 100 % a year make 0.9132 an hour, of which a tenth: 1.0046 after 11 hours, compounded 1.005
    await h.pass(10 * HOUR);
    expect(await due(upkeep)).to.not.include(SWEEP_RESERVES);
    await h.pass(HOUR);
    expect(await due(upkeep)).to.include(SWEEP_RESERVES);
    await perform(upkeep);
    expect(await cashOf(h, await h.insuranceFund.account())).to.be.closeTo(wad("1.005"), wad("0.001"));
  });

  for (const [what, breakBtc] of [
    ["frozen", (h: Fixture) => h.networkHelpers.time.increase(DAY)],
    ["negative", (h: Fixture) => h.feeds[BTC].updateAnswer(-1)],
    ["gas-burning", (h: Fixture) => burn(h, [BTC])],
  ] as const) {
    it(`OR-5 a ${what} feed does not hold up the others`, async () => {
      const { h, upkeep } = await keptHouse();
      await h.networkHelpers.time.increase(HOUR);
      await breakBtc(h);
      for (const id of [ETH, USDT_INDEX] as const) await h.setPrice(id, id === ETH ? "2001" : "1.001");
      await h.setRate("1.15");
      const [healthy, dead] = [
        [ETH, USDT_INDEX],
        [observe(BTC), accrue(BTC)],
      ];
      const jobs = await due(upkeep);
      expect(jobs).to.include.members([...healthy.map(observe), accrue(ETH), observeRate(WSTETH)]);
      // Of a feed that answers, a round that waits is still skipped over.
      expect(jobs.filter((job) => dead.includes(job) && (what !== "negative" || job !== observe(BTC)))).to.deep.equal(
        [],
      );
      // With the dead ones first, in a list that somebody made up.
      await performList(upkeep, [...dead, observe(ETH), accrue(ETH)]);
      const now = BigInt(await h.networkHelpers.time.latest());
      expect((await h.priceOracle.lastGood(ETH)).time).to.equal(now);
      expect((await ratesOf(h)).time).to.equal(now);
    });
  }

  it("FSA-6 what is stale, unknown or listed twice does no harm", async () => {
    const { h, upkeep } = await keptHouse();
    await h.setPrice(ETH, "2001");
    const [, performData] = await upkeep.checkUpkeep.staticCall("0x");
    await perform(upkeep);
    await expect(upkeep.performUpkeep(performData)).to.be.revertedWithCustomError(upkeep, "NothingDue");
    await expect(performList(upkeep, [])).to.be.revertedWithCustomError(upkeep, "NothingDue");
    await h.setPrice(ETH, "2002");
    const odd = [200n, 456n, 712n, 968n, 5n << 8n, 2n ** 256n - 1n, observe(ETH), observe(ETH)];
    await expect(performList(upkeep, odd)).to.emit(h.priceOracle, "VolatilityObserved");
    expect(await due(upkeep)).to.deep.equal([]);
  });

  it("FSA-6 begins no job with less than a million gas, and goes on with the rest at the next check", async () => {
    const { h, upkeep } = await keptHouse();
    await h.networkHelpers.time.increase(HOUR);
    const before = await due(upkeep);
    expect(before.length).to.equal(4);
    const [, performData] = await upkeep.checkUpkeep.staticCall("0x");
    const little = upkeep.performUpkeep(performData, { gasLimit: 1_000_000n });
    await expect(little).to.be.revertedWithCustomError(upkeep, "NothingDue");
    await upkeep.performUpkeep(performData, { gasLimit: 1_100_000n });
    const left = await due(upkeep);
    expect(left.length).to.be.within(1, 3);
    expect(before).to.include.members(left);
    await perform(upkeep);
    expect(await due(upkeep)).to.deep.equal([]);
  });

  it("FSA-6 a full batch of the dearest jobs stays below 5 M gas, ten feeds behind Chainlink's proxy with 20 rounds each, and a check of 64 markets below 10 M", async () => {
    const h = await freshHouse();
    const feeds = await listMarkets(h, 10);
    const market = await marketParams(h, ETH);
    for (let id = 13; id < 64; ++id) await h.clearingHouse.setMarket(id, market);
    const upkeep = await new HouseUpkeep__factory(h.keeper).deploy(h.clearingHouse, HOUSE);
    await performAll(upkeep);
    for (const feed of feeds) for (let i = 1n; i <= 20n; ++i) await feed.updateAnswer((2_000n + i) * 10n ** 8n);
    const jobs = await due(upkeep);
    expect(jobs).to.deep.equal(feeds.map((_, i) => observe(3 + i)));
    const { gasUsed } = await perform(upkeep);
    expect(await due(upkeep)).to.deep.equal([]);
    expect(gasUsed).to.be.lessThan(PERFORM_GAS);
    expect(await upkeep.checkUpkeep.estimateGas("0x")).to.be.lessThan(CHECK_GAS); // 64 markets
  });

  it("refuses settings out of bounds and an address without a house", async () => {
    const h = await freshHouse();
    const factory = new HouseUpkeep__factory(h.keeper);
    for (const [name, values, min, max] of [
      ["observeInterval", [59, DAY + 1], MINUTE, DAY],
      ["accrueInterval", [59, DAY + 1], MINUTE, DAY],
      ["sweepThreshold", [wad("1") - 1n, wad("1000000") + 1n], wad("1"), wad("1000000")],
    ] as const) {
      for (const value of values) {
        await expect(factory.deploy(h.clearingHouse, { ...HOUSE, [name]: value }))
          .to.be.revertedWithCustomError(factory, "SettingOutOfBounds")
          .withArgs(h.ethers.encodeBytes32String(name), value, min, max);
      }
    }
    await expect(factory.deploy(h.alice, HOUSE))
      .to.be.revertedWithCustomError(factory, "NoHouse")
      .withArgs(h.alice.address);
  });
});

/** Alice is long 5 ETH from 2,000 on 1,000 of cash, fee 5, Bob short: both are watched. Dave gets what flags earn. */
async function keptAccounts() {
  const h = await freshHouse();
  const upkeep = await new AccountUpkeep__factory(h.keeper).deploy(h.clearingHouse, {
    callInterval: HOUR,
    settleThreshold: wad("10"),
    beneficiary: h.dave.address,
  });
  await h.fund(h.alice, { cash: "1000" });
  for (const who of [h.bob, h.carol]) await h.fund(who, { cash: "100000" });
  const trade = await deal(h, [h.bob, h.alice], "5", "2000");
  await performList(upkeep, [main(h.alice), main(h.bob)]);
  return { h, upkeep, id: main(h.alice), trade: await trade.wait() };
}

const PAGE = page(0, 50);

describe("AccountUpkeep", () => {
  it("FSA-6 a log trigger finds accounts that hold something and are not watched, whatever the log claims", async () => {
    const { h, upkeep, id, trade } = await keptAccounts();
    const rest = { index: 0, timestamp: 0, txHash: ZeroHash, blockNumber: 0, blockHash: ZeroHash, data: "0x" };
    const asked = async (topics: readonly string[]) => {
      const log = { ...rest, source: h.clearingHouse, topics: [...topics] };
      const [needed, data] = await upkeep.checkLog.staticCall(log, "0x");
      const [jobs] = coder.decode(["uint256[]"], data) as unknown as [bigint[]];
      expect(needed).to.equal(jobs.length !== 0);
      return [...jobs];
    };
    const of = async (name: "Trade" | "PositionTaken" | "LoansChanged", tx: TransactionReceipt | null) => {
      const { topicHash } = h.clearingHouse.interface.getEvent(name);
      return asked(tx!.logs.find((log) => log.topics[0] === topicHash)!.topics);
    };
    expect(await of("Trade", trade)).to.deep.equal([]); // both are watched

    const debtor = await h.fund(h.alice, { weth: "10" }, accountId(h.alice.address, 1));
    await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc("10000"));
    const loan = await h.clearingHouse.connect(h.alice).withdraw(debtor, h.usdc, usdc("100"), h.alice);
    expect(await of("LoansChanged", await loan.wait())).to.deep.equal([debtor]);

    await h.setPrice(ETH, "1850");
    const taking = await h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    expect(await of("PositionTaken", await taking.wait())).to.deep.equal([main(h.carol)]);

    const fourth = await h.fund(h.dave, { cash: "1000" });
    const dealing = await deal(h, [h.carol, h.dave], "1", "1850");
    const found = await of("Trade", await dealing.wait());
    expect(found.sort(ascending)).to.deep.equal([main(h.carol), fourth].sort(ascending));
    await performList(upkeep, found);
    expect(await of("Trade", await dealing.wait())).to.deep.equal([]);

    const strangers = [main(h.keeper), 5n, 2n ** 256n - 1n].map((word) => toBeHex(word, 32));
    expect(await asked([ZeroHash, ...strangers])).to.deep.equal([]);
    expect(await asked([])).to.deep.equal([]);
  });

  it("FSA-6 the list takes what holds something, once, and lets go of what holds nothing any more", async () => {
    const { h, upkeep, id } = await keptAccounts();
    expect([...(await upkeep.watched(0, 9))]).to.deep.equal([id, main(h.bob)]);
    expect(await upkeep.watchedCount()).to.equal(2n);
    // Carol has cash only, Dave nothing.
    const nothing = () => performList(upkeep, [main(h.carol), main(h.dave), 0n, id]);
    await expect(nothing()).to.be.revertedWithCustomError(upkeep, "NothingDue");
    await deal(h, [h.bob, h.alice], "-5", "2000");
    expect(await due(upkeep, PAGE)).to.deep.equal([id, main(h.bob)].sort(ascending));
    await expect(upkeep.connect(h.carol).perform(id)).to.emit(upkeep, "Unwatched").withArgs(id);
    expect([...(await upkeep.watched(0, 9))]).to.deep.equal([main(h.bob)]);
  });

  it("CMA-1 a debt is enough to be watched", async () => {
    const { h, upkeep } = await keptAccounts();
    await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc("10000"));
    const debtor = await h.fund(h.alice, { weth: "10" }, accountId(h.alice.address, 1));
    await expect(upkeep.perform(debtor)).to.be.revertedWithCustomError(upkeep, "NothingDue");
    await h.clearingHouse.connect(h.alice).withdraw(debtor, h.usdc, usdc("100"), h.alice);
    await expect(upkeep.perform(debtor)).to.emit(upkeep, "Watched").withArgs(debtor);
    await expect(upkeep.perform(main(h.carol))).to.be.revertedWithCustomError(upkeep, "NothingDue"); // only lends
  });

  it("LIQ-1 MM-7 calls an account between MM and IM, again after the interval and not before", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.setPrice(ETH, "1990"); // settlement: less than the threshold is never moved
    await performList(upkeep, [id, main(h.bob)]);
    expect(await due(upkeep, PAGE)).to.deep.equal([]);
    await h.setPrice(ETH, "1880"); // E = 395, MM = 282.04, IM = 470.06
    await perform(upkeep, PAGE);
    const calls = await h.clearingHouse.queryFilter(h.clearingHouse.filters.MarginCall(id));
    expect(calls.length).to.equal(1);
    expect(calls[0]!.args.equity).to.equal(wad("395"));
    const at = await upkeep.calledAt(id);
    expect(at).to.equal(BigInt((await calls[0]!.getBlock()).timestamp));
    await performAll(upkeep, PAGE); // settlements
    await h.pass(HOUR - MINUTE);
    expect(await due(upkeep, PAGE)).to.deep.equal([]);
    await h.pass(MINUTE);
    expect(await due(upkeep, PAGE)).to.deep.equal([id]);
  });

  it("LIQ-3 flags at once what sinks below MM, though it was called just now, and keeps its clock going", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.setPrice(ETH, "1880");
    await perform(upkeep, PAGE);
    await h.setPrice(ETH, "1850"); // E = 245, MM = 277.5
    expect(await due(upkeep, PAGE)).to.include(id);
    await perform(upkeep, PAGE);
    await performAll(upkeep, PAGE);
    let auction = await h.clearingHouse.auction(id);
    expect([auction.flagger, auction.clock]).to.deep.equal([await upkeep.getAddress(), 0n]);
    for (const clock of [60n, 120n, 180n]) {
      await h.networkHelpers.time.increase(MINUTE);
      expect(await due(upkeep, PAGE)).to.deep.equal([id]);
      await perform(upkeep, PAGE);
      auction = await h.clearingHouse.auction(id);
      expect(auction.clock).to.equal(clock);
    }
    await h.networkHelpers.time.increase(HOUR - MINUTE);
    expect(await due(upkeep, PAGE)).to.deep.equal([]); // no clock runs
    await h.networkHelpers.time.increase(MINUTE);
    expect(await due(upkeep, PAGE)).to.deep.equal([id]);
  });

  it("LIQ-3 ADL-2 records a deficit at once, and keeps the clock of a rescue going, though that of the discount is full", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.setPrice(ETH, "1850"); // E = 245 > 60 % of MM
    for (let minute = 0; minute < 4; ++minute) {
      await upkeep.perform(id);
      await h.networkHelpers.time.increase(MINUTE);
    }
    const { clock: full, rescueClock } = await h.clearingHouse.auction(id);
    expect([full, rescueClock]).to.deep.equal([180n, 0n]);
    await performAll(upkeep, PAGE);
    await h.setPrice(ETH, "1790"); // E = −55
    await upkeep.perform(id);
    expect(await h.clearingHouse.totalFlaggedDeficit()).to.equal(wad("55"));
    for (const clock of [1n, 61n, 121n, 181n]) {
      expect((await h.clearingHouse.auction(id)).rescueClock).to.equal(clock);
      await h.networkHelpers.time.increase(MINUTE);
      if (clock < 181n) await upkeep.perform(id);
    }
    await expect(upkeep.perform(id)).to.be.revertedWithCustomError(upkeep, "NothingDue");
  });

  it("LIQ-3 ends the auction of what has recovered", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.setPrice(ETH, "1850");
    await perform(upkeep, PAGE);
    await h.setPrice(ETH, "2000");
    await perform(upkeep, PAGE);
    expect((await h.clearingHouse.auction(id)).flagger).to.equal(ZeroAddress);
    expect((await h.clearingHouse.queryFilter(h.clearingHouse.filters.AuctionCleared(id))).length).to.equal(1);
  });

  it("LIQ-3 ends the auction of what has nothing left before it lets it go", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.setPrice(ETH, "1850");
    await perform(upkeep, PAGE);
    await h.setPrice(ETH, "2000");
    await deal(h, [h.bob, h.alice], "-5", "2000");
    expect((await h.clearingHouse.account(id)).markets).to.equal(0n);
    await expect(upkeep.perform(id)).to.emit(h.clearingHouse, "AuctionCleared").withArgs(id);
    await expect(upkeep.perform(id)).to.emit(upkeep, "Unwatched").withArgs(id);
  });

  it("LIQ-6 what it earns as a flagger goes to the beneficiary, whoever asks", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await expect(upkeep.collect()).to.be.revertedWithCustomError(h.clearingHouse, "ZeroAmount");
    await h.setPrice(ETH, "1850");
    await perform(upkeep, PAGE);
    await h.clearingHouse.connect(h.carol).liquidate(id, main(h.carol), ANY_TERMS);
    const [sale] = await h.clearingHouse.queryFilter(h.clearingHouse.filters.Liquidated(id));
    const { toFlagger, flagger } = sale!.args;
    expect(flagger).to.equal(await upkeep.getAddress());
    expect(toFlagger).to.be.greaterThan(0n);
    await upkeep.connect(h.bob).collect();
    const units = toFlagger / 10n ** 12n;
    expect(await h.usdc.balanceOf(h.dave)).to.equal(units);
    expect(await cashOf(h, accountId(await upkeep.getAddress()))).to.be.lessThan(10n ** 12n);
  });

  it("FSA-5 settles losers, then winners as far as the pool pays, from the threshold on", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.setPrice(ETH, "1999.1"); // Alice − 4.5 − 5, Bob + 4.5
    expect(await due(upkeep, PAGE)).to.deep.equal([]);
    await h.setPrice(ETH, "1990"); // − 50 − 5, + 50
    await performAll(upkeep, PAGE);
    expect(await cashOf(h, id)).to.equal(wad("945"));
    expect(await cashOf(h, main(h.bob))).to.equal(wad("100050"));
    expect((await marketOf(h, ETH)).pool.cash).to.equal(wad("5")); // the fee
  });

  it("FSA-5 looks at a loss that waits for cash often enough for its clock, and once more when it is gone", async () => {
    const { h, upkeep } = await keptAccounts();
    const owing = await h.fund(h.dave, { weth: "10" });
    await deal(h, [h.bob, h.dave], "1", "2000"); // fee 1
    await h.setPrice(ETH, "1900");
    await upkeep.perform(owing);
    const clock = async () => (await h.clearingHouse.auction(owing)).cashCallClock;
    expect(await clock()).to.equal(1n);
    await performAll(upkeep, PAGE);
    await h.pass(49 * MINUTE);
    expect(await due(upkeep, PAGE)).to.not.include(owing);
    await h.pass(MINUTE);
    expect(await due(upkeep, PAGE)).to.include(owing);
    await upkeep.perform(owing);
    expect(await clock()).to.be.within(3_001n, 3_061n);
    await h.pass(50 * MINUTE);
    await h.setPrice(ETH, "2001"); // + 1 − 1
    await upkeep.perform(owing);
    expect(await clock()).to.equal(0n);
  });

  it("ADL-2 writes off what is below zero and has nothing to sell, and then unwatches it", async () => {
    const { h, upkeep } = await keptAccounts();
    await h.clearingHouse.setLendingParams(FREE);
    await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc("50000"));
    const debtor = await h.fund(h.alice, { weth: "10" }, accountId(h.alice.address, 1));
    await h.clearingHouse.connect(h.alice).withdraw(debtor, h.usdc, usdc("1000"), h.alice);
    await upkeep.perform(debtor);
    await h.clearingHouse.delistCollateral(WETH);
    await h.pass(14 * DAY);
    await upkeep.perform(debtor);
    expect((await loansOf(h, debtor)).debt).to.equal(0n);
    const [absorbed] = await h.clearingHouse.queryFilter(h.clearingHouse.filters.DeficitAbsorbed(debtor));
    expect(absorbed!.args.part).to.equal(wad("1000"));
    await expect(upkeep.perform(debtor)).to.emit(upkeep, "Unwatched").withArgs(debtor);
  });

  it("OR-3 a dead feed, even one that burns gas, holds up nobody who does without it", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.fund(h.dave, { cash: "1000" });
    await deal(h, [h.carol, h.dave], "0.1", "30000", { market: BTC });
    await performList(upkeep, [main(h.dave), main(h.carol)]);
    await burn(h, [BTC]);
    await h.setPrice(ETH, "1850");
    const jobs = await due(upkeep, PAGE);
    expect(jobs).to.include(id);
    expect(jobs).to.not.include(main(h.dave));
    await performList(upkeep, [main(h.dave), id]);
    expect((await h.clearingHouse.auction(id)).flagger).to.equal(await upkeep.getAddress());
    // Found in every block, wherever the check begins, with the gas that a check has on the main network.
    for (const clock of [60n, 120n, 180n]) {
      await h.networkHelpers.time.increase(MINUTE);
      const [, performData] = await upkeep.checkUpkeep.staticCall(PAGE, { gasLimit: CHECK_GAS });
      await upkeep.performUpkeep(performData, { gasLimit: PERFORM_GAS });
      expect((await h.clearingHouse.auction(id)).clock).to.equal(clock);
    }
  });

  it("OR-3 an account whose every feed burns gas burns its stipend and no more", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await listMarkets(h, 16);
    const burner = await h.fund(h.dave, { cash: "2000" });
    const markets = Array.from({ length: 16 }, (_, i) => 3 + i);
    for (const market of markets) await deal(h, [h.carol, h.dave], "0.5", "2000", { market });
    await upkeep.perform(burner);
    await burn(h, markets);
    await h.setPrice(ETH, "1850");
    await performList(upkeep, [burner, id], 6_000_000n); // 4 million for the first, 2 for the second
    expect((await h.clearingHouse.auction(id)).flagger).to.equal(await upkeep.getAddress());
  });

  it("OR-3 flags below MM what has no price in one market and is below it even so", async () => {
    const { h, upkeep } = await keptAccounts();
    await h.fund(h.dave, { cash: "1000" });
    await deal(h, [h.bob, h.dave], "4", "2000");
    await deal(h, [h.bob, h.dave], "0.01", "30000", { market: BTC });
    const id = main(h.dave);
    await upkeep.perform(id);
    await h.feeds[BTC].updateAnswer(0);
    expect(await due(upkeep, PAGE)).to.not.include(id);
    await h.setPrice(ETH, "1750");
    await upkeep.perform(id);
    expect((await h.clearingHouse.auction(id)).flagger).to.equal(await upkeep.getAddress());
  });

  it("FSA-6 a check costs and finds what is on its page only", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await h.setPrice(ETH, "1850");
    expect(await due(upkeep, page(0, 1))).to.deep.equal([id]);
    expect(await due(upkeep, page(2, 50))).to.deep.equal([]);
    await expect(upkeep.checkUpkeep.staticCall(page(0, 51)))
      .to.be.revertedWithCustomError(upkeep, "PageTooLong")
      .withArgs(0n, 51n, 50n);
    const gas = () => upkeep.checkUpkeep.estimateGas(page(0, 1));
    const before = await gas();
    for (let i = 0; i < 10; ++i) {
      const other = await h.fund(h.carol, { cash: "100" }, accountId(h.carol.address, 1 + i));
      await deal(h, [h.bob, h.carol], "0.01", "1850", { taker: { account: other } });
      await upkeep.perform(other);
    }
    expect(await upkeep.watchedCount()).to.equal(12n);
    expect(await gas()).to.be.closeTo(before, 1_000n);
  });

  it("FSA-6 a full batch of ten accounts to call and settle stays below 5 M gas; what does not fit is due at the next check", async () => {
    const { h, upkeep } = await keptAccounts();
    const ids: bigint[] = [];
    for (let i = 1; i <= 11; ++i) {
      const id = await h.fund(h.alice, { cash: "2000" }, accountId(h.alice.address, i));
      await deal(h, [h.bob, h.alice], "5", "2000", { taker: { account: id } });
      await deal(h, [h.bob, h.alice], "0.3", "30000", { market: BTC, taker: { account: id } });
      ids.push(id);
    }
    await performList(upkeep, ids);
    expect(await upkeep.watchedCount()).to.equal(12n); // ten more than before
    await performList(upkeep, ids);
    await h.setPrice(ETH, "1850"); // − 750
    await h.setPrice(BTC, "28500"); // − 450
    const rest = page(2, 13);
    expect((await due(upkeep, rest)).length).to.equal(10);
    expect((await perform(upkeep, rest)).gasUsed).to.be.lessThan(PERFORM_GAS);
    expect((await due(upkeep, rest)).length).to.equal(1);
    await perform(upkeep, rest);
    expect((await h.clearingHouse.queryFilter(h.clearingHouse.filters.MarginCall())).length).to.equal(11);
    for (const id of ids) expect((await positionOf(h, id, BTC)).quote).to.equal(wad("-8550")); // settled
    expect(await due(upkeep, rest)).to.deep.equal([]);
  });

  it("FSA-6 an account of 16 markets and 4 collaterals fits into its stipend", async () => {
    const { h, upkeep } = await keptAccounts();
    const feeds = await listMarkets(h, 16);
    const id = await h.fund(h.dave, { cash: "1000", weth: "0.1", wbtc: "0.01", wsteth: "0.1", usdt: "100" });
    for (let market = 3; market < 19; ++market) await deal(h, [h.carol, h.dave], "0.5", "2000", { market });
    for (const feed of feeds) await feed.updateAnswer(1_860n * 10n ** 8n); // between MM and IM
    const receipt = await (await performList(upkeep, [id], PERFORM_GAS)).wait();
    const [call] = await h.clearingHouse.queryFilter(h.clearingHouse.filters.MarginCall(id));
    expect(call?.blockNumber).to.equal(receipt!.blockNumber);
    expect(receipt!.gasUsed).to.be.lessThan(3_200_000n);
  });

  it("FSA-6 checks begin at another account in every block", async () => {
    const { h, upkeep, id } = await keptAccounts();
    await deal(h, [h.bob, h.alice], "-5", "2000"); // both leave the list
    const orders = new Set<string>();
    for (let block = 0; block < 2; ++block) {
      const [, performData] = await upkeep.checkUpkeep.staticCall(PAGE);
      orders.add(performData);
      await h.networkHelpers.mine();
    }
    expect(orders).to.deep.equal(new Set([encode([id, main(h.bob)]), encode([main(h.bob), id])]));
  });

  it("refuses settings out of bounds and nobody as the beneficiary", async () => {
    const h = await freshHouse();
    const factory = new AccountUpkeep__factory(h.keeper);
    const settings = { callInterval: HOUR, settleThreshold: wad("10"), beneficiary: h.dave.address };
    for (const [name, values, min, max] of [
      ["callInterval", [59, DAY + 1], MINUTE, DAY],
      ["settleThreshold", [wad("1") - 1n, wad("1000000") + 1n], wad("1"), wad("1000000")],
    ] as const) {
      for (const value of values) {
        await expect(factory.deploy(h.clearingHouse, { ...settings, [name]: value }))
          .to.be.revertedWithCustomError(factory, "SettingOutOfBounds")
          .withArgs(h.ethers.encodeBytes32String(name), value, min, max);
      }
    }
    await expect(
      factory.deploy(h.clearingHouse, { ...settings, beneficiary: ZeroAddress }),
    ).to.be.revertedWithCustomError(factory, "NoBeneficiary");
  });
});

describe("a house without any bot", () => {
  const STEP = 10 * MINUTE;
  const AVERAGING = 4 * HOUR; // of the local network's regimes

  /** Factors of 1 % at most, the same in every run. */
  function* moves(): Generator<number, never> {
    for (let seed = 2n; ;) {
      seed = (seed * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
      yield 0.99 + Number(seed >> 40n) / 2 ** 24 / 50;
    }
  }

  /** σ² [per second] of every round of a feed from `first` on, in doubles. */
  async function variance(feed: Fixture["feeds"][0], first: bigint): Promise<number> {
    const last = await feed.latestRound();
    let v = 0;
    for (let round = first + 1n; round <= last; ++round) {
      const r = Math.log(Number(await feed.getAnswer(round)) / Number(await feed.getAnswer(round - 1n)));
      const elapsed = Number((await feed.getTimestamp(round)) - (await feed.getTimestamp(round - 1n)));
      const kept = Math.exp(-elapsed / AVERAGING);
      v = v * kept + (r ** 2 / elapsed) * (1 - kept);
    }
    return v;
  }

  it("F-4 MM-1 LIQ-1 FSA-6 runs for 24 hours: no accrual or price older than its interval, every round once, whoever sinks is called", async () => {
    const { h, upkeep: accounts } = await keptAccounts();
    const house = await new HouseUpkeep__factory(h.keeper).deploy(h.clearingHouse, HOUSE);
    const short = await h.fund(h.dave, { cash: "700" });
    await deal(h, [h.carol, h.dave], "-0.2", "30000", { market: BTC });
    const watched = [main(h.alice), main(h.bob), main(h.carol), short];
    await performList(accounts, watched);
    const first = await Promise.all([h.feeds[ETH].latestRound(), h.feeds[BTC].latestRound()]);
    const prices: [number, number] = [2000, 30_000];
    const states = [0, 0, 0, 0];
    const move = moves();
    for (let step = 0; step < DAY / STEP; ++step) {
      await h.networkHelpers.time.increase(STEP / 2);
      for (let round = 0; round < 3; ++round) {
        for (const id of [ETH, BTC] as const) await h.setPrice(id, (prices[id] *= move.next().value).toFixed(4));
      }
      await h.pass(STEP / 2);
      for (const id of [ETH, BTC]) {
        const age = BigInt(await h.networkHelpers.time.latest()) - (await marketOf(h, id)).rate.time;
        expect(age).to.be.lessThan(HOUR + STEP + MINUTE);
      }
      await performAll(house);
      await performAll(accounts, PAGE);

      const now = BigInt(await h.networkHelpers.time.latest());
      for (const id of [ETH, BTC] as const) {
        expect(now - (await marketOf(h, id)).rate.time).to.be.lessThan(HOUR);
        expect(now - (await h.priceOracle.lastGood(id)).time).to.be.lessThan(HOUR);
        expect((await h.priceOracle.volatilityOf(id)).round).to.equal(await h.feeds[id].latestRound());
      }
      expect(now - (await h.priceOracle.lastGoodRate(WSTETH)).time).to.be.lessThan(HOUR);
      for (const id of watched) {
        const state = Number(await h.clearingHouse.marginState(id));
        const { flagger } = await h.clearingHouse.auction(id);
        if (state === 0) expect(flagger).to.equal(ZeroAddress);
        if (state === 1) expect(now - (await accounts.calledAt(id))).to.be.lessThan(HOUR);
        if (state >= 2) expect(flagger).to.equal(await accounts.getAddress());
        states[state]!++;
      }
    }
    expect(states.every((times) => times > 20)).to.equal(true); // every state has been there to be found
    for (const id of [ETH, BTC] as const) {
      const expected = (await variance(h.feeds[id], first[id])) * 1e18;
      const measured = Number((await h.priceOracle.volatilityOf(id)).variance);
      expect(Math.abs(measured / expected - 1)).to.be.lessThan(1e-6);
    }
  });
});
