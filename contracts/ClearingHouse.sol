// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ClearingHouseBase} from "./ClearingHouseBase.sol";
import {ClearingHouseExt} from "./ClearingHouseExt.sol";
import {IClearingHouseCore} from "./interfaces/IClearingHouseCore.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Auctions} from "./libraries/Auctions.sol";
import {Batch} from "./libraries/Batch.sol";
import {Custody} from "./libraries/Custody.sol";
import {Guards} from "./libraries/Guards.sol";
import {Ledger} from "./libraries/Ledger.sol";
import {Lending} from "./libraries/Lending.sol";
import {Liquidation} from "./libraries/Liquidation.sol";
import {Margin} from "./libraries/Margin.sol";
import {Observation} from "./libraries/Observation.sol";
import {Prices} from "./libraries/Prices.sol";
import {Reports} from "./libraries/Reports.sol";
import {TokenUnits} from "./libraries/TokenUnits.sol";
import {Trading} from "./libraries/Trading.sol";
import {Transient} from "./libraries/Transient.sol";
import {Upkeep} from "./libraries/Upkeep.sol";
import {AccountId} from "./types/AccountId.sol";
import {Account, Assessment, Call, Fill, FillReceipt, LiquidationTerms, Position} from "./types/LedgerTypes.sol";

