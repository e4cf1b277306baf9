import { expect } from "chai";
import fc from "fast-check";

import { accountId } from "../../src/sdk/accountId.ts";
import { bracket, signOrder, stopLoss, takeProfit } from "../../src/sdk/orders.ts";
import type { Order, SignedOrder } from "../../src/sdk/orders.ts";
import { SCOPES, UNLIMITED } from "../../src/sdk/sessionKeys.ts";
import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { call, cashOf, deal, equityOf, main, NEVER, positionOf, refused, sign, usdc } from "../helpers/unit.ts";
import type { Signer } from "../helpers/unit.ts";

const ONE = [{ maker: 0, taker: 1 }];

/** Alice has bought 10 ETH at 2,000 as the maker, without a fee, on `cash`; Carol has cash for whatever she bids. */
async function long(cash: string, collateral: { weth?: string } = {}): Promise<Fixture> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash, ...collateral });
  await h.fund(h.bob, { cash: "100000" });
  await h.fund(h.carol, { cash: "100000" });
  await deal(h, [h.alice, h.bob], "-10", "2000");
  return h;
}

const signed = async (h: Fixture, owner: Signer, order: Order): Promise<SignedOrder> => ({
  order,
  signature: await signOrder(owner, h.addressBook, order),
});

/** Alice's sale of `size` at no less than 1,850 once the index is at 1,950 or below. */
const stop = (h: Fixture, size: string, fields: Partial<Omit<Order, "size">> = {}) =>
  sign(h, {
    ...{ owner: h.alice, size: `-${size}`, price: "1850", triggerBelow: wad("1950"), reduceOnly: true },
    ...fields,
  });

const bid = (h: Fixture, size: string, price: string) => sign(h, { owner: h.carol, size, price, resting: true });

/** Keeper settles one match for the fee. */
const execute = (h: Fixture, ...orders: SignedOrder[]) =>
  h.exchange.connect(h.keeper).settleForFee(orders, ONE, main(h.keeper));

