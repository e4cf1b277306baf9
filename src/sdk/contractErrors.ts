// Written by `npm run errors` from the contracts' ABIs.

/** Every typed error that a call of the house can end in, as ethers' human-readable ABI. */
export const CONTRACT_ERRORS = [
  "error AccessManagedInvalidAuthority(address authority)",
  "error AccessManagedRequiredDelay(address caller, uint32 delay)",
  "error AccessManagedUnauthorized(address caller)",
  "error AccessManagerAlreadyScheduled(bytes32 operationId)",
  "error AccessManagerBadConfirmation()",
  "error AccessManagerExpired(bytes32 operationId)",
  "error AccessManagerInvalidInitialAdmin(address initialAdmin)",
  "error AccessManagerLockedFunction(bytes4 selector)",
  "error AccessManagerLockedRole(uint64 roleId)",
  "error AccessManagerNotReady(bytes32 operationId)",
  "error AccessManagerNotScheduled(bytes32 operationId)",
  "error AccessManagerUnauthorizedAccount(address msgsender, uint64 roleId)",
  "error AccessManagerUnauthorizedCall(address caller, address target, bytes4 selector)",
  "error AccessManagerUnauthorizedCancel(address msgsender, address caller, address target, bytes4 selector)",
  "error AccessManagerUnauthorizedConsume(address target)",
  "error AccountChanged(uint256 account, uint256 cash, uint256 expected)",
  "error AddressEmptyCode(address target)",
  "error AlreadySet()",
  "error CheckPending()",
  "error ClaimsNotAccepted(uint256 account, uint256 shortfall)",
  "error ClearingHouseAlreadySet(address clearingHouse)",
  "error CollateralCap(uint256 collateral, uint256 amount, uint256 cap)",
  "error CollateralDust(uint256 account, uint256 collateral, uint256 balance, uint256 minimum)",
  "error DeadManInvalid(uint256 time)",
  "error Delisted(uint256 collateral, uint256 end)",
  "error ECDSAInvalidSignature()",
  "error ECDSAInvalidSignatureLength(uint256 length)",
  "error ECDSAInvalidSignatureS(bytes32 s)",
  "error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
  "error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)",
  "error ERC20InvalidApprover(address approver)",
  "error ERC20InvalidReceiver(address receiver)",
  "error ERC20InvalidSender(address sender)",
  "error ERC20InvalidSpender(address spender)",
  "error ERC2612ExpiredSignature(uint256 deadline)",
  "error ERC2612InvalidSigner(address signer, address owner)",
  "error ERC4626ExceededMaxDeposit(address receiver, uint256 assets, uint256 max)",
  "error ERC4626ExceededMaxMint(address receiver, uint256 shares, uint256 max)",
  "error ERC4626ExceededMaxRedeem(address owner, uint256 shares, uint256 max)",
  "error ERC4626ExceededMaxWithdraw(address owner, uint256 assets, uint256 max)",
  "error ExposureCap(uint256 account, uint256 underlying, uint256 exposure, uint256 cap)",
  "error FailedCall()",
  "error FeedParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max)",
  "error FeedUnreadable(uint256 underlying, address aggregator)",
  "error FillTooSmall(uint256 market, uint256 size, uint256 minimum)",
  "error FlowsNotTracked(uint256 account)",
  "error FractionTooSmall(uint256 fraction, uint256 required)",
  "error GainTooLow(uint256 gain, uint256 minGain)",
  "error GrantTooWide(bytes32 field, uint256 value, uint256 maximum)",
  "error InsufficientBalance(uint256 balance, uint256 needed)",
  "error InsufficientCash(uint256 account, uint256 available, uint256 required)",
  "error InsufficientCollateral(uint256 account, uint256 collateral, uint256 available, uint256 required)",
  "error InsufficientLiquidity(uint256 account, uint256 available, uint256 required)",
  "error InsufficientMargin(uint256 account, int256 equity, uint256 required)",
  "error IntentExpired(uint256 deadline, uint256 now_)",
  "error IntentUsedBefore(address owner, uint256 nonce)",
  "error InvalidAccountNonce(address account, uint256 currentNonce)",
  "error InvalidAuthorisation(address owner, uint256 epoch, uint256 version)",
  "error InvalidBatchTarget(address target)",
  "error InvalidIntent(address owner, uint256 nonce, uint256 epoch)",
  "error InvalidRecipient(address to)",
  "error InvalidShortString()",
  "error InvalidSignature(uint256 account, uint256 nonce)",
  "error IsolatedMarket(uint256 account, uint256 market)",
  "error IsolatedTaker(uint256 taker)",
  "error KeyEquityFloor(address key, uint256 account, int256 netEquity, uint256 floor)",
  "error KeyExpired(address key, uint256 expiry, uint256 now_)",
  "error KeyIsRevoked(address owner, address key)",
  "error KeyLacksAccount(address key, uint256 account)",
  "error KeyLacksMarket(address key, uint256 market)",
  "error KeyLacksScope(address key, uint256 scopes, uint256 required)",
  "error KeyLossLimit(address key, int256 loss, uint256 left)",
  "error KeyNotionalLimit(address key, uint256 notional, uint256 left)",
  "error KeyPriceBand(address key, uint256 price, uint256 index, uint256 band)",
  "error KeyTaken(address owner, address key, address parent)",
  "error KeyWithdrawsToOwner(address key, address to)",
  "error LockedDown(address owner, uint256 since)",
  "error NewRiskPaused(uint256 until)",
  "error NoCashCall(uint256 account, uint256 unsettledLoss, uint256 clock)",
  "error NoMatches()",
  "error NonceNotIncreased(uint256 lowestNonce, uint256 current)",
  "error NotAbsorbable(uint256 account, int256 equity)",
  "error NotClearingHouse(address caller)",
  "error NotExchange(address caller)",
  "error NotFlat(uint256 account)",
  "error NotGuardian(address owner, address caller)",
  "error NotLiquidatable(uint256 account, int256 equity, uint256 maintenanceMargin)",
  "error NotLockedDown(address owner)",
  "error NotOwner(uint256 account, address caller)",
  "error NotPaused()",
  "error NotReducing(uint256 account, uint256 market, int256 sizeBefore, int256 sizeAfter)",
  "error NothingSettled(bytes reason)",
  "error NothingToClaim(uint256 account, uint256 market, uint256 claim, int256 pnl)",
  "error NothingToSell(uint256 account)",
  "error OnlyClearingHouse(address caller)",
  "error OpenInterestCap(uint256 market, uint256 openInterest, uint256 cap)",
  "error OrderCancelledOrFilled(uint256 account, uint256 nonce, uint256 filled)",
  "error OrderEpochMismatch(uint256 epoch, uint256 current)",
  "error OrderExpired(uint256 expiry, uint256 now_)",
  "error OrderFeeTooHigh(uint256 executionFee, uint256 max)",
  "error OrderFlagsInvalid(bool resting, bool postOnly, bool fillOrKill)",
  "error OrderInLockdown(uint256 account, uint256 nonce)",
  "error OrderMarketMismatch(uint256 makerMarket, uint256 takerMarket)",
  "error OrderNoMaker(uint256 makerNonce, uint256 takerNonce)",
  "error OrderNonceTooHigh(uint256 nonce)",
  "error OrderNonceTooLow(uint256 nonce, uint256 lowestNonce)",
  "error OrderNotCrossing(uint256 bid, uint256 ask)",
  "error OrderNotFilledWhole(uint256 account, uint256 nonce, uint256 filled, uint256 size)",
  "error OrderNotTriggered(uint256 account, uint256 nonce, uint256 indexPrice, uint256 triggerAbove, uint256 triggerBelow)",
  "error OrderNothingToReduce(uint256 account, uint256 market, int256 position)",
  "error OrderPriceInvalid(uint256 price, uint256 max)",
  "error OrderRepeated(uint256 account, uint256 nonce)",
  "error OrderSideMismatch(int256 makerSize, int256 takerSize)",
  "error OrderSizeInvalid(int256 size, uint256 unit, uint256 max)",
  "error OrderTriggerRests(uint256 triggerAbove, uint256 triggerBelow)",
  "error OrderWouldTake(uint256 account, uint256 nonce)",
  "error OutflowLimited(address token, uint256 available, uint256 required)",
  "error OwnerMismatch(uint256 from, uint256 to)",
  "error OwnerSilent(address owner, uint256 time, uint256 now_)",
  "error ParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max)",
  "error PauseTooEarly(uint256 from)",
  "error PayeeNotAllowed(address owner, address payee, uint256 since)",
  "error PaymentTooHigh(int256 payment, int256 maxPayment)",
  "error Permit2AmountOverflow()",
  "error Permit2Failed()",
  "error PriceDeviates(uint256 underlying, uint256 price, uint256 secondPrice, uint256 maxDeviation)",
  "error PriceNotPositive(uint256 underlying, int256 answer)",
  "error PriceOutOfBand(uint256 market, uint256 price, uint256 index, uint256 band)",
  "error PriceOutOfBounds(uint256 underlying, uint256 price, uint256 minPrice, uint256 maxPrice)",
  "error PriceRoundIncomplete(uint256 underlying, uint256 roundId, uint256 updatedAt)",
  "error PriceStale(uint256 underlying, uint256 updatedAt, uint256 heartbeat)",
  "error RateUnusable(uint256 collateral, address aggregator, int256 answer, uint256 updatedAt)",
  "error Reentrancy()",
  "error SafeCastOverflowedIntDowncast(uint8 bits, int256 value)",
  "error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value)",
  "error SafeERC20FailedOperation(address token)",
  "error SameAccount(uint256 account)",
  "error SelfLiquidation(uint256 account, uint256 taker)",
  "error SequencerDown(uint256 since)",
  "error SequencerGracePeriod(uint256 upSince, uint256 gracePeriod)",
  "error Simulated(bytes result, (int256 equity, uint256 initialMargin, uint256 maintenanceMargin) assessment)",
  "error SizeTooLarge(uint256 market, int256 size, uint256 maximum)",
  "error StringTooLong(string str)",
  "error TooManyCollaterals(uint256 account, uint256 maximum)",
  "error TooManyMarkets(uint256 account, uint256 maximum)",
  "error TransferFromFailed()",
  "error UnknownAsset(address token)",
  "error UnknownCollateral(uint256 collateral)",
  "error UnknownFeed(uint256 underlying)",
  "error UnknownKey(address owner, address key)",
  "error UnknownMarket(uint256 market)",
  "error UnknownRate(uint256 collateral)",
  "error UnknownUnderlying(uint256 underlying)",
  "error UnlockTooEarly(address owner, uint256 time)",
  "error UnsettledLoss(uint256 account, uint256 cash, uint256 loss)",
  "error ZeroAddress()",
  "error ZeroAmount()",
] as const;

