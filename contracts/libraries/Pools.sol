// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../types/AccountId.sol";
import {Account, MARKET_HAS_LOSS, MarketPool} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
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
        int256 pnl;
    }

    /// @notice All markets an account holds.
    function legs(Ledger.State storage $, AccountId id) internal view returns (Leg[] memory list) {
        uint64 markets = $.accounts[id].markets;
        list = new Leg[](LibBit.popCount(markets));
        for (uint256 i = 0; i < list.length; ++i) {
            (list[i].market, markets) = Ledger.pop(markets);
            (list[i].size, list[i].pnl) = Positions.pnlOf($, id, list[i].market, false);
        }
    }

    function totalLoss(Leg[] memory list) internal pure returns (uint256 loss) {
        for (uint256 i = 0; i < list.length; ++i) loss += Fixed.positive(-list[i].pnl);
    }

    /// @notice Spreads an amount over the losing markets in proportion to what was lost in each; the parts add up exactly.
    function split(Leg[] memory list, uint256 amount) internal pure returns (uint256[] memory parts) {
        parts = new uint256[](list.length);
        uint256 loss = totalLoss(list);
        uint256 left = amount;
        for (uint256 i = 0; i < list.length && left != 0; ++i) {
            parts[i] = Fixed.min(left, Fixed.divUp(amount * Fixed.positive(-list[i].pnl), loss));
            left -= parts[i];
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

    /// @notice Pays all losses of an account from its cash; pro rata if that is not enough.
    function payLosses(Ledger.State storage $, AccountId id, Leg[] memory list) internal {
        uint256 loss = totalLoss(list);
        if (loss == 0) return;
        uint256[] memory parts = split(list, Fixed.min($.accounts[id].cash, loss));
        for (uint256 i = 0; i < list.length; ++i) {
            payLoss($, id, list[i].market, parts[i]);
            list[i].pnl += int256(parts[i]);
        }
    }

    /// @notice Settles a loss in one market: from cash if that covers all of the account's losses, else all of them pro rata, so that
    /// no order of calls favours a market. Returns false, and does nothing, if another market has no usable price.
    function settleLoss(Ledger.State storage $, AccountId id, uint256 market, uint256 loss) internal returns (bool) {
        Account memory a = $.accounts[id];
        if (a.markets == 1 << market) {
            payLoss($, id, market, Fixed.min(a.cash, loss));
            return true;
        }
        if (!canPrice($, id)) return false;
        Leg[] memory list = legs($, id);
        if (a.cash >= totalLoss(list)) payLoss($, id, market, loss);
        else payLosses($, id, list);
        return true;
    }

    /// @notice Whether every market that an account has size in has a usable price.
    function canPrice(Ledger.State storage $, AccountId id) internal view returns (bool) {
        uint64 markets = $.accounts[id].markets;
        while (markets != 0) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            if ($.positions[id][market].size != 0 && !Prices.isUsable($, $.rates[market].underlying)) return false;
        }
        return true;
    }

    /// @notice Moves `amount` of a loss from cash into the pool.
    function payLoss(Ledger.State storage $, AccountId id, uint256 market, uint256 amount) internal {
        if (amount == 0) return;
        Ledger.subCash($, id, amount);
        Ledger.addQuote($, id, market, int256(amount));
        $.pools[market].cash += amount.toUint128();
        emit IClearingHouse.Settled(id, market, -int256(amount));
    }

    /// @notice Pays up to `amount` of a profit from what the pool holds beyond recorded deficits; nothing while bad debt stands.
    function payGain(
        Ledger.State storage $,
        AccountId id,
        uint256 market,
        uint256 amount
    ) internal returns (uint256 paid) {
        if (badDebt($, market) != 0) return 0;
        paid = Fixed.min(amount, available($, market));
        if (paid == 0) return 0;
        $.pools[market].cash -= uint128(paid);
        Ledger.addQuote($, id, market, -int256(paid));
        Ledger.addCash($, id, paid);
        emit IClearingHouse.Settled(id, market, int256(paid));
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
}
