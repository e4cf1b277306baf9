import { expWad } from "./expWad.ts";
import { divUp, min, positive, PPM, WAD } from "./fixed.ts";
import type { AccountState, Books, LendingState } from "./types.ts";

const VIRTUAL_SHARES = 10n ** 6n; // per wei of assets
const YEAR = 365n * 24n * 3600n; // [s]
const MAX_EXPONENT = 10n * WAD; // growth saturates after decades of silence

/**
 * The pool with interest up to a time.
 *
 * @param pool as it is stored
 * @param time [s]
 * @returns the pool at that time
 *
 * @example
 * ```ts
 * const lending = { ...house.lending, lent: 1_000n * WAD, borrowed: 500n * WAD, rate: WAD / 1_000_000_000n };
 * const later = currentLending(lending, lending.time + 100n);
 * console.log(later.borrowed > lending.borrowed && later.lent > lending.lent); // → true
 * ```
 */
export function currentLending(pool: LendingState, time: bigint): LendingState {
  const exponent = min(pool.rate * (time - pool.time), MAX_EXPONENT);
  if (exponent === 0n) return { ...pool, time };
  const growth = expWad(exponent) + 1n - WAD; // rounded up
  const interest = divUp(positive(pool.borrowed - pool.flaggedDeficit) * growth, WAD);
  const reserved = divUp(interest * pool.params.reserveFactor, PPM);
  return {
    ...pool,
    time,
    borrowed: pool.borrowed + interest,
    lent: pool.lent + interest - reserved,
    reserves: pool.reserves + reserved,
  };
}

/**
 * What can leave the pool.
 *
 * @param pool at some time
 * @returns cash [wad]
 *
 * @example
 * ```ts
 * const lending = { ...house.lending, lent: 1_000n * WAD, borrowed: 400n * WAD, reserves: 0n };
 * console.log(formatWad(liquidity(lending))); // → 600
 * ```
 */
export function liquidity(pool: LendingState): bigint {
  return pool.lent + pool.reserves - pool.borrowed;
}

/** Lent cash [wad] that shares are worth, floored, flagged deficits of borrowers left out: nobody runs from one. */
export function lentOf(pool: LendingState, shares: bigint): bigint {
  return (shares * (netLent(pool) + 1n)) / (pool.lentShares + VIRTUAL_SHARES);
}

/** Shares worth at least `amount` [wad] of lent cash. */
export function sharesOf(pool: LendingState, amount: bigint): bigint {
  return divUp(amount * (pool.lentShares + VIRTUAL_SHARES), netLent(pool) + 1n);
}

/** Debt [wad] that shares stand for, rounded up. */
export function debtOf(pool: LendingState, shares: bigint): bigint {
  return divUp(shares * (pool.borrowed + 1n), pool.debtShares + VIRTUAL_SHARES);
}

/** What an account has lent and borrowed [wad], with interest. */
export interface Loans {
  /** lent cash, floored */
  readonly lent: bigint;
  /** debt, rounded up */
  readonly debt: bigint;
}

/**
 * Lent cash and debt of an account.
 *
 * @param account what it owns and owes
 * @param lending the pool as it is stored
 * @param time [s]
 * @returns both [wad]
 *
 * @example
 * ```ts
 * const { lent, debt } = loansOf(account, house.lending, house.time);
 * console.log(lent, debt); // → 0n 0n
 * ```
 */
export function loansOf(account: AccountState, lending: LendingState, time: bigint): Loans {
  if (account.lentShares === 0n && account.debtShares === 0n) return { lent: 0n, debt: 0n };
  const pool = currentLending(lending, time);
  return { lent: lentOf(pool, account.lentShares), debt: debtOf(pool, account.debtShares) };
}

/**
 * The rate that debt pays, by utilisation.
 *
 * @param pool with its parameters
 * @param borrowed [wad]
 * @param lent [wad]
 * @returns the rate [wad per second]
 *
 * @example
 * ```ts
 * const perYear = borrowRate(house.lending, 400n * WAD, 1_000n * WAD) * 365n * 24n * 3600n;
 * console.log(perYear / 10n ** 12n); // → 19999n
 * ```
 */
export function borrowRate(pool: Pick<LendingState, "params">, borrowed: bigint, lent: bigint): bigint {
  const { params } = pool;
  if (borrowed === 0n || params.kink === 0n) return 0n;
  const u = borrowed >= lent ? PPM : (borrowed * PPM) / lent;
  let yearly = (params.lowSlope * min(u, params.kink) * WAD) / params.kink; // [ppm · wad]
  if (u > params.kink) yearly += (params.highSlope * (u - params.kink) * WAD) / (PPM - params.kink);
  return yearly / (PPM * YEAR);
}

