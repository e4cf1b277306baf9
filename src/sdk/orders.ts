import { TypedDataEncoder, verifyTypedData } from "ethers";
import type { Signer, TypedDataDomain } from "ethers";

import { abs, PPM, WAD } from "../risk/fixed.ts";
import { ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import { parsePrice, parseWad } from "./units.ts";

/** A limit order, as the exchange's `Order`: sizes and prices in WAD, positive size buys. */
export interface Order {
  account: AccountId;
  market: bigint;
  size: bigint;
  limitPrice: bigint;
  /** Fills only while the index price is at or above it; 0 = whatever it is. */
  triggerAbove: bigint;
  /** Fills only while the index price is at or below it; 0 = whatever it is. */
  triggerBelow: bigint;
  /** [wad USD] what who settles the whole of it may take from the account, pro rata of what fills. */
  executionFee: bigint;
  expiry: bigint;
  nonce: bigint;
  epoch: bigint;
  resting: boolean;
  postOnly: boolean;
  reduceOnly: boolean;
  fillOrKill: boolean;
}

/** An order and its owner's signature. */
export interface SignedOrder {
  order: Order;
  signature: string;
}

/** What an order must say; the rest has defaults. */
export type OrderFields = Pick<Order, "account" | "market" | "size" | "limitPrice" | "nonce"> & Partial<Order>;

/** Which exchange an order is for. */
export type OrderVenue = Pick<AddressBook, "chainId"> & { contracts: Pick<AddressBook["contracts"], "exchange"> };

/** Seconds for which an order is good if it does not say. */
const DEFAULT_LIFETIME = 24 * 3600;

/** Sizes are multiples of this [wad]. */
const SIZE_UNIT = 10n ** 9n;

/** An execution fee is at most this part of size · limit price. */
const MAX_FEE_DIVISOR = 100n;

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
export class InvalidOrder extends Error {
  readonly order: Order;

  constructor(order: Order, reason: string) {
    super(`the order cannot be settled: ${reason}`);
    this.name = "InvalidOrder";
    this.order = order;
  }
}

/**
 * Completes an order: good for 24 hours, in epoch 0, taking, neither reduce-only nor fill-or-kill, without trigger and
 * execution fee unless it says otherwise. A post-only order rests.
 * @throws InvalidOrder for what the exchange refuses by the order alone
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
  account: AccountId;
  market: number;
  /** Of the position that is to be closed, negative for a short one. */
  size: string;
  /** Index price from which on it closes. */
  trigger: string;
  nonce: bigint;
  /** USD for who settles all of it. */
  executionFee?: string;
  /** [ppm] of the trigger by which the worst price is worse; 5 % unless it says otherwise. */
  slippage?: bigint;
}

/** As `ExitTerms`, with a price for either case. */
export interface BracketTerms extends Omit<ExitTerms, "trigger"> {
  stop: string;
  target: string;
}

/**
 * An order that closes a position once the index price has moved against it as far as `trigger`. Anybody who settles it with
 * `settleForFee` earns its fee.
 *
 *     const order = stopLoss({ account, market: 0, size: "2", trigger: "1900", executionFee: "5", nonce: 7n });
 *     const signature = await signOrder(signer, addressBook, order);
 *
 * @throws InvalidOrder, InvalidAmount
 */
export function stopLoss(terms: ExitTerms): Order {
  return exit(terms, terms.size.startsWith("-"));
}

/**
 * An order that closes a position once the index price has moved in its favour as far as `trigger`.
 * @throws InvalidOrder, InvalidAmount
 */
export function takeProfit(terms: ExitTerms): Order {
  return exit(terms, !terms.size.startsWith("-"));
}

/**
 * A stop-loss and a take-profit of which one ends the other: they share a nonce, and so one filled amount.
 *
 *     const [stop, target] = bracket({ account, market: 0, size: "2", stop: "1900", target: "2300", nonce: 7n });
 *
 * @throws InvalidOrder, InvalidAmount
 */
export function bracket({ stop, target, ...terms }: BracketTerms): [stopLoss: Order, takeProfit: Order] {
  return [stopLoss({ ...terms, trigger: stop }), takeProfit({ ...terms, trigger: target })];
}

/** The EIP-712 domain of an exchange. */
export function orderDomain({ chainId, contracts }: OrderVenue): TypedDataDomain {
  return { name: "Plimsoll", version: "1", chainId, verifyingContract: contracts.exchange };
}

/** The hash that the owner signs; equals `Exchange.hashOrder`. */
export function hashOrder(venue: OrderVenue, order: Order): string {
  return TypedDataEncoder.hash(orderDomain(venue), ORDER_TYPES, order);
}

/** Signs an order with any signer of ethers. */
export function signOrder(signer: Signer, venue: OrderVenue, order: Order): Promise<string> {
  return signer.signTypedData(orderDomain(venue), ORDER_TYPES, order);
}

/** Whether the account's owner signed the order with a plain key; a contract wallet's signature has to be asked of the wallet. */
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
  if (order.size % SIZE_UNIT !== 0n) return `its size is no multiple of ${SIZE_UNIT.toString()}`;
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
