// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Fixed} from "./Fixed.sol";

/// @notice Conversion between a token's own units and the ledger's 18 decimals. Only tokens of more than 18 decimals round.
library TokenUnits {
    uint256 internal constant MAX_DECIMALS = 24;

    function toWadDown(uint256 amount, uint256 decimals) internal pure returns (uint256) {
        return decimals <= 18 ? amount * 10 ** (18 - decimals) : amount / 10 ** (decimals - 18);
    }

    function toWadUp(uint256 amount, uint256 decimals) internal pure returns (uint256) {
        return decimals <= 18 ? amount * 10 ** (18 - decimals) : Fixed.divUp(amount, 10 ** (decimals - 18));
    }

    function fromWadDown(uint256 amount, uint256 decimals) internal pure returns (uint256) {
        return decimals <= 18 ? amount / 10 ** (18 - decimals) : amount * 10 ** (decimals - 18);
    }

    /// @notice The next amount [wad] of whole token units.
    function wholeUp(uint256 amount, uint256 decimals) internal pure returns (uint256) {
        if (decimals >= 18) return amount;
        uint256 unit = 10 ** (18 - decimals);
        return Fixed.divUp(amount, unit) * unit;
    }
}
