import { toQuantity } from "ethers";
import type { JsonRpcProvider, LogDescription } from "ethers";

import { IClearingHouse__factory } from "../../types/index.ts";
import { judge } from "../risk/assess.ts";
import { advance } from "../risk/auction.ts";
import { RiskError } from "../risk/errors.ts";
import { abs, positive, PPM, WAD } from "../risk/fixed.ts";
import { marketOf, priceOf } from "../risk/house.ts";
import { planLiquidation } from "../risk/liquidation.ts";
import type { Deal } from "../risk/liquidation.ts";
import { snapshotOf } from "../risk/portfolio.ts";
import { saleablePrice } from "../risk/prices.ts";
import type { AccountState, Assessment, HouseState } from "../risk/types.ts";
import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { liquidateCall } from "../sdk/calls.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import { DEFAULT_POLICY } from "../keeper/config.ts";
import { adviceOf, askPriorityFee, PlainGas } from "../keeper/fees.ts";
import type { GasModel } from "../keeper/fees.ts";
import { EMPTY_ACCOUNT } from "../keeper/ledger.ts";
import { Mirror } from "../keeper/mirror.ts";

/** Gas of taking from an account that holds one thing, and more for each further thing: rather too much, so that nobody is blamed for cents. */
const FIRST_GAS = 300_000n;
const FURTHER_GAS = 100_000n;

const abi = IClearingHouse__factory.createInterface();
const TOLD = (["Liquidated", "RescuePaid", "DeficitAbsorbed"] as const).map((name) => abi.getEvent(name).topicHash);

/** What is to be said of an account that was below MM; there can be several: bad debt of one that was taken on time, say. */
export const VERDICTS = ["bad debt", "missed", "late", "unprofitable", "recovered", "on time"] as const; // the worst first
export type Verdict = (typeof VERDICTS)[number];

/** A slice that somebody took. Amounts are [wad] USD. */
export interface Take {
  readonly block: number;
  /** Looks from the one that first found it profitable to the one that finds it taken; 0: it was not even seen profitable before. */
  readonly delay: number;
  readonly taker: AccountId;
  /** The taker's share of the penalty, and what the fund has added. */
  readonly gain: bigint;
  readonly gas: bigint;
}

/** A time in which it would have paid to take from an account, and nobody did. */
export interface Miss {
  /** Block from whose end on it would have paid. */
  readonly since: number;
  /** Looks that found it untaken. */
  readonly looks: number;
  /** Most [wad USD] that it would have brought after gas and risk at any of them. */
  readonly profit: bigint;
}

/** What became of an account that was below MM. Amounts are [wad] USD. */
export interface Sighting {
  readonly id: AccountId;
  /** First block at whose end it was below MM. */
  readonly since: number;
  /** Looks that found it there. */
  readonly looks: number;
  readonly takes: readonly Take[];
  readonly misses: readonly Miss[];
  /** What it could not pay: absorbed by others, or still below zero. */
  readonly deficit: bigint;
  readonly verdicts: readonly Verdict[];
}

export interface ObserverOptions {
  readonly provider: JsonRpcProvider;
  readonly addressBook: AddressBook;
  /** Account of the keeper that is watched: he never takes from his own. */
  readonly taker: AccountId;
  readonly gasModel: GasModel;
  /** Symbol of the underlying that gas is paid in. */
  readonly gasUnderlying: string;
  /** [ppm] of the house's shock κ · μ that a taker's risk is worth, on all that he takes. */
  readonly inventoryRisk: bigint;
  /** [wad] Least profit after gas and that risk at which taking counts as profitable. */
  readonly worth: bigint;
  /** Looks that may pass from profitable to taken. */
  readonly allowLate: number;
}

/** What counts as profitable unless somebody says otherwise: to a keeper without settings of its own. */
export const YARDSTICK = {
  gasModel: new PlainGas(),
  gasUnderlying: DEFAULT_POLICY.gasUnderlying,
  inventoryRisk: DEFAULT_POLICY.inventoryRisk,
  allowLate: 1,
} as const;

