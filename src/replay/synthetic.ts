import { MINUTE } from "./path.ts";
import type { Asset, PricePath } from "./path.ts";

const START = 1_767_225_600; // 2026-01-01 00:00 UTC
const LOW_AT = 0.65; // share of the time at which the low is reached
const CORRELATION = 0.85;
const FEED_UNIT = 1e8;

/** How one asset falls. Shares are of its first price, `volatility` the standard deviation of the whole path's log return. */
interface Fall {
  first: number; // [USD]
  low: number;
  last: number;
  volatility: number;
}

/** By how much ETH falls unless somebody says otherwise. */
export const DEFAULT_DROP = 0.35;

const ETH: Fall = { first: 2000, low: 0.65, last: 0.71, volatility: 0.07 };
const BTC: Fall = { first: 30_000, low: 0.74, last: 0.8, volatility: 0.05 };

/** First prices of the synthetic crash, in a feed's 8 decimals; assets without candles stay at them. */
export const FIRST_PRICES: Readonly<Record<Asset, bigint>> = { ETH: answer(ETH.first), BTC: answer(BTC.first) };

const JUMPS = 24; // mean number of jumps of the whole path
const JUMP_SIZE = 0.012; // mean size of a jump, downwards
const JUMP_SPREAD = 0.008;

/**
 * A seeded crash of both assets: correlated jump diffusion, pinned so that ETH stands `drop` below its first price after two thirds
 * of the time, and BTC three quarters of that. The same seed and length give the same path.
 * @param seed any integer
 * @param minutes length of the path
 * @param drop share of its first price that ETH loses, below 1
 */
export function syntheticCrash(seed: number, minutes: number, drop = DEFAULT_DROP): PricePath {
  const random = generator(seed);
  const eth: number[] = [0];
  const btc: number[] = [0];
  const step = 1 / Math.sqrt(minutes);
  for (let i = 1; i < minutes; i++) {
    const common = normal(random);
    const own = normal(random);
    const jump = random() < JUMPS / minutes ? -Math.max(0, JUMP_SIZE + JUMP_SPREAD * normal(random)) : 0;
    const mixed = CORRELATION * common + Math.sqrt(1 - CORRELATION ** 2) * own;
    eth.push((eth[i - 1] ?? 0) + ETH.volatility * step * common + jump);
    btc.push((btc[i - 1] ?? 0) + BTC.volatility * step * mixed + jump * CORRELATION);
  }
  return {
    source: `synthetic crash, seed ${seed}`,
    times: eth.map((_, i) => START + (i + 1) * MINUTE),
    prices: { ETH: pin(eth, deepened(ETH, drop)), BTC: pin(btc, deepened(BTC, drop)) },
  };
}

/** The fall with every loss in proportion to that of ETH at the low. */
function deepened({ low, last, ...fall }: Fall, drop: number): Fall {
  const by = drop / DEFAULT_DROP;
  return { ...fall, low: 1 - (1 - low) * by, last: 1 - (1 - last) * by };
}

/** Bends a path of log returns so that it passes through the low and ends at the last price. */
function pin(path: readonly number[], fall: Fall): bigint[] {
  const end = path.length - 1;
  const low = Math.round(end * LOW_AT);
  const offLow = Math.log(fall.low) - (path[low] ?? 0);
  const offLast = Math.log(fall.last) - (path[end] ?? 0);
  return path.map((x, i) => {
    const bend =
      i <= low ? offLow * (low === 0 ? 1 : i / low) : offLow + ((offLast - offLow) * (i - low)) / (end - low);
    return answer(fall.first * Math.exp(x + bend));
  });
}

function answer(price: number): bigint {
  return BigInt(Math.round(price * FEED_UNIT));
}

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A standard normal number (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
