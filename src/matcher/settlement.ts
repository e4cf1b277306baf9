import { concat, keccak256, toBeHex, Wallet } from "ethers";
import type { BlockTag, JsonRpcProvider, TransactionRequest, TransactionResponse } from "ethers";
import type { Logger } from "pino";

import { shortMessage } from "../keeper/sender.ts";
import { divUp, max } from "../risk/fixed.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { settleForFeeCall, settleOrdersCall } from "../sdk/calls.ts";
import type { Call, Match } from "../sdk/calls.ts";
import { decodeError } from "../sdk/errors.ts";
import type { ContractError } from "../sdk/errors.ts";
import type { SignedOrder } from "../sdk/orders.ts";
import { isSignedBelow } from "./bookOrder.ts";
import type { BookOrder, Fill } from "./bookOrder.ts";
import type { Engine } from "./engine.ts";
import { feesOf } from "./fees.ts";
import { SingleLane } from "./lane.ts";
import type { LanePolicy } from "./lane.ts";
import type { Command, FailedFact, Sent } from "./types.ts";

const MAX_MISSING = 20;
const MAX_HALVINGS = 16; // of a batch
const REPLACE_BUMP = 1125n; // [‰ of the last fees] that nodes ask for in place of a transaction

/** Fills that are settled together or not at all: one, or all of a fill-or-kill order. */
export type Group = readonly Fill[];

/** How fills are settled. */
export interface SettlementPolicy extends LanePolicy {
  /** Most fills of one transaction. */
  readonly maxBatch: number;
  /** Account that collects execution fees; without one, orders that offer them are settled for nothing. */
  readonly feeAccount: AccountId | undefined;
  /** [wad USD] Least fees of a transaction for which they are collected: that costs gas. */
  readonly minFee: bigint;
}

/** What a settlement needs of the matcher. */
export interface SettlementPorts {
  readonly engine: Engine;
  /** Carries out a command; resolves once it is on the disk. */
  submit(command: Command): Promise<unknown>;
  /** Reads the chain up to its latest block and tells the engine. */
  sync(): Promise<void>;
  /** The last block that was read. */
  head(): number;
  now(): number;
}

/** What one pass did: how many fills went into a transaction and what became of it, or how many the chain refuses. */
export interface Pass {
  readonly result: "idle" | "waiting" | "settled" | "failed" | "lost" | "refused";
  readonly fills: number;
  readonly reason?: string;
}

/** A transaction would take another nonce than the one whose outcome is unknown: both could be mined. */
export class OutcomeUnknown extends Error {
  readonly nonce: number;

  constructor(nonce: number) {
    super(`what became of the transactions with nonce ${nonce} has to be found out first`);
    this.name = "OutcomeUnknown";
    this.nonce = nonce;
  }
}

/**
 * A wallet that writes every transaction down before it leaves. Until it is known what became of those of a nonce, everything is sent
 * with that nonce, so that at most one of them is ever mined.
 */
class JournalWallet extends Wallet {
  readonly #ports: SettlementPorts;
  fills: readonly number[] = [];

  readonly #provider: JsonRpcProvider;

  constructor(key: string, provider: JsonRpcProvider, ports: SettlementPorts) {
    super(key, provider);
    this.#provider = provider;
    this.#ports = ports;
  }

  override async getNonce(blockTag?: BlockTag): Promise<number> {
    const [open] = this.#ports.engine.sent;
    return blockTag === "pending" && open !== undefined ? open.nonce : super.getNonce(blockTag);
  }

