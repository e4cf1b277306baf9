// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PriceSnapshot} from "../types/Portfolio.sol";

/// @notice The feed of an underlying and its guards.
struct Feed {
    address aggregator; // Chainlink AggregatorV3Interface, a price in USD
    uint32 heartbeat; // [s] an older answer is stale
    uint8 decimals; // of the answer; read from the feed when it is set
    uint80 minPrice; // [wad] sanity bounds, both inclusive
    uint80 maxPrice; // [wad]
}

/// @notice A source that the feed of an underlying must agree with. 160 + 32 + 8 + 24 = 224 bits.
struct SecondSource {
    address aggregator; // Chainlink AggregatorV3Interface; zero = none
    uint32 heartbeat; // [s]
    uint8 decimals; // read from the source when it is set
    uint24 maxDeviation; // [ppm of the second price]
}

/// @notice What a unit of a collateral asset is worth in units of its underlying (a liquid-staking token): the lower of both feeds.
struct RateFeeds {
    address rate; // Chainlink AggregatorV3Interface: the protocol's own exchange rate
    uint32 rateHeartbeat; // [s]
    uint8 rateDecimals; // read from the feed when it is set
    address market; // Chainlink AggregatorV3Interface: the market's rate; zero = none
    uint32 marketHeartbeat; // [s]
    uint8 marketDecimals; // read from the feed when it is set
    uint80 maxRate; // [wad] sanity bound; the lower one is above zero
}

/// @notice How the volatility of an underlying moves its requirements. 4 · 32 = 128 bits.
struct Regime {
    uint32 referenceVolatility; // σ_ref [ppm per square root of a year]; 0 = μ is 1 for ever
    uint32 averaging; // [s] time constant of the variance's exponential average
    uint32 maxFactor; // μ_max [ppm]
    uint32 maxStep; // [ppm per hour of observed time] largest change of μ(t), in ppm of one
}

/// @notice State of the volatility estimator of an underlying.
struct Volatility {
    uint32 factor; // μ [ppm] at `time`
    uint32 target; // [ppm] clamp(σ / σ_ref, 1, μ_max) after the last round
    uint32 time; // [s] when rounds were last observed
    uint64 variance; // [wad per second] average of squared log returns per time
    uint80 round; // up to which the feed's rounds were taken or skipped
    uint80 roundPrice; // [wad] of the last round taken
    uint32 roundTime; // [s] of the last round taken
}

/// @title One guarded price per underlying, and the volatility regime
/// @notice Gives a price only if the L2 sequencer has been up for the grace period, the answer is positive, its round is complete, it
/// is no older than the feed's own heartbeat and no newer than the block, it lies within its sanity bounds and within the deviation
/// band of the second source where there is one. Otherwise a typed error says which guard failed and with which numbers.
///
/// Regime: σ² is an exponential average over time of squared log returns, over every round of the feed once and in order;
/// target = clamp(σ / σ_ref, 1, μ_max). IM uses max(target, μ(t)) at once. MM uses μ(t), which moves from its last value towards the
/// target known since the last observation, by at most `maxStep` per hour, a gap counting as one heartbeat at most. So a rise calls
/// for margin and never liquidates in its own block.
///
/// Warning: `latest` does not ask a feed for its decimals. A feed that changes them is caught by the sanity bounds, which should
/// therefore be narrower than a factor of ten on either side, and by `observe`, which refuses it.
interface IPriceOracle {
    event FeedSet(uint256 indexed underlying, Feed feed);
    event SecondSourceSet(uint256 indexed underlying, SecondSource source);
    event RateFeedsSet(uint256 indexed collateral, RateFeeds feeds);
    event RegimeSet(uint256 indexed underlying, Regime regime);
    /// @notice Rounds up to `round` have been observed; `factor` and `target` [ppm] stand as given.
    event VolatilityObserved(uint256 indexed underlying, uint80 round, uint64 variance, uint32 factor, uint32 target);

