// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {AccountId} from "../types/AccountId.sol";
import {
    Account,
    Assessment,
    FLAG_AUCTION,
    FLAG_CAPPED,
    FLAG_LOANS,
    FLAG_OPENED,
    MarketRate,
    PPM,
    WAD
} from "../types/LedgerTypes.sol";
import {Portfolios, PriceSnapshot} from "../types/Portfolio.sol";
import {Health} from "./Health.sol";
import {LastGood} from "./LastGood.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";

/// @notice The margin check: gathers an account into a portfolio, has the risk engine judge it, and applies the health table.
library Margin {
    /// @dev No market is left out of a portfolio.
    uint256 internal constant ALL = type(uint256).max;
    uint256 internal constant DELISTING_RAMP = 14 days; // a haircut takes this long to reach 100 %

    /// @notice An account as it stands.
    struct Snapshot {
        uint256[] words; // packed as `types/Portfolio.sol` says
        uint256 underlyings; // bitmap of those that have a block
        uint256 cash; // [wad]
        uint256 profit; // [wad] Σ over markets of max(PnL, 0)
        uint256 loss; // [wad] Σ over markets of max(−PnL, 0)
        bool flat; // no size, no debt and no negative quote
        bool unpriced; // a position has no usable price
        bool degraded; // something has no usable price
    }

    // ---------------------------------------------------------------- assessment

    /// @notice E, IM and MM of an account now.
    function assess(Ledger.State storage $, AccountId id) internal view returns (Assessment memory) {
        return judge($, gather($, id, false, ALL, Prices.STRICT));
    }

    /// @notice Has the risk engine judge a snapshot; a flat account needs no margin.
    function judge(Ledger.State storage $, Snapshot memory s) internal view returns (Assessment memory a) {
        a = $.riskEngine.assess(s.words);
        if (s.flat) (a.initialMargin, a.maintenanceMargin) = (0, 0);
    }

    /// @notice MM of what has no usable price and stays where it is.
    function stuckMargin(Ledger.State storage $, Snapshot memory s) internal view returns (uint256) {
        return s.degraded ? $.riskEngine.assess(Portfolios.scale(s.words, 0)).maintenanceMargin : 0;
    }

    /// @notice No size, no debt and no negative quote. Needs no price.
    function isFlat(Ledger.State storage $, AccountId id) internal view returns (bool) {
        Account memory a = $.accounts[id];
        if (a.flags & FLAG_LOANS != 0) {
            (, uint256 debtShares) = Ledger.readLoans($, id, false);
            if (debtShares != 0) return false;
        }
        for (uint64 markets = a.markets; markets != 0;) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            (int256 size, int256 quote) = Ledger.readPosition($, id, market, false);
            if (size != 0 || quote < 0) return false;
        }
        return true;
    }

    // ---------------------------------------------------------------- the check

    /// @notice Checks every pending account and empties the list.
    function verifyPending(Ledger.State storage $) internal {
        uint256 count = Transient.pendingCount();
        for (uint256 i = 0; i < count; ++i) verify($, Transient.pendingAt(i));
        if (count != 0) Transient.clearPending();
    }

    /// @notice Healthy without unsettled profit, which is the common case, or as `Health` allows, and within its owner's caps. Reverts
    /// otherwise. A flat account needs no price.
    function verify(Ledger.State storage $, AccountId id) internal {
        Account memory a = $.accounts[id];
        Snapshot memory s = _gatherMarkets($, id, false, ALL, Prices.CAUTIOUS, a);
        if (s.flat) return;
        if (a.flags & FLAG_CAPPED != 0) Health.verifyExposure($, id);
        _gatherCollaterals($, id, false, Prices.CAUTIOUS, a, s);
        Assessment memory result = judge($, s);
        uint256 marks = Transient.marksOf(id);
        bool plain =
            a.flags & (FLAG_AUCTION | FLAG_OPENED) == 0 &&
                Transient.opened(marks) == 0 &&
                !s.unpriced &&
                (s.cash >= s.loss || marks & (Transient.CASH_OUT | Transient.FEE_OUT) == 0);
        if (plain && result.equity - int256(s.profit) >= int256(result.initialMargin)) return;
        Health.examine($, id);
    }

    // ---------------------------------------------------------------- gathering

    /// @notice Collects an account; as it was before this outermost call if `before`; without the market `except`; meeting
    /// missing prices as `mode` says.
    function gather(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 except,
        uint256 mode
    ) internal view returns (Snapshot memory s) {
        Account memory a = Ledger.readAccount($, id, before);
        s = _gatherMarkets($, id, before, except, mode, a);
        _gatherCollaterals($, id, before, mode, a, s);
    }

    /// @notice Value of a balance [wad] at `price` [wad], floored.
    function valueOf(uint256 balance, uint256 price) internal pure returns (uint256) {
        unchecked {
            return (balance * price) / WAD; // balances are below 2^96, prices below 2^88
        }
    }

    /// @notice USD per unit [wad] of a collateral asset; zero if it has no usable price or its delisting has ended.
    function priceOfCollateral(Ledger.State storage $, uint256 collateral) internal view returns (uint256) {
        return delistingRamp($.collaterals[collateral].delistingEnd) == PPM ? 0 : Prices.tryCollateral($, collateral);
    }

    /// @notice How far a collateral's haircut is on its way to 100 % [ppm]; at the end it counts zero and can only be withdrawn.
    function delistingRamp(uint256 end) internal view returns (uint256) {
        if (end == 0) return 0;
        uint256 left = end > block.timestamp ? end - block.timestamp : 0;
        return PPM - (left * PPM) / DELISTING_RAMP;
    }

    /// @dev PnL being linear in the price, all markets of an underlying collapse to one size; the rest goes into the base.
    function _gatherMarkets(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 except,
        uint256 mode,
        Account memory a
    ) private view returns (Snapshot memory s) {
        s.cash = a.cash;
        s.flat = true;
        s.words = Portfolios.create(LibBit.popCount(a.markets), LibBit.popCount(a.collaterals));
        for (uint64 bits = a.markets; bits != 0;) {
            uint256 market;
            (market, bits) = Ledger.pop(bits);
            if (market != except) _gatherMarket($, id, before, market, mode, s);
        }
        int256 base = int256(s.cash) + int256(s.profit) - int256(s.loss);
        if (a.flags & FLAG_LOANS != 0) {
            (uint256 lent, uint256 debt) = Lending.balances($, id, before);
            base += int256(lent) - int256(debt);
            if (debt != 0) s.flat = false;
        }
        s.words[0] = uint256(base);
    }

    function _gatherMarket(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 market,
        uint256 mode,
        Snapshot memory s
    ) private view {
        (int256 size, int256 pnl) = Ledger.readPosition($, id, market, before);
        if (size != 0 || pnl < 0) s.flat = false;
        if (size != 0) {
            MarketRate memory rate = $.rates[market];
            (uint256 at, bool stuck) = _block($, s, rate.underlying, mode);
            Portfolios.addSize(s.words, at, size);
            uint256 mark = Portfolios.priceAt(s.words, at).price();
            if (stuck) {
                s.unpriced = true;
                if (mode == Prices.KINDEST) {
                    mark = LastGood.kindest($, rate.underlying, mark, $.params[market].priceBand, size > 0);
                }
            }
            pnl = Positions.pnlAt($, market, rate, size, pnl, mark);
        }
        unchecked {
            // At most 16 markets, each below 2^128.
            if (pnl > 0) s.profit += uint256(pnl);
            else s.loss += uint256(-pnl);
        }
    }

    function _gatherCollaterals(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 mode,
        Account memory a,
        Snapshot memory s
    ) private view {
        for (uint64 bits = a.collaterals; bits != 0;) {
            uint256 collateral;
            (collateral, bits) = Ledger.pop(bits);
            _gatherCollateral($, collateral, Ledger.readBalance($, id, collateral, before), mode, s);
        }
    }

    function _gatherCollateral(
        Ledger.State storage $,
        uint256 collateral,
        uint256 balance,
        uint256 mode,
        Snapshot memory s
    ) private view {
        (uint256 underlying, bool hasRate, uint256 delistingEnd) = Ledger.readValuation($, collateral);
        uint256 ramp = delistingRamp(delistingEnd);
        if (ramp == PPM) return;
        (uint256 at, bool stuck) = _block($, s, underlying, mode);
        uint256 price = Portfolios.priceAt(s.words, at).price();
        if (hasRate && !stuck) {
            price = (price * Prices.tryRate($, collateral)) / WAD;
            stuck = price == 0;
        }
        if (stuck) {
            if (mode == Prices.STRICT) price = Prices.ofCollateral($, collateral); // reverts with the reason
            s.degraded = true;
            if (mode == Prices.CAUTIOUS) return;
            price = LastGood.ofCollateral($, collateral, mode == Prices.KINDEST);
        }
        Portfolios.addCollateral(s.words, at, collateral, stuck, ramp, valueOf(balance, price));
    }

    /// @dev The block of an underlying; a new one brings its price. Stuck if that is only the last good one.
    function _block(
        Ledger.State storage $,
        Snapshot memory s,
        uint256 underlying,
        uint256 mode
    ) private view returns (uint256 at, bool stuck) {
        uint256 bit = 1 << underlying;
        if (s.underlyings & bit != 0) {
            at = Portfolios.find(s.words, underlying);
            return (at, Portfolios.isStuck(s.words, at));
        }
        s.underlyings |= bit;
        PriceSnapshot price = mode == Prices.STRICT ? Prices.read($, underlying) : Prices.tryRead($, underlying);
        stuck = price.isEmpty();
        if (stuck) (price, s.degraded) = (LastGood.snapshot($, underlying), true);
        at = Portfolios.append(s.words, underlying, price, stuck);
    }
}
