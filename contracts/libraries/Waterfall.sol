// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {LENDING, MARKET_HAS_LOSS, MarketLoss, MarketRate, MAX_ACCOUNT_COLLATERALS, PPM} from "../types/LedgerTypes.sol";
import {Cash} from "./Cash.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Lending} from "./Lending.sol";
import {Margin} from "./Margin.sol";
import {Pools} from "./Pools.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {RollingWindow} from "./RollingWindow.sol";

/// @notice Where losses fall that an account cannot pay, in this order: the insurance fund, within its cap per market and 24 hours;
/// for a market's part the other side of the market pro rata by size, within its cap per unit and 24 hours, then the market's
/// recorded bad debt; for a debt's part the suppliers of the lending pool. Whoever holds no position and lends nothing never pays.
library Waterfall {
    using RollingWindow for RollingWindow.Window;
    using SafeCast for uint256;

    uint256 internal constant FUND_CAP = 0.1e6; // [ppm] of the fund per market and 24 h

    /// @notice Sends the deficit of an account through the waterfall: its quotes rise and its debt falls by `deficit` in total.
    function absorb(Ledger.State storage $, AccountId id, uint256 deficit) external {
        _forfeit($, id);
        Pools.Leg[] memory legs = Pools.legs($, id);
        (uint256[] memory parts, uint256 ofDebt) = Pools.split(legs, Pools.uncoveredDebt($, id), deficit);
        if (ofDebt != 0) {
            uint256 fromFund = drawFund($, LENDING, ofDebt);
            Lending.writeOff($, id, ofDebt, fromFund);
            emit IClearingHouseCore.DeficitAbsorbed(id, LENDING, ofDebt, fromFund, ofDebt - fromFund, 0);
        }
        for (uint256 i = 0; i < legs.length; ++i) {
            if (parts[i] != 0) _absorbPart($, id, legs[i], parts[i]);
        }
    }

    /// @notice Income of the fund: repays bad debt of the markets it was earned in, the rest is the fund's.
    function creditFund(Ledger.State storage $, Pools.Leg[] memory legs, uint256 amount) internal {
        for (uint256 i = 0; i < legs.length && amount != 0; ++i) {
            if (Pools.badDebt($, legs[i].market) == 0) continue;
            amount -= repayBadDebt($, legs[i].market, Fixed.min(amount, fundRoom($, legs[i].market)));
        }
        Cash.credit($, fundAccount($), amount);
    }

    /// @notice Takes up to `amount` that is on its way to the fund off a market's bad debt.
    function repayBadDebt(Ledger.State storage $, uint256 market, uint256 amount) internal returns (uint256 repaid) {
        repaid = Fixed.min(amount, Pools.badDebt($, market));
        if (repaid == 0) return 0;
        $.losses[market].badDebt -= repaid;
        $.pools[market].cash += repaid.toUint128();
        $.fundUse[market].add(repaid);
        emit IClearingHouseCore.BadDebtRepaid(market, repaid);
    }

    /// @notice Takes up to `amount` out of the fund for a market, within its cap.
    function drawFund(Ledger.State storage $, uint256 market, uint256 amount) internal returns (uint256 drawn) {
        drawn = Fixed.min(amount, fundRoom($, market));
        if (drawn == 0) return 0;
        Ledger.subCash($, fundAccount($), drawn);
        $.fundUse[market].add(drawn);
    }

    /// @notice What the fund may still pay for a market: a tenth of what it held before the last 24 hours' payments.
    function fundRoom(Ledger.State storage $, uint256 market) internal view returns (uint256) {
        uint256 cash = $.accounts[fundAccount($)].cash;
        uint256 used = $.fundUse[market].sum();
        uint256 cap = ((cash + used) * FUND_CAP) / PPM;
        return cap > used ? Fixed.min(cap - used, cash) : 0;
    }

    function fundAccount(Ledger.State storage $) internal view returns (AccountId) {
        return AccountIds.main($.insuranceFund);
    }

    /// @dev Nobody keeps what counts zero while others pay for him: delisted collateral goes to the treasury, as far as it has room.
    function _forfeit(Ledger.State storage $, AccountId id) private {
        AccountId treasury = AccountIds.main($.treasury);
        for (uint64 bits = $.accounts[id].collaterals; bits != 0;) {
            uint256 collateral;
            (collateral, bits) = Ledger.pop(bits);
            uint64 held = $.accounts[treasury].collaterals | uint64(1 << collateral);
            bool room = LibBit.popCount(held) <= MAX_ACCOUNT_COLLATERALS;
            if (Margin.delistingRamp($.collaterals[collateral].delistingEnd) != PPM || !room || id.equals(treasury))
                continue;
            uint256 balance = $.balances[id][collateral];
            Ledger.setBalance($, id, collateral, 0);
            Ledger.setBalance($, treasury, collateral, $.balances[treasury][collateral] + balance);
            emit IClearingHouseCore.CollateralTaken(id, treasury, collateral, balance);
        }
    }

    function _absorbPart(Ledger.State storage $, AccountId id, Pools.Leg memory leg, uint256 part) private {
        uint256 fromFund = drawFund($, leg.market, part);
        $.pools[leg.market].cash += fromFund.toUint128();
        uint256 rest = part - fromFund;
        uint256 socialised = rest == 0 ? 0 : _socialise($, leg, rest);
        rest -= socialised;
        if (rest != 0) {
            $.losses[leg.market].badDebt += rest;
            _markLoss($, leg.market);
        }
        Ledger.addQuote($, id, leg.market, int256(part));
        emit IClearingHouseCore.DeficitAbsorbed(id, leg.market, part, fromFund, socialised, rest);
    }

    /// @dev Charges the other side of a position; a loss without size falls on both sides in halves.
    function _socialise(Ledger.State storage $, Pools.Leg memory leg, uint256 amount) private returns (uint256) {
        MarketRate memory rate = $.rates[leg.market];
        // A leg without size needs no price, so it must not fail for want of one.
        if (leg.size == 0) {
            uint256 half = _charge($, leg.market, true, rate.price, amount / 2);
            return half + _charge($, leg.market, false, rate.price, amount - amount / 2);
        }
        uint256 mark = Prices.read($, rate.underlying).price();
        return _charge($, leg.market, leg.size < 0, mark, amount);
    }

    /// @dev Charges one side per unit of size, rounded up, within the cap on its mark.
    function _charge(
        Ledger.State storage $,
        uint256 market,
        bool longs,
        uint256 mark,
        uint256 amount
    ) private returns (uint256 charged) {
        uint256 openInterest = $.indices[market].openInterest;
        if (openInterest == 0 || amount == 0) return 0;
        RollingWindow.Window storage window = longs ? $.longCharges[market] : $.shortCharges[market];
        uint256 cap = (mark * uint256(Positions.PRICE_TO_RAY36) * $.params[market].socialisationCap) / PPM;
        uint256 used = window.sum();
        uint256 perUnit = Fixed.min(
            cap > used ? cap - used : 0,
            Fixed.divUp(amount * uint256(Positions.RAY36), openInterest)
        );
        charged = Fixed.min(amount, (perUnit * openInterest) / uint256(Positions.RAY36));
        if (charged == 0) return 0;
        window.add(perUnit);
        MarketLoss storage loss = $.losses[market];
        uint256 index = (longs ? loss.longIndex : loss.shortIndex) + perUnit;
        if (longs) loss.longIndex = index;
        else loss.shortIndex = index;
        _markLoss($, market);
        emit IClearingHouseCore.LossSocialised(market, longs, charged, index);
    }

    function _markLoss(Ledger.State storage $, uint256 market) private {
        $.rates[market].flags |= MARKET_HAS_LOSS;
    }
}
