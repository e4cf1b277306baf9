import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { getBytes, ZeroAddress } from "ethers";
import type { AddressLike, ContractTransactionResponse } from "ethers";
import { network } from "hardhat";

import { deployFixture, type Fixture } from "../test/helpers/fixture.ts";
import { underlyingParams } from "../test/helpers/unit.ts";
import { EACAggregatorProxy__factory, MockV3Aggregator__factory } from "../types/index.ts";

/** Gas of each operation, in the order in which the table shows them. */
export type GasTable = Record<string, number>;

export type Signer = HardhatEthersSigner;

/** Terms of a liquidator who takes whatever is needed. */
export const ANY_TERMS = { maxFraction: 10n ** 18n, maxPayment: 10n ** 30n, minGain: 0n, acceptClaims: false };

/** A fresh in-process chain with the house on it; `proxied` puts Chainlink's real proxy in front of every feed. */
export async function freshChain(proxied: boolean): Promise<Fixture> {
  const f = await deployFixture(await network.create());
  if (!proxied) return f;
  for (const [underlying, feed] of f.feeds.entries()) {
    const aggregator = await proxyOf(f, feed);
    const { heartbeat, minPrice, maxPrice } = await f.priceOracle.feedOf(underlying);
    await f.priceOracle.setFeed(underlying, { aggregator, heartbeat, decimals: 8, minPrice, maxPrice });
  }
  return f;
}

/** One more underlying with the parameters of ETH and a feed of its own at 2,000. */
export async function addUnderlying(f: Fixture, id: number, proxied: boolean): Promise<void> {
  const feed = await new MockV3Aggregator__factory(f.deployer).deploy(8, 2_000n * 10n ** 8n);
  const { heartbeat, minPrice, maxPrice } = await f.priceOracle.feedOf(0);
  const aggregator = proxied ? await proxyOf(f, feed) : feed;
  await f.priceOracle.setFeed(id, { aggregator, heartbeat, decimals: 8, minPrice, maxPrice });
  await f.riskEngine.setUnderlyingRisk(id, await underlyingParams(f, 0));
}

/** Gas of a transaction: 21,000 and calldata included, refunds out. */
export async function gasOf(sent: Promise<ContractTransactionResponse>): Promise<number> {
  const receipt = await (await sent).wait();
  return Number(receipt?.gasUsed ?? 0n);
}

/** Gas of a call alone, cold: 21,000 and calldata taken off. */
export async function gasOfCall(f: Fixture, to: AddressLike, data: string): Promise<number> {
  const sent = await f.deployer.sendTransaction({ to, data });
  const calldata = getBytes(data).reduce((sum, byte) => sum + (byte === 0 ? 4 : 16), 0);
  return Number((await sent.wait())?.gasUsed ?? 0n) - 21_000 - calldata;
}

/** Gas of a transaction that the house refuses. */
export async function gasOfRefused(f: Fixture, send: () => Promise<unknown>): Promise<number> {
  await send().catch(() => undefined);
  const block = await f.ethers.provider.getBlock("latest");
  const receipt = await f.ethers.provider.getTransactionReceipt(block?.transactions[0] ?? "");
  return Number(receipt?.gasUsed ?? 0n);
}

async function proxyOf(f: Fixture, feed: AddressLike) {
  return new EACAggregatorProxy__factory(f.deployer).deploy(feed, ZeroAddress);
}
