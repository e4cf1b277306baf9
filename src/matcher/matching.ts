import { abs, min, PPM } from "../risk/fixed.ts";
import { crosses, isDust, openOf, positionOf } from "./bookOrder.ts";
import type { AccountOrders, BookOrder } from "./bookOrder.ts";
import type { Ladder } from "./ladder.ts";
import type { Slot } from "./slots.ts";
import type { CancelReason } from "./types.ts";

/** What happens when two orders meet. */
export type Step =
  | { readonly maker: BookOrder; readonly size: bigint; readonly price: bigint }
  | { readonly maker: BookOrder; readonly drop: CancelReason };

/** What an order would do to the other side: nothing has changed yet. */
export interface Plan {
  readonly steps: Step[];
  fills: number;
  left: bigint; // [wad] of the order
  stop: CancelReason | undefined; // why what is left must not rest
}

/** What an order would do, computed before anything changes, so that fill-or-kill needs no way back. It meets at most `maxSteps` orders. */
export function planOf(taker: BookOrder, ladder: Ladder, maxSteps: number): Plan {
  const plan: Plan = { steps: [], fills: 0, left: taker.open, stop: undefined };
  let taken: Map<Slot, bigint> | undefined; // [wad] of nonces with several orders
  let moved: Map<AccountOrders, bigint> | undefined; // [wad] positions of accounts with reduce-only orders
  for (let level = ladder.best; level !== undefined && crosses(taker, level.price); level = ladder.after(level)) {
    for (let maker = level.first; maker !== undefined; maker = maker.next) {
      if (plan.left === 0n) return plan;
      const { slot, account } = maker;
      const step = meet(taker, plan.left, maker, openOf(maker, taken?.get(slot), moved?.get(account)));
      plan.stop = "stop" in step ? step.stop : plan.steps.length >= maxSteps ? "tooManyFills" : undefined;
      if ("stop" in step || plan.stop !== undefined) return plan;
      plan.steps.push(step);
      if ("drop" in step) continue;
      plan.left -= step.size;
      plan.fills += 1;
      if (slot.isShared) (taken ??= new Map()).set(slot, (taken.get(slot) ?? 0n) + step.size);
      if (account.reducing > 0) {
        (moved ??= new Map()).set(account, (moved.get(account) ?? 0n) + (maker.buys ? step.size : -step.size));
      }
      if (isDust(taker, plan.left)) plan.stop = "belowMinFill";
      if (plan.stop !== undefined) return plan;
    }
  }
  return plan;
}

/**
 * What happens between an order and the best one on the other side. Orders of one owner do not trade with each other: the resting
 * one is cancelled, because the one that has just come is what its owner wants now.
 */
function meet(taker: BookOrder, left: bigint, maker: BookOrder, open: bigint): Step | { readonly stop: CancelReason } {
  const { index, priceBand, minFill } = maker.market.terms;
  const { resting, postOnly } = taker.signed.order; // a post-only one that comes back may meet what came after it
  if (maker.account.owner === taker.account.owner) return { maker, drop: "selfTrade" };
  if (open === 0n) return { maker, drop: maker.reduceOnly ? "nothingToReduce" : "nonceFilled" };
  if (index === 0n) return { stop: "noPrice" };
  if (postOnly && maker.signed.order.postOnly) return { stop: "meetsPostOnly" };
  const isMid = resting && !postOnly && !maker.signed.order.postOnly;
  const price = postOnly ? taker.price : isMid ? (maker.price + taker.price) / 2n : maker.price;
  // Beyond the band on the side that would hurt the maker, his order is stale; on the other side nothing better can follow.
  const stale = postOnly ? { stop: "priceBand" as const } : { maker, drop: "priceBand" as const };
  if (price * PPM < index * (PPM - priceBand)) return maker.buys ? { stop: "priceBand" } : stale;
  if (price * PPM > index * (PPM + priceBand)) return maker.buys ? stale : { stop: "priceBand" };
  if (isBeyondBand(maker, price, index)) return { maker, drop: "keyPriceBand" };
  if (isBeyondBand(taker, price, index)) return { stop: "keyPriceBand" };
  const size = min(left, open);
  if (size < minFill && !closes(maker, size) && !closes(taker, size)) {
    return open <= left ? { maker, drop: "belowMinFill" } : { stop: "belowMinFill" };
  }
  return { maker, size, price };
}

/** Whether the key that signed an order may not trade at this price. */
function isBeyondBand({ key }: BookOrder, price: bigint, index: bigint): boolean {
  return key !== undefined && abs(price - index) * PPM > index * key.terms.priceBand;
}

/** Whether a fill of this size closes the position of a reduce-only order whole. */
function closes(order: BookOrder, size: bigint): boolean {
  if (!order.reduceOnly) return false;
  const { chain, pending } = positionOf(order.account, order.market.id);
  return size === abs(chain + pending);
}
