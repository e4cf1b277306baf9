// Compiled against the packed package, never run: what must not compile stands below @ts-expect-error.
import type { TransactionReceipt } from "ethers";

import { ContractError, MatcherRefusal, Plimsoll, PlimsollError, decodeError, signIntent } from "@plimsoll/sdk";
import type {
  AccountId,
  AddressBook,
  ContractErrorName,
  ContractErrorOf,
  Health,
  IClearingHouse,
  InvalidAmount,
  MarginState,
  MatcherClient,
  MatchOutcome,
  OrderView,
  RefusalName,
  SignedOrder,
  accountId,
  parseAddressBook,
} from "@plimsoll/sdk";
// @ts-expect-error the file system is behind ./node
import { loadAddressBook as hidden } from "@plimsoll/sdk";
import type { loadAddressBook } from "@plimsoll/sdk/node";
import { whatIf } from "@plimsoll/sdk/risk";
import type { AccountState, HouseState, WhatIf } from "@plimsoll/sdk/risk";
// @ts-expect-error what is not exported cannot be reached
import type { Reader } from "@plimsoll/sdk/esm/src/sdk/reader.js";

type IsAny<T> = 0 extends 1 & T ? true : false;
type Same<A, B> = [A, IsAny<A>] extends [B, IsAny<B>] ? ([B] extends [A] ? true : false) : false;
/** Compiles only if both types are the same. */
declare function same<A, B>(...proof: Same<A, B> extends true ? [] : [never]): void;
declare function use(value: unknown): void;
declare function useBigint(value: bigint): void;

export type { Reader };
export { hidden };

export function errors(error: unknown): bigint | undefined {
  const decoded = decodeError(error);
  if (decoded?.name === "Panic") same<typeof decoded.args, { readonly 0: bigint }>();
  if (error instanceof PlimsollError) same<typeof error.name, string>();
  same<InvalidAmount["name"], "InvalidAmount">();
  same<ContractErrorOf<"UnknownAsset">["args"], { readonly token: string }>();
  if (!(error instanceof ContractError)) return undefined;
  same<typeof error, ContractError>();
  same<typeof error.name, ContractErrorName>();
  // @ts-expect-error no contract has an error of this name
  if (error.name === "NotLiquidateable") return undefined;
  // @ts-expect-error not every error carries this
  use(error.args.maintenanceMargin);
  if (error.name === "GrantTooWide") same<typeof error.args.field, string>();
  if (error.name !== "NotLiquidatable") return undefined;
  same<typeof error.args, { readonly account: bigint; readonly equity: bigint; readonly maintenanceMargin: bigint }>();
  // @ts-expect-error this one carries other things
  use(error.args.nonce);
  return error.args.equity;
}

export async function client(house: Plimsoll, account: AccountId): Promise<void> {
  same<AccountId, bigint>();
  same<ReturnType<typeof accountId>, AccountId>();
  same<ReturnType<typeof parseAddressBook>, AddressBook>();
  same<ReturnType<typeof loadAddressBook>, AddressBook>();
  same<Awaited<ReturnType<Plimsoll["deposit"]>>, TransactionReceipt>();
  await house.deposit(account, "USDC", "5");
  // @ts-expect-error amounts are texts, so that no digit is lost
  await house.deposit(account, "USDC", 5);
  // @ts-expect-error a client is made by Plimsoll.connect
  new Plimsoll();

  same<Awaited<ReturnType<Plimsoll["order"]>>, SignedOrder>();
  await house.order({ account, market: 0, size: "1", limitPrice: "2000", nonce: 1n, postOnly: true });
  // @ts-expect-error a nonce is a bigint
  await house.order({ account, market: 0, size: "1", limitPrice: "2000", nonce: 1 });
  // @ts-expect-error an order needs a limit price
  await house.order({ account, market: 0, size: "1", nonce: 1n });
  // @ts-expect-error there is no such scope
  await house.grantKey({ owner: "0x", key: "0x" }, { scopes: ["steal"] });

  const health = await house.health(account);
  same<typeof health, Health>();
  same<MarginState, "healthy" | "marginCall" | "liquidatable" | "bankrupt">();
  // @ts-expect-error results are read-only
  health.equity = 0n;
  // @ts-expect-error leverage is undefined where equity is not positive
  useBigint(health.leverage);

  same<Plimsoll["clearingHouse"], IClearingHouse>();
  same<Awaited<ReturnType<IClearingHouse["position"]["staticCall"]>>["size"], bigint>();
}

export async function intents(signer: Parameters<typeof signIntent>[0], book: AddressBook): Promise<void> {
  const terms = { nonce: 1n, deadline: 2n, epoch: 0n };
  await signIntent(signer, book, { name: "Lend", account: 1n, amount: 1n }, terms);
  // @ts-expect-error a withdrawal says where to
  await signIntent(signer, book, { name: "Withdraw", account: 1n, token: "0x", amount: 1n }, terms);
  // @ts-expect-error there is no such intent
  await signIntent(signer, book, { name: "Borrow", account: 1n, amount: 1n }, terms);
}

export async function matcher(client: MatcherClient, error: unknown): Promise<void> {
  same<Awaited<ReturnType<MatcherClient["order"]>>, OrderView>();
  // @ts-expect-error an order is asked for by its hash, a text
  await client.order(1n);
  if (!(error instanceof MatcherRefusal)) return;
  same<typeof error.reason, RefusalName>();
  // @ts-expect-error no matcher refuses for this
  if (error.reason === "TooPoor") return;
}

export function settlement(match: MatchOutcome): bigint | undefined {
  if (match.settled) return match.size;
  same<"size" extends keyof typeof match ? true : false, false>(); // what was left out has none
  return undefined;
}

export function engine(account: AccountState, house: HouseState): WhatIf {
  // @ts-expect-error the engine computes with bigint only
  whatIf(account, house, { market: 0, size: 1, price: 1n, feeRate: 0n });
  return whatIf(account, house, { market: 0, size: 1n, price: 1n, feeRate: 0n });
}
