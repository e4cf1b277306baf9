import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

import { parseWad } from "../../src/sdk/units.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell, type } from "./support.ts";

const SCRIPT = path.join(import.meta.dirname, "../../scripts/plimsoll.ts");
/** The first of anvil's accounts: it has deployed the house. */
const ADMIN = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/** A node that knows its chain and nothing else. */
async function startNode(chainId: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { id, method } = JSON.parse(body) as { id?: number; method?: string };
      response.statusCode = method === "eth_chainId" ? 200 : 500;
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result: chainId }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
  return { url: `http://127.0.0.1:${port}`, close };
}

describe("plimsoll market, admin, and the process", () => {
  let venue: Venue;
  let alice: Trader;

  before(async () => {
    venue = await Venue.open();
    alice = await venue.trader("1000");
  });
  after(() => venue.close());

  it("market list and show have index price, funding, open interest, pool and terms", async () => {
    const { markets, lending } = await ask<{ markets: object[]; lending: object }>(venue, ["market", "list"]);
    expect(markets[0]).to.include({ market: "ETH-PERP", indexPrice: "2000", fundingPer8h: "0", openInterest: "0" });
    expect(lending).to.include({ lent: "0", borrowApr: "0" });
    expect(await tell(venue, ["market", "list"])).to.match(/BTC-PERP +30,000\.00 +0 % +0 %/);
    const shown = await ask<{ terms: object }>(venue, ["market", "show", "ETH-PERP"]);
    expect(shown.terms).to.include({ takerFee: "0.0005", priceBand: "0.005", minFill: "0.01" });
    expect(await tell(venue, ["market", "show", "0"]))
      .to.match(/price band +0\.5 %/)
      .and.match(/index price +2,000\.00/);
    await fails(venue, ["market", "show", "9"], "InvalidValue", 2);
    await fails(venue, ["market", "show"], "InvalidCommandLine", 2);
    await fails(venue, ["market", "lst"], "InvalidCommandLine", 2);
  });

  it("admin shows addresses, roles and parameters", async () => {
    expect(await ask(venue, ["admin", "addresses"])).to.deep.include({ contracts: venue.book.contracts });
    expect(await tell(venue, ["admin", "addresses"])).to.include(venue.book.contracts.exchange);
    const { roles } = await ask<{ roles: object[] }>(venue, ["governance", "show"]);
    const [deployer] = await venue.anvil.provider.listAccounts();
    expect(roles).to.deep.equal([{ role: "ADMIN", member: deployer!.address, delay: "0" }]);
    expect(await tell(venue, ["governance", "show"])).to.match(new RegExp(`ADMIN +${deployer!.address} +0\\.0 h`));
    const parameters = await ask<Record<string, Record<string, object>>>(venue, ["admin", "parameters"]);
    expect(parameters.risk!.ETH).to.include({ shock: "3%", initialFactor: "1.666666667", depth: "50000000" });
    expect(parameters.haircuts!.USDT).to.include({ depegThreshold: "0.99", depegFactor: "4" });
    expect(await tell(venue, ["admin", "parameters"])).to.match(/kink +80%/);
  });

  it("admin set shows old and new, and changes what the signer's role allows", async () => {
    const admin = { env: { PRIVATE_KEY: ADMIN } };
    const line = ["admin", "set", "market", "takerFee=0.06%", "--of", "ETH-PERP"];
    const shown = await type(venue, line, { ...admin, answers: ["y"] });
    expect(shown.code, shown.err).to.equal(0);
    expect(shown.err).to.match(/takerFee +0\.05% → 0\.06%/);
    const [{ takerFee, priceBand }] = await alice.house.clearingHouse.market(0);
    expect([takerFee, priceBand]).to.deep.equal([600n, 5000n]);
    for (const [kind, change, ...of] of [
      ["lending", "kink=85%"],
      ["risk", "shock=4%", "--of", "BTC"],
      ["regime", "maxFactor=2", "--of", "ETH"],
      ["collateral", "accountCap=5000", "--of", "weth"],
      ["haircuts", "haircut=8%", "--of", "WBTC"],
    ]) {
      await ask(venue, ["admin", "set", kind!, change!, ...of], admin);
    }
    const after = await ask<Record<string, Record<string, object>>>(venue, ["admin", "parameters"]);
    expect(after.lending!.pool).to.include({ kink: "85%" });
    expect(after.risk!.BTC).to.include({ shock: "4%", slope: "2%" });
    expect(after.regime!.ETH).to.include({ maxFactor: "2" });
    expect(after.collateral!.WETH).to.include({ accountCap: "5000" });
    expect(after.haircuts!.WBTC).to.include({ haircut: "8%" });
    await ask(venue, ["admin", "set-treasury", alice.wallet.address], admin);
    expect(await alice.house.clearingHouse.treasury()).to.equal(alice.wallet.address);

    await fails(venue, line, "AccessManagedUnauthorized", 3, { as: alice });
    const wide = ["admin", "set", "lending", "kink=500%"];
    expect((await fails(venue, wide, "ParameterOutOfBounds", 3, admin)).fields.name).to.equal("kink");
    await fails(venue, ["admin", "set", "weather", "rain=1"], "InvalidValue", 2, admin);
    await fails(venue, ["admin", "set", "market", "takerFee=1%"], "InvalidValue", 2, admin);
    await fails(venue, ["admin", "set", "lending", "knik=1%"], "InvalidValue", 2, admin);
    await fails(venue, ["admin", "set-treasury", "nobody"], "InvalidValue", 2, admin);
  });

  it("a node of another chain, and one that goes away, are told apart", async () => {
    const silent = await startNode("0x7a69"); // 31337
    const other = await startNode("0x1");
    const rpc = (url: string) => ["account", "show", "--account", "7", "--rpc-url", url];
    await fails(venue, rpc(other.url), "WrongChain", 2, { as: alice });
    await fails(venue, rpc(silent.url), "NodeSilent", 4, { as: alice });
    await Promise.all([silent.close(), other.close()]);
  });

  it("runs as a process: one JSON document on stdout, typed errors on stderr, exit codes", async () => {
    const env = { ...process.env, RPC_URL: venue.anvil.url, ADDRESS_BOOK: venue.bookFile };
    const start = (line: string[], more: NodeJS.ProcessEnv = {}) =>
      promisify(execFile)(process.execPath, ["--import", "tsx", SCRIPT, ...line], { env: { ...env, ...more } });
    const key = { PRIVATE_KEY: alice.wallet.privateKey };
    const failed = (line: string[]) => start(line, key).catch((error: unknown) => error as { stderr: string });
    const [shown, refused, alone] = await Promise.all([
      start(["account", "show", "--json"], key),
      failed(["withdraw", "2000", "--json"]),
      failed(["withdraw", "10"]),
    ]);
    expect(JSON.parse(shown.stdout)).to.include({ account: "main", equity: "1000" });
    expect(shown.stderr).to.equal("");
    expect(refused).to.include({ code: 3, stdout: "" });
    expect(JSON.parse(refused.stderr)).to.include({ error: "InsufficientCash" });
    expect(alone).to.include({ code: 2, stdout: "" });
  });

  it("F-5 funding: what a position pays at the present rate, and what longs have paid", async () => {
    const bob = await venue.trader("1000");
    const lines = [
      ["sell", alice],
      ["buy", bob],
    ] as const;
    const files = await Promise.all(
      lines.map(async ([side, as]) => {
        const out = path.join(venue.folder, `${side}.json`);
        await ask(venue, ["order", "place", side, "1", "ETH-PERP", "--price", "2010", "--out", out], { as });
        return out;
      }),
    );
    await ask(venue, ["order", "settle", ...files], { as: alice });
    await pass(12 * 3600);
    // 0.5 % above the index is capped at 0.05 % per 8 h; the average has come near it: 2,000 · 0.05 % · 3 a day.
    const { positions } = await ask<{ positions: Record<string, string>[] }>(venue, ["position", "list"], { as: bob });
    expect(parseWad(positions[0]!.fundingPerDay!)).to.be.closeTo(parseWad("3"), parseWad("0.0001"));
    expect(await tell(venue, ["position", "list"], { as: alice })).to.match(/ -3\.00$/m);
    // ∫ of 0.05 % · (1 − e^(−t/h)) over 12 h = 0.05 % · (12 h − 1 h · (1 − e^−12)), of 2,000 per 8 h: 1.375 USD.
    const { fundingPaid } = await ask<{ fundingPaid: { perUnit: string } }>(venue, ["market", "show", "ETH-PERP"]);
    expect(parseWad(fundingPaid.perUnit)).to.be.closeTo(parseWad("1.375"), parseWad("0.001"));
    expect(await tell(venue, ["market", "show", "ETH-PERP"])).to.match(/UTC: a long of one unit has paid 1\.37\d+ USD/);
  });

  it("F-4 market funding: how much of the cap is taken up, and the next hours by simulation", async () => {
    interface Told {
      capUse: string;
      lastPremium: string;
      capPer8h: string;
      future: { hours: number; fundingPer8h: string; paid: string }[];
    }
    const told = await ask<Told>(venue, ["market", "funding", "ETH-PERP", "--hours", "2"]);
    expect(told).to.include({ lastPremium: "0.0005", capPer8h: "0.0005", capUse: "1" });
    // at the cap a unit pays 2,000 · 0.05 % / 8 = 0.125 an hour
    expect(told.future.map(({ hours }) => hours)).to.deep.equal([1, 2]);
    expect(parseWad(told.future[0]!.paid)).to.be.closeTo(parseWad("0.125"), parseWad("0.00001"));
    expect(parseWad(told.future[1]!.paid)).to.be.closeTo(parseWad("0.25"), parseWad("0.00001"));
    expect(await tell(venue, ["market", "funding", "ETH-PERP"])).to.match(
      /cap +0\.05 % per 8 h, 100 % of it taken up: it binds/,
    );
    // At a mark of 2,099.58 on 2,100, −0.02 %, the rate falls towards that: 0.07 % · e^−1 − 0.02 % after an hour, and it has paid
    // 2,100 · (−0.02 % · 1 h + 0.07 % · 1 h · (1 − e^−1)) / 8 h = 0.06365.
    const moved = ["market", "funding", "eth-perp", "--index", "2100", "--mark", "2099.58", "--hours", "1"];
    const [hour] = (await ask<Told>(venue, moved)).future;
    expect(parseWad(hour!.fundingPer8h)).to.be.closeTo(parseWad("0.0000575156"), parseWad("0.00000001"));
    expect(parseWad(hour!.paid)).to.be.closeTo(parseWad("0.0636522"), parseWad("0.00001"));
    for (const hours of ["0", "169", "one"]) {
      await fails(venue, ["market", "funding", "ETH-PERP", "--hours", hours], "InvalidValue", 2);
    }
  });

  it("OR-6 market prices show each feed's age, and why a price is refused", async () => {
    const before = await ask<{ prices: Record<string, unknown>[] }>(venue, ["market", "prices"]);
    expect(before.prices[0]).to.include({ underlying: "ETH", indexPrice: "2000", heartbeat: 86_400, refusal: null });
    expect(before.prices[0]!.age).to.be.within(12 * 3600, 13 * 3600);
    await pass(13 * 3600);
    const after = await ask<{ prices: Record<string, unknown>[] }>(venue, ["market", "prices"]);
    expect(after.prices[0]).to.include({ underlying: "ETH", indexPrice: null, refusal: "PriceStale" });
    expect(await tell(venue, ["market", "prices"])).to.match(
      /^ETH +– .* 86,400 s .* refused: the feed's last answer is too old/m,
    );
  });

  async function pass(seconds: number): Promise<void> {
    await venue.anvil.provider.send("evm_increaseTime", [seconds]);
    await venue.anvil.provider.send("evm_mine", []);
  }
});
