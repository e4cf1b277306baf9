// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {
    CollateralParams,
    FEE_UNIT,
    MARKET_LISTED,
    MarketRate,
    MAX_COLLATERALS,
    MAX_MARKETS
} from "../types/LedgerTypes.sol";
import {HouseUpkeepSettings, IHouseUpkeep} from "./IHouseUpkeep.sol";
import {JobUpkeep} from "./JobUpkeep.sol";

/// @title Upkeep of prices, funding, fees and reserves
/// @notice See `IHouseUpkeep`.
contract HouseUpkeep is IHouseUpkeep, JobUpkeep {
    uint256 private constant STIPEND = 1_200_000; // [gas] feeds that burn what the oracle gives them included
    uint256 private constant ROUNDS = 20; // of one observation
    uint256 private constant MOST_JOBS = 4 * MAX_MARKETS + 3 * MAX_COLLATERALS; // that there can be

    uint256 private constant KIND_SHIFT = 8;
    uint256 private constant OBSERVE = 0 << KIND_SHIFT;
    uint256 private constant OBSERVE_RATE = 1 << KIND_SHIFT;
    uint256 private constant ACCRUE = 2 << KIND_SHIFT;
    uint256 private constant SWEEP_FEES = 3 << KIND_SHIFT;
    uint256 private constant SWEEP_RESERVES = 4 << KIND_SHIFT;

    /// @inheritdoc IHouseUpkeep
    uint256 public immutable observeInterval;
    /// @inheritdoc IHouseUpkeep
    uint256 public immutable accrueInterval;
    /// @inheritdoc IHouseUpkeep
    uint256 public immutable sweepThreshold;

    constructor(IClearingHouse clearingHouse_, HouseUpkeepSettings memory settings) JobUpkeep(clearingHouse_, STIPEND) {
        _inBounds("observeInterval", settings.observeInterval, 1 minutes, 1 days);
        _inBounds("accrueInterval", settings.accrueInterval, 1 minutes, 1 days);
        _inBounds("sweepThreshold", settings.sweepThreshold, 1e18, 1e24);
        (observeInterval, accrueInterval) = (settings.observeInterval, settings.accrueInterval);
        sweepThreshold = settings.sweepThreshold;
    }

    // ---------------------------------------------------------------- which

    /// @dev Every job that the house's lists give rise to.
    function _candidates(bytes calldata) internal view override returns (uint256[] memory jobs) {
        jobs = new uint256[](MOST_JOBS);
        uint256 count = 0;
        uint256 underlyings = 0; // bitmap
        for (uint256 id = 0; id < MAX_MARKETS; ++id) {
            MarketRate memory rate = _rateOf(id);
            if (rate.flags & MARKET_LISTED == 0) continue;
            underlyings |= 1 << rate.underlying;
            (jobs[count], jobs[count + 1]) = (ACCRUE | id, SWEEP_FEES | id);
            count += 2;
        }
        for (uint256 id = 0; id < MAX_COLLATERALS; ++id) {
            CollateralParams memory c = clearingHouse.collateral(id);
            if (c.token == address(0)) continue;
            underlyings |= 1 << c.underlying;
            if (!c.hasRate) continue;
            jobs[count] = OBSERVE_RATE | id;
            ++count;
        }
        for (; underlyings != 0; underlyings &= underlyings - 1) {
            jobs[count] = OBSERVE | LibBit.ffs(underlyings);
            ++count;
        }
        jobs[count] = SWEEP_RESERVES;
        ++count;
        assembly ("memory-safe") {
            mstore(jobs, count) // at most 3 · 64 of markets, 2 · 64 of collaterals and one
        }
    }

    // ---------------------------------------------------------------- what

    function _perform(uint256 job) internal override returns (bool due) {
        uint256 id = job & ((1 << KIND_SHIFT) - 1);
        uint256 kind = job ^ id;
        if (kind == OBSERVE) return _observe(id);
        if (kind == OBSERVE_RATE) return _observeRate(id);
        if (kind == ACCRUE) return _accrue(id);
        if (kind == SWEEP_FEES) return _sweepFees(id);
        return kind == SWEEP_RESERVES && clearingHouse.sweepReserves() >= sweepThreshold;
    }

    function _observe(uint256 underlying) private returns (bool) {
        IPriceOracle oracle = _oracle();
        (, uint256 before) = oracle.lastGood(underlying);
        uint256 round = oracle.volatilityOf(underlying).round;
        oracle.observe(underlying, ROUNDS);
        (, uint256 time) = oracle.lastGood(underlying);
        return oracle.volatilityOf(underlying).round != round || time - before >= observeInterval;
    }

    function _observeRate(uint256 collateral) private returns (bool) {
        (, uint256 time) = _oracle().lastGoodRate(collateral);
        if (block.timestamp - time < observeInterval) return false;
        _oracle().observeRate(collateral);
        return true;
    }

    function _accrue(uint256 market) private returns (bool) {
        uint256 time = _rateOf(market).time;
        if (block.timestamp - time < accrueInterval) return false;
        clearingHouse.accrueFunding(market);
        return _rateOf(market).time != time;
    }

    function _sweepFees(uint256 market) private returns (bool) {
        uint256 fees = _rateOf(market).fees;
        if (fees * FEE_UNIT < sweepThreshold) return false;
        clearingHouse.sweepFees(market);
        return (fees - _rateOf(market).fees) * FEE_UNIT >= sweepThreshold;
    }

    function _rateOf(uint256 market) private view returns (MarketRate memory rate) {
        (, , rate, , ) = clearingHouse.market(market);
    }

    /// @dev Asked for each time: governance may replace it.
    function _oracle() private view returns (IPriceOracle) {
        return IPriceOracle(clearingHouse.priceOracle());
    }
}
