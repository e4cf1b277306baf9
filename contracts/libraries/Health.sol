// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {Assessment, FLAG_OPENED, MarketParams, Openings, WAD} from "../types/LedgerTypes.sol";
import {PriceSnapshot} from "../types/Portfolio.sol";
import {Auctions} from "./Auctions.sol";
import {Exposure} from "./Exposure.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Margin} from "./Margin.sol";
import {Pools} from "./Pools.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";

/// @notice The health table where it is not plain: an account that has IM only with unsettled profit, that is below IM, that
/// recovers during its auction, that opened above a soft cap, that owes unsettled losses, or that has a position without a price.
library Health {
    uint256 private constant PAYING = Transient.CASH_OUT | Transient.FEE_OUT;
    uint256 private constant LEAVING = PAYING | Transient.COLLATERAL_OUT;
    uint256 private constant OPENING_WINDOW = 1 hours; // what leaves is tested with the surcharge for so long

    /// @notice Returns if the account may stand as it is, and ends its auction if it has recovered. Reverts otherwise.
    function examine(Ledger.State storage $, AccountId id) external {
        Margin.Snapshot memory s = _settled($, id);
        uint256 marks = Transient.marksOf(id);
        Assessment memory a = Margin.judge($, s);
        int256 counted = _countedEquity($, id, s, a, marks);
        uint256 extra = surcharge($, id, marks);
        uint256 required = a.initialMargin + extra;
        _noteOpenings($, id, Transient.opened(marks));
        if (counted >= int256(required) && !s.unpriced) return Auctions.clear($, id);
        bool covered = marks & Transient.BORROWED == 0 || a.equity - int256(s.profit) >= int256(a.maintenanceMargin);
        if (extra != 0 || !covered || !_mayStayBelow(id, marks) || !_worsensNothing($, id, s, a)) {
            revert IClearingHouseCore.InsufficientMargin(id, counted, required);
        }
    }

    /// @notice See `Exposure`.
    function verifyExposure(Ledger.State storage $, AccountId id) external view {
        Exposure.verify($, id);
    }

    /// @notice Opening surcharge [wad]: on the account's whole notional in every market in which this call raised its size above the soft
    /// cap and, if something leaves, in which it did so within the last hour. A fee is a small part of what its own trade frees.
    function surcharge(Ledger.State storage $, AccountId id, uint256 marks) internal view returns (uint256 total) {
        uint64 markets = Transient.opened(marks);
        if (marks & LEAVING & ~Transient.FEE_OUT != 0) markets |= _recentOpenings($, id);
        while (markets != 0) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            (int256 size, ) = Ledger.readPosition($, id, market, false);
            if (size != 0) total += _surcharge($, market, Fixed.abs(size));
        }
    }

    function _surcharge(Ledger.State storage $, uint256 market, uint256 size) private view returns (uint256) {
        MarketParams memory params = $.params[market];
        PriceSnapshot s = Prices.read($, params.underlying);
        uint256 openInterest = (uint256($.indices[market].openInterest) * s.price()) / WAD;
        uint256 notional = Fixed.divUp(size * s.price(), WAD);
        return
            $.riskEngine.openingSurcharge(params.underlying, s, notional, openInterest, params.softCap, params.hardCap);
    }

    function _recentOpenings(Ledger.State storage $, AccountId id) private view returns (uint64) {
        if ($.accounts[id].flags & FLAG_OPENED == 0) return 0;
        Openings memory o = $.openings[id];
        return block.timestamp < o.time + OPENING_WINDOW ? o.markets : 0;
    }

    /// @dev Remembers what was opened above a soft cap, and forgets it after an hour.
    function _noteOpenings(Ledger.State storage $, AccountId id, uint64 opened) private {
        uint64 recent = _recentOpenings($, id);
        if (opened != 0) $.openings[id] = Openings(recent | opened, uint32(block.timestamp));
        Ledger.setFlag($, id, FLAG_OPENED, opened | recent != 0);
    }

    /// @dev The account at current prices, with its profit collected as far as pools hold it: what they hold becomes cash, and only the
    /// rest is unbacked. Cash leaves only after all losses are settled.
    function _settled(Ledger.State storage $, AccountId id) private returns (Margin.Snapshot memory s) {
        s = Margin.gather($, id, false, Margin.ALL, Prices.CAUTIOUS);
        uint256 marks = Transient.marksOf(id);
        // Nothing leaves without the prices of all positions: the oracle says why.
        if (s.unpriced && marks & LEAVING != 0) Margin.gather($, id, false, Margin.ALL, Prices.STRICT);
        bool mustSettle = marks & PAYING != 0 && s.cash < s.loss;
        if (mustSettle) Pools.settleAll($, id);
        else if (s.profit != 0) Pools.collectGains($, id, Pools.legs($, id));
        else return s;
        s = Margin.gather($, id, false, Margin.ALL, Prices.CAUTIOUS);
        if (mustSettle && s.loss != 0) revert IClearingHouseCore.UnsettledLoss(id, s.cash, s.loss);
    }

    /// @dev Equity that counts against IM: unsettled profit not at all for what leaves, else per market up to what closing that
    /// position would take off IM.
    function _countedEquity(
        Ledger.State storage $,
        AccountId id,
        Margin.Snapshot memory s,
        Assessment memory a,
        uint256 marks
    ) private view returns (int256 counted) {
        counted = a.equity - int256(s.profit);
        if (s.profit == 0 || s.unpriced || marks & LEAVING != 0) return counted;
        if (counted >= int256(a.initialMargin) || a.equity < int256(a.initialMargin)) return counted;
        uint64 markets = $.accounts[id].markets;
        while (markets != 0) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            (int256 size, int256 pnl) = Positions.pnlOf($, id, market, false);
            if (size == 0 || pnl <= 0) continue;
            Margin.Snapshot memory rest = Margin.gather($, id, false, market, Prices.CAUTIOUS);
            uint256 without = Margin.judge($, rest).initialMargin;
            uint256 relief = without < a.initialMargin ? a.initialMargin - without : 0;
            counted += int256(Fixed.min(uint256(pnl), relief));
        }
    }

    /// @dev Below IM nothing leaves, except fees, and collateral against at least its value in cash brought in by the same batch.
    function _mayStayBelow(AccountId id, uint256 marks) private view returns (bool) {
        if (marks & (Transient.STRICT | Transient.CASH_OUT) != 0) return false;
        if (marks & Transient.COLLATERAL_OUT == 0) return true;
        return Transient.cashIn(id) >= Transient.collateralOut(id);
    }

    /// @dev None of E − IM, E − MM, E/MM has fallen, and E is not negative, all at the same prices; what has none counts at its last
    /// good one, for it has not changed. `a` is the account after the change.
    function _worsensNothing(
        Ledger.State storage $,
        AccountId id,
        Margin.Snapshot memory s,
        Assessment memory a
    ) private view returns (bool) {
        if (s.degraded) a = Margin.judge($, Margin.gather($, id, false, Margin.ALL, Prices.LAST_GOOD));
        Assessment memory b = Margin.judge($, Margin.gather($, id, true, Margin.ALL, Prices.LAST_GOOD));
        return
            a.equity >= 0 &&
            a.equity - int256(a.initialMargin) >= b.equity - int256(b.initialMargin) &&
            a.equity - int256(a.maintenanceMargin) >= b.equity - int256(b.maintenanceMargin) &&
            a.equity * int256(b.maintenanceMargin) >= b.equity * int256(a.maintenanceMargin);
    }
}
