const LN_2 = 54916777467707473351141471128n; // [2^96]

/**
 * e^x [wad], floored, for x below 41 [wad]: the rational approximation of Solady's `FixedPointMathLib.expWad`, to the wei
 * (Copyright Solady contributors, MIT; after Remco Bloemen, https://2π.com/22/exp-ln).
 */
export function expWad(x: bigint): bigint {
  if (x <= -41446531673892822313n) return 0n;
  const scaled = (x << 78n) / 5n ** 18n; // [2^96]
  const k = ((scaled << 96n) / LN_2 + 2n ** 95n) >> 96n;
  const r = scaled - k * LN_2; // in (−½ ln 2, ½ ln 2)

  let y = r + 1346386616545796478920950773328n;
  y = ((y * r) >> 96n) + 57155421227552351082224309758442n;
  let p = y + r - 94201549194550492254356042504812n;
  p = ((p * y) >> 96n) + 28719021644029726153956944680412240n;
  p = p * r + (4385272521454847904659076985693276n << 96n);

  let q = r - 2855989394907223263936484059900n;
  q = ((q * r) >> 96n) + 50020603652535783019961831881945n;
  q = ((q * r) >> 96n) - 533845033583426703283633433725380n;
  q = ((q * r) >> 96n) + 3604857256930695427073651918091429n;
  q = ((q * r) >> 96n) - 14423608567350463180887372962807573n;
  q = ((q * r) >> 96n) + 26449188498355588339934803723976023n;

  return ((p / q) * 3822833074963236453042738258902158003155416615667n) >> (195n - k);
}
