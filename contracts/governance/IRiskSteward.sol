// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What may be tightened at once
/// @notice Lowers caps and raises initial requirements without the delay of what loosens, and nothing else. It reads what stands and refuses
/// whatever is not tighter, field by field. What could make anybody liquidatable (maintenance shock, slope, basis, haircut and tracking,
/// depeg rule, regime) is not among it: that waits like what loosens, so that people have the delay to act.
///
/// Bounds on a captured steward, by field, against the value that governance set last:
///
///     caps of markets and collateral    down to zero: who is in gets out, but moves no collateral between his accounts
///     initial requirements              at most 25 % up in a day, at most 50 % up in all: so is any account's IM
///     outflow caps                      at most halved in a day, never below a quarter; flat accounts leave by announcement anyway
///
/// A value that somebody else has changed since the steward's last step is governance's, and the count begins anew. All restricted.
interface IRiskSteward {
    event MarketTightened(uint256 indexed market, uint48 softCap, uint48 hardCap);
    event CollateralTightened(uint256 indexed collateral, uint64 cap, uint64 accountCap);
    event OutflowTightened(address indexed token, uint64 cap);
    event UnderlyingTightened(uint256 indexed underlying, uint32 initialFactor, uint24 basisInitial);
    event HaircutTightened(uint256 indexed collateral, uint24 haircutInitial, uint24 trackingInitial);

    /// @dev The field would be looser than it stands, or it is the only one and would stay.
    error NotTighter(bytes32 field, uint256 standing, uint256 wanted);
    /// @dev The field can go as far as `furthest` now.
    error StepTooLarge(bytes32 field, uint256 standing, uint256 wanted, uint256 furthest);
    /// @dev The field's next step can be made at this time [s].
    error StepTooSoon(bytes32 field, uint256 from);

    /// @notice Lowers the open interest of a market from which openings cost more, and the one that no opening may exceed [whole USD].
    /// @dev Emits `MarketTightened`, and the clearinghouse its `MarketSet`. Errors: `NotTighter`, and those of `setMarket`.
    function tightenMarket(uint256 market, uint48 softCap, uint48 hardCap) external;

    /// @notice Lowers what all accounts and what one account may bring in of a collateral asset [whole units].
    /// @dev Emits `CollateralTightened`, and the clearinghouse its `CollateralSet`. Errors: `NotTighter`, and those of `setCollateral`.
    function tightenCollateral(uint256 collateral, uint64 cap, uint64 accountCap) external;

    /// @notice Lowers the limit on a token's net outflow [whole units]. Where there was none, what the vault holds counts as the one that stood.
    /// @dev Emits `OutflowTightened`, and the clearinghouse its `OutflowCapSet`. Errors: `NotTighter`, `StepTooSoon`, `StepTooLarge`,
    /// `UnknownAsset`.
    function tightenOutflow(address token, uint64 cap) external;

    /// @notice Raises φ [1e-9] and β_i [ppm] of an underlying.
    /// @dev Emits `UnderlyingTightened`, and the engine its `UnderlyingRiskSet`. Errors: `NotTighter`, `StepTooSoon`, `StepTooLarge`,
    /// `ParameterOutOfBounds`.
    function tightenUnderlying(uint256 underlying, uint32 initialFactor, uint24 basisInitial) external;

    /// @notice Raises h_i and τ_i of a collateral asset [ppm].
    /// @dev Emits `HaircutTightened`, and the engine its `CollateralRiskSet`. Errors: `NotTighter`, `StepTooSoon`, `StepTooLarge`,
    /// `ParameterOutOfBounds`.
    function tightenHaircut(uint256 collateral, uint24 haircutInitial, uint24 trackingInitial) external;
}
