// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {Guard, PendingGuard} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";

/// @notice What an owner puts between his accounts and a thief of his key: a list of payees, a delay of whatever loosens, a guardian,
/// and the lockdown. A guardian can freeze, never take.
library Guards {
    uint256 internal constant MAX_DELAY = 30 days;
    uint256 internal constant MIN_UNLOCK_DELAY = 1 days; // of an owner whose own delay is shorter

    // ---------------------------------------------------------------- what is checked

    /// @notice Refuses a withdrawal to somebody whom the owner has not put on his list in time.
    function requirePayee(Ledger.State storage $, address owner, address to) internal view {
        Guard memory g = current($, owner);
        if (!g.restricted && g.lockTime == 0) return;
        uint256 since = $.payees[owner][to];
        if (since == 0 || since > (g.lockTime == 0 ? block.timestamp : g.lockTime)) {
            revert IClearingHouseCore.PayeeNotAllowed(owner, to, since);
        }
    }

    /// @notice Refuses what a lockdown does not leave to the owner.
    function requireUnlocked(Ledger.State storage $, address owner) internal view {
        uint256 since = $.guards[owner].lockTime;
        if (since != 0) revert IClearingHouseCore.LockedDown(owner, since);
    }

    /// @notice The guard in force. Only who has a guard can have one that waits.
    function current(Ledger.State storage $, address owner) internal view returns (Guard memory g) {
        g = $.guards[owner];
        if (g.delay == 0) return g;
        PendingGuard memory p = $.pendingGuards[owner];
        if (p.time == 0 || p.time > block.timestamp) return g;
        (g.guardian, g.delay, g.restricted) = (p.guardian, p.delay, p.restricted);
    }

    // ---------------------------------------------------------------- what is set

    function set(Ledger.State storage $, address guardian, uint256 delay, bool restricted) internal {
        address owner = msg.sender;
        requireUnlocked($, owner);
        if (delay > MAX_DELAY) revert IClearingHouseCore.ParameterOutOfBounds("delay", delay, 0, MAX_DELAY);
        Guard memory g = _settle($, owner);
        bool loosens = delay < g.delay || (g.restricted && !restricted);
        if (g.guardian != address(0) && g.guardian != guardian) loosens = true;
        uint256 time = block.timestamp + (loosens ? g.delay : 0);
        if (time == block.timestamp) {
            (g.guardian, g.delay, g.restricted) = (guardian, uint24(delay), restricted);
            $.guards[owner] = g;
        } else {
            $.pendingGuards[owner] = PendingGuard(guardian, uint24(delay), uint32(time), restricted);
        }
        emit IClearingHouseCore.GuardSet(owner, guardian, delay, restricted, time);
    }

    function allowPayee(Ledger.State storage $, address payee) internal {
        address owner = msg.sender;
        requireUnlocked($, owner);
        if (payee == address(0)) revert IClearingHouseCore.ZeroAddress();
        if ($.payees[owner][payee] != 0) revert IClearingHouseCore.AlreadySet();
        uint256 since = block.timestamp + current($, owner).delay;
        $.payees[owner][payee] = since;
        emit IClearingHouseCore.PayeeAllowed(owner, payee, since);
    }

    function removePayee(Ledger.State storage $, address owner, address payee) internal {
        _requireGuardian($, owner);
        if ($.payees[owner][payee] == 0) revert IClearingHouseCore.PayeeNotAllowed(owner, payee, 0);
        delete $.payees[owner][payee];
        emit IClearingHouseCore.PayeeRemoved(owner, payee, msg.sender);
    }

    // ---------------------------------------------------------------- lockdown

    /// @notice Also takes back what waits, and what the owner has asked for an earlier lockdown.
    function lockDown(Ledger.State storage $, address owner) internal {
        _requireGuardian($, owner);
        Guard memory g = _settle($, owner);
        bool locked = g.lockTime != 0;
        if (!locked) g.lockTime = uint32(block.timestamp);
        g.unlockTime = 0;
        $.guards[owner] = g;
        emit IClearingHouseCore.LockdownSet(owner, msg.sender, true);
        if (!locked) IExchange($.exchange).setLockdown(owner, true);
    }

    function unlock(Ledger.State storage $, address owner) internal {
        _requireGuardian($, owner);
        Guard memory g = _settle($, owner);
        if (g.lockTime == 0) revert IClearingHouseCore.NotLockedDown(owner);
        if (msg.sender == owner) {
            if (g.unlockTime == 0) return _askToUnlock($, owner, g);
            if (block.timestamp < g.unlockTime) revert IClearingHouseCore.UnlockTooEarly(owner, g.unlockTime);
        }
        (g.lockTime, g.unlockTime) = (0, 0);
        $.guards[owner] = g;
        emit IClearingHouseCore.LockdownSet(owner, msg.sender, false);
        IExchange($.exchange).setLockdown(owner, false);
    }

    function _askToUnlock(Ledger.State storage $, address owner, Guard memory g) private {
        g.unlockTime = uint32(block.timestamp + Fixed.max(g.delay, MIN_UNLOCK_DELAY));
        $.guards[owner] = g;
        emit IClearingHouseCore.UnlockRequested(owner, g.unlockTime);
    }

    // ---------------------------------------------------------------- internals

    /// @dev The owner is his own first guardian.
    function _requireGuardian(Ledger.State storage $, address owner) private view {
        if (msg.sender != owner && msg.sender != current($, owner).guardian) {
            revert IClearingHouseCore.NotGuardian(owner, msg.sender);
        }
    }

    /// @dev The guard in force; what waits is taken over if its time has come, and forgotten if not.
    function _settle(Ledger.State storage $, address owner) private returns (Guard memory g) {
        g = current($, owner);
        if ($.pendingGuards[owner].time == 0) return g;
        $.guards[owner] = g;
        delete $.pendingGuards[owner];
    }
}
