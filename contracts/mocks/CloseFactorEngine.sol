// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RiskEngine} from "../RiskEngine.sol";
import {Assessment, WAD} from "../types/LedgerTypes.sol";

/// @notice A risk engine that sells a fixed part of every account below MM, as other houses do, instead of the smallest slice that
/// lands at IM: for the replay lab to compare with.
contract CloseFactorEngine is RiskEngine {
    uint256 private immutable _closeFactor; // [wad]

    constructor(address authority, uint256 closeFactor) RiskEngine(authority) {
        _closeFactor = closeFactor;
    }

    /// @notice The fixed part, or the whole where E ≤ d · MM or where less than `dust` would be left.
    function slice(
        uint256[] calldata portfolio,
        uint256 discount,
        uint256 dust
    ) external view override returns (uint256 fraction, Assessment memory assessment) {
        Measure memory m = _measure(portfolio);
        assessment.equity = m.equity;
        (assessment.initialMargin, assessment.maintenanceMargin) = _margins(m, WAD);
        if (m.equity >= int256(assessment.initialMargin)) return (0, assessment);
        bool sinks = m.equity <= int256((discount * assessment.maintenanceMargin) / WAD);
        bool leavesDust = (m.gross * (WAD - _closeFactor)) / WAD < dust;
        fraction = sinks || leavesDust ? WAD : _closeFactor;
    }
}
