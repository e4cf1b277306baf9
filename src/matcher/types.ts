import type { SignedOrder } from "../sdk/orders.ts";

// Amounts are [wad], prices USD [wad] per unit, times [ms] since 1970 unless another unit is named.

/** Why an order ended without being filled whole. */
export type CancelReason =
  | "requested" // by its owner
  | "massCancelled" // by its owner, with others
  | "deadMan" // its owner's heartbeat has stopped
  | "selfTrade" // it stood in the way of an order of its own owner
  | "immediateOrCancel" // what an order that does not rest has left
  | "fillOrKill" // it could not be filled whole
  | "priceBand" // the exchange would refuse its price so far from the index
  | "belowMinFill" // what is left is smaller than the smallest fill of the market
  | "nothingToReduce" // its account has no position on the other side
  | "meetsPostOnly" // two post-only orders do not trade
  | "tooManyFills" // it met more orders than one order may
  | "noPrice" // the market has no usable index price
  | "nonceFilled" // its nonce was filled by another order, or settled by somebody else
  | "margin" // its account can no longer margin it
  | "cancelledOnChain" // `Exchange.cancel`
  | "nonceTooLow" // `Exchange.cancelBelow`
  | "epochOver" // `Exchange.revokeAll`
  | "lockedDown" // a lockdown leaves its owner reduce-only orders without an execution fee
  | "ownerSilent" // its owner has not renewed his dead-man switch on the chain
  | "keyExpired" // the session key that signed it, or one above it, is past its last second
  | "keyRevoked" // that key, or one above it, is revoked
  | "keyNarrowed" // that key's new grant does not allow it
  | "keyLimit" // that key may not trade so much today, or has lost what it may lose
  | "keyFloor" // its account is at the equity that that key must leave it, or its flows are not counted
  | "keyPriceBand" // that key may not trade so far from the index
  | "priceWentBack" // the index price left its trigger before its settlement, once too often
  | "settlementFailed"; // the chain refused its fill

/** Why an order with a trigger is held outside the book. */
export type HoldReason =
  | "untriggered" // the index price has not reached its trigger
  | "nothingToTake" // released, it takes the rest as soon as there is something
  | "priceWentBack"; // the chain refused its fill, for the index price had left its trigger; the next price that reaches it releases it again

/** Why an order was not taken at all by the book; admission has refusals of its own. */
export type RejectReason =
  "duplicate" | "expired" | "unknownMarket" | "wouldCross" | "alreadyFilled" | "nothingToReduce" | "belowMinFill";

/** What the exchange allows in a market, and where its index stands. */
export interface MarketTerms {
  readonly market: number;
  readonly index: bigint; // [wad]; 0 = no usable price, nothing trades
  readonly priceBand: bigint; // [ppm] largest distance of a fill from the index
  readonly minFill: bigint; // [wad] smallest fill
}

/** What the chain says about a nonce of an account: its filled amount [wad], 2^256 − 1 = cancelled. */
export interface SlotFact {
  readonly account: bigint;
  readonly nonce: bigint;
  readonly filled: bigint;
}

/** The size of an account's position on the chain [wad]. */
export interface PositionFact {
  readonly account: bigint;
  readonly market: number;
  readonly size: bigint;
}

/** A session key that has signed orders. Addresses are in lower case. */
export interface KeyFact {
  readonly key: string;
  readonly above: readonly string[]; // keys that it comes from
  readonly expiry: number; // [s] last second at which it and all above it work
  readonly priceBand: bigint; // [ppm] narrowest of its own and theirs
}

/** What of an owner's orders the chain still accepts. */
export interface OwnerFact {
  readonly owner: string;
  readonly epoch: bigint;
  readonly lowestNonce: bigint;
  readonly deadMan: number; // [s] his orders are void after it; 0 = never
  readonly lockedDown: boolean; // only reduce-only orders without an execution fee are good
  readonly keys: readonly KeyFact[]; // those of his that have signed orders
}

/** A fill that the chain has made, with the size it made of it [wad]. */
export interface SettledFact {
  readonly fill: number;
  readonly size: bigint;
  readonly transaction: string;
}

/**
 * A fill that the chain refuses, and whose fault that is: nobody's, if the index price has left the taker's trigger ("trigger") or new
 * risk is paused ("pause").
 */
