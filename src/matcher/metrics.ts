import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What a matcher counts. */
export interface MatcherMetrics {
  readonly registry: Registry;
  readonly commands: Counter<"type">;
  readonly events: Counter<"type">;
  readonly refusals: Counter<"error">;
  readonly settlements: Counter<"result">;
  readonly chainErrors: Counter;
  readonly openOrders: Gauge;
  readonly heldOrders: Gauge;
  readonly waitingFills: Gauge;
  readonly connections: Gauge;
  readonly block: Gauge;
  readonly durable: Histogram;
}

/** A fresh set of metrics in a registry of its own. */
export function createMatcherMetrics(): MatcherMetrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: T[] = []) =>
    new Counter<T>({ name: `plimsoll_matcher_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name: `plimsoll_matcher_${name}`, help, registers });
  return {
    registry,
    commands: counter("commands_total", "Commands carried out", ["type"]),
    events: counter("events_total", "Events of the engine", ["type"]),
    refusals: counter("refusals_total", "Requests refused", ["error"]),
    settlements: counter("settlements_total", "Passes of the settlement by result", ["result"]),
    chainErrors: counter("chain_errors_total", "Passes that the node made fail"),
    openOrders: gauge("open_orders", "Live orders"),
    heldOrders: gauge("held_orders", "Live orders that are held outside the books"),
    waitingFills: gauge("waiting_fills", "Fills that wait for their settlement"),
    connections: gauge("connections", "Open WebSocket connections"),
    block: gauge("block", "Block up to which the chain was read"),
    durable: new Histogram({
      name: "plimsoll_matcher_durable_seconds",
      help: "Time from a command to the disk",
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
      registers,
    }),
  };
}
