// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Feed, IPriceOracle, RateFeeds, Regime, SecondSource, Volatility} from "./interfaces/IPriceOracle.sol";
import {Fixed} from "./libraries/Fixed.sol";
import {Regimes} from "./libraries/Regimes.sol";
import {Round, Rounds} from "./libraries/Rounds.sol";
import {MAX_COLLATERALS, MAX_PRICE, PPM} from "./types/LedgerTypes.sol";
import {PriceSnapshot, PriceSnapshots} from "./types/Portfolio.sol";

/// @title One guarded price per underlying, and the volatility regime
/// @notice See `IPriceOracle`.
contract PriceOracle is IPriceOracle, AccessManaged {
    using Rounds for Round;

    uint256 private constant MAX_HEARTBEAT = 2 days;
    uint256 private constant MAX_DECIMALS = 36;
    uint256 private constant MAX_DEVIATION = 100_000; // [ppm]
    uint256 private constant MAX_GRACE_PERIOD = 1 days;
    uint256 private constant MAX_RATE = 100e18; // [wad]
    uint256 private constant MIN_REFERENCE = 100_000; // [ppm per square root of a year]
    uint256 private constant MAX_REFERENCE = 10_000_000;
    uint256 private constant MIN_AVERAGING = 10 minutes;
    uint256 private constant MAX_AVERAGING = 30 days;
    uint256 private constant MAX_FACTOR = 3 * PPM; // the risk engine bounds its parameters for it
    uint256 private constant MIN_STEP = 10_000; // [ppm per hour]
    uint256 private constant MAX_STEP = PPM;
    int256 private constant SEQUENCER_UP = 0;

    /// @dev All that `latest` needs where there is no second source and μ stands still: 160 + 32 + 8 + 8 = 208 and
    /// 2 · 80 + 3 · 32 = 256 bits.
    struct Source {
        address aggregator;
        uint32 heartbeat; // [s]
        uint8 decimals;
        bool hasSecond;
        uint80 minPrice; // [wad]
        uint80 maxPrice; // [wad]
        uint32 factor; // μ [ppm] at `time`
        uint32 target; // [ppm]
        uint32 time; // [s] when `factor` was stored
    }

    /// @dev Where the estimator stands. 64 + 80 + 80 + 32 = 256 bits.
    struct Estimate {
        uint64 variance; // [wad per second]
        uint80 round; // up to which rounds were taken or skipped; 0 = begin with the latest
        uint80 price; // [wad] of the last round taken; 0 = none
        uint32 time; // [s] of the last round taken
    }

    /// @dev A price or rate that passed all guards.
    struct Good {
        uint80 value; // [wad]
        uint32 time; // [s]
    }

    /// @inheritdoc IPriceOracle
    address public immutable sequencerFeed;
    /// @inheritdoc IPriceOracle
    uint256 public immutable gracePeriod;

    mapping(uint256 underlying => Source) private _sources;
    mapping(uint256 underlying => SecondSource) private _seconds;
    mapping(uint256 underlying => Regime) private _regimes;
    mapping(uint256 underlying => Estimate) private _estimates;
    mapping(uint256 underlying => Good) private _goodPrices;
    mapping(uint256 collateral => RateFeeds) private _rateFeeds;
    mapping(uint256 collateral => Good) private _goodRates;

    constructor(address authority, address sequencerFeed_, uint256 gracePeriod_) AccessManaged(authority) {
        _inBounds("gracePeriod", gracePeriod_, 0, MAX_GRACE_PERIOD);
        sequencerFeed = sequencerFeed_;
        gracePeriod = gracePeriod_;
    }

    // ---------------------------------------------------------------- prices

    /// @inheritdoc IPriceOracle
    function latest(uint256 underlying) external view returns (PriceSnapshot) {
        Source storage source = _source(underlying);
        (uint256 price, bytes memory failure) = _judge(underlying, source);
        if (failure.length != 0) _raise(failure);
        return _snapshot(underlying, source, price);
    }

    /// @inheritdoc IPriceOracle
    function latestRate(uint256 collateral) public view returns (uint256 rate) {
        RateFeeds memory f = _rateFeeds[collateral];
        if (f.rate == address(0)) revert UnknownRate(collateral);
        rate = _guardedRate(collateral, f.rate, f.rateHeartbeat, f.rateDecimals, f.maxRate);
        if (f.market == address(0)) return rate;
        return Fixed.min(rate, _guardedRate(collateral, f.market, f.marketHeartbeat, f.marketDecimals, f.maxRate));
    }

    /// @inheritdoc IPriceOracle
    function lastGood(uint256 underlying) external view returns (PriceSnapshot snapshot, uint256 time) {
        Good memory good = _goodPrices[underlying];
        if (good.time == 0) return (snapshot, 0);
        return (_snapshot(underlying, _source(underlying), good.value), good.time);
    }

    /// @inheritdoc IPriceOracle
    function lastGoodRate(uint256 collateral) external view returns (uint256 rate, uint256 time) {
        Good memory good = _goodRates[collateral];
        return (good.value, good.time);
    }

    // ---------------------------------------------------------------- upkeep

    /// @inheritdoc IPriceOracle
    function observe(uint256 underlying, uint256 maxRounds) external returns (uint256 observed) {
        Source storage source = _source(underlying);
        _requireDecimals(underlying, source.aggregator, source.decimals);
        observed = _observeRounds(underlying, source, maxRounds);
        (uint256 price, bytes memory failure) = _judge(underlying, source);
        if (failure.length == 0) _goodPrices[underlying] = Good(uint80(price), uint32(block.timestamp));
    }

    /// @inheritdoc IPriceOracle
    function observeRate(uint256 collateral) external {
        uint256 rate = latestRate(collateral);
        RateFeeds memory f = _rateFeeds[collateral];
        _requireDecimals(collateral, f.rate, f.rateDecimals);
        if (f.market != address(0)) _requireDecimals(collateral, f.market, f.marketDecimals);
        _goodRates[collateral] = Good(uint80(rate), uint32(block.timestamp));
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IPriceOracle
    function feedOf(uint256 underlying) external view returns (Feed memory) {
        Source storage s = _sources[underlying];
        return Feed(s.aggregator, s.heartbeat, s.decimals, s.minPrice, s.maxPrice);
    }

    /// @inheritdoc IPriceOracle
    function secondSourceOf(uint256 underlying) external view returns (SecondSource memory) {
        return _seconds[underlying];
    }

    /// @inheritdoc IPriceOracle
    function rateFeedsOf(uint256 collateral) external view returns (RateFeeds memory) {
        return _rateFeeds[collateral];
    }

    /// @inheritdoc IPriceOracle
    function regimeOf(uint256 underlying) external view returns (Regime memory) {
        return _regimes[underlying];
    }

    /// @inheritdoc IPriceOracle
    function volatilityOf(uint256 underlying) external view returns (Volatility memory) {
        Source storage s = _sources[underlying];
        Estimate memory e = _estimates[underlying];
        return Volatility(s.factor, s.target, s.time, e.variance, e.round, e.price, e.time);
    }

    // ---------------------------------------------------------------- parameters

    /// @inheritdoc IPriceOracle
    function setFeed(uint256 underlying, Feed calldata feed) external restricted {
        _inBounds("underlying", underlying, 0, 255);
        Feed memory f = feed;
        f.decimals = _decimalsOf(underlying, f.aggregator);
        _inBounds("heartbeat", f.heartbeat, 1, MAX_HEARTBEAT);
        _inBounds("minPrice", f.minPrice, 1, f.maxPrice);
        _inBounds("maxPrice", f.maxPrice, f.minPrice, MAX_PRICE);

        Source storage s = _sources[underlying];
        if (s.aggregator == address(0)) (s.factor, s.target) = (uint32(PPM), uint32(PPM));
        _settleFactor(underlying, s); // at the old heartbeat
        (s.aggregator, s.heartbeat, s.decimals) = (f.aggregator, f.heartbeat, f.decimals);
        (s.minPrice, s.maxPrice) = (f.minPrice, f.maxPrice);
        _estimates[underlying] = Estimate(_estimates[underlying].variance, 0, 0, 0);
        emit FeedSet(underlying, f);
    }

    /// @inheritdoc IPriceOracle
    function setSecondSource(uint256 underlying, SecondSource calldata source) external restricted {
        _source(underlying);
        SecondSource memory s = source;
        bool isThere = s.aggregator != address(0);
        if (isThere) {
            s.decimals = _decimalsOf(underlying, s.aggregator);
            _inBounds("heartbeat", s.heartbeat, 1, MAX_HEARTBEAT);
            _inBounds("maxDeviation", s.maxDeviation, 1, MAX_DEVIATION);
        } else {
            delete s;
        }
        _sources[underlying].hasSecond = isThere;
        _seconds[underlying] = s;
        emit SecondSourceSet(underlying, s);
    }

    /// @inheritdoc IPriceOracle
    function setRateFeeds(uint256 collateral, RateFeeds calldata feeds) external restricted {
        _inBounds("collateral", collateral, 0, MAX_COLLATERALS - 1);
        RateFeeds memory f = feeds;
        f.rateDecimals = _decimalsOf(collateral, f.rate);
        _inBounds("rateHeartbeat", f.rateHeartbeat, 1, MAX_HEARTBEAT);
        if (f.market != address(0)) {
            f.marketDecimals = _decimalsOf(collateral, f.market);
            _inBounds("marketHeartbeat", f.marketHeartbeat, 1, MAX_HEARTBEAT);
        }
        _inBounds("maxRate", f.maxRate, 1, MAX_RATE);
        _rateFeeds[collateral] = f;
        emit RateFeedsSet(collateral, f);
    }

    /// @inheritdoc IPriceOracle
    function setRegime(uint256 underlying, Regime calldata regime) external restricted {
        Source storage s = _source(underlying);
        bool isOn = regime.referenceVolatility != 0;
        if (isOn) _inBounds("referenceVolatility", regime.referenceVolatility, MIN_REFERENCE, MAX_REFERENCE);
        _inBounds("averaging", regime.averaging, MIN_AVERAGING, MAX_AVERAGING);
        _inBounds("maxFactor", regime.maxFactor, PPM, MAX_FACTOR);
        _inBounds("maxStep", regime.maxStep, MIN_STEP, MAX_STEP);

        _settleFactor(underlying, s); // at the old step
        if (!isOn) {
            s.factor = uint32(PPM);
            delete _estimates[underlying];
        }
        s.target = _target(_estimates[underlying].variance, regime);
        _regimes[underlying] = regime;
        emit RegimeSet(underlying, regime);
    }

    // ---------------------------------------------------------------- guards

    /// @dev The price if every guard lets it pass, else the error of the first that does not.
    function _judge(uint256 underlying, Source storage s) private view returns (uint256 price, bytes memory failure) {
        if (sequencerFeed != address(0)) {
            failure = _judgeSequencer();
            if (failure.length != 0) return (0, failure);
        }
        (bool ok, Round memory round) = Rounds.latest(s.aggregator);
        if (!ok) return (0, abi.encodeWithSelector(FeedUnreadable.selector, underlying, s.aggregator));
        if (!round.isComplete()) {
            return (0, abi.encodeWithSelector(PriceRoundIncomplete.selector, underlying, round.id, round.updatedAt));
        }
        if (block.timestamp - round.updatedAt > s.heartbeat) {
            return (0, abi.encodeWithSelector(PriceStale.selector, underlying, round.updatedAt, s.heartbeat));
        }
        if (round.answer <= 0) return (0, abi.encodeWithSelector(PriceNotPositive.selector, underlying, round.answer));
        price = Rounds.toWad(round.answer, s.decimals);
        if (price < s.minPrice || price > s.maxPrice) {
            failure = abi.encodeWithSelector(PriceOutOfBounds.selector, underlying, price, s.minPrice, s.maxPrice);
        } else if (s.hasSecond) {
            failure = _judgeDeviation(underlying, price);
        }
    }

    /// @dev Chainlink's uptime feed answers 0 while the sequencer is up, and `startedAt` says since when; 0 = not initialised.
    function _judgeSequencer() private view returns (bytes memory failure) {
        (bool ok, Round memory round) = Rounds.latest(sequencerFeed);
        if (!ok) return abi.encodeWithSelector(SequencerDown.selector, 0);
        if (round.answer != SEQUENCER_UP || round.startedAt == 0) {
            return abi.encodeWithSelector(SequencerDown.selector, round.startedAt);
        }
        if (round.startedAt > block.timestamp || block.timestamp - round.startedAt < gracePeriod) {
            return abi.encodeWithSelector(SequencerGracePeriod.selector, round.startedAt, gracePeriod);
        }
    }

    /// @dev Strict: a second source without a usable answer, zero then, is a deviation too.
    function _judgeDeviation(uint256 underlying, uint256 price) private view returns (bytes memory failure) {
        SecondSource memory s = _seconds[underlying];
        (uint256 second, ) = _usable(s.aggregator, s.heartbeat, s.decimals);
        uint256 distance = price > second ? price - second : second - price;
        if (second > MAX_PRICE || distance * PPM > s.maxDeviation * second) {
            return abi.encodeWithSelector(PriceDeviates.selector, underlying, price, second, s.maxDeviation);
        }
    }

    /// @dev The latest answer of a feed [wad]; zero if it is unreadable, incomplete, stale or not positive.
    function _usable(
        address aggregator,
        uint256 heartbeat,
        uint256 decimals
    ) private view returns (uint256 value, Round memory round) {
        bool ok;
        (ok, round) = Rounds.latest(aggregator);
        if (!ok) delete round;
        else if (round.isComplete() && block.timestamp - round.updatedAt <= heartbeat) {
            value = Rounds.toWad(round.answer, decimals);
        }
    }

    function _guardedRate(
        uint256 collateral,
        address aggregator,
        uint256 heartbeat,
        uint256 decimals,
        uint256 maxRate
    ) private view returns (uint256 rate) {
        Round memory round;
        (rate, round) = _usable(aggregator, heartbeat, decimals);
        if (rate == 0 || rate > maxRate) {
            revert RateUnusable(collateral, aggregator, round.answer, round.updatedAt);
        }
    }

    function _requireDecimals(uint256 id, address aggregator, uint256 expected) private view {
        (bool ok, uint256 decimals) = Rounds.decimals(aggregator);
        if (!ok || decimals != expected) revert FeedUnreadable(id, aggregator);
    }

    function _raise(bytes memory failure) private pure {
        assembly ("memory-safe") {
            revert(add(failure, 32), mload(failure))
        }
    }

    // ---------------------------------------------------------------- regime

    /// @dev Takes new rounds into the variance, and with it moves the target; μ(t) until now runs towards the old one.
    function _observeRounds(
        uint256 underlying,
        Source storage s,
        uint256 maxRounds
    ) private returns (uint256 observed) {
        Regime memory regime = _regimes[underlying];
        if (regime.referenceVolatility == 0) return 0;
        (bool ok, Round memory newest) = Rounds.latest(s.aggregator);
        if (!ok || !newest.isComplete()) return 0;
        Estimate memory e = _estimates[underlying];
        observed = _walk(s, e, newest.id, regime.averaging, maxRounds);
        _estimates[underlying] = e;
        if (observed == 0) return 0;
        _settleFactor(underlying, s);
        s.target = _target(e.variance, regime);
        emit VolatilityObserved(underlying, e.round, e.variance, s.factor, s.target);
    }

    /// @dev Asks for up to `maxRounds` rounds, from the one after the last to the latest, in order.
    function _walk(
        Source storage s,
        Estimate memory e,
        uint256 latestId,
        uint256 averaging,
        uint256 maxRounds
    ) private view returns (uint256 observed) {
        if (e.round == 0) e.round = uint80(latestId - 1);
        for (uint256 asked = 0; asked < maxRounds && e.round < latestId; ++asked) {
            (bool ok, Round memory round) = Rounds.at(s.aggregator, e.round + 1);
            if (!ok || !round.isComplete()) {
                e.round = uint80(Rounds.skip(e.round, latestId)); // at most latestId
                continue;
            }
            ++e.round;
            if (_take(s, e, round, averaging)) ++observed;
        }
    }

    /// @dev Moves the variance by one round, unless the round is out of bounds or older than the last one.
    function _take(
        Source storage s,
        Estimate memory e,
        Round memory round,
        uint256 averaging
    ) private view returns (bool) {
        uint256 price = Rounds.toWad(round.answer, s.decimals);
        if (price < s.minPrice || price > s.maxPrice || round.updatedAt < e.time) return false;
        if (e.price != 0) e.variance = Regimes.update(e.variance, e.price, price, round.updatedAt - e.time, averaging);
        (e.price, e.time) = (uint80(price), uint32(round.updatedAt));
        return true;
    }

    /// @dev Stores μ(t) as of now.
    function _settleFactor(uint256 underlying, Source storage s) private {
        (s.factor, s.time) = (uint32(_factor(underlying, s)), uint32(block.timestamp));
    }

    /// @dev μ(t) [ppm]: from its last value towards the target, a silence counting as one heartbeat at most.
    function _factor(uint256 underlying, Source storage s) private view returns (uint256) {
        if (s.factor == s.target) return s.factor;
        uint256 elapsed = Fixed.min(block.timestamp - s.time, s.heartbeat);
        return Regimes.approach(s.factor, s.target, _regimes[underlying].maxStep, elapsed);
    }

    function _target(uint256 variance, Regime memory regime) private pure returns (uint32) {
        return uint32(Regimes.target(variance, regime.referenceVolatility, regime.maxFactor));
    }

    function _snapshot(uint256 underlying, Source storage s, uint256 price) private view returns (PriceSnapshot) {
        uint256 factor = _factor(underlying, s);
        return PriceSnapshots.pack(price, Fixed.max(s.target, factor), factor);
    }

    // ---------------------------------------------------------------- parameters

    function _source(uint256 underlying) private view returns (Source storage s) {
        s = _sources[underlying];
        if (s.aggregator == address(0)) revert UnknownFeed(underlying);
    }

    function _decimalsOf(uint256 id, address aggregator) private view returns (uint8) {
        (bool ok, uint256 decimals) = Rounds.decimals(aggregator);
        if (!ok) revert FeedUnreadable(id, aggregator);
        _inBounds("decimals", decimals, 0, MAX_DECIMALS);
        return uint8(decimals);
    }

    function _inBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert FeedParameterOutOfBounds(name, value, low, high);
    }
}
