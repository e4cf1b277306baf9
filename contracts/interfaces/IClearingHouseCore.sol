// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {
    Account,
    Assessment,
    Call,
    CollateralParams,
    Cure,
    Fill,
    FillReceipt,
    LendingParams,
    LiquidationTerms,
    MarketParams,
    Position
} from "../types/LedgerTypes.sol";

/// @title The ledger: what moves money, size or debt
/// @dev What users see is `IClearingHouse`.
interface IClearingHouseCore {
    // ---------------------------------------------------------------- events

    /// @notice Cash or collateral came in. `amount` [wad] is what the vault received.
    event Deposited(AccountId indexed account, address indexed token, address indexed from, uint256 amount);
    /// @notice Cash or collateral left. `amount` [wad] is what the account was debited.
    event Withdrawn(AccountId indexed account, address indexed token, address indexed to, uint256 amount);
    /// @notice Cash or collateral moved between two accounts of one owner, or cash between any two as a fee. `amount` [wad].
    event Transferred(AccountId indexed from, AccountId indexed to, address indexed token, uint256 amount);
    /// @notice A fill. `size` is the change of the taker's size; the quotes are the exact changes of both quotes, fees included.
    event Trade(
        uint256 indexed market,
        AccountId indexed maker,
        AccountId indexed taker,
        int256 size,
        uint256 price,
        int256 makerQuote,
        int256 takerQuote,
        uint256 makerFee,
        uint256 takerFee
    );
    /// @notice Lent cash and debt of an account changed to these shares. `cash` [wad] came out of them into the account's cash (negative: went
    /// from it into them).
    event LoansChanged(AccountId indexed account, int256 cash, uint256 lentShares, uint256 debtShares);
    /// @notice Money moved in the lending pool, which now holds these amounts [wad]; `rate` [wad per second] applies from now on.
    event LendingChanged(uint256 lent, uint256 borrowed, uint256 reserves, uint256 rate);
    /// @notice The fund's share of interest was paid to the insurance fund.
    event ReservesSwept(uint256 amount);
    /// @notice `amount` of PnL became cash (positive) or was paid from cash (negative): cash += amount, quote −= amount.
    event Settled(AccountId indexed account, uint256 indexed market, int256 amount);
    /// @notice A winner gave up `claimed` of profit for `paid` of cash while bad debt stood: quote −= claimed, cash += paid.
    event Claimed(AccountId indexed account, uint256 indexed market, uint256 claimed, uint256 paid);
    /// @notice `accrueFunding` moved a market's funding index to `funding` [36 decimals]; `rate` [ppb per 8 h] on `price` applies from now on.
    event FundingAccrued(uint256 indexed market, int256 funding, int256 rate, uint256 price);
    /// @notice Fees of a market were paid out of its pool, or cancelled against its bad debt.
    event FeesSwept(uint256 indexed market, uint256 toFund, uint256 toTreasury, uint256 againstBadDebt);
    /// @notice An account was found below MM and its auction goes on. `clock` [s] is what the discount is computed from; `equity` and the
    /// margins are those found, before a slice that the same call may have sold.
    event Flagged(
        AccountId indexed account,
        address indexed flagger,
        int256 equity,
        uint256 initialMargin,
        uint256 maintenanceMargin,
        uint256 clock
    );
    /// @notice An account was found between MM and IM. `cure` says what brings it back: the cash to deposit, or the least that
    /// closing in one market takes. If the account sinks below MM, anyone may liquidate it.
    event MarginCall(
        AccountId indexed account,
        int256 equity,
        uint256 initialMargin,
        uint256 maintenanceMargin,
        Cure cure
    );
    /// @notice An account's auction ended because it was found at E ≥ IM, or because nothing is left of it.
    event AuctionCleared(AccountId indexed account);
    /// @notice A slice of `fraction` moved to `taker`. `cost` = `toTaker` + `toFund` + `toFlagger` is what it took off the account's
    /// equity; `payment` is what the account received in cash for it (negative: paid).
    event Liquidated(
        AccountId indexed account,
        AccountId indexed taker,
        address indexed flagger,
        bool cashCall,
        uint256 fraction,
        int256 equity,
        uint256 maintenanceMargin,
        uint256 cost,
        int256 payment,
        uint256 toFund,
        uint256 toFlagger
    );
    /// @notice Part of a liquidation: size and quote that moved from the account to the taker. accountQuote and takerQuote are the
    /// exact changes of both quotes; the account's size changes by −`size`, the taker's by +`size`.
    event PositionTaken(
        AccountId indexed account,
        AccountId indexed taker,
        uint256 indexed market,
        int256 size,
        int256 accountQuote,
        int256 takerQuote
    );
    /// @notice Part of a liquidation: a collateral amount [wad] that moved from the account to the taker.
    event CollateralTaken(
        AccountId indexed account,
        AccountId indexed taker,
        uint256 indexed collateral,
        uint256 amount
    );
    /// @notice The fund paid a taker for carrying an account that could not pay for itself.
    event RescuePaid(AccountId indexed account, AccountId indexed taker, uint256 amount);
    /// @notice One market's part of a deficit: part = fromFund + socialised + badDebt. The account's quote rises by part. For the part of a
    /// debt `market` is 64, the debt falls by part, and `socialised` is what the suppliers of the lending pool bear.
    event DeficitAbsorbed(
        AccountId indexed account,
        uint256 indexed market,
        uint256 part,
        uint256 fromFund,
        uint256 socialised,
        uint256 badDebt
    );
    /// @notice A side of a market was charged: its loss index [36 decimals] stands at `index`.
    event LossSocialised(uint256 indexed market, bool indexed longs, uint256 amount, uint256 index);
    /// @notice Fund income repaid recorded bad debt of a market.
    event BadDebtRepaid(uint256 indexed market, uint256 amount);
    /// @notice Deficit that flags have recorded for an account, in all markets.
    event DeficitRecorded(AccountId indexed account, uint256 deficit);
    /// @notice A loss of `loss` [wad] that cash could not settle has been seen for `clock` − 1 seconds of observed time; `clock` = 0: it is
    /// gone.
    event UnsettledLossSeen(AccountId indexed account, uint256 loss, uint256 clock);

