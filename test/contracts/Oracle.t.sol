// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {PriceOracle} from "../../contracts/PriceOracle.sol";
import {Feed, IPriceOracle, Regime, SecondSource, Volatility} from "../../contracts/interfaces/IPriceOracle.sol";
import {Regimes} from "../../contracts/libraries/Regimes.sol";
import {PriceSnapshot} from "../../contracts/types/Portfolio.sol";
import {Checks} from "./support/Checks.sol";
import {vm} from "./support/Vm.sol";

/// @notice Properties of the price oracle and its volatility regime under random rounds, times and observers.
contract OracleTest is Checks {
    uint256 private constant START = 1_700_000_000;
    uint256 private constant ETH = 0;
    uint256 private constant ONE = 1e6;
    uint256 private constant MAX_FACTOR = 3e6;
    uint256 private constant STEP = 250_000; // [ppm per hour]
    uint32 private constant HEARTBEAT = 1 hours;
    uint256 private constant DAY = 1 days;
    uint256 private constant STEPS = 12;

    AccessManager private authority;
    MockV3Aggregator private feed;
    PriceOracle private oracle;
    PriceOracle private other; // of the same feed, observed in another way

    function setUp() public {
        vm.warp(START);
        authority = new AccessManager(address(this));
        feed = new MockV3Aggregator(8, 2_000e8);
        oracle = _newOracle();
        other = _newOracle();
    }

    function _newOracle() private returns (PriceOracle o) {
        o = new PriceOracle(address(authority), address(0), 0);
        o.setFeed(ETH, Feed(address(feed), HEARTBEAT, 0, 1e18, 1e24));
        o.setRegime(ETH, Regime(1_000_000, uint32(DAY), uint32(MAX_FACTOR), uint32(STEP)));
        o.observe(ETH, 1);
    }

    // ---------------------------------------------------------------- the regime

    /// @notice MM-2: however the past went, a round and its observation move MM by nothing in their own block.
    function testFuzz_MM_2_noStepInItsOwnBlock(uint256 seed, uint64 jump) public {
        for (uint256 i = 0; i < STEPS; ++i) _randomStep(oracle, _draw(seed, i));
        (, uint256 before) = _factors(oracle);
        feed.updateAnswer(_price(jump));
        oracle.observe(ETH, 100);
        (uint256 initial, uint256 maintenance) = _factors(oracle);
        checkEq(maintenance, before, "MM moved in the block of an observation");
        check(initial >= maintenance, "IM below MM");
    }

    /// @notice MM-2: MM moves by at most the step per hour, whatever is published and observed, and by whom.
    function testFuzz_MM_2_atMostTheStepPerHour(uint256 seed) public {
        (, uint256 last) = _factors(oracle);
        uint256 time = block.timestamp;
        for (uint256 i = 0; i < STEPS; ++i) {
            _randomStep(oracle, _draw(seed, i));
            (uint256 initial, uint256 maintenance) = _factors(oracle);
            uint256 most = (STEP * (block.timestamp - time)) / 1 hours + 1;
            checkLe(maintenance > last ? maintenance - last : last - maintenance, most, "MM moved too far");
            check(
                initial >= maintenance && maintenance >= ONE && initial <= MAX_FACTOR,
                "ATTACK-13 factors out of order"
            );
            (last, time) = (maintenance, block.timestamp);
        }
    }

    /// @notice MM-2 ATTACK-23: a silence of any length moves MM by one heartbeat's step at most.
    function testFuzz_MM_2_silenceCountsAsOneHeartbeat(uint64 jump, uint32 silence) public {
        vm.warp(block.timestamp + 600);
        feed.updateAnswer(_price(jump));
        oracle.observe(ETH, 1);
        vm.warp(block.timestamp + silence);
        feed.updateAnswer(_price(jump));
        oracle.observe(ETH, 1);
        checkLe(oracle.volatilityOf(ETH).factor, ONE + (STEP * HEARTBEAT) / 1 hours, "a silence counted for more");
    }

    /// @notice MM-2: observing without a new round changes nothing, now or later.
    function testFuzz_MM_2_extraObservationsChangeNothing(uint256 seed) public {
        for (uint256 i = 0; i < STEPS; ++i) {
            uint256 draw = _draw(seed, i);
            vm.warp(block.timestamp + (draw % 3 hours));
            if ((draw >> 16) % 4 != 0) feed.updateAnswer(_price(uint64(draw >> 32)));
            oracle.observe(ETH, 100);
            other.observe(ETH, 100);
            for (uint256 extra = (draw >> 96) % 3; extra != 0; --extra) {
                vm.warp(block.timestamp + ((draw >> 128) % 1 hours));
                checkEq(other.observe(ETH, 100), 0, "observed what is not there");
                _sameState();
            }
        }
    }

    // ---------------------------------------------------------------- the estimator

    /// @notice MM-1: each round by itself, all at once, or any portions: the same variance and target.
    function testFuzz_MM_1_variancePathIndependentOfSampling(uint256 seed) public {
        for (uint256 i = 0; i < STEPS; ++i) {
            uint256 draw = _draw(seed, i);
            vm.warp(block.timestamp + (draw % 2 hours));
            feed.updateAnswer(_price(uint64(draw >> 32)));
            oracle.observe(ETH, 1);
            if ((draw >> 128) % 3 == 0) other.observe(ETH, (draw >> 160) % 5);
        }
        other.observe(ETH, type(uint256).max);
        Volatility memory a = oracle.volatilityOf(ETH);
        Volatility memory b = other.volatilityOf(ETH);
        checkEq(a.round, feed.latestRound(), "not every round observed");
        checkEq(a.variance, b.variance, "variance depends on sampling");
        checkEq(a.target, b.target, "target depends on sampling");
        check(a.round == b.round && a.roundPrice == b.roundPrice && a.roundTime == b.roundTime, "last round differs");
    }

    /// @notice MM-1: w = 0.94 per day from 2 %: after 5 % 2.29346899 %, then − 8 % 2.96384885 %, then 0 2.87355807 %.
    function test_MM_1_ewmaOracleH5() public pure {
        uint256 averaging = 1_396_355; // −86,400 / ln 0.94
        uint256 v = Regimes.update(4_629_629_630, 1e18, 1_051_271_096_376_024_040, DAY, averaging); // 0.02² / day; e^0.05
        _nearDaily(v, 22_934_689_9e8);
        v = Regimes.update(v, 1e18, 923_116_346_386_635_783, DAY, averaging); // e^−0.08
        _nearDaily(v, 29_638_488_5e8);
        v = Regimes.update(v, 1e18, 1e18, DAY, averaging);
        _nearDaily(v, 28_735_580_7e8);
    }

    /// @notice MM-1: the variance saturates instead of wrapping round.
    function testFuzz_MM_1_saturates(uint64 v, uint32 elapsed) public pure {
        uint256 most = type(uint64).max;
        checkEq(Regimes.update(most, 1, 1e24, 0, 10 minutes), most, "did not saturate");
        check(
            Regimes.update(v, 1, 1e24, elapsed, 10 minutes) >= Regimes.update(0, 1, 1e24, elapsed, 10 minutes),
            "wrapped"
        );
    }

    /// @notice MM-1: without movement, one step of time is as many as one likes; rounding adds at most one unit per step.
    function testFuzz_MM_1_decayDoesNotDependOnSteps(uint64 v, uint32 a, uint32 b) public pure {
        uint256 once = Regimes.update(v, 1e18, 1e18, uint256(a) + b, DAY);
        uint256 twice = Regimes.update(Regimes.update(v, 1e18, 1e18, a, DAY), 1e18, 1e18, b, DAY);
        checkNear(int256(once), int256(twice), 1 + uint256(v) / 1e17, "decay depends on steps");
    }

    /// @notice MM-1: of two moves of the same size the one that took less time weighs more, and a rise as much as a fall.
    function testFuzz_MM_1_fasterMovesWeighMore(uint80 from, uint80 to, uint32 a, uint32 b) public pure {
        (uint256 p, uint256 q) = (1 + (uint256(from) % 1e24), 1 + (uint256(to) % 1e24));
        (uint256 quick, uint256 slow) = a < b ? (a, b) : (b, a);
        uint256 fast = Regimes.update(0, p, q, quick, DAY);
        check(fast + 1 >= Regimes.update(0, p, q, slow, DAY), "a slower move weighs more");
        checkEq(fast, Regimes.update(0, q, p, quick, DAY), "direction matters");
    }

    /// @notice MM-1: the target is σ / σ_ref within 1 and μ_max, and never below what the variance says.
    function testFuzz_MM_1_target(uint64 v, uint32 ref) public pure {
        uint256 sigmaRef = 100_000 + (uint256(ref) % 9_900_001);
        uint256 t = Regimes.target(v, sigmaRef, MAX_FACTOR);
        uint256 square = uint256(v) * 365 days * 1e6; // [1e-24]
        check(t >= ONE && t <= MAX_FACTOR, "target out of bounds");
        if (t < MAX_FACTOR) check((t * sigmaRef + sigmaRef) ** 2 >= square, "target below sigma");
        if (t > ONE) check(((t - 1) * sigmaRef) ** 2 <= square, "target above sigma");
        checkEq(Regimes.target(v, 0, MAX_FACTOR), ONE, "no reference, no regime");
    }

    // ---------------------------------------------------------------- guards

    /// @notice OR-1 OR-5: whatever a feed answers, `read` gives a price within all guards or one of its typed errors.
    function testFuzz_OR_1_priceOrTypedError(
        int256 answer,
        uint80 id,
        uint32 age,
        int256 second,
        uint24 deviation
    ) public {
        MockV3Aggregator another = new MockV3Aggregator(8, second);
        uint24 band = 1 + (deviation % 100_000);
        oracle.setSecondSource(ETH, SecondSource(address(another), HEARTBEAT, 0, band));
        uint256 updatedAt = block.timestamp + 600 - (age % 5_000); // some in the future, some stale
        feed.updateRoundData(id, answer, updatedAt, updatedAt);
        try oracle.latest(ETH) returns (PriceSnapshot s) {
            check(answer > 0 && id != 0 && second > 0, "a bad answer passed");
            check(updatedAt <= block.timestamp && block.timestamp - updatedAt <= HEARTBEAT, "a stale answer passed");
            checkEq(s.price(), uint256(answer) * 1e10, "not the feed's price");
            check(s.price() >= 1e18 && s.price() <= 1e24, "out of bounds");
            checkLe(_distance(answer, second) * 1e6, uint256(second) * band, "a deviation passed");
        } catch (bytes memory reason) {
            check(_isTyped(bytes4(reason)), "an untyped error");
        }
        oracle.observe(ETH, 10); // never stopped by any answer
    }

    /// @notice OR-3: the last good price is the last that `read` gave when somebody observed it.
    function testFuzz_OR_3_lastGoodIsWhatReadGave(uint256 seed) public {
        (PriceSnapshot good, uint256 seen) = oracle.lastGood(ETH);
        for (uint256 i = 0; i < STEPS; ++i) {
            uint256 draw = _draw(seed, i);
            vm.warp(block.timestamp + (draw % 2 hours));
            if (draw >> 255 == 0) feed.updateAnswer(int256(uint256(uint64(draw >> 32)) % 3_000_000e8) - 100e8);
            oracle.observe(ETH, 1);
            try oracle.latest(ETH) returns (PriceSnapshot s) {
                (good, seen) = (s, block.timestamp);
            } catch {}
            (PriceSnapshot last, uint256 time) = oracle.lastGood(ETH);
            checkEq(last.price(), good.price(), "not the last good price");
            checkEq(time, seen, "not its time");
        }
    }

    // ---------------------------------------------------------------- support

    /// @dev Time passes; perhaps a round comes, perhaps somebody observes some of what there is.
    function _randomStep(PriceOracle o, uint256 draw) private {
        vm.warp(block.timestamp + (draw % 3 hours));
        if ((draw >> 16) % 4 != 0) feed.updateAnswer(_price(uint64(draw >> 32)));
        if ((draw >> 24) % 3 != 0) o.observe(ETH, (draw >> 128) % 4);
    }

    /// @dev From 1,000 to 3,000 with 8 decimals.
    function _price(uint64 draw) private pure returns (int256) {
        return int256(1_000e8 + (uint256(draw) % 2_000e8));
    }

    function _draw(uint256 seed, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i)));
    }

    /// @dev Factors of the regime, whatever has become of the price.
    function _factors(PriceOracle o) private view returns (uint256 initial, uint256 maintenance) {
        (PriceSnapshot s, ) = o.lastGood(ETH);
        return (s.initialFactor(), s.maintenanceFactor());
    }

    function _sameState() private view {
        Volatility memory a = oracle.volatilityOf(ETH);
        Volatility memory b = other.volatilityOf(ETH);
        check(keccak256(abi.encode(a)) == keccak256(abi.encode(b)), "extra observations changed the state");
        (uint256 initialA, uint256 maintenanceA) = _factors(oracle);
        (uint256 initialB, uint256 maintenanceB) = _factors(other);
        check(initialA == initialB && maintenanceA == maintenanceB, "extra observations changed the factors");
    }

    /// @dev σ per day [wad] to 1e-8 of itself.
    function _nearDaily(uint256 v, uint256 sigma) private pure {
        checkNear(int256(v * DAY), int256((sigma * sigma) / 1e18), (sigma * sigma) / 1e18 / 5e6, "EWMA");
    }

    function _distance(int256 a, int256 b) private pure returns (uint256) {
        return a > b ? uint256(a) - uint256(b) : uint256(b) - uint256(a);
    }

    function _isTyped(bytes4 error) private pure returns (bool) {
        return
            error == IPriceOracle.PriceNotPositive.selector ||
            error == IPriceOracle.PriceRoundIncomplete.selector ||
            error == IPriceOracle.PriceStale.selector ||
            error == IPriceOracle.PriceOutOfBounds.selector ||
            error == IPriceOracle.PriceDeviates.selector;
    }
}
