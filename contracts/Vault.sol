// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IVault} from "./interfaces/IVault.sol";

/// @title Custody
/// @notice See `IVault`.
contract Vault is IVault, AccessManaged {
    using SafeERC20 for IERC20;

    /// @inheritdoc IVault
    address public clearingHouse;

    modifier onlyClearingHouse() {
        if (msg.sender != clearingHouse) revert OnlyClearingHouse(msg.sender);
        _;
    }

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc IVault
    function setClearingHouse(address clearingHouse_) external restricted {
        if (clearingHouse != address(0)) revert ClearingHouseAlreadySet(clearingHouse);
        clearingHouse = clearingHouse_;
        emit ClearingHouseSet(clearingHouse_);
    }

    /// @inheritdoc IVault
    function pull(address token, address from, uint256 amount) external onlyClearingHouse returns (uint256 received) {
        if (from == address(this)) revert InvalidRecipient(from);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        received = IERC20(token).balanceOf(address(this)) - before;
    }

    /// @inheritdoc IVault
    function push(address token, address to, uint256 amount) external onlyClearingHouse {
        if (to == address(this)) revert InvalidRecipient(to);
        IERC20(token).safeTransfer(to, amount);
    }
}
