// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PriceSnapshot} from "../types/Portfolio.sol";

/// @notice The feed of an underlying and its guards. 160 + 32 + 8 = 200 bits, 128 + 128 = 256 bits.
struct Feed {
    address aggregator; // Chainlink AggregatorV3Interface, a price in USD
    uint32 heartbeat; // [s] an older answer is stale
    uint8 decimals; // of the answer; read from the feed when it is set
    uint128 minPrice; // [wad] sanity bounds, both inclusive
    uint128 maxPrice; // [wad]
}

/// @title One guarded price per underlying
/// @notice Gives a price only if the answer is positive, its round is complete, it is no older than the feed's own heartbeat
/// and no newer than the block, and it lies within its sanity bounds. Otherwise a typed error says which guard failed.
interface IPriceOracle {
    event FeedSet(uint256 indexed underlying, Feed feed);

    error UnknownFeed(uint256 underlying);
    error PriceNotPositive(uint256 underlying, int256 answer);
    error PriceRoundIncomplete(uint256 underlying, uint256 roundId, uint256 updatedAt);
    error PriceStale(uint256 underlying, uint256 updatedAt, uint256 heartbeat);
    error PriceOutOfBounds(uint256 underlying, uint256 price, uint256 minPrice, uint256 maxPrice);
    /// @dev The aggregator reverted or answered with malformed data.
    error FeedUnreadable(uint256 underlying, address aggregator);
    error FeedParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max);

    /// @notice The index price of `underlying` and the factors of its volatility regime.
    /// @return snapshot price [wad] and factors [ppm]; reverts with one of the errors above if a guard fails
    function read(uint256 underlying) external view returns (PriceSnapshot snapshot);

    /// @notice The feed and guards of `underlying`; all zero if unknown.
    function feedOf(uint256 underlying) external view returns (Feed memory);

    /// @notice Sets the feed of an underlying. Restricted. Reads the aggregator's decimals; the given ones are ignored.
    function setFeed(uint256 underlying, Feed calldata feed) external;
}
