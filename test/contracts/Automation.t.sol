// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Log} from "@chainlink/contracts/src/v0.8/automation/interfaces/ILogAutomation.sol";
import {AccountUpkeep} from "../../contracts/automation/AccountUpkeep.sol";
import {HouseUpkeep} from "../../contracts/automation/HouseUpkeep.sol";
import {AccountUpkeepSettings, IAccountUpkeep} from "../../contracts/automation/IAccountUpkeep.sol";
import {HouseUpkeepSettings} from "../../contracts/automation/IHouseUpkeep.sol";
import {IJobUpkeep} from "../../contracts/automation/IJobUpkeep.sol";
import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Auction, LendingParams, MarketIndex, MarketRate} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {Vm, vm} from "./support/Vm.sol";

/// @notice What a check finds and what is not due.
abstract contract UpkeepTest is House {
    /// @notice The jobs that a check of `upkeep` returns; whatever the check did is undone.
    function due(IJobUpkeep upkeep, bytes memory checkData) internal returns (uint256[] memory jobs) {
        uint256 start = vm.snapshotState();
        (bool needed, bytes memory performData) = upkeep.checkUpkeep(checkData);
        vm.revertToState(start);
        jobs = abi.decode(performData, (uint256[]));
        check(needed == (jobs.length != 0), "needed exactly if there is a job");
    }

    function expectNothingDue(IJobUpkeep upkeep, uint256 job) internal {
        vm.expectRevert(IJobUpkeep.NothingDue.selector);
        upkeep.perform(job);
    }

    function expectOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max) internal {
        vm.expectRevert(abi.encodeWithSelector(IJobUpkeep.SettingOutOfBounds.selector, name, value, min, max));
    }
}

