import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

import { expect } from "chai";

import {
  DatabaseCorrupt,
  DatabaseError,
  DatabaseFull,
  DatabaseLocked,
  DatabaseUnreachable,
  PATIENCE,
  UnknownDatabase,
} from "../../src/keeper/database.ts";
import type { Database } from "../../src/keeper/database.ts";
import { openDatabase } from "../../src/keeper/openDatabase.ts";
import { PostgresDatabase } from "../../src/keeper/postgres.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { startPostgres } from "../helpers/postgres.ts";

const CHILD = path.join(import.meta.dirname, "databaseChild.ts");
const HOUR = 3_600_000; // [ms]

let folder: string;
let files = 0;

/** A file that is not there yet. */
function freshFile(): string {
  return path.join(folder, `${(files += 1)}.sqlite`);
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "database-"));
});
after(() => {
  rmSync(folder, { recursive: true });
});

/** Expects an error of a kind, and returns it. */
async function rejected<T extends Error>(
  promise: Promise<unknown>,
  Kind: abstract new (...args: never[]) => T,
): Promise<T> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(Kind);
  return error as T;
}

/** Starts a process that opens the database and begins a transaction in which it has inserted; resolves when it has. */
async function startWriter(url: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, url], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

const KINDS: readonly { name: string; start: () => Promise<{ url(): string; stop(): Promise<void> }> }[] = [
  {
    name: "SQLite",
    start: () => Promise.resolve({ url: () => `sqlite:${freshFile()}`, stop: () => Promise.resolve() }),
  },
  {
    name: "PostgreSQL",
    start: async () => {
      const postgres = await startPostgres();
      return { url: () => postgres.url, stop: () => postgres.stop() };
    },
  },
];

