import { Interface, ZeroAddress } from "ethers";
import type { Block, EventFragment, Provider, Result } from "ethers";

import { IClearingHouse__factory, Exchange__factory } from "../../types/index.ts";
import { Mirror } from "../keeper/mirror.ts";
import { abs, divUp, max } from "../risk/fixed.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import { decodeError } from "../sdk/errors.ts";
import { limitedTo } from "../sdk/sessionKeys.ts";
import type { Grant, KeyName } from "../sdk/sessionKeys.ts";
import { LOT } from "../sdk/orders.ts";
import { accountKey, CANCELLED, ownerKey } from "./bookOrder.ts";
import type { Cursor } from "./engine.ts";
import { SessionKeys } from "./keys.ts";
import type { KeyLeft } from "./keys.ts";
import type { MarketTerms, SlotFact } from "./types.ts";

const BLOCKS_PER_QUERY = 10_000;
const KEYS_AT_ONCE = 100; // whose limits are read in parallel
const MAX_CODES = 100_000;
const CODE_LIFETIME = 600_000; // [ms]
const WALLET_MAGIC = "0x1626ba7e"; // of ERC-1271

/** What the matcher knows of the chain: everything at one block, read without waiting. */
export interface ChainView {
  readonly house: HouseState;
  /** What the exchange allows in each market. */
  readonly terms: ReadonlyMap<number, MarketTerms>;
  /** The larger fee of a market [ppm of notional]. */
  feeOf(market: number): bigint;
  /** An account; empty if nothing was ever heard of it. */
  account(id: AccountId): AccountState;
  /** What an owner, in lower case, has said about all his orders. */
  owner(address: string): OwnerState;
  /** Every session key. */
  readonly keys: SessionKeys;
  /** Filled amount of a nonce [wad], `CANCELLED` if it was cancelled. */
  filled(account: AccountId, nonce: bigint): bigint;
  /** Whether a contract wallet accepts a signature; asks the chain. */
  acceptsSignature(owner: string, hash: string, signature: string): Promise<boolean>;
}

/** What of an owner's orders the exchange accepts. */
export interface OwnerState {
  readonly epoch: bigint;
  readonly lowestNonce: bigint;
  readonly deadMan: number; // [s] they are void after it; 0 = never
  readonly lockedDown: boolean; // only reduce-only ones without an execution fee are good
}

/** A fill that the exchange reports. */
export interface MatchedEvent {
  readonly transaction: string;
  readonly size: bigint; // [wad] without its sign
}

/** What has happened on the exchange since the last look. */
export interface ChainNews {
  readonly cursor: Cursor;
  readonly matched: readonly MatchedEvent[]; // in order
  readonly slots: readonly SlotFact[];
  /** Whose epoch, lowest nonce, dead-man switch, lockdown or session keys have changed; in lower case. */
  readonly owners: ReadonlySet<string>;
  /** A block that was read is gone: what was told before may be wrong. */
  readonly reorganised: boolean;
}

const EMPTY: AccountState = {
  ...{ cash: 0n, lentShares: 0n, debtShares: 0n, positions: new Map(), collaterals: new Map() },
};
const FRESH: OwnerState = { epoch: 0n, lowestNonce: 0n, deadMan: 0, lockedDown: false };
const DAY = 86_400; // [s]
const exchange = Exchange__factory.createInterface();
const ledger = IClearingHouse__factory.createInterface();
/** What owners have said about all their orders and about their keys holds for ever, so it is read from the deployment on. */
const OWNER_EVENTS = [
  ...(["NoncesCancelled", "AllRevoked", "DeadManSet", "KeyGranted", "KeyRevoked"] as const).map((name) =>
    exchange.getEvent(name),
  ),
  ledger.getEvent("LockdownSet"),
];
const EVENTS = [
  ...(["OrdersMatched", "OrderCancelled"] as const).map((name) => exchange.getEvent(name)),
  ledger.getEvent("Trade"),
  ...OWNER_EVENTS,
];
const events = new Interface(EVENTS);

/** An event of the exchange or of the ledger. */
interface ChainEvent {
  readonly transaction: string;
  readonly name: string;
  readonly args: Result;
  readonly size: bigint; // [wad] of a match, without its sign; of others zero
}

/** What is left to a key of an owner's; addresses are in lower case. */
interface KeyNews extends KeyName {
  readonly left: KeyLeft;
}

