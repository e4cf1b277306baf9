import { ZeroAddress } from "ethers";
import type { ContractTransaction } from "ethers";

import type { AccessManager, IClearingHouse, PriceOracle, RiskEngine } from "../types/index.ts";
import { WAD } from "../src/risk/fixed.ts";
import type { NetworkParameters } from "./config.ts";

/** Something that may change after the deployment: whether it stands on the chain, and the call that puts it there. */
export interface Setting {
  label: string;
  holds: () => Promise<boolean>;
  call: () => Promise<ContractTransaction>;
}

export interface House {
  authority: AccessManager;
  clearingHouse: IClearingHouse;
  riskEngine: RiskEngine;
  priceOracle: PriceOracle;
}

/** Addresses that parameters refer to: feeds by their names in `feedsOf`, tokens by collateral. */
export interface Addresses {
  feeds: ReadonlyMap<string, string>;
  tokens: readonly string[];
  treasury: string;
}

/** Every parameter of the house, in the order in which they can be applied. */
export function settings(house: House, parameters: NetworkParameters, addresses: Addresses): Setting[] {
  const { treasury, tokens, feeds } = addresses;
  return [
    ...wiring(house, treasury),
    lending(house, parameters.lending),
    ...parameters.underlyings.flatMap((u) => underlying(house, u, feeds)),
    ...parameters.markets.map((m) => market(house, m)),
    ...parameters.collaterals.flatMap((c) => collateral(house, c, tokens[c.id] ?? "", feeds)),
    outflow(house, parameters.cash, () => house.clearingHouse.cashToken()),
    ...parameters.collaterals.map((c) => outflow(house, c, () => tokens[c.id] ?? "")),
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
      call: () => clearingHouse.setRiskEngine.populateTransaction(riskEngine),
    },
    {
      label: "price oracle",
      holds: () => wired(clearingHouse.priceOracle(), priceOracle.getAddress()),
      call: () => clearingHouse.setPriceOracle.populateTransaction(priceOracle),
    },
    {
      label: "treasury",
      holds: () => wired(clearingHouse.treasury(), treasury),
      call: () => clearingHouse.setTreasury.populateTransaction(treasury),
    },
  ];
}

function lending({ clearingHouse }: House, params: NetworkParameters["lending"]): Setting {
  return {
    label: "lending",
    holds: async () => agrees((await clearingHouse.lending())[1], params),
    call: () => clearingHouse.setLendingParams.populateTransaction(params),
  };
}

type Limited = Pick<NetworkParameters["cash"], "symbol" | "outflowCap">;

function outflow({ clearingHouse }: House, { symbol, outflowCap }: Limited, token: () => string | Promise<string>) {
  return {
    label: `${symbol} outflow cap`,
    holds: async () => (await clearingHouse.outflow(await token())).cap === outflowCap * WAD,
    call: async () => clearingHouse.setOutflowCap.populateTransaction(await token(), outflowCap),
  };
}

type Underlying = NetworkParameters["underlyings"][number];
type Collateral = NetworkParameters["collaterals"][number];
type Feeds = Addresses["feeds"];

function underlying(house: House, u: Underlying, feeds: Feeds): Setting[] {
  const risk = { ...u.risk, maxTracking: 0n, maxTrackingInitial: 0n }; // kept by the engine
  return [
    ...prices(house, u, feeds),
    {
      label: `${u.name} risk`,
      holds: async () => agrees(await house.riskEngine.underlyingRisk(u.id), u.risk),
      call: () => house.riskEngine.setUnderlyingRisk.populateTransaction(u.id, risk),
    },
  ];
}

/** No regime: the bounds ask for something in the other fields. */
const NO_REGIME = { referenceVolatility: 0n, averaging: 86_400n, maxFactor: 1_000_000n, maxStep: 10_000n };

