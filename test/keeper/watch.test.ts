import { expect } from "chai";

import { BoundHeap } from "../../src/keeper/boundHeap.ts";
import { Watch } from "../../src/keeper/watch.ts";
import type { WatchState } from "../../src/keeper/watch.ts";
import { generator } from "../../src/replay/synthetic.ts";
import { assessAccount, marginState } from "../../src/risk/account.ts";
import { judge } from "../../src/risk/assess.ts";
import { abs, PPM, WAD } from "../../src/risk/fixed.ts";
import { accrue } from "../../src/risk/funding.ts";
import { currentLending } from "../../src/risk/lending.ts";
import { liquidationPrices, marginCallPrices } from "../../src/risk/liquidationPrice.ts";
import { snapshotOf } from "../../src/risk/portfolio.ts";
import type { AccountState, HouseState, PriceSnapshot } from "../../src/risk/types.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import type { AccountId } from "../../src/sdk/accountId.ts";
import { randomParameters } from "../risk/arbitraries.ts";
import { calm, collateral, emptyAccount, lendingPool, market } from "../risk/house.ts";

const ACCOUNTS = 300;
const STEPS = 120;
const HOUR = 3600n; // [s]
const UNDERLYINGS = [2000, 60_000, 1, 30]; // by id: their first prices [USD]; the third is a stablecoin
const MAX_FACTOR = 3n * PPM;

interface World {
  house: HouseState;
  readonly accounts: Map<AccountId, AccountState>;
}

/** A house of four underlyings with random parameters, a market and two collaterals each, and accounts near their requirements. */
class Chaos {
  readonly #next: () => number;
  readonly world: World;
  readonly #targets = new Map<number, bigint>(); // of the regimes

