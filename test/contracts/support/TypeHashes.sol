// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// What wallets sign by EIP-712, written out once more: the contracts must hash the same.

bytes32 constant DOMAIN_TYPEHASH = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
);
bytes32 constant GRANT_TYPEHASH = keccak256(
    "Grant(address owner,address key,uint8 scopes,uint64 markets,uint32 accounts,uint40 expiry,uint24 priceBand,uint48 dailyNotional,uint48 lossLimit,uint48 equityFloor,uint256 version,uint256 epoch)"
);
bytes32 constant REVOKE_TYPEHASH = keccak256("Revoke(address owner,address key,uint256 version,uint256 epoch)");
bytes32 constant REVOKE_ALL_TYPEHASH = keccak256("RevokeAll(address owner,uint256 epoch)");
bytes32 constant ORDER_TYPEHASH = keccak256(
    "Order(uint256 account,uint256 market,int256 size,uint256 limitPrice,uint256 triggerAbove,uint256 triggerBelow,uint256 executionFee,uint256 expiry,uint256 nonce,uint256 epoch,bool resting,bool postOnly,bool reduceOnly,bool fillOrKill)"
);
bytes32 constant DEPOSIT_TYPEHASH = keccak256(
    "Deposit(uint256 account,address token,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
);
bytes32 constant WITHDRAW_TYPEHASH = keccak256(
    "Withdraw(uint256 account,address token,uint256 amount,address to,uint256 nonce,uint256 deadline,uint256 epoch)"
);
bytes32 constant TRANSFER_TYPEHASH = keccak256(
    "Transfer(uint256 from,uint256 to,address token,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
);
bytes32 constant LEND_TYPEHASH = keccak256(
    "Lend(uint256 account,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
);
bytes32 constant RECALL_TYPEHASH = keccak256(
    "Recall(uint256 account,uint256 amount,uint256 nonce,uint256 deadline,uint256 epoch)"
);
