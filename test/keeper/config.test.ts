import { expect } from "chai";

import { InvalidKeeperConfig, parseKeeperConfig } from "../../src/keeper/config.ts";
import { wad } from "../helpers/fixture.ts";

const KEY = `0x${"ab".repeat(32)}`;

describe("keeper configuration", () => {
  it("needs no more than a key", () => {
    const config = parseKeeperConfig({ PRIVATE_KEY: KEY, MAX_SPEND: "", UNRELATED: "x" });
    expect(config).to.include({ rpcUrl: "http://127.0.0.1:8545", takerIndex: 0n, logLevel: "info" });
    expect(config).to.not.have.property("metricsPort");
    expect(config.policy).to.include({ minProfit: wad("1"), flagInterval: 20n, pollInterval: 1000 });
    expect(config.policy).to.not.have.property("maxSpend");
  });

  it("reads every setting", () => {
    const config = parseKeeperConfig({
      PRIVATE_KEY: KEY,
      RPC_URL: "https://node.example",
      TAKER_INDEX: "3",
      MIN_PROFIT: "2.5",
      MAX_SPEND: "10000",
      POLL_INTERVAL: "250",
      METRICS_PORT: "9100",
    });
    expect(config).to.include({ rpcUrl: "https://node.example", takerIndex: 3n, metricsPort: 9100 });
    expect(config.policy).to.include({ minProfit: wad("2.5"), maxSpend: wad("10000"), pollInterval: 250 });
  });

  it("names every mistake and what to put there, never the key", () => {
    const wrong = {
      PRIVATE_KEY: KEY.slice(0, -2),
      RPC_URL: "node.example",
      MIN_PROFIT: "a dollar",
      POLL_INTERVAL: "often",
      METRICS_PORT: "99999",
    };
    expect(() => parseKeeperConfig(wrong))
      .to.throw(InvalidKeeperConfig)
      .with.property("message")
      .that.matches(/PRIVATE_KEY: must be 0x and 64 hexadecimal digits/)
      .and.matches(/RPC_URL: give the http\(s\) address of a node/)
      .and.matches(/MIN_PROFIT: "a dollar" is not a decimal number/)
      .and.matches(/POLL_INTERVAL: give milliseconds/)
      .and.matches(/METRICS_PORT/)
      .and.does.not.match(/abab/);
  });

  it("asks for a key that is missing", () => {
    expect(() => parseKeeperConfig({})).to.throw(InvalidKeeperConfig, "PRIVATE_KEY: set it in the environment");
  });
});
