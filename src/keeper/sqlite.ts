import { DatabaseSync } from "node:sqlite";
import type { SQLOutputValue, StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

import { DatabaseCorrupt, DatabaseFull, DatabaseLocked, DatabaseUnreachable, PATIENCE } from "./database.ts";
import type { Database, Row, Statements, Value } from "./database.ts";

const IN_MEMORY = ":memory:";
const RETRY = 5; // [ms] between two tries while another process writes
const TIDY_INTERVAL = 5000; // [ms] between two times that what was written is moved from the log into the file

const BUSY = 5; // SQLITE_BUSY
/** By SQLite's result codes; the primary one counts where there is none for the extended one. */
const ERRORS = new Map([
  ...[BUSY, 6].map((code) => [code, DatabaseLocked] as const), // SQLITE_LOCKED
  ...[11, 26].map((code) => [code, DatabaseCorrupt] as const), // SQLITE_CORRUPT, SQLITE_NOTADB
  ...[8, 10, 14].map((code) => [code, DatabaseUnreachable] as const), // SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN
  ...[13, 778, 4874].map((code) => [code, DatabaseFull] as const), // SQLITE_FULL, _IOERR_WRITE, _IOERR_SHMSIZE: a quota or limit
]);

/** A database in one file, or in memory for `:memory:`. */
export class SqliteDatabase implements Database {
  readonly now = "CAST(unixepoch('subsec') * 1000 AS BIGINT)";
  readonly #path: string;
  readonly #connection: Connection;
  #turn: Promise<unknown> = Promise.resolve();
  #tidying: NodeJS.Timeout | undefined;

  /** @throws DatabaseCorrupt, DatabaseLocked, DatabaseUnreachable */
  constructor(path: string) {
    this.#path = path;
    this.#connection = new Connection(path, () => {
      const file = new DatabaseSync(path, { timeout: PATIENCE }); // later ones wait without holding up the process
      file.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 0");
      file.exec("PRAGMA wal_autocheckpoint = 0"); // it would hold up now and then a commit for 30 ms
      return file;
    });
  }

  run(sql: string, ...values: readonly Value[]): Promise<number> {
    this.#tidySoon();
    return this.#inTurn(() => this.#patiently(() => this.#connection.run(sql, ...values)));
  }

  all(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return this.#inTurn(() => this.#patiently(() => this.#connection.all(sql, ...values)));
  }

  /** Reads by a connection of its own, so that nobody waits for its end. */
  async *each(sql: string, ...values: readonly Value[]): AsyncIterable<Row> {
    if (this.#path === IN_MEMORY) {
      yield* await this.all(sql, ...values); // they are in memory anyway
      return;
    }
    const options = { readOnly: true, timeout: PATIENCE };
    const reader = new Connection(this.#path, () => new DatabaseSync(this.#path, options));
    try {
      yield* reader.each(sql, ...values);
    } finally {
      reader.close();
    }
  }

  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    this.#tidySoon();
    return this.#inTurn(async () => {
      await this.#patiently(() => this.#connection.run("BEGIN IMMEDIATE"));
      try {
        const result = await work(this.#connection);
        await this.#connection.run("COMMIT");
        return result;
      } catch (error) {
        this.#connection.rollback();
        throw error;
      }
    });
  }

  close(): Promise<void> {
    clearTimeout(this.#tidying);
    return this.#inTurn(() => {
      this.#connection.close();
      return Promise.resolve();
    });
  }

  /** Moves what is written into the file, a little later; what fails or is not done before the end is done the next time. */
  #tidySoon(): void {
    if (this.#path === IN_MEMORY || this.#tidying !== undefined) return;
    this.#tidying = setTimeout(() => {
      this.#tidying = undefined;
      this.#inTurn(() => this.#connection.all("PRAGMA wal_checkpoint(PASSIVE)")).catch(() => undefined);
    }, TIDY_INTERVAL).unref();
  }

  /** Runs `work` when all that was asked for before is over. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => work());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Tries again while another process writes. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const end = performance.now() + PATIENCE;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof DatabaseLocked) || performance.now() > end) throw error;
      }
      await sleep(RETRY);
    }
  }
}

/** One connection to a file: what runs on it sees and joins its transaction. */
class Connection implements Statements {
  readonly #path: string;
  readonly #file: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, open: () => DatabaseSync) {
    this.#path = path;
    this.#file = this.#typed(open);
  }

  run(sql: string, ...values: readonly Value[]): Promise<number> {
    return this.#attempt(() => Number(this.#statement(sql).run(...values).changes));
  }

  all(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return this.#attempt(() =>
      this.#statement(sql)
        .all(...values)
        .map(rowOf),
    );
  }

  async *each(sql: string, ...values: readonly Value[]): AsyncIterable<Row> {
    const rows = this.#typed(() => this.#file.prepare(sql).iterate(...values)); // its own statement: two may go on at once
    try {
      for (;;) {
        const next = this.#typed(() => rows.next());
        if (next.done === true) return;
        yield await Promise.resolve(rowOf(next.value));
      }
    } finally {
      rows.return?.();
    }
  }

  /** Ends a transaction, unless the failure has ended it. */
  rollback(): void {
    if (this.#file.isTransaction) this.#file.exec("ROLLBACK");
  }

  close(): void {
    this.#file.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#file.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #attempt<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      resolve(this.#typed(work)); // what is thrown rejects
    });
  }

  #typed<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const code = codeOf(error);
      const Kind = ERRORS.get(code) ?? ERRORS.get(code & 0xff);
      throw Kind === undefined ? error : new Kind(this.#path, error);
    }
  }
}

/** SQLite's result code of what was thrown, zero if it is none. */
function codeOf(error: unknown): number {
  const code = error instanceof Error && "errcode" in error ? error.errcode : 0;
  return typeof code === "number" ? code : 0;
}

function rowOf(row: Record<string, SQLOutputValue>): Row {
  return row as Row;
}
