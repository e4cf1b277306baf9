import { formatEther, isCallException } from "ethers";
import type { Block, Log } from "ethers";

import type { NodeProvider } from "../keeper/endpoints.ts";
import { NoBaseFee } from "../keeper/fees.ts";
import type { Bidding } from "../keeper/fees.ts";
import { Sender, shortMessage } from "../keeper/sender.ts";
import type { KeeperSigner } from "../keeper/signer.ts";
import { SqliteDatabase } from "../keeper/sqlite.ts";
import { PlimsollError } from "../risk/plimsollError.ts";
import { lastGoodOfCollateral } from "../risk/prices.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { revokeAllForCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import { NodeIncomplete, Plimsoll } from "../sdk/client.ts";
import { keysOf } from "../sdk/history.ts";
import { readHouse } from "../sdk/read.ts";
import { HOUR, hourlyPeak, sightingIn, WATCHED_TOPICS } from "./signals.ts";
import type { Flow, Sighting, Signal, Watchlist } from "./signals.ts";
import { pause } from "../keeper/pause.ts";

const LOOK_BACK = 900; // [blocks] at first, to find where the hour before the start begins
const REREAD = 16; // [blocks] read again at every look: a reorganisation may have changed them
const RANGE = 5000; // [blocks] most of one query of logs
const URGENCY = 2n; // times what the node advises to pay for gas
const CONFIRM_TIMEOUT = 600_000; // [ms]

/** The owner's signature ends nothing: it is not his, or he has revoked all since he gave it. */
export class RevocationUseless extends PlimsollError {
  override readonly name = "RevocationUseless";
  readonly owner: string;

  constructor(owner: string) {
    super(
      `the signed revocation of ${owner} has no effect (any more): he must sign a new one by key revoke-all --sign`,
    );
    this.owner = owner;
  }
}

/** The watcher could not pay for the revocation. */
export class WatcherLacksGas extends PlimsollError {
  override readonly name = "WatcherLacksGas";
  /** [wei] */
  readonly balance: bigint;
  /** [wei] */
  readonly needed: bigint;

  constructor(address: string, balance: bigint, needed: bigint) {
    super(`${address} has ${formatEther(balance)} for gas and may need ${formatEther(needed)}: send it more`);
    this.balance = balance;
    this.needed = needed;
  }
}

/** What a watcher needs. */
export interface WatcherOptions {
  readonly provider: NodeProvider;
  readonly addressBook: AddressBook;
  /** Pays gas; any key but one of the owner's. */
  readonly signer: KeeperSigner;
  readonly watchlist: Watchlist;
  /** Of the owner, by `signRevokeAll`. */
  readonly signature: string;
  /** [ms] between two looks at the chain */
  readonly pollInterval: number;
  /** [wei] Most that a unit of gas may cost. */
  readonly maxGasPrice: bigint;
  /** Told of what could not be done, which is tried again. */
  readonly onTrouble?: (reason: string) => void;
}

/** What a watcher has done. */
export interface Revocation {
  readonly signal: Signal;
  /** block in which the signal was */
  readonly seen: number;
  /** block in which everything was revoked */
  readonly revoked: number;
  /** hash of the transaction; `undefined` if somebody else was first */
  readonly hash: string | undefined;
}

/** A signal and the block that it was in. */
interface Alarm {
  readonly signal: Signal;
  readonly block: number;
}

/** What a transaction tells of the owner. */
interface Seen {
  readonly time: number; // [s]
  readonly block: number;
  readonly sightings: readonly Sighting[];
}

/**
 * Follows an owner's keys and accounts, and at the first sign that somebody else has one of them brings the revocation of everything
 * that the owner has signed beforehand. It is an EIP-712 message for the owner's epoch, not a transaction, so no nonce can spoil it, and
 * the watcher needs no key of his.
 *
 *     const watcher = await RevocationWatcher.open({ ...where, signer, watchlist, signature, pollInterval: 250, maxGasPrice });
 *     const revocation = await watcher.run(signal); // when everything is revoked
 */
export class RevocationWatcher {
  readonly #options: WatcherOptions;
  readonly #house: Plimsoll;
  readonly #sender: Sender;
  readonly #call: Call;
  readonly #gasLimit: bigint;
  readonly #epoch: bigint;
  readonly #start: number;
  #next: number;
  /** by transactions, so that what is read again counts once */
  readonly #seen = new Map<string, Seen>();

  private constructor(
    options: WatcherOptions,
    house: Plimsoll,
    sender: Sender,
    { gasLimit, epoch, head, first }: Readonly<{ gasLimit: bigint; epoch: bigint; head: number; first: number }>,
  ) {
    const { addressBook, watchlist, signature } = options;
    this.#house = house;
    this.#options = options;
    this.#sender = sender;
    this.#call = revokeAllForCall(addressBook, watchlist.owner, signature);
    this.#gasLimit = gasLimit;
    this.#epoch = epoch;
    this.#start = head + 1;
    this.#next = first;
  }

