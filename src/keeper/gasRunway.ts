const DAY = 86_400_000; // [ms]

/** For how long a signer's balance lasts at what it has spent on gas in the last 24 hours. */
export class GasRunway {
  readonly #now: () => number;
  #spent: { readonly at: number; readonly amount: bigint }[] = []; // [ms], [wei]

  /** @param now [ms] of a clock that does not jump */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Notes that a transaction has cost `amount` [wei]. */
  spend(amount: bigint): void {
    this.#spent.push({ at: this.#now(), amount });
  }

  /** [s] that `balance` [wei] lasts; infinite where nothing was spent and there is something to spend. */
  of(balance: bigint): number {
    const since = this.#now() - DAY;
    this.#spent = this.#spent.filter(({ at }) => at > since);
    const perDay = this.#spent.reduce((sum, { amount }) => sum + amount, 0n);
    if (perDay === 0n) return balance > 0n ? Infinity : 0;
    return (Number(balance) / Number(perDay)) * (DAY / 1000);
  }
}
