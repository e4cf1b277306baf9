import { expect } from "chai";

import { assessAccount, marginState } from "../../src/risk/account.ts";
import { advance } from "../../src/risk/auction.ts";
import { planLiquidation } from "../../src/risk/liquidation.ts";
import { pnlOf } from "../../src/risk/pools.ts";
import { sides } from "../../src/risk/positions.ts";
import { applyFill } from "../../src/risk/whatIf.ts";
import { BTC, ETH, freshHouse, wad, WBTC, WETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { expectPlanned, readAccount, readHouse } from "./chain.ts";

/** Alice: long 20 ETH and short 0.5 BTC on 6,000 cash, 2 WETH and 0.1 WBTC; half a day later ETH is at `price`. */
async function aliceAt(f: Fixture, price: string): Promise<bigint> {
  const alice = await f.fund(f.alice, { cash: "6000", weth: "2", wbtc: "0.1" });
  await f.fund(f.bob, { cash: "500000" });
  await f.trade(f.bob, f.alice, ETH, "20", "2005");
  await f.trade(f.bob, f.alice, BTC, "-0.5", "30000");
  await f.pass(43_200);
  await f.clearingHouse.accrueFunding(ETH);
  await f.setPrice(ETH, price);
  return alice;
}

describe("src/risk against the ledger", () => {
  it("MAM-1 MMS-5 E, IM, MM, PnL and funding of an account are those of the clearinghouse, to the wei", async () => {
    const f = await freshHouse();
    const id = await aliceAt(f, "1900");
    await f.pass(3600);
    const time = BigInt(await f.networkHelpers.time.latest());
    const [house, account] = [await readHouse(f, time), await readAccount(f, id)];
    const [equity, initialMargin, maintenanceMargin] = await f.clearingHouse.assess(id, { blockTag: "latest" });
    expect(assessAccount(account, house)).to.deep.equal({ equity, initialMargin, maintenanceMargin });
    for (const market of [ETH, BTC]) {
      const [long, short] = await f.clearingHouse.fundingIndices(market);
      expect(sides(house.markets.get(market)!, time)).to.deep.equal({ long, short });
      expect(pnlOf(account.positions.get(market)!, market, house)).to.equal(
        await f.clearingHouse.positionPnl(id, market),
      );
    }
    expect(sides(house.markets.get(ETH)!, time).long).not.to.equal(0n);
  });

  it("MMS-7 a what-if fill is the fill that the ledger makes, fee included", async () => {
    const f = await freshHouse();
    const id = await aliceAt(f, "2000");
    const before = await readAccount(f, id);
    const time = BigInt(await f.networkHelpers.time.latest()) + 10n;
    const fill = { market: ETH, size: -wad("23.5"), price: wad("1995"), feeRate: 500n };
    const predicted = applyFill(before, await readHouse(f, time), fill);
    const orders = await Promise.all([
      f.order(f.bob, { market: BigInt(ETH), size: wad("23.5"), limitPrice: wad("1995"), resting: true }),
      f.order(f.alice, { market: BigInt(ETH), size: -wad("23.5"), limitPrice: wad("1995") }),
    ]);
    await f.networkHelpers.time.setNextBlockTimestamp(time);
    await f.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
    expect(await readAccount(f, id)).to.deep.equal(predicted);
  });

  for (const { name, price, state } of [
    { name: "a slice", price: "1480", state: "liquidatable" },
    { name: "an account that sinks", price: "1420", state: "liquidatable" },
    { name: "a bankrupt account", price: "1400", state: "bankrupt" },
  ]) {
    it(`LIQ-2 ${name}: the plan is what the ledger does to both accounts, to the wei`, async () => {
      const f = await freshHouse();
      const id = await aliceAt(f, price);
      await f.fund(f.carol, { cash: "300000", weth: "1" });
      const time = BigInt(await f.networkHelpers.time.latest());
      const [house, account] = [await readHouse(f, time), await readAccount(f, id)];
      expect(marginState(assessAccount(account, house))).to.equal(state);
      await expectPlanned(f, id);
    });
  }

  it("collateral moves in whole token units", async () => {
    const f = await freshHouse();
    const id = await aliceAt(f, "1480");
    const house = await readHouse(f, BigInt(await f.networkHelpers.time.latest()));
    const account = await readAccount(f, id);
    const auction = advance(undefined, assessAccount(account, house), "flagger", house.time);
    const plan = planLiquidation(account, house, { auction, owner: "owner", taker: "taker" });
    expect(plan.collaterals.map((c) => c.id)).to.deep.equal([WETH, WBTC]);
    expect(plan.collaterals[WBTC]!.amount % 10n ** 10n).to.equal(0n); // 8 decimals
  });
});
