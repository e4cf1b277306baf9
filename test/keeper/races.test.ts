import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { JsonRpcProvider } from "ethers";
import type { TransactionReceipt } from "ethers";
import pino from "pino";

import type { Act } from "../../src/keeper/acts.ts";
import { audit } from "../../src/keeper/audit.ts";
import type { Database } from "../../src/keeper/database.ts";
import { Endpoints } from "../../src/keeper/endpoints.ts";
import { Keeper } from "../../src/keeper/keeper.ts";
import type { KeeperOptions } from "../../src/keeper/keeper.ts";
import { Leases } from "../../src/keeper/leases.ts";
import { openDatabase } from "../../src/keeper/openDatabase.ts";
import { Races } from "../../src/keeper/races.ts";
import { verifyReport } from "../../src/keeper/report.ts";
import { readAccount } from "../../src/sdk/read.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { IClearingHouse__factory, MockERC20__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { startPostgres } from "../helpers/postgres.ts";
import type { Postgres } from "../helpers/postgres.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { until } from "../helpers/until.ts";
import { startFaultyProxy } from "./faultyProxy.ts";

const house = IClearingHouse__factory.createInterface();
const ETH = 0;
const VICTIMS = 3;
const LIFETIME = 3000; // [ms] of a lease
const STILL = 1000; // [ms] without another transaction, after which no more are to come
const SCRIPT = path.join(import.meta.dirname, "../../scripts/keeper.ts");
const EARLY_REVERT = 80_000n; // most gas that a lost race may cost
const GUARDED_REVERT = 45_000n; // most gas that one may cost whose slice was guarded

/** A keeper with a key, an account and a node connection of its own. */
interface Racer {
  readonly keeper: Keeper;
  readonly trader: Trader;
  readonly provider: JsonRpcProvider;
}

/** Several keepers of one house on one chain. */
class Track {
  readonly venue: Venue;
  readonly victims: Trader[] = [];
  readonly racers: Racer[] = [];
  readonly #opponent: Trader;
  readonly #processes: ChildProcess[] = [];
  #start = "";

  private constructor(venue: Venue, opponent: Trader) {
    this.venue = venue;
    this.#opponent = opponent;
  }

  /** Each victim is long 10 ETH at 2,000 on 1,100, fee 10: at 1,945 E = 540 < MM = 583.65. */
  static async open(): Promise<Track> {
    const venue = await Venue.open();
    const track = new Track(venue, await venue.trader("1000000"));
    for (let i = 0; i < VICTIMS; ++i) await track.#addVictim();
    track.#start = (await venue.anvil.provider.send("evm_snapshot", [])) as string;
    return track;
  }

