import { expect } from "chai";
import fc from "fast-check";

import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { lendCall, recallCall, transferCall, UnknownSymbol, withdrawCall } from "../../src/sdk/calls.ts";
import { NoSigner, Plimsoll, WrongChain } from "../../src/sdk/client.ts";
import { ContractError } from "../../src/sdk/errors.ts";
import { buildOrder, hashOrder, InvalidOrder, signOrder, verifyOrder } from "../../src/sdk/orders.ts";
import type { SignedOrder } from "../../src/sdk/orders.ts";
import { buildGrant, InvalidGrant, UNLIMITED } from "../../src/sdk/sessionKeys.ts";
import { settlementOf } from "../../src/sdk/settlements.ts";
import { formatAmount } from "../../src/sdk/units.ts";
import { BTC, ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
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
      triggerAbove: uint(256),
      triggerBelow: uint(256),
      executionFee: uint(256),
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
      { triggerAbove: wad("1"), resting: true },
      { triggerBelow: -1n },
      { triggerAbove: wad("2"), triggerBelow: wad("1") },
      { executionFee: -1n },
      { executionFee: wad("20") + 1n },
    ]) {
      expect(() => buildOrder({ ...good, ...bad })).to.throw(InvalidOrder);
    }
  });
});

/** The name of the error that a contract refused with. */
const refusal = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "went through",
    (error: unknown) => (error instanceof ContractError ? error.name : String(error)),
  );

