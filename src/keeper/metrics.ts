import { Counter, Gauge, Histogram, Registry } from "prom-client";

import { PPM } from "../risk/fixed.ts";
import { capUse } from "../risk/funding.ts";
import type { HouseState } from "../risk/types.ts";
import type { AddressBook } from "../sdk/addressBook.ts";

const LATENCY = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]; // [s]

/** What a keeper counts. */
export type Metrics = ReturnType<typeof createMetrics>;

/** A fresh set of metrics in a registry of its own. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const named = <T extends string>(name: string, help: string, labelNames: T[]) => ({
    ...{ name: `plimsoll_keeper_${name}`, help, labelNames, registers },
  });
  const counter = <T extends string = never>(name: string, help: string, labels: T[] = []) =>
    new Counter<T>(named(name, help, labels));
  const gauge = <T extends string = never>(name: string, help: string, labels: T[] = []) =>
    new Gauge<T>(named(name, help, labels));
  const histogram = (name: string, help: string) =>
    new Histogram({ ...named<never>(name, help, []), buckets: LATENCY });
  return {
    registry,
    ready: gauge("ready", "1 if nothing keeps the keeper from acting, see /ready"),
    errors: counter("errors_total", "Passes that failed"),
    // what it follows
    block: gauge("block", "Block the mirror stands at"),
    lag: gauge("head_lag_seconds", "Age of the newest block that the node knows"),
    mirrorLag: gauge("mirror_lag_blocks", "Blocks of the node that the mirror has not read"),
    announced: gauge("heads_announced", "0 while the node of WS_URL announces no blocks, so that they are polled for"),
    reorganisations: counter("reorganisations_total", "Reorganisations that were rolled back"),
    endpoints: gauge("endpoint_healthy", "1 if the endpoint is used, 0 if it is shunned", ["endpoint"]),
    // the house
    accounts: gauge("accounts", "Accounts by margin state", ["state"]),
    oracleAge: gauge("oracle_age_seconds", "Age of the last answer of an underlying's feed", ["underlying"]),
    oracleUsable: gauge("oracle_usable", "1 if the house uses the price of the underlying", ["underlying"]),
    fundingCapUse: gauge("funding_cap_ratio", "Share of its cap that a funding rate takes up, 1: it binds", ["market"]),
    // what it does
    actions: counter("actions_total", "Actions by kind and result", ["action", "result"]),
    marginCalls: counter("margin_calls_total", "Margin calls made"),
    decision: histogram("decision_seconds", "Time from a price to the decisions on all accounts that it touches"),
    submission: histogram("submission_seconds", "Time from a price to the submission of what it calls for"),
    notices: counter("notices_total", "Attempts to deliver notices by result", ["result"]),
    noticesDue: gauge("notices_due", "Deliveries of notices that are due"),
    // money
    gasSpent: counter("gas_spent_wei_total", "Paid for gas"),
    gasBalance: gauge("gas_balance_wei", "Balance of the signer"),
    gasRunway: gauge("gas_runway_seconds", "For how long the signer's balance lasts at the last day's spending"),
    profit: gauge("profit_usd", "Gains of liquidations less gas since the start"),
  };
}

/** Sets what the house at the head tells: usable prices, and how near funding is to its cap. */
export function countHouse(metrics: Metrics, house: HouseState, book: AddressBook): void {
  for (const { id, name } of book.underlyings)
    metrics.oracleUsable.set({ underlying: name }, house.prices.has(id) ? 1 : 0);
  for (const { id, name } of book.markets) {
    const market = house.markets.get(id);
    if (market === undefined) continue;
    metrics.fundingCapUse.set({ market: name }, Number(capUse(market, house.time)) / Number(PPM));
  }
}
