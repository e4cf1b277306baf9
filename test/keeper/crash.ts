import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { Wallet } from "ethers";
import type { TransactionReceipt } from "ethers";

import { audit } from "../../src/keeper/audit.ts";
import type { Lane } from "../../src/keeper/lane.ts";
import { Outbox } from "../../src/keeper/outbox.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { approveCall, depositCall } from "../../src/sdk/calls.ts";
import { IClearingHouse__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import type { Venue } from "../matcher/venue.ts";
import { until } from "../helpers/until.ts";

const SCRIPT = path.join(import.meta.dirname, "../../scripts/keeper.ts");
const PRICE = 2000; // [USD] at which everybody has bought
const FIRST = 1950; // [USD] the poorest, with 330, is liquidatable below: 330 − 3 of fees − 3 · 50.4 = 175.8, MM 175.5
const SIZE = 3; // [ETH] of each account
const POOREST = 330; // [USD] IM is 5 % of 6,000 and a little
const SPREAD = 300; // [USD] that the richest has more
const FILLS = 50; // of one transaction
const SPECK = 5n * WAD; // [wad USD] an MM below it brings at most half of it, some 2 USD; gas costs 1 USD and more

/** A keeper in a process of its own. */
export interface KeeperProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  /** All that it has written so far. */
  readonly output: () => string;
}

/** How a keeper is started. */
export interface Start {
  readonly env?: Readonly<Record<string, string>>;
  /** Modules to load before it. */
  readonly imports?: readonly string[];
  /** File that it writes to instead of a pipe. */
  readonly log?: string;
}

/** What a keeper has done in a crash, by what it wrote down and by the chain. */
export interface Story {
  readonly blocks: number;
  readonly liquidations: number;
  readonly transactions: number;
  readonly reverted: readonly string[]; // purposes of transactions
  readonly cancelled: number;
  readonly purposes: number;
  readonly audited: number;
}

/**
 * Leveraged accounts that sink one after the other while the price of ETH falls, and a keeper that may fail in any way.
 *
 *     const crash = await Crash.open(venue, 30);
 *     const keeper = await crash.start();
 *     await crash.fall(1900);
 *     await crash.calm();
 *     await crash.stop(keeper);
 *     await crash.expectWhole();
 */
export class Crash {
  readonly venue: Venue;
  readonly database: string;
  readonly key: string;
  readonly #accounts: readonly bigint[];
  readonly #firstBlock: number;
  readonly #firstNonce: number;
  readonly #children: KeeperProcess[] = [];
  #price = FIRST;
  #miner: { isOn: boolean; readonly ended: Promise<void> } | undefined;

