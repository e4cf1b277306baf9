import type { Signer } from "ethers";

import type { AccountId } from "./accountId.ts";
import { orderDomain } from "./orders.ts";
import type { OrderVenue } from "./orders.ts";

/** What a signed intent is good for: any unused nonce, a last second, and the owner's epoch as it is. */
export interface IntentTerms {
  nonce: bigint;
  /** [s] */
  deadline: bigint;
  epoch: bigint;
}

/** What goes with an intent to the exchange. */
export interface Authorisation {
  nonce: bigint;
  deadline: bigint;
  signature: string;
}

/** What each intent says; amounts in the token's own units. */
export interface Intents {
  Deposit: { account: AccountId; token: string; amount: bigint };
  Withdraw: { account: AccountId; token: string; amount: bigint; to: string };
  Transfer: { from: AccountId; to: AccountId; token: string; amount: bigint };
  Lend: { account: AccountId; amount: bigint };
  Recall: { account: AccountId; amount: bigint };
}

/** An intent together with its name. */
export type IntentOf = { [K in keyof Intents]: { readonly name: K } & Readonly<Intents[K]> }[keyof Intents];

const TERMS = [
  { name: "nonce", type: "uint256" },
  { name: "deadline", type: "uint256" },
  { name: "epoch", type: "uint256" },
];
const account = { name: "account", type: "uint256" };
const token = { name: "token", type: "address" };
const amount = { name: "amount", type: "uint256" };

const TYPES = {
  Deposit: [account, token, amount, ...TERMS],
  Withdraw: [account, token, amount, { name: "to", type: "address" }, ...TERMS],
  Transfer: [{ name: "from", type: "uint256" }, { name: "to", type: "uint256" }, token, amount, ...TERMS],
  Lend: [account, amount, ...TERMS],
  Recall: [account, amount, ...TERMS],
};

/**
 * Signs an intent as the owner or as a key of his. Anyone can bring it to the exchange's function of that name (`withdrawFor` …).
 *
 *     const terms = { nonce: 7n, deadline: now + 600n, epoch: 0n };
 *     const a = await signIntent(signer, addressBook, "Withdraw", { account, token, amount: 25_000_000n, to }, terms);
 *     await exchange.connect(relayer).withdrawFor(account, token, 25_000_000n, to, a);
 */
export function signIntent<K extends keyof Intents>(
  signer: Signer,
  venue: OrderVenue,
  name: K,
  intent: Intents[K],
  terms: IntentTerms,
): Promise<Authorisation> {
  return sign(signer, venue, name, intent, terms);
}

/** The same for an intent that carries its name. */
export function signNamedIntent(
  signer: Signer,
  venue: OrderVenue,
  { name, ...intent }: IntentOf,
  terms: IntentTerms,
): Promise<Authorisation> {
  return sign(signer, venue, name, intent, terms);
}

async function sign(
  signer: Signer,
  venue: OrderVenue,
  name: keyof Intents,
  intent: object,
  terms: IntentTerms,
): Promise<Authorisation> {
  const signature = await signer.signTypedData(orderDomain(venue), { [name]: TYPES[name] }, { ...intent, ...terms });
  return { nonce: terms.nonce, deadline: terms.deadline, signature };
}
