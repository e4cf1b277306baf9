import type { AddressInfo } from "node:net";

import Fastify from "fastify";
import type { FastifyInstance } from "fastify";

import type { PusherServerPolicy } from "./config.ts";
import type { PusherMetrics } from "./metrics.ts";
import type { PusherStatus } from "./pusher.ts";

const REQUEST_TIMEOUT = 10_000; // [ms]

export interface PusherServerOptions {
  readonly policy: PusherServerPolicy;
  readonly metrics: PusherMetrics;
  readonly status: () => PusherStatus;
}

/** `/metrics`, `/health` and `/ready` of a running pusher. */
export class PusherServer {
  readonly #options: PusherServerOptions;
  readonly #http: FastifyInstance;

  constructor(options: PusherServerOptions) {
    this.#options = options;
    this.#http = Fastify({ requestTimeout: REQUEST_TIMEOUT, forceCloseConnections: true, logger: false });
    this.#route();
  }

  /** Listens; returns the port. */
  async listen(): Promise<number> {
    const { host, port } = this.#options.policy;
    await this.#http.listen({ host, port });
    return (this.#http.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  #route(): void {
    const { metrics, status } = this.#options;
    this.#http.get("/metrics", async (_request, reply) => {
      this.#reasons(); // sets the metric of readiness
      return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
    });
    this.#http.get("/health", () => {
      const { lastLook } = status();
      return { alive: true, lastLook: lastLook === undefined ? null : new Date(lastLook).toISOString() };
    });
    this.#http.get("/ready", (_request, reply) => {
      const reasons = this.#reasons();
      return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
    });
  }

  /** What keeps the pusher from pushing, and what to do about it. */
  #reasons(): string[] {
    const { status, policy, metrics } = this.#options;
    const { lastLook, problems, gasRunway } = status();
    const reasons = [...problems].map(([pair, problem]) => `${pair} is not kept up: ${problem}`);
    if (lastLook === undefined) reasons.push("nothing was looked at yet: wait for the sources");
    if (gasRunway < policy.minGasRunway) {
      const hours = (seconds: number) => (seconds / 3600).toFixed(1);
      const wanted = hours(policy.minGasRunway);
      reasons.push(`the signer's gas lasts ${hours(gasRunway)} h, ${wanted} h are wanted: send it more`);
    }
    metrics.ready.set(reasons.length === 0 ? 1 : 0);
    return reasons;
  }
}
