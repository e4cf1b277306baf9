import { UnknownCollateral, UnknownUnderlying } from "./errors.ts";
import { abs, divUp, min, PPM, WAD } from "./fixed.ts";
import type { Assessment, Exposure, Portfolio, RiskParameters, UnderlyingRisk } from "./types.ts";

const PHI_UNIT = 10n ** 9n;

/** Concentration of one underlying: the only charge that is not proportional to the portfolio. */
interface Concentration {
  exposure: bigint; // |x|·P [wad]
  slope: bigint; // [ppm]
  depth: bigint; // [wad]
  phi: bigint; // [1e-9]
}

/** A portfolio measured once; its scaled-down versions cost one evaluation of `margins` each. */
export interface Measure {
  equity: bigint; // E [wad]
  maintenance: bigint; // Σ W + B + H [wad]
  initial: bigint; // Σ φ·W + B_i + H_i [wad]
  gross: bigint; // Σ gross exposure + V [wad]
  concentrations: Concentration[];
}

/**
 * E, IM and MM [wad] of a portfolio, to the wei what `RiskEngine.assess` returns.
 * @throws UnknownUnderlying, UnknownCollateral if parameters are missing
 */
export function assess(portfolio: Portfolio, risk: RiskParameters): Assessment {
  const m = measure(portfolio, risk);
  return { equity: m.equity, ...margins(m, WAD) };
}

/** IM and MM [wad] of the measured portfolio scaled by `scale` [wad]. */
export function margins(m: Measure, scale: bigint): { initialMargin: bigint; maintenanceMargin: bigint } {
  let initialMargin = divUp(m.initial * scale, WAD);
  let maintenanceMargin = divUp(m.maintenance * scale, WAD);
  for (const c of m.concentrations) {
    const exposure = divUp(c.exposure * scale, WAD);
    const share = exposure >= c.depth ? WAD : divUp(exposure * WAD, c.depth);
    const charge = exposure * c.slope * share;
    maintenanceMargin += divUp(charge, PPM * WAD);
    initialMargin += divUp(charge * c.phi, PPM * WAD * PHI_UNIT);
  }
  if (initialMargin < maintenanceMargin) initialMargin = maintenanceMargin;
  return { initialMargin, maintenanceMargin };
}

/** Reads every underlying of the portfolio once. */
export function measure(portfolio: Portfolio, risk: RiskParameters): Measure {
  const m: Measure = { equity: portfolio.base, maintenance: 0n, initial: 0n, gross: 0n, concentrations: [] };
  for (const u of portfolio.underlyings) measureUnderlying(m, u, risk);
  return m;
}

function measureUnderlying(m: Measure, u: Exposure, risk: RiskParameters): void {
  const r = risk.underlyings.get(u.id);
  if (r === undefined) throw new UnknownUnderlying(u.id);
  const netValue = (abs(u.net) * u.price) / WAD;
  const grossValue = divUp(u.gross * u.price, WAD);
  const value = u.collaterals.reduce((sum, c) => sum + c.value, 0n);
  const exposure = u.net < 0n ? abs(value - netValue) : value + netValue;

  m.equity += value;
  m.gross += grossValue + value;
  m.maintenance += divUp(exposure * r.shock * u.maintenanceFactor, PPM * PPM);
  m.initial += divUp(exposure * r.shock * u.initialFactor * r.initialFactor, PPM * PPM * PHI_UNIT);
  m.concentrations.push({ exposure, slope: r.slope, depth: r.depth * WAD, phi: r.initialFactor });
  addBasis(m, r, divUp(value + grossValue - exposure, 2n));
  if (value !== 0n) addLiquidity(m, r, u, risk, u.net < 0n ? hedgedShare(netValue, value) : 0n);
}

/** B and B_i on the hedged value g·P. */
function addBasis(m: Measure, r: UnderlyingRisk, hedged: bigint): void {
  m.maintenance += divUp(hedged * r.basis, PPM);
  m.initial += divUp(hedged * r.basisInitial, PPM);
}

/** H and H_i, haircuts clamped so that a unit of collateral never counts against its owner. */
function addLiquidity(m: Measure, r: UnderlyingRisk, u: Exposure, risk: RiskParameters, hedged: bigint): void {
  const ofShock = divUp(r.shock * u.maintenanceFactor, PPM) + 2n * r.slope;
  const ofShockInitial = divUp(r.shock * u.initialFactor, PPM) + 2n * r.slope;
  const cap = clampToUnit(ofShock + r.maxTracking);
  const capInitial = clampToUnit(divUp(ofShockInitial * r.initialFactor, PHI_UNIT) + r.maxTrackingInitial);
  let charge = 0n; // [wad · ppm · wad]
  let chargeInitial = 0n;
  for (const { id, value } of u.collaterals) {
    const c = risk.collaterals.get(id);
    if (c === undefined) throw new UnknownCollateral(id);
    charge += value * (min(c.haircut, cap) * (WAD - hedged) + c.tracking * hedged);
    chargeInitial += value * (min(c.haircutInitial, capInitial) * (WAD - hedged) + c.trackingInitial * hedged);
  }
  m.maintenance += divUp(charge, PPM * WAD);
  m.initial += divUp(chargeInitial, PPM * WAD);
}

/** s [wad], rounded down: what is not hedged carries the larger charge. */
function hedgedShare(short: bigint, value: bigint): bigint {
  return short >= value ? WAD : (short * WAD) / value;
}

/** 1 − risk [ppm], not below zero. */
function clampToUnit(risk: bigint): bigint {
  return risk >= PPM ? 0n : PPM - risk;
}
