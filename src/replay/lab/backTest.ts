import { kupiec } from "../../calibrate/kupiec.ts";
import { assessAccount } from "../../risk/account.ts";
import type { AccountState, HouseState } from "../../risk/types.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import { toNumber } from "../format.ts";
import { generator } from "../synthetic.ts";
import type { MarginTest } from "./result.ts";

const HORIZON = 600; // [s] in which an account below MM is taken, as κ is calibrated for
const CONFIDENCE = 0.995;
const TAIL = 0.99; // of windows lose no more than the value at risk
const DRAWS = 64; // of an account that has MM, before a window is left out
const DIGITS = 6; // as exact as `kupiec` is

/** An account at the beginning of a window. Amounts are [wad]. */
interface Sample {
  readonly account: AccountState;
  readonly equity: bigint;
  readonly maintenanceMargin: bigint;
}

/** All that a `BackTest` remembers. */
export interface BackTestState {
  losses: number[]; // of windows, as shares of MM
  begun: number; // windows so far, those without an account included
  ends: number; // [s] of the window that is open
  sample: Sample | undefined;
}

export function newBackTest(): BackTestState {
  return { losses: [], begun: 0, ends: -Infinity, sample: undefined };
}

/**
 * Whether MM covers what prices do to a portfolio in the time in which it is taken. In windows that share no minute one account is drawn
 * by the seed, and judged as if its equity had been exactly its MM at the beginning and nobody had touched it: a breach is a loss of more
 * than MM by the end. One account of a window, because those that share one fall together, and Kupiec's test is of independent ones.
 */
export class BackTest {
  readonly #seed: number;
  readonly #state: BackTestState;

  constructor(seed: number, state: BackTestState) {
    [this.#seed, this.#state] = [seed, state];
  }

  /** Ends the window that is over at `time` [s], and begins the next one. */
  see(time: number, house: HouseState, ids: readonly AccountId[], accountOf: (id: AccountId) => AccountState): void {
    if (time < this.#state.ends) return;
    const { sample } = this.#state;
    if (sample !== undefined) {
      const { equity } = assessAccount(sample.account, house);
      this.#state.losses.push(toNumber(sample.equity - equity) / toNumber(sample.maintenanceMargin));
    }
    this.#state.sample = this.#draw(house, ids, accountOf);
    this.#state.begun += 1;
    this.#state.ends = time + HORIZON;
  }

  get result(): MarginTest {
    const losses = this.#state.losses.toSorted((a, b) => a - b);
    const windows = losses.length;
    const breaches = losses.filter((loss) => loss > 1).length;
    const tail = losses.slice(Math.max(0, Math.ceil(windows * TAIL) - 1));
    const mean = tail.reduce((sum, loss) => sum + loss, 0) / Math.max(1, tail.length);
    const { ratio, pValue } = windows === 0 ? { ratio: 0, pValue: 1 } : kupiec(windows, breaches, 1 - CONFIDENCE);
    const rounded = (x: number) => Number(x.toFixed(DIGITS));
    return {
      ...{ horizon: HORIZON, confidence: CONFIDENCE, windows, breaches },
      ...{ ratio: rounded(ratio), pValue: rounded(pValue) },
      ...{ valueAtRisk: rounded(tail[0] ?? 0), expectedShortfall: rounded(mean) },
    };
  }

  #draw(house: HouseState, ids: readonly AccountId[], of: (id: AccountId) => AccountState): Sample | undefined {
    const random = generator(this.#seed + this.#state.begun);
    for (let i = 0; i < DRAWS; ++i) {
      const account = of(ids[Math.floor(random() * ids.length)] ?? 0n);
      const { equity, maintenanceMargin } = assessAccount(account, house);
      if (maintenanceMargin > 0n) return { account, equity, maintenanceMargin };
    }
    return undefined;
  }
}
