const WAD = 10n ** 18n;
const FEED_UNIT = 1e8;

/** A WAD amount as a number, for display only. */
export function toNumber(wad: bigint): number {
  return Number(wad / 10n ** 9n) / 1e9;
}

/** A WAD amount of USD with cents and thousands separators. */
export function usd(wad: bigint): string {
  const negative = wad < 0n;
  const cents = ((negative ? -wad : wad) * 100n + WAD / 2n) / WAD;
  const whole = (cents / 100n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  const text = `${whole}.${(cents % 100n).toString().padStart(2, "0")}`;
  return negative && cents !== 0n ? `-${text}` : text;
}

/** A WAD amount of USD in whole dollars. */
export function wholeUsd(wad: bigint): string {
  return usd(wad)
    .replace(/\.\d+$/, "")
    .replace(/^-0$/, "0");
}

/** A feed's answer as a number of USD. */
export function answerToNumber(answer: bigint): number {
  return Number(answer) / FEED_UNIT;
}

/** A time [s] in UTC, to the minute. */
export function utc(time: number): string {
  return new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ");
}
