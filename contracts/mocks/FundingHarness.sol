// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Funding} from "../libraries/Funding.sol";
import {MarketRate} from "../types/LedgerTypes.sol";

/// @notice The arithmetic of `Funding`, callable from a test.
contract FundingHarness {
    function advance(
        int256 funding,
        int256 from,
        int256 to,
        uint256 price,
        uint256 elapsed
    ) external pure returns (int256) {
        return Funding.advance(funding, from, to, price, elapsed);
    }

    function average(int256 from, int256 to, uint256 elapsed) external pure returns (int256) {
        return Funding.average(from, to, elapsed);
    }

    /// @return the last premium after a trade, which was `lastPremium` before [1e-12]
    function observe(
        int32 lastPremium,
        uint80 indexPrice,
        uint256 price,
        uint256 size,
        uint256 openInterest
    ) external pure returns (int256) {
        MarketRate memory rate;
        rate.lastPremium = lastPremium;
        rate.price = indexPrice;
        Funding.observe(rate, price, size, openInterest);
        return rate.lastPremium;
    }
}
