import { expect } from "chai";
import fc from "fast-check";

import { assess } from "../../src/risk/assess.ts";
import { UnknownCollateral, UnknownUnderlying } from "../../src/risk/errors.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { pack } from "../../src/risk/portfolio.ts";
import { slice } from "../../src/risk/slice.ts";
import type { Assessment, Portfolio, RiskParameters } from "../../src/risk/types.ts";
import { RiskEngine__factory } from "../../types/index.ts";
import type { RiskBatch } from "../../types/index.ts";

const BATCH = 200;
const DUST = 10n * WAD;
const errors = RiskEngine__factory.createInterface();

/** What the engine says of a portfolio: a judgement, or an error and the id it names. */
type Outcome = Assessment | readonly [error: string, id: bigint];

function mirrored(portfolio: Portfolio, risk: RiskParameters): Outcome {
  try {
    return assess(portfolio, risk);
  } catch (error) {
    if (error instanceof UnknownUnderlying) return [error.name, BigInt(error.underlying)];
    if (error instanceof UnknownCollateral) return [error.name, BigInt(error.collateral)];
    throw error;
  }
}

function batches<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / BATCH) }, (_, i) => list.slice(i * BATCH, (i + 1) * BATCH));
}

/** Expects both engines to judge alike, to the wei and in their errors; returns how many portfolios were refused. */
export async function compareAssessments(
  batch: RiskBatch,
  risk: RiskParameters,
  portfolios: readonly Portfolio[],
): Promise<number> {
  let refused = 0;
  for (const group of batches(portfolios)) {
    const [answers, reasons] = await batch.assess(group.map(pack));
    group.forEach((portfolio, i) => {
      const [equity, initialMargin, maintenanceMargin] = answers[i]!;
      const error = reasons[i] === "0x" ? null : errors.parseError(reasons[i]!);
      if (error !== null) refused += 1;
      expect(mirrored(portfolio, risk), `portfolio ${pack(portfolio).join()}`).to.deep.equal(
        error === null ? { equity, initialMargin, maintenanceMargin } : [error.name, error.args[0]],
      );
    });
  }
  return refused;
}

/** The portfolio with its equity moved to `share` [wad] of the way from d · MM to IM. */
function belowInitialMargin(p: Portfolio, risk: RiskParameters, discount: bigint, share: bigint): Portfolio {
  const { equity, initialMargin, maintenanceMargin } = assess(p, risk);
  const floor = (discount * maintenanceMargin) / WAD;
  return { ...p, base: p.base - equity + floor + ((initialMargin - floor) * share) / WAD };
}

/**
 * Expects both engines to find the same slices of portfolios without unknown ids, as they are (the first tenth) and moved below
 * IM; returns how many are less than the whole.
 */
export async function compareSlices(
  batch: RiskBatch,
  risk: RiskParameters,
  portfolios: readonly Portfolio[],
  seed: number,
): Promise<number> {
  const draws = fc.sample(fc.tuple(fc.bigInt({ min: WAD / 20n, max: (WAD * 6n) / 10n }), fc.bigInt(1n, WAD - 1n)), {
    seed,
    numRuns: portfolios.length,
  });
  const poor = portfolios
    .map((p, i) => ({ discount: draws[i]![0], portfolio: belowInitialMargin(p, risk, ...draws[i]!) }))
    .filter((c) => assess(c.portfolio, risk).initialMargin > DUST);
  const asTheyAre = portfolios.slice(0, portfolios.length / 10).map((portfolio, i) => ({
    discount: draws[i]![0],
    portfolio,
  }));
  let partial = 0;
  for (const group of batches([...asTheyAre, ...poor])) {
    const packed = group.map((c) => pack(c.portfolio));
    const answers = await batch.slice(
      packed,
      group.map((c) => c.discount),
      DUST,
    );
    group.forEach((c, i) => {
      expect(slice(c.portfolio, risk, c.discount, DUST), `portfolio ${packed[i]!.join()}`).to.equal(answers[i]);
      if (answers[i]! < WAD) partial += 1;
    });
  }
  return partial;
}
