// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskEngine} from "./interfaces/IRiskEngine.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Auctions} from "./libraries/Auctions.sol";
import {Cash} from "./libraries/Cash.sol";
import {Collaterals} from "./libraries/Collaterals.sol";
import {Ledger} from "./libraries/Ledger.sol";
import {Lending} from "./libraries/Lending.sol";
import {Liquidation} from "./libraries/Liquidation.sol";
import {Listing} from "./libraries/Listing.sol";
import {Margin} from "./libraries/Margin.sol";
import {Positions} from "./libraries/Positions.sol";
import {Reports} from "./libraries/Reports.sol";
import {TokenUnits} from "./libraries/TokenUnits.sol";
import {Trading} from "./libraries/Trading.sol";
import {Transient} from "./libraries/Transient.sol";
import {Upkeep} from "./libraries/Upkeep.sol";
import {Prices} from "./libraries/Prices.sol";
import {AccountId, AccountIds} from "./types/AccountId.sol";
import {
    Account,
    Assessment,
    Auction,
    Call,
    CollateralParams,
    Fill,
    HealthReport,
    LendingParams,
    LendingPool,
    LiquidationTerms,
    Loans,
    MarginState,
    MarketIndex,
    MarketLoss,
    MarketParams,
    MarketPool,
    MarketRate,
    Position
} from "./types/LedgerTypes.sol";

