// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IExchange, Match, Order, SignedOrder} from "../../contracts/interfaces/IExchange.sol";
import {Authorisation, IIntents} from "../../contracts/interfaces/IIntents.sol";
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
} from "../../contracts/interfaces/ISessionKeys.sol";
import {SessionKeys} from "../../contracts/SessionKeys.sol";
import {MockWallet} from "../../contracts/mocks/MockWallet.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {House} from "./support/House.sol";
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
} from "./support/TypeHashes.sol";
import {vm} from "./support/Vm.sol";

/// @notice Who may act for an owner, how far, and how it ends: session keys, intents, orders. Alice and bob have 100,000 of cash each,
/// ETH is at 2,000, and the taker pays 0.05 %.
contract KeysTest is House {
    uint48 private constant UNLIMITED = type(uint48).max;
    uint40 private constant END = uint40(START + 10 days);
    uint256 private constant DEADLINE = START + 1_000;

    address private alice;
    address private bob;
    address private carol;
    address private keeper; // brings what others have signed
    address private key;
    address private child;
    address private grandchild;
    address private last;
    AccountId private second; // of alice

    function setUp() public {
        deployHouse();
        (alice, bob, carol, keeper) = (actor("alice"), actor("bob"), actor("carol"), actor("keeper"));
        (key, child, grandchild, last) = (actor("key"), actor("child"), actor("grandchild"), actor("last"));
        second = AccountIds.derive(alice, 1);
        giveCash(main(alice), 100_000e18);
        giveCash(main(bob), 100_000e18);
    }

    // ---------------------------------------------------------------- signatures

    function _sign(address signer, bytes32 structHash) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[signer], _digest(structHash));
        return abi.encodePacked(r, s, v);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        (, string memory name, string memory version, uint256 chain, address place, , ) = exchange.eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256(bytes(name)), keccak256(bytes(version)), chain, place)
        );
        return keccak256(bytes.concat(hex"1901", domain, structHash));
    }

    function _signGrant(
        address signer,
        Grant memory g,
        uint256 version,
        uint256 epoch
    ) private view returns (bytes memory) {
        return _sign(signer, keccak256(abi.encode(GRANT_TYPEHASH, alice, key, g, version, epoch)));
    }

    function _signRevoke(address signer, uint256 version, uint256 epoch) private view returns (bytes memory) {
        return _sign(signer, keccak256(abi.encode(REVOKE_TYPEHASH, alice, key, version, epoch)));
    }

    function _signRevokeAll(address signer, uint256 epoch) private view returns (bytes memory) {
        return _sign(signer, keccak256(abi.encode(REVOKE_ALL_TYPEHASH, alice, epoch)));
    }

    /// @dev An intent of alice's at epoch zero.
    function _intent(address signer, uint256 nonce, bytes memory intent) private view returns (Authorisation memory) {
        bytes32 hash = keccak256(bytes.concat(intent, abi.encode(nonce, DEADLINE, uint256(0))));
        return Authorisation(nonce, DEADLINE, _sign(signer, hash));
    }

    function _signAs(address signer, Order memory order) private view returns (SignedOrder memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[signer], exchange.hashOrder(order));
        return SignedOrder(order, abi.encodePacked(r, s, v));
    }

    // ---------------------------------------------------------------- helpers

    /// @dev The call of the exchange by `caller` reverts with exactly `error`.
    function _refused(address caller, bytes memory data, bytes memory error) private {
        vm.prank(caller);
        (bool ok, bytes memory reason) = address(exchange).call(data);
        check(!ok, "went through");
        checkEq(uint256(uint32(bytes4(reason))), uint256(uint32(bytes4(error))), "refused for another reason");
        check(keccak256(reason) == keccak256(error), "refused with other arguments");
    }

    /// @dev ETH and BTC with the main account for ten days within 0.5 %, 100,000 a day, losses of at most 10.
    function _grantOf(uint8 scopes) private pure returns (Grant memory) {
        return Grant(scopes, 3, 1, END, 5_000, 100_000, 10, 0);
    }

    function _give(address granter, address to, Grant memory g) private {
        vm.prank(granter);
        exchange.grant(alice, to, g);
    }

    function _giveRefused(address granter, address to, Grant memory g, bytes memory error) private {
        _refused(granter, abi.encodeCall(exchange.grant, (alice, to, g)), error);
    }

    function _revoke(address caller, address which) private {
        vm.prank(caller);
        exchange.revoke(alice, which);
    }

    function _revokeRefused(address caller, address which, bytes memory error) private {
        _refused(caller, abi.encodeCall(exchange.revoke, (alice, which)), error);
    }

    /// @dev Three keys below each other that may trade and grant.
    function _chain() private {
        _give(alice, key, _grantOf(SCOPE_TRADE | SCOPE_GRANT));
        _give(key, child, _grantOf(SCOPE_TRADE | SCOPE_GRANT));
        _give(child, grandchild, _grantOf(SCOPE_TRADE | SCOPE_GRANT));
    }

    /// @dev A taker's order of alice's main account.
    function _order(int256 size, uint256 price) private returns (Order memory) {
        return signedOrder(main(alice), ETH, size, price, false, false).order;
    }

    /// @dev An order and a resting one of bob's that it meets.
    function _meeting(
        address signer,
        Order memory order
    ) private returns (SignedOrder[] memory orders, Match[] memory matches) {
        orders = new SignedOrder[](2);
        orders[0] = signedOrder(main(bob), order.market, -order.size, order.limitPrice, true, false);
        orders[1] = _signAs(signer, order);
        matches = new Match[](1);
        matches[0] = Match(0, 1);
    }

    function _settle(address signer, Order memory order) private {
        (SignedOrder[] memory orders, Match[] memory matches) = _meeting(signer, order);
        exchange.settle(orders, matches);
    }

    function _settleRefused(address signer, Order memory order, bytes memory error) private {
        (SignedOrder[] memory orders, Match[] memory matches) = _meeting(signer, order);
        _refused(keeper, abi.encodeCall(exchange.settle, (orders, matches)), error);
    }

    /// @dev Alice's main account changes by `size` at 2,000.
    function _trade(address signer, int256 size) private {
        _settle(signer, _order(size, ETH_PRICE));
    }

    function _tradeRefused(address signer, int256 size, bytes memory error) private {
        _settleRefused(signer, _order(size, ETH_PRICE), error);
    }

    function _stateOf(address which) private view returns (KeyState memory) {
        return exchange.sessionKey(alice, which);
    }

    function _epoch() private view returns (uint256 epoch) {
        (epoch, , ) = exchange.ownerState(alice);
    }

    // ---------------------------------------------------------------- errors

    function _unknown(address which) private view returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.UnknownKey.selector, alice, which);
    }

    function _revoked(address which) private view returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.KeyIsRevoked.selector, alice, which);
    }

    function _lacksScope(address which, uint256 scopes, uint256 required) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.KeyLacksScope.selector, which, scopes, required);
    }

    function _lacksAccount(address which, AccountId id) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.KeyLacksAccount.selector, which, id);
    }

    function _tooWide(bytes32 field, uint256 value, uint256 maximum) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.GrantTooWide.selector, field, value, maximum);
    }

    function _lossLimit(address which, int256 loss, uint256 left) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.KeyLossLimit.selector, which, loss, left);
    }

    function _expired(address which, uint256 expiry, uint256 time) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.KeyExpired.selector, which, expiry, time);
    }

    function _invalid(uint256 epoch, uint256 version) private view returns (bytes memory) {
        return abi.encodeWithSelector(ISessionKeys.InvalidAuthorisation.selector, alice, epoch, version);
    }

    function _badSignature(Order memory order) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.InvalidSignature.selector, order.account, order.nonce);
    }

    function _inLockdown(Order memory order) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.OrderInLockdown.selector, order.account, order.nonce);
    }

    // ---------------------------------------------------------------- what is left to a key: notional in 0.01 USD, losses in 0.0001 USD

    function test_AUTH_2_WhatAKeyUsesIsTakenOff() public {
        _give(alice, key, _grantOf(SCOPE_TRADE));
        // 2 bought at 2,001: 4,002 traded; lost 2 · 1 and 0.05 % of 4,002
        _settle(key, _order(2e18, 2_001e18));
        checkEq(sizeOf(main(alice), ETH), int256(2e18), "bought");
        KeyState memory s = _stateOf(key);
        checkEq(s.notionalLeft, 95_998e2, "of 100,000");
        checkEq(s.lossLeft, 5.999e4, "of 10");
        // 1 sold at 2,003 as the maker, without a fee: 3 gained
        SignedOrder[] memory orders = new SignedOrder[](2);
        orders[0] = _signAs(key, signedOrder(main(alice), ETH, -1e18, 2_003e18, true, false).order);
        orders[1] = signedOrder(main(bob), ETH, 1e18, 2_003e18, false, false);
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        exchange.settle(orders, matches);
        s = _stateOf(key);
        checkEq(s.notionalLeft, 93_995e2, "after 2,003 more");
        checkEq(s.lossLeft, 8.999e4, "with the gain");
        checkEq(s.version, 1, "version");
        check(s.live && s.parent == address(0), "alive, of the owner");
        check(keccak256(abi.encode(s.grant)) == keccak256(abi.encode(_grantOf(SCOPE_TRADE))), "the grant");
        passTime(1 days);
        s = _stateOf(key);
        checkEq(s.notionalLeft, 100_000e2, "a new day");
        checkEq(s.lossLeft, 8.999e4, "losses stay");
    }

    function test_AUTH_2_UseIsRoundedAgainstTheKey() public {
        _give(alice, key, _grantOf(SCOPE_TRADE));
        // Sold by the maker a wei above the index: 2,000 and a wei traded; the gain of a wei is less than a unit.
        SignedOrder[] memory orders = new SignedOrder[](2);
        orders[0] = _signAs(key, signedOrder(main(alice), ETH, -1e18, ETH_PRICE + 1, true, false).order);
        orders[1] = signedOrder(main(bob), ETH, 1e18, ETH_PRICE + 1, false, false);
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        exchange.settle(orders, matches);
        checkEq(_stateOf(key).notionalLeft, 98_000e2 - 1, "traded, rounded up");
        checkEq(_stateOf(key).lossLeft, 10e4, "gain, rounded down");
        // Bought a wei above it: the wei, and a fee of 1 USD and a fraction that is rounded up to a unit.
        _settle(key, _order(1e18, ETH_PRICE + 1));
        checkEq(_stateOf(key).notionalLeft, 96_000e2 - 2, "traded twice");
        checkEq(_stateOf(key).lossLeft, 9e4 - 1, "loss, rounded up");
    }

    // ---------------------------------------------------------------- what a key may do

    function test_AUTH_2_AccountsAndMarkets() public {
        Grant memory g = _grantOf(SCOPE_TRADE);
        (g.markets, g.accounts) = (1, 1 << 31);
        _give(alice, key, g);
        _tradeRefused(key, 1e18, _lacksAccount(key, main(alice)));
        // The last bit is for all serial numbers from 31 on.
        AccountId far = AccountIds.derive(alice, 40);
        giveCash(far, 1_000e18);
        Order memory o = _order(1e18, ETH_PRICE);
        o.account = far;
        _settle(key, o);
        checkEq(sizeOf(far, ETH), int256(1e18), "bought");
        o = signedOrder(far, BTC, 0.01e18, BTC_PRICE, false, false).order;
        _settleRefused(key, o, abi.encodeWithSelector(ISessionKeys.KeyLacksMarket.selector, key, BTC));
        o = _order(1e18, ETH_PRICE);
        o.account = second;
        _settleRefused(key, o, _lacksAccount(key, second));
    }

    function test_AUTH_2_PriceBand() public {
        Grant memory g = _grantOf(SCOPE_TRADE);
        g.priceBand = 500;
        _give(alice, key, g);
        _settle(key, _order(1e18, 2_001e18)); // 0.05 % off
        bytes4 band = ISessionKeys.KeyPriceBand.selector;
        _settleRefused(key, _order(1e18, 2_002e18), abi.encodeWithSelector(band, key, 2_002e18, ETH_PRICE, 500));
        _settle(key, _order(1e18, 1_999e18));
        _settleRefused(key, _order(1e18, 1_998e18), abi.encodeWithSelector(band, key, 1_998e18, ETH_PRICE, 500));
    }

    function test_AUTH_2_DailyNotional() public {
        Grant memory g = _grantOf(SCOPE_TRADE);
        g.lossLimit = UNLIMITED;
        _give(alice, key, g);
        _trade(key, 50e18); // 100,000
        _tradeRefused(key, 0.01e18, abi.encodeWithSelector(ISessionKeys.KeyNotionalLimit.selector, key, 20e2, 0));
        passTime(1 days);
        _trade(key, 0.01e18);
        checkEq(_stateOf(key).notionalLeft, 99_980e2, "of the new day");
        g.dailyNotional = UNLIMITED;
        _give(alice, key, g);
        _trade(key, -50e18);
        _trade(key, 1e18);
        checkEq(_stateOf(key).notionalLeft, type(uint256).max, "without a limit");
        checkEq(_stateOf(key).lossLeft, type(uint256).max, "likewise");
    }

    function test_AUTH_2_LossLimit() public {
        _give(alice, key, _grantOf(SCOPE_TRADE));
        _trade(key, 10e18); // 0.05 % of 20,000
        _tradeRefused(key, 0.01e18, _lossLimit(key, 0.01e4, 0));
        _give(alice, key, _grantOf(SCOPE_TRADE)); // a new grant starts anew
        _trade(key, 0.01e18);
        checkEq(_stateOf(key).lossLeft, 9.99e4, "of the new grant");
    }

    function test_AUTH_2_EquityFloor() public {
        Grant memory g = _grantOf(SCOPE_TRADE);
        (g.equityFloor, g.lossLimit) = (99_995, 100);
        _give(alice, key, g);
        AccountId id = main(alice);
        _tradeRefused(key, 1e18, abi.encodeWithSelector(ISessionKeys.FlowsNotTracked.selector, id));
        vm.prank(alice);
        ch.trackFlows(id, true);
        _trade(key, 5e18); // 100,000 less 0.05 % of 10,000
        bytes4 floor = ISessionKeys.KeyEquityFloor.selector;
        bytes memory below = abi.encodeWithSelector(floor, key, id, int256(99_994.99e18), 99_995e18);
        _tradeRefused(key, 0.01e18, below);
        giveCash(id, 1_000e18); // what comes in is nothing earned
        _tradeRefused(key, 0.01e18, below);
        setPrice(ETH, 2_002e18); // 5 · 2 earned
        _settle(key, _order(1e18, 2_002e18));
        checkEq(_stateOf(key).lossLeft, 93.999e4, "fees of 5 and of 0.05 % of 2,002");
    }

    function test_AUTH_2_KeysForReductionsAndForCancelling() public {
        trade(main(bob), main(alice), ETH, 2e18);
        _give(alice, key, _grantOf(SCOPE_REDUCE));
        _tradeRefused(key, -1e18, _lacksScope(key, SCOPE_REDUCE, SCOPE_TRADE));
        Order memory sale = signedOrder(main(alice), ETH, -1e18, ETH_PRICE, false, true).order;
        _settle(key, sale);
        checkEq(sizeOf(main(alice), ETH), int256(1e18), "reduced");
        uint256[] memory nonces = new uint256[](2);
        (nonces[0], nonces[1]) = (77, 78);
        bytes memory cancel = abi.encodeCall(exchange.cancel, (main(alice), nonces));
        _refused(key, cancel, _lacksScope(key, SCOPE_REDUCE, SCOPE_CANCEL));
        _give(alice, key, _grantOf(SCOPE_CANCEL));
        vm.prank(key);
        exchange.cancel(main(alice), nonces);
        checkEq(exchange.filled(main(alice), 77), type(uint256).max, "cancelled");
        checkEq(exchange.filled(main(alice), 78), type(uint256).max, "cancelled too");
        checkEq(exchange.filled(main(alice), 79), 0, "beside it");
        sale = signedOrder(main(alice), ETH, -1e18, ETH_PRICE, false, true).order;
        _settleRefused(key, sale, _lacksScope(key, SCOPE_CANCEL, SCOPE_TRADE | SCOPE_REDUCE));
        bytes memory stranger = abi.encodeWithSelector(IExchange.NotOwner.selector, main(bob), key);
        _refused(key, abi.encodeCall(exchange.cancel, (main(bob), nonces)), stranger);
    }

    // ---------------------------------------------------------------- granting

    function test_AUTH_1_AGrantNamesAKeyAndScopesThatExist() public {
        Grant memory g = _grantOf(SCOPE_TRADE);
        _giveRefused(alice, address(0), g, _unknown(address(0)));
        _giveRefused(alice, alice, g, _unknown(alice));
        _giveRefused(bob, key, g, _unknown(bob));
        _giveRefused(alice, key, _grantOf(0), _tooWide("scopes", 0, 255));
        g.priceBand = 1_000_001;
        _giveRefused(alice, key, g, _tooWide("priceBand", 1_000_001, 1_000_000));
        g = _grantOf(SCOPE_TRADE);
        g.dailyNotional = 10e9 + 1;
        _giveRefused(alice, key, g, _tooWide("dailyNotional", 10e9 + 1, 10e9));
        (g.dailyNotional, g.lossLimit) = (10e9, 100e6 + 1);
        _giveRefused(alice, key, g, _tooWide("lossLimit", 100e6 + 1, 100e6));
        (g.lossLimit, g.expiry) = (100e6, 1 << 32);
        _giveRefused(alice, key, g, _tooWide("expiry", 1 << 32, type(uint32).max));
        g.expiry = type(uint32).max;
        _give(alice, key, g);
        checkEq(_stateOf(key).notionalLeft, 10e11, "all of it");
        checkEq(_stateOf(key).lossLeft, 100e10, "likewise");
        g = _grantOf(SCOPE_TRADE);
        g.expiry = uint40(START - 1);
        _giveRefused(alice, key, g, _expired(key, START - 1, START));
        g.expiry = uint40(START);
        _give(alice, key, g);
        check(_stateOf(key).live, "the last second");
    }

    /// @dev ETH only, and a floor.
    function _narrow() private pure returns (Grant memory g) {
        g = _grantOf(SCOPE_TRADE | SCOPE_GRANT);
        (g.markets, g.equityFloor) = (1, 5);
    }

    function test_AUTH_3_NoKeyGrantsMoreThanItHas() public {
        _give(alice, key, _narrow());
        Grant memory g = _narrow();
        g.scopes = SCOPE_TRADE | SCOPE_CANCEL;
        _giveRefused(key, child, g, _tooWide("scopes", SCOPE_TRADE | SCOPE_CANCEL, SCOPE_TRADE | SCOPE_GRANT));
        g = _narrow();
        g.markets = 2;
        _giveRefused(key, child, g, _tooWide("markets", 2, 1));
        g = _narrow();
        g.accounts = 3;
        _giveRefused(key, child, g, _tooWide("accounts", 3, 1));
        g = _narrow();
        g.expiry = END + 1;
        _giveRefused(key, child, g, _tooWide("expiry", END + 1, END));
        g = _narrow();
        g.priceBand = 5_001;
        _giveRefused(key, child, g, _tooWide("priceBand", 5_001, 5_000));
        g = _narrow();
        g.dailyNotional = 100_001;
        _giveRefused(key, child, g, _tooWide("dailyNotional", 100_001, 100_000));
        g = _narrow();
        g.lossLimit = 11;
        _giveRefused(key, child, g, _tooWide("lossLimit", 11, 10));
        g = _narrow();
        g.equityFloor = 4;
        _giveRefused(key, child, g, _tooWide("equityFloor", 4, 5));
        _give(key, child, _narrow());
        check(_stateOf(child).live && _stateOf(child).parent == key, "as much as it has");
    }

    function test_AUTH_3_WhoMayGrantWhat() public {
        _give(alice, key, _grantOf(SCOPE_TRADE));
        _giveRefused(key, child, _grantOf(SCOPE_TRADE), _lacksScope(key, SCOPE_TRADE, SCOPE_GRANT));
        _chain();
        _giveRefused(grandchild, last, _grantOf(SCOPE_TRADE), _tooWide("depth", 3, 2));
        // A living key of somebody else's cannot be taken over, a dead one can; one's own can be granted anew.
        Grant memory brief = _grantOf(SCOPE_CANCEL);
        brief.expiry = uint40(START + 1 hours);
        _give(alice, last, brief);
        bytes memory taken = abi.encodeWithSelector(ISessionKeys.KeyTaken.selector, alice, last, address(0));
        _giveRefused(key, last, _grantOf(SCOPE_TRADE), taken);
        vm.warp(START + 1 hours + 1);
        _give(key, last, _grantOf(SCOPE_TRADE));
        _give(key, last, _grantOf(SCOPE_TRADE));
        checkEq(_stateOf(last).version, 3, "three grants");
        _give(alice, last, _grantOf(SCOPE_CANCEL)); // the owner may always
        check(_stateOf(last).parent == address(0), "the owner's again");
    }

    function test_AUTH_3_KeysUseWhatTheKeysAboveThemHave() public {
        _chain();
        _trade(grandchild, 6e18); // 0.05 % of 12,000
        checkEq(_stateOf(grandchild).lossLeft, 4e4, "its own");
        checkEq(_stateOf(child).lossLeft, 4e4, "above it");
        checkEq(_stateOf(key).notionalLeft, 88_000e2, "at the top");
        _give(child, grandchild, _grantOf(SCOPE_TRADE));
        // 0.05 % of 9,000 more, which the new grant has not used
        _tradeRefused(grandchild, 4.5e18, _lossLimit(child, 4.5e4, 4e4));
        _tradeRefused(key, 4.5e18, _lossLimit(key, 4.5e4, 4e4));
    }

    // ---------------------------------------------------------------- how it ends

    function test_AUTH_2_Expiry() public {
        Grant memory g = _grantOf(SCOPE_TRADE);
        g.expiry = uint40(START + 1 hours);
        _give(alice, key, g);
        vm.warp(START + 1 hours);
        _trade(key, 1e18);
        vm.warp(START + 1 hours + 1);
        check(!_stateOf(key).live, "lives on");
        _tradeRefused(key, 1e18, _expired(key, START + 1 hours, START + 1 hours + 1));
    }

    function test_REV_1_WhoMayRevoke() public {
        _revokeRefused(alice, key, _unknown(key));
        _chain();
        _revokeRefused(bob, grandchild, _unknown(bob));
        _revokeRefused(last, key, _unknown(last));
        _revoke(key, grandchild); // two above it
        _tradeRefused(grandchild, 1e18, _revoked(grandchild));
        _revokeRefused(alice, grandchild, _unknown(grandchild));
        _revoke(child, child);
        _tradeRefused(child, 1e18, _revoked(child));
        _trade(key, 1e18);
        _revoke(alice, key);
        _tradeRefused(key, 1e18, _revoked(key));
        check(!_stateOf(key).live, "lives on");
    }

    function test_REV_2_NothingRevivesWhatIsBelowADeadKey() public {
        _chain();
        check(_stateOf(grandchild).live, "alive");
        _revoke(alice, key);
        _tradeRefused(grandchild, 1e18, _revoked(key));
        check(!_stateOf(child).live && !_stateOf(grandchild).live, "below a dead key");
        _giveRefused(alice, key, _grantOf(SCOPE_TRADE | SCOPE_GRANT), _revoked(key));
        _giveRefused(child, key, _grantOf(SCOPE_TRADE), _revoked(key));
        // Nor is what was below it granted anew, by whomever.
        _giveRefused(alice, child, _grantOf(SCOPE_TRADE), _revoked(key));
        _giveRefused(alice, grandchild, _grantOf(SCOPE_TRADE), _revoked(key));
        _tradeRefused(key, 1e18, _revoked(key));
    }

    function test_REV_2_NothingRevivesWhatIsBelowANewGrant() public {
        _chain();
        _give(alice, key, _grantOf(SCOPE_TRADE | SCOPE_GRANT));
        _trade(key, 1e18);
        _tradeRefused(child, 1e18, _revoked(key));
        check(!_stateOf(child).live && !_stateOf(grandchild).live, "below a new grant");
        // The child, whose parent's grant is gone, grants nothing; nobody above that grant is known any more.
        _giveRefused(child, grandchild, _grantOf(SCOPE_TRADE), _revoked(child));
        _revokeRefused(key, grandchild, _revoked(key));
    }

    function test_REV_2_OneWriteEndsAllKeysAndOrders() public {
        _chain();
        Order memory o = _order(1e18, ETH_PRICE);
        vm.prank(alice);
        exchange.revokeAll();
        checkEq(_epoch(), 1, "epoch");
        _settleRefused(key, o, abi.encodeWithSelector(IExchange.OrderEpochMismatch.selector, 0, 1));
        o = _order(1e18, ETH_PRICE);
        _settleRefused(key, o, _badSignature(o));
        o = _order(1e18, ETH_PRICE);
        _settleRefused(grandchild, o, _badSignature(o));
        KeyState memory nothing;
        check(keccak256(abi.encode(_stateOf(key))) == keccak256(abi.encode(nothing)), "forgotten");
        _giveRefused(key, child, _grantOf(SCOPE_TRADE), _unknown(key));
        _revokeRefused(alice, key, _unknown(key));
        _give(alice, key, _grantOf(SCOPE_TRADE | SCOPE_GRANT));
        _trade(key, 1e18);
        o = _order(1e18, ETH_PRICE);
        _settleRefused(child, o, _badSignature(o)); // of before, though its parent lives again
    }

    function test_REV_1_GrantsAndRevocationsBySignature() public {
        Grant memory g = _grantOf(SCOPE_TRADE);
        bytes memory good = _signGrant(alice, g, 0, 0);
        bytes memory grant = abi.encodeCall(exchange.grantFor, (alice, key, g, good));
        bytes memory forged = abi.encodeCall(exchange.grantFor, (alice, key, g, _signGrant(bob, g, 0, 0)));
        _refused(keeper, forged, _invalid(0, 0));
        _refused(keeper, abi.encodeCall(exchange.grantFor, (alice, child, g, good)), _invalid(0, 0));
        _refused(keeper, abi.encodeCall(exchange.grantFor, (alice, key, g, "")), _invalid(0, 0));
        vm.prank(keeper);
        exchange.grantFor(alice, key, g, good);
        _trade(key, 1e18);
        _refused(keeper, grant, _invalid(0, 1)); // once
        // A key signs no grant in the owner's place, and no revocation.
        bytes memory byKey = _signGrant(key, g, 1, 0);
        _refused(keeper, abi.encodeCall(exchange.grantFor, (alice, key, g, byKey)), _invalid(0, 1));
        byKey = _signRevoke(key, 1, 0);
        _refused(keeper, abi.encodeCall(exchange.revokeFor, (alice, key, byKey)), _invalid(0, 1));
        bytes memory end = _signRevoke(alice, 1, 0);
        vm.prank(keeper);
        exchange.revokeFor(alice, key, end);
        _tradeRefused(key, 1e18, _revoked(key));
        _refused(keeper, abi.encodeCall(exchange.revokeFor, (alice, key, end)), _invalid(0, 2));
        end = _signRevoke(alice, 2, 0);
        _refused(keeper, abi.encodeCall(exchange.revokeFor, (alice, key, end)), _unknown(key));
    }

    function test_REV_2_ARevocationIsOfItsEpoch() public {
        bytes memory end = _signRevoke(alice, 1, 0);
        _give(alice, key, _grantOf(SCOPE_TRADE));
        vm.prank(alice);
        exchange.revokeAll();
        _give(alice, key, _grantOf(SCOPE_TRADE)); // the first of the new epoch
        _refused(keeper, abi.encodeCall(exchange.revokeFor, (alice, key, end)), _invalid(1, 1));
        _trade(key, 1e18);
    }

    function test_REV_2_AllIsRevokedBySignatureOnce() public {
        bytes memory late = _signGrant(alice, _grantOf(SCOPE_TRADE), 0, 0);
        bytes memory forged = _signRevokeAll(bob, 0);
        _refused(keeper, abi.encodeCall(exchange.revokeAllFor, (alice, forged)), _invalid(0, 0));
        bytes memory good = _signRevokeAll(alice, 0);
        vm.prank(keeper);
        exchange.revokeAllFor(alice, good);
        checkEq(_epoch(), 1, "epoch");
        _refused(keeper, abi.encodeCall(exchange.revokeAllFor, (alice, good)), _invalid(1, 0));
        bytes memory grant = abi.encodeCall(exchange.grantFor, (alice, key, _grantOf(SCOPE_TRADE), late));
        _refused(keeper, grant, _invalid(1, 0));
    }

    // ---------------------------------------------------------------- intents

    function _depositIntent(address signer, uint256 nonce) private view returns (Authorisation memory) {
        return _intent(signer, nonce, abi.encode(DEPOSIT_TYPEHASH, main(alice), address(usdc), 25e6));
    }

    function _withdrawIntent(address signer, address to, uint256 nonce) private view returns (Authorisation memory) {
        return _intent(signer, nonce, abi.encode(WITHDRAW_TYPEHASH, main(alice), address(usdc), 30e6, to));
    }

    function _transferIntent(address signer, uint256 nonce) private view returns (Authorisation memory) {
        return _intent(signer, nonce, abi.encode(TRANSFER_TYPEHASH, main(alice), second, address(usdc), 40e6));
    }

    function _lendIntent(address signer, uint256 nonce) private view returns (Authorisation memory) {
        return _intent(signer, nonce, abi.encode(LEND_TYPEHASH, main(alice), 50e6));
    }

    function _recallIntent(address signer, uint256 nonce) private view returns (Authorisation memory) {
        return _intent(signer, nonce, abi.encode(RECALL_TYPEHASH, main(alice), 20e6));
    }

    /// @dev All five, in nonces that do not follow each other.
    function _bringAll(address signer) private {
        usdc.mint(alice, 100e6);
        vm.prank(alice);
        usdc.approve(address(vault), 100e6);
        (AccountId id, address cash) = (main(alice), address(usdc));
        Authorisation memory a = _depositIntent(signer, 9);
        vm.prank(keeper);
        exchange.depositFor(id, cash, 25e6, a);
        a = _withdrawIntent(signer, alice, 7);
        vm.prank(keeper);
        exchange.withdrawFor(id, cash, 30e6, alice, a);
        a = _transferIntent(signer, 300);
        vm.prank(keeper);
        exchange.transferFor(id, second, cash, 40e6, a);
        a = _lendIntent(signer, 0);
        vm.prank(keeper);
        exchange.lendFor(id, 50e6, a);
        a = _recallIntent(signer, 1);
        vm.prank(keeper);
        exchange.recallFor(id, 20e6, a);
        // 100,000 + 25 − 30 − 40 − 50 + 20; 100 − 25 + 30 at hand
        checkEq(cashOf(id), 99_925e18, "cash");
        checkEq(cashOf(second), 40e18, "cash of the second account");
        checkEq(usdc.balanceOf(alice), 105e6, "at hand");
        checkEq(usdc.balanceOf(keeper), 0, "of who brought it");
        check(exchange.isIntentUsed(alice, 300) && !exchange.isIntentUsed(alice, 2), "used");
    }

    function test_AUTH_1_IntentsOfTheOwner() public {
        _bringAll(alice);
        // The owner withdraws to whomever he likes.
        Authorisation memory a = _withdrawIntent(alice, carol, 2);
        exchange.withdrawFor(main(alice), address(usdc), 30e6, carol, a);
        checkEq(usdc.balanceOf(carol), 30e6, "paid out");
    }

    function test_AUTH_2_IntentsOfAKey() public {
        Grant memory g = _grantOf(SCOPE_DEPOSIT | SCOPE_WITHDRAW | SCOPE_TRANSFER | SCOPE_LEND);
        g.accounts = 3;
        _give(alice, key, g);
        _bringAll(key);
    }

    function _depositRefused(Authorisation memory a, bytes memory error) private {
        _refused(keeper, abi.encodeCall(exchange.depositFor, (main(alice), address(usdc), 25e6, a)), error);
    }

    function test_AUTH_4_IntentsWorkOnceAndInTime() public {
        usdc.mint(alice, 100e6);
        vm.prank(alice);
        usdc.approve(address(vault), 100e6);
        bytes4 invalid = IIntents.InvalidIntent.selector;
        _depositRefused(_depositIntent(bob, 3), abi.encodeWithSelector(invalid, alice, 3, 0));
        _depositRefused(_depositIntent(key, 3), abi.encodeWithSelector(invalid, alice, 3, 0));
        Authorisation memory a = _depositIntent(alice, 3);
        vm.warp(DEADLINE);
        exchange.depositFor(main(alice), address(usdc), 25e6, a);
        bytes4 used = IIntents.IntentUsedBefore.selector;
        _depositRefused(a, abi.encodeWithSelector(used, alice, 3));
        vm.prank(alice);
        exchange.cancelIntent(4);
        check(exchange.isIntentUsed(alice, 4), "cancelled");
        _depositRefused(_depositIntent(alice, 4), abi.encodeWithSelector(used, alice, 4));
        _refused(alice, abi.encodeCall(exchange.cancelIntent, (4)), abi.encodeWithSelector(used, alice, 4));
        Authorisation memory late = _depositIntent(alice, 5);
        vm.warp(DEADLINE + 1);
        _depositRefused(late, abi.encodeWithSelector(IIntents.IntentExpired.selector, DEADLINE, DEADLINE + 1));
    }

    function test_REV_2_IntentsEndWithTheEpoch() public {
        Authorisation memory a = _depositIntent(alice, 3);
        vm.prank(alice);
        exchange.revokeAll();
        _depositRefused(a, abi.encodeWithSelector(IIntents.InvalidIntent.selector, alice, 3, 1));
    }

    function test_AUTH_2_IntentsOfAKeyStayInItsGrant() public {
        _give(alice, key, _grantOf(SCOPE_TRANSFER | SCOPE_WITHDRAW));
        (AccountId id, address cash) = (main(alice), address(usdc));
        _depositRefused(_depositIntent(key, 1), _lacksScope(key, SCOPE_TRANSFER | SCOPE_WITHDRAW, SCOPE_DEPOSIT));
        Authorisation memory a = _withdrawIntent(key, key, 1);
        _refused(
            keeper,
            abi.encodeCall(exchange.withdrawFor, (id, cash, 30e6, key, a)),
            abi.encodeWithSelector(IIntents.KeyWithdrawsToOwner.selector, key, key)
        );
        a = _transferIntent(key, 1);
        bytes memory across = abi.encodeCall(exchange.transferFor, (id, second, cash, 40e6, a));
        _refused(keeper, across, _lacksAccount(key, second));
        _revoke(alice, key);
        _refused(keeper, across, _revoked(key));
        check(!exchange.isIntentUsed(alice, 1), "used");
    }

    // ---------------------------------------------------------------- cancelling

    function test_REV_1_Cancel() public {
        uint256[] memory nonces = new uint256[](1);
        Order memory o = _order(2e18, ETH_PRICE);
        Order memory part = _order(1e18, ETH_PRICE);
        part.nonce = o.nonce;
        _settle(alice, part);
        checkEq(exchange.filled(main(alice), o.nonce), 1e18, "filled in part");
        nonces[0] = o.nonce;
        bytes memory data = abi.encodeCall(exchange.cancel, (main(alice), nonces));
        _refused(bob, data, abi.encodeWithSelector(IExchange.NotOwner.selector, main(alice), bob));
        vm.prank(alice);
        exchange.cancel(main(alice), nonces);
        checkEq(exchange.filled(main(alice), o.nonce), type(uint256).max, "cancelled");
        uint256 lots = uint256(type(uint64).max) * 1e9;
        bytes4 dead = IExchange.OrderCancelledOrFilled.selector;
        _settleRefused(alice, o, abi.encodeWithSelector(dead, main(alice), o.nonce, lots));
        nonces[0] = 1 << 64;
        data = abi.encodeCall(exchange.cancel, (main(alice), nonces));
        _refused(alice, data, abi.encodeWithSelector(IExchange.OrderNonceTooHigh.selector, 1 << 64));
    }

    function test_REV_1_CancelBelow() public {
        Order memory o = _order(1e18, ETH_PRICE);
        vm.prank(alice);
        exchange.cancelBelow(o.nonce + 1);
        bytes4 low = IExchange.OrderNonceTooLow.selector;
        _settleRefused(alice, o, abi.encodeWithSelector(low, o.nonce, o.nonce + 1));
        bytes4 same = IExchange.NonceNotIncreased.selector;
        _refused(
            alice,
            abi.encodeCall(exchange.cancelBelow, (o.nonce + 1)),
            abi.encodeWithSelector(same, o.nonce + 1, o.nonce + 1)
        );
        bytes memory high = abi.encodeWithSelector(IExchange.OrderNonceTooHigh.selector, 1 << 64);
        _refused(alice, abi.encodeCall(exchange.cancelBelow, (1 << 64)), high);
        _trade(alice, 1e18);
    }

    // ---------------------------------------------------------------- the dead-man switch

    function _setDeadMan(address caller, uint256 time, uint256 lowestNonce) private {
        vm.prank(caller);
        exchange.setDeadMan(alice, time, lowestNonce);
        (, uint256 lowest, uint256 deadMan) = exchange.ownerState(alice);
        checkEq(lowest, lowestNonce, "lowest nonce");
        checkEq(deadMan, time, "time");
    }

    function _deadManRefused(address caller, uint256 time, uint256 lowestNonce, bytes memory error) private {
        _refused(caller, abi.encodeCall(exchange.setDeadMan, (alice, time, lowestNonce)), error);
    }

    function test_MAS_6_OB_1_DeadManSwitchOfTheOwner() public {
        bytes memory far = abi.encodeWithSelector(IExchange.DeadManInvalid.selector, 1 << 40);
        _deadManRefused(alice, 1 << 40, 0, far);
        _setDeadMan(alice, START + 100, 0);
        vm.warp(START + 100);
        _trade(alice, 1e18);
        vm.warp(START + 101);
        bytes4 silent = IExchange.OwnerSilent.selector;
        _tradeRefused(alice, 1e18, abi.encodeWithSelector(silent, alice, START + 100, START + 101));
        // What has lapsed stays void: not without a higher nonce, even to switch it off.
        bytes memory same = abi.encodeWithSelector(IExchange.NonceNotIncreased.selector, 0, 0);
        _deadManRefused(alice, START + 200, 0, same);
        _deadManRefused(alice, 0, 0, same);
        Order memory o = _order(1e18, ETH_PRICE);
        _setDeadMan(alice, START + 200, o.nonce + 1);
        bytes4 low = IExchange.OrderNonceTooLow.selector;
        _settleRefused(alice, o, abi.encodeWithSelector(low, o.nonce, o.nonce + 1));
        _trade(alice, 1e18);
        _setDeadMan(alice, 0, o.nonce + 1);
        vm.warp(START + 300);
        _trade(alice, 1e18);
    }

    function test_MAS_6_AUTH_2_DeadManSwitchInTheHandsOfAKey() public {
        _deadManRefused(bob, START + 100, 0, _unknown(bob));
        _give(alice, key, _grantOf(SCOPE_CANCEL));
        _deadManRefused(key, START + 100, 0, _lacksScope(key, SCOPE_CANCEL, SCOPE_TRADE));
        _give(alice, key, _grantOf(SCOPE_TRADE));
        _setDeadMan(key, START + 100, 0);
        _deadManRefused(key, 0, 0, abi.encodeWithSelector(IExchange.DeadManInvalid.selector, 0));
        _deadManRefused(key, START + 100, 5, _lacksScope(key, SCOPE_TRADE, SCOPE_CANCEL));
        _give(alice, key, _grantOf(SCOPE_TRADE | SCOPE_CANCEL));
        _setDeadMan(key, START + 100, 5);
    }

    // ---------------------------------------------------------------- lockdown

    function test_AUTH_5_OrdersInALockdown() public {
        _trade(alice, 2e18);
        bytes memory stranger = abi.encodeWithSelector(IExchange.NotClearingHouse.selector, bob);
        _refused(bob, abi.encodeCall(exchange.setLockdown, (alice, true)), stranger);
        stranger = abi.encodeWithSelector(IExchange.NotClearingHouse.selector, alice);
        _refused(alice, abi.encodeCall(exchange.setLockdown, (alice, false)), stranger);
        vm.prank(alice);
        ch.lockDown(alice);
        checkEq(_epoch(), 1, "all that was signed has ended");
        Order memory o = _order(-1e18, ETH_PRICE);
        _settleRefused(alice, o, _inLockdown(o));
        (o.reduceOnly, o.executionFee) = (true, 1);
        _settleRefused(alice, o, _inLockdown(o));
        o.executionFee = 0;
        _settle(alice, o);
        checkEq(sizeOf(main(alice), ETH), int256(1e18), "reduced");
        vm.prank(alice);
        ch.unlock(alice); // asks
        passTime(1 days);
        o = _order(1e18, ETH_PRICE);
        _settleRefused(alice, o, _inLockdown(o));
        vm.prank(alice);
        ch.unlock(alice);
        checkEq(_epoch(), 1, "nothing more has ended");
        _settle(alice, o);
    }

    // ---------------------------------------------------------------- one match by itself

    /// @dev Two resting orders of bob's and one of alice's that meets both.
    function _three() private returns (SignedOrder[] memory orders, Match[] memory matches) {
        orders = new SignedOrder[](3);
        orders[0] = signedOrder(main(bob), ETH, -1e18, ETH_PRICE, true, false);
        orders[1] = signedOrder(main(bob), ETH, -1e18, ETH_PRICE, true, false);
        orders[2] = signedOrder(main(alice), ETH, 2e18, ETH_PRICE, false, false);
        matches = new Match[](2);
        (matches[0], matches[1]) = (Match(0, 2), Match(1, 2));
    }

    function test_OB_2_SettleEachLeavesOutWhatFails() public {
        (SignedOrder[] memory orders, Match[] memory matches) = _three();
        orders[0].order.expiry = START - 1;
        orders[0] = sign(orders[0].order);
        bool[] memory settled = exchange.settleEach(orders, matches);
        check(!settled[0] && settled[1], "which went through");
        checkEq(exchange.filled(main(alice), orders[2].order.nonce), 1e18, "filled by the second");
        checkEq(sizeOf(main(alice), ETH), int256(1e18), "bought");
    }

    function test_OB_2_SettleEachReportsThatNothingSettles() public {
        (SignedOrder[] memory orders, Match[] memory matches) = _three();
        orders[0].order.expiry = START - 1;
        orders[0] = sign(orders[0].order);
        orders[1] = signedOrder(main(bob), ETH, -1e18, ETH_PRICE, true, true);
        bytes memory reason = abi.encodeWithSelector(
            IExchange.OrderNothingToReduce.selector,
            main(bob),
            ETH,
            int256(0)
        );
        bytes memory none = abi.encodeWithSelector(IExchange.NothingSettled.selector, reason);
        _refused(keeper, abi.encodeCall(exchange.settleEach, (orders, matches)), none);
        none = abi.encodeWithSelector(IExchange.NoMatches.selector);
        _refused(keeper, abi.encodeCall(exchange.settleEach, (orders, new Match[](0))), none);
    }

    /// @dev Three matches: of bob with alice, of a wallet that burns all gas it is given with alice, of carol with alice's second account.
    function _withABurner(MockWallet wallet) private returns (SignedOrder[] memory orders, Match[] memory matches) {
        keys[address(wallet)] = keys[carol];
        giveCash(main(address(wallet)), 10_000e18);
        giveCash(main(carol), 100_000e18);
        giveCash(second, 100_000e18);
        wallet.setAnswer(MockWallet.Answer.BurnGas);
        (orders, matches) = (new SignedOrder[](5), new Match[](3));
        orders[0] = signedOrder(main(bob), ETH, -1e18, ETH_PRICE, true, false);
        orders[1] = signedOrder(main(address(wallet)), ETH, -1e18, ETH_PRICE, true, false);
        orders[2] = signedOrder(main(carol), BTC, -1e18, BTC_PRICE, true, false);
        orders[3] = signedOrder(main(alice), ETH, 2e18, ETH_PRICE, false, false);
        orders[4] = signedOrder(second, BTC, 1e18, BTC_PRICE, false, false);
        (matches[0], matches[1], matches[2]) = (Match(0, 3), Match(1, 3), Match(2, 4));
    }

    /// @dev Filled amounts, sizes and open interest are those of the matches that went through.
    function _whole(SignedOrder[] memory orders, bool[] memory settled) private view {
        uint256[5] memory done;
        for (uint256 i = 0; i < 3; ++i) done[i] = settled[i] ? 1e18 : 0;
        (done[3], done[4]) = (done[0] + done[1], done[2]);
        for (uint256 i = 0; i < 5; ++i) {
            Order memory o = orders[i].order;
            checkEq(exchange.filled(o.account, o.nonce), done[i], "filled");
            checkEq(sizeOf(o.account, o.market), i < 3 ? -int256(done[i]) : int256(done[i]), "size");
        }
        checkEq(openInterestOf(ETH), done[3], "open interest of ETH");
        checkEq(openInterestOf(BTC), done[4], "open interest of BTC");
    }

    function test_OB_2_SettleEachOutOfGasLeavesNothingHalfDone() public {
        MockWallet wallet = new MockWallet(carol);
        (SignedOrder[] memory orders, Match[] memory matches) = _withABurner(wallet);
        bytes memory data = abi.encodeCall(exchange.settleEach, (orders, matches));
        uint256 outcomes = 0; // bitmap of which matches went through
        for (uint256 gas = 100_000; gas <= 1_600_000; gas += 10_000) {
            uint256 start = vm.snapshotState();
            (bool ok, bytes memory answer) = address(exchange).call{gas: gas}(data);
            bool[] memory settled = ok ? abi.decode(answer, (bool[])) : new bool[](3);
            _whole(orders, settled);
            outcomes |= 1 << ((settled[0] ? 1 : 0) | (settled[1] ? 2 : 0) | (settled[2] ? 4 : 0));
            // Whoever has gas, and a wallet that answers, settle the rest.
            wallet.setAnswer(MockWallet.Answer.Honest);
            exchange.settleEach(orders, matches);
            for (uint256 i = 0; i < 3; ++i) settled[i] = true;
            _whole(orders, settled);
            vm.revertToState(start);
        }
        checkEq(
            outcomes,
            (1 << 0) | (1 << 1) | (1 << 5),
            "none; the first, no gas for the third; all but the wallet's"
        );
    }

    function test_OB_2_AnOrderIsNotNamedTwice() public {
        (SignedOrder[] memory orders, ) = _three();
        SignedOrder[] memory four = new SignedOrder[](4);
        (four[0], four[1], four[2], four[3]) = (orders[0], orders[1], orders[2], orders[2]);
        Match[] memory matches = new Match[](2);
        (matches[0], matches[1]) = (Match(0, 2), Match(1, 3));
        bytes4 repeated = IExchange.OrderRepeated.selector;
        _refused(
            keeper,
            abi.encodeCall(exchange.settle, (four, matches)),
            abi.encodeWithSelector(repeated, main(alice), orders[2].order.nonce)
        );
    }

    // ---------------------------------------------------------------- contract wallets

    function _answers(MockWallet wallet, MockWallet.Answer answer) private {
        wallet.setAnswer(answer);
        Order memory o = signedOrder(main(address(wallet)), ETH, 1e18, ETH_PRICE, false, false).order;
        _settleRefused(carol, o, _badSignature(o));
    }

    function test_AUTH_1_ContractWallets() public {
        MockWallet wallet = new MockWallet(carol);
        AccountId id = main(address(wallet));
        keys[address(wallet)] = keys[carol];
        giveCash(id, 10_000e18);
        trade(main(bob), id, ETH, 1e18);
        checkEq(sizeOf(id, ETH), int256(1e18), "signed by the wallet's owner");
        Order memory o = signedOrder(id, ETH, 1e18, ETH_PRICE, false, false).order;
        _settleRefused(key, o, _badSignature(o));
        _answers(wallet, MockWallet.Answer.Revert);
        _answers(wallet, MockWallet.Answer.Short);
        _answers(wallet, MockWallet.Answer.BurnGas);
        wallet.setAnswer(MockWallet.Answer.Honest);
        // A key of the wallet's signs where the wallet does not know the signature.
        vm.prank(address(wallet));
        exchange.grant(address(wallet), key, _grantOf(SCOPE_TRADE));
        _settle(key, o);
        checkEq(exchange.sessionKey(address(wallet), key).notionalLeft, 98_000e2, "used by the key");
    }

    function test_AUTH_1_NobodysSignature() public {
        Order memory o = _order(1e18, ETH_PRICE);
        _settleRefused(key, o, _badSignature(o));
        (SignedOrder[] memory orders, Match[] memory matches) = _meeting(alice, o);
        orders[1].signature = "";
        _refused(keeper, abi.encodeCall(exchange.settle, (orders, matches)), _badSignature(o));
    }

    function test_OB_1_OrderHash() public {
        Order memory o = _order(1e18, ETH_PRICE);
        (o.triggerAbove, o.triggerBelow, o.executionFee, o.fillOrKill) = (1, 2, 3, true);
        bytes32 expected = _digest(keccak256(abi.encode(ORDER_TYPEHASH, o)));
        check(exchange.hashOrder(o) == expected, "hash of an order");
    }

    // ---------------------------------------------------------------- triggers and execution fees

    function _notTriggered(Order memory o) private pure returns (bytes memory) {
        bytes4 selector = IExchange.OrderNotTriggered.selector;
        return abi.encodeWithSelector(selector, o.account, o.nonce, ETH_PRICE, o.triggerAbove, o.triggerBelow);
    }

    function test_OB_1_Triggers() public {
        Order memory o = _order(1e18, ETH_PRICE);
        o.triggerAbove = ETH_PRICE + 1;
        _settleRefused(alice, o, _notTriggered(o));
        (o.triggerAbove, o.triggerBelow) = (0, ETH_PRICE - 1);
        _settleRefused(alice, o, _notTriggered(o));
        (o.triggerAbove, o.triggerBelow) = (ETH_PRICE, ETH_PRICE);
        _settle(alice, o);
        o = _order(1e18, ETH_PRICE);
        o.triggerAbove = ETH_PRICE;
        _settle(alice, o);
        checkEq(sizeOf(main(alice), ETH), int256(2e18), "both met");
    }

    function test_OB_1_FeesOfMakersAndTakers() public {
        Order memory o = _order(1e18, ETH_PRICE);
        o.executionFee = 20e18 + 1; // 1 % of 2,000 and a wei
        _settleRefused(alice, o, abi.encodeWithSelector(IExchange.OrderFeeTooHigh.selector, 20e18 + 1, 20e18));
        (SignedOrder[] memory orders, Match[] memory matches) = _three();
        orders[0].order.executionFee = 3e18;
        (orders[2].order.executionFee, orders[2].order.size) = (4e18, 4e18);
        (orders[0], orders[2]) = (sign(orders[0].order), sign(orders[2].order));
        exchange.settleForFee(orders, matches, main(carol));
        // 3 of the first maker, and the half of 4 of the taker, of whom a half fills
        checkEq(cashOf(main(carol)), 5e18, "paid");
        checkEq(cashOf(main(alice)), 99_998e18, "by the taker");
        checkEq(cashOf(main(bob)), 99_997e18, "by the maker");
    }

    function test_AUTH_2_ExecutionFeesAreLossesOfTheKey() public {
        _give(alice, key, _grantOf(SCOPE_TRADE));
        Order memory o = _order(-2e18, ETH_PRICE);
        o.executionFee = 5e18;
        (SignedOrder[] memory orders, Match[] memory matches) = _meeting(key, o);
        exchange.settleForFee(orders, matches, main(keeper));
        checkEq(_stateOf(key).lossLeft, 3e4, "less 0.05 % of 4,000, and 5");
        checkEq(_stateOf(key).notionalLeft, 96_000e2, "a fee is no trade");
        checkEq(cashOf(main(keeper)), 5e18, "paid");
        o = _order(-2e18, ETH_PRICE);
        o.executionFee = 5e18;
        (orders, matches) = _meeting(key, o);
        bytes memory data = abi.encodeCall(exchange.settleForFee, (orders, matches, main(keeper)));
        _refused(keeper, data, _lossLimit(key, 7e4, 3e4));
        exchange.settle(orders, matches);
        checkEq(_stateOf(key).lossLeft, 1e4, "no fee without who takes it");
    }

    // ---------------------------------------------------------------- limits by themselves

    function testFuzz_AUTH_2_WhatIsLeftIsTheLimitLessUses(uint256 value, int256 lost) public {
        KeyLimits limits = new KeyLimits();
        value %= 200_000e36; // [wad²]
        lost %= 20e36;
        vm.prank(alice);
        limits.grant(alice, key, _grantOf(SCOPE_TRADE));
        // Σ of two uses, each rounded up to 0.01 and 0.0001 USD
        uint256 notional = (value + 1e34 - 1) / 1e34;
        int256 loss = lost / 1e32;
        if (lost > loss * 1e32) ++loss;
        bool fits = 2 * notional <= 100_000e2 && 2 * loss <= 10e4;
        bool went;
        try limits.use(main(alice), key, value, lost) {
            try limits.use(main(alice), key, value, lost) {
                went = true;
            } catch {}
        } catch {}
        check(went == fits, "fits");
        if (!fits) return;
        checkEq(limits.sessionKey(alice, key).notionalLeft, 100_000e2 - 2 * notional, "notional left");
        checkEq(limits.sessionKey(alice, key).lossLeft, uint256(10e4 - 2 * loss), "loss left");
    }

    function test_AUTH_2_GainsAreKeptUpToABound() public {
        KeyLimits limits = new KeyLimits();
        Grant memory g = _grantOf(SCOPE_TRADE);
        g.lossLimit = 100e6;
        vm.prank(alice);
        limits.grant(alice, key, g);
        limits.use(main(alice), key, 0, -9e42); // 9 million are gained
        checkEq(limits.sessionKey(alice, key).lossLeft, 109e10, "9 million more");
        limits.use(main(alice), key, 0, -1e42); // 2^40 − 1 would be no limit
        checkEq(limits.sessionKey(alice, key).lossLeft, 1_099_511_627_774, "the most");
        limits.use(main(alice), key, 0, 1_099_511_627_774e32);
        checkEq(limits.sessionKey(alice, key).lossLeft, 0, "all lost");
        vm.expectRevert(_lossLimit(key, 1, 0));
        limits.use(main(alice), key, 0, 1);
    }
}

/// @notice Session keys whose uses need no trade.
contract KeyLimits is SessionKeys {
    function use(AccountId account, address key, uint256 value, int256 lost) external {
        _use(account, 0, key, value, lost, 1, 1);
    }

    function _authorOf(address, uint256, bytes32, bytes calldata) internal pure override returns (bool, address) {
        return (false, address(0));
    }

    function _epochOf(address) internal pure override returns (uint256) {
        return 0;
    }

    function _netEquityOf(AccountId) internal pure override returns (int256) {
        return 0;
    }
}
