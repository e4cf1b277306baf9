// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {Assessment} from "../types/LedgerTypes.sol";
import {Auctions} from "./Auctions.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Margin} from "./Margin.sol";
import {Pools} from "./Pools.sol";
import {Positions} from "./Positions.sol";
import {Transient} from "./Transient.sol";

/// @notice The health table where it is not plain: an account that has IM only with unsettled profit, that is below IM, or that
/// recovers during its auction.
library Health {
    /// @notice Returns if the account may stand as it is, and ends its auction if it has recovered. Reverts otherwise.
    function examine(Ledger.State storage $, AccountId id) external {
        uint256 marks = Transient.marksOf(id);
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL);
        if (s.profit != 0) {
            // Profit is settled first: what pools hold becomes cash, and only the rest is unbacked.
            Pools.collectGains($, id, Pools.legs($, id));
            s = Margin.gather($, id, false, Margin.ALL);
        }
        Assessment memory a = Margin.judge($, s);
        int256 counted = _countedEquity($, id, s, a, marks);
        if (counted >= int256(a.initialMargin)) return Auctions.clear($, id);
        if (!_mayStayBelow(id, marks) || !_worsensNothing(Margin.judge($, Margin.gather($, id, true, Margin.ALL)), a)) {
            revert IClearingHouse.InsufficientMargin(id, counted, a.initialMargin);
        }
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
        if (s.profit == 0 || marks & (Transient.CASH_OUT | Transient.COLLATERAL_OUT) != 0) return counted;
        if (counted >= int256(a.initialMargin) || a.equity < int256(a.initialMargin)) return counted;
        uint64 markets = $.accounts[id].markets;
        while (markets != 0) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            (int256 size, int256 pnl) = Positions.pnlOf($, id, market, false);
            if (size == 0 || pnl <= 0) continue;
            uint256 without = Margin.judge($, Margin.gather($, id, false, market)).initialMargin;
            uint256 relief = without < a.initialMargin ? a.initialMargin - without : 0;
            counted += int256(Fixed.min(uint256(pnl), relief));
        }
    }

    /// @dev Below IM nothing leaves, except collateral against at least its value in cash brought in by the same batch.
    function _mayStayBelow(AccountId id, uint256 marks) private view returns (bool) {
        if (marks & (Transient.STRICT | Transient.CASH_OUT) != 0) return false;
        if (marks & Transient.COLLATERAL_OUT == 0) return true;
        return Transient.cashIn(id) >= Transient.collateralOut(id);
    }

    /// @dev None of E − IM, E − MM, E/MM has fallen, and E is not negative.
    function _worsensNothing(Assessment memory b, Assessment memory a) private pure returns (bool) {
        return
            a.equity >= 0 &&
            a.equity - int256(a.initialMargin) >= b.equity - int256(b.initialMargin) &&
            a.equity - int256(a.maintenanceMargin) >= b.equity - int256(b.maintenanceMargin) &&
            a.equity * int256(b.maintenanceMargin) >= b.equity * int256(a.maintenanceMargin);
    }
}
