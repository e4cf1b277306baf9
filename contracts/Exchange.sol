// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IClearingHouseCore} from "./interfaces/IClearingHouseCore.sol";
import {IExchange, Match, Order, SignedOrder} from "./interfaces/IExchange.sol";
import {SCOPE_CANCEL, SCOPE_REDUCE, SCOPE_TRADE} from "./interfaces/ISessionKeys.sol";
import {Fixed} from "./libraries/Fixed.sol";
import {Intents} from "./Intents.sol";
import {SessionKeys} from "./SessionKeys.sol";
import {AccountId, AccountIds} from "./types/AccountId.sol";
import {
    Call,
    Fill,
    FILL_BOTH_REST,
    FILL_MAKER_REDUCES,
    FILL_TAKER_REDUCES,
    FillReceipt,
    MAX_PRICE,
    WAD
} from "./types/LedgerTypes.sol";

/// @title Signed orders
/// @notice See `IExchange`.
contract Exchange is IExchange, Intents, EIP712 {
    bytes32 private constant ORDER_TYPEHASH = keccak256(
        "Order(uint256 account,uint256 market,int256 size,uint256 limitPrice,uint256 triggerAbove,uint256 triggerBelow,uint256 executionFee,uint256 expiry,uint256 nonce,uint256 epoch,bool resting,bool postOnly,bool reduceOnly,bool fillOrKill)"
    );
    bytes32 private constant REVOKE_ALL_TYPEHASH = keccak256("RevokeAll(address owner,uint256 epoch)");
    /// @dev Unit in which filled amounts are kept: 64 bits of it are 18 billion whole units.
    uint256 private constant LOT = 1e9;
    uint256 private constant CANCELLED = type(uint64).max;
    uint256 private constant MAX_ORDER_SIZE = (CANCELLED - 1) * LOT;
    uint256 private constant LANES = 4; // filled amounts of 64 bits in a word
    uint256 private constant SIGNATURE_GAS = 300_000; // for a contract wallet's answer
    uint256 private constant MAX_FEE_DIVISOR = 100; // an execution fee is at most a hundredth of what is traded

    /// @dev One word per owner: 32 + 64 + 40 + 8 bits.
    struct OwnerState {
        uint32 epoch; // orders and grants of any other epoch are void
        uint64 lowestNonce; // orders below it are void
        uint40 deadMan; // [s] orders are void after it; zero = never
        bool lockdown; // only reduce-only orders are good
    }

    /// @dev Filled amounts [lots] of four nonces in a row.
    struct Lanes {
        uint256 word;
    }

    /// @dev An order while matches are made: sizes are [wad], the sign dropped.
    struct Remainder {
        uint256 open; // what may still fill
        uint256 done; // what fills in this settlement
        uint256 value; // [wad²] of what fills in this settlement
        uint256 fee; // [wad] for its execution in this settlement
        uint256 before; // [lots] filled earlier
        address key; // that signed in the owner's place, zero: he did himself
        bool conditional; // it has a trigger
        uint256 fees; // [wad] for trading; counted for keys only, like what follows
        uint256 index; // [wad]
        uint256 furthest; // [wad] price furthest from the index
    }

    /// @notice The ledger that fills go to.
    IClearingHouse public immutable clearingHouse;
    mapping(address owner => OwnerState) private _owners;
    mapping(AccountId => mapping(uint256 group => Lanes)) private _filled;

    constructor(address clearingHouse_) EIP712("Plimsoll", "1") {
        clearingHouse = IClearingHouse(clearingHouse_);
    }

    /// @inheritdoc IExchange
    function settle(SignedOrder[] calldata orders, Match[] calldata matches) external {
        (Remainder[] memory rest, Fill[] memory fills) = _fill(orders, matches);
        _review(orders, matches, rest, fills, clearingHouse.trade(fills));
    }

    /// @inheritdoc IExchange
    function settleForFee(SignedOrder[] calldata orders, Match[] calldata matches, AccountId feeTo) external {
        (Remainder[] memory rest, Fill[] memory fills) = _fill(orders, matches);
        bytes[] memory results = clearingHouse.batch(_tradeAndPay(orders, rest, fills, feeTo));
        _review(orders, matches, rest, fills, abi.decode(results[0], (FillReceipt[])));
        for (uint256 i = 0; i < orders.length; ++i) {
            Order calldata order = orders[i].order;
            if (rest[i].fee != 0) emit ExecutionFeePaid(order.account, feeTo, order.nonce, rest[i].fee);
        }
    }

    /// @inheritdoc IExchange
    function settleEach(
        SignedOrder[] calldata orders,
        Match[] calldata matches
    ) external returns (bool[] memory settled) {
        if (matches.length == 0) revert NoMatches();
        settled = new bool[](matches.length);
        SignedOrder[] memory pair = new SignedOrder[](2);
        Match[] memory meet = new Match[](1);
        meet[0] = Match(0, 1);
        bool any = false;
        bytes memory lastReason;
        for (uint256 i = 0; i < matches.length; ++i) {
            (pair[0], pair[1]) = (orders[matches[i].maker], orders[matches[i].taker]);
            // A call of its own, so that a failure undoes all of it; `settle` trusts nobody who calls it.
            try this.settle(pair, meet) {
                settled[i] = any = true;
            } catch (bytes memory reason) {
                lastReason = reason;
                emit MatchSkipped(i, reason);
            }
        }
        if (!any) revert NothingSettled(lastReason);
    }

    /// @inheritdoc IExchange
    function cancel(AccountId account, uint256[] calldata nonces) external {
        address owner = account.ownerOf();
        if (owner != msg.sender) {
            uint256 epoch = _epochOf(owner);
            if (!_isKey(owner, epoch, msg.sender)) revert NotOwner(account, msg.sender);
            _requireKey(owner, epoch, msg.sender, SCOPE_CANCEL, account, ANY_MARKET);
        }
        for (uint256 i = 0; i < nonces.length; ++i) {
            if (nonces[i] > type(uint64).max) revert OrderNonceTooHigh(nonces[i]);
            _setLane(account, nonces[i], CANCELLED);
            emit OrderCancelled(account, nonces[i]);
        }
    }

    /// @inheritdoc IExchange
    function cancelBelow(uint256 lowestNonce) external {
        _cancelBelow(msg.sender, lowestNonce);
    }

    /// @inheritdoc IExchange
    function setDeadMan(address owner, uint256 time, uint256 lowestNonce) external {
        OwnerState memory o = _owners[owner];
        if (msg.sender != owner) {
            AccountId main = AccountIds.main(owner);
            _requireKey(owner, o.epoch, msg.sender, SCOPE_TRADE, main, ANY_MARKET);
            if (lowestNonce != o.lowestNonce) _requireKey(owner, o.epoch, msg.sender, SCOPE_CANCEL, main, ANY_MARKET);
        }
        if (time > type(uint40).max || (time == 0 && msg.sender != owner)) revert DeadManInvalid(time);
        bool lapsed = o.deadMan != 0 && block.timestamp > o.deadMan;
        if (lapsed || lowestNonce != o.lowestNonce) _cancelBelow(owner, lowestNonce);
        _owners[owner].deadMan = uint40(time);
        emit DeadManSet(owner, time);
    }

    /// @inheritdoc IExchange
    function revokeAll() external {
        _revokeAll(msg.sender);
    }

    /// @inheritdoc IExchange
    function revokeAllFor(address owner, bytes calldata signature) external {
        uint256 epoch = _epochOf(owner);
        bytes32 hash = keccak256(abi.encode(REVOKE_ALL_TYPEHASH, owner, epoch));
        if (!_hasSigned(owner, epoch, hash, signature)) revert InvalidAuthorisation(owner, epoch, 0);
        _revokeAll(owner);
    }

    /// @inheritdoc IExchange
    function setLockdown(address owner, bool locked) external {
        if (msg.sender != address(clearingHouse)) revert NotClearingHouse(msg.sender);
        _owners[owner].lockdown = locked;
        if (locked) _revokeAll(owner);
    }

    /// @inheritdoc IExchange
    function filled(AccountId account, uint256 nonce) external view returns (uint256) {
        uint256 lots = _lane(account, nonce);
        return lots == CANCELLED ? type(uint256).max : lots * LOT;
    }

    /// @inheritdoc IExchange
    function ownerState(address owner) external view returns (uint256 epoch, uint256 lowestNonce, uint256 deadMan) {
        OwnerState memory s = _owners[owner];
        return (s.epoch, s.lowestNonce, s.deadMan);
    }

    /// @inheritdoc IExchange
    function hashOrder(Order calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(_structHash(order));
    }

    function _cancelBelow(address owner, uint256 lowestNonce) private {
        uint256 current = _owners[owner].lowestNonce;
        if (lowestNonce <= current) revert NonceNotIncreased(lowestNonce, current);
        if (lowestNonce > type(uint64).max) revert OrderNonceTooHigh(lowestNonce);
        _owners[owner].lowestNonce = uint64(lowestNonce);
        emit NoncesCancelled(owner, lowestNonce);
    }

    function _revokeAll(address owner) private {
        uint32 epoch = ++_owners[owner].epoch;
        emit AllRevoked(owner, epoch);
    }

    // ---------------------------------------------------------------- verification

    /// @dev Everything that can be wrong with an order by itself. No state has changed yet when wallets are asked.
    function _verify(SignedOrder calldata signed, Remainder memory rest) private view {
        Order calldata order = signed.order;
        if (block.timestamp > order.expiry) revert OrderExpired(order.expiry, block.timestamp);
        uint256 size = Fixed.abs(order.size);
        if (size == 0 || size > MAX_ORDER_SIZE || size % LOT != 0) {
            revert OrderSizeInvalid(order.size, LOT, MAX_ORDER_SIZE);
        }
        if (order.limitPrice == 0 || order.limitPrice > MAX_PRICE)
            revert OrderPriceInvalid(order.limitPrice, MAX_PRICE);
        if ((order.postOnly && !order.resting) || (order.fillOrKill && order.resting)) {
            revert OrderFlagsInvalid(order.resting, order.postOnly, order.fillOrKill);
        }
        rest.conditional = order.triggerAbove | order.triggerBelow != 0;
        if (rest.conditional && order.resting) revert OrderTriggerRests(order.triggerAbove, order.triggerBelow);
        if (order.executionFee != 0) _verifyFee(order, size);
        _verifyNonce(order);
        rest.key = _signerOf(signed);
        rest.before = _lane(order.account, order.nonce);
        if (rest.before == CANCELLED || rest.before * LOT >= size) {
            revert OrderCancelledOrFilled(order.account, order.nonce, rest.before * LOT);
        }
        rest.open = size - rest.before * LOT;
        if (order.reduceOnly) _clip(order, rest);
    }

    function _verifyFee(Order calldata order, uint256 size) private pure {
        uint256 most = (size * order.limitPrice) / (MAX_FEE_DIVISOR * WAD);
        if (order.executionFee > most) revert OrderFeeTooHigh(order.executionFee, most);
    }

    function _verifyNonce(Order calldata order) private view {
        OwnerState memory owner = _owners[order.account.ownerOf()];
        if (order.epoch != owner.epoch) revert OrderEpochMismatch(order.epoch, owner.epoch);
        if (order.nonce < owner.lowestNonce) revert OrderNonceTooLow(order.nonce, owner.lowestNonce);
        if (order.nonce > type(uint64).max) revert OrderNonceTooHigh(order.nonce);
        if (owner.deadMan != 0 && block.timestamp > owner.deadMan) {
            revert OwnerSilent(order.account.ownerOf(), owner.deadMan, block.timestamp);
        }
        if (owner.lockdown && (!order.reduceOnly || order.executionFee != 0))
            revert OrderInLockdown(order.account, order.nonce);
    }

    /// @dev The owner's key that signed, zero if he signed himself.
    function _signerOf(SignedOrder calldata signed) private view returns (address key) {
        Order calldata order = signed.order;
        address owner = order.account.ownerOf();
        bool known;
        (known, key) = _author(owner, order.epoch, hashOrder(order), signed.signature);
        if (!known) revert InvalidSignature(order.account, order.nonce);
        uint256 scopes = order.reduceOnly ? SCOPE_TRADE | SCOPE_REDUCE : SCOPE_TRADE;
        if (key != address(0)) _requireKey(owner, order.epoch, key, scopes, order.account, order.market);
    }

    /// @inheritdoc SessionKeys
    function _authorOf(
        address owner,
        uint256 epoch,
        bytes32 structHash,
        bytes calldata signature
    ) internal view override returns (bool known, address key) {
        return _author(owner, epoch, _hashTypedDataV4(structHash), signature);
    }

    /// @dev A contract wallet is asked before the keys that it has granted: none of them can turn a signer of the wallet's into a lesser
    /// key. Who was none when he granted is not asked at all: to look for code costs more than to look for the key.
    function _author(
        address owner,
        uint256 epoch,
        bytes32 hash,
        bytes calldata signature
    ) private view returns (bool known, address key) {
        (address signer, ECDSA.RecoverError fault, ) = ECDSA.tryRecoverCalldata(hash, signature);
        bool recovered = fault == ECDSA.RecoverError.NoError;
        if (recovered && signer == owner) return (true, address(0));
        if (recovered && _isKeyOfNoWallet(owner, epoch, signer)) return (true, signer);
        if (_walletAccepts(owner, hash, signature)) return (true, address(0));
        return recovered && _isKey(owner, epoch, signer) ? (true, signer) : (false, address(0));
    }

    /// @dev By a static call with bounded gas.
    function _walletAccepts(address owner, bytes32 hash, bytes calldata signature) private view returns (bool) {
        if (owner.code.length == 0) return false;
        (bool ok, bytes memory answer) = owner.staticcall{gas: SIGNATURE_GAS}(
            abi.encodeCall(IERC1271.isValidSignature, (hash, signature))
        );
        if (!ok || answer.length < 32) return false;
        return abi.decode(answer, (bytes32)) == bytes32(IERC1271.isValidSignature.selector);
    }

    /// @dev keccak256(abi.encode(ORDER_TYPEHASH, order)): an order is 14 words in a row, so it is copied whole.
    function _structHash(Order calldata order) private pure returns (bytes32 hash) {
        bytes32 typehash = ORDER_TYPEHASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typehash)
            calldatacopy(add(data, 32), order, 448)
            hash := keccak256(data, 480)
        }
    }

    /// @dev A reduce-only order fills no more than there is to reduce. The ledger enforces it once more for the batch as a whole.
    function _clip(Order calldata order, Remainder memory rest) private view {
        int256 size = clearingHouse.position(order.account, order.market).size;
        if (size == 0 || (size > 0) == (order.size > 0)) revert OrderNothingToReduce(order.account, order.market, size);
        rest.open = Fixed.min(rest.open, Fixed.abs(size));
    }

    // ---------------------------------------------------------------- matching

    /// @dev Everything that a settlement does before the ledger.
    function _fill(
        SignedOrder[] calldata orders,
        Match[] calldata matches
    ) private returns (Remainder[] memory rest, Fill[] memory fills) {
        if (matches.length == 0) revert NoMatches();
        rest = new Remainder[](orders.length);
        for (uint256 i = 0; i < orders.length; ++i) _verify(orders[i], rest[i]);
        fills = new Fill[](matches.length);
        for (uint256 i = 0; i < matches.length; ++i) _match(orders, matches[i], rest, fills[i]);
        for (uint256 i = 0; i < orders.length; ++i) _record(orders[i].order, rest[i]);
    }

    /// @dev Everything that it does with the ledger's answer.
    function _review(
        SignedOrder[] calldata orders,
        Match[] calldata matches,
        Remainder[] memory rest,
        Fill[] memory fills,
        FillReceipt[] memory receipts
    ) private {
        for (uint256 i = 0; i < fills.length; ++i) {
            (Match calldata m, FillReceipt receipt) = (matches[i], receipts[i]);
            (Remainder memory maker, Remainder memory taker) = (rest[m.maker], rest[m.taker]);
            uint256 index = receipt.indexPrice();
            // A maker rests, so it has no trigger.
            if (taker.conditional) _requireTriggered(orders[m.taker].order, index);
            if (maker.key != address(0)) _count(maker, fills[i].price, index, receipt.makerFee());
            if (taker.key != address(0)) _count(taker, fills[i].price, index, receipt.takerFee());
        }
        for (uint256 i = 0; i < orders.length; ++i) {
            if (rest[i].key != address(0)) _useKey(orders[i].order, rest[i]);
        }
    }

    function _count(Remainder memory rest, uint256 price, uint256 index, uint256 fee) private pure {
        unchecked {
            rest.fees += fee; // of 88 bits
        }
        uint256 furthest = rest.furthest;
        if (furthest == 0 || Fixed.distance(price, index) > Fixed.distance(furthest, index)) rest.furthest = price;
        rest.index = index;
    }

    /// @dev Takes off a key what its order has done. Σ (price − index) · Δsize is what the order has traded less what that is worth at the
    /// index: an order has one side and one market. A fee for execution is a loss for the key that has signed it.
    function _useKey(Order calldata order, Remainder memory rest) private {
        if (rest.done == 0) return;
        int256 lost;
        unchecked {
            lost = int256(rest.value) - int256(rest.index * rest.done); // both below MAX_ORDER_SIZE · MAX_PRICE
            lost = (order.size > 0 ? lost : -lost) + int256((rest.fees + rest.fee) * WAD);
        }
        _use(order.account, order.epoch, rest.key, rest.value, lost, rest.furthest, rest.index);
    }

    function _requireTriggered(Order calldata order, uint256 index) private pure {
        (uint256 above, uint256 below) = (order.triggerAbove, order.triggerBelow);
        if (index < above || (below != 0 && index > below)) {
            revert OrderNotTriggered(order.account, order.nonce, index, above, below);
        }
    }

    function _match(
        SignedOrder[] calldata orders,
        Match calldata m,
        Remainder[] memory rest,
        Fill memory fill
    ) private {
        (Order calldata maker, Order calldata taker) = (orders[m.maker].order, orders[m.taker].order);
        (Remainder memory makers, Remainder memory takers) = (rest[m.maker], rest[m.taker]);
        if (maker.market != taker.market) revert OrderMarketMismatch(maker.market, taker.market);
        if ((maker.size > 0) == (taker.size > 0)) revert OrderSideMismatch(maker.size, taker.size);
        fill.price = _priceOf(maker, taker);
        uint256 size = Fixed.min(makers.open, takers.open);
        if (size == 0) revert OrderCancelledOrFilled(maker.account, maker.nonce, makers.done);
        _take(makers, size, fill.price);
        _take(takers, size, fill.price);
        (fill.maker, fill.taker, fill.market) = (maker.account, taker.account, maker.market);
        fill.size = taker.size > 0 ? int256(size) : -int256(size);
        if (taker.resting && !maker.postOnly) fill.flags |= FILL_BOTH_REST;
        if (maker.reduceOnly) fill.flags |= FILL_MAKER_REDUCES;
        if (taker.reduceOnly) fill.flags |= FILL_TAKER_REDUCES;
        emit OrdersMatched(maker.account, taker.account, maker.nonce, taker.nonce, makers.key, takers.key);
    }

    /// @dev The resting order's limit; of two that rest that of the only post-only one, or the mid. Who settles cannot choose who is the
    /// maker.
    function _priceOf(Order calldata maker, Order calldata taker) private pure returns (uint256) {
        (uint256 bid, uint256 ask) = maker.size > 0
            ? (maker.limitPrice, taker.limitPrice)
            : (taker.limitPrice, maker.limitPrice);
        if (bid < ask) revert OrderNotCrossing(bid, ask);
        if (!maker.resting) revert OrderNoMaker(maker.nonce, taker.nonce);
        if (taker.postOnly) revert OrderWouldTake(taker.account, taker.nonce);
        return taker.resting && !maker.postOnly ? (bid + ask) / 2 : maker.limitPrice;
    }

    /// @inheritdoc Intents
    function _ledger() internal view override returns (IClearingHouse) {
        return clearingHouse;
    }

    /// @inheritdoc SessionKeys
    function _netEquityOf(AccountId account) internal view override returns (int256) {
        (int256 flow, bool tracked) = clearingHouse.netFlow(account);
        if (!tracked) revert FlowsNotTracked(account);
        return clearingHouse.assess(account).equity - flow;
    }

    /// @inheritdoc SessionKeys
    function _epochOf(address owner) internal view override returns (uint256) {
        return _owners[owner].epoch;
    }

    function _take(Remainder memory rest, uint256 size, uint256 price) private pure {
        unchecked {
            rest.open -= size; // the smaller of two remainders
            rest.done += size;
            rest.value += size * price; // below MAX_ORDER_SIZE · MAX_PRICE
        }
    }

    /// @dev Filled amounts are kept in lots, rounded up. A lane that has moved meanwhile was filled by another entry of this settlement.
    function _record(Order calldata order, Remainder memory rest) private {
        if (order.fillOrKill && rest.open != 0) {
            revert OrderNotFilledWhole(order.account, order.nonce, rest.done, rest.done + rest.open);
        }
        if (rest.done == 0) return;
        uint256 lots = rest.before + Fixed.divUp(rest.done, LOT);
        if (_setLane(order.account, order.nonce, lots) != rest.before) revert OrderRepeated(order.account, order.nonce);
    }

    // ---------------------------------------------------------------- execution fees

    /// @dev What an order has to pay [wad] for what fills in this settlement. Parts are differences of what is due for all that has filled,
    /// so they never add up to more than the whole; a buyer's limit may be far off, so what was traded bounds them once more.
    function _feeOf(Order calldata order, Remainder memory rest) private pure returns (uint256) {
        if (order.executionFee == 0) return 0;
        uint256 size = Fixed.abs(order.size) / LOT;
        uint256 afterwards = rest.before + Fixed.divUp(rest.done, LOT);
        uint256 due = (order.executionFee * afterwards) / size - (order.executionFee * rest.before) / size;
        return Fixed.min(due, rest.value / (MAX_FEE_DIVISOR * WAD));
    }

    /// @dev The ledger's calls: the trade, then every fee that is due.
    function _tradeAndPay(
        SignedOrder[] calldata orders,
        Remainder[] memory rest,
        Fill[] memory fills,
        AccountId feeTo
    ) private view returns (Call[] memory calls) {
        uint256 count = 1;
        for (uint256 i = 0; i < orders.length; ++i) {
            rest[i].fee = _feeOf(orders[i].order, rest[i]);
            if (rest[i].fee != 0) ++count;
        }
        calls = new Call[](count);
        calls[0] = Call(address(clearingHouse), abi.encodeCall(IClearingHouseCore.trade, (fills)));
        for (uint256 i = 0; i < orders.length; ++i) {
            if (rest[i].fee == 0) continue;
            AccountId from = orders[i].order.account;
            bytes memory data = abi.encodeCall(IClearingHouseCore.payFee, (from, feeTo, rest[i].fee));
            calls[--count] = Call(address(clearingHouse), data); // from the last one down to the second
        }
    }

    // ---------------------------------------------------------------- filled amounts

    /// @dev [lots]
    function _lane(AccountId account, uint256 nonce) private view returns (uint256) {
        return uint64(_filled[account][nonce / LANES].word >> ((nonce % LANES) * 64));
    }

    /// @return before what was there
    function _setLane(AccountId account, uint256 nonce, uint256 lots) private returns (uint256 before) {
        Lanes storage lanes = _filled[account][nonce / LANES];
        (uint256 word, uint256 shift) = (lanes.word, (nonce % LANES) * 64);
        before = uint64(word >> shift);
        lanes.word = (word & ~(uint256(type(uint64).max) << shift)) | (lots << shift);
    }
}
