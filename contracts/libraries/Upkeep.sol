// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Account, FEE_UNIT, FLAG_AUCTION, MarketIndex, MarketRate, Position, PPM} from "../types/LedgerTypes.sol";
import {Auctions} from "./Auctions.sol";
import {Cash} from "./Cash.sol";
import {Fixed} from "./Fixed.sol";
import {Funding} from "./Funding.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";
import {Liquidation} from "./Liquidation.sol";
import {Pools} from "./Pools.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {TokenUnits} from "./TokenUnits.sol";
import {Transient} from "./Transient.sol";
import {Waterfall} from "./Waterfall.sol";

/// @notice What anyone may call to keep the books current: settlement, funding, fees; and a winner's claim.
library Upkeep {
    // Whether money had moved in the lending pool in this block before a settlement.
    uint256 private constant UNKNOWN = 0;
    uint256 private constant CALM = 1;
    uint256 private constant MOVED = 2;

    uint256 internal constant FEE_FUND_SHARE = 0.5e6; // [ppm] of trading fees that go to the insurance fund

    function settle(Ledger.State storage $, uint256 market, AccountId[] calldata accounts) external {
        Positions.requireListed(market, $.rates[market].flags);
        uint256 calm = UNKNOWN;
        for (uint256 i = 0; i < accounts.length; ++i) calm = _settleOne($, market, accounts[i], calm);
    }

    /// @notice Settles what two accounts have just closed whole, the loser first: he may be whom the winner is paid from.
    function settleClosed(Ledger.State storage $, uint256 market, AccountId a, AccountId b) external {
        _settleClosed($, market, a, false);
        _settleClosed($, market, b, false);
        _settleClosed($, market, a, true);
        _settleClosed($, market, b, true);
    }

    function claim(
        Ledger.State storage $,
        AccountId id,
        uint256 market,
        uint256 amount
    ) external returns (uint256 paid) {
        (, int256 pnl) = Positions.pnlOf($, id, market, false);
        if (amount == 0 || int256(amount) > pnl) revert IClearingHouseCore.NothingToClaim(id, market, amount, pnl);
        Prices.read($, $.rates[market].underlying); // no payment while the market has no price
        uint256 badDebt = Pools.badDebt($, market);
        if (badDebt == 0) return Pools.payGain($, id, market, amount);
        // Nobody gives up profit for cash that recorded deficits hold back.
        uint256 cash = $.pools[market].cash;
        uint256 most = cash == 0 ? 0 : (Pools.available($, market) * (cash + badDebt)) / cash;
        amount = Fixed.min(amount, most);
        if (amount == 0) revert IClearingHouseCore.NothingToClaim(id, market, amount, pnl);
        paid = (amount * cash) / (cash + badDebt);
        $.pools[market].cash -= uint128(paid);
        $.losses[market].badDebt -= amount - paid;
        Ledger.addQuote($, id, market, -int256(amount));
        Cash.credit($, id, paid);
        Transient.mark(id, 0);
        emit IClearingHouseCore.Claimed(id, market, amount, paid);
    }

    /// @dev At the price of the last accrual there is nothing to store: the index is computed on read.
    function accrueFunding(Ledger.State storage $, uint256 market) external {
        MarketRate memory rate = $.rates[market];
        Positions.requireListed(market, rate.flags);
        uint256 price = Prices.read($, rate.underlying).price();
        if (price == rate.price) return;
        MarketIndex memory index = $.indices[market];
        Funding.accrue(index, rate, price);
        $.indices[market] = index;
        $.rates[market] = rate;
        emit IClearingHouseCore.FundingAccrued(market, index.funding, rate.premium, rate.price);
    }

    function sweepFees(Ledger.State storage $, uint256 market) external {
        MarketRate memory rate = $.rates[market];
        Positions.requireListed(market, rate.flags);
        uint256 fees = uint256(rate.fees) * FEE_UNIT;
        uint256 badDebt = Fixed.min(fees, Pools.badDebt($, market));
        if (badDebt != 0) {
            $.losses[market].badDebt -= badDebt;
            fees -= Fixed.divUp(badDebt, FEE_UNIT) * FEE_UNIT; // fees are whole units: the rest of one stays in the pool
        }
        uint256 paid = Pools.badDebt($, market) != 0 ? 0 : Fixed.min(fees, Pools.available($, market));
        paid -= paid % FEE_UNIT;
        $.rates[market].fees = uint64((fees - paid) / FEE_UNIT);
        $.pools[market].cash -= uint128(paid);
        uint256 toFund = (paid * FEE_FUND_SHARE) / PPM;
        Cash.credit($, Waterfall.fundAccount($), toFund);
        Cash.credit($, AccountIds.main($.treasury), paid - toFund);
        emit IClearingHouseCore.FeesSwept(market, toFund, paid - toFund, badDebt);
    }

    /// @notice Lends cash of an account that owes no unsettled loss. `amount` is in the token's own units.
    function lend(Ledger.State storage $, AccountId id, uint256 amount, uint256 decimals) external {
        if (amount == 0) revert IClearingHouseCore.ZeroAmount();
        Pools.Leg[] memory legs = Pools.settleAll($, id);
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].stuck) Prices.read($, $.rates[legs[i].market].underlying); // reverts with the reason
        }
        uint256 loss = Pools.totalLoss(legs);
        if (loss != 0) revert IClearingHouseCore.UnsettledLoss(id, $.accounts[id].cash, loss);
        Lending.lend($, id, TokenUnits.toWadUp(amount, decimals));
        Transient.mark(id, Transient.CASH_OUT);
    }

    function sweepReserves(Ledger.State storage $) external returns (uint256 amount) {
        amount = Lending.takeReserves($);
        Cash.credit($, Waterfall.fundAccount($), amount);
        emit IClearingHouseCore.ReservesSwept(amount);
    }

    function _settleClosed(Ledger.State storage $, uint256 market, AccountId id, bool winner) private {
        Position memory p = $.positions[id][market];
        if (p.size != 0) return;
        if (winner && p.quote > 0) Pools.payGain($, id, market, uint256(int256(p.quote)));
        if (!winner && p.quote < 0) Pools.settleLoss($, id, market, uint256(-int256(p.quote)));
    }

    /// @dev Whether the lending pool was calm is looked up before the first account can move it.
    function _settleOne(Ledger.State storage $, uint256 market, AccountId id, uint256 calm) private returns (uint256) {
        (, int256 pnl) = Positions.pnlOf($, id, market, false);
        Account memory a = $.accounts[id];
        bool known = a.flags & FLAG_AUCTION != 0 && $.auctions[id].cashCallClock != 0;
        if (calm == UNKNOWN && (known || pnl + int256(uint256(a.cash)) < 0)) calm = Lending.isCalm($) ? CALM : MOVED;
        if (pnl > 0) Pools.payGain($, id, market, uint256(pnl));
        else if (pnl < 0) Pools.settleLoss($, id, market, uint256(-pnl));
        uint256 cash = $.accounts[id].cash;
        if (!known && (pnl >= 0 || cash != 0)) return calm;
        uint256 loss = Pools.totalLoss(Pools.legs($, id));
        Auctions.trackUnsettledLoss($, id, loss > cash ? loss - cash : 0, Liquidation.DUST, calm == CALM);
        return calm;
    }
}
