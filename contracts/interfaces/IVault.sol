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
    /// @dev Neither the token nor Permit2 accepts the signature.
    error Permit2Failed();
    /// @dev Permit2 knows amounts below 2^160 only.
    error Permit2AmountOverflow();
    /// @dev The owner has let the vault take as much through Permit2, but has not approved Permit2 for the token, or has not got as much.
    error TransferFromFailed();

    /// @notice The only address on whose order tokens move.
    function clearingHouse() external view returns (address);

    /// @notice Names the clearinghouse, once. Restricted.
    function setClearingHouse(address clearingHouse) external;

    /// @notice Lets the vault take up to `amount` of `token` from `owner` by his signature: the token's own permit (ERC-2612, or DAI's), else
    /// Permit2's, whose nonce is the one in `allowance` there. Open to anyone; does nothing if the vault may take as much already.
    /// @dev Only the clearinghouse can make use of it, for a deposit that the owner makes or has signed. One transaction with the deposit as
    /// a call of `IClearingHouse.batch`, for a listed token.
    /// @param amount in the token's own units
    /// @param deadline [s] as signed; what Permit2 then allows has no end (2^48 − 1)
    function permit(
        address token,
        address owner,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Takes `amount` of `token` from `from`, who has approved the vault, or has let it take as much through Permit2. Clearinghouse
    /// only.
    /// @param amount in the token's own units
    /// @return received what the vault's balance rose by, in the token's own units
    function pull(address token, address from, uint256 amount) external returns (uint256 received);

    /// @notice Sends `amount` of `token` to `to`. Clearinghouse only.
    /// @param amount in the token's own units
    function push(address token, address to, uint256 amount) external;
}
