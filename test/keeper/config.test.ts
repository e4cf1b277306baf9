import { expect } from "chai";

import { InvalidKeeperConfig, parseKeeperConfig } from "../../src/keeper/config.ts";
import { AdvisedBidding, ShareBidding } from "../../src/keeper/fees.ts";
import { wad } from "../helpers/fixture.ts";

const KEY = `0x${"ab".repeat(32)}`;

describe("keeper configuration", () => {
  it("needs no more than a key", () => {
    const config = parseKeeperConfig({ PRIVATE_KEY: KEY, MAX_SPEND: "", UNRELATED: "x" });
    expect(config).to.include({ takerIndex: 0n, logLevel: "info", database: "keeper.sqlite", gasModel: "plain" });
    expect(config.rpcUrls).to.deep.equal(["http://127.0.0.1:8545"]);
    expect(config.signer.PRIVATE_KEY).to.equal(KEY);
    expect(config.transports).to.deep.equal({});
    for (const name of ["server", "relay", "webSocketUrl", "leaseLifetime", "hedge"])
      expect(config).to.not.have.property(name);
    expect(config.policy).to.include({ minProfit: wad("1"), flagInterval: 20n, pollInterval: 1000 });
    for (const name of ["maxSpend", "maxInventory", "fundTo"]) expect(config.policy).to.not.have.property(name);
    expect(config.bidding).to.be.instanceOf(AdvisedBidding);
  });

  it("reads every setting", () => {
    const config = parseKeeperConfig({
      PRIVATE_KEY: KEY,
      RPC_URL: "https://node.example,https://second.example",
      WS_URL: "wss://node.example",
      RELAY_URL: "https://relay.example",
      RELAY_METHOD: "eth_sendPrivateTransaction",
      DATABASE: "postgres://db.example/keeper",
      LEASE_LIFETIME: "5000",
      GAS_MODEL: "opStack",
      HOURLY_LIMIT: "0.5",
      BACKUP_BLOCKS: "2",
      SMTP_URL: "smtps://me:p%40ss@mail.example",
      SMTP_FROM: "keeper@plimsoll.example",
      TELEGRAM_TOKEN: "1:abc",
      NOTICE_GROWTH: "0.5",
      TAKER_INDEX: "3",
      TAKER_OWNER: "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
      MIN_PROFIT: "2.5",
      MAX_SPEND: "10000",
      POLL_INTERVAL: "250",
      PORT: "9100",
      PATIENCE: "30",
      INVENTORY_RISK: "0.02",
      MAX_INVENTORY: "50000",
      HEDGE: "matcher",
      MATCHER_URL: "https://matcher.example",
      HEDGE_SLIPPAGE: "0.004",
      FUND_BELOW: "1000",
      FUND_TO: "2000",
      BIDDING: "share:0.5",
    });
    expect(config.takerOwner).to.equal("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    expect(config).to.include({ takerIndex: 3n, leaseLifetime: 5000, gasModel: "opStack" });
    expect(config).to.include({ webSocketUrl: "wss://node.example", database: "postgres://db.example/keeper" });
    expect(config.rpcUrls).to.deep.equal(["https://node.example", "https://second.example"]);
    expect(config.relay).to.deep.equal({ url: "https://relay.example", method: "eth_sendPrivateTransaction" });
    expect(config.server).to.deep.equal({ host: "127.0.0.1", port: 9100, maxHeadAge: 60, minGasRunway: 86_400 });
    expect(config.transports.smtp).to.deep.equal({
      ...{ host: "mail.example", port: 465, secure: true, from: "keeper@plimsoll.example" },
      ...{ user: "me", password: "p@ss" },
    });
    expect(config.transports.telegram?.token).to.equal("1:abc");
    expect(config.notices).to.deep.equal({ growth: 500_000n });
    expect(config.policy).to.include({ hourlyLimit: wad("0.5"), backupBlocks: 2 });
    expect(config.policy).to.include({ patience: 30n, inventoryRisk: 20_000n, maxInventory: wad("50000") });
    expect(config.policy).to.include({ fundBelow: wad("1000"), fundTo: wad("2000") });
    expect(config.hedge).to.deep.equal({ url: "https://matcher.example", slippage: 4000n });
    expect(config.bidding).to.be.instanceOf(ShareBidding);
    expect(config.policy).to.include({ minProfit: wad("2.5"), maxSpend: wad("10000"), pollInterval: 250 });
  });

  it("names every mistake and what to put there, never the key", () => {
    const wrong = {
      PRIVATE_KEY: KEY.slice(0, -2),
      RPC_URL: "http://node.example,node.example",
      SMTP_URL: `mail://${KEY}`,
      MIN_PROFIT: "a dollar",
      POLL_INTERVAL: "often",
      PORT: "99999",
    };
    expect(() => parseKeeperConfig(wrong))
      .to.throw(InvalidKeeperConfig)
      .with.property("message")
      .that.matches(/RPC_URL.1: give the http\(s\) address of a node, or several with commas/)
      .and.matches(/MIN_PROFIT: "a dollar" is not a decimal number/)
      .and.matches(/POLL_INTERVAL: give milliseconds/)
      .and.matches(/PORT/)
      .and.does.not.match(/abab/);
  });

  it("LIQ-5 says what one setting needs of another, and how to bid", () => {
    const problems = (settings: Record<string, string>) => {
      try {
        parseKeeperConfig(settings);
        return [];
      } catch (error) {
        return (error as InvalidKeeperConfig).problems;
      }
    };
    expect(problems({ HEDGE: "matcher" })).to.deep.equal([
      "MATCHER_URL: give the http(s) address of the matcher to hedge at",
      "MAX_INVENTORY: give the USD of notional to keep, 0 to hedge all",
    ]);
    expect(problems({ FUND_BELOW: "100" })).to.deep.equal(["FUND_TO: give the USD that the taker shall have"]);
    expect(problems({ FUND_BELOW: "100", FUND_TO: "99", WITHDRAW_ABOVE: "98" })).to.deep.equal([
      "FUND_BELOW: must not be more than FUND_TO",
      "WITHDRAW_ABOVE: must not be less than FUND_TO",
    ]);
    const stranger = { TAKER_OWNER: `0x${"11".repeat(20)}`, FUND_TO: "1", WITHDRAW_ABOVE: "2" };
    expect(problems(stranger)).to.deep.equal(["WITHDRAW_ABOVE: leave it out: TAKER_OWNER lets nothing leave"]);
    expect(problems({ BATCH_BELOW: "5", TAKER_OWNER: stranger.TAKER_OWNER })).to.deep.equal([]);
    expect(problems({ BATCH_BELOW: "5", LEASE_LIFETIME: "5000" })).to.deep.equal([
      "BATCH_BELOW: leave it out: with LEASE_LIFETIME none is sent",
    ]);
    expect(problems({ PATIENCE: "181" })).to.deep.equal(["PATIENCE: an auction's clock stops at 180 s"]);
    expect(problems({ RPC_URL: "https://me:pass@node.example" })).to.deep.equal([
      "RPC_URL.0: give the http(s) address of a node, or several with commas, without a user and password in it",
    ]);
    expect(problems({ SMTP_URL: "smtps://me:pass@mail.example" })).to.deep.equal([
      "SMTP_FROM: give the sender's e-mail address",
    ]);
    const ether = "ether (or what else gas is paid in)";
    expect(problems({ HOURLY_LIMIT: "much", DAILY_LIMIT: "-1", MAX_SPEND: "-1", MIN_PROFIT: "-1" })).to.deep.equal([
      "MAX_SPEND: give USD, not less than nothing",
      `HOURLY_LIMIT: "much" is not a decimal number with at most 18 decimals, such as "-1234.5"; give ${ether} as a decimal number`,
      `DAILY_LIMIT: give ${ether}, not less than nothing`,
    ]);
    for (const BIDDING of ["share:2", "share:", "0.5", "share:1.5"]) {
      expect(problems({ BIDDING }), BIDDING).to.deep.equal([
        "BIDDING: give advised, or share: and a part of the expected gain such as share:0.5",
      ]);
    }
  });

  it("refuses a mail server's address that is none, and does not quote it", () => {
    expect(() => parseKeeperConfig({ SMTP_URL: `mail://${KEY}`, SMTP_FROM: "keeper@plimsoll.example" }))
      .to.throw(InvalidKeeperConfig, "SMTP_URL: give smtps://user:password@host:port")
      .with.property("message")
      .that.does.not.match(/abab/);
  });
});
