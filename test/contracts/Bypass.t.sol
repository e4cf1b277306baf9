// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {IExchange} from "../../contracts/interfaces/IExchange.sol";
import {Assessment, Call} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice Ways around a clock, a cooldown and a revocation through batches and transfers.
contract BypassTest is House {
    address private alice;
    address private bob;
    address private carol;
    address private dave;

    function setUp() public {
        deployHouse();
        (alice, bob, carol, dave) = (actor("alice"), actor("bob"), actor("carol"), actor("dave"));
    }

    /// @dev Below MM with two minutes on the clock. In one batch the owner lends himself 24,000 of cash (E ≥ IM for a moment), flags
    /// himself, and takes 24,000 worth of WETH out again. Equity is what it was, and he is still below MM: the clock must stand.
    function test_ATTACK_08_ClockIsNotResetInsideABatch() public {
        giveCollateral(main(alice), WETH, 50e18);
        giveCash(main(bob), 1_000_000e18);
        trade(main(bob), main(alice), BTC, 10e18);
        setPrice(BTC, 52_000e18);
        vm.prank(carol);
        ch.flag(main(alice));
        for (uint256 i = 1; i <= 2; ++i) {
            vm.warp(START + 60 * i);
            refreshFeeds();
            vm.prank(carol);
            ch.flag(main(alice));
        }
        checkEq(ch.auction(main(alice)).clock, 120, "clock before");
        int256 equity = assess(main(alice)).equity;
        usdc.mint(alice, 24_000e6);
        vm.prank(alice);
        usdc.approve(address(vault), 24_000e6);
        Call[] memory calls = new Call[](3);
        calls[0] = Call(
            address(ch),
            abi.encodeCall(IClearingHouseCore.deposit, (main(alice), address(usdc), 24_000e6))
        );
        calls[1] = Call(address(ch), abi.encodeCall(IClearingHouseCore.flag, (main(alice))));
        calls[2] = Call(
            address(ch),
            abi.encodeCall(IClearingHouseCore.withdraw, (main(alice), address(tokens[WETH]), 12e18, alice))
        );
        vm.prank(alice);
        try ch.batch(calls) {} catch {}
        Assessment memory a = assess(main(alice));
        checkEq(a.equity, equity, "equity is what it was");
        check(a.equity < int256(a.maintenanceMargin), "still below MM");
        checkEq(ch.auction(main(alice)).clock, 120, "clock after");
    }

    /// @dev One holding of 1,000,000 shares arms two addresses. Fresh money then enters, takes its part of the swept fees and leaves in
    /// the same block through the idle right.
    function test_ATTACK_20_AnExitRightIsNotMultiplied() public {
        giveFund(dave, 1_000_000e18); // honest
        giveFund(alice, 1_000_000e18);
        uint256 shares = fund.balanceOf(alice);
        vm.prank(alice);
        fund.requestExit(shares);
        vm.prank(alice);
        fund.transfer(bob, shares);
        vm.prank(bob);
        fund.requestExit(shares);
        giveCash(main(actor("m")), 10_000_000e18);
        giveCash(main(actor("t")), 10_000_000e18);
        for (uint256 i = 0; i < 5; ++i) {
            trade(main(actor("m")), main(actor("t")), ETH, 10_000e18);
            trade(main(actor("m")), main(actor("t")), ETH, -10_000e18);
        }
        passTime(3 days);
        // Bob's own 1,000,000 stay. Carol's money is younger than a block.
        giveFund(carol, 1_000_000e18);
        uint256 fresh = fund.balanceOf(carol);
        ch.sweepFees(ETH); // 100,000 of fees, half of them for the fund
        vm.prank(carol);
        fund.transfer(alice, fresh);
        vm.prank(alice);
        try fund.redeem(fresh, alice, alice) returns (uint256 assets) {
            checkLe(assets, 1_000_000e6, "money of this block leaves with more than it brought");
        } catch {}
        checkEq(usdc.balanceOf(alice), 0, "money of this block left at once");
    }

    /// @dev The exchange sees the clearinghouse as the caller: who revokes inside a batch must not be told that he did.
    function test_RevocationInsideABatchIsNotSilentlyLost() public {
        Call[] memory calls = new Call[](1);
        calls[0] = Call(address(exchange), abi.encodeCall(IExchange.revokeAll, ()));
        vm.prank(alice);
        try ch.batch(calls) {
            (uint256 epoch, , ) = exchange.ownerState(alice);
            checkEq(epoch, 1, "batch succeeded, epoch");
        } catch {}
    }
}
