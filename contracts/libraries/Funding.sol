// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {MarketIndex, MarketRate, PPM, WAD} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";

/// @notice Funding of a perpetual market: a cumulative index F per unit that longs pay and shorts receive.
///
///     F(t) = F(t0) + rate(t0) · P(t0) · (t − t0) / 8 h        rate = clamp(premium, ±0.05 %)
///
/// Rate and price are those stored at the last accrual, so a further accrual at the same average premium and price changes nothing
/// and a long silence adds no more than the rate in force times its length. The premium is an exponential average of the last
/// trades' premium over the index.
library Funding {
    uint256 internal constant PERIOD = 8 hours;
    int256 internal constant RATE_CAP = 500_000; // [ppb per 8 h] 0.05 %
    int256 internal constant MAX_FUNDING = 2 ** 142; // [36 decimals] where the index saturates: 5.5 million USD per unit
    uint256 private constant AVERAGING = 1 hours; // time constant of the premium's average
    uint256 private constant FULL_WEIGHT = 10; // a trade of 1 / FULL_WEIGHT of open interest replaces the last premium
    uint256 private constant MIN_NOTIONAL = 100e18; // [wad] smaller trades carry no weight
    int256 private constant PPB = 1e9;

    /// @notice F now [36 decimals].
    function current(MarketIndex memory index, MarketRate memory rate) internal view returns (int256) {
        if (rate.time == block.timestamp) return index.funding;
        return advance(index.funding, rateOf(rate.premium), rate.price, block.timestamp - rate.time);
    }

    /// @notice F after `elapsed` seconds at `rate` [ppb per 8 h] on `price` [wad].
    function advance(int256 funding, int256 rate, uint256 price, uint256 elapsed) internal pure returns (int256) {
        int256 perSecond = (rate * int256(price) * PPB) / int256(PERIOD); // [36 decimals]
        funding += perSecond * int256(elapsed);
        return FixedPointMathLib.clamp(funding, -MAX_FUNDING, MAX_FUNDING);
    }

    /// @notice The rate that applies for an average premium [ppb per 8 h].
    function rateOf(int256 premium) internal pure returns (int256) {
        return FixedPointMathLib.clamp(premium, -RATE_CAP, RATE_CAP);
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
        int256 kept = FixedPointMathLib.expWad(-int256((elapsed * WAD) / AVERAGING));
        return to + ((from - to) * kept) / int256(WAD);
    }

    /// @notice Moves the last premium towards that of a trade, by its notional relative to open interest.
    function observe(MarketRate memory rate, uint256 price, uint256 size, uint256 openInterest) internal pure {
        if ((size * price) / WAD < MIN_NOTIONAL) return;
        int256 premium = ((int256(price) - int256(uint256(rate.price))) * PPB) / int256(uint256(rate.price));
        uint256 weight = Fixed.min(PPM, openInterest == 0 ? PPM : (size * FULL_WEIGHT * PPM) / openInterest);
        rate.lastPremium += int32(((premium - rate.lastPremium) * int256(weight)) / int256(PPM));
    }
}
