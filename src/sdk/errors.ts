import { Interface } from "ethers";
import type { ErrorFragment } from "ethers";

import { PlimsollError } from "../risk/plimsollError.ts";
import { CONTRACT_ERRORS } from "./contractErrors.ts";
import type { ContractErrorArgs } from "./contractErrors.ts";

const ERRORS = new Interface(CONTRACT_ERRORS);

/** Where providers and libraries put what a call returned, or the error that carries it. */
const CARRIERS = ["data", "error", "cause", "info", "revert", "result", "errors"] as const;

/** Name of a typed error of the contracts. */
export type ContractErrorName = keyof ContractErrorArgs;

/** One of the contracts' typed errors: `ContractErrorOf<"NotLiquidatable">`. */
export class ContractErrorOf<N extends ContractErrorName> extends PlimsollError {
  override readonly name: N;
  /** what the error carries, by the names that the contract gives */
  readonly args: ContractErrorArgs[N];
  /** the same, encoded, as the call returned it */
  readonly data: string;

  /**
   * @param name of the error
   * @param args what it carries
   * @param data the same, encoded
   * @param cause what the provider threw
   */
  constructor(name: N, args: ContractErrorArgs[N], data: string, cause?: unknown) {
    const text = Object.entries(args).map(([key, value]) => `${key}: ${String(value)}`);
    super(`${name}(${text.join(", ")})`, { cause });
    this.name = name;
    this.args = args;
    this.data = data;
  }
}

/**
 * A contract refused. `name` says with which of its typed errors, and narrows `args` to what that one carries.
 *
 * @example
 * ```ts
 * try {
 *   await house.liquidate(account, accountId(bob.address));
 * } catch (error) {
 *   if (!(error instanceof ContractError)) throw error;
 *   if (error.name === "NotLiquidatable") console.log(formatWad(error.args.equity)); // → 9990
 * }
 * ```
 */
export type ContractError = { [N in ContractErrorName]: ContractErrorOf<N> }[ContractErrorName];

/** The class of all {@link ContractError}s. */
export interface ContractErrorClass {
  /** what `instanceof` narrows to */
  readonly prototype: ContractError;
  /**
   * @param name of the error
   * @param args what it carries
   * @param data the same, encoded
   * @param cause what the provider threw
   */
  new <N extends ContractErrorName>(
    name: N,
    args: ContractErrorArgs[N],
    data: string,
    cause?: unknown,
  ): ContractErrorOf<N>;
}

/** The class behind the type of the same name, for `instanceof`. */
export const ContractError = ContractErrorOf as ContractErrorClass;

/**
 * The typed error of a contract in whatever a provider, a signer or ethers threw. `Error(string)` and `Panic(uint256)` count as
 * errors of these names.
 *
 * @param thrown anything
 * @returns the error, or `undefined` if no known one is in it
 *
 * @example
 * ```ts
 * const thrown = await house.clearingHouse.settle.staticCall(63, [account]).catch((error: unknown) => error);
 * const error = decodeError(thrown);
 * if (error?.name === "UnknownMarket") console.log(error.args.market); // → 63n
 * ```
 */
export function decodeError(thrown: unknown): ContractError | undefined {
  if (thrown instanceof ContractError) return thrown;
  for (const data of returnData(thrown, new Set())) {
    const parsed = ERRORS.parseError(data);
    if (parsed !== null) return contractError(parsed.fragment, parsed.args, data, thrown);
  }
  return undefined;
}

/**
 * Runs an action and turns what it throws into the contract's typed error where there is one.
 *
 * @param action what to run
 * @returns what the action returns
 * @throws {@link ContractError} if a contract refused; otherwise whatever the action throws
 *
 * @example
 * ```ts
 * const { size } = await withTypedErrors(() => house.clearingHouse.position(account, 0));
 * console.log(formatWad(size)); // → 10
 * ```
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

/** The error of a fragment: the names and types of its arguments are those that `ContractErrorArgs` was written from. */
function contractError(fragment: ErrorFragment, args: ArrayLike<unknown>, data: string, cause: unknown): ContractError {
  const named = Object.fromEntries(
    fragment.inputs.map((input, i) => [input.name === "" ? String(i) : input.name, args[i]]),
  );
  return new ContractError(
    fragment.name as ContractErrorName,
    named as ContractErrorArgs[ContractErrorName],
    data,
    cause,
  ) as ContractError;
}
