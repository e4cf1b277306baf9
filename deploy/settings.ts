import type { ContractTransactionResponse } from "ethers";

import type { AccessManager, ClearingHouse, PriceOracle, RiskEngine } from "../types/index.ts";
import type { NetworkParameters } from "./config.ts";

/** A parameter that may change after the deployment: whether it stands on the chain, and the transaction that puts it there. */
export interface Setting {
  label: string;
  holds: () => Promise<boolean>;
  apply: () => Promise<ContractTransactionResponse>;
}

export interface House {
  authority: AccessManager;
  clearingHouse: ClearingHouse;
  riskEngine: RiskEngine;
  priceOracle: PriceOracle;
}

/** Addresses that parameters refer to: feeds by underlying, tokens by collateral. */
export interface Addresses {
  feeds: readonly string[];
  tokens: readonly string[];
  treasury: string;
}

/** Every parameter of the house, in the order in which they can be applied. */
export function settings(house: House, parameters: NetworkParameters, addresses: Addresses): Setting[] {
  return [
    ...wiring(house, addresses.treasury),
    ...parameters.underlyings.flatMap((u) => underlying(house, u, addresses.feeds[u.id] ?? "")),
    ...parameters.markets.map((m) => market(house, m)),
    ...parameters.collaterals.flatMap((c) => collateral(house, c, addresses.tokens[c.id] ?? "")),
  ];
}

async function wired(current: Promise<string>, wanted: string | Promise<string>): Promise<boolean> {
  return (await current).toLowerCase() === (await wanted).toLowerCase();
}

function wiring({ clearingHouse, riskEngine, priceOracle }: House, treasury: string): Setting[] {
  return [
    {
      label: "risk engine",
      holds: () => wired(clearingHouse.riskEngine(), riskEngine.getAddress()),
      apply: () => clearingHouse.setRiskEngine(riskEngine),
    },
    {
      label: "price oracle",
      holds: () => wired(clearingHouse.priceOracle(), priceOracle.getAddress()),
      apply: () => clearingHouse.setPriceOracle(priceOracle),
    },
    {
      label: "treasury",
      holds: () => wired(clearingHouse.treasury(), treasury),
      apply: () => clearingHouse.setTreasury(treasury),
    },
  ];
}

function underlying(house: House, u: NetworkParameters["underlyings"][number], aggregator: string): Setting[] {
  const { heartbeat, minPrice, maxPrice } = u.feed;
  const feed = { aggregator, heartbeat, decimals: 0n, minPrice, maxPrice }; // the oracle asks the feed for its decimals
  const risk = { ...u.risk, maxTracking: 0n, maxTrackingInitial: 0n }; // kept by the engine
  return [
    {
      label: `${u.name} feed`,
      holds: async () => agrees(await house.priceOracle.feedOf(u.id), { aggregator, heartbeat, minPrice, maxPrice }),
      apply: () => house.priceOracle.setFeed(u.id, feed),
    },
    {
      label: `${u.name} risk`,
      holds: async () => agrees(await house.riskEngine.underlyingRisk(u.id), u.risk),
      apply: () => house.riskEngine.setUnderlyingRisk(u.id, risk),
    },
  ];
}

function market({ clearingHouse }: House, { id, name, ...rest }: NetworkParameters["markets"][number]): Setting {
  return {
    label: `${name} market`,
    holds: async () => agrees((await clearingHouse.market(id))[0], rest),
    apply: () => clearingHouse.setMarket(id, rest),
  };
}

function collateral(house: House, c: NetworkParameters["collaterals"][number], token: string): Setting[] {
  const { id, underlying, minBalance, haircut, haircutInitial, tracking, trackingInitial } = c;
  const listed = { token, underlying, minBalance };
  const risk = { haircut, haircutInitial, tracking, trackingInitial, underlying };
  return [
    {
      label: `${c.symbol} risk`,
      holds: async () => agrees(await house.riskEngine.collateralRisk(id), risk),
      apply: () => house.riskEngine.setCollateralRisk(id, risk),
    },
    {
      label: `${c.symbol} collateral`,
      holds: async () => agrees(await house.clearingHouse.collateral(id), listed),
      apply: () => house.clearingHouse.setCollateral(id, { ...listed, decimals: 0n }), // the clearinghouse asks the token
    },
  ];
}

type Word = bigint | number | string;

/** Whether a struct read from the chain has these values. */
function agrees<K extends string>(struct: NoInfer<Record<K, Word>>, wanted: Record<K, Word>): boolean {
  return (Object.keys(wanted) as K[]).every((key) => String(struct[key]) === String(wanted[key]));
}
