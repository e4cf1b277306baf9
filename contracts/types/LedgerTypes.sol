// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "./AccountId.sol";

// Units behind every stored field: [wad] 18-decimal fixed point, [ray36] 36-decimal cumulative index per unit of size,
// [ppm] parts per million, [ppb] parts per billion, [s] seconds. Prices are USD [wad] per whole unit of an underlying.

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
    int32 premium; // [ppb] average premium of trade price over index, the funding rate per 8 h before its clamp
    int32 lastPremium; // [ppb] weighted premium of the last trades, what the average moves towards
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

/// @notice A collateral asset. 160 + 8 + 8 + 80 = 256 bits.
struct CollateralParams {
    address token;
    uint8 decimals; // of the token, 0 to 24
    uint8 underlying; // whose index price values a unit
    uint80 minBalance; // [wad] dust threshold: a balance is zero or at least this
}

/// @notice State of an account's auction; read only if FLAG_AUCTION is set. Two words: 160 + 96, 32 + 32 + 32 + 32 + 64.
struct Auction {
    address flagger; // earns the flagger's share of the penalty
    uint96 maintenanceAtFlag; // [wad] saturating
    uint32 clock; // [s] liquidation clock
    uint32 rescueClock; // [s] clock of the rescue reward plus one; 0 = it has not started
    uint32 lastCall; // [s] time of the last call that found E < MM
    uint32 cashCallSince; // [s] first observation of a loss that cash could not settle, 0 = none
    uint64 recordedMarkets; // bitmap of markets in which the last flag recorded a part of the account's deficit
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

/// @notice Margin state of an account; a function of equity against its two requirements only.
enum MarginState {
    Healthy, // E ≥ IM
    MarginCall, // MM ≤ E < IM
    Liquidatable, // 0 ≤ E < MM
    Bankrupt // E < 0
}

uint16 constant FLAG_AUCTION = 1; // the account has an Auction

uint8 constant MARKET_LISTED = 1;
uint8 constant MARKET_HAS_LOSS = 2; // MarketLoss is in use

uint256 constant FILL_TAKER_REDUCES = 1; // the taker's order is reduce-only
uint256 constant FILL_MAKER_REDUCES = 2; // the maker's order is reduce-only
uint256 constant FILL_BOTH_REST = 4; // two resting orders: mid price, each pays the mean of both fees

uint256 constant WAD = 1e18;
uint256 constant PPM = 1e6;
uint256 constant MAX_MARKETS = 64; // ids of listed markets are 0 to 63
uint256 constant MAX_COLLATERALS = 64; // ids of listed collateral assets are 0 to 63
uint256 constant MAX_ACCOUNT_MARKETS = 16; // an account holds at most this many markets
uint256 constant MAX_ACCOUNT_COLLATERALS = 8; // and this many collateral assets
uint256 constant MAX_SIZE = 2 ** 96; // [wad] of one position: with MAX_PRICE no product below can overflow
uint256 constant MAX_PRICE = 1e24; // [wad] one million USD per unit
uint256 constant FEE_UNIT = 1e9; // [wad] granularity of fees, rounded up
