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
  /** which intent it is */
  readonly name: "Deposit";
  /** account that gets them */
  readonly account: AccountId;
  /** address of the ERC-20 token */
  readonly token: string;
  /** in the token's own units */
  readonly amount: bigint;
}

/** Tokens of an account for an address. */
export interface WithdrawIntent {
  /** which intent it is */
  readonly name: "Withdraw";
  /** account that gives them */
  readonly account: AccountId;
  /** address of the ERC-20 token */
  readonly token: string;
  /** in the token's own units */
  readonly amount: bigint;
  /** address that gets them */
  readonly to: string;
}

/** Tokens of one account for another of the same owner. */
export interface TransferIntent {
  /** which intent it is */
  readonly name: "Transfer";
  /** account that gives them */
  readonly from: AccountId;
  /** account that gets them */
  readonly to: AccountId;
  /** address of the ERC-20 token */
  readonly token: string;
  /** in the token's own units */
  readonly amount: bigint;
}

/** Cash of an account for borrowers, or back from them. */
export interface LendingIntent {
  /** which intent it is */
  readonly name: "Lend" | "Recall";
  /** account that lends */
  readonly account: AccountId;
  /** in the token's own units */
  readonly amount: bigint;
}

/** What an owner, or a key of his, wants done. */
export type Intent = DepositIntent | WithdrawIntent | TransferIntent | LendingIntent;

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
 * Signs an intent as the owner or as a key of his. Anyone can bring it by {@link intentCall}.
 *
 * @param signer owner of the account, or a key of his with that scope
 * @param venue exchange that it is for
 * @param intent what it says
 * @param terms what it is good for
 * @returns what goes with the intent to the exchange
 *
 * @example
 * ```ts
 * const { token } = addressBook.cash;
 * const intent = { name: "Withdraw", account, token, amount: 25_000_000n, to: alice.address } as const;
 * const { epoch } = await house.exchange.ownerState(alice.address);
 * const terms = { nonce: 7n, deadline: BigInt(Math.floor(Date.now() / 1000) + 600), epoch };
 * const authorisation = await signIntent(alice, addressBook, intent, terms);
 * await (await Plimsoll.connect(addressBook, bob)).send(intentCall(addressBook, intent, authorisation));
 * ```
 */
export async function signIntent(
  signer: Signer,
  venue: OrderVenue,
  intent: Intent,
  terms: IntentTerms,
): Promise<Authorisation> {
  const { name, ...says } = intent;
  const signature = await signer.signTypedData(orderDomain(venue), { [name]: TYPES[name] }, { ...says, ...terms });
  return { nonce: terms.nonce, deadline: terms.deadline, signature };
}
