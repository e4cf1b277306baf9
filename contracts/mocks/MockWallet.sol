// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @notice A contract wallet that signs through ERC-1271 with its owner's key, or answers badly.
contract MockWallet is IERC1271 {
    enum Answer {
        Honest,
        Revert,
        Short, // fewer than 32 bytes
        BurnGas // never ends
    }

    address private immutable _owner;
    Answer private _answer;

    error Refused();

    constructor(address owner) {
        _owner = owner;
    }

    function setAnswer(Answer answer) external {
        _answer = answer;
    }

    /// @notice Calls anything as the wallet.
    function execute(address target, bytes calldata data) external returns (bytes memory) {
        return Address.functionCall(target, data);
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (_answer == Answer.Revert) revert Refused();
        if (_answer == Answer.Short) {
            assembly {
                return(0, 4)
            }
        }
        while (_answer == Answer.BurnGas) {}
        (address signer, , ) = ECDSA.tryRecoverCalldata(hash, signature);
        return signer == _owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
