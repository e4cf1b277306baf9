// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {IVault} from "../interfaces/IVault.sol";
import {AccountId} from "../types/AccountId.sol";
import {CollateralParams, WAD} from "../types/LedgerTypes.sol";
import {Cash} from "./Cash.sol";
import {Fixed} from "./Fixed.sol";
import {Flows} from "./Flows.sol";
import {Guards} from "./Guards.sol";
import {Ledger} from "./Ledger.sol";
import {Margin} from "./Margin.sol";
import {Outflows} from "./Outflows.sol";
import {Pause} from "./Pause.sol";
import {Prices} from "./Prices.sol";
import {TokenUnits} from "./TokenUnits.sol";
import {Transient} from "./Transient.sol";

/// @notice Money and collateral into an account, out of it, and between two accounts of one owner. Collateral comes in within caps, and
/// neither way leaves dust; a liquidation moves balances without asking here.
library Custody {
    uint256 private constant ALL = type(uint256).max;
    uint256 private constant CASH = type(uint256).max; // where else the id of a collateral stands

    /// @notice What the clearinghouse knows for ever.
    struct Tokens {
        address vault;
        address cash;
        uint256 cashDecimals;
    }

    function deposit(
        Ledger.State storage $,
        Tokens memory tokens,
        AccountId id,
        address token,
        uint256 amount
    ) internal returns (uint256 credited) {
        if (amount == 0) revert IClearingHouseCore.ZeroAmount();
        if (token == tokens.cash) {
            credited = TokenUnits.toWadDown(_pull($, tokens, id, token, amount), tokens.cashDecimals);
            _creditCash($, id, credited);
        } else {
            Ledger.requireAuthority($, id);
            (uint256 collateral, uint256 decimals) = _collateralOf($, token);
            _requireListed($, collateral);
            credited = TokenUnits.toWadDown(_pull($, tokens, id, token, amount), decimals);
            _addTotal($, collateral, credited);
            _admit($, id, collateral, credited);
        }
        if (credited == 0) revert IClearingHouseCore.ZeroAmount();
        Outflows.credit($, token, credited);
        emit IClearingHouseCore.Deposited(id, token, _payer($, id), credited);
    }

    function withdraw(
        Ledger.State storage $,
        Tokens memory tokens,
        AccountId id,
        address token,
        uint256 amount,
        address to
    ) internal returns (uint256 debited, uint256 sent) {
        Ledger.requireAuthority($, id);
        if (to == address(0)) revert IClearingHouseCore.ZeroAddress();
        Guards.requirePayee($, id.ownerOf(), to);
        uint256 collateral;
        (collateral, debited, sent) = _measure($, tokens, id, token, amount);
        Outflows.debit($, id, token, debited, collateral == CASH);
        _take($, id, collateral, debited);
        if (collateral != CASH) $.collateralTotals[collateral] -= debited;
        emit IClearingHouseCore.Withdrawn(id, token, to, debited);
    }

    function transfer(
        Ledger.State storage $,
        Tokens memory tokens,
        AccountId from,
        AccountId to,
        address token,
        uint256 amount
    ) internal returns (uint256 moved) {
        Ledger.requireAuthority($, from);
        Guards.requireUnlocked($, from.ownerOf());
        if (from.equals(to)) revert IClearingHouseCore.SameAccount(from);
        if (to.ownerOf() != from.ownerOf()) revert IClearingHouseCore.OwnerMismatch(from, to);
        uint256 collateral;
        (collateral, moved, ) = _measure($, tokens, from, token, amount);
        _take($, from, collateral, moved);
        if (collateral == CASH) _creditCash($, to, moved);
        else _admit($, to, collateral, moved);
        emit IClearingHouseCore.Transferred(from, to, token, moved);
    }

    /// @dev What `amount` is in the token's own units and [wad], rounded up. All there is: of cash what is lent too, and nothing borrowed.
    function _measure(
        Ledger.State storage $,
        Tokens memory tokens,
        AccountId id,
        address token,
        uint256 amount
    ) private view returns (uint256 collateral, uint256 wad, uint256 units) {
        uint256 decimals = tokens.cashDecimals;
        if (token == tokens.cash) collateral = CASH;
        else (collateral, decimals) = _collateralOf($, token);
        units = amount;
        if (amount == ALL) {
            uint256 all = collateral == CASH ? Cash.withLent($, id) : $.balances[id][collateral];
            units = TokenUnits.fromWadDown(all, decimals);
        }
        if (units == 0) revert IClearingHouseCore.ZeroAmount();
        wad = TokenUnits.toWadUp(units, decimals);
    }

    function _take(Ledger.State storage $, AccountId id, uint256 collateral, uint256 amount) private {
        if (collateral == CASH) _debitCash($, id, amount);
        else _release($, id, collateral, amount);
    }

    /// @dev Whoever borrows for a fee must be worth it without unsettled profit, as who borrows for a loss. A pause does not stop it: the
    /// fill that it pays for may be a reduction.
    function payFee(
        Ledger.State storage $,
        Tokens memory tokens,
        AccountId from,
        AccountId to,
        uint256 amount
    ) internal {
        bool short = Cash.debit($, from, amount);
        Transient.mark(from, short ? Transient.FEE_OUT | Transient.BORROWED : Transient.FEE_OUT);
        _creditCash($, to, amount);
        emit IClearingHouseCore.Transferred(from, to, tokens.cash, amount);
    }

    /// @dev Returns what the vault received, in token units: of the caller, or of the owner if the exchange brings his intent.
    function _pull(
        Ledger.State storage $,
        Tokens memory tokens,
        AccountId id,
        address token,
        uint256 amount
    ) private returns (uint256) {
        return IVault(tokens.vault).pull(token, _payer($, id), amount);
    }

    function _payer(Ledger.State storage $, AccountId id) private view returns (address) {
        address owner = id.ownerOf();
        return msg.sender == owner || msg.sender == $.exchange ? owner : msg.sender;
    }

    function _creditCash(Ledger.State storage $, AccountId id, uint256 amount) private {
        Cash.credit($, id, amount);
        Transient.addCashIn(id, amount);
        Flows.count($, id, int256(amount));
    }

    /// @dev Takes cash at its owner's will. Who has debt then has borrowed now: nobody has debt and cash or lent cash at once.
    function _debitCash(Ledger.State storage $, AccountId id, uint256 amount) private {
        if (Cash.debit($, id, amount)) {
            (, uint256 debtShares) = Ledger.readLoans($, id, false);
            if (debtShares != 0) Pause.requireOff($);
        }
        Transient.mark(id, Transient.CASH_OUT);
        Flows.count($, id, -int256(amount));
    }

    /// @dev Counts collateral that comes into the house, as far as the cap of all accounts goes.
    function _addTotal(Ledger.State storage $, uint256 collateral, uint256 amount) private {
        uint256 cap = $.collaterals[collateral].cap * WAD;
        uint256 total = $.collateralTotals[collateral] + amount;
        if (total > cap) revert IClearingHouseCore.CollateralCap(collateral, total, cap);
        $.collateralTotals[collateral] = total;
    }

    /// @dev Brings collateral into an account, as far as its own cap goes.
    function _admit(Ledger.State storage $, AccountId id, uint256 collateral, uint256 amount) private {
        CollateralParams memory params = $.collaterals[collateral];
        uint256 balance = $.balances[id][collateral] + amount;
        _requireListed($, collateral);
        if (balance > params.accountCap * WAD) {
            revert IClearingHouseCore.CollateralCap(collateral, balance, params.accountCap * WAD);
        }
        _requireNoDust(id, collateral, balance, params.minBalance);
        Ledger.setBalance($, id, collateral, balance);
        Flows.stop($, id);
    }

    /// @dev Takes collateral out of an account and puts it up for a check. In a batch collateral that leaves is valued, because below IM it has to be paid for. What leaves a flat account needs no
    /// price, but the account may not take on anything later in the batch that it does not have IM for; nor may one out of which
    /// something without a price leaves.
    function _release(Ledger.State storage $, AccountId id, uint256 collateral, uint256 amount) private {
        uint256 balance = $.balances[id][collateral];
        if (balance < amount) revert IClearingHouseCore.InsufficientCollateral(id, collateral, balance, amount);
        _requireNoDust(id, collateral, balance - amount, $.collaterals[collateral].minBalance);
        Ledger.setBalance($, id, collateral, balance - amount);
        Flows.stop($, id);
        uint256 price = !Transient.isBatching() || Margin.isFlat($, id) ? 0 : Prices.tryCollateral($, collateral);
        bool strict = price == 0;
        Transient.mark(id, strict ? Transient.COLLATERAL_OUT | Transient.STRICT : Transient.COLLATERAL_OUT);
        if (!strict) Transient.addCollateralOut(id, Fixed.divUp(amount * price, WAD));
    }

    function _requireListed(Ledger.State storage $, uint256 collateral) private view {
        uint256 end = $.collaterals[collateral].delistingEnd;
        if (end != 0) revert IClearingHouseCore.Delisted(collateral, end);
    }

    function _requireNoDust(AccountId id, uint256 collateral, uint256 balance, uint256 minimum) private pure {
        if (balance != 0 && balance < minimum) {
            revert IClearingHouseCore.CollateralDust(id, collateral, balance, minimum);
        }
    }

    function _collateralOf(Ledger.State storage $, address token) private view returns (uint256 id, uint256 decimals) {
        id = $.collateralIds[token];
        if (id == 0) revert IClearingHouseCore.UnknownAsset(token);
        return (--id, $.collaterals[id].decimals);
    }
}
