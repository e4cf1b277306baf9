// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A feed that answers any bytes to whoever asks for a round, reverts, or burns all gas that it is given.
contract MockFeed {
    uint8 public decimals = 8;
    bytes private _answer;
    bool private _fails;
    bool private _burns;

    error Refused();

    function setAnswer(bytes calldata answer) external {
        (_answer, _fails, _burns) = (answer, false, false);
    }

    function setDecimals(uint8 value) external {
        decimals = value;
    }

    function fail() external {
        _fails = true;
    }

    function burn() external {
        _burns = true;
    }

    function latestRoundData() external view {
        _respond();
    }

    function getRoundData(uint80) external view {
        _respond();
    }

    function _respond() private view {
        if (_fails) revert Refused();
        if (_burns) {
            assembly {
                invalid()
            }
        }
        bytes memory answer = _answer;
        assembly {
            return(add(answer, 32), mload(answer))
        }
    }
}