for (const { name, start } of KINDS) {
  describe(`database in ${name}`, () => {
    let place: Awaited<ReturnType<typeof start>>;
    let url: string;
    let one: Database;
    let two: Database;

    before(async () => {
      place = await start();
    });
    beforeEach(async () => {
      url = place.url();
      [one, two] = [await openDatabase(url), await openDatabase(url)];
      await one.run("DROP TABLE IF EXISTS item");
      await one.run("CREATE TABLE item (name TEXT PRIMARY KEY, amount TEXT, seen BIGINT, share DOUBLE PRECISION)");
    });
    afterEach(() => Promise.all([one.close(), two.close()]));
    after(() => place.stop());

    const names = async (database = one) =>
      (await database.all("SELECT name FROM item ORDER BY name")).map((row) => row.name);
    const insert = "INSERT INTO item (name) VALUES (?)";

    it("MAM-6 gives back what was put in, and counts what it has changed", async () => {
      const row = { name: "it's ?", amount: "123456789012345678901234567890", seen: 1_795_326_577_252, share: 0.1 };
      const put = "INSERT INTO item (name, amount, seen, share) VALUES (?, ?, ?, ?)";
      expect(await one.run(put, row.name, row.amount, row.seen, row.share)).to.equal(1);
      expect(await one.run(put, "nothing", null, null, null)).to.equal(1);
      expect(await two.all("SELECT * FROM item WHERE name = ?", row.name)).to.deep.equal([row]);
      expect(await two.all("SELECT * FROM item WHERE name = 'it''s ?' AND share < ? -- ?", 1)).to.deep.equal([row]);
      expect((await two.all("SELECT amount FROM item WHERE name = ?", "nothing"))[0]).to.deep.equal({ amount: null });
      expect(await one.all('SELECT count(*) AS "n?", sum(seen) AS total FROM item')).to.deep.equal([
        { "n?": 2, total: row.seen },
      ]);
      expect(await one.run("UPDATE item SET seen = ?", 7)).to.equal(2);
      expect(await one.run("DELETE FROM item WHERE name = ?", "nobody")).to.equal(0);
      const upsert = `${insert} ON CONFLICT (name) DO UPDATE SET seen = excluded.seen WHERE item.seen = ?`;
      expect(await one.run(upsert, "nothing", 8)).to.equal(0);
      expect(await one.run(upsert, "nothing", 7)).to.equal(1);
    });

    it("MAM-6 gives rows one by one, more than it fetches at once, as they were when it began", async () => {
      await one.transaction(async (statements) => {
        for (let i = 0; i < 2500; ++i) await statements.run(insert, String(i).padStart(4, "0"));
      });
      const seen: unknown[] = [];
      for await (const { name } of one.each("SELECT name FROM item WHERE name >= ? ORDER BY name", "0500")) {
        if (seen.length === 0) await two.run("DELETE FROM item WHERE name > ?", "1000");
        if (seen.length === 1) await one.run(insert, "9999");
        seen.push(name);
      }
      expect([seen.length, seen[0], seen.at(-1)]).to.deep.equal([2000, "0500", "2499"]);
      for await (const { name } of one.each("SELECT name FROM item ORDER BY name")) {
        if (name === "0002") break; // who stops leaves nothing open
      }
      expect(await one.all("SELECT count(*) AS n FROM item")).to.deep.equal([{ n: 1002 }]);
    });

    it("MAM-6 a transaction sees its own rows, one by one too", async () => {
      const seen: unknown[] = [];
      await one.transaction(async (statements) => {
        await statements.run(insert, "a");
        await statements.run(insert, "b");
        const query = "SELECT name FROM item ORDER BY name";
        for await (const outer of statements.each(query)) {
          for await (const inner of statements.each(query)) seen.push(`${outer.name}${inner.name}`);
        }
      });
      expect(seen).to.deep.equal(["aa", "ab", "ba", "bb"]);
    });

    it("MAM-6 a transaction whose work throws has not happened", async () => {
      const failure = new Error("on the way");
      const work = one.transaction(async (statements) => {
        await statements.run(insert, "a");
        throw failure;
      });
      expect(await rejected(work, Error)).to.equal(failure);
      const twice = one.transaction(async (statements) => {
        await statements.run(insert, "b");
        await statements.run(insert, "b"); // against the primary key
      });
      expect(await rejected(twice, Error)).not.to.be.instanceOf(DatabaseError);
      expect(await names()).to.deep.equal([]);
      expect(await one.transaction((statements) => statements.run(insert, "c"))).to.equal(1);
      expect(await names(two)).to.deep.equal(["c"]);
    });

    it("MAM-6 what others run while a transaction waits is no part of it", async () => {
      const other = Promise.withResolvers<undefined>();
      const work = one.transaction(async (statements) => {
        await statements.run(insert, "within");
        await other.promise;
        throw new Error("on the way");
      });
      await sleep(20); // it has begun
      const outside = [one.run(insert, "outside"), two.run(insert, "elsewhere")];
      const after = one.transaction((statements) => statements.run(insert, "after"));
      await sleep(20);
      other.resolve(undefined);
      await rejected(work, Error);
      expect(await Promise.all([...outside, after])).to.deep.equal([1, 1, 1]);
      expect(await names()).to.deep.equal(["after", "elsewhere", "outside"]);
    });

    it("MAM-6 transactions of two connections take turns: no increment is lost", async () => {
      await one.run("INSERT INTO item (name, seen) VALUES (?, ?)", "counter", 0);
      const increment = (database: Database) =>
        database.transaction(async (statements) => {
          const [row] = await statements.all("SELECT seen FROM item WHERE name = ?", "counter");
          await sleep(1);
          await statements.run("UPDATE item SET seen = ? WHERE name = ?", Number(row?.seen) + 1, "counter");
        });
      await Promise.all(Array.from({ length: 40 }, (_, i) => increment(i % 2 === 0 ? one : two)));
      expect(await two.all("SELECT seen FROM item")).to.deep.equal([{ seen: 40 }]);
    });

    it("MAM-6 a process killed in a transaction leaves nothing of it and holds nobody up", async () => {
      const child = await startWriter(url);
      const waiting = one.run(insert, "waiting");
      await sleep(50);
      await killed(child);
      expect(await waiting).to.equal(1);
      expect(await names()).to.deep.equal(["waiting"]);
    });

    it("MAM-6 tells the time by its own clock", async () => {
      const [row] = await one.all(`SELECT ${one.now} AS now`);
      expect(row?.now).to.be.closeTo(Date.now(), HOUR); // of the same machine here
      await sleep(5);
      const [later] = await two.all(`SELECT ${two.now} AS now`);
      expect(Number(later?.now) - Number(row?.now)).to.be.within(4, 10_000);
    });
  });
}

