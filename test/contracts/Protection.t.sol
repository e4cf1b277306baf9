// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {IExchange} from "../../contracts/interfaces/IExchange.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {MockERC20} from "../../contracts/mocks/MockERC20.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Call, Fill, Guard, PendingGuard} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice What owners put between their accounts and a thief: payees, delay, guardian, lockdown; exits, counted flows, caps on exposure,
/// and deposits by permit.
contract ProtectionTest is House {
    bytes32 private constant PERMIT_TYPEHASH = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );

    address private alice;
    address private bob;
    address private carol;
    AccountId private id;

    function setUp() public {
        deployHouse();
        (alice, bob, carol) = (actor("alice"), actor("bob"), actor("carol"));
        id = main(alice);
        giveCash(id, 1_000e18);
    }

    function _refused(address caller, bytes memory data, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(caller);
        (bool ok, ) = address(ch).call(data);
        ok; // expectRevert looks at it
    }

    function _setGuard(address guardian, uint256 delay, bool restricted) private {
        vm.prank(alice);
        ch.setGuard(guardian, delay, restricted);
    }

    function _inForce(address guardian, uint256 delay, bool restricted) private view {
        (Guard memory g, ) = ch.guardOf(alice);
        check(g.guardian == guardian && g.delay == delay && g.restricted == restricted, "guard in force");
    }

    function _withdrawal(address to) private view returns (bytes memory) {
        return abi.encodeCall(IClearingHouseCore.withdraw, (id, address(usdc), 1e6, to));
    }

    // ---------------------------------------------------------------- guard

    function test_MAS_5_PayeesAndDelay() public {
        vm.prank(alice);
        ch.allowPayee(bob);
        _setGuard(carol, 1 hours, true);
        _inForce(carol, 1 hours, true);
        bytes memory refusal = abi.encodeWithSelector(IClearingHouseCore.PayeeNotAllowed.selector, alice, alice, 0);
        _refused(alice, _withdrawal(alice), refusal);
        vm.prank(alice);
        ch.withdraw(id, address(usdc), 1e6, bob);

        vm.prank(alice);
        ch.allowPayee(alice);
        uint256 since = vm.getBlockTimestamp() + 1 hours;
        checkEq(ch.payeeSince(alice, alice), since, "since");
        refusal = abi.encodeWithSelector(IClearingHouseCore.PayeeNotAllowed.selector, alice, alice, since);
        _refused(alice, _withdrawal(alice), refusal);
        vm.warp(since);
        vm.prank(alice);
        ch.withdraw(id, address(usdc), 1e6, alice);

        bytes memory again = abi.encodeCall(ch.allowPayee, (alice));
        _refused(alice, again, abi.encodeWithSelector(IClearingHouseCore.AlreadySet.selector));
        bytes memory nobody = abi.encodeCall(ch.allowPayee, (address(0)));
        _refused(alice, nobody, abi.encodeWithSelector(IClearingHouseCore.ZeroAddress.selector));
        bytes memory remove = abi.encodeCall(ch.removePayee, (alice, alice));
        _refused(bob, remove, abi.encodeWithSelector(IClearingHouseCore.NotGuardian.selector, alice, bob));
        vm.prank(carol);
        ch.removePayee(alice, alice);
        refusal = abi.encodeWithSelector(IClearingHouseCore.PayeeNotAllowed.selector, alice, alice, 0);
        _refused(carol, remove, refusal);
    }

    function test_MAS_5_LooseningWaits() public {
        _setGuard(carol, 1 hours, true);
        uint256 time = vm.getBlockTimestamp() + 1 hours;
        _setGuard(carol, 30 minutes, true);
        (, PendingGuard memory pending) = ch.guardOf(alice);
        checkEq(uint256(pending.time), time, "waits");
        _inForce(carol, 1 hours, true);
        vm.warp(time);
        _inForce(carol, 30 minutes, true);
        // From what has come into force: a list that goes and a guardian who goes wait for 30 minutes each.
        _setGuard(carol, 30 minutes, false);
        _inForce(carol, 30 minutes, true);
        _setGuard(bob, 30 minutes, true);
        (, pending) = ch.guardOf(alice);
        checkEq(uint256(pending.time), time + 30 minutes, "the last wish counts");
        vm.warp(time + 30 minutes);
        _inForce(bob, 30 minutes, true);
        _setGuard(bob, 1 days, true); // tightens
        _inForce(bob, 1 days, true);
        bytes memory reason = abi.encodeWithSelector(
            IClearingHouseCore.ParameterOutOfBounds.selector,
            bytes32("delay"),
            30 days + 1,
            0,
            30 days
        );
        _refused(alice, abi.encodeCall(ch.setGuard, (bob, 30 days + 1, true)), reason);
    }

    function test_MAS_5_WithoutDelayNothingWaits() public {
        _setGuard(carol, 0, true);
        _setGuard(address(0), 0, false);
        _inForce(address(0), 0, false);
    }

    // ---------------------------------------------------------------- lockdown

    function _locked(uint256 since) private view returns (bytes memory) {
        return abi.encodeWithSelector(IClearingHouseCore.LockedDown.selector, alice, since);
    }

    function test_AUTH_5_Lockdown() public {
        vm.prank(alice);
        ch.allowPayee(bob);
        _setGuard(carol, 1 hours, true);
        _setGuard(address(0), 0, false); // waits, in vain
        bytes memory lock = abi.encodeCall(ch.lockDown, (alice));
        _refused(bob, lock, abi.encodeWithSelector(IClearingHouseCore.NotGuardian.selector, alice, bob));
        bytes memory unlock = abi.encodeCall(ch.unlock, (alice));
        _refused(carol, unlock, abi.encodeWithSelector(IClearingHouseCore.NotLockedDown.selector, alice));
        vm.prank(carol);
        ch.lockDown(alice);
        uint256 since = vm.getBlockTimestamp();
        (uint256 epoch, , ) = exchange.ownerState(alice);
        checkEq(epoch, 1, "all that was signed is over");
        passTime(2 hours);
        _inForce(carol, 1 hours, true);

        AccountId second = AccountIds.derive(alice, 1);
        bytes memory move = abi.encodeCall(IClearingHouseCore.transfer, (id, second, address(usdc), 1));
        _refused(alice, move, _locked(since));
        _refused(alice, abi.encodeCall(IClearingHouseCore.lend, (id, 1)), _locked(since));
        _refused(alice, abi.encodeCall(ch.setGuard, (carol, 1 hours, true)), _locked(since));
        _refused(alice, abi.encodeCall(ch.allowPayee, (carol)), _locked(since));
        _refused(
            alice,
            abi.encodeCall(IClearingHouseCore.liquidate, (main(carol), id, anyTerms())),
            abi.encodeWithSelector(IClearingHouseCore.NotLiquidatable.selector, main(carol), 0, 0)
        );
        vm.prank(alice);
        ch.withdraw(id, address(usdc), 1e6, bob);
        giveCash(id, 1e18);

        vm.prank(carol);
        ch.unlock(alice);
        vm.prank(alice);
        ch.transfer(id, second, address(usdc), 1);
    }

    function test_AUTH_5_TakersInLockdown() public {
        giveCash(main(bob), 100_000e18);
        giveCash(main(carol), 1_000e18);
        trade(main(bob), main(carol), ETH, 5e18, ETH_PRICE);
        setPrice(ETH, (ETH_PRICE * 92) / 100);
        vm.prank(alice);
        ch.lockDown(alice);
        bytes memory take = abi.encodeCall(IClearingHouseCore.liquidate, (main(carol), id, anyTerms()));
        _refused(alice, take, _locked(vm.getBlockTimestamp()));
    }

    function test_AUTH_5_UnlockByTheOwner() public {
        vm.prank(alice);
        ch.lockDown(alice);
        vm.prank(alice);
        ch.unlock(alice);
        uint256 time = vm.getBlockTimestamp() + 1 days;
        vm.warp(time - 1);
        bytes memory unlock = abi.encodeCall(ch.unlock, (alice));
        _refused(alice, unlock, abi.encodeWithSelector(IClearingHouseCore.UnlockTooEarly.selector, alice, time));
        vm.prank(alice);
        ch.lockDown(alice); // takes the wish back
        (Guard memory g, ) = ch.guardOf(alice);
        checkEq(uint256(g.unlockTime), 0, "no wish");
        vm.prank(alice);
        ch.unlock(alice);
        vm.warp(time + 1 days);
        vm.prank(alice);
        ch.unlock(alice);
        (g, ) = ch.guardOf(alice);
        checkEq(uint256(g.lockTime), 0, "over");
        vm.expectRevert(abi.encodeWithSelector(IExchange.NotClearingHouse.selector, address(this)));
        exchange.setLockdown(alice, false);
    }

    // ---------------------------------------------------------------- outflow, exits, flows

    function test_AUTH_5_TheFundMakesItsStakersWait() public {
        giveFund(bob, 10_000e18);
        ch.setOutflowCap(address(usdc), 1);
        uint256 shares = fund.balanceOf(bob);
        vm.prank(bob);
        fund.requestExit(shares);
        (, uint256 availableAt, ) = fund.exitRequest(bob);
        vm.warp(availableAt);
        vm.prank(bob);
        fund.redeem(shares, bob, bob);
        checkEq(usdc.balanceOf(bob), 10_000e6, "all of it");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseCore.UnknownAsset.selector, bob));
        ch.setOutflowCap(bob, 1);
        ch.setOutflowCap(address(tokens[WETH]), 1);
    }

    function test_FSA_5_ExitsAndCollateral() public {
        giveCollateral(id, WETH, 5e18);
        ch.setOutflowCap(address(tokens[WETH]), 1);
        bytes memory request = abi.encodeCall(ch.requestExit, (id));
        _refused(bob, request, abi.encodeWithSelector(IClearingHouseCore.NotOwner.selector, id, bob));
        vm.prank(alice);
        ch.requestExit(id);
        giveCollateral(id, WETH, 1e18);
        (uint256 cash, uint256 from, uint256 until) = ch.exitRequest(id);
        checkEq(cash + from + until, 0, "void");
        vm.prank(alice);
        ch.requestExit(id);
        passTime(1 days);
        withdrawCollateral(id, WETH, 6e18);
        giveCash(main(bob), 10_000e18);
        trade(main(bob), id, ETH, 1e18, ETH_PRICE);
        _refused(alice, request, abi.encodeWithSelector(IClearingHouseCore.NotFlat.selector, id));
    }

    function test_AUTH_2_CountedFlows() public {
        bytes memory track = abi.encodeCall(ch.trackFlows, (id, true));
        _refused(bob, track, abi.encodeWithSelector(IClearingHouseCore.NotOwner.selector, id, bob));
        vm.prank(alice);
        ch.trackFlows(id, true);
        giveCash(id, 50e18);
        withdrawCash(id, 20e18);
        (int256 flow, bool tracked) = ch.netFlow(id);
        check(tracked && flow == 30e18, "50 - 20");
        giveCollateral(id, WETH, 1e18);
        (, tracked) = ch.netFlow(id);
        check(!tracked, "collateral ends it");
    }

    function test_MAS_3_AllThereIs() public {
        giveCollateral(id, WETH, 2e18);
        lend(id, 600e18);
        vm.prank(alice);
        ch.withdraw(id, address(usdc), type(uint256).max, bob);
        checkEq(usdc.balanceOf(bob), 1_000e6, "cash, what is lent too");
        AccountId second = AccountIds.derive(alice, 1);
        vm.prank(alice);
        ch.transfer(id, second, address(tokens[WETH]), type(uint256).max);
        checkEq(ch.collateralBalance(second, WETH), 2e18, "collateral");
        bytes memory more = abi.encodeCall(IClearingHouseCore.withdraw, (id, address(usdc), type(uint256).max, bob));
        _refused(alice, more, abi.encodeWithSelector(IClearingHouseCore.ZeroAmount.selector));
    }

    // ---------------------------------------------------------------- permits

    function _permit(MockERC20 token, uint256 amount) private view returns (bytes memory) {
        uint256 deadline = block.timestamp + 1;
        bytes32 hash = keccak256(
            abi.encode(PERMIT_TYPEHASH, alice, address(vault), amount, token.nonces(alice), deadline)
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), hash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[alice], digest);
        return abi.encodeCall(IVault.permit, (address(token), alice, amount, deadline, v, r, s));
    }

    function test_AUTH_1_DepositByPermit() public {
        usdc.mint(alice, 100e6);
        bytes memory permit = _permit(usdc, 100e6);
        Call[] memory calls = new Call[](2);
        calls[0] = Call(address(vault), permit);
        calls[1] = Call(address(ch), abi.encodeCall(IClearingHouseCore.deposit, (id, address(usdc), 100e6)));
        (bool ok, ) = address(vault).call(permit); // somebody brings it in front
        check(ok, "open to anyone");
        vm.prank(alice);
        ch.batch(calls);
        checkEq(cashOf(id), 1_100e18, "deposited");
        (ok, ) = address(vault).call(permit);
        check(!ok, "used up");

        MockERC20 stranger = new MockERC20("Stranger", "STR", 18);
        calls[0] = Call(address(vault), _permit(stranger, 1));
        bytes memory unknown = abi.encodeWithSelector(IClearingHouseCore.UnknownAsset.selector, address(stranger));
        _refused(alice, abi.encodeCall(IClearingHouseCore.batch, (calls)), unknown);
        calls[0] = Call(address(vault), abi.encodeCall(IVault.push, (address(usdc), alice, 1)));
        bytes memory foreign = abi.encodeWithSelector(IClearingHouseCore.InvalidBatchTarget.selector, address(vault));
        _refused(alice, abi.encodeCall(IClearingHouseCore.batch, (calls)), foreign);
    }

    // ---------------------------------------------------------------- caps on exposure

    function _setCap(uint256 underlying, uint256 cap) private {
        vm.prank(alice);
        ch.setExposureCap(id, underlying, cap);
    }

    /// @dev Bob sells to alice, or buys from her, at the index price.
    function _fill(uint256 market, int256 size) private view returns (Fill memory) {
        return Fill(main(bob), id, market, size, market == BTC ? BTC_PRICE : ETH_PRICE, 0);
    }

    function _make(Fill memory fill) private {
        Fill[] memory fills = new Fill[](1);
        fills[0] = fill;
        vm.prank(address(exchange));
        ch.trade(fills);
    }

    function _beyond(Fill memory fill, uint256 exposure, uint256 cap) private {
        Fill[] memory fills = new Fill[](1);
        fills[0] = fill;
        bytes memory reason = abi.encodeWithSelector(IClearingHouseCore.ExposureCap.selector, id, ETH, exposure, cap);
        _refused(address(exchange), abi.encodeCall(ch.trade, (fills)), reason);
    }

    function _exposure(int256 held, uint256 cap) private view {
        (int256 size, uint256 most) = ch.exposure(id, ETH);
        check(size == held && most == cap, "exposure");
    }

    function test_CRE_1_NothingIsOpenedBeyondACap() public {
        giveCash(main(bob), 10_000e18);
        _exposure(0, type(uint256).max);
        _setCap(ETH, 2e18);
        _make(_fill(ETH, 2e18));
        _exposure(2e18, 2e18);
        _beyond(_fill(ETH, 0.01e18), 2.01e18, 2e18);
        _beyond(_fill(ETH, -4.01e18), 2.01e18, 2e18);
        _make(_fill(ETH, -4e18));
        _exposure(-2e18, 2e18);
        _make(_fill(BTC, 0.05e18)); // has no cap
        _setCap(ETH, type(uint256).max);
        _make(_fill(ETH, -0.01e18));
        _exposure(-2.01e18, type(uint256).max);
    }

    /// @dev As maker, too.
    function test_CRE_1_WhatIsHeldMayStayAndShrink() public {
        giveCash(main(bob), 10_000e18);
        _make(_fill(ETH, 2e18));
        _setCap(ETH, 1e18);
        withdrawCash(id, 1e18);
        _make(_fill(ETH, -0.5e18));
        Fill memory fill = Fill(id, main(bob), ETH, -0.1e18, ETH_PRICE, 0);
        _beyond(fill, 1.6e18, 1e18);
        fill.size = 1.5e18;
        _make(fill);
        _setCap(ETH, 0);
        _beyond(_fill(ETH, 0.01e18), 0.01e18, 0);
    }

    function test_CRE_1_MarketsOfAnUnderlyingAreNetted() public {
        giveCash(main(bob), 10_000e18);
        ch.setMarket(2, marketParams(ETH, 0.01e18));
        _setCap(ETH, 2e18);
        _make(_fill(ETH, 2e18));
        _make(_fill(2, -1e18));
        _exposure(1e18, 2e18);
        _make(_fill(ETH, 1e18));
        _beyond(_fill(2, 0.01e18), 2.01e18, 2e18);
        _make(_fill(2, -4e18)); // 3 − 5
        _beyond(_fill(ETH, -0.01e18), 2.01e18, 2e18);
    }

    /// @dev What counts is where a call ends.
    function test_CRE_1_FillsOfOneCallAreNetted() public {
        giveCash(main(bob), 10_000e18);
        _setCap(ETH, 2e18);
        Fill[] memory fills = new Fill[](2);
        (fills[0], fills[1]) = (_fill(ETH, 3e18), _fill(ETH, -1e18));
        vm.prank(address(exchange));
        ch.trade(fills);
        _exposure(2e18, 2e18);
    }

    /// @dev Long 4 at 2,000 on 1,000; at 1,800 E = 196 is below MM, 216. A taker's own cap holds him back, the account's holds nobody.
    function test_CRE_1_ALiquidationPassesTheAccountsCapNotTheTakers() public {
        giveCash(main(bob), 10_000e18);
        giveCash(main(carol), 10_000e18);
        _make(_fill(ETH, 4e18));
        _setCap(ETH, 0);
        setPrice(ETH, 1_800e18);
        vm.prank(carol);
        ch.setExposureCap(main(carol), ETH, 0);
        vm.prank(carol);
        (bool done, bytes memory why) = address(ch).call(abi.encodeCall(ch.liquidate, (id, main(carol), anyTerms())));
        check(!done && bytes4(why) == IClearingHouseCore.ExposureCap.selector, "beyond the taker's");
        vm.prank(carol);
        ch.setExposureCap(main(carol), ETH, 4e18);
        liquidate(id, main(carol));
        (int256 held, ) = ch.exposure(main(carol), ETH);
        check(held > 0 && held <= 4e18, "taken over");
    }

    function test_CRE_1_OnlyTheOwnerSetsCapsAndRaisesNoneInALockdown() public {
        bytes memory set = abi.encodeCall(ch.setExposureCap, (id, ETH, 1e18));
        _refused(bob, set, abi.encodeWithSelector(IClearingHouseCore.NotOwner.selector, id, bob));
        set = abi.encodeCall(ch.setExposureCap, (id, 256, 1e18));
        bytes32 name = "underlying";
        _refused(
            alice,
            set,
            abi.encodeWithSelector(IClearingHouseCore.ParameterOutOfBounds.selector, name, 256, 0, 255)
        );
        _setCap(ETH, 2e18);
        vm.prank(alice);
        ch.lockDown(alice);
        _setCap(ETH, 1e18);
        _setCap(BTC, 0);
        bytes memory locked = abi.encodeWithSelector(IClearingHouseCore.LockedDown.selector, alice, block.timestamp);
        _refused(alice, abi.encodeCall(ch.setExposureCap, (id, ETH, 1e18 + 1)), locked);
        _refused(alice, abi.encodeCall(ch.setExposureCap, (id, ETH, type(uint256).max)), locked);
        _exposure(0, 1e18);
    }
}
