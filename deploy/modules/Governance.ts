import { buildModule } from "@nomicfoundation/ignition-core";
import { id, ZeroAddress, ZeroHash } from "ethers";

import type { GovernanceParameters } from "../config.ts";
import type { automationModule } from "./Automation.ts";
import type { plimsollModule } from "./Plimsoll.ts";

const DEFAULT_ADMIN = ZeroHash;
const CANCELLER = id("CANCELLER_ROLE");

/**
 * The house with what governs it: the timelock that is to hold the AccessManager's admin role, what tightens at once, and the preview of
 * changes. The timelock governs itself: the deployer gives up its own part as soon as the guardian can cancel.
 */
export function governanceModule(
  house: ReturnType<typeof plimsollModule> | ReturnType<typeof automationModule>,
  { governor, guardian, delays }: GovernanceParameters,
) {
  return buildModule("Governance", (m) => {
    const contracts = m.useModule(house as ReturnType<typeof plimsollModule>);
    const deployer = m.getAccount(0);
    // Executors: anyone, once the delay is over.
    const timelock = m.contract("TimelockController", [delays.admin, [governor], [ZeroAddress], deployer]);
    const canceller = m.call(timelock, "grantRole", [CANCELLER, guardian]);
    m.call(timelock, "renounceRole", [DEFAULT_ADMIN, deployer], { after: [canceller] });
    const riskSteward = m.contract("RiskSteward", [contracts.authority, contracts.clearingHouse]);
    const riskPreview = m.contract("RiskPreview", [contracts.clearingHouse]);
    return { ...contracts, timelock, riskSteward, riskPreview };
  });
}
