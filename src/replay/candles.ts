import { readFileSync } from "node:fs";
import path from "node:path";

import {
  AssetRepeated,
  CandleColumnsWrong,
  CandleFileEmpty,
  CandleFileUnreadable,
  CandleInvalid,
  CandlesMissing,
  NoCommonMinutes,
  UnknownAsset,
} from "./errors.ts";
import { ASSETS, MINUTE } from "./path.ts";
import type { Asset, PricePath } from "./path.ts";

const COLUMNS = "timestamp,open,high,low,close,volume";
const FEED_DECIMALS = 8;
const LONGEST_SILENCE = 60; // minutes without a trade; a longer hole says nothing about prices

/** The close of one minute: `time` is its start [s], `close` in a feed's 8 decimals, `volume` what was traded [coins]. */
export interface Candle {
  time: number;
  close: bigint;
  volume: number;
}

/**
 * Reads candle files into one path on the minutes that all of them cover. A minute without a trade keeps the last close; an asset
 * without a file stays at its price in `flat` [8 decimals].
 * @throws CandleFileUnreadable, CandleColumnsWrong, CandleFileEmpty, CandleInvalid, CandlesMissing, UnknownAsset, AssetRepeated,
 * NoCommonMinutes
 */
export function loadCandles(files: readonly string[], flat: Readonly<Record<Asset, bigint>>): PricePath {
  const byAsset = new Map<Asset, string>();
  for (const file of files) {
    const asset = assetOf(file);
    const other = byAsset.get(asset);
    if (other !== undefined) throw new AssetRepeated(asset, [other, file]);
    byAsset.set(asset, file);
  }
  const candles = new Map([...byAsset].map(([asset, file]) => [asset, unbroken(readCandles(file), file)]));
  const times = commonMinutes([...candles.values()], files);
  const prices = (asset: Asset) => {
    const list = candles.get(asset);
    return list === undefined ? times.map(() => flat[asset]) : fill(list, times);
  };
  return {
    source: files.map((file) => path.basename(file)).join(", "),
    times: times.map((t) => t + MINUTE), // a close is known at the end of its minute
    prices: { ETH: prices("ETH"), BTC: prices("BTC") },
  };
}

/**
 * The candles of a file, if no hole in them is too long for a price to stand still.
 * @throws CandlesMissing
 */
export function unbroken(candles: Candle[], file: string): Candle[] {
  candles.forEach(({ time }, i) => {
    const missing = ((candles[i + 1]?.time ?? time + MINUTE) - time) / MINUTE - 1;
    if (missing > LONGEST_SILENCE) throw new CandlesMissing(file, time, missing);
  });
  return candles;
}

/**
 * Reads the candles of one file.
 * @throws CandleFileUnreadable, CandleColumnsWrong, CandleFileEmpty, CandleInvalid
 */
export function readCandles(file: string): Candle[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new CandleFileUnreadable(file, error instanceof Error ? error.message : String(error));
  }
  return parseCandles(text, file);
}

/**
 * Reads candles from text in the columns timestamp, open, high, low, close, volume.
 * @param file what to call the text in an error
 * @throws CandleColumnsWrong, CandleFileEmpty, CandleInvalid
 */
export function parseCandles(text: string, file: string): Candle[] {
  const [header = "", ...lines] = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (text.trim() === "") throw new CandleFileEmpty(file);
  if (header.trim().toLowerCase() !== COLUMNS) throw new CandleColumnsWrong(file, header.trim(), COLUMNS);
  const candles: Candle[] = [];
  lines.forEach((line, i) => {
    if (line.trim() === "") return;
    const candle = parseCandle(line, file, i + 2);
    const last = candles.at(-1);
    if (last !== undefined && candle.time <= last.time) {
      throw new CandleInvalid(file, i + 2, `minute ${candle.time} does not follow minute ${last.time}`);
    }
    candles.push(candle);
  });
  if (candles.length === 0) throw new CandleFileEmpty(file);
  return candles;
}

function parseCandle(line: string, file: string, number: number): Candle {
  const fields = line.split(",").map((field) => field.trim());
  const columns = COLUMNS.split(",");
  if (fields.length !== columns.length) {
    throw new CandleInvalid(file, number, `${columns.length} columns expected, ${fields.length} found`);
  }
  const [timestamp = "", , , , close = "", traded = ""] = fields;
  const time = Number(timestamp);
  if (!/^\d+$/.test(timestamp) || time % MINUTE !== 0) {
    throw new CandleInvalid(file, number, `"${timestamp}" is not the start of a minute in Unix seconds`);
  }
  for (const column of ["open", "high", "low", "close"]) {
    const price = fields[columns.indexOf(column)] ?? "";
    if (!/^\d+(\.\d+)?$/.test(price) || Number(price) <= 0) {
      throw new CandleInvalid(file, number, `${column} must be a positive number, not "${price}"`);
    }
  }
  const volume = Number(traded);
  if (traded === "" || !Number.isFinite(volume) || volume < 0) {
    throw new CandleInvalid(file, number, `volume must be a number, zero or more, not "${traded}"`);
  }
  return { time, close: toAnswer(close), volume };
}

/** A price in a feed's 8 decimals; further digits are dropped. */
function toAnswer(price: string): bigint {
  const [whole = "0", fraction = ""] = price.split(".");
  return BigInt(whole + fraction.slice(0, FEED_DECIMALS).padEnd(FEED_DECIMALS, "0"));
}

/**
 * Whose prices a file holds, by its name.
 * @throws UnknownAsset
 */
export function assetOf(file: string): Asset {
  const asset = ASSETS.find((a) => path.basename(file).toUpperCase().startsWith(`${a}-USD`));
  if (asset === undefined) throw new UnknownAsset(file, ASSETS);
  return asset;
}

/** Every minute from the first that all lists know to the last that all of them reach. */
function commonMinutes(lists: readonly Candle[][], files: readonly string[]): number[] {
  const first = Math.max(...lists.map((list) => list[0]?.time ?? Infinity));
  const last = Math.min(...lists.map((list) => list.at(-1)?.time ?? -Infinity));
  if (first > last) throw new NoCommonMinutes(files);
  return Array.from({ length: (last - first) / MINUTE + 1 }, (_, i) => first + i * MINUTE);
}

/** The last close at each of `times`. */
function fill(candles: readonly Candle[], times: readonly number[]): bigint[] {
  let next = 0;
  let close = candles[0]?.close ?? 0n;
  return times.map((time) => {
    for (let c = candles[next]; c !== undefined && c.time <= time; c = candles[++next]) close = c.close;
    return close;
  });
}
