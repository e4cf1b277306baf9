// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {Account, Assessment, Auction, FLAG_AUCTION, WAD} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Pools} from "./Pools.sol";

/// @notice The clock of an account's auction and the deficit that flags record. The clock advances only by calls that find
/// E < MM, each by the time since the last one but at most 60 s, so it stands still through outages and recoveries. It is
/// cleared at E ≥ IM.
library Auctions {
    uint256 internal constant MIN_DISCOUNT = 0.05e18; // d at the first flag
    uint256 internal constant MAX_DISCOUNT = 0.6e18;
    uint256 internal constant RAMP = 180; // [s] of clock from the smallest to the largest discount
    uint256 internal constant MAX_STEP = 60; // [s] that one call can add to a clock
    uint256 internal constant MAX_RESCUE = 0.5e18; // of MM

    /// @notice d at a reading of the clock [wad].
    function discount(uint256 clock) internal pure returns (uint256) {
        return MIN_DISCOUNT + ((MAX_DISCOUNT - MIN_DISCOUNT) * Fixed.min(clock, RAMP)) / RAMP;
    }

    /// @notice Share of MM that a rescue is worth at a reading of its clock [wad].
    function rescueShare(uint256 rescueClock) internal pure returns (uint256) {
        return rescueClock == 0 ? 0 : (MAX_RESCUE * Fixed.min(rescueClock - 1, RAMP)) / RAMP;
    }

    /// @notice d for an account that is found at E < MM now [wad].
    function discountNow(Ledger.State storage $, AccountId id) internal view returns (uint256) {
        if ($.accounts[id].flags & FLAG_AUCTION == 0) return MIN_DISCOUNT;
        Auction memory x = $.auctions[id];
        return discount(x.clock + _step(x));
    }

    /// @notice The auction of an account that was just found at E < MM, its clocks advanced; not stored yet.
    function advance(
        Ledger.State storage $,
        AccountId id,
        Assessment memory a,
        address flagger
    ) internal view returns (Auction memory x) {
        if ($.accounts[id].flags & FLAG_AUCTION != 0) x = $.auctions[id];
        uint256 step = _step(x);
        if (x.flagger == address(0)) {
            x.flagger = flagger;
            x.maintenanceAtFlag = uint96(Fixed.min(a.maintenanceMargin, type(uint96).max));
        }
        x.lastCall = uint32(block.timestamp);
        x.clock = uint32(Fixed.min(x.clock + step, RAMP));
        if (a.equity <= int256((discount(x.clock) * a.maintenanceMargin) / WAD)) {
            x.rescueClock = x.rescueClock == 0 ? 1 : uint32(Fixed.min(x.rescueClock + step, RAMP + 1));
        }
    }

    function store(Ledger.State storage $, AccountId id, Auction memory x) internal {
        $.auctions[id] = x;
        _setFlag($, id, true);
    }

    /// @notice Ends the auction of an account, recorded deficit included. An unsettled loss stays on the books.
    function clear(Ledger.State storage $, AccountId id) internal {
        if ($.accounts[id].flags & FLAG_AUCTION == 0) return;
        Auction memory x = $.auctions[id];
        recordDeficit($, id, x, 0);
        if (x.flagger != address(0)) emit IClearingHouse.AuctionCleared(id);
        Auction memory rest;
        rest.cashCallSince = x.cashCallSince;
        $.auctions[id] = rest;
        _setFlag($, id, rest.cashCallSince != 0);
    }

    /// @notice Replaces what earlier flags recorded of an account's deficit by `deficit`, spread over its markets.
    function recordDeficit(Ledger.State storage $, AccountId id, Auction memory x, uint256 deficit) internal {
        if (x.recordedMarkets == 0 && deficit == 0) return;
        while (x.recordedMarkets != 0) {
            uint256 market;
            (market, x.recordedMarkets) = Ledger.pop(x.recordedMarkets);
            _addRecorded($, id, market, -int256($.recordedDeficits[id][market]));
        }
        if (deficit != 0) {
            Pools.Leg[] memory legs = Pools.legs($, id);
            uint256[] memory parts = Pools.split(legs, deficit);
            for (uint256 i = 0; i < legs.length; ++i) {
                if (parts[i] == 0) continue;
                x.recordedMarkets |= uint64(1 << legs[i].market);
                _addRecorded($, id, legs[i].market, int256(parts[i]));
            }
        }
        emit IClearingHouse.DeficitRecorded(id, deficit);
    }

    /// @notice Notes since when a loss of an account is waiting for cash. `loss` is what its cash does not cover.
    function trackUnsettledLoss(Ledger.State storage $, AccountId id, uint256 loss, uint256 dust) internal {
        bool known = $.accounts[id].flags & FLAG_AUCTION != 0 && $.auctions[id].cashCallSince != 0;
        if (known == (loss >= dust)) return;
        Auction memory x = $.auctions[id];
        x.cashCallSince = known ? 0 : uint32(block.timestamp);
        $.auctions[id] = x;
        _setFlag($, id, x.cashCallSince != 0 || x.flagger != address(0));
        emit IClearingHouse.UnsettledLossSeen(id, x.cashCallSince);
    }

    /// @dev What a call now adds to the clock: nothing if it is the first.
    function _step(Auction memory x) private view returns (uint256) {
        return x.flagger == address(0) ? 0 : Fixed.min(block.timestamp - x.lastCall, MAX_STEP);
    }

    function _addRecorded(Ledger.State storage $, AccountId id, uint256 market, int256 amount) private {
        $.recordedDeficits[id][market] = uint256(int256($.recordedDeficits[id][market]) + amount);
        $.pools[market].flaggedDeficit = uint128(uint256(int256(uint256($.pools[market].flaggedDeficit)) + amount));
        $.totalFlaggedDeficit = uint256(int256($.totalFlaggedDeficit) + amount);
    }

    function _setFlag(Ledger.State storage $, AccountId id, bool on) private {
        Account memory a = $.accounts[id];
        uint16 flags = on ? a.flags | FLAG_AUCTION : a.flags & ~FLAG_AUCTION;
        if (flags == a.flags) return;
        a.flags = flags;
        Ledger.storeAccount($, id, a);
    }
}
