import { median } from "simple-statistics";

import { divUp, max, PPM } from "../risk/fixed.ts";
import { PHI_UNIT } from "../risk/assess.ts";
import type { CollateralRisk, UnderlyingRisk } from "../risk/types.ts";
import { YEAR } from "../replay/insolvency/regime.ts";
import type { Regime } from "../replay/insolvency/regime.ts";
import { MINUTE } from "../replay/path.ts";
import { MIN_CHARGE, MIN_REFERENCE } from "./bounds.ts";
import { latest, movesOf, volatilities } from "./sample.ts";
import type { Move, Sample } from "./sample.ts";

/** What of d · MM is left to the taker: the fund has 20 % of it and the flagger 10 %. */
const TAKER_SHARE = 0.7;

/** With which confidence, and over which times, margins are to hold. */
export interface Terms {
  /** share of moves that margins cover, below 1 */
  readonly confidence: number;
  /** [minutes] in which an account below MM is taken */
  readonly horizon: number;
  /** [minutes] in which a taker sells collateral */
  readonly sale: number;
  /** share of the minutes that is fitted to; the rest is what the fit is tested on */
  readonly fit: number;
}

/** What stands of an underlying, to be replaced in part. */
export interface Present {
  readonly risk: UnderlyingRisk;
  readonly regime: Regime;
}

/** What is fitted to an underlying, in the contracts' units. */
export interface Fitted {
  readonly regime: Pick<Regime, "referenceVolatility">;
  readonly risk: Pick<UnderlyingRisk, "depth" | "shock" | "slope">;
  /** of what follows its price one to one */
  readonly haircuts: Pick<CollateralRisk, "haircut" | "haircutInitial">;
  /** [whole units] of one account, and of all */
  readonly collateral: { readonly accountCap: bigint; readonly cap: bigint };
  /** [whole USD] of open interest */
  readonly market: { readonly softCap: bigint; readonly hardCap: bigint };
}

/** [minutes] For what φ prepares in a time in which maintenance has `minutes`: risk grows with the square root of time. */
export function initialMinutes(minutes: number, { initialFactor }: UnderlyingRisk): number {
  return Math.ceil((Number(initialFactor) / Number(PHI_UNIT)) ** 2 * minutes);
}

/**
 * Parameters that hold with the stated confidence over the part of a sample that is fitted to:
 *
 *     σ_ref   the median of σ: half of the time requirements stand above what they are at least
 *     κ       the quantile of |ΔP / P| / μ over the horizon, not below what β, β_i, τ and τ_i need
 *     depth   what was traded in a horizon at least, at that confidence
 *     slope   the quantile of what selling that much costs, σ · √horizon · √(depth / traded), over the taker's share of d · MM
 *     h, h_i  the quantile of what a fall over the sale is beyond κ·μ, or φ·κ·μ, and slope / 4: A grows with the size, costs with its
 *             root, and a quarter of the depth is where they are furthest apart
 *     caps    of an account what is traded in a horizon, of all what is traded in a sale, each at that confidence
 */
export function fit(sample: Sample, present: Present, terms: Terms): Fitted {
  const { confidence, horizon, sale } = terms;
  const referenceVolatility = max(ppm(median(volatilities(sample))), MIN_REFERENCE);
  const regime = { ...present.regime, referenceVolatility };
  const moves = movesOf(sample, "fit", horizon, regime);
  const worst = (lossOf: (move: Move) => number) => covering(moves.map(lossOf), confidence);
  const least = (over: readonly Move[]) =>
    -covering(
      over.map(({ volume }) => -volume),
      confidence,
    );

  const depth = least(moves);
  const slope = worst((move) => costOf(move, depth, horizon)) / TAKER_SHARE;
  const shock = max(ppm(worst(({ change, maintenance }) => Math.abs(change) / maintenance)), leastShock(present.risk));
  const sold = least(movesOf(sample, "fit", sale, regime));
  const { price } = latest(sample);
  return {
    regime: { referenceVolatility },
    risk: { shock, slope: ppm(slope), depth: whole(depth) },
    haircuts: haircutsOf(sample, { risk: { ...present.risk, shock }, regime }, terms, slope / 4),
    collateral: { accountCap: whole(depth / price), cap: whole(sold / price) },
    market: { softCap: whole(sold) / 2n, hardCap: whole(sold) },
  };
}

/** The least of some values that is not below a share of them: an interpolated quantile would be below more than is said. */
function covering(values: readonly number[], share: number): number {
  const rank = Math.ceil(share * values.length - 1e-9); // what floating point adds is none
  return values.toSorted((a, b) => a - b)[rank - 1] ?? 0;
}

/** What selling `usd` in a move of `minutes` costs of it: the square-root law of market impact, σ · √time · √(size / traded). */
function costOf({ volatility, volume }: Move, usd: number, minutes: number): number {
  return usd === 0 ? 0 : volatility * Math.sqrt((minutes * MINUTE) / YEAR) * Math.sqrt(usd / volume);
}

/** κ that the charges of a hedge need: β + τ ≤ 2κ and β_i + τ_i ≤ 2φκ, and κ wider than any price band. */
function leastShock({ basis, basisInitial, maxTracking, maxTrackingInitial, initialFactor }: UnderlyingRisk): bigint {
  const initial = divUp((basisInitial + maxTrackingInitial) * PHI_UNIT, 2n * initialFactor);
  return max(max(divUp(basis + maxTracking, 2n), initial), MIN_CHARGE);
}

/** @param selling what the size charge leaves out of the cost of selling, as a share */
function haircutsOf(sample: Sample, { risk, regime }: Present, { confidence, sale }: Terms, selling: number) {
  const shock = Number(risk.shock) / Number(PPM);
  const phi = Number(risk.initialFactor) / Number(PHI_UNIT);
  const beyond = (minutes: number, coveredOf: (move: Move) => number) => {
    const falls = movesOf(sample, "fit", minutes, regime);
    return covering(
      falls.map((move) => Math.max(0, -move.change - coveredOf(move))),
      confidence,
    );
  };
  const haircut = ppm(beyond(sale, ({ maintenance }) => shock * maintenance) + selling);
  const ofInitial = ppm(beyond(initialMinutes(sale, risk), ({ initial }) => phi * shock * initial) + selling);
  return { haircut, haircutInitial: max(ofInitial, max(haircut, 1n)) };
}

/** A share in parts per million, rounded up; what floating point adds is none. */
function ppm(share: number): bigint {
  return Number.isFinite(share) ? BigInt(Math.ceil(share * Number(PPM) - 1e-3)) : 2n ** 32n; // beyond every bound
}

function whole(amount: number): bigint {
  return BigInt(Math.floor(amount));
}
