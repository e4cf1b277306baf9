// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {Assessment} from "../types/LedgerTypes.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";
import {Margin} from "./Margin.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";

/// @notice Who may borrow to settle a loss.
library Borrowing {
    /// @notice Raises up to `amount` for an account's losses: from its lent cash and, only while it is worth MM without unsettled profit, by
    /// borrowing. So no lender pays for what a bankrupt owes its market, and no profit that nothing backs becomes money.
    function raiseForLoss(Ledger.State storage $, AccountId id, uint256 amount) external {
        amount -= Lending.raise($, id, amount, false);
        if (amount == 0 || Lending.liquidity(Lending.current($)) == 0) return;
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.CAUTIOUS);
        if (s.unpriced) return;
        Assessment memory a = Margin.judge($, s);
        if (a.equity - int256(s.profit) < int256(a.maintenanceMargin)) return;
        Lending.raise($, id, amount, true);
        Transient.markLater(id, Transient.BORROWED);
    }
}
