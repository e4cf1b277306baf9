import { expect } from "chai";

import { assessAccount } from "../../src/risk/account.ts";
import { assess } from "../../src/risk/assess.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { liquidationPrices } from "../../src/risk/liquidationPrice.ts";
import { gather, pack } from "../../src/risk/portfolio.ts";
import { slice } from "../../src/risk/slice.ts";
import type { AccountState, Assessment, CollateralRisk, RiskParameters, UnderlyingRisk } from "../../src/risk/types.ts";
import type { RiskEngine } from "../../types/index.ts";
import { collateralRisk, deployEngine, underlyingRisk, wad } from "./engine.ts";
import { accountOf, calm, oneUnderlying } from "./house.ts";

// Worked examples of other systems, reproduced by choosing the parameters of the engine: κ = their maintenance rate, no other charge.

const DUST = 10n * WAD;

function parameters(u: Partial<UnderlyingRisk>, c: Partial<CollateralRisk> = {}): RiskParameters {
  return { underlyings: new Map([[0, underlyingRisk(u)]]), collaterals: new Map([[0, collateralRisk(c)]]) };
}

async function engineWith(risk: RiskParameters): Promise<RiskEngine> {
  return (await deployEngine(risk, new Map([[0, 0]]))).engine;
}

/** E, IM, MM of an account at a price, by the engine and by its mirror, which must agree. */
async function judge(
  engine: RiskEngine,
  risk: RiskParameters,
  account: AccountState,
  price: bigint,
): Promise<Assessment> {
  const portfolio = gather(account, oneUnderlying(risk, price));
  const [equity, initialMargin, maintenanceMargin] = await engine.assess(pack(portfolio));
  expect(assess(portfolio, risk)).to.deep.equal({ equity, initialMargin, maintenanceMargin });
  return { equity, initialMargin, maintenanceMargin };
}

/** Expects an account to become liquidatable between a price and the next wei in `direction`, on the contract too. */
async function expectCrossing(
  risk: RiskParameters,
  account: AccountState,
  at: bigint,
  direction: 1n | -1n,
): Promise<void> {
  const engine = await engineWith(risk);
  const beyond = await judge(engine, risk, account, at);
  const before = await judge(engine, risk, account, at - direction);
  expect(beyond.equity < beyond.maintenanceMargin, "liquidatable at the price").to.equal(true);
  expect(before.equity >= before.maintenanceMargin, "safe one wei before").to.equal(true);
}

function expectClose(amount: bigint, expected: number, tolerance: number): void {
  expect(Math.abs(Number(amount) / 1e18 - expected)).to.be.lessThan(tolerance);
}

