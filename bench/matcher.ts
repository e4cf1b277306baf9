import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";

import Table from "cli-table3";
import { Wallet } from "ethers";
import secp256k1 from "secp256k1";

import { Admission } from "../src/matcher/admission.ts";
import { CommandLog } from "../src/matcher/log.ts";
import { Signing } from "../src/matcher/signing.ts";
import type { PlaceCommand } from "../src/matcher/types.ts";
import { encode } from "../src/matcher/types.ts";
import { accountId } from "../src/sdk/accountId.ts";
import type { Order, SignedOrder } from "../src/sdk/orders.ts";
import { parsePrice, parseWad } from "../src/sdk/units.ts";
import { FakeChain } from "../test/matcher/fakeChain.ts";
import { accountOf, LIMITS, newEngine, NOW, placeOrder } from "../test/matcher/support.ts";
import { Venue } from "../test/matcher/venue.ts";

const table = new Table({ head: ["what", "operations", "per second of one core", "per second of the clock"] });
const CHUNK = 20_000;
const RUNS = 4; // of what takes little memory: the best one counts, since other programs share the machine
const MID = parsePrice("2000");
const TICK = parsePrice("0.01");
const POLICY = {
  ...{ maxLifetime: 1e9, maxDistance: 10n ** 6n, maxOpenOrders: 1e6, maxPerNonce: 16, maxTotalOrders: 1e7 },
  ...{ ownerRate: { perSecond: 1e9, burst: 1e9 }, stampWindow: 30_000 },
};

/** CPU time [us] and clock [ms]. */
interface Cost {
  readonly user: number;
  readonly clock: number;
}

function measure(work: () => void): Cost {
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  work();
  return { user: process.cpuUsage(cpu).user, clock: performance.now() - began };
}

function addBest(what: string, run: () => Cost & { readonly count: number }): void {
  const [best] = Array.from({ length: RUNS }, run).sort((a, b) => a.user - b.user);
  if (best !== undefined) add(what, best.count, best.user, best.clock);
}

function report(what: string, count: number, user: number, began: number): void {
  add(what, count, user, performance.now() - began);
}

/** @param user CPU time [us]; @param clock [ms] */
function add(what: string, count: number, user: number, clock: number): void {
  const rate = (seconds: number) => Math.round(count / seconds).toLocaleString("en");
  table.push([what, count.toLocaleString("en"), rate(user / 1e6), rate(clock / 1000)]);
}

