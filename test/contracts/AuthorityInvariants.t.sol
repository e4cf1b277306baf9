// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {IExchange} from "../../contracts/interfaces/IExchange.sol";
import {IIntents} from "../../contracts/interfaces/IIntents.sol";
import {ISessionKeys} from "../../contracts/interfaces/ISessionKeys.sol";
import {AuthorityHandler} from "./support/AuthorityHandler.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice What must stay true between a signature and the ledger after any sequence of acts: session keys, intents, orders, guards,
/// exits and the limit on outflow against a model of them. Each breach is printed with its name; what is compared is in
/// `AuthorityHandler`, what is right in `AuthorityModel`.
contract AuthorityInvariantsTest is House {
    uint256 private constant RUNS = 60; // of the test of what is reached
    uint256 private constant DEPTH = 150;

    AuthorityHandler private handler;
    bytes4[] private actions;

    /// @dev What must have happened.
    string[52] private outcomes = [
        "grant",
        "grant by a key",
        "grandchild",
        "grant by signature",
        "revoke",
        "revoke by a key",
        "revoke by signature",
        "revoke all",
        "revoke all by signature",
        "deposit",
        "withdraw",
        "transfer",
        "lend",
        "recall",
        "deposit of somebody else",
        "intent: deposit",
        "intent: withdraw",
        "intent: transfer",
        "intent: lend",
        "intent: recall",
        "intent of a key: deposit",
        "intent of a key: withdraw",
        "intent of a key: transfer",
        "intent of a key: lend",
        "intent of a key: recall",
        "batch",
        "cancel an intent",
        "withdrawal in a lockdown",
        "announce an exit",
        "EXIT_AT_LATEST_AFTER_T leave",
        "exit beyond the limit",
        "track flows",
        "settle",
        "settle for a fee",
        "EACH_MATCH_ALONE",
        "skipped, the rest settled",
        "filled in part",
        "filled by a key",
        "filled by a grandchild",
        "reduced in a lockdown",
        "cancel",
        "cancel by a key",
        "cancel below",
        "dead-man switch",
        "dead-man switch by a key",
        "set guard",
        "loosening waits",
        "allow payee",
        "remove payee",
        "lock down",
        "ask to unlock",
        "unlock"
    ];

    function setUp() public {
        deployHouse();
        handler = new AuthorityHandler(ch);
        ch.setOutflowCap(address(usdc), uint64(handler.OUTFLOW_CAP() / 1e18));
        actions = [
            handler.grantAny.selector,
            handler.revokeAny.selector,
            handler.actInPerson.selector,
            handler.signIntent.selector,
            handler.bringIntent.selector,
            handler.exitAny.selector,
            handler.leave.selector,
            handler.signOrder.selector,
            handler.settleAny.selector,
            handler.settleForFeeAny.selector,
            handler.meetAgain.selector,
            handler.settleEachAny.selector,
            handler.cancelAny.selector,
            handler.guardAny.selector,
            handler.wait.selector,
            handler.movePrice.selector
        ];
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @dev One owner after each act, all of them and all that was signed at the end of a sequence.
    function invariant_Authority() public view {
        handler.examine(handler.acts());
    }

    function afterInvariant() public view {
        for (uint256 i = 0; i < 4; ++i) handler.examine(i);
        handler.examineKept();
    }

    /// @dev The model is worth what the handler reaches: everything that is allowed, and every refusal.
    function test_HandlerReachesEverything() public {
        bytes4[] memory reasons = _reasons();
        uint256[] memory reached = new uint256[](outcomes.length);
        uint256[] memory refused = new uint256[](reasons.length);
        for (uint256 run = 0; run < RUNS; ++run) {
            uint256 start = vm.snapshotState();
            for (uint256 i = run * DEPTH; i < (run + 1) * DEPTH; ++i) {
                bytes4 action = actions[uint256(keccak256(abi.encode("action", i))) % actions.length];
                uint256 seed = uint256(keccak256(abi.encode(i)));
                Address.functionCall(address(handler), abi.encodeWithSelector(action, seed));
                handler.examine(i);
            }
            afterInvariant();
            for (uint256 i = 0; i < outcomes.length; ++i) reached[i] += handler.done(outcomes[i]);
            for (uint256 i = 0; i < reasons.length; ++i) refused[i] += handler.refused(reasons[i]);
            vm.revertToState(start);
        }
        string memory missing = "";
        for (uint256 i = 0; i < outcomes.length; ++i) {
            if (reached[i] == 0) missing = string.concat(missing, outcomes[i], ", ");
        }
        for (uint256 i = 0; i < reasons.length; ++i) {
            if (refused[i] == 0) missing = string.concat(missing, Strings.toHexString(uint32(reasons[i])), ", ");
        }
        check(bytes(missing).length == 0, string.concat("not reached: ", missing));
    }

    /// @dev Every way in which the exchange, its keys and intents, and the guards of the ledger refuse.
    function _reasons() private pure returns (bytes4[] memory list) {
        bytes4[57] memory all = [
            ISessionKeys.UnknownKey.selector,
            ISessionKeys.KeyIsRevoked.selector,
            ISessionKeys.KeyExpired.selector,
            ISessionKeys.KeyLacksScope.selector,
            ISessionKeys.KeyLacksMarket.selector,
            ISessionKeys.KeyLacksAccount.selector,
            ISessionKeys.KeyPriceBand.selector,
            ISessionKeys.KeyNotionalLimit.selector,
            ISessionKeys.KeyLossLimit.selector,
            ISessionKeys.KeyEquityFloor.selector,
            ISessionKeys.FlowsNotTracked.selector,
            ISessionKeys.GrantTooWide.selector,
            ISessionKeys.InvalidAuthorisation.selector,
            ISessionKeys.KeyTaken.selector,
            IIntents.IntentExpired.selector,
            IIntents.IntentUsedBefore.selector,
            IIntents.InvalidIntent.selector,
            IIntents.KeyWithdrawsToOwner.selector,
            IExchange.OrderExpired.selector,
            IExchange.OrderNonceTooLow.selector,
            IExchange.OrderNonceTooHigh.selector,
            IExchange.OrderEpochMismatch.selector,
            IExchange.OwnerSilent.selector,
            IExchange.OrderCancelledOrFilled.selector,
            IExchange.OrderSizeInvalid.selector,
            IExchange.OrderFlagsInvalid.selector,
            IExchange.OrderTriggerRests.selector,
            IExchange.OrderFeeTooHigh.selector,
            IExchange.OrderNotTriggered.selector,
            IExchange.OrderSideMismatch.selector,
            IExchange.OrderMarketMismatch.selector,
            IExchange.OrderNotCrossing.selector,
            IExchange.OrderNoMaker.selector,
            IExchange.OrderWouldTake.selector,
            IExchange.OrderNotFilledWhole.selector,
            IExchange.OrderNothingToReduce.selector,
            IExchange.InvalidSignature.selector,
            IExchange.OrderInLockdown.selector,
            IExchange.NotOwner.selector,
            IExchange.NotClearingHouse.selector,
            IExchange.NonceNotIncreased.selector,
            IExchange.NothingSettled.selector,
            IExchange.DeadManInvalid.selector,
            IClearingHouseCore.NotOwner.selector,
            IClearingHouseCore.NotExchange.selector,
            IClearingHouseCore.OwnerMismatch.selector,
            IClearingHouseCore.SameAccount.selector,
            IClearingHouseCore.PriceOutOfBand.selector,
            IClearingHouseCore.PayeeNotAllowed.selector,
            IClearingHouseCore.NotGuardian.selector,
            IClearingHouseCore.LockedDown.selector,
            IClearingHouseCore.NotLockedDown.selector,
            IClearingHouseCore.UnlockTooEarly.selector,
            IClearingHouseCore.OutflowLimited.selector,
            IClearingHouseCore.NotFlat.selector,
            IClearingHouseCore.AlreadySet.selector,
            IClearingHouseCore.ParameterOutOfBounds.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i = 0; i < all.length; ++i) list[i] = all[i];
    }
}
