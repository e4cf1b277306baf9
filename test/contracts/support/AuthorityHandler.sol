// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Exchange} from "../../../contracts/Exchange.sol";
import {PriceOracle} from "../../../contracts/PriceOracle.sol";
import {Vault} from "../../../contracts/Vault.sol";
import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {IClearingHouseCore} from "../../../contracts/interfaces/IClearingHouseCore.sol";
import {IExchange, Match, Order, SignedOrder} from "../../../contracts/interfaces/IExchange.sol";
import {Authorisation, IIntents} from "../../../contracts/interfaces/IIntents.sol";
import {
    Grant,
    ISessionKeys,
    KeyState,
    SCOPE_CANCEL,
    SCOPE_DEPOSIT,
    SCOPE_GRANT,
    SCOPE_LEND,
    SCOPE_REDUCE,
    SCOPE_TRADE,
    SCOPE_TRANSFER,
    SCOPE_WITHDRAW
} from "../../../contracts/interfaces/ISessionKeys.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {MockWallet} from "../../../contracts/mocks/MockWallet.sol";
import {AccountId, AccountIds} from "../../../contracts/types/AccountId.sol";
import {Account, Assessment, Call, Fill, Guard, Loans, PendingGuard} from "../../../contracts/types/LedgerTypes.sol";
import {AuthorityModel} from "./AuthorityModel.sol";
import {House} from "./House.sol";
import {
    DEPOSIT_TYPEHASH,
    DOMAIN_TYPEHASH,
    GRANT_TYPEHASH,
    LEND_TYPEHASH,
    ORDER_TYPEHASH,
    RECALL_TYPEHASH,
    REVOKE_ALL_TYPEHASH,
    REVOKE_TYPEHASH,
    TRANSFER_TYPEHASH,
    WITHDRAW_TYPEHASH
} from "./TypeHashes.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Random acts of owners, keys, guardians and thieves, in person and by signature. The model says before each of them whether it
/// is allowed: then it must go through, else it must be refused for a reason that the model knows.
contract AuthorityHandler is House, AuthorityModel {
    uint256 private constant OWNERS = 4;
    uint256 private constant KEYS = 6;
    uint256 private constant ACCOUNTS = 8; // two of each owner
    uint256 private constant PURSES = 14; // who could hold tokens
    uint256 private constant KEPT = 12; // signed orders and intents that are remembered
    uint256 private constant HERE = 0; // domains to sign for
    uint256 private constant OTHER_CHAIN = 1;
    uint256 private constant OTHER_CONTRACT = 2;

    // Intents by kind.
    uint256 private constant DEPOSIT = 0;
    uint256 private constant WITHDRAW = 1;
    uint256 private constant TRANSFER = 2;
    uint256 private constant LEND = 3;
    uint256 private constant RECALL = 4;

    /// @dev `to` of a transfer, `payee` of a withdrawal.
    struct Intent {
        uint256 kind;
        AccountId account;
        AccountId to;
        uint256 units;
        address payee;
        uint256 nonce;
        uint256 deadline;
        uint256 epoch;
        bytes signature;
    }

    error Rehearsed(Verdict v);

    address[OWNERS] private _owners; // the last one is a contract wallet
    address[KEYS] private _pool; // session keys, of whomever
    AccountId[ACCOUNTS] private _ids;
    address[PURSES] private _holders; // owners, payee, keys, guardian, thief, keeper
    address private _payee;
    address private _guardian;
    address private _thief;
    address private _keeper; // brings what others have signed
    bytes32[3] private _domains;
    bytes32[5] private _typehashes; // of intents, by kind
    bytes[] private _orders; // signed ones that may meet again
    bytes[] private _intents; // brought or not
    mapping(bytes32 signed => address) private _signerOf; // of an order or an intent; zero: forged, altered, or meant for elsewhere
    uint256 private _lastNonce; // of orders and intents

    mapping(address holder => uint256 units) private _purses; // what he must have
    bytes32[ACCOUNTS] private _words; // of the ledger, after the last act
    uint256 public acts;
    mapping(string outcome => uint256) public done;
    mapping(bytes4 reason => uint256) public refused;

    constructor(IClearingHouse ch_) {
        _connect(ch_);
        MockWallet wallet = new MockWallet(actor("signer"));
        keys[address(wallet)] = keys[actor("signer")];
        _owners = [actor("alice"), actor("bob"), actor("carol"), address(wallet)];
        for (uint256 i = 0; i < KEYS; ++i) _pool[i] = actor(string(abi.encodePacked("key", bytes1(uint8(48 + i)))));
        (_payee, _guardian, _thief, _keeper) = (actor("payee"), actor("guardian"), actor("thief"), actor("keeper"));
        uint96[OWNERS] memory serials = [uint96(1), 31, 40, 7];
        for (uint256 i = 0; i < OWNERS; ++i) {
            (_ids[2 * i], _ids[2 * i + 1]) = (main(_owners[i]), AccountIds.derive(_owners[i], serials[i]));
            _holders[i] = _owners[i];
        }
        for (uint256 i = 0; i < KEYS; ++i) _holders[OWNERS + i] = _pool[i];
        (_holders[10], _holders[11], _holders[12], _holders[13]) = (_payee, _guardian, _thief, _keeper);
        _domains = [
            _domain(block.chainid, address(exchange)),
            _domain(block.chainid + 1, address(exchange)),
            _domain(block.chainid, address(ch))
        ];
        _typehashes = [DEPOSIT_TYPEHASH, WITHDRAW_TYPEHASH, TRANSFER_TYPEHASH, LEND_TYPEHASH, RECALL_TYPEHASH];
        _furnish();
    }

    function _connect(IClearingHouse ch_) private {
        ch = ch_;
        vault = Vault(ch.vault());
        exchange = Exchange(ch.exchange());
        usdc = MockERC20(ch.cashToken());
        PriceOracle prices = PriceOracle(ch.priceOracle());
        for (uint256 u = 0; u < UNDERLYINGS; ++u) feeds[u] = MockV3Aggregator(prices.feedOf(u).aggregator);
        rateFeeds[0] = MockV3Aggregator(prices.rateFeedsOf(WSTETH).rate);
        rateFeeds[1] = MockV3Aggregator(prices.rateFeedsOf(WSTETH).market);
    }

    function _domain(uint256 chain, address place) private pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Plimsoll"), keccak256("1"), chain, place));
    }

    /// @dev 300,000 in each account, plenty in owners' hands; the limit on outflow has to be set now.
    function _furnish() private {
        for (uint256 i = 0; i < ACCOUNTS; ++i) giveCash(_ids[i], 300_000e18);
        for (uint256 i = 0; i < OWNERS; ++i) {
            usdc.mint(_owners[i], 1e13);
            _purses[_owners[i]] = 1e13;
            vm.prank(_owners[i]);
            usdc.approve(address(vault), type(uint256).max);
            vm.prank(_owners[i]);
            ch.trackFlows(_ids[2 * i], true);
            tracked[_ids[2 * i]] = true;
        }
        index = [ETH_PRICE, BTC_PRICE];
        lives.push();
        for (uint256 i = 0; i < OWNERS; ++i) _giveKeys(i);
        _words = words();
    }

    /// @dev Three below each other, one that only trades, and a list of payees.
    function _giveKeys(uint256 i) private {
        (address owner, address first, address second) = (_owners[i], _pool[i], _pool[i + 1]);
        Grant memory g = Grant(255, 3, type(uint32).max, uint40(START + 30 days), 1e6, 1e6, 1_000, 0);
        _give(owner, owner, first, g);
        (g.markets, g.accounts, g.expiry) = (1, (1 << 31) | 3, uint40(START + 20 days));
        (g.priceBand, g.dailyNotional, g.lossLimit) = (10_000, 50_000, 20);
        _give(owner, first, second, g);
        (g.scopes, g.priceBand) = (255 & ~SCOPE_GRANT, 1_000);
        (g.dailyNotional, g.lossLimit) = (8_000, 5);
        _give(owner, second, _pool[(i + 2) % KEYS], g);
        (g.scopes, g.markets, g.equityFloor) = (SCOPE_TRADE | SCOPE_REDUCE, 3, 299_995);
        _give(owner, owner, _pool[(i + 3) % KEYS], g);
        vm.prank(owner);
        ch.allowPayee(owner);
        payeeFrom[owner][owner] = _now();
    }

    function _give(address owner, address granter, address key, Grant memory g) private {
        vm.prank(granter);
        exchange.grant(owner, key, g);
        _noteGrant(owner, key, g, granter);
    }

    // ---------------------------------------------------------------- keys

    /// @notice A key from its owner or from a key of his, by call or by the owner's signature.
    function grantAny(uint256 seed) external {
        address owner = _owner(seed);
        address key = _key(seed, 2);
        if (_roll(seed, 3) % 50 == 0) key = _roll(seed, 3) % 100 == 0 ? owner : address(0);
        address granter = _actor(owner, seed, 4);
        Grant memory g = _draftGrant(granter == owner ? 0 : lifeOf[owner][granter], seed);
        if (granter == owner && _roll(seed, 5) % 3 == 0) return _grantBySignature(owner, key, g, seed);
        Verdict memory v;
        _judgeGrant(v, owner, key, g, granter);
        bytes memory data = abi.encodeCall(exchange.grant, (owner, key, g));
        if (_attempt(granter, address(exchange), data, v, granter == owner ? "grant" : "grant by a key")) {
            _noteGrant(owner, key, g, granter);
            if (lives[lifeOf[owner][key]].depth == 2) ++done["grandchild"];
            _childWithinParent(owner, key);
        }
        _audit(0);
    }

    /// @dev As the contract keeps them.
    function _childWithinParent(address owner, address key) private view {
        KeyState memory k = exchange.sessionKey(owner, key);
        if (k.parent == address(0)) return;
        check(_isWithin(k.grant, exchange.sessionKey(owner, k.parent).grant), "CHILD_WITHIN_PARENT");
    }

    function _grantBySignature(address owner, address key, Grant memory g, uint256 seed) private {
        (address signer, uint256 domain, uint256 stale) = _flaw(owner, seed);
        (uint256 version, uint256 epoch) = (versionOf[owner][key] + (stale % 2), switches[owner].epoch + stale / 2);
        bytes32 hash = keccak256(abi.encode(GRANT_TYPEHASH, owner, key, g, version, epoch));
        bytes memory signature = _sign(signer, domain, hash);
        Verdict memory v;
        bool flawed = signer != owner || domain != HERE || stale != 0;
        bytes4 invalid = ISessionKeys.InvalidAuthorisation.selector;
        _forbidIf(flawed, v, invalid, "ONLY_WITH_AUTHORITY grantFor");
        _judgeGrant(v, owner, key, g, owner);
        bytes memory data = abi.encodeCall(exchange.grantFor, (owner, key, g, signature));
        if (_attempt(_keeper, address(exchange), data, v, "grant by signature")) {
            _noteGrant(owner, key, g, owner);
            _mustRefuse(_keeper, address(exchange), data, invalid, "NOTHING_REVIVES a grant by signature");
        }
        _audit(0);
    }

    function revokeAny(uint256 seed) external {
        if (_roll(seed, 1) % 3 == 0) _revokeAll(seed);
        else _revoke(seed);
    }

    /// @dev By the owner, the key, one above it or a stranger, by call or by the owner's signature.
    function _revoke(uint256 seed) private {
        address owner = _owner(seed);
        address key = _key(seed, 2);
        address caller = _roll(seed, 3) % 4 == 0 ? key : _actor(owner, seed, 4);
        if (_roll(seed, 5) % 3 == 0) return _revokeBySignature(owner, key, seed);
        Verdict memory v;
        _judgeRevocation(v, owner, key, caller);
        bytes memory data = abi.encodeCall(exchange.revoke, (owner, key));
        if (_attempt(caller, address(exchange), data, v, caller == owner ? "revoke" : "revoke by a key")) {
            _noteRevocation(owner, key);
        }
        _audit(0);
    }

    function _revokeBySignature(address owner, address key, uint256 seed) private {
        (address signer, uint256 domain, uint256 stale) = _flaw(owner, seed);
        bytes32 hash = keccak256(
            abi.encode(REVOKE_TYPEHASH, owner, key, versionOf[owner][key] + stale, switches[owner].epoch)
        );
        Verdict memory v;
        bool flawed = signer != owner || domain != HERE || stale != 0;
        bytes4 invalid = ISessionKeys.InvalidAuthorisation.selector;
        _forbidIf(flawed, v, invalid, "ONLY_WITH_AUTHORITY revokeFor");
        _judgeRevocation(v, owner, key, owner);
        bytes memory data = abi.encodeCall(exchange.revokeFor, (owner, key, _sign(signer, domain, hash)));
        if (_attempt(_keeper, address(exchange), data, v, "revoke by signature")) {
            _noteRevocation(owner, key);
            _mustRefuse(_keeper, address(exchange), data, invalid, "REVOKED_ONCE");
        }
        _audit(0);
    }

    /// @dev Rarely, for it ends everything; mostly an attempt with a bad signature.
    function _revokeAll(uint256 seed) private {
        address owner = _owner(seed);
        if (_roll(seed, 2) % 8 == 0) {
            Verdict memory allowed;
            _attempt(owner, address(exchange), abi.encodeCall(exchange.revokeAll, ()), allowed, "revoke all");
            _noteNewEpoch(owner);
            return _audit(0);
        }
        (address signer, uint256 domain, uint256 stale) = _flaw(owner, seed);
        if (_roll(seed, 3) % 8 != 0 && stale == 0) stale = 1;
        bytes32 hash = keccak256(abi.encode(REVOKE_ALL_TYPEHASH, owner, switches[owner].epoch + stale));
        Verdict memory v;
        bool flawed = signer != owner || domain != HERE || stale != 0;
        bytes4 invalid = ISessionKeys.InvalidAuthorisation.selector;
        _forbidIf(flawed, v, invalid, "ONLY_WITH_AUTHORITY revokeAllFor");
        bytes memory data = abi.encodeCall(exchange.revokeAllFor, (owner, _sign(signer, domain, hash)));
        if (_attempt(_keeper, address(exchange), data, v, "revoke all by signature")) {
            _noteNewEpoch(owner);
            _mustRefuse(_keeper, address(exchange), data, invalid, "REVOKED_ONCE all");
        }
        _audit(0);
    }

    // ---------------------------------------------------------------- money, in person and by intent

    /// @notice An owner acts for himself; others must not, but anyone may add cash.
    function actInPerson(uint256 seed) external {
        if (_roll(seed, 19) % 8 == 0) return _touchForeign(seed);
        Intent memory x = _draftIntent(seed);
        address owner = x.account.ownerOf();
        address caller = _roll(seed, 20) % 4 == 0 ? _actor(owner, seed, 21) : owner;
        Verdict memory v;
        if (caller != owner && x.kind == DEPOSIT) return _addForeignCash(x.account, caller, x.units);
        _forbidIf(caller != owner, v, IClearingHouseCore.NotOwner.selector, "ONLY_WITH_AUTHORITY in person");
        _judgeMoney(v, x);
        bool went = _attempt(caller, address(ch), _asCall(x), v, _named("", x.kind));
        _after(x, went);
    }

    function _addForeignCash(AccountId id, address payer, uint256 units) private {
        usdc.mint(payer, units);
        vm.prank(payer);
        usdc.approve(address(vault), units);
        expected[id] = assess(id).equity;
        Verdict memory allowed;
        bytes memory data = abi.encodeCall(IClearingHouseCore.deposit, (id, address(usdc), units));
        _attempt(payer, address(ch), data, allowed, "deposit of somebody else");
        _noteMoney(id, int256(units * USDC_UNIT));
        _noteFlow(-int256(units * USDC_UNIT));
        _asExpected(id);
        _audit(1 << _placeOf(id));
    }

    /// @notice Signs an intent, mostly good, and brings it at once or keeps it for later.
    function signIntent(uint256 seed) external {
        Intent memory x = _draftIntent(seed);
        address owner = x.account.ownerOf();
        (x.nonce, x.deadline, x.epoch) = (++_lastNonce, _now() + 3 days, switches[owner].epoch);
        uint256 twist = _roll(seed, 22) % 24;
        if (twist == 0) x.deadline = _now() - 1;
        if (twist == 1) x.deadline = _now() + 10 minutes;
        if (twist == 2) x.epoch += 1;
        if (twist == 3 && x.epoch != 0) x.epoch -= 1;
        uint256 domain = twist == 4 ? OTHER_CHAIN : (twist == 5 ? OTHER_CONTRACT : HERE);
        address signer = _actor(owner, seed, 23);
        x.signature = _sign(signer, domain, _hashOf(x));
        if (domain == HERE) _signerOf[_placeIn(x)] = signer;
        _keep(_intents, abi.encode(x), seed);
        if (_roll(seed, 24) % 3 != 0) _bring(x, seed);
    }

    /// @notice Brings what was signed before, brought or not; sometimes something in it has been changed on the way.
    function bringIntent(uint256 seed) external {
        if (_intents.length == 0) return;
        Intent memory x = abi.decode(_intents[_roll(seed, 1) % _intents.length], (Intent));
        if (_roll(seed, 2) % 4 == 0) {
            uint256 field = _roll(seed, 3) % 5;
            if (field == 0) x.units += 1;
            if (field == 1) x.account = _ids[(_placeOf(x.account) + 1) % ACCOUNTS];
            if (field == 2) x.nonce = ++_lastNonce;
            if (field == 3) x.deadline += 1;
            if (field == 4) (x.payee, x.to, x.kind) = (_thief, _ids[0], _roll(seed, 4) % 5);
        }
        _bring(x, seed);
    }

    /// @dev Where the signer of what the call says is kept.
    function _placeIn(Intent memory x) private view returns (bytes32) {
        return keccak256(bytes.concat(_hashOf(x), x.signature));
    }

    function _bring(Intent memory x, uint256 seed) private {
        address owner = x.account.ownerOf();
        address signer = _signerOf[_placeIn(x)];
        Verdict memory v;
        _judgeIntent(v, x, owner, signer);
        if (!_isForbidden(v)) _judgeMoney(v, x);
        bytes memory data = _asIntent(x);
        address target = address(exchange);
        if (_roll(seed, 30) % 6 == 0) (target, data) = (address(ch), _batched(data));
        bool went = _attempt(
            _keeper,
            target,
            data,
            v,
            _named(signer == owner ? "intent: " : "intent of a key: ", x.kind)
        );
        if (went) {
            intentUsed[owner][x.nonce] = true;
            if (target == address(ch)) ++done["batch"];
        }
        _after(x, went);
    }

    function _judgeIntent(Verdict memory v, Intent memory x, address owner, address signer) private view {
        bytes4 invalid = IIntents.InvalidIntent.selector;
        _forbidIf(_now() > x.deadline, v, IIntents.IntentExpired.selector, "NOTHING_REVIVES an expired intent");
        _forbidIf(x.epoch < switches[owner].epoch, v, invalid, "NOTHING_REVIVES an intent of another epoch");
        _forbidIf(x.epoch > switches[owner].epoch, v, invalid, "ONLY_WITH_AUTHORITY an intent before its epoch");
        bool used = intentUsed[owner][x.nonce];
        _forbidIf(used, v, IIntents.IntentUsedBefore.selector, "NOTHING_REVIVES an intent");
        if (signer == owner) return;
        _judgeKey(v, x.account, signer, _scopeOf(x.kind), 255, invalid);
        if (x.kind == TRANSFER) _judgeTarget(v, x, owner, signer);
        bool elsewhere = x.kind == WITHDRAW && x.payee != owner;
        _forbidIf(elsewhere, v, IIntents.KeyWithdrawsToOwner.selector, "KEYS_TAKE_NOTHING_OUT");
    }

    /// @dev A key needs the other account, too; somebody else's it cannot have.
    function _judgeTarget(Verdict memory v, Intent memory x, address owner, address signer) private view {
        if (x.to.ownerOf() == owner) {
            return _judgeKey(v, x.to, signer, SCOPE_TRANSFER, 255, IIntents.InvalidIntent.selector);
        }
        _forbid(v, IClearingHouseCore.OwnerMismatch.selector, "KEYS_TAKE_NOTHING_OUT transfer");
        _forbid(v, ISessionKeys.KeyLacksAccount.selector, "");
        if (shields[owner].lockTime != 0) _forbid(v, IClearingHouseCore.LockedDown.selector, "");
    }

    function _judgeMoney(Verdict memory v, Intent memory x) private {
        Means memory m = this.meansOf(x.account);
        expected[x.account] = m.equity;
        uint256 amount = x.units * USDC_UNIT;
        if (x.kind == TRANSFER && !x.to.equals(x.account)) expected[x.to] = assess(x.to).equity;
        if (x.kind == WITHDRAW) _judgeWithdrawal(v, x.account, amount, x.payee, m);
        if (x.kind == TRANSFER) _judgeTransfer(v, x.account, x.to, amount, m);
        if (x.kind == LEND) _judgeLoan(v, x.account, amount, m);
        if (x.kind == RECALL) _judgeRecall(v, amount, m);
    }

    /// @dev What follows for the model, and for equities to the wei.
    function _after(Intent memory x, bool went) private {
        if (!went) return _audit(0);
        address owner = x.account.ownerOf();
        int256 amount = int256(x.units * USDC_UNIT);
        if (x.kind == DEPOSIT) {
            _purses[owner] -= x.units;
            _noteMoney(x.account, amount);
            _noteFlow(-amount);
        } else if (x.kind == WITHDRAW) {
            _purses[x.payee] += x.units;
            if (_outflow() + amount > int256(OUTFLOW_CAP) + OUTFLOW_TOLERANCE) ++done["exit beyond the limit"];
            if (shields[owner].lockTime != 0) ++done["withdrawal in a lockdown"];
            _noteMoney(x.account, -amount);
            _noteFlow(amount);
            (int256 level, ) = ch.outflow(address(usdc));
            checkNear(level, _outflow(), uint256(OUTFLOW_TOLERANCE), "OUTFLOW_WITHIN_CAP level");
        } else if (x.kind == TRANSFER) {
            _noteMoney(x.account, -amount);
            _noteMoney(x.to, amount);
            _asExpected(x.to);
        } else if (x.kind == LEND) {
            _noteExit(x.account, uint256(amount), false);
        }
        _asExpected(x.account);
        uint256 touched = 1 << _placeOf(x.account);
        if (x.kind == TRANSFER) touched |= 1 << _placeOf(x.to);
        _audit(touched);
    }

    function _cancelIntent(uint256 seed) private {
        address owner = _owner(seed);
        uint256 nonce = 1 + (_roll(seed, 1) % (_lastNonce + 1));
        Verdict memory v;
        bool used = intentUsed[owner][nonce];
        _forbidIf(used, v, IIntents.IntentUsedBefore.selector, "NOTHING_REVIVES an intent's nonce");
        bytes memory data = abi.encodeCall(exchange.cancelIntent, (nonce));
        if (_attempt(owner, address(exchange), data, v, "cancel an intent")) intentUsed[owner][nonce] = true;
        _audit(0);
    }

    // ---------------------------------------------------------------- exits and counted flows

    function exitAny(uint256 seed) external {
        if (_roll(seed, 5) % 3 == 0) return _track(seed);
        AccountId id = _ids[(_roll(seed, 0) % OWNERS) * 2 + (_roll(seed, 1) % 4 == 0 ? 0 : 1)];
        address caller = _roll(seed, 2) % 8 == 0 ? _actor(id.ownerOf(), seed, 3) : id.ownerOf();
        Means memory m = this.meansOf(id);
        Verdict memory v;
        _forbidIf(caller != id.ownerOf(), v, IClearingHouseCore.NotOwner.selector, "ONLY_WITH_AUTHORITY exit");
        _forbidIf(!m.flat, v, IClearingHouseCore.NotFlat.selector, "EXITS_ARE_FLAT");
        if (_attempt(caller, address(ch), abi.encodeCall(ch.requestExit, (id)), v, "announce an exit")) {
            exits[id] = Exit(_now(), m.cash + m.lent, m.cash + m.lent);
        }
        _audit(1 << _placeOf(id));
    }

    /// @notice Who has announced his exit a day ago leaves with what he had, EXIT_AT_LATEST_AFTER_T; later or sooner he is one of many.
    function leave(uint256 seed) external {
        AccountId id = _ids[_roll(seed, 0) % ACCOUNTS];
        for (uint256 i = 0; i < ACCOUNTS && exits[id].time == 0; ++i) id = _ids[i];
        uint256 due = exits[id].time + 24 hours;
        if (due > _now() && exits[id].time != 0 && _roll(seed, 1) % 4 != 0) _pass(due - _now());
        Intent memory x;
        (x.kind, x.account, x.payee) = (WITHDRAW, id, _payeeOf(id.ownerOf(), seed));
        uint256 all = cashOf(id) < exits[id].least ? cashOf(id) : exits[id].least;
        if (_roll(seed, 2) % 3 == 0) all = cashOf(id);
        x.units = all / USDC_UNIT / (1 + (_roll(seed, 3) % 4));
        if (x.units == 0) return;
        Verdict memory v;
        _judgeMoney(v, x);
        bool went = _attempt(id.ownerOf(), address(ch), _asCall(x), v, "EXIT_AT_LATEST_AFTER_T leave");
        _after(x, went);
    }

    function _track(uint256 seed) private {
        AccountId id = _ids[_roll(seed, 0) % ACCOUNTS];
        address caller = _roll(seed, 2) % 4 == 0 ? _actor(id.ownerOf(), seed, 3) : id.ownerOf();
        bool on = _roll(seed, 4) % 4 != 0;
        Verdict memory v;
        _forbidIf(caller != id.ownerOf(), v, IClearingHouseCore.NotOwner.selector, "ONLY_WITH_AUTHORITY flows");
        if (_attempt(caller, address(ch), abi.encodeCall(ch.trackFlows, (id, on)), v, "track flows")) {
            (tracked[id], netFlows[id]) = (on, 0);
        }
        _examineFlows(id);
        _audit(1 << _placeOf(id));
    }

    // ---------------------------------------------------------------- orders

    /// @notice Signs an order and lets it lie.
    function signOrder(uint256 seed) external {
        _keep(_orders, _freshOrder(_account(seed, 0), seed, true), seed);
    }

    function settleAny(uint256 seed) external {
        _settle(seed, _roll(seed, 39) % 2 == 0, false);
    }

    function settleForFeeAny(uint256 seed) external {
        _settle(seed, _roll(seed, 39) % 2 == 0, true);
    }

    /// @notice What lies there meets again, or for the first time.
    function meetAgain(uint256 seed) external {
        _settle(seed, true, _roll(seed, 42) % 4 == 0);
    }

    /// @dev An order that lies there (`old`), or a new one, meets one or two others: in one settlement, with or without a fee, or in a batch.
    function _settle(uint256 seed, bool old, bool forFee) private {
        uint256 others = 1 + (_roll(seed, 40) % 4) / 3;
        (SignedOrder[] memory orders, address[] memory signers) = _gathering(others, old, seed);
        Match[] memory matches = new Match[](others);
        bool first = orders[0].order.resting != (_roll(seed, 41) % 16 == 0);
        for (uint256 i = 0; i < others; ++i) matches[i] = first ? Match(0, i + 1) : Match(i + 1, 0);
        AccountId feeTo = _ids[_roll(seed, 43) % ACCOUNTS];
        uint256 touched = _expectAll(orders) | (1 << _placeOf(feeTo));
        expected[feeTo] = assess(feeTo).equity;
        Verdict memory v = _rehearse(orders, signers, matches, forFee, feeTo);
        bytes memory data =
            forFee
                ? abi.encodeCall(exchange.settleForFee, (orders, matches, feeTo))
                : abi.encodeCall(exchange.settle, (orders, matches));
        address target = address(exchange);
        if (!forFee && _roll(seed, 44) % 8 == 0) {
            (target, data) = (address(ch), _batched(data));
            for (uint256 i = 0; i < orders.length; ++i) _judgeBatched(v, orders[i].order.account, signers[i]);
        }
        if (!_attempt(_keeper, target, data, v, forFee ? "settle for a fee" : "settle")) return _audit(0);
        Verdict memory same;
        _weigh(same, orders, signers, matches, forFee, feeTo);
        _asExpected(feeTo);
        _checkSettled(orders, signers);
        _countFilled(orders, signers);
        _keepAll(orders, signers, seed);
        _audit(touched);
    }

    /// @notice Three matches, each by itself: the ones that fail change nothing, the others settle.
    function settleEachAny(uint256 seed) external {
        (SignedOrder[] memory orders, address[] memory signers) = _gathering(3, _roll(seed, 39) % 2 == 0, seed);
        Match[] memory matches = new Match[](3);
        bool first = orders[0].order.resting;
        for (uint256 i = 0; i < 3; ++i) matches[i] = first ? Match(0, i + 1) : Match(i + 1, 0);
        uint256 touched = _expectAll(orders);
        vm.recordLogs();
        vm.prank(_keeper);
        (bool went, bytes memory answer) = address(exchange).call(
            abi.encodeCall(exchange.settleEach, (orders, matches))
        );
        bool[] memory settled = went ? abi.decode(answer, (bool[])) : new bool[](3);
        bytes[] memory reasons = _skipped(went, answer);
        uint256 count = 0;
        for (uint256 i = 0; i < 3; ++i) {
            (SignedOrder[] memory pairOf, address[] memory theirs) = _pairOf(orders, signers, matches[i]);
            if (_matchAlone(pairOf, theirs, settled[i], reasons[i])) ++count;
        }
        check(went == (count != 0), "EACH_MATCH_ALONE nothing settled");
        if (count != 0 && count != 3) ++done["skipped, the rest settled"];
        _checkSettled(orders, signers);
        _keepAll(orders, signers, seed);
        _audit(count == 0 ? 0 : touched);
    }

    /// @dev One match of `settleEach` against the model, which stands where the matches before it have left it.
    function _matchAlone(
        SignedOrder[] memory two,
        address[] memory theirs,
        bool settled,
        bytes memory reason
    ) private returns (bool) {
        Match[] memory one = new Match[](1);
        one[0] = Match(0, 1);
        for (uint256 i = 0; i < 2; ++i) _bury(two[i].order);
        Verdict memory v = _rehearse(two, theirs, one, false, _ids[0]);
        // Of a settlement that failed whole only the last reason is known.
        if (!settled && reason.length == 0) {
            check(_isForbidden(v) || v.lacks, "EACH_MATCH_ALONE left out");
            return false;
        }
        _compare(v, settled, reason, "EACH_MATCH_ALONE");
        Verdict memory same;
        if (settled) _weigh(same, two, theirs, one, false, _ids[0]);
        return settled;
    }

    function _pairOf(
        SignedOrder[] memory orders,
        address[] memory signers,
        Match memory m
    ) private pure returns (SignedOrder[] memory two, address[] memory theirs) {
        (two, theirs) = (new SignedOrder[](2), new address[](2));
        (two[0], two[1]) = (orders[m.maker], orders[m.taker]);
        (theirs[0], theirs[1]) = (signers[m.maker], signers[m.taker]);
    }

    function _skipped(bool went, bytes memory answer) private returns (bytes[] memory reasons) {
        reasons = new bytes[](3);
        if (!went) {
            check(bytes4(answer) == IExchange.NothingSettled.selector, "EACH_MATCH_ALONE refused for another reason");
            reasons[2] = abi.decode(_tail(answer), (bytes));
            ++refused[IExchange.NothingSettled.selector];
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IExchange.MatchSkipped.selector) continue;
            (uint256 which, bytes memory reason) = abi.decode(logs[i].data, (uint256, bytes));
            reasons[which] = reason;
        }
    }

    /// @dev Weighs a settlement and takes it back.
    function _rehearse(
        SignedOrder[] memory orders,
        address[] memory signers,
        Match[] memory matches,
        bool forFee,
        AccountId feeTo
    ) private returns (Verdict memory) {
        for (uint256 i = 0; i < orders.length; ++i) _bury(orders[i].order);
        try this.rehearse(abi.encode(orders, signers, matches, forFee, feeTo)) {} catch (bytes memory reason) {
            if (bytes4(reason) == Rehearsed.selector) return abi.decode(_tail(reason), (Verdict));
            _bubble(reason);
        }
        revert("no verdict");
    }

    /// @notice For this contract itself, which can take back what it has called.
    function rehearse(bytes calldata settlement) external {
        if (msg.sender != address(this)) return;
        (
            SignedOrder[] memory orders,
            address[] memory signers,
            Match[] memory matches,
            bool forFee,
            AccountId feeTo
        ) = abi.decode(settlement, (SignedOrder[], address[], Match[], bool, AccountId));
        Verdict memory v;
        _weigh(v, orders, signers, matches, forFee, feeTo);
        revert Rehearsed(v);
    }

    function _expectAll(SignedOrder[] memory orders) private returns (uint256 touched) {
        for (uint256 i = 0; i < orders.length; ++i) {
            AccountId id = orders[i].order.account;
            if (touched & (1 << _placeOf(id)) == 0) expected[id] = assess(id).equity;
            touched |= 1 << _placeOf(id);
        }
    }

    /// @dev Sizes, filled amounts, equities and what keys have used are what the model makes of them.
    function _checkSettled(SignedOrder[] memory orders, address[] memory signers) private view {
        for (uint256 i = 0; i < orders.length; ++i) {
            Order memory o = orders[i].order;
            (AccountId id, address owner) = (o.account, o.account.ownerOf());
            checkEq(exchange.filled(id, o.nonce), filledOf[id][o.nonce], "NEVER_OVERFILLED filled");
            checkEq(sizeOf(id, o.market), sizes[id][o.market], "ONLY_WITH_AUTHORITY size");
            _asExpected(id);
            if (signers[i] == owner) continue;
            for (uint256 a = lifeOf[owner][signers[i]]; a != 0; a = lives[a].parent) _checkUse(a);
        }
    }

    function _countFilled(SignedOrder[] memory orders, address[] memory signers) private {
        for (uint256 i = 0; i < orders.length; ++i) {
            Order memory o = orders[i].order;
            address owner = o.account.ownerOf();
            if (filledOf[o.account][o.nonce] < _abs(o.size)) ++done["filled in part"];
            if (shields[owner].lockTime != 0) ++done["reduced in a lockdown"];
            if (signers[i] == owner) continue;
            ++done["filled by a key"];
            if (lives[lifeOf[owner][signers[i]]].depth == 2) ++done["filled by a grandchild"];
        }
    }

    function _checkUse(uint256 life) private view {
        address owner = lives[life].owner;
        address key = lives[life].key;
        if (lifeOf[owner][key] != life) return;
        KeyState memory k = exchange.sessionKey(owner, key);
        Grant memory g = lives[life].grant;
        uint256 left = type(uint256).max;
        if (g.dailyNotional != UNLIMITED) left = uint256(g.dailyNotional) * 100 - tradedOn[life][_now() / 1 days];
        checkEq(k.notionalLeft, left, "DAY_NOTIONAL_BOUNDED left");
        left = type(uint256).max;
        if (g.lossLimit != UNLIMITED) left = uint256(int256(uint256(g.lossLimit) * 1e4) - lives[life].loss);
        checkEq(k.lossLeft, left, "KEY_LOSS_BOUNDED left");
    }

    function cancelAny(uint256 seed) external {
        uint256 way = _roll(seed, 9) % 8;
        if (way == 0) _cancelBelow(seed);
        else if (way == 1) _cancelIntent(seed);
        else if (way < 5) _setDeadMan(seed);
        else _cancel(seed);
    }

    /// @dev By number, by the owner, a key or a stranger.
    function _cancel(uint256 seed) private {
        AccountId id = _account(seed, 0);
        address owner = id.ownerOf();
        address caller = _actor(owner, seed, 1);
        uint256[] memory nonces = new uint256[](1);
        nonces[0] = 1 + (_roll(seed, 2) % (_lastNonce + 2));
        if (_orders.length != 0 && _roll(seed, 5) % 2 == 0) {
            Order memory o = abi.decode(_orders[_roll(seed, 6) % _orders.length], (SignedOrder)).order;
            (id, owner, nonces[0]) = (o.account, o.account.ownerOf(), o.nonce);
            caller = _actor(owner, seed, 1);
        }
        if (_roll(seed, 3) % 24 == 0) nonces[0] = 1 << 64;
        Verdict memory v;
        if (caller != owner) _judgeKey(v, id, caller, SCOPE_CANCEL, 255, IExchange.NotOwner.selector);
        _forbidIf(nonces[0] >> 64 != 0, v, IExchange.OrderNonceTooHigh.selector, "ORDER_FORM nonce");
        bytes memory data = abi.encodeCall(exchange.cancel, (id, nonces));
        if (_attempt(caller, address(exchange), data, v, caller == owner ? "cancel" : "cancel by a key")) {
            filledOf[id][nonces[0]] = CANCELLED;
        }
        _audit(0);
    }

    function _cancelBelow(uint256 seed) private {
        address owner = _owner(seed);
        uint256 current = switches[owner].lowestNonce;
        uint256 lowest = _roll(seed, 1) % 4 == 0 ? _lastNonce + 1 : current + (_roll(seed, 2) % 4);
        Verdict memory v;
        _forbidIf(lowest <= current, v, IExchange.NonceNotIncreased.selector, "NOTHING_REVIVES a nonce");
        bytes memory data = abi.encodeCall(exchange.cancelBelow, (lowest));
        if (_attempt(owner, address(exchange), data, v, "cancel below")) switches[owner].lowestNonce = lowest;
        _audit(0);
    }

    /// @dev What has lapsed is set again with a number above all orders so far, or refused.
    function _setDeadMan(uint256 seed) private {
        address owner = _owner(seed);
        address caller = _actor(owner, seed, 1);
        Switches memory s = switches[owner];
        uint256 time = _now() + 6 hours + (_roll(seed, 3) % 3 days);
        uint256 kind = _roll(seed, 4) % 10;
        if (kind < 5) time = 0;
        if (kind == 5) time = _now() + (_roll(seed, 3) % 2 hours);
        if (kind == 6) time = 1 << 40;
        bool renewed = s.deadMan == 0 || _now() <= s.deadMan;
        uint256 lowest = _roll(seed, 5) % (renewed ? 8 : 2) == 0 ? _lastNonce + 1 : s.lowestNonce;
        Verdict memory v;
        if (caller != owner) {
            bytes4 unknown = ISessionKeys.UnknownKey.selector;
            _judgeKey(v, main(owner), caller, SCOPE_TRADE, 255, unknown);
            if (lowest != s.lowestNonce) _judgeKey(v, main(owner), caller, SCOPE_CANCEL, 255, unknown);
        }
        bool bad = time >= 1 << 40 || (time == 0 && caller != owner);
        _forbidIf(bad, v, IExchange.DeadManInvalid.selector, "ONLY_WITH_AUTHORITY dead-man switch off");
        bool lapsed = !renewed && lowest <= s.lowestNonce;
        _forbidIf(lapsed, v, IExchange.NonceNotIncreased.selector, "NOTHING_REVIVES what has lapsed");
        _buryAll();
        bytes memory data = abi.encodeCall(exchange.setDeadMan, (owner, time, lowest));
        string memory action = caller == owner ? "dead-man switch" : "dead-man switch by a key";
        if (_attempt(caller, address(exchange), data, v, action)) {
            (switches[owner].deadMan, switches[owner].lowestNonce) = (time, lowest);
        }
        _audit(0);
    }

    function _buryAll() private {
        for (uint256 i = 0; i < _orders.length; ++i) _bury(abi.decode(_orders[i], (SignedOrder)).order);
    }

    // ---------------------------------------------------------------- guards

    function guardAny(uint256 seed) external {
        uint256 way = _roll(seed, 9) % 8;
        if (way < 2) _setGuard(seed);
        else if (way < 5) _setPayee(seed);
        else if (way < 6) _lockDown(seed);
        else _unlock(seed);
    }

    function _setGuard(uint256 seed) private {
        address owner = _owner(seed);
        address guardian = [address(0), _guardian, _guardian, _payee][_roll(seed, 1) % 4];
        uint256 delay = [uint256(0), 0, 1 hours, 30 hours][_roll(seed, 2) % 4];
        if (_roll(seed, 3) % 16 == 0) delay = 30 days + 1;
        bool restricted = _roll(seed, 4) % 2 == 0;
        Verdict memory v;
        _judgeGuard(v, owner, delay);
        bytes memory data = abi.encodeCall(ch.setGuard, (guardian, delay, restricted));
        if (_attempt(owner, address(ch), data, v, "set guard")) {
            _noteGuard(owner, guardian, delay, restricted);
            if (shields[owner].nextTime != 0) ++done["loosening waits"];
        }
        _audit(0);
    }

    function _setPayee(uint256 seed) private {
        address owner = _owner(seed);
        bool guarded = _roll(seed, 3) % 2 == 0;
        for (uint256 i = 0; guarded && i < OWNERS && !shields[owner].restricted; ++i) owner = _owners[i];
        address payee = _roll(seed, 1) % 2 == 0 ? owner : _payee;
        Verdict memory v;
        if (_roll(seed, 2) % 2 == 0) {
            _judgeLock(v, owner);
            bool listed = payeeFrom[owner][payee] != 0;
            _forbidIf(listed, v, IClearingHouseCore.AlreadySet.selector, "PAYEES once");
            if (_attempt(owner, address(ch), abi.encodeCall(ch.allowPayee, (payee)), v, "allow payee")) {
                payeeFrom[owner][payee] = _now() + shields[owner].delay;
                _payAtOnce(owner, payee);
            }
        } else {
            address caller = _guardOrActor(owner, seed);
            _judgeGuardian(v, owner, caller);
            bool unlisted = payeeFrom[owner][payee] == 0;
            _forbidIf(unlisted, v, IClearingHouseCore.PayeeNotAllowed.selector, "PAYEES");
            bytes memory data = abi.encodeCall(ch.removePayee, (owner, payee));
            if (_attempt(caller, address(ch), data, v, "remove payee")) payeeFrom[owner][payee] = 0;
        }
        checkEq(ch.payeeSince(owner, payee), payeeFrom[owner][payee], "LOOSENING_WAITS since");
        _audit(0);
    }

    /// @dev Whom the list has just taken up is paid, unless he has to wait.
    function _payAtOnce(address owner, address payee) private {
        Intent memory x;
        (x.kind, x.account, x.units, x.payee) = (WITHDRAW, main(owner), 1e6, payee);
        Verdict memory v;
        _judgeMoney(v, x);
        _after(x, _attempt(owner, address(ch), _asCall(x), v, "withdraw"));
    }

    function _lockDown(uint256 seed) private {
        address owner = _owner(seed);
        address caller = _guardOrActor(owner, seed);
        Verdict memory v;
        _judgeGuardian(v, owner, caller);
        if (_attempt(caller, address(ch), abi.encodeCall(ch.lockDown, (owner)), v, "lock down")) _noteLockdown(owner);
        _audit(0);
    }

    /// @dev Of somebody who is locked, mostly when his time has come.
    function _unlock(uint256 seed) private {
        address owner = _owner(seed);
        for (uint256 i = 0; i < OWNERS && shields[owner].lockTime == 0; ++i) owner = _owners[i];
        address caller = _guardOrActor(owner, seed);
        uint256 due = shields[owner].unlockTime;
        if (due > _now() && _roll(seed, 1) % 2 == 0) _pass(due - _now());
        Verdict memory v;
        _judgeUnlock(v, owner, caller);
        string memory action = shields[owner].unlockTime == 0 && caller == owner ? "ask to unlock" : "unlock";
        if (_attempt(caller, address(ch), abi.encodeCall(ch.unlock, (owner)), v, action)) _noteUnlock(owner, caller);
        _audit(0);
    }

    /// @dev What no key, no thief and no guardian may do in person.
    function _touchForeign(uint256 seed) private {
        AccountId id = _account(seed, 0);
        address caller = [_thief, _guardian, _keeper, _key(seed, 1)][_roll(seed, 2) % 4];
        uint256 way = _roll(seed, 3) % 6;
        (address target, bytes4 reason) = (address(ch), IClearingHouseCore.NotExchange.selector);
        bytes memory data = abi.encodeCall(ch.payFee, (id, _ids[0], 1e18));
        if (way == 1) data = abi.encodeCall(ch.trade, (new Fill[](1)));
        if (way > 1) reason = IClearingHouseCore.NotOwner.selector;
        if (way == 2) data = abi.encodeCall(ch.claim, (id, 0, 1));
        if (way == 3) data = abi.encodeCall(ch.withdraw, (id, address(usdc), 1, caller));
        if (way == 4) data = _batched(abi.encodeCall(ch.transfer, (id, _ids[0], address(usdc), 1)));
        if (way == 5) {
            (target, reason) = (address(exchange), IExchange.NotClearingHouse.selector);
            data = abi.encodeCall(exchange.setLockdown, (id.ownerOf(), _roll(seed, 4) % 2 == 0));
        }
        if (way == 4) data = _batchedOn(address(ch), abi.encodeCall(ch.recall, (id, 1)));
        _mustRefuse(caller, target, data, reason, "ONLY_WITH_AUTHORITY in person");
        _audit(0);
    }

    // ---------------------------------------------------------------- time and prices

    function wait(uint256 seed) external {
        uint256 most = _roll(seed, 0) % 4 == 0 ? 26 hours : 2 hours;
        _pass(1 + (_roll(seed, 1) % most));
    }

    function movePrice(uint256 seed) external {
        uint256 market = _roll(seed, 0) % 2;
        uint256 start = market == ETH ? ETH_PRICE : BTC_PRICE;
        uint256 price = (index[market] * (998_500 + (_roll(seed, 1) % 3_001))) / 1e6;
        if (price > (start * 110) / 100 || price < (start * 90) / 100) price = start;
        index[market] = (price / 1e10) * 1e10;
        setPrice(market, index[market]);
    }

    function _pass(uint256 time) private {
        passTime(time);
        for (uint256 i = 0; i < OWNERS; ++i) _ripen(_owners[i]);
    }

    // ---------------------------------------------------------------- what is compared

    /// @notice Everything that the contracts say of an owner against the model.
    function examine(uint256 place) external view {
        address owner = _owners[place % OWNERS];
        for (uint256 i = 0; i < KEYS; ++i) {
            uint256 life = lifeOf[owner][_pool[i]];
            KeyState memory k = exchange.sessionKey(owner, _pool[i]);
            check(k.live == _isAlive(life), "NOTHING_REVIVES live");
            checkEq(k.version, versionOf[owner][_pool[i]], "NOTHING_REVIVES version");
            if (life == 0 || !k.live) continue;
            check(keccak256(abi.encode(k.grant)) == keccak256(abi.encode(lives[life].grant)), "GRANTS");
            check(k.parent == lives[lives[life].parent].key, "CHILD_WITHIN_PARENT parent");
            _checkUse(life);
        }
        (uint256 epoch, uint256 lowest, uint256 deadMan) = exchange.ownerState(owner);
        checkEq(epoch, switches[owner].epoch, "NOTHING_REVIVES epoch");
        checkEq(lowest, switches[owner].lowestNonce, "NOTHING_REVIVES lowest nonce");
        checkEq(deadMan, switches[owner].deadMan, "NOTHING_REVIVES dead-man switch");
        _examineGuard(owner);
        _examineFlows(main(owner));
        (int256 level, ) = ch.outflow(address(usdc));
        checkNear(level, _outflow(), uint256(OUTFLOW_TOLERANCE), "OUTFLOW_WITHIN_CAP level");
    }

    function _examineFlows(AccountId id) private view {
        (int256 flow, bool counted) = ch.netFlow(id);
        check(counted == tracked[id], "EQUITY_FLOOR_HELD flows are counted");
        if (counted) checkEq(flow, netFlows[id], "EQUITY_FLOOR_HELD flows");
    }

    function _examineGuard(address owner) private view {
        (Guard memory g, PendingGuard memory p) = ch.guardOf(owner);
        Shield memory s = shields[owner];
        check(g.guardian == s.guardian && g.delay == s.delay && g.restricted == s.restricted, "LOOSENING_WAITS guard");
        check(g.lockTime == s.lockTime && g.unlockTime == s.unlockTime, "LOOSENING_WAITS lockdown");
        if (s.nextTime != 0) checkEq(uint256(p.time), s.nextTime, "LOOSENING_WAITS time");
    }

    /// @notice What lies there has filled and been used as the model says.
    function examineKept() external view {
        for (uint256 i = 0; i < _orders.length; ++i) {
            Order memory o = abi.decode(_orders[i], (SignedOrder)).order;
            checkEq(exchange.filled(o.account, o.nonce), filledOf[o.account][o.nonce], "NEVER_OVERFILLED at the end");
        }
        for (uint256 i = 0; i < _intents.length; ++i) {
            Intent memory x = abi.decode(_intents[i], (Intent));
            address owner = x.account.ownerOf();
            check(exchange.isIntentUsed(owner, x.nonce) == intentUsed[owner][x.nonce], "NOTHING_REVIVES intents");
        }
    }

    /// @dev After each act: accounts that it does not concern are untouched, and nobody has tokens whom the model has not given them.
    function _audit(uint256 touched) private {
        ++acts;
        bytes32[ACCOUNTS] memory now_ = this.words(); // in one call from outside, which is cheaper
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            if (touched & (1 << i) == 0) check(now_[i] == _words[i], "ONLY_WITH_AUTHORITY somebody else's account");
            else _words[i] = now_[i];
        }
        this.checkPurses();
    }

    /// @notice Digests of the words that the ledger keeps of each account.
    function words() public view returns (bytes32[ACCOUNTS] memory digests) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            (, , Loans memory shares) = ch.loans(_ids[i]);
            digests[i] = keccak256(
                abi.encode(ch.account(_ids[i]), ch.position(_ids[i], 0), ch.position(_ids[i], 1), shares)
            );
        }
    }

    function checkPurses() external view {
        for (uint256 i = 0; i < PURSES; ++i) {
            checkEq(usdc.balanceOf(_holders[i]), _purses[_holders[i]], "KEYS_TAKE_NOTHING_OUT purses");
        }
    }

    function meansOf(AccountId id) external view returns (Means memory m) {
        Account memory a = ch.account(id);
        Assessment memory risk = assess(id);
        uint256 debt;
        (m.lent, debt, ) = ch.loans(id);
        (m.cash, m.equity, m.flat) = (a.cash, risk.equity, debt == 0);
        m.liquid = uint256(lendingPool().lent) + lendingPool().reserves - lendingPool().borrowed;
        int256 profit = 0;
        for (uint256 i = 0; i < 2; ++i) {
            int256 pnl = ch.positionPnl(id, i);
            if (pnl > 0) profit += pnl;
            else m.loss += uint256(-pnl);
            if (sizeOf(id, i) != 0 || quoteOf(id, i) < 0) m.flat = false;
        }
        m.spare = m.equity - profit - int256(risk.initialMargin);
    }

    function _asExpected(AccountId id) private view {
        checkNear(assess(id).equity, expected[id], uint256(EQUITY_TOLERANCE), "ONLY_WITH_AUTHORITY equity");
    }

    // ---------------------------------------------------------------- attempts

    function _attempt(
        address caller,
        address target,
        bytes memory data,
        Verdict memory v,
        string memory action
    ) private returns (bool went) {
        bytes memory reason;
        vm.prank(caller);
        (went, reason) = target.call(data);
        _compare(v, went, reason, action);
    }

    function _mustRefuse(
        address caller,
        address target,
        bytes memory data,
        bytes4 reason,
        string memory breach
    ) private {
        Verdict memory v;
        _forbid(v, reason, breach);
        _attempt(caller, target, data, v, "");
    }

    /// @dev What happened against what was foretold.
    function _compare(Verdict memory v, bool went, bytes memory reason, string memory action) private {
        if (went) {
            ++done[action];
            if (_isForbidden(v) && !v.close) revert(string.concat(v.breach, ": went through: ", action));
            return;
        }
        ++refused[bytes4(reason)];
        for (uint256 i = 0; i < v.reasons.length; ++i) if (v.reasons[i] == bytes4(reason)) return;
        if (v.lacks && _isWant(bytes4(reason))) return;
        string memory how = _isForbidden(v) ? "REFUSED for another reason: " : "ALLOWED but refused: ";
        revert(string.concat(how, action, " ", Strings.toHexString(reason)));
    }

    function _isWant(bytes4 reason) private pure returns (bool) {
        return
            reason == IClearingHouseCore.InsufficientMargin.selector ||
            reason == IClearingHouseCore.InsufficientCash.selector ||
            reason == IClearingHouseCore.InsufficientLiquidity.selector ||
            reason == IClearingHouseCore.UnsettledLoss.selector;
    }

    function _bubble(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    /// @dev Without the selector.
    function _tail(bytes memory data) private pure returns (bytes memory rest) {
        rest = new bytes(data.length - 4);
        for (uint256 i = 0; i < rest.length; ++i) rest[i] = data[i + 4];
    }

    // ---------------------------------------------------------------- what is signed

    function _sign(address signer, uint256 domain, bytes32 structHash) private view returns (bytes memory) {
        bytes32 digest = keccak256(bytes.concat(hex"1901", _domains[domain], structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[signer], digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Of an owner's signature: mostly nothing is wrong. `stale` is added to the numbers that it is good for.
    function _flaw(address owner, uint256 seed) private view returns (address signer, uint256 domain, uint256 stale) {
        signer = owner;
        uint256 kind = _roll(seed, 50) % 10;
        if (kind == 0) signer = _thief;
        if (kind == 1) signer = _key(seed, 51);
        if (kind == 2) domain = OTHER_CHAIN;
        if (kind == 3) domain = OTHER_CONTRACT;
        if (kind == 4) stale = 1 + (_roll(seed, 52) % 2);
    }

    function _hashOf(Intent memory x) private view returns (bytes32) {
        bytes memory body = abi.encode(_typehashes[x.kind], x.account, address(usdc), x.units);
        if (x.kind == WITHDRAW) body = bytes.concat(body, abi.encode(x.payee));
        if (x.kind == TRANSFER) body = abi.encode(_typehashes[x.kind], x.account, x.to, address(usdc), x.units);
        if (x.kind > TRANSFER) body = abi.encode(_typehashes[x.kind], x.account, x.units);
        return keccak256(bytes.concat(body, abi.encode(x.nonce, x.deadline, x.epoch)));
    }

    function _asIntent(Intent memory x) private view returns (bytes memory) {
        Authorisation memory a = Authorisation(x.nonce, x.deadline, x.signature);
        (AccountId id, address cash, uint256 units) = (x.account, address(usdc), x.units);
        if (x.kind == DEPOSIT) return abi.encodeCall(exchange.depositFor, (id, cash, units, a));
        if (x.kind == WITHDRAW) return abi.encodeCall(exchange.withdrawFor, (id, cash, units, x.payee, a));
        if (x.kind == TRANSFER) return abi.encodeCall(exchange.transferFor, (id, x.to, cash, units, a));
        if (x.kind == LEND) return abi.encodeCall(exchange.lendFor, (id, units, a));
        return abi.encodeCall(exchange.recallFor, (id, units, a));
    }

    function _asCall(Intent memory x) private view returns (bytes memory) {
        (AccountId id, address cash, uint256 units) = (x.account, address(usdc), x.units);
        if (x.kind == DEPOSIT) return abi.encodeCall(ch.deposit, (id, cash, units));
        if (x.kind == WITHDRAW) return abi.encodeCall(ch.withdraw, (id, cash, units, x.payee));
        if (x.kind == TRANSFER) return abi.encodeCall(ch.transfer, (id, x.to, cash, units));
        if (x.kind == LEND) return abi.encodeCall(ch.lend, (id, units));
        return abi.encodeCall(ch.recall, (id, units));
    }

    function _batched(bytes memory data) private view returns (bytes memory) {
        return _batchedOn(address(exchange), data);
    }

    function _batchedOn(address target, bytes memory data) private view returns (bytes memory) {
        Call[] memory calls = new Call[](1);
        calls[0] = Call(target, data);
        return abi.encodeCall(ch.batch, (calls));
    }

    function _scopeOf(uint256 kind) private pure returns (uint256) {
        if (kind == DEPOSIT) return SCOPE_DEPOSIT;
        if (kind == WITHDRAW) return SCOPE_WITHDRAW;
        return kind == TRANSFER ? SCOPE_TRANSFER : SCOPE_LEND;
    }

    function _named(string memory prefix, uint256 kind) private pure returns (string memory) {
        string[5] memory names = ["deposit", "withdraw", "transfer", "lend", "recall"];
        return string.concat(prefix, names[kind]);
    }

    function _keep(bytes[] storage list, bytes memory data, uint256 seed) private {
        if (list.length < KEPT) list.push(data);
        else list[_roll(seed, 60) % KEPT] = data;
    }

    // ---------------------------------------------------------------- drafts

    /// @dev From a key (`parent` is its life): within its own rights, but for one of them, mostly.
    function _draftGrant(uint256 parent, uint256 seed) private view returns (Grant memory g) {
        g.scopes = [uint8(255), 255 & ~SCOPE_GRANT, SCOPE_TRADE | SCOPE_REDUCE, uint8(_roll(seed, 70))][
            _roll(seed, 71) % 4
        ];
        g.markets = [uint64(3), 3, 1, 2][_roll(seed, 72) % 4];
        g.accounts = [type(uint32).max, type(uint32).max, 1, uint32((1 << 31) | 3)][_roll(seed, 73) % 4];
        g.expiry = uint40(_now()) + [uint40(30 days), 3 days, 3 hours, 10 minutes][_roll(seed, 74) % 4];
        if (_roll(seed, 75) % 20 == 0) g.expiry = uint40(_now() - 1);
        g.priceBand = [uint24(1e6), 5_000, 1_000, 200][_roll(seed, 76) % 4];
        if (_roll(seed, 77) % 24 == 0) g.priceBand = 1e6 + 1;
        g.dailyNotional = [type(uint48).max, 100_000, 20_000, 5_000][_roll(seed, 78) % 4];
        g.lossLimit = [type(uint48).max, 100, 20, 3][_roll(seed, 79) % 4];
        g.equityFloor = [uint48(0), 0, 250_000, 299_995][_roll(seed, 80) % 4];
        uint256 beyond = _roll(seed, 82) % 72;
        if (beyond == 0) g.expiry = 1 << 32;
        if (beyond == 1) g.dailyNotional = 10e9 + 1;
        if (beyond == 2) g.lossLimit = 100e6 + 1;
        if (parent == 0) return g;
        Grant memory p = lives[parent].grant;
        g.scopes = p.scopes & (g.scopes == 0 ? 255 : g.scopes);
        g.markets &= p.markets;
        g.accounts &= p.accounts;
        if (g.expiry > p.expiry) g.expiry = p.expiry;
        if (g.priceBand > p.priceBand) g.priceBand = p.priceBand;
        if (g.dailyNotional > p.dailyNotional) g.dailyNotional = p.dailyNotional;
        if (g.lossLimit > p.lossLimit) g.lossLimit = p.lossLimit;
        if (g.equityFloor < p.equityFloor) g.equityFloor = p.equityFloor;
        _widen(g, p, _roll(seed, 81) % 12);
    }

    /// @dev One right more than the parent may have.
    function _widen(Grant memory g, Grant memory p, uint256 field) private pure {
        if (field == 0) g.scopes = 255;
        if (field == 1) g.markets = 3;
        if (field == 2) g.accounts = type(uint32).max;
        if (field == 3) g.expiry = p.expiry + 1;
        if (field == 4) g.priceBand = 1e6;
        if (field == 5) g.dailyNotional = type(uint48).max;
        if (field == 6) g.lossLimit = type(uint48).max;
        if (field == 7) g.equityFloor = 0;
    }

    function _draftIntent(uint256 seed) private view returns (Intent memory x) {
        x.kind = [DEPOSIT, WITHDRAW, WITHDRAW, TRANSFER, LEND, RECALL][_roll(seed, 90) % 6];
        x.account = _ids[_roll(seed, 91) % ACCOUNTS];
        uint256 place = _placeOf(x.account);
        x.to = _roll(seed, 92) % 8 == 0 ? _ids[_roll(seed, 93) % ACCOUNTS] : _ids[place ^ 1];
        x.payee = _payeeOf(x.account.ownerOf(), seed);
        x.units = 1 + (_roll(seed, 94) % 60_000e6);
        if (_roll(seed, 95) % 8 == 0) x.units *= 6;
        if (x.kind == RECALL && _roll(seed, 96) % 4 != 0) _draftRecall(x);
        if (x.kind == DEPOSIT && cashOf(x.account) < 50_000e18) x.units += 200_000e6;
    }

    /// @dev Of an account that has lent.
    function _draftRecall(Intent memory x) private view {
        for (uint256 i = 0; i < ACCOUNTS && lentOf(x.account) == 0; ++i) x.account = _ids[i];
        uint256 lent = lentOf(x.account) / USDC_UNIT;
        if (lent != 0) x.units = 1 + (x.units % lent);
    }

    function _payeeOf(address owner, uint256 seed) private view returns (address) {
        return _roll(seed, 97) % 3 == 0 ? _payee : owner;
    }

    /// @dev The first has lain there or is new, the others are mostly new and meet it.
    function _gathering(
        uint256 others,
        bool old,
        uint256 seed
    ) private returns (SignedOrder[] memory orders, address[] memory signers) {
        (orders, signers) = (new SignedOrder[](others + 1), new address[](others + 1));
        old = old && _orders.length != 0;
        bytes memory data = old ? _orderOf(seed) : _freshOrder(_account(seed, 102), seed, _roll(seed, 103) % 2 == 0);
        if (old && _roll(seed, 104) % 16 == 0) data = _altered(data, seed);
        orders[0] = abi.decode(data, (SignedOrder));
        signers[0] = _signerOf[keccak256(data)];
        for (uint256 i = 1; i <= others; ++i) {
            uint256 own = _roll(seed, 110 + i);
            if (_orders.length != 0 && own % 8 == 0) data = _orders[(own >> 8) % _orders.length];
            else data = _counterOrder(orders[0].order, own);
            orders[i] = abi.decode(data, (SignedOrder));
            signers[i] = _signerOf[keccak256(data)];
        }
    }

    /// @dev One of those that lie there, mostly one that is not dead.
    function _orderOf(uint256 seed) private returns (bytes memory data) {
        for (uint256 i = 0; i < _orders.length; ++i) {
            data = _orders[(_roll(seed, 101) + i) % _orders.length];
            if (_roll(seed, 105) % 8 == 0 || !_bury(abi.decode(data, (SignedOrder)).order)) return data;
        }
    }

    /// @dev Somebody else's order that the given one could fill with.
    function _counterOrder(Order memory o, uint256 seed) private returns (bytes memory) {
        AccountId id = _account(seed, 120);
        if (id.equals(o.account) && _roll(seed, 121) % 8 != 0) id = _ids[(_placeOf(id) + 2) % ACCOUNTS];
        Order memory c;
        (c.account, c.market, c.size, c.limitPrice) = (id, o.market, -o.size, o.limitPrice);
        if (_roll(seed, 122) % 3 == 0) c.size = (c.size / 3e9) * 1e9;
        if (_roll(seed, 123) % 4 == 0) c.size = -o.size * 2;
        if (_roll(seed, 124) % 16 == 0) c.limitPrice += 1e18;
        (c.expiry, c.nonce, c.epoch) = (_now() + 1 days, ++_lastNonce, switches[id.ownerOf()].epoch);
        c.resting = !o.resting || _roll(seed, 125) % 6 == 0;
        if (shields[id.ownerOf()].lockTime != 0) c.reduceOnly = true;
        if (_roll(seed, 126) % 12 == 0) _twist(c, seed);
        return _signed(c, _actor(id.ownerOf(), seed, 127), HERE);
    }

    function _freshOrder(AccountId id, uint256 seed, bool twisted) private returns (bytes memory) {
        Order memory o;
        o.account = id;
        o.market = _roll(seed, 130) % 2;
        uint256 unit = o.market == ETH ? 1e16 : 1e15;
        o.size = int256((1 + (_roll(seed, 131) % 300)) * unit);
        int256 held = sizes[id][o.market];
        o.reduceOnly = _roll(seed, 132) % (held == 0 ? 24 : 3) == 0;
        if (shields[id.ownerOf()].lockTime != 0 && _roll(seed, 133) % 4 != 0) o.reduceOnly = true;
        if (o.reduceOnly ? held > 0 : _roll(seed, 134) % 2 == 0) o.size = -o.size;
        uint256 off = [uint256(0), 0, 400, 2_500][_roll(seed, 135) % 4];
        if (_roll(seed, 147) % 16 == 0) off = 5_500;
        o.limitPrice = (index[o.market] * (_roll(seed, 136) % 2 == 0 ? 1e6 + off : 1e6 - off)) / 1e6;
        o.resting = _roll(seed, 137) % 2 == 0;
        o.postOnly = o.resting && _roll(seed, 138) % 4 == 0;
        o.fillOrKill = !o.resting && _roll(seed, 139) % 4 == 0;
        if (!o.resting && _roll(seed, 140) % 3 == 0) _trigger(o, seed);
        if (_roll(seed, 141) % 2 == 0) o.executionFee = (_abs(o.size) * o.limitPrice) / (100e18 * (1 + (seed % 9)));
        (o.expiry, o.nonce, o.epoch) = (_now() + 5 days, ++_lastNonce, switches[id.ownerOf()].epoch);
        uint256 domain = HERE;
        if (twisted && _roll(seed, 142) % 3 == 0) {
            _twist(o, seed);
            uint256 kind = _roll(seed, 143) % 12;
            if (kind == 0) domain = OTHER_CHAIN;
            if (kind == 1) domain = OTHER_CONTRACT;
        }
        return _signed(o, _actor(id.ownerOf(), seed, 144), domain);
    }

    function _trigger(Order memory o, uint256 seed) private view {
        uint256 mark = (index[o.market] * (999_000 + (_roll(seed, 145) % 2_001))) / 1e6;
        if (_roll(seed, 146) % 2 == 0) o.triggerAbove = mark;
        else o.triggerBelow = mark;
    }

    /// @dev Something is wrong with it, or will soon be.
    function _twist(Order memory o, uint256 seed) private view {
        uint256 kind = _roll(seed, 150) % 12;
        if (kind == 0) o.expiry = _now() - 1;
        if (kind == 1) o.expiry = _now() + 1 hours;
        if (kind == 2) o.epoch += 1;
        if (kind == 3 && o.epoch != 0) o.epoch -= 1;
        if (kind == 4 && switches[o.account.ownerOf()].lowestNonce != 0) {
            o.nonce = switches[o.account.ownerOf()].lowestNonce - 1;
        }
        if (kind == 5) o.nonce = _nonceOfAnother(o, seed); // one cancels the other
        if (kind == 6) o.size += 1;
        if (kind == 7) (o.resting, o.postOnly, o.fillOrKill) = (!o.resting, true, false);
        if (kind == 8) (o.resting, o.triggerAbove) = (true, 1);
        if (kind == 9) o.executionFee = (_abs(o.size) * o.limitPrice) / 100e18 + 1;
        if (kind == 10) o.market = 1 - o.market;
        if (kind == 11) o.reduceOnly = !o.reduceOnly;
    }

    function _nonceOfAnother(Order memory o, uint256 seed) private view returns (uint256) {
        for (uint256 i = 0; i < _orders.length; ++i) {
            uint256 place = (i + _roll(seed, 151)) % _orders.length;
            Order memory other = abi.decode(_orders[place], (SignedOrder)).order;
            if (other.account.equals(o.account)) return other.nonce;
        }
        return o.nonce;
    }

    function _altered(bytes memory data, uint256 seed) private pure returns (bytes memory) {
        SignedOrder memory s = abi.decode(data, (SignedOrder));
        uint256 field = _roll(seed, 152) % 6;
        if (field == 0) s.order.size *= 2;
        if (field == 1) s.order.limitPrice += 1e18;
        if (field == 2) s.order.expiry += 1;
        if (field == 3) s.order.nonce += 1_000;
        if (field == 4) s.order.reduceOnly = !s.order.reduceOnly;
        if (field == 5) s.order.triggerAbove += 1;
        return abi.encode(s);
    }

    function _signed(Order memory o, address signer, uint256 domain) private returns (bytes memory data) {
        data = abi.encode(SignedOrder(o, _sign(signer, domain, keccak256(abi.encode(ORDER_TYPEHASH, o)))));
        if (domain == HERE) _signerOf[keccak256(data)] = signer;
    }

    /// @dev What has met may meet again, for the rest of it or in vain.
    function _keepAll(SignedOrder[] memory orders, address[] memory signers, uint256 seed) private {
        for (uint256 i = 0; i < orders.length; ++i) {
            bytes memory data = abi.encode(orders[i]);
            if (_signerOf[keccak256(data)] == signers[i] && _roll(seed, 160 + i) % 3 == 0) {
                _keep(_orders, data, _roll(seed, 170 + i));
            }
        }
    }

    // ---------------------------------------------------------------- choices

    function _roll(uint256 seed, uint256 what) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what)));
    }

    function _owner(uint256 seed) private view returns (address) {
        return _owners[_roll(seed, 180) % OWNERS];
    }

    function _key(uint256 seed, uint256 what) private view returns (address) {
        return _pool[_roll(seed, what) % KEYS];
    }

    /// @dev Mostly a main account.
    function _account(uint256 seed, uint256 what) private view returns (AccountId) {
        uint256 draw = _roll(seed, what);
        return _ids[(draw % OWNERS) * 2 + ((draw >> 8) % 5 == 0 ? 1 : 0)];
    }

    /// @dev The owner, a key of his (alive if there is one, mostly), a thief.
    function _actor(address owner, uint256 seed, uint256 what) private view returns (address) {
        uint256 draw = _roll(seed, what);
        if (draw % 2 == 0) return owner;
        return draw % 32 == 1 ? _thief : _someKey(owner, draw >> 8);
    }

    function _someKey(address owner, uint256 draw) private view returns (address key) {
        for (uint256 i = 0; i < KEYS; ++i) {
            key = _pool[(draw + i) % KEYS];
            if (draw % 8 == 0 || _isAlive(lifeOf[owner][key])) return key;
        }
    }

    function _guardOrActor(address owner, uint256 seed) private view returns (address) {
        address guardian = shields[owner].guardian;
        return _roll(seed, 190) % 3 == 0 && guardian != address(0) ? guardian : _actor(owner, seed, 191);
    }

    function _placeOf(AccountId id) private view returns (uint256 place) {
        while (!_ids[place].equals(id)) ++place;
    }
}
