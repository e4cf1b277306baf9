import { spawn } from "node:child_process";
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { Wallet } from "ethers";
import hre, { network } from "hardhat";
import pino from "pino";

import PushedFeed from "../../deploy/modules/PushedFeed.ts";
import { Endpoints } from "../../src/keeper/endpoints.ts";
import { Keeper } from "../../src/keeper/keeper.ts";
import { LocalSigner } from "../../src/keeper/signer.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { UnusableAggregator } from "../../src/pusher/aggregator.ts";
import { Pusher } from "../../src/pusher/pusher.ts";
import type { Feed } from "../../src/pusher/pusher.ts";
import type { Price } from "../../src/pusher/price.ts";
import { priceAnswer, signPrice } from "../../src/pusher/price.ts";
import { feedStatus } from "../../src/sdk/feeds.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { parseAmount, parseWad } from "../../src/sdk/units.ts";
import { PriceOracle__factory } from "../../types/index.ts";
import { freePort } from "../helpers/anvil.ts";
import { startFaultyProxy } from "../keeper/faultyProxy.ts";
import { Venue } from "../matcher/venue.ts";
import { startSource } from "./sources.ts";
import type { TestSource } from "./sources.ts";
import { until } from "../helpers/until.ts";

const SCRIPT = path.join(import.meta.dirname, "../../scripts/pusher.ts");
const PAIR = "ETH/USD";
const ETH = 0;
const DEPLOYMENT = `chain-31337-pusher-${process.pid}`;
const logger = pino({ level: "silent" });
const POLICY = {
  ...{ confirmTimeout: 10_000, pollInterval: 20, replaceAfter: 3, maxGasPrice: 10n ** 12n, sourceTimeout: 1000 },
};

