import { resolveNetwork } from "../../../deploy/config.ts";
import local from "../../../deploy/networks/local.ts";
import { WAD } from "../../risk/fixed.ts";
import type { Terms } from "./house.ts";
import type { Regime } from "./regime.ts";

/** What the insurance fund holds [USD]. */
export const FUND = 400_000n * WAD;
/** What others hold on each side of each market [USD]. */
export const OPEN_INTEREST = 50_000_000n * WAD;
/** The regime of the design's defaults. */
export const REGIME: Regime = { referenceVolatility: 0.8, averaging: 4 * 3600, maxFactor: 3, maxStep: 250_000n };

/** The default parameters, those of a local chain. */
export function defaultTerms(): Terms {
  const { underlyings, markets, collaterals } = resolveNetwork(local);
  return {
    risk: {
      underlyings: new Map(
        underlyings.map(({ id, risk }) => [id, { ...risk, maxTracking: 0n, maxTrackingInitial: 0n }]),
      ),
      collaterals: new Map(collaterals.map((c) => [c.id, { ...c, depegThreshold: 0n, depegFactor: 0n }])),
    },
    markets,
    collaterals: new Map(
      collaterals.map(({ id, underlying, minBalance }) => [
        id,
        { underlying, decimals: 18, minBalance, delistingEnd: 0n, rate: WAD, lastGoodRate: WAD },
      ]),
    ),
    fund: FUND,
    capped: true,
  };
}
