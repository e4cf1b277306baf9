import type { FillView, OrderView } from "../sdk/matcher.ts";
import { formatWad } from "../sdk/units.ts";
import type { BookOrder, Fill } from "./bookOrder.ts";

export function orderView(order: BookOrder): OrderView {
  const { hash, signed, market, buys, size, price, expiry, slot, placed, held, open, filled, settled } = order;
  const { account, resting, postOnly, reduceOnly, fillOrKill, triggerAbove, triggerBelow, executionFee } = signed.order;
  const state = held === undefined ? order.state : "held";
  const reason = held ?? order.reason;
  return {
    ...{ hash, account: account.toString(), market: market.id, side: buys ? "buy" : "sell", size: formatWad(size) },
    ...{
      limitPrice: formatWad(price),
      triggerAbove: formatWad(triggerAbove),
      triggerBelow: formatWad(triggerBelow),
      executionFee: formatWad(executionFee),
      expiry,
      nonce: slot.nonce.toString(),
      resting,
      postOnly,
      reduceOnly,
      fillOrKill,
    },
    ...{ placed, state, open: formatWad(open), filled: formatWad(filled), settled: formatWad(settled) },
    ...(reason !== undefined && { reason }),
    ...(order.detail !== undefined && { detail: order.detail }),
  };
}

export function fillView({ id, market, maker, taker, size, price, time }: Fill): FillView {
  return {
    ...{ fill: id, market, maker: maker.hash, taker: taker.hash, side: taker.buys ? "buy" : "sell" },
    ...{ size: formatWad(size), price: formatWad(price), time, state: "pending" },
  };
}