describe("trigger orders", () => {
  it("OB-1 fill only while the index price is where they say, in every entry", async () => {
    const h = await long("10000");
    const ex = h.exchange;
    const wei = 1n;
    const at = wad("2000");
    const cases: [triggerAbove: bigint, triggerBelow: bigint, isMet: boolean][] = [
      [at + wei, 0n, false],
      [0n, at - wei, false],
      [at - 2n, at - wei, false],
      [at, 0n, true],
      [0n, at, true],
      [at, at, true],
    ];
    for (const [triggerAbove, triggerBelow, isMet] of cases) {
      const sale = await sign(h, { owner: h.alice, size: "-1", price: "1990", triggerAbove, triggerBelow });
      const orders = [await bid(h, "1", "2000"), sale];
      const args = [main(h.alice), sale.order.nonce, at, triggerAbove, triggerBelow];
      if (isMet) {
        await ex.settle(orders, ONE);
        continue;
      }
      await refused(h, () => ex.settle(orders, ONE), "OrderNotTriggered", args, ex);
      await refused(h, () => execute(h, ...orders), "OrderNotTriggered", args, ex);
      const reason = ex.interface.encodeErrorResult("OrderNotTriggered", args);
      await refused(h, () => ex.settleEach(orders, ONE), "NothingSettled", [reason], ex);
    }
    expect((await positionOf(h, main(h.alice), ETH)).size).to.equal(wad("7"));
  });

  it("OB-1 do not rest, and pay at most 1 % for their execution", async () => {
    const h = await long("10000");
    const buy = await bid(h, "1", "2000");
    const resting = { resting: true, triggerBelow: wad("1950"), triggerAbove: wad("7") };
    for (const fields of [resting, { ...resting, postOnly: true }]) {
      const order = { ...(await stop(h, "1")).order, ...fields };
      const orders = [await signed(h, h.alice, order), buy];
      const call_ = () => h.exchange.settle(orders, ONE);
      await refused(h, call_, "OrderTriggerRests", [wad("7"), wad("1950")], h.exchange);
    }
    // 1 % of 1 · 1,850
    const order = { ...(await stop(h, "1")).order, executionFee: wad("18.5") + 1n };
    const dear = [buy, await signed(h, h.alice, order)];
    const tooHigh = [wad("18.5") + 1n, wad("18.5")];
    await refused(h, () => h.exchange.settle(dear, ONE), "OrderFeeTooHigh", tooHigh, h.exchange);
    await h.setPrice(ETH, "1900");
    await execute(h, await bid(h, "1", "1900"), await stop(h, "1", { executionFee: wad("18.5") }));
    expect(await cashOf(h, main(h.keeper))).to.equal(wad("18.5"));
    // The limit of a buyer may be far off: 1 % of what he pays, 2 · 1,900, is the most, whatever 1 % of his limit is.
    const terms = { owner: h.carol, size: "2", price: "1000000", executionFee: wad("20000") };
    const ask = await sign(h, { owner: h.bob, size: "-2", price: "1900", resting: true });
    await execute(h, ask, await sign(h, terms));
    expect(await cashOf(h, main(h.keeper))).to.equal(wad("56.5"));
  });

  it("OB-1 a stop-loss below IM: the price falls through it, anybody executes it and takes its fee", async () => {
    const h = await long("1900");
    const id = main(h.alice);
    const [buy, sale] = [await bid(h, "10", "1895"), await stop(h, "10", { executionFee: wad("10") })];
    const early = [id, sale.order.nonce, wad("1951"), 0n, wad("1950")];
    await h.setPrice(ETH, "1951");
    const near = await bid(h, "10", "1950");
    await refused(h, () => execute(h, near, sale), "OrderNotTriggered", early, h.exchange);
    // E = 1,900 − 10 · 100 = 900; IM = 1.666666667 · (3 % of 19,000 and 2 % · 19,000² / 5e7) = 950.2…
    await h.setPrice(ETH, "1900");
    expect(await h.clearingHouse.marginState(id)).to.equal(1n);
    const tx = execute(h, buy, sale);
    await expect(tx).to.emit(h.exchange, "ExecutionFeePaid").withArgs(id, main(h.keeper), sale.order.nonce, wad("10"));
    await expect(tx)
      .to.emit(h.clearingHouse, "Transferred")
      .withArgs(id, main(h.keeper), await h.usdc.getAddress(), wad("10"));
    // 1,900 − 10 · 105 − 0.05 % of 18,950 − 10
    expect(await cashOf(h, id)).to.equal(wad("830.525"));
    expect(await positionOf(h, id, ETH)).to.deep.equal({ size: 0n, quote: 0n });
    // The executor's fee is money: he takes it out.
    await h.clearingHouse.connect(h.keeper).withdraw(main(h.keeper), h.usdc, usdc("10"), h.keeper);
    expect(await h.usdc.balanceOf(h.keeper)).to.equal(usdc("10"));
    // And it is not to be had twice.
    const [next, spent] = [await bid(h, "10", "1895"), [id, sale.order.nonce, wad("10")]];
    await refused(h, () => execute(h, next, sale), "OrderCancelledOrFilled", spent, h.exchange);
  });

  it("OB-1 stays below IM with a part of it if trade and fee together worsen nothing, and not otherwise", async () => {
    // E = 1,600 − 1,000 = 600 is between MM = 570.1444 and IM = 950.24.
    const h = await long("1600");
    await h.setPrice(ETH, "1900");
    // 1 of 10 at 1,895: E = 600 − 5 − 0.9475 − 1, still below IM = 855.19 of 9 ETH; E/MM rises from 1.05 to 1.16.
    await execute(h, await bid(h, "1", "1895"), await stop(h, "10", { executionFee: wad("10") }));
    expect(await equityOf(h, main(h.alice))).to.equal(wad("593.0525"));
    expect(await cashOf(h, main(h.alice))).to.equal(wad("1599"));
    expect(await h.clearingHouse.marginState(main(h.alice))).to.equal(1n);
    expect(await cashOf(h, main(h.keeper))).to.equal(wad("1"));
  });

  it("OB-1 refuses a fee that would leave less per unit of margin than before", async () => {
    // E = 1,100 − 1,000 = 100 against MM = 570.1444: E/MM = 0.1754. 1 of 10 at 1,900 leaves MM = 513 + 2 % · 17,100² / 5e7 = 513.116964.
    const h = await long("1100");
    await h.setPrice(ETH, "1900");
    const [buy, sale] = [await bid(h, "1", "1900"), await stop(h, "1", { executionFee: wad("18.5") })];
    // With the fee E = 100 − 0.95 − 18.5 and E/MM = 0.157; IM = 1.666666667 · 513.116964, rounded up.
    const required = 513_116_964n * 1_666_666_667n * 10n ** 3n;
    const args = [main(h.alice), wad("80.55"), required];
    await refused(h, () => execute(h, buy, sale), "InsufficientMargin", args);
    // Without it E = 99.05 and E/MM = 0.193.
    await h.exchange.settle([buy, sale], ONE);
    expect(await equityOf(h, main(h.alice))).to.equal(wad("99.05"));
    expect(await cashOf(h, main(h.keeper))).to.equal(0n);
  });

  it("OB-1 pays no fee before losses are settled, nor in the house's own batch, nor to anybody but the exchange", async () => {
    // A loss of 1,000 against 900 of cash: E = 900 + 1,900 − 1,000.
    const h = await long("900", { weth: "1" });
    const [ch, ex] = [h.clearingHouse, h.exchange];
    await h.setPrice(ETH, "1900");
    const [buy, sale] = [await bid(h, "1", "1900"), await stop(h, "1", { executionFee: wad("1") })];
    // 899 of 1,000.95 are paid.
    await refused(h, () => execute(h, buy, sale), "UnsettledLoss", [main(h.alice), 0n, wad("101.95")]);
    const address = await ex.getAddress();
    for (const data of [
      ex.interface.encodeFunctionData("settleForFee", [[buy, sale], ONE, main(h.keeper)]),
      ex.interface.encodeFunctionData("settleEach", [[buy, sale], ONE]),
    ]) {
      await refused(h, () => ch.batch([call(ex, data)]), "InvalidBatchTarget", [address]);
    }
    const take = () => ch.connect(h.alice).payFee(main(h.alice), main(h.bob), 1n);
    await refused(h, take, "NotExchange", [h.alice.address]);
    await ex.settle([buy, sale], ONE);
  });

  it("OB-1 borrows for a fee while it is worth MM, and not below", async () => {
    const h = await freshHouse();
    await h.fund(h.bob, { cash: "100000" });
    await h.fund(h.carol, { cash: "100000" });
    await h.clearingHouse.connect(h.carol).lend(main(h.carol), usdc("10000"));
    const id = await h.fund(h.alice, { wbtc: "0.02" }); // 600 USD
    await deal(h, [h.alice, h.bob], "-2", "2000");
    const offer = (size: string, executionFee: bigint) =>
      sign(h, { owner: h.alice, size: `-${size}`, price: "2000", resting: true, executionFee });
    const buy = (size: string) => sign(h, { owner: h.bob, size, price: "2000" });
    await execute(h, await offer("1", wad("5")), await buy("1"));
    expect((await h.clearingHouse.loans(id)).debt).to.be.closeTo(wad("5"), 10n ** 9n);
    // At 2,000 and 1 ETH MM is above 60; 50 USD of WBTC less the debt are E = 45. A tenth less would raise E/MM even with 0.4 of fee.
    await h.setPrice(BTC, "2500");
    expect(await h.clearingHouse.marginState(id)).to.equal(2n);
    const [sale, part] = [await offer("0.1", wad("0.4")), await buy("0.1")];
    await refused(h, () => execute(h, sale, part), "InsufficientMargin");
    await h.exchange.settle([sale, part], ONE);
  });

  it("OB-1 one cancels the other: stop-loss and take-profit share a nonce, and so what has filled", async () => {
    const h = await long("10000");
    const id = main(h.alice);
    const terms = { account: id, market: ETH, size: "10", stop: "1900", target: "2100", nonce: 77n, expiry: NEVER };
    const [lower, upper] = await Promise.all(
      bracket({ ...terms, executionFee: "10" }).map((order) => signed(h, h.alice, order)),
    );
    expect([lower!.order.triggerBelow, lower!.order.triggerAbove]).to.deep.equal([wad("1900"), 0n]);
    expect([upper!.order.triggerBelow, upper!.order.triggerAbove]).to.deep.equal([0n, wad("2100")]);
    // A part at 1,900: 4 of 10, fee 4.
    await h.setPrice(ETH, "1900");
    await execute(h, await bid(h, "4", "1900"), lower!);
    expect(await cashOf(h, main(h.keeper))).to.equal(wad("4"));
    // The rest at 2,100: 6 are left of either, fee 10 − 4.
    await h.setPrice(ETH, "2100");
    await execute(h, await bid(h, "9", "2100"), upper!);
    expect((await positionOf(h, id, ETH)).size).to.equal(0n);
    expect(await cashOf(h, main(h.keeper))).to.equal(wad("10"));
    // One has filled, the other is dead, though there is a position again that it could reduce.
    await deal(h, [h.bob, h.alice], "10", "2100");
    await h.setPrice(ETH, "1900");
    const buy = await bid(h, "10", "1900");
    for (const dead of [lower!, upper!]) {
      const args = [id, 77n, wad("10")];
      await refused(h, () => execute(h, buy, dead), "OrderCancelledOrFilled", args, h.exchange);
    }
  });

  it("OB-1 closes a short position above its stop and below its target", async () => {
    const h = await long("10000");
    const id = main(h.bob);
    const terms = { account: id, market: ETH, size: "-10", nonce: 5n, expiry: NEVER };
    // 5 % beyond the trigger unless it says otherwise
    const above = stopLoss({ ...terms, trigger: "2100" });
    expect([above.size, above.triggerAbove, above.limitPrice]).to.deep.equal([wad("10"), wad("2100"), wad("2205")]);
    const below = takeProfit({ ...terms, trigger: "1900", slippage: 10_000n });
    expect([below.size, below.triggerBelow, below.limitPrice]).to.deep.equal([wad("10"), wad("1900"), wad("1919")]);
    await h.setPrice(ETH, "1900");
    const ask = await sign(h, { owner: h.carol, size: "-10", price: "1901", resting: true });
    await h.exchange.settle([ask, await signed(h, h.bob, below)], ONE);
    expect((await positionOf(h, id, ETH)).size).to.equal(0n);
  });
});

