import { expect } from "chai";

import { assessAccount, freeCollateral, leverage, marginRatio, marginState } from "../../src/risk/account.ts";
import { advance, discount, rescueShare } from "../../src/risk/auction.ts";
import { breakdownOf } from "../../src/risk/breakdown.ts";
import {
  ClaimsNotAccepted,
  FractionTooSmall,
  MissingPrice,
  NoCashCall,
  NothingToSell,
  NotLiquidatable,
  UnknownMarket,
  UnknownUnderlying,
} from "../../src/risk/errors.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { planCashCall, planLiquidation } from "../../src/risk/liquidation.ts";
import { distance } from "../../src/risk/liquidationPrice.ts";
import { isFlat } from "../../src/risk/portfolio.ts";
import { quoteChange } from "../../src/risk/positions.ts";
import type { AccountState, RiskParameters } from "../../src/risk/types.ts";
import { tradingFee, whatIf } from "../../src/risk/whatIf.ts";
import { collateralRisk, underlyingRisk, wad } from "./engine.ts";
import { accountOf, calm, emptyAccount, market, oneUnderlying } from "./house.ts";

// κ 5 %, φ 2 and no other charge: MM = 5 % and IM = 10 % of the notional.
const risk: RiskParameters = { underlyings: new Map([[0, underlyingRisk({})]]), collaterals: new Map() };
const house = oneUnderlying(risk, wad(2000));
const auction = { flagger: "flagger", maintenanceAtFlag: wad(500), clock: 0n, rescueClock: 0n, lastCall: 0n };

