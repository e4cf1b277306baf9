import { setTimeout as sleep } from "node:timers/promises";

import { isCallException, keccak256 } from "ethers";

import { max, min } from "../risk/fixed.ts";
import type { Call } from "../sdk/calls.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import { ContractError, withTypedErrors } from "../sdk/errors.ts";
import type { ContractErrorName } from "../sdk/errors.ts";
import type { Database } from "./database.ts";
import type { NodeProvider } from "./endpoints.ts";
import { adviceOf, AdvisedBidding, askPriorityFee, capped, dearer, PlainGas, priceOf, runwayOf } from "./fees.ts";
import type { Advice, Bidding, Fees, GasModel, UnsignedTransaction } from "./fees.ts";
import { CANCEL_GAS, committed, isFree, isOpen, minedOf, newLane, outcomeOf, signature, worth } from "./lane.ts";
import type { GivenUp, Lane, Outcome, SentTransaction } from "./lane.ts";
import { Outbox } from "./outbox.ts";
import type { KeeperSigner } from "./signer.ts";

const FIRST_POLL = 4; // [ms] after sending; each later one waits twice as long
const LONGEST_POLL = 250; // [ms]
const ADVICE_LIFETIME = 2000; // [ms] for which a node's advice on the priority fee is taken
const GAS_OF_A_CALL = 1_000_000n; // that a large one may use
const MOST_UNTAKEN = 16; // lanes that no node has taken, above which none is begun: each costs a cancellation
const CONFIRMATIONS = 12; // unless the policy says otherwise
const HOUR = 3600; // [s]
const DAY = 24 * HOUR; // [s] spending and purposes are remembered for so long
/** What contracts say to a call that somebody else has made pointless. */
const OUTRUN: readonly ContractErrorName[] = [
  ...(["NotLiquidatable", "NothingToSell", "NotAbsorbable", "NoCashCall", "NothingToClaim"] as const),
  ...(["AccountChanged", "OrderCancelledOrFilled"] as const),
];
/** Codes of ethers for errors that the node itself has answered with. */
const ANSWERS = ["INSUFFICIENT_FUNDS", "UNKNOWN_ERROR", "CALL_EXCEPTION"];

/** When the sender waits, how long, and what it may spend. */
export interface SenderPolicy {
  /** [ms] How long to wait for a transaction to be mined. */
  readonly confirmTimeout: number;
  /** [ms] Longest time between two looks at the chain while a transaction is open. */
  readonly pollInterval: number;
  /** Blocks without a transaction after which it is replaced by one that pays more. */
  readonly replaceAfter: number;
  /** [wei] Most that a unit of gas may cost. */
  readonly maxGasPrice: bigint;
  /** Blocks, its own included, after which a transaction is final. */
  readonly confirmations?: number;
  /** [wei] Most that transactions of any 60 minutes may cost; no limit if left out. */
  readonly hourlyLimit?: bigint;
  /** [wei] Most that transactions of any 24 hours may cost; no limit if left out. */
  readonly dailyLimit?: bigint;
}

/** How a call is to be sent. */
export interface Terms {
  /** Names what the call is for; no purpose is ever carried out twice. */
  readonly purpose: string;
  /** Whether the call is worth what it is going to cost [wei]; it always is if left out. */
  readonly accept?: (cost: bigint) => boolean | Promise<boolean>;
  /** [wei] What the call brings before gas; it is never replaced by one that costs more. */
  readonly expectedGain?: bigint;
  /** Told when a node has taken the transaction. */
  readonly onSent?: () => void;
  /** Gas for a call that is known to go through: it is not simulated. */
  readonly gasLimit?: bigint;
  /** Of that, what it is likely to use; all if left out. */
  readonly gas?: bigint;
  /** Gas that a call may need beyond its simulation by the time it is mined, if that is more than a quarter of it. */
  readonly gasRoom?: bigint;
}