/** A sequence of numbers that is the same in every run. */
function random(): () => number {
  let x = 12345;
  return () => (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 8;
}

const ORDER: Order = {
  ...{ account: 0n, market: 0n, size: 0n, limitPrice: 0n, expiry: BigInt(NOW / 1000 + 3600), nonce: 0n, epoch: 0n },
  ...{ triggerAbove: 0n, triggerBelow: 0n, executionFee: 0n },
  ...{ resting: true, postOnly: false, reduceOnly: false, fillOrKill: false },
};

/**
 * Resting orders in 2,000 levels around the price, some that take, nearly as many cancellations, a few of them too late, and the
 * settlement of every fill: each is one operation.
 */
function books(orders: number): Cost & { readonly count: number } {
  const engine = newEngine(LIMITS);
  const { book } = engine;
  const next = random();
  const accounts = Array.from({ length: 1000 }, (_, i) => accountOf(i));
  let [user, clock, count] = [0, 0, 0];
  let before: PlaceCommand[] = [];
  for (let done = 0; done < orders; done += CHUNK) {
    const commands = Array.from({ length: CHUNK }, (_, i) => randomPlace(next, accounts, done + i));
    for (let i = 0; i < 2; ++i) globalThis.gc?.({ type: "minor" }); // what has made the commands is no work of the book's
    const cost = measure(() => {
      for (const [i, command] of commands.entries()) {
        book.place(command);
        const old = before[i];
        if (old !== undefined) book.cancel(old.hash, "requested");
        count += old === undefined ? 1 : 2;
        if (i % 64 !== 0) continue;
        book.events = [];
        book.touched = [];
        count += book.fills.size;
        for (const [id, { size }] of book.fills) book.settle(id, size, "0x");
      }
    });
    before = commands;
    user += cost.user;
    clock += cost.clock;
  }
  return { user, clock, count };
}

/** A string in one piece, as those of real hashes are. */
function hashOf(i: number): string {
  return `0x${Buffer.from(i.toString(16).padStart(64, "0"), "hex").toString("hex")}`;
}

function randomPlace(next: () => number, accounts: readonly bigint[], i: number): PlaceCommand {
  const buys = next() % 2 === 0;
  const takes = next() % 10 === 0;
  const away = BigInt(next() % 1000) * TICK;
  const limitPrice = MID + (buys === takes ? away : -away - TICK);
  const size = BigInt(1 + (next() % 100)) * 10n ** 17n * (buys ? 1n : -1n);
  const order = {
    ...ORDER,
    account: accounts[next() % 1000] ?? 0n,
    size,
    limitPrice,
    nonce: BigInt(i),
    resting: !takes,
  };
  const hash = hashOf(i);
  return { type: "place", time: NOW, hash, signed: { order, signature: "0x" }, filled: 0n, position: 0n, deadMan: 0 };
}

function signedOrders(count: number): { orders: SignedOrder[]; signing: Signing } {
  const venue = { chainId: 31337, contracts: { exchange: `0x${"11".repeat(20)}` } };
  const signing = new Signing(venue);
  const wallets = Array.from({ length: 100 }, () => Wallet.createRandom());
  const orders = Array.from({ length: count }, (_, i): SignedOrder => {
    const wallet = wallets[i % wallets.length] ?? Wallet.createRandom();
    const account = accountId(wallet.address);
    const size = i % 2 === 0 ? 10n ** 17n : -(10n ** 17n);
    const away = BigInt(i % 500) * TICK + TICK;
    const limitPrice = parsePrice("2000") + (size > 0n ? -away : away);
    const order = { ...ORDER, account, size, limitPrice, nonce: BigInt(i) };
    const { signature, recid } = secp256k1.ecdsaSign(
      signing.hashOrder(order),
      Buffer.from(wallet.privateKey.slice(2), "hex"),
    );
    return { order, signature: `0x${Buffer.from(signature).toString("hex")}${recid === 0 ? "1b" : "1c"}` };
  });
  return { orders, signing };
}

async function admission(count: number): Promise<void> {
  const { orders, signing } = signedOrders(count);
  for (const depth of [1, 20]) {
    const used = orders.slice(0, 100 * depth);
    addBest(`admission: signature, checks, margin; up to ${depth} open orders an account`, () => {
      const engine = newEngine(LIMITS);
      const admits = new Admission(engine, new FakeChain("100000000"), signing, POLICY);
      const cost = measure(() => {
        for (let round = 0; round < 10; ++round) {
          for (const signed of used) {
            const command = admits.admit(signed, NOW) as PlaceCommand;
            if (round === 0) engine.book.place(command);
          }
          engine.book.events = [];
          engine.book.touched = [];
        }
      });
      return { ...cost, count: used.length * 10 };
    });
  }
  const folder = mkdtempSync(path.join(tmpdir(), "bench-"));
  const engine = newEngine(LIMITS);
  const { log } = CommandLog.open(folder, LIMITS);
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  const waits = orders.map((signed, i) => {
    const command = { ...placeOrder(signed.order), signed, hash: `0x${i.toString(16).padStart(64, "0")}` };
    const text = encode(command);
    engine.apply(command, text);
    return log.append(text, engine);
  });
  await Promise.all(waits);
  report(`engine and log, ${log.syncs} syncs`, count, process.cpuUsage(cpu).user, began);
  await log.close();
  rmSync(folder, { recursive: true, force: true });
}

async function http(count: number): Promise<void> {
  const venue = await Venue.open();
  try {
    const traders = await Promise.all(Array.from({ length: 50 }, () => venue.trader("100000000")));
    const served = await venue.serve({ MAX_OPEN_ORDERS: "1000000", POLL_INTERVAL: "1000", BATCH_INTERVAL: "1000" });
    const signing = new Signing(venue.book);
    const bodies: string[] = [];
    for (let i = 0; i < count; ++i) {
      const trader = traders[i % traders.length];
      if (trader === undefined) continue;
      const limitPrice = parsePrice("2000") - BigInt(1 + (i % 500)) * TICK;
      const expiry = BigInt(Math.floor(Date.now() / 1000) + 3600);
      const order = { ...ORDER, account: trader.account, size: parseWad("0.01"), limitPrice, expiry, nonce: BigInt(i) };
      const key = Buffer.from(trader.wallet.privateKey.slice(2), "hex");
      const { signature, recid } = secp256k1.ecdsaSign(signing.hashOrder(order), key);
      const text = `0x${Buffer.from(signature).toString("hex")}${recid === 0 ? "1b" : "1c"}`;
      bodies.push(
        JSON.stringify({ order, signature: text }, (_, x: unknown) => (typeof x === "bigint" ? x.toString() : x)),
      );
    }
    await load(served.url, "/orders", bodies.slice(0, count / 2), "HTTP, one order a request, client included");
    const many = bodies.slice(count / 2);
    const batches = Array.from(
      { length: Math.ceil(many.length / 50) },
      (_, i) => `{"orders":[${many.slice(50 * i, 50 * i + 50).join()}]}`,
    );
    await load(served.url, "/orders/many", batches, "HTTP, 50 orders a request, client included", many.length);
    await served.stop();
  } finally {
    await venue.close();
  }
}

async function load(
  url: string,
  where: string,
  bodies: readonly string[],
  what: string,
  count = bodies.length,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  const refused = await Promise.all(bodies.map((body) => send(agent, `${url}${where}`, body)));
  report(what, count, process.cpuUsage(cpu).user, began);
  const first = refused.find((answer) => answer !== "");
  if (first !== undefined) console.error(first.slice(0, 300));
  agent.destroy();
}

function send(agent: Agent, url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method: "POST", agent, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => {
        resolve(response.statusCode === 200 && !text.includes('"error"') ? "" : text);
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

addBest("book: place, match, cancel, settle", () => books(500_000));
await admission(10_000);
await http(8000);
console.log(table.toString());
process.exit();
