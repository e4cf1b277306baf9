import { expect } from "chai";
import { encodeBytes32String, ZeroAddress } from "ethers";
import type { BaseContract } from "ethers";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { MockERC20__factory } from "../../types/index.ts";
import { freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { collateralParams, refused, WETH_RISK } from "../helpers/unit.ts";

const CONTRACTS = path.join(import.meta.dirname, "../../contracts");
const MARKET = {
  takerFee: 0,
  makerFee: 0,
  priceBand: 1,
  socialisationCap: 0,
  minFill: 1,
  softCap: 0,
  hardCap: 0,
  underlying: 0,
};

/** Every restricted function with arguments that it would accept in form. */
function restricted(h: Fixture): [BaseContract, string, unknown[]][] {
  const stranger = h.alice.address;
  const feed = { aggregator: stranger, heartbeat: 1, decimals: 8, minPrice: 1, maxPrice: 2 };
  const risk = {
    shock: 30_000,
    slope: 0,
    basis: 0,
    basisInitial: 0,
    maxTracking: 0,
    maxTrackingInitial: 0,
    initialFactor: 2_000_000_000,
    depth: 1,
  };
  const asset = {
    token: stranger,
    decimals: 18,
    underlying: 0,
    hasRate: false,
    delistingEnd: 0,
    cap: 1,
    accountCap: 1,
    minBalance: 0,
  };
  const none = { aggregator: ZeroAddress, heartbeat: 0, decimals: 0, maxDeviation: 0 };
  const rates = {
    rate: stranger,
    rateHeartbeat: 1,
    rateDecimals: 8,
    market: ZeroAddress,
    marketHeartbeat: 0,
    marketDecimals: 0,
    maxRate: 1,
  };
  return [
    [h.vault, "setClearingHouse", [stranger]],
    [h.clearingHouse, "pauseNewRisk", []],
    [h.clearingHouse, "endPause", []],
    [h.clearingHouse, "setMarket", [0, MARKET]],
    [h.clearingHouse, "setCollateral", [0, asset]],
    [h.clearingHouse, "delistCollateral", [0]],
    [h.clearingHouse, "setLendingParams", [{ kink: 800_000, lowSlope: 0, highSlope: 0, reserveFactor: 0 }]],
    [h.clearingHouse, "setRiskEngine", [stranger]],
    [h.clearingHouse, "setPriceOracle", [stranger]],
    [h.clearingHouse, "setExchange", [stranger]],
    [h.clearingHouse, "setInsuranceFund", [stranger]],
    [h.clearingHouse, "setTreasury", [stranger]],
    [h.clearingHouse, "setOutflowCap", [h.usdc.target, 1]],
    [h.priceOracle, "setFeed", [0, feed]],
    [h.priceOracle, "setSecondSource", [0, none]],
    [h.priceOracle, "setRateFeeds", [0, rates]],
    [
      h.priceOracle,
      "setRegime",
      [0, { referenceVolatility: 0, averaging: 3_600, maxFactor: 1_000_000, maxStep: 1_000_000 }],
    ],
    [h.riskEngine, "setUnderlyingRisk", [0, risk]],
    [h.riskEngine, "setCollateralRisk", [0, WETH_RISK]],
  ];
}

describe("access", () => {
  it("MM-5 refuses a stranger at every restricted function, and the list is complete", async () => {
    const h = await freshHouse();
    const list = restricted(h);
    for (const [contract, name, args] of list) {
      const data = contract.interface.encodeFunctionData(name, args);
      const to = await contract.getAddress();
      const call = () => h.alice.sendTransaction({ to, data });
      await refused(h, call, "AccessManagedUnauthorized", [h.alice.address], contract);
    }
    const inSources = readdirSync(CONTRACTS)
      .filter((file) => file.endsWith(".sol"))
      .flatMap((file) => [
        ...readFileSync(path.join(CONTRACTS, file), "utf8").matchAll(/function (\w+)\([^)]*\)[^{;]*\brestricted\b/g),
      ])
      .map((match) => match[1]);
    expect(inSources.toSorted()).to.deep.equal(list.map(([, name]) => name).toSorted());
  });

  it("lets only the exchange report fills and their fees", async () => {
    const h = await freshHouse();
    for (const caller of [h.deployer, h.alice]) {
      const ch = h.clearingHouse.connect(caller);
      await refused(h, () => ch.trade([]), "NotExchange", [caller.address]);
      await refused(h, () => ch.payFee(1n, 2n, 1n), "NotExchange", [caller.address]);
    }
  });

  it("MMS-1 names vault, exchange and fund once and nobody as zero, and can replace engine and oracle", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    await refused(h, () => ch.setExchange(h.alice), "AlreadySet", []);
    await refused(h, () => ch.setInsuranceFund(h.alice), "AlreadySet", []);
    for (const set of [ch.setRiskEngine, ch.setPriceOracle, ch.setTreasury]) {
      await refused(h, () => set(ZeroAddress), "ZeroAddress", []);
    }
    await expect(ch.setTreasury(h.bob)).to.emit(ch, "TreasurySet").withArgs(h.bob.address);
    expect(await ch.treasury()).to.equal(h.bob.address);
    // Engine and oracle can be replaced.
    await expect(ch.setRiskEngine(h.riskEngine)).to.emit(ch, "RiskEngineSet");
    await expect(ch.setPriceOracle(h.priceOracle)).to.emit(ch, "PriceOracleSet");
    expect(await ch.vault()).to.equal(await h.vault.getAddress());
    expect(await ch.cashToken()).to.equal(await h.usdc.getAddress());
    expect(await ch.exchange()).to.equal(await h.exchange.getAddress());
    expect(await ch.insuranceFund()).to.equal(await h.insuranceFund.getAddress());
    expect(await ch.riskEngine()).to.equal(await h.riskEngine.getAddress());
    expect(await ch.priceOracle()).to.equal(await h.priceOracle.getAddress());
  });

  it("MM-5 bounds what governance may list", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    const name = encodeBytes32String;
    const [market] = await ch.market(0);
    const params = {
      takerFee: market.takerFee,
      makerFee: market.makerFee,
      priceBand: market.priceBand,
      socialisationCap: market.socialisationCap,
      minFill: market.minFill,
      softCap: market.softCap,
      hardCap: market.hardCap,
      underlying: market.underlying,
    };
    const refusals: [number, Partial<Record<keyof typeof params, bigint>>, string, bigint, bigint, bigint][] = [
      [64, {}, "market", 64n, 0n, 63n],
      [0, { takerFee: 10_001n }, "takerFee", 10_001n, 0n, 10_000n],
      [0, { makerFee: 501n }, "makerFee", 501n, 0n, 500n],
      [0, { priceBand: 0n }, "priceBand", 0n, 1n, 5_000n],
      [0, { priceBand: 5_001n }, "priceBand", 5_001n, 1n, 5_000n],
      [0, { socialisationCap: 2_501n }, "socialisationCap", 2_501n, 0n, 2_500n],
      [0, { minFill: 0n }, "minFill", 0n, 1n, 2n ** 80n - 1n],
      [0, { softCap: 400_000_001n }, "softCap", 400_000_001n, 0n, 400_000_000n],
      [0, { underlying: 1n }, "underlying", 1n, 0n, 0n],
    ];
    for (const [id, change, field, value, low, high] of refusals) {
      const call = () => ch.setMarket(id, { ...params, ...change });
      await refused(h, call, "ParameterOutOfBounds", [name(field), value, low, high]);
    }
    const unheard = () => ch.setMarket(2, { ...params, underlying: 7 });
    await refused(h, unheard, "UnknownUnderlying", [7n], h.riskEngine);
    await expect(ch.setMarket(0, { ...params, takerFee: 400n })).to.emit(ch, "MarketSet");
    expect((await ch.market(0))[0].takerFee).to.equal(400n);

    const weth = { ...(await collateralParams(h, 0)), minBalance: 5n };
    await refused(h, () => ch.setCollateral(64, weth), "ParameterOutOfBounds", [name("collateral"), 64n, 0n, 63n]);
    await refused(h, () => ch.setCollateral(4, weth), "UnknownCollateral", [4n], h.riskEngine);
    await h.riskEngine.setCollateralRisk(4, WETH_RISK);
    await refused(h, () => ch.setCollateral(4, weth), "AlreadySet", []);
    await refused(h, () => ch.setCollateral(4, { ...weth, token: h.usdc }), "AlreadySet", []);
    await refused(h, () => ch.setCollateral(0, { ...weth, hasRate: true }), "AlreadySet", []);
    const wbtc = await h.wbtc.getAddress();
    await refused(h, () => ch.setCollateral(0, { ...weth, token: wbtc }), "UnknownAsset", [wbtc]);
    const moved = () => ch.setCollateral(0, { ...weth, underlying: 1 });
    await refused(h, moved, "UnknownCollateral", [0n], h.riskEngine);
    const judged = () => h.riskEngine.setCollateralRisk(0, { ...WETH_RISK, underlying: 1 });
    await refused(h, judged, "ParameterOutOfBounds", [name("underlying"), 1n, 0n, 0n], h.riskEngine);
    await expect(ch.setCollateral(0, weth)).to.emit(ch, "CollateralSet");
    expect((await ch.collateral(0)).minBalance).to.equal(5n);
    // A dust threshold above 1,000 USD would make slices lopsided: half an ETH.
    const half = { ...weth, minBalance: wad("0.5") + 1n };
    const dust = [name("minBalance"), wad("0.5") + 1n, 0n, wad("0.5")];
    await refused(h, () => ch.setCollateral(0, half), "ParameterOutOfBounds", dust);
    // What is worth a rate needs one before it is listed.
    const rated = { ...weth, token: await new MockERC20__factory(h.deployer).deploy("R", "R", 18), hasRate: true };
    await refused(h, () => ch.setCollateral(4, rated), "UnknownRate", [4n], h.priceOracle);
    await refused(h, () => ch.delistCollateral(9), "UnknownAsset", [ZeroAddress]);
  });

  it("refuses what neither half of the ledger knows, and ether", async () => {
    const h = await freshHouse();
    for (const call of [{ data: "0xdeadbeef" }, { data: "0x" }, { value: 1n }, { data: "0xdeadbeef", value: 1n }]) {
      await expect(h.alice.sendTransaction({ to: h.clearingHouse, gasLimit: 200_000n, ...call })).to.be.revert(
        h.ethers,
      );
    }
    expect(await h.ethers.provider.getBalance(h.clearingHouse)).to.equal(0n);
  });
});
