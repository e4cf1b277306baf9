import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { Wallet } from "ethers";
import type { JsonRpcProvider } from "ethers";
import hre, { network } from "hardhat";
import pino from "pino";

import { resolveNetwork } from "../../deploy/config.ts";
import type { NetworkConfig } from "../../deploy/config.ts";
import local from "../../deploy/networks/local.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import { parseMatcherConfig } from "../../src/matcher/config.ts";
import type { MatcherConfig } from "../../src/matcher/config.ts";
import { Matcher } from "../../src/matcher/matcher.ts";
import { MatcherServer } from "../../src/matcher/server.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import type { AddressBook } from "../../src/sdk/addressBook.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { signInstruction } from "../../src/sdk/instructions.ts";
import type { Instruction } from "../../src/sdk/instructions.ts";
import { buildOrder, signOrder } from "../../src/sdk/orders.ts";
import type { Order, SignedOrder } from "../../src/sdk/orders.ts";
import { parsePrice, parseWad } from "../../src/sdk/units.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";

/** A trader with cash in his main account. */
export interface Trader {
  readonly wallet: Wallet;
  readonly house: Plimsoll;
  readonly account: bigint;
}

/** A matcher that serves. */
export interface Served {
  readonly matcher: Matcher;
  readonly url: string;
  stop(): Promise<void>;
}

/** A chain with the house on it, and a folder for logs. */
export class Venue {
  readonly folder = mkdtempSync(path.join(tmpdir(), "matcher-"));
  readonly bookFile = path.join(this.folder, "book.json");
  readonly settlerKey = Wallet.createRandom().privateKey;
  readonly #deployment = `chain-31337-matcher-${process.pid}-${Date.now()}`;
  anvil!: Anvil;
  book!: AddressBook;
  #nonce = 0n;

  /** @param more what its parameters have beyond those of a local chain */
  static async open(more: Partial<NetworkConfig> = {}): Promise<Venue> {
    const venue = new Venue();
    venue.anvil = await startAnvil();
    const connection = await network.create({ network: "localhost", override: { url: venue.anvil.url } });
    const options = { addressBook: venue.bookFile, deploymentId: venue.#deployment };
    venue.book = (await deployPlimsoll(connection, resolveNetwork({ ...local, ...more }), options)).addressBook;
    await connection.close();
    await venue.fundGas(new Wallet(venue.settlerKey).address);
    return venue;
  }

  async close(): Promise<void> {
    await this.anvil.stop();
    rmSync(path.join(hre.config.paths.ignition, "deployments", this.#deployment), { recursive: true, force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }

  async fundGas(address: string): Promise<void> {
    await this.anvil.provider.send("anvil_setBalance", [address, "0x56bc75e2d63100000"]);
  }

  /** A new trader with `cash` USDC. */
  async trader(cash: string): Promise<Trader> {
    const wallet = new Wallet(Wallet.createRandom().privateKey, this.anvil.provider);
    await this.fundGas(wallet.address);
    await (await MockERC20__factory.connect(this.book.cash.token, wallet).mint(wallet.address, 10n ** 15n)).wait();
    const house = await Plimsoll.connect(this.book, wallet);
    const account = accountId(wallet.address);
    await house.deposit(account, "USDC", cash);
    return { wallet, house, account };
  }

  /** A signed order of human size (positive buys) and price. */
  async order(trader: Trader, size: string, price: string, fields: Partial<Order> = {}): Promise<SignedOrder> {
    const order = buildOrder({
      ...{ account: trader.account, market: 0n, size: parseWad(size), limitPrice: parsePrice(price) },
      ...{ nonce: (this.#nonce += 1n), ...fields },
    });
    return { order, signature: await signOrder(trader.wallet, this.book, order) };
  }

  config(settings: Record<string, string> = {}): MatcherConfig {
    return matcherConfig({
      ...{ RPC_URL: this.anvil.url, ADDRESS_BOOK: this.bookFile, PRIVATE_KEY: this.settlerKey },
      ...{ DATA_FOLDER: path.join(this.folder, "log"), ...settings },
    });
  }

  /** A matcher in this process; it follows the chain only if `running`. */
  serve(settings: Record<string, string> = {}, running = true): Promise<Served> {
    return serveMatcher(this.anvil.provider, this.book, this.settlerKey, this.config(settings), running);
  }

  async instruction(trader: Trader, instruction: Instruction): Promise<object> {
    const signature = await signInstruction(trader.wallet, this.book, instruction);
    return { ...plain(instruction), signature, kind: undefined };
  }
}

/** The configuration of a matcher for tests: on any port, quick, silent and without limits of rates. */
export function matcherConfig(settings: Record<string, string>): MatcherConfig {
  return parseMatcherConfig({
    ...{ PORT: "0", BATCH_INTERVAL: "20", POLL_INTERVAL: "20", LOG_LEVEL: "silent" },
    ...{ ADDRESS_RATE: "100000", OWNER_RATE: "100000", MAX_CHAIN_AGE: "3600000", ...settings },
  });
}

/** A matcher in this process; it follows the chain only if `running`. */
export async function serveMatcher(
  provider: JsonRpcProvider,
  addressBook: AddressBook,
  key: string,
  config: MatcherConfig,
  running = true,
): Promise<Served> {
  const logger = pino({ level: config.logLevel });
  const { policy, dataFolder: folder } = config;
  const matcher = await Matcher.open({ provider, addressBook, key, folder, policy, logger });
  const server = new MatcherServer(matcher, config.server, logger);
  const port = await server.listen();
  const run = running ? matcher.run() : Promise.resolve();
  const stop = async (): Promise<void> => {
    matcher.halt();
    await run;
    await server.close();
    await matcher.stop();
  };
  return { matcher, url: `http://127.0.0.1:${port}`, stop };
}

/** An answer of a matcher. */
export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Posts JSON, bigints as decimal texts. */
export async function post(url: string, body: unknown): Promise<Answer> {
  const response = await fetch(url, {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(plain(body)) },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

export async function get(url: string): Promise<Answer> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Bigints as decimal texts. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (_, x: unknown) => (typeof x === "bigint" ? x.toString() : x))) as T;
}
