// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {MarketIndex, MarketRate, PPM, WAD} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";

/// @notice Funding of a perpetual market: a cumulative index F per unit that longs pay and shorts receive.
///
///     F(t) = F(t0) + P · ∫ rate dt / 8 h      rate(t) = L + (p0 − L) · e^(−(t − t0)/τ)
///                                             ∫ rate dt = L · (t − t0) + (p0 − L) · τ · (1 − e^(−(t − t0)/τ))
///
/// P, the average premium p0 and the last trades' premium L are those stored at t0. The integral is exact, so a further accrual at
/// the same price changes F by no more than the rounding of the stored premium: P · 1e-12 · τ / 8 h. A silence of any length adds
/// no more than the cap times its length, because no trade counts with more than the cap.
library Funding {
    uint256 internal constant PERIOD = 8 hours;
    int256 internal constant RATE_CAP = 5e8; // [1e-12 per 8 h] 0.05 %
    int256 internal constant MAX_FUNDING = 2 ** 142; // [36 decimals] where the index saturates: 5.5 million USD per unit
    uint256 private constant AVERAGING = 1 hours; // τ, time constant of the premium's average
    uint256 private constant FULL_WEIGHT = 10; // a trade of 1 / FULL_WEIGHT of open interest replaces the last premium
    uint256 private constant MIN_NOTIONAL = 100e18; // [wad] smaller trades carry no weight
    int256 private constant PREMIUM_UNIT = 1e12;

    /// @notice F now [36 decimals].
    function current(MarketIndex memory index, MarketRate memory rate) internal view returns (int256) {
        if (rate.time == block.timestamp || (rate.premium == 0 && rate.lastPremium == 0)) return index.funding;
        return advance(index.funding, rate.premium, rate.lastPremium, rate.price, block.timestamp - rate.time);
    }

    /// @notice F after `elapsed` seconds on `price` [wad] while the rate moves from `from` towards `to` [1e-12 per 8 h].
    function advance(
        int256 funding,
        int256 from,
        int256 to,
        uint256 price,
        uint256 elapsed
    ) internal pure returns (int256) {
        int256 integral = to * int256(elapsed * WAD); // [1e-12 · wad · s] below 2^121, the product with the price below 2^201
        if (from != to) integral += (from - to) * int256(AVERAGING * (WAD - _kept(elapsed)));
        funding += (integral * int256(price)) / (int256(PERIOD) * PREMIUM_UNIT);
        return FixedPointMathLib.clamp(funding, -MAX_FUNDING, MAX_FUNDING);
    }

    /// @notice Brings index and rate up to now; from now on the funding runs on `price`.
    function accrue(MarketIndex memory index, MarketRate memory rate, uint256 price) internal view {
        uint256 elapsed = block.timestamp - rate.time;
        if (elapsed != 0) {
            index.funding = int144(current(index, rate));
            rate.premium = int32(average(rate.premium, rate.lastPremium, elapsed));
        }
        rate.price = uint80(price);
        rate.time = uint32(block.timestamp);
    }

    /// @notice An exponential average that has moved from `from` towards `to` for `elapsed` seconds.
    function average(int256 from, int256 to, uint256 elapsed) internal pure returns (int256) {
        if (from == to) return to;
        return to + ((from - to) * int256(_kept(elapsed))) / int256(WAD);
    }

    /// @notice Moves the last premium [1e-12] towards that of a trade, by its notional relative to open interest. No trade counts
    /// with more than the cap.
    function observe(MarketRate memory rate, uint256 price, uint256 size, uint256 openInterest) internal pure {
        unchecked {
            // The price is in the band; what overflows by its size is refused as too large.
            if ((size * price) / WAD < MIN_NOTIONAL) return;
            int256 index = int256(uint256(rate.price));
            int256 premium = ((int256(price) - index) * PREMIUM_UNIT) / index;
            premium = FixedPointMathLib.clamp(premium, -RATE_CAP, RATE_CAP);
            uint256 weight = Fixed.min(PPM, openInterest == 0 ? PPM : (size * FULL_WEIGHT * PPM) / openInterest);
            rate.lastPremium += int32(((premium - rate.lastPremium) * int256(weight)) / int256(PPM));
        }
    }

    /// @dev e^(−elapsed / τ) [wad]
    function _kept(uint256 elapsed) private pure returns (uint256) {
        return uint256(FixedPointMathLib.expWad(-int256((elapsed * WAD) / AVERAGING)));
    }
}
