import { divUp, min, positive, WAD } from "./fixed.ts";
import type { Assessment } from "./types.ts";

const MIN_DISCOUNT = WAD / 20n; // d at the first flag
/** [wad] */
export const MAX_DISCOUNT = (WAD * 6n) / 10n;
const RAMP = 180n; // [s] of clock from the smallest to the largest discount
const MAX_STEP = 60n; // [s] that one call can add to a clock
const MAX_RESCUE = WAD / 2n; // of MM
const MAX_UINT96 = 2n ** 96n - 1n;

/** State of an account's auction, as `LedgerTypes.Auction`. */
export interface Auction {
  /** earns the flagger's share of the penalty */
  readonly flagger: string;
  /** [wad] saturating */
  readonly maintenanceAtFlag: bigint;
  /** [s] */
  readonly clock: bigint;
  /** [s] plus one; 0 = it has not started */
  readonly rescueClock: bigint;
  /** [s] time of the last call that found E < MM */
  readonly lastCall: bigint;
}

/**
 * d [wad]: by how much a slice is sold below its worth, as a part of its share of MM. It rises for three minutes.
 *
 * @param clock reading of the auction's clock [s]
 * @returns d [wad]
 *
 * @example
 * ```ts
 * console.log(formatWad(discount(0n)), formatWad(discount(90n)), formatWad(discount(180n))); // → 0.05 0.325 0.6
 * ```
 */
export function discount(clock: bigint): bigint {
  return MIN_DISCOUNT + ((MAX_DISCOUNT - MIN_DISCOUNT) * min(clock, RAMP)) / RAMP;
}

/** Reading of the clock [s] from which on a slice is sold at `d` [wad] or below its worth; `undefined` if it never is. */
export function clockAt(d: bigint): bigint | undefined {
  if (d > MAX_DISCOUNT) return undefined;
  return divUp(positive(d - MIN_DISCOUNT) * RAMP, MAX_DISCOUNT - MIN_DISCOUNT);
}

/** Share of MM [wad] that a rescue is worth at a reading of its clock [s]. */
export function rescueShare(rescueClock: bigint): bigint {
  return rescueClock === 0n ? 0n : (MAX_RESCUE * min(rescueClock - 1n, RAMP)) / RAMP;
}

/** Whether d · MM is at least E [wad], so that the account is sold whole for what it is worth. */
export function sinks(equity: bigint, maintenanceMargin: bigint, clock: bigint): boolean {
  return equity <= (discount(clock) * maintenanceMargin) / WAD;
}

/**
 * The auction of an account that is found at E < MM, its clocks advanced. Without an auction the first call starts one and
 * `flagger` earns the flagger's share.
 *
 * @param auction as it was; `undefined` if there was none
 * @param assessment E, IM and MM
 * @param flagger address of who makes the call
 * @param time [s] of the call
 * @returns the auction after the call
 *
 * @example
 * ```ts
 * const eth = { ...house.prices.get(0)!, price: 1030n * WAD };
 * const crashed = { ...house, prices: new Map(house.prices).set(0, eth) };
 * const started = advanceAuction(undefined, assessAccount(account, crashed), alice.address, house.time);
 * const later = advanceAuction(started, assessAccount(account, crashed), bob.address, house.time + 30n);
 * console.log(later.clock, later.flagger === alice.address); // → 30n true
 * ```
 */
export function advance(auction: Auction | undefined, assessment: Assessment, flagger: string, time: bigint): Auction {
  const x = auction ?? newAuction(assessment, flagger, time);
  const step = min(time - x.lastCall, MAX_STEP);
  const clock = min(x.clock + step, RAMP);
  const started = x.rescueClock === 0n ? 1n : min(x.rescueClock + step, RAMP + 1n);
  const sinking = sinks(assessment.equity, assessment.maintenanceMargin, clock);
  return { ...x, clock, lastCall: time, rescueClock: sinking ? started : x.rescueClock };
}

function newAuction({ maintenanceMargin }: Assessment, flagger: string, time: bigint): Auction {
  const maintenanceAtFlag = min(maintenanceMargin, MAX_UINT96);
  return { flagger, maintenanceAtFlag, clock: 0n, rescueClock: 0n, lastCall: time };
}
