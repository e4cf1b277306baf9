import type { Asset } from "../path.ts";

/** Which way the account that is let go leans in each market: 1 long, −1 short. */
export type Lean = Readonly<Partial<Record<Asset, 1 | -1>>>;

/** What the owner of a pair of accounts does; he lets go of the one called the loser. Times are minutes. */
export interface Strategy {
  readonly lean: Lean;
  readonly release: number; // minute after which the loser gets no more help
  readonly hold: number; // how long before it the pair is opened and kept centred
  readonly every: number; // least time between two re-centrings, 0 = never
  readonly threshold: number; // least move of a price since the last re-centring
  readonly trades: boolean; // re-centres by closing and opening anew, not by moving cash from the winner to the loser
  readonly floor: number; // what the loser is kept at, in multiples of MM
  readonly margin: number; // what both accounts open with, in multiples of IM
  readonly notional: number; // of one side, in multiples of the others' open interest
  readonly wallets: number; // over how many pairs it is spread
  readonly offset: number; // of the opening fill from the mark, in parts of the price band; positive: the loser pays
  readonly coins: number; // collateral of the loser in the market's own coin, in parts of its size; a hedge if it is short
  readonly flags: boolean; // runs the loser's clocks from its first minute below MM
  readonly takesAfter: number; // takes the loser himself so long after its first minute below MM; −1 = never
  readonly runs: boolean; // settles everybody else's losses just before he collects
  readonly stays: boolean; // keeps what a slice leaves of the loser
  readonly rounds: number; // how often he does it within 24 hours
}

/** The most and least of every number. */
export const RANGES = {
  hold: [0, 300],
  every: [0, 60],
  threshold: [0, 0.02],
  floor: [1, 1.7],
  margin: [1, 2],
  notional: [0.005, 3],
  wallets: [1, 200],
  offset: [-1, 1],
  coins: [0, 1],
  rounds: [1, 4],
} as const;

const LEANS: readonly Lean[] = [
  { ETH: 1 },
  { ETH: -1 },
  { BTC: 1 },
  { BTC: -1 },
  { ETH: 1, BTC: 1 },
  { ETH: -1, BTC: -1 },
  { ETH: 1, BTC: -1 },
  { ETH: -1, BTC: 1 },
];

/** Uniform numbers in [0, 1). */
export type Random = () => number;

/** The leans in the markets that have prices of their own. */
export function leansOf(assets: readonly Asset[]): Lean[] {
  return LEANS.filter((lean) => (Object.keys(lean) as Asset[]).every((asset) => assets.includes(asset)));
}

/** Any strategy. */
export function anyStrategy(random: Random, assets: readonly Asset[], minutes: number, delay: number): Strategy {
  const between = ([low, high]: readonly [number, number]) => low + (high - low) * random();
  const scaled = ([low, high]: readonly [number, number]) => low * (high / low) ** random();
  const chance = (p: number) => random() < p;
  const release = Math.floor(random() * minutes);
  return {
    lean: pick(random, leansOf(assets)),
    release,
    hold: Math.min(release, Math.floor(between(RANGES.hold) * random())),
    every: chance(0.2) ? 0 : pick(random, [1, 1, 1, 2, 5, 15, 60]),
    threshold: chance(0.6) ? 0 : between(RANGES.threshold),
    trades: chance(0.2),
    floor: chance(0.6) ? 1 : between(RANGES.floor),
    margin: chance(0.7) ? 1 : between(RANGES.margin),
    notional: scaled(RANGES.notional),
    wallets: Math.round(scaled(RANGES.wallets)),
    offset: chance(0.5) ? 0 : between(RANGES.offset),
    coins: chance(0.6) ? 0 : between(RANGES.coins) * random(),
    flags: chance(0.5),
    takesAfter: chance(0.5) ? -1 : Math.floor(random() * (delay + 1)),
    runs: chance(0.7),
    stays: chance(0.3),
    rounds: chance(0.7) ? 1 : Math.ceil(random() * RANGES.rounds[1]),
  };
}

/** A strategy near another: one to three of its parts are changed. */
export function neighbour(
  strategy: Strategy,
  random: Random,
  assets: readonly Asset[],
  minutes: number,
  delay: number,
): Strategy {
  const fresh = anyStrategy(random, assets, minutes, delay);
  const next: Record<string, unknown> = { ...strategy };
  const keys = Object.keys(fresh) as (keyof Strategy)[];
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; --changes) {
    const key = pick(random, keys);
    next[key] = nudge(key, strategy[key], fresh[key], random);
  }
  const moved = next as unknown as Strategy;
  const release = clamp(moved.release, 0, minutes - 1);
  return { ...moved, release, hold: Math.min(moved.hold, release) };
}

/** A number near the old one, or anything new. */
function nudge(key: keyof Strategy, old: Strategy[keyof Strategy], fresh: unknown, random: Random): unknown {
  if (typeof old !== "number" || random() < 0.3) return fresh;
  if (key === "release") return old + pick(random, [-5, -2, -1, 1, 2, 5]);
  if (key === "takesAfter" || key === "every" || key === "rounds") return fresh;
  const [low, high] = RANGES[key as keyof typeof RANGES];
  const near = clamp(old * (0.7 + 0.6 * random()) + (old === 0 ? 0.05 * high * random() : 0), low, high);
  return key === "hold" || key === "wallets" ? Math.round(near) : near;
}

/** A strategy in a few words. */
export function describe(s: Strategy): string {
  const leans = Object.entries(s.lean).map(([asset, sign]) => `${sign === 1 ? "long" : "short"} ${asset}`);
  const centred =
    s.every === 0 ? "not re-centred" : `re-centred ${s.trades ? "by trades" : "in cash"} every ${s.every}'`;
  const words = [
    `${leans.join(" ")} let go at ${s.release}'`,
    `held ${s.hold}'`,
    centred,
    ...(s.threshold > 0 ? [`after ${(100 * s.threshold).toFixed(1)} %`] : []),
    `floor ${s.floor.toFixed(2)} MM`,
    `margin ${s.margin.toFixed(2)} IM`,
    `${s.wallets} wallets`,
    ...(s.offset === 0 ? [] : [`offset ${s.offset.toFixed(2)}`]),
    ...(s.coins === 0 ? [] : [`coins ${s.coins.toFixed(2)}`]),
    ...(s.flags ? ["flags"] : []),
    ...(s.takesAfter < 0 ? [] : [`takes it himself after ${s.takesAfter}'`]),
    ...(s.runs ? ["collects first"] : []),
    ...(s.rounds > 1 ? [`${s.rounds} rounds`] : []),
  ];
  return words.join(", ");
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

export function clamp(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}
