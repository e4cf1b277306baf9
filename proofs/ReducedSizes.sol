// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// A require is an assumption here.
// solhint-disable gas-custom-errors

/// @notice Every way in which contracts/libraries change size in one market (markets do not touch each other), whatever the price, the
/// margin and the caller. Each function names what it stands for. CHC finds what holds after any sequence of calls.
abstract contract ReducedSizes {
    mapping(uint256 account => int256) internal sizes; // [wad]
    uint256 internal openInterest; // [wad] as MarketIndex keeps it

    // What is compared: kept by nobody on the chain.
    int256 internal allSizes; // Σ size
    uint256 internal longs; // Σ max(size, 0)
    uint256 internal shorts; // Σ max(−size, 0)

    /// @notice Trading._apply and Trading._updateOpenInterest.
    function trade(uint256 maker, uint256 taker, int256 size) external {
        require(maker != taker);
        int256 change = _change(maker, -size);
        change += _change(taker, size);
        openInterest = uint256(int256(openInterest) + change);
    }

    /// @notice Liquidation._takePosition: `moved` of the account's size goes to the taker.
    function takePosition(uint256 id, uint256 taker, int256 moved) external {
        int256 change = _change(id, -moved);
        change += _change(taker, moved);
        if (change != 0) openInterest = uint256(int256(openInterest) + change);
    }

    /// @dev Positions.change and Positions.longDelta: the change of the sum of all long sizes.
    function _change(uint256 id, int256 delta) private returns (int256 longDelta) {
        int256 before = sizes[id];
        int256 size = before + delta;
        require(size >= -(2 ** 96) && size <= 2 ** 96);
        sizes[id] = size;
        longDelta = _positive(size) - _positive(before);
        allSizes += size - before;
        longs = uint256(int256(longs) + longDelta);
        shorts = uint256(int256(shorts) + _positive(-size) - _positive(-before));
    }

    function _positive(int256 a) private pure returns (int256) {
        return a > 0 ? a : int256(0);
    }
}

/// @notice SIZES_SUM_TO_ZERO
contract SizesSumToZero is ReducedSizes {
    function prove() external view {
        assert(allSizes == 0);
    }
}

/// @notice OPEN_INTEREST: what the market keeps = Σ of long sizes = Σ of short sizes.
contract OpenInterest is ReducedSizes {
    function prove() external view {
        assert(openInterest == longs && openInterest == shorts);
    }
}
