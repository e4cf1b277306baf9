// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "../types/AccountId.sol";
import {
    Account,
    Assessment,
    Auction,
    Call,
    CollateralParams,
    Cure,
    Fill,
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
    Position
} from "../types/LedgerTypes.sol";

/// @title The ledger
/// @notice Accounts, cash, collateral balances and positions. Every state change ends in one margin check of every account it
/// could have worsened:
///
///     healthy        E ≥ IM       everything that leaves E ≥ IM
///     margin call    MM ≤ E < IM  cash deposits; changes after which none of E − IM, E − MM, E/MM has fallen and E ≥ 0
///     liquidatable   E < MM       the same; anyone may liquidate
///     bankrupt       E < 0        deposits and liquidation only
///
/// An account without size, debt and negative quote is flat: it needs no price and no check.
///
/// Without a usable price: a market is neither settled nor traded, except by fills that reduce both sides at exactly the last good
/// price; whoever has a position in it can only do what worsens nothing, and nothing leaves his account. A collateral asset counts
/// zero, except for liquidation, where everything counts at its last good price moved in the owner's favour and stays out of the slice.
///
/// Units: amounts of cash, collateral, size, price and USD are 18-decimal fixed point [wad] unless an argument is named
/// as being in a token's own units. Cumulative indices have 36 decimals. Every rounding is against the account.
///
/// Warning: unsettled profit counts as equity, but only what a market's pool holds can leave. Warning: margin views revert
/// while a batch is under way.
///
/// Assumptions on tokens: no balance shrinks by itself; a transfer moves no more than asked. Assumptions for liveness only:
/// feeds answer, somebody flags.
interface IClearingHouse {
    // ---------------------------------------------------------------- events

    /// @notice Cash or collateral came in. `amount` [wad] is what the vault received.
    event Deposited(AccountId indexed account, address indexed token, address indexed from, uint256 amount);
    /// @notice Cash or collateral left. `amount` [wad] is what the account was debited.
    event Withdrawn(AccountId indexed account, address indexed token, address indexed to, uint256 amount);
    /// @notice Cash or collateral moved between two accounts of one owner. `amount` [wad].
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
    event InsuranceFundSet(address insuranceFund);
    event TreasurySet(address treasury);

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
    error TooManyMarkets(AccountId account, uint256 maximum);
    error TooManyCollaterals(AccountId account, uint256 maximum);
    error CollateralDust(AccountId account, uint256 collateral, uint256 balance, uint256 minimum);
    error CollateralCap(uint256 collateral, uint256 amount, uint256 cap);
    error Delisted(uint256 collateral, uint256 end);
    error InvalidBatchTarget(address target);
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
    /// @dev Not a failure: what a simulation found. `result` is what the simulated function returned, `assessment` the account afterwards.
    error Simulated(bytes result, Assessment assessment);
    error ParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max);

    // ---------------------------------------------------------------- money

    /// @notice Brings cash or collateral into `account`, taken from the caller, who has approved the vault. Cash may be added by
    /// anyone, in every state and without a price; collateral only by the owner.
    /// @param token settlement asset or a listed collateral
    /// @param amount in the token's own units
    /// @return credited [wad] what the account was credited: what the vault received, rounded down
    function deposit(AccountId account, address token, uint256 amount) external returns (uint256 credited);

    /// @notice Takes cash or collateral out of `account`. Owner only. Afterwards E without unsettled profit must be ≥ IM and the
    /// remaining cash must cover unsettled losses; a flat account needs neither price nor check. Below IM collateral may
    /// leave against at least its value in cash brought in by the same batch.
    /// @param token settlement asset or a listed collateral
    /// @param amount in the token's own units
    /// @param to recipient of the tokens
    /// @return debited [wad] what the account was debited: `amount`, rounded up
    function withdraw(AccountId account, address token, uint256 amount, address to) external returns (uint256 debited);

    /// @notice Moves cash or collateral between two accounts of the caller. `from` is checked as in `withdraw`.
    /// @param amount in the token's own units
    /// @return moved [wad] what one account was debited and the other credited: `amount`, rounded up
    function transfer(AccountId from, AccountId to, address token, uint256 amount) external returns (uint256 moved);

    /// @notice Lends cash of `account` to borrowers; it earns interest and counts in full. Owner only. Settles the account first and is
    /// refused while a loss stays unsettled or E without unsettled profit is below IM. While deficits of borrowers are flagged, what is
    /// lent bears its part of them at once.
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
    function trade(Fill[] calldata fills) external;

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

    /// @notice Takes over a slice of an account below MM, and flags it if it is not flagged. Open to anyone; `taker` is an account of
    /// the caller that is not isolated, belongs to somebody else than `account`, and must satisfy IM afterwards.
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

    /// @notice Runs several calls of the clearinghouse (as the caller) and settlements of the exchange with margin checks deferred to
    /// the end.
    /// @dev Reverts whole if any call or any check fails, with the reason of the failing one.
    /// @return results return data of each call
    function batch(Call[] calldata calls) external returns (bytes[] memory results);

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

    /// @notice Applies fills, checks the first one's taker, and reverts with `Simulated`, or with the reason of a refusal.
    function simulateTrade(Fill[] calldata fills) external;

    // ---------------------------------------------------------------- views

    /// @notice Cash, bitmaps and flags of an account.
    function account(AccountId id) external view returns (Account memory);

    /// @notice Size and quote of an account in a market.
    function position(AccountId id, uint256 market) external view returns (Position memory);

    /// @notice PnL of an account in a market [wad], floored: size · (index price − F_side) + quote. Needs a price only if it has size.
    function positionPnl(AccountId id, uint256 market) external view returns (int256);

    /// @notice Net delta of an account in an underlying [wad units]: its sizes in the markets of the underlying plus the units that its
    /// collateral is worth, floored. Exact, and needs no price; reverts with the oracle's error if the rate of a collateral is not usable.
    function netDelta(AccountId id, uint256 underlying) external view returns (int256);

    /// @notice Balance [wad] of an account in a collateral asset.
    function collateralBalance(AccountId id, uint256 collateral) external view returns (uint256);

    /// @notice E, IM and MM of an account [wad].
    function assess(AccountId id) external view returns (Assessment memory);

    /// @notice E / MM [wad]; `type(int256).max` where MM is zero and E is not negative.
    function marginRatio(AccountId id) external view returns (int256);

    /// @notice The row of the health table an account is in.
    function marginState(AccountId id) external view returns (MarginState);

    /// @notice USD [wad] that may leave an account: E without unsettled profit less what it must leave behind, never negative. Cash beyond
    /// the account's own is borrowed.
    function freeCollateral(AccountId id) external view returns (uint256);

    /// @notice State, E, IM, MM, ratio and free collateral of an account in one answer.
    function health(AccountId id) external view returns (HealthReport memory);

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

    /// @notice The contract that holds all tokens; depositors approve it. Final.
    function vault() external view returns (address);
    /// @notice The settlement asset. Final.
    function cashToken() external view returns (address);
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

    // ---------------------------------------------------------------- listing and wiring, all restricted

    /// @notice Lists a market or changes its parameters within their bounds; its underlying is final. The risk engine must know the
    /// underlying, and the price band must be narrower than its shock and basis charges.
    function setMarket(uint256 id, MarketParams calldata params) external;

    /// @notice Lists a collateral asset or changes its caps and dust threshold; its token, underlying and `hasRate` are final, `decimals` and
    /// `delistingEnd` are ignored. The risk engine must know it, and the oracle its rate: an asset without them would make its
    /// holders' checks revert.
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
