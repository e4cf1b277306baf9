// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RiskPreview} from "../../contracts/governance/RiskPreview.sol";
import {CollateralRisk, IRiskEngine, UnderlyingRisk} from "../../contracts/interfaces/IRiskEngine.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {MarginState} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice MM-5: the preview of a change against the change itself.
contract GovernancePreviewTest is House {
    RiskPreview private preview;
    AccountId[] private ids;

    /// @dev Long 100 ETH = 200,000 each against bob, with 6,100 to 24,100 of cash in steps of 2,000: fee 100, so E = 6,000 to 24,000.
    /// MM = 3 % · 200,000 + size 2 % · 200,000 · 200,000 / 50,000,000 = 6,016; IM = 5/3 of it = 10,026.67.
    function setUp() public {
        deployHouse();
        preview = new RiskPreview(ch);
        AccountId bob = main(actor("bob"));
        giveCash(bob, 10_000_000e18);
        for (uint256 i = 0; i < 10; ++i) {
            AccountId id = main(actor(string(abi.encodePacked("trader", i))));
            giveCash(id, 30_100e18);
            trade(bob, id, ETH, 100e18);
            ids.push(id);
        }
        for (uint256 i = 0; i < 10; ++i) withdrawCash(ids[i], i < 3 ? 19_000e18 : (10 - i) * 1_800e18);
        AccountId flat = main(actor("flat"));
        giveCollateral(flat, WETH, 10e18);
        ids.push(flat);
        AccountId borrower = main(actor("borrower"));
        lend(bob, 1_000_000e18);
        giveCollateral(borrower, WSTETH, 10e18);
        borrow(borrower, 19_000e18);
        ids.push(borrower);
    }

    /// @notice The preview names exactly those whose state the change itself changes, for changes of every size.
    /// hardhat-config: fuzz.runs = 50
    function testFuzz_MM_5_IsWhatTheChangeDoes(uint256 seed) public {
        UnderlyingRisk memory risk = engine.underlyingRisk(ETH);
        risk.shock = uint24(20_000 + (seed % 70_000));
        risk.slope = uint24((seed >> 32) % 60_000);
        risk.initialFactor = uint32(1_200_000_000 + ((seed >> 64) % 1_000_000_000));
        CollateralRisk memory haircut = engine.collateralRisk(WSTETH);
        haircut.haircut = uint24(20_000 + ((seed >> 96) % 100_000));
        haircut.haircutInitial = uint24(haircut.haircut + ((seed >> 128) % 100_000));
        bytes[] memory changes = new bytes[](2);
        changes[0] = abi.encodeCall(engine.setUnderlyingRisk, (ETH, risk));
        changes[1] = abi.encodeCall(engine.setCollateralRisk, (WSTETH, haircut));
        AccountId[] memory accounts = ids;
        uint256 state = vm.snapshotState();
        try preview.preview(changes, accounts) returns (AccountId[] memory called, AccountId[] memory liquidatable) {
            vm.revertToState(state);
            bool[2][] memory under = _under(accounts);
            engine.setUnderlyingRisk(ETH, risk);
            engine.setCollateralRisk(WSTETH, haircut);
            bool[2][] memory afterwards = _under(accounts);
            (uint256 calls, uint256 falls) = (0, 0);
            for (uint256 i = 0; i < accounts.length; ++i) {
                if (afterwards[i][0] && !under[i][0]) check(called[calls++].equals(accounts[i]), "called");
                if (afterwards[i][1] && !under[i][1]) check(liquidatable[falls++].equals(accounts[i]), "liquidatable");
            }
            checkEq(called.length, calls, "nobody else is called");
            checkEq(liquidatable.length, falls, "nobody else is liquidatable");
        } catch {
            // The engine refuses the change: β + τ ≤ 2κ, or the clamp. It does so itself, too.
            vm.revertToState(state);
            (bool first, ) = address(engine).call(changes[0]);
            (bool second, ) = address(engine).call(changes[1]);
            check(!first || !second, "refused by the engine too");
        }
    }

    function _under(AccountId[] memory accounts) private view returns (bool[2][] memory states) {
        states = new bool[2][](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            MarginState s = ch.marginState(accounts[i]);
            states[i] = [s != MarginState.Healthy, s == MarginState.Liquidatable || s == MarginState.Bankrupt];
        }
    }

    /// @dev Cash left: 11,000 thrice (19,000 taken), then 17,400, 19,200 ... 28,200. At κ 6 %: MM = 12,016, IM = 20,026.67: the first three
    /// become liquidatable, five are called (17,400 and 19,200 too). The flat account is not, nor is who had 10 wstETH and 19,000 of debt.
    function test_MM_5_CountsByHand() public {
        UnderlyingRisk memory risk = engine.underlyingRisk(ETH);
        risk.shock = 60_000;
        bytes[] memory changes = new bytes[](1);
        changes[0] = abi.encodeCall(engine.setUnderlyingRisk, (ETH, risk));
        AccountId[] memory traders = new AccountId[](11);
        for (uint256 i = 0; i < 11; ++i) traders[i] = ids[i];
        (AccountId[] memory called, AccountId[] memory liquidatable) = preview.preview(changes, traders);
        checkEq(called.length, 5, "called");
        checkEq(liquidatable.length, 3, "liquidatable");
        checkEq(engine.underlyingRisk(ETH).shock, 30_000, "nothing has changed");
        (called, liquidatable) = preview.preview(new bytes[](0), ids);
        checkEq(called.length + liquidatable.length, 0, "no change, nobody");
    }

    /// @notice A tracking charge that was higher once keeps its clamp: the engine's own sums are copied, not made anew.
    function test_MM_5_CopiesWhatTheEngineKeeps() public {
        CollateralRisk memory risk = engine.collateralRisk(WSTETH);
        (risk.tracking, risk.trackingInitial) = (25_000, 40_000);
        engine.setCollateralRisk(WSTETH, risk);
        (risk.tracking, risk.trackingInitial) = (0, 0);
        engine.setCollateralRisk(WSTETH, risk);
        UnderlyingRisk memory tight = engine.underlyingRisk(ETH);
        tight.basis = 40_000; // β + τ ≤ 2κ = 6 %
        bytes[] memory changes = new bytes[](1);
        changes[0] = abi.encodeCall(engine.setUnderlyingRisk, (ETH, tight));
        vm.expectRevert(
            abi.encodeWithSelector(IRiskEngine.ParameterOutOfBounds.selector, bytes32("basis"), 40_000, 5_001, 35_000)
        );
        preview.preview(changes, ids);
    }

    function test_MM_5_NobodyElseChangesTheScratchEngine() public view {
        check(preview.canCall(address(preview), address(engine), engine.setUnderlyingRisk.selector), "itself");
        check(!preview.canCall(address(this), address(engine), engine.setUnderlyingRisk.selector), "nobody else");
    }
}
