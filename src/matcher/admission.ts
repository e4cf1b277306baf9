import { MAX_PRICE, PPM, WAD } from "../risk/fixed.ts";
import { RiskError } from "../risk/errors.ts";
import { accountParts } from "../sdk/accountId.ts";
import { ANY } from "../sdk/instructions.ts";
import type { Instruction } from "../sdk/instructions.ts";
import { LOT, MAX_FEE_DIVISOR } from "../sdk/orders.ts";
import type { Order, SignedOrder } from "../sdk/orders.ts";
import type { RefusalName } from "../sdk/refusals.ts";
import { SCOPES } from "../sdk/sessionKeys.ts";
import { orderScopes, limitsRefusal, rightsRefusal } from "./authority.ts";
import type { KeyTrade } from "./authority.ts";
import { CANCELLED, isGoodInLockdown, ownerKey } from "./bookOrder.ts";
import type { ChainView } from "./chain.ts";
import type { Engine } from "./engine.ts";
import { keyFact } from "./keys.ts";
import { RateLimiter } from "./rates.ts";
import type { Rate } from "./rates.ts";
import { Refusal } from "./refusals.ts";
import { reserve } from "./reserve.ts";
import { recoverSigner } from "./signing.ts";
import type { Signing } from "./signing.ts";
import { isConditional } from "./stops.ts";
import type { CancelReason, Command, PlaceCommand, RejectReason } from "./types.ts";

const MAX_SIZE = ((1n << 64n) - 2n) * LOT; // [wad]
const MAX_NONCE = (1n << 64n) - 1n;
const ISOLATED = 1n << 95n;
const OWNER_SHIFT = 96n; // of an account id
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

