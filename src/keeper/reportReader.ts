import type { Log, Provider, TransactionReceipt, TransactionResponse } from "ethers";

import type { LiquidatedEvent } from "../../types/contracts/interfaces/IClearingHouse.ts";
import { discount } from "../risk/auction.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import { readable, readAccount, readAuction, readHouse } from "../sdk/read.ts";
import type { Readable } from "../sdk/read.ts";
import { decode } from "./decode.ts";
import { EMPTY_ACCOUNT, EventLedger, NO_TOTALS } from "./ledger.ts";
import { assessmentOf, auctionAt, digestOf, profitOf } from "./report.ts";
import type { LiquidationInputs, LiquidationOutcome, LiquidationReport } from "./report.ts";

export interface ReportReaderOptions {
  readonly provider: Provider;
  readonly addressBook: AddressBook;
  /** Symbol of the underlying that gas is paid in. */
  readonly gasUnderlying: string;
}

/** A log as a node tells it. */
export type RawLog = Pick<
  Log,
  "address" | "topics" | "data" | "transactionHash" | "blockNumber" | "blockHash" | "index"
>;

/** The event, with the chain's transaction around it. */
interface Sale {
  readonly event: LiquidatedEvent.OutputObject;
  readonly log: RawLog;
  readonly transaction: TransactionResponse;
  readonly receipt: TransactionReceipt;
}

/** Makes reports of liquidations from what a node knows; it must still have the state of the block before each. */
export class ReportReader {
  readonly #options: ReportReaderOptions;
  readonly #contracts: Readable;

  constructor(options: ReportReaderOptions) {
    this.#options = options;
    this.#contracts = readable(options.addressBook, options.provider);
  }

  /** The `Liquidated` events of some blocks, by whomever. */
  logs(fromBlock: number, toBlock: number): Promise<Log[]> {
    const topics = [this.#topic];
    const { clearingHouse: address } = this.#options.addressBook.contracts;
    return this.#options.provider.getLogs({ address, topics, fromBlock, toBlock });
  }

  /** The reports of all liquidations of a transaction. @throws NodeIncomplete if the node does not know it */
  async ofTransaction(hash: string): Promise<LiquidationReport[]> {
    const { provider, addressBook } = this.#options;
    const receipt = await provider.getTransactionReceipt(hash);
    if (receipt === null) throw new NodeIncomplete(`transaction ${hash}`);
    const isOfHouse = ({ address }: RawLog) => address === addressBook.contracts.clearingHouse;
    const logs = receipt.logs.filter((log) => isOfHouse(log) && log.topics[0] === this.#topic);
    return Promise.all(logs.map((log) => this.read(log)));
  }

  /** The report of a `Liquidated` event. @throws NodeIncomplete */
  async read(log: RawLog): Promise<LiquidationReport> {
    return this.#reportOf(await this.#saleOf(log));
  }

  get #topic(): string {
    return this.#contracts.clearingHouse.interface.getEvent("Liquidated").topicHash;
  }

  async #saleOf(log: RawLog): Promise<Sale> {
    const { provider } = this.#options;
    const event = this.#contracts.clearingHouse.interface.parseLog(log);
    const [transaction, receipt] = await Promise.all([
      provider.getTransaction(log.transactionHash),
      provider.getTransactionReceipt(log.transactionHash),
    ]);
    if (event?.name !== "Liquidated" || transaction === null || receipt === null) {
      throw new NodeIncomplete(`liquidation in transaction ${log.transactionHash}`);
    }
    return { event: event.args.toObject() as LiquidatedEvent.OutputObject, log, transaction, receipt };
  }

