import { keccak256, MaxUint256, toUtf8Bytes, Wallet } from "ethers";
import secp256k1 from "secp256k1";

import {
  Exchange__factory,
  IClearingHouse__factory,
  MockERC20__factory,
  MockV3Aggregator__factory,
} from "../../../types/index.ts";
import { Signing } from "../../matcher/signing.ts";
import { accountId } from "../../sdk/accountId.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { batchCall } from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import { buildOrder } from "../../sdk/orders.ts";
import type { Order, SignedOrder } from "../../sdk/orders.ts";
import type { Asset } from "../path.ts";
import type { RateFeed } from "../venue.ts";
import type { LabChain } from "./chain.ts";
import type { Transaction } from "./chain.ts";
import type { Trader } from "./scenario.ts";

/** Accounts of one owner. */
export const PER_OWNER = 100;
const ORDER_LIFETIME = 3600n; // [s]

const ledger = IClearingHouse__factory.createInterface();
const erc20 = MockERC20__factory.createInterface();
const exchange = Exchange__factory.createInterface();

/** Somebody who takes part, with the key that signs for him. */
export interface Party {
  readonly owner: string;
  readonly id: AccountId;
}

/** One fill to be: `account` buys `size` [wad] (negative: sells) of a market at `price` [wad] from the market maker. */
export interface Fill {
  readonly account: AccountId;
  readonly owner: string;
  readonly market: number;
  readonly size: bigint;
  readonly price: bigint;
}

/** A house as it was deployed on a chain of its own. */
export interface Deployed {
  readonly chain: LabChain;
  readonly book: AddressBook;
  readonly deployer: string;
  /** Between tokens and what they follow. */
  readonly rates: readonly RateFeed[];
}

/** A deployed house with everybody in it, and what they send. */
export class LabHouse {
  readonly chain: LabChain;
  readonly book: AddressBook;
  readonly deployer: string;
  /** Accounts, and what they begin with; the same place in both lists is the same account. */
  readonly accounts: readonly Party[];
  readonly traders: readonly Trader[];
  readonly takers: readonly Party[];
  /** Trades with everybody, and never wants for margin. */
  readonly maker: Party;
  /** Who does the house's upkeep. */
  readonly upkeep: Party;
  readonly #rates: readonly RateFeed[];
  readonly #keys = new Map<string, Buffer>();
  readonly #signing: Signing;

  constructor({ chain, book, deployer, rates }: Deployed, takers: number, traders: readonly Trader[]) {
    [this.chain, this.book, this.deployer, this.#rates, this.traders] = [chain, book, deployer, rates, traders];
    this.#signing = new Signing(book);
    this.maker = this.#enlist("market maker");
    this.upkeep = this.#enlist("upkeep");
    this.takers = Array.from({ length: takers }, (_, i) => this.#enlist(`taker ${i}`));
    const owners = Array.from({ length: Math.ceil(traders.length / PER_OWNER) }, (_, i) => this.#enlist(`owner ${i}`));
    this.accounts = owners.flatMap(({ owner }, i) => {
      const count = Math.min(PER_OWNER, traders.length - i * PER_OWNER);
      return Array.from({ length: count }, (_, n) => ({ owner, id: accountId(owner, n) }));
    });
  }

  // ---------------------------------------------------------------- transactions

  /** Gives the feed of an asset another answer. */
  answer(asset: Asset, answer: bigint): Transaction {
    const feed = this.book.underlyings.find(({ name }) => name === asset)?.feed ?? "";
    const data = MockV3Aggregator__factory.createInterface().encodeFunctionData("updateAnswer", [answer]);
    return { from: this.deployer, to: feed, data };
  }

  /** Gives the rates between tokens and what they follow a new round. */
  refreshRates(): Transaction[] {
    const abi = MockV3Aggregator__factory.createInterface();
    return this.#rates.map(({ feed, answer }) => {
      return { from: this.deployer, to: feed, data: abi.encodeFunctionData("updateAnswer", [answer]) };
    });
  }

  /** Fills of one market, all of the same side and at one price, by orders that both sides have signed. */
  trade(fills: readonly Fill[], nonce: bigint, time: number): Transaction {
    const [first] = fills;
    const terms = { market: BigInt(first?.market ?? 0), limitPrice: first?.price ?? 0n };
    const good = { ...terms, nonce, expiry: BigInt(time) + ORDER_LIFETIME };
    const total = fills.reduce((sum, { size }) => sum + size, 0n);
    const resting = this.#sign(
      this.maker.owner,
      buildOrder({ ...good, account: this.maker.id, size: -total, resting: true }),
    );
    const taking = fills.map(({ account, owner, size }) => this.#sign(owner, buildOrder({ ...good, account, size })));
    const matches = fills.map((_, i) => ({ maker: 0, taker: i + 1 }));
    const data = exchange.encodeFunctionData("settle", [[resting, ...taking], matches]);
    return { from: this.deployer, to: this.book.contracts.exchange, data };
  }

  /** Brings new cash [wad] into an account. */
  deposit({ owner, id }: Party, cash: bigint): Transaction[] {
    const { token, decimals } = this.book.cash;
    const amount = cash / 10n ** BigInt(18 - decimals);
    return [
      this.mint(token, owner, amount),
      this.call(owner, this.toLedger(ledger.encodeFunctionData("deposit", [id, token, amount]))),
    ];
  }

  /** Sells a collateral balance somewhere else for so much cash [wad]. */
  sell({ owner, id }: Party, collateral: number, balance: bigint, cash: bigint): Transaction[] {
    const { token, decimals } = this.book.collaterals[collateral] ?? this.book.cash;
    const [mint, deposit] = this.deposit({ owner, id }, cash);
    if (mint === undefined || deposit === undefined) return [];
    const amount = balance / 10n ** BigInt(18 - decimals);
    const withdraw = this.toLedger(ledger.encodeFunctionData("withdraw", [id, token, amount, owner]));
    return [mint, this.call(owner, batchCall(this.book, [{ target: deposit.to, data: deposit.data }, withdraw]))];
  }

  /** A call of the house by somebody. */
  call(from: string, { target, data }: Call): Transaction {
    return { from, to: target, data };
  }

  /** Tokens out of nothing. */
  mint(token: string, to: string, amount: bigint): Transaction {
    return { from: to, to: token, data: erc20.encodeFunctionData("mint", [to, amount]) };
  }

  /** Lets the vault take as much of a token as its owner has. */
  approve(token: string, owner: string): Transaction {
    const data = erc20.encodeFunctionData("approve", [this.book.contracts.vault, MaxUint256]);
    return { from: owner, to: token, data };
  }

  /** What the clearinghouse is asked for. */
  toLedger(data: string): Call {
    return { target: this.book.contracts.clearingHouse, data };
  }

  // ---------------------------------------------------------------- parts

  #enlist(name: string): Party {
    const key = keccak256(toUtf8Bytes(`plimsoll replay lab: ${name}`));
    const owner = new Wallet(key).address;
    this.#keys.set(owner, Buffer.from(key.slice(2), "hex"));
    return { owner, id: accountId(owner) };
  }

  #sign(owner: string, order: Order): SignedOrder {
    const key = this.#keys.get(owner) ?? Buffer.alloc(0);
    const { signature, recid } = secp256k1.ecdsaSign(this.#signing.hashOrder(order), key);
    return { order, signature: `0x${Buffer.from(signature).toString("hex")}${recid === 0 ? "1b" : "1c"}` };
  }
}
