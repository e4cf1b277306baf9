// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IClearingHouseCore} from "./IClearingHouseCore.sol";
import {IClearingHouseExt} from "./IClearingHouseExt.sol";

/// @title The ledger
/// @notice Accounts, cash, collateral balances and positions. Every state change ends in one margin check of every account it
/// could have worsened:
///
///     healthy        E ≥ IM       everything that leaves E ≥ IM
///     margin call    MM ≤ E < IM  cash deposits; changes after which none of E − IM, E − MM, E/MM has fallen and E ≥ 0
///     liquidatable   E < MM       the same; anyone may liquidate
///     bankrupt       E < 0        deposits and liquidation only
///
/// An account without size, debt and negative quote is flat: it needs no price and no check.
///
/// Without a usable price: a market is neither settled nor traded, except by fills that reduce both sides at exactly the last good
/// price; whoever has a position in it can only do what worsens nothing, and nothing leaves his account. A collateral asset counts
/// zero, except for liquidation, where everything counts at its last good price moved in the owner's favour and stays out of the slice.
///
/// Units: amounts of cash, collateral, size, price and USD are 18-decimal fixed point [wad] unless an argument is named
/// as being in a token's own units. Cumulative indices have 36 decimals. Every rounding is against the account.
///
/// Warning: unsettled profit counts as equity, but only what a market's pool holds can leave. Warning: margin views revert
/// while a batch is under way.
///
/// Assumptions on tokens: no balance shrinks by itself; a transfer moves no more than asked. Assumptions for liveness only:
/// feeds answer, somebody flags.
interface IClearingHouse is IClearingHouseCore, IClearingHouseExt, IAccessManaged {}
