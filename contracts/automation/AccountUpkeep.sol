// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Log} from "@chainlink/contracts/src/v0.8/automation/interfaces/ILogAutomation.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {LibBit} from "solady/src/utils/LibBit.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {Auctions} from "../libraries/Auctions.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Account, Assessment, Auction, FLAG_LOANS, Loans, WAD} from "../types/LedgerTypes.sol";
import {AccountUpkeepSettings, IAccountUpkeep} from "./IAccountUpkeep.sol";
import {JobUpkeep} from "./JobUpkeep.sol";

/// @title Upkeep of accounts: margin calls, auctions, settlement, write-offs
/// @notice See `IAccountUpkeep`.
contract AccountUpkeep is IAccountUpkeep, JobUpkeep {
    using EnumerableSet for EnumerableSet.UintSet;

    uint256 private constant STIPEND = 4_000_000; // [gas] an account of 16 markets and 4 collaterals takes 3 million
    uint256 private constant MAX_PAGE = 50;
    uint256 private constant LOOK_INTERVAL = 50 minutes; // between two looks at a loss that waits for cash

    /// @inheritdoc IAccountUpkeep
    uint256 public immutable callInterval;
    /// @inheritdoc IAccountUpkeep
    uint256 public immutable settleThreshold;
    /// @inheritdoc IAccountUpkeep
    address public immutable beneficiary;

    EnumerableSet.UintSet private _watched;
    /// @inheritdoc IAccountUpkeep
    mapping(AccountId account => uint256) public calledAt;

    constructor(
        IClearingHouse clearingHouse_,
        AccountUpkeepSettings memory settings
    ) JobUpkeep(clearingHouse_, STIPEND) {
        _inBounds("callInterval", settings.callInterval, 1 minutes, 1 days);
        _inBounds("settleThreshold", settings.settleThreshold, 1e18, 1e24);
        if (settings.beneficiary == address(0)) revert NoBeneficiary();
        (callInterval, settleThreshold) = (settings.callInterval, settings.settleThreshold);
        beneficiary = settings.beneficiary;
    }

    /// @inheritdoc IAccountUpkeep
    function collect() external returns (uint256 amount) {
        AccountId own = AccountIds.main(address(this));
        amount = clearingHouse.withdraw(own, clearingHouse.cashToken(), type(uint256).max, beneficiary);
        emit Collected(amount);
    }

    // ---------------------------------------------------------------- which

    /// @inheritdoc IAccountUpkeep
    function checkLog(Log calldata log, bytes calldata) external returns (bool, bytes memory) {
        uint256[] memory jobs = new uint256[](log.topics.length);
        uint256 count = 0;
        for (uint256 i = 1; i < log.topics.length; ++i) {
            if (_watched.contains(uint256(log.topics[i]))) continue;
            jobs[count] = uint256(log.topics[i]);
            ++count;
        }
        assembly ("memory-safe") {
            mstore(jobs, count) // never longer than it was
        }
        return _check(jobs);
    }

    /// @inheritdoc IAccountUpkeep
    function watched(uint256 from, uint256 to) public view returns (uint256[] memory) {
        return _watched.values(from, to);
    }

    /// @inheritdoc IAccountUpkeep
    function watchedCount() external view returns (uint256) {
        return _watched.length();
    }

    function _candidates(bytes calldata checkData) internal view override returns (uint256[] memory) {
        (uint256 from, uint256 to) = abi.decode(checkData, (uint256, uint256));
        if (to > from && to - from > MAX_PAGE) revert PageTooLong(from, to, MAX_PAGE);
        return watched(from, to);
    }

    // ---------------------------------------------------------------- what

    function _perform(uint256 job) internal override returns (bool due) {
        AccountId id = AccountId.wrap(job);
        Account memory a = clearingHouse.account(id);
        Auction memory x = clearingHouse.auction(id);
        bool holds = a.markets != 0 || x.flagger != address(0) || _hasDebt(id, a);
        if (!holds) return _unwatch(id);
        due = _watch(id);
        if (_observe(id, x)) due = true;
        for (uint64 markets = a.markets; markets != 0; markets &= markets - 1) {
            if (_settle(id, LibBit.ffs(markets))) due = true;
        }
    }

    function _hasDebt(AccountId id, Account memory a) private view returns (bool) {
        if (a.flags & FLAG_LOANS == 0) return false;
        (, , Loans memory shares) = clearingHouse.loans(id);
        return shares.debtShares != 0;
    }

    function _watch(AccountId id) private returns (bool added) {
        added = _watched.add(AccountId.unwrap(id));
        if (added) emit Watched(id);
    }

    function _unwatch(AccountId id) private returns (bool removed) {
        removed = _watched.remove(AccountId.unwrap(id));
        if (removed) emit Unwatched(id);
    }

    /// @dev Writes an account off or flags it, if that is due.
    function _observe(AccountId id, Auction memory x) private returns (bool) {
        try clearingHouse.assess(id) returns (Assessment memory a) {
            if (a.equity < 0 && _absorb(id)) return true;
            if (!_isFlagDue(id, x, a)) return false;
        } catch {
            // Something of it has no price, and the flag itself finds out whether it is below MM even so.
            if (!_isClockDue(x, x.rescueClock != 0)) return false;
        }
        return _flag(id);
    }

    function _isFlagDue(AccountId id, Auction memory x, Assessment memory a) private view returns (bool) {
        if (a.equity >= int256(a.initialMargin)) return x.flagger != address(0);
        if (a.equity >= int256(a.maintenanceMargin)) return block.timestamp - calledAt[id] >= callInterval;
        return _isClockDue(x, a.equity <= int256((Auctions.MAX_DISCOUNT * a.maintenanceMargin) / WAD));
    }

    /// @dev For an account below MM; `sunk`: E ≤ d·MM at the largest d. A clock counts at most `MAX_STEP` from one flag to the next; that of the
    /// rescue is one ahead.
    function _isClockDue(Auction memory x, bool sunk) private view returns (bool) {
        bool runs = x.clock < Auctions.RAMP || (sunk && x.rescueClock <= Auctions.RAMP);
        return x.flagger == address(0) || block.timestamp - x.lastCall >= (runs ? Auctions.MAX_STEP : callInterval);
    }

    function _absorb(AccountId id) private returns (bool) {
        try clearingHouse.absorb(id) {
            return true;
        } catch {
            return false;
        }
    }

    function _flag(AccountId id) private returns (bool) {
        try clearingHouse.flag(id) {
            calledAt[id] = block.timestamp;
            return true;
        } catch {
            return false;
        }
    }

    /// @dev Settles an account in one market. Whether that was due is known afterwards, by what has moved.
    function _settle(AccountId id, uint256 market) private returns (bool) {
        Auction memory x = clearingHouse.auction(id);
        if (!_hasPnl(id, market) && x.cashCallClock == 0) return false;
        int256 quote = clearingHouse.position(id, market).quote;
        AccountId[] memory one = new AccountId[](1);
        one[0] = id;
        try clearingHouse.settle(market, one) {} catch {
            return false;
        }
        if (Fixed.abs(clearingHouse.position(id, market).quote - quote) >= settleThreshold) return true;
        bool seen = clearingHouse.auction(id).cashCallSeen != x.cashCallSeen;
        return seen && block.timestamp - x.cashCallSeen >= LOOK_INTERVAL;
    }

    /// @dev Whether there is PnL worth a settlement, and a price for it.
    function _hasPnl(AccountId id, uint256 market) private view returns (bool) {
        try clearingHouse.positionPnl(id, market) returns (int256 pnl) {
            return Fixed.abs(pnl) >= settleThreshold;
        } catch {
            return false;
        }
    }
}
