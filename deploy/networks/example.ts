import type { NetworkConfig } from "../config.ts";

/**
 * An example of a real network: Ethereum's main network. Copy it to `deploy/networks/NETWORK.ts`, NETWORK being the network's
 * name in `hardhat.config.ts`, check every line, and run `npm run deploy -- --network NETWORK`.
 *
 * Tokens and feeds are given by address; none of those below has been verified on the chain. For every feed look up its address
 * and heartbeat at https://data.chain.link and give the heartbeat a little slack; the bounds are sanity bounds outside of which
 * no trade and no liquidation should happen, narrow enough that a feed which changes its decimals falls out of them.
 */
export default {
  chainId: 1,
  // Who governs; needed on a real network. Multisigs that do not know each other's keys: docs/governance.md says what each may do.
  // governance: {
  //   governor: "0x…", proposes; everything of its waits
  //   guardian: "0x…", pauses new risk, cancels what waits
  //   steward: "0x…", tightens at once
  //   delays: { parameters: "2d", wiring: "7d", admin: "8d" },
  // },
  // treasury: "0x…",  receives the protocol's share of fees; the governor if it is left out
  // sequencer: { feed: "0x…", gracePeriod: "3600s" },     on a rollup: Chainlink's uptime feed of its sequencer
  cash: { symbol: "USDC", token: { address: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48" }, outflowCap: "10000000" },
  lending: {
    kink: "80%", // utilisation
    lowSlope: "4%", // per year at the kink
    highSlope: "75%", // more at full utilisation
    reserveFactor: "10%", // of the interest, to the insurance fund
  },
  underlyings: [
    {
      name: "ETH",
      feed: {
        aggregator: { address: "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419" }, // ETH / USD
        heartbeat: "3900s",
        minPrice: "300",
        maxPrice: "20000",
      },
      // secondSource: { aggregator: { address: "0x…" }, heartbeat: "3900s", maxDeviation: "2%" },
      risk: {
        shock: "3%", // κ
        slope: "2%",
        basis: "1%", // β
        basisInitial: "3%", // β_i
        initialFactor: "1.666666667", // φ
        depth: "50000000", // exposure at which the concentration charge stops growing
      },
      regime: {
        referenceVolatility: "80%", // a year, at which requirements begin to rise
        averaging: "4h",
        maxFactor: "3",
        maxStep: "25%", // of maintenance margin per hour
      },
    },
    {
      name: "BTC",
      feed: {
        aggregator: { address: "0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c" }, // BTC / USD
        heartbeat: "3900s",
        minPrice: "10000",
        maxPrice: "500000",
      },
      risk: {
        shock: "3%",
        slope: "2%",
        basis: "1%",
        basisInitial: "3%",
        initialFactor: "1.666666667",
        depth: "100000000",
      },
      regime: { referenceVolatility: "80%", averaging: "4h", maxFactor: "3", maxStep: "25%" },
    },
    {
      name: "USDT",
      feed: {
        aggregator: { address: "0x3E7d1eAB13ad0104d2750B8863b489D65364e32D" }, // USDT / USD
        heartbeat: "90000s",
        minPrice: "0.2",
        maxPrice: "2",
      },
      risk: {
        shock: "2%",
        slope: "0.5%",
        basis: "1%",
        basisInitial: "2%",
        initialFactor: "1.666666667",
        depth: "500000000",
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
      cap: "20000", // whole units that all accounts may bring in
      accountCap: "5000",
      outflowCap: "2000",
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
      cap: "1000",
      accountCap: "250",
      outflowCap: "100",
      minBalance: "0.0002",
      haircut: "7%",
      haircutInitial: "10%",
      tracking: "0%",
      trackingInitial: "0%",
    },
    {
      symbol: "USDT",
      underlying: "USDT",
      token: { address: "0xdAC17F958D2ee523a2206206994597C13D831ec7" },
      cap: "20000000",
      accountCap: "5000000",
      outflowCap: "3000000",
      minBalance: "10",
      haircut: "2%",
      haircutInitial: "5%",
      tracking: "0%",
      trackingInitial: "0%",
      depeg: { threshold: "0.99", factor: "4" }, // at 0.95 the initial haircut is 5 % + 4 · 4 % = 21 %
    },
    // A liquid-staking token also names the feeds of its rate, of which the lower counts:
    // {
    //   symbol: "wstETH",
    //   underlying: "ETH",
    //   token: { address: "0x…" },
    //   cap: "5000",
    //   accountCap: "1000",
    //   outflowCap: "500",
    //   minBalance: "0.005",
    //   haircut: "7%",
    //   haircutInitial: "10%",
    //   tracking: "2%", on what is hedged: the token may move against its underlying
    //   trackingInitial: "3%",
    //   rate: {
    //     aggregator: { address: "0x…" }, the protocol's own exchange rate, wstETH / ETH
    //     heartbeat: "90000s",
    //     market: { aggregator: { address: "0x…" }, heartbeat: "90000s" }, what the market pays
    //     maxRate: "2",
    //   },
    // },
  ],
  // Contracts for Chainlink Automation, for upkeep without a bot:
  // automation: {
  //   observeInterval: "1h", age of a last good price from which it is observed again
  //   accrueInterval: "1h", of funding
  //   sweepThreshold: "100", USD of fees or reserves
  //   callInterval: "1h", from one margin call of an account to the next
  //   settleThreshold: "100", USD of PnL
  //   beneficiary: "0x…", receives what flagging earns
  // },
} satisfies NetworkConfig;
