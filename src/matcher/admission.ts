import { MAX_PRICE, PPM } from "../risk/fixed.ts";
import { RiskError } from "../risk/errors.ts";
import { accountParts } from "../sdk/accountId.ts";
import type { Order, SignedOrder } from "../sdk/orders.ts";
import { accountKey, CANCELLED } from "./bookOrder.ts";
import type { ChainView } from "./chain.ts";
import type { Engine } from "./engine.ts";
import { RateLimiter } from "./rates.ts";
import type { Rate } from "./rates.ts";
import { Refusal } from "./refusals.ts";
import { reserve } from "./reserve.ts";
import { ALL, recoverSigner } from "./signing.ts";
import type { Instruction, Signing } from "./signing.ts";
import type { Command, PlaceCommand, RejectReason } from "./types.ts";

const LOT = 10n ** 9n; // [wad] sizes are multiples of it
const MAX_SIZE = ((1n << 64n) - 2n) * LOT; // [wad]
const MAX_NONCE = (1n << 64n) - 1n;
const ISOLATED = 1n << 95n;
const MAX_TIMEOUT = 24 * 3600_000; // [ms] of a heartbeat

/** What an order must satisfy beyond what the exchange asks. */
export interface AdmissionPolicy {
  /** [s] Longest time from now to an order's expiry. */
  readonly maxLifetime: number;
  /** [ppm] Largest distance of a resting order's limit from the index. */
  readonly maxDistance: bigint;
  /** Most live orders of an account. */
  readonly maxOpenOrders: number;
  /** Most live orders of one nonce of an account. */
  readonly maxPerNonce: number;
  /** Most live orders of all accounts. */
  readonly maxTotalOrders: number;
  /** Orders and instructions of one owner. */
  readonly ownerRate: Rate;
  /** [ms] Largest difference between an instruction's stamp and the clock. */
  readonly stampWindow: number;
}

/** The words for what the book refuses. */
const REJECTIONS: Readonly<Record<RejectReason, (order: Order) => Refusal>> = {
  duplicate: () => new Refusal("Duplicate", "this order was placed before"),
  expired: ({ expiry }) => new Refusal("Expired", "the order has expired", { expiry }),
  unknownMarket: ({ market }) => new Refusal("UnknownMarket", "no such market", { market }),
  wouldCross: ({ limitPrice }) => new Refusal("WouldCross", "a post-only order must not take", { limitPrice }),
  alreadyFilled: ({ nonce }) => new Refusal("AlreadyFilled", "this nonce is filled or cancelled", { nonce }),
  nothingToReduce: ({ market }) => new Refusal("NothingToReduce", "there is no position to reduce", { market }),
  belowMinFill: ({ size }) => new Refusal("BelowMinFill", "smaller than the smallest fill", { size }),
};

/** A refusal for what the book has rejected. */
export function rejection(reason: RejectReason, order: Order): Refusal {
  return REJECTIONS[reason](order);
}

/** Decides what may enter the engine. */
export class Admission {
  readonly signing: Signing;
  readonly #engine: Engine;
  readonly #chain: ChainView;
  readonly #policy: AdmissionPolicy;
  readonly #owners: RateLimiter;

  constructor(engine: Engine, chain: ChainView, signing: Signing, policy: AdmissionPolicy) {
    this.#engine = engine;
    this.#chain = chain;
    this.signing = signing;
    this.#policy = policy;
    this.#owners = new RateLimiter(policy.ownerRate);
  }

  /**
   * Checks an order whole, signature first, so that nobody can use up another owner's rate. Answers at once unless a contract wallet
   * has to be asked.
   * @param now [ms]
   * @throws Refusal
   */
  admit(signed: SignedOrder, now: number): PlaceCommand | Promise<PlaceCommand> {
    this.#checkForm(signed.order);
    const digest = this.signing.hashOrder(signed.order);
    const owner = ownerKey(signed.order.account);
    const hash = `0x${digest.toString("hex")}`;
    if (recoverSigner(digest, signed.signature) === owner) return this.#check(signed, hash, owner, now);
    return this.#askWallet(owner, hash, signed.signature).then(() => this.#check(signed, hash, owner, now));
  }

