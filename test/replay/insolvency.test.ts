import { expect } from "chai";

import { WAD } from "../../src/risk/fixed.ts";
import { tracksOf } from "../../src/replay/insolvency/path.ts";
import type { Tracks } from "../../src/replay/insolvency/path.ts";
import { play } from "../../src/replay/insolvency/play.ts";
import type { Outcome, Setting } from "../../src/replay/insolvency/play.ts";
import { regimeOf } from "../../src/replay/insolvency/regime.ts";
import { claimsOf } from "../../src/replay/insolvency/report.ts";
import type { Row } from "../../src/replay/insolvency/report.ts";
import { search } from "../../src/replay/insolvency/search.ts";
import { anyStrategy } from "../../src/replay/insolvency/strategy.ts";
import type { Strategy } from "../../src/replay/insolvency/strategy.ts";
import { defaultRegimes, defaultTerms, OPEN_INTEREST } from "../../src/replay/insolvency/terms.ts";
import { generator, syntheticCrash } from "../../src/replay/synthetic.ts";

const MINUTES = 720;
const EFFORT = { moves: 4, random: 60, climbs: 3, steps: 30 };
const TERMS = defaultTerms();
const CALM = { ETH: undefined, BTC: undefined }; // μ = 1 for ever

function settingOf(tracks: Tracks, delay: number, part: Partial<Setting> = {}): Setting {
  return { terms: TERMS, tracks, openInterest: OPEN_INTEREST, delay, wicks: false, ...part };
}

/** ETH at `closes` [USD], one a minute. */
function ethAt(closes: readonly number[]): Tracks {
  const prices = (usd: number) => BigInt(Math.round(usd * 1e8));
  return tracksOf(
    {
      source: "by hand",
      times: closes.map((_, i) => 60 * (i + 1)),
      prices: { ETH: closes.map(prices), BTC: closes.map(() => prices(30_000)) },
    },
    CALM,
  );
}

/** A long and a short of 1,000,000 USD, 2 % of what the others hold, at 20 ×; the long is let go at once. */
const PLAIN: Strategy = {
  lean: { ETH: 1 },
  release: 0,
  hold: 0,
  every: 0,
  threshold: 0,
  trades: false,
  floor: 1,
  margin: 1,
  notional: 0.02,
  wallets: 1,
  offset: 0,
  coins: 0,
  flags: false,
  takesAfter: -1,
  runs: true,
  stays: false,
  rounds: 1,
};