  constructor(seed: number) {
    this.#next = generator(seed);
    const prices = new Map(UNDERLYINGS.map((price, id) => [id, calm(BigInt(price) * WAD)]));
    const house: HouseState = {
      time: 1_700_000_000n,
      risk: randomParameters(seed),
      markets: new Map(
        UNDERLYINGS.map((price, id) => [id, market(id, { price: BigInt(price) * WAD, time: 1_700_000_000n })]),
      ),
      collaterals: new Map(
        UNDERLYINGS.flatMap((_, id) => [3 * id, 3 * id + 1].map((c) => [c, collateral(id)] as const)),
      ),
      prices,
      lastGood: prices,
      lending: lendingPool({
        ...{ lent: 10n ** 8n * WAD, borrowed: 6n * 10n ** 7n * WAD, time: 1_700_000_000n, rate: 10n ** 10n },
        ...{ lentShares: 10n ** 32n, debtShares: 6n * 10n ** 31n },
      }),
    };
    this.world = { house, accounts: new Map() };
    for (let i = 0; i < ACCOUNTS; ++i) {
      const owner = `0x${(i + 1).toString(16).padStart(40, "0")}`;
      this.world.accounts.set(accountId(owner), this.#account());
    }
  }

  /** Moves the world on; answers the accounts that have changed. */
  step(): [AccountId, AccountState][] {
    const { world } = this;
    const time =
      world.house.time +
      BigInt(this.#chance(0.1) ? 90_000 : this.#chance(0.5) ? 1 + this.#whole(30) : 60 + this.#whole(900));
    this.#movePrices(time);
    if (this.#chance(0.2)) this.#accrue(time);
    if (this.#chance(0.1)) this.#socialise();
    if (this.#chance(0.1)) this.#changeCollateral();
    if (this.#chance(0.05)) this.#lendersLose();
    if (this.#chance(0.03)) world.house = { ...world.house, risk: randomParameters(this.#whole(1000)) };
    const touched = [...world.accounts.keys()]
      .filter(() => this.#chance(0.02))
      .map((id): [AccountId, AccountState] => {
        const account = this.#account();
        world.accounts.set(id, account);
        return [id, account];
      });
    return touched;
  }

  #movePrices(time: bigint): void {
    const { world } = this;
    const elapsed = time - world.house.time;
    const prices = new Map<number, PriceSnapshot>();
    const lastGood = new Map(world.house.lastGood);
    for (const [id] of UNDERLYINGS.entries()) {
      const before = world.house.prices.get(id) ?? world.house.lastGood.get(id) ?? calm(WAD);
      if (this.#chance(0.1)) this.#targets.set(id, PPM + (2n * PPM * BigInt(this.#whole(1000))) / 1000n);
      const target = this.#targets.get(id) ?? PPM;
      const step = (PPM * elapsed) / HOUR; // 100 % per hour, the fastest that the oracle allows
      const maintenanceFactor = approach(before.maintenanceFactor, target, step);
      const initialFactor = target > maintenanceFactor ? target : maintenanceFactor;
      const most = this.#chance(0.1) ? 0.3 : id === 2 ? 0.004 : 0.03;
      const move = BigInt(Math.round((1 + (2 * this.#next() - 1) * most) * 1e6));
      const snapshot = { price: (before.price * move) / PPM, initialFactor, maintenanceFactor };
      const usable = !this.#chance(0.05);
      if (usable) prices.set(id, snapshot);
      if (usable && this.#chance(0.7)) lastGood.set(id, snapshot);
      else lastGood.set(id, { ...lastGood.get(id)!, initialFactor, maintenanceFactor });
    }
    world.house = { ...world.house, time, prices, lastGood };
  }

  /** Brings a market or the pool up to now; a market gets another premium. */
  #accrue(time: bigint): void {
    const { world } = this;
    const markets = new Map(world.house.markets);
    const id = this.#whole(UNDERLYINGS.length);
    const price = world.house.prices.get(id)?.price;
    const lastPremium = BigInt(this.#whole(1001) - 500) * 1_000_000n; // up to the cap of 0.05 %
    if (price !== undefined) markets.set(id, { ...accrue(markets.get(id)!, price, time), lastPremium });
    world.house = { ...world.house, markets, lending: currentLending(world.house.lending, time) };
  }

  #socialise(): void {
    const markets = new Map(this.world.house.markets);
    const id = this.#whole(UNDERLYINGS.length);
    const state = markets.get(id)!;
    const loss = (state.price * 10n ** 18n) / 1000n; // 0.1 % of the price [ray36]
    markets.set(
      id,
      this.#chance(0.5)
        ? { ...state, longIndex: state.longIndex + loss }
        : { ...state, shortIndex: state.shortIndex + loss },
    );
    this.world.house = { ...this.world.house, markets };
  }

  #changeCollateral(): void {
    const { house } = this.world;
    const collaterals = new Map(house.collaterals);
    const id = [...collaterals.keys()][this.#whole(collaterals.size)]!;
    const state = collaterals.get(id)!;
    if (this.#chance(0.3)) collaterals.set(id, { ...state, delistingEnd: house.time + 14n * 24n * HOUR });
    else {
      const rate = this.#chance(0.2) ? undefined : (WAD * BigInt(900 + this.#whole(200))) / 1000n;
      collaterals.set(id, { ...state, rate, lastGoodRate: rate ?? state.lastGoodRate });
    }
    this.world.house = { ...house, collaterals };
  }

  #lendersLose(): void {
    const { house } = this.world;
    const flaggedDeficit = house.lending.flaggedDeficit + house.lending.lent / 100n;
    this.world.house = { ...house, lending: { ...house.lending, flaggedDeficit } };
  }

  /** An account of up to three positions and two collaterals, loans now and then, with cash for 0.5 to 3 times its MM. */
  #account(): AccountState {
    if (this.#chance(0.05)) return emptyAccount({ cash: WAD });
    const { house } = this.world;
    const worth = () => BigInt(1 + this.#whole(200_000)) * WAD; // [wad USD]
    const units = (id: number) => (worth() * WAD) / (house.lastGood.get(id)?.price ?? WAD);
    const ids = (most: number) => [
      ...new Set(Array.from({ length: this.#whole(most + 1) }, () => this.#whole(UNDERLYINGS.length))),
    ];
    const positions = ids(3).map((id) => {
      const size = this.#chance(0.5) ? units(id) : -units(id);
      return [id, { size, quote: -(size * house.lastGood.get(id)!.price) / WAD }] as const;
    });
    const collaterals = ids(2).map((id) => [3 * id + this.#whole(2), units(id)] as const);
    const loans = this.#chance(0.3)
      ? { debtShares: worth() * 10n ** 6n }
      : this.#chance(0.3)
        ? { lentShares: worth() * 10n ** 6n }
        : {};
    const bare = emptyAccount({ positions: new Map(positions), collaterals: new Map(collaterals), ...loans });
    const priced = {
      ...house,
      prices: house.lastGood,
      collaterals: new Map([...house.collaterals].map(([id, c]) => [id, { ...c, rate: c.lastGoodRate }])),
    };
    const { equity, maintenanceMargin } = assessAccount(bare, priced);
    const missing = (maintenanceMargin * BigInt(500 + this.#whole(2500))) / 1000n - equity;
    if (missing >= 0n || positions.length === 0) return { ...bare, cash: missing > 0n ? missing : 0n };
    const [market, { size, quote }] = positions[0]!;
    return { ...bare, positions: new Map(bare.positions).set(market, { size, quote: quote + missing }) };
  }

  #chance(p: number): boolean {
    return this.#next() < p;
  }

  #whole(below: number): number {
    return Math.floor(this.#next() * below);
  }
}

function approach(from: bigint, to: bigint, step: bigint): bigint {
  const moved = from < to ? (from + step < to ? from + step : to) : from - step > to ? from - step : to;
  return moved > MAX_FACTOR ? MAX_FACTOR : moved;
}

/** The state of every account by looking at each of them. */
function statesOf({ house, accounts }: World): Map<AccountId, WatchState> {
  return new Map(
    [...accounts].map(([id, account]) => [id, marginState(judge(snapshotOf(account, house, "kindest"), house.risk))]),
  );
}

function isBelow(state: WatchState | undefined): boolean {
  return state === "liquidatable" || state === "bankrupt";
}

describe("watch", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`MAM-5 finds whom prices, time, regimes, losses, rates and parameters have made liquidatable, as a look at each does (seed ${seed})`, () => {
      const chaos = new Chaos(seed);
      const { world } = chaos;
      const watch = new Watch();
      watch.advance(world.house, world.accounts);
      let crossings = 0;
      for (let step = 0; step < STEPS; ++step) {
        const before = statesOf(world);
        const touched = chaos.step();
        watch.advance(world.house, touched);
        while (!watch.isSettled) watch.work(10);
        const truth = statesOf(world);
        for (const [id, state] of truth) {
          const seen = watch.get(id).state;
          if (isBelow(before.get(id)) !== isBelow(state)) crossings += 1;
          const recovered = state === "healthy" && seen === "marginCall"; // time alone may have done so: noticed within ten minutes
          if (!recovered) expect(seen, `account ${id.toString(16)} at step ${step}`).to.equal(state);
        }
        const below = [...truth].filter(([, state]) => isBelow(state)).map(([id]) => id);
        expect(watch.liquidatable.map(({ id }) => id)).to.have.members(below);
        const counts = Object.values(watch.counts).reduce((sum, n) => sum + n, 0);
        expect(counts).to.equal(world.accounts.size);
      }
      expect(crossings, "the history is eventful").to.be.greaterThan(500);
    });
  }

  it("MAM-6 answers those below MM, the worst ratio first", () => {
    const { world } = new Chaos(7);
    const watch = new Watch();
    watch.advance(world.house, world.accounts);
    const ratios = watch.liquidatable.map(
      ({ assessment }) => Number(assessment!.equity) / Number(assessment!.maintenanceMargin),
    );
    expect(ratios.length).to.be.greaterThan(10);
    for (const [i, ratio] of ratios.entries()) expect(ratio).to.be.greaterThan((ratios[i - 1] ?? -Infinity) - 1e-9);
  });

  it("looks at nobody whose prices have not come near", () => {
    const { world } = new Chaos(8);
    const [id, account] = [...world.accounts].find(
      ([, { positions, collaterals, debtShares }]) =>
        positions.size === 1 && collaterals.size === 0 && debtShares === 0n,
    )!;
    const [underlying, { size }] = [...account.positions][0]!;
    const rich = {
      ...account,
      cash: account.cash + (10n * (abs(size) * world.house.prices.get(underlying)!.price)) / WAD / 10n,
    };
    const watch = new Watch();
    watch.advance(world.house, [[id, rich]]);
    const { down, up } = liquidationPrices(rich, world.house, underlying);
    const price = world.house.prices.get(underlying)!.price;
    const line = (size > 0n ? down : up)!;
    const at = (p: bigint): HouseState => ({
      ...world.house,
      prices: new Map(world.house.prices).set(underlying, calm(p)),
    });
    const assessed = watch.get(id).assessment;
    watch.advance(at(price + (line - price) / 3n), []);
    expect(watch.get(id).assessment, "not looked at again").to.equal(assessed);
    expect(watch.advance(at(line), [])).to.have.length(1);
    expect(watch.get(id).state).to.equal("liquidatable");
    // Back between MM and IM, and then to where it was: a price that brings it above IM is noticed as soon as there is time.
    const call = marginCallPrices(rich, world.house, underlying);
    const above = (size > 0n ? call.down : call.up)!;
    watch.advance(at((line + above) / 2n), []);
    expect(watch.get(id).state).to.equal("marginCall");
    watch.advance(at((line + 3n * above) / 4n), []);
    expect(watch.isSettled, "nearer").to.equal(true);
    watch.advance(at(price), []);
    expect(watch.get(id).state).to.equal("marginCall");
    expect(watch.work(10)).to.have.length(1);
    expect(watch.get(id).state).to.equal("healthy");
  });
});

describe("heap of bounds", () => {
  it("answers all up to a limit that are not outdated, as a sorted list does", () => {
    const next = generator(9);
    const versions = Array.from({ length: 500 }, () => 0);
    const heap = new BoundHeap((slot, version) => versions[slot] !== version);
    const model = new Map<number, number>(); // key by slot
    for (let i = 0; i < 50_000; ++i) {
      const slot = Math.floor(next() * versions.length);
      if (next() < 0.9) {
        versions[slot]! += 1;
        const key = next();
        heap.push(key, slot, versions[slot]!);
        model.set(slot, key);
        continue;
      }
      const limit = next() * 0.1;
      const taken: number[] = [];
      heap.popUpTo(limit, (found) => taken.push(found));
      const expected = [...model].filter(([, key]) => key <= limit).sort(([, a], [, b]) => a - b);
      expect(taken).to.deep.equal(expected.map(([found]) => found));
      for (const found of taken) model.delete(found);
    }
    expect(heap.size, "what is outdated is swept out").to.be.lessThan(4 * versions.length);
  });
});
