import { expect } from "chai";

import { NothingToSell } from "../../src/risk/errors.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { cureText, explain, explanationJson, stuckNote, verdictOf } from "../../src/sdk/explain.ts";
import type { Explanation } from "../../src/sdk/explain.ts";
import { readAuction, readMarketTerms } from "../../src/sdk/read.ts";
import { BTC, ETH, freshHouse, wad, WBTC } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

/** Bob is long 10 ETH at 2,000 on 1,100, fee 10, against alice; with a price P: E = 1,090 + 10 · (P − 2,000). */
async function leveraged(): Promise<{ house: Fixture; bob: bigint }> {
  const house = await freshHouse();
  await house.fund(house.alice, { cash: "1000000" });
  const bob = await house.fund(house.bob, { cash: "1100" });
  await house.trade(house.alice, house.bob, ETH, "10", "2000");
  return { house, bob };
}

async function explained(house: Fixture, id: bigint, decision?: Explanation["decision"]): Promise<Explanation> {
  const client = await Plimsoll.connect(house.addressBook, house.ethers.provider);
  const view = await client.view(id);
  const [auction, terms] = await Promise.all([
    readAuction(client, id, view.block),
    readMarketTerms(client, house.addressBook, view.block),
  ]);
  return explain({ id, ...view, auction, terms }, decision);
}

/** What the clearinghouse says in a margin call. */
async function calledCure(house: Fixture, id: bigint) {
  const receipt = await (await house.clearingHouse.flag(id)).wait();
  const [log] = receipt!.logs.map((entry) => house.clearingHouse.interface.parseLog(entry));
  const [deposit, market, size] = log!.args.cure as [bigint, bigint, bigint];
  return { deposit, market: Number(market), size };
}

