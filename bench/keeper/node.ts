import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Interface, Wallet } from "ethers";
import pino from "pino";
import secp256k1 from "secp256k1";
import { WebSocket } from "ws";

import { Endpoints } from "../../src/keeper/endpoints.ts";
import { Keeper } from "../../src/keeper/keeper.ts";
import { LocalSigner } from "../../src/keeper/signer.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { Signing } from "../../src/matcher/signing.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { approveCall, batchCall, depositCall, settleOrdersCall } from "../../src/sdk/calls.ts";
import type { Call } from "../../src/sdk/calls.ts";
import { buildOrder } from "../../src/sdk/orders.ts";
import type { Order, SignedOrder } from "../../src/sdk/orders.ts";
import { parsePrice, parseWad } from "../../src/sdk/units.ts";
import { Venue } from "../../test/matcher/venue.ts";
import { quantiles } from "./million.ts";
import type { Quantiles } from "./million.ts";

const OWNERS = 20;
const PER_BATCH = 100; // deposits or fills of one transaction
const PRICE = 2000n;
const SIZE = "3"; // ETH of each account
const MOVES = 300;
const WARM_UP = 20; // moves before them, in which code is compiled, that do not count
const FIRST = 1949_60000000n; // [1e-8 USD] a little above where the poorest is liquidatable: 330 − 3 of fees − 3 · 50.4 = 175.8, MM 175.5
const MOVE = 1_500_000n; // [1e-8 USD] by which each answer of the feed is lower
const QUIET = 100; // [ms] without an account below MM, after which the price moves on
const SLOWEST = 10_000; // [ms] that a reaction may take
const LARGE = parseWad("1000000000"); // [wad USD] nothing is worth so much: liquidations only
const GAS_LIMIT = 15_000_000;
const MINT = new Interface(["function mint(address to, uint256 amount)"]);
const ANSWER = new Interface(["function updateAnswer(int256 answer)"]);

interface Reactions {
  readonly sent: Quantiles;
  readonly taken: Quantiles;
  readonly liquidations: number;
  readonly memory: number; // [bytes] of this process, the maker of the scene
}

/**
 * Times [ms] from the announcement of a block whose price makes accounts liquidatable to the first transaction that it calls for: until
 * it is sent, and until the node has answered that it has it.
 */
export async function reactions(count: number): Promise<Reactions> {
  const venue = await Venue.open();
  try {
    await venue.anvil.provider.send("evm_setBlockGasLimit", ["0x5f5e100"]); // 100 million
    const scene = new Scene(venue);
    await scene.open(count);
    return await scene.measure();
  } finally {
    await venue.close();
  }
}

function note(times: number[], events: readonly number[], began: number): void {
  const event = events.find((time) => time >= began);
  if (event !== undefined) times.push(event - began);
}

/** Notes when transactions were sent, and when a node had taken them [ms]. */
class Timed extends Endpoints {
  readonly sent: number[] = [];
  readonly taken: number[] = [];

  override async send(method: string, params: unknown[]): Promise<unknown> {
    if (method === "eth_sendRawTransaction") this.sent.push(performance.now());
    const result = await super.send(method, params);
    if (method === "eth_sendRawTransaction") this.taken.push(performance.now());
    return result;
  }
}

/** Notes over a socket of its own when blocks were announced [ms], by number. */
async function listen(url: string, heads: Map<number, number>): Promise<WebSocket> {
  const socket = new WebSocket(url);
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
  await new Promise((resolve) => socket.once("message", resolve));
  socket.on("message", (data: Buffer) => {
    const now = performance.now();
    const { params } = JSON.parse(data.toString()) as { params: { result: { number: string } } };
    heads.set(Number(params.result.number), now);
  });
  return socket;
}

/** Traders, each long at another leverage, and one who is short against all. */
class Scene {
  readonly #venue: Venue;
  readonly #signing: Signing;
  readonly #keys = Array.from({ length: OWNERS }, () => Wallet.createRandom().privateKey);
  readonly #maker = Wallet.createRandom();

  constructor(venue: Venue) {
    this.#venue = venue;
    this.#signing = new Signing(venue.book);
  }

