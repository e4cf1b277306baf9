// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {CollateralRisk} from "../../contracts/interfaces/IRiskEngine.sol";
import {CallbackToken} from "../../contracts/mocks/CallbackToken.sol";
import {FeeToken} from "../../contracts/mocks/FeeToken.sol";
import {MockERC20} from "../../contracts/mocks/MockERC20.sol";
import {OddToken} from "../../contracts/mocks/OddToken.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {LendingPool, MarketParams} from "../../contracts/types/LedgerTypes.sol";
import {Handler} from "./support/Handler.sol";
import {House} from "./support/House.sol";
import {Lens} from "./support/Lens.sol";
import {vm} from "./support/Vm.sol";

/// @notice What must stay true of the books after any sequence of calls. Each breach is printed with its name; what must hold of
/// a single action is checked in `Handler`.
contract InvariantsTest is House {
    uint256 private constant MARKETS = 2;
    uint256 private constant COLLATERALS = 7;

    Handler internal handler;
    Lens private lens;
    AccountId[] private ids;

    /// @dev What one long sequence must reach.
    string[42] internal outcomes = [
        "deposit",
        "withdraw cash",
        "withdraw collateral",
        "transfer",
        "trade",
        "below IM, not worse",
        "batch",
        "settle",
        "claim",
        "claim against bad debt",
        "sweep",
        "accrue",
        "flag",
        "liquidate",
        "slice",
        "sunk",
        "socialised",
        "bad debt",
        "cash call",
        "fund deposit",
        "fund exit",
        "leave",
        "fee token",
        "callback refused",
        "lend",
        "recall",
        "borrow",
        "borrow to settle",
        "repay",
        "sweep reserves",
        "lenders bear",
        "open above the soft cap",
        "surcharge refuses",
        "observe",
        "regime above one",
        "depeg",
        "delist",
        "margin call event",
        "reduce at the last good price",
        "liquidate the rest",
        "refused without a price",
        "rescue"
    ];

    function setUp() public {
        deployHouse();
        CollateralRisk memory risk = CollateralRisk(70_000, 100_000, 0, 0, uint8(ETH), 0, 0);
        listCollateral(new FeeToken(18), risk, 0.005e18);
        risk.underlying = uint8(BTC);
        listCollateral(new CallbackToken(8), risk, 0.0002e18);
        risk.underlying = uint8(USD);
        listCollateral(MockERC20(address(new OddToken(6))), risk, 10e18);
        MarketParams memory crowded = marketParams(BTC, 0.001e18);
        (crowded.softCap, crowded.hardCap) = (600_000, 2_000_000);
        ch.setMarket(BTC, crowded);
        handler = new Handler(ch);
        lens = handler.lens();
        ids = handler.accounts();
        authority.grantRole(authority.ADMIN_ROLE(), address(handler), 0);
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function invariant_Books() public view {
        uint256 pools = 0;
        uint256 flagged = 0;
        for (uint256 m = 0; m < MARKETS; ++m) {
            Lens.MarketSums memory s = lens.marketSums(ids, m);
            _checkSizes(s);
            _checkBacking(s, m);
            pools += s.pool;
            flagged += s.flaggedDeficit;
        }
        checkEq(ch.totalFlaggedDeficit(), flagged + lendingPool().flaggedDeficit, "FLAGGED_SUM of markets and lending");
        checkEq(ch.totalFlaggedDeficit(), handler.recordedSum(), "FLAGGED_SUM of accounts");
        for (uint256 i = 0; i < ids.length; ++i) {
            bool running = ch.auction(ids[i]).flagger != address(0);
            check(running || handler.recorded(ids[i]) == 0, "FLAGGED_SUM of accounts that are not flagged");
        }
        check(lens.bitmapsHold(ids, MARKETS, COLLATERALS), "BITMAPS");
        _checkCash(pools);
        _checkLoans();
        for (uint256 c = 0; c < COLLATERALS; ++c) _checkCollateral(c);
    }

    /// @dev The invariants are worth what the handler reaches: all this happens in thirty sequences, each from the same start.
    /// (What a failure here lacks is best seen with fewer actions: the runner traces a failed test call by call.)
    function test_HandlerReachesEverything() public {
        uint256[] memory reached = new uint256[](outcomes.length);
        for (uint256 run = 0; run < 30; ++run) {
            uint256 start = vm.snapshotState();
            for (uint256 i = run * 200; i < (run + 1) * 200; ++i) {
                uint256 seed = uint256(keccak256(abi.encode(i)));
                Address.functionCall(address(handler), abi.encodeWithSelector(_action(i), seed));
            }
            invariant_Books();
            for (uint256 i = 0; i < outcomes.length; ++i) reached[i] += handler.done(outcomes[i]);
            vm.revertToState(start);
        }
        string memory missing = "";
        for (uint256 i = 0; i < outcomes.length; ++i) {
            if (reached[i] == 0) missing = string.concat(missing, outcomes[i], ", ");
        }
        check(bytes(missing).length == 0, string.concat("not reached: ", missing));
    }

    function _action(uint256 i) internal view returns (bytes4) {
        bytes4[34] memory actions = [
            handler.deposit.selector,
            handler.withdraw.selector,
            handler.transfer.selector,
            handler.donate.selector,
            handler.touchForeign.selector,
            handler.tradeAny.selector,
            handler.reduce.selector,
            handler.batch.selector,
            handler.settleMarket.selector,
            handler.claim.selector,
            handler.sweepFees.selector,
            handler.accrueFunding.selector,
            handler.movePrice.selector,
            handler.wait.selector,
            handler.flag.selector,
            handler.liquidateAny.selector,
            handler.absorb.selector,
            handler.cashCall.selector,
            handler.fundDeposit.selector,
            handler.fundExit.selector,
            handler.leaveFlat.selector,
            handler.lendAny.selector,
            handler.recallAny.selector,
            handler.borrowAny.selector,
            handler.repay.selector,
            handler.sweepReserves.selector,
            handler.crowd.selector,
            handler.observeAny.selector,
            handler.delist.selector,
            handler.callMargin.selector,
            handler.reduceAtLastGood.selector,
            handler.liquidateWithoutPrice.selector,
            handler.withoutPrice.selector,
            handler.crash.selector
        ];
        return actions[uint256(keccak256(abi.encode("action", i))) % 34];
    }

    function _checkSizes(Lens.MarketSums memory s) private pure {
        checkEq(s.sizes, int256(0), "SIZES_SUM_TO_ZERO");
        checkEq(s.openInterest, s.longs, "OPEN_INTEREST of longs");
        checkEq(s.openInterest, s.shorts, "OPEN_INTEREST of shorts");
    }

    /// @dev Σ floor(PnL) + fees ≤ pool + bad debt, short of it by no more than what roundings can have left there.
    function _checkBacking(Lens.MarketSums memory s, uint256 market) private view {
        int256 claims = s.pnl + int256(s.fees);
        int256 backing = int256(s.pool + s.badDebt);
        checkLe(claims, backing, "PNL_BACKED");
        checkLe(
            backing - claims,
            int256(s.positions + handler.roundings(market)),
            "PNL_BACKED, no more than roundings"
        );
    }

    function _checkCash(uint256 pools) private view {
        LendingPool memory p = lendingPool();
        uint256 held = usdc.balanceOf(address(vault));
        uint256 claims = lens.cashSum(ids) + p.lent + p.reserves - p.borrowed + pools;
        checkLe(claims, held * USDC_UNIT, "VAULT_COVERS_CLAIMS cash");
        checkEq((held - handler.donated(address(usdc))) * USDC_UNIT, claims, "CASH_IDENTITY");
    }

    /// @dev Roundings are the pool's: what accounts owe is at least what was borrowed, what they own at most what was lent.
    function _checkLoans() private view {
        LendingPool memory p = lendingPool();
        Lens.LoanSums memory s = lens.loanSums(ids);
        check(s.exclusive, "DEBT_EXCLUDES_CASH");
        checkEq(s.debtShares, p.debtShares, "DEBT_SHARES sum up");
        checkEq(s.lentShares, p.lentShares, "LENT_SHARES sum up");
        checkNear(int256(s.debt), int256(uint256(p.borrowed)), ids.length + 1, "DEBT_IS_BORROWED");
        checkLe(s.lent, p.lent, "LENT_IS_BACKED");
        checkLe(p.borrowed, uint256(p.lent) + p.reserves, "LENDING_IS_LIQUID");
    }

    function _checkCollateral(uint256 collateral) private view {
        MockERC20 token = tokens[collateral];
        uint256 unit = unitOf(collateral);
        uint256 held = token.balanceOf(address(vault));
        uint256 claims = lens.collateralSum(ids, collateral);
        check(lens.isWhole(ids, collateral, unit), "WHOLE_TOKEN_UNITS");
        checkEq(ch.collateralTotal(collateral), claims, "COLLATERAL_TOTAL");
        checkLe(claims, held * unit, "VAULT_COVERS_CLAIMS collateral");
        checkEq((held - handler.donated(address(token))) * unit, claims, "COLLATERAL_IDENTITY");
    }
}
