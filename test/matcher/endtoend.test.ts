import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { Wallet } from "ethers";

import { ChainMirror } from "../../src/matcher/chain.ts";
import { commitmentOf } from "../../src/matcher/settlement.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { ANY } from "../../src/sdk/instructions.ts";
import { buildGrant } from "../../src/sdk/sessionKeys.ts";
import type { GrantTerms } from "../../src/sdk/sessionKeys.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { MockERC20__factory, MockWallet__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { get, post, Venue } from "./venue.ts";
import type { Answer, Served, Trader } from "./venue.ts";
import { until } from "../helpers/until.ts";

describe("matcher on a chain", () => {
  let venue: Venue;
  let served: Served;
  let [alice, bob, carol]: Trader[] = [];

  before(async () => {
    venue = await Venue.open();
    alice = await venue.trader("1000000");
    bob = await venue.trader("1000000");
    carol = await venue.trader("1000");
    served = await venue.serve();
  });
  after(async () => {
    await served.stop();
    await venue.close();
  });

  const positionOf = async ({ house, account }: Trader) => (await house.clearingHouse.position(account, 0)).size;
  const settled = () => until(() => served.matcher.engine.book.fills.size === 0, "for settlement");

  /** Waits until the matcher has read the chain's latest block. */
  async function caughtUp(): Promise<void> {
    const block = await venue.anvil.provider.getBlockNumber();
    await until(() => served.matcher.chain.head >= block, "for the chain to be read");
  }

  async function newTrader(cash: string): Promise<Trader> {
    const trader = await venue.trader(cash);
    await caughtUp();
    return trader;
  }

  async function put(trader: Trader, size: string, price: string, fields = {}): Promise<Answer> {
    return post(`${served.url}/orders`, await venue.order(trader, size, price, fields));
  }

  const orderOf = (answer: Answer) => answer.body.order as Record<string, unknown>;

  it("OB-1 OB-4 OB-7 settles what it has matched; partial fills, depth, states", async () => {
    const ask = await put(alice!, "-10", "2000", { resting: true });
    expect(ask.status, JSON.stringify(ask.body)).to.equal(200);
    expect(orderOf(ask).state).to.equal("open");
    const first = await put(bob!, "4", "2001");
    expect(orderOf(first), JSON.stringify(first.body)).to.deep.include({ state: "filled", filled: "4", open: "0" });
    const depth = await get(`${served.url}/markets/0/book`);
    expect(depth.body).to.deep.include({ bids: [], asks: [["2000", "6"]] });
    await put(bob!, "6", "2001");
    await settled();
    expect(await positionOf(bob!)).to.equal(parseWad("10"));
    expect(await positionOf(alice!)).to.equal(parseWad("-10"));
    const state = await get(`${served.url}/orders/${String(orderOf(ask).hash)}`);
    expect(state.body).to.deep.include({ state: "filled", filled: "10", settled: "10" });
    const fills = (await get(`${served.url}/markets/0/fills`)).body.fills as Record<string, unknown>[];
    expect(fills.map(({ state, size, price }) => [state, size, price])).to.deep.equal([
      ["settled", "4", "2000"],
      ["settled", "6", "2000"],
    ]);
  });

  it("OB-6 a settlement's calldata commits to the log", async () => {
    const fills = (await get(`${served.url}/markets/0/fills`)).body.fills as { transaction: string }[];
    const transaction = await venue.anvil.provider.getTransaction(fills[0]!.transaction);
    const { sequence, hash } = commitmentOf(transaction!.data);
    expect(sequence).to.be.greaterThan(0);
    expect(sequence).to.be.lessThan(served.matcher.engine.sequence);
    expect(hash).to.match(/^0x[0-9a-f]{64}$/);
  });

  it("OB-5 refuses what an account cannot margin, with the numbers, its other orders included", async () => {
    // 5 % of 2,000 · 8 = 800 and the fee of 8 leave 192 of 1,000; 2 more do not fit.
    const fits = await put(carol!, "8", "2000", { resting: true });
    expect(fits.status, JSON.stringify(fits.body)).to.equal(200);
    const tooMuch = await put(carol!, "4", "1999", { resting: true });
    expect(tooMuch.status).to.equal(422);
    expect(tooMuch.body.error).to.equal("InsufficientMargin");
    expect(BigInt(String(tooMuch.body.equity)) < BigInt(String(tooMuch.body.initialMargin))).to.equal(true);
    // The other side is another matter: only the worse one counts.
    const other = await put(carol!, "-8", "2005", { resting: true });
    expect(other.status, JSON.stringify(other.body)).to.equal(200);
    const instruction = await venue.instruction(carol!, {
      ...{ kind: "cancelMany", owner: carol!.wallet.address, account: ANY, market: ANY, belowNonce: ANY },
      stamp: Date.now(),
    });
    const cancelled = await post(`${served.url}/cancel-many`, instruction);
    expect(cancelled.body.cancelled).to.have.length(2);
    const repeated = await post(`${served.url}/cancel-many`, instruction);
    expect(repeated.body.error, "nobody can repeat an instruction").to.equal("StampInvalid");
  });

  it("OB-2 a maker whom the chain refuses is skipped, the taker continues with the next one", async () => {
    const dave = await newTrader("1000");
    await put(dave, "-5", "2000", { resting: true });
    await put(alice!, "-5", "2000.5", { resting: true });
    const before = await positionOf(bob!);
    // Dave's cash leaves on-chain in the very block that the matcher has not read when bob's order comes.
    served.matcher.chain.sync = () => Promise.reject(new Error("not now"));
    await dave.house.withdraw(dave.account, "USDC", "999");
    const taken = await put(bob!, "5", "2001");
    expect(orderOf(taken).filled).to.equal("5");
    delete (served.matcher.chain as { sync?: unknown }).sync;
    await until(async () => (await positionOf(bob!)) === before + parseWad("5"), "for bob");
    await settled();
    expect(await positionOf(dave)).to.equal(0n);
    const [failed] = [...served.matcher.engine.book.orders.values()].filter(
      ({ account }) => account.id === dave.account,
    );
    expect(failed?.reason).to.equal("settlementFailed");
    expect(failed?.detail).to.match(/^InsufficientMargin/);
  });

  it("OB-1 hears of cancellations, low nonces and epochs on the chain", async () => {
    const [one, two, three] = await Promise.all([
      put(alice!, "-1", "2005", { resting: true, nonce: 9000n }),
      put(alice!, "-1", "2006", { resting: true, nonce: 9001n }),
      put(alice!, "-1", "2007", { resting: true, nonce: 9002n }),
    ]);
    const reasonOf = async (answer: Answer) =>
      (await get(`${served.url}/orders/${String(orderOf(answer).hash)}`)).body.reason;
    await (await alice!.house.exchange.cancel(alice!.account, [9000n])).wait();
    await until(async () => (await reasonOf(one)) === "cancelledOnChain");
    await (await alice!.house.exchange.cancelBelow(9002n)).wait();
    await until(async () => (await reasonOf(two)) === "nonceTooLow");
    expect(await reasonOf(three)).to.equal(undefined);
    await (await alice!.house.exchange.revokeAll()).wait();
    await until(async () => (await reasonOf(three)) === "epochOver");
    const old = await put(alice!, "-1", "2005", { resting: true, nonce: 9003n });
    expect(old.body.error).to.equal("EpochMismatch");
  });

  it("OB-4 a reduce-only order is clipped to the position, and closes it on the chain", async () => {
    const [eve, frank] = [await newTrader("100000"), await newTrader("100000")];
    await put(eve, "-2", "2000", { resting: true });
    await put(frank, "2", "2000");
    await settled();
    await put(eve, "10", "2000", { resting: true });
    await until(() => served.matcher.engine.book.fills.size === 0);
    const close = await put(frank, "-5", "1999", { reduceOnly: true });
    expect(orderOf(close)).to.deep.include({ filled: "2", state: "cancelled", reason: "nothingToReduce" });
    await settled();
    expect(await positionOf(frank)).to.equal(0n);
    expect(await positionOf(eve)).to.equal(0n);
    await post(
      `${served.url}/cancel-many`,
      await venue.instruction(eve, {
        ...{
          kind: "cancelMany",
          owner: eve.wallet.address,
          account: ANY,
          market: 0n,
          belowNonce: ANY,
          stamp: Date.now(),
        },
      }),
    );
  });

  it("OB-4 a dead man's orders are cancelled in time", async () => {
    const frank = await newTrader("10000");
    const resting = await put(frank, "1", "1990", { resting: true });
    const beat = { kind: "heartbeat", owner: frank.wallet.address, timeout: 300, stamp: Date.now() } as const;
    const answer = await post(`${served.url}/heartbeat`, await venue.instruction(frank, beat));
    expect(Number(answer.body.deadline)).to.be.greaterThan(Date.now() - 1000);
    await until(
      async () => (await get(`${served.url}/orders/${String(orderOf(resting).hash)}`)).body.reason === "deadMan",
    );
  });

  it("AUTH-1 asks contract wallets, and refuses what they refuse", async () => {
    const wallet = await new MockWallet__factory(alice!.wallet).deploy(bob!.wallet.address);
    await wallet.waitForDeployment();
    const account = accountId(await wallet.getAddress());
    await bob!.house.deposit(account, "USDC", "10000");
    await caughtUp();
    const accepted = await put({ ...bob!, account }, "1", "1990", { resting: true });
    expect(accepted.status, JSON.stringify(accepted.body)).to.equal(200);
    const refused = await put({ ...alice!, account }, "1", "1990", { resting: true });
    expect(refused.body.error).to.equal("InvalidSignature");
  });

  it("OB-3 OB-5 cancels resting orders that the price has left without margin", async () => {
    const frank = await newTrader("1000");
    const eve = await newTrader("100000");
    await put(eve, "-8", "2000", { resting: true });
    await put(frank, "8", "2000");
    await settled();
    const resting = await put(frank, "0.5", "1990", { resting: true });
    expect(resting.status, JSON.stringify(resting.body)).to.equal(200);
    const { feed } = venue.book.underlyings[0]!;
    await setAnswer(venue.anvil, feed, 1950n * 10n ** 8n);
    await until(
      async () => (await get(`${served.url}/orders/${String(orderOf(resting).hash)}`)).body.reason === "margin",
    );
    await setAnswer(venue.anvil, feed, 2000n * 10n ** 8n);
    await until(() => served.matcher.chain.house.prices.get(0)?.price === parseWad("2000"));
  });

  /** What an owner has granted to a new key, and orders that the key signs for him. */
  async function grantKey(of: Trader, terms: Partial<GrantTerms> = {}, by: Trader = of): Promise<Trader> {
    const wallet = new Wallet(Wallet.createRandom().privateKey, venue.anvil.provider);
    await venue.fundGas(wallet.address);
    const grant = buildGrant({ scopes: ["trade"], ...terms });
    await (await by.house.exchange.grant(of.wallet.address, wallet.address, grant)).wait();
    await caughtUp();
    return { ...of, wallet, house: await Plimsoll.connect(venue.book, wallet) };
  }

  const stateOf = async (answer: Answer) => (await get(`${served.url}/orders/${String(orderOf(answer).hash)}`)).body;

  it("AUTH-2 REV-1 REV-2 settles what session keys sign, and takes their orders out when they, or those above them, die", async () => {
    const [eve, frank] = [await newTrader("100000"), await newTrader("100000")];
    const expiry = Math.floor(Date.now() / 1000) + 3600;
    const limits = { dailyNotional: 9000, lossLimit: 50, expiry };
    const manager = await grantKey(eve, { scopes: ["trade", "grant"], ...limits });
    const bot = await grantKey(eve, { ...limits, dailyNotional: 5000 }, manager);
    const resting = await put(bot, "-2", "2000", { resting: true });
    expect(resting.status, JSON.stringify(resting.body)).to.equal(200);
    await put(frank, "1", "2000");
    await settled();
    const low = await put(bot, "-0.1", "1999", { resting: true });
    expect(low.status, JSON.stringify(low.body)).to.equal(200);
    await put(frank, "0.1", "1999");
    await settled();
    expect(await positionOf(eve)).to.equal(parseWad("-1.1"));
    // 2,000 and 199.90 are traded, by the key above too; 0.1 was sold 1 below the index, and who makes pays no fee.
    const day = Math.floor((await venue.anvil.provider.getBlock("latest"))!.timestamp / 86_400);
    const left = { lossLeft: 499_000n, day };
    const mirror = new ChainMirror(venue.anvil.provider, venue.book, 0, 100); // that has seen none of these fills
    await mirror.sync();
    for (const { keys } of [served.matcher.chain, mirror]) {
      const known = ({ wallet }: Trader) => keys.get(eve.wallet.address.toLowerCase(), wallet.address.toLowerCase());
      expect(known(bot)).to.deep.include({ ...left, notionalLeft: 280_010n });
      expect(known(manager)).to.deep.include({ ...left, notionalLeft: 680_010n });
    }
    // Another order of 1.5 would need 3,000.
    const tooMuch = await put(bot, "-1.5", "2000", { resting: true });
    expect(tooMuch.body).to.deep.include({ error: "KeyNotionalLimit", notional: "300000", left: "280010" });
    await (await eve.house.exchange.revoke(eve.wallet.address, manager.wallet.address)).wait();
    await until(async () => (await stateOf(resting)).reason === "keyRevoked", "for the revocation");
    expect((await put(bot, "-1", "2000")).body.error).to.equal("KeyIsRevoked");
  });

  it("REV-1 ends a key's orders when its new grant allows less, and an owner's when his dead-man switch lapses", async () => {
    const eve = await newTrader("100000");
    const bot = await grantKey(eve);
    const resting = await put(bot, "1", "1990", { resting: true });
    const grant = buildGrant({ scopes: ["trade"], markets: [1] });
    await (await eve.house.exchange.grant(eve.wallet.address, bot.wallet.address, grant)).wait();
    await until(async () => (await stateOf(resting)).reason === "keyNarrowed", "for the new grant");
    const own = await put(eve, "1", "1990", { resting: true });
    const now = (await venue.anvil.provider.getBlock("latest"))!.timestamp;
    await (await eve.house.exchange.setDeadMan(eve.wallet.address, now + 2, 0n)).wait();
    await until(async () => (await stateOf(own)).reason === "ownerSilent", "for the dead-man switch");
    await sleep(1000);
    expect((await put(eve, "1", "1990", { resting: true })).body.error).to.equal("OwnerSilent");
    const next = 1n + BigInt(String((await stateOf(own)).nonce));
    await (await eve.house.exchange.setDeadMan(eve.wallet.address, 0, next)).wait();
    await caughtUp();
    expect((await put(eve, "1", "1990", { resting: true })).status).to.equal(200);
  });

  it("OB-2 AUTH-2 takes out the order whose key has reached its limit, and settles the others", async () => {
    const [eve, dave, frank] = [await newTrader("100000"), await newTrader("100000"), await newTrader("100000")];
    const bot = await grantKey(eve, { dailyNotional: 3000 });
    const before = await positionOf(dave);
    // Either fits into the day's 3,000, both do not.
    const one = await put(bot, "-1", "1995.1", { resting: true });
    const two = await put(bot, "-1", "1995.2", { resting: true });
    await put(dave, "-1", "1995.3", { resting: true });
    const taken = await put(frank, "2", "1995.3");
    expect(orderOf(taken).filled, JSON.stringify(taken.body)).to.equal("2");
    await settled();
    expect(await stateOf(one)).to.deep.include({ state: "filled", settled: "1" });
    const refused = await stateOf(two);
    expect(refused).to.deep.include({ state: "cancelled", reason: "settlementFailed", settled: "0" });
    expect(refused.detail).to.match(/^KeyNotionalLimit/);
    expect(await stateOf(taken)).to.deep.include({ state: "filled", settled: "2" });
    expect([await positionOf(frank), (await positionOf(dave)) - before]).to.deep.equal([parseWad("2"), -parseWad("1")]);
  });

  it("OB-2 AUTH-2 blames the key that would breach its floor on equity, and takes out its other orders", async () => {
    const [eve, frank] = [await newTrader("100000"), await newTrader("100000")];
    await eve.house.trackFlows(eve.account, true);
    const bot = await grantKey(eve, { equityFloor: 100_000 });
    const losing = await put(bot, "1", "2001", { resting: true }); // the index is at 2,000
    const other = await put(bot, "1", "1991", { resting: true });
    const own = await put(eve, "1", "1991", { resting: true });
    const taken = await put(frank, "-1", "2001");
    expect(orderOf(taken)).to.deep.include({ filled: "1" });
    await settled();
    expect((await stateOf(losing)).detail).to.match(/^KeyEquityFloor/);
    const reasons = await Promise.all(
      [losing, other, own, taken].map(async (answer) => (await stateOf(answer)).reason),
    );
    expect(reasons).to.deep.equal(["keyFloor", "keyFloor", undefined, "immediateOrCancel"]);
    await (await eve.house.exchange.revokeAll()).wait();
    await until(async () => (await stateOf(own)).reason === "epochOver");
  });

  it("AUTH-5 follows lockdown and unlock, also through a reorganisation", async () => {
    const [eve, frank] = [await newTrader("100000"), await newTrader("100000")];
    const owner = eve.wallet.address;
    await eve.house.setGuard({ guardian: frank.wallet.address, delay: 3600, restricted: false });
    await put(frank, "-1", "2000", { resting: true });
    await put(eve, "1", "2000");
    await settled();
    const first = await put(eve, "1", "1985", { resting: true });
    const { provider } = venue.anvil;
    const snapshot = (await provider.send("evm_snapshot", [])) as string;
    await frank.house.lockDown(owner);
    await until(async () => (await stateOf(first)).reason === "lockedDown", "for the lockdown");
    expect((await put(eve, "1", "1985", { resting: true, epoch: 1n })).body.error).to.equal("LockedDown");
    const reduces = { resting: true, reduceOnly: true, epoch: 1n };
    const paid = await put(eve, "-1", "2008", { ...reduces, executionFee: 1n });
    expect([paid.status, paid.body.error]).to.deep.equal([422, "LockedDown"]);
    const exit = await put(eve, "-1", "2008", reduces);
    expect(exit.status, JSON.stringify(exit.body)).to.equal(200);
    await provider.send("evm_revert", [snapshot]);
    await provider.send("anvil_mine", ["0x5"]);
    await until(async () => (await stateOf(exit)).reason === "epochOver", "for the reorganisation");
    const second = await put(eve, "1", "1985", { resting: true });
    expect(second.status, JSON.stringify(second.body)).to.equal(200);
    await frank.house.lockDown(owner);
    await until(async () => (await stateOf(second)).reason === "lockedDown", "for the lockdown");
    await frank.house.unlock(owner);
    await caughtUp();
    const third = await put(eve, "1", "1985", { resting: true, epoch: 1n });
    expect(third.status, JSON.stringify(third.body)).to.equal(200);
    await (await eve.house.exchange.revokeAll()).wait();
    await until(async () => (await stateOf(third)).reason === "epochOver");
  });

  it("OB-1 the only post-only one of two resting orders is the maker, on the chain too", async () => {
    const [eve, frank] = [await newTrader("100000"), await newTrader("100000")];
    await put(eve, "-1", "1996", { resting: true, postOnly: true });
    const taken = await put(frank, "1", "1998", { resting: true });
    expect(orderOf(taken)).to.deep.include({ state: "filled" });
    await settled();
    expect(await stateOf(taken)).to.deep.include({ settled: "1" });
    // Price · size and funding are equal and opposite: what is left are the fees, 0.05 % of 1,996 for the taker and none for the maker.
    const positions = [eve, frank].map(({ house, account }) => house.clearingHouse.position(account, 0));
    const quotes = (await Promise.all(positions)).map(({ quote }) => quote);
    const rounded = quotes.reduce((sum, quote) => sum + quote) + parseWad("0.998");
    expect(rounded === 0n || rounded === -1n, "funding is rounded against either").to.equal(true);
  });

  it("OB-1 a settled fill that a reorganisation takes back is open again for whom it rested, and is not sent twice", async () => {
    const [eve, frank] = [await newTrader("100000"), await newTrader("100000")];
    const resting = await put(eve, "-3", "1995", { resting: true });
    const { provider } = venue.anvil;
    const snapshot = (await provider.send("evm_snapshot", [])) as string;
    const taken = await put(frank, "1", "1995");
    await settled();
    await until(() => served.matcher.engine.sent.length === 0);
    expect(await positionOf(frank)).to.equal(parseWad("1"));
    expect(await stateOf(resting)).to.deep.include({ open: "2", settled: "1" });
    await provider.send("evm_revert", [snapshot]);
    await provider.send("anvil_mine", ["0x5"]); // another branch, longer than the one that is gone
    await until(async () => (await stateOf(resting)).open === "3", "for the reorganisation");
    expect(await positionOf(frank)).to.equal(0n);
    expect(await stateOf(taken), "what took is told of as before").to.deep.include({ state: "filled", settled: "1" });
    expect(served.matcher.engine.book.fills.size, "nothing is sent again").to.equal(0);
    await put(frank, "3", "1995");
    await settled();
    expect(await positionOf(frank)).to.equal(parseWad("3"));
    expect(await positionOf(eve)).to.equal(-parseWad("3"));
  });

  /** Serves anew, and collects execution fees into an account that has nothing. */
  async function serveForFees(running: boolean): Promise<Trader> {
    await served.stop();
    const collector = await venue.trader("1");
    await collector.house.withdraw(collector.account, "USDC", "1");
    served = await venue.serve({ FEE_ACCOUNT: `0x${collector.account.toString(16).padStart(64, "0")}` }, running);
    return collector;
  }

  const BTC = 1;
  const btcPositionOf = async ({ house, account }: Trader) => (await house.clearingHouse.position(account, BTC)).size;
  const cashOf = async ({ house, account }: Trader) => (await house.clearingHouse.account(account)).cash;

  async function btcIs(usd: bigint): Promise<void> {
    await setAnswer(venue.anvil, venue.book.underlyings[BTC]!.feed, usd * 10n ** 8n);
  }

  /** Opens a long position of 1 BTC at 30,000 and signs what closes it at 29,900, or at 30,100, and pays 3 for that. */
  async function longWithBracket(trader: Trader, seller: Trader): Promise<{ loss: Answer; profit: Answer }> {
    await put(seller, "-1", "30000", { market: 1n, resting: true });
    await put(trader, "1", "30000", { market: 1n });
    const nonce = 77_000n;
    const bracket = { market: 1n, reduceOnly: true, executionFee: parseWad("3"), nonce };
    const loss = await put(trader, "-1", "28405", { ...bracket, triggerBelow: parseWad("29900") });
    const profit = await put(trader, "-1", "29000", { ...bracket, triggerAbove: parseWad("30100") });
    expect([loss.status, profit.status], JSON.stringify([loss.body, profit.body])).to.deep.equal([200, 200]);
    return { loss, profit };
  }

  it("OB-1 OB-7 a new price releases a held stop-loss, which is settled for its fee; the other leg ends", async () => {
    const collector = await serveForFees(true);
    const [eve, frank, dave] = [await newTrader("100000"), await newTrader("100000"), await newTrader("100000")];
    const { loss, profit } = await longWithBracket(eve, frank);
    await settled();
    expect(await stateOf(loss)).to.deep.include({ state: "held", reason: "untriggered", executionFee: "3" });
    expect((await get(`${served.url}/markets/1/book`)).body, "held orders are no depth").to.deep.include({ asks: [] });
    await put(dave, "1", "29880", { market: 1n, resting: true });
    await btcIs(29_950n);
    await caughtUp();
    expect(await btcPositionOf(eve)).to.equal(parseWad("1"));
    await btcIs(29_900n);
    await until(async () => (await btcPositionOf(eve)) === 0n, "for the stop-loss");
    await settled();
    expect(await stateOf(loss)).to.deep.include({ state: "filled", settled: "1" });
    await until(async () => (await stateOf(profit)).state !== "held", "for the other leg");
    expect(await stateOf(profit)).to.deep.include({ state: "cancelled", reason: "nonceFilled" });
    expect(await cashOf(collector)).to.equal(parseWad("3"));
    // 120 of loss, fees of 0.05 % of 30,000 and of 29,880: 15 and 14.94, and 3 for the execution
    expect(await cashOf(eve)).to.equal(parseWad("99847.06"));
    await btcIs(30_000n);
    await caughtUp();
  });

  it("OB-1 settles a stop-loss without its fee if its account cannot pay that", async () => {
    const collector = await serveForFees(true);
    const [eve, frank, dave] = [await newTrader("1"), await newTrader("100000"), await newTrader("100000")];
    const weth = venue.book.collaterals.find(({ symbol }) => symbol === "WETH")!;
    await (await MockERC20__factory.connect(weth.token, eve.wallet).mint(eve.wallet.address, 10n ** 19n)).wait();
    await eve.house.deposit(eve.account, "WETH", "10");
    await eve.house.withdraw(eve.account, "USDC", "1");
    await caughtUp();
    const { loss } = await longWithBracket(eve, frank);
    await settled();
    await put(dave, "1", "29880", { market: 1n, resting: true });
    await btcIs(29_900n);
    await until(async () => (await btcPositionOf(eve)) === 0n, "for the stop-loss");
    await until(async () => (await stateOf(loss)).settled === "1");
    expect([await cashOf(eve), await cashOf(collector)]).to.deep.equal([0n, 0n]);
    await btcIs(30_000n);
    await caughtUp();
  });

  it("OB-2 holds a stop-loss again if the price goes back before its settlement, and its maker keeps his place", async () => {
    const collector = await serveForFees(false);
    const { matcher } = served;
    const [eve, frank, dave] = [
      await venue.trader("100000"),
      await venue.trader("100000"),
      await venue.trader("100000"),
    ];
    await matcher.sync();
    const { loss } = await longWithBracket(eve, frank);
    expect((await matcher.settlement.pass()).result).to.equal("settled");
    const bid = await put(dave, "1", "29880", { market: 1n, resting: true });
    await btcIs(29_900n);
    await matcher.sync();
    expect(await stateOf(loss)).to.deep.include({ state: "filled", settled: "0" });
    await btcIs(29_901n);
    const { result, reason } = await matcher.settlement.pass();
    expect([result, reason?.slice(0, 17)]).to.deep.equal(["refused", "OrderNotTriggered"]);
    expect(await stateOf(loss)).to.deep.include({ state: "held", reason: "priceWentBack", open: "1" });
    expect(await stateOf(bid)).to.deep.include({ state: "open", open: "1" });
    const fills = (await get(`${served.url}/markets/1/fills`)).body.fills as { state: string; reason?: string }[];
    expect(fills.at(-1)?.reason).to.match(/^OrderNotTriggered/);
    await btcIs(29_899n);
    await matcher.sync();
    expect((await matcher.settlement.pass()).result).to.equal("settled");
    expect(await stateOf(loss)).to.deep.include({ state: "filled", settled: "1" });
    expect(await cashOf(collector)).to.equal(parseWad("3"));
    await btcIs(30_000n);
    await matcher.sync();
  });

  it("restarts with the same book, and settles what was left once", async () => {
    await served.stop();
    served = await venue.serve({}, false); // it matches, but does not settle
    const [eve, frank] = [await venue.trader("100000"), await venue.trader("100000")];
    await served.matcher.sync();
    await put(eve, "-3", "2001", { resting: true });
    await put(frank, "2", "2001");
    const held = await put(frank, "1", "2300", { triggerAbove: parseWad("2200") });
    const { engine } = served.matcher;
    const hash = engine.hash.toString("hex");
    const depth = (await get(`${served.url}/markets/0/book`)).body;
    const fills = (await get(`${served.url}/markets/0/fills`)).body.fills as { state: string }[];
    expect(new Set(fills.map(({ state }) => state))).to.deep.equal(new Set(["settled", "failed", "pending"]));
    expect(engine.book.fills.size).to.equal(1);
    await served.stop();
    served = await venue.serve({}, false);
    expect(served.matcher.engine.sequence).to.be.at.least(engine.sequence);
    if (served.matcher.engine.sequence === engine.sequence) {
      expect(served.matcher.engine.hash.toString("hex")).to.equal(hash);
    }
    expect((await get(`${served.url}/markets/0/book`)).body).to.deep.include({ bids: depth.bids, asks: depth.asks });
    expect((await get(`${served.url}/markets/0/fills`)).body.fills, "OB-7 what has traded").to.deep.equal(fills);
    expect(await stateOf(held)).to.deep.equal(orderOf(held));
    expect((await get(`${served.url}/health`)).body).to.deep.include({ heldOrders: 1 });
    await served.stop();
    served = await venue.serve();
    await settled();
    expect(await positionOf(frank)).to.equal(parseWad("2"));
    expect(
      await eve.house.exchange.filled(eve.account, [...served.matcher.engine.book.orders.values()][0]!.slot.nonce),
    ).to.be.a("bigint");
  });

  it("OB-1 goes on when a reorganisation has taken back the transaction before its last one", async () => {
    await served.stop();
    served = await venue.serve({ CONFIRM_TIMEOUT: "300" }, false);
    const [eve, frank] = [await venue.trader("100000"), await venue.trader("100000")];
    await served.matcher.sync();
    await put(eve, "-3", "1996", { resting: true });
    const { provider } = venue.anvil;
    const { settlement, engine } = served.matcher;
    const snapshot = (await provider.send("evm_snapshot", [])) as string;
    await put(frank, "1", "1996");
    expect((await settlement.pass()).result).to.equal("settled");
    await provider.send("evm_revert", [snapshot]);
    // The matcher has not read the chain since: it takes the nonce after the one that is gone.
    await put(frank, "2", "1996");
    expect((await settlement.pass()).result).to.equal("failed");
    expect(engine.sent.at(-1)?.nonce).to.equal(1 + (await provider.getTransactionCount(settlement.address, "latest")));
    for (let i = 0; i < 10 && engine.book.fills.size > 0; ++i) await settlement.pass();
    expect(engine.book.fills.size).to.equal(0);
    expect(await positionOf(frank), "the first fill is gone, the second one is settled once").to.equal(parseWad("2"));
  });

  it("OB-1 sends nothing with another nonce while a transaction may still be mined, across a restart", async () => {
    await served.stop();
    const settings = { CONFIRM_TIMEOUT: "300" };
    served = await venue.serve(settings, false);
    const [eve, frank] = [await venue.trader("100000"), await venue.trader("100000")];
    await served.matcher.sync();
    const { provider } = venue.anvil;
    const { address } = served.matcher.settlement;
    const nonce = await provider.getTransactionCount(address);
    await put(eve, "-3", "2000", { resting: true });
    await put(frank, "2", "2001");
    await provider.send("evm_setAutomine", [false]);
    expect((await served.matcher.settlement.pass()).result).to.equal("failed");
    await served.stop();
    served = await venue.serve(settings, false);
    await put(frank, "1", "2001");
    expect((await served.matcher.settlement.pass()).result).to.equal("failed");
    const { sent } = served.matcher.engine;
    expect(sent.length).to.be.at.least(2);
    expect(new Set(sent.map((one) => one.nonce))).to.deep.equal(new Set([nonce]));
    await provider.send("evm_setAutomine", [true]);
    await provider.send("evm_mine", []);
    for (let i = 0; i < 10 && served.matcher.engine.book.fills.size > 0; ++i) await served.matcher.settlement.pass();
    expect(served.matcher.engine.book.fills.size).to.equal(0);
    expect(await positionOf(frank)).to.equal(parseWad("3"));
    expect(await positionOf(eve)).to.equal(parseWad("-3"));
  });
});
