import { expect } from "chai";

import { BackTest, newBackTest } from "../../src/replay/lab/backTest.ts";
import { InvariantsBroken, ScenarioInvalid } from "../../src/replay/lab/errors.ts";
import { Impact, noImpact } from "../../src/replay/lab/impact.ts";
import { firstAnswers, Oracle } from "../../src/replay/lab/oracle.ts";
import { closeFactorRule } from "../../src/replay/lab/policies.ts";
import { drawPopulation } from "../../src/replay/lab/population.ts";
import type { Terms } from "../../src/replay/lab/population.ts";
import { quantiles } from "../../src/replay/lab/record.ts";
import { expectSound } from "../../src/replay/lab/run.ts";
import { hashScenario, parseScenario } from "../../src/replay/lab/scenario.ts";
import { LIVENESS } from "../../src/replay/invariants.ts";
import { WAD } from "../../src/risk/fixed.ts";
import type { Portfolio } from "../../src/risk/types.ts";
import { accountOf, oneUnderlying } from "../risk/house.ts";

const UNIT = 10n ** 8n; // of a feed
const DEPTH = { ETH: 50_000_000, BTC: 100_000_000 };

const UNDERLYING = {
  ...{ shock: 30_000n, slope: 20_000n, basis: 10_000n, basisInitial: 30_000n, maxTracking: 20_000n },
  ...{ maxTrackingInitial: 30_000n, initialFactor: 1_666_666_667n, depth: 50_000_000n },
};
const COLLATERAL = {
  ...{ haircut: 70_000n, haircutInitial: 100_000n, tracking: 0n, trackingInitial: 0n },
  ...{ depegThreshold: 0n, depegFactor: 0n },
};
const TERMS: Terms = {
  ids: { ETH: 0, BTC: 1, WETH: 0, WBTC: 1, wstETH: 2 },
  risk: {
    underlyings: new Map([0, 1].map((id) => [id, UNDERLYING])),
    collaterals: new Map([0, 1, 2].map((id) => [id, COLLATERAL])),
  },
};

describe("Replay lab: scenarios", () => {
  it("completes an empty scenario to 2,000 accounts, takers and slices", () => {
    const { accounts, policy, takers, seed } = parseScenario({});
    expect({ accounts, policy, seed, takers: takers.length }).to.deep.equal({
      ...{ accounts: 2000, policy: "slices", seed: 1, takers: 3 },
    });
  });

  const MISTAKES: readonly [field: string, given: object][] = [
    ["accounts", { accounts: 0 }],
    ["blockTime", { blockTime: 7 }],
    ["policy", { policy: "auction" }],
    ["population.0.cash", { population: [{ cash: -1 }] }],
    ["population.leverage", { population: { leverage: { min: 5, max: 2 } } }],
    ["takers.0.capital", { takers: [{ capital: -1 }] }],
    ["oracle.deviation", { oracle: { deviation: 0 } }],
    ["impact.fraction", { impact: { fraction: -0.1 } }],
    ["spread", { spread: 0.01 }],
    ["it", { leverage: 10 }],
  ];
  for (const [field, given] of MISTAKES) {
    it(`says which field is wrong: ${JSON.stringify(given)}`, () => {
      expect(() => parseScenario(given, "s.json"))
        .to.throw(ScenarioInvalid, "s.json cannot be played")
        .with.property("problems")
        .that.satisfies(([problem = ""]: string[]) => problem.startsWith(`${field}: `));
    });
  }

  it("names a scenario by its content, whatever the order in which it is written", () => {
    const one = hashScenario(parseScenario({ seed: 2, fund: 10 }));
    expect(hashScenario(parseScenario({ fund: 10, seed: 2 }))).to.equal(one);
    expect(hashScenario(parseScenario({ fund: 11, seed: 2 }))).to.not.equal(one);
  });
});

