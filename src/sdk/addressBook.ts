import { readFileSync } from "node:fs";

import { getAddress, isAddress } from "ethers";
import { z } from "zod";

const address = z
  .string()
  .refine((text) => isAddress(text), "must be an address: 0x and 40 hexadecimal digits")
  .transform((text) => getAddress(text));
const id = z.int().min(0).max(255);
const decimals = z.int().min(0).max(24);

const addressBookSchema = z.strictObject({
  chainId: z.int().positive(),
  /** Block at or before the first event of the house: where readers of events begin. */
  deployBlock: z.int().min(0),
  contracts: z.strictObject({
    accessManager: address,
    vault: address,
    clearingHouse: address,
    exchange: address,
    riskEngine: address,
    priceOracle: address,
    insuranceFund: address,
  }),
  cash: z.strictObject({ symbol: z.string(), token: address, decimals, mock: z.boolean() }),
  underlyings: z.array(
    z.strictObject({ id, name: z.string(), feed: address, feedDecimals: z.int(), mock: z.boolean() }),
  ),
  markets: z.array(z.strictObject({ id, name: z.string(), underlying: id })),
  collaterals: z.array(
    z.strictObject({ id, symbol: z.string(), token: address, decimals, underlying: id, mock: z.boolean() }),
  ),
});

/** Where a house is deployed and what it lists. `mock` marks tokens and feeds that were deployed with it. */
export type AddressBook = z.output<typeof addressBookSchema>;

/** An address book that is missing, unreadable or malformed. */
export class InvalidAddressBook extends Error {
  readonly source: string;

  constructor(source: string, reason: string) {
    super(`${source} is no address book: ${reason}. Run the deployment (npm run deploy) to write a new one.`);
    this.name = "InvalidAddressBook";
    this.source = source;
  }
}

/**
 * Validates an address book.
 * @param source what to call it in an error
 * @throws InvalidAddressBook
 */
export function parseAddressBook(value: unknown, source = "the value"): AddressBook {
  const result = addressBookSchema.safeParse(value);
  if (!result.success) throw new InvalidAddressBook(source, z.prettifyError(result.error));
  return result.data;
}

/**
 * Reads the address book that a deployment wrote.
 * @throws InvalidAddressBook
 */
export function loadAddressBook(file: string): AddressBook {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new InvalidAddressBook(file, error instanceof Error ? error.message : String(error));
  }
  return parseAddressBook(value, file);
}
