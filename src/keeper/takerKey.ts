import { FunctionFragment, isError } from "ethers";
import type { Provider } from "ethers";

import { AccessManager__factory, IClearingHouse__factory } from "../../types/index.ts";
import { accountParts, hexOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import type { Call } from "../sdk/calls.ts";

/** All that a key may do which takes over slices for somebody else, functions of the clearinghouse. */
export const LIQUIDATE_SCOPE = ["flag", "liquidate", "cashCall"] as const;

const ADMIN_ROLE = 0n;

const house = IClearingHouse__factory.createInterface();
const manager = AccessManager__factory.createInterface();
const BATCH = house.getFunction("batch").selector;
/** How contracts name the functions of `LIQUIDATE_SCOPE`. */
export const LIQUIDATE_SELECTORS: readonly string[] = LIQUIDATE_SCOPE.map((name) => house.getFunction(name).selector);

/** The account that shall take over slices is isolated, or its owner has not allowed the signer to do it. */
export class UnusableTaker extends Error {
  readonly account: AccountId;

  constructor(account: AccountId, signer: string, problem = `name an account of ${signer} that is not isolated`) {
    super(`account ${hexOf(account)} cannot take over slices: ${problem}`);
    this.name = "UnusableTaker";
    this.account = account;
  }
}

/** A key that shall only take over slices may do more than that with its owner's money. */
export class TakerKeyTooWide extends Error {
  readonly key: string;
  /** Functions of the clearinghouse that are too many; `*` is everything. */
  readonly functions: readonly string[];

  constructor(key: string, functions: readonly string[]) {
    super(
      `the key ${key} may also ${functions.join(", ")}: take that away, it needs ${LIQUIDATE_SCOPE.join(", ")} only`,
    );
    this.name = "TakerKeyTooWide";
    this.key = key;
    this.functions = functions;
  }
}

/**
 * How a signer takes over slices into an account. Into one of his own directly; into another one through its owner, an
 * AccessManager of OpenZeppelin that allows him `LIQUIDATE_SCOPE` and nothing else, so that his key can neither hold nor move money.
 * @returns what makes of a call the one to be sent
 * @throws UnusableTaker, TakerKeyTooWide
 */
export async function openTakerKey(
  provider: Provider,
  { contracts }: AddressBook,
  account: AccountId,
  key: string,
): Promise<(call: Call) => Call> {
  const { owner, isolatedMarket } = accountParts(account);
  if (isolatedMarket !== undefined) throw new UnusableTaker(account, key);
  if (owner === key) return (call) => call;
  const rights = await rightsOf(provider, owner, contracts.clearingHouse, key);
  if (rights === undefined) throw new UnusableTaker(account, key);
  const needed: readonly string[] = LIQUIDATE_SCOPE;
  const excess = rights.filter(({ name }) => !needed.includes(name)).map(({ name }) => name);
  if (excess.length !== 0) throw new TakerKeyTooWide(key, excess);
  const lacking = needed.filter((name) => !rights.some((right) => right.name === name && right.immediate));
  if (lacking.length !== 0) {
    throw new UnusableTaker(account, key, `its owner ${owner} must allow ${key} at once to ${lacking.join(", ")}`);
  }
  return (call) => through(owner, call);
}

/** The call in the owner's name if it is one of the scope, or a batch: what else there is anybody may call. */
function through(owner: string, { target, data }: Call): Call {
  const selector = data.slice(0, 10);
  if (selector === BATCH) {
    const [calls] = house.decodeFunctionData("batch", data) as unknown as [Call[]];
    return { target: owner, data: manager.encodeFunctionData("multicall", [calls.map((each) => execution(each))]) };
  }
  return LIQUIDATE_SELECTORS.includes(selector)
    ? { target: owner, data: execution({ target, data }) }
    : { target, data };
}

function execution({ target, data }: Call): string {
  return manager.encodeFunctionData("execute", [target, data]);
}

/** What a key may call, and whether without delay; `*` is everything. */
interface Right {
  readonly name: string;
  readonly immediate: boolean;
}

/** What an AccessManager lets a key call of the clearinghouse; `undefined` if it is none. */
async function rightsOf(provider: Provider, owner: string, target: string, key: string): Promise<Right[] | undefined> {
  const owning = AccessManager__factory.connect(owner, provider);
  try {
    const { isMember } = await owning.hasRole(ADMIN_ROLE, key);
    if (isMember) return [{ name: "*", immediate: true }];
    const writing = house.fragments.filter((f) => f instanceof FunctionFragment).filter(({ constant }) => !constant);
    const rights = await Promise.all(
      writing.map(async ({ name, selector }) => {
        const [immediate, delay] = await owning.canCall(key, target, selector);
        return immediate || delay !== 0n ? [{ name, immediate }] : [];
      }),
    );
    return rights.flat();
  } catch (error) {
    if (isError(error, "BAD_DATA") || isError(error, "CALL_EXCEPTION")) return undefined;
    throw error;
  }
}
