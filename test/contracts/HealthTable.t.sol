// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Match, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Assessment, Call, LiquidationTerms, MarginState} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice MAM-2, MAM-3: every action that changes state × every row of the health table: allowed or refused, and for what is allowed
/// the direction in which E − IM and E / MM may move.
///
/// Four owners hold the same: 100 ETH long from 2,000, 0.01 BTC long from 60,000, 0.1 WBTC, 1,000 of lent cash, and the rest in cash.
/// At 1,850 and 66,000 they have lost 15,000, won 60 and hold 6,600 of WBTC:
///
///     MM = 185,000 · 3 % + 14 + 7,260 · 3 % + 6,600 · 7 %   =  6,244
///     IM = 185,000 · 5 % + 23 + 7,260 · 5 % + 6,600 · 10 %  = 10,296
///
/// so equity of 15,660 is healthy, 8,660 a margin call, 4,160 liquidatable, −340 bankrupt.
contract HealthTableTest is House {
    /// @dev How E − IM and E / MM may move.
    enum Way {
        Same, // but for roundings of shares
        Up,
        Down,
        Any
    }

    uint256 private constant STATES = 4;
    uint256 private constant HEALTHY = 1; // bits of the states in which an action is allowed
    uint256 private constant CALLED = 2;
    uint256 private constant LIQUIDATABLE = 4;
    uint256 private constant BANKRUPT = 8;
    uint256 private constant ALL = 15;
    int256 private constant WEI = 16;

    address[STATES] private owners;
    AccountId[STATES] private ids;
    AccountId private bob; // the other side
    AccountId private carol; // takes
    AccountId private victim; // liquidatable
    AccountId private third; // of the owner whose turn it is, flat, with cash and WBTC

    function setUp() public {
        deployHouse();
        (bob, carol, victim) = (main(actor("bob")), main(actor("carol")), main(actor("victim")));
        giveCash(bob, 1_000_000e18);
        giveCash(carol, 1_000_000e18);
        giveCash(victim, 19_000e18);
        giveCash(main(actor("erin")), 500_000e18);
        lend(main(actor("erin")), 500_000e18);
        uint80[STATES] memory cash = [30_000e18, 23_000e18, 18_500e18, 14_000e18];
        for (uint256 i = 0; i < STATES; ++i) {
            owners[i] = actor(string(abi.encodePacked("owner", bytes1(uint8(48 + i)))));
            ids[i] = main(owners[i]);
            giveCash(ids[i], cash[i] - 6_000e18);
            giveCollateral(ids[i], WBTC, 0.1e18);
            lend(ids[i], 1_000e18);
            trade(ids[i], bob, ETH, -100e18); // the maker pays no fee
            trade(ids[i], bob, BTC, -0.01e18);
            giveCash(AccountIds.derive(owners[i], 1), 1_000e18);
            giveCollateral(AccountIds.derive(owners[i], 1), WBTC, 0.1e18);
        }
        trade(victim, bob, ETH, -100e18);
        setPrice(ETH, 1_850e18);
        setPrice(BTC, 66_000e18);
        settle(BTC, bob);
        settle(ETH, bob);
    }

    /// @notice MAM-2: the four owners are in the four states, by their equity only.
    function test_MAM_2_States() public view {
        for (uint256 i = 0; i < STATES; ++i) check(ch.marginState(ids[i]) == MarginState(i), "MAM-2 state");
        checkNear(int256(assess(ids[0]).maintenanceMargin), 6_244e18, 5e18, "MM");
        checkNear(int256(assess(ids[0]).initialMargin), 10_296e18, 5e18, "IM");
    }

    /// @notice MAM-2: less than a unit of USDC below MM is liquidatable, at or above MM is not.
    function test_MAM_2_Boundary() public {
        Assessment memory a = assess(ids[2]);
        int256 missing = int256(a.maintenanceMargin) - a.equity;
        giveCash(ids[2], (uint256(missing) / USDC_UNIT) * USDC_UNIT);
        check(ch.marginState(ids[2]) == MarginState.Liquidatable, "less than a unit of USDC below MM");
        giveCash(ids[2], USDC_UNIT);
        check(ch.marginState(ids[2]) == MarginState.MarginCall, "at or above MM");
    }

    // ---------------------------------------------------------------- money

    function test_MAM_3_DepositCash() public {
        _row(this.depositCash, ALL, Way.Up, Way.Up);
    }

    function test_MAM_3_DepositCollateral() public {
        _row(this.depositCollateral, ALL, Way.Up, Way.Up);
    }

    function test_MAS_3_WithdrawCash() public {
        _row(this.withdrawSomeCash, HEALTHY, Way.Down, Way.Down);
    }

    function test_MAS_3_WithdrawCollateral() public {
        _row(this.withdrawSomeCollateral, HEALTHY, Way.Down, Way.Down);
    }

    function test_MAM_3_TransferCashOut() public {
        _row(this.transferCashOut, HEALTHY, Way.Down, Way.Down);
    }

    function test_MAM_3_TransferCollateralOut() public {
        _row(this.transferCollateralOut, HEALTHY, Way.Down, Way.Down);
    }

    function test_MAM_3_TransferCashIn() public {
        _row(this.transferCashIn, ALL, Way.Up, Way.Up);
    }

    function test_MAM_3_TransferCollateralIn() public {
        _row(this.transferCollateralIn, ALL, Way.Up, Way.Up);
    }

    function test_MAM_3_Lend() public {
        _row(this.lendCash, HEALTHY, Way.Same, Way.Same);
    }

    function test_MAM_3_Recall() public {
        _row(this.recallCash, ALL, Way.Same, Way.Same);
    }

    /// @notice The only way out below IM: collateral against at least its value in cash of the same batch, and not out of a bankrupt.
    function test_MAM_3_BatchCollateralForCash() public {
        _row(this.collateralForCash, HEALTHY | CALLED | LIQUIDATABLE, Way.Up, Way.Up);
    }

    function test_MAM_3_BatchCollateralForLessCash() public {
        _row(this.collateralForLessCash, HEALTHY, Way.Any, Way.Any);
    }

    // ---------------------------------------------------------------- trading

    function test_MMS_3_Open() public {
        _row(this.open, HEALTHY, Way.Down, Way.Down);
    }

    function test_MMS_3_Flip() public {
        _row(this.flip, HEALTHY, Way.Any, Way.Any);
    }

    function test_MAM_3_ReduceAsMaker() public {
        _row(this.reduceAsMaker, HEALTHY | CALLED | LIQUIDATABLE, Way.Up, Way.Up);
    }

    function test_MAM_3_ReduceAsTaker() public {
        _row(this.reduceAsTaker, HEALTHY | CALLED | LIQUIDATABLE, Way.Up, Way.Up);
    }

    function test_MAM_3_CloseAll() public {
        _row(this.closeAll, HEALTHY | CALLED | LIQUIDATABLE, Way.Up, Way.Up);
    }

    /// @dev The liquidatable one may not: what he would keep does not settle his losses, and below MM nobody borrows for them.
    function test_MAM_3_ReduceForFee() public {
        _row(this.reduceForFee, HEALTHY | CALLED, Way.Up, Way.Up);
    }

    function test_MAM_3_CloseForFee() public {
        _row(this.closeForFee, HEALTHY | CALLED | LIQUIDATABLE, Way.Up, Way.Up);
    }

    function test_MAM_3_OpenForFee() public {
        _row(this.openForFee, HEALTHY, Way.Down, Way.Down);
    }

    // ---------------------------------------------------------------- upkeep

    function test_MAM_3_Settle() public {
        _row(this.settleLoss, ALL, Way.Same, Way.Same);
    }

    function test_MAM_3_Claim() public {
        _row(this.claimGain, ALL, Way.Same, Way.Same);
    }

    function test_MAM_3_AccrueFunding() public {
        _row(this.accrue, ALL, Way.Same, Way.Same);
    }

    function test_MAM_3_SweepFees() public {
        _row(this.sweep, ALL, Way.Same, Way.Same);
    }

    function test_MAM_3_SweepReserves() public {
        _row(this.sweepReserves, ALL, Way.Same, Way.Same);
    }

    function test_MAM_3_RevokeAll() public {
        _row(this.revokeAll, ALL, Way.Same, Way.Same);
    }

    function test_MAM_3_Observe() public {
        _row(this.observePrice, ALL, Way.Same, Way.Same);
    }

    // ---------------------------------------------------------------- liquidation

    function test_MAM_2_Flag() public {
        _row(this.flag, CALLED | LIQUIDATABLE | BANKRUPT, Way.Same, Way.Same);
    }

    function test_LIQ_2_Liquidate() public {
        _row(this.takeSlice, LIQUIDATABLE | BANKRUPT, Way.Up, Way.Up);
    }

    function test_MAM_3_CashCall() public {
        _row(this.cashCall, 0, Way.Any, Way.Any);
    }

    function test_MAM_3_Absorb() public {
        _row(this.absorb, 0, Way.Any, Way.Any);
    }

    /// @notice A taker must have IM afterwards, so only who is healthy takes.
    function test_MMS_3_TakeOver() public {
        _row(this.takeOver, HEALTHY, Way.Any, Way.Any);
    }

    /// @notice Previews are refused where the real thing is.
    function test_MMS_7_Previews() public {
        _row(this.previewWithdraw, HEALTHY, Way.Same, Way.Same);
        _row(this.previewOpen, HEALTHY, Way.Same, Way.Same);
        _row(this.previewLiquidation, LIQUIDATABLE | BANKRUPT, Way.Same, Way.Same);
    }

    // ---------------------------------------------------------------- one row of the table

    function _row(function(uint256) external action, uint256 allowed, Way margin, Way ratio) private {
        for (uint256 i = 0; i < STATES; ++i) {
            third = AccountIds.derive(owners[i], 1);
            Assessment memory b = assess(ids[i]);
            bool done = _try(action, i);
            check(done == (allowed & (1 << i) != 0), done ? "MAM-3 allowed in a state" : "MAM-3 refused in a state");
            Assessment memory a = assess(ids[i]);
            if (!done) {
                check(keccak256(abi.encode(a)) == keccak256(abi.encode(b)), "a refusal changes nothing");
                continue;
            }
            _check(margin, _surplus(b), _surplus(a), WEI, "E - IM");
            _checkRatio(ratio, b, a);
            if (i == 0) continue;
            // Below IM what is allowed worsens nothing.
            checkLe(_surplus(b), _surplus(a) + WEI, "MAM-3 E - IM has fallen below IM");
        }
    }

    function _try(function(uint256) external action, uint256 i) private returns (bool done) {
        try action(i) {
            return true;
        } catch (bytes memory reason) {
            check(reason.length >= 4 && bytes4(reason) != 0x4e487b71, "a refusal names its reason");
        }
    }

    /// @dev Cross-multiplied. Without MM there is no ratio, and no deficit.
    function _checkRatio(Way way, Assessment memory b, Assessment memory a) private pure {
        if (a.maintenanceMargin == 0) return checkLe(-WEI, a.equity, "E / MM where nothing is left");
        int256 before = b.equity * int256(a.maintenanceMargin);
        _check(way, before, a.equity * int256(b.maintenanceMargin), WEI * int256(b.maintenanceMargin), "E / MM");
    }

    function _check(Way way, int256 before, int256 after_, int256 slack, string memory name) private pure {
        if (way == Way.Up) check(after_ > before, string.concat(name, " rises"));
        if (way == Way.Down) check(after_ < before, string.concat(name, " falls"));
        if (way == Way.Same) checkNear(after_, before, uint256(slack), string.concat(name, " stands"));
    }

    function _surplus(Assessment memory a) private pure returns (int256) {
        return a.equity - int256(a.initialMargin);
    }

    // ---------------------------------------------------------------- actions

    function depositCash(uint256 i) external {
        giveCash(ids[i], 100e18);
    }

    function depositCollateral(uint256 i) external {
        giveCollateral(ids[i], WBTC, 0.01e18);
    }

    function withdrawSomeCash(uint256 i) external {
        withdrawCash(ids[i], 100e18);
    }

    function withdrawSomeCollateral(uint256 i) external {
        withdrawCollateral(ids[i], WBTC, 0.01e18);
    }

    function transferCashOut(uint256 i) external {
        vm.prank(owners[i]);
        ch.transfer(ids[i], third, address(usdc), 100e6);
    }

    function transferCollateralOut(uint256 i) external {
        vm.prank(owners[i]);
        ch.transfer(ids[i], third, address(tokens[WBTC]), 0.01e8);
    }

    function transferCashIn(uint256 i) external {
        vm.prank(owners[i]);
        ch.transfer(third, ids[i], address(usdc), 100e6);
    }

    function transferCollateralIn(uint256 i) external {
        vm.prank(owners[i]);
        ch.transfer(third, ids[i], address(tokens[WBTC]), 0.01e8);
    }

    function lendCash(uint256 i) external {
        lend(ids[i], 100e18);
    }

    function recallCash(uint256 i) external {
        recall(ids[i], 100e18);
    }

    /// @dev 0.01 WBTC is worth 660.
    function collateralForCash(uint256 i) external {
        _swap(i, 660e6);
    }

    function collateralForLessCash(uint256 i) external {
        _swap(i, 659e6);
    }

    function _swap(uint256 i, uint256 units) private {
        usdc.mint(owners[i], units);
        vm.prank(owners[i]);
        usdc.approve(address(vault), units);
        Call[] memory calls = new Call[](2);
        bytes memory out = abi.encodeCall(ch.withdraw, (ids[i], address(tokens[WBTC]), 0.01e8, owners[i]));
        calls[0] = Call(address(ch), out);
        calls[1] = Call(address(ch), abi.encodeCall(ch.deposit, (ids[i], address(usdc), units)));
        vm.prank(owners[i]);
        ch.batch(calls);
    }

    function open(uint256 i) external {
        trade(bob, ids[i], ETH, 1e18);
    }

    function flip(uint256 i) external {
        trade(bob, ids[i], ETH, -201e18);
    }

    function reduceAsMaker(uint256 i) external {
        trade(ids[i], bob, ETH, 1e18);
    }

    function reduceAsTaker(uint256 i) external {
        trade(bob, ids[i], ETH, -1e18);
    }

    function closeAll(uint256 i) external {
        trade(bob, ids[i], ETH, -100e18);
    }

    function reduceForFee(uint256 i) external {
        _tradeForFee(i, -10e18);
    }

    function closeForFee(uint256 i) external {
        _tradeForFee(i, -100e18);
    }

    function openForFee(uint256 i) external {
        _tradeForFee(i, 1e18);
    }

    /// @dev As the taker, at the index price, for the highest fee.
    function _tradeForFee(uint256 i, int256 size) private {
        (SignedOrder[] memory orders, Match[] memory matches) = pair(bob, ids[i], ETH, size, 1_850e18);
        orders[1].order.executionFee = uint256(size < 0 ? -size : size) * 18; // just below 1 % of 1,850
        orders[1] = sign(orders[1].order);
        exchange.settleForFee(orders, matches, carol);
    }

    function settleLoss(uint256 i) external {
        settle(ETH, ids[i]);
    }

    /// @dev Of about 60 in BTC.
    function claimGain(uint256 i) external {
        vm.prank(owners[i]);
        ch.claim(ids[i], BTC, 10e18);
    }

    function accrue(uint256) external {
        ch.accrueFunding(ETH);
    }

    function sweep(uint256) external {
        ch.sweepFees(ETH);
    }

    function sweepReserves(uint256) external {
        ch.sweepReserves();
    }

    function revokeAll(uint256 i) external {
        vm.prank(owners[i]);
        exchange.revokeAll();
    }

    function observePrice(uint256) external {
        observe(ETH);
    }

    function flag(uint256 i) external {
        ch.flag(ids[i]);
    }

    function takeSlice(uint256 i) external {
        liquidate(ids[i], carol);
    }

    function cashCall(uint256 i) external {
        vm.prank(carol.ownerOf());
        ch.cashCall(ids[i], carol, anyTerms());
    }

    function absorb(uint256 i) external {
        ch.absorb(ids[i]);
    }

    /// @dev Two per cent of what the victim holds.
    function takeOver(uint256 i) external {
        LiquidationTerms memory terms = anyTerms();
        terms.maxFraction = 0.02e18;
        vm.prank(owners[i]);
        ch.liquidate(victim, ids[i], terms);
    }

    function previewWithdraw(uint256 i) external {
        vm.prank(owners[i]);
        ch.previewWithdraw(ids[i], address(usdc), 100e6);
    }

    function previewOpen(uint256 i) external {
        ch.previewTrade(ids[i], ETH, 1e18, 1_850e18);
    }

    function previewLiquidation(uint256 i) external {
        vm.prank(carol.ownerOf());
        ch.previewLiquidation(ids[i], carol, anyTerms());
    }
}
