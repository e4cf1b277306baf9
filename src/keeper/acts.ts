import { keccak256 } from "ethers";

import { marginRatio } from "../risk/account.ts";
import type { Assessment } from "../risk/types.ts";
import { hexOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { Call } from "../sdk/calls.ts";
import { formatWad } from "../sdk/units.ts";
import type { Outcome } from "./lane.ts";
import type { Job } from "./upkeep.ts";

/** One thing a keeper did or decided not to do. Amounts are [wad]. */
export interface Act {
  readonly action: "take" | "flag" | "wait" | "clear" | "call" | "absorb" | "hedge" | Job["action"];
  /** none: nothing was tried. takenBack: a reorganisation has undone it. */
  readonly result: Outcome["result"] | "none" | "takenBack";
  readonly account?: AccountId;
  /** Those of one transaction, where they are several. */
  readonly accounts?: readonly AccountId[];
  readonly underlying?: number;
  readonly collateral?: number;
  readonly market?: number;
  readonly assessment?: Assessment;
  readonly fraction?: bigint;
  readonly expectedGain?: bigint;
  /** Of that, what is left before gas after hedging and for the risk of what is kept. */
  readonly expectedProfit?: bigint;
  /** What was to be traded to hedge, positive buys. */
  readonly size?: bigint;
  readonly reason?: string;
  readonly hash?: string;
  /** [wad] What was paid for gas, in its asset. */
  readonly cost?: bigint;
}

/** An act before anything has come of it. */
export type PlannedAct = Omit<Act, "result">;

/** What an act is about, and no other one at the same time. */
export function nameOfAct({ action, account }: PlannedAct, { data }: Call): string {
  return `${action}:${account === undefined ? keccak256(data).slice(2, 18) : hexOf(account)}`;
}

/** An act as a log line holds it: human numbers. */
export function lineOf(line: Act): Record<string, unknown> {
  const { account, accounts, assessment, fraction, expectedGain, expectedProfit, size, cost, ...act } = line;
  const ratio = assessment === undefined ? undefined : marginRatio(assessment);
  return {
    ...act,
    ...(account !== undefined && { account: hexOf(account) }),
    ...(accounts !== undefined && { accounts: accounts.map(hexOf) }),
    ...(assessment !== undefined && {
      E: formatWad(assessment.equity),
      MM: formatWad(assessment.maintenanceMargin),
    }),
    ...(ratio !== undefined && { ratio: formatWad(ratio) }),
    ...(fraction !== undefined && { fraction: formatWad(fraction) }),
    ...(expectedGain !== undefined && { expectedGain: formatWad(expectedGain) }),
    ...(expectedProfit !== undefined && { expectedProfit: formatWad(expectedProfit) }),
    ...(size !== undefined && { size: formatWad(size) }),
    ...(cost !== undefined && { cost: formatWad(cost) }),
  };
}
