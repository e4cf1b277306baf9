import { network } from "hardhat";

import { WAD } from "../../src/risk/fixed.ts";
import type { CollateralRisk, RiskParameters, UnderlyingRisk } from "../../src/risk/types.ts";
import type { RiskBatch, RiskEngine } from "../../types/index.ts";

/** Parameters of an underlying: flat maintenance rate and the smallest basis, unless told otherwise. */
export function underlyingRisk(risk: Partial<UnderlyingRisk>): UnderlyingRisk {
  return {
    shock: 50_000n,
    slope: 0n,
    basis: 5_001n,
    basisInitial: 5_001n,
    maxTracking: 0n,
    maxTrackingInitial: 0n,
    initialFactor: 2_000_000_000n,
    depth: 1_000_000n,
    ...risk,
  };
}

/** Parameters of a collateral asset without charges, unless told otherwise. */
export function collateralRisk(risk: Partial<CollateralRisk>): CollateralRisk {
  return {
    haircut: 0n,
    haircutInitial: 1n,
    tracking: 0n,
    trackingInitial: 0n,
    depegThreshold: 0n,
    depegFactor: 0n,
    ...risk,
  };
}

/** A risk engine with the given parameters; `owner` says which underlying a collateral belongs to. */
export async function deployEngine(
  risk: RiskParameters,
  owner: ReadonlyMap<number, number>,
): Promise<{ engine: RiskEngine; batch: RiskBatch }> {
  const { ethers } = await network.getOrCreate();
  const [admin] = await ethers.getSigners();
  const manager = await ethers.deployContract("AccessManager", [admin!.address]);
  const engine = await ethers.deployContract("RiskEngine", [manager]);
  for (const [id, r] of risk.underlyings) await (await engine.setUnderlyingRisk(id, r)).wait();
  for (const [id, r] of risk.collaterals) {
    await (await engine.setCollateralRisk(id, { ...r, underlying: owner.get(id)! })).wait();
  }
  const batch = await ethers.deployContract("RiskBatch", [engine]);
  return { engine, batch };
}

/** A decimal number [wad]. */
export function wad(amount: number): bigint {
  return (BigInt(Math.round(amount * 1e9)) * WAD) / 10n ** 9n;
}
