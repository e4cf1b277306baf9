// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {MARKET_HAS_LOSS, MARKET_LISTED, MarketLoss, MarketRate, MAX_SIZE} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Funding} from "./Funding.sol";
import {Ledger} from "./Ledger.sol";
import {Prices} from "./Prices.sol";

/// @notice A position in one slot that accrues funding without being written.
///
///     PnL      = size · (mark − F_side) + quote       F_long = F + longIndex,  F_short = F − shortIndex
///     on trade   quote −= Δsize · (price − F_side)    each party with its own side's F
library Positions {
    int256 internal constant RAY36 = 1e36;
    int256 internal constant PRICE_TO_RAY36 = 1e18;

    /// @notice F of both sides of a market [36 decimals].
    struct Sides {
        int256 long;
        int256 short;
    }

    /// @notice F_long and F_short now.
    function sides(Ledger.State storage $, uint256 market) internal view returns (Sides memory s) {
        return sidesOf($, market, $.rates[market]);
    }

    /// @notice The same with the market's second word at hand.
    function sidesOf(
        Ledger.State storage $,
        uint256 market,
        MarketRate memory rate
    ) internal view returns (Sides memory) {
        return sidesAt($, market, Funding.current($.indices[market], rate), rate.flags);
    }

    /// @notice F_long and F_short for a funding index of `funding`.
    function sidesAt(
        Ledger.State storage $,
        uint256 market,
        int256 funding,
        uint256 flags
    ) internal view returns (Sides memory s) {
        if (flags & MARKET_HAS_LOSS == 0) return Sides(funding, funding);
        MarketLoss storage loss = $.losses[market];
        return Sides(funding + int256(loss.longIndex), funding - int256(loss.shortIndex));
    }

    /// @notice size · (mark − F_side) + quote, floored; size is not zero.
    function pnlAt(
        Ledger.State storage $,
        uint256 market,
        MarketRate memory rate,
        int256 size,
        int256 quote,
        uint256 mark
    ) internal view returns (int256) {
        int256 f = Funding.current($.indices[market], rate);
        if (rate.flags & MARKET_HAS_LOSS != 0) {
            MarketLoss storage loss = $.losses[market];
            f = size > 0 ? f + int256(loss.longIndex) : f - int256(loss.shortIndex);
        }
        return _value(size, mark, f) + quote;
    }

    /// @notice PnL of an account in a market; needs a price only if it has size.
    function pnlOf(
        Ledger.State storage $,
        AccountId id,
        uint256 market,
        bool before
    ) internal view returns (int256, int256) {
        (int256 size, int256 quote) = Ledger.readPosition($, id, market, before);
        if (size == 0) return (0, quote);
        MarketRate memory rate = $.rates[market];
        return (size, pnlAt($, market, rate, size, quote, Prices.read($, rate.underlying).price()));
    }

    /// @notice What a change of size at `price` does to the quote, floored. A change that crosses zero closes on the old side
    /// first and opens on the new.
    function quoteChange(int256 size, int256 delta, uint256 price, Sides memory s) internal pure returns (int256) {
        unchecked {
            if (size == 0 || (size > 0) == (delta > 0)) return _value(-delta, price, delta > 0 ? s.long : s.short);
            int256 f = size > 0 ? s.long : s.short;
            if (Fixed.abs(delta) <= Fixed.abs(size)) return _value(-delta, price, f);
            return _value(size, price, f) + _value(-delta - size, price, delta > 0 ? s.long : s.short);
        }
    }

    /// @notice Applies a change of size at `price` and adds `credit` to the quote; returns the whole change of the quote and both
    /// sizes.
    function change(
        Ledger.State storage $,
        AccountId id,
        uint256 market,
        int256 delta,
        uint256 price,
        Sides memory s,
        int256 credit
    ) internal returns (int256 quoteDelta, int256 sizeBefore, int256 sizeAfter) {
        int256 quote;
        (sizeBefore, quote) = Ledger.readPosition($, id, market, false);
        unchecked {
            sizeAfter = sizeBefore + delta; // |sizeBefore| ≤ 2^96: if this wraps, it is far too large as well
            if (Fixed.abs(sizeAfter) > MAX_SIZE) revert IClearingHouseCore.SizeTooLarge(market, sizeAfter, MAX_SIZE);
            quoteDelta = quoteChange(sizeBefore, delta, price, s) + credit; // credits below 2^129
            Ledger.setPosition($, id, market, sizeAfter, quote + quoteDelta);
        }
    }

    /// @notice How much a change from `before` to `after` adds to the sum of all long sizes.
    function longDelta(int256 sizeBefore, int256 sizeAfter) internal pure returns (int256) {
        unchecked {
            return int256(Fixed.positive(sizeAfter)) - int256(Fixed.positive(sizeBefore)); // each at most 2^96
        }
    }

    function requireListed(uint256 market, uint256 flags) internal pure {
        if (flags & MARKET_LISTED == 0) revert IClearingHouseCore.UnknownMarket(market);
    }

    /// @dev size · (price − F), floored. |size| ≤ 2^96, price ≤ 2^80: the product stays below 2^242.
    function _value(int256 size, uint256 price, int256 f) private pure returns (int256) {
        unchecked {
            return Fixed.divFloor(size * (int256(price) * PRICE_TO_RAY36 - f), RAY36);
        }
    }
}