describe("database that cannot be used", () => {
  it("MAM-6 says that the disk is full, keeps what was there, and goes on once there is room", async () => {
    const file = freshFile();
    const database = await openDatabase(file);
    await database.run("CREATE TABLE item (name TEXT)");
    await database.run("INSERT INTO item VALUES (?)", "before");
    const [{ pages } = { pages: 0 }] = await database.all("SELECT page_count AS pages FROM pragma_page_count()");
    await database.all(`PRAGMA max_page_count = ${Number(pages) + 4}`);
    const flood = (count: number) =>
      database.transaction(async (statements) => {
        for (let i = 0; i < count; ++i) await statements.run("INSERT INTO item VALUES (?)", "x".repeat(2000));
      });
    const error = await rejected(flood(100), DatabaseFull);
    expect(error.message).to.equal(
      `${file}: the disk is full, or this user's share of it: make room; nothing is kept and nothing sent until then`,
    );
    await rejected(database.run("INSERT INTO item VALUES (?)", "x".repeat(100_000)), DatabaseFull);
    expect(await database.all("SELECT * FROM item")).to.deep.equal([{ name: "before" }]);
    await database.all("PRAGMA max_page_count = 1000");
    await flood(10);
    expect(await database.all("SELECT count(*) AS n FROM item")).to.deep.equal([{ n: 11 }]);
    await database.close();
  });

  it("MAM-6 moves what was written from its log into the file, a few seconds after", async () => {
    const file = path.join(folder, "tidied.sqlite");
    const database = new SqliteDatabase(file);
    await database.run("CREATE TABLE big (text TEXT)");
    await database.run("INSERT INTO big VALUES (?)", "x".repeat(1_000_000));
    expect(statSync(file).size).to.be.lessThan(100_000); // all is in the log
    await sleep(5500);
    expect(statSync(file).size).to.be.greaterThan(1_000_000);
    await database.close();
  });

  it("MAM-6 waits for who writes, without holding up the process, and says in the end that it is locked", async function () {
    this.timeout(3 * PATIENCE);
    const file = freshFile();
    const database = await openDatabase(file);
    await database.run("CREATE TABLE item (name TEXT)");
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    let ticks = 0;
    const clock = setInterval(() => (ticks += 1), 100);
    const error = await rejected(database.run("INSERT INTO item VALUES (?)", "a"), DatabaseLocked);
    clearInterval(clock);
    expect(error.message).to.include(file).and.include("another process has held it for 5 s");
    expect(ticks).to.be.greaterThan(25);
    const waiting = database.transaction((statements) => statements.run("INSERT INTO item VALUES (?)", "b"));
    await sleep(20);
    other.exec("COMMIT");
    expect(await waiting).to.equal(1);
    other.close();
    await database.close();
  });

  it("MAM-6 says that a file is damaged or no database", async () => {
    const file = freshFile();
    writeFileSync(file, "this is a text, and a rather long one too".repeat(100));
    const error = await rejected(openDatabase(file), DatabaseCorrupt);
    expect(error.message).to.include(file).and.include("restore a backup");

    const torn = freshFile();
    const database = await openDatabase(torn);
    await database.run("CREATE TABLE item (name TEXT)");
    for (let i = 0; i < 50; ++i) await database.run("INSERT INTO item VALUES (?)", "x".repeat(1000));
    await database.close(); // moves all into the one file
    const bytes = Buffer.alloc(8192, 0xff);
    writeFileSync(torn, bytes, { flag: "r+", flush: true }); // keeps the length
    await rejected(openDatabase(torn), DatabaseCorrupt);
  });

  it("MAM-6 says what it cannot open", async () => {
    const missing = path.join(folder, "nowhere", "keeper.sqlite");
    const error = await rejected(openDatabase(`sqlite:${missing}`), DatabaseUnreachable);
    expect(error.message).to.equal(
      `${missing}: cannot be used (unable to open database file): check that it is there, and that this user may write to it`,
    );
    const unknown = await rejected(openDatabase("mysql://root@localhost/keeper"), UnknownDatabase);
    expect(unknown.scheme).to.equal("mysql");
    await rejected(openDatabase("sqlite://keeper.sqlite"), UnknownDatabase);
  });

  it("MAM-6 says that a server does not answer or hangs up, and never tells the password", async () => {
    const server: Server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const url = `postgres://keeper:geheim@127.0.0.1:${port}/keeper`;
    const hangsUp = await rejected(openDatabase(url), DatabaseUnreachable);
    server.close();
    await once(server, "close");
    const refuses = await rejected(openDatabase(url), DatabaseUnreachable);
    for (const error of [hangsUp, refuses]) {
      expect(error.database).to.equal(`127.0.0.1:${port}/keeper`);
      expect(JSON.stringify([error.message, error.stack, error])).not.to.include("geheim");
    }
  });

  it("MAM-6 an address of a server that is none is not quoted: it holds the password", async () => {
    for (const password of ["ge/heim", "ge#heim", "ge?heim"]) {
      const error = await rejected(openDatabase(`postgres://keeper:${password}@127.0.0.1/keeper`), DatabaseUnreachable);
      expect(error.message).to.include("malformed address: write / # ? and % in a password as %2F");
      expect(inspect(error)).not.to.include("heim");
    }
  });

  it("MAM-6 a connection that falls silent fails what is under way and is not used again", async () => {
    const postgres = await startPostgres();
    let isSilent = false;
    const line = createServer((from) => {
      const to = connect(Number(new URL(postgres.url).port), "127.0.0.1").on("error", () => undefined);
      const isCutOff = isSilent;
      from.on("data", (data) => isCutOff || isSilent || to.write(data)).on("error", () => undefined);
      to.pipe(from);
      from.on("close", () => to.destroy());
    }).listen(0, "127.0.0.1");
    await once(line, "listening");
    const { port } = line.address() as AddressInfo;
    const database = new PostgresDatabase(`postgres://postgres@127.0.0.1:${port}/postgres`, 1000);
    await database.all("SELECT 1");
    await rejected(
      database.transaction(async (statements) => {
        await statements.all("SELECT 1");
        isSilent = true;
        await statements.all("SELECT 1");
      }),
      DatabaseUnreachable,
    );
    isSilent = false;
    expect(await database.transaction((statements) => statements.all("SELECT 1 AS one"))).to.deep.equal([{ one: 1 }]);
    await database.close();
    line.close();
    await postgres.stop();
  });

  it("MAM-6 a server that goes away fails what is under way, not the process; when it is back, all goes on", async () => {
    const postgres = await startPostgres();
    const database = await openDatabase(postgres.url);
    const work = database.transaction(async (statements) => {
      await postgres.stop();
      await statements.all("SELECT 1");
    });
    await rejected(work, DatabaseUnreachable);
    await rejected(database.all("SELECT 1"), DatabaseUnreachable);
    const again = await startPostgres(Number(new URL(postgres.url).port));
    expect(await database.all("SELECT 1 AS one")).to.deep.equal([{ one: 1 }]);
    await database.close();
    await again.stop();
  });
});
