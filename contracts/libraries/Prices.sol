// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CollateralParams, WAD} from "../types/LedgerTypes.sol";
import {PriceSnapshot} from "../types/Portfolio.sol";
import {Ledger} from "./Ledger.sol";
import {Transient} from "./Transient.sol";

/// @notice One price per underlying and one rate per collateral asset in a transaction: the first answer of the oracle is kept in
/// transient storage, the answer that there is none included.
library Prices {
    /// @dev How a missing price is met. STRICT: revert with the oracle's error. CAUTIOUS: positions count at the last good price,
    /// collateral at zero. LAST_GOOD: both at the last good price. KINDEST: both at that price moved in the owner's favour.
    uint256 internal constant STRICT = 0;
    uint256 internal constant CAUTIOUS = 1;
    uint256 internal constant LAST_GOOD = 2;
    uint256 internal constant KINDEST = 3;

    uint256 private constant RATES = 256; // keys of rates follow those of underlyings
    uint256 private constant UNUSABLE = 1; // no snapshot: its factors are at least one

    // ---------------------------------------------------------------- now

    /// @notice The snapshot of an underlying; reverts with the oracle's error if its price is not usable.
    function read(Ledger.State storage $, uint256 underlying) internal view returns (PriceSnapshot s) {
        s = tryRead($, underlying);
        if (s.isEmpty()) s = $.priceOracle.latest(underlying); // reverts with the reason
    }

    /// @notice The snapshot of an underlying; empty if its price is not usable.
    /// @dev Declared a view so that external views share the code of the checks; see `_keepIfBusy`.
    function tryRead(Ledger.State storage $, uint256 underlying) internal view returns (PriceSnapshot s) {
        uint256 kept = Transient.price(underlying);
        if (kept == UNUSABLE) return s;
        if (kept != 0) return PriceSnapshot.wrap(kept);
        try $.priceOracle.latest(underlying) returns (PriceSnapshot answer) {
            s = answer;
        } catch {}
        _asView(_keepIfBusy)(underlying, s.isEmpty() ? UNUSABLE : PriceSnapshot.unwrap(s));
    }

    /// @notice Whether the price is usable. Never reverts because of a feed.
    function isUsable(Ledger.State storage $, uint256 underlying) internal view returns (bool) {
        return !tryRead($, underlying).isEmpty();
    }

    /// @notice USD per unit [wad] of a collateral asset, floored; reverts with the oracle's error if it has no usable price.
    function ofCollateral(Ledger.State storage $, uint256 collateral) internal view returns (uint256 price) {
        price = tryCollateral($, collateral);
        if (price != 0) return price;
        CollateralParams storage params = $.collaterals[collateral];
        price = read($, params.underlying).price();
        return (price * $.priceOracle.latestRate(collateral)) / WAD; // one of both reverts with the reason
    }

    /// @notice USD per unit [wad] of a collateral asset; zero if it has no usable price.
    function tryCollateral(Ledger.State storage $, uint256 collateral) internal view returns (uint256 price) {
        CollateralParams storage params = $.collaterals[collateral];
        price = tryRead($, params.underlying).price();
        if (price == 0 || !params.hasRate) return price;
        return (price * tryRate($, collateral)) / WAD;
    }

    /// @notice Units of the underlying [wad] per unit of a collateral asset; zero if its rate is not usable.
    function tryRate(Ledger.State storage $, uint256 collateral) internal view returns (uint256 rate) {
        uint256 kept = Transient.price(RATES + collateral);
        if (kept != 0) return kept == UNUSABLE ? 0 : kept;
        try $.priceOracle.latestRate(collateral) returns (uint256 answer) {
            rate = answer;
        } catch {}
        _asView(_keepIfBusy)(RATES + collateral, rate == 0 ? UNUSABLE : rate);
    }

    // ---------------------------------------------------------------- internals

    /// @dev Keeps an answer while the house is locked, that is in every call that changes state and in no view.
    function _keepIfBusy(uint256 key, uint256 answer) private {
        if (Transient.isBusy()) Transient.setPrice(key, answer);
    }

    /// @dev Remembering a price changes no state that outlives the transaction.
    function _asView(
        function(uint256, uint256) internal f
    ) private pure returns (function(uint256, uint256) internal view g) {
        assembly ("memory-safe") {
            g := f
        }
    }
}
