import type { Order } from "../sdk/orders.ts";
import { formatAmount, formatWad, WAD_DECIMALS } from "../sdk/units.ts";
import { divFloor, divUp, PPM, WAD } from "../risk/fixed.ts";

const NONE = "–";

/** USD to the cent, floored: what somebody owns. */
export function usd(amount: bigint | undefined): string {
  return amount === undefined ? NONE : rounded(amount, 2);
}

/** USD to the cent, rounded up: what is required of somebody. */
export function usdUp(amount: bigint): string {
  const cent = 10n ** 16n;
  return rounded(amount > 0n ? divUp(amount, cent) * cent : amount, 2);
}

/** A price with two decimals, or six below ten. */
export function price(amount: bigint | undefined): string {
  if (amount === undefined) return NONE;
  return rounded(amount, amount < 10n * WAD ? 6 : 2);
}

/** A size or balance with up to nine decimals. */
export function size(amount: bigint): string {
  const [whole = "", fraction = ""] = rounded(amount, 9).split(".");
  const digits = fraction.replace(/0+$/, "");
  return digits === "" ? whole : `${whole}.${digits}`;
}

/** A multiple such as a margin ratio or leverage. */
export function multiple(amount: bigint | undefined): string {
  return amount === undefined ? NONE : `${rounded(amount, 2)}×`;
}

/** A share [wad] in percent with four decimals at most. */
export function percent(share: bigint): string {
  return `${rounded(share * 100n, 4).replace(/\.?0+$/, "")} %`;
}

/** A share [ppm] in percent. */
export function percentOfPpm(ppm: bigint): string {
  return percent((ppm * WAD) / PPM);
}

/** Seconds since 1970 as a UTC time to the second. */
export function time(seconds: bigint | number): string {
  const milliseconds = Number(seconds) * 1000;
  if (milliseconds > 8.64e15) return "never";
  return new Date(milliseconds).toISOString().replace("T", " ").replace(".000Z", " UTC");
}

/** The same to the minute, for tables that say UTC in their titles. */
export function minute(seconds: bigint | number): string {
  return time(seconds).slice(0, 16);
}

/** An address, abbreviated. */
export function shortAddress(address: string): string {
  return `${address.slice(0, 6)}…${address.slice(-4)}`;
}

/** A hash, abbreviated. */
export function shortHash(hash: string): string {
  return `${hash.slice(0, 10)}…`;
}

/** What an order says besides size and price. */
type Kind = Pick<Order, "resting" | "postOnly" | "reduceOnly" | "fillOrKill">;

/** How an order behaves, in words. */
export function orderKind({ resting, postOnly, reduceOnly, fillOrKill }: Kind): string {
  const words = [resting ? "rests" : "takes, never rests"];
  if (postOnly) words.push("post-only");
  if (reduceOnly) words.push("reduce-only");
  if (fillOrKill) words.push("fill-or-kill");
  return words.join(", ");
}

/** On what condition an order fills, and what it pays for that, in words. */
export function conditionFacts({
  triggerAbove,
  triggerBelow,
  executionFee,
}: Pick<Order, "triggerAbove" | "triggerBelow" | "executionFee">): [name: string, value: string][] {
  const bounds = [
    ...(triggerAbove === 0n ? [] : [`at or above ${price(triggerAbove)}`]),
    ...(triggerBelow === 0n ? [] : [`at or below ${price(triggerBelow)}`]),
  ];
  return [
    ...(bounds.length === 0 ? [] : [["trigger", `index price ${bounds.join(" and ")}`] as [string, string]]),
    ...(executionFee === 0n ? [] : [["execution fee", `up to ${usdUp(executionFee)} USD`] as [string, string]]),
  ];
}

/** A WAD number for a machine, exact; `undefined` as null. */
export function decimal(amount: bigint | undefined): string | null {
  return amount === undefined ? null : formatWad(amount);
}

/** A decimal number with `places` decimals, floored, thousands apart. */
export function rounded(amount: bigint, places: number): string {
  const floored = divFloor(amount, 10n ** BigInt(WAD_DECIMALS - places));
  const [whole = "", fraction = ""] = formatAmount(floored, places).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return places === 0 ? grouped : `${grouped}.${fraction.padEnd(places, "0")}`;
}
