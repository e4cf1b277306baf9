import { buildModule } from "@nomicfoundation/ignition-core";

import { LIQUIDATE_SELECTORS } from "../../src/keeper/takerKey.ts";

const KEEPERS = 1n; // role of keys that may take over slices

/**
 * Owner of an account that takes over slices: an AccessManager whose admin, the deployer, moves its money, and which lets a keeper's key
 * take over slices and do nothing else. `grantRole(1, key, 0)` adds a key, `revokeRole(1, key)` ends one.
 */
export default buildModule("TakerOwner", (m) => {
  const admin = m.getAccount(0);
  const owner = m.contract("AccessManager", [admin]);
  const clearingHouse = m.getParameter<string>("clearingHouse");
  m.call(owner, "setTargetFunctionRole", [clearingHouse, [...LIQUIDATE_SELECTORS], KEEPERS]);
  m.call(owner, "grantRole", [KEEPERS, m.getParameter<string>("keeper"), 0]);
  return { owner };
});
