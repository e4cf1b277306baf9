import { Interface } from "ethers";
import type { ErrorFragment, InterfaceAbi } from "ethers";

import {
  AccessManager__factory,
  ClearingHouse__factory,
  Exchange__factory,
  IClearingHouse__factory,
  InsuranceFund__factory,
  Lending__factory,
  Liquidation__factory,
  Listing__factory,
  MockERC20__factory,
  PriceOracle__factory,
  RiskEngine__factory,
  Upkeep__factory,
  Vault__factory,
} from "../../types/index.ts";

/** Every error that a call of the house can end in: those of its contracts, their libraries and tokens. */
const ERRORS = errorsOf([
  IClearingHouse__factory.abi,
  ClearingHouse__factory.abi,
  Lending__factory.abi,
  Liquidation__factory.abi,
  Upkeep__factory.abi,
  Listing__factory.abi,
  Exchange__factory.abi,
  RiskEngine__factory.abi,
  PriceOracle__factory.abi,
  InsuranceFund__factory.abi,
  Vault__factory.abi,
  AccessManager__factory.abi,
  MockERC20__factory.abi,
]);

/** Where providers and libraries put what a call returned, or the error that carries it. */
const CARRIERS = ["data", "error", "cause", "info", "revert", "result", "errors"] as const;

/** A contract refused: `name` and `args` are those of its typed error. */
export class ContractError extends Error {
  override readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly data: string;

  constructor(name: string, args: Readonly<Record<string, unknown>>, data: string, cause?: unknown) {
    const text = Object.entries(args).map(([key, value]) => `${key}: ${String(value)}`);
    super(`${name}(${text.join(", ")})`, { cause });
    this.name = name;
    this.args = args;
    this.data = data;
  }
}

/**
 * The typed error of a contract in whatever a provider, a signer or ethers threw; `undefined` if there is none.
 * `Error(string)` and `Panic(uint256)` count as errors of these names.
 */
export function decodeError(thrown: unknown): ContractError | undefined {
  if (thrown instanceof ContractError) return thrown;
  for (const data of returnData(thrown, new Set())) {
    const parsed = ERRORS.parseError(data);
    if (parsed !== null) return new ContractError(parsed.name, named(parsed.fragment, parsed.args), data, thrown);
  }
  return undefined;
}

/**
 * Runs an action and turns what it throws into the contract's typed error where there is one.
 * @throws ContractError, or whatever the action throws
 */
export async function withTypedErrors<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw decodeError(error) ?? error;
  }
}

/** Return data in an error, outermost first. */
function* returnData(value: unknown, seen: Set<unknown>): Generator<string> {
  if (typeof value === "string") {
    if (/^0x(?:[0-9a-f]{2}){4,}$/i.test(value)) yield value;
    return;
  }
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  const fields = value as Record<string, unknown>;
  for (const key of CARRIERS) yield* returnData(fields[key], seen);
  if (Array.isArray(value)) for (const item of value) yield* returnData(item, seen);
  if (typeof fields.message === "string") {
    const quoted = /(?:return data|data=|data:)\s*"?(0x[0-9a-f]{8,})/i.exec(fields.message)?.[1];
    if (quoted !== undefined) yield* returnData(quoted, seen);
  }
}

function named(fragment: ErrorFragment, args: ArrayLike<unknown>): Record<string, unknown> {
  return Object.fromEntries(fragment.inputs.map((input, i) => [input.name === "" ? String(i) : input.name, args[i]]));
}

function errorsOf(abis: readonly InterfaceAbi[]): Interface {
  const bySelector = new Map<string, ErrorFragment>();
  for (const abi of abis) new Interface(abi).forEachError((fragment) => bySelector.set(fragment.selector, fragment));
  return new Interface([...bySelector.values()]);
}
