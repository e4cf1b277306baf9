// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {FundingHarness} from "../../contracts/mocks/FundingHarness.sol";
import {Assessment} from "../../contracts/types/LedgerTypes.sol";
import {House} from "./support/House.sol";
import {Vm, vm} from "./support/Vm.sol";

/// @notice Details of the ledger that show in nothing but one number or event.
contract DetailsTest is House {
    address private alice;
    address private bob;
    address private carol;

    function setUp() public {
        deployHouse();
        (alice, bob, carol) = (actor("alice"), actor("bob"), actor("carol"));
        giveCash(main(bob), 1_000_000e18);
        giveCash(main(carol), 1_000_000e18);
    }

    /// @dev Long in two markets at ten times leverage; then both fall: E = 2,000 − 19 − 3,000 − 1,800.
    function _sinkInTwoMarkets() private {
        giveCash(main(alice), 2_000e18);
        trade(main(bob), main(alice), ETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.3e18);
        setPrice(ETH, 1_700e18);
        setPrice(BTC, 54_000e18);
    }

    function _flag() private {
        vm.prank(carol);
        ch.flag(main(alice));
    }

    function _logged(bytes32 topic) private returns (bytes memory data) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) if (logs[i].topics[0] == topic) return logs[i].data;
        check(false, "no such event");
    }

    function test_DeficitIsRecordedInEveryMarketAndTakenBack() public {
        _sinkInTwoMarkets();
        _flag();
        checkEq(ch.totalFlaggedDeficit(), 2_819e18, "deficit");
        check(poolOf(ETH).flaggedDeficit != 0 && poolOf(BTC).flaggedDeficit != 0, "in both markets");
        giveCash(main(alice), 20_000e18);
        _flag();
        checkEq(poolOf(ETH).flaggedDeficit, 0, "ETH");
        checkEq(poolOf(BTC).flaggedDeficit, 0, "BTC");
        checkEq(ch.totalFlaggedDeficit(), 0, "total");
    }

    /// @dev After 180 s of clock the rescue is half of MM, whatever number of markets it is drawn for.
    function test_RescueIsSpreadOverMarkets() public {
        giveFund(bob, 500_000e18);
        _sinkInTwoMarkets();
        Assessment memory a = assess(main(alice));
        for (uint256 i = 0; i < 3; ++i) {
            _flag();
            passTime(60);
        }
        vm.recordLogs();
        liquidate(main(alice), main(carol));
        uint256 paid = abi.decode(_logged(IClearingHouse.RescuePaid.selector), (uint256));
        checkNear(int256(paid), int256(a.maintenanceMargin / 2), 2, "half of MM");
    }

    /// @dev A loss of 3,030 that no cash covers is called after a day of observations; the event says that it was a cash call.
    function test_CashCallIsNamedInItsEvent() public {
        giveCollateral(main(alice), WETH, 50e18);
        trade(main(bob), main(alice), BTC, 1e18);
        setPrice(BTC, 57_000e18);
        for (uint256 i = 0; i < 26; ++i) {
            settle(BTC, main(alice));
            passTime(1 hours);
        }
        settle(BTC, main(alice));
        vm.recordLogs();
        vm.prank(carol);
        ch.cashCall(main(alice), main(carol), anyTerms());
        check(abi.decode(_logged(IClearingHouse.Liquidated.selector), (bool)), "a cash call");
    }

    /// @dev At the cap of 0.05 % per 8 h on a price of 2,000 the index would pass 2^142 after 1.6e5 years; it stays there.
    function test_FundingSaturates() public {
        FundingHarness funding = new FundingHarness();
        int256 most = 2 ** 142;
        checkEq(funding.advance(most - 1, 5e8, 5e8, 2_000e18, 1 days), most, "above");
        checkEq(funding.advance(1 - most, -5e8, -5e8, 2_000e18, 1 days), -most, "below");
    }

    /// @dev Collateral of 14,050 against a debt of 14,000 leaves 50, less than the penalty of about 76 on the whole; the rest of E is
    /// profit that no pool holds. What the slice costs beyond 50 is paid by keeping that much debt.
    function test_SliceIsPaidByKeepingDebt() public {
        vm.prank(carol);
        ch.lend(main(carol), 100_000e6);
        giveCollateral(main(alice), WETH, 10e18);
        trade(main(bob), main(alice), BTC, 0.05e18);
        vm.prank(alice);
        ch.withdraw(main(alice), address(usdc), 14_000e6, alice);
        setPrice(BTC, 80_000e18);
        setPrice(ETH, 1_405e18);
        Assessment memory a = assess(main(alice));
        (uint256 fraction, ) = liquidate(main(alice), main(carol));
        check(fraction < 1e18, "a slice");
        int256 expected = a.equity - int256((fraction * a.maintenanceMargin) / 20e18);
        checkNear(assess(main(alice)).equity, expected, 16, "E' = E - f d MM");
    }
}
