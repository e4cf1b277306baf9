import { expect } from "chai";

import { assessAccount, marginState } from "../../src/risk/account.ts";
import { advance } from "../../src/risk/auction.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { planLiquidation, takeOver } from "../../src/risk/liquidation.ts";
import { pnlOf } from "../../src/risk/pools.ts";
import { sides } from "../../src/risk/positions.ts";
import type { AccountState, CollateralRisk, HouseState, PriceSnapshot, UnderlyingRisk } from "../../src/risk/types.ts";
import { applyFill } from "../../src/risk/whatIf.ts";
import { BTC, ETH, freshHouse, wad, WBTC, WETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

const IDS = [0, 1] as const; // of underlyings, markets and collaterals alike

const unpack = (word: bigint): PriceSnapshot => ({
  price: BigInt.asUintN(128, word),
  initialFactor: BigInt.asUintN(32, word >> 128n),
  maintenanceFactor: BigInt.asUintN(32, word >> 160n),
});

/** Everything outside an account, as the contracts have it, at `time` [s]. */
async function readHouse(f: Fixture, time: bigint): Promise<HouseState> {
  const underlyings = new Map<number, UnderlyingRisk>();
  const collaterals = new Map<number, CollateralRisk>();
  const house = { markets: new Map(), collaterals: new Map(), prices: new Map(), lastGood: new Map() };
  for (const id of IDS) {
    underlyings.set(id, await f.riskEngine.underlyingRisk(id));
    collaterals.set(id, await f.riskEngine.collateralRisk(id));
    const snapshot = await f.priceOracle.read(id).catch(() => undefined);
    if (snapshot !== undefined) house.prices.set(id, unpack(snapshot));
    const [lastGood] = await f.priceOracle.lastGood(id);
    if (lastGood !== 0n) house.lastGood.set(id, unpack(lastGood));
    const [params, index, rate, pool, loss] = await f.clearingHouse.market(id);
    house.markets.set(id, {
      underlying: Number(rate.underlying),
      funding: index.funding,
      price: rate.price,
      time: rate.time,
      premium: rate.premium,
      lastPremium: rate.lastPremium,
      longIndex: loss.longIndex,
      shortIndex: loss.shortIndex,
      pool: pool.cash,
      flaggedDeficit: pool.flaggedDeficit,
      badDebt: loss.badDebt,
      openInterest: index.openInterest,
      priceBand: params.priceBand,
      softCap: params.softCap,
      hardCap: params.hardCap,
    });
    const { underlying, decimals, minBalance, delistingEnd } = await f.clearingHouse.collateral(id);
    house.collaterals.set(id, {
      underlying: Number(underlying),
      decimals: Number(decimals),
      minBalance,
      delistingEnd,
      rate: WAD,
      lastGoodRate: WAD,
    });
  }
  const [pool, params, flaggedDeficit] = await f.clearingHouse.lending();
  const { lent, borrowed, lentShares, debtShares, reserves, rate, time: accrued } = pool;
  const { kink, lowSlope, highSlope, reserveFactor } = params;
  const lending = {
    ...{ lent, borrowed, lentShares, debtShares, reserves, rate, time: accrued, flaggedDeficit },
    params: { kink, lowSlope, highSlope, reserveFactor },
  };
  return { time, risk: { underlyings, collaterals }, ...house, lending };
}

/** An account as the ledger has it. */
async function readAccount(f: Fixture, id: bigint): Promise<AccountState> {
  const { cash } = await f.clearingHouse.account(id);
  const [, , { lentShares, debtShares }] = await f.clearingHouse.loans(id);
  const state = { cash, lentShares, debtShares, positions: new Map(), collaterals: new Map() };
  for (const i of IDS) {
    const { size, quote } = await f.clearingHouse.position(id, i);
    if (size !== 0n || quote !== 0n) state.positions.set(i, { size, quote });
    const balance = await f.clearingHouse.collateralBalance(id, i);
    if (balance !== 0n) state.collaterals.set(i, balance);
  }
  return state;
}

/** An account without what is zero, for comparison. */
function nonZero(account: AccountState): AccountState {
  return {
    ...account,
    positions: new Map([...account.positions].filter(([, p]) => p.size !== 0n || p.quote !== 0n)),
    collaterals: new Map([...account.collaterals].filter(([, balance]) => balance !== 0n)),
  };
}

/** Alice: long 20 ETH and short 0.5 BTC on 6,000 cash, 2 WETH and 0.1 WBTC; half a day later ETH is at `price`. */
async function aliceAt(f: Fixture, price: string): Promise<bigint> {
  const alice = await f.fund(f.alice, { cash: "6000", weth: "2", wbtc: "0.1" });
  await f.fund(f.bob, { cash: "500000" });
  await f.trade(f.bob, f.alice, ETH, "20", "2005");
  await f.trade(f.bob, f.alice, BTC, "-0.5", "30000");
  await f.pass(43_200);
  await f.clearingHouse.accrueFunding(ETH);
  await f.setPrice(ETH, price);
  return alice;
}

describe("src/risk against the ledger", () => {
  it("MAM-1 E, IM, MM, PnL and funding of an account are those of the clearinghouse, to the wei", async () => {
    const f = await freshHouse();
    const id = await aliceAt(f, "1900");
    await f.pass(3600);
    const time = BigInt(await f.networkHelpers.time.latest());
    const [house, account] = [await readHouse(f, time), await readAccount(f, id)];
    const [equity, initialMargin, maintenanceMargin] = await f.clearingHouse.assess(id, { blockTag: "latest" });
    expect(assessAccount(account, house)).to.deep.equal({ equity, initialMargin, maintenanceMargin });
    for (const market of IDS) {
      const [long, short] = await f.clearingHouse.fundingIndices(market);
      expect(sides(house.markets.get(market)!, time)).to.deep.equal({ long, short });
      expect(pnlOf(account.positions.get(market)!, market, house)).to.equal(
        await f.clearingHouse.positionPnl(id, market),
      );
    }
    expect(sides(house.markets.get(ETH)!, time).long).not.to.equal(0n);
  });

  it("MMS-7 a what-if fill is the fill that the ledger makes, fee included", async () => {
    const f = await freshHouse();
    const id = await aliceAt(f, "2000");
    const before = await readAccount(f, id);
    const time = BigInt(await f.networkHelpers.time.latest()) + 10n;
    const fill = { market: ETH, size: -wad("23.5"), price: wad("1995"), feeRate: 500n };
    const predicted = applyFill(before, await readHouse(f, time), fill);
    const orders = await Promise.all([
      f.order(f.bob, { market: BigInt(ETH), size: wad("23.5"), limitPrice: wad("1995"), resting: true }),
      f.order(f.alice, { market: BigInt(ETH), size: -wad("23.5"), limitPrice: wad("1995") }),
    ]);
    await f.networkHelpers.time.setNextBlockTimestamp(time);
    await f.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
    expect(await readAccount(f, id)).to.deep.equal(predicted);
  });

  for (const { name, price, state } of [
    { name: "a slice", price: "1480", state: "liquidatable" },
    { name: "an account that sinks", price: "1420", state: "liquidatable" },
    { name: "a bankrupt account", price: "1400", state: "bankrupt" },
  ]) {
    it(`LIQ-2 ${name}: the plan is what the ledger does to both accounts, to the wei`, async () => {
      const f = await freshHouse();
      const id = await aliceAt(f, price);
      const taker = await f.fund(f.carol, { cash: "300000", weth: "1" });
      await f.clearingHouse.connect(f.dave).flag(id);
      const time = BigInt(await f.networkHelpers.time.latest()) + 45n;
      const [house, account, carol] = [await readHouse(f, time), await readAccount(f, id), await readAccount(f, taker)];
      const assessment = assessAccount(account, house);
      expect(marginState(assessment)).to.equal(state);
      const { flagger, maintenanceAtFlag, clock, rescueClock, lastCall } = await f.clearingHouse.auction(id);
      const flagged = { flagger, maintenanceAtFlag, clock, rescueClock, lastCall };
      const auction = advance(flagged, assessment, f.carol.address, time);
      const plan = planLiquidation(account, house, { auction, owner: f.alice.address, taker: f.carol.address });
      await f.networkHelpers.time.setNextBlockTimestamp(time);
      await f.clearingHouse
        .connect(f.carol)
        .liquidate(id, taker, { maxFraction: WAD, maxPayment: plan.paid, minGain: plan.gain, acceptClaims: false });
      expect(await readAccount(f, id)).to.deep.equal(nonZero(plan.after));
      expect(await readAccount(f, taker)).to.deep.equal(nonZero(takeOver(carol, plan)));
    });
  }

  it("collateral moves in whole token units", async () => {
    const f = await freshHouse();
    const id = await aliceAt(f, "1480");
    const house = await readHouse(f, BigInt(await f.networkHelpers.time.latest()));
    const account = await readAccount(f, id);
    const auction = advance(undefined, assessAccount(account, house), "flagger", house.time);
    const plan = planLiquidation(account, house, { auction, owner: "owner", taker: "taker" });
    expect(plan.collaterals.map((c) => c.id)).to.deep.equal([WETH, WBTC]);
    expect(plan.collaterals[WBTC]!.amount % 10n ** 10n).to.equal(0n); // 8 decimals
  });
});
