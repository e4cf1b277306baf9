import { InsufficientCash } from "./errors.ts";
import { currentLending, liquidity, raiseCash } from "./lending.ts";
import { credit } from "./pools.ts";
import type { Books } from "./types.ts";

/** What moves: cash, or a collateral asset by its id. */
export type Movable = "cash" | number;

/** The books after `amount` [wad] has come into an account; cash repays debt first. */
export function moveIn(books: Books, asset: Movable, amount: bigint): Books {
  return asset === "cash" ? credit(books, amount) : withBalance(books, asset, amount);
}

/**
 * The books after `amount` [wad] has left an account. Cash that it does not have is called back from what it lends, then borrowed.
 * Whether the ledger would let the account stand is another question.
 * @throws InsufficientCash if the lending pool cannot pay
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

function withBalance({ account, house }: Books, id: number, change: bigint): Books {
  const balance = (account.collaterals.get(id) ?? 0n) + change;
  return { account: { ...account, collaterals: new Map(account.collaterals).set(id, balance) }, house };
}
