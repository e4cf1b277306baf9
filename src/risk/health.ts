import { judge } from "./assess.ts";
import { min, positive } from "./fixed.ts";
import { collectGains, legs, settleAll } from "./pools.ts";
import { snapshotOf } from "./portfolio.ts";
import type { AccountState, Assessment, Books, HouseState } from "./types.ts";

/** What a change is tested for besides E, IM and MM. */
export interface Change {
  /** Cash or collateral leaves the account. */
  readonly leaves: boolean;
  /** [wad] opening surcharge on top of IM */
  readonly surcharge: bigint;
}

/**
 * Whether the ledger lets an account stand after a change, as `Health.examine`: E without unbacked profit covers IM and surcharge, or
 * nothing leaves, nothing was opened at a surcharge, and none of E − IM, E − MM, E/MM has fallen. Batches, where collateral may
 * leave against cash, are left aside.
 *
 * @param before what the account owned and owed
 * @param after account and house afterwards
 * @param change what kind of change it was
 * @returns whether it is accepted
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something leaves while a position has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * const poorer = { ...account, cash: account.cash - 9_000n * WAD };
 * console.log(mayStand(account, { account: poorer, house }, { leaves: true, surcharge: 0n })); // → false
 * ```
 */
export function mayStand(before: AccountState, after: Books, { leaves, surcharge }: Change): boolean {
  const first = snapshotOf(after.account, after.house, "cautious");
  if (first.flat) return true;
  if (first.unpriced && leaves) snapshotOf(after.account, after.house);
  const mustSettle = leaves && after.account.cash < first.loss;
  const books = mustSettle ? settleAll(after) : collectGains(after);
  const s = snapshotOf(books.account, books.house, "cautious");
  if (mustSettle && s.loss !== 0n) return false;
  const { initialMargin } = judge(s, books.house.risk);
  if (!s.unpriced && countedEquity(books, leaves) >= initialMargin + surcharge) return true;
  return !leaves && surcharge === 0n && worsensNothing(before, books);
}

/**
 * Equity [wad] that counts against IM: unsettled profit not at all for what leaves, else per market up to what closing that position
 * would take off IM.
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
 */
export function countedEquity({ account, house }: Books, leaves: boolean): bigint {
  const s = snapshotOf(account, house, "cautious");
  const { equity, initialMargin } = judge(s, house.risk);
  const settled = equity - s.profit;
  if (leaves || s.unpriced || settled >= initialMargin || equity < initialMargin) return settled;
  return legs(account, house).reduce((counted, { market, size, pnl }) => {
    if (size === 0n || pnl <= 0n) return counted;
    const positions = new Map(account.positions);
    positions.delete(market);
    const without = judge(snapshotOf({ ...account, positions }, house, "cautious"), house.risk).initialMargin;
    return counted + min(pnl, positive(initialMargin - without));
  }, settled);
}

/** None of E − IM, E − MM, E/MM has fallen, and E is not negative, all at the same prices. */
function worsensNothing(before: AccountState, { account, house }: Books): boolean {
  const at = (state: AccountState, h: HouseState): Assessment => judge(snapshotOf(state, h, "lastGood"), h.risk);
  const b = at(before, house);
  const a = at(account, house);
  return (
    a.equity >= 0n &&
    a.equity - a.initialMargin >= b.equity - b.initialMargin &&
    a.equity - a.maintenanceMargin >= b.equity - b.maintenanceMargin &&
    a.equity * b.maintenanceMargin >= b.equity * a.maintenanceMargin
  );
}
