import { Counter, Gauge, Registry } from "prom-client";

/** What a pusher counts. */
export type PusherMetrics = ReturnType<typeof createPusherMetrics>;

/** A fresh set of metrics in a registry of its own. */
export function createPusherMetrics() {
  const registry = new Registry();
  const named = <T extends string>(name: string, help: string, labelNames: T[]) => ({
    ...{ name: `plimsoll_pusher_${name}`, help, labelNames, registers: [registry] },
  });
  return {
    registry,
    ready: new Gauge(named("ready", "1 if nothing keeps the pusher from pushing, see /ready", [])),
    errors: new Counter(named("errors_total", "Looks at a feed that failed", ["pair"])),
    answer: new Gauge(named("answer", "Last answer of the feed", ["pair"])),
    age: new Gauge(named("answer_age_seconds", "Age of the last answer of the feed", ["pair"])),
    believed: new Gauge(named("source_believed", "1 if the source's price is believed", ["pair", "source"])),
    refusals: new Counter(named("refusals_total", "Prices not believed, by reason", ["pair", "source", "reason"])),
    results: new Counter(named("results_total", "Looks at a feed by what came of them", ["pair", "result"])),
    gasBalance: new Gauge(named("gas_balance_wei", "Balance of the signer", [])),
    gasRunway: new Gauge(named("gas_runway_seconds", "For how long the balance lasts at the last day's spending", [])),
  };
}
