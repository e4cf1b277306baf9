// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Funding} from "../libraries/Funding.sol";

/// @notice The arithmetic of `Funding`, callable from a test.
contract FundingHarness {
    function advance(int256 funding, int256 rate, uint256 price, uint256 elapsed) external pure returns (int256) {
        return Funding.advance(funding, rate, price, elapsed);
    }

    function rateOf(int256 premium) external pure returns (int256) {
        return Funding.rateOf(premium);
    }

    function average(int256 from, int256 to, uint256 elapsed) external pure returns (int256) {
        return Funding.average(from, to, elapsed);
    }
}
