import { max } from "../risk/fixed.ts";
import type { AccountState } from "../risk/types.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { Candidate } from "./decide.ts";
import type { KnownGas } from "./dispatcher.ts";
import type { Outcome } from "./lane.ts";

const MARGIN = 2n; // times what the last slices have used

/** What slices have used, so that one like them need not be simulated. */
export class SliceGas {
  /** Most gas that a slice has used, by the shape of its account. */
  readonly #used = new Map<string, bigint>();
  /** Accounts whose slices have reverted on the chain: the next one is simulated whatever it is. */
  readonly #doubted = new AccountMap<true>();

  /** What a slice is going to use, if such a one was taken before and the last one of this account went well. */
  of({ id, account }: Candidate): KnownGas {
    const gas = this.#doubted.has(id) ? undefined : this.#used.get(shapeOf(account));
    return gas === undefined ? {} : { gas, gasLimit: MARGIN * gas };
  }

  learn({ id, account }: Candidate, { result, hash, gasUsed }: Outcome): void {
    const shape = shapeOf(account);
    if (result !== "done" && hash !== undefined) this.#doubted.set(id, true);
    if (result !== "done" || gasUsed === undefined) return;
    this.#doubted.delete(id);
    this.#used.set(shape, max(gasUsed, this.#used.get(shape) ?? 0n));
  }
}

/** What the gas of a slice depends on. */
function shapeOf({ positions, collaterals, debtShares }: AccountState): string {
  return `${positions.size} ${collaterals.size} ${debtShares !== 0n}`;
}
