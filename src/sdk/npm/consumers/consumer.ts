// Runs as an ES module and as CommonJS against the packed package.
import { loadAddressBook } from "@plimsoll/sdk/node";
import * as risk from "@plimsoll/sdk/risk";
import * as sdk from "@plimsoll/sdk";

let thrown: unknown;
try {
  loadAddressBook("/nowhere.json");
} catch (error) {
  thrown = error;
}
console.log(
  JSON.stringify({
    amount: sdk.formatWad(sdk.parseWad("-1.5")),
    fee: sdk.formatWad(risk.tradingFee(risk.WAD, 2_000n * risk.WAD, 500n)),
    oneClass: sdk.MissingPrice === risk.MissingPrice,
    caught: thrown instanceof sdk.InvalidAddressBook && thrown instanceof sdk.PlimsollError && thrown.name,
    calldata: sdk.revokeAllCall({ contracts: { exchange: "0x" } } as sdk.AddressBook).data,
  }),
);
