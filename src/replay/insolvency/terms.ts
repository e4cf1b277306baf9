import { resolveNetwork } from "../../../deploy/config.ts";
import local from "../../../deploy/networks/local.ts";
import { WAD } from "../../risk/fixed.ts";
import type { Terms } from "./house.ts";
import { riskOf } from "../lab/parameters.ts";
import { ASSETS } from "../path.ts";
import type { Regimes } from "./regime.ts";

/** What the insurance fund holds [USD]. */
export const FUND = 400_000n * WAD;
/** What others hold on each side of each market [USD]. */
export const OPEN_INTEREST = 50_000_000n * WAD;

const parameters = resolveNetwork(local);
const { underlyings, markets, collaterals } = parameters;

/** The default parameters, those of a local chain. */
export function defaultTerms(): Terms {
  return {
    risk: riskOf(parameters),
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

/** The default regimes of volatility. */
export function defaultRegimes(): Regimes {
  const [ETH, BTC] = ASSETS.map((asset) => underlyings.find(({ name }) => name === asset)?.regime);
  return { ETH, BTC };
}