  /** Checks that the revocation would go through and can be paid for. @throws RevocationUseless, WatcherLacksGas, or whatever the node throws */
  static async open(options: WatcherOptions): Promise<RevocationWatcher> {
    const { provider, addressBook, signer, watchlist, signature, pollInterval, maxGasPrice } = options;
    const house = await Plimsoll.connect(addressBook, provider);
    const { target: to, data } = revokeAllForCall(addressBook, watchlist.owner, signature);
    const gas = await provider.estimateGas({ from: signer.address, to, data }).catch((error: unknown) => {
      throw isCallException(error) ? new RevocationUseless(watchlist.owner) : error;
    });
    const gasLimit = 2n * gas;
    const [{ epoch }, head, balance, { maxFeePerGas: price }] = await Promise.all([
      house.exchange.ownerState(watchlist.owner),
      provider.getBlockNumber(),
      provider.getBalance(signer.address),
      provider.getFeeData(),
    ]);
    if (price === null) throw new NoBaseFee();
    const needed = gasLimit * price * URGENCY;
    if (balance < needed) throw new WatcherLacksGas(signer.address, balance, needed);
    const policy = { confirmTimeout: CONFIRM_TIMEOUT, pollInterval, replaceAfter: 1, maxGasPrice };
    const database = new SqliteDatabase(":memory:");
    const sender = await Sender.open({ provider, signer, database, policy, bidding: urgent });
    const first = await anHourBefore(provider, head);
    return new RevocationWatcher(options, house, sender, { gasLimit, epoch, head, first });
  }

