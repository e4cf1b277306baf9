import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { Contract, ZeroAddress } from "ethers";
import type { Addressable, Signer } from "ethers";
import hre from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { loadAddressBook } from "../src/sdk/node.ts";
import type { AddressBook } from "../src/sdk/addressBook.ts";
import {
  AccessManager__factory,
  IClearingHouse__factory,
  MockERC20__factory,
  MockV3Aggregator__factory,
  PriceOracle__factory,
  RiskEngine__factory,
} from "../types/index.ts";
import { feedsOf, LOCAL_CHAINS } from "./config.ts";
import type { Aggregator, NetworkParameters } from "./config.ts";
import {
  ChainMismatch,
  CircularLibraries,
  DeployerOwnsFeed,
  MocksOnRealNetwork,
  NoAdmin,
  NoDeployer,
  NoGovernance,
} from "./errors.ts";
import { automationModule } from "./modules/Automation.ts";
import { governanceModule } from "./modules/Governance.ts";
import { localModule } from "./modules/Local.ts";
import { plimsollModule } from "./modules/Plimsoll.ts";
import type { LinkedLibrary } from "./modules/Plimsoll.ts";
import { ADMIN, roleSettings } from "./roles.ts";
import { settings } from "./settings.ts";
import type { House, Setting } from "./settings.ts";

const NO_SEQUENCER = { feed: ZeroAddress, gracePeriod: 0n };

export type DeployConnection = Pick<NetworkConnection<string>, "ethers" | "ignition" | "networkConfig">;

export interface DeployOptions {
  /** Where the address book goes; `deploy/addresses/<chainId>.json` unless said otherwise, and nowhere for an in-process chain. */
  addressBook?: string;
  /** Names the folder under `deploy/deployments/` in which progress is kept; `chain-<chainId>` unless said otherwise. */
  deploymentId?: string;
  /** Whether to show Ignition's progress. */
  displayUi?: boolean;
}

/** A call that governance has to make, so that what is wanted stands on the chain. */
export interface Operation {
  readonly label: string;
  readonly target: string;
  readonly data: string;
}

export interface Deployment {
  addressBook: AddressBook;
  /** What Chainlink Automation calls, if the parameters ask for it. */
  automation: { houseUpkeep: string; accountUpkeep: string } | undefined;
  /** File the address book is in, if it was written. */
  file: string | undefined;
  /** Parameters that were changed, by label; empty if all stood as wanted. */
  changes: string[];
  /** Transactions the deployer sent. */
  transactions: number;
}

/**
 * Deploys the house, or resumes or updates it where it is deployed already: contracts through Ignition, which keeps its progress,
 * then every parameter that does not stand on the chain as wanted, then every role; in the end the deployer gives up all of its own. Run
 * twice it sends nothing. An in-process chain keeps no progress and gets a new house each time.
 * @throws ChainMismatch, CircularLibraries, DeployerOwnsFeed, MocksOnRealNetwork, NoDeployer, NoAdmin, NoGovernance
 */
