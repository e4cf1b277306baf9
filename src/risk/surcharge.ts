import { PHI_UNIT } from "./assess.ts";
import { UnknownUnderlying } from "./errors.ts";
import { abs, divUp, positive, PPM, WAD } from "./fixed.ts";
import { marketOf, priceOf } from "./house.ts";
import type { AccountState, HouseState, PriceSnapshot, RiskParameters } from "./types.ts";

/** Open interest of a market [wad USD] between its two caps [whole USD]. */
export interface OpenInterest {
  readonly notional: bigint;
  readonly softCap: bigint;
  readonly hardCap: bigint;
}

/**
 * What an opening must be able to carry beyond IM [wad]: the initial rate rises linearly from φ·κ·μ_i to 100 % between the caps
 * and applies to the account's whole `notional` [wad USD] in the market. As `RiskEngine.openingSurcharge`.
 * @throws UnknownUnderlying
 */
export function openingSurcharge(
  risk: RiskParameters,
  underlying: number,
  s: PriceSnapshot,
  notional: bigint,
  { notional: openInterest, softCap, hardCap }: OpenInterest,
): bigint {
  const r = risk.underlyings.get(underlying);
  if (r === undefined) throw new UnknownUnderlying(underlying);
  if (openInterest <= softCap * WAD) return 0n;
  const base = (r.shock * s.initialFactor * r.initialFactor) / (PPM * PHI_UNIT); // [ppm]
  const rise = positive(PPM - base);
  if (openInterest >= hardCap * WAD) return divUp(notional * rise, PPM);
  return divUp(notional * rise * (openInterest - softCap * WAD), PPM * (hardCap - softCap) * WAD);
}

/**
 * The surcharge [wad] on an account's whole notional in a market, at the open interest as it is.
 * @throws UnknownMarket, UnknownUnderlying, MissingPrice
 */
export function surchargeOf(account: AccountState, house: HouseState, market: number): bigint {
  const { underlying, openInterest, softCap, hardCap } = marketOf(house, market);
  const size = abs(account.positions.get(market)?.size ?? 0n);
  if (size === 0n) return 0n;
  const s = priceOf(house, underlying);
  const notional = (openInterest * s.price) / WAD;
  return openingSurcharge(house.risk, underlying, s, divUp(size * s.price, WAD), { notional, softCap, hardCap });
}
