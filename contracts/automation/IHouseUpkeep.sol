// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IJobUpkeep} from "./IJobUpkeep.sol";

/// @notice When upkeep of the house is due. Final.
struct HouseUpkeepSettings {
    uint32 observeInterval; // [s] age of a last good price or rate from which it is observed again, 1 minute to 1 day
    uint32 accrueInterval; // [s] time since a market's last accrual from which funding is accrued, 1 minute to 1 day
    uint128 sweepThreshold; // [wad] least USD of fees or reserves worth a sweep, 1 to 1,000,000
}

/// @title Upkeep of prices, funding, fees and reserves
/// @notice Jobs are numbered kind · 256 + id:
///
///     kind                  id           due
///     0  observe            underlying   rounds of the feed have not been observed (where there is a regime of volatility), or the last
///                                        good price is older than `observeInterval` and there is a usable one
///     1  observeRate        collateral   the last good rate is older than `observeInterval` and there is a usable one
///     2  accrueFunding      market       the last accrual is older than `accrueInterval`, and there is a usable price, another one than
///                                        then: at the same one there is nothing to accrue
///     3  sweepFees          market       at least `sweepThreshold` would be paid out or set against bad debt
///     4  sweepReserves      0            at least `sweepThreshold` would be paid
///
/// `checkData` is empty: markets and collaterals are found in the house's lists, underlyings through them, so a listing needs no new
/// registration. An observation takes at most 20 rounds; more are left to the next one, in order. Each job takes at most 1.2 million gas.
interface IHouseUpkeep is IJobUpkeep {
    /// @notice See `HouseUpkeepSettings`.
    function observeInterval() external view returns (uint256);
    /// @notice See `HouseUpkeepSettings`.
    function accrueInterval() external view returns (uint256);
    /// @notice See `HouseUpkeepSettings`.
    function sweepThreshold() external view returns (uint256);
}