/** The books after an account has lent `amount` [wad] of its cash. */
export function lend({ account, house }: Books, amount: bigint): Books {
  const pool = currentLending(house.lending, house.time);
  const shares = (amount * (pool.lentShares + VIRTUAL_SHARES)) / (pool.lent + 1n);
  return store(
    { account: { ...account, cash: account.cash - amount, lentShares: account.lentShares + shares }, house },
    {
      ...pool,
      lent: pool.lent + amount,
      lentShares: pool.lentShares + shares,
    },
  );
}

/** The books after raising up to `amount` [wad] of cash from an account's lent cash, then, if it may, by borrowing. */
export function raiseCash(books: Books, amount: bigint, mayBorrow: boolean): Books {
  const { account, house } = books;
  const start = currentLending(house.lending, house.time);
  const most = min(amount, liquidity(start));
  const called = callBack(start, account.lentShares, most);
  const borrowed = mayBorrow ? most - called.paid : 0n;
  const raised = called.paid + borrowed;
  if (raised === 0n) return books;
  const { pool } = called;
  const shares = borrowed === 0n ? 0n : divUp(borrowed * (pool.debtShares + VIRTUAL_SHARES), pool.borrowed + 1n);
  const after = {
    ...account,
    cash: account.cash + raised,
    lentShares: called.left,
    debtShares: account.debtShares + shares,
  };
  return store(
    { account: after, house },
    { ...pool, borrowed: pool.borrowed + borrowed, debtShares: pool.debtShares + shares },
  );
}

/** The books after an account has paid its debt from its lent cash and its cash, as far as they go. */
export function repay(books: Books): Books {
  const { account, house } = books;
  if (account.debtShares === 0n) return books;
  const start = currentLending(house.lending, house.time);
  const debt = debtOf(start, account.debtShares);
  // Calling back to repay needs no liquidity: what leaves the lender comes in from the borrower.
  const { pool, paid: fromLent, left } = callBack(start, account.lentShares, debt);
  const fromCash = min(debt - fromLent, account.cash);
  const paid = fromLent + fromCash;
  if (paid === 0n) return books;
  const shares =
    paid === debt ? account.debtShares : (paid * (pool.debtShares + VIRTUAL_SHARES)) / (pool.borrowed + 1n);
  const after = {
    ...account,
    cash: account.cash - fromCash,
    lentShares: left,
    debtShares: account.debtShares - shares,
  };
  return store({ account: after, house }, reduceDebt(pool, shares, paid));
}

/** The books after `amount` [wad] of an account's debt was written off, of which `fromFund` [wad] was paid to the lenders. */
export function writeOff({ account, house }: Books, amount: bigint, fromFund: bigint): Books {
  const pool = currentLending(house.lending, house.time);
  const needed = divUp(amount * (pool.debtShares + VIRTUAL_SHARES), pool.borrowed + 1n);
  const all = amount >= debtOf(pool, account.debtShares);
  const shares = all ? account.debtShares : min(needed, account.debtShares);
  const reduced = reduceDebt(pool, shares, amount);
  const lost = min(amount - fromFund, reduced.lent);
  return store(
    { account: { ...account, debtShares: account.debtShares - shares }, house },
    {
      ...reduced,
      lent: reduced.lent - lost,
      reserves: reduced.reserves - (amount - fromFund - lost),
    },
  );
}

/** The books after a deficit [wad] that a flag had recorded of a borrower is no longer recorded. */
export function unflag({ account, house }: Books, amount: bigint): Books {
  if (amount === 0n) return { account, house };
  const pool = currentLending(house.lending, house.time);
  return { account, house: { ...house, lending: { ...pool, flaggedDeficit: pool.flaggedDeficit - amount } } };
}

/** Takes up to `amount` [wad] of lent cash out of the pool. */
function callBack(
  pool: LendingState,
  lentShares: bigint,
  amount: bigint,
): { pool: LendingState; paid: bigint; left: bigint } {
  const all = lentOf(pool, lentShares);
  const paid = min(amount, all);
  if (paid === 0n) return { pool, paid, left: lentShares };
  const shares = paid === all ? lentShares : min(lentShares, sharesOf(pool, paid));
  return {
    pool: { ...pool, lent: pool.lent - paid, lentShares: pool.lentShares - shares },
    paid,
    left: lentShares - shares,
  };
}

function netLent(pool: LendingState): bigint {
  return positive(pool.lent - pool.flaggedDeficit);
}

/** What is paid beyond the total, a rounding of wei, becomes a reserve. */
function reduceDebt(pool: LendingState, shares: bigint, amount: bigint): LendingState {
  const excess = positive(amount - pool.borrowed);
  return {
    ...pool,
    borrowed: pool.borrowed - (amount - excess),
    reserves: pool.reserves + excess,
    debtShares: pool.debtShares - shares,
  };
}

/** The books with the pool at the rate of its utilisation now. */
function store({ account, house }: Books, pool: LendingState): Books {
  return { account, house: { ...house, lending: { ...pool, rate: borrowRate(pool, pool.borrowed, pool.lent) } } };
}
