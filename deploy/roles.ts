import type { Interface } from "ethers";

import {
  IClearingHouse__factory,
  PriceOracle__factory,
  RiskEngine__factory,
  RiskSteward__factory,
  Vault__factory,
} from "../types/index.ts";
import type { AccessManager } from "../types/index.ts";
import type { GovernanceParameters } from "./config.ts";
import type { Setting } from "./settings.ts";

/** Who can be a member of a role: a person or multisig of the network file, or a contract of the deployment. */
export type Member = "governor" | "guardian" | "steward" | "TimelockController" | "RiskSteward";

/** Contracts with restricted functions. */
export type Restricted = "clearingHouse" | "riskEngine" | "priceOracle" | "vault" | "riskSteward";

type Delay = keyof GovernanceParameters["delays"];

/** A role of the AccessManager. */
export interface Role {
  readonly name: string;
  readonly id: bigint;
  /** Its members; a delay of the network file, or none: what it may do it does at once. */
  readonly members: readonly { readonly who: Member; readonly delay?: Delay }[];
  /** The role whose members may cancel what it has scheduled. */
  readonly cancelledBy?: bigint;
  readonly functions: Partial<Readonly<Record<Restricted, readonly string[]>>>;
  readonly purpose: string;
}

export const ADMIN = 0n;
const PARAMETERS = 1n;
const WIRING = 2n;
const STEWARD = 3n;
const GUARDIAN = 4n;

/**
 * Who may do what, and how long it waits. What loosens, and what could make somebody liquidatable, waits; what tightens new risk goes at
 * once; no role can do both. docs/governance.md shows this table.
 */
export const ROLES: readonly Role[] = [
  {
    name: "ADMIN",
    id: ADMIN,
    members: [{ who: "TimelockController" }],
    functions: {},
    purpose: "grants roles; waits in the timelock, where the governor proposes and the guardian cancels",
  },
  {
    name: "PARAMETERS",
    id: PARAMETERS,
    members: [{ who: "governor", delay: "parameters" }, { who: "RiskSteward" }],
    cancelledBy: GUARDIAN,
    functions: {
      clearingHouse: ["setMarket", "setCollateral", "delistCollateral", "setLendingParams", "setOutflowCap"],
      riskEngine: ["setUnderlyingRisk", "setCollateralRisk"],
      priceOracle: ["setRegime"],
    },
    purpose: "changes parameters within their hard bounds",
  },
  {
    name: "WIRING",
    id: WIRING,
    members: [{ who: "governor", delay: "wiring" }],
    cancelledBy: GUARDIAN,
    functions: {
      clearingHouse: ["setRiskEngine", "setPriceOracle", "setExchange", "setInsuranceFund", "setTreasury"],
      priceOracle: ["setFeed", "setSecondSource", "setRateFeeds"],
      vault: ["setClearingHouse"],
    },
    purpose: "replaces engine, oracle, feeds and treasury; what can be named only once is named already",
  },
  {
    name: "RISK_STEWARD",
    id: STEWARD,
    members: [{ who: "steward" }],
    functions: {
      riskSteward: ["tightenMarket", "tightenCollateral", "tightenOutflow", "tightenUnderlying", "tightenHaircut"],
    },
    purpose:
      "lowers caps of markets and collateral; in bounded steps lowers limits on outflow and raises initial requirements",
  },
  {
    name: "GUARDIAN",
    id: GUARDIAN,
    members: [{ who: "guardian" }],
    functions: { clearingHouse: ["pauseNewRisk", "endPause"] },
    purpose: "pauses new risk for three days of every ten, and cancels what waits",
  },
];

const INTERFACES: Readonly<Record<Restricted, Interface>> = {
  clearingHouse: IClearingHouse__factory.createInterface(),
  riskEngine: RiskEngine__factory.createInterface(),
  priceOracle: PriceOracle__factory.createInterface(),
  vault: Vault__factory.createInterface(),
  riskSteward: RiskSteward__factory.createInterface(),
};

/** Where the contracts with restricted functions are, and who the members are. */
export interface Placed {
  readonly contracts: Readonly<Record<Restricted, string>>;
  readonly members: Readonly<Record<Member, string>>;
}

/** The roles as settings of an AccessManager, in the order in which they can be applied; the admin's own seat, the timelock's, comes last. */
export function roleSettings(
  authority: AccessManager,
  placed: Placed,
  delays: GovernanceParameters["delays"],
): Setting[] {
  const seats = [...ROLES.slice(1), ...ROLES.slice(0, 1)];
  return [
    ...ROLES.flatMap((role) => functionSettings(authority, role, placed)),
    ...ROLES.flatMap((role) => cancelSettings(authority, role)),
    ...seats.flatMap((role) => memberSettings(authority, role, placed, delays)),
  ];
}

function functionSettings(authority: AccessManager, { name, id, functions }: Role, { contracts }: Placed): Setting[] {
  return Object.entries(functions).map(([contract, names]) => {
    const target = contracts[contract as Restricted];
    const selectors = names.map((f) => INTERFACES[contract as Restricted].getFunction(f)?.selector ?? f);
    return {
      label: `functions of ${name} in ${contract}`,
      holds: async () => {
        const roles = await Promise.all(selectors.map((s) => authority.getTargetFunctionRole(target, s)));
        return roles.every((role) => role === id);
      },
      call: () => authority.setTargetFunctionRole.populateTransaction(target, selectors, id),
    };
  });
}

function cancelSettings(authority: AccessManager, { name, id, cancelledBy }: Role): Setting[] {
  if (cancelledBy === undefined) return [];
  const holds = async () => (await authority.getRoleGuardian(id)) === cancelledBy;
  const call = () => authority.setRoleGuardian.populateTransaction(id, cancelledBy);
  return [{ label: `who cancels for ${name}`, holds, call }];
}

function memberSettings(
  authority: AccessManager,
  { name, id, members }: Role,
  placed: Placed,
  delays: GovernanceParameters["delays"],
): Setting[] {
  return members.map(({ who, delay }) => {
    const member = placed.members[who];
    const seconds = delay === undefined ? 0n : delays[delay];
    return {
      label: `${who} as ${name}`,
      holds: async () => {
        const [isMember, stands] = await authority.hasRole(id, member);
        return isMember && stands === seconds;
      },
      call: () => authority.grantRole.populateTransaction(id, member, seconds),
    };
  });
}

/** The table of roles in Markdown. */
export function rolesTable(): string {
  const rows = ROLES.map(({ name, members, cancelledBy, functions, purpose }) => [
    `${name}: ${purpose}`,
    members.map(({ who, delay }) => (delay === undefined ? who : `${who}, after \`delays.${delay}\``)).join("; "),
    ROLES.find(({ id }) => id === cancelledBy)?.name ?? "–",
    Object.entries(functions)
      .map(([contract, names]) => `${contract}: ${names.map((f) => `\`${f}\``).join(", ")}`)
      .join("; ") || "of the AccessManager itself",
  ]);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["role", "members", "cancelled by", "functions"]),
    line(["---", "---", "---", "---"]),
    ...rows.map(line),
  ].join("\n");
}
