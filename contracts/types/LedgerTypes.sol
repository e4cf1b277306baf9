// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "./AccountId.sol";

// Units behind every stored field: [wad] 18-decimal fixed point, [ray36] 36-decimal cumulative index per unit of size,
// [ppm] parts per million, [1e-12] parts per million million, [s] seconds. Prices are USD [wad] per whole unit of an underlying.

/// @notice What an account owns besides its positions. 112 + 64 + 64 + 16 = 256 bits.
struct Account {
    uint112 cash; // [wad] settlement asset
    uint64 markets; // bitmap of markets with a non-zero position word
    uint64 collaterals; // bitmap of collateral assets with a balance
    uint16 flags; // FLAG_* below
}

/// @notice A perpetual position. 128 + 128 = 256 bits. PnL = size · (mark − F_side) + quote.
struct Position {
    int128 size; // [wad] base units, positive = long
    int128 quote; // [wad] USD
}

/// @notice First market word: 144 + 112 = 256 bits.
struct MarketIndex {
    int144 funding; // [ray36] cumulative funding per unit of size at `MarketRate.time`
    uint112 openInterest; // [wad] sum of all long sizes = sum of all short sizes
}

/// @notice Second market word: 80 + 32 + 32 + 32 + 64 + 8 + 8 = 256 bits.
struct MarketRate {
    uint80 price; // [wad] index price at `time`
    uint32 time; // [s] last accrual
    int32 premium; // [1e-12] average premium of trade price over index at `time`: the funding rate per 8 h
    int32 lastPremium; // [1e-12] weighted premium of the last trades, what the average moves towards
    uint64 fees; // [1e-9 USD] accrued and unswept trading fees: a claim on the pool like a winner's
    uint8 underlying; // risk unit whose index price marks this market
    uint8 flags; // MARKET_* below
}

/// @notice Third market word: settled losses that winners can be paid from. 128 + 128 = 256 bits.
struct MarketPool {
    uint128 cash; // [wad]
    uint128 flaggedDeficit; // [wad] deficits that flags have recorded; not paid out to winners
}

/// @notice Socialised and recorded losses of a market; read only if MARKET_HAS_LOSS is set.
struct MarketLoss {
    uint256 longIndex; // [ray36] cumulative loss per unit charged to longs: F_long = F + longIndex
    uint256 shortIndex; // [ray36] cumulative loss per unit charged to shorts: F_short = F − shortIndex
    uint256 badDebt; // [wad] what no fund and no side has paid
}

/// @notice Parameters of a market. 16 + 16 + 24 + 16 + 80 + 48 + 48 + 8 = 256 bits.
struct MarketParams {
    uint16 takerFee; // [ppm of notional]
    uint16 makerFee; // [ppm of notional]
    uint24 priceBand; // [ppm] largest distance of a fill from the index
    uint16 socialisationCap; // [ppm of the mark] most that a side can be charged per unit and rolling 24 h: β/4
    uint80 minFill; // [wad] smallest fill in base units
    uint48 softCap; // [whole USD] open interest above which the opening surcharge begins
    uint48 hardCap; // [whole USD] open interest that no opening may exceed
    uint8 underlying;
}

/// @notice A collateral asset. 160 + 8 + 8 + 8 + 32 = 216 bits, 64 + 64 + 80 = 208 bits.
struct CollateralParams {
    address token;
    uint8 decimals; // of the token, 0 to 24
    uint8 underlying; // whose index price values a unit
    bool hasRate; // a unit is worth the oracle's rate in units of the underlying (liquid-staking tokens), else one
    uint32 delistingEnd; // [s] end of the ramp of its haircut to 100 %, from then on it counts zero; 0 = listed
    uint64 cap; // [whole units] most that all accounts may bring in
    uint64 accountCap; // [whole units] most that one account may bring in
    uint80 minBalance; // [wad] dust threshold: a balance is zero or at least this
}

/// @notice Shares of an account in lent cash and debt; read only if FLAG_LOANS is set. 128 + 128 = 256 bits.
/// Debt is held by nobody who has cash or lent cash: whatever comes in repays it first.
struct Loans {
    uint128 lentShares;
    uint128 debtShares;
}

