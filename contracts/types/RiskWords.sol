// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CollateralRisk, UnderlyingRisk} from "../interfaces/IRiskEngine.sol";

/// @notice An `UnderlyingRisk` as it is stored. The formulas take fields out of the word where they need them: a struct decoded
/// into memory costs more than the formulas.
type UnderlyingWord is uint256;

/// @notice A `CollateralRisk` as it is stored.
type CollateralWord is uint256;

using UnderlyingWords for UnderlyingWord global;
using CollateralWords for CollateralWord global;

library UnderlyingWords {
    function load(UnderlyingRisk storage risk) internal view returns (UnderlyingWord word) {
        assembly ("memory-safe") {
            word := sload(risk.slot)
        }
    }

    function shock(UnderlyingWord w) internal pure returns (uint256) {
        return uint24(UnderlyingWord.unwrap(w));
    }

    function slope(UnderlyingWord w) internal pure returns (uint256) {
        return uint24(UnderlyingWord.unwrap(w) >> 24);
    }

    function basis(UnderlyingWord w) internal pure returns (uint256) {
        return uint24(UnderlyingWord.unwrap(w) >> 48);
    }

    function basisInitial(UnderlyingWord w) internal pure returns (uint256) {
        return uint24(UnderlyingWord.unwrap(w) >> 72);
    }

    function maxTracking(UnderlyingWord w) internal pure returns (uint256) {
        return uint24(UnderlyingWord.unwrap(w) >> 96);
    }

    function maxTrackingInitial(UnderlyingWord w) internal pure returns (uint256) {
        return uint24(UnderlyingWord.unwrap(w) >> 120);
    }

    function initialFactor(UnderlyingWord w) internal pure returns (uint256) {
        return uint32(UnderlyingWord.unwrap(w) >> 144);
    }

    function depth(UnderlyingWord w) internal pure returns (uint256) {
        return uint48(UnderlyingWord.unwrap(w) >> 176);
    }
}

library CollateralWords {
    function load(CollateralRisk storage risk) internal view returns (CollateralWord word) {
        assembly ("memory-safe") {
            word := sload(risk.slot)
        }
    }

    function haircut(CollateralWord w) internal pure returns (uint256) {
        return uint24(CollateralWord.unwrap(w));
    }

    function haircutInitial(CollateralWord w) internal pure returns (uint256) {
        return uint24(CollateralWord.unwrap(w) >> 24);
    }

    function tracking(CollateralWord w) internal pure returns (uint256) {
        return uint24(CollateralWord.unwrap(w) >> 48);
    }

    function trackingInitial(CollateralWord w) internal pure returns (uint256) {
        return uint24(CollateralWord.unwrap(w) >> 72);
    }

    function depegThreshold(CollateralWord w) internal pure returns (uint256) {
        return uint24(CollateralWord.unwrap(w) >> 104);
    }

    function depegFactor(CollateralWord w) internal pure returns (uint256) {
        return uint32(CollateralWord.unwrap(w) >> 128);
    }
}
