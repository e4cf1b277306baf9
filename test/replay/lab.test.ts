import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

import { expect } from "chai";

import { comparisonJson } from "../../src/replay/lab/comparison.ts";
import {
  OpeningFailed,
  ReplayStopped,
  ScenarioInvalid,
  StateBroken,
  StateForeign,
} from "../../src/replay/lab/errors.ts";
import type { RunResult } from "../../src/replay/lab/result.ts";
import { runScenario } from "../../src/replay/lab/run.ts";
import type { RunOptions } from "../../src/replay/lab/run.ts";
import { parseScenario } from "../../src/replay/lab/scenario.ts";
import { MINUTE } from "../../src/replay/path.ts";
import type { PricePath } from "../../src/replay/path.ts";
import { syntheticCrash } from "../../src/replay/synthetic.ts";

const START = 1_767_225_600; // 2026-01-01 00:00 UTC
const AFTERMATH = 30; // minutes that every run goes on at the last prices

/** Nothing but prices, in a regime that never changes, and a taker to whom every slice is worth its trouble. */
const EAGER = { capital: 1_000_000, leastProfit: 0, latency: 60 };
const PLAIN = {
  ...{ gasPrice: 0, spread: 0, oracle: { delay: 0 }, takers: [EAGER] },
  parameters: { underlyings: { ETH: { maxFactor: "1" } } },
};

/** ETH at each minute [USD], BTC at 30,000. */
function prices(...eth: number[]): PricePath {
  return {
    source: "by hand",
    times: eth.map((_, i) => START + (i + 1) * MINUTE),
    prices: { ETH: eth.map((price) => BigInt(price) * 10n ** 8n), BTC: eth.map(() => 3_000_000_000_000n) },
  };
}

/**
 * Long 10 ETH at 2,000, where IM is 5/3 · (3 % · 20,000 + 2 % · 20,000² / 50 M) = 1,000.27. After a fee of 10, at P:
 *
 *     E = cash − 10 − 10 · (2,000 − P)        MM = 0.3 · P + 4e-8 · P²        IM = 5/3 · MM
 */
const long = (cash: number, more: object = {}) => ({ cash, position: { ETH: 20_000 }, ...more });

/** Falls to 1,950 in the third minute: with 1,050 of cash E = 540 and MM = 585.15. */
const FALL = prices(2000, 2000, 1950, 1950);

function run(given: object, path: PricePath, options: RunOptions = {}): Promise<RunResult> {
  return runScenario(parseScenario(given), path, options);
}

