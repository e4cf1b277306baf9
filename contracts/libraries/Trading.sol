// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {
    FEE_UNIT,
    Fill,
    FILL_BOTH_REST,
    FILL_MAKER_REDUCES,
    FILL_TAKER_REDUCES,
    FillReceipt,
    FillReceipts,
    MarketIndex,
    MarketParams,
    MarketRate,
    PPM,
    WAD
} from "../types/LedgerTypes.sol";
import {PriceSnapshot} from "../types/Portfolio.sol";
import {Fixed} from "./Fixed.sol";
import {Funding} from "./Funding.sol";
import {Ledger} from "./Ledger.sol";
import {Pause} from "./Pause.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";
import {Upkeep} from "./Upkeep.sol";

/// @notice Applies fills to the ledger.
library Trading {
    using SafeCast for uint256;

    uint256 internal constant MAX_LAST_GOOD_AGE = 12 hours; // of the price at which positions can be reduced without a feed

    /// @dev One party's side of a fill.
    struct Side {
        AccountId account;
        int256 delta;
        uint256 fee;
        int256 quoteDelta;
        int256 sizeBefore;
        int256 sizeAfter;
    }

    /// @dev A market while fills are made in it: read before the first of them, written after the last.
    struct Venue {
        uint256 market;
        MarketParams params;
        MarketRate rate;
        MarketIndex word;
        Positions.Sides sides;
        uint256 index; // [wad] price; the last good one if `unpriced`
        bool unpriced;
    }

    /// @notice Makes fills in one market in order, from the one at `first` on, up to one that closes a position: checks them, brings funding
    /// up to now, changes positions and open interest, and puts all accounts up for a check. Returns the place of the next fill.
    function applyRun(
        Ledger.State storage $,
        Fill[] calldata fills,
        uint256 first,
        FillReceipt[] memory receipts
    ) internal returns (uint256 i) {
        i = first;
        Venue memory venue = _enter($, fills[i].market);
        bool closes = false;
        while (!closes && i < fills.length && fills[i].market == venue.market) {
            (receipts[i], closes) = _apply($, venue, fills[i]);
            ++i;
        }
        $.indices[venue.market] = venue.word;
        $.rates[venue.market] = venue.rate;
        if (closes && !venue.unpriced) {
            Upkeep.settleClosed($, venue.market, fills[i - 1].maker, fills[i - 1].taker);
        }
    }

    function _enter(Ledger.State storage $, uint256 market) private view returns (Venue memory venue) {
        MarketRate memory rate = $.rates[market];
        Positions.requireListed(market, rate.flags);
        (venue.market, venue.params, venue.rate) = (market, $.params[market], rate);
        venue.index = Prices.tryRead($, rate.underlying).price();
        venue.unpriced = venue.index == 0;
        if (venue.unpriced) venue.index = _lastGoodPrice($, rate.underlying);
        MarketIndex memory word = $.indices[market];
        Funding.accrue(word, rate, venue.index);
        venue.word = word;
        venue.sides = Positions.sidesAt($, market, word.funding, rate.flags);
    }

    /// @dev Makes one fill; `closes` if it leaves one of the two without size.
    function _apply(
        Ledger.State storage $,
        Venue memory venue,
        Fill calldata fill
    ) private returns (FillReceipt, bool closes) {
        if (fill.maker.equals(fill.taker)) revert IClearingHouseCore.SameAccount(fill.maker);
        uint256 size = Fixed.abs(fill.size);
        _checkPrice(fill, venue);
        if (!venue.unpriced) Funding.observe(venue.rate, fill.price, size, venue.word.openInterest);

        (Side memory maker, Side memory taker) = _sides(fill, venue.params, size);
        _change($, fill, venue.sides, maker, venue.unpriced || fill.flags & FILL_MAKER_REDUCES != 0);
        _change($, fill, venue.sides, taker, venue.unpriced || fill.flags & FILL_TAKER_REDUCES != 0);

        closes = maker.sizeAfter == 0 || taker.sizeAfter == 0;
        if (size < venue.params.minFill && !closes) {
            revert IClearingHouseCore.FillTooSmall(fill.market, size, venue.params.minFill);
        }
        MarketRate memory rate = venue.rate;
        unchecked {
            rate.fees = (rate.fees + (maker.fee + taker.fee) / FEE_UNIT).toUint64(); // each fee below 2^115
        }
        _updateOpenInterest($, venue, maker, taker);
        emit IClearingHouseCore.Trade(
            fill.market,
            fill.maker,
            fill.taker,
            fill.size,
            fill.price,
            maker.quoteDelta,
            taker.quoteDelta,
            maker.fee,
            taker.fee
        );
        return (FillReceipts.pack(venue.index, maker.fee, taker.fee), closes);
    }

    /// @dev The price of a market that has no usable one, as long as it is not too old.
    function _lastGoodPrice(Ledger.State storage $, uint256 underlying) private view returns (uint256 price) {
        (PriceSnapshot s, uint256 time) = $.priceOracle.lastGood(underlying);
        price = s.price();
        if (price == 0 || block.timestamp - time > MAX_LAST_GOOD_AGE) price = Prices.read($, underlying).price(); // reverts
    }

    /// @dev Without a usable price a fill must be at exactly the last good one, and reduce both sides.
    function _checkPrice(Fill calldata fill, Venue memory venue) private pure {
        uint256 band = venue.unpriced ? 0 : venue.params.priceBand;
        if (Fixed.distance(fill.price, venue.index) * PPM > venue.index * band) {
            revert IClearingHouseCore.PriceOutOfBand(fill.market, fill.price, venue.index, band);
        }
    }

    /// @dev Fees are rounded up to FEE_UNIT. Of two resting orders each pays the mean of both fees.
    function _sides(
        Fill calldata fill,
        MarketParams memory params,
        uint256 size
    ) private pure returns (Side memory maker, Side memory taker) {
        uint256 value = size * fill.price;
        unchecked {
            // What overflows here is refused as too large a size.
            (maker.account, maker.delta) = (fill.maker, -fill.size);
            (taker.account, taker.delta) = (fill.taker, fill.size);
            (uint256 makerFee, uint256 takerFee) = (2 * uint256(params.makerFee), 2 * uint256(params.takerFee));
            if (fill.flags & FILL_BOTH_REST != 0) makerFee = takerFee = (makerFee + takerFee) / 2;
            maker.fee = Fixed.divUp(value * makerFee, 2 * PPM * WAD * FEE_UNIT) * FEE_UNIT;
            taker.fee = Fixed.divUp(value * takerFee, 2 * PPM * WAD * FEE_UNIT) * FEE_UNIT;
        }
    }

    function _change(
        Ledger.State storage $,
        Fill calldata fill,
        Positions.Sides memory sides,
        Side memory side,
        bool reduces
    ) private {
        (side.quoteDelta, side.sizeBefore, side.sizeAfter) = Positions.change(
            $,
            side.account,
            fill.market,
            side.delta,
            fill.price,
            sides,
            -int256(side.fee)
        );
        Transient.mark(side.account, 0);
        if (!reduces) return;
        bool shrinks = side.sizeAfter == 0 || (side.sizeAfter > 0) == (side.sizeBefore > 0);
        if (!shrinks || Fixed.abs(side.sizeAfter) > Fixed.abs(side.sizeBefore)) {
            revert IClearingHouseCore.NotReducing(side.account, fill.market, side.sizeBefore, side.sizeAfter);
        }
    }

    /// @dev Long and short open interest are equal, so the longs' change is everybody's. Only a rise is capped, and paused.
    function _updateOpenInterest(
        Ledger.State storage $,
        Venue memory venue,
        Side memory maker,
        Side memory taker
    ) private {
        (MarketIndex memory word, MarketParams memory params) = (venue.word, venue.params);
        int256 change;
        uint256 notional;
        unchecked {
            change = Positions.longDelta(maker.sizeBefore, maker.sizeAfter);
            change += Positions.longDelta(taker.sizeBefore, taker.sizeAfter); // at most two times 2^96
            word.openInterest = uint256(int256(uint256(word.openInterest)) + change).toUint112();
            notional = (uint256(word.openInterest) * venue.index) / WAD;
        }
        if (change > 0) {
            Pause.requireOff($);
            if (notional > uint256(params.hardCap) * WAD) {
                revert IClearingHouseCore.OpenInterestCap(venue.market, notional, uint256(params.hardCap) * WAD);
            }
        }
        if (notional <= uint256(params.softCap) * WAD) return;
        if (_raises(maker)) Transient.addOpened(maker.account, venue.market);
        if (_raises(taker)) Transient.addOpened(taker.account, venue.market);
    }

    function _raises(Side memory side) private pure returns (bool) {
        return Fixed.abs(side.sizeAfter) > Fixed.abs(side.sizeBefore);
    }
}
