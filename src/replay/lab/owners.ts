import { min, WAD } from "../../risk/fixed.ts";
import type { Watched } from "../../keeper/watch.ts";
import type { Position } from "../../risk/types.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { LabHouse } from "./house.ts";
import type { Reaction } from "./scenario.ts";
import type { View } from "./view.ts";

const ROOM = 11n; // tenths of IM that an owner aims at
const LEAST_PART = WAD / 10n; // of a position that is reduced
const CALL_INTERVAL = 3600; // [s] between two calls of one owner
const NO_REACTION: Reaction = { how: "nothing", delay: 0 };

/** All that `Owners` remember. */
export interface OwnersState {
  /** Accounts below IM. */
  readonly below: Set<AccountId>;
  /** When owners were called last [s]. */
  readonly called: Map<AccountId, number>;
  /** When those act who were called and will [s]. */
  readonly due: Map<AccountId, number>;
}

export function calmOwners(): OwnersState {
  return { below: new Set(), called: new Map(), due: new Map() };
}

/** What an owner does about a margin call. */
export type Cure =
  | { readonly how: "top up"; readonly cash: bigint }
  | { readonly how: "reduce"; readonly market: number; readonly size: bigint };

/** The owners of the accounts: some bring cash or reduce, some time after they were called. */
export class Owners {
  readonly #house: LabHouse;
  readonly #state: OwnersState;
  readonly #placeOf: ReadonlyMap<AccountId, number>;

  constructor(house: LabHouse, state: OwnersState) {
    [this.#house, this.#state] = [house, state];
    this.#placeOf = new Map(house.accounts.map(({ id }, n) => [id, n]));
  }

  /** Whether an account is one of theirs. */
  has(id: AccountId): boolean {
    return this.#placeOf.has(id);
  }

  /** Takes note of accounts that were looked at; answers how many owners are called for margin. */
  note(looked: readonly Watched[], time: number): number {
    let calls = 0;
    for (const { id, state } of looked) {
      const place = this.#placeOf.get(id);
      if (place === undefined) continue;
      if (state === "healthy") this.#state.below.delete(id);
      else if (!this.#state.below.has(id)) {
        this.#state.below.add(id);
        if (this.#call(id, this.#house.traders[place]?.reaction ?? NO_REACTION, time)) calls += 1;
      }
    }
    return calls;
  }

  /** Calls an owner, unless he has been a short time ago: an account that was sold down to IM is below it again at the next tick. */
  #call(id: AccountId, { how, delay }: Reaction, time: number): boolean {
    const { called, due } = this.#state;
    if (time - (called.get(id) ?? -Infinity) < CALL_INTERVAL) return false;
    called.set(id, time);
    if (how !== "nothing" && !due.has(id)) due.set(id, time + delay);
    return true;
  }

  /** What is done by `time` [s]. Who is above IM by then lets it be. */
  act(view: View, time: number): { readonly place: number; readonly cures: readonly Cure[] }[] {
    const { below, due } = this.#state;
    const acts: { place: number; cures: Cure[] }[] = [];
    for (const [id, when] of due) {
      if (when > time) continue;
      due.delete(id);
      const place = this.#placeOf.get(id);
      if (place !== undefined && below.has(id)) acts.push({ place, cures: this.#cure(place, view.watch.get(id)) });
    }
    return acts;
  }

  #cure(place: number, { account, assessment }: Watched): Cure[] {
    if (assessment === undefined || assessment.equity <= 0n) return [];
    const { equity, initialMargin } = assessment;
    const aim = (initialMargin * ROOM) / 10n;
    if (this.#house.traders[place]?.reaction.how === "top up") return [{ how: "top up", cash: aim - equity }];
    const part = WAD - min(WAD - LEAST_PART, (equity * WAD) / aim);
    return [...account.positions]
      .filter(([, { size }]) => size !== 0n)
      .map(([market, { size }]: [number, Position]) => ({ how: "reduce", market, size: -(size * part) / WAD }));
  }
}
