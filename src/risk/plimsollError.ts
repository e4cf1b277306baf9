/**
 * What every error that Plimsoll's own code throws has in common. `name` tells which one it is, also where a bundler has renamed classes.
 *
 * @example
 * ```ts
 * try {
 *   await house.deposit(account, "USDC", "1,000");
 * } catch (error) {
 *   if (!(error instanceof PlimsollError)) throw error; // a network that is down, a wallet whose user said no
 *   console.log(error.name); // → InvalidAmount
 * }
 * ```
 */
export abstract class PlimsollError extends Error {
  /** Which error it is. */
  abstract override readonly name: string;
}
