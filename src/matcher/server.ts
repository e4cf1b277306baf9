import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

import Fastify from "fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { WebSocket, WebSocketServer } from "ws";
import type { z } from "zod";

import { formatWad } from "../sdk/units.ts";
import { accountKey, openOrders } from "./bookOrder.ts";
import type { Applied } from "./engine.ts";
import type { Matcher } from "./matcher.ts";
import { RateLimiter } from "./rates.ts";
import type { Rate } from "./rates.ts";
import { Refusal } from "./refusals.ts";
import { openApi, PARAMETERS, placeMany, REQUESTS, socketRequest } from "./schemas.ts";
import { orderView } from "./views.ts";

const MAX_BODY = 512 * 1024; // [bytes]
const MAX_MESSAGE = 4096; // [bytes] of a client on a WebSocket
const MAX_DEPTH = 5; // of JSON
const REQUEST_TIMEOUT = 10_000; // [ms]
const PING_INTERVAL = 20_000; // [ms]
const CLOSE_POLICY = 1008;
const CLOSE_SLOW = 1013;

/** Bounds of the interface. */
export interface ServerPolicy {
  readonly host: string;
  readonly port: number; // 0 = any that is free
  /** Requests of one address; a request with several orders counts as many. */
  readonly addressRate: Rate;
  /** Messages of one WebSocket connection. */
  readonly messageRate: Rate;
  readonly maxConnections: number;
  /** WebSocket connections of one address. */
  readonly maxConnectionsPerAddress: number;
  /** Channels of one connection. */
  readonly maxSubscriptions: number;
  /** [bytes] that may wait for a slow reader before he is cut off. */
  readonly maxBuffered: number;
  /** Take a client's address from what a proxy in front has added to `X-Forwarded-For`: its last entry. */
  readonly trustProxy: boolean;
}

/** The matcher's HTTP and WebSocket interface. */
export class MatcherServer {
  readonly #matcher: Matcher;
  readonly #policy: ServerPolicy;
  readonly #logger: Logger;
  readonly #http: FastifyInstance;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE, perMessageDeflate: false });
  readonly #addresses: RateLimiter;
  readonly #perAddress = new Map<string, number>();
  readonly #description = JSON.stringify(openApi());