export async function deployPlimsoll(
  connection: DeployConnection,
  parameters: NetworkParameters,
  options: DeployOptions = {},
): Promise<Deployment> {
  const { provider } = connection.ethers;
  const chainId = Number((await provider.getNetwork()).chainId);
  requireChain(chainId, parameters);
  const [deployer] = await connection.ethers.getSigners();
  if (deployer === undefined) throw new NoDeployer(chainId);

  const inProcess = connection.networkConfig.type === "edr-simulated";
  const deploymentId = options.deploymentId ?? `chain-${chainId}`;
  const journal = path.join(hre.config.paths.ignition, "deployments", deploymentId);
  if (!inProcess && LOCAL_CHAINS.includes(chainId)) await dropStaleJournal(connection, journal);
  const file = options.addressBook ?? (inProcess ? undefined : defaultAddressBook(chainId));
  const deployBlock = await blockOfDeployment(connection, inProcess ? undefined : journal, file);
  const nonceBefore = await deployer.getNonce();

  const deploy = await deployContracts(connection, parameters, deploymentId, options.displayUi ?? false);
  const listed = await describe(deployer, parameters, deploy.mocks);
  const house: House = {
    authority: AccessManager__factory.connect(deploy.contracts.accessManager, deployer),
    clearingHouse: IClearingHouse__factory.connect(deploy.contracts.clearingHouse, deployer),
    riskEngine: RiskEngine__factory.connect(deploy.contracts.riskEngine, deployer),
    priceOracle: PriceOracle__factory.connect(deploy.contracts.priceOracle, deployer),
  };
  const feeds = new Map(
    feedsOf(parameters).map(({ name, aggregator }) => [name, addressOf(name, aggregator, deploy.mocks)]),
  );
  const wanted = settings(house, parameters, {
    feeds,
    tokens: listed.collaterals.map((c) => c.token),
    treasury: parameters.treasury ?? parameters.governance?.governor ?? (await currentTreasury(house, deployer)),
  });
  const roles = rolesWanted(house, parameters, deploy);
  const changes = await applySettings(house, [...wanted, ...roles], deployer);
  if (roles.length !== 0) await requireNoFeedOf(deployer, [...feeds]);
  if (parameters.governance !== undefined || parameters.admin !== undefined)
    await renounce(house, parameters.admin, deployer);

  const { contracts, governance } = deploy;
  const addressBook: AddressBook = { chainId, deployBlock, contracts, ...(governance && { governance }), ...listed };
  if (file !== undefined) await writeAddressBook(file, addressBook);
  return {
    addressBook,
    automation: deploy.automation,
    file,
    changes,
    transactions: (await deployer.getNonce()) - nonceBefore,
  };
}

/** The file in which the address book of a chain is looked for. */
export function defaultAddressBook(chainId: number): string {
  return path.join(hre.config.paths.ignition, "addresses", `${chainId}.json`);
}

function requireChain(chainId: number, parameters: NetworkParameters): void {
  const local = LOCAL_CHAINS.includes(chainId);
  if (chainId !== parameters.chainId && !(local && LOCAL_CHAINS.includes(parameters.chainId))) {
    throw new ChainMismatch(chainId, parameters.chainId);
  }
  const mocks = [
    ...[parameters.cash, ...parameters.collaterals].filter((t) => "mockDecimals" in t.token).map((t) => t.symbol),
    ...feedsOf(parameters)
      .filter((f) => "mockPrice" in f.aggregator)
      .map((f) => f.name),
  ];
  if (!local && mocks.length !== 0) throw new MocksOnRealNetwork(chainId, mocks);
  if (!local && parameters.governance === undefined) throw new NoGovernance(chainId);
}

// ---------------------------------------------------------------- contracts

interface Deployed {
  contracts: AddressBook["contracts"];
  governance: AddressBook["governance"];
  automation: Deployment["automation"];
  mocks: Map<string, string>;
}

