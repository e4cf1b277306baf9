// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {PriceSnapshot} from "../types/Portfolio.sol";
import {Ledger} from "./Ledger.sol";
import {Transient} from "./Transient.sol";

/// @notice One price per underlying and transaction: the first read of the oracle is kept in transient storage.
library Prices {
    /// @notice The snapshot, read from the oracle if there is none yet.
    function peek(Ledger.State storage $, uint256 underlying) internal view returns (PriceSnapshot s) {
        s = PriceSnapshot.wrap(Transient.price(underlying));
        if (s.isEmpty()) s = $.priceOracle.read(underlying);
    }

    /// @notice The snapshot, kept for the rest of the transaction.
    function prime(Ledger.State storage $, uint256 underlying) internal returns (PriceSnapshot s) {
        s = PriceSnapshot.wrap(Transient.price(underlying));
        if (!s.isEmpty()) return s;
        s = $.priceOracle.read(underlying);
        Transient.setPrice(underlying, PriceSnapshot.unwrap(s));
    }

    /// @notice Whether the price is usable; primes it if so. Never reverts because of a feed.
    function tryPrime(Ledger.State storage $, uint256 underlying) internal returns (bool) {
        if (Transient.price(underlying) != 0) return true;
        try $.priceOracle.read(underlying) returns (PriceSnapshot s) {
            Transient.setPrice(underlying, PriceSnapshot.unwrap(s));
            return true;
        } catch {
            return false;
        }
    }
}
