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
import type { Dispatcher } from "./dispatcher.ts";
import { EMPTY_ACCOUNT } from "./ledger.ts";
import type { Mirror } from "./mirror.ts";
import type { Job } from "./upkeep.ts";

/** What the signer has of the settlement asset outside the house, in its own units. */
interface Purse {
  readonly balance: bigint;
  /** that the vault may take */
  readonly allowance: bigint;
}

/** The purse of `owner`. @throws whatever the node throws */
async function readPurse(provider: Provider, { cash, contracts }: AddressBook, owner: string): Promise<Purse> {
  const token = MockERC20__factory.connect(cash.token, provider); // for the functions that every token has
  const [balance, allowance] = await Promise.all([token.balanceOf(owner), token.allowance(owner, contracts.vault)]);
  return { balance, allowance };
}

/** What keeping own funds needs. */
export interface OwnFundsOptions {
  readonly provider: Provider;
  readonly mirror: Pick<Mirror, "accounts" | "house">;
  readonly dispatcher: Dispatcher;
  readonly addressBook: AddressBook;
  readonly takerAccount: AccountId;
  /** Fills the account and is paid from it. */
  readonly owner: string;
  readonly policy: Pick<KeeperPolicy, "fundBelow" | "fundTo" | "withdrawAbove">;
}

/** Keeps the taker's cash between its bounds. */
export class OwnFunds {
  readonly #options: OwnFundsOptions;
  #purse: Purse | undefined; // while it is known
  #moved = false;

  constructor(options: OwnFundsOptions) {
    this.#options = options;
  }

  /** Whether something has moved since the purse was last read. */
  get hasMoved(): boolean {
    return this.#moved;
  }

  /** Reads the purse. @throws whatever the node throws */
  async refresh(): Promise<void> {
    const { provider, addressBook, owner, policy } = this.#options;
    this.#moved = false;
    if (policy.fundBelow === undefined) return;
    const purse = await readPurse(provider, addressBook, owner);
    if (!this.hasMoved) this.#purse = purse; // else it may be from before
  }

  /** Brings the taker's cash up to `fundTo` from the owner's wallet if it is low, and down to it if it is high. */
  keep(): void {
    const { mirror, takerAccount, dispatcher } = this.#options;
    const job = this.#job(mirror.accounts.get(takerAccount) ?? EMPTY_ACCOUNT, mirror.house);
    if (job === undefined) return;
    const { call, ...act } = job;
    dispatcher.begin(act, call, () => {
      this.#purse = undefined; // until it is read again
      this.#moved = true;
    });
  }

  #job(taker: AccountState, house: HouseState): Job | undefined {
    const { fundBelow, fundTo, withdrawAbove } = this.#options.policy;
    if (fundTo === undefined) return undefined;
    if (fundBelow !== undefined && taker.cash < fundBelow) return this.#fill(fundTo - taker.cash);
    if (withdrawAbove === undefined || taker.cash <= withdrawAbove) return undefined;
    return this.#drain(min(taker.cash - fundTo, freeOf(taker, house)));
  }

  /** @param amount [wad] */
  #fill(amount: bigint): Job | undefined {
    const { addressBook: book, takerAccount: account } = this.#options;
    const { symbol, decimals } = book.cash;
    if (this.#purse === undefined) return undefined;
    const units = min(fromWadDown(amount, decimals), this.#purse.balance);
    if (units === 0n) return undefined;
    const text = formatAmount(units, decimals);
    if (this.#purse.allowance < units) return { action: "approve", account, call: approveCall(book, symbol, text) };
    return { action: "deposit", account, call: depositCall(book, account, symbol, text) };
  }

  /** @param amount [wad] */
  #drain(amount: bigint): Job | undefined {
    const { addressBook: book, takerAccount: account, owner } = this.#options;
    const { symbol, decimals } = book.cash;
    const units = fromWadDown(amount, decimals);
    if (toWadDown(units, decimals) <= 0n) return undefined;
    const text = formatAmount(units, decimals);
    return { action: "withdraw", account, call: withdrawCall(book, account, symbol, text, owner) };
  }
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
