// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {ClearingHouse} from "../../contracts/ClearingHouse.sol";
import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {PriceOracle} from "../../contracts/PriceOracle.sol";
import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {IExchange, Match, Order, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {Feed, IPriceOracle, RateFeeds, Regime, SecondSource} from "../../contracts/interfaces/IPriceOracle.sol";
import {CollateralRisk, IRiskEngine, UnderlyingRisk} from "../../contracts/interfaces/IRiskEngine.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {CallbackToken} from "../../contracts/mocks/CallbackToken.sol";
import {MockERC20} from "../../contracts/mocks/MockERC20.sol";
import {MockFeed} from "../../contracts/mocks/MockFeed.sol";
import {MockWallet} from "../../contracts/mocks/MockWallet.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {
    Call,
    CollateralParams,
    Fill,
    LendingParams,
    LiquidationTerms,
    MarketParams
} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice Every refusal of every contract, by its typed error.
contract GuardsTest is House {
    uint256 private constant FREE = 50; // a collateral that is not listed

    address private alice;
    address private bob;
    address private carol;

    bytes[] private _inside; // what a token's callback tries
    bytes4[] private _answers; // and how it was refused

    function setUp() public {
        deployHouse();
        (alice, bob, carol) = (actor("alice"), actor("bob"), actor("carol"));
    }

    /// @dev The call as `caller` reverts with `error`.
    function _refused(address caller, address target, bytes memory data, bytes4 error) private {
        vm.prank(caller);
        (bool ok, bytes memory reason) = target.call(data);
        check(!ok, "went through");
        checkEq(uint256(uint32(bytes4(reason))), uint256(uint32(error)), "refused for another reason");
    }

    function _house(address caller, bytes memory data, bytes4 error) private {
        _refused(caller, address(ch), data, error);
    }

    function _admin(bytes memory data, bytes4 error) private {
        _refused(address(this), address(ch), data, error);
    }

    // ---------------------------------------------------------------- wiring

    function test_Wiring() public {
        bytes4 zero = IClearingHouseCore.ZeroAddress.selector;
        bytes4 set = IClearingHouseCore.AlreadySet.selector;
        _admin(abi.encodeCall(ch.setRiskEngine, (address(0))), zero);
        _admin(abi.encodeCall(ch.setPriceOracle, (address(0))), zero);
        _admin(abi.encodeCall(ch.setTreasury, (address(0))), zero);
        _admin(abi.encodeCall(ch.setExchange, (alice)), set);
        _admin(abi.encodeCall(ch.setInsuranceFund, (alice)), set);
        _refused(
            address(this),
            address(vault),
            abi.encodeCall(vault.setClearingHouse, (alice)),
            IVault.ClearingHouseAlreadySet.selector
        );

        IClearingHouse bare = IClearingHouse(
            address(new ClearingHouse(address(authority), address(vault), address(usdc)))
        );
        _refused(address(this), address(bare), abi.encodeCall(ch.setExchange, (address(0))), zero);
        _refused(address(this), address(bare), abi.encodeCall(ch.setInsuranceFund, (address(0))), zero);
        MarketParams memory params;
        _refused(address(this), address(bare), abi.encodeCall(ch.setMarket, (0, params)), zero);
    }

    function test_Construction() public {
        address manager = address(authority);
        vm.expectPartialRevert(IClearingHouseCore.ZeroAddress.selector);
        new ClearingHouse(manager, address(0), address(usdc));
        vm.expectPartialRevert(IClearingHouseCore.ZeroAddress.selector);
        new ClearingHouse(manager, address(vault), address(0));
        address odd = address(new MockERC20("Odd", "ODD", 25));
        vm.expectPartialRevert(IClearingHouseCore.ParameterOutOfBounds.selector);
        new ClearingHouse(manager, address(vault), odd);
        vm.expectPartialRevert(IPriceOracle.FeedParameterOutOfBounds.selector);
        new PriceOracle(manager, address(0), 366 days);
    }

    function test_Vault() public {
        bytes4 stranger = IVault.OnlyClearingHouse.selector;
        _refused(alice, address(vault), abi.encodeCall(vault.pull, (address(usdc), bob, 1)), stranger);
        _refused(alice, address(vault), abi.encodeCall(vault.push, (address(usdc), bob, 1)), stranger);
        bytes4 self = IVault.InvalidRecipient.selector;
        _refused(address(ch), address(vault), abi.encodeCall(vault.pull, (address(usdc), address(vault), 1)), self);
        _refused(address(ch), address(vault), abi.encodeCall(vault.push, (address(usdc), address(vault), 1)), self);
    }

    // ---------------------------------------------------------------- listing

    function test_Listing() public {
        bytes4 bounds = IClearingHouseCore.ParameterOutOfBounds.selector;
        MarketParams memory good = MarketParams(500, 0, 5_000, 2_500, 0.01e18, 50_000_000, 100_000_000, 0);
        _admin(abi.encodeCall(ch.setMarket, (64, good)), bounds);
        MarketParams memory p = good;
        p.underlying = 9;
        _admin(abi.encodeCall(ch.setMarket, (40, p)), IRiskEngine.UnknownUnderlying.selector);
        CollateralParams memory c = ch.collateral(WETH);
        _admin(abi.encodeCall(ch.setCollateral, (FREE, c)), IRiskEngine.UnknownCollateral.selector);
        engine.setCollateralRisk(FREE, CollateralRisk(70_000, 100_000, 0, 0, 0, 0, 0));
        _admin(abi.encodeCall(ch.setCollateral, (FREE, c)), IClearingHouseCore.AlreadySet.selector);
        c.token = address(usdc);
        _admin(abi.encodeCall(ch.setCollateral, (FREE, c)), IClearingHouseCore.AlreadySet.selector);
        _admin(abi.encodeCall(ch.setCollateral, (WETH, c)), IClearingHouseCore.UnknownAsset.selector);
        c = ch.collateral(WETH);
        c.hasRate = true;
        _admin(abi.encodeCall(ch.setCollateral, (WETH, c)), IClearingHouseCore.AlreadySet.selector);
        _admin(abi.encodeCall(ch.delistCollateral, (FREE)), IClearingHouseCore.UnknownAsset.selector);
        ch.delistCollateral(WETH);
        _admin(abi.encodeCall(ch.delistCollateral, (WETH)), IClearingHouseCore.AlreadySet.selector);
        _admin(abi.encodeCall(ch.setLendingParams, (LendingParams(0, 0, 0, 0))), bounds);
    }

    function test_Engine() public {
        UnderlyingRisk memory r = UnderlyingRisk(0, 20_000, 10_000, 30_000, 0, 0, 1_666_666_667, 1);
        bytes memory data = abi.encodeCall(engine.setUnderlyingRisk, (7, r));
        _refused(address(this), address(engine), data, IRiskEngine.ParameterOutOfBounds.selector);
        CollateralRisk memory c = CollateralRisk(70_000, 100_000, 0, 0, 9, 0, 0);
        data = abi.encodeCall(engine.setCollateralRisk, (7, c));
        _refused(address(this), address(engine), data, IRiskEngine.UnknownUnderlying.selector);
    }

    // ---------------------------------------------------------------- custody

    function test_Custody() public {
        giveCash(main(alice), 1_000e18);
        giveCollateral(main(alice), WETH, 1e18);
        AccountId a = main(alice);
        AccountId b = main(bob);
        (address cash, address weth) = (address(usdc), address(tokens[WETH]));
        bytes4 nothing = IClearingHouseCore.ZeroAmount.selector;
        bytes4 stranger = IClearingHouseCore.NotOwner.selector;
        _house(alice, abi.encodeCall(ch.deposit, (a, cash, 0)), nothing);
        _house(alice, abi.encodeCall(ch.withdraw, (a, cash, 0, alice)), nothing);
        _house(alice, abi.encodeCall(ch.transfer, (a, AccountIds.derive(alice, 1), cash, 0)), nothing);
        _house(alice, abi.encodeCall(ch.lend, (a, 0)), nothing);
        _house(alice, abi.encodeCall(ch.recall, (a, 0)), nothing);
        _house(alice, abi.encodeCall(ch.withdraw, (a, cash, 1, address(0))), IClearingHouseCore.ZeroAddress.selector);
        _house(alice, abi.encodeCall(ch.transfer, (a, a, cash, 1)), IClearingHouseCore.SameAccount.selector);
        _house(alice, abi.encodeCall(ch.transfer, (a, b, cash, 1)), IClearingHouseCore.OwnerMismatch.selector);
        _house(bob, abi.encodeCall(ch.deposit, (a, weth, 1e18)), stranger);
        _house(bob, abi.encodeCall(ch.withdraw, (a, cash, 1, bob)), stranger);
        _house(bob, abi.encodeCall(ch.transfer, (a, b, cash, 1)), stranger);
        _house(bob, abi.encodeCall(ch.lend, (a, 1)), stranger);
        _house(bob, abi.encodeCall(ch.recall, (a, 1)), stranger);
        _house(bob, abi.encodeCall(ch.claim, (a, ETH, 1)), stranger);
        _house(alice, abi.encodeCall(ch.withdraw, (a, alice, 1, alice)), IClearingHouseCore.UnknownAsset.selector);
        _house(
            alice,
            abi.encodeCall(ch.withdraw, (a, cash, 2_000e6, alice)),
            IClearingHouseCore.InsufficientCash.selector
        );
        _house(
            alice,
            abi.encodeCall(ch.withdraw, (a, weth, 2e18, alice)),
            IClearingHouseCore.InsufficientCollateral.selector
        );
        _house(
            alice,
            abi.encodeCall(ch.withdraw, (a, weth, 1e18 - 1, alice)),
            IClearingHouseCore.CollateralDust.selector
        );
        _house(alice, abi.encodeCall(ch.recall, (a, 1e6)), IClearingHouseCore.InsufficientLiquidity.selector);
        _house(alice, abi.encodeCall(ch.claim, (a, ETH, 1)), IClearingHouseCore.NothingToClaim.selector);
    }

    function test_XAC_2_CollateralCaps() public {
        giveCollateral(main(alice), WETH, 2e18);
        tokens[WETH].mint(bob, 10e18);
        vm.prank(bob);
        tokens[WETH].approve(address(vault), 10e18);
        bytes memory data = abi.encodeCall(ch.deposit, (main(bob), address(tokens[WETH]), 3e18));
        CollateralParams memory c = ch.collateral(WETH);
        (c.cap, c.accountCap) = (4, 4);
        ch.setCollateral(WETH, c);
        _house(bob, data, IClearingHouseCore.CollateralCap.selector);
        (c.cap, c.accountCap) = (100, 2);
        ch.setCollateral(WETH, c);
        _house(bob, data, IClearingHouseCore.CollateralCap.selector);
        ch.delistCollateral(WETH);
        _house(bob, data, IClearingHouseCore.Delisted.selector);
    }

    /// @dev What the vault receives can be too little to be booked.
    function test_NothingArrives() public {
        MockERC20 fine = new MockERC20("Fine", "FINE", 24);
        _listWeth2(address(fine));
        fine.mint(alice, 1e24);
        vm.prank(alice);
        fine.approve(address(vault), 1e24);
        _house(
            alice,
            abi.encodeCall(ch.deposit, (main(alice), address(fine), 999_999)),
            IClearingHouseCore.ZeroAmount.selector
        );
    }

    function test_Limits() public {
        AccountId iso = isolated(alice, BTC);
        giveCash(iso, 10_000e18);
        giveCash(main(bob), 10_000e18);
        (SignedOrder[] memory orders, Match[] memory matches) = pair(main(bob), iso, ETH, 1e18, ETH_PRICE);
        bytes memory data = abi.encodeCall(exchange.settle, (orders, matches));
        _refused(carol, address(exchange), data, IClearingHouseCore.IsolatedMarket.selector);
        giveCash(main(carol), 10_000e18);
        for (uint256 i = 2; i < 19; ++i) {
            ch.setMarket(i, MarketParams(500, 0, 5_000, 2_500, 0.01e18, 50_000_000, 100_000_000, 0));
            if (i < 18) trade(main(bob), main(carol), i, 0.01e18, ETH_PRICE);
        }
        (orders, matches) = pair(main(bob), main(carol), 18, 0.01e18, ETH_PRICE);
        data = abi.encodeCall(exchange.settle, (orders, matches));
        _refused(carol, address(exchange), data, IClearingHouseCore.TooManyMarkets.selector);
    }

    // ---------------------------------------------------------------- trading

    function _order(AccountId id) private view returns (Order memory) {
        return Order(id, ETH, 1e18, ETH_PRICE, 0, 0, 0, block.timestamp + 1, 1, 0, false, false, false, false);
    }

    function _settles(Order memory order, bytes4 error) private {
        SignedOrder[] memory orders = new SignedOrder[](1);
        orders[0] = sign(order);
        _refused(carol, address(exchange), abi.encodeCall(exchange.settle, (orders, new Match[](1))), error);
    }

    function test_Orders() public {
        Order memory o = _order(main(alice));
        o.expiry = block.timestamp - 1;
        _settles(o, IExchange.OrderExpired.selector);
        o = _order(main(alice));
        o.size = 0;
        _settles(o, IExchange.OrderSizeInvalid.selector);
        o.size = 1;
        _settles(o, IExchange.OrderSizeInvalid.selector);
        o = _order(main(alice));
        o.limitPrice = 0;
        _settles(o, IExchange.OrderPriceInvalid.selector);
        o.limitPrice = 1e24 + 1;
        _settles(o, IExchange.OrderPriceInvalid.selector);
        o = _order(main(alice));
        o.postOnly = true;
        _settles(o, IExchange.OrderFlagsInvalid.selector);
        o = _order(main(alice));
        (o.resting, o.fillOrKill) = (true, true);
        _settles(o, IExchange.OrderFlagsInvalid.selector);
        o = _order(main(alice));
        (o.resting, o.triggerAbove) = (true, 1);
        _settles(o, IExchange.OrderTriggerRests.selector);
        (o.triggerAbove, o.triggerBelow) = (0, 1);
        _settles(o, IExchange.OrderTriggerRests.selector);
        o = _order(main(alice));
        o.executionFee = 20e18 + 1; // 1 % of 1 · 2,000 and a wei
        _settles(o, IExchange.OrderFeeTooHigh.selector);
        o = _order(main(alice));
        o.epoch = 1;
        _settles(o, IExchange.OrderEpochMismatch.selector);
        o = _order(main(alice));
        o.nonce = 1 << 64;
        _settles(o, IExchange.OrderNonceTooHigh.selector);
        o = _order(main(alice));
        o.reduceOnly = true;
        _settles(o, IExchange.OrderNothingToReduce.selector);
        o = _order(main(alice));
        vm.prank(alice);
        exchange.cancelBelow(2);
        _settles(o, IExchange.OrderNonceTooLow.selector);
        o.nonce = 3;
        uint256[] memory nonces = new uint256[](1);
        nonces[0] = 3;
        _refused(
            bob,
            address(exchange),
            abi.encodeCall(exchange.cancel, (main(alice), nonces)),
            IExchange.NotOwner.selector
        );
        vm.prank(alice);
        exchange.cancel(main(alice), nonces);
        _settles(o, IExchange.OrderCancelledOrFilled.selector);
        checkEq(exchange.filled(main(alice), 3), type(uint256).max, "cancelled");
        checkEq(exchange.filled(main(alice), 4), 0, "untouched");
        nonces[0] = 1 << 64;
        _refused(
            alice,
            address(exchange),
            abi.encodeCall(exchange.cancel, (main(alice), nonces)),
            IExchange.OrderNonceTooHigh.selector
        );
        _refused(
            alice,
            address(exchange),
            abi.encodeCall(exchange.cancelBelow, (2)),
            IExchange.NonceNotIncreased.selector
        );
        _refused(
            alice,
            address(exchange),
            abi.encodeCall(exchange.cancelBelow, (1 << 64)),
            IExchange.OrderNonceTooHigh.selector
        );
        SignedOrder[] memory none = new SignedOrder[](0);
        _refused(
            carol,
            address(exchange),
            abi.encodeCall(exchange.settle, (none, new Match[](0))),
            IExchange.NoMatches.selector
        );
    }

    function test_Signatures() public {
        Order memory o = _order(main(alice));
        o.nonce = 7;
        SignedOrder[] memory orders = new SignedOrder[](1);
        orders[0] = sign(o);
        orders[0].order.nonce = 8;
        bytes memory data = abi.encodeCall(exchange.settle, (orders, new Match[](1)));
        _refused(carol, address(exchange), data, IExchange.InvalidSignature.selector);
        MockWallet wallet = new MockWallet(alice);
        orders[0].order.account = main(address(wallet));
        wallet.setAnswer(MockWallet.Answer.Short);
        data = abi.encodeCall(exchange.settle, (orders, new Match[](1)));
        _refused(carol, address(exchange), data, IExchange.InvalidSignature.selector);
    }

    /// @dev Two orders, changed one way after another: who may meet whom.
    function _meets(SignedOrder memory maker, SignedOrder memory taker, bytes4 error) private {
        SignedOrder[] memory orders = new SignedOrder[](2);
        (orders[0], orders[1]) = (sign(maker.order), sign(taker.order));
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        _refused(carol, address(exchange), abi.encodeCall(exchange.settle, (orders, matches)), error);
    }

    function _two() private returns (SignedOrder memory maker, SignedOrder memory taker) {
        maker = signedOrder(main(alice), ETH, -1e18, ETH_PRICE, true, false);
        taker = signedOrder(main(bob), ETH, 1e18, ETH_PRICE, false, false);
    }

    function test_Matching() public {
        giveCash(main(alice), 100_000e18);
        giveCash(main(bob), 100_000e18);
        (SignedOrder memory m, SignedOrder memory t) = _two();
        t.order.market = BTC;
        _meets(m, t, IExchange.OrderMarketMismatch.selector);
        (m, t) = _two();
        t.order.size = -1e18;
        _meets(m, t, IExchange.OrderSideMismatch.selector);
        (m, t) = _two();
        t.order.limitPrice = ETH_PRICE - 1;
        _meets(m, t, IExchange.OrderNotCrossing.selector);
        (m, t) = _two();
        m.order.resting = false;
        _meets(m, t, IExchange.OrderNoMaker.selector);
        (m, t) = _two();
        (t.order.resting, t.order.postOnly) = (true, true);
        _meets(m, t, IExchange.OrderWouldTake.selector);
        (m, t) = _two();
        (t.order.resting, t.order.postOnly, m.order.postOnly) = (true, true, true);
        _meets(m, t, IExchange.OrderWouldTake.selector);
        (m, t) = _two();
        t.order.triggerAbove = ETH_PRICE + 1;
        _meets(m, t, IExchange.OrderNotTriggered.selector);
        (m, t) = _two();
        t.order.triggerBelow = ETH_PRICE - 1;
        _meets(m, t, IExchange.OrderNotTriggered.selector);
        (m, t) = _two();
        (t.order.size, t.order.fillOrKill) = (2e18, true);
        _meets(m, t, IExchange.OrderNotFilledWhole.selector);
        (m, t) = _two();
        t.order.account = main(alice);
        _meets(m, t, IClearingHouseCore.SameAccount.selector);
        (m, t) = _two();
        (m.order.limitPrice, t.order.limitPrice) = (ETH_PRICE * 2, ETH_PRICE * 2);
        _meets(m, t, IClearingHouseCore.PriceOutOfBand.selector);
        (m, t) = _two();
        (m.order.size, t.order.size) = (-0.001e18, 0.001e18);
        _meets(m, t, IClearingHouseCore.FillTooSmall.selector);
        (m, t) = _two();
        (m.order.size, t.order.size) = (-100_000e18, 100_000e18);
        _meets(m, t, IClearingHouseCore.OpenInterestCap.selector);
        (m, t) = _two();
        (m.order.size, t.order.size) = (-10_000e18, 10_000e18);
        _meets(m, t, IClearingHouseCore.InsufficientMargin.selector);
        (m, t) = _two();
        (m.order.market, t.order.market) = (9, 9);
        _meets(m, t, IClearingHouseCore.UnknownMarket.selector);
    }

    /// @dev The order is spent by its first match.
    function test_MatchedTwice() public {
        giveCash(main(alice), 100_000e18);
        giveCash(main(bob), 100_000e18);
        (SignedOrder[] memory orders, ) = pair(main(alice), main(bob), ETH, 1e18, ETH_PRICE);
        Match[] memory matches = new Match[](2);
        (matches[0], matches[1]) = (Match(0, 1), Match(0, 1));
        bytes memory data = abi.encodeCall(exchange.settle, (orders, matches));
        _refused(carol, address(exchange), data, IExchange.OrderCancelledOrFilled.selector);
    }

    /// @dev Both rest: the mid of their limits.
    function test_BothRest() public {
        giveCash(main(alice), 100_000e18);
        giveCash(main(bob), 100_000e18);
        SignedOrder[] memory orders = new SignedOrder[](2);
        orders[0] = signedOrder(main(alice), ETH, -1e18, ETH_PRICE - 2e18, true, false);
        orders[1] = signedOrder(main(bob), ETH, 1e18, ETH_PRICE + 4e18, true, false);
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        exchange.settle(orders, matches);
        // bob pays 2,001 for 1 ETH and the mean of both fees, 250 ppm: 0.50025
        checkEq(quoteOf(main(bob), ETH), -2_001.50025e18, "mid of the limits");
    }

    // ---------------------------------------------------------------- liquidation

    function test_Liquidation() public {
        giveCash(main(alice), 1_000e18);
        giveCash(main(bob), 100_000e18);
        giveCash(main(carol), 100_000e18);
        trade(main(bob), main(alice), ETH, 8e18);
        LiquidationTerms memory any = anyTerms();
        AccountId a = main(alice);
        _house(carol, abi.encodeCall(ch.flag, (a)), IClearingHouseCore.NotLiquidatable.selector);
        _house(carol, abi.encodeCall(ch.liquidate, (a, main(carol), any)), IClearingHouseCore.NotLiquidatable.selector);
        _house(carol, abi.encodeCall(ch.absorb, (a)), IClearingHouseCore.NotAbsorbable.selector);
        _house(carol, abi.encodeCall(ch.cashCall, (a, main(carol), any)), IClearingHouseCore.NoCashCall.selector);
        setPrice(ETH, 1_930e18); // E = 1,000 − 8 − 560 = 432 < MM = 15,440 · 3 % = 463
        _house(
            alice,
            abi.encodeCall(ch.liquidate, (a, AccountIds.derive(alice, 1), any)),
            IClearingHouseCore.SelfLiquidation.selector
        );
        _house(carol, abi.encodeCall(ch.liquidate, (a, main(bob), any)), IClearingHouseCore.NotOwner.selector);
        _house(
            carol,
            abi.encodeCall(ch.liquidate, (a, isolated(carol, ETH), any)),
            IClearingHouseCore.IsolatedTaker.selector
        );
        _house(
            carol,
            abi.encodeCall(ch.liquidate, (a, AccountIds.derive(carol, 1), any)),
            IClearingHouseCore.InsufficientMargin.selector
        );
        LiquidationTerms memory t = anyTerms();
        t.maxFraction = 1;
        _house(carol, abi.encodeCall(ch.liquidate, (a, main(carol), t)), IClearingHouseCore.FractionTooSmall.selector);
        t = anyTerms();
        t.maxPayment = -1_000e18; // asks for more than the penalty
        _house(carol, abi.encodeCall(ch.liquidate, (a, main(carol), t)), IClearingHouseCore.PaymentTooHigh.selector);
        t = anyTerms();
        t.minGain = 1_000e18;
        _house(carol, abi.encodeCall(ch.liquidate, (a, main(carol), t)), IClearingHouseCore.GainTooLow.selector);
        bytes memory lend = abi.encodeCall(ch.lend, (a, 1e6));
        _house(alice, lend, IClearingHouseCore.InsufficientMargin.selector);
        setPrice(ETH, 1_800e18); // the loss of 1,608 is more than the cash of 1,000
        _house(alice, lend, IClearingHouseCore.UnsettledLoss.selector);
    }

    // ---------------------------------------------------------------- the lock

    function test_Batch() public {
        giveCash(main(alice), 1_000e18);
        Call[] memory calls = new Call[](1);
        calls[0] = Call(address(usdc), "");
        _house(alice, abi.encodeCall(ch.batch, (calls)), IClearingHouseCore.InvalidBatchTarget.selector);
        calls[0] = Call(address(exchange), abi.encodeCall(exchange.revokeAll, ()));
        _house(alice, abi.encodeCall(ch.batch, (calls)), IClearingHouseCore.InvalidBatchTarget.selector);
        calls[0] = Call(address(ch), abi.encodeCall(ch.batch, (calls)));
        _house(alice, abi.encodeCall(ch.batch, (calls)), IClearingHouseCore.Reentrancy.selector);
        calls[0] = Call(address(ch), abi.encodeCall(ch.assess, (main(alice))));
        _house(alice, abi.encodeCall(ch.batch, (calls)), IClearingHouseCore.CheckPending.selector);
        _house(alice, abi.encodeCall(ch.trade, (new Fill[](0))), IClearingHouseCore.NotExchange.selector);
        bytes memory fee = abi.encodeCall(ch.payFee, (main(bob), main(alice), 1));
        _house(alice, fee, IClearingHouseCore.NotExchange.selector);
        Call[] memory two = new Call[](2);
        two[0] = Call(address(ch), abi.encodeCall(ch.withdraw, (main(alice), address(usdc), 1, alice)));
        two[1] = Call(address(ch), abi.encodeCall(ch.flag, (main(alice))));
        _house(alice, abi.encodeCall(ch.batch, (two)), IClearingHouseCore.CheckPending.selector);
    }

    /// @dev A token that calls back in the middle of a deposit finds every door locked.
    function test_MAS_3_Reentrancy() public {
        CallbackToken token = new CallbackToken(18);
        _listWeth2(address(token));
        token.mint(alice, 10e18);
        vm.prank(alice);
        token.approve(address(vault), 10e18);
        _inside.push(abi.encodeCall(ch.flag, (main(alice))));
        _inside.push(abi.encodeCall(ch.batch, (new Call[](0))));
        _inside.push(abi.encodeCall(ch.account, (main(alice))));
        token.setCallback(address(this), abi.encodeCall(this.tryInside, ()));
        vm.prank(alice);
        ch.deposit(main(alice), address(token), 1e18);
        check(_answers[0] == IClearingHouseCore.Reentrancy.selector, "an entry point is open");
        check(_answers[1] == IClearingHouseCore.Reentrancy.selector, "batch is open");
        check(_answers[2] == IClearingHouseCore.CheckPending.selector, "a view is open");
    }

    function tryInside() external {
        for (uint256 i = 0; i < _inside.length; ++i) {
            (, bytes memory reason) = address(ch).call(_inside[i]);
            _answers.push(bytes4(reason));
        }
    }

    // ---------------------------------------------------------------- the oracle

    function _reads(bytes4 error) private {
        _refused(alice, address(oracle), abi.encodeCall(oracle.latest, (ETH)), error);
    }

    function test_OR_1_OracleGuards() public {
        MockFeed odd = new MockFeed();
        oracle.setFeed(ETH, Feed(address(odd), 1 hours, 0, 100e18, 10_000e18));
        uint256 t = block.timestamp;
        odd.setAnswer(abi.encode(uint80(1), int256(2_000e8), t, t, uint80(1)));
        checkEq(oracle.latest(ETH).price(), ETH_PRICE, "the price");
        odd.fail();
        _reads(IPriceOracle.FeedUnreadable.selector);
        odd.setAnswer(abi.encode(uint80(1), int256(2_000e8), t, uint256(0), uint80(1)));
        _reads(IPriceOracle.PriceRoundIncomplete.selector);
        odd.setAnswer(abi.encode(uint80(1), int256(2_000e8), t - 2 hours, t - 2 hours, uint80(1)));
        _reads(IPriceOracle.PriceStale.selector);
        odd.setAnswer(abi.encode(uint80(1), int256(-1), t, t, uint80(1)));
        _reads(IPriceOracle.PriceNotPositive.selector);
        odd.setAnswer(abi.encode(uint80(1), int256(99e8), t, t, uint80(1)));
        _reads(IPriceOracle.PriceOutOfBounds.selector);
        odd.setDecimals(9);
        _refused(
            alice,
            address(oracle),
            abi.encodeCall(oracle.observe, (ETH, 1)),
            IPriceOracle.FeedUnreadable.selector
        );
        _refused(alice, address(oracle), abi.encodeCall(oracle.latest, (9)), IPriceOracle.UnknownFeed.selector);
        _refused(alice, address(oracle), abi.encodeCall(oracle.latestRate, (9)), IPriceOracle.UnknownRate.selector);
    }

    function test_OR_1_SecondSource() public {
        MockV3Aggregator second = new MockV3Aggregator(8, 2_100e8);
        oracle.setSecondSource(ETH, SecondSource(address(second), 1 hours, 0, 10_000));
        _reads(IPriceOracle.PriceDeviates.selector);
        second.updateAnswer(2_010e8);
        checkEq(oracle.latest(ETH).price(), ETH_PRICE, "within the band");
        oracle.setSecondSource(ETH, SecondSource(address(0), 0, 0, 0));
        second.updateAnswer(1);
        checkEq(oracle.latest(ETH).price(), ETH_PRICE, "no second source");
    }

    function test_OR_1_Sequencer() public {
        MockFeed up = new MockFeed();
        oracle = new PriceOracle(address(authority), address(up), 1 hours);
        oracle.setFeed(ETH, Feed(address(feeds[ETH]), 1 days, 0, 1e18, 1e24));
        uint256 t = block.timestamp;
        up.fail();
        _reads(IPriceOracle.SequencerDown.selector);
        up.setAnswer(abi.encode(uint80(1), int256(1), t - 1 days, t, uint80(1)));
        _reads(IPriceOracle.SequencerDown.selector);
        up.setAnswer(abi.encode(uint80(1), int256(0), t - 1, t, uint80(1)));
        _reads(IPriceOracle.SequencerGracePeriod.selector);
        up.setAnswer(abi.encode(uint80(1), int256(0), t - 1 hours, t, uint80(1)));
        checkEq(oracle.latest(ETH).price(), ETH_PRICE, "up for long enough");
    }

    function test_Rates() public {
        MockV3Aggregator rate = new MockV3Aggregator(18, 1.2e18);
        MockV3Aggregator market = new MockV3Aggregator(18, 1.1e18);
        oracle.setRateFeeds(3, RateFeeds(address(rate), 1 hours, 0, address(0), 0, 0, 2e18));
        checkEq(oracle.latestRate(3), 1.2e18, "one feed");
        oracle.setRateFeeds(3, RateFeeds(address(rate), 1 hours, 0, address(market), 1 hours, 0, 2e18));
        checkEq(oracle.latestRate(3), 1.1e18, "the lower of two");
        oracle.observeRate(3);
        (uint256 good, ) = oracle.lastGoodRate(3);
        checkEq(good, 1.1e18, "last good rate");
        market.updateAnswer(2.1e18);
        bytes memory data = abi.encodeCall(oracle.latestRate, (3));
        _refused(alice, address(oracle), data, IPriceOracle.RateUnusable.selector);
        market.updateAnswer(0);
        _refused(alice, address(oracle), data, IPriceOracle.RateUnusable.selector);
    }

    function test_OracleParameters() public {
        bytes4 bounds = IPriceOracle.FeedParameterOutOfBounds.selector;
        Feed memory f = Feed(address(feeds[ETH]), 0, 0, 1e18, 1e24);
        _refused(address(this), address(oracle), abi.encodeCall(oracle.setFeed, (ETH, f)), bounds);
        f = Feed(alice, 1 hours, 0, 1e18, 1e24);
        _refused(
            address(this),
            address(oracle),
            abi.encodeCall(oracle.setFeed, (ETH, f)),
            IPriceOracle.FeedUnreadable.selector
        );
        Regime memory r = Regime(1, 1 days, 3e6, 250_000);
        _refused(address(this), address(oracle), abi.encodeCall(oracle.setRegime, (ETH, r)), bounds);
    }

    // ---------------------------------------------------------------- the fund

    function test_Fund() public {
        giveFund(alice, 1_000e18);
        uint256 shares = fund.balanceOf(alice);
        vm.prank(alice);
        (bool ok, ) = address(fund).call(abi.encodeCall(fund.requestExit, (shares + 1)));
        check(!ok, "asked for more than held");
        vm.prank(alice);
        fund.requestExit(shares);
        (, uint256 from, ) = fund.exitRequest(alice);
        vm.warp(from);
        vm.prank(alice);
        fund.approve(bob, shares);
        vm.prank(bob);
        fund.redeem(shares / 2, bob, alice);
        check(usdc.balanceOf(bob) > 499e6, "redeemed by somebody allowed to");
        shares = fund.balanceOf(alice);
        vm.prank(alice);
        fund.transfer(bob, shares);
        checkEq(fund.maxRedeem(alice), 0, "the right to leave went with the shares");
        checkEq(fund.maxWithdraw(alice), 0, "nothing to withdraw");
    }

    // ---------------------------------------------------------------- helpers

    /// @dev Lists `token` as a second collateral of ETH.
    function _listWeth2(address token) private {
        engine.setCollateralRisk(FREE, CollateralRisk(70_000, 100_000, 0, 0, 0, 0, 0));
        ch.setCollateral(FREE, CollateralParams(token, 0, 0, false, 0, 1e12, 1e12, 0));
    }
}
