// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IIntents} from "../interfaces/IIntents.sol";
import {IVault} from "../interfaces/IVault.sol";
import {Call} from "../types/LedgerTypes.sol";
import {Custody} from "./Custody.sol";
import {Ledger} from "./Ledger.sol";

/// @notice Runs several of the house's own functions, and nothing else.
library Batch {
    function run(
        Ledger.State storage $,
        Custody.Tokens calldata tokens,
        Call[] calldata calls
    ) external returns (bytes[] memory results) {
        results = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (address target, bytes calldata data) = (calls[i].target, calls[i].data);
            if (target == address(this)) {
                results[i] = Address.functionDelegateCall(target, data);
                continue;
            }
            bytes4 selector = bytes4(data);
            if (target == tokens.vault && selector == IVault.permit.selector) {
                _requireListed($, tokens, abi.decode(data[4:36], (address)));
            } else if (target != $.exchange || !_isSettlement(selector)) {
                revert IClearingHouseCore.InvalidBatchTarget(target);
            }
            results[i] = Address.functionCall(target, data);
        }
    }

    /// @dev What of the exchange moves something in the ledger.
    function _isSettlement(bytes4 s) private pure returns (bool) {
        return
            s == IExchange.settle.selector ||
            s == IIntents.depositFor.selector ||
            s == IIntents.withdrawFor.selector ||
            s == IIntents.transferFor.selector ||
            s == IIntents.lendFor.selector ||
            s == IIntents.recallFor.selector;
    }

    /// @dev In the middle of a batch no stranger's code runs.
    function _requireListed(Ledger.State storage $, Custody.Tokens calldata tokens, address token) private view {
        if (token != tokens.cash && $.collateralIds[token] == 0) revert IClearingHouseCore.UnknownAsset(token);
    }
}
