import fc from "fast-check";

import { anyPortfolio, ownerOfCollateral, portfolio, randomParameters } from "../../test/risk/arbitraries.ts";
import { compareAssessments, compareSlices } from "../../test/risk/compare.ts";
import { deployEngine } from "../../test/risk/engine.ts";

// npm run fuzz:risk [portfolios] [seed]: RiskEngine against src/risk, every portfolio judged and every fifth sliced.

const [TOTAL, SEED] = [Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? Date.now() % 2 ** 31)];
const ROUND = 10_000; // portfolios with the same parameters

const start = Date.now();
const counts = { judged: 0, refused: 0, sliced: 0, partial: 0 };
console.log(`${TOTAL} portfolios, seed ${SEED}`);
for (let round = 0; counts.judged < TOTAL; round += 1) {
  const seed = SEED + 1_000 * round;
  const risk = randomParameters(seed);
  const { batch } = await deployEngine(risk, ownerOfCollateral);
  const judged = fc.sample(anyPortfolio, { seed, numRuns: Math.min(ROUND, TOTAL - counts.judged) });
  const sliced = fc.sample(portfolio, { seed, numRuns: Math.ceil(judged.length / 5) });
  counts.refused += await compareAssessments(batch, risk, judged);
  counts.partial += await compareSlices(batch, risk, sliced, seed);
  counts.judged += judged.length;
  counts.sliced += sliced.length;
  console.log(`${counts.judged} judged, ${counts.sliced} sliced, ${Math.round((Date.now() - start) / 1000)} s`);
}
console.log(
  `equal to the wei: ${counts.judged} portfolios judged (${counts.refused} refused with the same error), ` +
    `${counts.sliced} sliced (${counts.partial} in part) in ${Math.round((Date.now() - start) / 1000)} s, seed ${SEED}`,
);