/** What is being written down about an account. */
interface Case {
  readonly id: AccountId;
  readonly since: number;
  looks: number;
  below: boolean; // at the last look
  paid: boolean; // it was profitable at some look
  open: { readonly look: number; readonly block: number; profit: bigint } | undefined; // profitable and not taken
  readonly takes: Take[];
  readonly misses: Miss[];
  absorbed: bigint;
}

/** [wad USD] What taking from an account costs, gas and data. */
type CostOf = (account: AccountState) => bigint;

interface RawLog {
  readonly topics: string[];
  readonly data: string;
  readonly blockNumber: string;
  readonly transactionHash: string;
}

/**
 * Watches a keeper's work from outside: at every look it reads the chain for itself, judges each account by the exact model and asks
 * whether taking from it would pay, so that it knows since when somebody should have. It looks at the ends of blocks; where a look
 * stands for several blocks, delays count looks.
 *
 *     const observer = new Observer({ provider, addressBook, taker, ...YARDSTICK, worth: WAD });
 *     await observer.see(); // at every block
 *     for (const { id, verdicts } of observer.sightings()) console.log(id, verdicts);
 */
export class Observer {
  readonly #options: ObserverOptions;
  readonly #mirror: Mirror;
  readonly #cases = new AccountMap<Case>();
  #looks = 0;
  #block = -1;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#mirror = new Mirror(options.provider, options.addressBook);
  }

  /** Looks at the end of the latest block. */
  async see(): Promise<void> {
    const { provider } = this.#options;
    const [priorityFee, block] = await Promise.all([
      askPriorityFee(provider),
      provider.getBlock("latest"),
      this.#mirror.sync(),
    ]);
    const { gasPrice } = adviceOf(block?.baseFeePerGas ?? undefined, priorityFee);
    this.#looks += 1;
    const { head } = this.#mirror;
    if (this.#block >= 0) await this.#readTakes(this.#block + 1, head);
    this.#block = head;
    const { addressBook, taker } = this.#options;
    const dataFee = await this.#dataFeeOf(liquidateCall(addressBook, taker, taker).data); // one taking is as long as another
    const costOf: CostOf = (account) => this.worthOf(gasOf(account) * gasPrice + dataFee);
    for (const [id, account] of this.#mirror.accounts) this.#look(id, account, costOf);
  }

  /** Number of the block last looked at. */
  get head(): number {
    return this.#block;
  }

  /** Accounts from which taking is profitable and was so far left undone. */
  get waiting(): AccountId[] {
    return [...this.#cases.values()].filter(({ open }) => open !== undefined).map(({ id }) => id);
  }

  /** Accounts below MM. */
  get below(): number {
    return [...this.#cases.values()].filter(({ below }) => below).length;
  }

  /** How an account stands. */
  assess(id: AccountId): Assessment {
    const { accounts, house } = this.#mirror;
    return judge(snapshotOf(accounts.get(id) ?? EMPTY_ACCOUNT, house, "kindest"), house.risk);
  }

  /** USD of an amount of the asset that gas is paid in; nothing while that has no price. */
  worthOf(wei: bigint): bigint {
    const asset = this.#options.addressBook.underlyings.find(({ name }) => name === this.#options.gasUnderlying);
    const price = asset === undefined ? undefined : this.#mirror.house.prices.get(asset.id)?.price;
    return (wei * (price ?? 0n)) / WAD;
  }

  /** What became of every account that was below MM so far, in the order in which they fell. */
  sightings(): Sighting[] {
    return [...this.#cases.values()].map((c) => this.#sighting(c));
  }

  // ---------------------------------------------------------------- looking

  #look(id: AccountId, account: AccountState, costOf: CostOf): void {
    const known = this.#cases.get(id);
    const assessment = ownerOf(id) === ownerOf(this.#options.taker) ? undefined : this.#judge(account);
    const below = assessment !== undefined && assessment.equity < assessment.maintenanceMargin;
    if (known === undefined && !below) return;
    const noted = known ?? this.#begin(id);
    noted.below = below;
    if (below) noted.looks += 1;
    const profit = below ? this.#profit(id, account, assessment, costOf) : undefined;
    if (profit === undefined || profit < this.#options.worth) this.#close(noted, this.#looks);
    else {
      noted.paid = true;
      noted.open ??= { look: this.#looks, block: this.#block, profit };
      if (profit > noted.open.profit) noted.open.profit = profit;
    }
  }

  /** E, IM and MM; `undefined` of who can never be liquidated and where prices are missing. */
  #judge(account: AccountState): Assessment | undefined {
    const { house } = this.#mirror;
    try {
      const snapshot = snapshotOf(account, house, "kindest");
      return snapshot.flat ? undefined : judge(snapshot, house.risk);
    } catch (error) {
      if (error instanceof RiskError) return undefined;
      throw error;
    }
  }

  /** What taking the whole slice now would bring after gas and risk [wad]; a rescue's reward, which has caps, is not counted on. */
  #profit(id: AccountId, account: AccountState, assessment: Assessment, costOf: CostOf): bigint | undefined {
    const { house, auctions } = this.#mirror;
    const [owner, taker] = [ownerOf(id), ownerOf(this.#options.taker)];
    try {
      const auction = advance(auctions.get(id), assessment, taker, house.time);
      const plan = planLiquidation(account, house, { auction, owner, taker });
      const risk = (riskOf(plan, house) * this.#options.inventoryRisk) / PPM;
      return plan.gain - risk - costOf(account);
    } catch (error) {
      if (error instanceof RiskError) return undefined;
      throw error;
    }
  }

  #begin(id: AccountId): Case {
    const noted: Case = {
      ...{ id, since: this.#block, looks: 0, below: true, paid: false, open: undefined },
      ...{ takes: [], misses: [], absorbed: 0n },
    };
    this.#cases.set(id, noted);
    return noted;
  }

  /** It does not pay any more, and nobody has taken: missed, if there was time enough. */
  #close(noted: Case, now: number): void {
    const { open } = noted;
    noted.open = undefined;
    if (open === undefined) return;
    const looks = now - open.look;
    if (looks > this.#options.allowLate) noted.misses.push({ since: open.block, looks, profit: open.profit });
  }

  // ---------------------------------------------------------------- what was taken

  async #readTakes(from: number, to: number): Promise<void> {
    if (from > to) return;
    const { provider, addressBook } = this.#options;
    const filter = { address: addressBook.contracts.clearingHouse, topics: [TOLD] };
    const range = { fromBlock: toQuantity(from), toBlock: toQuantity(to) };
    const logs = (await provider.send("eth_getLogs", [{ ...filter, ...range }])) as RawLog[];
    for (const log of logs) {
      const event = abi.parseLog(log);
      if (event !== null) await this.#record(event, log, logs);
    }
  }

  async #record({ name, args }: LogDescription, log: RawLog, logs: readonly RawLog[]): Promise<void> {
    const id = args.getValue("account") as AccountId;
    const amount = (field: string) => args.getValue(field) as bigint;
    const noted = this.#cases.get(id) ?? this.#begin(id);
    if (name === "DeficitAbsorbed") noted.absorbed += amount("part");
    if (name !== "Liquidated" || args.getValue("cashCall") === true) return;
    const gain = amount("cost") - amount("toFund") - amount("toFlagger") + rescueOf(id, log, logs);
    const delay = noted.open === undefined ? 0 : this.#looks - noted.open.look;
    noted.open = undefined;
    const taker = args.getValue("taker") as AccountId;
    noted.takes.push({ block: Number(log.blockNumber), delay, taker, gain, gas: await this.#gasOf(log, logs) });
  }

  /** What gas has cost [wad USD]; slices of one transaction share it. */
  async #gasOf({ transactionHash: hash }: RawLog, logs: readonly RawLog[]): Promise<bigint> {
    const { provider } = this.#options;
    const [receipt, sent] = await Promise.all([provider.getTransactionReceipt(hash), provider.getTransaction(hash)]);
    if (receipt === null || sent === null) throw new NodeIncomplete(`receipt of ${hash}`);
    const slices = logs.filter(({ transactionHash, topics }) => transactionHash === hash && topics[0] === TOLD[0]);
    return this.worthOf(receipt.fee + (await this.#dataFeeOf(sent.data))) / BigInt(slices.length);
  }

  /** [wei] What the chain charges for the data of a call to the house, its gas aside. */
  #dataFeeOf(data: string): Promise<bigint> {
    const { gasModel, addressBook } = this.#options;
    const { chainId, contracts } = addressBook;
    const free = { gasLimit: 0n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };
    return gasModel.cost({ chainId, nonce: 0, to: contracts.clearingHouse, data, ...free });
  }

  // ---------------------------------------------------------------- the verdict

  #sighting({ id, since, looks, takes, misses, ...noted }: Case): Sighting {
    const { open, below, paid, absorbed } = noted;
    const left = open === undefined ? 0 : this.#looks - open.look;
    const undone = open !== undefined && left >= this.#options.allowLate;
    const all = undone ? [...misses, { since: open.block, looks: left + 1, profit: open.profit }] : misses;
    const deficit = absorbed + (below ? positive(-this.assess(id).equity) : 0n);
    const found: Verdict[] = [];
    if (deficit > 0n) found.push("bad debt");
    if (all.length > 0) found.push("missed");
    const late = takes.some(({ delay }) => delay > this.#options.allowLate);
    if (late) found.push("late");
    if (takes.length === 0 ? !paid : takes.some(({ gain, gas }) => gain < gas)) found.push("unprofitable");
    if (takes.length > 0 && all.length === 0 && !late) found.push("on time");
    return { id, since, looks, takes, misses: all, deficit, verdicts: found.length > 0 ? found : ["recovered"] };
  }
}

/** What a slice loses in a shock κ · μ of every underlying against it [wad]. */
function riskOf({ legs, collaterals }: Deal, house: HouseState): bigint {
  const exposures = new Map<number, bigint>();
  const add = (underlying: number, value: bigint) =>
    exposures.set(underlying, (exposures.get(underlying) ?? 0n) + value);
  for (const { market, size } of legs) {
    const { underlying } = marketOf(house, market);
    add(underlying, (size * priceOf(house, underlying).price) / WAD);
  }
  for (const { id, amount } of collaterals) {
    add(house.collaterals.get(id)?.underlying ?? 0, (amount * saleablePrice(house, id)) / WAD);
  }
  let risk = 0n;
  for (const [underlying, exposure] of exposures) {
    const shock = house.risk.underlyings.get(underlying)?.shock ?? 0n;
    risk += (abs(exposure) * shock * priceOf(house, underlying).initialFactor) / (PPM * PPM);
  }
  return risk;
}

function gasOf({ positions, collaterals, debtShares }: AccountState): bigint {
  const things = positions.size + collaterals.size + (debtShares === 0n ? 0 : 1);
  return FIRST_GAS + FURTHER_GAS * BigInt(Math.max(0, things - 1));
}

/** What the fund added in the same transaction. */
function rescueOf(id: AccountId, { transactionHash }: RawLog, logs: readonly RawLog[]): bigint {
  return logs
    .filter((log) => log.transactionHash === transactionHash)
    .map((log) => abi.parseLog(log))
    .filter((event) => event?.name === "RescuePaid" && event.args.getValue("account") === id)
    .reduce((sum, event) => sum + (event?.args.getValue("amount") as bigint), 0n);
}
