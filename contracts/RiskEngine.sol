// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {CollateralRisk, IRiskEngine, UnderlyingRisk} from "./interfaces/IRiskEngine.sol";
import {Fixed} from "./libraries/Fixed.sol";
import {Assessment, PPM, WAD} from "./types/LedgerTypes.sol";
import {Portfolios, PriceSnapshot} from "./types/Portfolio.sol";
import {CollateralWord, CollateralWords, UnderlyingWord, UnderlyingWords} from "./types/RiskWords.sol";

/// @title Stateless judgement of portfolios
/// @notice See `IRiskEngine` for the formulas.
contract RiskEngine is IRiskEngine, AccessManaged {
    using Portfolios for uint256[];

    /// @dev A slice is found in at most this many evaluations of the margin formula.
    uint256 private constant MAX_SLICE_STEPS = 48;
    /// @dev After this many the search only halves the interval.
    uint256 private constant SECANT_STEPS = 16;
    /// @dev A slice aims this far above IM [wad], plus gross / SLICE_ROUNDING: covers the rounding of every moved leg.
    uint256 private constant SLICE_MARGIN = 1e6;
    uint256 private constant SLICE_ROUNDING = 1e16;
    /// @dev A slice may leave up to IM / 1000 more than IM.
    int256 private constant SLICE_TOLERANCE = 1000;
    uint256 private constant PHI_UNIT = 1e9;
    /// @dev Haircuts and trackings are computed in these units: κ·μ·φ and factor·(p0 − P) are whole multiples.
    uint256 private constant RATE = 1e24;
    uint256 private constant RATE_PER_PPM = RATE / PPM;
    /// @dev Shock and basis are wider than any price band that the ledger lists (`Listing.MAX_BAND`, 5,000 ppm), so no change of
    /// parameters can let a fill inside the band move more than a maintenance charge.
    uint256 private constant MIN_CHARGE = 5_001;
    uint256 private constant MAX_DEPEG_FACTOR = 100e6; // [ppm]
    /// @dev Largest factor that a volatility regime can have [multiples of 1].
    uint256 private constant MAX_REGIME = 3;

    /// @dev A portfolio measured once; its scaled-down versions cost one evaluation of `_margins` each.
    struct Measure {
        int256 equity; // E [wad]
        uint256 maintenance; // Σ W + B + H [wad]
        uint256 initial; // Σ φ·W + B_i + H_i [wad]
        uint256 gross; // Σ gross exposure + V [wad]
        uint256 underlyings;
        uint256[] concentrations; // per underlying what is not proportional, packed as in `_packConcentration`
    }

    /// @dev Liquidity charges of an underlying, summed over its collaterals, by what they are on: for maintenance and, `…Initial`, for
    /// initial margin.
    struct Liquidity {
        uint256 short; // [wad] value of the net short side
        uint256 clamp; // [RATE]
        uint256 clampInitial;
        uint256 unhedged; // Σ V·(1 − r)·h [wad · ppm · RATE]
        uint256 unhedgedInitial;
        uint256 hedged; // Σ V·(1 − r)·τ [wad · ppm · ppm]
        uint256 hedgedInitial;
        uint256 total; // Σ V [wad]
        uint256 staying; // Σ V·(1 − r) [wad], what the short side hedges
        uint256 delisted; // Σ V·r [wad · ppm], charged at the clamp
    }

    mapping(uint256 underlying => UnderlyingRisk) internal _underlyings;
    mapping(uint256 collateral => CollateralRisk) internal _collaterals;

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc IRiskEngine
    function assess(uint256[] calldata portfolio) external view returns (Assessment memory assessment) {
        Measure memory m = _measure(portfolio);
        assessment.equity = m.equity;
        (assessment.initialMargin, assessment.maintenanceMargin) = _margins(m, WAD);
    }

    /// @inheritdoc IRiskEngine
    function slice(
        uint256[] calldata portfolio,
        uint256 discount,
        uint256 dust
    ) external view virtual returns (uint256 fraction, Assessment memory assessment) {
        Measure memory m = _measure(portfolio);
        assessment.equity = m.equity;
        (assessment.initialMargin, assessment.maintenanceMargin) = _margins(m, WAD);
        if (m.equity >= int256(assessment.initialMargin)) return (0, assessment);
        uint256 penalty = Fixed.divUp(discount * assessment.maintenanceMargin, WAD);
        if (m.equity <= int256((discount * assessment.maintenanceMargin) / WAD)) return (WAD, assessment);
        fraction = _landingFraction(m, int256(assessment.initialMargin), penalty);
        if ((m.gross * (WAD - fraction)) / WAD < dust) fraction = WAD;
    }

    /// @inheritdoc IRiskEngine
    function openingSurcharge(
        uint256 underlying,
        PriceSnapshot s,
        uint256 notional,
        uint256 openInterest,
        uint256 softCap,
        uint256 hardCap
    ) external view returns (uint256 surcharge) {
        UnderlyingWord r = _underlying(underlying);
        if (openInterest <= softCap * WAD) return 0;
        uint256 base = (r.shock() * s.initialFactor() * r.initialFactor()) / (PPM * PHI_UNIT); // [ppm]
        uint256 rise = base >= PPM ? 0 : PPM - base;
        if (openInterest >= hardCap * WAD) return Fixed.divUp(notional * rise, PPM);
        return Fixed.divUp(notional * rise * (openInterest - softCap * WAD), PPM * (hardCap - softCap) * WAD);
    }

    /// @inheritdoc IRiskEngine
    function underlyingRisk(uint256 underlying) external view returns (UnderlyingRisk memory) {
        return _underlyings[underlying];
    }

    /// @inheritdoc IRiskEngine
    function collateralRisk(uint256 collateral) external view returns (CollateralRisk memory) {
        return _collaterals[collateral];
    }

    /// @inheritdoc IRiskEngine
    function setUnderlyingRisk(uint256 underlying, UnderlyingRisk calldata risk) external restricted {
        _inBounds("underlying", underlying, 0, 255);
        UnderlyingRisk memory r = risk;
        (r.maxTracking, r.maxTrackingInitial) = (
            _underlyings[underlying].maxTracking,
            _underlyings[underlying].maxTrackingInitial
        );
        _inBounds("shock", r.shock, MIN_CHARGE, 500_000);
        _inBounds("slope", r.slope, 0, 200_000);
        _inBounds("initialFactor", r.initialFactor, PHI_UNIT + 1, 4 * PHI_UNIT);
        _inBounds("depth", r.depth, 1, type(uint48).max);
        _boundTogether(r);
        _underlyings[underlying] = r;
        emit UnderlyingRiskSet(underlying, r);
    }

    /// @inheritdoc IRiskEngine
    function setCollateralRisk(uint256 collateral, CollateralRisk calldata risk) external restricted {
        _inBounds("collateral", collateral, 0, 255);
        _underlying(risk.underlying); // is known
        UnderlyingRisk memory r = _underlyings[risk.underlying];
        CollateralRisk memory known = _collaterals[collateral];
        if (known.haircutInitial != 0) _inBounds("underlying", risk.underlying, known.underlying, known.underlying);
        _inBounds("haircut", risk.haircut, 0, PPM);
        _inBounds("haircutInitial", risk.haircutInitial, Fixed.max(risk.haircut, 1), PPM);
        _inBounds("tracking", risk.tracking, 0, risk.haircut);
        _inBounds("trackingInitial", risk.trackingInitial, risk.tracking, risk.haircutInitial);
        _inBounds("depegThreshold", risk.depegThreshold, 0, PPM);
        // Zero together with the threshold: one without the other would be a mistake.
        bool stable = risk.depegThreshold != 0;
        _inBounds("depegFactor", risk.depegFactor, stable ? 1 : 0, stable ? MAX_DEPEG_FACTOR : 0);
        if (risk.tracking > r.maxTracking) r.maxTracking = risk.tracking;
        if (risk.trackingInitial > r.maxTrackingInitial) r.maxTrackingInitial = risk.trackingInitial;
        _boundTogether(r);
        _underlyings[risk.underlying] = r;
        _collaterals[collateral] = risk;
        emit CollateralRiskSet(collateral, risk);
    }

    /// @dev Smallest f with E − f·penalty ≥ IM(1 − f), to within the tolerance: regula falsi (Illinois), then bisection.
    /// g(f) = E − f·penalty − IM(1 − f) is negative at 0 and, as E > penalty, positive at 1.
    function _landingFraction(
        Measure memory m,
        int256 initialMargin,
        uint256 penalty
    ) private pure returns (uint256 high) {
        uint256 low = 0;
        high = WAD;
        int256 target = m.equity - int256(SLICE_MARGIN + m.gross / SLICE_ROUNDING);
        int256 gLow = target - initialMargin;
        int256 gHigh = target - int256(penalty);
        if (gHigh < 0) return WAD;
        int256 side = 0;
        for (uint256 step = 0; step < MAX_SLICE_STEPS && high - low > 1; ++step) {
            uint256 f =
                step < SECANT_STEPS
                    ? low + uint256((int256(high - low) * -gLow) / (gHigh - gLow)) + 1
                    : (low + high) / 2;
            if (f >= high) f = high - 1;
            (uint256 required, ) = _margins(m, WAD - f);
            int256 g = target - int256(Fixed.divUp(f * penalty, WAD)) - int256(required);
            if (g < 0) {
                (low, gLow) = (f, g);
                if (side < 0) gHigh /= 2;
                side = -1;
            } else {
                (high, gHigh) = (f, g);
                if (g <= int256(required) / SLICE_TOLERANCE) break;
                if (side > 0) gLow = gLow / 2 - 1;
                side = 1;
            }
        }
    }

    /// @dev IM and MM of the measured portfolio scaled by `scale` [wad].
    function _margins(
        Measure memory m,
        uint256 scale
    ) internal pure returns (uint256 initialMargin, uint256 maintenanceMargin) {
        unchecked {
            // Exposures stay below 2^122, depths below 2^108, slopes below 2^18: no product reaches 2^256.
            initialMargin = Fixed.divUp(m.initial * scale, WAD);
            maintenanceMargin = Fixed.divUp(m.maintenance * scale, WAD);
            for (uint256 i = 0; i < m.underlyings; ++i) {
                uint256 word = m.concentrations[i];
                uint256 depth = uint256(uint48(word >> 160)) * WAD;
                uint256 exposure = Fixed.divUp(uint128(word) * scale, WAD);
                uint256 charge = Fixed.divUp(exposure * uint24(word >> 208) * Fixed.min(exposure, depth), PPM * depth);
                maintenanceMargin += charge;
                initialMargin += Fixed.divUp(charge * uint32(word >> 128), PHI_UNIT);
            }
            if (initialMargin < maintenanceMargin) initialMargin = maintenanceMargin;
        }
    }

    /// @dev |x|·P (128 bits) | φ (32) | depth (48) | slope (24)
    function _packConcentration(uint256 exposure, UnderlyingWord r) private pure returns (uint256) {
        return exposure | (r.initialFactor() << 128) | (r.depth() << 160) | (r.slope() << 208);
    }

    /// @dev Reads every block of the portfolio once.
    function _measure(uint256[] calldata portfolio) internal view returns (Measure memory m) {
        m.equity = int256(portfolio[0]);
        m.concentrations = new uint256[](portfolio.length / 2);
        for (uint256 cursor = 1; cursor < portfolio.length;) cursor = _measureUnderlying(m, portfolio, cursor);
    }

    function _measureUnderlying(
        Measure memory m,
        uint256[] calldata portfolio,
        uint256 cursor
    ) private view returns (uint256 end) {
        (uint256 id, uint256 collaterals, PriceSnapshot s) = Portfolios.parseHeader(portfolio.wordAt(cursor));
        (int256 net, uint256 gross) = Portfolios.parseExposure(portfolio.wordAt(cursor + 1));
        end = cursor + 2 + collaterals;
        uint256[] calldata words = portfolio[cursor + 2:end]; // reverts if the block is not all there
        UnderlyingWord r = _underlying(id);
        unchecked {
            // Sizes and balances are at most 2^96 each, prices 2^80: values stay below 2^128.
            uint256 netValue = 0;
            uint256 short = 0; // rounded down: what is not hedged carries more
            uint256 hedged = 0;
            if (gross != 0) {
                uint256 size = Fixed.abs(net);
                netValue = Fixed.divUp(size * s.price(), WAD);
                if (net < 0) short = (size * s.price()) / WAD;
                uint256 spreads = Fixed.divUp((gross - size) * s.price(), WAD); // both legs of what is hedged among markets
                m.gross += netValue + spreads;
                hedged = Fixed.divUp(spreads, 2);
            }
            uint256 value = collaterals == 0 ? 0 : _addLiquidity(m, r, s, words, short);
            uint256 exposure = value + netValue;
            if (net < 0) {
                exposure = value > short ? value - short : netValue - value;
                hedged += Fixed.min(netValue, value);
            }
            m.equity += int256(value);
            m.gross += value;
            m.concentrations[m.underlyings] = _packConcentration(exposure, r);
            ++m.underlyings;
            m.maintenance += Fixed.divUp(exposure * r.shock() * s.maintenanceFactor(), PPM * PPM);
            m.initial += Fixed.divUp(
                exposure * r.shock() * s.initialFactor() * r.initialFactor(),
                PPM * PPM * PHI_UNIT
            );
            if (hedged != 0) _addBasis(m, r, hedged);
        }
    }

    /// @dev B and B_i on the hedged value g·P.
    function _addBasis(Measure memory m, UnderlyingWord r, uint256 hedged) private pure {
        m.maintenance += Fixed.divUp(hedged * r.basis(), PPM);
        m.initial += Fixed.divUp(hedged * r.basisInitial(), PPM);
    }

    /// @dev H and H_i; returns Σ V. Haircuts are clamped so that a unit of collateral never counts against its owner.
    function _addLiquidity(
        Measure memory m,
        UnderlyingWord r,
        PriceSnapshot s,
        uint256[] calldata words,
        uint256 short
    ) private view returns (uint256) {
        unchecked {
            Liquidity memory sums;
            sums.short = short;
            (sums.clamp, sums.clampInitial) = _clamps(r, s);
            for (uint256 i = 0; i < words.length; ++i) _addCollateral(sums, words.wordAt(i), s);
            m.maintenance += _liquidity(sums.unhedged, sums.hedged, sums.delisted * sums.clamp, short, sums.staying);
            m.initial += _liquidity(
                sums.unhedgedInitial,
                sums.hedgedInitial,
                sums.delisted * sums.clampInitial,
                short,
                sums.staying
            );
            return sums.total;
        }
    }

    function _addCollateral(Liquidity memory sums, uint256 word, PriceSnapshot s) private view {
        unchecked {
            // Values stay below 2^128 and rates below 2^80: with ppm and eight collaterals no sum reaches 2^232.
            (uint256 id, uint256 ramp, uint256 value) = Portfolios.parseCollateral(word);
            CollateralWord c = CollateralWords.load(_collaterals[id]);
            if (c.haircutInitial() == 0) revert UnknownCollateral(id);
            uint256 kept = value * (PPM - ramp);
            sums.total += value;
            sums.staying += ramp == 0 ? value : Fixed.divUp(kept, PPM);
            if (ramp != 0) sums.delisted += value * ramp;
            sums.unhedged += kept * Fixed.min(c.haircut() * RATE_PER_PPM, sums.clamp);
            sums.unhedgedInitial +=
                kept * Fixed.min(c.haircutInitial() * RATE_PER_PPM + _depeg(c, s.price()), sums.clampInitial);
            if (sums.short == 0) return;
            sums.hedged += kept * c.tracking();
            sums.hedgedInitial += kept * c.trackingInitial();
        }
    }

    /// @dev unhedged·(1 − s) + hedged·s + delisted [wad] with s = min(1, short / staying).
    function _liquidity(
        uint256 unhedged,
        uint256 hedged,
        uint256 delisted,
        uint256 short,
        uint256 staying
    ) private pure returns (uint256) {
        unchecked {
            delisted = Fixed.divUp(delisted, PPM * RATE);
            unhedged = Fixed.divUp(unhedged, PPM * RATE);
            if (short == 0) return unhedged + delisted;
            hedged = Fixed.divUp(hedged, PPM * PPM);
            if (short >= staying) return hedged + delisted;
            return Fixed.divUp(unhedged * (staying - short) + hedged * short, staying) + delisted;
        }
    }

    /// @dev 1 − (κμ + 2·slope + max τ) and 1 − φ(κμ_i + 2·slope) − max τ_i, not below zero [RATE].
    function _clamps(UnderlyingWord r, PriceSnapshot s) private pure returns (uint256 cap, uint256 capInitial) {
        unchecked {
            uint256 slope = 2 * r.slope() * PPM; // [ppm · ppm], as κμ
            uint256 risk =
                (r.shock() * s.maintenanceFactor() + slope) * (RATE_PER_PPM / PPM) + r.maxTracking() * RATE_PER_PPM;
            uint256 riskInitial =
                (r.shock() * s.initialFactor() + slope) * r.initialFactor() * (RATE_PER_PPM / PPM / PHI_UNIT) +
                    r.maxTrackingInitial() * RATE_PER_PPM;
            cap = risk >= RATE ? 0 : RATE - risk;
            capInitial = riskInitial >= RATE ? 0 : RATE - riskInitial;
        }
    }

    /// @dev factor · max(0, p0 − P) [RATE]; zero unless the collateral is a stablecoin.
    function _depeg(CollateralWord c, uint256 price) private pure returns (uint256) {
        unchecked {
            uint256 threshold = c.depegThreshold() * (WAD / PPM);
            return threshold > price ? c.depegFactor() * (threshold - price) : 0; // [ppm · wad] = [RATE]
        }
    }

    function _underlying(uint256 id) private view returns (UnderlyingWord r) {
        r = UnderlyingWords.load(_underlyings[id]);
        if (r.shock() == 0) revert UnknownUnderlying(id);
    }

    /// @dev β + τ ≤ 2κ and β_i + τ_i ≤ 2φκ: a hedge never needs more than its two legs alone. φ(κ·μ + 2·slope) + τ_i ≤ 1 in every
    /// regime: a unit of collateral never counts against its owner.
    function _boundTogether(UnderlyingRisk memory r) private pure {
        _inBounds("basis", r.basis, MIN_CHARGE, 2 * uint256(r.shock) - Fixed.min(r.maxTracking, 2 * uint256(r.shock)));
        uint256 worst = (MAX_REGIME * r.shock + 2 * uint256(r.slope)) * r.initialFactor;
        _inBounds("shock and slope", Fixed.divUp(worst, PHI_UNIT) + r.maxTrackingInitial, 0, PPM);
        uint256 both = (2 * uint256(r.shock) * r.initialFactor) / PHI_UNIT;
        _inBounds("basisInitial", r.basisInitial, r.basis, both - Fixed.min(r.maxTrackingInitial, both));
    }

    function _inBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert ParameterOutOfBounds(name, value, low, high);
    }
}
