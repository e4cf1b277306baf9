import { formatWad } from "../sdk/units.ts";
import type { BookOrder, Fill } from "./bookOrder.ts";

/** An order as it is told to clients: decimal amounts, times in ms, account as a decimal number. */
export interface OrderView {
  readonly hash: string;
  readonly account: string;
  readonly market: number;
  readonly side: "buy" | "sell";
  readonly size: string;
  readonly limitPrice: string;
  readonly expiry: number; // [s]
  readonly nonce: string;
  readonly resting: boolean;
  readonly postOnly: boolean;
  readonly reduceOnly: boolean;
  readonly fillOrKill: boolean;
  readonly placed: number; // [ms]
  readonly state: "open" | "filled" | "cancelled" | "expired";
  readonly open: string;
  readonly filled: string;
  readonly settled: string;
  readonly reason?: string;
  readonly detail?: string;
}

/** A fill as it is told to clients. */
export interface FillView {
  readonly fill: number;
  readonly market: number;
  readonly maker: string;
  readonly taker: string;
  readonly side: "buy" | "sell"; // of the taker
  readonly size: string;
  readonly price: string;
  readonly time: number; // [ms]
  readonly state: "pending" | "settled" | "failed";
  readonly transaction?: string;
  readonly reason?: string;
}

export function orderView(order: BookOrder): OrderView {
  const { hash, signed, market, buys, size, price, expiry, slot, placed, state, open, filled, settled } = order;
  const { account, resting, postOnly, reduceOnly, fillOrKill } = signed.order;
  return {
    ...{ hash, account: account.toString(), market: market.id, side: buys ? "buy" : "sell", size: formatWad(size) },
    ...{
      limitPrice: formatWad(price),
      expiry,
      nonce: slot.nonce.toString(),
      resting,
      postOnly,
      reduceOnly,
      fillOrKill,
    },
    ...{ placed, state, open: formatWad(open), filled: formatWad(filled), settled: formatWad(settled) },
    ...(order.reason !== undefined && { reason: order.reason }),
    ...(order.detail !== undefined && { detail: order.detail }),
  };
}

export function fillView({ id, market, maker, taker, size, price, time }: Fill): FillView {
  return {
    ...{ fill: id, market, maker: maker.hash, taker: taker.hash, side: taker.buys ? "buy" : "sell" },
    ...{ size: formatWad(size), price: formatWad(price), time, state: "pending" },
  };
}
