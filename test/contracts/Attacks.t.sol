// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {IExchange, Match, Order, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {MockWallet} from "../../contracts/mocks/MockWallet.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Assessment, LiquidationTerms, WAD} from "../../contracts/types/LedgerTypes.sol";
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
        vm.expectPartialRevert(IExchange.OrderRepeated.selector);
        exchange.settle(orders, matches);
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
        vm.expectPartialRevert(IClearingHouseCore.NothingToClaim.selector);
        vm.prank(bob);
        ch.claim(main(bob), ETH, 1_000e18);
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
        vm.expectPartialRevert(IClearingHouseCore.InsufficientMargin.selector);
        vm.prank(bob);
        ch.claim(main(bob), ETH, 9_800e18);
    }

    // ---------------------------------------------------------------- below the line

    /// @dev Alice: 12,000 of cash, long 100 ETH from 2,000; taker fee 100.
    function _longHundred() private {
        giveCash(main(alice), 12_000e18);
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 1_000_000e18);
        trade(main(bob), main(alice), ETH, 100e18);
    }

    /// @dev E = 700 at 1,888. Selling 10 ETH at the edge of the band costs 104 and would lower E / MM from 0.123 to 0.117, at the
    /// index it costs 9.
    function test_ATTACK_01_ReduceAtTheBand() public {
        _longHundred();
        setPrice(ETH, 1_888e18);
        _tradeRefused(main(bob), main(alice), -10e18, 1_850e18, IClearingHouseCore.PriceOutOfBand.selector);
        _tradeRefused(main(bob), main(alice), -10e18, 1_878.56e18, IClearingHouseCore.InsufficientMargin.selector);
        trade(main(bob), main(alice), ETH, -10e18);
    }

    /// @dev Long and short 100 ETH in two markets, IM 3 %, MM 1 % of 240,000. Swapped for 2.2 BTC, IM 5 %, MM 3 % of 132,000:
    /// E − IM rises from −1,200 to −606, E − MM falls from 3,600 to 2,040.
    function test_ATTACK_02_HotForCold() public {
        ch.setMarket(2, marketParams(ETH, 0.01e18));
        giveCash(main(alice), 10_100e18);
        giveCash(main(bob), 1_000_000e18);
        trade(main(alice), main(bob), ETH, -100e18);
        trade(main(alice), main(bob), 2, 100e18, ETH_PRICE);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 4_100e6, alice);
        setPrice(ETH, 2_400e18);
        SignedOrder[] memory orders = new SignedOrder[](6);
        (orders[0], orders[1]) = _orders(ETH, 100e18, 2_400e18);
        (orders[2], orders[3]) = _orders(2, -100e18, 2_400e18);
        (orders[4], orders[5]) = _orders(BTC, -2.2e18, BTC_PRICE);
        Match[] memory matches = new Match[](3);
        (matches[0], matches[1], matches[2]) = (Match(0, 1), Match(2, 3), Match(4, 5));
        vm.expectPartialRevert(IClearingHouseCore.InsufficientMargin.selector);
        exchange.settle(orders, matches);
    }

    /// @dev Cash 10,000, profit 24,000 that nobody has paid, IM 7,214: 2,500 may leave and no more.
    function test_FSA_5_ATTACK_03_LeavingOnUnpaidProfit() public {
        giveCash(main(alice), 10_000e18);
        giveCash(main(bob), 7_000e18);
        trade(main(alice), main(bob), ETH, -60e18);
        setPrice(ETH, 2_400e18);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 2_500e6, alice);
        vm.expectPartialRevert(IClearingHouseCore.InsufficientMargin.selector);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 400e6, alice);
    }

    /// @dev E = 11,900 − 15,000.
    function test_MMS_3_ATTACK_04_TradingWhileBankrupt() public {
        _longHundred();
        setPrice(ETH, 1_850e18);
        check(assess(main(alice)).equity == -3_100e18, "premise: bankrupt");
        _tradeRefused(main(bob), main(alice), -100e18, 1_850e18, IClearingHouseCore.InsufficientMargin.selector);
        _tradeRefused(main(bob), main(alice), -10e18, 1_859e18, IClearingHouseCore.InsufficientMargin.selector);
    }

    // ---------------------------------------------------------------- liquidation

    /// @dev E = 100, MM = 188,200 · 3 % + 14.2 = 5,660.2. At once a taker gets no more than E; after three minutes of clock half of MM
    /// in all; and of a fund of 1,000 never more than a tenth.
    function test_ATTACK_05_FarmingTheFund() public {
        _longHundred();
        giveFund(dave, 100_000e18);
        setPrice(ETH, 1_882e18);
        _runClock(6);
        uint256 fundBefore = cashOf(fund.account());
        int256 before = assess(main(carol)).equity;
        liquidate(main(alice), main(carol));
        // 20 of the 100 go to the fund, 10 to the flagger
        checkNear(int256(fundBefore - cashOf(fund.account())), 2_710e18, 1e18, "the fund pays 2,730 and earns 20");
        checkNear(assess(main(carol)).equity - before, 2_800e18, 1e18, "the taker gets 70 and 2,730");
    }

    function test_ATTACK_05_NoRescueAtOnce() public {
        _longHundred();
        giveFund(dave, 100_000e18);
        setPrice(ETH, 1_882e18);
        liquidate(main(alice), main(carol));
        checkEq(cashOf(fund.account()), 100_020e18, "the fund pays nothing and earns 20");
    }

    function test_ATTACK_05_RescueWithinTheCap() public {
        _longHundred();
        giveFund(dave, 1_000e18);
        setPrice(ETH, 1_882e18);
        _runClock(6);
        liquidate(main(alice), main(carol));
        checkEq(cashOf(fund.account()), 918e18, "the fund earns 20 and pays a tenth of 1,020");
    }

    /// @dev Profit 24,000 in ETH that bob has not paid, loss 30,000 in BTC, cash 13,000. Nobody pays cash for the profit.
    function test_ATTACK_06_SellingPhantomProfit() public {
        giveCash(main(alice), 13_000e18);
        giveCash(main(bob), 7_000e18);
        giveCash(main(carol), 1_000_000e18);
        giveCash(main(dave), 1_000_000e18);
        trade(main(bob), main(alice), ETH, 60e18);
        trade(main(dave), main(alice), BTC, 2e18);
        setPrice(ETH, 2_400e18);
        setPrice(BTC, 45_000e18);
        vm.expectPartialRevert(IClearingHouseCore.ClaimsNotAccepted.selector);
        liquidate(main(alice), main(carol));
        LiquidationTerms memory terms = anyTerms();
        terms.acceptClaims = true;
        vm.prank(carol);
        (uint256 fraction, int256 paid) = ch.liquidate(main(alice), main(carol), terms);
        check(fraction < WAD, "premise: a slice");
        // the fund's fifth of f · 5 % · 7,035 at most
        checkLe(paid, 71e18, "the taker pays the fund's share and nothing for claims");
        checkEq(cashOf(main(alice)), 0, "no cash for phantom profit");
    }

    /// @dev 100 WETH against 200 ETH short: 395,000 of collateral, 390,200 owed. A slice costs its net value, not its collateral's.
    function test_ATTACK_07_TheTakersMoney() public {
        giveCollateral(main(alice), WETH, 100e18);
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 30_000e18);
        trade(main(bob), main(alice), ETH, -200e18);
        setPrice(ETH, 3_950e18);
        Assessment memory a = assess(main(alice));
        check(a.equity == 4_800e18 && a.equity < int256(a.maintenanceMargin), "premise: liquidatable");
        LiquidationTerms memory terms = anyTerms();
        terms.maxPayment = 4_800e18;
        vm.prank(carol);
        (, int256 paid) = ch.liquidate(main(alice), main(carol), terms);
        checkLe(paid, 4_800e18, "no more than E");
    }

    /// @dev A top-up to just above MM keeps the clock; an hour without a call adds one minute; E ≥ IM clears.
    function test_ATTACK_08_ClockGames() public {
        _longHundred();
        setPrice(ETH, 1_930e18); // E = 4,900, MM = 5,804.9
        ch.flag(main(alice));
        passTime(45);
        ch.flag(main(alice));
        checkEq(ch.auction(main(alice)).clock, 45, "45 s");
        giveCash(main(alice), 1_000e18);
        ch.flag(main(alice));
        checkEq(ch.auction(main(alice)).clock, 45, "between MM and IM it stands still");
        setPrice(ETH, 1_910e18);
        passTime(1 hours);
        ch.flag(main(alice));
        checkEq(ch.auction(main(alice)).clock, 105, "an outage adds 60 s");
        giveCash(main(alice), 20_000e18);
        ch.flag(main(alice));
        checkEq(ch.auction(main(alice)).clock, 0, "cleared at IM");
    }

    /// @dev Whoever owes nothing cannot be liquidated, however far his collateral falls.
    function test_ATTACK_10_OwesNothing() public {
        giveCollateral(main(alice), WETH, 10e18);
        giveCash(main(carol), 1_000_000e18);
        setPrice(ETH, 2e18);
        checkEq(assess(main(alice)).initialMargin, 0, "no margin");
        vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
        liquidate(main(alice), main(carol));
        vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
        ch.flag(main(alice));
    }

    /// @dev What is sold whole leaves no debt behind that could grow, and nothing to absorb.
    function test_ATTACK_11_NothingIsLeft() public {
        _longHundred();
        setPrice(ETH, 1_850e18);
        ch.flag(main(alice));
        checkEq(ch.totalFlaggedDeficit(), 3_100e18, "premise: a deficit is recorded");
        vm.expectPartialRevert(IClearingHouseCore.NotAbsorbable.selector);
        ch.absorb(main(alice));
        liquidate(main(alice), main(carol));
        check(ch.account(main(alice)).markets == 0 && ch.account(main(alice)).flags == 0, "nothing is left");
        checkEq(ch.totalFlaggedDeficit(), 0, "no recorded deficit");
        vm.expectPartialRevert(IClearingHouseCore.NotAbsorbable.selector);
        ch.absorb(main(alice));
    }

    // ---------------------------------------------------------------- pools and losses

    /// @dev Bob wins 15,000 from alice, who has 11,900. He gets that and no cash of anybody else.
    function test_ATTACK_14_SettleOntoOthers() public {
        _longHundred();
        setPrice(ETH, 1_850e18);
        uint256 bystander = cashOf(main(carol));
        uint256 cash = cashOf(main(bob));
        settle(ETH, main(alice), main(bob));
        checkEq(cashOf(main(bob)) - cash, 12_000e18, "what alice had"); // her fee waits as quote: 100 of it is the house's
        checkEq(cashOf(main(carol)), bystander, "a bystander pays nothing");
        settle(ETH, main(bob), main(carol));
        checkEq(cashOf(main(bob)) - cash, 12_000e18, "and no more");
    }

    /// @dev Alice owes 10,000 in ETH without size behind 0.5 BTC, which falls to 19,000: a deficit of 500 without a side.
    function _lossWithoutSize(int256 others) private {
        giveCollateral(main(alice), WBTC, 0.5e18);
        giveCash(main(alice), 100e18);
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 1_000_000e18);
        giveCash(main(dave), 1_000_000e18);
        trade(main(bob), main(alice), ETH, 100e18); // fee 100
        setPrice(ETH, 1_901e18); // −9,900
        trade(main(alice), main(bob), ETH, 100e18);
        if (others != 0) trade(main(dave), main(bob), ETH, others);
        setPrice(BTC, 18_800e18);
        check(assess(main(alice)).equity == -500e18, "premise: a deficit of 500");
        liquidate(main(alice), main(carol));
    }

    /// @dev Open interest 100: 2.5 a unit on both sides, below the cap of 0.25 % of 1,901 = 4.7525.
    function test_ATTACK_16_LossWithoutSizeInHalves() public {
        _lossWithoutSize(100e18);
        checkEq(lossOf(ETH).longIndex, 2.5e36, "longs pay half");
        checkEq(lossOf(ETH).shortIndex, 2.5e36, "shorts pay half");
        checkEq(lossOf(ETH).badDebt, 0, "nothing else");
    }

    /// @dev Open interest 0.01: 0.047525 a side, the rest is bad debt and blocks nothing.
    function test_ATTACK_16_TinyOpenInterest() public {
        _lossWithoutSize(0.01e18);
        checkEq(lossOf(ETH).longIndex, 4.7525e36, "longs pay the cap");
        checkEq(lossOf(ETH).shortIndex, 4.7525e36, "shorts pay the cap");
        checkEq(lossOf(ETH).badDebt, 500e18 - 0.09505e18, "the rest is recorded");
    }

    function test_ATTACK_16_NoOpenInterest() public {
        _lossWithoutSize(0);
        checkEq(lossOf(ETH).badDebt, 500e18, "all of it is recorded");
    }

    /// @dev A fund of 10,000 pays for one market 1,000 in a day, however many events the loss is cut into.
    function test_ADL_2_ATTACK_18_ManySmallEvents() public {
        giveFund(dave, 10_000e18);
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 1_000_000e18);
        for (uint96 i = 1; i <= 10; ++i) {
            giveCash(AccountIds.derive(alice, i), 1_200e18);
            trade(AccountIds.derive(alice, i), main(bob), ETH, -10e18);
        }
        setPrice(ETH, 1_850e18); // ten deficits of 300
        for (uint96 i = 1; i <= 10; ++i) liquidate(AccountIds.derive(alice, i), main(carol));
        checkEq(cashOf(fund.account()), 9_000e18, "one cap a day");
    }

    /// @dev +100 and −100 ETH in two markets are a hedge that has to be unwound: 1 % and 3 % of 200,000.
    function test_ATTACK_19_TwoMarketsOneUnderlying() public {
        ch.setMarket(2, marketParams(ETH, 0.01e18));
        giveCash(main(alice), 5_999e18);
        giveCash(main(bob), 1_000_000e18);
        trade(main(alice), main(bob), ETH, -50e18);
        trade(main(alice), main(bob), 2, 50e18, ETH_PRICE);
        checkEq(assess(main(alice)).maintenanceMargin, 1_000e18, "MM");
        checkEq(assess(main(alice)).initialMargin, 3_000e18, "IM");
        (SignedOrder[] memory orders, Match[] memory matches) = _two(100e18);
        vm.expectPartialRevert(IClearingHouseCore.InsufficientMargin.selector);
        exchange.settle(orders, matches);
    }

    /// @dev A loss of 3,100 is flagged but not booked: who leaves a fund of 10,000 gets 6,900.
    function test_ATTACK_20_LeavingBeforeTheLoss() public {
        _longHundred();
        giveFund(dave, 10_000e18);
        uint256 shares = fund.balanceOf(dave);
        vm.prank(dave);
        fund.requestExit(shares);
        passTime(3 days);
        setPrice(ETH, 1_850e18);
        ch.flag(main(alice));
        vm.prank(dave);
        checkNear(int256(fund.redeem(shares, dave, dave)), 6_900e6, 1, "net of the flagged loss");
    }

    // ---------------------------------------------------------------- prices, orders, exits

    function test_ATTACK_21_NoPriceNoTrade() public {
        _longHundred();
        stopFeeds();
        _tradeRefused(main(bob), main(alice), -100e18, 1_000e18, IClearingHouseCore.PriceOutOfBand.selector);
        trade(main(bob), main(alice), ETH, -100e18, ETH_PRICE); // exactly the last good price, and both reduce
        checkEq(sizeOf(main(alice), ETH), 0, "closed");
    }

    /// @dev A bid of 2,005 and an ask of 1,999 rest: they trade at 2,002, whichever is called the maker, and share one fee.
    function test_ATTACK_25_WhosePrice() public {
        int256[2] memory quotes;
        for (uint96 i = 0; i < 2; ++i) {
            AccountId buyer = AccountIds.derive(alice, i);
            AccountId seller = AccountIds.derive(bob, i);
            giveCash(buyer, 10_000e18);
            giveCash(seller, 10_000e18);
            SignedOrder[] memory orders = new SignedOrder[](2);
            orders[i] = signedOrder(buyer, ETH, 10e18, 2_005e18, true, false);
            orders[1 - i] = signedOrder(seller, ETH, -10e18, 1_999e18, true, false);
            Match[] memory matches = new Match[](1);
            matches[0] = Match(0, 1);
            exchange.settle(orders, matches);
            quotes[i] = quoteOf(buyer, ETH);
        }
        checkEq(quotes[0], -20_020e18 - 5.005e18, "mid, and half of 5 bp"); // 20,020 · 2.5 bp
        checkEq(quotes[0], quotes[1], "the same either way");
    }

    /// @dev Two contract wallets with one signer: an order of the first is not one of the second.
    function test_ATTACK_26_TwoWalletsOneSigner() public {
        MockWallet[2] memory wallets = [new MockWallet(alice), new MockWallet(alice)];
        giveCash(main(bob), 10_000e18);
        Order memory order = Order(
            main(address(wallets[0])),
            ETH,
            1e18,
            ETH_PRICE,
            0,
            0,
            0,
            block.timestamp,
            1,
            0,
            false,
            false,
            false,
            false
        );
        SignedOrder[] memory orders = new SignedOrder[](2);
        orders[0] = signedOrder(main(bob), ETH, -1e18, ETH_PRICE, true, false);
        orders[1] = _signAs(alice, order);
        order.account = main(address(wallets[1]));
        orders[1].order = order;
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        vm.expectPartialRevert(IExchange.InvalidSignature.selector);
        exchange.settle(orders, matches);
    }

    function test_ATTACK_26_OldEpoch() public {
        _longHundred();
        (SignedOrder[] memory orders, Match[] memory matches) = pair(main(bob), main(alice), ETH, -1e18, ETH_PRICE);
        vm.prank(alice);
        exchange.revokeAll();
        vm.expectPartialRevert(IExchange.OrderEpochMismatch.selector);
        exchange.settle(orders, matches);
    }

    /// @dev With no feed and somebody else's bad debt around, a flat account leaves with all it has.
    function test_MAS_3_ATTACK_27_FlatExit() public {
        _badDebt(10_000e18);
        AccountId flat = AccountIds.derive(alice, 9);
        giveCash(flat, 500e18);
        giveCollateral(flat, WETH, 3e18);
        stopFeeds();
        vm.prank(alice);
        ch.withdraw(flat, address(usdc), 500e6, alice);
        vm.prank(alice);
        ch.withdraw(flat, address(tokens[WETH]), 3e18, alice);
        checkEq(tokens[WETH].balanceOf(alice), 3e18, "all of it");
    }

    // ---------------------------------------------------------------- helpers

    function _tradeRefused(AccountId maker, AccountId taker, int256 size, uint256 price, bytes4 reason) private {
        (SignedOrder[] memory orders, Match[] memory matches) = pair(maker, taker, ETH, size, price);
        vm.expectPartialRevert(reason);
        exchange.settle(orders, matches);
    }

    /// @dev Alice rests and buys -`size`; bob takes.
    function _orders(
        uint256 market,
        int256 size,
        uint256 price
    ) private returns (SignedOrder memory, SignedOrder memory) {
        (SignedOrder[] memory orders, ) = pair(main(alice), main(bob), market, size, price);
        return (orders[0], orders[1]);
    }

    /// @dev Alice goes from +50 and −50 to +`size` and −`size` in two markets of one underlying.
    function _two(int256 size) private returns (SignedOrder[] memory orders, Match[] memory matches) {
        orders = new SignedOrder[](4);
        (orders[0], orders[1]) = _orders(ETH, 50e18 - size, ETH_PRICE);
        (orders[2], orders[3]) = _orders(2, size - 50e18, ETH_PRICE);
        matches = new Match[](2);
        (matches[0], matches[1]) = (Match(0, 1), Match(2, 3));
    }

    function _signAs(address signer, Order memory order) private view returns (SignedOrder memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[signer], exchange.hashOrder(order));
        return SignedOrder(order, abi.encodePacked(r, s, v));
    }

    /// @dev Flags alice once a minute.
    function _runClock(uint256 minutes_) private {
        for (uint256 i = 0; i <= minutes_; ++i) {
            ch.flag(main(alice));
            vm.warp(START + 60 * (i + 1));
            refreshFeeds();
        }
    }

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
