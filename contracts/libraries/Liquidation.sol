// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {
    Assessment,
    Auction,
    CollateralParams,
    FLAG_LOANS,
    LendingPool,
    LiquidationTerms,
    PPM,
    WAD
} from "../types/LedgerTypes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Auctions} from "./Auctions.sol";
import {Cash} from "./Cash.sol";
import {Fixed} from "./Fixed.sol";
import {Guards} from "./Guards.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";
import {Margin} from "./Margin.sol";
import {Pools} from "./Pools.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {TokenUnits} from "./TokenUnits.sol";
import {Transient} from "./Transient.sol";
import {Waterfall} from "./Waterfall.sol";

/// @notice Sells slices of accounts. A slice f moves f of every size at the mark, of every collateral balance, of the debt and of
/// every unsettled loss to the taker, and one payment makes
///
///     E' = E − cost        cost = f · d · MM, or all of E where E ≤ d · MM
///
/// What has no usable price stays, and MM is then what the rest adds to it. Unsettled profit stays with the account. Fixed shares of the cost go to the fund and the flagger, the rest is the taker's.
library Liquidation {
    using SafeCast for uint256;

    uint256 internal constant FUND_SHARE = 0.2e6; // [ppm] of the cost
    uint256 internal constant FLAGGER_SHARE = 0.1e6; // [ppm] of the cost
    uint256 internal constant DUST = 10e18; // [wad] USD below which nothing is left behind
    uint256 internal constant CASH_CALL_DELAY = 24 hours; // of observed time
    uint256 internal constant CASH_CALL_DISCOUNT = 0.05e18;

    /// @dev One sale while it is carried out.
    struct Sale {
        AccountId account;
        AccountId taker;
        bool degraded; // part of the account has no usable price and stays
        address flagger; // earns a share; zero if it is the taker's or the account's owner
        uint256 fraction; // [wad]
        uint256 cost; // [wad]
        uint256 toFund;
        uint256 toFlagger;
        uint256 value; // [wad] collateral that moves
        uint256 debtShares; // of the debt that moves
        uint256 lentShares; // of the lent cash that pays for the slice
        uint256 owed; // [wad] unsettled loss that moves
        uint256 kept; // [wad] unsettled loss that stays because the account cannot pay for its removal
        uint256 claims; // [wad] profit that moves for the same reason
        int256 payment; // [wad] cash to the account, negative: from it
    }

    // ---------------------------------------------------------------- entry points

    /// @notice `a` is the account as the engine has just judged it, below MM, `needed` the slice that it needs at a penalty on `base`.
    /// `degraded`: part of it has no usable price and stays, so nothing is written off and the auction goes on.
    function liquidate(
        Ledger.State storage $,
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms,
        uint256 needed,
        uint256 base,
        Assessment memory a,
        bool degraded
    ) external returns (uint256, int256) {
        _requireTaker($, id, taker);
        Auction memory x = Auctions.advance($, id, a, msg.sender);
        Pools.Leg[] memory legs = _open($, id, taker);
        if (a.equity < 0 && !degraded) {
            Auctions.recordDeficit($, id, x, 0);
            Waterfall.absorb($, id, uint256(-a.equity));
            legs = Pools.legs($, id);
        }
        if (!Auctions.hasAssets($, id, legs)) {
            if (degraded) revert IClearingHouseCore.NothingToSell(id);
            Auctions.clear($, id);
            return (0, 0);
        }
        uint256 discount = Auctions.discount(x.clock);
        bool sinks = !degraded && a.equity <= int256((discount * base) / WAD);
        Sale memory sale = _newSale(id, taker, x.flagger);
        (sale.degraded, sale.fraction) = (degraded, Fixed.min(needed, terms.maxFraction));
        if (sale.fraction != needed) _requireNoDust($, sale, legs, sinks, needed);
        sale.cost = sinks ? Fixed.positive(a.equity) : Fixed.divUp(sale.fraction * discount * base, WAD * WAD);
        int256 paid = _sell($, sale, legs, a, terms, false);
        if (sinks) _payRescue($, sale, legs, a, x);
        if (x.cashCallClock != 0) Auctions.trackUnsettledLoss($, id, Pools.totalLoss(Pools.legs($, id)), DUST, false);
        if (sale.fraction == needed && !degraded) {
            Auctions.clear($, id);
        } else {
            (x.cashCallClock, x.cashCallSeen) = ($.auctions[id].cashCallClock, $.auctions[id].cashCallSeen);
            if (!degraded) Auctions.recordDeficit($, id, x, 0);
            Auctions.store($, id, x);
            emit IClearingHouseCore.Flagged(id, x.flagger, a.equity, a.initialMargin, a.maintenanceMargin, x.clock);
        }
        return (sale.fraction, paid);
    }

    function cashCall(
        Ledger.State storage $,
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external returns (uint256, int256) {
        bool calm = Lending.isCalm($);
        _requireTaker($, id, taker);
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.CAUTIOUS);
        Assessment memory a = Margin.judge($, s);
        Pools.Leg[] memory legs = _open($, id, taker);
        uint256 loss = Pools.totalLoss(legs);
        uint256 clock = $.auctions[id].cashCallClock;
        uint256 limit =
            (CASH_CALL_DISCOUNT * (a.maintenanceMargin - Fixed.min(Margin.stuckMargin($, s), a.maintenanceMargin))) /
                WAD;
        if (!calm || loss == 0 || clock <= CASH_CALL_DELAY || a.equity <= int256(limit)) {
            revert IClearingHouseCore.NoCashCall(id, loss, clock);
        }
        uint256 value = Pools.collateralValue($, id);
        (, uint256 debt) = Lending.balances($, id, false);
        if (value <= debt) revert IClearingHouseCore.NothingToSell(id);
        Sale memory sale = _newSale(id, taker, address(0));
        sale.fraction = Fixed.min(Fixed.min(WAD, terms.maxFraction), (loss * WAD) / (value - debt));
        sale.cost = Fixed.divUp(sale.fraction * limit, WAD);
        int256 paid = _sell($, sale, legs, a, terms, true);
        Auctions.trackUnsettledLoss($, id, Pools.totalLoss(Pools.legs($, id)), DUST, false);
        return (sale.fraction, paid);
    }

    // ---------------------------------------------------------------- checks

    function _requireTaker(Ledger.State storage $, AccountId id, AccountId taker) private view {
        if (taker.ownerOf() != msg.sender) revert IClearingHouseCore.NotOwner(taker, msg.sender);
        if (id.ownerOf() == msg.sender) revert IClearingHouseCore.SelfLiquidation(id, taker);
        if (taker.isIsolated()) revert IClearingHouseCore.IsolatedTaker(taker);
        Guards.requireUnlocked($, msg.sender);
        Auctions.requireNotPending(id);
    }

    // ---------------------------------------------------------------- the sale

    /// @dev A flagger who takes keeps his share as the taker; an owner earns nothing on his own account.
    function _newSale(AccountId id, AccountId taker, address flagger) private view returns (Sale memory sale) {
        (sale.account, sale.taker) = (id, taker);
        if (flagger != msg.sender && flagger != id.ownerOf()) sale.flagger = flagger;
    }

    /// @dev Puts the taker up for a strict check and settles the account.
    function _open(Ledger.State storage $, AccountId id, AccountId taker) private returns (Pools.Leg[] memory legs) {
        Transient.mark(taker, Transient.STRICT);
        Transient.markLater(id, Transient.STRICT);
        return Pools.settleAll($, id);
    }

    /// @dev A taker's smaller slice neither is dust nor leaves dust, and what sinks is sold whole.
    function _requireNoDust(
        Ledger.State storage $,
        Sale memory sale,
        Pools.Leg[] memory legs,
        bool sinks,
        uint256 needed
    ) private view {
        uint256 gross = Pools.collateralValue($, sale.account);
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].size != 0 && !legs[i].stuck)
                gross += (Fixed.abs(legs[i].size) * _markOf($, legs[i].market)) / WAD;
        }
        bool dust = gross * sale.fraction < DUST * WAD || gross * (WAD - sale.fraction) < DUST * WAD;
        if (sinks || dust) revert IClearingHouseCore.FractionTooSmall(sale.fraction, needed);
    }

    function _markOf(Ledger.State storage $, uint256 market) private view returns (uint256) {
        return Prices.read($, $.rates[market].underlying).price();
    }

    /// @dev Moves the slice and the money. Returns the cash that the taker paid.
    function _sell(
        Ledger.State storage $,
        Sale memory sale,
        Pools.Leg[] memory legs,
        Assessment memory a,
        LiquidationTerms calldata terms,
        bool isCashCall
    ) private returns (int256 paid) {
        _takeCollateral($, sale);
        uint256[] memory owed = _owed(sale, legs);
        _settlePayment($, sale, legs, terms.acceptClaims);
        sale.toFund = Fixed.divUp(sale.cost * FUND_SHARE, PPM);
        sale.toFlagger = sale.flagger == address(0) ? 0 : (sale.cost * FLAGGER_SHARE) / PPM;
        if (sale.debtShares | sale.lentShares != 0) {
            Lending.move($, sale.account, sale.taker, sale.lentShares, sale.debtShares);
        }
        for (uint256 i = 0; i < legs.length; ++i) _takePosition($, sale, legs[i], owed[i]);
        paid = _pay($, sale, legs);
        if (paid > terms.maxPayment) revert IClearingHouseCore.PaymentTooHigh(paid, terms.maxPayment);
        uint256 gain = sale.cost - sale.toFund - sale.toFlagger;
        if (gain < terms.minGain) revert IClearingHouseCore.GainTooLow(gain, terms.minGain);
        if (sale.debtShares | sale.lentShares != 0) Lending.repay($, sale.taker);
        if (sale.owed != 0) Pools.payLosses($, sale.account, Pools.legs($, sale.account));
        emit IClearingHouseCore.Liquidated(
            sale.account,
            sale.taker,
            sale.flagger,
            isCashCall,
            sale.fraction,
            a.equity,
            a.maintenanceMargin,
            sale.cost,
            sale.payment,
            sale.toFund,
            sale.toFlagger
        );
    }

    /// @dev Moves f of every collateral balance, rounded up to whole token units; what would be left as dust moves too.
    function _takeCollateral(Ledger.State storage $, Sale memory sale) private {
        uint64 bits = $.accounts[sale.account].collaterals;
        while (bits != 0) {
            uint256 collateral;
            (collateral, bits) = Ledger.pop(bits);
            uint256 balance = $.balances[sale.account][collateral];
            CollateralParams storage params = $.collaterals[collateral];
            uint256 price = Margin.priceOfCollateral($, collateral);
            if (price == 0) continue;
            uint256 amount = TokenUnits.wholeUp(Fixed.divUp(balance * sale.fraction, WAD), params.decimals);
            if (balance < amount + params.minBalance) amount = balance;
            sale.value += Margin.valueOf(balance, price) - Margin.valueOf(balance - amount, price);
            Ledger.setBalance($, sale.account, collateral, balance - amount);
            Ledger.setBalance($, sale.taker, collateral, $.balances[sale.taker][collateral] + amount);
            emit IClearingHouseCore.CollateralTaken(sale.account, sale.taker, collateral, amount);
        }
    }

    /// @dev f of every unsettled loss, rounded down.
    function _owed(Sale memory sale, Pools.Leg[] memory legs) private pure returns (uint256[] memory owed) {
        owed = new uint256[](legs.length);
        for (uint256 i = 0; i < legs.length; ++i) {
            owed[i] = (Fixed.positive(-legs[i].pnl) * sale.fraction) / WAD;
            sale.owed += owed[i];
        }
    }

    /// @dev payment = value − debt − owed − cost. Where it runs towards the taker the account pays from cash, then lent cash, then by
    /// keeping that much of its debt and of its losses, then, if the taker accepts, with claims on pools.
    function _settlePayment(
        Ledger.State storage $,
        Sale memory sale,
        Pools.Leg[] memory legs,
        bool acceptClaims
    ) private view {
        LendingPool memory pool;
        uint256 lentShares = 0;
        uint256 debt = 0; // that moves
        if ($.accounts[sale.account].flags & FLAG_LOANS != 0) {
            uint256 debtShares;
            (lentShares, debtShares) = Ledger.readLoans($, sale.account, false);
            pool = Lending.current($);
            sale.debtShares = (debtShares * sale.fraction) / WAD;
            debt = Lending.debtOf(pool, debtShares) - Lending.debtOf(pool, debtShares - sale.debtShares);
        }
        sale.payment = int256(sale.value) - int256(debt) - int256(sale.owed) - int256(sale.cost);
        if (sale.payment >= 0) return;
        uint256 due = uint256(-sale.payment);
        uint256 cash = Fixed.min(due, $.accounts[sale.account].cash);
        sale.payment = -int256(cash);
        due -= cash;
        if (due != 0 && lentShares != 0) {
            uint256 lent = Lending.lentOf(pool, lentShares);
            sale.lentShares = due >= lent ? lentShares : Lending.sharesOf(pool, due);
            due -= Fixed.min(due, lent);
        }
        if (due != 0 && debt != 0) {
            uint256 kept = Fixed.min(due, debt);
            sale.debtShares = Fixed.divUp(sale.debtShares * (debt - kept), debt);
            due -= kept;
        }
        sale.kept = Fixed.min(due, sale.owed);
        sale.claims = due - sale.kept;
        if (sale.degraded) {
            // What is left has no price and cannot pay: the cost is what can.
            uint256 forgone = Fixed.min(sale.claims, sale.cost);
            (sale.claims, sale.cost) = (sale.claims - forgone, sale.cost - forgone);
        }
        if (sale.claims == 0) return;
        uint256 profit = 0;
        for (uint256 i = 0; i < legs.length; ++i) profit += Fixed.positive(legs[i].pnl);
        if (!acceptClaims || sale.claims > profit)
            revert IClearingHouseCore.ClaimsNotAccepted(sale.account, sale.claims);
    }

    /// @dev Moves f of a size at the mark, rounded up, and the leg's share of losses and claims.
    function _takePosition(Ledger.State storage $, Sale memory sale, Pools.Leg memory leg, uint256 owed) private {
        uint256 stays = Fixed.min(owed, sale.kept);
        uint256 claim = Fixed.min(Fixed.positive(leg.pnl), sale.claims);
        (sale.kept, sale.claims) = (sale.kept - stays, sale.claims - claim);
        int256 credit = int256(owed - stays) - int256(claim);
        int256 moved = leg.stuck ? int256(0) : int256(Fixed.divUp(Fixed.abs(leg.size) * sale.fraction, WAD));
        if (leg.size < 0) moved = -moved;
        if (moved == 0 && credit == 0) return;
        uint256 mark = moved == 0 ? 0 : _markOf($, leg.market);
        Positions.Sides memory s = Positions.sides($, leg.market);
        (int256 accountQuote, int256 b0, int256 a0) = Positions.change(
            $,
            sale.account,
            leg.market,
            -moved,
            mark,
            s,
            credit
        );
        (int256 takerQuote, int256 b1, int256 a1) = Positions.change(
            $,
            sale.taker,
            leg.market,
            moved,
            mark,
            s,
            -credit
        );
        int256 longs = Positions.longDelta(b0, a0) + Positions.longDelta(b1, a1);
        if (longs != 0) {
            $.indices[leg.market].openInterest = uint256(int256(uint256($.indices[leg.market].openInterest)) + longs)
                .toUint112();
        }
        emit IClearingHouseCore.PositionTaken(sale.account, sale.taker, leg.market, moved, accountQuote, takerQuote);
    }

    /// @dev Moves the cash. Nothing is made: what the account, fund and flagger get, the taker pays.
    function _pay(Ledger.State storage $, Sale memory sale, Pools.Leg[] memory legs) private returns (int256 paid) {
        paid = sale.payment + int256(sale.toFund) + int256(sale.toFlagger);
        if (sale.payment < 0) Ledger.subCash($, sale.account, uint256(-sale.payment));
        if (paid > 0) Cash.debit($, sale.taker, uint256(paid));
        else Cash.credit($, sale.taker, uint256(-paid));
        if (sale.payment > 0) Cash.credit($, sale.account, uint256(sale.payment));
        Waterfall.creditFund($, legs, sale.toFund);
        if (sale.toFlagger != 0) Cash.credit($, AccountIds.main(sale.flagger), sale.toFlagger);
    }

    /// @dev A taker who got less than the rescue's share of MM gets the rest from the fund, within its cap per market.
    function _payRescue(
        Ledger.State storage $,
        Sale memory sale,
        Pools.Leg[] memory legs,
        Assessment memory a,
        Auction memory x
    ) private {
        uint256 base = Fixed.min(a.maintenanceMargin, x.maintenanceAtFlag);
        uint256 reward = (base * Auctions.rescueShare(x.rescueClock)) / WAD;
        if (reward <= sale.cost) return;
        reward -= sale.cost;
        uint256 notional = 0;
        uint256[] memory weights = new uint256[](legs.length);
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].size == 0) continue;
            weights[i] = (Fixed.abs(legs[i].size) * _markOf($, legs[i].market)) / WAD;
            notional += weights[i];
        }
        if (notional == 0) return;
        uint256 paid = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            paid += Waterfall.drawFund($, legs[i].market, (reward * weights[i]) / notional);
        }
        if (paid == 0) return;
        Cash.credit($, sale.taker, paid);
        emit IClearingHouseCore.RescuePaid(sale.account, sale.taker, paid);
    }
}