export interface FailedFact {
  readonly fill: number;
  readonly reason: string; // the contract's error with its numbers
  readonly fault: "maker" | "taker" | "both" | "neither" | "trigger" | "pause";
  readonly keyEnd?: KeyEnd;
}

/** A session key that has come to its end, as a refused fill shows: what it or a key below it has signed is cancelled. */
export interface KeyEnd {
  readonly key: string; // lower case
  readonly account?: bigint; // all if left out
  readonly reason: "keyLimit" | "keyFloor";
}

/** An admitted order, with what the chain said of it at that moment. */
export interface PlaceCommand {
  readonly type: "place";
  readonly time: number;
  readonly hash: string;
  readonly signed: SignedOrder;
  readonly filled: bigint; // [wad] of its nonce on the chain
  readonly position: bigint; // [wad] size of its account in its market on the chain
  readonly deadMan: number; // [s] as in `OwnerFact`
  readonly key?: KeyFact; // that signed it; its owner has if there is none
}

/** A transaction that was sent and whose outcome is not known yet. */
export interface Sent {
  readonly nonce: number;
  readonly transaction: string;
  readonly raw: string;
  readonly maxFee: bigint; // [wei per gas]
  readonly priorityFee: bigint; // [wei per gas]
  readonly fills: readonly number[];
}

/** Everything that changes the engine. Time is a part of it: the engine has no clock of its own. */
export type Command =
  | PlaceCommand
  | { readonly type: "cancel"; readonly time: number; readonly hash: string; readonly reason: CancelReason }
  | {
      readonly type: "cancelMany";
      readonly time: number;
      readonly owner: string;
      readonly account?: bigint; // all if left out
      readonly market?: number; // all if left out
      readonly belowNonce?: bigint; // all if left out
      readonly stamp: number; // of the signed instruction
    }
  | {
      readonly type: "heartbeat";
      readonly time: number;
      readonly owner: string;
      readonly timeout: number; // [ms] after which his orders die; 0 = never
      readonly stamp: number; // of the signed instruction
    }
  | { readonly type: "tick"; readonly time: number }
  | {
      readonly type: "chain";
      readonly time: number;
      readonly block: number;
      readonly blockHash: string;
      readonly markets: readonly MarketTerms[];
      readonly slots: readonly SlotFact[];
      readonly positions: readonly PositionFact[];
      readonly owners: readonly OwnerFact[];
      readonly settled: readonly SettledFact[];
    }
  | ({ readonly type: "send"; readonly time: number } & Sent) // written before a transaction leaves
  | { readonly type: "unsend"; readonly time: number } // the sent transactions' nonce is used up; what they did is known
  | { readonly type: "fail"; readonly time: number; readonly fills: readonly FailedFact[] };

/** What an engine did, in order. */
export type EngineEvent =
  | { readonly type: "accepted"; readonly order: string }
  | { readonly type: "rejected"; readonly order: string; readonly reason: RejectReason }
  | { readonly type: "rested"; readonly order: string; readonly remaining: bigint }
  | { readonly type: "held"; readonly order: string; readonly reason: HoldReason; readonly remaining: bigint }
  | { readonly type: "released"; readonly order: string } // the index price has reached its trigger
  | {
      readonly type: "filled";
      readonly fill: number;
      readonly market: number;
      readonly maker: string;
      readonly taker: string;
      readonly takerBuys: boolean;
      readonly size: bigint;
      readonly price: bigint;
    }
  | {
      readonly type: "cancelled";
      readonly order: string;
      readonly reason: CancelReason;
      readonly remaining: bigint;
      readonly detail?: string; // the contract's error
    }
  | { readonly type: "expired"; readonly order: string; readonly remaining: bigint }
  | {
      readonly type: "settled";
      readonly fill: number;
      readonly maker: string;
      readonly taker: string;
      readonly size: bigint;
      readonly transaction: string;
    }
  | {
      readonly type: "failed";
      readonly fill: number;
      readonly maker: string;
      readonly taker: string;
      readonly reason: string;
    };

const BIG = /^-?\d+n$/;

/** JSON with bigints as "123n"; `decode` reads it back. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item.toString()}n` : item));
}

/** Reads what `encode` wrote. */
export function decode(text: string): unknown {
  return JSON.parse(text, (_, item: unknown) =>
    typeof item === "string" && BIG.test(item) ? BigInt(item.slice(0, -1)) : item,
  );
}
