// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A token whose transfers answer nothing (as USDT does), answer false without moving anything, or revert.
contract OddToken {
    enum Answer {
        Nothing,
        False,
        Revert
    }

    uint8 public immutable decimals;
    Answer private _answer;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    error Refused();

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function setAnswer(Answer answer) external {
        _answer = answer;
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        _move(from, to, amount);
        allowance[from][msg.sender] -= amount;
    }

    /// @dev Returns to nobody: the call ends here where the answer is false.
    function _move(address from, address to, uint256 amount) private {
        if (_answer == Answer.Revert) revert Refused();
        if (_answer == Answer.False) {
            assembly {
                mstore(0, 0)
                return(0, 32)
            }
        }
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}
