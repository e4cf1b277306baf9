// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Match, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Assessment} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice Attacks found on paper, each with the name it has in the list of attacks, played against the real contracts. Each
/// fails if its defence is removed.
contract AttacksTest is House {
    address private alice;
    address private bob;
    address private carol;
    address private dave;

    function setUp() public {
        deployHouse();
        (alice, bob, carol, dave) = (actor("alice"), actor("bob"), actor("carol"), actor("dave"));
    }

    // ---------------------------------------------------------------- signed orders

    /// @dev Carol signs to buy 1 ETH. The settler lists her order twice, and two sellers deliver 1 ETH each.
    function test_ATTACK_26_OneOrderListedTwice() public {
        giveCash(main(alice), 10_000e18);
        giveCash(main(bob), 10_000e18);
        giveCash(main(carol), 10_000e18);
        SignedOrder[] memory orders = new SignedOrder[](4);
        orders[0] = signedOrder(main(carol), ETH, 1e18, ETH_PRICE, true, false);
        orders[1] = orders[0];
        orders[2] = signedOrder(main(alice), ETH, -1e18, ETH_PRICE, false, false);
        orders[3] = signedOrder(main(bob), ETH, -1e18, ETH_PRICE, false, false);
        Match[] memory matches = new Match[](2);
        (matches[0], matches[1]) = (Match(0, 2), Match(1, 3));
        try exchange.settle(orders, matches) {} catch {}
        checkLe(sizeOf(main(carol), ETH), 1e18, "an order fills once");
    }

    /// @dev Cash 100, losses of 100 in each of two markets: whichever is settled first may not take all of it.
    function test_ATTACK_17_OrderOfSettlement() public {
        giveCash(main(alice), 10_000e18);
        giveCash(main(bob), 100_000e18);
        giveCollateral(main(alice), WETH, 10e18);
        trade(main(bob), main(alice), ETH, 10e18); // taker fee 10
        trade(main(bob), main(alice), BTC, 0.5e18); // taker fee 15
        setPrice(ETH, 1_400e18); // −6,000 − 10
        setPrice(BTC, 48_000e18); // −6,000 − 15
        settle(ETH, main(alice));
        // 10,000 · 6,010 / 12,025 = 4,997.92
        checkNear(int256(uint256(poolOf(ETH).cash)), 4_997.92e18, 0.01e18, "ETH gets its share");
        checkNear(int256(uint256(poolOf(BTC).cash)), 5_002.08e18, 0.01e18, "BTC gets its share");
    }

    /// @dev A liquidation leaves a fraction of a satoshi behind. What is left of the collateral can still be taken out whole.
    function test_ATTACK_27_FractionOfATokenUnit() public {
        giveCollateral(main(alice), WBTC, 1e18);
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 1_000_000e18);
        trade(main(bob), main(alice), BTC, 5e18);
        setPrice(BTC, 52_150e18);
        Assessment memory a = assess(main(alice));
        check(a.equity > 0 && a.equity < int256(a.maintenanceMargin), "premise: liquidatable");
        (uint256 fraction, ) = liquidate(main(alice), main(carol));
        check(fraction < 1e18, "premise: a slice");
        closeAll(main(alice), main(bob), BTC);
        giveCash(main(alice), 100_000e18);
        settle(BTC, main(alice));
        uint256 units = ch.collateralBalance(main(alice), WBTC) / 1e10;
        vm.prank(alice);
        ch.withdraw(main(alice), address(tokens[WBTC]), units, alice);
    }

    // ---------------------------------------------------------------- claims

    /// @dev Leaves 10 ETH of bob against 10 of carol, a pool of about 3,000 and bad debt of about 6,900; bob's profit is about 9,900.
    function _badDebt(uint256 bobCash) private {
        giveCash(main(alice), 3_000e18);
        giveCash(main(bob), bobCash);
        giveCash(main(carol), 1_000_000e18);
        giveCash(main(dave), 1_000_000e18);
        trade(main(bob), main(alice), ETH, -10e18);
        setPrice(ETH, 3_000e18);
        liquidate(main(alice), main(carol));
        check(lossOf(ETH).badDebt > 6_900e18, "premise: bad debt");
    }

    /// @dev A deficit that somebody flags in between delays a claim; it may not take away more than the claim's own part.
    function test_ATTACK_17_ClaimWhileDeficitsAreFlagged() public {
        _badDebt(10_000e18);
        AccountId poor = AccountIds.derive(alice, 7);
        giveCash(poor, 3_000e18);
        trade(main(dave), poor, ETH, -10e18);
        setPrice(ETH, 3_600e18);
        ch.flag(poor);
        check(poolOf(ETH).flaggedDeficit > 2_900e18, "premise: flagged");
        int256 quote = quoteOf(main(bob), ETH);
        uint256 cash = cashOf(main(bob));
        uint256 share = (uint256(poolOf(ETH).cash) * 1e18) / (poolOf(ETH).cash + lossOf(ETH).badDebt);
        vm.prank(bob);
        try ch.claim(main(bob), ETH, 1_000e18) {} catch {}
        int256 given = quote - quoteOf(main(bob), ETH);
        checkNear(int256(cashOf(main(bob)) - cash), (given * int256(share)) / 1e18, 10, "paid = given up * s");
    }

    /// @dev A healthy account whose profit is unbacked gives it up and leaves a hole in another market.
    function test_ATTACK_04_ClaimIntoBankruptcy() public {
        giveCash(main(bob), 5_000e18);
        giveCash(main(dave), 1_000_000e18);
        trade(main(dave), main(bob), BTC, -1e18);
        _badDebt(10e18);
        setPrice(BTC, 69_000e18);
        Assessment memory a = assess(main(bob));
        checkLe(int256(a.initialMargin), a.equity, "premise: healthy");
        vm.prank(bob);
        try ch.claim(main(bob), ETH, 9_800e18) {} catch {}
        checkLe(int256(assess(main(bob)).maintenanceMargin), assess(main(bob)).equity, "not below MM by its own act");
    }

    // ---------------------------------------------------------------- helpers

    /// @dev Closes whatever `id` holds: a reduce-only order may be larger than the position, and is a multiple of 1e9.
    function closeAll(AccountId id, AccountId against, uint256 market) private {
        int256 size = sizeOf(id, market);
        int256 rounded = (size > 0 ? -(size / 1e9 + 1) : -(size / 1e9) + 1) * 1e9;
        SignedOrder[] memory orders = new SignedOrder[](2);
        orders[0] = signedOrder(against, market, -rounded, priceOf(market), true, false);
        orders[1] = signedOrder(id, market, rounded, priceOf(market), false, true);
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        exchange.settle(orders, matches);
    }
}
