// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {CollateralParams, WAD} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Margin} from "./Margin.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";

/// @notice Collateral in and out of an account, within caps and above dust. A liquidation moves balances without asking here.
library Collaterals {
    /// @notice Brings collateral into an account.
    function admit(Ledger.State storage $, AccountId id, uint256 collateral, uint256 amount) internal {
        CollateralParams memory params = $.collaterals[collateral];
        uint256 balance = $.balances[id][collateral] + amount;
        uint256 total = $.collateralTotals[collateral] + amount;
        if (params.delistingEnd != 0) revert IClearingHouse.Delisted(collateral, params.delistingEnd);
        if (total > params.cap * WAD) revert IClearingHouse.CollateralCap(collateral, total, params.cap * WAD);
        if (balance > params.accountCap * WAD) {
            revert IClearingHouse.CollateralCap(collateral, balance, params.accountCap * WAD);
        }
        _requireNoDust(id, collateral, balance, params.minBalance);
        $.collateralTotals[collateral] = total;
        Ledger.setBalance($, id, collateral, balance);
    }

    /// @notice Takes collateral out of an account and puts it up for a check.
    /// @dev In a batch collateral that leaves is valued, because below IM it has to be paid for. What leaves a flat account needs no
    /// price, but the account may not take on anything later in the batch that it does not have IM for.
    function release(Ledger.State storage $, AccountId id, uint256 collateral, uint256 amount) internal {
        uint256 balance = $.balances[id][collateral];
        if (balance < amount) revert IClearingHouse.InsufficientCollateral(id, collateral, balance, amount);
        _requireNoDust(id, collateral, balance - amount, $.collaterals[collateral].minBalance);
        $.collateralTotals[collateral] -= amount;
        Ledger.setBalance($, id, collateral, balance - amount);
        bool strict = !Transient.isBatching() || Margin.isFlat($, id);
        Transient.mark(id, strict ? Transient.COLLATERAL_OUT | Transient.STRICT : Transient.COLLATERAL_OUT);
        if (!strict) Transient.addCollateralOut(id, Fixed.divUp(amount * Prices.ofCollateral($, collateral), WAD));
    }

    function _requireNoDust(AccountId id, uint256 collateral, uint256 balance, uint256 minimum) private pure {
        if (balance != 0 && balance < minimum) {
            revert IClearingHouse.CollateralDust(id, collateral, balance, minimum);
        }
    }
}