describe("Replay lab: populations", () => {
  const of = (given: object) => drawPopulation(parseScenario({ accounts: 300, ...given }), TERMS);

  it("draws the same accounts from the same seed, and others from another one", () => {
    expect(of({ seed: 7 })).to.deep.equal(of({ seed: 7 }));
    expect(of({ seed: 8 })).to.not.deep.equal(of({ seed: 7 }));
  });

  it("takes accounts that are listed as they are", () => {
    const listed = of({ population: [{ cash: 100, position: { ETH: -50 } }, { lent: 5 }] });
    expect(listed.map(({ cash, lent, position }) => [cash, lent, position.ETH])).to.deep.equal([
      [100, 0, -50],
      [0, 5, 0],
    ]);
  });

  it("gives the stated shares, sizes and use of the lending pool", () => {
    const drawn = of({ population: { long: 1, eth: 1, hedged: 0, lenders: 0.1, borrowers: 0.2, utilisation: 0.4 } });
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    expect(drawn.every(({ position }) => position.ETH >= 0 && position.BTC === 0)).to.equal(true);
    expect(drawn.every(({ position: { ETH } }) => ETH === 0 || (ETH >= 5000 && ETH <= 2_000_000))).to.equal(true);
    // 300 draws: 30 ± 3·√27 lenders, 60 ± 3·√48 borrowers
    expect(drawn.filter(({ lent }) => lent > 0).length).to.be.within(14, 46);
    expect(drawn.filter(({ borrowed }) => borrowed > 0).length).to.be.within(39, 81);
    expect(sum(drawn.map((t) => t.borrowed)) / sum(drawn.map((t) => t.lent))).to.be.within(0.3999, 0.4001);
  });
});

describe("Replay lab: feeds", () => {
  const TERM = { deviation: 0.005, heartbeat: 3600, delay: 24 };
  const feeds = () => new Oracle(TERM, firstAnswers({ ETH: 2000n * UNIT, BTC: 30_000n * UNIT }, 0));

  it("answer at a deviation of 0.5 %, some seconds late, with the price that was seen", () => {
    const oracle = feeds();
    expect(oracle.see("ETH", 199_001_000_000n, 60)).to.equal(undefined); // 1990.01: 9.99 of 2000 is 0.4995 %
    expect(oracle.see("ETH", 199_000_000_000n, 72)).to.equal(undefined); // 1990: 0.5 %, on its way
    expect(oracle.see("ETH", 150_000_000_000n, 84)).to.equal(undefined); // one at a time
    expect(oracle.see("ETH", 150_000_000_000n, 96)).to.deep.equal({ asset: "ETH", answer: 199_000_000_000n });
    expect(oracle.answerOf("ETH")).to.equal(199_000_000_000n);
    expect(oracle.answerOf("BTC")).to.equal(30_000n * UNIT);
  });

  it("answer upwards too, and after a heartbeat whatever the price", () => {
    const oracle = feeds();
    oracle.see("ETH", 2010n * UNIT, 10); // + 0.5 %
    expect(oracle.see("ETH", 2010n * UNIT, 34)?.answer).to.equal(2010n * UNIT);
    expect(oracle.see("ETH", 2010n * UNIT, 34 + 3599)).to.equal(undefined);
    expect(oracle.see("ETH", 2010n * UNIT, 34 + 3600)).to.equal(undefined); // on its way
    expect(oracle.see("ETH", 2010n * UNIT, 34 + 3624)?.answer).to.equal(2010n * UNIT);
  });
});

describe("Replay lab: price impact (CRA-4)", () => {
  const market = (fraction: number, halfLife = 600) => new Impact({ fraction, halfLife }, DEPTH, noImpact(0));

  it("moves a price by a fraction of notional over depth, and half of that is gone after the half-life", () => {
    const impact = market(0.5);
    impact.sell("ETH", 1_000_000, 0); // 0.5 · 1 M / 50 M = 1 %
    expect(impact.move("ETH", 2000n * UNIT, 0)).to.equal(1980n * UNIT);
    expect(impact.move("ETH", 2000n * UNIT, 600)).to.equal(1990n * UNIT);
    expect(impact.move("BTC", 2000n * UNIT, 0)).to.equal(2000n * UNIT);
    impact.sell("ETH", 1_000_000, 600); // 0.5 % left and 1 % more
    expect(impact.move("ETH", 2000n * UNIT, 600)).to.equal(1970n * UNIT);
    impact.sell("ETH", -3_000_000, 600); // bought: − 1.5 % + 3 %
    expect(impact.move("ETH", 2000n * UNIT, 600)).to.equal(2030n * UNIT);
  });

  it("does nothing at a fraction of zero, and never takes more than nine tenths", () => {
    const none = market(0);
    none.sell("ETH", 1e9, 0);
    expect(none.move("ETH", 2000n * UNIT, 0)).to.equal(2000n * UNIT);
    const all = market(100);
    all.sell("ETH", 1e9, 0);
    expect(all.move("ETH", 2000n * UNIT, 0)).to.equal(200n * UNIT);
  });
});

