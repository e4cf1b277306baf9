// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";

/// @notice What the ledger remembers within one transaction: the lock of the house, the accounts that a check is pending for,
/// what was in a storage slot before its first change, and prices.
/// @dev Checks and pre-images belong to one outermost call: their keys carry an epoch that each such call bumps, so that two
/// calls of one transaction never see each other's. Price snapshots last for the transaction.
library Transient {
    // Marks of a pending account.
    uint256 internal constant PENDING = 1; // its margin is checked at the end
    uint256 internal constant CASH_OUT = 2; // cash left it
    uint256 internal constant COLLATERAL_OUT = 4; // collateral left it
    uint256 internal constant STRICT = 8; // must end at E ≥ IM; not worsening is not enough
    uint256 internal constant BORROWED = 16; // borrowed: below IM it must end at MM without unsettled profit
    uint256 internal constant FEE_OUT = 32; // cash left it as a fee for a trade: as CASH_OUT, but below IM it may, if nothing is worse
    uint256 private constant OPENED_SHIFT = 64; // from here on: a bit for each market in which it opened above the soft cap

    uint256 private constant BUSY = 1;
    uint256 private constant BATCH = 2;

    // Slots, far from each other and from every hash.
    uint256 private constant LOCK = 1;
    uint256 private constant EPOCH = 2;
    uint256 private constant PENDING_COUNT = 3;
    uint256 private constant PENDING_LIST = 1 << 32;
    uint256 private constant PRICES = 2 << 32;
    uint256 private constant MARKS = uint256(keccak256("plimsoll.marks"));
    uint256 private constant CASH_IN = uint256(keccak256("plimsoll.cashIn"));
    uint256 private constant COLLATERAL_OUT_VALUE = uint256(keccak256("plimsoll.collateralOutValue"));

    // ---------------------------------------------------------------- lock

    function isIdle() internal view returns (bool) {
        return _load(LOCK) == 0;
    }

    function isBusy() internal view returns (bool) {
        return _load(LOCK) & BUSY != 0;
    }

    function isBatching() internal view returns (bool) {
        return _load(LOCK) & BATCH != 0;
    }

    /// @notice Takes the lock; an outermost call starts a new epoch.
    function enter() internal {
        uint256 lock = _load(LOCK);
        if (lock == 0) _store(EPOCH, _load(EPOCH) + 1);
        _store(LOCK, lock | BUSY);
    }

    function leave() internal {
        _store(LOCK, _load(LOCK) & ~BUSY);
    }

    function enterBatch() internal {
        _store(EPOCH, _load(EPOCH) + 1);
        _store(LOCK, BATCH);
    }

    function leaveBatch() internal {
        _store(LOCK, 0);
    }

    // ---------------------------------------------------------------- pending checks

    /// @notice Adds `marks` to an account and puts it on the list of pending checks.
    function mark(AccountId id, uint256 marks) internal {
        uint256 key = _accountKey(id, MARKS);
        uint256 held = _load(key);
        if (held & PENDING == 0) {
            uint256 count = _load(PENDING_COUNT);
            _store(PENDING_LIST + count, AccountId.unwrap(id));
            _store(PENDING_COUNT, count + 1);
        }
        if (held & marks != marks || held & PENDING == 0) _store(key, held | marks | PENDING);
    }

    /// @notice Adds `marks` to any further check of an account without asking for one now.
    function markLater(AccountId id, uint256 marks) internal {
        uint256 key = _accountKey(id, MARKS);
        _store(key, _load(key) | marks);
    }

    function marksOf(AccountId id) internal view returns (uint256) {
        return _load(_accountKey(id, MARKS));
    }

    /// @notice Bitmap of the markets in which an account with these marks opened above a soft cap.
    function opened(uint256 marks) internal pure returns (uint64) {
        return uint64(marks >> OPENED_SHIFT);
    }

    function pendingCount() internal view returns (uint256) {
        return _load(PENDING_COUNT);
    }

    function pendingAt(uint256 i) internal view returns (AccountId) {
        return AccountId.wrap(_load(PENDING_LIST + i));
    }

    /// @notice Empties the list; marks lapse with the epoch.
    function clearPending() internal {
        _store(PENDING_COUNT, 0);
    }

    /// @notice Remembers that an account opened in a market above its soft cap.
    function addOpened(AccountId id, uint256 market) internal {
        markLater(id, 1 << (OPENED_SHIFT + market));
    }

    /// @notice Leaves one account on the list.
    function keepPending(AccountId id) internal {
        _store(PENDING_LIST, AccountId.unwrap(id));
        _store(PENDING_COUNT, 1);
    }

    function addCashIn(AccountId id, uint256 amount) internal {
        uint256 key = _accountKey(id, CASH_IN);
        _store(key, _load(key) + amount);
    }

    function cashIn(AccountId id) internal view returns (uint256) {
        return _load(_accountKey(id, CASH_IN));
    }

    function addCollateralOut(AccountId id, uint256 value) internal {
        uint256 key = _accountKey(id, COLLATERAL_OUT_VALUE);
        _store(key, _load(key) + value);
    }

    function collateralOut(AccountId id) internal view returns (uint256) {
        return _load(_accountKey(id, COLLATERAL_OUT_VALUE));
    }

    // ---------------------------------------------------------------- pre-images

    /// @notice Keeps what `slot` held before its first change in this outermost call.
    function remember(uint256 slot, uint256 value) internal {
        uint256 key = _slotKey(slot);
        if (_load(~key) != 0) return;
        _store(~key, 1);
        _store(key, value);
    }

    /// @notice What `slot` held at the start of this outermost call; `current` if it has not been written.
    function preimage(uint256 slot, uint256 current) internal view returns (uint256) {
        uint256 key = _slotKey(slot);
        return _load(~key) != 0 ? _load(key) : current;
    }

    // ---------------------------------------------------------------- prices

    function price(uint256 key) internal view returns (uint256 answer) {
        return _load(PRICES + key);
    }

    function setPrice(uint256 key, uint256 answer) internal {
        _store(PRICES + key, answer);
    }

    // ---------------------------------------------------------------- keys

    function _slotKey(uint256 slot) private view returns (uint256) {
        return slot ^ (_load(EPOCH) << 224);
    }

    function _accountKey(AccountId id, uint256 kind) private view returns (uint256 key) {
        uint256 epoch = _load(EPOCH) ^ kind;
        assembly ("memory-safe") {
            mstore(0, id)
            mstore(32, epoch)
            key := keccak256(0, 64)
        }
    }

    function _load(uint256 slot) private view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(slot)
        }
    }

    function _store(uint256 slot, uint256 value) private {
        assembly ("memory-safe") {
            tstore(slot, value)
        }
    }
}
