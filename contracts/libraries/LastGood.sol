// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CollateralParams, PPM, WAD} from "../types/LedgerTypes.sol";
import {PriceSnapshot} from "../types/Portfolio.sol";
import {Ledger} from "./Ledger.sol";
import {Prices} from "./Prices.sol";

/// @notice What stands in for a price that is not usable: the last good one, and for liquidation the last good one moved by what the
/// market can have moved, in the owner's favour. So a speck of something stale protects nobody, and nobody is liquidated on a guess.
library LastGood {
    uint256 private constant MAX_REGIME = 3; // μ_max

    /// @notice The last good snapshot of an underlying; reverts with the oracle's error if there is none.
    function snapshot(Ledger.State storage $, uint256 underlying) external view returns (PriceSnapshot s) {
        (s, ) = $.priceOracle.lastGood(underlying);
        if (s.isEmpty()) s = $.priceOracle.latest(underlying); // reverts with the reason
    }

    /// @notice The last good price [wad] of an underlying moved by `band` [ppm] and κ · μ_max in favour of a position.
    function kindest(
        Ledger.State storage $,
        uint256 underlying,
        uint256 price,
        uint256 band,
        bool long
    ) external view returns (uint256) {
        uint256 reach = band + _reach($, underlying);
        if (long) return (price * (PPM + reach)) / PPM;
        return reach >= PPM ? 0 : (price * (PPM - reach)) / PPM;
    }

    /// @notice The last good price [wad] of a collateral asset, moved up by κ · μ_max if `kind`; zero if there has never been one.
    function ofCollateral(Ledger.State storage $, uint256 collateral, bool kind) external view returns (uint256 price) {
        CollateralParams storage params = $.collaterals[collateral];
        PriceSnapshot s = Prices.tryRead($, params.underlying);
        if (s.isEmpty()) (s, ) = $.priceOracle.lastGood(params.underlying);
        price = s.price();
        if (kind) price = (price * (PPM + _reach($, params.underlying))) / PPM;
        if (!params.hasRate) return price;
        uint256 rate = Prices.tryRate($, collateral);
        if (rate == 0) (rate, ) = $.priceOracle.lastGoodRate(collateral);
        return (price * rate) / WAD;
    }

    /// @dev κ · μ_max [ppm]
    function _reach(Ledger.State storage $, uint256 underlying) private view returns (uint256) {
        return MAX_REGIME * $.riskEngine.underlyingRisk(underlying).shock;
    }
}
