// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {MockERC20} from "../../contracts/mocks/MockERC20.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {Handler} from "./support/Handler.sol";
import {House} from "./support/House.sol";
import {Lens} from "./support/Lens.sol";

/// @notice What must stay true of the books after any sequence of calls. Each breach is printed with its name; what must hold of
/// a single action is checked in `Handler`.
contract InvariantsTest is House {
    uint256 private constant ASSETS = 2; // markets, and collaterals

    Handler private handler;
    Lens private lens;
    AccountId[] private ids;

    function setUp() public {
        deployHouse();
        handler = new Handler(ch);
        lens = handler.lens();
        ids = handler.accounts();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function invariant_Books() public view {
        uint256 pools = 0;
        uint256 flagged = 0;
        for (uint256 m = 0; m < ASSETS; ++m) {
            Lens.MarketSums memory s = lens.marketSums(ids, m);
            _checkSizes(s);
            _checkBacking(s, m);
            pools += s.pool;
            flagged += s.flaggedDeficit;
        }
        checkEq(ch.totalFlaggedDeficit(), flagged, "FLAGGED_SUM of markets");
        checkEq(ch.totalFlaggedDeficit(), handler.recordedSum(), "FLAGGED_SUM of accounts");
        for (uint256 i = 0; i < ids.length; ++i) {
            bool running = ch.auction(ids[i]).flagger != address(0);
            check(running || handler.recorded(ids[i]) == 0, "FLAGGED_SUM of accounts that are not flagged");
        }
        check(lens.bitmapsHold(ids, ASSETS), "BITMAPS");
        _checkCash(pools);
        for (uint256 c = 0; c < ASSETS; ++c) _checkCollateral(c);
    }

    /// @dev The invariants are worth what the handler reaches: all this happens in one long sequence. (What a failure here lacks is
    /// best seen with fewer actions: the runner traces a failed test call by call.)
    function test_HandlerReachesEverything() public {
        for (uint256 i = 0; i < 2_500; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            Address.functionCall(address(handler), abi.encodeWithSelector(_action(i), seed));
        }
        invariant_Books();
        string[22] memory outcomes = [
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
            "leave"
        ];
        for (uint256 i = 0; i < outcomes.length; ++i) check(handler.done(outcomes[i]) != 0, outcomes[i]);
    }

    function _action(uint256 i) private view returns (bytes4) {
        bytes4[21] memory actions = [
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
            handler.leaveFlat.selector
        ];
        return actions[uint256(keccak256(abi.encode("action", i))) % 21];
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
        uint256 held = usdc.balanceOf(address(vault));
        uint256 claims = lens.cashSum(ids) + pools;
        checkLe(claims, held * USDC_UNIT, "VAULT_COVERS_CLAIMS cash");
        checkEq((held - handler.donated(address(usdc))) * USDC_UNIT, claims, "CASH_IDENTITY");
    }

    function _checkCollateral(uint256 collateral) private view {
        MockERC20 token = tokens[collateral];
        uint256 unit = 10 ** (18 - token.decimals());
        uint256 held = token.balanceOf(address(vault));
        uint256 claims = lens.collateralSum(ids, collateral);
        check(lens.isWhole(ids, collateral, unit), "WHOLE_TOKEN_UNITS");
        checkLe(claims, held * unit, "VAULT_COVERS_CLAIMS collateral");
        checkEq((held - handler.donated(address(token))) * unit, claims, "COLLATERAL_IDENTITY");
    }
}