/// @title The ledger
/// @notice See `IClearingHouse`.
contract ClearingHouse is IClearingHouse, AccessManaged {
    using Ledger for Ledger.State;

    /// @inheritdoc IClearingHouse
    address public immutable vault;
    /// @inheritdoc IClearingHouse
    address public immutable cashToken;
    uint256 private immutable _cashDecimals;

    Ledger.State private $;

    /// @dev One lock over the whole house; the outermost call checks every account it has put up for a check.
    modifier house() {
        _enter();
        _;
        _leave();
    }

    /// @dev Numbers in the middle of a batch are nobody's business.
    modifier settled() {
        _requireSettled();
        _;
    }

    modifier onlyOwnerOf(AccountId id) {
        _requireOwnerOf(id);
        _;
    }

    constructor(address authority, address vault_, address cashToken_) AccessManaged(authority) {
        if (vault_ == address(0) || cashToken_ == address(0)) revert ZeroAddress();
        vault = vault_;
        cashToken = cashToken_;
        _cashDecimals = IERC20Metadata(cashToken_).decimals();
        if (_cashDecimals > TokenUnits.MAX_DECIMALS) {
            revert ParameterOutOfBounds("decimals", _cashDecimals, 0, TokenUnits.MAX_DECIMALS);
        }
    }

    // ---------------------------------------------------------------- money

    /// @inheritdoc IClearingHouse
    function deposit(AccountId id, address token, uint256 amount) external house returns (uint256 credited) {
        if (amount == 0) revert ZeroAmount();
        if (token == cashToken) {
            credited = TokenUnits.toWadDown(IVault(vault).pull(token, msg.sender, amount), _cashDecimals);
            if (credited == 0) revert ZeroAmount();
            Cash.credit($, id, credited);
            Transient.addCashIn(id, credited);
        } else {
            _requireOwnerOf(id);
            (uint256 collateralId, uint256 decimals) = _collateralOf(token);
            credited = TokenUnits.toWadDown(IVault(vault).pull(token, msg.sender, amount), decimals);
            if (credited == 0) revert ZeroAmount();
            Collaterals.admit($, id, collateralId, credited);
        }
        emit Deposited(id, token, msg.sender, credited);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(
        AccountId id,
        address token,
        uint256 amount,
        address to
    ) external house onlyOwnerOf(id) returns (uint256 debited) {
        if (amount == 0) revert ZeroAmount();
        if (to == address(0)) revert ZeroAddress();
        if (token == cashToken) {
            debited = TokenUnits.toWadUp(amount, _cashDecimals);
            _debitCash(id, debited);
        } else {
            (uint256 collateralId, uint256 decimals) = _collateralOf(token);
            debited = TokenUnits.toWadUp(amount, decimals);
            Collaterals.release($, id, collateralId, debited);
        }
        emit Withdrawn(id, token, to, debited);
        _verifyUnlessBatching();
        IVault(vault).push(token, to, amount);
    }

    /// @inheritdoc IClearingHouse
    function transfer(
        AccountId from,
        AccountId to,
        address token,
        uint256 amount
    ) external house onlyOwnerOf(from) returns (uint256 moved) {
        if (amount == 0) revert ZeroAmount();
        if (from.equals(to)) revert SameAccount(from);
        if (to.ownerOf() != msg.sender) revert OwnerMismatch(from, to);
        if (token == cashToken) {
            moved = TokenUnits.toWadUp(amount, _cashDecimals);
            _debitCash(from, moved);
            Cash.credit($, to, moved);
            Transient.addCashIn(to, moved);
        } else {
            (uint256 collateralId, uint256 decimals) = _collateralOf(token);
            moved = TokenUnits.toWadUp(amount, decimals);
            Collaterals.release($, from, collateralId, moved);
            Collaterals.admit($, to, collateralId, moved);
        }
        emit Transferred(from, to, token, moved);
    }

    /// @inheritdoc IClearingHouse
    function lend(AccountId id, uint256 amount) external house onlyOwnerOf(id) {
        if (amount == 0) revert ZeroAmount();
        Upkeep.lend($, id, TokenUnits.toWadUp(amount, _cashDecimals));
    }

    /// @inheritdoc IClearingHouse
    function recall(AccountId id, uint256 amount) external house onlyOwnerOf(id) {
        if (amount == 0) revert ZeroAmount();
        Lending.recall($, id, TokenUnits.toWadDown(amount, _cashDecimals));
    }

    // ---------------------------------------------------------------- trading and upkeep

    /// @inheritdoc IClearingHouse
    function trade(Fill[] calldata fills) external house {
        if (msg.sender != $.exchange) revert NotExchange(msg.sender);
        for (uint256 i = 0; i < fills.length; ++i) Trading.apply_($, fills[i]);
    }

    /// @inheritdoc IClearingHouse
    function settle(uint256 marketId, AccountId[] calldata accounts) external house {
        Upkeep.settle($, marketId, accounts);
    }

    /// @inheritdoc IClearingHouse
    function claim(AccountId id, uint256 marketId, uint256 amount) external house onlyOwnerOf(id) returns (uint256) {
        return Upkeep.claim($, id, marketId, amount);
    }

    /// @inheritdoc IClearingHouse
    function accrueFunding(uint256 marketId) external house {
        Upkeep.accrueFunding($, marketId);
    }

    /// @inheritdoc IClearingHouse
    function sweepFees(uint256 marketId) external house {
        Upkeep.sweepFees($, marketId);
    }

    /// @inheritdoc IClearingHouse
    function sweepReserves() external house returns (uint256) {
        return Upkeep.sweepReserves($);
    }

    // ---------------------------------------------------------------- liquidation

    /// @inheritdoc IClearingHouse
    function flag(AccountId id) external house {
        Liquidation.flag($, id);
    }

    /// @inheritdoc IClearingHouse
    function liquidate(
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external house returns (uint256, int256) {
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.KINDEST);
        uint256 discount = Auctions.discountNow($, id);
        (uint256 needed, Assessment memory a) = $.riskEngine.slice(s.words, discount, Liquidation.DUST);
        uint256 base = a.maintenanceMargin;
        if (s.flat || a.equity >= int256(base)) revert NotLiquidatable(id, a.equity, base);
        if (s.degraded) (needed, base) = Liquidation.degradedSlice($, s, a, discount);
        return Liquidation.liquidate($, id, taker, terms, needed, base, a);
    }

    /// @inheritdoc IClearingHouse
    function cashCall(
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external house returns (uint256, int256) {
        return Liquidation.cashCall($, id, taker, terms);
    }

    /// @inheritdoc IClearingHouse
    function absorb(AccountId id) external house {
        Liquidation.absorb($, id);
    }

    // ---------------------------------------------------------------- batch

    /// @inheritdoc IClearingHouse
    function batch(Call[] calldata calls) external returns (bytes[] memory results) {
        if (!Transient.isIdle()) revert Reentrancy();
        Transient.enterBatch();
        results = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            if (calls[i].target == address(this)) {
                results[i] = Address.functionDelegateCall(address(this), calls[i].data);
            } else if (calls[i].target == $.exchange && bytes4(calls[i].data) == IExchange.settle.selector) {
                results[i] = Address.functionCall(calls[i].target, calls[i].data);
            } else {
                revert InvalidBatchTarget(calls[i].target);
            }
        }
        Transient.enter();
        Margin.verifyPending($);
        Transient.leaveBatch();
    }

    // ---------------------------------------------------------------- previews

    /// @inheritdoc IClearingHouse
    function previewTrade(
        AccountId id,
        uint256 marketId,
        int256 size,
        uint256 price
    ) external returns (Assessment memory a) {
        Fill memory fill = Fill(AccountIds.main(address(this)), id, marketId, size, price, 0);
        (, a) = _undone(abi.encodeCall(this.simulateTrade, (fill)));
    }

    /// @inheritdoc IClearingHouse
    function previewWithdraw(AccountId id, address token, uint256 amount) external returns (Assessment memory a) {
        (, a) = _undone(
            abi.encodeCall(this.simulate, (abi.encodeCall(this.withdraw, (id, token, amount, msg.sender)), id))
        );
    }

    /// @inheritdoc IClearingHouse
    function previewLiquidation(
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external returns (uint256 fraction, int256 payment, Assessment memory a) {
        bytes memory result;
        (result, a) = _undone(
            abi.encodeCall(this.simulate, (abi.encodeCall(this.liquidate, (id, taker, terms)), id))
        );
        (fraction, payment) = abi.decode(result, (uint256, int256));
    }

    /// @inheritdoc IClearingHouse
    function simulate(bytes calldata data, AccountId id) external {
        bytes memory result = Address.functionDelegateCall(address(this), data);
        revert Simulated(result, Margin.assess($, id));
    }

    /// @inheritdoc IClearingHouse
    function simulateTrade(Fill calldata fill) external {
        _enter();
        Trading.apply_($, fill);
        Margin.verify($, fill.taker);
        revert Simulated("", Margin.assess($, fill.taker));
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouse
    function account(AccountId id) external view settled returns (Account memory) {
        return $.accounts[id];
    }

    /// @inheritdoc IClearingHouse
    function position(AccountId id, uint256 marketId) external view returns (Position memory) {
        return $.positions[id][marketId];
    }

    /// @inheritdoc IClearingHouse
    function positionPnl(AccountId id, uint256 marketId) external view settled returns (int256 pnl) {
        (, pnl) = Positions.pnlOf($, id, marketId, false);
    }

    /// @inheritdoc IClearingHouse
    function collateralBalance(AccountId id, uint256 collateralId) external view settled returns (uint256) {
        return $.balances[id][collateralId];
    }

    /// @inheritdoc IClearingHouse
    function assess(AccountId id) external view settled returns (Assessment memory) {
        return Margin.assess($, id);
    }

    /// @inheritdoc IClearingHouse
    function marginRatio(AccountId id) external view settled returns (int256) {
        return Reports.health($, id).ratio;
    }

    /// @inheritdoc IClearingHouse
    function marginState(AccountId id) external view settled returns (MarginState) {
        return Reports.health($, id).state;
    }

    /// @inheritdoc IClearingHouse
    function freeCollateral(AccountId id) external view settled returns (uint256) {
        return Reports.health($, id).freeCollateral;
    }

    /// @inheritdoc IClearingHouse
    function health(AccountId id) external view settled returns (HealthReport memory) {
        return Reports.health($, id);
    }

    /// @inheritdoc IClearingHouse
    function liquidationPrices(
        AccountId id,
        uint256 underlying
    ) external view settled returns (uint256 down, uint256 up) {
        return Reports.liquidationPrices($, id, underlying);
    }

    /// @inheritdoc IClearingHouse
    function loans(AccountId id) external view settled returns (uint256 lent, uint256 debt, Loans memory shares) {
        (lent, debt) = Lending.balances($, id, false);
        shares = $.loans[id];
    }

    /// @inheritdoc IClearingHouse
    function lending() external view settled returns (LendingPool memory, LendingParams memory, uint256) {
        return (Lending.current($), $.lendingParams, $.flaggedLending);
    }

    /// @inheritdoc IClearingHouse
    function auction(AccountId id) external view returns (Auction memory) {
        return $.auctions[id];
    }

    /// @inheritdoc IClearingHouse
    function market(
        uint256 id
    )
        external
        view
        returns (MarketParams memory, MarketIndex memory, MarketRate memory, MarketPool memory, MarketLoss memory)
    {
        return ($.params[id], $.indices[id], $.rates[id], $.pools[id], $.losses[id]);
    }

    /// @inheritdoc IClearingHouse
    function fundingIndices(uint256 marketId) external view returns (int256, int256) {
        Positions.Sides memory s = Positions.sides($, marketId);
        return (s.long, s.short);
    }

    /// @inheritdoc IClearingHouse
    function collateral(uint256 id) external view returns (CollateralParams memory) {
        return $.collaterals[id];
    }

    /// @inheritdoc IClearingHouse
    function collateralTotal(uint256 id) external view returns (uint256) {
        return $.collateralTotals[id];
    }

    /// @inheritdoc IClearingHouse
    function totalFlaggedDeficit() external view settled returns (uint256) {
        return $.totalFlaggedDeficit;
    }

    /// @inheritdoc IClearingHouse
    function riskEngine() external view returns (address) {
        return address($.riskEngine);
    }

    /// @inheritdoc IClearingHouse
    function priceOracle() external view returns (address) {
        return address($.priceOracle);
    }

    /// @inheritdoc IClearingHouse
    function exchange() external view returns (address) {
        return $.exchange;
    }

    /// @inheritdoc IClearingHouse
    function insuranceFund() external view returns (address) {
        return $.insuranceFund;
    }

    /// @inheritdoc IClearingHouse
    function treasury() external view returns (address) {
        return $.treasury;
    }

    // ---------------------------------------------------------------- listing and wiring

    /// @inheritdoc IClearingHouse
    function setMarket(uint256 id, MarketParams calldata params) external restricted {
        Listing.setMarket($, id, params);
    }

    /// @inheritdoc IClearingHouse
    function setCollateral(uint256 id, CollateralParams calldata params) external restricted {
        Listing.setCollateral($, id, params, cashToken);
    }

    /// @inheritdoc IClearingHouse
    function delistCollateral(uint256 id) external restricted {
        Listing.delistCollateral($, id);
    }

    /// @inheritdoc IClearingHouse
    function setLendingParams(LendingParams calldata params) external restricted {
        Lending.setParams($, params);
    }

    /// @inheritdoc IClearingHouse
    function setRiskEngine(address riskEngine_) external restricted {
        if (riskEngine_ == address(0)) revert ZeroAddress();
        $.riskEngine = IRiskEngine(riskEngine_);
        emit RiskEngineSet(riskEngine_);
    }

    /// @inheritdoc IClearingHouse
    function setPriceOracle(address priceOracle_) external restricted {
        if (priceOracle_ == address(0)) revert ZeroAddress();
        $.priceOracle = IPriceOracle(priceOracle_);
        emit PriceOracleSet(priceOracle_);
    }

    /// @inheritdoc IClearingHouse
    function setExchange(address exchange_) external restricted {
        if ($.exchange != address(0)) revert AlreadySet();
        if (exchange_ == address(0)) revert ZeroAddress();
        $.exchange = exchange_;
        emit ExchangeSet(exchange_);
    }

    /// @inheritdoc IClearingHouse
    function setInsuranceFund(address insuranceFund_) external restricted {
        if ($.insuranceFund != address(0)) revert AlreadySet();
        if (insuranceFund_ == address(0)) revert ZeroAddress();
        $.insuranceFund = insuranceFund_;
        emit InsuranceFundSet(insuranceFund_);
    }

    /// @inheritdoc IClearingHouse
    function setTreasury(address treasury_) external restricted {
        if (treasury_ == address(0)) revert ZeroAddress();
        $.treasury = treasury_;
        emit TreasurySet(treasury_);
    }

    // ---------------------------------------------------------------- internals

    function _enter() private {
        if (Transient.isBusy()) revert Reentrancy();
        Transient.enter();
    }

    function _leave() private {
        _verifyUnlessBatching();
        Transient.leave();
    }

    function _verifyUnlessBatching() private {
        if (!Transient.isBatching()) Margin.verifyPending($);
    }

    function _requireSettled() private view {
        if (!Transient.isIdle()) revert CheckPending();
    }

    function _requireOwnerOf(AccountId id) private view {
        if (id.ownerOf() != msg.sender) revert NotOwner(id, msg.sender);
    }

    function _debitCash(AccountId id, uint256 amount) private {
        Cash.debit($, id, amount);
        Transient.mark(id, Transient.CASH_OUT);
    }

    /// @dev Runs one of this contract's simulations, which always revert, as the caller, and returns what it found.
    function _undone(bytes memory simulation) private returns (bytes memory result, Assessment memory a) {
        (, bytes memory data) = address(this).delegatecall(simulation);
        if (bytes4(data) != Simulated.selector) LowLevelCall.bubbleRevert(data);
        assembly ("memory-safe") {
            // Drops the selector: the rest is the arguments.
            let length := sub(mload(data), 4)
            data := add(data, 4)
            mstore(data, length)
        }
        return abi.decode(data, (bytes, Assessment));
    }

    function _collateralOf(address token) private view returns (uint256 id, uint256 decimals) {
        id = $.collateralIds[token];
        if (id == 0) revert UnknownAsset(token);
        return (--id, $.collaterals[id].decimals);
    }
}
