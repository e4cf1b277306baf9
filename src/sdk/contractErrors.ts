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
  "error AddressEmptyCode(address target)",
  "error AlreadySet()",
  "error CheckPending()",
  "error ClaimsNotAccepted(uint256 account, uint256 shortfall)",
  "error ClearingHouseAlreadySet(address clearingHouse)",
  "error CollateralCap(uint256 collateral, uint256 amount, uint256 cap)",
  "error CollateralDust(uint256 account, uint256 collateral, uint256 balance, uint256 minimum)",
  "error DeadManInvalid(uint256 time)",
  "error Delisted(uint256 collateral, uint256 end)",
  "error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
  "error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)",
  "error ERC20InvalidApprover(address approver)",
  "error ERC20InvalidReceiver(address receiver)",
  "error ERC20InvalidSender(address sender)",
  "error ERC20InvalidSpender(address spender)",
  "error ERC4626ExceededMaxDeposit(address receiver, uint256 assets, uint256 max)",
  "error ERC4626ExceededMaxMint(address receiver, uint256 shares, uint256 max)",
  "error ERC4626ExceededMaxRedeem(address owner, uint256 shares, uint256 max)",
  "error ERC4626ExceededMaxWithdraw(address owner, uint256 assets, uint256 max)",
  "error FailedCall()",
  "error FeedParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max)",
  "error FeedUnreadable(uint256 underlying, address aggregator)",
  "error FillTooSmall(uint256 market, uint256 size, uint256 minimum)",
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
  "error InvalidAuthorisation(address owner, uint256 epoch, uint256 version)",
  "error InvalidBatchTarget(address target)",
  "error InvalidIntent(address owner, uint256 nonce, uint256 epoch)",
  "error InvalidRecipient(address to)",
  "error InvalidShortString()",
  "error InvalidSignature(uint256 account, uint256 nonce)",
  "error IsolatedMarket(uint256 account, uint256 market)",
  "error IsolatedTaker(uint256 taker)",
  "error KeyExpired(address key, uint256 expiry, uint256 now_)",
  "error KeyIsRevoked(address owner, address key)",
  "error KeyLacksAccount(address key, uint256 account)",
  "error KeyLacksMarket(address key, uint256 market)",
  "error KeyLacksScope(address key, uint256 scopes, uint256 required)",
  "error KeyLossLimit(address key, int256 loss, uint256 limit)",
  "error KeyNotionalLimit(address key, uint256 tradedToday, uint256 limit)",
  "error KeyPriceBand(address key, uint256 price, uint256 index, uint256 band)",
  "error KeyTaken(address owner, address key, address parent)",
  "error KeyWithdrawsToOwner(address key, address to)",
  "error NoCashCall(uint256 account, uint256 unsettledLoss, uint256 clock)",
  "error NoMatches()",
  "error NonceNotIncreased(uint256 lowestNonce, uint256 current)",
  "error NotAbsorbable(uint256 account, int256 equity)",
  "error NotExchange(address caller)",
  "error NotLiquidatable(uint256 account, int256 equity, uint256 maintenanceMargin)",
  "error NotOwner(uint256 account, address caller)",
  "error NotReducing(uint256 account, uint256 market, int256 sizeBefore, int256 sizeAfter)",
  "error NothingToClaim(uint256 account, uint256 market, uint256 claim, int256 pnl)",
  "error NothingToSell(uint256 account)",
  "error OnlyClearingHouse(address caller)",
  "error OpenInterestCap(uint256 market, uint256 openInterest, uint256 cap)",
  "error OrderCancelledOrFilled(uint256 account, uint256 nonce, uint256 filled)",
  "error OrderEpochMismatch(uint256 epoch, uint256 current)",
  "error OrderExpired(uint256 expiry, uint256 now_)",
  "error OrderFlagsInvalid(bool resting, bool postOnly, bool fillOrKill)",
  "error OrderMarketMismatch(uint256 makerMarket, uint256 takerMarket)",
  "error OrderNoMaker(uint256 makerNonce, uint256 takerNonce)",
  "error OrderNonceTooHigh(uint256 nonce)",
  "error OrderNonceTooLow(uint256 nonce, uint256 lowestNonce)",
  "error OrderNotCrossing(uint256 bid, uint256 ask)",
  "error OrderNotFilledWhole(uint256 account, uint256 nonce, uint256 filled, uint256 size)",
  "error OrderNothingToReduce(uint256 account, uint256 market, int256 position)",
  "error OrderPriceInvalid(uint256 price, uint256 max)",
  "error OrderRepeated(uint256 account, uint256 nonce)",
  "error OrderSideMismatch(int256 makerSize, int256 takerSize)",
  "error OrderSizeInvalid(int256 size, uint256 unit, uint256 max)",
  "error OrderWouldTake(uint256 account, uint256 nonce)",
  "error OwnerMismatch(uint256 from, uint256 to)",
  "error OwnerSilent(address owner, uint256 time, uint256 now_)",
  "error ParameterOutOfBounds(bytes32 name, uint256 value, uint256 min, uint256 max)",
  "error PaymentTooHigh(int256 payment, int256 maxPayment)",
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
  "error UnknownAsset(address token)",
  "error UnknownCollateral(uint256 collateral)",
  "error UnknownFeed(uint256 underlying)",
  "error UnknownKey(address owner, address key)",
  "error UnknownMarket(uint256 market)",
  "error UnknownRate(uint256 collateral)",
  "error UnknownUnderlying(uint256 underlying)",
  "error UnsettledLoss(uint256 account, uint256 cash, uint256 loss)",
  "error ZeroAddress()",
  "error ZeroAmount()",
] as const;

