// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {UnderlyingRisk} from "../../contracts/interfaces/IRiskEngine.sol";
import {Assessment, WAD} from "../../contracts/types/LedgerTypes.sol";
import {PriceSnapshot, PriceSnapshots} from "../../contracts/types/Portfolio.sol";
import {House} from "./support/House.sol";

/// @notice Properties of the risk engine over random portfolios of one underlying with two collateral assets and a stablecoin, random
/// prices, regimes and delisting ramps; and of a hedge in the whole house.
contract PropertiesTest is House {
    int256 private constant WEI = 16; // what roundings of one assessment can add up to

    /// @dev ETH with WETH and wstETH, and USDT.
    struct Draw {
        int256 base; // [wad]
        uint256 price; // [wad]
        uint256 initialFactor; // [ppm]
        uint256 maintenanceFactor; // [ppm]
        int256 net; // [wad] size, and with another market of the same underlying
        uint256 gross; // [wad]
        uint256[3] values; // [wad] of WETH, wstETH, USDT
        uint256[3] ramps; // [ppm]
        uint256 stablePrice; // [wad]
    }

    function setUp() public {
        deployHouse();
    }

    // ---------------------------------------------------------------- requirements

    /// @notice MBS-2, DESIGN 9: adding size that is not a hedge never lowers IM or MM.
    function testFuzz_MBS_2_MonotoneInUnhedgedSize(uint256 seed, uint128 more) public view {
        Draw memory d = _draw(seed);
        uint256 units = ((d.values[0] + d.values[1]) * WAD) / d.price;
        if (d.net < 0 && uint256(-d.net) < units) d.net = -int256(units + 1); // beyond the hedge
        d.gross = uint256(d.net < 0 ? -d.net : d.net);
        Assessment memory b = _assess(d);
        uint256 added = 1 + (more % 1e23);
        d.net += d.net < 0 ? -int256(added) : int256(added);
        d.gross += added;
        Assessment memory a = _assess(d);
        checkLe(b.initialMargin, a.initialMargin + uint256(WEI), "MBS-2 IM");
        checkLe(b.maintenanceMargin, a.maintenanceMargin + uint256(WEI), "MBS-2 MM");
    }

    /// @notice MMS-2, DESIGN 9: the size charge aside, a portfolio needs at most the sum of its instruments.
    function testFuzz_MMS_2_SubAdditive(uint256 seed) public {
        engine.setUnderlyingRisk(ETH, UnderlyingRisk(30_000, 0, 10_000, 30_000, 0, 0, PHI, 50_000_000));
        engine.setUnderlyingRisk(USD, UnderlyingRisk(20_000, 0, 10_000, 20_000, 0, 0, PHI, 500_000_000));
        Draw memory d = _draw(seed);
        d.ramps = [uint256(0), 0, 0];
        Assessment memory whole = _assess(d);
        uint256 initial = 0;
        uint256 maintenance = 0;
        // Positions of two markets: p + q = net, |p| + |q| = gross.
        int256 spread = int256(d.gross - uint256(d.net < 0 ? -d.net : d.net)) / 2;
        int256[2] memory legs = d.net < 0 ? [d.net - spread, spread] : [d.net + spread, -spread];
        for (uint256 i = 0; i < 5; ++i) {
            Draw memory one = _alone(d);
            if (i < 3) one.values[i] = d.values[i];
            else (one.net, one.gross) = (legs[i - 3], uint256(legs[i - 3] < 0 ? -legs[i - 3] : legs[i - 3]));
            Assessment memory part = _assess(one);
            (initial, maintenance) = (initial + part.initialMargin, maintenance + part.maintenanceMargin);
        }
        checkLe(whole.initialMargin, initial + uint256(WEI), "MMS-2 IM");
        checkLe(whole.maintenanceMargin, maintenance + uint256(WEI), "MMS-2 MM");
    }

    /// @notice MBS-2, HC-1, HC-3, XAC-5: a deposit never lowers E − IM or E − MM, whatever is ramped, volatile or off its peg.
    function testFuzz_MBS_2_DepositsNeverHurt(uint256 seed, uint8 which, uint128 amount) public view {
        Draw memory d = _draw(seed);
        uint256 i = which % 4;
        if (i < 3) d.ramps[i] = 0; // what is delisted does not come in
        Assessment memory b = _assess(d);
        uint256 value = 1e12 + (amount % 1e26);
        if (i < 3) d.values[i] += value;
        else d.base += int256(value);
        Assessment memory a = _assess(d);
        int256 gain = a.equity - b.equity;
        checkEq(gain, int256(value), "a deposit is worth itself");
        checkLe(int256(a.initialMargin) - int256(b.initialMargin), gain + WEI, "MBS-2 E - IM");
        checkLe(int256(a.maintenanceMargin) - int256(b.maintenanceMargin), gain + WEI, "MBS-2 E - MM");
    }

    /// @notice CRE-2: the same value of ETH behind a long ETH perpetual needs more than a stablecoin.
    function testFuzz_CRE_2_WrongWayCollateral(uint256 seed) public view {
        Draw memory d = _draw(seed);
        uint256 size = d.gross + 1e15;
        Draw memory wrong = _alone(d);
        Draw memory right = _alone(d);
        (wrong.net, wrong.gross, right.net, right.gross) = (int256(size), size, int256(size), size);
        uint256 value = (size * d.price) / WAD;
        (right.stablePrice, right.values[2], wrong.values[0]) = (WAD, value, value);
        check(_assess(right).initialMargin < _assess(wrong).initialMargin, "CRE-2 IM");
        check(_assess(right).maintenanceMargin < _assess(wrong).maintenanceMargin, "CRE-2 MM");
    }

    // ---------------------------------------------------------------- slices

    /// @notice LIQ-2, MAM-4: a slice raises E / MM and lands at IM ≤ E' ≤ 1.001 · IM at fixed prices.
    function testFuzz_LIQ_2_SliceImprovesAndLands(uint256 seed, uint256 depth, uint256 clock) public view {
        Draw memory d = _draw(seed);
        Assessment memory b = _assess(d);
        if (b.maintenanceMargin < 1_000e18) return;
        uint256 discount = 0.05e18 + (clock % 0.55e18);
        uint256 penalty = (discount * b.maintenanceMargin) / WAD;
        // E anywhere between d · MM and MM
        int256 equity = int256(penalty + 1 + (depth % (b.maintenanceMargin - penalty - 1)));
        d.base += equity - b.equity;
        (uint256 f, Assessment memory found) = engine.slice(_words(d), discount, 10e18);
        checkEq(found.equity, equity, "premise: E");
        if (f == WAD) return;
        Draw memory rest = _part(d, WAD - f);
        Assessment memory a = _assess(rest);
        int256 left = equity - int256((f * penalty) / WAD) - 1;
        checkLe(int256(a.initialMargin), left + WEI, "LIQ-2 lands at IM");
        checkLe(left, (int256(a.initialMargin) * 1001) / 1000 + WEI, "LIQ-2 lands below 1.001 IM");
        check(left * int256(b.maintenanceMargin) > equity * int256(a.maintenanceMargin), "MAM-4 E / MM rises");
    }

    // ---------------------------------------------------------------- hedges

    /// @notice DN-2: long spot against an equal short perpetual. From a third to three times the price equity moves by roundings only,
    /// and what is needed is basis: MM 1 % and IM 3 % of the value. wstETH adds its tracking of 2 % and 3 %.
    function testFuzz_DN_2_HedgeMovesByItsResidual(uint96 amount, uint64 move, bool staked) public {
        uint256 units = ((1e18 + (uint256(amount) % 5_000e18)) / 1e9) * 1e9;
        uint256 hedged = staked ? (((units * 1.149e18) / WAD) / 1e9) * 1e9 : units;
        giveCash(main(actor("other")), 1_000_000_000e18);
        giveCollateral(main(actor("hedger")), staked ? WSTETH : WETH, units);
        trade(main(actor("hedger")), main(actor("other")), ETH, int256(hedged)); // the maker pays no fee
        int256 equity = assess(main(actor("hedger"))).equity;
        uint256 price = ((600e18 + (uint256(move) % 5_400e18)) / 1e10) * 1e10;
        setPrice(ETH, price);
        Assessment memory a = assess(main(actor("hedger")));
        // What is not hedged: less than 1e9 wei of a unit.
        checkNear(a.equity, equity, 1e9 * 6_000, "DN-2 equity");
        uint256 value = (hedged * price) / WAD;
        uint256 residual = 1e10 * 6_000;
        checkNear(int256(a.maintenanceMargin), int256((value * (staked ? 3 : 1)) / 100), residual, "DN-2 MM");
        checkNear(int256(a.initialMargin), int256((value * (staked ? 6 : 3)) / 100), residual, "DN-2 IM");
    }

    // ---------------------------------------------------------------- portfolios

    function _draw(uint256 seed) private pure returns (Draw memory d) {
        d.price = 1e18 + (_roll(seed, 0) % 100_000e18);
        d.initialFactor = 1e6 + (_roll(seed, 1) % 2e6);
        d.maintenanceFactor = 1e6 + (_roll(seed, 2) % (d.initialFactor - 1e6 + 1));
        d.stablePrice = 0.9e18 + (_roll(seed, 3) % 0.15e18);
        // Between nothing and 10^26 [wad] USD, at every scale.
        for (uint256 i = 0; i < 3; ++i) {
            d.values[i] = _scaled(seed, 4 + i);
            if (_roll(seed, 8 + i) % 4 == 0) d.ramps[i] = _roll(seed, 12 + i) % 1e6;
        }
        int256 size = int256((_scaled(seed, 16) * WAD) / d.price);
        d.net = _roll(seed, 17) % 3 == 0 ? size : -size;
        d.gross = uint256(size) + 2 * (_roll(seed, 18) % 2 == 0 ? 0 : (_scaled(seed, 19) * WAD) / d.price);
        d.base = int256(_scaled(seed, 20)) - int256(_scaled(seed, 21));
    }

    function _scaled(uint256 seed, uint256 what) private pure returns (uint256) {
        uint256 scale = _roll(seed, 100 + what) % 10;
        return scale == 0 ? 0 : _roll(seed, what) % (10 ** (16 + scale));
    }

    /// @dev The same prices and regime, nothing held.
    function _alone(Draw memory d) private pure returns (Draw memory one) {
        (one.price, one.stablePrice) = (d.price, d.stablePrice);
        (one.initialFactor, one.maintenanceFactor) = (d.initialFactor, d.maintenanceFactor);
    }

    /// @dev What stays of a portfolio, each leg rounded up.
    function _part(Draw memory d, uint256 keep) private pure returns (Draw memory rest) {
        rest = _alone(d);
        rest.ramps = d.ramps;
        rest.gross = _kept(d.gross, keep);
        rest.net = d.net < 0 ? -int256(_kept(uint256(-d.net), keep)) : int256(_kept(uint256(d.net), keep));
        for (uint256 i = 0; i < 3; ++i) rest.values[i] = _kept(d.values[i], keep);
    }

    function _kept(uint256 amount, uint256 keep) private pure returns (uint256) {
        return (amount * keep + WAD - 1) / WAD;
    }

    function _assess(Draw memory d) private view returns (Assessment memory) {
        return engine.assess(_words(d));
    }

    /// @dev As `types/Portfolio.sol` describes: base, a block of ETH with two collaterals, a block of USD with one.
    function _words(Draw memory d) private pure returns (uint256[] memory words) {
        words = new uint256[](8);
        words[0] = uint256(d.base);
        words[1] = (ETH << 248) | (2 << 240) | _snapshot(d.price, d.initialFactor, d.maintenanceFactor);
        words[2] = (uint256(d.net) << 128) | d.gross;
        words[3] = (WETH << 248) | (d.ramps[0] << 128) | d.values[0];
        words[4] = (WSTETH << 248) | (d.ramps[1] << 128) | d.values[1];
        words[5] = (USD << 248) | (1 << 240) | _snapshot(d.stablePrice, 1e6, 1e6);
        words[7] = (USDT << 248) | (d.ramps[2] << 128) | d.values[2];
    }

    function _snapshot(uint256 price, uint256 initial, uint256 maintenance) private pure returns (uint256) {
        return PriceSnapshot.unwrap(PriceSnapshots.pack(price, initial, maintenance));
    }

    function _roll(uint256 seed, uint256 what) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what)));
    }
}
