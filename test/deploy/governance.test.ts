import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { expect } from "chai";
import { Interface, ZeroAddress, ZeroHash, id as hashOf } from "ethers";
import type { BaseContract, FunctionFragment, ParamType } from "ethers";
import hre, { network } from "hardhat";

import { InvalidNetworkConfig, resolveNetwork } from "../../deploy/config.ts";
import { DeployerOwnsFeed, NoAdmin, NoGovernance } from "../../deploy/errors.ts";
import example from "../../deploy/networks/example.ts";
import local from "../../deploy/networks/local.ts";
import PushedFeed from "../../deploy/modules/PushedFeed.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import { ROLES, rolesTable } from "../../deploy/roles.ts";
import type { Member, Restricted } from "../../deploy/roles.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { parseWad } from "../../src/sdk/units.ts";
import {
  AccessManager__factory,
  FluxAggregator__factory,
  IClearingHouse__factory,
  InsuranceFund__factory,
  MockERC20__factory,
  MockV3Aggregator__factory,
  PriceOracle__factory,
  RiskEngine__factory,
  RiskSteward__factory,
  TimelockController__factory,
  Vault__factory,
} from "../../types/index.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";

const DAY = 86_400;
const OF_THE_MANAGER = "setAuthority"; // the access manager alone may name another one, at its ADMIN's word
const DELAYS = { parameters: "2d", wiring: "7d", admin: "8d" };

/** A house on a chain in-process that is governed as a real one, with everybody's hands on it. */
async function governed(more: object = {}) {
  const connection = await network.create();
  const { ethers, networkHelpers } = connection;
  const signers = await ethers.getSigners();
  const [deployer, governor, guardian, steward, alice, bob] = signers as [
    ...[HardhatEthersSigner, HardhatEthersSigner, HardhatEthersSigner],
    ...[HardhatEthersSigner, HardhatEthersSigner, HardhatEthersSigner],
  ];
  const names = { governor: governor.address, guardian: guardian.address, steward: steward.address };
  const config = { ...local, governance: { ...names, delays: DELAYS }, ...more };
  const deployment = await deployPlimsoll(connection, resolveNetwork(config));
  const { contracts: c, governance: g, cash } = deployment.addressBook;
  if (g === undefined) throw new TypeError("no governance was deployed");
  return {
    ...{ connection, ethers, networkHelpers, deployment, deployer, governor, guardian, steward, alice, bob, names },
    authority: AccessManager__factory.connect(c.accessManager, governor),
    timelock: TimelockController__factory.connect(g.timelock, governor),
    riskSteward: RiskSteward__factory.connect(g.riskSteward, steward),
    clearingHouse: IClearingHouse__factory.connect(c.clearingHouse, governor),
    riskEngine: RiskEngine__factory.connect(c.riskEngine, governor),
    priceOracle: PriceOracle__factory.connect(c.priceOracle, governor),
    vault: Vault__factory.connect(c.vault, governor),
    insuranceFund: InsuranceFund__factory.connect(c.insuranceFund, governor),
    usdc: MockERC20__factory.connect(cash.token, governor),
  };
}

type Governed = Awaited<ReturnType<typeof governed>>;

/** The contracts that ask the access manager, by the names that the table of roles gives them. */
const targetsOf = (h: Governed): Record<Restricted, BaseContract> => ({
  ...{ clearingHouse: h.clearingHouse, riskEngine: h.riskEngine, priceOracle: h.priceOracle },
  ...{ vault: h.vault, riskSteward: h.riskSteward },
});

const membersOf = (h: Governed): Record<Member, string> => ({
  ...{ ...h.names, TimelockController: h.timelock.target as string, RiskSteward: h.riskSteward.target as string },
});

/** Something of a type that a decoder takes. */
function anything(type: ParamType): unknown {
  if (type.baseType === "tuple") return (type.components ?? []).map(anything);
  if (type.baseType === "array") return [];
  if (type.type === "address") return ZeroAddress;
  if (type.type === "bool") return false;
  if (type.type.startsWith("bytes")) return `0x${"00".repeat(Number(/\d+$/.exec(type.type)?.[0] ?? 0))}`;
  return type.type === "string" ? "" : 0n;
}