/** What a run ends with that does not come to its end. */
async function failureOf(running: Promise<unknown>): Promise<unknown> {
  return running.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("Replay lab: runs", function () {
  this.timeout(60_000);

  it("MBS-3 an account above MM is left alone, and its owner called, once an hour at most", async () => {
    // At 1,955: E = 590, MM = 586.65, IM = 977.75; a minute later it is at IM again, and below it another minute later.
    const { totals, series } = await run({ ...PLAIN, population: [long(1050)] }, prices(2000, 2000, 1955, 2000, 1955));
    expect(totals).to.include({ marginCalls: 1, liquidations: 0, slices: 0, liquidatedNotional: 0, penalties: 0 });
    expect(totals.breachToSlice.count).to.equal(0);
    expect(series.belowInitial.slice(0, 5)).to.deep.equal([0, 0, 1, 0, 1]);
  });

  it("MBS-3 the margin test ends with the path: minutes in which prices stand still after it are no windows", async () => {
    const flat = prices(...Array.from({ length: 25 }, () => 2000));
    const { totals, series } = await run({ ...PLAIN, population: [long(1050)] }, flat);
    expect(series.time).to.have.length(25 + AFTERMATH);
    expect(totals.marginTest.windows).to.equal(2); // minutes 0 to 10 and 10 to 20
  });

  for (const latency of [24, 120]) {
    it(`the first slice comes ${latency} s after the breach with takers of that latency`, async () => {
      const takers = [{ ...EAGER, latency }];
      const { totals, series } = await run({ ...PLAIN, takers, population: [long(1050)] }, FALL);
      expect(totals.breachToSlice).to.deep.equal({ count: 1, p50: latency, p90: latency, p99: latency, max: latency });
      expect(totals.breachToCure.max).to.equal(latency);
      expect(totals).to.include({ liquidations: 1, slices: 1, liquidatedAccounts: 1, deficits: 0 });
      // the third minute ends below MM; 24 s are over by then
      expect(series.belowMaintenance[2]).to.equal(latency > MINUTE ? 1 : 0);
    });
  }

  // d · MM = 5 % · 585.152 = 29.2576 for all of 19,500.
  // f = (IM − E) / (IM − d · MM) = 435.25 / 946.00 = 0.4601, at most 0.6 ‰ more, 0.7 ‰ less for the slope: 8,959 to 8,984.
  const SOLD = { slices: [8959, 8984, 13.44, 13.49], "whole account": [19_500, 19_500, 29.26, 29.26] } as const;
  for (const [policy, bounds] of Object.entries({ ...SOLD, half: [9750, 9750, 14.63, 14.63] as const })) {
    it(`the policy "${policy}" sells ${bounds[0]} USD of 19,500`, async () => {
      const { totals } = await run({ ...PLAIN, policy, population: [long(1050)] }, FALL);
      expect(totals).to.include({ slices: 1, liquidations: 1 });
      expect(totals.liquidatedNotional).to.be.within(bounds[0], bounds[1]);
      expect(totals.penalties).to.be.within(bounds[2], bounds[3]);
      expect(totals.penaltiesToFund).to.be.within(totals.penalties / 5 - 0.01, totals.penalties / 5 + 0.01);
      expect(totals.minimumNotional).to.be.within(8959, 8984); // whatever is sold
      // the taker keeps four fifths, and pays the fee on what it hedges
      const kept = (totals.penalties * 4) / 5 - totals.liquidatedNotional * 0.0005;
      expect(totals.takersProfit).to.be.within(kept - 0.02, kept + 0.02);
    });
  }

  it("ADL-5 a taker without capital takes nothing, and the deficit stands; with capital the fund pays it", async () => {
    const crash = prices(2000, 2000, 1700); // E = 1,040 − 3,000 = −1,960
    const idle = await run({ ...PLAIN, takers: [{ ...EAGER, capital: 0 }], population: [long(1050)] }, crash);
    expect(idle.totals).to.include({ slices: 0, deficits: 1960, fromFund: 0, openDeficits: 1960, fundEnd: 500_000 });
    expect(idle.series.deficits.at(-1)).to.equal(1960);
    const { totals } = await run({ ...PLAIN, population: [long(1050)] }, crash);
    expect(totals).to.include({
      slices: 1,
      deficits: 1960,
      fromFund: 1960,
      socialised: 0,
      badDebt: 0,
      openDeficits: 0,
    });
    // and a reward for who takes what is worth nothing; no fee or reserve is swept so soon
    expect(totals.rescues).to.be.above(0);
    expect(totals.fundEnd).to.be.within(498_040 - totals.rescues - 0.01, 498_040 - totals.rescues + 0.01);
  });

  it("ADL-5 what nobody has taken by the end is the fund's to pay, up to a tenth of it for a market, and beyond it from there", async () => {
    const idle = { ...PLAIN, takers: [], fund: 10_000, population: [long(1050)] };
    const { totals } = await run(idle, prices(2000, 2000, 1700));
    // 1,960 as above, of which the fund pays 10 % of 10,000
    expect(totals).to.include({ openDeficits: 1960, openBeyondFund: 960, fromFund: 0, socialised: 0, fundEnd: 10_000 });
    const rich = await run({ ...idle, fund: 100_000 }, prices(2000, 2000, 1700));
    expect(rich.totals).to.include({ openDeficits: 1960, openBeyondFund: 0 });
  });

  it("of two takers that send for one account the second comes too late", async () => {
    const { totals } = await run({ ...PLAIN, takers: [EAGER, EAGER], population: [long(1050)] }, FALL);
    expect(totals).to.include({ slices: 1, outrun: 1 });
  });

  it("a congested block has room for some liquidations only, and gas costs a multiple", async () => {
    const congestion = { volatility: 0.01, gasMultiple: 10, liquidationsPerBlock: 1 };
    const crowd = { ...PLAIN, gasPrice: 0.2, population: [long(1050), long(1050)] };
    const free = await run({ ...crowd, congestion: { volatility: 1000 } }, FALL);
    expect(free.totals.breachToSlice).to.include({ count: 2, p50: 60, max: 60 });
    const { totals } = await run({ ...crowd, congestion }, FALL);
    expect(totals.breachToSlice).to.include({ count: 2, p50: 60, max: 72 });
    expect(totals.takersGas / free.totals.takersGas).to.be.within(8, 12); // the same calls, to a cent or two
  });

  it("CRA-4 sales move the price, so that others fall whom the path alone would have spared", async () => {
    // At 1,950 the second one has E = 640 of MM 585. 100 · 8,970 / 50 M = 1.8 % less is 1,915: E = 290 of MM 575.
    const population = [long(1050), long(1150)];
    const calm = await run({ ...PLAIN, population }, FALL);
    expect(calm.totals).to.include({ liquidatedAccounts: 1, peakImpact: 0 });
    expect(Math.min(...calm.series.price.ETH)).to.equal(1950);
    const { totals, series } = await run({ ...PLAIN, population, impact: { fraction: 100 } }, FALL);
    expect(totals.liquidatedAccounts).to.equal(2);
    expect(totals.peakImpact).to.be.above(0.0179); // and what the second one adds
    expect(Math.min(...series.price.ETH)).to.be.below(1915.1);
    expect(Math.min(...series.feed.ETH)).to.be.below(1915.1);
  });

  for (const [how, interest] of [
    ["top up", 19_510], // to 1.1 · 980.26: E = 988 at 1,951, where IM is 975.75
    ["reduce", 11_588.94], // by 1 − 640 / (1.1 · 980.26) = 40.6 % to 5.94: E = 582.6 at 1,951, where IM is 579.5
  ] as const) {
    it(`an owner who answers a margin call in time is not sold: ${how}`, async () => {
      // At 1,960 he has E = 640 of IM 980.26, two minutes later what he needs at 1,951, where E would be 550 of MM 585.45.
      const reaction = { how, delay: 120 };
      const path = prices(2000, 1960, 1960, 1960, 1960, 1951);
      const exact = { ...PLAIN, oracle: { delay: 0, deviation: 0.001 } };
      const { totals, series } = await run({ ...exact, population: [long(1050, { reaction })] }, path);
      expect(totals).to.include({ marginCalls: 1, reactions: 1, liquidations: 0 });
      expect(series.openInterest.at(-1)).to.equal(interest);
    });
  }

  it("an owner who reduces in two markets has answered one call", async () => {
    // After fees of 20 he has E = 2,080 of IM 2,000.4; at 1,960 it is 1,680 of IM 1,980.4 and MM 1,188.2
    const both = { cash: 2100, position: { ETH: 20_000, BTC: 20_000 }, reaction: { how: "reduce", delay: 120 } };
    const { totals, series } = await run({ ...PLAIN, population: [both] }, prices(2000, 1960, 1960, 1960, 1960));
    expect(totals).to.include({ marginCalls: 1, reactions: 1, liquidations: 0 });
    expect(series.openInterest.at(-1)).to.be.below(39_600 * 0.8); // by 1 − 1,680 / (1.1 · 1,980.4) = 22.9 %
  });

  it("says what keeps it from beginning", async () => {
    const unknown = { parameters: { underlyings: { DOGE: { shock: "3%" } } } };
    expect(await failureOf(run(unknown, FALL)))
      .to.be.instanceOf(ScenarioInvalid)
      .with.property("message")
      .that.includes("DOGE");
    const odd = { parameters: { underlyings: { ETH: { shock: "much" } } } };
    expect(await failureOf(run(odd, FALL))).to.be.instanceOf(ScenarioInvalid);
    expect(await failureOf(run({ population: [{ borrowed: 100 }] }, FALL))).to.be.instanceOf(OpeningFailed);
  });
});

describe("Replay lab: stopped and gone on with", function () {
  this.timeout(60_000);
  const crash = syntheticCrash(3, 40, 0.2);
  const given = { seed: 3, accounts: 40, impact: { fraction: 1 } };
  const bytes = (result: RunResult) => comparisonJson({ title: "", runs: [result] });
  let folder: string;
  let whole: RunResult;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "lab-"));
    whole = await run(given, crash);
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Stops a run after its minute 25. */
  async function stop(state: string, scenario: object = given): Promise<void> {
    const stopping = new AbortController();
    const onMinute = ({ minute }: { minute: number }) => {
      if (minute === 25) stopping.abort();
    };
    const failure = await failureOf(run(scenario, crash, { state, onMinute, signal: stopping.signal }));
    expect(failure)
      .to.be.instanceOf(ReplayStopped)
      .and.to.include({ minute: 25, minutes: 40 + AFTERMATH });
  }

  it("liquidates, so that there is something to repeat", () => {
    expect(whole.totals.slices).to.be.above(5);
    expect(whole.totals.reactions).to.be.above(0);
    expect(whole.series.time).to.have.length(40 + AFTERMATH);
  });

  it("ends with the same bytes, stopped or not, and knows the end from then on", async () => {
    const state = path.join(folder, "state");
    await stop(state);
    const minutes: number[] = [];
    const later = await run(given, crash, { state, onMinute: ({ minute }) => minutes.push(minute) });
    expect(minutes[0]).to.equal(26);
    expect(bytes(later)).to.equal(bytes(whole));
    const known = await run(given, crash, { state, onMinute: () => expect.fail("run again") });
    expect(bytes(known)).to.equal(bytes(whole));
  });

  it("keeps what is on its way under a replaced engine", async () => {
    const halves = { ...given, policy: "half" as const };
    const state = path.join(folder, "halves");
    await stop(state, halves);
    expect(bytes(await run(halves, crash, { state }))).to.equal(bytes(await run(halves, crash)));
  });

  it("takes over the state of a run that never began", async () => {
    const state = path.join(folder, "begun");
    const odd = { parameters: { underlyings: { ETH: { shock: "much" } } } };
    expect(await failureOf(run({ ...given, ...odd }, crash, { state }))).to.be.instanceOf(ScenarioInvalid);
    await stop(state);
  });

  it("refuses the state of another run, blocks that lead elsewhere, and what is no state", async () => {
    const state = path.join(folder, "foreign");
    await stop(state);
    expect(await failureOf(run({ ...given, seed: 4 }, crash, { state }))).to.be.instanceOf(StateForeign);
    const database = new DatabaseSync(state);
    database.exec("UPDATE block SET time = time + 1 WHERE number = (SELECT max(number) FROM block)");
    database.close();
    expect(await failureOf(run(given, crash, { state })))
      .to.be.instanceOf(StateBroken)
      .with.property("message")
      .that.includes("its blocks lead to");
    const text = path.join(folder, "text");
    writeFileSync(text, "once upon a time");
    expect(await failureOf(run(given, crash, { state: text }))).to.be.instanceOf(StateBroken);
  });
});
