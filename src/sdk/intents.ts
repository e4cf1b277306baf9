import type { Signer } from "ethers";

import type { AccountId } from "./accountId.ts";
import { orderDomain } from "./orders.ts";
import type { OrderVenue } from "./orders.ts";

/** What a signed intent is good for: any unused nonce, a last second, and the owner's epoch as it is. */
export interface IntentTerms {
  /** any that the owner has not used */
  nonce: bigint;
  /** [s] last second at which it is good */
  deadline: bigint;
  /** of the owner, by `Exchange.ownerState` */
  epoch: bigint;
}

/** What goes with an intent to the exchange. */
export interface Authorisation {
  /** any that the owner has not used */
  nonce: bigint;
  /** [s] last second at which it is good */
  deadline: bigint;
  /** of the owner, or of a key of his with that scope */
  signature: string;
}

/** Tokens of the owner's wallet for an account. */
export interface DepositIntent {
  /** account that gets them */
  account: AccountId;
  /** address of the ERC-20 token */
  token: string;
  /** in the token's own units */
  amount: bigint;
}

/** Tokens of an account for an address. */
export interface WithdrawIntent {
  /** account that gives them */
  account: AccountId;
  /** address of the ERC-20 token */
  token: string;
  /** in the token's own units */
  amount: bigint;
  /** address that gets them */
  to: string;
}

/** Tokens of one account for another of the same owner. */
export interface TransferIntent {
  /** account that gives them */
  from: AccountId;
  /** account that gets them */
  to: AccountId;
  /** address of the ERC-20 token */
  token: string;
  /** in the token's own units */
  amount: bigint;
}

/** Cash of an account for borrowers, or back from them. */
export interface LendingIntent {
  /** account that lends */
  account: AccountId;
  /** in the token's own units */
  amount: bigint;
}

/** What each intent says, by its name. */
export interface Intents {
  /** brings tokens in */
  Deposit: DepositIntent;
  /** takes tokens out */
  Withdraw: WithdrawIntent;
  /** moves tokens between accounts */
  Transfer: TransferIntent;
  /** lends cash */
  Lend: LendingIntent;
  /** brings lent cash back */
  Recall: LendingIntent;
}

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
 * @param signer owner of the account, or a key of his with that scope
 * @param venue exchange that it is for
 * @param name which intent
 * @param intent what it says
 * @param terms what it is good for
 * @returns what goes with the intent to the exchange
 *
 * @example
 * ```ts
 * const terms = { nonce: 7n, deadline: BigInt(Math.floor(Date.now() / 1000) + 600), epoch: 0n };
 * const { token } = addressBook.cash;
 * const intent = { account, token, amount: 25_000_000n, to: alice.address };
 * const authorisation = await signIntent(alice, addressBook, "Withdraw", intent, terms);
 * await house.exchange.connect(bob).withdrawFor(account, token, intent.amount, intent.to, authorisation);
 * ```
 */
export async function signIntent<K extends keyof Intents>(
  signer: Signer,
  venue: OrderVenue,
  name: K,
  intent: Intents[K],
  terms: IntentTerms,
): Promise<Authorisation> {
  const signature = await signer.signTypedData(orderDomain(venue), { [name]: TYPES[name] }, { ...intent, ...terms });
  return { nonce: terms.nonce, deadline: terms.deadline, signature };
}
