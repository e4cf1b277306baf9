// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {FLAG_FLOWS} from "../types/LedgerTypes.sol";
import {Ledger} from "./Ledger.sol";

/// @notice What has gone into an account less what has gone out, so that equity less it is what the account has earned. Kept only where
/// the owner wants it, and of cash only: it ends when collateral comes in or goes out, whose value nobody has to know then.
library Flows {
    function set(Ledger.State storage $, AccountId id, bool on) internal {
        Ledger.requireAuthority($, id);
        $.flows[id] = 0;
        Ledger.setFlag($, id, FLAG_FLOWS, on);
        emit IClearingHouseCore.FlowsTracked(id, on);
    }

    function count(Ledger.State storage $, AccountId id, int256 amount) internal {
        if ($.accounts[id].flags & FLAG_FLOWS != 0) $.flows[id] += amount;
    }

    function stop(Ledger.State storage $, AccountId id) internal {
        if ($.accounts[id].flags & FLAG_FLOWS == 0) return;
        Ledger.setFlag($, id, FLAG_FLOWS, false);
        emit IClearingHouseCore.FlowsTracked(id, false);
    }
}
