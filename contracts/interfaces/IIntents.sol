// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";

/// @notice What makes a signed intent good, once. `signature` is over the EIP-712 struct that the function names, whose last three
/// fields are `nonce`, `deadline` and the owner's epoch as it is.
struct Authorisation {
    uint256 nonce; // any that the owner has not used for an intent
    uint256 deadline; // [s] last second at which it is good
    bytes signature; // 65-byte ECDSA of the owner or of a key of his, or whatever the owner's ERC-1271 accepts
}

/// @title Intents
/// @notice What an owner could do himself, signed by him, or by a key of his with that scope, and brought by anybody, who pays the gas. What is refused to
/// the owner is refused here, with the same error.
interface IIntents {
    event IntentUsed(address indexed owner, uint256 nonce, address key);

    error IntentExpired(uint256 deadline, uint256 now_);
    error IntentUsedBefore(address owner, uint256 nonce);
    /// @dev Neither the owner nor a key of his has signed this for this nonce at this epoch.
    error InvalidIntent(address owner, uint256 nonce, uint256 epoch);
    /// @dev What a key withdraws goes to the owner.
    error KeyWithdrawsToOwner(address key, address to);

    /// @notice `IClearingHouse.deposit` out of the owner's own tokens, for which he has approved the vault. Signed: `Deposit(uint256 account,
    /// address token,uint256 amount,…)`; a key needs `SCOPE_DEPOSIT`.
    function depositFor(AccountId account, address token, uint256 amount, Authorisation calldata a) external;

    /// @notice `IClearingHouse.withdraw`. Signed: `Withdraw(uint256 account,address token,uint256 amount,address to,…)`; a key needs
    /// `SCOPE_WITHDRAW`, and withdraws to the owner only.
    function withdrawFor(
        AccountId account,
        address token,
        uint256 amount,
        address to,
        Authorisation calldata a
    ) external;

    /// @notice `IClearingHouse.transfer` between two accounts of the owner. Signed: `Transfer(uint256 from,uint256 to,address token,uint256 amount,…)`;
    /// a key needs `SCOPE_TRANSFER` and both accounts.
    function transferFor(
        AccountId from,
        AccountId to,
        address token,
        uint256 amount,
        Authorisation calldata a
    ) external;

    /// @notice `IClearingHouse.lend`. Signed: `Lend(uint256 account,uint256 amount,…)`; a key needs `SCOPE_LEND`.
    function lendFor(AccountId account, uint256 amount, Authorisation calldata a) external;

    /// @notice `IClearingHouse.recall`. Signed: `Recall(uint256 account,uint256 amount,…)`; a key needs `SCOPE_LEND`.
    function recallFor(AccountId account, uint256 amount, Authorisation calldata a) external;

    /// @notice Makes a nonce of the caller's intents useless.
    function cancelIntent(uint256 nonce) external;

    /// @notice Whether an intent with this nonce has been used or cancelled.
    function isIntentUsed(address owner, uint256 nonce) external view returns (bool);
}
