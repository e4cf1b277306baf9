// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IAuthority} from "@openzeppelin/contracts/access/manager/IAuthority.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IRiskEngine} from "../interfaces/IRiskEngine.sol";
import {RiskEngine} from "../RiskEngine.sol";
import {AccountId} from "../types/AccountId.sol";
import {Assessment} from "../types/LedgerTypes.sol";

/// @dev A risk engine with the parameters of another one, to try changes on.
contract ScratchEngine is RiskEngine {
    constructor(IRiskEngine standing) RiskEngine(msg.sender) {
        for (uint256 id = 0; id < 256; ++id) {
            _underlyings[id] = standing.underlyingRisk(id);
            _collaterals[id] = standing.collateralRisk(id);
        }
    }
}

/// @title Whom a change of risk parameters would push under, before it is made
/// @notice For `eth_call`: builds a risk engine that nobody uses, makes the changes in it, and has it judge accounts beside the one that stands,
/// at the same prices. It moves nothing, and whoever pays for a transaction gets nothing for it.
contract RiskPreview is IAuthority {
    IClearingHouse private immutable _clearingHouse;

    constructor(IClearingHouse clearingHouse) {
        _clearingHouse = clearingHouse;
    }

    /// @notice Which of `accounts` would be below IM, and which below MM, that are not now.
    /// @param changes calldata of `setUnderlyingRisk` and `setCollateralRisk`, in the order in which they would be made
    /// @return called below IM, those below MM among them
    /// @return liquidatable below MM
    /// @dev Errors: what the engine would refuse of the changes (`ParameterOutOfBounds`, `UnknownUnderlying`), and the oracle's for an account
    /// with something that has no usable price.
    function preview(
        bytes[] calldata changes,
        AccountId[] calldata accounts
    ) external returns (AccountId[] memory called, AccountId[] memory liquidatable) {
        IRiskEngine standing = IRiskEngine(_clearingHouse.riskEngine());
        IRiskEngine scratch = new ScratchEngine(standing);
        for (uint256 i = 0; i < changes.length; ++i) Address.functionCall(address(scratch), changes[i]);
        (called, liquidatable) = (new AccountId[](accounts.length), new AccountId[](accounts.length));
        (uint256 calls, uint256 liquidations) = (0, 0);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (uint256[] memory words, bool flat) = _clearingHouse.portfolio(accounts[i]);
            if (flat) continue; // needs no margin, whatever the parameters
            (Assessment memory a, Assessment memory b) = (standing.assess(words), scratch.assess(words));
            if (_falls(a.equity, a.initialMargin, b.initialMargin)) called[++calls - 1] = accounts[i];
            if (_falls(a.equity, a.maintenanceMargin, b.maintenanceMargin))
                liquidatable[++liquidations - 1] = accounts[i];
        }
        _shorten(called, calls);
        _shorten(liquidatable, liquidations);
    }

    /// @notice Lets itself change the engine that it has built.
    function canCall(address caller, address, bytes4) external view returns (bool) {
        return caller == address(this);
    }

    function _falls(int256 equity, uint256 required, uint256 requiredThen) private pure returns (bool) {
        return equity >= int256(required) && equity < int256(requiredThen);
    }

    function _shorten(AccountId[] memory list, uint256 length) private pure {
        assembly ("memory-safe") {
            mstore(list, length) // not above what it was created with
        }
    }
}
