// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {Authorisation, IIntents} from "./interfaces/IIntents.sol";
import {SCOPE_DEPOSIT, SCOPE_LEND, SCOPE_TRANSFER, SCOPE_WITHDRAW} from "./interfaces/ISessionKeys.sol";
import {SessionKeys} from "./SessionKeys.sol";
import {AccountId} from "./types/AccountId.sol";

/// @title Intents
/// @notice See `IIntents`.
abstract contract Intents is IIntents, SessionKeys {
    using BitMaps for BitMaps.BitMap;

    bytes32 private constant DEPOSIT_TYPEHASH = keccak256(
        "Deposit(uint256 account,address token,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
    );
    bytes32 private constant WITHDRAW_TYPEHASH = keccak256(
        "Withdraw(uint256 account,address token,uint256 amount,address to,uint256 nonce,uint256 deadline,uint256 epoch)"
    );
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "Transfer(uint256 from,uint256 to,address token,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
    );
    bytes32 private constant LEND_TYPEHASH = keccak256(
        "Lend(uint256 account,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
    );
    bytes32 private constant RECALL_TYPEHASH = keccak256(
        "Recall(uint256 account,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
    );

    mapping(address owner => BitMaps.BitMap) private _used;

    /// @dev The ledger that intents go to, which takes this contract's word for its owners'.
    function _ledger() internal view virtual returns (IClearingHouse);

    /// @inheritdoc IIntents
    function depositFor(AccountId account, address token, uint256 amount, Authorisation calldata a) external {
        _authorise(account, a, SCOPE_DEPOSIT, abi.encode(DEPOSIT_TYPEHASH, account, token, amount));
        _ledger().deposit(account, token, amount);
    }

    /// @inheritdoc IIntents
    function withdrawFor(
        AccountId account,
        address token,
        uint256 amount,
        address to,
        Authorisation calldata a
    ) external {
        bytes memory intent = abi.encode(WITHDRAW_TYPEHASH, account, token, amount, to);
        address key = _authorise(account, a, SCOPE_WITHDRAW, intent);
        if (key != address(0) && to != account.ownerOf()) revert KeyWithdrawsToOwner(key, to);
        _ledger().withdraw(account, token, amount, to);
    }

    /// @inheritdoc IIntents
    function transferFor(
        AccountId from,
        AccountId to,
        address token,
        uint256 amount,
        Authorisation calldata a
    ) external {
        address key = _authorise(from, a, SCOPE_TRANSFER, abi.encode(TRANSFER_TYPEHASH, from, to, token, amount));
        address owner = from.ownerOf();
        if (key != address(0)) _requireKey(owner, _epochOf(owner), key, SCOPE_TRANSFER, to, ANY_MARKET);
        _ledger().transfer(from, to, token, amount);
    }

    /// @inheritdoc IIntents
    function lendFor(AccountId account, uint256 amount, Authorisation calldata a) external {
        _authorise(account, a, SCOPE_LEND, abi.encode(LEND_TYPEHASH, account, amount));
        _ledger().lend(account, amount);
    }

    /// @inheritdoc IIntents
    function recallFor(AccountId account, uint256 amount, Authorisation calldata a) external {
        _authorise(account, a, SCOPE_LEND, abi.encode(RECALL_TYPEHASH, account, amount));
        _ledger().recall(account, amount);
    }

    /// @inheritdoc IIntents
    function cancelIntent(uint256 nonce) external {
        _useNonce(msg.sender, nonce, address(0));
    }

    /// @inheritdoc IIntents
    function isIntentUsed(address owner, uint256 nonce) external view returns (bool) {
        return _used[owner].get(nonce);
    }

    /// @dev Uses the nonce up if the owner, or a key with `scope`, has signed `intent` (the struct without its last three fields). The key,
    /// zero for the owner.
    function _authorise(
        AccountId account,
        Authorisation calldata a,
        uint256 scope,
        bytes memory intent
    ) private returns (address key) {
        address owner = account.ownerOf();
        uint256 epoch = _epochOf(owner);
        if (block.timestamp > a.deadline) revert IntentExpired(a.deadline, block.timestamp);
        bool known;
        bytes32 hash = keccak256(bytes.concat(intent, abi.encode(a.nonce, a.deadline, epoch)));
        (known, key) = _authorOf(owner, epoch, hash, a.signature);
        if (!known) revert InvalidIntent(owner, a.nonce, epoch);
        if (key != address(0)) _requireKey(owner, epoch, key, scope, account, ANY_MARKET);
        _useNonce(owner, a.nonce, key);
    }

    function _useNonce(address owner, uint256 nonce, address key) private {
        if (_used[owner].get(nonce)) revert IntentUsedBefore(owner, nonce);
        _used[owner].set(nonce);
        emit IntentUsed(owner, nonce, key);
    }
}
