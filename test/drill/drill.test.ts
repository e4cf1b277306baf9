import { writeFileSync } from "node:fs";
import path from "node:path";

import { expect } from "chai";
import { parseUnits, toBeHex, ZeroAddress } from "ethers";

import { drill } from "../../src/drill/drill.ts";
import type { Drill, DrillOptions } from "../../src/drill/drill.ts";
import { FeedUnusable } from "../../src/drill/errors.ts";
import { Feeds } from "../../src/drill/feeds.ts";
import { parseKeeperConfig } from "../../src/keeper/config.ts";
import { forkChain } from "../../src/replay/chain.ts";
import type { PricePath } from "../../src/replay/path.ts";
import { formatWad, parseWad } from "../../src/sdk/units.ts";
import { EACAggregatorProxy__factory, MockV3Aggregator__factory, PriceOracle__factory } from "../../types/index.ts";
import { ask, fails, type } from "../cli/support.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";

const WAD = 10n ** 18n;
const CENT = WAD / 100n;
const NEW_YEAR = 1_767_225_600; // [s] 2026-01-01
const ETH = 0;
const BLOCKS_A_MINUTE = 5; // of 12 s
const PHASE = 1n << 64n; // a proxy counts its aggregators above the rounds
const NEVER = { OBSERVE_INTERVAL: "86400" }; // the requirements do not follow volatility while a test runs

/** What machines are told. */
interface Told {
  readonly counts: Readonly<Record<string, number>>;
  readonly badDebt: string;
  readonly accounts: readonly { readonly account: string }[];
}

/** ETH at `prices` [USD], one a minute, BTC as it was. */
function ethAt(...prices: number[]): PricePath {
  return {
    source: "by hand",
    times: prices.map((_, i) => 60 * (i + 1)),
    prices: { ETH: prices.map((usd) => parseUnits(usd.toString(), 8)), BTC: prices.map(() => parseUnits("30000", 8)) },
  };
}

