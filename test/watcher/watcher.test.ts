import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { Wallet } from "ethers";

import { Endpoints } from "../../src/keeper/endpoints.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { grantKeyCall } from "../../src/sdk/calls.ts";
import { buildGrant, signRevokeAll } from "../../src/sdk/sessionKeys.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { hourlyPeak } from "../../src/watcher/signals.ts";
import type { Watchlist } from "../../src/watcher/signals.ts";
import { RevocationUseless, RevocationWatcher, WatcherLacksGas } from "../../src/watcher/watcher.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { ask, fails, type } from "../cli/support.ts";
import { startFaultyProxy } from "../keeper/faultyProxy.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";

const MAX_GAS_PRICE = 10n ** 12n;

describe("revocation watcher", () => {
  let venue: Venue;
  let guard: Trader;
  let owner: Trader;
  let known: Trader; // a key of the owner that may grant
  let stop: AbortController;
  const closers: (() => Promise<void> | void)[] = [];

  before(async () => {
    venue = await Venue.open();
    guard = await venue.trader("1");
  });
  after(() => venue.close());
  beforeEach(async () => {
    stop = new AbortController();
    [owner, known] = [await venue.trader("10000"), await venue.trader("1")];
    await owner.house.grantKey(
      { owner: owner.wallet.address, key: known.wallet.address },
      { scopes: ["trade", "grant"] },
    );
  });
  afterEach(async () => {
    stop.abort();
    await venue.anvil.provider.send("evm_setIntervalMining", [0]);
    await venue.anvil.provider.send("evm_setAutomine", [true]);
    for (const close of closers.splice(0)) await close();
  });

  /** From here on there is a block every second and only then. */
  async function tickOn(): Promise<void> {
    await venue.anvil.provider.send("evm_setAutomine", [false]);
    await venue.anvil.provider.send("evm_setIntervalMining", [1]);
  }

  async function open(limits: Partial<Watchlist> = {}, urls = [venue.anvil.url], wallet = guard.wallet) {
    const provider = new Endpoints({ urls, chainId: 31337, checkInterval: 0 });
    closers.push(() => {
      provider.destroy();
    });
    return RevocationWatcher.open({
      ...{ provider, addressBook: venue.book, signer: wallet },
      watchlist: { owner: owner.wallet.address, known: new Set([known.wallet.address]), ...limits },
      signature: await signRevokeAll(owner.wallet, venue.book, owner.wallet.address, 0n),
      ...{ pollInterval: 50, maxGasPrice: MAX_GAS_PRICE },
    });
  }

  /** The known key grants a part of its rights to an address that the owner does not know. */
  async function grantByThief(): Promise<string> {
    const key = Wallet.createRandom().address;
    const grant = buildGrant({ scopes: ["trade"], expiry: Math.floor(Date.now() / 1000) + 3600 });
    const call = grantKeyCall(venue.book, { owner: owner.wallet.address, key }, grant);
    await known.house.send(call);
    return key;
  }

  async function epoch(): Promise<bigint> {
    return (await owner.house.exchange.ownerState(owner.wallet.address)).epoch;
  }

  it("REV-6 revokes all in the block after one in which a key is granted that the owner does not know", async () => {
    const watcher = await open();
    await tickOn();
    const running = watcher.run(stop.signal);
    const key = await grantByThief();
    const { exchange } = owner.house;
    const revocation = await running;
    expect(revocation!.signal).to.deep.equal({ kind: "unknownKey", key, how: "granted" });
    const [granted] = await exchange.queryFilter(exchange.filters.KeyGranted(owner.wallet.address, key));
    const [revoked] = await exchange.queryFilter(exchange.filters.AllRevoked(owner.wallet.address));
    expect(revoked!.blockNumber).to.equal(granted!.blockNumber + 1);
    expect(revocation).to.include({ seen: granted!.blockNumber, revoked: revoked!.blockNumber });
    expect(revocation!.hash).to.equal(revoked!.transactionHash);
    for (const dead of [key, known.wallet.address]) {
      expect((await exchange.sessionKey(owner.wallet.address, dead)).live).to.equal(false);
    }
  });

  it("REV-6 does so through nodes that lose two of seven requests or answers", async () => {
    const proxies = [await startFaultyProxy(venue.anvil.url), await startFaultyProxy(venue.anvil.url)];
    for (const proxy of proxies) closers.push(() => proxy.stop());
    const watcher = await open(
      {},
      proxies.map(({ url }) => url),
    );
    let asked = 0;
    const faults = [
      undefined,
      { drop: "request" },
      undefined,
      undefined,
      undefined,
      undefined,
      { drop: "answer" },
    ] as const;
    for (const proxy of proxies) proxy.fault = () => faults[asked++ % faults.length];
    await tickOn();
    const running = watcher.run(stop.signal);
    await grantByThief();
    const { seen, revoked } = (await running)!;
    expect(revoked - seen).to.equal(1);
  });

  it("REV-6 revokes at once if such a key lives when it begins", async () => {
    await grantByThief();
    const watcher = await open();
    const revocation = await watcher.run(stop.signal);
    expect(revocation!.signal).to.include({ kind: "unknownKey", how: "alive" });
    expect(await epoch()).to.equal(1n);
  });

  it("REV-6 revokes when more has left the owner's accounts in an hour than he has allowed, whatever it is", async () => {
    const { wallet, house, account } = owner;
    const weth = venue.book.collaterals.find(({ symbol }) => symbol === "WETH")!;
    await (await MockERC20__factory.connect(weth.token, wallet).mint(wallet.address, 10n ** 18n)).wait();
    await house.deposit(account, "WETH", "1");
    const watcher = await open({ maxOutflow: parseWad("2900") });
    await tickOn();
    const running = watcher.run(stop.signal);
    await house.withdraw(account, "USDC", "900");
    await sleep(300);
    expect(await epoch()).to.equal(0n);
    await house.withdraw(account, "WETH", "1"); // 2,000 USD
    expect(await epoch()).to.equal(0n);
    await house.withdraw(account, "USDC", "0.01");
    const { signal, seen, revoked } = (await running)!;
    expect(signal).to.deep.equal({ kind: "outflow", amount: parseWad("2900.01"), limit: parseWad("2900") });
    expect(revoked - seen).to.be.at.most(1);
  });

  it("REV-6 counts what has left within the hour before it began, however many blocks that are", async () => {
    const { house, account } = owner;
    await house.withdraw(account, "USDC", "900");
    await venue.anvil.provider.send("anvil_mine", ["0x44c", "0x2"]); // 1,100 blocks in 2,200 s
    const watcher = await open({ maxOutflow: parseWad("1000") });
    const running = watcher.run(stop.signal);
    await house.withdraw(account, "USDC", "200");
    expect((await running)!.signal).to.deep.equal({
      kind: "outflow",
      amount: parseWad("1100"),
      limit: parseWad("1000"),
    });
  });

  it("REV-6 revokes when the owner's accounts have traded more in an hour than he has allowed", async () => {
    const maker = await venue.trader("100000");
    const watcher = await open({ maxNotional: parseWad("3000") });
    await tickOn();
    const running = watcher.run(stop.signal);
    for (const size of ["1", "0.6"]) {
      const orders = [
        await venue.order(maker, `-${size}`, "2000", { resting: true }),
        await venue.order(owner, size, "2000"),
      ];
      await maker.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    }
    const { signal, seen, revoked } = (await running)!;
    expect(signal).to.deep.equal({ kind: "notional", amount: parseWad("3200"), limit: parseWad("3000") });
    expect(revoked - seen).to.be.at.most(1);
  });

  it("REV-6 leaves alone what is known, within its limits, somebody else's, or undone by a reorganisation", async () => {
    const { house, account, wallet } = owner;
    const watcher = await open({ maxOutflow: parseWad("1000") });
    const running = watcher.run(stop.signal);
    await house.revokeKey({ owner: wallet.address, key: known.wallet.address });
    await guard.house.grantKey({ owner: guard.wallet.address, key: wallet.address }, { scopes: ["trade"] });
    await house.withdraw(account, "USDC", "600");
    await sleep(300);
    await venue.anvil.provider.send("anvil_reorg", [1, []]);
    await venue.anvil.provider.send("anvil_dropAllTransactions", []);
    await venue.anvil.provider.send("evm_mine", []);
    expect((await house.view(accountId(wallet.address))).account.cash).to.equal(parseWad("10000"));
    await house.withdraw(account, "USDC", "600");
    await sleep(300);
    stop.abort();
    expect(await running).to.equal(undefined);
    expect(await epoch()).to.equal(0n);
  });

  it("adds up what flows in any 60 minutes", () => {
    const flow = (time: number, amount: bigint) => ({ time, amount });
    expect(hourlyPeak([])).to.equal(0n);
    // 3,600 s apart are two hours: 5; then 4 + 3; then 3 alone
    expect(hourlyPeak([flow(3600, 4n), flow(0, 5n), flow(7199, 3n), flow(10_800, 1n)])).to.equal(7n);
    expect(hourlyPeak([flow(0, 5n), flow(3599, 4n)])).to.equal(9n);
  });

  it("REV-6 does not begin with a revocation that is void or that it cannot pay for, and ends when it becomes void", async () => {
    const poor = new Wallet(Wallet.createRandom().privateKey, venue.anvil.provider);
    expect(await open({}, undefined, poor).catch((error: unknown) => error)).to.be.instanceOf(WatcherLacksGas);
    const watcher = await open();
    const running = watcher.run(stop.signal).catch((error: unknown) => error);
    await owner.house.revokeAll();
    expect(await running).to.be.instanceOf(RevocationUseless);
    expect(await open().catch((error: unknown) => error)).to.be.instanceOf(RevocationUseless);
  });

  it("REV-6 plimsoll guard watch does it with a file that the owner has signed, and without his key", async () => {
    const file = path.join(venue.folder, `${owner.wallet.address}.json`);
    await ask(venue, ["key", "revoke-all", "--sign", file], { as: owner });
    await fails(venue, ["guard", "watch", file], "OptionConflict", 2, { as: owner });
    const line = [
      "guard",
      "watch",
      file,
      "--max-outflow",
      "1000",
      "--poll-interval",
      "50",
      "--fallback-rpc",
      venue.anvil.url,
    ];
    const watching = type(venue, [...line, "--json"], { as: guard });
    await sleep(500); // the key that lives is known
    expect(await epoch()).to.equal(0n);
    await owner.house.withdraw(owner.account, "USDC", "1500");
    const { code, out, err } = await watching;
    expect([code, err]).to.deep.equal([0, ""]);
    const told = JSON.parse(out) as { signal: object; seen: number; revoked: number };
    expect(told.signal).to.deep.equal({ kind: "outflow", amount: 1500, limit: 1000 });
    expect(told.revoked - told.seen).to.equal(1);
    await fails(venue, ["guard", "watch", file], "RevocationUseless", 2, { as: guard });
  });
});
