import { readFileSync } from "node:fs";
import path from "node:path";

import { keccak256 } from "ethers";

import { assetOf, readCandles, unbroken } from "../replay/candles.ts";
import type { Candle } from "../replay/candles.ts";
import { ASSETS, MINUTE } from "../replay/path.ts";
import type { Asset } from "../replay/path.ts";
import { WindowsOverlap } from "./errors.ts";

const FEED_UNIT = 1e8;

/** The candles of one file, a close and a volume every minute: one without a trade keeps the last close. */
export interface Window {
  readonly file: string;
  readonly asset: Asset;
  /** keccak256 of the file */
  readonly digest: string;
  /** [s] start of the first minute */
  readonly from: number;
  /** in a feed's 8 decimals */
  readonly closes: readonly bigint[];
  /** [USD] */
  readonly volumes: readonly number[];
}

/**
 * Reads candle files; several of one asset are windows apart from each other, in the order of their times, whatever order they are
 * named in.
 * @throws CandleFileUnreadable, CandleColumnsWrong, CandleFileEmpty, CandleInvalid, CandlesMissing, UnknownAsset, WindowsOverlap
 */
export function readHistory(files: readonly string[]): Map<Asset, Window[]> {
  const windows = files
    .map(readWindow)
    .sort((a, b) => ASSETS.indexOf(a.asset) - ASSETS.indexOf(b.asset) || a.from - b.from);
  const history = Map.groupBy(windows, ({ asset }) => asset);
  for (const list of history.values()) {
    list.forEach((window, i) => {
      expectApart(list[i - 1], window);
    });
  }
  return history;
}

function expectApart(before: Window | undefined, { file, from }: Window): void {
  if (before !== undefined && from < before.from + before.closes.length * MINUTE) {
    throw new WindowsOverlap([before.file, file]);
  }
}

function readWindow(file: string): Window {
  const asset = assetOf(file);
  const candles = unbroken(readCandles(file), file);
  return { file: path.basename(file), asset, digest: keccak256(readFileSync(file)), ...everyMinute(candles) };
}

function everyMinute(candles: readonly Candle[]): Pick<Window, "closes" | "from" | "volumes"> {
  const closes: bigint[] = [];
  const volumes: number[] = [];
  for (const { time, close, volume } of candles) {
    const minute = (time - (candles[0]?.time ?? time)) / MINUTE;
    const last = closes.at(-1) ?? close;
    while (closes.length < minute) {
      closes.push(last);
      volumes.push(0);
    }
    closes.push(close);
    volumes.push((volume * Number(close)) / FEED_UNIT);
  }
  return { from: candles[0]?.time ?? 0, closes, volumes };
}