describe("Replay lab: what is counted", () => {
  it("MBS-3 counts a breach where a portfolio has lost more than MM by the end of a window", () => {
    const test = new BackTest(1, newBackTest());
    const account = accountOf(1000n * WAD, WAD, 2000n * WAD); // long 1 at 2,000, of which MM is 3 % and a little: 60.0016
    const see = (time: number, price: bigint) => {
      test.see(time, oneUnderlying(TERMS.risk, price * WAD), [1n], () => account);
    };
    see(0, 2000n);
    see(300, 1000n); // within the window
    see(600, 1940n); // − 60: no breach, and MM is 58.2015 from here
    see(1200, 1881n); // − 59: a breach, and MM is 56.4014 from here
    see(1800, 1850n); // − 31
    see(2400, 1790n); // − 60: a breach
    // LR = −2 ln(0.995² · 0.005²) + 2 ln(0.5⁴) = 21.2133 + 0.0201 − 5.5452 = 15.6683
    const { windows, breaches, ratio, pValue } = test.result;
    expect({ windows, breaches }).to.deep.equal({ windows: 4, breaches: 2 });
    expect(ratio).to.be.within(15.667, 15.669);
    expect(pValue).to.be.below(0.001);
  });

  it("MBS-3 the value at risk is a loss that one window in a hundred reaches, the shortfall the mean from there on", () => {
    const test = new BackTest(1, newBackTest());
    const account = accountOf(1000n * WAD, WAD, 2000n * WAD); // long 1, of which MM is 60.0016 at 2,000
    for (let i = 0n; i <= 200n; ++i) {
      const fall = i % 2n === 0n ? 0n : (i + 1n) / 2n; // 1, 2, … 100 USD and back
      test.see(Number(i) * 600, oneUnderlying(TERMS.risk, (2000n - fall) * WAD), [1n], () => account);
    }
    // Of 200 windows the three greatest losses are those of 98, 99 and 100 USD: 98 and 99 over 60.0016
    const { windows, valueAtRisk, expectedShortfall } = test.result;
    expect({ windows, valueAtRisk, expectedShortfall }).to.deep.equal({
      ...{ windows: 200, valueAtRisk: 1.63329, expectedShortfall: 1.649956 },
    });
  });

  it("takes quantiles by the nearest rank", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(quantiles(hundred)).to.deep.equal({ count: 100, p50: 50, p90: 90, p99: 99, max: 100 });
    expect(quantiles([12])).to.deep.equal({ count: 1, p50: 12, p90: 12, p99: 12, max: 12 });
    expect(quantiles([])).to.deep.equal({ count: 0, p50: 0, p90: 0, p99: 0, max: 0 });
  });

  it("refuses a run whose books do not add up, and lets late takers be", () => {
    const finding = (name: string, holds: boolean) => ({ name, holds, numbers: "1 ≠ 2" });
    expectSound([finding("USDC", true), finding(LIVENESS, false)]);
    expect(() => {
      expectSound([finding("USDC", false), finding(LIVENESS, false)]);
    })
      .to.throw(InvariantsBroken)
      .with.property("findings")
      .that.deep.equals(["USDC: 1 ≠ 2"]);
  });
});

describe("Replay lab: a fixed close factor", () => {
  /** Long 10 at 2,000: notional 20,000, MM 3 % and 0.00008 · 20,000 · … = 600.16, IM 1,000.27. */
  const portfolio = (equity: bigint, net = 10n * WAD): Portfolio => ({
    base: equity,
    underlyings: [
      {
        id: 0,
        price: 2000n * WAD,
        initialFactor: 10n ** 6n,
        maintenanceFactor: 10n ** 6n,
        net,
        gross: net,
        collaterals: [],
      },
    ],
  });
  const half = (p: Portfolio) => closeFactorRule(WAD / 2n)(p, TERMS.risk, WAD / 10n, 10n * WAD);

  it("sells its part, the whole where E ≤ d · MM or dust would be left, and nothing at E ≥ IM", () => {
    expect(half(portfolio(500n * WAD))).to.equal(WAD / 2n);
    expect(half(portfolio(61n * WAD))).to.equal(WAD / 2n);
    expect(half(portfolio(60n * WAD))).to.equal(WAD); // d · MM = 60.016
    expect(half(portfolio(1001n * WAD))).to.equal(0n);
    expect(half(portfolio(WAD / 2n, WAD / 101n))).to.equal(WAD); // 19.80 of notional: 9.90 would be left
    expect(half(portfolio(WAD / 2n, WAD / 99n))).to.equal(WAD / 2n); // 20.20 of notional: 10.10 would be left
  });
});
