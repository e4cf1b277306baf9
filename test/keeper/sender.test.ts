import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { concat, getBytes, JsonRpcProvider, keccak256, toBeHex, Transaction, Wallet, zeroPadValue } from "ethers";

import { AdvisedBidding, NoBaseFee, OpStackGas, ShareBidding } from "../../src/keeper/fees.ts";
import type { Outcome } from "../../src/keeper/lane.ts";
import { Sender } from "../../src/keeper/sender.ts";
import type { SenderOptions, SenderPolicy } from "../../src/keeper/sender.ts";
import { LocalSigner } from "../../src/keeper/signer.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { MockERC20__factory } from "../../types/index.ts";
import type { MockERC20 } from "../../types/index.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { until } from "../helpers/until.ts";
import { startFaultyProxy } from "./faultyProxy.ts";
import type { FaultyProxy } from "./faultyProxy.ts";

const GWEI = 10n ** 9n;
const POLICY: SenderPolicy = {
  ...{ confirmTimeout: 20_000, pollInterval: 20, replaceAfter: 3, maxGasPrice: 10_000n * GWEI, confirmations: 3 },
};
const ORACLE = "0x420000000000000000000000000000000000000F";
const BLOCK_GAS = "0x1c9c380"; // 30,000,000
const MINT_GAS = 100_000n; // more than enough

interface Pending {
  hash: string;
  nonce: string;
  gas: string;
  to: string;
  maxFeePerGas: string;
  maxPriorityFeePerGas: string;
}

