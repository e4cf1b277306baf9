import fc from "fast-check";

import { abs, max, min, WAD } from "../../src/risk/fixed.ts";
import type {
  CollateralRisk,
  CollateralValue,
  Exposure,
  Portfolio,
  PriceSnapshot,
  RiskParameters,
  UnderlyingRisk,
} from "../../src/risk/types.ts";

const UNDERLYINGS = 12;
const COLLATERALS_EACH = 3;
const COLLATERALS = UNDERLYINGS * COLLATERALS_EACH;
const PHI_UNIT = 10n ** 9n;
const LEAST_CHARGE = 5_001; // [ppm] of shock and basis
const MOST_TRACKING = 30_000; // [ppm]

/** Which underlying each collateral of `randomParameters` belongs to. */
export const ownerOfCollateral = new Map(
  Array.from({ length: COLLATERALS }, (_, id) => [id, Math.floor(id / COLLATERALS_EACH)] as const),
);

/** A number of any order of magnitude between 1 and `max`. */
export function magnitude(max: bigint): fc.Arbitrary<bigint> {
  const bits = max.toString(2).length - 1;
  return fc.integer({ min: 0, max: bits }).chain((bit) => {
    const low = 1n << BigInt(bit);
    const high = 2n * low - 1n;
    return fc.bigInt({ min: low, max: high < max ? high : max });
  });
}

const ppm = (min: number, max: number): fc.Arbitrary<bigint> =>
  fc.integer({ min, max: Math.max(min, max) }).map((value) => BigInt(value));

/** A stablecoin's depeg rule, or none. */
const depegRule = fc.oneof(
  fc.constant({ depegThreshold: 0n, depegFactor: 0n }),
  fc.record({
    depegThreshold: fc.bigInt({ min: 1n, max: 1_000_000n }),
    depegFactor: fc.bigInt({ min: 1n, max: 100_000_000n }),
  }),
);

/** Risk parameters of one collateral, anywhere within the engine's bounds. */
const collateralRisk: fc.Arbitrary<CollateralRisk> = ppm(0, 300_000).chain((haircut) =>
  ppm(Math.max(1, Number(haircut)), 500_000).chain((haircutInitial) =>
    ppm(0, Math.min(Number(haircut), MOST_TRACKING)).chain((tracking) =>
      ppm(Number(tracking), Math.min(Number(haircutInitial), MOST_TRACKING)).chain((trackingInitial) =>
        depegRule.map((depeg) => ({ haircut, haircutInitial, tracking, trackingInitial, ...depeg })),
      ),
    ),
  ),
);

/** Risk parameters of one underlying and the largest tracking charges of its collaterals, within the engine's bounds. */
function underlyingRisk(collaterals: readonly CollateralRisk[]): fc.Arbitrary<UnderlyingRisk> {
  const maxTracking = collaterals.reduce((m, c) => (c.tracking > m ? c.tracking : m), 0n);
  const maxTrackingInitial = collaterals.reduce((m, c) => (c.trackingInitial > m ? c.trackingInitial : m), 0n);
  return fc
    .record({
      initialFactor: fc.bigInt({ min: PHI_UNIT + 1n, max: 4n * PHI_UNIT }),
      depth: magnitude(2n ** 48n - 1n),
    })
    .chain((r) => {
      // φ(3κ + 2·slope) + τ_i ≤ 1
      const most = Number(((1_000_000n - maxTrackingInitial) * PHI_UNIT) / r.initialFactor) - 1;
      const leastShock = Math.ceil((LEAST_CHARGE + Number(max(maxTracking, maxTrackingInitial))) / 2); // β + τ ≤ 2κ
      return ppm(Math.max(LEAST_CHARGE, leastShock), Math.floor(most / 3)).chain((shock) =>
        ppm(0, Math.min(200_000, Math.floor((most - 3 * Number(shock)) / 2))).map((slope) => ({ ...r, shock, slope })),
      );
    })
    .chain((r) => {
      const most = 2n * r.shock - maxTracking;
      const mostInitial = (2n * r.shock * r.initialFactor) / PHI_UNIT - maxTrackingInitial;
      return ppm(LEAST_CHARGE, Number(min(most, mostInitial))).chain((basis) =>
        ppm(Number(basis), Number(mostInitial)).map((basisInitial) => ({
          ...r,
          basis,
          basisInitial,
          maxTracking,
          maxTrackingInitial,
        })),
      );
    });
}