describe("liquidation oracles (H6)", () => {
  // (p0·size − margin) / (1 − l) long and (p0·size + margin) / (1 + l) short, in wei, from the first price that is not enough
  for (const { rate, up, expected } of [
    { rate: 25_000n, up: false, expected: (1800n * WAD * 1000n) / 975n }, // 1846.1538461538
    { rate: 25_000n, up: true, expected: (2200n * WAD * 1000n) / 1025n + 1n }, // 2146.3414634146
    { rate: 50_000n, up: false, expected: (1800n * WAD * 100n) / 95n }, // 1894.7368421
    { rate: 50_000n, up: true, expected: (2200n * WAD * 100n) / 105n + 1n }, // 2095.2380952
  ]) {
    it(`isolated ${up ? "short" : "long"}: entry 2000, margin 200, rate ${Number(rate) / 1e4} %`, async () => {
      const risk = parameters({ shock: rate });
      const account = accountOf(wad(200), up ? -WAD : WAD, wad(2000));
      const prices = liquidationPrices(account, oneUnderlying(risk, wad(2000)), 0);
      expect(prices).to.deep.equal(up ? { up: expected } : { down: expected });
      await expectCrossing(risk, account, expected, up ? 1n : -1n);
    });
  }

  it("isolated: equity at the liquidation price is 46.1538 long and 53.6585 short", async () => {
    const risk = parameters({ shock: 25_000n });
    const engine = await engineWith(risk);
    const long = await judge(engine, risk, accountOf(wad(200), WAD, wad(2000)), wad(1846.153846153));
    const short = await judge(engine, risk, accountOf(wad(200), -WAD, wad(2000)), wad(2146.341463414));
    expectClose(long.equity, 46.1538, 1e-4);
    expectClose(short.equity, 53.6585, 1e-4);
  });

  // (E − q·P0) / (mm·|q| − q)
  for (const { size, expected, bankrupt } of [
    { size: WAD, expected: { down: (1000n * WAD * 100n) / 95n }, bankrupt: 1000 }, // 1052.6315789
    { size: -WAD, expected: { up: (3000n * WAD * 100n) / 105n + 1n }, bankrupt: 3000 }, // 2857.1428571
  ]) {
    it(`cross: E 1000, ${size > 0n ? "long" : "short"} 1 at 2000, rate 5 %`, async () => {
      const risk = parameters({ shock: 50_000n });
      const account = accountOf(wad(1000), size, wad(2000));
      expect(liquidationPrices(account, oneUnderlying(risk, wad(2000)), 0)).to.deep.equal(expected);
      await expectCrossing(risk, account, expected.down ?? expected.up ?? 0n, size > 0n ? -1n : 1n);
      const atBankruptcy = await judge(await engineWith(risk), risk, account, wad(bankrupt));
      expect(atBankruptcy.equity).to.equal(0n);
    });
  }

  // N = 10000, E = 400. MM = 500, IM = φ·MM is the target, d·MM the penalty: f = (target·N − E) / (target·N − penalty·N)
  for (const { phi, d, closed, target } of [
    { phi: 2_000_000_000n, d: wad(0.4), closed: wad(7500), target: 100_000n }, // 10 %, penalty 2 %
    { phi: 1_250_000_000n, d: wad(0.5), closed: wad(6000), target: 62_500n }, // 6.25 %, penalty 2.5 %
  ]) {
    it(`LIQ-2 partial close: ${(closed / WAD).toString()} of a notional of 10000`, async () => {
      const risk = parameters({ shock: 50_000n, initialFactor: phi });
      const engine = await engineWith(risk);
      const account = accountOf(wad(400), wad(5), wad(2000));
      const portfolio = gather(account, oneUnderlying(risk, wad(2000)));
      const before = assess(portfolio, risk);
      expect(before).to.deep.equal({
        equity: wad(400),
        initialMargin: (wad(10_000) * target) / 1_000_000n,
        maintenanceMargin: wad(500),
      });
      const [fraction] = await engine.slice(pack(portfolio), d, DUST);
      expect(slice(portfolio, risk, d, DUST)).to.equal(fraction);
      // The smallest fraction, and it overshoots the target by no more than rounding of a linear requirement.
      expect(fraction * wad(10_000) >= closed * WAD).to.equal(true);
      expect((fraction * wad(10_000)) / WAD - closed).to.be.lessThan(10n ** 8n);
      const equityAfter = wad(400) - (fraction * d * wad(500)) / WAD / WAD;
      expect(wad(250) - equityAfter).to.be.lessThan(10n ** 8n);
    });
  }

  // 1 spot against a short of 1 from 2000. A requirement of (h + mm)·P, which sees two unrelated legs, fails above 2000 / (h + mm).
  for (const { haircut, rate, trap } of [
    { haircut: 200_000n, rate: 50_000n, trap: 8000n * WAD },
    { haircut: 100_000n, rate: 50_000n, trap: (2000n * WAD * 100n) / 15n }, // 13333.33
    { haircut: 50_000n, rate: 30_000n, trap: 25_000n * WAD },
  ]) {
    it(`DN-3 haircut trap at ${(trap / WAD).toString()}: hit by unrelated legs, gone once the hedge is recognised`, async () => {
      const account = accountOf(0n, -WAD, wad(2000), WAD);
      const c = { haircut, haircutInitial: haircut };

      const blind = parameters({ shock: 130_000n, basis: haircut + rate, basisInitial: haircut + rate }, c);
      const trapped = liquidationPrices(account, oneUnderlying(blind, wad(2000)), 0);
      expect(trapped).to.deep.equal({ up: trap + 1n });
      await expectCrossing(blind, account, trap + 1n, 1n);

      // Ours: E = 2000 at any price, x = 0, s = 1, MM = β·P with β = 1 %: safe up to 200,000.
      const ours = parameters({ shock: rate, basis: 10_000n, basisInitial: 30_000n }, c);
      const engine = await engineWith(ours);
      const atTrap = await judge(engine, ours, account, 8n * trap);
      expect(atTrap).to.include({ equity: 2000n * WAD });
      expect(atTrap.maintenanceMargin).to.equal((8n * trap) / 100n + ((8n * trap) % 100n === 0n ? 0n : 1n));
      expect(liquidationPrices(account, oneUnderlying(ours, wad(2000)), 0)).to.deep.equal({ up: 200_000n * WAD + 1n });
    });
  }

  it("MM-3 concentration: the charge moves the liquidation price as the quadratic says", async () => {
    // Long 1 at 2000 with 1000 cash: P − 1000 = 0.05·P + 0.1·P·P/10000 below the depth, so
    // P = (0.95 − √(0.95² − 4·1e-5·1000)) / 2e-5 = 1064.5609...; without the charge 1052.63.
    const root = (0.95 - Math.sqrt(0.95 ** 2 - 0.04)) / 2e-5;
    const risk = parameters({ slope: 100_000n, depth: 10_000n });
    const account = accountOf(wad(1000), WAD, wad(2000));
    const { down, up } = liquidationPrices(account, oneUnderlying(risk, wad(2000)), 0);
    expectClose(down!, root, 1e-9);
    expect(up).to.equal(undefined);
    await expectCrossing(risk, account, down!, -1n);
  });

  it("an account below MM gets the price at which it recovers, past the depth's kink too", () => {
    const risk = parameters({ slope: 100_000n, depth: 10_000n });
    // E = P − 1950 ≥ 0.05·P + 1e-5·P² first at (0.95 − √(0.95² − 4·1e-5·1950)) / 2e-5
    const house = oneUnderlying(risk, wad(2000));
    const account = accountOf(wad(50), WAD, wad(2000));
    const { equity, maintenanceMargin } = assessAccount(account, house);
    expect(equity < maintenanceMargin).to.equal(true);
    const { down, up } = liquidationPrices(account, house, 0);
    expect(down).to.equal(undefined);
    expectClose(up!, (0.95 - Math.sqrt(0.95 ** 2 - 4e-5 * 1950)) / 2e-5, 1e-9);
  });

  it("an underlying that an account does not hold has no liquidation price", () => {
    const risk: RiskParameters = {
      underlyings: new Map([
        [0, underlyingRisk({})],
        [1, underlyingRisk({})],
      ]),
      collaterals: new Map(),
    };
    const house = oneUnderlying(risk, wad(2000));
    const both = { ...house, prices: new Map(house.prices).set(1, calm(wad(60_000))) };
    expect(liquidationPrices(accountOf(wad(1000), WAD, wad(2000)), both, 1)).to.deep.equal({});
  });
});
