// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../../contracts/interfaces/IClearingHouseCore.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Assessment} from "../../contracts/types/LedgerTypes.sol";
import {PriceSnapshot} from "../../contracts/types/Portfolio.sol";
import {House} from "./support/House.sol";
import {vm} from "./support/Vm.sol";

/// @notice A risk engine that governance should never have named: it finds the same equity everywhere and asks for no margin.
contract HostileEngine {
    int256 private immutable _equity;

    constructor(int256 equity) {
        _equity = equity;
    }

    function assess(uint256[] calldata) public view returns (Assessment memory) {
        return Assessment(_equity, 0, 0);
    }

    function slice(uint256[] calldata portfolio, uint256, uint256) external view returns (uint256, Assessment memory) {
        return (1e18, assess(portfolio));
    }

    function openingSurcharge(
        uint256,
        PriceSnapshot,
        uint256,
        uint256,
        uint256,
        uint256
    ) external pure returns (uint256) {
        return 0;
    }
}

/// @notice What strangers, a helper of one's own and a bad governor can do to others: nothing that costs them more than is written
/// here. Each fails if its defence is removed.
contract StrangersTest is House {
    address private alice;
    address private bob;
    address private carol;
    address private dave;
    address private erin;

    function setUp() public {
        deployHouse();
        (alice, bob, carol) = (actor("alice"), actor("bob"), actor("carol"));
        (dave, erin) = (actor("dave"), actor("erin"));
        giveCash(main(bob), 1_000_000e18);
    }

    /// @dev Alice: 12,000 of cash, long 100 ETH from 2,000; taker fee 100.
    function _longHundred() private {
        giveCash(main(alice), 12_000e18);
        giveCash(main(carol), 1_000_000e18);
        trade(main(bob), main(alice), ETH, 100e18);
    }

    // ---------------------------------------------------------------- griefing

    /// @dev Strangers force collateral on alice, send her dust, settle and flag her, crowd her market and leave hundreds of rounds
    /// unobserved. A withdrawal costs her what it did, but for a few words that are not zero any more.
    function test_MMS_2_AVictimsCostsAreBounded() public {
        _longHundred();
        _costOfLeaving(); // what is cold once is cold no more
        uint256 before = _costOfLeaving();
        for (uint256 c = WETH; c <= USDT; ++c) _forceCollateral(c);
        for (uint256 i = 0; i < 20; ++i) _bring(carol, main(alice), 1);
        for (uint96 i = 1; i <= 10; ++i) {
            giveCash(AccountIds.derive(dave, i), 1_000e18);
            trade(main(bob), AccountIds.derive(dave, i), ETH, 0.01e18);
        }
        for (uint256 i = 0; i < 300; ++i) setPrice(ETH, ETH_PRICE);
        int256 equity = assess(main(alice)).equity;
        for (uint256 i = 0; i < 20; ++i) settle(ETH, main(alice));
        checkLe(equity - assess(main(alice)).equity, 20, "F-3 a settlement rounds by a wei at most");
        vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
        ch.flag(main(alice));
        checkLe(_costOfLeaving(), before + 20_000, "MMS-2 what strangers do costs their victim nothing");
    }

    /// @dev Carol tries to pay collateral into alice's account. Whether that is refused or not: what counts is what it costs alice.
    function _forceCollateral(uint256 collateral) private returns (bool) {
        uint256 units = toUnits(collateral, 20e18);
        tokens[collateral].mint(carol, units);
        vm.prank(carol);
        tokens[collateral].approve(address(vault), units);
        bytes memory data = abi.encodeCall(ch.deposit, (main(alice), address(tokens[collateral]), units));
        vm.prank(carol);
        (bool done, ) = address(ch).call(data);
        return done;
    }

    /// @dev `who` pays `units` of USDC into an account.
    function _bring(address who, AccountId id, uint256 units) private {
        usdc.mint(who, units);
        vm.prank(who);
        usdc.approve(address(vault), units);
        vm.prank(who);
        ch.deposit(id, address(usdc), units);
    }

    /// @dev Gas of a withdrawal by alice, which is undone.
    function _costOfLeaving() private returns (uint256 gas) {
        uint256 state = vm.snapshotState();
        gas = gasleft();
        withdrawCash(main(alice), 1e18);
        gas -= gasleft();
        vm.revertToState(state);
    }

    /// @dev A unit of USDC makes 10^6 shares. 10,000 are donated, then carol enters with 10,000: without virtual shares she would get one
    /// share of three, 6,666.
    function test_CMA_5_DonationToTheFund() public {
        giveFund(dave, USDC_UNIT);
        _bring(dave, fund.account(), 10_000e6);
        giveFund(carol, 10_000e18);
        checkLe(9_999e6, fund.previewRedeem(fund.balanceOf(carol)), "a donation takes nothing from who enters");
    }

    // ---------------------------------------------------------------- around a price

    /// @dev Alice knows that ETH is about to fall. 100 WETH carry 169,900: IM = 5/3 · (3 % · 200,000 + 16) + 10 % · 200,000 = 30,026.67.
    /// A fall by κ leaves E = 24,100 above MM = 3 % · 194,000 + 15 + 7 % · 194,000 = 19,415; one of 15 % leaves the lenders whole.
    function test_OR_2_BorrowingAheadOfTheOracle() public {
        giveCash(main(erin), 500_000e18);
        lend(main(erin), 500_000e18);
        giveCash(main(carol), 1_000_000e18);
        giveCollateral(main(alice), WETH, 100e18);
        vm.expectPartialRevert(IClearingHouseCore.InsufficientMargin.selector);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 170_100e6, alice);
        borrow(main(alice), 169_900e18);
        setPrice(ETH, 1_940e18);
        vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
        liquidate(main(alice), main(carol));
        setPrice(ETH, 1_700e18);
        checkEq(assess(main(alice)).equity, 100e18, "the debt is covered");
    }

    // ---------------------------------------------------------------- taking oneself

    /// @dev Carol is alice's other hand. E = 12,000 − 100 − 7,000 = 4,900, MM = 193,000 · 3 % + 14.9 = 5,804.9: what passes from one hand to
    /// the other is gone by the fund's fifth of f · 5 % of MM = f · 58.049.
    function test_LIQ_4_TakingOneselfCosts() public {
        _longHundred();
        setPrice(ETH, 1_930e18);
        int256 before = assess(main(alice)).equity + assess(main(carol)).equity;
        (uint256 fraction, ) = liquidate(main(alice), main(carol));
        int256 lost = before - assess(main(alice)).equity - assess(main(carol)).equity;
        checkNear(lost, int256((fraction * 58.049e18) / 1e18), 0.001e18, "a fifth of the penalty is lost");
        checkNear(int256(cashOf(fund.account())), lost, 1e6, "and is the fund's");
    }

    // ---------------------------------------------------------------- a bad governor

    /// @dev An engine that finds everybody bankrupt: who is flat is not sold, and leaves with all he has.
    function test_MM_5_FlatLeavesWhateverTheEngineSays() public {
        giveCash(main(alice), 500e18);
        giveCollateral(main(alice), WETH, 3e18);
        giveCash(main(carol), 1_000_000e18);
        ch.setRiskEngine(address(new HostileEngine(-1e24)));
        vm.expectPartialRevert(IClearingHouseCore.NotLiquidatable.selector);
        liquidate(main(alice), main(carol));
        withdrawCash(main(alice), 500e18);
        withdrawCollateral(main(alice), WETH, 3e18);
        checkEq(usdc.balanceOf(alice), 500e6, "cash");
        checkEq(tokens[WETH].balanceOf(alice), 3e18, "collateral");
    }

    /// @dev An engine that finds everybody rich: alice leaves with her 1,000 and the 5,000 that erin lends, and with no cash of bob's.
    function test_MM_5_AHostileEngineGivesAwayThePoolAtMost() public {
        giveCash(main(alice), 1_000e18);
        giveCash(main(erin), 5_000e18);
        lend(main(erin), 5_000e18);
        ch.setRiskEngine(address(new HostileEngine(1e30)));
        vm.expectPartialRevert(IClearingHouseCore.InsufficientCash.selector);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 6_001e6, alice);
        withdrawCash(main(alice), 6_000e18);
        withdrawCash(main(bob), 1_000_000e18);
    }
}