describe("grants", () => {
  it("AUTH-2 are narrow unless they say otherwise, and are refused when they cannot be made", () => {
    const { scopes, markets, accounts, priceBand, dailyNotional } = buildGrant({
      scopes: ["trade", "grant"],
      markets: [0, 5],
    });
    expect([scopes, markets, accounts, priceBand, dailyNotional]).to.deep.equal([129n, 33n, 1n, 1_000_000n, UNLIMITED]);
    expect(buildGrant({ scopes: ["reduce"], accounts: [0, 31], lossLimit: 7 })).to.include({
      markets: (1n << 64n) - 1n,
      accounts: (1n << 31n) + 1n,
      lossLimit: 7n,
    });
    const good = { scopes: ["trade"] as const };
    for (const bad of [
      { scopes: [] },
      { markets: [] },
      { markets: [64] },
      { accounts: [32] },
      { priceBand: 1_000_001 },
      { dailyNotional: 10e9 + 1 },
      { lossLimit: 100e6 + 1 },
      { lossLimit: -1 },
      { lossLimit: 0.5 },
      { equityFloor: 2 ** 48 },
      { expiry: 2 ** 32 },
    ]) {
      expect(() => buildGrant({ ...good, ...bad }), JSON.stringify(bad)).to.throw(InvalidGrant);
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
    const ask = await alice.order({ account: a, market, size: "-1.5", limitPrice: "2000", nonce: 1n, postOnly: true });
    const bid = await bob.order({ account: b, market, size: "1.5", limitPrice: "2005", nonce: 1n });
    await bob.settleOrders([ask, bid], [{ maker: 0, taker: 1 }]);

    // Bob bought 1.5 at the index of 2000, so no funding runs; the taker's fee is 1.5 · 2000 · 0.05 % = 1.5
    expect((await bob.health(b)).equity).to.equal(wad("9998.5"));
    expect((await alice.health(a)).equity).to.equal(wad("10000"));

    const second = accountId(house.bob.address, 1);
    await bob.transfer(b, second, "USDC", "500");
    await bob.batch([
      transferCall(house.addressBook, second, b, "USDC", "100"),
      withdrawCall(house.addressBook, second, "USDC", "400", house.bob.address),
    ]);
    await bob.withdraw(b, "USDC", "1000");
    expect(await house.usdc.balanceOf(house.bob)).to.equal(1_400_000_000n);
    expect((await bob.health(b)).equity).to.equal(wad("8598.5"));
    expect(await bob.health(second)).to.include({ equity: 0n, state: "healthy", ratio: undefined });
  });

  it("OB-1 OB-2 brackets a position, which anybody closes for the fee; settles each match by itself", async () => {
    const house = await freshHouse();
    const { alice, bob } = await clients(house);
    const [a, b] = [accountId(house.alice.address), accountId(house.bob.address)];
    await house.fund(house.alice, { cash: "10000" });
    await house.fund(house.bob, { cash: "10000" });
    const ask = (nonce: bigint) =>
      bob.order({ account: b, market: ETH, size: "-1", limitPrice: "2000", nonce, postOnly: true });
    const bid = await alice.order({ account: a, market: ETH, size: "2", limitPrice: "2000", nonce: 1n });
    const matches = [0, 1].map((maker) => ({ maker, taker: 2 }));
    await bob.cancel(b, [1n]);
    await bob.settleEach([await ask(1n), await ask(2n), bid], matches);
    expect((await house.clearingHouse.position(a, ETH)).size).to.equal(wad("1"));
    const terms = { account: a, market: ETH, size: "1", stop: "1900", target: "2100", executionFee: "3", nonce: 2n };
    const [stop, target] = await alice.bracket(terms);
    await house.setPrice(ETH, "2105");
    const buy = await bob.order({ account: b, market: ETH, size: "1", limitPrice: "2105", nonce: 3n, resting: true });
    const execute = (order: SignedOrder) => bob.settleForFee([buy, order], [{ maker: 0, taker: 1 }], b);
    expect(await refusal(execute(stop))).to.equal("OrderNotTriggered");
    await execute(target);
    // 105 less the fees of 2,000 and of 2,105 at 0.05 %, 2.0525, and 3 for the execution
    expect((await house.clearingHouse.account(a)).cash).to.equal(wad("10099.9475"));
    expect(await refusal(execute(stop))).to.equal("OrderCancelledOrFilled");
  });

  it("OB-2 tells of each match of a settlement what it has filled, or why it was left out", async () => {
    const house = await freshHouse();
    const { alice, bob } = await clients(house);
    const [a, b] = [accountId(house.alice.address), accountId(house.bob.address)];
    await house.fund(house.alice, { cash: "10000" });
    await house.fund(house.bob, { cash: "10000" });
    const terms = { market: ETH, limitPrice: "2000" };
    const bid = await alice.order({ account: a, ...terms, size: "2", nonce: 1n });
    const asks = await Promise.all(
      ["1999", "1998", "2000"].map((limitPrice, i) =>
        bob.order({ account: b, ...terms, limitPrice, size: `-0.${i + 1}`, nonce: BigInt(i), postOnly: true }),
      ),
    );
    await bob.cancel(b, [1n]);
    const matches = asks.map((_, maker) => ({ maker, taker: 3 }));
    const receipt = await bob.settleEach([...asks, bid], matches);
    const [first, left, last] = settlementOf(house.addressBook, receipt, matches).matches;
    expect(first).to.deep.equal({ ...matches[0], settled: true, size: wad("0.1"), price: wad("1999") });
    expect(left).to.include({ settled: false }).and.have.nested.property("reason.name", "OrderCancelledOrFilled");
    expect(last).to.deep.equal({ ...matches[2], settled: true, size: wad("0.3"), price: wad("2000") });
  });

  it("AUTH-2 AUTH-8 lets a key trade and cancel in the owner's place until it is revoked", async () => {
    const house = await freshHouse();
    const { alice, bob } = await clients(house);
    const bot = await Plimsoll.connect(house.addressBook, house.carol);
    const [a, b] = [accountId(house.alice.address), accountId(house.bob.address)];
    await house.fund(house.alice, { cash: "10000" });
    await house.fund(house.bob, { cash: "10000" });
    const name = { owner: house.alice.address, key: house.carol.address };
    await alice.grantKey(name, { scopes: ["trade", "cancel"], markets: [ETH], dailyNotional: 5_000, lossLimit: 20 });
    const terms = { market: ETH, limitPrice: "2000" };
    const ask = (nonce: bigint) => bot.order({ account: a, ...terms, size: "-1", nonce, postOnly: true });
    const bid = (nonce: bigint) => bob.order({ account: b, ...terms, size: "1", nonce });
    const settle = async (nonce: bigint) =>
      bob.settleOrders([await ask(nonce), await bid(nonce)], [{ maker: 0, taker: 1 }]);
    await settle(1n);
    expect((await alice.exchange.sessionKey(name.owner, name.key)).notionalLeft).to.equal(300_000n); // 5,000 − 2,000
    await bot.cancel(a, [2n]);
    expect(await refusal(settle(2n))).to.equal("OrderCancelledOrFilled");
    await alice.revokeKey(name);
    expect(await refusal(settle(3n))).to.equal("KeyIsRevoked");
    await alice.revokeAll();
    const { epoch } = await alice.exchange.ownerState(name.owner);
    expect(epoch).to.equal(1n);
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

  it("lends, borrows by withdrawing, repays by depositing and recalls, with rates as the pool's utilisation says", async () => {
    const house = await freshHouse();
    const { alice, bob } = await clients(house);
    const [a, b] = [accountId(house.alice.address), accountId(house.bob.address)];
    await house.fund(house.alice, { cash: "10000" });
    await house.fund(house.bob, { weth: "5" });
    await alice.lend(a, "8000");
    expect(await alice.loans(a)).to.include({ lent: wad("8000"), debt: 0n });
    await bob.withdraw(b, "USDC", "3200");
    // borrowed 3,200 of 8,000 is a utilisation of 40 %, half the kink: 4 % / 2 a year; lenders get 90 % of 40 % of it
    const pool = await bob.lending();
    expect(pool.utilisation).to.equal(wad("0.4"));
    expect(pool.liquid).to.equal(wad("4800"));
    expect(pool.borrowRate <= wad("0.02") && pool.borrowRate > wad("0.0199999999")).to.equal(true);
    expect(pool.supplyRate <= wad("0.0072") && pool.supplyRate > wad("0.0071999999")).to.equal(true);
    expect((await bob.loans(b)).debt).to.equal(wad("3200"));
    expect((await bob.health(b)).equity).to.equal(wad("6800")); // 5 · 2,000 − 3,200

    const refused: unknown = await alice.recall(a, "5000").catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ContractError).with.property("name", "InsufficientLiquidity");
    await alice.batch([recallCall(house.addressBook, a, "800"), lendCall(house.addressBook, a, "100")]);
    expect((await house.clearingHouse.account(a)).cash).to.equal(wad("2700"));
    await house.fund(house.bob, { cash: "3300" });
    expect((await bob.loans(b)).debtShares).to.equal(0n);
    // he kept 3,300 − 3,200 less a few seconds of interest
    const { cash } = await house.clearingHouse.account(b);
    expect(cash < wad("100") && cash > wad("99.99")).to.equal(true);
  });

  it("MAM-5 health with debt and lent cash, a staked and a depegged collateral equals the contract's", async () => {
    const house = await freshHouse();
    const { alice } = await clients(house);
    const ids = [house.alice, house.bob, house.carol].map((s) => accountId(s.address));
    await house.fund(house.alice, { cash: "50000", usdt: "3000" });
    await house.fund(house.bob, { wsteth: "7.7", wbtc: "0.1" });
    await house.fund(house.carol, { cash: "6000", usdt: "2500", weth: "1" });
    await alice.lend(ids[0]!, "30000");
    await (await Plimsoll.connect(house.addressBook, house.bob)).withdraw(ids[1]!, "USDC", "9000");
    await house.trade(house.alice, house.carol, ETH, "5.5", "2004");
    await house.feeds[2].updateAnswer(97_000_000n); // USDT at 0.97
    await house.clearingHouse.delistCollateral(WETH);
    for (const eth of ["1900.01", "2222.22", "1500"]) {
      await house.pass(5 * 24 * HOUR);
      await house.setPrice(ETH, eth);
      for (const id of ids) {
        const health = await alice.health(id);
        const onChain = await alice.healthOnChain(id);
        const { equity, initialMargin, maintenanceMargin, state, ratio } = health;
        expect(onChain).to.include({ equity, initialMargin, maintenanceMargin, state, ratio });
      }
    }
  });

  it("MMS-7 previews trades, withdrawals and liquidations as they then come out, or with the reason of a refusal", async () => {
    const house = await freshHouse();
    const { bob } = await clients(house);
    const reader = await Plimsoll.connect(house.addressBook, house.ethers.provider);
    const [b, keeper] = [accountId(house.bob.address), accountId(house.keeper.address)];
    await house.fund(house.alice, { cash: "50000" });
    await house.fund(house.bob, { cash: "1001" });
    await house.fund(house.keeper, { cash: "50000" });
    const foretold = await reader.previewTrade(b, { market: ETH, size: "1" });
    await house.trade(house.alice, house.bob, ETH, "1", "2000");
    const { equity, initialMargin, maintenanceMargin } = await bob.healthOnChain(b);
    expect(foretold).to.deep.equal({ equity, initialMargin, maintenanceMargin });
    expect((await reader.previewWithdraw(b, "USDC", "100")).equity).to.equal(wad("900"));
    const refused: unknown = await reader.previewWithdraw(b, "USDC", "950").catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ContractError).with.property("name", "InsufficientMargin");

    await house.setPrice(ETH, "1030");
    const preview = await reader.previewLiquidation(b, keeper);
    await (await Plimsoll.connect(house.addressBook, house.keeper)).liquidate(b, keeper);
    const [event] = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
    expect(preview.fraction).to.equal(event!.args.fraction);
    expect(preview.after.equity).to.equal((await bob.healthOnChain(b)).equity);
    expect(preview.after.equity >= preview.after.initialMargin).to.equal(true);
  });

  it("MM-7 LIQ-7 says what cures a margin call", async () => {
    const house = await freshHouse();
    const { bob } = await clients(house);
    const b = accountId(house.bob.address);
    await house.fund(house.alice, { cash: "50000" });
    await house.fund(house.bob, { cash: "1020" });
    await house.trade(house.alice, house.bob, ETH, "10", "2000");
    expect(await bob.marginCall(b)).to.equal(undefined);
    await house.setPrice(ETH, "1990");
    // 10 long: E = 1,020 − 10 fee − 100 = 910; IM = 5/3 · (19,900 · 3 % + 19,900² · 2 % / 50 M) = 995.264 and a little
    const call = await bob.marginCall(b);
    expect(call?.closing).to.equal(undefined);
    expect(call!.deposit > wad("85.26") && call!.deposit < wad("85.27")).to.equal(true);
    await bob.flag(b);
    // closing 2 ETH costs 1.99 of fees and takes a fifth and more off IM: 908.01 against 796.2
    const { closing } = (await bob.marginCall(b))!;
    expect(closing!.size < 0n && closing!.size > wad("-2")).to.equal(true);
    await house.usdc.mint(house.bob, 100_000_000n);
    await bob.deposit(b, "USDC", formatAmount(call!.deposit / 10n ** 12n + 1n, 6));
    expect(await bob.marginCall(b)).to.equal(undefined);
    expect((await bob.health(b)).state).to.equal("healthy");
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
