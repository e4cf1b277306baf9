/** One, in 18-decimal fixed point. */
export const WAD = 10n ** 18n;
/** One, in parts per million. */
export const PPM = 10n ** 6n;
/** Most that an index price can be [wad]. */
export const MAX_PRICE = 10n ** 24n;

/** ⌊a / b⌋ towards minus infinity; b > 0. */
export function divFloor(a: bigint, b: bigint): bigint {
  const q = a / b;
  return a % b < 0n ? q - 1n : q;
}

/** ⌈a / b⌉; a ≥ 0, b > 0. */
export function divUp(a: bigint, b: bigint): bigint {
  return a === 0n ? 0n : (a - 1n) / b + 1n;
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export function abs(a: bigint): bigint {
  return a < 0n ? -a : a;
}

/** max(a, 0) */
export function positive(a: bigint): bigint {
  return a > 0n ? a : 0n;
}

export function clamp(a: bigint, low: bigint, high: bigint): bigint {
  return min(max(a, low), high);
}

/** ⌊√a⌋; 0 ≤ a < 2^110, where floating point is off by a few units at most. */
export function sqrt(a: bigint): bigint {
  let root = BigInt(Math.floor(Math.sqrt(Number(a))));
  while (root * root > a) --root;
  while ((root + 1n) * (root + 1n) <= a) ++root;
  return root;
}