  private constructor(venue: Venue, key: string, accounts: readonly bigint[], first: readonly [number, number]) {
    this.venue = venue;
    this.key = key;
    this.database = path.join(venue.folder, `${new Wallet(key).address}.sqlite`);
    this.#accounts = accounts;
    [this.#firstBlock, this.#firstNonce] = first;
  }

  /** Opens `count` accounts, each long at another leverage, and one that is short against all. */
  static async open(venue: Venue, count: number): Promise<Crash> {
    const { anvil, book } = venue;
    await setAnswer(anvil, feedOf(venue), usd(PRICE));
    const [maker, owner, taker] = [
      await venue.trader("10000000"),
      await venue.trader("1"),
      await venue.trader("10000000"),
    ];
    const accounts = Array.from({ length: count }, (_, i) => accountId(owner.wallet.address, BigInt(i + 1)));
    await owner.house.send(approveCall(book, "USDC", "1000000"));
    const cash = (i: number) => (POOREST + (SPREAD * i) / count).toFixed(2);
    await owner.house.batch(accounts.map((account, i) => depositCall(book, account, "USDC", cash(i))));
    for (let from = 0; from < count; from += FILLS) {
      const some = accounts.slice(from, from + FILLS);
      const resting = await venue.order(maker, String(-SIZE * some.length), String(PRICE), { resting: true });
      const orders = await Promise.all(
        some.map((account) => venue.order(owner, String(SIZE), String(PRICE), { account })),
      );
      const matches = some.map((_, i) => ({ maker: 0, taker: i + 1 }));
      await owner.house.settleOrders([resting, ...orders], matches);
    }
    const first = [await anvil.provider.getBlockNumber(), await taker.wallet.getNonce()] as const;
    return new Crash(venue, taker.wallet.privateKey, accounts, first);
  }

  /** Has the node mine at random times, several transactions in a block and some after a while only, until `close`. */
  async mineAtRandom(): Promise<void> {
    const { provider } = this.venue.anvil;
    await provider.send("evm_setAutomine", [false]);
    const miner = { isOn: true };
    const mine = async () => {
      while (miner.isOn) {
        await sleep(30 + Math.random() * 120);
        await provider.send("evm_mine", []);
      }
    };
    this.#miner = Object.assign(miner, { ended: mine() });
  }

  /** Starts the real script. */
  start({ env = {}, imports = [], log }: Start = {}): KeeperProcess {
    const { anvil, bookFile } = this.venue;
    const settings = {
      ...{ RPC_URL: anvil.url, ADDRESS_BOOK: bookFile, PRIVATE_KEY: this.key, DATABASE: this.database },
      ...{ MIN_PROFIT: "0.01", POLL_INTERVAL: "50", CONFIRMATIONS: "3", CONFIRM_TIMEOUT: "10000" },
      ...{ SETTLE_THRESHOLD: "100", OBSERVE_INTERVAL: "60", ACCRUE_INTERVAL: "60", ...env },
    };
    const modules = ["tsx", ...imports].flatMap((module) => ["--import", module]);
    const to = log === undefined ? "pipe" : openSync(log, "a");
    const options = { env: { ...process.env, ...settings }, stdio: ["ignore", to, to] as StdioOptions };
    const child = spawn(process.execPath, [...modules, SCRIPT], options);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    }
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const keeper = { child, exited, output: () => (log === undefined ? output : readFileSync(log, "utf8")) };
    this.#children.push(keeper);
    return keeper;
  }

