import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { Wallet } from "ethers";

import { SingleLane } from "../../src/matcher/lane.ts";
import type { LanePolicy } from "../../src/matcher/lane.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";

const GWEI = 10n ** 9n;
const CALL = { target: "0x00000000000000000000000000000000000000aa", data: "0x" };
const POLICY = { confirmTimeout: 20_000, pollInterval: 20, replaceAfter: 3, maxGasPrice: 10_000n * GWEI };
const accept = () => Promise.resolve(true);

interface Pending {
  hash: string;
  nonce: string;
  maxFeePerGas: string;
  maxPriorityFeePerGas: string;
}

describe("a single lane on a chain whose mining is paused", () => {
  let anvil: Anvil;
  let wallet: Wallet;

  before(async () => {
    anvil = await startAnvil();
    await anvil.provider.send("evm_setAutomine", [false]);
    await anvil.provider.send("evm_setBlockGasLimit", ["0x7530"]); // 30,000: two transactions do not fit into a block
  });
  after(() => anvil.stop());

  beforeEach(async () => {
    wallet = new Wallet(Wallet.createRandom().privateKey, anvil.provider);
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x3635c9adc5dea00000"]);
  });

  const laneOf = (policy: Partial<LanePolicy> = {}) => new SingleLane(wallet, anvil.provider, { ...POLICY, ...policy });

  /** Mines blocks that somebody fills who pays ten times what a transaction offers. */
  async function mineFull(blocks: number, { maxFeePerGas }: Pending): Promise<void> {
    const other = await anvil.provider.getSigner(0);
    for (let block = 0; block < blocks; ++block) {
      const fee = 10n * BigInt(maxFeePerGas);
      const fees = { maxFeePerGas: fee, maxPriorityFeePerGas: fee, gasLimit: 21_000n };
      await other.sendTransaction({ to: other.address, ...fees });
      await mine();
    }
  }

  async function mine(): Promise<void> {
    await anvil.provider.send("evm_mine", []);
  }

  async function pending(): Promise<Pending | undefined> {
    const pool = (await anvil.provider.send("txpool_content", [])) as Record<
      "pending" | "queued",
      Record<string, Record<string, Pending>>
    >;
    const own = Object.values(pool).map((senders) => senders[wallet.address] ?? senders[wallet.address.toLowerCase()]);
    return own.flatMap((byNonce) => Object.values(byNonce ?? {}))[0];
  }

  /** The transaction that waits in the pool, once it is another one than `last`. */
  async function waiting(last?: Pending): Promise<Pending> {
    for (let tries = 0; tries < 200; ++tries) {
      const now = await pending();
      if (now !== undefined && now.hash !== last?.hash) return now;
      await sleep(50);
    }
    return expect.fail("nothing new in the pool");
  }

  it("replaces a stuck transaction by one that pays an eighth more, and counts on whichever is mined", async () => {
    const outcome = laneOf().attempt(CALL, accept);
    const first = await waiting();
    await mineFull(4, first); // it may have seen the first of them before it began to count
    const second = await waiting(first);
    expect(BigInt(second.nonce)).to.equal(BigInt(first.nonce));
    for (const fee of ["maxFeePerGas", "maxPriorityFeePerGas"] as const) {
      expect(BigInt(second[fee]) * 1000n >= BigInt(first[fee]) * 1125n, fee).to.equal(true);
    }
    await mine();
    expect(await outcome).to.deep.equal({ result: "done", hash: second.hash });
  });

  it("waits for as many blocks as it was told to", async () => {
    const outcome = laneOf().attempt(CALL, accept);
    const first = await waiting();
    await mineFull(2, first);
    await sleep(500);
    expect((await pending())?.hash).to.equal(first.hash);
    await mine();
    expect(await outcome).to.deep.equal({ result: "done", hash: first.hash });
  });

  it("never pays more than its bound, and says so when time is up", async () => {
    const { maxFeePerGas } = await anvil.provider.getFeeData();
    const outcome = laneOf({ maxGasPrice: (maxFeePerGas! * 11n) / 10n, confirmTimeout: 1500 }).attempt(CALL, accept);
    const first = await waiting();
    await mineFull(4, first);
    expect(await outcome).to.deep.equal({ result: "failed", reason: "not mined within 1500 ms" });
    expect((await pending())?.hash).to.equal(first.hash);
  });

  it("puts the next call in the place of one that was given up", async () => {
    const one = laneOf({ confirmTimeout: 400, replaceAfter: 100 });
    expect((await one.attempt(CALL, accept)).result).to.equal("failed");
    const stuck = await waiting();
    const other = { ...CALL, target: "0x00000000000000000000000000000000000000bb" };
    const outcome = one.attempt(other, accept);
    const next = await waiting(stuck);
    expect(BigInt(next.nonce)).to.equal(BigInt(stuck.nonce));
    await mine();
    expect(await outcome).to.deep.equal({ result: "done", hash: next.hash });
    expect(await anvil.provider.getTransactionReceipt(stuck.hash)).to.equal(null);

    const after = one.attempt(CALL, accept);
    const third = await waiting();
    expect(BigInt(third.nonce)).to.equal(BigInt(stuck.nonce) + 1n);
    await mine();
    expect((await after).result).to.equal("done");
  });
});
