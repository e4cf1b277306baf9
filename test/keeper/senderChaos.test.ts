import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { getBytes, toBeHex, Wallet } from "ethers";

import { Endpoints } from "../../src/keeper/endpoints.ts";
import { Sender } from "../../src/keeper/sender.ts";
import { LocalSigner } from "../../src/keeper/signer.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { MockERC20__factory } from "../../types/index.ts";
import type { MockERC20 } from "../../types/index.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { startFaultyProxy } from "./faultyProxy.ts";
import type { Asked, Fault } from "./faultyProxy.ts";
import { holder, mint } from "./mint.ts";

const SCRIPT = path.join(import.meta.dirname, "sendingProcess.ts");
const KILLS = Number(process.env.SENDER_KILLS ?? 10);
const PER_KILL = 25; // mints: four at once take some 100 ms
const CHAOS = Number(process.env.SENDER_CHAOS ?? 40); // mints through faulty ways
const LANES = 8; // mints at once through faulty ways
const GWEI = 10n ** 9n;

describe("sender among failures", function () {
  this.timeout(120_000 + KILLS * 20_000 + CHAOS * 2000);
  const folder = mkdtempSync(path.join(tmpdir(), "sender-"));
  let anvil: Anvil;
  let wallet: Wallet;
  let token: MockERC20;
  let mining: boolean;
  let miner: Promise<void>;

  before(async () => {
    anvil = await startAnvil();
    token = await new MockERC20__factory(await anvil.provider.getSigner(0)).deploy("Token", "TKN", 18);
    await token.waitForDeployment();
    await anvil.provider.send("evm_setAutomine", [false]);
  });
  after(async () => {
    await anvil.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    wallet = new Wallet(Wallet.createRandom().privateKey, anvil.provider);
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x3635c9adc5dea00000"]);
    mining = true;
    miner = mineAtRandom();
  });
  afterEach(async () => {
    mining = false;
    await miner;
  });

  /** Blocks at random times; now and then one is reorganised, or everything that waits is forgotten. */
  async function mineAtRandom(): Promise<void> {
    while (mining) {
      await sleep(20 + Math.random() * 80);
      const dice = Math.random();
      if (dice < 0.05) await anvil.provider.send("anvil_dropAllTransactions", []);
      if (dice > 0.97) await anvil.provider.send("anvil_reorg", [1, []]);
      else await anvil.provider.send("evm_mine", []);
    }
  }

  async function expectEachOnce(numbers: readonly number[]): Promise<void> {
    const balances = await Promise.all(numbers.map((number) => token.balanceOf(holder(number))));
    expect(balances.map(String)).to.deep.equal(numbers.map(() => "1"));
  }

  /** [wei] What the wallet has spent since it was made: it sends no ether. */
  async function spent(): Promise<bigint> {
    return 1000n * 10n ** 18n - (await anvil.provider.getBalance(wallet.address));
  }

  it(`LIQ-5 does every purpose once although it is killed ${KILLS} times`, async () => {
    const file = path.join(folder, "killed.sqlite");
    const first = 1_000_000;
    const count = KILLS * PER_KILL;
    const run = (milliseconds: number) => {
      const args = [anvil.url, file, token.target as string, String(first), String(count)];
      const child = spawn(process.execPath, ["--import", "tsx", SCRIPT, ...args], {
        env: { ...process.env, PRIVATE_KEY: wallet.privateKey },
        stdio: ["ignore", "pipe", "inherit"],
      });
      return new Promise<string>((resolve) => {
        let output = "";
        child.stdout.on("data", (chunk: Buffer) => {
          if (output === "") setTimeout(() => child.kill("SIGKILL"), milliseconds); // from when it has started
          output += chunk.toString();
        });
        child.once("exit", () => {
          resolve(output);
        });
      });
    };
    for (let kill = 0; kill < KILLS; ++kill) expect(await run(Math.random() * 400)).to.not.include("finished");
    expect(await run(100_000)).to.include("finished");
    const sender = await Sender.open({
      ...{ provider: anvil.provider, signer: new LocalSigner(getBytes(wallet.privateKey)) },
      database: new SqliteDatabase(file),
      policy: { confirmTimeout: 10_000, pollInterval: 20, replaceAfter: 3, maxGasPrice: 10n ** 13n, confirmations: 3 },
    });
    for (let tries = 0; tries < 400 && sender.unsettled.length > 0; ++tries) {
      await sender.look();
      await sleep(25);
    }
    expect(sender.unsettled).to.deep.equal([]);
    await expectEachOnce(Array.from({ length: count }, (_, i) => first + i));
  });

  it("LIQ-5 does every purpose once, and keeps to its limit, over ways that drop, delay, refuse, forget and lie", async () => {
    const proxies = await Promise.all([1, 2, 3].map(() => startFaultyProxy(anvil.url)));
    const fault = ({ method }: Asked): Fault | undefined => {
      const dice = Math.random();
      if (dice < 0.03) return { drop: "request" };
      if (dice < 0.06) return { drop: "answer" };
      if (dice < 0.08) return { status: 500 };
      if (dice < 0.09) return { status: 429, headers: { "retry-after": "0" } };
      if (dice < 0.2) return { delay: Math.random() * 200 }; // so that later ones overtake it
      if (dice < 0.23 && ["eth_getTransactionByHash", "eth_call"].includes(method))
        return { error: { code: -32000, message: "header not found" } };
      return undefined;
    };
    const liar = (asked: Asked): Fault | undefined =>
      asked.method === "eth_blockNumber" && Math.random() < 0.1 ? { result: toBeHex(10 ** 9) } : fault(asked);
    proxies.forEach((proxy, i) => (proxy.fault = i === 0 ? liar : fault));
    const urls = proxies.map(({ url }) => url);
    const provider = new Endpoints({ urls, chainId: 31337, timeout: 1000, checkInterval: 50 });
    const hourlyLimit = BigInt(CHAOS) * 60_000n * 3n * GWEI;
    const sender = await Sender.open({
      ...{ provider, signer: new LocalSigner(getBytes(wallet.privateKey)) },
      database: new SqliteDatabase(path.join(folder, "chaos.sqlite")),
      policy: {
        ...{ confirmTimeout: 3000, pollInterval: 20, replaceAfter: 3, maxGasPrice: 1000n * GWEI, confirmations: 3 },
        hourlyLimit,
      },
    });
    const numbers = Array.from({ length: CHAOS }, (_, i) => 2_000_000 + i);
    const until = Date.now() + CHAOS * 1500;
    const persist = async (number: number) => {
      for (let result = ""; result !== "done" && Date.now() < until;) {
        const terms = { purpose: `mint:${number}` };
        result = await sender.attempt(mint(token.target as string, number), terms).then(
          (outcome) => outcome.result,
          () => "thrown",
        );
        expect((await spent()) <= hourlyLimit).to.equal(true);
        await sleep(50);
      }
    };
    const work = Array.from({ length: LANES }, async (_, lane) => {
      for (const number of numbers.filter((one) => one % LANES === lane)) await persist(number);
    });
    await Promise.all(work);
    for (let tries = 0; tries < 400 && sender.unsettled.length > 0; ++tries) {
      await sender.look().catch(() => undefined);
      await sleep(25);
    }
    expect(sender.unsettled).to.deep.equal([]);
    await expectEachOnce(numbers);
    const [mined, pending] = await Promise.all(
      ["latest", "pending"].map((tag) => anvil.provider.getTransactionCount(wallet.address, tag)),
    );
    expect(pending).to.equal(mined); // no nonce is stuck
    provider.destroy();
    for (const proxy of proxies) await proxy.stop();
  });
});
