/** Decimals of every internal amount, size and price (WAD). */
export const WAD_DECIMALS = 18;

/** A text that is not a decimal number, or carries more decimals than its unit has. */
export class InvalidAmount extends Error {
  readonly text: string;
  readonly decimals: number;

  constructor(text: string, decimals: number) {
    super(`"${text}" is not a decimal number with at most ${decimals} decimals, such as "-1234.5"`);
    this.name = "InvalidAmount";
    this.text = text;
    this.decimals = decimals;
  }
}

/**
 * Reads a human amount such as "1234.56" into units of 10^-decimals, exactly.
 * @throws InvalidAmount for anything else than sign, digits and one dot, or where digits would be lost
 */
export function parseAmount(text: string, decimals: number): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[3]?.replace(/0+$/, "") ?? "";
  if (match?.[2] === undefined || fraction.length > decimals) throw new InvalidAmount(text, decimals);
  const magnitude = BigInt(match[2] + fraction.padEnd(decimals, "0"));
  return match[1] === "-" ? -magnitude : magnitude;
}

/** Writes an amount in units of 10^-decimals as a decimal number, exactly and without trailing zeros. */
export function formatAmount(amount: bigint, decimals: number): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return (amount < 0n ? "-" : "") + whole + (fraction === "" ? "" : `.${fraction}`);
}

/**
 * Reads a human size, price or USD amount into WAD.
 * @throws InvalidAmount as `parseAmount`
 */
export function parseWad(text: string): bigint {
  return parseAmount(text, WAD_DECIMALS);
}

/** Writes a WAD number as a decimal number, exactly. */
export function formatWad(amount: bigint): string {
  return formatAmount(amount, WAD_DECIMALS);
}

/** A price must be positive. */
export class PriceNotPositive extends Error {
  readonly price: bigint;

  constructor(price: bigint) {
    super(`the price ${formatWad(price)} is not positive`);
    this.name = "PriceNotPositive";
    this.price = price;
  }
}

/**
 * Reads a price in USD per whole unit into WAD.
 * @throws InvalidAmount as `parseAmount`
 * @throws PriceNotPositive for zero and negative prices
 */
export function parsePrice(text: string): bigint {
  const price = parseWad(text);
  if (price <= 0n) throw new PriceNotPositive(price);
  return price;
}

/** Converts units of a token to WAD, rounded down: what a deposit is credited. */
export function toWadDown(amount: bigint, decimals: number): bigint {
  return decimals <= WAD_DECIMALS
    ? amount * 10n ** BigInt(WAD_DECIMALS - decimals)
    : amount / 10n ** BigInt(decimals - WAD_DECIMALS);
}

/** Converts WAD to units of a token, rounded down: the most that can be withdrawn. */
export function fromWadDown(amount: bigint, decimals: number): bigint {
  return decimals <= WAD_DECIMALS
    ? amount / 10n ** BigInt(WAD_DECIMALS - decimals)
    : amount * 10n ** BigInt(decimals - WAD_DECIMALS);
}
