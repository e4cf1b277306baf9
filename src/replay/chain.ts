import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import path from "node:path";

import { JsonRpcProvider, toQuantity } from "ethers";

import { ChainNotStarted, TransactionFailed } from "./errors.ts";

const CHAIN_ID = 31337;
const ANVIL = path.resolve(import.meta.dirname, "../../node_modules/.bin/anvil");
const STARTUP = 30_000; // [ms]
const GAS = 12_000_000; // of a transaction whose gas nobody estimates
const GAS_PRICE = 2_000_000_000; // [wei]
const KEPT_STATES = "64"; // older states are of no use to anyone here

/** Words that every local chain derives its funded keys from. */
export const MNEMONIC = "test test test test test test test test test test test junk";

/** An anvil of our own, whose blocks get the times that it is told. */
export interface Chain {
  url: string;
  provider: JsonRpcProvider;
  /** Gives all blocks from now on this time [s]. */
  setTime(time: number): Promise<void>;
  /** Sends a call from one of the chain's own keys, in a block of its own. */
  send(what: string, from: string, to: string, data: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts anvil on a free port, its first block at `time` [s], with `keys` funded keys of `MNEMONIC`.
 * @throws ChainNotStarted
 */
export function startChain(time: number, keys: number): Promise<Chain> {
  const own = ["--chain-id", `${CHAIN_ID}`, "--timestamp", `${time}`, "--prune-history", KEPT_STATES];
  return launch([...own, "--accounts", `${keys}`, "--mnemonic", MNEMONIC], CHAIN_ID);
}

/**
 * Starts an anvil that goes on from the head of a live chain.
 * @param url node of that chain
 * @throws ChainNotStarted
 */
export function forkChain(url: string, chainId: number): Promise<Chain> {
  return launch(["--fork-url", url, "--chain-id", `${chainId}`], chainId);
}

async function launch(args: readonly string[], chainId: number): Promise<Chain> {
  const child = spawn(ANVIL, ["--port", "0", "--disable-min-priority-fee", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = () => child.kill("SIGTERM");
  process.once("exit", stop);
  const url = await listening(child);
  const provider = new JsonRpcProvider(url, chainId, {
    staticNetwork: true,
    cacheTimeout: -1,
    batchStallTime: 0,
    pollingInterval: 5,
  });
  await provider.send("anvil_setLoggingEnabled", [false]);
  await provider.send("anvil_setBlockTimestampInterval", [0]);
  return {
    url,
    provider,
    setTime: async (t) => {
      await provider.send("evm_setNextBlockTimestamp", [t]);
    },
    send: (what, from, to, data) =>
      send(provider, what, { from, to, data, gas: toQuantity(GAS), gasPrice: toQuantity(GAS_PRICE) }),
    close: async () => {
      provider.destroy();
      process.off("exit", stop);
      await stopped(child, stop);
    },
  };
}

async function send(provider: JsonRpcProvider, what: string, transaction: Record<string, string>): Promise<void> {
  const receipt = (await provider.send("eth_sendTransactionSync", [transaction])) as { status: string };
  if (receipt.status === "0x1") return;
  const reason = await provider.send("eth_call", [transaction, "latest"]).then(
    () => "it ran out of gas",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  throw new TransactionFailed(what, reason);
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => {
      reject(new ChainNotStarted(`it was silent for ${STARTUP} ms`));
    }, STARTUP);
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const address = /Listening on ([\d.]+:\d+)/.exec(output)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      child.stdout?.off("data", read).resume();
      child.stderr?.off("data", read).resume();
      resolve(`http://${address}`);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("error", (error) => {
      reject(new ChainNotStarted(error.message));
    });
    child.once("exit", (code) => {
      reject(new ChainNotStarted(`exit code ${String(code)}: ${output.trim()}`));
    });
  });
}

function stopped(child: ChildProcess, stop: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.once("exit", () => {
      resolve();
    });
    stop();
  });
}
