import { TypedDataEncoder, verifyTypedData } from "ethers";
import type { Signer, TypedDataDomain } from "ethers";

import { ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";

/** A limit order, as the exchange's `Order`: sizes and prices in WAD, positive size buys. */
export interface Order {
  account: AccountId;
  market: bigint;
  size: bigint;
  limitPrice: bigint;
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

const MAX_NONCE = (1n << 64n) - 1n;

const ORDER_TYPES = {
  Order: [
    { name: "account", type: "uint256" },
    { name: "market", type: "uint256" },
    { name: "size", type: "int256" },
    { name: "limitPrice", type: "uint256" },
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
 * Completes an order: good for 24 hours, in epoch 0, taking, neither reduce-only nor fill-or-kill unless it says otherwise.
 * A post-only order rests.
 * @throws InvalidOrder for what the exchange refuses by the order alone
 */
export function buildOrder(fields: OrderFields): Order {
  const order: Order = {
    expiry: BigInt(Math.floor(Date.now() / 1000) + DEFAULT_LIFETIME),
    epoch: 0n,
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

function flaw(order: Order): string | undefined {
  if (order.size === 0n) return "its size is zero";
  if (order.size % SIZE_UNIT !== 0n) return `its size is no multiple of ${SIZE_UNIT.toString()}`;
  if (order.limitPrice <= 0n) return "its limit price is not positive";
  if (order.nonce < 0n || order.nonce > MAX_NONCE) return "its nonce does not fit into 64 bits";
  if (order.postOnly && !order.resting) return "a post-only order rests";
  if (order.fillOrKill && order.resting) return "a fill-or-kill order does not rest";
  return undefined;
}
