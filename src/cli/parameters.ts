import type { Call } from "../sdk/calls.ts";
import type { Plimsoll } from "../sdk/client.ts";
import {
  setCollateralCall,
  setCollateralRiskCall,
  setLendingParamsCall,
  setMarketCall,
  setRegimeCall,
  setUnderlyingRiskCall,
} from "../sdk/governance.ts";
import { formatAmount, parseAmount } from "../sdk/units.ts";
import { InvalidValue } from "./errors.ts";

/** How a parameter is written: a decimal number of `decimals`, and what stands behind it. */
interface Unit {
  readonly decimals: number;
  readonly suffix: string;
}

const SHARE: Unit = { decimals: 4, suffix: "%" };
const FACTOR: Unit = { decimals: 6, suffix: "" };
const PHI: Unit = { decimals: 9, suffix: "" };
const WAD: Unit = { decimals: 18, suffix: "" };
const WHOLE: Unit = { decimals: 0, suffix: "" };
const SECONDS: Unit = { decimals: 0, suffix: "s" };

/** Parameters that stand and change together, by name, in the contracts' units. */
export interface ParameterSet {
  readonly values: Readonly<Record<string, bigint>>;
  readonly units: Readonly<Record<string, Unit>>;
  /** The transaction that puts changed values in place of these. */
  change(changes: Readonly<Record<string, bigint>>): Call;
}

/** Kinds of parameters, and what each belongs to. */
export const KINDS = {
  market: "market",
  risk: "underlying",
  regime: "underlying",
  collateral: "collateral",
  haircuts: "collateral",
  lending: undefined,
} as const;

/** A kind of parameters. */
export type Kind = keyof typeof KINDS;

/** Reads a set of parameters as it stands; `id` is that of its market, underlying or collateral. */
export function readParameters(house: Plimsoll, kind: Kind, id: number): Promise<ParameterSet> {
  return READERS[kind](house, id);
}

const READERS: Readonly<Record<Kind, (house: Plimsoll, id: number) => Promise<ParameterSet>>> = {
  market: async (house, id) => {
    const [{ takerFee, makerFee, priceBand, socialisationCap, minFill, softCap, hardCap, underlying }] =
      await house.clearingHouse.market(id);
    const values = { takerFee, makerFee, priceBand, socialisationCap, minFill, softCap, hardCap };
    return {
      values,
      units: {
        ...{ takerFee: SHARE, makerFee: SHARE, priceBand: SHARE, socialisationCap: SHARE },
        ...{ minFill: WAD, softCap: WHOLE, hardCap: WHOLE },
      },
      change: (changes) => setMarketCall(house.addressBook, id, { ...values, underlying, ...changes }),
    };
  },
  risk: async (house, id) => {
    const r = await house.riskEngine.underlyingRisk(id);
    const { shock, slope, basis, basisInitial, initialFactor, depth, maxTracking, maxTrackingInitial } = r;
    const values = { shock, slope, basis, basisInitial, initialFactor, depth };
    const kept = { maxTracking, maxTrackingInitial };
    return {
      values,
      units: { shock: SHARE, slope: SHARE, basis: SHARE, basisInitial: SHARE, initialFactor: PHI, depth: WHOLE },
      change: (changes) => setUnderlyingRiskCall(house.addressBook, id, { ...kept, ...values, ...changes }),
    };
  },
  regime: async (house, id) => {
    const { referenceVolatility, averaging, maxFactor, maxStep } = await house.priceOracle.regimeOf(id);
    const values = { referenceVolatility, averaging, maxFactor, maxStep };
    return {
      values,
      units: { referenceVolatility: SHARE, averaging: SECONDS, maxFactor: FACTOR, maxStep: SHARE },
      change: (changes) => setRegimeCall(house.addressBook, id, { ...values, ...changes }),
    };
  },
  collateral: async (house, id) => {
    const c = await house.clearingHouse.collateral(id);
    const { token, decimals, underlying, hasRate, delistingEnd, cap, accountCap, minBalance } = c;
    const values = { cap, accountCap, minBalance };
    const fixed = { token, decimals, underlying, hasRate, delistingEnd };
    return {
      values,
      units: { cap: WHOLE, accountCap: WHOLE, minBalance: WAD },
      change: (changes) => setCollateralCall(house.addressBook, id, { ...fixed, ...values, ...changes }),
    };
  },
  haircuts: async (house, id) => {
    const r = await house.riskEngine.collateralRisk(id);
    const { haircut, haircutInitial, tracking, trackingInitial, depegThreshold, depegFactor, underlying } = r;
    const values = { haircut, haircutInitial, tracking, trackingInitial, depegThreshold, depegFactor };
    return {
      values,
      units: {
        ...{ haircut: SHARE, haircutInitial: SHARE, tracking: SHARE, trackingInitial: SHARE },
        ...{ depegThreshold: FACTOR, depegFactor: FACTOR },
      },
      change: (changes) => setCollateralRiskCall(house.addressBook, id, { ...values, underlying, ...changes }),
    };
  },
  lending: async (house) => {
    const [, { kink, lowSlope, highSlope, reserveFactor }] = await house.clearingHouse.lending();
    const values = { kink, lowSlope, highSlope, reserveFactor };
    return {
      values,
      units: { kink: SHARE, lowSlope: SHARE, highSlope: SHARE, reserveFactor: SHARE },
      change: (changes) => setLendingParamsCall(house.addressBook, { ...values, ...changes }),
    };
  },
};

/** A parameter as it is written. */
export function formatParameter({ units }: ParameterSet, name: string, value: bigint): string {
  const { decimals, suffix } = units[name] ?? WHOLE;
  return formatAmount(value, decimals) + suffix;
}

/**
 * Reads assignments such as `takerFee=0.06%`.
 * @throws InvalidValue, InvalidAmount
 */
export function parseChanges(set: ParameterSet, assignments: readonly string[]): Record<string, bigint> {
  return Object.fromEntries(
    assignments.map((text) => {
      const [, name = "", value = ""] = /^(\w+)=(.+)$/.exec(text) ?? [];
      const unit = set.units[name];
      if (unit === undefined) {
        throw new InvalidValue("parameter", text, `give NAME=VALUE, of ${Object.keys(set.units).join(", ")}`);
      }
      const parsed = parseAmount(value.endsWith(unit.suffix) ? stripped(value, unit) : value, unit.decimals);
      if (parsed < 0n) throw new InvalidValue("parameter", text, "give no negative number");
      return [name, parsed];
    }),
  );
}

function stripped(value: string, { suffix }: Unit): string {
  return value.slice(0, value.length - suffix.length);
}
