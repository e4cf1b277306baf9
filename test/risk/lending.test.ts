import { network } from "hardhat";
import { expect } from "chai";
import fc from "fast-check";

import { expWad } from "../../src/risk/expWad.ts";
import { min, WAD } from "../../src/risk/fixed.ts";
import {
  borrowRate,
  currentLending,
  debtOf,
  lend,
  lentOf,
  liquidity,
  loansOf,
  raiseCash,
  sharesOf,
  writeOff,
} from "../../src/risk/lending.ts";
import { credit } from "../../src/risk/pools.ts";
import type { AccountState, Books, HouseState, LendingState } from "../../src/risk/types.ts";
import type { LendingHarness } from "../../types/index.ts";
import { magnitude } from "./arbitraries.ts";
import { wad } from "./engine.ts";
import { emptyAccount, lendingPool, oneUnderlying } from "./house.ts";

const YEAR = 365n * 24n * 3600n;
const HOUSE = oneUnderlying({ underlyings: new Map(), collaterals: new Map() }, WAD);
const PARAMS = lendingPool().params; // kink 80 %, 4 % there, 75 % more at full utilisation, a tenth to the reserves

/** Rate a year [wad] at a utilisation [percent]. */
const yearly = (percent: bigint): bigint => borrowRate({ params: PARAMS }, percent, 100n) * YEAR;

/** The pool after a year at `rate` a year [wad]. */
const afterYear = (rate: bigint, state: Partial<LendingState>): LendingState =>
  currentLending(lendingPool({ rate: rate / YEAR, ...state }), YEAR);

/** Expects an amount [wad] to the hundred-thousandth of a dollar. */
function expectNear(amount: bigint, expected: number): void {
  expect(Math.abs(Number(amount) / 1e18 - expected)).to.be.lessThan(1e-5);
}

