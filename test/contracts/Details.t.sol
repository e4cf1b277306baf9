// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {IPriceOracle, Regime, SecondSource} from "../../contracts/interfaces/IPriceOracle.sol";
import {CollateralRisk, IRiskEngine} from "../../contracts/interfaces/IRiskEngine.sol";
import {Match, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {FundingHarness} from "../../contracts/mocks/FundingHarness.sol";
import {MockERC20} from "../../contracts/mocks/MockERC20.sol";
import {
    Assessment,
    Call,
    Fill,
    LENDING,
    LiquidationTerms,
    MarginState,
    MarketParams
} from "../../contracts/types/LedgerTypes.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {PriceSnapshot} from "../../contracts/types/Portfolio.sol";
import {House} from "./support/House.sol";
import {Vm, vm} from "./support/Vm.sol";

/// @notice Details of the ledger that show in nothing but one number or event.
contract DetailsTest is House {
    address private alice;
    address private bob;
    address private carol;

    function setUp() public {
        deployHouse();
        (alice, bob, carol) = (actor("alice"), actor("bob"), actor("carol"));
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 1_000_000e18);
    }

    /// @dev Long 10 ETH at 2,000 on 2,000 of cash; the fee is 10.
    function _long() private {
        giveCash(main(alice), 2_000e18);
        trade(main(bob), main(alice), ETH, 10e18);
    }

    /// @dev Long in two markets at ten times leverage; then both fall: E = 2,000 − 19 − 3,000 − 1,800.
    function _sinkInTwoMarkets() private {
        _long();
        trade(main(bob), main(alice), BTC, 0.3e18);
        setPrice(ETH, 1_700e18);
        setPrice(BTC, 54_000e18);
    }

    function _flag() private {
        vm.prank(carol);
        ch.flag(main(alice));
    }

    function _logged(bytes32 topic) private returns (bytes memory data) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) if (logs[i].topics[0] == topic) return logs[i].data;
        check(false, "no such event");
    }

    /// @dev An event of an account and a market.
    function _logged(bytes32 topic, uint256 market) private returns (bytes memory data) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == topic && uint256(logs[i].topics[2]) == market) return logs[i].data;
        }
        check(false, "no such event");
    }

    function _isLogged(bytes32 topic) private returns (bool) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) if (logs[i].topics[0] == topic) return true;
        return false;
    }

    function test_DeficitIsRecordedInEveryMarketAndTakenBack() public {
        _sinkInTwoMarkets();
        _flag();
        checkEq(ch.totalFlaggedDeficit(), 2_819e18, "deficit");
        check(poolOf(ETH).flaggedDeficit != 0 && poolOf(BTC).flaggedDeficit != 0, "in both markets");
        check(!ch.auction(main(alice)).recordedLending, "but not in the lending pool");
        giveCash(main(alice), 20_000e18);
        _flag();
        checkEq(poolOf(ETH).flaggedDeficit, 0, "ETH");
        checkEq(poolOf(BTC).flaggedDeficit, 0, "BTC");
        checkEq(ch.totalFlaggedDeficit(), 0, "total");
    }

    /// @dev After 180 s of clock the rescue is half of MM, whatever number of markets it is drawn for.
    function test_RescueIsSpreadOverMarkets() public {
        giveFund(bob, 500_000e18);
        _sinkInTwoMarkets();
        Assessment memory a = assess(main(alice));
        for (uint256 i = 0; i < 3; ++i) {
            _flag();
            passTime(60);
        }
        vm.recordLogs();
        liquidate(main(alice), main(carol));
        uint256 paid = abi.decode(_logged(IClearingHouseCore.RescuePaid.selector), (uint256));
        checkNear(int256(paid), int256(a.maintenanceMargin / 2), 2, "half of MM");
    }

    /// @dev A loss of 3,030 that no cash covers is called after a day of observations; the event says that it was a cash call.
    function test_CashCallIsNamedInItsEvent() public {
        giveCollateral(main(alice), WETH, 50e18);
        trade(main(bob), main(alice), BTC, 1e18);
        setPrice(BTC, 57_000e18);
        for (uint256 i = 0; i < 26; ++i) {
            settle(BTC, main(alice));
            passTime(1 hours);
        }
        settle(BTC, main(alice));
        vm.recordLogs();
        vm.prank(carol);
        ch.cashCall(main(alice), main(carol), anyTerms());
        check(abi.decode(_logged(IClearingHouseCore.Liquidated.selector), (bool)), "a cash call");
    }

    /// @dev At the cap of 0.05 % per 8 h on a price of 2,000 the index would pass 2^142 after 1.6e5 years; it stays there.
    function test_FundingSaturates() public {
        FundingHarness funding = new FundingHarness();
        int256 most = 2 ** 142;
        checkEq(funding.advance(most - 1, 5e8, 5e8, 2_000e18, 1 days), most, "above");
        checkEq(funding.advance(1 - most, -5e8, -5e8, 2_000e18, 1 days), -most, "below");
    }

    /// @dev Collateral of 14,050 against a debt of 14,000 leaves 50, less than the penalty of about 76 on the whole; the rest of E is
    /// profit that no pool holds. What the slice costs beyond 50 is paid by keeping that much debt.
    function test_SliceIsPaidByKeepingDebt() public {
        vm.prank(carol);
        ch.lend(main(carol), 100_000e6);
        giveCollateral(main(alice), WETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.05e18);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 14_000e6, alice);
        setPrice(BTC, 80_000e18);
        setPrice(ETH, 1_405e18);
        Assessment memory a = assess(main(alice));
        (uint256 fraction, ) = liquidate(main(alice), main(carol));
        check(fraction < 1e18, "a slice");
        int256 expected = a.equity - int256((fraction * a.maintenanceMargin) / 20e18);
        checkNear(assess(main(alice)).equity, expected, 16, "E' = E - f d MM");
    }

    // ---------------------------------------------------------------- who bears a deficit

    /// @dev Long 0.1 BTC at 60,000 (fee 3) behind 10 WETH; a withdrawal of 14,000 borrows that and the fee. Then ETH is at 1,000 and BTC
    /// at 40,000: the debt is 4,003 beyond the collateral and the market has lost 2,000, E = −6,003.
    function _sinkWithDebt() private {
        vm.prank(carol);
        ch.lend(main(carol), 100_000e6);
        giveCollateral(main(alice), WETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.1e18);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 14_000e6, alice);
        setPrice(ETH, 1_000e18);
        setPrice(BTC, 40_000e18);
    }

    function test_DeficitIsSplitByWhatIsUncovered() public {
        _sinkWithDebt();
        _flag();
        checkEq(lendingPool().flaggedDeficit, 4_003e18, "debt beyond the collateral");
        checkEq(poolOf(BTC).flaggedDeficit, 2_000e18, "loss in the market");
    }

    /// @dev The fund is empty, so the suppliers bear all of the debt's part.
    function test_PartsOfADebtsDeficitAddUp() public {
        _sinkWithDebt();
        vm.recordLogs();
        liquidate(main(alice), main(bob));
        (uint256 part, uint256 fromFund, uint256 socialised, uint256 badDebt) = abi.decode(
            _logged(IClearingHouseCore.DeficitAbsorbed.selector, LENDING),
            (uint256, uint256, uint256, uint256)
        );
        checkEq(part, 4_003e18, "of the debt");
        checkEq(fromFund, 0, "from the fund");
        checkEq(socialised, 4_003e18, "from the suppliers");
        checkEq(badDebt, 0, "debt has no bad debt");
        checkEq(ch.totalFlaggedDeficit(), 0, "no deficit is left");
    }

    /// @dev BTC at 70,000 instead has earned 1,000, which Bob has paid in; the call collects it for the debt before it writes off what is
    /// left beyond the collateral: 14,003 − 1,000 − 10,000.
    function test_ProfitPaysDebtBeforeItIsWrittenOff() public {
        _sinkWithDebt();
        setPrice(BTC, 70_000e18);
        settle(BTC, main(bob));
        checkEq(assess(main(alice)).equity, -3_003e18, "premise: E");
        vm.recordLogs();
        liquidate(main(alice), main(carol));
        (uint256 part, , , ) = abi.decode(
            _logged(IClearingHouseCore.DeficitAbsorbed.selector, LENDING),
            (uint256, uint256, uint256, uint256)
        );
        checkEq(part, 3_003e18, "written off");
    }

    /// @dev Cash 2,010 less the fee of 10, long 10 ETH from 2,000 to 1,800: E = 0.
    function _standAtZero() private {
        giveCash(main(alice), 2_010e18);
        trade(main(bob), main(alice), ETH, 10e18);
    }

    /// @dev Nobody else pays for an account that is worth zero, so it keeps even what counts zero.
    function test_NothingIsForfeitedAtZeroEquity() public {
        giveCollateral(main(alice), WBTC, 1e18);
        ch.delistCollateral(WBTC);
        passTime(14 days);
        _standAtZero();
        setPrice(ETH, 1_800e18);
        checkEq(assess(main(alice)).equity, 0, "premise");
        liquidate(main(alice), main(carol));
        checkEq(sizeOf(main(alice), ETH), 0, "sold whole");
        checkEq(ch.collateralBalance(main(alice), WBTC), 1e18, "kept");
    }

    /// @dev Long 10 ETH from 2,000 to 1,500 on 1,100 leaves −3,900 and, the cap on the shorts being 37.50, bad debt. Then the penalty of a
    /// second account earns the fund 20 % of its cost, which goes into the pool instead, beside what is there.
    function test_RepaidBadDebtIsAddedToThePool() public {
        giveCash(main(alice), 1_110e18);
        trade(main(bob), main(alice), ETH, 10e18);
        setPrice(ETH, 1_500e18);
        liquidate(main(alice), main(carol));
        checkEq(lossOf(ETH).badDebt, 3_862.5e18, "premise: bad debt");
        address dave = actor("dave");
        giveFund(dave, 100_000e18);
        giveCash(main(dave), 800e18);
        trade(main(bob), main(dave), ETH, 10e18);
        setPrice(ETH, 1_460e18);
        settle(ETH, main(dave));
        uint256 pool = poolOf(ETH).cash;
        uint256 badDebt = lossOf(ETH).badDebt;
        vm.recordLogs();
        liquidate(main(dave), main(carol));
        (, , , , , , uint256 toFund, ) = abi.decode(
            _logged(IClearingHouseCore.Liquidated.selector),
            (bool, uint256, int256, uint256, uint256, int256, uint256, uint256)
        );
        check(pool != 0 && toFund != 0, "premise");
        checkEq(badDebt - lossOf(ETH).badDebt, toFund, "repaid");
        checkEq(poolOf(ETH).cash, pool + toFund, "pool");
    }

    // ---------------------------------------------------------------- the common case

    /// @dev Who lends and owes nothing needs no margin for collateral.
    function test_LendersAreFlat() public {
        giveCollateral(main(carol), WETH, 10e18);
        lend(main(carol), 1_000e18);
        Assessment memory a = assess(main(carol));
        checkEq(a.initialMargin, 0, "IM");
        checkEq(a.maintenanceMargin, 0, "MM");
    }

    /// @dev Profit that no pool holds yet is neither size nor debt: who has closed needs no margin for collateral.
    function test_UnpaidProfitIsFlat() public {
        giveCollateral(main(alice), WETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.1e18);
        setPrice(BTC, 70_000e18);
        trade(main(carol), main(alice), BTC, -0.1e18);
        checkEq(sizeOf(main(alice), BTC), 0, "premise: closed");
        check(quoteOf(main(alice), BTC) > 0, "premise: unpaid");
        Assessment memory a = assess(main(alice));
        checkEq(a.initialMargin, 0, "IM");
        checkEq(a.maintenanceMargin, 0, "MM");
    }

    /// @dev What was opened above the soft cap and is closed needs no price any more when cash leaves within the hour.
    function test_ClosedPositionsNeedNoPriceForTheSurcharge() public {
        MarketParams memory params = marketParams(ETH, 0.01e18);
        params.softCap = 1;
        ch.setMarket(ETH, params);
        giveCash(main(alice), 10_000e18);
        trade(main(bob), main(alice), BTC, 0.1e18);
        trade(main(bob), main(alice), ETH, 1e18);
        trade(main(bob), main(alice), ETH, -1e18);
        stopFeed(feeds[ETH]);
        withdrawCash(main(alice), 100e18);
        checkEq(usdc.balanceOf(alice), 100e6, "withdrawn");
    }

    // ---------------------------------------------------------------- below the line

    /// @dev As a maker she pays no fee: at the index price E stays 0, so E/MM stays 0 while MM halves.
    function test_ReducingAtZeroEquityWorsensNothing() public {
        _standAtZero();
        setPrice(ETH, 1_800e18);
        trade(main(alice), main(carol), ETH, 5e18);
        checkEq(assess(main(alice)).equity, 0, "E");
        checkEq(sizeOf(main(alice), ETH), 5e18, "half");
    }

    /// @dev BTC from 60,000 to 66,000 on 1 BTC earns 6,000 − 30, which Bob has paid in; ETH from 2,000 to 1,900 on 50 ETH costs 5,000 + 50.
    /// Cash of 4,000 does not cover that, the gain does: 4,000 + 5,970 − 5,050 − 100 stay.
    function test_GainsPayLossesElsewhereBeforeCashLeaves() public {
        giveCash(main(alice), 4_000e18);
        giveCollateral(main(alice), WETH, 50e18);
        trade(main(bob), main(alice), BTC, 1e18);
        trade(main(carol), main(alice), ETH, 50e18);
        setPrice(BTC, 66_000e18);
        setPrice(ETH, 1_900e18);
        settle(BTC, main(bob));
        withdrawCash(main(alice), 100e18);
        checkEq(cashOf(main(alice)), 4_820e18, "cash");
        checkEq(quoteOf(main(alice), ETH), -95_000e18, "the loss is settled");
    }

    // ---------------------------------------------------------------- slices

    /// @dev At 1,801 E = 2,000 − 10 − 1,990 = 0 and four flags turn the rescue clock to its end, half of MM. At 1,854 E = 530 is between
    /// d·MM, 60 % of 556, and MM: the penalty on the slice, about 223, is less than half of MM, but nobody is rescued.
    function test_NoRescueForWhoDoesNotSink() public {
        giveFund(bob, 500_000e18);
        _long();
        setPrice(ETH, 1_801e18);
        for (uint256 i = 0; i < 4; ++i) {
            _flag();
            passTime(60);
        }
        setPrice(ETH, 1_854e18);
        Assessment memory a = assess(main(alice));
        check(a.equity < int256(a.maintenanceMargin), "premise: below MM");
        check(a.equity > int256((a.maintenanceMargin * 6) / 10), "premise: above the penalty");
        uint256 before = cashOf(fund.account());
        vm.recordLogs();
        liquidate(main(alice), main(carol));
        check(!_isLogged(IClearingHouseCore.RescuePaid.selector), "no rescue");
        check(cashOf(fund.account()) >= before, "the fund pays nothing");
    }

    /// @dev Alice's losses of 1,000 and 990 and her fees are paid, Bob has been paid, the fees of 10 and 9 are in the pools. Then she has
    /// earned 50 and 45: the pools pay 10 and 9, claims of 40 and 36 are left, E = 105 sinks and is sold whole.
    function test_ClaimsAreOnWhatPoolsHaveNotPaid() public {
        giveCash(main(alice), 2_019e18);
        trade(main(bob), main(alice), ETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.3e18);
        setPrice(ETH, 1_900e18);
        setPrice(BTC, 56_700e18);
        settle(ETH, main(alice), main(bob));
        settle(BTC, main(alice), main(bob));
        setPrice(ETH, 1_905e18);
        setPrice(BTC, 56_850e18);
        checkEq(assess(main(alice)).equity, 105e18, "premise: E");
        _flag();
        passTime(60);
        vm.prank(carol);
        ch.liquidate(main(alice), main(carol), LiquidationTerms(1e18, type(int256).max, 0, true));
        checkEq(sizeOf(main(alice), ETH), 0, "sold whole");
        checkEq(quoteOf(main(alice), ETH), 0, "claims on ETH");
        checkEq(quoteOf(main(alice), BTC), 0, "claims on BTC");
        checkEq(cashOf(main(alice)), 0, "cash");
    }

    /// @dev BTC has no price: in Alice's favour it counts at 60,000 · (1 + 0.5 % + 9 %), E = −1,000 + 1,710. That is below MM of about 1,050;
    /// half of ETH is sold, BTC stays, the auction goes on.
    function test_HalfIsSoldBesideAMarketWithoutAPrice() public {
        giveCash(main(alice), 2_019e18);
        trade(main(bob), main(alice), ETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.3e18);
        observe(BTC);
        stopFeed(feeds[BTC]);
        setPrice(ETH, 1_700e18);
        vm.prank(carol);
        ch.liquidate(main(alice), main(carol), LiquidationTerms(0.5e18, type(int256).max, 0, false));
        checkEq(sizeOf(main(alice), ETH), 5e18, "half");
        checkEq(sizeOf(main(alice), BTC), 0.3e18, "stays");
        checkEq(sizeOf(main(carol), BTC), 0, "not taken");
        check(ch.auction(main(alice)).flagger == carol, "the auction goes on");
    }

    /// @dev The taker wants half of what would be 55 %. Half of 0.01 WETH leaves 0.005, exactly the least balance: that is no dust.
    function test_TheLeastBalanceStays() public {
        giveCash(main(alice), 6_000e18);
        giveCollateral(main(alice), WETH, 0.01e18);
        trade(main(bob), main(alice), BTC, 1e18);
        setPrice(BTC, 55_300e18);
        vm.prank(carol);
        ch.liquidate(main(alice), main(carol), LiquidationTerms(0.5e18, type(int256).max, 0, false));
        checkEq(sizeOf(main(alice), BTC), 0.5e18, "premise: half is sold");
        checkEq(ch.collateralBalance(main(alice), WETH), 0.005e18, "stays");
    }

    /// @dev Bob is short what Alice is long: taking it closes both.
    function test_TakingTheOtherSideLowersOpenInterest() public {
        _standAtZero();
        setPrice(ETH, 1_800e18);
        checkEq(openInterestOf(ETH), 10e18, "premise");
        liquidate(main(alice), main(bob));
        checkEq(sizeOf(main(bob), ETH), 0, "closed");
        checkEq(openInterestOf(ETH), 0, "open interest");
    }

    function test_WhoIsNotTheTakersOwnerIsNamed() public {
        _standAtZero();
        setPrice(ETH, 1_800e18);
        vm.prank(carol);
        (bool done, bytes memory why) = address(ch).call(
            abi.encodeCall(ch.liquidate, (main(alice), main(bob), anyTerms()))
        );
        check(!done, "refused");
        bytes memory expected = abi.encodeWithSelector(IClearingHouseCore.NotOwner.selector, main(bob), carol);
        check(keccak256(why) == keccak256(expected), "NotOwner(taker, caller)");
    }

    // ---------------------------------------------------------------- funding

    /// @dev A trade at 2,000.6 leaves a last premium of 0.03 %; an hour later, one time constant, the average has gone 1 − 1/e of the way:
    /// 3e8 − ⌊3e8 · 0.367879441171442321⌋ = 189,636,168.
    function test_PremiumIsAveragedOverTheTimeSinceTheLastAccrual() public {
        giveCash(main(alice), 10_000e18);
        trade(main(bob), main(alice), ETH, 1e18, 2_000.6e18);
        checkEq(rateOf(ETH).premium, 0, "premise");
        checkEq(rateOf(ETH).lastPremium, 3e8, "premise: last premium");
        passTime(1 hours);
        setPrice(ETH, 2_001e18);
        ch.accrueFunding(ETH);
        checkEq(rateOf(ETH).premium, 189_636_168, "premium");
    }

    /// @dev A fill at the last good price says nothing about the market.
    function test_FillsWithoutAPriceLeaveThePremium() public {
        giveCash(main(alice), 10_000e18);
        trade(main(bob), main(alice), ETH, 1e18, 2_000.6e18);
        stopFeed(feeds[ETH]);
        trade(main(bob), main(alice), ETH, -0.5e18, 2_000e18);
        checkEq(sizeOf(main(alice), ETH), 0.5e18, "premise: reduced");
        checkEq(rateOf(ETH).lastPremium, 3e8, "last premium");
    }

    // ---------------------------------------------------------------- orders

    /// @dev An order that nothing matches stays as it is; two reduce-only sides shrink.
    function test_OB_1_ReducingMakerAndIdleOrder() public {
        _long();
        SignedOrder[] memory orders = new SignedOrder[](3);
        orders[0] = signedOrder(main(bob), ETH, 4e18, 2_000e18, true, true);
        orders[1] = signedOrder(main(alice), ETH, -3e18, 2_000e18, false, true);
        orders[2] = signedOrder(main(alice), ETH, 1e18, 2_000e18, true, false);
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        exchange.settle(orders, matches);
        checkEq(sizeOf(main(alice), ETH), int256(7e18), "reduced");
        checkEq(exchange.filled(main(bob), orders[0].order.nonce), 3e18, "filled in part");
        checkEq(exchange.filled(main(alice), orders[2].order.nonce), 0, "idle");
        vm.prank(alice);
        exchange.cancelBelow(orders[2].order.nonce);
        (, uint256 lowest, ) = exchange.ownerState(alice);
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
        lend(main(bob), 100_000e18);
        giveCollateral(main(alice), WETH, 10e18);
        borrow(main(alice), 15_000e18);
        setPrice(ETH, 1_400e18); // E = 14,000 − 15,000
        ch.flag(main(alice));
        checkEq(lendingPool().flaggedDeficit, 1_000e18, "against the lenders");
        checkNear(int256(lentOf(main(bob))), 99_000e18, 2, "at once");
        giveCash(main(alice), 2_000e18);
        ch.flag(main(alice));
        checkEq(lendingPool().flaggedDeficit, 0, "taken back");
    }

    // ---------------------------------------------------------------- rare turns of the ledger

    function test_MMS_2_NinthCollateral() public {
        for (uint256 i = tokens.length; i < 9; ++i) {
            listCollateral(
                new MockERC20("T", "T", 18),
                CollateralRisk(70_000, 100_000, 0, 0, uint8(ETH), 0, 0),
                0.005e18
            );
        }
        for (uint256 i = 0; i < 8; ++i) giveCollateral(main(alice), i, 100e18);
        tokens[8].mint(alice, 1e18);
        vm.prank(alice);
        tokens[8].approve(address(vault), 1e18);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseCore.TooManyCollaterals.selector, main(alice), 8));
        vm.prank(alice);
        ch.deposit(main(alice), address(tokens[8]), 1e18);
    }

    /// @dev 19 ETH at 2,200: E = 2,000 − 19 + 3,800, IM = 2,090 and more, of which cash alone covers 2,000. The profit counts for what
    /// closing would free, so a little may be added; the loss in BTC does not.
    function test_CM_1_ProfitCountsForItsOwnMargin() public {
        giveCash(main(alice), 2_000e18);
        trade(main(bob), main(alice), ETH, 18.9e18);
        trade(main(bob), main(alice), BTC, 0.002e18);
        setPrice(ETH, 2_200e18);
        setPrice(BTC, 59_900e18);
        Assessment memory a = assess(main(alice));
        check(a.initialMargin > 2_000e18 && a.equity > int256(a.initialMargin), "healthy by its profit");
        trade(main(bob), main(alice), ETH, 0.1e18);
        checkEq(sizeOf(main(alice), ETH), int256(19e18), "added");
    }

    /// @dev 10 ETH from 2,000 to 1,000 on 2,000 of cash: a deficit of 8,010, of which holders bear 0.25 % of the mark. The fee of 10
    /// that the market has earned goes to what is left.
    function test_ADL_2_FeesRepayBadDebt() public {
        _long();
        setPrice(ETH, 1_000e18);
        liquidate(main(alice), main(bob));
        uint256 badDebt = lossOf(ETH).badDebt;
        checkLe(uint256(7_900e18), badDebt, "bad debt");
        ch.sweepFees(ETH);
        checkEq(badDebt - lossOf(ETH).badDebt, 10e18, "by the fee");
        checkEq(cashOf(main(treasury)), 0, "nothing for the treasury");
    }

    /// @dev 10 WETH at 1,700 against a debt of 15,000: E = 2,000 is below IM, 15 % of 17,000, and of 15,300. Who owes is not flat, so in a batch
    /// what leaves is valued: 1 WETH may go against 1,700 of cash, not against a unit less.
    function test_MAM_3_DebtorReleasesCollateralInABatch() public {
        lend(main(bob), 100_000e18);
        giveCollateral(main(alice), WETH, 10e18);
        borrow(main(alice), 15_000e18);
        setPrice(ETH, 1_700e18);
        check(ch.marginState(main(alice)) == MarginState.MarginCall, "premise: below IM");
        (bool done, bytes memory why) = _swapForCash(1_700e6 - 1);
        check(!done && bytes4(why) == IClearingHouseCore.InsufficientMargin.selector, "for less than its value");
        (done, ) = _swapForCash(1_700e6);
        check(done && ch.collateralBalance(main(alice), WETH) == 9e18, "released");
    }

    /// @dev Alice takes 1 WETH out and brings cash in, in one batch.
    function _swapForCash(uint256 units) private returns (bool done, bytes memory why) {
        usdc.mint(alice, units);
        vm.prank(alice);
        usdc.approve(address(vault), units);
        Call[] memory calls = new Call[](2);
        calls[0] = Call(address(ch), abi.encodeCall(ch.withdraw, (main(alice), address(tokens[WETH]), 1e18, alice)));
        calls[1] = Call(address(ch), abi.encodeCall(ch.deposit, (main(alice), address(usdc), units)));
        vm.prank(alice);
        return address(ch).call(abi.encodeCall(ch.batch, (calls)));
    }

    // ---------------------------------------------------------------- fills of one call

    /// @dev Two markets by turns; the fourth closes alice's ETH in the middle, the last her BTC.
    function _fills() private view returns (Fill[] memory fills) {
        (AccountId a, AccountId b, AccountId c) = (main(alice), main(bob), main(carol));
        fills = new Fill[](6);
        fills[0] = Fill({market: ETH, maker: b, taker: a, size: 10e18, price: 2_004e18, flags: 0});
        fills[1] = Fill({market: BTC, maker: b, taker: a, size: 0.3e18, price: 60_000e18, flags: 0});
        fills[2] = Fill({market: ETH, maker: a, taker: c, size: 4e18, price: 1_998e18, flags: 0});
        fills[3] = Fill({market: ETH, maker: a, taker: c, size: 6e18, price: 2_002e18, flags: 0});
        fills[4] = Fill({market: ETH, maker: b, taker: a, size: 2e18, price: 2_000e18, flags: 0});
        fills[5] = Fill({market: BTC, maker: a, taker: b, size: 0.3e18, price: 60_030e18, flags: 0});
    }

    function _make(Fill[] memory fills) private {
        vm.prank(address(exchange));
        ch.trade(fills);
    }

    /// @dev All that fills change.
    function _state() private view returns (bytes32 hash) {
        address[3] memory owners = [alice, bob, carol];
        for (uint256 market = ETH; market <= BTC; ++market) {
            hash = keccak256(abi.encode(hash, rateOf(market), poolOf(market), openInterestOf(market)));
            for (uint256 i = 0; i < 3; ++i) {
                hash = keccak256(abi.encode(hash, ch.position(main(owners[i]), market), ch.account(main(owners[i]))));
            }
        }
    }

    function test_F_2_FillsOfOneCallAreWorthThoseOfMany() public {
        giveCash(main(alice), 10_000e18);
        Fill[] memory fills = _fills();
        uint256 start = vm.snapshotState();
        _make(fills);
        checkEq(openInterestOf(ETH), 12e18, "bob is short 12 ETH, carol long 10, alice long 2");
        checkEq(openInterestOf(BTC), 0, "closed");
        // 0.05 % of 10 · 2,004, 4 · 1,998, 6 · 2,002 and 2 · 2,000; and of 0.3 · 60,000 and 0.3 · 60,030
        checkEq(rateOf(ETH).fees, 22.022e9, "fees of ETH");
        checkEq(rateOf(BTC).fees, 18.0045e9, "fees of BTC");
        bytes32 atOnce = _state();
        vm.revertToState(start);
        Fill[] memory one = new Fill[](1);
        for (uint256 i = 0; i < fills.length; ++i) {
            one[0] = fills[i];
            _make(one);
        }
        check(_state() == atOnce, "one by one");
    }

    // ---------------------------------------------------------------- unsettled profit against IM

    /// @dev A loss in ETH, which comes first, and a profit in BTC, which no pool holds: closing BTC would take more than that off IM.
    function test_MMS_3_ProfitCountsBehindALoss() public {
        giveCash(main(alice), 1_990e18);
        trade(main(bob), main(alice), ETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.3e18);
        setPrice(ETH, 1_990e18);
        setPrice(BTC, 61_000e18);
        Assessment memory a = assess(main(alice));
        int256 initialMargin = int256(a.initialMargin);
        checkEq(a.equity, 2_171e18, "premise: 1,990 - 10 - 9 - 100 + 300");
        check(a.equity > initialMargin + 100e18 && a.equity - 291e18 < initialMargin, "premise: only with the profit");
        trade(main(bob), main(alice), ETH, 0.1e18);
        checkEq(sizeOf(main(alice), ETH), 10.1e18, "increased");
    }

    /// @dev Of ETH's profit of 3,000 only what closing it would take off IM counts, about 1,150 of 8,395. With BTC's of 900 there is enough,
    /// 6,700 − 82 + 1,150 + 900; with the 300 that a dear fill leaves of it there is not.
    function test_MMS_3_ProfitIsCountedAfterTheCall() public {
        for (uint256 id = ETH; id <= BTC; ++id) oracle.setRegime(id, Regime(0, 1 days, 3e6, 250_000));
        giveCash(main(alice), 6_700e18);
        trade(main(bob), main(alice), ETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.3e18);
        setPrice(ETH, 2_300e18);
        setPrice(BTC, 63_000e18);
        Fill[] memory fills = new Fill[](1);
        fills[0] = Fill({market: BTC, maker: main(bob), taker: main(alice), size: 2e18, price: 63_300e18, flags: 0});
        vm.prank(address(exchange));
        (bool done, bytes memory why) = address(ch).call(abi.encodeCall(ch.trade, (fills)));
        check(
            !done && bytes4(why) == IClearingHouseCore.InsufficientMargin.selector,
            "without the profit that is lost"
        );
        fills[0].price = 63_000e18;
        _make(fills);
        checkEq(sizeOf(main(alice), BTC), 2.3e18, "with it");
    }

    // ---------------------------------------------------------------- exactly at a bound

    /// @dev At 1,854 a tenth of a tenth of 18,540 USD is sold; a slice of 10 USD is none of dust.
    function test_LIQ_2_DustIsBelowTenDollars() public {
        _long();
        setPrice(ETH, 1_854e18);
        uint256 fraction = uint256(10e18 * 1e18) / 18_540e18; // rounded down: a wei short of 10 USD
        vm.prank(carol);
        (bool done, bytes memory why) = address(ch).call(
            abi.encodeCall(ch.liquidate, (main(alice), main(carol), _atMost(fraction)))
        );
        check(!done && bytes4(why) == IClearingHouseCore.FractionTooSmall.selector, "dust");
        vm.prank(carol);
        (uint256 sold, ) = ch.liquidate(main(alice), main(carol), _atMost(fraction + 1));
        checkEq(sold, fraction + 1, "no dust");
    }

    function _atMost(uint256 fraction) private pure returns (LiquidationTerms memory) {
        return LiquidationTerms(fraction, type(int256).max, 0, false);
    }

    /// @dev From long to short of the same size: above the soft cap only what raises a size needs the opening surcharge.
    function test_MM_4_ATurnOfEqualSizeOpensNothing() public {
        giveCash(main(alice), 2_500e18);
        MarketParams memory params = marketParams(ETH, 0.01e18);
        (params.softCap, params.hardCap) = (1, 20_000);
        trade(main(bob), main(alice), ETH, 10e18);
        ch.setMarket(ETH, params);
        trade(main(bob), main(alice), ETH, -20e18);
        checkEq(sizeOf(main(alice), ETH), -10e18, "turned");
        checkEq(openInterestOf(ETH), 10e18, "20,000 USD, exactly the hard cap");
    }

    /// @dev IM of 5 ETH is 510 at 2,000. At the hard cap the surcharge would be the notional, which Alice, as the maker, does not have.
    function test_MM_4_AMakerReducesAboveTheSoftCap() public {
        giveCash(main(alice), 1_500e18);
        MarketParams memory params = marketParams(ETH, 0.01e18);
        (params.softCap, params.hardCap) = (1, 20_000);
        trade(main(bob), main(alice), ETH, 10e18);
        ch.setMarket(ETH, params);
        trade(main(alice), main(carol), ETH, 5e18);
        checkEq(sizeOf(main(alice), ETH), 5e18, "reduced");
        checkEq(openInterestOf(ETH), 10e18, "premise: above the soft cap");
    }

    /// @dev 0.01 ETH is the least fill, but what closes a position may be smaller, the maker's too.
    function test_OB_1_AMakerClosesByLessThanTheLeastFill() public {
        giveCash(main(alice), 1_000e18);
        trade(main(bob), main(alice), ETH, 0.015e18);
        trade(main(bob), main(alice), ETH, -0.01e18);
        trade(main(alice), main(carol), ETH, 0.005e18);
        checkEq(sizeOf(main(alice), ETH), 0, "closed");
    }

    /// @dev Bought at 2,000 and sold at 2,100: a profit that no pool holds.
    function test_OR_3_TheProfitOfWhatIsClosedNeedsNoPrice() public {
        _long();
        setPrice(ETH, 2_100e18);
        trade(main(carol), main(alice), ETH, -10e18);
        int256 profit = quoteOf(main(alice), ETH);
        check(profit > 900e18 && sizeOf(main(alice), ETH) == 0, "premise");
        stopFeed(feeds[ETH]);
        checkEq(ch.positionPnl(main(alice), ETH), profit, "what is left of it");
    }

    /// @dev Nothing but a WBTC stands behind a closed loss on ETH and an open one on BTC. Cash that comes in pays both pro rata: what is closed
    /// needs no price to be known.
    function test_OR_3_TheLossOfWhatIsClosedIsPaidWithoutAPrice() public {
        giveCollateral(main(alice), WBTC, 1e18);
        trade(main(bob), main(alice), ETH, 10e18);
        setPrice(ETH, 1_900e18);
        trade(main(bob), main(alice), ETH, -10e18);
        trade(main(bob), main(alice), BTC, 1e18);
        setPrice(BTC, 58_970e18);
        giveCash(main(alice), 100e18);
        int256 closed = quoteOf(main(alice), ETH);
        int256 open = ch.positionPnl(main(alice), BTC);
        check(closed < -1_000e18 && open < -1_000e18, "premise");
        stopFeed(feeds[ETH]);
        settle(BTC, main(alice));
        checkNear(quoteOf(main(alice), ETH) - closed, (100e18 * closed) / (closed + open), 2, "its part");
        checkEq(cashOf(main(alice)), 0, "all of it");
    }

    /// @dev A profit of 979.5 on ETH is left of a closed position. Whoever sells a tenth of a long of BTC needs no price of ETH.
    function test_OR_3_WhatIsClosedDoesNotShieldFromASmallerSlice() public {
        _long();
        setPrice(ETH, 2_100e18);
        trade(main(carol), main(alice), ETH, -10e18);
        trade(main(bob), main(alice), BTC, 0.5e18);
        stopFeed(feeds[ETH]);
        setPrice(BTC, 55_000e18);
        address dave = actor("dave");
        giveCash(main(dave), 1_000_000e18);
        vm.prank(dave);
        ch.liquidate(main(alice), main(dave), LiquidationTerms(0.1e18, type(int256).max, 0, true));
        checkEq(sizeOf(main(alice), BTC), 0.45e18, "a tenth");
    }

    /// @dev ETH has no price, BTC falls to 55,000. Behind a long of one BTC stand 0.1 WBTC and 0.1 WETH, at their kindest 5,500 and 218:
    /// E = 688 after the fee of 30, below MM of 1.1 · 55,000 · 3 %. WETH, the first of both, stays; WBTC is sold all the same.
    function test_OR_2_CollateralBehindOneWithoutAPriceIsSold() public {
        giveCash(main(alice), 30e18);
        giveCollateral(main(alice), WETH, 0.1e18);
        giveCollateral(main(alice), WBTC, 0.1e18);
        trade(main(bob), main(alice), BTC, 1e18);
        observe(ETH);
        stopFeed(feeds[ETH]);
        setPrice(BTC, 55_000e18);
        (uint256 sold, ) = liquidate(main(alice), main(carol));
        uint256 taken = ch.collateralBalance(main(carol), WBTC);
        checkNear(int256(taken), int256((0.1e18 * sold) / 1e18), 1e10, "WBTC");
        check(sold != 0 && ch.collateralBalance(main(alice), WETH) == 0.1e18, "WETH");
    }

    // ---------------------------------------------------------------- nothing is told of nothing

    function _isLogged(bytes32 topic, uint256 market) private returns (bool) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == topic && uint256(logs[i].topics[2]) == market) return true;
        }
        return false;
    }

    function test_ADL_2_NoDebtNoDeficitOfLenders() public {
        _sinkInTwoMarkets();
        vm.recordLogs();
        liquidate(main(alice), main(bob));
        check(!_isLogged(IClearingHouseCore.DeficitAbsorbed.selector, LENDING), "none of the lending pool");
    }

    /// @dev E = 0 at 1,801: after four minutes the taker would be paid half of MM, but the fund is empty.
    function test_ADL_2_AnEmptyFundRescuesNobody() public {
        _long();
        setPrice(ETH, 1_801e18);
        for (uint256 i = 0; i < 4; ++i) {
            _flag();
            passTime(60);
        }
        vm.recordLogs();
        liquidate(main(alice), main(carol));
        check(!_isLogged(IClearingHouseCore.RescuePaid.selector), "no rescue");
    }

    /// @dev A fund without cash may pay nothing for the market, so its share of the next liquidation's cost repays no bad debt.
    function test_ADL_2_AnEmptyFundRepaysNothing() public {
        _long();
        setPrice(ETH, 1_000e18);
        liquidate(main(alice), main(bob));
        uint256 badDebt = lossOf(ETH).badDebt;
        check(badDebt != 0 && cashOf(fund.account()) == 0, "premise");
        address dave = actor("dave");
        giveCash(main(dave), 1_100e18);
        trade(main(bob), main(dave), ETH, 10e18);
        setPrice(ETH, 915e18);
        vm.recordLogs();
        liquidate(main(dave), main(carol));
        check(!_isLogged(IClearingHouseCore.BadDebtRepaid.selector), "nothing");
        check(cashOf(fund.account()) != 0, "the fund has earned");
        checkEq(lossOf(ETH).badDebt, badDebt, "bad debt");
    }
}
