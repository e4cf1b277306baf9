// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {AccountId} from "../types/AccountId.sol";
import {
    Account,
    Auction,
    CollateralParams,
    ExitRequest,
    FLAG_EXIT,
    FLAG_LOANS,
    Guard,
    LendingParams,
    LendingPool,
    Loans,
    MarketIndex,
    MarketLoss,
    MarketParams,
    MarketPool,
    MarketRate,
    MAX_ACCOUNT_COLLATERALS,
    MAX_ACCOUNT_MARKETS,
    Openings,
    Outflow,
    PendingGuard,
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
        mapping(AccountId => Loans) loans;
        mapping(AccountId => Openings) openings;
        mapping(AccountId => Auction) auctions;
        mapping(AccountId => mapping(uint256 market => uint256)) recordedDeficits; // [wad] by the last flag; LENDING too
        mapping(uint256 market => MarketIndex) indices;
        mapping(uint256 market => MarketRate) rates;
        mapping(uint256 market => MarketPool) pools;
        mapping(uint256 market => MarketLoss) losses;
        mapping(uint256 market => MarketParams) params;
        mapping(uint256 market => RollingWindow.Window) fundUse; // [wad] paid by the fund; LENDING too
        mapping(uint256 market => RollingWindow.Window) longCharges; // [36 decimals] per unit
        mapping(uint256 market => RollingWindow.Window) shortCharges; // [36 decimals] per unit
        mapping(uint256 collateral => CollateralParams) collaterals;
        mapping(uint256 collateral => uint256) collateralTotals; // [wad] all accounts' balances
        mapping(address token => uint256 idPlusOne) collateralIds;
        LendingPool lending;
        LendingParams lendingParams;
        uint256 totalFlaggedDeficit; // [wad]
        IRiskEngine riskEngine;
        IPriceOracle priceOracle;
        address exchange;
        uint40 pausedUntil; // [s] end of the pause of new risk; beside `exchange`, which a trade reads anyway: 160 + 40 bits
        address insuranceFund;
        address treasury;
        mapping(address owner => Guard) guards;
        mapping(address owner => PendingGuard) pendingGuards;
        mapping(address owner => mapping(address payee => uint256)) payees; // [s] since when
        mapping(address token => Outflow) outflows;
        mapping(AccountId => ExitRequest) exits;
        mapping(AccountId => int256) flows; // [wad] cash that came in less what went out, of accounts with FLAG_FLOWS
        mapping(AccountId => uint256 bitmap) cappedUnderlyings; // of accounts with FLAG_CAPPED
        mapping(AccountId => mapping(uint256 underlying => uint256)) exposureCaps; // [wad] of those
    }

    // ---------------------------------------------------------------- authority

    /// @notice Refuses unless the caller is the account's owner, or the exchange, which has seen that he or a key of his wants it.
    function requireAuthority(State storage $, AccountId id) internal view {
        if (id.ownerOf() != msg.sender && msg.sender != $.exchange) {
            revert IClearingHouseCore.NotOwner(id, msg.sender);
        }
    }

    // ---------------------------------------------------------------- cash

    function addCash(State storage $, AccountId id, uint256 amount) internal {
        if (amount == 0) return;
        uint256 slot = _accountSlot($, id);
        uint256 word = _load(slot);
        uint256 cash = uint112(word);
        _write(slot, word, (word - cash) | (cash + amount).toUint112());
    }

    function subCash(State storage $, AccountId id, uint256 amount) internal {
        if (amount == 0) return;
        uint256 slot = _accountSlot($, id);
        uint256 word = _load(slot);
        if (uint112(word) < amount) revert IClearingHouseCore.InsufficientCash(id, uint112(word), amount);
        if ((word >> 240) & FLAG_EXIT != 0) _useExit($, id, amount);
        _write(slot, word, word - amount); // cash is the lowest field
    }

    // ---------------------------------------------------------------- positions

    /// @notice Writes a position and its bit; a word of zero is a position that is gone.
    function setPosition(State storage $, AccountId id, uint256 market, int256 size, int256 quote) internal {
        uint256 slot = _positionSlot($, id, market);
        uint256 before = _load(slot);
        uint256 word = uint128(size.toInt128()) | (uint256(uint128(quote.toInt128())) << 128);
        _write(slot, before, word);
        if ((before != 0) == (word != 0)) return;
        Account memory a = $.accounts[id];
        a.markets ^= uint64(1 << market);
        if (word != 0) {
            if (id.isIsolated() && id.isolatedMarket() != market) revert IClearingHouseCore.IsolatedMarket(id, market);
            if (LibBit.popCount(a.markets) > MAX_ACCOUNT_MARKETS) {
                revert IClearingHouseCore.TooManyMarkets(id, MAX_ACCOUNT_MARKETS);
            }
        }
        storeAccount($, id, a);
    }

    /// @notice Adds to the quote of a position.
    function addQuote(State storage $, AccountId id, uint256 market, int256 amount) internal {
        if (amount == 0) return;
        (int256 size, int256 quote) = readPosition($, id, market, false);
        setPosition($, id, market, size, quote + amount);
    }

    // ---------------------------------------------------------------- collateral

    /// @notice Writes a collateral balance and its bit.
    function setBalance(State storage $, AccountId id, uint256 collateral, uint256 balance) internal {
        uint256 slot = _balanceSlot($, id, collateral);
        uint256 before = _load(slot);
        _write(slot, before, balance.toUint96());
        if (balance > before) _voidExit($, id);
        if ((before != 0) == (balance != 0)) return;
        Account memory a = $.accounts[id];
        a.collaterals ^= uint64(1 << collateral);
        if (balance != 0 && LibBit.popCount(a.collaterals) > MAX_ACCOUNT_COLLATERALS) {
            revert IClearingHouseCore.TooManyCollaterals(id, MAX_ACCOUNT_COLLATERALS);
        }
        storeAccount($, id, a);
    }

    // ---------------------------------------------------------------- exits

    /// @dev Cash that has left once does not leave by the same request again.
    function _useExit(State storage $, AccountId id, uint256 amount) private {
        ExitRequest storage request = $.exits[id];
        uint256 left = request.cash;
        request.cash = left > amount ? uint112(left - amount) : 0;
    }

    /// @dev Collateral that was not there at the request came in.
    function _voidExit(State storage $, AccountId id) private {
        if ($.accounts[id].flags & FLAG_EXIT == 0) return;
        setFlag($, id, FLAG_EXIT, false);
        emit IClearingHouseCore.ExitVoided(id);
    }

    // ---------------------------------------------------------------- loans

    /// @notice Writes an account's shares in lent cash and debt and their flag.
    function setLoans(State storage $, AccountId id, uint256 lentShares, uint256 debtShares) internal {
        uint256 slot = _loansSlot($, id);
        uint256 before = _load(slot);
        uint256 word = uint256(lentShares.toUint128()) | (uint256(debtShares.toUint128()) << 128);
        _write(slot, before, word);
        setFlag($, id, FLAG_LOANS, word != 0);
    }

    /// @notice Shares in lent cash and debt.
    function readLoans(State storage $, AccountId id, bool before) internal view returns (uint256, uint256) {
        uint256 word = _read(_loansSlot($, id), before);
        return (uint128(word), word >> 128);
    }

    // ---------------------------------------------------------------- the account word

    /// @notice Sets or clears a flag.
    function setFlag(State storage $, AccountId id, uint16 flag, bool on) internal {
        Account memory a = $.accounts[id];
        uint16 flags = on ? a.flags | flag : a.flags & ~flag;
        if (flags == a.flags) return;
        a.flags = flags;
        storeAccount($, id, a);
    }

    /// @notice Writes the account word: 112 + 64 + 64 + 16 bits, cash lowest.
    function storeAccount(State storage $, AccountId id, Account memory a) internal {
        uint256 slot = _accountSlot($, id);
        uint256 word = uint256(a.cash) | (uint256(a.markets) << 112) | (uint256(a.collaterals) << 176);
        _write(slot, _load(slot), word | (uint256(a.flags) << 240));
    }

    // ---------------------------------------------------------------- reading, now or before this outermost call

    function readAccount(State storage $, AccountId id, bool before) internal view returns (Account memory a) {
        if (!before) return $.accounts[id];
        uint256 word = _read(_accountSlot($, id), true);
        a = Account(uint112(word), uint64(word >> 112), uint64(word >> 176), uint16(word >> 240));
    }

    function readPosition(
        State storage $,
        AccountId id,
        uint256 market,
        bool before
    ) internal view returns (int256, int256) {
        uint256 word = _read(_positionSlot($, id, market), before);
        return (int128(uint128(word)), int256(word) >> 128);
    }

    function readBalance(
        State storage $,
        AccountId id,
        uint256 collateral,
        bool before
    ) internal view returns (uint256) {
        return _read(_balanceSlot($, id, collateral), before);
    }

    /// @notice How a collateral asset is valued: the first word of `CollateralParams`, read once.
    function readValuation(
        State storage $,
        uint256 collateral
    ) internal view returns (uint256 underlying, bool hasRate, uint256 delistingEnd) {
        CollateralParams storage params = $.collaterals[collateral];
        uint256 slot;
        assembly ("memory-safe") {
            slot := params.slot
        }
        uint256 word = _load(slot); // token 160 | decimals 8 | underlying 8 | hasRate 8 | delistingEnd 32
        return (uint8(word >> 168), uint8(word >> 176) != 0, uint32(word >> 184));
    }

    // ---------------------------------------------------------------- bits

    /// @notice Index of the lowest set bit and the bitmap without it. Ask only while the bitmap is not zero.
    function pop(uint64 bitmap) internal pure returns (uint256 index, uint64 rest) {
        unchecked {
            return (LibBit.ffs(bitmap), bitmap & (bitmap - 1)); // the bitmap is not zero
        }
    }

    // ---------------------------------------------------------------- words

    /// @dev Writes a word and keeps what it was before its first change.
    function _write(uint256 slot, uint256 before, uint256 word) private {
        Transient.remember(slot, before);
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }

    function _load(uint256 slot) private view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    function _read(uint256 slot, bool before) private view returns (uint256) {
        uint256 word = _load(slot);
        return before ? Transient.preimage(slot, word) : word;
    }

    function _accountSlot(State storage $, AccountId id) private view returns (uint256 slot) {
        Account storage a = $.accounts[id];
        assembly ("memory-safe") {
            slot := a.slot
        }
    }

    function _positionSlot(State storage $, AccountId id, uint256 market) private view returns (uint256 slot) {
        Position storage p = $.positions[id][market];
        assembly ("memory-safe") {
            slot := p.slot
        }
    }

    function _loansSlot(State storage $, AccountId id) private view returns (uint256 slot) {
        Loans storage shares = $.loans[id];
        assembly ("memory-safe") {
            slot := shares.slot
        }
    }

    /// @dev The slot of balances[id][collateral].
    function _balanceSlot(State storage $, AccountId id, uint256 collateral) private view returns (uint256 slot) {
        mapping(uint256 => uint256) storage balances = $.balances[id];
        assembly ("memory-safe") {
            mstore(0, collateral)
            mstore(32, balances.slot)
            slot := keccak256(0, 64)
        }
    }
}
