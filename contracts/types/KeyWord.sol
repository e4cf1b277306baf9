// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Grant} from "../interfaces/ISessionKeys.sol";

/// @notice All of a session key that a fill reads and writes, in one word: the masks of its grant and what is left of its limits. From the
/// low bits: markets 64, accounts 32, expiry 32, price band 20, scopes 8, whether it is below another key, has a floor on equity, was
/// granted by a contract wallet (a bit each), one bit free, day 16, notional left 40, loss left 40.
type KeyWord is uint256;

using KeyWords for KeyWord global;

/// @dev Of what is left: more than any amount of it.
uint256 constant NO_LIMIT = type(uint40).max;

library KeyWords {
    uint256 private constant BAND_MASK = (1 << 20) - 1;
    uint256 private constant BELOW = 1 << 156;
    uint256 private constant FLOOR = 1 << 157;
    uint256 private constant WALLET = 1 << 158;
    uint256 private constant LIMITS = ((1 << 96) - 1) << 160; // day and what is left

    /// @notice A key that is granted this, within its bits; its limits are yet to be given.
    function from(Grant calldata g, bool below, bool ofWallet) internal pure returns (KeyWord) {
        uint256 w = g.markets | (uint256(g.accounts) << 64) | (uint256(g.expiry) << 96);
        w |= (uint256(g.priceBand) << 128) | (uint256(g.scopes) << 148);
        if (below) w |= BELOW;
        if (g.equityFloor != 0) w |= FLOOR;
        if (ofWallet) w |= WALLET;
        return KeyWord.wrap(w);
    }

    /// @notice Whether there was any grant: none is without a scope.
    function isGranted(KeyWord w) internal pure returns (bool) {
        return scopes(w) != 0;
    }

    /// @notice Bitmap.
    function markets(KeyWord w) internal pure returns (uint256) {
        return uint64(KeyWord.unwrap(w));
    }

    /// @notice Bitmap of serial numbers.
    function accounts(KeyWord w) internal pure returns (uint256) {
        return uint32(KeyWord.unwrap(w) >> 64);
    }

    /// @notice [s] Last second at which the key works; zero: revoked.
    function expiry(KeyWord w) internal pure returns (uint256) {
        return uint32(KeyWord.unwrap(w) >> 96);
    }

    /// @notice [ppm]
    function priceBand(KeyWord w) internal pure returns (uint256) {
        return (KeyWord.unwrap(w) >> 128) & BAND_MASK;
    }

    function scopes(KeyWord w) internal pure returns (uint256) {
        return uint8(KeyWord.unwrap(w) >> 148);
    }

    /// @notice Whether another key has granted it.
    function isBelow(KeyWord w) internal pure returns (bool) {
        return KeyWord.unwrap(w) & BELOW != 0;
    }

    function hasFloor(KeyWord w) internal pure returns (bool) {
        return KeyWord.unwrap(w) & FLOOR != 0;
    }

    /// @notice Whether the owner was a contract when he granted it.
    function isOfWallet(KeyWord w) internal pure returns (bool) {
        return KeyWord.unwrap(w) & WALLET != 0;
    }

    /// @notice [days since 1970] for which the notional left is.
    function day(KeyWord w) internal pure returns (uint256) {
        return uint16(KeyWord.unwrap(w) >> 160);
    }

    /// @notice [0.01 USD] or `NO_LIMIT`
    function notionalLeft(KeyWord w) internal pure returns (uint256) {
        return uint40(KeyWord.unwrap(w) >> 176);
    }

    /// @notice [0.0001 USD] or `NO_LIMIT`
    function lossLeft(KeyWord w) internal pure returns (uint256) {
        return KeyWord.unwrap(w) >> 216;
    }

    /// @notice The same grant with other limits left, each within its bits.
    function withLeft(KeyWord w, uint256 day_, uint256 notional, uint256 loss) internal pure returns (KeyWord) {
        uint256 limits = (day_ << 160) | (notional << 176) | (loss << 216);
        return KeyWord.wrap((KeyWord.unwrap(w) & ~LIMITS) | limits);
    }

    /// @notice The same key, revoked.
    function revoked(KeyWord w) internal pure returns (KeyWord) {
        return KeyWord.wrap(KeyWord.unwrap(w) & ~(uint256(type(uint32).max) << 96));
    }
}
