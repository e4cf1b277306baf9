// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Assessment} from "../types/LedgerTypes.sol";
import {PriceSnapshot} from "../types/Portfolio.sol";

/// @notice Risk parameters of an underlying. 6 · 24 + 32 + 48 = 224 bits. Names are those of the formulas in `IRiskEngine`.
struct UnderlyingRisk {
    uint24 shock; // κ [ppm] maintenance shock
    uint24 slope; // [ppm] concentration charge at full depth
    uint24 basis; // β [ppm] on hedged units, maintenance
    uint24 basisInitial; // β_i [ppm] on hedged units, initial
    uint24 maxTracking; // largest τ of the underlying's collaterals [ppm], kept by the engine
    uint24 maxTrackingInitial; // largest τ_i of the underlying's collaterals [ppm], kept by the engine
    uint32 initialFactor; // φ [1e-9], ratio of initial to maintenance shock
    uint48 depth; // [whole USD] exposure at which the concentration charge stops growing
}

/// @notice Risk parameters of a collateral asset. 4 · 24 + 8 + 24 + 32 = 160 bits.
struct CollateralRisk {
    uint24 haircut; // h [ppm], maintenance
    uint24 haircutInitial; // h_i [ppm], initial
    uint24 tracking; // τ [ppm] on hedged collateral, maintenance
    uint24 trackingInitial; // τ_i [ppm] on hedged collateral, initial
    uint8 underlying;
    uint24 depegThreshold; // p0 [ppm of one USD] of a stablecoin, below which its initial haircut grows; 0 = no stablecoin
    uint32 depegFactor; // [ppm] growth of h_i per unit that the price is below p0: h_i + factor · (p0 − P)
}

/// @title Stateless judgement of portfolios
/// @notice Keeps risk parameters and no account. With index price P, sizes p_m in the markets of an underlying, p = Σ p_m,
/// V the value of its collateral, c = V/P, x = c + p, g = (c + Σ|p_m| − |x|)/2 and s = min(1, max(0, −p)/c):
///
///     W = |x|·P·κ·μ                                  shock
///     A = |x|·P · slope · min(1, |x|·P / depth)      concentration
///     B = g·P·β                                      basis
///     H = Σ_j V_j·(h_j·(1 − s) + τ_j·s)              liquidity
///     MM = Σ_u  W + A + B + H                        h clamped at 1 − (κμ + 2·slope + max τ)
///     IM = max(MM, Σ_u  φ·(W + A) + B_i + H_i)       h_i clamped at 1 − φ(κμ_i + 2·slope) − max τ_i
///
/// A delisting ramp r takes haircut and tracking of a collateral from what they are to the clamp: h + r·(clamp − h). Where a
/// collateral is being delisted, s = min(1, max(0, −p)·P / Σ V_j·(1 − r_j)): the hedge is that of what stays; otherwise a unit of
/// the delisted one could count against its owner. A stablecoin below its threshold p0 needs h_i + factor·(p0 − P), clamped.
///
/// E = base + Σ V, base = cash + lent − debt + Σ PnL. Requirements are rounded up, values down. Source of the formulas: the design of the house,
/// section "Risk: one engine for everything", restated in the README.
interface IRiskEngine {
    event UnderlyingRiskSet(uint256 indexed underlying, UnderlyingRisk risk);
    event CollateralRiskSet(uint256 indexed collateral, CollateralRisk risk);

    error UnknownUnderlying(uint256 underlying);
    error UnknownCollateral(uint256 collateral);
    /// @dev A parameter lies outside its hard bound.
    error ParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max);

    /// @notice Judges a portfolio packed as `types/Portfolio.sol` describes.
    /// @return assessment equity, initial and maintenance margin [wad]
    function assess(uint256[] calldata portfolio) external view returns (Assessment memory assessment);

    /// @notice The smallest slice of a portfolio whose removal at a penalty of `discount` · MM per unit of slice leaves
    /// equity between the initial margin and 1.001 times the initial margin.
    /// @param portfolio packed portfolio
    /// @param discount d, penalty as a fraction of MM [wad]
    /// @param dust [wad] USD of gross exposure and collateral below which nothing is left behind
    /// @return fraction f [wad]: 0 if E ≥ IM; 1e18 if E ≤ discount · MM, if no smaller slice lands, or if dust would be left
    /// @return assessment equity, initial and maintenance margin [wad]
    function slice(
        uint256[] calldata portfolio,
        uint256 discount,
        uint256 dust
    ) external view returns (uint256 fraction, Assessment memory assessment);

    /// @notice What an opening must be able to carry beyond IM: the initial rate of a market rises linearly from base = φ·κ·μ_i to
    /// 100 % as its open interest goes from the soft to the hard cap, and applies to the account's whole notional there.
    /// @param underlying of the market
    /// @param s price and regime of the underlying
    /// @param notional [wad] USD of the account's position
    /// @param openInterest [wad] USD, after the opening
    /// @param softCap [whole USD] where the rise begins
    /// @param hardCap [whole USD] where it ends
    /// @return surcharge notional · (rate − base) [wad], rounded up; zero up to the soft cap
    function openingSurcharge(
        uint256 underlying,
        PriceSnapshot s,
        uint256 notional,
        uint256 openInterest,
        uint256 softCap,
        uint256 hardCap
    ) external view returns (uint256 surcharge);

    /// @notice Parameters of an underlying; all zero if it is unknown.
    function underlyingRisk(uint256 underlying) external view returns (UnderlyingRisk memory);

    /// @notice Parameters of a collateral asset; all zero if it is unknown.
    function collateralRisk(uint256 collateral) external view returns (CollateralRisk memory);

    /// @notice Sets the parameters of an underlying. Restricted. The two `maxTracking` fields are ignored.
    /// Shock and basis stay above 5,000 ppm, the widest price band that the ledger lists: nobody below MM can hand his margin to a
    /// friend inside the band, whatever changes here.
    function setUnderlyingRisk(uint256 underlying, UnderlyingRisk calldata risk) external;

    /// @notice Sets the parameters of a collateral asset, whose underlying is final. Restricted.
    function setCollateralRisk(uint256 collateral, CollateralRisk calldata risk) external;
}