/// @notice The market in the settlement asset. Liquid is lent + reserves − borrowed. Four words.
struct LendingPool {
    uint128 lent; // [wad] what lenders own at `time`
    uint128 borrowed; // [wad] what borrowers owe at `time`
    uint128 lentShares;
    uint128 debtShares;
    uint128 reserves; // [wad] the insurance fund's share of interest, unswept
    uint64 rate; // [wad per second] continuously compounded, of the utilisation after the last movement
    uint32 time; // [s] last accrual
    uint128 flaggedDeficit; // [wad] that flags have recorded of borrowers: it earns nothing, and who leaves bears his part of it
}

/// @notice Interest rate as a function of utilisation, kinked. 24 + 32 + 32 + 24 = 112 bits.
struct LendingParams {
    uint24 kink; // [ppm] utilisation up to which the rate rises gently
    uint32 lowSlope; // [ppm per year] rate at the kink
    uint32 highSlope; // [ppm per year] further rise from the kink to full utilisation
    uint24 reserveFactor; // [ppm] of interest that goes to the insurance fund
}

/// @notice Openings of an account above a soft cap; read only if FLAG_OPENED is set. 64 + 32 = 96 bits.
struct Openings {
    uint64 markets; // bitmap of markets in which it opened
    uint32 time; // [s] of the last one
}

/// @notice State of an account's auction; read only if FLAG_AUCTION is set. Two words: 160 + 96, 5 · 32 + 64 + 8.
struct Auction {
    address flagger; // earns the flagger's share of the penalty
    uint96 maintenanceAtFlag; // [wad] saturating
    uint32 clock; // [s] liquidation clock
    uint32 rescueClock; // [s] clock of the rescue reward plus one; 0 = it has not started
    uint32 lastCall; // [s] time of the last call that found E < MM
    uint32 cashCallClock; // [s] observed time plus one for which a loss has waited for cash, 0 = none
    uint32 cashCallSeen; // [s] time of the last observation
    uint64 recordedMarkets; // bitmap of markets in which the last flag recorded a part of the account's deficit
    bool recordedLending; // the last flag recorded a part in the lending pool
}

/// @notice One fill, as the exchange reports it to the ledger.
struct Fill {
    AccountId maker;
    AccountId taker;
    uint256 market;
    int256 size; // [wad] change of the taker's size; the maker's is the opposite
    uint256 price; // [wad]
    uint256 flags; // FILL_* below
}

/// @notice What the ledger made of a fill: the index price it went by [wad] (80 bits) and the fees of maker and taker [wad] (88 each).
type FillReceipt is uint256;

using FillReceipts for FillReceipt global;

library FillReceipts {
    function pack(uint256 index, uint256 maker, uint256 taker) internal pure returns (FillReceipt) {
        return FillReceipt.wrap((index << 176) | (_fee(maker) << 88) | _fee(taker));
    }

    function indexPrice(FillReceipt r) internal pure returns (uint256) {
        return FillReceipt.unwrap(r) >> 176;
    }

    function makerFee(FillReceipt r) internal pure returns (uint256) {
        return uint88(FillReceipt.unwrap(r) >> 88);
    }

    function takerFee(FillReceipt r) internal pure returns (uint256) {
        return uint88(FillReceipt.unwrap(r));
    }

    /// @dev At most 309 million USD: no fee that somebody would pay is more.
    function _fee(uint256 fee) private pure returns (uint256) {
        return fee < type(uint88).max ? fee : type(uint88).max;
    }
}

/// @notice What an owner has put between his accounts and a thief of his key. 160 + 24 + 32 + 32 + 8 = 256 bits.
struct Guard {
    address guardian; // may lock down, unlock, and take payees off the list
    uint24 delay; // [s] how long what loosens waits
    uint32 lockTime; // [s] of the lockdown, zero: there is none
    uint32 unlockTime; // [s] from which the owner may end it, zero: he has not asked
    bool restricted; // withdrawals go to payees only
}

