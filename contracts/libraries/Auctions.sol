// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {Assessment, Auction, FLAG_AUCTION, LENDING, MarketPool, WAD} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";
import {Margin} from "./Margin.sol";
import {Pools} from "./Pools.sol";
import {Transient} from "./Transient.sol";

/// @notice The clock of an account's auction and the deficit that flags record. The clock advances only by calls that find
/// E < MM, each by the time since the last one but at most 60 s, so it stands still through outages and recoveries. It is
/// cleared at E ≥ IM.
library Auctions {
    uint256 internal constant MIN_DISCOUNT = 0.05e18; // d at the first flag
    uint256 internal constant MAX_DISCOUNT = 0.6e18;
    uint256 internal constant RAMP = 180; // [s] of clock from the smallest to the largest discount
    uint256 internal constant MAX_STEP = 60; // [s] that one call can add to a clock
    uint256 internal constant MAX_RESCUE = 0.5e18; // of MM
    uint256 private constant MAX_CASH_CALL_STEP = 1 hours; // that one observation can add to a cash call's clock

    /// @notice An account whose own change is not checked yet cannot be judged: its batch could undo what it did.
    function requireNotPending(AccountId id) internal view {
        if (Transient.marksOf(id) & Transient.PENDING != 0) revert IClearingHouseCore.CheckPending();
    }

    /// @notice Whether an account has a position or collateral with a usable price.
    function hasAssets(Ledger.State storage $, AccountId id, Pools.Leg[] memory legs) internal view returns (bool) {
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].size != 0 && !legs[i].stuck) return true;
        }
        uint64 bits = $.accounts[id].collaterals;
        while (bits != 0) {
            uint256 collateral;
            (collateral, bits) = Ledger.pop(bits);
            if (Margin.priceOfCollateral($, collateral) != 0) return true;
        }
        return false;
    }

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
        Ledger.setFlag($, id, FLAG_AUCTION, true);
    }

    /// @notice Ends the auction of an account, recorded deficit included. An unsettled loss stays on the books.
    function clear(Ledger.State storage $, AccountId id) internal {
        if ($.accounts[id].flags & FLAG_AUCTION == 0) return;
        Auction memory x = $.auctions[id];
        recordDeficit($, id, x, 0);
        if (x.flagger != address(0)) emit IClearingHouseCore.AuctionCleared(id);
        Auction memory rest;
        (rest.cashCallClock, rest.cashCallSeen) = (x.cashCallClock, x.cashCallSeen);
        $.auctions[id] = rest;
        Ledger.setFlag($, id, FLAG_AUCTION, rest.cashCallClock != 0);
    }

    /// @notice Replaces what earlier flags recorded of an account's deficit by `deficit`, spread over its markets and its debt.
    function recordDeficit(Ledger.State storage $, AccountId id, Auction memory x, uint256 deficit) internal {
        if (x.recordedMarkets == 0 && !x.recordedLending && deficit == 0) return;
        while (x.recordedMarkets != 0) {
            uint256 market;
            (market, x.recordedMarkets) = Ledger.pop(x.recordedMarkets);
            _addRecorded($, id, market, -int256($.recordedDeficits[id][market]));
        }
        if (x.recordedLending) _addRecorded($, id, LENDING, -int256($.recordedDeficits[id][LENDING]));
        x.recordedLending = false;
        if (deficit != 0) {
            Pools.Leg[] memory legs = Pools.legs($, id);
            (uint256[] memory parts, uint256 ofDebt) = Pools.split(legs, Pools.uncoveredDebt($, id), deficit);
            for (uint256 i = 0; i < legs.length; ++i) {
                if (parts[i] == 0) continue;
                x.recordedMarkets |= uint64(1 << legs[i].market);
                _addRecorded($, id, legs[i].market, int256(parts[i]));
            }
            x.recordedLending = ofDebt != 0;
            if (x.recordedLending) _addRecorded($, id, LENDING, int256(ofDebt));
        }
        emit IClearingHouseCore.DeficitRecorded(id, deficit);
    }

    /// @notice Counts for how long a loss of an account has been seen waiting for cash: each observation adds the time since the last
    /// one, at most an hour; one that does not find it ends the count. `loss` is what its cash does not cover. Only a `calm` observation
    /// counts: whoever moves the lending pool in the same block can have emptied it for the purpose.
    function trackUnsettledLoss(Ledger.State storage $, AccountId id, uint256 loss, uint256 dust, bool calm) internal {
        Auction memory x;
        if ($.accounts[id].flags & FLAG_AUCTION != 0) x = $.auctions[id];
        bool found = loss >= dust;
        if (found ? !calm : x.cashCallClock == 0) return;
        uint256 step = Fixed.min(block.timestamp - x.cashCallSeen, MAX_CASH_CALL_STEP);
        uint256 clock = x.cashCallClock == 0 ? 1 : x.cashCallClock + step;
        (x.cashCallClock, x.cashCallSeen) = found ? (uint32(clock), uint32(block.timestamp)) : (0, 0);
        $.auctions[id] = x;
        Ledger.setFlag($, id, FLAG_AUCTION, found || x.flagger != address(0));
        emit IClearingHouseCore.UnsettledLossSeen(id, loss, x.cashCallClock);
    }

    /// @dev What a call now adds to the clock: nothing if it is the first.
    function _step(Auction memory x) private view returns (uint256) {
        return x.flagger == address(0) ? 0 : Fixed.min(block.timestamp - x.lastCall, MAX_STEP);
    }

    function _addRecorded(Ledger.State storage $, AccountId id, uint256 market, int256 amount) private {
        $.recordedDeficits[id][market] = uint256(int256($.recordedDeficits[id][market]) + amount);
        if (market == LENDING) Lending.flag($, amount);
        else {
            MarketPool storage pool = $.pools[market];
            pool.flaggedDeficit = uint128(uint256(int256(uint256(pool.flaggedDeficit)) + amount));
        }
        $.totalFlaggedDeficit = uint256(int256($.totalFlaggedDeficit) + amount);
    }
}
