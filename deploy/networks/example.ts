import type { NetworkConfig } from "../config.ts";

/**
 * An example of a real network: Ethereum's main network. Copy it to `deploy/networks/NETWORK.ts`, NETWORK being the network's
 * name in `hardhat.config.ts`, check every line, and run `npm run deploy -- --network NETWORK`.
 *
 * Tokens and feeds are given by address. For every feed look up its address and heartbeat at https://data.chain.link and give
 * the heartbeat a little slack; the bounds are sanity bounds outside of which no trade and no liquidation should happen.
 */
export default {
  chainId: 1,
  // admin: "0x…",     the timelock that governs; the deployer hands over to it at the end of the deployment
  // treasury: "0x…",  receives the protocol's share of fees
  cash: { symbol: "USDC", token: { address: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48" } },
  underlyings: [
    {
      name: "ETH",
      feed: {
        aggregator: { address: "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419" }, // ETH / USD
        heartbeat: "3900s",
        minPrice: "100",
        maxPrice: "50000",
      },
      risk: {
        shock: "3%", // κ
        slope: "2%",
        basis: "1%", // β
        basisInitial: "3%", // β_i
        initialFactor: "1.666666667", // φ
        depth: "50000000", // exposure at which the concentration charge stops growing
      },
    },
    {
      name: "BTC",
      feed: {
        aggregator: { address: "0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c" }, // BTC / USD
        heartbeat: "3900s",
        minPrice: "1000",
        maxPrice: "900000",
      },
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
      socialisationCap: "0.25%", // β/4
      minFill: "0.01",
      softCap: "20000000",
      hardCap: "40000000",
    },
    {
      name: "BTC-PERP",
      underlying: "BTC",
      takerFee: "0.05%",
      makerFee: "0%",
      priceBand: "0.5%",
      socialisationCap: "0.25%",
      minFill: "0.001",
      softCap: "40000000",
      hardCap: "80000000",
    },
  ],
  collaterals: [
    {
      symbol: "WETH",
      underlying: "ETH",
      token: { address: "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2" },
      minBalance: "0.005", // about 10 USD
      haircut: "7%",
      haircutInitial: "10%",
      tracking: "0%",
      trackingInitial: "0%",
    },
    {
      symbol: "WBTC",
      underlying: "BTC",
      token: { address: "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599" },
      minBalance: "0.0002",
      haircut: "7%",
      haircutInitial: "10%",
      tracking: "0%",
      trackingInitial: "0%",
    },
  ],
} satisfies NetworkConfig;
