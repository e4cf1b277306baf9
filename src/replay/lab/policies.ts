import { margins, measure } from "../../risk/assess.ts";
import { WAD } from "../../risk/fixed.ts";
import type { SliceRule } from "../../risk/types.ts";
import type { Policy } from "./scenario.ts";

/** Part [wad] of an account that is sold at a time where it is a fixed one. */
export const CLOSE_FACTORS: Readonly<Record<Policy, bigint | undefined>> = {
  slices: undefined,
  "whole account": WAD,
  half: WAD / 2n,
};

/** How `CloseFactorEngine` cuts slices: a fixed part, or the whole where E ≤ d · MM or where dust would be left. */
export function closeFactorRule(closeFactor: bigint): SliceRule {
  return (portfolio, risk, discount, dust) => {
    const m = measure(portfolio, risk);
    const { initialMargin, maintenanceMargin } = margins(m, WAD);
    if (m.equity >= initialMargin) return 0n;
    const sinks = m.equity <= (discount * maintenanceMargin) / WAD;
    const leavesDust = (m.gross * (WAD - closeFactor)) / WAD < dust;
    return sinks || leavesDust ? WAD : closeFactor;
  };
}
