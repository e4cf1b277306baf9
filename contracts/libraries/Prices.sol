// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PriceSnapshot} from "../types/Portfolio.sol";
import {Ledger} from "./Ledger.sol";
import {Transient} from "./Transient.sol";

/// @notice One price per underlying and transaction: the first read of the oracle is kept in transient storage.
library Prices {
    /// @notice The snapshot of an underlying; reverts with the oracle's error if its price is not usable.
    /// @dev Declared a view so that external views share the code of the checks; see `_keepIfBusy`.
    function read(Ledger.State storage $, uint256 underlying) internal view returns (PriceSnapshot s) {
        s = PriceSnapshot.wrap(Transient.price(underlying));
        if (!s.isEmpty()) return s;
        s = $.priceOracle.read(underlying);
        _asView(_keepIfBusy)(underlying, s);
    }

    /// @notice Whether the price is usable. Never reverts because of a feed.
    function isUsable(Ledger.State storage $, uint256 underlying) internal view returns (bool) {
        if (Transient.price(underlying) != 0) return true;
        try $.priceOracle.read(underlying) returns (PriceSnapshot) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev Keeps a snapshot while the house is locked, that is in every call that changes state and in no view.
    function _keepIfBusy(uint256 underlying, PriceSnapshot s) private {
        if (Transient.isBusy()) Transient.setPrice(underlying, PriceSnapshot.unwrap(s));
    }

    /// @dev Remembering a price changes no state that outlives the transaction.
    function _asView(
        function(uint256, PriceSnapshot) internal f
    ) private pure returns (function(uint256, PriceSnapshot) internal view g) {
        assembly ("memory-safe") {
            g := f
        }
    }
}