/** What a sender needs. */
export interface SenderOptions {
  readonly provider: NodeProvider;
  readonly signer: KeeperSigner;
  readonly database: Database;
  readonly policy: SenderPolicy;
  readonly gasModel?: GasModel;
  readonly bidding?: Bidding;
  /** Told when what was reported of a purpose has changed: `undefined` while a reorganisation has taken its transaction back. */
  readonly onChange?: (purpose: string, outcome: Outcome | undefined) => void;
}

/** What was last read of the chain; the time is that of the block [s]. */
interface Head {
  readonly number: number;
  readonly hash: string;
  readonly time: number;
  /** [wei] undefined on a chain without. */
  readonly baseFee: bigint | undefined;
}

/** How long an open lane has been waiting, by this process's own clock [ms] and in blocks. */
interface Care {
  readonly since: number;
  checked: number;
  /** When something was last sent. */
  block: number;
  /** When its nonce was first seen to be used up without a receipt. */
  missing?: number;
}

/**
 * Sends calls, several at once, each in a lane of its own: a nonce, what is sent with it, and what became of that. Everything is
 * written down before it leaves, so that a process that comes after this one goes on where it has ended. Nothing happens but while a
 * call is attempted and in `look`, which is to be called at every block. Warning: calls that are under way together must not need one
 * another, and nobody else may use the key.
 */
