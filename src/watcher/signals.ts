import type { Log } from "ethers";

import { Exchange__factory, IClearingHouse__factory } from "../../types/index.ts";
import { abs, WAD } from "../risk/fixed.ts";
import { ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";

/** [s] over which flows are added up. */
export const HOUR = 3600;

const exchange = Exchange__factory.createInterface();
const ledger = IClearingHouse__factory.createInterface();
const topicOf = (event: { readonly topicHash: string } | null): string => event?.topicHash ?? "";

/** First topics of the logs that a watcher reads. */
export const WATCHED_TOPICS: readonly string[] = [
  ...(["KeyGranted", "AllRevoked"] as const).map((name) => topicOf(exchange.getEvent(name))),
  ...(["Withdrawn", "Trade"] as const).map((name) => topicOf(ledger.getEvent(name))),
];

/** What an owner says is his: anything beyond it is a sign that somebody else has one of his keys. Amounts are [wad] USD. */
export interface Watchlist {
  readonly owner: string;
  /** Addresses of the keys that he has granted, or is going to. */
  readonly known: ReadonlySet<string>;
  /** Most that leaves his accounts in any 60 minutes; no limit if left out. */
  readonly maxOutflow?: bigint;
  /** Most that his accounts trade in any 60 minutes; no limit if left out. */
  readonly maxNotional?: bigint;
}

/** Why everything is to be revoked. A key that is not known cannot be used before it is alive or granted. */
export type Signal =
  | { readonly kind: "unknownKey"; readonly key: string; readonly how: "alive" | "granted" }
  | { readonly kind: "outflow" | "notional"; readonly amount: bigint; readonly limit: bigint };

/** What a log tells of an owner. */
export type Sighting =
  | { readonly kind: "granted"; readonly key: string }
  | { readonly kind: "revoked" }
  /** `amount` [wad] of a token */
  | { readonly kind: "outflow"; readonly token: string; readonly amount: bigint }
  /** `amount` [wad] USD */
  | { readonly kind: "notional"; readonly amount: bigint };

/** What a log tells of an owner; `undefined` if nothing. */
export function sightingIn(log: Log, owner: string): Sighting | undefined {
  const event = exchange.parseLog(log) ?? ledger.parseLog(log);
  if (event === null) return undefined;
  const a = event.args as unknown as Record<string, string> & Record<"account" | "maker" | "taker", AccountId>;
  const isHis = (account: AccountId) => ownerOf(account) === owner;
  switch (event.name) {
    case "KeyGranted":
      return a.owner === owner ? { kind: "granted", key: a.key ?? "" } : undefined;
    case "AllRevoked":
      return a.owner === owner ? { kind: "revoked" } : undefined;
    case "Withdrawn":
      return isHis(a.account) ? { kind: "outflow", token: a.token ?? "", amount: BigInt(a.amount ?? 0) } : undefined;
    case "Trade": {
      const amount = (abs(BigInt(a.size ?? 0)) * BigInt(a.price ?? 0)) / WAD;
      return isHis(a.maker) || isHis(a.taker) ? { kind: "notional", amount } : undefined;
    }
    default:
      return undefined;
  }
}

/** An amount [wad] USD at a time [s]. */
export interface Flow {
  readonly time: number;
  readonly amount: bigint;
}

/** Most [wad] USD that flowed in any 60 minutes. */
export function hourlyPeak(flows: readonly Flow[]): bigint {
  const sorted = flows.toSorted((a, b) => a.time - b.time);
  let [peak, sum, first] = [0n, 0n, 0];
  for (const { time, amount } of sorted) {
    sum += amount;
    for (let oldest = sorted[first]; oldest !== undefined && time - oldest.time >= HOUR; oldest = sorted[++first]) {
      sum -= oldest.amount;
    }
    if (sum > peak) peak = sum;
  }
  return peak;
}
