// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskEngine} from "./interfaces/IRiskEngine.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Auctions} from "./libraries/Auctions.sol";
import {Batch} from "./libraries/Batch.sol";
import {Custody} from "./libraries/Custody.sol";
import {Ledger} from "./libraries/Ledger.sol";
import {Lending} from "./libraries/Lending.sol";
import {Liquidation} from "./libraries/Liquidation.sol";
import {Listing} from "./libraries/Listing.sol";
import {Margin} from "./libraries/Margin.sol";
import {Observation} from "./libraries/Observation.sol";
import {Prices} from "./libraries/Prices.sol";
import {Reports} from "./libraries/Reports.sol";
import {TokenUnits} from "./libraries/TokenUnits.sol";
import {Trading} from "./libraries/Trading.sol";
import {Transient} from "./libraries/Transient.sol";
import {Upkeep} from "./libraries/Upkeep.sol";
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
    function deposit(AccountId id, address token, uint256 amount) external house returns (uint256) {
        return Custody.deposit($, _tokens(), id, token, amount);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(
        AccountId id,
        address token,
        uint256 amount,
        address to
    ) external house returns (uint256 debited) {
        debited = Custody.withdraw($, _tokens(), id, token, amount, to);
        _verifyUnlessBatching();
        IVault(vault).push(token, to, amount);
    }

    /// @inheritdoc IClearingHouse
    function transfer(AccountId from, AccountId to, address token, uint256 amount) external house returns (uint256) {
        return Custody.transfer($, _tokens(), from, to, token, amount);
    }

    /// @inheritdoc IClearingHouse
    function lend(AccountId id, uint256 amount) external house onlyOwnerOf(id) {
        Upkeep.lend($, id, amount, _cashDecimals);
    }

    /// @inheritdoc IClearingHouse
    function recall(AccountId id, uint256 amount) external house onlyOwnerOf(id) {
        Lending.recall($, id, amount, _cashDecimals);
    }

    // ---------------------------------------------------------------- trading and upkeep

    /// @inheritdoc IClearingHouse
    function trade(Fill[] calldata fills) external house {
        if (msg.sender != $.exchange) revert NotExchange(msg.sender);
        _apply(fills);
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
        Observation.flag($, id);
    }

    /// @inheritdoc IClearingHouse
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
        Observation.absorb($, id);
    }

    // ---------------------------------------------------------------- batch

    /// @inheritdoc IClearingHouse
    function batch(Call[] calldata calls) external returns (bytes[] memory results) {
        if (!Transient.isIdle()) revert Reentrancy();
        Transient.enterBatch();
        results = Batch.run($.exchange, calls);
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
        Fill[] memory fills = new Fill[](1);
        fills[0] = Fill(AccountIds.main(address(this)), id, marketId, size, price, 0);
        (, a) = _undone(abi.encodeCall(this.simulateTrade, (fills)));
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
        (result, a) = _undone(abi.encodeCall(this.simulate, (abi.encodeCall(this.liquidate, (id, taker, terms)), id)));
        (fraction, payment) = abi.decode(result, (uint256, int256));
    }

    /// @inheritdoc IClearingHouse
    function simulate(bytes calldata data, AccountId id) external {
        bytes memory result = Address.functionDelegateCall(address(this), data);
        revert Simulated(result, Reports.assess($, id));
    }

    /// @inheritdoc IClearingHouse
    function simulateTrade(Fill[] calldata fills) external {
        _enter();
        _apply(fills);
        Transient.keepPending(fills[0].taker);
        Margin.verifyPending($);
        revert Simulated("", Reports.assess($, fills[0].taker));
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
    function positionPnl(AccountId id, uint256 marketId) external view settled returns (int256) {
        return Reports.positionPnl($, id, marketId);
    }

    /// @inheritdoc IClearingHouse
    function netDelta(AccountId id, uint256 underlying) external view settled returns (int256) {
        return Reports.netDelta($, id, underlying);
    }

    /// @inheritdoc IClearingHouse
    function collateralBalance(AccountId id, uint256 collateralId) external view settled returns (uint256) {
        return $.balances[id][collateralId];
    }

    /// @inheritdoc IClearingHouse
    function assess(AccountId id) external view settled returns (Assessment memory) {
        return Reports.assess($, id);
    }

    /// @inheritdoc IClearingHouse
    function marginRatio(AccountId id) external view settled returns (int256) {
        return _health(id).ratio;
    }

    /// @inheritdoc IClearingHouse
    function marginState(AccountId id) external view settled returns (MarginState) {
        return _health(id).state;
    }

    /// @inheritdoc IClearingHouse
    function freeCollateral(AccountId id) external view settled returns (uint256) {
        return _health(id).freeCollateral;
    }

    /// @inheritdoc IClearingHouse
    function health(AccountId id) external view settled returns (HealthReport memory) {
        return _health(id);
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
    function lending() external view settled returns (LendingPool memory, LendingParams memory) {
        return (Lending.pool($), $.lendingParams);
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
        return Reports.fundingIndices($, marketId);
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

    function _apply(Fill[] calldata fills) private {
        for (uint256 i = 0; i < fills.length; ++i) Trading.apply_($, fills[i]);
    }

    function _health(AccountId id) private view returns (HealthReport memory) {
        return Reports.health($, id);
    }

    function _tokens() private view returns (Custody.Tokens memory) {
        return Custody.Tokens(vault, cashToken, _cashDecimals);
    }

    function _undone(bytes memory simulation) private returns (bytes memory, Assessment memory) {
        return Reports.undone(simulation);
    }
}