  /**
   * Watches until everything is revoked or `signal` aborts; no failure of the node ends it.
   * @returns what was done; `undefined` if it was told to end before
   * @throws RevocationUseless when the owner has revoked all himself
   */
  async run(signal: AbortSignal): Promise<Revocation | undefined> {
    let isLooked = false; // at the keys that lived before the start
    while (!signal.aborted) {
      try {
        const alarm = isLooked ? undefined : await this.#unknownAlive();
        isLooked = true;
        const found = alarm ?? (await this.#look());
        if (found !== undefined) return await this.#revoke(found, signal);
      } catch (error) {
        if (error instanceof RevocationUseless) throw error;
        this.#options.onTrouble?.(shortMessage(error));
      }
      await pause(this.#options.pollInterval, signal);
    }
    return undefined;
  }

  // ---------------------------------------------------------------- looking

  async #unknownAlive(): Promise<Alarm | undefined> {
    const { watchlist } = this.#options;
    const keys = await keysOf(this.#house, watchlist.owner);
    const unknown = keys.find(({ key, live }) => live && !watchlist.known.has(key));
    if (unknown === undefined) return undefined;
    return { signal: { kind: "unknownKey", key: unknown.key, how: "alive" }, block: this.#start - 1 };
  }

  /** Reads the blocks since the last look. */
  async #look(): Promise<Alarm | undefined> {
    const head = await this.#house.provider.getBlockNumber();
    while (this.#next <= head) {
      const to = Math.min(head, this.#next + RANGE);
      await this.#read(Math.max(0, this.#next - REREAD), to);
      this.#next = to + 1;
    }
    void this.#sender.look().catch(() => undefined); // so that fees are known when they are needed
    return this.#alarm();
  }

  async #read(fromBlock: number, toBlock: number): Promise<void> {
    const { provider, addressBook, watchlist } = this.#options;
    const { exchange, clearingHouse } = addressBook.contracts;
    const logs = await provider.getLogs({
      ...{ address: [exchange, clearingHouse], topics: [[...WATCHED_TOPICS]], fromBlock, toBlock },
    });
    const byTransaction = new Map<string, Log[]>();
    for (const log of logs) {
      if (sightingIn(log, watchlist.owner) === undefined) continue;
      byTransaction.set(log.transactionHash, [...(byTransaction.get(log.transactionHash) ?? []), log]);
    }
    for (const [hash, { block }] of this.#seen) {
      if (block >= fromBlock && !byTransaction.has(hash)) this.#seen.delete(hash); // a reorganisation has dropped it
    }
    for (const [hash, own] of byTransaction) {
      const [{ blockNumber: block }] = own as [Log];
      const sightings = own.map((log) => sightingIn(log, watchlist.owner)).filter((one) => one !== undefined);
      this.#seen.set(hash, { block, time: (await this.#block(block)).timestamp, sightings });
    }
  }

  /** What calls for revocation among all that was seen. */
  async #alarm(): Promise<Alarm | undefined> {
    const { known, owner, maxOutflow, maxNotional } = this.#options.watchlist;
    const recent = [...this.#seen.values()].sort((a, b) => a.block - b.block);
    for (const { block, sightings } of recent.filter((seen) => seen.block >= this.#start)) {
      for (const sighting of sightings) {
        if (sighting.kind === "revoked") throw new RevocationUseless(owner);
        if (sighting.kind !== "granted" || known.has(sighting.key)) continue;
        return { signal: { kind: "unknownKey", key: sighting.key, how: sighting.kind }, block };
      }
    }
    for (const [kind, limit] of [
      ["outflow", maxOutflow],
      ["notional", maxNotional],
    ] as const) {
      const amount = limit === undefined ? 0n : hourlyPeak(await this.#flows(recent, kind));
      if (limit !== undefined && amount > limit) {
        return { signal: { kind, amount, limit }, block: recent.at(-1)?.block ?? this.#start };
      }
    }
    this.#forget(recent);
    return undefined;
  }

  async #flows(seen: readonly Seen[], kind: "outflow" | "notional"): Promise<Flow[]> {
    const flows: Flow[] = [];
    for (const { time, sightings } of seen) {
      for (const sighting of sightings) {
        if (sighting.kind !== kind) continue;
        const amount = sighting.kind === "notional" ? sighting.amount : await this.#valueOf(sighting);
        flows.push({ time, amount });
      }
    }
    return flows;
  }

  /** [wad] USD at the price of now, or the last good one. */
  async #valueOf({ token, amount }: Extract<Sighting, { kind: "outflow" }>): Promise<bigint> {
    const house = this.#house;
    const { cash, collaterals } = house.addressBook;
    const collateral = collaterals.find((entry) => entry.token === token);
    if (token === cash.token || collateral === undefined) return amount;
    const now = await readHouse(house, house.addressBook, await this.#block(await house.provider.getBlockNumber()));
    return (amount * lastGoodOfCollateral(now, collateral.id, false)) / 10n ** 18n;
  }

  /** Forgets what can no longer be in an hour with anything new. */
  #forget(seen: readonly Seen[]): void {
    const last = seen.at(-1);
    for (const [hash, { time, block }] of this.#seen) {
      if (last !== undefined && last.time - time > HOUR && last.block - block > REREAD) this.#seen.delete(hash);
    }
  }

  #block(number: number): Promise<Block> {
    return blockOf(this.#options.provider, number);
  }

  // ---------------------------------------------------------------- revoking

  /** Brings the revocation until the owner's epoch has ended, by whomever. */
  async #revoke({ signal: why, block: seen }: Alarm, signal: AbortSignal): Promise<Revocation | undefined> {
    const { watchlist, pollInterval, onTrouble } = this.#options;
    while (!signal.aborted) {
      try {
        const purpose = `revokeAll:${watchlist.owner}:${this.#epoch}`;
        const { hash, reason } = await this.#sender.attempt(this.#call, { purpose, gasLimit: this.#gasLimit });
        if (reason !== undefined) onTrouble?.(reason);
        const revoked = await this.#revokedIn(seen);
        if (revoked !== undefined)
          return { signal: why, seen, revoked: revoked.block, hash: revoked.hash === hash ? hash : undefined };
      } catch (error) {
        onTrouble?.(shortMessage(error));
      }
      await pause(pollInterval, signal);
    }
    return undefined;
  }

  async #revokedIn(from: number): Promise<{ block: number; hash: string } | undefined> {
    const { watchlist } = this.#options;
    const { exchange } = this.#house;
    const events = await exchange.queryFilter(exchange.filters.AllRevoked(watchlist.owner), from);
    const first = events.find(({ args }) => args.epoch > this.#epoch);
    return first === undefined ? undefined : { block: first.blockNumber, hash: first.transactionHash };
  }
}

/** A block that is older than `head` by an hour or more: how many that are depends on the chain. */
async function anHourBefore(provider: NodeProvider, head: number): Promise<number> {
  const { timestamp: now } = await blockOf(provider, head);
  for (let back = LOOK_BACK; ; back *= 2) {
    const number = Math.max(0, head - back);
    if (number === 0 || now - (await blockOf(provider, number)).timestamp >= HOUR) return number;
  }
}

async function blockOf(provider: NodeProvider, number: number): Promise<Block> {
  const block = await provider.getBlock(number);
  if (block === null) throw new NodeIncomplete(`block ${number}`);
  return block;
}

const urgent: Bidding = {
  fees: ({ maxFeePerGas, maxPriorityFeePerGas }) => ({
    maxFeePerGas: URGENCY * maxFeePerGas,
    maxPriorityFeePerGas: URGENCY * maxPriorityFeePerGas,
  }),
};
