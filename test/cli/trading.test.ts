import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";

import { isolatedAccountId } from "../../src/sdk/accountId.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { Venue } from "../matcher/venue.ts";
import type { Served, Trader } from "../matcher/venue.ts";
import { ask, fails, tell, type } from "./support.ts";

interface PlacedOrder {
  readonly order: Record<string, string>;
  readonly whatIf: { after: Record<string, unknown> }[];
}

interface Cancelled {
  readonly cancelled: string[];
  readonly onChain: object[];
}

describe("plimsoll order, cancel, position", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "plimsoll-cli-"));
  let venue: Venue;
  let served: Served;
  let at: string[];
  let [alice, bob]: Trader[] = [];

  before(async () => {
    venue = await Venue.open();
    [alice, bob] = [await venue.trader("100000"), await venue.trader("10000")];
    served = await venue.serve();
    at = ["--matcher", served.url];
    await served.matcher.sync();
  });
  after(async () => {
    await served.stop();
    await venue.close();
    rmSync(folder, { recursive: true });
  });

  const file = (name: string) => path.join(folder, name);
  const sizeOf = async ({ house, account }: Trader, id = account) => (await house.clearingHouse.position(id, 0)).size;

  /** Waits until the matcher has settled everything. */
  async function settled(): Promise<void> {
    for (let tries = 0; served.matcher.engine.book.fills.size > 0; ++tries) {
      if (tries === 400) expect.fail("waited too long for settlement");
      await sleep(25);
    }
  }

  it("OB-7 places orders at the matcher and shows depth, fills and states with reasons", async () => {
    const ask1 = await ask<PlacedOrder>(
      venue,
      ["order", "place", "sell", "10", "ETH-PERP", "--price", "2000", "--post-only", ...at],
      { as: alice! },
    );
    expect(ask1.order).to.include({ state: "open", side: "sell", size: "10", open: "10" });
    const depth = await ask(venue, ["order", "book", "eth-perp", ...at]);
    expect(depth).to.deep.include({ bids: [], asks: [["2000", "10"]] });
    expect(await tell(venue, ["order", "book", "0", ...at])).to.match(/ask +2,000 +10/);
    expect(await tell(venue, ["order", "list", ...at], { as: alice! })).to.match(
      /ETH-PERP +sell +10 +2,000 +0 +rests, post-only/,
    );

    const bought = await ask<PlacedOrder>(venue, ["order", "place", "buy", "4", "0", ...at], { as: bob! });
    expect(bought.order).to.include({ state: "filled", filled: "4", limitPrice: "2010" }); // 2,000 and 0.5 %
    // MM of 4 at 2,000: 8,000 · 3 % + 8,000² · 2 % / 50 M = 240.0256
    expect(bought.whatIf[0]!.after).to.include({ maintenanceMargin: "240.0256" });
    await settled();
    expect(await sizeOf(bob!)).to.equal(parseWad("4"));
    const hash = bought.order.hash!;
    expect(await ask(venue, ["order", "status", hash, ...at])).to.include({ state: "filled", settled: "4" });
    expect(await tell(venue, ["order", "status", hash, ...at])).to.match(/filled +4, of that 4 settled on the chain/);
    expect(await tell(venue, ["order", "fills", "ETH-PERP", ...at])).to.match(/buy +4 +2,000 +settled +0x/);
    const { fills } = await ask<{ fills: object[] }>(venue, ["order", "fills", "ETH-PERP", ...at]);
    expect(fills).to.have.length(1);

    const never = await ask<PlacedOrder>(
      venue,
      ["order", "place", "buy", "1", "0", "--price", "1995", "--immediate", ...at],
      { as: bob! },
    );
    expect(never.order).to.include({ state: "cancelled" });
    expect(await tell(venue, ["order", "status", never.order.hash!, ...at])).to.match(/state +cancelled: \w+/);
  });

  it("OB-7 the matcher's refusals and mistakes of orders are typed", async () => {
    const big = ["order", "place", "buy", "500", "0", "--price", "2000", "--yes", ...at];
    const told = await fails(venue, big, "InsufficientMargin", 3, { as: bob! });
    // 9,996 less 5 bp of 1,000,000; IM of 504 at 2,000 = 5/3 · (1,008,000 · 3 % + 1,008,000² · 4e-10) = 51,077.3…
    expect(told.fields).to.include({ equity: "9496" });
    expect(told.fields.initialMargin).to.match(/^51077\.3/);
    await fails(venue, ["order", "status", `0x${"0".repeat(64)}`, ...at], "UnknownOrder", 3);
    await fails(venue, ["order", "status", "0x12", ...at], "InvalidValue", 2);
    await fails(venue, ["order", "book", "0"], "NoMatcher", 2);
    await fails(venue, ["order", "book", "0", "--matcher", "http://127.0.0.1:9"], "MatcherUnreachable", 4);
    await fails(venue, ["order", "book", "0", "--depth", "0", ...at], "InvalidValue", 2);
    const place = ["order", "place", "buy", "1", "0"];
    await fails(venue, [...place, "--post-only"], "OptionConflict", 2, { as: bob! });
    await fails(venue, [...place, "--price", "0"], "PriceNotPositive", 2, { as: bob! });
    await fails(venue, [...place, "--price", "1", "--lifetime", "soon"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["order", "place", "buy", "0.0000000001", "0"], "InvalidOrder", 2, { as: bob! });
    await fails(venue, place, "ConfirmationRequired", 2, { as: bob! });
  });

  it("MMS-7 an order is shown in words, with the account before and after, before it is signed", async () => {
    const typed = await type(venue, ["order", "place", "buy", "2", "ETH-PERP", "--price", "1990", ...at], {
      as: bob!,
      answers: ["no"],
    });
    expect(typed.code).to.equal(1);
    expect(typed.asked).to.deep.equal(["Sign it? [y/N] "]);
    for (const line of [
      /buy +2 ETH-PERP/,
      /limit price +1,990\.00 or better/,
      /maintenance margin +240\.03 +360\.06/,
    ]) {
      expect(typed.err).to.match(line);
    }
    // 4 ETH are paid for whole, 6 are not.
    expect(typed.err)
      .to.match(/ETH margin-call price +none +↓/)
      .and.match(/ETH liquidation price +none +↓/);
  });

  it("OB-1 a bracket is held by the matcher until its trigger, shown with it, and cancelled by hash", async () => {
    const line = ["order", "bracket", "ETH-PERP", "1900", "2300", "--execution-fee", "2", ...at];
    const { orders } = await ask<{ orders: PlacedOrder[] }>(venue, line, { as: bob! });
    expect(orders.map(({ order }) => [order.state, order.size])).to.deep.equal([
      ["held", "4"],
      ["held", "4"],
    ]);
    const hashes = orders.map(({ order }) => order.hash!);
    const shown = await tell(venue, ["order", "status", hashes[1]!, ...at]);
    expect(shown)
      .to.match(/trigger +index price at or above 2,300\.00\n/)
      .and.match(/fee +up to 2\.00 USD\n/);
    expect(await tell(venue, ["order", "list", ...at], { as: bob! })).to.match(
      /reduce-only, trigger index price at or below 1,900\.00, execution fee up to 2\.00 USD/,
    );
    const { cancelled } = await ask<Cancelled>(venue, ["cancel", "order", ...hashes, ...at], { as: bob! });
    expect(cancelled).to.deep.equal(hashes);
    await fails(venue, [...line, "--size", "5", "--yes"], "InvalidValue", 2, { as: bob! });
  });

  it("OB-7 cancels at the matcher by hash, nonce, below a nonce and all", async () => {
    const put = async (nonce: string) => {
      const line = ["order", "place", "buy", "0.5", "0", "--price", "1995", "--nonce", nonce, ...at];
      return (await ask<PlacedOrder>(venue, line, { as: bob! })).order.hash!;
    };
    const hashes = [await put("10"), await put("11"), await put("12"), await put("90")];
    const cancel = (...line: string[]) => ask<Cancelled>(venue, ["cancel", ...line, ...at], { as: bob! });
    expect(await cancel("order", hashes[0]!)).to.deep.equal({ cancelled: [hashes[0]], onChain: [] });
    expect(await cancel("nonce", "11")).to.deep.equal({ cancelled: [hashes[1]], onChain: [] });
    expect(await cancel("below", "50")).to.deep.equal({ cancelled: [hashes[2]], onChain: [] });
    expect(await tell(venue, ["cancel", "all", ...at], { as: bob! })).to.equal(
      `1 order cancelled at the matcher\n  ${hashes[3]!}\n`,
    );
    await fails(venue, ["cancel", "nonce", "-1", ...at], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["cancel", "below", "x", ...at], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["cancel", "order", hashes[0]!], "NoMatcher", 2, { as: bob! });
    await fails(venue, ["cancel", "all", "--market", "0"], "InvalidValue", 2, { as: bob! });
  });

  it("OB-7 cancels on the chain, and a cancelled order can be settled by nobody", async () => {
    const [sell, buy] = [file("sell.json"), file("buy.json")];
    const order = (side: string, out: string, ...more: string[]) => [
      "order",
      "place",
      side,
      "1",
      "0",
      "--price",
      "2000",
      "--out",
      out,
      ...more,
    ];
    await ask(venue, order("sell", sell), { as: alice! });
    await ask(venue, order("buy", buy, "--nonce", "200", "--immediate"), { as: bob! });
    const { onChain } = await ask<Cancelled>(venue, ["cancel", "nonce", "200"], { as: bob! });
    expect(onChain).to.have.length(1);
    const told = await fails(venue, ["order", "settle", sell, buy], "OrderCancelledOrFilled", 3, { as: bob! });
    expect(told.fields.nonce).to.equal("200");
    await ask(venue, ["cancel", "below", "300"], { as: bob! });
    expect((await bob!.house.exchange.ownerState(bob!.wallet.address)).lowestNonce).to.equal(300n);
    await fails(venue, ["cancel", "below", "300"], "NonceNotIncreased", 3, { as: bob! });
    const start = BigInt(Date.now());
    await ask(venue, ["cancel", "all"], { as: bob! });
    expect((await bob!.house.exchange.ownerState(bob!.wallet.address)).lowestNonce > start).to.equal(true);
  });

  it("ISO-6 settles signed orders of files, funding an isolated account in the same transaction", async () => {
    const into = ["--account", "isolated:ETH-PERP"];
    const [sell, buy] = [file("ask.json"), file("bid.json")];
    await ask(venue, ["order", "place", "sell", "1", "0", "--price", "2000", "--out", sell], { as: alice! });
    expect(statSync(sell).mode & 0o777).to.equal(0o600);
    const printed = await ask(
      venue,
      ["order", "place", "buy", "1", "0", "--price", "2000", "--immediate", "--out", buy, ...into],
      { as: bob! },
    );
    const saved = JSON.parse(readFileSync(buy, "utf8")) as object;
    expect(printed).to.deep.include(saved);
    await fails(venue, ["order", "settle", sell, buy, ...into, "--yes"], "InsufficientMargin", 3, { as: bob! });
    const shown = await type(venue, ["order", "settle", sell, buy, "--fund", "150", ...into], {
      as: bob!,
      answers: ["y"],
    });
    expect(shown.code, shown.err).to.equal(0);
    expect(shown.err).to.match(/Maximum loss of isolated:ETH-PERP of 0x\w{4}…\w{4}: 150\.00 USD/);
    expect(await sizeOf(bob!, isolatedAccountId(bob!.wallet.address, 0))).to.equal(parseWad("1"));
    await fails(venue, ["order", "settle", sell], "OptionConflict", 2, { as: bob! });
    await fails(venue, ["order", "settle", sell, buy, "--match", "0:2"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["order", "settle", sell, venue.bookFile], "FileUnusable", 2, { as: bob! });
  });

  it("position list shows every account's; close places a reduce-only order against one", async () => {
    const owner = ["--owner", bob!.wallet.address];
    const { positions } = await ask<{ positions: object[] }>(venue, ["position", "list", ...owner]);
    expect(positions).to.have.length(2);
    // bought 4 at 2,000 with a fee of 5 bp: entry 2,001
    expect(positions[0]).to.include({ account: "main", market: "ETH-PERP", size: "4", entryPrice: "2001", pnl: "-4" });
    expect(await tell(venue, ["position", "list", ...owner])).to.match(/main +ETH-PERP +4 +2,001\.00 +2,000\.00/);

    await ask(venue, ["order", "place", "buy", "3", "0", "--price", "1999", ...at], { as: alice! });
    const closed = await ask<PlacedOrder>(venue, ["position", "close", "0", "--size", "3", ...at], { as: bob! });
    expect(closed.order).to.include({ side: "sell", size: "3", reduceOnly: true, state: "filled" });
    await settled();
    expect(await sizeOf(bob!)).to.equal(parseWad("1"));
    await fails(venue, ["position", "close", "0", "--size", "2"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["position", "close", "BTC-PERP"], "NoPosition", 3, { as: bob! });
    await fails(venue, ["position", "close", "XAU"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["position", "list", "--owner", "0x"], "InvalidValue", 2);
  });
});
