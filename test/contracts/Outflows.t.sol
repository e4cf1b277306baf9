// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {WAD} from "../../contracts/types/LedgerTypes.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice The limit on net outflow against a model that keeps every flow by itself and sums them up, each decayed since it happened,
/// over random deposits, withdrawals, announcements and silences of three owners with flat accounts.
contract OutflowsTest is House {
    uint256 private constant CAP = 100_000; // [whole units]
    uint256 private constant STEPS = 40;
    int256 private constant TOLERANCE = 1e9; // [wad] roundings of sums and exponentials
    uint256 private constant FINE = 1e27; // unit of the model's exponential

    AccountId[3] private _ids;
    int256[] private _flows; // [wad] out of the house
    uint256[] private _times; // [s] of the flows
    mapping(uint256 owner => uint256) private _announced; // [s] time of the request
    mapping(uint256 owner => uint256) private _covered; // [wad]

    function setUp() public {
        deployHouse();
        for (uint256 i = 0; i < 3; ++i) {
            _ids[i] = main(actor(string(abi.encodePacked("owner", i))));
            giveCash(_ids[i], 500_000e18);
        }
        ch.setOutflowCap(address(usdc), uint64(CAP));
    }

    /// @notice AUTH-5, FSA-5: never more than the cap, never less, and nobody flat is held up for longer than a day.
    /// hardhat-config: fuzz.runs = 200
    function testFuzz_AUTH_5_TheLimitIsTheSumOfDecayedFlows(uint256 seed) public {
        for (uint256 i = 0; i < STEPS; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            (uint256 owner, uint256 kind, uint256 draw) = (seed % 3, (seed >> 8) % 8, seed >> 128);
            if (kind < 2) _deposit(owner, draw % 150_000e6);
            else if (kind < 5) _withdraw(owner, draw % 150_000e6);
            else if (kind == 5) _announce(owner);
            else passTime(kind == 6 ? draw % 3 hours : draw % 30 hours);
            _compare();
        }
    }

    function _deposit(uint256 owner, uint256 units) private {
        if (units == 0) return;
        giveCash(_ids[owner], units * 1e12);
        _record(-int256(units * 1e12));
    }

    function _withdraw(uint256 owner, uint256 units) private {
        uint256 amount = units * 1e12;
        if (units == 0 || amount > cashOf(_ids[owner])) return;
        int256 room = int256(CAP * WAD) - _level() - int256(amount);
        if (room < TOLERANCE && room > -TOLERANCE) return;
        bool free = _isRipe(owner) && amount <= _covered[owner];
        if (room < 0 && !free) vm.expectPartialRevert(IClearingHouseCore.OutflowLimited.selector);
        withdrawCash(_ids[owner], amount);
        if (room < 0 && !free) return;
        _record(int256(amount));
        _covered[owner] = _covered[owner] > amount ? _covered[owner] - amount : 0;
    }

    function _announce(uint256 owner) private {
        vm.prank(_ids[owner].ownerOf());
        ch.requestExit(_ids[owner]);
        (_announced[owner], _covered[owner]) = (vm.getBlockTimestamp(), cashOf(_ids[owner]));
    }

    function _compare() private view {
        (int256 level, ) = ch.outflow(address(usdc));
        int256 error = level - _level();
        assert(error < TOLERANCE && error > -TOLERANCE);
    }

    function _isRipe(uint256 owner) private view returns (bool) {
        uint256 waited = vm.getBlockTimestamp() - _announced[owner];
        return _announced[owner] != 0 && waited >= 24 hours && waited <= 48 hours;
    }

    function _record(int256 amount) private {
        _flows.push(amount);
        _times.push(vm.getBlockTimestamp());
    }

    function _level() private view returns (int256 level) {
        for (uint256 i = 0; i < _flows.length; ++i) {
            level += (_flows[i] * int256(FINE)) / int256(_exp(vm.getBlockTimestamp() - _times[i]));
        }
    }

    /// @dev e^(time / 24 h) [FINE]: the square, eight times over, of a Taylor series.
    function _exp(uint256 time) private pure returns (uint256 result) {
        uint256 x = (time * FINE) / 24 hours / 256;
        uint256 term = FINE;
        for (uint256 n = 1; n < 25; ++n) {
            result += term;
            term = (term * x) / FINE / n;
        }
        for (uint256 i = 0; i < 8; ++i) result = (result * result) / FINE;
    }
}
