import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { ZeroAddress } from "ethers";
import hre, { network } from "hardhat";

import { resolveNetwork } from "../../deploy/config.ts";
import { ChainMismatch, MocksOnRealNetwork, NoAdmin } from "../../deploy/errors.ts";
import example from "../../deploy/networks/example.ts";
import local from "../../deploy/networks/local.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import { InvalidAddressBook } from "../../src/sdk/addressBook.ts";
import { loadAddressBook } from "../../src/sdk/node.ts";
import {
  AccessManager__factory,
  AccountUpkeep__factory,
  HouseUpkeep__factory,
  IClearingHouse__factory,
  PriceOracle__factory,
  RiskEngine__factory,
} from "../../types/index.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";

describe("deployment to a running anvil", () => {
  const deploymentId = `test-${process.pid}`;
  const journal = path.join(hre.config.paths.ignition, "deployments", deploymentId);
  const folder = mkdtempSync(path.join(tmpdir(), "plimsoll-"));
  const options = { deploymentId, addressBook: path.join(folder, "addresses.json") };
  const parameters = resolveNetwork(local);
  let anvil: Anvil;

  const connect = () => network.create({ network: "localhost", override: { url: anvil.url } });

  /** Addresses in the journal by the names that the modules give them; none while they are being written. */
  function recorded(): Record<string, string> {
    const file = path.join(journal, "deployed_addresses.json");
    const text = existsSync(file) ? readFileSync(file, "utf8").trimEnd() : "";
    return text.endsWith("}") ? (JSON.parse(text) as Record<string, string>) : {};
  }

  beforeEach(async () => {
    anvil = await startAnvil();
  });
  afterEach(async () => {
    await anvil.stop();
    rmSync(journal, { recursive: true, force: true });
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("writes the address book; a second run sends nothing and changes nothing", async () => {
    const first = await deployPlimsoll(await connect(), parameters, options);
    const written = readFileSync(options.addressBook, "utf8");
    const block = await anvil.provider.getBlockNumber();
    expect(loadAddressBook(options.addressBook)).to.deep.equal(first.addressBook);
    expect(first.transactions).to.be.greaterThan(20);

    const second = await deployPlimsoll(await connect(), parameters, options);
    expect(second.transactions).to.equal(0);
    expect(second.changes).to.deep.equal([]);
    expect(await anvil.provider.getBlockNumber()).to.equal(block);
    expect(readFileSync(options.addressBook, "utf8")).to.equal(written);
  });

  it("sends exactly the parameters that were changed", async () => {
    const { addressBook } = await deployPlimsoll(await connect(), parameters, options);
    const markets = [{ ...local.markets[0], takerFee: "0.06%" }, ...local.markets.slice(1)];
    const changed = await deployPlimsoll(await connect(), resolveNetwork({ ...local, markets }), options);
    expect(changed.changes).to.deep.equal(["ETH-PERP market"]);
    expect(changed.transactions).to.equal(1);
    const ledger = IClearingHouse__factory.connect(addressBook.contracts.clearingHouse, anvil.provider);
    expect((await ledger.market(0))[0].takerFee).to.equal(600n);
  });

  it("sets, changes and removes what is optional, and knows a sequencer for ever", async () => {
    const connection = await connect();
    const [eth, ...others] = local.underlyings;
    const [weth, ...rest] = local.collaterals;
    const secondSource = { aggregator: { mockPrice: "2010" }, heartbeat: "24h", maxDeviation: "2%" };
    const more = {
      ...local,
      sequencer: { feed: "0x00000000000000000000000000000000000000A1", gracePeriod: "1h" },
      underlyings: [{ ...eth, secondSource }, ...others],
    };
    // A sequencer whose feed nobody answers is down: without a price nothing can be listed.
    await rejects(deployPlimsoll(connection, resolveNetwork(more), options), Error);
    rmSync(journal, { recursive: true });
    const two = { ...more, sequencer: undefined };
    const { addressBook } = await deployPlimsoll(connection, resolveNetwork(two), options);
    const oracle = PriceOracle__factory.connect(addressBook.contracts.priceOracle, anvil.provider);
    expect((await oracle.secondSourceOf(0)).maxDeviation).to.equal(20_000n);
    expect((await oracle.lastGood(0)).snapshot & ((1n << 128n) - 1n)).to.equal(2_000n * 10n ** 18n);

    const lending = { ...local.lending, reserveFactor: "15%" };
    const changed = {
      ...two,
      lending,
      underlyings: [{ ...eth, regime: undefined }, ...others],
      collaterals: [{ ...weth, cap: "5000" }, ...rest],
    };
    const update = await deployPlimsoll(connection, resolveNetwork(changed), options);
    expect(update.changes).to.deep.equal(["lending", "ETH second source", "ETH regime", "WETH collateral"]);
    expect((await oracle.secondSourceOf(0)).heartbeat).to.equal(0n);
    expect((await oracle.regimeOf(0)).referenceVolatility).to.equal(0n);
    const again = await deployPlimsoll(connection, resolveNetwork(changed), options);
    expect(again.changes).to.deep.equal([]);
  });

  it("FSA-6 adds contracts for Chainlink Automation to a house that is there, once", async () => {
    const { addressBook, automation: none } = await deployPlimsoll(await connect(), parameters, options);
    expect(none).to.equal(undefined);
    const automation = {
      ...{ observeInterval: "1h", accrueInterval: "2h", sweepThreshold: "100" },
      ...{ callInterval: "30m", settleThreshold: "10", beneficiary: addressBook.contracts.insuranceFund },
    };
    const more = resolveNetwork({ ...local, automation });
    const added = await deployPlimsoll(await connect(), more, options);
    expect([added.transactions, added.changes]).to.deep.equal([2, []]);
    expect(added.addressBook).to.deep.equal(addressBook);
    const house = HouseUpkeep__factory.connect(added.automation!.houseUpkeep, anvil.provider);
    const accounts = AccountUpkeep__factory.connect(added.automation!.accountUpkeep, anvil.provider);
    const { clearingHouse } = addressBook.contracts;
    expect([await house.clearingHouse(), await accounts.clearingHouse()]).to.deep.equal([clearingHouse, clearingHouse]);
    expect([await house.observeInterval(), await house.accrueInterval()]).to.deep.equal([3_600n, 7_200n]);
    expect([await accounts.callInterval(), await accounts.beneficiary()]).to.deep.equal([
      1_800n,
      automation.beneficiary,
    ]);
    expect(await house.sweepThreshold()).to.equal(100n * 10n ** 18n);
    expect(await accounts.settleThreshold()).to.equal(10n * 10n ** 18n);
    const again = await deployPlimsoll(await connect(), more, options);
    expect([again.transactions, again.automation]).to.deep.equal([0, added.automation]);
  });

  it("names the changes that only the admin can make", async () => {
    const admin = "0x00000000000000000000000000000000000000A1";
    await deployPlimsoll(await connect(), resolveNetwork({ ...local, admin }), options);
    const collaterals = local.collaterals.map((c) => ({ ...c, haircut: "8%" }));
    const changed = resolveNetwork({ ...local, admin, collaterals });
    const error = await rejects(deployPlimsoll(await connect(), changed, options), NoAdmin);
    expect(error).to.deep.include({ changes: ["WETH risk", "WBTC risk", "wstETH risk", "USDT risk"] });
  });

  it("starts afresh where the chain was started anew", async () => {
    await deployPlimsoll(await connect(), parameters, options);
    await anvil.stop();
    anvil = await startAnvil();
    const { addressBook, transactions } = await deployPlimsoll(await connect(), parameters, options);
    expect(transactions).to.be.greaterThan(20);
    expect(await anvil.provider.getCode(addressBook.contracts.clearingHouse)).to.not.equal("0x");
  });

  it("resumes after it was killed between two parameters", async () => {
    const script = path.join(import.meta.dirname, "../../deploy/deploy.ts");
    const args = ["--url", anvil.url, "--deployment-id", deploymentId, "--address-book", options.addressBook];
    const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: "ignore" });
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const hasTreasury = async () => {
      const clearingHouse = recorded()["Plimsoll#ClearingHouse"];
      if (clearingHouse === undefined || (await anvil.provider.getCode(clearingHouse)) === "0x") return false;
      return (await IClearingHouse__factory.connect(clearingHouse, anvil.provider).treasury()) !== ZeroAddress;
    };
    while (!(await hasTreasury()) && child.exitCode === null) await sleep(5); // one of the first parameters
    child.kill("SIGKILL");
    await gone;
    expect(child.exitCode).to.equal(null);
    const before = recorded();

    const { addressBook } = await deployPlimsoll(await connect(), parameters, options);
    expect(recorded()).to.deep.equal(before); // nothing is deployed twice
    expect(
      await RiskEngine__factory.connect(addressBook.contracts.riskEngine, anvil.provider).collateralRisk(1),
    ).to.include(70_000n);
  });
});

