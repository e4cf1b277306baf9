// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A segregated margin account: owner address (160 bits, high) and index (96 bits, low).
/// Index 0 is the owner's main account. Nothing is stored to create an account, and it cannot change hands.
/// Index layout: bit 95 = isolated flag, bits 80 to 94 = the isolated account's market, bits 0 to 79 = serial number.
type AccountId is uint256;

using AccountIds for AccountId global;

library AccountIds {
    uint256 private constant ISOLATED = 1 << 95;
    uint256 private constant MARKET_SHIFT = 80;
    uint256 private constant MARKET_MASK = (1 << 15) - 1;

    /// @notice The account of `owner` with `index`.
    function derive(address owner, uint96 index) internal pure returns (AccountId) {
        return AccountId.wrap((uint256(uint160(owner)) << 96) | index);
    }

    /// @notice The main account (index 0) of `owner`.
    function main(address owner) internal pure returns (AccountId) {
        return AccountId.wrap(uint256(uint160(owner)) << 96);
    }

    function ownerOf(AccountId id) internal pure returns (address) {
        return address(uint160(AccountId.unwrap(id) >> 96));
    }

    function isIsolated(AccountId id) internal pure returns (bool) {
        return AccountId.unwrap(id) & ISOLATED != 0;
    }

    /// @notice The only market an isolated account may hold; meaningless for other accounts.
    function isolatedMarket(AccountId id) internal pure returns (uint256) {
        return (AccountId.unwrap(id) >> MARKET_SHIFT) & MARKET_MASK;
    }

    function equals(AccountId a, AccountId b) internal pure returns (bool) {
        return AccountId.unwrap(a) == AccountId.unwrap(b);
    }
}
