// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Integer division with the rounding in its name. Operands are bounded by their callers so that no product overflows.
library Fixed {
    /// @notice ⌊a / b⌋ towards minus infinity; b > 0.
    function divFloor(int256 a, int256 b) internal pure returns (int256 q) {
        unchecked {
            q = a / b;
            if (q * b > a) --q; // |q · b| ≤ |a|
        }
    }

    /// @notice ⌈a / b⌉; b > 0.
    function divUp(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return a == 0 ? 0 : (a - 1) / b + 1; // at most a
        }
    }

    function min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }

    function max(uint256 a, uint256 b) internal pure returns (uint256) {
        return a > b ? a : b;
    }

    function abs(int256 a) internal pure returns (uint256) {
        unchecked {
            return a < 0 ? uint256(-a) : uint256(a); // right for the smallest integer too
        }
    }

    /// @notice |a − b|
    function distance(uint256 a, uint256 b) internal pure returns (uint256) {
        return a > b ? a - b : b - a;
    }

    /// @notice max(a, 0)
    function positive(int256 a) internal pure returns (uint256) {
        return a > 0 ? uint256(a) : 0;
    }
}
