import type { Provider } from "ethers";

import { MockERC20__factory } from "../../types/index.ts";
import { freeCollateral } from "../risk/account.ts";
import { RiskError } from "../risk/errors.ts";
import { min } from "../risk/fixed.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { approveCall, depositCall, withdrawCall } from "../sdk/calls.ts";
import { formatAmount, fromWadDown, toWadDown } from "../sdk/units.ts";
import type { KeeperPolicy } from "./config.ts";
import type { Job } from "./upkeep.ts";

/** What the signer has of the settlement asset outside the house, in its own units. */
export interface Purse {
  readonly balance: bigint;
  /** that the vault may take */
  readonly allowance: bigint;
}

/** The purse of `owner`. @throws whatever the node throws */
export async function readPurse(provider: Provider, { cash, contracts }: AddressBook, owner: string): Promise<Purse> {
  const token = MockERC20__factory.connect(cash.token, provider); // for the functions that every token has
  const [balance, allowance] = await Promise.all([token.balanceOf(owner), token.allowance(owner, contracts.vault)]);
  return { balance, allowance };
}

/** Whose account it is, and who fills it and is paid from it. */
export interface OwnFunds {
  readonly book: AddressBook;
  readonly account: AccountId;
  readonly signer: string;
  /** `undefined` while it is not known */
  readonly purse: Purse | undefined;
}

/** Brings the taker's cash up to `fundTo` from the signer's wallet if it is low, and down to it if it is high. */
export function ownFundsJobs(
  { book, account, signer, purse }: OwnFunds,
  taker: AccountState,
  house: HouseState,
  { fundBelow, fundTo, withdrawAbove }: KeeperPolicy,
): Job[] {
  if (fundTo === undefined) return [];
  const { symbol, decimals } = book.cash;
  const text = (units: bigint) => formatAmount(units, decimals);
  if (fundBelow !== undefined && taker.cash < fundBelow) {
    if (purse === undefined) return [];
    const units = min(fromWadDown(fundTo - taker.cash, decimals), purse.balance);
    if (units === 0n) return [];
    if (purse.allowance < units) return [{ action: "approve", account, call: approveCall(book, symbol, text(units)) }];
    return [{ action: "deposit", account, call: depositCall(book, account, symbol, text(units)) }];
  }
  if (withdrawAbove === undefined || taker.cash <= withdrawAbove) return [];
  const units = fromWadDown(min(taker.cash - fundTo, freeOf(taker, house)), decimals);
  if (toWadDown(units, decimals) <= 0n) return [];
  return [{ action: "withdraw", account, call: withdrawCall(book, account, symbol, text(units), signer) }];
}

/** [wad] What may leave; nothing while a price is missing. */
function freeOf(taker: AccountState, house: HouseState): bigint {
  try {
    return freeCollateral(taker, house);
  } catch (error) {
    if (error instanceof RiskError) return 0n;
    throw error;
  }
}
