// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A feed that answers any bytes to whoever asks for its latest round, or reverts.
contract MockFeed {
    bytes private _answer;
    bool private _fails;

    error Refused();

    function setAnswer(bytes calldata answer) external {
        (_answer, _fails) = (answer, false);
    }

    function fail() external {
        _fails = true;
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }

    function latestRoundData() external view {
        if (_fails) revert Refused();
        bytes memory answer = _answer;
        assembly {
            return(add(answer, 32), mload(answer))
        }
    }
}