  /** Lets the price fall by a thousandth at a time. */
  async fall(to: number, pause = 100): Promise<void> {
    while (this.#price > to) await this.step(pause);
  }

  /** The price falls by a thousandth. */
  async step(pause = 100): Promise<void> {
    this.#price *= 0.999;
    await setAnswer(this.venue.anvil, feedOf(this.venue), usd(this.#price));
    await sleep(pause);
  }

  /** Transactions of the keeper's key up to a block. */
  sent(tag: "pending" | "latest"): Promise<number> {
    return this.venue.anvil.provider.getTransactionCount(new Wallet(this.key).address, tag);
  }

  /** Waits until no account is below MM that is worth taking, and the keeper knows what has become of all that it has sent. */
  async calm(): Promise<void> {
    await until(async () => (await this.sunk()).length === 0, "accounts are below MM still");
    await until(async () => (await this.sent("pending")) === (await this.sent("latest")), "a transaction is stuck");
    const isFinal = async () => {
      await this.venue.anvil.provider.send("evm_mine", []);
      return (await this.#lanes()).every(({ final }) => final);
    };
    await until(isFinal, "a nonce is stuck");
  }

  /** Ends a keeper as an operator would. */
  async stop({ child, exited, output }: KeeperProcess): Promise<void> {
    child.kill("SIGTERM");
    expect(await exited, output().slice(-3000)).to.equal(0);
    expect(output()).to.include('"stopped"').and.not.include(this.key.slice(2));
  }

  /** Ends what is left, and has the node mine by itself again. */
  async close(): Promise<void> {
    for (const { child, exited } of this.#children) {
      child.kill("SIGKILL");
      await exited;
    }
    if (this.#miner === undefined) return;
    this.#miner.isOn = false;
    await this.#miner.ended;
    await this.venue.anvil.provider.send("evm_setAutomine", [true]);
  }

  /**
   * Compares what the keeper wrote down with the chain: every transaction of its key is there, in lanes without a gap, each with its
   * true end; no purpose was carried out twice; every liquidation is one that it knows of; the audit finds no difference.
   */
  async expectWhole(): Promise<Story> {
    const { anvil, book } = this.venue;
    const { address } = new Wallet(this.key);
    const last = await anvil.provider.getBlockNumber();
    const [lanes, mined] = [await this.#lanes(), await this.#mined(address, last)];
    expect(
      lanes.map(({ nonce }) => nonce),
      "lanes without a gap, one for each transaction",
    ).to.deep.equal(mined.map((_, i) => this.#firstNonce + i));
    const carriedOut = new Map<string, number>();
    for (const [i, { purpose, sent, mined: known }] of lanes.entries()) {
      const { hash, status, blockNumber } = mined[i]!;
      const one = sent.find((each) => each.hash === hash);
      expect(one, `written down: nonce ${this.#firstNonce + i}`).to.not.equal(undefined);
      expect({ ...known }).to.include({ hash, succeeded: status === 1, block: blockNumber });
      if (one?.kind === "call" && status === 1) carriedOut.set(purpose, (carriedOut.get(purpose) ?? 0) + 1);
    }
    expect([...carriedOut].filter(([, times]) => times > 1)).to.deep.equal([]);
    const house = IClearingHouse__factory.connect(book.contracts.clearingHouse, anvil.provider);
    const taken = await house.queryFilter(house.filters.Liquidated(), this.#firstBlock, last);
    expect(taken.length).to.equal([...carriedOut.keys()].filter((purpose) => purpose.startsWith("take:")).length);
    const found = await audit(anvil.provider, book, last, () => undefined);
    expect(found.differences).to.deep.equal([]);
    return {
      blocks: last - this.#firstBlock,
      liquidations: taken.length,
      transactions: mined.length,
      reverted: lanes.filter((_, i) => mined[i]?.status === 0).map(({ purpose }) => purpose),
      cancelled: lanes.filter(({ sent, mined: m }) => sent.some((s) => s.hash === m?.hash && s.kind === "cancel"))
        .length,
      purposes: carriedOut.size,
      audited: found.accounts,
    };
  }

  /** The accounts that are below MM and worth taking. */
  async sunk(): Promise<bigint[]> {
    const { anvil, book } = this.venue;
    const house = IClearingHouse__factory.connect(book.contracts.clearingHouse, anvil.provider);
    const standing = await Promise.all(this.#accounts.map((account) => house.assess(account)));
    const isSunk = ({ equity, maintenanceMargin: least }: (typeof standing)[number]) => equity < least && least > SPECK;
    return this.#accounts.filter((_, i) => isSunk(standing[i]!));
  }

  /** What the keeper wrote down, by nonce. */
  async #lanes(): Promise<Lane[]> {
    const database = new SqliteDatabase(this.database);
    const outbox = await Outbox.open(database, this.venue.book.chainId, new Wallet(this.key).address);
    const lanes = await outbox.lanes();
    await database.close();
    return lanes;
  }

  /** Receipts of all transactions of an address, by nonce. */
  async #mined(address: string, last: number): Promise<TransactionReceipt[]> {
    const { provider } = this.venue.anvil;
    const receipts: TransactionReceipt[] = [];
    for (let number = this.#firstBlock + 1; number <= last; ++number) {
      const block = await provider.getBlock(number);
      for (const hash of block?.transactions ?? []) {
        const receipt = await provider.getTransactionReceipt(hash);
        if (receipt?.from === address) receipts.push(receipt);
      }
    }
    return receipts;
  }
}

/** Whether a keeper has read the chain and begun its work. */
export function hasStarted({ output }: KeeperProcess): boolean {
  return output().includes('"started"');
}

/** Waits until a keeper has started. */
export async function started(keeper: KeeperProcess): Promise<void> {
  await until(() => hasStarted(keeper) || keeper.child.exitCode !== null, "the keeper does not start");
  expect(keeper.child.exitCode, keeper.output()).to.equal(null);
}

function feedOf({ book }: Venue): string {
  return book.underlyings[0]?.feed ?? "";
}

function usd(price: number): bigint {
  return BigInt(Math.round(price * 1e8));
}
