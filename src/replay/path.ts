/** What the replay has prices of. */
export const ASSETS = ["ETH", "BTC"] as const;
export type Asset = (typeof ASSETS)[number];

/** Prices of every minute, in a feed's 8 decimals; `times` are the ends of the minutes [s]. */
export interface PricePath {
  source: string;
  times: readonly number[];
  prices: Readonly<Record<Asset, readonly bigint[]>>;
}

/** The first `minutes` of a path. */
export function truncate(path: PricePath, minutes: number): PricePath {
  const { ETH, BTC } = path.prices;
  return {
    ...path,
    times: path.times.slice(0, minutes),
    prices: { ETH: ETH.slice(0, minutes), BTC: BTC.slice(0, minutes) },
  };
}
