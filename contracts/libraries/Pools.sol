// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {Account, FLAG_LOANS, MARKET_HAS_LOSS, MarketPool, MarketRate} from "../types/LedgerTypes.sol";
import {Borrowing} from "./Borrowing.sol";
import {Cash} from "./Cash.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";
import {Margin} from "./Margin.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";

/// @notice Profit is paid only from settled losses. Each market has a pool; Σ PnL over all accounts and unswept fees = pool + bad
/// debt of the market: what winners can claim is what losers have paid in, still owe, or failed to pay.
library Pools {
    using SafeCast for uint256;

    /// @notice An account's stake in one market at the current price.
    struct Leg {
        uint256 market;
        int256 size;
        int256 pnl; // zero if it is stuck
        bool stuck; // it has size and no usable price
    }

    /// @notice All markets an account holds.
    function legs(Ledger.State storage $, AccountId id) internal view returns (Leg[] memory list) {
        uint64 markets = $.accounts[id].markets;
        list = new Leg[](LibBit.popCount(markets));
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            list[i] = _leg($, id, market);
        }
    }

    function totalLoss(Leg[] memory list) internal pure returns (uint256 loss) {
        for (uint256 i = 0; i < list.length; ++i) loss += Fixed.positive(-list[i].pnl);
    }

    /// @notice Spreads an amount over the losing markets, in proportion to what was lost in each, and an uncovered debt; the parts
    /// add up exactly.
    function split(
        Leg[] memory list,
        uint256 debt,
        uint256 amount
    ) internal pure returns (uint256[] memory parts, uint256 ofDebt) {
        parts = new uint256[](list.length);
        uint256 all = totalLoss(list) + debt;
        if (amount == 0) return (parts, 0);
        ofDebt = Fixed.min(amount, Fixed.divUp(amount * debt, all));
        uint256 left = amount - ofDebt;
        for (uint256 i = 0; i < list.length && left != 0; ++i) {
            parts[i] = Fixed.min(left, Fixed.divUp(amount * Fixed.positive(-list[i].pnl), all));
            left -= parts[i];
        }
    }

    /// @notice Debt of an account beyond the value of its collateral [wad]; who has debt has no cash.
    function uncoveredDebt(Ledger.State storage $, AccountId id) internal view returns (uint256) {
        if ($.accounts[id].flags & FLAG_LOANS == 0) return 0;
        (, uint256 debt) = Lending.balances($, id, false);
        if (debt == 0) return 0;
        uint256 value = collateralValue($, id);
        return debt > value ? debt - value : 0;
    }

    /// @notice What an account's collateral is worth [wad]; what has no usable price counts zero.
    function collateralValue(Ledger.State storage $, AccountId id) internal view returns (uint256 value) {
        uint64 bits = $.accounts[id].collaterals;
        while (bits != 0) {
            uint256 collateral;
            (collateral, bits) = Ledger.pop(bits);
            value += Margin.valueOf($.balances[id][collateral], Margin.priceOfCollateral($, collateral));
        }
    }

    /// @notice Settles everything an account can pay and be paid: gains first, they may pay losses elsewhere. Returns its legs
    /// as they stand afterwards.
    function settleAll(Ledger.State storage $, AccountId id) internal returns (Leg[] memory list) {
        list = legs($, id);
        collectGains($, id, list);
        payLosses($, id, list);
    }

    /// @notice Pays an account's profits as far as the pools hold them.
    function collectGains(Ledger.State storage $, AccountId id, Leg[] memory list) internal {
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].pnl > 0) list[i].pnl -= int256(payGain($, id, list[i].market, uint256(list[i].pnl)));
        }
    }

    /// @notice Pays all losses of an account from its cash, then its lent cash, then by borrowing; pro rata if that is not enough.
    function payLosses(Ledger.State storage $, AccountId id, Leg[] memory list) internal {
        uint256 loss = totalLoss(list);
        if (loss == 0) return;
        raise($, id, loss);
        (uint256[] memory parts, ) = split(list, 0, Fixed.min($.accounts[id].cash, loss));
        for (uint256 i = 0; i < list.length; ++i) {
            payLoss($, id, list[i].market, parts[i]);
            list[i].pnl += int256(parts[i]);
        }
    }

    /// @notice Settles a loss in one market: from cash if that covers all of the account's losses, else all of them pro rata, so that
    /// no order of calls favours a market. Markets without a usable price are left out.
    function settleLoss(Ledger.State storage $, AccountId id, uint256 market, uint256 loss) internal {
        Account memory a = $.accounts[id];
        if (a.markets == 1 << market) {
            raise($, id, loss);
            return payLoss($, id, market, Fixed.min($.accounts[id].cash, loss));
        }
        Leg[] memory list = legs($, id);
        if (a.cash >= totalLoss(list)) payLoss($, id, market, loss);
        else payLosses($, id, list);
    }

    /// @notice Brings an account's cash up to `amount` as far as `Borrowing.raiseForLoss` can.
    function raise(Ledger.State storage $, AccountId id, uint256 amount) internal {
        Account memory a = $.accounts[id];
        if (a.cash >= amount || (a.flags & FLAG_LOANS == 0 && $.lending.lent == 0)) return;
        Borrowing.raiseForLoss($, id, amount - a.cash);
    }

    /// @notice Moves `amount` of a loss from cash into the pool.
    function payLoss(Ledger.State storage $, AccountId id, uint256 market, uint256 amount) internal {
        if (amount == 0) return;
        Ledger.subCash($, id, amount);
        Ledger.addQuote($, id, market, int256(amount));
        $.pools[market].cash += amount.toUint128();
        emit IClearingHouseCore.Settled(id, market, -int256(amount));
    }

    /// @notice Pays up to `amount` of a profit from what the pool holds beyond recorded deficits; nothing while bad debt stands or the
    /// market has no usable price.
    function payGain(
        Ledger.State storage $,
        AccountId id,
        uint256 market,
        uint256 amount
    ) internal returns (uint256 paid) {
        if (badDebt($, market) != 0) return 0;
        paid = Fixed.min(amount, available($, market));
        if (paid == 0 || !Prices.isUsable($, $.rates[market].underlying)) return 0;
        $.pools[market].cash -= uint128(paid);
        Ledger.addQuote($, id, market, -int256(paid));
        Cash.credit($, id, paid);
        emit IClearingHouseCore.Settled(id, market, int256(paid));
    }

    /// @notice What the pool of a market can pay out [wad].
    function available(Ledger.State storage $, uint256 market) internal view returns (uint256) {
        MarketPool memory pool = $.pools[market];
        return pool.cash > pool.flaggedDeficit ? pool.cash - pool.flaggedDeficit : 0;
    }

    /// @notice Recorded bad debt of a market [wad].
    function badDebt(Ledger.State storage $, uint256 market) internal view returns (uint256) {
        return $.rates[market].flags & MARKET_HAS_LOSS == 0 ? 0 : $.losses[market].badDebt;
    }

    function _leg(Ledger.State storage $, AccountId id, uint256 market) private view returns (Leg memory leg) {
        int256 quote;
        leg.market = market;
        (leg.size, quote) = Ledger.readPosition($, id, market, false);
        if (leg.size == 0) leg.pnl = quote;
        else {
            MarketRate memory rate = $.rates[market];
            uint256 mark = Prices.tryRead($, rate.underlying).price();
            leg.stuck = mark == 0;
            if (!leg.stuck) leg.pnl = Positions.pnlAt($, market, rate, leg.size, quote, mark);
        }
    }
}