/** Everything in the artefact of a contract that changes something. */
function mutating(contract: BaseContract): FunctionFragment[] {
  const functions: FunctionFragment[] = [];
  contract.interface.forEachFunction((f) => {
    if (!f.constant) functions.push(f);
  });
  return functions;
}

/** Names of the functions of a contract that the access manager keeps somebody from. */
async function refusedTo(who: HardhatEthersSigner, contract: BaseContract): Promise<string[]> {
  const refusal = new Interface(["error AccessManagedUnauthorized(address caller)"]);
  const expected = refusal.encodeErrorResult("AccessManagedUnauthorized", [who.address]);
  const refused: string[] = [];
  for (const f of mutating(contract)) {
    const data = contract.interface.encodeFunctionData(f, f.inputs.map(anything));
    const error: unknown = await who.call({ to: contract, data }).catch((e: unknown) => e);
    if (error instanceof Error && (error as { data?: string }).data === expected) refused.push(f.name);
  }
  return refused.sort();
}

/** Members of the roles of OpenZeppelin's AccessManager or AccessControl, from their events. */
async function members(contract: BaseContract, role: "roleId" | "role"): Promise<Map<string, string[]>> {
  const held = new Map<string, Set<string>>();
  for (const log of await contract.queryFilter("*" as never)) {
    if (!("args" in log) || !/^Role(Granted|Revoked)$/.test(log.fragment.name)) continue;
    const args = log.args as unknown as { account: string } & Record<string, bigint | string>;
    const of = String(args[role]);
    const set = held.get(of) ?? held.set(of, new Set()).get(of);
    if (log.fragment.name === "RoleGranted") set?.add(args.account);
    else set?.delete(args.account);
  }
  return new Map([...held].map(([of, set]) => [of, [...set].sort()]));
}

