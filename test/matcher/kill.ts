import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";

import { parseMatcherConfig } from "../../src/matcher/config.ts";
import { readLog } from "../../src/matcher/log.ts";
import { abs } from "../../src/risk/fixed.ts";
import { formatWad, parseWad } from "../../src/sdk/units.ts";
import { Exchange__factory, IClearingHouse__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { get, post } from "./venue.ts";
import type { Trader, Venue } from "./venue.ts";

const SCRIPT = path.join(import.meta.dirname, "../../scripts/matcher.ts");

/** A matcher in a process of its own. */
interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly exited: Promise<number | null>;
  output(): string;
}

/** Starts the real script and waits until it serves. */
export async function startProcess(
  venue: Venue,
  folder: string,
  settings: Record<string, string> = {},
): Promise<Running> {
  const env = {
    ...{ RPC_URL: venue.anvil.url, ADDRESS_BOOK: venue.bookFile, PRIVATE_KEY: venue.settlerKey, PORT: "0" },
    ...{ DATA_FOLDER: folder, BATCH_INTERVAL: "20", POLL_INTERVAL: "20", OWNER_RATE: "100000", ADDRESS_RATE: "100000" },
    ...settings,
  };
  const child = spawn(process.execPath, ["--import", "tsx", SCRIPT], { env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-200_000)));
  }
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let port: string | undefined;
  for (let tries = 0; port === undefined && tries < 1200 && child.exitCode === null; ++tries) {
    await sleep(25);
    port = /"port":(\d+)[^\n]*"started"/.exec(output)?.[1];
  }
  if (port === undefined) throw new Error(`the matcher did not start:\n${output.slice(-2000)}`);
  return { child, exited, url: `http://127.0.0.1:${port}`, output: () => output };
}

/** What the load was told. */
export interface Told {
  /** Hashes of acknowledged orders with what was filled of each. */
  readonly acknowledged: Map<string, string>;
}

/** Kills the matcher `rounds` times at random moments of a load and checks after each that nothing was lost or done twice. */
export async function killAgainAndAgain(
  venue: Venue,
  traders: readonly Trader[],
  rounds: number,
  seed: number,
): Promise<Told> {
  const folder = path.join(venue.folder, `kill-${seed}`);
  const told: Told = { acknowledged: new Map() };
  let x = seed;
  const random = (n: number) => (x = (Math.imul(x, 1103515245) + 12345) >>> 0) % n;
  for (let round = 0; round < rounds; ++round) {
    const running = await startProcess(venue, folder);
    const loads = traders.map((trader) => load(venue, running.url, trader, random, told));
    await sleep(50 + random(350));
    await setIndex(venue, round % 2 === 0 ? "2001" : "2000"); // releases what is held, or comes too soon for its settlement
    await sleep(50 + random(350));
    running.child.kill("SIGKILL");
    await running.exited;
    await Promise.all(loads);
    checkLog(folder, told);
  }
  const last = await startProcess(venue, folder);
  for (let tries = 0; tries < 800; ++tries) {
    const { body } = await get(`${last.url}/health`);
    if (body.waitingFills === 0) break;
    await sleep(25);
  }
  const health = (await get(`${last.url}/health`)).body;
  expect(health.waitingFills, "everything is settled at the end").to.equal(0);
  await checkChain(venue, last.url, told);
  last.child.kill("SIGTERM");
  expect(await last.exited, last.output().slice(-2000)).to.equal(0);
  expect(last.output()).to.include('"stopped"');
  expect(last.output()).to.not.include(venue.settlerKey.slice(2));
  const { engine } = checkLog(folder, told);
  expect(engine.sequence).to.be.at.least(Number(health.sequence));
  return told;
}

async function setIndex(venue: Venue, usd: string): Promise<void> {
  await setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, BigInt(usd) * 10n ** 8n);
}

/** Places orders that rest, that take and that wait for a price, one after the other, until the matcher is gone. */
async function load(
  venue: Venue,
  url: string,
  trader: Trader,
  random: (n: number) => number,
  told: Told,
): Promise<void> {
  for (;;) {
    const buys = random(2) === 0;
    const price = (2000 + (random(7) - 3) / 10).toFixed(1);
    const size = `${buys ? "" : "-"}${(1 + random(30)) / 100}`;
    const resting = random(3) > 0;
    const trigger = !resting && random(2) === 0 ? { triggerAbove: parseWad(random(2) === 0 ? "2000" : "2001") } : {};
    const signed = await venue.order(trader, size, price, { resting, ...trigger });
    let answer;
    try {
      answer = await post(`${url}/orders`, signed);
    } catch {
      return; // no answer: nobody was promised anything
    }
    if (answer.status === 200) {
      const order = answer.body.order as Record<string, string>;
      told.acknowledged.set(order.hash!, order.filled!);
    } else
      expect(answer.body.error, JSON.stringify(answer.body)).to.be.oneOf([
        "TooManyOrders",
        "InsufficientMargin",
        "NotReady",
      ]);
  }
}

/** Rebuilds the engine from the log: every acknowledged order is in it. */
function checkLog(folder: string, { acknowledged }: Told) {
  const { recovery } = readLog(folder, limits());
  const { book } = recovery.engine;
  for (const hash of acknowledged.keys()) {
    expect(book.orders.get(hash), `an acknowledged order is lost: ${hash}`).to.not.equal(undefined);
  }
  return recovery;
}

/** Every fill is on the chain once: what the exchange counts as filled of each order is what the matcher says. */
async function checkChain(venue: Venue, url: string, { acknowledged }: Told): Promise<void> {
  const exchange = Exchange__factory.connect(venue.book.contracts.exchange, venue.anvil.provider);
  const clearingHouse = IClearingHouse__factory.connect(venue.book.contracts.clearingHouse, venue.anvil.provider);
  const matched = await exchange.queryFilter(exchange.filters.OrdersMatched(), 0);
  const trades = await clearingHouse.queryFilter(clearingHouse.filters.Trade(), 0); // one per match, in their order
  const sums = new Map<string, bigint>();
  for (const [i, { args }] of matched.entries()) {
    const size = abs(trades[i]!.args.size);
    for (const key of [`${args.maker}:${args.makerNonce}`, `${args.taker}:${args.takerNonce}`]) {
      sums.set(key, (sums.get(key) ?? 0n) + size);
    }
  }
  for (const hash of acknowledged.keys()) {
    const { body } = await get(`${url}/orders/${hash}`);
    const key = `${String(body.account)}:${String(body.nonce)}`;
    const onChain = formatWad(sums.get(key) ?? 0n);
    expect([onChain, onChain], `filled on the chain of ${JSON.stringify(body)}`).to.deep.equal([
      body.filled,
      body.settled,
    ]);
  }
}

function limits() {
  return parseMatcherConfig({ PRIVATE_KEY: `0x${"1".repeat(64)}` }).policy.book;
}
