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
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";
import {Upkeep} from "./Upkeep.sol";

/// @notice Applies a fill to the ledger.
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

    /// @notice Checks a fill, brings funding up to now, changes both positions and open interest, and puts both accounts up for a check.
    function apply_(Ledger.State storage $, Fill calldata fill) internal returns (FillReceipt) {
        MarketRate memory rate = $.rates[fill.market];
        Positions.requireListed($, fill.market);
        if (fill.maker.equals(fill.taker)) revert IClearingHouseCore.SameAccount(fill.maker);
        MarketParams memory params = $.params[fill.market];
        uint256 index = Prices.tryRead($, rate.underlying).price();
        bool unpriced = index == 0;
        uint256 size = Fixed.abs(fill.size);
        if (unpriced) index = _lastGoodPrice($, fill, rate.underlying);
        else _checkPrice(fill, params, index);

        MarketIndex memory word = $.indices[fill.market];
        Funding.accrue(word, rate, index);
        if (!unpriced) Funding.observe(rate, fill.price, size, word.openInterest);
        Positions.Sides memory sides = Positions.sidesAt($, fill.market, word.funding, rate.flags);

        (Side memory maker, Side memory taker) = _sides(fill, params, size);
        _change($, fill, sides, maker, unpriced || fill.flags & FILL_MAKER_REDUCES != 0);
        _change($, fill, sides, taker, unpriced || fill.flags & FILL_TAKER_REDUCES != 0);

        if (size < params.minFill && maker.sizeAfter != 0 && taker.sizeAfter != 0) {
            revert IClearingHouseCore.FillTooSmall(fill.market, size, params.minFill);
        }
        rate.fees = (uint256(rate.fees) + (maker.fee + taker.fee) / FEE_UNIT).toUint64();
        _updateOpenInterest(fill.market, word, params, maker, taker, index);
        $.indices[fill.market] = word;
        $.rates[fill.market] = rate;
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
        if (!unpriced && (maker.sizeAfter == 0 || taker.sizeAfter == 0)) {
            Upkeep.settleClosed($, fill.market, maker.account, taker.account);
        }
        return FillReceipts.pack(index, maker.fee, taker.fee);
    }

    /// @dev Without a usable price a fill must be at exactly the last good one, and reduce both sides.
    function _lastGoodPrice(
        Ledger.State storage $,
        Fill calldata fill,
        uint256 underlying
    ) private view returns (uint256 price) {
        (PriceSnapshot s, uint256 time) = $.priceOracle.lastGood(underlying);
        price = s.price();
        if (price == 0 || block.timestamp - time > MAX_LAST_GOOD_AGE) price = Prices.read($, underlying).price(); // reverts
        if (fill.price != price) revert IClearingHouseCore.PriceOutOfBand(fill.market, fill.price, price, 0);
    }

    function _checkPrice(Fill calldata fill, MarketParams memory params, uint256 index) private pure {
        uint256 distance = fill.price > index ? fill.price - index : index - fill.price;
        if (distance * PPM > index * params.priceBand) {
            revert IClearingHouseCore.PriceOutOfBand(fill.market, fill.price, index, params.priceBand);
        }
    }

    /// @dev Fees are rounded up to FEE_UNIT. Of two resting orders each pays the mean of both fees.
    function _sides(
        Fill calldata fill,
        MarketParams memory params,
        uint256 size
    ) private pure returns (Side memory maker, Side memory taker) {
        (maker.account, maker.delta) = (fill.maker, -fill.size);
        (taker.account, taker.delta) = (fill.taker, fill.size);
        (uint256 makerFee, uint256 takerFee) = (2 * uint256(params.makerFee), 2 * uint256(params.takerFee));
        if (fill.flags & FILL_BOTH_REST != 0) makerFee = takerFee = (makerFee + takerFee) / 2;
        uint256 value = size * fill.price;
        maker.fee = Fixed.divUp(value * makerFee, 2 * PPM * WAD * FEE_UNIT) * FEE_UNIT;
        taker.fee = Fixed.divUp(value * takerFee, 2 * PPM * WAD * FEE_UNIT) * FEE_UNIT;
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

    /// @dev Long and short open interest are equal, so the longs' change is everybody's. Only a rise is capped.
    function _updateOpenInterest(
        uint256 market,
        MarketIndex memory word,
        MarketParams memory params,
        Side memory maker,
        Side memory taker,
        uint256 index
    ) private {
        int256 change =
            Positions.longDelta(maker.sizeBefore, maker.sizeAfter) +
                Positions.longDelta(taker.sizeBefore, taker.sizeAfter);
        word.openInterest = uint256(int256(uint256(word.openInterest)) + change).toUint112();
        uint256 notional = (uint256(word.openInterest) * index) / WAD;
        if (change > 0 && notional > uint256(params.hardCap) * WAD) {
            revert IClearingHouseCore.OpenInterestCap(market, notional, uint256(params.hardCap) * WAD);
        }
        if (notional <= uint256(params.softCap) * WAD) return;
        if (_raises(maker)) Transient.addOpened(maker.account, market);
        if (_raises(taker)) Transient.addOpened(taker.account, market);
    }

    function _raises(Side memory side) private pure returns (bool) {
        return Fixed.abs(side.sizeAfter) > Fixed.abs(side.sizeBefore);
    }
}
