// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {Assessment, Cure, FEE_UNIT, HealthReport, MarginState, MarketParams, PPM, WAD} from "../types/LedgerTypes.sol";
import {Portfolios} from "../types/Portfolio.sol";
import {Exposure} from "./Exposure.sol";
import {Fixed} from "./Fixed.sol";
import {Health} from "./Health.sol";
import {Ledger} from "./Ledger.sol";
import {Margin} from "./Margin.sol";
import {Positions} from "./Positions.sol";
import {Prices} from "./Prices.sol";
import {Transient} from "./Transient.sol";

/// @notice What users read of an account: its health, its liquidation prices, and what cures a margin call.
library Reports {
    uint256 private constant MAX_PRICE = 1e24; // [wad] no liquidation price is looked for above
    uint256 private constant PRICE_STEPS = 200; // of a twentieth each, in each direction
    uint256 private constant HALVINGS = 40;

    // ---------------------------------------------------------------- health

    function assess(Ledger.State storage $, AccountId id) external view returns (Assessment memory) {
        return Margin.assess($, id);
    }

    function positionPnl(Ledger.State storage $, AccountId id, uint256 market) external view returns (int256 pnl) {
        (, pnl) = Positions.pnlOf($, id, market, false);
    }

    function netDelta(Ledger.State storage $, AccountId id, uint256 underlying) external view returns (int256 delta) {
        delta = Exposure.heldOf($, id, underlying);
        for (uint64 bits = $.accounts[id].collaterals; bits != 0;) {
            uint256 collateral;
            (collateral, bits) = Ledger.pop(bits);
            (uint256 of_, bool hasRate, uint256 delistingEnd) = Ledger.readValuation($, collateral);
            if (of_ != underlying || Margin.delistingRamp(delistingEnd) == PPM) continue;
            uint256 rate = hasRate ? $.priceOracle.latestRate(collateral) : WAD;
            delta += int256(($.balances[id][collateral] * rate) / WAD);
        }
    }

    function fundingIndices(Ledger.State storage $, uint256 market) external view returns (int256, int256) {
        Positions.Sides memory s = Positions.sides($, market);
        return (s.long, s.short);
    }

    function health(Ledger.State storage $, AccountId id) external view returns (HealthReport memory r) {
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.STRICT);
        Assessment memory a = Margin.judge($, s);
        (r.equity, r.initialMargin, r.maintenanceMargin) = (a.equity, a.initialMargin, a.maintenanceMargin);
        r.state = stateOf(a);
        r.ratio = ratioOf(a);
        r.freeCollateral = _freeCollateral($, id, s, a);
    }

    /// @notice An account as the risk engine judges it, and whether it is flat and so needs no margin.
    function portfolio(Ledger.State storage $, AccountId id) external view returns (uint256[] memory, bool) {
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.STRICT);
        return (s.words, s.flat);
    }

    function stateOf(Assessment memory a) internal pure returns (MarginState) {
        if (a.equity < 0) return MarginState.Bankrupt;
        if (a.equity < int256(a.maintenanceMargin)) return MarginState.Liquidatable;
        return a.equity < int256(a.initialMargin) ? MarginState.MarginCall : MarginState.Healthy;
    }

    function ratioOf(Assessment memory a) internal pure returns (int256) {
        if (a.maintenanceMargin == 0) return a.equity < 0 ? type(int256).min : type(int256).max;
        return Fixed.divFloor(a.equity * int256(WAD), int256(a.maintenanceMargin));
    }

    function _freeCollateral(
        Ledger.State storage $,
        AccountId id,
        Margin.Snapshot memory s,
        Assessment memory a
    ) private view returns (uint256) {
        uint256 required = s.flat ? 0 : a.initialMargin + Health.surcharge($, id, Transient.CASH_OUT);
        return Fixed.positive(a.equity - int256(s.profit) - int256(required));
    }

    // ---------------------------------------------------------------- previews

    /// @notice Runs one of the house's simulations, which always revert, as the caller, and returns what it found.
    function undone(bytes memory simulation) external returns (bytes memory result, Assessment memory a) {
        // solhint-disable-next-line avoid-low-level-calls
        (, bytes memory data) = address(this).delegatecall(simulation);
        if (bytes4(data) != IClearingHouseCore.Simulated.selector) LowLevelCall.bubbleRevert(data);
        assembly ("memory-safe") {
            // Drops the selector: the rest is the arguments.
            let length := sub(mload(data), 4)
            data := add(data, 4)
            mstore(data, length)
        }
        return abi.decode(data, (bytes, Assessment));
    }

    // ---------------------------------------------------------------- liquidation prices

    /// @notice The prices of an underlying, all else fixed, between which E ≥ MM: the current price twice if that fails already.
    function liquidationPrices(
        Ledger.State storage $,
        AccountId id,
        uint256 underlying
    ) external view returns (uint256 down, uint256 up) {
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.STRICT);
        uint256 at = Portfolios.find(s.words, underlying);
        if (s.flat || at == 0) return (0, type(uint256).max);
        uint256 price = Portfolios.priceAt(s.words, at).price();
        if (!_isSafeAt($, s.words, at, price)) return (price, price);
        (down, up) = (_search($, s.words, at, false), _search($, s.words, at, true));
    }

    /// @dev Steps outwards until E < MM, then halves between the last two prices. Returns the first unsafe price, to within rounding.
    function _search(
        Ledger.State storage $,
        uint256[] memory words,
        uint256 at,
        bool up
    ) private view returns (uint256 unsafe) {
        uint256 safe = Portfolios.priceAt(words, at).price();
        for (uint256 i = 0; i < PRICE_STEPS; ++i) {
            unsafe = up ? Fixed.min((safe * 21) / 20, MAX_PRICE) : (safe * 19) / 20;
            if (unsafe == safe || !_isSafeAt($, words, at, unsafe)) break;
            (safe, unsafe) = (unsafe, 0);
        }
        if (unsafe == 0 || unsafe == safe) return up ? type(uint256).max : 0;
        for (uint256 i = 0; i < HALVINGS; ++i) {
            uint256 middle = (safe + unsafe) / 2;
            if (_isSafeAt($, words, at, middle)) safe = middle;
            else unsafe = middle;
        }
    }

    function _isSafeAt(
        Ledger.State storage $,
        uint256[] memory words,
        uint256 at,
        uint256 price
    ) private view returns (bool) {
        Assessment memory a = $.riskEngine.assess(Portfolios.repriced(words, at, price));
        return a.equity >= int256(a.maintenanceMargin);
    }

    // ---------------------------------------------------------------- margin call

    /// @notice Tells the owner of an account below IM what he needs and the cheapest ways to get there.
    function callMargin(Ledger.State storage $, AccountId id, Margin.Snapshot memory s, Assessment memory a) external {
        Cure memory c;
        c.deposit = a.initialMargin - uint256(a.equity);
        uint256 least = type(uint256).max;
        for (uint64 markets = $.accounts[id].markets; markets != 0;) {
            uint256 market;
            (market, markets) = Ledger.pop(markets);
            (int256 size, uint256 notional) = _closing($, id, s, a, market);
            if (size == 0 || notional >= least) continue;
            (c.market, c.size, least) = (market, size, notional);
        }
        emit IClearingHouseCore.MarginCall(id, a.equity, a.initialMargin, a.maintenanceMargin, c);
    }

    /// @dev The change of size in one market that cures at the mark, taker fee paid, and its notional; zero if none does. In proportion
    /// to what closing all of it would take off IM; all of it where the requirement is not in proportion.
    function _closing(
        Ledger.State storage $,
        AccountId id,
        Margin.Snapshot memory s,
        Assessment memory a,
        uint256 market
    ) private view returns (int256 change, uint256 notional) {
        MarketParams memory params = $.params[market];
        (int256 size, ) = Ledger.readPosition($, id, market, false);
        if (size == 0) return (0, 0);
        uint256 at = Portfolios.find(s.words, params.underlying);
        uint256 price = Portfolios.priceAt(s.words, at).price();
        uint256 all = Fixed.divUp(Fixed.abs(size) * price, WAD);
        uint256[] memory without = Portfolios.resized(s.words, at, -size, _fee(all, params));
        Assessment memory rest = $.riskEngine.assess(without);
        int256 surplus = rest.equity - int256(rest.initialMargin);
        if (surplus < 0) return (0, 0);
        uint256 shortfall = a.initialMargin - uint256(a.equity);
        uint256 part = Fixed.divUp(Fixed.abs(size) * shortfall, shortfall + uint256(surplus));
        part = Fixed.min(Fixed.max(part + 1, params.minFill), Fixed.abs(size));
        change = size > 0 ? -int256(part) : int256(part);
        notional = Fixed.divUp(part * price, WAD);
        rest = $.riskEngine.assess(Portfolios.resized(s.words, at, change, _fee(notional, params)));
        if (rest.equity < int256(rest.initialMargin)) (change, notional) = (-size, all);
    }

    function _fee(uint256 notional, MarketParams memory params) private pure returns (uint256) {
        return Fixed.divUp(notional * params.takerFee, PPM) + FEE_UNIT; // fees are rounded up to it
    }
}
