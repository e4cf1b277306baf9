// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskEngine} from "./interfaces/IRiskEngine.sol";
import {Exposure} from "./libraries/Exposure.sol";
import {Flows} from "./libraries/Flows.sol";
import {Guards} from "./libraries/Guards.sol";
import {Lending} from "./libraries/Lending.sol";
import {Listing} from "./libraries/Listing.sol";
import {Outflows} from "./libraries/Outflows.sol";
import {Pause} from "./libraries/Pause.sol";
import {Reports} from "./libraries/Reports.sol";
import {Transient} from "./libraries/Transient.sol";
import {AccountId, AccountIds} from "./types/AccountId.sol";
import {
    Assessment,
    Auction,
    CollateralParams,
    Fill,
    FLAG_FLOWS,
    Guard,
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
    Outflow,
    PendingGuard,
    WAD
} from "./types/LedgerTypes.sol";
import {ClearingHouseBase} from "./ClearingHouseBase.sol";
import {IClearingHouseCore} from "./interfaces/IClearingHouseCore.sol";
import {IClearingHouseExt} from "./interfaces/IClearingHouseExt.sol";

/// @title The ledger: previews, reports and listing
/// @notice See `IClearingHouse`. Has code only: the clearinghouse delegates to it every call that it does not know itself.
contract ClearingHouseExt is IClearingHouseExt, ClearingHouseBase {
    address private immutable _cashToken;

    constructor(address authority, address cashToken) ClearingHouseBase(authority) {
        _cashToken = cashToken;
    }

    // ---------------------------------------------------------------- previews

    /// @inheritdoc IClearingHouseExt
    function previewTrade(
        AccountId id,
        uint256 marketId,
        int256 size,
        uint256 price
    ) external returns (Assessment memory a) {
        Fill[] memory fills = new Fill[](1);
        fills[0] = Fill(AccountIds.main(address(this)), id, marketId, size, price, 0);
        (, a) = Reports.undone(abi.encodeCall(IClearingHouseCore.simulateTrade, (fills)));
    }

    /// @inheritdoc IClearingHouseExt
    function previewWithdraw(AccountId id, address token, uint256 amount) external returns (Assessment memory a) {
        (, a) = Reports.undone(
            abi.encodeCall(
                IClearingHouseExt.simulate,
                (abi.encodeCall(IClearingHouseCore.withdraw, (id, token, amount, msg.sender)), id)
            )
        );
    }

    /// @inheritdoc IClearingHouseExt
    function previewLiquidation(
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external returns (uint256 fraction, int256 payment, Assessment memory a) {
        bytes memory result;
        (result, a) = Reports.undone(
            abi.encodeCall(
                IClearingHouseExt.simulate,
                (abi.encodeCall(IClearingHouseCore.liquidate, (id, taker, terms)), id)
            )
        );
        (fraction, payment) = abi.decode(result, (uint256, int256));
    }

    /// @inheritdoc IClearingHouseExt
    function simulate(bytes calldata data, AccountId id) external {
        bytes memory result = Address.functionDelegateCall(address(this), data);
        revert IClearingHouseCore.Simulated(result, Reports.assess($, id));
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IClearingHouseExt
    function positionPnl(AccountId id, uint256 marketId) external view settled returns (int256) {
        return Reports.positionPnl($, id, marketId);
    }

    /// @inheritdoc IClearingHouseExt
    function netDelta(AccountId id, uint256 underlying) external view settled returns (int256) {
        return Reports.netDelta($, id, underlying);
    }

    /// @inheritdoc IClearingHouseExt
    function collateralBalance(AccountId id, uint256 collateralId) external view settled returns (uint256) {
        return $.balances[id][collateralId];
    }

    /// @inheritdoc IClearingHouseExt
    function marginRatio(AccountId id) external view settled returns (int256) {
        return Reports.health($, id).ratio;
    }

    /// @inheritdoc IClearingHouseExt
    function marginState(AccountId id) external view settled returns (MarginState) {
        return Reports.health($, id).state;
    }

    /// @inheritdoc IClearingHouseExt
    function freeCollateral(AccountId id) external view settled returns (uint256) {
        return Reports.health($, id).freeCollateral;
    }

    /// @inheritdoc IClearingHouseExt
    function health(AccountId id) external view settled returns (HealthReport memory) {
        return Reports.health($, id);
    }

    /// @inheritdoc IClearingHouseExt
    function portfolio(AccountId id) external view settled returns (uint256[] memory words, bool flat) {
        return Reports.portfolio($, id);
    }

    /// @inheritdoc IClearingHouseExt
    function liquidationPrices(
        AccountId id,
        uint256 underlying
    ) external view settled returns (uint256 down, uint256 up) {
        return Reports.liquidationPrices($, id, underlying);
    }

    /// @inheritdoc IClearingHouseExt
    function loans(AccountId id) external view settled returns (uint256 lent, uint256 debt, Loans memory shares) {
        (lent, debt) = Lending.balances($, id, false);
        shares = $.loans[id];
    }

    /// @inheritdoc IClearingHouseExt
    function lending() external view settled returns (LendingPool memory, LendingParams memory) {
        return (Lending.pool($), $.lendingParams);
    }

    /// @inheritdoc IClearingHouseExt
    function auction(AccountId id) external view returns (Auction memory) {
        return $.auctions[id];
    }

    /// @inheritdoc IClearingHouseExt
    function market(
        uint256 id
    )
        external
        view
        returns (MarketParams memory, MarketIndex memory, MarketRate memory, MarketPool memory, MarketLoss memory)
    {
        return ($.params[id], $.indices[id], $.rates[id], $.pools[id], $.losses[id]);
    }

    /// @inheritdoc IClearingHouseExt
    function fundingIndices(uint256 marketId) external view returns (int256, int256) {
        return Reports.fundingIndices($, marketId);
    }

    /// @inheritdoc IClearingHouseExt
    function collateral(uint256 id) external view returns (CollateralParams memory) {
        return $.collaterals[id];
    }

    /// @inheritdoc IClearingHouseExt
    function collateralTotal(uint256 id) external view returns (uint256) {
        return $.collateralTotals[id];
    }

    /// @inheritdoc IClearingHouseExt
    function totalFlaggedDeficit() external view settled returns (uint256) {
        return $.totalFlaggedDeficit;
    }

    /// @inheritdoc IClearingHouseExt
    function riskEngine() external view returns (address) {
        return address($.riskEngine);
    }

    /// @inheritdoc IClearingHouseExt
    function priceOracle() external view returns (address) {
        return address($.priceOracle);
    }

    /// @inheritdoc IClearingHouseExt
    function exchange() external view returns (address) {
        return $.exchange;
    }

    /// @inheritdoc IClearingHouseExt
    function insuranceFund() external view returns (address) {
        return $.insuranceFund;
    }

    /// @inheritdoc IClearingHouseExt
    function treasury() external view returns (address) {
        return $.treasury;
    }

    /// @inheritdoc IClearingHouseExt
    function pausedUntil() external view returns (uint256) {
        return $.pausedUntil;
    }

    /// @inheritdoc IClearingHouseExt
    function guardOf(address owner) external view returns (Guard memory guard, PendingGuard memory pending) {
        return (Guards.current($, owner), $.pendingGuards[owner]);
    }

    /// @inheritdoc IClearingHouseExt
    function payeeSince(address owner, address payee) external view returns (uint256) {
        return $.payees[owner][payee];
    }

    /// @inheritdoc IClearingHouseExt
    function outflow(address token) external view returns (int256 level, uint256 cap) {
        Outflow memory o = $.outflows[token];
        return (Outflows.level(o), uint256(o.cap) * WAD);
    }

    /// @inheritdoc IClearingHouseExt
    function exitRequest(AccountId id) external view returns (uint256 cash, uint256 from, uint256 until) {
        return Outflows.exitRequest($, id);
    }

    /// @inheritdoc IClearingHouseExt
    function netFlow(AccountId id) external view returns (int256 flow, bool tracked) {
        return ($.flows[id], $.accounts[id].flags & FLAG_FLOWS != 0);
    }

    /// @inheritdoc IClearingHouseExt
    function exposure(AccountId id, uint256 underlying) external view returns (int256 held, uint256 cap) {
        return (Exposure.heldOf($, id, underlying), Exposure.capOf($, id, underlying));
    }

    // ---------------------------------------------------------------- preconditions

    /// @inheritdoc IClearingHouseExt
    function requireCash(AccountId id, uint256 cash) external view {
        if (Transient.isBusy() || Transient.pendingCount() != 0) revert IClearingHouseCore.CheckPending();
        uint256 held = $.accounts[id].cash;
        if (held != cash) revert IClearingHouseCore.AccountChanged(id, held, cash);
    }

    // ---------------------------------------------------------------- what owners protect themselves by

    /// @inheritdoc IClearingHouseExt
    function setGuard(address guardian, uint256 delay, bool restrictPayees) external nonReentrant {
        Guards.set($, guardian, delay, restrictPayees);
    }

    /// @inheritdoc IClearingHouseExt
    function allowPayee(address payee) external nonReentrant {
        Guards.allowPayee($, payee);
    }

    /// @inheritdoc IClearingHouseExt
    function removePayee(address owner, address payee) external nonReentrant {
        Guards.removePayee($, owner, payee);
    }

    /// @inheritdoc IClearingHouseExt
    function lockDown(address owner) external nonReentrant {
        Guards.lockDown($, owner);
    }

    /// @inheritdoc IClearingHouseExt
    function unlock(address owner) external nonReentrant {
        Guards.unlock($, owner);
    }

    /// @inheritdoc IClearingHouseExt
    function requestExit(AccountId id) external nonReentrant {
        Outflows.requestExit($, id);
    }

    /// @inheritdoc IClearingHouseExt
    function trackFlows(AccountId id, bool on) external nonReentrant {
        Flows.set($, id, on);
    }

    /// @inheritdoc IClearingHouseExt
    function setExposureCap(AccountId id, uint256 underlying, uint256 cap) external nonReentrant {
        Exposure.setCap($, id, underlying, cap);
    }

    // ---------------------------------------------------------------- pause

    /// @inheritdoc IClearingHouseExt
    function pauseNewRisk() external restricted {
        Pause.start($);
    }

    /// @inheritdoc IClearingHouseExt
    function endPause() external restricted {
        Pause.end($);
    }

    // ---------------------------------------------------------------- listing and wiring

    /// @inheritdoc IClearingHouseExt
    function setOutflowCap(address token, uint64 cap) external restricted {
        if (token != _cashToken && $.collateralIds[token] == 0) revert IClearingHouseCore.UnknownAsset(token);
        Outflows.setCap($, token, cap);
    }

    /// @inheritdoc IClearingHouseExt
    function setMarket(uint256 id, MarketParams calldata params) external restricted {
        Listing.setMarket($, id, params);
    }

    /// @inheritdoc IClearingHouseExt
    function setCollateral(uint256 id, CollateralParams calldata params) external restricted {
        Listing.setCollateral($, id, params, _cashToken);
    }

    /// @inheritdoc IClearingHouseExt
    function delistCollateral(uint256 id) external restricted {
        Listing.delistCollateral($, id);
    }

    /// @inheritdoc IClearingHouseExt
    function setLendingParams(LendingParams calldata params) external restricted {
        Lending.setParams($, params);
    }

    /// @inheritdoc IClearingHouseExt
    function setRiskEngine(address riskEngine_) external restricted {
        if (riskEngine_ == address(0)) revert IClearingHouseCore.ZeroAddress();
        $.riskEngine = IRiskEngine(riskEngine_);
        emit IClearingHouseCore.RiskEngineSet(riskEngine_);
    }

    /// @inheritdoc IClearingHouseExt
    function setPriceOracle(address priceOracle_) external restricted {
        if (priceOracle_ == address(0)) revert IClearingHouseCore.ZeroAddress();
        $.priceOracle = IPriceOracle(priceOracle_);
        emit IClearingHouseCore.PriceOracleSet(priceOracle_);
    }

    /// @inheritdoc IClearingHouseExt
    function setExchange(address exchange_) external restricted {
        if ($.exchange != address(0)) revert IClearingHouseCore.AlreadySet();
        if (exchange_ == address(0)) revert IClearingHouseCore.ZeroAddress();
        $.exchange = exchange_;
        emit IClearingHouseCore.ExchangeSet(exchange_);
    }

    /// @inheritdoc IClearingHouseExt
    function setInsuranceFund(address insuranceFund_) external restricted {
        if ($.insuranceFund != address(0)) revert IClearingHouseCore.AlreadySet();
        if (insuranceFund_ == address(0)) revert IClearingHouseCore.ZeroAddress();
        $.insuranceFund = insuranceFund_;
        emit IClearingHouseCore.InsuranceFundSet(insuranceFund_);
    }

    /// @inheritdoc IClearingHouseExt
    function setTreasury(address treasury_) external restricted {
        if (treasury_ == address(0)) revert IClearingHouseCore.ZeroAddress();
        $.treasury = treasury_;
        emit IClearingHouseCore.TreasurySet(treasury_);
    }
}