/// @notice A guard that loosens and therefore waits. 160 + 24 + 32 + 8 = 224 bits.
struct PendingGuard {
    address guardian;
    uint24 delay;
    uint32 time; // [s] from which it is in force, zero: there is none
    bool restricted;
}

/// @notice How much more of a token has left than come in, lately. 128 + 64 + 40 = 232 bits.
struct Outflow {
    int128 level; // [wad units] net outflow at `time`; it decays e-fold in 24 hours
    uint64 cap; // [whole units] most that it may be, zero: no limit
    uint40 time; // [s]
}

/// @notice Announcement that a flat account leaves; in force only if FLAG_EXIT is set. 112 + 40 = 152 bits.
struct ExitRequest {
    uint112 cash; // [wad] that may still leave by it: what was there less what has left since
    uint40 time; // [s]
}

/// @notice Worst terms a liquidator accepts.
struct LiquidationTerms {
    uint256 maxFraction; // [wad] largest slice to take, 1e18 = whatever is needed
    int256 maxPayment; // [wad] most cash the taker pays (negative: least he receives)
    uint256 minGain; // [wad] least share of the cost kept by the taker, rescue reward apart
    bool acceptClaims; // be paid in claims on a market's pool where the account has neither cash nor debt to give
}

/// @notice One call of a batch: `target` is the clearinghouse or the exchange.
struct Call {
    address target;
    bytes data;
}

/// @notice Result of an assessment, all [wad].
struct Assessment {
    int256 equity; // plain net value, positive PnL included
    uint256 initialMargin;
    uint256 maintenanceMargin;
}

/// @notice What a user wants to know of an account, all [wad].
struct HealthReport {
    MarginState state;
    int256 equity;
    uint256 initialMargin;
    uint256 maintenanceMargin;
    int256 ratio; // E / MM; `type(int256).max` where MM is zero and E is not negative
    uint256 freeCollateral; // USD that may leave: E without unsettled profit less what it must leave behind
}

/// @notice The cheapest ways out of a margin call.
struct Cure {
    uint256 deposit; // [wad] cash that brings E to IM
    uint256 market; // market in which closing cures with the least notional
    int256 size; // [wad] change of size there that cures; zero if closing in no single market does
}

/// @notice Margin state of an account; a function of equity against its two requirements only.
enum MarginState {
    Healthy, // E ≥ IM
    MarginCall, // MM ≤ E < IM
    Liquidatable, // 0 ≤ E < MM
    Bankrupt // E < 0
}

uint16 constant FLAG_AUCTION = 1; // the account has an Auction
uint16 constant FLAG_LOANS = 2; // the account has Loans
uint16 constant FLAG_OPENED = 4; // the account has Openings
uint16 constant FLAG_EXIT = 8; // the account has an ExitRequest
uint16 constant FLAG_FLOWS = 16; // the net flow of cash into the account is kept
uint16 constant FLAG_CAPPED = 32; // the account has caps on its exposure

uint8 constant MARKET_LISTED = 1;
uint8 constant MARKET_HAS_LOSS = 2; // MarketLoss is in use

uint256 constant FILL_TAKER_REDUCES = 1; // the taker's order is reduce-only
uint256 constant FILL_MAKER_REDUCES = 2; // the maker's order is reduce-only
uint256 constant FILL_BOTH_REST = 4; // two resting orders: mid price, each pays the mean of both fees

uint256 constant WAD = 1e18;
uint256 constant PPM = 1e6;
uint256 constant MAX_MARKETS = 64; // ids of listed markets are 0 to 63
uint256 constant MAX_COLLATERALS = 64; // ids of listed collateral assets are 0 to 63
uint256 constant LENDING = 64; // stands for the lending pool where losses are kept by market
uint256 constant MAX_ACCOUNT_MARKETS = 16; // an account holds at most this many markets
uint256 constant MAX_ACCOUNT_COLLATERALS = 8; // and this many collateral assets
uint256 constant MAX_SIZE = 2 ** 96; // [wad] of one position: with MAX_PRICE no product below can overflow
uint256 constant MAX_PRICE = 1e24; // [wad] one million USD per unit
uint256 constant FEE_UNIT = 1e9; // [wad] granularity of fees, rounded up
