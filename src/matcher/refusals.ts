import { REFUSALS } from "../sdk/refusals.ts";
import type { RefusalName } from "../sdk/refusals.ts";

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
