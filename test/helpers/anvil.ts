import { spawn } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { JsonRpcProvider } from "ethers";
import type { TransactionReceipt } from "ethers";

import { MockV3Aggregator__factory } from "../../types/index.ts";

const KEPT_STATES = "500"; // blocks; without a limit anvil writes the state of every block to the disk

export interface Anvil {
  url: string;
  provider: JsonRpcProvider;
  stop: () => Promise<void>;
}

/** Starts anvil on a free port, or on the given one, and waits until it answers. */
export async function startAnvil(port?: number): Promise<Anvil> {
  const at = port ?? (await freePort());
  const url = `http://127.0.0.1:${at}`;
  const options = ["--port", String(at), "--silent", "--prune-history", KEPT_STATES];
  const child = spawn("anvil", options, { stdio: "ignore", detached: true });
  const gone = new Promise<void>((resolve) =>
    child.once("exit", () => {
      resolve();
    }),
  );
  const provider = new JsonRpcProvider(url, 31337, { staticNetwork: true, pollingInterval: 20, cacheTimeout: -1 });
  for (let tries = 0; !(await answers(url)); ++tries) {
    if (tries === 100) throw new Error(`anvil did not answer at ${url}`);
    await sleep(100);
  }
  return {
    url,
    provider,
    stop: async () => {
      provider.destroy();
      if (child.pid !== undefined) process.kill(-child.pid); // the launcher and the node it starts
      await gone;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] });
  try {
    return (await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body })).ok;
  } catch {
    return false;
  }
}

/** Has a feed answer `answer` from the next block on. */
export async function setAnswer({ provider }: Anvil, feed: string, answer: bigint): Promise<TransactionReceipt | null> {
  const aggregator = MockV3Aggregator__factory.connect(feed, await provider.getSigner(0));
  // In the second of the last answer an estimate is too low for the next one.
  return (await aggregator.updateAnswer(answer, { gasLimit: 200_000n })).wait();
}

/** A port of this machine that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
