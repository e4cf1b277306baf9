import { Fraction, larger, ONE, smaller, sum, ZERO } from "./fraction.ts";

// The formulas of the house as they stand in its design, in exact rational arithmetic. It is the yardstick of both
// implementations, so it shares nothing with either: no code, no units, no order of operations. All numbers are decimals in whole
// units: USD, units of an underlying, parts of one.

/** Risk parameters of an underlying. */
export interface UnderlyingParameters {
  readonly kappa: string; // maintenance shock
  readonly slope: string;
  readonly depth: string; // USD
  readonly phi: string;
  readonly beta: string;
  readonly betaInitial: string;
}

/** Risk parameters of a collateral asset. */
export interface CollateralParameters {
  readonly underlying: number;
  readonly haircut: string;
  readonly haircutInitial: string;
  readonly tracking: string;
  readonly trackingInitial: string;
  readonly depegThreshold: string; // p0 in USD, "0" if it is no stablecoin
  readonly depegFactor: string;
}

/** A delisting ramp is the part of the way to a haircut of 100 % that has passed; value is in USD. */
export interface Holding {
  readonly collateral: number;
  readonly ramp: string;
  readonly value: string;
}

/** What an account holds of one underlying, its price and its volatility regime. */
export interface Block {
  readonly underlying: number;
  readonly price: string;
  readonly muInitial: string;
  readonly muMaintenance: string;
  readonly sizes: readonly string[]; // one for each market
  readonly holdings: readonly Holding[];
}

export interface Parameters {
  readonly underlyings: readonly UnderlyingParameters[];
  readonly collaterals: readonly CollateralParameters[];
}

export interface Account {
  readonly base: string; // cash + lent − debt + Σ PnL
  readonly blocks: readonly Block[];
}

export interface Judgement {
  readonly equity: Fraction;
  readonly initialMargin: Fraction;
  readonly maintenanceMargin: Fraction;
}

const of = (decimal: string): Fraction => Fraction.of(decimal);
const TWO = of("2");

/** An account holds something that has no parameters. */
export class UnknownId extends Error {}

/** E = base + Σ V; MM = Σ W + A + B + H; IM = Σ φ·(W + A) + B_i + H_i, never below MM. */
export function judge(account: Account, parameters: Parameters): Judgement {
  const values = account.blocks.flatMap((block) => block.holdings.map((h) => of(h.value)));
  const maintenanceMargin = sum(account.blocks.map((block) => requirement(block, parameters, "maintenance")));
  const initial = sum(account.blocks.map((block) => requirement(block, parameters, "initial")));
  return {
    equity: of(account.base).plus(sum(values)),
    initialMargin: larger(initial, maintenanceMargin),
    maintenanceMargin,
  };
}

/** φ·(W + A) + B + H of one underlying, with φ = 1 and the parameters of maintenance, or with those of the initial requirement. */
function requirement(block: Block, parameters: Parameters, kind: "initial" | "maintenance"): Fraction {
  const isInitial = kind === "initial";
  const u = known(parameters.underlyings, block.underlying);
  const price = of(block.price);
  const sizes = block.sizes.map((size) => of(size));
  const p = sum(sizes);
  const c = sum(block.holdings.map((h) => of(h.value))).over(price);
  const x = c.plus(p);
  const g = c
    .plus(sum(sizes.map((size) => size.abs())))
    .minus(x.abs())
    .over(TWO);

  const notional = x.abs().times(price);
  const phi = isInitial ? of(u.phi) : ONE;
  const shock = of(u.kappa).times(of(isInitial ? block.muInitial : block.muMaintenance)); // κμ
  const W = notional.times(shock);
  const A = notional.times(of(u.slope)).times(smaller(ONE, notional.over(of(u.depth))));
  const B = g.times(price).times(of(isInitial ? u.betaInitial : u.beta));

  const own = parameters.collaterals.filter((asset) => asset.underlying === block.underlying);
  const trackings = own.map((asset) => of(isInitial ? asset.trackingInitial : asset.tracking));
  const taken = phi.times(shock.plus(TWO.times(of(u.slope)))).plus(trackings.reduce(larger, ZERO));
  const clamp = larger(ZERO, ONE.minus(taken));

  // The hedged share is of what stays: a collateral on its way out hedges only with the part that the ramp has left.
  const staying = sum(block.holdings.map((h) => of(h.value).times(ONE.minus(of(h.ramp))))).over(price);
  const short = larger(ZERO, ZERO.minus(p));
  const s = staying.exceeds(short) ? short.over(staying) : ONE;
  const charges = block.holdings.map((h) => {
    const asset = known(parameters.collaterals, h.collateral);
    const depeg = larger(ZERO, of(asset.depegThreshold).minus(price)).times(of(asset.depegFactor));
    const haircut = isInitial ? of(asset.haircutInitial).plus(depeg) : of(asset.haircut);
    const tracking = of(isInitial ? asset.trackingInitial : asset.tracking);
    const ramp = of(h.ramp);
    const ramped = (charge: Fraction): Fraction => charge.plus(ramp.times(clamp.minus(charge)));
    const unhedged = ramped(smaller(haircut, clamp)).times(ONE.minus(s));
    return of(h.value).times(unhedged.plus(ramped(tracking).times(s)));
  });
  const H = sum(charges);
  return phi.times(W.plus(A)).plus(B).plus(H);
}

function known<T>(list: readonly T[], id: number): T {
  const found = list[id];
  if (found === undefined) throw new UnknownId(`no parameters for ${id}`);
  return found;
}
