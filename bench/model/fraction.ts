const abs = (a: bigint): bigint => (a < 0n ? -a : a);

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** An exact rational number. */
export class Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint; // positive, without a common divisor

  constructor(numerator: bigint, denominator = 1n) {
    const divisor = gcd(abs(numerator), abs(denominator)) * (denominator < 0n ? -1n : 1n);
    this.numerator = numerator / divisor;
    this.denominator = denominator / divisor;
  }

  /** A decimal number such as "-0.07". */
  static of(decimal: string): Fraction {
    const [whole = "", digits = ""] = decimal.split(".");
    return new Fraction(BigInt(whole + digits), 10n ** BigInt(digits.length));
  }

  plus(other: Fraction): Fraction {
    return new Fraction(
      this.numerator * other.denominator + other.numerator * this.denominator,
      this.denominator * other.denominator,
    );
  }

  minus(other: Fraction): Fraction {
    return this.plus(new Fraction(-other.numerator, other.denominator));
  }

  times(other: Fraction): Fraction {
    return new Fraction(this.numerator * other.numerator, this.denominator * other.denominator);
  }

  over(other: Fraction): Fraction {
    return new Fraction(this.numerator * other.denominator, this.denominator * other.numerator);
  }

  abs(): Fraction {
    return new Fraction(abs(this.numerator), this.denominator);
  }

  exceeds(other: Fraction): boolean {
    return this.numerator * other.denominator > other.numerator * this.denominator;
  }

  /** The number with 18 decimals, rounded down or up. */
  toDecimal(rounding: "down" | "up"): string {
    const scaled = this.numerator * 10n ** 18n;
    let units = scaled / this.denominator;
    const rest = scaled % this.denominator;
    if (rounding === "down" && rest < 0n) units -= 1n;
    if (rounding === "up" && rest > 0n) units += 1n;
    const digits = abs(units).toString().padStart(19, "0");
    const decimals = digits.slice(-18).replace(/0+$/, "");
    return (units < 0n ? "-" : "") + digits.slice(0, -18) + (decimals === "" ? "" : "." + decimals);
  }
}

export const ZERO = new Fraction(0n);
export const ONE = new Fraction(1n);

export function sum(terms: readonly Fraction[]): Fraction {
  return terms.reduce((total, term) => total.plus(term), ZERO);
}

export function smaller(a: Fraction, b: Fraction): Fraction {
  return a.exceeds(b) ? b : a;
}

export function larger(a: Fraction, b: Fraction): Fraction {
  return a.exceeds(b) ? a : b;
}