/** The chain as events and views tell it: accounts and house from the mirror, orders from the exchange's events. */
export class ChainMirror implements ChainView {
  readonly #provider: Provider;
  readonly #book: AddressBook;
  readonly #mirror: Mirror;
  readonly #lookback: number;
  readonly #maxSlots: number;
  #terms = new Map<number, MarketTerms>();
  #fees = new Map<number, bigint>();
  #owners = new Map<string, OwnerState>();
  #keys = new SessionKeys();
  #filled = new Map<string, Map<bigint, bigint>>();
  #slotCount = 0;
  #code = new Map<string, { readonly contract: boolean; readonly until: number }>();
  #head: Cursor | undefined;

  /**
   * @param lookback blocks of the exchange's events that are read at first; older fills of a nonce are noticed when it is settled
   * @param maxSlots most nonces whose filled amounts are remembered, the oldest accounts' are forgotten first
   */
  constructor(provider: Provider, book: AddressBook, lookback: number, maxSlots: number) {
    this.#provider = provider;
    this.#book = book;
    this.#mirror = new Mirror(provider, book);
    this.#lookback = lookback;
    this.#maxSlots = maxSlots;
  }

  get house(): HouseState {
    return this.#mirror.house;
  }

  get terms(): ReadonlyMap<number, MarketTerms> {
    return this.#terms;
  }

  /** Number of the last block that was read, −1 before the first one. */
  get head(): number {
    return this.#head?.block ?? -1;
  }

  feeOf(market: number): bigint {
    return this.#fees.get(market) ?? 0n;
  }

  account(id: AccountId): AccountState {
    return this.#mirror.accounts.get(id) ?? EMPTY;
  }

  owner(address: string): OwnerState {
    return this.#owners.get(address) ?? FRESH;
  }

  get keys(): SessionKeys {
    return this.#keys;
  }

  filled(account: AccountId, nonce: bigint): bigint {
    return this.#filled.get(accountKey(account))?.get(nonce) ?? 0n;
  }

