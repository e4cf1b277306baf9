// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {Account, Assessment, FLAG_AUCTION, MarketRate, WAD} from "../types/LedgerTypes.sol";
import {Portfolios, PriceSnapshot} from "../types/Portfolio.sol";
import {Health} from "./Health.sol";
import {Ledger} from "./Ledger.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";

/// @notice The margin check: gathers an account into a portfolio, has the risk engine judge it, and applies the health table.
library Margin {
    /// @dev No market is left out of a portfolio.
    uint256 internal constant ALL = type(uint256).max;

    /// @notice An account as it stands at current prices.
    struct Snapshot {
        uint256[] words; // packed as `types/Portfolio.sol` says
        uint256 cash; // [wad]
        uint256 profit; // [wad] Σ over markets of max(PnL, 0)
        uint256 loss; // [wad] Σ over markets of max(−PnL, 0)
        bool flat; // no size and no negative quote
    }

    // ---------------------------------------------------------------- assessment

    /// @notice E, IM and MM of an account now.
    function assess(Ledger.State storage $, AccountId id) internal view returns (Assessment memory) {
        return judge($, gather($, id, false, ALL));
    }

    /// @notice Has the risk engine judge a snapshot; a flat account needs no margin.
    function judge(Ledger.State storage $, Snapshot memory s) internal view returns (Assessment memory a) {
        a = $.riskEngine.assess(s.words);
        if (s.flat) (a.initialMargin, a.maintenanceMargin) = (0, 0);
    }

    /// @notice No size and no negative quote. Needs no price.
    function isFlat(Ledger.State storage $, AccountId id) internal view returns (bool) {
        uint64 markets = $.accounts[id].markets;
        while (markets != 0) {
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

    /// @notice Healthy without unsettled profit, which is the common case, or as `Health` allows. Reverts otherwise. A flat account
    /// needs no price.
    function verify(Ledger.State storage $, AccountId id) internal {
        Account memory a = $.accounts[id];
        Snapshot memory s = _gatherMarkets($, id, false, ALL, a);
        if (s.flat) return;
        _gatherCollaterals($, id, false, a, s);
        Assessment memory result = judge($, s);
        if (s.cash < s.loss && Transient.marksOf(id) & Transient.CASH_OUT != 0) {
            revert IClearingHouse.UnsettledLoss(id, s.cash, s.loss);
        }
        bool healthy = result.equity - int256(s.profit) >= int256(result.initialMargin);
        if (!healthy || a.flags & FLAG_AUCTION != 0) Health.examine($, id);
    }

    // ---------------------------------------------------------------- gathering

    /// @notice Collects an account; as it was before this outermost call if `before`; without the market `except`.
    function gather(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 except
    ) internal view returns (Snapshot memory s) {
        Account memory a = Ledger.readAccount($, id, before);
        s = _gatherMarkets($, id, before, except, a);
        _gatherCollaterals($, id, before, a, s);
    }

    /// @notice Value of a balance [wad], floored.
    function valueOf(uint256 balance, PriceSnapshot price) internal pure returns (uint256) {
        return (balance * price.price()) / WAD;
    }

    /// @dev PnL being linear in the price, all markets of an underlying collapse to one size; the rest goes into the base.
    function _gatherMarkets(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 except,
        Account memory a
    ) private view returns (Snapshot memory s) {
        s.cash = a.cash;
        s.flat = true;
        s.words = Portfolios.create(LibBit.popCount(a.markets), LibBit.popCount(a.collaterals));
        for (uint64 bits = a.markets; bits != 0;) {
            uint256 market;
            (market, bits) = Ledger.pop(bits);
            if (market != except) _gatherMarket($, id, before, market, s);
        }
        s.words[0] = uint256(int256(s.cash) + int256(s.profit) - int256(s.loss));
    }

    function _gatherMarket(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 market,
        Snapshot memory s
    ) private view {
        (int256 size, int256 pnl) = Ledger.readPosition($, id, market, before);
        if (size != 0 || pnl < 0) s.flat = false;
        if (size != 0) {
            MarketRate memory rate = $.rates[market];
            uint256 at = _block($, s.words, rate.underlying);
            Portfolios.addSize(s.words, at, size);
            Positions.Sides memory sides = Positions.sidesOf($, market, rate);
            pnl = Positions.pnl(size, pnl, Portfolios.priceAt(s.words, at).price(), sides);
        }
        if (pnl > 0) s.profit += uint256(pnl);
        else s.loss += uint256(-pnl);
    }

    function _gatherCollaterals(
        Ledger.State storage $,
        AccountId id,
        bool before,
        Account memory a,
        Snapshot memory s
    ) private view {
        for (uint64 bits = a.collaterals; bits != 0;) {
            uint256 collateral;
            (collateral, bits) = Ledger.pop(bits);
            uint256 at = _block($, s.words, $.collaterals[collateral].underlying);
            uint256 value = valueOf(Ledger.readBalance($, id, collateral, before), Portfolios.priceAt(s.words, at));
            Portfolios.addCollateral(s.words, at, collateral, value);
        }
    }

    /// @dev The block of an underlying; a new one brings its price.
    function _block(
        Ledger.State storage $,
        uint256[] memory words,
        uint256 underlying
    ) private view returns (uint256 at) {
        at = Portfolios.find(words, underlying);
        if (at == 0) at = Portfolios.append(words, underlying, Prices.read($, underlying));
    }
}
