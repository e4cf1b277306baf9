// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What the vault asks of Uniswap's Permit2
interface IPermit2 {
    /// @notice What `spender` may take of `owner`, until `expiration` [s], and the nonce that the next permit carries.
    function allowance(
        address owner,
        address token,
        address spender
    ) external view returns (uint160 amount, uint48 expiration, uint48 nonce);
}