describe("governance: the deployer keeps nothing", () => {
  let h: Governed;
  before(async () => {
    h = await governed({
      automation: {
        ...{ observeInterval: "1h", accrueInterval: "1h", sweepThreshold: "100", callInterval: "1h" },
        ...{ settleThreshold: "100", beneficiary: "0x00000000000000000000000000000000000000A1" },
      },
    });
  });

  it("MM-5 every restricted function is in the table of roles, and none is his", async () => {
    for (const [name, contract] of Object.entries(targetsOf(h))) {
      const ofTable = ROLES.flatMap(({ functions }) => functions[name as Restricted] ?? []);
      expect(await refusedTo(h.deployer, contract), name).to.deep.equal([...ofTable, OF_THE_MANAGER].sort());
    }
    expect(ROLES.flatMap(({ functions }) => Object.values(functions).flat())).to.have.length(24); // 17, the pause's 2, the steward's 5
  });

  it("MM-5 he can call and schedule nothing, of the access manager neither", async () => {
    for (const contract of [...Object.values(targetsOf(h)), h.authority, h.timelock])
      for (const { selector, name } of mutating(contract)) {
        const [allowed, delay] = await h.authority.canCall(h.deployer, contract, selector);
        expect([allowed, delay], name).to.deep.equal([false, 0n]);
      }
    const grant = h.authority.connect(h.deployer).grantRole(0n, h.deployer, 0n);
    await expect(grant).to.be.revertedWithCustomError(h.authority, "AccessManagerUnauthorizedAccount");
    const set = h.clearingHouse.interface.encodeFunctionData("setTreasury", [h.deployer.address]);
    const schedule = h.authority.connect(h.deployer).schedule(h.clearingHouse, set, 0);
    await expect(schedule).to.be.revertedWithCustomError(h.authority, "AccessManagerUnauthorizedCall");
  });

  it("MM-5 every role has exactly the members of the table, with their delays, and who cancels", async () => {
    const held = await members(h.authority, "roleId");
    const days = { parameters: 2n, wiring: 7n, admin: 8n };
    for (const { id, name, members: wanted, cancelledBy } of ROLES) {
      expect(held.get(id.toString()), name).to.deep.equal(wanted.map(({ who }) => membersOf(h)[who]).sort());
      for (const { who, delay } of wanted) {
        const seconds = delay === undefined ? 0n : days[delay] * BigInt(DAY);
        expect(await h.authority.hasRole(id, membersOf(h)[who]), who).to.deep.equal([true, seconds]);
      }
      expect(await h.authority.getRoleGuardian(id), name).to.equal(cancelledBy ?? 0n);
      expect(await h.authority.getRoleAdmin(id), name).to.equal(0n);
    }
    expect([...held].filter(([, who]) => who.length !== 0)).to.have.length(ROLES.length);
  });

  it("MM-5 the timelock governs itself: the governor proposes, the guardian cancels, anyone executes", async () => {
    const held = await members(h.timelock, "role");
    const { governor, guardian } = h.names;
    expect(held).to.deep.equal(
      new Map([
        [ZeroHash, [h.timelock.target]],
        [hashOf("PROPOSER_ROLE"), [governor]],
        [hashOf("CANCELLER_ROLE"), [governor, guardian].sort()],
        [hashOf("EXECUTOR_ROLE"), [ZeroAddress]],
      ]),
    );
    expect(await h.timelock.getMinDelay()).to.equal(8n * BigInt(DAY));
  });

  it("MM-5 nothing else is his: treasury, beneficiary, fund, money, the authority that contracts ask", async () => {
    const { addressBook } = h.deployment;
    expect(await h.clearingHouse.treasury()).to.equal(h.names.governor);
    for (const contract of Object.values(targetsOf(h)))
      expect(await (contract as typeof h.vault).authority()).to.equal(h.authority.target);
    expect([await h.insuranceFund.totalSupply(), await h.insuranceFund.balanceOf(h.deployer)]).to.deep.equal([0n, 0n]);
    expect((await h.clearingHouse.account(accountId(h.deployer.address))).cash).to.equal(0n);
    for (const { token } of [addressBook.cash, ...addressBook.collaterals])
      expect(await MockERC20__factory.connect(token, h.deployer).balanceOf(h.deployer)).to.equal(0n);
    const owned = new Interface(["function owner() view returns (address)"]).encodeFunctionData("owner");
    const { automation } = h.deployment;
    if (automation === undefined || addressBook.governance === undefined) throw new TypeError("not deployed");
    const all = [addressBook.contracts, automation, addressBook.governance].flatMap((part) =>
      Object.values<string>({ ...part }),
    );
    for (const to of all)
      expect(await h.deployer.call({ to, data: owned }).catch(() => "nobody")).to.be.oneOf(["nobody", "0x"]);
  });

  it("MM-5 who may tighten, pause or propose can do nothing else", async () => {
    for (const [name, contract] of Object.entries(targetsOf(h))) {
      const but = (role: string) =>
        ROLES.filter((r) => r.name !== role)
          .flatMap(({ functions }) => functions[name as Restricted] ?? [])
          .concat(OF_THE_MANAGER)
          .sort();
      expect(await refusedTo(h.guardian, contract), "guardian").to.deep.equal(but("GUARDIAN"));
      expect(await refusedTo(h.steward, contract), "steward").to.deep.equal(but("RISK_STEWARD"));
    }
  });
});

