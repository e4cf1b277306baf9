import { ASSETS } from "../path.ts";
import type { Asset } from "../path.ts";
import { generator } from "../synthetic.ts";
import { play } from "./play.ts";
import type { Outcome, Setting } from "./play.ts";
import { anyStrategy, leansOf, neighbour } from "./strategy.ts";
import type { Lean, Random, Strategy } from "./strategy.ts";

const HOUR = 60;
const HOLDS = [0, 60, 240];
const NEAR = 15; // minutes within which two strategies count as the same place to climb from

/** How much is tried for one delay. */
export interface Effort {
  readonly moves: number; // steepest moves that each lean is released before
  readonly random: number; // strategies drawn at random
  readonly climbs: number; // places that the search climbs from
  readonly steps: number; // neighbours tried in each climb
}

/** A strategy and what it brought. */
export interface Try {
  readonly strategy: Strategy;
  readonly outcome: Outcome;
}

/** What a search found among strategies whose loser was liquidated. */
export interface Findings {
  readonly plays: number;
  readonly best: Try | undefined; // largest gain in USD; of losses the smallest part of the notional
  readonly steepest: Try | undefined; // largest gain as a part of the notional
  readonly excess: Try | undefined; // largest gain above what fund, ℓ and other winners' unpaid profit allow
}

/**
 * Looks for the strategy that gains most: a grid over the steepest moves and every hour, strategies drawn at random, then climbing
 * from the best places. The same seed finds the same.
 * @param starts strategies that are tried too
 * @param tell is told after every play how much of the work is done, from 0 to 1
 */
export function search(
  setting: Setting,
  effort: Effort,
  seed: number,
  starts: readonly Strategy[] = [],
  tell?: (share: number) => void,
): Findings {
  const random = generator(seed);
  const assets = movingAssets(setting);
  const { minutes } = setting.tracks;
  const grid = [...starts, ...gridOf(setting, assets, effort.moves)];
  const total = grid.length + effort.random + effort.climbs * effort.steps;
  const record = new Record();
  const attempt = (strategy: Strategy): Try => {
    const result = { strategy, outcome: play(strategy, setting) };
    record.add(result);
    tell?.(Math.min(1, record.plays / total));
    return result;
  };
  const tries = grid.map(attempt);
  for (let i = 0; i < effort.random; ++i) tries.push(attempt(anyStrategy(random, assets, minutes, setting.delay)));
  for (const start of places(tries, effort.climbs)) climb(start, attempt, random, assets, setting, effort.steps);
  return record;
}

class Record implements Findings {
  plays = 0;
  best: Try | undefined;
  steepest: Try | undefined;
  excess: Try | undefined;

  add(result: Try): void {
    this.plays += 1;
    if (result.outcome.losses.slices === 0) return;
    if (better(score, result, this.best)) this.best = result;
    if (better(shareOf, result, this.steepest)) this.steepest = result;
    if (better(excessOf, result, this.excess)) this.excess = result;
  }
}

/** Gain as a part of the notional. */
export function shareOf({ outcome: { gain, notional } }: Try): number {
  return Number(gain) / Number(notional);
}

/** Gain above what the caps allow and what was recorded as bad debt [USD]. */
export function excessOf({ outcome: { gain, bound, losses } }: Try): number {
  return Number(gain - bound - losses.badDebt) / 1e18;
}

/** Gains in USD, losses as parts of the notional, so that nothing is gained by losing on a smaller one. */
function score(result: Try): number {
  if (result.outcome.losses.slices === 0) return -Infinity;
  const gain = Number(result.outcome.gain) / 1e18;
  return gain > 0 ? gain : shareOf(result);
}

function better(by: (result: Try) => number, result: Try, than: Try | undefined): boolean {
  return than === undefined || by(result) > by(than);
}

function climb(
  start: Try,
  attempt: (strategy: Strategy) => Try,
  random: Random,
  assets: readonly Asset[],
  { tracks, delay }: Setting,
  steps: number,
): void {
  let here = start;
  for (let step = 0; step < steps; ++step) {
    const next = attempt(neighbour(here.strategy, random, assets, tracks.minutes, delay));
    if (score(next) >= score(here)) here = next;
  }
}

/** The best tries that are not near a better one. */
function places(tries: readonly Try[], count: number): Try[] {
  const found: Try[] = [];
  for (const next of [...tries].sort((a, b) => score(b) - score(a))) {
    if (found.length === count) break;
    const key = JSON.stringify(next.strategy.lean);
    const near = ({ strategy }: Try) =>
      JSON.stringify(strategy.lean) === key && Math.abs(strategy.release - next.strategy.release) < NEAR;
    if (!found.some(near)) found.push(next);
  }
  return found;
}

/** Assets whose price is not the same all the time. */
function movingAssets({ tracks }: Setting): Asset[] {
  return ASSETS.filter((asset) => new Set(tracks.byAsset[asset].map(({ close }) => close.price)).size > 1);
}

/** The plain attack, released before the steepest moves within the taker's delay and, in single markets, at every hour. */
function gridOf(setting: Setting, assets: readonly Asset[], moves: number): Strategy[] {
  const hours = Array.from({ length: Math.floor(setting.tracks.minutes / HOUR) }, (_, i) => i * HOUR);
  return leansOf(assets).flatMap((lean) => {
    const steep = steepest(setting, lean, moves).flatMap((release) =>
      HOLDS.flatMap((hold) => [-1, setting.delay].map((takesAfter) => plain(lean, release, hold, takesAfter))),
    );
    if (Object.keys(lean).length > 1) return steep;
    return [...steep, ...hours.map((release) => plain(lean, release, HOUR, -1))];
  });
}

/** Minutes before which prices go furthest against the loser, relative to its maintenance factor. */
function steepest({ tracks, delay, wicks }: Setting, lean: Lean, count: number): number[] {
  const moves = Array.from({ length: tracks.minutes }, (_, minute) => {
    const against = (Object.entries(lean) as [Asset, 1 | -1][]).map(([asset, sign]) => {
      const now = tracks.byAsset[asset][minute]?.close;
      const then = tracks.byAsset[asset][minute + 1 + delay]?.[wicks ? (sign === 1 ? "low" : "high") : "close"];
      if (now === undefined || then === undefined) return 0;
      return (sign * (1 - Number(then.price) / Number(now.price))) / Number(now.maintenanceFactor);
    });
    return { minute, move: against.reduce((sum, move) => sum + move, 0) };
  });
  return moves
    .sort((a, b) => b.move - a.move)
    .slice(0, count)
    .map(({ minute }) => minute);
}

/** Twenty times, kept at MM in cash until it is let go. */
function plain(lean: Lean, release: number, hold: number, takesAfter: number): Strategy {
  return {
    lean,
    release,
    hold: Math.min(hold, release),
    every: 1,
    threshold: 0,
    trades: false,
    floor: 1,
    margin: 1,
    notional: 0.1,
    wallets: 50,
    offset: 0,
    coins: 0,
    flags: takesAfter >= 0,
    takesAfter,
    runs: true,
    stays: false,
    rounds: 1,
  };
}
