// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {AccountId} from "../types/AccountId.sol";
import {
    Account,
    Auction,
    CollateralParams,
    MarketIndex,
    MarketLoss,
    MarketParams,
    MarketPool,
    MarketRate,
    MAX_ACCOUNT_COLLATERALS,
    MAX_ACCOUNT_MARKETS,
    Position
} from "../types/LedgerTypes.sol";
import {RollingWindow} from "./RollingWindow.sol";
import {Transient} from "./Transient.sol";

/// @notice The state of the clearinghouse and the only door to an account's words. Every write of an account's cash, position
/// or collateral goes through here, keeps the bitmaps right and remembers what was there before (see `Transient`).
library Ledger {
    using SafeCast for uint256;
    using SafeCast for int256;

    struct State {
        mapping(AccountId => Account) accounts;
        mapping(AccountId => mapping(uint256 market => Position)) positions;
        mapping(AccountId => mapping(uint256 collateral => uint256)) balances; // [wad]
        mapping(AccountId => Auction) auctions;
        mapping(AccountId => mapping(uint256 market => uint256)) recordedDeficits; // [wad] by the last flag
        mapping(uint256 market => MarketIndex) indices;
        mapping(uint256 market => MarketRate) rates;
        mapping(uint256 market => MarketPool) pools;
        mapping(uint256 market => MarketLoss) losses;
        mapping(uint256 market => MarketParams) params;
        mapping(uint256 market => RollingWindow.Window) fundUse; // [wad] paid by the fund
        mapping(uint256 market => RollingWindow.Window) longCharges; // [36 decimals] per unit
        mapping(uint256 market => RollingWindow.Window) shortCharges; // [36 decimals] per unit
        mapping(uint256 collateral => CollateralParams) collaterals;
        mapping(address token => uint256 idPlusOne) collateralIds;
        uint256 totalFlaggedDeficit; // [wad]
        IRiskEngine riskEngine;
        IPriceOracle priceOracle;
        address exchange;
        address insuranceFund;
        address treasury;
    }

    // ---------------------------------------------------------------- cash

    function addCash(State storage $, AccountId id, uint256 amount) internal {
        if (amount == 0) return;
        Account memory a = $.accounts[id];
        a.cash = (uint256(a.cash) + amount).toUint112();
        storeAccount($, id, a);
    }

    function subCash(State storage $, AccountId id, uint256 amount) internal {
        if (amount == 0) return;
        Account memory a = $.accounts[id];
        if (a.cash < amount) revert IClearingHouse.InsufficientCash(id, a.cash, amount);
        a.cash -= uint112(amount);
        storeAccount($, id, a);
    }

    // ---------------------------------------------------------------- positions

    /// @notice Writes a position and its bit; a word of zero is a position that is gone.
    function setPosition(State storage $, AccountId id, uint256 market, int256 size, int256 quote) internal {
        Position storage slot = $.positions[id][market];
        bool held = _remember(_positionSlot(slot)) != 0;
        bool holds = size != 0 || quote != 0;
        $.positions[id][market] = Position(size.toInt128(), quote.toInt128());
        if (held == holds) return;
        Account memory a = $.accounts[id];
        if (holds) {
            if (id.isIsolated() && id.isolatedMarket() != market) revert IClearingHouse.IsolatedMarket(id, market);
            a.markets |= uint64(1 << market);
            if (LibBit.popCount(a.markets) > MAX_ACCOUNT_MARKETS)
                revert IClearingHouse.TooManyMarkets(id, MAX_ACCOUNT_MARKETS);
        } else {
            a.markets &= ~uint64(1 << market);
        }
        storeAccount($, id, a);
    }

    /// @notice Adds to the quote of a position.
    function addQuote(State storage $, AccountId id, uint256 market, int256 amount) internal {
        if (amount == 0) return;
        Position memory p = $.positions[id][market];
        setPosition($, id, market, p.size, p.quote + amount);
    }

    // ---------------------------------------------------------------- collateral

    /// @notice Writes a collateral balance and its bit.
    function setBalance(State storage $, AccountId id, uint256 collateral, uint256 balance) internal {
        mapping(uint256 => uint256) storage balances = $.balances[id];
        uint256 slot;
        assembly ("memory-safe") {
            mstore(0, collateral)
            mstore(32, balances.slot)
            slot := keccak256(0, 64)
        }
        bool held = _remember(slot) != 0;
        balances[collateral] = balance.toUint96();
        if (held == (balance != 0)) return;
        Account memory a = $.accounts[id];
        if (held) {
            a.collaterals &= ~uint64(1 << collateral);
        } else {
            a.collaterals |= uint64(1 << collateral);
            if (LibBit.popCount(a.collaterals) > MAX_ACCOUNT_COLLATERALS) {
                revert IClearingHouse.TooManyCollaterals(id, MAX_ACCOUNT_COLLATERALS);
            }
        }
        storeAccount($, id, a);
    }

    function storeAccount(State storage $, AccountId id, Account memory a) internal {
        Account storage slot = $.accounts[id];
        _remember(_accountSlot(slot));
        $.accounts[id] = a;
    }

    // ---------------------------------------------------------------- pre-images

    /// @notice The account word; as it was before this outermost call if `before`.
    function readAccount(State storage $, AccountId id, bool before) internal view returns (Account memory a) {
        Account storage slot = $.accounts[id];
        if (!before) return slot;
        uint256 word = _preimage(_accountSlot(slot));
        a = Account(uint112(word), uint64(word >> 112), uint64(word >> 176), uint16(word >> 240));
    }

    function readPosition(
        State storage $,
        AccountId id,
        uint256 market,
        bool before
    ) internal view returns (int256, int256) {
        Position storage slot = $.positions[id][market];
        if (!before) return (slot.size, slot.quote);
        uint256 word = _preimage(_positionSlot(slot));
        return (int128(uint128(word)), int128(uint128(word >> 128)));
    }

    function readBalance(
        State storage $,
        AccountId id,
        uint256 collateral,
        bool before
    ) internal view returns (uint256) {
        mapping(uint256 => uint256) storage balances = $.balances[id];
        if (!before) return balances[collateral];
        uint256 slot;
        assembly ("memory-safe") {
            mstore(0, collateral)
            mstore(32, balances.slot)
            slot := keccak256(0, 64)
        }
        return _preimage(slot);
    }

    // ---------------------------------------------------------------- bits

    /// @notice Index of the lowest set bit and the bitmap without it. Ask only while the bitmap is not zero.
    function pop(uint64 bitmap) internal pure returns (uint256 index, uint64 rest) {
        unchecked {
            return (LibBit.ffs(bitmap), bitmap & (bitmap - 1)); // the bitmap is not zero
        }
    }

    // ---------------------------------------------------------------- slots

    /// @dev Keeps and returns what a slot holds before it is written.
    function _remember(uint256 slot) private returns (uint256 value) {
        assembly ("memory-safe") {
            value := sload(slot)
        }
        Transient.remember(slot, value);
    }

    function _preimage(uint256 slot) private view returns (uint256) {
        uint256 value;
        assembly ("memory-safe") {
            value := sload(slot)
        }
        return Transient.preimage(slot, value);
    }

    function _accountSlot(Account storage a) private pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := a.slot
        }
    }

    function _positionSlot(Position storage p) private pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := p.slot
        }
    }
}