export class Sender {
  readonly #provider: NodeProvider;
  readonly #signer: KeeperSigner;
  readonly #policy: SenderPolicy;
  readonly #confirmations: number;
  readonly #gas: GasModel;
  readonly #bidding: Bidding;
  readonly #onChange: NonNullable<SenderOptions["onChange"]>;
  readonly #outbox: Outbox;
  readonly #chainId: number;
  /** By nonce: those of a day, and what is behind one that is not final. */
  readonly #lanes = new Map<number, Lane>();
  /** Those that are not final. */
  readonly #active = new Set<Lane>();
  /** The newest lane of each purpose. */
  readonly #purposes = new Map<string, Lane>();
  readonly #attempts = new Map<string, Promise<Outcome>>();
  /** What `attempt` has returned of a lane. */
  readonly #reported = new WeakMap<Lane, string>();
  readonly #care = new WeakMap<Lane, Care>();
  /** Lanes whose last transaction no node has taken, and why. */
  readonly #untaken = new Map<Lane, string>();
  /** Lanes whose ends a database without room has not taken yet. */
  readonly #unsaved = new Set<Lane>();
  #next = 0;
  #head: Head = { number: -1, hash: "", time: 0, baseFee: undefined };
  /** The head at which what was mined was last asked for: a look that fails half-way leaves it behind. */
  #confirmed = this.#head;
  #priorityFee: { readonly known: bigint; readonly asked: number } | undefined; // [wei], [ms]
  #looking: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: SenderOptions, outbox: Outbox, chainId: number) {
    this.#provider = options.provider;
    this.#signer = options.signer;
    this.#policy = options.policy;
    this.#confirmations = options.policy.confirmations ?? CONFIRMATIONS;
    this.#gas = options.gasModel ?? new PlainGas();
    this.#bidding = options.bidding ?? new AdvisedBidding();
    this.#onChange = options.onChange ?? (() => undefined);
    this.#outbox = outbox;
    this.#chainId = chainId;
  }

  /**
   * Reads what was sent before and asks the chain what became of it.
   * @throws DatabaseError, NodeIncomplete, or whatever the node throws
   */
  static async open(options: SenderOptions): Promise<Sender> {
    const { provider, signer, database } = options;
    const chainId = Number((await provider.getNetwork()).chainId);
    const sender = new Sender(options, await Outbox.open(database, chainId, signer.address), chainId);
    for (const lane of await sender.#outbox.lanes()) {
      sender.#keep(lane);
      sender.#reported.set(lane, signature(outcomeOf(lane)));
    }
    sender.#countOn(await provider.getTransactionCount(signer.address, "pending"));
    await sender.look();
    return sender;
  }

  /** [wei] What the transactions of the last hour or day have cost, and what the open ones may cost. */
  spent(window: "hour" | "day"): bigint {
    return this.#spending()[window];
  }

  /** [s] For how long a balance [wei] lasts at what the last day has cost; none if it does not pay for one call. */
  runway(balance: bigint): number {
    const gasPrice = (this.#head.baseFee ?? 0n) + (this.#priorityFee?.known ?? 0n);
    return balance < GAS_OF_A_CALL * gasPrice ? 0 : runwayOf(balance, this.spent("day"));
  }

  /** Purposes whose transactions are not final yet. */
  get unsettled(): readonly string[] {
    return [...this.#active].map(({ purpose }) => purpose).filter((purpose) => purpose !== "");
  }

  /** What becomes of what is under way: right after `open`, of what was sent before and has not ended. By purpose. */
  underWay(): Map<string, Promise<Outcome>> {
    const open = [...this.#active].filter((lane) => isOpen(lane) && lane.purpose !== "");
    return new Map(open.map((lane) => [lane.purpose, this.#settled(lane)]));
  }

  /**
   * Sends a call if it goes through, is accepted and is within the limits, and waits until it is mined. What was done for its purpose
   * already is not done again: the outcome is that of the first time.
   * @throws whatever the node throws while nothing was sent yet
   */
  async attempt(call: Call, terms: Terms): Promise<Outcome> {
    const { purpose } = terms;
    const underWay = this.#attempts.get(purpose);
    if (underWay !== undefined) return underWay;
    const attempt = this.#attempt(call, terms).finally(() => this.#attempts.delete(purpose));
    this.#attempts.set(purpose, attempt);
    return attempt;
  }

  /**
   * Looks at the chain once: what was mined, reorganised, forgotten or outbid since, and does what it calls for.
   * @throws NodeIncomplete, DatabaseError, or whatever the node throws; the next look begins again
   */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  // ---------------------------------------------------------------- a call

  async #attempt(call: Call, terms: Terms, told: Pick<Terms, "gas" | "gasLimit"> = terms): Promise<Outcome> {
    const known = this.#purposes.get(terms.purpose);
    if (known !== undefined && !isFree(known)) return this.#settled(known);
    const gas = told.gas ?? told.gasLimit ?? (await this.#simulate(call));
    if (typeof gas !== "bigint") return gas;
    const fees = await this.#offer(call, terms, gas);
    // What is too dear by the gas that it is likely to use may pay by what it takes now.
    if ("result" in fees) return told.gas === undefined ? fees : this.#attempt(call, terms, {});
    const gasLimit = told.gasLimit ?? gas + max(gas / 4n, terms.gasRoom ?? 0n);
    let lane: Lane | Outcome;
    try {
      lane = await this.#inTurn(() => this.#open(call, { ...terms, gasLimit }, fees));
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
    if ("result" in lane) return lane;
    await this.#leave(lane);
    terms.onSent?.();
    return this.#settled(lane);
  }

  /** What to offer for a call, or why it is not worth that. */
  async #offer(call: Call, { expectedGain, accept }: Terms, gas: bigint): Promise<Fees | Outcome> {
    const advice = await this.#advised();
    const fees = capped(this.#bidding.fees(advice, expectedGain, gas), this.#policy.maxGasPrice);
    if (fees.maxFeePerGas < advice.gasPrice) return declined(`a unit of gas costs ${advice.gasPrice} wei, too much`);
    const unsigned = this.#unsigned(call, this.#next, gas, fees);
    const cost = await this.#gas.cost({ ...unsigned, maxFeePerGas: priceOf(fees, advice) });
    return ((await accept?.(cost)) ?? true) ? fees : declined("gas costs more than it brings");
  }

  /** The gas that a call takes on the latest block, or why it is not to be sent. */
  async #simulate({ target, data }: Call): Promise<bigint | Outcome> {
    try {
      const request = { from: this.#signer.address, to: target, data };
      return await withTypedErrors(() => this.#provider.estimateGas(request));
    } catch (error) {
      const reason = revertIn(error);
      if (reason === undefined) throw error;
      const isOutrun = error instanceof ContractError && OUTRUN.includes(error.name);
      return { result: isOutrun ? "outcompeted" : "refused", reason };
    }
  }

  /** Signs a call with the next nonce and writes it down. */
  async #open(call: Call, { purpose, expectedGain, gasLimit }: Terms & { gasLimit: bigint }, fees: Fees) {
    const unsigned = this.#unsigned(call, this.#next, gasLimit, fees);
    const cost = await this.#gas.cost(unsigned);
    const excess = this.#excess(cost);
    if (excess !== undefined) return declined(excess);
    const [untaken] = this.#untaken.values();
    if (untaken !== undefined && this.#untaken.size >= MOST_UNTAKEN) {
      return { result: "failed" as const, reason: `no node takes what was sent before: ${untaken}` };
    }
    const lane = newLane(unsigned.nonce, { purpose, call, gasLimit, expectedGain });
    const first = await this.#sign(unsigned, "call", cost);
    await this.#outbox.open(lane, first);
    lane.sent.push(first);
    this.#keep(lane);
    return lane;
  }

  /** Broadcasts the first transaction of a lane, and gives the lane up if the node will not have it. */
  async #leave(lane: Lane): Promise<void> {
    const error = await this.#broadcast(lane);
    if (error === undefined || !ANSWERS.includes(codeOf(error))) return;
    try {
      await this.look(); // some nodes answer so to what they have mined
      const hash = lane.sent[0]?.hash ?? "";
      if (lane.mined !== undefined || (await this.#provider.getTransaction(hash)) !== null) return;
    } catch {
      return; // the next look will tell
    }
    await this.#abandon(lane, { result: "failed", reason: shortMessage(error) });
  }

  /** Waits until it is known what became of a lane, or time is up. */
  async #settled(lane: Lane): Promise<Outcome> {
    const deadline = performance.now() + this.#policy.confirmTimeout;
    for (let pause = FIRST_POLL; outcomeOf(lane) === undefined;) {
      if (lane.givenUp?.result === "failed") break;
      await this.#lookAgain();
      if (outcomeOf(lane) !== undefined) break;
      if (performance.now() >= deadline) {
        await this.#abandon(lane, { result: "dropped", reason: `not mined within ${this.#policy.confirmTimeout} ms` });
        break;
      }
      await sleep(pause);
      pause = Math.min(2 * pause, this.#policy.pollInterval, LONGEST_POLL);
    }
    const outcome = outcomeOf(lane) ?? lane.givenUp ?? { result: "dropped" };
    this.#reported.set(lane, signature(outcome));
    return outcome;
  }

  /** Gives up a lane and begins to use up its nonce. */
  async #abandon(lane: Lane, why: GivenUp): Promise<void> {
    try {
      await this.#giveUp(lane, why);
      this.#careOf(lane).checked = -Infinity;
      await this.look();
    } catch {
      // the next look goes on
    }
  }

  async #lookAgain(): Promise<void> {
    try {
      await this.look();
    } catch {
      // the node is silent; what was sent may be mined all the same
    }
  }

  // ---------------------------------------------------------------- what has left

  async #look(): Promise<void> {
    void this.#askPriorityFee(); // the next call need not wait for it
    const block = await this.#provider.getBlock("latest");
    if (block === null || block.hash === null) throw new NodeIncomplete("latest block");
    const { hash, number, parentHash, timestamp: time, baseFeePerGas } = block;
    const last = this.#confirmed;
    const isKnown = [hash, parentHash].includes(last.hash);
    const follows = isKnown || (number > last.number && (await this.#isCurrent(last)));
    const isNew = hash !== this.#head.hash;
    const head = (this.#head = { number, hash, time, baseFee: baseFeePerGas ?? undefined });
    const count = await this.#provider.getTransactionCount(this.#signer.address, "latest"); // after the block: see #judge
    this.#countOn(count);
    const mined = [...this.#active].filter((lane) => lane.mined !== undefined);
    // Where that head is in the chain still, only what came after it and what may be final by now has to be asked for.
    const isDue = (lane: Lane) => this.#depthOf(lane) >= this.#confirmations || (lane.mined?.block ?? 0) > last.number;
    const due = follows ? mined.filter(isDue) : mined;
    await Promise.all(due.map((lane) => this.#confirm(lane)));
    if (number >= last.number) await this.#reopen(count);
    this.#confirmed = head;
    const open = [...this.#active].filter(isOpen);
    await Promise.all(open.map((lane) => (lane.nonce < count ? this.#resolve(lane) : this.#nurse(lane, isNew))));
    for (const lane of this.#unsaved) await this.#save(lane);
    await this.#forget();
  }

  /** Writes down what has become of a lane, if not now, then at a later look. */
  async #save(lane: Lane): Promise<void> {
    this.#unsaved.add(lane);
    await this.#outbox.update(lane);
    this.#unsaved.delete(lane);
  }

  async #isCurrent({ number, hash }: Head): Promise<boolean> {
    return number >= 0 && (await this.#provider.getBlock(number))?.hash === hash;
  }

  #countOn(count: number): void {
    this.#next = Math.max(this.#next, count);
  }

  /** Whether a mined transaction is in the chain still, and for good. */
  async #confirm(lane: Lane): Promise<void> {
    const { mined } = lane;
    if (mined === undefined) return;
    const block = await this.#provider.getBlock(mined.block);
    if (block === null) return; // this node has not read so far
    if (block.hash === mined.blockHash) {
      if (this.#depthOf(lane) < this.#confirmations) return;
      this.#close(lane);
      return this.#save(lane);
    }
    await this.#takeBack(lane);
  }

  /** In how many blocks a mined lane is buried, its own included. */
  #depthOf({ mined }: Lane): number {
    return mined === undefined ? 0 : this.#head.number - mined.block + 1;
  }

  async #takeBack(lane: Lane): Promise<void> {
    lane.mined = undefined;
    lane.settledAt = undefined;
    lane.final = false;
    this.#active.add(lane);
    await this.#save(lane);
    this.#tell(lane);
  }

  #close(lane: Lane): void {
    lane.final = true;
    this.#active.delete(lane);
  }

  /** A nonce that comes again after it was used up: a deep reorganisation. One that nobody knows of has to be used up. */
  async #reopen(count: number): Promise<void> {
    for (let nonce = count; nonce < this.#next; ++nonce) {
      const lane = this.#lanes.get(nonce);
      if (lane === undefined) this.#keep(newLane(nonce, { purpose: "", call: this.#nothing, gasLimit: CANCEL_GAS }));
      else if (lane.final) await this.#takeBack(lane);
    }
  }

  /** What has used up a nonce. */
  async #resolve(lane: Lane): Promise<void> {
    const receipts = await Promise.all(lane.sent.map(({ hash }) => this.#provider.getTransactionReceipt(hash)));
    const receipt = receipts.find((one) => one !== null);
    const care = this.#careOf(lane);
    if (receipt !== undefined) {
      lane.mined = minedOf(receipt, lane);
      delete care.missing;
    } else {
      // Somebody else has, or this node gives receipts late.
      care.missing ??= this.#head.number;
      if (this.#head.number - care.missing < this.#confirmations) return;
      lane.givenUp = { result: "failed", reason: "somebody else has used its nonce: use the key for this keeper only" };
      this.#close(lane);
    }
    this.#untaken.delete(lane);
    lane.settledAt = this.#head.time;
    if (lane.sent.length > 0) await this.#save(lane);
    this.#tell(lane);
  }

  /** Does what an open lane needs: a broadcast of what the node has forgotten, fees of today, a cancellation. */
  async #nurse(lane: Lane, isNewBlock: boolean): Promise<void> {
    const care = this.#careOf(lane);
    delete care.missing;
    if (!isNewBlock && performance.now() - care.checked < this.#policy.pollInterval) return;
    care.checked = performance.now();
    const last = lane.sent.at(-1);
    if (last === undefined) {
      if (care.checked - care.since >= this.#policy.confirmTimeout) await this.#replace(lane, undefined);
      return;
    }
    if (lane.givenUp === undefined && isNewBlock) await this.#judge(lane);
    const isDue = this.#head.number - care.block >= this.#policy.replaceAfter;
    const isToCancel = lane.givenUp !== undefined && last.kind === "call";
    if ((isDue || isToCancel) && (await this.#replace(lane, last))) return;
    if ((await this.#provider.getTransaction(last.hash)) === null) await this.#broadcast(lane);
    else this.#untaken.delete(lane);
  }

  /**
   * Gives up a call that does not go through any more. It is asked for the block that was read before the nonce was seen to be free,
   * so what has made it pointless is not itself.
   */
  async #judge(lane: Lane): Promise<void> {
    const { target, data } = lane.call;
    const request = {
      from: this.#signer.address,
      to: target,
      data,
      gasLimit: lane.gasLimit,
      blockTag: this.#head.number,
    };
    try {
      await withTypedErrors(() => this.#provider.call(request));
    } catch (error) {
      const reason = revertIn(error);
      if (reason !== undefined) await this.#giveUp(lane, { result: "outcompeted", reason });
      else if (codeOf(error) !== "CALL_EXCEPTION") throw error; // a node that cannot tell tells nothing
    }
  }

  async #giveUp(lane: Lane, why: GivenUp): Promise<void> {
    if (lane.givenUp !== undefined || lane.mined !== undefined) return;
    lane.givenUp = why;
    await this.#save(lane);
  }

  /** Sends what pays more than `last`: the same call, or a cancellation if that was given up. False if that may not be. */
  async #replace(lane: Lane, last: SentTransaction | undefined): Promise<boolean> {
    const advice = await this.#advised();
    const kind = last === undefined || lane.givenUp !== undefined ? "cancel" : "call";
    const [call, gas] = kind === "call" ? [lane.call, lane.gasLimit] : [this.#nothing, CANCEL_GAS];
    const most = kind === "call" ? min(this.#policy.maxGasPrice, worth(lane)) : this.#policy.maxGasPrice;
    const offer = capped(advice, most);
    const fees = last === undefined ? offer : dearer(last, offer);
    if (max(fees.maxFeePerGas, fees.maxPriorityFeePerGas) > most) return false;
    const sent = await this.#inTurn(async () => {
      const unsigned = this.#unsigned(call, lane.nonce, gas, fees);
      const cost = await this.#gas.cost(unsigned);
      if (this.#excess(cost, lane) !== undefined) return undefined;
      const signed = await this.#sign(unsigned, kind, cost);
      if (last === undefined) await this.#outbox.open(lane, signed);
      else await this.#outbox.add(lane, signed);
      lane.sent.push(signed);
      return signed;
    });
    if (sent === undefined) return false;
    this.#careOf(lane).block = this.#head.number;
    await this.#broadcast(lane);
    return true;
  }

  /** Forgets what can neither change nor count any more, up to the first lane that can. */
  async #forget(): Promise<void> {
    for (const lane of this.#lanes.values()) {
      if (!lane.final || (lane.settledAt ?? 0) > this.#head.time - DAY) return;
      await this.#outbox.forget(lane);
      this.#lanes.delete(lane.nonce);
      if (this.#purposes.get(lane.purpose) === lane) this.#purposes.delete(lane.purpose);
    }
  }

  /** Tells of an outcome that is another one than was reported. */
  #tell(lane: Lane): void {
    const reported = this.#reported.get(lane);
    const outcome = outcomeOf(lane);
    const now = signature(outcome);
    if (reported === undefined || reported === now) return;
    this.#reported.set(lane, now);
    this.#onChange(lane.purpose, outcome);
  }

  // ---------------------------------------------------------------- money

  /** Which limit one more transaction would exceed, or a replacement in a lane. */
  #excess(cost: bigint, lane?: Lane): string | undefined {
    const { hourlyLimit, dailyLimit } = this.#policy;
    if (hourlyLimit === undefined && dailyLimit === undefined) return undefined;
    const before = lane === undefined ? 0n : committed(lane);
    const more = max(cost - before, 0n);
    if (more === 0n) return undefined; // a cancellation must not wait for a limit that it does not touch
    const { hour, day } = this.#spending();
    if (hourlyLimit !== undefined && hour + more > hourlyLimit) return "over the spending limit of an hour";
    if (dailyLimit !== undefined && day + more > dailyLimit) return "over the spending limit of a day";
    return undefined;
  }

  /** [wei] By the chain's time, which no clock that jumps can change. */
  #spending(): { hour: bigint; day: bigint } {
    let [hour, day] = [0n, 0n];
    for (const lane of this.#lanes.values()) {
      const cost = lane.mined?.cost ?? committed(lane);
      const since = this.#head.time - (lane.settledAt ?? this.#head.time);
      if (since < HOUR) hour += cost;
      if (since < DAY) day += cost;
    }
    return { hour, day };
  }

  /** By the last head that was looked at. @throws NoBaseFee */
  async #advised(): Promise<Advice> {
    return adviceOf(this.#head.baseFee, await (this.#priorityFee?.known ?? this.#askPriorityFee()));
  }

  /** Asks anew now and then; until that is answered, the last answer holds. */
  async #askPriorityFee(): Promise<bigint> {
    const now = performance.now();
    if (this.#priorityFee !== undefined && now - this.#priorityFee.asked < ADVICE_LIFETIME)
      return this.#priorityFee.known;
    const known = await askPriorityFee(this.#provider, this.#priorityFee?.known);
    this.#priorityFee = { known, asked: now };
    return known;
  }

  // ---------------------------------------------------------------- parts

  get #nothing(): Call {
    return { target: this.#signer.address, data: "0x" };
  }

  #unsigned({ target, data }: Call, nonce: number, gasLimit: bigint, fees: Fees): UnsignedTransaction {
    const { maxFeePerGas, maxPriorityFeePerGas } = fees;
    return { chainId: this.#chainId, nonce, to: target, data, gasLimit, maxFeePerGas, maxPriorityFeePerGas };
  }

  async #sign(unsigned: UnsignedTransaction, kind: SentTransaction["kind"], cost: bigint): Promise<SentTransaction> {
    const raw = await this.#signer.signTransaction({ ...unsigned, type: 2 });
    const { maxFeePerGas, maxPriorityFeePerGas } = unsigned;
    return { hash: keccak256(raw), raw, kind, maxFeePerGas, maxPriorityFeePerGas, cost, time: Date.now() };
  }

  /** Broadcasts the last transaction of a lane; returns what the node or the way to it had against that. */
  async #broadcast(lane: Lane): Promise<unknown> {
    try {
      await this.#provider.send("eth_sendRawTransaction", [lane.sent.at(-1)?.raw]); // ethers' own way recovers the signer first
      this.#untaken.delete(lane);
      return undefined;
    } catch (error) {
      if (isOpen(lane)) this.#untaken.set(lane, shortMessage(error));
      return error;
    }
  }

  #keep(lane: Lane): void {
    this.#lanes.set(lane.nonce, lane);
    if (!lane.final) this.#active.add(lane);
    this.#next = Math.max(this.#next, lane.nonce + 1);
    if (lane.purpose !== "") this.#purposes.set(lane.purpose, lane);
  }

  #careOf(lane: Lane) {
    let care = this.#care.get(lane);
    if (care === undefined) {
      care = { since: performance.now(), checked: performance.now(), block: this.#head.number };
      this.#care.set(lane, care);
    }
    return care;
  }

  /** One after the other: what decides on money or nonces, and what follows from it. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function declined(reason: string): Outcome {
  return { result: "declined", reason };
}

/** Why a contract has reverted; `undefined` if a call has failed for another reason. ethers gives both the same code. */
function revertIn(error: unknown): string | undefined {
  if (error instanceof ContractError) return error.message;
  return isCallException(error) && error.data !== null ? shortMessage(error) : undefined;
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** What ethers says in one line, without the request that it appends. */
export function shortMessage(error: unknown): string {
  if (typeof error === "object" && error !== null && "shortMessage" in error) return String(error.shortMessage);
  return error instanceof Error ? error.message : String(error);
}
