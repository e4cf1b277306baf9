// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {SecondSource, Regime} from "../../contracts/interfaces/IPriceOracle.sol";
import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {CollateralRisk, IRiskEngine} from "../../contracts/interfaces/IRiskEngine.sol";
import {Match, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {MockERC20} from "../../contracts/mocks/MockERC20.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {
    Assessment,
    Call,
    CollateralParams,
    Cure,
    HealthReport,
    LendingParams,
    LendingPool,
    MarginState,
    MarketParams
} from "../../contracts/types/LedgerTypes.sol";
import {PriceSnapshot} from "../../contracts/types/Portfolio.sol";
import {House} from "./support/House.sol";
import {Vm, vm} from "./support/Vm.sol";

/// @notice What users read: an account's health and prices, previews, parameters; and rare turns of orders, oracle and engine.
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
            if (logs[i].topics[0] == IClearingHouse.MarginCall.selector) {
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

    // ---------------------------------------------------------------- orders

    /// @dev An order that nothing matches stays as it is; two reduce-only sides shrink.
    function test_OB_1_ReducingMakerAndIdleOrder() public {
        _long();
        SignedOrder[] memory orders = new SignedOrder[](3);
        orders[0] = signedOrder(bob, ETH, 4e18, 2_000e18, true, true);
        orders[1] = signedOrder(alice, ETH, -3e18, 2_000e18, false, true);
        orders[2] = signedOrder(alice, ETH, 1e18, 2_000e18, true, false);
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        exchange.settle(orders, matches);
        checkEq(sizeOf(alice, ETH), int256(7e18), "reduced");
        checkEq(exchange.filled(bob, orders[0].order.nonce), 3e18, "filled in part");
        checkEq(exchange.filled(alice, orders[2].order.nonce), 0, "idle");
        vm.prank(alice.ownerOf());
        exchange.cancelBelow(orders[2].order.nonce);
        (, uint256 lowest) = exchange.ownerState(alice.ownerOf());
        checkEq(lowest, orders[2].order.nonce, "lowest nonce");
    }

    // ---------------------------------------------------------------- oracle and engine

    function test_OR_1_NothingGoodYetAndASourceThatFails() public {
        (PriceSnapshot none, uint256 time) = oracle.lastGood(9);
        check(none.isEmpty() && time == 0, "never observed");
        MockV3Aggregator second = new MockV3Aggregator(8, 2_000e8);
        oracle.setSecondSource(ETH, SecondSource(address(second), 1 days, 8, 20_000));
        checkEq(oracle.latest(ETH).price(), 2_000e18, "both agree");
        vm.mockCallRevert(address(second), abi.encodeCall(second.latestRoundData, ()), "down");
        vm.expectPartialRevert(IPriceOracle.PriceDeviates.selector);
        oracle.latest(ETH);
        vm.clearMockedCalls();
    }

    function test_MM_1_RegimeSwitchedOff() public {
        oracle.observe(ETH, 10);
        setPrice(ETH, 2_400e18);
        passTime(60);
        oracle.observe(ETH, 10);
        check(oracle.latest(ETH).initialFactor() > 1e6, "on");
        oracle.setRegime(ETH, Regime(0, 1 days, 3e6, 250_000));
        check(oracle.latest(ETH).initialFactor() == 1e6 && oracle.latest(ETH).maintenanceFactor() == 1e6, "off");
    }

    /// @dev φκ = 5.000000001 %, so the rise is 95 % and a bit less of the notional, in full at the hard cap.
    function test_MM_4_SurchargeAtItsEnds() public view {
        PriceSnapshot s = oracle.latest(ETH);
        checkEq(engine.openingSurcharge(ETH, s, 1_000e18, 50e18, 50, 100), 0, "at the soft cap");
        checkEq(engine.openingSurcharge(ETH, s, 1_000e18, 75e18, 50, 100), 475e18, "half way");
        checkEq(engine.openingSurcharge(ETH, s, 1_000e18, 100e18, 50, 100), 950e18, "at the hard cap");
        checkEq(engine.openingSurcharge(ETH, s, 1_000e18, 1_000e18, 50, 100), 950e18, "above");
    }

    function test_HC_1_UnknownCollateral() public {
        uint256[] memory words = new uint256[](4);
        words[1] = (ETH << 248) | (uint256(1) << 240) | PriceSnapshot.unwrap(oracle.latest(ETH));
        words[3] = (uint256(9) << 248) | 1e18;
        vm.expectRevert(abi.encodeWithSelector(IRiskEngine.UnknownCollateral.selector, 9));
        engine.assess(words);
    }

    /// @dev What a flag records of a borrower's deficit stands against the lenders until it is taken back.
    function test_ADL_4_FlaggedBorrower() public {
        lend(bob, 100_000e18);
        giveCollateral(alice, WETH, 10e18);
        borrow(alice, 15_000e18);
        setPrice(ETH, 1_400e18); // E = 14,000 − 15,000
        ch.flag(alice);
        checkEq(lendingPool().flaggedDeficit, 1_000e18, "against the lenders");
        checkNear(int256(lentOf(bob)), 99_000e18, 2, "at once");
        giveCash(alice, 2_000e18);
        ch.flag(alice);
        checkEq(lendingPool().flaggedDeficit, 0, "taken back");
    }

    // ---------------------------------------------------------------- rare turns of the ledger

    function test_DN_1_NetDelta() public {
        _long();
        giveCollateral(alice, WETH, 2e18);
        giveCollateral(alice, WBTC, 0.1e18);
        giveCollateral(alice, WSTETH, 10e18);
        checkEq(ch.netDelta(alice, ETH), 23.49e18, "10 + 2 + 10 of 1.149");
        checkEq(ch.netDelta(alice, BTC), 0.1e18, "BTC");
        checkEq(ch.netDelta(alice, USD), int256(0), "USD");
    }

    function test_MMS_2_NinthCollateral() public {
        for (uint256 i = tokens.length; i < 9; ++i) {
            listCollateral(
                new MockERC20("T", "T", 18),
                CollateralRisk(70_000, 100_000, 0, 0, uint8(ETH), 0, 0),
                0.005e18
            );
        }
        for (uint256 i = 0; i < 8; ++i) giveCollateral(alice, i, 100e18);
        tokens[8].mint(alice.ownerOf(), 1e18);
        vm.prank(alice.ownerOf());
        tokens[8].approve(address(vault), 1e18);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.TooManyCollaterals.selector, alice, 8));
        vm.prank(alice.ownerOf());
        ch.deposit(alice, address(tokens[8]), 1e18);
    }

    /// @dev 19 ETH at 2,200: E = 2,000 − 19 + 3,800, IM = 2,090 and more, of which cash alone covers 2,000. The profit counts for what
    /// closing would free, so a little may be added; the loss in BTC does not.
    function test_CM_1_ProfitCountsForItsOwnMargin() public {
        giveCash(alice, 2_000e18);
        trade(bob, alice, ETH, 18.9e18);
        trade(bob, alice, BTC, 0.002e18);
        setPrice(ETH, 2_200e18);
        setPrice(BTC, 59_900e18);
        Assessment memory a = assess(alice);
        check(a.initialMargin > 2_000e18 && a.equity > int256(a.initialMargin), "healthy by its profit");
        trade(bob, alice, ETH, 0.1e18);
        checkEq(sizeOf(alice, ETH), int256(19e18), "added");
    }

    /// @dev 10 ETH from 2,000 to 1,000 on 2,000 of cash: a deficit of 8,010, of which holders bear 0.25 % of the mark. The fee of 10
    /// that the market has earned goes to what is left.
    function test_ADL_2_FeesRepayBadDebt() public {
        _long();
        setPrice(ETH, 1_000e18);
        liquidate(alice, bob);
        uint256 badDebt = lossOf(ETH).badDebt;
        checkLe(uint256(7_900e18), badDebt, "bad debt");
        ch.sweepFees(ETH);
        checkEq(badDebt - lossOf(ETH).badDebt, 10e18, "by the fee");
        checkEq(cashOf(main(treasury)), 0, "nothing for the treasury");
    }

    /// @dev Who owes is not flat: in a batch what leaves is valued, and 1 WETH of 10 against 15,000 may go.
    function test_MAM_3_DebtorReleasesCollateralInABatch() public {
        lend(bob, 100_000e18);
        giveCollateral(alice, WETH, 10e18);
        borrow(alice, 13_000e18);
        Call[] memory calls = new Call[](1);
        calls[0] = Call(
            address(ch),
            abi.encodeCall(ch.withdraw, (alice, address(tokens[WETH]), 1e18, alice.ownerOf()))
        );
        vm.prank(alice.ownerOf());
        ch.batch(calls);
        checkEq(ch.collateralBalance(alice, WETH), 9e18, "released");
    }

    function test_ADL_2_FundPreviews() public {
        giveFund(bob.ownerOf(), 1_000e18);
        checkEq(fund.previewWithdraw(500e6), fund.convertToShares(500e6), "no deficit: the plain rate");
    }
}
