/**
 * What needs Node's file system, and so cannot be in a browser.
 *
 * @module
 */
import { readFileSync } from "node:fs";

import { InvalidAddressBook, parseAddressBook } from "./addressBook.ts";
import type { AddressBook } from "./addressBook.ts";

export { InvalidAddressBook } from "./addressBook.ts";
export type { AddressBook } from "./addressBook.ts";

/**
 * Reads the address book that a deployment wrote.
 *
 * @param file path of the JSON file
 * @returns the address book
 * @throws {@link InvalidAddressBook} if the file is missing, unreadable or malformed
 *
 * @example
 * ```ts
 * const { contracts } = loadAddressBook(addressBookFile);
 * console.log(contracts.vault === addressBook.contracts.vault); // → true
 * ```
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
