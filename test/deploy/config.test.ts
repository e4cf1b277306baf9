import { expect } from "chai";

import { feedsOf, InvalidNetworkConfig, resolveNetwork } from "../../deploy/config.ts";
import example from "../../deploy/networks/example.ts";
import local from "../../deploy/networks/local.ts";

describe("network configuration", () => {
  it("converts what is written into the contracts' units", () => {
    const { underlyings, markets, collaterals } = resolveNetwork(local);
    expect(underlyings[0]?.risk).to.deep.equal({
      shock: 30_000n, // 3 % in ppm
      slope: 20_000n,
      basis: 10_000n,
      basisInitial: 30_000n,
      initialFactor: 1_666_666_667n, // 5/3 in 1e-9
      depth: 50_000_000n,
    });
    expect(underlyings[0]?.feed.heartbeat).to.equal(86_400n);
    expect(markets[1]).to.include({
      id: 1,
      underlying: 1,
      takerFee: 500n,
      socialisationCap: 2_500n,
      minFill: 10n ** 15n,
    });
    expect(collaterals[0]).to.include({
      id: 0,
      underlying: 0,
      haircut: 70_000n,
      minBalance: 5n * 10n ** 15n,
      cap: 10_000_000n,
      accountCap: 1_000_000n,
    });
  });

  it("converts what is optional: regime, second source, sequencer, rate and depeg rule", () => {
    const address = "0x00000000000000000000000000000000000000A1";
    const [eth, ...others] = local.underlyings;
    const secondSource = { aggregator: { address }, heartbeat: "90m", maxDeviation: "2.5%" };
    const { underlyings, collaterals, sequencer, lending } = resolveNetwork({
      ...local,
      sequencer: { feed: address, gracePeriod: "1h" },
      underlyings: [{ ...eth, secondSource }, ...others],
    });
    expect(sequencer).to.deep.equal({ feed: address, gracePeriod: 3_600n });
    expect(lending).to.deep.equal({
      kink: 800_000n,
      lowSlope: 40_000n,
      highSlope: 750_000n,
      reserveFactor: 100_000n,
    });
    expect(underlyings[0]?.secondSource).to.deep.equal({
      aggregator: { address },
      heartbeat: 5_400n,
      maxDeviation: 25_000n,
    });
    expect(underlyings[0]?.regime).to.deep.equal({
      referenceVolatility: 800_000n,
      averaging: 14_400n,
      maxFactor: 3_000_000n,
      maxStep: 250_000n,
    });
    expect(underlyings[2]?.regime).to.equal(undefined);
    expect(collaterals[2]?.rate).to.deep.equal({
      aggregator: { mockPrice: 115_000_000n },
      heartbeat: 86_400n,
      market: { aggregator: { mockPrice: 114_900_000n }, heartbeat: 86_400n },
      maxRate: 2n * 10n ** 18n,
    });
    expect(collaterals[3]?.depeg).to.deep.equal({ threshold: 990_000n, factor: 4_000_000n });
  });

  it("names every feed, for its mock and its address", () => {
    expect(feedsOf(resolveNetwork(local)).map((f) => f.name)).to.deep.equal([
      "ETH_USD",
      "BTC_USD",
      "USDT_USD",
      "wstETH_rate",
      "wstETH_market",
    ]);
  });

  it("accepts the example of a real network", () => {
    expect(resolveNetwork(example).chainId).to.equal(1);
  });

  it("says what to write instead of a wrong value, for every one of them", () => {
    const [eth, btc] = local.underlyings;
    const wrong = {
      ...local,
      cash: { symbol: "USDC", token: { address: "0x12" } },
      underlyings: [
        { ...eth, risk: { ...eth?.risk, shock: 0.03 }, regime: { ...eth?.regime, averaging: 60 } },
        { ...btc, feed: { ...btc?.feed, heartbeat: "1w" } },
      ],
      markets: [{ ...local.markets[0], takerFee: "7%" }],
      extra: 1,
    };
    expect(() => resolveNetwork(wrong))
      .to.throw(InvalidNetworkConfig)
      .with.property("message")
      .that.matches(/cash\.token/)
      .and.matches(/underlyings\.0\.risk\.shock/)
      .and.matches(/underlyings\.0\.regime\.averaging/)
      .and.matches(/underlyings\.1\.feed\.heartbeat: write a duration/)
      .and.matches(/markets\.0\.takerFee: write a percentage such as "0.5%", from 0 to 6\.5535/)
      .and.matches(/extra/);
  });

  it("refuses a market on an unknown underlying", () => {
    const wrong = { ...local, markets: [{ ...local.markets[0], underlying: "SOL" }] };
    expect(() => resolveNetwork(wrong)).to.throw(
      InvalidNetworkConfig,
      "markets.0.underlying: name one of the underlyings (ETH, BTC, USDT)",
    );
  });
});
