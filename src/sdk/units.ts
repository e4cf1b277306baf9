import { PlimsollError } from "../risk/plimsollError.ts";

/** Decimals of every internal amount, size and price (WAD). */
export const WAD_DECIMALS = 18;

/** A text that is not a decimal number, or carries more decimals than its unit has. */
export class InvalidAmount extends PlimsollError {
  override readonly name = "InvalidAmount";
  /** what was read */
  readonly text: string;
  /** most decimals that it may have */
  readonly decimals: number;

  /**
   * @param text what was read
   * @param decimals most decimals that it may have
   */
  constructor(text: string, decimals: number) {
    super(`"${text}" is not a decimal number with at most ${decimals} decimals, such as "-1234.5"`);
    this.text = text;
    this.decimals = decimals;
  }
}

/**
 * Reads a human amount into units of 10^-decimals, exactly.
 *
 * @param text such as "1234.56"
 * @param decimals of the unit
 * @returns the amount in units
 * @throws {@link InvalidAmount} for anything else than sign, digits and one dot, or where digits would be lost
 *
 * @example
 * ```ts
 * console.log(parseAmount("1234.56", 6)); // → 1234560000n
 * ```
 */
export function parseAmount(text: string, decimals: number): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[3]?.replace(/0+$/, "") ?? "";
  if (match?.[2] === undefined || fraction.length > decimals) throw new InvalidAmount(text, decimals);
  const magnitude = BigInt(match[2] + fraction.padEnd(decimals, "0"));
  return match[1] === "-" ? -magnitude : magnitude;
}

/**
 * Writes an amount in units of 10^-decimals as a decimal number, exactly and without trailing zeros.
 *
 * @param amount in units
 * @param decimals of the unit
 * @returns such as "1234.56"
 *
 * @example
 * ```ts
 * console.log(formatAmount(1_234_560_000n, 6)); // → 1234.56
 * ```
 */
export function formatAmount(amount: bigint, decimals: number): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return (amount < 0n ? "-" : "") + whole + (fraction === "" ? "" : `.${fraction}`);
}

/**
 * Reads a human size, price or USD amount into WAD.
 *
 * @param text such as "-0.5"
 * @returns the amount in WAD
 * @throws {@link InvalidAmount} for anything else than sign, digits and one dot, or where digits would be lost
 *
 * @example
 * ```ts
 * console.log(parseWad("-0.5")); // → -500000000000000000n
 * ```
 */
export function parseWad(text: string): bigint {
  return parseAmount(text, WAD_DECIMALS);
}

/**
 * Writes a WAD number as a decimal number, exactly.
 *
 * @param amount in WAD
 * @returns such as "-0.5"
 *
 * @example
 * ```ts
 * console.log(formatWad(-500_000_000_000_000_000n)); // → -0.5
 * ```
 */
export function formatWad(amount: bigint): string {
  return formatAmount(amount, WAD_DECIMALS);
}

/** A price must be positive. */
export class PriceNotPositive extends PlimsollError {
  override readonly name = "PriceNotPositive";
  /** [wad] */
  readonly price: bigint;

  /** @param price [wad] */
  constructor(price: bigint) {
    super(`the price ${formatWad(price)} is not positive`);
    this.price = price;
  }
}

/**
 * Reads a price in USD per whole unit into WAD.
 *
 * @param text such as "1999.5"
 * @returns the price in WAD
 * @throws {@link InvalidAmount} for anything else than sign, digits and one dot, or where digits would be lost
 * @throws {@link PriceNotPositive} for zero and negative prices
 *
 * @example
 * ```ts
 * console.log(parsePrice("1999.5") === 19_995n * 10n ** 17n); // → true
 * ```
 */
export function parsePrice(text: string): bigint {
  const price = parseWad(text);
  if (price <= 0n) throw new PriceNotPositive(price);
  return price;
}

/**
 * Converts units of a token to WAD, rounded down: what a deposit is credited.
 *
 * @param amount in units of the token
 * @param decimals of the token
 * @returns the amount in WAD
 *
 * @example
 * ```ts
 * console.log(toWadDown(1_500_000n, 6)); // → 1500000000000000000n
 * ```
 */
export function toWadDown(amount: bigint, decimals: number): bigint {
  return decimals <= WAD_DECIMALS
    ? amount * 10n ** BigInt(WAD_DECIMALS - decimals)
    : amount / 10n ** BigInt(decimals - WAD_DECIMALS);
}

/**
 * Converts WAD to units of a token, rounded down: the most that can be withdrawn.
 *
 * @param amount in WAD
 * @param decimals of the token
 * @returns the amount in units of the token
 *
 * @example
 * ```ts
 * console.log(fromWadDown(1_999_999_999_999n, 6)); // → 1n
 * ```
 */
export function fromWadDown(amount: bigint, decimals: number): bigint {
  return decimals <= WAD_DECIMALS
    ? amount / 10n ** BigInt(WAD_DECIMALS - decimals)
    : amount * 10n ** BigInt(decimals - WAD_DECIMALS);
}