    /// @notice A market was listed or its parameters changed.
    event MarketSet(uint256 indexed market, MarketParams params);
    /// @notice A collateral asset was listed or its dust threshold changed.
    event CollateralSet(uint256 indexed collateral, CollateralParams params);
    /// @notice The haircut of a collateral asset ramps to 100 % until `end` [s].
    event CollateralDelisted(uint256 indexed collateral, uint256 end);
    event LendingParamsSet(LendingParams params);
    event RiskEngineSet(address riskEngine);
    event PriceOracleSet(address priceOracle);
    event ExchangeSet(address exchange);
    /// @notice An owner's guard; in force from `time` [s], `delay` [s].
    event GuardSet(address indexed owner, address guardian, uint256 delay, bool restricted, uint256 time);
    /// @notice Good from `since` [s].
    event PayeeAllowed(address indexed owner, address indexed payee, uint256 since);
    event PayeeRemoved(address indexed owner, address indexed payee, address by);
    event LockdownSet(address indexed owner, address by, bool locked);
    /// @notice The owner can end the lockdown himself from `time` [s].
    event UnlockRequested(address indexed owner, uint256 time);
    /// @notice Limit on the net outflow of a token [whole units], zero: none.
    event OutflowCapSet(address indexed token, uint256 cap);
    /// @notice `cash` [wad] and the collateral of a flat account can leave from `from` [s], whatever the limit on outflow.
    event ExitRequested(AccountId indexed account, uint256 cash, uint256 from);
    event ExitVoided(AccountId indexed account);
    /// @notice What goes into and out of the account is counted from now on, from zero, or no longer.
    event FlowsTracked(AccountId indexed account, bool on);
    /// @notice Most that an account may open of an underlying [wad units]; the largest number: no cap.
    event ExposureCapSet(AccountId indexed account, uint256 indexed underlying, uint256 cap);
    event InsuranceFundSet(address insuranceFund);
    event TreasurySet(address treasury);
    /// @notice New risk is paused until `until` [s], or, if that is now, no longer.
    event NewRiskPauseSet(uint256 until);