async function deployContracts(
  connection: DeployConnection,
  parameters: NetworkParameters,
  deploymentId: string,
  displayUi: boolean,
): Promise<Deployed> {
  const inProcess = connection.networkConfig.type === "edr-simulated";
  const local = LOCAL_CHAINS.includes(parameters.chainId);
  const config = local ? { requiredConfirmations: 1, blockPollingInterval: inProcess ? 1 : 50 } : {};
  const options = { deploymentId, displayUi, config };

  const { cash, sequencer, automation, governance } = parameters;
  const { libraries, direct } = await librariesOf("ClearingHouse");
  const mocked = local ? localModule(parameters) : undefined;
  const house = plimsollModule(libraries, direct, mocked, cash.symbol, sequencer ?? NO_SEQUENCER);
  const kept = automation === undefined ? house : automationModule(house, automation);
  const { authority, vault, riskEngine, priceOracle, clearingHouse, exchange, insuranceFund, ...others } =
    await connection.ignition.deploy(governance === undefined ? kept : governanceModule(kept, governance), {
      ...options,
      parameters: "address" in cash.token ? { Plimsoll: { cashToken: cash.token.address } } : {},
    });
  const mocks = new Map<string, string>();
  for (const [name, contract] of Object.entries<Addressable>(others)) mocks.set(name, await contract.getAddress());
  const [houseUpkeep, accountUpkeep] = [mocks.get("houseUpkeep"), mocks.get("accountUpkeep")];
  const [timelock, riskSteward, riskPreview] = ["timelock", "riskSteward", "riskPreview"].map((name) =>
    mocks.get(name),
  );
  return {
    contracts: {
      accessManager: await authority.getAddress(),
      vault: await vault.getAddress(),
      clearingHouse: await clearingHouse.getAddress(),
      exchange: await exchange.getAddress(),
      riskEngine: await riskEngine.getAddress(),
      priceOracle: await priceOracle.getAddress(),
      insuranceFund: await insuranceFund.getAddress(),
    },
    governance: timelock && riskSteward && riskPreview ? { timelock, riskSteward, riskPreview } : undefined,
    automation: houseUpkeep && accountUpkeep ? { houseUpkeep, accountUpkeep } : undefined,
    mocks,
  };
}

/**
 * The external libraries of a contract: those it links itself, and all of them in an order in which they can be deployed.
 * @throws CircularLibraries
 */
async function librariesOf(
  contract: string,
  users: string[] = [],
): Promise<{ libraries: LinkedLibrary[]; direct: string[] }> {
  if (users.includes(contract)) throw new CircularLibraries([...users, contract]);
  const artifact = await hre.artifacts.readArtifact(contract);
  const direct = Object.values(artifact.linkReferences).flatMap((file) => Object.keys(file));
  const libraries = new Map<string, LinkedLibrary>();
  for (const name of direct) {
    if (libraries.has(name)) continue; // another one links it too
    const nested = await librariesOf(name, [...users, contract]);
    for (const library of nested.libraries) libraries.set(library.name, library);
    libraries.set(name, { name, libraries: nested.direct });
  }
  return { libraries: [...libraries.values()], direct };
}

/** A local chain that was started anew has none of the contracts that an old journal speaks of. */
async function dropStaleJournal({ ethers }: DeployConnection, journal: string): Promise<void> {
  const addresses = recordedAddresses(journal);
  const codes = await Promise.all(Object.values(addresses).map((a) => ethers.provider.getCode(a)));
  if (codes.length === 0 || codes.includes("0x")) rmSync(journal, { recursive: true, force: true });
}