describe("Fire drill", function () {
  this.timeout(60_000);

  let venue: Venue;
  let [maker, bob, dave]: Trader[] = [];

  /** The feed of ETH stands behind Chainlink's real proxy. Bob is long 10 ETH on 2,000 USD, Dave 0.02 ETH on 4 USD, both at 2,000. */
  before(async () => {
    venue = await Venue.open();
    const { provider } = venue.anvil;
    const admin = await provider.getSigner(0);
    const oracle = PriceOracle__factory.connect(venue.book.contracts.priceOracle, admin);
    const { aggregator, heartbeat, decimals, minPrice, maxPrice } = await oracle.feedOf(ETH);
    const proxy = await new EACAggregatorProxy__factory(admin).deploy(aggregator, ZeroAddress);
    await proxy.waitForDeployment();
    const feed = { aggregator: await proxy.getAddress(), heartbeat, decimals, minPrice, maxPrice };
    // In the second of the last answer an estimate is too low for the next one.
    await (await oracle.setFeed(ETH, feed, { gasLimit: 500_000n })).wait();
    [maker, bob, dave] = [await venue.trader("100000"), await venue.trader("2000"), await venue.trader("4")];
    for (const [trader, size] of [
      [bob, "10"],
      [dave, "0.02"],
    ] as const) {
      const orders = [
        await venue.order(maker, `-${size}`, "2000", { resting: true }),
        await venue.order(trader, size, "2000"),
      ];
      await maker.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    }
  });
  after(() => venue.close());

  /** A drill on a fork of the venue. */
  async function onFork(prices: PricePath, settings: Record<string, string>, rest: Partial<DrillOptions> = {}) {
    const found = await drill(
      {
        ...{ path: prices, fork: { url: venue.anvil.url, book: venue.book }, config: parseKeeperConfig(settings) },
        ...{ capital: parseWad("100000"), worth: WAD, allowLate: 1, pace: 5000, ...rest },
      },
      () => undefined,
    );
    return { found, of: (trader: Trader) => found.accounts.find(({ id }) => id === trader.account)! };
  }

  /** A file of ETH's minutes that close at these prices [USD]. */
  function candles(...closes: number[]): string {
    const file = path.join(venue.folder, `ETH-USD_${closes.length}.csv`);
    const rows = closes.map((close, i) => `${NEW_YEAR + 60 * i},1,1,1,${close},0`);
    writeFileSync(file, ["timestamp,open,high,low,close,volume", ...rows].join("\n"));
    return file;
  }

  /** The block in which the price of a minute is mined. */
  function blockOf({ from }: Drill, minute: number): number {
    return from + minute * BLOCKS_A_MINUTE;
  }

  it("MAM-6 LIQ-5 passes a keeper that works, on a fork, whatever the feed; tells what never paid", async () => {
    const { found, of } = await onFork(ethAt(2000, 1850), NEVER);
    const since = blockOf(found, 1);
    const { takes, ...fate } = of(bob!);
    expect(fate).to.deep.include({ verdicts: ["on time"], since, looks: 1, misses: [], deficit: 0n });
    expect(takes).to.have.length(1);
    const [{ block, delay, taker, gain, gas }] = takes as [(typeof takes)[number]];
    expect({ block, delay, taker }).to.deep.equal({ block: since + 1, delay: 1, taker: found.keeper.account });
    // E = 2,000 − 10 − 10 · 150 = 490. MM = 18,500 · 3 % + 18,500 · 2 % · 18,500 / 50,000,000 = 555.137, IM = 5 / 3 of that = 925.228.
    // d = 5 %: E − f · 27.757 = IM · (1 − f) gives f = 0.4849, of whose cost the taker keeps 80 %: 0.4849 · 27.757 · 0.8 = 10.77.
    expect(gain).to.be.closeTo(parseWad("10.77"), CENT);
    expect(gas > 0n && gas < 2n * WAD, formatWad(gas)).to.equal(true);
    // Dave: E = 4 − 0.02 − 3 = 0.98 < MM = 37 · 3 % = 1.11, and no discount makes 80 % of 60 % of that worth a dollar.
    expect(of(dave!)).to.deep.include({ verdicts: ["unprofitable"], since, takes: [], misses: [], deficit: 0n });
    expect(found.keeper).to.include({ takes: 1, gains: gain, racesLost: 0 });
    expect(found.keeper.gas >= gas).to.equal(true);
    expect(found.accounts).to.have.length(2);
  });

  it("finds a keeper that comes late, and by how many blocks", async () => {
    const settings = { ...NEVER, BACKUP_BLOCKS: "3" };
    const { found, of } = await onFork(ethAt(2000, 1850), settings, { pace: 400 });
    const since = blockOf(found, 1);
    // Seen at `since`, still there three blocks later, so taken in the fourth.
    expect(of(bob!)).to.deep.include({ verdicts: ["late"], since, looks: 4, misses: [] });
    expect(of(bob!).takes.map(({ block, delay }) => [block - since, delay])).to.deep.equal([[4, 4]]);
  });

  it("finds a keeper that never takes, what that would have brought, and the bad debt that it leaves", async () => {
    const settings = { ...NEVER, MIN_PROFIT: "1000000" };
    const { found, of } = await onFork(ethAt(2000, 1850, 1780), settings, { pace: 100 });
    const since = blockOf(found, 1);
    const { misses, deficit, verdicts, takes, reason } = of(bob!);
    expect(verdicts).to.deep.equal(["bad debt", "missed"]);
    expect(takes).to.deep.equal([]);
    // A minute long it paid; then nothing was left of E = 2,000 − 10 − 10 · 220 = −210.
    expect(misses.map(({ looks, ...miss }) => [miss.since, looks])).to.deep.equal([[since, BLOCKS_A_MINUTE]]);
    expect(deficit).to.be.closeTo(210n * WAD, CENT);
    expect(reason).to.match(/less than 1000000/);
    // By the last block of the minute flags have moved the clock: 48 s are d = 5 % + 55 % · 48 / 180 = 19.67 %, f · d · MM · 0.8 = 45.9 at most.
    expect(misses[0]!.profit).to.be.within(5n * WAD, 46n * WAD);
    expect(found.keeper).to.include({ takes: 0, gains: 0n });
    // Dave: E = 4 − 0.02 − 4.4 = −0.42
    expect(of(dave!).deficit).to.be.closeTo(42n * CENT, CENT);
  });

  it("says of who is above MM again before anybody could take that he has recovered", async () => {
    const { of } = await onFork(
      ethAt(2000, 1850, 2000),
      { ...NEVER, MIN_PROFIT: "1000000" },
      { pace: 50, allowLate: 5 },
    );
    expect(of(bob!)).to.deep.include({ verdicts: ["recovered"], looks: BLOCKS_A_MINUTE, misses: [] });
  });

  it("counts what an OP-stack chain charges for data: in what taking has cost, and in whether it would have paid", async () => {
    const { provider } = venue.anvil;
    const settings = { ...NEVER, GAS_MODEL: "opStack" };
    const snapshot = (await provider.send("evm_snapshot", [])) as string;
    /** The oracle's address answers anything with the fee: PUSH32 fee, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN. */
    const charge = async (ether: string) => {
      const code = `0x7f${toBeHex(parseUnits(ether, 18), 32).slice(2)}5f5260205ff3`;
      await provider.send("anvil_setCode", ["0x420000000000000000000000000000000000000F", code]);
      await provider.send("evm_mine", []);
    };
    try {
      await charge("0.002"); // 3.70 USD at 1,850
      const { of } = await onFork(ethAt(2000, 1850), settings);
      const { takes, verdicts } = of(bob!);
      expect(verdicts).to.deep.equal(["on time"]);
      // what gas alone has cost above is less than 2 USD
      expect(takes.map(({ gas }) => gas > parseWad("3.7") && gas < parseWad("5.7"))).to.deep.equal([true]);
      await charge("0.2"); // 370 USD: more than 80 % of 60 % of MM, which is 266 USD
      const dear = await onFork(ethAt(2000, 1850), settings, { pace: 50 });
      expect(dear.of(bob!)).to.deep.include({ verdicts: ["unprofitable"], takes: [], misses: [] });
    } finally {
      await provider.send("evm_revert", [snapshot]);
    }
  });

  it("makes any feed answer: decimals, answer and rounds go on from where they were", async () => {
    const chain = await forkChain(venue.anvil.url, venue.book.chainId);
    try {
      const oracle = PriceOracle__factory.connect(venue.book.contracts.priceOracle, chain.provider);
      const { aggregator } = await oracle.feedOf(ETH);
      const feed = MockV3Aggregator__factory.connect(aggregator, chain.provider);
      const ask = () => Promise.all([feed.decimals(), feed.latestRoundData()]);
      const [decimals, round] = await ask();
      expect(round.roundId / PHASE).to.equal(1n);
      const feeds = await Feeds.takeOver(chain, venue.book);
      expect(await ask()).to.deep.equal([decimals, round]);
      await feeds.answer(ethAt(2000, 1990), 1, WAD / 10n ** 9n);
      const [, next] = await ask();
      expect([next.roundId, next.answer]).to.deep.equal([round.roundId + 1n, parseUnits("1990", 8)]);
      expect((await feed.getRoundData(round.roundId)).answer).to.equal(parseUnits("2000", 8));
      const second = venue.book.underlyings[1]!.feed; // of BTC, which stands still
      expect(await MockV3Aggregator__factory.connect(second, chain.provider).latestAnswer()).to.equal(
        parseUnits("30000", 8),
      );
    } finally {
      await chain.close();
    }
  });

  it("refuses a feed that does not answer, and a node that is not there", async () => {
    const { provider } = venue.anvil;
    const snapshot = (await provider.send("evm_snapshot", [])) as string;
    await provider.send("anvil_setCode", [venue.book.underlyings[1]!.feed, "0x60006000fd"]);
    await provider.send("evm_mine", []);
    try {
      await onFork(ethAt(2000, 1990), {});
      expect.fail("it was accepted");
    } catch (error) {
      expect(error).to.be.instanceOf(FeedUnusable).with.property("feed", venue.book.underlyings[1]!.feed);
    } finally {
      await provider.send("evm_revert", [snapshot]);
    }
    await fails(venue, ["drill", "--fork", "http://127.0.0.1:9"], "NodeUnreachable", 4);
  });

  it("plimsoll drill: candles on a fork, a table for people, numbers for machines, exit code 1 if it is not passed", async () => {
    const prices = candles(2000, 1850, 1780);
    const line = ["drill", "--fork", venue.anvil.url, "--prices", prices, "--capital", "100000"];
    const told = await ask<Told>(venue, [...line, "--minutes", "2"], { env: NEVER });
    expect(told.counts).to.include({ "on time": 1, unprofitable: 1, late: 0, missed: 0, "bad debt": 0 });
    expect(told.badDebt).to.equal("0");
    const crippled = { env: { ...NEVER, MIN_PROFIT: "1000000" } };
    const { code, err } = await type(venue, [...line, "--pace", "50"], crippled);
    expect(code).to.equal(1);
    expect(err).to.match(/^main of 0x\S+ +bad debt, missed +block \d+ .* 210\.00$/m);
    expect(err).to.match(/^ {2}main of 0x\S+ +brings .*, less than 1000000/m);
    expect(err).to.match(/^DrillFailed: the keeper has not passed: 1 missed, 210\.4\d USD of bad debt$/m);
  });

  it("plimsoll drill: wrong input says what to do", async () => {
    await fails(venue, ["drill", "--drop", "0"], "OptionInvalid", 2);
    await fails(venue, ["drill", "--drop", "120"], "OptionInvalid", 2);
    await fails(venue, ["drill", "--minutes", "1"], "OptionInvalid", 2);
    await fails(venue, ["drill", "--seed", "1", "--prices", "ETH-USD.csv"], "OptionConflict", 2);
    await fails(venue, ["drill", "--drop", "5", "--prices", "ETH-USD.csv"], "OptionInvalid", 2);
    await fails(venue, ["drill", "--prices", "ETH-USD_missing.csv"], "CandleFileUnreadable", 2);
    await fails(venue, ["drill", "--allow-late", "0"], "OptionInvalid", 2);
    await fails(venue, ["drill", "--capital", "much"], "InvalidAmount", 2);
    await fails(venue, ["drill"], "InvalidKeeperConfig", 2, { env: { MIN_PROFIT: "a lot" } });
  });

  it("plimsoll drill: on a chain of its own, with a population of its own", async () => {
    const prices = candles(2000, 1985, 1970, 1955, 1940, 1925, 1910);
    const told = await ask<Told>(venue, ["drill", "--prices", prices]);
    // At 19 × E is 5.3 % of what it began with, at 15 × 6.7 %: less than MM = 3 % after falls of 2.4 % and 3.8 %. At 12 × 8.3 % last.
    const fallen = told.accounts.map(({ account }) => account);
    expect(fallen).to.include.members(["06 ETH 19×", "05 ETH 15×"]).and.not.include("04 ETH 12×");
    expect(told.counts).to.include({ late: 0, missed: 0, "bad debt": 0, "on time": fallen.length });
  });
});
