import { UnknownCollateral, UnknownUnderlying } from "./errors.ts";
import { abs, divUp, min, positive, PPM, WAD } from "./fixed.ts";
import type {
  Assessment,
  CollateralRisk,
  CollateralValue,
  Exposure,
  Portfolio,
  PriceSnapshot,
  RiskParameters,
  UnderlyingRisk,
} from "./types.ts";

export const PHI_UNIT = 10n ** 9n;
/** Haircuts and trackings are computed in these units: κ·μ·φ and factor·(p0 − P) are whole multiples. */
const RATE = 10n ** 24n;
const RATE_PER_PPM = RATE / PPM;

/** Concentration of one underlying: the only charge that is not proportional to the portfolio. */
interface Concentration {
  exposure: bigint; // |x|·P [wad]
  slope: bigint; // [ppm]
  depth: bigint; // [wad]
  phi: bigint; // [1e-9]
}

/** Liquidity charges of an underlying, summed over its collaterals, by what they are on. */
interface Liquidity {
  readonly clamp: bigint; // [RATE]
  unhedged: bigint; // Σ V·(1 − r)·h [wad · ppm · RATE]
  hedged: bigint; // Σ V·(1 − r)·τ [wad · ppm · RATE]
  delisted: bigint; // Σ V·r·clamp [wad · ppm · RATE]
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

/** What there is to judge: a portfolio, and whether it is flat, so that it needs no margin. */
interface Judged {
  readonly portfolio: Portfolio;
  readonly flat: boolean;
}

/**
 * E, IM and MM [wad] of a gathered account; a flat one needs no margin.
 * @throws UnknownUnderlying, UnknownCollateral if parameters are missing
 */
export function judge({ portfolio, flat }: Judged, risk: RiskParameters): Assessment {
  const assessment = assess(portfolio, risk);
  return flat ? { ...assessment, initialMargin: 0n, maintenanceMargin: 0n } : assessment;
}

/** IM and MM [wad] of the measured portfolio scaled by `scale` [wad]. */
export function margins(m: Measure, scale: bigint): { initialMargin: bigint; maintenanceMargin: bigint } {
  let initialMargin = divUp(m.initial * scale, WAD);
  let maintenanceMargin = divUp(m.maintenance * scale, WAD);
  for (const c of m.concentrations) {
    const exposure = divUp(c.exposure * scale, WAD);
    const charge = divUp(exposure * c.slope * min(exposure, c.depth), PPM * c.depth);
    maintenanceMargin += charge;
    initialMargin += divUp(charge * c.phi, PHI_UNIT);
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
  const r = riskOf(u.id, risk);
  const size = abs(u.net);
  const netValue = divUp(size * u.price, WAD);
  const short = shortOf(u);
  const spreads = divUp((u.gross - size) * u.price, WAD); // both legs of what is hedged among markets
  const value = u.collaterals.reduce((sum, c) => sum + c.value, 0n);
  const exposure = u.net < 0n ? (value > short ? value - short : netValue - value) : value + netValue;
  const hedged = divUp(spreads, 2n) + (u.net < 0n ? min(netValue, value) : 0n);

  m.equity += value;
  m.gross += netValue + spreads + value;
  m.maintenance += divUp(exposure * r.shock * u.maintenanceFactor, PPM * PPM);
  m.initial += divUp(exposure * r.shock * u.initialFactor * r.initialFactor, PPM * PPM * PHI_UNIT);
  m.concentrations.push({ exposure, slope: r.slope, depth: r.depth * WAD, phi: r.initialFactor });
  addBasis(m, r, hedged);
  if (value !== 0n) addLiquidity(m, r, u, risk, short);
}

function riskOf(underlying: number, { underlyings }: RiskParameters): UnderlyingRisk {
  const r = underlyings.get(underlying);
  if (r === undefined) throw new UnknownUnderlying(underlying);
  return r;
}

/** B and B_i on the hedged value g·P. */
function addBasis(m: Measure, r: UnderlyingRisk, hedged: bigint): void {
  m.maintenance += divUp(hedged * r.basis, PPM);
  m.initial += divUp(hedged * r.basisInitial, PPM);
}

/** H and H_i. Haircuts are clamped so that a unit of collateral never counts against its owner. */
function addLiquidity(m: Measure, r: UnderlyingRisk, u: Exposure, risk: RiskParameters, short: bigint): void {
  const sums = noCharges(r, u);
  for (const held of u.collaterals) addCharges(sums, held, u.price, risk);
  const staying = stayingOf(u);
  m.maintenance += liquidity(sums.maintenance, short, staying);
  m.initial += liquidity(sums.initial, short, staying);
}

/** H_i and H [wad] of one collateral asset. */
export interface Haircut {
  readonly initial: bigint;
  readonly maintenance: bigint;
}

/**
 * What each collateral of an underlying adds to H_i and H, rounded up one by one.
 * @throws UnknownUnderlying, UnknownCollateral if parameters are missing
 */
export function haircutsOf(u: Exposure, risk: RiskParameters): Map<number, Haircut> {
  const r = riskOf(u.id, risk);
  const [short, staying] = [shortOf(u), stayingOf(u)];
  return new Map(
    u.collaterals.map((held) => {
      const { initial, maintenance } = noCharges(r, u);
      addCharges({ initial, maintenance }, held, u.price, risk);
      const haircut = {
        initial: liquidity(initial, short, staying),
        maintenance: liquidity(maintenance, short, staying),
      };
      return [held.id, haircut];
    }),
  );
}

interface Charges {
  readonly initial: Liquidity;
  readonly maintenance: Liquidity;
}

function noCharges(r: UnderlyingRisk, u: Exposure): Charges {
  const none = { unhedged: 0n, hedged: 0n, delisted: 0n };
  return { initial: { clamp: initialClampOf(r, u), ...none }, maintenance: { clamp: clampOf(r, u), ...none } };
}

function addCharges(sums: Charges, { id, ramp, value }: CollateralValue, price: bigint, risk: RiskParameters): void {
  const c = risk.collaterals.get(id);
  if (c === undefined) throw new UnknownCollateral(id);
  const kept = value * (PPM - ramp);
  charge(sums.maintenance, c.haircut * RATE_PER_PPM, c.tracking, kept, value * ramp);
  charge(sums.initial, c.haircutInitial * RATE_PER_PPM + depeg(c, price), c.trackingInitial, kept, value * ramp);
}

/** Value [wad] of what a net short position hedges: rounded down, since what is not hedged carries more. */
function shortOf(u: Exposure): bigint {
  return u.net < 0n ? (abs(u.net) * u.price) / WAD : 0n;
}

/** Σ V·(1 − r) [wad]: the collateral that a short position can hedge. */
function stayingOf({ collaterals }: Exposure): bigint {
  return collaterals.reduce((sum, { value, ramp }) => sum + divUp(value * (PPM - ramp), PPM), 0n);
}

function charge(sums: Liquidity, haircut: bigint, tracking: bigint, kept: bigint, gone: bigint): void {
  sums.unhedged += kept * min(haircut, sums.clamp);
  sums.hedged += kept * tracking * RATE_PER_PPM;
  sums.delisted += gone * sums.clamp;
}

/** unhedged·(1 − s) + hedged·s + delisted [wad] with s = min(1, short / staying). */
function liquidity(sums: Liquidity, short: bigint, staying: bigint): bigint {
  const delisted = divUp(sums.delisted, PPM * RATE);
  const unhedged = divUp(sums.unhedged, PPM * RATE);
  const hedged = divUp(sums.hedged, PPM * RATE);
  if (short >= staying) return hedged + delisted;
  return divUp(unhedged * (staying - short) + hedged * short, staying) + delisted;
}

/** 1 − (κμ + 2·slope + max τ), not below zero [RATE]. */
function clampOf(r: UnderlyingRisk, s: PriceSnapshot): bigint {
  const ofShock = (r.shock * s.maintenanceFactor + 2n * r.slope * PPM) * (RATE_PER_PPM / PPM);
  return positive(RATE - ofShock - r.maxTracking * RATE_PER_PPM);
}

/** 1 − φ(κμ_i + 2·slope) − max τ_i, not below zero [RATE]. */
function initialClampOf(r: UnderlyingRisk, s: PriceSnapshot): bigint {
  const ofShock = (r.shock * s.initialFactor + 2n * r.slope * PPM) * r.initialFactor;
  return positive(RATE - ofShock * (RATE_PER_PPM / PPM / PHI_UNIT) - r.maxTrackingInitial * RATE_PER_PPM);
}

/** factor · max(0, p0 − P) [RATE]; zero unless the collateral is a stablecoin. */
function depeg(c: CollateralRisk, price: bigint): bigint {
  return c.depegFactor * positive(c.depegThreshold * (WAD / PPM) - price);
}
