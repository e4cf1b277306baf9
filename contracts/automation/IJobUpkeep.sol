// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AutomationCompatibleInterface} from "@chainlink/contracts/src/v0.8/automation/interfaces/AutomationCompatibleInterface.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";

/// @title Upkeep as a list of jobs, for Chainlink Automation
/// @notice `checkUpkeep` simulates every job and returns those that succeed, as an `abi.encode`d `uint256[]`; `performUpkeep` takes such a
/// list and does what of it is still due. No step trusts the one before: whoever may call (anyone) and whatever list he brings, a job is
/// done only if it is due then, and only if the house allows everybody to do it.
///
/// A job runs for itself and with a stipend of gas: one that fails, for a dead feed or a bad account, is undone and does not hold up the
/// rest. A call does at most ten jobs and begins none with less than a million gas; what it leaves is still due at the next check. Checks begin at another job in every block, so that jobs that only burn gas cannot hide those behind them for long.
///
/// Warning: give `performUpkeep` its gas (5 million is enough for ten jobs); what `eth_estimateGas` answers is enough for one. Sent as a
/// transaction `checkUpkeep` does the jobs too, which harms nobody.
///
/// There is no owner, and no parameter can be changed: to change one, deploy anew and register that.
///
/// Not upkeep: `liquidate` and `cashCall` need a taker with margin, who carries what he takes; this contract has none, because a taker whom
/// anybody can make take is one whom anybody can make lose. Trigger orders are signed off-chain, and the exchange pays whoever brings them
/// (`IExchange.settleForFee`).
interface IJobUpkeep is AutomationCompatibleInterface {
    /// @dev No job of the list is due, or none of those that are succeeds.
    error NothingDue();
    /// @dev There is no contract at this address.
    error NoHouse(address clearingHouse);
    /// @dev A parameter lies outside its hard bound.
    error SettingOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max);

    /// @notice Does one job, with all the gas there is. Open to anyone. Called statically it says why a job is not done.
    /// @dev Reverts with `NothingDue` if it is not due, or with the house's own error.
    function perform(uint256 job) external;

    /// @notice The house that is kept up. Final.
    function clearingHouse() external view returns (IClearingHouse);
}
