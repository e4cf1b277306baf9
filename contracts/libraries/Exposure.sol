// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {FLAG_CAPPED} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Guards} from "./Guards.sol";
import {Ledger} from "./Ledger.sol";

/// @notice How much of an underlying an account holds, long less short over its markets, and the caps that its owner has put on it. A
/// cap is on sizes, so it needs no price; what is held beyond it may stay and shrink.
library Exposure {
    uint256 internal constant NO_CAP = type(uint256).max;
    uint256 private constant MAX_UNDERLYINGS = 256;

    function setCap(Ledger.State storage $, AccountId id, uint256 underlying, uint256 cap) internal {
        Ledger.requireAuthority($, id);
        if (underlying >= MAX_UNDERLYINGS) {
            revert IClearingHouseCore.ParameterOutOfBounds("underlying", underlying, 0, MAX_UNDERLYINGS - 1);
        }
        if (cap > capOf($, id, underlying)) Guards.requireUnlocked($, id.ownerOf());
        $.exposureCaps[id][underlying] = cap;
        uint256 bit = 1 << underlying;
        uint256 capped = cap == NO_CAP ? $.cappedUnderlyings[id] & ~bit : $.cappedUnderlyings[id] | bit;
        $.cappedUnderlyings[id] = capped;
        Ledger.setFlag($, id, FLAG_CAPPED, capped != 0);
        emit IClearingHouseCore.ExposureCapSet(id, underlying, cap);
    }

    function capOf(Ledger.State storage $, AccountId id, uint256 underlying) internal view returns (uint256) {
        return ($.cappedUnderlyings[id] >> underlying) & 1 == 0 ? NO_CAP : $.exposureCaps[id][underlying];
    }

    /// @notice Refuses an account that holds more of an underlying than before this outermost call, and more than its cap.
    function verify(Ledger.State storage $, AccountId id) internal view {
        uint256 capped = $.cappedUnderlyings[id];
        uint64 all = $.accounts[id].markets | Ledger.readAccount($, id, true).markets;
        int256[MAX_UNDERLYINGS] memory held;
        int256[MAX_UNDERLYINGS] memory heldBefore;
        for (uint64 markets = all; markets != 0;) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            uint256 underlying = $.rates[market].underlying;
            if ((capped >> underlying) & 1 == 0) continue;
            held[underlying] += _size($, id, market, false);
            heldBefore[underlying] += _size($, id, market, true);
        }
        for (uint64 markets = all; markets != 0;) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            uint256 underlying = $.rates[market].underlying;
            uint256 size = Fixed.abs(held[underlying]);
            if (size <= Fixed.abs(heldBefore[underlying])) continue;
            uint256 cap = $.exposureCaps[id][underlying];
            if (size > cap) revert IClearingHouseCore.ExposureCap(id, underlying, size, cap);
        }
    }

    /// @notice What is held of an underlying, long less short [wad].
    function heldOf(Ledger.State storage $, AccountId id, uint256 underlying) internal view returns (int256 held) {
        for (uint64 markets = $.accounts[id].markets; markets != 0;) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            if ($.rates[market].underlying == underlying) held += _size($, id, market, false);
        }
    }

    function _size(
        Ledger.State storage $,
        AccountId id,
        uint256 market,
        bool before
    ) private view returns (int256 size) {
        (size, ) = Ledger.readPosition($, id, market, before);
    }
}