describe("accounts in src/risk", () => {
  it("MAM-2 the state is a function of E against IM and MM; equality is safe", () => {
    const requirements = { initialMargin: 200n, maintenanceMargin: 100n };
    expect(marginState({ equity: 200n, ...requirements })).to.equal("healthy");
    expect(marginState({ equity: 199n, ...requirements })).to.equal("marginCall");
    expect(marginState({ equity: 100n, ...requirements })).to.equal("marginCall");
    expect(marginState({ equity: 99n, ...requirements })).to.equal("liquidatable");
    expect(marginState({ equity: 0n, ...requirements })).to.equal("liquidatable");
    expect(marginState({ equity: -1n, ...requirements })).to.equal("bankrupt");
    expect(marginRatio({ equity: 150n, ...requirements })).to.equal((WAD * 3n) / 2n);
    expect(marginRatio({ equity: 0n, initialMargin: 0n, maintenanceMargin: 0n })).to.equal(undefined);
  });

  it("a flat account needs no margin, positive quotes or not, and can take all its cash", () => {
    const flat = emptyAccount({ cash: 7n, positions: new Map([[0, { size: 0n, quote: 5n }]]) });
    expect(isFlat(flat)).to.equal(true);
    expect(assessAccount(flat, house)).to.deep.equal({ equity: 12n, initialMargin: 0n, maintenanceMargin: 0n });
    expect(freeCollateral(flat, house)).to.equal(7n);
    expect(isFlat({ ...flat, positions: new Map([[0, { size: 0n, quote: -1n }]]) })).to.equal(false);
    expect(isFlat({ ...flat, debtShares: 1n })).to.equal(false);
  });

  it("CM-1 free collateral leaves out profit that the pool cannot pay and keeps what losses wait for", () => {
    // Long 1 from 1900 at 2000: profit 100, IM 200. Cash 500: 500 − 200 = 300, and what the pool holds of the profit.
    const winner = accountOf(wad(500), WAD, wad(1900));
    expect(freeCollateral(winner, house)).to.equal(wad(300));
    const pooled = { ...house, markets: new Map([[0, market(0, { pool: wad(40) })]]) };
    expect(freeCollateral(winner, pooled)).to.equal(wad(340));
    const inBadDebt = { ...house, markets: new Map([[0, market(0, { pool: wad(40), badDebt: 1n })]]) };
    expect(freeCollateral(winner, inBadDebt)).to.equal(wad(300));
    // Long 1 from 2100: loss 100, E = 400, E − IM = 200.
    expect(freeCollateral(accountOf(wad(500), WAD, wad(2100)), house)).to.equal(wad(200));
  });

  it("a change that crosses zero closes on the old side and opens on the new", () => {
    // Long 1 becomes short 2 at 2000: + 1·(2000 − 7) + 2·(2000 − 3)
    const sides = { long: 7n * 10n ** 36n, short: 3n * 10n ** 36n };
    expect(quoteChange(WAD, -3n * WAD, wad(2000), sides)).to.equal(wad(1993 + 2 * 1997));
    expect(quoteChange(-WAD, WAD / 2n, wad(2000), sides)).to.equal(-wad(1997 / 2));
  });

  it("MMS-7 MBS-5 what-if: fee, requirements, leverage and liquidation price after a fill", () => {
    // Cash 1000, buys 2 at 2010 with 5 bp: fee 2.01, E = 1000 − 20 − 2.01, notional 4000.
    const empty = emptyAccount({ cash: wad(1000) });
    const after = whatIf(empty, house, { market: 0, size: 2n * WAD, price: wad(2010), feeRate: 500n });
    expect(after.fee).to.equal(wad(2.01));
    expect(after.assessment).to.deep.equal({
      equity: wad(977.99),
      initialMargin: wad(400),
      maintenanceMargin: wad(200),
    });
    expect(after.state).to.equal("healthy");
    expect(after.leverage).to.equal((wad(4000) * WAD) / wad(977.99));
    // 977.99 + 2·(P − 2000) = 0.05·2·P: P = 3022.01 / 1.9
    expect(after.liquidationPrices).to.deep.equal({ down: (wad(3022.01) * 10n) / 19n });
    expect(distance(wad(2000), wad(1500))).to.equal(-250_000n);
  });

  it("MMS-7 what-if: a position closed at a loss is settled from cash, and the account is flat", () => {
    const after = whatIf(accountOf(wad(500), WAD, wad(2100)), house, {
      market: 0,
      size: -WAD,
      price: wad(2000),
      feeRate: 0n,
    });
    expect(after.account.cash).to.equal(wad(400));
    expect(after.assessment).to.deep.equal({ equity: wad(400), initialMargin: 0n, maintenanceMargin: 0n });
    expect(leverage(after.account, house)).to.equal(0n);
  });

  it("CM-5 CRA-5 CRE-4 a breakdown says which underlying asks for what, and which joint move liquidates", () => {
    const both = { underlyings: new Map([0, 1].map((id) => [id, underlyingRisk({})])), collaterals: new Map() };
    const prices = new Map([
      [0, calm(wad(2000))],
      [1, calm(wad(60_000))],
    ]);
    const markets = new Map([0, 1].map((id) => [id, market(id)]));
    const two = { ...oneUnderlying(both, 0n), prices, markets };
    // Long 2 at 2,000 and short 0.1 at 60,000: notionals of 4,000 and 6,000.
    const positions = new Map([
      [0, { size: 2n * WAD, quote: -wad(4000) }],
      [1, { size: -WAD / 10n, quote: wad(6000) }],
    ]);
    const account = emptyAccount({ cash: wad(1000), positions });
    const { underlyings, collaterals, jointMove } = breakdownOf(account, two);
    expect(underlyings).to.deep.equal([
      { underlying: 0, price: wad(2000), delta: wad(4000), initialMargin: wad(400), maintenanceMargin: wad(200) },
      { underlying: 1, price: wad(60_000), delta: wad(-6000), initialMargin: wad(600), maintenanceMargin: wad(300) },
    ]);
    expect(collaterals).to.deep.equal([]);
    // 1,000 − 10,000·m = 5 % of (4,000·(1 − m) + 6,000·(1 + m)) at m = 500 / 10,100 = 0.0495049…
    expect(jointMove).to.equal(49_505n);
    expect(breakdownOf({ ...account, cash: wad(499) }, two).jointMove).to.equal(0n);
    // A short of 0.1 alone loses 6,000 as the price doubles, and then needs 600.
    const short = { ...account, positions: new Map([...positions].slice(1)) };
    expect(breakdownOf({ ...short, cash: wad(6600) }, two).jointMove).to.equal(undefined);
    expect(breakdownOf({ ...short, cash: wad(6599) }, two).jointMove).to.equal(999_842n); // 6,299 / 6,300
  });

  it("XAC-7 a breakdown counts each collateral after its haircut, hedged or not", () => {
    const wide = underlyingRisk({ maxTracking: 10_000n, maxTrackingInitial: 20_000n });
    const weth = { haircut: 70_000n, haircutInitial: 100_000n, tracking: 10_000n, trackingInitial: 20_000n };
    const collaterals = new Map([[0, collateralRisk(weth)]]);
    const listed = oneUnderlying({ underlyings: new Map([[0, wide]]), collaterals }, wad(2000));
    const counted = (account: AccountState) => breakdownOf(account, listed).collaterals;
    expect(counted(accountOf(0n, 0n, 0n, WAD))).to.deep.equal([
      { id: 0, value: wad(2000), initial: wad(1800), maintenance: wad(1860) },
    ]);
    // A short of a half: half carries the haircut and half the tracking: 7 % and 1 %, 10 % and 2 % of 1,000 each.
    expect(counted(accountOf(0n, -WAD / 2n, wad(2000), WAD))).to.deep.equal([
      { id: 0, value: wad(2000), initial: wad(1880), maintenance: wad(1920) },
    ]);
  });

  it("fees are rounded up to a billionth of a dollar", () => {
    // 1 wei of notional at 1 ppm
    expect(tradingFee(1n, WAD, 1n)).to.equal(10n ** 9n);
    expect(tradingFee(-WAD, wad(2000), 500n)).to.equal(WAD);
  });

  it("LIQ-3 the discount rises from 5 % to 60 % in 180 s of clock, the rescue to half of MM", () => {
    expect([0n, 90n, 180n, 1000n].map(discount)).to.deep.equal([wad(0.05), wad(0.325), wad(0.6), wad(0.6)]);
    expect([0n, 1n, 91n, 181n].map(rescueShare)).to.deep.equal([0n, 0n, wad(0.25), wad(0.5)]);
  });

  it("LIQ-3 the clock advances by calls only, each by 60 s at most", () => {
    const poor = { equity: 90n, initialMargin: 200n, maintenanceMargin: 100n };
    const first = advance(undefined, poor, "a", 1000n);
    expect(first).to.deep.equal({
      flagger: "a",
      maintenanceAtFlag: 100n,
      clock: 0n,
      rescueClock: 0n,
      lastCall: 1000n,
    });
    const second = advance(first, poor, "b", 1010n);
    expect(second).to.deep.equal({ ...first, clock: 10n, lastCall: 1010n });
    expect(advance(second, poor, "b", 99_999n).clock).to.equal(70n);
    // E = 0 sinks: the rescue's clock starts at one, which reads as zero.
    expect(advance(second, { ...poor, equity: 0n }, "b", 1020n).rescueClock).to.equal(1n);
  });

  it("LIQ-2 LIQ-4 a plan: 61.5 % of 5 long at d = 5 %, the penalty split 20 / 10 / 70", () => {
    // MM 500, IM 1000, E 400, d·MM = 25: f = 600 / 975. Loss 600 from cash 1000; cost f·25, paid from cash.
    const plan = planLiquidation(accountOf(wad(1000), wad(5), wad(2120)), house, {
      auction,
      owner: "owner",
      taker: "taker",
    });
    const f = (600n * WAD) / 975n;
    expect(plan.fraction - f >= 0n && plan.fraction - f < 10n ** 7n).to.equal(true);
    expect(plan.fraction).to.equal(plan.needed);
    const cost = (plan.fraction * 25n * WAD) / WAD;
    expect(plan.cost - cost <= 1n && plan.cost >= cost).to.equal(true);
    expect(plan.payment).to.equal(-plan.cost);
    expect(plan.toFlagger).to.equal(plan.cost / 10n);
    expect(plan.gain).to.equal(plan.cost - plan.toFund - plan.toFlagger);
    expect(plan.paid).to.equal(-plan.gain);
    expect(marginState(assessAccount(plan.after, house))).to.equal("healthy");
  });

  it("a taker who flagged the account himself earns no flagger's share", () => {
    const plan = planLiquidation(accountOf(wad(1000), wad(5), wad(2120)), house, {
      auction,
      owner: "owner",
      taker: "flagger",
    });
    expect(plan.toFlagger).to.equal(0n);
    expect(plan.gain).to.equal(plan.cost - plan.toFund);
  });

  it("LIQ-4 an account with E ≤ d · MM is sold whole for its equity, a bankrupt one for nothing after the waterfall", () => {
    // E = 20 ≤ 25
    const sinking = accountOf(wad(620), wad(5), wad(2120));
    const plan = planLiquidation(sinking, house, { auction, owner: "owner", taker: "taker" });
    expect(plan.fraction).to.equal(WAD);
    expect(plan.cost).to.equal(wad(20));
    expect(assessAccount(plan.after, house).equity).to.equal(0n);
    expect(plan.after.positions.get(0)?.size).to.equal(0n);
    expect(() =>
      planLiquidation(sinking, house, { auction, owner: "owner", taker: "t", maxFraction: WAD - 1n }),
    ).to.throw(FractionTooSmall);
    const bankrupt = planLiquidation(accountOf(wad(500), wad(5), wad(2120)), house, {
      auction: { ...auction, rescueClock: 91n },
      owner: "owner",
      taker: "taker",
    });
    expect(bankrupt.deficit).to.equal(wad(100));
    expect(bankrupt.cost).to.equal(0n);
    expect(bankrupt.rescue).to.equal(wad(125)); // a quarter of MM
    expect(assessAccount(bankrupt.after, house).equity).to.equal(0n);
  });

  it("an account without cash whose equity is unsettled profit pays with claims, if the taker accepts them", () => {
    // Long 5 from 1920 with no cash: profit 400, E 400 < MM 500.
    const claims = accountOf(0n, wad(5), wad(1920));
    expect(() => planLiquidation(claims, house, { auction, owner: "owner", taker: "t" })).to.throw(ClaimsNotAccepted);
    const plan = planLiquidation(claims, house, { auction, owner: "owner", taker: "t", acceptClaims: true });
    expect(plan.legs[0]?.credit).to.equal(-plan.cost);
  });

  it("a cash call needs a loss that has waited for a day, and collateral beyond the debt", () => {
    const risk = { ...house.risk, collaterals: new Map([[0, collateralRisk({})]]) };
    const waiting = emptyAccount({
      positions: new Map([[0, { size: WAD, quote: -wad(2100) }]]),
      collaterals: new Map([[0, WAD]]),
    });
    const at = { ...house, risk };
    const day = 24n * 3600n;
    // loss 100 on collateral of 2,000: a twentieth, at 5 % of an MM of 200
    const plan = planCashCall(waiting, at, { cashCallClock: day + 1n });
    expect([plan.loss, plan.fraction, plan.cost]).to.deep.equal([wad(100), WAD / 20n, wad(0.5)]);
    expect(planCashCall(waiting, at, { cashCallClock: day + 1n, maxFraction: WAD / 40n }).cost).to.equal(wad(0.25));
    expect(() => planCashCall(waiting, at, { cashCallClock: day })).to.throw(NoCashCall);
    expect(() => planCashCall({ ...waiting, cash: wad(100) }, at, { cashCallClock: day + 1n })).to.throw(NoCashCall);
    const bare = {
      ...waiting,
      positions: new Map([
        [0, { size: WAD, quote: wad(1) }],
        [1, { size: 0n, quote: -1n }],
      ]),
    };
    const two = { ...at, markets: new Map([...at.markets, [1, market(0)] as const]) };
    expect(() => planCashCall({ ...bare, collaterals: new Map() }, two, { cashCallClock: day + 1n })).to.throw(
      NothingToSell,
    );
  });

  it("says what is missing or wrong by its own error class", () => {
    const account = accountOf(wad(500), WAD, wad(2000));
    expect(() => planLiquidation(account, house, { auction, owner: "owner", taker: "t" })).to.throw(NotLiquidatable);
    expect(() => assessAccount(account, { ...house, prices: new Map() })).to.throw(MissingPrice);
    expect(() => assessAccount(account, { ...house, markets: new Map() })).to.throw(UnknownMarket);
    const blank = { underlyings: new Map(), collaterals: new Map() };
    expect(() => assessAccount(account, { ...house, risk: blank })).to.throw(UnknownUnderlying);
  });
});