  constructor(matcher: Matcher, policy: ServerPolicy, logger: Logger) {
    this.#matcher = matcher;
    this.#policy = policy;
    this.#logger = logger;
    this.#addresses = new RateLimiter(policy.addressRate);
    this.#http = Fastify({
      ...{ bodyLimit: MAX_BODY, requestTimeout: REQUEST_TIMEOUT, connectionTimeout: 60_000, logger: false },
      ...{
        trustProxy: (_: string, hop: number) => policy.trustProxy && hop === 0,
        forceCloseConnections: true,
        return503OnClosing: true,
      },
    });
    this.#route();
    this.#http.server.on("upgrade", (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
  }

  /** Listens; returns the port. */
  async listen(): Promise<number> {
    await this.#http.listen({ host: this.#policy.host, port: this.#policy.port });
    return (this.#http.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.close(1001, "the matcher stops");
    this.#sockets.close();
    await this.#http.close();
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  // ---------------------------------------------------------------- HTTP

  #route(): void {
    const http = this.#http;
    http.removeAllContentTypeParsers();
    http.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => {
      try {
        done(null, parseJson(String(body)));
      } catch (error) {
        done(error as Error);
      }
    });
    http.setErrorHandler((error, _request, reply) => this.#refuse(error, reply));
    http.setNotFoundHandler((_request, reply) => this.#refuse(new Refusal("NotFound", "no such address"), reply));
    http.addHook("onRequest", (request, _reply, done) => {
      done(this.#rateOf(request.ip, 1));
    });
    this.#routeOrders(http);
    this.#routeViews(http);
  }

  #routeOrders(http: FastifyInstance): void {
    const matcher = this.#matcher;
    http.post("/orders", (request) => matcher.place(parse(REQUESTS.place, request.body)));
    http.post("/orders/many", async (request) => {
      const { orders } = parse(placeMany, request.body);
      const refused = this.#rateOf(request.ip, orders.length - 1);
      if (refused !== undefined) throw refused;
      const results = await Promise.allSettled(orders.map((order) => matcher.place(order)));
      return { results: results.map((r) => (r.status === "fulfilled" ? r.value : this.#refusalOf(r.reason).toJSON())) };
    });
    http.post("/cancel", async (request) => {
      const { signature, ...fields } = parse(REQUESTS.cancel, request.body);
      return cancelled(await matcher.instruct({ kind: "cancel", ...fields }, signature));
    });
    http.post("/cancel-many", async (request) => {
      const { signature, ...fields } = parse(REQUESTS.cancelMany, request.body);
      return cancelled(await matcher.instruct({ kind: "cancelMany", ...fields }, signature));
    });
    http.post("/heartbeat", async (request) => {
      const { signature, ...fields } = parse(REQUESTS.heartbeat, request.body);
      const { sequence } = await matcher.instruct({ kind: "heartbeat", ...fields }, signature);
      return { sequence, deadline: matcher.engine.deadlineOf(fields.owner.toLowerCase()) ?? null };
    });
  }

  #routeViews(http: FastifyInstance): void {
    const matcher = this.#matcher;
    const { engine, streams, metrics } = matcher;
    http.get("/orders/:hash", async (request) => {
      await matcher.barrier();
      const order = matcher.find(parameter(request, "hash", PARAMETERS.hash));
      if (order === undefined) throw new Refusal("UnknownOrder", "no such order is open or has ended lately");
      return orderView(order);
    });
    http.get("/accounts/:account/orders", async (request) => {
      await matcher.barrier();
      const account = engine.book.accounts.get(parameter(request, "account", PARAMETERS.account));
      return { orders: account === undefined ? [] : openOrders(account).map(orderView) };
    });
    http.get("/markets", () => ({
      markets: [...engine.book.markets.values()].map(({ terms: { market, index, priceBand, minFill } }) => ({
        ...{ market, index: formatWad(index), priceBandPpm: Number(priceBand), minFill: formatWad(minFill) },
      })),
    }));
    http.get("/markets/:market/book", (request) => {
      const market = this.#market(request);
      const depth = parse(PARAMETERS.depth, (request.query as Record<string, unknown>).depth);
      return { market, sequence: streams.sequenceOf(`book.${market}`), ...streams.depth(market, depth) };
    });
    http.get("/markets/:market/fills", (request) => {
      const limit = parse(PARAMETERS.limit, (request.query as Record<string, unknown>).limit);
      return { fills: streams.recentFills(this.#market(request), limit) };
    });
    http.get("/health", async (_request, reply) => {
      const { trouble } = matcher;
      void reply.status(trouble === undefined ? 200 : 503);
      await matcher.barrier();
      return {
        ...{
          ok: trouble === undefined,
          trouble,
          sequence: engine.sequence,
          logHash: `0x${engine.hash.toString("hex")}`,
        },
        ...{ block: matcher.chain.head, openOrders: engine.book.openCount, waitingFills: engine.book.fills.size },
        heldOrders: engine.book.heldCount,
      };
    });
    http.get("/metrics", async (_request, reply) => {
      void reply.type(metrics.registry.contentType);
      return metrics.registry.metrics();
    });
    http.get("/openapi.json", (_request, reply) => reply.type("application/json").send(this.#description));
  }

  #market(request: FastifyRequest): number {
    const market = parameter(request, "market", PARAMETERS.market);
    if (!this.#matcher.engine.book.markets.has(market))
      throw new Refusal("UnknownMarket", "no such market", { market });
    return market;
  }

  #rateOf(address: string, count: number): Refusal | undefined {
    const retryAfter = this.#addresses.take(address, Date.now(), count);
    return retryAfter === 0 ? undefined : new Refusal("RateLimited", "too many requests", { retryAfter });
  }

  #refuse(error: unknown, reply: FastifyReply): FastifyReply {
    const refusal = this.#refusalOf(error);
    return reply.status(refusal.status).send(refusal.toJSON());
  }

  #refusalOf(error: unknown): Refusal {
    const refusal = asRefusal(error);
    this.#matcher.metrics.refusals.inc({ error: refusal.error });
    if (refusal.error === "Internal") this.#logger.error({ err: error }, "a request failed");
    return refusal;
  }

  // ---------------------------------------------------------------- WebSocket

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { maxConnections, maxConnectionsPerAddress } = this.#policy;
    const address = addressOf(request, this.#policy.trustProxy);
    const open = this.#perAddress.get(address) ?? 0;
    const status =
      request.url !== "/stream"
        ? "404 Not Found"
        : this.#sockets.clients.size >= maxConnections || open >= maxConnectionsPerAddress
          ? "429 Too Many Requests"
          : undefined;
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
      this.#matcher.metrics.connections.inc();
      client.once("close", () => {
        const left = (this.#perAddress.get(address) ?? 1) - 1;
        if (left === 0) this.#perAddress.delete(address);
        else this.#perAddress.set(address, left);
        this.#matcher.metrics.connections.dec();
      });
      new Session(client, this.#matcher, this.#policy);
    });
  }
}

/** One WebSocket connection. */
class Session {
  readonly #socket: WebSocket;
  readonly #matcher: Matcher;
  readonly #policy: ServerPolicy;
  readonly #rate: RateLimiter;
  readonly #channels = new Map<string, { readonly name: string; readonly listener: (text: string) => void }>();
  #alive = true;

  constructor(socket: WebSocket, matcher: Matcher, policy: ServerPolicy) {
    this.#socket = socket;
    this.#matcher = matcher;
    this.#policy = policy;
    this.#rate = new RateLimiter(policy.messageRate, 1);
    const pinging = setInterval(() => {
      this.#ping();
    }, PING_INTERVAL);
    socket.on("pong", () => (this.#alive = true));
    socket.on("error", () => {
      socket.terminate();
    });
    socket.on("message", (data, isBinary) => {
      this.#receive(data as Buffer, isBinary);
    });
    socket.once("close", () => {
      clearInterval(pinging);
      for (const channel of [...this.#channels.keys()]) this.#unsubscribe(channel);
    });
  }

  #ping(): void {
    if (!this.#alive) this.#socket.terminate();
    this.#alive = false;
    this.#socket.ping();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#rate.take("", Date.now()) > 0) {
      this.#socket.close(CLOSE_POLICY, "too many messages");
      return;
    }
    try {
      if (isBinary) throw new Refusal("InvalidRequest", "send text");
      this.#perform(parse(socketRequest, parseJson(data.toString("utf8"))));
    } catch (error) {
      const refusal = asRefusal(error);
      this.#matcher.metrics.refusals.inc({ error: refusal.error });
      this.#send(JSON.stringify(refusal));
    }
  }

  #perform({ op, channel }: z.output<typeof socketRequest>): void {
    if (op === "ping") {
      this.#send(JSON.stringify({ op: "pong" }));
      return;
    }
    if (channel === undefined) throw new Refusal("InvalidRequest", "name a channel");
    const name = this.#nameOf(channel);
    if (op === "unsubscribe" || op === "snapshot") this.#unsubscribe(channel);
    if (op === "unsubscribe") this.#send(JSON.stringify({ op: "unsubscribed", channel }));
    else this.#subscribe(channel, name);
  }

  #subscribe(channel: string, name: string): void {
    if (this.#channels.has(channel)) return;
    const maximum = this.#policy.maxSubscriptions;
    if (this.#channels.size >= maximum) {
      throw new Refusal("RateLimited", "too many channels on one connection", { maximum });
    }
    const listener = (text: string) => {
      this.#send(name === channel ? text : text.replace(name, channel));
    };
    const subscription = { name, listener };
    this.#channels.set(channel, subscription);
    const begin = this.#matcher.streams.follow(name, listener);
    void this.#matcher.barrier().then(() => {
      if (this.#channels.get(channel) === subscription) begin();
      else this.#matcher.streams.leave(name, listener);
    });
  }

  #unsubscribe(channel: string): void {
    const subscription = this.#channels.get(channel);
    if (subscription === undefined) return;
    this.#channels.delete(channel);
    this.#matcher.streams.leave(subscription.name, subscription.listener);
  }

  /** The channel as the streams know it. */
  #nameOf(channel: string): string {
    const [kind = "", id = ""] = channel.split(".");
    if (kind === "orders") return `orders.${accountKey(parse(PARAMETERS.account, id))}`;
    const market = Number(id);
    if (!this.#matcher.engine.book.markets.has(market))
      throw new Refusal("UnknownMarket", "no such market", { market });
    return `${kind}.${market}`;
  }

  /** Sends; cuts off who reads too slowly, for what waits for him is memory. */
  #send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > this.#policy.maxBuffered) {
      this.#socket.close(CLOSE_SLOW, "reading too slowly: connect again and take a snapshot");
      for (const channel of [...this.#channels.keys()]) this.#unsubscribe(channel);
      setTimeout(() => {
        this.#socket.terminate();
      }, 1000).unref();
      return;
    }
    this.#socket.send(text);
  }
}

// ---------------------------------------------------------------- input

/** Where a connection comes from, as for requests: what a client himself has put into the header does not count. */
function addressOf({ headers, socket }: IncomingMessage, trustProxy: boolean): string {
  const forwarded = trustProxy ? String(headers["x-forwarded-for"] ?? "").split(",") : [];
  return forwarded.at(-1)?.trim() || (socket.remoteAddress ?? "");
}

function cancelled({ sequence, events }: Applied): { sequence: number; cancelled: string[] } {
  return { sequence, cancelled: events.flatMap((event) => (event.type === "cancelled" ? [event.order] : [])) };
}

function parameter<T extends z.ZodType>(request: FastifyRequest, name: string, schema: T): z.output<T> {
  return parse(schema, (request.params as Record<string, unknown>)[name]);
}

/** Checks a value. @throws Refusal */
function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Refusal("InvalidRequest", `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "malformed"}`);
}

/**
 * Reads JSON that is not nested too deep.
 * @throws Refusal
 */
export function parseJson(text: string): unknown {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; ++i) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === 0x5c) ++i;
      else if (c === 0x22) quoted = false;
    } else if (c === 0x22) quoted = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > MAX_DEPTH) throw new Refusal("TooDeep", "the JSON is nested too deep", { maximum: MAX_DEPTH });
    } else if (c === 0x5d || c === 0x7d) --depth;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Refusal("InvalidRequest", "this is no JSON");
  }
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const status = typeof error === "object" && error !== null && "statusCode" in error ? error.statusCode : 500;
  if (status === 413) return new Refusal("TooLarge", "the request is too large", { maximum: MAX_BODY });
  if (status === 415) return new Refusal("UnsupportedMediaType", "send application/json");
  if (typeof status === "number" && status >= 400 && status < 500)
    return new Refusal("InvalidRequest", "malformed request");
  return new Refusal("Internal", "the matcher could not do this");
}
