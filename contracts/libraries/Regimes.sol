// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {PPM, WAD} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";

/// @notice Arithmetic of a volatility regime.
///
///     v ← v·w + (r²/dt)·(1 − w)      w = e^(−dt/averaging)      r = ln(P1/P0)
///
/// Each round weighs by the time since the one before it. Two rounds of one second: the limit dt → 0, v ← v + r²/averaging, so that
/// no movement is lost. σ = sqrt(v · one year).
library Regimes {
    uint256 private constant YEAR = 365 days;

    /// @notice The variance [wad per second] after a price has moved within `elapsed` seconds, rounded up; it saturates.
    function update(
        uint256 variance,
        uint256 fromPrice,
        uint256 toPrice,
        uint256 elapsed,
        uint256 averaging
    ) internal pure returns (uint64) {
        // Prices are at most 2^80 [wad]: the logarithm of their ratio is below 60 [wad], its square below 2^133.
        uint256 ratio = (Fixed.max(fromPrice, toPrice) * WAD) / Fixed.min(fromPrice, toPrice);
        uint256 r = uint256(FixedPointMathLib.lnWad(int256(ratio)));
        if (elapsed == 0) return _saturate(variance + Fixed.divUp(r * r, WAD * averaging));
        uint256 kept = uint256(FixedPointMathLib.expWad(-int256((elapsed * WAD) / averaging)));
        uint256 added = Fixed.divUp(r * r * (WAD - kept), WAD * WAD * elapsed);
        return _saturate(Fixed.divUp(variance * kept, WAD) + added);
    }

    /// @notice clamp(σ / σ_ref, 1, μ_max) [ppm], rounded up; 1 without a reference.
    function target(uint256 variance, uint256 referenceVolatility, uint256 maxFactor) internal pure returns (uint256) {
        if (referenceVolatility == 0) return PPM;
        uint256 sigma = FixedPointMathLib.sqrt(variance * YEAR * PPM); // [1e-12]: sqrt(1e-18 · 1e-6)
        return FixedPointMathLib.clamp(Fixed.divUp(sigma, referenceVolatility), PPM, maxFactor);
    }

    /// @notice A factor that has moved from `from` towards `to` by at most `maxStep` per hour, rounded towards `from`.
    function approach(uint256 from, uint256 to, uint256 maxStep, uint256 elapsed) internal pure returns (uint256) {
        uint256 step = (maxStep * elapsed) / 1 hours;
        return from < to ? Fixed.min(to, from + step) : Fixed.max(to, from - Fixed.min(from, step));
    }

    function _saturate(uint256 variance) private pure returns (uint64) {
        return uint64(Fixed.min(variance, type(uint64).max));
    }
}