/** Everything of the oracle; in the end the price is observed once, so that there is a last good one from the beginning. */
function prices({ priceOracle }: House, u: Underlying, feeds: Feeds): Setting[] {
  const { id, name, regime } = u;
  const { heartbeat, minPrice, maxPrice } = u.feed;
  const feed = { aggregator: feeds.get(`${name}_USD`) ?? "", heartbeat, minPrice, maxPrice };
  const { heartbeat: secondHeartbeat = 0n, maxDeviation = 0n } = u.secondSource ?? {};
  const aggregator = feeds.get(`${name}_USD_2`) ?? ZeroAddress;
  const second = { aggregator, heartbeat: secondHeartbeat, maxDeviation };
  return [
    {
      label: `${name} feed`,
      holds: async () => agrees(await priceOracle.feedOf(id), feed),
      call: () => priceOracle.setFeed.populateTransaction(id, { ...feed, decimals: 0n }), // the oracle asks a feed for its decimals
    },
    {
      label: `${name} second source`,
      holds: async () => agrees(await priceOracle.secondSourceOf(id), second),
      call: () => priceOracle.setSecondSource.populateTransaction(id, { ...second, decimals: 0n }),
    },
    {
      label: `${name} regime`,
      holds: async () => {
        const stands = await priceOracle.regimeOf(id);
        return regime === undefined ? stands.referenceVolatility === 0n : agrees(stands, regime);
      },
      call: () => priceOracle.setRegime.populateTransaction(id, regime ?? NO_REGIME),
    },
    {
      label: `${name} first price`,
      holds: async () => (await priceOracle.lastGood(id)).time !== 0n,
      call: () => priceOracle.observe.populateTransaction(id, 1),
    },
  ];
}

function market({ clearingHouse }: House, { id, name, ...rest }: NetworkParameters["markets"][number]): Setting {
  return {
    label: `${name} market`,
    holds: async () => agrees((await clearingHouse.market(id))[0], rest),
    call: () => clearingHouse.setMarket.populateTransaction(id, rest),
  };
}

function collateral(house: House, c: Collateral, token: string, feeds: Feeds): Setting[] {
  const { id, underlying, minBalance, cap, accountCap, haircut, haircutInitial, tracking, trackingInitial } = c;
  const listed = { token, underlying, hasRate: c.rate !== undefined, cap, accountCap, minBalance };
  const depeg = { depegThreshold: c.depeg?.threshold ?? 0n, depegFactor: c.depeg?.factor ?? 0n };
  const risk = { haircut, haircutInitial, tracking, trackingInitial, underlying, ...depeg };
  const kept = { decimals: 0n, delistingEnd: 0n }; // the clearinghouse asks the token, and keeps the end of a delisting itself
  return [
    ...(c.rate === undefined ? [] : rates(house, c, c.rate, feeds)),
    {
      label: `${c.symbol} risk`,
      holds: async () => agrees(await house.riskEngine.collateralRisk(id), risk),
      call: () => house.riskEngine.setCollateralRisk.populateTransaction(id, risk),
    },
    {
      label: `${c.symbol} collateral`,
      holds: async () => agrees(await house.clearingHouse.collateral(id), listed),
      call: () => house.clearingHouse.setCollateral.populateTransaction(id, { ...listed, ...kept }),
    },
  ];
}

function rates({ priceOracle }: House, c: Collateral, rate: NonNullable<Collateral["rate"]>, feeds: Feeds): Setting[] {
  const wanted = {
    rate: feeds.get(`${c.symbol}_rate`) ?? "",
    rateHeartbeat: rate.heartbeat,
    market: feeds.get(`${c.symbol}_market`) ?? ZeroAddress,
    marketHeartbeat: rate.market?.heartbeat ?? 0n,
    maxRate: rate.maxRate,
  };
  return [
    {
      label: `${c.symbol} rate`,
      holds: async () => agrees(await priceOracle.rateFeedsOf(c.id), wanted),
      call: () =>
        priceOracle.setRateFeeds.populateTransaction(c.id, { ...wanted, rateDecimals: 0n, marketDecimals: 0n }),
    },
    {
      label: `${c.symbol} first rate`,
      holds: async () => (await priceOracle.lastGoodRate(c.id)).time !== 0n,
      call: () => priceOracle.observeRate.populateTransaction(c.id),
    },
  ];
}

type Word = bigint | number | string | boolean;

/** Whether a struct read from the chain has these values. */
function agrees<K extends string>(struct: NoInfer<Record<K, Word>>, wanted: Record<K, Word>): boolean {
  return (Object.keys(wanted) as K[]).every((key) => String(struct[key]) === String(wanted[key]));
}
