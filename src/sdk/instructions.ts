import { TypedDataEncoder } from "ethers";
import type { Signer } from "ethers";

import type { AccountId } from "./accountId.ts";
import { orderDomain } from "./orders.ts";
import type { OrderVenue } from "./orders.ts";

/** What an owner signs for a matcher besides orders, in the EIP-712 domain of the exchange. The exchange itself knows none of it. */
const TYPES = {
  cancel: { CancelOrder: [{ name: "order", type: "bytes32" }] },
  cancelMany: {
    CancelOrders: [
      { name: "owner", type: "address" },
      { name: "account", type: "uint256" },
      { name: "market", type: "uint256" },
      { name: "belowNonce", type: "uint256" },
      { name: "stamp", type: "uint256" },
    ],
  },
  heartbeat: {
    Heartbeat: [
      { name: "owner", type: "address" },
      { name: "timeout", type: "uint256" },
      { name: "stamp", type: "uint256" },
    ],
  },
};

/** Stands for every account, market or nonce in a mass cancellation. */
export const ANY = (1n << 256n) - 1n;

/** An instruction that says of which kind it is. */
export type InstructionOf<K extends string, T> = T & {
  /** which instruction it is */
  readonly kind: K;
};

/** Cancels one order. */
export interface CancelInstruction {
  /** hash of the order */
  readonly order: string;
}

/** Cancels all orders of an owner, or those of an account, a market, or below a nonce; {@link ANY} names no limit. */
export interface CancelManyInstruction {
  /** whose orders they are */
  readonly owner: string;
  /** account, or {@link ANY} */
  readonly account: AccountId;
  /** id of the market, or {@link ANY} */
  readonly market: bigint;
  /** nonce below which they end, or {@link ANY} */
  readonly belowNonce: bigint;
  /** [ms] time of signing; has to grow from one instruction of an owner to the next */
  readonly stamp: number;
}

/** Asks that all orders of an owner die unless he says so again in time. */
export interface HeartbeatInstruction {
  /** whose orders they are */
  readonly owner: string;
  /** [ms] after which they die; 0 asks for it no more */
  readonly timeout: number;
  /** [ms] time of signing; has to grow from one instruction of an owner to the next */
  readonly stamp: number;
}

/** What an owner tells a matcher, by its kind. */
export type Instruction =
  | InstructionOf<"cancel", CancelInstruction>
  | InstructionOf<"cancelMany", CancelManyInstruction>
  | InstructionOf<"heartbeat", HeartbeatInstruction>;

/**
 * The hash that is signed to give an instruction.
 *
 * @param venue exchange that the matcher settles at
 * @param instruction what the matcher is told
 * @returns 32 bytes in hexadecimal
 *
 * @example
 * ```ts
 * const beat = { kind: "heartbeat", owner: alice.address, timeout: 60_000, stamp: Date.now() } as const;
 * console.log(hashInstruction(addressBook, beat).length); // → 66
 * ```
 */
export function hashInstruction(venue: OrderVenue, instruction: Instruction): string {
  const { kind, ...fields } = instruction;
  return TypedDataEncoder.hash(orderDomain(venue), TYPES[kind], fields);
}

/**
 * Signs an instruction with any signer of ethers.
 *
 * @param signer owner of the orders, or a key of his that may cancel
 * @param venue exchange that the matcher settles at
 * @param instruction what the matcher is told
 * @returns the signature
 *
 * @example
 * ```ts
 * const beat = { kind: "heartbeat", owner: alice.address, timeout: 60_000, stamp: Date.now() } as const;
 * console.log((await signInstruction(alice, addressBook, beat)).length); // → 132
 * ```
 */
export function signInstruction(signer: Signer, venue: OrderVenue, instruction: Instruction): Promise<string> {
  const { kind, ...fields } = instruction;
  return signer.signTypedData(orderDomain(venue), TYPES[kind], fields);
}
