import { expect } from "chai";
import { HDNodeWallet } from "ethers";
import pino from "pino";

import { InvalidKeeperConfig } from "../../src/keeper/config.ts";
import type { KeeperPolicy } from "../../src/keeper/config.ts";
import type { HedgeVenue } from "../../src/keeper/hedge.ts";
import { Keeper } from "../../src/keeper/keeper.ts";
import { Leases } from "../../src/keeper/leases.ts";
import type { KeeperSigner } from "../../src/keeper/signer.ts";
import { MirrorMismatch } from "../../src/keeper/reconcile.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { UnusableTaker } from "../../src/keeper/takerKey.ts";
import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, wad, WBTC, WETH, WSTETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { freePort } from "../helpers/anvil.ts";
import { until } from "../helpers/until.ts";

const PHRASE = "test test test test test test test test test test test junk";
const logger = pino({ level: "silent" });

/** The key of one of Hardhat's own accounts. */
function keyOf({ address }: { address: string }): KeeperSigner {
  for (let index = 0; ; ++index) {
    const wallet = HDNodeWallet.fromPhrase(PHRASE, "", `m/44'/60'/0'/0/${index}`);
    if (wallet.address === address) return wallet;
  }
}

async function keeperOf(
  house: Fixture,
  config: Partial<KeeperPolicy> = {},
  { address } = house.keeper,
): Promise<Keeper> {
  return Keeper.create({
    provider: house.ethers.provider,
    signer: keyOf({ address }),
    addressBook: house.addressBook,
    takerAccount: accountId(address),
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

  /** Carol and dave stand as bob does. */
  async function three(): Promise<{ house: Fixture; ids: bigint[] }> {
    const { house, bob } = await leveraged();
    const ids = [bob];
    for (const who of [house.carol, house.dave]) {
      ids.push(await house.fund(who, { cash: "1100" }));
      await house.trade(house.alice, who, ETH, "10", "2000");
    }
    return { house, ids };
  }

  it("LIQ-5 takes small slices together, for less gas than one by one", async () => {
    const spent: bigint[] = [];
    for (const batchBelow of [wad("1000"), wad("1")]) {
      const { house, ids } = await three();
      const keeper = await keeperOf(house, { batchBelow });
      await house.setPrice(ETH, "1945");
      const takes = (await keeper.tick()).filter(({ action }) => action === "take");
      if (batchBelow > wad("1")) {
        expect(takes).to.have.length(1);
        expect(takes[0]).to.include({ result: "done", reason: "3 small slices in one transaction" });
        expect(takes[0]!.accounts).to.have.members(ids);
        for (const id of ids) expect(keeper.why(id).decision).to.include({ action: "take", result: "done" });
      } else expect(takes.map(({ account }) => account)).to.have.members(ids);
      for (const id of ids) {
        const { equity, initialMargin } = await house.clearingHouse.assess(id);
        expect(equity >= initialMargin).to.equal(true);
      }
      expect((await keeper.tick()).filter(({ action }) => action === "take")).to.deep.equal([]);
      spent.push(takes.reduce((sum, { cost }) => sum + (cost ?? 0n), 0n));
    }
    // each but the first saves 21,000 and finds the market, the pool and its own account warm
    expect(spent[0]! < (spent[1]! * 4n) / 5n, spent.join(" < 80 % of ")).to.equal(true);
  });

  it("LIQ-5 takes small slices one by one if one of them does not go through", async () => {
    const { house, ids } = await three();
    const keeper = await keeperOf(house, { batchBelow: wad("1000") });
    await house.setPrice(ETH, "1945");
    const sync = keeper.mirror.sync.bind(keeper.mirror);
    keeper.mirror.sync = async () => {
      keeper.mirror.sync = sync;
      const changes = await sync();
      await house.fund(house.carol, { cash: "1000" }); // between the look and the transaction
      return changes;
    };
    const takes = (await keeper.tick()).filter(({ action }) => action === "take");
    expect(takes.map(({ account, result }) => [account, result])).to.have.deep.members([
      [undefined, "outcompeted"],
      [ids[0], "done"],
      [ids[1], "outcompeted"],
      [ids[2], "done"],
    ]);
    expect(takes.filter(({ result }) => result === "outcompeted").every(({ hash }) => hash === undefined)).to.equal(
      true,
    );
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
      signer: keyOf(house.dave),
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

  it("LIQ-5 reports a simulation that finds the account changed and sends nothing", async () => {
    const { house, bob } = await leveraged();
    const keeper = await keeperOf(house);
    await house.setPrice(ETH, "1945");
    // Between the keeper's look and its transaction the price recovers: the simulation sees it.
    const sync = keeper.mirror.sync.bind(keeper.mirror);
    keeper.mirror.sync = async () => {
      const changes = await sync();
      keeper.mirror.sync = sync;
      await house.setPrice(ETH, "2000");
      return changes;
    };
    const nonce = await house.keeper.getNonce();
    const acts = (await keeper.tick()).filter(({ account }) => account === bob);
    expect(acts[0]).to.include({ action: "take", result: "outcompeted" });
    expect(acts[0]?.reason).to.match(/^NotLiquidatable\(/);
    expect(await house.keeper.getNonce()).to.equal(nonce);
  });

  it("F-4 FSA-6 settles, sweeps and accrues what is due", async () => {
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

  it("FSA-6 settles in batches of at most 50 accounts, each within a bound of gas, and goes on where it was", async () => {
    const house = await freshHouse();
    await house.fund(house.alice, { cash: "1000000" });
    const ids = Array.from({ length: 51 }, (_, i) => accountId(house.bob.address, BigInt(i)));
    for (const id of ids) {
      await house.fund(house.bob, { cash: "1000" }, id);
      await house.trade(house.alice, house.bob, ETH, "1", "2000", { taker: id });
    }
    await house.setPrice(ETH, "1900"); // each has lost 100
    const keeper = await keeperOf(house, { settleThreshold: wad("50") });
    const settlements = (await keeper.tick()).filter(({ action, market }) => action === "settle" && market === ETH);
    const receipts = await Promise.all(
      settlements.map(({ hash }) => house.ethers.provider.getTransactionReceipt(hash!)),
    );
    const settled = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Settled());
    const counts = receipts.map((one) => settled.filter(({ transactionHash }) => transactionHash === one!.hash).length);
    expect(counts.toSorted((a, b) => b - a)).to.deep.equal([50, 2]); // 51 losers, and the winner last
    for (const one of receipts) expect(one!.gasUsed < 5_000_000n, `${one!.gasUsed} gas`).to.equal(true);
    expect((await keeper.tick()).filter(({ action }) => action === "settle")).to.deep.equal([]);
  });

  it("ends the auction of an account that has recovered", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1945");
    await house.clearingHouse.flag(bob);
    await house.setPrice(ETH, "2100");
    const keeper = await keeperOf(house);
    const own = async () => (await keeper.tick()).filter(({ account }) => account === bob);
    expect((await own()).map(({ action, result }) => `${action} ${result}`)).to.deep.equal(["clear done"]);
    expect((await house.clearingHouse.auction(bob)).lastCall).to.equal(0n);
    expect(await own()).to.deep.equal([]);
  });

  it("MM-6 calls for margin once, again after a recovery, and not for accounts that are too small", async () => {
    const { house, bob } = await leveraged();
    const keeper = await keeperOf(house);
    const modest = await keeperOf(house, { callThreshold: wad("1000") });
    const actions = async () =>
      (await keeper.tick()).filter(({ account }) => account === bob).map(({ action, result }) => `${action} ${result}`);
    expect(await actions()).to.deep.equal([]);
    // 10 long at 1,980: E = 1,100 − 10 fee − 200 = 890, IM = 5/3 · 19,800 · (3 % + …) = 990.26, MM = 594.16
    await house.setPrice(ETH, "1980");
    expect((await modest.tick()).map(({ action }) => action)).to.not.include("call");
    expect(await actions()).to.deep.equal(["call done"]);
    expect(await actions()).to.deep.equal([]);
    expect(keeper.mirror.accounts.get(bob)?.cure?.deposit).to.satisfy(
      (d: bigint) => d > wad("100.2") && d < wad("100.3"),
    );
    await house.setPrice(ETH, "2050");
    expect(await actions()).to.deep.equal([]);
    await house.setPrice(ETH, "1980");
    const restarted = await keeperOf(house); // does not know of the recovery, and does not call again
    expect((await restarted.tick()).map(({ action }) => action)).to.not.include("call");
    expect(await actions()).to.deep.equal(["call done"]);
    const calls = await house.clearingHouse.queryFilter(house.clearingHouse.filters.MarginCall());
    expect(calls.map(({ args }) => args.account)).to.deep.equal([bob, bob]);
    expect(await keeper.metrics.registry.metrics()).to.include("plimsoll_keeper_margin_calls_total 2");
  });

  it("MM-6 leaves an account alone that another keeper has called, with a database of its own, until it has recovered", async () => {
    const { house, bob } = await leveraged();
    const [one, other] = [await keeperOf(house), await keeperOf(house, {}, house.dave)];
    const actions = async (keeper: Keeper) =>
      (await keeper.tick()).filter(({ account }) => account === bob).map(({ action, result }) => `${action} ${result}`);
    const { MarginCall } = house.clearingHouse.filters;
    // At 1,980 E = 890 is below IM = 990.26, at 2,050 E = 1,590 is above IM = 1,025.28. Who looks first calls.
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      await house.setPrice(ETH, "2050");
      for (const keeper of [one, other]) expect(await actions(keeper)).to.deep.equal([]);
      await house.setPrice(ETH, "1980");
      expect(await actions(first)).to.deep.equal(["call done"]);
      for (const keeper of [second, first]) expect(await actions(keeper)).to.deep.equal([]);
    }
    expect(await house.clearingHouse.queryFilter(MarginCall())).to.have.length(2);
  });

  it("observes prices and rates when the last good ones have grown old", async () => {
    const { house } = await leveraged();
    const keeper = await keeperOf(house, { observeInterval: 600n });
    const observed = async () => (await keeper.tick()).filter(({ action }) => action === "observe");
    await observed();
    expect(await observed()).to.deep.equal([]);
    await house.pass(700);
    await house.setPrice(ETH, "2010");
    expect((await observed()).map(({ underlying, result }) => `${underlying} ${result}`)).to.deep.equal([
      "0 done",
      "1 done",
      "2 done",
    ]);
    const { round, roundPrice } = await house.priceOracle.volatilityOf(ETH);
    expect(round).to.equal(await house.feeds[ETH].latestRound());
    expect(roundPrice).to.equal(wad("2010"));
    await house.pass(3600);
    expect((await observed()).map(({ collateral }) => collateral)).to.include(WSTETH);
    await house.networkHelpers.time.increase(25 * 3600); // every price is stale: there is nothing to keep
    expect(await observed()).to.deep.equal([]);
  });

  it("LIQ-5 a speck of something stale protects nobody", async () => {
    const { house, bob } = await leveraged();
    await house.fund(house.bob, { wbtc: "0.001" });
    const keeper = await keeperOf(house);
    await keeper.tick();
    await house.networkHelpers.time.increase(24 * 3600 + 1);
    // 0.001 BTC at its last good price adds 30 to E = 540; MM = 583.65 and 3 for it
    await house.setPrice(ETH, "1940");
    const take = (await keeper.tick()).find(({ account }) => account === bob);
    expect(take).to.include({ action: "take", result: "done" });
    expect(await house.clearingHouse.collateralBalance(bob, WBTC)).to.equal(wad("0.001"));
  });

  it("writes off a debt that nothing is left to pay for", async () => {
    const house = await freshHouse();
    const { clearingHouse: ch } = house;
    const alice = await house.fund(house.alice, { cash: "10000" });
    const bob = await house.fund(house.bob, { weth: "2" });
    await ch.connect(house.alice).lend(alice, 10_000_000_000n);
    await ch.connect(house.bob).withdraw(bob, house.usdc, 2_000_000_000n, house.bob);
    await ch.delistCollateral(WETH);
    await house.pass(14 * 24 * 3600); // from now on WETH counts zero
    const keeper = await keeperOf(house);
    const acts = (await keeper.tick()).filter(({ account }) => account === bob);
    expect(acts.map(({ action, result }) => `${action} ${result}`)).to.deep.equal(["absorb done"]);
    expect(await ch.assess(bob)).to.deep.equal([0n, 0n, 0n]);
    // nobody has given anything to the fund: the lender bears the 2,000 and its interest, of which the fund's tenth was reserved
    const { lent } = await ch.loans(alice);
    expect(lent <= wad("8000") && lent > wad("7999")).to.equal(true);
    expect((await keeper.tick()).filter(({ account }) => account === bob)).to.deep.equal([]);
  });

  it("looks at a loss that waits for cash every hour and takes the cash call when it may", async () => {
    const house = await freshHouse();
    await house.fund(house.alice, { cash: "50000" });
    await house.fund(house.keeper, { cash: "50000" });
    const bob = await house.fund(house.bob, { weth: "5" });
    await house.trade(house.alice, house.bob, ETH, "-2", "2000");
    await house.setPrice(ETH, "2200"); // short 2: 400 lost, and 2 of fees; 5 WETH are worth 11,000
    const keeper = await keeperOf(house, { settleThreshold: wad("100"), minProfit: wad("0.1") });
    const done: string[] = [];
    for (let hour = 0; hour < 27 && !done.includes("cashCall"); ++hour) {
      await keeper.tick();
      done.push(...(await keeper.tick()).filter(({ account }) => account === bob).map(({ action }) => action));
      await house.pass(3600);
    }
    expect(done).to.deep.equal(["cashCall"]);
    const [event] = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
    expect(event!.args.cashCall).to.equal(true);
    // f = 402 / 11,000, funding aside
    expect(event!.args.fraction > wad("0.036") && event!.args.fraction < wad("0.037")).to.equal(true);
    expect(await house.clearingHouse.positionPnl(bob, ETH)).to.satisfy((pnl: bigint) => pnl > wad("-20"));
    const seen = await house.clearingHouse.queryFilter(house.clearingHouse.filters.UnsettledLossSeen());
    expect(seen.length >= 25 && seen.length <= 28, `${seen.length} looks`).to.equal(true);
  });

  it("LIQ-5 fills its own account from its wallet when that is low, as far as the wallet reaches", async () => {
    const house = await freshHouse();
    const account = accountId(house.keeper.address);
    await house.fund(house.keeper, { cash: "900" });
    await house.usdc.mint(house.keeper, 700_000_000n);
    const keeper = await keeperOf(house, { fundBelow: wad("1000"), fundTo: wad("1500") });
    const own = async () => {
      const done: string[] = [];
      for (let tick = 0; tick < 6; ++tick) {
        const acts = (await keeper.tick()).filter((act) => act.account === account);
        done.push(...acts.map(({ action, result }) => `${action} ${result}`));
      }
      return done;
    };
    expect(await own()).to.deep.equal(["approve done", "deposit done"]);
    expect(await house.usdc.allowance(house.keeper, house.vault), "no more than was to be paid").to.equal(0n);
    expect((await house.clearingHouse.account(account)).cash).to.equal(wad("1500"));
    expect(await own()).to.deep.equal([]);
    // 700 are withdrawn: 800 are left, 700 are missing, 100 + 700 are in the wallet
    await house.clearingHouse.connect(house.keeper).withdraw(account, house.usdc, 700_000_000n, house.carol);
    expect(await own()).to.deep.equal(["approve done", "deposit done"]);
    expect((await house.clearingHouse.account(account)).cash, "100 was all that the wallet had").to.equal(wad("900"));
  });

  it("LIQ-5 sends to its wallet what is beyond the upper bound, and no margin", async () => {
    const house = await freshHouse();
    const account = await house.fund(house.keeper, { cash: "5000" });
    await house.fund(house.alice, { cash: "100000" });
    const keeper = await keeperOf(house, { fundTo: wad("1500"), withdrawAbove: wad("3000") });
    const own = async () => (await keeper.tick()).filter((act) => act.account === account);
    expect((await own()).map(({ action, result }) => `${action} ${result}`)).to.deep.equal(["withdraw done"]);
    expect((await house.clearingHouse.account(account)).cash).to.equal(wad("1500"));
    expect(await house.usdc.balanceOf(house.keeper)).to.equal(3_500_000_000n);
    expect(await own(), "1,500 is within the bounds").to.deep.equal([]);
    // with 5,000 again and 40 ETH long, 5 % of 80,000 and something are needed: less than 1,000 can go
    await house.fund(house.keeper, { cash: "3500" });
    await house.trade(house.alice, house.keeper, ETH, "40", "2000");
    expect((await own()).map(({ action, result }) => `${action} ${result}`)).to.deep.equal(["withdraw done"]);
    const { equity, initialMargin } = await house.clearingHouse.assess(account);
    expect(equity >= initialMargin && equity - initialMargin < wad("0.01")).to.equal(true);
  });

  it("runs until it is stopped, whatever the node does, and says what failed", async () => {
    const { house } = await leveraged();
    const keeper = await keeperOf(house, { pollInterval: 10 });
    const sync = keeper.mirror.sync.bind(keeper.mirror);
    let failures = 2;
    keeper.mirror.sync = async () => {
      if (failures-- > 0) throw new UnusableTaker(0n, "nobody");
      return sync();
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

  it("LIQ-5 measures the age of its head while passes fail", async () => {
    const { house } = await leveraged();
    const keeper = await keeperOf(house, { pollInterval: 10 });
    const { lag } = keeper.metrics;
    lag.set(-1);
    keeper.mirror.sync = () => Promise.reject(new UnusableTaker(0n, "nobody"));
    const running = keeper.run();
    await until(async () => (await lag.get()).values[0]?.value !== -1);
    await keeper.stop();
    await running;
  });

  it("LIQ-5 measures whether blocks are announced where they shall be", async () => {
    const house = await freshHouse();
    const options = {
      ...{ provider: house.ethers.provider, addressBook: house.addressBook, config: { pollInterval: 10 }, logger },
      ...{ signer: keyOf(house.keeper), takerAccount: accountId(house.keeper.address) },
    };
    for (const [node, expected] of [
      [{}, 1], // nobody is to announce any
      [{ webSocketUrl: `ws://127.0.0.1:${await freePort()}` }, 0],
    ] as const) {
      const keeper = await Keeper.create({ ...options, ...node });
      const { announced } = keeper.metrics;
      announced.set(-1);
      const running = keeper.run();
      await until(async () => (await announced.get()).values[0]?.value === expected);
      await keeper.stop();
      await running;
    }
  });

  it("LIQ-5 does nothing on the word of a mirror that is behind", async () => {
    const { house } = await leveraged();
    const keeper = await keeperOf(house, { maxHeadAge: 0 }); // every block is too old as soon as it is known
    const nonce = await house.keeper.getNonce();
    await house.setPrice(ETH, "1945");
    expect(await keeper.tick()).to.deep.equal([]);
    expect(await house.keeper.getNonce()).to.equal(nonce);
    expect((await (await keeperOf(house)).tick()).map(({ action }) => action)).to.include("take");
  });

  it("LIQ-5 saves its mirror once at a time, however long that takes", async () => {
    const house = await freshHouse();
    await house.usdc.mint(house.keeper, 700_000_000n);
    const keeper = await keeperOf(house, { fundBelow: wad("100"), fundTo: wad("200"), pollInterval: 10 });
    const written = Promise.withResolvers<boolean>();
    let [saving, passes] = [0, 0];
    keeper.mirror.save = () => {
      saving += 1;
      return written.promise;
    };
    const sync = keeper.mirror.sync.bind(keeper.mirror);
    keeper.mirror.sync = (head) => {
      passes += 1;
      return sync(head);
    };
    const running = keeper.run();
    // what was approved and what was deposited both call for a look at the wallet, which is followed by a save
    const cash = async () => (await house.clearingHouse.account(accountId(house.keeper.address))).cash;
    await until(async () => (await cash()) === wad("200"));
    const end = passes + 3;
    await until(() => passes >= end);
    expect(saving).to.equal(1);
    written.resolve(true);
    await keeper.stop();
    await running;
  });

  it("MAM-6 LIQ-5 does nothing on the word of a mirror that differs from the chain, and does not save it, not even when it ends", async () => {
    const { house } = await leveraged();
    await house.usdc.mint(house.keeper, 700_000_000n);
    const keeper = await keeperOf(house, { fundBelow: wad("200000"), fundTo: wad("200000") });
    let saved = 0;
    keeper.mirror.save = () => Promise.resolve((saved += 1) > 0);
    await keeper.save();
    expect(saved).to.equal(1);
    keeper.mirror.reconcile = () => Promise.reject(new MirrorMismatch(1, []));
    await keeper.tick(); // what it approves calls for a look at the wallet, and at the mirror
    await keeper.tick();
    expect(keeper.status.unreconciled).to.match(/^the mirror is not the chain at block 1/);
    await house.setPrice(ETH, "1945");
    expect(await keeper.tick()).to.deep.equal([]);
    await keeper.save();
    expect(saved).to.equal(1);
  });

  it("LIQ-5 tidies up its leases from time to time", async () => {
    const house = await freshHouse();
    const database = new SqliteDatabase(":memory:");
    const leases = await Leases.open(database, { holder: "one", lifetime: 60_000 });
    await leases.take("long ago");
    await database.run("UPDATE leases SET expires = 0");
    await Keeper.create({
      ...{ provider: house.ethers.provider, addressBook: house.addressBook, database, leases, logger },
      ...{ signer: keyOf(house.keeper), takerAccount: accountId(house.keeper.address) },
    });
    expect(await database.all("SELECT name FROM leases")).to.deep.equal([]);
  });

  it("LIQ-5 hedges what it holds once, although the mirror does not know yet what was traded", async () => {
    const house = await freshHouse();
    await house.fund(house.alice, { cash: "1000000" });
    await house.fund(house.keeper, { cash: "100000" });
    await house.trade(house.alice, house.keeper, ETH, "10", "2000");
    const traded: bigint[] = [];
    const venue: HedgeVenue = {
      quote: (_market, size) => ({ traded: size < 0n ? -size : size, cost: 0n }),
      refresh: () => Promise.resolve(),
      trade: (_market, size) => Promise.resolve(-traded[traded.push(size) - 1]!),
    };
    const { address } = house.keeper;
    const keeper = await Keeper.create({
      ...{ provider: house.ethers.provider, addressBook: house.addressBook, takerAccount: accountId(address) },
      ...{ signer: keyOf({ address }), config: { maxInventory: wad("10000") }, venue, logger },
    });
    await keeper.tick();
    await keeper.tick();
    expect(traded).to.deep.equal([wad("-5")]); // 10 at 2,000 are 20,000
    await house.networkHelpers.mine(12);
    await keeper.tick();
    expect(traded, "it was never settled").to.deep.equal([wad("-5"), wad("-5")]);
  });

  it("LIQ-5 refuses to start where gas is paid in something that has no price", async () => {
    const house = await freshHouse();
    const error = await keeperOf(house, { gasUnderlying: "MATIC" }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(InvalidKeeperConfig);
    expect((error as Error).message).to.match(/GAS_UNDERLYING: the house has no MATIC: give one of ETH, BTC/);
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
