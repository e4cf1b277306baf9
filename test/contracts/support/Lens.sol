// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {AccountId} from "../../../contracts/types/AccountId.sol";
import {
    Account,
    Assessment,
    FLAG_AUCTION,
    FLAG_LOANS,
    LendingPool,
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
    uint256 private constant CASH_UNIT = 1e12; // [wad] of the smallest unit of USDC

    /// @notice All that the invariants compare.
    struct Books {
        MarketSums[] markets;
        CollateralSums[] collaterals;
        LoanSums loans;
        uint256 cash; // Σ over accounts
        uint256 cashHeld; // [units] by the vault
        uint256 flaggedDeficit; // total
        uint256 flagged; // bitmap of the accounts with an auction, by their place in the list
        bool bitmapsHold; // no bit without a holding
    }

    /// @notice One collateral asset.
    struct CollateralSums {
        uint256 sum; // [wad] over accounts with its bit
        uint256 total; // [wad] the ledger's own
        uint256 held; // [units] by the vault
        uint256 unit; // [wad] of the token's smallest unit
        bool whole; // every balance is a whole number of units, so that it can leave
    }

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
        LendingPool pool;
    }

    IClearingHouse private _ledger;
    MockERC20 private _cash;
    address private _vault;
    MockERC20[] private _tokens; // by collateral
    uint256[] private _units; // [wad] of their smallest units

    constructor(IClearingHouse ch, MockERC20[] memory tokens) {
        _ledger = ch;
        (_cash, _vault, _tokens) = (MockERC20(ch.cashToken()), ch.vault(), tokens);
        for (uint256 c = 0; c < tokens.length; ++c) _units.push(10 ** (18 - tokens[c].decimals()));
    }

    /// @notice The accounts whose place is in the bitmap `watched`; zeros for others.
    function assess(
        AccountId[] calldata ids,
        uint256 watched
    ) external view returns (Assessment[] memory list, Account[] memory accounts) {
        list = new Assessment[](ids.length);
        accounts = new Account[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (watched & (1 << i) == 0) continue;
            (list[i], accounts[i]) = (_ledger.assess(ids[i]), _ledger.account(ids[i]));
        }
    }

    /// @notice [wad] what each account owes to lenders.
    function debts(AccountId[] calldata ids) external view returns (uint256[] memory list) {
        list = new uint256[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (_ledger.account(ids[i]).flags & FLAG_LOANS != 0) (, list[i], ) = _ledger.loans(ids[i]);
        }
    }

    /// @notice Bitmap of the accounts that are flat and have something to take out.
    function flatWithMeans(AccountId[] calldata ids, uint256 markets) external view returns (uint256 places) {
        for (uint256 i = 0; i < ids.length; ++i) {
            Account memory account = _ledger.account(ids[i]);
            bool means = account.cash >= CASH_UNIT || account.collaterals != 0;
            if (means && _holdingsOf(ids[i], markets).flat) places |= 1 << i;
        }
    }

    /// @notice Place of the first of the `count` first accounts, counted from `start`, that is below MM; `count` if none is.
    function firstBelow(AccountId[] calldata ids, uint256 start, uint256 count) external view returns (uint256 place) {
        for (uint256 i = 0; i < count; ++i) {
            place = (start + i) % count;
            Assessment memory a = _ledger.assess(ids[place]);
            if (a.equity < int256(a.maintenanceMargin)) return place;
        }
        return count;
    }

    function viewOf(AccountId id, uint256 markets) public view returns (View memory v) {
        v = _holdingsOf(id, markets);
        v.risk = _ledger.assess(id);
    }

    /// @dev All of an account but its risk.
    function _holdingsOf(AccountId id, uint256 markets) private view returns (View memory v) {
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

    /// @notice Adds up what the accounts' bitmaps say they hold: what has no bit is missing in a sum.
    function books(AccountId[] calldata ids, uint256 markets) external view returns (Books memory b) {
        b.markets = new MarketSums[](markets);
        b.collaterals = new CollateralSums[](_tokens.length);
        for (uint256 c = 0; c < _tokens.length; ++c) {
            uint256 held = _tokens[c].balanceOf(_vault);
            b.collaterals[c] = CollateralSums(0, _ledger.collateralTotal(c), held, _units[c], true);
        }
        (b.bitmapsHold, b.loans.exclusive) = (true, true);
        for (uint256 i = 0; i < ids.length; ++i) {
            Account memory account = _ledger.account(ids[i]);
            b.cash += account.cash;
            if (account.flags & FLAG_AUCTION != 0) b.flagged |= 1 << i;
            if (account.flags & FLAG_LOANS != 0) _addLoans(b.loans, ids[i], account.cash);
            for (uint256 m = 0; m < markets; ++m) {
                if (account.markets & (1 << m) == 0) continue;
                if (!_addPosition(b.markets[m], ids[i], m)) b.bitmapsHold = false;
            }
            for (uint256 c = 0; c < _tokens.length; ++c) {
                if (account.collaterals & (1 << c) == 0) continue;
                uint256 balance = _ledger.collateralBalance(ids[i], c);
                if (balance == 0) b.bitmapsHold = false;
                if (balance % _units[c] != 0) b.collaterals[c].whole = false;
                b.collaterals[c].sum += balance;
            }
        }
        for (uint256 m = 0; m < markets; ++m) _readMarket(b.markets[m], m);
        (b.loans.pool, ) = _ledger.lending();
        (b.cashHeld, b.flaggedDeficit) = (_cash.balanceOf(_vault), _ledger.totalFlaggedDeficit());
    }

    function _addPosition(MarketSums memory s, AccountId id, uint256 market) private view returns (bool held) {
        Position memory p = _ledger.position(id, market);
        if (p.size == 0 && p.quote == 0) return false;
        ++s.positions;
        s.sizes += p.size;
        if (p.size > 0) s.longs += uint256(int256(p.size));
        else s.shorts += uint256(-int256(p.size));
        s.pnl += _ledger.positionPnl(id, market);
        return true;
    }

    function _readMarket(MarketSums memory s, uint256 market) private view {
        (, MarketIndex memory index, MarketRate memory rate, MarketPool memory pool, MarketLoss memory loss) = _ledger
            .market(market);
        (s.openInterest, s.fees, s.pool) = (index.openInterest, uint256(rate.fees) * FEE_UNIT, pool.cash);
        (s.badDebt, s.flaggedDeficit) = (loss.badDebt, pool.flaggedDeficit);
    }

    function _addLoans(LoanSums memory s, AccountId id, uint256 cash) private view {
        (uint256 lent, uint256 debt, Loans memory shares) = _ledger.loans(id);
        (s.lent, s.debt) = (s.lent + lent, s.debt + debt);
        (s.lentShares, s.debtShares) = (s.lentShares + shares.lentShares, s.debtShares + shares.debtShares);
        if (shares.debtShares != 0 && (shares.lentShares != 0 || cash != 0)) s.exclusive = false;
    }
}
