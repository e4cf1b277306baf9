import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { getBytes } from "ethers";
import pino from "pino";

import { MatcherHedge } from "../../src/keeper/hedge.ts";
import { Keeper } from "../../src/keeper/keeper.ts";
import { LocalSigner } from "../../src/keeper/signer.ts";
import { MatcherUnreachable } from "../../src/sdk/matcher.ts";
import { formatWad, parseWad } from "../../src/sdk/units.ts";
import { freePort } from "../helpers/anvil.ts";
import { post, Venue } from "../matcher/venue.ts";
import type { Served, Trader } from "../matcher/venue.ts";

const INDEX = parseWad("2000");
const SLIPPAGE = 3000n; // [ppm]

describe("hedging at a matcher", () => {
  let venue: Venue;
  let served: Served;
  let [maker, taker]: Trader[] = [];

  before(async () => {
    venue = await Venue.open();
    maker = await venue.trader("1000000");
    taker = await venue.trader("100000");
    served = await venue.serve();
    await caughtUp();
  });
  after(async () => {
    await served.stop();
    await venue.close();
  });

  async function caughtUp(): Promise<void> {
    const block = await venue.anvil.provider.getBlockNumber();
    for (let tries = 0; served.matcher.chain.head < block && tries < 400; ++tries) await sleep(25);
  }

  /** The maker rests an order, and the taker, if he takes it, waits until that is settled. */
  async function put(trader: Trader, size: string, price: string, resting: boolean): Promise<void> {
    const { status, body } = await post(`${served.url}/orders`, await venue.order(trader, size, price, { resting }));
    expect(status, JSON.stringify(body)).to.equal(200);
    while (served.matcher.engine.book.fills.size !== 0) await sleep(25);
    await caughtUp();
  }

  function hedgeOf(url = served.url, now?: () => number): MatcherHedge {
    const signer = new LocalSigner(getBytes(taker!.wallet.privateKey));
    const { provider } = venue.anvil;
    return new MatcherHedge({
      ...{ url, slippage: SLIPPAGE, provider, signer, addressBook: venue.book, account: taker!.account },
      ...(now !== undefined && { now }),
    });
  }

  const positionOf = async () =>
    formatWad((await taker!.house.clearingHouse.position(taker!.account, 0, { blockTag: "latest" })).size);

  it("LIQ-5 knows what a trade would cost by the depth within its slippage, fees included", async () => {
    await put(maker!, "-5", "2000", true);
    await put(taker!, "5", "2000", false);
    for (const [size, price] of [
      ["1", "1999"],
      ["1", "1998"],
      ["5", "1993"],
    ] as const) {
      await put(maker!, size, price, true);
    }
    let now = 0;
    const hedge = hedgeOf(served.url, () => now);
    expect(hedge.quote(0, -parseWad("2"), INDEX), "nothing was seen yet").to.deep.equal({ traded: 0n, cost: 0n });
    await hedge.refresh();
    // 1 for 1 less than the index price, 1 for 2 less, and 5 bp of 4,000; 1,993 is worse than 2,000 less 0.3 %
    const quote = { traded: parseWad("2"), cost: parseWad("5") };
    expect(hedge.quote(0, -parseWad("3"), INDEX)).to.deep.equal(quote);
    expect(hedge.quote(0, -parseWad("0.5"), INDEX)).to.deep.equal({ traded: parseWad("0.5"), cost: parseWad("1") });
    expect(hedge.quote(0, parseWad("1"), INDEX), "nobody sells").to.deep.equal({ traded: 0n, cost: 0n });
    // below the market's smallest fill the exchange takes nothing
    expect(hedge.quote(0, -1n, INDEX).traded).to.equal(0n);
    now = 5000;
    expect(hedge.quote(0, -parseWad("3"), INDEX)).to.deep.equal(quote);
    now = 5001;
    expect(hedge.quote(0, -parseWad("3"), INDEX).traded, "what is older than 5 s is nothing").to.equal(0n);
  });

  it("LIQ-5 trades at once, within its slippage, what is there, and waits until it is settled", async () => {
    expect(await hedgeOf().trade(0, -parseWad("3"), INDEX)).to.equal(parseWad("2"));
    expect(await positionOf()).to.equal("3");
  });

  it("LIQ-5 never more than the position: its orders only reduce", async () => {
    await put(maker!, "10", "2000", true);
    expect(await hedgeOf().trade(0, -parseWad("20"), INDEX)).to.equal(parseWad("3"));
    expect(await positionOf()).to.equal("0");
  });

  it("LIQ-5 a keeper gets rid of what its taker holds beyond MAX_INVENTORY, and of no more", async () => {
    // 7 of the maker's bid are left at 2,000; the taker sells 4 short, and may keep 2,000 USD
    await put(maker!, "-6", "2001", true);
    await put(taker!, "-4", "2000", false);
    expect(await positionOf()).to.equal("-4");
    const keeper = await Keeper.create({
      ...{ provider: venue.anvil.provider, addressBook: venue.book, takerAccount: taker!.account },
      signer: new LocalSigner(getBytes(taker!.wallet.privateKey)),
      config: { maxInventory: parseWad("2000") },
      venue: hedgeOf(),
      logger: pino({ level: "silent" }),
    });
    const hedges = [];
    for (let tries = 0; tries < 40 && hedges.length === 0; ++tries) {
      hedges.push(...(await keeper.tick()).filter(({ action }) => action === "hedge"));
      await sleep(25);
    }
    expect(hedges).to.deep.equal([
      { action: "hedge", account: taker!.account, market: 0, size: parseWad("3"), result: "done", reason: "3 traded" },
    ]);
    expect(await positionOf()).to.equal("-1");
    expect((await keeper.tick()).filter(({ action }) => action === "hedge")).to.deep.equal([]);
  });

  it("LIQ-5 without an answer nothing is quoted, and a trade says that nobody answers", async () => {
    const hedge = hedgeOf(`http://127.0.0.1:${await freePort()}`);
    for (const attempt of [() => hedge.refresh(), () => hedge.trade(0, -parseWad("1"), INDEX)]) {
      expect(await attempt().catch((thrown: unknown) => thrown)).to.be.instanceOf(MatcherUnreachable);
    }
    expect(hedge.quote(0, -parseWad("1"), INDEX).traded).to.equal(0n);
  });
});
