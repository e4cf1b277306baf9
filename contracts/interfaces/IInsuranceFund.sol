// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {AccountId} from "../types/AccountId.sol";

/// @title Backstop capital
/// @notice ERC-4626 vault over the settlement asset. Its assets are the cash of its own account in the clearinghouse, which
/// grows by its share of fees and penalties and pays, within caps, for deficits and rescue rewards. Shares are priced net of
/// flagged deficits for who leaves and gross for who enters. Leaving takes a request and a cooldown: outside the request's window
/// `maxRedeem` and `maxWithdraw` are zero, and more than that reverts with `ERC4626ExceededMaxRedeem` or `…MaxWithdraw`.
interface IInsuranceFund is IERC4626 {
    event ExitRequested(address indexed owner, uint256 shares, uint256 availableAt, uint256 expiresAt);

    /// @notice The fund's account in the clearinghouse.
    function account() external view returns (AccountId);

    /// @notice [s] between a request and the first moment at which it can be used.
    function COOLDOWN() external view returns (uint256);

    /// @notice [s] for which a matured request stays usable.
    function EXIT_WINDOW() external view returns (uint256);

    /// @notice Asks to redeem `shares` after the cooldown; replaces an earlier request. Zero withdraws it.
    function requestExit(uint256 shares) external;

    /// @notice The pending request of `owner`.
    function exitRequest(address owner) external view returns (uint256 shares, uint256 availableAt, uint256 expiresAt);
}
