// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";

/// @notice A signed limit order. With a trigger it is a stop-loss or a take-profit, best reduce-only; two of them with one nonce cancel each
/// other by filling.
struct Order {
    AccountId account;
    uint256 market;
    int256 size; // [wad] base units, positive = buy; a multiple of 1e9
    uint256 limitPrice; // [wad] worst price
    uint256 triggerAbove; // [wad] fills only while the index price is at or above it; zero = no condition
    uint256 triggerBelow; // [wad] fills only while the index price is at or below it; zero = no condition
    uint256 executionFee; // [wad] most that who settles the whole of it may take from the account, pro rata of what fills
    uint256 expiry; // [s] last second at which it can fill
    uint256 nonce; // names the order; orders of one account that share a nonce share one filled amount
    uint256 epoch; // the owner's epoch at signing
    bool resting; // rests in the book: it is the maker and sets the price
    bool postOnly; // must be the maker of a fill; implies resting
    bool reduceOnly; // only ever shrinks the position; clipped to it
    bool fillOrKill; // fills whole within one settlement or not at all
}

struct SignedOrder {
    Order order;
    bytes signature; // 65-byte ECDSA of the owner, or whatever the owner's ERC-1271 accepts
}

/// @notice Indices into the orders of one settlement.
struct Match {
    uint256 maker;
    uint256 taker;
}

/// @title Signed orders
/// @notice Verifies EIP-712 orders and turns matches into fills of the clearinghouse. Anyone may settle; an order can be
/// delayed, but never altered, overfilled or traded beyond its limit. One resting order sets the price; two resting orders
/// trade at the mid of their limits, or at that of the only post-only one, which is then the maker; two that take do not trade. Each
/// match fills the smaller remainder. Who settles chooses who meets whom, but no price, and no role that an order has not.
///
/// An order with a trigger takes what rests: no book shows it before its time, so it sets no price. The index price of a trigger is the
/// one that the ledger has gone by in the fill (the last good one where the market has none, see `IClearingHouse`).
interface IExchange {
    /// @notice Two orders have met: whose, and which keys have signed them (zero: the owner). Size, price and fees are told by the
    /// clearinghouse's `Trade`: the first match of a transaction by its first, the second by its second.
    event OrdersMatched(
        AccountId indexed maker,
        AccountId indexed taker,
        uint256 makerNonce,
        uint256 takerNonce,
        address makerKey,
        address takerKey
    );
    /// @notice A match of `settleEach` was left out. `reason` is what it reverted with; nothing, if it ran out of gas.
    event MatchSkipped(uint256 index, bytes reason);
    /// @notice `account` paid `fee` [wad] for the settlement of its order into `feeTo`.
    event ExecutionFeePaid(AccountId indexed account, AccountId indexed feeTo, uint256 nonce, uint256 fee);
    event OrderCancelled(AccountId indexed account, uint256 nonce);
    event NoncesCancelled(address indexed owner, uint256 lowestNonce);
    /// @notice Orders of `owner` are void after `time` [s] unless he renews it; zero: they are not.
    event DeadManSet(address indexed owner, uint256 time);
    event AllRevoked(address indexed owner, uint256 epoch);

    error OrderExpired(uint256 expiry, uint256 now_);
    error OrderNonceTooLow(uint256 nonce, uint256 lowestNonce);
    error OrderNonceTooHigh(uint256 nonce);
    error OrderEpochMismatch(uint256 epoch, uint256 current);
    /// @dev The owner has not renewed his dead-man switch in time.
    error OwnerSilent(address owner, uint256 time, uint256 now_);
    error OrderCancelledOrFilled(AccountId account, uint256 nonce, uint256 filled);
    error OrderSizeInvalid(int256 size, uint256 unit, uint256 max);
    error OrderPriceInvalid(uint256 price, uint256 max);
    error OrderFlagsInvalid(bool resting, bool postOnly, bool fillOrKill);
    /// @dev It has a trigger and rests.
    error OrderTriggerRests(uint256 triggerAbove, uint256 triggerBelow);
    /// @dev Both [wad]; `max` is 1 % of size · limitPrice.
    error OrderFeeTooHigh(uint256 executionFee, uint256 max);
    /// @dev All prices [wad].
    error OrderNotTriggered(
        AccountId account,
        uint256 nonce,
        uint256 indexPrice,
        uint256 triggerAbove,
        uint256 triggerBelow
    );
    error OrderSideMismatch(int256 makerSize, int256 takerSize);
    error OrderMarketMismatch(uint256 makerMarket, uint256 takerMarket);
    error OrderNotCrossing(uint256 bid, uint256 ask);
    error OrderNoMaker(uint256 makerNonce, uint256 takerNonce);
    /// @dev It is post-only and named as the taker, or meets another post-only one.
    error OrderWouldTake(AccountId account, uint256 nonce);
    error OrderNotFilledWhole(AccountId account, uint256 nonce, uint256 filled, uint256 size);
    /// @dev One settlement names an order, or two orders with one nonce, twice.
    error OrderRepeated(AccountId account, uint256 nonce);
    error OrderNothingToReduce(AccountId account, uint256 market, int256 position);
    error InvalidSignature(AccountId account, uint256 nonce);
    /// @dev Its owner is in lockdown, which leaves reduce-only orders without an execution fee.
    error OrderInLockdown(AccountId account, uint256 nonce);
    error NotOwner(AccountId account, address caller);
    error NotClearingHouse(address caller);
    error NonceNotIncreased(uint256 lowestNonce, uint256 current);
    error NoMatches();
    /// @dev `settleEach` had to leave every match out; `reason` is what the last one reverted with.
    error NothingSettled(bytes reason);
    /// @dev The time is beyond 40 bits, or a key has tried to switch the owner's dead-man switch off.
    error DeadManInvalid(uint256 time);

