// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {AccountId, AccountIds} from "./types/AccountId.sol";
import {Fixed} from "./libraries/Fixed.sol";

/// @title Backstop capital
/// @notice See `IInsuranceFund`.
contract InsuranceFund is IInsuranceFund, ERC4626 {
    using SafeERC20 for IERC20;
    using Math for uint256;

    /// @inheritdoc IInsuranceFund
    uint256 public constant COOLDOWN = 3 days;
    /// @inheritdoc IInsuranceFund
    uint256 public constant EXIT_WINDOW = 2 days;
    uint8 private constant OFFSET = 6; // virtual shares per unit of asset: a donation cannot round others' shares away

    /// @dev 192 + 64 = 256 bits.
    struct Exit {
        uint192 shares;
        uint64 availableAt;
    }

    /// @notice The ledger that holds the fund's cash.
    IClearingHouse public immutable clearingHouse;
    uint256 private immutable _unit; // [wad] of one unit of the asset
    mapping(address owner => Exit) private _exits;

    constructor(
        address clearingHouse_
    ) ERC20("Plimsoll Insurance Fund", "pINS") ERC4626(IERC20(IClearingHouse(clearingHouse_).cashToken())) {
        clearingHouse = IClearingHouse(clearingHouse_);
        _unit = 10 ** (18 - IERC20Metadata(asset()).decimals());
        IERC20(asset()).forceApprove(clearingHouse.vault(), type(uint256).max);
    }

    /// @inheritdoc IInsuranceFund
    function account() public view returns (AccountId) {
        return AccountIds.main(address(this));
    }

    /// @notice Cash of the fund's account, in units of the asset, gross of flagged deficits.
    function totalAssets() public view override(ERC4626, IERC4626) returns (uint256) {
        return clearingHouse.account(account()).cash / _unit;
    }

    /// @inheritdoc IInsuranceFund
    function requestExit(uint256 shares) external {
        if (shares > balanceOf(msg.sender)) revert ERC20InsufficientBalance(msg.sender, balanceOf(msg.sender), shares);
        uint256 availableAt = block.timestamp + COOLDOWN;
        _exits[msg.sender] = Exit(uint192(shares), uint64(availableAt));
        emit ExitRequested(msg.sender, shares, availableAt, availableAt + EXIT_WINDOW);
    }

    /// @inheritdoc IInsuranceFund
    function exitRequest(address owner) public view returns (uint256 shares, uint256 availableAt, uint256 expiresAt) {
        Exit memory exit = _exits[owner];
        return (exit.shares, exit.availableAt, exit.availableAt + EXIT_WINDOW);
    }

    /// @notice Shares that `owner` can redeem now: those of a request that is open.
    function maxRedeem(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        (uint256 shares, uint256 availableAt, uint256 expiresAt) = exitRequest(owner);
        bool open = block.timestamp >= availableAt && block.timestamp <= expiresAt;
        return open ? Fixed.min(shares, balanceOf(owner)) : 0;
    }

    /// @notice Assets that `owner` can withdraw now.
    function maxWithdraw(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        return previewRedeem(maxRedeem(owner));
    }

    /// @notice Assets for `shares`, net of flagged deficits.
    function previewRedeem(uint256 shares) public view override(ERC4626, IERC4626) returns (uint256) {
        return shares.mulDiv(_netAssets() + 1, totalSupply() + 10 ** OFFSET, Math.Rounding.Floor);
    }

    /// @notice Shares for `assets`, net of flagged deficits.
    function previewWithdraw(uint256 assets) public view override(ERC4626, IERC4626) returns (uint256) {
        return assets.mulDiv(totalSupply() + 10 ** OFFSET, _netAssets() + 1, Math.Rounding.Ceil);
    }

    function _netAssets() private view returns (uint256) {
        uint256 deficit = Fixed.divUp(clearingHouse.totalFlaggedDeficit(), _unit);
        uint256 gross = totalAssets();
        return gross > deficit ? gross - deficit : 0;
    }

    function _decimalsOffset() internal pure override returns (uint8) {
        return OFFSET;
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override {
        IERC20(asset()).safeTransferFrom(caller, address(this), assets);
        clearingHouse.deposit(account(), asset(), assets);
        _mint(receiver, shares);
        emit Deposit(caller, receiver, assets, shares);
    }

    function _withdraw(
        address caller,
        address receiver,
        address owner,
        uint256 assets,
        uint256 shares
    ) internal override {
        if (caller != owner) _spendAllowance(owner, caller, shares);
        _exits[owner].shares -= uint192(shares); // at most what `maxRedeem` allowed
        _burn(owner, shares);
        clearingHouse.withdraw(account(), asset(), assets, receiver);
        emit Withdraw(caller, receiver, owner, assets, shares);
    }

    /// @dev The right to leave goes with the shares: who sends requested ones away gives it up.
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        uint256 left = balanceOf(from);
        if (_exits[from].shares > left) _exits[from].shares = uint192(left);
    }
}
