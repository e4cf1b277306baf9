import { readFileSync } from "node:fs";

import type { PriceSnapshot } from "../../risk/types.ts";
import { loadCandles } from "../candles.ts";
import { MINUTE } from "../path.ts";
import type { Asset, PricePath } from "../path.ts";
import { FIRST_PRICES } from "../synthetic.ts";
import { regimeOf } from "./regime.ts";
import type { Regimes } from "./regime.ts";

const ANSWER_TO_WAD = 10n ** 10n;

/** Every minute of one asset: its lowest, highest and last price, before the last one with the factors of the minute before. */
export type Track = readonly Readonly<Record<Moment, PriceSnapshot>>[];

/** Where in its minute a price is looked at. */
export type Moment = "low" | "high" | "close";

/** Both assets over the same minutes. */
export interface Tracks {
  readonly source: string;
  readonly minutes: number;
  readonly byAsset: Readonly<Record<Asset, Track>>;
}

/**
 * Reads candle files with the lows and highs of their minutes.
 * @throws the errors of `loadCandles`
 */
export function loadTracks(files: readonly string[], regimes: Regimes): Tracks {
  const path = loadCandles(files, FIRST_PRICES);
  return tracksOf(path, regimes, new Map(files.map((file) => [assetOf(file), readExtremes(file)])));
}

/** The tracks of a path; without `extremes` by asset and start of the minute [s] no price leaves the closes. */
export function tracksOf(
  path: PricePath,
  regimes: Regimes,
  extremes: ReadonlyMap<Asset, ReadonlyMap<number, Extremes>> = new Map(),
): Tracks {
  const track = (asset: Asset): Track => {
    const closes = path.prices[asset].map((answer) => answer * ANSWER_TO_WAD);
    const snapshots = regimeOf(closes, regimes[asset]);
    return snapshots.map((close, i) => {
      const bounds = extremes.get(asset)?.get((path.times[i] ?? 0) - MINUTE);
      const before = snapshots[i - 1] ?? close;
      const { low, high } = bounds ?? { low: close.price, high: close.price };
      return { low: { ...before, price: low }, high: { ...before, price: high }, close };
    });
  };
  return { source: path.source, minutes: path.times.length, byAsset: { ETH: track("ETH"), BTC: track("BTC") } };
}

/** Lowest and highest price of a minute [wad]. */
interface Extremes {
  low: bigint;
  high: bigint;
}

/** By start of the minute [s]; `loadCandles` has checked the file. */
function readExtremes(file: string): ReadonlyMap<number, Extremes> {
  const [, ...lines] = readFileSync(file, "utf8").split(/\r?\n/);
  return new Map(
    lines
      .filter((line) => line.trim() !== "")
      .map((line) => {
        const [time, , high, low] = line.split(",").map(Number) as [number, number, number, number];
        return [time, { low: wad(low), high: wad(high) }];
      }),
  );
}

function wad(price: number): bigint {
  return BigInt(Math.round(price * 1e8)) * ANSWER_TO_WAD;
}

function assetOf(file: string): Asset {
  return file.includes("BTC-USD") ? "BTC" : "ETH";
}
