import { expect } from "chai";
import pino from "pino";

import { createMetrics } from "../../src/keeper/metrics.ts";
import { LiquidationReports } from "../../src/keeper/reports.ts";
import { KeeperServer, serverPolicySchema } from "../../src/keeper/server.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { explain } from "../../src/sdk/explain.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell } from "./support.ts";

interface Why {
  readonly state: string;
  readonly verdict: string;
  readonly underlyings: readonly { readonly liquidation: { readonly down: { readonly price: string } | null } }[];
  readonly slice: { readonly fraction: string } | null;
  readonly cure: { readonly deposits: readonly { readonly asset: string; readonly amount: string }[] } | null;
  readonly decision: { readonly reason: string } | null;
}

describe("plimsoll why", () => {
  let venue: Venue;
  let alice: Trader;
  let bob: Trader;
  let id: string;

  before(async () => {
    venue = await Venue.open();
    alice = await venue.trader("1000000");
    bob = await venue.trader("1100");
    id = `0x${bob.account.toString(16)}`;
    const resting = await venue.order(alice, "-10", "2000", { resting: true });
    const taking = await venue.order(bob, "10", "2000");
    await bob.house.settleOrders([resting, taking], [{ maker: 0, taker: 1 }]);
  });
  after(() => venue.close());

  const setPrice = (price: bigint) => setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, price * 10n ** 8n);

  it("MAM-7 of a healthy account: not liquidated, and at which price it would be", async () => {
    const why = await ask<Why>(venue, ["why", id]);
    expect(why).to.include({ state: "healthy", slice: null, cure: null, decision: null });
    expect(why.underlyings[0]!.liquidation.down!.price).to.match(/^1949\.\d+$/);
    const text = await tell(venue, ["why", "main"], { as: bob });
    expect(text).to.match(/^main of 0x\w+, block \d+\n\nNot liquidated: E is [\d,.]+ USD above MM and covers IM\./);
    expect(text).to.match(/ETH +2,000\.00 +100 % +1,990\.\d\d \(-[\d.]+ %\) +1,949\.\d\d \(-2\.5\d* %\) +– +–/);
  });

  it("MM-7 of a margin call: what cures it; LIQ-7 of a liquidatable account: the slice and its gain", async () => {
    await setPrice(1980n);
    const called = await ask<Why>(venue, ["why", id]);
    expect(called.state).to.equal("marginCall");
    expect(called.cure!.deposits[0]).to.deep.equal({ asset: "USDC", amount: "100.261361" }); // IM 990.261360… − E 890
    expect(await tell(venue, ["why", id])).to.match(
      /cured by depositing +100\.261361 USDC or .+\n +or by trading +-1\.\d+ ETH-PERP/,
    );
    await setPrice(1945n);
    const sunk = await ask<Why>(venue, ["why", id]);
    expect(sunk.verdict).to.match(/^Liquidatable: E lacks 43\.65 USD to MM\./); // 583.65 − 540
    expect(Number(sunk.slice!.fraction)).to.be.within(0.4, 0.6);
    expect(await tell(venue, ["why", id])).to.match(/discount now +5 % of MM\n +slice now +.+\n +a taker gains +\d/);
  });

  it("asks a running keeper for its last decision", async () => {
    const decision = { block: 7, action: "wait", result: "none", reason: "not profitable yet" };
    const database = new SqliteDatabase(":memory:");
    const common = { addressBook: venue.book, database, logger: pino({ level: "silent" }) };
    const server = new KeeperServer({
      ...{ ...common, policy: serverPolicySchema.parse({ port: 0 }), metrics: createMetrics() },
      reports: await LiquidationReports.open({ ...common, provider: venue.anvil.provider, gasUnderlying: "ETH" }),
      status: () => ({
        ...{
          lastPass: undefined,
          passAge: 0,
          headTime: undefined,
          headAge: 0,
          unusablePrices: [],
          unreconciled: undefined,
          gasRunway: 0,
        },
      }),
      why: async (account) =>
        explain(
          { id: account, ...(await bob.house.view(account)), auction: undefined, terms: new Map() },
          account === bob.account ? decision : undefined,
        ),
    });
    const keeper = `http://127.0.0.1:${await server.listen()}`;
    expect((await ask<Why>(venue, ["why", id, "--keeper", keeper])).decision).to.deep.equal(decision);
    expect(await tell(venue, ["why", id, "--keeper", keeper])).to.match(
      /keeper +wait \(none\) at block 7: not profitable yet/,
    );
    const other = `0x${alice.account.toString(16)}`;
    expect((await ask<Why>(venue, ["why", other, "--keeper", keeper])).decision).to.equal(null);
    await server.close();
    await fails(venue, ["why", id, "--keeper", keeper], "KeeperUnreachable", 4);
  });

  it("refuses what is no account", async () => {
    await fails(venue, ["why", "nobody"], "InvalidValue", 2, { as: bob });
    await fails(venue, ["why"], "InvalidCommandLine", 2);
  });
});
