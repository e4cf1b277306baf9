// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IJobUpkeep} from "./IJobUpkeep.sol";

/// @notice What both upkeeps share: see `IJobUpkeep`.
abstract contract JobUpkeep is IJobUpkeep {
    uint256 private constant MAX_JOBS = 10; // of one call
    uint256 private constant MIN_GAS = 1_000_000; // to begin a job: the 64th that it cannot burn is enough to end the call

    /// @inheritdoc IJobUpkeep
    IClearingHouse public immutable clearingHouse;
    uint256 private immutable _stipend; // [gas] most that one job can burn

    constructor(IClearingHouse clearingHouse_, uint256 stipend) {
        if (address(clearingHouse_).code.length == 0) revert NoHouse(address(clearingHouse_));
        (clearingHouse, _stipend) = (clearingHouse_, stipend);
    }

    /// @inheritdoc IJobUpkeep
    function perform(uint256 job) external {
        if (!_perform(job)) revert NothingDue();
    }

    function checkUpkeep(bytes calldata checkData) external returns (bool, bytes memory) {
        return _check(_candidates(checkData));
    }

    function performUpkeep(bytes calldata performData) external {
        if (_run(abi.decode(performData, (uint256[])), 0).length == 0) revert NothingDue();
    }

    // ---------------------------------------------------------------- internals

    /// @dev Does a job and says whether it was due; reverts if it cannot be done. What it did without being due is undone.
    function _perform(uint256 job) internal virtual returns (bool due);

    /// @dev The jobs that may be due.
    function _candidates(bytes calldata checkData) internal view virtual returns (uint256[] memory);

    /// @dev What Chainlink wants to know of these jobs.
    function _check(uint256[] memory jobs) internal returns (bool upkeepNeeded, bytes memory performData) {
        uint256[] memory due = _run(jobs, block.number);
        return (due.length != 0, abi.encode(due));
    }

    /// @dev Does jobs in order, beginning at the one numbered `first`, as far as their number and the gas allow. Returns those done.
    function _run(uint256[] memory jobs, uint256 first) private returns (uint256[] memory done) {
        done = new uint256[](MAX_JOBS);
        uint256 count = 0;
        for (uint256 i = 0; i < jobs.length && count < MAX_JOBS && gasleft() >= MIN_GAS; ++i) {
            uint256 job = jobs[(first + i) % jobs.length];
            try this.perform{gas: _stipend}(job) {
                done[count] = job;
                ++count;
            } catch {}
        }
        assembly ("memory-safe") {
            mstore(done, count) // never longer than it was
        }
    }

    function _inBounds(bytes32 name, uint256 value, uint256 min, uint256 max) internal pure {
        if (value < min || value > max) revert SettingOutOfBounds(name, value, min, max);
    }
}
