// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {Call} from "../types/LedgerTypes.sol";

/// @notice Runs several of the house's own functions, and nothing else.
library Batch {
    function run(address exchange, Call[] calldata calls) external returns (bytes[] memory results) {
        results = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            if (calls[i].target == address(this)) {
                results[i] = Address.functionDelegateCall(address(this), calls[i].data);
            } else if (calls[i].target == exchange && bytes4(calls[i].data) == IExchange.settle.selector) {
                results[i] = Address.functionCall(exchange, calls[i].data);
            } else {
                revert IClearingHouseCore.InvalidBatchTarget(calls[i].target);
            }
        }
    }
}