/** Arguments of every typed error that a call of the house can end in, by its name; amounts are in the units of the contracts. */
export interface ContractErrorArgs {
  /** A `require` with a text, of a token or a wallet: argument 0 is the text. */
  readonly Error: { readonly 0: string };
  /** An arithmetic error or a failed assertion: argument 0 is Solidity's panic code. */
  readonly Panic: { readonly 0: bigint };
  /** Access managed invalid authority. */
  readonly AccessManagedInvalidAuthority: { readonly authority: string };
  /** Access managed required delay. */
  readonly AccessManagedRequiredDelay: { readonly caller: string; readonly delay: bigint };
  /** Access managed unauthorized. */
  readonly AccessManagedUnauthorized: { readonly caller: string };
  /** Access manager already scheduled. */
  readonly AccessManagerAlreadyScheduled: { readonly operationId: string };
  /** Access manager bad confirmation. */
  readonly AccessManagerBadConfirmation: Readonly<Record<string, never>>;
  /** Access manager expired. */
  readonly AccessManagerExpired: { readonly operationId: string };
  /** Access manager invalid initial admin. */
  readonly AccessManagerInvalidInitialAdmin: { readonly initialAdmin: string };
  /** Access manager locked function. */
  readonly AccessManagerLockedFunction: { readonly selector: string };
  /** Access manager locked role. */
  readonly AccessManagerLockedRole: { readonly roleId: bigint };
  /** Access manager not ready. */
  readonly AccessManagerNotReady: { readonly operationId: string };
  /** Access manager not scheduled. */
  readonly AccessManagerNotScheduled: { readonly operationId: string };
  /** Access manager unauthorized account. */
  readonly AccessManagerUnauthorizedAccount: { readonly msgsender: string; readonly roleId: bigint };
  /** Access manager unauthorized call. */
  readonly AccessManagerUnauthorizedCall: {
    readonly caller: string;
    readonly target: string;
    readonly selector: string;
  };
  /** Access manager unauthorized cancel. */
  readonly AccessManagerUnauthorizedCancel: {
    readonly msgsender: string;
    readonly caller: string;
    readonly target: string;
    readonly selector: string;
  };
  /** Access manager unauthorized consume. */
  readonly AccessManagerUnauthorizedConsume: { readonly target: string };
  /** Address empty code. */
  readonly AddressEmptyCode: { readonly target: string };
  /** Already set. */
  readonly AlreadySet: Readonly<Record<string, never>>;
  /** A margin view was called while a batch is under way. */
  readonly CheckPending: Readonly<Record<string, never>>;
  /** The account can pay `shortfall` only in claims on a pool, which the taker has not accepted. */
  readonly ClaimsNotAccepted: { readonly account: bigint; readonly shortfall: bigint };
  /** Clearing house already set. */
  readonly ClearingHouseAlreadySet: { readonly clearingHouse: string };
  /** Collateral cap. */
  readonly CollateralCap: { readonly collateral: bigint; readonly amount: bigint; readonly cap: bigint };
  /** Collateral dust. */
  readonly CollateralDust: {
    readonly account: bigint;
    readonly collateral: bigint;
    readonly balance: bigint;
    readonly minimum: bigint;
  };
  /** The time is beyond 40 bits, or a key has tried to switch the owner's dead-man switch off. */
  readonly DeadManInvalid: { readonly time: bigint };
  /** Delisted. */
  readonly Delisted: { readonly collateral: bigint; readonly end: bigint };
  /** ERC20 insufficient allowance. */
  readonly ERC20InsufficientAllowance: {
    readonly spender: string;
    readonly allowance: bigint;
    readonly needed: bigint;
  };
  /** ERC20 insufficient balance. */
  readonly ERC20InsufficientBalance: { readonly sender: string; readonly balance: bigint; readonly needed: bigint };
  /** ERC20 invalid approver. */
  readonly ERC20InvalidApprover: { readonly approver: string };
  /** ERC20 invalid receiver. */
  readonly ERC20InvalidReceiver: { readonly receiver: string };
  /** ERC20 invalid sender. */
  readonly ERC20InvalidSender: { readonly sender: string };
  /** ERC20 invalid spender. */
  readonly ERC20InvalidSpender: { readonly spender: string };
  /** ERC4626 exceeded max deposit. */
  readonly ERC4626ExceededMaxDeposit: { readonly receiver: string; readonly assets: bigint; readonly max: bigint };
  /** ERC4626 exceeded max mint. */
  readonly ERC4626ExceededMaxMint: { readonly receiver: string; readonly shares: bigint; readonly max: bigint };
  /** ERC4626 exceeded max redeem. */
  readonly ERC4626ExceededMaxRedeem: { readonly owner: string; readonly shares: bigint; readonly max: bigint };
  /** ERC4626 exceeded max withdraw. */
  readonly ERC4626ExceededMaxWithdraw: { readonly owner: string; readonly assets: bigint; readonly max: bigint };
  /** Failed call. */
  readonly FailedCall: Readonly<Record<string, never>>;
  /** Feed parameter out of bounds. */
  readonly FeedParameterOutOfBounds: {
    readonly name: string;
    readonly value: bigint;
    readonly min: bigint;
    readonly max: bigint;
  };
  /** The aggregator reverted or answered with malformed data, or its decimals are not those it was set with. */
  readonly FeedUnreadable: { readonly underlying: bigint; readonly aggregator: string };
  /** Fill too small. */
  readonly FillTooSmall: { readonly market: bigint; readonly size: bigint; readonly minimum: bigint };
  /** Fraction too small. */
  readonly FractionTooSmall: { readonly fraction: bigint; readonly required: bigint };
  /** Gain too low. */
  readonly GainTooLow: { readonly gain: bigint; readonly minGain: bigint };
  /** `field` of the grant is more than its granter has, or is out of bounds. */
  readonly GrantTooWide: { readonly field: string; readonly value: bigint; readonly maximum: bigint };
  /** Insufficient balance. */
  readonly InsufficientBalance: { readonly balance: bigint; readonly needed: bigint };
  /** `available` includes what the account can call back and borrow. */
  readonly InsufficientCash: { readonly account: bigint; readonly available: bigint; readonly required: bigint };
  /** Insufficient collateral. */
  readonly InsufficientCollateral: {
    readonly account: bigint;
    readonly collateral: bigint;
    readonly available: bigint;
    readonly required: bigint;
  };
  /** The lending pool can pay, or the account has lent, no more than `available`. */
  readonly InsufficientLiquidity: { readonly account: bigint; readonly available: bigint; readonly required: bigint };
  /** Equity that counts for this action is below what it requires. */
  readonly InsufficientMargin: { readonly account: bigint; readonly equity: bigint; readonly required: bigint };
  /** Intent expired. */
  readonly IntentExpired: { readonly deadline: bigint; readonly now_: bigint };
  /** Intent used before. */
  readonly IntentUsedBefore: { readonly owner: string; readonly nonce: bigint };
  /** The owner has not signed this at this epoch and, of a grant or a revocation, this version of the key. */
  readonly InvalidAuthorisation: { readonly owner: string; readonly epoch: bigint; readonly version: bigint };
  /** Invalid batch target. */
  readonly InvalidBatchTarget: { readonly target: string };
  /** Neither the owner nor a key of his has signed this for this nonce at this epoch. */
  readonly InvalidIntent: { readonly owner: string; readonly nonce: bigint; readonly epoch: bigint };
  /** The vault itself can be neither source nor recipient. */
  readonly InvalidRecipient: { readonly to: string };
  /** Invalid short string. */
  readonly InvalidShortString: Readonly<Record<string, never>>;
  /** Invalid signature. */
  readonly InvalidSignature: { readonly account: bigint; readonly nonce: bigint };
  /** Isolated market. */
  readonly IsolatedMarket: { readonly account: bigint; readonly market: bigint };
  /** Isolated taker. */
  readonly IsolatedTaker: { readonly taker: bigint };
  /** Key expired. */
  readonly KeyExpired: { readonly key: string; readonly expiry: bigint; readonly now_: bigint };
  /** The key, or one above it, has been revoked, or its owner has revoked all. */
  readonly KeyIsRevoked: { readonly owner: string; readonly key: string };
  /** Key lacks account. */
  readonly KeyLacksAccount: { readonly key: string; readonly account: bigint };
  /** Key lacks market. */
  readonly KeyLacksMarket: { readonly key: string; readonly market: bigint };
  /** Key lacks scope. */
  readonly KeyLacksScope: { readonly key: string; readonly scopes: bigint; readonly required: bigint };
  /** Both [1e-9 USD]. */
  readonly KeyLossLimit: { readonly key: string; readonly loss: bigint; readonly limit: bigint };
  /** Both [1e-6 USD]. */
  readonly KeyNotionalLimit: { readonly key: string; readonly tradedToday: bigint; readonly limit: bigint };
  /** `price` and `index` [wad], `band` [ppm]. */
  readonly KeyPriceBand: {
    readonly key: string;
    readonly price: bigint;
    readonly index: bigint;
    readonly band: bigint;
  };
  /** The key has a living grant from somebody else than the caller. */
  readonly KeyTaken: { readonly owner: string; readonly key: string; readonly parent: string };
  /** What a key withdraws goes to the owner. */
  readonly KeyWithdrawsToOwner: { readonly key: string; readonly to: string };
  /** No cash call. */
  readonly NoCashCall: { readonly account: bigint; readonly unsettledLoss: bigint; readonly clock: bigint };
  /** No matches. */
  readonly NoMatches: Readonly<Record<string, never>>;
  /** Nonce not increased. */
  readonly NonceNotIncreased: { readonly lowestNonce: bigint; readonly current: bigint };
  /** Not absorbable. */
  readonly NotAbsorbable: { readonly account: bigint; readonly equity: bigint };
  /** Not exchange. */
  readonly NotExchange: { readonly caller: string };
  /** Not liquidatable. */
  readonly NotLiquidatable: { readonly account: bigint; readonly equity: bigint; readonly maintenanceMargin: bigint };
  /** Not owner. */
  readonly NotOwner: { readonly account: bigint; readonly caller: string };
  /** Not reducing. */
  readonly NotReducing: {
    readonly account: bigint;
    readonly market: bigint;
    readonly sizeBefore: bigint;
    readonly sizeAfter: bigint;
  };
  /** Nothing to claim. */
  readonly NothingToClaim: {
    readonly account: bigint;
    readonly market: bigint;
    readonly claim: bigint;
    readonly pnl: bigint;
  };
  /** Nothing to sell. */
  readonly NothingToSell: { readonly account: bigint };
  /** Only clearing house. */
  readonly OnlyClearingHouse: { readonly caller: string };
  /** Open interest cap. */
  readonly OpenInterestCap: { readonly market: bigint; readonly openInterest: bigint; readonly cap: bigint };
  /** Order cancelled or filled. */
  readonly OrderCancelledOrFilled: { readonly account: bigint; readonly nonce: bigint; readonly filled: bigint };
  /** Order epoch mismatch. */
  readonly OrderEpochMismatch: { readonly epoch: bigint; readonly current: bigint };
  /** Order expired. */
  readonly OrderExpired: { readonly expiry: bigint; readonly now_: bigint };
  /** Order flags invalid. */
  readonly OrderFlagsInvalid: { readonly resting: boolean; readonly postOnly: boolean; readonly fillOrKill: boolean };
  /** Order market mismatch. */
  readonly OrderMarketMismatch: { readonly makerMarket: bigint; readonly takerMarket: bigint };
  /** Order no maker. */
  readonly OrderNoMaker: { readonly makerNonce: bigint; readonly takerNonce: bigint };
  /** Order nonce too high. */
  readonly OrderNonceTooHigh: { readonly nonce: bigint };
  /** Order nonce too low. */
  readonly OrderNonceTooLow: { readonly nonce: bigint; readonly lowestNonce: bigint };
  /** Order not crossing. */
  readonly OrderNotCrossing: { readonly bid: bigint; readonly ask: bigint };
  /** Order not filled whole. */
  readonly OrderNotFilledWhole: {
    readonly account: bigint;
    readonly nonce: bigint;
    readonly filled: bigint;
    readonly size: bigint;
  };
  /** Order nothing to reduce. */
  readonly OrderNothingToReduce: { readonly account: bigint; readonly market: bigint; readonly position: bigint };
  /** Order price invalid. */
  readonly OrderPriceInvalid: { readonly price: bigint; readonly max: bigint };
  /** One settlement names an order, or two orders with one nonce, twice. */
  readonly OrderRepeated: { readonly account: bigint; readonly nonce: bigint };
  /** Order side mismatch. */
  readonly OrderSideMismatch: { readonly makerSize: bigint; readonly takerSize: bigint };
  /** Order size invalid. */
  readonly OrderSizeInvalid: { readonly size: bigint; readonly unit: bigint; readonly max: bigint };
  /** Order would take. */
  readonly OrderWouldTake: { readonly account: bigint; readonly nonce: bigint };
  /** Owner mismatch. */
  readonly OwnerMismatch: { readonly from: bigint; readonly to: bigint };
  /** The owner has not renewed his dead-man switch in time. */
  readonly OwnerSilent: { readonly owner: string; readonly time: bigint; readonly now_: bigint };
  /** A parameter lies outside its hard bound. */
  readonly ParameterOutOfBounds: {
    readonly name: string;
    readonly value: bigint;
    readonly min: bigint;
    readonly max: bigint;
  };
  /** Payment too high. */
  readonly PaymentTooHigh: { readonly payment: bigint; readonly maxPayment: bigint };
  /** The second source has no usable answer, or the two prices are further apart than `maxDeviation` [ppm] allows. */
  readonly PriceDeviates: {
    readonly underlying: bigint;
    readonly price: bigint;
    readonly secondPrice: bigint;
    readonly maxDeviation: bigint;
  };
  /** Price not positive. */
  readonly PriceNotPositive: { readonly underlying: bigint; readonly answer: bigint };
  /** Price out of band. */
  readonly PriceOutOfBand: {
    readonly market: bigint;
    readonly price: bigint;
    readonly index: bigint;
    readonly band: bigint;
  };
  /** Price out of bounds. */
  readonly PriceOutOfBounds: {
    readonly underlying: bigint;
    readonly price: bigint;
    readonly minPrice: bigint;
    readonly maxPrice: bigint;
  };
  /** Price round incomplete. */
  readonly PriceRoundIncomplete: { readonly underlying: bigint; readonly roundId: bigint; readonly updatedAt: bigint };
  /** Price stale. */
  readonly PriceStale: { readonly underlying: bigint; readonly updatedAt: bigint; readonly heartbeat: bigint };
  /** A rate feed of a collateral asset has no usable answer. */
  readonly RateUnusable: {
    readonly collateral: bigint;
    readonly aggregator: string;
    readonly answer: bigint;
    readonly updatedAt: bigint;
  };
  /** Reentrancy. */
  readonly Reentrancy: Readonly<Record<string, never>>;
  /** Safe cast overflowed int downcast. */
  readonly SafeCastOverflowedIntDowncast: { readonly bits: bigint; readonly value: bigint };
  /** Safe cast overflowed uint downcast. */
  readonly SafeCastOverflowedUintDowncast: { readonly bits: bigint; readonly value: bigint };
  /** Safe ERC20 failed operation. */
  readonly SafeERC20FailedOperation: { readonly token: string };
  /** Same account. */
  readonly SameAccount: { readonly account: bigint };
  /** Self liquidation. */
  readonly SelfLiquidation: { readonly account: bigint; readonly taker: bigint };
  /** Sequencer down. */
  readonly SequencerDown: { readonly since: bigint };
  /** Sequencer grace period. */
  readonly SequencerGracePeriod: { readonly upSince: bigint; readonly gracePeriod: bigint };
  /** Not a failure: what a simulation found. `result` is what the simulated function returned, `assessment` the account afterwards. */
  readonly Simulated: {
    readonly result: string;
    readonly assessment: {
      readonly equity: bigint;
      readonly initialMargin: bigint;
      readonly maintenanceMargin: bigint;
    };
  };
  /** Size too large. */
  readonly SizeTooLarge: { readonly market: bigint; readonly size: bigint; readonly maximum: bigint };
  /** String too long. */
  readonly StringTooLong: { readonly str: string };
  /** Too many collaterals. */
  readonly TooManyCollaterals: { readonly account: bigint; readonly maximum: bigint };
  /** Too many markets. */
  readonly TooManyMarkets: { readonly account: bigint; readonly maximum: bigint };
  /** Unknown asset. */
  readonly UnknownAsset: { readonly token: string };
  /** Unknown collateral. */
  readonly UnknownCollateral: { readonly collateral: bigint };
  /** Unknown feed. */
  readonly UnknownFeed: { readonly underlying: bigint };
  /** Neither the owner nor one of his keys has signed or calls. */
  readonly UnknownKey: { readonly owner: string; readonly key: string };
  /** Unknown market. */
  readonly UnknownMarket: { readonly market: bigint };
  /** Unknown rate. */
  readonly UnknownRate: { readonly collateral: bigint };
  /** Unknown underlying. */
  readonly UnknownUnderlying: { readonly underlying: bigint };
  /** Cash that would be left does not cover the account's unsettled losses. */
  readonly UnsettledLoss: { readonly account: bigint; readonly cash: bigint; readonly loss: bigint };
  /** Zero address. */
  readonly ZeroAddress: Readonly<Record<string, never>>;
  /** Zero amount. */
  readonly ZeroAmount: Readonly<Record<string, never>>;
}
