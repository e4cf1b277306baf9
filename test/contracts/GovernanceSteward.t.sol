// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IRiskSteward} from "../../contracts/governance/IRiskSteward.sol";
import {RiskSteward} from "../../contracts/governance/RiskSteward.sol";
import {CollateralRisk, IRiskEngine} from "../../contracts/interfaces/IRiskEngine.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {Assessment, MarketParams} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice MM-5: what the steward may do at once, what it may not, and how far somebody who holds its key gets.
contract GovernanceStewardTest is House {
    uint64 private constant PARAMETERS = 1;

    RiskSteward private steward;

    /// @dev Holdings: 1,000,000 USDC, 10 WETH. Parameters: φ 5/3, β_i 3 %, h_i 10 %, τ_i of wstETH 3 %, caps 50 and 100 million, no outflow cap.
    function setUp() public {
        deployHouse();
        steward = new RiskSteward(address(authority), ch);
        bytes4[] memory ofHouse = new bytes4[](3);
        (ofHouse[0], ofHouse[1], ofHouse[2]) = (
            ch.setMarket.selector,
            ch.setCollateral.selector,
            ch.setOutflowCap.selector
        );
        bytes4[] memory ofEngine = new bytes4[](2);
        (ofEngine[0], ofEngine[1]) = (engine.setUnderlyingRisk.selector, engine.setCollateralRisk.selector);
        authority.setTargetFunctionRole(address(ch), ofHouse, PARAMETERS);
        authority.setTargetFunctionRole(address(engine), ofEngine, PARAMETERS);
        authority.grantRole(PARAMETERS, address(steward), 0);
        authority.grantRole(PARAMETERS, address(this), 0);
        giveCash(main(actor("erin")), 1_000_000e18);
        giveCollateral(main(actor("erin")), WETH, 10e18);
    }

    function _notTighter(bytes32 field, uint256 standing, uint256 wanted) private {
        vm.expectRevert(abi.encodeWithSelector(IRiskSteward.NotTighter.selector, field, standing, wanted));
    }

    function _tooLarge(bytes32 field, uint256 standing, uint256 wanted, uint256 furthest) private {
        vm.expectRevert(abi.encodeWithSelector(IRiskSteward.StepTooLarge.selector, field, standing, wanted, furthest));
    }

    function _tooSoon(bytes32 field, uint256 from) private {
        vm.expectRevert(abi.encodeWithSelector(IRiskSteward.StepTooSoon.selector, field, from));
    }

    // ---------------------------------------------------------------- caps

    function test_MM_5_CapsOnlyFall() public {
        _notTighter("hardCap", 100_000_000, 100_000_001);
        steward.tightenMarket(ETH, 1, 100_000_001);
        _notTighter("softCap", 50_000_000, 50_000_001);
        steward.tightenMarket(ETH, 50_000_001, 90_000_000);
        _notTighter("hardCap", 100_000_000, 100_000_000);
        steward.tightenMarket(ETH, 50_000_000, 100_000_000);
        steward.tightenMarket(ETH, 50_000_000, 60_000_000);
        steward.tightenMarket(ETH, 0, 0);
        (MarketParams memory params, , , , ) = ch.market(ETH);
        checkEq(params.softCap + params.hardCap, 0, "down to zero at once");
        checkEq(params.takerFee, 500, "the rest stays");
        checkEq(params.minFill, 0.01e18, "the rest stays");

        _notTighter("cap", 1e12, 1e12 + 1);
        steward.tightenCollateral(WETH, 1e12 + 1, 0);
        _notTighter("accountCap", 1e12, 1e12 + 1);
        steward.tightenCollateral(WETH, 1, 1e12 + 1);
        _notTighter("cap", 1e12, 1e12);
        steward.tightenCollateral(WETH, 1e12, 1e12);
        steward.tightenCollateral(WETH, 5, 4);
        checkEq(ch.collateral(WETH).cap, 5, "cap");
        checkEq(ch.collateral(WETH).accountCap, 4, "accountCap");
        checkEq(ch.collateral(WETH).minBalance, 0.005e18, "the rest stays");
    }

    function test_MM_5_CapsFallWhileFeedsAreSilent() public {
        stopFeeds();
        steward.tightenMarket(ETH, 0, 0);
        steward.tightenCollateral(WETH, 0, 0);
        steward.tightenCollateral(WSTETH, 0, 0);
        checkEq(ch.collateral(WSTETH).cap, 0, "no more of it comes in");
    }

    /// @dev The vault holds 1,000,000: a first limit is at least half of it, a second one half of that, and a quarter is the end.
    function test_MM_5_OutflowCapsAreHalvedADayToAQuarter() public {
        address token = address(usdc);
        _notTighter("outflowCap", 0, 0);
        steward.tightenOutflow(token, 0);
        _notTighter("outflowCap", 1_000_000, 1_000_001);
        steward.tightenOutflow(token, 1_000_001);
        _tooLarge("outflowCap", 1_000_000, 499_999, 500_000);
        steward.tightenOutflow(token, 499_999);
        steward.tightenOutflow(token, 500_000);
        _notTighter("outflowCap", 500_000, 500_000);
        steward.tightenOutflow(token, 500_000);
        _tooSoon("outflowCap", START + 1 days);
        steward.tightenOutflow(token, 499_999);
        passTime(1 days);
        steward.tightenOutflow(token, 250_000);
        passTime(1 days);
        _tooLarge("outflowCap", 250_000, 249_999, 250_000);
        steward.tightenOutflow(token, 249_999);
        // Governance sets 100,000: the count begins anew.
        ch.setOutflowCap(token, 100_000);
        _tooLarge("outflowCap", 100_000, 49_999, 50_000);
        steward.tightenOutflow(token, 49_999);
        steward.tightenOutflow(token, 50_000);
        passTime(1 days);
        _notTighter("outflowCap", 50_000, 0);
        steward.tightenOutflow(token, 0);
    }

    // ---------------------------------------------------------------- initial requirements

    /// @dev φ = 1.666666667: at most 2.083333333 in a step, 2.5 in all. β_i = 3 %: 3.75 % and 4.5 %.
    function test_MM_5_InitialRequirementsRiseInBounds() public {
        _notTighter("initialFactor", PHI, PHI - 1);
        steward.tightenUnderlying(ETH, PHI - 1, 30_000);
        _notTighter("basisInitial", 30_000, 29_999);
        steward.tightenUnderlying(ETH, PHI + 1, 29_999);
        _notTighter("initialFactor", PHI, PHI);
        steward.tightenUnderlying(ETH, PHI, 30_000);
        _tooLarge("initialFactor", PHI, 2_083_333_334, 2_083_333_333);
        steward.tightenUnderlying(ETH, 2_083_333_334, 30_000);
        _tooLarge("basisInitial", 30_000, 37_501, 37_500);
        steward.tightenUnderlying(ETH, PHI, 37_501);
        steward.tightenUnderlying(ETH, 2_083_333_333, 37_500);
        _tooSoon("initialFactor", START + 1 days);
        steward.tightenUnderlying(ETH, 2_083_333_334, 37_500);
        passTime(1 days);
        _tooLarge("initialFactor", 2_083_333_333, 2_500_000_001, 2_500_000_000);
        steward.tightenUnderlying(ETH, 2_500_000_001, 37_500);
        steward.tightenUnderlying(ETH, 2_500_000_000, 45_000);
        passTime(1 days);
        _tooLarge("initialFactor", 2_500_000_000, 2_500_000_001, 2_500_000_000);
        steward.tightenUnderlying(ETH, 2_500_000_001, 45_000);
        checkEq(engine.underlyingRisk(ETH).shock, 30_000, "the shock stays");
        checkEq(engine.underlyingRisk(ETH).maxTrackingInitial, 30_000, "tracking stays");
    }

    /// @dev h_i = 10 %: 12.5 % and 15 %; τ_i = 3 %: 3.75 %.
    function test_MM_5_InitialHaircutsRiseInBounds() public {
        _notTighter("haircutInitial", 100_000, 99_999);
        steward.tightenHaircut(WSTETH, 99_999, 30_000);
        _notTighter("trackingInitial", 30_000, 29_999);
        steward.tightenHaircut(WSTETH, 100_001, 29_999);
        _tooLarge("haircutInitial", 100_000, 125_001, 125_000);
        steward.tightenHaircut(WSTETH, 125_001, 30_000);
        _tooLarge("trackingInitial", 30_000, 37_501, 37_500);
        steward.tightenHaircut(WSTETH, 100_000, 37_501);
        steward.tightenHaircut(WSTETH, 125_000, 37_500);
        checkEq(engine.collateralRisk(WSTETH).haircut, 70_000, "h stays");
        checkEq(engine.collateralRisk(WSTETH).tracking, 20_000, "tracking stays");
        _notTighter("haircutInitial", 125_000, 125_000);
        steward.tightenHaircut(WSTETH, 125_000, 37_500);
    }

    // ---------------------------------------------------------------- a captured steward

    /// @notice Misuse within its bounds: whatever it raises, every hour, for a month: IM by a quarter a day and a half in all, MM not at all.
    function test_MM_5_ACapturedStewardMakesNobodyLiquidatable() public {
        (AccountId alice, AccountId bob) = (main(actor("alice")), main(actor("bob")));
        giveCash(alice, 100_000e18);
        giveCash(bob, 100_000e18);
        giveCollateral(alice, WSTETH, 10e18);
        trade(bob, alice, ETH, 40e18);
        Assessment memory before = assess(alice);
        for (uint256 hour = 0; hour < 30 * 24; ++hour) {
            _raiseAll();
            Assessment memory a = assess(alice);
            checkLe(a.maintenanceMargin, before.maintenanceMargin, "MM stays");
            checkLe(
                a.initialMargin * 100,
                before.initialMargin * (hour < 24 ? 125 : 150),
                "IM rises within its bounds"
            );
            passTime(1 hours);
        }
        checkLe(before.initialMargin * 140, assess(alice).initialMargin * 100, "it did rise");
    }

    /// @dev The most that goes, halving the wish until it is granted.
    function _raiseAll() private {
        for (uint256 percent = 150; percent > 100; percent -= 25) {
            uint256 factor = (engine.underlyingRisk(ETH).initialFactor * percent) / 100;
            uint256 basis = (engine.underlyingRisk(ETH).basisInitial * percent) / 100;
            _try(abi.encodeCall(steward.tightenUnderlying, (ETH, uint32(factor), uint24(basis))));
            uint256 haircut = (engine.collateralRisk(WSTETH).haircutInitial * percent) / 100;
            uint256 tracking = (engine.collateralRisk(WSTETH).trackingInitial * percent) / 100;
            _try(abi.encodeCall(steward.tightenHaircut, (WSTETH, uint24(haircut), uint24(tracking))));
        }
        _try(abi.encodeCall(steward.tightenUnderlying, (ETH, 2_500_000_000, 45_000)));
        _try(abi.encodeCall(steward.tightenHaircut, (WSTETH, 150_000, 45_000)));
    }

    function _try(bytes memory data) private {
        (bool done, ) = address(steward).call(data);
        done; // refused or not
    }

    function test_MM_5_OnlyTheRoleTightens() public {
        address stranger = actor("stranger");
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        bytes[] memory calls = new bytes[](5);
        calls[0] = abi.encodeCall(steward.tightenMarket, (ETH, 0, 0));
        calls[1] = abi.encodeCall(steward.tightenCollateral, (WETH, 0, 0));
        calls[2] = abi.encodeCall(steward.tightenOutflow, (address(usdc), 500_000));
        calls[3] = abi.encodeCall(steward.tightenUnderlying, (ETH, PHI + 1, 30_000));
        calls[4] = abi.encodeCall(steward.tightenHaircut, (WETH, 100_001, 0));
        for (uint256 i = 0; i < 5; ++i) {
            vm.prank(stranger);
            (bool done, bytes memory reason) = address(steward).call(calls[i]);
            check(!done && keccak256(reason) == keccak256(refusal), "a stranger is refused");
            (done, ) = address(steward).call(calls[i]);
            check(done, "who has the role is not");
        }
    }

    /// @dev What the engine's own bounds forbid stays forbidden: β_i + τ_i ≤ 2φκ = 10 %.
    function test_MM_5_HardBoundsHold() public {
        engine.setCollateralRisk(WSTETH, _wideTracking());
        vm.expectPartialRevert(IRiskEngine.ParameterOutOfBounds.selector);
        steward.tightenHaircut(WSTETH, 100_000, 80_000);
    }

    function _wideTracking() private view returns (CollateralRisk memory risk) {
        risk = engine.collateralRisk(WSTETH);
        risk.trackingInitial = 65_000;
    }
}
