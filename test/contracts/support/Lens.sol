// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ClearingHouse} from "../../../contracts/ClearingHouse.sol";
import {AccountId} from "../../../contracts/types/AccountId.sol";
import {
    Account,
    Assessment,
    Loans,
    MarketIndex,
    MarketLoss,
    MarketPool,
    MarketRate,
    Position
} from "../../../contracts/types/LedgerTypes.sol";

/// @notice Adds up all accounts in one call.
contract Lens {
    uint256 private constant FEE_UNIT = 1e9; // [wad]

    /// @notice One market, from its positions and from its own words.
    struct MarketSums {
        int256 sizes;
        uint256 longs;
        uint256 shorts;
        uint256 positions; // with size or quote
        int256 pnl; // Σ floor(PnL)
        uint256 openInterest;
        uint256 fees; // [wad] unswept
        uint256 pool;
        uint256 badDebt;
        uint256 flaggedDeficit;
    }

    /// @notice An account as its owner sees it.
    struct View {
        Assessment risk;
        uint256 cash;
        uint256 lent;
        uint256 debt;
        uint256 profit; // Σ over markets of max(PnL, 0)
        uint256 loss; // Σ over markets of max(−PnL, 0)
        bool sized; // has size somewhere
        bool flat; // no size, no debt and no negative quote
    }

    /// @notice All accounts' loans.
    struct LoanSums {
        uint256 lent;
        uint256 debt;
        uint256 lentShares;
        uint256 debtShares;
        bool exclusive; // nobody has debt and cash or lent cash
    }

    ClearingHouse private _ledger;

    constructor(ClearingHouse ch) {
        _ledger = ch;
    }

    function assessAll(AccountId[] calldata ids) external view returns (Assessment[] memory list) {
        list = new Assessment[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) list[i] = _ledger.assess(ids[i]);
    }

    function viewOf(AccountId id, uint256 markets) external view returns (View memory v) {
        v.risk = _ledger.assess(id);
        v.cash = _ledger.account(id).cash;
        (v.lent, v.debt, ) = _ledger.loans(id);
        v.flat = v.debt == 0;
        for (uint256 m = 0; m < markets; ++m) {
            Position memory p = _ledger.position(id, m);
            int256 pnl = _ledger.positionPnl(id, m);
            if (pnl > 0) v.profit += uint256(pnl);
            else v.loss += uint256(-pnl);
            if (p.size != 0) v.sized = true;
            if (p.size != 0 || p.quote < 0) v.flat = false;
        }
    }

    function marketSums(AccountId[] calldata ids, uint256 market) external view returns (MarketSums memory s) {
        for (uint256 i = 0; i < ids.length; ++i) {
            Position memory p = _ledger.position(ids[i], market);
            if (p.size == 0 && p.quote == 0) continue;
            ++s.positions;
            s.sizes += p.size;
            if (p.size > 0) s.longs += uint256(int256(p.size));
            else s.shorts += uint256(-int256(p.size));
            s.pnl += _ledger.positionPnl(ids[i], market);
        }
        (, MarketIndex memory index, MarketRate memory rate, MarketPool memory pool, MarketLoss memory loss) = _ledger
            .market(market);
        (s.openInterest, s.fees, s.pool) = (index.openInterest, uint256(rate.fees) * FEE_UNIT, pool.cash);
        (s.badDebt, s.flaggedDeficit) = (loss.badDebt, pool.flaggedDeficit);
    }

    function cashSum(AccountId[] calldata ids) external view returns (uint256 sum) {
        for (uint256 i = 0; i < ids.length; ++i) sum += _ledger.account(ids[i]).cash;
    }

    function loanSums(AccountId[] calldata ids) external view returns (LoanSums memory s) {
        s.exclusive = true;
        for (uint256 i = 0; i < ids.length; ++i) {
            (uint256 lent, uint256 debt, Loans memory shares) = _ledger.loans(ids[i]);
            (s.lent, s.debt) = (s.lent + lent, s.debt + debt);
            (s.lentShares, s.debtShares) = (s.lentShares + shares.lentShares, s.debtShares + shares.debtShares);
            if (shares.debtShares != 0 && (shares.lentShares != 0 || _ledger.account(ids[i]).cash != 0)) {
                s.exclusive = false;
            }
        }
    }

    function collateralSum(AccountId[] calldata ids, uint256 collateral) external view returns (uint256 sum) {
        for (uint256 i = 0; i < ids.length; ++i) sum += _ledger.collateralBalance(ids[i], collateral);
    }

    /// @notice Whether every balance is a whole number of token units, so that it can leave.
    function isWhole(AccountId[] calldata ids, uint256 collateral, uint256 unit) external view returns (bool) {
        for (uint256 i = 0; i < ids.length; ++i) {
            if (_ledger.collateralBalance(ids[i], collateral) % unit != 0) return false;
        }
        return true;
    }

    /// @notice Bitmaps say what an account holds: no market or collateral without its bit, no bit without a holding.
    function bitmapsHold(AccountId[] calldata ids, uint256 markets, uint256 collaterals) external view returns (bool) {
        for (uint256 i = 0; i < ids.length; ++i) {
            Account memory a = _ledger.account(ids[i]);
            for (uint256 m = 0; m < markets; ++m) {
                Position memory p = _ledger.position(ids[i], m);
                if ((p.size != 0 || p.quote != 0) != (a.markets & (1 << m) != 0)) return false;
            }
            for (uint256 c = 0; c < collaterals; ++c) {
                if ((_ledger.collateralBalance(ids[i], c) != 0) != (a.collaterals & (1 << c) != 0)) return false;
            }
        }
        return true;
    }
}
