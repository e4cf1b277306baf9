import { toQuantity } from "ethers";
import type { Log } from "ethers";
import hre, { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { OpeningFailed } from "./errors.ts";

const CHAIN_ID = 31337;
const BLOCK_GAS = 3_000_000_000n;
const GAS = 100_000_000; // of a transaction: nobody pays for it on this chain
const SENDING: readonly string[] = ["eth_sendTransaction", "eth_sendRawTransaction"];

/** A call that its sender need not sign. */
export interface Transaction {
  readonly from: string;
  readonly to: string;
  readonly data: string;
}

/** What became of a transaction. */
export interface Receipt {
  readonly isDone: boolean;
  readonly gasUsed: number;
  readonly logs: readonly Pick<Log, "address" | "topics" | "data">[];
}

type Connection = NetworkConnection<"l1">;

/**
 * Hardhat's own chain in this process. Blocks are mined when they are asked for, at the times that they are told and with their
 * transactions in the order in which they are given, so the same calls make the same blocks, hashes included. Gas is counted and free.
 */
export class LabChain {
  readonly connection: Connection;
  #time: number;
  #known = new Set<string>(); // senders

  private constructor(connection: Connection, time: number) {
    this.connection = connection;
    this.#time = time;
  }

  /** Starts a chain, its first blocks, one for each transaction that `prepare` sends, a second apart from `time` [s] on. */
  static async start<T>(time: number, prepare: (connection: Connection) => Promise<T>): Promise<[LabChain, T]> {
    const connection = await network.create({
      network: "default",
      chainType: "l1",
      override: {
        ...{ type: "edr-simulated", chainId: CHAIN_ID, hardfork: "cancun", allowUnlimitedContractSize: false },
        ...{ blockGasLimit: BLOCK_GAS, initialBaseFeePerGas: 0n, initialDate: new Date(time * 1000) },
        ...{ throwOnTransactionFailures: false, mining: { mempool: { order: "fifo" } } },
      },
    });
    const chain = new LabChain(connection, time);
    try {
      const prepared = await chain.#timed(() => prepare(connection));
      await chain.request("evm_setAutomine", [false]);
      return [chain, prepared];
    } catch (error) {
      await chain.close();
      throw error;
    }
  }

  /** The same chain for who reads with ethers. */
  get provider(): Connection["ethers"]["provider"] {
    return this.connection.ethers.provider;
  }

  /** [s] of the last block. */
  get time(): number {
    return this.#time;
  }

  request(method: string, params: readonly unknown[] = []): Promise<unknown> {
    return this.connection.provider.request({ method, params: [...params] });
  }

  /** Mines a block at `time` [s]. */
  async mine(time: number, transactions: readonly Transaction[]): Promise<Receipt[]> {
    const hashes: unknown[] = [];
    for (const { from, to, data } of transactions) {
      await this.#know(from);
      hashes.push(
        await this.request("eth_sendTransaction", [{ from, to, data, gas: toQuantity(GAS), gasPrice: "0x0" }]),
      );
    }
    await this.request("evm_setNextBlockTimestamp", [time]);
    await this.request("evm_mine");
    this.#time = time;
    return Promise.all(hashes.map((hash) => this.#receipt(hash)));
  }

  /**
   * Mines a block a second after the last one, all of whose transactions must be done.
   * @throws OpeningFailed
   */
  async must(what: string, transactions: readonly Transaction[]): Promise<void> {
    const receipts = await this.mine(this.#time + 1, transactions);
    const failed = transactions[receipts.findIndex(({ isDone }) => !isDone)];
    if (failed !== undefined) throw new OpeningFailed(what, await this.#reason(failed));
  }

  /** Hash of the last block. */
  async head(): Promise<string> {
    return ((await this.request("eth_getBlockByNumber", ["latest", false])) as { hash: string }).hash;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  /** Gives the block of each transaction that is sent meanwhile the next second: nothing here may depend on the clock of the machine. */
  async #timed<T>(work: () => Promise<T>): Promise<T> {
    const hooks: Parameters<typeof hre.hooks.registerHandlers<"network">>[1] = {
      onRequest: async (context, connection, request, next) => {
        if (connection.id === this.connection.id && SENDING.includes(request.method)) {
          this.#time += 1;
          await this.request("evm_setNextBlockTimestamp", [this.#time]);
        }
        return next(context, connection, request);
      },
    };
    hre.hooks.registerHandlers("network", hooks);
    try {
      return await work();
    } finally {
      hre.hooks.unregisterHandlers("network", hooks);
    }
  }

  async #know(sender: string): Promise<void> {
    if (this.#known.has(sender)) return;
    this.#known.add(sender);
    await this.request("hardhat_impersonateAccount", [sender]);
  }

  async #receipt(hash: unknown): Promise<Receipt> {
    const { status, gasUsed, logs } = (await this.request("eth_getTransactionReceipt", [hash])) as {
      status: string;
      gasUsed: string;
      logs: Log[];
    };
    return { isDone: status === "0x1", gasUsed: Number(gasUsed), logs };
  }

  async #reason({ from, to, data }: Transaction): Promise<string> {
    return this.request("eth_call", [{ from, to, data }, "latest"]).then(
      () => "it ran out of gas",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  }
}
