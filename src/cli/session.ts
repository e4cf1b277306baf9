import { FetchRequest, isError, JsonRpcProvider, Wallet } from "ethers";

import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { Plimsoll, WrongChain } from "../sdk/client.ts";
import { MatcherClient } from "../sdk/matcher.ts";
import { loadAddressBook } from "../sdk/node.ts";
import { parseCliConfig } from "./config.ts";
import type { CliConfig } from "./config.ts";
import { ConfirmationRequired, Declined, NodeUnreachable, NoKey, NoMatcher } from "./errors.ts";
import { keystoreAddress, openKeystore } from "./keystore.ts";
import { accountName, namesOwner, parseAccount, parseAddress } from "./names.ts";
import type { Shell } from "./shell.ts";

const RPC_TIMEOUT = 20_000; // [ms]
const POLLING = 250; // [ms] between two looks for a receipt

/** Options that every command takes. */
export interface GlobalOptions {
  readonly rpcUrl?: string;
  readonly addressBook?: string;
  readonly matcher?: string;
  readonly keystore?: string;
  readonly account: string;
  readonly owner?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** What one command works with: settings, connections and keys, each opened when it is first needed. */
export class Session {
  readonly shell: Shell;
  readonly options: GlobalOptions;
  readonly config: CliConfig;
  #book: AddressBook | undefined;
  #provider: JsonRpcProvider | undefined;
  #wallet: Promise<Wallet> | undefined;

  /** @throws InvalidSettings */
  constructor(shell: Shell, options: GlobalOptions) {
    this.shell = shell;
    this.options = options;
    const { rpcUrl, addressBook, matcher, keystore } = options;
    const given = { RPC_URL: rpcUrl, ADDRESS_BOOK: addressBook, MATCHER: matcher, KEYSTORE: keystore };
    this.config = parseCliConfig({
      ...shell.env,
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    });
  }

  /** @throws InvalidAddressBook */
  get book(): AddressBook {
    return (this.#book ??= loadAddressBook(this.config.addressBook));
  }

  /** The address book if it could be read so far: what names in an error are taken from. */
  get knownBook(): AddressBook | undefined {
    return this.#book;
  }

  /** A client that only reads. @throws NodeUnreachable, WrongChain */
  async house(): Promise<Plimsoll> {
    return Plimsoll.connect(this.book, await this.#connect());
  }

  /** A client that signs and sends. @throws NoKey, KeystoreUnusable, NodeUnreachable, WrongChain */
  async signingHouse(): Promise<Plimsoll> {
    return Plimsoll.connect(this.book, (await this.signer()).connect(await this.#connect()));
  }

  /** @throws NoKey, KeystoreUnusable */
  signer(): Promise<Wallet> {
    return (this.#wallet ??= this.#openKey());
  }

  /** Whose accounts are meant: --owner, or who holds the key. @throws NoKey, KeystoreUnusable, InvalidValue */
  async owner(): Promise<string> {
    const { owner, account } = this.options;
    if (owner !== undefined) return parseAddress("owner", owner);
    if (namesOwner(account)) return ownerOf(parseAccount(account, "", this.book));
    const { keystore, privateKey } = this.config;
    if (keystore === undefined && privateKey === undefined) throw new NoKey();
    const named = keystore === undefined ? undefined : keystoreAddress(keystore);
    return named ?? (await this.signer()).address;
  }

  /** The account of --account, or of another name of the same owner. @throws NoKey, InvalidValue */
  async account(name = this.options.account): Promise<AccountId> {
    return parseAccount(name, namesOwner(name) ? "" : await this.owner(), this.book);
  }

  accountName(id: AccountId): string {
    return accountName(id, this.book);
  }

  /** @throws NoMatcher */
  matcher(): MatcherClient {
    if (this.config.matcher === undefined) throw new NoMatcher();
    return new MatcherClient(this.config.matcher, this.book);
  }

  /**
   * Asks whether to go on; --yes is an answer.
   * @param about what is about to happen, shown before the question
   * @throws ConfirmationRequired, Declined
   */
  async confirm(about: string, question: string): Promise<void> {
    const { json, yes } = this.options;
    if (yes === true) {
      if (json !== true) this.shell.err(`${about}\n\n`);
      return;
    }
    if (!this.shell.interactive) throw new ConfirmationRequired();
    this.shell.err(`${about}\n\n`);
    const answer = await this.shell.ask(`${question} [y/N] `);
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new Declined();
  }

  close(): void {
    this.#provider?.destroy();
  }

  /** The node, once it has told its chain. */
  async #connect(): Promise<JsonRpcProvider> {
    if (this.#provider !== undefined) return this.#provider;
    const { rpcUrl } = this.config;
    const request = new FetchRequest(rpcUrl);
    request.timeout = RPC_TIMEOUT;
    const options = { staticNetwork: true, pollingInterval: POLLING, cacheTimeout: -1 };
    const provider = new JsonRpcProvider(request, this.book.chainId, options);
    let chainId: number;
    try {
      chainId = Number(await provider.send("eth_chainId", []));
    } catch (error) {
      provider.destroy();
      throw new NodeUnreachable(rpcUrl, isError(error, "TIMEOUT") ? "timeout" : reasonOf(error));
    }
    this.#provider = provider;
    if (chainId !== this.book.chainId) throw new WrongChain(chainId, this.book.chainId);
    return provider;
  }

  async #openKey(): Promise<Wallet> {
    const { keystore, privateKey, password } = this.config;
    if (keystore !== undefined) return new Wallet(await openKeystore(this.shell, keystore, password));
    if (privateKey !== undefined) return new Wallet(privateKey);
    throw new NoKey();
  }
}

function reasonOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : String(error);
}
