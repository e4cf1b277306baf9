import { readFileSync } from "node:fs";
import path from "node:path";

import type { Signer } from "ethers";

import type { Fixture } from "./fixture.ts";

/** Where Permit2 is on every chain. */
export const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";

const SALT = "0x0000000000000000000000000000000000000000d3af2663da51c10215000000";
/** The deterministic deployer and the transaction that puts it on a chain. */
const DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C";
const DEPLOYER_CODE =
  "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3";

const FACTORY = path.join(
  import.meta.dirname,
  "../../node_modules/@uniswap/uniswapx-sdk/dist/esm/src/contracts/factories/Permit2__factory.js",
);

/** The bytecode that Uniswap has deployed, out of its package. */
function bytecode(): string {
  const code = /_bytecode = "(0x[0-9a-f]+)"/.exec(readFileSync(FACTORY, "utf8"))?.[1];
  if (code === undefined) throw new Error("no bytecode of Permit2 in the package");
  return code;
}

/** Deploys the real Permit2 to its address, as everywhere. */
export async function deployPermit2(h: Fixture): Promise<void> {
  await h.networkHelpers.setCode(DEPLOYER, DEPLOYER_CODE);
  await deployPermit2By(h.deployer);
}

/** The same on a chain that has the deterministic deployer, as anvil's. */
export async function deployPermit2By(signer: Signer): Promise<void> {
  await (await signer.sendTransaction({ to: DEPLOYER, data: SALT + bytecode().slice(2) })).wait();
}
