// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AggregatorV3Interface} from "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol";
import {MAX_PRICE} from "../types/LedgerTypes.sol";

/// @notice A round of a Chainlink feed: the five words of its answer as they are.
struct Round {
    uint256 id; // a proxy puts its phase into the bits above 64
    int256 answer;
    uint256 startedAt; // [s]
    uint256 updatedAt; // [s]
    uint256 answeredInRound; // deprecated by Chainlink, unused
}

/// @notice Reads Chainlink feeds without ever reverting: a feed that reverts, has no code, answers too little or takes
/// too much gas is "not ok".
library Rounds {
    uint256 private constant PHASE_BITS = 64;
    uint256 private constant ROUND_BYTES = 160;
    uint256 private constant CALL_GAS = 500_000; // most that a feed can burn; Chainlink's take less than 50,000

    // ---------------------------------------------------------------- calls

    /// @notice The latest round.
    function latest(address aggregator) internal view returns (bool ok, Round memory round) {
        ok = _ask(aggregator, AggregatorV3Interface.latestRoundData.selector, 0, round, ROUND_BYTES);
    }

    /// @notice The round with this id.
    function at(address aggregator, uint256 id) internal view returns (bool ok, Round memory round) {
        ok = _ask(aggregator, AggregatorV3Interface.getRoundData.selector, id, round, ROUND_BYTES);
    }

    /// @notice Decimals of the answers.
    function decimals(address aggregator) internal view returns (bool ok, uint256 value) {
        Round memory answer; // only its first word is used
        ok = _ask(aggregator, AggregatorV3Interface.decimals.selector, 0, answer, 32);
        value = answer.id;
    }

    // ---------------------------------------------------------------- rules

    /// @notice Whether the round was answered, not later than now.
    function isComplete(Round memory round) internal view returns (bool) {
        return
            round.id != 0 && round.id <= type(uint80).max && round.updatedAt != 0 && round.updatedAt <= block.timestamp;
    }

    /// @notice Where to go on from `id` if the round after it is not there: past the gap, or, where the latest round is of a later
    /// phase, before the first round of the next phase.
    function skip(uint256 id, uint256 latestId) internal pure returns (uint256) {
        uint256 phase = id >> PHASE_BITS;
        return phase < latestId >> PHASE_BITS ? (phase + 1) << PHASE_BITS : id + 1;
    }

    /// @notice The price of an answer [wad], rounded down; zero if the answer is not positive. One too large to be scaled stays as it
    /// is, above MAX_PRICE.
    function toWad(int256 answer, uint256 answerDecimals) internal pure returns (uint256) {
        if (answer <= 0) return 0;
        unchecked {
            // Decimals are at most 36; MAX_PRICE · 1e18 is below 2^140.
            uint256 value = uint256(answer);
            if (answerDecimals >= 18) return value / 10 ** (answerDecimals - 18);
            return value > MAX_PRICE ? value : value * 10 ** (18 - answerDecimals);
        }
    }

    /// @dev ok = aggregator.staticcall{gas: CALL_GAS}(abi.encodeWithSelector(selector, argument)) succeeds with at least `size`
    /// bytes, which are copied to `round`, and nothing beyond them. If it is not ok the round holds nothing of use.
    function _ask(
        address aggregator,
        bytes4 selector,
        uint256 argument,
        Round memory round,
        uint256 size
    ) private view returns (bool ok) {
        uint256 gasLimit = CALL_GAS;
        assembly ("memory-safe") {
            // The question, 4 + 32 bytes, is written where the answer goes.
            mstore(round, selector)
            mstore(add(round, 4), argument)
            ok := staticcall(gasLimit, aggregator, round, 36, round, size)
            ok := and(ok, iszero(lt(returndatasize(), size)))
        }
    }
}
