// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {ClearingHouse} from "../../../contracts/ClearingHouse.sol";
import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {Exchange} from "../../../contracts/Exchange.sol";
import {InsuranceFund} from "../../../contracts/InsuranceFund.sol";
import {PriceOracle} from "../../../contracts/PriceOracle.sol";
import {RiskEngine} from "../../../contracts/RiskEngine.sol";
import {Vault} from "../../../contracts/Vault.sol";
import {Match, Order, SignedOrder} from "../../../contracts/interfaces/IExchange.sol";
import {Feed, RateFeeds, Regime} from "../../../contracts/interfaces/IPriceOracle.sol";
import {CollateralRisk, UnderlyingRisk} from "../../../contracts/interfaces/IRiskEngine.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {OddToken} from "../../../contracts/mocks/OddToken.sol";
import {AccountId, AccountIds} from "../../../contracts/types/AccountId.sol";
import {
    Assessment,
    CollateralParams,
    LendingParams,
    LendingPool,
    LiquidationTerms,
    MarketIndex,
    MarketLoss,
    MarketParams,
    MarketPool,
    MarketRate,
    WAD
} from "../../../contracts/types/LedgerTypes.sol";
import {Checks} from "./Checks.sol";
import {vm} from "./Vm.sol";

/// @notice The whole house, wired with the default parameters: underlyings 0 = ETH, 1 = BTC and 2 = USD, markets 0 = ETH and 1 = BTC,
/// collateral assets 0 = WETH (18 decimals), 1 = WBTC (8), 2 = wstETH (18, with a rate) and 3 = USDT (6), cash USDC (6 decimals).
/// This contract is the administrator. The volatility regime is neutral and there is no last good price until a test observes.
abstract contract House is Checks {
    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant ETH = 0;
    uint256 internal constant BTC = 1;
    uint256 internal constant USD = 2;
    uint256 internal constant UNDERLYINGS = 3;
    uint256 internal constant WETH = 0;
    uint256 internal constant WBTC = 1;
    uint256 internal constant WSTETH = 2;
    uint256 internal constant USDT = 3;
    uint256 internal constant ETH_PRICE = 2_000e18;
    uint256 internal constant BTC_PRICE = 60_000e18;
    uint256 internal constant USDC_UNIT = 1e12; // [wad] of the smallest unit of USDC
    uint96 internal constant ISOLATED = 1 << 95;
    uint32 internal constant PHI = 1_666_666_667; // 5/3

    AccessManager internal authority;
    Vault internal vault;
    RiskEngine internal engine;
    PriceOracle internal oracle;
    IClearingHouse internal ch;
    Exchange internal exchange;
    InsuranceFund internal fund;
    MockERC20 internal usdc;
    MockERC20[] internal tokens; // by collateral
    MockV3Aggregator[UNDERLYINGS] internal feeds; // by underlying
    MockV3Aggregator[2] internal rateFeeds; // of wstETH: the protocol's rate and the market's
    address internal treasury;

    mapping(address actor => uint256) internal keys;
    uint256 private _nonce;

    // ---------------------------------------------------------------- deployment

    function deployHouse() internal {
        vm.warp(START);
        treasury = actor("treasury");
        usdc = new MockERC20("USD Coin", "USDC", 6);
        feeds[ETH] = new MockV3Aggregator(8, int256(ETH_PRICE / 1e10));
        feeds[BTC] = new MockV3Aggregator(8, int256(BTC_PRICE / 1e10));
        feeds[USD] = new MockV3Aggregator(8, 1e8);
        rateFeeds = [new MockV3Aggregator(18, 1.15e18), new MockV3Aggregator(18, 1.149e18)];
        authority = new AccessManager(address(this));
        vault = new Vault(address(authority));
        engine = new RiskEngine(address(authority));
        oracle = new PriceOracle(address(authority), address(0), 0);
        ch = IClearingHouse(address(new ClearingHouse(address(authority), address(vault), address(usdc))));
        vault.setClearingHouse(address(ch));
        exchange = new Exchange(address(ch));
        fund = new InsuranceFund(address(ch));
        ch.setRiskEngine(address(engine));
        ch.setPriceOracle(address(oracle));
        ch.setExchange(address(exchange));
        ch.setInsuranceFund(address(fund));
        ch.setTreasury(treasury);
        ch.setLendingParams(LendingParams(800_000, 40_000, 750_000, 100_000));
        _list(ETH, 50_000_000, 0.01e18);
        _list(BTC, 100_000_000, 0.001e18);
        oracle.setFeed(USD, Feed(address(feeds[USD]), 1 days, 8, 0.01e18, 100e18));
        engine.setUnderlyingRisk(USD, UnderlyingRisk(20_000, 5_000, 10_000, 20_000, 0, 0, PHI, 500_000_000));
        oracle.setRateFeeds(
            WSTETH,
            RateFeeds(address(rateFeeds[0]), 1 days, 18, address(rateFeeds[1]), 1 days, 18, 2e18)
        );
        CollateralRisk memory risk = CollateralRisk(70_000, 100_000, 0, 0, uint8(ETH), 0, 0);
        listCollateral(new MockERC20("Wrapped Ether", "WETH", 18), risk, 0.005e18);
        risk.underlying = uint8(BTC);
        listCollateral(new MockERC20("Wrapped Bitcoin", "WBTC", 8), risk, 0.0002e18);
        risk = CollateralRisk(70_000, 100_000, 20_000, 30_000, uint8(ETH), 0, 0);
        listCollateral(new MockERC20("Wrapped liquid staked Ether", "wstETH", 18), risk, 0.005e18);
        risk = CollateralRisk(20_000, 50_000, 0, 0, uint8(USD), 990_000, 4e6);
        listCollateral(new MockERC20("Tether USD", "USDT", 6), risk, 10e18);
    }

    /// @dev Underlying and market of one asset.
    function _list(uint256 id, uint48 depth, uint80 minFill) private {
        oracle.setFeed(id, Feed(address(feeds[id]), 1 days, 8, 1e18, 1e24));
        oracle.setRegime(id, Regime(1_000_000, 1 days, 3e6, 250_000));
        engine.setUnderlyingRisk(id, UnderlyingRisk(30_000, 20_000, 10_000, 30_000, 0, 0, PHI, depth));
        ch.setMarket(id, marketParams(id, minFill));
    }

    /// @notice Default parameters of a market.
    function marketParams(uint256 underlying, uint80 minFill) internal pure returns (MarketParams memory) {
        return MarketParams(500, 0, 5_000, 2_500, minFill, 50_000_000, 100_000_000, uint8(underlying));
    }

    /// @notice Lists the next collateral asset; one of a rate if it is wstETH. Dust threshold: about 10 USD.
    function listCollateral(MockERC20 token, CollateralRisk memory risk, uint80 minBalance) internal {
        uint256 id = tokens.length;
        tokens.push(token);
        engine.setCollateralRisk(id, risk);
        ch.setCollateral(
            id,
            CollateralParams(address(token), 0, risk.underlying, id == WSTETH, 0, 1e12, 1e12, minBalance)
        );
    }

    // ---------------------------------------------------------------- actors and money

    /// @notice An address that can sign.
    function actor(string memory name) internal returns (address who) {
        uint256 key = uint256(keccak256(bytes(name)));
        who = vm.addr(key);
        keys[who] = key;
    }

    function main(address who) internal pure returns (AccountId) {
        return AccountIds.main(who);
    }

    function isolated(address who, uint256 market) internal pure returns (AccountId) {
        return AccountIds.derive(who, ISOLATED | uint96(market << 80));
    }

    /// @notice Gives the account's owner `amount` [wad] of USDC and deposits it.
    function giveCash(AccountId id, uint256 amount) internal {
        uint256 units = amount / USDC_UNIT;
        usdc.mint(id.ownerOf(), units);
        vm.prank(id.ownerOf());
        usdc.approve(address(vault), units);
        vm.prank(id.ownerOf());
        ch.deposit(id, address(usdc), units);
    }

    /// @notice Gives the account's owner `amount` [wad] of a collateral asset and deposits it.
    function giveCollateral(AccountId id, uint256 collateral, uint256 amount) internal {
        uint256 units = toUnits(collateral, amount);
        address token = address(tokens[collateral]);
        tokens[collateral].mint(id.ownerOf(), units);
        vm.prank(id.ownerOf());
        OddToken(token).approve(address(vault), units); // asks for no answer
        vm.prank(id.ownerOf());
        ch.deposit(id, token, units);
    }

    /// @notice The account's owner lends `amount` [wad] of its cash.
    function lend(AccountId id, uint256 amount) internal {
        vm.prank(id.ownerOf());
        ch.lend(id, amount / USDC_UNIT);
    }

    function recall(AccountId id, uint256 amount) internal {
        vm.prank(id.ownerOf());
        ch.recall(id, amount / USDC_UNIT);
    }

    /// @notice The account's owner withdraws its cash and `amount` [wad] beyond it.
    function borrow(AccountId id, uint256 amount) internal {
        withdrawCash(id, cashOf(id) + amount);
    }

    function withdrawCash(AccountId id, uint256 amount) internal {
        vm.prank(id.ownerOf());
        ch.withdraw(id, address(usdc), amount / USDC_UNIT, id.ownerOf());
    }

    function withdrawCollateral(AccountId id, uint256 collateral, uint256 amount) internal {
        uint256 units = toUnits(collateral, amount);
        vm.prank(id.ownerOf());
        ch.withdraw(id, address(tokens[collateral]), units, id.ownerOf());
    }

    /// @notice Gives the insurance fund `amount` [wad] as shares of `who`.
    function giveFund(address who, uint256 amount) internal {
        uint256 units = amount / USDC_UNIT;
        usdc.mint(who, units);
        vm.prank(who);
        usdc.approve(address(fund), units);
        vm.prank(who);
        fund.deposit(units, who);
    }

    /// @notice [wad] in units of a collateral's token, rounded down.
    function toUnits(uint256 collateral, uint256 amount) internal view returns (uint256) {
        return amount / unitOf(collateral);
    }

    /// @notice [wad] of the smallest unit of a collateral's token.
    function unitOf(uint256 collateral) internal view returns (uint256) {
        return 10 ** (18 - tokens[collateral].decimals());
    }

    // ---------------------------------------------------------------- trading

    /// @notice A signed order with the next nonce.
    function signedOrder(
        AccountId id,
        uint256 market,
        int256 size,
        uint256 limit,
        bool resting,
        bool reduceOnly
    ) internal returns (SignedOrder memory) {
        (uint256 epoch, , ) = exchange.ownerState(id.ownerOf());
        return
            sign(
                Order(
                    id,
                    market,
                    size,
                    limit,
                    0,
                    0,
                    0,
                    block.timestamp + 365 days,
                    ++_nonce,
                    epoch,
                    resting,
                    false,
                    reduceOnly,
                    false
                )
            );
    }

    function sign(Order memory order) internal view returns (SignedOrder memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[order.account.ownerOf()], exchange.hashOrder(order));
        return SignedOrder(order, abi.encodePacked(r, s, v));
    }

    /// @notice Signed orders of a resting maker and a taker who trade `size` (the taker's change) at `price`.
    function pair(
        AccountId maker,
        AccountId taker,
        uint256 market,
        int256 size,
        uint256 price
    ) internal returns (SignedOrder[] memory orders, Match[] memory matches) {
        orders = new SignedOrder[](2);
        orders[0] = signedOrder(maker, market, -size, price, true, false);
        orders[1] = signedOrder(taker, market, size, price, false, false);
        matches = new Match[](1);
        matches[0] = Match(0, 1);
    }

    /// @notice Trades through the exchange: the taker's size changes by `size` at `price`.
    function trade(AccountId maker, AccountId taker, uint256 market, int256 size, uint256 price) internal {
        (SignedOrder[] memory orders, Match[] memory matches) = pair(maker, taker, market, size, price);
        exchange.settle(orders, matches);
    }

    /// @notice As `trade`, at the index price.
    function trade(AccountId maker, AccountId taker, uint256 market, int256 size) internal {
        trade(maker, taker, market, size, priceOf(market));
    }

    function settle(uint256 market, AccountId id) internal {
        AccountId[] memory list = new AccountId[](1);
        list[0] = id;
        ch.settle(market, list);
    }

    function settle(uint256 market, AccountId a, AccountId b) internal {
        AccountId[] memory list = new AccountId[](2);
        (list[0], list[1]) = (a, b);
        ch.settle(market, list);
    }

    /// @notice Terms of a liquidator who takes whatever is needed.
    function anyTerms() internal pure returns (LiquidationTerms memory) {
        return LiquidationTerms(WAD, type(int256).max, 0, false);
    }

    function liquidate(AccountId id, AccountId taker) internal returns (uint256 fraction, int256 payment) {
        vm.prank(taker.ownerOf());
        return ch.liquidate(id, taker, anyTerms());
    }

    // ---------------------------------------------------------------- prices

    /// @notice Index price [wad] of an underlying.
    function priceOf(uint256 underlying) internal view returns (uint256) {
        return uint256(feeds[underlying].latestAnswer()) * 1e10;
    }

    /// @notice Publishes a price [wad]; feeds have 8 decimals.
    function setPrice(uint256 underlying, uint256 price) internal {
        feeds[underlying].updateAnswer(int256(price / 1e10));
    }

    /// @notice Lets time pass; all feeds answer again with the same price.
    /// @dev Asks for the time: the compiler takes block.timestamp out of loops.
    function passTime(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
        refreshFeeds();
    }

    function refreshFeeds() internal {
        for (uint256 u = 0; u < UNDERLYINGS; ++u) feeds[u].updateAnswer(feeds[u].latestAnswer());
        for (uint256 i = 0; i < 2; ++i) rateFeeds[i].updateAnswer(rateFeeds[i].latestAnswer());
    }

    /// @notice Makes the last answer of every feed three days old.
    function stopFeeds() internal {
        for (uint256 u = 0; u < UNDERLYINGS; ++u) stopFeed(feeds[u]);
        for (uint256 i = 0; i < 2; ++i) stopFeed(rateFeeds[i]);
    }

    /// @notice Makes the last answer of a feed three days old.
    function stopFeed(MockV3Aggregator feed) internal {
        uint256 time = block.timestamp - 3 days;
        feed.updateRoundData(uint80(feed.latestRound() + 1), feed.latestAnswer(), time, time);
    }

    /// @notice Takes all rounds of an underlying's feed into its regime and keeps the price as the last good one.
    function observe(uint256 underlying) internal {
        oracle.observe(underlying, type(uint256).max);
    }

    // ---------------------------------------------------------------- reading

    function cashOf(AccountId id) internal view returns (uint256) {
        return ch.account(id).cash;
    }

    function sizeOf(AccountId id, uint256 market) internal view returns (int256) {
        return ch.position(id, market).size;
    }

    function quoteOf(AccountId id, uint256 market) internal view returns (int256) {
        return ch.position(id, market).quote;
    }

    function poolOf(uint256 market) internal view returns (MarketPool memory pool) {
        (, , , pool, ) = ch.market(market);
    }

    function rateOf(uint256 market) internal view returns (MarketRate memory rate) {
        (, , rate, , ) = ch.market(market);
    }

    function openInterestOf(uint256 market) internal view returns (uint256) {
        (, MarketIndex memory index, , , ) = ch.market(market);
        return index.openInterest;
    }

    function lossOf(uint256 market) internal view returns (MarketLoss memory loss) {
        (, , , , loss) = ch.market(market);
    }

    function lentOf(AccountId id) internal view returns (uint256 lent) {
        (lent, , ) = ch.loans(id);
    }

    function debtOf(AccountId id) internal view returns (uint256 debt) {
        (, debt, ) = ch.loans(id);
    }

    function lendingPool() internal view returns (LendingPool memory pool) {
        (pool, ) = ch.lending();
    }

    function assess(AccountId id) internal view returns (Assessment memory) {
        return ch.assess(id);
    }
}