/// @notice Prices, funding, fees and reserves, from an hour or a dollar on.
contract HouseUpkeepTest is UpkeepTest {
    uint256 private constant OBSERVE = 0;
    uint256 private constant OBSERVE_RATE = 256;
    uint256 private constant ACCRUE = 512;
    uint256 private constant SWEEP_FEES = 768;
    uint256 private constant SWEEP_RESERVES = 1_024;

    HouseUpkeep private upkeep;
    uint256 private initially; // due, as a bitmap
    AccountId private alice;
    AccountId private bob;

    function setUp() public {
        deployHouse();
        (alice, bob) = (main(actor("alice")), main(actor("bob")));
        upkeep = new HouseUpkeep(ch, HouseUpkeepSettings(1 hours, 1 hours, 1e18));
        initially = _due();
        upkeep.checkUpkeep(""); // sent as a transaction it does the jobs too
    }

    /// @dev The jobs that are due as a bitmap: a check begins at another one in every block.
    function _due() private returns (uint256 bits) {
        uint256[] memory jobs = due(upkeep, "");
        for (uint256 i = 0; i < jobs.length; ++i) bits |= _bit(jobs[i]);
    }

    /// @dev Ids of this house are less than 8.
    function _bit(uint256 job) private pure returns (uint256) {
        return 1 << ((job / 256) * 8 + (job % 256));
    }

    function test_FSA_6_NothingIsDueTwice() public {
        checkEq(initially, _bit(OBSERVE | ETH) | _bit(OBSERVE | BTC), "the first round of those with a regime waited");
        checkEq(_due(), 0, "all has been done");
        uint256[9] memory jobs = [
            OBSERVE,
            1,
            2,
            OBSERVE_RATE | WSTETH,
            ACCRUE,
            ACCRUE | 1,
            SWEEP_FEES,
            SWEEP_RESERVES,
            5 << 8
        ];
        uint256[] memory list = new uint256[](jobs.length);
        for (uint256 i = 0; i < jobs.length; ++i) {
            expectNothingDue(upkeep, jobs[i]);
            list[i] = jobs[i];
        }
        vm.expectRevert(IJobUpkeep.NothingDue.selector);
        upkeep.performUpkeep(abi.encode(list));
        vm.expectRevert(IJobUpkeep.NothingDue.selector);
        upkeep.performUpkeep(abi.encode(new uint256[](0)));
    }

    /// @dev 25 rounds: 20 at first, then 5.
    function test_FSA_6_ObservesRoundsInBatches() public {
        uint80 round = oracle.volatilityOf(ETH).round;
        for (uint256 i = 1; i <= 25; ++i) setPrice(ETH, ETH_PRICE + i * 1e18);
        checkEq(_due(), _bit(OBSERVE | ETH), "rounds wait, of ETH alone");
        upkeep.perform(OBSERVE | ETH);
        checkEq(oracle.volatilityOf(ETH).round - round, 20, "a batch");
        upkeep.perform(OBSERVE | ETH);
        checkEq(oracle.volatilityOf(ETH).round - round, 25, "the rest");
        checkEq(_due(), 0, "none waits");
    }

    /// @dev The last answer of BTC is a day and a second old, its heartbeat a day.
    function test_FSA_6_ADeadFeedHoldsUpNoOther() public {
        vm.warp(START + 1 days + 1);
        setPrice(ETH, 2_001e18);
        setPrice(USD, 1e18);
        for (uint256 i = 0; i < 2; ++i) rateFeeds[i].updateAnswer(rateFeeds[i].latestAnswer());
        uint256 expected = _bit(OBSERVE | ETH) | _bit(OBSERVE | USD) | _bit(OBSERVE_RATE | WSTETH) | _bit(ACCRUE | ETH);
        checkEq(_due(), expected, "all but BTC");
        uint256[] memory jobs = new uint256[](3);
        (jobs[0], jobs[1], jobs[2]) = (ACCRUE | BTC, OBSERVE | USD, OBSERVE_RATE | WSTETH);
        upkeep.performUpkeep(abi.encode(jobs));
        (, uint256 time) = oracle.lastGood(USD);
        (, uint256 rateTime) = oracle.lastGoodRate(WSTETH);
        checkEq(time, START + 1 days + 1, "price observed now");
        checkEq(rateTime, START + 1 days + 1, "rate observed now");
        checkEq(_due(), _bit(OBSERVE | ETH) | _bit(ACCRUE | ETH), "what is left");
    }

    /// @dev A trade at 2,009 is a premium; what an accrual makes of it is what anybody's makes.
    function test_F_4_AccruesFunding() public {
        giveCash(alice, 100_000e18);
        giveCash(bob, 100_000e18);
        trade(bob, alice, ETH, 10e18, 2_009e18);
        passTime(1 hours - 1);
        setPrice(ETH, 2_001e18);
        expectNothingDue(upkeep, ACCRUE | ETH); // one second less than an hour since the trade
        passTime(1);
        uint256 start = vm.snapshotState();
        ch.accrueFunding(ETH);
        (, MarketIndex memory index, MarketRate memory rate, , ) = ch.market(ETH);
        bytes32 expected = keccak256(abi.encode(index, rate));
        vm.revertToState(start);
        upkeep.perform(ACCRUE | ETH);
        (, index, rate, , ) = ch.market(ETH);
        check(keccak256(abi.encode(index, rate)) == expected, "as anybody's accrual");
        checkEq(rate.time, START + 1 hours, "time");
        checkEq(rate.price, 2_001e18, "price");
        check(rate.premium > 0, "a premium");
        expectNothingDue(upkeep, ACCRUE | BTC); // an hour, but the same price: nothing to accrue
    }

    /// @dev 2 ETH at 2,000 for 5 bp: 2 of fees. They are paid once Bob's loss of 2 is in the pool.
    function test_FSA_6_SweepsFees() public {
        giveCash(alice, 1_000e18);
        giveCash(bob, 1_000e18);
        trade(bob, alice, ETH, 2e18);
        checkEq(uint256(rateOf(ETH).fees) * 1e9, 2e18, "fees");
        expectNothingDue(upkeep, SWEEP_FEES | ETH); // the pool is empty
        setPrice(ETH, 2_001e18);
        settle(ETH, bob);
        upkeep.perform(SWEEP_FEES | ETH);
        checkEq(rateOf(ETH).fees, 0, "swept");
        checkEq(poolOf(ETH).cash, 0, "out of the pool");
    }

    /// @dev 8,000 of 10,000 lent is the kink: 4 % a year on 8,000, a tenth of it for the fund: 32 / 365 = 0.08767 a day.
    function test_FSA_6_SweepsReserves() public {
        giveCash(bob, 10_000e18);
        lend(bob, 10_000e18);
        giveCollateral(alice, WETH, 10e18);
        borrow(alice, 8_000e18);
        passTime(11 days);
        expectNothingDue(upkeep, SWEEP_RESERVES); // 0.9644
        passTime(1 days);
        upkeep.perform(SWEEP_RESERVES); // 1.0521
        checkNear(int256(cashOf(fund.account())), 1.0521e18, 0.001e18, "a tenth of the interest");
    }

    function test_FSA_6_SettingsOfTheHouse() public {
        checkEq(upkeep.observeInterval(), 1 hours, "observe");
        checkEq(upkeep.accrueInterval(), 1 hours, "accrue");
        checkEq(upkeep.sweepThreshold(), 1e18, "sweep");
        check(upkeep.clearingHouse() == ch, "house");
        expectOutOfBounds("observeInterval", 59, 1 minutes, 1 days);
        new HouseUpkeep(ch, HouseUpkeepSettings(59, 1 hours, 1e18));
        expectOutOfBounds("accrueInterval", 1 days + 1, 1 minutes, 1 days);
        new HouseUpkeep(ch, HouseUpkeepSettings(1 hours, 1 days + 1, 1e18));
        expectOutOfBounds("sweepThreshold", 1e18 - 1, 1e18, 1e24);
        new HouseUpkeep(ch, HouseUpkeepSettings(1 hours, 1 hours, 1e18 - 1));
        vm.expectRevert(abi.encodeWithSelector(IJobUpkeep.NoHouse.selector, treasury));
        new HouseUpkeep(IClearingHouse(treasury), HouseUpkeepSettings(1 hours, 1 hours, 1e18));
    }
}

