import { createServer } from "node:http";
import type { Server } from "node:http";

import { Counter, Gauge, Registry } from "prom-client";

/** What a keeper counts. */
export interface Metrics {
  readonly registry: Registry;
  readonly actions: Counter<"action" | "result">;
  readonly errors: Counter;
  readonly marginCalls: Counter;
  readonly accounts: Gauge<"state">;
  readonly block: Gauge;
  readonly lag: Gauge;
}

/** A fresh set of metrics in a registry of its own. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    actions: new Counter({
      name: "plimsoll_keeper_actions_total",
      help: "Actions by kind and result",
      labelNames: ["action", "result"],
      registers,
    }),
    errors: new Counter({ name: "plimsoll_keeper_errors_total", help: "Passes that failed", registers }),
    marginCalls: new Counter({ name: "plimsoll_keeper_margin_calls_total", help: "Margin calls made", registers }),
    accounts: new Gauge({
      name: "plimsoll_keeper_accounts",
      help: "Accounts by margin state",
      labelNames: ["state"],
      registers,
    }),
    block: new Gauge({ name: "plimsoll_keeper_block", help: "Block the mirror stands at", registers }),
    lag: new Gauge({
      name: "plimsoll_keeper_lag_seconds",
      help: "Age of the mirror's block when its pass ended",
      registers,
    }),
  };
}

/** Serves the metrics for Prometheus on every path of a port. */
export function serveMetrics(metrics: Metrics, port: number): Server {
  return createServer((_request, response) => {
    void metrics.registry.metrics().then((text) => {
      response.setHeader("content-type", metrics.registry.contentType).end(text);
    });
  }).listen(port);
}
