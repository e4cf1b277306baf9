import type { Block, Provider } from "ethers";

import { IClearingHouse__factory, PriceOracle__factory, RiskEngine__factory } from "../../types/index.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import { readHouse } from "../sdk/read.ts";
import type { ObservedHouse, Readable } from "../sdk/read.ts";
import { EventLedger } from "./ledger.ts";
import type { LedgerAccount } from "./ledger.ts";

const BLOCKS_PER_QUERY = 10_000;

/** A loss that waits for cash: for how long it was seen waiting [s], plus one, and when it was last seen [s]. */
export interface WaitingLoss {
  readonly clock: bigint;
  readonly seen: bigint;
}

/** The house at one block: every account from events, everything else through views of that block. */
export class Mirror {
  readonly #provider: Provider;
  readonly #book: AddressBook;
  readonly #contracts: Readable;
  #ledger: EventLedger;
  #head: { number: number; hash: string | null } | undefined;
  #house: ObservedHouse | undefined;
  #waiting: ReadonlyMap<AccountId, WaitingLoss> = new Map();

  constructor(provider: Provider, book: AddressBook) {
    const { clearingHouse, riskEngine, priceOracle } = book.contracts;
    this.#provider = provider;
    this.#book = book;
    this.#contracts = {
      clearingHouse: IClearingHouse__factory.connect(clearingHouse, provider),
      riskEngine: RiskEngine__factory.connect(riskEngine, provider),
      priceOracle: PriceOracle__factory.connect(priceOracle, provider),
    };
    this.#ledger = new EventLedger(book.cash.token);
  }

  /** Number of the last block whose events are in, −1 before the first `sync`. */
  get head(): number {
    return this.#head?.number ?? -1;
  }

  get accounts(): ReadonlyMap<AccountId, LedgerAccount> {
    return this.#ledger.accounts;
  }

  get insuranceFund(): LedgerAccount {
    return this.#ledger.open(this.#ledger.insuranceFund);
  }

  /**
   * Everything outside the accounts at the head. Underlyings whose price is unusable have none in it.
   * @throws NodeIncomplete before the first `sync`
   */
  get house(): ObservedHouse {
    if (this.#house === undefined) throw new NodeIncomplete("house: sync first");
    return this.#house;
  }

  /** The accounts whose losses were seen waiting for cash. */
  get waiting(): ReadonlyMap<AccountId, WaitingLoss> {
    return this.#waiting;
  }

  /** Unswept trading fees [wad] of a market. */
  fees(market: number): bigint {
    return this.#ledger.fees(market);
  }

  /**
   * Reads on to the latest block; from the deployment on if this is the first time or a block that was read is gone.
   * @throws NodeIncomplete
   */
  async sync(): Promise<void> {
    const latest = await this.#block("latest");
    if (this.#head !== undefined && !(await this.#isCurrent(this.#head))) this.#reset();
    for (let from = Math.max(this.head + 1, this.#book.deployBlock); from <= latest.number; from += BLOCKS_PER_QUERY) {
      await this.#read(from, Math.min(from + BLOCKS_PER_QUERY - 1, latest.number));
    }
    [this.#house, this.#waiting] = await Promise.all([
      readHouse(this.#contracts, this.#book, latest),
      this.#readWaiting(latest.number),
    ]);
    this.#head = { number: latest.number, hash: latest.hash };
  }

  /** Forgets everything: the next `sync` rebuilds it. */
  #reset(): void {
    this.#ledger = new EventLedger(this.#book.cash.token);
    this.#head = undefined;
  }

  async #isCurrent(head: { number: number; hash: string | null }): Promise<boolean> {
    const block = await this.#provider.getBlock(head.number);
    return block !== null && block.hash === head.hash;
  }

  async #read(fromBlock: number, toBlock: number): Promise<void> {
    const { clearingHouse } = this.#contracts;
    const address = this.#book.contracts.clearingHouse;
    const [logs, last] = await Promise.all([
      this.#provider.getLogs({ address, fromBlock, toBlock }),
      this.#block(toBlock),
    ]);
    for (const log of logs) {
      const event = clearingHouse.interface.parseLog(log);
      if (event !== null) this.#ledger.apply(event);
    }
    this.#head = { number: toBlock, hash: last.hash };
  }

  async #readWaiting(blockTag: number): Promise<Map<AccountId, WaitingLoss>> {
    const ids = [...this.accounts].filter(([, { cashCallClock }]) => cashCallClock !== 0n).map(([id]) => id);
    const read = async (id: AccountId): Promise<[AccountId, WaitingLoss]> => {
      const { cashCallClock, cashCallSeen } = await this.#contracts.clearingHouse.auction(id, { blockTag });
      return [id, { clock: cashCallClock, seen: cashCallSeen }];
    };
    return new Map(await Promise.all(ids.map(read)));
  }

  async #block(tag: number | "latest"): Promise<Block> {
    const block = await this.#provider.getBlock(tag);
    if (block === null) throw new NodeIncomplete(`block ${tag}`);
    return block;
  }
}
