import { expect } from "chai";
import fc from "fast-check";

import { assessAccount, assessForLiquidation, marginState } from "../../src/risk/account.ts";
import { advance } from "../../src/risk/auction.ts";
import { RiskError } from "../../src/risk/errors.ts";
import { max, WAD } from "../../src/risk/fixed.ts";
import { mayStand } from "../../src/risk/health.ts";
import { planLiquidation, takeOver, type LiquidationPlan } from "../../src/risk/liquidation.ts";
import type { AccountState, HouseState, MarginState } from "../../src/risk/types.ts";
import { whatIf } from "../../src/risk/whatIf.ts";
import { decodeError } from "../../src/sdk/errors.ts";
import { BTC, ETH, freshHouse, USDT_INDEX, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { nonZero, readAccount, readHouse } from "./chain.ts";

const SEED = Number(process.env.FUZZ_SEED_TS ?? 20_260_103);
const SCENARIOS = Number(process.env.SCENARIOS ?? 60);
const DAY = 86_400;

const amount = (most: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constant(0),
    fc.double({ min: 0.02, max: 1, noNaN: true }).map((x) => x * most),
  );
const signed = (most: number): fc.Arbitrary<number> =>
  fc.tuple(amount(most), fc.boolean()).map(([x, up]) => (up ? x : -x));

/** What Alice does, and what happens to her. */
const scenario = fc.record({
  supply: amount(200_000), // USD that Bob lends
  cash: fc.oneof(fc.constant(0), fc.double({ min: 500, max: 20_000, noNaN: true })),
  weth: amount(12),
  wsteth: amount(5),
  wbtc: amount(0.4),
  usdt: amount(10_000),
  eth: fc.tuple(fc.double({ min: 1, max: 60, noNaN: true }), fc.boolean()).map(([x, up]) => (up ? x : -x)), // sizes
  btc: signed(2),
  lends: fc.double({ min: 0, max: 1, noNaN: true }), // part of her cash
  borrows: amount(20_000),
  volatile: fc.boolean(), // the oracle has observed a jump
  rate: fc.double({ min: 0.85, max: 1.1, noNaN: true }), // of wstETH after that
  peg: fc.double({ min: 0.94, max: 1, noNaN: true }),
  stale: fc.constantFrom(undefined, undefined, undefined, BTC, USDT_INDEX),
  delisted: fc.constantFrom(undefined, undefined, 0, 2),
  overshoot: fc.constantFrom(0, 0, 0.02, 0.05, 0.1, 0.2), // how far beyond the liquidation price ETH goes
  wait: fc.integer({ min: 1, max: 60 }), // [s] between flag and liquidation
  maxFraction: fc.constantFrom(WAD, WAD, WAD, WAD / 3n, WAD / 10n ** 6n),
  acceptClaims: fc.boolean(),
  taker: fc.constantFrom("cash", "lent", "collateral"),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

const human = (x: number, decimals = 6): string => Math.abs(x).toFixed(decimals);
const usdc = (x: number): bigint => BigInt(Math.round(x * 1e6));

/** Runs an action that the house may refuse. */
async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (decodeError(error) === undefined) throw error;
  }
}

/** Alice's account as the scenario wants it, as far as the house lets her. */
async function build(f: Fixture, s: Scenario): Promise<bigint> {
  const bob = await f.fund(f.bob, { cash: "3000000" });
  if (s.supply !== 0) await f.clearingHouse.connect(f.bob).lend(bob, usdc(s.supply));
  const { cash, weth, wsteth, wbtc, usdt } = s;
  const alice = await f.fund(f.alice, {
    cash: human(cash),
    weth: human(weth),
    wsteth: human(wsteth),
    wbtc: human(wbtc),
    usdt: human(usdt === 0 ? 0 : usdt + 10),
  });
  if (s.lends > 0.5 && cash !== 0) {
    await attempt(() => f.clearingHouse.connect(f.alice).lend(alice, usdc(cash * s.lends)));
  }
  for (const scale of [1, 0.5, 0.25, 0.12, 0.06]) {
    const signOf = (x: number): string => (x < 0 ? "-" : "") + human(x * scale);
    if (Math.abs(s.eth * scale) > 0.02) await attempt(() => f.trade(f.bob, f.alice, ETH, signOf(s.eth), "2004"));
    if (Math.abs(s.btc * scale) > 0.002) await attempt(() => f.trade(f.bob, f.alice, BTC, signOf(s.btc), "29950"));
  }
  for (const part of [1, 0.3, 0.1]) {
    const units = usdc((cash + s.borrows) * part);
    if (s.borrows !== 0 && units > 0n) {
      await attempt(() => f.clearingHouse.connect(f.alice).withdraw(alice, f.usdc, units, f.alice));
    }
  }
  return alice;
}

/** The nearest ETH price [USD] at which an account is in a state of health, and beyond it by the overshoot. */
function nearestPrice(
  account: AccountState,
  house: HouseState,
  states: readonly MarginState[],
  overshoot = 0,
): number | undefined {
  const eth = house.prices.get(ETH)!;
  const now = Number(eth.price) / 1e18;
  for (let step = 0; step <= 240; ++step) {
    for (const direction of [-1, 1]) {
      const price = now * (1 + direction * step * 0.0025);
      const prices = new Map(house.prices).set(ETH, { ...eth, price: BigInt(Math.round(price * 1e8)) * 10n ** 10n });
      const state = marginState(assessForLiquidation(account, { ...house, prices }));
      if (states.includes(state)) return price * (1 + direction * overshoot);
    }
  }
  return undefined;
}

async function readBoth(f: Fixture, time: bigint, ids: readonly bigint[]): Promise<[HouseState, AccountState[]]> {
  return [await readHouse(f, time), await Promise.all(ids.map((id) => readAccount(f, id)))];
}

/** Time, jumps and missing prices; at the end Alice is below MM if an ETH price can do that. */
async function shake(f: Fixture, s: Scenario, alice: bigint): Promise<boolean> {
  if (s.volatile) {
    await f.pass(600);
    await f.setPrice(ETH, "2050");
    await f.pass(900);
    await f.setPrice(ETH, "2000");
  }
  for (const underlying of [ETH, BTC, USDT_INDEX]) await f.priceOracle.observe(underlying, 20);
  await f.priceOracle.observeRate(2);
  if (s.delisted !== undefined) await f.clearingHouse.delistCollateral(s.delisted);
  await f.setRate((s.rate * 1.149).toFixed(8));
  await f.setPrice(USDT_INDEX, s.peg.toFixed(8));
  if (s.stale === undefined) {
    await f.pass(DAY / 3);
  } else {
    await f.networkHelpers.time.increase(DAY + 1);
    await f.setRate((s.rate * 1.149).toFixed(8));
    for (const [underlying, price] of [
      [ETH, "2000"],
      [BTC, "30000"],
      [USDT_INDEX, s.peg.toFixed(8)],
    ] as const) {
      if (underlying !== s.stale) await f.setPrice(underlying, price);
    }
  }
  const [house, [account]] = await readBoth(f, BigInt(await f.networkHelpers.time.latest()), [alice]);
  const price = nearestPrice(account!, house, ["liquidatable", "bankrupt"], s.overshoot);
  if (price === undefined) return false;
  await f.setPrice(ETH, price.toFixed(8));
  const [shaken] = await readBoth(f, BigInt(await f.networkHelpers.time.latest()), []);
  const { equity, maintenanceMargin } = assessForLiquidation(account!, shaken);
  return equity < maintenanceMargin; // beyond a crossing there may be another one
}

/** Carol's account: she pays from cash, from lent cash, or by borrowing. */
async function fundTaker(f: Fixture, taker: Scenario["taker"]): Promise<bigint> {
  if (taker === "collateral") return f.fund(f.carol, { weth: "400", cash: "1000" });
  const carol = await f.fund(f.carol, { cash: "900000" });
  if (taker === "lent") await f.clearingHouse.connect(f.carol).lend(carol, usdc(899_000));
  return carol;
}

describe(`src/risk against the ledger: scenarios (seed ${SEED})`, () => {
  it(`LIQ-2 in ${SCENARIOS} of them the plan is what the ledger does to both accounts, or refuses for the same reason`, async function () {
    this.timeout(SCENARIOS * 10_000);
    const seen = { skipped: 0, partial: 0, whole: 0, bankrupt: 0, degraded: 0, indebted: 0, refused: 0 };
    for (const [i, s] of fc.sample(scenario, { seed: SEED, numRuns: SCENARIOS }).entries()) {
      const f = await freshHouse();
      const alice = await build(f, s);
      const carol = await fundTaker(f, s.taker);
      if (!(await shake(f, s, alice))) {
        seen.skipped += 1;
        continue;
      }
      await f.clearingHouse.connect(f.dave).flag(alice);
      const time = BigInt((await f.networkHelpers.time.latest()) + s.wait);
      const [house, [account, taker]] = await readBoth(f, time, [alice, carol]);
      const { flagger, maintenanceAtFlag, clock, rescueClock, lastCall } = await f.clearingHouse.auction(alice);
      const flagged = { flagger, maintenanceAtFlag, clock, rescueClock, lastCall };
      const assessment = assessForLiquidation(account!, house);
      const request = {
        auction: advance(flagged, assessment, f.carol.address, time),
        owner: f.alice.address,
        taker: f.carol.address,
        maxFraction: s.maxFraction,
        acceptClaims: s.acceptClaims,
        recordedDebt: house.lending.flaggedDeficit, // the only flagged account
        fundRoom: 0n,
      };
      const planned = outcome(() => planLiquidation(account!, house, request));
      const after = typeof planned === "string" ? planned : outcome(() => takeOver(taker!, planned));
      const terms = { maxFraction: s.maxFraction, maxPayment: 2n ** 250n, minGain: 0n, acceptClaims: s.acceptClaims };
      await f.networkHelpers.time.setNextBlockTimestamp(time);
      let refusal: string | undefined;
      try {
        await f.clearingHouse.connect(f.carol).liquidate(alice, carol, terms);
      } catch (error) {
        refusal = decodeError(error)?.name ?? String(error);
      }
      const name = `scenario ${i}: ${JSON.stringify(s, (_, v: unknown) => (typeof v === "bigint" ? v.toString() : v))}`;
      if (typeof planned === "string" || typeof after === "string") {
        expect(refusal, name).to.equal(after);
        seen.refused += 1;
        continue;
      }
      // The check of the taker's margin is the ledger's own.
      if (refusal === "InsufficientMargin") {
        seen.refused += 1;
        continue;
      }
      expect(refusal, name).to.equal(undefined);
      expect(nonZero(await readAccount(f, carol)), name).to.deep.equal(withRescue(nonZero(after), await rescued(f)));
      if (s.taker === "cash") expect(await readAccount(f, alice), name).to.deep.equal(nonZero(planned.after));
      count(seen, planned, s);
    }
    console.log(`      ${JSON.stringify(seen)}`);
    expect(seen.partial).to.be.greaterThan(SCENARIOS / 12);
    expect(seen.whole).to.be.greaterThan(0);
    expect(seen.indebted).to.be.greaterThan(0);
  });
});

describe(`src/risk against previewTrade and previewWithdraw (seed ${SEED})`, () => {
  it("MMS-3 MMS-7 accepts and refuses what the ledger does, in every state of health", async function () {
    this.timeout(SCENARIOS * 10_000);
    const seen = { accepted: 0, refused: 0, belowAccepted: 0, belowRefused: 0 };
    const step = fc.record({
      market: fc.constantFrom(ETH, BTC),
      share: fc.double({ min: -1.5, max: 1, noNaN: true }), // of the size held
      price: fc.double({ min: 0.9951, max: 1.0049, noNaN: true }),
      out: fc.double({ min: 0, max: 1.2, noNaN: true }), // of E − IM
    });
    const draws = fc.sample(fc.tuple(scenario, fc.array(step, { minLength: 6, maxLength: 6 })), {
      seed: SEED,
      numRuns: SCENARIOS,
    });
    for (const [i, [s, steps]] of draws.entries()) {
      const f = await freshHouse();
      const alice = await build(f, s);
      await f.pass(3_600);
      const [calm, [built]] = await readBoth(f, BigInt(await f.networkHelpers.time.latest()), [alice]);
      const state = (["healthy", "marginCall", "marginCall", "liquidatable"] as const)[i % 4]!;
      const price = nearestPrice(built!, calm, [state]);
      if (price !== undefined) await f.setPrice(ETH, price.toFixed(8));
      const time = BigInt(await f.networkHelpers.time.latest());
      const [house, [account]] = await readBoth(f, time, [alice]);
      const { equity, initialMargin } = assessAccount(account!, house);
      const count = (accepted: boolean): void => {
        const kind = equity < initialMargin ? "below" : "";
        const key = kind === "" ? (accepted ? "accepted" : "refused") : accepted ? "belowAccepted" : "belowRefused";
        seen[key] += 1;
      };
      for (const [j, { market, share, price, out }] of steps.entries()) {
        const held = Number(account!.positions.get(market)?.size ?? 0n) / 1e18;
        const size = wad((held === 0 ? share : held * share).toFixed(6));
        if (size === 0n || (size < 0n ? -size : size) < wad("0.02")) continue;
        const index = house.prices.get(market)!.price;
        const at = (index * BigInt(Math.round(price * 1e6))) / 1_000_000n;
        const { accepted } = whatIf(account!, house, { market, size, price: at, feeRate: 500n });
        const preview = f.clearingHouse.previewTrade.staticCall(alice, market, size, at, { blockTag: "latest" });
        const name = `${i}.${j}: ${market} ${size} at ${at}`;
        expect(await refusal(preview), name).to.equal(accepted ? undefined : "InsufficientMargin");
        count(accepted);
        if (equity <= initialMargin) continue;
        const units = ((equity - initialMargin) * BigInt(Math.round(out * 1000))) / 10n ** 15n;
        const amount = units * 10n ** 12n;
        if (units === 0n || account!.cash < amount) continue;
        const left = { account: { ...account!, cash: account!.cash - amount }, house };
        const may = mayStand(account!, left, { leaves: true, surcharge: 0n });
        const withdrawal = f.clearingHouse
          .connect(f.alice)
          .previewWithdraw.staticCall(alice, f.usdc, units, { blockTag: "latest" });
        expect((await refusal(withdrawal)) === undefined, `${name}, ${units} out`).to.equal(may);
        count(may);
      }
    }
    console.log(`      ${JSON.stringify(seen)}`);
    for (const times of Object.values(seen)) expect(times).to.be.greaterThan(0);
  });
});

/** The name of the error that refuses a preview, `undefined` if nothing does. */
async function refusal(preview: Promise<unknown>): Promise<string | undefined> {
  try {
    await preview;
    return undefined;
  } catch (error) {
    const decoded = decodeError(error);
    if (decoded === undefined) throw error;
    return decoded.name;
  }
}

function outcome<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof RiskError) return error.name;
    throw error;
  }
}

/** What the fund has paid to the taker on top [wad]. */
async function rescued({ clearingHouse }: Fixture): Promise<bigint> {
  const logs = await clearingHouse.queryFilter(clearingHouse.filters.RescuePaid());
  return logs.reduce((sum, log) => sum + log.args.amount, 0n);
}

function withRescue(account: AccountState, reward: bigint): AccountState {
  return { ...account, cash: account.cash + reward };
}

function count(seen: Record<string, number>, plan: LiquidationPlan, s: Scenario): void {
  const kinds = {
    partial: plan.fraction < WAD,
    whole: plan.fraction === WAD,
    bankrupt: plan.deficit > 0n,
    degraded: s.stale !== undefined,
    indebted: max(plan.debtShares, plan.lentShares) > 0n,
  };
  for (const [kind, is] of Object.entries(kinds)) if (is) seen[kind] = (seen[kind] ?? 0) + 1;
}