  /** Everybody goes, and the chain is what it was when it was opened. */
  async clear(): Promise<void> {
    for (const child of this.#processes.splice(0)) child.kill("SIGKILL");
    for (const { provider } of this.racers.splice(0)) provider.destroy();
    const { provider } = this.venue.anvil;
    await this.automine(true);
    await provider.send("anvil_dropAllTransactions", []);
    await provider.send("evm_revert", [this.#start]);
    this.#start = (await provider.send("evm_snapshot", [])) as string;
  }

  async #addVictim(): Promise<void> {
    const victim = await this.venue.trader("1100");
    const orders = [
      await this.venue.order(this.#opponent, "-10", "2000", { resting: true }),
      await this.venue.order(victim, "10", "2000"),
    ];
    await victim.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    this.victims.push(victim);
  }

  async enter(options: Partial<KeeperOptions> = {}, cash = "100000"): Promise<Racer> {
    const trader = await this.venue.trader(cash);
    const { url } = this.venue.anvil;
    const provider = new JsonRpcProvider(url, 31337, { staticNetwork: true, pollingInterval: 20, cacheTimeout: -1 });
    const keeper = await Keeper.create({
      ...{ provider, signer: trader.wallet, addressBook: this.venue.book, takerAccount: trader.account },
      logger: pino({ level: "silent" }),
      ...options,
    });
    const racer = { keeper, trader, provider };
    this.racers.push(racer);
    return racer;
  }

  /** A keeper as a process of its own. */
  async start(database: string): Promise<ChildProcess> {
    const trader = await this.venue.trader("100000");
    const child = spawn(
      process.execPath,
      ["--import", "tsx", SCRIPT, "--rpc-url", this.venue.anvil.url, "--address-book", this.venue.bookFile],
      {
        env: {
          ...{ ...process.env, PRIVATE_KEY: trader.wallet.privateKey, POLL_INTERVAL: "50" },
          ...{ DATABASE: database, LEASE_LIFETIME: String(LIFETIME) },
        },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    this.#processes.push(child);
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await until(() => output.includes('"started"'));
    return child;
  }

  async setPrice(price: bigint): Promise<number> {
    const receipt = await setAnswer(this.venue.anvil, this.venue.book.underlyings[ETH]!.feed, price * 10n ** 8n);
    return receipt!.blockNumber;
  }

  async automine(on: boolean): Promise<void> {
    await this.venue.anvil.provider.send("evm_setAutomine", [on]);
  }

  /**
   * One pass of every keeper at once, on the same block. The first one after it is mined when `sent` transactions wait for it, or when
   * no more come: who simulates late finds what the others have sent, and sends nothing. Later ones are when any wait.
   */
  async lap(sent: number): Promise<Act[]> {
    await this.automine(false);
    const { provider } = this.venue.anvil;
    const head = await provider.getBlockNumber();
    const haveLooked = () => this.racers.every(({ keeper }) => keeper.mirror.head >= head);
    let running = this.racers.length;
    const laps = this.racers.map(async ({ keeper }) => {
      try {
        return await keeper.tick();
      } finally {
        running -= 1;
      }
    });
    let [needed, waiting, since] = [sent, 0, performance.now()];
    while (running > 0) {
      await sleep(20);
      const now = await this.waiting();
      if (now !== waiting || !haveLooked()) [waiting, since] = [now, performance.now()];
      const isStill = now > 0 && performance.now() - since > STILL;
      if (!haveLooked() || (now < needed && !isStill)) continue;
      await provider.send("evm_mine", []);
      needed = 1;
    }
    await this.automine(true);
    return (await Promise.all(laps)).flat();
  }

  /** Passes, one keeper after the other, until there is nothing left to do. */
  async rest(): Promise<void> {
    for (
      let acts: readonly Act[] = [{ action: "take", result: "done" }];
      acts.some(({ result }) => result === "done");
    ) {
      acts = [];
      for (const { keeper } of this.racers) acts = [...acts, ...(await keeper.tick())];
    }
  }

  /** What has become of every transaction of a keeper since a block. */
  async receipts(since: number): Promise<TransactionReceipt[]> {
    const { provider } = this.venue.anvil;
    const hashes: string[] = [];
    for (let block = since + 1; block <= (await provider.getBlockNumber()); ++block) {
      hashes.push(...((await provider.getBlock(block))?.transactions ?? []));
    }
    const own = new Set(this.racers.map(({ trader }) => trader.wallet.address));
    const receipts = await Promise.all(hashes.map((hash) => provider.getTransactionReceipt(hash)));
    return receipts.filter((receipt) => receipt !== null && own.has(receipt.from)) as TransactionReceipt[];
  }

  /** Somebody who is no keeper takes the slice of an account. */
  async takeByHand(account: bigint): Promise<void> {
    await (await this.#sendByHand(account, { maxFraction: parseWad("1") })).wait();
  }

  async #sendByHand(account: bigint, terms: { maxFraction: bigint }, fees: { gasPrice?: bigint } = {}) {
    const { account: taker, house } = this.#opponent;
    const any = { maxPayment: parseWad("100000"), minGain: 0n, acceptClaims: false };
    // In the second of the last price an estimate is too low for the next one.
    return house.clearingHouse.liquidate(account, taker, { ...any, ...terms }, { gasLimit: 1_000_000n, ...fees });
  }

  /** One pass of a keeper in whose block somebody who pays more for gas is first with each victim, and takes so much. */
  async overtake({ keeper }: Racer, maxFraction: bigint): Promise<readonly Act[]> {
    await this.automine(false);
    const acts = keeper.tick();
    await until(async () => (await this.waiting()) === VICTIMS);
    const { provider } = this.venue.anvil;
    for (const { account } of this.victims)
      await this.#sendByHand(account, { maxFraction }, { gasPrice: 5n * 10n ** 9n });
    await provider.send("evm_mine", []);
    await this.automine(true);
    return acts;
  }

  /** By what calls keepers have taken slices, or tried to, since a block. */
  async takenBy(since: number): Promise<Set<string>> {
    const { provider } = this.venue.anvil;
    const sent = (await this.receipts(since)).map(async ({ hash }) => (await provider.getTransaction(hash))!.data);
    const calls = (await Promise.all(sent)).map((data) => house.parseTransaction({ data })?.name ?? "");
    return new Set(calls.filter((name) => name === "liquidate" || name === "batch"));
  }

  /** The accounts that slices were taken of since a block. */
  async taken(since: number): Promise<bigint[]> {
    const { clearingHouse } = this.#opponent.house;
    const events = await clearingHouse.queryFilter(clearingHouse.filters.Liquidated(), since);
    return events.map(({ args }) => args.account).toSorted();
  }

  /** Every account of every mirror is the chain's, sums agree, and the audit finds nothing. */
  async expectBooksRight(): Promise<void> {
    const { provider } = this.venue.anvil;
    const block = await provider.getBlockNumber();
    const { clearingHouse } = this.#opponent.house;
    for (const { keeper } of this.racers) {
      await keeper.mirror.sync();
      await keeper.mirror.reconcile();
      for (const { account } of [...this.victims, ...this.racers.map(({ trader }) => trader)]) {
        expect(keeper.mirror.accounts.get(account)).to.deep.include(
          await readAccount({ clearingHouse }, account, block),
        );
      }
    }
    const { differences } = await audit(provider, this.venue.book, block, () => undefined);
    expect(differences).to.deep.equal([]);
  }

  /** Each victim was brought to its target, and not beyond: IM ≤ E ≤ 1.001 · IM. */
  async expectTargets(): Promise<void> {
    for (const { account, house } of this.victims) {
      const { equity, initialMargin } = await house.clearingHouse.assess(account);
      expect(equity >= initialMargin && equity * 1000n <= initialMargin * 1001n, `${equity} ${initialMargin}`).to.equal(
        true,
      );
    }
  }

  /** How many transactions wait for a block. */
  async waiting(): Promise<number> {
    const { pending } = (await this.venue.anvil.provider.send("txpool_status", [])) as { pending: string };
    return Number(pending);
  }
}

describe("keepers on one chain", function () {
  this.timeout(60_000);
  let track: Track;
  before(async () => {
    track = await Track.open();
  });
  afterEach(() => track.clear());
  after(() => track.venue.close());

  it("LIQ-5 goes on with accounts whose batch a reorganisation has dropped", async () => {
    const { keeper } = await track.enter({ config: { batchBelow: parseWad("1000") } });
    await track.rest();
    await track.setPrice(1945n);
    const takes = async () => (await keeper.tick()).filter(({ action }) => action === "take");
    expect((await takes()).map(({ accounts }) => accounts?.length)).to.deep.equal([VICTIMS]);
    await track.venue.anvil.provider.send("anvil_reorg", [1, []]);
    expect((await takes()).map(({ result }) => result)).to.deep.equal(["takenBack"]); // the same batch is on its way again
    await takes();
    await track.expectTargets();
    // Each has some 5 ETH and is at IM = 5 %: 55 USD less of each is more than the 2 % that are between IM and MM
    const drop = await track.setPrice(1890n);
    await takes();
    expect(await track.taken(drop)).to.deep.equal(track.victims.map(({ account }) => account).toSorted());
  });

  it("LIQ-5 measures how far it is behind while it cannot read on", async () => {
    const { anvil } = track.venue;
    const proxy = await startFaultyProxy(anvil.url);
    const provider = new Endpoints({ urls: [proxy.url], chainId: 31337, checkInterval: 20 });
    const { keeper } = await track.enter({ provider, config: { pollInterval: 20 } });
    const lag = async () => (await keeper.metrics.mirrorLag.get()).values[0]?.value;
    const busy = { error: { code: -32000, message: "busy" } };
    proxy.fault = ({ method }) => (method === "eth_getLogs" ? busy : undefined);
    const running = keeper.run();
    await anvil.provider.send("anvil_mine", ["0x5"]);
    await until(async () => (await lag()) === 5, "it is five blocks behind");
    proxy.fault = () => undefined;
    await until(async () => (await lag()) === 0, "it has read on");
    await keeper.stop();
    await running;
    provider.destroy();
    await proxy.stop();
  });

  for (const count of [2, 5]) {
    it(`LIQ-6 ${count} in one block: one takes, the others pay for an early revert and know that they were outcompeted`, async () => {
      for (let i = 0; i < count; ++i) await track.enter();
      await track.rest();
      const drop = await track.setPrice(1945n);
      const acts = await track.lap(count * VICTIMS);
      expect(acts.map(({ action }) => action)).to.deep.equal(Array<string>(count * VICTIMS).fill("take"));
      const results = acts.map(({ result }) => result).toSorted();
      const lost = Array<string>((count - 1) * VICTIMS).fill("outcompeted");
      expect(results).to.deep.equal([...Array<string>(VICTIMS).fill("done"), ...lost]);
      // Who loses has sent nothing but what he has lost with, and not even that if his simulation has told him.
      const losers = acts.filter(({ result }) => result === "outcompeted");
      const reverted = losers.filter(({ hash }) => hash !== undefined);
      for (const { hash, reason } of losers)
        expect(reason).to.match(hash === undefined ? /^NotLiquidatable\(/ : /^reverted when it was mined$/);
      const receipts = await track.receipts(drop);
      expect(receipts.map(({ status }) => status).toSorted()).to.deep.equal([
        ...reverted.map(() => 0),
        ...Array<number>(VICTIMS).fill(1),
      ]);
      for (const { status, gasUsed } of receipts)
        if (status === 0) expect(gasUsed < EARLY_REVERT, `${gasUsed} gas`).to.equal(true);
      expect(await track.taken(drop)).to.deep.equal(track.victims.map(({ account }) => account).toSorted());
      await track.expectTargets();
      await track.rest();
      expect(await track.taken(drop)).to.have.length(VICTIMS);
      await track.expectBooksRight();
    });
  }

  it("LIQ-6 who comes a moment later sends nothing and knows that it was outcompeted", async () => {
    const [first, second] = [await track.enter(), await track.enter()];
    await track.rest();
    const drop = await track.setPrice(1945n);
    const { mirror } = second.keeper;
    const sync = mirror.sync.bind(mirror);
    mirror.sync = async () => {
      const changes = await sync();
      mirror.sync = sync;
      await first.keeper.tick(); // between the look at the chain and the decision
      return changes;
    };
    const acts = await second.keeper.tick();
    expect(acts.map(({ action, result }) => `${action} ${result}`)).to.deep.equal(
      Array<string>(VICTIMS).fill("take outcompeted"),
    );
    for (const { reason } of acts) expect(reason).to.match(/^NotLiquidatable\(/);
    const receipts = await track.receipts(drop);
    expect(receipts.map(({ from, status }) => [from, status])).to.deep.equal(
      Array<[string, number]>(VICTIMS).fill([first.trader.wallet.address, 1]),
    );
    await track.expectBooksRight();
  });

  it("LIQ-6 slices that are smaller than the need add up to it and not to more", async () => {
    // A takeover of all that is needed asks for more than 400 of IM: these can carry about a third of it.
    for (let i = 0; i < 3; ++i) await track.enter({}, "130");
    await track.rest();
    const drop = await track.setPrice(1945n);
    const acts = await track.lap(9);
    for (let i = 0; i < 3; ++i) acts.push(...(await track.lap(1)));
    const takes = acts.filter(({ action }) => action === "take");
    expect(new Set(takes.map(({ result }) => result))).to.deep.equal(new Set(["done", "outcompeted"]));
    const taken = await track.taken(drop);
    expect(taken).to.have.length(takes.filter(({ result }) => result === "done").length);
    for (const { account, house } of track.victims) {
      const { equity, initialMargin, maintenanceMargin } = await house.clearingHouse.assess(account);
      expect(equity >= maintenanceMargin || !taken.includes(account)).to.equal(true);
      expect(equity * 1000n <= initialMargin * 1001n).to.equal(true);
    }
    await track.expectBooksRight();
  });

  it("LIQ-6 after a lost race slices are guarded: of accounts with collateral and of parts, too, who loses pays for a look at the cash", async () => {
    const racer = await track.enter({ config: { settleThreshold: parseWad("1000000"), minProfit: 0n } });
    const { keeper } = racer;
    const names = (acts: readonly Act[]) =>
      acts.filter(({ action }) => action === "take").map(({ result, hash }) => `${result} ${hash !== undefined}`);
    const all = (name: string) => Array<string>(VICTIMS).fill(name);
    await track.rest();
    const drop = await track.setPrice(1945n);
    expect(names(await track.overtake(racer, parseWad("1")))).to.deep.equal(all("outcompeted true"));
    expect(await track.takenBy(drop)).to.deep.equal(new Set(["liquidate"]));

    const [rich] = track.victims;
    const weth = track.venue.book.collaterals.find(({ symbol }) => symbol === "WETH")!.token;
    await (await MockERC20__factory.connect(weth, rich!.wallet).mint(rich!.wallet.address, parseWad("0.05"))).wait();
    await rich!.house.deposit(rich!.account, "WETH", "0.05");
    await track.rest();
    const second = await track.setPrice(1875n);
    expect(names(await track.overtake(racer, parseWad("0.1")))).to.deep.equal(all("outcompeted true"));
    expect(await track.takenBy(second)).to.deep.equal(new Set(["batch"]));
    const lost = await track.receipts(second);
    expect(lost.map(({ status }) => status)).to.deep.equal(Array<number>(VICTIMS).fill(0));
    for (const { gasUsed } of lost) expect(gasUsed < GUARDED_REVERT, `${gasUsed} gas`).to.equal(true);

    // All are below MM still: if it was not a slice that has moved their cash, a guard would fail again.
    const third = await track.venue.anvil.provider.getBlockNumber();
    expect(names(await keeper.tick())).to.deep.equal(all("done true"));
    expect(await track.takenBy(third)).to.deep.equal(new Set(["liquidate"]));
    const fourth = await track.setPrice(1825n);
    expect(names(await keeper.tick())).to.deep.equal(all("done true"));
    expect(await track.takenBy(fourth)).to.deep.equal(new Set(["batch"]));

    await track.venue.anvil.provider.send("evm_increaseTime", [3600]);
    const fifth = await track.setPrice(1775n);
    expect(names(await keeper.tick())).to.deep.equal(all("done true"));
    // A loss of the one with collateral would cost more than 80,000 gas: it is guarded without a race, too.
    expect(await track.takenBy(fifth)).to.deep.equal(new Set(["batch", "liquidate"]));
    await track.expectBooksRight();
  });

  it("AUTH-7 slices for another owner are never guarded: his key needs no right for that", async () => {
    const { keeper, trader } = await track.enter();
    const options = { mirror: keeper.mirror, addressBook: track.venue.book, takerAccount: trader.account };
    const [victim] = track.victims;
    const account = keeper.mirror.accounts.get(victim!.account)!;
    for (const [{ wallet }, isGuarded] of [[trader, true] as const, [victim!, false] as const]) {
      const races = new Races({ ...options, signer: wallet.address });
      races.learn({ result: "outcompeted", hash: "0x" });
      const candidate = { id: victim!.account, account, auction: undefined };
      expect(races.guardOf(candidate, 1) !== undefined).to.equal(isGuarded);
    }
  });

  it("LIQ-5 a stand-by acts on what is below MM still after its blocks, not before", async () => {
    const { keeper } = await track.enter({ config: { backupBlocks: 3 } });
    await track.rest();
    const drop = await track.setPrice(1945n);
    expect(await keeper.tick()).to.deep.equal([]);
    const { provider } = track.venue.anvil;
    const [first, ...others] = track.victims.map(({ account }) => account);
    await track.takeByHand(first!);
    for (; (await provider.getBlockNumber()) < drop + 3; await provider.send("evm_mine", [])) {
      expect(await keeper.tick()).to.deep.equal([]);
    }
    const acts = await keeper.tick();
    expect(acts.map(({ account, action, result }) => [account, `${action} ${result}`])).to.have.deep.members(
      others.map((account) => [account, "take done"]),
    );
  });

  it("SEG-5 LIQ-5 what a reorganisation takes back and what it brings again is followed by acts, metrics and reports, and done once", async () => {
    const { keeper } = await track.enter({ config: { settleThreshold: parseWad("1000000") } });
    const { provider } = track.venue.anvil;
    await track.rest();
    const drop = await track.setPrice(1945n);
    const read = async (name: string) => {
      const { values } = await keeper.metrics.registry.getSingleMetric(`plimsoll_keeper_${name}`)!.get();
      return values.reduce((sum, { value }) => sum + value, 0);
    };
    const money = async () => ({ gas: await read("gas_spent_wei_total"), profit: await read("profit_usd") });
    const namesOf = (acts: readonly Act[]) => acts.map(({ action, result }) => `${action} ${result}`);
    const fill = (name: string) => Array<string>(VICTIMS).fill(name);
    const start = await money();
    expect(namesOf(await keeper.tick())).to.deep.equal(fill("take done"));
    const earned = await money();
    await track.automine(false);
    await provider.send("anvil_reorg", [(await provider.getBlockNumber()) - drop, []]);
    expect(namesOf(await keeper.tick())).to.deep.equal(fill("take takenBack"));
    const undone = await money();
    expect(undone.gas).to.equal(earned.gas);
    expect(Math.abs(undone.profit - start.profit) < 1e-9).to.equal(true);
    await track.automine(true);
    await provider.send("evm_mine", []);
    expect(namesOf(await keeper.tick())).to.deep.equal(fill("take done"));
    const again = await track.receipts(drop);
    expect(again).to.have.length(VICTIMS);
    const paid = again.reduce((sum, { gasUsed, gasPrice }) => sum + Number(gasUsed * gasPrice), 0);
    const last = await money();
    expect(last.gas).to.equal(Math.max(earned.gas, start.gas + paid)); // a counter: what it counted too much comes off what follows
    expect(Math.abs(last.profit - earned.profit) < 0.5).to.equal(true); // gas has another price in another block
    while ((await keeper.reports.newest(10)).length < VICTIMS) await keeper.tick();
    for (const report of await keeper.reports.newest(10)) {
      expect(report.block).to.equal((await provider.getTransactionReceipt(report.transaction))!.blockNumber);
      expect(verifyReport(report)).to.deep.equal([]);
    }
    await track.expectBooksRight();
  });

  for (const name of ["SQLite", "PostgreSQL"]) {
    describe(`that share the work in ${name}`, () => {
      const folder = mkdtempSync(path.join(tmpdir(), "races-"));
      const databases: Database[] = [];
      let postgres: Postgres | undefined;
      let url: string;

      before(async () => {
        if (name === "PostgreSQL") postgres = await startPostgres();
      });
      beforeEach(() => {
        url = postgres?.url ?? path.join(folder, `${randomUUID()}.sqlite`);
      });
      afterEach(async () => {
        for (const database of databases.splice(0)) await database.close();
      });
      after(async () => {
        await postgres?.stop();
        rmSync(folder, { recursive: true, force: true });
      });

      /** A keeper with a connection of its own to the database of all. */
      async function enter(lifetime: number): Promise<Racer> {
        const database = await openDatabase(url);
        databases.push(database);
        return track.enter({ database, leases: await Leases.open(database, { holder: randomUUID(), lifetime }) });
      }

      it("LIQ-5 five of one database: all is done once, and nobody loses a race", async () => {
        for (let i = 0; i < 5; ++i) await enter(60_000);
        const drop = await track.setPrice(1945n);
        const acts = [...(await track.lap(VICTIMS)), ...(await track.lap(1)), ...(await track.lap(0))];
        const done = acts.filter(({ hash }) => hash !== undefined);
        expect(new Set(done.map(({ result }) => result))).to.deep.equal(new Set(["done"]));
        const idle = acts.filter(({ hash }) => hash === undefined);
        expect(new Set(idle.map(({ reason }) => reason))).to.deep.equal(new Set(["another keeper is at it"]));
        const names = done.map(({ action, account, market }) => `${action} ${account ?? market}`);
        expect(new Set(names).size, names.join()).to.equal(names.length);
        const receipts = await track.receipts(drop);
        expect(receipts.map(({ status }) => status)).to.deep.equal(done.map(() => 1));
        expect(await track.taken(drop)).to.have.length(VICTIMS);
        await track.expectTargets();
        await track.expectBooksRight();
      });

      if (name === "PostgreSQL") return; // what follows is the same there

      it("LIQ-5 what a killed keeper was at is taken up when its leases have ended, and not before", async () => {
        const { provider } = track.venue.anvil;
        const { keeper } = await enter(LIFETIME);
        const killed = await track.start(url);
        await track.rest();
        await track.automine(false);
        const [feeder] = await provider.listAccounts();
        const sent = () => provider.getTransactionCount(feeder!.address, "pending");
        const before = await sent();
        const priced = track.setPrice(1945n);
        await until(async () => (await sent()) > before); // the keeper may have sent something of its own before
        await provider.send("evm_mine", []);
        const drop = await priced;
        const leased = "SELECT COUNT(*) AS count FROM leases WHERE name LIKE '0x%'";
        await until(async () => Number((await databases[0]!.all(leased))[0]?.count) === VICTIMS);
        await until(async () => (await track.waiting()) >= VICTIMS);
        killed.kill("SIGKILL");
        await once(killed, "exit");
        await provider.send("anvil_dropAllTransactions", []);
        await track.automine(true);

        const [row] = await databases[0]!.all("SELECT MIN(expires) AS expiry FROM leases WHERE name LIKE '0x%'");
        const early = await keeper.tick();
        expect(Date.now()).to.be.lessThan(Number(row?.expiry)); // else this machine was too slow to see anything
        expect(early.map(({ action, reason }) => [action, reason])).to.deep.equal(
          Array<string[]>(VICTIMS).fill(["take", "another keeper is at it"]),
        );
        await until(async () => {
          await keeper.tick();
          return (await track.taken(drop)).length === VICTIMS;
        });
        expect(Date.now() - Number(row?.expiry)).to.be.within(0, LIFETIME);
        await track.expectTargets();
      });
    });
  }
});
