// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// A require is an assumption here.
// solhint-disable gas-custom-errors

import {Fixed} from "../contracts/libraries/Fixed.sol";

/// @notice DIV_UP: the least q with q · b ≥ a.
contract DivUp {
    function prove(uint256 a, uint256 b) external pure {
        require(b > 0 && b <= type(uint128).max && a <= type(uint128).max);
        uint256 q = Fixed.divUp(a, b);
        assert(q * b >= a && q * b < a + b);
    }
}

/// @notice DIV_FLOOR: the largest q with q · b ≤ a, for negative a too.
contract DivFloor {
    function prove(int256 a, int256 b) external pure {
        require(b > 0 && b < 2 ** 128);
        require(a > -(2 ** 240) && a < 2 ** 240);
        int256 q = Fixed.divFloor(a, b);
        assert(q * b <= a && a - q * b < b);
    }
}

/// @notice LEND_ROUND_TRIP: cash lent (Lending.lend) and called back (Lending.lentOf) is no more than it was, and what the others' shares are worth
/// has not fallen. `lent` and `shares` with their virtual offsets.
contract LendRoundTrip {
    function prove(uint128 lent, uint128 shares, uint128 amount) external pure {
        require(lent > 0 && shares > 0);
        uint256 minted = (uint256(amount) * shares) / lent;
        uint256 value = minted * (uint256(lent) + amount);
        // lentOf ≤ amount, that is value / (shares + minted) < amount + 1
        assert(value < (uint256(amount) + 1) * (uint256(shares) + minted));
        assert((uint256(lent) + amount) * shares >= lent * (uint256(shares) + minted));
    }
}

/// @notice BORROW_ROUND_TRIP: who borrows (Lending._raise) owes (Lending.debtOf) at least what he got.
contract BorrowRoundTrip {
    function prove(uint128 borrowed, uint128 shares, uint128 amount) external pure {
        require(borrowed > 0 && shares > 0);
        uint256 minted = Fixed.divUp(uint256(amount) * shares, borrowed);
        // debtOf ≥ amount, that is minted · (borrowed + amount) / (shares + minted) ≥ amount
        assert(minted * (uint256(borrowed) + amount) >= uint256(amount) * (uint256(shares) + minted));
    }
}

/// @notice SLICE_IMPROVES: a slice f at a cost of ⌈f · d·MM⌉ raises E/MM where f · (E − d·MM) is a wei or more and MM falls to 1 − f of itself:
/// E' / ((1 − f) · MM) > E / MM.
contract SliceImproves {
    function prove(uint128 equity, uint128 dMM, uint128 fraction) external pure {
        require(fraction > 0 && fraction <= 1e18 && equity > dMM);
        require(uint256(fraction) * (equity - dMM) >= 1e18);
        uint256 cost = Fixed.divUp(uint256(fraction) * dMM, 1e18);
        assert((int256(uint256(equity)) - int256(cost)) * 1e18 > int256(uint256(equity) * (1e18 - fraction)));
    }
}

/// @notice QUOTE_TRICK: the two parties' changes of quote (Positions.quoteChange) at size · (price − F) = `value` cancel, up to one wei in the
/// pool's favour.
contract QuoteTrick {
    function prove(int256 value) external pure {
        require(value > -(2 ** 242) && value < 2 ** 242);
        int256 sum = Fixed.divFloor(value, 1e36) + Fixed.divFloor(-value, 1e36);
        assert(sum == 0 || sum == -1);
    }
}

/// @notice FUNDING_ZERO_SUM: of two equal and opposite positions opened at price − F = `opened` and valued at mark − F = `now_`, whatever funding
/// there was between, the PnL adds up to 0, −1 or −2 wei (Positions.pnlAt).
contract FundingZeroSum {
    function prove(int256 size, int256 opened, int256 marked) external pure {
        require(size >= -(2 ** 96) && size <= 2 ** 96);
        require(opened > -(2 ** 144) && opened < 2 ** 144 && marked > -(2 ** 144) && marked < 2 ** 144);
        int256 a = size * opened;
        int256 b = size * marked;
        require(a > -(2 ** 242) && a < 2 ** 242 && b > -(2 ** 242) && b < 2 ** 242);
        int256 one = Fixed.divFloor(b, 1e36) + Fixed.divFloor(-a, 1e36);
        int256 other = Fixed.divFloor(-b, 1e36) + Fixed.divFloor(a, 1e36);
        assert(one + other <= 0 && one + other >= -2);
    }
}
