// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {RateFeeds} from "../../contracts/interfaces/IPriceOracle.sol";
import {CollateralRisk} from "../../contracts/interfaces/IRiskEngine.sol";
import {MockERC20} from "../../contracts/mocks/MockERC20.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Assessment, Call, CollateralParams, MarketParams} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {Vm, vm} from "./support/Vm.sol";

/// @notice Roads by which lenders, takers or the house itself could have been harmed, each closed by one rule.
contract EdgeCasesTest is House {
    uint256 private constant LST = 20;
    address private alice;
    address private bob;
    address private carol;
    address private dave;
    MockERC20 private lst;
    MockV3Aggregator private rateFeed;

    function setUp() public {
        deployHouse();
        (alice, bob, carol, dave) = (actor("alice"), actor("bob"), actor("carol"), actor("dave"));
    }

    function _lend(address who, uint256 usd) private {
        giveCash(main(who), usd * 1e18);
        vm.prank(who);
        ch.lend(main(who), usd * 1e6);
    }

    function _borrow(address who, uint256 usd) private {
        vm.prank(who);
        ch.withdraw(main(who), address(usdc), usd * 1e6, who);
    }

    function _listRate() private {
        lst = new MockERC20("Staked", "LST", 18);
        rateFeed = new MockV3Aggregator(18, 1e18);
        oracle.setRateFeeds(LST, RateFeeds(address(rateFeed), 1 hours, 0, address(0), 0, 0, 2e18));
        engine.setCollateralRisk(LST, CollateralRisk(70_000, 100_000, 0, 0, uint8(ETH), 0, 0));
        ch.setCollateral(LST, CollateralParams(address(lst), 0, uint8(ETH), true, 0, 1e12, 1e12, 0.005e18));
        oracle.observe(ETH, 0);
        oracle.observe(BTC, 0);
        oracle.observeRate(LST);
    }

    function _giveLst(address who, uint256 amount) private {
        lst.mint(who, amount);
        vm.prank(who);
        lst.approve(address(vault), amount);
        vm.prank(who);
        ch.deposit(main(who), address(lst), amount);
    }

    function _staleRate() private {
        passTime(2 hours); // ETH and BTC answer again, the rate does not
    }

    /// WETH 200,000 behind a debt of 150,000; the feed dies, WETH is delisted, after the ramp anyone absorbs: Alice does not walk off
    /// with the WETH while others pay her debt.
    function test_XAC_5_DelistedCollateralIsForfeitedWithTheDebt() public {
        _lend(carol, 1_000_000);
        giveCollateral(main(alice), WETH, 100e18);
        oracle.observe(ETH, 0);
        _borrow(alice, 150_000);
        ch.delistCollateral(WETH);
        vm.warp(block.timestamp + 14 days + 1);
        ch.absorb(main(alice));
        checkEq(ch.collateralBalance(main(alice), WETH), 0, "what its owner keeps");
        checkEq(ch.collateralBalance(main(treasury), WETH), 100e18, "what the treasury gets");
    }

    /// A taker who comes instead finds nothing to sell; the debt is written off all the same, and he neither pays nor gets anything.
    function test_XAC_5_LiquidatesADebtBehindNothing() public {
        _lend(carol, 1_000_000);
        giveCollateral(main(alice), WETH, 100e18);
        oracle.observe(ETH, 0);
        _borrow(alice, 150_000);
        ch.delistCollateral(WETH);
        vm.warp(block.timestamp + 14 days + 1);
        (uint256 sold, int256 paid) = liquidate(main(alice), main(bob));
        check(sold == 0 && paid == 0, "nothing to sell");
        (, uint256 debt, ) = ch.loans(main(alice));
        checkEq(debt, 0, "debt");
    }

    /// Alice's debt of 800,000 behind 500 WETH at 1,000 is flagged. Dave has lent all but 1,000 of his 110,000 and is long 10 BTC.
    function _lenderBesideADeficit() private {
        _lend(carol, 1_000_000);
        giveCollateral(main(alice), WETH, 500e18);
        _borrow(alice, 800_000);
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(dave), 110_000e18);
        trade(main(bob), main(dave), BTC, 10e18);
        vm.prank(dave);
        ch.lend(main(dave), 109_000e6);
        setPrice(ETH, 1_000e18);
        ch.flag(main(alice));
    }

    /// Dave, above MM, owes a loss: settling it costs him nothing.
    function test_CMA_2_SettleLeavesALendersEquityAsItIs() public {
        _lenderBesideADeficit();
        setPrice(BTC, 55_000e18);
        Assessment memory b = assess(main(dave));
        check(b.equity > int256(b.maintenanceMargin), "premise: Dave is above MM");
        settle(BTC, main(dave));
        Assessment memory a = assess(main(dave));
        check(a.equity >= 0, "solvent stays solvent");
        checkNear(a.equity, b.equity, 1e6, "settle leaves E as it is");
    }

    /// The same within a liquidation: E is judged before the slice settles.
    function test_LIQ_2_LenderIsLiquidatedWhileADeficitIsFlagged() public {
        _lenderBesideADeficit();
        setPrice(BTC, 53_500e18);
        Assessment memory b = assess(main(dave));
        check(b.equity > 0 && b.equity < int256(b.maintenanceMargin), "premise: Dave is liquidatable, not bankrupt");
        liquidate(main(dave), main(bob));
    }

    function test_CMA_2_NobodyHasDebtAndLentCash() public {
        _lend(carol, 1_000_000);
        giveCash(main(dave), 1_000_000e18);
        giveCash(main(alice), 12_000e18);
        trade(main(dave), main(alice), ETH, 100e18);
        vm.prank(alice);
        ch.lend(main(alice), 11_800e6);
        giveCollateral(main(bob), WETH, 1_000e18);
        _borrow(bob, 100_000);
        setPrice(ETH, 1_925e18);
        liquidate(main(alice), main(bob));
        (uint256 lent, uint256 debt, ) = ch.loans(main(bob));
        check(lent == 0 || debt == 0, "nobody has debt and lent cash at once");
    }

    /// A stale rate counts the collateral zero for opening and leaving, not for reducing.
    function test_OR_3_StaleCollateralDoesNotForbidReducing() public {
        _lend(carol, 1_000_000);
        _listRate();
        giveCash(main(bob), 1_000_000e18);
        _giveLst(alice, 100e18);
        trade(main(bob), main(alice), BTC, 0.5e18);
        _borrow(alice, 50_000);
        _staleRate();
        trade(main(bob), main(alice), BTC, -0.5e18);
    }

    /// Ten dollars of a stale asset, brought in while it is stale, stop neither settlement by borrowing nor the cash call.
    function test_ATTACK_09_SpeckDoesNotShieldFromSettlement() public {
        _lend(carol, 1_000_000);
        _listRate();
        giveCash(main(bob), 1_000_000e18);
        giveCollateral(main(alice), WETH, 1_000e18);
        trade(main(bob), main(alice), ETH, -500e18);
        _staleRate();
        _giveLst(alice, 0.01e18);
        setPrice(ETH, 3_000e18);
        settle(ETH, main(alice));
        checkLe(uint256(499_000e18), poolOf(ETH).cash, "loss collected");
    }

    function test_ATTACK_09_SpeckDoesNotShieldFromACashCall() public {
        _listRate();
        giveCash(main(bob), 1_000_000e18);
        giveCollateral(main(alice), WETH, 1_000e18);
        trade(main(bob), main(alice), ETH, -500e18);
        setPrice(ETH, 3_000e18);
        for (uint256 i = 0; i < 26; ++i) {
            passTime(1 hours);
            settle(ETH, main(alice));
        }
        _giveLst(alice, 0.01e18);
        vm.prank(bob);
        ch.cashCall(main(alice), main(bob), anyTerms());
    }

    /// A cash call costs its part of 5 % of the MM of what can be sold: that of 20 BTC without a price, about 36,000, is left out of it.
    function test_LIQ_1_ACashCallCostsNothingForWhatIsStuck() public {
        giveCash(main(bob), 2_000_000e18);
        giveCash(main(dave), 2_000_000e18);
        giveCollateral(main(alice), WETH, 1_000e18);
        trade(main(bob), main(alice), ETH, -500e18);
        setPrice(ETH, 3_000e18);
        uint256 margin = assess(main(alice)).maintenanceMargin;
        trade(main(bob), main(alice), BTC, 20e18);
        for (uint256 i = 0; i < 26; ++i) {
            passTime(1 hours);
            settle(ETH, main(alice));
        }
        observe(BTC);
        stopFeed(feeds[BTC]);
        vm.recordLogs();
        vm.prank(dave);
        (uint256 sold, ) = ch.cashCall(main(alice), main(dave), anyTerms());
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IClearingHouseCore.Liquidated.selector) continue;
            (, , , , uint256 cost, , , ) = abi.decode(
                logs[i].data,
                (bool, uint256, int256, uint256, uint256, int256, uint256, uint256)
            );
            int256 expected = int256((sold * margin) / 20e18);
            checkNear(int256(cost), expected, uint256(expected) / 100, "cost");
            return;
        }
        check(false, "no such event");
    }

    /// 60 USD of a market without a price do not stop the liquidation of a 200,000 long.
    function test_ATTACK_09_SpeckDoesNotStopALiquidation() public {
        giveCash(main(alice), 12_000e18);
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 1_000_000e18);
        trade(main(bob), main(alice), ETH, 100e18);
        trade(main(bob), main(alice), BTC, 0.001e18);
        uint256 time = block.timestamp - 3 days;
        feeds[BTC].updateRoundData(uint80(feeds[BTC].latestRound() + 1), feeds[BTC].latestAnswer(), time, time);
        setPrice(ETH, 1_890e18);
        liquidate(main(alice), main(carol));
    }

    /// The rest is the hedge of what has no price: without it what is left would need ten times the margin.
    function test_LIQ_2_TheHedgeOfWhatIsStuckIsNotSold() public {
        _lend(carol, 1_000_000);
        _listRate();
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(dave), 1_000_000e18);
        _giveLst(alice, 100e18);
        trade(main(bob), main(alice), ETH, -100e18);
        _borrow(alice, 193_000);
        rateFeed.updateAnswer(0.893e18);
        oracle.observeRate(LST);
        rateFeed.updateAnswer(0.97337e18); // · 1.09: what the kindest price makes of it
        Assessment memory b = assess(main(alice));
        check(b.equity > 0 && b.equity < int256(b.maintenanceMargin), "premise: below MM at the kindest price");
        _staleRate();
        vm.prank(dave);
        try ch.liquidate(main(alice), main(dave), anyTerms()) {
            check(false, "the hedge was sold");
        } catch (bytes memory reason) {
            check(bytes4(reason) == IClearingHouseCore.NothingToSell.selector, "there is nothing to sell");
        }
    }

    /// The pool is liquid all the time, but for the batch in which Bob, who owns nothing, borrows all of it, settles, and pays back.
    function test_LIQ_1_NoCashCallFromAPoolEmptiedForIt() public {
        _lend(carol, 1_000_000);
        giveCash(main(dave), 1_000_000e18);
        giveCollateral(main(alice), WETH, 100e18);
        trade(main(dave), main(alice), ETH, -10e18);
        setPrice(ETH, 2_500e18);
        giveCash(main(bob), 100_000e18); // to pay for the slice
        AccountId[] memory list = new AccountId[](1);
        list[0] = main(alice);
        bytes memory look = abi.encodeCall(ch.settle, (ETH, list));
        for (uint256 i = 0; i < 26; ++i) {
            passTime(1 hours);
            _starved(look);
        }
        passTime(1 hours);
        uint256 before = ch.collateralBalance(main(alice), WETH);
        checkEq(ch.auction(main(alice)).cashCallClock, 0, "no such observation counts");
        bytes memory take = abi.encodeCall(ch.cashCall, (main(alice), main(bob), anyTerms()));
        try this.starved(take) {
            check(false, "a cash call from a pool emptied for it");
        } catch (bytes memory reason) {
            check(bytes4(reason) == IClearingHouseCore.NoCashCall.selector, "no cash call");
        }
        checkEq(before, ch.collateralBalance(main(alice), WETH), "nothing is taken while the pool is liquid");
    }

    function starved(bytes calldata data) external {
        _starved(data);
    }

    function _starved(bytes memory data) private {
        AccountId tool = AccountIds.derive(bob, 1);
        uint256 units = 1_000_000e6;
        Call[] memory calls = new Call[](3);
        calls[0] = Call(address(ch), abi.encodeCall(ch.withdraw, (tool, address(usdc), units, bob)));
        calls[1] = Call(address(ch), data);
        calls[2] = Call(address(ch), abi.encodeCall(ch.deposit, (tool, address(usdc), units)));
        vm.prank(bob);
        usdc.approve(address(vault), units);
        vm.prank(bob);
        ch.batch(calls);
    }

    /// A keeper who lends takes a flagged bankrupt: the deficit has been written off the pool and is still recorded, so his
    /// called-back cash would pay it twice if the record stood.
    function test_ADL_4_ATakerWhoLendsBearsHisShareOnce() public {
        _lend(carol, 700_000);
        _lend(dave, 300_000);
        giveCollateral(main(alice), WETH, 500e18);
        _borrow(alice, 800_000);
        setPrice(ETH, 900e18);
        (uint256 daveBefore, , ) = ch.loans(main(dave));
        (uint256 carolBefore, , ) = ch.loans(main(carol));
        ch.flag(main(alice));
        liquidate(main(alice), main(dave));
        (uint256 carolAfter, , ) = ch.loans(main(carol));
        int256 daveAfter = assess(main(dave)).equity;
        // deficit 350,000: Carol bears 7/10, Dave 3/10
        checkNear(int256(carolBefore) - int256(carolAfter), 245_000e18, 100e18, "Carol's part");
        checkNear(int256(daveBefore) - daveAfter, 105_000e18, 100e18, "Dave's part");
    }

    function _wide() private {
        for (uint256 m = 2; m < 16; ++m) {
            ch.setMarket(m, MarketParams(500, 0, 5_000, 2_500, 1e14, 50_000_000, 100_000_000, uint8(m % 2)));
        }
        for (uint256 c = 10; c < 16; ++c) {
            MockERC20 t = new MockERC20("T", "T", 18);
            engine.setCollateralRisk(c, CollateralRisk(70_000, 100_000, 0, 0, uint8(c % 2), 0, 0));
            ch.setCollateral(c, CollateralParams(address(t), 0, uint8(c % 2), false, 0, 1e12, 1e12, 1e14));
            t.mint(alice, 1e18);
            vm.prank(alice);
            t.approve(address(vault), 1e18);
            vm.prank(alice);
            ch.deposit(main(alice), address(t), c % 2 == 0 ? 0.01e18 : 0.0004e18);
        }
        giveCollateral(main(alice), WETH, 0.01e18);
        giveCollateral(main(alice), WBTC, 0.0004e18);
        giveCash(main(bob), 10_000_000e18);
        giveCash(main(carol), 10_000_000e18);
        giveCash(main(dave), 10_000_000e18);
        giveCash(main(alice), 2_500e18);
        for (uint256 m = 0; m < 16; ++m) {
            int256 size = m % 2 == 0 ? int256(1e18) : int256(0.03e18);
            trade(main(bob), main(alice), m, size, priceOf(m % 2));
        }
    }

    function test_MMS_2_GasOfATrade() public {
        _wide();
        setPrice(ETH, 3_500e18);
        setPrice(BTC, 105_000e18);
        uint256 gas = gasleft();
        trade(main(bob), main(alice), 0, 0.01e18, priceOf(ETH));
        checkLe(gas - gasleft(), 2_500_000, "gas of a trade of two accounts in 16 markets");
    }

    function test_MMS_2_GasOfASettlement() public {
        _wide();
        setPrice(ETH, 1_900e18);
        setPrice(BTC, 57_500e18);
        uint256 gas = gasleft();
        settle(0, main(alice));
        checkLe(gas - gasleft(), 400_000, "gas of settling a loser in 16 markets");
    }

    function test_MMS_2_GasOfALiquidation() public {
        _wide();
        setPrice(ETH, 1_880e18);
        setPrice(BTC, 56_500e18);
        Assessment memory a = assess(main(alice));
        check(a.equity > 0 && a.equity < int256(a.maintenanceMargin), "premise: liquidatable");
        uint256 gas = gasleft();
        liquidate(main(alice), main(carol));
        checkLe(gas - gasleft(), 2_500_000, "gas of liquidating 16 markets and 8 collaterals");
    }

    function test_MMS_2_GasOfALiquidationWithADeficit() public {
        _wide();
        giveFund(dave, 100_000e18);
        setPrice(ETH, 1_500e18);
        setPrice(BTC, 45_000e18);
        ch.flag(main(alice));
        uint256 gas = gasleft();
        liquidate(main(alice), main(carol));
        checkLe(gas - gasleft(), 3_000_000, "gas of liquidating a bankrupt in 16 markets with 8 collaterals");
    }
}
