// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Fixed} from "../libraries/Fixed.sol";

/// @notice A snapshot of an index price and the volatility regime of its underlying: 128 + 32 + 32 bits.
/// price [wad] | factor of the initial requirement [ppm] | factor of the maintenance requirement [ppm].
type PriceSnapshot is uint256;

using PriceSnapshots for PriceSnapshot global;

library PriceSnapshots {
    function pack(uint256 price_, uint256 initial, uint256 maintenance) internal pure returns (PriceSnapshot) {
        return PriceSnapshot.wrap(price_ | (initial << 128) | (maintenance << 160));
    }

    function price(PriceSnapshot s) internal pure returns (uint256) {
        return uint128(PriceSnapshot.unwrap(s));
    }

    /// @notice μ of the initial requirement [ppm], at least 1e6.
    function initialFactor(PriceSnapshot s) internal pure returns (uint256) {
        return uint32(PriceSnapshot.unwrap(s) >> 128);
    }

    /// @notice μ of the maintenance requirement [ppm], at least 1e6.
    function maintenanceFactor(PriceSnapshot s) internal pure returns (uint256) {
        return uint32(PriceSnapshot.unwrap(s) >> 160);
    }

    function isEmpty(PriceSnapshot s) internal pure returns (bool) {
        return PriceSnapshot.unwrap(s) == 0;
    }
}

