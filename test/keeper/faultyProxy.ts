import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A request as a node gets it. */
export interface Asked {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What goes wrong with a request; one that is dropped or refused takes its whole batch with it. Without `result`, `status` or `drop` the node answers after all. */
export interface Fault {
  /** [ms] before the node gets it */
  readonly delay?: number;
  /** request: the node never gets it; answer: it does, but nobody hears */
  readonly drop?: "request" | "answer";
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** instead of what the node would say */
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A way to a node that can be made to fail. */
export interface FaultyProxy {
  readonly url: string;
  /** Every request so far. */
  readonly asked: Asked[];
  /** How many times it was spoken to; a batch counts once. */
  requests: number;
  /** Decides on the fault of each request; none if it gives nothing. */
  fault: (asked: Asked) => Fault | undefined;
  count(method: string): number;
  stop(): Promise<void>;
}

/** Starts a proxy of a node that works until it is told otherwise. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const asked: Asked[] = [];
  const proxy = {
    asked,
    requests: 0,
    fault: (): Fault | undefined => undefined,
    count: (method: string) => asked.filter((one) => one.method === method).length,
  } as Omit<FaultyProxy, "url" | "stop">;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = JSON.parse(await bodyOf(request)) as Asked | Asked[];
    const payloads = [body].flat();
    asked.push(...payloads);
    proxy.requests += 1;
    const faults = payloads.map((payload) => proxy.fault(payload) ?? {});
    const [delay, drop, refusal] = [
      Math.max(...faults.map((fault) => fault.delay ?? 0)),
      faults.map((fault) => fault.drop).find((one) => one !== undefined),
      faults.find(({ status }) => status !== undefined),
    ];
    if (delay > 0) await sleep(delay);
    if (drop === "request") return void response.destroy();
    if (refusal?.status !== undefined) return void response.writeHead(refusal.status, refusal.headers).end("faulty");
    const answers = await Promise.all(payloads.map((payload, i) => answerTo(target, payload, faults[i] ?? {})));
    if (drop === "answer") return void response.destroy();
    const text = Array.isArray(body) ? `[${answers.join()}]` : answers[0];
    response.writeHead(200, { "content-type": "application/json" }).end(text);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  return Object.assign(proxy, { url, stop });
}

async function answerTo(target: string, payload: Asked, { result, error }: Fault): Promise<string> {
  if (result === undefined && error === undefined) return ask(target, JSON.stringify(payload));
  return JSON.stringify({ jsonrpc: "2.0", id: payload.id, ...(error === undefined ? { result } : { error }) });
}

async function ask(url: string, body: string): Promise<string> {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return response.text();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