describe("price pusher", () => {
  let venue: Venue;
  let connection: Awaited<ReturnType<typeof network.create>>;
  let sources: TestSource[];
  let clock: number; // [s] of the pusher
  let deployments = 0;
  const closers: (() => Promise<void>)[] = [];

  before(async () => {
    venue = await Venue.open();
    connection = await network.create({ network: "localhost", override: { url: venue.anvil.url } });
    sources = await Promise.all(["a", "b", "c", "d", "e"].map(startSource));
  });
  after(async () => {
    await Promise.all(sources.map((source) => source.stop()));
    await connection.close();
    await venue.close();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  beforeEach(async () => {
    const block = await venue.anvil.provider.getBlock("latest");
    clock = Math.max(block!.timestamp, Math.floor(Date.now() / 1000));
  });

  const price = (text: string, fields: Partial<Price> = {}): Price => ({
    ...{ pair: PAIR, price: parseAmount(text, 8), decimals: 8, time: BigInt(clock), ...fields },
  });

  /** Each source in turn says one of these prices of now. */
  function say(...prices: string[]): void {
    for (const [i, source] of sources.entries()) {
      const text = prices[i];
      if (text === undefined) source.answer = () => Promise.reject(new Error("nothing to say"));
      else source.say(price(text));
    }
  }

  interface Pushed {
    readonly pusher: Pusher;
    readonly feed: Feed;
    readonly wallet: Wallet;
  }

  async function oracleWallet(): Promise<Wallet> {
    const wallet = new Wallet(Wallet.createRandom().privateKey, venue.anvil.provider);
    await venue.fundGas(wallet.address);
    return wallet;
  }

  async function deployFeed(oracles: readonly string[], minSubmissions = 1): Promise<string> {
    const parameters = { oracles: [...oracles], minSubmissions, maxSubmissions: oracles.length, pair: PAIR };
    const deploymentId = `${DEPLOYMENT}-${++deployments}`;
    const options = { parameters: { PushedFeed: parameters }, deploymentId };
    const { aggregator } = await connection.ignition.deploy(PushedFeed, options);
    rmSync(path.join(hre.config.paths.ignition, "deployments", deploymentId), { recursive: true });
    return aggregator.target as string;
  }

  function feedAt(aggregator: string, fields: Partial<Feed> = {}): Feed {
    return {
      ...{ pair: PAIR, aggregator, decimals: 8, quorum: 3, jumpQuorum: 5, maxAge: 60n, maxLead: 5n },
      ...{ maxDeviation: 10_000n, maxJump: 100_000n, threshold: 5_000n, heartbeat: 3600n }, // 1 %, 10 %, 0.5 %
      ...{ sources: sources.map(({ name, url, signer }) => ({ name, url, signer })), ...fields },
    };
  }

  function pusherOf(wallet: Wallet, feed: Feed, provider = venue.anvil.provider): Promise<Pusher> {
    const signer = new LocalSigner(Buffer.from(wallet.privateKey.slice(2), "hex"));
    const database = new SqliteDatabase(":memory:");
    const now = () => clock * 1000;
    return Pusher.create({ provider, signer, database, feeds: [feed], policy: POLICY, logger, now });
  }

  /** A pusher with a feed of its own that has answered 2,000. */
  async function started(fields: Partial<Feed> = {}): Promise<Pushed> {
    const wallet = await oracleWallet();
    const feed = feedAt(await deployFeed([wallet.address]), fields);
    const pusher = await pusherOf(wallet, feed);
    say("2000", "2000", "2000", "2000", "2000");
    expect(await look(pusher)).to.include({ result: "done", median: 2000n * 10n ** 8n });
    return { pusher, feed, wallet };
  }

  async function look(pusher: Pusher) {
    const [report] = await pusher.tick();
    return report!;
  }

  /** Why each source is not believed, by the metrics. */
  async function refusals(pusher: Pusher): Promise<Record<string, string>> {
    const { values } = await pusher.metrics.refusals.get();
    return Object.fromEntries(values.map(({ labels }) => [String(labels.source), String(labels.reason)]));
  }

  /** The price oracle of the house reads this feed from now on, with a heartbeat of an hour. */
  async function useFeed({ aggregator }: Feed) {
    const deployer = await venue.anvil.provider.getSigner(0);
    const oracle = PriceOracle__factory.connect(venue.book.contracts.priceOracle, deployer);
    const bounds = { minPrice: parseWad("100"), maxPrice: parseWad("100000") };
    await (await oracle.setFeed(ETH, { aggregator, heartbeat: 3600, decimals: 8, ...bounds })).wait();
    return Plimsoll.connect(venue.book, venue.anvil.provider);
  }

  it("OR-5 submits the median of what it believes, and the price oracle of the house reads it", async () => {
    const { pusher, feed } = await started();
    say("2019", "2021", "2020", "2023", "2022");
    expect(await look(pusher)).to.include({ result: "done", median: 2021n * 10n ** 8n });
    const house = await useFeed(feed);
    expect((await feedStatus(house, ETH)).snapshot?.price).to.equal(parseWad("2021"));

    say("2040", "2042", "2044.00000001", "2046"); // one is silent: the mean of the two in the middle, rounded down
    expect(await look(pusher)).to.include({ result: "done", median: 204_300_000_000n });
    expect((await feedStatus(house, ETH)).snapshot?.price).to.equal(parseWad("2043"));
    expect(await refusals(pusher)).to.deep.equal({ e: "silent" });
  });

  it("OR-5 submits only what has moved by more than the threshold, or when the heartbeat has run out", async () => {
    const { pusher } = await started();
    say("2010", "2010", "2010", "2010", "2010"); // 0.5 %: at the threshold
    expect((await look(pusher)).result).to.equal("unchanged");
    say("2010.01", "2010.01", "2010.01", "2010.01", "2010.01");
    expect((await look(pusher)).result).to.equal("done");
    await venue.anvil.provider.send("evm_mine", []);
    const { timestamp } = (await venue.anvil.provider.getBlock("latest"))!;
    clock = timestamp + 3590;
    say("2011", "2011", "2011", "2011", "2011");
    expect((await look(pusher)).result).to.equal("unchanged");
    clock += 20;
    say("2011", "2011", "2011", "2011", "2011");
    expect((await look(pusher)).result).to.equal("done");
  });

  it("OR-5 believes no price that is not what its source shall say, and says what is wrong with each", async () => {
    const { pusher } = await started({ quorum: 1 });
    const [a, b, c, d, e] = sources as [TestSource, TestSource, TestSource, TestSource, TestSource];
    const signed = async (source: TestSource, what: Price, change: object = {}) =>
      JSON.stringify({ ...priceAnswer(await signPrice(source.wallet, what)), ...change });
    const expectRefused = async (why: Record<string, string>) => {
      pusher.metrics.refusals.reset();
      await look(pusher);
      expect(await refusals(pusher)).to.deep.equal(why);
    };

    a.answer = () => signed(b, price("2000")); // by another source
    b.answer = () => signed(b, price("2000"), { price: "200100000000" }); // changed on the way
    c.answer = () => signed(c, price("2000"), { time: clock + 1 });
    d.answer = () => signed(d, price("2000"), { decimals: 6 });
    e.say(price("2000"));
    await expectRefused({ a: "wrongSigner", b: "wrongSigner", c: "wrongSigner", d: "wrongSigner" });

    a.say(price("2000", { pair: "BTC/USD" }));
    b.say(price("2000", { decimals: 6, price: 2_000_000_000n }));
    c.say(price("2000", { price: -200_000_000_000n }));
    d.say(price("2000", { price: 0n }));
    await expectRefused({ a: "wrongPair", b: "wrongDecimals", c: "notPositive", d: "notPositive" });

    a.say(price("2000", { time: BigInt(clock - 61) })); // 60 s are allowed
    b.say(price("2000", { time: BigInt(clock + 6) })); // 5 s are allowed
    c.say(price("2000", { time: BigInt(clock - 60) }));
    d.say(price("2000", { time: BigInt(clock + 5) }));
    await expectRefused({ a: "stale", b: "future" });

    const flood = `"${"x".repeat(20_000)}"`;
    a.answer = () => Promise.resolve(flood);
    b.answer = () => Promise.resolve("no JSON");
    c.answer = () => signed(c, price("2000"), { signature: "0x12" });
    d.answer = () => sleep(3000).then(() => signed(d, price("2000")));
    await expectRefused({ a: "silent", b: "silent", c: "wrongSigner", d: "silent" });
    expect(pusher.status.problems.size).to.equal(0); // e alone is the quorum here
  });

  it("OR-5 a source that freezes, jumps, goes negative or changes its decimals moves nothing", async () => {
    const { pusher } = await started();
    const [, , , d, e] = sources as [TestSource, TestSource, TestSource, TestSource, TestSource];
    const frozen = price("2000");
    for (const [text, spoil, reason] of [
      [
        "1980",
        () => {
          d.say(price("3000"));
        },
        "outlier",
      ],
      [
        "1960",
        () => {
          d.say(price("1"));
        },
        "outlier",
      ],
      [
        "1940",
        () => {
          d.say(price("1940", { price: -194_000_000_000n }));
        },
        "notPositive",
      ],
      [
        "1920",
        () => {
          d.say(price("1920", { decimals: 18, price: parseWad("1920") }));
        },
        "wrongDecimals",
      ],
      [
        "1900",
        () => {
          d.say(price("1900", { price: parseWad("1900") }));
        },
        "outlier",
      ], // scaled anew without saying so
      ["1880", () => (clock += 61), "stale"],
    ] as const) {
      spoil();
      for (const source of sources) if (source !== d) source.say(price(text));
      if (reason === "stale") d.say({ ...frozen });
      pusher.metrics.refusals.reset();
      expect(await look(pusher)).to.include({ result: "done", median: parseAmount(text, 8) });
      expect(await refusals(pusher)).to.deep.equal({ d: reason });
    }
    // Two liars of five that agree: the median of three and two others is an honest one for each.
    for (const source of sources) source.say(price([d, e].includes(source) ? "1700" : "1880"));
    pusher.metrics.refusals.reset();
    expect(await look(pusher)).to.include({ result: "unchanged", median: 1880n * 10n ** 8n });
    expect(await refusals(pusher)).to.deep.equal({ d: "outlier", e: "outlier" });
  });

  it("OR-5 a majority that lies moves nothing: only all together may jump", async () => {
    const { pusher, feed } = await started();
    say("1500", "1500", "1500", "1500", "2000"); // four of five; the honest one is the outlier
    const report = await look(pusher);
    expect(report.result).to.equal("noQuorum");
    expect(report.reason).to.equal(
      "0 of 5 prices are believed, 3 are needed (a: jump, b: jump, c: jump, d: jump, e: outlier)",
    );
    expect([...pusher.status.problems.keys()]).to.deep.equal([PAIR]);
    const house = await useFeed(feed);
    expect((await feedStatus(house, ETH)).snapshot?.price).to.equal(parseWad("2000"));
    say("1820", "1820", "1820", "1820", "1820"); // 2000 / 1820 is 9.9 % more: no jump
    expect((await look(pusher)).result).to.equal("done");
    say("1500", "1500", "1500", "1500", "1500");
    expect(await look(pusher)).to.include({ result: "done", median: 150_000_000_000n });
  });

  it("OR-5 several pushers are oracles of one feed, whose answer is the median of theirs", async () => {
    const wallets = await Promise.all([oracleWallet(), oracleWallet(), oracleWallet()]);
    const aggregator = await deployFeed(
      wallets.map(({ address }) => address),
      2,
    );
    // Each has a source of its own.
    const feeds = sources
      .slice(0, 3)
      .map(({ name, url, signer }) =>
        feedAt(aggregator, { quorum: 1, jumpQuorum: 1, sources: [{ name, url, signer }] }),
      );
    const [first, second, third] = await Promise.all(wallets.map((wallet, i) => pusherOf(wallet, feeds[i]!)));
    say("2000", "2008", "2004");
    const house = await useFeed(feeds[0]!);
    expect((await look(first!)).result).to.equal("done");
    expect((await feedStatus(house, ETH)).age).to.equal(undefined); // two of three are needed
    expect((await look(first!)).result).to.equal("waiting");
    expect((await look(second!)).result).to.equal("done");
    expect((await feedStatus(house, ETH)).snapshot?.price).to.equal(parseWad("2004")); // mean of 2000 and 2008
    expect((await look(third!)).result).to.equal("done"); // joins the round although nothing has moved for it
    expect((await feedStatus(house, ETH)).snapshot?.price).to.equal(parseWad("2004"));
    expect((await look(first!)).result).to.equal("unchanged");
  });

  it("OR-5 submits once through nodes that drop requests and answers", async () => {
    const { wallet, feed } = await started();
    const proxies = [await startFaultyProxy(venue.anvil.url), await startFaultyProxy(venue.anvil.url)];
    closers.push(...proxies.map((proxy) => () => proxy.stop()));
    const urls = proxies.map(({ url }) => url);
    const provider = new Endpoints({ urls, chainId: 31337, checkInterval: 0 });
    closers.push(() => {
      provider.destroy();
      return Promise.resolve();
    });
    const pusher = await pusherOf(wallet, feed, provider);
    let asked = 0;
    const faults = [undefined, { drop: "request" }, undefined, undefined, { drop: "answer" }] as const;
    for (const proxy of proxies) proxy.fault = () => faults[asked++ % faults.length];
    const nonce = await wallet.getNonce();
    say("2100", "2100", "2100", "2100", "2100");
    for (let tries = 0; tries < 20 && (await wallet.getNonce()) === nonce; ++tries) await look(pusher);
    for (const proxy of proxies) proxy.fault = () => undefined;
    expect(await look(pusher)).to.include({ result: "unchanged", median: 210_000_000_000n });
    expect(await wallet.getNonce()).to.equal(nonce + 1);
    for (const proxy of proxies) proxy.fault = () => ({ drop: "request" });
    expect(await look(pusher)).to.include({ result: "failed" });
  });

  it("OR-5 when the sources freeze the feed grows stale and the keeper liquidates nobody on it", async () => {
    const { pusher, feed } = await started();
    const house = await useFeed(feed);
    const [alice, bob, taker] = [
      await venue.trader("100000"),
      await venue.trader("1100"),
      await venue.trader("100000"),
    ];
    const orders = [await venue.order(alice, "-10", "2000", { resting: true }), await venue.order(bob, "10", "2000")];
    await bob.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    const addressBook = structuredClone(venue.book);
    addressBook.underlyings[ETH]!.feed = feed.aggregator;
    const keeper = await Keeper.create({
      ...{ provider: venue.anvil.provider, signer: taker.wallet, addressBook, logger },
      takerAccount: taker.account,
    });

    // The price falls to 1,945, where E = 540 is below MM = 583.65, but every source stands still from here on.
    await venue.anvil.provider.send("evm_increaseTime", [3601]);
    await venue.anvil.provider.send("evm_mine", []);
    clock += 3601;
    const report = await look(pusher);
    expect(report.result).to.equal("noQuorum");
    expect(report.reason).to.match(/^0 of 5 prices are believed, 3 are needed \(a: stale/);
    expect((await feedStatus(house, ETH)).refusal?.name).to.equal("PriceStale");
    expect((await keeper.tick()).filter(({ account }) => account === bob.account)).to.deep.equal([]);
    expect(keeper.status.unusablePrices).to.deep.equal(["ETH"]);

    say("1945", "1945", "1945", "1945", "1945");
    expect((await look(pusher)).result).to.equal("done");
    const acts = await keeper.tick();
    expect(acts.find(({ account }) => account === bob.account)).to.include({ action: "take", result: "done" });
  });

  it("OR-5 does not start with a contract that is no such aggregator, has other decimals or does not know it", async () => {
    const wallet = await oracleWallet();
    const [known, foreign] = [await deployFeed([wallet.address]), await deployFeed([Wallet.createRandom().address])];
    for (const [feed, problem] of [
      [feedAt(venue.book.underlyings[ETH]!.feed), /give the address of a FluxAggregator/],
      [feedAt(Wallet.createRandom().address), /give the address of a FluxAggregator/],
      [feedAt(known, { decimals: 18 }), /its answers have 8 decimals and the configuration says 18$/],
      [feedAt(foreign), new RegExp(`its owner must add ${wallet.address}`)],
    ] as const) {
      const error = await pusherOf(wallet, feed).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(UnusableAggregator).with.property("message").that.matches(problem);
    }
  });

  /** Starts the script; `output` grows as it writes, unless standard output goes elsewhere. */
  async function start(stdout: "pipe" | number = "pipe") {
    const wallet = await oracleWallet();
    const aggregator = await deployFeed([wallet.address]);
    const feeds = path.join(venue.folder, "feeds.json");
    const own = sources.map(({ name, url, signer }) => ({ name, url, signer }));
    writeFileSync(
      feeds,
      JSON.stringify({ chainId: 31337, feeds: [{ pair: PAIR, aggregator, decimals: 8, quorum: 3, sources: own }] }),
    );
    const port = await freePort();
    clock = Math.floor(Date.now() / 1000);
    say("2000", "2000", "2000", "2000", "2000");
    const child = spawn(process.execPath, ["--import", "tsx", SCRIPT, "--rpc-url", venue.anvil.url, "--feeds", feeds], {
      env: {
        ...{ ...process.env, PRIVATE_KEY: wallet.privateKey },
        ...{ DATABASE: path.join(venue.folder, `${wallet.address}.sqlite`) },
        ...{ POLL_INTERVAL: "50", PORT: String(port), LOG_LEVEL: "debug" },
      },
      stdio: ["ignore", stdout, "pipe"],
    });
    closers.push(() => Promise.resolve(void child.kill("SIGKILL")));
    const run = {
      ...{ wallet, child, output: "" },
      exited: new Promise<number | null>((resolve) => child.once("exit", resolve)),
      get: (of: string) => fetch(`http://127.0.0.1:${port}${of}`),
    };
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => (run.output += chunk.toString()));
    return run;
  }

  it("OR-5 runs as a process, tells how it is, and ends when it is told to", async () => {
    const run = await start();
    const { wallet, child, exited, get } = run;
    await until(() => run.output.includes('"result":"done"'));
    await until(() => run.output.includes('"result":"unchanged"'));
    expect(await (await get("/health")).json()).to.include({ alive: true });
    expect((await get("/ready")).status).to.equal(200);
    const metrics = await (await get("/metrics")).text();
    expect(metrics)
      .to.match(/^plimsoll_pusher_ready 1$/m)
      .and.to.match(/^plimsoll_pusher_answer\{pair="ETH\/USD"\} 2000$/m);
    expect(metrics).to.match(/^plimsoll_pusher_results_total\{pair="ETH\/USD",result="done"\} 1$/m);

    say("2000", "2000");
    await until(() => run.output.includes('"result":"noQuorum"'));
    const unready = await get("/ready");
    expect(unready.status).to.equal(503);
    expect(((await unready.json()) as { reasons: string[] }).reasons[0]).to.match(
      /^ETH\/USD is not kept up: 2 of 5 prices/,
    );
    child.kill("SIGTERM");
    expect(await exited).to.equal(0);
    expect(run.output).to.include('"stopped"').and.to.not.include(wallet.privateKey.slice(2));
  });

  it("OR-5 goes on although its log cannot be written", async () => {
    const full = openSync("/dev/full", "w"); // has never room
    const { child, exited, get } = await start(full);
    closeSync(full);
    const done = /^plimsoll_pusher_results_total\{pair="ETH\/USD",result="done"\} 1$/m;
    const metrics = async () => (await get("/metrics").catch(() => undefined))?.text();
    await until(async () => done.test((await metrics()) ?? ""));
    child.kill("SIGTERM");
    expect(await exited).to.equal(0);
  });
});
