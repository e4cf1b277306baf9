// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {LendingParams, LendingPool, PPM, WAD} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {TokenUnits} from "./TokenUnits.sol";

/// @notice The market in the settlement asset: what owners lend, others borrow against their margin.
///
///     liquid  = lent + reserves − borrowed
///     growth  = e^(rate · elapsed) − 1 on what is borrowed and not a flagged deficit: the debt of the bankrupt earns nothing
///     rate    = lowSlope · u / kink up to the kink, then + highSlope · (u − kink) / (1 − kink), u = borrowed / lent
///
/// The rate is that of the last movement of money, so an accrual in between changes nothing. Shares carry a virtual offset, so
/// that nobody can inflate the first one (as ERC-4626 vaults of OpenZeppelin do). Rounding is against the account.
/// Nobody has debt and cash or lent cash at once.
library Lending {
    using SafeCast for uint256;

    uint256 private constant VIRTUAL_SHARES = 1e6; // per wei of assets
    uint256 private constant YEAR = 365 days;
    uint256 private constant MAX_EXPONENT = 10e18; // [wad] growth saturates after decades of silence instead of overflowing

    // ---------------------------------------------------------------- the pool now

    /// @notice The pool with interest up to now.
    function current(Ledger.State storage $) internal view returns (LendingPool memory p) {
        p = $.lending;
        uint256 exponent = Fixed.min(uint256(p.rate) * (block.timestamp - p.time), MAX_EXPONENT);
        p.time = uint32(block.timestamp);
        if (exponent == 0) return p;
        uint256 earning = p.borrowed > p.flaggedDeficit ? p.borrowed - p.flaggedDeficit : 0;
        uint256 growth = uint256(FixedPointMathLib.expWad(int256(exponent))) + 1 - WAD; // rounded up
        uint256 interest = Fixed.divUp(earning * growth, WAD);
        uint256 reserved = Fixed.divUp(interest * $.lendingParams.reserveFactor, PPM);
        p.borrowed += interest.toUint128();
        p.lent += (interest - reserved).toUint128();
        p.reserves += reserved.toUint128();
    }

    /// @notice The same, for whoever does not want the code.
    function pool(Ledger.State storage $) external view returns (LendingPool memory) {
        return current($);
    }

    /// @notice Lent cash and debt of an account [wad], as it was before this outermost call if `before`.
    function balances(Ledger.State storage $, AccountId id, bool before) external view returns (uint256, uint256) {
        (uint256 lentShares, uint256 debtShares) = Ledger.readLoans($, id, before);
        LendingPool memory p = current($);
        return (lentOf(p, lentShares), debtOf(p, debtShares));
    }

    /// @notice Whether no money has moved in this block.
    function isCalm(Ledger.State storage $) internal view returns (bool) {
        return $.lending.time != block.timestamp;
    }

    /// @notice What can leave the pool [wad].
    function liquidity(LendingPool memory p) internal pure returns (uint256) {
        return uint256(p.lent) + p.reserves - p.borrowed;
    }

    /// @notice What shares of lent cash are worth, flagged deficits of borrowers left out: nobody runs from one.
    function lentOf(LendingPool memory p, uint256 shares) internal pure returns (uint256) {
        return (shares * (_netLent(p) + 1)) / (uint256(p.lentShares) + VIRTUAL_SHARES);
    }

    /// @notice Shares worth at least `amount` of lent cash.
    function sharesOf(LendingPool memory p, uint256 amount) internal pure returns (uint256) {
        return Fixed.divUp(amount * (uint256(p.lentShares) + VIRTUAL_SHARES), _netLent(p) + 1);
    }

    function debtOf(LendingPool memory p, uint256 shares) internal pure returns (uint256) {
        return Fixed.divUp(shares * (uint256(p.borrowed) + 1), uint256(p.debtShares) + VIRTUAL_SHARES);
    }

    /// @notice Rate [wad per second] at which `borrowed` of `lent` pays.
    function rateOf(LendingParams memory params, uint256 borrowed, uint256 lent) internal pure returns (uint256) {
        if (borrowed == 0 || params.kink == 0) return 0;
        uint256 u = borrowed >= lent ? PPM : (borrowed * PPM) / lent;
        uint256 low = params.lowSlope * Fixed.min(u, params.kink);
        uint256 yearly = (low * WAD) / params.kink; // [ppm · wad]
        if (u > params.kink) yearly += (params.highSlope * (u - params.kink) * WAD) / (PPM - params.kink);
        return yearly / (PPM * YEAR);
    }

    // ---------------------------------------------------------------- an owner's choice

    /// @notice Moves cash of an account into the pool.
    function lend(Ledger.State storage $, AccountId id, uint256 amount) external {
        LendingPool memory p = current($);
        uint256 shares = (amount * (uint256(p.lentShares) + VIRTUAL_SHARES)) / (uint256(p.lent) + 1);
        if (shares == 0) revert IClearingHouseCore.ZeroAmount();
        Ledger.subCash($, id, amount);
        p.lent += amount.toUint128();
        p.lentShares += shares.toUint128();
        (uint256 lentShares, uint256 debtShares) = Ledger.readLoans($, id, false);
        _setLoans($, id, lentShares + shares, debtShares, -int256(amount));
        _store($, p);
    }

    /// @notice Brings lent cash of an account back. `units` are the token's own.
    function recall(Ledger.State storage $, AccountId id, uint256 units, uint256 decimals) external {
        uint256 amount = TokenUnits.toWadDown(units, decimals);
        if (amount == 0) revert IClearingHouseCore.ZeroAmount();
        uint256 raised = _raise($, id, amount, false);
        if (raised < amount) revert IClearingHouseCore.InsufficientLiquidity(id, raised, amount);
    }

    // ---------------------------------------------------------------- what money does on its own

    /// @notice Raises up to `amount` of cash for an account from its lent cash, then, if it may, by borrowing.
    function raise(Ledger.State storage $, AccountId id, uint256 amount, bool mayBorrow) external returns (uint256) {
        return _raise($, id, amount, mayBorrow);
    }

    /// @notice Pays an account's debt from its cash and its lent cash, as far as they go.
    function repay(Ledger.State storage $, AccountId id) external {
        (uint256 lentShares, uint256 debtShares) = Ledger.readLoans($, id, false);
        if (debtShares == 0) return;
        LendingPool memory p = current($);
        uint256 debt = debtOf(p, debtShares);
        // Calling back to repay needs no liquidity: what leaves the lender comes in from the borrower.
        uint256 fromLent = 0;
        (fromLent, lentShares) = _callBack(p, lentShares, debt);
        uint256 fromCash = Fixed.min(debt - fromLent, $.accounts[id].cash);
        uint256 paid = fromLent + fromCash;
        if (paid == 0) return;
        uint256 shares =
            paid == debt ? debtShares : (paid * (uint256(p.debtShares) + VIRTUAL_SHARES)) / (uint256(p.borrowed) + 1);
        Ledger.subCash($, id, fromCash);
        _reduceDebt(p, shares, paid);
        _setLoans($, id, lentShares, debtShares - shares, -int256(fromCash));
        _store($, p);
    }

    /// @notice Moves lent cash and debt, in shares, from one account to another, whose debt is then paid as far as possible.
    function move(
        Ledger.State storage $,
        AccountId from,
        AccountId to,
        uint256 lentShares,
        uint256 debtShares
    ) external {
        (uint256 lent, uint256 debt) = Ledger.readLoans($, from, false);
        _setLoans($, from, lent - lentShares, debt - debtShares, 0);
        (lent, debt) = Ledger.readLoans($, to, false);
        _setLoans($, to, lent + lentShares, debt + debtShares, 0);
    }

    /// @notice Writes `amount` of an account's debt off, of which the insurance fund has paid `fromFund`; the suppliers bear the rest.
    function writeOff(Ledger.State storage $, AccountId id, uint256 amount, uint256 fromFund) external {
        (uint256 lentShares, uint256 debtShares) = Ledger.readLoans($, id, false);
        LendingPool memory p = current($);
        uint256 shares = Fixed.divUp(amount * (uint256(p.debtShares) + VIRTUAL_SHARES), uint256(p.borrowed) + 1);
        shares = amount >= debtOf(p, debtShares) ? debtShares : Fixed.min(shares, debtShares);
        _reduceDebt(p, shares, amount);
        uint256 lost = Fixed.min(amount - fromFund, p.lent);
        p.lent -= uint128(lost);
        p.reserves -= uint128(amount - fromFund - lost);
        _setLoans($, id, lentShares, debtShares - shares, 0);
        _store($, p);
    }

    /// @notice Adds to the deficits that flags have recorded; the debt they are part of earns nothing from now on.
    function flag(Ledger.State storage $, int256 amount) external {
        LendingPool memory p = current($);
        p.flaggedDeficit = uint256(int256(uint256(p.flaggedDeficit)) + amount).toUint128();
        $.lending = p;
    }

    /// @notice Takes what the pool can pay of its reserves out of it.
    function takeReserves(Ledger.State storage $) external returns (uint256 taken) {
        LendingPool memory p = current($);
        taken = Fixed.min(p.reserves, liquidity(p));
        p.reserves -= uint128(taken);
        $.lending = p; // the rate stands: no lender or borrower has moved
    }

    /// @notice Sets the interest rate's parameters; they apply from the next movement of money.
    function setParams(Ledger.State storage $, LendingParams calldata params) external {
        _inBounds("kink", params.kink, 100_000, 990_000);
        _inBounds("lowSlope", params.lowSlope, 0, PPM);
        _inBounds("highSlope", params.highSlope, 0, 10 * PPM);
        _inBounds("reserveFactor", params.reserveFactor, 0, 500_000);
        $.lending = current($);
        $.lendingParams = params;
        emit IClearingHouseCore.LendingParamsSet(params);
    }

    // ---------------------------------------------------------------- internals

    function _raise(
        Ledger.State storage $,
        AccountId id,
        uint256 amount,
        bool mayBorrow
    ) private returns (uint256 raised) {
        LendingPool memory p = current($);
        uint256 liquid = liquidity(p);
        (uint256 lentShares, uint256 debtShares) = Ledger.readLoans($, id, false);
        (raised, lentShares) = _callBack(p, lentShares, Fixed.min(amount, liquid));
        uint256 borrowed = mayBorrow ? Fixed.min(amount, liquid) - raised : 0;
        if (borrowed != 0) {
            uint256 shares = Fixed.divUp(borrowed * (uint256(p.debtShares) + VIRTUAL_SHARES), uint256(p.borrowed) + 1);
            p.borrowed += borrowed.toUint128();
            p.debtShares += shares.toUint128();
            (debtShares, raised) = (debtShares + shares, raised + borrowed);
        }
        if (raised == 0) return 0;
        Ledger.addCash($, id, raised);
        _setLoans($, id, lentShares, debtShares, int256(raised));
        _store($, p);
    }

    /// @dev Takes up to `amount` of lent cash out of the pool.
    function _callBack(
        LendingPool memory p,
        uint256 lentShares,
        uint256 amount
    ) private pure returns (uint256 paid, uint256 sharesLeft) {
        uint256 all = lentOf(p, lentShares);
        paid = Fixed.min(amount, all);
        if (paid == 0) return (0, lentShares);
        uint256 shares = paid == all ? lentShares : Fixed.min(lentShares, sharesOf(p, paid));
        p.lent -= uint128(paid);
        p.lentShares -= uint128(shares);
        sharesLeft = lentShares - shares;
    }

    function _netLent(LendingPool memory p) private pure returns (uint256) {
        return p.lent > p.flaggedDeficit ? p.lent - p.flaggedDeficit : 0;
    }

    /// @dev What is paid beyond the total, a rounding of wei, becomes a reserve.
    function _reduceDebt(LendingPool memory p, uint256 shares, uint256 amount) private pure {
        uint256 excess = amount > p.borrowed ? amount - p.borrowed : 0;
        p.borrowed -= uint128(amount - excess);
        p.reserves += uint128(excess);
        p.debtShares -= uint128(shares);
    }

    function _setLoans(
        Ledger.State storage $,
        AccountId id,
        uint256 lentShares,
        uint256 debtShares,
        int256 cash
    ) private {
        Ledger.setLoans($, id, lentShares, debtShares);
        emit IClearingHouseCore.LoansChanged(id, cash, lentShares, debtShares);
    }

    function _store(Ledger.State storage $, LendingPool memory p) private {
        p.rate = rateOf($.lendingParams, p.borrowed, p.lent).toUint64();
        $.lending = p;
        emit IClearingHouseCore.LendingChanged(p.lent, p.borrowed, p.reserves, p.rate);
    }

    function _inBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert IClearingHouseCore.ParameterOutOfBounds(name, value, low, high);
    }
}
