import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";

import type { Database } from "../../src/keeper/database.ts";
import { Leases } from "../../src/keeper/leases.ts";
import { openDatabase } from "../../src/keeper/openDatabase.ts";
import { startPostgres } from "../helpers/postgres.ts";
import type { Postgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

const CHILD = path.join(import.meta.dirname, "leaseChild.ts");
const LIFETIME = 500; // [ms]
const LONG = 600_000; // [ms]
const KEYS = ["account-1", "account-2", "account-3"];
const TIMES = 60; // that each process holds a lease

/** A process that contends for leases, and what it has printed so far. */
interface Contender {
  readonly process: ChildProcess;
  readonly lines: () => readonly string[];
}

function contend(url: string, holder: string, ...settings: readonly (string | number)[]): Contender {
  const args = ["--import", "tsx", CHILD, url, holder, ...settings.map(String)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  return { process: child, lines: () => printed.split("\n").filter((line) => line !== "") };
}

for (const name of ["SQLite", "PostgreSQL"]) {
  describe(`leases in ${name}`, () => {
    let folder: string;
    let url: string;
    let postgres: Postgres | undefined;
    let database: Database;

    before(async () => {
      folder = mkdtempSync(path.join(tmpdir(), "leases-"));
      if (name === "PostgreSQL") postgres = await startPostgres();
      url = postgres?.url ?? path.join(folder, "keeper.sqlite");
      database = await openDatabase(url);
    });
    after(async () => {
      await database.close();
      await postgres?.stop();
      rmSync(folder, { recursive: true });
    });

    const open = (holder: string, lifetime: number) => Leases.open(database, { holder, lifetime });

    async function now(): Promise<number> {
      const [row] = await database.all(`SELECT ${database.now} AS now`);
      return Number(row?.now);
    }

    async function expiryOf(key: string): Promise<number> {
      const [row] = await database.all("SELECT expires FROM leases WHERE name = ?", key);
      return Number(row?.expires);
    }

    /** Tries until it is granted, and expects that this is not before `expiry`, and that no try is in vain that begins later. */
    async function expectGrantedAt(expiry: number, take: () => Promise<boolean>): Promise<void> {
      const begun: number[] = [];
      await until(async () => {
        begun.push(await now());
        return take();
      });
      expect(begun.at(-2) ?? 0).to.be.at.most(expiry);
      expect(await now()).to.be.at.least(expiry);
    }

    it("LIQ-5 one holder has it until it gives it back, and nobody else gives it back", async () => {
      const [one, two] = [await open("one", LONG), await open("two", LONG)];
      expect(await one.take("work")).to.equal(true);
      expect(await two.take("work")).to.equal(false);
      expect(await two.take("other work")).to.equal(true);
      expect(await one.take("work")).to.equal(true);
      await two.release("work");
      expect(await two.take("work")).to.equal(false);
      await one.release("work");
      expect(await two.take("work")).to.equal(true);
      expect(await one.take("work")).to.equal(false);
    });

    it("LIQ-5 it ends after its lifetime, unless it is taken again", async () => {
      const [one, two] = [await open("one", LIFETIME), await open("two", LIFETIME)];
      await one.take("short");
      await sleep(LIFETIME / 2);
      const before = await now();
      expect(await one.take("short")).to.equal(true);
      const second = await expiryOf("short");
      expect(second - LIFETIME).to.be.within(before, await now());
      await expectGrantedAt(second, () => two.take("short"));
      expect(await one.take("short")).to.equal(false);
    });

    it("LIQ-5 work keeps its lease for as long as it takes, and two pieces of it for as long as the longer one", async () => {
      const [one, two] = [await open("one", LIFETIME), await open("two", LIFETIME)];
      const work = (time: number) => one.hold("long", 1, () => sleep(time, {}));
      const works = [work(LIFETIME / 5), work(2 * LIFETIME)];
      await works[0];
      for (const end = Date.now() + 1.5 * LIFETIME; Date.now() < end;) {
        expect(await two.take("long", 1)).to.equal(false);
        await sleep(10);
      }
      await works[1];
      await until(() => two.take("long", 1));
    });

    it("LIQ-5 work that has ended in a block is not done again by who has not read that", async () => {
      const [one, two] = [await open("one", LONG), await open("two", LONG)];
      expect(await one.hold("mined", 10, () => Promise.resolve({ block: 12 }))).to.deep.equal({ block: 12 });
      await until(async () => (await expiryOf("mined")) <= (await now()));
      expect(await two.hold("mined", 11, () => expect.fail("again"))).to.equal(undefined);
      expect(await two.hold("mined", 12, () => Promise.resolve({}))).to.deep.equal({});
    });

    it("LIQ-5 a lease that has ended a day ago is forgotten, and no other", async () => {
      const one = await open("one", LONG);
      for (const key of ["new", "old"]) await one.take(key);
      await database.run("UPDATE leases SET expires = expires - ? WHERE name = ?", 86_400_000 + LONG + 1, "old");
      await database.run("UPDATE leases SET expires = expires - ? WHERE name = ?", 86_000_000 + LONG, "new");
      await one.tidy();
      const rows = await database.all("SELECT name FROM leases WHERE name IN ('new', 'old')");
      expect(rows).to.deep.equal([{ name: "new" }]);
    });

    it("LIQ-5 work that fails gives its lease back", async () => {
      const [one, two] = [await open("one", LONG), await open("two", LONG)];
      const failure = await one
        .hold("failed", 1, () => Promise.reject(new RangeError()))
        .catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(RangeError);
      await until(() => two.take("failed", 1));
    });

    it("LIQ-5 work that begins while the lease of the work before is being given back has a lease of its own", async () => {
      const released = Promise.withResolvers<undefined>();
      // A release that takes long, as it may on a connection of its own.
      const run: Database["run"] = async (sql, ...values) => {
        const isRelease = sql.startsWith("UPDATE leases SET expires");
        if (isRelease) await sleep(100);
        const changed = await database.run(sql, ...values);
        if (isRelease) released.resolve(undefined);
        return changed;
      };
      const transaction: Database["transaction"] = (work) => database.transaction(work);
      const slow = { now: database.now, run, transaction } as Database;
      const [one, two] = [await Leases.open(slow, { holder: "one", lifetime: LONG }), await open("two", LONG)];
      await one.hold("again", 1, () => Promise.resolve({}));
      await one.hold("again", 1, async () => {
        await released.promise;
        expect(await two.take("again", 1)).to.equal(false);
        return {};
      });
    });

    it("LIQ-5 a lease from before the database's clock was set back holds nobody up", async () => {
      const [one, two] = [await open("one", LONG), await open("two", LONG)];
      await one.take("back");
      const setBack = (ms: number) =>
        database.run("UPDATE leases SET taken = taken + ?, expires = expires + ? WHERE name = ?", ms, ms, "back");
      await setBack(500); // as a clock is that is corrected a little
      expect(await two.take("back")).to.equal(false);
      await setBack(3 * 3_600_000);
      expect(await two.take("back")).to.equal(true);
      expect(await expiryOf("back")).to.be.within(await now(), (await now()) + LONG);
    });

    it("LIQ-5 a jump of a keeper's own clock ends nothing", async () => {
      const [one, two] = [await open("one", LONG), await open("two", LONG)];
      await one.take("clock");
      const honest = Date.now;
      try {
        Date.now = () => honest() + 1000 * LONG;
        expect(await two.take("clock")).to.equal(false);
        expect(await one.take("clock")).to.equal(true);
        Date.now = () => 0;
        expect(await two.take("clock")).to.equal(false);
      } finally {
        Date.now = honest;
      }
      expect(await expiryOf("clock")).to.be.within(await now(), (await now()) + LONG);
    });

    for (const count of [2, 5]) {
      it(`LIQ-5 ${count} processes that contend never hold one at once, and all have their turns`, async function () {
        this.timeout(60_000);
        const holders = Array.from({ length: count }, (_, i) =>
          contend(url, `holder-${i}`, LONG, TIMES, folder, ...KEYS),
        );
        const codes = await Promise.all(holders.map((holder) => once(holder.process, "exit")));
        expect(codes).to.deep.equal(holders.map(() => [0, null]));
        for (const { lines } of holders) expect(lines()).to.have.length(TIMES);
      });
    }

    it("LIQ-5 the work of a killed holder is taken over after its lifetime, not before, by one", async () => {
      const killed = contend(url, "killed", LIFETIME, 0, folder, "orphan");
      await until(() => killed.lines().length === 1);
      killed.process.kill("SIGKILL");
      await once(killed.process, "exit");
      const expiry = await expiryOf("orphan");
      const heirs = await Promise.all(Array.from({ length: 5 }, (_, i) => open(`heir-${i}`, LONG)));
      const taken: boolean[] = [];
      await expectGrantedAt(expiry, async () => {
        taken.push(...(await Promise.all(heirs.map((heir) => heir.take("orphan")))));
        return taken.includes(true);
      });
      expect(taken.filter((mine) => mine)).to.have.length(1);
    });

    it("LIQ-5 a holder that stood still has lost its lease, and is told so", async () => {
      const stopped = contend(url, "stopped", LIFETIME, 0, folder, "nap");
      await until(() => stopped.lines().length === 1);
      stopped.process.kill("SIGSTOP"); // while it sleeps: who stands still in a write holds up a whole SQLite file
      const other = await open("other", LONG);
      expect(await other.take("nap")).to.equal(false);
      await until(() => other.take("nap"));
      stopped.process.kill("SIGCONT");
      await until(() => stopped.lines().length === 2);
      expect(stopped.lines()).to.deep.equal(["held", "lost"]);
      stopped.process.kill();
      await once(stopped.process, "exit");
    });
  });
}
