import type { Edit, Engine } from "./check.ts";

/** A property, the contract that states it, and a bug with which it must not hold. */
export interface Property {
  name: string; // as in DESIGN's invariants and in test/contracts/Invariants.t.sol, where it stands there
  file: string;
  engine: Engine;
  bug: Edit;
}

const FIXED = "contracts/libraries/Fixed.sol";
const CASH = "proofs/ReducedCash.sol";
const SIZES = "proofs/ReducedSizes.sol";
const LEMMAS = "proofs/Lemmas.sol";

/** All properties; the contract of each has its name in CamelCase. */
export const PROPERTIES: Property[] = [
  {
    name: "CASH_IDENTITY",
    file: CASH,
    engine: "bmc",
    bug: { file: CASH, from: "payment + int256(toFund) + int256(toFlagger)", to: "payment + int256(toFund)" },
  },
  {
    name: "LENDING_IS_LIQUID",
    file: CASH,
    engine: "bmc",
    bug: { file: CASH, from: "called + more <= lent + reserves - borrowed", to: "called + more <= lent + reserves" },
  },
  {
    name: "SIZES_SUM_TO_ZERO",
    file: SIZES,
    engine: "chc",
    bug: { file: SIZES, from: "_change(maker, -size)", to: "_change(maker, size)" },
  },
  {
    name: "OPEN_INTEREST",
    file: SIZES,
    engine: "chc",
    bug: { file: SIZES, from: "change += _change(taker, moved)", to: "_change(taker, moved)" },
  },
  {
    name: "DIV_UP",
    file: LEMMAS,
    engine: "bmc",
    bug: { file: FIXED, from: "(a - 1) / b + 1", to: "a / b" },
  },
  {
    name: "DIV_FLOOR",
    file: LEMMAS,
    engine: "bmc",
    bug: { file: FIXED, from: "if (q * b > a) --q;", to: "" },
  },
  {
    name: "LEND_ROUND_TRIP",
    file: LEMMAS,
    engine: "bmc",
    bug: {
      file: LEMMAS,
      from: "(uint256(amount) * shares) / lent",
      to: "Fixed.divUp(uint256(amount) * shares, lent)",
    },
  },
  {
    name: "BORROW_ROUND_TRIP",
    file: LEMMAS,
    engine: "bmc",
    bug: { file: FIXED, from: "(a - 1) / b + 1", to: "a / b" },
  },
  {
    name: "SLICE_IMPROVES",
    file: LEMMAS,
    engine: "bmc",
    bug: { file: LEMMAS, from: "divUp(uint256(fraction) * dMM, 1e18)", to: "divUp(1e18 * uint256(dMM), 1e18)" },
  },
  {
    name: "QUOTE_TRICK",
    file: LEMMAS,
    engine: "bmc",
    bug: { file: FIXED, from: "if (q * b > a) --q;", to: "if (q * b < a) ++q;" },
  },
  {
    name: "FUNDING_ZERO_SUM",
    file: LEMMAS,
    engine: "bmc",
    bug: { file: FIXED, from: "if (q * b > a) --q;", to: "if (q * b < a) ++q;" },
  },
];

/** The contract that states a property. */
export function contractOf({ name }: Property): string {
  return name
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
}
