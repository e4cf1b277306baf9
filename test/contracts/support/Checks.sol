// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// @notice Assertions that print the name of what is broken and the two numbers.
abstract contract Checks {
    using Strings for int256;

    function check(bool holds, string memory name) internal pure {
        require(holds, name);
    }

    function checkEq(int256 a, int256 b, string memory name) internal pure {
        if (a != b) _broken(name, a, " != ", b);
    }

    function checkEq(uint256 a, uint256 b, string memory name) internal pure {
        if (a != b) _broken(name, int256(a), " != ", int256(b));
    }

    function checkLe(int256 a, int256 b, string memory name) internal pure {
        if (a > b) _broken(name, a, " > ", b);
    }

    function checkLe(uint256 a, uint256 b, string memory name) internal pure {
        if (a > b) _broken(name, int256(a), " > ", int256(b));
    }

    function checkNear(int256 a, int256 b, uint256 tolerance, string memory name) internal pure {
        int256 distance = a > b ? a - b : b - a;
        if (distance > int256(tolerance)) _broken(name, a, " !~ ", b);
    }

    function _broken(string memory name, int256 a, string memory sign, int256 b) private pure {
        revert(string.concat(name, ": ", a.toStringSigned(), sign, b.toStringSigned()));
    }
}
