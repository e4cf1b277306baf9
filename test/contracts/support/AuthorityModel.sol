// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../../contracts/interfaces/IClearingHouseCore.sol";
import {IExchange, Match, Order, SignedOrder} from "../../../contracts/interfaces/IExchange.sol";
import {
    Grant,
    ISessionKeys,
    SCOPE_GRANT,
    SCOPE_REDUCE,
    SCOPE_TRADE
} from "../../../contracts/interfaces/ISessionKeys.sol";
import {AccountId} from "../../../contracts/types/AccountId.sol";
import {Checks} from "./Checks.sol";
import {vm} from "./Vm.sol";

/// @notice Who may do what, told a second time and another way: every grant is a life that ends at once with all lives below it, every
/// flow out of the house is kept and summed up, what has been filled and used is written down here. It never asks the contracts.
abstract contract AuthorityModel is Checks {
    uint256 internal constant UNLIMITED = type(uint48).max;
    uint256 internal constant CANCELLED = type(uint256).max;
    uint256 public constant OUTFLOW_CAP = 100_000e18;
    int256 internal constant OUTFLOW_TOLERANCE = 1e10; // [wad] roundings of sums and exponentials
    int256 internal constant EQUITY_TOLERANCE = 1_000; // [wei] roundings of shares, quotes and pools
    uint256 private constant FINE = 1e27; // unit of the model's exponential
    uint256 private constant MAX_DEPTH = 2; // keys above a key
    uint256 private constant MAX_DELAY = 30 days;
    uint256 private constant TAKER_FEE = 500; // [ppm]
    uint256 private constant PRICE_BAND = 5_000; // [ppm]

    /// @dev What is to become of a call.
    struct Verdict {
        bytes4[] reasons; // it may be refused with; none: it is allowed
        string breach; // what does not hold any more, went it through
        bool lacks; // it may fail for want of money or margin besides
        bool close; // too close to a limit to say
    }

    /// @dev A key from one grant until the next, or until its end.
    struct Life {
        address owner;
        address key;
        uint256 parent; // life that has granted it, zero: the owner
        uint256 depth; // lives above it
        Grant grant;
        bool ended; // revoked, granted anew, or with a life above it
        bool revoked; // by name
        int256 loss; // [0.0001 USD]
    }

    /// @dev What an owner has set against a thief, and what of it waits.
    struct Shield {
        address guardian;
        uint256 delay;
        bool restricted;
        uint256 lockTime; // zero: no lockdown
        uint256 unlockTime; // zero: not asked for
        address nextGuardian;
        uint256 nextDelay;
        bool nextRestricted;
        uint256 nextTime; // zero: nothing waits
    }

    struct Switches {
        uint256 epoch;
        uint256 lowestNonce;
        uint256 deadMan;
    }

    /// @dev An exit request. What was lent since has left for the contract and stays in the house for its owner: both are kept.
    struct Exit {
        uint256 time; // zero: none
        uint256 least; // [wad] must be allowed
        uint256 most; // [wad] may be
    }

    /// @dev What an account has, as the ledger says.
    struct Means {
        uint256 cash;
        uint256 lent;
        uint256 liquid; // that the lending pool can pay
        uint256 loss; // unsettled
        int256 equity;
        int256 spare; // equity without unsettled profit less IM
        bool flat;
    }

    /// @dev A match, while it is weighed.
    struct Deal {
        AccountId maker;
        AccountId taker;
        uint256 market;
        int256 size; // the taker's change
        uint256 price;
        bool bothRest;
        bool makerReduces;
        bool takerReduces;
    }

    /// @dev A settlement while it is weighed. By order: who has signed it, what had filled, what may fill, what does, its value and what it
    /// loses [wad²], and its price that is furthest from the mark.
    struct Weighed {
        address[] signers;
        uint256[] before;
        uint256[] open;
        uint256[] done;
        uint256[] value;
        int256[] lost;
        uint256[] furthest;
        Deal[] deals;
    }

    Life[] internal lives; // the first is nobody's
    mapping(uint256 life => mapping(uint256 day => uint256)) internal tradedOn; // [0.01 USD]
    mapping(address owner => mapping(address key => uint256)) internal lifeOf; // the last one of this epoch
    mapping(address owner => mapping(address key => uint256)) internal versionOf; // grants and revocations in this epoch
    mapping(address owner => Switches) internal switches;
    mapping(address owner => Shield) internal shields;
    mapping(address owner => mapping(address payee => uint256)) internal payeeFrom; // [s]
    mapping(address owner => mapping(uint256 nonce => bool)) internal intentUsed;
    mapping(AccountId => mapping(uint256 nonce => uint256)) internal filledOf; // [wad]
    mapping(bytes32 order => bool) private _deadOrders;
    mapping(AccountId => mapping(uint256 market => int256)) internal sizes;
    mapping(AccountId => int256) internal expected; // [wad] equity
    mapping(AccountId => bool) internal tracked;
    mapping(AccountId => int256) internal netFlows; // [wad] while tracked
    mapping(AccountId => Exit) internal exits;
    int256[] private _flows; // [wad] out of the house
    uint256[] private _flowTimes; // [s]
    uint256[2] internal index; // [wad] prices by market

    // ---------------------------------------------------------------- verdicts

    function _forbid(Verdict memory v, bytes4 reason, string memory breach) internal pure {
        bytes4[] memory longer = new bytes4[](v.reasons.length + 1);
        for (uint256 i = 0; i < v.reasons.length; ++i) longer[i] = v.reasons[i];
        longer[v.reasons.length] = reason;
        if (v.reasons.length == 0) v.breach = breach;
        v.reasons = longer;
    }

    function _forbidIf(bool wrong, Verdict memory v, bytes4 reason, string memory breach) internal pure {
        if (wrong) _forbid(v, reason, breach);
    }

    function _isForbidden(Verdict memory v) internal pure returns (bool) {
        return v.reasons.length != 0;
    }

    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp(); // the compiler takes block.timestamp for constant
    }

    // ---------------------------------------------------------------- keys

    function _isAlive(uint256 life) internal view returns (bool) {
        if (life == 0 || lives[life].ended || _now() > lives[life].grant.expiry) return false;
        return lives[life].parent == 0 || _isAlive(lives[life].parent);
    }

    /// @dev A life ends with all below it, which began after it.
    function _end(uint256 life) private {
        if (life == 0) return;
        lives[life].ended = true;
        for (uint256 i = life + 1; i < lives.length; ++i) if (lives[lives[i].parent].ended) lives[i].ended = true;
    }

    function _noteGrant(address owner, address key, Grant memory g, address granter) internal {
        _end(lifeOf[owner][key]);
        uint256 parent = granter == owner ? 0 : lifeOf[owner][granter];
        lifeOf[owner][key] = lives.length;
        lives.push(Life(owner, key, parent, parent == 0 ? 0 : lives[parent].depth + 1, g, false, false, 0));
        ++versionOf[owner][key];
    }

    function _noteRevocation(address owner, address key) internal {
        lives[lifeOf[owner][key]].revoked = true;
        _end(lifeOf[owner][key]);
        ++versionOf[owner][key];
    }

    function _noteNewEpoch(address owner) internal {
        ++switches[owner].epoch;
        for (uint256 i = 1; i < lives.length; ++i) {
            if (lives[i].owner != owner) continue;
            lives[i].ended = true;
            (lifeOf[owner][lives[i].key], versionOf[owner][lives[i].key]) = (0, 0);
        }
    }

    function _judgeGrant(Verdict memory v, address owner, address key, Grant memory g, address granter) internal view {
        bytes4 wide = ISessionKeys.GrantTooWide.selector;
        _forbidIf(key == address(0) || key == owner, v, ISessionKeys.UnknownKey.selector, "KEYS_ARE_NAMED");
        bool tooMuch = g.dailyNotional > 10e9 && g.dailyNotional != UNLIMITED;
        tooMuch = tooMuch || (g.lossLimit > 100e6 && g.lossLimit != UNLIMITED) || g.expiry >= 1 << 32;
        _forbidIf(g.scopes == 0 || g.priceBand > 1e6 || tooMuch, v, wide, "GRANTS_ARE_BOUNDED");
        _forbidIf(g.expiry < _now(), v, ISessionKeys.KeyExpired.selector, "NOTHING_REVIVES expired when granted");
        _forbidIf(
            _isRevoked(owner, key),
            v,
            ISessionKeys.KeyIsRevoked.selector,
            "NOTHING_REVIVES a revoked key is granted anew"
        );
        if (granter == owner) return;
        uint256 life = lifeOf[owner][granter];
        if (life == 0) return _forbid(v, ISessionKeys.UnknownKey.selector, "ONLY_WITH_AUTHORITY a stranger grants");
        if (!_isAlive(life)) {
            _forbid(v, ISessionKeys.KeyIsRevoked.selector, "NOTHING_REVIVES a dead key grants");
            _forbid(v, ISessionKeys.KeyExpired.selector, "");
        }
        Life memory p = lives[life];
        bool lacks = p.grant.scopes & SCOPE_GRANT == 0;
        _forbidIf(lacks, v, ISessionKeys.KeyLacksScope.selector, "ONLY_WITH_AUTHORITY a key grants");
        uint256 held = lifeOf[owner][key];
        bool taken = _isAlive(held) && lives[held].parent != life;
        _forbidIf(taken, v, ISessionKeys.KeyTaken.selector, "ONLY_WITH_AUTHORITY a key of another's");
        bool wider = p.depth == MAX_DEPTH || !_isWithin(g, p.grant);
        _forbidIf(wider, v, wide, "CHILD_WITHIN_PARENT");
    }

    /// @dev Whether it, or a key that it came from, was revoked by name.
    function _isRevoked(address owner, address key) private view returns (bool) {
        for (uint256 life = lifeOf[owner][key]; life != 0; life = lifeOf[owner][key]) {
            if (lives[life].revoked) return true;
            if (lives[life].parent == 0) return false;
            key = lives[lives[life].parent].key;
        }
        return false;
    }

    function _isWithin(Grant memory g, Grant memory p) internal pure returns (bool) {
        bool rights = g.scopes & ~p.scopes == 0 && g.markets & ~p.markets == 0 && g.accounts & ~p.accounts == 0;
        bool limits = g.priceBand <= p.priceBand && g.dailyNotional <= p.dailyNotional && g.lossLimit <= p.lossLimit;
        return rights && limits && g.expiry <= p.expiry && g.equityFloor >= p.equityFloor;
    }

    /// @dev The owner, the key itself, or a key above it. What is dead may be revoked or not: nothing comes of it.
    function _judgeRevocation(Verdict memory v, address owner, address key, address caller) internal view {
        bytes4 unknown = ISessionKeys.UnknownKey.selector;
        uint256 life = lifeOf[owner][key];
        bool gone = life == 0 || lives[life].revoked;
        _forbidIf(gone, v, unknown, "REVOKED_ONCE");
        bool above = caller == owner;
        for (uint256 a = life; a != 0; a = lives[a].parent) if (lives[a].key == caller) above = true;
        _forbidIf(!above, v, unknown, "ONLY_WITH_AUTHORITY a stranger revokes");
        v.close = above && !gone && !_isAlive(life);
        if (gone || !above || v.close) _forbid(v, ISessionKeys.KeyIsRevoked.selector, "");
        if (v.close) _forbid(v, unknown, "");
    }

    /// @dev `key` acts with one of `scopes`; `stranger`: how it is refused if it has been no key since all was revoked. 255: any market.
    function _judgeKey(
        Verdict memory v,
        AccountId id,
        address key,
        uint256 scopes,
        uint256 market,
        bytes4 stranger
    ) internal view {
        uint256 life = lifeOf[id.ownerOf()][key];
        if (life == 0) return _forbid(v, stranger, "ONLY_WITH_AUTHORITY a stranger acts");
        if (!_isAlive(life)) {
            _forbid(v, ISessionKeys.KeyIsRevoked.selector, "NOTHING_REVIVES a dead key acts");
            _forbid(v, ISessionKeys.KeyExpired.selector, "");
        }
        uint256 serial = uint80(AccountId.unwrap(id));
        for (uint256 a = life; a != 0; a = lives[a].parent) {
            Grant memory g = lives[a].grant;
            _forbidIf(g.scopes & scopes == 0, v, ISessionKeys.KeyLacksScope.selector, "ONLY_WITH_AUTHORITY scope");
            bool foreign = (g.accounts >> (serial < 31 ? serial : 31)) & 1 == 0;
            _forbidIf(foreign, v, ISessionKeys.KeyLacksAccount.selector, "ONLY_WITH_AUTHORITY account");
            foreign = market != 255 && (g.markets >> market) & 1 == 0;
            _forbidIf(foreign, v, ISessionKeys.KeyLacksMarket.selector, "ONLY_WITH_AUTHORITY market");
        }
    }

    /// @dev What an order signed by `key` has traded and lost [wad²] in a settlement, with the price furthest from the mark: counted for
    /// every life above it, too.
    function _useKey(
        Verdict memory v,
        AccountId id,
        address key,
        uint256 value,
        int256 lost,
        uint256 price,
        uint256 mark
    ) private {
        uint256 day = _now() / 1 days;
        uint256 notional = _up(value, 1e34); // wad² in 0.01 USD
        lost = lost > 0 ? int256(_up(uint256(lost), 1e32)) : -int256(uint256(-lost) / 1e32);
        for (uint256 a = lifeOf[id.ownerOf()][key]; a != 0; a = lives[a].parent) {
            Grant memory g = lives[a].grant;
            bool far = _abs(int256(price) - int256(mark)) * 1e6 > mark * g.priceBand;
            _forbidIf(far, v, ISessionKeys.KeyPriceBand.selector, "KEY_PRICE_BAND");
            tradedOn[a][day] += notional;
            lives[a].loss += lost;
            bool over = g.dailyNotional != UNLIMITED && tradedOn[a][day] > uint256(g.dailyNotional) * 100;
            _forbidIf(over, v, ISessionKeys.KeyNotionalLimit.selector, "DAY_NOTIONAL_BOUNDED");
            over = g.lossLimit != UNLIMITED && lives[a].loss > int256(uint256(g.lossLimit) * 1e4);
            _forbidIf(over, v, ISessionKeys.KeyLossLimit.selector, "KEY_LOSS_BOUNDED");
            if (g.equityFloor != 0) _judgeFloor(v, id, int256(uint256(g.equityFloor) * 1e18));
        }
    }

    function _judgeFloor(Verdict memory v, AccountId id, int256 floor) private view {
        if (!tracked[id]) return _forbid(v, ISessionKeys.FlowsNotTracked.selector, "EQUITY_FLOOR_HELD untracked");
        int256 room = expected[id] - netFlows[id] - floor;
        if (room >= EQUITY_TOLERANCE) return;
        if (room > -EQUITY_TOLERANCE) v.close = true;
        _forbid(v, ISessionKeys.KeyEquityFloor.selector, "EQUITY_FLOOR_HELD");
    }

    /// @dev In the middle of a batch nobody knows an account's equity, so no key with a floor fills.
    function _judgeBatched(Verdict memory v, AccountId id, address signer) internal view {
        uint256 life = signer == id.ownerOf() ? 0 : lifeOf[id.ownerOf()][signer];
        for (; life != 0; life = lives[life].parent) {
            bool floored = lives[life].grant.equityFloor != 0;
            _forbidIf(floored, v, IClearingHouseCore.CheckPending.selector, "EQUITY_FLOOR_HELD in a batch");
        }
    }

    // ---------------------------------------------------------------- orders

    /// @dev Remembers an order that is dead: of age, epoch, number or silence, filled or cancelled. It stays so.
    function _bury(Order memory o) internal returns (bool dead) {
        Verdict memory v;
        _judgeAge(v, o);
        dead = _isForbidden(v);
        if (dead) _deadOrders[keccak256(abi.encode(o))] = true;
    }

    function _judgeAge(Verdict memory v, Order memory o) private view {
        Switches memory s = switches[o.account.ownerOf()];
        string memory dead = "NOTHING_REVIVES an order";
        _forbidIf(_now() > o.expiry, v, IExchange.OrderExpired.selector, dead);
        _forbidIf(o.epoch < s.epoch, v, IExchange.OrderEpochMismatch.selector, dead);
        _forbidIf(o.nonce < s.lowestNonce, v, IExchange.OrderNonceTooLow.selector, dead);
        _forbidIf(s.deadMan != 0 && _now() > s.deadMan, v, IExchange.OwnerSilent.selector, dead);
        bool full = filledOf[o.account][o.nonce] >= _abs(o.size);
        _forbidIf(full, v, IExchange.OrderCancelledOrFilled.selector, "NEVER_OVERFILLED");
    }

    /// @dev What may still fill of an order.
    function _judgeOrder(Verdict memory v, Order memory o, address signer) private view returns (uint256 open) {
        uint256 size = _abs(o.size);
        _forbidIf(size == 0 || size % 1e9 != 0, v, IExchange.OrderSizeInvalid.selector, "ORDER_FORM");
        bool wrong = (o.postOnly && !o.resting) || (o.fillOrKill && o.resting);
        _forbidIf(wrong, v, IExchange.OrderFlagsInvalid.selector, "ORDER_FORM");
        wrong = (o.triggerAbove != 0 || o.triggerBelow != 0) && o.resting;
        _forbidIf(wrong, v, IExchange.OrderTriggerRests.selector, "ORDER_FORM");
        wrong = o.executionFee > (size * o.limitPrice) / 100e18;
        _forbidIf(wrong, v, IExchange.OrderFeeTooHigh.selector, "ORDER_FORM fee");
        _judgeSignerOfOrder(v, o, signer);
        _judgeAge(v, o);
        bool ahead = o.epoch > switches[o.account.ownerOf()].epoch;
        _forbidIf(ahead, v, IExchange.OrderEpochMismatch.selector, "ONLY_WITH_AUTHORITY another epoch");
        uint256 filled = filledOf[o.account][o.nonce];
        if (filled < size) open = size - filled;
        if (o.reduceOnly) open = _clip(v, o, open);
    }

    function _judgeSignerOfOrder(Verdict memory v, Order memory o, address signer) private view {
        address owner = o.account.ownerOf();
        bool locked = shields[owner].lockTime != 0 && (!o.reduceOnly || o.executionFee != 0);
        _forbidIf(locked, v, IExchange.OrderInLockdown.selector, "LOCKDOWN_ONLY_REDUCES orders");
        if (signer == owner) return;
        uint256 scopes = o.reduceOnly ? SCOPE_TRADE | SCOPE_REDUCE : SCOPE_TRADE;
        _judgeKey(v, o.account, signer, scopes, o.market, IExchange.InvalidSignature.selector);
    }

    function _clip(Verdict memory v, Order memory o, uint256 open) private view returns (uint256) {
        int256 held = sizes[o.account][o.market];
        bool nothing = held == 0 || (held > 0) == (o.size > 0);
        _forbidIf(nothing, v, IExchange.OrderNothingToReduce.selector, "REDUCE_ONLY");
        return open < _abs(held) ? open : _abs(held);
    }

    /// @dev Weighs a settlement and, as if it went through, writes it down. `forFee`: the orders pay into `feeTo`.
    function _weigh(
        Verdict memory v,
        SignedOrder[] memory orders,
        address[] memory signers,
        Match[] memory matches,
        bool forFee,
        AccountId feeTo
    ) internal {
        uint256 n = orders.length;
        Weighed memory w = Weighed(
            signers,
            new uint256[](n),
            new uint256[](n),
            new uint256[](n),
            new uint256[](n),
            new int256[](n),
            new uint256[](n),
            new Deal[](matches.length)
        );
        for (uint256 i = 0; i < n; ++i) {
            w.open[i] = _judgeOrder(v, orders[i].order, signers[i]);
            w.before[i] = filledOf[orders[i].order.account][orders[i].order.nonce];
        }
        if (_isForbidden(v)) return;
        for (uint256 i = 0; i < matches.length; ++i) {
            w.deals[i] = _meet(v, orders, matches[i], w);
            if (_isForbidden(v)) return;
        }
        uint256[] memory fees = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            fees[i] = _record(v, orders[i].order, w, i);
            if (!forFee) fees[i] = 0;
        }
        if (_isForbidden(v)) return;
        v.lacks = true;
        for (uint256 i = 0; i < matches.length; ++i) _trade(v, w.deals[i]);
        if (_isForbidden(v)) return;
        for (uint256 i = 0; i < n; ++i) _payFee(orders[i].order, fees[i], feeTo);
        for (uint256 i = 0; i < matches.length; ++i) {
            _judgeTrigger(v, orders[matches[i].taker].order);
            (uint256 makerFee, uint256 takerFee) = _feesOf(w.deals[i]);
            _noteLoss(w, matches[i].maker, w.deals[i], -w.deals[i].size, makerFee);
            _noteLoss(w, matches[i].taker, w.deals[i], w.deals[i].size, takerFee);
        }
        for (uint256 i = 0; i < n; ++i) {
            Order memory o = orders[i].order;
            if (w.done[i] == 0 || signers[i] == o.account.ownerOf()) continue;
            int256 lost = w.lost[i] + int256(fees[i] * 1e18);
            _useKey(v, o.account, signers[i], w.value[i], lost, w.furthest[i], index[o.market]);
        }
    }

    /// @dev The resting order sets the price, two that rest meet at the mid, but for a post-only one.
    function _meet(
        Verdict memory v,
        SignedOrder[] memory orders,
        Match memory m,
        Weighed memory w
    ) private pure returns (Deal memory d) {
        (Order memory a, Order memory b) = (orders[m.maker].order, orders[m.taker].order);
        _forbidIf(a.market != b.market, v, IExchange.OrderMarketMismatch.selector, "ORDERS_MEET market");
        _forbidIf((a.size > 0) == (b.size > 0), v, IExchange.OrderSideMismatch.selector, "ORDERS_MEET side");
        bool apart = a.size > 0 ? a.limitPrice < b.limitPrice : b.limitPrice < a.limitPrice;
        _forbidIf(apart, v, IExchange.OrderNotCrossing.selector, "WITHIN_THE_LIMIT");
        _forbidIf(!a.resting, v, IExchange.OrderNoMaker.selector, "ORDERS_MEET maker");
        _forbidIf(b.postOnly, v, IExchange.OrderWouldTake.selector, "ORDERS_MEET post-only");
        _pair(d, a, b);
        uint256 size = w.open[m.maker] < w.open[m.taker] ? w.open[m.maker] : w.open[m.taker];
        _forbidIf(size == 0, v, IExchange.OrderCancelledOrFilled.selector, "NEVER_OVERFILLED");
        d.size = b.size > 0 ? int256(size) : -int256(size);
        _fill(w, m.maker, size, d.price);
        _fill(w, m.taker, size, d.price);
    }

    function _pair(Deal memory d, Order memory a, Order memory b) private pure {
        d.bothRest = b.resting && !a.postOnly;
        d.price = d.bothRest ? (a.limitPrice + b.limitPrice) / 2 : a.limitPrice;
        (d.maker, d.taker, d.market) = (a.account, b.account, a.market);
        (d.makerReduces, d.takerReduces) = (a.reduceOnly, b.reduceOnly);
    }

    function _fill(Weighed memory w, uint256 i, uint256 size, uint256 price) private pure {
        w.open[i] -= size;
        w.done[i] += size;
        w.value[i] += size * price;
    }

    /// @dev What has filled, and the fee for it: the whole fee less what was paid earlier, pro rata, at most 1 % of what is traded.
    function _record(Verdict memory v, Order memory o, Weighed memory w, uint256 i) private returns (uint256 fee) {
        _forbidIf(o.fillOrKill && w.open[i] != 0, v, IExchange.OrderNotFilledWhole.selector, "FILL_OR_KILL");
        if (w.done[i] == 0) return 0;
        uint256 before = filledOf[o.account][o.nonce];
        _forbidIf(before != w.before[i], v, IExchange.OrderRepeated.selector, "NEVER_OVERFILLED");
        if (_isForbidden(v)) return 0;
        check(!_deadOrders[keccak256(abi.encode(o))], "NOTHING_REVIVES a dead order fills");
        (uint256 size, uint256 filled) = (_abs(o.size), before + w.done[i]);
        checkLe(filled, size, "NEVER_OVERFILLED");
        filledOf[o.account][o.nonce] = filled;
        fee = (o.executionFee * filled) / size - (o.executionFee * before) / size;
        if (fee > w.value[i] / 100e18) fee = w.value[i] / 100e18;
    }

    function _payFee(Order memory o, uint256 fee, AccountId feeTo) private {
        if (fee == 0) return;
        expected[o.account] -= int256(fee);
        expected[feeTo] += int256(fee);
        if (tracked[feeTo]) netFlows[feeTo] += int256(fee);
        exits[o.account].least = 0;
    }

    /// @dev What the ledger makes of it.
    function _trade(Verdict memory v, Deal memory d) private {
        uint256 mark = index[d.market];
        bool same = d.maker.equals(d.taker);
        _forbidIf(same, v, IClearingHouseCore.SameAccount.selector, "ORDERS_MEET themselves");
        bool far = _abs(int256(d.price) - int256(mark)) * 1e6 > mark * PRICE_BAND;
        _forbidIf(far, v, IClearingHouseCore.PriceOutOfBand.selector, "PRICE_BAND");
        int256 maker = _move(v, d.maker, d.market, -d.size, d.makerReduces);
        int256 taker = _move(v, d.taker, d.market, d.size, d.takerReduces);
        bool small = _abs(d.size) < (d.market == 0 ? 0.01e18 : 0.001e18) && maker != 0 && taker != 0;
        _forbidIf(small, v, IClearingHouseCore.FillTooSmall.selector, "MIN_FILL");
        (uint256 makerFee, uint256 takerFee) = _feesOf(d);
        int256 gain = (d.size * (int256(mark) - int256(d.price))) / 1e18; // the taker's
        expected[d.taker] += gain - int256(takerFee);
        expected[d.maker] -= gain + int256(makerFee);
        (exits[d.maker].least, exits[d.taker].least) = (0, 0);
    }

    function _move(
        Verdict memory v,
        AccountId id,
        uint256 market,
        int256 delta,
        bool reduces
    ) private returns (int256 size) {
        int256 before = sizes[id][market];
        size = before + delta;
        sizes[id][market] = size;
        bool shrinks = size == 0 || ((size > 0) == (before > 0) && _abs(size) <= _abs(before));
        _forbidIf(reduces && !shrinks, v, IClearingHouseCore.NotReducing.selector, "REDUCE_ONLY");
        if (shields[id.ownerOf()].lockTime != 0) check(reduces, "LOCKDOWN_ONLY_REDUCES sizes");
    }

    /// @dev The taker pays, two that rest share it; rounded up to 1e-9 USD.
    function _feesOf(Deal memory d) private pure returns (uint256 maker, uint256 taker) {
        uint256 value = _abs(d.size) * d.price;
        if (!d.bothRest) return (0, _up(value * TAKER_FEE, 1e33) * 1e9); // 1e6 of ppm, 1e18 of wad², 1e9 of the unit
        maker = taker = _up(value * (TAKER_FEE / 2), 1e33) * 1e9;
    }

    function _noteLoss(Weighed memory w, uint256 i, Deal memory d, int256 delta, uint256 fee) private view {
        int256 mark = int256(index[d.market]);
        w.lost[i] += (int256(d.price) - mark) * delta + int256(fee * 1e18);
        bool further = _abs(int256(d.price) - mark) > _abs(int256(w.furthest[i]) - mark);
        if (w.furthest[i] == 0 || further) w.furthest[i] = d.price;
    }

    function _judgeTrigger(Verdict memory v, Order memory o) private view {
        uint256 mark = index[o.market];
        bool unmet = mark < o.triggerAbove || (o.triggerBelow != 0 && mark > o.triggerBelow);
        _forbidIf(unmet, v, IExchange.OrderNotTriggered.selector, "TRIGGERS");
    }

    // ---------------------------------------------------------------- money

    function _judgeWithdrawal(
        Verdict memory v,
        AccountId id,
        uint256 amount,
        address payee,
        Means memory m
    ) internal view {
        Shield memory s = shields[id.ownerOf()];
        uint256 from = payeeFrom[id.ownerOf()][payee];
        bool barred = from == 0 || from > (s.lockTime == 0 ? _now() : s.lockTime);
        bytes4 reason = IClearingHouseCore.PayeeNotAllowed.selector;
        _forbidIf(barred && s.lockTime != 0, v, reason, "LOCKDOWN_ONLY_REDUCES payees");
        _forbidIf(barred && s.restricted, v, reason, "LOOSENING_WAITS payees");
        _judgeOutflow(v, id, amount, m.flat);
        v.lacks = m.flat ? m.cash < amount : (m.cash < amount + m.loss || m.spare < int256(amount));
    }

    function _judgeOutflow(Verdict memory v, AccountId id, uint256 amount, bool flat) private view {
        int256 room = int256(OUTFLOW_CAP) - _outflow() - int256(amount);
        Exit memory e = exits[id];
        bool ripe = e.time != 0 && flat && _now() >= e.time + 24 hours && _now() <= e.time + 48 hours;
        if (room >= OUTFLOW_TOLERANCE || (ripe && amount <= e.least)) return;
        if (room > -OUTFLOW_TOLERANCE || (ripe && amount <= e.most)) v.close = true;
        _forbid(v, IClearingHouseCore.OutflowLimited.selector, "OUTFLOW_WITHIN_CAP");
    }

    function _judgeTransfer(
        Verdict memory v,
        AccountId from,
        AccountId to,
        uint256 amount,
        Means memory m
    ) internal view {
        _judgeLock(v, from.ownerOf());
        _forbidIf(from.equals(to), v, IClearingHouseCore.SameAccount.selector, "TRANSFERS to itself");
        bool foreign = from.ownerOf() != to.ownerOf();
        _forbidIf(foreign, v, IClearingHouseCore.OwnerMismatch.selector, "KEYS_TAKE_NOTHING_OUT transfer");
        v.lacks = m.flat ? m.cash < amount : (m.cash < amount + m.loss || m.spare < int256(amount));
    }

    function _judgeLoan(Verdict memory v, AccountId id, uint256 amount, Means memory m) internal view {
        _judgeLock(v, id.ownerOf());
        v.lacks = m.cash < amount + m.loss || (!m.flat && m.spare < 0);
    }

    function _judgeRecall(Verdict memory v, uint256 amount, Means memory m) internal pure {
        v.lacks = amount > m.lent || amount > m.liquid;
    }

    function _judgeLock(Verdict memory v, address owner) internal view {
        bool locked = shields[owner].lockTime != 0;
        _forbidIf(locked, v, IClearingHouseCore.LockedDown.selector, "LOCKDOWN_ONLY_REDUCES");
    }

    /// @dev `amount` [wad] has come into an account, or left it if negative.
    function _noteMoney(AccountId id, int256 amount) internal {
        expected[id] += amount;
        if (tracked[id]) netFlows[id] += amount;
        if (amount < 0) _noteExit(id, uint256(-amount), true);
    }

    /// @dev Cash has left its account, `out` of it or to lend it.
    function _noteExit(AccountId id, uint256 amount, bool out) internal {
        Exit storage e = exits[id];
        e.least = e.least > amount ? e.least - amount : 0;
        if (out) e.most = e.most > amount ? e.most - amount : 0;
    }

    /// @dev Flows of one moment are one.
    function _noteFlow(int256 amount) internal {
        uint256 n = _flows.length;
        if (n != 0 && _flowTimes[n - 1] == _now()) _flows[n - 1] += amount;
        else {
            _flows.push(amount);
            _flowTimes.push(_now());
        }
    }

    /// @dev [wad] Σ of what has left less what has come in, each decayed since.
    function _outflow() internal view returns (int256 level) {
        for (uint256 i = 0; i < _flows.length; ++i) {
            level += (_flows[i] * int256(FINE)) / int256(_exp(_now() - _flowTimes[i]));
        }
    }

    /// @dev e^(time / 24 h) [FINE]: the square, eight times over, of a Taylor series. After forty days nothing is left.
    function _exp(uint256 time) private pure returns (uint256 result) {
        if (time > 40 days) return 1e60;
        uint256 x = (time * FINE) / 24 hours / 256;
        uint256 term = FINE;
        for (uint256 n = 1; term != 0; ++n) {
            result += term;
            term = (term * x) / FINE / n;
        }
        for (uint256 i = 0; i < 8; ++i) result = (result * result) / FINE;
    }

    // ---------------------------------------------------------------- guards

    function _judgeGuard(Verdict memory v, address owner, uint256 delay) internal view {
        _judgeLock(v, owner);
        _forbidIf(delay > MAX_DELAY, v, IClearingHouseCore.ParameterOutOfBounds.selector, "GUARD_BOUNDS");
    }

    /// @dev What loosens anything waits for the delay in force; what was waiting is forgotten either way.
    function _noteGuard(address owner, address guardian, uint256 delay, bool restricted) internal {
        Shield storage s = shields[owner];
        bool tightens = delay >= s.delay && (restricted || !s.restricted);
        if (s.guardian != address(0) && guardian != s.guardian) tightens = false;
        s.nextTime = 0;
        if (tightens || s.delay == 0) (s.guardian, s.delay, s.restricted) = (guardian, delay, restricted);
        else {
            (s.nextGuardian, s.nextDelay, s.nextRestricted) = (guardian, delay, restricted);
            s.nextTime = _now() + s.delay;
        }
    }

    /// @dev Time has passed: what has waited long enough is in force.
    function _ripen(address owner) internal {
        Shield storage s = shields[owner];
        if (s.nextTime == 0 || s.nextTime > _now()) return;
        (s.guardian, s.delay, s.restricted) = (s.nextGuardian, s.nextDelay, s.nextRestricted);
        s.nextTime = 0;
    }

    function _judgeGuardian(Verdict memory v, address owner, address caller) internal view {
        bool stranger = caller != owner && caller != shields[owner].guardian;
        _forbidIf(stranger, v, IClearingHouseCore.NotGuardian.selector, "ONLY_WITH_AUTHORITY guardian");
    }

    function _noteLockdown(address owner) internal {
        Shield storage s = shields[owner];
        (s.nextTime, s.unlockTime) = (0, 0);
        if (s.lockTime != 0) return;
        s.lockTime = _now();
        _noteNewEpoch(owner);
    }

    function _judgeUnlock(Verdict memory v, address owner, address caller) internal view {
        Shield memory s = shields[owner];
        _judgeGuardian(v, owner, caller);
        _forbidIf(s.lockTime == 0, v, IClearingHouseCore.NotLockedDown.selector, "LOCKED_BEFORE_UNLOCKED");
        bool early = caller == owner && s.unlockTime != 0 && _now() < s.unlockTime;
        _forbidIf(early, v, IClearingHouseCore.UnlockTooEarly.selector, "LOOSENING_WAITS unlock");
    }

    /// @dev The guardian ends a lockdown, the owner asks first, for a day at least.
    function _noteUnlock(address owner, address caller) internal {
        Shield storage s = shields[owner];
        if (caller == owner && s.unlockTime == 0) {
            s.unlockTime = _now() + (s.delay > 1 days ? s.delay : 1 days);
        } else {
            (s.lockTime, s.unlockTime) = (0, 0);
        }
    }

    // ---------------------------------------------------------------- arithmetic

    function _abs(int256 a) internal pure returns (uint256) {
        return uint256(a < 0 ? -a : a);
    }

    function _up(uint256 a, uint256 b) internal pure returns (uint256) {
        return (a + b - 1) / b;
    }
}