  /**
   * Checks an instruction and turns it into a command.
   * @param now [ms]
   * @throws Refusal
   */
  async instruct(instruction: Instruction, signature: string, now: number): Promise<Command> {
    const owner = this.#instructor(instruction);
    const digest = this.signing.hashInstruction(instruction);
    if (recoverSigner(digest, signature) !== owner) {
      await this.#askWallet(owner, `0x${digest.toString("hex")}`, signature);
    }
    if (instruction.kind === "cancel")
      return { type: "cancel", time: now, hash: instruction.order, reason: "requested" };
    this.#checkRate(owner, now);
    this.#checkStamp(owner, instruction.stamp, now);
    const { stamp } = instruction;
    if (instruction.kind === "heartbeat") {
      const { timeout } = instruction;
      if (timeout > MAX_TIMEOUT) {
        throw new Refusal("InvalidRequest", "the timeout is too long", { timeout, maximum: MAX_TIMEOUT });
      }
      return { type: "heartbeat", time: now, owner, timeout, stamp };
    }
    const { account, market, belowNonce } = instruction;
    return {
      ...{ type: "cancelMany", time: now, owner, stamp },
      ...(account !== ALL && { account }),
      ...(market !== ALL && { market: Number(market) }),
      ...(belowNonce !== ALL && { belowNonce }),
    };
  }

  /** Whether an account's open orders can still be margined; true where that cannot be said for want of a price. */
  isCovered(account: bigint): boolean {
    try {
      return reserve(account, this.#engine.book, this.#chain).accepted;
    } catch (error) {
      if (error instanceof RiskError) return true;
      throw error;
    }
  }

  // ---------------------------------------------------------------- orders

  /** What can be wrong with an order whoever has signed it. */
  #checkForm(order: Order): void {
    const { size, limitPrice, nonce, resting, postOnly, fillOrKill } = order;
    const magnitude = size < 0n ? -size : size;
    if (magnitude === 0n || magnitude > MAX_SIZE || magnitude % LOT !== 0n) {
      throw new Refusal("SizeInvalid", "the size must be a multiple of the unit", {
        size,
        unit: LOT,
        maximum: MAX_SIZE,
      });
    }
    if (limitPrice <= 0n || limitPrice > MAX_PRICE) {
      throw new Refusal("PriceInvalid", "the limit price is zero or too high", { limitPrice, maximum: MAX_PRICE });
    }
    if ((postOnly && !resting) || (fillOrKill && resting)) {
      throw new Refusal("FlagsInvalid", "post-only orders rest, fill-or-kill orders do not");
    }
    if (nonce > MAX_NONCE) throw new Refusal("NonceInvalid", "the nonce is too high", { nonce, maximum: MAX_NONCE });
  }

