// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {
    Assessment,
    Call,
    CollateralParams,
    Cure,
    HealthReport,
    LendingParams,
    LendingPool,
    LiquidationTerms,
    MarginState,
    MarketParams
} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {Vm, vm} from "./support/Vm.sol";

/// @notice What users read: an account's health and prices, previews, parameters.
contract ViewsTest is House {
    AccountId private alice;
    AccountId private bob;

    function setUp() public {
        deployHouse();
        (alice, bob) = (main(actor("alice")), main(actor("bob")));
        giveCash(bob, 1_000_000e18);
    }

    /// @dev Long 10 ETH at 2,000 on 2,000 of cash; the fee is 10.
    function _long() private {
        giveCash(alice, 2_000e18);
        trade(bob, alice, ETH, 10e18);
    }

    // ---------------------------------------------------------------- health

    /// @dev E = 1,990; MM = 600 + 20,000 · 2 % · 20,000 / 50 M = 600.16; IM = 5/3 of it.
    function test_MAM_1_MAM_2_Health() public {
        _long();
        HealthReport memory r = ch.health(alice);
        check(r.state == MarginState.Healthy, "healthy");
        checkEq(r.equity, int256(1_990e18), "E");
        checkEq(r.maintenanceMargin, 600.16e18, "MM");
        checkNear(int256(r.initialMargin), int256(600.16e18 * uint256(5)) / 3, 1e12, "IM"); // φ = 1.666666667
        checkEq(r.ratio, (int256(1_990e18) * 1e18) / 600.16e18, "E / MM");
        checkEq(r.freeCollateral, uint256(r.equity) - r.initialMargin, "free");
        checkEq(ch.marginRatio(alice), r.ratio, "ratio");
        check(ch.marginState(alice) == MarginState.Healthy, "state");
        checkEq(ch.freeCollateral(alice), r.freeCollateral, "free collateral");
        checkEq(ch.netDelta(alice, ETH), int256(10e18), "net delta");
        checkEq(ch.positionPnl(alice, ETH), -10e18, "PnL: the fee");
        setPrice(ETH, 1_900e18); // E = 990, IM = 950.24…
        check(ch.marginState(alice) == MarginState.Healthy, "healthy");
        setPrice(ETH, 1_880e18); // E = 790, MM = 564.14
        check(ch.marginState(alice) == MarginState.MarginCall, "margin call");
        checkEq(ch.freeCollateral(alice), 0, "nothing is free");
        setPrice(ETH, 1_850e18); // E = 490, MM = 555.14
        check(ch.marginState(alice) == MarginState.Liquidatable, "liquidatable");
        setPrice(ETH, 1_800e18); // E = −10
        check(ch.marginState(alice) == MarginState.Bankrupt, "bankrupt");
        check(ch.marginRatio(alice) < 0, "negative");
        check(ch.marginRatio(main(treasury)) == type(int256).max, "no requirement");
    }

    /// @dev Down: 1,990 + 10·(p − 2,000) = 0.3·p + 10p · 2 % · 10p / 50 M at 1,856.715247. Up, for 2,000 of equity and 10 short:
    /// 2,000 − 10·(p − 2,000) = the same at 2,135.904613.
    function test_MAM_7_DN_3_LiquidationPrices() public {
        _long();
        (uint256 down, uint256 up) = ch.liquidationPrices(alice, ETH);
        checkNear(int256(down), 1_856.715247e18, 1e12, "down");
        checkEq(up, type(uint256).max, "no price above");
        AccountId carol = main(actor("carol"));
        giveCash(carol, 2_000e18);
        trade(carol, bob, ETH, 10e18); // the maker pays no fee
        (down, up) = ch.liquidationPrices(carol, ETH);
        checkEq(down, 0, "no price below");
        checkNear(int256(up), 2_135.904613e18, 1e12, "up");
        (down, up) = ch.liquidationPrices(carol, BTC);
        check(down == 0 && up == type(uint256).max, "not of BTC");
        (down, up) = ch.liquidationPrices(main(treasury), ETH);
        check(down == 0 && up == type(uint256).max, "flat");
        setPrice(ETH, 2_200e18);
        (down, up) = ch.liquidationPrices(carol, ETH);
        check(down == 2_200e18 && up == 2_200e18, "now");
    }

    function _called(AccountId id) private returns (Cure memory cure) {
        vm.recordLogs();
        ch.flag(id);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == IClearingHouseCore.MarginCall.selector) {
                (, , , cure) = abi.decode(logs[i].data, (int256, uint256, uint256, Cure));
                return cure;
            }
        }
        check(false, "no margin call");
    }

    /// @dev At 1,880: E = 790, IM = 940.24. Closing δ frees 94 a unit for a fee of 0.94, and some size charge: a little over 1.6.
    function test_MM_7_Cure() public {
        _long();
        setPrice(ETH, 1_880e18);
        Assessment memory a = assess(alice);
        Cure memory cure = _called(alice);
        checkEq(cure.deposit, a.initialMargin - uint256(a.equity), "deposit");
        checkEq(cure.market, ETH, "market");
        check(cure.size < -1.55e18 && cure.size > -1.7e18, "close about 1.6");
        trade(bob, alice, ETH, (cure.size / 1e9) * 1e9 - 1e9);
        a = assess(alice);
        checkLe(int256(a.initialMargin), a.equity, "cured");
    }

    /// @dev A debt against collateral is cured by no market.
    function test_MM_7_NoMarketCures() public {
        lend(bob, 100_000e18);
        giveCollateral(alice, WETH, 10e18);
        borrow(alice, 15_000e18);
        setPrice(ETH, 1_750e18);
        check(ch.marginState(alice) == MarginState.MarginCall, "margin call");
        Cure memory cure = _called(alice);
        checkEq(cure.size, 0, "nothing to close");
        check(cure.deposit != 0, "deposit");
    }

    // ---------------------------------------------------------------- previews

    function test_MMS_7_Previews() public {
        _long();
        Assessment memory expected = assess(alice);
        vm.prank(alice.ownerOf());
        Assessment memory a = ch.previewWithdraw(alice, address(usdc), 500e6);
        checkEq(a.equity, expected.equity - 500e18, "after a withdrawal");
        a = ch.previewTrade(alice, ETH, -10e18, 2_000e18);
        checkEq(a.equity, expected.equity - 10e18, "after closing: a fee of 10");
        checkEq(a.initialMargin, 0, "flat");
        checkEq(assess(alice).equity, expected.equity, "nothing has changed");
        setPrice(ETH, 1_850e18);
        expected = assess(alice);
        vm.prank(bob.ownerOf());
        (uint256 fraction, , Assessment memory b) = ch.previewLiquidation(alice, bob, anyTerms());
        (uint256 taken, ) = liquidate(alice, bob);
        checkEq(fraction, taken, "the slice that is taken");
        checkEq(b.equity, assess(alice).equity, "E after it");
        // E' = E − f · d · MM with d = 5 % at first sight
        int256 cost = int256((taken * expected.maintenanceMargin) / 20e18);
        checkNear(b.equity, expected.equity - cost, 16, "costs f d MM");
    }

    // ---------------------------------------------------------------- preconditions

    function test_LIQ_6_RequireCash() public {
        _long();
        ch.requireCash(alice, 2_000e18);
        _expectChanged(2_000e18, 2_000e18 + 1);
        ch.requireCash(alice, 2_000e18 + 1);
        _expectChanged(2_000e18, 0);
        ch.requireCash(alice, 0);
    }

    function test_LIQ_6_RequireCashBeforeEverySlice() public {
        _long();
        setPrice(ETH, 1_820e18); // E = 190, MM = 546.13…: a tenth leaves it liquidatable
        for (uint256 i = 0; i < 3; ++i) {
            uint256 cash = cashOf(alice);
            _takeGuarded(cash, 0.1e18);
            uint256 left = cashOf(alice);
            check(left != cash, "a slice moves cash");
            _expectChanged(left, cash);
            _takeGuarded(cash, 0.1e18);
        }
    }

    /// @dev Not while a check is pending, whoever asks; so every precondition of a batch stands before what moves something.
    function test_LIQ_6_RequireCashIsNoViewOfTheMiddle() public {
        _long();
        Call[] memory calls = new Call[](2);
        calls[0] = _call(abi.encodeCall(ch.withdraw, (alice, address(usdc), 1e6, alice.ownerOf())));
        calls[1] = _call(abi.encodeCall(ch.requireCash, (alice, 1_999e18)));
        vm.prank(alice.ownerOf());
        vm.expectRevert(IClearingHouseCore.CheckPending.selector);
        ch.batch(calls);
        (calls[0], calls[1]) = (_call(abi.encodeCall(ch.requireCash, (alice, 2_000e18))), calls[0]);
        vm.prank(alice.ownerOf());
        ch.batch(calls);
        ch.requireCash(alice, 1_999e18);
    }

    function _expectChanged(uint256 cash, uint256 expected) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseCore.AccountChanged.selector, alice, cash, expected));
    }

    function _takeGuarded(uint256 cash, uint256 fraction) private {
        vm.prank(bob.ownerOf());
        ch.batch(_guarded(cash, fraction));
    }

    /// @dev A slice of Alice's account for Bob, if she has `cash`.
    function _guarded(uint256 cash, uint256 fraction) private view returns (Call[] memory calls) {
        calls = new Call[](2);
        calls[0] = _call(abi.encodeCall(ch.requireCash, (alice, cash)));
        LiquidationTerms memory terms = anyTerms();
        terms.maxFraction = fraction;
        calls[1] = _call(abi.encodeCall(ch.liquidate, (alice, bob, terms)));
    }

    function _call(bytes memory data) private view returns (Call memory) {
        return Call(address(ch), data);
    }

    // ---------------------------------------------------------------- the ledger's words

    function test_MAS_1_Words() public {
        _long();
        check(ch.account(alice).cash == 2_000e18 && ch.account(alice).markets == 1, "account");
        check(ch.position(alice, ETH).size == 10e18, "position");
        giveCollateral(alice, WETH, 2e18);
        checkEq(ch.collateralBalance(alice, WETH), 2e18, "balance");
        checkEq(ch.collateralTotal(WETH), 2e18, "total");
        CollateralParams memory c = ch.collateral(WETH);
        check(c.token == address(tokens[WETH]) && c.decimals == 18, "collateral");
        (MarketParams memory p, , , , ) = ch.market(ETH);
        checkEq(p.takerFee, 500, "market");
        (int256 long, int256 short) = ch.fundingIndices(ETH);
        checkEq(long, short, "no losses");
        (LendingPool memory pool, LendingParams memory lending) = ch.lending();
        check(pool.lent == 0 && lending.kink == 800_000, "lending");
        (uint256 lent, uint256 debt, ) = ch.loans(alice);
        check(lent == 0 && debt == 0, "no loans");
        check(ch.auction(alice).flagger == address(0), "no auction");
        check(ch.riskEngine() == address(engine) && ch.priceOracle() == address(oracle), "engine and oracle");
        check(ch.exchange() == address(exchange) && ch.insuranceFund() == address(fund), "exchange and fund");
        check(ch.treasury() == treasury && ch.totalFlaggedDeficit() == 0, "treasury");
        check(fund.account().equals(main(address(fund))), "the fund's account");
        checkEq(engine.underlyingRisk(ETH).shock, 30_000, "underlying's risk");
        checkEq(engine.collateralRisk(WETH).haircut, 70_000, "collateral's risk");
        check(oracle.feedOf(ETH).aggregator == address(feeds[ETH]), "feed");
        check(oracle.rateFeedsOf(WSTETH).rate == address(rateFeeds[0]), "rate feed");
        check(oracle.secondSourceOf(ETH).aggregator == address(0), "no second source");
        checkEq(oracle.regimeOf(ETH).maxFactor, 3e6, "regime");
        check(oracle.volatilityOf(ETH).factor == 1e6, "volatility");
    }

    function test_DN_1_NetDelta() public {
        _long();
        giveCollateral(alice, WETH, 2e18);
        giveCollateral(alice, WBTC, 0.1e18);
        giveCollateral(alice, WSTETH, 10e18);
        checkEq(ch.netDelta(alice, ETH), 23.49e18, "10 + 2 + 10 of 1.149");
        checkEq(ch.netDelta(alice, BTC), 0.1e18, "BTC");
        checkEq(ch.netDelta(alice, USD), int256(0), "USD");
    }

    function test_ADL_2_FundPreviews() public {
        giveFund(bob.ownerOf(), 1_000e18);
        checkEq(fund.previewWithdraw(500e6), fund.convertToShares(500e6), "no deficit: the plain rate");
    }
}
