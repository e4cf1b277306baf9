// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IClearingHouseCore} from "./interfaces/IClearingHouseCore.sol";
import {Ledger} from "./libraries/Ledger.sol";
import {Transient} from "./libraries/Transient.sol";

/// @dev The one state that both halves of the ledger run on.
abstract contract ClearingHouseBase is AccessManaged {
    Ledger.State internal $;

    /// @dev Numbers in the middle of a batch are nobody's business.
    modifier settled() {
        if (!Transient.isIdle()) revert IClearingHouseCore.CheckPending();
        _;
    }

    /// @dev For what moves nothing and so needs no check at its end.
    modifier nonReentrant() {
        _enter();
        _;
        Transient.leave();
    }

    constructor(address authority) AccessManaged(authority) {}

    function _enter() internal {
        if (Transient.isBusy()) revert IClearingHouseCore.Reentrancy();
        Transient.enter();
    }
}
