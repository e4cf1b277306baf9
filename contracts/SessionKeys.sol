// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Grant, ISessionKeys, KeyState, SCOPE_GRANT} from "./interfaces/ISessionKeys.sol";
import {Fixed} from "./libraries/Fixed.sol";
import {AccountId} from "./types/AccountId.sol";
import {PPM, WAD} from "./types/LedgerTypes.sol";

/// @title Session keys
/// @notice See `ISessionKeys`.
abstract contract SessionKeys is ISessionKeys {
    using SafeCast for uint256;
    using SafeCast for int256;

    bytes32 private constant GRANT_TYPEHASH = keccak256(
        "Grant(address owner,address key,uint8 scopes,uint64 markets,uint32 accounts,uint40 expiry,uint24 priceBand,uint48 dailyNotional,uint48 lossLimit,uint48 equityFloor,uint256 version,uint256 epoch)"
    );
    bytes32 private constant REVOKE_TYPEHASH = keccak256("Revoke(address owner,address key,uint256 version)");
    uint256 internal constant ANY_MARKET = type(uint256).max; // no market is listed under it
    uint256 private constant MAX_DEPTH = 2;
    uint256 private constant UNLIMITED = type(uint48).max;
    uint256 private constant LAST_SERIAL = 31; // bit of all serial numbers from here on
    uint256 private constant TRADED_UNIT = 1e12; // [wad] in which traded notional is kept
    uint256 private constant LOSS_UNIT = 1e9; // [wad] in which losses are kept

    /// @dev Three words: 64 + 32 + 40 + 32 + 24 + 8 + 8 + 32 + 8 = 248, 48 + 64 + 16 + 48 + 80 = 256, and 160 + 32 + 48 = 240 bits of keys
    /// that a key has granted or that have a floor. `version` never goes back, so a grant that is made again does not revive the keys below the old one.
    struct Key {
        uint64 markets;
        uint32 accounts;
        uint40 expiry; // zero: none, or revoked
        uint32 epoch; // the owner's when it was granted
        uint24 priceBand;
        uint8 scopes;
        uint8 depth; // keys above it
        uint32 version;
        bool hasFloor;
        uint48 dailyNotional;
        uint64 traded; // on `day`
        uint16 day;
        uint48 lossLimit;
        int80 loss;
        address parent;
        uint32 parentVersion;
        uint48 equityFloor; // read only if `hasFloor`
    }

    mapping(address owner => mapping(address key => Key)) private _keys;

    /// @dev Who has signed the struct of EIP-712 that hashes to this: `owner` (`key` is zero), a key of his that may or may not be alive, or
    /// nobody known.
    function _authorOf(
        address owner,
        bytes32 structHash,
        bytes calldata signature
    ) internal view virtual returns (bool known, address key);

    /// @dev The epoch that grants of `owner` must carry.
    function _epochOf(address owner) internal view virtual returns (uint32);

    /// @dev Equity [wad] of an account less the net flow into it, which must be counted.
    function _netEquityOf(AccountId account) internal view virtual returns (int256);

    /// @inheritdoc ISessionKeys
    function grant(address owner, address key, Grant calldata g) external {
        _grant(owner, key, g, msg.sender == owner ? address(0) : msg.sender);
    }

    /// @inheritdoc ISessionKeys
    function grantFor(address owner, address key, Grant calldata g, bytes calldata signature) external {
        (uint256 version, uint256 epoch) = (_keys[owner][key].version, _epochOf(owner));
        bytes32 hash = keccak256(abi.encode(GRANT_TYPEHASH, owner, key, g, version, epoch));
        if (!_hasSigned(owner, hash, signature)) revert InvalidAuthorisation(owner, epoch, version);
        _grant(owner, key, g, address(0));
    }

    /// @inheritdoc ISessionKeys
    function revoke(address owner, address key) external {
        if (msg.sender != owner) _requireAbove(owner, key, msg.sender);
        _revoke(owner, key);
    }

    /// @inheritdoc ISessionKeys
    function revokeFor(address owner, address key, bytes calldata signature) external {
        uint256 version = _keys[owner][key].version;
        bytes32 hash = keccak256(abi.encode(REVOKE_TYPEHASH, owner, key, version));
        if (!_hasSigned(owner, hash, signature)) revert InvalidAuthorisation(owner, _epochOf(owner), version);
        _revoke(owner, key);
    }

    /// @inheritdoc ISessionKeys
    function sessionKey(address owner, address key) external view returns (KeyState memory state) {
        Key memory k = _keys[owner][key];
        state.grant = Grant(
            k.scopes,
            k.markets,
            k.accounts,
            k.expiry,
            k.priceBand,
            k.dailyNotional,
            k.lossLimit,
            k.equityFloor
        );
        (state.version, state.parent, state.live) = (k.version, k.parent, _isLive(owner, key));
        state.tradedToday = k.day == block.timestamp / 1 days ? k.traded : 0;
        (state.loss, state.lastDay) = (k.loss, k.day);
    }

    // ---------------------------------------------------------------- granting and revoking

    function _hasSigned(address owner, bytes32 structHash, bytes calldata signature) internal view returns (bool) {
        (bool known, address key) = _authorOf(owner, structHash, signature);
        return known && key == address(0);
    }

    function _grant(address owner, address key, Grant calldata g, address parent) private {
        if (key == address(0) || key == owner) revert UnknownKey(owner, key);
        if (g.scopes == 0) revert GrantTooWide("scopes", 0, type(uint8).max);
        if (g.priceBand > PPM) revert GrantTooWide("priceBand", g.priceBand, PPM);
        if (g.expiry < block.timestamp) revert KeyExpired(key, g.expiry, block.timestamp);
        Key storage k = _keys[owner][key];
        if (parent == address(0)) (k.parent, k.parentVersion, k.depth) = (parent, 0, 0);
        else _putBelow(owner, key, k, parent, g);
        (k.markets, k.accounts, k.scopes, k.priceBand) = (g.markets, g.accounts, g.scopes, g.priceBand);
        (k.expiry, k.epoch) = (g.expiry, _epochOf(owner));
        (k.dailyNotional, k.lossLimit) = (g.dailyNotional, g.lossLimit);
        (k.equityFloor, k.hasFloor) = (g.equityFloor, g.equityFloor != 0);
        (k.traded, k.day, k.loss) = (0, 0, 0);
        ++k.version;
        emit KeyGranted(owner, key, parent, g);
    }

    function _revoke(address owner, address key) private {
        Key storage k = _keys[owner][key];
        if (k.expiry == 0) revert UnknownKey(owner, key);
        k.expiry = 0;
        ++k.version;
        emit KeyRevoked(owner, key, msg.sender);
    }

    // ---------------------------------------------------------------- what a key may do

    function _isKey(address owner, address key) internal view returns (bool) {
        return _keys[owner][key].version != 0;
    }

    /// @dev Refuses unless `key`, and every key above it, may do one of `scopes` with this account, and in this market.
    function _requireKey(address owner, address key, uint256 scopes, AccountId account, uint256 market) internal view {
        uint256 bit = Fixed.min(uint80(AccountId.unwrap(account)), LAST_SERIAL); // of the serial number
        for (address a = key; a != address(0);) {
            Key storage k = _requireLive(owner, a);
            if (k.scopes & scopes == 0) revert KeyLacksScope(a, k.scopes, scopes);
            if (k.accounts & (1 << bit) == 0) revert KeyLacksAccount(a, account);
            if (market != ANY_MARKET && k.markets & (1 << market) == 0) revert KeyLacksMarket(a, market);
            a = _above(owner, k);
        }
    }

    /// @dev Counts a fill of `delta` [wad] at `price` against the limits of `key` and every key above it, rounded against them.
    function _use(AccountId account, address key, int256 delta, uint256 price, uint256 index, uint256 fee) internal {
        address owner = account.ownerOf();
        uint256 distance = price > index ? price - index : index - price;
        uint256 notional = Fixed.divUp(Fixed.abs(delta) * price, WAD * TRADED_UNIT);
        int256 loss = _divUp((int256(price) - int256(index)) * delta + int256(fee * WAD), int256(WAD * LOSS_UNIT));
        for (address a = key; a != address(0);) {
            Key storage k = _keys[owner][a];
            if (distance * PPM > index * k.priceBand) revert KeyPriceBand(a, price, index, k.priceBand);
            uint256 traded = notional + (k.day == block.timestamp / 1 days ? k.traded : 0);
            int256 lost = k.loss + loss;
            uint256 limit = uint256(k.dailyNotional) * (WAD / TRADED_UNIT);
            if (k.dailyNotional != UNLIMITED && traded > limit) revert KeyNotionalLimit(a, traded, limit);
            limit = uint256(k.lossLimit) * (WAD / LOSS_UNIT);
            if (k.lossLimit != UNLIMITED && lost > int256(limit)) revert KeyLossLimit(a, lost, limit);
            if (k.hasFloor) _requireFloor(a, account, k.equityFloor);
            (k.traded, k.day, k.loss) = (traded.toUint64(), uint16(block.timestamp / 1 days), int256(lost).toInt80());
            emit KeyUsed(owner, a, traded, lost);
            a = _above(owner, k);
        }
    }

    function _requireFloor(address key, AccountId account, uint256 floor) private view {
        int256 equity = _netEquityOf(account);
        if (equity < int256(floor * WAD)) revert KeyEquityFloor(key, account, equity, floor * WAD);
    }

    // ---------------------------------------------------------------- keys above keys

    /// @dev Puts a key below the one that grants it, which must have whatever it grants.
    function _putBelow(address owner, address key, Key storage k, address parent, Grant calldata g) private {
        Key storage p = _requireLive(owner, parent);
        if (!_isLive(owner, parent)) revert KeyIsRevoked(owner, parent); // a key above it is dead
        if (p.scopes & SCOPE_GRANT == 0) revert KeyLacksScope(parent, p.scopes, SCOPE_GRANT);
        if (_isLive(owner, key) && k.parent != parent) revert KeyTaken(owner, key, k.parent);
        if (p.depth == MAX_DEPTH) revert GrantTooWide("depth", p.depth + 1, MAX_DEPTH);
        if (g.scopes & ~p.scopes != 0) revert GrantTooWide("scopes", g.scopes, p.scopes);
        if (g.markets & ~p.markets != 0) revert GrantTooWide("markets", g.markets, p.markets);
        if (g.accounts & ~p.accounts != 0) revert GrantTooWide("accounts", g.accounts, p.accounts);
        if (g.expiry > p.expiry) revert GrantTooWide("expiry", g.expiry, p.expiry);
        if (g.priceBand > p.priceBand) revert GrantTooWide("priceBand", g.priceBand, p.priceBand);
        if (g.dailyNotional > p.dailyNotional) revert GrantTooWide("dailyNotional", g.dailyNotional, p.dailyNotional);
        if (g.lossLimit > p.lossLimit) revert GrantTooWide("lossLimit", g.lossLimit, p.lossLimit);
        if (g.equityFloor < p.equityFloor) revert GrantTooWide("equityFloor", g.equityFloor, p.equityFloor);
        (k.parent, k.parentVersion, k.depth) = (parent, p.version, p.depth + 1);
    }

    /// @dev The key above, zero at the top. Depth bounds the way up.
    function _above(address owner, Key storage k) private view returns (address parent) {
        if (k.depth == 0) return address(0);
        parent = k.parent;
        if (_keys[owner][parent].version != k.parentVersion) revert KeyIsRevoked(owner, parent);
    }

    function _requireLive(address owner, address key) private view returns (Key storage k) {
        k = _keys[owner][key];
        if (k.version == 0) revert UnknownKey(owner, key);
        if (k.expiry == 0 || k.epoch != _epochOf(owner)) revert KeyIsRevoked(owner, key);
        if (block.timestamp > k.expiry) revert KeyExpired(key, k.expiry, block.timestamp);
    }

    function _isLive(address owner, address key) private view returns (bool live) {
        Key storage k = _keys[owner][key];
        live = k.expiry >= block.timestamp && k.epoch == _epochOf(owner);
        if (!live || k.depth == 0) return live;
        return _keys[owner][k.parent].version == k.parentVersion && _isLive(owner, k.parent);
    }

    function _requireAbove(address owner, address key, address caller) private view {
        for (address a = key; a != address(0);) {
            if (a == caller) return;
            a = _above(owner, _keys[owner][a]);
        }
        revert UnknownKey(owner, caller);
    }

    function _divUp(int256 a, int256 b) private pure returns (int256) {
        return a / b + (a % b > 0 ? int256(1) : int256(0));
    }
}