  async #reportOf(sale: Sale): Promise<LiquidationReport> {
    const { addressBook: book, gasUnderlying } = this.#options;
    const { event, log, receipt } = sale;
    const { account, taker, flagger, cashCall } = event;
    const { inputs, prices } = await this.#inputsOf(sale);
    const question = { inputs, cashCall, account, taker, flagger };
    const assessment = { ...assessmentOf(question), equity: event.equity, maintenanceMargin: event.maintenanceMargin };
    const clock = cashCall ? 0n : auctionAt(question, assessment).clock;
    const gasAsset = book.underlyings.find(({ name }) => name === gasUnderlying);
    const gasAssetPrice = gasAsset === undefined ? 0n : (prices.get(gasAsset.id)?.price ?? 0n);
    const report = {
      ...{ id: `${log.transactionHash}:${log.index}`, chainId: book.chainId, block: log.blockNumber },
      ...{ transaction: log.transactionHash, ...question, clock },
      discount: cashCall ? 0n : discount(clock),
      outcome: this.#outcomeOf(sale, assessment.initialMargin),
      ...{ gasUsed: receipt.gasUsed, gasPrice: receipt.gasPrice, gasAssetPrice },
    };
    const whole = { ...report, profit: profitOf({ ...report, profit: 0n }) };
    return { ...whole, digest: digestOf(whole) };
  }

  /** The account and its house before the block, at the time and the prices of the block. */
  async #inputsOf(sale: Sale): Promise<{ inputs: LiquidationInputs; prices: HouseState["prices"] }> {
    const { event, log, transaction } = sale;
    const { provider, addressBook: book } = this.#options;
    const { account: id } = event;
    const [number, before] = [log.blockNumber, log.blockNumber - 1];
    const block = await provider.getBlock(number);
    if (block === null) throw new NodeIncomplete(`block ${number}`);
    const { timestamp } = block;
    const [account, auction, stored, earlier, now] = await Promise.all([
      this.#accountBefore(sale),
      readAuction(this.#contracts, id, before),
      this.#contracts.clearingHouse.auction(id, { blockTag: before }),
      readHouse(this.#contracts, book, { number: before, timestamp }),
      readHouse(this.#contracts, book, { number, timestamp }),
    ]);
    const { maxFraction, acceptClaims } = this.#termsOf(transaction, event.fraction);
    const { prices, collaterals } = now;
    const house = relevant(account, { ...earlier, prices, collaterals });
    const { cashCallClock } = stored;
    return { inputs: { account, house, auction, cashCallClock, maxFraction, acceptClaims }, prices };
  }

  /** The account before the transaction: as the block before has left it, with what earlier transactions of its own block changed. */
  async #accountBefore({ event: { account: id }, log, receipt }: Sale): Promise<AccountState> {
    const { provider, addressBook: book } = this.#options;
    const { blockHash, blockNumber } = log;
    const [account, logs] = await Promise.all([
      readAccount(this.#contracts, id, blockNumber - 1),
      provider.getLogs({ blockHash, address: book.contracts.clearingHouse }),
    ]);
    const earlier = logs.filter(({ transactionIndex }) => transactionIndex < receipt.index).map(decode);
    const collateralOf = new Map(book.collaterals.map((one) => [one.token.toLowerCase(), one.id]));
    const ledger = new EventLedger(book.cash.token, {
      block: { number: blockNumber - 1, hash: "" },
      totals: { ...NO_TOTALS, collateralOf },
      accounts: new AccountMap([[id, { ...EMPTY_ACCOUNT, ...account }]]),
    });
    ledger.apply(
      { number: blockNumber, hash: blockHash },
      earlier.filter((event) => event !== undefined),
    );
    const { cash, lentShares, debtShares, positions, collaterals } = ledger.account(id);
    return { cash, lentShares, debtShares, positions, collaterals };
  }

  /** What the taker asked for; of a call that is not made directly, what he got. */
  #termsOf({ data }: TransactionResponse, fraction: bigint): { maxFraction: bigint; acceptClaims: boolean } {
    const call = this.#contracts.clearingHouse.interface.parseTransaction({ data });
    if (call?.name !== "liquidate" && call?.name !== "cashCall") return { maxFraction: fraction, acceptClaims: true };
    const { maxFraction, acceptClaims } = call.args.terms as { maxFraction: bigint; acceptClaims: boolean };
    return { maxFraction, acceptClaims };
  }

  #outcomeOf({ event, log, receipt }: Sale, initialMargin: bigint): LiquidationOutcome {
    const { equity, maintenanceMargin, fraction, cost, payment, toFund, toFlagger, account } = event;
    const sizes = new Map<number, bigint>();
    const collaterals = new Map<number, bigint>();
    let rescue = 0n;
    for (const other of receipt.logs.filter(({ address }) => address === log.address)) {
      const parsed = this.#contracts.clearingHouse.interface.parseLog(other);
      if (parsed === null || parsed.args.account !== account) continue;
      const args = parsed.args.toObject() as Record<string, bigint>;
      if (parsed.name === "PositionTaken") add(sizes, args.market, args.size);
      if (parsed.name === "CollateralTaken") add(collaterals, args.collateral, args.amount);
      if (parsed.name === "RescuePaid") rescue += args.amount ?? 0n;
    }
    const gain = cost - toFund - toFlagger;
    const amounts = { fraction, cost, payment, toFund, toFlagger, gain, rescue };
    return { equity, initialMargin, maintenanceMargin, ...amounts, sizes, collaterals };
  }
}

/** What of a house an account depends on. */
function relevant(account: AccountState, { time, lending, ...house }: HouseState): HouseState {
  const of = <T>(all: ReadonlyMap<number, T>, held: ReadonlySet<number>) =>
    new Map([...all].filter(([id]) => held.has(id)));
  const markets = of(house.markets, new Set(account.positions.keys()));
  const collaterals = of(house.collaterals, new Set(account.collaterals.keys()));
  const held = new Set([...markets.values(), ...collaterals.values()].map(({ underlying }) => underlying));
  const risk = {
    underlyings: of(house.risk.underlyings, held),
    collaterals: of(house.risk.collaterals, new Set(collaterals.keys())),
  };
  return {
    time,
    lending,
    risk,
    markets,
    collaterals,
    prices: of(house.prices, held),
    lastGood: of(house.lastGood, held),
  };
}

function add(amounts: Map<number, bigint>, id: bigint | undefined, amount: bigint | undefined): void {
  if (id !== undefined && amount !== undefined && amount !== 0n) amounts.set(Number(id), amount);
}
