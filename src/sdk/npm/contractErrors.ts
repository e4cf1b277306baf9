import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { Interface } from "ethers";
import type { ErrorFragment, InterfaceAbi, ParamType } from "ethers";
import { format, resolveConfig } from "prettier";

import {
  AccessManager__factory,
  ClearingHouse__factory,
  Exchange__factory,
  IClearingHouse__factory,
  InsuranceFund__factory,
  Lending__factory,
  Liquidation__factory,
  Listing__factory,
  MockERC20__factory,
  PriceOracle__factory,
  RiskEngine__factory,
  Upkeep__factory,
  Vault__factory,
} from "../../../types/index.ts";

/** Every contract that a call of the house can reach; the mock stands for the ERC-20 errors of tokens. */
const ABIS: readonly InterfaceAbi[] = [
  IClearingHouse__factory.abi,
  ClearingHouse__factory.abi,
  Lending__factory.abi,
  Liquidation__factory.abi,
  Upkeep__factory.abi,
  Listing__factory.abi,
  Exchange__factory.abi,
  RiskEngine__factory.abi,
  PriceOracle__factory.abi,
  InsuranceFund__factory.abi,
  Vault__factory.abi,
  AccessManager__factory.abi,
  MockERC20__factory.abi,
];
const INTERFACES = path.join(import.meta.dirname, "../../../contracts/interfaces");
/** Where the text of {@link contractErrorsSource} stands. */
export const FILE = path.join(import.meta.dirname, "../contractErrors.ts");

/** Two errors of one name cannot be told apart by it. */
export class AmbiguousError extends Error {
  constructor(signatures: readonly string[]) {
    super(`one name for two errors: ${signatures.join(", ")}. Rename one of them in the contracts.`);
    this.name = "AmbiguousError";
  }
}

/**
 * The text of `src/sdk/contractErrors.ts`, from the ABIs and the comments above the errors in `contracts/interfaces/`.
 * @throws AmbiguousError
 */
export async function contractErrorsSource(): Promise<string> {
  const fragments = [...errors().values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const notes = comments();
  const source = `// Written by \`npm run errors\` from the contracts' ABIs.

/** Every typed error that a call of the house can end in, as ethers' human-readable ABI. */
export const CONTRACT_ERRORS = [${fragments.map((f) => JSON.stringify(f.format("full"))).join(", ")}] as const;

/** Arguments of every typed error that a call of the house can end in, by its name; amounts are in the units of the contracts. */
export interface ContractErrorArgs {
  /** A \`require\` with a text, of a token or a wallet: argument 0 is the text. */
  readonly Error: {
    /** string */
    readonly 0: string;
  };
  /** An arithmetic error or a failed assertion: argument 0 is Solidity's panic code. */
  readonly Panic: {
    /** uint256 */
    readonly 0: bigint;
  };
${fragments.map((f) => `/** ${notes.get(f.name) ?? words(f)} */\n readonly ${f.name}: ${argsOf(f)};`).join("\n")}
}
`;
  return format(source, { ...(await resolveConfig(FILE)), filepath: FILE });
}

function errors(): Map<string, ErrorFragment> {
  const byName = new Map<string, ErrorFragment>();
  for (const abi of ABIS) {
    new Interface(abi).forEachError((fragment) => {
      const known = byName.get(fragment.name) ?? fragment;
      if (known.selector !== fragment.selector) throw new AmbiguousError([known.format(), fragment.format()]);
      byName.set(fragment.name, fragment);
    });
  }
  return byName;
}

/** What the interfaces say about their errors. */
function comments(): Map<string, string> {
  const files = readdirSync(INTERFACES).map((file) => readFileSync(path.join(INTERFACES, file), "utf8"));
  const found = files.flatMap((text) => [...text.matchAll(/\/\/\/ @dev ([^\n]+)\n\s*error (\w+)\(/g)]);
  return new Map(found.map(([, comment, name]) => [name ?? "", comment ?? ""]));
}

/** "OrderNonceTooLow" as "Order nonce too low." */
function words({ name }: ErrorFragment): string {
  const parts = name.replace(/([a-z\d])(?=[A-Z])/g, "$1 ").split(" ");
  return `${parts.map((part, i) => (i === 0 || /^[A-Z]{2}/.test(part) ? part : part.toLowerCase())).join(" ")}.`;
}

function argsOf({ inputs }: ErrorFragment): string {
  if (inputs.length === 0) return "Readonly<Record<string, never>>";
  return fields(inputs);
}

/** Fields with the Solidity type above each: ethers makes one type of many. */
function fields(inputs: readonly ParamType[]): string {
  const lines = inputs.map((input) => `/** ${solidityType(input)} */\nreadonly ${input.name}: ${typeOf(input)};`);
  return `{\n${lines.join("\n")}\n}`;
}

function solidityType({ baseType, type }: ParamType): string {
  return baseType === "tuple" ? "struct" : type;
}

/** What ethers makes of a value of a Solidity type. */
function typeOf({ baseType, type, components, arrayChildren }: ParamType): string {
  if (arrayChildren !== null) return `readonly ${typeOf(arrayChildren)}[]`;
  if (components !== null) return fields(components);
  if (/^u?int/.test(baseType)) return "bigint";
  return type === "bool" ? "boolean" : "string";
}
