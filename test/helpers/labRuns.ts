import type { Comparison, Quantiles, RunResult, Series, Totals } from "../../src/replay/lab/result.ts";

const START = 1_516_060_800; // [s] 2018-01-16 00:00 UTC
const MINUTE = 60; // [s]
const FUND = 1_000_000;

/** How much of a course is over at a share of the time: nothing before `from`, all after `to`. */
function ramp(share: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (share - from) / (to - from)));
}

/** Three policies over a crash of so many minutes: slices stay within the fund, whole accounts do not. */
export function labRuns(minutes: number): Comparison {
  const runs = [
    run("slices", minutes, 1, {
      ...{ liquidatedAccounts: 210, liquidations: 260, slices: 1_234, liquidatedNotional: 4_500_000 },
      ...{ minimumNotional: 4_000_000, penalties: 52_000.5, penaltiesToFund: 10_400.1, fundEnd: FUND + 6_400.1 },
      ...{ deficits: 4_000, fromFund: 4_000, marginCalls: 640, reactions: 300, outrun: 12 },
      ...{ breachToSlice: quantiles(260, 12, 60, 75, 185), breachToCure: quantiles(255, 90, 300, 3_720, 7_200) },
      ...{ takersProfit: 30_000, takersGas: 1_800, peakImpact: 0.0123, peakUtilisation: 0.61 },
    }),
    run("half, <50 %>", minutes, 2, {
      ...{ liquidatedAccounts: 210, liquidations: 300, slices: 700, liquidatedNotional: 9_000_000 },
      ...{ minimumNotional: 4_000_000, penalties: 90_000, penaltiesToFund: 18_000, fundEnd: FUND - 22_000 },
      ...{ deficits: 40_000, fromFund: 40_000, marginCalls: 650, reactions: 290, outrun: 30 },
      ...{ breachToSlice: quantiles(300, 12, 70, 95, 200), breachToCure: quantiles(280, 80, 280, 3_000, 7_000) },
      ...{ takersProfit: 55_000, takersGas: 1_200, peakImpact: 0.0345, peakUtilisation: 0.66 },
    }),
    run("whole account", minutes, 4, {
      ...{ liquidatedAccounts: 260, liquidations: 262, slices: 262, liquidatedNotional: 18_000_000 },
      ...{ minimumNotional: 4_500_000, penalties: 150_000, penaltiesToFund: 30_000, fundEnd: FUND - 370_000 },
      ...{
        deficits: 412_345.67,
        fromFund: 400_000,
        socialised: 10_000,
        fromLenders: 345.67,
        badDebt: 2_000,
        openDeficits: 0,
      },
      ...{ marginCalls: 700, reactions: 250, outrun: 4 },
      ...{ breachToSlice: quantiles(262, 12, 60, 75, 185), breachToCure: quantiles(0, 0, 0, 0, 0) },
      ...{ takersProfit: -1_500, takersGas: 700, peakImpact: 0.081, peakUtilisation: 0.7 },
    }),
  ];
  return { title: "Three policies", runs };
}

function run(name: string, minutes: number, scale: number, own: Partial<Totals>): RunResult {
  const totals: Totals = { ...NOTHING, ...own };
  return {
    ...{ name, policy: name, scenarioHash: `0x${String(scale).repeat(64)}`, latency: 60, seed: 7, accounts: 2_000 },
    ...{ source: "ETH and BTC of a made-up crash", totals, series: seriesOf(minutes, scale, totals) },
  };
}

/** A fall by 30 % with two steps; everything else follows its own ramp to what the totals say. */
function seriesOf(minutes: number, scale: number, totals: Totals): Series {
  const shares = Array.from({ length: minutes }, (_, i) => i / (minutes - 1));
  const course = (of: (share: number, i: number) => number) => shares.map(of);
  const wobble = (i: number) => 1 + Math.sin(i / 7) / 250 + Math.sin(i / 61) / 120;
  const fall = (s: number) => 1 - 0.2 * ramp(s, 0.3, 0.4) - 0.1 * ramp(s, 0.6, 0.7) + 0.05 * ramp(s, 0.75, 1);
  const price = (start: number) => (s: number, i: number) =>
    start * fall(s) * wobble(i) * (1 - totals.peakImpact * ramp(s, 0.35, 0.4) * (1 - ramp(s, 0.4, 0.9)));
  const [eth, btc] = [course(price(1_280)), course(price(13_600))];
  const feed = (prices: readonly number[]) => prices.map((_, i) => prices[i - (i % 5)] ?? 0);
  const hump = (s: number, from: number) => ramp(s, from, from + 0.05) * (1 - ramp(s, from + 0.1, from + 0.2));
  const sold = (s: number) => 0.7 * ramp(s, 0.33, 0.45) + 0.3 * ramp(s, 0.62, 0.72);
  return {
    ...{ time: shares.map((_, i) => START + i * MINUTE) },
    ...{ price: { ETH: eth, BTC: btc }, feed: { ETH: feed(eth), BTC: feed(btc) } },
    belowMaintenance: course((s) => Math.round(scale * (20 * hump(s, 0.33) + 9 * hump(s, 0.62)))),
    belowInitial: course((s) => Math.round(scale * (60 * hump(s, 0.31) + 30 * hump(s, 0.6)))),
    liquidatedNotional: course((s) => totals.liquidatedNotional * sold(s)),
    penalties: course((s) => totals.penalties * sold(s)),
    fund: course((s) => totals.fundStart + (totals.fundEnd - totals.fundStart) * sold(s)),
    deficits: course((s) => totals.deficits * ramp(s, 0.36, 0.42)),
    openInterest: course((s) => 30_000_000 - totals.liquidatedNotional * sold(s)),
    utilisation: course((s) => 0.5 + (totals.peakUtilisation - 0.5) * hump(s, 0.35)),
  };
}

function quantiles(count: number, p50: number, p90: number, p99: number, max: number): Quantiles {
  return { count, p50, p90, p99, max };
}

const NOTHING: Totals = {
  ...{ blocks: 14_400, transactions: 5_000, liquidatedAccounts: 0, liquidations: 0, slices: 0 },
  ...{ liquidatedNotional: 0, minimumNotional: 0, penalties: 0, penaltiesToFund: 0, fundStart: FUND, fundEnd: FUND },
  ...{
    deficits: 0,
    fromFund: 0,
    socialised: 0,
    fromLenders: 0,
    badDebt: 0,
    rescues: 0,
    openDeficits: 0,
    openBeyondFund: 0,
    marginCalls: 0,
    reactions: 0,
  },
  ...{ breachToSlice: quantiles(0, 0, 0, 0, 0), breachToCure: quantiles(0, 0, 0, 0, 0) },
  marginTest: {
    horizon: 600,
    confidence: 0.995,
    windows: 8_000,
    breaches: 52,
    ratio: 3.3,
    pValue: 0.069,
    valueAtRisk: 0.93,
    expectedShortfall: 1.1,
  },
  ...{ peakUtilisation: 0, takersProfit: 0, takersGas: 0, outrun: 0, peakImpact: 0 },
};