/// @title The ledger
/// @notice See `IClearingHouse`. What moves money, size or debt is here; every other call goes to `ClearingHouseExt`, which runs
/// on the same state and is as final as this contract.
contract ClearingHouse is IClearingHouseCore, ClearingHouseBase {
    /// @inheritdoc IClearingHouseCore
    address public immutable vault;
    /// @inheritdoc IClearingHouseCore
    address public immutable cashToken;
    uint256 private immutable _cashDecimals;
    address private immutable _extension;

    /// @dev One lock over the whole house; the outermost call checks every account it has put up for a check.
    modifier house() {
        _enter();
        _;
        _leave();
    }

    modifier authorised(AccountId id) {
        Ledger.requireAuthority($, id);
        _;
    }

    constructor(address authority, address vault_, address cashToken_) ClearingHouseBase(authority) {
        if (vault_ == address(0) || cashToken_ == address(0)) revert ZeroAddress();
        vault = vault_;
        cashToken = cashToken_;
        _cashDecimals = IERC20Metadata(cashToken_).decimals();
        if (_cashDecimals > TokenUnits.MAX_DECIMALS) {
            revert ParameterOutOfBounds("decimals", _cashDecimals, 0, TokenUnits.MAX_DECIMALS);
        }
        _extension = address(new ClearingHouseExt(authority, cashToken_));
    }

    // ---------------------------------------------------------------- money

    /// @inheritdoc IClearingHouseCore
    function deposit(AccountId id, address token, uint256 amount) external house returns (uint256) {
        return Custody.deposit($, _tokens(), id, token, amount);
    }

    /// @inheritdoc IClearingHouseCore
    function withdraw(
        AccountId id,
        address token,
        uint256 amount,
        address to
    ) external house returns (uint256 debited) {
        uint256 sent;
        (debited, sent) = Custody.withdraw($, _tokens(), id, token, amount, to);
        _verifyUnlessBatching();
        IVault(vault).push(token, to, sent);
    }

    /// @inheritdoc IClearingHouseCore
    function transfer(AccountId from, AccountId to, address token, uint256 amount) external house returns (uint256) {
        return Custody.transfer($, _tokens(), from, to, token, amount);
    }

    /// @inheritdoc IClearingHouseCore
    function lend(AccountId id, uint256 amount) external house authorised(id) {
        Guards.requireUnlocked($, id.ownerOf());
        Upkeep.lend($, id, amount, _cashDecimals);
    }

    /// @inheritdoc IClearingHouseCore
    function recall(AccountId id, uint256 amount) external house authorised(id) {
        Lending.recall($, id, amount, _cashDecimals);
    }

    // ---------------------------------------------------------------- trading and upkeep

    /// @inheritdoc IClearingHouseCore
    function trade(Fill[] calldata fills) external house returns (FillReceipt[] memory) {
        if (msg.sender != $.exchange) revert NotExchange(msg.sender);
        return _apply(fills);
    }

    /// @inheritdoc IClearingHouseCore
    function payFee(AccountId from, AccountId to, uint256 amount) external house {
        if (msg.sender != $.exchange) revert NotExchange(msg.sender);
        Custody.payFee($, _tokens(), from, to, amount);
    }

    /// @inheritdoc IClearingHouseCore
    function settle(uint256 marketId, AccountId[] calldata accounts) external house {
        Upkeep.settle($, marketId, accounts);
    }

    /// @inheritdoc IClearingHouseCore
    function claim(AccountId id, uint256 marketId, uint256 amount) external house authorised(id) returns (uint256) {
        return Upkeep.claim($, id, marketId, amount);
    }

    /// @inheritdoc IClearingHouseCore
    function accrueFunding(uint256 marketId) external house {
        Upkeep.accrueFunding($, marketId);
    }

    /// @inheritdoc IClearingHouseCore
    function sweepFees(uint256 marketId) external house {
        Upkeep.sweepFees($, marketId);
    }

    /// @inheritdoc IClearingHouseCore
    function sweepReserves() external house returns (uint256) {
        return Upkeep.sweepReserves($);
    }

    // ---------------------------------------------------------------- liquidation

    /// @inheritdoc IClearingHouseCore
    function flag(AccountId id) external house {
        Observation.flag($, id);
    }

    /// @inheritdoc IClearingHouseCore
    function liquidate(
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external house returns (uint256, int256) {
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.CAUTIOUS);
        if (s.degraded) return Observation.liquidateRest($, id, taker, terms);
        uint256 discount = Auctions.discountNow($, id);
        (uint256 needed, Assessment memory a) = $.riskEngine.slice(s.words, discount, Liquidation.DUST);
        uint256 base = a.maintenanceMargin;
        if (s.flat || a.equity >= int256(base)) revert NotLiquidatable(id, a.equity, base);
        return Liquidation.liquidate($, id, taker, terms, needed, base, a, false);
    }

    /// @inheritdoc IClearingHouseCore
    function cashCall(
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external house returns (uint256, int256) {
        return Liquidation.cashCall($, id, taker, terms);
    }

    /// @inheritdoc IClearingHouseCore
    function absorb(AccountId id) external house {
        Observation.absorb($, id);
    }

    // ---------------------------------------------------------------- batch

    /// @inheritdoc IClearingHouseCore
    function batch(Call[] calldata calls) external returns (bytes[] memory results) {
        if (!Transient.isIdle()) revert Reentrancy();
        Transient.enterBatch();
        results = Batch.run($, _tokens(), calls);
        Transient.enter();
        Margin.verifyPending($);
        Transient.leaveBatch();
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouseCore
    function account(AccountId id) external view settled returns (Account memory) {
        return $.accounts[id];
    }

    /// @inheritdoc IClearingHouseCore
    function position(AccountId id, uint256 marketId) external view returns (Position memory) {
        return $.positions[id][marketId];
    }

    /// @inheritdoc IClearingHouseCore
    function assess(AccountId id) external view settled returns (Assessment memory) {
        return Reports.assess($, id);
    }

    /// @inheritdoc IClearingHouseCore
    function simulateTrade(Fill[] calldata fills) external {
        _enter();
        _apply(fills);
        Transient.keepPending(fills[0].taker);
        Margin.verifyPending($);
        revert Simulated("", Reports.assess($, fills[0].taker));
    }

    // ---------------------------------------------------------------- everything else

    /// @dev To `ClearingHouseExt`, in this contract's name and on its state.
    fallback(bytes calldata data) external returns (bytes memory) {
        return Address.functionDelegateCall(_extension, data);
    }

    // ---------------------------------------------------------------- internals

    function _leave() private {
        _verifyUnlessBatching();
        Transient.leave();
    }

    function _verifyUnlessBatching() private {
        if (!Transient.isBatching()) Margin.verifyPending($);
    }

    function _apply(Fill[] calldata fills) private returns (FillReceipt[] memory receipts) {
        receipts = new FillReceipt[](fills.length);
        for (uint256 i = 0; i < fills.length;) i = Trading.applyRun($, fills, i, receipts);
    }

    function _tokens() private view returns (Custody.Tokens memory) {
        return Custody.Tokens(vault, cashToken, _cashDecimals);
    }
}
