import type { AddressInfo } from "node:net";

import Fastify from "fastify";
import type { FastifyInstance } from "fastify";
import type { Gauge, Registry } from "prom-client";

const REQUEST_TIMEOUT = 10_000; // [ms]

/** Where a server listens, and what it tells of its service. */
export interface StatusOptions {
  readonly policy: { readonly host: string; readonly port: number };
  readonly metrics: { readonly registry: Registry; readonly ready: Gauge };
  /** [ms] When the service last did what it does; `undefined` before the first time. By the names that `/health` gives them. */
  readonly times: () => Readonly<Record<string, number | undefined>>;
  /** What keeps the service from its work, and what to do about it. */
  readonly reasons: () => readonly string[] | Promise<readonly string[]>;
}

/** `/metrics`, `/health` and `/ready` of a running service. */
export class StatusServer {
  protected readonly http: FastifyInstance;
  readonly #options: StatusOptions;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.http = Fastify({ requestTimeout: REQUEST_TIMEOUT, forceCloseConnections: true, logger: false });
    this.#route();
  }

  /** Listens; returns the port. */
  async listen(): Promise<number> {
    const { host, port } = this.#options.policy;
    await this.http.listen({ host, port });
    return (this.http.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await this.http.close();
  }

  #route(): void {
    const { metrics, times } = this.#options;
    this.http.get("/metrics", async (_request, reply) => {
      await this.#reasons(); // sets the metric of readiness
      return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
    });
    this.http.get("/health", () => {
      const texts = Object.entries(times()).map(([name, time]) => [name, textOf(time)] as const);
      return { alive: true, ...Object.fromEntries(texts) };
    });
    this.http.get("/ready", async (_request, reply) => {
      const reasons = await this.#reasons();
      return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
    });
  }

  async #reasons(): Promise<readonly string[]> {
    const reasons = await this.#options.reasons();
    this.#options.metrics.ready.set(reasons.length === 0 ? 1 : 0);
    return reasons;
  }
}

/** The reason not to be ready of a signer whose gas lasts for `runway` [s] where `wanted` [s] are needed. */
export function gasReason(runway: number, wanted: number): string {
  const hours = (seconds: number) => (seconds / 3600).toFixed(1);
  return `the signer's gas lasts ${hours(runway)} h, ${hours(wanted)} h are wanted: send it more`;
}

function textOf(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
