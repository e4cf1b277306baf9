import { expect } from "chai";
import fc from "fast-check";

import { assess } from "../../src/risk/assess.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { pack } from "../../src/risk/portfolio.ts";
import { slice } from "../../src/risk/slice.ts";
import type { Portfolio, RiskParameters } from "../../src/risk/types.ts";
import type { RiskBatch } from "../../types/index.ts";
import { ownerOfCollateral, portfolio, randomParameters } from "./arbitraries.ts";
import { deployEngine } from "./engine.ts";

const SEED = Number(process.env.FUZZ_SEED_TS ?? 20_260_101);
const PORTFOLIOS = 12_000;
const BATCH = 200;
const DUST = 10n * WAD;

function batches<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / BATCH) }, (_, i) => list.slice(i * BATCH, (i + 1) * BATCH));
}

/** The portfolio with its equity moved to `share` [wad] of the way from d · MM to IM. */
function belowInitialMargin(p: Portfolio, risk: RiskParameters, discount: bigint, share: bigint): Portfolio {
  const { equity, initialMargin, maintenanceMargin } = assess(p, risk);
  const floor = (discount * maintenanceMargin) / WAD;
  return { ...p, base: p.base - equity + floor + ((initialMargin - floor) * share) / WAD };
}

describe("src/risk against RiskEngine", () => {
  let risk: RiskParameters;
  let batch: RiskBatch;
  let portfolios: Portfolio[];

  before(async () => {
    risk = randomParameters(SEED);
    ({ batch } = await deployEngine(risk, ownerOfCollateral));
    portfolios = fc.sample(portfolio, { seed: SEED, numRuns: PORTFOLIOS });
  });

  it(`judges ${PORTFOLIOS} random portfolios alike, to the wei (seed ${SEED})`, async () => {
    for (const group of batches(portfolios)) {
      const answers = await batch.assess(group.map(pack));
      group.forEach((p, i) => {
        const [equity, initialMargin, maintenanceMargin] = answers[i]!;
        expect(assess(p, risk)).to.deep.equal({ equity, initialMargin, maintenanceMargin });
      });
    }
  });

  it(`finds the same slice of them as they are and moved below IM, to the wei (seed ${SEED})`, async () => {
    const draws = fc.sample(fc.tuple(fc.bigInt({ min: WAD / 20n, max: (WAD * 6n) / 10n }), fc.bigInt(1n, WAD - 1n)), {
      seed: SEED,
      numRuns: PORTFOLIOS,
    });
    const poor = portfolios
      .map((p, i) => ({ discount: draws[i]![0], portfolio: belowInitialMargin(p, risk, ...draws[i]!) }))
      .filter((c) => assess(c.portfolio, risk).initialMargin > DUST);
    expect(poor.length).to.be.greaterThan(PORTFOLIOS / 3);
    const asTheyAre = portfolios.slice(0, 1000).map((p, i) => ({ discount: draws[i]![0], portfolio: p }));
    const cases = [...asTheyAre, ...poor];
    let partial = 0;
    for (const group of batches(cases)) {
      const packed = group.map((c) => pack(c.portfolio));
      const answers = await batch.slice(
        packed,
        group.map((c) => c.discount),
        DUST,
      );
      group.forEach((c, i) => {
        expect(slice(c.portfolio, risk, c.discount, DUST)).to.equal(answers[i]);
        if (answers[i]! < WAD) partial += 1;
      });
    }
    expect(partial).to.be.greaterThan(PORTFOLIOS / 4);
  });
});