    /// @notice Verifies `orders` and fills `matches` in order, in one call of the clearinghouse. Open to anyone, who takes no fee for it.
    /// @dev Emits `OrdersMatched` per match, and the clearinghouse its `Trade`. Reverts whole if any match fails, with one of the errors
    /// above, of `ISessionKeys` or of the clearinghouse.
    function settle(SignedOrder[] calldata orders, Match[] calldata matches) external;

    /// @notice As `settle`, and moves the orders' execution fees in cash from their accounts into `feeTo`: of each order the part that fills
    /// here, rounded down, and never more than 1 % of what it fills at [USD]. Open to anyone.
    /// @dev Emits `ExecutionFeePaid` per fee, and the clearinghouse its `Transferred`. The accounts are checked once, after trade and fees
    /// together: with a fee an account must have its losses settled and, without unsettled profit, E ≥ IM; or be worse in nothing than
    /// before. What fills by `settle` or `settleEach` pays no fee, then or later. Not part of a batch of the clearinghouse.
    /// @param feeTo any account; anyone may add cash to it
    function settleForFee(SignedOrder[] calldata orders, Match[] calldata matches, AccountId feeTo) external;

    /// @notice As `settle` for each match by itself: one that fails is left out, and the rest settles. Open to anyone, who takes no fee.
    /// @dev Emits `MatchSkipped` per match left out. Reverts with `NothingSettled` if that is all of them. A fill-or-kill order fills by a
    /// single match or not at all. Each match verifies both signatures and checks both margins anew, so it costs more than in `settle`;
    /// a contract wallet can burn 300,000 gas per match that names it. Who gives too little gas only leaves out what he could have left
    /// out anyway. Not part of a batch of the clearinghouse, whose checks come at its end and could not leave anything out.
    /// @return settled which matches went through
    function settleEach(
        SignedOrder[] calldata orders,
        Match[] calldata matches
    ) external returns (bool[] memory settled);

    /// @notice Cancels the orders of `account` with these nonces, filled in part or never seen. Owner, or a key of his
    /// with the scope to cancel.
    function cancel(AccountId account, uint256[] calldata nonces) external;

    /// @notice Cancels every order of the caller, in all accounts, whose nonce is below `lowestNonce`. One write.
    function cancelBelow(uint256 lowestNonce) external;

    /// @notice Dead-man switch: every order of `owner` is void after `time` [s], until he sets a later one; zero switches it off. Owner, or a key
    /// of his that trades with his main account, which may not switch it off, and must be allowed to cancel to raise `lowestNonce`.
    /// @dev Below `lowestNonce` what has lapsed stays void: a switch that was not renewed in time is set again together with a higher one.
    /// It should be above every nonce signed so far, and the owner numbers his next orders from there.
    /// @param lowestNonce orders below it are void, as by `cancelBelow`; the current one leaves it as it is
    function setDeadMan(address owner, uint256 time, uint256 lowestNonce) external;

    /// @notice Invalidates every order the caller has signed so far and every key granted for him, for ever. One write.
    function revokeAll() external;

    /// @notice The same for `owner`, who has signed it: EIP-712 `RevokeAll` with his epoch as it is, so it works once. It can be signed long
    /// before and kept by a watcher, who needs no key of the owner's; anyone may bring it.
    /// @param signature 65-byte ECDSA of the owner, or whatever the owner's ERC-1271 accepts
    function revokeAllFor(address owner, bytes calldata signature) external;

    /// @notice Lockdown of `owner` begins, with which all that he has signed and every key ends, or is over. Clearinghouse only.
    function setLockdown(address owner, bool locked) external;

    /// @notice Filled amount of the order slot [wad]; `type(uint256).max` when cancelled.
    function filled(AccountId account, uint256 nonce) external view returns (uint256);

    /// @notice What an order of `owner` must carry to be valid, and the time [s] after which none is; zero: never.
    function ownerState(address owner) external view returns (uint256 epoch, uint256 lowestNonce, uint256 deadMan);

    /// @notice EIP-712 hash that the owner signs.
    function hashOrder(Order calldata order) external view returns (bytes32);
}