  async acceptsSignature(owner: string, hash: string, signature: string): Promise<boolean> {
    if (!(await this.#isContract(owner))) return false;
    const wallet = new Interface1271(owner, hash, signature);
    try {
      return wallet.accepts(await this.#provider.call(wallet.request));
    } catch (error) {
      if (decodeError(error) !== undefined || isRevert(error)) return false;
      throw error;
    }
  }

  /**
   * Reads on to the latest block.
   * @throws NodeIncomplete, or whatever the node throws; nothing has changed then and the next call begins again
   */
  async sync(): Promise<ChainNews> {
    await this.#mirror.sync();
    const head = this.#mirror.head;
    const reorganised = this.#head !== undefined && !(await this.#isCurrent(this.#head));
    const block = await this.#provider.getBlock(head);
    if (block === null || block.hash === null) throw new NodeIncomplete(`block ${head}`);
    await this.#readTerms(head);
    const known = this.#head !== undefined && !reorganised ? this.#head.block + 1 : 0;
    const from = Math.max(known, this.#book.deployBlock, head - this.#lookback);
    const old = known === 0 ? await this.#readEvents(this.#book.deployBlock, from - 1, OWNER_EVENTS) : [];
    const told = withSizes([...old, ...(await this.#readEvents(from, head, EVENTS))]);
    const keys = await this.#readKeys(keysIn(told, block.timestamp), block);
    if (reorganised) this.#forget();
    const news = this.#take(told, keys);
    this.#head = { block: head, hash: block.hash };
    return { ...news, cursor: this.#head, reorganised };
  }

  /** Whether there is code at an address; no answer is taken for longer than ten minutes. */
  async #isContract(address: string): Promise<boolean> {
    const known = this.#code.get(address);
    if (known !== undefined && known.until > Date.now()) return known.contract;
    const contract = (await this.#provider.getCode(address)) !== "0x";
    if (this.#code.size >= MAX_CODES) this.#code.clear();
    this.#code.set(address, { contract, until: Date.now() + CODE_LIFETIME });
    return contract;
  }

  #forget(): void {
    this.#owners = new Map();
    this.#keys = new SessionKeys();
    this.#filled = new Map();
    this.#slotCount = 0;
  }

  async #isCurrent({ block, hash }: Cursor): Promise<boolean> {
    return (await this.#provider.getBlock(block))?.hash === hash;
  }

  async #readEvents(from: number, to: number, which: readonly EventFragment[]): Promise<ChainEvent[]> {
    const { exchange: orders, clearingHouse } = this.#book.contracts;
    const filter = { address: [orders, clearingHouse], topics: [which.map(({ topicHash }) => topicHash)] };
    const read: ChainEvent[] = [];
    for (let at = from; at <= to; at += BLOCKS_PER_QUERY) {
      const range = { fromBlock: at, toBlock: Math.min(at + BLOCKS_PER_QUERY - 1, to) };
      for (const log of await this.#provider.getLogs({ ...filter, ...range })) {
        const event = events.parseLog(log);
        if (event !== null)
          read.push({ transaction: log.transactionHash, name: event.name, args: event.args, size: 0n });
      }
    }
    return read;
  }

  /** What is left to some keys, and to those above them, after a block. */
  async #readKeys(names: readonly KeyName[], { number: blockTag, timestamp }: Block): Promise<KeyNews[]> {
    const views = Exchange__factory.connect(this.#book.contracts.exchange, this.#provider);
    const day = Math.floor(timestamp / DAY);
    const read = async ({ owner, key }: KeyName) => {
      const { parent, notionalLeft, lossLeft } = await views.sessionKey(owner, key, { blockTag });
      const left = { day, notionalLeft: limitedTo(notionalLeft), lossLeft: limitedTo(lossLeft) };
      return { owner, key, left, above: parent.toLowerCase() };
    };
    const seen = new Set(names.map(nameOf));
    const queue = [...names];
    const found: KeyNews[] = [];
    while (queue.length !== 0) {
      const states = await Promise.all(queue.splice(0, KEYS_AT_ONCE).map(read));
      for (const { owner, key, left, above } of states) {
        found.push({ owner, key, left });
        const parent = { owner, key: above };
        if (above === ZeroAddress || seen.has(nameOf(parent))) continue;
        seen.add(nameOf(parent));
        queue.push(parent);
      }
    }
    return found;
  }

  async #readTerms(blockTag: number): Promise<void> {
    const clearingHouse = IClearingHouse__factory.connect(this.#book.contracts.clearingHouse, this.#provider);
    await Promise.all(
      this.#book.markets.map(async ({ id, underlying }) => {
        const [params] = await clearingHouse.market(id, { blockTag });
        const index = this.house.prices.get(underlying)?.price ?? 0n;
        this.#terms.set(id, { market: id, index, priceBand: params.priceBand, minFill: params.minFill });
        this.#fees.set(id, max(params.takerFee, params.makerFee));
      }),
    );
  }

  /** Takes events into the index. The exchange rounds what an order fills in one settlement up to whole lots. */
  #take(told: readonly ChainEvent[], keys: readonly KeyNews[]): Pick<ChainNews, "matched" | "slots" | "owners"> {
    const matched: MatchedEvent[] = [];
    const slots = new Map<string, SlotFact>();
    const owners = new Set<string>();
    let parts = new Map<string, { account: bigint; nonce: bigint; size: bigint }>();
    let transaction: string | undefined;
    const finish = () => {
      for (const { account, nonce, size } of parts.values()) {
        const filled = this.filled(account, nonce) + divUp(size, LOT) * LOT;
        this.#setFilled(slots, { account, nonce, filled });
      }
      parts = new Map();
    };
    for (const event of told) {
      if (event.transaction !== transaction) finish();
      transaction = event.transaction;
      switch (event.name) {
        case "OrdersMatched": {
          const { size } = event;
          const e = event.args as unknown as Record<"maker" | "taker" | "makerNonce" | "takerNonce", bigint>;
          matched.push({ transaction, size });
          for (const [account, nonce] of [[e.maker, e.makerNonce] as const, [e.taker, e.takerNonce] as const]) {
            const key = `${accountKey(account)}:${nonce.toString()}`;
            parts.set(key, { account, nonce, size: (parts.get(key)?.size ?? 0n) + size });
          }
          break;
        }
        case "OrderCancelled": {
          finish();
          const [account, nonce] = event.args as unknown as [bigint, bigint];
          this.#setFilled(slots, { account, nonce, filled: CANCELLED });
          break;
        }
        case "NoncesCancelled":
        case "AllRevoked":
        case "DeadManSet":
        case "LockdownSet":
          owners.add(this.#takeOwner(event));
          break;
        case "KeyGranted":
        case "KeyRevoked":
          owners.add(this.#takeKey(event));
      }
    }
    finish();
    for (const { owner, key, left } of keys) {
      this.#keys.left(owner, key, left);
      owners.add(owner);
    }
    return { matched, slots: [...slots.values()], owners };
  }

  #takeOwner({ name, args }: ChainEvent): string {
    const [address, value] = args as unknown as [string, bigint];
    const owner = address.toLowerCase();
    const known = this.owner(owner);
    if (name === "AllRevoked") {
      this.#owners.set(owner, { ...known, epoch: value });
      this.#keys.revokedAll(owner);
    } else if (name === "NoncesCancelled") this.#owners.set(owner, { ...known, lowestNonce: value });
    else if (name === "LockdownSet") this.#owners.set(owner, { ...known, lockedDown: Boolean(args.locked) });
    else this.#owners.set(owner, { ...known, deadMan: Number(value) });
    return owner;
  }

  #takeKey({ name, args }: ChainEvent): string {
    const [owner, key] = [String(args.owner).toLowerCase(), String(args.key).toLowerCase()];
    if (name === "KeyRevoked") this.#keys.revoked(owner, key);
    else {
      const { parent, grant } = args as unknown as { parent: string; grant: Grant };
      const above = parent === ZeroAddress ? undefined : parent.toLowerCase();
      this.#keys.granted({ owner, key, parent: above, grant });
    }
    return owner;
  }

  #setFilled(facts: Map<string, SlotFact>, fact: SlotFact): void {
    const key = accountKey(fact.account);
    let nonces = this.#filled.get(key);
    if (nonces === undefined) this.#filled.set(key, (nonces = new Map<bigint, bigint>()));
    if (!nonces.has(fact.nonce)) this.#slotCount += 1;
    nonces.set(fact.nonce, fact.filled);
    facts.set(`${key}:${fact.nonce.toString()}`, fact);
    for (const [oldest, forgotten] of this.#filled) {
      if (this.#slotCount <= this.#maxSlots || oldest === key) break;
      this.#filled.delete(oldest);
      this.#slotCount -= forgotten.size;
    }
  }
}

/** Tells matches their sizes: the first match of a transaction has made its first trade. @throws NodeIncomplete */
function withSizes(told: readonly ChainEvent[]): ChainEvent[] {
  const trades = told.filter(({ name }) => name === "Trade").values();
  return told.map((event) => {
    if (event.name !== "OrdersMatched") return event;
    const trade = trades.next().value;
    if (trade?.transaction !== event.transaction) throw new NodeIncomplete(`the trades of ${event.transaction}`);
    return { ...event, size: abs(trade.args.size as bigint) };
  });
}

/** The keys that were granted or have signed a match, but for those that were revoked since or are past their time [s]. */
function keysIn(told: readonly ChainEvent[], time: number): KeyName[] {
  const keys = new Map<string, KeyName>();
  const add = (owner: string, key: string) => {
    const name = { owner, key: key.toLowerCase() };
    if (key !== ZeroAddress) keys.set(nameOf(name), name);
  };
  for (const { name, args } of told) {
    if (name === "OrdersMatched") {
      add(ownerKey(args.maker as bigint), String(args.makerKey));
      add(ownerKey(args.taker as bigint), String(args.takerKey));
    } else if (name === "KeyGranted") {
      if ((args.grant as Grant).expiry >= BigInt(time)) add(String(args.owner).toLowerCase(), String(args.key));
    } else if (name === "KeyRevoked") {
      keys.delete(nameOf({ owner: String(args.owner), key: String(args.key) }).toLowerCase());
    }
  }
  return [...keys.values()];
}

function nameOf({ owner, key }: KeyName): string {
  return owner + key;
}

/** The call that asks a contract wallet. */
class Interface1271 {
  readonly request: { readonly to: string; readonly data: string };

  constructor(owner: string, hash: string, signature: string) {
    const bytes = signature.slice(2);
    const length = (bytes.length / 2).toString(16).padStart(64, "0");
    const padded = bytes.padEnd(Math.ceil(bytes.length / 64) * 64, "0");
    this.request = { to: owner, data: `${WALLET_MAGIC}${hash.slice(2)}${"40".padStart(64, "0")}${length}${padded}` };
  }

  accepts(answer: string): boolean {
    return answer.length >= 66 && answer.startsWith(WALLET_MAGIC.padEnd(66, "0"));
  }
}

function isRevert(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "CALL_EXCEPTION";
}
