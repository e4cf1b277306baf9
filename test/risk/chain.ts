import { expect } from "chai";

import { assessForLiquidation } from "../../src/risk/account.ts";
import { advance } from "../../src/risk/auction.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { planLiquidation, takeOver, type LiquidationPlan } from "../../src/risk/liquidation.ts";
import type { AccountState, CollateralRisk, HouseState, PriceSnapshot, UnderlyingRisk } from "../../src/risk/types.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, USDT, USDT_INDEX, WBTC, WETH, WSTETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

const UNDERLYINGS = [ETH, BTC, USDT_INDEX];
const MARKETS = [ETH, BTC];
const COLLATERALS = [WETH, WBTC, WSTETH, USDT];

const unpack = (word: bigint): PriceSnapshot => ({
  price: BigInt.asUintN(128, word),
  initialFactor: BigInt.asUintN(32, word >> 128n),
  maintenanceFactor: BigInt.asUintN(32, word >> 160n),
});

/** Everything outside an account, as the contracts have it, at `time` [s]. */
export async function readHouse(f: Fixture, time: bigint): Promise<HouseState> {
  const underlyings = new Map<number, UnderlyingRisk>();
  const collaterals = new Map<number, CollateralRisk>();
  const house = { markets: new Map(), collaterals: new Map(), prices: new Map(), lastGood: new Map() };
  for (const id of UNDERLYINGS) {
    underlyings.set(id, await f.riskEngine.underlyingRisk(id));
    const snapshot = await f.priceOracle.latest(id).catch(() => undefined);
    if (snapshot !== undefined) house.prices.set(id, unpack(snapshot));
    const [lastGood] = await f.priceOracle.lastGood(id);
    if (lastGood !== 0n) house.lastGood.set(id, unpack(lastGood));
  }
  for (const id of MARKETS) {
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
  }
  for (const id of COLLATERALS) {
    collaterals.set(id, await f.riskEngine.collateralRisk(id));
    const { underlying, decimals, minBalance, delistingEnd, hasRate } = await f.clearingHouse.collateral(id);
    house.collaterals.set(id, {
      underlying: Number(underlying),
      decimals: Number(decimals),
      minBalance,
      delistingEnd,
      rate: hasRate ? await f.priceOracle.latestRate(id).catch(() => undefined) : WAD,
      lastGoodRate: hasRate ? (await f.priceOracle.lastGoodRate(id))[0] : WAD,
    });
  }
  const [pool, params] = await f.clearingHouse.lending({ blockTag: await lastMovement(f) });
  const { lent, borrowed, lentShares, debtShares, reserves, rate, time: accrued, flaggedDeficit } = pool;
  const { kink, lowSlope, highSlope, reserveFactor } = params;
  const lending = {
    ...{ lent, borrowed, lentShares, debtShares, reserves, rate, time: accrued, flaggedDeficit },
    params: { kink, lowSlope, highSlope, reserveFactor },
  };
  return { time, risk: { underlyings, collaterals }, ...house, lending };
}

/** The block in which the lending pool was last stored: the view adds interest up to the block it is asked at. */
async function lastMovement({ clearingHouse }: Fixture): Promise<number> {
  const { LendingChanged, LendingParamsSet, DeficitRecorded } = clearingHouse.filters;
  const moved = [LendingChanged(), LendingParamsSet()];
  const logs = (await Promise.all(moved.map((filter) => clearingHouse.queryFilter(filter)))).flat();
  for (const log of await clearingHouse.queryFilter(DeficitRecorded())) {
    const [before, after] = await Promise.all(
      [log.blockNumber - 1, log.blockNumber].map(
        async (blockTag) => (await clearingHouse.lending({ blockTag }))[0].flaggedDeficit,
      ),
    );
    if (before !== after) logs.push(log);
  }
  return Math.max(...logs.map((log) => log.blockNumber));
}

/** An account as the ledger has it. */
export async function readAccount(f: Fixture, id: bigint): Promise<AccountState> {
  const { cash } = await f.clearingHouse.account(id);
  const [, , { lentShares, debtShares }] = await f.clearingHouse.loans(id);
  const state = { cash, lentShares, debtShares, positions: new Map(), collaterals: new Map() };
  for (const i of MARKETS) {
    const { size, quote } = await f.clearingHouse.position(id, i);
    if (size !== 0n || quote !== 0n) state.positions.set(i, { size, quote });
  }
  for (const i of COLLATERALS) {
    const balance = await f.clearingHouse.collateralBalance(id, i);
    if (balance !== 0n) state.collaterals.set(i, balance);
  }
  return state;
}

/** An account without what is zero, for comparison. */
export function nonZero(account: AccountState): AccountState {
  return {
    ...account,
    positions: new Map([...account.positions].filter(([, p]) => p.size !== 0n || p.quote !== 0n)),
    collaterals: new Map([...account.collaterals].filter(([, balance]) => balance !== 0n)),
  };
}

/**
 * Carol liquidates an account that dave flags first, 45 s later, on the terms of a plan; expects of both accounts, to the wei, what
 * the plan says.
 */
export async function expectPlanned(f: Fixture, id: bigint, acceptClaims = false): Promise<LiquidationPlan> {
  const taker = accountId(f.carol.address);
  await f.clearingHouse.connect(f.dave).flag(id);
  const time = BigInt(await f.networkHelpers.time.latest()) + 45n;
  const [house, account, carol] = [await readHouse(f, time), await readAccount(f, id), await readAccount(f, taker)];
  const { flagger, maintenanceAtFlag, clock, rescueClock, lastCall } = await f.clearingHouse.auction(id);
  const flagged = { flagger, maintenanceAtFlag, clock, rescueClock, lastCall };
  const auction = advance(flagged, assessForLiquidation(account, house), f.carol.address, time);
  const owner = f.alice.address;
  const plan = planLiquidation(account, house, {
    ...{ auction, owner, taker: f.carol.address, acceptClaims },
    ...{ recordedDebt: house.lending.flaggedDeficit, fundRoom: 0n }, // the only flagged account, and an empty fund
  });
  await f.networkHelpers.time.setNextBlockTimestamp(time);
  await f.clearingHouse
    .connect(f.carol)
    .liquidate(id, taker, { maxFraction: WAD, maxPayment: plan.paid, minGain: plan.gain, acceptClaims });
  expect(await readAccount(f, id)).to.deep.equal(nonZero(plan.after));
  expect(await readAccount(f, taker)).to.deep.equal(nonZero(takeOver(carol, plan)));
  return plan;
}
