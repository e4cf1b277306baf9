import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";
import { JsonRpcProvider, toQuantity } from "ethers";

import { ForeignCheckpoint } from "../../src/keeper/checkpoint.ts";
import { Mirror } from "../../src/keeper/mirror.ts";
import type { MirrorOptions } from "../../src/keeper/mirror.ts";
import { MirrorMismatch } from "../../src/keeper/reconcile.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { generator } from "../../src/replay/synthetic.ts";
import { flagCall } from "../../src/sdk/calls.ts";
import { readAccount } from "../../src/sdk/read.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { startFaultyProxy } from "./faultyProxy.ts";

const FINAL = 64; // blocks behind the head that anvil calls final

describe("mirror of a chain that reorganises", function () {
  this.timeout(240_000);
  const folder = mkdtempSync(path.join(tmpdir(), "mirror-"));
  let venue: Venue;
  let traders: Trader[];
  let database: SqliteDatabase;

  before(async () => {
    venue = await Venue.open();
    traders = [await venue.trader("20000"), await venue.trader("20000"), await venue.trader("20000")];
    database = new SqliteDatabase(path.join(folder, "keeper.sqlite"));
  });
  after(async () => {
    await database.close();
    await venue.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = (method: string, ...params: unknown[]) => venue.anvil.provider.send(method, params) as Promise<unknown>;
  const mirrorOf = (book = venue.book) => new Mirror(venue.anvil.provider, book);

  function shown(mirror: Mirror): object {
    const { head, house, insuranceFund } = mirror;
    const [accounts, auctions, waiting] = [mirror.accounts, mirror.auctions, mirror.waiting].map(
      (map) => new Map<bigint, object>(map),
    );
    return { head, house, insuranceFund, accounts, auctions, waiting, fees: mirror.fees(0) };
  }

  /** Compares with a mirror read from scratch and with the chain. */
  async function expectExact(mirror: Mirror): Promise<void> {
    await mirror.sync();
    const fresh = mirrorOf();
    await fresh.sync();
    expect(shown(mirror)).to.deep.equal(shown(fresh));
    for (const [id, account] of mirror.accounts) {
      const { flagged, cashCallClock, cure, ...state } = account;
      expect(state).to.deep.equal(await readAccount(traders[0]!.house, id, mirror.head));
      expect(mirror.auctions.has(id)).to.equal(flagged);
      expect([cashCallClock, cure]).to.have.length(2);
    }
    await mirror.reconcile();
  }

  /** One random action; it may be refused. */
  async function act(next: () => number): Promise<void> {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
    const [a, b] = [pick(traders), pick(traders)];
    const size = ((next() - 0.5) * 40).toFixed(4);
    const actions: (() => Promise<unknown>)[] = [
      () => a.house.deposit(a.account, "USDC", (1 + next() * 500).toFixed(2)),
      () => a.house.withdraw(a.account, "USDC", (1 + next() * 500).toFixed(2)),
      () => a.house.lend(a.account, (1 + next() * 500).toFixed(2)),
      async () => {
        const ask = await venue.order(a, size, "2000", { resting: true });
        const bid = await venue.order(b, size.startsWith("-") ? size.slice(1) : `-${size}`, "2000");
        await a.house.settleOrders([ask, bid], [{ maker: 0, taker: 1 }]);
      },
      () => setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, BigInt(Math.floor((1900 + next() * 200) * 1e8))),
      async () => {
        const { target, data } = flagCall(venue.book, a.account);
        await (await b.wallet.sendTransaction({ to: target, data, gasLimit: 3_000_000n })).wait();
      },
      () => send("evm_mine"),
    ];
    await pick(actions)().catch((error: unknown) => {
      if (!(error instanceof Error)) throw error;
    });
  }

  it("SEG-5 MAM-6 equals the chain to the wei through reorganisations of any depth and restarts at any time", async () => {
    const next = generator(5);
    let mirror = mirrorOf();
    await mirror.resume(database);
    let [undone, resumed] = [0, 0];
    for (let round = 0; round < 20; ++round) {
      const fork = await send("evm_snapshot");
      for (let i = Math.floor(next() * 6); i >= 0; --i) {
        await act(next);
        if (next() < 0.5) undone += (await mirror.sync()).reorganised;
      }
      if (next() < 0.5) {
        await send("evm_revert", fork);
        for (let i = Math.floor(next() * 6); i > 0; --i) await act(next);
      }
      if (round % 5 === 3) await send("anvil_mine", toQuantity(FINAL));
      undone += (await mirror.sync()).reorganised;
      await expectExact(mirror);
      if (next() < 0.5) await mirror.save();
      if (next() < 0.3) {
        mirror = mirrorOf(); // as after a restart
        await mirror.resume(database);
        if (mirror.head !== -1) resumed += 1;
      }
    }
    expect(undone).to.be.greaterThan(5);
    expect(resumed).to.be.greaterThan(1);
  });

  it("MAM-6 goes back to the checkpoint, or to the deployment, when more is dropped than can be taken back", async () => {
    const mirror = mirrorOf();
    await mirror.resume(database);
    await send("anvil_mine", toQuantity(FINAL));
    await mirror.sync();
    expect(await mirror.save()).to.equal(true);
    const fork = await send("evm_snapshot"); // above the checkpoint
    await act(generator(1));
    await send("anvil_mine", toQuantity(2 * FINAL));
    await mirror.sync();
    await send("evm_revert", fork);
    await traders[0]!.house.deposit(traders[0]!.account, "USDC", "12.5");
    expect((await mirror.sync()).reorganised).to.be.greaterThan(FINAL);
    await expectExact(mirror);

    const deep = await send("evm_snapshot"); // below the next checkpoint
    await traders[0]!.house.deposit(traders[0]!.account, "USDC", "1");
    await send("anvil_mine", toQuantity(2 * FINAL));
    await mirror.sync();
    await mirror.save();
    await send("evm_revert", deep);
    await traders[0]!.house.deposit(traders[0]!.account, "USDC", "2");
    await expectExact(mirror);
    await send("anvil_mine", toQuantity(2 * FINAL));
    await mirror.sync();
    expect(await mirror.save()).to.equal(true); // replaces the one that was dropped
    const again = mirrorOf();
    await again.resume(database);
    expect(again.head).to.be.greaterThan(0);
    await expectExact(again);
  });

  it("MAM-6 says what has changed and nothing else", async () => {
    const mirror = mirrorOf();
    const first = await mirror.sync();
    expect(new Set(first.touched)).to.deep.equal(new Set(mirror.accounts.keys()));
    expect(first).to.deep.include({ reorganised: 0, pricesChanged: [0, 1, 2], houseChanged: true });
    const nothing = { reorganised: 0, touched: [], pricesChanged: [], houseChanged: false };
    expect(await mirror.sync()).to.deep.equal({ ...nothing, head: mirror.head });
    await send("evm_mine");
    expect(await mirror.sync()).to.deep.equal({ ...nothing, head: mirror.head });
    await setAnswer(venue.anvil, venue.book.underlyings[1]!.feed, 31_000n * 10n ** 8n);
    expect(await mirror.sync()).to.deep.equal({ ...nothing, head: mirror.head, pricesChanged: [1] });
    const { house, account } = traders[0]!;
    await house.deposit(account, "USDC", "3");
    const { touched, pricesChanged } = await mirror.sync();
    expect([touched, pricesChanged]).to.deep.equal([[account], []]);
    await send("anvil_reorg", 2, []);
    expect((await mirror.sync()).reorganised).to.equal(2);
    expect(mirror.lag).to.be.lessThan(3600);
  });

  it("MAM-6 keeps what it has read when a node answers with an older head", async () => {
    const proxy = await startFaultyProxy(venue.anvil.url);
    const options = { staticNetwork: true, batchMaxCount: 1, cacheTimeout: -1 };
    const provider = new JsonRpcProvider(proxy.url, venue.book.chainId, options);
    const mirror = new Mirror(provider, venue.book);
    const old = await send("eth_getBlockByNumber", "latest", false);
    const { house, account } = traders[0]!;
    await house.deposit(account, "USDC", "3");
    const { head } = await mirror.sync();
    proxy.fault = ({ method, params }) =>
      method === "eth_getBlockByNumber" && params[0] === "latest" ? { result: old } : undefined;
    expect(await mirror.sync()).to.include({ head, reorganised: 0 });
    proxy.fault = () => undefined;
    await send("evm_mine");
    await expectExact(mirror); // the deposit counts once
    provider.destroy();
    await proxy.stop();
  });

  /** A mirror by a node that can be made to fail. */
  async function faulty(options?: MirrorOptions) {
    const proxy = await startFaultyProxy(venue.anvil.url);
    const provider = new JsonRpcProvider(proxy.url, venue.book.chainId, {
      ...{ staticNetwork: true, batchMaxCount: 1, cacheTimeout: -1 },
    });
    const close = async () => {
      provider.destroy();
      await proxy.stop();
    };
    return { proxy, mirror: new Mirror(provider, venue.book, options), close };
  }

  const BUSY = { error: { code: -32000, message: "busy" } };

  it("MAM-6 reads the house anew although a node has failed while blocks were taken back", async () => {
    const { proxy, mirror, close } = await faulty();
    const [a, b] = [await venue.trader("20000"), await venue.trader("20000")];
    await setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, 2000n * 10n ** 8n);
    const { head } = await mirror.sync();
    const fork = await send("evm_snapshot");
    const orders = [await venue.order(a, "-1", "2000", { resting: true }), await venue.order(b, "1", "2000")];
    await a.house.settleOrders(orders, [{ maker: 0, taker: 1 }]); // one more of open interest
    await mirror.sync();
    await send("evm_revert", fork);
    await send("anvil_mine", toQuantity(3));
    proxy.fault = ({ method, params }) =>
      method === "eth_getBlockByNumber" && params[0] === toQuantity(head) ? BUSY : undefined;
    expect(await mirror.sync().catch((thrown: unknown) => thrown)).to.be.instanceOf(Error);
    proxy.fault = () => undefined;
    expect((await mirror.sync()).reorganised).to.equal(1);
    await expectExact(mirror);
    await close();
  });

  it("MAM-6 takes nothing for final because a node fails to say what is", async () => {
    const { proxy, mirror, close } = await faulty({ confirmations: 1 });
    await mirror.sync();
    const fork = await send("evm_snapshot");
    proxy.fault = ({ params }) => (params[0] === "finalized" ? BUSY : undefined);
    for (let i = 0; i < 3; ++i) {
      await send("evm_mine");
      await mirror.sync();
    }
    await send("evm_revert", fork);
    await traders[0]!.house.deposit(traders[0]!.account, "USDC", "1");
    await send("anvil_mine", toQuantity(4));
    expect((await mirror.sync()).reorganised).to.equal(3); // and not all from the deployment on
    await close();
  });

  it("MAM-6 refuses a checkpoint of another house", async () => {
    const { contracts, chainId } = venue.book;
    for (const other of [
      { ...venue.book, chainId: chainId + 1 },
      { ...venue.book, contracts: { ...contracts, clearingHouse: contracts.vault } },
    ]) {
      const error: unknown = await mirrorOf(other)
        .resume(database)
        .catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(ForeignCheckpoint);
      expect(error).to.include({ chainId, clearingHouse: contracts.clearingHouse });
    }
  });

  it("MAS-1 MAS-6 does not reconcile if an event is missing", async () => {
    const late = mirrorOf({ ...venue.book, deployBlock: await venue.anvil.provider.getBlockNumber() });
    await late.sync();
    const error: unknown = await late.reconcile().catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MirrorMismatch);
    const { lentShares } = late.house.lending;
    const what = "shares in what is lent";
    if (lentShares !== 0n) {
      expect((error as MirrorMismatch).mismatches).to.deep.include({ what, mirrored: 0n, onChain: lentShares });
    }
  });
});
