import { isDeepStrictEqual } from "node:util";

import { ZeroAddress } from "ethers";
import type { Block, Log, Provider } from "ethers";

import type { Auction } from "../risk/auction.ts";
import type { LendingState, RiskParameters } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { ReadonlyAccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import { joinHouse, readable, readQuotes, readRisk, readTerms } from "../sdk/read.ts";
import type { HouseTerms, ObservedHouse, Quotes, Readable } from "../sdk/read.ts";
import { Checkpoint } from "./checkpoint.ts";
import type { Database } from "./database.ts";
import { decode } from "./decode.ts";
import type { Head } from "./follow.ts";
import { EventLedger } from "./ledger.ts";
import type { BlockRef, LedgerAccount, Totals } from "./ledger.ts";
import { expectReconciled, Sums } from "./reconcile.ts";

const BLOCKS_PER_QUERY = 10_000;
const NEAR = 64; // blocks behind the head from which the house is read too: every node still has its state then
const TRIES = 8; // for a head that does not change while it is read
const CONFIRMATIONS = 64;
const FINALITY_LIFETIME = 5000; // [ms]

/** A loss that waits for cash: for how long it was seen waiting [s], plus one, and when it was last seen [s]. */
export interface WaitingLoss {
  readonly clock: bigint;
  readonly seen: bigint;
}

/** What has changed from one `sync` to the next. */
export interface Changes {
  /** Number of the last block. */
  readonly head: number;
  /** Blocks that were taken back because the chain has dropped them. */
  readonly reorganised: number;
  /** Accounts that may be others now; at first all. */
  readonly touched: AccountId[];
  /** Underlyings whose price, last good price or regime is another now, or the rate of a collateral asset that follows them. */
  readonly pricesChanged: number[];
  /** Markets, collateral assets, risk parameters or what is lent are others now, time apart. */
  readonly houseChanged: boolean;
}

/** What of a house is read only when logs say that it may have changed. */
interface Parts {
  readonly terms: HouseTerms;
  readonly risk: RiskParameters;
}

/** What the ledger keeps of an auction and of a loss that waits. */
interface StoredAuction extends Auction {
  readonly cashCallClock: bigint;
  readonly cashCallSeen: bigint;
}

const NO_AUCTION: StoredAuction = {
  ...{ flagger: ZeroAddress, maintenanceAtFlag: 0n, clock: 0n, rescueClock: 0n, lastCall: 0n },
  ...{ cashCallClock: 0n, cashCallSeen: 0n },
};

/** How to follow the chain. */
export interface MirrorOptions {
  /** Blocks behind the head that count as final with a node that knows no "finalized" block. */
  readonly confirmations?: number;
}

/**
 * The house at one block: every account from events, everything else through views of that block. What a reorganisation drops is taken
 * back block by block.
 *
 *     const mirror = new Mirror(provider, book);
 *     await mirror.resume(database); // left out, it begins at the deployment
 *     const { touched } = await mirror.sync();
 */
export class Mirror {
  readonly #provider: Provider;
  readonly #book: AddressBook;
  readonly #contracts: Readable;
  readonly #confirmations: number;
  #ledger: EventLedger;
  #sums = new Sums();
  #checkpoint: Checkpoint | undefined;
  #saved: BlockRef | undefined; // what the checkpoint holds, as far as known
  #final: { readonly block: BlockRef; readonly totals: Totals } | undefined; // what it can be brought up to
  #unsaved = new AccountMap<LedgerAccount>(); // as they stood then, those that have changed since
  #finality: { readonly block: number | undefined; readonly asked: number } | undefined; // [ms]
  #parts: Parts | undefined; // of the house
  #stale = { terms: true, risk: true }; // parts that may be others by now
  #house: ObservedHouse | undefined;
  #houseBlock: BlockRef | undefined; // what the house is of, if the chain still has it
  readonly #auctions = new AccountMap<Auction>();
  readonly #waiting = new AccountMap<WaitingLoss>();
  #touched = new AccountMap<true>(); // since the last report
  #news = { reorganised: 0, prices: new Set<number>(), house: false }; // likewise

  constructor(provider: Provider, book: AddressBook, { confirmations = CONFIRMATIONS }: MirrorOptions = {}) {
    this.#provider = provider;
    this.#book = book;
    this.#contracts = readable(book, provider);
    this.#confirmations = confirmations;
    this.#ledger = new EventLedger(book.cash.token);
  }

  // ---------------------------------------------------------------- what it shows

  /** Number of the last block whose events are in, −1 before the first `sync`. */
  get head(): number {
    return this.#ledger.head?.number ?? -1;
  }

  /** [s] By how much the clock of this machine is ahead of the block that `house` is of. */
  get lag(): number {
    return Date.now() / 1000 - Number(this.house.time);
  }

  get accounts(): ReadonlyAccountMap<LedgerAccount> {
    return this.#ledger.accounts;
  }

  get insuranceFund(): LedgerAccount {
    return this.#ledger.account(this.#ledger.totals.insuranceFund);
  }

  /**
   * Everything outside the accounts at the head. Underlyings whose price is unusable have none in it.
   * @throws NodeIncomplete before the first `sync`
   */
  get house(): ObservedHouse {
    if (this.#house === undefined) throw new NodeIncomplete("house: sync first");
    return this.#house;
  }

  /** The auctions that are on. */
  get auctions(): ReadonlyAccountMap<Auction> {
    return this.#auctions;
  }

  /** The accounts whose losses were seen waiting for cash. */
  get waiting(): ReadonlyAccountMap<WaitingLoss> {
    return this.#waiting;
  }

  /** Unswept trading fees [wad] of a market. */
  fees(market: number): bigint {
    return this.#ledger.totals.fees.get(market) ?? 0n;
  }

  // ---------------------------------------------------------------- what it does

  /**
   * Begins with the checkpoint in a database, if the chain still has its block, and has `save` write there.
   * @throws ForeignCheckpoint
   */
  async resume(database: Database): Promise<void> {
    this.#checkpoint = await Checkpoint.open(database, this.#book);
    await this.#startOver();
  }

  /**
   * Writes what has become final since the last time.
   * @returns whether there was anything that no other keeper has written
   */
  async save(): Promise<boolean> {
    if (this.#checkpoint === undefined || this.#final === undefined) return false;
    if (this.#final.block.hash === this.#saved?.hash) return false;
    const [final, accounts] = [this.#final, this.#unsaved];
    this.#unsaved = new AccountMap();
    let saved = false;
    try {
      saved = await this.#checkpoint.save({ ...final, accounts }, this.#saved);
    } finally {
      if (saved) this.#saved = final.block;
      else for (const [id, account] of accounts) if (!this.#unsaved.has(id)) this.#unsaved.set(id, account);
    }
    return saved;
  }

  /**
   * Reads on to the latest block.
   * @param announced spares the question which one that is, if it is a little ahead; the node that is read need not have it
   * @throws NodeIncomplete, or whatever the node throws; the next call goes on from there
   */
  async sync(announced?: Head): Promise<Changes> {
    const ahead = announced === undefined ? 0 : announced.number - this.head;
    let next = ahead > 0 && ahead <= NEAR ? announced : undefined;
    for (let tries = 0; tries < TRIES; ++tries) {
      const latest = next ?? headOf(await this.#block("latest"));
      next = undefined;
      if (latest.hash === this.#houseBlock?.hash) return this.#report();
      await this.#goBack(latest);
      if (latest.number < this.head) return this.#report(); // this node is behind another one
      if (latest.number - this.head > NEAR) await this.#readRange(latest.number);
      else if (await this.#readHead(latest, latest === announced)) return this.#report();
    }
    throw new NodeIncomplete("head that stays the same while it is read");
  }

  /**
   * Compares sums over all accounts with the chain at the head.
   * @throws MirrorMismatch, with the numbers; NodeIncomplete if the head is gone
   */
  async reconcile(): Promise<void> {
    const { clearingHouse } = this.#contracts;
    const { house, head } = this;
    const sums = this.#sums;
    const block = this.#houseBlock;
    try {
      await expectReconciled({ sums, house, head, book: this.#book, clearingHouse, provider: this.#provider });
    } catch (error) {
      if (block !== undefined && !(await this.#isCurrent(block))) throw new NodeIncomplete(`block ${block.hash}`);
      throw error;
    }
  }

  // ---------------------------------------------------------------- the past

  /** Takes back what the chain has dropped. */
  async #goBack({ number, hash, parentHash }: Head): Promise<void> {
    const { head } = this.#ledger;
    if (head === undefined || head.hash === hash || (number === head.number + 1 && parentHash === head.hash)) return;
    try {
      for (
        let at: BlockRef | undefined = head;
        at !== undefined && !(await this.#isCurrent(at));
        at = this.#ledger.head
      ) {
        const undone = this.#ledger.undo();
        if (undone === undefined) await this.#startOver();
        else {
          for (const { before, after } of undone.accounts.values()) this.#sums.replace(after, before);
          this.#touch(undone.accounts);
        }
      }
    } finally {
      // Also where a node has failed half-way: the next time what is left may be current.
      if (this.#ledger.head !== head) {
        this.#news.reorganised += head.number - Math.max(this.head, this.#book.deployBlock - 1);
        this.#forgetHouse();
      }
    }
  }

  /** Goes back to the checkpoint, or to the deployment if there is none that the chain still knows. */
  async #startOver(): Promise<void> {
    const saved = await this.#checkpoint?.load();
    const state = saved !== undefined && (await this.#isCurrent(saved.block)) ? saved : undefined;
    this.#touch(this.#ledger.accounts);
    this.#ledger = new EventLedger(this.#book.cash.token, state);
    this.#touch(this.#ledger.accounts);
    this.#sums = new Sums();
    for (const account of this.#ledger.accounts.values()) this.#sums.replace(undefined, account);
    this.#saved = state?.block;
    this.#final = undefined;
    this.#unsaved = new AccountMap();
    this.#forgetHouse();
  }

  #forgetHouse(): void {
    this.#houseBlock = undefined;
    this.#stale = { terms: true, risk: true };
  }

  async #isCurrent({ number, hash }: BlockRef): Promise<boolean> {
    return (await this.#provider.getBlock(number))?.hash === hash;
  }

  /** Number of the last block that no reorganisation can drop any more, if the node tells; in a hurry the one of some seconds ago. */
  async #finalized(isHurry = false): Promise<number | undefined> {
    const now = performance.now();
    const known = this.#finality;
    if (isHurry && known !== undefined && now - known.asked < FINALITY_LIFETIME) return known.block;
    const block = await this.#askFinalized();
    this.#finality = { block, asked: now };
    return block;
  }

  async #askFinalized(): Promise<number | undefined> {
    try {
      return (await this.#provider.getBlock("finalized"))?.number;
    } catch {
      return this.#finality?.block; // not every chain has the tag; where it has, what was final is so still
    }
  }

  // ---------------------------------------------------------------- logs

  /** Reads logs up to a block. */
  async #readRange(last: number): Promise<void> {
    const final = (await this.#finalized()) ?? last - this.#confirmations;
    const first = Math.max(this.head + 1, this.#book.deployBlock);
    for (let fromBlock = first; fromBlock <= last; fromBlock += BLOCKS_PER_QUERY) {
      const toBlock = Math.min(fromBlock + BLOCKS_PER_QUERY - 1, last);
      const [logs, block] = await Promise.all([this.#logs({ fromBlock, toBlock }), this.#block(toBlock)]);
      this.#apply(logs, headOf(block));
      this.#finalise(final);
    }
  }

  /** Logs of the clearinghouse and the risk engine, in order. What the oracle's could say is read at every head anyway. */
  #logs(range: { fromBlock: number; toBlock: number } | { blockHash: string }): Promise<Log[]> {
    const { clearingHouse, riskEngine } = this.#book.contracts;
    return this.#provider.getLogs({ ...range, address: [clearingHouse, riskEngine] });
  }

  /** Applies the logs of some blocks, of which `last` is the last one. */
  #apply(logs: readonly Log[], last: BlockRef): void {
    const { clearingHouse, riskEngine } = this.#book.contracts;
    this.#stale.terms ||= logs.some(({ address }) => address === clearingHouse);
    this.#stale.risk ||= logs.some(({ address }) => address === riskEngine);
    const blocks = Map.groupBy(logs, ({ blockHash }) => blockHash);
    if (!blocks.has(last.hash)) blocks.set(last.hash, []);
    for (const [hash, told] of blocks) {
      const events = told.filter(({ address }) => address === clearingHouse).map(decode);
      const number = told[0]?.blockNumber ?? last.number;
      const { accounts } = this.#ledger.apply(
        { number, hash },
        events.filter((event) => event !== undefined),
      );
      for (const { before, after } of accounts.values()) this.#sums.replace(before, after);
      this.#touch(accounts);
    }
  }

  /** Forgets how to take back what is final. */
  #finalise(final: number): void {
    for (const { number, hash, accounts, after } of this.#ledger.finalise(final)) {
      if (this.#checkpoint === undefined) continue;
      this.#final = { block: { number, hash }, totals: after };
      for (const [id, change] of accounts) this.#unsaved.set(id, change.after);
    }
  }

  #touch(accounts: ReadonlyAccountMap<unknown>): void {
    for (const id of accounts.keys()) this.#touched.set(id, true);
  }

  async #block(tag: number | "latest"): Promise<Block> {
    const block = await this.#provider.getBlock(tag);
    if (block === null) throw new NodeIncomplete(`block ${tag}`);
    return block;
  }

  // ---------------------------------------------------------------- the head

  /** Reads what is left up to the latest block and the house there; answers whether that block stood all the while. */
  async #readHead(block: Head, isHurry: boolean): Promise<boolean> {
    this.#parts ??= await this.#readParts(block.number); // which collateral assets have rates
    const [logs, quotes, stands, finalized] = await Promise.all([
      this.#logsUpTo(block),
      readQuotes(this.#contracts, this.#book, this.#parts.terms.collaterals, block.number),
      this.#isCurrent(block),
      this.#finalized(isHurry),
    ]);
    if (!stands) return false;
    if (this.head !== block.number) this.#apply(logs, block);
    this.#finalise(finalized ?? block.number - this.#confirmations);
    return this.#readRest(block, quotes);
  }

  /** The logs that are missing up to a block. Where it is the next one, its hash says which one is meant. */
  async #logsUpTo({ number, hash }: BlockRef): Promise<Log[]> {
    if (this.head === number) return [];
    if (this.head === number - 1) return this.#logs({ blockHash: hash });
    return this.#logs({ fromBlock: Math.max(this.head + 1, this.#book.deployBlock), toBlock: number });
  }

  /** Reads what the logs say may have changed besides; answers whether the block stood all the while. */
  async #readRest(latest: Head, quotes: Quotes): Promise<boolean> {
    const inAuction = [...this.#touched.keys()].filter((id) => isInAuction(this.#ledger.account(id)));
    const isSure = !this.#stale.terms && !this.#stale.risk && inAuction.length === 0;
    const [parts, auctions, stands] = await Promise.all([
      this.#readParts(latest.number),
      Promise.all(inAuction.map((id) => this.#readAuction(id, latest.number))),
      isSure || this.#isCurrent(latest),
    ]);
    if (!stands) return false;
    this.#keepAuctions(new AccountMap(auctions));
    this.#show(latest, parts, quotes);
    return true;
  }

  async #readParts(blockTag: number): Promise<Parts> {
    const known = this.#parts;
    const [terms, risk] = await Promise.all([
      this.#stale.terms || !known ? readTerms(this.#contracts, this.#book, blockTag) : known.terms,
      this.#stale.risk || !known ? readRisk(this.#contracts, this.#book, blockTag) : known.risk,
    ]);
    return { terms, risk };
  }

  async #readAuction(id: AccountId, blockTag: number): Promise<[AccountId, StoredAuction]> {
    const stored = await this.#contracts.clearingHouse.auction(id, { blockTag });
    const { flagger, maintenanceAtFlag, clock, rescueClock, lastCall, cashCallClock, cashCallSeen } = stored;
    return [id, { flagger, maintenanceAtFlag, clock, rescueClock, lastCall, cashCallClock, cashCallSeen }];
  }

  #keepAuctions(read: ReadonlyAccountMap<StoredAuction>): void {
    for (const id of this.#touched.keys()) {
      const { cashCallClock: clock, cashCallSeen: seen, ...auction } = read.get(id) ?? NO_AUCTION;
      if (auction.flagger === ZeroAddress) this.#auctions.delete(id);
      else this.#auctions.set(id, auction);
      if (clock === 0n) this.#waiting.delete(id);
      else this.#waiting.set(id, { clock, seen });
    }
  }

  #show(latest: Head, parts: Parts, quotes: Quotes): void {
    const house = joinHouse(BigInt(latest.timestamp), parts.terms, parts.risk, quotes);
    for (const { id } of this.#book.underlyings) {
      if (this.#house === undefined || !samePrices(id, this.#house, house)) this.#news.prices.add(id);
    }
    this.#news.house ||= !isDeepStrictEqual(parts, this.#parts) || !sameLoans(this.#house?.lending, house.lending);
    [this.#parts, this.#house, this.#houseBlock] = [parts, house, latest];
    this.#stale = { terms: false, risk: false };
  }

  /** What has changed since the last report. */
  #report(): Changes {
    const { reorganised, prices, house } = this.#news;
    const touched = [...this.#touched.keys()];
    this.#touched = new AccountMap();
    this.#news = { reorganised: 0, prices: new Set(), house: false };
    return { head: this.head, reorganised, touched, pricesChanged: [...prices], houseChanged: house };
  }
}

function headOf({ number, hash, parentHash, timestamp }: Block): Head {
  if (hash === null) throw new NodeIncomplete(`hash of block ${number}`);
  return { number, hash, parentHash, timestamp };
}

function isInAuction({ flagged, cashCallClock }: LedgerAccount): boolean {
  return flagged || cashCallClock !== 0n;
}

function samePrices(underlying: number, a: ObservedHouse, b: ObservedHouse): boolean {
  const pricesIn = ({ prices, lastGood, collaterals }: ObservedHouse) => [
    prices.get(underlying),
    lastGood.get(underlying),
    [...collaterals.values()].map((c) => (c.underlying === underlying ? [c.rate, c.lastGoodRate] : [])),
  ];
  return isDeepStrictEqual(pricesIn(a), pricesIn(b));
}

/** Whether two states of the lending pool differ by interest only. */
function sameLoans(a: LendingState | undefined, b: LendingState): boolean {
  const loansIn = ({ lentShares, debtShares, rate, flaggedDeficit, params }: LendingState) => [
    ...[lentShares, debtShares, rate, flaggedDeficit],
    params,
  ];
  return a !== undefined && isDeepStrictEqual(loansIn(a), loansIn(b));
}