    // ---------------------------------------------------------------- errors

    error Reentrancy();
    /// @dev A margin view was called while a batch is under way.
    error CheckPending();
    error NotOwner(AccountId account, address caller);
    error NotExchange(address caller);
    error OwnerMismatch(AccountId from, AccountId to);
    error SameAccount(AccountId account);
    error ZeroAmount();
    error ZeroAddress();
    error UnknownMarket(uint256 market);
    error UnknownAsset(address token);
    /// @dev Equity that counts for this action is below what it requires.
    error InsufficientMargin(AccountId account, int256 equity, uint256 required);
    /// @dev `available` includes what the account can call back and borrow.
    error InsufficientCash(AccountId account, uint256 available, uint256 required);
    /// @dev The lending pool can pay, or the account has lent, no more than `available`.
    error InsufficientLiquidity(AccountId account, uint256 available, uint256 required);
    error InsufficientCollateral(AccountId account, uint256 collateral, uint256 available, uint256 required);
    /// @dev Cash that would be left does not cover the account's unsettled losses.
    error UnsettledLoss(AccountId account, uint256 cash, uint256 loss);
    error PriceOutOfBand(uint256 market, uint256 price, uint256 index, uint256 band);
    error FillTooSmall(uint256 market, uint256 size, uint256 minimum);
    error SizeTooLarge(uint256 market, int256 size, uint256 maximum);
    error OpenInterestCap(uint256 market, uint256 openInterest, uint256 cap);
    error NotReducing(AccountId account, uint256 market, int256 sizeBefore, int256 sizeAfter);
    error IsolatedMarket(AccountId account, uint256 market);
    /// @dev All [wad units]: what the account would hold of an underlying, long less short, and its owner's cap.
    error ExposureCap(AccountId account, uint256 underlying, uint256 exposure, uint256 cap);
    error TooManyMarkets(AccountId account, uint256 maximum);
    error TooManyCollaterals(AccountId account, uint256 maximum);
    error CollateralDust(AccountId account, uint256 collateral, uint256 balance, uint256 minimum);
    error CollateralCap(uint256 collateral, uint256 amount, uint256 cap);
    error Delisted(uint256 collateral, uint256 end);
    error InvalidBatchTarget(address target);
    /// @dev Both [wad]: what the account has and what it was required to have.
    error AccountChanged(AccountId account, uint256 cash, uint256 expected);
    error NotLiquidatable(AccountId account, int256 equity, uint256 maintenanceMargin);
    error SelfLiquidation(AccountId account, AccountId taker);
    error IsolatedTaker(AccountId taker);
    error PaymentTooHigh(int256 payment, int256 maxPayment);
    error GainTooLow(uint256 gain, uint256 minGain);
    error FractionTooSmall(uint256 fraction, uint256 required);
    /// @dev The account can pay `shortfall` only in claims on a pool, which the taker has not accepted.
    error ClaimsNotAccepted(AccountId account, uint256 shortfall);
    error NothingToSell(AccountId account);
    error NotAbsorbable(AccountId account, int256 equity);
    error NoCashCall(AccountId account, uint256 unsettledLoss, uint256 clock);
    error NothingToClaim(AccountId account, uint256 market, uint256 claim, int256 pnl);
    error AlreadySet();
    /// @dev `since` is zero, in the future, or after the lockdown.
    error PayeeNotAllowed(address owner, address payee, uint256 since);
    error NotGuardian(address owner, address caller);
    error LockedDown(address owner, uint256 since);
    error NotLockedDown(address owner);
    error UnlockTooEarly(address owner, uint256 time);
    /// @dev Net outflow of the token would pass its cap, and the account has no exit request that is good for it. Both [wad units].
    error OutflowLimited(address token, uint256 available, uint256 required);
    error NotFlat(AccountId account);
    /// @dev The guardian has paused what would raise open interest or debt, until this time [s].
    error NewRiskPaused(uint256 until);
    /// @dev The next pause can begin at this time [s].
    error PauseTooEarly(uint256 from);
    error NotPaused();
    /// @dev Not a failure: what a simulation found. `result` is what the simulated function returned, `assessment` the account afterwards.
    error Simulated(bytes result, Assessment assessment);
    error ParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max);

    // ---------------------------------------------------------------- money

    // "Owner" is the account's owner, or the exchange with an intent that he or a key of his has signed (`IIntents`).

    /// @notice Brings cash or collateral into `account`, taken from the caller (from the owner, if the exchange brings his intent), who has
    /// approved the vault. Cash may be added by anyone, in every state and without a price; collateral only by the owner.
    /// @param token settlement asset or a listed collateral
    /// @param amount in the token's own units
    /// @return credited [wad] what the account was credited: what the vault received, rounded down
    function deposit(AccountId account, address token, uint256 amount) external returns (uint256 credited);

    /// @notice Takes cash or collateral out of `account`. Owner only; to a payee, if his guard says so, and within the limit on net
    /// outflow. Afterwards E without unsettled profit must be ≥ IM and the remaining cash must cover unsettled losses; a flat account
    /// needs neither price nor check. Below IM collateral may leave against at least its value in cash brought in by the same batch.
    /// @param token settlement asset or a listed collateral
    /// @param amount in the token's own units; `type(uint256).max` for all there is, of cash what is lent too, and nothing borrowed
    /// @param to recipient of the tokens
    /// @return debited [wad] what the account was debited: `amount`, rounded up
    function withdraw(AccountId account, address token, uint256 amount, address to) external returns (uint256 debited);

    /// @notice Moves cash or collateral between two accounts of one owner. Owner only, and not in a lockdown. `from` is checked as in
    /// `withdraw`.
    /// @param amount in the token's own units; `type(uint256).max` for all there is, of cash what is lent too, and nothing borrowed
    /// @return moved [wad] what one account was debited and the other credited: `amount`, rounded up
    function transfer(AccountId from, AccountId to, address token, uint256 amount) external returns (uint256 moved);

    /// @notice Lends cash of `account` to borrowers; it earns interest and counts in full. Owner only, and not in a lockdown. Settles
    /// the account first and is refused while a loss stays unsettled or E without unsettled profit is below IM. While deficits of
    /// borrowers are flagged, what is lent bears its part of them at once.
    /// @param amount in the settlement asset's own units
    function lend(AccountId account, uint256 amount) external;

    /// @notice Brings lent cash back. Owner only. While deficits of borrowers are flagged, lent cash counts without its part of them.
    /// @dev Reverts with `InsufficientLiquidity` if borrowers hold it. Cash that leaves beyond what is there is called back, then borrowed,
    /// without this function.
    /// @param amount in the settlement asset's own units
    function recall(AccountId account, uint256 amount) external;

    // ---------------------------------------------------------------- trading and upkeep

    /// @notice Applies fills in order, then checks every account in them once. Exchange only.
    /// @dev A fill must lie in the market's price band, be at least its minimum size unless it closes a position, and leave open interest below the cap.
    /// Fees are taken from the quote, rounded up to 1e-9 USD. A position that is closed whole is settled at once.
    /// @return receipts index price and fees of each fill
    function trade(Fill[] calldata fills) external returns (FillReceipt[] memory receipts);

    /// @notice Moves `amount` [wad] of cash from one account to another: what who settles an order may take for it. Exchange only.
    /// @dev Emits `Transferred`. `from` is checked as in `withdraw`, except that below IM it may pay if nothing is worse than before; if it
    /// has to call back or borrow for it, then only at E ≥ MM without unsettled profit. So the exchange pays in a batch with the trade.
    function payFee(AccountId from, AccountId to, uint256 amount) external;

    /// @notice Settles PnL of `accounts` in `market`: a loser's moves from his cash into the pool, a winner's out of the pool as far
    /// as it holds more than recorded deficits. Open to anyone. An account whose cash does not cover all its losses pays them all
    /// pro rata, in every market, so the order of calls does not matter. While bad debt stands, winners are paid by `claim` only.
    function settle(uint256 market, AccountId[] calldata accounts) external;

    /// @notice While bad debt stands: gives up profit `amount` for amount · s of cash, s = pool / (pool + bad debt), and takes
    /// amount · (1 − s) off the bad debt. Owner only. Without bad debt it pays like `settle`.
    /// @param amount [wad]
    /// @return paid [wad]
    function claim(AccountId account, uint256 market, uint256 amount) external returns (uint256 paid);

    /// @notice Brings the funding of `market` up to now. Open to anyone.
    function accrueFunding(uint256 market) external;

    /// @notice Pays out the accrued fees of `market` from its pool: the fund's share to the insurance fund, the rest to the treasury.
    /// While bad debt stands they cancel bad debt instead. Open to anyone.
    function sweepFees(uint256 market) external;

    /// @notice Pays the insurance fund its share of interest, as far as the lending pool is liquid. Open to anyone.
    /// @return amount [wad]
    function sweepReserves() external returns (uint256 amount);

    // ---------------------------------------------------------------- liquidation

    /// @notice Observes an account. Below MM it starts or advances the auction clock and records a deficit; between MM and IM it emits
    /// `MarginCall`; at E ≥ IM it clears the auction. Open to anyone; the first flagger earns a share of the penalty.
    function flag(AccountId account) external;

    /// @notice Takes over a slice of an account below MM, and flags it if it is not flagged. Open to anyone who is not in a lockdown;
    /// `taker` is an account of the caller that is not isolated, belongs to somebody else than `account`, and must satisfy IM afterwards.
    /// @dev Settles the account, sends a deficit through the waterfall, then moves the slice. Reverts with `NotLiquidatable` early.
    /// @return fraction [wad] of the portfolio that moved
    /// @return payment [wad] cash that the taker paid (negative: received)
    function liquidate(
        AccountId account,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external returns (uint256 fraction, int256 payment);

    /// @notice Takes a slice of an account whose loss settlement could not collect for lack of cash for longer than 24 hours of observed
    /// time, whatever its health: each `settle` that sees the loss adds the time since the last one, at most an hour. The slice is at
    /// most loss / (collateral − debt). Neither such a `settle` nor this call counts in
    /// a block in which money has moved in the lending pool before it: the pool could have been emptied for the purpose.
    /// Otherwise as `liquidate`.
    function cashCall(
        AccountId account,
        AccountId taker,
        LiquidationTerms calldata terms
    ) external returns (uint256 fraction, int256 payment);

    /// @notice Writes off an account with E < 0 and nothing to sell: its deficit goes through the waterfall. Open to anyone.
    function absorb(AccountId account) external;

    // ---------------------------------------------------------------- batch

    /// @notice Runs several calls with margin checks deferred to the end: of the clearinghouse (as the caller), `settle` and the intents of
    /// the exchange, and `permit` of the vault for a listed token.
    /// @dev Reverts whole if any call or any check fails, with the reason of the failing one.
    /// @return results return data of each call
    function batch(Call[] calldata calls) external returns (bytes[] memory results);

    // ---------------------------------------------------------------- views

    /// @notice Cash, bitmaps and flags of an account.
    function account(AccountId id) external view returns (Account memory);

    /// @notice Size and quote of an account in a market.
    function position(AccountId id, uint256 market) external view returns (Position memory);

    /// @notice E, IM and MM of an account [wad].
    function assess(AccountId id) external view returns (Assessment memory);

    /// @notice The contract that holds all tokens; depositors approve it. Final.
    function vault() external view returns (address);

    /// @notice The settlement asset. Final.
    function cashToken() external view returns (address);

    /// @notice Applies fills, checks the first one's taker, and reverts with `Simulated`, or with the reason of a refusal.
    function simulateTrade(Fill[] calldata fills) external;
}
