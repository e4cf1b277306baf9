// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockERC20} from "./MockERC20.sol";

/// @notice A token that calls somebody back in the middle of each transfer, and tells what came of it.
contract CallbackToken is MockERC20 {
    address private _target;
    bytes private _data;
    bool private _calling;

    event CalledBack(bool success, bytes result);

    constructor(uint8 decimals_) MockERC20("Callback", "CALL", decimals_) {}

    /// @notice What every transfer calls from now on; the zero address: nothing.
    function setCallback(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0) || _calling) return;
        _calling = true;
        // solhint-disable-next-line avoid-low-level-calls
        (bool success, bytes memory result) = _target.call(_data);
        _calling = false;
        emit CalledBack(success, result);
    }
}
