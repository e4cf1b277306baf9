// What the examples of the API documentation begin with, as the package's README says.
import type { JsonRpcProvider, JsonRpcSigner } from "ethers";

import type { AccountId, AddressBook, Plimsoll } from "@plimsoll/sdk";
import type { AccountState, HouseState } from "@plimsoll/sdk/risk";

/** Of `@plimsoll/sdk` and `@plimsoll/sdk/node`. */
export interface ClientContext {
  addressBook: AddressBook;
  addressBookFile: string;
  provider: JsonRpcProvider;
  alice: JsonRpcSigner;
  bob: JsonRpcSigner;
  house: Plimsoll;
  account: AccountId;
  matcherUrl: string;
  setPrice: (underlying: string, price: string) => Promise<void>;
  passTime: (seconds: number) => Promise<void>;
  console: { log: (...values: unknown[]) => void };
}

/** Of `@plimsoll/sdk/risk`: `house` and `account` are a view of the same. */
export interface RiskContext extends Pick<ClientContext, "alice" | "bob" | "console"> {
  house: HouseState;
  account: AccountState;
}
