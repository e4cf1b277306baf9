// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {Ledger} from "./Ledger.sol";

/// @notice The guardian's brake on new risk. While it lasts no fill raises a market's open interest, nobody borrows of his own choice, and
/// net outflows may reach a quarter of their caps only; whatever lowers risk or keeps the books goes on. It ends by itself, and the next
/// one has to wait: who holds the guardian's key holds the house up for at most `DURATION` out of every `DURATION + COOLDOWN`.
library Pause {
    uint256 internal constant DURATION = 3 days;
    uint256 internal constant COOLDOWN = 7 days; // from the end of a pause to the next one
    int256 internal constant OUTFLOW_DIVISOR = 4; // a quarter of the outflow caps counts

    function start(Ledger.State storage $) internal {
        uint256 from = uint256($.pausedUntil) + COOLDOWN;
        if (block.timestamp < from) revert IClearingHouseCore.PauseTooEarly(from);
        _set($, block.timestamp + DURATION);
    }

    function end(Ledger.State storage $) internal {
        if (!isOn($)) revert IClearingHouseCore.NotPaused();
        _set($, block.timestamp);
    }

    function isOn(Ledger.State storage $) internal view returns (bool) {
        return block.timestamp < $.pausedUntil;
    }

    /// @notice Refuses what would be new risk.
    function requireOff(Ledger.State storage $) internal view {
        uint256 until = $.pausedUntil;
        if (block.timestamp < until) revert IClearingHouseCore.NewRiskPaused(until);
    }

    function _set(Ledger.State storage $, uint256 until) private {
        $.pausedUntil = uint40(until);
        emit IClearingHouseCore.NewRiskPauseSet(until);
    }
}
