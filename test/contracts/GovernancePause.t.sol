// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {Pause} from "../../contracts/libraries/Pause.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice MM-5: the guardian's pause of new risk: what it stops, what goes on, and for how long.
contract GovernancePauseTest is House {
    AccountId private alice;
    AccountId private bob;
    AccountId private carol;
    AccountId private erin;

    /// @dev Alice is long 10 ETH from 2,000 against bob, erin lends 500,000, and 10 WETH of carol borrow 1,000.
    function setUp() public {
        deployHouse();
        (alice, bob) = (main(actor("alice")), main(actor("bob")));
        (carol, erin) = (main(actor("carol")), main(actor("erin")));
        giveCash(alice, 100_000e18);
        giveCash(bob, 100_000e18);
        giveCash(erin, 600_000e18);
        lend(erin, 500_000e18);
        giveCollateral(carol, WETH, 10e18);
        borrow(carol, 1_000e18);
        trade(bob, alice, ETH, 10e18);
    }

    function _pause() private returns (uint256 until) {
        until = block.timestamp + 3 days;
        ch.pauseNewRisk();
        checkEq(ch.pausedUntil(), until, "three days");
    }

    function _expectPaused(uint256 until) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseCore.NewRiskPaused.selector, until));
    }

    // ---------------------------------------------------------------- what it stops

    function test_MM_5_NoFillRaisesOpenInterest() public {
        uint256 until = _pause();
        _expectPaused(until);
        this.tradeOut(bob, alice, 0.01e18);
        // One side closes a long of 10, the other opens one of 11: open interest would rise by one.
        vm.warp(until - 1);
        refreshFeeds();
        _expectPaused(until);
        this.tradeOut(alice, erin, 11e18);
        vm.warp(until);
        trade(bob, alice, ETH, 0.01e18);
        checkEq(openInterestOf(ETH), 10.01e18, "from its end on everything goes");
    }

    /// @dev A call of its own, so that `vm.expectRevert` meets the settlement only.
    function tradeOut(AccountId maker, AccountId taker, int256 size) external {
        trade(maker, taker, ETH, size);
    }

    function test_MM_5_NobodyBorrowsOfHisOwnChoice() public {
        uint256 until = _pause();
        address owner = carol.ownerOf();
        _expectPaused(until);
        vm.prank(owner);
        ch.withdraw(carol, address(usdc), 1, owner);
        _expectPaused(until);
        vm.prank(owner);
        ch.transfer(carol, AccountIds.derive(owner, 1), address(usdc), 1);
        ch.endPause();
        borrow(carol, 1e18);
    }

    /// @dev Of a cap of 100,000 a quarter counts: 25,000.
    function test_MM_5_NetOutflowsAreSlowed() public {
        ch.setOutflowCap(address(usdc), 100_000);
        _pause();
        withdrawCash(erin, 25_000e18);
        address owner = erin.ownerOf();
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouseCore.OutflowLimited.selector, address(usdc), uint256(0), uint256(1e12))
        );
        vm.prank(owner);
        ch.withdraw(erin, address(usdc), 1, owner);
        ch.endPause();
        withdrawCash(erin, 75_000e18);
    }

    // ---------------------------------------------------------------- what goes on

    function test_MM_5_DepositsLendingAndRepaymentGoOn() public {
        _pause();
        giveCollateral(carol, WETH, 1e18);
        giveCash(carol, 400e18);
        checkNear(int256(debtOf(carol)), 600e18, 1e6, "cash repays debt");
        lend(bob, 1_000e18);
        recall(bob, 999e18);
        ch.sweepReserves();
    }

    /// @dev Alice sells her 10 long to erin, who opens: open interest stays. Then she and bob close 5 of theirs: it falls.
    function test_MM_5_FillsThatDoNotRaiseOpenInterestGoOn() public {
        _pause();
        trade(alice, erin, ETH, 10e18);
        checkEq(openInterestOf(ETH), 10e18, "one leaves, another comes");
        checkEq(sizeOf(alice, ETH), 0, "alice is out");
        trade(erin, bob, ETH, 5e18);
        checkEq(openInterestOf(ETH), 5e18, "both leave");
    }

    /// @dev At 1,990 alice has lost 10 · 10 = 100: bob is paid from it. Carol's 10 WETH with a short of 10: what the rise to 2,100 costs
    /// her, 1,000, is borrowed; a loss is no new risk, and she would be cash-called for it.
    function test_MM_5_SettlementAndFundingGoOn() public {
        trade(carol, erin, ETH, 10e18);
        uint256 debt = debtOf(carol);
        _pause();
        setPrice(ETH, 1_990e18);
        uint256 cash = cashOf(bob);
        settle(ETH, alice, bob);
        checkNear(int256(cashOf(bob)), int256(cash) + 100e18, 1e12, "bob is paid");
        ch.accrueFunding(ETH);
        ch.sweepFees(ETH);
        setPrice(ETH, 2_100e18);
        settle(ETH, carol);
        checkNear(int256(debtOf(carol)), int256(debt) + 1_000e18, 1e12, "a loss is settled by borrowing");
        oracle.observe(ETH, 10);
    }

    /// @dev Carol borrows 16,000 against 10 WETH of 20,000; at 1,680 E = 800 is below MM = (3 % + 7 %) · 16,800. The taker, who has lent
    /// all his cash and has WETH, borrows what the slice costs.
    function test_MM_5_LiquidationGoesOn() public {
        borrow(carol, 15_000e18);
        AccountId taker = main(actor("taker"));
        giveCollateral(taker, WETH, 100e18);
        _pause();
        setPrice(ETH, 1_680e18);
        ch.flag(carol);
        (uint256 fraction, ) = liquidate(carol, taker);
        checkLe(1, fraction, "a slice is taken over");
        checkLe(1, debtOf(taker), "with its debt");
    }

    /// @dev Bob, out of the market, asks, and a day later everything leaves, four times what the brake would let through.
    function test_MM_5_FlatExitsGoOn() public {
        trade(alice, erin, ETH, 10e18);
        ch.setOutflowCap(address(usdc), 100_000);
        _pause();
        vm.prank(alice.ownerOf());
        ch.requestExit(alice);
        passTime(1 days);
        uint256 all = cashOf(alice);
        checkLe(90_000e18, all, "more than a quarter of the cap");
        withdrawCash(alice, all);
    }

    // ---------------------------------------------------------------- how long

    /// @dev A guardian who presses the button whenever it works has three days of every ten.
    function test_MM_5_APauseEndsByItselfAndTheNextOneWaits() public {
        uint256 paused = 0;
        for (uint256 hour = 0; hour < 100 * 24; ++hour) {
            vm.warp(START + hour * 1 hours);
            uint256 until = ch.pausedUntil();
            if (until != 0 && vm.getBlockTimestamp() < until + 7 days) {
                vm.expectRevert(abi.encodeWithSelector(IClearingHouseCore.PauseTooEarly.selector, until + 7 days));
            }
            ch.pauseNewRisk();
            if (vm.getBlockTimestamp() < ch.pausedUntil()) ++paused;
        }
        checkEq(paused, 30 * 24, "thirty days out of a hundred");
    }

    function test_MM_5_TheGuardianMayEndItEarly() public {
        vm.expectRevert(IClearingHouseCore.NotPaused.selector);
        ch.endPause();
        _pause();
        vm.warp(block.timestamp + 1 days);
        ch.endPause();
        uint256 end = vm.getBlockTimestamp();
        checkEq(ch.pausedUntil(), end, "over now");
        vm.expectRevert(IClearingHouseCore.NotPaused.selector);
        ch.endPause();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseCore.PauseTooEarly.selector, end + Pause.COOLDOWN));
        ch.pauseNewRisk();
        refreshFeeds();
        trade(bob, alice, ETH, 1e18);
    }

    /// @dev It lies in the word of the exchange's address.
    function test_MM_5_TheExchangeStays() public {
        _pause();
        checkEq(uint256(uint160(ch.exchange())), uint256(uint160(address(exchange))), "same exchange");
        checkEq(uint256(uint160(ch.insuranceFund())), uint256(uint160(address(fund))), "same fund");
    }
}
