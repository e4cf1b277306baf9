import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

import { accountId } from "../../src/sdk/accountId.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell, type } from "./support.ts";

interface Terms {
  readonly size: string;
  readonly limitPrice: string;
  readonly triggerAbove: string;
  readonly triggerBelow: string;
  readonly executionFee: string;
  readonly nonce: string;
  readonly reduceOnly: boolean;
  readonly resting: boolean;
}

interface Signed {
  readonly order: Terms;
}

interface Executed {
  readonly fees: string;
  readonly matches: {
    readonly maker: number;
    readonly taker: number;
    readonly settled: boolean;
    readonly size?: string;
    readonly price?: string;
    readonly reason?: string;
    readonly fee: string;
  }[];
}

describe("plimsoll order with triggers, stop-loss, take-profit, bracket, execute", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "plimsoll-cli-"));
  let venue: Venue;
  let [alice, bob, carol]: Trader[] = [];

  before(async () => {
    venue = await Venue.open();
    [alice, bob] = [await venue.trader("100000"), await venue.trader("10000")];
    carol = await venue.trader("10000");
    // Bob buys 10 ETH of Alice at 2,000, for a fee of 5 bp of 20,000.
    const orders = [await venue.order(alice, "-10", "2000", { resting: true }), await venue.order(bob, "10", "2000")];
    await alice.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
  });
  after(async () => {
    await venue.close();
    rmSync(folder, { recursive: true });
  });

  const file = (name: string) => path.join(folder, name);
  const wad = (text: string) => parseWad(text).toString();
  const sizeOf = async ({ house, account }: Trader) => (await house.clearingHouse.position(account, 0)).size;

  async function setPrice(usd: bigint): Promise<void> {
    await setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, usd * 10n ** 8n);
  }

  /** A resting order of Alice's in a file. */
  async function rest(name: string, side: string, size: string, price: string): Promise<string> {
    await ask(venue, ["order", "place", side, size, "0", "--price", price, "--out", file(name)], { as: alice! });
    return file(name);
  }

  it("MMS-7 a stop-loss is shown in words, with the account at its trigger, before it is signed", async () => {
    const line = ["order", "stop-loss", "ETH-PERP", "1900", "--execution-fee", "5", "--out", file("no.json")];
    const typed = await type(venue, line, { as: bob!, answers: ["n"] });
    expect(typed.code).to.equal(1);
    expect(typed.asked).to.deep.equal(["Sign it? [y/N] "]);
    expect(typed.err)
      .to.match(/sell +10 ETH-PERP\n/)
      .and.match(/limit price +1,805\.00 or better\n/) // 5 % below 1,900
      .and.match(/kind +takes, never rests, reduce-only\n/)
      .and.match(/trigger +index price at or below 1,900\.00\n/)
      .and.match(/execution fee +up to 5\.00 USD\n/)
      // 10,000 − 10 of fee, less 195 a unit, less 5 bp of 18,050: 9,990 − 1,950 − 9.025
      .and.match(/equity +9,990\.00 +8,030\.97\n/);
  });

  it("signs exits against the position, long or short, whole or in part, and orders with any trigger", async () => {
    const stop = await ask<Signed>(venue, ["order", "stop-loss", "0", "1900", "--size", "4"], { as: bob! });
    expect(stop.order).to.include({
      ...{ size: wad("-4"), limitPrice: wad("1805"), triggerBelow: wad("1900"), triggerAbove: "0" },
      ...{ reduceOnly: true, resting: false, executionFee: "0" },
    });
    const short = ["order", "take-profit", "0", "1500", "--slippage", "1%", "--execution-fee", "2"];
    const target = await ask<Signed>(venue, short, { as: alice! });
    expect(target.order).to.include({
      ...{ size: wad("10"), limitPrice: wad("1515"), triggerBelow: wad("1500"), executionFee: wad("2") },
    });
    const entry = ["order", "place", "buy", "1", "0", "--trigger-above", "2100", "--execution-fee", "1.5"];
    expect((await ask<Signed>(venue, entry, { as: carol! })).order).to.include({
      ...{ size: wad("1"), limitPrice: wad("2205"), triggerAbove: wad("2100"), triggerBelow: "0" }, // 5 % above 2,100
      ...{ resting: false, reduceOnly: false, executionFee: wad("1.5") },
    });
    const limited = [...entry, "--price", "2150", "--trigger-below", "2120"];
    expect((await ask<Signed>(venue, limited, { as: carol! })).order).to.include({
      ...{ limitPrice: wad("2150"), triggerAbove: wad("2100"), triggerBelow: wad("2120"), resting: false },
    });
    await ask(venue, ["position", "close", "0", "--trigger-below", "1800", "--out", file("close.json")], { as: bob! });
    expect((JSON.parse(readFileSync(file("close.json"), "utf8")) as Signed).order).to.include({
      ...{ size: wad("-10"), limitPrice: wad("1710"), triggerBelow: wad("1800"), reduceOnly: true },
    });
  });

  it("OB-1 a bracket goes into one file; whoever executes the stop earns its fee, and the other is void", async () => {
    const both = file("bracket.json");
    const line = ["order", "bracket", "ETH-PERP", "1900", "2300", "--execution-fee", "5", "--out", both];
    const { orders } = await ask<{ orders: Signed[] }>(venue, line, { as: bob! });
    expect(orders.map(({ order }) => [order.triggerBelow, order.triggerAbove])).to.deep.equal([
      [wad("1900"), "0"],
      ["0", wad("2300")],
    ]);
    expect(orders[0]!.order.nonce).to.equal(orders[1]!.order.nonce);

    const bid = await rest("bid.json", "buy", "4", "1899");
    const execute = ["order", "execute", bid, both, "--match", "0:1", "--fee-to", "3"];
    await setPrice(1903n);
    const early = await fails(venue, [...execute, "--yes"], "OrderNotTriggered", 3, { as: carol! });
    expect(early.fields).to.include({ indexPrice: "1903", triggerBelow: "1900" });
    await setPrice(1899n);
    const typed = await type(venue, execute, { as: carol!, answers: ["y"] });
    expect(typed.code, typed.err).to.equal(0);
    expect(typed.err)
      .to.match(/match 0 +order 0 with order 1: would settle\n/)
      .and.match(/fees to +3 of 0x/);
    expect(typed.err).to.not.match(/order 2/);
    expect(typed.out).to.match(/0:1 +ETH-PERP +-4 +1,899\.00 +settled +2\.00\n/); // 4 of 10: 2 of 5 USD
    expect(typed.out).to.match(/Fees: 2\.00 USD into 3\n/);
    const fees = accountId(carol!.wallet.address, 3);
    expect((await carol!.house.clearingHouse.account(fees)).cash).to.equal(parseWad("2"));
    expect(await sizeOf(bob!)).to.equal(parseWad("6"));

    const bids = [await rest("bid2.json", "buy", "2", "1899"), await rest("bid4.json", "buy", "4", "1899")];
    const all = ["order", "execute", ...bids, both, "--match", "0:2,1:2", "--fee-to", "3"];
    const { matches, fees: paid } = await ask<Executed>(venue, all, { as: carol! });
    expect(paid).to.equal("3");
    expect(matches).to.deep.equal([
      { maker: 0, taker: 2, market: "ETH-PERP", settled: true, size: "-2", price: "1899", fee: "3" }, // 6 of 10 of 5 USD
      { maker: 1, taker: 2, market: "ETH-PERP", settled: true, size: "-4", price: "1899", fee: "0" }, // an order pays once
    ]);
    expect(await sizeOf(bob!)).to.equal(0n);
    await setPrice(2300n);
    const more = await rest("more.json", "buy", "10", "2300");
    const other = ["order", "execute", more, both, "--match", "0:2"];
    const told = await fails(venue, [...other, "--yes"], "NothingSettled", 3, { as: carol! });
    expect(told.fields.reason).to.match(/^OrderCancelledOrFilled: the order has been cancelled or filled/);
    await setPrice(2000n);
  });

  it("OB-2 leaves out what fails, says why, and settles the rest", async () => {
    const [good, bad] = [file("good.json"), file("bad.json")];
    const offer = await rest("offer.json", "sell", "3", "2000");
    const take = ["order", "place", "buy", "1", "0", "--price", "2000", "--immediate"];
    await ask(venue, [...take, "--nonce", "500", "--out", good], { as: carol! });
    await ask(venue, [...take, "--nonce", "501", "--out", bad], { as: carol! });
    await ask(venue, ["cancel", "nonce", "501"], { as: carol! });
    const line = ["order", "execute", offer, bad, good, "--match", "0:1,0:2"];
    const typed = await type(venue, line, { as: bob!, answers: ["n"] });
    expect(typed.err)
      .to.match(/match 0 +order 0 with order 1: would be left out\n/)
      .and.match(/match 1 +order 0 with order 2: would settle\n/);
    const out = await tell(venue, line, { as: bob! });
    expect(out).to.match(/0:1 +ETH-PERP +left out: OrderCancelledOrFilled, .*nonce 501/);
    expect(out).to.match(/0:2 +ETH-PERP +1 +2,000\.00 +settled +0\.00\n/);
    expect(await sizeOf(carol!)).to.equal(parseWad("1"));
    await fails(venue, [...line, "--fee-to", "main", "--yes"], "OrderCancelledOrFilled", 3, { as: bob! });
  });

  it("of two that rest the post-only one makes, whichever comes first", async () => {
    const bid = await rest("resting.json", "buy", "1", "2001");
    const offer = file("postOnly.json");
    const sell = ["order", "place", "sell", "1", "0", "--price", "2000", "--post-only", "--out", offer];
    await ask(venue, sell, { as: carol! });
    const typed = await type(venue, ["order", "settle", bid, offer], { as: bob!, answers: ["y"] });
    expect(typed.code, typed.err).to.equal(0);
    expect(await sizeOf(carol!)).to.equal(0n);
  });

  it("wrong input ends with a typed error", async () => {
    const at = { as: alice! };
    const orders = [await venue.order(alice!, "-2", "2000", { resting: true }), await venue.order(bob!, "2", "2000")];
    await alice!.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    await fails(venue, ["order", "stop-loss", "BTC-PERP", "1900"], "NoPosition", 3, at);
    await fails(venue, ["order", "stop-loss", "0", "nineteen"], "InvalidAmount", 2, at);
    await fails(venue, ["order", "take-profit", "0", "0"], "PriceNotPositive", 2, at);
    await fails(venue, ["order", "bracket", "0", "1900"], "InvalidCommandLine", 2, at);
    await fails(venue, ["order", "stop-loss", "0", "2100", "--size", "100"], "InvalidValue", 2, at);
    await fails(venue, ["order", "stop-loss", "0", "2100", "--slippage", "far"], "InvalidValue", 2, at);
    await fails(
      venue,
      ["order", "stop-loss", "0", "2100", "--size", "1", "--execution-fee", "30"],
      "InvalidOrder",
      2,
      at,
    );
    const place = ["order", "place", "buy", "1", "0"];
    await fails(venue, [...place, "--price", "1", "--post-only", "--trigger-above", "1"], "OptionConflict", 2, at);
    await fails(venue, [...place, "--trigger-above", "2100", "--trigger-below", "2000"], "InvalidOrder", 2, at);
    await fails(venue, [...place, "--trigger-above", "-1"], "PriceNotPositive", 2, at);
    await fails(venue, ["order", "execute", file("bracket.json"), file("bid.json")], "OptionConflict", 2, at);
    await fails(venue, ["order", "execute", venue.bookFile], "FileUnusable", 2, at);
    const two = ["order", "execute", file("bid.json"), file("close.json")];
    await fails(venue, [...two, "--fee-to", "mine", "--yes"], "InvalidValue", 2, at);
  });
});