describe("deployment in-process", () => {
  it("hands over to the admin, after which only he can change parameters", async () => {
    const connection = await network.create();
    const [deployer, admin] = await connection.ethers.getSigners();
    const parameters = resolveNetwork({ ...local, admin: admin?.address, treasury: admin?.address });
    const { addressBook } = await deployPlimsoll(connection, parameters);
    const authority = AccessManager__factory.connect(addressBook.contracts.accessManager, deployer);
    expect((await authority.hasRole(0, admin!))[0]).to.equal(true);
    expect((await authority.hasRole(0, deployer!))[0]).to.equal(false);
    const ledger = IClearingHouse__factory.connect(addressBook.contracts.clearingHouse, deployer);
    expect(await ledger.treasury()).to.equal(admin?.address);
  });

  it("refuses parameters of another chain, and mocks on a real one", async () => {
    const connection = await network.create();
    await rejects(deployPlimsoll(connection, resolveNetwork(example)), ChainMismatch);
    const real = await network.create({ network: "default", override: { chainId: 10 } });
    await rejects(deployPlimsoll(real, resolveNetwork({ ...local, chainId: 10 })), MocksOnRealNetwork);
  });
});

describe("address book", () => {
  it("that is missing is refused by file", () => {
    expect(() => loadAddressBook("/nowhere.json")).to.throw(InvalidAddressBook, "/nowhere.json");
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
