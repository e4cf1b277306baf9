// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Log} from "@chainlink/contracts/src/v0.8/automation/interfaces/ILogAutomation.sol";
import {AccountId} from "../types/AccountId.sol";
import {IJobUpkeep} from "./IJobUpkeep.sol";

/// @notice When upkeep of an account is due, and who gets what it earns. Final.
struct AccountUpkeepSettings {
    uint32 callInterval; // [s] time from one margin call of an account to the next, 1 minute to 1 day
    uint128 settleThreshold; // [wad] least USD of PnL worth a settlement, 1 to 1,000,000
    address beneficiary; // receives this contract's share of penalties
}

/// @title Upkeep of accounts: margin calls, auctions, settlement, write-offs
/// @notice A job is an account id, and does all that is due for the account:
///
///     watch        it has a position, a debt or an auction and is not on the list of watched accounts
///     unwatch      it has none of them and is on the list
///     absorb       E < 0 and nothing to sell
///     flag         E < MM: at once, then every 60 s while a clock of its auction runs, then every `callInterval`
///                  MM ≤ E < IM: at once, then every `callInterval` (`MarginCall` each time)
///                  E ≥ IM: if its auction has to end
///                  something of it has no price: as for E < MM, if it is below MM even so
///     settle       in each of its markets at least `settleThreshold` would move, or a loss waits for cash and has not been looked at for
///                  50 minutes: its clock counts at most an hour from one look to the next (`IClearingHouseCore.cashCall`)
///
/// Accounts cannot be enumerated on-chain, so there is a list, which anyone extends through `perform` or `performUpkeep`, or which a
/// second registration extends: `checkLog`, triggered by `Trade`, `PositionTaken` or `LoansChanged` of the house.
///
/// `checkData` of `checkUpkeep` is a page of the list, `abi.encode(from, to)`, of at most 50 accounts. Whoever pays for a registration pays
/// for its pages only, however long strangers make the list. An account that leaves the list gives its place to the last one.
/// A winner who comes before his losers in a page is paid at the next check. A job takes at most 4 million gas, that of an account
/// of 16 markets and 4 collaterals 3 million.
///
/// Warning: anyone can open a small account and let it sink, so upkeep of a page costs up to a margin call of each of its accounts per
/// `callInterval`.
interface IAccountUpkeep is IJobUpkeep {
    event Watched(AccountId indexed account);
    event Unwatched(AccountId indexed account);
    /// @notice This contract's share of penalties went to the beneficiary. `amount` [wad].
    event Collected(uint256 amount);

    /// @dev The page is longer than `maximum`.
    error PageTooLong(uint256 from, uint256 to, uint256 maximum);
    /// @dev Nobody would receive what this contract earns.
    error NoBeneficiary();

    /// @notice What a log trigger of Chainlink Automation asks (`ILogAutomation`): whether an account that the log names has to be watched.
    /// Whatever the event, its indexed words are tried as accounts; those that are none hold nothing.
    /// @return upkeepNeeded whether there is one
    /// @return performData for `performUpkeep`
    function checkLog(
        Log calldata log,
        bytes calldata checkData
    ) external returns (bool upkeepNeeded, bytes memory performData);

    /// @notice Sends what this contract has earned as a flagger to the beneficiary. Open to anyone.
    /// @dev Emits `Collected`. Reverts as `IClearingHouseCore.withdraw` does, with `ZeroAmount` if there is nothing.
    /// @return amount [wad]
    function collect() external returns (uint256 amount);

    /// @notice The watched accounts from the one numbered `from` up to the one before `to`; fewer if the list is shorter.
    function watched(uint256 from, uint256 to) external view returns (uint256[] memory);

    /// @notice How many accounts are watched.
    function watchedCount() external view returns (uint256);

    /// @notice When this contract last flagged an account [s]; zero if never.
    function calledAt(AccountId account) external view returns (uint256);

    /// @notice See `AccountUpkeepSettings`.
    function callInterval() external view returns (uint256);
    /// @notice See `AccountUpkeepSettings`.
    function settleThreshold() external view returns (uint256);
    /// @notice See `AccountUpkeepSettings`.
    function beneficiary() external view returns (address);
}
