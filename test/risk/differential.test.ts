import { expect } from "chai";
import fc from "fast-check";

import type { RiskParameters } from "../../src/risk/types.ts";
import type { RiskBatch } from "../../types/index.ts";
import { anyPortfolio, ownerOfCollateral, portfolio, randomParameters } from "./arbitraries.ts";
import { compareAssessments, compareSlices } from "./compare.ts";
import { deployEngine } from "./engine.ts";

const SEED = Number(process.env.FUZZ_SEED_TS ?? 20_260_101);
const PORTFOLIOS = 12_000;

describe("src/risk against RiskEngine", () => {
  let risk: RiskParameters;
  let batch: RiskBatch;

  before(async () => {
    risk = randomParameters(SEED);
    ({ batch } = await deployEngine(risk, ownerOfCollateral));
  });

  it(`MAM-5 MMS-5 judges ${PORTFOLIOS} random portfolios alike, to the wei and in its errors (seed ${SEED})`, async () => {
    const portfolios = fc.sample(anyPortfolio, { seed: SEED, numRuns: PORTFOLIOS });
    const refused = await compareAssessments(batch, risk, portfolios);
    expect(refused).to.be.within(PORTFOLIOS / 100, PORTFOLIOS / 5);
  });

  it(`LIQ-2 finds the same slices of ${PORTFOLIOS} random portfolios, to the wei (seed ${SEED})`, async () => {
    const portfolios = fc.sample(portfolio, { seed: SEED, numRuns: PORTFOLIOS });
    expect(await compareSlices(batch, risk, portfolios, SEED)).to.be.greaterThan(PORTFOLIOS / 4);
  });
});
