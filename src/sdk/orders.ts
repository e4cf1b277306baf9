import { TypedDataEncoder, verifyTypedData } from "ethers";
import type { Signer, TypedDataDomain } from "ethers";

import { abs, PPM, WAD } from "../risk/fixed.ts";
import { PlimsollError } from "../risk/plimsollError.ts";
import { ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import type { ContractAddresses } from "./addressBook.ts";
import { parsePrice, parseWad } from "./units.ts";

/** A limit order, as the exchange's `Order`: sizes and prices in WAD, positive size buys. */
export interface Order {
  /** account that trades */
  account: AccountId;
  /** id of the market */
  market: bigint;
  /** [wad] positive buys */
  size: bigint;
  /** [wad] worst price in USD per unit */
  limitPrice: bigint;
  /** [wad] fills only while the index price is at or above it; 0 = whatever it is */
  triggerAbove: bigint;
  /** [wad] fills only while the index price is at or below it; 0 = whatever it is */
  triggerBelow: bigint;
  /** [wad USD] what who settles the whole of it may take from the account, pro rata of what fills */
  executionFee: bigint;
  /** [s] last second at which it is good */
  expiry: bigint;
  /** orders of one nonce share one size; a nonce that is cancelled or filled is used up */
  nonce: bigint;
  /** the owner's epoch in which it is good: `revokeAll` begins the next one */
  epoch: bigint;
  /** whether it waits for others and sets the price */
  resting: boolean;
  /** whether it never takes */
  postOnly: boolean;
  /** whether it is clipped to the position that it reduces */
  reduceOnly: boolean;
  /** whether it is filled whole or not at all */
  fillOrKill: boolean;
}

/** An order and its owner's signature. */
export interface SignedOrder {
  /** what is signed */
  order: Order;
  /** of the owner of the account, or of a key of his */
  signature: string;
}

/** What an order must say; the rest has the defaults of {@link buildOrder}. */
export type OrderFields = Pick<Order, "account" | "market" | "size" | "limitPrice" | "nonce"> & Partial<Order>;

/** Which exchange an order is for; an address book is one. */
export interface OrderVenue {
  /** of the chain that it is on */
  chainId: number;
  /** where the exchange is */
  contracts: Pick<ContractAddresses, "exchange">;
}

/** Seconds for which an order is good if it does not say. */
const DEFAULT_LIFETIME = 24 * 3600;

/** [wad] The exchange takes sizes that are multiples of it, and keeps filled amounts in it. */
export const LOT = 10n ** 9n;

/** An execution fee is at most what is traded divided by this. */
export const MAX_FEE_DIVISOR = 100n;

/** How far from its trigger an order may fill unless it says otherwise [ppm]; the market's band keeps it near the index by then. */
const DEFAULT_SLIPPAGE = 50_000n;

const MAX_NONCE = (1n << 64n) - 1n;

const ORDER_TYPES = {
  Order: [
    { name: "account", type: "uint256" },
    { name: "market", type: "uint256" },
    { name: "size", type: "int256" },
    { name: "limitPrice", type: "uint256" },
    { name: "triggerAbove", type: "uint256" },
    { name: "triggerBelow", type: "uint256" },
    { name: "executionFee", type: "uint256" },
    { name: "expiry", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "epoch", type: "uint256" },
    { name: "resting", type: "bool" },
    { name: "postOnly", type: "bool" },
    { name: "reduceOnly", type: "bool" },
    { name: "fillOrKill", type: "bool" },
  ],
};

/** An order that the exchange would refuse whatever the chain's state. */
export class InvalidOrder extends PlimsollError {
  override readonly name = "InvalidOrder";
  /** what is wrong */
  readonly order: Order;

  /**
   * @param order what is wrong
   * @param reason why
   */
  constructor(order: Order, reason: string) {
    super(`the order cannot be settled: ${reason}`);
    this.order = order;
  }
}

/**
 * Completes an order: good for 24 hours, in epoch 0, taking, neither reduce-only nor fill-or-kill, without trigger and execution fee
 * unless it says otherwise. A post-only order rests.
 *
 * @param fields what the order says
 * @returns the order
 * @throws {@link InvalidOrder} for what the exchange refuses by the order alone
 *
 * @example
 * ```ts
 * const fields = { account, market: 0n, size: parseWad("1.5"), limitPrice: parsePrice("1990"), nonce: 7n };
 * console.log(buildOrder({ ...fields, postOnly: true }).resting); // → true
 * ```
 */
export function buildOrder(fields: OrderFields): Order {
  const order: Order = {
    expiry: BigInt(Math.floor(Date.now() / 1000) + DEFAULT_LIFETIME),
    epoch: 0n,
    triggerAbove: 0n,
    triggerBelow: 0n,
    executionFee: 0n,
    resting: fields.postOnly ?? false,
    postOnly: false,
    reduceOnly: false,
    fillOrKill: false,
    ...fields,
  };
  const reason = flaw(order);
  if (reason !== undefined) throw new InvalidOrder(order, reason);
  return order;
}

/** What closes a position at a price: human amounts and index prices. */
export interface ExitTerms extends Partial<Pick<Order, "expiry" | "epoch">> {
  /** account that holds the position */
  account: AccountId;
  /** id of the market */
  market: number;
  /** of the position that is to be closed, such as "2.5"; negative for a short one */
  size: string;
  /** index price from which on it closes, such as "1900" */
  trigger: string;
  /** orders of one nonce share one size; a nonce that is cancelled or filled is used up */
  nonce: bigint;
  /** USD for who settles all of it, such as "5"; none if left out */
  executionFee?: string;
  /** [ppm] of the trigger by which the worst price is worse; 5 % if left out */
  slippage?: bigint;
}

/** As {@link ExitTerms}, with a price for either case. */
export interface BracketTerms extends Omit<ExitTerms, "trigger"> {
  /** index price from which on it closes at a loss */
  stop: string;
  /** index price from which on it closes with a profit */
  target: string;
}

/**
 * An order that closes a position once the index price has moved against it as far as `trigger`. Anybody who settles it with
 * {@link Plimsoll.settleForFee} earns its fee.
 *
 * @param terms when and at what price it closes
 * @returns the order, to be signed
 * @throws {@link InvalidOrder} for what the exchange refuses by the order alone
 * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
 * @throws {@link PriceNotPositive} if the trigger is zero or negative
 *
 * @example
 * ```ts
 * const order = stopLoss({ account, market: 0, size: "10", trigger: "1900", executionFee: "5", nonce: 7n });
 * console.log(formatWad(order.size), formatWad(order.triggerBelow)); // → -10 1900
 * ```
 */
export function stopLoss(terms: ExitTerms): Order {
  return exit(terms, terms.size.startsWith("-"));
}

/**
 * An order that closes a position once the index price has moved in its favour as far as `trigger`.
 *
 * @param terms when and at what price it closes
 * @returns the order, to be signed
 * @throws {@link InvalidOrder} for what the exchange refuses by the order alone
 * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
 * @throws {@link PriceNotPositive} if the trigger is zero or negative
 *
 * @example
 * ```ts
 * const order = takeProfit({ account, market: 0, size: "10", trigger: "2300", nonce: 7n, slippage: 10_000n });
 * console.log(formatWad(order.triggerAbove), formatWad(order.limitPrice)); // → 2300 2277
 * ```
 */
export function takeProfit(terms: ExitTerms): Order {
  return exit(terms, !terms.size.startsWith("-"));
}

/**
 * A stop-loss and a take-profit of which one ends the other: they share a nonce, and so one filled amount.
 *
 * @param terms when and at what prices they close
 * @returns both orders, to be signed
 * @throws {@link InvalidOrder} for what the exchange refuses by the order alone
 * @throws {@link InvalidAmount} if a number is malformed or has too many decimals
 * @throws {@link PriceNotPositive} if a price is zero or negative
 *
 * @example
 * ```ts
 * const [stop, target] = bracket({ account, market: 0, size: "10", stop: "1900", target: "2300", nonce: 7n });
 * console.log(stop.nonce === target.nonce, formatWad(stop.limitPrice)); // → true 1805
 * ```
 */
export function bracket(terms: BracketTerms): [stopLoss: Order, takeProfit: Order] {
  const { stop, target, ...rest } = terms;
  return [stopLoss({ ...rest, trigger: stop }), takeProfit({ ...rest, trigger: target })];
}

/**
 * The EIP-712 domain of an exchange.
 *
 * @param venue exchange that the order is for
 * @returns the domain, for any library that signs
 *
 * @example
 * ```ts
 * console.log(orderDomain(addressBook).name); // → Plimsoll
 * ```
 */
export function orderDomain({ chainId, contracts }: OrderVenue): TypedDataDomain {
  return { name: "Plimsoll", version: "1", chainId, verifyingContract: contracts.exchange };
}

/**
 * The hash that the owner signs; equals `Exchange.hashOrder`.
 *
 * @param venue exchange that the order is for
 * @param order what is signed
 * @returns 32 bytes in hexadecimal
 *
 * @example
 * ```ts
 * const order = buildOrder({ account, market: 0n, size: parseWad("1.5"), limitPrice: parsePrice("1990"), nonce: 7n });
 * console.log(hashOrder(addressBook, order) === (await house.exchange.hashOrder(order))); // → true
 * ```
 */
export function hashOrder(venue: OrderVenue, order: Order): string {
  return TypedDataEncoder.hash(orderDomain(venue), ORDER_TYPES, order);
}

/**
 * Signs an order with any signer of ethers.
 *
 * @param signer owner of the account, or a key of his
 * @param venue exchange that the order is for
 * @param order what is signed
 * @returns the signature
 *
 * @example
 * ```ts
 * const order = buildOrder({ account, market: 0n, size: parseWad("1.5"), limitPrice: parsePrice("1990"), nonce: 7n });
 * const signed = { order, signature: await signOrder(alice, addressBook, order) };
 * console.log(verifyOrder(addressBook, signed)); // → true
 * ```
 */
export function signOrder(signer: Pick<Signer, "signTypedData">, venue: OrderVenue, order: Order): Promise<string> {
  return signer.signTypedData(orderDomain(venue), ORDER_TYPES, order);
}

/**
 * Whether the account's owner signed the order with a plain key; a contract wallet's signature has to be asked of the wallet, and a
 * key's right of the exchange.
 *
 * @param venue exchange that the order is for
 * @param signed order and signature
 * @returns whether the owner signed it
 *
 * @example
 * ```ts
 * const order = buildOrder({ account, market: 0n, size: parseWad("1.5"), limitPrice: parsePrice("1990"), nonce: 7n });
 * const forged = { order, signature: await signOrder(bob, addressBook, order) };
 * console.log(verifyOrder(addressBook, forged)); // → false
 * ```
 */
export function verifyOrder(venue: OrderVenue, { order, signature }: SignedOrder): boolean {
  try {
    return verifyTypedData(orderDomain(venue), ORDER_TYPES, order, signature) === ownerOf(order.account);
  } catch {
    return false; // malformed signature
  }
}

/** The reduce-only order against a position, above its trigger or below it. */
function exit(terms: ExitTerms, isAbove: boolean): Order {
  const { market, size, trigger, executionFee = "0", slippage = DEFAULT_SLIPPAGE, ...fields } = terms;
  const [closing, price] = [-parseWad(size), parsePrice(trigger)];
  const worst = closing > 0n ? PPM + slippage : PPM - slippage;
  return buildOrder({
    ...fields,
    market: BigInt(market),
    size: closing,
    limitPrice: (price * worst) / PPM,
    ...(isAbove ? { triggerAbove: price } : { triggerBelow: price }),
    executionFee: parseWad(executionFee),
    reduceOnly: true,
  });
}

function flaw(order: Order): string | undefined {
  if (order.size === 0n) return "its size is zero";
  if (order.size % LOT !== 0n) return `its size is no multiple of ${LOT.toString()}`;
  if (order.limitPrice <= 0n) return "its limit price is not positive";
  if (order.nonce < 0n || order.nonce > MAX_NONCE) return "its nonce does not fit into 64 bits";
  if (order.postOnly && !order.resting) return "a post-only order rests";
  if (order.fillOrKill && order.resting) return "a fill-or-kill order does not rest";
  if (order.triggerAbove < 0n || order.triggerBelow < 0n) return "a trigger is negative";
  const isTriggered = order.triggerAbove !== 0n || order.triggerBelow !== 0n;
  if (isTriggered && order.resting) return "an order with a trigger does not rest";
  if (order.triggerBelow !== 0n && order.triggerAbove > order.triggerBelow) return "no price meets both triggers";
  const maxFee = (abs(order.size) * order.limitPrice) / (MAX_FEE_DIVISOR * WAD);
  if (order.executionFee < 0n || order.executionFee > maxFee) return "its execution fee is negative or above 1 %";
  return undefined;
}
