import { readFileSync, writeFileSync } from "node:fs";

import { getAddress, isAddress } from "ethers";
import { z } from "zod";

import type { AddressBook } from "../sdk/addressBook.ts";
import type { SignedOrder } from "../sdk/orders.ts";
import { FileUnusable, WrongVenue } from "./errors.ts";
import { json } from "./output.ts";

const integer = z
  .string()
  .regex(/^-?\d{1,78}$/, "must be a decimal integer as a text")
  .transform((text) => BigInt(text));
const address = z
  .string()
  .refine((text) => isAddress(text), "must be an address")
  .transform((text) => getAddress(text));
const signature = z.string().regex(/^0x(?:[0-9a-fA-F]{2})*$/, "must be hexadecimal");
const venue = { chainId: z.int().positive(), exchange: address };

const signedOrder = {
  hash: z.string().optional(),
  order: z.strictObject({
    ...{ account: integer, market: integer, size: integer, limitPrice: integer, expiry: integer, nonce: integer },
    ...{
      epoch: integer,
      triggerAbove: integer,
      triggerBelow: integer,
      executionFee: integer,
      resting: z.boolean(),
      postOnly: z.boolean(),
      reduceOnly: z.boolean(),
      fillOrKill: z.boolean(),
    },
  }),
  signature,
};

const order = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("order"), ...venue, ...signedOrder }),
  z.object({ kind: z.literal("orders"), ...venue, orders: z.array(z.object(signedOrder)).min(1) }),
]);

const grant = z.strictObject({
  ...{ scopes: integer, markets: integer, accounts: integer, expiry: integer, priceBand: integer },
  ...{ dailyNotional: integer, lossLimit: integer, equityFloor: integer },
});

const keyPaper = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("grant"), ...venue, owner: address, key: address, grant, signature }),
  z.object({ kind: z.literal("revoke"), ...venue, owner: address, key: address, signature }),
  z.object({ kind: z.literal("revokeAll"), ...venue, owner: address, signature }),
]);

const intent = z.object({
  kind: z.literal("intent"),
  ...venue,
  intent: z.discriminatedUnion("name", [
    z.strictObject({ name: z.literal("Deposit"), account: integer, token: address, amount: integer }),
    z.strictObject({ name: z.literal("Withdraw"), account: integer, token: address, amount: integer, to: address }),
    z.strictObject({ name: z.literal("Transfer"), from: integer, to: integer, token: address, amount: integer }),
    z.strictObject({ name: z.literal("Lend"), account: integer, amount: integer }),
    z.strictObject({ name: z.literal("Recall"), account: integer, amount: integer }),
  ]),
  authorisation: z.strictObject({ nonce: integer, deadline: integer, signature }),
});

/** What files hold that this tool writes; integers in the contracts' units. */
export const SIGNED = { order, keyPaper, intent };

/** A grant or a revocation in a file. */
export type KeyPaper = z.output<typeof keyPaper>;

/** Which house something is signed for. */
export function venueOf({ chainId, contracts }: AddressBook): { chainId: number; exchange: string } {
  return { chainId, exchange: contracts.exchange };
}

/**
 * Reads something signed for this house.
 * @throws FileUnusable, WrongVenue
 */
export function readSigned<T extends { chainId: number; exchange: string }>(
  file: string,
  schema: z.ZodType<T>,
  book: AddressBook,
): T {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new FileUnusable(file, error instanceof Error ? error.message : String(error));
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new FileUnusable(file, z.prettifyError(result.error).replaceAll("\n", " "));
  const { chainId, exchange } = result.data;
  const here = venueOf(book);
  if (chainId !== here.chainId || exchange !== here.exchange) throw new WrongVenue(file, { chainId, exchange }, here);
  return result.data;
}

/**
 * The orders of files, in the order of the files.
 * @throws FileUnusable, WrongVenue
 */
export function readOrders(files: readonly string[], book: AddressBook): SignedOrder[] {
  return files.flatMap((file) => {
    const found = readSigned(file, SIGNED.order, book);
    return (found.kind === "order" ? [found] : found.orders).map(({ order: what, signature: by }) => ({
      order: what,
      signature: by,
    }));
  });
}

/**
 * Writes something signed into a new file.
 * @throws FileUnusable if it exists or cannot be written
 */
export function writeSigned(file: string, value: unknown): void {
  try {
    writeFileSync(file, json(value), { flag: "wx", mode: 0o600 });
  } catch (error) {
    throw new FileUnusable(file, error instanceof Error ? error.message : String(error));
  }
}
