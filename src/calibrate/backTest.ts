import { mean } from "simple-statistics";

import { PHI_UNIT } from "../risk/assess.ts";
import { PPM } from "../risk/fixed.ts";
import type { CollateralRisk } from "../risk/types.ts";
import { initialMinutes } from "./fit.ts";
import type { Present, Terms } from "./fit.ts";
import { kupiec } from "./kupiec.ts";
import { movesOf } from "./sample.ts";
import type { Move, Sample } from "./sample.ts";

/** What a margin is to cover: either way of the price for a position, a fall for collateral. */
export type Rule = "initial shock" | "maintenance shock" | "unhedged collateral";

/** How a margin has held over the part of a sample that nothing was fitted to. */
export interface Check {
  readonly rule: Rule;
  /** [minutes] */
  readonly horizon: number;
  readonly windows: number;
  readonly breaches: number;
  /** with what was promised */
  readonly expected: number;
  /** Kupiec's: small where there are more or fewer breaches than chance would bring */
  readonly pValue: number;
  /** mean of what was lost in a breach, as a share of the price; zero without one */
  readonly shortfall: number;
}

/** Parameters as they stand or are proposed. */
export interface Tested extends Present {
  readonly haircuts: Pick<CollateralRisk, "haircut">;
}

/** Counts breaches out of sample, in windows that share no minute. */
export function backTest(sample: Sample, { risk, regime, haircuts }: Tested, terms: Terms): Check[] {
  const shock = Number(risk.shock) / Number(PPM);
  const phi = Number(risk.initialFactor) / Number(PHI_UNIT);
  const haircut = Number(haircuts.haircut) / Number(PPM);
  const check = (rule: Rule, horizon: number, lossOf: (m: Move) => number, margin: (m: Move) => number): Check => {
    const moves = movesOf(sample, "test", horizon, regime);
    const losses = moves.filter((move) => lossOf(move) > margin(move)).map(lossOf);
    const [windows, breaches] = [moves.length, losses.length];
    const probability = 1 - terms.confidence;
    return {
      ...{ rule, horizon, windows, breaches, expected: rounded(windows * probability) },
      pValue: rounded(kupiec(windows, breaches, probability).pValue),
      shortfall: breaches === 0 ? 0 : rounded(mean(losses)),
    };
  };
  const eitherWay = ({ change }: Move) => Math.abs(change);
  return [
    check("maintenance shock", terms.horizon, eitherWay, ({ maintenance }) => shock * maintenance),
    check("initial shock", initialMinutes(terms.horizon, risk), eitherWay, ({ initial }) => phi * shock * initial),
    check(
      "unhedged collateral",
      terms.sale,
      ({ change }) => -change,
      ({ maintenance }) => shock * maintenance + haircut,
    ),
  ];
}

/** To six decimals, as exact as `kupiec` is. */
function rounded(x: number): number {
  return Number(x.toFixed(6));
}
