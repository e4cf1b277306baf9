// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {IPriceOracle, Volatility} from "../../contracts/interfaces/IPriceOracle.sol";
import {CollateralRisk} from "../../contracts/interfaces/IRiskEngine.sol";
import {PriceSnapshot} from "../../contracts/types/Portfolio.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Assessment, Call, LiquidationTerms, MarketParams, WAD} from "../../contracts/types/LedgerTypes.sol";
import {Match, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice Attacks found on paper that need lenders, missing prices, volatility, funding or crowded markets, each with the name it has in
/// the list of attacks. Each fails if the defence that its first comment line names is removed.
contract LendingAttacksTest is House {
    address private alice;
    address private bob;
    address private carol;
    address private dave;
    address private erin;
    address private frank;

    function setUp() public {
        deployHouse();
        (alice, bob, carol) = (actor("alice"), actor("bob"), actor("carol"));
        (dave, erin, frank) = (actor("dave"), actor("erin"), actor("frank"));
        giveCash(main(bob), 1_000_000e18);
    }

    /// @dev Erin lends.
    function _pool(uint256 amount) private {
        giveCash(main(erin), amount);
        lend(main(erin), amount);
    }

    /// @dev Alice holds 100 WETH against 100 ETH short and owes 193,900: E = 6,100, IM = 3 %, MM = 1 % of 200,000.
    function _hedgedOnDebt(uint256 pool) private {
        _pool(pool);
        giveCollateral(main(alice), WETH, 100e18);
        trade(main(alice), main(bob), ETH, 100e18);
        borrow(main(alice), 193_900e18);
        checkEq(assess(main(alice)).initialMargin, 6_000e18, "premise: IM");
        checkEq(assess(main(alice)).maintenanceMargin, 2_000e18, "premise: MM");
    }

    // ---------------------------------------------------------------- below the line

    /// @dev Hits the rule that nothing may worsen. 220 days at 3.88 % cost 4,585: E = 1,515 is below MM = 2,000. Buying the short back
    /// from a friend at the edge of the band would hand him 1,000 of the lenders' money.
    function test_ATTACK_01_ReduceAtTheBandOnDebt() public {
        _hedgedOnDebt(250_000e18);
        passTime(220 days);
        Assessment memory a = assess(main(alice));
        check(a.equity > 0 && a.equity < int256(a.maintenanceMargin), "premise: below MM");
        uint256 borrowed = lendingPool().borrowed;
        _tradeRefused(main(alice), main(bob), ETH, -100e18, 2_010e18, IClearingHouseCore.InsufficientMargin.selector);
        _tradeRefused(main(alice), main(bob), ETH, -10e18, 2_010e18, IClearingHouseCore.InsufficientMargin.selector);
        checkEq(lendingPool().borrowed, borrowed, "lenders pay nothing");
    }

    /// @dev Hits the exclusion of unsettled profit from what leaves. Profit 24,000 that nobody has paid, cash 10,000: neither cash nor
    /// what lenders have supplied leaves for it, before and after the position is closed.
    function test_FSA_5_ATTACK_03_LeavingOnLentMoney() public {
        _pool(100_000e18);
        giveCash(main(alice), 10_000e18);
        giveCash(main(carol), 7_000e18);
        giveCash(main(dave), 1_000_000e18);
        trade(main(alice), main(carol), ETH, -60e18);
        setPrice(ETH, 2_400e18);
        _refused(alice, abi.encodeCall(ch.withdraw, (main(alice), address(usdc), 10_001e6, alice)));
        trade(main(alice), main(dave), ETH, 60e18); // closes at the index
        uint256 cash = cashOf(main(alice));
        check(cash <= 10_000e18 + 7_000e18 && quoteOf(main(alice), ETH) > 0, "premise: unpaid profit");
        _refused(alice, abi.encodeCall(ch.withdraw, (main(alice), address(usdc), cash / USDC_UNIT + 1, alice)));
        withdrawCash(main(alice), cash);
        checkEq(debtOf(main(alice)), 0, "nothing is borrowed");
    }

    // ---------------------------------------------------------------- liquidation

    /// @dev Hits the debt that moves with the slice. The pool is empty: ten days at 79 % cost 4,243, E = 1,857. Carol has 10,000; her
    /// slice of 200,000 of collateral costs her what it is worth, and its debt comes along.
    function test_ATTACK_07_TheTakersMoneyAtFullUtilisation() public {
        _hedgedOnDebt(193_900e18);
        giveCash(main(carol), 10_000e18);
        passTime(10 days);
        Assessment memory a = assess(main(alice));
        check(a.equity > 0 && a.equity < int256(a.maintenanceMargin), "premise: below MM");
        checkLe(uint256(lendingPool().lent), uint256(lendingPool().borrowed), "premise: nothing is liquid");
        uint256 debt = debtOf(main(alice));
        LiquidationTerms memory terms = anyTerms();
        terms.maxPayment = a.equity;
        vm.prank(carol);
        (uint256 fraction, ) = ch.liquidate(main(alice), main(carol), terms);
        check(fraction > 0.6e18 && fraction < 0.8e18, "premise: a slice of about 0.7");
        // What she is paid for f · E repays the rest.
        int256 rest = int256((debt * (WAD - fraction)) / WAD) - ((a.equity - 100e18) * int256(fraction)) / 1e18;
        checkNear(int256(debtOf(main(alice))), rest, 1e12, "the rest stays");
        check(debtOf(main(carol)) > 100_000e18, "her part of the debt came along");
        _landsAtIm(main(alice));
    }

    /// @dev Hits the zero value of stale collateral. Long 100 ETH, E = 4,900 of cash; twelve dollars of WBTC have no price.
    function test_ATTACK_09_ASpeckOfCollateral() public {
        _longHundred();
        giveCollateral(main(alice), WBTC, 0.0002e18);
        _cutWithoutBtc();
        checkEq(ch.collateralBalance(main(alice), WBTC), 0.0002e18, "the speck stays");
    }

    /// @dev Hits the kindest price of stuck positions. The same with 60 dollars of a position in BTC.
    function test_ATTACK_09_ASpeckOfAPosition() public {
        _longHundred();
        trade(main(bob), main(alice), BTC, 0.001e18);
        _cutWithoutBtc();
        checkEq(sizeOf(main(alice), BTC), 0.001e18, "the speck stays");
    }

    /// @dev Hits the same guard from the other side: a position large enough to save the account at its kindest protects it, and the
    /// clock stands still.
    function test_ATTACK_09_NobodyIsLiquidatedOnAGuess() public {
        giveCash(main(alice), 30_000e18);
        giveCash(main(carol), 1_000_000e18);
        trade(main(bob), main(alice), ETH, 100e18);
        trade(main(bob), main(alice), BTC, 2e18);
        observe(BTC);
        setPrice(ETH, 1_790e18); // E = 30,000 − 160 − 21,000, MM about 9,000
        stopFeed(feeds[BTC]); // at its kindest 9.5 % of 120,000 better
        vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
        ch.flag(main(alice));
        vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
        liquidate(main(alice), main(carol));
        refreshFeeds();
        liquidate(main(alice), main(carol));
    }

    /// @dev Hits IM = MM = 0 of flat accounts. Who owes nothing is not liquidated on any day of a delisting, and leaves with all.
    function test_HC_4_ATTACK_10_DebtFreeAtAnyRamp() public {
        giveCollateral(main(alice), WETH, 10e18);
        giveCash(main(carol), 1_000_000e18);
        ch.delistCollateral(WETH);
        for (uint256 day = 0; day <= 15; ++day) {
            checkEq(assess(main(alice)).initialMargin, 0, "XAC-5 no margin");
            vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
            liquidate(main(alice), main(carol));
            passTime(1 days);
        }
        checkEq(assess(main(alice)).equity, 0, "HC-4 no credit at the end");
        withdrawCollateral(main(alice), WETH, 10e18);
        checkEq(tokens[WETH].balanceOf(alice), 10e18, "HC-4 still withdrawable");
    }

    /// @dev Hits the clamp of haircuts. A collateral that counts for nothing, behind a long: its own shock comes on top of its haircut.
    function test_ATTACK_10_DepositOfWorthlessCollateral() public {
        _longHundred();
        engine.setCollateralRisk(WSTETH, CollateralRisk(1e6, 1e6, 20_000, 30_000, uint8(ETH), 0, 0));
        Assessment memory b = assess(main(alice));
        giveCollateral(main(alice), WSTETH, 50e18);
        Assessment memory a = assess(main(alice));
        int256 initialMargins = int256(a.initialMargin) - int256(b.initialMargin);
        int256 maintenanceMargins = int256(a.maintenanceMargin) - int256(b.maintenanceMargin);
        checkLe(initialMargins, a.equity - b.equity, "E - IM has not fallen");
        checkLe(maintenanceMargins, a.equity - b.equity, "E - MM has not fallen");
    }

    // ---------------------------------------------------------------- nothing left

    /// @dev 200,000 of collateral carries a debt of 169,000: IM is 30,027. It falls to 160,000.
    function _underwater() private {
        giveCollateral(main(alice), WETH, 100e18);
        borrow(main(alice), 169_000e18);
        setPrice(ETH, 1_600e18);
        checkEq(assess(main(alice)).equity, -9_000e18, "premise: a deficit of 9,000");
    }

    /// @dev Hits the price of lent cash net of flagged deficits. Erin leaves between the flag and the write-off: she bears the
    /// same half as frank, who stays.
    function test_ATTACK_11_EarlyLenders() public {
        _pool(200_000e18);
        giveCash(main(frank), 200_000e18);
        lend(main(frank), 200_000e18);
        giveCash(main(carol), 1_000_000e18);
        _underwater();
        ch.flag(main(alice));
        vm.expectPartialRevert(IClearingHouseCore.InsufficientLiquidity.selector);
        recall(main(erin), 196_000e18);
        recall(main(erin), 195_400e18);
        liquidate(main(alice), main(carol));
        checkNear(int256(lentOf(main(frank))), 195_500e18, 1e18, "who stays bears half");
        checkNear(int256(lentOf(main(erin)) + cashOf(main(erin))), 195_500e18, 1e18, "who leaves bears half");
    }

    /// @dev Hits the interest that a flagged deficit does not earn, and `absorb`. WETH is delisted to its end under a debt of 169,000.
    function test_ATTACK_11_DebtAndNoAsset() public {
        _pool(400_000e18);
        giveFund(dave, 100_000e18);
        giveCollateral(main(alice), WETH, 100e18);
        borrow(main(alice), 169_000e18);
        ch.delistCollateral(WETH);
        passTime(15 days);
        uint256 lent = lentOf(main(erin)); // flagged deficits count against it at once
        ch.flag(main(alice));
        uint256 debt = debtOf(main(alice));
        checkEq(ch.totalFlaggedDeficit(), debt, "premise: all of the debt is a deficit");
        passTime(365 days);
        checkEq(debtOf(main(alice)), debt, "the debt of a bankrupt earns nothing");
        ch.absorb(main(alice));
        checkEq(debtOf(main(alice)), 0, "no debt is left");
        checkEq(cashOf(fund.account()), 90_000e18, "ADL-2 the fund pays a tenth of itself");
        checkNear(int256(lent - lentOf(main(erin))), int256(debt) - 10_000e18, 10, "ADL-4 the suppliers the rest");
        vm.expectPartialRevert(IClearingHouseCore.NotAbsorbable.selector);
        ch.absorb(main(alice));
    }

    /// @dev Hits the consent of the waterfall: a bystander who holds no position and lends nothing never pays.
    function test_ADL_2_ATTACK_11_BystandersNeverPay() public {
        _pool(400_000e18);
        giveCash(main(carol), 1_000_000e18);
        giveCash(main(frank), 77_000e18);
        giveCollateral(main(frank), WBTC, 1e18);
        _underwater();
        liquidate(main(alice), main(carol));
        withdrawCash(main(frank), 77_000e18);
        withdrawCollateral(main(frank), WBTC, 1e18);
    }

    // ---------------------------------------------------------------- the regime

    /// @dev Hits max(target, μ(t)). A day of 10 % moves takes μ(t) to 3; after ten quiet days the target is 1 and μ(t) is not.
    function test_ATTACK_13_InitialBelowMaintenance() public {
        giveCash(main(alice), 100_000e18);
        trade(main(bob), main(alice), ETH, 100e18);
        _zigzag(ETH, 36, 2_000e18, 2_200e18, 10 minutes, true);
        passTime(1 days);
        observe(ETH);
        passTime(10 days);
        observe(ETH);
        Volatility memory v = oracle.volatilityOf(ETH);
        checkEq(v.target, 1e6, "premise: the target is back");
        PriceSnapshot s = oracle.latest(ETH);
        checkEq(s.maintenanceFactor(), 3e6, "premise: MM is not");
        Assessment memory a = assess(main(alice));
        checkLe(a.maintenanceMargin, a.initialMargin, "MM-2 IM is at least MM");
    }

    /// @dev Hits the walk over every round. Rounds zigzag by 1 % every ten minutes. ETH is observed only when it is back where it was,
    /// BTC after every round: σ is the same. r = 0.00995 in 600 s is 0.00995 · √52,560 = 228 % in the limit.
    function test_ATTACK_23_ChosenSamples() public {
        observe(ETH);
        observe(BTC);
        uint256 v0 = oracle.volatilityOf(ETH).variance;
        uint256 time = block.timestamp;
        for (uint256 i = 0; i < 40; ++i) {
            time += 10 minutes;
            vm.warp(time);
            setPrice(ETH, i % 2 == 0 ? 2_020e18 : 2_000e18);
            setPrice(BTC, i % 2 == 0 ? 60_600e18 : 60_000e18);
            observe(BTC);
        }
        observe(ETH);
        checkEq(oracle.volatilityOf(ETH).variance, oracle.volatilityOf(BTC).variance, "MM-1 every round once");
        // 1 − e^(−400 min / 1 day) = 24.25 % of the limit ln(1.01)² / 600 s = 1.650e-7, and 75.75 % of what was there before
        uint256 expected = (v0 * 7_575 + 1.650e11 * 2_425) / 10_000;
        checkNear(int256(uint256(oracle.volatilityOf(ETH).variance)), int256(expected), expected / 50, "MM-1 sigma");
    }

    /// @dev Hits the step of μ(t) by observed time. Ten hours of unobserved turmoil: their observation raises IM to three times and MM by
    /// nothing; an hour later MM has risen by a quarter.
    function test_ATTACK_23_Silence() public {
        observe(ETH);
        giveCash(main(alice), 12_000e18);
        trade(main(alice), main(bob), ETH, -100e18); // IM = 10,026.67, MM = 6,016
        _zigzag(ETH, 60, 2_000e18, 2_200e18, 10 minutes, false);
        Assessment memory b = assess(main(alice));
        observe(ETH);
        Assessment memory a = assess(main(alice));
        checkEq(a.maintenanceMargin, b.maintenanceMargin, "MM-2 no liquidation in its own block");
        checkLe(int256(b.initialMargin), b.equity, "premise: healthy");
        check(a.equity < int256(a.initialMargin), "MM-2 a margin call at once");
        passTime(1 hours);
        a = assess(main(alice));
        checkNear(int256(a.maintenanceMargin), 7_516e18, 1e18, "MM-2 6,000 * 1.25 + 16"); // W grows, A does not
    }

    // ---------------------------------------------------------------- pools

    /// @dev Hits the condition E ≥ MM for borrowing. Alice owes 15,000 and has 11,900; nobody can settle the rest onto lenders.
    function test_ATTACK_14_SettleOntoLenders() public {
        _pool(100_000e18);
        _longHundred();
        setPrice(ETH, 1_850e18);
        uint256 cash = cashOf(main(bob));
        settle(ETH, main(alice), main(bob));
        checkEq(cashOf(main(bob)) - cash, 12_000e18, "what alice had");
        checkEq(debtOf(main(alice)), 0, "and nothing borrowed");
        checkEq(lendingPool().borrowed, 0, "lenders pay nothing");
        settle(ETH, main(alice), main(bob));
        checkEq(cashOf(main(bob)) - cash, 12_000e18, "and no more");
    }

    /// @dev Hits the cash call. 100 ETH short against 100 WETH at + 50 %: 100,000 to settle, 10,000 liquid, 90,000 stuck. After a day
    /// dave takes 90,000 / (300,000 − 10,000) of it, and pays the winners what was stuck.
    function test_ATTACK_15_RallyWithoutCash() public {
        _pool(10_000e18);
        giveCollateral(main(alice), WETH, 100e18);
        giveCash(main(dave), 1_000_000e18);
        trade(main(alice), main(bob), ETH, 100e18);
        setPrice(ETH, 3_000e18);
        for (uint256 hour = 0; hour < 24; ++hour) {
            settle(ETH, main(alice));
            vm.expectPartialRevert(IClearingHouseCore.NoCashCall.selector);
            vm.prank(dave);
            ch.cashCall(main(alice), main(dave), anyTerms());
            passTime(1 hours);
        }
        settle(ETH, main(alice)); // the first one moved the lending pool and does not count
        passTime(1 hours);
        settle(ETH, main(alice));
        checkEq(poolOf(ETH).cash, 10_000e18, "premise: what lenders had");
        Assessment memory a = assess(main(alice));
        checkLe(int256(a.initialMargin), a.equity, "premise: healthy");
        vm.prank(dave);
        (uint256 fraction, ) = ch.cashCall(main(alice), main(dave), anyTerms());
        checkNear(int256(fraction), int256((uint256(90_000e18) * WAD) / 290_000e18), 0.001e18, "no more than it takes");
        checkEq(sizeOf(main(alice), ETH) * -1, int256(ch.collateralBalance(main(alice), WETH)), "a hedge stays whole");
        int256 cost = a.equity - assess(main(alice)).equity;
        checkNear(cost, int256((fraction * 150e18) / WAD), 1e12, "5 % of MM = 1 % of 300,000");
    }

    /// @dev Hits `lend` as an outflow that settles first, and the recall by settlement. Who lends cannot escape his loss.
    function test_ATTACK_15_LendingAwayFromALoss() public {
        _pool(10_000e18);
        giveCollateral(main(alice), WETH, 100e18);
        giveCash(main(alice), 60_000e18);
        trade(main(alice), main(bob), ETH, 100e18);
        lend(main(alice), 30_000e18);
        setPrice(ETH, 2_500e18); // −50,000
        vm.expectPartialRevert(IClearingHouseCore.InsufficientCash.selector);
        lend(main(alice), 30_000e18); // settles 50,000 first: nothing is left of the cash
        settle(ETH, main(alice));
        checkEq(poolOf(ETH).cash, 50_000e18, "all of it is settled");
        checkNear(int256(lentOf(main(alice))), 10_000e18, 10, "20,000 of it with what was lent");
        setPrice(ETH, 3_200e18); // −70,000: 10,000 lent, 10,000 to borrow, the rest waits
        vm.expectPartialRevert(IClearingHouseCore.UnsettledLoss.selector);
        lend(main(alice), 1e18);
    }

    /// @dev Hits the price of a claim, which no claim changes. Fifty claims get what one gets: s of each.
    function test_ATTACK_17_SplittingAClaim() public {
        giveCash(main(alice), 3_000e18);
        giveCash(main(carol), 1_000_000e18);
        giveCash(main(dave), 20_000e18);
        trade(main(dave), main(alice), ETH, -10e18);
        setPrice(ETH, 3_000e18);
        liquidate(main(alice), main(carol));
        uint256 pool = poolOf(ETH).cash;
        uint256 badDebt = lossOf(ETH).badDebt;
        check(badDebt > 6_000e18, "premise: bad debt");
        uint256 paid = 0;
        for (uint256 i = 0; i < 50; ++i) {
            vm.prank(dave);
            paid += ch.claim(main(dave), ETH, 60e18);
        }
        checkLe(paid, (3_000e18 * pool) / (pool + badDebt), "FSA-5 no more than one claim of 3,000");
    }

    /// @dev Hits the reservation of no more than what is flagged. Five deficits of about 10 do not stop the payout of the rest.
    function test_ATTACK_18_TinyFlagsBlockNothing() public {
        for (uint96 i = 1; i <= 5; ++i) {
            giveCash(AccountIds.derive(alice, i), 110e18);
            trade(main(bob), AccountIds.derive(alice, i), ETH, 1e18); // fee 1
        }
        giveCash(main(carol), 30_000e18);
        trade(main(bob), main(carol), ETH, 100e18);
        setPrice(ETH, 1_881e18); // −119 − 1 each, deficits of 10
        for (uint96 i = 1; i <= 5; ++i) ch.flag(AccountIds.derive(alice, i));
        checkEq(ch.totalFlaggedDeficit(), 50e18, "premise: flagged");
        uint256 cash = cashOf(main(bob));
        settle(ETH, main(carol), main(bob));
        checkEq(cashOf(main(bob)) - cash, 11_900e18 + 100e18 - 50e18, "all but what is flagged");
    }

    /// @dev Hits the gross price of entry. A deficit of 3,100 is flagged and heals: who entered in between has no part of that.
    function test_ATTACK_20_EnteringOnADeficitThatHeals() public {
        _longHundred();
        giveFund(dave, 10_000e18);
        setPrice(ETH, 1_850e18);
        ch.flag(main(alice));
        giveFund(frank, 10_000e18);
        checkEq(fund.balanceOf(frank), fund.balanceOf(dave), "the same shares for the same money");
    }

    // ---------------------------------------------------------------- prices and funding

    /// @dev Hits the last good price. Without a feed two accounts reduce at exactly that price, for twelve hours, and at no other.
    function test_ATTACK_21_ReducingWithoutAPrice() public {
        _longHundred();
        observe(ETH);
        stopFeed(feeds[ETH]);
        _tradeRefused(main(bob), main(alice), ETH, -100e18, 1_000e18, IClearingHouseCore.PriceOutOfBand.selector);
        _tradeRefused(main(bob), main(alice), ETH, -10e18, 1_999e18, IClearingHouseCore.PriceOutOfBand.selector);
        _tradeRefused(main(bob), main(alice), ETH, 10e18, ETH_PRICE, IClearingHouseCore.NotReducing.selector);
        _tradeRefused(main(bob), main(alice), ETH, -101e18, ETH_PRICE, IClearingHouseCore.NotReducing.selector);
        _tradeRefused(main(carol), main(alice), ETH, -10e18, ETH_PRICE, IClearingHouseCore.NotReducing.selector);
        trade(main(bob), main(alice), ETH, -10e18, ETH_PRICE);
        _refused(alice, abi.encodeCall(ch.withdraw, (main(alice), address(usdc), 1, alice)));
        _refused(alice, abi.encodeCall(ch.claim, (main(alice), ETH, 1)));
        vm.warp(block.timestamp + 12 hours + 1);
        _tradeRefused(main(bob), main(alice), ETH, -10e18, ETH_PRICE, IPriceOracle.PriceStale.selector);
    }

    /// @dev Hits the zero value of stale collateral for withdrawing: what has no price carries nothing that leaves.
    function test_ATTACK_21_StaleCollateralCarriesNothing() public {
        _pool(100_000e18);
        giveCollateral(main(alice), WBTC, 1e18);
        observe(BTC);
        stopFeed(feeds[BTC]);
        _refused(alice, abi.encodeCall(ch.withdraw, (main(alice), address(usdc), 1_000e6, alice)));
        _tradeRefused(main(bob), main(alice), ETH, 1e18, ETH_PRICE, IClearingHouseCore.InsufficientMargin.selector);
        giveCash(main(alice), 1_000e18);
        withdrawCash(main(alice), 1_000e18);
    }

    /// @dev Hits the minimum notional and the weight of trades. 20 dollars at the edge of the band move nothing; 120 dollars of an
    /// open interest of 200,000 move the rate by 6 · 10⁻³ of the cap.
    function test_ATTACK_22_OneDollarFunding() public {
        giveCash(main(carol), 30_000e18);
        giveCash(main(dave), 30_000e18);
        trade(main(bob), main(carol), ETH, 100e18);
        trade(main(bob), main(dave), ETH, 0.01e18, 2_010e18);
        checkEq(int256(rateOf(ETH).lastPremium), 0, "F-1 no weight");
        trade(main(bob), main(dave), ETH, 0.06e18, 2_010e18);
        checkLe(int256(rateOf(ETH).lastPremium), 3.1e6, "F-1 weighted"); // 5e8 · 10 · 0.06 / 100
        int256 equity = assess(main(carol)).equity;
        passTime(8 hours);
        checkLe(equity - assess(main(carol)).equity, 0.65e18, "F-1 at most 200,000 * 3.1e-6 in 8 h");
    }

    // ---------------------------------------------------------------- crowded markets

    /// @dev A market that is crowded above 400,000 and full at 2,000,000.
    function _crowdable() private {
        MarketParams memory p = marketParams(ETH, 0.01e18);
        (p.softCap, p.hardCap) = (400_000, 2_000_000);
        ch.setMarket(ETH, p);
    }

    /// @dev Hits the surcharge that is nobody else's. Self-trades of 1.4 million leave alice's IM and MM where they were; at 1,960 she
    /// is below IM (E = 6,900, IM = 9,800 and more), and whom they would charge could not close.
    function test_MM_4_ATTACK_24_OpenInterestAsAWeapon() public {
        _crowdable();
        _longHundred();
        Assessment memory b = assess(main(alice));
        giveCash(main(bob), 2_000_000e18);
        giveCash(main(dave), 2_000_000e18);
        trade(main(bob), main(dave), ETH, 700e18);
        Assessment memory a = assess(main(alice));
        checkEq(a.initialMargin, b.initialMargin, "MM-4 IM");
        checkEq(a.maintenanceMargin, b.maintenanceMargin, "MM-4 MM");
        withdrawCash(main(alice), 1_000e18);
        setPrice(ETH, 1_960e18);
        check(assess(main(alice)).equity < int256(assess(main(alice)).initialMargin), "below IM");
        trade(main(bob), main(alice), ETH, -10e18);
        checkEq(sizeOf(main(alice), ETH), 90e18, "closes a tenth");
    }

    /// @dev Hits the hour for which outflows remember an opening. 600,000 of open interest: half of the way to 1,000,000 is missing,
    /// 5 % + 95 % · 200 / 1,600 = 16.875 % of 600,000 = 101,250, and 213 for size.
    function test_MM_4_ATTACK_24_FlashMargin() public {
        _crowdable();
        giveCash(main(alice), 101_800e18);
        trade(main(alice), main(bob), ETH, -300e18);
        _refused(alice, abi.encodeCall(ch.withdraw, (main(alice), address(usdc), 1_000e6, alice)));
        withdrawCash(main(alice), 300e18);
        passTime(1 hours - 1);
        _refused(alice, abi.encodeCall(ch.withdraw, (main(alice), address(usdc), 1_000e6, alice)));
        passTime(1);
        withdrawCash(main(alice), 60_000e18);
    }

    /// @dev Hits the same surcharge when it opens.
    function test_MM_4_ATTACK_24_OpeningAboveTheSoftCap() public {
        _crowdable();
        giveCash(main(alice), 101_300e18);
        _tradeRefused(main(alice), main(bob), ETH, -300e18, ETH_PRICE, IClearingHouseCore.InsufficientMargin.selector);
        trade(main(alice), main(bob), ETH, -200e18);
    }

    /// @dev Hits it again from below MM: long 100 ETH at 1,920, E = 3,900, and 480,000 of open interest. A deposit that leaves her better
    /// off does not carry 0.1 ETH more; that needs 5 % · 192,192 + 25 for size + 95 % · 80,192 / 1,600,000 · 192,192 = 18,786.
    function test_MM_4_ATTACK_24_OpeningAboveTheSoftCapWithFreshCash() public {
        _crowdable();
        _longHundred();
        giveCash(main(dave), 1_000_000e18);
        trade(main(bob), main(dave), ETH, 150e18);
        setPrice(ETH, 1_920e18);
        (bool done, bytes memory why) = _addInABatch(9_400e6);
        check(!done && bytes4(why) == IClearingHouseCore.InsufficientMargin.selector, "better off, but not carried");
        (done, ) = _addInABatch(14_800e6); // 3,900 + 14,800 − 0.1
        check(!done, "86 are missing");
        (done, ) = _addInABatch(15_000e6);
        check(done, "enough");
        checkEq(sizeOf(main(alice), ETH), 100.1e18, "opened");
    }

    /// @dev Alice brings in cash and buys 0.1 ETH.
    function _addInABatch(uint256 units) private returns (bool done, bytes memory why) {
        (SignedOrder[] memory orders, Match[] memory matches) = pair(main(bob), main(alice), ETH, 0.1e18, priceOf(ETH));
        usdc.mint(alice, units);
        vm.prank(alice);
        usdc.approve(address(vault), units);
        Call[] memory calls = new Call[](2);
        calls[0] = Call(address(ch), abi.encodeCall(ch.deposit, (main(alice), address(usdc), units)));
        calls[1] = Call(address(exchange), abi.encodeCall(exchange.settle, (orders, matches)));
        vm.prank(alice);
        return address(ch).call(abi.encodeCall(ch.batch, (calls)));
    }

    // ---------------------------------------------------------------- two accounts of one owner

    /// @dev Long and short 200 ETH of one owner at 20 ×, 21,000 of cash each, and a gap of 8 %: one has + 32,000, the other − 11,000.
    /// Everything that leaves, by every exit, is what was brought in.
    function test_FSA_5_ATTACK_12_TwoAccountsOneOwner() public {
        AccountId long = main(alice);
        AccountId short = AccountIds.derive(alice, 1);
        AccountId third = AccountIds.derive(alice, 2);
        _pool(500_000e18);
        giveFund(dave, 50_000e18);
        giveCash(long, 21_000e18);
        giveCash(short, 21_000e18);
        giveCollateral(long, WETH, 2e18);
        trade(short, long, ETH, 200e18); // fee 200
        setPrice(ETH, 2_160e18);
        check(assess(short).equity < 0, "premise: a gap");
        settle(ETH, short, long); // the pool holds what the short had
        uint256 backed = cashOf(long);
        checkEq(backed, 21_000e18 + 21_000e18, "what both had");
        check(ch.positionPnl(long, ETH) > 10_000e18, "premise: unpaid profit");
        uint256 units = backed / USDC_UNIT;
        _refused(alice, abi.encodeCall(ch.withdraw, (long, address(usdc), units + 1, alice)));
        _refused(alice, abi.encodeCall(ch.transfer, (long, third, address(usdc), units + 1)));
        _refused(alice, abi.encodeCall(ch.lend, (long, units + 1)));
        _refused(alice, abi.encodeCall(ch.recall, (long, 1)));
        vm.prank(alice);
        checkEq(ch.claim(long, ETH, 1_000e18), 0, "a claim finds an empty pool");
        // Out of the position at the index, against somebody honest: the profit is still unpaid.
        trade(main(bob), long, ETH, -200e18);
        settle(ETH, short, long);
        withdrawCollateral(long, WETH, 2e18);
        _refused(alice, abi.encodeCall(ch.withdraw, (long, address(usdc), units + 1, alice)));
        lend(long, backed);
        recall(long, backed - 1e18);
        withdrawCash(long, cashOf(long));
        checkLe(usdc.balanceOf(alice), 42_000e6, "no more than was brought in");
        checkEq(debtOf(long) + debtOf(short), 0, "nothing of the lenders'");
        checkLe(500_000e18 - 10, lentOf(main(erin)), "lenders lose nothing");
        checkEq(cashOf(fund.account()), 50_000e18, "the fund has paid nothing");
    }

    // ---------------------------------------------------------------- helpers

    /// @dev Alice: 12,000 of cash, long 100 ETH from 2,000; taker fee 100.
    function _longHundred() private {
        giveCash(main(alice), 12_000e18);
        giveCash(main(carol), 1_000_000e18);
        trade(main(bob), main(alice), ETH, 100e18);
    }

    /// @dev ETH falls to 1,930 while BTC has no price: Alice is liquidated all the same.
    function _cutWithoutBtc() private {
        observe(BTC);
        setPrice(ETH, 1_930e18);
        stopFeed(feeds[BTC]);
        ch.flag(main(alice));
        (uint256 fraction, ) = liquidate(main(alice), main(carol));
        check(fraction > 0.3e18 && sizeOf(main(alice), ETH) < 70e18, "the long is cut");
    }

    function _tradeRefused(
        AccountId maker,
        AccountId taker,
        uint256 market,
        int256 size,
        uint256 price,
        bytes4 reason
    ) private {
        (SignedOrder[] memory orders, Match[] memory matches) = pair(maker, taker, market, size, price);
        vm.expectPartialRevert(reason);
        exchange.settle(orders, matches);
    }

    function _refused(address caller, bytes memory data) private {
        vm.prank(caller);
        (bool ok, ) = address(ch).call(data);
        check(!ok, "an exit is open");
    }

    /// @dev IM ≤ E ≤ 1.001 · IM
    function _landsAtIm(AccountId id) private view {
        Assessment memory a = assess(id);
        checkLe(int256(a.initialMargin), a.equity, "LIQ-2 at least IM");
        checkLe(a.equity, (int256(a.initialMargin) * 1001) / 1000, "LIQ-2 at most 1.001 IM");
    }

    function _zigzag(
        uint256 underlying,
        uint256 rounds,
        uint256 low,
        uint256 high,
        uint256 interval,
        bool observed
    ) private {
        if (observed) observe(underlying);
        for (uint256 i = 0; i < rounds; ++i) {
            vm.warp(block.timestamp + interval);
            refreshFeeds();
            setPrice(underlying, i % 2 == 0 ? high : low);
            if (observed) observe(underlying);
        }
    }
}