/// @notice Alice is long 5 ETH from 2,000 on 1,000 of cash, fee 5, Bob short: both are watched. Calls every hour, settlements from 10 on.
contract AccountUpkeepTest is UpkeepTest {
    AccountUpkeep private upkeep;
    AccountId private alice;
    AccountId private bob;
    AccountId private carol;
    AccountId private dave;

    function setUp() public {
        deployHouse();
        (alice, bob) = (main(actor("alice")), main(actor("bob")));
        (carol, dave) = (main(actor("carol")), main(actor("dave")));
        upkeep = new AccountUpkeep(ch, AccountUpkeepSettings(1 hours, 10e18, treasury));
        giveCash(alice, 1_000e18);
        giveCash(bob, 1_000_000e18);
        giveCash(carol, 100_000e18);
        trade(bob, alice, ETH, 5e18);
        upkeep.performUpkeep(abi.encode(_jobs(alice, bob)));
    }

    function _jobs(AccountId a, AccountId b) private pure returns (uint256[] memory jobs) {
        jobs = new uint256[](2);
        (jobs[0], jobs[1]) = (AccountId.unwrap(a), AccountId.unwrap(b));
    }

    function _perform(AccountId id) private {
        upkeep.perform(AccountId.unwrap(id));
    }

    function _expectNothingDue(AccountId id) private {
        expectNothingDue(upkeep, AccountId.unwrap(id));
    }

    /// @dev What a log that names two accounts triggers.
    function _named(AccountId a, AccountId b) private returns (uint256[] memory jobs) {
        Log memory log;
        log.topics = new bytes32[](3);
        (log.topics[1], log.topics[2]) = (bytes32(AccountId.unwrap(a)), bytes32(AccountId.unwrap(b)));
        uint256 start = vm.snapshotState();
        (bool needed, bytes memory performData) = upkeep.checkLog(log, "");
        vm.revertToState(start);
        jobs = abi.decode(performData, (uint256[]));
        check(needed == (jobs.length != 0), "needed exactly if there is a job");
    }

    // ---------------------------------------------------------------- which

    function test_FSA_6_WatchesWhatHoldsSomething() public {
        checkEq(upkeep.watchedCount(), 2, "Alice and Bob");
        checkEq(upkeep.watched(0, 9)[0], AccountId.unwrap(alice), "in order");
        checkEq(_named(alice, bob).length, 0, "both are watched");
        checkEq(_named(carol, dave).length, 0, "cash, and nothing");
        _expectNothingDue(carol);
        lend(carol, 10_000e18);
        _expectNothingDue(carol); // lends only
        giveCollateral(dave, WETH, 10e18);
        borrow(dave, 100e18);
        uint256[] memory jobs = _named(alice, dave);
        check(jobs.length == 1 && jobs[0] == AccountId.unwrap(dave), "a debt is enough");
        upkeep.performUpkeep(abi.encode(jobs));
        checkEq(upkeep.watchedCount(), 3, "and Dave");
        trade(bob, alice, ETH, -5e18);
        jobs = due(upkeep, abi.encode(0, 50));
        checkEq(jobs.length, 2, "Alice and Bob leave");
        upkeep.performUpkeep(abi.encode(jobs));
        jobs = upkeep.watched(0, 9);
        check(jobs.length == 1 && jobs[0] == AccountId.unwrap(dave), "Dave is left");
        _expectNothingDue(alice);
    }

    function test_FSA_6_AtMostAPageAtMostTenJobs() public {
        vm.expectRevert(abi.encodeWithSelector(IAccountUpkeep.PageTooLong.selector, 1, 52, 50));
        upkeep.checkUpkeep(abi.encode(1, 52));
        setPrice(ETH, 1_850e18);
        checkEq(due(upkeep, abi.encode(2, 1)).length, 0, "nothing on an empty page");
        uint256[] memory jobs = due(upkeep, abi.encode(0, 1));
        check(jobs.length == 1 && jobs[0] == AccountId.unwrap(alice), "a page of one");
        jobs = new uint256[](11);
        for (uint96 i = 0; i < 11; ++i) {
            AccountId id = AccountIds.derive(carol.ownerOf(), i + 1);
            giveCash(id, 100e18);
            trade(bob, id, ETH, 0.01e18);
            jobs[i] = AccountId.unwrap(id);
        }
        vm.expectRevert(IJobUpkeep.NothingDue.selector);
        upkeep.performUpkeep{gas: 900_000}(abi.encode(jobs)); // a job begins with a million gas at least
        upkeep.performUpkeep(abi.encode(jobs));
        checkEq(upkeep.watchedCount(), 12, "two and ten");
        upkeep.performUpkeep(abi.encode(jobs));
        checkEq(upkeep.watchedCount(), 13, "the eleventh");
    }

    // ---------------------------------------------------------------- what

    /// @dev At 1,880: E = 1,000 − 5 − 600 = 395, MM = 282.04, IM = 470.06.
    function test_FSA_6_CallsOnceAnInterval() public {
        _expectNothingDue(alice); // healthy
        setPrice(ETH, 1_880e18);
        vm.recordLogs();
        _perform(alice);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 calls = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == IClearingHouseCore.MarginCall.selector) ++calls;
        }
        checkEq(calls, 1, "a margin call");
        checkEq(upkeep.calledAt(alice), START, "called now");
        checkEq(cashOf(alice), 395e18, "and settled");
        passTime(1 hours - 1);
        _expectNothingDue(alice);
        passTime(1);
        _perform(alice);
        checkEq(upkeep.calledAt(alice), START + 1 hours, "called again");
    }

    /// @dev At 1,850: E = 245, MM = 277.53: flagged at once, though called just now; the clock runs for 180 s, then hourly.
    function test_FSA_6_FlagsWhileTheClockRuns() public {
        setPrice(ETH, 1_880e18);
        _perform(alice);
        setPrice(ETH, 1_850e18);
        for (uint256 clock = 0; clock <= 180; clock += 60) {
            _perform(alice);
            checkEq(ch.auction(alice).clock, clock, "clock");
            _expectNothingDue(alice);
            passTime(1 minutes);
        }
        check(ch.auction(alice).flagger == address(upkeep), "flagger");
        _expectNothingDue(alice); // the clock is full
        passTime(59 minutes);
        _perform(alice);
        setPrice(ETH, 2_000e18); // E = 995, IM = 500: the auction ends
        _perform(alice);
        check(ch.auction(alice).flagger == address(0), "ended");
    }

    /// @dev At 1,790: E = −55. There is something to sell, so it is not written off; the clock of the rescue runs for 180 s, one ahead.
    function test_FSA_6_KeepsTheClockOfARescueGoing() public {
        setPrice(ETH, 1_850e18);
        for (uint256 i = 0; i < 4; ++i) {
            _perform(alice);
            passTime(1 minutes);
        }
        Auction memory x = ch.auction(alice);
        check(x.clock == 180 && x.rescueClock == 0, "the discount is full, the rescue has not begun");
        setPrice(ETH, 1_790e18);
        for (uint256 clock = 1; clock <= 181; clock += 60) {
            _perform(alice);
            checkEq(ch.totalFlaggedDeficit(), 55e18, "deficit");
            checkEq(ch.auction(alice).rescueClock, clock, "clock of the rescue");
            passTime(1 minutes);
        }
        _expectNothingDue(alice);
    }

    /// @dev At 1,850 MM = 9,250 · 3 % + 9,250² · 2 % / 50 M = 277.534225. Of the penalty, f · 5 % of it, a tenth is the flagger's.
    function test_FSA_6_EarnsForTheBeneficiary() public {
        vm.expectRevert(IClearingHouseCore.ZeroAmount.selector);
        upkeep.collect();
        setPrice(ETH, 1_850e18);
        _perform(alice);
        (uint256 f, ) = liquidate(alice, carol);
        uint256 earned = cashOf(main(address(upkeep)));
        checkNear(int256(earned), int256((f * 277.534225e18 * 5) / 1_000e18), 1e12, "a tenth of the penalty");
        checkEq(upkeep.collect(), (earned / USDC_UNIT) * USDC_UNIT, "collected");
        checkEq(usdc.balanceOf(treasury), earned / USDC_UNIT, "received");
    }

    /// @dev At 1,999.1 Alice owes 4.5 + 5 and Bob is due 4.5; at 1,990 she owes 50 + 5, he is due 50.
    function test_FSA_6_SettlesFromTheThresholdOn() public {
        setPrice(ETH, 1_999.1e18);
        _expectNothingDue(alice); // 9.5
        _expectNothingDue(bob);
        setPrice(ETH, 1_990e18);
        _expectNothingDue(bob); // the pool is empty
        _perform(alice);
        _perform(bob);
        checkEq(cashOf(alice), 945e18, "1,000 less 50 and 5");
        checkEq(cashOf(bob), 1_000_050e18, "+ 50");
    }

    /// @dev Dave has 10 WETH and no cash: his loss of 100 and the fee wait. A look counts when 50 minutes have passed.
    function test_FSA_6_LooksAtALossThatWaitsForCash() public {
        giveCollateral(dave, WETH, 10e18);
        trade(bob, dave, ETH, 1e18);
        passTime(1); // in the second in which the lending pool moved nothing counts
        setPrice(ETH, 1_900e18);
        _perform(dave);
        checkEq(ch.auction(dave).cashCallClock, 1, "seen waiting");
        passTime(50 minutes - 1);
        _expectNothingDue(dave);
        passTime(1);
        _perform(dave);
        checkEq(ch.auction(dave).cashCallClock, 3_001, "seen again");
        passTime(50 minutes);
        setPrice(ETH, 0);
        _expectNothingDue(dave); // no settlement without a price
        setPrice(ETH, 2_001e18); // + 1 − 1: nothing waits any more
        _perform(dave);
        checkEq(ch.auction(dave).cashCallClock, 0, "over");
    }

    /// @dev Dave's WETH is delisted: 1,000 of debt, nothing to sell. Carol lent 50,000, and there is no fund.
    function test_FSA_6_WritesOffWhatHasNothingToSell() public {
        ch.setLendingParams(LendingParams(800_000, 0, 0, 0));
        lend(carol, 50_000e18);
        giveCollateral(dave, WETH, 10e18);
        borrow(dave, 1_000e18);
        _perform(dave);
        ch.delistCollateral(WETH);
        passTime(14 days);
        _perform(dave);
        checkEq(debtOf(dave), 0, "written off");
        checkNear(int256(lentOf(carol)), 49_000e18, 1, "who lent bears it");
        _perform(dave);
        checkEq(upkeep.watchedCount(), 2, "let go");
    }

    /// @dev Dave on 1,000 is long 4 ETH and 0.01 BTC from 2,000 and 60,000, fees 4.3; then BTC has no price. At 1,880 E = 515.7; at
    /// 1,750 E = −4.3, which the most that 0.01 BTC could have gained, 600 · (κ · μ_max + band) = 57, does not lift over MM.
    function test_FSA_6_FlagsWhatIsBelowWithoutAPrice() public {
        giveCash(dave, 1_000e18);
        trade(bob, dave, ETH, 4e18);
        trade(bob, dave, BTC, 0.01e18);
        _perform(dave);
        observe(ETH);
        observe(BTC);
        setPrice(BTC, 0);
        setPrice(ETH, 1_880e18);
        _perform(dave); // settles in ETH: − 480 − 4
        _expectNothingDue(dave);
        check(ch.auction(dave).flagger == address(0), "not below even so");
        setPrice(ETH, 1_750e18);
        _perform(dave);
        check(ch.auction(dave).flagger == address(upkeep), "below even so");
        _expectNothingDue(dave); // the clock has not moved
        passTime(1 minutes);
        _perform(dave);
        checkEq(ch.auction(dave).clock, 60, "clock");
    }

    function test_FSA_6_SettingsOfAccounts() public {
        checkEq(upkeep.callInterval(), 1 hours, "call");
        checkEq(upkeep.settleThreshold(), 10e18, "settle");
        check(upkeep.beneficiary() == treasury, "beneficiary");
        expectOutOfBounds("callInterval", 59, 1 minutes, 1 days);
        new AccountUpkeep(ch, AccountUpkeepSettings(59, 10e18, treasury));
        expectOutOfBounds("settleThreshold", 1e24 + 1, 1e18, 1e24);
        new AccountUpkeep(ch, AccountUpkeepSettings(1 hours, 1e24 + 1, treasury));
        vm.expectRevert(IAccountUpkeep.NoBeneficiary.selector);
        new AccountUpkeep(ch, AccountUpkeepSettings(1 hours, 10e18, address(0)));
        vm.expectRevert(abi.encodeWithSelector(IJobUpkeep.NoHouse.selector, address(0)));
        new AccountUpkeep(IClearingHouse(address(0)), AccountUpkeepSettings(1 hours, 10e18, treasury));
    }
}
