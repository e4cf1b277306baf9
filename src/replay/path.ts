/** What the replay has prices of. */
export const ASSETS = ["ETH", "BTC"] as const;
export type Asset = (typeof ASSETS)[number];

/** [s] */
export const MINUTE = 60;

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

/** The prices that a path begins with. */
export function firstOf({ prices }: PricePath): Record<Asset, bigint> {
  return { ETH: prices.ETH[0] ?? 0n, BTC: prices.BTC[0] ?? 0n };
}

/** A path whose last prices stand for `minutes` more, so that what they began comes to its end. */
export function hold(path: PricePath, minutes: number): PricePath {
  const last = path.times.at(-1) ?? 0;
  const more = Array.from({ length: minutes }, (_, i) => last + (i + 1) * MINUTE);
  const stand = (prices: readonly bigint[]) => [...prices, ...more.map(() => prices.at(-1) ?? 0n)];
  return {
    ...path,
    times: [...path.times, ...more],
    prices: { ETH: stand(path.prices.ETH), BTC: stand(path.prices.BTC) },
  };
}
