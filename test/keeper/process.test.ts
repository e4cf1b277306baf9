import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";
import { Wallet } from "ethers";
import hre, { network } from "hardhat";

import { resolveNetwork } from "../../deploy/config.ts";
import local from "../../deploy/networks/local.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import type { AddressBook } from "../../src/sdk/addressBook.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { freePort, setAnswer, startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { until } from "../helpers/until.ts";

const SCRIPT = path.join(import.meta.dirname, "../../scripts/keeper.ts");
const DEPLOYMENT = `chain-31337-keeper-${process.pid}`;
const JOURNAL = path.join(hre.config.paths.ignition, "deployments", DEPLOYMENT);

describe("keeper as a process", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "keeper-"));
  const file = path.join(folder, "book.json");
  const database = path.join(folder, "keeper.sqlite");
  let anvil: Anvil;
  let book: AddressBook;
  let children: ChildProcess[] = [];

  beforeEach(async () => {
    anvil = await startAnvil();
    const connection = await network.create({ network: "localhost", override: { url: anvil.url } });
    const options = { addressBook: file, deploymentId: DEPLOYMENT };
    book = (await deployPlimsoll(connection, resolveNetwork(local), options)).addressBook;
    await connection.close();
  });

  afterEach(async () => {
    for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
    children = [];
    await anvil.stop();
    rmSync(JOURNAL, { recursive: true, force: true });
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** A new trader or keeper with ether, and `cash` USDC in his main account. */
  async function actor(cash: string): Promise<{ wallet: Wallet; house: Plimsoll; account: bigint }> {
    const wallet = new Wallet(Wallet.createRandom().privateKey, anvil.provider);
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x56bc75e2d63100000"]);
    await (await MockERC20__factory.connect(book.cash.token, wallet).mint(wallet.address, 10n ** 13n)).wait();
    const house = await Plimsoll.connect(book, wallet);
    const account = accountId(wallet.address);
    await house.deposit(account, "USDC", cash);
    return { wallet, house, account };
  }

  /** Starts the script; `output` grows as it writes. */
  function start(key: string, env: Record<string, string> = {}) {
    const child = spawn(process.execPath, ["--import", "tsx", SCRIPT, "--rpc-url", anvil.url, "--address-book", file], {
      env: { ...process.env, PRIVATE_KEY: key, POLL_INTERVAL: "50", DATABASE: database, ...env },
    });
    children.push(child);
    const run = { output: "", exited: new Promise<number | null>((resolve) => child.once("exit", resolve)), child };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (run.output += chunk.toString()));
    }
    return run;
  }

  it("MAM-6 MMS-6 LIQ-5 liquidates in the next block, restarts without loss, measures, and ends when it is told to", async () => {
    const alice = await actor("100000");
    const bob = await actor("1100");
    const keeper = await actor("100000");
    const terms = { market: 0, limitPrice: "2000", nonce: 1n };
    const orders = [
      await alice.house.order({ ...terms, account: alice.account, size: "-10", resting: true }),
      await bob.house.order({ ...terms, account: bob.account, size: "10" }),
    ];
    await alice.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    const port = await freePort();

    const first = start(keeper.wallet.privateKey);
    await until(() => first.output.includes('"started"'));
    first.child.kill("SIGKILL");
    await first.exited;

    const second = start(keeper.wallet.privateKey, { PORT: String(port) });
    await until(() => second.output.includes('"started"'));
    // E = 1,100 − 10 fee − 550 = 540 is below MM = 583.65 at 1,945.
    const drop = await setAnswer(anvil, book.underlyings[0]!.feed, 1945n * 10n ** 8n);
    const { Liquidated } = bob.house.clearingHouse.filters;
    await until(async () => (await bob.house.clearingHouse.queryFilter(Liquidated())).length === 1);
    const [event] = await bob.house.clearingHouse.queryFilter(Liquidated());
    expect(event!.blockNumber).to.equal(drop!.blockNumber + 1);
    expect(event!.args.taker).to.equal(keeper.account);

    await until(() => /"action":"take".*"result":"done"/.test(second.output));
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(text).to.match(/plimsoll_keeper_actions_total\{action="take",result="done"\} 1/);
    const why = await (await fetch(`http://127.0.0.1:${port}/why/0x${bob.account.toString(16)}`)).json();
    expect(why).to.have.nested.property("decision.action", "take");
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).to.equal(200);
    second.child.kill("SIGTERM");
    expect(await second.exited).to.equal(0);
    expect(second.output).to.include('"stopped"');
    expect(second.output).to.not.include(keeper.wallet.privateKey.slice(2));
  });

  it("says that its port is taken and ends", async () => {
    const { wallet } = await actor("1000");
    const port = new URL(anvil.url).port;
    const run = start(wallet.privateKey, { PORT: port });
    expect(await run.exited).to.equal(1);
    expect(run.output).to.include(`PORT: cannot listen on 127.0.0.1:${port}`).and.include("give a free port");
    expect(run.output).to.not.include("    at "); // no stack
  });

  it("says what is missing and ends", async () => {
    const run = start("");
    expect(await run.exited).to.equal(1);
    expect(run.output).to.include("PRIVATE_KEY: set it, or KEYSTORE, or SIGNER_URL");
  });
});