describe("governance: what waits", () => {
  /** Schedules a call of the governor's; returns what executes and what cancels it. */
  async function schedule(h: Governed, contract: BaseContract, name: string, args: unknown[]) {
    const data = contract.interface.encodeFunctionData(name, args);
    await h.authority.schedule(contract, data, 0);
    return {
      data,
      execute: () => h.authority.execute(contract, data),
      cancel: () => h.authority.connect(h.guardian).cancel(h.governor, contract, data),
    };
  }

  it("MM-5 a change is made after its delay and not before, and the guardian can cancel it until then", async () => {
    const h = await governed();
    const cap = await schedule(h, h.clearingHouse, "setOutflowCap", [h.usdc.target, 1_000n]);
    const direct = h.clearingHouse.setOutflowCap(h.usdc, 1_000n);
    await expect(direct).to.be.revertedWithCustomError(h.authority, "AccessManagerNotReady");
    await h.networkHelpers.time.increase(2 * DAY - 60);
    await expect(cap.execute()).to.be.revertedWithCustomError(h.authority, "AccessManagerNotReady");
    await h.networkHelpers.time.increase(60);
    await cap.execute();
    expect((await h.clearingHouse.outflow(h.usdc)).cap).to.equal(parseWad("1000"));

    const engine = await schedule(h, h.clearingHouse, "setRiskEngine", [h.bob.address]);
    await h.networkHelpers.time.increase(7 * DAY - 60);
    await expect(engine.execute()).to.be.revertedWithCustomError(h.authority, "AccessManagerNotReady");
    await expect(
      h.authority.connect(h.steward).cancel(h.governor, h.clearingHouse, engine.data),
    ).to.be.revertedWithCustomError(h.authority, "AccessManagerUnauthorizedCancel");
    await engine.cancel();
    await h.networkHelpers.time.increase(DAY);
    await expect(engine.execute()).to.be.revertedWithCustomError(h.authority, "AccessManagerNotScheduled");
    expect(await h.clearingHouse.riskEngine()).to.equal(h.riskEngine.target);
  });

  it("MM-5 roles change through the timelock only; the guardian can cancel that too, anyone executes the rest", async () => {
    const h = await governed();
    const grant = (who: string) => h.authority.interface.encodeFunctionData("grantRole", [1n, who, 0n]);
    const direct = h.authority.grantRole(1n, h.governor, 0n);
    await expect(direct).to.be.revertedWithCustomError(h.authority, "AccessManagerUnauthorizedAccount");
    const call = (who: string) => [h.authority.target as string, 0n, grant(who), ZeroHash, ZeroHash] as const;
    const soon = h.timelock.schedule(...call(h.names.governor), 8n * BigInt(DAY) - 1n);
    await expect(soon).to.be.revertedWithCustomError(h.timelock, "TimelockInsufficientDelay");
    for (const who of [h.names.governor, h.bob.address]) await h.timelock.schedule(...call(who), 8n * BigInt(DAY));
    const id = await h.timelock.hashOperation(...call(h.names.governor));
    await h.timelock.connect(h.guardian).cancel(id);
    await h.networkHelpers.time.increase(8 * DAY);
    const cancelled = h.timelock.connect(h.alice).execute(...call(h.names.governor));
    await expect(cancelled).to.be.revertedWithCustomError(h.timelock, "TimelockUnexpectedOperationState");
    await h.timelock.connect(h.alice).execute(...call(h.bob.address));
    expect((await h.authority.hasRole(1n, h.bob))[0]).to.equal(true);
  });

  it("MM-5 a captured governor's engine comes when everybody has left who wants to: flat or not, brake and pause or not", async () => {
    const h = await governed({ cash: { ...local.cash, outflowCap: "100000" } });
    const book = h.deployment.addressBook;
    const feeds = book.underlyings.map(({ feed }) => MockV3Aggregator__factory.connect(feed, h.bob));
    const refresh = async () => {
      for (const feed of feeds) await feed.updateAnswer(await feed.latestAnswer());
    };
    const bring = async (who: HardhatEthersSigner) => {
      await h.usdc.mint(who, 100_000_000_000n);
      await h.usdc.connect(who).approve(h.vault, 100_000_000_000n);
      await h.clearingHouse.connect(who).deposit(accountId(who.address), h.usdc, 100_000_000_000n);
    };
    await bring(h.alice);
    await bring(h.bob);
    await h.networkHelpers.time.increase(30 * DAY); // what came in makes room for what goes out no longer
    await refresh();
    const ch = h.clearingHouse;
    const exchange = await h.ethers.getImpersonatedSigner(book.contracts.exchange);
    await h.networkHelpers.setBalance(exchange.address, 10n ** 18n);
    const [alice, bob] = [accountId(h.alice.address), accountId(h.bob.address)];
    const fill = (size: bigint) => [{ maker: bob, taker: alice, market: 0n, size, price: parseWad("2000"), flags: 0n }];
    await ch.connect(exchange).trade(fill(parseWad("10")));
    // The worst that those who can do something at once can do: a pause, and a limit on outflow that holds nearly everything up.
    await h.riskSteward.tightenOutflow(h.usdc, await halfOf(h));
    await ch.connect(h.guardian).pauseNewRisk();

    const engine = await schedule(h, ch, "setRiskEngine", [h.names.governor]);
    await ch.connect(exchange).trade(fill(-parseWad("10"))); // both close, for a pause stops no reduction
    const early = ch.connect(h.alice).withdraw(alice, h.usdc, 12_500_000_001n, h.alice); // of 100,000 a half, and of that a quarter
    await expect(early).to.be.revertedWithCustomError(ch, "OutflowLimited");
    for (const who of [h.alice, h.bob]) await ch.connect(who).requestExit(accountId(who.address));
    await h.networkHelpers.time.increase(DAY);
    await refresh();
    for (const who of [h.alice, h.bob]) {
      await ch.connect(who).withdraw(accountId(who.address), h.usdc, 2n ** 256n - 1n, who);
      expect(await h.usdc.balanceOf(who)).to.be.greaterThan(99_900_000_000n);
    }
    await expect(engine.execute()).to.be.revertedWithCustomError(h.authority, "AccessManagerNotReady");
    await h.networkHelpers.time.increase(6 * DAY);
    await engine.execute();
    expect(await ch.riskEngine()).to.equal(h.names.governor);
  });
});