    error UnknownFeed(uint256 underlying);
    error UnknownRate(uint256 collateral);
    error PriceNotPositive(uint256 underlying, int256 answer);
    error PriceRoundIncomplete(uint256 underlying, uint256 roundId, uint256 updatedAt);
    error PriceStale(uint256 underlying, uint256 updatedAt, uint256 heartbeat);
    error PriceOutOfBounds(uint256 underlying, uint256 price, uint256 minPrice, uint256 maxPrice);
    /// @dev The second source has no usable answer, or the two prices are further apart than `maxDeviation` [ppm] allows.
    error PriceDeviates(uint256 underlying, uint256 price, uint256 secondPrice, uint256 maxDeviation);
    error SequencerDown(uint256 since);
    error SequencerGracePeriod(uint256 upSince, uint256 gracePeriod);
    /// @dev The aggregator reverted or answered with malformed data, or its decimals are not those it was set with.
    error FeedUnreadable(uint256 underlying, address aggregator);
    /// @dev A rate feed of a collateral asset has no usable answer.
    error RateUnusable(uint256 collateral, address aggregator, int256 answer, uint256 updatedAt);
    error FeedParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max);

    // ---------------------------------------------------------------- prices

    /// @notice The index price of `underlying` and the factors of its volatility regime.
    /// @return snapshot price [wad] and factors [ppm]; reverts with one of the errors above if a guard fails
    function latest(uint256 underlying) external view returns (PriceSnapshot snapshot);

    /// @notice Units of the underlying that a unit of a collateral asset is worth, the lower of both feeds, rounded down. The guard of the
    /// sequencer is left to `latest`, without which a rate is of no use.
    /// @return rate [wad]; reverts if a feed is unusable
    function latestRate(uint256 collateral) external view returns (uint256 rate);

    /// @notice The last price that passed every guard when somebody observed it, with the factors of the regime as they stand.
    /// @return snapshot price [wad] and factors [ppm]; empty if there is none
    /// @return time [s] at which it passed
    function lastGood(uint256 underlying) external view returns (PriceSnapshot snapshot, uint256 time);

    /// @notice The last usable rate that somebody observed [wad]; zero if there is none.
    function lastGoodRate(uint256 collateral) external view returns (uint256 rate, uint256 time);

    // ---------------------------------------------------------------- upkeep, open to anyone

    /// @notice Asks for up to `maxRounds` rounds of the feed that have not been observed, takes them into the volatility in order, and
    /// keeps the price as the last good one if it passes every guard now. Without a new round it changes nothing but the last good
    /// price. Rounds that are missing, incomplete, out of the sanity bounds or older than the last one are skipped: those of
    /// a phase of Chainlink's proxy that ran before it took over are, one by one, so that a call may observe none and still
    /// get further. Reverts if the feed's decimals cannot be read or have changed.
    /// @return observed number of rounds taken
    function observe(uint256 underlying, uint256 maxRounds) external returns (uint256 observed);

    /// @notice Keeps the rate of a collateral asset as the last good one; reverts as `latestRate` does, or if decimals have changed.
    function observeRate(uint256 collateral) external;

    // ---------------------------------------------------------------- views

    /// @notice The feed and guards of `underlying`; all zero if unknown.
    function feedOf(uint256 underlying) external view returns (Feed memory);
    /// @notice The second source of `underlying`; all zero if there is none.
    function secondSourceOf(uint256 underlying) external view returns (SecondSource memory);
    /// @notice The rate feeds of a collateral asset; all zero if unknown.
    function rateFeedsOf(uint256 collateral) external view returns (RateFeeds memory);
    /// @notice The regime's parameters.
    function regimeOf(uint256 underlying) external view returns (Regime memory);
    /// @notice The estimator's state as it was last stored; μ(t) now is in `lastGood` and `latest`.
    function volatilityOf(uint256 underlying) external view returns (Volatility memory);
    /// @notice Chainlink's feed of the L2 sequencer's uptime; zero on networks without one. Final.
    function sequencerFeed() external view returns (address);
    /// @notice How long the sequencer must have been up before prices count [s]. Final.
    function gracePeriod() external view returns (uint256);

    // ---------------------------------------------------------------- parameters, all restricted

    /// @notice Sets the feed of an underlying. Reads the aggregator's decimals; the given ones are ignored. Rounds are
    /// observed anew from the feed's latest; μ stands.
    function setFeed(uint256 underlying, Feed calldata feed) external;
    /// @notice Sets or removes (aggregator zero) the second source of an underlying.
    function setSecondSource(uint256 underlying, SecondSource calldata source) external;
    /// @notice Sets the rate feeds of a collateral asset.
    function setRateFeeds(uint256 collateral, RateFeeds calldata feeds) external;
    /// @notice Sets how volatility moves requirements, within hard bounds. μ(t) goes on from where it stands; without a reference
    /// volatility it is 1 at once and what was measured is forgotten.
    function setRegime(uint256 underlying, Regime calldata regime) external;
}
