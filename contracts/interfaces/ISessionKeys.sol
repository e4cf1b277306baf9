// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";

// Scopes of a session key. A key has none that its grant does not name.
uint8 constant SCOPE_TRADE = 1; // any order
uint8 constant SCOPE_REDUCE = 2; // reduce-only orders
uint8 constant SCOPE_CANCEL = 4; // cancel orders
uint8 constant SCOPE_DEPOSIT = 8; // bring in the owner's tokens
uint8 constant SCOPE_TRANSFER = 16; // move between the owner's accounts
uint8 constant SCOPE_WITHDRAW = 32; // take out, to the owner
uint8 constant SCOPE_LEND = 64; // lend cash and bring it back
uint8 constant SCOPE_GRANT = 128; // grant a part of its own rights to further keys

/// @notice What an owner, or a key on his behalf, allows a key to do. An order uses up limits when it fills, not when it rests: in each
/// settlement what it trades, rounded up to 0.01 USD, and what it loses, rounded up to 0.0001 USD. In the middle of a batch nobody knows an
/// account's equity: there a key with a floor fills nothing (`CheckPending`).
struct Grant {
    uint8 scopes; // SCOPE_* above
    uint64 markets; // bitmap
    uint32 accounts; // bitmap of serial numbers, isolated accounts like others; bit 31 = 31 and above
    uint40 expiry; // [s] last second at which the key works, below 2^32
    uint24 priceBand; // [ppm] largest distance of its fills from the index price
    uint48 dailyNotional; // [whole USD] most that it may trade in a day (UTC), up to 10 billion; 2^48 − 1 = no limit
    uint48 lossLimit; // [whole USD] most that its fills may lose against the index, all fees included, up to 100 million; 2^48 − 1 = no limit
    uint48 equityFloor; // [whole USD] least equity, net of what went in and out, that its fills leave an account; zero = none
}

/// @notice What a key is granted, what is left of it, and where it comes from. Its fills lose Σ (price − index) · Δsize and fees of both
/// kinds; what they gain may be lost again, up to 110 million USD in all.
struct KeyState {
    Grant grant;
    uint256 version; // how often it has been granted or revoked since its owner last revoked all
    address parent; // key that granted it; zero: the owner
    bool live; // neither expired nor revoked, and no key above it is
    uint256 notionalLeft; // [0.01 USD] that it may still trade today; 2^256 − 1 = no limit
    uint256 lossLeft; // [0.0001 USD] that its fills may still lose; 2^256 − 1 = no limit
}

/// @title Session keys
/// @notice A key signs orders in its owner's place, within its grant. It never owns anything. Revocation works in the same transaction,
/// for the key and for all keys below it, and nothing revives what was granted before: what is granted again is a new grant.
interface ISessionKeys {
    event KeyGranted(address indexed owner, address indexed key, address indexed parent, Grant grant);
    event KeyRevoked(address indexed owner, address indexed key, address caller);

    /// @dev Neither the owner nor one of his keys has signed or calls.
    error UnknownKey(address owner, address key);
    /// @dev The key, or one above it, has been revoked; or one above it is dead or was granted anew since.
    error KeyIsRevoked(address owner, address key);
    error KeyExpired(address key, uint256 expiry, uint256 now_);
    error KeyLacksScope(address key, uint256 scopes, uint256 required);
    error KeyLacksMarket(address key, uint256 market);
    error KeyLacksAccount(address key, AccountId account);
    /// @dev `price` and `index` [wad], `band` [ppm].
    error KeyPriceBand(address key, uint256 price, uint256 index, uint256 band);
    /// @dev What the order trades, and what is left for today; both [0.01 USD].
    error KeyNotionalLimit(address key, uint256 notional, uint256 left);
    /// @dev What the order loses, and what is left; both [0.0001 USD].
    error KeyLossLimit(address key, int256 loss, uint256 left);
    /// @dev Both [wad]. Equity less the net flow since `trackFlows`.
    error KeyEquityFloor(address key, AccountId account, int256 netEquity, uint256 floor);
    /// @dev A key with a floor has traded with an account whose net flow is not counted (`IClearingHouse.trackFlows`).
    error FlowsNotTracked(AccountId account);
    /// @dev `field` of the grant is more than its granter has (less, if it is the floor), or is out of bounds.
    error GrantTooWide(bytes32 field, uint256 value, uint256 maximum);
    /// @dev The owner has not signed this at this epoch and, of a grant or a revocation, this version of the key.
    error InvalidAuthorisation(address owner, uint256 epoch, uint256 version);
    /// @dev The key has a living grant from somebody else than the caller.
    error KeyTaken(address owner, address key, address parent);

    /// @notice Allows `key` to act for `owner`, in place of what it was allowed before; `revokeAll` forgets it. The owner may grant anything; a key of his with
    /// `SCOPE_GRANT` at most its own rights, to keys no deeper than two below the owner's own, and what these use counts against it.
    function grant(address owner, address key, Grant calldata grant_) external;

    /// @notice Grants as the owner, who has signed it: EIP-712 `Grant` with the key's version and the owner's epoch as they are, so it works
    /// once, and not after `revokeAll`. Anyone may bring it.
    /// @param signature 65-byte ECDSA of the owner, or whatever the owner's ERC-1271 accepts
    function grantFor(address owner, address key, Grant calldata grant_, bytes calldata signature) external;

    /// @notice Ends `key` and every key below it, for good: they can be granted something anew only after `revokeAll`, with which what they
    /// have signed ends. Owner, the key itself, or a key above it.
    function revoke(address owner, address key) external;

    /// @notice Revokes as the owner, who has signed it: EIP-712 `Revoke` with the key's version and the owner's epoch as they are. It can be
    /// signed with the grant and kept for the day it is needed; anyone may bring it.
    function revokeFor(address owner, address key, bytes calldata signature) external;

    /// @notice The grant of a key since its owner last revoked all, and what is left of it.
    function sessionKey(address owner, address key) external view returns (KeyState memory);
}
