import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

import { InvalidPusherConfig, parsePusherConfig } from "../../src/pusher/config.ts";

const KEY = `0x${"ab".repeat(32)}`;
const [A, B, C] = ["11", "22", "33"].map((byte) => `0x${byte.repeat(20)}`);

describe("pusher configuration", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "pusher-"));
  const file = path.join(folder, "feeds.json");
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const source = (name: string, signer = A) => ({ name, url: `https://${name}.example/`, signer });
  const feed = {
    ...{ pair: "ETH/USD", aggregator: C, decimals: 8, quorum: 2 },
    sources: [source("a", A), source("b", B), source("c", C)],
  };

  /** Parses with these feeds. */
  function parse(feeds: unknown, settings: Record<string, string> = {}) {
    writeFileSync(file, JSON.stringify({ chainId: 1, feeds }));
    return parsePusherConfig({ PRIVATE_KEY: KEY, FEEDS: file, UNRELATED: "x", DATABASE: "", ...settings });
  }

  function problems(feeds: unknown, settings: Record<string, string> = {}): readonly string[] {
    try {
      parse(feeds, settings);
    } catch (error) {
      expect(error).to.be.instanceOf(InvalidPusherConfig);
      expect((error as Error).message).to.not.include(KEY.slice(2));
      return (error as InvalidPusherConfig).problems;
    }
    return [];
  }

  it("OR-5 needs no more than a key and a file of feeds; all sources must agree on a jump", () => {
    const config = parse([feed]);
    expect(config)
      .to.include({ chainId: 1, database: "pusher.sqlite", gasModel: "plain" })
      .and.to.not.have.property("server");
    expect(config.feeds[0]).to.deep.include({ quorum: 2, jumpQuorum: 3, maxAge: 60n, heartbeat: 3600n });
    // 1 %, 10 % and 0.5 % in ppm
    expect(config.feeds[0]).to.include({ maxDeviation: 10_000n, maxJump: 100_000n, threshold: 5_000n });
    const { policy, server } = parse([feed], { PORT: "9200", MAX_GAS_PRICE: "1.5", DAILY_LIMIT: "0.25" });
    expect(policy).to.include({ maxGasPrice: 1_500_000_000n, dailyLimit: 250_000_000_000_000_000n });
    expect(server).to.deep.equal({ host: "127.0.0.1", port: 9200, minGasRunway: 86_400 });
  });

  it("OR-5 names every mistake and what to put there", () => {
    expect(problems([{ ...feed, quorum: 4 }])).to.deep.equal([
      `${file}: feeds.0.quorum: there are 3 sources only`,
      `${file}: feeds.0.jumpQuorum: give at least the quorum and at most 3, the number of sources`,
    ]);
    expect(problems([{ ...feed, jumpQuorum: 1 }])[0]).to.match(/jumpQuorum: give at least the quorum/);
    const twice = [source("a", A), source("b", A)];
    expect(problems([{ ...feed, sources: twice }])[0]).to.match(/two of them have one signer: that is one source$/);
    expect(problems([feed, { ...feed, pair: "BTC/USD" }])[0]).to.match(/two of them have one pair or one aggregator$/);
    expect(problems([{ ...feed, maxJump: 10 }])).to.have.length(1);
    expect(problems([{ ...feed, aggregator: "0x12" }])).to.deep.equal([`${file}: feeds.0.aggregator: give an address`]);
    expect(problems([feed], { POLL_INTERVAL: "soon", PORT: "0" })).to.have.length(2);
    expect(problems([feed], { FEEDS: "/nowhere" })).to.deep.equal(["FEEDS: /nowhere is no readable file of JSON"]);
    expect(problems([feed], { FEEDS: "" })[0]).to.match(/^FEEDS: give the file that describes the feeds/);
  });
});