describe("sender on a chain whose mining is paused", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sender-"));
  let anvil: Anvil;
  let wallet: Wallet;
  let token: MockERC20;
  let databases: SqliteDatabase[];

  before(async () => {
    anvil = await startAnvil();
    const owner = await anvil.provider.getSigner(0);
    token = await new MockERC20__factory(owner).deploy("Token", "TKN", 18);
    await token.waitForDeployment();
    await anvil.provider.send("evm_setAutomine", [false]);
  });
  after(async () => {
    await anvil.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    databases = [];
    wallet = new Wallet(Wallet.createRandom().privateKey, anvil.provider);
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x3635c9adc5dea00000"]);
    await mine();
  });
  afterEach(async () => {
    for (const database of databases) await database.close();
    await anvil.provider.send("anvil_dropAllTransactions", []);
  });

  async function open(policy: Partial<SenderPolicy> = {}, options: Partial<SenderOptions> = {}): Promise<Sender> {
    const database = new SqliteDatabase(path.join(folder, `${wallet.address}.sqlite`));
    databases.push(database);
    const signer = new LocalSigner(getBytes(wallet.privateKey));
    return Sender.open({ provider: anvil.provider, signer, database, policy: { ...POLICY, ...policy }, ...options });
  }

  /** A call whose effect can be counted: one more token for an address of its own. */
  function mint(number: number) {
    const to = zeroPadValue(toBeHex(number), 20);
    const data = token.interface.encodeFunctionData("mint", [to, 1]);
    return { call: { target: token.target as string, data }, minted: () => token.balanceOf(to) };
  }
  let mints = Date.now();
  const next = () => mint(++mints);

  async function mine(blocks = 1): Promise<void> {
    for (let block = 0; block < blocks; ++block) await anvil.provider.send("evm_mine", []);
  }

  /** Mines blocks that somebody fills who offers a hundred times what a transaction does. */
  async function mineFull(blocks: number, { gas, maxFeePerGas }: Pending): Promise<void> {
    await anvil.provider.send("evm_setBlockGasLimit", [toBeHex(BigInt(gas) + 20_000n)]); // not enough for both
    const other = await anvil.provider.getSigner(0);
    // anvil orders by the highest fee, and advises what was paid: the sender shall not learn to outbid these
    const fees = { maxFeePerGas: 100n * BigInt(maxFeePerGas), maxPriorityFeePerGas: 1n, gasLimit: 21_000n };
    for (let block = 0; block < blocks; ++block) {
      await other.sendTransaction({ to: other.address, ...fees });
      await mine();
    }
    await anvil.provider.send("evm_setBlockGasLimit", [BLOCK_GAS]);
  }

  /** What waits in the pool, by nonce. */
  async function pool(): Promise<Pending[]> {
    const content = (await anvil.provider.send("txpool_content", [])) as Record<
      "pending" | "queued",
      Record<string, Record<string, Pending>>
    >;
    const own = Object.values(content).map((of) => of[wallet.address] ?? of[wallet.address.toLowerCase()] ?? {});
    return own.flatMap((byNonce) => Object.values(byNonce)).sort((a, b) => Number(a.nonce) - Number(b.nonce));
  }

  /** The pool once it holds what it shall. */
  async function waiting(holds: (pool: Pending[]) => boolean): Promise<Pending[]> {
    for (let tries = 0; tries < 200; ++tries) {
      const now = await pool();
      if (holds(now)) return now;
      await sleep(25);
    }
    return expect.fail(`the pool holds ${JSON.stringify(await pool())}`);
  }

  async function sent(last?: Pending): Promise<Pending> {
    const [first] = await waiting((of) => of[0] !== undefined && of[0].hash !== last?.hash);
    return first!;
  }

  it("LIQ-5 sends several calls at once, in the order of their nonces, and tells what each has cost", async () => {
    const sender = await open();
    const calls = [next(), next(), next(), next(), next()];
    const outcomes = Promise.all(calls.map(({ call }, i) => sender.attempt(call, { purpose: `mint:${i}` })));
    const waits = await waiting(({ length }) => length === 5);
    expect(waits.map(({ nonce }) => Number(nonce))).to.deep.equal([0, 1, 2, 3, 4]);
    await mine();
    for (const { result, hash, gasUsed, gasPrice, cost } of await outcomes) {
      expect(result).to.equal("done");
      const receipt = await anvil.provider.getTransactionReceipt(hash!);
      expect({ gasUsed, gasPrice }).to.deep.equal({ gasUsed: receipt!.gasUsed, gasPrice: receipt!.gasPrice });
      expect(cost).to.equal(receipt!.fee);
    }
    for (const { minted } of calls) expect(await minted()).to.equal(1n);
    expect(sender.spent("hour")).to.equal((await outcomes).reduce((sum, { cost }) => sum + cost!, 0n));
  });

  it("LIQ-5 leaves a call the room that it needs when the chain has moved on since its simulation", async () => {
    const sender = await open();
    for (const [gasRoom, result] of [
      [0n, "outcompeted"], // a quarter more than the simulation is not enough: a balance that begins costs 17,100 more of 34,000
      [20_000n, "done"],
    ] as const) {
      const { call } = next();
      const holder = toBeHex(mints, 32);
      const balance = keccak256(concat([holder, toBeHex(0, 32)]));
      await anvil.provider.send("anvil_setStorageAt", [call.target, balance, toBeHex(1, 32)]);
      await mine();
      const outcome = sender.attempt(call, { purpose: `moved:${mints}`, gasRoom });
      await waiting(({ length }) => length === 1);
      await anvil.provider.send("anvil_setStorageAt", [call.target, balance, toBeHex(0, 32)]);
      await mine();
      expect((await outcome).result).to.equal(result);
    }
  });

  it("LIQ-5 replaces a stuck transaction by one that pays an eighth more, after as many blocks as it was told to", async () => {
    const sender = await open();
    const outcome = sender.attempt(next().call, { purpose: "stuck" });
    const first = await sent();
    await mineFull(2, first);
    await sleep(300);
    expect((await pool())[0]?.hash).to.equal(first.hash);
    await mineFull(2, first); // the sender may have seen the first of them before it began to count
    const second = await sent(first);
    expect(second.nonce).to.equal(first.nonce);
    for (const fee of ["maxFeePerGas", "maxPriorityFeePerGas"] as const) {
      expect(BigInt(second[fee]) * 1000n >= BigInt(first[fee]) * 1125n, fee).to.equal(true);
    }
    await mine();
    expect(await outcome).to.include({ result: "done", hash: second.hash });
  });

  it("LIQ-5 never offers more than its bound, gives up when time is up, and goes on with the next call", async () => {
    const { maxFeePerGas } = await anvil.provider.getFeeData();
    const maxGasPrice = (maxFeePerGas! * 11n) / 10n; // less than an eighth above the first offer
    const sender = await open({ maxGasPrice, confirmTimeout: 1000 });
    const one = next();
    const outcome = sender.attempt(one.call, { purpose: "late" });
    const first = await sent();
    await mineFull(4, first);
    expect(await outcome).to.deep.equal({ result: "dropped", reason: "not mined within 1000 ms" });
    expect((await pool()).map(({ hash }) => hash)).to.deep.equal([first.hash]);
    await mine();
    await sender.look();
    expect(await one.minted()).to.equal(1n); // it could neither be outbid nor cancelled
    const after = next();
    const second = sender.attempt(after.call, { purpose: "after" });
    await sent();
    await mine();
    expect((await second).result).to.equal("done");
  });

  it("LIQ-5 cancels what was not mined in time, so that no nonce is stuck, and tells of it", async () => {
    const sender = await open({ confirmTimeout: 400, replaceAfter: 100 });
    const one = next();
    expect((await sender.attempt(one.call, { purpose: "slow" })).result).to.equal("dropped");
    const [cancel] = await waiting((of) => of[0]?.to === wallet.address.toLowerCase());
    expect(Number(cancel!.nonce)).to.equal(0);
    await mine();
    await sender.look();
    expect(await one.minted()).to.equal(0n);
    expect(await anvil.provider.getTransactionCount(wallet.address)).to.equal(1);
    // A purpose that is known to have had no effect may be tried again.
    const again = sender.attempt(one.call, { purpose: "slow" });
    await sent();
    await mine();
    expect((await again).result).to.equal("done");
    expect(await one.minted()).to.equal(1n);
  });

  it("LIQ-5 tells when a call that was given up is mined after all", async () => {
    const changes: [string, Outcome | undefined][] = [];
    const onChange = (purpose: string, outcome: Outcome | undefined) => changes.push([purpose, outcome]);
    const { maxFeePerGas } = await anvil.provider.getFeeData();
    const sender = await open({ confirmTimeout: 200, maxGasPrice: maxFeePerGas! }, { onChange });
    expect((await sender.attempt(next().call, { purpose: "late" })).result).to.equal("dropped");
    const first = await sent();
    await mine();
    await sender.look();
    expect(changes.map(([purpose, outcome]) => [purpose, outcome?.result, outcome?.hash])).to.deep.equal([
      ["late", "done", first.hash],
    ]);
  });

  it("LIQ-6 cancels a call that somebody else has made pointless: the loser pays for a transfer to itself", async () => {
    const alice = await anvil.provider.getSigner(1);
    const theirs = token.connect(alice);
    await token.mint(alice.address, 1);
    await theirs.approve(wallet.address, 1);
    await mine();
    const sender = await open();
    const data = token.interface.encodeFunctionData("transferFrom", [alice.address, wallet.address, 1]);
    const outcome = sender.attempt({ target: token.target as string, data }, { purpose: "take" });
    const first = await sent();
    const high = { maxFeePerGas: 100n * BigInt(first.maxFeePerGas), maxPriorityFeePerGas: GWEI, gasLimit: 60_000n };
    await theirs.transfer(ORACLE, 1, high);
    await mineFull(1, first);
    const cancel = await sent(first);
    expect([cancel.nonce, cancel.to]).to.deep.equal([first.nonce, wallet.address.toLowerCase()]);
    await mine();
    const { result, reason, hash, gasUsed } = await outcome;
    expect({ result, hash, gasUsed }).to.deep.equal({ result: "outcompeted", hash: cancel.hash, gasUsed: 21_000n });
    expect(reason).to.match(/^ERC20InsufficientBalance\(/);
  });

  it("LIQ-6 calls a revert on the chain outcompeted, with what it has cost", async () => {
    const sender = await open();
    const data = token.interface.encodeFunctionData("transfer", [ORACLE, 1]); // it has none
    const outcome = sender.attempt({ target: token.target as string, data }, { purpose: "late", gasLimit: 60_000n });
    await sent();
    await mine();
    const { result, hash, cost } = await outcome;
    expect(result).to.equal("outcompeted");
    expect(cost).to.equal((await anvil.provider.getTransactionReceipt(hash!))!.fee);
  });

  it("LIQ-5 refuses what does not go through in the simulation, and sends nothing", async () => {
    const sender = await open();
    const data = token.interface.encodeFunctionData("transfer", [ORACLE, 1]);
    const { result, reason } = await sender.attempt({ target: token.target as string, data }, { purpose: "poor" });
    expect(result).to.equal("refused");
    expect(reason).to.match(/^ERC20InsufficientBalance\(/);
    expect(await pool()).to.deep.equal([]);
  });

  it("LIQ-5 takes a revert that gives no reason for one, before and after it has sent", async () => {
    const target = Wallet.createRandom().address;
    const become = (code: string) => anvil.provider.send("anvil_setCode", [target, code]);
    const sender = await open();
    await become("0x5f5ffd"); // PUSH0, PUSH0, REVERT
    const refused = await sender.attempt({ target, data: "0x" }, { purpose: "silent" });
    expect(refused.result).to.equal("refused");
    await become("0x00"); // STOP
    const outcome = sender.attempt({ target, data: "0x" }, { purpose: "silent" });
    const first = await sent();
    await become("0x5f5ffd");
    await mineFull(1, first);
    const cancel = await sent(first);
    await mine();
    expect(await outcome).to.include({ result: "outcompeted", hash: cancel.hash });
  });

  it("LIQ-5 broadcasts again what the node has forgotten", async () => {
    const sender = await open();
    const one = next();
    const outcome = sender.attempt(one.call, { purpose: "dropped" });
    const first = await sent();
    await anvil.provider.send("anvil_dropTransaction", [first.hash]);
    expect(await sent()).to.include({ hash: first.hash });
    await mine();
    expect(await outcome).to.include({ result: "done", hash: first.hash });
    expect(await one.minted()).to.equal(1n);
  });

  it("LIQ-5 notices that a reorganisation has taken a transaction back, and brings it in again", async () => {
    const changes: (Outcome["result"] | undefined)[] = [];
    const sender = await open({}, { onChange: (_, outcome) => changes.push(outcome?.result) });
    const one = next();
    const outcome = sender.attempt(one.call, { purpose: "twice" });
    await sent();
    await mine();
    expect((await outcome).result).to.equal("done");
    await anvil.provider.send("anvil_reorg", [1, []]);
    expect(await one.minted()).to.equal(0n);
    await sender.look();
    expect(changes).to.deep.equal([undefined]);
    await sender.look();
    await mine();
    await sender.look();
    expect(changes).to.deep.equal([undefined, "done"]);
    expect(await one.minted()).to.equal(1n);
    expect(sender.unsettled).to.deep.equal(["twice"]);
    await mine(2); // three confirmations with its own block
    await sender.look();
    expect(sender.unsettled).to.deep.equal([]);
  });

  /** A sender by a node that can be made to fail. */
  async function faulty(policy: Partial<SenderPolicy> = {}, options: Partial<SenderOptions> = {}) {
    const proxy = await startFaultyProxy(anvil.url);
    const provider = new JsonRpcProvider(proxy.url, 31337, { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1 });
    const close = async () => {
      provider.destroy();
      await proxy.stop();
    };
    return { proxy, sender: await open(policy, { provider, ...options }), close };
  }

  const BUSY = { error: { code: -32000, message: "busy" } };

  it("LIQ-5 notices a reorganisation although the look that came upon it has failed", async () => {
    const changes: (Outcome["result"] | undefined)[] = [];
    const onChange: SenderOptions["onChange"] = (_, outcome) => changes.push(outcome?.result);
    const { proxy, sender, close } = await faulty({ confirmations: 10 }, { onChange });
    const one = next();
    const outcome = sender.attempt(one.call, { purpose: "twice" });
    await sent();
    await mine();
    expect((await outcome).result).to.equal("done");
    await sender.look();
    await anvil.provider.send("anvil_reorg", [1, []]);
    proxy.fault = ({ method }) => (method === "eth_getTransactionCount" ? BUSY : undefined);
    expect(await sender.look().catch((thrown: unknown) => thrown)).to.be.instanceOf(Error);
    proxy.fault = () => undefined;
    await sender.look();
    expect(changes).to.deep.equal([undefined]);
    await sent();
    await mine();
    await sender.look();
    expect(changes).to.deep.equal([undefined, "done"]);
    expect(await one.minted()).to.equal(1n);
    await close();
  });

  it("LIQ-5 does not take a node that was once ahead with the count for a sign, blocks later, that somebody else has used a nonce", async () => {
    const { proxy, sender, close } = await faulty({ replaceAfter: 100 });
    const looks = async (fault: FaultyProxy["fault"]) => {
      proxy.fault = fault;
      for (let look = 0; look < 2; ++look) await sender.look(); // the first may have begun before
      proxy.fault = () => undefined;
    };
    const outcome = sender.attempt(next().call, { purpose: "late receipt" });
    const first = await sent();
    await looks(({ method }) => (method === "eth_getTransactionCount" ? { result: "0x1" } : undefined));
    await sender.look();
    await mineFull(4, first); // more than three confirmations
    proxy.fault = ({ method }) => (method === "eth_getTransactionReceipt" ? { result: null } : undefined);
    await mine();
    await looks(proxy.fault);
    expect(await outcome).to.include({ result: "done", hash: first.hash });
    await close();
  });

  it("LIQ-5 cancels what was given up although a limit that was lowered since is used up", async () => {
    const { proxy, sender, close } = await faulty({ confirmTimeout: 300, replaceAfter: 100 });
    const outcome = sender.attempt(next().call, { purpose: "dear", gasLimit: MINT_GAS });
    const first = await sent();
    proxy.fault = () => ({ drop: "request" });
    expect((await outcome).result).to.equal("dropped");
    await close();
    await open({ hourlyLimit: 1n });
    const cancel = await sent(first);
    expect([cancel.nonce, cancel.to]).to.deep.equal([first.nonce, wallet.address.toLowerCase()]);
  });

  it("LIQ-5 goes by the last advice on the priority fee while a node gives none", async () => {
    const { proxy, sender, close } = await faulty();
    proxy.fault = ({ method }) => (method === "eth_maxPriorityFeePerGas" ? { result: "0x5" } : undefined);
    await sleep(2100); // after which it asks anew
    await sender.look();
    await until(() => proxy.count("eth_maxPriorityFeePerGas") === 2);
    proxy.fault = ({ method }) => (method === "eth_maxPriorityFeePerGas" ? BUSY : undefined);
    await sleep(2100);
    await sender.look();
    await until(() => proxy.count("eth_maxPriorityFeePerGas") === 3);
    await sleep(50);
    const outcome = sender.attempt(next().call, { purpose: "advised", gasLimit: MINT_GAS });
    expect(BigInt((await sent()).maxPriorityFeePerGas)).to.equal(5n);
    await mine();
    await outcome;
    await close();
  });

  it("LIQ-5 gas that does not pay for one call lasts for no time, although nothing was spent", async () => {
    const sender = await open();
    await sender.look();
    await sleep(50); // the priority fee was asked for in the background
    const one = 1_000_000n * (await unitPrice());
    expect(sender.runway(one - 1n)).to.equal(0);
    expect(sender.runway(one)).to.equal(Infinity);
  });

  it("LIQ-5 brings back even what was final, if the chain forgets so much", async () => {
    const sender = await open({ confirmations: 1 });
    const [one, two] = [next(), next()];
    const outcomes = Promise.all([one, two].map(({ call }, i) => sender.attempt(call, { purpose: `deep:${i}` })));
    await waiting(({ length }) => length === 2);
    await mine();
    await outcomes;
    await sender.look();
    expect(sender.unsettled).to.deep.equal([]);
    await mine();
    await anvil.provider.send("anvil_reorg", [2, []]);
    await sender.look();
    expect(sender.unsettled).to.deep.equal(["deep:0", "deep:1"]);
    await waiting(({ length }) => length === 2);
    await mine();
    expect([await one.minted(), await two.minted()]).to.deep.equal([1n, 1n]);
  });

  it("LIQ-5 forgets what is final when it is a day old, and not before", async () => {
    const sender = await open({ confirmations: 2 });
    const spend = async (purpose: string) => {
      const outcome = sender.attempt(next().call, { purpose });
      await sent();
      await mine();
      expect((await outcome).result).to.equal("done");
    };
    const pass = async (seconds: number) => {
      await anvil.provider.send("evm_increaseTime", [seconds]);
      await mine();
      await sender.look();
      const rows = await databases[0]!.all("SELECT nonce FROM sender_lanes ORDER BY nonce");
      return rows.map(({ nonce }) => Number(nonce));
    };
    await spend("first");
    expect(await pass(80_000)).to.deep.equal([0]);
    await spend("second");
    expect(await pass(6000)).to.deep.equal([0, 1]); // 86,000 s after the first
    expect(await pass(1000)).to.deep.equal([1]); // 87,000 s after the first, 7000 s after the second
    expect(await pass(80_000)).to.deep.equal([]);
  });

  it("LIQ-5 does no purpose twice: not at once, not later, not after a restart", async () => {
    const sender = await open();
    const one = next();
    const both = [sender.attempt(one.call, { purpose: "once" }), sender.attempt(one.call, { purpose: "once" })];
    await sent();
    await mine();
    const [first, second] = await Promise.all(both);
    expect(second).to.deep.equal(first);
    expect(await sender.attempt(one.call, { purpose: "once" })).to.deep.equal(first);
    expect(await (await open()).attempt(one.call, { purpose: "once" })).to.deep.equal(first);
    expect(await one.minted()).to.equal(1n);
    expect(await anvil.provider.getTransactionCount(wallet.address, "pending")).to.equal(1);
  });

  it("LIQ-5 goes on after a restart with what was under way", async () => {
    const one = next();
    const before = await open({ confirmTimeout: 50, maxGasPrice: (await anvil.provider.getFeeData()).maxFeePerGas! });
    await before.attempt(one.call, { purpose: "kept" }); // given up, but it could not be cancelled
    const first = await sent();
    await anvil.provider.send("anvil_dropTransaction", [first.hash]);
    const after = await open();
    const outcome = after.attempt(one.call, { purpose: "kept" });
    const cancel = await sent();
    expect([Number(cancel.nonce), cancel.to]).to.deep.equal([0, wallet.address.toLowerCase()]);
    await mine();
    expect(await outcome).to.include({ result: "dropped", hash: cancel.hash });
    expect(await one.minted()).to.equal(0n);
  });

  it("LIQ-5 uses up nonces of which nothing is known", async () => {
    // Somebody who has forgotten about it has sent a transaction that pays too little.
    const fees = { maxFeePerGas: 2n * GWEI, maxPriorityFeePerGas: 1n };
    const lost = await wallet.sendTransaction({ to: ORACLE, ...fees, nonce: 0, gasLimit: 21_000n });
    const sender = await open({ confirmTimeout: 100, replaceAfter: 1 });
    const [first] = await pool();
    await sleep(150);
    for (let tries = 0; tries < 30 && (await pool())[0]?.hash === lost.hash; ++tries) {
      await mineFull(1, first!);
      await sender.look(); // what it was outbid with is not known: it offers more each time
    }
    const [cancel] = await pool();
    expect([Number(cancel!.nonce), cancel!.to]).to.deep.equal([0, wallet.address.toLowerCase()]);
    const two = next();
    const outcome = sender.attempt(two.call, { purpose: "behind", gasLimit: MINT_GAS });
    await waiting(({ length }) => length === 2);
    await mine();
    expect((await outcome).result).to.not.equal("failed");
    expect(await two.minted()).to.equal(1n);
  });

  it("LIQ-5 says that its nonce was used by somebody else, once that is beyond doubt", async () => {
    const sender = await open();
    const one = next();
    const outcome = sender.attempt(one.call, { purpose: "stolen" });
    const first = await sent();
    const fee = 10n * BigInt(first.maxFeePerGas);
    const fees = { maxFeePerGas: fee, maxPriorityFeePerGas: fee };
    await wallet.sendTransaction({ to: ORACLE, ...fees, nonce: 0, gasLimit: 21_000n });
    await mine();
    const early = await Promise.race([outcome, sleep(200)]);
    expect(early).to.equal(undefined);
    await mine(1);
    await sleep(100);
    await mine(3);
    expect(await outcome).to.deep.equal({
      result: "failed",
      reason: "somebody else has used its nonce: use the key for this keeper only",
    });
  });

  it("LIQ-5 fails where the node will not have a transaction, and works again once it does", async () => {
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x1"]);
    const sender = await open();
    const one = next();
    const outcome = await sender.attempt(one.call, { purpose: "broke", gasLimit: MINT_GAS });
    expect(outcome).to.deep.equal({ result: "failed", reason: "insufficient funds for intrinsic transaction cost" });
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x3635c9adc5dea00000"]);
    await mine();
    await sender.look();
    const two = next();
    const second = sender.attempt(two.call, { purpose: "rich" });
    await waiting(({ length }) => length === 2);
    await mine();
    expect((await second).result).to.equal("done");
    expect([await one.minted(), await two.minted()]).to.deep.equal([0n, 1n]);
  });

  it("LIQ-5 uses up no more than sixteen nonces while no node takes anything, and goes on once one does", async () => {
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x1"]);
    const sender = await open();
    const spend = (purpose: string) => sender.attempt(next().call, { purpose, gasLimit: MINT_GAS });
    for (let i = 0; i < 16; ++i) expect((await spend(`broke:${i}`)).result).to.equal("failed");
    expect(await spend("one more")).to.deep.equal({
      ...{
        result: "failed",
        reason: "no node takes what was sent before: insufficient funds for intrinsic transaction cost",
      },
    });
    expect(await databases[0]!.all("SELECT nonce FROM sender_lanes")).to.have.length(16);
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x3635c9adc5dea00000"]);
    await mine();
    await sender.look(); // brings in the cancellations
    const outcome = spend("rich");
    await waiting(({ length }) => length === 17);
    await mine();
    expect((await outcome).result).to.equal("done");
  });

  it("LIQ-5 keeps to its spending limits, by the hour and by the day, across restarts", async () => {
    const { maxFeePerGas } = await anvil.provider.getFeeData();
    const most = MINT_GAS * maxFeePerGas! * 2n; // fees move a little from block to block
    const limits = { hourlyLimit: most, dailyLimit: (most * 6n) / 5n };
    let sender = await open(limits);
    const spend = async (purpose: string): Promise<Outcome> => {
      const outcome = sender.attempt(next().call, { purpose, gasLimit: MINT_GAS * 2n - 60_000n });
      await Promise.race([outcome, sent()]);
      await mine();
      return outcome;
    };
    const raise = async (seconds: number) => {
      await anvil.provider.send("evm_increaseTime", [seconds]);
      await mine();
      await sender.look();
    };
    let declined: Outcome | undefined;
    let costs = 0n;
    for (let i = 0; declined === undefined && i < 50; ++i) {
      const outcome = await spend(`hour:${i}`);
      if (outcome.result === "declined") declined = outcome;
      else costs += outcome.cost!;
    }
    expect(declined).to.deep.equal({ result: "declined", reason: "over the spending limit of an hour" });
    expect(costs > 0n && costs <= most, String(costs)).to.equal(true);
    sender = await open(limits);
    expect(sender.spent("hour")).to.equal(costs);
    expect((await spend("restarted")).result).to.equal("declined");
    await raise(3601);
    expect(sender.spent("hour")).to.equal(0n);
    expect(sender.spent("day")).to.equal(costs);
    let daily: Outcome | undefined;
    for (let i = 0; daily === undefined && i < 50; ++i) {
      const outcome = await spend(`day:${i}`);
      if (outcome.result === "declined") daily = outcome;
      else costs += outcome.cost!;
    }
    expect(daily?.reason).to.equal("over the spending limit of a day");
    expect(costs <= limits.dailyLimit).to.equal(true);
    await raise(86_401);
    expect(sender.spent("day")).to.equal(0n);
    expect((await spend("tomorrow")).result).to.equal("done");
  });

  it("LIQ-5 commits what open transactions may cost, and outbids nobody beyond the limit", async () => {
    const { maxFeePerGas } = await anvil.provider.getFeeData();
    const sender = await open({ hourlyLimit: (MINT_GAS * maxFeePerGas! * 11n) / 10n, replaceAfter: 1 });
    const outcome = sender.attempt(next().call, { purpose: "first", gasLimit: MINT_GAS });
    const first = await sent();
    expect(sender.spent("hour")).to.equal(MINT_GAS * BigInt(first.maxFeePerGas));
    const second = await sender.attempt(next().call, { purpose: "second", gasLimit: MINT_GAS });
    expect(second).to.deep.equal({ result: "declined", reason: "over the spending limit of an hour" });
    await mineFull(3, first);
    await sleep(200);
    expect((await pool()).map(({ hash }) => hash)).to.deep.equal([first.hash]);
    await mine();
    expect((await outcome).result).to.equal("done");
  });

  /** [wei] The last base fee and the node's advice on the priority fee. */
  async function unitPrice(): Promise<bigint> {
    const block = await anvil.provider.getBlock("latest");
    return block!.baseFeePerGas! + BigInt((await anvil.provider.send("eth_maxPriorityFeePerGas", [])) as string);
  }

  it("LIQ-5 asks for no more than the last block of what it has sent, until that may be final", async () => {
    const proxy = await startFaultyProxy(anvil.url);
    const provider = new JsonRpcProvider(proxy.url, 31337, { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1 });
    const sender = await open({ confirmations: 4 }, { provider });
    const outcomes = ["one", "two"].map((purpose) => sender.attempt(next().call, { purpose, gasLimit: MINT_GAS }));
    await sent();
    await mine();
    for (const { result } of await Promise.all(outcomes)) expect(result).to.equal("done");
    await sender.look(); // now it has seen the block that they are in
    const blocksAsked = async () => {
      await mine();
      const before = proxy.count("eth_getBlockByNumber");
      await sender.look();
      return proxy.count("eth_getBlockByNumber") - before;
    };
    // Both are in one block: in its second and third nobody asks for it, in its fourth it is asked for once for each, then never again.
    const asked = [await blocksAsked(), await blocksAsked(), await blocksAsked(), await blocksAsked()];
    provider.destroy();
    await proxy.stop();
    expect(asked).to.deep.equal([1, 1, 3, 1]);
  });

  it("LIQ-5 declines what its caller finds too dear, what gas is too dear for, and what gas would eat up", async () => {
    const costs: bigint[] = [];
    const sender = await open();
    const accept = (cost: bigint) => costs.push(cost) === 0;
    const { result } = await sender.attempt(next().call, { purpose: "dear", gasLimit: MINT_GAS, accept });
    const gasPrice = await unitPrice();
    expect([result, costs]).to.deep.equal(["declined", [MINT_GAS * gasPrice]]);
    const bound = await open({ maxGasPrice: gasPrice - 1n });
    expect((await bound.attempt(next().call, { purpose: "bound" })).result).to.equal("declined");
    // A gain of 100,000 gas · price, of which gas may take 99 %, does not pay for 100,000 gas.
    const bidding = new AdvisedBidding((99n * 10n ** 18n) / 100n);
    const terms = { purpose: "eaten", gasLimit: MINT_GAS, expectedGain: MINT_GAS * gasPrice };
    expect((await (await open({}, { bidding })).attempt(next().call, terms)).result).to.equal("declined");
    expect(await pool()).to.deep.equal([]);
  });

  it("LIQ-5 bids a share of what a call brings, counts that as its cost, and for upkeep what the node advises", async () => {
    const bidding = new ShareBidding(10n ** 18n / 4n);
    const gasPrice = await unitPrice();
    const before = (await anvil.provider.getBlock("latest"))!.baseFeePerGas!;
    const costs: bigint[] = [];
    const accept = (cost: bigint) => costs.push(cost) > 0;
    const sender = await open({}, { bidding });
    const bid = 10n * gasPrice;
    const terms = { purpose: "bid", gasLimit: MINT_GAS, expectedGain: 4n * MINT_GAS * bid, accept };
    const outcome = sender.attempt(next().call, terms);
    const first = await sent();
    expect(BigInt(first.maxFeePerGas)).to.equal(bid);
    expect(costs).to.deep.equal([MINT_GAS * bid]);
    await mine();
    const after = (await anvil.provider.getBlock("latest"))!.baseFeePerGas!;
    expect(await outcome).to.include({ result: "done", gasPrice: bid - before + after }); // what is above the base fee is the tip
    // a quarter of this gain does not even pay for the gas
    const poor = { purpose: "poor", gasLimit: MINT_GAS, expectedGain: 3n * MINT_GAS * gasPrice };
    expect((await sender.attempt(next().call, poor)).result).to.equal("declined");
    const advice = { gasPrice: 10n, maxFeePerGas: 18n, maxPriorityFeePerGas: 2n };
    expect(bidding.fees(advice, undefined, MINT_GAS), "for upkeep").to.equal(advice);
  });

  it("LIQ-5 simulates after all what is too dear only by the gas that it was told of", async () => {
    const sender = await open();
    const gasPrice = await unitPrice();
    const accept = (cost: bigint) => cost <= MINT_GAS * gasPrice; // a mint takes less
    const told = { gas: 3n * MINT_GAS, gasLimit: 6n * MINT_GAS };
    const outcome = sender.attempt(next().call, { purpose: "told", ...told, accept });
    const { gas } = await sent();
    await mine();
    expect((await outcome).result).to.equal("done");
    expect(BigInt(gas) < told.gas).to.equal(true);
    const refused = await sender.attempt(next().call, { purpose: "dear", ...told, accept: () => false });
    expect(refused.result).to.equal("declined");
  });

  it("LIQ-5 never outbids beyond what a call brings", async () => {
    const sender = await open({ replaceAfter: 1 });
    const { maxFeePerGas } = await anvil.provider.getFeeData();
    const terms = { purpose: "worth", gasLimit: MINT_GAS, expectedGain: (MINT_GAS * maxFeePerGas! * 12n) / 10n };
    const outcome = sender.attempt(next().call, terms);
    const first = await sent();
    await mineFull(2, first);
    const second = await sent(first); // 1.125 times the first offer is within 1.2 times, 1.27 times is not
    expect(MINT_GAS * BigInt(second.maxFeePerGas) <= terms.expectedGain).to.equal(true);
    await mineFull(3, first);
    await sleep(200);
    expect((await pool()).map(({ hash }) => hash)).to.deep.equal([second.hash]);
    await mine();
    expect(await outcome).to.include({ result: "done", hash: second.hash });
  });

  it("LIQ-5 counts what an OP-stack chain charges for data", async () => {
    const dataFee = 10n ** 15n;
    // PUSH32 fee, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN: the oracle's address answers anything with the fee.
    const code = `0x7f${zeroPadValue(toBeHex(dataFee), 32).slice(2)}5f5260205ff3`;
    await anvil.provider.send("anvil_setCode", [ORACLE, code]);
    const costs: bigint[] = [];
    const sender = await open({}, { gasModel: new OpStackGas(anvil.provider) });
    const accept = (cost: bigint) => costs.push(cost) > 0;
    const outcome = sender.attempt(next().call, { purpose: "layer 2", gasLimit: MINT_GAS, accept });
    const { hash } = await sent();
    const gasPrice = await unitPrice();
    await mine();
    expect(costs).to.deep.equal([MINT_GAS * gasPrice + dataFee]);
    const receipt = await anvil.provider.getTransactionReceipt(hash);
    expect((await outcome).cost).to.equal(receipt!.fee + dataFee);
    expect(sender.spent("day")).to.equal(receipt!.fee + dataFee);
  });

  it("LIQ-5 writes a transaction down before it leaves, and sends nothing that it could not write", async () => {
    const sender = await open();
    const [database] = databases;
    await database!.run("DROP TABLE sender_transactions");
    const { result } = await sender.attempt(next().call, { purpose: "unwritten" });
    expect(result).to.equal("failed");
    expect(await pool()).to.deep.equal([]);
  });

  it("LIQ-5 asks the node for nothing before it sends a call whose gas it was told", async () => {
    const proxy = await startFaultyProxy(anvil.url);
    const provider = new JsonRpcProvider(proxy.url, 31337, { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1 });
    const sender = await open({}, { provider });
    await sender.look();
    await sleep(50); // the priority fee was asked for in the background
    const before = proxy.asked.length;
    const outcome = sender.attempt(next().call, { purpose: "fast", gasLimit: MINT_GAS });
    await sent();
    const asked = proxy.asked.slice(before).map(({ method }) => method);
    expect(asked[0]).to.equal("eth_sendRawTransaction");
    await mine();
    expect((await outcome).result).to.equal("done");
    provider.destroy();
    await proxy.stop();
  });

  it("LIQ-5 says that it needs a chain with a base fee", async () => {
    const proxy = await startFaultyProxy(anvil.url);
    const block = (await anvil.provider.send("eth_getBlockByNumber", ["latest", false])) as Record<string, unknown>;
    delete block.baseFeePerGas;
    proxy.fault = ({ method }) => (method === "eth_getBlockByNumber" ? { result: block } : undefined);
    const provider = new JsonRpcProvider(proxy.url, 31337, { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1 });
    const sender = await open({}, { provider });
    const attempt = sender.attempt(next().call, { purpose: "old", gasLimit: MINT_GAS });
    expect(await attempt.catch((thrown: unknown) => thrown)).to.be.instanceOf(NoBaseFee);
    provider.destroy();
    await proxy.stop();
  });

  it("signs what it means to send", async () => {
    const sender = await open();
    const { call } = next();
    const outcome = sender.attempt(call, { purpose: "signed", gasLimit: MINT_GAS });
    const { hash } = await sent();
    const { raw } = (await databases[0]!.all("SELECT raw FROM sender_transactions"))[0]!;
    const signed = Transaction.from(raw as string);
    expect(signed.hash).to.equal(hash);
    expect([signed.from, signed.to, signed.data]).to.deep.equal([wallet.address, call.target, call.data]);
    await mine();
    await outcome;
  });
});
