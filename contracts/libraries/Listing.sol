// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {CollateralRisk, IRiskEngine, UnderlyingRisk} from "../interfaces/IRiskEngine.sol";
import {
    CollateralParams,
    MARKET_LISTED,
    MarketParams,
    MarketRate,
    MAX_COLLATERALS,
    MAX_MARKETS,
    WAD
} from "../types/LedgerTypes.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Margin} from "./Margin.sol";
import {Prices} from "./Prices.sol";
import {TokenUnits} from "./TokenUnits.sol";

/// @notice Listing of markets and collateral assets, within hard bounds.
library Listing {
    uint256 private constant MAX_FEE = 10_000; // [ppm]
    uint256 private constant MAX_BAND = 5_000; // [ppm] below any shock and basis that a risk engine may have
    uint256 private constant MAX_DUST = 1_000e18; // [wad] USD

    function setMarket(Ledger.State storage $, uint256 id, MarketParams calldata params) external {
        // Fees and penalties need somebody to go to.
        if ($.insuranceFund == address(0) || $.treasury == address(0)) revert IClearingHouseCore.ZeroAddress();
        _inBounds("market", id, 0, MAX_MARKETS - 1);
        _inBounds("takerFee", params.takerFee, 0, MAX_FEE);
        _inBounds("makerFee", params.makerFee, 0, params.takerFee);
        UnderlyingRisk memory risk = $.riskEngine.underlyingRisk(params.underlying);
        if (risk.shock == 0) revert IRiskEngine.UnknownUnderlying(params.underlying);
        _inBounds("socialisationCap", params.socialisationCap, 0, risk.basis / 4);
        // Narrower than any maintenance charge: nobody below MM can hand his margin to a friend inside the band.
        _inBounds("priceBand", params.priceBand, 1, Fixed.min(Fixed.min(risk.shock, risk.basis) - 1, MAX_BAND));
        _inBounds("minFill", params.minFill, 1, type(uint80).max);
        _inBounds("softCap", params.softCap, 0, params.hardCap);
        MarketRate memory rate = $.rates[id];
        if (rate.flags & MARKET_LISTED == 0) {
            rate.flags = MARKET_LISTED;
            rate.underlying = params.underlying;
            rate.price = uint80(Prices.read($, params.underlying).price());
            rate.time = uint32(block.timestamp);
            $.rates[id] = rate;
            $.priceOracle.observe(params.underlying, 0); // there is a last good price from now on
        }
        _inBounds("underlying", params.underlying, rate.underlying, rate.underlying);
        $.params[id] = params;
        emit IClearingHouseCore.MarketSet(id, params);
    }

    function setCollateral(
        Ledger.State storage $,
        uint256 id,
        CollateralParams calldata params,
        address cashToken
    ) external {
        _inBounds("collateral", id, 0, MAX_COLLATERALS - 1);
        uint256 decimals = IERC20Metadata(params.token).decimals();
        _inBounds("decimals", decimals, 0, TokenUnits.MAX_DECIMALS);
        CollateralRisk memory risk = $.riskEngine.collateralRisk(id);
        if (risk.haircutInitial == 0 || risk.underlying != params.underlying) revert IRiskEngine.UnknownCollateral(id);
        CollateralParams memory listed = $.collaterals[id];
        // They need no price, so that they can be lowered while a feed is silent.
        bool capsOnly = listed.token == params.token && listed.minBalance == params.minBalance;
        if (listed.token == address(0)) {
            if (params.token == cashToken || $.collateralIds[params.token] != 0) revert IClearingHouseCore.AlreadySet();
            $.collateralIds[params.token] = id + 1;
            listed.token = params.token;
            listed.decimals = uint8(decimals);
            listed.underlying = params.underlying;
            listed.hasRate = params.hasRate;
        }
        if (params.token != listed.token) revert IClearingHouseCore.UnknownAsset(params.token);
        _inBounds("underlying", params.underlying, listed.underlying, listed.underlying);
        if (params.hasRate != listed.hasRate) revert IClearingHouseCore.AlreadySet();
        (listed.cap, listed.accountCap, listed.minBalance) = (params.cap, params.accountCap, params.minBalance);
        $.collaterals[id] = listed;
        if (!capsOnly) {
            $.priceOracle.observe(params.underlying, 0); // there is a last good price from now on
            if (params.hasRate) $.priceOracle.observeRate(id);
            // A dust threshold worth having would make slices lopsided.
            _inBounds("minBalance", params.minBalance, 0, (MAX_DUST * WAD) / Prices.ofCollateral($, id));
        }
        emit IClearingHouseCore.CollateralSet(id, listed);
    }

    /// @notice Starts the ramp of a collateral's haircut to 100 %, for good.
    function delistCollateral(Ledger.State storage $, uint256 id) external {
        CollateralParams storage listed = $.collaterals[id];
        if (listed.token == address(0)) revert IClearingHouseCore.UnknownAsset(address(0));
        if (listed.delistingEnd != 0) revert IClearingHouseCore.AlreadySet();
        listed.delistingEnd = uint32(block.timestamp + Margin.DELISTING_RAMP);
        emit IClearingHouseCore.CollateralDelisted(id, listed.delistingEnd);
    }

    function _inBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert IClearingHouseCore.ParameterOutOfBounds(name, value, low, high);
    }
}
