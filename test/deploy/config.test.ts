import { expect } from "chai";

import { InvalidNetworkConfig, resolveNetwork } from "../../deploy/config.ts";
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
    expect(collaterals[0]).to.include({ id: 0, underlying: 0, haircut: 70_000n, minBalance: 5n * 10n ** 15n });
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
        { ...eth, risk: { ...eth?.risk, shock: 0.03 } },
        { ...btc, feed: { ...btc?.feed, heartbeat: "1d" } },
      ],
      markets: [{ ...local.markets[0], takerFee: "7%" }],
      extra: 1,
    };
    expect(() => resolveNetwork(wrong))
      .to.throw(InvalidNetworkConfig)
      .with.property("message")
      .that.matches(/cash\.token/)
      .and.matches(/underlyings\.0\.risk\.shock/)
      .and.matches(/underlyings\.1\.feed\.heartbeat: write a duration/)
      .and.matches(/markets\.0\.takerFee: write a percentage such as "0.5%", from 0 to 6\.5535/)
      .and.matches(/extra/);
  });

  it("refuses a market on an unknown underlying", () => {
    const wrong = { ...local, markets: [{ ...local.markets[0], underlying: "SOL" }] };
    expect(() => resolveNetwork(wrong)).to.throw(
      InvalidNetworkConfig,
      "markets.0.underlying: name one of the underlyings (ETH, BTC)",
    );
  });
});
