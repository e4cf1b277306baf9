// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

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
        check(lens.bitmapsHold(ids, ASSETS), "BITMAPS");
        _checkCash(pools);
        for (uint256 c = 0; c < ASSETS; ++c) _checkCollateral(c);
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
        checkLe(claims, held * unit, "VAULT_COVERS_CLAIMS collateral");
        checkEq((held - handler.donated(address(token))) * unit, claims, "COLLATERAL_IDENTITY");
    }
}
