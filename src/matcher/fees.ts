import { abs, divUp, min, WAD } from "../risk/fixed.ts";
import { LOT, MAX_FEE_DIVISOR } from "../sdk/orders.ts";
import type { BookOrder, Fill } from "./bookOrder.ts";

/** What of an order fills in one settlement: size [wad] and value [wad²]. */
interface Part {
  readonly size: bigint;
  readonly value: bigint;
}

/** The execution fees [wad USD] that the orders of these fills owe to who settles them together, as `Exchange.settleForFee` reckons. */
export function feesOf(fills: readonly Fill[]): bigint {
  const parts = new Map<BookOrder, Part>();
  for (const { maker, taker, size, price } of fills) {
    for (const order of [maker, taker]) {
      const part = parts.get(order) ?? { size: 0n, value: 0n };
      parts.set(order, { size: part.size + size, value: part.value + size * price });
    }
  }
  return [...parts].reduce((sum, [order, part]) => sum + feeOf(order, part), 0n);
}

function feeOf({ signed, slot }: BookOrder, { size, value }: Part): bigint {
  const { executionFee, size: whole } = signed.order;
  const [lots, before] = [abs(whole) / LOT, slot.chain / LOT];
  const after = before + divUp(size, LOT);
  return min((executionFee * after) / lots - (executionFee * before) / lots, value / (MAX_FEE_DIVISOR * WAD));
}
