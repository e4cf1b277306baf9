import { existsSync, readFileSync, writeFileSync } from "node:fs";

import { getAddress, isAddress, isKeystoreJson, Wallet } from "ethers";

import "../sdk/nativeScrypt.ts";
import { FileUnusable, InvalidValue, KeystoreUnusable } from "./errors.ts";
import type { Shell } from "./shell.ts";

const MIN_PASSWORD = 8;

/** The address that a keystore file names, without its password; `undefined` if it names none. */
export function keystoreAddress(file: string): string | undefined {
  const { address } = JSON.parse(readKeystore(file)) as { address?: unknown };
  if (typeof address !== "string") return undefined;
  const prefixed = address.startsWith("0x") ? address : `0x${address}`;
  return isAddress(prefixed) ? getAddress(prefixed) : undefined;
}

/**
 * Opens a keystore file with PLIMSOLL_PASSWORD, or with what the user types.
 * @throws KeystoreUnusable
 */
export async function openKeystore(shell: Shell, file: string, password: string | undefined): Promise<string> {
  const text = readKeystore(file);
  if (password === undefined && !shell.interactive) {
    throw new KeystoreUnusable(file, "set PLIMSOLL_PASSWORD, or run this in a terminal");
  }
  const secret = password ?? (await shell.ask(`password of ${file}: `, true));
  try {
    return Wallet.fromEncryptedJsonSync(text, secret).privateKey;
  } catch {
    throw new KeystoreUnusable(file, "the password is wrong");
  }
}

/**
 * Writes a fresh key into a new keystore file that only its owner can read; returns its address.
 * @throws FileUnusable if the file exists or cannot be written, InvalidValue for a short password
 */
export async function createKeystore(shell: Shell, file: string, password: string | undefined): Promise<string> {
  if (existsSync(file)) throw new FileUnusable(file, "it exists already");
  const secret = password ?? (await newPassword(shell, file));
  if (secret.length < MIN_PASSWORD) {
    throw new InvalidValue("password", "…", `choose one of at least ${MIN_PASSWORD} characters`);
  }
  const wallet = new Wallet(Wallet.createRandom().privateKey);
  try {
    writeFileSync(file, `${wallet.encryptSync(secret)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new FileUnusable(file, error instanceof Error ? error.message : String(error));
  }
  return wallet.address;
}

async function newPassword(shell: Shell, file: string): Promise<string> {
  if (!shell.interactive) throw new KeystoreUnusable(file, "set PLIMSOLL_PASSWORD, or run this in a terminal");
  const first = await shell.ask(`password for ${file}: `, true);
  const second = await shell.ask("the same again: ", true);
  if (first !== second) throw new InvalidValue("password", "…", "the two are different");
  return first;
}

function readKeystore(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new KeystoreUnusable(file, error instanceof Error ? error.message : String(error));
  }
  if (!isKeystoreJson(text)) throw new KeystoreUnusable(file, "it is no keystore of version 3");
  return text;
}
