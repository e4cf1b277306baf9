// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AggregatorV3Interface} from "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol";
import {Feed, IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {MAX_PRICE, PPM} from "./types/LedgerTypes.sol";
import {PriceSnapshot, PriceSnapshots} from "./types/Portfolio.sol";

/// @title One guarded price per underlying
/// @notice See `IPriceOracle`.
contract PriceOracle is IPriceOracle, AccessManaged {
    uint256 private constant MAX_HEARTBEAT = 2 days;
    uint256 private constant MAX_DECIMALS = 36;
    /// @dev μ of both requirements while no volatility regime is measured [ppm].
    uint256 private constant NEUTRAL = PPM;

    mapping(uint256 underlying => Feed) private _feeds;

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc IPriceOracle
    function read(uint256 underlying) external view returns (PriceSnapshot) {
        Feed memory feed = _feeds[underlying];
        if (feed.aggregator == address(0)) revert UnknownFeed(underlying);
        uint256 price = _toWad(_answer(underlying, feed), feed.decimals);
        if (price < feed.minPrice || price > feed.maxPrice) {
            revert PriceOutOfBounds(underlying, price, feed.minPrice, feed.maxPrice);
        }
        return PriceSnapshots.pack(price, NEUTRAL, NEUTRAL);
    }

    /// @inheritdoc IPriceOracle
    function feedOf(uint256 underlying) external view returns (Feed memory) {
        return _feeds[underlying];
    }

    /// @inheritdoc IPriceOracle
    function setFeed(uint256 underlying, Feed calldata feed) external restricted {
        Feed memory f = feed;
        f.decimals = AggregatorV3Interface(feed.aggregator).decimals();
        _inBounds("underlying", underlying, 0, 255);
        _inBounds("heartbeat", f.heartbeat, 1, MAX_HEARTBEAT);
        _inBounds("decimals", f.decimals, 0, MAX_DECIMALS);
        _inBounds("minPrice", f.minPrice, 1, f.maxPrice);
        _inBounds("maxPrice", f.maxPrice, f.minPrice, MAX_PRICE);
        _feeds[underlying] = f;
        emit FeedSet(underlying, f);
    }

    /// @dev The latest answer after every guard but the bounds. A low-level call, so that a broken feed is a typed error too.
    function _answer(uint256 underlying, Feed memory feed) private view returns (uint256) {
        (bool ok, bytes memory data) = feed.aggregator.staticcall(
            abi.encodeCall(AggregatorV3Interface.latestRoundData, ())
        );
        if (!ok || data.length < 160) revert FeedUnreadable(underlying, feed.aggregator);
        (uint256 roundId, int256 answer, , uint256 updatedAt, ) = abi.decode(
            data,
            (uint256, int256, uint256, uint256, uint256)
        );
        if (roundId == 0 || updatedAt == 0 || updatedAt > block.timestamp) {
            revert PriceRoundIncomplete(underlying, roundId, updatedAt);
        }
        if (block.timestamp - updatedAt > feed.heartbeat) revert PriceStale(underlying, updatedAt, feed.heartbeat);
        if (answer <= 0) revert PriceNotPositive(underlying, answer);
        return uint256(answer);
    }

    /// @dev Rounded down; an answer too large for the bounds saturates there instead of overflowing.
    function _toWad(uint256 answer, uint256 decimals) private pure returns (uint256) {
        if (decimals >= 18) return answer / 10 ** (decimals - 18);
        return answer > MAX_PRICE ? answer : answer * 10 ** (18 - decimals);
    }

    function _inBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert FeedParameterOutOfBounds(name, value, low, high);
    }
}
