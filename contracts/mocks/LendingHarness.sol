// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Cash} from "../libraries/Cash.sol";
import {Ledger} from "../libraries/Ledger.sol";
import {Lending} from "../libraries/Lending.sol";
import {AccountId} from "../types/AccountId.sol";
import {LendingParams, LendingPool} from "../types/LedgerTypes.sol";

/// @notice The arithmetic of `Lending`, callable from a test.
contract LendingHarness {
    Ledger.State private $;

    constructor(LendingParams memory params) {
        $.lendingParams = params;
        $.lending.time = uint32(block.timestamp);
    }

    function credit(AccountId id, uint256 amount) external {
        Cash.credit($, id, amount);
    }

    function lend(AccountId id, uint256 amount) external {
        Lending.lend($, id, amount);
    }

    function raise(AccountId id, uint256 amount, bool mayBorrow) external {
        Lending.raise($, id, amount, mayBorrow);
    }

    function writeOff(AccountId id, uint256 amount, uint256 fromFund) external {
        Lending.writeOff($, id, amount, fromFund);
    }

    function flag(int256 amount) external {
        Lending.flag($, amount);
    }

    function account(AccountId id) external view returns (uint256 cash, uint256 lentShares, uint256 debtShares) {
        cash = $.accounts[id].cash;
        (lentShares, debtShares) = Ledger.readLoans($, id, false);
    }

    /// @return lent lent cash now [wad]
    /// @return debt debt now [wad]
    function balances(AccountId id) external view returns (uint256 lent, uint256 debt) {
        return Lending.balances($, id, false);
    }

    /// @return stored the pool as it is stored
    /// @return current with interest up to now
    function pool() external view returns (LendingPool memory stored, LendingPool memory current) {
        return ($.lending, Lending.current($));
    }

    function rateOf(LendingParams memory params, uint256 borrowed, uint256 lent) external pure returns (uint256) {
        return Lending.rateOf(params, borrowed, lent);
    }
}
