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
    string[45] internal outcomes = [
        "deposit",
        "withdraw cash",
        "withdraw collateral",
        "transfer",
        "trade",
        "execution fee",
        "cap exposure",
        "held back by a cap",
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

    /// @dev Sums that are broken stay broken: every sixteenth call looks, and the end of each sequence.
    function invariant_Books() public view {
        if (handler.draws() % 16 == 0) _checkBooks();
    }

    function afterInvariant() public view {
        _checkBooks();
    }

    function _checkBooks() private view {
        Lens.Books memory b = lens.books(ids, MARKETS);
        (uint256 givenCash, uint256[] memory given) = handler.donations();
        uint256 pools = 0;
        uint256 flagged = 0;
        for (uint256 m = 0; m < MARKETS; ++m) {
            _checkSizes(b.markets[m]);
            _checkBacking(b.markets[m], m);
            pools += b.markets[m].pool;
            flagged += b.markets[m].flaggedDeficit;
        }
        checkEq(b.flaggedDeficit, flagged + b.loans.pool.flaggedDeficit, "FLAGGED_SUM of markets and lending");
        (uint256 recorded, uint256 ofFlagged) = handler.recordedDeficits(b.flagged);
        checkEq(b.flaggedDeficit, recorded, "FLAGGED_SUM of accounts");
        checkEq(recorded, ofFlagged, "FLAGGED_SUM of accounts that are not flagged");
        check(b.bitmapsHold, "BITMAPS");
        _checkCash(b, pools, givenCash);
        _checkLoans(b.loans);
        for (uint256 c = 0; c < COLLATERALS; ++c) _checkCollateral(b.collaterals[c], given[c]);
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
            _checkBooks();
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
        bytes4[35] memory actions = [
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
            handler.crash.selector,
            handler.capExposure.selector
        ];
        return actions[uint256(keccak256(abi.encode("action", i))) % 35];
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

    function _checkCash(Lens.Books memory b, uint256 pools, uint256 given) private pure {
        LendingPool memory p = b.loans.pool;
        uint256 claims = b.cash + p.lent + p.reserves - p.borrowed + pools;
        checkLe(claims, b.cashHeld * USDC_UNIT, "VAULT_COVERS_CLAIMS cash");
        checkEq((b.cashHeld - given) * USDC_UNIT, claims, "CASH_IDENTITY");
    }

    /// @dev Roundings are the pool's: what accounts owe is at least what was borrowed, what they own at most what was lent.
    function _checkLoans(Lens.LoanSums memory s) private view {
        LendingPool memory p = s.pool;
        check(s.exclusive, "DEBT_EXCLUDES_CASH");
        checkEq(s.debtShares, p.debtShares, "DEBT_SHARES sum up");
        checkEq(s.lentShares, p.lentShares, "LENT_SHARES sum up");
        checkNear(int256(s.debt), int256(uint256(p.borrowed)), ids.length + 1, "DEBT_IS_BORROWED");
        checkLe(s.lent, p.lent, "LENT_IS_BACKED");
        checkLe(p.borrowed, uint256(p.lent) + p.reserves, "LENDING_IS_LIQUID");
    }

    function _checkCollateral(Lens.CollateralSums memory s, uint256 given) private pure {
        check(s.whole, "WHOLE_TOKEN_UNITS");
        checkEq(s.total, s.sum, "COLLATERAL_TOTAL");
        checkLe(s.sum, s.held * s.unit, "VAULT_COVERS_CLAIMS collateral");
        checkEq((s.held - given) * s.unit, s.sum, "COLLATERAL_IDENTITY");
    }
}
