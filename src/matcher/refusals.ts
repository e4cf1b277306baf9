/** Every way in which a request is refused, with the status of its HTTP answer. */
export const REFUSALS = {
  InvalidRequest: 400, // malformed: `message` names the field
  TooDeep: 400, // JSON nested deeper than `maximum`
  TooLarge: 413, // more than `maximum` bytes
  UnsupportedMediaType: 415,
  NotFound: 404,
  UnknownOrder: 404,
  UnknownMarket: 404,
  SizeInvalid: 422,
  PriceInvalid: 422,
  FlagsInvalid: 422,
  Unsupported: 422, // it has a trigger or pays for its execution
  NonceInvalid: 422,
  NonceTooLow: 422,
  EpochMismatch: 422,
  Expired: 422,
  ExpiryTooFar: 422,
  OwnerSilent: 422, // the owner has not renewed his dead-man switch on the chain
  KeyIsRevoked: 422, // of the session key that signed, or of one above it, as the following
  KeyExpired: 422,
  KeyLacksScope: 422,
  KeyLacksAccount: 422,
  KeyLacksMarket: 422,
  KeyPriceBand: 422,
  KeyNotionalLimit: 422, // both numbers [1e-6 USD]
  KeyLossLimit: 422, // both numbers [1e-9 USD]
  IsolatedMarket: 422,
  PriceOutOfRange: 422,
  BelowMinFill: 422,
  AlreadyFilled: 422,
  NothingToReduce: 422,
  WouldCross: 422,
  NoPrice: 422, // something the account holds has no usable price
  InsufficientMargin: 422,
  InvalidSignature: 401,
  StampInvalid: 422, // an instruction that is old, too far ahead or a repetition
  Duplicate: 409,
  TooManyOrders: 429,
  RateLimited: 429,
  Overloaded: 503, // the matcher's queues are full
  NotReady: 503, // the chain was not read yet, or not for too long
  Internal: 500,
} as const;

/** The name of a refusal. */
export type RefusalName = keyof typeof REFUSALS;

/** A request that is refused, and the numbers that say why. Amounts are [wad]. */
export class Refusal extends Error {
  readonly error: RefusalName;
  readonly numbers: Readonly<Record<string, string | number>>;

  constructor(error: RefusalName, message: string, numbers: Readonly<Record<string, string | number | bigint>> = {}) {
    super(message);
    this.name = error;
    this.error = error;
    this.numbers = Object.fromEntries(
      Object.entries(numbers).map(([key, value]) => [key, typeof value === "bigint" ? value.toString() : value]),
    );
  }

  get status(): number {
    return REFUSALS[this.error];
  }

  /** As it is answered. */
  toJSON(): Record<string, string | number> {
    return { error: this.error, message: this.message, ...this.numbers };
  }
}
