import { expect } from "chai";
import fc from "fast-check";

import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { transferCall, UnknownSymbol, withdrawCall } from "../../src/sdk/calls.ts";
import { NoSigner, Plimsoll, WrongChain } from "../../src/sdk/client.ts";
import { ContractError } from "../../src/sdk/errors.ts";
import { buildOrder, hashOrder, InvalidOrder, signOrder, verifyOrder } from "../../src/sdk/orders.ts";
import { BTC, ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

const HOUR = 3600;

describe("orders", () => {
  it("hash as Exchange.hashOrder does, whatever they say", async () => {
    const { exchange, addressBook } = await freshHouse();
    const uint = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
    const order = fc.record({
      account: uint(256),
      market: uint(256),
      size: fc.bigInt({ min: -(1n << 255n), max: (1n << 255n) - 1n }),
      limitPrice: uint(256),
      expiry: uint(256),
      nonce: uint(256),
      epoch: uint(256),
      resting: fc.boolean(),
      postOnly: fc.boolean(),
      reduceOnly: fc.boolean(),
      fillOrKill: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(order, async (o) => {
        expect(hashOrder(addressBook, o)).to.equal(await exchange.hashOrder(o));
      }),
      { numRuns: 50 },
    );
  });

  it("are verified against the account's owner", async () => {
    const { alice, bob, addressBook } = await freshHouse();
    const fields = { market: 0n, size: wad("1"), limitPrice: wad("2000"), nonce: 1n };
    const order = buildOrder({ account: accountId(alice.address), ...fields });
    expect(verifyOrder(addressBook, { order, signature: await signOrder(alice, addressBook, order) })).to.equal(true);
    expect(verifyOrder(addressBook, { order, signature: await signOrder(bob, addressBook, order) })).to.equal(false);
    expect(verifyOrder(addressBook, { order, signature: "0x1234" })).to.equal(false);
  });

  it("that no exchange would settle are refused when they are built", () => {
    const good = { account: 1n << 96n, market: 0n, size: wad("1"), limitPrice: wad("2000"), nonce: 1n };
    expect(buildOrder({ ...good, postOnly: true }).resting).to.equal(true);
    for (const bad of [
      { size: 0n },
      { size: 1n },
      { limitPrice: 0n },
      { nonce: 1n << 64n },
      { postOnly: true, resting: false },
      { fillOrKill: true, resting: true },
    ]) {
      expect(() => buildOrder({ ...good, ...bad })).to.throw(InvalidOrder);
    }
  });
});

describe("client", () => {
  const clients = async (house: Fixture) => ({
    alice: await Plimsoll.connect(house.addressBook, house.alice),
    bob: await Plimsoll.connect(house.addressBook, house.bob),
  });

  it("deposits, trades two signed orders, moves, settles up and withdraws", async () => {
    const house = await freshHouse();
    const { alice, bob } = await clients(house);
    const [a, b] = [accountId(house.alice.address), accountId(house.bob.address)];
    await house.usdc.mint(house.alice, 10_000_000_000n);
    await house.usdc.mint(house.bob, 10_000_000_000n);
    await alice.deposit(a, "USDC", "10000");
    await bob.deposit(b, "USDC", "10000");

    const market = ETH;
    const ask = await alice.order({ account: a, market, size: "-1.5", limitPrice: "2001", nonce: 1n, postOnly: true });
    const bid = await bob.order({ account: b, market, size: "1.5", limitPrice: "2005", nonce: 1n });
    await bob.settleOrders([ask, bid], [{ maker: 0, taker: 1 }]);

    // Bob bought 1.5 at 2001, the index is 2000, the taker's fee 1.5 · 2001 · 0.05 % = 1.50075
    expect((await bob.health(b)).equity).to.equal(wad("9996.99925"));
    expect((await alice.health(a)).equity).to.equal(wad("10001.5"));

    const second = accountId(house.bob.address, 1);
    await bob.transfer(b, second, "USDC", "500");
    await bob.batch([
      transferCall(house.addressBook, second, b, "USDC", "100"),
      withdrawCall(house.addressBook, second, "USDC", "400", house.bob.address),
    ]);
    await bob.withdraw(b, "USDC", "1000");
    expect(await house.usdc.balanceOf(house.bob)).to.equal(1_400_000_000n);
    expect((await bob.health(b)).equity).to.equal(wad("8596.99925"));
    expect(await bob.health(second)).to.include({ equity: 0n, state: "healthy", ratio: undefined });
  });

  it("MAM-5 health equals the contract's assessment to the wei", async () => {
    const house = await freshHouse();
    const { alice } = await clients(house);
    const isolated = isolatedAccountId(house.dave.address, ETH);
    const ids = [house.alice, house.bob, house.carol].map((s) => accountId(s.address)).concat(isolated);
    await house.fund(house.alice, { cash: "20000", weth: "3.123456789" });
    await house.fund(house.bob, { cash: "15000", wbtc: "0.1234" });
    await house.fund(house.carol, { cash: "9000", weth: "1.7", wbtc: "0.5" });
    await house.fund(house.dave, { cash: "1000" }, isolated);
    await house.trade(house.alice, house.bob, ETH, "4.37", "2007.3");
    await house.trade(house.bob, house.carol, BTC, "0.731", "29993.1");
    await house.trade(house.carol, house.dave, ETH, "-1.01", "1999.99", { taker: isolated });
    const steps: [number, string, string][] = [
      [7 * HOUR, "2100.17", "28123.45"],
      [13 * HOUR, "1871.03", "31999.99"],
      [2 * HOUR, "1500.5", "25000.1"],
    ];
    for (const [seconds, eth, btc] of steps) {
      await house.pass(seconds);
      await house.clearingHouse.accrueFunding(ETH);
      await house.setPrice(ETH, eth);
      await house.setPrice(BTC, btc);
      for (const id of ids) {
        const health = await alice.health(id);
        const onChain = await house.clearingHouse.assess(id, { blockTag: health.block });
        expect(health.equity).to.equal(onChain.equity);
        expect(health.initialMargin).to.equal(onChain.initialMargin);
        expect(health.maintenanceMargin).to.equal(onChain.maintenanceMargin);
        const states = ["healthy", "marginCall", "liquidatable", "bankrupt"];
        expect(health.state).to.equal(states[Number(await house.clearingHouse.marginState(id))]);
      }
    }
    expect((await house.clearingHouse.fundingIndices(ETH))[0]).to.not.equal(0n); // funding was part of it
  });

  it("MMS-7 what-if foretells the assessment after a trade", async () => {
    const house = await freshHouse();
    const { bob } = await clients(house);
    const id = accountId(house.bob.address);
    await house.fund(house.alice, { cash: "50000" });
    await house.fund(house.bob, { cash: "5000", weth: "2" });
    const foretold = await bob.whatIf(id, { market: ETH, size: "-3", price: "2002" });
    await house.trade(house.alice, house.bob, ETH, "-3", "2002");
    const after = await house.clearingHouse.assess(id);
    expect(foretold.assessment.equity).to.equal(after.equity);
    expect(foretold.assessment.initialMargin).to.equal(after.initialMargin);
    expect(foretold.assessment.maintenanceMargin).to.equal(after.maintenanceMargin);
    expect(foretold.fee).to.equal(wad("3.003")); // 3 · 2002 · 0.05 %
  });

  it("MAM-7 liquidation price: the contract agrees on both sides of it", async () => {
    const house = await freshHouse();
    const { bob } = await clients(house);
    const id = accountId(house.bob.address);
    await house.fund(house.alice, { cash: "50000" });
    await house.fund(house.bob, { cash: "1001" });
    await house.trade(house.alice, house.bob, ETH, "1", "2000");
    const { down, up } = (await bob.liquidationPrices(id)).get(ETH) ?? {};
    expect(up).to.equal(undefined);
    // E = 1000 + P − 2000; MM = 3 % · P + P² · 2 % / 50,000,000: equal at P = 1,030.93 and a little, for the charge
    expect(down! > wad("1030.9") && down! < wad("1032")).to.equal(true);
    const cents = 10n ** 10n; // the feed has 8 decimals
    const below = down! / cents;
    await house.feeds[ETH].updateAnswer(below);
    expect(await house.clearingHouse.marginState(id)).to.equal(2n);
    await house.feeds[ETH].updateAnswer(below + 1n);
    expect(await house.clearingHouse.marginState(id)).to.equal(1n);
  });

  it("LIQ-6 flags and liquidates; a healthy account is refused with the numbers", async () => {
    const house = await freshHouse();
    const id = accountId(house.bob.address);
    const keeper = await Plimsoll.connect(house.addressBook, house.keeper);
    const taker = accountId(house.keeper.address);
    await house.fund(house.alice, { cash: "50000" });
    await house.fund(house.bob, { cash: "1001" });
    await house.fund(house.keeper, { cash: "50000" });
    await house.trade(house.alice, house.bob, ETH, "1", "2000");
    const refused: unknown = await keeper.liquidate(id, taker).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ContractError).with.property("name", "NotLiquidatable");
    expect((refused as ContractError).args).to.include({ account: id, equity: wad("1000") });
    await house.setPrice(ETH, "1030");
    await keeper.flag(id);
    await keeper.liquidate(id, taker);
    expect((await keeper.health(id)).state).to.equal("healthy");
    expect((await house.clearingHouse.position(taker, ETH)).size > 0n).to.equal(true);
  });

  it("refuses a wrong chain, an unknown symbol, and to send without a signer", async () => {
    const { addressBook, alice, ethers } = await freshHouse();
    const outcome = async (act: () => Promise<unknown>): Promise<unknown> => act().catch((error: unknown) => error);
    const other = { ...addressBook, chainId: 1 };
    expect(await outcome(() => Plimsoll.connect(other, alice))).to.be.instanceOf(WrongChain);
    const client = await Plimsoll.connect(addressBook, alice);
    expect(await outcome(() => client.deposit(1n, "DAI", "1"))).to.be.instanceOf(UnknownSymbol);
    const reader = await Plimsoll.connect(addressBook, ethers.provider);
    expect(await outcome(() => reader.flag(1n))).to.be.instanceOf(NoSigner);
  });
});
