import { expect } from "chai";
import fc from "fast-check";
import { WebSocket } from "ws";

import { REFUSALS } from "../../src/sdk/refusals.ts";
import { ANY } from "../../src/sdk/instructions.ts";
import { signOrder } from "../../src/sdk/orders.ts";
import { get, plain, post, Venue } from "./venue.ts";
import type { Served, Trader } from "./venue.ts";
import { until } from "../helpers/until.ts";

interface Message {
  readonly channel?: string;
  readonly type?: "snapshot" | "delta";
  readonly sequence?: number;
  readonly bids?: [string, string][];
  readonly asks?: [string, string][];
  readonly error?: string;
}

/** A client that keeps a book from snapshot and deltas, and asks for a new snapshot when it notices a gap. */
class Client {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  readonly levels = { bids: new Map<string, string>(), asks: new Map<string, string>() };
  gaps = 0;
  closed: { code: number; reason: string } | undefined;
  #sequence: number | undefined;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`${url.replace("http", "ws")}/stream`, { headers });
    this.socket.on("message", (data: Buffer) => {
      this.take(JSON.parse(data.toString()) as Message);
    });
    this.socket.on("close", (code, reason) => (this.closed = { code, reason: reason.toString() }));
    this.socket.on("error", () => undefined);
  }

  async open(): Promise<this> {
    await new Promise((resolve) => this.socket.once("open", resolve));
    return this;
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  take(message: Message): void {
    this.messages.push(message);
    if (!message.channel?.startsWith("book.") || message.sequence === undefined) return;
    if (message.type === "snapshot") {
      this.levels.bids.clear();
      this.levels.asks.clear();
    } else if (message.sequence !== (this.#sequence ?? -1) + 1) {
      this.gaps += 1;
      this.say({ op: "snapshot", channel: message.channel });
      return;
    }
    this.#sequence = message.sequence;
    for (const side of ["bids", "asks"] as const) {
      for (const [price, size] of message[side] ?? []) {
        if (size === "0") this.levels[side].delete(price);
        else this.levels[side].set(price, size);
      }
    }
  }
}

describe("matcher's interface", () => {
  let venue: Venue;
  let served: Served;
  let trader: Trader;

  before(async () => {
    venue = await Venue.open();
    trader = await venue.trader("1000000");
    served = await venue.serve({ MESSAGE_RATE: "50", MAX_OPEN_ORDERS: "1000" }, false);
  });
  after(async () => {
    await served.stop();
    await venue.close();
  });

  const put = async (size: string, price: string) =>
    post(`${served.url}/orders`, await venue.order(trader, size, price, { resting: true }));

  it("OB-7 streams snapshot and deltas; a client notices a gap and mends it", async () => {
    await put("1", "1990");
    const client = await new Client(served.url).open();
    client.say({ op: "subscribe", channel: "book.0" });
    client.say({ op: "subscribe", channel: `orders.${trader.account}` });
    await until(() => client.messages.length === 2);
    expect(client.messages.map(({ type }) => type)).to.deep.equal(["snapshot", "snapshot"]);
    for (let i = 0; i < 10; ++i) await put("1", `${1980 + i}`);
    await until(() => client.levels.bids.size === 11);
    expect(client.gaps).to.equal(0);
    const orders = client.messages.filter(({ channel, type }) => channel?.startsWith("orders.") && type === "delta");
    expect(orders.map(({ sequence }) => sequence)).to.deep.equal(Array.from({ length: 10 }, (_, i) => i + 1));

    const take = client.take.bind(client);
    let dropped = 0;
    client.take = (message) => {
      if (message.channel === "book.0" && message.type === "delta" && dropped++ === 0) return;
      take(message);
    };
    await put("1", "1970");
    await put("1", "1971");
    await put("1", "1972");
    await until(() => client.gaps > 0 && client.levels.bids.size === 14);
    const { bids } = (await get(`${served.url}/markets/0/book`)).body as { bids: [string, string][] };
    expect(Object.fromEntries(client.levels.bids)).to.deep.equal(Object.fromEntries(bids));
    client.socket.close();
  });

  it("cuts off who reads too slowly, says too much, or says something too large", async () => {
    const slow = await new Client(served.url).open();
    slow.say({ op: "subscribe", channel: "book.0" });
    await until(() => slow.messages.length === 1);
    slow.socket.pause();
    const big = JSON.stringify({ padding: "x".repeat(1 << 20) });
    const listeners = [...slowListeners(served)];
    for (let i = 0; i < 40; ++i) for (const listener of listeners) listener(big);
    slow.socket.resume();
    await until(() => slow.closed !== undefined);
    expect(slow.closed?.reason ?? "").to.match(/reading too slowly|^$/);
    expect(slowListeners(served).size, "nothing more is kept for him").to.equal(0);
    const chatty = await new Client(served.url).open();
    for (let i = 0; i < 400; ++i) chatty.say({ op: "ping" });
    await until(() => chatty.closed !== undefined);
    expect(chatty.closed).to.deep.include({ code: 1008, reason: "too many messages" });
    const large = await new Client(served.url).open();
    large.socket.send("x".repeat(5000));
    await until(() => large.closed !== undefined);
    expect(large.closed?.code).to.equal(1009);
    const greedy = await new Client(served.url).open();
    for (let i = 0; i < 60; ++i) greedy.say({ op: "subscribe", channel: `orders.${i}` });
    await until(() => greedy.messages.some(({ error }) => error === "RateLimited"));
    greedy.socket.close();
  });

  it("counts connections and requests by the address that the proxy in front has added, if it is told to trust one", async () => {
    const from = (address: string) => ({ "x-forwarded-for": `${Math.random()}, ${address}` }); // the client's own entry first
    const limits = { MAX_CONNECTIONS_PER_ADDRESS: "1", ADDRESS_RATE: "1" };
    const settings = (trust: boolean) => ({
      ...limits,
      TRUST_PROXY: String(trust),
      DATA_FOLDER: `${venue.folder}/${trust}`,
    });
    const outcome = (client: Client) =>
      new Promise((resolve) => {
        client.socket.once("open", () => {
          resolve("open");
        });
        client.socket.once("unexpected-response", (_request, { statusCode }) => {
          resolve(statusCode);
        });
      });
    const statusOf = async (url: string, address: string) =>
      (await fetch(`${url}/markets`, { headers: from(address) })).status;
    for (const trust of [true, false]) {
      const proxied = await venue.serve(settings(trust), false);
      const clients = [];
      const outcomes = [];
      for (const address of ["10.0.0.1", "10.0.0.1", "10.0.0.2"]) {
        clients.push(new Client(proxied.url, from(address)));
        outcomes.push(await outcome(clients.at(-1)!));
      }
      expect(outcomes).to.deep.equal(trust ? ["open", 429, "open"] : ["open", 429, 429]);
      const statuses = [];
      for (const n of [1, 1, 1, 2]) statuses.push(await statusOf(proxied.url, `10.0.1.${n}`)); // a burst of two
      expect(statuses).to.deep.equal([200, 200, 429, trust ? 200 : 429]);
      for (const { socket } of clients) socket.terminate();
      await proxied.stop();
    }
  });

  it("answers whatever comes by HTTP with a typed error, and goes on", async () => {
    const signed = plain(await venue.order(trader, "1", "1990"));
    const leaf = fc.oneof(
      fc.constantFrom("", "0", "-1", "1e9", "0x", "NaN", " 1", "1".repeat(100), null, true, {}, []),
      fc.string(),
      fc.integer(),
    );
    const bodies = fc.oneof(
      fc.json({ maxDepth: 8 }),
      fc.string(),
      fc
        .tuple(fc.constantFrom(...Object.keys(signed.order), "signature", "other"), leaf)
        .map(([key, value]) =>
          JSON.stringify(
            key === "signature"
              ? { ...signed, signature: value }
              : { ...signed, order: { ...signed.order, [key]: value } },
          ),
        ),
      fc.integer({ min: 6, max: 5000 }).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
    );
    const paths = fc.constantFrom(
      "/orders",
      "/orders/many",
      "/cancel",
      "/cancel-many",
      "/heartbeat",
      "/markets/9/book",
    );
    const before = process.memoryUsage().heapUsed;
    await fc.assert(
      fc.asyncProperty(paths, bodies, async (where, body) => {
        const response = await fetch(`${served.url}${where}`, {
          ...{ method: "POST", headers: { "content-type": "application/json" }, body },
        });
        const answer = (await response.json()) as { error: string; message: string };
        if (response.status === 200) return;
        expect(Object.keys(REFUSALS)).to.include(answer.error);
        expect(answer.error).to.not.equal("Internal");
        expect(answer.message).to.be.a("string");
      }),
      { numRuns: 400 },
    );
    for (const where of [
      "/orders/x",
      "/orders/0x12",
      "/accounts/-1/orders",
      "/markets/x/book",
      "/markets/0/book?depth=x",
      "/%ff",
    ]) {
      const { status, body } = await get(`${served.url}${where}`);
      expect(status).to.be.within(400, 499);
      expect(body.error).to.be.a("string");
    }
    const large = await fetch(`${served.url}/orders`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: "x".repeat(600_000) },
    });
    expect(await large.json()).to.deep.include({ error: "TooLarge" });
    const text = await fetch(`${served.url}/orders`, { method: "POST", body: "x" });
    expect(await text.json()).to.deep.include({ error: "UnsupportedMediaType" });
    expect((await get(`${served.url}/health`)).status).to.equal(200);
    expect(process.memoryUsage().heapUsed - before).to.be.lessThan(200 * 1024 * 1024);
  });

  it("takes or refuses, with a typed error, whatever order somebody signs", async () => {
    const odd = fc.constantFrom(0n, 1n, 10n ** 24n + 1n, 1n << 128n, (1n << 256n) - 1n);
    const mostly = (...good: bigint[]) => fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...good) }, odd);
    const [near, lifetime] = [
      [1990n, 2000n, 2010n].map((usd) => usd * 10n ** 18n),
      BigInt(Math.floor(Date.now() / 1000) + 3600),
    ];
    const order = fc.record({
      account: fc.constant(trader.account),
      market: mostly(0n, 1n),
      size: mostly(10n ** 18n, -(10n ** 18n)).map((size) => BigInt.asIntN(256, size)),
      limitPrice: mostly(...near),
      triggerAbove: mostly(0n, 0n, 0n, ...near),
      triggerBelow: mostly(0n, 0n, 0n, ...near),
      executionFee: mostly(0n, 10n ** 18n),
      expiry: mostly(lifetime),
      nonce: fc.bigInt(1n << 32n, 1n << 33n),
      epoch: mostly(0n),
      ...{ resting: fc.boolean(), postOnly: fc.boolean(), reduceOnly: fc.boolean(), fillOrKill: fc.boolean() },
    });
    const answers = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(order, async (o) => {
        const { status, body } = await post(`${served.url}/orders`, {
          order: o,
          signature: await signOrder(trader.wallet, venue.book, o),
        });
        const answer = status === 200 ? String((body.order as Record<string, unknown>).state) : String(body.error);
        if (status !== 200) expect(Object.keys(REFUSALS)).to.include(answer);
        expect(answer).to.not.equal("Internal");
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }),
      { numRuns: 600, seed: 7 },
    );
    expect([...answers.keys()]).to.include.members(["held", "open", "TriggerInvalid", "FeeTooHigh", "SizeInvalid"]);
    const all = { owner: trader.wallet.address, account: ANY, market: ANY, belowNonce: ANY, stamp: Date.now() };
    await post(`${served.url}/cancel-many`, await venue.instruction(trader, { kind: "cancelMany", ...all }));
    expect((await get(`${served.url}/health`)).body).to.deep.include({ openOrders: 0, heldOrders: 0 });
  });

  it("answers whatever comes by WebSocket with a typed error, and goes on", async () => {
    const said = fc.sample(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.record({ op: fc.string(), channel: fc.string() }).map((x) => JSON.stringify(x)),
      ),
      60,
    );
    const client = await new Client(served.url).open();
    for (const text of said) client.socket.send(text.slice(0, 4000));
    client.socket.send(Buffer.from([1, 2, 3]));
    await until(() => client.messages.length >= said.length + 1);
    for (const { error } of client.messages) expect(error).to.be.oneOf(["InvalidRequest", "TooDeep", "UnknownMarket"]);
    client.say({ op: "ping" });
    await until(() => (client.messages.at(-1) as { op?: string }).op === "pong");
    client.socket.close();
  });

  it("describes itself: every path of the description answers, metrics count", async () => {
    const { body } = await get(`${served.url}/openapi.json`);
    expect(body.openapi).to.equal("3.1.0");
    const paths = body.paths as Record<string, { get?: object; post?: { requestBody: object } }>;
    expect(Object.keys(paths)).to.include.members(["/orders", "/cancel-many", "/markets/{market}/book", "/health"]);
    expect(JSON.stringify(paths["/orders"]?.post?.requestBody)).to.include("limitPrice");
    for (const [where, operations] of Object.entries(paths)) {
      const url =
        served.url +
        where
          .replace("{market}", "0")
          .replace("{account}", "1")
          .replace("{hash}", `0x${"0".repeat(64)}`);
      const answer = operations.get === undefined ? await post(url, {}) : await get(url);
      expect(answer.body.error, where).to.be.oneOf([undefined, "InvalidRequest", "UnknownOrder"]);
    }
    const metrics = await (await fetch(`${served.url}/metrics`)).text();
    expect(metrics).to.match(/plimsoll_matcher_commands_total\{type="place"\} \d+/);
  });
});

/** Who follows the first market's book. */
function slowListeners({ matcher }: Served): ReadonlySet<(text: string) => void> {
  return matcher.streams.listenersOf("book.0");
}