  /**
   * Estimates on the latest block: on the pending one, which some nodes take unless told otherwise, a transaction of our own that
   * waits there would make its fills look settled and be refused.
   */
  override async estimateGas({ to, data }: TransactionRequest): Promise<bigint> {
    const call = { from: this.address, to, data };
    return BigInt((await this.#provider.send("eth_estimateGas", [call, "latest"])) as string);
  }

  override async sendTransaction(request: TransactionRequest): Promise<TransactionResponse> {
    const open = this.#ports.engine.sent.at(-1);
    const nonce = Number(request.nonce);
    if (open !== undefined && open.nonce !== nonce) throw new OutcomeUnknown(open.nonce);
    const competes = open !== undefined && (await this.#provider.getTransaction(open.transaction)) !== null;
    const populated = await this.populateTransaction(competes ? dearer(request, open) : request);
    const raw = await this.signTransaction(populated);
    const maxFee = BigInt(populated.maxFeePerGas ?? populated.gasPrice ?? 0n);
    const priorityFee = BigInt(populated.maxPriorityFeePerGas ?? populated.gasPrice ?? 0n);
    const sent = { nonce, transaction: keccak256(raw), raw, maxFee, priorityFee, fills: this.fills };
    await this.#ports.submit({ type: "send", time: this.#ports.now(), ...sent });
    return this.#provider.broadcastTransaction(raw);
  }

  /** Uses up a nonce with a transaction that does nothing, which therefore needs no journal. */
  async sendNothing(nonce: number): Promise<void> {
    const request = await this.populateTransaction({ to: this.address, data: "0x", nonce });
    await this.#provider.broadcastTransaction(await this.signTransaction(request));
  }
}

/** Brings fills to the exchange, in order, each once. */
export class Settlement {
  readonly #ports: SettlementPorts;
  readonly #book: AddressBook;
  readonly #policy: SettlementPolicy;
  readonly #wallet: JournalWallet;
  #lane: SingleLane;
  readonly #provider: JsonRpcProvider;
  readonly #logger: Logger;
  #missing = 0; // looks in a row that found the nonce used up and no receipt: somebody else uses the key
  #lost = 0; // transactions in a row that the chain has reverted although they had gone through when they were simulated

  /** @param key private key that pays for gas */
  constructor(
    ports: SettlementPorts,
    {
      book,
      provider,
      key,
      policy,
      logger,
    }: {
      readonly book: AddressBook;
      readonly provider: JsonRpcProvider;
      readonly key: string;
      readonly policy: SettlementPolicy;
      readonly logger: Logger;
    },
  ) {
    this.#ports = ports;
    this.#book = book;
    this.#policy = policy;
    this.#provider = provider;
    this.#logger = logger;
    this.#wallet = new JournalWallet(key, provider, ports);
    this.#lane = new SingleLane(this.#wallet, provider, policy);
  }

  /** The chain was reorganised: the nonce that comes next has to be asked for again. */
  reorganised(): void {
    this.#lane = new SingleLane(this.#wallet, this.#provider, this.#policy);
  }

  /** Who pays for gas. */
  get address(): string {
    return this.#wallet.address;
  }

  /**
   * Finds out what became of the last transactions, then settles the first fills that wait, as many as one transaction takes.
   * @throws whatever the node throws; the next pass begins again
   */
  async pass(): Promise<Pass> {
    if (!(await this.#resolve())) return { result: "waiting", fills: 0 };
    const groups = nextBatch([...this.#ports.engine.book.fills.values()], this.#policy.maxBatch >> this.#lost);
    if (groups.length === 0) return { result: this.#ports.engine.sent.length > 0 ? "waiting" : "idle", fills: 0 };
    const { count, error } = await this.#longestPrefix(groups, this.#feeToOf(groups.flat()));
    const [first] = groups;
    if (count === 0 && first !== undefined && error !== undefined) return this.#settleForNothing(first, error);
    const fills = groups.slice(0, count).flat();
    return this.#send(fills, this.#feeToOf(fills));
  }

  /** Who collects the fees of fills; `undefined` if nobody does or they are not worth it. */
  #feeToOf(fills: readonly Fill[]): AccountId | undefined {
    const fees = feesOf(fills);
    return fees > 0n && fees >= this.#policy.minFee ? this.#policy.feeAccount : undefined;
  }

  /** An account that cannot pay a fee still gets its order settled. @param error that the chain has refused the group with */
  async #settleForNothing(group: Group, error: ContractError): Promise<Pass> {
    if (this.#feeToOf(group) === undefined) return this.#refuse(group, error);
    const found = await this.#simulate([group], undefined);
    return found === undefined ? this.#send(group, undefined) : this.#refuse(group, found);
  }

  /**
   * Once the nonce of the transactions that were sent is used up, the events say which of their fills are settled. False while that
   * cannot be said: the nonce is used up, but the block that used it was not read yet.
   */
  async #resolve(): Promise<boolean> {
    const last = this.#ports.engine.sent.at(-1);
    if (last === undefined) return true;
    const next = await this.#provider.getTransactionCount(this.address, "latest");
    if (next < last.nonce) await this.#fillGap(next);
    if (next <= last.nonce) {
      await this.#broadcastAgain(last);
      return true;
    }
    await this.#ports.sync();
    const { sent } = this.#ports.engine;
    const receipts = await Promise.all(
      sent.map(({ transaction }) => this.#provider.getTransactionReceipt(transaction)),
    );
    const mined = receipts.find((receipt) => receipt !== null);
    this.#missing = mined === undefined ? this.#missing + 1 : 0;
    const isKnown = mined === undefined ? this.#missing >= MAX_MISSING : mined.blockNumber <= this.#ports.head();
    if (!isKnown) return false;
    this.#missing = 0;
    await this.#ports.submit({ type: "unsend", time: this.#ports.now() });
    return true;
  }

  /** A reorganisation has taken back a transaction, and no node brings it again: without another in its place none after it is mined. */
  async #fillGap(nonce: number): Promise<void> {
    this.#logger.warn({ nonce }, "a transaction before the last one is gone");
    try {
      await this.#wallet.sendNothing(nonce);
    } catch (error) {
      this.#logger.debug({ nonce, reason: shortMessage(error) }, "the nonce is taken after all");
    }
  }

  /** After a restart the node may never have got it. */
  async #broadcastAgain({ raw, transaction }: Sent): Promise<void> {
    try {
      await this.#provider.broadcastTransaction(raw);
    } catch (error) {
      this.#logger.debug({ transaction, reason: shortMessage(error) }, "known to the node");
    }
  }

  async #send(fills: readonly Fill[], feeTo: AccountId | undefined): Promise<Pass> {
    this.#wallet.fills = fills.map(({ id }) => id);
    const outcome = await this.#lane.attempt(this.#callOf(fills, feeTo), () => Promise.resolve(true));
    if (outcome.result === "done" || outcome.result === "lost") await this.#resolve();
    const result = outcome.result === "done" ? "settled" : outcome.result === "lost" ? "lost" : "failed";
    this.#lost = result === "lost" ? Math.min(this.#lost + 1, MAX_HALVINGS) : 0;
    this.#logger.info({ ...outcome, fills: fills.length }, "settlement");
    return { result, fills: fills.length, ...(outcome.reason !== undefined && { reason: outcome.reason }) };
  }

  /**
   * Tells the engine that the chain refuses a group. The chain is read first, so that what the engine does next it does with the
   * index, the epochs and the filled amounts that the chain has refused it for.
   */
  async #refuse(group: Group, error: ContractError): Promise<Pass> {
    await this.#ports.sync();
    const waiting = this.#ports.engine.book.fills;
    const failed = group.filter(({ id }) => waiting.has(id));
    const fills = failed.map((fill): FailedFact => ({
      fill: fill.id,
      reason: error.message,
      fault: faultOf(error, fill),
      ...keyEndOf(error, fill),
    }));
    if (fills.length > 0) await this.#ports.submit({ type: "fail", time: this.#ports.now(), fills });
    this.#logger.warn({ fills, reason: error.message }, "the chain refuses fills");
    return { result: "refused", fills: fills.length, reason: error.message };
  }

  /** How many of the first groups go through together, found by halving, and the error that one more would end in. */
  async #longestPrefix(
    groups: readonly Group[],
    feeTo: AccountId | undefined,
  ): Promise<{ count: number; error: ContractError | undefined }> {
    let error = await this.#simulate(groups, feeTo);
    if (error === undefined) return { count: groups.length, error };
    let [passes, fails] = [0, groups.length];
    while (fails - passes > 1) {
      const middle = (passes + fails) >> 1;
      const found = await this.#simulate(groups.slice(0, middle), feeTo);
      if (found === undefined) passes = middle;
      else [fails, error] = [middle, found];
    }
    return { count: passes, error };
  }

  async #simulate(groups: readonly Group[], feeTo: AccountId | undefined): Promise<ContractError | undefined> {
    const { target, data } = this.#callOf(groups.flat(), feeTo);
    try {
      await this.#wallet.estimateGas({ to: target, data });
      return undefined;
    } catch (error) {
      const decoded = decodeError(error);
      if (decoded === undefined) throw error;
      return decoded;
    }
  }

  /** The call that settles fills. Behind it stands what commits to the order log: see `commitmentOf`. */
  #callOf(fills: readonly Fill[], feeTo: AccountId | undefined): Call {
    const orders: SignedOrder[] = [];
    const places = new Map<string, number>();
    const place = ({ hash, signed }: BookOrder): number => {
      const known = places.get(hash) ?? orders.push(signed) - 1;
      places.set(hash, known);
      return known;
    };
    const matches = fills.map(({ maker, taker }): Match => ({ maker: place(maker), taker: place(taker) }));
    const { target, data } =
      feeTo === undefined
        ? settleOrdersCall(this.#book, orders, matches)
        : settleForFeeCall(this.#book, orders, matches, feeTo);
    const { sequence, hash } = this.#ports.engine;
    return { target, data: concat([data, toBeHex(sequence, 8), hash]) };
  }
}

/** Number and running hash of the last command of the log that a settlement's calldata commits to: its last 40 bytes. */
export function commitmentOf(calldata: string): { readonly sequence: number; readonly hash: string } {
  return { sequence: Number(`0x${calldata.slice(-80, -64)}`), hash: `0x${calldata.slice(-64)}` };
}

/**
 * The first fills that can be settled in one transaction. The exchange looks at filled amounts and at positions of reduce-only orders
 * once, when it begins: so two orders of one nonce, and a reduce-only order after another fill of its account in its market, go into
 * different ones.
 */
export function nextBatch(fills: readonly Fill[], maximum: number): Group[] {
  const batch: Group[] = [];
  const orderOfNonce = new Map<string, string>();
  const moved = new Map<string, string | undefined>(); // the only order that has moved a position so far
  let count = 0;
  for (const group of groupsOf(fills)) {
    if (count + group.length > maximum && count > 0) return batch;
    for (const { maker, taker, market } of group) {
      for (const order of [maker, taker]) {
        const { account, slot, hash, signed } = order;
        const nonce = `${account.key}:${slot.nonce.toString()}`;
        const position = `${account.key}:${market}`;
        if ((orderOfNonce.get(nonce) ?? hash) !== hash) return batch;
        if (signed.order.reduceOnly && moved.has(position) && moved.get(position) !== hash) return batch;
      }
    }
    for (const { maker, taker, market } of group) {
      for (const { account, slot, hash } of [maker, taker]) {
        orderOfNonce.set(`${account.key}:${slot.nonce.toString()}`, hash);
        const position = `${account.key}:${market}`;
        moved.set(position, !moved.has(position) || moved.get(position) === hash ? hash : undefined);
      }
    }
    batch.push(group);
    count += group.length;
  }
  return batch;
}

function groupsOf(fills: readonly Fill[]): Group[] {
  const groups: Fill[][] = [];
  for (const fill of fills) {
    const last = groups.at(-1);
    const whole = fill.taker.signed.order.fillOrKill && last?.[0]?.taker === fill.taker;
    if (whole) last.push(fill);
    else groups.push([fill]);
  }
  return groups;
}

/** What of a contract's error is looked at. */
interface Refusal {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Whose fault a refusal is, by the session key, owner, account, nonce, epoch or expiry that the error names. */
export function faultOf({ name, args }: Refusal, { maker, taker }: Fill): FailedFact["fault"] {
  const blame = (isTo: (order: BookOrder) => boolean): FailedFact["fault"] => {
    const [ofMaker, ofTaker] = [isTo(maker), isTo(taker)];
    return ofMaker && ofTaker ? "both" : ofMaker ? "maker" : ofTaker ? "taker" : "neither";
  };
  const { account, nonce, epoch, expiry } = args;
  if (name === "OrderNotTriggered") return "trigger"; // only who takes has one
  const [owner, key] = [args.owner, args.key].map((address) => (address as string | undefined)?.toLowerCase());
  const isOf = (order: BookOrder) => owner === undefined || order.account.owner.address === owner;
  const isIn = (order: BookOrder) => account === undefined || order.signed.order.account === account;
  if (key !== undefined) return blame((order) => isOf(order) && isIn(order) && isSignedBelow(order, key));
  if (name === "OwnerSilent") return blame(isOf);
  if (name === "OrderExpired") return blame(({ signed }) => signed.order.expiry === expiry);
  if (name === "OrderEpochMismatch") return blame(({ signed }) => signed.order.epoch === epoch);
  if (name === "OrderNonceTooLow") return blame(({ signed }) => signed.order.nonce === nonce);
  if (account !== undefined) return blame(isIn);
  // Beyond the caps of the market or its band nobody's order is wrong: the one that came last gives way.
  if (name === "NewRiskPaused") return "pause";
  return name === "OpenInterestCap" ? "taker" : "neither";
}

/** The session key that a refusal shows to have reached the end of what it may lose, or of what it must leave in an account. */
export function keyEndOf({ name, args }: Refusal, { maker, taker }: Fill): Pick<FailedFact, "keyEnd"> {
  const account = args.account as bigint | undefined;
  const signer = [maker, taker].find((order) => order.account.id === account)?.key?.address;
  const key = (args.key as string | undefined)?.toLowerCase() ?? signer;
  if (key === undefined) return {};
  if (name === "KeyLossLimit") return { keyEnd: { key, reason: "keyLimit" } };
  const isFloor = name === "KeyEquityFloor" || name === "FlowsNotTracked";
  return isFloor && account !== undefined ? { keyEnd: { key, account, reason: "keyFloor" } } : {};
}

/** A transaction's fees raised so far that a node takes it in the place of one that is open. */
function dearer(request: TransactionRequest, { maxFee, priorityFee }: Sent): TransactionRequest {
  const raised = (fee: bigint) => divUp(fee * REPLACE_BUMP, 1000n);
  if (request.gasPrice !== undefined && request.gasPrice !== null)
    return { ...request, gasPrice: max(BigInt(request.gasPrice), raised(maxFee)) };
  return {
    ...request,
    maxFeePerGas: max(BigInt(request.maxFeePerGas ?? 0n), raised(maxFee)),
    maxPriorityFeePerGas: max(BigInt(request.maxPriorityFeePerGas ?? 0n), raised(priorityFee)),
  };
}
