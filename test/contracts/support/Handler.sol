// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {Exchange} from "../../../contracts/Exchange.sol";
import {InsuranceFund} from "../../../contracts/InsuranceFund.sol";
import {PriceOracle} from "../../../contracts/PriceOracle.sol";
import {Vault} from "../../../contracts/Vault.sol";
import {IClearingHouseCore} from "../../../contracts/interfaces/IClearingHouseCore.sol";
import {Match, SignedOrder} from "../../../contracts/interfaces/IExchange.sol";
import {OddToken} from "../../../contracts/mocks/OddToken.sol";
import {CallbackToken} from "../../../contracts/mocks/CallbackToken.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {AccountId, AccountIds} from "../../../contracts/types/AccountId.sol";
import {
    Account,
    Assessment,
    Auction,
    Call,
    Cure,
    FEE_UNIT,
    FLAG_AUCTION,
    FLAG_LOANS,
    FLAG_OPENED,
    LENDING,
    LendingPool,
    LiquidationTerms,
    MarketParams,
    WAD
} from "../../../contracts/types/LedgerTypes.sol";
import {House} from "./House.sol";
import {Lens} from "./Lens.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Random actions on a house that is under load from the start: what everybody may do, and what nobody may. Every
/// action checks what must hold of itself by name; what must hold of the books is for the invariants.
contract Handler is House {
    uint256 private constant MARKETS = 2;
    uint256 private constant COLLATERALS = 7; // the house's four and three that misbehave
    uint256 private constant FEE = 4; // takes 1 % of each transfer
    uint256 private constant CALLBACK = 5; // calls the ledger in the middle of each transfer
    uint256 private constant ACTORS = 8;
    uint256 private constant TRADERS = 14; // accounts of actors; behind them two takers, the fund and the treasury
    uint256 private constant TAKER = 14; // its means are limited
    uint256 private constant WHALE = 15; // can carry anything
    uint256 private constant FUND = 16;
    uint256 private constant ALL = (1 << 18) - 1; // all accounts, the treasury's the last

    /// @dev What the events of an action say.
    struct Seen {
        uint256 charges; // socialised, bitmap of markets; bit LENDING: charged to lenders
        uint256 rescue;
        uint256 absorbed; // Σ parts of deficits
        uint256 carried; // Σ of what fund, sides and bad debt took of it
    }

    Lens public immutable lens;
    AccountId[] private _ids;
    address[] private _actors;

    // Ghosts.
    mapping(address token => uint256 units) private _donated;
    mapping(uint256 market => uint256) public roundings; // [wei] that operations may have left in the market's pool
    mapping(AccountId => uint256) private _recorded; // deficit by the last event
    mapping(AccountId => uint256) private _hadCollateral; // bitmap before the last liquidation
    mapping(AccountId => mapping(uint256 market => uint256)) private _openedAt; // [s] last opening above the soft cap
    uint256 public draws; // how often accounts were drawn to be watched
    uint256 private _watched; // bitmap of the accounts that were assessed before the last action
    uint256 private _hadLoans; // bitmap of those among them that had debt or lent cash
    uint256 private _shareWorth; // [wad] of a share of lent cash and one of debt, before the last action
    uint256 private _flaggedLending; // deficits of borrowers that were flagged before the last action
    mapping(string action => uint256) public done; // successes

    constructor(IClearingHouse ch_) {
        _connect(ch_);
        lens = new Lens(ch, tokens);
        for (uint256 i = 0; i < ACTORS; ++i) {
            _actors.push(actor(string(abi.encodePacked("actor", bytes1(uint8(48 + i))))));
            _ids.push(main(_actors[i]));
        }
        _ids.push(AccountIds.derive(_actors[0], 1));
        _ids.push(AccountIds.derive(_actors[1], 1));
        _ids.push(isolated(_actors[0], ETH));
        _ids.push(isolated(_actors[2], ETH));
        _ids.push(isolated(_actors[3], BTC));
        _ids.push(isolated(_actors[4], BTC));
        _ids.push(main(actor("taker")));
        _ids.push(main(actor("whale")));
        _ids.push(fund.account());
        _ids.push(main(treasury));
        _load();
    }

    function _connect(IClearingHouse ch_) private {
        ch = ch_;
        vault = Vault(ch.vault());
        oracle = PriceOracle(ch.priceOracle());
        exchange = Exchange(ch.exchange());
        fund = InsuranceFund(ch.insuranceFund());
        usdc = MockERC20(ch.cashToken());
        treasury = ch.treasury();
        for (uint256 i = 0; i < COLLATERALS; ++i) tokens.push(MockERC20(ch.collateral(i).token));
        for (uint256 u = 0; u < UNDERLYINGS; ++u) feeds[u] = MockV3Aggregator(oracle.feedOf(u).aggregator);
        rateFeeds[0] = MockV3Aggregator(oracle.rateFeedsOf(WSTETH).rate);
        rateFeeds[1] = MockV3Aggregator(oracle.rateFeedsOf(WSTETH).market);
        oracle.observe(ETH, 1);
        oracle.observe(BTC, 1);
    }

    /// @dev About ten times leverage nearly everywhere, so that a few per cent sink somebody.
    function _load() private {
        for (uint256 i = 0; i < TRADERS; ++i) if (i != 6) giveCash(_ids[i], 12_000e18);
        for (uint256 i = 2; i < 4; ++i) giveCollateral(_ids[i], WETH, 5e18);
        giveCollateral(_ids[6], WETH, 20e18);
        giveCollateral(_ids[7], WETH, 3e18);
        for (uint256 i = 4; i < 6; ++i) giveCollateral(_ids[i], WBTC, 0.3e18);
        giveCash(_ids[TAKER], 6_000e18);
        giveCash(_ids[WHALE], 1_000_000_000e18);
        giveFund(_ids[WHALE].ownerOf(), 20_000e18);
        lend(_ids[WHALE], 30_000e18);
        giveCollateral(_ids[7], WSTETH, 5e18);
        giveCollateral(_ids[0], USDT, 3_000e18);
        trade(_ids[1], _ids[0], ETH, 60e18);
        trade(_ids[2], _ids[3], ETH, 40e18);
        trade(_ids[4], _ids[3], BTC, 1.5e18);
        trade(_ids[5], _ids[4], BTC, 3e18);
        trade(_ids[TAKER], _ids[6], ETH, -19e18);
        trade(_ids[8], _ids[9], ETH, 55e18);
        trade(_ids[9], _ids[8], BTC, 1e18);
        trade(_ids[11], _ids[10], ETH, 50e18);
        trade(_ids[13], _ids[12], BTC, 2e18);
        (roundings[ETH], roundings[BTC]) = (20, 16); // of five and four trades
    }

    // ---------------------------------------------------------------- what the invariants need

    function accounts() external view returns (AccountId[] memory) {
        return _ids;
    }

    /// @notice Tokens given to the vault without asking: cash, and every collateral.
    function donations() external view returns (uint256 cash, uint256[] memory collateral) {
        collateral = new uint256[](COLLATERALS);
        for (uint256 c = 0; c < COLLATERALS; ++c) collateral[c] = _donated[address(tokens[c])];
        return (_donated[address(usdc)], collateral);
    }

    /// @notice Σ of recorded deficits of all accounts, and of those that are flagged.
    function recordedDeficits(uint256 flagged) external view returns (uint256 sum, uint256 ofFlagged) {
        for (uint256 i = 0; i < _ids.length; ++i) {
            sum += _recorded[_ids[i]];
            if (flagged & (1 << i) != 0) ofFlagged += _recorded[_ids[i]];
        }
    }

    // ---------------------------------------------------------------- money

    function deposit(uint256 seed) external {
        AccountId id = _trader(seed, 0);
        uint256 kind = _roll(seed, 1) % 4;
        Assessment[] memory b = _assessSome(id, id);
        vm.recordLogs();
        if (kind < 2) {
            address payer = _actors[_roll(seed, 2) % ACTORS];
            uint256 units = 1 + (_roll(seed, 3) % 5_000e6);
            usdc.mint(payer, units);
            vm.prank(payer);
            usdc.approve(address(vault), units);
            vm.prank(payer);
            ch.deposit(id, address(usdc), units);
        } else {
            _depositCollateral(id, seed);
        }
        Assessment memory a = assess(id);
        Assessment memory was = b[_indexOf(id)];
        checkLe(was.equity - int256(was.initialMargin), a.equity - int256(a.initialMargin), "DEPOSITS_HELP E - IM");
        checkLe(
            was.equity - int256(was.maintenanceMargin),
            a.equity - int256(a.maintenanceMargin),
            "DEPOSITS_HELP E - MM"
        );
        _othersUnchanged(b, id, id, id, 0, "DEPOSIT_LEAVES_OTHERS");
        _digest("deposit");
    }

    /// @dev Between one and a hundred times the dust threshold. A token that calls back finds the house locked.
    function _depositCollateral(AccountId id, uint256 seed) private {
        uint256 c = _roll(seed, 2) % COLLATERALS;
        uint256 amount = uint256(ch.collateral(c).minBalance) * (2 + (_roll(seed, 3) % 100));
        if (c == CALLBACK) {
            bytes[4] memory tricks = [
                abi.encodeCall(ch.sweepReserves, ()),
                abi.encodeCall(ch.flag, (id)),
                abi.encodeCall(ch.deposit, (id, address(usdc), 1)),
                abi.encodeCall(ch.batch, (new Call[](0)))
            ];
            // Minted before: only what happens inside the deposit finds the house locked.
            uint256 units = toUnits(c, amount);
            bool listed = ch.collateral(c).delistingEnd == 0;
            tokens[c].mint(id.ownerOf(), units);
            vm.prank(id.ownerOf());
            tokens[c].approve(address(vault), units);
            CallbackToken(address(tokens[c])).setCallback(address(ch), tricks[_roll(seed, 4) % 4]);
            if (listed) {
                vm.prank(id.ownerOf());
                ch.deposit(id, address(tokens[c]), units);
            }
            return CallbackToken(address(tokens[c])).setCallback(address(0), "");
        }
        if (ch.collateral(c).delistingEnd == 0) {
            giveCollateral(id, c, amount);
            if (c == FEE) ++done["fee token"];
        } else {
            vm.prank(id.ownerOf());
            OddToken(address(tokens[c])).approve(address(vault), 1e18);
            OddToken(address(tokens[c])).mint(id.ownerOf(), 1e18);
            _mustFail(
                id.ownerOf(),
                address(ch),
                abi.encodeCall(ch.deposit, (id, address(tokens[c]), 1e18)),
                IClearingHouseCore.Delisted.selector
            );
        }
    }

    function withdraw(uint256 seed) external {
        AccountId id = _trader(seed, 0);
        if (_roll(seed, 1) % 2 == 0) _withdrawCash(id, _part(cashOf(id) / USDC_UNIT, seed));
        else _withdrawCollateral(id, _heldOf(id, seed), seed);
    }

    function _withdrawCash(AccountId id, uint256 units) private {
        if (units == 0) return;
        Lens.View memory b = lens.viewOf(id, MARKETS);
        Assessment[] memory all = _assessSome(id, id);
        uint256 held = usdc.balanceOf(id.ownerOf());
        vm.recordLogs();
        vm.prank(id.ownerOf());
        try ch.withdraw(id, address(usdc), units, id.ownerOf()) returns (uint256 debited) {
            checkEq(debited, units * USDC_UNIT, "WITHDRAW debits what it pays");
            checkEq(usdc.balanceOf(id.ownerOf()) - held, units, "WITHDRAW pays what was asked");
            _mayHaveLeft(id, all[_indexOf(id)]);
            _lossesCovered(id);
            _othersUnchanged(all, id, id, id, 0, "WITHDRAW_LEAVES_OTHERS");
            _digest(debtOf(id) > b.debt ? "borrow" : "withdraw cash");
        } catch (bytes memory reason) {
            _requireTyped(reason);
            int256 left = b.risk.equity - int256(b.profit) - int256(units * USDC_UNIT);
            bool allowed = b.cash >= units * USDC_UNIT + b.loss && left >= int256(b.risk.initialMargin);
            if (ch.account(id).flags & FLAG_OPENED == 0) check(!allowed, "WITHDRAW_WITHIN_MARGIN refused");
            else if (allowed) ++done["surcharge refuses"];
        }
    }

    function _withdrawCollateral(AccountId id, uint256 collateral, uint256 seed) private {
        uint256 balance = ch.collateralBalance(id, collateral);
        uint256 units = _part(toUnits(collateral, balance), seed);
        if (units == 0) return;
        Assessment[] memory all = _assessSome(id, id);
        vm.recordLogs();
        vm.prank(id.ownerOf());
        try ch.withdraw(id, address(tokens[collateral]), units, id.ownerOf()) returns (uint256 debited) {
            checkEq(balance - ch.collateralBalance(id, collateral), debited, "WITHDRAW debits what it says");
            _mayHaveLeft(id, all[_indexOf(id)]);
            _othersUnchanged(all, id, id, id, 0, "WITHDRAW_LEAVES_OTHERS");
            _digest("withdraw collateral");
        } catch (bytes memory reason) {
            _requireTyped(reason);
            if (units > toUnits(collateral, balance)) {
                _requireReason(reason, IClearingHouseCore.InsufficientCollateral.selector);
            }
        }
    }

    function transfer(uint256 seed) external {
        AccountId from = _trader(seed, 0);
        AccountId to = _trader(seed, 1);
        for (uint256 i = 0; i < TRADERS && (to.equals(from) || to.ownerOf() != from.ownerOf()); ++i) to = _ids[i];
        Assessment[] memory all = _assessSome(from, to);
        uint256 c = _roll(seed, 3) % COLLATERALS;
        bool isCash = _roll(seed, 2) % 3 != 0;
        address token = isCash ? address(usdc) : address(tokens[c]);
        uint256 held = isCash ? cashOf(from) / USDC_UNIT : toUnits(c, ch.collateralBalance(from, c));
        uint256 units = 1 + _part(held, seed);
        vm.recordLogs();
        vm.prank(from.ownerOf());
        try ch.transfer(from, to, token, units) {
            check(to.ownerOf() == from.ownerOf() && !to.equals(from), "TRANSFER to another owner");
            _mayHaveLeft(from, all[_indexOf(from)]);
            int256 sum = all[_indexOf(from)].equity + all[_indexOf(to)].equity;
            // An auction that ends gives lenders back what its flag has taken from them.
            int256 released = int256(_flaggedLending) - int256(uint256(lendingPool().flaggedDeficit));
            if (released < 0) released = 0;
            checkLe(assess(from).equity + assess(to).equity, sum + released + _wei(), "TRANSFER_KEEPS_EQUITY");
            if (_flaggedLending == 0)
                checkLe(sum - _wei(), assess(from).equity + assess(to).equity, "TRANSFER_KEEPS_EQUITY");
            _othersUnchanged(all, from, to, to, 0, "TRANSFER_LEAVES_OTHERS");
            _digest("transfer");
        } catch (bytes memory reason) {
            _requireTyped(reason);
            if (to.equals(from)) _requireReason(reason, IClearingHouseCore.SameAccount.selector);
            else if (to.ownerOf() != from.ownerOf()) _requireReason(reason, IClearingHouseCore.OwnerMismatch.selector);
        }
    }

    /// @notice Tokens sent to the house without asking belong to nobody.
    function donate(uint256 seed) external {
        MockERC20 token = seed % 3 == 0 ? usdc : tokens[seed % COLLATERALS];
        uint256 units = _roll(seed, 0) % 1e9;
        Assessment[] memory all = _assessSome(_ids[FUND], _ids[FUND]);
        token.mint(address(vault), units);
        token.mint(address(ch), units);
        token.mint(address(fund), units);
        _donated[address(token)] += units;
        _othersUnchanged(all, all.length, "DONATIONS_CHANGE_NOTHING");
    }

    /// @notice What is not one's own is not one's own.
    function touchForeign(uint256 seed) external {
        AccountId id = _trader(seed, 0);
        address thief = _actors[_roll(seed, 1) % ACTORS];
        if (thief == id.ownerOf()) thief = _ids[TAKER].ownerOf();
        uint256 way = _roll(seed, 2) % 10;
        AccountId sinking = way == 4 ? _below(seed) : id;
        bytes memory data;
        bytes4 expected = IClearingHouseCore.NotOwner.selector;
        if (way == 0) data = abi.encodeCall(ch.withdraw, (id, address(usdc), 1, thief));
        if (way == 1) data = abi.encodeCall(ch.transfer, (id, main(thief), address(usdc), 1));
        if (way == 2) data = abi.encodeCall(ch.claim, (id, seed % 2, 1));
        if (way == 3) data = abi.encodeCall(ch.deposit, (id, address(tokens[WETH]), 1e18));
        if (way == 4) data = abi.encodeCall(ch.liquidate, (sinking, id, anyTerms()));
        if (way == 5) {
            Call[] memory calls = new Call[](1);
            calls[0] = Call(address(ch), abi.encodeCall(ch.withdraw, (id, address(usdc), 1, thief)));
            data = abi.encodeCall(ch.batch, (calls));
        }
        if (way == 7) data = abi.encodeCall(ch.lend, (id, 1));
        if (way == 8) data = abi.encodeCall(ch.recall, (id, 1));
        if (way == 9) {
            bytes4 foreign = bytes4(keccak256("AccessManagedUnauthorized(address)"));
            _mustFail(thief, address(ch), abi.encodeCall(ch.delistCollateral, (0)), foreign);
            return;
        }
        if (way == 6) {
            (data, expected) = (abi.encodeCall(vault.push, (address(usdc), thief, 1)), bytes4(0));
            _mustFail(thief, address(vault), data, expected);
            return;
        }
        if (way == 4 && assess(sinking).equity >= int256(assess(sinking).maintenanceMargin)) {
            expected = IClearingHouseCore.NotLiquidatable.selector;
        }
        _mustFail(thief, address(ch), data, expected);
    }

    // ---------------------------------------------------------------- lending

    /// @notice Lends a part of an account's cash, or more than it has.
    function lendAny(uint256 seed) external {
        AccountId id = _borrower(seed, 0);
        uint256 units = _part(_least(cashOf(id), 50_000e18) / USDC_UNIT, seed);
        if (units == 0) return;
        Lens.View memory b = lens.viewOf(id, MARKETS);
        Assessment[] memory all = _assessSome(id, id);
        vm.recordLogs();
        vm.prank(id.ownerOf());
        try ch.lend(id, units) {
            Lens.View memory a = lens.viewOf(id, MARKETS);
            checkLe(a.risk.equity, b.risk.equity + _wei(), "LENDING gains nothing");
            // Who lends while a borrower's deficit is flagged bears his part of it.
            if (_flaggedLending == 0) checkLe(b.risk.equity - _wei(), a.risk.equity, "LENDING_KEEPS_EQUITY");
            checkEq(a.loss, 0, "LENDING while a loss is unsettled");
            _mayHaveLeft(id, all[_indexOf(id)]);
            _othersUnchanged(all, id, id, id, 0, "LENDING_LEAVES_OTHERS");
            _digest("lend");
        } catch (bytes memory reason) {
            _requireTyped(reason);
            uint256 amount = units * USDC_UNIT;
            // Of flagged deficits it bears its part at once.
            int256 borne = int256((amount * _flaggedLending) / (lendingPool().lent + amount));
            if (_flaggedLending != 0) borne += _wei();
            bool allowed =
                b.cash >= amount + b.loss && b.risk.equity - int256(b.profit) - borne >= int256(b.risk.initialMargin);
            if (ch.account(id).flags & FLAG_OPENED == 0) check(!allowed, "LEND_WITHIN_MARGIN refused");
        }
    }

    /// @notice Lent cash can be recalled as far as the pool is liquid.
    function recallAny(uint256 seed) external {
        AccountId id = _borrower(seed, 0);
        for (uint256 i = 0; i <= WHALE && lentOf(id) == 0; ++i) id = _ids[(i + _roll(seed, 0)) % (WHALE + 1)];
        uint256 lent = lentOf(id);
        uint256 units = _part(lent / USDC_UNIT, seed);
        if (units == 0) return;
        Assessment[] memory all = _assessSome(id, id);
        uint256 liquid = _liquidity();
        int256 equity = all[_indexOf(id)].equity;
        vm.recordLogs();
        vm.prank(id.ownerOf());
        try ch.recall(id, units) {
            checkLe(units * USDC_UNIT, liquid, "RECALL beyond what is liquid");
            checkLe(units * USDC_UNIT, lent, "RECALL of more than is lent");
            checkLe(assess(id).equity, equity + _wei(), "RECALL gains nothing");
            if (_flaggedLending == 0) checkLe(equity - _wei(), assess(id).equity, "RECALL_KEEPS_EQUITY");
            _othersUnchanged(all, id, id, id, 0, "RECALL_LEAVES_OTHERS");
            _digest("recall");
        } catch (bytes memory reason) {
            _requireTyped(reason);
            bool allowed = units * USDC_UNIT <= liquid && units * USDC_UNIT <= lent;
            check(!allowed, "LENT_IS_RECALLABLE");
        }
    }

    /// @notice Withdraws more cash than there is: about what the account's margin allows.
    function borrowAny(uint256 seed) external {
        AccountId id = _borrower(seed, 0);
        Lens.View memory v = lens.viewOf(id, MARKETS);
        int256 free = v.risk.equity - int256(v.profit) - int256(v.risk.initialMargin);
        if (free <= 0) return;
        uint256 units = (uint256(free) * (50 + (_roll(seed, 1) % 55))) / 100 / USDC_UNIT;
        uint256 most = (cashOf(id) + v.lent + _liquidity()) / USDC_UNIT;
        if (_roll(seed, 2) % 4 != 0) units = _least(units, most);
        if (id.equals(_ids[WHALE])) units = _least(units, 50_000e6); // keeps its means
        _withdrawCash(id, units);
    }

    /// @notice Whatever comes in repays debt first.
    function repay(uint256 seed) external {
        AccountId id = _borrower(seed, 0);
        for (uint256 i = 0; i <= WHALE && debtOf(id) == 0; ++i) id = _ids[(i + _roll(seed, 0)) % (WHALE + 1)];
        uint256 debt = debtOf(id);
        if (debt == 0) return;
        uint256 amount = (1 + (_roll(seed, 1) % (2 * (debt / USDC_UNIT + 1)))) * USDC_UNIT;
        Assessment[] memory all = _assessSome(id, id);
        vm.recordLogs();
        giveCash(id, amount);
        uint256 left = amount < debt ? debt - amount : 0;
        checkNear(int256(debtOf(id)), int256(left), uint256(_wei()), "REPAY first");
        checkEq(cashOf(id), amount < debt ? 0 : amount - debt, "REPAY leaves the rest as cash");
        _othersUnchanged(all, id, id, id, 0, "REPAY_LEAVES_OTHERS");
        _digest("repay");
    }

    function sweepReserves(uint256) external {
        Assessment[] memory all = _assessSome(_ids[FUND], _ids[FUND]);
        uint256 liquid = _liquidity();
        uint256 reserves = lendingPool().reserves;
        uint256 cash = cashOf(_ids[FUND]);
        vm.recordLogs();
        uint256 swept = ch.sweepReserves();
        checkEq(swept, _least(reserves, liquid), "RESERVES swept as far as the pool is liquid");
        checkEq(cashOf(_ids[FUND]) - cash, swept, "RESERVES go to the fund");
        _othersUnchanged(all, FUND, "SWEEP_LEAVES_OTHERS");
        _digest(swept == 0 ? "nothing to sweep" : "sweep reserves");
    }

    function _liquidity() private view returns (uint256) {
        LendingPool memory p = lendingPool();
        return uint256(p.lent) + p.reserves - p.borrowed;
    }

    // ---------------------------------------------------------------- trading

    /// @notice Opens, adds, reduces, flips: whatever the sizes make of it. Prices reach beyond the band.
    function tradeAny(uint256 seed) external {
        AccountId maker = _trader(seed, 0);
        AccountId taker = _roll(seed, 1) % 4 == 0 ? _ids[TAKER] : _trader(seed, 2);
        uint256 market = _roll(seed, 3) % MARKETS;
        int256 size = int256((_roll(seed, 4) % (_roll(seed, 5) % 3 == 0 ? 100_000 : 10_000)) * 1e15 + 1e9);
        if (market == BTC) size = (size / 30e9) * 1e9 + 1e9;
        if (_roll(seed, 6) % 2 == 0) size = -size;
        _trade(maker, taker, market, size, _priceNear(market, seed), _roll(seed, 7));
    }

    /// @notice Closes or halves somebody's position, reduce-only.
    function reduce(uint256 seed) external {
        uint256 market = _roll(seed, 1) % MARKETS;
        AccountId id = _pressed(seed, market);
        int256 size = -sizeOf(id, market);
        if (size == 0) return;
        size = (size / int256(1 + (_roll(seed, 2) % 2)) / 1e9) * 1e9 + (size > 0 ? int256(1e9) : int256(-1e9));
        AccountId other = _roll(seed, 3) % 2 == 0 ? _ids[WHALE] : _trader(seed, 4);
        _trade(other, id, market, size, _priceNear(market, seed), 2);
    }

    /// @dev A position of somebody below IM if there is one, else of anybody.
    function _pressed(uint256 seed, uint256 market) private view returns (AccountId found) {
        found = _trader(seed, 0);
        for (uint256 i = 0; i < TRADERS; ++i) {
            AccountId id = _ids[((_roll(seed, 0) % TRADERS) + i) % TRADERS];
            if (sizeOf(id, market) == 0) continue;
            if (sizeOf(found, market) == 0) found = id;
            Assessment memory a = assess(id);
            if (a.equity < int256(a.initialMargin)) return id;
        }
    }

    /// @dev flags: 1 = both rest, 2 = the taker reduces only, 4 = the maker reduces only; more is ignored at random. If 32 and 64 are set the
    /// taker pays the maker 1 % for the execution.
    function _trade(
        AccountId maker,
        AccountId taker,
        uint256 market,
        int256 size,
        uint256 price,
        uint256 flags
    ) private {
        SignedOrder[] memory orders = new SignedOrder[](2);
        orders[0] = signedOrder(maker, market, -size, price, true, flags % 32 & 20 == 20);
        orders[1] = signedOrder(taker, market, size, price, flags % 32 & 9 == 9, flags % 32 & 2 == 2 && flags % 8 < 4);
        Match[] memory matches = new Match[](1);
        matches[0] = Match(0, 1);
        bytes memory call = abi.encodeCall(exchange.settle, (orders, matches));
        bool pays = flags & 96 == 96;
        if (pays) {
            orders[1].order.executionFee = (uint256(size < 0 ? -size : size) * price) / 100e18;
            orders[1] = sign(orders[1].order);
            call = abi.encodeCall(exchange.settleForFee, (orders, matches, maker));
        }
        Assessment[] memory all = _assessSome(maker, taker);
        int256[2] memory sizes = [sizeOf(maker, market), sizeOf(taker, market)];
        vm.recordLogs();
        (bool went, bytes memory reason) = address(exchange).call(call);
        if (went) {
            _riskTaken(maker, all[_indexOf(maker)], "RISK_TAKEN_ABOVE_IM trade, maker");
            _riskTaken(taker, all[_indexOf(taker)], "RISK_TAKEN_ABOVE_IM trade, taker");
            if (pays) {
                ++done["execution fee"];
                _lossesCovered(taker);
            }
            _opened(maker, market, sizes[0]);
            _opened(taker, market, sizes[1]);
            _withinCap(maker, market, sizes[0]);
            _withinCap(taker, market, sizes[1]);
            uint256 index = priceOf(market);
            uint256 distance = price > index ? price - index : index - price;
            checkLe(distance * 1e6, index * 5_000, "PRICE_BAND");
            _othersUnchanged(all, maker, taker, taker, 0, "TRADE_LEAVES_OTHERS");
            _digest("trade");
        } else {
            _requireTyped(reason);
            if (bytes4(reason) == IClearingHouseCore.ExposureCap.selector) _heldBack(reason);
        }
    }

    /// @notice Anybody's cap on a market's underlying; the whale has none, for it must be able to take everything over.
    function capExposure(uint256 seed) external {
        AccountId id = _roll(seed, 0) % 4 == 0 ? _ids[TAKER] : _trader(seed, 1);
        uint256 underlying = _roll(seed, 2) % MARKETS;
        uint256 cap = _part(_magnitude(sizeOf(id, underlying)) * 2, _roll(seed, 3));
        if (_roll(seed, 4) % 2 == 0) cap = type(uint256).max;
        bytes memory call = abi.encodeCall(ch.setExposureCap, (id, underlying, cap));
        if (_roll(seed, 5) % 8 == 0)
            _mustFail(_ids[WHALE].ownerOf(), address(ch), call, IClearingHouseCore.NotOwner.selector);
        Assessment[] memory all = _assessSome(id, id);
        vm.prank(id.ownerOf());
        ch.setExposureCap(id, underlying, cap);
        _othersUnchanged(all, id, id, id, 0, "CAP_LEAVES_OTHERS");
        _sameOf(id, all[_indexOf(id)], "CAP_LEAVES_THE_ACCOUNT");
        ++done["cap exposure"];
    }

    /// @dev Each market has an underlying of its own here.
    function _withinCap(AccountId id, uint256 market, int256 before) private view {
        (int256 held, uint256 cap) = ch.exposure(id, market);
        checkEq(held, sizeOf(id, market), "EXPOSURE is the size");
        if (_magnitude(held) > _magnitude(before)) checkLe(_magnitude(held), cap, "EXPOSURE_CAP");
    }

    /// @dev A cap holds back only what would grow beyond it.
    function _heldBack(bytes memory reason) private {
        (AccountId id, uint256 market, uint256 exposure, uint256 cap) = abi.decode(
            Bytes.slice(reason, 4),
            (AccountId, uint256, uint256, uint256)
        );
        (int256 held, uint256 most) = ch.exposure(id, market);
        check(cap == most && exposure > cap && exposure > _magnitude(held), "EXPOSURE_CAP holds back for nothing");
        ++done["held back by a cap"];
    }

    function _magnitude(int256 size) private pure returns (uint256) {
        return uint256(size < 0 ? -size : size);
    }

    /// @dev Who raised a size above the soft cap has the surcharge beyond IM.
    function _opened(AccountId id, uint256 market, int256 before) private {
        int256 size = sizeOf(id, market);
        if ((size < 0 ? -size : size) <= (before < 0 ? -before : before)) return;
        uint256 surcharge = _surcharge(id, market);
        if (surcharge == 0) return;
        _openedAt[id][market] = block.timestamp;
        Assessment memory a = assess(id);
        ++done["open above the soft cap"];
        checkLe(int256(a.initialMargin + surcharge), a.equity + _wei(), "OPENING_SURCHARGE");
    }

    /// @dev Notional · (1 − φκμ) · (open interest − soft) / (hard − soft), rounded down.
    function _surcharge(AccountId id, uint256 market) private view returns (uint256) {
        (MarketParams memory p, , , , ) = ch.market(market);
        uint256 soft = uint256(p.softCap) * WAD;
        uint256 hard = uint256(p.hardCap) * WAD;
        uint256 interest = (openInterestOf(market) * priceOf(market)) / WAD;
        if (interest <= soft) return 0;
        uint256 base = (uint256(oracle.latest(market).initialFactor()) * 50_001) / 1e6; // φκ = 5 %
        int256 size = sizeOf(id, market);
        uint256 notional = (uint256(size < 0 ? -size : size) * priceOf(market)) / WAD;
        return (((notional * (1e6 - base)) / 1e6) * (_least(interest, hard) - soft)) / (hard - soft);
    }

    /// @notice Flash-margin: deposits, opens under the surcharge, and tries to leave with the deposit at once or after an hour.
    function crowd(uint256 seed) external {
        AccountId id = _trader(seed, 0);
        giveCash(id, 60_000e18);
        int256 size = int256(_roll(seed, 1) % 4e9) * 1e9 + 0.1e18;
        _trade(_ids[WHALE], id, BTC, _roll(seed, 2) % 2 == 0 ? size : -size, priceOf(BTC), 0);
        _withdrawCash(id, _least(cashOf(id), 60_000e18) / USDC_UNIT);
        if (_roll(seed, 3) % 3 != 0) return;
        passTime(1 hours);
        _withdrawCash(id, _least(cashOf(id), 60_000e18) / USDC_UNIT);
    }

    /// @notice Several acts of one owner with one check at the end: cash out and in around a trade, or collateral against cash.
    function batch(uint256 seed) external {
        AccountId id = _trader(seed, 0);
        address owner = id.ownerOf();
        uint256 market = _roll(seed, 1) % MARKETS;
        int256 size = int256((_roll(seed, 2) % 20_000) * 1e15 + 0.01e18);
        if (market == BTC) size = (size / 30e9) * 1e9 + 1e9;
        if (_roll(seed, 3) % 2 == 0) size = -size;
        (SignedOrder[] memory orders, Match[] memory matches) = pair(_ids[WHALE], id, market, size, priceOf(market));
        uint256 out = ((cashOf(id) / USDC_UNIT) % (1 + (_roll(seed, 4) % 12_000e6))) + 1;
        uint256 back = (_roll(seed, 5) % 8_000e6) + 1;
        usdc.mint(owner, back);
        vm.prank(owner);
        usdc.approve(address(vault), back);
        uint256 weth = _part(ch.collateralBalance(id, WETH), seed);
        bytes[5] memory acts = [
            abi.encodeCall(ch.withdraw, (id, address(usdc), out, owner)),
            abi.encodeCall(ch.withdraw, (id, address(tokens[WETH]), weth, owner)),
            abi.encodeCall(exchange.settle, (orders, matches)),
            abi.encodeCall(ch.deposit, (id, address(usdc), back)),
            abi.encodeCall(ch.flag, (id))
        ];
        uint256 wanted = (_roll(seed, 6) % 31) + 1;
        uint256 count = 0;
        for (uint256 i = 0; i < 5; ++i) if (wanted & (1 << i) != 0) ++count;
        Call[] memory calls = new Call[](count);
        count = 0;
        for (uint256 i = 0; i < 5; ++i) {
            if (wanted & (1 << i) != 0) calls[count++] = Call(i == 2 ? address(exchange) : address(ch), acts[i]);
        }
        Assessment[] memory all = _assessSome(id, _ids[WHALE]);
        int256 sizeBefore = sizeOf(id, market);
        vm.recordLogs();
        vm.prank(owner);
        try ch.batch(calls) {
            if (wanted & 7 != 0) _riskTaken(id, all[_indexOf(id)], "RISK_TAKEN_ABOVE_IM batch");
            if (wanted & 1 != 0) _mayHaveLeft(id, all[_indexOf(id)]);
            if (wanted & 4 != 0) _opened(id, market, sizeBefore);
            _riskTaken(_ids[WHALE], all[WHALE], "RISK_TAKEN_ABOVE_IM batch, maker");
            _othersUnchanged(all, id, _ids[WHALE], id, 0, "BATCH_LEAVES_OTHERS");
            _digest("batch");
        } catch (bytes memory reason) {
            _requireTyped(reason);
        }
    }

    // ---------------------------------------------------------------- upkeep

    function settleMarket(uint256 seed) external {
        uint256 market = seed % MARKETS;
        AccountId[] memory list = new AccountId[](1 + (_roll(seed, 0) % 8));
        uint256 listed = 0; // bitmap
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 place = _roll(seed, 1 + i) % _ids.length;
            (list[i], listed) = (_ids[place], listed | (1 << place));
        }
        Assessment[] memory all = _assess(_drawn() | listed);
        uint256[] memory debts = lens.debts(_ids);
        uint256 pool = poolOf(market).cash;
        bool owing = lossOf(market).badDebt != 0;
        vm.recordLogs();
        ch.settle(market, list);
        if (owing) checkLe(pool, poolOf(market).cash, "NO_GAINS_WHILE_BAD_DEBT stands");
        _othersUnchanged(all, all.length, "SETTLEMENT_KEEPS_EQUITY");
        uint256[] memory debtsAfter = lens.debts(_ids);
        for (uint256 i = 0; i < all.length; ++i) {
            if (debtsAfter[i] <= debts[i] + uint256(_wei())) continue;
            Lens.View memory v = lens.viewOf(_ids[i], MARKETS);
            ++done["borrow to settle"];
            int256 worth = v.risk.equity - int256(v.profit) + _wei();
            checkLe(int256(v.risk.maintenanceMargin), worth, "SETTLEMENT_BORROWS above MM only");
        }
        _digest("settle");
    }

    function claim(uint256 seed) external {
        AccountId id = _trader(seed, 0);
        uint256 market = _roll(seed, 1) % MARKETS;
        for (uint256 i = 0; i < TRADERS && ch.positionPnl(id, market) <= 0; ++i) id = _ids[i];
        int256 pnl = ch.positionPnl(id, market);
        uint256 amount = _part(pnl > 0 ? uint256(pnl) : 1e18, seed);
        Assessment[] memory all = _assessSome(id, id);
        uint256 cash = cashOf(id);
        uint256 debt = debtOf(id);
        uint256 pool = poolOf(market).cash;
        uint256 badDebt = lossOf(market).badDebt;
        vm.recordLogs();
        vm.prank(id.ownerOf());
        try ch.claim(id, market, amount) returns (uint256 paid) {
            check(int256(amount) <= pnl, "CLAIM of more than profit");
            if (debtOf(id) == 0) checkLe(cash + paid, cashOf(id) + debt, "CLAIM pays what it says");
            // Given up: paid / s. Nobody gets a wei more than his share of the pool.
            uint256 given = uint256(all[_indexOf(id)].equity - assess(id).equity + _wei()) + paid;
            checkLe(paid * (pool + badDebt), given * pool, "CLAIM pays at most s");
            // Without bad debt a claim is a settlement, which changes no equity and is allowed in every state.
            if (badDebt != 0) _riskTaken(id, all[_indexOf(id)], "RISK_TAKEN_ABOVE_IM claim");
            else _sameOf(id, all[_indexOf(id)], "CLAIM without bad debt settles");
            _othersUnchanged(all, id, id, id, 0, "CLAIM_LEAVES_OTHERS");
            _digest(badDebt != 0 ? "claim against bad debt" : "claim");
        } catch (bytes memory reason) {
            _requireTyped(reason);
        }
    }

    function sweepFees(uint256 seed) external {
        Assessment[] memory all = _assessSome(_ids[FUND], _ids[FUND]);
        vm.recordLogs();
        // Fees are whole units: what bad debt takes of one stays in the pool.
        if (lossOf(seed % MARKETS).badDebt != 0) roundings[seed % MARKETS] += FEE_UNIT;
        ch.sweepFees(seed % MARKETS);
        _othersUnchanged(all, FUND, "SWEEP_LEAVES_OTHERS");
        _digest("sweep");
    }

    function accrueFunding(uint256 seed) external {
        Assessment[] memory all = _assessSome(_ids[FUND], _ids[FUND]);
        vm.recordLogs();
        ch.accrueFunding(seed % MARKETS);
        _othersUnchanged(all, all.length, "ACCRUAL_CHANGES_NOTHING");
        _digest("accrue");
    }

    // ---------------------------------------------------------------- prices and time

    function movePrice(uint256 seed) external {
        if (seed % 8 == 0) return _moveStable(seed);
        _jump(seed % 2, seed);
    }

    /// @dev Mostly by little, now and then by up to 30 %; never further from the start than four times.
    function _jump(uint256 underlying, uint256 seed) private {
        uint24[8] memory most = [10_000, 10_000, 10_000, 40_000, 40_000, 120_000, 120_000, 300_000]; // ppm
        uint256 start = underlying == ETH ? ETH_PRICE : BTC_PRICE;
        uint256 ppm = 1_000 + (_roll(seed, 1) % most[_roll(seed, 0) % 8]);
        uint256 price = priceOf(underlying);
        bool up = price < start / 4 || (price < start * 4 && _roll(seed, 2) % 2 == 0);
        setPrice(underlying, (price * (up ? 1e6 + ppm : 1e6 - ppm)) / 1e6);
    }

    /// @dev USDT between 0.90 and 1.05, wstETH's rates upwards and up to 5 % apart.
    function _moveStable(uint256 seed) private {
        feeds[USD].updateAnswer(int256(0.9e8 + (_roll(seed, 1) % 0.15e8)));
        int256 rate = rateFeeds[0].latestAnswer();
        if (rate < 1.8e18) rateFeeds[0].updateAnswer(rate + int256(_roll(seed, 2) % 0.001e18));
        rateFeeds[1].updateAnswer((rate * int256(950_000 + (_roll(seed, 3) % 51_000))) / 1e6);
        ++done["depeg"];
    }

    /// @notice Takes rounds into the volatility: IM may rise at once, MM does not move in the same block.
    function observeAny(uint256 seed) external {
        uint256 underlying = seed % 2;
        Assessment[] memory b = _assessSome(_ids[TAKER], _ids[FUND]);
        oracle.observe(underlying, 1 + (_roll(seed, 0) % 30));
        oracle.observeRate(WSTETH);
        (Assessment[] memory a, ) = lens.assess(_ids, _watched);
        for (uint256 i = 0; i < a.length; ++i) {
            checkEq(a[i].equity, b[i].equity, "REGIME_KEEPS_EQUITY");
            checkEq(a[i].maintenanceMargin, b[i].maintenanceMargin, "REGIME_NEVER_LIQUIDATES at once");
            checkLe(a[i].maintenanceMargin, a[i].initialMargin, "IM_ABOVE_MM");
        }
        if (oracle.latest(underlying).maintenanceFactor() > 1e6) ++done["regime above one"];
        ++done["observe"];
    }

    /// @notice Starts the ramp of an asset that nobody needs to have.
    function delist(uint256 seed) external {
        if (_roll(seed, 0) % 6 != 0) return;
        uint256 c = WSTETH + (_roll(seed, 1) % (COLLATERALS - WSTETH));
        if (c == USDT || ch.collateral(c).delistingEnd != 0) return;
        Assessment[] memory all = _assessSome(_ids[FUND], _ids[FUND]);
        ch.delistCollateral(c);
        _othersUnchanged(all, all.length, "DELISTING_STARTS_GENTLY");
        ++done["delist"];
    }

    /// @notice Now and then who holds collateral borrows all he can before it loses so much at once that he is bankrupt.
    function crash(uint256 seed) external {
        if (_roll(seed, 0) % 4 != 0) return;
        AccountId id = _ids[6 + (_roll(seed, 1) % 2)];
        int256 free = int256(lens.viewOf(id, MARKETS).risk.equity) - int256(assess(id).initialMargin);
        if (free > 0) _withdrawCash(id, _least(uint256(free), cashOf(id) + lentOf(id) + _liquidity()) / USDC_UNIT);
        setPrice(ETH, (priceOf(ETH) * 4) / 10);
        if (_roll(seed, 2) % 2 == 0) passTime(60);
        _liquidate(id, _ids[WHALE], anyTerms());
        if (priceOf(ETH) < ETH_PRICE / 4) setPrice(ETH, ETH_PRICE);
    }

    function wait(uint256 seed) external {
        uint24[8] memory times = [1, 12, 45, 90, 600, 1 hours, 25 hours, 3 days + 1];
        passTime(times[_roll(seed, 0) % 8]);
    }

    // ---------------------------------------------------------------- liquidation

    function flag(uint256 seed) external {
        AccountId id = seed % 3 == 0 ? _trader(seed, 0) : _below(seed);
        Assessment[] memory all = _assessSome(id, id);
        Assessment memory a = all[_indexOf(id)];
        bool known = ch.account(id).flags & FLAG_AUCTION != 0;
        uint256 clock = _clock(ch.auction(id));
        vm.recordLogs();
        vm.prank(_actors[_roll(seed, 1) % ACTORS]);
        try ch.flag(id) {
            check(a.equity < int256(a.initialMargin) || known, "FLAG of a healthy account");
            _othersUnchanged(all, all.length, "FLAG_CHANGES_NO_EQUITY");
            if (a.equity < int256(a.maintenanceMargin)) {
                checkEq(ch.auction(id).clock, clock, "CLOCK_STEPS at most 60 s");
            } else if (!known) {
                check(ch.auction(id).flagger == address(0), "MARGIN_CALL starts no auction");
            }
            _digest("flag");
            checkEq(_recorded[id], a.equity < 0 ? uint256(-a.equity) : 0, "FLAG records the deficit");
        } catch (bytes memory reason) {
            check(a.equity >= int256(a.initialMargin) && !known, "FLAG refused below IM");
            _requireReason(reason, IClearingHouseCore.NotLiquidatable.selector);
        }
    }

    /// @notice Observes somebody between MM and IM: his deposit cures what it says.
    function callMargin(uint256 seed) external {
        for (uint256 i = 0; i < TRADERS; ++i) {
            AccountId id = _ids[((_roll(seed, 0) % TRADERS) + i) % TRADERS];
            Assessment memory a = assess(id);
            if (a.equity >= int256(a.initialMargin) || a.equity < int256(a.maintenanceMargin)) continue;
            vm.recordLogs();
            ch.flag(id);
            _digest("margin call");
            if (_roll(seed, 1) % 2 == 0) return;
            uint256 shortfall = a.initialMargin - uint256(a.equity);
            giveCash(id, ((shortfall - 1) / USDC_UNIT + 1) * USDC_UNIT);
            a = assess(id);
            checkLe(int256(a.initialMargin), a.equity + 1, "CURE by its deposit");
            return;
        }
    }

    function liquidateAny(uint256 seed) external {
        AccountId id = seed % 5 == 0 ? _trader(seed, 0) : _below(seed);
        bool whale = _roll(seed, 1) % 3 != 0;
        LiquidationTerms memory terms = anyTerms();
        terms.acceptClaims = _roll(seed, 2) % 2 == 0;
        if (_roll(seed, 3) % 3 == 0) terms.maxFraction = 0.0001e18 + (_roll(seed, 4) % WAD);
        _liquidate(id, _ids[whale ? WHALE : TAKER], terms);
    }

    function _liquidate(AccountId id, AccountId taker, LiquidationTerms memory terms) private {
        Assessment[] memory all = _assessSome(id, taker);
        Assessment memory b = all[_indexOf(id)];
        Auction memory x = ch.auction(id);
        _hadCollateral[id] = ch.account(id).collaterals;
        vm.recordLogs();
        vm.prank(taker.ownerOf());
        try ch.liquidate(id, taker, terms) returns (uint256 fraction, int256) {
            Seen memory s = _digest("liquidate");
            check(b.equity < int256(b.maintenanceMargin), "LIQUIDATION of an account at or above MM");
            checkLe(fraction, terms.maxFraction, "LIQUIDATION takes more than accepted");
            _accountImproved(id, b, x, fraction, terms);
            _takerBounded(taker, all, b, x, fraction, s);
            checkEq(s.absorbed, b.equity < 0 ? uint256(-b.equity) : 0, "WATERFALL_ADDS_UP deficit");
            checkEq(s.absorbed, s.carried, "WATERFALL_ADDS_UP parts");
            AccountId flagger = x.flagger == address(0) ? taker : main(x.flagger);
            _othersUnchanged(all, id, taker, flagger, s.charges, "LIQUIDATION_LEAVES_OTHERS");
        } catch (bytes memory reason) {
            _requireTyped(reason);
            if (b.equity >= int256(b.maintenanceMargin)) {
                _requireReason(reason, IClearingHouseCore.NotLiquidatable.selector);
            } else if (taker.equals(_ids[WHALE]) && terms.acceptClaims && terms.maxFraction == WAD) {
                _fail("LIQUIDATION_NEVER_BLOCKED", reason);
            }
        }
    }

    /// @dev d at the call, from the auction before it: 5 % to 60 % in 180 s of clock, at most 60 s a call.
    function _discount(Auction memory x) private view returns (uint256) {
        return 0.05e18 + (0.55e18 * _clock(x)) / 180;
    }

    function _clock(Auction memory x) private view returns (uint256 clock) {
        clock = x.clock + _step(x);
        if (clock > 180) clock = 180;
    }

    function _step(Auction memory x) private view returns (uint256 step) {
        step = x.flagger == address(0) ? 0 : block.timestamp - x.lastCall;
        if (step > 60) step = 60;
    }

    function _accountImproved(
        AccountId id,
        Assessment memory b,
        Auction memory x,
        uint256 fraction,
        LiquidationTerms memory terms
    ) private {
        Lens.View memory v = lens.viewOf(id, MARKETS);
        uint256 penalty = (_discount(x) * b.maintenanceMargin) / WAD;
        ++done[b.equity <= int256(penalty) ? "sunk" : "slice"];
        if (b.equity <= int256(penalty)) {
            check(!v.sized && !_hasAssets(id), "LIQUIDATION_IMPROVES: what sinks is sold whole");
            checkNear(v.risk.equity, 0, uint256(_wei()), "LIQUIDATION_IMPROVES: nothing is left");
            return;
        }
        int256 expected = b.equity - int256((fraction * penalty) / WAD);
        checkNear(v.risk.equity, expected, uint256(_wei()), "LIQUIDATION_IMPROVES: E' = E - f d MM");
        bool raised = v.risk.equity * int256(b.maintenanceMargin) > b.equity * int256(v.risk.maintenanceMargin);
        check(raised || !v.sized, "LIQUIDATION_IMPROVES: E / MM rises");
        if (terms.maxFraction != WAD) return;
        if (fraction == WAD && b.initialMargin > 50e18) {
            // Near enough E and requirements shrink in proportion: (1 − f)·IM = E − f·d·MM.
            int256 linear = (int256(b.initialMargin) - b.equity) * int256(WAD);
            linear /= int256(b.initialMargin) - int256(penalty);
            checkLe(int256(0.95e18), linear, "LIQUIDATION_LANDS: all is sold without need");
        }
        int256 dust = _wei() + int256(_dust(id));
        checkLe(int256(v.risk.initialMargin), v.risk.equity + dust, "LIQUIDATION_LANDS at IM");
        if (fraction == WAD) return;
        int256 most = (int256(v.risk.initialMargin) * 1001) / 1000 + dust;
        checkLe(v.risk.equity, most, "LIQUIDATION_LANDS below 1.001 IM");
    }

    /// @dev [wad] USD: what would be left of a collateral as dust moves too, which shifts IM by less than that.
    function _dust(AccountId id) private view returns (uint256 value) {
        for (uint256 c = 0; c < COLLATERALS; ++c) {
            if (_hadCollateral[id] & (1 << c) == 0) continue;
            value += (2 * uint256(ch.collateral(c).minBalance) * priceOf(ch.collateral(c).underlying)) / WAD;
        }
    }

    function _takerBounded(
        AccountId taker,
        Assessment[] memory all,
        Assessment memory b,
        Auction memory x,
        uint256 fraction,
        Seen memory s
    ) private view {
        Assessment memory a = assess(taker);
        checkLe(int256(a.initialMargin), a.equity, "TAKER_ABOVE_IM");
        checkLe(s.rescue, _mostRescue(b, x), "RESCUE_BOUNDED");
        int256 gain = a.equity - all[_indexOf(taker)].equity - int256(s.rescue);
        uint256 most = (_discount(x) * b.maintenanceMargin) / WAD;
        bool haircut = s.charges != 0 || _flaggedLending != 0; // moves what the taker has lent or holds
        if (_flaggedLending == 0) {
            checkLe(
                gain,
                int256((most * fraction) / WAD) + _wei(),
                "LIQUIDATION_IMPROVES: taker gains more than f d MM"
            );
            checkLe(
                gain,
                (b.equity > 0 ? b.equity : int256(0)) + _wei(),
                "LIQUIDATION_IMPROVES: taker gains more than E"
            );
        }
        if (!haircut) checkLe(-_wei(), gain, "LIQUIDATION costs its taker nothing at the index");
    }

    function _mostRescue(Assessment memory b, Auction memory x) private view returns (uint256) {
        uint256 clock = x.rescueClock == 0 ? 0 : x.rescueClock - 1 + _step(x);
        uint256 rescue = (b.maintenanceMargin * (clock < 180 ? clock : 180)) / 360;
        uint256 cost = b.equity > 0 ? uint256(b.equity) : 0;
        return rescue > cost ? rescue - cost : 0;
    }

    function absorb(uint256 seed) external {
        AccountId id = _trader(seed, 0);
        for (uint256 i = 0; i < TRADERS && (assess(id).equity >= 0 || _hasAssets(id)); ++i) id = _ids[i];
        Assessment[] memory all = _assessSome(id, id);
        Assessment memory b = all[_indexOf(id)];
        bool assets = _hasAssets(id);
        vm.recordLogs();
        try ch.absorb(id) {
            Seen memory s = _digest("absorb");
            check(b.equity < 0 && !assets, "ABSORB of an account that is not bankrupt and empty");
            checkEq(s.absorbed, uint256(-b.equity), "WATERFALL_ADDS_UP deficit");
            checkEq(s.absorbed, s.carried, "WATERFALL_ADDS_UP parts");
            checkNear(assess(id).equity, 0, uint256(_wei()), "ABSORB leaves nothing");
            _othersUnchanged(all, id, id, id, s.charges, "ABSORB_LEAVES_OTHERS");
        } catch (bytes memory reason) {
            check(b.equity >= 0 || assets, "ABSORB refused");
            _requireReason(reason, IClearingHouseCore.NotAbsorbable.selector);
        }
    }

    /// @notice Watches a loss that waits for cash for a day and an hour, then takes a slice for it.
    function cashCall(uint256 seed) external {
        if (_roll(seed, 1) % 4 != 0) return; // it takes long
        for (uint256 i = 0; i < TRADERS; ++i) {
            AccountId id = _ids[((_roll(seed, 0) % TRADERS) + i) % TRADERS];
            Lens.View memory v = lens.viewOf(id, MARKETS);
            if (v.loss <= v.cash + v.lent + 10e18 || v.risk.equity < int256(v.risk.maintenanceMargin)) continue;
            _watchLoss(id);
            return _cashCall(id);
        }
    }

    function _watchLoss(AccountId id) private {
        uint256 market = ch.positionPnl(id, ETH) < 0 ? ETH : BTC;
        for (uint256 hour = 0; hour < 26; ++hour) {
            passTime(1 hours);
            settle(market, id);
        }
    }

    function _cashCall(AccountId id) private {
        uint256 clock = ch.auction(id).cashCallClock;
        Assessment[] memory all = _assessSome(id, _ids[WHALE]);
        Assessment memory b = all[_indexOf(id)];
        vm.recordLogs();
        vm.prank(_ids[WHALE].ownerOf());
        try ch.cashCall(id, _ids[WHALE], anyTerms()) returns (uint256 fraction, int256) {
            _digest("cash call");
            check(clock > 24 hours, "CASH_CALL_WAITS a day");
            int256 cost = int256((fraction * b.maintenanceMargin) / WAD / 20);
            checkNear(assess(id).equity, b.equity - cost, uint256(_wei()), "CASH_CALL costs f 5 % MM");
            int256 gain = assess(_ids[WHALE]).equity - all[WHALE].equity;
            checkLe(gain, cost + _wei(), "CASH_CALL pays its taker at most the cost");
            _othersUnchanged(all, id, _ids[WHALE], id, 0, "CASH_CALL_LEAVES_OTHERS");
        } catch (bytes memory reason) {
            _requireTyped(reason);
        }
    }

    // ---------------------------------------------------------------- without a price

    /// @notice A fill without a feed: only what reduces both sides at exactly the last good price goes through.
    function reduceAtLastGood(uint256 seed) external {
        uint256 market = seed % 2;
        (AccountId long, AccountId short) = _opposites(seed, market);
        if (long.equals(short)) return;
        int256 most = sizeOf(long, market) < -sizeOf(short, market) ? sizeOf(long, market) : -sizeOf(short, market);
        int256 size = (int256(_part(uint256(most), seed)) / 1e9) * 1e9;
        if (size == 0) return;
        uint256 price = priceOf(market);
        uint256 asked = _roll(seed, 1) % 4 == 0 ? price + 1e10 : price;
        (SignedOrder[] memory orders, Match[] memory matches) = pair(short, long, market, -size, asked);
        oracle.observe(market, 100);
        uint256 age = _roll(seed, 2) % 14 hours;
        vm.warp(block.timestamp + age);
        refreshFeeds();
        int256[2] memory before = [sizeOf(long, market), sizeOf(short, market)];
        _failFeed(feeds[market], _roll(seed, 3));
        vm.recordLogs();
        try exchange.settle(orders, matches) {
            check(asked == price && age <= 12 hours, "LAST_GOOD_PRICE exactly, and not for long");
            checkLe(int256(0), sizeOf(long, market), "LAST_GOOD_REDUCES the long side");
            checkLe(sizeOf(short, market), int256(0), "LAST_GOOD_REDUCES the short side");
            checkLe(sizeOf(long, market), before[0], "LAST_GOOD_REDUCES the long side");
            checkLe(before[1], sizeOf(short, market), "LAST_GOOD_REDUCES the short side");
            _digest("reduce at the last good price");
        } catch (bytes memory reason) {
            _requireTyped(reason);
        }
        _mendFeed(feeds[market], price);
    }

    /// @notice What has a price is sold of an account that is below MM even where the rest counts at its kindest.
    function liquidateWithoutPrice(uint256 seed) external {
        AccountId id = _below(seed);
        AccountId taker = _ids[WHALE];
        uint256 underlying = _roll(seed, 1) % UNDERLYINGS;
        for (uint256 i = 0; i < UNDERLYINGS && !_dependsOn(id, underlying); ++i) underlying = i;
        uint256 price = priceOf(underlying);
        if (underlying < MARKETS) oracle.observe(underlying, 100);
        else oracle.observe(USD, 1);
        Assessment[] memory all = _assessSome(id, id);
        Assessment memory b = all[_indexOf(id)];
        uint256 most = (_discount(ch.auction(id)) * b.maintenanceMargin) / WAD;
        uint256[COLLATERALS] memory held = _held(id);
        int256 size = underlying < MARKETS ? sizeOf(id, underlying) : int256(0);
        LiquidationTerms memory terms = anyTerms();
        terms.acceptClaims = true;
        _failFeed(feeds[underlying], _roll(seed, 2));
        bool through = false;
        vm.recordLogs();
        vm.prank(taker.ownerOf());
        try ch.liquidate(id, taker, terms) {
            through = true;
        } catch (bytes memory reason) {
            _requireTyped(reason);
        }
        _mendFeed(feeds[underlying], price);
        if (!through) return;
        check(b.equity < int256(b.maintenanceMargin), "LIQUIDATION of an account at or above MM");
        if (size != 0 || _holds(held, underlying)) {
            Seen memory s = _digest("liquidate the rest");
            checkEq(s.absorbed, 0, "STUCK: nothing is written off on a guess");
            if (underlying < MARKETS) checkEq(sizeOf(id, underlying), size, "STUCK: a size stays");
            for (uint256 c = 0; c < COLLATERALS; ++c) {
                if (ch.collateral(c).underlying != underlying) continue;
                checkEq(ch.collateralBalance(id, c), held[c], "STUCK: a collateral stays");
            }
            // What is stuck may have counted for up to half as much again.
            checkLe(b.equity - (int256(most) * 3) / 2 - _wei(), assess(id).equity, "STUCK: costs at most d MM");
            _othersUnchanged(all, id, taker, _flaggerOf(id, taker), s.charges, "LIQUIDATION_LEAVES_OTHERS");
        } else {
            _digest("liquidate beside a feed");
        }
    }

    /// @notice Without the price of a position nothing leaves, nothing settles and nobody fills; cash comes in as ever.
    function withoutPrice(uint256 seed) external {
        uint256 market = seed % 2;
        AccountId id = _trader(seed, 0);
        for (uint256 i = 0; i < TRADERS && sizeOf(id, market) == 0; ++i) id = _ids[i];
        if (sizeOf(id, market) == 0) return;
        uint256 price = priceOf(market);
        uint256 way = _roll(seed, 1) % 5;
        bytes memory data;
        AccountId[] memory list = new AccountId[](1);
        list[0] = id;
        if (way == 0) data = abi.encodeCall(ch.withdraw, (id, address(usdc), 1, id.ownerOf()));
        if (way == 1) data = abi.encodeCall(ch.settle, (market, list));
        if (way == 2) data = abi.encodeCall(ch.claim, (id, market, 1));
        if (way == 3) data = abi.encodeCall(ch.lend, (id, 1));
        if (way == 4) data = abi.encodeCall(ch.accrueFunding, (market));
        _failFeed(feeds[market], _roll(seed, 2));
        if (way == 0 && seed % 3 == 0) giveCash(id, 1e18);
        else _mustFail(id.ownerOf(), address(ch), data, bytes4(0));
        _mendFeed(feeds[market], price);
        ++done["refused without a price"];
    }

    /// @dev Stale, negative, zero or reverting.
    function _failFeed(MockV3Aggregator feed, uint256 kind) private {
        if (kind % 4 == 0) stopFeed(feed);
        if (kind % 4 == 1) feed.updateAnswer(-1);
        if (kind % 4 == 2) feed.updateAnswer(0);
        if (kind % 4 == 3) vm.mockCallRevert(address(feed), abi.encodeCall(feed.latestRoundData, ()), "down");
    }

    function _mendFeed(MockV3Aggregator feed, uint256 price) private {
        vm.clearMockedCalls();
        feed.updateAnswer(int256(price / 1e10));
    }

    function _held(AccountId id) private view returns (uint256[COLLATERALS] memory held) {
        for (uint256 c = 0; c < COLLATERALS; ++c) held[c] = ch.collateralBalance(id, c);
    }

    /// @dev One of the collaterals that an account holds, if it holds any.
    function _heldOf(AccountId id, uint256 seed) private view returns (uint256 c) {
        uint256 first = _roll(seed, 2) % COLLATERALS;
        for (uint256 i = 0; i < COLLATERALS; ++i) {
            c = (first + i) % COLLATERALS;
            if (ch.collateralBalance(id, c) != 0) return c;
        }
    }

    function _holds(uint256[COLLATERALS] memory held, uint256 underlying) private view returns (bool) {
        for (uint256 c = 0; c < COLLATERALS; ++c) {
            uint256 end = ch.collateral(c).delistingEnd;
            bool counts = end == 0 || end > block.timestamp;
            if (held[c] != 0 && counts && ch.collateral(c).underlying == underlying) return true;
        }
        return false;
    }

    function _dependsOn(AccountId id, uint256 underlying) private view returns (bool) {
        return (underlying < MARKETS && sizeOf(id, underlying) != 0) || _holds(_held(id), underlying);
    }

    function _opposites(uint256 seed, uint256 market) private view returns (AccountId long, AccountId short) {
        long = short = _trader(seed, 0);
        for (uint256 i = 0; i <= WHALE; ++i) {
            AccountId id = _ids[((_roll(seed, 0) % (WHALE + 1)) + i) % (WHALE + 1)];
            if (sizeOf(id, market) > 0) long = id;
            if (sizeOf(id, market) < 0) short = id;
        }
        if (sizeOf(long, market) <= 0 || sizeOf(short, market) >= 0) return (long, long);
    }

    function _flaggerOf(AccountId id, AccountId taker) private view returns (AccountId) {
        address flagger = ch.auction(id).flagger;
        return flagger == address(0) ? taker : main(flagger);
    }

    // ---------------------------------------------------------------- the fund

    function fundDeposit(uint256 seed) external {
        vm.recordLogs();
        giveFund(_actors[seed % ACTORS], 1e18 + (_roll(seed, 0) % 5_000e18));
        _digest("fund deposit");
    }

    /// @notice Asks, and leaves if it was asked for in time. Who leaves pays his part of flagged deficits.
    function fundExit(uint256 seed) external {
        address who = _roll(seed, 0) % 2 == 0 ? _ids[WHALE].ownerOf() : _actors[seed % ACTORS];
        uint256 shares = fund.maxRedeem(who);
        if (shares == 0) {
            uint256 held = fund.balanceOf(who);
            vm.prank(who);
            fund.requestExit(held);
            if (held != 0) _mustFail(who, address(fund), abi.encodeCall(fund.redeem, (held, who, who)), bytes4(0));
            return;
        }
        if (fund.previewRedeem(shares) == 0) {
            return _mustFail(who, address(fund), abi.encodeCall(fund.redeem, (shares, who, who)), bytes4(0));
        }
        (uint256 net, uint256 supply) = (_netFund(), fund.totalSupply() + 1e6);
        vm.recordLogs();
        vm.prank(who);
        fund.redeem(shares, who, who);
        _digest("fund exit");
        checkLe((net + 1) * (fund.totalSupply() + 1e6), (_netFund() + 1) * supply, "FUND_EXIT_IS_NET");
    }

    function _netFund() private view returns (uint256) {
        uint256 deficit = (ch.totalFlaggedDeficit() + USDC_UNIT - 1) / USDC_UNIT;
        uint256 gross = fund.totalAssets();
        return gross > deficit ? gross - deficit : 0;
    }

    // ---------------------------------------------------------------- leaving

    /// @notice With no feed answering, a flat account takes everything out; then it comes back.
    function leaveFlat(uint256 seed) external {
        uint256 start = _roll(seed, 0) % TRADERS;
        uint256 flat = lens.flatWithMeans(_ids, MARKETS);
        for (uint256 i = 0; i < TRADERS; ++i) {
            uint256 place = (start + i) % TRADERS;
            if (flat & (1 << place) != 0) return _leave(_ids[place]);
        }
    }

    function _leave(AccountId id) private {
        uint256 cash = cashOf(id) / USDC_UNIT;
        uint256[COLLATERALS] memory held = _held(id);
        stopFeeds();
        if (cash != 0) _mustLeave(id, address(usdc), cash);
        for (uint256 c = 0; c < COLLATERALS; ++c) {
            if (held[c] != 0) _mustLeave(id, address(tokens[c]), toUnits(c, held[c]));
        }
        checkLe(cashOf(id), USDC_UNIT - 1, "FLAT_CAN_LEAVE: cash stays behind");
        check(ch.account(id).collaterals == 0, "FLAT_CAN_LEAVE: collateral stays behind");
        refreshFeeds();
        ++done["leave"];
        if (cash != 0) giveCash(id, cash * USDC_UNIT);
        for (uint256 c = 0; c < COLLATERALS; ++c) {
            if (held[c] != 0 && ch.collateral(c).delistingEnd == 0) giveCollateral(id, c, 2 * held[c]);
        }
    }

    function _mustLeave(AccountId id, address token, uint256 units) private {
        vm.prank(id.ownerOf());
        try ch.withdraw(id, token, units, id.ownerOf()) {} catch (bytes memory reason) {
            _fail("FLAT_CAN_LEAVE", reason);
        }
    }

    // ---------------------------------------------------------------- what an action leaves behind

    /// @dev E ≥ IM, or none of E − IM, E − MM, E / MM has fallen and E ≥ 0.
    function _riskTaken(AccountId id, Assessment memory b, string memory name) private {
        Assessment memory a = assess(id);
        if (a.equity >= int256(a.initialMargin)) return;
        ++done["below IM, not worse"];
        checkLe(int256(0), a.equity, name);
        if (ch.account(id).flags & FLAG_LOANS != 0) a.equity += _wei(); // a share's rounding
        checkLe(b.equity - int256(b.initialMargin), a.equity - int256(a.initialMargin), name);
        checkLe(b.equity - int256(b.maintenanceMargin), a.equity - int256(a.maintenanceMargin), name);
        checkLe(b.equity * int256(a.maintenanceMargin), a.equity * int256(b.maintenanceMargin), name);
    }

    /// @dev After money has left: E without unsettled profit ≥ IM, or flat.
    function _mayHaveLeft(AccountId id, Assessment memory b) private {
        _riskTaken(id, b, "RISK_TAKEN_ABOVE_IM outflow");
        Lens.View memory v = lens.viewOf(id, MARKETS);
        if (v.flat) return;
        uint256 required = v.risk.initialMargin;
        for (uint256 m = 0; m < MARKETS; ++m) {
            bool recent = _openedAt[id][m] != 0 && block.timestamp < _openedAt[id][m] + 1 hours;
            if (recent && sizeOf(id, m) != 0) required += _surcharge(id, m);
        }
        checkLe(int256(required), v.risk.equity - int256(v.profit) + _wei(), "RISK_TAKEN_ABOVE_IM without profit");
    }

    /// @dev Cash leaves only if what stays covers unsettled losses.
    function _lossesCovered(AccountId id) private view {
        Lens.View memory v = lens.viewOf(id, MARKETS);
        checkLe(v.loss, v.cash, "CASH_COVERS_LOSSES");
    }

    /// @dev Nobody watched but three accounts, the fund and the treasury has changed; holders in charged markets may have.
    function _othersUnchanged(
        Assessment[] memory b,
        AccountId x,
        AccountId y,
        AccountId z,
        uint256 charged,
        string memory name
    ) private view {
        (Assessment[] memory a, Account[] memory words) = lens.assess(_ids, _watched);
        for (uint256 i = 0; i < FUND; ++i) {
            if (_watched & (1 << i) == 0) continue;
            if (_ids[i].equals(x) || _ids[i].equals(y) || _ids[i].equals(z)) continue;
            if (words[i].markets & charged != 0) continue;
            if (charged >> LENDING != 0 && lentOf(_ids[i]) != 0) continue;
            _same(i, words[i], a[i], b[i], name);
        }
    }

    function _othersUnchanged(Assessment[] memory b, uint256 count, string memory name) private view {
        (Assessment[] memory a, Account[] memory words) = lens.assess(_ids, _watched);
        for (uint256 i = 0; i < count; ++i) {
            if (_watched & (1 << i) != 0) _same(i, words[i], a[i], b[i], name);
        }
    }

    function _sameOf(AccountId id, Assessment memory b, string memory name) private view {
        _same(_indexOf(id), ch.account(id), assess(id), b, name);
    }

    /// @dev To the wei, but for roundings of shares. Lent cash counts without flagged deficits of borrowers.
    function _same(
        uint256 index,
        Account memory account,
        Assessment memory a,
        Assessment memory b,
        string memory name
    ) private view {
        if (account.flags & FLAG_LOANS == 0 && _hadLoans & (1 << index) == 0) checkEq(a.equity, b.equity, name);
        else if (_flaggedLending == 0 && lendingPool().flaggedDeficit == 0)
            checkNear(a.equity, b.equity, uint256(_wei()), name);
        // Who has become flat needs nothing any more.
        bool freed = a.initialMargin == 0 && b.initialMargin != 0 && lens.viewOf(_ids[index], MARKETS).flat;
        checkEq(a.initialMargin, freed ? 0 : b.initialMargin, name);
        checkEq(a.maintenanceMargin, freed ? 0 : b.maintenanceMargin, name);
    }

    /// @dev Reads the events of an action that went through into the ghosts.
    function _digest(string memory action) private returns (Seen memory s) {
        ++done[action];
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32 topic = logs[i].topics[0];
            if (topic == IClearingHouseCore.Trade.selector) {
                roundings[uint256(logs[i].topics[1])] += 4;
            } else if (topic == IClearingHouseCore.PositionTaken.selector) {
                roundings[uint256(logs[i].topics[3])] += 4;
            } else if (topic == IClearingHouseCore.LossSocialised.selector) {
                roundings[uint256(logs[i].topics[1])] += 1;
                ++done["socialised"];
                s.charges |= 1 << uint256(logs[i].topics[1]);
            } else if (topic == IClearingHouseCore.RescuePaid.selector) {
                ++done["rescue"];
                s.rescue += abi.decode(logs[i].data, (uint256));
            } else if (topic == IClearingHouseCore.DeficitAbsorbed.selector) {
                (uint256 part, uint256 fromFund, uint256 socialised, uint256 badDebt) = abi.decode(
                    logs[i].data,
                    (uint256, uint256, uint256, uint256)
                );
                s.absorbed += part;
                s.carried += fromFund + socialised + badDebt;
                if (uint256(logs[i].topics[2]) == LENDING) {
                    ++done["lenders bear"];
                    if (socialised != 0) s.charges |= 1 << LENDING;
                }
                if (badDebt != 0) ++done["bad debt"];
            } else if (topic == IClearingHouseCore.MarginCall.selector) {
                _readMarginCall(logs[i].data);
            } else if (topic == CallbackToken.CalledBack.selector) {
                (bool went, bytes memory reason) = abi.decode(logs[i].data, (bool, bytes));
                check(!went, "CALLBACK went through");
                _requireReason(reason, IClearingHouseCore.Reentrancy.selector);
                ++done["callback refused"];
            } else if (topic == IClearingHouseCore.DeficitRecorded.selector) {
                AccountId id = AccountId.wrap(uint256(logs[i].topics[1]));
                _recorded[id] = abi.decode(logs[i].data, (uint256));
            }
        }
    }

    function _readMarginCall(bytes memory data) private {
        (int256 equity, uint256 initialMargin, uint256 maintenanceMargin, Cure memory cure) = abi.decode(
            data,
            (int256, uint256, uint256, Cure)
        );
        ++done["margin call event"];
        checkLe(int256(maintenanceMargin), equity, "MARGIN_CALL below MM");
        checkEq(cure.deposit, uint256(int256(initialMargin) - equity), "MARGIN_CALL deposit");
    }

    // ---------------------------------------------------------------- refusals

    function _mustFail(address caller, address target, bytes memory data, bytes4 expected) private {
        vm.prank(caller);
        (bool ok, bytes memory reason) = target.call(data);
        check(!ok, "FORBIDDEN went through");
        _requireTyped(reason);
        if (expected != bytes4(0)) _requireReason(reason, expected);
    }

    /// @dev A refusal names its reason: never a panic, an overflow or silence.
    function _requireTyped(bytes memory reason) private pure {
        bytes4 selector = bytes4(reason);
        bool typed = reason.length >= 4 && selector != 0x4e487b71 && selector != 0x08c379a0;
        if (selector == SafeCast.SafeCastOverflowedUintDowncast.selector) typed = false;
        if (selector == SafeCast.SafeCastOverflowedIntDowncast.selector) typed = false;
        if (!typed) _fail("REFUSALS_ARE_TYPED", reason);
    }

    function _requireReason(bytes memory reason, bytes4 expected) private pure {
        if (bytes4(reason) != expected) _fail("REFUSED for another reason", reason);
    }

    function _fail(string memory name, bytes memory reason) private pure {
        revert(string.concat(name, ": 0x", _hex(reason)));
    }

    function _hex(bytes memory data) private pure returns (string memory) {
        bytes memory digits = "0123456789abcdef";
        bytes memory text = new bytes(2 * data.length);
        for (uint256 i = 0; i < data.length; ++i) {
            (text[2 * i], text[2 * i + 1]) = (digits[uint8(data[i]) >> 4], digits[uint8(data[i]) & 15]);
        }
        return string(text);
    }

    // ---------------------------------------------------------------- choices

    function _roll(uint256 seed, uint256 what) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what)));
    }

    function _trader(uint256 seed, uint256 what) private view returns (AccountId) {
        return _ids[_roll(seed, what) % TRADERS];
    }

    /// @dev A trader's account or a taker's.
    function _borrower(uint256 seed, uint256 what) private view returns (AccountId) {
        return _ids[_roll(seed, what) % (WHALE + 1)];
    }

    /// @dev Some account below MM: if there is none, prices jump up to three times until there is.
    function _below(uint256 seed) private returns (AccountId id) {
        uint256 start = _roll(seed, 0) % TRADERS;
        for (uint256 jumps = 0; ; ++jumps) {
            uint256 place = lens.firstBelow(_ids, start, TRADERS);
            if (place < TRADERS) return _ids[place];
            if (jumps == 3) return _ids[(start + TRADERS - 1) % TRADERS];
            _jump(_roll(seed, 300 + jumps) % 2, _roll(seed, 310 + jumps));
        }
    }

    /// @dev A little, half, all or too much of it.
    function _part(uint256 whole, uint256 seed) private pure returns (uint256) {
        uint256 kind = _roll(seed, 100) % 8;
        if (kind == 0) return whole * 2 + 1;
        if (kind == 1) return whole;
        if (kind == 2) return whole / 2;
        return _roll(seed, 101) % (1 + whole);
    }

    /// @dev Mostly inside the band of 0.5 %.
    function _priceNear(uint256 market, uint256 seed) private view returns (uint256) {
        uint256 price = (priceOf(market) * (994_500 + (_roll(seed, 200) % 11_000))) / 1e6;
        return _roll(seed, 201) % 2 == 0 ? priceOf(market) : price;
    }

    /// @dev Bitmap of about an eighth of all accounts, drawn anew each time: what changes strangers' accounts shows soon enough.
    function _drawn() private returns (uint256) {
        uint256 draw = uint256(keccak256(abi.encode(++draws)));
        return draw & (draw >> 64) & (draw >> 128) & ALL;
    }

    /// @dev These two and those drawn.
    function _assessSome(AccountId x, AccountId y) private returns (Assessment[] memory) {
        return _assess(_drawn() | (1 << _indexOf(x)) | (1 << _indexOf(y)));
    }

    /// @dev [wad] What roundings of one action can add up to: some wei, and some shares of the lending pool, which are worth more than a
    /// millionth of a wei only after suppliers have left cash behind (who recalls while a deficit is flagged that heals later).
    function _wei() private view returns (int256) {
        return int256(16 + 4 * (_shareWorth + _worthOfShares()));
    }

    function _worthOfShares() private view returns (uint256) {
        LendingPool memory p = lendingPool();
        return uint256(p.lent) / (uint256(p.lentShares) + 1e6) + uint256(p.borrowed) / (uint256(p.debtShares) + 1e6);
    }

    function _assess(uint256 watched) private returns (Assessment[] memory list) {
        _watched = watched;
        _flaggedLending = lendingPool().flaggedDeficit;
        _shareWorth = _worthOfShares();
        Account[] memory words;
        (list, words) = lens.assess(_ids, watched);
        _hadLoans = 0;
        for (uint256 i = 0; i < words.length; ++i) if (words[i].flags & FLAG_LOANS != 0) _hadLoans |= 1 << i;
    }

    function _indexOf(AccountId id) private view returns (uint256 i) {
        while (!_ids[i].equals(id)) ++i;
    }

    /// @dev Size, or collateral that still counts.
    function _hasAssets(AccountId id) private view returns (bool) {
        if (sizeOf(id, ETH) != 0 || sizeOf(id, BTC) != 0) return true;
        uint256[COLLATERALS] memory held = _held(id);
        return _holds(held, ETH) || _holds(held, BTC) || _holds(held, USD);
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