describe("execution fees", () => {
  it("OB-1 are paid once per order for all that it fills, and never for what `settle` has filled", async () => {
    const h = await long("10000");
    await h.setPrice(ETH, "1900");
    const sale = await stop(h, "10", { executionFee: wad("10") });
    // Two makers in one settlement: one fee, for 3 + 4.
    const orders = [await bid(h, "3", "1900"), await bid(h, "4", "1899"), sale];
    const matches = [
      { maker: 0, taker: 2 },
      { maker: 1, taker: 2 },
    ];
    const tx = await h.exchange.settleForFee(orders, matches, main(h.keeper));
    const paid = await h.exchange.queryFilter(h.exchange.filters.ExecutionFeePaid(), tx.blockNumber ?? 0);
    expect(paid.map(({ args }) => args.fee)).to.deep.equal([wad("7")]);
    // 2 without a fee, which nobody has afterwards; then the last one for 1.
    await h.exchange.settle([await bid(h, "2", "1900"), sale], ONE);
    expect(await cashOf(h, main(h.keeper))).to.equal(wad("7"));
    await execute(h, await bid(h, "2", "1900"), sale);
    expect(await cashOf(h, main(h.keeper))).to.equal(wad("8"));
  });

  it("OB-1 are paid by makers and takers alike, into any account, the payer's own too", async () => {
    const h = await long("10000");
    const sale = await sign(h, { owner: h.alice, size: "-1", price: "2000", executionFee: wad("2") });
    const buy = await sign(h, { owner: h.carol, size: "1", price: "2000", resting: true, executionFee: wad("3") });
    await h.exchange.settleForFee([buy, sale], ONE, main(h.alice));
    // Alice pays 1 for the trade and 2 to herself; Carol pays her 3.
    expect(await cashOf(h, main(h.alice))).to.equal(wad("10003"));
    expect(await equityOf(h, main(h.alice))).to.equal(wad("10002"));
    expect(await cashOf(h, main(h.carol))).to.equal(wad("99997"));
  });

  it("AUTH-2 count as losses of the key that has signed them", async () => {
    const h = await long("10000");
    const ex = h.exchange;
    const expiry = BigInt(await h.networkHelpers.time.latest()) + 1_000n;
    const limits = { priceBand: 5_000n, dailyNotional: UNLIMITED, lossLimit: 10n, equityFloor: 0n };
    await ex
      .connect(h.alice)
      .grant(h.alice, h.dave, { scopes: SCOPES.trade, markets: 1n, accounts: 1n, expiry, ...limits });
    const sale = () =>
      sign(h, { owner: h.dave, account: main(h.alice), size: "-2", price: "2000", executionFee: wad("5") });
    // A fee of 2 for the trade and 5 for its execution.
    await execute(h, await bid(h, "2", "2000"), await sale());
    expect((await ex.sessionKey(h.alice, h.dave)).lossLeft).to.equal(3_0000n);
    const orders = [await bid(h, "2", "2000"), await sale()];
    const over = [h.dave.address, 7_0000n, 3_0000n];
    await refused(h, () => execute(h, ...orders), "KeyLossLimit", over, ex);
    await ex.settle(orders, ONE);
    expect((await ex.sessionKey(h.alice, h.dave)).lossLeft).to.equal(1_0000n);
  });

  it("OB-1 over any partial fills add up to no more than the whole, and to exactly that in the end", async () => {
    const parts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(parts, fc.bigInt({ min: 1n, max: wad("90") }), fc.boolean(), async (cents, fee, isWhole) => {
        const h = await long("100000");
        const account = main(h.keeper);
        const sale = await sign(h, { owner: h.alice, size: "-10", price: "1900", executionFee: fee });
        let paid = 0n;
        for (const part of isWhole ? [...cents, 1000] : cents) {
          if ((await h.exchange.filled(main(h.alice), sale.order.nonce)) === wad("10")) break;
          const size = BigInt(part) * 10n ** 16n + BigInt(part % 7) * 10n ** 9n;
          const terms = { market: BigInt(ETH), limitPrice: wad("2000"), expiry: NEVER, resting: true };
          await execute(h, await h.order(h.carol, { ...terms, size }), sale);
          const filled = await h.exchange.filled(main(h.alice), sale.order.nonce);
          paid = await cashOf(h, account);
          expect(paid).to.equal((fee * filled) / wad("10"));
        }
        if (isWhole) expect(paid).to.equal(fee);
        expect(await cashOf(h, accountId(h.keeper.address))).to.be.at.most(fee);
      }),
      { numRuns: 25 },
    );
  });
});