describe("lending", () => {
  it("H8 kinked rate: 2 % at a utilisation of 40 %, 4 % at 80 %, 41.5 % at 90 %, 79 % at 100 %", () => {
    for (const [percent, expected] of [
      [0n, 0],
      [40n, 0.02],
      [80n, 0.04],
      [90n, 0.415],
      [100n, 0.79],
    ] as const) {
      const rate = yearly(percent);
      expect(rate <= wad(expected) && wad(expected) - rate < YEAR, `${percent} %`).to.equal(true); // a wei a second
    }
  });

  it("H8 1000 at 5 % for a year grows to 1051.27109, a tenth of the interest goes to the reserves", () => {
    const pool = afterYear(wad(0.05), { lent: wad(2000), borrowed: wad(1000) });
    // e^0.05 = 1.051271096376...; the oracle's 1051.27109362 compounds by the second, in doubles
    expectNear(pool.borrowed, 1051.27109362);
    expect(pool.lent + pool.reserves - pool.borrowed).to.equal(wad(1000)); // liquidity has not moved
    expect(pool.reserves - (pool.borrowed - wad(1000)) / 10n <= 1n).to.equal(true);
  });

  it("what flags have recorded as a deficit earns nothing", () => {
    const half = afterYear(wad(0.05), { lent: wad(2000), borrowed: wad(1000), flaggedDeficit: wad(500) });
    expectNear(half.borrowed, 1025.635548);
    const none = afterYear(wad(0.05), { lent: wad(2000), borrowed: wad(1000), flaggedDeficit: wad(1000) });
    expect(none.borrowed).to.equal(wad(1000));
  });

  it("interest on the way changes nothing: a year in pieces is a year", () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, WAD),
        fc.array(fc.bigInt(0n, YEAR / 8n), { minLength: 1, maxLength: 8 }),
        magnitude(10n ** 28n),
        (rate, gaps, borrowed) => {
          const start = lendingPool({ rate: rate / YEAR, lent: 2n * borrowed, borrowed });
          const end = gaps.reduce((sum, gap) => sum + gap, 0n);
          let [pool, time] = [start, 0n];
          for (const gap of gaps) pool = currentLending(pool, (time += gap));
          const whole = currentLending(start, end).borrowed;
          // Each piece rounds its growth up by a wei and its interest by another; nobody is charged less.
          const most = BigInt(gaps.length) * (2n + (4n * borrowed) / WAD);
          expect(pool.borrowed >= whole - most && pool.borrowed <= whole + most).to.equal(true);
        },
      ),
      { seed: 5, numRuns: 500 },
    );
  });

  it("growth is Solady's e^x, to the last digits of the true one", () => {
    // e, e^0.05 and e^10 to 18 decimals
    expect(expWad(WAD)).to.equal(2718281828459045235n);
    expect(expWad(WAD / 20n)).to.equal(1051271096376024039n);
    expect(expWad(10n * WAD) / 10n ** 6n).to.equal(22026465794806716516957n / 10n ** 6n);
    // after decades of silence it stands still
    expect(afterYear(90n * WAD, { lent: WAD, borrowed: 1n }).borrowed).to.equal(1n + 22026n);
  });

  it("nobody can inflate the first share: a donation to an empty pool is lost to the donor", () => {
    const attacker = emptyAccount({ cash: 1n });
    const first = lend({ account: attacker, house: HOUSE }, 1n);
    // 1,000 USD reach the lenders as if by interest; the victim lends 500 after that.
    const donated = { ...first.house.lending, lent: first.house.lending.lent + wad(1000) };
    const victim = lend({ account: emptyAccount({ cash: wad(500) }), house: { ...HOUSE, lending: donated } }, wad(500));
    const stolen = wad(500) - lentOf(victim.house.lending, victim.account.lentShares);
    expect(stolen < wad(0.001)).to.equal(true); // a share is worth a thousandth of a dollar at most
    const back = lentOf(victim.house.lending, first.account.lentShares);
    expect(back < wad(501)).to.equal(true); // half of the gift belongs to the virtual shares
  });

  it("who recalls leaves his part of a flagged deficit behind", () => {
    const lent = lend({ account: emptyAccount({ cash: wad(100) }), house: HOUSE }, wad(100));
    const flagged = { ...lent.house, lending: { ...lent.house.lending, flaggedDeficit: wad(25) } };
    const { account } = raiseCash({ account: lent.account, house: flagged }, wad(100), false);
    expect(wad(75) - account.cash <= 1n).to.equal(true);
    expect(account.lentShares).to.equal(0n);
  });

  describe("src/risk against Lending", () => {
    const IDS = [1n, 2n, 3n, 4n] as const;
    let harness: LendingHarness;
    let advanceTo: (time: bigint) => Promise<void>;
    let now: bigint;

    before(async () => {
      const { ethers, networkHelpers } = await network.getOrCreate();
      const lending = await ethers.deployContract("Lending");
      harness = await ethers.deployContract("LendingHarness", [PARAMS], { libraries: { Lending: lending } });
      now = BigInt(await networkHelpers.time.latest());
      advanceTo = (time) => networkHelpers.time.setNextBlockTimestamp(time);
    });

    async function compare(accounts: Map<bigint, AccountState>, pool: LendingState): Promise<void> {
      const [stored] = await harness.pool();
      const { lent, borrowed, lentShares, debtShares, reserves, rate, time, flaggedDeficit } = stored;
      expect({ lent, borrowed, lentShares, debtShares, reserves, rate, time, flaggedDeficit }).to.deep.equal({
        lent: pool.lent,
        borrowed: pool.borrowed,
        lentShares: pool.lentShares,
        debtShares: pool.debtShares,
        reserves: pool.reserves,
        rate: pool.rate,
        time: pool.time,
        flaggedDeficit: pool.flaggedDeficit,
      });
      for (const [id, account] of accounts) {
        expect([...(await harness.account(id))]).to.deep.equal([account.cash, account.lentShares, account.debtShares]);
        const { lent: own, debt } = loansOf(account, pool, now);
        expect([...(await harness.balances(id))]).to.deep.equal([own, debt]);
      }
    }

    it("the same rates", async () => {
      const cases = fc.sample(fc.tuple(fc.bigInt(0n, 10n ** 6n), fc.bigInt(0n, 10n ** 6n)), { seed: 2, numRuns: 60 });
      for (const [borrowed, lent] of cases) {
        const { kink, lowSlope, highSlope, reserveFactor } = PARAMS;
        const params = { kink, lowSlope, highSlope, reserveFactor };
        expect(await harness.rateOf(params, borrowed, lent)).to.equal(borrowRate({ params }, borrowed, lent));
      }
    });

    it("the same books after every one of 300 random movements over years, and the pool can always pay", async () => {
      const steps = fc.sample(
        fc.record({
          id: fc.constantFrom(...IDS),
          action: fc.constantFrom("credit", "credit", "lend", "lend", "recall", "borrow", "borrow", "writeOff", "flag"),
          share: fc.bigInt(1n, 1_200_000n), // [ppm] of what there is
          gap: magnitude(30n * 24n * 3600n),
        }),
        { seed: 9, numRuns: 300 },
      );
      const accounts = new Map<bigint, AccountState>(IDS.map((id) => [id, emptyAccount()]));
      let [moved, indebted] = [0, 0];
      let pool: LendingState = lendingPool({ time: (await harness.pool())[0].time, params: PARAMS });
      for (const { id, action, share, gap } of steps) {
        now += gap;
        await advanceTo(now);
        const account = accounts.get(id) ?? emptyAccount();
        const house: HouseState = { ...HOUSE, time: now, lending: pool };
        const part = (amount: bigint): bigint => (amount * share) / 1_000_000n + 1n;
        const current = currentLending(pool, now);
        let books: Books = { account, house };
        if (action === "credit") {
          const amount = part(wad(1_000));
          await harness.credit(id, amount);
          books = credit(books, amount);
        } else if (action === "lend") {
          const amount = min(part(account.cash), account.cash);
          if (amount === 0n || account.debtShares !== 0n) continue;
          await harness.lend(id, amount);
          books = lend(books, amount);
        } else if (action === "recall" || action === "borrow") {
          const own = lentOf(current, account.lentShares);
          const amount = action === "recall" ? part(own) : part(own + liquidity(current) / 4n);
          await harness.raise(id, amount, action === "borrow");
          // What a borrower raises leaves him: nobody has debt and cash at once.
          books = raiseCash(books, amount, action === "borrow");
        } else if (action === "writeOff") {
          const debt = debtOf(current, account.debtShares);
          const amount = min(part(debt) / 10n, debt);
          if (account.debtShares === 0n || amount === 0n) continue;
          await harness.writeOff(id, amount, amount / 3n);
          books = writeOff(books, amount, amount / 3n);
        } else {
          const change = pool.flaggedDeficit === 0n ? part(current.borrowed) / 20n : -pool.flaggedDeficit;
          await harness.flag(change);
          books = {
            account,
            house: { ...house, lending: { ...current, flaggedDeficit: pool.flaggedDeficit + change } },
          };
        }
        accounts.set(id, books.account);
        pool = books.house.lending;
        await compare(accounts, pool);
        moved += 1;
        if (pool.borrowed !== 0n) indebted += 1;
        const claims = [...accounts.values()].reduce((sum, a) => sum + lentOf(pool, a.lentShares), 0n);
        const owed = [...accounts.values()].reduce((sum, a) => sum + debtOf(pool, a.debtShares), 0n);
        expect(claims <= pool.lent && owed >= pool.borrowed && liquidity(pool) >= 0n).to.equal(true);
      }
      expect(moved).to.be.greaterThan(200);
      expect(indebted).to.be.greaterThan(100);
    });

    it("nothing borrowed pays nothing, and nothing is paid before there are parameters", async () => {
      const { kink, lowSlope, highSlope, reserveFactor } = PARAMS;
      expect(await harness.rateOf({ kink, lowSlope, highSlope, reserveFactor }, 0n, 0n)).to.equal(0n);
      expect(await harness.rateOf({ kink: 0, lowSlope: 0, highSlope: 0, reserveFactor: 0 }, 1n, 2n)).to.equal(0n);
    });

    describe("of a pool of its own", () => {
      let own: LendingHarness;

      beforeEach(async () => {
        const { ethers } = await network.getOrCreate();
        const lending = await ethers.deployContract("Lending");
        own = await ethers.deployContract("LendingHarness", [PARAMS], { libraries: { Lending: lending } });
        await own.credit(1n, wad(100));
        await own.lend(1n, wad(100));
      });

      it("lent cash that flagged deficits make worthless for now is not given up for nothing", async () => {
        const [, shares] = await own.account(1n);
        await own.flag(wad(100));
        await own.raise(1n, wad(10), true);
        expect((await own.account(1n)).lentShares).to.equal(shares);
      });

      it("what the suppliers cannot bear of a loss falls on the reserves", async () => {
        await own.raise(2n, wad(100), true);
        const { networkHelpers } = await network.getOrCreate();
        await networkHelpers.time.increase(YEAR);
        // All is borrowed, so lent + reserves = borrowed = 100 · e^0.79 = 220.34, of which 12.03 are reserves. The loss of all of it takes
        // all of both; a deficit that is flagged earns nothing meanwhile.
        await own.flag(wad(220));
        const [{ borrowed }] = await own.pool();
        await own.writeOff(2n, borrowed, 0n);
        const [{ lent, reserves }] = await own.pool();
        expect(lent).to.equal(0n);
        expectNear(reserves, 0);
      });
    });

    it("shares for an amount are worth at least the amount", () => {
      fc.assert(
        fc.property(magnitude(10n ** 30n), magnitude(10n ** 36n), magnitude(10n ** 30n), (lent, lentShares, amount) => {
          const pool = lendingPool({ lent, lentShares });
          expect(lentOf(pool, sharesOf(pool, amount)) >= amount).to.equal(true);
        }),
      );
    });
  });
});
