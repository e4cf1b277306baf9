// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeTransferLib} from "solady/src/utils/SafeTransferLib.sol";
import {IPermit2} from "./interfaces/IPermit2.sol";
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
        if (IERC20(token).allowance(from, address(this)) >= amount || _permit2Allowance(token, from) < amount) {
            IERC20(token).safeTransferFrom(from, address(this), amount);
        } else {
            SafeTransferLib.permit2TransferFrom(token, from, address(this), amount);
        }
        received = IERC20(token).balanceOf(address(this)) - before;
    }

    /// @inheritdoc IVault
    function push(address token, address to, uint256 amount) external onlyClearingHouse {
        if (to == address(this)) revert InvalidRecipient(to);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @inheritdoc IVault
    function permit(
        address token,
        address owner,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // Somebody may have brought the signature already.
        if (IERC20(token).allowance(owner, address(this)) >= amount) return;
        if (_permit2Allowance(token, owner) >= amount) return;
        SafeTransferLib.permit2(token, owner, address(this), amount, deadline, v, r, s);
    }

    function _permit2Allowance(address token, address owner) private view returns (uint256) {
        if (SafeTransferLib.PERMIT2.code.length == 0) return 0;
        (uint256 amount, uint256 expiration, ) = IPermit2(SafeTransferLib.PERMIT2).allowance(
            owner,
            token,
            address(this)
        );
        return block.timestamp > expiration ? 0 : amount;
    }
}
