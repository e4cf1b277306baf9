import { assess, margins, measure, type Measure } from "./assess.ts";
import { divUp, WAD } from "./fixed.ts";
import { scale } from "./portfolio.ts";
import type { Portfolio, RiskParameters } from "./types.ts";

const MAX_SLICE_STEPS = 48;
const SECANT_STEPS = 16; // after this many the search only halves the interval
// A slice aims this far above IM [wad], plus gross / SLICE_ROUNDING: covers the rounding of every moved leg.
const SLICE_MARGIN = 10n ** 6n;
const SLICE_ROUNDING = 10n ** 16n;
const HALVINGS = 12; // a slice beside something without a price is found to 1/4096
const SLICE_TOLERANCE = 1000n; // a slice may leave up to IM / 1000 more than IM

/**
 * The smallest fraction [wad] of a portfolio whose removal at a penalty of `discount` [wad] times MM per unit of slice leaves
 * IM ≤ E' ≤ 1.001·IM: 0 if E ≥ IM; 1e18 if E ≤ discount · MM, if no smaller one lands, or if less than `dust` [wad USD] would be
 * left. The steps are those of `RiskEngine.slice`, so the answer is the same to the wei.
 * @throws UnknownUnderlying, UnknownCollateral if parameters are missing
 */
export function slice(portfolio: Portfolio, risk: RiskParameters, discount: bigint, dust: bigint): bigint {
  const m = measure(portfolio, risk);
  const { initialMargin, maintenanceMargin } = margins(m, WAD);
  if (m.equity >= initialMargin) return 0n;
  if (m.equity <= (discount * maintenanceMargin) / WAD) return WAD;
  const penalty = divUp(discount * maintenanceMargin, WAD);
  const fraction = landingFraction(m, initialMargin, penalty);
  return (m.gross * (WAD - fraction)) / WAD < dust ? WAD : fraction;
}

/** MM [wad] of what has no usable price and stays where it is. */
export function stuckMargin(portfolio: Portfolio, risk: RiskParameters): bigint {
  return assess(scale(portfolio, 0n), risk).maintenanceMargin;
}

/**
 * The slice of what has a usable price that lands at IM, found by halving and rounded up; 1e18 if even all of it is not enough. All
 * of it costs `cost` [wad · wad]. As `Observation.liquidateRest`.
 * @throws UnknownUnderlying, UnknownCollateral if parameters are missing
 */
export function sliceOfRest(portfolio: Portfolio, risk: RiskParameters, cost: bigint): bigint {
  const { equity } = assess(portfolio, risk);
  let [low, fraction] = [0n, WAD];
  for (let step = 0; step < HALVINGS; ++step) {
    const f = (low + fraction) / 2n;
    const required = assess(scale(portfolio, WAD - f), risk).initialMargin;
    if (equity - divUp(f * cost, WAD * WAD) >= required) fraction = f;
    else low = f;
  }
  return fraction;
}

/**
 * Smallest f with E − f·penalty ≥ IM(1 − f), to within the tolerance: regula falsi (Illinois), then bisection.
 * g(f) = E − f·penalty − IM(1 − f) is negative at 0 and, as E > penalty, positive at 1.
 */
function landingFraction(m: Measure, initialMargin: bigint, penalty: bigint): bigint {
  let low = 0n;
  let high = WAD;
  const target = m.equity - SLICE_MARGIN - m.gross / SLICE_ROUNDING;
  let gLow = target - initialMargin;
  let gHigh = target - penalty;
  if (gHigh < 0n) return WAD;
  let side = 0;
  for (let step = 0; step < MAX_SLICE_STEPS && high - low > 1n; ++step) {
    let f = step < SECANT_STEPS ? low + ((high - low) * -gLow) / (gHigh - gLow) + 1n : (low + high) / 2n;
    if (f >= high) f = high - 1n;
    const required = margins(m, WAD - f).initialMargin;
    const g = target - divUp(f * penalty, WAD) - required;
    if (g < 0n) {
      [low, gLow] = [f, g];
      if (side < 0) gHigh /= 2n;
      side = -1;
    } else {
      [high, gHigh] = [f, g];
      if (g <= required / SLICE_TOLERANCE) break;
      if (side > 0) gLow = gLow / 2n - 1n;
      side = 1;
    }
  }
  return high;
}