/** Arguments of every typed error that a call of the house can end in, by its name; amounts are in the units of the contracts. */
export interface ContractErrorArgs {
  /** A `require` with a text, of a token or a wallet: argument 0 is the text. */
  readonly Error: {
    /** string */
    readonly 0: string;
  };
  /** An arithmetic error or a failed assertion: argument 0 is Solidity's panic code. */
  readonly Panic: {
    /** uint256 */
    readonly 0: bigint;
  };
  /** Access managed invalid authority. */
  readonly AccessManagedInvalidAuthority: {
    /** address */
    readonly authority: string;
  };
  /** Access managed required delay. */
  readonly AccessManagedRequiredDelay: {
    /** address */
    readonly caller: string;
    /** uint32 */
    readonly delay: bigint;
  };
  /** Access managed unauthorized. */
  readonly AccessManagedUnauthorized: {
    /** address */
    readonly caller: string;
  };
  /** Access manager already scheduled. */
  readonly AccessManagerAlreadyScheduled: {
    /** bytes32 */
    readonly operationId: string;
  };
  /** Access manager bad confirmation. */
  readonly AccessManagerBadConfirmation: Readonly<Record<string, never>>;
  /** Access manager expired. */
  readonly AccessManagerExpired: {
    /** bytes32 */
    readonly operationId: string;
  };
  /** Access manager invalid initial admin. */
  readonly AccessManagerInvalidInitialAdmin: {
    /** address */
    readonly initialAdmin: string;
  };
  /** Access manager locked function. */
  readonly AccessManagerLockedFunction: {
    /** bytes4 */
    readonly selector: string;
  };
  /** Access manager locked role. */
  readonly AccessManagerLockedRole: {
    /** uint64 */
    readonly roleId: bigint;
  };
  /** Access manager not ready. */
  readonly AccessManagerNotReady: {
    /** bytes32 */
    readonly operationId: string;
  };
  /** Access manager not scheduled. */
  readonly AccessManagerNotScheduled: {
    /** bytes32 */
    readonly operationId: string;
  };
  /** Access manager unauthorized account. */
  readonly AccessManagerUnauthorizedAccount: {
    /** address */
    readonly msgsender: string;
    /** uint64 */
    readonly roleId: bigint;
  };
  /** Access manager unauthorized call. */
  readonly AccessManagerUnauthorizedCall: {
    /** address */
    readonly caller: string;
    /** address */
    readonly target: string;
    /** bytes4 */
    readonly selector: string;
  };
  /** Access manager unauthorized cancel. */
  readonly AccessManagerUnauthorizedCancel: {
    /** address */
    readonly msgsender: string;
    /** address */
    readonly caller: string;
    /** address */
    readonly target: string;
    /** bytes4 */
    readonly selector: string;
  };
  /** Access manager unauthorized consume. */
  readonly AccessManagerUnauthorizedConsume: {
    /** address */
    readonly target: string;
  };
  /** Both [wad]: what the account has and what it was required to have. */
  readonly AccountChanged: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly cash: bigint;
    /** uint256 */
    readonly expected: bigint;
  };
  /** Address empty code. */
  readonly AddressEmptyCode: {
    /** address */
    readonly target: string;
  };
  /** Already set. */
  readonly AlreadySet: Readonly<Record<string, never>>;
  /** A margin view was called while a batch is under way. */
  readonly CheckPending: Readonly<Record<string, never>>;
  /** The account can pay `shortfall` only in claims on a pool, which the taker has not accepted. */
  readonly ClaimsNotAccepted: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly shortfall: bigint;
  };
  /** Clearing house already set. */
  readonly ClearingHouseAlreadySet: {
    /** address */
    readonly clearingHouse: string;
  };
  /** Collateral cap. */
  readonly CollateralCap: {
    /** uint256 */
    readonly collateral: bigint;
    /** uint256 */
    readonly amount: bigint;
    /** uint256 */
    readonly cap: bigint;
  };
  /** Collateral dust. */
  readonly CollateralDust: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly collateral: bigint;
    /** uint256 */
    readonly balance: bigint;
    /** uint256 */
    readonly minimum: bigint;
  };
  /** The time is beyond 40 bits, or a key has tried to switch the owner's dead-man switch off. */
  readonly DeadManInvalid: {
    /** uint256 */
    readonly time: bigint;
  };
  /** Delisted. */
  readonly Delisted: {
    /** uint256 */
    readonly collateral: bigint;
    /** uint256 */
    readonly end: bigint;
  };
  /** ECDSAInvalid signature. */
  readonly ECDSAInvalidSignature: Readonly<Record<string, never>>;
  /** ECDSAInvalid signature length. */
  readonly ECDSAInvalidSignatureLength: {
    /** uint256 */
    readonly length: bigint;
  };
  /** ECDSAInvalid signature s. */
  readonly ECDSAInvalidSignatureS: {
    /** bytes32 */
    readonly s: string;
  };
  /** ERC20 insufficient allowance. */
  readonly ERC20InsufficientAllowance: {
    /** address */
    readonly spender: string;
    /** uint256 */
    readonly allowance: bigint;
    /** uint256 */
    readonly needed: bigint;
  };
  /** ERC20 insufficient balance. */
  readonly ERC20InsufficientBalance: {
    /** address */
    readonly sender: string;
    /** uint256 */
    readonly balance: bigint;
    /** uint256 */
    readonly needed: bigint;
  };
  /** ERC20 invalid approver. */
  readonly ERC20InvalidApprover: {
    /** address */
    readonly approver: string;
  };
  /** ERC20 invalid receiver. */
  readonly ERC20InvalidReceiver: {
    /** address */
    readonly receiver: string;
  };
  /** ERC20 invalid sender. */
  readonly ERC20InvalidSender: {
    /** address */
    readonly sender: string;
  };
  /** ERC20 invalid spender. */
  readonly ERC20InvalidSpender: {
    /** address */
    readonly spender: string;
  };
  /** ERC2612 expired signature. */
  readonly ERC2612ExpiredSignature: {
    /** uint256 */
    readonly deadline: bigint;
  };
  /** ERC2612 invalid signer. */
  readonly ERC2612InvalidSigner: {
    /** address */
    readonly signer: string;
    /** address */
    readonly owner: string;
  };
  /** ERC4626 exceeded max deposit. */
  readonly ERC4626ExceededMaxDeposit: {
    /** address */
    readonly receiver: string;
    /** uint256 */
    readonly assets: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** ERC4626 exceeded max mint. */
  readonly ERC4626ExceededMaxMint: {
    /** address */
    readonly receiver: string;
    /** uint256 */
    readonly shares: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** ERC4626 exceeded max redeem. */
  readonly ERC4626ExceededMaxRedeem: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly shares: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** ERC4626 exceeded max withdraw. */
  readonly ERC4626ExceededMaxWithdraw: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly assets: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** All [wad units]: what the account would hold of an underlying, long less short, and its owner's cap. */
  readonly ExposureCap: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly underlying: bigint;
    /** uint256 */
    readonly exposure: bigint;
    /** uint256 */
    readonly cap: bigint;
  };
  /** Failed call. */
  readonly FailedCall: Readonly<Record<string, never>>;
  /** Feed parameter out of bounds. */
  readonly FeedParameterOutOfBounds: {
    /** bytes32 */
    readonly name: string;
    /** uint256 */
    readonly value: bigint;
    /** uint256 */
    readonly min: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** The aggregator reverted or answered with malformed data, or its decimals are not those it was set with. */
  readonly FeedUnreadable: {
    /** uint256 */
    readonly underlying: bigint;
    /** address */
    readonly aggregator: string;
  };
  /** Fill too small. */
  readonly FillTooSmall: {
    /** uint256 */
    readonly market: bigint;
    /** uint256 */
    readonly size: bigint;
    /** uint256 */
    readonly minimum: bigint;
  };
  /** A key with a floor has traded with an account whose net flow is not counted (`IClearingHouse.trackFlows`). */
  readonly FlowsNotTracked: {
    /** uint256 */
    readonly account: bigint;
  };
  /** Fraction too small. */
  readonly FractionTooSmall: {
    /** uint256 */
    readonly fraction: bigint;
    /** uint256 */
    readonly required: bigint;
  };
  /** Gain too low. */
  readonly GainTooLow: {
    /** uint256 */
    readonly gain: bigint;
    /** uint256 */
    readonly minGain: bigint;
  };
  /** `field` of the grant is more than its granter has (less, if it is the floor), or is out of bounds. */
  readonly GrantTooWide: {
    /** bytes32 */
    readonly field: string;
    /** uint256 */
    readonly value: bigint;
    /** uint256 */
    readonly maximum: bigint;
  };
  /** Insufficient balance. */
  readonly InsufficientBalance: {
    /** uint256 */
    readonly balance: bigint;
    /** uint256 */
    readonly needed: bigint;
  };
  /** `available` includes what the account can call back and borrow. */
  readonly InsufficientCash: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly available: bigint;
    /** uint256 */
    readonly required: bigint;
  };
  /** Insufficient collateral. */
  readonly InsufficientCollateral: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly collateral: bigint;
    /** uint256 */
    readonly available: bigint;
    /** uint256 */
    readonly required: bigint;
  };
  /** The lending pool can pay, or the account has lent, no more than `available`. */
  readonly InsufficientLiquidity: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly available: bigint;
    /** uint256 */
    readonly required: bigint;
  };
  /** Equity that counts for this action is below what it requires. */
  readonly InsufficientMargin: {
    /** uint256 */
    readonly account: bigint;
    /** int256 */
    readonly equity: bigint;
    /** uint256 */
    readonly required: bigint;
  };
  /** Intent expired. */
  readonly IntentExpired: {
    /** uint256 */
    readonly deadline: bigint;
    /** uint256 */
    readonly now_: bigint;
  };
  /** Intent used before. */
  readonly IntentUsedBefore: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly nonce: bigint;
  };
  /** Invalid account nonce. */
  readonly InvalidAccountNonce: {
    /** address */
    readonly account: string;
    /** uint256 */
    readonly currentNonce: bigint;
  };
  /** The owner has not signed this at this epoch and, of a grant or a revocation, this version of the key. */
  readonly InvalidAuthorisation: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly epoch: bigint;
    /** uint256 */
    readonly version: bigint;
  };
  /** Invalid batch target. */
  readonly InvalidBatchTarget: {
    /** address */
    readonly target: string;
  };
  /** Neither the owner nor a key of his has signed this for this nonce at this epoch. */
  readonly InvalidIntent: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly nonce: bigint;
    /** uint256 */
    readonly epoch: bigint;
  };
  /** The vault itself can be neither source nor recipient. */
  readonly InvalidRecipient: {
    /** address */
    readonly to: string;
  };
  /** Invalid short string. */
  readonly InvalidShortString: Readonly<Record<string, never>>;
  /** Invalid signature. */
  readonly InvalidSignature: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly nonce: bigint;
  };
  /** Isolated market. */
  readonly IsolatedMarket: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly market: bigint;
  };
  /** Isolated taker. */
  readonly IsolatedTaker: {
    /** uint256 */
    readonly taker: bigint;
  };
  /** Both [wad]. Equity less the net flow since `trackFlows`. */
  readonly KeyEquityFloor: {
    /** address */
    readonly key: string;
    /** uint256 */
    readonly account: bigint;
    /** int256 */
    readonly netEquity: bigint;
    /** uint256 */
    readonly floor: bigint;
  };
  /** Key expired. */
  readonly KeyExpired: {
    /** address */
    readonly key: string;
    /** uint256 */
    readonly expiry: bigint;
    /** uint256 */
    readonly now_: bigint;
  };
  /** The key, or one above it, has been revoked; or one above it is dead or was granted anew since. */
  readonly KeyIsRevoked: {
    /** address */
    readonly owner: string;
    /** address */
    readonly key: string;
  };
  /** Key lacks account. */
  readonly KeyLacksAccount: {
    /** address */
    readonly key: string;
    /** uint256 */
    readonly account: bigint;
  };
  /** Key lacks market. */
  readonly KeyLacksMarket: {
    /** address */
    readonly key: string;
    /** uint256 */
    readonly market: bigint;
  };
  /** Key lacks scope. */
  readonly KeyLacksScope: {
    /** address */
    readonly key: string;
    /** uint256 */
    readonly scopes: bigint;
    /** uint256 */
    readonly required: bigint;
  };
  /** What the order loses, and what is left; both [0.0001 USD]. */
  readonly KeyLossLimit: {
    /** address */
    readonly key: string;
    /** int256 */
    readonly loss: bigint;
    /** uint256 */
    readonly left: bigint;
  };
  /** What the order trades, and what is left for today; both [0.01 USD]. */
  readonly KeyNotionalLimit: {
    /** address */
    readonly key: string;
    /** uint256 */
    readonly notional: bigint;
    /** uint256 */
    readonly left: bigint;
  };
  /** `price` and `index` [wad], `band` [ppm]. */
  readonly KeyPriceBand: {
    /** address */
    readonly key: string;
    /** uint256 */
    readonly price: bigint;
    /** uint256 */
    readonly index: bigint;
    /** uint256 */
    readonly band: bigint;
  };
  /** The key has a living grant from somebody else than the caller. */
  readonly KeyTaken: {
    /** address */
    readonly owner: string;
    /** address */
    readonly key: string;
    /** address */
    readonly parent: string;
  };
  /** What a key withdraws goes to the owner. */
  readonly KeyWithdrawsToOwner: {
    /** address */
    readonly key: string;
    /** address */
    readonly to: string;
  };
  /** Locked down. */
  readonly LockedDown: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly since: bigint;
  };
  /** The guardian has paused what would raise open interest or debt, until this time [s]. */
  readonly NewRiskPaused: {
    /** uint256 */
    readonly until: bigint;
  };
  /** No cash call. */
  readonly NoCashCall: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly unsettledLoss: bigint;
    /** uint256 */
    readonly clock: bigint;
  };
  /** No matches. */
  readonly NoMatches: Readonly<Record<string, never>>;
  /** Nonce not increased. */
  readonly NonceNotIncreased: {
    /** uint256 */
    readonly lowestNonce: bigint;
    /** uint256 */
    readonly current: bigint;
  };
  /** Not absorbable. */
  readonly NotAbsorbable: {
    /** uint256 */
    readonly account: bigint;
    /** int256 */
    readonly equity: bigint;
  };
  /** Not clearing house. */
  readonly NotClearingHouse: {
    /** address */
    readonly caller: string;
  };
  /** Not exchange. */
  readonly NotExchange: {
    /** address */
    readonly caller: string;
  };
  /** Not flat. */
  readonly NotFlat: {
    /** uint256 */
    readonly account: bigint;
  };
  /** Not guardian. */
  readonly NotGuardian: {
    /** address */
    readonly owner: string;
    /** address */
    readonly caller: string;
  };
  /** Not liquidatable. */
  readonly NotLiquidatable: {
    /** uint256 */
    readonly account: bigint;
    /** int256 */
    readonly equity: bigint;
    /** uint256 */
    readonly maintenanceMargin: bigint;
  };
  /** Not locked down. */
  readonly NotLockedDown: {
    /** address */
    readonly owner: string;
  };
  /** Not owner. */
  readonly NotOwner: {
    /** uint256 */
    readonly account: bigint;
    /** address */
    readonly caller: string;
  };
  /** Not paused. */
  readonly NotPaused: Readonly<Record<string, never>>;
  /** Not reducing. */
  readonly NotReducing: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly market: bigint;
    /** int256 */
    readonly sizeBefore: bigint;
    /** int256 */
    readonly sizeAfter: bigint;
  };
  /** `settleEach` had to leave every match out; `reason` is what the last one reverted with. */
  readonly NothingSettled: {
    /** bytes */
    readonly reason: string;
  };
  /** Nothing to claim. */
  readonly NothingToClaim: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly market: bigint;
    /** uint256 */
    readonly claim: bigint;
    /** int256 */
    readonly pnl: bigint;
  };
  /** Nothing to sell. */
  readonly NothingToSell: {
    /** uint256 */
    readonly account: bigint;
  };
  /** Only clearing house. */
  readonly OnlyClearingHouse: {
    /** address */
    readonly caller: string;
  };
  /** Open interest cap. */
  readonly OpenInterestCap: {
    /** uint256 */
    readonly market: bigint;
    /** uint256 */
    readonly openInterest: bigint;
    /** uint256 */
    readonly cap: bigint;
  };
  /** Order cancelled or filled. */
  readonly OrderCancelledOrFilled: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly nonce: bigint;
    /** uint256 */
    readonly filled: bigint;
  };
  /** Order epoch mismatch. */
  readonly OrderEpochMismatch: {
    /** uint256 */
    readonly epoch: bigint;
    /** uint256 */
    readonly current: bigint;
  };
  /** Order expired. */
  readonly OrderExpired: {
    /** uint256 */
    readonly expiry: bigint;
    /** uint256 */
    readonly now_: bigint;
  };
  /** Both [wad]; `max` is 1 % of size · limitPrice. */
  readonly OrderFeeTooHigh: {
    /** uint256 */
    readonly executionFee: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** Order flags invalid. */
  readonly OrderFlagsInvalid: {
    /** bool */
    readonly resting: boolean;
    /** bool */
    readonly postOnly: boolean;
    /** bool */
    readonly fillOrKill: boolean;
  };
  /** Its owner is in lockdown, which leaves reduce-only orders without an execution fee. */
  readonly OrderInLockdown: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly nonce: bigint;
  };
  /** Order market mismatch. */
  readonly OrderMarketMismatch: {
    /** uint256 */
    readonly makerMarket: bigint;
    /** uint256 */
    readonly takerMarket: bigint;
  };
  /** Order no maker. */
  readonly OrderNoMaker: {
    /** uint256 */
    readonly makerNonce: bigint;
    /** uint256 */
    readonly takerNonce: bigint;
  };
  /** Order nonce too high. */
  readonly OrderNonceTooHigh: {
    /** uint256 */
    readonly nonce: bigint;
  };
  /** Order nonce too low. */
  readonly OrderNonceTooLow: {
    /** uint256 */
    readonly nonce: bigint;
    /** uint256 */
    readonly lowestNonce: bigint;
  };
  /** Order not crossing. */
  readonly OrderNotCrossing: {
    /** uint256 */
    readonly bid: bigint;
    /** uint256 */
    readonly ask: bigint;
  };
  /** Order not filled whole. */
  readonly OrderNotFilledWhole: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly nonce: bigint;
    /** uint256 */
    readonly filled: bigint;
    /** uint256 */
    readonly size: bigint;
  };
  /** All prices [wad]. */
  readonly OrderNotTriggered: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly nonce: bigint;
    /** uint256 */
    readonly indexPrice: bigint;
    /** uint256 */
    readonly triggerAbove: bigint;
    /** uint256 */
    readonly triggerBelow: bigint;
  };
  /** Order nothing to reduce. */
  readonly OrderNothingToReduce: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly market: bigint;
    /** int256 */
    readonly position: bigint;
  };
  /** Order price invalid. */
  readonly OrderPriceInvalid: {
    /** uint256 */
    readonly price: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** One settlement names an order, or two orders with one nonce, twice. */
  readonly OrderRepeated: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly nonce: bigint;
  };
  /** Order side mismatch. */
  readonly OrderSideMismatch: {
    /** int256 */
    readonly makerSize: bigint;
    /** int256 */
    readonly takerSize: bigint;
  };
  /** Order size invalid. */
  readonly OrderSizeInvalid: {
    /** int256 */
    readonly size: bigint;
    /** uint256 */
    readonly unit: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** It has a trigger and rests. */
  readonly OrderTriggerRests: {
    /** uint256 */
    readonly triggerAbove: bigint;
    /** uint256 */
    readonly triggerBelow: bigint;
  };
  /** It is post-only and named as the taker, or meets another post-only one. */
  readonly OrderWouldTake: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly nonce: bigint;
  };
  /** Net outflow of the token would pass its cap, and the account has no exit request that is good for it. Both [wad units]. */
  readonly OutflowLimited: {
    /** address */
    readonly token: string;
    /** uint256 */
    readonly available: bigint;
    /** uint256 */
    readonly required: bigint;
  };
  /** Owner mismatch. */
  readonly OwnerMismatch: {
    /** uint256 */
    readonly from: bigint;
    /** uint256 */
    readonly to: bigint;
  };
  /** The owner has not renewed his dead-man switch in time. */
  readonly OwnerSilent: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly time: bigint;
    /** uint256 */
    readonly now_: bigint;
  };
  /** A parameter lies outside its hard bound. */
  readonly ParameterOutOfBounds: {
    /** bytes32 */
    readonly name: string;
    /** uint256 */
    readonly value: bigint;
    /** uint256 */
    readonly min: bigint;
    /** uint256 */
    readonly max: bigint;
  };
  /** The next pause can begin at this time [s]. */
  readonly PauseTooEarly: {
    /** uint256 */
    readonly from: bigint;
  };
  /** `since` is zero, in the future, or after the lockdown. */
  readonly PayeeNotAllowed: {
    /** address */
    readonly owner: string;
    /** address */
    readonly payee: string;
    /** uint256 */
    readonly since: bigint;
  };
  /** Payment too high. */
  readonly PaymentTooHigh: {
    /** int256 */
    readonly payment: bigint;
    /** int256 */
    readonly maxPayment: bigint;
  };
  /** Permit2 knows amounts below 2^160 only. */
  readonly Permit2AmountOverflow: Readonly<Record<string, never>>;
  /** Neither the token nor Permit2 accepts the signature. */
  readonly Permit2Failed: Readonly<Record<string, never>>;
  /** The second source has no usable answer, or the two prices are further apart than `maxDeviation` [ppm] allows. */
  readonly PriceDeviates: {
    /** uint256 */
    readonly underlying: bigint;
    /** uint256 */
    readonly price: bigint;
    /** uint256 */
    readonly secondPrice: bigint;
    /** uint256 */
    readonly maxDeviation: bigint;
  };
  /** Price not positive. */
  readonly PriceNotPositive: {
    /** uint256 */
    readonly underlying: bigint;
    /** int256 */
    readonly answer: bigint;
  };
  /** Price out of band. */
  readonly PriceOutOfBand: {
    /** uint256 */
    readonly market: bigint;
    /** uint256 */
    readonly price: bigint;
    /** uint256 */
    readonly index: bigint;
    /** uint256 */
    readonly band: bigint;
  };
  /** Price out of bounds. */
  readonly PriceOutOfBounds: {
    /** uint256 */
    readonly underlying: bigint;
    /** uint256 */
    readonly price: bigint;
    /** uint256 */
    readonly minPrice: bigint;
    /** uint256 */
    readonly maxPrice: bigint;
  };
  /** Price round incomplete. */
  readonly PriceRoundIncomplete: {
    /** uint256 */
    readonly underlying: bigint;
    /** uint256 */
    readonly roundId: bigint;
    /** uint256 */
    readonly updatedAt: bigint;
  };
  /** Price stale. */
  readonly PriceStale: {
    /** uint256 */
    readonly underlying: bigint;
    /** uint256 */
    readonly updatedAt: bigint;
    /** uint256 */
    readonly heartbeat: bigint;
  };
  /** A rate feed of a collateral asset has no usable answer. */
  readonly RateUnusable: {
    /** uint256 */
    readonly collateral: bigint;
    /** address */
    readonly aggregator: string;
    /** int256 */
    readonly answer: bigint;
    /** uint256 */
    readonly updatedAt: bigint;
  };
  /** Reentrancy. */
  readonly Reentrancy: Readonly<Record<string, never>>;
  /** Safe cast overflowed int downcast. */
  readonly SafeCastOverflowedIntDowncast: {
    /** uint8 */
    readonly bits: bigint;
    /** int256 */
    readonly value: bigint;
  };
  /** Safe cast overflowed uint downcast. */
  readonly SafeCastOverflowedUintDowncast: {
    /** uint8 */
    readonly bits: bigint;
    /** uint256 */
    readonly value: bigint;
  };
  /** Safe ERC20 failed operation. */
  readonly SafeERC20FailedOperation: {
    /** address */
    readonly token: string;
  };
  /** Same account. */
  readonly SameAccount: {
    /** uint256 */
    readonly account: bigint;
  };
  /** Self liquidation. */
  readonly SelfLiquidation: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly taker: bigint;
  };
  /** Sequencer down. */
  readonly SequencerDown: {
    /** uint256 */
    readonly since: bigint;
  };
  /** Sequencer grace period. */
  readonly SequencerGracePeriod: {
    /** uint256 */
    readonly upSince: bigint;
    /** uint256 */
    readonly gracePeriod: bigint;
  };
  /** Not a failure: what a simulation found. `result` is what the simulated function returned, `assessment` the account afterwards. */
  readonly Simulated: {
    /** bytes */
    readonly result: string;
    /** struct */
    readonly assessment: {
      /** int256 */
      readonly equity: bigint;
      /** uint256 */
      readonly initialMargin: bigint;
      /** uint256 */
      readonly maintenanceMargin: bigint;
    };
  };
  /** Size too large. */
  readonly SizeTooLarge: {
    /** uint256 */
    readonly market: bigint;
    /** int256 */
    readonly size: bigint;
    /** uint256 */
    readonly maximum: bigint;
  };
  /** String too long. */
  readonly StringTooLong: {
    /** string */
    readonly str: string;
  };
  /** Too many collaterals. */
  readonly TooManyCollaterals: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly maximum: bigint;
  };
  /** Too many markets. */
  readonly TooManyMarkets: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly maximum: bigint;
  };
  /** The owner has let the vault take as much through Permit2, but has not approved Permit2 for the token, or has not got as much. */
  readonly TransferFromFailed: Readonly<Record<string, never>>;
  /** Unknown asset. */
  readonly UnknownAsset: {
    /** address */
    readonly token: string;
  };
  /** Unknown collateral. */
  readonly UnknownCollateral: {
    /** uint256 */
    readonly collateral: bigint;
  };
  /** Unknown feed. */
  readonly UnknownFeed: {
    /** uint256 */
    readonly underlying: bigint;
  };
  /** Neither the owner nor one of his keys has signed or calls. */
  readonly UnknownKey: {
    /** address */
    readonly owner: string;
    /** address */
    readonly key: string;
  };
  /** Unknown market. */
  readonly UnknownMarket: {
    /** uint256 */
    readonly market: bigint;
  };
  /** Unknown rate. */
  readonly UnknownRate: {
    /** uint256 */
    readonly collateral: bigint;
  };
  /** Unknown underlying. */
  readonly UnknownUnderlying: {
    /** uint256 */
    readonly underlying: bigint;
  };
  /** Unlock too early. */
  readonly UnlockTooEarly: {
    /** address */
    readonly owner: string;
    /** uint256 */
    readonly time: bigint;
  };
  /** Cash that would be left does not cover the account's unsettled losses. */
  readonly UnsettledLoss: {
    /** uint256 */
    readonly account: bigint;
    /** uint256 */
    readonly cash: bigint;
    /** uint256 */
    readonly loss: bigint;
  };
  /** Zero address. */
  readonly ZeroAddress: Readonly<Record<string, never>>;
  /** Zero amount. */
  readonly ZeroAmount: Readonly<Record<string, never>>;
}
