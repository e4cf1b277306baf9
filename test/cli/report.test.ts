import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import pino from "pino";

import { Keeper } from "../../src/keeper/keeper.ts";
import { createMetrics } from "../../src/keeper/metrics.ts";
import { KeeperServer, serverPolicySchema } from "../../src/keeper/server.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { get, Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell } from "./support.ts";

interface Told {
  readonly id: string;
  readonly account: string;
  readonly fraction: string;
  readonly cost: string;
  readonly gain: string;
  readonly sizes: Readonly<Record<string, string>>;
  readonly verified?: boolean;
}

describe("plimsoll report", () => {
  let venue: Venue;
  let [alice, bob, operator]: Trader[] = [];
  let server: KeeperServer;
  let url: string;
  let transaction: string;

  /** A keeper has taken a slice of bob: at 1,945 E = 1,100 − 10 fee − 550 = 540 < MM = 583.65. */
  before(async () => {
    venue = await Venue.open();
    [alice, bob] = [await venue.trader("1000000"), await venue.trader("1100")];
    operator = await venue.trader("100000");
    const orders = [await venue.order(alice, "-10", "2000", { resting: true }), await venue.order(bob, "10", "2000")];
    await bob.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    const database = new SqliteDatabase(":memory:");
    const common = { database, addressBook: venue.book, logger: pino({ level: "silent" }) };
    const { provider } = venue.anvil;
    const keeper = await Keeper.create({
      ...{ ...common, provider, signer: operator.wallet, takerAccount: operator.account },
      config: { pollInterval: 20 },
    });
    server = new KeeperServer({
      ...{ ...common, policy: serverPolicySchema.parse({ port: 0 }), metrics: createMetrics() },
      ...{ status: () => keeper.status, why: (id) => Promise.resolve(keeper.why(id)), reports: keeper.reports },
    });
    url = `http://127.0.0.1:${await server.listen()}`;
    const running = keeper.run();
    await setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, 1945n * 10n ** 8n);
    const { Liquidated } = bob.house.clearingHouse.filters;
    while ((await keeper.reports.newest(1)).length === 0) await sleep(20);
    await keeper.stop();
    await running;
    transaction = (await bob.house.clearingHouse.queryFilter(Liquidated()))[0]!.transactionHash;
  });
  after(async () => {
    await server.close();
    await venue.close();
  });

  it("LIQ-7 LIQ-5 a running keeper serves what was liquidated, all or of an account", async () => {
    const of = async (query: string) => (await get(`${url}/reports${query}`)).body.reports as Told[];
    const [report] = await of("");
    expect(report).to.include({ transaction, kind: "liquidation", owner: bob!.wallet.address, account: hex(bob!) });
    expect(await of(`?account=${hex(bob!)}`)).to.deep.equal([report]);
    expect(await of(`?account=${hex(alice!)}`)).to.deep.equal([]);
    expect((await get(`${url}/reports?account=bob`)).status).to.equal(400);
    for (const name of [transaction, report!.id]) expect((await get(`${url}/reports/${name}`)).status).to.equal(200);
    for (const name of [`${transaction}:999`, "0x12", "%25"]) {
      expect((await get(`${url}/reports/${name}`)).status).to.equal(404);
    }
  });

  it("LIQ-7 tells the same from the chain and from a keeper, and verifies it", async () => {
    const [own] = await ask<Told[]>(venue, ["report", transaction, "--verify"]);
    const [served] = await ask<Told[]>(venue, ["report", own!.id, "--keeper", url, "--verify"]);
    expect(served).to.deep.equal(own);
    expect(own!.verified).to.equal(true);
    // d = 5 % at the first flag: cost = f · 0.05 · 583.65 = f · 29.1825, of which 20 % for the fund; who flags and takes is one
    const [cost, fraction, gain] = [own!.cost, own!.fraction, own!.gain].map(parseWad) as [bigint, bigint, bigint];
    expect(cost).to.be.closeTo((fraction * 29_1825n) / 10_000n, parseWad("0.001"));
    expect(gain).to.be.closeTo((cost * 8n) / 10n, 1n);
    expect(parseWad(own!.sizes["ETH-PERP"]!)).to.be.closeTo(10n * fraction, 1n);
    const text = await tell(venue, ["report", transaction, "--verify"]);
    expect(text).to.match(/^Liquidation of main of 0x\w+\nblock \d+, .+ UTC, transaction 0x\w{64}\n/);
    expect(text).to.match(/equity before +540\.00\n/);
    expect(text).to.match(/discount +5 % of MM, clock at 0 s\n/);
    expect(text).to.match(/ETH-PERP +\d\.\d+ +ETH 1,945\.00\n\nVerified: /);
  });

  it("LIQ-7 finds a report that a keeper has changed", async () => {
    const { reports } = (await get(`${url}/reports/${transaction}`)).body as { reports: Record<string, unknown>[] };
    const [report] = reports as [{ outcome: { cost: string } }];
    const changed = { ...report, outcome: { ...report.outcome, cost: "1n" } };
    const http = createServer((_, response) => response.end(JSON.stringify({ reports: [changed] }))).listen(0);
    const liar = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    expect(await tell(venue, ["report", transaction, "--keeper", liar])).to.match(/cost to the account +0\.01\n/); // of 1 wei
    const told = await fails(venue, ["report", transaction, "--keeper", liar, "--verify"], "ReportDiffers", 1);
    expect(told.fields.differing).to.deep.equal(["digest", "cost"]);
    http.close();
  });

  it("refuses what is no liquidation, and says when no keeper answers", async () => {
    await fails(venue, ["report", "bob"], "InvalidValue", 2);
    const other = (await venue.anvil.provider.getBlock(1))!.transactions[0]!;
    await fails(venue, ["report", other], "NoReport", 1);
    await fails(venue, ["report", other, "--keeper", url], "NoReport", 1);
    await fails(venue, ["report", transaction, "--keeper", "http://127.0.0.1:1"], "KeeperUnreachable", 4);
  });
});

function hex({ account }: Trader): string {
  return `0x${account.toString(16)}`;
}