describe("explain", () => {
  it("MAM-7 a healthy account: how far it is from both prices, and what asks for most of MM", async () => {
    const { house, bob } = await leveraged();
    await house.fund(house.bob, { wbtc: "0.01" });
    const e = await explained(house, bob);
    expect(e).to.include({ state: "healthy", degraded: false, auction: undefined, slice: undefined, cure: undefined });
    expect(verdictOf(e)).to.match(/^Not liquidated: E is [\d,.]+ USD above MM and covers IM\.$/);
    expect(e.underlyings.map(({ underlying }) => underlying)).to.deep.equal([ETH, BTC]); // 600 of MM against some 30
    const [eth] = e.underlyings;
    expect(eth!.liquidation.up).to.equal(undefined);
    expect(eth!.marginCall.down! > eth!.liquidation.down!).to.equal(true);
    // At the first price below, the chain says so too; a unit of the feed higher it does not.
    const unit = 10n ** 10n; // [wad] of an answer with 8 decimals
    const below = (eth!.liquidation.down! / unit) * unit;
    const answer = (price: bigint) => house.feeds[ETH].updateAnswer(price / unit);
    await answer(below);
    expect((await explained(house, bob)).state).to.equal("liquidatable");
    await answer(below + unit);
    expect((await explained(house, bob)).state).to.equal("marginCall");
  });

  it("an account that needs no margin", async () => {
    const { house } = await leveraged();
    const e = await explained(house, accountId(house.carol.address));
    expect(verdictOf(e)).to.equal("Not liquidated: nothing in it needs margin.");
    expect(e).to.include({ state: "healthy", ratio: undefined, equity: 0n });
  });

  it("MM-7 a margin call: the cure is the chain's, to the wei", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1980"); // E = 890, IM = 990.26, MM = 594.16
    const e = await explained(house, bob);
    expect(e.state).to.equal("marginCall");
    expect(verdictOf(e)).to.match(/^Not liquidated yet: E is 295\.8\d USD above MM but lacks 100\.2\d USD to IM\./);
    const { deposit, market, size } = await calledCure(house, bob);
    expect(e.cure?.deposits[0]).to.deep.equal({ asset: "cash", amount: deposit });
    expect(e.cure?.closing).to.deep.equal({ market, size });
  });

  it("MM-7 the cure among several markets is the chain's, and each deposit that it names is enough", async () => {
    const house = await freshHouse();
    await house.fund(house.alice, { cash: "1000" });
    await house.fund(house.bob, { cash: "100000" });
    await house.trade(house.bob, house.alice, ETH, "2.5", "2000");
    await house.trade(house.bob, house.alice, BTC, "0.16", "30000");
    await house.setPrice(ETH, "1800");
    await house.setPrice(BTC, "29500");
    const id = accountId(house.alice.address);
    const e = await explained(house, id);
    const { deposit, market, size } = await calledCure(house, id);
    expect(e.cure?.deposits[0]?.amount).to.equal(deposit);
    expect(e.cure?.closing).to.deep.equal({ market, size });
    const { deposits } = cureText(e.cure!, house.addressBook);
    expect(deposits.map(({ asset }) => asset)).to.deep.equal(["USDC", "WETH", "WBTC", "wstETH", "USDT"]);
    const given = { USDC: "cash", WETH: "weth", WBTC: "wbtc", wstETH: "wsteth", USDT: "usdt" } as const;
    for (const { asset, amount } of deposits) {
      const copy = await house.networkHelpers.takeSnapshot();
      await house.fund(house.alice, { [given[asset as keyof typeof given]]: amount });
      expect(await house.clearingHouse.marginState(id), asset).to.equal(0n);
      await copy.restore();
    }
  });

  it("MM-7 no cure is named that does not cure", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1880"); // E = −110: who is bankrupt cannot trade
    const e = await explained(house, bob);
    expect(e.state).to.equal("bankrupt");
    expect(e.cure?.closing).to.equal(undefined);
    expect(e.cure!.deposits[0]!.amount).to.equal(e.initialMargin - e.equity);
  });

  it("LIQ-7 a liquidatable account: the slice is the one that the chain would sell", async () => {
    const { house, bob } = await leveraged();
    await house.fund(house.keeper, { cash: "100000" });
    await house.setPrice(ETH, "1945"); // E = 540, MM = 583.65
    await house.clearingHouse.connect(house.carol).flag(bob);
    const e = await explained(house, bob);
    expect(e.state).to.equal("liquidatable");
    expect(e.auction).to.include({ flagger: house.carol.address, clock: 0n });
    expect(e.discount).to.equal(wad("0.05"));
    expect(verdictOf(e)).to.match(
      /^Liquidatable: E lacks 43\.6\d USD to MM\. Anyone may take over \d\d\.\d\d % of it now\.$/,
    );
    // the same second: the clock stands where it was
    const time = await house.networkHelpers.time.latest();
    await house.networkHelpers.time.setNextBlockTimestamp(time + 1);
    const later = await house.clearingHouse.connect(house.keeper).liquidate(bob, accountId(house.keeper.address), ANY);
    const [event] = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated(), later.blockNumber!);
    const plan = event!.args;
    // a second later the discount has grown by 55 % / 180 and the slice with it
    expect(plan.fraction).to.be.closeTo(e.slice!.fraction, wad("0.01"));
    expect(plan.cost).to.be.closeTo(e.slice!.cost, wad("2"));
    expect(e.slice!.toFlagger).to.equal(e.slice!.cost / 10n);
  });

  it("the decision of a keeper stands beside it, and all of it can be told to a machine", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1945");
    const decision = { block: 7, action: "wait", result: "none", reason: "not profitable yet" };
    const e = await explained(house, bob, decision);
    const json = JSON.parse(JSON.stringify(explanationJson(e, house.addressBook))) as Record<string, unknown>;
    expect(json).to.deep.include({ state: "liquidatable", decision, refusal: null, stuck: null });
    expect(json.auction).to.include({ clock: 0, discount: "0.05" });
    expect(json.underlyings).to.have.length(1);
    expect(json.cure).to.have.keys("deposits", "closing");
  });

  it("LIQ-5 says what is stuck for want of a price, and still knows the other prices", async () => {
    const { house, bob } = await leveraged();
    await house.fund(house.bob, { wbtc: "0.001" });
    await house.priceOracle.observe(BTC, 0);
    await house.networkHelpers.time.increase(24 * 3600 + 1);
    await house.setPrice(ETH, "1980");
    const e = await explained(house, bob);
    expect(e).to.include({ state: "marginCall", degraded: true });
    expect(e.stuckCollaterals).to.deep.equal([WBTC]);
    expect(stuckNote(e, house.addressBook)).to.match(
      /^No usable price of BTC, WBTC: .+; the auction clock stands still\.$/,
    );
    const eth = e.underlyings.find(({ underlying }) => underlying === ETH);
    expect(eth!.liquidation.down! > wad("1940") && eth!.liquidation.down! < wad("1950")).to.equal(true);
    expect(e.underlyings.find(({ underlying }) => underlying === BTC)).to.deep.include({
      stuck: true,
      liquidation: {},
    });
  });

  it("LIQ-5 says why there is nothing to take", async () => {
    const { house, bob } = await leveraged();
    await house.priceOracle.observe(ETH, 0);
    const client = await Plimsoll.connect(house.addressBook, house.ethers.provider);
    const view = await client.view(bob);
    // everything that it holds is without a price, and so far under water that the kindest price does not help
    const poor = { ...view.account, cash: -wad("5000") };
    const unpriced = { ...view.house, prices: new Map() };
    const e = explain({ id: bob, ...view, account: poor, house: unpriced, auction: undefined, terms: new Map() });
    expect(e.slice).to.equal(undefined);
    expect(e.refusal).to.be.instanceOf(NothingToSell);
    expect(verdictOf(e)).to.match(/^Liquidatable, but there is nothing to take: /);
  });
});

const ANY = { maxFraction: wad("1"), maxPayment: 2n ** 127n - 1n, minGain: 0n, acceptClaims: false };