function recordedAddresses(journal: string): Record<string, string> {
  const file = path.join(journal, "deployed_addresses.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : {};
}

/** The block before which the clearinghouse was not there: now, or what an earlier run wrote down. */
async function blockOfDeployment(
  { ethers }: DeployConnection,
  journal: string | undefined,
  file: string | undefined,
): Promise<number> {
  const clearingHouse = journal === undefined ? undefined : recordedAddresses(journal)["Plimsoll#ClearingHouse"];
  if (clearingHouse === undefined) return ethers.provider.getBlockNumber();
  if (file === undefined || !existsSync(file)) return 0;
  const book = loadAddressBook(file);
  return book.contracts.clearingHouse === clearingHouse ? book.deployBlock : 0;
}

// ---------------------------------------------------------------- parameters

/** Applies what does not stand as wanted, and returns the labels of that. @throws NoAdmin */
async function applySettings({ authority }: House, wanted: readonly Setting[], deployer: Signer): Promise<string[]> {
  const missing: Setting[] = [];
  for (const setting of wanted) if (!(await setting.holds())) missing.push(setting);
  if (missing.length === 0) return [];
  const sender = await deployer.getAddress();
  const [isAdmin] = await authority.hasRole(ADMIN, sender);
  if (!isAdmin) throw new NoAdmin(sender, await Promise.all(missing.map(operationOf)));
  for (const setting of wanted) {
    if (!(await setting.holds())) await (await deployer.sendTransaction(await setting.call())).wait();
  }
  return missing.map(({ label }) => label);
}

async function operationOf({ label, call }: Setting): Promise<Operation> {
  const { to, data } = await call();
  return { label, target: to, data };
}

async function currentTreasury({ clearingHouse }: House, deployer: Signer): Promise<string> {
  const treasury = await clearingHouse.treasury();
  return treasury === ZeroAddress ? deployer.getAddress() : treasury;
}

/** The roles that deploy/roles.ts asks for; none where a local chain is governed by its admin alone. */
function rolesWanted(
  { authority }: House,
  { governance }: NetworkParameters,
  { contracts, governance: deployed }: Deployed,
): Setting[] {
  if (governance === undefined || deployed === undefined) return [];
  const { timelock, riskSteward } = deployed;
  const placed = {
    contracts: { ...contracts, riskSteward },
    members: { ...governance, TimelockController: timelock, RiskSteward: riskSteward },
  };
  return roleSettings(authority, placed, governance.delays);
}

/** @throws DeployerOwnsFeed */
async function requireNoFeedOf(deployer: Signer, feeds: readonly (readonly [name: string, address: string])[]) {
  const sender = await deployer.getAddress();
  const owners = await Promise.all(
    feeds.map(async ([name, address]) => {
      const feed = new Contract(address, ["function owner() view returns (address)"], deployer);
      const owner: unknown = await feed
        .getFunction("owner")()
        .catch(() => undefined); // nobody owns it
      return { name, owner };
    }),
  );
  const own = owners.filter(({ owner }) => owner === sender);
  if (own.length !== 0)
    throw new DeployerOwnsFeed(
      sender,
      own.map(({ name }) => name),
    );
}

/** Gives up the deployer's power over the house, once it is `admin`'s or, without one, the timelock's. */
async function renounce({ authority }: House, admin: string | undefined, deployer: Signer): Promise<void> {
  const sender = await deployer.getAddress();
  const [isAdmin] = await authority.hasRole(ADMIN, sender);
  if (!isAdmin || sender === admin) return;
  if (admin !== undefined) await (await authority.grantRole(ADMIN, admin, 0)).wait();
  await (await authority.renounceRole(ADMIN, sender)).wait();
}

// ---------------------------------------------------------------- address book

/** What is listed, with the addresses and decimals of its tokens and feeds. */
async function describe(
  runner: Signer,
  parameters: NetworkParameters,
  mocks: ReadonlyMap<string, string>,
): Promise<Pick<AddressBook, "cash" | "underlyings" | "markets" | "collaterals">> {
  const token = async ({ symbol, token: t }: Pick<NetworkParameters["cash"], "symbol" | "token">) => {
    const address = "address" in t ? t.address : (mocks.get(symbol) ?? ZeroAddress);
    const decimals = Number(await MockERC20__factory.connect(address, runner).decimals());
    return { symbol, token: address, decimals, mock: "mockDecimals" in t };
  };
  const underlying = async ({ id, name, feed: { aggregator: a } }: NetworkParameters["underlyings"][number]) => {
    const feed = addressOf(`${name}_USD`, a, mocks);
    const feedDecimals = Number(await MockV3Aggregator__factory.connect(feed, runner).decimals());
    return { id, name, feed, feedDecimals, mock: "mockPrice" in a };
  };
  return {
    cash: await token(parameters.cash),
    underlyings: await Promise.all(parameters.underlyings.map(underlying)),
    markets: parameters.markets.map(({ id, name, underlying: u }) => ({ id, name, underlying: u })),
    collaterals: await Promise.all(
      parameters.collaterals.map(async (c) => ({ id: c.id, ...(await token(c)), underlying: c.underlying })),
    ),
  };
}

function addressOf(name: string, aggregator: Aggregator, mocks: ReadonlyMap<string, string>): string {
  return "address" in aggregator ? aggregator.address : (mocks.get(name) ?? ZeroAddress);
}

async function writeAddressBook(file: string, book: AddressBook): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(book, undefined, 2)}\n`);
}
