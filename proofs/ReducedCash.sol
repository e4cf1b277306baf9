// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// A require is an assumption here.
// solhint-disable gas-custom-errors

/// @notice Every way in which contracts/libraries move cash, and nothing else: who may call, prices, margin and the arithmetic of shares
/// are left out, so that an amount which they determine is any amount here. Whatever the contracts can do to these variables this
/// ledger can do, in any order. Each function names what it stands for. `keeps` is the step of an induction over all sequences of calls,
/// the constructor its beginning: BMC starts each function from every state.
abstract contract ReducedCash {
    /// @dev As in LedgerTypes.LendingPool [wad]. Liquid is lent + reserves − borrowed.
    uint256 internal lent;
    uint256 internal borrowed;
    uint256 internal reserves;

    mapping(uint256 account => uint256) internal cash; // [wad]
    mapping(uint256 market => uint256) internal pools; // [wad]

    // What the identities compare: kept by nobody on the chain.
    uint256 internal vault; // [wad] tokens that the vault holds
    uint256 internal surplus; // [wad] of those, donations and what conversion of tokens rounds off
    uint256 internal allCash; // Σ cash
    uint256 internal allPools; // Σ pools

    constructor() {
        assert(_holds());
    }

    modifier keeps() {
        require(_holds());
        _;
        assert(_holds());
    }

    // ---------------------------------------------------------------- tokens in and out

    /// @notice Custody.deposit: what is credited is at most what came in. With nothing credited, a donation.
    function deposit(uint256 id, uint256 received, uint256 credited) external keeps {
        require(credited <= received);
        vault += received;
        surplus += received - credited;
        _addCash(id, credited);
    }

    /// @notice Custody.withdraw: what is sent is at most what was debited.
    function withdraw(uint256 id, uint256 debited, uint256 sent) external keeps {
        require(sent <= debited);
        _subCash(id, debited);
        surplus += debited - sent;
        vault -= sent;
    }

    /// @notice Custody.transfer and payFee.
    function transfer(uint256 from, uint256 to, uint256 amount) external keeps {
        _subCash(from, amount);
        _addCash(to, amount);
    }

    // ---------------------------------------------------------------- Lending

    /// @notice Lending.current: interest, and what of it is reserved.
    function accrue(uint256 interest, uint256 reserved) external keeps {
        require(reserved <= interest);
        borrowed += interest;
        lent += interest - reserved;
        reserves += reserved;
    }

    /// @notice Lending.lend
    function lend(uint256 id, uint256 amount) external keeps {
        _subCash(id, amount);
        lent += amount;
    }

    /// @notice Lending._raise: `called` of lent cash comes back, the rest is borrowed.
    function raise(uint256 id, uint256 called, uint256 more) external keeps {
        require(called + more <= lent + reserves - borrowed);
        lent -= called;
        borrowed += more;
        _addCash(id, called + more);
    }

    /// @notice Lending.repay
    function repay(uint256 id, uint256 fromLent, uint256 fromCash) external keeps {
        lent -= fromLent;
        _subCash(id, fromCash);
        _reduceDebt(fromLent + fromCash);
    }

    /// @notice Waterfall.absorb, the part of a debt: Waterfall.drawFund and Lending.writeOff.
    function writeOff(uint256 fund, uint256 amount, uint256 fromFund) external keeps {
        require(fromFund <= amount);
        _subCash(fund, fromFund);
        _reduceDebt(amount);
        uint256 lost = amount - fromFund < lent ? amount - fromFund : lent;
        lent -= lost;
        reserves -= amount - fromFund - lost;
    }

    /// @notice Upkeep.sweepReserves and Lending.takeReserves.
    function sweepReserves(uint256 fund, uint256 taken) external keeps {
        require(taken <= reserves && taken <= lent + reserves - borrowed);
        reserves -= taken;
        _addCash(fund, taken);
    }

    // ---------------------------------------------------------------- Pools and Waterfall

    /// @notice Pools.payLoss
    function payLoss(uint256 id, uint256 market, uint256 amount) external keeps {
        _subCash(id, amount);
        _addPool(market, amount);
    }

    /// @notice Pools.payGain; Upkeep.claim, which takes more off the quote than it pays.
    function payGain(uint256 id, uint256 market, uint256 paid) external keeps {
        _subPool(market, paid);
        _addCash(id, paid);
    }

    /// @notice Upkeep.sweepFees
    function sweepFees(uint256 market, uint256 fund, uint256 treasury, uint256 paid, uint256 toFund) external keeps {
        require(toFund <= paid);
        _subPool(market, paid);
        _addCash(fund, toFund);
        _addCash(treasury, paid - toFund);
    }

    /// @notice Waterfall._absorbPart, the fund's share of it; what is socialised or becomes bad debt moves no cash.
    function absorbPart(uint256 fund, uint256 market, uint256 drawn) external keeps {
        _subCash(fund, drawn);
        _addPool(market, drawn);
    }

    // ---------------------------------------------------------------- Liquidation

    /// @notice Liquidation._pay: `payment` runs to the account, or from it if negative; of what the fund gets `repaid` goes to a market's bad debt
    /// (Waterfall.creditFund).
    function pay(
        uint256 id,
        uint256 taker,
        uint256 fund,
        uint256 flagger,
        uint256 market,
        int256 payment,
        uint256 toFund,
        uint256 repaid,
        uint256 toFlagger
    ) external keeps {
        require(repaid <= toFund);
        int256 paid = payment + int256(toFund) + int256(toFlagger);
        if (payment < 0) _subCash(id, uint256(-payment));
        if (paid > 0) _subCash(taker, uint256(paid));
        else _addCash(taker, uint256(-paid));
        if (payment > 0) _addCash(id, uint256(payment));
        _addPool(market, repaid);
        _addCash(fund, toFund - repaid);
        _addCash(flagger, toFlagger);
    }

    /// @notice Liquidation._payRescue, from fund to taker.
    function payRescue(uint256 fund, uint256 taker, uint256 drawn) external keeps {
        _subCash(fund, drawn);
        _addCash(taker, drawn);
    }

    // ---------------------------------------------------------------- internals

    function _holds() internal view virtual returns (bool);

    /// @dev Ledger.addCash
    function _addCash(uint256 id, uint256 amount) private {
        cash[id] += amount;
        allCash += amount;
    }

    /// @dev Ledger.subCash
    function _subCash(uint256 id, uint256 amount) private {
        require(cash[id] >= amount);
        cash[id] -= amount;
        allCash -= amount;
    }

    function _addPool(uint256 market, uint256 amount) private {
        pools[market] += amount;
        allPools += amount;
    }

    function _subPool(uint256 market, uint256 amount) private {
        require(pools[market] >= amount);
        pools[market] -= amount;
        allPools -= amount;
    }

    /// @dev Lending._reduceDebt: what is paid beyond the total becomes a reserve.
    function _reduceDebt(uint256 amount) private {
        uint256 excess = amount > borrowed ? amount - borrowed : 0;
        borrowed -= amount - excess;
        reserves += excess;
    }
}
/// @notice CASH_IDENTITY: vault = Σ cash + (lent + reserves − borrowed) + Σ pools, and what nobody claims.
contract CashIdentity is ReducedCash {
    function _holds() internal view override returns (bool) {
        return vault + borrowed == surplus + allCash + lent + reserves + allPools;
    }
}

/// @notice LENDING_IS_LIQUID: borrowed ≤ lent + reserves.
contract LendingIsLiquid is ReducedCash {
    function _holds() internal view override returns (bool) {
        return borrowed <= lent + reserves;
    }
}
