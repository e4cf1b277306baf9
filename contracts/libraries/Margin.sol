// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {Account, Assessment, FLAG_AUCTION, WAD} from "../types/LedgerTypes.sol";
import {Portfolios, PriceSnapshot} from "../types/Portfolio.sol";
import {Fixed} from "./Fixed.sol";
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

    /// @dev What an account holds of one underlying.
    struct Group {
        uint256 underlying;
        PriceSnapshot price;
        int256 net;
        uint256 gross;
        uint256 collaterals;
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

    /// @notice Collects an account; as it was before this outermost call if `before`; without the market `except`.
    function gather(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 except
    ) internal view returns (Snapshot memory s) {
        Account memory a = Ledger.readAccount($, id, before);
        Group[] memory groups = new Group[](Ledger.count(a.markets) + Ledger.count(a.collaterals));
        s.cash = a.cash;
        s.flat = true;
        uint256 used = _gatherMarkets($, id, before, except, a.markets, s, groups);
        uint256[] memory collateral;
        (used, collateral) = _gatherCollateral($, id, before, a.collaterals, groups, used);
        s.words = _pack(int256(s.cash) + int256(s.profit) - int256(s.loss), groups, used, collateral);
    }

    // ---------------------------------------------------------------- the check

    /// @notice Keeps the price of everything an account holds for the rest of the transaction.
    function prime(Ledger.State storage $, AccountId id) internal {
        Account memory a = $.accounts[id];
        uint256 i;
        for (uint64 bits = a.markets; bits != 0;) {
            (i, bits) = Ledger.pop(bits);
            if ($.positions[id][i].size != 0) Prices.prime($, $.rates[i].underlying);
        }
        for (uint64 bits = a.collaterals; bits != 0;) {
            (i, bits) = Ledger.pop(bits);
            Prices.prime($, $.collaterals[i].underlying);
        }
    }

    /// @notice Checks every pending account and empties the list.
    function verifyPending(Ledger.State storage $) internal {
        uint256 count = Transient.pendingCount();
        for (uint256 i = 0; i < count; ++i) verify($, Transient.pendingAt(i));
        if (count != 0) Transient.clearPending();
    }

    /// @notice Healthy without unsettled profit, which is the common case, or as `Health` allows. Reverts otherwise.
    function verify(Ledger.State storage $, AccountId id) internal {
        if (isFlat($, id)) return;
        prime($, id);
        Snapshot memory s = gather($, id, false, ALL);
        Assessment memory a = judge($, s);
        if (Transient.marksOf(id) & Transient.CASH_OUT != 0 && s.cash < s.loss) {
            revert IClearingHouse.UnsettledLoss(id, s.cash, s.loss);
        }
        bool healthy = a.equity - int256(s.profit) >= int256(a.initialMargin);
        if (!healthy || $.accounts[id].flags & FLAG_AUCTION != 0) Health.examine($, id);
    }

    // ---------------------------------------------------------------- gathering

    function _gatherMarkets(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint256 except,
        uint64 markets,
        Snapshot memory s,
        Group[] memory groups
    ) private view returns (uint256 used) {
        while (markets != 0) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            if (market == except) continue;
            (int256 size, int256 quote) = Ledger.readPosition($, id, market, before);
            int256 pnl = quote;
            if (size != 0) {
                uint256 at;
                (at, used) = _group($, groups, used, $.rates[market].underlying);
                Group memory g = groups[at];
                g.net += size;
                g.gross += Fixed.abs(size);
                pnl = Positions.pnl(size, quote, g.price.price(), Positions.sides($, market));
            }
            if (size != 0 || quote < 0) s.flat = false;
            if (pnl > 0) s.profit += uint256(pnl);
            else s.loss += uint256(-pnl);
        }
    }

    /// @dev Collateral words carry their group's index in bits 240 to 247 until they are packed.
    function _gatherCollateral(
        Ledger.State storage $,
        AccountId id,
        bool before,
        uint64 collaterals,
        Group[] memory groups,
        uint256 used
    ) private view returns (uint256, uint256[] memory words) {
        words = new uint256[](Ledger.count(collaterals));
        for (uint256 n = 0; collaterals != 0; ++n) {
            uint256 collateral;
            (collateral, collaterals) = Ledger.pop(collaterals);
            uint256 at;
            (at, used) = _group($, groups, used, $.collaterals[collateral].underlying);
            groups[at].collaterals++;
            uint256 value = valueOf(Ledger.readBalance($, id, collateral, before), groups[at].price);
            words[n] = Portfolios.collateral(collateral, value) | (at << 240);
        }
        return (used, words);
    }

    /// @notice Value of a balance [wad], floored.
    function valueOf(uint256 balance, PriceSnapshot price) internal pure returns (uint256) {
        return (balance * price.price()) / WAD;
    }

    function _group(
        Ledger.State storage $,
        Group[] memory groups,
        uint256 used,
        uint256 underlying
    ) private view returns (uint256 at, uint256) {
        for (; at < used; ++at) {
            if (groups[at].underlying == underlying) return (at, used);
        }
        groups[at].underlying = underlying;
        groups[at].price = Prices.peek($, underlying);
        return (at, used + 1);
    }

    function _pack(
        int256 base,
        Group[] memory groups,
        uint256 used,
        uint256[] memory collateral
    ) private pure returns (uint256[] memory words) {
        words = new uint256[](1 + 2 * used + collateral.length);
        words[0] = uint256(base);
        uint256 cursor = 1;
        for (uint256 at = 0; at < used; ++at) {
            Group memory g = groups[at];
            words[cursor++] = Portfolios.header(g.underlying, g.collaterals, g.price);
            words[cursor++] = Portfolios.exposure(g.net, g.gross);
            for (uint256 i = 0; g.collaterals != 0 && i < collateral.length; ++i) {
                if ((collateral[i] >> 240) & 0xff == at) words[cursor++] = collateral[i] & ~(uint256(0xff) << 240);
            }
        }
    }
}
