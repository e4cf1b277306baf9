import { expect } from "chai";
import pino from "pino";

import type { KeeperPolicy } from "../../src/keeper/config.ts";
import { Keeper, UnusableTaker } from "../../src/keeper/keeper.ts";
import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

const logger = pino({ level: "silent" });

async function keeperOf(house: Fixture, config: Partial<KeeperPolicy> = {}): Promise<Keeper> {
  return Keeper.create({
    provider: house.ethers.provider,
    signer: house.keeper,
    addressBook: house.addressBook,
    takerAccount: accountId(house.keeper.address),
    config,
    logger,
  });
}

/** Bob is long `size` ETH at 2,000 on `cash`, against alice; the keeper has 100,000. */
async function leveraged(size = "10", cash = "1100"): Promise<{ house: Fixture; bob: bigint }> {
  const house = await freshHouse();
  await house.fund(house.alice, { cash: "1000000" });
  await house.fund(house.keeper, { cash: "100000" });
  const bob = await house.fund(house.bob, { cash });
  await house.trade(house.alice, house.bob, ETH, size, "2000");
  return { house, bob };
}

describe("keeper", () => {
  it("MAM-6 takes an account within the block after the price that made it liquidatable", async () => {
    const { house, bob } = await leveraged();
    const keeper = await keeperOf(house);
    expect((await keeper.tick()).map(({ action }) => action)).to.not.include("take");
    // 10 long at 1,945: E = 1,100 − 10 fee − 550 = 540, MM = 19,450 · (3 % + 2 % · 19,450/50,000,000) = 583.65
    await house.setPrice(ETH, "1945");
    const before = await house.ethers.provider.getBlockNumber();
    const acts = await keeper.tick();
    const take = acts.find(({ action }) => action === "take");
    expect(take?.result).to.equal("done");
    expect(take?.account).to.equal(bob);
    const events = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
    expect(events.map((e) => e.blockNumber)).to.deep.equal([before + 1]);
    const { equity, initialMargin } = await house.clearingHouse.assess(bob);
    expect(equity >= initialMargin).to.equal(true);
  });

  it("MAM-6 takes the worst ratio first", async () => {
    const { house, bob } = await leveraged();
    const carol = await house.fund(house.carol, { cash: "1060" });
    await house.trade(house.alice, house.carol, ETH, "10", "2000");
    const keeper = await keeperOf(house);
    await house.setPrice(ETH, "1945");
    const taken = (await keeper.tick()).filter(({ action }) => action === "take");
    expect(taken.map(({ account }) => account)).to.deep.equal([carol, bob]);
    expect(taken.map(({ result }) => result)).to.deep.equal(["done", "done"]);
  });

  it("LIQ-5 does nothing on a stale price", async () => {
    const { house } = await leveraged();
    const keeper = await keeperOf(house);
    await house.setPrice(ETH, "1945");
    await house.networkHelpers.time.increase(24 * 3600 + 1); // the feeds' heartbeat is 24 h
    const before = await house.ethers.provider.getBlockNumber();
    expect(await keeper.tick()).to.deep.equal([]);
    expect(await house.ethers.provider.getBlockNumber()).to.equal(before);
  });

  it("LIQ-5 flags a slice that does not pay yet and takes it once the clock has advanced", async () => {
    const { house, bob } = await leveraged();
    // At the first flag d = 5 %: at most 80 % of 0.05 · 583.65 = 23.3 is the taker's; d = 60 % brings up to 280.
    const keeper = await keeperOf(house, { minProfit: wad("40") });
    await house.setPrice(ETH, "1945");
    const actions: string[] = [];
    for (let i = 0; i < 10 && !actions.includes("take"); ++i) {
      for (const act of await keeper.tick()) if (act.account === bob) actions.push(act.action);
      await house.networkHelpers.time.increase(30);
    }
    expect(actions[0]).to.equal("flag");
    expect(actions.at(-1)).to.equal("take");
    expect(actions.filter((action) => action === "flag").length).to.be.greaterThan(1);
    const [event] = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
    const { cost, toFund, toFlagger } = event!.args;
    expect(cost - toFund - toFlagger >= wad("40")).to.equal(true);
  });

  it("LIQ-5 takes as much as its account can carry", async () => {
    const { house, bob } = await leveraged("100", "11000");
    // The slice that is needed is some 80 ETH: IM of 5 % is 7,800, more than the 3,000 of the taker.
    const poor = await house.fund(house.dave, { cash: "3000" });
    const keeper = await Keeper.create({
      provider: house.ethers.provider,
      signer: house.dave,
      addressBook: house.addressBook,
      takerAccount: poor,
      logger,
    });
    await house.setPrice(ETH, "1945");
    const take = (await keeper.tick()).find(({ action }) => action === "take");
    expect(take?.result).to.equal("done");
    expect(take?.account).to.equal(bob);
    const { equity, initialMargin } = await house.clearingHouse.assess(poor);
    expect(equity >= initialMargin).to.equal(true);
    const [event] = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
    expect(event!.args.fraction).to.equal(take?.fraction);
  });

  it("LIQ-5 reports a simulation that is refused and sends nothing", async () => {
    const { house, bob } = await leveraged();
    const keeper = await keeperOf(house);
    await house.setPrice(ETH, "1945");
    // Between the keeper's look and its transaction the price recovers: the simulation sees it.
    const sync = keeper.mirror.sync.bind(keeper.mirror);
    keeper.mirror.sync = async () => {
      await sync();
      keeper.mirror.sync = sync;
      await house.setPrice(ETH, "2000");
    };
    const nonce = await house.keeper.getNonce();
    const acts = (await keeper.tick()).filter(({ account }) => account === bob);
    expect(acts[0]).to.include({ action: "take", result: "refused" });
    expect(acts[0]?.reason).to.match(/^NotLiquidatable\(/);
    expect(await house.keeper.getNonce()).to.equal(nonce);
  });

  it("settles, sweeps and accrues what is due", async () => {
    const { house, bob } = await leveraged("10", "20000");
    await house.pass(3600);
    await house.setPrice(ETH, "1800");
    await house.setPrice(BTC, "29000"); // at the price of the last accrual there is nothing to store
    // bob lost 2,000, alice won it; fees 10
    const keeper = await keeperOf(house, { sweepThreshold: wad("5") });
    const acts = await keeper.tick();
    const done = acts
      .filter(({ result }) => result === "done")
      .map(({ action, market }) => `${action} ${market ?? ""}`);
    expect(done).to.include.members(["accrue 0", "accrue 1", "settle 0"]);
    expect((await house.clearingHouse.account(bob)).cash < wad("18100")).to.equal(true);
    await keeper.tick();
    expect((await house.clearingHouse.market(ETH))[2].fees).to.equal(0n);
    expect(await keeper.tick()).to.deep.equal([]);
  });

  it("runs until it is stopped, whatever the node does, and says what failed", async () => {
    const { house } = await leveraged();
    const keeper = await keeperOf(house, { pollInterval: 10 });
    const sync = keeper.mirror.sync.bind(keeper.mirror);
    let failures = 2;
    keeper.mirror.sync = async () => {
      if (failures-- > 0) throw new UnusableTaker(0n, "nobody");
      await sync();
    };
    const running = keeper.run();
    await house.setPrice(ETH, "1945");
    const { Liquidated } = house.clearingHouse.filters;
    for (let i = 0; i < 100 && (await house.clearingHouse.queryFilter(Liquidated())).length === 0; ++i) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await keeper.stop();
    await running;
    expect((await house.clearingHouse.queryFilter(Liquidated())).length).to.equal(1);
    expect(await keeper.metrics.registry.metrics()).to.include("plimsoll_keeper_errors_total 2");
  });

  it("refuses a taker that is isolated or somebody else's", async () => {
    const house = await freshHouse();
    const { keeper: signer, alice, addressBook } = house;
    for (const takerAccount of [isolatedAccountId(signer.address, ETH), accountId(alice.address)]) {
      const options = { provider: house.ethers.provider, signer, addressBook, takerAccount, logger };
      const error = await Keeper.create(options).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(UnusableTaker);
    }
  });
});
