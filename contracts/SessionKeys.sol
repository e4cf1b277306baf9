// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {EfficientHashLib} from "solady/src/utils/EfficientHashLib.sol";
import {Grant, ISessionKeys, KeyState, SCOPE_GRANT} from "./interfaces/ISessionKeys.sol";
import {Fixed} from "./libraries/Fixed.sol";
import {AccountId} from "./types/AccountId.sol";
import {KeyWord, KeyWords, NO_LIMIT} from "./types/KeyWord.sol";
import {PPM, WAD} from "./types/LedgerTypes.sol";

/// @title Session keys
/// @notice See `ISessionKeys`.
abstract contract SessionKeys is ISessionKeys {
    bytes32 private constant GRANT_TYPEHASH = keccak256(
        "Grant(address owner,address key,uint8 scopes,uint64 markets,uint32 accounts,uint40 expiry,uint24 priceBand,uint48 dailyNotional,uint48 lossLimit,uint48 equityFloor,uint256 version,uint256 epoch)"
    );
    bytes32 private constant REVOKE_TYPEHASH = keccak256(
        "Revoke(address owner,address key,uint256 version,uint256 epoch)"
    );
    uint256 internal constant ANY_MARKET = type(uint256).max; // no market is listed under it
    uint256 private constant MAX_DEPTH = 2;
    uint256 private constant UNLIMITED = type(uint48).max; // in a grant
    uint256 private constant MAX_DAILY_NOTIONAL = 10e9; // [whole USD]
    uint256 private constant MAX_LOSS_LIMIT = 100e6; // [whole USD]
    uint256 private constant LAST_SERIAL = 31; // bit of all serial numbers from here on
    uint256 private constant CENT = 1e16; // [wad] unit of the notional left
    uint256 private constant LOSS_UNIT = 1e14; // [wad] of the loss left

    /// @dev A fill needs the first word only, but for the first of a day, a floor, and a key above.
    struct Key {
        KeyWord word;
        uint48 dailyNotional;
        uint48 lossLimit;
        uint48 equityFloor;
        uint32 version; // never goes back, so a grant that is made again does not revive the keys below the old one
        uint8 depth; // keys above it
        address parent;
        uint32 parentVersion;
    }

    /// @dev Who has signed the struct of EIP-712 that hashes to this: `owner` (`key` is zero), a key of his that may or may not be alive, or
    /// nobody known.
    function _authorOf(
        address owner,
        uint256 epoch,
        bytes32 structHash,
        bytes calldata signature
    ) internal view virtual returns (bool known, address key);

    /// @dev The owner's epoch, in which his keys are looked for.
    function _epochOf(address owner) internal view virtual returns (uint256);

    /// @dev Equity [wad] of an account less the net flow into it, which must be counted.
    function _netEquityOf(AccountId account) internal view virtual returns (int256);

    /// @inheritdoc ISessionKeys
    function grant(address owner, address key, Grant calldata g) external {
        _grant(owner, _epochOf(owner), key, g, msg.sender == owner ? address(0) : msg.sender);
    }

    /// @inheritdoc ISessionKeys
    function grantFor(address owner, address key, Grant calldata g, bytes calldata signature) external {
        uint256 epoch = _epochOf(owner);
        uint256 version = _keyAt(owner, epoch, key).version;
        bytes32 hash = keccak256(abi.encode(GRANT_TYPEHASH, owner, key, g, version, epoch));
        if (!_hasSigned(owner, epoch, hash, signature)) revert InvalidAuthorisation(owner, epoch, version);
        _grant(owner, epoch, key, g, address(0));
    }

    /// @inheritdoc ISessionKeys
    function revoke(address owner, address key) external {
        uint256 epoch = _epochOf(owner);
        if (msg.sender != owner) _requireAbove(owner, epoch, key, msg.sender);
        _revoke(owner, epoch, key);
    }

    /// @inheritdoc ISessionKeys
    function revokeFor(address owner, address key, bytes calldata signature) external {
        uint256 epoch = _epochOf(owner);
        uint256 version = _keyAt(owner, epoch, key).version;
        bytes32 hash = keccak256(abi.encode(REVOKE_TYPEHASH, owner, key, version, epoch));
        if (!_hasSigned(owner, epoch, hash, signature)) revert InvalidAuthorisation(owner, epoch, version);
        _revoke(owner, epoch, key);
    }

    /// @inheritdoc ISessionKeys
    function sessionKey(address owner, address key) external view returns (KeyState memory state) {
        uint256 epoch = _epochOf(owner);
        Key storage k = _keyAt(owner, epoch, key);
        KeyWord word = k.word;
        state.grant = Grant(
            uint8(word.scopes()),
            uint64(word.markets()),
            uint32(word.accounts()),
            uint40(word.expiry()),
            uint24(word.priceBand()),
            k.dailyNotional,
            k.lossLimit,
            k.equityFloor
        );
        (state.version, state.parent, state.live) = (k.version, k.parent, _isLive(owner, epoch, key));
        word = _today(k, word);
        state.notionalLeft = word.notionalLeft() == NO_LIMIT ? type(uint256).max : word.notionalLeft();
        state.lossLeft = word.lossLeft() == NO_LIMIT ? type(uint256).max : word.lossLeft();
    }

    // ---------------------------------------------------------------- granting and revoking

    function _hasSigned(
        address owner,
        uint256 epoch,
        bytes32 structHash,
        bytes calldata signature
    ) internal view returns (bool) {
        (bool known, address key) = _authorOf(owner, epoch, structHash, signature);
        return known && key == address(0);
    }

    function _grant(address owner, uint256 epoch, address key, Grant calldata g, address parent) private {
        if (key == address(0) || key == owner) revert UnknownKey(owner, key);
        _requireBounds(key, g);
        Key storage k = _keyAt(owner, epoch, key);
        _requireUnrevoked(owner, epoch, key);
        if (parent == address(0)) (k.parent, k.parentVersion, k.depth) = (parent, 0, 0);
        else _putBelow(owner, epoch, key, k, parent, g);
        (k.dailyNotional, k.lossLimit, k.equityFloor) = (g.dailyNotional, g.lossLimit, g.equityFloor);
        ++k.version;
        uint256 loss = g.lossLimit == UNLIMITED ? NO_LIMIT : g.lossLimit * (WAD / LOSS_UNIT);
        KeyWord word = KeyWords.from(g, parent != address(0), owner.code.length != 0);
        k.word = word.withLeft(block.timestamp / 1 days, _dailyLimit(k), loss);
        emit KeyGranted(owner, key, parent, g);
    }

    function _requireBounds(address key, Grant calldata g) private view {
        if (g.scopes == 0) revert GrantTooWide("scopes", 0, type(uint8).max);
        if (g.priceBand > PPM) revert GrantTooWide("priceBand", g.priceBand, PPM);
        if (g.expiry < block.timestamp) revert KeyExpired(key, g.expiry, block.timestamp);
        if (g.expiry > type(uint32).max) revert GrantTooWide("expiry", g.expiry, type(uint32).max);
        if (g.dailyNotional > MAX_DAILY_NOTIONAL && g.dailyNotional != UNLIMITED) {
            revert GrantTooWide("dailyNotional", g.dailyNotional, MAX_DAILY_NOTIONAL);
        }
        if (g.lossLimit > MAX_LOSS_LIMIT && g.lossLimit != UNLIMITED) {
            revert GrantTooWide("lossLimit", g.lossLimit, MAX_LOSS_LIMIT);
        }
    }

    function _revoke(address owner, uint256 epoch, address key) private {
        Key storage k = _keyAt(owner, epoch, key);
        if (k.word.expiry() == 0) revert UnknownKey(owner, key);
        k.word = k.word.revoked();
        ++k.version;
        emit KeyRevoked(owner, key, msg.sender);
    }

    // ---------------------------------------------------------------- what a key may do

    /// @dev By owner, his epoch and key: nobody finds again what was granted in another epoch. The hash is the slot itself; a mapping would
    /// hash once more.
    function _keyAt(address owner, uint256 epoch, address key) private pure returns (Key storage k) {
        bytes32 slot = EfficientHashLib.hash(uint160(owner), epoch, uint160(key));
        assembly ("memory-safe") {
            k.slot := slot
        }
    }

    /// @dev Whether the owner has granted it anything since he last revoked all.
    function _isKey(address owner, uint256 epoch, address key) internal view returns (bool) {
        return _keyAt(owner, epoch, key).word.isGranted();
    }

    /// @dev Likewise, and was no contract then.
    function _isKeyOfNoWallet(address owner, uint256 epoch, address key) internal view returns (bool) {
        KeyWord word = _keyAt(owner, epoch, key).word;
        return word.isGranted() && !word.isOfWallet();
    }

    /// @dev Refuses unless `key`, and every key above it, may do one of `scopes` with this account, and in this market.
    function _requireKey(
        address owner,
        uint256 epoch,
        address key,
        uint256 scopes,
        AccountId account,
        uint256 market
    ) internal view {
        uint256 bit = Fixed.min(uint80(AccountId.unwrap(account)), LAST_SERIAL); // of the serial number
        for (address a = key; a != address(0);) {
            Key storage k = _keyAt(owner, epoch, a);
            KeyWord word = k.word;
            _requireLive(owner, a, word);
            if (word.scopes() & scopes == 0) revert KeyLacksScope(a, word.scopes(), scopes);
            if (word.accounts() & (1 << bit) == 0) revert KeyLacksAccount(a, account);
            if (market != ANY_MARKET && word.markets() & (1 << market) == 0) revert KeyLacksMarket(a, market);
            a = _above(owner, epoch, k, word);
        }
    }

    /// @dev Takes an order's fills off what is left to `key` and every key above it, rounded against them.
    /// @param value [wad²] traded
    /// @param lost [wad²] against the index, fees included
    /// @param price [wad] of the fill that is furthest from `index` [wad]
    function _use(
        AccountId account,
        uint256 epoch,
        address key,
        uint256 value,
        int256 lost,
        uint256 price,
        uint256 index
    ) internal {
        address owner = account.ownerOf();
        uint256 distance = Fixed.distance(price, index);
        uint256 notional = Fixed.divUp(value, WAD * CENT);
        int256 loss = -Fixed.divFloor(-lost, int256(WAD * LOSS_UNIT));
        for (address a = key; a != address(0);) {
            Key storage k = _keyAt(owner, epoch, a);
            KeyWord word = _today(k, k.word);
            if (distance * PPM > index * word.priceBand()) revert KeyPriceBand(a, price, index, word.priceBand());
            if (word.hasFloor()) _requireFloor(a, account, k.equityFloor);
            k.word = word.withLeft(
                word.day(),
                _notionalLeft(a, word.notionalLeft(), notional),
                _lossLeft(a, word.lossLeft(), loss)
            );
            a = _above(owner, epoch, k, word);
        }
    }

    function _notionalLeft(address key, uint256 left, uint256 notional) private pure returns (uint256) {
        if (left == NO_LIMIT) return left;
        if (notional > left) revert KeyNotionalLimit(key, notional, left);
        return left - notional;
    }

    /// @dev What is gained against the index may be lost again.
    function _lossLeft(address key, uint256 left, int256 loss) private pure returns (uint256) {
        if (left == NO_LIMIT) return left;
        if (loss > int256(left)) revert KeyLossLimit(key, loss, left);
        return Fixed.min(uint256(int256(left) - loss), NO_LIMIT - 1);
    }

    /// @dev The word of a key with all its notional left if a day has begun since.
    function _today(Key storage k, KeyWord word) private view returns (KeyWord) {
        uint256 day = block.timestamp / 1 days;
        return
            word.day() == day || word.notionalLeft() == NO_LIMIT
                ? word
                : word.withLeft(day, _dailyLimit(k), word.lossLeft());
    }

    /// @dev [0.01 USD]
    function _dailyLimit(Key storage k) private view returns (uint256) {
        uint256 limit = k.dailyNotional;
        return limit == UNLIMITED ? NO_LIMIT : limit * (WAD / CENT);
    }

    function _requireFloor(address key, AccountId account, uint256 floor) private view {
        int256 equity = _netEquityOf(account);
        if (equity < int256(floor * WAD)) revert KeyEquityFloor(key, account, equity, floor * WAD);
    }

    // ---------------------------------------------------------------- keys above keys

    /// @dev Puts a key below the one that grants it, which must have whatever it grants.
    function _putBelow(
        address owner,
        uint256 epoch,
        address key,
        Key storage k,
        address parent,
        Grant calldata g
    ) private {
        Key storage p = _keyAt(owner, epoch, parent);
        KeyWord word = p.word;
        _requireLive(owner, parent, word);
        if (!_isLive(owner, epoch, parent)) revert KeyIsRevoked(owner, parent); // a key above it is dead
        if (word.scopes() & SCOPE_GRANT == 0) revert KeyLacksScope(parent, word.scopes(), SCOPE_GRANT);
        if (_isLive(owner, epoch, key) && k.parent != parent) revert KeyTaken(owner, key, k.parent);
        if (p.depth == MAX_DEPTH) revert GrantTooWide("depth", p.depth + 1, MAX_DEPTH);
        if (g.scopes & ~word.scopes() != 0) revert GrantTooWide("scopes", g.scopes, word.scopes());
        if (g.markets & ~word.markets() != 0) revert GrantTooWide("markets", g.markets, word.markets());
        if (g.accounts & ~word.accounts() != 0) revert GrantTooWide("accounts", g.accounts, word.accounts());
        if (g.expiry > word.expiry()) revert GrantTooWide("expiry", g.expiry, word.expiry());
        if (g.priceBand > word.priceBand()) revert GrantTooWide("priceBand", g.priceBand, word.priceBand());
        if (g.dailyNotional > p.dailyNotional) revert GrantTooWide("dailyNotional", g.dailyNotional, p.dailyNotional);
        if (g.lossLimit > p.lossLimit) revert GrantTooWide("lossLimit", g.lossLimit, p.lossLimit);
        if (g.equityFloor < p.equityFloor) revert GrantTooWide("equityFloor", g.equityFloor, p.equityFloor);
        (k.parent, k.parentVersion, k.depth) = (parent, p.version, p.depth + 1);
    }

    /// @dev The key above, zero at the top. Depth bounds the way up.
    function _above(address owner, uint256 epoch, Key storage k, KeyWord word) private view returns (address parent) {
        if (!word.isBelow()) return address(0);
        parent = k.parent;
        if (_keyAt(owner, epoch, parent).version != k.parentVersion) revert KeyIsRevoked(owner, parent);
    }

    function _requireLive(address owner, address key, KeyWord word) private view {
        if (!word.isGranted()) revert UnknownKey(owner, key);
        if (word.expiry() == 0) revert KeyIsRevoked(owner, key);
        if (block.timestamp > word.expiry()) revert KeyExpired(key, word.expiry(), block.timestamp);
    }

    function _isLive(address owner, uint256 epoch, address key) private view returns (bool) {
        Key storage k = _keyAt(owner, epoch, key);
        if (k.word.expiry() < block.timestamp) return false;
        if (!k.word.isBelow()) return true;
        return _keyAt(owner, epoch, k.parent).version == k.parentVersion && _isLive(owner, epoch, k.parent);
    }

    /// @dev A key that was revoked, or below one that was: what it has signed would be good again.
    function _requireUnrevoked(address owner, uint256 epoch, address key) private view {
        for (address a = key; a != address(0);) {
            Key storage k = _keyAt(owner, epoch, a);
            KeyWord word = k.word;
            if (word.isGranted() && word.expiry() == 0) revert KeyIsRevoked(owner, a);
            a = word.isBelow() ? k.parent : address(0);
        }
    }

    function _requireAbove(address owner, uint256 epoch, address key, address caller) private view {
        for (address a = key; a != address(0);) {
            if (a == caller) return;
            Key storage k = _keyAt(owner, epoch, a);
            a = _above(owner, epoch, k, k.word);
        }
        revert UnknownKey(owner, caller);
    }
}
