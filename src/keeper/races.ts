import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { requireCashCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import type { Candidate } from "./decide.ts";
import type { Outcome } from "./lane.ts";
import type { Mirror } from "./mirror.ts";

const CONTEST = 3600n; // [s] for which others are expected to be at it after a race was lost

/** Whose races these are. */
export interface RacesOptions {
  readonly mirror: Pick<Mirror, "house">;
  readonly addressBook: AddressBook;
  readonly takerAccount: AccountId;
  /** Address that sends. */
  readonly signer: string;
}

/**
 * Guards slices by a precondition: who loses the race for one pays 40,000 gas for a look at the account's cash, who wins 20,000 more.
 * Without it a loss costs 72,000 gas for cash and one market, and more than 80,000 for an account that holds more or whose auction is
 * on: those are guarded always, the others while somebody competes. Not for a taker of another owner: his AccessManager would have to allow the key one more function.
 */
export class Races {
  readonly #options: RacesOptions;
  readonly #canGuard: boolean;
  #contestedUntil = 0n; // [s] of the chain's time
  /** Accounts whose guard has failed, and since which block they had been below MM: the next slice goes without. */
  readonly #failed = new AccountMap<number>();

  constructor(options: RacesOptions) {
    this.#options = options;
    this.#canGuard = ownerOf(options.takerAccount) === options.signer;
  }

  /**
   * What is to stand before the slice of an account in a batch, if anything.
   * @param since block since which it has been below MM
   */
  guardOf({ id, account, auction }: Pick<Candidate, "id" | "account" | "auction">, since: number): Call | undefined {
    const isDear = auction !== undefined || account.positions.size + account.collaterals.size > 1;
    const isContested = this.#options.mirror.house.time < this.#contestedUntil;
    if (!this.#canGuard || !(isDear || isContested)) return undefined;
    const hasFailed = this.#failed.get(id) === since;
    this.#failed.delete(id);
    return hasFailed ? undefined : requireCashCall(this.#options.addressBook, id, account.cash);
  }

  /** A slice, or several, that were sent: one lost on the chain is a sign of competition. */
  learn({ result, hash }: Outcome): void {
    if (result === "outcompeted" && hash !== undefined) {
      this.#contestedUntil = this.#options.mirror.house.time + CONTEST;
    }
  }

  /** A guarded slice did not go through: somebody has taken one, or only settled the account. */
  doubt(id: AccountId, since: number): void {
    this.#failed.set(id, since);
  }
}
