import { readFileSync } from "node:fs";

import { expect } from "chai";
import { parseUnits } from "ethers";

import { generate, type Vector, type Vectors } from "../../bench/model/generate.ts";
import type { Block } from "../../bench/model/model.ts";
import { assess } from "../../src/risk/assess.ts";
import { pack } from "../../src/risk/portfolio.ts";
import type { CollateralRisk, Exposure, Portfolio, RiskParameters, UnderlyingRisk } from "../../src/risk/types.ts";
import { deployEngine } from "./engine.ts";

const file = JSON.parse(readFileSync("bench/model/vectors.json", "utf8")) as Vectors;

const wad = (decimal: string): bigint => parseUnits(decimal, 18);
const ppm = (decimal: string): bigint => parseUnits(decimal, 6);
const abs = (a: bigint): bigint => (a < 0n ? -a : a);
const add = (a: bigint, b: bigint): bigint => a + b;

function riskOf({ underlyings, collaterals }: Vectors["parameters"]): RiskParameters {
  const largest = (own: readonly bigint[]): bigint => own.reduce((a, b) => (a > b ? a : b), 0n);
  const underlyingRisks = underlyings.map((u, id): UnderlyingRisk => {
    const own = collaterals.filter((c) => c.underlying === id);
    return {
      shock: ppm(u.kappa),
      slope: ppm(u.slope),
      basis: ppm(u.beta),
      basisInitial: ppm(u.betaInitial),
      maxTracking: largest(own.map((c) => ppm(c.tracking))),
      maxTrackingInitial: largest(own.map((c) => ppm(c.trackingInitial))),
      initialFactor: parseUnits(u.phi, 9),
      depth: BigInt(u.depth),
    };
  });
  const collateralRisks = collaterals.map((c): CollateralRisk => ({
    haircut: ppm(c.haircut),
    haircutInitial: ppm(c.haircutInitial),
    tracking: ppm(c.tracking),
    trackingInitial: ppm(c.trackingInitial),
    depegThreshold: ppm(c.depegThreshold),
    depegFactor: ppm(c.depegFactor),
  }));
  return { underlyings: new Map(underlyingRisks.entries()), collaterals: new Map(collateralRisks.entries()) };
}

function exposureOf(block: Block): Exposure {
  const sizes = block.sizes.map(wad);
  return {
    id: block.underlying,
    price: wad(block.price),
    initialFactor: ppm(block.muInitial),
    maintenanceFactor: ppm(block.muMaintenance),
    net: sizes.reduce(add, 0n),
    gross: sizes.map(abs).reduce(add, 0n),
    collaterals: block.holdings.map((h) => ({ id: h.collateral, ramp: ppm(h.ramp), value: wad(h.value) })),
  };
}

const portfolioOf = ({ account }: Vector): Portfolio => ({
  base: wad(account.base),
  underlyings: account.blocks.map(exposureOf),
});

/** Most by which rounding may raise a requirement above the exact one [wei]: the divisions of one underlying, with φ in IM. */
const ROUNDING = 6n;

describe("src/risk and RiskEngine against the independent model", () => {
  const risk = riskOf(file.parameters);
  const portfolios = file.vectors.map(portfolioOf);

  it("the file is what the model says", () => {
    expect(file).to.deep.equal(generate());
  });

  it(`MMS-5 ${file.vectors.length} vectors: equity is exact, requirements are never less and at most ${ROUNDING} wei more`, () => {
    file.vectors.forEach((vector, i) => {
      const { equity, initialMargin, maintenanceMargin } = assess(portfolios[i]!, risk);
      expect(equity, vector.name).to.equal(wad(vector.equity));
      const blocks = BigInt(vector.account.blocks.length);
      for (const [actual, exact] of [
        [initialMargin, wad(vector.initialMargin)],
        [maintenanceMargin, wad(vector.maintenanceMargin)],
      ] as const) {
        expect(actual >= exact && actual <= exact + ROUNDING * blocks, `${vector.name}: ${actual - exact}`).to.equal(
          true,
        );
      }
    });
  });

  it("MMS-5 the contract says the same to the wei", async () => {
    const owner = new Map(file.parameters.collaterals.map((c, id) => [id, c.underlying]));
    const { batch } = await deployEngine(risk, owner);
    const [answers] = await batch.assess(portfolios.map(pack));
    portfolios.forEach((portfolio, i) => {
      const [equity, initialMargin, maintenanceMargin] = answers[i]!;
      expect(assess(portfolio, risk), file.vectors[i]!.name).to.deep.equal({
        equity,
        initialMargin,
        maintenanceMargin,
      });
    });
  });
});
