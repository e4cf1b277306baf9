// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {CollateralRisk, IRiskEngine, UnderlyingRisk} from "../interfaces/IRiskEngine.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {CollateralParams, MarketParams, WAD} from "../types/LedgerTypes.sol";
import {IRiskSteward} from "./IRiskSteward.sol";

/// @title What may be tightened at once
/// @notice See `IRiskSteward`.
contract RiskSteward is IRiskSteward, AccessManaged {
    uint256 private constant STEP_INTERVAL = 1 days;
    // Most that an initial requirement may rise in a step, and above what governance set [percent of it].
    uint256 private constant STEP_RISE = 125;
    uint256 private constant TOTAL_RISE = 150;
    // Least part of an outflow cap that a step leaves, and of what governance set.
    uint256 private constant STEP_PART = 2;
    uint256 private constant TOTAL_PART = 4;

    /// @dev The steward's last step of a field. 96 + 96 + 64 = 256 bits.
    struct Step {
        uint96 base; // what governance had set
        uint96 value; // what the step set
        uint64 time; // [s]
    }

    IClearingHouse private immutable _clearingHouse;
    mapping(bytes32 field => mapping(uint256 id => Step)) private _steps;

    constructor(address authority, IClearingHouse clearingHouse) AccessManaged(authority) {
        _clearingHouse = clearingHouse;
    }

    /// @inheritdoc IRiskSteward
    function tightenMarket(uint256 market, uint48 softCap, uint48 hardCap) external restricted {
        (MarketParams memory params, , , , ) = _clearingHouse.market(market);
        _requireAny("hardCap", hardCap, hardCap == params.hardCap && softCap == params.softCap);
        _requireNotAbove("softCap", params.softCap, softCap);
        _requireNotAbove("hardCap", params.hardCap, hardCap);
        (params.softCap, params.hardCap) = (softCap, hardCap);
        _clearingHouse.setMarket(market, params);
        emit MarketTightened(market, softCap, hardCap);
    }

    /// @inheritdoc IRiskSteward
    function tightenCollateral(uint256 collateral, uint64 cap, uint64 accountCap) external restricted {
        CollateralParams memory params = _clearingHouse.collateral(collateral);
        _requireAny("cap", cap, cap == params.cap && accountCap == params.accountCap);
        _requireNotAbove("cap", params.cap, cap);
        _requireNotAbove("accountCap", params.accountCap, accountCap);
        (params.cap, params.accountCap) = (cap, accountCap);
        _clearingHouse.setCollateral(collateral, params);
        emit CollateralTightened(collateral, cap, accountCap);
    }

    /// @inheritdoc IRiskSteward
    function tightenOutflow(address token, uint64 cap) external restricted {
        (, uint256 limit) = _clearingHouse.outflow(token);
        uint256 standing = limit / WAD;
        if (cap == 0 || cap == standing) revert NotTighter("outflowCap", standing, cap);
        if (standing == 0) standing = _held(token);
        _requireNotAbove("outflowCap", standing, cap);
        uint256 base = _takeStep("outflowCap", uint160(token), standing, cap);
        uint256 least = Fixed.max(Fixed.divUp(standing, STEP_PART), Fixed.divUp(base, TOTAL_PART));
        if (cap < least) revert StepTooLarge("outflowCap", standing, cap, least);
        _clearingHouse.setOutflowCap(token, cap);
        emit OutflowTightened(token, cap);
    }

    /// @inheritdoc IRiskSteward
    function tightenUnderlying(uint256 underlying, uint32 initialFactor, uint24 basisInitial) external restricted {
        IRiskEngine engine = IRiskEngine(_clearingHouse.riskEngine());
        UnderlyingRisk memory risk = engine.underlyingRisk(underlying);
        bool stays = initialFactor == risk.initialFactor && basisInitial == risk.basisInitial;
        _requireAny("initialFactor", initialFactor, stays);
        _raise("initialFactor", underlying, risk.initialFactor, initialFactor);
        _raise("basisInitial", underlying, risk.basisInitial, basisInitial);
        (risk.initialFactor, risk.basisInitial) = (initialFactor, basisInitial);
        engine.setUnderlyingRisk(underlying, risk);
        emit UnderlyingTightened(underlying, initialFactor, basisInitial);
    }

    /// @inheritdoc IRiskSteward
    function tightenHaircut(uint256 collateral, uint24 haircutInitial, uint24 trackingInitial) external restricted {
        IRiskEngine engine = IRiskEngine(_clearingHouse.riskEngine());
        CollateralRisk memory risk = engine.collateralRisk(collateral);
        bool stays = haircutInitial == risk.haircutInitial && trackingInitial == risk.trackingInitial;
        _requireAny("haircutInitial", haircutInitial, stays);
        _raise("haircutInitial", collateral, risk.haircutInitial, haircutInitial);
        _raise("trackingInitial", collateral, risk.trackingInitial, trackingInitial);
        (risk.haircutInitial, risk.trackingInitial) = (haircutInitial, trackingInitial);
        engine.setCollateralRisk(collateral, risk);
        emit HaircutTightened(collateral, haircutInitial, trackingInitial);
    }

    /// @dev Judges a step of an initial requirement; none if it stays.
    function _raise(bytes32 field, uint256 id, uint256 standing, uint256 wanted) private {
        if (wanted == standing) return;
        if (wanted < standing) revert NotTighter(field, standing, wanted);
        uint256 base = _takeStep(field, id, standing, wanted);
        uint256 most = Fixed.min((standing * STEP_RISE) / 100, (base * TOTAL_RISE) / 100);
        if (wanted > most) revert StepTooLarge(field, standing, wanted, most);
    }

    /// @dev Notes a step and returns what governance had set: what stands, unless the steward itself put it there.
    function _takeStep(bytes32 field, uint256 id, uint256 standing, uint256 wanted) private returns (uint256 base) {
        Step memory last = _steps[field][id];
        if (block.timestamp < last.time + STEP_INTERVAL) revert StepTooSoon(field, last.time + STEP_INTERVAL);
        base = last.value == standing ? last.base : standing;
        _steps[field][id] = Step(uint96(base), uint96(wanted), uint64(block.timestamp)); // all below 2^96
    }

    /// @dev What the vault holds of a token [whole units], rounded up.
    function _held(address token) private view returns (uint256) {
        uint256 unit = 10 ** IERC20Metadata(token).decimals();
        return Fixed.divUp(IERC20Metadata(token).balanceOf(_clearingHouse.vault()), unit);
    }

    function _requireAny(bytes32 field, uint256 wanted, bool stays) private pure {
        if (stays) revert NotTighter(field, wanted, wanted);
    }

    function _requireNotAbove(bytes32 field, uint256 standing, uint256 wanted) private pure {
        if (wanted > standing) revert NotTighter(field, standing, wanted);
    }
}
