import { expect } from "chai";
import fc from "fast-check";

import { assessAccount, freeCollateral } from "../../src/risk/account.ts";
import { assess } from "../../src/risk/assess.ts";
import { breakdownOf } from "../../src/risk/breakdown.ts";
import { abs, WAD } from "../../src/risk/fixed.ts";
import { planLiquidation, takeOver } from "../../src/risk/liquidation.ts";
import { liquidationPrices } from "../../src/risk/liquidationPrice.ts";
import { settleAll } from "../../src/risk/pools.ts";
import { change, pnl } from "../../src/risk/positions.ts";
import { slice } from "../../src/risk/slice.ts";
import type { AccountState, Assessment, Exposure, HouseState, Portfolio, Position } from "../../src/risk/types.ts";
import {
  exposureOf,
  instruments,
  magnitude,
  ownerOfCollateral,
  portfolio,
  ramp,
  randomParameters,
} from "./arbitraries.ts";
import type { Instruments } from "./arbitraries.ts";
import { calm, collateral, emptyAccount, lendingPool, market } from "./house.ts";

const SEED = Number(process.env.FUZZ_SEED_TS ?? 20_260_102);
const PARAMETERS = { seed: SEED, numRuns: 2_000 };
const DUST = 10n * WAD;

const risk = randomParameters(SEED);

/** What rounding against the account can cost [wei]: a wei for each division, and a size that is off by one is off by its price. */
function roundingOf(p: Portfolio): bigint {
  return p.underlyings.reduce((sum, u) => sum + 20n + (8n * u.price) / WAD, 0n);
}

/** The portfolio with one of its underlyings replaced. */
function withExposure(p: Portfolio, i: number, u: Exposure): Portfolio {
  return { ...p, underlyings: p.underlyings.map((old, j) => (j === i ? u : old)) };
}

/** Three collaterals of underlying 0, some on their way out, and a short that hedges 80 to 120 % of what stays. */
const nearlyHedged: fc.Arbitrary<Portfolio> = fc
  .record({
    factors: fc.tuple(fc.bigInt(1_000_000n, 3_000_000n), fc.bigInt(1_000_000n, 3_000_000n)),
    values: fc.array(fc.tuple(magnitude(10n ** 9n * WAD), ramp), { minLength: 1, maxLength: 3 }),
    share: fc.bigInt(800n, 1_200n),
  })
  .map(({ factors: [initialFactor, maintenanceFactor], values, share }) => {
    const price = 2n * WAD;
    const staying = values.reduce((sum, [value, gone]) => sum + (value * (1_000_000n - gone)) / 1_000_000n, 0n);
    const gross = (staying * share) / 2_000n;
    const collaterals = values.map(([value, gone], id) => ({ id, ramp: gone, value }));
    const only: Exposure = { id: 0, price, initialFactor, maintenanceFactor, net: -gross, gross, collaterals };
    return { base: 0n, underlyings: [only] };
  });

/** A portfolio that holds something, and which of its underlyings to change. */
const held = portfolio
  .filter((p) => p.underlyings.length > 0)
  .chain((p) => fc.tuple(fc.constant(p), fc.integer({ min: 0, max: p.underlyings.length - 1 })));

/** An account of cash, two positions and two collaterals in two underlyings of random parameters, and its house. */
const accountAndHouse = fc
  .record({
    seed: fc.integer({ min: 0, max: 500 }),
    cash: fc.bigInt({ min: 0n, max: 2_000_000n * WAD }),
    sizes: fc.tuple(fc.bigInt(-1000n * WAD, 1000n * WAD), fc.bigInt(-20n * WAD, 20n * WAD)),
    balances: fc.tuple(fc.bigInt(0n, 500n * WAD), fc.bigInt(0n, 10n * WAD)),
    entries: fc.tuple(fc.bigInt(1500n * WAD, 2500n * WAD), fc.bigInt(40_000n * WAD, 80_000n * WAD)),
    prices: fc.tuple(fc.bigInt(1500n * WAD, 2500n * WAD), fc.bigInt(40_000n * WAD, 80_000n * WAD)),
    pools: fc.tuple(magnitude(10n ** 6n * WAD), magnitude(10n ** 6n * WAD)),
  })
  .map(({ seed, cash, sizes, balances, entries, prices, pools }) => {
    const account = emptyAccount({
      cash,
      positions: new Map(sizes.map((size, i) => [i, { size, quote: -(size * entries[i]!) / WAD }])),
      collaterals: new Map(balances.map((balance, i) => [3 * i, balance])),
    });
    const house: HouseState = {
      time: 0n,
      risk: randomParameters(seed),
      markets: new Map(pools.map((pool, i) => [i, market(i, { pool })])),
      collaterals: new Map([0, 3].map((id) => [id, collateral(ownerOfCollateral.get(id)!)])),
      prices: new Map(prices.map((price, i) => [i, calm(price)])),
      lastGood: new Map(),
      lending: lendingPool(),
    };
    return { account, house };
  });