/** Why open orders end whose keys have become unable to have them settled. */
const KEY_ENDINGS: Partial<Record<RefusalName, CancelReason>> = {
  KeyIsRevoked: "keyRevoked",
  KeyExpired: "keyExpired",
  KeyNotionalLimit: "keyLimit",
  KeyLossLimit: "keyLimit",
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
   * Checks an order whole, signature first, so that nobody can use up another owner's rate. Answers at once if the owner's own key
   * has signed.
   * @param now [ms]
   * @throws Refusal
   */
  admit(signed: SignedOrder, now: number): PlaceCommand | Promise<PlaceCommand> {
    this.#checkForm(signed.order);
    const digest = this.signing.hashOrder(signed.order);
    const owner = ownerKey(signed.order.account);
    const hash = `0x${digest.toString("hex")}`;
    const signer = recoverSigner(digest, signed.signature);
    if (signer === owner) return this.#check(signed, hash, owner, now);
    return this.#authorOf(owner, hash, signed.signature, signer).then((key) =>
      this.#check(signed, hash, owner, now, key),
    );
  }

  /**
   * Checks an instruction and turns it into a command.
   * @param now [ms]
   * @throws Refusal
   */
  async instruct(instruction: Instruction, signature: string, now: number): Promise<Command> {
    const owner = this.#instructor(instruction);
    const digest = this.signing.hashInstruction(instruction);
    const signer = recoverSigner(digest, signature);
    if (signer !== owner) {
      const key = await this.#authorOf(owner, `0x${digest.toString("hex")}`, signature, signer);
      if (key !== undefined) this.#checkKeyInstructs(owner, key, instruction, now);
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
      ...(account !== ANY && { account }),
      ...(market !== ANY && { market: Number(market) }),
      ...(belowNonce !== ANY && { belowNonce }),
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

  /** Why an open order that a session key has signed can no longer be settled; `undefined` if it can. @param now [ms] */
  lossOfAuthority(hash: string, now: number): CancelReason | undefined {
    const order = this.#engine.book.orders.get(hash);
    if (order?.key === undefined) return undefined;
    const { account, key, open, buys, market, price, signed } = order;
    const trade = { market: market.id, size: buys ? open : -open, price, resting: false }; // the index may come near again
    const refusal = this.#keyRefusal(account.owner.address, key.address, signed.order, trade, now);
    return refusal === undefined ? undefined : (KEY_ENDINGS[refusal.error] ?? "keyNarrowed");
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
    this.#checkConditions(order, magnitude);
  }

  #checkConditions(order: Order, magnitude: bigint): void {
    const { limitPrice, triggerAbove, triggerBelow, executionFee, resting } = order;
    const isNever = triggerAbove > (triggerBelow === 0n ? MAX_PRICE : triggerBelow);
    if (isNever || (resting && isConditional(order))) {
      const text = "an order with a trigger does not rest, and some price must meet its triggers";
      throw new Refusal("TriggerInvalid", text, { triggerAbove, triggerBelow, maximum: MAX_PRICE });
    }
    const maximum = (magnitude * limitPrice) / (MAX_FEE_DIVISOR * WAD);
    if (executionFee > maximum) {
      throw new Refusal("FeeTooHigh", "the execution fee is more than 1 % of what is traded", {
        executionFee,
        maximum,
      });
    }
  }

  /** @param key that has signed; the owner has if there is none */
  #check(signed: SignedOrder, hash: string, owner: string, now: number, key?: string): PlaceCommand {
    const { order } = signed;
    if (key !== undefined) this.#checkKey(owner, key, order, now);
    this.#checkRate(owner, now);
    this.#checkLife(order, owner, now);
    const market = this.#checkMarket(order);
    this.#checkCount(order);
    const known = this.#engine.book.accounts.get(order.account);
    const filled =
      (known && this.#engine.book.slots.get(known, order.nonce))?.chain ??
      this.#chain.filled(order.account, order.nonce);
    if (filled === CANCELLED) throw new Refusal("AlreadyFilled", "this nonce was cancelled", { nonce: order.nonce });
    if (!order.reduceOnly) this.#checkMargin(order, market);
    const position =
      known?.positions.get(market)?.chain ?? this.#chain.account(order.account).positions.get(market)?.size ?? 0n;
    const { deadMan } = this.#chain.owner(owner);
    const fact = key === undefined ? undefined : keyFact(this.#chain.keys.lineOf(owner, key));
    return {
      ...{ type: "place", time: now, hash, signed, filled, position, deadMan },
      ...(fact !== undefined && { key: fact }),
    };
  }

  #checkKey(owner: string, key: string, order: Order, now: number): void {
    const { size, limitPrice: price, resting } = order;
    const refusal = this.#keyRefusal(owner, key, order, { market: Number(order.market), size, price, resting }, now);
    if (refusal !== undefined) throw refusal;
  }

  #keyRefusal(owner: string, key: string, order: Order, trade: KeyTrade, time: number): Refusal | undefined {
    const line = this.#chain.keys.lineOf(owner, key);
    const now = Math.floor(time / 1000);
    const action = { scopes: orderScopes(order), account: order.account, market: trade.market };
    return (
      rightsRefusal(line, action, now) ??
      limitsRefusal(line, trade, { chain: this.#chain, owner: this.#engine.book.owners.get(owner), now })
    );
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
    if (state.lockedDown && !isGoodInLockdown(order)) {
      const text = "the owner is in lockdown, which leaves reduce-only orders without an execution fee";
      throw new Refusal("LockedDown", text, { executionFee: order.executionFee });
    }
    const { deadMan } = state;
    if (deadMan !== 0 && second > deadMan) {
      throw new Refusal("OwnerSilent", "the owner has not renewed his dead-man switch", { deadMan, now: second });
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
      ["of this nonce", (account && book.slots.get(account, order.nonce))?.orders.length ?? 0, maxPerNonce],
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

  /**
   * Who has signed in an owner's name, if not his own key: `undefined` stands for his contract wallet, which is asked before his session
   * keys, as on the chain.
   * @throws Refusal
   */
  async #authorOf(
    owner: string,
    hash: string,
    signature: string,
    signer: string | undefined,
  ): Promise<string | undefined> {
    if (await this.#chain.acceptsSignature(owner, hash, signature)) return undefined;
    if (signer !== undefined && this.#chain.keys.get(owner, signer) !== undefined) return signer;
    throw new Refusal("InvalidSignature", "neither the owner's key, his contract wallet nor a session key signed this");
  }

  /** What a session key may tell the matcher is what it may tell the exchange: to cancel, or to renew the dead-man switch. */
  #checkKeyInstructs(owner: string, key: string, instruction: Instruction, time: number): void {
    const main = BigInt(owner) << OWNER_SHIFT;
    const account =
      instruction.kind === "cancel"
        ? this.#engine.book.orders.get(instruction.order)?.account.id
        : instruction.kind === "cancelMany" && instruction.account !== ANY
          ? instruction.account
          : main;
    const isBeat = instruction.kind === "heartbeat";
    const action = { scopes: isBeat ? SCOPES.trade : SCOPES.cancel, account: account ?? main };
    const refusal = rightsRefusal(this.#chain.keys.lineOf(owner, key), action, Math.floor(time / 1000));
    if (refusal !== undefined) throw refusal;
    if (isBeat && instruction.timeout === 0) {
      throw new Refusal("KeyLacksScope", "only the owner may switch his dead man's switch off", { key });
    }
  }
}
