import type { NetworkConfig } from "../config.ts";

/** A local chain: mock tokens that anyone can mint, Chainlink's mock aggregators as feeds. */
export default {
  chainId: 31337,
  cash: { symbol: "USDC", token: { mockDecimals: 6 } },
  underlyings: [
    {
      name: "ETH",
      feed: { aggregator: { mockPrice: "2000" }, heartbeat: "24h", minPrice: "1", maxPrice: "100000" },
      risk: {
        shock: "3%",
        slope: "2%",
        basis: "1%",
        basisInitial: "3%",
        initialFactor: "1.666666667",
        depth: "50000000",
      },
    },
    {
      name: "BTC",
      feed: { aggregator: { mockPrice: "30000" }, heartbeat: "24h", minPrice: "10", maxPrice: "1000000" },
      risk: {
        shock: "3%",
        slope: "2%",
        basis: "1%",
        basisInitial: "3%",
        initialFactor: "1.666666667",
        depth: "100000000",
      },
    },
  ],
  markets: [
    {
      name: "ETH-PERP",
      underlying: "ETH",
      takerFee: "0.05%",
      makerFee: "0%",
      priceBand: "0.5%",
      socialisationCap: "0.25%",
      minFill: "0.01",
      softCap: "200000000",
      hardCap: "400000000",
    },
    {
      name: "BTC-PERP",
      underlying: "BTC",
      takerFee: "0.05%",
      makerFee: "0%",
      priceBand: "0.5%",
      socialisationCap: "0.25%",
      minFill: "0.001",
      softCap: "400000000",
      hardCap: "800000000",
    },
  ],
  collaterals: [
    {
      symbol: "WETH",
      underlying: "ETH",
      token: { mockDecimals: 18 },
      minBalance: "0.005",
      haircut: "7%",
      haircutInitial: "10%",
      tracking: "0%",
      trackingInitial: "0%",
    },
    {
      symbol: "WBTC",
      underlying: "BTC",
      token: { mockDecimals: 8 },
      minBalance: "0.0003",
      haircut: "7%",
      haircutInitial: "10%",
      tracking: "0%",
      trackingInitial: "0%",
    },
  ],
} satisfies NetworkConfig;