/** Cash that puts an account at `share` [wad] of its MM. */
function atShareOfMaintenance(account: AccountState, house: HouseState, share: bigint): AccountState {
  const { equity, maintenanceMargin } = assessAccount(account, house);
  return { ...account, cash: account.cash + (maintenanceMargin * share) / WAD - equity };
}

describe(`properties of src/risk (seed ${SEED})`, () => {
  it("MBS-2 the requirement never falls when unhedged size is added", () => {
    fc.assert(
      fc.property(held, magnitude(2n ** 96n), ([p, i], more) => {
        const u = p.underlyings[i]!;
        const value = u.collaterals.reduce((sum, c) => sum + c.value, 0n);
        const units = (value * WAD) / u.price;
        // Away from zero exposure: up if x = c + p is positive, down if it is negative.
        const delta = u.net + units >= 0n ? more : -more;
        fc.pre(u.net === 0n || u.net > 0n === delta > 0n); // otherwise the new leg hedges an old one
        const grown = { ...u, net: u.net + delta, gross: u.gross + more };
        const before = assess(p, risk);
        const after = assess(withExposure(p, i, grown), risk);
        expect(after.initialMargin >= before.initialMargin).to.equal(true);
        expect(after.maintenanceMargin >= before.maintenanceMargin).to.equal(true);
      }),
      PARAMETERS,
    );
  });

  it("CM-5 XAC-7 the parts of a breakdown add up to E, IM and MM", () => {
    fc.assert(
      fc.property(accountAndHouse, ({ account, house }) => {
        fc.pre([...account.positions.values()].some(({ size }) => size !== 0n));
        const { equity, initialMargin, maintenanceMargin } = assessAccount(account, house);
        const { underlyings, collaterals, jointMove } = breakdownOf(account, house);
        const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
        expect(sum(underlyings.map((u) => u.maintenanceMargin))).to.equal(maintenanceMargin);
        expect(sum(underlyings.map((u) => u.initialMargin)) >= initialMargin).to.equal(true);
        expect(jointMove === 0n).to.equal(equity < maintenanceMargin);
        // Without its haircuts an asset counts in E as a whole.
        const sold = { ...account, collaterals: new Map() };
        expect(equity - assessAccount(sold, house).equity).to.equal(sum(collaterals.map((c) => c.value)));
        for (const { value, initial, maintenance } of collaterals) {
          expect(initial <= value && maintenance <= value).to.equal(true);
        }
      }),
      PARAMETERS,
    );
  });

  it("MBS-2 a deposit of collateral lowers neither E − IM nor E − MM", () => {
    fc.assert(
      fc.property(
        fc.oneof(held, fc.tuple(nearlyHedged, fc.constant(0))),
        fc.integer({ min: 0, max: 2 }),
        magnitude(2n ** 110n),
        ramp,
        ([p, i], which, value, delisting) => {
          const u = p.underlyings[i]!;
          const id = 3 * u.id + which;
          const grown = { ...u, collaterals: [...u.collaterals, { id, ramp: delisting, value }] };
          const before = assess(p, risk);
          const richer = withExposure(p, i, grown);
          const after = assess(richer, risk);
          const rounding = roundingOf(richer);
          const initial = after.equity - after.initialMargin - (before.equity - before.initialMargin);
          const maintenance = after.equity - after.maintenanceMargin - (before.equity - before.maintenanceMargin);
          expect(initial >= -rounding && maintenance >= -rounding, `${initial} ${maintenance}`).to.equal(true);
        },
      ),
      PARAMETERS,
    );
  });

  it("MMS-2 the size charge aside, a portfolio needs no more than its instruments one by one", () => {
    const underlyings = [...risk.underlyings].map(([id, r]) => [id, { ...r, slope: 0n }] as const);
    const plain = { ...risk, underlyings: new Map(underlyings) };
    const of = (u: Instruments) => assess({ base: 0n, underlyings: [exposureOf(u)] }, plain);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 11 }).chain(instruments), (u) => {
        const together = of(u);
        const alone = [
          ...u.sizes.map((size) => of({ ...u, sizes: [size], collaterals: [] })),
          ...u.collaterals.map((c) => of({ ...u, sizes: [], collaterals: [c] })),
        ];
        const sum = (pick: (a: Assessment) => bigint): bigint => alone.reduce((total, a) => total + pick(a), 0n);
        const rounding = 20n + (8n * u.price) / WAD;
        expect(together.initialMargin <= sum((a) => a.initialMargin) + rounding).to.equal(true);
        expect(together.maintenanceMargin <= sum((a) => a.maintenanceMargin) + rounding).to.equal(true);
      }),
      PARAMETERS,
    );
  });

  it("MMS-2 MM covers what a move of κ · μ in every underlying at once can take", () => {
    fc.assert(
      fc.property(portfolio, (p) => {
        const loss = p.underlyings.reduce((sum, u) => {
          const { shock } = risk.underlyings.get(u.id)!;
          const value = u.collaterals.reduce((v, c) => v + c.value, 0n);
          const exposure = abs(value + (u.net * u.price) / WAD);
          return sum + (exposure * shock * u.maintenanceFactor) / 10n ** 12n;
        }, 0n);
        const { initialMargin, maintenanceMargin } = assess(p, risk);
        expect(maintenanceMargin + roundingOf(p) >= loss).to.equal(true);
        expect(initialMargin >= maintenanceMargin).to.equal(true);
      }),
      PARAMETERS,
    );
  });

  it("MM-3 MBS-1 the size charge has no step, at the depth neither, and its rate never falls", () => {
    const around = fc.bigInt({ min: 1n, max: 3_000_000n });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 11 }), around, around, (id, share, more) => {
        const { slope, shock, depth } = risk.underlyings.get(id)!;
        const charge = (notional: bigint): bigint => {
          const exposure = { ...calm(WAD), id, net: notional, gross: notional, collaterals: [] };
          const shocked = (notional * shock + 999_999n) / 1_000_000n;
          return assess({ base: 0n, underlyings: [exposure] }, risk).maintenanceMargin - shocked;
        };
        // From a millionth to three times the depth; a further dollar costs at most twice the slope.
        const from = (depth * WAD * share) / 1_000_000n;
        const to = from + (depth * WAD * more) / 1_000_000n;
        const [low, high] = [charge(from), charge(to)];
        expect(high - low >= -2n && high - low <= (2n * slope * (to - from)) / 1_000_000n + 2n).to.equal(true);
        expect((high + 2n) * from >= low * to, "rate").to.equal(true);
        expect(high <= (slope * to) / 1_000_000n + 2n).to.equal(true);
      }),
      PARAMETERS,
    );
  });

  it("CM-4 a netted position has the PnL of its fills one by one, which rounding can only lower, by a wei each", () => {
    const price = fc.bigInt({ min: WAD, max: 100_000n * WAD });
    const index = fc.bigInt({ min: -(10n ** 39n), max: 10n ** 39n });
    const fill = fc.record({ size: fc.bigInt({ min: -1_000n * WAD, max: 1_000n * WAD }), price });
    fc.assert(
      fc.property(fc.array(fill, { minLength: 1, maxLength: 12 }), price, index, (fills, mark, f) => {
        const sides = { long: f, short: f }; // nothing socialised
        const net = fills.reduce<Position | undefined>((p, x) => change(p, x.size, x.price, sides, 0n), undefined)!;
        const legs = fills.map((x) => change(undefined, x.size, x.price, sides, 0n));
        const together = pnl(net, mark, sides);
        const apart = legs.reduce((sum, leg) => sum + pnl(leg, mark, sides), 0n);
        // Σ size · (mark − price): what both are before rounding; F cancels out.
        const exact = fills.reduce((sum, x) => sum + x.size * (mark - x.price), 0n);
        for (const result of [together, apart]) {
          expect(result * WAD <= exact && exact - result * WAD <= 3n * BigInt(fills.length) * WAD).to.equal(true);
        }
      }),
      PARAMETERS,
    );
  });

  it("DN-2 spot against an equal short: from × 0.3 to × 3 equity moves by two wei at most, the margin is basis and tracking", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 500 }),
        fc.bigInt(WAD / 100n, 500n * WAD),
        fc.bigInt(100n * WAD, 100_000n * WAD),
        fc.bigInt(300n, 3_000n),
        (seed, balance, entry, factor) => {
          const parameters = randomParameters(seed);
          const account = emptyAccount({
            positions: new Map([[0, { size: -balance, quote: (balance * entry) / WAD }]]),
            collaterals: new Map([[0, balance]]),
          });
          const at = (price: bigint): Assessment =>
            assessAccount(account, {
              ...{ time: 0n, risk: parameters, lastGood: new Map(), lending: lendingPool() },
              markets: new Map([[0, market(0)]]),
              collaterals: new Map([[0, collateral(0)]]),
              prices: new Map([[0, calm(price)]]),
            });
          const price = (entry * factor) / 1_000n;
          const [before, after] = [at(entry), at(price)];
          const moved = after.equity - before.equity;
          expect(moved >= -2n && moved <= 2n, `equity moved by ${moved}`).to.equal(true);
          const r = parameters.underlyings.get(0)!;
          const { tracking } = parameters.collaterals.get(0)!;
          const basisAndTracking = (balance * price * (r.basis + tracking)) / (WAD * 1_000_000n);
          expect(after.maintenanceMargin - basisAndTracking <= 20n).to.equal(true);
        },
      ),
      PARAMETERS,
    );
  });

  it("LIQ-2 a slice lands at IM ≤ E' ≤ 1.001·IM and raises E / MM", () => {
    let landed = 0;
    fc.assert(
      fc.property(
        portfolio,
        fc.bigInt({ min: WAD / 20n, max: (WAD * 6n) / 10n }),
        fc.bigInt({ min: WAD / 1000n, max: (WAD * 999n) / 1000n }),
        (p, d, share) => {
          const { equity, initialMargin, maintenanceMargin } = assess(p, risk);
          fc.pre(initialMargin > 100n * DUST);
          const floor = (d * maintenanceMargin) / WAD;
          const poor = { ...p, base: p.base - equity + floor + ((initialMargin - floor) * share) / WAD };
          const f = slice(poor, risk, d, DUST);
          if (f === WAD) return;
          landed += 1;
          const scale = (x: bigint): bigint => (x * (WAD - f)) / WAD;
          const rest = p.underlyings.map((u) => ({
            ...u,
            net: scale(u.net),
            gross: scale(u.gross),
            collaterals: u.collaterals.map((c) => ({ ...c, value: scale(c.value) })),
          }));
          const before = assess(poor, risk).equity;
          const cost = (f * d * maintenanceMargin) / WAD / WAD + 1n;
          const after = assess({ base: 0n, underlyings: rest }, risk);
          const left = before - cost;
          expect(left + roundingOf(poor) >= after.initialMargin, "at least IM").to.equal(true);
          expect(
            left <= after.initialMargin + after.initialMargin / 999n + 10n ** 7n + roundingOf(poor),
            "at most 1.001 IM",
          ).to.equal(true);
          expect(left * maintenanceMargin >= before * after.maintenanceMargin, "E / MM has risen").to.equal(true);
        },
      ),
      PARAMETERS,
    );
    expect(landed).to.be.greaterThan(PARAMETERS.numRuns / 4);
  });

  it("MAM-7 liquidation prices are crossing points, the nearest ones", () => {
    let found = 0;
    fc.assert(
      fc.property(accountAndHouse, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }), (x, at) => {
        const present = x.house.prices.get(0)!.price;
        const isSafe = (price: bigint): boolean => {
          const prices = new Map(x.house.prices).set(0, calm(price));
          const { equity, maintenanceMargin } = assessAccount(x.account, { ...x.house, prices });
          return equity >= maintenanceMargin;
        };
        const safe = isSafe(present);
        const { down, up } = liquidationPrices(x.account, x.house, 0);
        for (const [price, towards] of [
          [down, 1n],
          [up, -1n],
        ] as const) {
          if (price === undefined) continue;
          found += 1;
          expect(isSafe(price)).to.equal(!safe);
          expect(isSafe(price + towards)).to.equal(safe);
        }
        for (const part of at) {
          const share = BigInt(Math.floor(part * 1e9));
          const low = down ?? 0n;
          const high = up ?? 10n ** 24n;
          const below = low + 1n + ((present - low - 1n) * share) / 10n ** 9n;
          const above = present + ((high - present - 1n) * share) / 10n ** 9n;
          expect(isSafe(below), `below: ${below}`).to.equal(safe);
          expect(isSafe(above), `above: ${above}`).to.equal(safe);
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
    expect(found).to.be.greaterThan(250);
  });

  it("settling leaves E, IM and MM as they are, and no loss that cash could pay", () => {
    fc.assert(
      fc.property(accountAndHouse, ({ account, house }) => {
        const settled = settleAll({ account, house });
        expect(assessAccount(settled.account, settled.house)).to.deep.equal(assessAccount(account, house));
        expect(settled.account.cash >= 0n).to.equal(true);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("MAM-7 free collateral can leave, and not a wei more", () => {
    let limited = 0;
    fc.assert(
      fc.property(accountAndHouse, ({ account, house }) => {
        const free = freeCollateral(account, house);
        expect(free >= 0n && free <= account.cash).to.equal(true);
        if (free === 0n) return;
        const after = assessAccount({ ...account, cash: account.cash - free }, house);
        expect(after.equity >= after.initialMargin).to.equal(true);
        limited += 1;
      }),
      { seed: SEED, numRuns: 500 },
    );
    expect(limited).to.be.greaterThan(20);
  });

  it("LIQ-2 a planned liquidation costs the account what it says, and the books of both sides add up", () => {
    let partial = 0;
    fc.assert(
      fc.property(
        accountAndHouse,
        fc.bigInt({ min: 0n, max: 180n }),
        fc.bigInt({ min: -WAD / 4n, max: WAD - 1n }),
        ({ account, house }, clock, share) => {
          const poor = atShareOfMaintenance(account, house, share);
          fc.pre(poor.cash >= 0n && assessAccount(poor, house).maintenanceMargin > DUST);
          const before = assessAccount(poor, house);
          fc.pre(before.equity < before.maintenanceMargin);
          const auction = { flagger: "f", maintenanceAtFlag: 0n, clock, rescueClock: 0n, lastCall: 0n };
          const plan = planLiquidation(poor, house, { auction, owner: "owner", taker: "t", acceptClaims: true });
          const after = assessAccount(plan.after, house);
          const slack = 20n; // one wei for each rounded leg
          const expected = before.equity - plan.cost + plan.deficit;
          expect(after.equity - expected <= slack && expected - after.equity <= slack, "E' = E − cost").to.equal(true);
          expect(plan.gain + plan.toFund + plan.toFlagger).to.equal(plan.cost);
          expect(plan.toFlagger).to.equal(plan.cost / 10n);
          const taker = emptyAccount({ cash: 10n ** 30n });
          const gain = assessAccount(takeOver(taker, plan), house).equity - taker.cash;
          expect(gain - plan.gain <= slack && plan.gain - gain <= slack, "the taker gains his share").to.equal(true);
          if (plan.fraction === WAD) return;
          partial += 1;
          expect(after.equity >= after.initialMargin).to.equal(true);
        },
      ),
      { seed: SEED, numRuns: 1_000 },
    );
    expect(partial).to.be.greaterThan(50);
  });
});
