import { buildModule } from "@nomicfoundation/ignition-core";

import type { AutomationParameters } from "../config.ts";
import type { plimsollModule } from "./Plimsoll.ts";

/** The house with what Chainlink Automation calls to keep it up, to be registered there with `checkData` as docs/automation.md says. */
export function automationModule(house: ReturnType<typeof plimsollModule>, automation: AutomationParameters) {
  const { observeInterval, accrueInterval, sweepThreshold, callInterval, settleThreshold, beneficiary } = automation;
  return buildModule("Automation", (m) => {
    const contracts = m.useModule(house);
    const ledger = contracts.clearingHouse;
    const houseUpkeep = m.contract("HouseUpkeep", [ledger, { observeInterval, accrueInterval, sweepThreshold }]);
    const accountUpkeep = m.contract("AccountUpkeep", [ledger, { callInterval, settleThreshold, beneficiary }]);
    return { ...contracts, houseUpkeep, accountUpkeep };
  });
}
