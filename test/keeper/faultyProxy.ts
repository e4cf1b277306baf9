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

/** What goes wrong with a request. Without `result`, `status` or `drop` the node answers after all. */
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
    fault: (): Fault | undefined => undefined,
    count: (method: string) => asked.filter((one) => one.method === method).length,
  } as Omit<FaultyProxy, "url" | "stop">;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request);
    const payload = JSON.parse(body) as Asked;
    asked.push(payload);
    const fault = proxy.fault(payload) ?? {};
    if (fault.delay !== undefined) await sleep(fault.delay);
    if (fault.drop === "request") return void response.destroy();
    if (fault.status !== undefined) return void response.writeHead(fault.status, fault.headers).end("faulty");
    const instead = fault.error !== undefined ? { error: fault.error } : { result: fault.result };
    const own = fault.error !== undefined || fault.result !== undefined;
    const text = own ? JSON.stringify({ jsonrpc: "2.0", id: payload.id, ...instead }) : await ask(target, body);
    if (fault.drop === "answer") return void response.destroy();
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

async function ask(url: string, body: string): Promise<string> {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return response.text();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