/** Parameters of twelve underlyings with three collaterals each. */
export function randomParameters(seed: number): RiskParameters {
  const collaterals = fc.sample(collateralRisk, { seed, numRuns: COLLATERALS });
  const underlyings = Array.from({ length: UNDERLYINGS }, (_, id) => {
    const own = collaterals.slice(id * COLLATERALS_EACH, (id + 1) * COLLATERALS_EACH);
    return fc.sample(underlyingRisk(own), { seed: seed + id, numRuns: 1 })[0]!;
  });
  return { underlyings: new Map(underlyings.entries()), collaterals: new Map(collaterals.entries()) };
}

/** Of a delisting: mostly none, sometimes over. */
export const ramp = fc.oneof(
  { arbitrary: fc.constant(0n), weight: 6 },
  { arbitrary: fc.bigInt({ min: 0n, max: 1_000_000n }), weight: 3 },
  { arbitrary: fc.constant(1_000_000n), weight: 1 },
);

/** The instruments of one underlying that an account holds, one by one. */
export interface Instruments extends PriceSnapshot {
  readonly id: number;
  readonly sizes: readonly bigint[]; // [wad] by market
  readonly collaterals: readonly CollateralValue[];
}

/** Up to four markets and up to three collaterals of one underlying, possibly a perfect hedge. */
export function instruments(id: number): fc.Arbitrary<Instruments> {
  const size = fc.tuple(fc.boolean(), magnitude(2n ** 96n)).map(([long, s]) => (long ? s : -s));
  const factor = fc.oneof(fc.constant(1_000_000n), fc.bigInt({ min: 1_000_000n, max: 3_000_000n }));
  return fc
    .record({
      price: fc.oneof(magnitude(10n ** 24n), fc.bigInt({ min: WAD / 2n, max: WAD + WAD / 50n })), // or about a dollar
      initialFactor: factor,
      maintenanceFactor: factor,
      sizes: fc.array(size, { maxLength: 4 }),
      balances: fc.array(fc.tuple(magnitude(2n ** 96n), ramp), { maxLength: COLLATERALS_EACH }),
      hedged: fc.boolean(),
    })
    .map(({ price, initialFactor, maintenanceFactor, sizes, balances, hedged }) => ({
      id,
      price,
      initialFactor,
      maintenanceFactor,
      sizes: hedged ? [...sizes, -balances.reduce((sum, [balance]) => sum + balance, 0n)] : sizes,
      collaterals: balances.map(([balance, ramp], i) => ({
        id: id * COLLATERALS_EACH + i,
        ramp,
        value: (balance * price) / WAD,
      })),
    }));
}

/** Instruments as the risk engine sees them. */
export function exposureOf({ sizes, ...rest }: Instruments): Exposure {
  return {
    ...rest,
    net: sizes.reduce((sum, s) => sum + s, 0n),
    gross: sizes.reduce((sum, s) => sum + abs(s), 0n),
  };
}

/** A portfolio of up to five underlyings, its base anywhere. */
export const portfolio: fc.Arbitrary<Portfolio> = fc.record({
  base: fc.tuple(fc.boolean(), magnitude(2n ** 112n)).map(([positive, b]) => (positive ? b : -b)),
  underlyings: fc
    .uniqueArray(fc.integer({ min: 0, max: UNDERLYINGS - 1 }), { maxLength: 5 })
    .chain((ids) => fc.tuple(...ids.map((id) => instruments(id).map(exposureOf)))),
});

/** The same, and one in ten holds an underlying or a collateral that the engine does not know. */
export const anyPortfolio: fc.Arbitrary<Portfolio> = fc.oneof(
  { arbitrary: portfolio, weight: 9 },
  {
    arbitrary: fc.tuple(portfolio, fc.integer({ min: COLLATERALS, max: 255 }), fc.boolean()).map(([p, id, asset]) => ({
      ...p,
      underlyings: p.underlyings.map((u, i) => {
        if (i !== p.underlyings.length - 1) return u;
        return asset ? { ...u, collaterals: [...u.collaterals, { id, ramp: 0n, value: 1n }] } : { ...u, id };
      }),
    })),
    weight: 1,
  },
);
