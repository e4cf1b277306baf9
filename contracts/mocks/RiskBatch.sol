// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {Assessment} from "../types/LedgerTypes.sol";

/// @notice Asks a risk engine about many portfolios in one call.
contract RiskBatch {
    IRiskEngine private immutable _engine;

    constructor(IRiskEngine engine) {
        _engine = engine;
    }

    /// @return assessments of the portfolios
    /// @return errors what the engine reverted with, empty where it did not
    function assess(
        uint256[][] calldata portfolios
    ) external view returns (Assessment[] memory assessments, bytes[] memory errors) {
        assessments = new Assessment[](portfolios.length);
        errors = new bytes[](portfolios.length);
        for (uint256 i = 0; i < portfolios.length; ++i) {
            try _engine.assess(portfolios[i]) returns (Assessment memory assessment) {
                assessments[i] = assessment;
            } catch (bytes memory reason) {
                errors[i] = reason;
            }
        }
    }

    function slice(
        uint256[][] calldata portfolios,
        uint256[] calldata discounts,
        uint256 dust
    ) external view returns (uint256[] memory fractions) {
        fractions = new uint256[](portfolios.length);
        for (uint256 i = 0; i < portfolios.length; ++i) {
            (fractions[i], ) = _engine.slice(portfolios[i], discounts[i], dust);
        }
    }
}