describe("Trading with oneself into insolvency", () => {
  describe("one strategy, worked out by hand, size charge left aside", () => {
    const flat = new Map([...TERMS.risk.underlyings].map(([id, u]) => [id, { ...u, slope: 0n }]));
    const terms = { ...TERMS, risk: { ...TERMS.risk, underlyings: flat } };
    const wadOf = (usd: number) => BigInt(Math.round(usd * 1e9)) * 10n ** 9n;
    const near = (actual: bigint, usd: number, tolerance: number) =>
      expect(actual).to.be.closeTo(wadOf(usd), wadOf(tolerance));
    const outcomeOf = (closes: readonly number[], delay: number, part: Partial<Strategy> = {}) =>
      play({ ...PLAIN, ...part }, settingOf(ethAt(closes), delay, { terms }));

    it("a gap of 10 % costs fund and other shorts what the long cannot pay", () => {
      const { gain, bound, losses } = outcomeOf([2000, 1800, 1800], 0);
      // The long pays in IM of 5 % and a fee of 5 bp: 50,000 + 500. At 1,800 it has lost 100,000: a deficit of 50,000.
      near(losses.fees, 500, 1e-6);
      near(losses.deficits, 50_000, 0.01);
      expect(losses.penalties).to.equal(0n);
      // The fund of 400,000 pays a tenth, the shorts the rest: 500 ETH of the pair's and 25,000 of others, 0.39 USD each.
      near(losses.fromFund, 40_000, 1e-6);
      near(losses.socialised, 10_000, 0.01);
      expect(losses.badDebt).to.equal(0n);
      // gain = 40,000 + 10,000 · 25,000 / 25,500 − 500 = 49,303.92
      near(gain, 49_303.92, 0.01);
      // caps: 40,000 and 0.25 % of 25,000 · 1,800 = 112,500
      near(bound, 152_500, 1e-6);
    });

    it("beyond the caps the others' winners pay, if he is paid from their losers first", () => {
      const { gain, bound, losses } = outcomeOf([2000, 1800, 1800], 0, { notional: 1 });
      // Fifty times the same: a deficit of 2,500,000. The fund pays 40,000; 50,000 ETH of shorts pay 4.50 each, half of it his own.
      near(losses.fromFund, 40_000, 1e-6);
      near(losses.socialised, 225_000, 1e-6);
      near(losses.badDebt, 2_235_000, 1);
      // His short was paid 5,000,000 out of the 5,000,000 that other longs lost, before anybody could know of the deficit.
      // gain = 40,000 + 112,500 + 2,235,000 − a fee of 25,000
      near(gain, 2_362_500, 1);
      near(bound, 152_500, 1e-6);
    });

    it("a fall of 3 % costs the penalty of a slice and the fees", () => {
      const { gain, losses } = outcomeOf([2000, 1940, 1940], 0);
      // E = 20,000, MM = 3 % · 970,000 = 29,100, d = 5 %, IM = 48,500. E − f·1,455 = IM·(1 − f) at f = 28,500 / 47,045 = 0.6058,
      // at 1.001·IM 0.6062: cost f·1,455 = 881.4 to 882.0. Closing what is left: 197.1 ETH at 1,940 with 5 bp = 191.2 to 191.0.
      expect(losses.slices).to.equal(1);
      expect(losses.penalties).to.be.within(wadOf(881.4), wadOf(882.1));
      expect(losses.fees).to.be.within(wadOf(690.9), wadOf(691.3));
      expect(losses.deficits).to.equal(0n);
      expect(gain).to.be.closeTo(-losses.penalties - losses.fees, wadOf(1e-6));
    });

    it("his own taker gets all of the penalty but the fund's fifth", () => {
      const { gain, losses } = outcomeOf([2000, 1940, 1940], 0, { takesAfter: 0 });
      expect(gain).to.be.closeTo(-losses.penalties / 5n - losses.fees, wadOf(1e-6));
    });

    it("a rescue is paid once the loser has been under water on the clock", () => {
      const { gain, losses } = outcomeOf([2000, 1900, 1900, 1900, 1900], 5, { flags: true, takesAfter: 2 });
      // E = 0 (50,000 − 50,000 and less than a cent). First seen below d·MM at the first flag, taken two minutes of clock later:
      // 120 / 180 of half of MM = 3 % · 950,000: 9,500.
      near(losses.rescues, 9500, 0.01);
      near(gain, 9000, 0.01);
    });

    it("in cash centred every minute, a slow fall costs the opening and closing fee", () => {
      const closes = Array.from({ length: 60 }, (_, i) => 2000 - 4 * i);
      const { gain, losses } = outcomeOf(closes, 0, { release: 59, hold: 59, every: 1 });
      // 500 ETH: 5 bp of 1,000,000 and of 500 · 1,764 = 882,000
      expect(losses.slices).to.equal(0);
      near(gain, -941, 0.01);
    });
  });

  describe("a search on a synthetic crash", () => {
    const crash = syntheticCrash(1, MINUTES);
    const tracks = tracksOf(crash, defaultRegimes());
    const calm = tracksOf(crash, CALM);
    const rowOf = (delay: number, part: Partial<Setting> = {}): Row => ({
      delay,
      ...search(settingOf(tracks, delay, part), EFFORT, 1),
    });

    it("finds no gain with a taker within two minutes, and none above its bound with a later one", () => {
      const rows = [0, 1, 2, 10].map((delay) => rowOf(delay));
      for (const { best } of rows) expect(best).not.to.equal(undefined);
      for (const claim of claimsOf(rows)) expect(claim.holds, `${claim.name}: ${claim.numbers}`).to.equal(true);
    });

    it("finds a gain with a taker after twenty minutes and requirements that volatility does not raise", () => {
      const { best } = rowOf(20, { tracks: calm });
      expect(best!.outcome.gain > 0n).to.equal(true);
    });

    it("finds more without the caps on fund and ℓ than they would allow", () => {
      const { best } = rowOf(20, { tracks: calm, terms: { ...TERMS, capped: false } });
      const { gain, losses } = best!.outcome;
      expect(losses.badDebt).to.equal(0n);
      // at most a tenth of 400,000 and 0.25 % of 50,000,000 in each of two markets, and the fund's income
      expect(gain > 2n * (40_000n + 125_000n) * WAD).to.equal(true);
    });

    it("leaves every market's books whole, whatever is tried", () => {
      const random = generator(7);
      const outcomes: Outcome[] = [];
      for (let i = 0; i < 60; ++i) {
        const strategy = anyStrategy(random, ["ETH", "BTC"], MINUTES, 5);
        outcomes.push(play(strategy, settingOf(calm, 5)));
      }
      for (const { imbalance } of outcomes) expect(imbalance < 10_000n).to.equal(true); // [wei]
    });

    it("finds the same with the same seed", () => {
      const effort = { moves: 1, random: 5, climbs: 1, steps: 3 };
      const once = search(settingOf(calm, 5), effort, 3);
      expect(search(settingOf(calm, 5), effort, 3)).to.deep.equal(once);
    });
  });

  it("MM-2 the regime raises IM at once and MM by its step", () => {
    const regime = { referenceVolatility: 800_000n, averaging: 14_400n, maxFactor: 3_000_000n, maxStep: 250_000n };
    // A move of 1 % in every minute is a volatility of 0.01 · √525,600 = 7.25 a year: more than three times σ_ref.
    const closes = Array.from({ length: 121 }, (_, i) => (i % 2 === 0 ? 2000n : 2020n) * WAD);
    const snapshots = regimeOf(closes, regime);
    expect(snapshots[1]!.maintenanceFactor).to.equal(1_000_000n); // the target is known after the first move
    expect(Number(snapshots[61]!.maintenanceFactor)).to.be.closeTo(1_250_000, 60); // 25 % an hour, each minute's floored
    expect(snapshots[120]!.initialFactor).to.equal(3_000_000n);
  });
});
