// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Custody
/// @notice The only contract that holds tokens. It knows no accounts and no positions and moves tokens only on the
/// clearinghouse's order. Tokens may take a fee on transfer, return nothing, or call back; balances that a token changes by
/// itself (rebasing downwards) are not supported and must not be listed.
interface IVault {
    event ClearingHouseSet(address clearingHouse);

    error OnlyClearingHouse(address caller);
    error ClearingHouseAlreadySet(address clearingHouse);
    /// @dev The vault itself can be neither source nor recipient.
    error InvalidRecipient(address to);

    /// @notice The only address on whose order tokens move.
    function clearingHouse() external view returns (address);

    /// @notice Names the clearinghouse, once. Restricted.
    function setClearingHouse(address clearingHouse) external;

    /// @notice Takes `amount` of `token` from `from`, who has approved the vault. Clearinghouse only.
    /// @param amount in the token's own units
    /// @return received what the vault's balance rose by, in the token's own units
    function pull(address token, address from, uint256 amount) external returns (uint256 received);

    /// @notice Sends `amount` of `token` to `to`. Clearinghouse only.
    /// @param amount in the token's own units
    function push(address token, address to, uint256 amount) external;
}
