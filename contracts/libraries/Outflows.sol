// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {ExitRequest, FLAG_EXIT, Outflow, WAD} from "../types/LedgerTypes.sol";
import {Cash} from "./Cash.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Margin} from "./Margin.sol";
import {Pause} from "./Pause.sol";

/// @notice The brake on what leaves the house: per token, what has left less what has come in, decaying e-fold in 24 hours, may not
/// pass a cap. Money that goes in and out again leaves the level where it was. A flat account that has announced its exit is
/// held up by at most `EXIT_DELAY`. During a pause of new risk a quarter of the cap counts.
library Outflows {
    using SafeCast for int256;
    using SafeCast for uint256;

    uint256 internal constant DECAY = 24 hours;
    uint256 internal constant EXIT_DELAY = 24 hours; // T: from a request until it is good, and from then until it lapses

    /// @notice Counts what comes in.
    function credit(Ledger.State storage $, address token, uint256 amount) internal {
        Outflow memory o = $.outflows[token];
        if (o.cap != 0) _store($, token, o, level(o) - int256(amount));
    }

    /// @notice Counts what is about to leave an account and refuses what is too much, unless the account has announced it. The insurance fund
    /// makes its stakers wait by itself.
    function debit(Ledger.State storage $, AccountId id, address token, uint256 amount, bool isCash) internal {
        Outflow memory o = $.outflows[token];
        if (o.cap == 0) return;
        int256 afterwards = level(o) + int256(amount);
        int256 cap = int256(o.cap * WAD);
        // Whether there is a pause matters only to what would be too much in one.
        if (afterwards > cap / Pause.OUTFLOW_DIVISOR && Pause.isOn($)) cap /= Pause.OUTFLOW_DIVISOR;
        if (afterwards > cap && msg.sender != $.insuranceFund && !_isAnnounced($, id, amount, isCash)) {
            revert IClearingHouseCore.OutflowLimited(token, Fixed.positive(cap + int256(amount) - afterwards), amount);
        }
        _store($, token, o, afterwards);
    }

    /// @notice Net outflow now [wad units], rounded up.
    function level(Outflow memory o) internal view returns (int256) {
        if (o.level == 0 || o.time == block.timestamp) return o.level;
        int256 elapsed = int256(((block.timestamp - o.time) * WAD) / DECAY);
        int256 kept = (int256(o.level) * FixedPointMathLib.expWad(-elapsed)) / int256(WAD);
        return o.level > 0 ? kept + 1 : kept;
    }

    function setCap(Ledger.State storage $, address token, uint64 cap) internal {
        Outflow memory o = $.outflows[token];
        int256 now_ = level(o);
        o.cap = cap;
        _store($, token, o, cap == 0 ? int256(0) : now_);
        emit IClearingHouseCore.OutflowCapSet(token, cap);
    }

    /// @notice Announces that a flat account leaves with what is in it.
    function requestExit(Ledger.State storage $, AccountId id) internal {
        Ledger.requireAuthority($, id);
        if (!Margin.isFlat($, id)) revert IClearingHouseCore.NotFlat(id);
        uint256 cash = Cash.withLent($, id);
        $.exits[id] = ExitRequest(cash.toUint112(), uint40(block.timestamp));
        Ledger.setFlag($, id, FLAG_EXIT, true);
        emit IClearingHouseCore.ExitRequested(id, cash, block.timestamp + EXIT_DELAY);
    }

    function exitRequest(
        Ledger.State storage $,
        AccountId id
    ) internal view returns (uint256 cash, uint256 from, uint256 until) {
        if ($.accounts[id].flags & FLAG_EXIT == 0) return (0, 0, 0);
        ExitRequest memory request = $.exits[id];
        return (request.cash, request.time + EXIT_DELAY, request.time + 2 * EXIT_DELAY);
    }

    function _isAnnounced(
        Ledger.State storage $,
        AccountId id,
        uint256 amount,
        bool isCash
    ) private view returns (bool) {
        (uint256 cash, uint256 from, uint256 until) = exitRequest($, id);
        if (block.timestamp < from || block.timestamp > until || !Margin.isFlat($, id)) return false;
        return !isCash || amount <= cash;
    }

    function _store(Ledger.State storage $, address token, Outflow memory o, int256 level_) private {
        (o.level, o.time) = (level_.toInt128(), uint40(block.timestamp));
        $.outflows[token] = o;
    }
}