/** Half of what may leave, as the steward may make it. */
async function halfOf({ clearingHouse, usdc }: Governed): Promise<bigint> {
  return (await clearingHouse.outflow(usdc)).cap / 10n ** 18n / 2n;
}

describe("governance: deployment", () => {
  const deploymentId = `governance-${process.pid}`;
  const journal = path.join(hre.config.paths.ignition, "deployments", deploymentId);
  const folder = mkdtempSync(path.join(tmpdir(), "plimsoll-"));
  const options = { deploymentId, addressBook: path.join(folder, "addresses.json") };
  let anvil: Anvil;

  before(async () => {
    anvil = await startAnvil();
  });
  after(async () => {
    await anvil.stop();
    rmSync(journal, { recursive: true, force: true });
    rmSync(folder, { recursive: true });
  });

  it("MM-5 hands over no house whose feed the deployer owns; then a run sends nothing, and a change is handed to governance", async () => {
    const connection = await network.create({ network: "localhost", override: { url: anvil.url } });
    const [deployer, governor, guardian, steward] = await connection.ethers.getSigners();
    const names = { governor: governor!.address, guardian: guardian!.address, steward: steward!.address };
    const { aggregator } = await connection.ignition.deploy(PushedFeed, {
      deploymentId: `${deploymentId}-feed`,
      parameters: { PushedFeed: { oracles: [deployer!.address], pair: "ETH / USD" } },
    });
    rmSync(`${journal}-feed`, { recursive: true, force: true });
    const feed = FluxAggregator__factory.connect(await aggregator.getAddress(), deployer);
    await feed.submit(1, 2_000n * 10n ** 8n);
    const [eth, ...others] = local.underlyings;
    const pushed = { ...eth, feed: { ...eth?.feed, aggregator: { address: feed.target as string } } };
    const config = { ...local, underlyings: [pushed, ...others], governance: { ...names, delays: DELAYS } };
    const run = (more: object = {}) => deployPlimsoll(connection, resolveNetwork({ ...config, ...more }), options);

    const refusal = await rejects(run(), DeployerOwnsFeed);
    expect((refusal as DeployerOwnsFeed).feeds).to.deep.equal(["ETH_USD"]);
    await feed.transferOwnership(names.governor);
    await feed.connect(governor).acceptOwnership();
    const { addressBook, changes } = await run(); // goes on where it stopped
    expect(changes).to.deep.equal([]);
    const authority = AccessManager__factory.connect(addressBook.contracts.accessManager, governor);
    expect((await authority.hasRole(0n, deployer!))[0]).to.equal(false);
    await expect(feed.changeOracles([], [], [], 0, 0, 0)).to.be.revert(connection.ethers);
    expect((await run()).transactions).to.equal(0);

    const markets = [{ ...local.markets[0], takerFee: "0.06%" }, ...local.markets.slice(1)];
    const wanted = { markets, lending: { ...local.lending, kink: "85%" } };
    const error = (await rejects(run(wanted), NoAdmin)) as NoAdmin;
    // The script writes them down and says what to do with them.
    const [parameters, left] = ["network.ts", "operations.json"].map((name) => path.join(folder, name));
    writeFileSync(parameters!, `export default ${JSON.stringify({ ...config, ...wanted })};`);
    const script = path.join(import.meta.dirname, "../../deploy/deploy.ts");
    const args = ["--url", anvil.url, "--deployment-id", deploymentId, "--address-book", options.addressBook];
    const told = await promisify(execFile)(process.execPath, [
      "--import",
      "tsx",
      script,
      ...args,
      "--parameters",
      parameters!,
      "--operations",
      left!,
    ]).catch((e: unknown) => e as { code: number; stderr: string });
    expect(told).to.include({ code: 1 });
    expect(told.stderr).to.include(`schedule them with plimsoll governance propose ${left!}`);
    expect(JSON.parse(readFileSync(left!, "utf8"))).to.deep.equal(error.operations);
    expect(error.changes).to.deep.equal(["lending", "ETH-PERP market"]);
    for (const { target, data } of error.operations) await authority.schedule(target, data, 0);
    await connection.provider.request({ method: "evm_increaseTime", params: [2 * DAY] });
    await feed.submit(2, 2_000n * 10n ** 8n);
    for (const { target, data } of error.operations) await (await authority.execute(target, data)).wait();
    const done = await run(wanted);
    expect([done.transactions, done.changes]).to.deep.equal([0, []]);
  });
});

