import { readFile } from "node:fs/promises";

import { keccak_256 } from "@noble/hashes/sha3.js";
import {
  computeAddress,
  getAddress,
  getBytes,
  hexlify,
  isAddress,
  Signature,
  toQuantity,
  Transaction,
  TypedDataEncoder,
  verifyTypedData,
  Wallet,
} from "ethers";
import type { TypedDataDomain, TypedDataField } from "ethers";
import secp256k1 from "secp256k1";
import { z } from "zod";

import "../sdk/nativeScrypt.ts";
import type { UnsignedTransaction } from "./fees.ts";

const REMOTE_TIMEOUT = 5000; // [ms]

/** Fields of each type of an EIP-712 message. */
type Types = Record<string, TypedDataField[]>;

/** Signs what the keeper sends. An ethers `Wallet` is one too. */
export interface KeeperSigner {
  readonly address: string;
  /** The signed transaction, as it is sent. */
  signTransaction(transaction: UnsignedTransaction & { readonly type: 2 }): Promise<string>;
  /** The signature of an EIP-712 message: an order of the taker's. */
  signTypedData(domain: TypedDataDomain, types: Types, value: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Where the key is: one of the three. Texts are as the operator gave them and may be secret. */
export interface SignerSettings {
  readonly PRIVATE_KEY?: string | undefined;
  /** Encrypted JSON file, with its password or a file that holds it. */
  readonly KEYSTORE?: string | undefined;
  readonly KEYSTORE_PASSWORD?: string | undefined;
  readonly KEYSTORE_PASSWORD_FILE?: string | undefined;
  /** JSON-RPC address of web3signer, clef or a node, and which of its accounts to use. */
  readonly SIGNER_URL?: string | undefined;
  readonly SIGNER_ADDRESS?: string | undefined;
}

/** No key can be had from the settings. Names settings, never what is in them. */
export class UnusableSigner extends Error {
  readonly setting: keyof SignerSettings;

  constructor(setting: keyof SignerSettings, problem: string) {
    super(`${setting}: ${problem}`);
    this.name = "UnusableSigner";
    this.setting = setting;
  }
}

/** An external signer did not sign what it was asked to. */
export class RemoteSigningFailed extends Error {
  readonly address: string;

  constructor(address: string, problem: string) {
    super(`the external signer did not sign for ${address}: ${problem}`);
    this.name = "RemoteSigningFailed";
    this.address = address;
  }
}

/** Gets the signer that the settings name. @throws UnusableSigner */
export async function openSigner(settings: SignerSettings): Promise<KeeperSigner> {
  const { PRIVATE_KEY, KEYSTORE, SIGNER_URL, SIGNER_ADDRESS } = settings;
  const given = (["PRIVATE_KEY", "KEYSTORE", "SIGNER_URL"] as const).filter((name) => settings[name] !== undefined);
  if (given.length === 0) throw new UnusableSigner("PRIVATE_KEY", "set it, or KEYSTORE, or SIGNER_URL");
  const second = given[1];
  if (second !== undefined) throw new UnusableSigner(second, `set either this or ${given[0]}, not both`);
  if (PRIVATE_KEY !== undefined) return new LocalSigner(keyOf(PRIVATE_KEY));
  if (KEYSTORE !== undefined) return new LocalSigner(await openKeystore(KEYSTORE, settings));
  if (SIGNER_URL === undefined || !URL.canParse(SIGNER_URL)) {
    throw new UnusableSigner("SIGNER_URL", "give the http(s) address of the signer");
  }
  if (SIGNER_ADDRESS === undefined || !isAddress(SIGNER_ADDRESS)) {
    throw new UnusableSigner("SIGNER_ADDRESS", "give the address that the signer shall sign for");
  }
  return new RemoteSigner(SIGNER_URL, getAddress(SIGNER_ADDRESS));
}

/** Signs with a key in memory, by native code. */
export class LocalSigner implements KeeperSigner {
  readonly address: string;
  readonly #key: Uint8Array;

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#key = key;
    this.address = computeAddress(hexlify(secp256k1.publicKeyCreate(key, false)));
  }

  signTransaction(transaction: UnsignedTransaction): Promise<string> {
    const unsigned = Transaction.from({ ...transaction, type: 2 });
    unsigned.signature = this.#sign(keccak_256(getBytes(unsigned.unsignedSerialized)));
    return Promise.resolve(unsigned.serialized);
  }

  signTypedData(domain: TypedDataDomain, types: Types, value: Readonly<Record<string, unknown>>): Promise<string> {
    return Promise.resolve(this.#sign(getBytes(TypedDataEncoder.hash(domain, types, value))).serialized);
  }

  #sign(hash: Uint8Array): Signature {
    const { signature, recid } = secp256k1.ecdsaSign(hash, this.#key);
    const [r, s] = [hexlify(signature.subarray(0, 32)), hexlify(signature.subarray(32))];
    return Signature.from({ r, s, yParity: recid === 0 ? 0 : 1 });
  }
}

/** Has web3signer, clef or a node sign, over JSON-RPC; what comes back is compared with what was asked for. */
export class RemoteSigner implements KeeperSigner {
  readonly address: string;
  readonly #url: string;

  constructor(url: string, address: string) {
    this.#url = url;
    this.address = address;
  }

  /** @throws RemoteSigningFailed */
  async signTransaction(transaction: UnsignedTransaction): Promise<string> {
    const { chainId, nonce, to, data, gasLimit, maxFeePerGas, maxPriorityFeePerGas } = transaction;
    const quantities = { chainId, nonce, gas: gasLimit, value: 0, maxFeePerGas, maxPriorityFeePerGas };
    const entries = Object.entries(quantities).map(([name, value]) => [name, toQuantity(value)] as const);
    const request = { from: this.address, to, data, type: "0x2", ...Object.fromEntries(entries) };
    const raw = await this.#ask("eth_signTransaction", [request]);
    if (!isSigned(raw, transaction, this.address)) {
      throw new RemoteSigningFailed(this.address, "it returned another transaction than it was asked for");
    }
    return raw;
  }

  /** @throws RemoteSigningFailed */
  async signTypedData(domain: TypedDataDomain, types: Types, value: Readonly<Record<string, unknown>>) {
    const message = JSON.stringify(TypedDataEncoder.getPayload(domain, types, value));
    const signature = await this.#ask("eth_signTypedData_v4", [this.address, message]);
    if (!isSignatureOf(this.address, () => verifyTypedData(domain, types, value, signature))) {
      throw new RemoteSigningFailed(this.address, "it returned no signature of the message that it was asked to sign");
    }
    return signature;
  }

  async #ask(method: string, params: readonly unknown[]): Promise<string> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    let answer: unknown;
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(this.#url, {
        method: "POST",
        headers,
        body,
        signal: AbortSignal.timeout(REMOTE_TIMEOUT),
      });
      answer = await response.json();
    } catch {
      throw new RemoteSigningFailed(this.address, "it does not answer; is it running, and is SIGNER_URL right?");
    }
    const { data } = answerSchema.safeParse(answer);
    if (data === undefined)
      throw new RemoteSigningFailed(this.address, "it refuses; does it hold the key of this address?");
    return typeof data.result === "string" ? data.result : data.result.raw;
  }
}

