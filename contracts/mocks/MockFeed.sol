// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A feed that answers any bytes to whoever asks for a round, or reverts.
contract MockFeed {
    uint8 public decimals = 8;
    bytes private _answer;
    bool private _fails;

    error Refused();

    function setAnswer(bytes calldata answer) external {
        (_answer, _fails) = (answer, false);
    }

    function setDecimals(uint8 value) external {
        decimals = value;
    }

    function fail() external {
        _fails = true;
    }

    function latestRoundData() external view {
        _respond();
    }

    function getRoundData(uint80) external view {
        _respond();
    }

    function _respond() private view {
        if (_fails) revert Refused();
        bytes memory answer = _answer;
        assembly {
            return(add(answer, 32), mload(answer))
        }
    }
}
