import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { SingleBar } from "cli-progress";

import { loadCandles } from "./candles.ts";
import { OptionInvalid } from "./errors.ts";
import { page } from "./page.ts";
import { truncate } from "./path.ts";
import type { PricePath } from "./path.ts";
import { replay } from "./replay.ts";
import type { Progress, Replay } from "./replay.ts";
import { report } from "./report.ts";
import { FIRST_PRICES, syntheticCrash } from "./synthetic.ts";

const SYNTHETIC_MINUTES = 24 * 60;
const MOST_DROP = 95; // [%] of a synthetic crash
const LINES = 20; // of progress where there is no terminal

/** What a command line says about prices. */
export interface PathOptions {
  prices?: string;
  seed: string;
  minutes?: string;
  /** [%] of ETH's first price, of a synthetic crash */
  drop?: string;
}

/** What the command line says. */
export interface DemoOptions extends PathOptions {
  out: string;
}

/**
 * The main job: replays prices, prints what happened and writes the page. Returns whether every invariant holds.
 * @throws OptionInvalid, the errors of `loadCandles` and those of `replay`
 */
export async function demo(options: DemoOptions, output: NodeJS.WriteStream = process.stdout): Promise<boolean> {
  const prices = choosePath(options);
  output.write(`${prices.source}: ${prices.times.length} minutes\nstarting a chain, deploying, opening accounts …\n`);
  const started = performance.now();
  const progress = showProgress(output);
  const result = await replay(prices, progress.update).finally(progress.stop);
  const file = await writePage(result, options.out);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  output.write(`${report(result)}\n\n${seconds} s; page: ${file}\n`);
  return result.findings.every((finding) => finding.holds);
}

/**
 * The path that the options ask for: candles, or a synthetic crash.
 * @throws OptionInvalid and the errors of `loadCandles`
 */
export function choosePath({ prices, seed, minutes, drop }: PathOptions): PricePath {
  const length = minutes === undefined ? undefined : integer("minutes", minutes, 2);
  const number = integer("seed", seed, 0);
  if (prices === undefined) return syntheticCrash(number, length ?? SYNTHETIC_MINUTES, share(drop));
  if (drop !== undefined) throw new OptionInvalid("drop", drop, "left out where --prices says how prices move");
  const files = prices.split(",").map((file) => file.trim());
  if (files.includes("")) throw new OptionInvalid("prices", prices, "a file, or two files separated by a comma");
  const candles = loadCandles(files, FIRST_PRICES);
  return length === undefined ? candles : truncate(candles, length);
}

/** Per cent as a share. */
function share(drop: string | undefined): number | undefined {
  if (drop === undefined) return undefined;
  const percent = Number(drop);
  if (/^\d+(\.\d+)?$/.test(drop) && percent > 0 && percent <= MOST_DROP) return percent / 100;
  throw new OptionInvalid("drop", drop, `per cent above 0, ${MOST_DROP} at most`);
}

/** @throws OptionInvalid */
export function integer(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new OptionInvalid(option, text, `a whole number of at least ${least}`);
  }
  return value;
}

async function writePage(result: Replay, file: string): Promise<string> {
  const target = path.resolve(file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, page(result));
  return target;
}

/** A bar on a terminal, a line every five per cent elsewhere. */
function showProgress(output: NodeJS.WriteStream): { update: Progress; stop: () => void } {
  if (!output.isTTY)
    return {
      update: (minute, minutes) => {
        line(output, minute, minutes);
      },
      stop: () => undefined,
    };
  const bar = new SingleBar({
    format: "replaying {bar} {percentage} % | minute {value} of {total} | {duration_formatted}, {eta_formatted} to go",
    stream: output,
    hideCursor: true,
  });
  const update: Progress = (minute, minutes) => {
    if (minute === 1) bar.start(minutes, 0);
    bar.update(minute);
  };
  return {
    update,
    stop: () => {
      bar.stop();
    },
  };
}

function line(output: NodeJS.WriteStream, minute: number, minutes: number): void {
  const share = (m: number) => Math.floor((m * LINES) / minutes);
  if (share(minute) === share(minute - 1)) return;
  output.write(`replaying: ${(share(minute) * 100) / LINES} %, minute ${minute} of ${minutes}\n`);
}