/// @notice A portfolio as the ledger hands it to the risk engine: packed words, because nested ABI structs cost more
/// than the arithmetic. Word 0 is the base: cash + Σ PnL (signed, [wad]). Then one block per underlying:
///
///     header      underlying id (8 bits) << 248 | number of collaterals in the block (8 bits) << 240 | stuck (1 bit) << 239 |
///                 PriceSnapshot (192 bits)
///     exposure    net size Σ p_m (int128, high) | gross size Σ |p_m| (uint128, low), [wad] base units
///     collateral  collateral id (8 bits) << 248 | stuck (1 bit) << 239 | delisting ramp (24 bits, [ppm] of the way to a haircut of 100 %) << 128 |
///                 value V_j (uint128, low) [wad], as many words as the header says
///
/// What has no usable price is stuck: it counts, but a slice cannot move it. The risk engine does not look at it.
library Portfolios {
    uint256 private constant COLLATERAL_ONE = 1 << 240; // one more in a header's count
    uint256 private constant STUCK = 1 << 239;

    // ---------------------------------------------------------------- building

    /// @notice An empty portfolio with room for what an account with so many markets and collaterals can need.
    function create(uint256 markets, uint256 collaterals) internal pure returns (uint256[] memory words) {
        unchecked {
            words = new uint256[](1 + 2 * markets + 3 * collaterals); // at most 16 and 8
            _setLength(words, 1);
        }
    }

    /// @notice Position of the block of `underlying`; zero if there is none.
    function find(uint256[] memory words, uint256 underlying) internal pure returns (uint256 at) {
        unchecked {
            for (at = 1; at < words.length; at = _end(words, at)) {
                if (_load(words, at) >> 248 == underlying) return at;
            }
            return 0;
        }
    }

    /// @notice Appends an empty block and returns its position.
    function append(
        uint256[] memory words,
        uint256 underlying,
        PriceSnapshot s,
        bool stuck
    ) internal pure returns (uint256 at) {
        unchecked {
            at = words.length;
            _setLength(words, at + 2);
            _store(words, at, (underlying << 248) | (stuck ? STUCK : 0) | PriceSnapshot.unwrap(s));
            _store(words, at + 1, 0);
        }
    }

    /// @notice Adds a size to a block.
    function addSize(uint256[] memory words, uint256 at, int256 size) internal pure {
        unchecked {
            // At most 16 markets of at most 2^96.
            (int256 net, uint256 gross) = parseExposure(_load(words, at + 1));
            _store(words, at + 1, (uint256(net + size) << 128) | (gross + Fixed.abs(size)));
        }
    }

    /// @notice Adds a collateral at the end of a block's list.
    function addCollateral(
        uint256[] memory words,
        uint256 at,
        uint256 id,
        bool stuck,
        uint256 ramp,
        uint256 value
    ) internal pure {
        unchecked {
            uint256 end = _end(words, at);
            uint256 last = words.length;
            _setLength(words, last + 1);
            for (uint256 i = last; i > end; --i) _store(words, i, _load(words, i - 1));
            _store(words, end, (id << 248) | (stuck ? STUCK : 0) | (ramp << 128) | value);
            _store(words, at, _load(words, at) + COLLATERAL_ONE);
        }
    }

    function isStuck(uint256[] memory words, uint256 at) internal pure returns (bool) {
        return _load(words, at) & STUCK != 0;
    }

    function priceAt(uint256[] memory words, uint256 at) internal pure returns (PriceSnapshot) {
        return PriceSnapshot.wrap(_load(words, at) & ((1 << 192) - 1));
    }

    /// @notice A copy in which everything that is not stuck is scaled to `keep` [wad] of itself, rounded up.
    function scale(uint256[] memory words, uint256 keep) internal pure returns (uint256[] memory scaled) {
        scaled = new uint256[](words.length);
        scaled[0] = words[0];
        for (uint256 at = 1; at < words.length;) {
            uint256 end = _end(words, at);
            scaled[at] = words[at];
            bool stuck = words[at] & STUCK != 0;
            (int256 net, uint256 gross) = parseExposure(words[at + 1]);
            if (!stuck) (net, gross) = (net > 0 ? _part(net, keep) : -_part(-net, keep), uint256(_part(int256(gross), keep)));
            scaled[at + 1] = (uint256(net) << 128) | gross;
            for (uint256 i = at + 2; i < end; ++i) {
                uint256 value = uint128(words[i]);
                uint256 kept = words[i] & STUCK != 0 ? value : uint256(_part(int256(value), keep));
                scaled[i] = words[i] - value + kept;
            }
            at = end;
        }
    }

    /// @notice A copy at another price [wad] of the underlying in block `at`, all else fixed.
    function repriced(uint256[] memory words, uint256 at, uint256 newPrice) internal pure returns (uint256[] memory copy) {
        copy = _copy(words);
        uint256 oldPrice = priceAt(words, at).price();
        copy[at] = words[at] - oldPrice + newPrice;
        (int256 net, ) = parseExposure(words[at + 1]);
        copy[0] = uint256(int256(words[0]) + Fixed.divFloor(net * (int256(newPrice) - int256(oldPrice)), 1e18));
        uint256 end = _end(words, at);
        for (uint256 i = at + 2; i < end; ++i) {
            uint256 value = uint128(words[i]);
            copy[i] = words[i] - value + (value * newPrice) / oldPrice;
        }
    }

    /// @notice A copy with `change` of one position's size in block `at`, towards zero, made at the mark for `fee` [wad].
    function resized(
        uint256[] memory words,
        uint256 at,
        int256 change,
        uint256 fee
    ) internal pure returns (uint256[] memory copy) {
        copy = _copy(words);
        (int256 net, uint256 gross) = parseExposure(words[at + 1]);
        copy[0] = uint256(int256(words[0]) - int256(fee));
        copy[at + 1] = (uint256(net + change) << 128) | (gross - Fixed.abs(change));
    }

    // ---------------------------------------------------------------- reading

    /// @notice Word `i`; beyond the end whatever calldata holds there, so the caller checks the length.
    function wordAt(uint256[] calldata words, uint256 i) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(words.offset, shl(5, i)))
        }
    }

    function parseHeader(uint256 word) internal pure returns (uint256 underlying, uint256 collaterals, PriceSnapshot s) {
        return (word >> 248, (word >> 240) & 0xff, PriceSnapshot.wrap(word & ((1 << 192) - 1)));
    }

    function parseExposure(uint256 word) internal pure returns (int256 net, uint256 gross) {
        return (int256(word) >> 128, uint128(word));
    }

    function parseCollateral(uint256 word) internal pure returns (uint256 id, uint256 ramp, uint256 value) {
        return (word >> 248, uint24(word >> 128), uint128(word));
    }

    function _part(int256 amount, uint256 keep) private pure returns (int256) {
        return int256(Fixed.divUp(uint256(amount) * keep, 1e18));
    }

    function _copy(uint256[] memory words) private pure returns (uint256[] memory copy) {
        copy = new uint256[](words.length);
        for (uint256 i = 0; i < words.length; ++i) copy[i] = words[i];
    }

    /// @dev Where the block at `at` ends.
    function _end(uint256[] memory words, uint256 at) private pure returns (uint256) {
        unchecked {
            return at + 2 + ((_load(words, at) >> 240) & 0xff);
        }
    }

    /// @dev words[i] without a check of bounds: positions come from `find` and `append`.
    function _load(uint256[] memory words, uint256 i) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(words, 32), shl(5, i)))
        }
    }

    /// @dev words[i] = word, as `_load`.
    function _store(uint256[] memory words, uint256 i, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(words, 32), shl(5, i)), word)
        }
    }

    /// @dev The array was created with room for everything that is ever appended.
    function _setLength(uint256[] memory words, uint256 length) private pure {
        assembly ("memory-safe") {
            mstore(words, length)
        }
    }
}