/** web3signer and anvil answer with the transaction, geth and clef with an object that holds it. */
const hex = z.string().regex(/^0x[0-9a-fA-F]+$/);
const answerSchema = z.object({ result: z.union([hex, z.object({ raw: hex })]) });

function isSigned(raw: string, asked: UnsignedTransaction, by: string): boolean {
  try {
    const signed = Transaction.from(raw);
    return (
      signed.from === by && signed.unsignedSerialized === Transaction.from({ ...asked, type: 2 }).unsignedSerialized
    );
  } catch {
    return false;
  }
}

function isSignatureOf(address: string, recover: () => string): boolean {
  try {
    return recover() === address;
  } catch {
    return false; // malformed
  }
}

function keyOf(text: string): Uint8Array {
  const problem = "must be 0x and 64 hexadecimal digits that are a key of secp256k1";
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new UnusableSigner("PRIVATE_KEY", problem);
  const key = getBytes(text);
  if (!secp256k1.privateKeyVerify(key)) throw new UnusableSigner("PRIVATE_KEY", problem);
  return key;
}

async function openKeystore(file: string, settings: SignerSettings): Promise<Uint8Array> {
  const json = await read("KEYSTORE", file);
  const password = await passwordOf(settings);
  let wallet: unknown;
  try {
    wallet = Wallet.fromEncryptedJsonSync(json, password);
  } catch (error) {
    const wrong = error instanceof Error && error.message.startsWith("incorrect password");
    if (wrong) throw new UnusableSigner("KEYSTORE_PASSWORD", "is not the password of the keystore");
    throw new UnusableSigner("KEYSTORE", "is no keystore of version 3: make one with `plimsoll key new FILE`");
  }
  return getBytes((wallet as Wallet).privateKey);
}

async function passwordOf({ KEYSTORE_PASSWORD, KEYSTORE_PASSWORD_FILE }: SignerSettings): Promise<string> {
  if (KEYSTORE_PASSWORD !== undefined) return KEYSTORE_PASSWORD;
  if (KEYSTORE_PASSWORD_FILE === undefined) {
    throw new UnusableSigner("KEYSTORE_PASSWORD", "set it, or KEYSTORE_PASSWORD_FILE, to open the keystore");
  }
  return (await read("KEYSTORE_PASSWORD_FILE", KEYSTORE_PASSWORD_FILE)).replace(/\r?\n$/, "");
}

async function read(setting: keyof SignerSettings, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch {
    throw new UnusableSigner(setting, "give the path of a file that the keeper can read");
  }
}
