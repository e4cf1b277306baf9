import { toBeHex, zeroPadValue } from "ethers";

import type { Call } from "../../src/sdk/calls.ts";
import { MockERC20__factory } from "../../types/index.ts";

const token = MockERC20__factory.createInterface();

/** The address that belongs to a number. */
export function holder(number: number): string {
  return zeroPadValue(toBeHex(number), 20);
}

/** A call whose effect can be counted: one more token for the address of a number. */
export function mint(target: string, number: number): Call {
  return { target, data: token.encodeFunctionData("mint", [holder(number), 1]) };
}
