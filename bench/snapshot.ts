import { readFileSync, writeFileSync } from "node:fs";

import type { GasTable } from "./chain.ts";

const FILE = new URL("./gas.json", import.meta.url);

/** Gas with Chainlink's mock aggregator as the feed, and with its real proxy in front. */
export interface GasSnapshot {
  mock: GasTable;
  proxy: GasTable;
}

/** Most that an operation may cost with the mock feed. */
export const LIMITS: GasTable = {
  "deposit cash again": 72_000,
  "withdraw cash, one perpetual": 118_000,
  "two signed orders: open": 215_000,
  "two signed orders: increase": 175_000,
  "settle a perpetual": 80_000,
  "liquidation call on a healthy account": 75_000,
  "liquidate one perpetual, taker opens": 180_000,
  "by session keys: open": 230_000,
  "by session keys: increase": 190_000,
  "by session keys, further fill: one taker, a maker increases": 65_000,
  "by session keys, further fill: a distinct pair increases": 110_000,
  "check, each further market, own underlyings": 33_000,
  "check, each further collateral, own underlyings": 33_000,
  "check, each further market, one underlying": 9_000,
  "check, each further collateral, one underlying": 9_000,
};

/** The committed snapshot. */
export function readSnapshot(): GasSnapshot {
  return JSON.parse(readFileSync(FILE, "utf8")) as GasSnapshot;
}

export function writeSnapshot(snapshot: GasSnapshot): void {
  writeFileSync(FILE, `${JSON.stringify(snapshot, undefined, 2)}\n`);
}