  async open(count: number): Promise<void> {
    const { book } = this.#venue;
    await this.#fund(this.#maker.privateKey, [[accountId(this.#maker.address), "200000000"]]);
    const each = Math.ceil(count / OWNERS);
    for (const [i, key] of this.#keys.entries()) {
      const { address } = new Wallet(key);
      const accounts = Array.from({ length: each }, (_, n) => accountId(address, BigInt(n)));
      const cash = (n: number) => (330 + (600 * (i + n * OWNERS)) / count).toFixed(2); // IM is 5 % of 6,000 and a little
      await this.#fund(
        key,
        accounts.map((account, n) => [account, cash(n)] as const),
      );
      for (let n = 0; n < accounts.length; n += PER_BATCH) {
        const takers = accounts.slice(n, n + PER_BATCH);
        const resting = this.#sign(this.#maker.privateKey, {
          ...{ account: accountId(this.#maker.address), nonce: BigInt(i * each + n), resting: true },
          size: -parseWad(SIZE) * BigInt(takers.length),
        });
        const orders = takers.map((account) => this.#sign(key, { account, nonce: 0n, size: parseWad(SIZE) }));
        const matches = takers.map((_, taker) => ({ maker: 0, taker: taker + 1 }));
        await this.#send(key, settleOrdersCall(book, [resting, ...orders], matches));
      }
    }
  }

  async measure(): Promise<Reactions> {
    const { anvil, book } = this.#venue;
    const key = Wallet.createRandom().privateKey;
    const signer = new LocalSigner(Buffer.from(key.slice(2), "hex"));
    await this.#fund(key, [[accountId(signer.address), "100000000"]]);
    const provider = new Timed({ urls: [anvil.url], chainId: book.chainId });
    const webSocketUrl = anvil.url.replace("http", "ws");
    const heads = new Map<number, number>();
    const socket = await listen(webSocketUrl, heads);
    const folder = mkdtempSync(path.join(tmpdir(), "bench-"));
    const database = new SqliteDatabase(path.join(folder, "keeper.sqlite"));
    const keeper = await Keeper.create({
      database,
      ...{ provider, signer, addressBook: book, takerAccount: accountId(signer.address), webSocketUrl },
      config: { minProfit: 1n, callThreshold: LARGE, settleThreshold: LARGE },
      logger: pino({ level: "silent" }),
    });
    const running = keeper.run();
    const sent: number[] = [];
    const taken: number[] = [];
    const feed = book.underlyings[0]?.feed ?? "";
    for (let move = 0; move <= WARM_UP + MOVES; ++move) {
      const data = ANSWER.encodeFunctionData("updateAnswer", [FIRST - BigInt(move) * MOVE]);
      const block = await this.#send(this.#maker.privateKey, { target: feed, data });
      await sleep(QUIET);
      for (let waited = 0; keeper.watch.counts.liquidatable !== 0 && waited < SLOWEST; waited += QUIET)
        await sleep(QUIET);
      if (move < WARM_UP) continue;
      const began = heads.get(block) ?? Infinity;
      note(sent, provider.sent, began);
      note(taken, provider.taken, began);
    }
    await keeper.stop();
    await running;
    socket.close();
    provider.destroy();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
    const memory = process.resourceUsage().maxRSS * 1024;
    return { sent: quantiles(sent), taken: quantiles(taken), liquidations: sent.length, memory };
  }

  async #fund(key: string, accounts: readonly (readonly [bigint, string])[]): Promise<void> {
    const { book } = this.#venue;
    const { address } = new Wallet(key);
    await this.#venue.fundGas(address);
    const total = accounts.reduce((sum, [, cash]) => sum + Number(cash), 0) + 1;
    const amount = BigInt(Math.ceil(total)) * 10n ** 6n;
    await this.#send(key, { target: book.cash.token, data: MINT.encodeFunctionData("mint", [address, amount]) });
    await this.#send(key, approveCall(book, "USDC", String(Math.ceil(total))));
    for (let n = 0; n < accounts.length; n += PER_BATCH) {
      const deposits = accounts
        .slice(n, n + PER_BATCH)
        .map(([account, cash]) => depositCall(book, account, "USDC", cash));
      await this.#send(key, batchCall(book, deposits));
    }
  }

  #sign(key: string, fields: Pick<Order, "account" | "nonce" | "size"> & Partial<Order>): SignedOrder {
    const order = buildOrder({ ...{ market: 0n, limitPrice: parsePrice(String(PRICE)) }, ...fields });
    const hash = this.#signing.hashOrder(order);
    const { signature, recid } = secp256k1.ecdsaSign(hash, Buffer.from(key.slice(2), "hex"));
    return { order, signature: `0x${Buffer.from(signature).toString("hex")}${recid === 0 ? "1b" : "1c"}` };
  }

  /** Sends a call and answers in which block it is. */
  async #send(key: string, { target, data }: Call): Promise<number> {
    const wallet = new Wallet(key, this.#venue.anvil.provider);
    const sent = await wallet.sendTransaction({ to: target, data, gasLimit: GAS_LIMIT });
    return (await sent.wait())?.blockNumber ?? -1;
  }
}
