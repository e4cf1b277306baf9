/** Every way in which a matcher refuses a request, with the status of its HTTP answer. */
export const REFUSALS = {
  /** malformed: the message names the field */
  InvalidRequest: 400,
  /** JSON nested deeper than `maximum` */
  TooDeep: 400,
  /** more than `maximum` bytes */
  TooLarge: 413,
  /** something else than JSON */
  UnsupportedMediaType: 415,
  /** no such address */
  NotFound: 404,
  /** no such order is open or has ended lately */
  UnknownOrder: 404,
  /** no such market */
  UnknownMarket: 404,
  /** zero, too large, or no multiple of the unit */
  SizeInvalid: 422,
  /** zero or too large */
  PriceInvalid: 422,
  /** flags that exclude each other */
  FlagsInvalid: 422,
  /** it has a trigger and rests, or no price meets its triggers */
  TriggerInvalid: 422,
  /** its execution fee is more than a hundredth of what it trades */
  FeeTooHigh: 422,
  /** more than 64 bits */
  NonceInvalid: 422,
  /** orders below a higher nonce are cancelled */
  NonceTooLow: 422,
  /** its owner has revoked all orders of that epoch */
  EpochMismatch: 422,
  /** past its last second */
  Expired: 422,
  /** good for longer than the matcher keeps orders */
  ExpiryTooFar: 422,
  /** the owner has not renewed his dead-man switch on the chain */
  OwnerSilent: 422,
  /** the owner is in lockdown, which leaves reduce-only orders without an execution fee */
  LockedDown: 422,
  /** the session key that signed, or one above it, is revoked */
  KeyIsRevoked: 422,
  /** that key, or one above it, is past its last second */
  KeyExpired: 422,
  /** that key may not do this */
  KeyLacksScope: 422,
  /** that key may not act for this account */
  KeyLacksAccount: 422,
  /** that key may not trade this market */
  KeyLacksMarket: 422,
  /** that key may not trade so far from the index */
  KeyPriceBand: 422,
  /** that key may not trade `notional` with `left` of its day; both [0.01 USD] */
  KeyNotionalLimit: 422,
  /** that key may not lose `loss` with `left` of its limit; both [0.0001 USD] */
  KeyLossLimit: 422,
  /** an isolated account trades its own market only */
  IsolatedMarket: 422,
  /** farther from the index than the matcher keeps orders */
  PriceOutOfRange: 422,
  /** smaller than the smallest fill of the market */
  BelowMinFill: 422,
  /** its nonce is filled or cancelled */
  AlreadyFilled: 422,
  /** reduce-only, and no position that it reduces */
  NothingToReduce: 422,
  /** post-only, and it would take */
  WouldCross: 422,
  /** something the account holds has no usable price */
  NoPrice: 422,
  /** the account could not margin its open orders with this one */
  InsufficientMargin: 422,
  /** neither the owner nor a key of his has signed this */
  InvalidSignature: 401,
  /** an instruction that is old, too far ahead or a repetition */
  StampInvalid: 422,
  /** the order is known already */
  Duplicate: 409,
  /** more open orders than the matcher keeps */
  TooManyOrders: 429,
  /** too many requests */
  RateLimited: 429,
  /** the matcher's queues are full */
  Overloaded: 503,
  /** the chain was not read yet, or not for too long */
  NotReady: 503,
  /** the matcher could not do this */
  Internal: 500,
} as const;

/** The name of a matcher's refusal. */
export type RefusalName = keyof typeof REFUSALS;
