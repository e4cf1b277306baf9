// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {FLAG_LOANS} from "../types/LedgerTypes.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";

/// @notice Money in and out of an account. What comes in repays debt first; what goes out beyond cash first calls back the
/// account's own lent cash, then borrows as far as the lending pool is liquid.
library Cash {
    /// @notice Brings `amount` into an account.
    function credit(Ledger.State storage $, AccountId id, uint256 amount) internal {
        Ledger.addCash($, id, amount);
        if ($.accounts[id].flags & FLAG_LOANS != 0) Lending.repay($, id);
    }

    /// @notice Cash of an account and what it has lent.
    function withLent(Ledger.State storage $, AccountId id) internal view returns (uint256 amount) {
        amount = $.accounts[id].cash;
        if ($.accounts[id].flags & FLAG_LOANS == 0) return amount;
        (uint256 lent, ) = Lending.balances($, id, false);
        amount += lent;
    }

    /// @notice Takes `amount` out of an account, or reverts; `short` if it had less cash.
    function debit(Ledger.State storage $, AccountId id, uint256 amount) internal returns (bool short) {
        uint256 cash = $.accounts[id].cash;
        short = cash < amount;
        if (short) {
            uint256 raised = Lending.raise($, id, amount - cash, true);
            if (cash + raised < amount) revert IClearingHouseCore.InsufficientCash(id, cash + raised, amount);
        }
        Ledger.subCash($, id, amount);
    }
}
