// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseCore} from "../interfaces/IClearingHouseCore.sol";
import {AccountId} from "../types/AccountId.sol";
import {Assessment, Auction, FLAG_AUCTION, LiquidationTerms, WAD} from "../types/LedgerTypes.sol";
import {Portfolios} from "../types/Portfolio.sol";
import {Auctions} from "./Auctions.sol";
import {Fixed} from "./Fixed.sol";
import {Ledger} from "./Ledger.sol";
import {Liquidation} from "./Liquidation.sol";
import {Margin} from "./Margin.sol";
import {Pools} from "./Pools.sol";
import {Prices} from "./Prices.sol";
import {Reports} from "./Reports.sol";
import {Transient} from "./Transient.sol";
import {Waterfall} from "./Waterfall.sol";

/// @notice What anyone may find out about an account for the record: that it is below IM or MM, that it has recovered, that nothing is
/// left of it, that part of it has no usable price.
library Observation {
    uint256 private constant HALVINGS = 12; // a slice beside something without a price is found to 1/4096

    function flag(Ledger.State storage $, AccountId id) external {
        Auctions.requireNotPending(id);
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.KINDEST);
        Assessment memory a = Margin.judge($, s);
        if (a.equity >= int256(a.maintenanceMargin)) return _observeAbove($, id, s, a);
        Auction memory x = Auctions.advance($, id, a, msg.sender);
        if (!s.degraded) Auctions.recordDeficit($, id, x, Fixed.positive(-a.equity));
        Auctions.store($, id, x);
        emit IClearingHouseCore.Flagged(id, msg.sender, a.equity, a.initialMargin, a.maintenanceMargin, x.clock);
    }

    /// @notice Liquidates an account part of which has no usable price: it counts at its kindest, and the rest is what is sold.
    function liquidateRest(
        Ledger.State storage $,
        AccountId id,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external returns (uint256, int256) {
        Margin.Snapshot memory s = Margin.gather($, id, false, Margin.ALL, Prices.KINDEST);
        Assessment memory a = Margin.judge($, s);
        if (a.equity >= int256(a.maintenanceMargin)) {
            revert IClearingHouseCore.NotLiquidatable(id, a.equity, a.maintenanceMargin);
        }
        uint256 stuck = Margin.stuckMargin($, s);
        // A rest that hedges what is stuck would be worse off without it.
        if (a.maintenanceMargin <= stuck) revert IClearingHouseCore.NothingToSell(id);
        // At no more than E/MM of what the rest adds to MM: so the ratio never falls.
        uint256 discount = Auctions.discountNow($, id);
        uint256 ratio = (Fixed.positive(a.equity) * WAD) / a.maintenanceMargin;
        uint256 base = ((a.maintenanceMargin - stuck) * Fixed.min(ratio, discount)) / discount;
        return Liquidation.liquidate($, id, taker, terms, _sliceOfRest($, s, a, discount * base), base, a, true);
    }

    function absorb(Ledger.State storage $, AccountId id) external {
        Auctions.requireNotPending(id);
        Assessment memory a = Margin.assess($, id);
        if (a.equity >= 0 || Auctions.hasAssets($, id, Pools.legs($, id)))
            revert IClearingHouseCore.NotAbsorbable(id, a.equity);
        Transient.markLater(id, Transient.STRICT);
        Auctions.clear($, id);
        Pools.settleAll($, id);
        Waterfall.absorb($, id, uint256(-a.equity));
    }

    // ---------------------------------------------------------------- internals

    /// @dev The slice of the rest that lands at IM, found by halving and rounded up; all of it if that is not enough. All of it costs
    /// `cost` [wad · wad].
    function _sliceOfRest(
        Ledger.State storage $,
        Margin.Snapshot memory s,
        Assessment memory a,
        uint256 cost
    ) private view returns (uint256 fraction) {
        fraction = WAD;
        uint256 low = 0;
        for (uint256 step = 0; step < HALVINGS; ++step) {
            uint256 f = (low + fraction) / 2;
            uint256 required = $.riskEngine.assess(Portfolios.scale(s.words, WAD - f)).initialMargin;
            if (a.equity - int256(Fixed.divUp(f * cost, WAD * WAD)) >= int256(required)) fraction = f;
            else low = f;
        }
    }

    /// @dev Between MM and IM a margin call: a flagged account keeps its clock, but a deficit that has healed is not one any more. At
    /// E ≥ IM the auction ends.
    function _observeAbove(
        Ledger.State storage $,
        AccountId id,
        Margin.Snapshot memory s,
        Assessment memory a
    ) private {
        bool flagged = $.accounts[id].flags & FLAG_AUCTION != 0;
        bool called = a.equity < int256(a.initialMargin);
        if (s.degraded || (!flagged && !called)) {
            revert IClearingHouseCore.NotLiquidatable(id, a.equity, a.maintenanceMargin);
        }
        Transient.markLater(id, Transient.STRICT); // what a batch brought in for this observation stays in
        if (!called) return Auctions.clear($, id);
        if (flagged) {
            Auction memory x = $.auctions[id];
            Auctions.recordDeficit($, id, x, 0);
            $.auctions[id] = x;
        }
        Reports.callMargin($, id, s, a);
    }
}
