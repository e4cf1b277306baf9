// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {
    Assessment,
    Auction,
    CollateralParams,
    Guard,
    HealthReport,
    LendingParams,
    LendingPool,
    LiquidationTerms,
    Loans,
    MarginState,
    MarketIndex,
    MarketLoss,
    MarketParams,
    MarketPool,
    MarketRate,
    PendingGuard
} from "../types/LedgerTypes.sol";

/// @title The ledger: previews, reports and listing
/// @dev What users see is `IClearingHouse`.
interface IClearingHouseExt {
    // ---------------------------------------------------------------- previews

    // Call these statically (`staticCall` in ethers): they run the real thing, undo it, and return what it found. What would be
    // refused reverts with the reason.

    /// @notice E, IM and MM [wad] of `account` after it bought `size` (negative: sold) as the taker at `price`.
    function previewTrade(
        AccountId account,
        uint256 market,
        int256 size,
        uint256 price
    ) external returns (Assessment memory after_);

    /// @notice E, IM and MM [wad] of the caller's `account` after it withdrew `amount` [token units] of `token`.
    function previewWithdraw(
        AccountId account,
        address token,
        uint256 amount
    ) external returns (Assessment memory after_);

    /// @notice What `liquidate` would return to the caller, and E, IM and MM [wad] of `account` afterwards.
    function previewLiquidation(
        AccountId account,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external returns (uint256 fraction, int256 payment, Assessment memory after_);

    /// @notice Runs one call of this contract as the caller and reverts with `Simulated`, or with the call's own error.
    function simulate(bytes calldata data, AccountId account) external;

    // ---------------------------------------------------------------- views

    /// @notice PnL of an account in a market [wad], floored: size · (index price − F_side) + quote. Needs a price only if it has size.
    function positionPnl(AccountId id, uint256 market) external view returns (int256);

    /// @notice Net delta of an account in an underlying [wad units]: its sizes in the markets of the underlying plus the units that its
    /// collateral is worth, floored. Exact, and needs no price; reverts with the oracle's error if the rate of a collateral is not usable.
    function netDelta(AccountId id, uint256 underlying) external view returns (int256);

    /// @notice Balance [wad] of an account in a collateral asset.
    function collateralBalance(AccountId id, uint256 collateral) external view returns (uint256);

    /// @notice E / MM [wad]; `type(int256).max` where MM is zero and E is not negative.
    function marginRatio(AccountId id) external view returns (int256);

    /// @notice The row of the health table an account is in.
    function marginState(AccountId id) external view returns (MarginState);

    /// @notice USD [wad] that may leave an account: E without unsettled profit less what it must leave behind, never negative. Cash beyond
    /// the account's own is borrowed.
    function freeCollateral(AccountId id) external view returns (uint256);

    /// @notice State, E, IM, MM, ratio and free collateral of an account in one answer.
    function health(AccountId id) external view returns (HealthReport memory);

    /// @notice An account as the risk engine judges it, packed as `types/Portfolio.sol` says; `flat`: it needs no margin.
    function portfolio(AccountId id) external view returns (uint256[] memory words, bool flat);

    /// @notice The prices [wad] of `underlying` below and above which the account is liquidatable, all else fixed, to about 1e-12:
    /// 0 and `type(uint256).max` where there is none, the current price twice if it is liquidatable now.
    function liquidationPrices(AccountId id, uint256 underlying) external view returns (uint256 down, uint256 up);

    /// @notice Lent cash and debt of an account [wad] with interest up to now, and its shares in them.
    function loans(AccountId id) external view returns (uint256 lent, uint256 debt, Loans memory shares);

    /// @notice The lending pool with interest up to now, and its parameters.
    function lending() external view returns (LendingPool memory, LendingParams memory);

    /// @notice What all accounts hold of a collateral asset [wad].
    function collateralTotal(uint256 id) external view returns (uint256);

    /// @notice The auction of an account; all zero if there is none.
    function auction(AccountId id) external view returns (Auction memory);

    /// @notice The words of a market.
    function market(
        uint256 id
    )
        external
        view
        returns (MarketParams memory, MarketIndex memory, MarketRate memory, MarketPool memory, MarketLoss memory);

    /// @notice Funding indices [36 decimals] of both sides of a market now, socialised losses included.
    function fundingIndices(uint256 market) external view returns (int256 long, int256 short);

    /// @notice A collateral asset.
    function collateral(uint256 id) external view returns (CollateralParams memory);

    /// @notice Sum of the deficits that flags have recorded [wad].
    function totalFlaggedDeficit() external view returns (uint256);

    /// @notice The engine that judges every account.
    function riskEngine() external view returns (address);

    /// @notice The oracle that prices every account.
    function priceOracle() external view returns (address);

    /// @notice The only contract that may call `trade`.
    function exchange() external view returns (address);

    /// @notice The backstop, whose main account holds the fund's cash.
    function insuranceFund() external view returns (address);

    /// @notice The owner of the main account that receives the protocol's share of fees.
    function treasury() external view returns (address);

    /// @notice End [s] of the pause of new risk; in the past or zero if there is none.
    function pausedUntil() external view returns (uint256);

    /// @notice The guard of `owner` that is in force, and the one that waits: `pending.time` is zero if there is none, and in the past if it
    /// is the one in force.
    function guardOf(address owner) external view returns (Guard memory guard, PendingGuard memory pending);

    /// @notice Time [s] from which `payee` can be paid by `owner`; zero if he is not on the list.
    function payeeSince(address owner, address payee) external view returns (uint256);

    /// @notice How much more of `token` has left than come in lately, and the most that it may be, both [wad units]; zero: no limit. A pause
    /// of new risk makes a quarter of it count.
    function outflow(address token) external view returns (int256 level, uint256 cap);

    /// @notice Cash [wad] that may leave `id` beyond the limit on outflow, and from when until when [s]; all zero if there is no request.
    function exitRequest(AccountId id) external view returns (uint256 cash, uint256 from, uint256 until);

    /// @notice Cash [wad] that has gone into `id` less what has gone out since `trackFlows`; `tracked`: whether it is counted. Equity less it
    /// is what the account has earned on what was in it then.
    function netFlow(AccountId id) external view returns (int256 flow, bool tracked);

    /// @notice What `id` holds of an underlying, long less short over its markets, and the most that it may open; the largest number: no
    /// cap. Both [wad units of the underlying].
    function exposure(AccountId id, uint256 underlying) external view returns (int256 held, uint256 cap);

    // ---------------------------------------------------------------- preconditions

    /// @notice Reverts unless `id` has exactly `cash` [wad]; moves nothing and asks for no price. First in a batch with `liquidate` it makes
    /// who comes second fail before the account is priced: every slice moves the account's cash. Open to anyone.
    /// @dev In a batch before the first call that leaves a check to its end. Errors: `AccountChanged`, `CheckPending`.
    function requireCash(AccountId id, uint256 cash) external view;

    // ---------------------------------------------------------------- what owners protect themselves by

    /// @notice Sets the caller's guard. What only tightens is in force at once; what loosens (a shorter delay, no list of payees, another
    /// guardian or none) after the delay in force. Setting what is in force takes back what waits. Refused in a lockdown.
    /// @dev Emits `GuardSet`. Errors: `LockedDown`, `ParameterOutOfBounds`.
    /// @param guardian may call `lockDown`, `unlock` and `removePayee` for the caller; zero for nobody. He can freeze, never take
    /// @param delay [s] how long what loosens, a new payee included, waits; at most 30 days
    /// @param restrictPayees withdrawals go to payees only, who are on the list of `allowPayee`; the caller is not unless he adds himself
    function setGuard(address guardian, uint256 delay, bool restrictPayees) external;

    /// @notice Puts `payee` on the caller's list, good after the delay of his guard. Refused in a lockdown.
    /// @dev Emits `PayeeAllowed`. Errors: `LockedDown`, `AlreadySet`, `ZeroAddress`.
    function allowPayee(address payee) external;

    /// @notice Takes `payee` off the list of `owner` at once. Owner or his guardian.
    /// @dev Emits `PayeeRemoved`. Errors: `NotGuardian`, `PayeeNotAllowed`.
    function removePayee(address owner, address payee) external;

    /// @notice Lockdown: ends every session key and every signed order and intent of `owner`, and leaves to him only deposits, repayment,
    /// recalling, claiming, reduce-only orders, and withdrawals to payees who were good before it. What waits in his guard is taken back.
    /// Owner or his guardian.
    /// @dev Emits `LockdownSet`, and the exchange `AllRevoked`. Errors: `NotGuardian`.
    function lockDown(address owner) external;

    /// @notice Ends a lockdown: the guardian at once; the owner asks by a first call and ends it by a second one after his delay, at least a
    /// day, unless the guardian has called `lockDown` again.
    /// @dev Emits `UnlockRequested` or `LockdownSet`. Errors: `NotGuardian`, `NotLockedDown`, `UnlockTooEarly`.
    function unlock(address owner) external;

    /// @notice Announces that a flat account leaves. From 24 hours later, for 24 hours, the limit on net outflow does not hold up what it held
    /// at the request: its cash, lent cash included, less what has left since; and its collateral, unless more of it comes in, which voids
    /// the request. The account must be flat then, too. Owner only.
    /// @dev Emits `ExitRequested`. Errors: `NotOwner`, `NotFlat`.
    function requestExit(AccountId account) external;

    /// @notice Counts what goes into and out of `account` from now on, from zero, or no longer: session keys with a floor on equity need it.
    /// It ends by itself when collateral comes in or goes out. Owner only.
    /// @dev Emits `FlowsTracked`. Errors: `NotOwner`.
    function trackFlows(AccountId account, bool on) external;

    /// @notice Caps how much of an underlying `account` may open, long less short over its markets; what it holds already may stay and
    /// shrink. Trades, its owner's keys' too, and liquidations that it takes over may not pass it. Owner only; in a lockdown it can
    /// only be lowered.
    /// @param cap [wad units of the underlying]; the largest number: no cap
    /// @dev Emits `ExposureCapSet`. Errors: `NotOwner`, `ParameterOutOfBounds`, `LockedDown`.
    function setExposureCap(AccountId account, uint256 underlying, uint256 cap) external;

    // ---------------------------------------------------------------- pause, all restricted

    /// @notice For three days no fill raises a market's open interest, nobody borrows of his own choice, and net outflows may reach a quarter
    /// of their caps only. Deposits, fills that do not raise open interest, settlement, liquidation, repayment and announced exits go on. It
    /// ends by itself; the next one can begin seven days after its end.
    /// @dev Emits `NewRiskPauseSet`. Errors: `PauseTooEarly`.
    function pauseNewRisk() external;

    /// @notice Ends the pause now.
    /// @dev Emits `NewRiskPauseSet`. Errors: `NotPaused`.
    function endPause() external;

    // ---------------------------------------------------------------- listing and wiring, all restricted

    /// @notice Limits the net outflow of a listed token. What has left less what has come in, decaying e-fold in 24 hours, may not pass `cap`.
    /// @dev Emits `OutflowCapSet`. Errors: `UnknownAsset`.
    /// @param cap [whole units], zero: no limit
    function setOutflowCap(address token, uint64 cap) external;

    /// @notice Lists a market or changes its parameters within their bounds; its underlying is final. The risk engine must know the
    /// underlying, and the price band must be narrower than its shock and basis charges.
    function setMarket(uint256 id, MarketParams calldata params) external;

    /// @notice Lists a collateral asset or changes its caps and dust threshold; its token, underlying and `hasRate` are final, `decimals` and
    /// `delistingEnd` are ignored. The risk engine must know it, and the oracle its rate: an asset without them would make its
    /// holders' checks revert. Caps alone change without a price.
    function setCollateral(uint256 id, CollateralParams calldata params) external;

    /// @notice Delists a collateral asset, for good: no more of it comes in, its haircut ramps to 100 % within 14 days, and then it counts
    /// zero and can only be withdrawn.
    function delistCollateral(uint256 id) external;

    /// @notice Sets the interest rate's parameters within their bounds.
    function setLendingParams(LendingParams calldata params) external;

    /// @notice Replaces the risk engine. The new one must know every underlying and collateral that accounts hold.
    function setRiskEngine(address riskEngine) external;
    /// @notice Replaces the price oracle. The new one must have a feed for every underlying that accounts hold.
    function setPriceOracle(address priceOracle) external;

    /// @notice Names the exchange, once.
    function setExchange(address exchange) external;

    /// @notice Names the insurance fund, once.
    function setInsuranceFund(address insuranceFund) external;

    /// @notice Names the account owner who receives the protocol's share of fees.
    function setTreasury(address treasury) external;
}
