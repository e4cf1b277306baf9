import { InsufficientCash } from "./errors.ts";
import { mayStand } from "./health.ts";
import { currentLending, lentOf, liquidity, raiseCash } from "./lending.ts";
import { credit } from "./pools.ts";
import type { Books } from "./types.ts";

/** What moves: cash, or a collateral asset by its id. */
export type Movable = "cash" | number;

/**
 * The books after something has come into an account. Cash repays debt first.
 *
 * @param books account and house
 * @param asset what comes in
 * @param amount [wad]
 * @returns both afterwards
 *
 * @example
 * ```ts
 * const after = moveIn({ account, house }, "cash", 500n * WAD);
 * console.log(formatWad(assessAccount(after.account, after.house).equity)); // → 10490
 * ```
 */
export function moveIn(books: Books, asset: Movable, amount: bigint): Books {
  return asset === "cash" ? credit(books, amount) : withBalance(books, asset, amount);
}

/**
 * The books after something has left an account. Cash that it does not have is called back from what it lends, then borrowed.
 * Whether the ledger would let the account stand is told by {@link mayStand}.
 *
 * @param books account and house
 * @param asset what leaves
 * @param amount [wad]
 * @returns both afterwards
 * @throws {@link InsufficientCash} if the lending pool cannot pay
 *
 * @example
 * ```ts
 * const after = moveOut({ account, house }, "cash", 9_500n * WAD);
 * console.log(mayStand(account, after, { leaves: true, surcharge: 0n })); // → false
 * ```
 */
export function moveOut(books: Books, asset: Movable, amount: bigint): Books {
  if (asset !== "cash") return withBalance(books, asset, -amount);
  const missing = amount - books.account.cash;
  const { account, house } = missing > 0n ? raiseCash(books, missing, true) : books;
  if (account.cash < amount) {
    const pool = currentLending(house.lending, house.time);
    throw new InsufficientCash(account.cash + liquidity(pool), amount);
  }
  return { account: { ...account, cash: account.cash - amount }, house };
}

/**
 * The most cash that could leave an account, borrowing included. The surcharge on openings of the last hour is left aside.
 *
 * @param books account and house
 * @returns USD [wad]
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * console.log(mostCash({ account, house }) / WAD); // → 8989n
 * ```
 */
export function mostCash(books: Books): bigint {
  const { account, house } = books;
  const mayLeave = (amount: bigint): boolean =>
    amount === 0n || mayStand(account, moveOut(books, "cash", amount), { leaves: true, surcharge: 0n });
  let [low, high] = [0n, account.cash + liquidity(currentLending(house.lending, house.time)) + 1n]; // the first may, the second not
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (mayLeave(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Cash [wad] of an account with what it could call back, all else aside. */
export function ownCash({ account, house }: Books): bigint {
  const pool = currentLending(house.lending, house.time);
  const lent = lentOf(pool, account.lentShares);
  return account.cash + (lent < liquidity(pool) ? lent : liquidity(pool));
}

function withBalance({ account, house }: Books, id: number, change: bigint): Books {
  const balance = (account.collaterals.get(id) ?? 0n) + change;
  return { account: { ...account, collaterals: new Map(account.collaterals).set(id, balance) }, house };
}