describe("governance: configuration", () => {
  it("MM-5 docs/governance.md shows the table of roles as it is", () => {
    const text = readFileSync(path.join(import.meta.dirname, "../../docs/governance.md"), "utf8");
    expect(text).to.include(`\n${rolesTable()}\n`);
  });

  const governance = {
    governor: "0x00000000000000000000000000000000000000a1",
    guardian: "0x00000000000000000000000000000000000000a2",
    steward: "0x00000000000000000000000000000000000000A3",
    delays: DELAYS,
  };
  const refused = (config: object, message: string) => {
    expect(() => resolveNetwork(config)).to.throw(InvalidNetworkConfig, message);
  };

  it("MM-5 refuses delays that are too short on a real network, and says what to write", () => {
    for (const name of ["parameters", "wiring", "admin"] as const) {
      const delays = { parameters: "2d", wiring: "2d", admin: "2d", [name]: "47h" };
      const message = `governance.delays.${name}: give at least 2d on a real network`;
      refused({ ...example, governance: { ...governance, delays } }, message);
    }
    expect(resolveNetwork({ ...example, governance }).governance?.delays).to.deep.equal({
      ...{ parameters: 172_800n, wiring: 604_800n, admin: 691_200n },
    });
    const short = { parameters: "1s", wiring: "1s", admin: "1s" };
    resolveNetwork({ ...local, governance: { ...governance, delays: short } }); // a local chain waits as it likes
  });

  it("MM-5 refuses hands that are one hand, delays in the wrong order, and an administrator of a real network", async () => {
    const same = { ...governance, guardian: governance.governor };
    refused({ ...local, governance: same }, "name three different addresses");
    const delays = { parameters: "3d", wiring: "2d", admin: "8d" };
    refused({ ...local, governance: { ...governance, delays } }, "let parameters wait no longer than wiring");
    refused({ ...example, admin: governance.governor }, "give governance instead");
    refused({ ...local, admin: governance.governor, governance }, "give governance instead");
    const real = await network.create({ network: "default", override: { chainId: 1 } });
    await rejects(deployPlimsoll(real, resolveNetwork(example)), NoGovernance);
  });
});

async function rejects(promise: Promise<unknown>, type: abstract new (...args: never[]) => Error): Promise<unknown> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(type);
  return outcome;
}
