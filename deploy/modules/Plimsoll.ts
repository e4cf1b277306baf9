import { buildModule } from "@nomicfoundation/ignition-core";
import type { ContractFuture } from "@nomicfoundation/ignition-core";

import type { localModule } from "./Local.ts";

/** Chainlink's uptime feed of the sequencer, zero if there is none, and how long that must have been up [s]. */
export interface Sequencer {
  feed: string;
  gracePeriod: bigint;
}

/** A library to deploy, after the libraries it links itself. */
export interface LinkedLibrary {
  name: string;
  libraries: string[];
}

/**
 * The house: its contracts and what can be wired only once. Parameters are no part of it, because they may change later.
 * @param libraries external libraries of the clearinghouse, in the order in which they can be deployed
 * @param ledgerLibraries names of those that the clearinghouse links itself
 * @param local on a local chain its mock tokens and feeds, deployed as a part of this module: Ignition does not resume a module
 * while another one of the same deployment is half done
 * @param cash symbol of the cash token, looked up among the mocks; else its address is the parameter `cashToken`
 * @param sequencer what the oracle knows of the sequencer, for good
 */
export function plimsollModule(
  libraries: readonly LinkedLibrary[],
  ledgerLibraries: readonly string[],
  local: ReturnType<typeof localModule> | undefined,
  cash: string,
  sequencer: Sequencer,
) {
  return buildModule("Plimsoll", (m) => {
    const mocks: ReturnType<typeof localModule>["results"] = local === undefined ? {} : m.useModule(local);
    const authority = m.contract("AccessManager", [m.getAccount(0)]);
    const vault = m.contract("Vault", [authority]);
    const riskEngine = m.contract("RiskEngine", [authority]);
    const priceOracle = m.contract("PriceOracle", [authority, sequencer.feed, sequencer.gracePeriod]);

    const deployed: Record<string, ContractFuture<string>> = {};
    const linked = (names: readonly string[]) =>
      Object.fromEntries(Object.entries(deployed).filter(([name]) => names.includes(name)));
    for (const library of libraries) {
      deployed[library.name] = m.library(library.name, { libraries: linked(library.libraries) });
    }
    const clearingHouse = m.contract("ClearingHouse", [authority, vault, mocks[cash] ?? m.getParameter("cashToken")], {
      libraries: linked(ledgerLibraries),
    });
    const exchange = m.contract("Exchange", [clearingHouse]);
    // The fund asks the clearinghouse for the vault and the cash token, and the clearinghouse must be known to the vault first.
    const custody = m.call(vault, "setClearingHouse", [clearingHouse]);
    const insuranceFund = m.contract("InsuranceFund", [clearingHouse], { after: [custody] });

    const ledger = m.contractAt("IClearingHouse", clearingHouse, { id: "Ledger" });
    m.call(ledger, "setExchange", [exchange]);
    m.call(ledger, "setInsuranceFund", [insuranceFund]);
    return { authority, vault, riskEngine, priceOracle, clearingHouse, exchange, insuranceFund, ...mocks };
  });
}