  #check(signed: SignedOrder, hash: string, owner: string, now: number): PlaceCommand {
    const { order } = signed;
    this.#checkRate(owner, now);
    this.#checkLife(order, owner, now);
    const market = this.#checkMarket(order);
    this.#checkCount(order);
    const known = this.#engine.book.accounts.get(order.account);
    const filled = known?.slots.get(order.nonce)?.chain ?? this.#chain.filled(order.account, order.nonce);
    if (filled === CANCELLED) throw new Refusal("AlreadyFilled", "this nonce was cancelled", { nonce: order.nonce });
    if (!order.reduceOnly) this.#checkMargin(order, market);
    const position =
      known?.positions.get(market)?.chain ?? this.#chain.account(order.account).positions.get(market)?.size ?? 0n;
    return { type: "place", time: now, hash, signed, filled, position };
  }

  #checkLife(order: Order, owner: string, now: number): void {
    const { expiry, epoch, nonce } = order;
    const second = Math.floor(now / 1000);
    if (expiry < BigInt(second)) throw new Refusal("Expired", "the order has expired", { expiry, now: second });
    const latest = second + this.#policy.maxLifetime;
    if (expiry > BigInt(latest)) {
      throw new Refusal("ExpiryTooFar", "the order lives too long", { expiry, latest });
    }
    const state = this.#chain.owner(owner);
    if (epoch !== state.epoch) {
      throw new Refusal("EpochMismatch", "the order is of another epoch", { epoch, current: state.epoch });
    }
    if (nonce < state.lowestNonce) {
      throw new Refusal("NonceTooLow", "the owner has cancelled this nonce", { nonce, lowest: state.lowestNonce });
    }
  }

  #checkMarket(order: Order): number {
    const market = Number(order.market);
    const terms = this.#chain.terms.get(market);
    if (terms === undefined) throw new Refusal("UnknownMarket", "no such market", { market: order.market });
    if ((order.account & ISOLATED) !== 0n && accountParts(order.account).isolatedMarket !== order.market) {
      throw new Refusal("IsolatedMarket", "an isolated account trades in its own market only", { market });
    }
    const { index } = terms;
    const distance = order.limitPrice > index ? order.limitPrice - index : index - order.limitPrice;
    const { maxDistance } = this.#policy;
    if (order.resting && index !== 0n && distance * PPM > index * maxDistance) {
      const numbers = { limitPrice: order.limitPrice, index, maximumPpm: maxDistance };
      throw new Refusal("PriceOutOfRange", "a resting order must be nearer to the index", numbers);
    }
    return market;
  }

  #checkCount(order: Order): void {
    const { maxOpenOrders, maxPerNonce, maxTotalOrders } = this.#policy;
    const { book } = this.#engine;
    const account = book.accounts.get(order.account);
    const counts: [string, number, number][] = [
      ["of the account", account?.open ?? 0, maxOpenOrders],
      ["of this nonce", account?.slots.get(order.nonce)?.orders.length ?? 0, maxPerNonce],
      ["of all accounts", book.openCount, maxTotalOrders],
    ];
    for (const [whose, open, maximum] of counts) {
      if (open >= maximum) throw new Refusal("TooManyOrders", `too many open orders ${whose}`, { open, maximum });
    }
  }

  #checkMargin({ account, size, limitPrice }: Order, market: number): void {
    const added = { market, size, price: limitPrice };
    let after;
    try {
      after = reserve(account, this.#engine.book, this.#chain, added);
    } catch (error) {
      if (!(error instanceof RiskError)) throw error;
      throw new Refusal("NoPrice", error.message);
    }
    if (after.accepted) return;
    const { equity, initialMargin, surcharge } = after;
    const text =
      "the account could not margin this order if it and its other open orders on the worse side were filled";
    throw new Refusal("InsufficientMargin", text, { equity, initialMargin, surcharge });
  }

  // ---------------------------------------------------------------- owners

  #checkRate(owner: string, now: number): void {
    const retryAfter = this.#owners.take(owner, now);
    if (retryAfter > 0) throw new Refusal("RateLimited", "too many requests of this owner", { retryAfter });
  }

  /** Who has to have signed an instruction. */
  #instructor(instruction: Instruction): string {
    if (instruction.kind !== "cancel") return instruction.owner.toLowerCase();
    const order = this.#engine.book.orders.get(instruction.order);
    if (order?.state !== "open") throw new Refusal("UnknownOrder", "no such order is open");
    return order.account.owner.address;
  }

  #checkStamp(owner: string, stamp: number, now: number): void {
    const last = this.#engine.stampOf(owner);
    const { stampWindow } = this.#policy;
    if (stamp <= last || Math.abs(now - stamp) > stampWindow) {
      const numbers = { stamp, last, now, window: stampWindow };
      throw new Refusal(
        "StampInvalid",
        "sign again: the stamp must be the time now and larger than the last one",
        numbers,
      );
    }
  }

  async #askWallet(owner: string, hash: string, signature: string): Promise<void> {
    if (!(await this.#chain.acceptsSignature(owner, hash, signature))) {
      throw new Refusal("InvalidSignature", "neither the owner's key nor his contract wallet has signed this");
    }
  }
}

function ownerKey(account: bigint): string {
  return `0x${accountKey(account).slice(0, 40)}`;
}
